/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * find: the guests of QEMU that run here. Whatever word it is given, what it finds is a process of
 * this host; the words differ in which of them are meant, and in how their monitors are reached:
 *
 *   pid:PID       that one; a monitor that its arguments tell of
 *   qmp:SOCKET    whoever listens there; that monitor
 *   URI           those that libvirt has; its passthrough; of another host, all goes by that
 *   auto          all of them; libvirt's through libvirt, others as with pid:
 *
 * One thread for each word: it sleeps until a process ends, libvirt tells of a change, or, where
 * new ones are to be found, a second has passed.
 */
#include "keepers.h"
#include "qmp.h"
#include "watch.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <spi/finder.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/stat.h>
#include <unistd.h>

#define LOOK_MS 1000
#define SOON_MS 100
/* How old a QEMU must be before what it lacks is missing; START_LONG: that one of its monitors, of
 * which its arguments tell. */
#define START (500 * G_TIME_SPAN_MILLISECOND)
#define START_LONG (3 * G_TIME_SPAN_SECOND)
/* Of the 0.8 s that open() may take. */
#define PATIENCE (700 * G_TIME_SPAN_MILLISECOND)
/* Of them those that a daemon may take; without its answer its guests are shown all the same. */
#define LIBVIRT_PATIENCE (200 * G_TIME_SPAN_MILLISECOND)

extern const VmifsBackend vmifs_backend_qemu;
extern const VmifsBackend qemu_peek;

/* One that was told. */
typedef struct {
	char *key;
	char *uuid; /* (nullable) of libvirt's */
	char *name;
	pid_t pid;
	int pidfd;
} Guest;

typedef struct {
	VmifsFinderSink sink;
	VmifsMonitorUse use;
	gboolean is_libvirts;  /* only what that daemon has */
	gboolean is_elsewhere; /* on another host */
	int wake;              /* eventfd */
	gint64 patience;       /* until when open() may wait */
	GThread *thread;
	/* Of the thread alone, but before it begins. */
	GArray *guests;   /* of Guest */
	QemuWatch *watch; /* NULL = no new ones are looked for */
	QemuKeepers *keepers;
	gboolean soon; /* the next look is for one that has only just started */
	char *failure; /* (nullable) what the sink was told last */
	GMutex lock;
	GCond looked;                       /* (lock) */
	gboolean has_looked, is_over, anew; /* (lock) */
} Finder;

/* ---- guests ---- */

static void
guest_clear(gpointer data)
{
	Guest *guest = data;

	g_free(guest->key);
	g_free(guest->uuid);
	g_free(guest->name);
	if (guest->pidfd >= 0)
		close(guest->pidfd);
}

/* Where we may not read the process, whoever keeps it may. */
static const VmifsBackend *
backend_for(const QemuTarget *target)
{
	return target->monitor && target->monitor->ops->peeks && !qemu_target_is_readable(target)
		       ? &qemu_peek
		       : &vmifs_backend_qemu;
}

/* target: (taken) when TRUE. */
static gboolean
tell(Finder *self, QemuTarget *target, GError **error)
{
	g_autofree char *key = qemu_target_key(target);
	Guest guest = {
		.pid = target->pid,
		.pidfd = target->pid ? fcntl(target->pidfd, F_DUPFD_CLOEXEC, 0) : -1,
	};
	VmifsFound found = {
		.key = key,
		.name = target->name,
		.source = target->source,
		.started = target->started,
		.backend = backend_for(target),
		.target = target,
		.free_target = (GDestroyNotify) qemu_target_free,
	};

	if (target->pid && guest.pidfd < 0) {
		g_set_error(error, VMIFS_ERROR, VMIFS_ERROR_SOURCE, "%s: %s", target->source,
			    g_strerror(errno));
		return FALSE;
	}
	guest.key = g_strdup(key);
	guest.uuid = target->args->libvirt ? g_strdup(target->args->uuid) : NULL;
	guest.name = g_strdup(target->name);
	g_array_append_val(self->guests, guest);
	self->sink.found(self->sink.engine, &found);
	return TRUE;
}

static void
tell_gone(Finder *self, guint i)
{
	const Guest *guest = &g_array_index(self->guests, Guest, i);

	self->sink.gone(self->sink.engine, guest->key);
	if (self->watch)
		qemu_watch_forget(self->watch, guest->pid);
	g_array_remove_index_fast(self->guests, i);
}

/* ---- monitors ---- */

static void
wake(gpointer user)
{
	Finder *self = user;

	g_mutex_lock(&self->lock);
	self->anew = TRUE;
	g_mutex_unlock(&self->lock);
	eventfd_write(self->wake, 1);
}

/* A QEMU that has only just started may not have made its sockets yet, nor its guest's memory; or
 * it is one only for a moment: before it becomes a daemon, or another program. */
