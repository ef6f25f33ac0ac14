/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* backends/snapshot/lime: ranges behind headers; what is odd about them, cut short, or made up. */
#include <image-file.h>

#include <vmifs/error.h>

static guint64 end; /* of the file that is being made */

static void
start_file(void)
{
	make_file("a", "", 0, PAGE);
	end = 0;
}

/* A header alone; last is inclusive. */
static void
add_head(guint32 version, guint64 first, guint64 last)
{
	const guint32 words[] = { GUINT32_TO_LE(0x4c694d45), GUINT32_TO_LE(version) };
	const guint64 range[] = { GUINT64_TO_LE(first), GUINT64_TO_LE(last), 0 };

	put("a", end, words, sizeof words);
	put("a", end + 8, range, sizeof range);
	end += 32;
}

static void
add_range(guint64 first, gsize len, int byte)
{
	g_autofree guint8 *bytes = g_malloc(len);

	memset(bytes, byte, len);
	add_head(1, first, first + len - 1);
	put("a", end, bytes, len);
	end += len;
}

static void
assert_byte(VmifsPhysmem *mem, guint64 pa, int byte)
{
	guint8 seen = 0;

	ck_assert(vmifs_physmem_read(mem, pa, &seen, 1, NULL, NULL));
	ck_assert_int_eq(seen, byte);
}

static char *
info_of(VmifsPhysmem *mem)
{
	GString *info = g_string_new(NULL);

	vmifs_physmem_info(mem, info);
	return g_string_free(info, FALSE);
}

START_TEST(each_range_lies_where_its_header_says)
{
	gsize n;
	const char *why;
	start_file();
	add_range(0x1000, 0x9e400, 1); /* ends within a page, as that below 640 kB does */
	add_range(0x100000, 2 * PAGE, 2);
	add_range(0x100000000, PAGE, 3);
	g_autoptr(VmifsPhysmem) mem = good_image("a");
	g_autofree char *info = info_of(mem);
	guint64 at;

	vmifs_physmem_regions(mem, &n);
	ck_assert_uint_eq(n, 3);
	assert_byte(mem, 0x1000, 1);
	assert_byte(mem, 0x9f3ff, 1);
	ck_assert(!vmifs_physmem_read(mem, 0x9f400, &n, 1, NULL, NULL));
	assert_byte(mem, 0x100000, 2);
	assert_byte(mem, 0x101fff, 2);
	assert_byte(mem, 0x100000000, 3);
	ck_assert_uint_eq(vmifs_physmem_end(mem), 0x100001000);
	ck_assert(vmifs_physmem_seek(mem, 0x102000, TRUE, &at));
	ck_assert_uint_eq(at, 0x100000000);
	ck_assert_int_eq(vmifs_physmem_passthrough_fd(mem, &why), -1);
	ck_assert_str_eq(info, "format: lime\n");
}
END_TEST

START_TEST(ranges_may_come_in_any_order)
{
	start_file();
	add_range(0x200000, PAGE, 2);
	add_range(0x100000, PAGE, 1);
	add_range(0x101000, PAGE, 3);
	g_autoptr(VmifsPhysmem) mem = good_image("a");

	assert_byte(mem, 0x100000, 1);
	assert_byte(mem, 0x101000, 3);
	assert_byte(mem, 0x200fff, 2);
}
END_TEST

START_TEST(ranges_that_overlap_are_there_once)
{
	guint8 buf[3 * PAGE];
	gsize n;
	start_file();
	add_range(0x1000, 2 * PAGE, 1);
	add_range(0x2000, 2 * PAGE, 2);
	add_range(0x2000, PAGE, 3);
	g_autoptr(VmifsPhysmem) mem = good_image("a");

	ck_assert_uint_eq(vmifs_physmem_ram(mem), 3 * PAGE);
	ck_assert(vmifs_physmem_read(mem, 0x1000, buf, sizeof buf, NULL, NULL));
	ck_assert_uint_eq(buf[2 * PAGE - 1], 1);
	ck_assert_uint_eq(buf[2 * PAGE], 2);
	vmifs_physmem_regions(mem, &n);
	ck_assert_uint_eq(n, 2);
}
END_TEST

START_TEST(what_is_missing_of_a_file_cut_short_is_said)
{
	start_file();
	add_range(0, PAGE, 1);
	add_range(0x100000, 4 * PAGE, 2);
	ck_assert_int_eq(truncate("a", (off_t) end - 2 * PAGE - 7), 0);
	g_autoptr(VmifsPhysmem) mem = good_image("a");
	g_autofree char *info = info_of(mem);

	ck_assert_uint_eq(vmifs_physmem_ram(mem), 3 * PAGE - 7);
	assert_byte(mem, 0x100000 + 2 * PAGE - 8, 2);
	ck_assert_ptr_nonnull(strstr(info, "\nmissing: 8199 bytes of memory: "));
}
END_TEST

