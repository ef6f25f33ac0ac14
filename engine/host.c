/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * host: turns the SOURCE words of a command line into guests. Names are made safe for a directory
 * here, once; of two equal names the later given one gets ~2, ~3 ...
 */
#include "backend-call.h"
#include "guest.h"
#include "log.h"
#include "physmem.h"

#include <spi/arch.h>
#include <vmifs/host.h>
#include <vmifs/text.h>

#include <errno.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#define HEAD_LEN (64 * 1024)

typedef struct {
	char *spec;
	char *outcome; /* "guest NAME (raw)" or why it failed */
} SourceLine;

struct VmifsHost {
	VmifsOptions options;
	char *format, *arch; /* what the options' strings point to */
	VmifsLog *log;
	GMutex lock; /* guards what follows */
	GPtrArray *guests;
	GArray *sources; /* of SourceLine */
};

static void
source_line_clear(gpointer data)
{
	SourceLine *line = data;
	g_free(line->spec);
	g_free(line->outcome);
}

VmifsHost *
vmifs_host_new(const VmifsOptions *options, GError **error)
{
	if (options->size != sizeof *options) {
		g_set_error(error, VMIFS_ERROR, VMIFS_ERROR_INVALID,
			    "options of %zu bytes: this library knows %zu", options->size,
			    sizeof *options);
		return NULL;
	}
	gboolean known = !options->arch;
	g_autoptr(GString) names = g_string_new(NULL);
	for (gsize i = 0; i < vmifs_n_archs; i++) {
		known = known || g_str_equal(options->arch, vmifs_archs[i]->name);
		g_string_append_printf(names, "%s%s", i ? ", " : "", vmifs_archs[i]->name);
	}
	if (!known) {
		g_set_error(error, VMIFS_ERROR, VMIFS_ERROR_INVALID,
			    "arch=%s: not known; this build has %s", options->arch, names->str);
		return NULL;
	}
	VmifsHost *host = g_new0(VmifsHost, 1);
	host->options = *options;
	host->options.format = host->format = g_strdup(options->format);
	host->options.arch = host->arch = g_strdup(options->arch);
	host->log = vmifs_log_new();
	g_mutex_init(&host->lock);
	host->guests = g_ptr_array_new_with_free_func((GDestroyNotify) vmifs_guest_unref);
	host->sources = g_array_new(FALSE, FALSE, sizeof(SourceLine));
	g_array_set_clear_func(host->sources, source_line_clear);
	return host;
}

void
vmifs_host_free(VmifsHost *host)
{
	if (!host)
		return;
	for (guint i = 0; i < host->guests->len; i++)
		vmifs_guest_stop(g_ptr_array_index(host->guests, i));
	g_ptr_array_unref(host->guests);
	g_array_unref(host->sources);
	vmifs_log_free(host->log);
	g_mutex_clear(&host->lock);
	g_free(host->format);
	g_free(host->arch);
	g_free(host);
}

/* ---- names ---- */

/* `/`, control characters and a leading dot become `_`; long names are cut, room left for ~N. */
static char *
safe_name(const char *raw)
{
	char *name = g_strndup(raw, 240);
	for (char *c = name; *c; c++)
		if (*c == '/' || (guchar) *c < 0x20 || *c == 0x7f)
			*c = '_';
	if (name[0] == '.')
		name[0] = '_';
	if (!name[0]) {
		g_free(name);
		name = g_strdup("_");
	}
	return name;
}

/* File name without folder and extension. */
static char *
name_of_file(const char *path)
{
	g_autofree char *base = g_path_get_basename(path);
	char *dot = strrchr(base, '.');
	if (dot && dot != base)
		*dot = '\0';
	return safe_name(base);
}

static VmifsGuest *
find_locked(VmifsHost *host, const char *name)
{
	for (guint i = 0; i < host->guests->len; i++) {
		VmifsGuest *guest = g_ptr_array_index(host->guests, i);
		if (g_str_equal(vmifs_guest_name(guest), name))
			return guest;
	}
	return NULL;
}

static char *
unique_name_locked(VmifsHost *host, const char *wanted)
{
	if (!find_locked(host, wanted))
		return g_strdup(wanted);
	for (guint i = 2;; i++) {
		g_autofree char *name = g_strdup_printf("%s~%u", wanted, i);
		if (!find_locked(host, name))
			return g_steal_pointer(&name);
	}
}

/* ---- sources ---- */

gboolean
vmifs_host_is_word(const char *spec)
{
	static const char *const words[] = { "qemu:", "qmp:", "pid:",  "xen:",  "host:",
					     "proc:", "lxc:", "test:", "vbox:", "esx:" };

	if (access(spec, F_OK) == 0)
		return FALSE;
	if (g_str_equal(spec, "auto") || strstr(spec, "://"))
		return TRUE;
	for (gsize i = 0; i < G_N_ELEMENTS(words); i++)
		if (g_str_has_prefix(spec, words[i]))
			return TRUE;
	return FALSE;
}

/* The guest's name and the file of FILE or NAME=FILE; a file that exists as written wins. */
static void
split_spec(const char *spec, char **ret_name, const char **ret_path)
{
	const char *equals = strchr(spec, '=');
	if (access(spec, F_OK) == 0 || !equals || equals == spec ||
	    memchr(spec, '/', (gsize) (equals - spec))) {
		*ret_name = name_of_file(spec);
		*ret_path = spec;
		return;
	}
	g_autofree char *raw = g_strndup(spec, (gsize) (equals - spec));
	*ret_name = safe_name(raw);
	*ret_path = equals + 1;
}

