/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* traits: numbers in the form that procfs gives each, autogroup, auxv, children. */
#include <view-test.h>

#define TYPES                                                                                      \
	"struct list_head 16 next@0:8 prev@8:8\n"                                                  \
	"struct mm_struct 128 flags@0:8 saved_auxv@8:8x12\n"                                       \
	"struct task_group 8 autogroup@0:8\n"                                                      \
	"struct autogroup 24 tg@0:8 id@8:8 nice@16:4\n"                                            \
	"struct signal_struct 8 autogroup@0:8\n"                                                   \
	"struct task_struct 1024 pid@0:4 signal@8:8 sighand@16:8 personality@24:4 "                \
	"timer_slack_ns@32:8 patch_state@40:4 loginuid@44:4 sessionid@48:4 "                       \
	"children@56=list_head sibling@72=list_head\n"

static void
setup_task(Fixture *f)
{
	setup(f, TYPES);
	f->task.object = linux_guest_new(&f->g, LINUX_STRUCT_TASK);
	f->task.mm = linux_guest_new(&f->g, LINUX_STRUCT_MM);
	linux_guest_put(&f->g, f->task.object, LINUX_FIELD_TASK_SIGHAND, 1);
}

static gboolean
render(Fixture *f, Render function)
{
	return function(linux_guest_start(&f->g), &f->task, NULL, f->out, NULL, &f->error);
}

START_TEST(each_number_has_its_own_form)
{
	static const struct {
		LinuxField field;
		Render render;
		guint64 value;
		const char *want;
	} rows[] = {
		{ LINUX_FIELD_TASK_PERSONALITY, linux_render_personality, 0x40000, "00040000\n" },
		{ LINUX_FIELD_TASK_TIMER_SLACK, linux_render_timerslack_ns, 50000, "50000\n" },
		{ LINUX_FIELD_TASK_PATCH_STATE, linux_render_patch_state, G_MAXUINT32, "-1\n" },
		{ LINUX_FIELD_TASK_LOGINUID, linux_render_loginuid, G_MAXUINT32, "4294967295" },
		{ LINUX_FIELD_TASK_SESSIONID, linux_render_sessionid, 3, "3" },
	};
	for (gsize i = 0; i < G_N_ELEMENTS(rows); i++) {
		Fixture f;
		setup_task(&f);
		linux_guest_put(&f.g, f.task.object, rows[i].field, rows[i].value);
		ck_assert(render(&f, rows[i].render));
		ck_assert_str_eq(f.out->str, rows[i].want);
		teardown(&f);
	}
}
END_TEST

START_TEST(core_dumps_filter_is_a_part_of_the_flags)
{
	Fixture f;
	setup_task(&f);
	linux_guest_put(&f.g, f.task.mm, LINUX_FIELD_MM_FLAGS, 0xfffff000 | 0x33 << 2 | 2);
	ck_assert(render(&f, linux_render_coredump_filter));
	ck_assert_str_eq(f.out->str, "00000033\n");
	teardown(&f);
}
END_TEST

START_TEST(kernel_thread_has_no_memory_to_tell_of)
{
	Fixture f;
	setup_task(&f);
	f.task.mm = 0;
	ck_assert(render(&f, _i ? linux_render_auxv : linux_render_coredump_filter));
	ck_assert_uint_eq(f.out->len, 0);
	teardown(&f);
}
END_TEST

START_TEST(vector_ends_with_its_null_pair_or_its_room)
{
	Fixture f;
	setup_task(&f);
	for (guint64 i = 0; i < 12; i++)
		linux_guest_put_element(&f.g, f.task.mm, LINUX_FIELD_MM_SAVED_AUXV, i,
					_i && i == 4 ? 0 : i + 1);
	ck_assert(render(&f, linux_render_auxv));
	ck_assert_uint_eq(f.out->len, _i ? 48 : 96);
	ck_assert_int_eq(f.out->str[8], 2);
	teardown(&f);
}
END_TEST

/* ---- autogroup ---- */

static guint64
make_autogroup(Fixture *f)
{
	guint64 signal = linux_guest_new(&f->g, LINUX_STRUCT_SIGNAL);
	guint64 group = linux_guest_new(&f->g, LINUX_STRUCT_AUTOGROUP);
	guint64 tg = linux_guest_new(&f->g, LINUX_STRUCT_TASK_GROUP);

	linux_guest_put(&f->g, f->task.object, LINUX_FIELD_TASK_SIGNAL, signal);
	linux_guest_put(&f->g, signal, LINUX_FIELD_SIGNAL_AUTOGROUP, group);
	linux_guest_put(&f->g, group, LINUX_FIELD_AUTOGROUP_TG, tg);
	linux_guest_put(&f->g, group, LINUX_FIELD_AUTOGROUP_ID, 12);
	linux_guest_put(&f->g, group, LINUX_FIELD_AUTOGROUP_NICE, (guint32) -5);
	return tg;
}

START_TEST(autogroup_has_number_and_niceness)
{
	Fixture f;
	setup_task(&f);
	linux_guest_put(&f.g, make_autogroup(&f), LINUX_FIELD_TASK_GROUP_AUTOGROUP, 1);
	ck_assert(render(&f, linux_render_autogroup));
	ck_assert_str_eq(f.out->str, "/autogroup-12 nice -5\n");
	teardown(&f);
}
END_TEST

START_TEST(group_of_those_without_one_is_none)
{
	Fixture f;
	setup_task(&f);
	guint64 tg = make_autogroup(&f);
	if (_i) {
		linux_guest_put(&f.g, tg, LINUX_FIELD_TASK_GROUP_AUTOGROUP, 1);
		linux_guest_put(&f.g, f.task.object, LINUX_FIELD_TASK_SIGHAND, 0);
	}
	ck_assert(render(&f, linux_render_autogroup));
	ck_assert_str_eq(f.out->str, "");
	teardown(&f);
}
END_TEST

/* ---- children ---- */

START_TEST(children_are_listed_in_order)
{
	Fixture f;
	setup_task(&f);
	guint64 ring[3] = { linux_guest_at(&f.g, f.task.object, LINUX_FIELD_TASK_CHILDREN) };
	for (guint64 i = 1; i < 3; i++) {
		guint64 child = linux_guest_new(&f.g, LINUX_STRUCT_TASK);
		linux_guest_put(&f.g, child, LINUX_FIELD_TASK_PID, 20 + i);
		ring[i] = linux_guest_at(&f.g, child, LINUX_FIELD_TASK_SIBLING);
	}
	linux_guest_ring(&f.g, ring, 3);
	if (_i)
		linux_guest_u64(&f.g, ring[2], 0x1000);
	ck_assert(render(&f, linux_render_children) == !_i);
	ck_assert_str_eq(f.out->str, _i ? "" : "21 22 ");
	teardown(&f);
}
END_TEST

static Suite *
make_suite(void)
{
	Suite *s = suite_create("traits");
	TCase *t = tcase_create("traits");

	tcase_add_test(t, each_number_has_its_own_form);
	tcase_add_test(t, core_dumps_filter_is_a_part_of_the_flags);
	tcase_add_loop_test(t, kernel_thread_has_no_memory_to_tell_of, 0, 2);
	tcase_add_loop_test(t, vector_ends_with_its_null_pair_or_its_room, 0, 2);
	tcase_add_test(t, autogroup_has_number_and_niceness);
	tcase_add_loop_test(t, group_of_those_without_one_is_none, 0, 2);
	tcase_add_loop_test(t, children_are_listed_in_order, 0, 2);
	suite_add_tcase(s, t);
	return s;
}

VMIFS_UNIT_MAIN(make_suite)
