/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * test-qemu-keepers: who only says that libvirt keeps it. The notes of the host's daemon are those
 * of a mount namespace of the test's, which only root can have.
 */
#include "pretend-qemu.h"

#include <backends/qemu/keepers.h>
#include <glib/gstdio.h>
#include <sched.h>
#include <string.h>
#include <sys/mount.h>
#include <unistd.h>

#define NOTES "/run/libvirt/qemu"

static void
nobody_is_told(gpointer user)
{
}

/* Why the process has no monitor; note: (nullable) the number that the daemon noted for its name.
 * (full) */
static char *
refusal(const char *name, const char *uri, const char *note)
{
	g_autofree char *guest = g_strconcat("guest=", name, NULL);
	const char *const words[] = { "x", "-name", guest, NULL };
	g_autoptr(QemuKeepers) keepers = qemu_keepers_new(nobody_is_told, NULL);
	pid_t pid = pretend_start("qemu-system-x86_64", words, NULL);
	g_autoptr(QemuTarget) target = qemu_target_new(pid, NULL);
	g_autofree char *own = g_strdup_printf("%d\n", (int) pid);

	ck_assert_int_eq(unshare(CLONE_NEWNS), 0);
	ck_assert_int_eq(mount("none", "/", NULL, MS_REC | MS_PRIVATE, NULL), 0);
	ck_assert_int_eq(mount("test", "/run", "tmpfs", 0, NULL), 0);
	ck_assert_int_eq(g_mkdir_with_parents(NOTES, 0755), 0);
	if (note)
		ck_assert(g_file_set_contents(NOTES "/web.pid", *note ? note : own, -1, NULL));
	target->args->uuid = g_strdup("c7a5fdbd-cdaf-9455-926a-d65c16db1809");
	if (uri)
		qemu_keepers_choose(keepers, uri, NULL);
	qemu_keepers_reach(keepers, target);
	pretend_end(pid);
	return g_strdup(target->no_monitor);
}

static const struct {
	const char *name, *uri, *note, *why;
} cases[] = {
	{ "web", NULL, "", NULL },
	{ "web", NULL, "1", "libvirt has another process of that name" },
	{ "web", NULL, NULL, "libvirt has no process of that name" },
	{ "../qemu/web", NULL, "", "libvirt has no process of that name" },
	/* A user's own daemon has its notes elsewhere. */
	{ "web", "qemu:///session", "1", NULL },
	{ "web", "qemu:///system", "1", "libvirt has another process of that name" },
};

START_TEST(process_that_libvirt_does_not_have_gets_no_monitor_of_it)
{
	if (geteuid() != 0)
		return;
	g_autofree char *why = refusal(cases[_i].name, cases[_i].uri, cases[_i].note);
	ck_assert_pstr_eq(why, cases[_i].why);
}
END_TEST

static Suite *
make_suite(void)
{
	Suite *suite = suite_create("qemu-keepers");
	TCase *tests = tcase_create("qemu-keepers");

	tcase_add_checked_fixture(tests, pretend_enter, pretend_leave);
	tcase_add_loop_test(tests, process_that_libvirt_does_not_have_gets_no_monitor_of_it, 0,
			    G_N_ELEMENTS(cases));
	suite_add_tcase(suite, tests);
	return suite;
}

VMIFS_PRETEND_MAIN(make_suite)
