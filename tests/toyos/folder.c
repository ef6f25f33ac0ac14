/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * folder: running guests that are files of a folder, found with the word folder:FOLDER: they come,
 * go and change as a test wants them to.
 *
 *   NAME.ram     its memory, written to at any time. The guest runs while the file is there
 *   NAME.state   (nullable) "paused", "running"; "hung": its hypervisor does not answer; "deaf":
 *                nor does the backend, whatever time it is given
 *   NAME.regs    (nullable) "vcpu0 rip 0x1", ...: it has registers
 *   NAME.event   a word that is told once, and the file removed: "content"; "stop 0xADDRESS": it
 *                executes that, with the registers of NAME.regs
 *   NAME.places  (nullable) so many points can be armed; without it none
 *   NAME.slow    (nullable) found with it, its memory is not mapped; so many ms a read takes,
 *                whatever time it is given
 *   NAME.hold    while it is there, no snapshot comes to its end
 *   NAME.broken  when it is there, a snapshot fails when most of it is told
 */
#include <spi/finder.h>

#include <errno.h>
#include <fcntl.h>
#include <glib/gstdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define LOOK_US (20 * G_TIME_SPAN_MILLISECOND)
/* How long a deaf one does not even hear that it shall stop. */
#define DEAF_US (4 * G_TIME_SPAN_SECOND)

/* ---- the backend ---- */

typedef struct {
	char *folder;
	char *name;
} Target;

typedef struct {
	const Target *target; /* (borrowed) */
	int fd;
	gsize len;
	void (*changed)(gpointer engine, guint what);
	gpointer engine;
	VmifsStopped stopped;
	GThread *thread;
	gboolean slow;
	gint closing;  /* atomic */
	GMutex lock;   /* guards what follows, and is held while it is told of */
	GArray *armed; /* of Point */
} Live;

typedef struct {
	guint64 id;
	VmifsStopPoint point;
} Point;

static gboolean
live_regs(gpointer self, guint vcpu, VmifsRegs *regs, const VmifsCall *call, GError **error);

static char *
path_of(const Target *target, const char *what)
{
	return g_strdup_printf("%s/%s.%s", target->folder, target->name, what);
}

/* (full) NULL: there is no such file. */
static char *
text_of(const Target *target, const char *what)
{
	g_autofree char *path = path_of(target, what);
	char *text = NULL;
	return g_file_get_contents(path, &text, NULL, NULL) ? g_strchomp(text) : NULL;
}

static gboolean
has_file(const Target *target, const char *what)
{
	g_autofree char *path = path_of(target, what);
	return access(path, F_OK) == 0;
}

static guint
number_of(const Target *target, const char *what)
{
	g_autofree char *text = text_of(target, what);
	return text ? (guint) g_ascii_strtoull(text, NULL, 10) : 0;
}

static gboolean
hear(const Target *target, const VmifsCall *call, GError **error)
{
	g_autofree char *state = text_of(target, "state");
	gboolean deaf = g_strcmp0(state, "deaf") == 0;
	if (!deaf && g_strcmp0(state, "hung") != 0)
		return TRUE;
	gint64 end = g_get_monotonic_time() + DEAF_US;
	while (g_get_monotonic_time() < end && (deaf || vmifs_call_check(call, NULL)))
		g_usleep(1000);
	g_set_error(error, VMIFS_ERROR, VMIFS_ERROR_TIMEOUT, "the monitor does not answer");
	return FALSE;
}

static void
tell_stop(Live *live, guint64 address)
{
	g_autoptr(VmifsRegs) regs = vmifs_regs_new();
	g_autoptr(GMutexLocker) locker = g_mutex_locker_new(&live->lock);
	live_regs(live, 0, regs, NULL, NULL);
	for (guint i = live->armed->len; i-- > 0;) {
		const Point *armed = &g_array_index(live->armed, Point, i);
		VmifsStop stop = {
			.id = armed->id, .address = address, .regs = regs, .n_stops = 1
		};
		if (armed->point.kind == VMIFS_STOP_EXEC && armed->point.address == address &&
		    live->stopped(live->engine, &stop) == VMIFS_STOP_DISARM)
			g_array_remove_index(live->armed, i);
	}
}

