/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * host: turns the SOURCE words of a command line into guests. Names are made safe for a directory
 * here, once; of two equal names the later given one gets ~2, ~3 ...
 */
#include "host.h"

#include "backend-call.h"
#include "given.h"
#include "guest.h"
#include "layer.h"
#include "log.h"
#include "physmem.h"

#include <spi/arch.h>
#include <vmifs/text.h>

#include <errno.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#define HEAD_LEN (64 * 1024)
/* Guests at a time: each has threads of its own. */
#define MAX_LIVES 4096
/* How long adding sources waits for the guests that their finders have found at once. */
#define FIRST_WAIT_US G_USEC_PER_SEC
/* And for what runs in them: without a monitor that is looked for in their memory. Who lists one
 * would wait for it. */
#define FIRST_LOOK_US (800 * G_TIME_SPAN_MILLISECOND)

static void
source_free(gpointer data)
{
	VmifsHostSource *source = data;
	g_free(source->spec);
	g_free(source->name);
	g_free(source->outcome);
	g_clear_pointer(&source->searches, g_ptr_array_unref);
	g_free(source);
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
	/* Sooner than in the middle of a night, when the snapshot is wanted. How much room it takes
	 * depends on the guest, and is looked at then. */
	if (options->snapdir && !vmifs_layer_check_folder(options->snapdir, error)) {
		g_prefix_error(error, "snapdir=%s: ", options->snapdir);
		return NULL;
	}
	g_autoptr(VmifsGivenFiles) given = vmifs_given_files_new(options, error);
	if (!given)
		return NULL;
	VmifsHost *host = g_new0(VmifsHost, 1);
	host->options = *options;
	host->options.profile = NULL;                       /* it is open */
	host->options.vmlinux = g_strdup(options->vmlinux); /* this is, too; to be spoken of */
	host->options.given = g_steal_pointer(&given);
	host->max_threads = MAX_LIVES;
	host->options.guest_rw = options->guest_rw && !options->passive;
	host->options.format = host->format = g_strdup(options->format);
	host->options.arch = host->arch = g_strdup(options->arch);
	if (options->snapdir) /* who serves a mount will be elsewhere */
		host->options.snapdir = host->snapdir =
			g_canonicalize_filename(options->snapdir, NULL);
	host->log = vmifs_log_new();
	g_mutex_init(&host->lock);
	g_cond_init(&host->changed);
	g_mutex_init(&host->told_lock);
	host->guests = g_ptr_array_new_with_free_func((GDestroyNotify) vmifs_guest_unref);
	host->sources = g_ptr_array_new_with_free_func(source_free);
	host->lives = g_hash_table_new(g_str_hash, g_str_equal);
	return host;
}

void
vmifs_host_free(VmifsHost *host)
{
	if (!host)
		return;
	vmifs_found_close(host);
	for (guint i = 0; i < host->guests->len; i++)
		vmifs_guest_stop(g_ptr_array_index(host->guests, i));
	g_ptr_array_unref(host->guests);
	g_ptr_array_unref(host->sources);
	g_hash_table_unref(host->lives);
	vmifs_log_free(host->log);
	g_mutex_clear(&host->lock);
	g_cond_clear(&host->changed);
	g_mutex_clear(&host->told_lock);
	vmifs_given_files_free(host->options.given);
	g_free((char *) host->options.vmlinux);
	g_free(host->format);
	g_free(host->arch);
	g_free(host->snapdir);
	g_free(host);
}

/* ---- names ---- */

char *
vmifs_host_safe_name(const char *raw)
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
	return vmifs_host_safe_name(base);
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

static gboolean
is_taken(VmifsHost *host, const char *name)
{
	return find_locked(host, name) || vmifs_found_has_name(host, name);
}

char *
vmifs_host_unique_name(VmifsHost *host, const char *wanted)
{
	if (!is_taken(host, wanted))
		return g_strdup(wanted);
	for (guint i = 2;; i++) {
		g_autofree char *name = g_strdup_printf("%s~%u", wanted, i);
		if (!is_taken(host, name))
			return g_steal_pointer(&name);
	}
}

/* ---- sources ---- */

/* Where NAME= of NAME=SOURCE ends; NULL without one. */
static const char *
end_of_name(const char *spec)
{
	const char *equals = strchr(spec, '=');
	if (!equals || equals == spec || memchr(spec, '/', (gsize) (equals - spec)))
		return NULL;
	return equals;
}

