/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* fake-qemu: a thread that reads a session out. */
#include "fake-qemu.h"

#include "unit.h"

#include <errno.h>
#include <glib/gstdio.h>
#include <poll.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#define GREETING                                                                                   \
	"{\"QMP\": {\"version\": {\"qemu\": {\"micro\": 22, \"minor\": 2, \"major\": 7}, "         \
	"\"package\": \"\"}, \"capabilities\": [\"oob\"]}}\r\n"
#define EVENT                                                                                      \
	"{\"timestamp\": {\"seconds\": 1, \"microseconds\": 2}, \"event\": \"RTC_CHANGE\", "       \
	"\"data\": {\"offset\": 1}}\r\n"

/* For it to hear something, and between looks. */
#define HEARING_MS 12000
#define POLL_MS 2

struct FakeServer {
	const FakeQemu *how;
	GHashTable *answers;
	char *folder, *path;
	int listener, stop[2];
	GThread *thread;
	gint visits, most, questions, fd;
	GThread *writer; /* (nullable) of the stream */
	gssize written;  /* (lock) */
	GMutex lock;
	GString *heard; /* (lock) */
	int client;     /* (lock) that was told what this monitor can; -1 = none */
};

/* FALSE when it is to end, or the client has gone. */
static gboolean
wait_for(const FakeServer *server, int fd, int ms)
{
	struct pollfd pollers[] = { { server->stop[0], POLLIN, 0 }, { fd, POLLIN, 0 } };

	poll(pollers, fd < 0 ? 1 : 2, ms);
	return !pollers[0].revents;
}

static gboolean
say(int client, const char *text, gsize len)
{
	while (len) {
		gssize n = send(client, text, len, MSG_NOSIGNAL);
		if (n <= 0)
			return FALSE;
		text += n;
		len -= (gsize) n;
	}
	return TRUE;
}

/* Within a short while: does it say anything, or leave? */
static gboolean
has_word(int client)
{
	struct pollfd poller = { client, POLLIN, 0 };

	return poll(&poller, 1, 1) != 0;
}

/* Everything up to the end of a line; FALSE when none comes. */
static gboolean
hear(FakeServer *server, int client, GString *line)
{
	g_string_truncate(line, 0);
	for (;;) {
		char byte;
		char control[CMSG_SPACE(sizeof(int))];
		struct iovec iov = { &byte, 1 };
		struct msghdr message = { .msg_iov = &iov,
					  .msg_iovlen = 1,
					  .msg_control = control,
					  .msg_controllen = sizeof control };
		while (server->how->chatter && !has_word(client))
			send(client, EVENT, strlen(EVENT), MSG_NOSIGNAL | MSG_DONTWAIT);
		if (!wait_for(server, client, -1) || recvmsg(client, &message, 0) <= 0)
			return FALSE;
		struct cmsghdr *head = CMSG_FIRSTHDR(&message);
		if (head && head->cmsg_type == SCM_RIGHTS) {
			int fd;
			memcpy(&fd, CMSG_DATA(head), sizeof fd);
			g_atomic_int_set(&server->fd, fd);
		}
		if (byte == '\n')
			return TRUE;
		g_string_append_c(line, byte);
	}
}

static void
close_passed(FakeServer *server)
{
	int fd = g_atomic_int_get(&server->fd);

	g_atomic_int_set(&server->fd, -1);
	if (fd >= 0)
		close(fd);
}

static gpointer
write_stream(gpointer data)
{
	FakeServer *server = data;
	gsize len;
	const char *bytes = g_bytes_get_data(server->how->stream, &len);
	gssize n = 1;

	g_usleep(server->how->stream_ms * 1000);
	for (gsize at = 0; at < len && n > 0; at += (gsize) n) {
		n = write(g_atomic_int_get(&server->fd), bytes + at, MIN(len - at, 65536));
		g_mutex_lock(&server->lock);
		server->written = n < 0 ? -1 : server->written + n;
		g_mutex_unlock(&server->lock);
	}
	if (!server->how->stream_open)
		close_passed(server);
	return NULL;
}

