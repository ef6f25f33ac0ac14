/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* qemu/maps: lines of maps, and what stands behind addresses. */
#include <backends/qemu/maps.h>
#include <other-process.h>
#include <unit.h>

#include <fcntl.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#define PAGE 4096
#define LEN ((gsize) 8 << 20)

static const char text[] =
	"560a574d8000-560a578df000 r--p 00000000 fe:00 10977333                   /usr/bin/qemu\n"
	"7f1340000000-7f1340021000 rw-p 00000000 00:00 0 \n"
	"7f1340021000-7f1344000000 ---p 00000000 00:00 0 \n"
	"7f1347e00000-7f1367e00000 rw-p 00000000 00:00 0 \n"
	"7f1367e00000-7f1367e01000 ---p 00000000 00:00 0 \n"
	"7f1400000000-7f1410000000 rw-s 10000000 00:01 77   /memfd:memory-backend-memfd (deleted)\n"
	"7f1410000000-7f1420000000 rw-s 20000000 00:01 77   /memfd:memory-backend-memfd (deleted)\n"
	"7f1420000000-7f1430000000 rw-s 00000000 00:01 77   /memfd:memory-backend-memfd (deleted)\n"
	"7f1430000000-7f1440000000 rw-p 00000000 00:01 78   /memfd:private (deleted)\n"
	"7f1440000000-7f1450000000 rw-p 00000000 00:00 0 \n"
	"ffffffffff600000-ffffffffff601000 --xp 00000000 00:00 0                  [vsyscall]\n";

START_TEST(lines_are_understood)
{
	g_autoptr(GArray) maps = qemu_maps_parse(text);
	const QemuMapping *mapping;

	ck_assert_uint_eq(maps->len, 11);
	mapping = qemu_maps_find(maps, 0x7f1400000000);
	ck_assert_uint_eq(mapping->start, 0x7f1400000000);
	ck_assert_uint_eq(mapping->len, 0x10000000);
	ck_assert_uint_eq(mapping->offset, 0x10000000);
	ck_assert_uint_eq(mapping->inode, 77);
	ck_assert_uint_eq(mapping->dev_major, 0);
	ck_assert_uint_eq(mapping->dev_minor, 1);
	ck_assert(mapping->is_shared && mapping->is_readable);
	ck_assert(!qemu_maps_find(maps, 0x7f1340021000)->is_readable);
	ck_assert_ptr_eq(qemu_maps_find(maps, 0x7f1367dfffff),
			 qemu_maps_find(maps, 0x7f1347e00000));
	ck_assert_ptr_null(qemu_maps_find(maps, 0x7f1347dfffff));
	ck_assert_ptr_null(qemu_maps_find(maps, 0));
	ck_assert_ptr_null(qemu_maps_find(maps, G_MAXUINT64));
}
END_TEST

START_TEST(lines_that_are_none_are_passed_over)
{
	static const char *const strange[] = {
		"",
		"\n",
		"hello\n",
		"5-4 rw-p 0 0:0 0\n",
		"5-5 rw-p 0 0:0 0\n",
		"1000-2000 rw 0 0:0 0\n",
		"1000-2000 rw-p 0 0:0\n",
		"1000-2000",
		"-",
	};

	for (guint i = 0; i < G_N_ELEMENTS(strange); i++) {
		g_autoptr(GArray) maps = qemu_maps_parse(strange[i]);
		ck_assert_uint_eq(maps->len, 0);
	}
	/* Out of order. */
	g_autoptr(GArray) maps =
		qemu_maps_parse("2000-4000 rw-p 0 0:0 0\n3000-5000 rw-p 0 0:0 0\n0-1 rw-p 0 0:0 0\n"
				"5000-6000 r--p 0 0:0 0");
	ck_assert_uint_eq(maps->len, 2);
	ck_assert_uint_eq(qemu_maps_find(maps, 0x5000)->len, 0x1000);
}
END_TEST