static gboolean
may_still_start(const QemuTarget *target)
{
	struct timespec now;

	clock_gettime(CLOCK_BOOTTIME, &now);
	gint64 age = (gint64) now.tv_sec * G_USEC_PER_SEC + now.tv_nsec / 1000 - target->started;
	return !target->monitor && age < (target->args->monitors->len ? START_LONG : START);
}

/* What libvirt keeps is asked through libvirt alone. */
static void
reach(Finder *self, QemuTarget *target)
{
	g_clear_pointer(&target->no_monitor, g_free);
	if (self->use == VMIFS_MONITOR_NEVER)
		target->no_monitor = g_strdup("monitor=never");
	else if (!target->args->libvirt || !qemu_keepers_reach(self->keepers, target))
		qemu_target_find_monitor(target, self->use == VMIFS_MONITOR_HOLD);
}

/* ---- looking for them ---- */

static gboolean
is_closing(Finder *self)
{
	g_autoptr(GMutexLocker) locker = g_mutex_locker_new(&self->lock);

	return self->is_over;
}

/* Of the daemon that was chosen. */
static gboolean
is_kept(const Finder *self, const QemuTarget *target)
{
	return target->args->libvirt &&
	       qemu_keepers_may_have(self->keepers, target->args->uuid, target->name, target->pid);
}

static QemuWatchVerdict
take(gpointer user, QemuTarget *target)
{
	Finder *self = user;

	/* Each of many may take its time to say nothing, and somebody waits for us. */
	if (is_closing(self))
		return QEMU_WATCH_LATER;
	/* What only tells of itself (-machine none) runs no guest. */
	if (g_strcmp0(target->args->machine, "none") == 0)
		return QEMU_WATCH_OTHER;
	if (self->is_libvirts && !is_kept(self, target))
		return QEMU_WATCH_OTHER;
	reach(self, target);
	if (may_still_start(target)) {
		self->soon = TRUE;
		return QEMU_WATCH_LATER;
	}
	return tell(self, target, NULL) ? QEMU_WATCH_TAKEN : QEMU_WATCH_LATER;
}

/* Those that were taken for guests of this daemon while it could not be asked, and are another's,
 * or nobody's. */
static void
drop_strangers(Finder *self)
{
	for (guint i = self->guests->len; self->is_libvirts && i-- > 0;) {
		const Guest *guest = &g_array_index(self->guests, Guest, i);
		if (!qemu_keepers_may_have(self->keepers, guest->uuid, guest->name, guest->pid))
			tell_gone(self, i);
	}
}

static void
tell_state(Finder *self)
{
	g_autofree char *failure = qemu_keepers_failure(self->keepers);

	if (g_strcmp0(failure, self->failure) == 0)
		return;
	self->sink.failed(self->sink.engine, failure);
	g_free(self->failure);
	self->failure = g_steal_pointer(&failure);
}

static void
look(Finder *self, gboolean all)
{
	self->soon = FALSE;
	if (all)
		drop_strangers(self);
	qemu_watch_look(self->watch, all, take, self);
}

static gboolean
steal_target(GPtrArray *targets, const char *key, QemuTarget **ret)
{
	for (guint i = 0; i < targets->len; i++) {
		g_autofree char *own = qemu_target_key(g_ptr_array_index(targets, i));
		if (!g_str_equal(own, key))
			continue;
		*ret = g_ptr_array_steal_index_fast(targets, i);
		return TRUE;
	}
	return FALSE;
}

/* Of another host: what its daemon has told. */
static void
look_elsewhere(Finder *self)
{
	g_autoptr(GPtrArray) targets = qemu_keepers_targets(self->keepers);

	for (guint i = self->guests->len; i-- > 0;) {
		QemuTarget *known;
		if (steal_target(targets, g_array_index(self->guests, Guest, i).key, &known))
			qemu_target_free(known);
		else
			tell_gone(self, i);
	}
	while (targets->len)
		tell(self, g_ptr_array_steal_index_fast(targets, targets->len - 1), NULL);
}

/* ---- the thread ---- */

/* Until one ends, or it is woken; told of are those that ended. */
static void
sleep_a_while(Finder *self)
{
	guint n = self->guests->len;
	g_autofree struct pollfd *fds = g_new0(struct pollfd, n + 1);
	eventfd_t count;

	for (guint i = 0; i < n; i++)
		fds[i] = (struct pollfd){
			.fd = g_array_index(self->guests, Guest, i).pidfd,
			.events = POLLIN,
		};
	fds[n] = (struct pollfd){ .fd = self->wake, .events = POLLIN };
	if (poll(fds, n + 1, !self->watch ? -1 : self->soon ? SOON_MS : LOOK_MS) <= 0)
		return;
	if (fds[n].revents)
		eventfd_read(self->wake, &count);
	for (guint i = n; i-- > 0;)
		if (fds[i].revents)
			tell_gone(self, i);
}

