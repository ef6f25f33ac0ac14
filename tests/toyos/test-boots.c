/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * boots: a guest boots, and changes under its readers: what they are told is of one boot, and no
 * older than they allow; and what they write is seen.
 */
#include "live-test.h"

#include <errno.h>

/* ---- boots ---- */

START_TEST(kernel_that_boots_later_is_found)
{
	g_auto(Running) it = prepare();
	run(&it, NULL);
	g_autoptr(GError) error = NULL;
	ck_assert(!vmifs_guest_wait(it.guest, NULL, &error));
	ck_assert_int_eq(error->code, VMIFS_ERROR_UNSUPPORTED);
	guint generation = vmifs_guest_generation(it.guest);
	boot(it.live, 0x8000, 7);
	await(vmifs_guest_wait(it.guest, NULL, NULL));
	ck_assert_uint_eq(first_pid(it.guest), 7);
	/* Nothing was made under an earlier kernel. */
	ck_assert_uint_eq(vmifs_guest_generation(it.guest), generation);
}
END_TEST

START_TEST(what_was_made_under_an_earlier_boot_is_stale)
{
	g_auto(Running) it = prepare();
	gsize n;
	boot(it.live, 0x8000, 7);
	run(&it, NULL);
	g_autoptr(VmifsTaskList) tasks = vmifs_guest_tasks(it.guest, NULL, NULL);
	const VmifsTask *task = vmifs_task_list_find(tasks, 7);
	guint generation = vmifs_guest_generation(it.guest);
	halt(it.live);
	boot(it.live, 0x9000, 8);
	await(vmifs_guest_generation(it.guest) == generation + 1);
	await(first_pid(it.guest) == 8);
	g_autoptr(GError) error = NULL;
	g_autoptr(GString) text = g_string_new(NULL);
	ck_assert_ptr_null(vmifs_guest_task_aspace(it.guest, task, NULL, &error));
	ck_assert_int_eq(error->code, VMIFS_ERROR_STALE);
	g_clear_error(&error);
	const VmifsView *views = vmifs_guest_views(it.guest, &n);
	ck_assert_uint_eq(n, 2);
	ck_assert(!vmifs_guest_render(it.guest, views, task, NULL, text, NULL, &error));
	ck_assert_int_eq(error->code, VMIFS_ERROR_STALE);
	g_clear_error(&error);
	static const VmifsView others = { .name = "of another system" };
	ck_assert(!vmifs_guest_render(it.guest, &others, NULL, NULL, text, NULL, &error));
	ck_assert_int_eq(error->code, VMIFS_ERROR_STALE);
}
END_TEST

static gboolean
has_task(VmifsGuest *guest, guint32 pid)
{
	g_autoptr(VmifsTaskList) list = vmifs_guest_tasks(guest, NULL, NULL);
	return list && vmifs_task_list_find(list, pid);
}

/* It is the same boot for it, and what was read before is not stale. */
START_TEST(kernel_that_is_not_understood_yet_is_looked_at_again)
{
	g_auto(Running) it = prepare();
	boot(it.live, 0x8000, 7);
	live_put(it.live, 0x5000 + 40, 1);
	run(&it, NULL);
	guint generation = vmifs_guest_generation(it.guest);
	ck_assert(!has_task(it.guest, 7));
	live_put(it.live, 0x5000 + 40, 2);
	await(has_task(it.guest, 7));
	ck_assert_uint_eq(vmifs_guest_generation(it.guest), generation);
}
END_TEST

START_TEST(memory_of_another_moment_ends_the_boot)
{
	g_auto(Running) it = prepare();
	boot(it.live, 0x8000, 7);
	run(&it, NULL);
	guint generation = vmifs_guest_generation(it.guest);
	ck_assert_uint_eq(first_pid(it.guest), 7);
	live_put(it.live, 0x8000, 9);
	live_changed(it.live, VMIFS_CHANGE_CONTENT);
	await(vmifs_guest_generation(it.guest) == generation + 1);
	await(first_pid(it.guest) == 9);
}
END_TEST

