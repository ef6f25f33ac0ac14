/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * text: the backend over a described guest. It maps nothing, on purpose: it is the guest of the
 * unit tests and keeps the paths honest that sources without a mapping take.
 */
#include "text.h"

#include <errno.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define MAX_TEXT ((gsize) 64 << 20)

typedef struct {
	VmifsTextGuest *guest;
	gint64 acquired;
} Text;

static gboolean
has_magic(const VmifsSource *src)
{
	gsize n = strlen(VMIFS_TEXT_MAGIC);

	return src->head_len >= n && !memcmp(src->head, VMIFS_TEXT_MAGIC, n);
}

static int
text_probe(const VmifsSource *src)
{
	return has_magic(src) ? 100 : 0;
}

static char *
read_all(const VmifsSource *src, gsize *ret_len, GError **error)
{
	g_autofree char *text = NULL;
	gsize at = 0;

	if (src->len > MAX_TEXT) {
		g_set_error(error, VMIFS_ERROR, VMIFS_ERROR_SOURCE,
			    "%s: looks like a text guest, but has more than %zu bytes; if it is a "
			    "raw image that only begins like one: -o format=raw",
			    src->spec, MAX_TEXT);
		return NULL;
	}
	text = g_malloc(src->len + 1);
	while (at < src->len) {
		gssize n = pread(src->fd, text + at, src->len - at, (off_t) at);
		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0) {
			g_set_error(error, VMIFS_ERROR, VMIFS_ERROR_SOURCE, "%s: text guest: %s",
				    src->spec, g_strerror(errno));
			return NULL;
		}
		if (n == 0)
			break;
		at += (gsize) n;
	}
	*ret_len = at;
	return g_steal_pointer(&text);
}

static gpointer
text_open(const VmifsSource *src, const VmifsCall *call, GError **error)
{
	gsize len;
	g_autofree char *text = read_all(src, &len, error);
	struct stat st;

	if (!text)
		return NULL;
	if (src->options->has_base) {
		g_set_error(error, VMIFS_ERROR, VMIFS_ERROR_INVALID,
			    "%s: base= is for raw images; a text guest says itself where its "
			    "memory lies: leave it out",
			    src->spec);
		return NULL;
	}
	VmifsTextGuest *guest = vmifs_text_guest_parse(text, len, error);
	if (!guest) {
		g_prefix_error(error, "%s: text guest: ", src->spec);
		return NULL;
	}
	Text *self = g_new0(Text, 1);
	self->guest = guest;
	if (!fstat(src->fd, &st))
		self->acquired =
			(gint64) st.st_mtim.tv_sec * G_USEC_PER_SEC + st.st_mtim.tv_nsec / 1000;
	return self;
}

static void
text_close(gpointer data)
{
	Text *self = data;

	vmifs_text_guest_free(self->guest);
	g_free(self);
}

static gboolean
text_layout(gpointer data, VmifsLayout *ret, const VmifsCall *call, GError **error)
{
	const VmifsTextGuest *guest = ((Text *) data)->guest;

	for (guint i = 0; i < guest->blocks->len; i++) {
		const VmifsTextBlock *block = g_ptr_array_index(guest->blocks, i);
		VmifsBlock b = {
			.name = g_strdup(block->name), .len = block->len, .sparse = TRUE, .fd = -1
		};
		g_array_append_val(ret->blocks, b);
	}
	g_array_append_vals(ret->regions, guest->regions->data, guest->regions->len);
	ret->n_vcpus = guest->vcpus->len;
	return TRUE;
}

static gsize
text_read(gpointer data, VmifsIo *io, gsize n, const VmifsCall *call)
{
	const VmifsTextGuest *guest = ((Text *) data)->guest;

	for (gsize i = 0; i < n; i++) {
		const VmifsTextBlock *block = g_ptr_array_index(guest->blocks, io[i].block);
		for (gsize done = 0; done < io[i].len;) {
			guint64 at = io[i].offset + done, number = at / VMIFS_TEXT_PAGE;
			gsize in_page = at % VMIFS_TEXT_PAGE;
			gsize part = MIN(io[i].len - done, VMIFS_TEXT_PAGE - in_page);
			const guint8 *page = g_hash_table_lookup(block->pages, &number);
			if (page)
				memcpy((guint8 *) io[i].buf + done, page + in_page, part);
			else
				memset((guint8 *) io[i].buf + done, 0, part);
			done += part;
		}
		io[i].status = 0;
	}
	return n;
}

static gboolean
text_extent(gpointer data, guint32 index, guint64 offset, gboolean *ret_data, guint64 *ret_len)
{
	const VmifsTextBlock *block = g_ptr_array_index(((Text *) data)->guest->blocks, index);
	const guint64 *numbers = (const guint64 *) (gpointer) block->numbers->data;
	guint64 page = offset / VMIFS_TEXT_PAGE, end;
	guint low = 0, high = block->numbers->len;

	while (low < high) {
		guint middle = low + (high - low) / 2;
		if (numbers[middle] < page)
			low = middle + 1;
		else
			high = middle;
	}
	*ret_data = low < block->numbers->len && numbers[low] == page;
	if (*ret_data) {
		for (end = page; low < block->numbers->len && numbers[low] == end; low++)
			end++;
		end *= VMIFS_TEXT_PAGE;
	} else {
		end = low < block->numbers->len ? numbers[low] * VMIFS_TEXT_PAGE : block->len;
	}
	*ret_len = MIN(end, block->len) - offset;
	return TRUE;
}

static gboolean
text_regs(gpointer data, guint vcpu, VmifsRegs *regs, const VmifsCall *call, GError **error)
{
	gsize n;
	const VmifsReg *all =
		vmifs_regs_all(g_ptr_array_index(((Text *) data)->guest->vcpus, vcpu), &n);

	for (gsize i = 0; i < n; i++)
		vmifs_regs_set(regs, all[i].name, all[i].value);
	return TRUE;
}

static gint64
text_acquired(gpointer data)
{
	return ((Text *) data)->acquired;
}

static const char *const text_formats[] = { "text", NULL };

extern const VmifsBackend vmifs_backend_text;
const VmifsBackend vmifs_backend_text = {
	.name = "text",
	.probe = text_probe,
	.open = text_open,
	.close = text_close,
	.layout = text_layout,
	.read = text_read,
	.frozen = TRUE,
	.formats = text_formats,
	.acquired = text_acquired,
	.extent = text_extent,
	.regs = text_regs,
};
