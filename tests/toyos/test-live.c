/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * live: guests that run: they come and go, boot, change under their readers and are written to; and
 * nothing of them is held when they have gone.
 */
#include <unit.h>

#include "live-test.h"

#include <errno.h>
#include <sys/stat.h>
#include <unistd.h>
#include <vmifs/vmifs.h>

/* ---- coming and going ---- */

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

START_TEST(guest_that_two_finders_tell_of_is_shown_once)
{
	g_autoptr(LiveGuest) live = live_guest_new("web", 1);
	live_start(live);
	g_autoptr(VmifsHost) host = make_host(NULL);
	g_autoptr(GString) sources = g_string_new(NULL);
	ck_assert(vmifs_host_add(host, "own=live:again", NULL));
	g_autoptr(GPtrArray) guests = vmifs_host_guests(host);
	ck_assert_uint_eq(guests->len, 1);
	ck_assert_int_eq(live->n_open, 1);
	vmifs_host_sources(host, sources);
	ck_assert_str_eq(sources->str,
			 "live:all: test: guest web\nown=live:again: test: guest web\n");
	live_end(live);
	await(!is_listed(host, "web"));
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

START_TEST(where_memory_lies_is_not_the_user_s_to_say)
{
	VmifsOptions options = { .size = sizeof options, .has_base = TRUE };
	g_autoptr(VmifsHost) host = vmifs_host_new(&options, NULL);
	g_autoptr(GError) error = NULL;
	ck_assert(!vmifs_host_add(host, "live:all", &error));
	ck_assert_int_eq(error->code, VMIFS_ERROR_INVALID);
	ck_assert_msg(strstr(error->message, "base=") != NULL, "%s", error->message);
}
END_TEST

START_TEST(guest_that_cannot_be_opened_yet_is_tried_again)
{
	g_autoptr(LiveGuest) live = live_guest_new("slow", 1);
	live->fails = 2;
	live_start(live);
	g_autoptr(VmifsHost) host = make_host(NULL);
	g_autoptr(GString) log = g_string_new(NULL);
	await(is_listed(host, "slow"));
	vmifs_host_log_text(host, log);
	ck_assert_msg(strstr(log->str, "guest slow (live:slow): not yet"), "%s", log->str);
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
	g_autoptr(LiveGuest) live = live_guest_new("web", 1);
	live->unmapped = _i % 2 != 0;
	boot(live, 0x8000, 7);
	live_start(live);
	g_autoptr(VmifsHost) host = make_host(NULL);
	g_autoptr(VmifsGuest) guest = vmifs_host_find(host, "web");
	g_autoptr(VmifsTaskList) tasks = vmifs_guest_tasks(guest, NULL, NULL);
	const VmifsTask *task = vmifs_task_list_find(tasks, 7);
	g_autoptr(VmifsAspace) aspace = vmifs_guest_task_aspace(guest, task, NULL, NULL);
	g_autoptr(VmifsPhysmem) mem = vmifs_guest_physmem(guest);
	guint generation = vmifs_guest_generation(guest);
	char text[16];
	ck_assert(vmifs_aspace_read(aspace, 0x1000, text, 11, NULL));
	ck_assert_str_eq(text, "its memory");
	ck_assert(is_held(live));

	/* The finder, or the backend, which knows first. */
	if (_i / 2)
		live_changed(live, VMIFS_CHANGE_GONE);
	else
		live_end(live);
	await(!is_listed(host, "web"));
	await(g_atomic_int_get(&live->n_open) == 0);
	ck_assert(!is_held(live));
	ck_assert_int_eq(vmifs_guest_state(guest, NULL), VMIFS_STATE_GONE);
	ck_assert_uint_ne(vmifs_guest_generation(guest), generation);
	GError *errors[4] = { NULL };
	ck_assert(!vmifs_aspace_read(aspace, 0x1000, text, 11, &errors[0]));
	ck_assert(!vmifs_physmem_read(mem, 0x5000, text, 8, NULL, &errors[1]));
	ck_assert_ptr_null(vmifs_guest_tasks(guest, NULL, &errors[2]));
	ck_assert_ptr_null(vmifs_guest_task_vmas(guest, task, NULL, &errors[3]));
	for (guint i = 0; i < 4; i++) {
		ck_assert_msg(vmifs_error_to_errno(errors[i]) == ESTALE, "%u: %s", i,
			      errors[i]->message);
		g_clear_error(&errors[i]);
	}
	if (_i / 2) {
		/* A finder that is late does not bring it back. */
		ck_assert(vmifs_host_add(host, "live:late", NULL));
		ck_assert(!is_listed(host, "web"));
		live_end(live);
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
	g_autoptr(LiveGuest) live = live_guest_new("web", 1);
	GThread *threads[4];
	live->unmapped = _i;
	boot(live, 0x8000, 7);
	live_start(live);
	g_autoptr(VmifsHost) host = make_host(NULL);
	g_autoptr(VmifsGuest) guest = vmifs_host_find(host, "web");
	g_autoptr(VmifsTaskList) tasks = vmifs_guest_tasks(guest, NULL, NULL);
	g_autoptr(VmifsAspace) aspace =
		vmifs_guest_task_aspace(guest, vmifs_task_list_find(tasks, 7), NULL, NULL);
	g_autoptr(VmifsPhysmem) mem = vmifs_guest_physmem(guest);
	Reader reader = { .mem = mem, .aspace = aspace };
	for (guint i = 0; i < G_N_ELEMENTS(threads); i++)
		threads[i] = g_thread_new("reader", read_on, &reader);
	g_usleep(50 * G_TIME_SPAN_MILLISECOND);
	live_end(live);
	for (guint i = 0; i < G_N_ELEMENTS(threads); i++)
		g_thread_join(threads[i]);
	ck_assert_int_eq(reader.ended, G_N_ELEMENTS(threads));
	await(g_atomic_int_get(&live->n_open) == 0);
}
END_TEST

/* ---- boots ---- */

START_TEST(kernel_that_boots_later_is_found)
{
	g_autoptr(LiveGuest) live = live_guest_new("web", 1);
	live_start(live);
	g_autoptr(VmifsHost) host = make_host(NULL);
	g_autoptr(VmifsGuest) guest = vmifs_host_find(host, "web");
	g_autoptr(GError) error = NULL;
	ck_assert(!vmifs_guest_wait(guest, NULL, &error));
	ck_assert_int_eq(error->code, VMIFS_ERROR_UNSUPPORTED);
	guint generation = vmifs_guest_generation(guest);
	boot(live, 0x8000, 7);
	await(vmifs_guest_wait(guest, NULL, NULL));
	ck_assert_uint_eq(first_pid(guest), 7);
	/* Nothing was made under an earlier kernel. */
	ck_assert_uint_eq(vmifs_guest_generation(guest), generation);
}
END_TEST

START_TEST(what_was_made_under_an_earlier_boot_is_stale)
{
	g_autoptr(LiveGuest) live = live_guest_new("web", 1);
	gsize n;
	boot(live, 0x8000, 7);
	live_start(live);
	g_autoptr(VmifsHost) host = make_host(NULL);
	g_autoptr(VmifsGuest) guest = vmifs_host_find(host, "web");
	g_autoptr(VmifsTaskList) tasks = vmifs_guest_tasks(guest, NULL, NULL);
	const VmifsTask *task = vmifs_task_list_find(tasks, 7);
	guint generation = vmifs_guest_generation(guest);
	halt(live);
	boot(live, 0x9000, 8);
	await(vmifs_guest_generation(guest) == generation + 1);
	await(first_pid(guest) == 8);
	g_autoptr(GError) error = NULL;
	g_autoptr(GString) text = g_string_new(NULL);
	ck_assert_ptr_null(vmifs_guest_task_aspace(guest, task, NULL, &error));
	ck_assert_int_eq(error->code, VMIFS_ERROR_STALE);
	g_clear_error(&error);
	const VmifsView *views = vmifs_guest_views(guest, &n);
	ck_assert_uint_eq(n, 2);
	ck_assert(!vmifs_guest_render(guest, views, task, NULL, text, NULL, &error));
	ck_assert_int_eq(error->code, VMIFS_ERROR_STALE);
	g_clear_error(&error);
	static const VmifsView others = { .name = "of another system" };
	ck_assert(!vmifs_guest_render(guest, &others, NULL, NULL, text, NULL, &error));
	ck_assert_int_eq(error->code, VMIFS_ERROR_STALE);
}
END_TEST

START_TEST(memory_of_another_moment_ends_the_boot)
{
	g_autoptr(LiveGuest) live = live_guest_new("web", 1);
	boot(live, 0x8000, 7);
	live_start(live);
	g_autoptr(VmifsHost) host = make_host(NULL);
	g_autoptr(VmifsGuest) guest = vmifs_host_find(host, "web");
	guint generation = vmifs_guest_generation(guest);
	ck_assert_uint_eq(first_pid(guest), 7);
	live_put(live, 0x8000, 9);
	live_changed(live, VMIFS_CHANGE_CONTENT);
	await(vmifs_guest_generation(guest) == generation + 1);
	await(first_pid(guest) == 9);
}
END_TEST

static gboolean
is_other_memory(VmifsGuest *guest, const VmifsPhysmem *before)
{
	g_autoptr(VmifsPhysmem) mem = vmifs_guest_physmem(guest);
	return mem != before;
}

/* Is a task of before the change read in the new memory? */
static gboolean
is_task_over(VmifsGuest *guest, const VmifsTask *task, const VmifsPhysmem *mem)
{
	g_autoptr(VmifsAspace) aspace = vmifs_guest_task_aspace(guest, task, NULL, NULL);
	ck_assert_ptr_nonnull(aspace);
	return vmifs_aspace_physmem(aspace) == mem;
}

/* A reset leaves a kernel in memory, and the next one lies elsewhere. */
START_TEST(kernel_in_which_nothing_moves_gives_way_to_one_that_runs)
{
	g_autoptr(LiveGuest) live = live_guest_new("web", 1);
	boot(live, 0x8000, 7);
	live_start(live);
	g_autoptr(VmifsHost) host = make_host(NULL);
	g_autoptr(VmifsGuest) guest = vmifs_host_find(host, "web");
	guint generation = vmifs_guest_generation(guest);
	ck_assert_uint_eq(first_pid(guest), 7);
	/* The other: the same tables at another place, and the old one's header says it is over. */
	memcpy(live->ram + 0x30000, live->ram + 0x1000, 0x1000);
	memcpy(live->ram + 0x31000, live->ram + 0x8000, 0x1000);
	live_put(live, 0x31000, 8);
	live_put(live, 0x4000 + 8 * 0x31, 0x31003);
	memcpy(live->ram + 0x6000, live->ram + 0x5000, 0x28);
	live_put(live, 0x6008, 0x30000);
	live_put(live, 0x6010, TASKS + 0x31000);
	live_put(live, 0x5018, 1);
	live_put(live, 0x5020, (guint64) 1 << 32);
	await(vmifs_guest_generation(guest) == generation + 1);
	await(first_pid(guest) == 8);
}
END_TEST

START_TEST(layout_change_keeps_the_boot_and_its_tasks)
{
	g_autoptr(LiveGuest) live = live_guest_new("web", 1);
	guint8 byte;
	boot(live, 0x8000, 7);
	live_start(live);
	g_autoptr(VmifsHost) host = make_host(NULL);
	g_autoptr(VmifsGuest) guest = vmifs_host_find(host, "web");
	g_autoptr(VmifsTaskList) tasks = vmifs_guest_tasks(guest, NULL, NULL);
	const VmifsTask *task = vmifs_task_list_find(tasks, 7);
	g_autoptr(VmifsPhysmem) before = vmifs_guest_physmem(guest);
	guint generation = vmifs_guest_generation(guest);
	g_autoptr(VmifsPhysmem) mem = NULL;
	g_atomic_int_set((gint *) &live->more, 4);
	live_changed(live, VMIFS_CHANGE_LAYOUT);
	await(is_other_memory(guest, before));
	mem = vmifs_guest_physmem(guest);
	ck_assert(vmifs_physmem_read(mem, 0x100000, &byte, 1, NULL, NULL));
	ck_assert_uint_eq(byte, 0x5a);
	ck_assert_uint_eq(vmifs_guest_generation(guest), generation);
	/* What held the old layout reads what that described. */
	ck_assert(vmifs_physmem_read(before, 0, &byte, 1, NULL, NULL));
	ck_assert(!vmifs_physmem_read(before, 0x100000, &byte, 1, NULL, NULL));
	await(is_task_over(guest, task, mem));
}
END_TEST

/* ---- how old things may be ---- */

START_TEST(translations_and_lists_are_as_old_as_allowed)
{
	VmifsOptions options = { .size = sizeof options, .cache_ms = _i ? 2000 : 0 };
	g_autoptr(LiveGuest) live = live_guest_new("web", 1);
	boot(live, 0x8000, 7);
	live_start(live);
	g_autoptr(VmifsHost) host = make_host(&options);
	g_autoptr(VmifsGuest) guest = vmifs_host_find(host, "web");
	ck_assert_uint_eq(first_pid(guest), 7);
	live_put(live, 0x8000, 9);
	ck_assert_uint_eq(first_pid(guest), _i ? 7 : 9);
	await(first_pid(guest) == 9);
}
END_TEST

START_TEST(memory_that_is_not_mapped_is_read_once_an_epoch)
{
	VmifsOptions options = { .size = sizeof options, .cache_ms = 60000 };
	g_autoptr(LiveGuest) live = live_guest_new("web", 1);
	char text[16];
	live->unmapped = TRUE;
	boot(live, 0x8000, 7);
	live_start(live);
	g_autoptr(VmifsHost) host = make_host(&options);
	g_autoptr(VmifsGuest) guest = vmifs_host_find(host, "web");
	g_autoptr(VmifsTaskList) tasks = vmifs_guest_tasks(guest, NULL, NULL);
	g_autoptr(VmifsAspace) aspace =
		vmifs_guest_task_aspace(guest, vmifs_task_list_find(tasks, 7), NULL, NULL);
	ck_assert(vmifs_aspace_read(aspace, 0x1000, text, 11, NULL));
	gint before = g_atomic_int_get(&live->n_read);
	for (guint i = 0; i < 1000; i++)
		ck_assert(vmifs_aspace_read(aspace, 0x1000, text, 11, NULL));
	/* The guest's own thread reads a word now and then. */
	ck_assert_int_lt(g_atomic_int_get(&live->n_read) - before, 50);
	/* What is asked for as memory is read when it is asked for. */
	g_auto(VmifsSegments) segments;
	vmifs_segments_init(&segments);
	memcpy(live->ram + 0x20000, "new", 3);
	ck_assert_uint_eq(vmifs_aspace_gather(aspace, 0x1000, 3, VMIFS_GATHER_STOP_AT_HOLE,
					      &segments, NULL, NULL),
			  3);
	const struct iovec *iov = &g_array_index(segments.iov, struct iovec, 0);
	ck_assert_int_eq(memcmp(iov->iov_base, "new", 3), 0);
}
END_TEST

START_TEST(list_that_does_not_hang_together_is_read_again)
{
	g_autoptr(LiveGuest) live = live_guest_new("web", 1);
	boot(live, 0x8000, 7);
	live_start(live);
	g_autoptr(VmifsHost) host = make_host(NULL);
	g_autoptr(VmifsGuest) guest = vmifs_host_find(host, "web");
	g_autoptr(GString) log = g_string_new(NULL);
	ck_assert(vmifs_guest_wait(guest, NULL, NULL));
	live_put(live, 0x5020, 1);
	gint64 start = g_get_monotonic_time();
	g_autoptr(VmifsTaskList) partial = vmifs_guest_tasks(guest, NULL, NULL);
	ck_assert(!vmifs_task_list_is_complete(partial));
	ck_assert_int_ge(g_get_monotonic_time() - start, 50 * G_TIME_SPAN_MILLISECOND);
	vmifs_guest_log_text(guest, log);
	ck_assert_msg(strstr(log->str, "the list of tasks is partial"), "%s", log->str);
	live_put(live, 0x5020, 0);
	g_autoptr(VmifsTaskList) whole = vmifs_guest_tasks(guest, NULL, NULL);
	ck_assert(vmifs_task_list_is_complete(whole));
}
END_TEST

/* ---- changing it ---- */

START_TEST(writes_are_seen_at_once_where_they_are_allowed)
{
	VmifsOptions options = { .size = sizeof options, .guest_rw = _i & 1, .cache_ms = 60000 };
	g_autoptr(LiveGuest) live = live_guest_new("web", 1);
	live->unmapped = _i & 2;
	boot(live, 0x8000, 7);
	live_start(live);
	g_autoptr(VmifsHost) host = make_host(&options);
	g_autoptr(VmifsGuest) guest = vmifs_host_find(host, "web");
	g_autoptr(VmifsTaskList) tasks = vmifs_guest_tasks(guest, NULL, NULL);
	g_autoptr(VmifsAspace) aspace =
		vmifs_guest_task_aspace(guest, vmifs_task_list_find(tasks, 7), NULL, NULL);
	g_autoptr(VmifsPhysmem) mem = vmifs_guest_physmem(guest);
	g_autoptr(GError) error = NULL;
	char text[16];
	ck_assert(vmifs_aspace_read(aspace, 0x1000, text, 11, NULL));
	gsize n = vmifs_aspace_write(aspace, 0x1000, "my", 2, NULL, &error);
	if (!(_i & 1)) {
		ck_assert_uint_eq(n, 0);
		ck_assert_int_eq(vmifs_error_to_errno(error), EPERM);
		g_clear_error(&error);
		ck_assert(!vmifs_guest_set_state(guest, VMIFS_STATE_PAUSED, NULL, &error));
		ck_assert_int_eq(vmifs_error_to_errno(error), EPERM);
		return;
	}
	ck_assert_uint_eq(n, 2);
	ck_assert(vmifs_aspace_read(aspace, 0x1000, text, 11, NULL));
	ck_assert_str_eq(text, "mys memory");
	ck_assert(vmifs_physmem_write(mem, 0x20002, "! ", 2, NULL, NULL));
	ck_assert(vmifs_aspace_read(aspace, 0x1000, text, 11, NULL));
	ck_assert_str_eq(text, "my! memory");
	/* Over the end of what is mapped, and of memory. */
	ck_assert_uint_eq(vmifs_aspace_write(aspace, 0x1ffe, "1234", 4, NULL, &error), 2);
	ck_assert_int_eq(error->code, VMIFS_ERROR_HOLE);
	g_clear_error(&error);
	ck_assert(!vmifs_physmem_write(mem, LIVE_LEN - 2, "1234", 4, NULL, &error));
	ck_assert_int_eq(error->code, VMIFS_ERROR_HOLE);
	ck_assert_uint_eq(live->ram[LIVE_LEN - 2], 0);
	ck_assert(vmifs_guest_set_state(guest, VMIFS_STATE_PAUSED, NULL, NULL));
	ck_assert_int_eq(vmifs_guest_state(guest, NULL), VMIFS_STATE_PAUSED);
}
END_TEST

START_TEST(registers_are_asked_for_once_in_a_discovery_or_not_at_all)
{
	g_autoptr(LiveGuest) live = live_guest_new("web", 1);
	live->n_vcpus = 1;
	live->is_silent = _i;
	boot(live, 0x8000, 7);
	live_start(live);
	g_autoptr(VmifsHost) host = make_host(NULL);
	g_autoptr(VmifsGuest) guest = vmifs_host_find(host, "web");
	ck_assert_uint_eq(first_pid(guest), 7);
	ck_assert_int_eq(g_atomic_int_get(&live->n_asked), !_i);
	/* Who needs them asks all the same. */
	g_autoptr(VmifsRegs) regs = vmifs_guest_regs(guest, 0, NULL, NULL);
	ck_assert_ptr_nonnull(regs);
}
END_TEST

START_TEST(nothing_is_looked_for_in_encrypted_memory)
{
	g_autoptr(LiveGuest) live = live_guest_new("web", 1);
	g_autoptr(GError) error = NULL;
	g_autoptr(GString) info = g_string_new(NULL), log = g_string_new(NULL);
	guint8 byte;
	live->unmapped = live->is_encrypted = TRUE;
	boot(live, 0x8000, 7);
	live_start(live);
	g_autoptr(VmifsHost) host = make_host(NULL);
	g_autoptr(VmifsGuest) guest = vmifs_host_find(host, "web");
	ck_assert_ptr_null(vmifs_guest_tasks(guest, NULL, &error));
	ck_assert_int_eq(vmifs_error_to_errno(error), EOPNOTSUPP);
	ck_assert_ptr_nonnull(strstr(error->message, "is encrypted"));
	g_clear_error(&error);
	ck_assert_ptr_null(vmifs_guest_kernel_aspace(guest, NULL, &error));
	ck_assert_ptr_nonnull(strstr(error->message, "is encrypted"));
	ck_assert_int_eq(g_atomic_int_get(&live->n_read), 0);
	vmifs_guest_info(guest, info);
	ck_assert_ptr_nonnull(
		strstr(info->str, "discovery: none: the guest's memory is encrypted\n"));
	await((vmifs_guest_log_text(guest, log), strstr(log->str, "its memory is encrypted")));
	/* Its bytes, whatever they are. */
	g_autoptr(VmifsPhysmem) mem = vmifs_guest_physmem(guest);
	ck_assert(vmifs_physmem_read(mem, 0x5000, &byte, 1, NULL, NULL));
	ck_assert_uint_eq(byte, 'T');
}
END_TEST

static Suite *
make_suite(void)
{
	Suite *s = suite_create("live");
	TCase *t = tcase_create("live");
	tcase_set_timeout(t, 30);
	tcase_add_test(t, guests_are_named_in_the_order_they_were_started);
	tcase_add_test(t, guest_that_two_finders_tell_of_is_shown_once);
	tcase_add_loop_test(t, word_works_when_one_of_its_finders_does, 0, G_N_ELEMENTS(several));
	tcase_add_test(t, where_memory_lies_is_not_the_user_s_to_say);
	tcase_add_test(t, guest_that_cannot_be_opened_yet_is_tried_again);
	tcase_add_test(t, finder_that_fails_says_so);
	tcase_add_test(t, listener_is_told_of_guests_and_their_boots);
	tcase_add_loop_test(t, nothing_is_held_of_a_guest_that_has_gone, 0, 4);
	tcase_add_loop_test(t, readers_of_a_guest_that_goes_learn_of_it, 0, 2);
	tcase_add_test(t, kernel_that_boots_later_is_found);
	tcase_add_test(t, what_was_made_under_an_earlier_boot_is_stale);
	tcase_add_test(t, memory_of_another_moment_ends_the_boot);
	tcase_add_test(t, kernel_in_which_nothing_moves_gives_way_to_one_that_runs);
	tcase_add_loop_test(t, registers_are_asked_for_once_in_a_discovery_or_not_at_all, 0, 2);
	tcase_add_test(t, nothing_is_looked_for_in_encrypted_memory);
	tcase_add_test(t, layout_change_keeps_the_boot_and_its_tasks);
	tcase_add_loop_test(t, translations_and_lists_are_as_old_as_allowed, 0, 2);
	tcase_add_test(t, memory_that_is_not_mapped_is_read_once_an_epoch);
	tcase_add_test(t, list_that_does_not_hang_together_is_read_again);
	tcase_add_loop_test(t, writes_are_seen_at_once_where_they_are_allowed, 0, 4);
	suite_add_tcase(s, t);
	return s;
}

VMIFS_UNIT_MAIN(make_suite)