/* A pass takes 20 ms at least, and nothing for 20 times as long. */
START_TEST(guest_that_boots_all_the_time_is_not_searched_each_time)
{
	g_auto(Running) it = prepare();
	it.live->unmapped = TRUE;
	it.live->slow_ms = 20;
	run(&it, NULL);
	ck_assert(!vmifs_guest_wait(it.guest, NULL, NULL));
	gint of_a_pass = g_atomic_int_get(&it.live->n_read);
	gint64 start = g_get_monotonic_time();
	ck_assert_int_gt(of_a_pass, 0);
	for (guint i = 0; i < 50; i++) {
		guint generation = vmifs_guest_generation(it.guest);
		live_changed(it.live, VMIFS_CHANGE_CONTENT);
		await(vmifs_guest_generation(it.guest) == generation + 1);
	}
	ck_assert(!vmifs_guest_wait(it.guest, NULL, NULL));
	gint64 most = 2 + (g_get_monotonic_time() - start) / (400 * G_TIME_SPAN_MILLISECOND);
	ck_assert_int_le(g_atomic_int_get(&it.live->n_read) / of_a_pass, most);
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
	g_auto(Running) it = prepare();
	boot(it.live, 0x8000, 7);
	run(&it, NULL);
	guint generation = vmifs_guest_generation(it.guest);
	ck_assert_uint_eq(first_pid(it.guest), 7);
	/* The other: the same tables at another place, and the old one's header says it is over. */
	memcpy(it.live->ram + 0x30000, it.live->ram + 0x1000, 0x1000);
	memcpy(it.live->ram + 0x31000, it.live->ram + 0x8000, 0x1000);
	live_put(it.live, 0x31000, 8);
	live_put(it.live, 0x4000 + 8 * 0x31, 0x31003);
	memcpy(it.live->ram + 0x6000, it.live->ram + 0x5000, 0x28);
	live_put(it.live, 0x6008, 0x30000);
	live_put(it.live, 0x6010, TASKS + 0x31000);
	live_put(it.live, 0x5018, 1);
	live_put(it.live, 0x5020, (guint64) 1 << 32);
	await(vmifs_guest_generation(it.guest) == generation + 1);
	await(first_pid(it.guest) == 8);
}
END_TEST

START_TEST(layout_change_keeps_the_boot_and_its_tasks)
{
	g_auto(Running) it = prepare();
	guint8 byte;
	boot(it.live, 0x8000, 7);
	run(&it, NULL);
	g_autoptr(VmifsTaskList) tasks = vmifs_guest_tasks(it.guest, NULL, NULL);
	const VmifsTask *task = vmifs_task_list_find(tasks, 7);
	g_autoptr(VmifsPhysmem) before = vmifs_guest_physmem(it.guest);
	guint generation = vmifs_guest_generation(it.guest);
	g_autoptr(VmifsPhysmem) mem = NULL;
	g_atomic_int_set((gint *) &it.live->more, 4);
	live_changed(it.live, VMIFS_CHANGE_LAYOUT);
	await(is_other_memory(it.guest, before));
	mem = vmifs_guest_physmem(it.guest);
	ck_assert(vmifs_physmem_read(mem, 0x100000, &byte, 1, NULL, NULL));
	ck_assert_uint_eq(byte, 0x5a);
	ck_assert_uint_eq(vmifs_guest_generation(it.guest), generation);
	/* What held the old layout reads what that described. */
	ck_assert(vmifs_physmem_read(before, 0, &byte, 1, NULL, NULL));
	ck_assert(!vmifs_physmem_read(before, 0x100000, &byte, 1, NULL, NULL));
	await(is_task_over(it.guest, task, mem));
}
END_TEST

/* ---- how old things may be ---- */

