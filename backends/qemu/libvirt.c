/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * libvirt: see the header. Of a connection one thread takes care: connects, lists, waits until it
 * is lost, and does so again. libvirt gives no call a limit of time, so nobody waits for that
 * thread; what it shares with others it holds a reference to.
 *
 * Events, and the messages that show whether a daemon still lives, need libvirt's event loop, of
 * which there is one in a process; it runs in a thread that never ends.
 */
#include "libvirt.h"

#include "libvirt-connection.h"

#include <signal.h>
#include <string.h>
#include <vmifs/error.h>

/* A daemon that is silent for INTERVAL * (COUNT + 1) is given up. */
#define KEEPALIVE_INTERVAL 3 /* s */
#define KEEPALIVE_COUNT 2
#define FIRST_PAUSE (G_TIME_SPAN_SECOND / 4)
#define LONGEST_PAUSE (8 * G_TIME_SPAN_SECOND)
/* A shorter silence is worth no word. */
#define SILENCE (G_TIME_SPAN_SECOND / 2)
#define SLICE (20 * G_TIME_SPAN_MILLISECOND)

struct QemuLibvirt {
	gatomicrefcount refs;
	char *uri;
	GMutex lock;
	GCond moved; /* (lock) any of these */
	QemuLibvirtState state;
	char *why;           /* (nullable) of the last failure */
	gint64 since;        /* of WAITING: the time */
	virConnectPtr conn;  /* (nullable) of READY */
	GHashTable *running; /* QemuLibvirtDomain by UUID; NULL before the first answer */
	GHashTable *listing; /* (nullable) those of a list that is on its way */
	gboolean lost;       /* conn is of no use any more */
	gboolean closed;
	GMutex told_lock;
	void (*changed)(gpointer user); /* (told_lock) NULL once closed */
	gpointer user;
};

QemuLibvirt *
qemu_libvirt_ref(QemuLibvirt *self)
{
	g_atomic_ref_count_inc(&self->refs);
	return self;
}

void
qemu_libvirt_unref(QemuLibvirt *self)
{
	if (!g_atomic_ref_count_dec(&self->refs))
		return;
	g_clear_pointer(&self->running, g_hash_table_unref);
	g_mutex_clear(&self->lock);
	g_cond_clear(&self->moved);
	g_mutex_clear(&self->told_lock);
	g_free(self->uri);
	g_free(self->why);
	g_free(self);
}

const char *
qemu_libvirt_uri(const QemuLibvirt *self)
{
	return self->uri;
}

static void
tell_change(QemuLibvirt *self)
{
	g_autoptr(GMutexLocker) locker = g_mutex_locker_new(&self->told_lock);

	if (self->changed)
		self->changed(self->user);
}

/* why: (taken) (nullable) */
static void
set_state(QemuLibvirt *self, QemuLibvirtState state, virConnectPtr conn, char *why)
{
	g_mutex_lock(&self->lock);
	self->state = state;
	self->conn = conn;
	self->since = g_get_monotonic_time();
	g_free(self->why);
	self->why = why;
	g_cond_broadcast(&self->moved);
	g_mutex_unlock(&self->lock);
	tell_change(self);
}

/* ---- the event loop ---- */

static void
say_nothing(gpointer user, virErrorPtr problem)
{
}

void
qemu_libvirt_block_sigpipe(void)
{
	sigset_t set;

	sigemptyset(&set);
	sigaddset(&set, SIGPIPE);
	pthread_sigmask(SIG_BLOCK, &set, NULL);
}

static gpointer
run_events(gpointer none)
{
	qemu_libvirt_block_sigpipe();
	for (;;)
		if (qemu_virt()->virEventRunDefaultImpl() < 0)
			g_usleep(100 * 1000);
	return NULL;
}

/* Once in a process: libvirt writes to stderr what nobody asked for, unless told not to. */
static gpointer
start_events(gpointer none)
{
	if (qemu_virt()->why)
		return NULL;
	qemu_virt()->virSetErrorFunc(NULL, say_nothing);
	if (qemu_virt()->virInitialize() < 0 || qemu_virt()->virEventRegisterDefaultImpl() < 0)
		return NULL;
	return g_thread_try_new("libvirt events", run_events, NULL, NULL);
}

/* ---- what it tells ---- */

