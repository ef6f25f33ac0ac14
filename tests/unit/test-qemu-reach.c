/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* test-qemu-reach: monitors that are there, are somebody else's, or are missing. */
#include "pretend-qemu.h"

#include <backends/qemu/monitor.h>
#include <backends/qemu/target.h>
#include <glib/gstdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

/* A process with that value of -qmp, once its monitor was looked for. */
static QemuTarget *
reached(const char *qmp, const char *root, pid_t *ret_pid)
{
	const char *const words[] = { "x", "-name", "web", qmp ? "-qmp" : NULL, qmp, NULL };
	g_autoptr(GError) error = NULL;

	*ret_pid = pretend_start("qemu-system-x86_64", words, root);
	QemuTarget *target = qemu_target_new(*ret_pid, &error);
	ck_assert_msg(target != NULL, "%s", error ? error->message : "");
	qemu_target_find_monitor(target, FALSE);
	return target;
}

static void
assert_reached(const char *qmp, const char *root)
{
	pid_t pid;
	g_autoptr(QemuTarget) target = reached(qmp, root, &pid);

	ck_assert_pstr_eq(target->no_monitor, NULL);
	ck_assert_ptr_nonnull(target->monitor);
	pretend_end(pid);
}

START_TEST(monitor_that_its_arguments_name_is_reached)
{
	g_autofree char *path = pretend_path("sock");
	g_autofree char *qmp = g_strdup_printf("unix:%s,server=on,wait=off", path);

	assert_reached(qmp, NULL);
}
END_TEST

START_TEST(relative_path_is_one_of_its_own_folder)
{
	assert_reached("unix:sock,server,nowait", NULL);
}
END_TEST

START_TEST(path_may_be_longer_than_an_address)
{
	g_autofree char *deep =
		pretend_path("0123456789012345678901234567890123456789012345678901234"
			     "5678901234567890123456789012345678901234567890123456789");
	g_autofree char *qmp = g_strdup_printf("unix:%s/sock,server=on", deep);

	ck_assert_int_eq(g_mkdir(deep, 0700), 0);
	assert_reached(qmp, NULL);
}
END_TEST

START_TEST(path_is_one_of_its_own_root)
{
	g_autofree char *root = pretend_path("root");

	if (geteuid() != 0)
		return; /* as nobody else a process has a root of its own */
	ck_assert_int_eq(g_mkdir(root, 0700), 0);
	assert_reached("unix:/sock,server=on", root);
}
END_TEST

/* A process as above, where the name of its socket is now that of one of this process. */
static QemuTarget *
reached_elsewhere(int backlog, pid_t *ret_pid, int *ret_listener)
{
	g_autofree char *path = pretend_path("sock");
	g_autofree char *qmp = g_strdup_printf("unix:%s,server=on", path);
	g_autofree char *away = pretend_path("away");
	struct sockaddr_un name = { .sun_family = AF_UNIX };
	QemuTarget *target = reached(qmp, NULL, ret_pid);

	g_clear_pointer(&target->monitor, qemu_monitor_free);
	ck_assert_int_eq(g_rename(path, away), 0);
	g_strlcpy(name.sun_path, path, sizeof name.sun_path);
	*ret_listener = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	ck_assert_int_eq(bind(*ret_listener, (struct sockaddr *) &name, sizeof name), 0);
	ck_assert_int_eq(listen(*ret_listener, backlog), 0);
	return target;
}

START_TEST(monitor_of_somebody_else_is_refused)
{
	g_autofree char *path = pretend_path("sock");
	pid_t pid;
	int listener;
	QemuTarget *target = reached_elsewhere(1, &pid, &listener);

	qemu_target_find_monitor(target, FALSE);
	g_autofree char *why = g_strdup_printf("%s: process %d listens there", path, getpid());
	ck_assert_pstr_eq(target->no_monitor, why);
	ck_assert_ptr_null(target->monitor);
	qemu_target_free(target);
	pretend_end(pid);
	close(listener);
}
END_TEST