static void
note(FakeServer *server, const char *command, const json_t *arguments)
{
	const json_t *list = json_object_get(arguments, "capabilities"), *each;
	gsize i;

	g_mutex_lock(&server->lock);
	g_string_append_printf(server->heard, "%s%s", command, list ? "(" : " ");
	json_array_foreach(list, i, each)
	{
		g_string_append_printf(server->heard, "%s%s%c", i ? " " : "",
				       json_string_value(json_object_get(each, "capability")),
				       json_is_true(json_object_get(each, "state")) ? '+' : '-');
	}
	g_string_append(server->heard, list ? ") " : "");
	g_mutex_unlock(&server->lock);
}

/* What is done beside answering. */
static void
obey(FakeServer *server, const char *command)
{
	if (g_str_equal(command, "migrate") && server->how->stream)
		server->writer = g_thread_new("stream", write_stream, server);
	if (g_str_equal(command, "closefd"))
		close_passed(server);
}

/* FALSE: the visit is over. */
static gboolean
reply(FakeServer *server, int client, const char *line, guint n_before)
{
	const FakeQemu *how = server->how;
	json_auto_t *question = json_loads(line, 0, NULL);
	const char *command = json_string_value(json_object_get(question, "execute"));
	gboolean hello = command && g_str_equal(command, "qmp_capabilities");
	gboolean good = TRUE;

	ck_assert_msg(command != NULL, "not a question: %s", line);
	if (!hello)
		note(server, command, json_object_get(question, "arguments"));
	if (how->answer_ms && !hello && !wait_for(server, -1, (int) how->answer_ms))
		return FALSE;
	for (guint i = 0; i < how->events; i++) {
		if (!say(client, EVENT, strlen(EVENT)))
			return FALSE;
	}
	if (how->raw && !hello) {
		gsize len;
		const char *raw = g_bytes_get_data(how->raw, &len);
		return say(client, raw, len);
	}
	json_t *value = hello ? json_object()
			      : fake_session_answer(server->answers, command,
						    json_object_get(question, "arguments"), &good);
	json_auto_t *message = json_pack("{s:o, s:O*}", good ? "return" : "error", value, "id",
					 json_object_get(question, "id"));
	if (good && !hello)
		obey(server, command);
	g_autofree char *text = json_dumps(message, 0);
	g_autofree char *whole = g_strconcat(text, "\r\n", NULL);
	if (how->hang_up && n_before > how->hang_up)
		return say(client, whole, strlen(whole) / 2), FALSE;
	g_mutex_lock(&server->lock);
	good = say(client, whole, strlen(whole));
	server->client = client;
	g_mutex_unlock(&server->lock);
	return good;
}

void
fake_qemu_tell(FakeServer *server, const char *event)
{
	g_autofree char *text = g_strdup_printf(
		"{\"timestamp\": {\"seconds\": 1, \"microseconds\": 2}, \"event\": \"%s\"}\r\n",
		event);

	g_mutex_lock(&server->lock);
	if (server->client >= 0)
		send(server->client, text, strlen(text), MSG_NOSIGNAL | MSG_DONTWAIT);
	g_mutex_unlock(&server->lock);
}

static void
serve(FakeServer *server, int client)
{
	const char *greeting = server->how->greeting ? server->how->greeting : GREETING;
	g_autoptr(GString) line = g_string_new(NULL);
	gint n = 0;

	if (server->how->silent) {
		wait_for(server, -1, -1);
		return;
	}
	if (server->how->greet_ms && !server->visits &&
	    !wait_for(server, -1, (int) server->how->greet_ms))
		return;
	g_atomic_int_inc(&server->visits);
	if (!say(client, greeting, strlen(greeting)))
		return;
	for (; hear(server, client, line); n++) {
		/* The first is qmp_capabilities. */
		if (n)
			g_atomic_int_inc(&server->questions);
		if (n > g_atomic_int_get(&server->most))
			g_atomic_int_set(&server->most, n);
		if (!reply(server, client, line->str, (guint) n))
			return;
	}
}

