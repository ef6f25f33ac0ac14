/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* qemu/process: the memory of another process, with its holes, until it ends. */
#include <backends/qemu/process.h>
#include <other-process.h>
#include <unit.h>

#include <errno.h>
#include <signal.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>
#include <vmifs/error.h>

#define PAGE 4096
#define LEN ((gsize) 8 << 20)

static QemuProcess *
open_other(const OtherProcess *other, gboolean writable)
{
	g_autoptr(GError) error = NULL;
	QemuProcess *process = qemu_process_open(other_process_pid(other), 0, writable, &error);

	ck_assert_msg(process != NULL, "%s", error ? error->message : "");
	return process;
}

START_TEST(reads_many_pieces)
{
	enum { N = 1000 };
	g_autoptr(OtherProcess) other = other_process_new(OTHER_ANONYMOUS, LEN);
	g_autoptr(QemuProcess) process = open_other(other, FALSE);
	guint8 bytes[N][3];
	QemuTransfer io[N];

	for (gsize i = 0; i < N; i++) {
		other_process_fill(other, i * 8000 + 1, 3, (guint8) (i % 250 + 1));
		io[i] = (QemuTransfer){ other_process_address(other) + i * 8000 + 1, bytes[i], 3,
					-1 };
	}
	ck_assert_uint_eq(qemu_process_read(process, io, N), N);
	for (gsize i = 0; i < N; i++) {
		guint8 value = (guint8) (i % 250 + 1), expected[3] = { value, value, value };
		ck_assert_int_eq(io[i].status, 0);
		ck_assert_mem_eq(bytes[i], expected, 3);
	}
}
END_TEST

START_TEST(an_element_that_fails_costs_the_others_nothing)
{
	g_autoptr(OtherProcess) other = other_process_new(OTHER_ANONYMOUS, LEN);
	g_autoptr(QemuProcess) process = open_other(other, FALSE);
	guint64 start = other_process_address(other);
	guint8 bytes[5][3 * PAGE], expected[PAGE];
	QemuTransfer io[] = {
		{ start, bytes[0], PAGE, -1 },
		{ 4096, bytes[1], 10, -1 }, /* nothing is mapped there */
		{ start + PAGE, bytes[2], PAGE, -1 },
		{ G_MAXUINT64 - 5, bytes[3], 3 * PAGE, -1 }, /* nor there */
		{ start + 2 * PAGE, bytes[4], 2 * PAGE, -1 },
	};

	other_process_fill(other, 0, PAGE, 1);
	other_process_fill(other, PAGE, PAGE, 2);
	other_process_fill(other, 2 * PAGE, 2 * PAGE, 3);
	ck_assert_uint_eq(qemu_process_read(process, io, 5), 3);
	for (gsize i = 0; i < 5; i++)
		ck_assert_int_eq(io[i].status != 0, i % 2);
	for (gsize i = 0; i < 3; i++) {
		memset(expected, (int) i + 1, PAGE);
		ck_assert_mem_eq(bytes[2 * i], expected, PAGE);
	}
}
END_TEST

START_TEST(a_page_that_may_not_be_read_is_read_all_the_same)
{
	/* process_vm_readv() stops there, in the midst of an element. */
	g_autoptr(OtherProcess) other = other_process_new(OTHER_ANONYMOUS, LEN);
	g_autoptr(QemuProcess) process = open_other(other, FALSE);
	guint8 bytes[2 * PAGE], zeros[PAGE] = { 0 }, ones[PAGE];
	QemuTransfer io = { other_process_address(other) + LEN - PAGE, bytes, 2 * PAGE, -1 };

	memset(ones, 1, PAGE);
	other_process_fill(other, LEN - PAGE, PAGE, 1);
	ck_assert_uint_eq(qemu_process_read(process, &io, 1), 1);
	ck_assert_mem_eq(bytes, ones, PAGE);
	ck_assert_mem_eq(bytes + PAGE, zeros, PAGE);
}
END_TEST