START_TEST(what_is_no_header_ends_the_list_and_is_said)
{
	static const char text[] = "made by somebody's tool, which adds a line that is rather long";
	g_autofree char *expected = NULL;
	start_file();
	add_range(0, PAGE, 1);
	put("a", end, text, sizeof text);
	g_autoptr(VmifsPhysmem) mem = good_image("a");
	g_autofree char *info = info_of(mem);

	expected = g_strdup_printf("\nignored: %zu bytes from offset 0x1020 on, where no LiME "
				   "header follows\n",
				   sizeof text);
	ck_assert_msg(strstr(info, expected) != NULL, "%s", info);
	ck_assert_uint_eq(vmifs_physmem_ram(mem), PAGE);
}
END_TEST

START_TEST(header_cut_short_ends_the_list)
{
	start_file();
	add_range(0, PAGE, 1);
	add_head(1, 0x100000, 0x100fff);
	ck_assert_int_eq(truncate("a", (off_t) end - 1), 0);
	g_autoptr(VmifsPhysmem) mem = good_image("a");

	ck_assert_uint_eq(vmifs_physmem_ram(mem), PAGE);
}
END_TEST

START_TEST(ranges_that_no_machine_has_are_left_out)
{
	start_file();
	add_range(0, PAGE, 1);
	add_head(1, 1ULL << 62, (1ULL << 62) + PAGE - 1);
	put("a", end + PAGE - 1, "", 1);
	end += PAGE;
	add_range(0x100000, PAGE, 2);
	g_autoptr(VmifsPhysmem) mem = good_image("a");
	g_autofree char *info = info_of(mem);

	ck_assert_uint_eq(vmifs_physmem_ram(mem), 2 * PAGE);
	assert_byte(mem, 0x100000, 2);
	ck_assert_ptr_nonnull(strstr(info, "\nignored: 1 pieces at addresses that no machine"));
}
END_TEST

static const struct {
	guint32 version;
	guint64 first, last;
	const char *message;
} made_up[] = {
	{ 2, 0, PAGE - 1, "version 2" },
	{ 1, PAGE, PAGE - 1, "makes no sense" },
	{ 1, 0, G_MAXUINT64, "makes no sense" },
	{ 1, 1, 1ULL << 63, "makes no sense" },
	{ 1, 1ULL << 60, (1ULL << 60) + 7, "there is no memory in it" },
};

START_TEST(first_header_that_makes_no_sense_is_refused)
{
	start_file();
	add_head(made_up[_i].version, made_up[_i].first, made_up[_i].last);
	assert_refused("a", VMIFS_ERROR_SOURCE, made_up[_i].message);
	assert_refused("a", VMIFS_ERROR_SOURCE, "a: lime: ");
	assert_refused("a", VMIFS_ERROR_SOURCE, "-o format=raw");
	options.format = "raw";
	g_autoptr(VmifsPhysmem) mem = good_image("a");
	ck_assert_uint_eq(vmifs_physmem_ram(mem), PAGE);
}
END_TEST

START_TEST(word_lime_is_believed_and_no_more_asked)
{
	make_file("a", "x", 1, PAGE);
	options.format = "lime";
	assert_refused("a", VMIFS_ERROR_SOURCE, "a: lime: the header makes no sense");
}
END_TEST

START_TEST(it_says_itself_where_memory_lies)
{
	start_file();
	add_range(0, PAGE, 1);
	options.has_base = TRUE;
	assert_refused("a", VMIFS_ERROR_INVALID, "a: lime: base= is for raw images");
	assert_refused("a", VMIFS_ERROR_INVALID, "-o format=raw");
}
END_TEST

static Suite *
make_suite(void)
{
	Suite *s = suite_create("lime");
	TCase *t = tcase_create("lime");
	tcase_add_checked_fixture(t, setup, teardown);
	tcase_add_test(t, each_range_lies_where_its_header_says);
	tcase_add_test(t, ranges_may_come_in_any_order);
	tcase_add_test(t, ranges_that_overlap_are_there_once);
	tcase_add_test(t, what_is_missing_of_a_file_cut_short_is_said);
	tcase_add_test(t, what_is_no_header_ends_the_list_and_is_said);
	tcase_add_test(t, header_cut_short_ends_the_list);
	tcase_add_test(t, ranges_that_no_machine_has_are_left_out);
	tcase_add_loop_test(t, first_header_that_makes_no_sense_is_refused, 0,
			    G_N_ELEMENTS(made_up));
	tcase_add_test(t, word_lime_is_believed_and_no_more_asked);
	tcase_add_test(t, it_says_itself_where_memory_lies);
	suite_add_tcase(s, t);
	return s;
}

VMIFS_UNIT_MAIN(make_suite)