/* Tells what the test wants told. */
static gpointer
watch(gpointer data)
{
	Live *live = data;
	g_autofree char *path = path_of(live->target, "event");
	while (!g_atomic_int_get(&live->closing)) {
		g_autofree char *word = text_of(live->target, "event");
		if (word) {
			g_unlink(path);
			if (g_str_equal(word, "content"))
				live->changed(live->engine, VMIFS_CHANGE_CONTENT);
			if (g_str_has_prefix(word, "stop "))
				tell_stop(live, g_ascii_strtoull(word + 5, NULL, 0));
		}
		g_usleep(LOOK_US);
	}
	return NULL;
}

static int
live_probe(const VmifsSource *src)
{
	return 0;
}

static gpointer
live_open(const VmifsSource *src, const VmifsCall *call, GError **error)
{
	const Target *target = src->target;
	g_autofree char *path = path_of(target, "ram");
	int fd = open(path, (src->options->guest_rw ? O_RDWR : O_RDONLY) | O_CLOEXEC);
	struct stat st;
	if (fd < 0 || fstat(fd, &st) < 0) {
		g_set_error(error, VMIFS_ERROR, VMIFS_ERROR_SOURCE, "%s: %s", path,
			    g_strerror(errno));
		if (fd >= 0)
			close(fd);
		return NULL;
	}
	Live *live = g_new0(Live, 1);
	live->target = target;
	live->slow = has_file(target, "slow");
	live->fd = fd;
	live->len = (gsize) st.st_size;
	live->changed = src->changed;
	live->engine = src->engine;
	live->stopped = src->stopped;
	g_mutex_init(&live->lock);
	live->armed = g_array_new(FALSE, FALSE, sizeof(Point));
	live->thread = g_thread_new("folder", watch, live);
	return live;
}

static void
live_close(gpointer self)
{
	Live *live = self;
	g_atomic_int_set(&live->closing, 1);
	g_thread_join(live->thread);
	g_array_unref(live->armed);
	g_mutex_clear(&live->lock);
	close(live->fd);
	g_free(live);
}

static gboolean
live_layout(gpointer self, VmifsLayout *ret, const VmifsCall *call, GError **error)
{
	Live *live = self;
	g_autofree char *regs = text_of(live->target, "regs");
	VmifsBlock block = { .name = g_strdup("ram0"),
			     .len = live->len,
			     .fd = live->slow ? -1 : live->fd };
	VmifsRegion region = { .len = live->len };
	g_array_append_val(ret->blocks, block);
	g_array_append_val(ret->regions, region);
	ret->n_vcpus = regs ? 1 : 0;
	return TRUE;
}

static gsize
transfer(const Live *live, VmifsIo *io, gsize n, gboolean write)
{
	gsize good = 0;
	for (gsize i = 0; i < n; i++) {
		off_t at = (off_t) io[i].offset;
		gssize done = write ? pwrite(live->fd, io[i].buf, io[i].len, at)
				    : pread(live->fd, io[i].buf, io[i].len, at);
		io[i].status = done == (gssize) io[i].len ? 0 : EIO;
		good += !io[i].status;
	}
	return good;
}

static gsize
live_read(gpointer self, VmifsIo *io, gsize n, const VmifsCall *call)
{
	Live *live = self;
	gint64 start = g_get_monotonic_time();
	while (live->slow && g_get_monotonic_time() - start <
				     number_of(live->target, "slow") * G_TIME_SPAN_MILLISECOND)
		g_usleep(1000);
	return transfer(live, io, n, FALSE);
}

static gsize
live_write(gpointer self, VmifsIo *io, gsize n, const VmifsCall *call)
{
	return transfer(self, io, n, TRUE);
}

static gboolean
live_map(gpointer self, guint32 block, VmifsDirect *ret, GError **error)
{
	Live *live = self;
	if (live->slow)
		return FALSE;
	ret->mapping = vmifs_mapping_new(live->fd, 0, live->len, error);
	ret->to_kernel = TRUE;
	return ret->mapping != NULL;
}

static gboolean
live_state(gpointer self, VmifsState *ret, const VmifsCall *call, GError **error)
{
	Live *live = self;
	g_autofree char *state = text_of(live->target, "state");
	if (!hear(live->target, call, error))
		return FALSE;
	*ret = g_strcmp0(state, "paused") == 0 ? VMIFS_STATE_PAUSED : VMIFS_STATE_RUNNING;
	return TRUE;
}

static gboolean
live_set_state(gpointer self, VmifsState wanted, const VmifsCall *call, GError **error)
{
	Live *live = self;
	g_autofree char *path = path_of(live->target, "state");
	return hear(live->target, call, error) &&
	       g_file_set_contents(path, wanted == VMIFS_STATE_PAUSED ? "paused" : "running", -1,
				   error);
}

