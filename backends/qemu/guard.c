/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * guard: a child of a child, so that nobody has to wait for it, with every signal blocked, in no
 * cgroup of vmifs's where root started it, and with nothing of vmifs's but ends of pipes, the
 * monitor's socket and a gdbstub's. As a copy of a process with threads it may call nothing that
 * takes a lock: system calls only, and all that it will say is made before.
 */
#include "guard.h"

#include "speech.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>
#include <vmifs/error.h>

/* Its descriptors, beside QEMU_SPEECH_PIN. */
#define PIPE 0
#define STREAM 2
#define STUB 3
/* Without a byte of the stream. */
#define SILENCE_MS 5000
#define N_TRIES 10
/* For all of it: QEMU may be of ill will, and talk for ever. */
#define PATIENCE_S (10 * 60)
/* For the rest of a stream before it: a guest of terabytes, with a QEMU in no hurry. */
#define STREAM_S (4 * 60 * 60)

/* For it to hear that it is not needed: it may be in the midst of a try, which then comes before
 * whatever is said afterwards. */
#define CALL_OFF_MS 300

typedef struct {
	QemuSpeech silent, words, parting;
	gboolean has_stream, has_stub;
	QemuFarewell farewell;
	guint patience, stream_patience; /* in seconds */
} Plan;

/* ---- the guardian ---- */

/* Of itself, when the time is over. */
static void
limit_time(guint seconds)
{
	sigset_t alarms;

	sigemptyset(&alarms);
	sigaddset(&alarms, SIGALRM);
	signal(SIGALRM, SIG_DFL);
	sigprocmask(SIG_UNBLOCK, &alarms, NULL);
	alarm(seconds);
}

/* By a child: whoever lets nobody into the monitor must not keep us from the stream. */
static void
say_aside(const Plan *plan, QemuSpeech *speech)
{
	if (fork())
		return;
	close(STREAM);
	limit_time(plan->patience);
	qemu_speech_say(speech);
	_exit(0);
}

/* QEMU writes to it while the guest waits. */
static void
drain(Plan *plan)
{
	struct pollfd poller = { .fd = STREAM, .events = POLLIN };
	gboolean is_asked = FALSE;
	char part[65536];

	for (;;) {
		int n = poll(&poller, 1, SILENCE_MS);
		if (!n && !is_asked)
			say_aside(plan, &plan->silent);
		is_asked |= !n;
		if (n > 0 && read(STREAM, part, sizeof part) == 0)
			return;
	}
}

/* It is among what comes in time; FALSE as well when there is no stub any more. ret_ran: a stop was
 * told of before. */
static gboolean
hear_stub(const char *wanted, gboolean *ret_ran)
{
	struct pollfd poller = { .fd = STUB, .events = POLLIN };
	gsize len = strlen(wanted), n = 0;
	gint64 left = 256 << 10; /* of bytes: it may be of ill will */
	char c = 0, before;

	while (n < len && left-- > 0) {
		before = c;
		if (poll(&poller, 1, QEMU_SPEECH_PATIENCE_MS) != 1 ||
		    recv(STUB, &c, 1, MSG_DONTWAIT) != 1)
			return FALSE;
		*ret_ran |= before == '$' && c == 'T';
		/* No answer has its first byte in it again. */
		n = c == wanted[n] ? n + 1 : c == *wanted;
	}
	return n == len;
}

static gboolean
say_to_stub(const char *text)
{
	gsize len = strlen(text);

	return send(STUB, text, len, MSG_NOSIGNAL | MSG_DONTWAIT) == (gssize) len;
}

static gboolean
is_hung_up(void)
{
	struct pollfd poller = { .fd = STUB };

	return poll(&poller, 1, 0) == 1;
}

/* FALSE: it does not answer. One that were ended then would leave its breakpoints behind, at which
 * the guest stops for ever. is_released: that was said, and must not be said twice. */
static gboolean
take_leave(const QemuFarewell *farewell, gboolean stands, gboolean *is_released)
{
	char part[4096];
	gssize n = 1;
	gboolean ran = FALSE;

	if (*is_released)
		return hear_stub(farewell->released, &ran) || is_hung_up();
	/* What nobody has read is the answer to nothing that is said here. */
	for (int i = 0; i < 1024 && n > 0; i++)
		n = recv(STUB, part, sizeof part, MSG_DONTWAIT);
	if (!stands && !say_to_stub(farewell->attach))
		return is_hung_up();
	if (!say_to_stub(farewell->settle) || !hear_stub(farewell->settled, &ran))
		return is_hung_up();
	/* Whoever had it stand may have let it run on since. */
	if (stands && !ran)
		return (say_to_stub(farewell->clear) && hear_stub(farewell->cleared, &ran)) ||
		       is_hung_up();
	if (!say_to_stub(farewell->unstep) || !hear_stub(farewell->unstepped, &ran))
		return is_hung_up();
	*is_released = say_to_stub(farewell->release);
	return (*is_released && hear_stub(farewell->released, &ran)) || is_hung_up();
}

