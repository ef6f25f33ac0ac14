/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* backends/snapshot: raw images, their holes, and everything that is no raw image. */
#include <image-file.h>

#include <backend-call.h>
#include <errno.h>

#define CHUNK (64 << 20) /* of extents.c */

/* ---- raw ---- */

START_TEST(raw_image_is_memory_from_zero)
{
	gsize n;
	const char *why;
	char buf[5];
	make_file("a", "first", 5, 3 * PAGE);
	put("a", 3 * PAGE - 4, "last", 4);
	g_autoptr(VmifsPhysmem) mem = good_image("a");
	const VmifsRegion *r = vmifs_physmem_regions(mem, &n);

	ck_assert_uint_eq(n, 1);
	ck_assert_uint_eq(r->pa, 0);
	ck_assert_uint_eq(r->len, 3 * PAGE);
	ck_assert_int_eq(r->kind, VMIFS_REGION_RAM);
	const VmifsBlock *b = vmifs_physmem_blocks(mem, &n);
	ck_assert_uint_eq(n, 1);
	ck_assert_str_eq(b->name, "image");
	ck_assert_int_ge(vmifs_physmem_passthrough_fd(mem, &why), 0);
	ck_assert_int_eq(fcntl(b->fd, F_GETFL) & O_ACCMODE, O_RDONLY);
	ck_assert(vmifs_physmem_read(mem, 0, buf, 5, NULL, NULL));
	ck_assert_mem_eq(buf, "first", 5);
	ck_assert(vmifs_physmem_read(mem, 3 * PAGE - 4, buf, 4, NULL, NULL));
	ck_assert_mem_eq(buf, "last", 4);
}
END_TEST

START_TEST(tail_of_less_than_a_page_is_read)
{
	char buf[3];
	const char *why;
	make_file("a", "", 0, PAGE + 3);
	put("a", PAGE, "end", 3);
	g_autoptr(VmifsPhysmem) mem = good_image("a");

	ck_assert_uint_eq(vmifs_physmem_end(mem), PAGE + 3);
	ck_assert(vmifs_physmem_read(mem, PAGE, buf, 3, NULL, NULL));
	ck_assert_mem_eq(buf, "end", 3);
	ck_assert(!vmifs_physmem_read(mem, PAGE + 1, buf, 3, NULL, NULL));
	ck_assert_int_ge(vmifs_physmem_passthrough_fd(mem, &why), 0);
}
END_TEST

START_TEST(base_moves_memory)
{
	gsize n;
	const char *why;
	make_file("a", "x", 1, PAGE);
	options.has_base = TRUE;
	options.base = 0x40000000;
	g_autoptr(VmifsPhysmem) mem = good_image("a");

	ck_assert_uint_eq(vmifs_physmem_regions(mem, &n)->pa, 0x40000000);
	ck_assert_int_eq(vmifs_physmem_passthrough_fd(mem, &why), -1);
	options.base = 0x40000001;
	assert_refused("a", VMIFS_ERROR_INVALID, "base=0x40000001");
	options.base = G_MAXUINT64 - PAGE + 1;
	assert_refused("a", VMIFS_ERROR_INVALID, "below 2^64");
}
END_TEST

START_TEST(time_is_that_of_the_file)
{
	int fd;
	struct timespec times[2] = { { 1, 0 }, { 1700000000, 5000 } };
	make_file("a", "x", 1, PAGE);
	ck_assert_int_eq(utimensat(AT_FDCWD, "a", times, 0), 0);
	fd = open("a", O_RDONLY | O_CLOEXEC);
	VmifsSource src = { .spec = "a", .path = "a", .fd = fd, .len = PAGE, .options = &options };
	gpointer instance = vmifs_backend_open(&vmifs_backend_snapshot, &src, NULL, NULL);
	g_autoptr(GString) info = g_string_new(NULL);
	g_autoptr(VmifsConnection) connection =
		vmifs_connection_new(&vmifs_backend_snapshot, instance);

	ck_assert_int_eq(vmifs_backend_acquired(connection), 1700000000LL * G_USEC_PER_SEC + 5);
	vmifs_backend_info(connection, info);
	ck_assert_str_eq(info->str, "format: raw\n");
	close(fd);
}
END_TEST

START_TEST(image_that_ends_within_a_page_is_said_to_be_cut_short)
{
	make_file("a", "x", 1, PAGE + 3);
	int fd = open("a", O_RDONLY | O_CLOEXEC);
	VmifsSource src = {
		.spec = "a", .path = "a", .fd = fd, .len = PAGE + 3, .options = &options
	};
	gpointer instance = vmifs_backend_open(&vmifs_backend_snapshot, &src, NULL, NULL);
	g_autoptr(GString) info = g_string_new(NULL);
	g_autoptr(VmifsConnection) connection =
		vmifs_connection_new(&vmifs_backend_snapshot, instance);

	vmifs_backend_info(connection, info);
	ck_assert_msg(strstr(info->str, "\nmissing: ") && strstr(info->str, " at 0x1003: "), "%s",
		      info->str);
	close(fd);
}
END_TEST

