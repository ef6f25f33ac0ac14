/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* events: each reader gets every line once, in order, or is told how many it has lost. */
#include <unit.h>

#include <events.h>
#include <string.h>

/* More than the ring holds, of lines and of bytes. */
#define MANY 20000
#define LARGE_LEN 4000
#define MANY_LARGE 2000

static void
push(VmifsEvents *events, const char *type)
{
	g_auto(VmifsEvent) event = VMIFS_EVENT_INIT(type);
	event.time_ns = 1;
	vmifs_events_push(events, &event);
}

static void
push_large(VmifsEvents *events)
{
	g_auto(VmifsEvent) event = VMIFS_EVENT_INIT("large");
	event.comm = g_strnfill(LARGE_LEN, 'x');
	vmifs_events_push(events, &event);
}

/* All that is there, with that much asked for at a time. */
static GString *
read_all(VmifsEventReader *reader, gsize len)
{
	GString *all = g_string_new(NULL);
	g_autofree char *buf = g_malloc(len);
	gsize n;
	while ((n = vmifs_event_reader_read(reader, buf, len)))
		g_string_append_len(all, buf, (gssize) n);
	return all;
}

/* Adds one to *count for each. */
static void
count_call(gpointer user)
{
	g_atomic_int_inc((gint *) user);
}

START_TEST(readers_begin_when_they_are_made)
{
	g_autoptr(VmifsEvents) events = vmifs_events_new();
	push(events, "before");
	g_autoptr(VmifsEventReader) reader = vmifs_events_read(events, NULL, NULL);
	ck_assert_int_eq(vmifs_event_reader_ready(reader), VMIFS_EVENTS_NONE);
	push(events, "after");
	ck_assert_int_eq(vmifs_event_reader_ready(reader), VMIFS_EVENTS_SOME);
	GString *text = read_all(reader, 100000);
	ck_assert_str_eq(text->str, "{\"seq\":2,\"time\":\"1970-01-01T00:00:00.000000001Z\","
				    "\"type\":\"after\"}\n");
	ck_assert_int_eq(vmifs_event_reader_ready(reader), VMIFS_EVENTS_NONE);
	g_string_free(text, TRUE);
}
END_TEST

static const gsize read_lens[] = { 1, 7, 64, 65, 4096, 1048576 };

START_TEST(reads_of_any_size_give_the_same_bytes)
{
	g_autoptr(VmifsEvents) events = vmifs_events_new();
	g_autoptr(VmifsEventReader) whole = vmifs_events_read(events, NULL, NULL);
	g_autoptr(VmifsEventReader) pieces = vmifs_events_read(events, NULL, NULL);
	for (int i = 0; i < 500; i++)
		push(events, i % 2 ? "a" : "somewhat_longer");
	GString *expected = read_all(whole, 1 << 20);
	GString *text = read_all(pieces, read_lens[_i]);
	ck_assert_str_eq(text->str, expected->str);
	g_string_free(text, TRUE);
	g_string_free(expected, TRUE);
}
END_TEST

START_TEST(answers_end_with_a_line_where_one_fits)
{
	g_autoptr(VmifsEvents) events = vmifs_events_new();
	g_autoptr(VmifsEventReader) reader = vmifs_events_read(events, NULL, NULL);
	char buf[200];
	for (int i = 0; i < 50; i++)
		push(events, "x");
	for (int i = 0; i < 10; i++) {
		gsize n = vmifs_event_reader_read(reader, buf, sizeof buf);
		ck_assert_uint_gt(n, 100);
		ck_assert_int_eq(buf[n - 1], '\n');
	}
}
END_TEST

START_TEST(slow_readers_learn_how_much_they_lost)
{
	g_autoptr(VmifsEvents) events = vmifs_events_new();
	g_autoptr(VmifsEventReader) reader = vmifs_events_read(events, NULL, NULL);
	for (int i = 0; i < MANY; i++)
		push(events, "x");
	GString *text = read_all(reader, 65536);
	g_auto(GStrv) lines = g_strsplit(text->str, "\n", -1);
	guint n = g_strv_length(lines) - 1; /* the last is empty */
	g_autofree char *lost = g_strdup_printf(
		"{\"seq\":%u,\"time\":\"1970-01-01T00:00:00.000000001Z\",\"type\":\"lost\","
		"\"count\":%u}",
		MANY - (n - 1), MANY - (n - 1));
	g_autofree char *next = g_strdup_printf("{\"seq\":%u,", MANY - (n - 1) + 1);
	g_autofree char *last = g_strdup_printf("{\"seq\":%u,", MANY);
	ck_assert_uint_gt(n, 1000);
	ck_assert_str_eq(lines[0], lost);
	ck_assert_msg(g_str_has_prefix(lines[1], next), "%s", lines[1]);
	ck_assert_msg(g_str_has_prefix(lines[n - 1], last), "%s", lines[n - 1]);
	g_string_free(text, TRUE);
}
END_TEST

