/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* alive: which signs tell that a boot has ended, and which do not. */
#include <view-test.h>

#include <engine/physmem.h>
#include <os/linux/roots.h>
#include <os/linux/times.h>

#define TYPES                                                                                      \
	"struct tk_read_base 24 xtime_nsec@0:8 shift@8:4\n"                                        \
	"struct timespec64 16 tv_sec@0:8 tv_nsec@8:8\n"                                            \
	"struct seqcount_raw_spinlock 4 x@0:4\n"                                                   \
	"struct timekeeper 80 tkr_mono@0=tk_read_base xtime_sec@24:8 "                             \
	"wall_to_monotonic@32=timespec64 offs_boot@48:8 offs_real@56:8\n"                          \
	"struct list_head 16 next@0:8 prev@8:8\n"                                                  \
	"struct task_struct 512 tasks@64=list_head\n"

#define BANNER "Linux version 6.1.0-test"
#define NS G_GUINT64_CONSTANT(1000000000)
/* The root that linux-guest gives its kernel. */
#define ROOT 0x1000
#define LOOKS 10

static const LinuxFound found = { .banner = (char *) BANNER, .image_delta = LINUX_GUEST_BASE };

typedef enum { GONE_BANNER = 1, GONE_RING = 2 } Gone;

/* A kernel whose clock stands at `uptime` seconds since boot; -1 = none is shown. f: set up. */
static Linux *
make_kernel(Fixture *f, Gone gone, gint uptime)
{
	guint64 banner = linux_guest_string(&f->g, gone & GONE_BANNER ? "nothing" : BANNER " x\n");
	guint64 tasks[2];
	linux_guest_symbol(&f->g, "linux_banner", banner);
	for (guint i = 0; i < 2; i++) {
		guint64 task = linux_guest_new(&f->g, LINUX_STRUCT_TASK);
		if (!i)
			linux_guest_symbol(&f->g, "init_task", task);
		tasks[i] = linux_guest_at(&f->g, task, LINUX_FIELD_TASK_TASKS);
	}
	linux_guest_ring(&f->g, tasks, 2);
	if (gone & GONE_RING)
		linux_guest_u64(&f->g, tasks[1] + 8, 0);
	linux_guest_symbol(&f->g, "_stext", linux_guest_alloc(&f->g, 4096));
	if (uptime >= 0) {
		guint64 tk = variable(f, "tk_core", 0) + 8;
		linux_guest_put(&f->g, tk, LINUX_FIELD_TIMEKEEPER_XTIME_SEC, 1700000000);
		linux_guest_put(&f->g, tk, LINUX_FIELD_TIMEKEEPER_WALL_TO_MONO_SEC,
				(guint64) (uptime - 1700000000));
	}
	Linux *os = linux_guest_start(&f->g);
	os->found = &found;
	return os;
}

static gboolean
is_alive(Linux *os)
{
	gboolean sure = TRUE;
	return linux_alive(os, &sure, NULL);
}

static gboolean
stays_alive(Linux *os)
{
	for (guint i = 0; i < LOOKS; i++)
		if (!is_alive(os))
			return FALSE;
	return TRUE;
}

START_TEST(kernel_in_its_place_is_alive)
{
	Fixture f;
	setup(&f, TYPES);
	ck_assert(stays_alive(make_kernel(&f, 0, _i ? 100 : -1)));
	teardown(&f);
}
END_TEST

START_TEST(kernel_that_was_overwritten_is_not)
{
	Fixture f;
	setup(&f, TYPES);
	ck_assert(!is_alive(make_kernel(&f, _i + 1, 100)));
	teardown(&f);
}
END_TEST

/* The same kernel at the same place, but booted again. */
START_TEST(clock_that_went_back_is_another_boot)
{
	Fixture f;
	setup(&f, TYPES);
	Linux *os = make_kernel(&f, 0, 100);
	os->seen_clock = 101 * NS; /* read while it moved */
	ck_assert(is_alive(os));
	os->seen_clock = 5000 * NS;
	ck_assert(!is_alive(os));
	teardown(&f);
}
END_TEST

static const struct {
	guint64 cr3;
	gboolean alive;
} vcpus[] = {
	{ ROOT, TRUE },
	{ ROOT | 0x18, TRUE }, /* flags */
	{ 0, FALSE },
	{ 0x100000, FALSE },
};

START_TEST(kernel_whose_clock_stands_still_is_alive_where_a_vcpu_runs_it)
{
	Fixture f;
	setup(&f, TYPES);
	linux_guest_reg(&f.g, "cr3", vcpus[_i].cr3);
	ck_assert_int_eq(stays_alive(make_kernel(&f, 0, 100)), vcpus[_i].alive);
	teardown(&f);
}
END_TEST

static const struct {
	const char *arch, *reg;
	guint64 value;
	guint n;
	guint64 roots[LINUX_VCPU_ROOTS];
} walked[] = {
	{ "x86_64", "cr3", 0x8000000001234801, 1, { 0x1234000 } },
	{ "x86_64", "cr3", 0x1235801, 2, { 0x1235000, 0x1234000 } }, /* a program's half */
	{ "i386", "cr3", 0x1234020, 1, { 0x1234020 } },
	{ "riscv64", "satp", 0xa00bb000000860b5, 1, { 0x860b5000 } },
	{ "riscv64", "satp", 0, 1, { 0 } }, /* none: the firmware's */
	{ "riscv64", "cr3", 0x1234000, 0, { 0 } },
	{ "aarch64", "x0", 0x1234000, 0, { 0 } },
};