/* The word of WORD or NAME=WORD; NULL when it is none, or a file of that name exists. */
static const char *
word_of(const char *spec)
{
	const char *equals = end_of_name(spec);
	if (access(spec, F_OK) == 0)
		return NULL;
	/* A word may hold an `=` itself: qemu+ssh://host/system?socket=... */
	if (vmifs_search_is_word(spec))
		return spec;
	if (equals && access(equals + 1, F_OK) != 0 && vmifs_search_is_word(equals + 1))
		return equals + 1;
	return NULL;
}

gboolean
vmifs_host_is_word(const char *spec)
{
	return word_of(spec) != NULL;
}

/* The guest's name and the file of FILE or NAME=FILE; a file that exists as written wins. */
static void
split_spec(const char *spec, char **ret_name, const char **ret_path)
{
	const char *equals = end_of_name(spec);
	if (access(spec, F_OK) == 0 || !equals) {
		*ret_name = name_of_file(spec);
		*ret_path = spec;
		return;
	}
	g_autofree char *raw = g_strndup(spec, (gsize) (equals - spec));
	*ret_name = vmifs_host_safe_name(raw);
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
	g_autoptr(VmifsConnection) connection = vmifs_connection_open(backend, &src, NULL, error);
	if (!connection)
		return NULL;
	gint64 acquired = vmifs_backend_acquired(connection);
	g_autoptr(VmifsPhysmem) mem = vmifs_physmem_of(connection, NULL, error);
	if (!mem) {
		g_prefix_error(error, "%s: ", path);
		return NULL;
	}
	g_autofree char *full = g_canonicalize_filename(path, NULL);
	return vmifs_guest_new(name, full, backend, g_steal_pointer(&mem), acquired,
			       &host->options);
}

static void
set_not_opened(GError **error, const char *path, int why)
{
	g_autofree char *words = vmifs_search_words();
	g_autofree char *running =
		words ? g_strdup_printf(" or, for running guests, %s", words) : NULL;

	g_set_error(error, VMIFS_ERROR, VMIFS_ERROR_SOURCE,
		    "%s: cannot be opened for reading: %s%s%s", path, g_strerror(why),
		    why == ENOENT   ? "; give the file of a memory image"
		    : why == EACCES ? "; run as a user who may read it"
				    : "",
		    why == ENOENT && running ? running : "");
}

static VmifsGuest *
open_image(VmifsHost *host, const char *spec, GError **error)
{
	g_autofree char *wanted = NULL;
	const char *path;
	split_spec(spec, &wanted, &path);
	int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
	if (fd < 0) {
		set_not_opened(error, path, errno);
		return NULL;
	}
	g_mutex_lock(&host->lock);
	g_autofree char *name = vmifs_host_unique_name(host, wanted);
	g_mutex_unlock(&host->lock);
	VmifsGuest *guest = open_file(host, path, fd, name, error);
	close(fd);
	return guest;
}

static gboolean
add_image(VmifsHost *host, VmifsHostSource *source, GError **error)
{
	VmifsGuest *guest = open_image(host, source->spec, error);
	if (!guest)
		return FALSE;
	g_mutex_lock(&host->lock);
	source->outcome = g_strdup_printf("guest %s", vmifs_guest_name(guest));
	g_ptr_array_add(host->guests, guest);
	g_mutex_unlock(&host->lock);
	vmifs_guest_start(guest);
	return TRUE;
}

static VmifsHostSource *
add_source(VmifsHost *host, const char *spec)
{
	VmifsHostSource *source = g_new0(VmifsHostSource, 1);
	source->host = host;
	source->spec = g_strdup(spec);
	source->word = word_of(source->spec);
	if (source->word && source->word != source->spec) {
		g_autofree char *raw = g_strndup(spec, (gsize) (source->word - source->spec - 1));
		source->name = vmifs_host_safe_name(raw);
	}
	g_mutex_lock(&host->lock);
	source->number = host->sources->len;
	g_ptr_array_add(host->sources, source);
	g_mutex_unlock(&host->lock);
	return source;
}

