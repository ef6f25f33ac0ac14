/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* error: the errno table of the man page; call: deadlines. */
#include <unit.h>

#include <errno.h>
#include <vmifs/call.h>
#include <vmifs/error.h>

static const struct {
	VmifsError code;
	int number;
} table[] = {
	{ VMIFS_ERROR_NOT_FOUND, ENOENT },
	{ VMIFS_ERROR_HOLE, EIO },
	{ VMIFS_ERROR_IO, EIO },
	{ VMIFS_ERROR_ENDED, ESRCH },
	{ VMIFS_ERROR_STALE, ESTALE },
	{ VMIFS_ERROR_READ_ONLY, EROFS },
	{ VMIFS_ERROR_DENIED, EPERM },
	{ VMIFS_ERROR_UNSUPPORTED, EOPNOTSUPP },
	{ VMIFS_ERROR_TIMEOUT, ETIMEDOUT },
	{ VMIFS_ERROR_INVALID, EINVAL },
	{ VMIFS_ERROR_CORRUPT, EUCLEAN },
	{ VMIFS_ERROR_NO_SPACE, ENOSPC },
	{ VMIFS_ERROR_EXISTS, EEXIST },
	{ VMIFS_ERROR_CANCELLED, EINTR },
	{ VMIFS_ERROR_SOURCE, EIO },
};

START_TEST(code_has_its_errno)
{
	g_autoptr(GError) error = g_error_new_literal(VMIFS_ERROR, table[_i].code, "x");
	ck_assert_int_eq(vmifs_error_to_errno(error), table[_i].number);
}
END_TEST

START_TEST(foreign_error_is_eio)
{
	g_autoptr(GError) error = g_error_new_literal(g_quark_from_static_string("x"), 0, "x");
	ck_assert_int_eq(vmifs_error_to_errno(error), EIO);
}
END_TEST

START_TEST(call_ends_when_cancelled_or_late)
{
	gint cancelled = 0;
	VmifsCall call = { .cancelled = &cancelled };
	g_autoptr(GError) error = NULL;

	ck_assert(vmifs_call_check(NULL, NULL));
	ck_assert(vmifs_call_check(&call, NULL));
	g_atomic_int_set(&cancelled, 1);
	ck_assert(!vmifs_call_check(&call, &error));
	ck_assert_int_eq(error->code, VMIFS_ERROR_CANCELLED);
	g_clear_error(&error);
	call = (VmifsCall){ .deadline = 1 };
	ck_assert(!vmifs_call_check(&call, &error));
	ck_assert_int_eq(error->code, VMIFS_ERROR_TIMEOUT);
}
END_TEST

static Suite *
make_suite(void)
{
	Suite *s = suite_create("error");
	TCase *t = tcase_create("error");
	tcase_add_loop_test(t, code_has_its_errno, 0, G_N_ELEMENTS(table));
	tcase_add_test(t, foreign_error_is_eio);
	tcase_add_test(t, call_ends_when_cancelled_or_late);
	suite_add_tcase(s, t);
	return s;
}

VMIFS_UNIT_MAIN(make_suite)