START_TEST(a_line_that_was_begun_is_finished_though_it_has_gone)
{
	g_autoptr(VmifsEvents) events = vmifs_events_new();
	g_autoptr(VmifsEventReader) reader = vmifs_events_read(events, NULL, NULL);
	char buf[10];
	push(events, "first");
	ck_assert_uint_eq(vmifs_event_reader_read(reader, buf, sizeof buf), sizeof buf);
	for (int i = 0; i < MANY; i++)
		push(events, "x");
	GString *text = read_all(reader, 65536);
	ck_assert_msg(g_str_has_prefix(text->str, "time\":\"1970-01-01T00:00:00.000000001Z\","
						  "\"type\":\"first\"}\n{\"seq\":"),
		      "%.100s", text->str);
	ck_assert_ptr_nonnull(strstr(text->str, "\"lost\""));
	g_string_free(text, TRUE);
}
END_TEST

START_TEST(memory_is_bounded_in_bytes_too)
{
	g_autoptr(VmifsEvents) events = vmifs_events_new();
	g_autoptr(VmifsEventReader) reader = vmifs_events_read(events, NULL, NULL);
	for (int i = 0; i < MANY_LARGE; i++)
		push_large(events);
	GString *text = read_all(reader, 1 << 20);
	ck_assert_uint_gt(text->len, 3 << 20);
	ck_assert_uint_lt(text->len, 5 << 20);
	g_string_free(text, TRUE);
}
END_TEST

START_TEST(readers_are_told_once_each_time_they_have_looked)
{
	g_autoptr(VmifsEvents) events = vmifs_events_new();
	gint calls = 0;
	g_autoptr(VmifsEventReader) reader = vmifs_events_read(events, count_call, &calls);
	push(events, "x");
	ck_assert_int_eq(calls, 0); /* it had not asked */
	g_string_free(read_all(reader, 100), TRUE);
	ck_assert_int_eq(vmifs_event_reader_ready(reader), VMIFS_EVENTS_NONE);
	push(events, "x");
	push(events, "x");
	ck_assert_int_eq(calls, 1);
}
END_TEST

/* As epoll(7) wants it of who waits for edges. */
START_TEST(readers_are_told_of_what_comes_after_a_read)
{
	g_autoptr(VmifsEvents) events = vmifs_events_new();
	gint calls = 0;
	char buf[200];
	g_autoptr(VmifsEventReader) reader = vmifs_events_read(events, count_call, &calls);
	ck_assert_int_eq(vmifs_event_reader_ready(reader), VMIFS_EVENTS_NONE);
	for (int i = 1; i < 5; i++) {
		push(events, "x");
		ck_assert_int_eq(calls, i);
		push(events, "x");
		ck_assert_int_eq(calls, i);
		ck_assert_uint_gt(vmifs_event_reader_read(reader, buf, 100), 0);
	}
}
END_TEST

START_TEST(the_end_comes_after_the_last_line)
{
	g_autoptr(VmifsEvents) events = vmifs_events_new();
	gint calls = 0;
	g_autoptr(VmifsEventReader) reader = vmifs_events_read(events, NULL, NULL);
	g_autoptr(VmifsEventReader) idle = vmifs_events_read(events, count_call, &calls);
	push(events, "last");
	g_string_free(read_all(idle, 100), TRUE);
	ck_assert_int_eq(vmifs_event_reader_ready(idle), VMIFS_EVENTS_NONE);
	vmifs_events_end(events);
	push(events, "too_late");
	ck_assert_int_eq(calls, 1);
	ck_assert_int_eq(vmifs_event_reader_ready(reader), VMIFS_EVENTS_SOME);
	GString *text = read_all(reader, 100);
	ck_assert_ptr_nonnull(strstr(text->str, "last"));
	ck_assert_ptr_null(strstr(text->str, "too_late"));
	ck_assert_int_eq(vmifs_event_reader_ready(reader), VMIFS_EVENTS_END);
	ck_assert_int_eq(vmifs_event_reader_ready(idle), VMIFS_EVENTS_END);
	g_string_free(text, TRUE);
}
END_TEST