static gpointer
run(gpointer data)
{
	FakeServer *server = data;

	while (wait_for(server, server->listener, -1)) {
		int client = accept(server->listener, NULL, NULL);
		if (client < 0)
			continue;
		serve(server, client);
		g_mutex_lock(&server->lock);
		server->client = -1;
		g_mutex_unlock(&server->lock);
		close(client);
	}
	return NULL;
}

static void
listen_unix(FakeServer *server)
{
	struct sockaddr_un name = { .sun_family = AF_UNIX };

	g_strlcpy(name.sun_path, server->path, sizeof name.sun_path);
	server->listener = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	if (bind(server->listener, (struct sockaddr *) &name, sizeof name))
		g_error("bind %s: %s", server->path, g_strerror(errno));
}

FakeServer *
fake_qemu_start(const FakeQemu *how)
{
	FakeServer *server = g_new0(FakeServer, 1);

	server->how = how;
	server->fd = server->client = -1;
	server->answers = fake_session_parse(how->session);
	server->heard = g_string_new(NULL);
	g_mutex_init(&server->lock);
	server->folder = g_dir_make_tmp("vmifs-fake-XXXXXX", NULL);
	server->path = g_build_filename(server->folder, "qmp", NULL);
	listen_unix(server);
	/* As short a queue as QEMU's. */
	if (listen(server->listener, 1) || pipe(server->stop))
		g_error("listen: %s", g_strerror(errno));
	server->thread = g_thread_new("fake-qemu", run, server);
	return server;
}

void
fake_qemu_stop(FakeServer *server)
{
	close(server->stop[1]);
	g_thread_join(server->thread);
	if (server->writer)
		g_thread_join(server->writer);
	close(server->stop[0]);
	close(server->listener);
	if (server->fd >= 0)
		close(server->fd);
	g_unlink(server->path);
	g_rmdir(server->folder);
	fake_session_free(server->answers);
	g_string_free(server->heard, TRUE);
	g_mutex_clear(&server->lock);
	g_free(server->path);
	g_free(server->folder);
	g_free(server);
}

const char *
fake_qemu_address(const FakeServer *server)
{
	return server->path;
}

guint
fake_qemu_visits(FakeServer *server)
{
	return (guint) g_atomic_int_get(&server->visits);
}

guint
fake_qemu_most(FakeServer *server)
{
	return (guint) g_atomic_int_get(&server->most);
}

guint
fake_qemu_questions(FakeServer *server)
{
	return (guint) g_atomic_int_get(&server->questions);
}

char *
fake_qemu_heard(FakeServer *server)
{
	g_mutex_lock(&server->lock);
	char *heard = g_strdup(server->heard->str);
	g_mutex_unlock(&server->lock);
	return heard;
}

void
fake_qemu_has_heard(FakeServer *server, const char *wanted)
{
	g_autofree char *heard = fake_qemu_heard(server);

	ck_assert_str_eq(heard, wanted);
}

void
fake_qemu_hears(FakeServer *server, const char *wanted)
{
	g_autofree char *heard = fake_qemu_heard(server);

	for (int i = 0; i < HEARING_MS && !g_str_equal(heard, wanted); i += POLL_MS) {
		g_usleep(POLL_MS * 1000);
		g_free(heard);
		heard = fake_qemu_heard(server);
	}
	ck_assert_str_eq(heard, wanted);
}

void
fake_qemu_hears_of(FakeServer *server, const char *wanted)
{
	g_autofree char *heard = fake_qemu_heard(server);

	for (int i = 0; i < HEARING_MS && !strstr(heard, wanted); i += POLL_MS) {
		g_usleep(POLL_MS * 1000);
		g_free(heard);
		heard = fake_qemu_heard(server);
	}
	ck_assert_msg(strstr(heard, wanted) != NULL, "%s", heard);
}

gssize
fake_qemu_written(FakeServer *server)
{
	g_mutex_lock(&server->lock);
	gssize written = server->written;
	g_mutex_unlock(&server->lock);
	return written;
}

int
fake_qemu_fd(FakeServer *server)
{
	return g_atomic_int_get(&server->fd);
}