static void
say_looked(Finder *self)
{
	g_mutex_lock(&self->lock);
	self->has_looked = TRUE;
	g_cond_broadcast(&self->looked);
	g_mutex_unlock(&self->lock);
}

static gboolean
is_over(Finder *self, gboolean *ret_anew)
{
	g_autoptr(GMutexLocker) locker = g_mutex_locker_new(&self->lock);

	*ret_anew = self->anew;
	self->anew = FALSE;
	return self->is_over;
}

static gpointer
run(gpointer user)
{
	Finder *self = user;
	gboolean anew = FALSE;

	while (!is_over(self, &anew)) {
		tell_state(self);
		if (self->watch)
			look(self, anew);
		else if (self->is_elsewhere)
			look_elsewhere(self);
		say_looked(self);
		sleep_a_while(self);
	}
	return NULL;
}

static void
finder_close(gpointer instance)
{
	Finder *self = instance;

	if (self->thread) {
		g_mutex_lock(&self->lock);
		self->is_over = TRUE;
		g_mutex_unlock(&self->lock);
		eventfd_write(self->wake, 1);
		g_thread_join(self->thread);
	}
	qemu_keepers_free(self->keepers);
	g_array_unref(self->guests);
	qemu_watch_free(self->watch);
	if (self->wake >= 0)
		close(self->wake);
	g_mutex_clear(&self->lock);
	g_cond_clear(&self->looked);
	g_free(self->failure);
	g_free(self);
}

/* ---- the words ---- */

/* What was wrong with the word, and where a right one is to be had. */
static void
advise(GError **error, const char *kind, const char *word, const char *advice)
{
	if (!error || !*error)
		return;
	g_autoptr(GError) said = g_steal_pointer(error);
	g_set_error(error, said->domain, said->code, "%s:%s: %s; %s", kind, word, said->message,
		    advice);
}

static gboolean
add_pid(Finder *self, const char *word, GError **error)
{
	guint64 pid;

	if (!g_ascii_string_to_unsigned(word, 10, 1, G_MAXINT, &pid, NULL)) {
		g_set_error(error, VMIFS_ERROR, VMIFS_ERROR_SOURCE,
			    "pid:%s: that is no number of a process; give that of a QEMU (pgrep -a "
			    "qemu shows them)",
			    word);
		return FALSE;
	}
	g_autoptr(QemuTarget) target = qemu_target_new((pid_t) pid, error);
	if (!target) {
		advise(error, "pid", word, "pgrep -a qemu shows those that run here");
		return FALSE;
	}
	reach(self, target);
	while (may_still_start(target) && g_get_monotonic_time() < self->patience) {
		g_usleep(SOON_MS * 1000);
		reach(self, target);
	}
	if (!tell(self, target, error))
		return FALSE;
	target = NULL; /* taken */
	return TRUE;
}

typedef struct {
	struct stat socket;
	QemuTarget *found; /* (full) (nullable) */
} Search;

static QemuWatchVerdict
match(gpointer user, QemuTarget *target)
{
	Search *search = user;

	if (search->found || !qemu_target_names(target, &search->socket))
		return QEMU_WATCH_OTHER;
	search->found = target;
	return QEMU_WATCH_TAKEN;
}

/* One that hangs may take no more connections: then it is known by its arguments alone. */
static QemuTarget *
find_by_name(const char *path, GError **error)
{
	g_autoptr(QemuWatch) watch = qemu_watch_new();
	Search search = { .found = NULL };

	if (stat(path, &search.socket) == 0)
		qemu_watch_look(watch, TRUE, match, &search);
	if (!search.found)
		g_set_error(
			error, VMIFS_ERROR, VMIFS_ERROR_SOURCE,
			"the process behind it cannot be told: nobody listens there, or it is "
			"out of sight of this pid namespace, and no QEMU has it in its arguments; "
			"give pid:PID");
	return search.found;
}

static gboolean
add_socket(Finder *self, const char *word, GError **error)
{
	g_autoptr(QemuMonitor) monitor = qemu_qmp_new(word, self->use == VMIFS_MONITOR_HOLD, error);

	if (!monitor) {
		advise(error, "qmp", word,
		       "give the socket of a monitor (of -qmp unix:SOCKET; pgrep -a qemu shows "
		       "it), or pid:PID");
		return FALSE;
	}
	pid_t pid = qemu_qmp_peer(monitor, SOON_MS * 1000);
	g_autoptr(QemuTarget) target =
		pid ? qemu_target_new(pid, error) : find_by_name(word, error);
	if (!target) {
		g_prefix_error(error, "qmp:%s: ", word);
		return FALSE;
	}
	g_free(target->source);
	target->source = g_strconcat("qmp:", word, NULL);
	if (self->use == VMIFS_MONITOR_NEVER)
		target->no_monitor = g_strdup("monitor=never");
	else
		target->monitor = g_steal_pointer(&monitor);
	if (!tell(self, target, error))
		return FALSE;
	target = NULL; /* taken */
	return TRUE;
}