static gboolean
live_regs(gpointer self, guint vcpu, VmifsRegs *regs, const VmifsCall *call, GError **error)
{
	Live *live = self;
	if (!hear(live->target, call, error))
		return FALSE;
	g_autofree char *text = text_of(live->target, "regs");
	g_auto(GStrv) lines = g_strsplit(text ? text : "", "\n", -1);
	for (guint i = 0; lines[i]; i++) {
		g_auto(GStrv) words = g_strsplit(lines[i], " ", 3);
		if (g_strv_length(words) == 3)
			vmifs_regs_set(regs, words[1], g_ascii_strtoull(words[2], NULL, 0));
	}
	return TRUE;
}

static gboolean
live_set_reg(gpointer self, guint vcpu, const char *name, guint64 value, const VmifsCall *call,
	     GError **error)
{
	Live *live = self;
	guint64 old;
	g_autofree char *path = path_of(live->target, "regs");
	g_autoptr(VmifsRegs) regs = vmifs_regs_new();
	g_autoptr(GString) text = g_string_new(NULL);
	if (!live_regs(self, vcpu, regs, call, error))
		return FALSE;
	if (!vmifs_regs_get(regs, name, &old)) {
		g_set_error(error, VMIFS_ERROR, VMIFS_ERROR_NOT_FOUND, "there is no register %s",
			    name);
		return FALSE;
	}
	vmifs_regs_set(regs, name, value);
	vmifs_regs_text(regs, vcpu, text);
	return g_file_set_contents(path, text->str, -1, error);
}

static gboolean
tell_memory(Live *live, VmifsPictureWriter *out, const VmifsCall *call, GError **error)
{
	guint8 page[VMIFS_PICTURE_PAGE];
	for (gsize at = 0; at < live->len; at += sizeof page) {
		gssize got = pread(live->fd, page, sizeof page, (off_t) at);
		if (!vmifs_call_check(call, error) || got <= 0 ||
		    !vmifs_picture_write(out, 0, at, page, (gsize) got, error))
			return FALSE;
	}
	return TRUE;
}

static gboolean
live_snapshot(gpointer self, VmifsPictureWriter *out, const VmifsCall *call, GError **error)
{
	Live *live = self;
	g_autoptr(VmifsRegs) regs = vmifs_regs_new();
	VmifsPictureTaken taken = { .how = "by reading its file", .moment = g_get_real_time() };
	if (!live_regs(self, 0, regs, call, error) || !tell_memory(live, out, call, error))
		return FALSE;
	while (has_file(live->target, "hold")) {
		if (!vmifs_call_check(call, error))
			return FALSE;
		g_usleep(1000);
	}
	if (has_file(live->target, "broken")) {
		g_set_error(error, VMIFS_ERROR, VMIFS_ERROR_IO,
			    "the hypervisor has changed its mind");
		return FALSE;
	}
	vmifs_picture_set_taken(out, &taken);
	gsize n;
	vmifs_regs_all(regs, &n);
	return !n || vmifs_picture_add_regs(out, 0, regs, error);
}

static gboolean
live_stop_caps(gpointer self, VmifsStopCaps *ret, const VmifsCall *call, GError **error)
{
	const Live *live = self;
	ret->slots = number_of(live->target, "places");
	ret->exec = ret->slots > 0;
	return hear(live->target, call, error);
}

static gboolean
live_arm(gpointer self, guint64 id, const VmifsStopPoint *points, guint n, guint *ret_failed,
	 const VmifsCall *call, GError **error)
{
	Live *live = self;
	*ret_failed = 0;
	if (!hear(live->target, call, error))
		return FALSE;
	g_autoptr(GMutexLocker) locker = g_mutex_locker_new(&live->lock);
	for (guint i = 0; i < n; i++) {
		Point armed = { .id = id + i, .point = points[i] };
		g_array_append_val(live->armed, armed);
	}
	return TRUE;
}

static void
live_disarm(gpointer self, const guint64 *ids, guint n)
{
	Live *live = self;
	g_autoptr(GMutexLocker) locker = g_mutex_locker_new(&live->lock);
	for (guint i = live->armed->len; i-- > 0;)
		for (guint j = 0; j < n; j++)
			if (g_array_index(live->armed, Point, i).id == ids[j]) {
				g_array_remove_index(live->armed, i);
				break;
			}
}