/* As many as a process may have, of files with long names: quadratic, it would take a minute. */
START_TEST(many_lines_take_no_longer_each)
{
	g_autoptr(GString) many = g_string_new(NULL);
	g_autofree char *path = g_strnfill(600, 'x');

	for (guint i = 1; i <= 65530; i++)
		g_string_append_printf(many, "%x000-%x000 r--p 00000000 fe:00 %u /%s\n", i, i + 1,
				       i, path);
	clock_t start = clock();
	g_autoptr(GArray) maps = qemu_maps_parse(many->str);
	ck_assert_uint_eq(maps->len, 65530);
	ck_assert_uint_eq(qemu_maps_find(maps, 65530ull << 12)->inode, 65530);
	ck_assert_int_lt(clock() - start, 3 * CLOCKS_PER_SEC);
}
END_TEST

START_TEST(a_range_has_one_backing_or_none)
{
	g_autoptr(GArray) maps = qemu_maps_parse(text);
	QemuBacking backing;

	ck_assert(qemu_maps_backing(maps, 0x7f1347e01000, 0x1ffff000, &backing));
	ck_assert_int_eq(backing.kind, QEMU_BACKING_ANONYMOUS);
	/* Over two mappings of a file that go on. */
	ck_assert(qemu_maps_backing(maps, 0x7f1400002000, 0x1fffe000, &backing));
	ck_assert_int_eq(backing.kind, QEMU_BACKING_SHARED);
	ck_assert_uint_eq(backing.offset, 0x10002000);
	ck_assert_uint_eq(backing.first.start, 0x7f1400000000);
	ck_assert(qemu_maps_backing(maps, 0x7f1430000000, 0x10000000, &backing));
	ck_assert_int_eq(backing.kind, QEMU_BACKING_PRIVATE);
	/* They do not go on, in one way or the other. */
	ck_assert(!qemu_maps_backing(maps, 0x7f1347e00000, 0x20000001, &backing));
	ck_assert(!qemu_maps_backing(maps, 0x7f1410000000, 0x10000001, &backing));
	ck_assert(!qemu_maps_backing(maps, 0x7f1420000000, 0x10000001, &backing));
	ck_assert(!qemu_maps_backing(maps, 0x7f1430000000, 0x10000001, &backing));
	ck_assert(!qemu_maps_backing(maps, 0x7f1440000000, 0x10000001, &backing));
	ck_assert(!qemu_maps_backing(maps, 0x7f1440000000, G_MAXUINT64, &backing));
	ck_assert(!qemu_maps_backing(maps, 0x7f1347e00000, 0, &backing));
	ck_assert(!qemu_maps_backing(maps, 0x1000, 1, &backing));
	ck_assert(!qemu_maps_backing(maps, 0x7f1340021000, 1, &backing));
}
END_TEST

/* The thread sanitizer's shadow is memory that comes by itself. */
#ifdef __SANITIZE_THREAD__
#define HAS_SHADOW TRUE
#else
#define HAS_SHADOW FALSE
#endif

static guint64
signature_of(const OtherProcess *other)
{
	g_autoptr(QemuProcess) process =
		qemu_process_open(other_process_pid(other), 0, FALSE, NULL);
	g_autofree char *own = qemu_process_maps(process, NULL);
	g_autoptr(GArray) maps = qemu_maps_parse(own);

	return qemu_maps_signature(maps, (guint64) 4 << 20);
}

START_TEST(signature_changes_when_memory_is_plugged_and_not_else)
{
	g_autoptr(OtherProcess) other = other_process_new(OTHER_MEMFD, LEN);
	guint64 before = signature_of(other);

	other_process_fill(other, 0, LEN, 1);
	other_process_plug(other, 2 << 20); /* the stack of a thread */
	ck_assert_uint_eq(signature_of(other), before);
	other_process_plug(other, LEN);
	ck_assert_uint_ne(signature_of(other), before);
}
END_TEST