typedef struct {
	const Finder *finder;
	gboolean found;
} Any;

/* Are there guests of its daemon here, as far as can be told without it? */
static QemuWatchVerdict
note_any(gpointer user, QemuTarget *target)
{
	Any *any = user;

	any->found = any->found || is_kept(any->finder, target);
	return QEMU_WATCH_OTHER;
}

static gboolean
add_uri(Finder *self, const char *uri, GError **error)
{
	g_autofree char *why = NULL;
	Any any = { .finder = self };

	self->is_libvirts = TRUE;
	if (!qemu_keepers_choose(self->keepers, uri, error))
		return FALSE;
	QemuLibvirtState state =
		qemu_keepers_wait(self->keepers, g_get_monotonic_time() + LIBVIRT_PATIENCE, &why);
	g_autoptr(GPtrArray) elsewhere = qemu_keepers_targets(self->keepers);
	self->is_elsewhere = elsewhere != NULL;
	if (self->is_elsewhere && self->use == VMIFS_MONITOR_NEVER) {
		g_set_error(
			error, VMIFS_ERROR, VMIFS_ERROR_SOURCE,
			"%s: its guests run on another host: with monitor=never there is no way "
			"to them; run vmifs there",
			uri);
		return FALSE;
	}
	if (!self->is_elsewhere)
		self->watch = qemu_watch_new();
	if (state != QEMU_LIBVIRT_FAILED)
		return TRUE;
	/* Its guests live on without it. */
	if (self->watch)
		qemu_watch_look(self->watch, TRUE, note_any, &any);
	if (any.found)
		return TRUE;
	g_set_error(error, VMIFS_ERROR, VMIFS_ERROR_SOURCE, "%s: %s%s", uri, why,
		    self->is_elsewhere ? "; vmifs run on that host needs no way to it" : "");
	return FALSE;
}

static int
finder_probe(const char *spec)
{
	if (g_str_equal(spec, "auto") || g_str_has_prefix(spec, "pid:") ||
	    g_str_has_prefix(spec, "qmp:"))
		return 100;
	return strstr(spec, "://") ? 50 : 0;
}

static gboolean
add(Finder *self, const char *spec, GError **error)
{
	if (g_str_has_prefix(spec, "pid:"))
		return add_pid(self, spec + strlen("pid:"), error);
	if (g_str_has_prefix(spec, "qmp:"))
		return add_socket(self, spec + strlen("qmp:"), error);
	if (!g_str_equal(spec, "auto"))
		return add_uri(self, spec, error);
	self->watch = qemu_watch_new();
	return TRUE;
}

static gpointer
finder_open(const char *spec, const VmifsOptions *options, const VmifsFinderSink *sink,
	    const VmifsCall *call, GError **error)
{
	Finder *self = g_new0(Finder, 1);

	self->patience = g_get_monotonic_time() + PATIENCE;
	self->sink = *sink;
	self->use = options->monitor;
	self->wake = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	self->keepers = qemu_keepers_new(wake, self);
	self->guests = g_array_new(FALSE, FALSE, sizeof(Guest));
	g_array_set_clear_func(self->guests, guest_clear);
	g_mutex_init(&self->lock);
	g_cond_init(&self->looked);
	if (self->wake < 0)
		g_set_error(error, VMIFS_ERROR, VMIFS_ERROR_SOURCE, "eventfd: %s",
			    g_strerror(errno));
	if (self->wake < 0 || !add(self, spec, error)) {
		finder_close(self);
		return NULL;
	}
	self->thread = g_thread_try_new("qemu finder", run, self, NULL);
	if (!self->thread) {
		/* Nobody would see them end. */
		while (self->guests->len)
			tell_gone(self, self->guests->len - 1);
		g_set_error(error, VMIFS_ERROR, VMIFS_ERROR_SOURCE,
			    "%s: looking for guests needs a thread, and there is none to be had: "
			    "too many run already (ulimit -u, TasksMax= of a unit)",
			    spec);
		finder_close(self);
		return NULL;
	}
	g_mutex_lock(&self->lock);
	while (!self->has_looked && g_cond_wait_until(&self->looked, &self->lock, self->patience))
		;
	g_mutex_unlock(&self->lock);
	return self;
}

const VmifsFinder vmifs_finder_qemu = {
	.name = "qemu",
	.words = "auto, pid:PID, qmp:SOCKET, a URI of libvirt",
	.probe = finder_probe,
	.open = finder_open,
	.close = finder_close,
};