/* ---- who wants them ---- */

static void
note_wanted(gpointer user, gboolean wanted)
{
	g_string_append_c(user, wanted ? '+' : '-');
}

START_TEST(sources_hear_of_the_first_reader_and_of_the_last)
{
	g_autoptr(VmifsEvents) events = vmifs_events_new();
	g_autoptr(GString) early = g_string_new(NULL);
	g_autoptr(GString) late = g_string_new(NULL);
	vmifs_events_listen(events, note_wanted, early);
	ck_assert(!vmifs_events_wanted(events));
	VmifsEventReader *one = vmifs_events_read(events, NULL, NULL);
	VmifsEventReader *two = vmifs_events_read(events, NULL, NULL);
	ck_assert(vmifs_events_wanted(events));
	vmifs_events_listen(events, note_wanted, late);
	vmifs_event_reader_free(one);
	vmifs_event_reader_free(two);
	vmifs_events_unlisten(events, note_wanted, early);
	vmifs_event_reader_free(vmifs_events_read(events, NULL, NULL));
	ck_assert_str_eq(early->str, "+-");
	ck_assert_str_eq(late->str, "+-+-");
}
END_TEST

/* ---- the log ---- */

static GString *
read_log(VmifsEventReader *reader, gsize len)
{
	GString *all = g_string_new(NULL);
	g_autofree char *buf = g_malloc(len);
	gsize n;
	while ((n = vmifs_event_reader_read_log(reader, all->len, buf, len)))
		g_string_append_len(all, buf, (gssize) n);
	return all;
}

START_TEST(the_log_holds_what_readers_got)
{
	g_autoptr(VmifsEvents) events = vmifs_events_new();
	g_autoptr(VmifsEventReader) reader = vmifs_events_read(events, NULL, NULL);
	for (int i = 0; i < 300; i++)
		push(events, i % 3 ? "a" : "somewhat_longer");
	GString *expected = read_all(reader, 1 << 20);
	GString *log = read_log(reader, read_lens[_i]);
	ck_assert_str_eq(log->str, expected->str);
	ck_assert_uint_eq(vmifs_events_log_size(events), log->len);
	g_string_free(log, TRUE);
	g_string_free(expected, TRUE);
}
END_TEST

START_TEST(the_log_begins_anew_when_it_is_full)
{
	g_autoptr(VmifsEvents) events = vmifs_events_new();
	g_autoptr(VmifsEventReader) reader = vmifs_events_read(events, NULL, NULL);
	guint64 before = 0, size = 0;
	guint n_anew = 0;
	for (int i = 0; i < MANY_LARGE + MANY; i++) {
		if (i < MANY_LARGE)
			push_large(events);
		else
			push(events, "small");
		size = vmifs_events_log_size(events);
		ck_assert_uint_le(size, 4 << 20);
		if (size < before) {
			n_anew++;
			GString *log = read_log(reader, 1 << 20);
			ck_assert_uint_eq(log->len, size);
			ck_assert_msg(g_str_has_prefix(log->str, "{\"seq\":"), "%.40s", log->str);
			ck_assert_uint_eq(g_utf8_strchr(log->str, -1, '\n') - log->str + 1, size);
			g_string_free(log, TRUE);
		}
		before = size;
	}
	ck_assert_uint_ge(n_anew, 2);
}
END_TEST

START_TEST(what_lies_behind_the_log_is_its_end)
{
	g_autoptr(VmifsEvents) events = vmifs_events_new();
	g_autoptr(VmifsEventReader) reader = vmifs_events_read(events, NULL, NULL);
	char buf[100];
	ck_assert_uint_eq(vmifs_event_reader_read_log(reader, 0, buf, sizeof buf), 0);
	push(events, "x");
	guint64 size = vmifs_events_log_size(events);
	ck_assert_uint_eq(vmifs_event_reader_read_log(reader, size, buf, sizeof buf), 0);
	ck_assert_uint_eq(vmifs_event_reader_read_log(reader, G_MAXUINT64, buf, sizeof buf), 0);
	ck_assert_uint_eq(vmifs_event_reader_read_log(reader, size - 1, buf, sizeof buf), 1);
}
END_TEST