/* Within that time, all of which it takes otherwise, somebody may wish otherwise; no longer, once
 * nobody listens. FALSE: there is nothing to be said any more. */
static gboolean
wait_for_wishes(QemuSpeech *speech, gboolean *is_heard, int ms)
{
	struct pollfd poller = { .fd = *is_heard ? PIPE : -1, .events = POLLIN };
	char c;

	if (poll(&poller, 1, ms) != 1)
		return TRUE;
	if (read(PIPE, &c, 1) != 1) {
		*is_heard = FALSE;
		poll(NULL, 0, ms);
		return TRUE;
	}
	speech->lets_run &= c != QEMU_GUARD_STANDS;
	return c != QEMU_GUARD_DISARM && (speech->n || speech->lets_run);
}

static void
watch(Plan *plan)
{
	char last = QEMU_GUARD_DISARM, c = 0;
	gssize n;

	while (c != QEMU_GUARD_ACT && (n = read(PIPE, &c, 1)) != 0) {
		if (n == 1 && c != QEMU_GUARD_ACT)
			last = c;
		else if (n < 0 && errno != EINTR)
			break;
	}
	if (last == QEMU_GUARD_DISARM)
		return;
	if (plan->has_stream) {
		limit_time(plan->stream_patience);
		drain(plan);
	}
	limit_time(plan->patience);
	QemuSpeech *words = last == QEMU_GUARD_LEAVES ? &plan->parting : &plan->words;
	gboolean is_released = FALSE, is_heard = TRUE;
	gboolean has_left = !plan->has_stub || last == QEMU_GUARD_LEAVES || last == QEMU_GUARD_LEFT;
	for (int i = 0; i < N_TRIES && wait_for_wishes(words, &is_heard, i ? 50 << (i - 1) : 0);
	     i++) {
		if (!has_left)
			has_left = take_leave(&plan->farewell, last == QEMU_GUARD_STANDS,
					      &is_released);
		/* With its other end the stub has gone, or QEMU: another may be there by now. */
		if (plan->has_stub && last != QEMU_GUARD_LEAVES && is_hung_up())
			break;
		if (has_left && qemu_speech_say(words))
			break;
	}
}

/* That descriptor, if there is one, as number `as`. */
static void
place(int fd, int as)
{
	if (fd < 0)
		close(as);
	else if (dup2(fd, as) < 0)
		_exit(1);
}

static void
write_to(const char *path, const char *text)
{
	int fd = open(path, O_WRONLY);

	if (fd >= 0 && write(fd, text, strlen(text)) < 0)
		errno = 0;
	if (fd >= 0)
		close(fd);
}

/* Whoever is chosen when memory runs out, and whoever is killed with vmifs as one unit of systemd:
 * that of the whole machine's is none. As far as we may. */
static void
outlive_others(void)
{
	write_to("/proc/self/oom_score_adj", "-1000");
	write_to("/sys/fs/cgroup/cgroup.procs", "0");
	write_to("/sys/fs/cgroup/unified/cgroup.procs", "0");
	write_to("/sys/fs/cgroup/systemd/cgroup.procs", "0");
}

/* Never returns. */
static void
become_guardian(Plan *plan, int pipe_end, int pin, int stream)
{
	int stub = plan->has_stub ? plan->farewell.fd : -1;
	/* Away from where they are to go, and from each other. */
	int high_pipe = fcntl(pipe_end, F_DUPFD, 10);
	int high_pin = fcntl(pin, F_DUPFD, 10);
	int high_stream = fcntl(stream, F_DUPFD, 10);
	int high_stub = fcntl(stub, F_DUPFD, 10);

	if (high_pipe < 0 || (pin >= 0 && high_pin < 0) || (stream >= 0 && high_stream < 0) ||
	    (stub >= 0 && high_stub < 0))
		_exit(1);
	place(high_pipe, PIPE);
	place(high_pin, QEMU_SPEECH_PIN);
	place(high_stream, STREAM);
	place(high_stub, STUB);
	close_range(STUB + 1, ~0U, 0);
	setsid();
	if (chdir("/"))
		_exit(1);
	/* Before vmifs goes on. */
	outlive_others();
	pid_t child = fork();
	if (child)
		_exit(child < 0);
	watch(plan);
	_exit(0);
}

