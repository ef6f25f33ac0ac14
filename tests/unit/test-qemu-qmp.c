/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* qmp: visits are short and polite, and whatever stands at the other end does no harm. */
#include <unit.h>

#include <backends/qemu/json.h>
#include <backends/qemu/qmp.h>

#include <fake-qemu.h>
#include <glib/gstdio.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>
#include <vmifs/error.h>

#define STATUS "qmp query-status\n\t{\"status\": \"running\"}\n"
#define HELLO "hmp info version\n\t7.2.22\n"

typedef struct {
	FakeServer *server;
	QemuMonitor *monitor;
} Visit;

static Visit
visit(const FakeQemu *how, gboolean hold)
{
	g_autoptr(GError) error = NULL;
	FakeServer *server = fake_qemu_start(how);
	QemuMonitor *monitor = qemu_qmp_new(fake_qemu_address(server), hold, &error);
	ck_assert_msg(monitor != NULL, "%s", error ? error->message : "");
	return (Visit){ server, monitor };
}

static void
visit_clear(Visit *v)
{
	qemu_monitor_free(v->monitor);
	fake_qemu_stop(v->server);
}

G_DEFINE_AUTO_CLEANUP_CLEAR_FUNC(Visit, visit_clear)

static void
ask_status(QemuMonitor *monitor)
{
	g_autoptr(GError) error = NULL;
	json_auto_t *answer = qemu_monitor_qmp(monitor, "query-status", NULL, NULL, &error);
	ck_assert_msg(answer != NULL, "%s", error ? error->message : "");
	ck_assert_str_eq(json_string_value(json_object_get(answer, "status")), "running");
}

/* Why one question to that server fails. (full) */
static GError *
failure_of(const FakeQemu *how, const VmifsCall *call)
{
	g_auto(Visit) v = visit(how, FALSE);
	GError *error = NULL;
	ck_assert_ptr_null(qemu_monitor_qmp(v.monitor, "query-status", NULL, call, &error));
	return error;
}

static void
fails(const FakeQemu *how, const VmifsCall *call, VmifsError code)
{
	g_autoptr(GError) error = failure_of(how, call);
	ck_assert_msg(g_error_matches(error, VMIFS_ERROR, (gint) code), "%d %s", error->code,
		      error->message);
}

static void
fails_on(const char *raw, gsize len, VmifsError code)
{
	g_autoptr(GBytes) bytes = g_bytes_new(raw, len);
	const FakeQemu how = { .raw = bytes };
	fails(&how, NULL, code);
}

START_TEST(asks_and_leaves)
{
	const FakeQemu how = { .session = STATUS HELLO };
	g_auto(Visit) v = visit(&how, FALSE);
	ask_status(v.monitor);
	g_autofree char *text = qemu_monitor_hmp(v.monitor, "info version", NULL, NULL);
	ck_assert_str_eq(text, "7.2.22\r\n");
	/* Inside, the second visit would never have been greeted. */
	ck_assert_uint_eq(fake_qemu_visits(v.server), 2);
}
END_TEST

START_TEST(hold_stays_inside)
{
	const FakeQemu how = { .session = STATUS };
	g_auto(Visit) v = visit(&how, TRUE);
	for (int i = 0; i < 5; i++)
		ask_status(v.monitor);
	ck_assert_uint_eq(fake_qemu_visits(v.server), 1);
}
END_TEST

START_TEST(hold_comes_back_after_being_thrown_out)
{
	const FakeQemu how = { .session = STATUS, .hang_up = 2 };
	g_auto(Visit) v = visit(&how, TRUE);
	g_autoptr(GError) error = NULL;
	ask_status(v.monitor);
	ask_status(v.monitor);
	/* In the middle of an answer: that question may have been heard and is not asked again. */
	ck_assert_ptr_null(qemu_monitor_qmp(v.monitor, "query-status", NULL, NULL, &error));
	ck_assert(g_error_matches(error, VMIFS_ERROR, VMIFS_ERROR_IO));
	ask_status(v.monitor);
	ck_assert_uint_eq(fake_qemu_visits(v.server), 2);
}
END_TEST

