/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* fake-session: a table of questions and answers. */
#include "fake-session.h"

#include <string.h>
#include <vmifs/error.h>

GHashTable *
fake_session_parse(const char *text)
{
	GHashTable *answers = g_hash_table_new_full(g_str_hash, g_str_equal, g_free, NULL);
	g_auto(GStrv) lines = g_strsplit(text ? text : "", "\n", -1);
	GString *answer = NULL;

	for (gsize i = 0; lines[i]; i++) {
		gboolean is_empty = !lines[i][0] && lines[i + 1];
		if (answer && (lines[i][0] == '\t' || is_empty)) {
			g_string_append(answer, lines[i] + !is_empty);
			g_string_append_c(answer, '\n');
		} else if (lines[i][0] && lines[i][0] != '#') {
			GQueue *queue = g_hash_table_lookup(answers, lines[i]);
			if (!queue) {
				queue = g_queue_new();
				g_hash_table_insert(answers, g_strdup(lines[i]), queue);
			}
			answer = g_string_new(NULL);
			g_queue_push_tail(queue, answer);
		}
	}
	return answers;
}

static void
free_text(gpointer text)
{
	g_string_free(text, TRUE);
}

void
fake_session_free(GHashTable *answers)
{
	GHashTableIter iter;
	gpointer queue;

	g_hash_table_iter_init(&iter, answers);
	while (g_hash_table_iter_next(&iter, NULL, &queue))
		g_queue_free_full(queue, free_text);
	g_hash_table_unref(answers);
}

static GQueue *
answers_to(GHashTable *answers, const char *key)
{
	g_autofree char *start = g_strndup(key, strcspn(key, ":"));
	g_autofree char *any = g_strconcat(start, ":*", NULL);
	GQueue *queue = g_hash_table_lookup(answers, key);

	return queue ? queue : g_hash_table_lookup(answers, any);
}

json_t *
fake_session_answer(GHashTable *answers, const char *command, const json_t *arguments,
		    gboolean *ret_good)
{
	const char *line = json_string_value(json_object_get(arguments, "command-line"));
	const char *path = json_string_value(json_object_get(arguments, "path"));
	const char *property = json_string_value(json_object_get(arguments, "property"));
	g_autofree char *key = line   ? g_strconcat("hmp ", line, NULL)
			       : path ? g_strconcat("qmp ", command, " ", path, " ", property, NULL)
				      : g_strconcat("qmp ", command, NULL);
	GQueue *queue = answers_to(answers, key);
	const GString *text = queue ? g_queue_peek_head(queue) : NULL;
	json_t *value = NULL;

	*ret_good = text && text->str[0] != '!';
	if (!text) {
		value = line ? json_sprintf("unknown command: '%s'\r\n", line)
			     : json_pack("{s:s, s:s}", "class", "CommandNotFound", "desc", key);
		*ret_good = line != NULL;
	} else if (!*ret_good) {
		const char *space = strchr(text->str, ' ');
		value = json_pack("{s:s#, s:s}", "class", text->str + 1,
				  (int) (space - text->str - 1), "desc", space + 1);
	} else if (line) {
		g_auto(GStrv) lines = g_strsplit(text->str, "\n", -1);
		g_autofree char *all = g_strjoinv("\r\n", lines);
		value = json_string(all);
	} else {
		value = json_loads(text->str, JSON_DECODE_ANY, NULL);
	}
	g_assert(value);
	if (queue && queue->length > 1)
		g_string_free(g_queue_pop_head(queue), TRUE);
	return value;
}

char *
fake_session(const char *name)
{
	g_autofree char *file = g_strconcat(name, ".session", NULL);
	g_autofree char *path = g_build_filename(g_getenv("VMIFS_QEMU_SESSIONS"), file, NULL);
	char *text;

	if (!g_file_get_contents(path, &text, NULL, NULL))
		g_error("no recorded session %s", path);
	return text;
}

/* ---- without a socket ---- */

typedef struct {
	QemuMonitor monitor;
	GMutex lock;
	GHashTable *answers; /* (lock) */
} FakeMonitor;

static gboolean
fake_ask(QemuMonitor *monitor, QemuAsk *asks, gsize n, const VmifsCall *call, GError **error)
{
	FakeMonitor *self = (FakeMonitor *) monitor;

	g_mutex_lock(&self->lock);
	for (gsize i = 0; i < n; i++) {
		gboolean good;
		json_t *value = fake_session_answer(self->answers, asks[i].command,
						    asks[i].arguments, &good);
		if (good) {
			asks[i].answer = value;
			continue;
		}
		asks[i].error = g_error_new(VMIFS_ERROR, VMIFS_ERROR_UNSUPPORTED, "%s",
					    json_string_value(json_object_get(value, "desc")));
		json_decref(value);
	}
	g_mutex_unlock(&self->lock);
	return TRUE;
}

static void
fake_free(QemuMonitor *monitor)
{
	FakeMonitor *self = (FakeMonitor *) monitor;

	fake_session_free(self->answers);
	g_mutex_clear(&self->lock);
	g_free(self);
}

static const QemuMonitorOps fake_ops = { .name = "fake", .ask = fake_ask, .free = fake_free };

QemuMonitor *
fake_monitor_new(const char *session)
{
	FakeMonitor *self = g_new0(FakeMonitor, 1);

	self->monitor.ops = &fake_ops;
	g_mutex_init(&self->lock);
	self->answers = fake_session_parse(session);
	return &self->monitor;
}
