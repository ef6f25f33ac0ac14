/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * guard: a child of a child, so that nobody has to wait for it, with every signal blocked and
 * nothing of vmifs's but ends of pipes, the monitor's socket and a gdbstub's. As a copy of a
 * process with threads it may call nothing that takes a lock: system calls only, and all that it
 * will say is made before.
 */
#include "control.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>
#include <vmifs/error.h>

/* Its descriptors. */
#define PIPE 0
#define PIN 1
#define STREAM 2
#define STUB 3
/* For each thing that QEMU is to say; it may have another client. */
#define PATIENCE_MS 30000
/* Without a byte of the stream. */
#define SILENCE_MS 5000
#define N_TRIES 10
/* For all of it: QEMU may be of ill will, and talk for ever. */
#define PATIENCE_S (10 * 60)
/* For the rest of a stream before it: a guest of terabytes, with a QEMU in no hurry. */
#define STREAM_S (4 * 60 * 60)
#define MAX_WORDS 4
#define ID "vmifs-guard"

/* Words as they are said. */
typedef struct {
	char *text;              /* (nullable) to a socket */
	char **calls[MAX_WORDS]; /* else: programs with their arguments */
	guint n;
} Speech;

typedef struct {
	Speech silent, words, parting;
	gboolean has_stream, has_stub;
	QemuFarewell farewell;
	guint patience, stream_patience; /* in seconds */
} Plan;

/* ---- the guardian ---- */

/* The beginning of a line; FALSE at its end. */
static gboolean
next_line(int fd, char *line, gsize len)
{
	struct pollfd poller = { .fd = fd, .events = POLLIN };
	gsize n = 0;
	char c;

	do {
		if (poll(&poller, 1, PATIENCE_MS) != 1 || read(fd, &c, 1) != 1)
			return FALSE;
		if (n < len - 1)
			line[n++] = c;
	} while (c != '\n');
	line[n] = '\0';
	return TRUE;
}

/* The answers to all words, none of them a refusal. */
static gboolean
hear_answers(int fd, guint n)
{
	char line[1024];
	gboolean good = TRUE;

	while (n) {
		if (!next_line(fd, line, sizeof line))
			return FALSE;
		if (!strstr(line, "\"" ID "\""))
			continue;
		good &= !strstr(line, "\"error\"");
		n--;
	}
	return good;
}

/* FALSE: another try may help. */
static gboolean
say_by_socket(const Speech *speech)
{
	struct sockaddr_un name = { .sun_family = AF_UNIX };
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	gsize len = strlen(speech->text);
	char line[1024];
	gboolean good;

	if (fd < 0)
		return FALSE;
	g_snprintf(name.sun_path, sizeof name.sun_path, "/proc/self/fd/%d", PIN);
	if (connect(fd, (const struct sockaddr *) &name, sizeof name))
		good = errno == ECONNREFUSED; /* QEMU has ended */
	else
		good = next_line(fd, line, sizeof line) && strstr(line, "\"QMP\"") &&
		       send(fd, speech->text, len, MSG_NOSIGNAL) == (gssize) len &&
		       hear_answers(fd, speech->n);
	close(fd);
	return good;
}

static gboolean
run_program(char **arguments)
{
	int ends[2], status = 1;
	char line[1024];
	gboolean good = TRUE;

	if (pipe(ends))
		return FALSE;
	pid_t child = fork();
	if (!child) {
		int nothing = open("/dev/null", O_RDWR);
		sigset_t none;
		sigemptyset(&none);
		sigprocmask(SIG_SETMASK, &none, NULL);
		dup2(nothing, 0);
		dup2(ends[1], 1);
		dup2(nothing, 2);
		close_range(3, ~0U, 0);
		execv(arguments[0], arguments);
		_exit(127);
	}
	close(ends[1]);
	while (next_line(ends[0], line, sizeof line))
		good &= !strstr(line, "\"error\"");
	struct pollfd rest = { .fd = ends[0], .events = POLLIN };
	if (child > 0 && !poll(&rest, 1, 0))
		kill(child, SIGKILL); /* it hangs, as does whoever it asks */
	close(ends[0]);
	while (child > 0 && waitpid(child, &status, 0) < 0 && errno == EINTR)
		;
	return good && !status;
}

static gboolean
say(const Plan *plan, const Speech *speech)
{
	gboolean good = TRUE;

	if (speech->text)
		return say_by_socket(speech);
	for (guint i = 0; i < speech->n; i++)
		good &= run_program(speech->calls[i]);
	return good;
}

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
say_aside(const Plan *plan, const Speech *speech)
{
	if (fork())
		return;
	close(STREAM);
	limit_time(plan->patience);
	say(plan, speech);
	_exit(0);
}