START_TEST(translations_and_lists_are_as_old_as_allowed)
{
	VmifsOptions options = { .size = sizeof options, .cache_ms = _i ? 2000 : 0 };
	g_auto(Running) it = prepare();
	boot(it.live, 0x8000, 7);
	run(&it, &options);
	ck_assert_uint_eq(first_pid(it.guest), 7);
	live_put(it.live, 0x8000, 9);
	ck_assert_uint_eq(first_pid(it.guest), _i ? 7 : 9);
	await(first_pid(it.guest) == 9);
}
END_TEST

START_TEST(memory_that_is_not_mapped_is_read_once_an_epoch)
{
	VmifsOptions options = { .size = sizeof options, .cache_ms = 60000 };
	g_auto(Running) it = prepare();
	char text[16];
	it.live->unmapped = TRUE;
	boot(it.live, 0x8000, 7);
	run(&it, &options);
	g_autoptr(VmifsTaskList) tasks = vmifs_guest_tasks(it.guest, NULL, NULL);
	g_autoptr(VmifsAspace) aspace =
		vmifs_guest_task_aspace(it.guest, vmifs_task_list_find(tasks, 7), NULL, NULL);
	ck_assert(vmifs_aspace_read(aspace, 0x1000, text, 11, NULL));
	gint before = g_atomic_int_get(&it.live->n_read);
	for (guint i = 0; i < 1000; i++)
		ck_assert(vmifs_aspace_read(aspace, 0x1000, text, 11, NULL));
	/* The guest's own thread reads a word now and then. */
	ck_assert_int_lt(g_atomic_int_get(&it.live->n_read) - before, 50);
	/* What is asked for as memory is read when it is asked for. */
	g_auto(VmifsSegments) segments;
	vmifs_segments_init(&segments);
	memcpy(it.live->ram + 0x20000, "new", 3);
	ck_assert_uint_eq(vmifs_aspace_gather(aspace, 0x1000, 3, VMIFS_GATHER_STOP_AT_HOLE,
					      &segments, NULL, NULL),
			  3);
	const struct iovec *iov = &g_array_index(segments.iov, struct iovec, 0);
	ck_assert_int_eq(memcmp(iov->iov_base, "new", 3), 0);
}
END_TEST

START_TEST(list_that_does_not_hang_together_is_read_again)
{
	VmifsOptions options = { .size = sizeof options, .cache_ms = 3600 * 1000 };
	g_auto(Running) it = prepare();
	boot(it.live, 0x8000, 7);
	run(&it, &options);
	g_autoptr(GString) log = g_string_new(NULL);
	ck_assert(vmifs_guest_wait(it.guest, NULL, NULL));
	live_put(it.live, 0x5020, 1);
	gint64 start = g_get_monotonic_time();
	g_autoptr(VmifsTaskList) partial = vmifs_guest_tasks(it.guest, NULL, NULL);
	ck_assert(!vmifs_task_list_is_complete(partial));
	ck_assert_int_ge(g_get_monotonic_time() - start, 50 * G_TIME_SPAN_MILLISECOND);
	vmifs_guest_log_text(it.guest, log);
	ck_assert_msg(strstr(log->str, "the list of tasks is partial"), "%s", log->str);
	/* Whoever asks next does not wait for that again. */
	g_autoptr(VmifsTaskList) same = vmifs_guest_tasks(it.guest, NULL, NULL);
	ck_assert_ptr_eq(same, partial);
}
END_TEST

START_TEST(list_that_hangs_together_again_is_whole)
{
	VmifsOptions options = { .size = sizeof options, .cache_ms = 0 };
	g_auto(Running) it = prepare();
	boot(it.live, 0x8000, 7);
	run(&it, &options);
	ck_assert(vmifs_guest_wait(it.guest, NULL, NULL));
	live_put(it.live, 0x5020, 1);
	g_autoptr(VmifsTaskList) partial = vmifs_guest_tasks(it.guest, NULL, NULL);
	ck_assert(!vmifs_task_list_is_complete(partial));
	live_put(it.live, 0x5020, 0);
	ck_assert(vmifs_guest_wait(it.guest, NULL, NULL));
	g_autoptr(VmifsTaskList) whole = vmifs_guest_tasks(it.guest, NULL, NULL);
	ck_assert(vmifs_task_list_is_complete(whole));
}
END_TEST