static void
domain_free(gpointer data)
{
	QemuLibvirtDomain *domain = data;

	g_free(domain->uuid);
	g_free(domain->name);
	g_free(domain);
}

static QemuLibvirtDomain *
domain_new(const char *uuid, const char *name, int id)
{
	QemuLibvirtDomain *domain = g_new0(QemuLibvirtDomain, 1);

	domain->uuid = g_strdup(uuid);
	domain->name = g_strdup(name ? name : uuid);
	domain->id = id;
	return domain;
}

static void
add_domain(GHashTable *set, virDomainPtr domain, const char *uuid)
{
	QemuLibvirtDomain *own = domain_new(uuid, qemu_virt()->virDomainGetName(domain),
					    (int) qemu_virt()->virDomainGetID(domain));

	g_hash_table_replace(set, own->uuid, own);
}

static void
on_domain(virConnectPtr conn, virDomainPtr domain, int event, int detail, void *user)
{
	QemuLibvirt *self = user;
	char uuid[VIR_UUID_STRING_BUFLEN];

	if (qemu_virt()->virDomainGetUUIDString(domain, uuid) < 0)
		return;
	g_mutex_lock(&self->lock);
	GHashTable *sets[] = { self->running, self->listing };
	for (gsize i = 0; i < G_N_ELEMENTS(sets); i++) {
		if (!sets[i])
			continue;
		if (event == VIR_DOMAIN_EVENT_STARTED || event == VIR_DOMAIN_EVENT_RESUMED)
			add_domain(sets[i], domain, uuid);
		else if (event == VIR_DOMAIN_EVENT_STOPPED)
			g_hash_table_remove(sets[i], uuid);
	}
	g_mutex_unlock(&self->lock);
	tell_change(self);
}

static void
on_close(virConnectPtr conn, int reason, void *user)
{
	QemuLibvirt *self = user;

	g_mutex_lock(&self->lock);
	self->lost = TRUE;
	g_cond_broadcast(&self->moved);
	g_mutex_unlock(&self->lock);
}

static void
unref(void *user)
{
	qemu_libvirt_unref(user);
}

static GHashTable *
new_set(void)
{
	return g_hash_table_new_full(g_str_hash, g_str_equal, NULL, domain_free);
}

/* What events tell meanwhile counts too. */
static gboolean
list_running(QemuLibvirt *self, virConnectPtr conn)
{
	virDomainPtr *domains = NULL;
	int n;

	g_mutex_lock(&self->lock);
	self->listing = new_set();
	g_mutex_unlock(&self->lock);
	n = qemu_virt()->virConnectListAllDomains(conn, &domains, VIR_CONNECT_LIST_DOMAINS_ACTIVE);
	g_mutex_lock(&self->lock);
	for (int i = 0; i < n; i++) {
		char uuid[VIR_UUID_STRING_BUFLEN];
		if (qemu_virt()->virDomainGetUUIDString(domains[i], uuid) == 0)
			add_domain(self->listing, domains[i], uuid);
	}
	if (n >= 0) {
		g_clear_pointer(&self->running, g_hash_table_unref);
		self->running = g_steal_pointer(&self->listing);
	}
	g_clear_pointer(&self->listing, g_hash_table_unref);
	g_mutex_unlock(&self->lock);
	for (int i = 0; i < n; i++)
		qemu_virt()->virDomainFree(domains[i]);
	free(domains);
	return n >= 0;
}

/* ---- connecting ---- */

/* (full) What libvirt says, and what to do. */
static char *
explain(void)
{
	virErrorPtr problem = qemu_virt()->virGetLastError();
	const char *text = problem && problem->message ? problem->message : "it fails";
	const char *hint = "; is the daemon running (systemctl status libvirtd)?";

	switch (problem ? problem->code : 0) {
	case VIR_ERR_AUTH_FAILED:
	case VIR_ERR_AUTH_CANCELLED:
	case VIR_ERR_AUTH_UNAVAILABLE:
	case VIR_ERR_ACCESS_DENIED:
	case VIR_ERR_OPERATION_DENIED:
		hint = "; reading is not enough, as monitors are asked with the right to write: run "
		       "as root, or as a user of the group libvirt";
		break;
	case VIR_ERR_NO_CONNECT:
	case VIR_ERR_INVALID_ARG:
		hint = "; see the list of libvirt's URIs: https://libvirt.org/uri.html";
		break;
	default:
		if (strstr(text, g_strerror(EACCES)))
			hint = "; run as root, or as a user of the group libvirt";
	}
	return g_strconcat("libvirt: ", text, hint, NULL);
}