/* What is said of files alone must not be taken to have been heard. */
static gboolean
check_word(const VmifsHostSource *source, GError **error)
{
	const VmifsOptions *options = &source->host->options;
	if (options->has_base)
		g_set_error(error, VMIFS_ERROR, VMIFS_ERROR_INVALID,
			    "%s: base= is for raw images; who runs a guest says where its memory "
			    "lies: leave it out",
			    source->spec);
	else if (options->format)
		g_set_error(error, VMIFS_ERROR, VMIFS_ERROR_INVALID,
			    "%s: format=%s is for files of memory; a running guest has no format: "
			    "leave it out",
			    source->spec, options->format);
	return !options->has_base && !options->format;
}

static void
note_failure(VmifsHostSource *source, const GError *failure)
{
	g_mutex_lock(&source->host->lock);
	source->outcome = g_strdup(failure->message);
	g_mutex_unlock(&source->host->lock);
	vmifs_host_log(source->host, "source %s: %s", source->spec, failure->message);
}

static void
wait_discovered(VmifsHost *host, gint64 until)
{
	g_autoptr(GPtrArray) guests = vmifs_host_guests(host);
	const VmifsCall call = { .deadline = until, .cancelled = &host->ending };

	for (guint i = 0; i < guests->len && g_get_monotonic_time() < until; i++) {
		VmifsGuest *guest = g_ptr_array_index(guests, i);
		if (!vmifs_guest_is_frozen(guest))
			vmifs_guest_wait(guest, &call, NULL);
	}
}

void
vmifs_host_add_all(VmifsHost *host, const char *const *specs, gsize n, GError **ret_errors)
{
	gint64 start = g_get_monotonic_time();
	VmifsCall call = { .deadline = start + FIRST_WAIT_US, .cancelled = &host->ending };
	g_autofree VmifsHostSource **sources = g_new0(VmifsHostSource *, n);
	g_autoptr(GPtrArray) words = g_ptr_array_new();
	guint n_found = 0;

	for (gsize i = 0; i < n; i++) {
		sources[i] = add_source(host, specs[i]);
		if (sources[i]->word && check_word(sources[i], &ret_errors[i]))
			g_ptr_array_add(words, sources[i]);
	}
	vmifs_search_open(words, &call);
	for (gsize i = 0; i < n; i++) {
		if (sources[i]->searches) {
			n_found += vmifs_found_start(sources[i]);
			vmifs_search_works(sources[i], &ret_errors[i]);
		} else if (!sources[i]->word) {
			add_image(host, sources[i], &ret_errors[i]);
		}
		if (ret_errors[i])
			note_failure(sources[i], ret_errors[i]);
	}
	if (!n_found)
		return;
	vmifs_found_wait(host, call.deadline);
	wait_discovered(host, start + FIRST_LOOK_US);
}

gboolean
vmifs_host_add(VmifsHost *host, const char *spec, GError **error)
{
	GError *failure = NULL;

	vmifs_host_add_all(host, &spec, 1, &failure);
	if (!failure)
		return TRUE;
	g_propagate_error(error, failure);
	return FALSE;
}

/* ---- guests ---- */

void
vmifs_host_listen(VmifsHost *host, VmifsHostTold told, gpointer user)
{
	g_autoptr(GMutexLocker) locker = g_mutex_locker_new(&host->told_lock);
	host->told = told;
	host->told_user = user;
}

void
vmifs_host_tell(VmifsHost *host, VmifsHostEvent event, VmifsGuest *guest)
{
	g_autoptr(GMutexLocker) locker = g_mutex_locker_new(&host->told_lock);
	if (host->told)
		host->told(event, guest, host->told_user);
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

static void
append_source(GString *out, const VmifsHostSource *source)
{
	vmifs_text_append_octal(out, source->spec, -1, NULL);
	g_string_append(out, ": ");
}

void
vmifs_host_sources(VmifsHost *host, GString *out)
{
	g_autoptr(GMutexLocker) locker = g_mutex_locker_new(&host->lock);
	for (guint i = 0; i < host->sources->len; i++) {
		const VmifsHostSource *source = g_ptr_array_index(host->sources, i);
		if (source->outcome) {
			append_source(out, source);
			vmifs_text_append_octal(out, source->outcome, -1, NULL);
			g_string_append_c(out, '\n');
			continue;
		}
		for (guint k = 0; source->searches && k < source->searches->len; k++) {
			append_source(out, source);
			vmifs_found_describe(g_ptr_array_index(source->searches, k), out);
			g_string_append_c(out, '\n');
		}
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