/* ---- holes ---- */

static const struct {
	guint64 at, len;
} data_runs[] = {
	{ 0, PAGE },
	{ 2 * PAGE, 3 * PAGE },
	{ 63 * PAGE, 2 * PAGE }, /* over the end of a word of the bitmap */
	{ 1000 * PAGE, 5000 * PAGE },
	{ CHUNK - PAGE, 2 * PAGE },                    /* over the end of a chunk */
	{ 2LL * CHUNK - 7 * PAGE, CHUNK + 14 * PAGE }, /* a whole chunk and a little */
	{ 4LL * CHUNK + 5 * PAGE, PAGE / 2 },
};
#define SPARSE_LEN (5LL * CHUNK + 9 * PAGE)

static void
make_sparse(const char *name)
{
	g_autofree guint8 *bytes = g_malloc(CHUNK + 14 * PAGE);

	memset(bytes, 0x5a, CHUNK + 14 * PAGE);
	make_file(name, "", 0, SPARSE_LEN);
	for (gsize i = 0; i < G_N_ELEMENTS(data_runs); i++)
		put(name, data_runs[i].at, bytes, data_runs[i].len);
}

START_TEST(holes_are_where_the_file_has_them)
{
	make_sparse(in_memory);
	g_autoptr(VmifsPhysmem) mem = good_image(in_memory);
	guint64 at = 0, sum = 0;

	for (gsize i = 0; i < G_N_ELEMENTS(data_runs); i++) {
		guint64 pages = (data_runs[i].len + PAGE - 1) / PAGE * PAGE;
		sum += pages;
		ck_assert(vmifs_physmem_seek(mem, at, TRUE, &at));
		ck_assert_uint_eq(at, data_runs[i].at);
		ck_assert(vmifs_physmem_seek(mem, at, FALSE, &at));
		ck_assert_uint_eq(at, data_runs[i].at + pages);
	}
	ck_assert(!vmifs_physmem_seek(mem, at, TRUE, &at));
	ck_assert_uint_eq(vmifs_physmem_allocated(mem), sum);
	/* The same backwards: no answer depends on what was asked before. */
	g_autoptr(VmifsPhysmem) again = good_image(in_memory);
	for (gsize i = G_N_ELEMENTS(data_runs); i-- > 0;) {
		ck_assert(vmifs_physmem_seek(again, data_runs[i].at, FALSE, &at));
		ck_assert_uint_eq(at,
				  data_runs[i].at + (data_runs[i].len + PAGE - 1) / PAGE * PAGE);
		if (i)
			ck_assert(vmifs_physmem_seek(again, data_runs[i].at - PAGE, FALSE, &at));
		if (i)
			ck_assert_uint_eq(at, data_runs[i].at - PAGE);
	}
}
END_TEST

/* Under the thread sanitizer all of its reads would be noted, which takes half a minute. */
__attribute__((no_sanitize("thread"))) static guint64
count_data(const guint8 *bytes, gsize n)
{
	guint64 ret = 0;

	for (gsize i = 0; i < n; i++)
		ret += bytes[i] == 0x5a;
	return ret;
}

START_TEST(reading_everything_allocates_nothing)
{
	struct stat before, after;
	gsize step = 4 << 20;
	make_sparse(in_memory);
	g_autoptr(VmifsPhysmem) mem = good_image(in_memory);
	g_autofree guint8 *buf = g_malloc(step);
	guint64 sum = 0, want = 0;

	ck_assert_int_eq(stat(in_memory, &before), 0);
	for (guint64 at = 0; at < SPARSE_LEN; at += step) {
		gsize n = MIN(step, (gsize) (SPARSE_LEN - at));
		g_auto(VmifsSegments) segments = { 0 };
		vmifs_segments_init(&segments);
		ck_assert(vmifs_physmem_read(mem, at, buf, n, NULL, NULL));
		sum += count_data(buf, n);
		ck_assert_uint_eq(vmifs_physmem_gather(mem, at, n, 0, &segments, NULL, NULL), n);
		vmifs_segments_copy(&segments, buf);
		sum += count_data(buf, n);
		for (gsize i = 0; i + PAGE <= n; i += PAGE) {
			guint stamp;
			const volatile guint8 *view =
				vmifs_physmem_view(mem, at + i, PAGE, buf, &stamp);
			sum += view[0] == 0x5a;
		}
	}
	for (gsize i = 0; i < G_N_ELEMENTS(data_runs); i++)
		want += 2 * data_runs[i].len + (data_runs[i].len + PAGE - 1) / PAGE;
	ck_assert_uint_eq(sum, want);
	ck_assert_int_eq(stat(in_memory, &after), 0);
	ck_assert_int_eq(after.st_blocks, before.st_blocks);
}
END_TEST

