/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* test-qemu-find: what the words for running guests of QEMU find, as processes come and go. */
#include "pretend-qemu.h"

#include <errno.h>
#include <spi/finder.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

extern const VmifsFinder vmifs_finder_qemu;

/* What was told of the one guest that counts: others may run here too. */
typedef struct {
	GMutex lock;
	GCond moved;
	const char *wanted; /* name */
	char *key, *source;
	guint n_found, n_gone;
} Told;

static void
on_found(gpointer engine, const VmifsFound *found)
{
	Told *told = engine;
	gboolean wanted = g_str_equal(found->name, told->wanted);

	g_mutex_lock(&told->lock);
	if (wanted && told->n_found++ == 0) {
		told->key = g_strdup(found->key);
		told->source = g_strdup(found->source);
		ck_assert_str_eq(found->backend->name, "qemu");
		ck_assert_int_gt(found->started, 0);
	}
	g_cond_signal(&told->moved);
	g_mutex_unlock(&told->lock);
	found->free_target(found->target);
}

static void
on_gone(gpointer engine, const char *key)
{
	Told *told = engine;

	g_mutex_lock(&told->lock);
	if (g_strcmp0(key, told->key) == 0)
		told->n_gone++;
	g_cond_signal(&told->moved);
	g_mutex_unlock(&told->lock);
}

static void
on_failed(gpointer engine, const char *why)
{
}

static gboolean no_threads;

/* Instead of GLib's. */
GThread *
g_thread_try_new(const char *name, GThreadFunc func, gpointer data, GError **error)
{
	return no_threads ? NULL : g_thread_new(name, func, data);
}

static gpointer
open_word(const char *word, VmifsMonitorUse use, Told *told, GError **error)
{
	const VmifsOptions options = { .size = sizeof options, .monitor = use };
	const VmifsFinderSink sink = { on_found, on_gone, on_failed, told };

	return vmifs_finder_qemu.open(word, &options, &sink, NULL, error);
}

static void
wait_for(Told *told, const guint *count, guint wanted)
{
	g_mutex_lock(&told->lock);
	while (*count < wanted)
		g_cond_wait(&told->moved, &told->lock);
	g_mutex_unlock(&told->lock);
}

static void
told_clear(Told *told)
{
	g_free(told->key);
	g_free(told->source);
}

static const char *const usual[] = { "x", "-name", "found", "-m", "1G", NULL };

START_TEST(words_are_known_by_their_text)
{
	static const struct {
		const char *word;
		int sure;
	} cases[] = {
		{ "auto", 100 },
		{ "pid:1", 100 },
		{ "qmp:/sock", 100 },
		{ "qemu:///system", 50 },
		{ "qemu+unix:///session?socket=/x", 50 },
		{ "test:///default", 50 },
		{ "file", 0 },
		{ "automatic", 0 },
		{ "xen:", 0 },
	};
	for (gsize i = 0; i < G_N_ELEMENTS(cases); i++)
		ck_assert_int_eq(vmifs_finder_qemu.probe(cases[i].word), cases[i].sure);
}
END_TEST

START_TEST(without_a_thread_nothing_stays_told)
{
	g_autoptr(GError) error = NULL;
	Told told = { .wanted = "found" };
	pid_t pid = pretend_start("qemu-system-x86_64", usual, NULL);
	g_autofree char *word = _i ? g_strdup_printf("pid:%d", (int) pid) : g_strdup("auto");

	no_threads = TRUE;
	ck_assert_ptr_null(open_word(word, VMIFS_MONITOR_BRIEF, &told, &error));
	ck_assert(g_error_matches(error, VMIFS_ERROR, VMIFS_ERROR_SOURCE));
	ck_assert_ptr_nonnull(strstr(error->message, "needs a thread"));
	ck_assert_uint_eq(told.n_found, told.n_gone);
	pretend_end(pid);
	told_clear(&told);
}
END_TEST

