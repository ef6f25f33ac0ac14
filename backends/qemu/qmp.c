/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * qmp: visits to a monitor of one's own.
 *
 *   connect, greeting (<= 100 ms a try; others may be inside: back off, try again)
 *     -> qmp_capabilities and the first questions -> more, as long as 50 ms have not passed
 *     -> the last answers -> leave; what is left over is for the next visit
 *
 * A command is never sent twice: tries end with the greeting, before anything is asked. An answer
 * that is late is waited for: QEMU does one thing after the other, so that leaving would let nobody
 * else in any sooner. Patience begins anew with each answer.
 */
#include "qmp.h"

#include "guard.h"
#include "json.h"
#include "socket.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>
#include <vmifs/error.h>

#define MS G_TIME_SPAN_MILLISECOND
/* For the greeting, where the monitor is to be left again. */
#define TRY (100 * MS)
/* After this, a visit asks nothing more. */
#define STAY (50 * MS)
#define MAX_PAUSE (100 * MS)
/* Questions under way: as many as are answered in so much time. */
#define ROUND (10 * MS)
#define MAX_WINDOW 32

typedef struct {
	QemuMonitor monitor;
	char *address;
	int pin;     /* the socket's inode; -1: none */
	pid_t owner; /* who must listen there; 0 = anybody */
	gint hold;   /* atomic */
	struct sockaddr_un name;
	GMutex lock;
	GCond left;
	gboolean inside;   /* (lock) somebody is on a visit, and owns all below */
	QemuSocket socket; /* connected between visits only with hold, or lingering */
	gint64 since;      /* when it was connected */
	guint version;     /* 702 is 7.2; 0 = it did not say */
	json_int_t last_id;
} Qmp;

/* One call of ask(). */
typedef struct {
	Qmp *self;
	QemuAsk *asks;
	gsize n, sent, answered;
	json_int_t first_id; /* of asks[sent when the visit began] */
	gsize first;
	gint64 patience; /* until when something must have been answered */
	gsize room;      /* for answers, which are kept until the last has come */
	const VmifsCall *call;
} Errand;

/* ---- one line each way ---- */

static gint64
until(const Errand *errand, gint64 limit)
{
	gint64 end = MIN(errand->patience, limit);

	return errand->call && errand->call->deadline ? MIN(end, errand->call->deadline) : end;
}

static gboolean
send_command(Errand *errand, const QemuAsk *ask, json_int_t id, GError **error)
{
	json_auto_t *message = json_pack("{s:s, s:I}", "execute", ask->command, "id", id);
	g_autofree char *text = NULL, *line = NULL;

	if (message && ask->arguments)
		json_object_set(message, "arguments", ask->arguments);
	text = message ? json_dumps(message, JSON_COMPACT) : NULL;
	if (!text) {
		g_set_error(error, VMIFS_ERROR, VMIFS_ERROR_INVALID, "%s cannot be said in JSON",
			    ask->command);
		return FALSE;
	}
	line = g_strconcat(text, "\n", NULL);
	return qemu_socket_send(&errand->self->socket, line, strlen(line), ask->fd,
				until(errand, G_MAXINT64), errand->call, error);
}

/* The next that is no event. (full) */
static json_t *
receive(Errand *errand, gint64 limit, GError **error)
{
	for (;;) {
		gsize len;
		const char *line = qemu_socket_line(&errand->self->socket, &len,
						    until(errand, limit), errand->call, error);
		gsize room = errand->room;
		json_t *value = line ? qemu_json_parse(line, len, &room, error) : NULL;
		if (!value || !json_object_get(value, "event")) {
			errand->room = room;
			return value;
		}
		json_decref(value);
	}
}

/* An answer to the question of that id, and no other: they come in order. */
static gboolean
take_answer(Errand *errand, json_int_t id, const char *command, gint64 limit, json_t **ret_answer,
	    GError **ret_refusal, GError **error)
{
	json_auto_t *reply = receive(errand, limit, error);
	const json_t *of = json_object_get(reply, "id");
	json_t *answer = json_object_get(reply, "return");

	if (!reply)
		return FALSE;
	if (!json_is_integer(of) || json_integer_value(of) != id ||
	    (!answer && !json_object_get(reply, "error"))) {
		g_set_error(error, VMIFS_ERROR, VMIFS_ERROR_CORRUPT,
			    "it answered something else than %s", command);
		return FALSE;
	}
	if (answer)
		*ret_answer = json_incref(answer);
	else
		*ret_refusal = qemu_monitor_refusal(json_object_get(reply, "error"), command);
	errand->patience = g_get_monotonic_time() + QEMU_PATIENCE;
	return TRUE;
}