START_TEST(holes_of_terabytes_cost_nothing)
{
	guint64 at, len = 40ULL << 40;
	char byte = 1;
	make_file(in_memory, "", 0, len);
	put(in_memory, len / 2, "x", 1);
	g_autoptr(VmifsPhysmem) mem = good_image(in_memory);

	ck_assert_uint_eq(vmifs_physmem_allocated(mem), PAGE);
	ck_assert(vmifs_physmem_seek(mem, 5, TRUE, &at));
	ck_assert_uint_eq(at, len / 2);
	ck_assert(vmifs_physmem_seek(mem, len / 2, FALSE, &at));
	ck_assert_uint_eq(at, len / 2 + PAGE);
	ck_assert(!vmifs_physmem_seek(mem, at, TRUE, &at));
	ck_assert(vmifs_physmem_read(mem, len - 1, &byte, 1, NULL, NULL));
	ck_assert_int_eq(byte, 0);
	make_file(in_memory, "", 0, (64ULL << 40) + 1);
	assert_refused(in_memory, VMIFS_ERROR_SOURCE, "more than any machine");
}
END_TEST

static gpointer
sum_of_data(gpointer mem)
{
	return GSIZE_TO_POINTER(vmifs_physmem_allocated(mem));
}

START_TEST(holes_are_found_by_many_threads_at_a_time)
{
	make_sparse(in_memory);
	g_autoptr(VmifsPhysmem) mem = good_image(in_memory);
	GThread *threads[4];
	gsize sum = 0;

	for (gsize i = 0; i < G_N_ELEMENTS(data_runs); i++)
		sum += (data_runs[i].len + PAGE - 1) / PAGE * PAGE;
	for (int i = 0; i < 4; i++)
		threads[i] = g_thread_new("sum", sum_of_data, mem);
	for (int i = 0; i < 4; i++)
		ck_assert_uint_eq(GPOINTER_TO_SIZE(g_thread_join(threads[i])), sum);
}
END_TEST

START_TEST(lost_part_of_an_image_is_an_error)
{
	g_autofree char *page = g_strnfill(PAGE, 'x');
	guint64 len = (_i ? 2 : 1) * (guint64) CHUNK;
	char buf[8];
	g_autoptr(GError) error = NULL;
	make_file("a", "", 0, len);
	for (guint64 at = 0; at < (_i ? len / 2 : len); at += PAGE)
		put("a", at, page, PAGE);
	g_autoptr(VmifsPhysmem) mem = good_image("a"); /* with and without holes */

	ck_assert_int_eq(truncate("a", 2 * PAGE), 0);
	ck_assert(!vmifs_physmem_read(mem, len - 8, buf, 8, NULL, &error));
	ck_assert(g_error_matches(error, VMIFS_ERROR, VMIFS_ERROR_IO));
	ck_assert(vmifs_physmem_read(mem, 2 * PAGE - 8, buf, 8, NULL, NULL));
	ck_assert_mem_eq(buf, "xxxxxxxx", 8);
	ck_assert_int_eq(truncate("a", (off_t) len), 0);
	ck_assert(vmifs_physmem_read(mem, len - 8, buf, 8, NULL, NULL));
	ck_assert_mem_eq(buf, "\0\0\0\0\0\0\0\0", 8);
}
END_TEST

/* ---- what is refused ---- */

START_TEST(what_is_no_image_is_refused)
{
	ck_assert_int_eq(mkdir("folder", 0700), 0);
	assert_refused("folder", VMIFS_ERROR_SOURCE, "folder: is a directory");
	ck_assert_int_eq(mkfifo("pipe", 0600), 0);
	assert_refused("pipe", VMIFS_ERROR_SOURCE, "pipe: is a pipe");
	assert_refused("/dev/null", VMIFS_ERROR_SOURCE, "is a character device");
	make_file("empty", "", 0, 0);
	assert_refused("empty", VMIFS_ERROR_SOURCE, "empty: is empty");
	make_file("small", "x", 1, PAGE - 1);
	assert_refused("small", VMIFS_ERROR_SOURCE, "small: has 4095 bytes, less than one page");
	options.format = "raw";
	assert_refused("folder", VMIFS_ERROR_SOURCE, "is a directory");
	assert_refused("small", VMIFS_ERROR_SOURCE, "less than one page");
}
END_TEST

#define BYTES(s) s, sizeof s - 1