/* QEMU writes to it while the guest waits. */
static void
drain(const Plan *plan)
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
		if (poll(&poller, 1, PATIENCE_MS) != 1 || recv(STUB, &c, 1, MSG_DONTWAIT) != 1)
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

static void
watch(const Plan *plan)
{
	char last = QEMU_GUARD_DISARM, c;
	gssize n;

	while ((n = read(PIPE, &c, 1)) != 0) {
		if (n == 1)
			last = c;
		else if (errno != EINTR)
			break;
	}
	if (last == QEMU_GUARD_DISARM)
		return;
	if (plan->has_stream) {
		limit_time(plan->stream_patience);
		drain(plan);
	}
	limit_time(plan->patience);
	const Speech *words = last == QEMU_GUARD_LEAVES ? &plan->parting : &plan->words;
	gboolean is_released = FALSE;
	gboolean has_left = !plan->has_stub || last == QEMU_GUARD_LEAVES || last == QEMU_GUARD_LEFT;
	for (int i = 0; i < N_TRIES; i++) {
		if (!has_left)
			has_left = take_leave(&plan->farewell, last == QEMU_GUARD_STANDS,
					      &is_released);
		/* With its other end the stub has gone, or QEMU: another may be there by now. */
		if (plan->has_stub && last != QEMU_GUARD_LEAVES && is_hung_up())
			break;
		if (has_left && say(plan, words))
			break;
		poll(NULL, 0, 50 << i);
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

/* Whoever is chosen when memory runs out; as far as we may say so. */
static void
outlive_others(void)
{
	int fd = open("/proc/self/oom_score_adj", O_WRONLY);

	if (fd >= 0 && write(fd, "-1000", 5) != 5)
		errno = 0;
	if (fd >= 0)
		close(fd);
}

/* Never returns. */
static void
become_guardian(const Plan *plan, int pipe_end, int pin, int stream)
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
	place(high_pin, PIN);
	place(high_stream, STREAM);
	place(high_stub, STUB);
	close_range(STUB + 1, ~0U, 0);
	setsid();
	if (chdir("/"))
		_exit(1);
	pid_t child = fork();
	if (child)
		_exit(child < 0);
	outlive_others();
	watch(plan);
	_exit(0);
}

/* ---- what it will say ---- */

static char *
text_of(const json_t *word, gboolean with_id)
{
	json_auto_t *copy = json_copy((json_t *) word);
	char *text, *own;

	if (with_id)
		json_object_set_new(copy, "id", json_string(ID));
	text = json_dumps(copy, JSON_COMPACT);
	own = g_strdup(text);
	free(text);
	return own;
}

static void
speech_init(Speech *speech, const QemuGuardWay *way, const json_t *words)
{
	g_autoptr(GString) text = g_string_new("{\"execute\": \"qmp_capabilities\"}\r\n");

	*speech = (Speech){ .n = (guint) json_array_size(words) };
	g_assert(speech->n <= MAX_WORDS);
	for (guint i = 0; i < speech->n; i++) {
		g_autofree char *word = text_of(json_array_get(words, i), !way->program);
		if (!way->program) {
			g_string_append_printf(text, "%s\r\n", word);
			continue;
		}
		g_autoptr(GStrvBuilder) call = g_strv_builder_new();
		g_strv_builder_addv(call, (const char **) way->program);
		g_strv_builder_add(call, word);
		speech->calls[i] = g_strv_builder_end(call);
	}
	if (!way->program)
		speech->text = g_strdup(text->str);
}

static void
speech_clear(Speech *speech)
{
	g_free(speech->text);
	for (guint i = 0; i < MAX_WORDS; i++)
		g_strfreev(speech->calls[i]);
}

static void
plan_init(Plan *plan, const QemuGuardWay *way, const QemuDuty *duty)
{
	*plan = (Plan){ .has_stream = duty->stream >= 0,
			.has_stub = duty->farewell != NULL,
			.patience = duty->seconds ? duty->seconds : PATIENCE_S,
			.stream_patience = duty->seconds ? duty->seconds : STREAM_S };
	if (duty->farewell)
		plan->farewell = *duty->farewell;
	speech_init(&plan->silent, way, duty->silent);
	speech_init(&plan->words, way, duty->words);
	speech_init(&plan->parting, way, duty->parting);
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
	speech_clear(&plan.silent);
	speech_clear(&plan.words);
	speech_clear(&plan.parting);
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
