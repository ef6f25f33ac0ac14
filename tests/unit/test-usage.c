/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* usage: sums of a process, counters of one thread. */
#include <view-test.h>

#define TYPES                                                                                      \
	"struct list_head 16 next@0:8 prev@8:8\n"                                                  \
	"struct task_io_accounting 56 rchar@0:8 wchar@8:8 syscr@16:8 syscw@24:8 read_bytes@32:8 "  \
	"write_bytes@40:8 cancelled_write_bytes@48:8\n"                                            \
	"struct sched_info 16 pcount@0:8 run_delay@8:8\n"                                          \
	"struct sched_entity 16 sum_exec_runtime@8:8\n"                                            \
	"struct signal_struct 96 thread_head@0=list_head ioac@16=task_io_accounting\n"             \
	"struct task_struct 1024 signal@0:8 sighand@8:8 thread_node@16=list_head "                 \
	"ioac@32=task_io_accounting sched_info@96=sched_info se@112=sched_entity\n"

static guint64
add_thread(Fixture *f, guint64 first)
{
	guint64 thread = linux_guest_new(&f->g, LINUX_STRUCT_TASK);
	guint64 io = linux_guest_at(&f->g, thread, LINUX_FIELD_TASK_IO);

	linux_guest_put(&f->g, thread, LINUX_FIELD_TASK_SIGNAL, f->signal);
	linux_guest_put(&f->g, thread, LINUX_FIELD_TASK_SIGHAND, 1);
	for (guint64 i = 0; i < 7; i++)
		linux_guest_u64(&f->g, io + i * 8, first + i);
	return thread;
}

/* A process of two threads, of which others have ended. */
static void
setup_task(Fixture *f)
{
	setup(f, TYPES);
	f->signal = linux_guest_new(&f->g, LINUX_STRUCT_SIGNAL);
	f->task.object = add_thread(f, 10);
	guint64 other = add_thread(f, 100);
	const guint64 ring[] = {
		linux_guest_at(&f->g, f->signal, LINUX_FIELD_SIGNAL_THREAD_HEAD),
		linux_guest_at(&f->g, f->task.object, LINUX_FIELD_TASK_THREAD_NODE),
		linux_guest_at(&f->g, other, LINUX_FIELD_TASK_THREAD_NODE),
	};
	linux_guest_ring(&f->g, ring, G_N_ELEMENTS(ring));
	linux_guest_put(&f->g, linux_guest_at(&f->g, f->signal, LINUX_FIELD_SIGNAL_IO),
			LINUX_FIELD_IO_RCHAR, 1000);
}

START_TEST(io_of_a_process_adds_up_all_threads_it_ever_had)
{
	Fixture f;
	setup_task(&f);
	ck_assert(linux_render_process_io(linux_guest_start(&f.g), &f.task, NULL, f.out, NULL,
					  &f.error));
	ck_assert_str_eq(f.out->str, "rchar: 1110\nwchar: 112\nsyscr: 114\nsyscw: 116\n"
				     "read_bytes: 118\nwrite_bytes: 120\n"
				     "cancelled_write_bytes: 122\n");
	teardown(&f);
}
END_TEST

#define OWN_IO                                                                                     \
	"rchar: 10\nwchar: 11\nsyscr: 12\nsyscw: 13\nread_bytes: 14\nwrite_bytes: 15\n"            \
	"cancelled_write_bytes: 16\n"

START_TEST(io_of_a_thread_is_its_own)
{
	Fixture f;
	setup_task(&f);
	ck_assert(linux_render_thread_io(linux_guest_start(&f.g), &f.task, NULL, f.out, NULL,
					 &f.error));
	ck_assert_str_eq(f.out->str, OWN_IO);
	teardown(&f);
}
END_TEST

START_TEST(io_of_who_has_been_waited_for_is_its_own)
{
	Fixture f;
	setup_task(&f);
	linux_guest_put(&f.g, f.task.object, LINUX_FIELD_TASK_SIGHAND, 0);
	ck_assert(linux_render_process_io(linux_guest_start(&f.g), &f.task, NULL, f.out, NULL,
					  &f.error));
	ck_assert_str_eq(f.out->str, OWN_IO);
	teardown(&f);
}
END_TEST

START_TEST(torn_ring_of_threads_is_an_error_and_no_text)
{
	Fixture f;
	setup_task(&f);
	linux_guest_u64(&f.g, linux_guest_at(&f.g, f.task.object, LINUX_FIELD_TASK_THREAD_NODE),
			0x1000);
	ck_assert(!linux_render_process_io(linux_guest_start(&f.g), &f.task, NULL, f.out, NULL,
					   &f.error));
	ck_assert_ptr_nonnull(f.error);
	ck_assert_str_eq(f.out->str, "");
	teardown(&f);
}
END_TEST

START_TEST(schedstat_is_time_on_time_off_and_turns)
{
	Fixture f;
	setup_task(&f);
	linux_guest_put(&f.g, f.task.object, LINUX_FIELD_TASK_SUM_EXEC_RUNTIME, 5000);
	linux_guest_put(&f.g, f.task.object, LINUX_FIELD_TASK_RUN_DELAY, 60);
	linux_guest_put(&f.g, f.task.object, LINUX_FIELD_TASK_PCOUNT, 7);
	ck_assert(linux_render_schedstat(linux_guest_start(&f.g), &f.task, NULL, f.out, NULL,
					 &f.error));
	ck_assert_str_eq(f.out->str, "5000 60 7\n");
	teardown(&f);
}
END_TEST

static Suite *
make_suite(void)
{
	Suite *s = suite_create("usage");
	TCase *t = tcase_create("usage");

	tcase_add_test(t, io_of_a_process_adds_up_all_threads_it_ever_had);
	tcase_add_test(t, io_of_a_thread_is_its_own);
	tcase_add_test(t, io_of_who_has_been_waited_for_is_its_own);
	tcase_add_test(t, torn_ring_of_threads_is_an_error_and_no_text);
	tcase_add_test(t, schedstat_is_time_on_time_off_and_turns);
	suite_add_tcase(s, t);
	return s;
}

VMIFS_UNIT_MAIN(make_suite)