START_TEST(process_is_told_until_it_ends)
{
	g_autoptr(GError) error = NULL;
	Told told = { .wanted = "found" };
	pid_t pid = pretend_start("qemu-system-x86_64", usual, NULL);
	g_autofree char *word = g_strdup_printf("pid:%d", (int) pid);
	gpointer finder = open_word(word, VMIFS_MONITOR_BRIEF, &told, &error);

	ck_assert_msg(finder != NULL, "%s", error ? error->message : "");
	ck_assert_uint_eq(told.n_found, 1);
	ck_assert_str_eq(told.source, word);
	pretend_end(pid);
	wait_for(&told, &told.n_gone, 1);
	vmifs_finder_qemu.close(finder);
	ck_assert_uint_eq(told.n_found, 1);
	ck_assert_uint_eq(told.n_gone, 1);
	told_clear(&told);
}
END_TEST

START_TEST(process_behind_a_socket_is_told)
{
	g_autoptr(GError) error = NULL;
	Told told = { .wanted = "found" };
	g_autofree char *path = pretend_path("sock");
	g_autofree char *qmp = g_strdup_printf("unix:%s,server=on", path);
	g_autofree char *word = g_strdup_printf("qmp:%s", path);
	const char *const words[] = { "x", "-name", "found", "-qmp", qmp, NULL };
	pid_t pid = pretend_start("qemu-system-x86_64", words, NULL);
	gpointer finder = open_word(word, VMIFS_MONITOR_BRIEF, &told, &error);

	ck_assert_msg(finder != NULL, "%s", error ? error->message : "");
	ck_assert_uint_eq(told.n_found, 1);
	ck_assert_str_eq(told.source, word);
	vmifs_finder_qemu.close(finder);
	pretend_end(pid);
	ck_assert_uint_eq(told.n_gone, 0);
	told_clear(&told);
}
END_TEST

START_TEST(guests_are_told_as_they_come_and_go)
{
	g_autoptr(GError) error = NULL;
	Told told = { .wanted = "found" };
	gpointer finder = open_word("auto", VMIFS_MONITOR_NEVER, &told, &error);

	ck_assert_msg(finder != NULL, "%s", error ? error->message : "");
	ck_assert_uint_eq(told.n_found, 0);
	for (guint i = 1; i <= 2; i++) {
		pid_t pid = pretend_start("qemu-system-x86_64", usual, NULL);
		wait_for(&told, &told.n_found, i);
		pretend_end(pid);
		if (i == 1)
			wait_for(&told, &told.n_gone, 1);
	}
	vmifs_finder_qemu.close(finder);
	told_clear(&told);
}
END_TEST

START_TEST(guests_that_run_are_told_before_open_returns)
{
	Told told = { .wanted = "found" };
	pid_t pid = pretend_start("qemu-system-x86_64", usual, NULL);

	/* One that has only just started is given time to make its memory. */
	g_usleep(600 * 1000);
	gpointer finder = open_word("auto", VMIFS_MONITOR_NEVER, &told, NULL);
	ck_assert_ptr_nonnull(finder);
	ck_assert_uint_eq(told.n_found, 1);
	vmifs_finder_qemu.close(finder);
	pretend_end(pid);
	told_clear(&told);
}
END_TEST

/* As many as it takes. They stay open. */
static void
keep_busy(const char *socket_name)
{
	g_autofree char *path = pretend_path(socket_name);
	struct sockaddr_un name = { .sun_family = AF_UNIX };
	int fd;

	g_strlcpy(name.sun_path, path, sizeof name.sun_path);
	do {
		fd = socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
		ck_assert_int_ge(fd, 0);
	} while (connect(fd, (struct sockaddr *) &name, sizeof name) == 0);
	ck_assert_int_eq(errno, EAGAIN);
	close(fd);
}

#define N_BUSY 10

