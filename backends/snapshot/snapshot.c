/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * snapshot: images of memory in files. What is not a file that can be read anywhere and at any time
 * is refused here, before any format sees it.
 */
#include "snapshot.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#define MAX_LEN ((off_t) 1 << 46)

#define FORMAT(word) &vmifs_snapshot_##word,
static const VmifsSnapshotFormat *const formats[] = { VMIFS_SNAPSHOT_FORMATS(FORMAT) };

#define WORD(word) #word,
static const char *const words[] = { VMIFS_SNAPSHOT_FORMATS(WORD) NULL };

static int
snapshot_probe(const VmifsSource *src)
{
	/* Whatever is a file may be a raw image, or something that open() explains. */
	return src->path ? 10 : 0;
}

/* ---- what can be an image ---- */

static gboolean
refuse(GError **error, const VmifsSource *src, const char *format, ...) G_GNUC_PRINTF(3, 4);

static gboolean
refuse(GError **error, const VmifsSource *src, const char *format, ...)
{
	va_list args;

	va_start(args, format);
	g_autofree char *why = g_strdup_vprintf(format, args);
	va_end(args);
	g_set_error(error, VMIFS_ERROR, VMIFS_ERROR_SOURCE, "%s: %s", src->spec, why);
	return FALSE;
}

static const char *
kind_of(mode_t mode)
{
	switch (mode & S_IFMT) {
	case S_IFDIR:
		return "a directory";
	case S_IFIFO:
		return "a pipe";
	case S_IFSOCK:
		return "a socket";
	case S_IFCHR:
		return "a character device";
	default:
		return "not a file";
	}
}

static gboolean
check_file(VmifsSnapshot *self, const VmifsSource *src, GError **error)
{
	struct stat st;
	off_t end;

	if (fstat(src->fd, &st))
		return refuse(error, src, "cannot be examined: %s", g_strerror(errno));
	self->is_regular = S_ISREG(st.st_mode);
	if (!self->is_regular && !S_ISBLK(st.st_mode))
		return refuse(error, src,
			      "is %s; a memory image is a file or a block device: give its path",
			      kind_of(st.st_mode));
	/* The size of a block device is where it ends. */
	end = self->is_regular ? st.st_size : lseek(src->fd, 0, SEEK_END);
	if (end < 0)
		return refuse(error, src, "its size cannot be found out: %s", g_strerror(errno));
	if (end == 0)
		return refuse(
			error, src,
			"is empty; the dump that should have filled it has failed: take it again");
	if (end > MAX_LEN)
		return refuse(error, src,
			      "has %" G_GINT64_FORMAT
			      " bytes, more than any machine; give the image "
			      "itself",
			      (gint64) end);
	self->len = (guint64) end;
	if (!self->is_regular)
		return TRUE; /* a device tells neither its holes nor when it was written */
	self->acquired = (gint64) st.st_mtim.tv_sec * G_USEC_PER_SEC + st.st_mtim.tv_nsec / 1000;
	if ((guint64) st.st_blocks * 512 < self->len)
		self->extents = vmifs_extents_new(self->fd, self->len);
	return TRUE;
}

static gboolean
choose_format(VmifsSnapshot *self, const VmifsSource *src, GError **error)
{
	const char *word = src->options->format;

	/* A word is believed over content: a guest can plant a magic at address 0. */
	if (!word && vmifs_snapshot_is_foreign(src, error))
		return FALSE;
	if (self->len < VMIFS_SNAPSHOT_PAGE)
		return refuse(error, src,
			      "has %" G_GUINT64_FORMAT " bytes, less than one page (%d): it is no "
			      "memory image, or was cut short; give the whole image",
			      self->len, VMIFS_SNAPSHOT_PAGE);
	for (gsize i = 0; i < G_N_ELEMENTS(formats) && !self->format; i++) {
		if (!(word ? g_str_equal(words[i], word) : formats[i]->matches(src)))
			continue;
		self->format = formats[i];
		self->word = words[i];
	}
	g_assert(self->format);
	return TRUE;
}

static gboolean
check_base(const VmifsSnapshot *self, const VmifsSource *src, GError **error)
{
	if (!src->options->has_base || self->format == &vmifs_snapshot_raw)
		return TRUE;
	g_set_error(error, VMIFS_ERROR, VMIFS_ERROR_INVALID,
		    "base= is for raw images; this one says itself where its memory lies: leave it "
		    "out");
	return FALSE;
}

gboolean
vmifs_snapshot_bad(GError **error, const char *format, ...)
{
	va_list args;

	va_start(args, format);
	if (error)
		*error = g_error_new_valist(VMIFS_ERROR, VMIFS_ERROR_SOURCE, format, args);
	va_end(args);
	return FALSE;
}

/* A guest can write a header to its first page. */
static void
advise_raw(const VmifsSnapshot *self, const VmifsSource *src, GError **error)
{
	if (!error || src->options->format || self->format == &vmifs_snapshot_raw)
		return;
	g_autofree char *told = (*error)->message;
	(*error)->message =
		g_strconcat(told, " (if it is a raw image all the same: -o format=raw)", NULL);
}

/* ---- ops ---- */

static void
snapshot_close(gpointer data)
{
	VmifsSnapshot *self = data;

	vmifs_extents_free(self->extents);
	g_array_unref(self->regions);
	g_ptr_array_unref(self->vcpus);
	g_clear_pointer(&self->vmcoreinfo, g_bytes_unref);
	g_string_free(self->remarks, TRUE);
	if (self->fd >= 0)
		close(self->fd);
	g_free(self);
}