/* ---- coming and going ---- */

static guint
version_in(const json_t *greeting)
{
	int major = 0, minor = 0;

	json_unpack((json_t *) greeting, "{s:{s:{s:{s:i, s:i}}}}", "QMP", "version", "qemu",
		    "major", &major, "minor", &minor);
	return CLAMP(major, 0, 99) * 100 + CLAMP(minor, 0, 99);
}

static gboolean
negotiate(Errand *errand, gint64 limit, GError **error)
{
	const QemuAsk hello = { .command = "qmp_capabilities" };
	json_auto_t *greeting = receive(errand, limit, error);
	json_auto_t *answer = NULL;
	g_autoptr(GError) refused = NULL;

	if (!greeting)
		return FALSE;
	if (!json_object_get(greeting, "QMP")) {
		g_set_error_literal(error, VMIFS_ERROR, VMIFS_ERROR_CORRUPT,
				    "its greeting is not QEMU's");
		return FALSE;
	}
	if (!send_command(errand, &hello, 0, error) ||
	    !take_answer(errand, 0, hello.command, G_MAXINT64, &answer, &refused, error))
		return FALSE;
	errand->self->last_id = 0;
	errand->self->since = g_get_monotonic_time();
	errand->self->version = version_in(greeting);
	if (refused)
		g_propagate_error(error, g_steal_pointer(&refused));
	return answer != NULL;
}

/* What came in while nobody asked; FALSE when nobody is there any more, or it never ends. */
static gboolean
still_there(Qmp *self)
{
	gint64 end = g_get_monotonic_time() + TRY;
	gsize len;
	g_autoptr(GError) error = NULL;

	while (g_get_monotonic_time() < end &&
	       qemu_socket_line(&self->socket, &len, 0, NULL, &error))
		;
	return g_error_matches(error, VMIFS_ERROR, VMIFS_ERROR_TIMEOUT);
}

/* 0 = unknown, or not in our pid namespace. */
static pid_t
peer_of(const QemuSocket *socket)
{
	struct ucred peer = { 0 };
	socklen_t len = sizeof peer;

	return getsockopt(socket->fd, SOL_SOCKET, SO_PEERCRED, &peer, &len) ? 0 : peer.pid;
}

/* Where nobody could connect when it was found, that was not known yet. */
static gboolean
check_owner(const Qmp *self, GError **error)
{
	pid_t peer = self->owner ? peer_of(&self->socket) : 0;

	if (!peer || peer == self->owner)
		return TRUE;
	g_set_error(error, VMIFS_ERROR, VMIFS_ERROR_IO, "process %d listens there", (int) peer);
	return FALSE;
}

/* Others are inside: give way. */
static gboolean
pause_for(gint64 length, const VmifsCall *call, GError **error)
{
	gint64 end = g_get_monotonic_time() + length;

	while (g_get_monotonic_time() < end) {
		if (!vmifs_call_check(call, error))
			return FALSE;
		poll(NULL, 0, 10);
	}
	return TRUE;
}

static gboolean
enter(Errand *errand, GError **error)
{
	Qmp *self = errand->self;

	if (self->socket.fd >= 0 && still_there(self))
		return TRUE;
	qemu_socket_disconnect(&self->socket);
	if (!vmifs_call_check(errand->call, error))
		return FALSE;
	for (gint64 rest = 10 * MS;; rest = MIN(2 * rest, MAX_PAUSE)) {
		g_autoptr(GError) problem = NULL;
		gint64 limit =
			g_atomic_int_get(&self->hold) ? G_MAXINT64 : g_get_monotonic_time() + TRY;
		if (qemu_socket_connect(&self->socket, &self->name, until(errand, limit),
					&problem) &&
		    check_owner(self, &problem) && negotiate(errand, limit, &problem))
			return TRUE;
		qemu_socket_disconnect(&self->socket);
		if (!g_error_matches(problem, VMIFS_ERROR, VMIFS_ERROR_TIMEOUT)) {
			g_propagate_error(error, g_steal_pointer(&problem));
			return FALSE;
		}
		if (g_get_monotonic_time() + rest >= until(errand, G_MAXINT64)) {
			g_set_error_literal(error, VMIFS_ERROR, VMIFS_ERROR_TIMEOUT,
					    "it does not greet: another client is inside, or QEMU "
					    "hangs");
			return FALSE;
		}
		if (!pause_for(rest, errand->call, error))
			return FALSE;
	}
}