static gpointer
settle(gpointer live)
{
	g_usleep(10 * G_TIME_SPAN_MILLISECOND);
	live_put(live, 0x5020, 0);
	return NULL;
}

START_TEST(mappings_that_do_not_hang_together_are_read_again)
{
	g_auto(Running) it = prepare();
	boot(it.live, 0x8000, 7);
	run(&it, NULL);
	g_autoptr(GString) log = g_string_new(NULL);
	g_autoptr(VmifsTaskList) tasks = vmifs_guest_tasks(it.guest, NULL, NULL);
	const VmifsTask *task = vmifs_task_list_find(tasks, 7);
	live_put(it.live, 0x5020, 1);
	GThread *thread = _i ? NULL : g_thread_new("settle", settle, it.live);
	gint64 start = g_get_monotonic_time();
	g_autoptr(GArray) vmas = vmifs_guest_task_vmas(it.guest, task, NULL, NULL);
	gint64 took = g_get_monotonic_time() - start;
	ck_assert_uint_eq(vmas->len, 1);
	vmifs_guest_log_text(it.guest, log);
	if (_i) {
		ck_assert_int_ge(took, 50 * G_TIME_SPAN_MILLISECOND);
		ck_assert_ptr_nonnull(strstr(log->str, "partial, read again and again"));
	} else {
		g_thread_join(thread);
		/* A busy machine may let the other thread sleep longer. */
		ck_assert(took >= 50 * G_TIME_SPAN_MILLISECOND || !strstr(log->str, "partial"));
	}
}
END_TEST

/* ---- changing it ---- */

