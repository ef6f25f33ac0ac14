/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* timers: on a ring and on a chain, what they send within them and behind a pointer. */
#include <unit.h>

#include <linux-guest.h>

#define COMMON                                                                                     \
	"struct upid 16 nr@0:4 ns@8:8\n"                                                           \
	"struct pid 64 level@0:4 numbers@16=upidx0\n"                                              \
	"struct pid_namespace 16 level@0:4\n"                                                      \
	"struct list_head 16 next@0:8 prev@8:8\n"                                                  \
	"struct hlist_head 8 first@0:8\n"                                                          \
	"struct rt 16 _sigval@8:8\n"                                                               \
	"struct fields 16 _rt@0=rt\n"                                                              \
	"struct kernel_siginfo 32 si_signo@0:4 _sifields@16=fields\n"                              \
	"struct sigqueue 48 info@16=kernel_siginfo\n"                                              \
	"struct task_struct 16 signal@0:8 sighand@8:8\n"

#define OLD COMMON "struct signal_struct 16 posix_timers@0=list_head\n" TIMER "sigq@48:8\n"
#define NEW COMMON "struct signal_struct 8 posix_timers@0=hlist_head\n" TIMER "sigq@48=sigqueue\n"
#define TIMER                                                                                      \
	"struct k_itimer 96 list@0=list_head it_id@16:4 it_clock@20:4 it_sigev_notify@24:4 "       \
	"it_pid@32:8 "

typedef struct {
	LinuxGuest g;
	GString *out;
	GError *error;
	VmifsTask task;
	guint64 signal, pid, timers[2];
	gboolean is_new;
} Fixture;

static guint64
add_timer(Fixture *f, guint32 id, guint32 notify)
{
	LinuxGuest *g = &f->g;
	guint64 timer = linux_guest_new(g, LINUX_STRUCT_TIMER), queue;

	if (f->is_new) {
		queue = linux_guest_at(g, timer, LINUX_FIELD_TIMER_SIGQ);
	} else {
		queue = linux_guest_new(g, LINUX_STRUCT_SIGQUEUE);
		linux_guest_put(g, timer, LINUX_FIELD_TIMER_SIGQ, queue);
	}
	linux_guest_put(g, queue, LINUX_FIELD_SIGQUEUE_SIGNO, 30 + id);
	linux_guest_put(g, queue, LINUX_FIELD_SIGQUEUE_VALUE, 0x7f00);
	linux_guest_put(g, timer, LINUX_FIELD_TIMER_ID, id);
	linux_guest_put(g, timer, LINUX_FIELD_TIMER_NOTIFY, notify);
	linux_guest_put(g, timer, LINUX_FIELD_TIMER_PID, f->pid);
	linux_guest_put(g, timer, LINUX_FIELD_TIMER_CLOCK, (guint32) -2);
	return timer;
}

static void
setup(Fixture *f, gboolean is_new)
{
	*f = (Fixture){ .out = g_string_new(NULL), .is_new = is_new };
	LinuxGuest *g = &f->g;
	linux_guest_init(g, is_new ? NEW : OLD);
	f->task.object = linux_guest_new(g, LINUX_STRUCT_TASK);
	f->signal = linux_guest_new(g, LINUX_STRUCT_SIGNAL);
	linux_guest_put(g, f->task.object, LINUX_FIELD_TASK_SIGNAL, f->signal);
	linux_guest_put(g, f->task.object, LINUX_FIELD_TASK_SIGHAND, 1);
	guint64 ns = linux_guest_new(g, LINUX_STRUCT_PID_NAMESPACE);
	linux_guest_symbol(g, "init_pid_ns", ns);
	f->pid = linux_guest_alloc(g, 64);
	linux_guest_u64(g, f->pid + 16, 77);
	linux_guest_u64(g, f->pid + 24, ns);
	f->timers[0] = add_timer(f, 1, 0);
	f->timers[1] = add_timer(f, 0, 4);
	const guint64 ring[] = { f->signal, f->timers[0], f->timers[1] };
	if (is_new) {
		linux_guest_u64(g, ring[0], ring[1]);
		linux_guest_u64(g, ring[1], ring[2]);
	} else {
		linux_guest_ring(g, ring, 3);
	}
}

static void
teardown(Fixture *f)
{
	linux_guest_clear(&f->g);
	g_string_free(f->out, TRUE);
	g_clear_error(&f->error);
}

START_TEST(timers_are_listed_newest_first)
{
	Fixture f;
	setup(&f, _i);
	ck_assert(
		linux_render_timers(linux_guest_start(&f.g), &f.task, NULL, f.out, NULL, &f.error));
	ck_assert_str_eq(f.out->str, "ID: 1\nsignal: 31/0000000000007f00\n"
				     "notify: signal/pid.77\nClockID: -2\n"
				     "ID: 0\nsignal: 30/0000000000007f00\n"
				     "notify: signal/tid.77\nClockID: -2\n");
	teardown(&f);
}
END_TEST

START_TEST(list_that_goes_round_or_nowhere_is_an_error_and_no_text)
{
	Fixture f;
	setup(&f, _i % 2);
	linux_guest_u64(&f.g, f.timers[1], _i / 2 ? f.timers[0] : 0x1000);
	ck_assert(!linux_render_timers(linux_guest_start(&f.g), &f.task, NULL, f.out, NULL,
				       &f.error));
	ck_assert_ptr_nonnull(f.error);
	ck_assert_str_eq(f.out->str, "");
	teardown(&f);
}
END_TEST

START_TEST(dead_have_no_timers)
{
	Fixture f;
	setup(&f, FALSE);
	linux_guest_put(&f.g, f.task.object, LINUX_FIELD_TASK_SIGHAND, 0);
	ck_assert(
		linux_render_timers(linux_guest_start(&f.g), &f.task, NULL, f.out, NULL, &f.error));
	ck_assert_str_eq(f.out->str, "");
	teardown(&f);
}
END_TEST

static Suite *
make_suite(void)
{
	Suite *s = suite_create("timers");
	TCase *t = tcase_create("timers");

	tcase_add_loop_test(t, timers_are_listed_newest_first, 0, 2);
	tcase_add_loop_test(t, list_that_goes_round_or_nowhere_is_an_error_and_no_text, 0, 4);
	tcase_add_test(t, dead_have_no_timers);
	suite_add_tcase(s, t);
	return s;
}

VMIFS_UNIT_MAIN(make_suite)
