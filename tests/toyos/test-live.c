/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* live: guests that run: they come and go, and nothing of them is held when they have gone. */
#include "live-test.h"

#include <errno.h>
#include <host.h>
#include <sys/stat.h>

/* Has the thread of one that ended gone, too? */
static gboolean
host_has_room(VmifsHost *host)
{
	g_autoptr(GMutexLocker) locker = g_mutex_locker_new(&host->lock);
	return host->n_threads < host->max_threads;
}

START_TEST(guests_are_named_in_the_order_they_were_started)
{
	g_autoptr(LiveGuest) late = live_guest_new("web", 200);
	g_autoptr(LiveGuest) early = live_guest_new("web", 100);
	g_autoptr(LiveGuest) latest = live_guest_new("web", 50);
	live_start(late);
	live_start(early);
	g_autoptr(VmifsHost) host = make_host(NULL);
	g_autoptr(VmifsGuest) first = vmifs_host_find(host, "web");
	g_autoptr(VmifsGuest) second = vmifs_host_find(host, "web~2");
	ck_assert(first && second);
	g_autoptr(GPtrArray) guests = vmifs_host_guests(host);
	ck_assert_uint_eq(guests->len, 2);
	early->ram[0] = 1;
	g_autoptr(VmifsPhysmem) mem = vmifs_guest_physmem(first);
	guint8 byte;
	ck_assert(vmifs_physmem_read(mem, 0, &byte, 1, NULL, NULL));
	ck_assert_uint_eq(byte, 1);
	/* Names that are in use stay. */
	live_start(latest);
	await(is_listed(host, "web~3"));
	live_end(early);
	live_end(late);
	live_end(latest);
	await(!is_listed(host, "web") && !is_listed(host, "web~2") && !is_listed(host, "web~3"));
}
END_TEST

START_TEST(what_runs_in_a_guest_is_known_when_it_is_added)
{
	g_autoptr(LiveGuest) live = live_guest_new("web", 1);
	boot(live, 0x8000, 7);
	live_start(live);
	g_autoptr(VmifsHost) host = make_host(NULL);
	g_autoptr(VmifsGuest) guest = vmifs_host_find(host, "web");
	const VmifsCall now = { .deadline = 1 };
	ck_assert(vmifs_guest_wait(guest, &now, NULL));
}
END_TEST

START_TEST(guest_that_two_finders_tell_of_is_shown_once)
{
	g_auto(Running) it = prepare();
	run(&it, NULL);
	g_autoptr(GString) sources = g_string_new(NULL);
	ck_assert(vmifs_host_add(it.host, "own=live:again", NULL));
	g_autoptr(GPtrArray) guests = vmifs_host_guests(it.host);
	ck_assert_uint_eq(guests->len, 1);
	ck_assert_int_eq(it.live->n_open, 1);
	vmifs_host_sources(it.host, sources);
	ck_assert_str_eq(sources->str,
			 "live:all: test: guest web\nown=live:again: test: guest web\n");
	live_end(it.live);
	await(!is_listed(it.host, "web"));
}
END_TEST

START_TEST(sources_are_opened_at_the_same_time_and_named_in_their_order)
{
	g_autoptr(LiveGuest) live = live_guest_new("web", 1);
	VmifsOptions none = { .size = sizeof none };
	const char *specs[16] = { "live:slow200nothing", "first=live:slow400",
				  "second=live:slow0" };
	GError *errors[16] = { NULL };
	live_start(live);
	g_autoptr(VmifsHost) host = vmifs_host_new(&none, NULL);
	for (guint i = 3; i < 16; i++)
		specs[i] = "live:slow200";
	gint64 start = g_get_monotonic_time();
	vmifs_host_add_all(host, specs, 16, errors);
	/* One after the other they take 3.2 s. */
	ck_assert_int_lt(g_get_monotonic_time() - start, 2 * G_USEC_PER_SEC);
	ck_assert(g_error_matches(errors[0], VMIFS_ERROR, VMIFS_ERROR_SOURCE));
	g_clear_error(&errors[0]);
	for (guint i = 0; i < 16; i++)
		ck_assert_ptr_null(errors[i]);
	g_autoptr(GPtrArray) guests = vmifs_host_guests(host);
	ck_assert_uint_eq(guests->len, 1);
	ck_assert_str_eq(vmifs_guest_name(guests->pdata[0]), "first");
	live_end(live);
	await(!is_listed(host, "first"));
}
END_TEST

