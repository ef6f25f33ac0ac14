/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * libvirt-monitor: a monitor behind libvirt, which passes commands on to it. A daemon, or a QEMU
 * behind it, that hangs keeps a call for as long as it likes: each lot of questions is asked by a
 * thread of its own, which the asker leaves behind when its time is over. A monitor has one such
 * thread at a time; what is asked meanwhile waits, and is told that it did.
 */
#include "guard.h"
#include "json.h"
#include "libvirt-connection.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <unistd.h>
#include <vmifs/error.h>

#define SLICE (20 * G_TIME_SPAN_MILLISECOND)

typedef struct {
	QemuMonitor monitor;
	gatomicrefcount refs;
	QemuLibvirt *libvirt;
	char *uuid;
	GMutex lock;
	GCond moved;
	gboolean busy; /* (lock) a thread is on its way */
} Passage;

/* Copies of what is asked, as the asker may be gone. */
typedef struct {
	char *command; /* (nullable) in JSON */
	guint8 *bytes; /* (nullable) instead: len bytes of memory at pa */
	guint64 pa;
	gsize len;
	int fd;        /* -1 = none */
	char *reply;   /* (nullable) in JSON */
	GError *error; /* (nullable) of libvirt */
} Question;

typedef struct {
	Passage *self;
	virConnectPtr conn;
	gsize n;
	Question *questions;     /* (lock) up to n_done the asker's, from there on the thread's */
	gsize n_done;            /* (lock) */
	gboolean finished, left; /* (lock) who is first leaves the job to the other */
} Job;

static void
passage_unref(Passage *self)
{
	if (!g_atomic_ref_count_dec(&self->refs))
		return;
	qemu_libvirt_unref(self->libvirt);
	g_mutex_clear(&self->lock);
	g_cond_clear(&self->moved);
	g_free(self->uuid);
	g_free(self);
}

static void
job_free(Job *job)
{
	for (gsize i = 0; i < job->n; i++) {
		Question *question = &job->questions[i];
		g_free(question->command);
		g_free(question->bytes);
		if (question->fd >= 0)
			close(question->fd);
		free(question->reply);
		g_clear_error(&question->error);
	}
	g_free(job->questions);
	passage_unref(job->self);
	g_free(job);
}

/* ---- the thread ---- */

static GError *
problem_of(const char *doing)
{
	virErrorPtr problem = qemu_virt()->virGetLastError();
	const char *text = problem && problem->message ? problem->message : "it fails";
	VmifsError code = VMIFS_ERROR_IO;

	switch (problem ? problem->code : 0) {
	case VIR_ERR_OPERATION_TIMEOUT:
	case VIR_ERR_AGENT_UNRESPONSIVE:
		code = VMIFS_ERROR_TIMEOUT;
		break;
	case VIR_ERR_NO_SUPPORT:
	case VIR_ERR_OPERATION_UNSUPPORTED:
		code = VMIFS_ERROR_UNSUPPORTED;
		break;
	case VIR_ERR_ACCESS_DENIED:
	case VIR_ERR_AUTH_FAILED:
	case VIR_ERR_OPERATION_DENIED:
		return g_error_new(VMIFS_ERROR, VMIFS_ERROR_DENIED,
				   "libvirt: %s: %s; asking a monitor takes the right to write",
				   doing, text);
	default:
		break;
	}
	return g_error_new(VMIFS_ERROR, code, "libvirt: %s: %s", doing, text);
}

static void
pass_on(Question *question, virDomainPtr domain)
{
	int fds[] = { question->fd };

	if (question->bytes) {
		if (qemu_virt()->virDomainMemoryPeek(domain, question->pa, question->len,
						     question->bytes, VIR_MEMORY_PHYSICAL) < 0)
			question->error = problem_of("memory peek");
		return;
	}
	if (qemu_virt()->virDomainQemuMonitorCommandWithFiles(
		    domain, question->command, question->fd >= 0, question->fd >= 0 ? fds : NULL,
		    NULL, NULL, &question->reply, 0) < 0) {
		question->reply = NULL;
		question->error = problem_of("the monitor");
	}
}

/* Is there somebody who waits for the next one? */
static gboolean
step(Job *job)
{
	g_autoptr(GMutexLocker) locker = g_mutex_locker_new(&job->self->lock);

	job->n_done++;
	g_cond_broadcast(&job->self->moved);
	return !job->left && job->n_done < job->n;
}