/* ---- what it will say ---- */

static void
plan_init(Plan *plan, const QemuGuardWay *way, const QemuDuty *duty)
{
	*plan = (Plan){ .has_stream = duty->stream >= 0,
			.has_stub = duty->farewell != NULL,
			.patience = duty->seconds ? duty->seconds : PATIENCE_S,
			.stream_patience = duty->seconds ? duty->seconds : STREAM_S };
	if (duty->farewell)
		plan->farewell = *duty->farewell;
	qemu_speech_init(&plan->silent, way, duty->silent, FALSE);
	qemu_speech_init(&plan->words, way, duty->words, duty->lets_run);
	qemu_speech_init(&plan->parting, way, duty->parting, duty->parting != NULL);
	plan->parting.even_at_point = TRUE;
}

int
qemu_guard_start(const QemuGuardWay *way, const QemuDuty *duty, GError **error)
{
	sigset_t all, before;
	int ends[2], status = 1, problem;
	pid_t child;
	Plan plan;

	if (pipe2(ends, O_CLOEXEC)) {
		g_set_error(error, VMIFS_ERROR, VMIFS_ERROR_IO, "pipe: %s", g_strerror(errno));
		return -1;
	}
	plan_init(&plan, way, duty);
	/* It must not be ended by what ends vmifs. */
	sigfillset(&all);
	pthread_sigmask(SIG_SETMASK, &all, &before);
	child = fork();
	problem = errno;
	if (!child)
		become_guardian(&plan, ends[0], way->pin, duty->stream);
	pthread_sigmask(SIG_SETMASK, &before, NULL);
	qemu_speech_clear(&plan.silent);
	qemu_speech_clear(&plan.words);
	qemu_speech_clear(&plan.parting);
	close(ends[0]);
	while (child > 0 && waitpid(child, &status, 0) < 0 && errno == EINTR)
		;
	if (child > 0 && WIFEXITED(status) && !WEXITSTATUS(status))
		return ends[1];
	close(ends[1]);
	g_set_error(error, VMIFS_ERROR, VMIFS_ERROR_IO, "no guardian: %s",
		    child < 0 ? g_strerror(problem) : "it cannot begin");
	return -1;
}

/* ---- who has it ---- */

static gboolean
tell(int guard, char what, GError **error)
{
	gssize n;

	do {
		n = write(guard, &what, 1);
	} while (n < 0 && errno == EINTR);
	if (n == 1)
		return TRUE;
	g_set_error(error, VMIFS_ERROR, VMIFS_ERROR_IO, "guardian: %s", g_strerror(errno));
	return FALSE;
}

int
qemu_guard_arm(QemuMonitor *monitor, const QemuDuty *duty, GError **error)
{
	int guard;

	if (!monitor->ops->guard) {
		g_set_error(error, VMIFS_ERROR, VMIFS_ERROR_UNSUPPORTED,
			    "%s: nobody could let the guest run if vmifs ended",
			    monitor->ops->name);
		return -1;
	}
	guard = monitor->ops->guard(monitor, duty, error);
	if (guard < 0 || tell(guard, QEMU_GUARD_ARM, error))
		return guard;
	close(guard);
	return -1;
}

void
qemu_guard_tell(int guard, gboolean stands)
{
	/* One that cannot be told has ended: nothing is to be done about it here. */
	tell(guard, stands ? QEMU_GUARD_STANDS : QEMU_GUARD_ARM, NULL);
}

void
qemu_guard_tell_leaving(int guard, gboolean is_over)
{
	tell(guard, is_over ? QEMU_GUARD_LEFT : QEMU_GUARD_LEAVES, NULL);
}

gboolean
qemu_guard_disarm(int guard, GError **error)
{
	gboolean good = tell(guard, QEMU_GUARD_DISARM, error);

	close(guard);
	return good;
}

void
qemu_guard_leave(QemuMonitor *monitor, int guard)
{
	qemu_guard_act(monitor, guard);
	close(guard);
}

void
qemu_guard_act(QemuMonitor *monitor, int guard)
{
	tell(guard, QEMU_GUARD_ACT, NULL);
	if (monitor->ops->give_way)
		monitor->ops->give_way(monitor);
}

void
qemu_guard_call_off(int guard)
{
	struct pollfd end = { .fd = guard };

	/* It may have ended long since. */
	if (!poll(&end, 1, 0) && tell(guard, QEMU_GUARD_STANDS, NULL))
		poll(&end, 1, CALL_OFF_MS);
	close(guard);
}