static const struct {
	const char *bytes;
	gsize len;
	gsize at;
	const char *name;
} foreign[] = {
	{ BYTES("AVML\2\0\0\0"), 0, "AVML" },
	{ BYTES("KDUMP   "), 0, "kdump" },
	{ BYTES("makedumpfile\0\0\0\0\0\0\0\1"), 0, "makedumpfile" },
	{ BYTES("PAGEDUMP"), 0, "Windows crash dump" },
	{ BYTES("PAGEDU64"), 0, "Windows crash dump" },
	{ BYTES("HIBR"), 0, "Windows hibernation" },
	{ BYTES("S1SUSPEND"), 4086, "Linux hibernation" },
	{ BYTES("\xd0\xbe\xd2\xbe\x08"), 0, "VMware" },
	{ BYTES("\xd2\xbe\xd2\xbe\x08"), 0, "VMware" },
	{ BYTES("QEVM\0\0\0\3"), 0, "QEMU migration" },
	{ BYTES("LibvirtQemudSave"), 0, "virsh save" },
	{ BYTES("Xen saved domain, xl format"), 0, "xl save" },
	{ BYTES("QFI\xfb\0\0\0\3"), 0, "qcow2" },
	{ BYTES("\x1f\x8b\x08\0"), 0, "gzip" },
	{ BYTES("\xfd"
		"7zXZ\0"),
	  0, "xz" },
	{ BYTES("\x28\xb5\x2f\xfd"), 0, "zstd" },
	{ BYTES("BZh91AY"), 0, "bzip2" },
	{ BYTES("\x04\x22\x4d\x18"), 0, "lz4" },
};

START_TEST(unread_format_is_refused_by_name)
{
	char buf[4];

	make_file("a", "", 0, 2 * PAGE);
	put("a", foreign[_i].at, foreign[_i].bytes, foreign[_i].len);
	assert_refused("a", VMIFS_ERROR_SOURCE, foreign[_i].name);
	assert_refused("a", VMIFS_ERROR_SOURCE, "format=raw");
	/* A header that was cut short is no less of that format. */
	ck_assert_int_eq(truncate("a", (off_t) (foreign[_i].at + foreign[_i].len)), 0);
	assert_refused("a", VMIFS_ERROR_SOURCE, foreign[_i].name);
	/* The user knows better. */
	ck_assert_int_eq(truncate("a", 2 * PAGE), 0);
	options.format = "raw";
	g_autoptr(VmifsPhysmem) mem = good_image("a");
	ck_assert(vmifs_physmem_read(mem, foreign[_i].at, buf, 4, NULL, NULL));
	ck_assert_mem_eq(buf, foreign[_i].bytes, 4);
}
END_TEST

START_TEST(unknown_format_word_lists_the_known_ones)
{
	make_file("a", "x", 1, PAGE);
	options.format = "kdump";
	assert_refused("a", VMIFS_ERROR_INVALID, "format=kdump");
	assert_refused("a", VMIFS_ERROR_INVALID, "elf, lime, raw, text");
}
END_TEST

START_TEST(noise_is_an_image)
{
	g_autoptr(GRand) rand = g_rand_new_with_seed(7);
	guint8 bytes[PAGE];

	for (int i = 0; i < PAGE; i++)
		bytes[i] = (guint8) g_rand_int(rand);
	make_file("a", (const char *) bytes, PAGE, PAGE);
	g_autoptr(VmifsPhysmem) mem = good_image("a");
	ck_assert_uint_eq(vmifs_physmem_ram(mem), PAGE);
}
END_TEST

static Suite *
make_suite(void)
{
	Suite *s = suite_create("snapshot");
	TCase *t = tcase_create("snapshot");
	tcase_add_checked_fixture(t, setup, teardown);
	tcase_set_timeout(t, 60);
	tcase_add_test(t, raw_image_is_memory_from_zero);
	tcase_add_test(t, tail_of_less_than_a_page_is_read);
	tcase_add_test(t, base_moves_memory);
	tcase_add_test(t, time_is_that_of_the_file);
	tcase_add_test(t, image_that_ends_within_a_page_is_said_to_be_cut_short);
	tcase_add_test(t, holes_are_where_the_file_has_them);
	tcase_add_test(t, reading_everything_allocates_nothing);
	tcase_add_test(t, holes_of_terabytes_cost_nothing);
	tcase_add_test(t, holes_are_found_by_many_threads_at_a_time);
	tcase_add_loop_test(t, lost_part_of_an_image_is_an_error, 0, 2);
	tcase_add_test(t, what_is_no_image_is_refused);
	tcase_add_loop_test(t, unread_format_is_refused_by_name, 0, G_N_ELEMENTS(foreign));
	tcase_add_test(t, unknown_format_word_lists_the_known_ones);
	tcase_add_test(t, noise_is_an_image);
	suite_add_tcase(s, t);
	return s;
}

VMIFS_UNIT_MAIN(make_suite)