/* ---- a visit ---- */

/* A descriptor must not overtake the one of the question before: it is asked alone. */
static gboolean
may_send(const Errand *errand, gsize window)
{
	gsize under_way = errand->sent - errand->answered;

	if (errand->sent == errand->n || under_way >= window)
		return FALSE;
	return !under_way || (!errand->asks[errand->sent].fd && !errand->asks[errand->sent - 1].fd);
}

static gboolean
ask_some(Errand *errand, GError **error)
{
	gint64 start = g_get_monotonic_time(), round = start;
	gsize window = 4, round_end = window;

	errand->first = errand->sent;
	errand->first_id = errand->self->last_id + 1;
	for (;;) {
		gint64 now = g_get_monotonic_time();
		gboolean more = g_atomic_int_get(&errand->self->hold) || now - start < STAY;
		while (more && may_send(errand, window)) {
			if (!send_command(errand, &errand->asks[errand->sent],
					  ++errand->self->last_id, error))
				return FALSE;
			errand->sent++;
		}
		if (errand->answered == errand->sent)
			return TRUE;
		QemuAsk *ask = &errand->asks[errand->answered];
		if (!take_answer(errand,
				 errand->first_id + (json_int_t) (errand->answered - errand->first),
				 ask->command, G_MAXINT64, &ask->answer, &ask->error, error))
			return FALSE;
		if (++errand->answered - errand->first >= round_end) {
			window = now - round < ROUND ? MIN(2 * window, MAX_WINDOW) : window;
			round_end += window;
			round = now;
		}
	}
}

static gboolean
run_errand(Errand *errand, GError **error)
{
	Qmp *self = errand->self;

	while (errand->answered < errand->n) {
		gboolean good = enter(errand, error) && ask_some(errand, error);
		if (!good || !g_atomic_int_get(&self->hold))
			qemu_socket_disconnect(&self->socket);
		if (!good)
			return FALSE;
	}
	return TRUE;
}

static gboolean
begin(Qmp *self, const Errand *errand, GError **error)
{
	gboolean good = TRUE;

	g_mutex_lock(&self->lock);
	while (self->inside && good) {
		gint64 end = MIN(until(errand, G_MAXINT64), g_get_monotonic_time() + 20 * MS);
		if (g_cond_wait_until(&self->left, &self->lock, end))
			continue;
		good = g_get_monotonic_time() < until(errand, G_MAXINT64);
		if (good)
			good = vmifs_call_check(errand->call, error);
		else
			g_set_error_literal(error, VMIFS_ERROR, VMIFS_ERROR_TIMEOUT,
					    "others of vmifs still wait for it");
	}
	if (good)
		self->inside = TRUE;
	g_mutex_unlock(&self->lock);
	return good;
}

static void
end(Qmp *self)
{
	g_mutex_lock(&self->lock);
	self->inside = FALSE;
	g_cond_signal(&self->left);
	g_mutex_unlock(&self->lock);
}

static gboolean
qmp_ask(QemuMonitor *monitor, QemuAsk *asks, gsize n, const VmifsCall *call, GError **error)
{
	Qmp *self = (Qmp *) monitor;
	Errand errand = { .self = self,
			  .asks = asks,
			  .n = n,
			  .call = call,
			  .room = QEMU_JSON_ROOM,
			  .patience = g_get_monotonic_time() + QEMU_PATIENCE };
	gboolean good = begin(self, &errand, error);

	if (good) {
		good = run_errand(&errand, error);
		end(self);
	}
	if (!good)
		g_prefix_error(error, "monitor %s: ", self->address);
	return good;
}

/* ---- a visit for what it tells of itself ---- */

static int
qmp_stay(QemuMonitor *monitor, gint64 until, guint *ret_version, GError **error)
{
	Qmp *self = (Qmp *) monitor;
	Errand errand = { .self = self, .room = QEMU_JSON_ROOM, .patience = until };

	if (!begin(self, &errand, error))
		return -1;
	/* Others may wait for it since. */
	if (!g_atomic_int_get(&self->hold) && g_get_monotonic_time() - self->since > STAY)
		qemu_socket_disconnect(&self->socket);
	if (!enter(&errand, error)) {
		qemu_socket_disconnect(&self->socket);
		end(self);
		return -1;
	}
	*ret_version = self->version;
	return self->socket.fd;
}