START_TEST(too_many_guests_are_not_shown)
{
	LiveGuest *lives[5];
	VmifsOptions none = { .size = sizeof none };
	VmifsHost *host = vmifs_host_new(&none, NULL);
	g_autoptr(GString) log = g_string_new(NULL);
	host->max_threads = 3; /* as many as 4,096 */
	for (guint i = 0; i < G_N_ELEMENTS(lives); i++) {
		g_autofree char *name = g_strdup_printf("g%u", i);
		lives[i] = live_guest_new(name, i);
		live_start(lives[i]);
	}
	ck_assert(vmifs_host_add(host, "live:all", NULL));
	await(is_listed(host, "g0") && is_listed(host, "g1") && is_listed(host, "g2"));
	ck_assert(!is_listed(host, "g3") && !is_listed(host, "g4"));
	vmifs_host_log_text(host, log);
	ck_assert_msg(strstr(log->str, "guest g3 (live:g3): it is not shown: there are too many"),
		      "%s", log->str);
	/* There is room again. */
	live_end(lives[1]);
	await(!is_listed(host, "g1"));
	live_end(lives[4]);
	await(host_has_room(host));
	live_start(lives[4]);
	await(is_listed(host, "g4"));
	vmifs_host_free(host);
	for (guint i = 0; i < G_N_ELEMENTS(lives); i++)
		live_guest_free(lives[i]);
}
END_TEST

static const struct {
	const char *spec;
	gboolean works;
	const char *sources, *log; /* log: (nullable) */
} several[] = {
	{ "live:two", TRUE, "live:two: test: guest web\nlive:two: second: guest web\n" },
	{ "live:two-one", TRUE,
	  "live:two-one: test: guest web\n"
	  "live:two-one: second: live:two-one: nor does anybody here\n",
	  "source live:two-one: second: live:two-one: nor does anybody here" },
	{ "live:two-nothing", FALSE,
	  "live:two-nothing: live:two-nothing: nobody answers; "
	  "live:two-nothing: nor does anybody here\n",
	  "source live:two-nothing: live:two-nothing: nobody answers; " },
};

START_TEST(word_works_when_one_of_its_finders_does)
{
	g_autoptr(LiveGuest) live = live_guest_new("web", 1);
	VmifsOptions none = { .size = sizeof none };
	live_start(live);
	g_autoptr(VmifsHost) host = vmifs_host_new(&none, NULL);
	g_autoptr(GError) error = NULL;
	g_autoptr(GString) sources = g_string_new(NULL);
	g_autoptr(GString) log = g_string_new(NULL);
	ck_assert_int_eq(vmifs_host_add(host, several[_i].spec, &error), several[_i].works);
	ck_assert(several[_i].works || g_error_matches(error, VMIFS_ERROR, VMIFS_ERROR_SOURCE));
	ck_assert_int_eq(is_listed(host, "web"), several[_i].works);
	vmifs_host_sources(host, sources);
	ck_assert_str_eq(sources->str, several[_i].sources);
	vmifs_host_log_text(host, log);
	ck_assert_msg(several[_i].log ? strstr(log->str, several[_i].log) != NULL : !log->len, "%s",
		      log->str);
}
END_TEST

START_TEST(what_is_said_of_files_is_refused)
{
	const VmifsOptions options[] = {
		{ .size = sizeof options[0], .has_base = TRUE },
		{ .size = sizeof options[0], .format = "raw" },
	};
	const char *const words[] = { "base=", "format=raw" };
	g_autoptr(VmifsHost) host = vmifs_host_new(&options[_i], NULL);
	g_autoptr(GError) error = NULL;
	ck_assert(!vmifs_host_add(host, "live:all", &error));
	ck_assert_int_eq(error->code, VMIFS_ERROR_INVALID);
	ck_assert_msg(strstr(error->message, words[_i]) != NULL, "%s", error->message);
}
END_TEST

START_TEST(guest_that_cannot_be_opened_yet_is_tried_again)
{
	g_auto(Running) it = prepare();
	it.live->fails = 2;
	run(&it, NULL);
	g_autoptr(GString) log = g_string_new(NULL);
	vmifs_host_log_text(it.host, log);
	ck_assert_msg(strstr(log->str, "guest web (live:web): not yet"), "%s", log->str);
	g_autoptr(GString) sources = g_string_new(NULL);
	vmifs_host_sources(it.host, sources);
	ck_assert_str_eq(sources->str, "live:all: test: guest web\n");
}
END_TEST