static gpointer
snapshot_open(const VmifsSource *src, const VmifsCall *call, GError **error)
{
	VmifsSnapshot *self = g_new0(VmifsSnapshot, 1);

	self->regions = g_array_new(FALSE, FALSE, sizeof(VmifsRegion));
	self->vcpus = g_ptr_array_new_with_free_func((GDestroyNotify) vmifs_regs_unref);
	self->remarks = g_string_new(NULL);
	self->fd = fcntl(src->fd, F_DUPFD_CLOEXEC, 0);
	if (self->fd < 0) {
		refuse(error, src, "cannot be kept open: %s", g_strerror(errno));
	} else if (check_file(self, src, error) && choose_format(self, src, error)) {
		if (check_base(self, src, error) &&
		    self->format->find_regions(self, src, call, error))
			return self;
		g_prefix_error(error, "%s: %s: ", src->spec, self->word);
		advise_raw(self, src, error);
	}
	snapshot_close(self);
	return NULL;
}

static gboolean
snapshot_layout(gpointer data, VmifsLayout *ret, const VmifsCall *call, GError **error)
{
	const VmifsSnapshot *self = data;
	VmifsBlock block = { .name = g_strdup("image"),
			     .len = self->len,
			     .sparse = self->extents != NULL,
			     .fd = self->is_regular ? self->fd : -1 };

	g_array_append_val(ret->blocks, block);
	g_array_append_vals(ret->regions, self->regions->data, self->regions->len);
	ret->n_vcpus = self->vcpus->len;
	ret->is_base_assumed = self->is_base_assumed;
	return TRUE;
}

static gboolean
snapshot_regs(gpointer data, guint vcpu, VmifsRegs *regs, const VmifsCall *call, GError **error)
{
	const VmifsSnapshot *self = data;
	gsize n;
	const VmifsReg *all = vmifs_regs_all(g_ptr_array_index(self->vcpus, vcpu), &n);

	for (gsize i = 0; i < n; i++)
		vmifs_regs_set(regs, all[i].name, all[i].value);
	return TRUE;
}

int
vmifs_snapshot_read(const VmifsSnapshot *self, guint64 offset, gpointer buf, gsize len)
{
	while (len) {
		gssize n = pread(self->fd, buf, len, (off_t) offset);
		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return errno;
		if (n == 0)
			return ENODATA; /* the file has become shorter */
		buf = (guint8 *) buf + n;
		offset += (gsize) n;
		len -= (gsize) n;
	}
	return 0;
}

static gsize
snapshot_read(gpointer data, VmifsIo *io, gsize n, const VmifsCall *call)
{
	const VmifsSnapshot *self = data;
	gsize good = 0;

	for (gsize i = 0; i < n; i++) {
		io[i].status = vmifs_snapshot_read(self, io[i].offset, io[i].buf, io[i].len);
		good += !io[i].status;
	}
	return good;
}

static gboolean
snapshot_map(gpointer data, guint32 block, VmifsDirect *ret, GError **error)
{
	const VmifsSnapshot *self = data;

	/* What cannot be mapped (a file system without it, too little address space) is read. */
	ret->mapping =
		self->len > G_MAXSIZE ? NULL : vmifs_mapping_new(self->fd, 0, self->len, NULL);
	ret->to_kernel = TRUE;
	return ret->mapping != NULL;
}

static gboolean
snapshot_extent(gpointer data, guint32 block, guint64 offset, gboolean *ret_data, guint64 *ret_len)
{
	const VmifsSnapshot *self = data;

	if (!self->extents)
		return FALSE;
	*ret_len = vmifs_extents_at(self->extents, offset, ret_data);
	return TRUE;
}

static GBytes *
snapshot_note(gpointer data, const char *owner)
{
	const VmifsSnapshot *self = data;

	if (!self->vmcoreinfo || !g_str_equal(owner, "VMCOREINFO"))
		return NULL;
	return g_bytes_ref(self->vmcoreinfo);
}

static gint64
snapshot_acquired(gpointer data)
{
	return ((const VmifsSnapshot *) data)->acquired;
}

static void
snapshot_info(gpointer data, GString *out)
{
	const VmifsSnapshot *self = data;

	g_string_append_printf(out, "format: %s%s\n%s", self->word, self->extents ? ", sparse" : "",
			       self->remarks->str);
	if (self->n_missing)
		g_string_append_printf(out,
				       "missing: %" G_GUINT64_FORMAT
				       " bytes of memory: the file is shorter than it says: it was "
				       "cut short, or is still being written\n",
				       self->n_missing);
	if (self->n_strange)
		g_string_append_printf(out,
				       "ignored: %" G_GUINT64_FORMAT
				       " pieces at addresses that no machine has\n",
				       self->n_strange);
}

extern const VmifsBackend vmifs_backend_snapshot;
const VmifsBackend vmifs_backend_snapshot = {
	.name = "snapshot",
	.probe = snapshot_probe,
	.open = snapshot_open,
	.close = snapshot_close,
	.layout = snapshot_layout,
	.read = snapshot_read,
	.frozen = TRUE,
	.formats = words,
	.acquired = snapshot_acquired,
	.map = snapshot_map,
	.extent = snapshot_extent,
	.regs = snapshot_regs,
	.note = snapshot_note,
	.info = snapshot_info,
};
