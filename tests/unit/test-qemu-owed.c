/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* owed: a process that waits for pages of its own, as QEMU does while a migration goes on. */
#include <unit.h>

#include <backends/qemu/owed.h>
#include <backends/qemu/ram.h>

#include <errno.h>
#include <fcntl.h>
#include <linux/userfaultfd.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <unistd.h>

#define PAGE 4096
#define LEN ((gsize) 16 * PAGE)

static const struct {
	const char *text;
	gboolean waits;
} infos[] = {
	{ "pos:\t0\npending:\t1\ntotal:\t1\nAPI:\taa:0:ffff\n", TRUE },
	{ "API:\taa:120:ffff\n", TRUE },
	/* It is to see writes alone. */
	{ "pending:\t0\ntotal:\t0\nAPI:\taa:1:ffff\n", FALSE },
	{ "API:\taa", FALSE },
	{ "pos:\t0\nflags:\t02\n", FALSE },
	{ "", FALSE },
};

START_TEST(who_waits_for_pages_is_known_by_its_descriptor)
{
	ck_assert_int_eq(qemu_owed_parse(infos[_i].text), infos[_i].waits);
}
END_TEST

/* -1 where we may not. */
static int
open_userfaultfd(guint64 features)
{
	struct uffdio_api api = { .api = UFFD_API, .features = features };
	int fd = (int) syscall(SYS_userfaultfd, O_CLOEXEC | O_NONBLOCK);

	if (fd >= 0 && ioctl(fd, UFFDIO_API, &api)) {
		close(fd);
		return -1;
	}
	return fd;
}

typedef struct {
	guint8 *data; /* LEN bytes that wait for their pages, but for the first */
	int proc;
	QemuProcess *process;
	QemuOwed *owed;
	QemuRam *ram;
} Fixture;

static void
setup(Fixture *f)
{
	gboolean changed;
	g_autoptr(GError) error = NULL;
	g_autofree char *text = NULL;

	f->data = mmap(NULL, LEN, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	ck_assert_ptr_ne(f->data, MAP_FAILED);
	f->data[0] = 'x';
	f->proc = open("/proc/self", O_RDONLY | O_DIRECTORY);
	f->process = qemu_process_open(getpid(), 0, TRUE, &error);
	ck_assert_msg(f->process != NULL, "%s", error ? error->message : "");
	f->owed = qemu_owed_new(f->proc);
	f->ram = qemu_ram_new(f->process);
	qemu_ram_expect(f->ram, f->owed);
	QemuPiece piece = { .len = LEN, .block = g_strdup("ram"), .address = (guintptr) f->data };
	g_autoptr(GArray) pieces = qemu_pieces_new();
	g_array_append_val(pieces, piece);
	text = qemu_process_maps(f->process, NULL);
	g_autoptr(GArray) maps = qemu_maps_parse(text);
	ck_assert(qemu_ram_set_pieces(f->ram, pieces, maps, &changed, &error));
}

static void
teardown(Fixture *f)
{
	qemu_ram_free(f->ram);
	qemu_owed_free(f->owed);
	qemu_process_close(f->process);
	close(f->proc);
	munmap(f->data, LEN);
}

static int
read_at(const Fixture *f, guint64 offset, guint8 *ret)
{
	VmifsIo io = { .offset = offset, .buf = ret, .len = 1 };

	qemu_ram_read(f->ram, &io, 1);
	return io.status;
}

static int
write_at(const Fixture *f, guint64 offset)
{
	guint8 byte = 'w';
	VmifsIo io = { .offset = offset, .buf = &byte, .len = 1 };

	qemu_ram_write(f->ram, &io, 1);
	return io.status;
}

START_TEST(what_has_not_come_is_no_hole)
{
	struct uffdio_register wanted = { .mode = UFFDIO_REGISTER_MODE_MISSING };
	Fixture f;
	guint8 byte = 1;
	gboolean data;
	guint64 len;
	int fd;

	setup(&f);
	ck_assert_int_eq(read_at(&f, PAGE, &byte), 0);
	ck_assert_uint_eq(byte, 0);
	ck_assert(qemu_ram_extent(f.ram, 0, PAGE, &data, &len) && !data);
	ck_assert(!qemu_ram_is_owed(f.ram));

	fd = open_userfaultfd(0);
	if (fd < 0) {
		teardown(&f);
		return; /* this host lets nobody: tests/live/migration */
	}
	wanted.range.start = (guintptr) f.data;
	wanted.range.len = LEN;
	ck_assert_int_eq(ioctl(fd, UFFDIO_REGISTER, &wanted), 0);
	g_usleep(30 * G_TIME_SPAN_MILLISECOND); /* what was seen is forgotten */
	ck_assert(qemu_ram_is_owed(f.ram));
	ck_assert_int_eq(read_at(&f, 0, &byte), 0);
	ck_assert_uint_eq(byte, 'x');
	/* And nobody waits. */
	ck_assert_int_eq(read_at(&f, PAGE, &byte), EIO);
	ck_assert_int_eq(write_at(&f, PAGE), EIO);
	ck_assert_int_eq(write_at(&f, 0), 0);
	ck_assert(qemu_ram_extent(f.ram, 0, PAGE, &data, &len) && data);

	close(fd);
	g_usleep(30 * G_TIME_SPAN_MILLISECOND);
	ck_assert_int_eq(read_at(&f, PAGE, &byte), 0);
	ck_assert_uint_eq(byte, 0);
	teardown(&f);
}
END_TEST

START_TEST(who_watches_writes_waits_for_nothing)
{
	int fd = open_userfaultfd(UFFD_FEATURE_PAGEFAULT_FLAG_WP);
	Fixture f;

	setup(&f);
	ck_assert(!qemu_ram_is_owed(f.ram));
	if (fd >= 0)
		close(fd);
	teardown(&f);
}
END_TEST

static Suite *
owed_suite(void)
{
	Suite *suite = suite_create("qemu-owed");
	TCase *tcase = tcase_create("qemu-owed");

	tcase_add_loop_test(tcase, who_waits_for_pages_is_known_by_its_descriptor, 0,
			    G_N_ELEMENTS(infos));
	tcase_add_test(tcase, what_has_not_come_is_no_hole);
	tcase_add_test(tcase, who_watches_writes_waits_for_nothing);
	suite_add_tcase(suite, tcase);
	return suite;
}

VMIFS_UNIT_MAIN(owed_suite)
