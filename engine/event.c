/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * event: one event as a line of JSON. Texts come from a guest and may be any bytes. They stay as
 * they are when all of a line are UTF-8; else the line has "raw":true, and in all of its texts each
 * byte above 0x7f becomes \u00XX, so that a reader gets the bytes of each back in the same way.
 * Which it is may turn out with the last text: until then such bytes stand in the members as they
 * came, and how much longer a line of either kind will be is counted.
 */
#include "events.h"

#include <string.h>

#define NS_PER_SEC G_GINT64_CONSTANT(1000000000)
/* Of its own members with a text; what is no text has room behind it. */
#define MOST_TEXTS (VMIFS_EVENT_LINE_LEN - 1024)

void
vmifs_event_clear(VmifsEvent *event)
{
	g_clear_pointer(&event->comm, g_free);
	if (event->more)
		g_string_free(g_steal_pointer(&event->more), TRUE);
}

/* ---- texts ---- */

static gboolean
is_utf8(const char *bytes, gsize len)
{
	return g_utf8_validate_len(bytes, len, NULL);
}

/* A control character of two bytes, as which a terminal might take it. */
static gboolean
is_wide_control(const guchar *at, const guchar *end)
{
	return *at == 0xc2 && at + 1 < end && at[1] < 0xa0;
}

/* All but bytes above 0x7f are as the line will have them. */
static void
append_text(GString *out, const char *bytes, gsize len)
{
	g_string_append_c(out, '"');
	for (const guchar *at = (const guchar *) bytes, *end = at + len; at < end; at++) {
		if (*at < 0x20 || *at == 0x7f) {
			g_string_append_printf(out, "\\u%04x", *at);
			continue;
		}
		if (*at == '"' || *at == '\\')
			g_string_append_c(out, '\\');
		g_string_append_c(out, (char) *at);
	}
	g_string_append_c(out, '"');
}

/* Members with their texts. raw: one of the line's is not UTF-8. */
static void
append_members(GString *out, const char *members, gsize len, gboolean raw)
{
	for (const guchar *at = (const guchar *) members, *end = at + len; at < end; at++) {
		gboolean is_wide = !raw && is_wide_control(at, end);
		at += is_wide;
		if (is_wide || (raw && *at > 0x7f))
			g_string_append_printf(out, "\\u%04x", *at);
		else
			g_string_append_c(out, (char) *at);
	}
}

/* By how much those bytes will be longer. */
static gsize
growth(const char *bytes, gsize len, gboolean raw)
{
	gsize n = 0;

	for (const guchar *at = (const guchar *) bytes, *end = at + len; at < end; at++)
		n += raw ? 5 * (*at > 0x7f) : 4 * (gsize) is_wide_control(at, end);
	return n;
}

/* How many of the bytes are shown: a character of UTF-8 is not cut in two. */
static gsize
shown_len(const char *bytes, gsize len)
{
	const char *end;

	if (len <= VMIFS_EVENT_TEXT_LEN)
		return len;
	if (!g_utf8_validate_len(bytes, VMIFS_EVENT_TEXT_LEN, &end) &&
	    end > bytes + VMIFS_EVENT_TEXT_LEN - 4)
		return (gsize) (end - bytes);
	return VMIFS_EVENT_TEXT_LEN;
}

/* ---- members of its own ---- */

static GString *
begin_member(VmifsEvent *event, const char *key)
{
	if (!event->more)
		event->more = g_string_new(NULL);
	if (key)
		g_string_append_printf(event->more, ",\"%s\":", key);
	else if (event->more->str[event->more->len - 1] != '[')
		g_string_append_c(event->more, ',');
	return event->more;
}