static gpointer
run(gpointer user)
{
	Job *job = user;
	Passage *self = job->self;
	qemu_libvirt_block_sigpipe();
	virDomainPtr domain = qemu_virt()->virDomainLookupByUUIDString(job->conn, self->uuid);
	GError *problem = domain ? NULL : problem_of("the domain");
	gsize i = 0;

	do {
		if (domain)
			pass_on(&job->questions[i], domain);
		else
			job->questions[i].error = g_error_copy(problem);
		i++;
	} while (step(job));
	g_clear_error(&problem);
	if (domain)
		qemu_virt()->virDomainFree(domain);
	qemu_virt()->virConnectClose(job->conn);
	g_mutex_lock(&self->lock);
	gboolean left = job->left;
	job->finished = TRUE;
	self->busy = FALSE;
	g_cond_broadcast(&self->moved);
	g_mutex_unlock(&self->lock);
	if (left)
		job_free(job);
	return NULL;
}

/* ---- the asker ---- */

static gboolean
wait_until(Passage *self, gint64 end, const VmifsCall *call, GError **error)
{
	if (g_get_monotonic_time() >= end) {
		g_set_error_literal(error, VMIFS_ERROR, VMIFS_ERROR_TIMEOUT,
				    "libvirt, or QEMU behind it, does not answer");
		return FALSE;
	}
	if (!vmifs_call_check(call, error))
		return FALSE;
	g_cond_wait_until(&self->moved, &self->lock, MIN(end, g_get_monotonic_time() + SLICE));
	return TRUE;
}

static gint64
patience(const VmifsCall *call)
{
	gint64 end = g_get_monotonic_time() + QEMU_PATIENCE;

	return call && call->deadline ? MIN(end, call->deadline) : end;
}

static gboolean
enter(Passage *self, gint64 end, const VmifsCall *call, GError **error)
{
	g_autoptr(GMutexLocker) locker = g_mutex_locker_new(&self->lock);

	while (self->busy)
		if (!wait_until(self, end, call, error))
			return FALSE;
	self->busy = TRUE;
	return TRUE;
}

static void
leave(Passage *self)
{
	g_mutex_lock(&self->lock);
	self->busy = FALSE;
	g_cond_broadcast(&self->moved);
	g_mutex_unlock(&self->lock);
}

static gboolean
set_question(Question *question, const QemuAsk *ask)
{
	if (!ask->command) {
		question->pa = ask->pa;
		question->len = ask->len;
		question->bytes = g_malloc0(ask->len);
		return TRUE;
	}
	json_auto_t *message = json_pack("{s:s}", "execute", ask->command);
	if (message && ask->arguments)
		json_object_set(message, "arguments", ask->arguments);
	char *text = message ? json_dumps(message, JSON_COMPACT) : NULL;
	if (text)
		question->command = g_strdup(text);
	free(text);
	if (ask->fd)
		question->fd = fcntl(*ask->fd, F_DUPFD_CLOEXEC, 0);
	return question->command && (!ask->fd || question->fd >= 0);
}

/* (full) NULL when it cannot be said. */
static Job *
job_new(Passage *self, const QemuAsk *asks, gsize n, GError **error)
{
	Job *job = g_new0(Job, 1);

	g_atomic_ref_count_inc(&self->refs);
	job->self = self;
	job->n = n;
	job->questions = g_new0(Question, n);
	for (gsize i = 0; i < n; i++)
		job->questions[i].fd = -1;
	for (gsize i = 0; i < n; i++) {
		if (set_question(&job->questions[i], &asks[i]))
			continue;
		g_set_error(error, VMIFS_ERROR, VMIFS_ERROR_INVALID, "%s cannot be asked",
			    asks[i].command);
		job_free(job);
		return NULL;
	}
	return job;
}