/* Who listens cannot be told as long as nobody can connect. */
START_TEST(monitor_of_somebody_else_is_refused_once_that_can_be_told)
{
	g_autofree char *path = pretend_path("sock");
	g_autoptr(GError) error = NULL;
	struct sockaddr_un name = { .sun_family = AF_UNIX };
	int client = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0), listener;
	pid_t pid;
	QemuTarget *target = reached_elsewhere(0, &pid, &listener);

	g_strlcpy(name.sun_path, path, sizeof name.sun_path);
	ck_assert_int_eq(connect(client, (struct sockaddr *) &name, sizeof name), 0);
	qemu_target_find_monitor(target, FALSE);
	ck_assert_ptr_nonnull(target->monitor);
	close(accept(listener, NULL, NULL));
	ck_assert_ptr_null(qemu_monitor_qmp(target->monitor, "query-status", NULL, NULL, &error));
	ck_assert(g_error_matches(error, VMIFS_ERROR, VMIFS_ERROR_IO));
	g_autofree char *why = g_strdup_printf("process %d listens there", getpid());
	ck_assert_msg(g_str_has_suffix(error->message, why), "%s", error->message);
	qemu_target_free(target);
	pretend_end(pid);
	close(client);
	close(listener);
}
END_TEST

START_TEST(socket_is_known_to_be_one_that_its_arguments_name)
{
	g_autofree char *path = pretend_path("sock");
	pid_t pid;
	g_autoptr(QemuTarget) target = reached("unix:sock,server=on", NULL, &pid);
	struct stat st;

	ck_assert_int_eq(stat(path, &st), 0);
	ck_assert(qemu_target_names(target, &st));
	ck_assert_int_eq(stat("/", &st), 0);
	ck_assert(!qemu_target_names(target, &st));
	pretend_end(pid);
}
END_TEST

START_TEST(what_is_missing_is_said)
{
	static const struct {
		const char *qmp, *why;
	} cases[] = {
		{ NULL, "it was started without one (-qmp)" },
		{ "stdio", "-qmp stdio: no unix socket" },
		{ "unix:/none/sock", "-qmp unix:/none/sock: it connects, and does not listen" },
	};
	for (gsize i = 0; i < G_N_ELEMENTS(cases); i++) {
		pid_t pid;
		g_autoptr(QemuTarget) target = reached(cases[i].qmp, NULL, &pid);
		ck_assert_ptr_null(target->monitor);
		ck_assert_pstr_eq(target->no_monitor, cases[i].why);
		pretend_end(pid);
	}
}
END_TEST

START_TEST(socket_that_was_removed_is_missing)
{
	g_autofree char *path = pretend_path("sock");
	pid_t pid;
	QemuTarget *target = reached("unix:sock,server=on", NULL, &pid);
	g_autofree char *why =
		g_strdup_printf("sock of process %d: No such file or directory", (int) pid);

	g_clear_pointer(&target->monitor, qemu_monitor_free);
	ck_assert_int_eq(unlink(path), 0);
	qemu_target_find_monitor(target, FALSE);
	ck_assert_pstr_eq(target->no_monitor, why);
	qemu_target_free(target);
	pretend_end(pid);
}
END_TEST

static Suite *
make_suite(void)
{
	Suite *suite = suite_create("qemu-reach");
	TCase *tests = tcase_create("qemu-reach");

	tcase_add_checked_fixture(tests, pretend_enter, pretend_leave);
	tcase_add_test(tests, monitor_that_its_arguments_name_is_reached);
	tcase_add_test(tests, relative_path_is_one_of_its_own_folder);
	tcase_add_test(tests, path_may_be_longer_than_an_address);
	tcase_add_test(tests, path_is_one_of_its_own_root);
	tcase_add_test(tests, monitor_of_somebody_else_is_refused);
	tcase_add_test(tests, monitor_of_somebody_else_is_refused_once_that_can_be_told);
	tcase_add_test(tests, socket_is_known_to_be_one_that_its_arguments_name);
	tcase_add_test(tests, what_is_missing_is_said);
	tcase_add_test(tests, socket_that_was_removed_is_missing);
	suite_add_tcase(suite, tests);
	return suite;
}

VMIFS_PRETEND_MAIN(make_suite)
