/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* speech: see the header. The guest is let run only where QEMU says that it stands by our wish. */
#include "speech.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#define ID "vmifs-guard"
#define HELLO "{\"execute\": \"qmp_capabilities\"}\r\n"
#define ASK "{\"execute\": \"query-status\", \"id\": \"" ID "\"}\r\n"
#define RUN "{\"execute\": \"cont\", \"id\": \"" ID "\"}\r\n"

/* What was answered. */
typedef struct {
	gboolean is_refused, is_paused, is_at_point;
} Heard;

/* ---- in the guardian ---- */

/* The beginning of a line; FALSE at its end. */
static gboolean
next_line(int fd, char *line, gsize len)
{
	struct pollfd poller = { .fd = fd, .events = POLLIN };
	gsize n = 0;
	char c;

	do {
		if (poll(&poller, 1, QEMU_SPEECH_PATIENCE_MS) != 1 || read(fd, &c, 1) != 1)
			return FALSE;
		if (n < len - 1)
			line[n++] = c;
	} while (c != '\n');
	line[n] = '\0';
	return TRUE;
}

static void
note(Heard *heard, const char *line)
{
	heard->is_refused |= strstr(line, "\"error\"") != NULL;
	heard->is_paused |= strstr(line, "\"paused\"") != NULL;
	heard->is_at_point |= strstr(line, "\"debug\"") != NULL;
}

/* For no stop of ours, but that it was migrated away, has crashed, or runs, it is left alone. */
static gboolean
stands_by_us(const QemuSpeech *speech, const Heard *heard)
{
	return heard->is_paused || (speech->even_at_point && heard->is_at_point);
}

/* n words; FALSE: not all of them are answered. */
static gboolean
say_words(int fd, const char *text, guint n, Heard *heard)
{
	gsize len = strlen(text);
	char line[1024];

	if (send(fd, text, len, MSG_NOSIGNAL) != (gssize) len)
		return FALSE;
	while (n) {
		if (!next_line(fd, line, sizeof line))
			return FALSE;
		if (!strstr(line, "\"" ID "\""))
			continue;
		note(heard, line);
		n--;
	}
	return TRUE;
}

/* FALSE: it may stand by our wish still. */
static gboolean
let_run_by_socket(const QemuSpeech *speech, int fd)
{
	Heard state = { 0 }, done = { 0 };

	if (!say_words(fd, ASK, 1, &state) || state.is_refused)
		return FALSE;
	return !stands_by_us(speech, &state) || (say_words(fd, RUN, 1, &done) && !done.is_refused);
}

static gboolean
say_by_connection(QemuSpeech *speech, int fd)
{
	Heard heard = { 0 };
	char line[1024];

	if (!next_line(fd, line, sizeof line) || !strstr(line, "\"QMP\"") ||
	    !say_words(fd, HELLO, 0, &heard))
		return FALSE;
	if (speech->n && !say_words(fd, speech->text, speech->n, &heard))
		return FALSE;
	if (!heard.is_refused)
		speech->n = 0;
	return (!speech->lets_run || let_run_by_socket(speech, fd)) && !speech->n;
}

/* FALSE: another try may help. */
static gboolean
say_by_socket(QemuSpeech *speech)
{
	struct sockaddr_un name = { .sun_family = AF_UNIX };
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	gboolean good;

	if (fd < 0)
		return FALSE;
	g_snprintf(name.sun_path, sizeof name.sun_path, "/proc/self/fd/%d", QEMU_SPEECH_PIN);
	if (connect(fd, (const struct sockaddr *) &name, sizeof name))
		good = errno == ECONNREFUSED; /* QEMU has ended */
	else
		good = say_by_connection(speech, fd);
	close(fd);
	return good;
}

/* FALSE: it has failed, or QEMU has refused. */
static gboolean
run_program(char **arguments, Heard *heard)
{
	int ends[2], status = 1;
	char line[1024];

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
		note(heard, line);
	struct pollfd rest = { .fd = ends[0], .events = POLLIN };
	if (child > 0 && !poll(&rest, 1, 0))
		kill(child, SIGKILL); /* it hangs, as does whoever it asks */
	close(ends[0]);
	while (child > 0 && waitpid(child, &status, 0) < 0 && errno == EINTR)
		;
	return !heard->is_refused && !status;
}

static gboolean
let_run_by_program(const QemuSpeech *speech)
{
	Heard state = { 0 }, done = { 0 };

	if (!run_program(speech->ask_call, &state))
		return FALSE;
	return !stands_by_us(speech, &state) || run_program(speech->run_call, &done);
}

gboolean
qemu_speech_say(QemuSpeech *speech)
{
	gboolean good = TRUE;

	if (speech->text)
		return say_by_socket(speech);
	for (guint i = 0; i < speech->n; i++) {
		Heard heard = { 0 };
		good &= run_program(speech->calls[i], &heard);
	}
	if (good)
		speech->n = 0;
	return (!speech->lets_run || let_run_by_program(speech)) && good;
}

/* ---- before ---- */

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

static char **
call_of(const QemuGuardWay *way, const char *word)
{
	g_autoptr(GStrvBuilder) call = g_strv_builder_new();

	g_strv_builder_addv(call, (const char **) way->program);
	g_strv_builder_add(call, word);
	return g_strv_builder_end(call);
}

void
qemu_speech_init(QemuSpeech *speech, const QemuGuardWay *way, const json_t *words,
		 gboolean lets_run)
{
	g_autoptr(GString) text = g_string_new(NULL);

	*speech = (QemuSpeech){ .n = (guint) json_array_size(words), .lets_run = lets_run };
	g_assert(speech->n <= QEMU_SPEECH_MAX_WORDS);
	for (guint i = 0; i < speech->n; i++) {
		g_autofree char *word = text_of(json_array_get(words, i), !way->program);
		if (way->program)
			speech->calls[i] = call_of(way, word);
		else
			g_string_append_printf(text, "%s\r\n", word);
	}
	if (!way->program)
		speech->text = g_strdup(text->str);
	if (way->program && lets_run) {
		speech->ask_call = call_of(way, "{\"execute\":\"query-status\"}");
		speech->run_call = call_of(way, "{\"execute\":\"cont\"}");
	}
}

void
qemu_speech_clear(QemuSpeech *speech)
{
	g_free(speech->text);
	for (guint i = 0; i < QEMU_SPEECH_MAX_WORDS; i++)
		g_strfreev(speech->calls[i]);
	g_strfreev(speech->ask_call);
	g_strfreev(speech->run_call);
}