/* What it says while nobody asks never ends: it is left, and asked anew. */
START_TEST(hold_does_not_listen_to_chatter_for_ever)
{
	const FakeQemu how = { .session = STATUS, .chatter = TRUE };
	g_auto(Visit) v = visit(&how, TRUE);
	ask_status(v.monitor);
	ask_status(v.monitor);
	ck_assert_uint_ge(fake_qemu_visits(v.server), 1);
	ck_assert_uint_le(fake_qemu_visits(v.server), 2);
}
END_TEST

START_TEST(many_questions_take_several_short_visits)
{
	const FakeQemu how = { .session = HELLO, .answer_ms = 4 };
	const char *lines[81] = { NULL };
	g_auto(Visit) v = visit(&how, FALSE);
	for (gsize i = 0; i < 80; i++)
		lines[i] = "info version";
	g_auto(GStrv) texts = qemu_monitor_hmp_all(v.monitor, lines, NULL, NULL);
	ck_assert_ptr_nonnull(texts);
	ck_assert_uint_eq(g_strv_length(texts), 80);
	ck_assert_uint_eq(fake_qemu_questions(v.server), 80);
	/* 50 ms of asking at 4 ms each, and what is then under way. */
	ck_assert_uint_ge(fake_qemu_visits(v.server), 4);
	ck_assert_uint_le(fake_qemu_most(v.server), 25);
}
END_TEST

START_TEST(quick_answers_take_one_visit)
{
	const FakeQemu how = { .session = HELLO };
	const char *lines[41] = { NULL };
	g_auto(Visit) v = visit(&how, TRUE);
	for (gsize i = 0; i < 40; i++)
		lines[i] = "info version";
	g_auto(GStrv) texts = qemu_monitor_hmp_all(v.monitor, lines, NULL, NULL);
	ck_assert_ptr_nonnull(texts);
	ck_assert_uint_eq(fake_qemu_visits(v.server), 1);
}
END_TEST

START_TEST(a_busy_monitor_is_tried_again)
{
	const FakeQemu how = { .session = STATUS, .greet_ms = 350 };
	g_auto(Visit) v = visit(&how, FALSE);
	gint64 start = g_get_monotonic_time();
	ask_status(v.monitor);
	ck_assert_int_ge(g_get_monotonic_time() - start, 300 * G_TIME_SPAN_MILLISECOND);
	ck_assert_uint_eq(fake_qemu_questions(v.server), 1);
}
END_TEST

START_TEST(a_silent_monitor_times_out)
{
	const FakeQemu how = { .silent = TRUE };
	gint64 start = g_get_monotonic_time();
	VmifsCall call = { .deadline = start + 250 * G_TIME_SPAN_MILLISECOND };
	g_autoptr(GError) error = failure_of(&how, &call);
	ck_assert(g_error_matches(error, VMIFS_ERROR, VMIFS_ERROR_TIMEOUT));
	ck_assert_ptr_nonnull(strstr(error->message, "another client is inside, or QEMU hangs"));
	ck_assert_int_lt(g_get_monotonic_time() - start, QEMU_PATIENCE);
	fails(&how, NULL, VMIFS_ERROR_TIMEOUT);
	ck_assert_int_ge(g_get_monotonic_time() - start, QEMU_PATIENCE);
}
END_TEST

START_TEST(a_monitor_that_stops_answering_times_out)
{
	const FakeQemu how = { .session = STATUS, .answer_ms = 100000 };
	VmifsCall call = { .deadline = g_get_monotonic_time() + 250 * G_TIME_SPAN_MILLISECOND };
	g_autoptr(GError) error = failure_of(&how, &call);
	ck_assert(g_error_matches(error, VMIFS_ERROR, VMIFS_ERROR_TIMEOUT));
	ck_assert_msg(strstr(error->message, "no answer") || strstr(error->message, "not greet"),
		      "%s", error->message);
}
END_TEST

START_TEST(who_gives_up_is_let_go)
{
	const FakeQemu how = { .silent = TRUE };
	const gint cancelled = 1;
	const VmifsCall call = { .cancelled = &cancelled };
	fails(&how, &call, VMIFS_ERROR_CANCELLED);
}
END_TEST