static char *
qmp_hear(QemuMonitor *monitor, GError **error)
{
	Qmp *self = (Qmp *) monitor;
	g_autoptr(GError) problem = NULL;
	gsize room = QEMU_JSON_ROOM, len;
	const char *line = qemu_socket_line(&self->socket, &len, 0, NULL, &problem);

	if (g_error_matches(problem, VMIFS_ERROR, VMIFS_ERROR_TIMEOUT))
		return NULL;
	json_auto_t *value = line ? qemu_json_parse(line, len, &room, &problem) : NULL;
	if (value)
		return g_strdup(json_string_value(json_object_get(value, "event")) ?: "");
	qemu_socket_disconnect(&self->socket);
	g_propagate_error(error, g_steal_pointer(&problem));
	return NULL;
}

static void
qmp_leave(QemuMonitor *monitor)
{
	end((Qmp *) monitor);
}

static void
qmp_let_in(QemuMonitor *monitor)
{
	Qmp *self = (Qmp *) monitor;

	g_mutex_lock(&self->lock);
	if (!self->inside && !g_atomic_int_get(&self->hold))
		qemu_socket_disconnect(&self->socket);
	g_mutex_unlock(&self->lock);
}

/* ---- where it is ---- */

static gboolean
no_address(GError **error, const char *address, const char *why)
{
	g_set_error(error, VMIFS_ERROR, VMIFS_ERROR_SOURCE, "monitor %s: %s", address, why);
	return FALSE;
}

/* By way of a descriptor a path may be longer than the 107 bytes of an address, lead through
 * another mount namespace, and still mean the same socket later. */
static gboolean
find_socket(Qmp *self, GError **error)
{
	struct stat st;

	if (self->pin < 0)
		self->pin = open(self->address, O_PATH | O_CLOEXEC);
	if (self->pin < 0 || fstat(self->pin, &st))
		return no_address(error, self->address, g_strerror(errno));
	if (!S_ISSOCK(st.st_mode))
		return no_address(error, self->address, "is no socket");
	self->name.sun_family = AF_UNIX;
	g_snprintf(self->name.sun_path, sizeof self->name.sun_path, "/proc/self/fd/%d", self->pin);
	return TRUE;
}

static void
qmp_free(QemuMonitor *monitor)
{
	Qmp *self = (Qmp *) monitor;

	qemu_socket_clear(&self->socket);
	if (self->pin >= 0)
		close(self->pin);
	g_mutex_clear(&self->lock);
	g_cond_clear(&self->left);
	g_free(self->address);
	g_free(self);
}

static int
qmp_guard(QemuMonitor *monitor, const QemuDuty *duty, GError **error)
{
	const Qmp *self = (const Qmp *) monitor;
	const QemuGuardWay way = { .pin = self->pin };

	return qemu_guard_start(&way, duty, error);
}

/* Who is inside leaves in the end. */
static void
qmp_give_way(QemuMonitor *monitor)
{
	Qmp *self = (Qmp *) monitor;

	g_mutex_lock(&self->lock);
	g_atomic_int_set(&self->hold, 0);
	if (!self->inside)
		qemu_socket_disconnect(&self->socket);
	g_mutex_unlock(&self->lock);
}

static const QemuMonitorOps qmp_ops = {
	.name = "qmp",
	.ask = qmp_ask,
	.stay = qmp_stay,
	.hear = qmp_hear,
	.leave = qmp_leave,
	.let_in = qmp_let_in,
	.guard = qmp_guard,
	.give_way = qmp_give_way,
	.free = qmp_free,
};

QemuMonitor *
qemu_qmp_new(const char *path, gboolean hold, GError **error)
{
	return qemu_qmp_new_at(-1, 0, path, hold, error);
}

QemuMonitor *
qemu_qmp_new_at(int pin, pid_t owner, const char *shown, gboolean hold, GError **error)
{
	Qmp *self = g_new0(Qmp, 1);

	self->monitor.ops = &qmp_ops;
	self->address = g_strdup(shown);
	self->pin = pin;
	self->owner = owner;
	self->hold = hold;
	g_mutex_init(&self->lock);
	g_cond_init(&self->left);
	qemu_socket_init(&self->socket);
	if (find_socket(self, error))
		return &self->monitor;
	qmp_free(&self->monitor);
	return NULL;
}

pid_t
qemu_qmp_peer(QemuMonitor *monitor, gint64 patience)
{
	const Qmp *self = (const Qmp *) monitor;
	QemuSocket socket;
	pid_t peer = 0;

	qemu_socket_init(&socket);
	if (qemu_socket_connect(&socket, &self->name, g_get_monotonic_time() + patience, NULL))
		peer = peer_of(&socket);
	qemu_socket_clear(&socket);
	return peer;
}