START_TEST(registers_say_which_tables_a_vcpu_walks)
{
	g_autoptr(VmifsRegs) regs = vmifs_regs_new();
	guint64 roots[LINUX_VCPU_ROOTS] = { 0 };

	vmifs_regs_set(regs, walked[_i].reg, walked[_i].value);
	ck_assert_uint_eq(linux_vcpu_roots(walked[_i].arch, regs, roots), walked[_i].n);
	for (guint i = 0; i < walked[_i].n; i++)
		ck_assert_uint_eq(roots[i], walked[_i].roots[i]);
}
END_TEST

extern const VmifsBackend vmifs_backend_text;
static guint64 text_found; /* G_MAXUINT64: it finds nothing, as in a program */

static gboolean
find_text(gpointer self, guint vcpu, guint64 va, guint64 *ret_pa, const VmifsCall *call,
	  GError **error)
{
	if (text_found != G_MAXUINT64) {
		*ret_pa = text_found;
		return TRUE;
	}
	g_set_error_literal(error, VMIFS_ERROR, VMIFS_ERROR_HOLE, "Unmapped");
	return FALSE;
}

/* Registers do not tell the tables: its source walks them. What is not found says nothing. */
START_TEST(kernel_whose_clock_stands_still_is_sure_where_a_vcpu_finds_its_text)
{
	VmifsBackend walking = vmifs_backend_text;
	gboolean sure = TRUE;
	guint64 text = 0;
	Fixture f;

	setup(&f, TYPES);
	linux_guest_reg(&f.g, "pc", 0);
	Linux *os = make_kernel(&f, 0, 100);
	walking.translate = find_text;
	vmifs_physmem_connection(os->mem)->backend = &walking;
	ck_assert(vmifs_symbols_lookup(os->symbols, "_stext", &text));
	text_found = _i == 0 ? text - LINUX_GUEST_BASE : _i == 1 ? 0x1000000 : G_MAXUINT64;
	for (guint i = 0; i < LOOKS; i++)
		ck_assert(linux_alive(os, &sure, NULL));
	ck_assert_int_eq(sure, _i == 0);
	vmifs_physmem_connection(os->mem)->backend = &vmifs_backend_text;
	teardown(&f);
}
END_TEST

/* It may be what an earlier boot has left. */
START_TEST(kernel_whose_clock_stands_still_is_doubted_where_no_vcpu_tells)
{
	Fixture f;
	gboolean sure = TRUE;
	setup(&f, TYPES);
	Linux *os = make_kernel(&f, 0, 100);
	ck_assert(linux_alive(os, &sure, NULL));
	ck_assert(sure);
	for (guint i = 0; i < LOOKS; i++)
		ck_assert(linux_alive(os, &sure, NULL));
	ck_assert(!sure);
	os->seen_clock = 99 * NS;
	sure = TRUE;
	ck_assert(linux_alive(os, &sure, NULL));
	ck_assert(sure);
	teardown(&f);
}
END_TEST

/* As one whose clock stands still. */
START_TEST(kernel_without_a_clock_is_alive_where_a_vcpu_runs_it)
{
	Fixture f;
	setup(&f, TYPES);
	linux_guest_reg(&f.g, "cr3", vcpus[_i].cr3);
	ck_assert_int_eq(stays_alive(make_kernel(&f, 0, -1)), vcpus[_i].alive);
	teardown(&f);
}
END_TEST

/* vCPUs are asked only when the clock does not tell. */
START_TEST(kernel_whose_clock_goes_is_alive_wherever_vcpus_are)
{
	Fixture f;
	setup(&f, TYPES);
	linux_guest_reg(&f.g, "cr3", 0);
	Linux *os = make_kernel(&f, 0, 100);
	for (guint i = 0; i < LOOKS; i++) {
		os->seen_clock = (90 + i) * NS;
		ck_assert(is_alive(os));
	}
	teardown(&f);
}
END_TEST

/* A reset in the second before the first look would not be seen otherwise. */
START_TEST(clock_is_known_from_the_beginning)
{
	Fixture f;
	setup(&f, TYPES);
	Linux *os = make_kernel(&f, 0, 100);
	linux_alive_begin(os);
	ck_assert_uint_eq(os->seen_clock, 100 * NS);
	teardown(&f);
}
END_TEST

static Suite *
make_suite(void)
{
	Suite *s = suite_create("alive");
	TCase *t = tcase_create("alive");
	tcase_add_loop_test(t, kernel_in_its_place_is_alive, 0, 2);
	tcase_add_loop_test(t, kernel_that_was_overwritten_is_not, 0, 3);
	tcase_add_test(t, clock_that_went_back_is_another_boot);
	tcase_add_test(t, clock_is_known_from_the_beginning);
	tcase_add_loop_test(t, kernel_whose_clock_stands_still_is_alive_where_a_vcpu_runs_it, 0,
			    G_N_ELEMENTS(vcpus));
	tcase_add_loop_test(t, kernel_without_a_clock_is_alive_where_a_vcpu_runs_it, 0,
			    G_N_ELEMENTS(vcpus));
	tcase_add_loop_test(t, kernel_whose_clock_stands_still_is_sure_where_a_vcpu_finds_its_text,
			    0, 3);
	tcase_add_test(t, kernel_whose_clock_stands_still_is_doubted_where_no_vcpu_tells);
	tcase_add_test(t, kernel_whose_clock_goes_is_alive_wherever_vcpus_are);
	tcase_add_loop_test(t, registers_say_which_tables_a_vcpu_walks, 0, G_N_ELEMENTS(walked));
	suite_add_tcase(s, t);
	return s;
}

VMIFS_UNIT_MAIN(make_suite)