START_TEST(events_are_skipped)
{
	const FakeQemu how = { .session = STATUS, .events = 1000 };
	g_auto(Visit) v = visit(&how, FALSE);
	ask_status(v.monitor);
}
END_TEST

START_TEST(refusals_say_which)
{
	const FakeQemu unknown = { .session = HELLO };
	const FakeQemu refused = { .session = "qmp query-status\n\t!GenericError not now\n" };
	fails(&unknown, NULL, VMIFS_ERROR_UNSUPPORTED);
	fails(&refused, NULL, VMIFS_ERROR_IO);
}
END_TEST

START_TEST(one_refusal_does_not_spoil_the_others)
{
	const FakeQemu how = { .session = STATUS };
	QemuAsk asks[] = { { "query-status" }, { "query-sev" }, { "query-status" } };
	g_auto(Visit) v = visit(&how, FALSE);
	ck_assert(qemu_monitor_ask(v.monitor, asks, G_N_ELEMENTS(asks), NULL, NULL));
	ck_assert_ptr_nonnull(asks[0].answer);
	ck_assert_ptr_null(asks[1].answer);
	ck_assert(g_error_matches(asks[1].error, VMIFS_ERROR, VMIFS_ERROR_UNSUPPORTED));
	ck_assert_ptr_nonnull(asks[2].answer);
	qemu_asks_clear(asks, G_N_ELEMENTS(asks));
}
END_TEST

START_TEST(nonsense_is_refused)
{
	static const char *const texts[] = {
		"\n",
		"hello\r\n",
		"[1, 2\r\n",
		"[]\r\n",
		"7\r\n",
		"{\"return\": {}}\r\n",
		"{\"return\": {}, \"id\": 2}\r\n",
		"{\"return\": {}, \"id\": \"1\"}\r\n",
		"{\"id\": 1}\r\n",
		"{\"return\": \"\xff\xfe\", \"id\": 1}\r\n",
	};
	for (gsize i = 0; i < G_N_ELEMENTS(texts); i++)
		fails_on(texts[i], strlen(texts[i]), VMIFS_ERROR_CORRUPT);
	fails_on("\0\0\0\n", 4, VMIFS_ERROR_CORRUPT);
}
END_TEST

START_TEST(deep_and_crowded_values_are_refused)
{
	g_autoptr(GString) text = g_string_new("{\"id\": 1, \"return\": ");
	for (int i = 0; i < 100; i++)
		g_string_append_c(text, '[');
	for (int i = 0; i < 100; i++)
		g_string_append_c(text, ']');
	g_string_append(text, "}\n");
	fails_on(text->str, text->len, VMIFS_ERROR_CORRUPT);
	g_string_assign(text, "{\"id\": 1, \"return\": [");
	for (int i = 0; i < 300000; i++)
		g_string_append(text, "[],");
	g_string_append(text, "[]]}\n");
	fails_on(text->str, text->len, VMIFS_ERROR_CORRUPT);
}
END_TEST

START_TEST(endless_answers_are_refused)
{
	gsize len = QEMU_MAX_REPLY + (1 << 20);
	g_autofree char *text = g_malloc(len);
	memset(text, ' ', len);
	g_autoptr(GBytes) bytes = g_bytes_new_static(text, len);
	const FakeQemu how = { .raw = bytes };
	GError *error = failure_of(&how, NULL);
	/* A machine with other work may not come to their end in time, but not each time. */
	for (int i = 0; i < 12 && error->code == VMIFS_ERROR_TIMEOUT; i++) {
		g_error_free(error);
		error = failure_of(&how, NULL);
	}
	ck_assert_msg(g_error_matches(error, VMIFS_ERROR, VMIFS_ERROR_CORRUPT), "%s",
		      error->message);
	g_error_free(error);
}
END_TEST

/* Each of them is one that QEMU could give. All are kept until the last has come; values count, as
 * they take up more than their text. */
