/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* oom: scores and adjustments, and who is never killed. */
#include <view-test.h>

#define TYPES                                                                                      \
	"struct list_head 16 next@0:8 prev@8:8\n"                                                  \
	"struct mm_rss_stat 32 count@0:8x4\n"                                                      \
	"struct mm_struct 64 rss_stat@0=mm_rss_stat flags@32:8 pgtables_bytes@40:8\n"              \
	"struct signal_struct 32 oom_score_adj@0:2 thread_head@8=list_head\n"                      \
	"struct task_struct 96 signal@0:8 flags@8:4 real_parent@16:8 mm@24:8 vfork_done@32:8 "     \
	"thread_node@40=list_head\n"                                                               \
	"enum MM_FILEPAGES=0 MM_ANONPAGES=1 MM_SWAPENTS=2 MM_SHMEMPAGES=3\n"

/* A process that holds a hundred of ten thousand pages. */
static void
setup_task(Fixture *f)
{
	setup(f, TYPES);
	f->task = (VmifsTask){ .pid = 7, .tgid = 7 };
	f->signal = linux_guest_new(&f->g, LINUX_STRUCT_SIGNAL);
	f->task.object = linux_guest_new(&f->g, LINUX_STRUCT_TASK);
	f->task.mm = linux_guest_new(&f->g, LINUX_STRUCT_MM);
	linux_guest_put(&f->g, f->task.object, LINUX_FIELD_TASK_SIGNAL, f->signal);
	linux_guest_put(&f->g, f->task.object, LINUX_FIELD_TASK_MM, f->task.mm);
	linux_guest_put(&f->g, f->task.object, LINUX_FIELD_TASK_REAL_PARENT,
			linux_guest_new(&f->g, LINUX_STRUCT_TASK));
	for (guint64 i = 0; i < 4; i++)
		linux_guest_put_element(&f->g, f->task.mm, LINUX_FIELD_MM_RSS_COUNT, i, 24);
	linux_guest_put(&f->g, f->task.mm, LINUX_FIELD_MM_PGTABLES_BYTES, 4 * 4096);
	guint64 ram = linux_guest_alloc(&f->g, 8);
	linux_guest_u64(&f->g, ram, 10000);
	linux_guest_symbol(&f->g, "_totalram_pages", ram);
}

static const char *
score(Fixture *f)
{
	ck_assert(linux_render_oom_score(linux_guest_start(&f->g), &f->task, NULL, f->out, NULL,
					 &f->error));
	return f->out->str;
}

static void
adjust(Fixture *f, gint16 adj)
{
	linux_guest_put(&f->g, f->signal, LINUX_FIELD_SIGNAL_OOM_SCORE_ADJ, (guint16) adj);
}

START_TEST(score_grows_with_size_and_adjustment)
{
	static const struct {
		gint16 adj;
		const char *want;
	} rows[] = { { 0, "673\n" }, { 500, "1006\n" }, { -500, "340\n" }, { 1000, "1340\n" } };
	Fixture f;
	setup_task(&f);
	adjust(&f, rows[_i].adj);
	ck_assert_str_eq(score(&f), rows[_i].want);
	teardown(&f);
}
END_TEST

START_TEST(who_is_never_killed_has_no_score)
{
	Fixture f;
	setup_task(&f);
	switch (_i) {
	case 0:
		f.task.tgid = 1;
		break;
	case 1:
		linux_guest_put(&f.g, f.task.object, LINUX_FIELD_TASK_FLAGS, 0x00200000);
		break;
	case 2:
		adjust(&f, -1000);
		break;
	case 3:
		linux_guest_put(&f.g, f.task.mm, LINUX_FIELD_MM_FLAGS, 1 << 21);
		break;
	case 4: /* in its parent's memory until it has a program */
		linux_guest_put(&f.g, f.task.object, LINUX_FIELD_TASK_VFORK_DONE, 1);
		linux_guest_put(&f.g, f.task.object, LINUX_FIELD_TASK_REAL_PARENT, f.task.object);
		break;
	}
	ck_assert_str_eq(score(&f), "0\n");
	teardown(&f);
}
END_TEST

START_TEST(process_of_a_dead_leader_scores_by_its_threads)
{
	Fixture f;
	setup_task(&f);
	guint64 thread = linux_guest_new(&f.g, LINUX_STRUCT_TASK);
	const guint64 ring[] = {
		linux_guest_at(&f.g, f.signal, LINUX_FIELD_SIGNAL_THREAD_HEAD),
		linux_guest_at(&f.g, f.task.object, LINUX_FIELD_TASK_THREAD_NODE),
		linux_guest_at(&f.g, thread, LINUX_FIELD_TASK_THREAD_NODE),
	};
	linux_guest_ring(&f.g, ring, G_N_ELEMENTS(ring));
	linux_guest_put(&f.g, f.task.object, LINUX_FIELD_TASK_MM, 0);
	linux_guest_put(&f.g, thread, LINUX_FIELD_TASK_MM, f.task.mm);
	f.task.mm = 0;
	ck_assert_str_eq(score(&f), "673\n");
	teardown(&f);
}
END_TEST

START_TEST(adjustment_has_two_scales)
{
	static const struct {
		gint16 adj;
		const char *want, *want_old;
	} rows[] = {
		{ 0, "0\n", "0\n" },     { 1000, "1000\n", "15\n" }, { -1000, "-1000\n", "-17\n" },
		{ 500, "500\n", "8\n" }, { 999, "999\n", "15\n" },   { -1, "-1\n", "0\n" },
	};
	Fixture f;
	setup_task(&f);
	adjust(&f, rows[_i].adj);
	Linux *os = linux_guest_start(&f.g);
	ck_assert(linux_render_oom_score_adj(os, &f.task, NULL, f.out, NULL, &f.error));
	ck_assert_str_eq(f.out->str, rows[_i].want);
	g_string_truncate(f.out, 0);
	ck_assert(linux_render_oom_adj(os, &f.task, NULL, f.out, NULL, &f.error));
	ck_assert_str_eq(f.out->str, rows[_i].want_old);
	teardown(&f);
}
END_TEST

static Suite *
make_suite(void)
{
	Suite *s = suite_create("oom");
	TCase *t = tcase_create("oom");

	tcase_add_loop_test(t, score_grows_with_size_and_adjustment, 0, 4);
	tcase_add_loop_test(t, who_is_never_killed_has_no_score, 0, 5);
	tcase_add_test(t, process_of_a_dead_leader_scores_by_its_threads);
	tcase_add_loop_test(t, adjustment_has_two_scales, 0, 6);
	suite_add_tcase(s, t);
	return s;
}

VMIFS_UNIT_MAIN(make_suite)