/* The file behind its memory, and that it is the right one. */
static void
check_backing(OtherKind kind, QemuBackingKind expected, gboolean has_file)
{
	g_autoptr(OtherProcess) other = other_process_new(kind, LEN);
	g_autoptr(QemuProcess) process =
		qemu_process_open(other_process_pid(other), 0, FALSE, NULL);
	g_autofree char *own = qemu_process_maps(process, NULL);
	g_autoptr(GArray) maps = qemu_maps_parse(own);
	QemuBacking backing;
	char bytes[6] = "";

	other_process_fill(other, 3 * PAGE, 5, 'x');
	ck_assert(
		qemu_maps_backing(maps, other_process_address(other) + PAGE, LEN - PAGE, &backing));
	ck_assert_int_eq(backing.kind, expected);
	if (expected == QEMU_BACKING_ANONYMOUS)
		return;
	ck_assert_uint_eq(backing.offset, PAGE);
	int fd = qemu_backing_open(&backing, process);
	ck_assert_int_eq(fd >= 0, has_file);
	if (fd < 0)
		return;
	ck_assert_int_eq(pread(fd, bytes, 5, 3 * PAGE), 5);
	ck_assert_str_eq(bytes, expected == QEMU_BACKING_SHARED ? "xxxxx" : "");
	ck_assert_int_lt(pwrite(fd, "no", 2, 0), 0);
	close(fd);
}

/* What lies there may be a device by the time it is opened. */
START_TEST(devices_behind_memory_are_not_opened)
{
	g_autoptr(QemuProcess) process = qemu_process_open(getpid(), 0, FALSE, NULL);
	int device = open("/dev/zero", O_RDONLY | O_CLOEXEC);
	const guint8 *memory = mmap(NULL, PAGE, PROT_READ, MAP_PRIVATE, device, 0);
	QemuBacking backing;

	ck_assert_ptr_ne(memory, MAP_FAILED);
	g_autofree char *own = qemu_process_maps(process, NULL);
	g_autoptr(GArray) maps = qemu_maps_parse(own);
	ck_assert(qemu_maps_backing(maps, (guintptr) memory, PAGE, &backing));
	ck_assert_int_eq(backing.kind, QEMU_BACKING_PRIVATE);
	ck_assert_int_eq(qemu_backing_open(&backing, process), -1);
	munmap((gpointer) memory, PAGE);
	close(device);
}
END_TEST

START_TEST(files_behind_memory_are_opened)
{
	check_backing(OTHER_ANONYMOUS, QEMU_BACKING_ANONYMOUS, FALSE);
	check_backing(OTHER_MEMFD, QEMU_BACKING_SHARED, TRUE);
	check_backing(OTHER_FILE_PRIVATE, QEMU_BACKING_PRIVATE, TRUE);
	/* There is no descriptor of it: root alone gets at it. */
	check_backing(OTHER_SHARED_ANON, QEMU_BACKING_SHARED, geteuid() == 0);
}
END_TEST

static Suite *
maps_suite(void)
{
	Suite *suite = suite_create("qemu-maps");
	TCase *tcase = tcase_create("maps");

	tcase_add_test(tcase, lines_are_understood);
	tcase_add_test(tcase, lines_that_are_none_are_passed_over);
	tcase_add_test(tcase, many_lines_take_no_longer_each);
	tcase_add_test(tcase, a_range_has_one_backing_or_none);
	if (!HAS_SHADOW)
		tcase_add_test(tcase, signature_changes_when_memory_is_plugged_and_not_else);
	tcase_add_test(tcase, devices_behind_memory_are_not_opened);
	tcase_add_test(tcase, files_behind_memory_are_opened);
	suite_add_tcase(suite, tcase);
	return suite;
}

VMIFS_UNIT_MAIN(maps_suite)