typedef struct {
	virConnectPtr conn;
	int events; /* what virConnectDomainEventDeregisterAny() wants; -1 = none */
	gboolean has_close;
} Line;

/* Without these its silence, its end, and new domains are noticed later, or not at all. */
static void
subscribe(QemuLibvirt *self, Line *line)
{
	qemu_virt()->virConnectSetKeepAlive(line->conn, KEEPALIVE_INTERVAL, KEEPALIVE_COUNT);
	line->has_close = qemu_virt()->virConnectRegisterCloseCallback(
				  line->conn, on_close, qemu_libvirt_ref(self), unref) == 0;
	if (!line->has_close)
		qemu_libvirt_unref(self);
	line->events = qemu_virt()->virConnectDomainEventRegisterAny(
		line->conn, NULL, VIR_DOMAIN_EVENT_ID_LIFECYCLE,
		VIR_DOMAIN_EVENT_CALLBACK(on_domain), qemu_libvirt_ref(self), unref);
	if (line->events < 0)
		qemu_libvirt_unref(self);
}

static void
hang_up(Line *line)
{
	if (line->events >= 0)
		qemu_virt()->virConnectDomainEventDeregisterAny(line->conn, line->events);
	if (line->has_close)
		qemu_virt()->virConnectUnregisterCloseCallback(line->conn, on_close);
	qemu_virt()->virConnectClose(line->conn);
}

/* FALSE with *ret_why. */
static gboolean
connect_once(QemuLibvirt *self, Line *ret, char **ret_why)
{
	Line line = { .conn = qemu_virt()->virConnectOpen(self->uri), .events = -1 };

	if (!line.conn) {
		*ret_why = explain();
		return FALSE;
	}
	subscribe(self, &line);
	if (!list_running(self, line.conn)) {
		*ret_why = explain();
		hang_up(&line);
		return FALSE;
	}
	*ret = line;
	return TRUE;
}

/* FALSE once closed; else TRUE when that time is over, or the connection lost. */
static gboolean
rest(QemuLibvirt *self, gint64 until)
{
	g_autoptr(GMutexLocker) locker = g_mutex_locker_new(&self->lock);

	while (!self->closed && !self->lost && (until < 0 || g_get_monotonic_time() < until)) {
		if (until < 0)
			g_cond_wait(&self->moved, &self->lock);
		else
			g_cond_wait_until(&self->moved, &self->lock, until);
	}
	return !self->closed;
}

static gpointer
run(gpointer user)
{
	QemuLibvirt *self = user;
	gint64 pause = FIRST_PAUSE;
	gboolean more = TRUE;

	qemu_libvirt_block_sigpipe();
	while (more) {
		char *why = NULL;
		Line line;

		g_mutex_lock(&self->lock);
		self->lost = FALSE;
		g_mutex_unlock(&self->lock);
		if (connect_once(self, &line, &why)) {
			set_state(self, QEMU_LIBVIRT_READY, line.conn, NULL);
			pause = FIRST_PAUSE;
			more = rest(self, -1);
			set_state(self, QEMU_LIBVIRT_WAITING, NULL, NULL);
			hang_up(&line);
		} else {
			set_state(self, QEMU_LIBVIRT_FAILED, NULL, why);
			more = rest(self, g_get_monotonic_time() + pause);
			pause = MIN(2 * pause, LONGEST_PAUSE);
		}
	}
	qemu_libvirt_unref(self);
	return NULL;
}

/* ---- the outside ---- */

/* qemu+ssh://host/system, and not qemu+unix:///system?socket=... */
gboolean
qemu_libvirt_is_elsewhere(const QemuLibvirt *self)
{
	const char *host = strstr(self->uri, "://");

	return host && host[3] && host[3] != '/' && host[3] != '?';
}

