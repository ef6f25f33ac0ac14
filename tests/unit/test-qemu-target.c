/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * test-qemu-target: processes with the name, arguments, root and namespaces that a QEMU may have.
 */
#include "pretend-qemu.h"

#include <backends/qemu/target.h>
#include <errno.h>
#include <fcntl.h>
#include <glib/gstdio.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>
#include <vmifs/error.h>

static const char *const usual[] = { "x", "-name", "web", "-m", "1G", NULL };

START_TEST(process_of_that_name_is_held)
{
	pid_t pid = pretend_start("qemu-system-x86_64", usual, NULL);
	g_autoptr(GError) error = NULL;
	g_autoptr(QemuTarget) target = qemu_target_new(pid, &error);
	g_autofree char *source = g_strdup_printf("pid:%d", (int) pid);

	ck_assert_msg(target != NULL, "%s", error ? error->message : "");
	g_autofree char *key = qemu_target_key(target);
	g_autofree char *expected =
		g_strdup_printf("%d:%" G_GUINT64_FORMAT, (int) pid, target->start_time);
	ck_assert_str_eq(target->name, "web");
	ck_assert_str_eq(target->source, source);
	ck_assert_uint_eq(target->args->ram, 1 << 30);
	ck_assert_str_eq(key, expected);
	ck_assert(qemu_target_is_alive(target));
	/* It began a moment ago. */
	struct timespec now;
	clock_gettime(CLOCK_BOOTTIME, &now);
	ck_assert_int_le(target->started, (gint64) now.tv_sec * G_USEC_PER_SEC + G_USEC_PER_SEC);
	ck_assert_int_ge(target->started, (gint64) (now.tv_sec - 40) * G_USEC_PER_SEC);
	pretend_end(pid);
	ck_assert(!qemu_target_is_alive(target));
}
END_TEST

START_TEST(guest_without_a_name_is_called_by_its_number)
{
	static const char *const nameless[] = { "x", "-m", "1G", NULL };
	pid_t pid = pretend_start("qemu-kvm", nameless, NULL);
	g_autoptr(QemuTarget) target = qemu_target_new(pid, NULL);
	g_autofree char *name = g_strdup_printf("qemu-%d", (int) pid);

	ck_assert_ptr_nonnull(target);
	ck_assert_str_eq(target->name, name);
	pretend_end(pid);
}
END_TEST

START_TEST(what_is_no_qemu_is_refused_with_what_it_is)
{
	g_autoptr(GError) error = NULL;
	g_autofree char *start_of_text = g_strdup_printf("process %d is /", (int) getpid());

	ck_assert_ptr_null(qemu_target_new(getpid(), &error));
	ck_assert(g_error_matches(error, VMIFS_ERROR, VMIFS_ERROR_NOT_FOUND));
	ck_assert_msg(g_str_has_prefix(error->message, start_of_text), "%s", error->message);
	ck_assert_msg(g_str_has_suffix(error->message, ", which is no QEMU"), "%s", error->message);
}
END_TEST

START_TEST(renamed_program_must_say_itself_that_it_is_qemu)
{
	static const char *const typical[] = { "vm", "-name", "web",    "-machine", "q35",
					       "-m", "1G",    "-accel", "tcg",      NULL };
	/* What QEMU says of its version is in this program, as it looks for that. */
	pid_t pid = pretend_start("vm", typical, NULL);
	g_autoptr(GError) error = NULL;
	g_autoptr(QemuTarget) target = qemu_target_new(pid, &error);

	ck_assert_msg(target != NULL, "%s", error ? error->message : "");
	ck_assert_str_eq(target->name, "web");
	pretend_end(pid);
}
END_TEST

START_TEST(program_with_such_options_that_is_none_is_refused)
{
	g_autoptr(GError) error = NULL;
	int ready[2];
	char byte;

	ck_assert_int_eq(pipe2(ready, O_CLOEXEC), 0);
	pid_t pid = fork();
	if (pid == 0) {
		/* Which takes any words, and says them for ever. */
		if (freopen("/dev/null", "w", stdout))
			execlp("yes", "vm", "--", "-machine", "-m", "-accel", NULL);
		_exit(1);
	}
	close(ready[1]);
	ck_assert_int_eq(read(ready[0], &byte, 1), 0);
	/* A program's words are told a moment later than it has come. */
	for (int tries = 0; !qemu_target_likely(pid) && tries < 5000; tries++)
		g_usleep(1000);
	ck_assert_uint_ne(qemu_target_likely(pid), QEMU_LIKELY_NOT);
	ck_assert_ptr_null(qemu_target_new(pid, &error));
	ck_assert_msg(strstr(error->message, "yes, which is no QEMU") != NULL, "%s",
		      error->message);
	pretend_end(pid);
}
END_TEST

START_TEST(number_that_nobody_has_is_not_found)
{
	static const pid_t numbers[] = { 0, -1, G_MAXINT };
	for (gsize i = 0; i < G_N_ELEMENTS(numbers); i++) {
		g_autoptr(GError) error = NULL;
		ck_assert_ptr_null(qemu_target_new(numbers[i], &error));
		ck_assert(g_error_matches(error, VMIFS_ERROR, VMIFS_ERROR_NOT_FOUND));
	}
	pid_t pid = pretend_start("kvm", usual, NULL);
	g_autoptr(GError) error = NULL;
	kill(pid, SIGKILL);
	siginfo_t info;
	ck_assert_int_eq(waitid(P_PID, (id_t) pid, &info, WEXITED | WNOWAIT), 0);
	ck_assert_ptr_null(qemu_target_new(pid, &error)); /* ended, and nobody waited for it */
	ck_assert(g_error_matches(error, VMIFS_ERROR, VMIFS_ERROR_NOT_FOUND));
	pretend_end(pid);
}
END_TEST

