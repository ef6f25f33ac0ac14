/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* translate: what QEMU answers to gva2gpa. */
#include <unit.h>

#include <backends/qemu/translate.h>

#include <fake-session.h>
#include <vmifs/error.h>

static const struct {
	const char *said;
	guint64 pa;
	int code; /* of VmifsError; -1: none */
} answers[] = {
	{ "gpa: 0x40210000", 0x40210000, -1 },
	{ "gpa: 0", 0, -1 },
	{ "gpa: 0xffffffffffffffff", G_MAXUINT64, -1 },
	{ "Unmapped", 0, VMIFS_ERROR_HOLE },
	{ "unknown command: 'gva2gpa'", 0, VMIFS_ERROR_UNSUPPORTED },
	{ "No CPU", 0, VMIFS_ERROR_UNSUPPORTED },
	{ "gpa: ", 0, VMIFS_ERROR_UNSUPPORTED },
	{ "gpa: 0x", 0, VMIFS_ERROR_UNSUPPORTED },
	{ "gpa: 0x12z", 0, VMIFS_ERROR_UNSUPPORTED },
	{ "gpa: 0x11111111111111111", 0, VMIFS_ERROR_UNSUPPORTED },
	{ "gpa: -1", 0, VMIFS_ERROR_UNSUPPORTED },
};

START_TEST(each_answer_is_understood)
{
	g_autofree char *session =
		g_strdup_printf("hmp gva2gpa 0xffffc986e7210000\n\t%s\n", answers[_i].said);
	g_autoptr(QemuMonitor) monitor = fake_monitor_new(session);
	g_autoptr(GError) error = NULL;
	guint64 pa = 1;
	gboolean told = qemu_translate(monitor, 1, 0xffffc986e7210000, &pa, NULL, &error);

	ck_assert_int_eq(told, answers[_i].code < 0);
	ck_assert(told ? pa == answers[_i].pa
		       : pa == 1 && g_error_matches(error, VMIFS_ERROR, answers[_i].code));
}
END_TEST

static Suite *
translate_suite(void)
{
	Suite *s = suite_create("qemu-translate");
	TCase *t = tcase_create("answers");

	tcase_add_loop_test(t, each_answer_is_understood, 0, G_N_ELEMENTS(answers));
	suite_add_tcase(s, t);
	return s;
}

VMIFS_UNIT_MAIN(translate_suite)
