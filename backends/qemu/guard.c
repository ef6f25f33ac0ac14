/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * guard: a child of a child, so that nobody has to wait for it, with every signal blocked and
 * nothing of vmifs's but one end of a pipe and the monitor's socket. As a copy of a process with
 * threads it may call nothing that takes a lock: system calls only, and all that it will say is
 * made before.
 */
#include "control.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>
#include <vmifs/error.h>

/* Its descriptors. */
#define PIPE 0
#define PIN 1
/* For each thing that QEMU is to say; it may have another client. */
#define PATIENCE_MS 30000
#define N_TRIES 10
/* For all of it: QEMU may be of ill will, and talk for ever. */
#define PATIENCE_S (10 * 60)
#define MAX_WORDS 4
#define ID "vmifs-guard"

typedef struct {
	QemuAddress address;
	char *hello;             /* (nullable) what a socket is sent */
	char **calls[MAX_WORDS]; /* else, programs with their arguments */
	guint n;                 /* words */
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
say_by_socket(const Plan *plan)
{
	int fd = socket(plan->address.name.ss_family, SOCK_STREAM | SOCK_CLOEXEC, 0);
	gsize len = strlen(plan->hello);
	char line[1024];
	gboolean good;

	if (fd < 0)
		return FALSE;
	if (connect(fd, (const struct sockaddr *) &plan->address.name, plan->address.len))
		good = errno == ECONNREFUSED; /* QEMU has ended */
	else
		good = next_line(fd, line, sizeof line) && strstr(line, "\"QMP\"") &&
		       send(fd, plan->hello, len, MSG_NOSIGNAL) == (gssize) len &&
		       hear_answers(fd, plan->n);
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
	close(ends[0]);
	while (child > 0 && waitpid(child, &status, 0) < 0 && errno == EINTR)
		;
	return good && !status;
}

static gboolean
say_by_program(const Plan *plan)
{
	gboolean good = TRUE;

	for (guint i = 0; i < plan->n; i++)
		good &= run_program(plan->calls[i]);
	return good;
}

/* Of itself, when the time is over. */
static void
limit_time(void)
{
	sigset_t alarms;

	sigemptyset(&alarms);
	sigaddset(&alarms, SIGALRM);
	signal(SIGALRM, SIG_DFL);
	sigprocmask(SIG_UNBLOCK, &alarms, NULL);
	alarm(PATIENCE_S);
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
	limit_time();
	for (int i = 0; last == QEMU_GUARD_ARM && i < N_TRIES; i++) {
		if (plan->hello ? say_by_socket(plan) : say_by_program(plan))
			return;
		poll(NULL, 0, 50 << i);
	}
}

/* Never returns. */
static void
become_guardian(const Plan *plan, int pipe_end, int pin)
{
	/* Away from where they are to go, and from each other. */
	int high_pipe = fcntl(pipe_end, F_DUPFD, 10), high_pin = fcntl(pin, F_DUPFD, 10);

	if (high_pipe < 0 || dup2(high_pipe, PIPE) < 0)
		_exit(1);
	if (high_pin >= 0 && dup2(high_pin, PIN) < 0)
		_exit(1);
	close_range(high_pin < 0 ? PIN : PIN + 1, ~0U, 0);
	setsid();
	if (chdir("/") || fork())
		_exit(0);
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
plan_init(Plan *plan, const QemuGuardWay *way, const json_t *words)
{
	g_autoptr(GString) hello = g_string_new("{\"execute\": \"qmp_capabilities\"}\r\n");

	*plan = (Plan){ .n = (guint) json_array_size(words) };
	g_assert(plan->n && plan->n <= MAX_WORDS);
	for (guint i = 0; i < plan->n; i++) {
		const json_t *word = json_array_get(words, i);
		g_autofree char *text = text_of(word, !way->program);
		if (!way->program) {
			g_string_append_printf(hello, "%s\r\n", text);
			continue;
		}
		g_autoptr(GStrvBuilder) call = g_strv_builder_new();
		g_strv_builder_addv(call, (const char **) way->program);
		g_strv_builder_add(call, text);
		plan->calls[i] = g_strv_builder_end(call);
	}
	if (way->program)
		return;
	plan->hello = g_strdup(hello->str);
	plan->address = *way->address;
	if (way->pin >= 0)
		g_snprintf(((struct sockaddr_un *) &plan->address.name)->sun_path,
			   sizeof((struct sockaddr_un *) 0)->sun_path, "/proc/self/fd/%d", PIN);
}

static void
plan_clear(Plan *plan)
{
	g_free(plan->hello);
	for (guint i = 0; i < MAX_WORDS; i++)
		g_strfreev(plan->calls[i]);
}

int
qemu_guard_start(const QemuGuardWay *way, const json_t *words, GError **error)
{
	sigset_t all, before;
	int ends[2], status, problem;
	pid_t child;
	Plan plan;

	if (pipe2(ends, O_CLOEXEC)) {
		g_set_error(error, VMIFS_ERROR, VMIFS_ERROR_IO, "pipe: %s", g_strerror(errno));
		return -1;
	}
	plan_init(&plan, way, words);
	/* It must not be ended by what ends vmifs. */
	sigfillset(&all);
	pthread_sigmask(SIG_SETMASK, &all, &before);
	child = fork();
	problem = errno;
	if (!child)
		become_guardian(&plan, ends[0], way->pin);
	pthread_sigmask(SIG_SETMASK, &before, NULL);
	plan_clear(&plan);
	close(ends[0]);
	while (child > 0 && waitpid(child, &status, 0) < 0 && errno == EINTR)
		;
	if (child > 0)
		return ends[1];
	close(ends[1]);
	g_set_error(error, VMIFS_ERROR, VMIFS_ERROR_IO, "fork: %s", g_strerror(problem));
	return -1;
}