gboolean
vmifs_event_add_text(VmifsEvent *event, const char *key, const char *bytes, gssize len)
{
	gsize n = len < 0 ? strlen(bytes) : (gsize) len;
	gsize shown = shown_len(bytes, n), before = event->more ? event->more->len : 0;
	gboolean raw = event->raw || !is_utf8(bytes, shown);
	gsize grows[2] = { event->grows[FALSE] + growth(bytes, shown, FALSE),
			   event->grows[TRUE] + growth(bytes, shown, TRUE) };

	append_text(begin_member(event, key), bytes, shown);
	event->cut |= shown < n;
	if (event->more->len + grows[raw] > MOST_TEXTS) {
		g_string_truncate(event->more, before);
		event->cut = TRUE;
		return FALSE;
	}
	event->raw = raw;
	memcpy(event->grows, grows, sizeof grows);
	return TRUE;
}

void
vmifs_event_add_number(VmifsEvent *event, const char *key, guint64 value)
{
	g_string_append_printf(begin_member(event, key), "%" G_GUINT64_FORMAT, value);
}

void
vmifs_event_add_hex(VmifsEvent *event, const char *key, guint64 value)
{
	g_string_append_printf(begin_member(event, key), "\"0x%" G_GINT64_MODIFIER "x\"", value);
}

void
vmifs_event_add_flag(VmifsEvent *event, const char *key, gboolean value)
{
	g_string_append(begin_member(event, key), value ? "true" : "false");
}

void
vmifs_event_begin_list(VmifsEvent *event, const char *key)
{
	g_string_append_c(begin_member(event, key), '[');
}

void
vmifs_event_end_list(VmifsEvent *event)
{
	g_string_append_c(event->more, ']');
}

/* ---- the line ---- */

void
vmifs_event_append_time(GString *out, gint64 time_ns)
{
	gint64 seconds = time_ns / NS_PER_SEC, ns = time_ns % NS_PER_SEC;

	if (ns < 0) {
		ns += NS_PER_SEC;
		seconds--;
	}
	/* Not time_t, which has 32 bits on some hosts. */
	g_autoptr(GDateTime) time = g_date_time_new_from_unix_utc(seconds);
	g_autofree char *text = g_date_time_format(time, "%Y-%m-%dT%H:%M:%S");
	g_string_append_printf(out, ",\"time\":\"%s.%09" G_GINT64_FORMAT "Z\"", text, ns);
}

static void
append_comm(const VmifsEvent *event, gsize shown, gboolean raw, GString *out)
{
	g_autoptr(GString) text = g_string_new(NULL);

	append_text(text, event->comm, shown);
	g_string_append(out, ",\"comm\":");
	append_members(out, text->str, text->len, raw);
}

void
vmifs_event_to_json(const VmifsEvent *event, gint64 now_ns, GString *out)
{
	gsize len = event->comm ? strlen(event->comm) : 0;
	gsize shown = event->comm ? shown_len(event->comm, len) : 0;
	gboolean raw = event->raw || !is_utf8(event->comm ? event->comm : "", shown);
	gboolean cut = event->cut || shown < len;

	vmifs_event_append_time(out, event->time_ns ? event->time_ns : now_ns);
	g_string_append_printf(out, ",\"type\":\"%s\"", event->type);
	if (event->vcpu >= 0)
		g_string_append_printf(out, ",\"vcpu\":%d", event->vcpu);
	if (event->has_pc)
		g_string_append_printf(out, ",\"pc\":\"0x%" G_GINT64_MODIFIER "x\"", event->pc);
	if (event->pid >= 0)
		g_string_append_printf(out, ",\"pid\":%" G_GINT64_FORMAT, event->pid);
	if (event->comm)
		append_comm(event, shown, raw, out);
	if (event->more && event->more->len + event->grows[raw] <= VMIFS_EVENT_LINE_LEN)
		append_members(out, event->more->str, event->more->len, raw);
	else if (event->more)
		cut = TRUE;
	if (raw)
		g_string_append(out, ",\"raw\":true");
	if (cut)
		g_string_append(out, ",\"cut\":true");
	g_string_append(out, "}\n");
}