START_TEST(guest_that_cannot_be_opened_is_told_of_with_the_reason)
{
	g_auto(Running) it = prepare();
	it.live->fails = 1000000;
	live_start(it.live);
	it.host = make_host(NULL);
	g_autoptr(GString) sources = g_string_new(NULL);
	vmifs_host_sources(it.host, sources);
	ck_assert_str_eq(sources->str, "live:all: test: guest web; web is not shown: not yet\n");
}
END_TEST

START_TEST(finder_that_fails_says_so)
{
	VmifsOptions options = { .size = sizeof options };
	g_autoptr(VmifsHost) host = vmifs_host_new(&options, NULL);
	g_autoptr(GError) error = NULL;
	g_autoptr(GString) sources = g_string_new(NULL);
	ck_assert(vmifs_host_is_word("live:nothing"));
	ck_assert(!vmifs_host_add(host, "live:nothing", &error));
	ck_assert_str_eq(error->message, "live:nothing: nobody answers");
	vmifs_host_sources(host, sources);
	ck_assert_str_eq(sources->str, "live:nothing: live:nothing: nobody answers\n");
}
END_TEST

typedef struct {
	gint counts[3]; /* atomic */
} Told;

static void
count_event(VmifsHostEvent event, VmifsGuest *guest, gpointer user)
{
	Told *told = user;
	g_atomic_int_inc(&told->counts[event]);
}

START_TEST(listener_is_told_of_guests_and_their_boots)
{
	g_autoptr(LiveGuest) live = live_guest_new("web", 1);
	Told told = { 0 };
	VmifsOptions options = { .size = sizeof options };
	g_autoptr(VmifsHost) host = vmifs_host_new(&options, NULL);
	vmifs_host_listen(host, count_event, &told);
	ck_assert(vmifs_host_add(host, "live:all", NULL));
	live_start(live);
	await(g_atomic_int_get(&told.counts[VMIFS_HOST_GUEST_ADDED]) == 1);
	await(g_atomic_int_get(&told.counts[VMIFS_HOST_GUEST_CHANGED]) >= 1);
	live_end(live);
	await(g_atomic_int_get(&told.counts[VMIFS_HOST_GUEST_GONE]) == 1);
	vmifs_host_listen(host, NULL, NULL);
}
END_TEST

/* Does this process still map, or hold open, the memory? */
static gboolean
is_held(const LiveGuest *live)
{
	g_autofree char *maps = NULL;
	guint n = 0;
	struct stat own, other;
	ck_assert(g_file_get_contents("/proc/self/maps", &maps, NULL, NULL));
	for (const char *at = maps; (at = strstr(at, "vmifs-live")); at++)
		n++;
	ck_assert_int_eq(fstat(live->fd, &own), 0);
	for (int fd = 0; fd < 256; fd++)
		n += fd != live->fd && !fstat(fd, &other) && other.st_ino == own.st_ino &&
		     other.st_dev == own.st_dev;
	return n > 1; /* the test's own mapping */
}

START_TEST(nothing_is_held_of_a_guest_that_has_gone)
{
	g_auto(Running) it = prepare();
	it.live->unmapped = _i % 2 != 0;
	boot(it.live, 0x8000, 7);
	run(&it, NULL);
	g_autoptr(VmifsTaskList) tasks = vmifs_guest_tasks(it.guest, NULL, NULL);
	const VmifsTask *task = vmifs_task_list_find(tasks, 7);
	g_autoptr(VmifsAspace) aspace = vmifs_guest_task_aspace(it.guest, task, NULL, NULL);
	g_autoptr(VmifsPhysmem) mem = vmifs_guest_physmem(it.guest);
	guint generation = vmifs_guest_generation(it.guest);
	char text[16];
	ck_assert(vmifs_aspace_read(aspace, 0x1000, text, 11, NULL));
	ck_assert_str_eq(text, "its memory");
	ck_assert(is_held(it.live));

	/* The finder, or the backend, which knows first. */
	if (_i / 2)
		live_changed(it.live, VMIFS_CHANGE_GONE);
	else
		live_end(it.live);
	await(!is_listed(it.host, "web"));
	await(g_atomic_int_get(&it.live->n_open) == 0);
	ck_assert(!is_held(it.live));
	ck_assert_int_eq(vmifs_guest_state(it.guest, NULL), VMIFS_STATE_GONE);
	ck_assert_uint_ne(vmifs_guest_generation(it.guest), generation);
	GError *errors[4] = { NULL };
	ck_assert(!vmifs_aspace_read(aspace, 0x1000, text, 11, &errors[0]));
	ck_assert(!vmifs_physmem_read(mem, 0x5000, text, 8, NULL, &errors[1]));
	ck_assert_ptr_null(vmifs_guest_tasks(it.guest, NULL, &errors[2]));
	ck_assert_ptr_null(vmifs_guest_task_vmas(it.guest, task, NULL, &errors[3]));
	for (guint i = 0; i < 4; i++) {
		ck_assert_msg(vmifs_error_to_errno(errors[i]) == ESTALE, "%u: %s", i,
			      errors[i]->message);
		g_clear_error(&errors[i]);
	}
	if (_i / 2) {
		/* A finder that is late does not bring it back. */
		ck_assert(vmifs_host_add(it.host, "live:late", NULL));
		ck_assert(!is_listed(it.host, "web"));
		live_end(it.live);
	}
}
END_TEST