QemuLibvirt *
qemu_libvirt_open(const char *uri, void (*changed)(gpointer user), gpointer user, GError **error)
{
	static GOnce once = G_ONCE_INIT;

	if (!g_once(&once, start_events, NULL)) {
		const char *why = qemu_virt()->why;
		g_set_error(error, VMIFS_ERROR, VMIFS_ERROR_SOURCE,
			    "%s: libvirt's library cannot be used: %s; pid:PID and auto find "
			    "guests too, but without their registers",
			    uri, why ? why : "it does not start");
		return NULL;
	}
	QemuLibvirt *self = g_new0(QemuLibvirt, 1);
	g_atomic_ref_count_init(&self->refs);
	self->uri = g_strdup(uri);
	self->since = g_get_monotonic_time();
	g_mutex_init(&self->lock);
	g_cond_init(&self->moved);
	g_mutex_init(&self->told_lock);
	self->changed = changed;
	self->user = user;
	GThread *thread = g_thread_try_new("libvirt", run, qemu_libvirt_ref(self), NULL);
	if (thread) {
		g_thread_unref(thread);
		return self;
	}
	g_set_error(error, VMIFS_ERROR, VMIFS_ERROR_SOURCE, "%s: no thread can be started", uri);
	qemu_libvirt_unref(self);
	qemu_libvirt_close(self);
	return NULL;
}

void
qemu_libvirt_close(QemuLibvirt *self)
{
	g_mutex_lock(&self->told_lock);
	self->changed = NULL;
	g_mutex_unlock(&self->told_lock);
	g_mutex_lock(&self->lock);
	self->closed = TRUE;
	g_cond_broadcast(&self->moved);
	g_mutex_unlock(&self->lock);
	qemu_libvirt_unref(self);
}

QemuLibvirtState
qemu_libvirt_wait(QemuLibvirt *self, gint64 until, char **ret_why)
{
	g_autoptr(GMutexLocker) locker = g_mutex_locker_new(&self->lock);

	while (self->state == QEMU_LIBVIRT_WAITING && g_get_monotonic_time() < until)
		g_cond_wait_until(&self->moved, &self->lock, until);
	if (self->state == QEMU_LIBVIRT_WAITING && g_get_monotonic_time() - self->since > SILENCE)
		*ret_why =
			g_strdup("libvirt: it does not answer; its guests are shown without what "
				 "only it can tell");
	else
		*ret_why = g_strdup(self->why);
	return self->state;
}

gboolean
qemu_libvirt_may_have(QemuLibvirt *self, const char *uuid)
{
	g_autoptr(GMutexLocker) locker = g_mutex_locker_new(&self->lock);

	return !self->running || g_hash_table_contains(self->running, uuid);
}

virConnectPtr
qemu_libvirt_connection(QemuLibvirt *self, gint64 until, const VmifsCall *call, GError **error)
{
	g_autoptr(GMutexLocker) locker = g_mutex_locker_new(&self->lock);

	/* It may come back in a moment; for one that refuses nobody waits. */
	while (self->state == QEMU_LIBVIRT_WAITING && !self->closed &&
	       g_get_monotonic_time() < until) {
		if (!vmifs_call_check(call, error))
			return NULL;
		g_cond_wait_until(&self->moved, &self->lock,
				  MIN(until, g_get_monotonic_time() + SLICE));
	}
	if (self->conn && !self->closed && qemu_virt()->virConnectRef(self->conn) == 0)
		return self->conn;
	if (self->state == QEMU_LIBVIRT_WAITING && !self->closed)
		g_set_error_literal(error, VMIFS_ERROR, VMIFS_ERROR_TIMEOUT,
				    "libvirt does not answer");
	else
		g_set_error_literal(error, VMIFS_ERROR, VMIFS_ERROR_IO,
				    self->why ? self->why : "libvirt: the connection is closed");
	return NULL;
}

GPtrArray *
qemu_libvirt_domains(QemuLibvirt *self)
{
	g_autoptr(GMutexLocker) locker = g_mutex_locker_new(&self->lock);
	GPtrArray *all = g_ptr_array_new_with_free_func(domain_free);
	GHashTableIter iter;
	gpointer value;

	if (!self->running)
		return all;
	g_hash_table_iter_init(&iter, self->running);
	while (g_hash_table_iter_next(&iter, NULL, &value)) {
		const QemuLibvirtDomain *domain = value;
		g_ptr_array_add(all, domain_new(domain->uuid, domain->name, domain->id));
	}
	return all;
}