START_TEST(writes)
{
	g_autoptr(OtherProcess) other = other_process_new(OTHER_ANONYMOUS, LEN);
	g_autoptr(QemuProcess) process = open_other(other, TRUE);
	char bytes[] = "bytes";
	QemuTransfer io[] = { { other_process_address(other) + PAGE - 2, bytes, 5, -1 },
			      { 4096, bytes, 5, -1 } };

	ck_assert_uint_eq(qemu_process_write(process, io, 2), 1);
	ck_assert_int_eq(io[0].status, 0);
	ck_assert_int_ne(io[1].status, 0);
	ck_assert_uint_eq(other_process_byte(other, PAGE - 2), 'b');
	ck_assert_uint_eq(other_process_byte(other, PAGE + 2), 's');
}
END_TEST

START_TEST(nothing_is_written_without_permission)
{
	g_autoptr(OtherProcess) other = other_process_new(OTHER_ANONYMOUS, LEN);
	g_autoptr(QemuProcess) process = open_other(other, FALSE);
	char bytes[] = "bytes";
	QemuTransfer io = { other_process_address(other), bytes, 5, -1 };

	ck_assert_uint_eq(qemu_process_write(process, &io, 1), 0);
	ck_assert_int_eq(io.status, EBADF);
	ck_assert_uint_eq(other_process_byte(other, 0), 0);
}
END_TEST

START_TEST(presence_tells_pages_and_makes_none)
{
	g_autoptr(OtherProcess) other = other_process_new(OTHER_ANONYMOUS, LEN);
	g_autoptr(QemuProcess) process = open_other(other, FALSE);
	guint64 bits[QEMU_PRESENCE_PAGES / 64], address = other_process_address(other);

	other_process_fill(other, 3 * PAGE, 1, 1);
	other_process_fill(other, 70 * PAGE, PAGE + 1, 1);
	guint64 rss = other_process_status(other, "VmRSS"),
		pte = other_process_status(other, "VmPTE");
	ck_assert(qemu_process_presence(process, address, 512, bits));
	ck_assert_uint_eq(bits[0], 1 << 3);
	ck_assert_uint_eq(bits[1], 3 << 6);
	for (guint i = 2; i < 8; i++)
		ck_assert_uint_eq(bits[i], 0);
	for (gsize at = 0; at < LEN; at += 512 * PAGE)
		ck_assert(qemu_process_presence(process, address + at, 512, bits));
	ck_assert_uint_eq(other_process_status(other, "VmRSS"), rss);
	ck_assert_uint_eq(other_process_status(other, "VmPTE"), pte);

	other_process_discard(other, 70 * PAGE, PAGE);
	ck_assert(qemu_process_presence(process, address, 128, bits));
	ck_assert_uint_eq(bits[1], 2 << 6);
}
END_TEST

START_TEST(a_process_that_has_ended_is_gone)
{
	OtherProcess *other = other_process_new(OTHER_ANONYMOUS, LEN);
	g_autoptr(QemuProcess) process = open_other(other, TRUE);
	g_autoptr(GError) error = NULL;
	guint64 bits[1];
	guint8 byte = 0;
	QemuTransfer io = { other_process_address(other), &byte, 1, -1 };

	other_process_fill(other, 0, 1, 7);
	ck_assert(!qemu_process_is_gone(process));
	ck_assert_uint_eq(qemu_process_read(process, &io, 1), 1);
	other_process_free(other);
	ck_assert(qemu_process_is_gone(process));
	ck_assert_uint_eq(qemu_process_read(process, &io, 1), 0);
	ck_assert_int_eq(io.status, ESRCH);
	ck_assert_uint_eq(qemu_process_write(process, &io, 1), 0);
	ck_assert_int_eq(io.status, ESRCH);
	ck_assert(!qemu_process_presence(process, io.address, 1, bits));
	ck_assert_ptr_null(qemu_process_maps(process, &error));
	ck_assert(g_error_matches(error, VMIFS_ERROR, VMIFS_ERROR_STALE));
}
END_TEST