/* All of them together would take longer than open() may. On a busy machine some tries do, too. */
START_TEST(busy_monitors_of_others_keep_no_guest_waiting)
{
	Told told = { .wanted = "found" };
	pid_t pids[N_BUSY + 1];

	for (int i = 0; i < N_BUSY; i++) {
		g_autofree char *socket_name = g_strdup_printf("busy%d", i);
		g_autofree char *address = g_strdup_printf("unix:%s,server=on", socket_name);
		const char *const words[] = { "x", "-name", "busy", "-qmp", address, NULL };
		pids[i] = pretend_start("qemu-system-x86_64", words, NULL);
		keep_busy(socket_name);
	}
	pids[N_BUSY] = pretend_start("qemu-system-x86_64", usual, NULL);
	g_usleep(600 * 1000);
	for (int tries = 0; tries < 10 && !told.n_found; tries++) {
		gpointer finder = open_word("auto", VMIFS_MONITOR_BRIEF, &told, NULL);
		guint n_found = told.n_found;
		ck_assert_ptr_nonnull(finder);
		vmifs_finder_qemu.close(finder);
		told.n_found = n_found;
	}
	ck_assert_uint_eq(told.n_found, 1);
	for (int i = 0; i <= N_BUSY; i++)
		pretend_end(pids[i]);
	told_clear(&told);
}
END_TEST

START_TEST(one_that_only_tells_of_itself_is_no_guest)
{
	static const char *const words[] = { "x", "-name", "found", "-machine", "none", NULL };
	Told told = { .wanted = "found" };
	pid_t pid = pretend_start("qemu-system-x86_64", words, NULL);

	g_usleep(600 * 1000);
	gpointer finder = open_word("auto", VMIFS_MONITOR_NEVER, &told, NULL);
	ck_assert_ptr_nonnull(finder);
	vmifs_finder_qemu.close(finder);
	ck_assert_uint_eq(told.n_found, 0);
	pretend_end(pid);
}
END_TEST

START_TEST(word_that_finds_nothing_says_what_was_seen)
{
	g_autofree char *own = g_strdup_printf("pid:%d", (int) getpid());
	g_autofree char *missing = pretend_path("none");
	g_autofree char *socket = g_strconcat("qmp:", missing, NULL);
	const struct {
		const char *word, *seen;
	} cases[] = {
		{ "pid:", "that is no number of a process" },
		{ "pid:12x", "that is no number of a process" },
		{ "pid:2147483647", "there is none of that number; pgrep -a qemu" },
		{ own, "which is no QEMU" },
		{ socket, "No such file or directory; give the socket" },
		{ "qemu+tcp://localhost:1/system", "" },
		{ "xen:///system", "driver 'xen' has no guests whose memory can be read; running" },
		{ "xen+ssh://host/system", "driver 'xen' has" },
		{ "qemux:///system", "driver 'qemux' has" },
		{ "test:///default", "qemu:///system" },
	};
	for (gsize i = 0; i < G_N_ELEMENTS(cases); i++) {
		g_autoptr(GError) error = NULL;
		Told told = { .wanted = "found" };
		ck_assert_ptr_null(open_word(cases[i].word, VMIFS_MONITOR_NEVER, &told, &error));
		ck_assert_msg(g_str_has_prefix(error->message, cases[i].word) &&
				      strstr(error->message, cases[i].seen),
			      "%s: %s", cases[i].word, error->message);
	}
}
END_TEST

static Suite *
make_suite(void)
{
	Suite *suite = suite_create("qemu-find");
	TCase *tests = tcase_create("qemu-find");

	tcase_add_checked_fixture(tests, pretend_enter, pretend_leave);
	tcase_add_test(tests, words_are_known_by_their_text);
	tcase_add_loop_test(tests, without_a_thread_nothing_stays_told, 0, 2);
	tcase_add_test(tests, process_is_told_until_it_ends);
	tcase_add_test(tests, process_behind_a_socket_is_told);
	tcase_add_test(tests, guests_are_told_as_they_come_and_go);
	tcase_add_test(tests, guests_that_run_are_told_before_open_returns);
	tcase_add_test(tests, busy_monitors_of_others_keep_no_guest_waiting);
	tcase_add_test(tests, one_that_only_tells_of_itself_is_no_guest);
	tcase_add_test(tests, word_that_finds_nothing_says_what_was_seen);
	suite_add_tcase(suite, tests);
	return suite;
}

VMIFS_PRETEND_MAIN(make_suite)