START_TEST(many_answers_that_are_much_together_are_refused)
{
	enum { N = 100 };
	g_autoptr(GString) session = g_string_new("qmp query-status\n\t[");
	QemuAsk asks[N] = { 0 };
	g_autoptr(GError) error = NULL;
	for (gsize i = 0; i < QEMU_JSON_ROOM / QEMU_JSON_VALUE_ROOM / (N - 20) / 2; i++)
		g_string_append(session, "[],");
	g_string_append(session, "[]]\n");
	const FakeQemu how = { .session = session->str };
	g_auto(Visit) v = visit(&how, FALSE);
	for (int i = 0; i < N; i++)
		asks[i].command = "query-status";
	/* As above. */
	for (int i = 0; i < 6 && (!error || error->code == VMIFS_ERROR_TIMEOUT); i++) {
		g_clear_error(&error);
		ck_assert(!qemu_monitor_ask(v.monitor, asks, N, NULL, &error));
		qemu_asks_clear(asks, N);
	}
	ck_assert_msg(g_error_matches(error, VMIFS_ERROR, VMIFS_ERROR_CORRUPT), "%s",
		      error->message);
}
END_TEST

START_TEST(a_stranger_is_no_monitor)
{
	const FakeQemu web = { .greeting = "{\"hello\": 1}\r\n" };
	const FakeQemu human = { .greeting = "QEMU 7.2.22 monitor\r\n(qemu) \r\n" };
	fails(&web, NULL, VMIFS_ERROR_CORRUPT);
	fails(&human, NULL, VMIFS_ERROR_CORRUPT);
}
END_TEST

START_TEST(being_hung_up_on_is_an_error)
{
	const FakeQemu how = { .session = HELLO, .hang_up = 3 };
	const char *const lines[] = { "info version", "info version", "info version",
				      "info version", "info version", NULL };
	g_auto(Visit) v = visit(&how, FALSE);
	g_autoptr(GError) error = NULL;
	ck_assert_ptr_null(qemu_monitor_hmp_all(v.monitor, lines, NULL, &error));
	ck_assert(g_error_matches(error, VMIFS_ERROR, VMIFS_ERROR_IO));
}
END_TEST

START_TEST(what_is_no_socket_is_no_source)
{
	static const char *const addresses[] = { "/nonexistent/qmp", "/dev/null", "localhost:4444",
						 "word" };
	for (gsize i = 0; i < G_N_ELEMENTS(addresses); i++) {
		g_autoptr(GError) error = NULL;
		ck_assert_ptr_null(qemu_qmp_new(addresses[i], FALSE, &error));
		ck_assert(g_error_matches(error, VMIFS_ERROR, VMIFS_ERROR_SOURCE));
	}
}
END_TEST

START_TEST(nobody_listening_is_an_error_at_once)
{
	const FakeQemu how = { .session = STATUS };
	FakeServer *server = fake_qemu_start(&how);
	g_autoptr(QemuMonitor) monitor = qemu_qmp_new(fake_qemu_address(server), FALSE, NULL);
	g_autoptr(GError) error = NULL;
	fake_qemu_stop(server);
	ck_assert_ptr_null(qemu_monitor_qmp(monitor, "query-status", NULL, NULL, &error));
	ck_assert(g_error_matches(error, VMIFS_ERROR, VMIFS_ERROR_IO));
}
END_TEST

START_TEST(paths_may_be_longer_than_addresses)
{
	const FakeQemu how = { .session = STATUS };
	FakeServer *server = fake_qemu_start(&how);
	g_autofree char *folder = g_dir_make_tmp("vmifs-far-XXXXXX", NULL);
	g_autofree char *deep = g_strdup_printf("%s/%0150d", folder, 0);
	g_autofree char *path = g_build_filename(deep, "qmp", NULL);
	ck_assert_int_eq(g_mkdir(deep, 0700), 0);
	ck_assert_int_eq(symlink(fake_qemu_address(server), path), 0);
	g_autoptr(QemuMonitor) monitor = qemu_qmp_new(path, FALSE, NULL);
	ck_assert_ptr_nonnull(monitor);
	/* The socket is meant, not its name. */
	g_unlink(path);
	g_rmdir(deep);
	g_rmdir(folder);
	ask_status(monitor);
	g_clear_pointer(&monitor, qemu_monitor_free);
	fake_qemu_stop(server);
}
END_TEST