START_TEST(another_life_of_that_number_is_refused)
{
	g_autoptr(OtherProcess) other = other_process_new(OTHER_ANONYMOUS, LEN);
	g_autoptr(GError) error = NULL;

	ck_assert_ptr_null(qemu_process_open(other_process_pid(other), 1, FALSE, &error));
	ck_assert(g_error_matches(error, VMIFS_ERROR, VMIFS_ERROR_SOURCE));
	ck_assert_ptr_nonnull(strstr(error->message, "has ended"));
	g_clear_error(&error);
	ck_assert_ptr_null(qemu_process_open(G_MAXINT32, 0, FALSE, &error));
	ck_assert(g_error_matches(error, VMIFS_ERROR, VMIFS_ERROR_SOURCE));
}
END_TEST

START_TEST(stopped_is_told_from_running)
{
	g_autoptr(OtherProcess) other = other_process_new(OTHER_ANONYMOUS, LEN);
	g_autoptr(QemuProcess) process = open_other(other, FALSE);
	int status;

	ck_assert(!qemu_process_is_stopped(process));
	kill(other_process_pid(other), SIGSTOP);
	ck_assert_int_eq(waitpid(other_process_pid(other), &status, WUNTRACED),
			 other_process_pid(other));
	ck_assert(qemu_process_is_stopped(process));
	guint64 switches, later;
	ck_assert(qemu_process_rests(process, &switches));
	g_usleep(50 * 1000);
	ck_assert(qemu_process_rests(process, &later));
	ck_assert_uint_eq(later, switches);
	kill(other_process_pid(other), SIGCONT);
	ck_assert_int_eq(waitpid(other_process_pid(other), &status, WCONTINUED),
			 other_process_pid(other));
	ck_assert(!qemu_process_is_stopped(process));
	kill(other_process_pid(other), SIGSTOP);
	ck_assert_int_eq(waitpid(other_process_pid(other), &status, WUNTRACED),
			 other_process_pid(other));
	ck_assert(qemu_process_rests(process, &later));
	ck_assert_uint_gt(later, switches);
}
END_TEST

/* In a process of its own, which has given all rights away. */
static int
try_as_nobody(const OtherProcess *other)
{
	g_autoptr(GError) error = NULL;

	if (setresgid(12345, 12345, 12345) || setresuid(12345, 12345, 12345))
		return 1;
	if (qemu_process_open(other_process_pid(other), 0, FALSE, &error))
		return 2;
	if (!g_error_matches(error, VMIFS_ERROR, VMIFS_ERROR_SOURCE))
		return 3;
	return strstr(error->message, "root") ? 0 : 4;
}

START_TEST(who_may_not_is_told_so)
{
	g_autoptr(OtherProcess) other = other_process_new(OTHER_ANONYMOUS, LEN);
	int status;

	if (geteuid())
		return; /* an ordinary user cannot be yet another one */
	pid_t pid = fork();
	if (!pid)
		_exit(try_as_nobody(other));
	ck_assert_int_eq(waitpid(pid, &status, 0), pid);
	ck_assert_int_eq(status, 0);
}
END_TEST

static Suite *
process_suite(void)
{
	Suite *suite = suite_create("qemu-process");
	TCase *tcase = tcase_create("process");

	tcase_add_test(tcase, reads_many_pieces);
	tcase_add_test(tcase, an_element_that_fails_costs_the_others_nothing);
	tcase_add_test(tcase, a_page_that_may_not_be_read_is_read_all_the_same);
	tcase_add_test(tcase, writes);
	tcase_add_test(tcase, nothing_is_written_without_permission);
	tcase_add_test(tcase, presence_tells_pages_and_makes_none);
	tcase_add_test(tcase, a_process_that_has_ended_is_gone);
	tcase_add_test(tcase, another_life_of_that_number_is_refused);
	tcase_add_test(tcase, stopped_is_told_from_running);
	tcase_add_test(tcase, who_may_not_is_told_so);
	suite_add_tcase(suite, tcase);
	return suite;
}

VMIFS_UNIT_MAIN(process_suite)
