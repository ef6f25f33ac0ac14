/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* points: what fits beside what, with each accelerator. */
#include <unit.h>

#include <backends/qemu/points.h>

#include <string.h>
#include <vmifs/error.h>

#define EXEC(at)                                                                                   \
	{                                                                                          \
		.kind = VMIFS_STOP_EXEC, .address = (at)                                           \
	}
#define WRITE(at, n)                                                                               \
	{                                                                                          \
		.kind = VMIFS_STOP_WRITE, .address = (at), .len = (n)                              \
	}
#define READ(at, n)                                                                                \
	{                                                                                          \
		.kind = VMIFS_STOP_READ, .address = (at), .len = (n)                               \
	}

static const struct {
	const char *accel;
	VmifsStopPoint armed[4], wanted;
	const char *why; /* NULL: it fits */
} cases[] = {
	{ "tcg", { EXEC(1), EXEC(2), EXEC(3), EXEC(4) }, EXEC(5), NULL },
	{ "tcg", { EXEC(1) }, WRITE(3, 4096), NULL },
	{ "tcg", { EXEC(1) }, READ(1, 3), NULL },
	/* QEMU tells of one of them only. */
	{ "tcg", { WRITE(0x1000, 8) }, WRITE(0x1007, 2), "some of these bytes" },
	{ "tcg", { WRITE(0x1000, 8) }, WRITE(0xfff, 2), "some of these bytes" },
	{ "tcg", { WRITE(0x1000, 8) }, READ(0x1000, 8), "some of these bytes" },
	{ "tcg", { WRITE(0x1000, 8) }, WRITE(0xff0, 0x100), "some of these bytes" },
	{ "tcg", { WRITE(0x1000, 8) }, WRITE(0x1008, 1), NULL },
	{ "tcg", { WRITE(0x1000, 8) }, WRITE(0x1000, 8), NULL },
	{ "tcg", { WRITE(G_MAXUINT64 - 7, 8) }, WRITE(0, 8), NULL },
	{ "kvm", { EXEC(1), EXEC(2), EXEC(3) }, WRITE(8, 8), NULL },
	{ "kvm", { EXEC(1), EXEC(2), EXEC(3), WRITE(8, 8) }, EXEC(4), "four slots" },
	/* They share one. */
	{ "kvm", { EXEC(1), EXEC(2), EXEC(3), WRITE(8, 8) }, EXEC(3), NULL },
	{ "kvm", { EXEC(1), EXEC(1), EXEC(1), EXEC(1) }, EXEC(2), NULL },
	{ "kvm",
	  { EXEC(1), EXEC(2), EXEC(3), EXEC(4) },
	  { .kind = VMIFS_STOP_EXEC, .address = 5, .patch = TRUE },
	  NULL },
	{ "kvm",
	  { EXEC(1), EXEC(2), EXEC(3), EXEC(4) },
	  { .kind = VMIFS_STOP_STEP, .vcpu = 0 },
	  NULL },
	{ "kvm", { EXEC(1) }, READ(8, 8), "reads alone" },
	{ "kvm", { EXEC(1) }, WRITE(8, 3), "1, 2, 4 or 8" },
	{ "kvm", { EXEC(1) }, WRITE(8, 16), "1, 2, 4 or 8" },
	{ "kvm", { EXEC(1) }, WRITE(12, 8), "1, 2, 4 or 8" },
	{ "kvm", { EXEC(1) }, WRITE(12, 4), NULL },
	/* What is not known is taken for the one that can less. */
	{ NULL, { EXEC(1) }, READ(8, 8), "reads alone" },
};

START_TEST(what_does_not_fit_is_refused_with_the_reason)
{
	g_autoptr(GError) error = NULL;
	g_autoptr(GArray) points = qemu_points_new();

	for (guint i = 0; i < 4; i++) {
		QemuPoint point = { .id = i, .point = cases[_i].armed[i] };
		if (point.point.address)
			g_array_append_val(points, point);
	}
	gboolean good = qemu_points_fit(points, cases[_i].accel, &cases[_i].wanted, &error);
	ck_assert_msg(good == !cases[_i].why, "%s", error ? error->message : "it fits");
	if (good)
		return;
	ck_assert(g_error_matches(error, VMIFS_ERROR, VMIFS_ERROR_UNSUPPORTED));
	ck_assert_msg(strstr(error->message, cases[_i].why), "%s", error->message);
}
END_TEST

START_TEST(there_is_an_end_to_them)
{
	g_autoptr(GError) error = NULL;
	g_autoptr(GArray) points = qemu_points_new();
	guint n = 0;

	for (; n < 5000; n++) {
		QemuPoint point = { .id = n, .point = EXEC(n + 1) };
		if (!qemu_points_fit(points, "tcg", &point.point, &error))
			break;
		g_array_append_val(points, point);
	}
	ck_assert_uint_eq(n, 1024);
	ck_assert(g_error_matches(error, VMIFS_ERROR, VMIFS_ERROR_UNSUPPORTED));
}
END_TEST

START_TEST(a_stop_is_of_the_point_that_it_names)
{
	const VmifsStopPoint exec = EXEC(0x10), write = WRITE(0x20, 8), read = READ(0x20, 8);
	const VmifsStopPoint step = { .kind = VMIFS_STOP_STEP, .vcpu = 1 };
	const QemuGdbStop plain = { .signal = 5, .vcpu = 1 };
	const QemuGdbStop other = { .signal = 5, .vcpu = 0 };
	const QemuGdbStop written = { 5, 1, TRUE, VMIFS_STOP_WRITE, 0x20 };

	ck_assert(qemu_point_is_hit(&exec, &plain, 0x10));
	ck_assert(!qemu_point_is_hit(&exec, &plain, 0x11));
	/* It stands there, and has not come to it. */
	ck_assert(!qemu_point_is_hit(&exec, &written, 0x10));
	ck_assert(qemu_point_is_hit(&write, &written, 0x10));
	ck_assert(!qemu_point_is_hit(&read, &written, 0x10));
	ck_assert(!qemu_point_is_hit(&write, &plain, 0x20));
	ck_assert(qemu_point_is_hit(&step, &plain, 0x99));
	ck_assert(!qemu_point_is_hit(&step, &other, 0x99));
	ck_assert(!qemu_point_is_hit(&step, &written, 0x99));
}
END_TEST

START_TEST(what_an_accelerator_can_do_is_told)
{
	VmifsStopCaps caps;

	qemu_points_caps("tcg", &caps);
	ck_assert(caps.exec && caps.data && caps.reads && caps.step && !caps.patch);
	ck_assert(!caps.slots && !caps.aligned);
	ck_assert_str_eq(caps.accel, "tcg");
	qemu_points_caps("kvm", &caps);
	ck_assert(caps.exec && caps.data && !caps.reads && caps.step && caps.patch);
	ck_assert_uint_eq(caps.slots, 4);
	ck_assert_uint_eq(caps.max_len, 8);
	ck_assert(caps.aligned);
}
END_TEST

static Suite *
points_suite(void)
{
	Suite *suite = suite_create("qemu-points");
	TCase *tcase = tcase_create("qemu-points");

	tcase_add_loop_test(tcase, what_does_not_fit_is_refused_with_the_reason, 0,
			    G_N_ELEMENTS(cases));
	tcase_add_test(tcase, there_is_an_end_to_them);
	tcase_add_test(tcase, a_stop_is_of_the_point_that_it_names);
	tcase_add_test(tcase, what_an_accelerator_can_do_is_told);
	suite_add_tcase(suite, tcase);
	return suite;
}

VMIFS_UNIT_MAIN(points_suite)