typedef struct {
	VmifsPhysmem *mem;
	VmifsAspace *aspace;
	gint ended; /* atomic */
} Reader;

/* Until the guest has gone; whatever is read until then is right. */
static gpointer
read_on(gpointer data)
{
	Reader *reader = data;
	for (;;) {
		g_autoptr(GError) error = NULL;
		g_auto(VmifsSegments) segments;
		char text[16];
		vmifs_segments_init(&segments);
		vmifs_aspace_gather(reader->aspace, 0x1000, 11, VMIFS_GATHER_STOP_AT_HOLE,
				    &segments, NULL, NULL);
		if (!vmifs_physmem_read(reader->mem, 0x20000, text, 11, NULL, &error) ||
		    !vmifs_aspace_read(reader->aspace, 0x1000, text, 11, &error)) {
			g_assert_error(error, VMIFS_ERROR, VMIFS_ERROR_STALE);
			g_atomic_int_inc(&reader->ended);
			return NULL;
		}
		g_assert_cmpstr(text, ==, "its memory");
	}
}

START_TEST(readers_of_a_guest_that_goes_learn_of_it)
{
	g_auto(Running) it = prepare();
	GThread *threads[4];
	it.live->unmapped = _i;
	boot(it.live, 0x8000, 7);
	run(&it, NULL);
	g_autoptr(VmifsTaskList) tasks = vmifs_guest_tasks(it.guest, NULL, NULL);
	g_autoptr(VmifsAspace) aspace =
		vmifs_guest_task_aspace(it.guest, vmifs_task_list_find(tasks, 7), NULL, NULL);
	g_autoptr(VmifsPhysmem) mem = vmifs_guest_physmem(it.guest);
	Reader reader = { .mem = mem, .aspace = aspace };
	for (guint i = 0; i < G_N_ELEMENTS(threads); i++)
		threads[i] = g_thread_new("reader", read_on, &reader);
	g_usleep(50 * G_TIME_SPAN_MILLISECOND);
	live_end(it.live);
	for (guint i = 0; i < G_N_ELEMENTS(threads); i++)
		g_thread_join(threads[i]);
	ck_assert_int_eq(reader.ended, G_N_ELEMENTS(threads));
	await(g_atomic_int_get(&it.live->n_open) == 0);
}
END_TEST

static Suite *
make_suite(void)
{
	Suite *s = suite_create("live");
	TCase *t = tcase_create("live");
	tcase_set_timeout(t, 30);
	tcase_add_test(t, guests_are_named_in_the_order_they_were_started);
	tcase_add_test(t, what_runs_in_a_guest_is_known_when_it_is_added);
	tcase_add_test(t, guest_that_two_finders_tell_of_is_shown_once);
	tcase_add_loop_test(t, word_works_when_one_of_its_finders_does, 0, G_N_ELEMENTS(several));
	tcase_add_loop_test(t, what_is_said_of_files_is_refused, 0, 2);
	tcase_add_test(t, sources_are_opened_at_the_same_time_and_named_in_their_order);
	tcase_add_test(t, too_many_guests_are_not_shown);
	tcase_add_test(t, guest_that_cannot_be_opened_yet_is_tried_again);
	tcase_add_test(t, guest_that_cannot_be_opened_is_told_of_with_the_reason);
	tcase_add_test(t, finder_that_fails_says_so);
	tcase_add_test(t, listener_is_told_of_guests_and_their_boots);
	tcase_add_loop_test(t, nothing_is_held_of_a_guest_that_has_gone, 0, 4);
	tcase_add_loop_test(t, readers_of_a_guest_that_goes_learn_of_it, 0, 2);
	suite_add_tcase(s, t);
	return s;
}

VMIFS_UNIT_MAIN(make_suite)