static char *
content(const QemuTarget *target, const char *path)
{
	g_autoptr(GError) error = NULL;
	int fd = qemu_target_open_path(target, path, O_RDONLY, &error);
	char buf[64];

	if (fd < 0)
		return g_strdup(error->message);
	gssize n = read(fd, buf, sizeof buf);
	close(fd);
	return g_strndup(buf, (gsize) MAX(n, 0));
}

static void
assert_content(const QemuTarget *target, const char *path, const char *expected)
{
	g_autofree char *seen = content(target, path);

	ck_assert_str_eq(seen, expected);
}

START_TEST(relative_path_begins_in_its_folder)
{
	g_autofree char *file = pretend_path("file");
	pid_t pid = pretend_start("kvm", usual, NULL);
	g_autoptr(QemuTarget) target = qemu_target_new(pid, NULL);

	ck_assert_ptr_nonnull(target);
	ck_assert(g_file_set_contents(file, "here", -1, NULL));
	assert_content(target, "file", "here");
	assert_content(target, file, "here");
	g_autofree char *expected =
		g_strdup_printf("none of process %d: %s", (int) pid, g_strerror(ENOENT));
	assert_content(target, "none", expected);
	pretend_end(pid);
}
END_TEST

START_TEST(no_path_leads_out_of_its_root)
{
	g_autofree char *root = pretend_path("root");
	g_autofree char *outside = pretend_path("file");
	g_autofree char *inside = g_build_filename(root, "file", NULL);
	g_autofree char *link = g_build_filename(root, "link", NULL);
	g_autofree char *magic = g_build_filename(root, "magic", NULL);

	if (geteuid() != 0)
		return; /* as nobody else a process has a root of its own */
	ck_assert_int_eq(g_mkdir(root, 0755), 0);
	ck_assert(g_file_set_contents(outside, "outside", -1, NULL));
	ck_assert(g_file_set_contents(inside, "inside", -1, NULL));
	ck_assert_int_eq(symlink("/../../../../file", link), 0);
	ck_assert_int_eq(symlink("/proc/self/root/etc/passwd", magic), 0);
	pid_t pid = pretend_start("kvm", usual, root);
	g_autoptr(QemuTarget) target = qemu_target_new(pid, NULL);
	g_autofree char *missing =
		g_strdup_printf("magic of process %d: %s", (int) pid, g_strerror(ENOENT));

	ck_assert_ptr_nonnull(target);
	assert_content(target, "/file", "inside");
	assert_content(target, "file", "inside");
	assert_content(target, "../../file", "inside");
	assert_content(target, "link", "inside");
	assert_content(target, "magic", missing);
	pretend_end(pid);
}
END_TEST

START_TEST(path_is_that_of_its_mount_namespace)
{
	g_autofree char *place = pretend_path("place");
	g_autofree char *file = g_build_filename(place, "file", NULL);
	int told[2];

	if (geteuid() != 0)
		return; /* as nobody else a process cannot mount */
	ck_assert_int_eq(g_mkdir(place, 0755), 0);
	ck_assert_int_eq(pipe2(told, O_CLOEXEC), 0);
	pid_t parent = fork();
	if (parent == 0) {
		/* As `unshare -mp --fork` does: in a pid namespace of its own too. */
		if (unshare(CLONE_NEWNS | CLONE_NEWPID) < 0 ||
		    mount("none", "/", NULL, MS_REC | MS_PRIVATE, NULL) < 0 ||
		    mount("none", place, "tmpfs", 0, NULL) < 0 ||
		    !g_file_set_contents(file, "private", -1, NULL))
			_exit(1);
		pid_t child = pretend_start("kvm", usual, NULL);
		gboolean good = child > 0 && write(told[1], "", 1) == 1;
		pause();
		_exit(!good);
	}
	close(told[1]);
	char byte;
	ck_assert_int_eq(read(told[0], &byte, 1), 1);
	close(told[0]);
	g_autofree char *children =
		g_strdup_printf("/proc/%d/task/%d/children", (int) parent, (int) parent);
	g_autofree char *list = NULL;
	ck_assert(g_file_get_contents(children, &list, NULL, NULL));
	pid_t pid = (pid_t) g_ascii_strtoll(list, NULL, 10);
	g_autoptr(GError) error = NULL;
	g_autoptr(QemuTarget) target = qemu_target_new(pid, &error);
	ck_assert_msg(target != NULL, "%s", error ? error->message : "");
	ck_assert(!g_file_test(file, G_FILE_TEST_EXISTS));
	assert_content(target, file, "private");
	assert_content(target, "place/file", "private");
	kill(pid, SIGKILL);
	pretend_end(parent);
}
END_TEST

static Suite *
make_suite(void)
{
	Suite *suite = suite_create("qemu-target");
	TCase *tests = tcase_create("qemu-target");

	tcase_add_checked_fixture(tests, pretend_enter, pretend_leave);
	tcase_add_test(tests, process_of_that_name_is_held);
	tcase_add_test(tests, guest_without_a_name_is_called_by_its_number);
	tcase_add_test(tests, what_is_no_qemu_is_refused_with_what_it_is);
	tcase_add_test(tests, renamed_program_must_say_itself_that_it_is_qemu);
	tcase_add_test(tests, program_with_such_options_that_is_none_is_refused);
	tcase_add_test(tests, number_that_nobody_has_is_not_found);
	tcase_add_test(tests, relative_path_begins_in_its_folder);
	tcase_add_test(tests, no_path_leads_out_of_its_root);
	tcase_add_test(tests, path_is_that_of_its_mount_namespace);
	suite_add_tcase(suite, tests);
	return suite;
}

VMIFS_PRETEND_MAIN(make_suite)