START_TEST(writes_are_seen_at_once_where_they_are_allowed)
{
	VmifsOptions options = { .size = sizeof options, .guest_rw = _i & 1, .cache_ms = 60000 };
	g_auto(Running) it = prepare();
	it.live->unmapped = _i & 2;
	boot(it.live, 0x8000, 7);
	run(&it, &options);
	g_autoptr(VmifsTaskList) tasks = vmifs_guest_tasks(it.guest, NULL, NULL);
	g_autoptr(VmifsAspace) aspace =
		vmifs_guest_task_aspace(it.guest, vmifs_task_list_find(tasks, 7), NULL, NULL);
	g_autoptr(VmifsPhysmem) mem = vmifs_guest_physmem(it.guest);
	g_autoptr(GError) error = NULL;
	char text[16];
	ck_assert(vmifs_aspace_read(aspace, 0x1000, text, 11, NULL));
	gsize n = vmifs_aspace_write(aspace, 0x1000, "my", 2, NULL, &error);
	if (!(_i & 1)) {
		ck_assert_uint_eq(n, 0);
		ck_assert_int_eq(vmifs_error_to_errno(error), EPERM);
		g_clear_error(&error);
		ck_assert(!vmifs_guest_set_state(it.guest, VMIFS_STATE_PAUSED, NULL, &error));
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
	ck_assert_uint_eq(it.live->ram[LIVE_LEN - 2], 0);
	ck_assert(vmifs_guest_set_state(it.guest, VMIFS_STATE_PAUSED, NULL, NULL));
	ck_assert_int_eq(vmifs_guest_state(it.guest, NULL), VMIFS_STATE_PAUSED);
}
END_TEST

START_TEST(registers_are_asked_for_once_in_a_discovery_or_not_at_all)
{
	g_auto(Running) it = prepare();
	it.live->n_vcpus = 1;
	it.live->is_silent = _i;
	boot(it.live, 0x8000, 7);
	gint64 start = g_get_monotonic_time();
	run(&it, NULL);
	ck_assert_uint_eq(first_pid(it.guest), 7);
	gint n_asked = g_atomic_int_get(&it.live->n_asked);
	/* After a second it is looked whether the kernel still runs; a busy machine may take that.
	 */
	if (g_get_monotonic_time() - start < G_USEC_PER_SEC / 2)
		ck_assert_int_eq(n_asked, !_i);
	ck_assert(_i ? !n_asked : n_asked > 0);
	/* Who needs them asks all the same. */
	g_autoptr(VmifsRegs) regs = vmifs_guest_regs(it.guest, 0, NULL, NULL);
	ck_assert_ptr_nonnull(regs);
}
END_TEST

START_TEST(nothing_is_looked_for_in_encrypted_memory)
{
	g_auto(Running) it = prepare();
	g_autoptr(GError) error = NULL;
	g_autoptr(GString) info = g_string_new(NULL), log = g_string_new(NULL);
	guint8 byte;
	it.live->unmapped = it.live->is_encrypted = TRUE;
	boot(it.live, 0x8000, 7);
	run(&it, NULL);
	ck_assert_ptr_null(vmifs_guest_tasks(it.guest, NULL, &error));
	ck_assert_int_eq(vmifs_error_to_errno(error), EOPNOTSUPP);
	ck_assert_ptr_nonnull(strstr(error->message, "is encrypted"));
	g_clear_error(&error);
	ck_assert_ptr_null(vmifs_guest_kernel_aspace(it.guest, NULL, &error));
	ck_assert_ptr_nonnull(strstr(error->message, "is encrypted"));
	ck_assert_int_eq(g_atomic_int_get(&it.live->n_read), 0);
	vmifs_guest_info(it.guest, info);
	ck_assert_ptr_nonnull(
		strstr(info->str, "discovery: none: the guest's memory is encrypted\n"));
	await((vmifs_guest_log_text(it.guest, log), strstr(log->str, "its memory is encrypted")));
	/* Its bytes, whatever they are. */
	g_autoptr(VmifsPhysmem) mem = vmifs_guest_physmem(it.guest);
	ck_assert(vmifs_physmem_read(mem, 0x5000, &byte, 1, NULL, NULL));
	ck_assert_uint_eq(byte, 'T');
}
END_TEST

static Suite *
make_suite(void)
{
	Suite *s = suite_create("boots");
	TCase *t = tcase_create("boots");
	tcase_set_timeout(t, 30);
	tcase_add_test(t, kernel_that_boots_later_is_found);
	tcase_add_test(t, what_was_made_under_an_earlier_boot_is_stale);
	tcase_add_test(t, kernel_that_is_not_understood_yet_is_looked_at_again);
	tcase_add_test(t, memory_of_another_moment_ends_the_boot);
	tcase_add_test(t, guest_that_boots_all_the_time_is_not_searched_each_time);
	tcase_add_test(t, kernel_in_which_nothing_moves_gives_way_to_one_that_runs);
	tcase_add_loop_test(t, registers_are_asked_for_once_in_a_discovery_or_not_at_all, 0, 2);
	tcase_add_test(t, nothing_is_looked_for_in_encrypted_memory);
	tcase_add_test(t, layout_change_keeps_the_boot_and_its_tasks);
	tcase_add_loop_test(t, translations_and_lists_are_as_old_as_allowed, 0, 2);
	tcase_add_test(t, memory_that_is_not_mapped_is_read_once_an_epoch);
	tcase_add_test(t, list_that_does_not_hang_together_is_read_again);
	tcase_add_test(t, list_that_hangs_together_again_is_whole);
	tcase_add_loop_test(t, mappings_that_do_not_hang_together_are_read_again, 0, 2);
	tcase_add_loop_test(t, writes_are_seen_at_once_where_they_are_allowed, 0, 4);
	suite_add_tcase(s, t);
	return s;
}

VMIFS_UNIT_MAIN(make_suite)