START_TEST(the_peer_is_who_listens)
{
	const FakeQemu how = { .session = STATUS };
	g_auto(Visit) v = visit(&how, FALSE);
	ck_assert_int_eq(qemu_qmp_peer(v.monitor, 100 * 1000), getpid());
}
END_TEST

START_TEST(descriptors_go_along)
{
	const FakeQemu how = { .session = STATUS "qmp getfd\n\t{}\n" };
	int fds[2];
	struct stat sent, came;
	ck_assert_int_eq(pipe(fds), 0);
	QemuAsk asks[] = { { "query-status" }, { "getfd", .fd = &fds[1] }, { "query-status" } };
	g_auto(Visit) v = visit(&how, FALSE);
	ck_assert(qemu_monitor_ask(v.monitor, asks, G_N_ELEMENTS(asks), NULL, NULL));
	for (gsize i = 0; i < G_N_ELEMENTS(asks); i++)
		ck_assert_ptr_nonnull(asks[i].answer);
	ck_assert_int_eq(fstat(fds[1], &sent), 0);
	ck_assert_int_eq(fstat(fake_qemu_fd(v.server), &came), 0);
	ck_assert_uint_eq(sent.st_ino, came.st_ino);
	qemu_asks_clear(asks, G_N_ELEMENTS(asks));
	close(fds[0]);
	close(fds[1]);
}
END_TEST

static gpointer
ask_often(gpointer monitor)
{
	for (int i = 0; i < 25; i++)
		ask_status(monitor);
	return NULL;
}

START_TEST(threads_take_turns)
{
	const FakeQemu how = { .session = STATUS };
	g_auto(Visit) v = visit(&how, FALSE);
	GThread *threads[4];
	for (gsize i = 0; i < G_N_ELEMENTS(threads); i++)
		threads[i] = g_thread_new("asks", ask_often, v.monitor);
	for (gsize i = 0; i < G_N_ELEMENTS(threads); i++)
		g_thread_join(threads[i]);
	ck_assert_uint_eq(fake_qemu_questions(v.server), 100);
	ck_assert_uint_eq(fake_qemu_visits(v.server), 100);
}
END_TEST

static Suite *
qmp_suite(void)
{
	Suite *s = suite_create("qemu-qmp");
	TCase *polite = tcase_create("visits");
	tcase_add_test(polite, asks_and_leaves);
	tcase_add_test(polite, hold_stays_inside);
	tcase_add_test(polite, hold_comes_back_after_being_thrown_out);
	tcase_add_test(polite, hold_does_not_listen_to_chatter_for_ever);
	tcase_add_test(polite, many_questions_take_several_short_visits);
	tcase_add_test(polite, quick_answers_take_one_visit);
	tcase_add_test(polite, a_busy_monitor_is_tried_again);
	tcase_add_test(polite, threads_take_turns);
	tcase_add_test(polite, events_are_skipped);
	tcase_add_test(polite, descriptors_go_along);
	suite_add_tcase(s, polite);
	TCase *where = tcase_create("addresses");
	tcase_add_test(where, what_is_no_socket_is_no_source);
	tcase_add_test(where, nobody_listening_is_an_error_at_once);
	tcase_add_test(where, paths_may_be_longer_than_addresses);
	tcase_add_test(where, the_peer_is_who_listens);
	suite_add_tcase(s, where);
	TCase *bad = tcase_create("bad ones");
	tcase_add_test(bad, a_silent_monitor_times_out);
	tcase_add_test(bad, a_monitor_that_stops_answering_times_out);
	tcase_add_test(bad, who_gives_up_is_let_go);
	tcase_add_test(bad, refusals_say_which);
	tcase_add_test(bad, one_refusal_does_not_spoil_the_others);
	tcase_add_test(bad, nonsense_is_refused);
	tcase_add_test(bad, deep_and_crowded_values_are_refused);
	tcase_add_test(bad, endless_answers_are_refused);
	tcase_add_test(bad, many_answers_that_are_much_together_are_refused);
	tcase_add_test(bad, a_stranger_is_no_monitor);
	tcase_add_test(bad, being_hung_up_on_is_an_error);
	suite_add_tcase(s, bad);
	return s;
}

VMIFS_UNIT_MAIN(qmp_suite)
