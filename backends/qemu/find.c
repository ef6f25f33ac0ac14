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
#include "find.h"

#include "process.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <string.h>
#include <sys/eventfd.h>
#include <unistd.h>

#define LOOK_MS 1000
#define SOON_MS 100
/* How old a QEMU must be before what it lacks is missing; START_LONG: that one of its monitors, of
 * which its arguments tell. */
#define START (500 * G_TIME_SPAN_MILLISECOND)
#define START_LONG (3 * G_TIME_SPAN_SECOND)
/* Of the 0.8 s that open() may take. */
#define PATIENCE (700 * G_TIME_SPAN_MILLISECOND)

extern const VmifsBackend vmifs_backend_qemu;
extern const VmifsBackend qemu_peek;

/* ---- guests ---- */

static void
guest_clear(gpointer data)
{
	QemuFound *guest = data;

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

gboolean
qemu_finder_may_read(const QemuTarget *target, GError **error)
{
	if (backend_for(target) == &qemu_peek || qemu_target_is_readable(target))
		return TRUE;
	/* Which says who may. */
	g_autoptr(QemuProcess) process =
		qemu_process_open(target->pid, target->start_time, FALSE, error);
	return process != NULL;
}

gboolean
qemu_finder_tell(QemuFinder *self, QemuTarget *target, GError **error)
{
	g_autofree char *key = qemu_target_key(target);
	QemuFound guest = {
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

void
qemu_finder_tell_gone(QemuFinder *self, guint i)
{
	const QemuFound *guest = &g_array_index(self->guests, QemuFound, i);

	self->sink.gone(self->sink.engine, guest->key);
	if (self->census)
		qemu_census_forget(self->census, guest->pid);
	g_array_remove_index_fast(self->guests, i);
}

/* ---- monitors ---- */

static void
wake(gpointer user)
{
	QemuFinder *self = user;

	g_mutex_lock(&self->lock);
	self->anew = TRUE;
	g_mutex_unlock(&self->lock);
	eventfd_write(self->wake, 1);
}

gboolean
qemu_finder_may_still_start(const QemuTarget *target)
{
	struct timespec now;

	clock_gettime(CLOCK_BOOTTIME, &now);
	gint64 age = (gint64) now.tv_sec * G_USEC_PER_SEC + now.tv_nsec / 1000 - target->started;
	/* Who may not read it waits for nothing, unless somebody else keeps it. */
	if (target->monitor || (!target->args->libvirt && !qemu_target_is_readable(target)))
		return FALSE;
	return age < (target->args->monitors->len ? START_LONG : START);
}

void
qemu_finder_reach(QemuFinder *self, QemuTarget *target)
{
	g_clear_pointer(&target->no_monitor, g_free);
	if (self->use == VMIFS_MONITOR_NEVER)
		target->no_monitor = g_strdup("monitor=never");
	else if (!target->args->libvirt || !qemu_keepers_reach(self->keepers, target))
		qemu_target_find_monitor(target, self->use == VMIFS_MONITOR_HOLD);
}

/* ---- looking for them ---- */

static gboolean
is_closing(QemuFinder *self)
{
	g_autoptr(GMutexLocker) locker = g_mutex_locker_new(&self->lock);

	return self->is_over;
}

static QemuCensusVerdict
take(gpointer user, QemuTarget *target)
{
	QemuFinder *self = user;

	/* Each of many may take its time to say nothing, and somebody waits for us. */
	if (is_closing(self))
		return QEMU_CENSUS_LATER;
	/* What only tells of itself (-machine none) runs no guest. */
	if (g_strcmp0(target->args->machine, "none") == 0)
		return QEMU_CENSUS_OTHER;
	if (self->is_libvirts && !qemu_finder_is_kept(self, target))
		return QEMU_CENSUS_OTHER;
	qemu_finder_reach(self, target);
	if (qemu_finder_may_still_start(target)) {
		self->soon = TRUE;
		return QEMU_CENSUS_LATER;
	}
	return qemu_finder_tell(self, target, NULL) ? QEMU_CENSUS_TAKEN : QEMU_CENSUS_LATER;
}

static void
tell_state(QemuFinder *self)
{
	g_autofree char *failure = qemu_keepers_failure(self->keepers);

	if (g_strcmp0(failure, self->failure) == 0)
		return;
	self->sink.failed(self->sink.engine, failure);
	g_free(self->failure);
	self->failure = g_steal_pointer(&failure);
}

static void
look(QemuFinder *self, gboolean all)
{
	self->soon = FALSE;
	if (all)
		qemu_finder_drop_strangers(self);
	qemu_census_look(self->census, all, take, self);
}

/* ---- the thread ---- */

/* Until one ends, or it is woken; told of are those that ended. */
static void
sleep_a_while(QemuFinder *self)
{
	guint n = self->guests->len;
	g_autofree struct pollfd *fds = g_new0(struct pollfd, n + 1);
	eventfd_t count;

	for (guint i = 0; i < n; i++)
		fds[i] = (struct pollfd){
			.fd = g_array_index(self->guests, QemuFound, i).pidfd,
			.events = POLLIN,
		};
	fds[n] = (struct pollfd){ .fd = self->wake, .events = POLLIN };
	if (poll(fds, n + 1, !self->census ? -1 : self->soon ? SOON_MS : LOOK_MS) <= 0)
		return;
	if (fds[n].revents)
		eventfd_read(self->wake, &count);
	for (guint i = n; i-- > 0;)
		if (fds[i].revents)
			qemu_finder_tell_gone(self, i);
}

static void
say_looked(QemuFinder *self)
{
	g_mutex_lock(&self->lock);
	self->has_looked = TRUE;
	g_cond_broadcast(&self->looked);
	g_mutex_unlock(&self->lock);
}

static gboolean
is_over(QemuFinder *self, gboolean *ret_anew)
{
	g_autoptr(GMutexLocker) locker = g_mutex_locker_new(&self->lock);

	*ret_anew = self->anew;
	self->anew = FALSE;
	return self->is_over;
}

static gpointer
run(gpointer user)
{
	QemuFinder *self = user;
	gboolean anew = FALSE;

	while (!is_over(self, &anew)) {
		tell_state(self);
		if (self->census)
			look(self, anew);
		else if (self->is_elsewhere)
			qemu_finder_look_elsewhere(self);
		say_looked(self);
		sleep_a_while(self);
	}
	return NULL;
}

static void
finder_close(gpointer instance)
{
	QemuFinder *self = instance;

	if (self->thread) {
		g_mutex_lock(&self->lock);
		self->is_over = TRUE;
		g_mutex_unlock(&self->lock);
		eventfd_write(self->wake, 1);
		g_thread_join(self->thread);
	}
	qemu_keepers_free(self->keepers);
	g_array_unref(self->guests);
	qemu_census_free(self->census);
	if (self->wake >= 0)
		close(self->wake);
	g_mutex_clear(&self->lock);
	g_cond_clear(&self->looked);
	g_free(self->failure);
	g_free(self);
}

/* ---- the words ---- */

static int
finder_probe(const char *spec)
{
	if (g_str_equal(spec, "auto") || g_str_has_prefix(spec, "pid:") ||
	    g_str_has_prefix(spec, "qmp:"))
		return 100;
	return strstr(spec, "://") ? 50 : 0;
}

static gboolean
add(QemuFinder *self, const char *spec, GError **error)
{
	if (g_str_has_prefix(spec, "pid:"))
		return qemu_finder_add_pid(self, spec + strlen("pid:"), error);
	if (g_str_has_prefix(spec, "qmp:"))
		return qemu_finder_add_socket(self, spec + strlen("qmp:"), error);
	if (!g_str_equal(spec, "auto"))
		return qemu_finder_add_uri(self, spec, error);
	self->census = qemu_census_new();
	return TRUE;
}

static gpointer
finder_open(const char *spec, const VmifsOptions *options, const VmifsFinderSink *sink,
	    const VmifsCall *call, GError **error)
{
	QemuFinder *self = g_new0(QemuFinder, 1);

	self->patience = g_get_monotonic_time() + PATIENCE;
	self->sink = *sink;
	self->use = options->monitor;
	self->wake = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	self->keepers = qemu_keepers_new(wake, self);
	self->guests = g_array_new(FALSE, FALSE, sizeof(QemuFound));
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
			qemu_finder_tell_gone(self, self->guests->len - 1);
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