static const VmifsBackend folder_backend = {
	.name = "folder",
	.probe = live_probe,
	.open = live_open,
	.close = live_close,
	.layout = live_layout,
	.read = live_read,
	.write = live_write,
	.map = live_map,
	.regs = live_regs,
	.state = live_state,
	.set_state = live_set_state,
	.set_reg = live_set_reg,
	.snapshot = live_snapshot,
	.stop_caps = live_stop_caps,
	.arm = live_arm,
	.disarm = live_disarm,
};

/* ---- the finder ---- */

typedef struct {
	char *folder;
	VmifsFinderSink sink;
	GHashTable *known; /* key -> itself (full) */
	GThread *thread;
	gint closing; /* atomic */
} Finder;

static void
target_free(gpointer data)
{
	Target *target = data;
	g_free(target->folder);
	g_free(target->name);
	g_free(target);
}

static void
tell_found(Finder *finder, const char *name, const char *key, const struct stat *st)
{
	Target *target = g_new0(Target, 1);
	target->folder = g_strdup(finder->folder);
	target->name = g_strdup(name);
	g_autofree char *source = g_strdup_printf("folder:%s/%s", finder->folder, name);
	VmifsFound found = { .key = key,
			     .name = name,
			     .source = source,
			     .started = (gint64) st->st_ino,
			     .backend = &folder_backend,
			     .target = target,
			     .free_target = target_free };
	finder->sink.found(finder->sink.engine, &found);
}

static void
look(Finder *finder)
{
	g_autoptr(GError) error = NULL;
	g_autoptr(GHashTable) now = g_hash_table_new_full(g_str_hash, g_str_equal, g_free, NULL);
	g_autoptr(GDir) dir = g_dir_open(finder->folder, 0, &error);
	finder->sink.failed(finder->sink.engine, error ? error->message : NULL);
	const char *entry;
	while (dir && (entry = g_dir_read_name(dir))) {
		struct stat st;
		g_autofree char *path = g_build_filename(finder->folder, entry, NULL);
		if (!g_str_has_suffix(entry, ".ram") || stat(path, &st) < 0)
			continue;
		g_autofree char *name = g_strndup(entry, strlen(entry) - strlen(".ram"));
		char *key = g_strdup_printf("%s:%" G_GUINT64_FORMAT, name, (guint64) st.st_ino);
		g_hash_table_add(now, key);
		if (g_hash_table_add(finder->known, g_strdup(key)))
			tell_found(finder, name, key, &st);
	}
	GHashTableIter iter;
	gpointer key;
	g_hash_table_iter_init(&iter, finder->known);
	while (g_hash_table_iter_next(&iter, &key, NULL)) {
		if (g_hash_table_contains(now, key))
			continue;
		finder->sink.gone(finder->sink.engine, key);
		g_hash_table_iter_remove(&iter);
	}
}

static gpointer
run(gpointer data)
{
	Finder *finder = data;
	while (!g_atomic_int_get(&finder->closing)) {
		g_usleep(LOOK_US);
		look(finder);
	}
	return NULL;
}

static int
finder_probe(const char *spec)
{
	return g_str_has_prefix(spec, "folder:") ? 100 : 0;
}

static gpointer
finder_open(const char *spec, const VmifsOptions *options, const VmifsFinderSink *sink,
	    const VmifsCall *call, GError **error)
{
	const char *folder = spec + strlen("folder:");
	if (!g_file_test(folder, G_FILE_TEST_IS_DIR)) {
		g_set_error(error, VMIFS_ERROR, VMIFS_ERROR_SOURCE, "%s: no such folder", spec);
		return NULL;
	}
	Finder *finder = g_new0(Finder, 1);
	finder->folder = g_strdup(folder);
	finder->sink = *sink;
	finder->known = g_hash_table_new_full(g_str_hash, g_str_equal, g_free, NULL);
	look(finder);
	finder->thread = g_thread_new("folder finder", run, finder);
	return finder;
}

static void
finder_close(gpointer self)
{
	Finder *finder = self;
	g_atomic_int_set(&finder->closing, 1);
	g_thread_join(finder->thread);
	g_hash_table_unref(finder->known);
	g_free(finder->folder);
	g_free(finder);
}

extern const VmifsFinder vmifs_finder_folder;
const VmifsFinder vmifs_finder_folder = {
	.name = "folder",
	.words = "folder:FOLDER",
	.probe = finder_probe,
	.open = finder_open,
	.close = finder_close,
};
