/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* keeper: where no thread is to be had there is no mount, and that is said. */
#include <unit.h>

#include <fs/fs.h>

/* Instead of GLib's. */
GThread *
g_thread_try_new(const char *name, GThreadFunc func, gpointer data, GError **error)
{
	return NULL;
}

START_TEST(without_a_thread_there_is_no_mount)
{
	const VmifsOptions engine = { .size = sizeof engine };
	const VmifsFsOptions options = { .umask = 0 };
	g_autoptr(GError) error = NULL;
	VmifsHost *host = vmifs_host_new(&engine, &error);

	ck_assert_ptr_nonnull(host);
	ck_assert_ptr_null(vmifs_fs_new(host, &options, &error));
	ck_assert(g_error_matches(error, VMIFS_ERROR, VMIFS_ERROR_IO));
}
END_TEST

static Suite *
keeper_suite(void)
{
	Suite *s = suite_create("keeper");
	TCase *t = tcase_create("keeper");
	tcase_add_test(t, without_a_thread_there_is_no_mount);
	suite_add_tcase(s, t);
	return s;
}

VMIFS_UNIT_MAIN(keeper_suite)