/* ---- at once ---- */

#define PUSHERS 4
#define PUSHES 3000

static gpointer
push_some(gpointer events)
{
	for (int i = 0; i < PUSHES; i++)
		push(events, "x");
	return NULL;
}

typedef struct {
	VmifsEvents *events;
	guint64 got, lost;
	gboolean ordered;
} Count;

/* Reads to the end; every number once, or among the lost. */
static gpointer
count_lines(gpointer user)
{
	Count *count = user;
	g_autoptr(VmifsEventReader) reader = vmifs_events_read(count->events, NULL, NULL);
	GString *text = g_string_new(NULL);
	guint64 last = 0;
	char buf[1000];
	count->ordered = TRUE;
	while (vmifs_event_reader_ready(reader) != VMIFS_EVENTS_END || text->len) {
		gsize n = vmifs_event_reader_read(reader, buf, sizeof buf);
		g_string_append_len(text, buf, (gssize) n);
		for (char *end; (end = strchr(text->str, '\n'));
		     g_string_erase(text, 0, end + 1 - text->str)) {
			guint64 seq = g_ascii_strtoull(text->str + strlen("{\"seq\":"), NULL, 10);
			const char *lost = strstr(text->str, "\"count\":");
			if (lost && lost < end) {
				guint64 n_lost = g_ascii_strtoull(lost + 8, NULL, 10);
				count->lost += n_lost;
				count->ordered &= !last || seq == last + n_lost;
			} else {
				count->got++;
				count->ordered &= !last || seq == last + 1;
			}
			last = seq;
		}
	}
	g_string_free(text, TRUE);
	return NULL;
}

START_TEST(many_may_push_while_many_read)
{
	g_autoptr(VmifsEvents) events = vmifs_events_new();
	GThread *pushers[PUSHERS], *readers[PUSHERS];
	Count counts[PUSHERS] = { 0 };
	for (int i = 0; i < PUSHERS; i++) {
		counts[i].events = events;
		readers[i] = g_thread_new("reader", count_lines, &counts[i]);
	}
	/* They count from where they begin; all shall have begun. */
	while (!vmifs_events_wanted(events))
		g_thread_yield();
	for (int i = 0; i < PUSHERS; i++)
		pushers[i] = g_thread_new("pusher", push_some, events);
	for (int i = 0; i < PUSHERS; i++)
		g_thread_join(pushers[i]);
	vmifs_events_end(events);
	for (int i = 0; i < PUSHERS; i++) {
		g_thread_join(readers[i]);
		ck_assert_msg(counts[i].ordered, "reader %d", i);
		ck_assert_uint_le(counts[i].got + counts[i].lost, PUSHERS * PUSHES);
	}
}
END_TEST

static Suite *
make_suite(void)
{
	Suite *s = suite_create("events");
	TCase *t = tcase_create("events");
	tcase_set_timeout(t, 60);
	tcase_add_test(t, readers_begin_when_they_are_made);
	tcase_add_loop_test(t, reads_of_any_size_give_the_same_bytes, 0, G_N_ELEMENTS(read_lens));
	tcase_add_test(t, answers_end_with_a_line_where_one_fits);
	tcase_add_test(t, slow_readers_learn_how_much_they_lost);
	tcase_add_test(t, a_line_that_was_begun_is_finished_though_it_has_gone);
	tcase_add_test(t, memory_is_bounded_in_bytes_too);
	tcase_add_test(t, readers_are_told_once_each_time_they_have_looked);
	tcase_add_test(t, readers_are_told_of_what_comes_after_a_read);
	tcase_add_test(t, the_end_comes_after_the_last_line);
	tcase_add_test(t, sources_hear_of_the_first_reader_and_of_the_last);
	tcase_add_loop_test(t, the_log_holds_what_readers_got, 0, G_N_ELEMENTS(read_lens));
	tcase_add_test(t, the_log_begins_anew_when_it_is_full);
	tcase_add_test(t, what_lies_behind_the_log_is_its_end);
	tcase_add_test(t, many_may_push_while_many_read);
	suite_add_tcase(s, t);
	return s;
}

VMIFS_UNIT_MAIN(make_suite)