/* {"return": ...} or {"error": ...}; FALSE with CORRUPT. */
static gboolean
read_reply(const char *text, QemuAsk *ask, gsize *room, GError **error)
{
	gsize len = strlen(text);
	json_auto_t *reply = len <= QEMU_MAX_REPLY ? qemu_json_parse(text, len, room, error) : NULL;
	json_t *answer = json_object_get(reply, "return");
	json_t *problem = json_object_get(reply, "error");

	if (len > QEMU_MAX_REPLY)
		g_set_error(error, VMIFS_ERROR, VMIFS_ERROR_CORRUPT, "%s: %zu bytes of answer",
			    ask->command, len);
	if (!reply)
		return FALSE;
	if (!answer && !problem) {
		g_set_error(error, VMIFS_ERROR, VMIFS_ERROR_CORRUPT,
			    "%s: no answer in what it said", ask->command);
		return FALSE;
	}
	if (answer)
		ask->answer = json_incref(answer);
	else
		ask->error = qemu_monitor_refusal(problem, ask->command);
	return TRUE;
}

/* Takes answers as they come, patience beginning anew with each. */
static gboolean
collect(Job *job, QemuAsk *asks, const VmifsCall *call, GError **error)
{
	Passage *self = job->self;
	gint64 end = patience(call);
	gboolean good = TRUE;
	gsize taken = 0, room = QEMU_JSON_ROOM;

	g_mutex_lock(&self->lock);
	while (good && taken < job->n) {
		if (taken == job->n_done) {
			good = wait_until(self, end, call, error);
			continue;
		}
		Question *question = &job->questions[taken];
		if (question->error) {
			g_propagate_error(error, g_steal_pointer(&question->error));
			good = FALSE;
		} else if (question->bytes) {
			memcpy(asks[taken].bytes, question->bytes, question->len);
		} else {
			good = read_reply(question->reply, &asks[taken], &room, error);
			g_clear_pointer(&question->reply, free);
		}
		taken++;
		end = patience(call);
	}
	gboolean finished = job->finished;
	job->left = TRUE;
	g_mutex_unlock(&self->lock);
	if (finished)
		job_free(job);
	return good;
}

static gboolean
start(Job *job, GError **error)
{
	GThread *thread = g_thread_try_new("libvirt monitor", run, job, NULL);

	if (thread) {
		g_thread_unref(thread);
		return TRUE;
	}
	qemu_virt()->virConnectClose(job->conn);
	g_set_error_literal(error, VMIFS_ERROR, VMIFS_ERROR_IO, "no thread can be started");
	return FALSE;
}

static gboolean
passage_ask(QemuMonitor *monitor, QemuAsk *asks, gsize n, const VmifsCall *call, GError **error)
{
	Passage *self = (Passage *) monitor;
	gint64 end = patience(call);
	Job *job;

	if (!n)
		return TRUE;
	if (!enter(self, end, call, error))
		return FALSE;
	job = job_new(self, asks, n, error);
	if (job)
		job->conn = qemu_libvirt_connection(self->libvirt, end, call, error);
	if (!job || !job->conn || !start(job, error)) {
		leave(self);
		if (job)
			job_free(job);
		return FALSE;
	}
	return collect(job, asks, call, error);
}

/* The guardian is a copy of a process with threads, in which libvirt's library cannot be used. */
static int
passage_guard(QemuMonitor *monitor, const QemuDuty *duty, GError **error)
{
	const Passage *self = (const Passage *) monitor;
	g_autofree char *virsh = g_find_program_in_path("virsh");
	const char *const program[] = {
		virsh,      "-q", "-c", qemu_libvirt_uri(self->libvirt), "qemu-monitor-command",
		self->uuid, NULL
	};
	const QemuGuardWay way = { .pin = -1, .program = program };

	if (virsh)
		return qemu_guard_start(&way, duty, error);
	g_set_error_literal(error, VMIFS_ERROR, VMIFS_ERROR_UNSUPPORTED,
			    "libvirt's virsh is not installed, which would let the guest run if "
			    "vmifs ended");
	return -1;
}

static void
passage_free(QemuMonitor *monitor)
{
	passage_unref((Passage *) monitor);
}

static const QemuMonitorOps passage_ops = {
	.name = "libvirt",
	.ask = passage_ask,
	.peeks = TRUE,
	.guard = passage_guard,
	.free = passage_free,
};

QemuMonitor *
qemu_libvirt_monitor(QemuLibvirt *libvirt, const char *uuid)
{
	Passage *self = g_new0(Passage, 1);

	self->monitor.ops = &passage_ops;
	g_atomic_ref_count_init(&self->refs);
	self->libvirt = qemu_libvirt_ref(libvirt);
	self->uuid = g_strdup(uuid);
	g_mutex_init(&self->lock);
	g_cond_init(&self->moved);
	return &self->monitor;
}
