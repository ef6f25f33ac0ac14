/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* log: see log.h. */
#include "log.h"

#include <vmifs/text.h>

#define LOG_LINES 256
#define LOG_LINE_BYTES 1024

typedef struct {
	gint64 time; /* µs since the epoch, of the first occurrence */
	guint64 count;
	char *text;
} Line;

struct VmifsLog {
	GMutex lock;  /* guards what follows */
	GQueue lines; /* of Line, oldest first */
	guint64 dropped;
};

static void
line_free(gpointer data)
{
	Line *line = data;
	g_free(line->text);
	g_free(line);
}

VmifsLog *
vmifs_log_new(void)
{
	VmifsLog *log = g_new0(VmifsLog, 1);
	g_mutex_init(&log->lock);
	g_queue_init(&log->lines);
	return log;
}

void
vmifs_log_free(VmifsLog *log)
{
	if (!log)
		return;
	g_queue_clear_full(&log->lines, line_free);
	g_mutex_clear(&log->lock);
	g_free(log);
}

void
vmifs_log_add(VmifsLog *log, const char *format, va_list args)
{
	g_autofree char *raw = g_strdup_vprintf(format, args);
	GString *text = g_string_new(NULL);
	vmifs_text_append_octal(text, raw, (gssize) MIN(strlen(raw), LOG_LINE_BYTES), NULL);

	g_mutex_lock(&log->lock);
	Line *last = g_queue_peek_tail(&log->lines);
	if (last && g_str_equal(last->text, text->str)) {
		last->count++;
		g_string_free(text, TRUE);
	} else {
		Line *line = g_new0(Line, 1);
		line->time = g_get_real_time();
		line->count = 1;
		line->text = g_string_free(text, FALSE);
		g_queue_push_tail(&log->lines, line);
	}
	if (g_queue_get_length(&log->lines) > LOG_LINES) {
		line_free(g_queue_pop_head(&log->lines));
		log->dropped++;
	}
	g_mutex_unlock(&log->lock);
}

void
vmifs_log_text(VmifsLog *log, GString *out)
{
	g_mutex_lock(&log->lock);
	if (log->dropped)
		g_string_append_printf(out, "(%" G_GUINT64_FORMAT " older lines dropped)\n",
				       log->dropped);
	for (GList *l = log->lines.head; l; l = l->next) {
		const Line *line = l->data;
		g_autoptr(GDateTime) time =
			g_date_time_new_from_unix_utc(line->time / G_USEC_PER_SEC);
		g_autofree char *stamp = g_date_time_format(time, "%Y-%m-%dT%H:%M:%SZ");
		g_string_append_printf(out, "%s %s", stamp, line->text);
		if (line->count > 1)
			g_string_append_printf(out, " (%" G_GUINT64_FORMAT " times)", line->count);
		g_string_append_c(out, '\n');
	}
	g_mutex_unlock(&log->lock);
}