static VmifsGuest *
open_file(VmifsHost *host, const char *path, int fd, const char *name, GError **error)
{
	struct stat st;
	if (fstat(fd, &st) < 0) {
		g_set_error(error, VMIFS_ERROR, VMIFS_ERROR_SOURCE, "%s: %s", path,
			    g_strerror(errno));
		return NULL;
	}
	g_autofree guint8 *head = g_malloc(HEAD_LEN);
	gssize head_len =
		S_ISREG(st.st_mode) || S_ISBLK(st.st_mode) ? pread(fd, head, HEAD_LEN, 0) : 0;
	VmifsSource src = {
		.spec = path,
		.path = path,
		.fd = fd,
		.len = (guint64) st.st_size,
		.head = head,
		.head_len = (gsize) MAX(head_len, 0),
		.options = &host->options,
	};
	const VmifsBackend *backend = vmifs_backend_choose(&src, error);
	if (!backend)
		return NULL;
	gpointer instance = vmifs_backend_open(backend, &src, NULL, error);
	if (!instance)
		return NULL;
	gint64 acquired = vmifs_backend_acquired(backend, instance);
	g_autoptr(VmifsPhysmem) mem = vmifs_physmem_new(backend, instance, NULL, error);
	if (!mem) {
		g_prefix_error(error, "%s: ", path);
		return NULL;
	}
	g_autofree char *full = g_canonicalize_filename(path, NULL);
	return vmifs_guest_new(name, full, backend, g_steal_pointer(&mem), acquired,
			       &host->options);
}

static VmifsGuest *
open_source(VmifsHost *host, const char *spec, GError **error)
{
	g_autofree char *wanted = NULL;
	const char *path;
	split_spec(spec, &wanted, &path);
	int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
	if (fd < 0 && errno == ENOENT && vmifs_host_is_word(path)) {
		g_set_error(error, VMIFS_ERROR, VMIFS_ERROR_SOURCE,
			    "%s: running guests cannot be mounted by this version: take a memory "
			    "image (QMP pmemsave) and give its file name",
			    spec);
		return NULL;
	}
	if (fd < 0) {
		g_set_error(error, VMIFS_ERROR, VMIFS_ERROR_SOURCE,
			    "%s: cannot be opened for reading: %s%s", path, g_strerror(errno),
			    errno == ENOENT   ? "; give the file of a memory image"
			    : errno == EACCES ? "; run as a user who may read it"
					      : "");
		return NULL;
	}
	g_mutex_lock(&host->lock);
	g_autofree char *name = unique_name_locked(host, wanted);
	g_mutex_unlock(&host->lock);
	VmifsGuest *guest = open_file(host, path, fd, name, error);
	close(fd);
	return guest;
}

gboolean
vmifs_host_add(VmifsHost *host, const char *spec, GError **error)
{
	GError *failure = NULL;
	VmifsGuest *guest = open_source(host, spec, &failure);
	SourceLine line = { .spec = g_strdup(spec) };
	line.outcome = guest ? g_strdup_printf("guest %s", vmifs_guest_name(guest))
			     : g_strdup(failure->message);
	g_mutex_lock(&host->lock);
	g_array_append_val(host->sources, line);
	if (guest)
		g_ptr_array_add(host->guests, guest);
	g_mutex_unlock(&host->lock);
	if (!guest) {
		vmifs_host_log(host, "source %s: %s", spec, failure->message);
		g_propagate_error(error, failure);
		return FALSE;
	}
	vmifs_guest_start(guest);
	return TRUE;
}

GPtrArray *
vmifs_host_guests(VmifsHost *host)
{
	g_autoptr(GMutexLocker) locker = g_mutex_locker_new(&host->lock);
	GPtrArray *guests = g_ptr_array_new_with_free_func((GDestroyNotify) vmifs_guest_unref);
	for (guint i = 0; i < host->guests->len; i++)
		g_ptr_array_add(guests, vmifs_guest_ref(g_ptr_array_index(host->guests, i)));
	return guests;
}

VmifsGuest *
vmifs_host_find(VmifsHost *host, const char *name)
{
	g_autoptr(GMutexLocker) locker = g_mutex_locker_new(&host->lock);
	VmifsGuest *guest = find_locked(host, name);
	return guest ? vmifs_guest_ref(guest) : NULL;
}

void
vmifs_host_sources(VmifsHost *host, GString *out)
{
	g_autoptr(GMutexLocker) locker = g_mutex_locker_new(&host->lock);
	for (guint i = 0; i < host->sources->len; i++) {
		const SourceLine *line = &g_array_index(host->sources, SourceLine, i);
		vmifs_text_append_octal(out, line->spec, -1, NULL);
		g_string_append(out, ": ");
		vmifs_text_append_octal(out, line->outcome, -1, NULL);
		g_string_append_c(out, '\n');
	}
}

void
vmifs_host_log(VmifsHost *host, const char *format, ...)
{
	va_list args;
	va_start(args, format);
	vmifs_log_add(host->log, format, args);
	va_end(args);
}

void
vmifs_host_log_text(VmifsHost *host, GString *out)
{
	vmifs_log_text(host->log, out);
}
