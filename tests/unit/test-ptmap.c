/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* engine/ptmap: lines of page tables, from anywhere in them; frames. */
#include <aspace-check.h>
#include <vmifs/ptmap.h>

static GString *
read_all(VmifsPtmap *ptmap, VmifsAspace *aspace, gsize step)
{
	GString *text = g_string_new(NULL);
	g_autofree char *buf = g_malloc(step);
	gsize n;

	while ((n = vmifs_ptmap_read(ptmap, aspace, text->len, buf, step, NULL, NULL)))
		g_string_append_len(text, buf, (gssize) n);
	return text;
}

START_TEST(each_run_of_pages_is_a_line)
{
	g_autoptr(VmifsAspace) aspace = aspace_of_tables();
	g_autoptr(VmifsPtmap) ptmap = vmifs_ptmap_new(aspace, G_MAXUINT64);
	g_autoptr(GString) text = read_all(ptmap, aspace, 65536);

	ck_assert_str_eq(text->str, "001fe000-00202000 rwxu- 4K 20e000 1\n"
				    "00202000-00204000 rwxu- 4K fee00000 1\n"
				    "00205000-00206000 rwxu- 4K 100000 1\n"
				    "003ff000-00400000 rwxu- 4K 1ff000 1\n"
				    "00400000-00600000 rwxu- 2M 200000 2\n"
				    "01400000-01600000 rwxu- 2M 0 2\n"
				    "01600000-01800000 rwxu- 2M 400000 2\n");
}
END_TEST

/* The last page ends at 2^64; pages of other sizes are other runs, though they go on. */
START_TEST(last_address_has_an_end)
{
	g_autoptr(VmifsPhysmem) mem = text_guest("ram 0 64K low\n"
						 "u64 0x1000 0x2067\nu64 0x1ff8 0x2067\n"
						 "u64 0x2000 0xe7 0x400000e7\nu64 0x2ff8 0x3067\n"
						 "u64 0x2010 0x3067\n"
						 "u64 0x3000 0x800000e7 0x802000e7 0x4067\n"
						 "u64 0x3ff8 0x4067\n"
						 "u64 0x4000 0x80400063\n"
						 "u64 0x4ff8 0x8000000012345163\n");
	g_autoptr(VmifsAspace) aspace = aspace_over(mem, 0x1000, NULL);
	g_autoptr(VmifsPtmap) ptmap = vmifs_ptmap_new(aspace, G_MAXUINT64);
	g_autoptr(GString) text = read_all(ptmap, aspace, 7);

	ck_assert_msg(g_str_has_prefix(text->str, "00000000-80000000 rwxu- 1G 0 3\n"
						  "80000000-80400000 rwxu- 2M 80000000 2\n"
						  "80400000-80401000 rwx-- 4K 80400000 1\n"
						  "805ff000-80600000 rw--g 4K 12345000 1\n"),
		      "%s", text->str);
	ck_assert_msg(g_str_has_suffix(text->str, "fffffffffffff000-10000000000000000 rw--g 4K "
						  "12345000 1\n"),
		      "%s", text->str);
}
END_TEST

/* 2^18 lines: a table whose pages do not follow each other, 512 times. */
static VmifsAspace *
make_large(void)
{
	g_autoptr(GString) lines = g_string_new("ram 0 64K low\nu64 0x1000 0x2067\n"
						"u64 0x2000 0x3067\n");
	g_autoptr(VmifsPhysmem) mem = NULL;

	for (guint i = 0; i < 512; i++)
		g_string_append_printf(lines, "u64 %#x 0x4067\nu64 %#x %#x\n", 0x3000 + i * 8,
				       0x4000 + i * 8, 0x67 + (i ^ 1) * 0x1000);
	mem = text_guest(lines->str);
	return aspace_over(mem, 0x1000, NULL);
}

START_TEST(text_is_the_same_from_wherever_it_is_read)
{
	g_autoptr(VmifsAspace) aspace = make_large();
	g_autoptr(VmifsPtmap) ptmap = vmifs_ptmap_new(aspace, LOWER_END - 1);
	g_autoptr(GString) text = read_all(ptmap, aspace, 100003);
	guint32 random = 1;

	ck_assert_uint_gt(text->len, 8 << 20);
	for (guint i = 0; i < 60; i++) {
		char part[4096];
		gsize at, n;
		random = random * 1664525 + 1013904223;
		at = random % text->len;
		n = vmifs_ptmap_read(ptmap, aspace, at, part, sizeof part, NULL, NULL);
		ck_assert_uint_gt(n, 0);
		ck_assert_mem_eq(part, text->str + at, n);
	}
	char byte;
	ck_assert_uint_eq(vmifs_ptmap_read(ptmap, aspace, text->len, &byte, 1, NULL, NULL), 0);
	ck_assert_uint_eq(vmifs_ptmap_read(ptmap, aspace, G_MAXUINT64, &byte, 1, NULL, NULL), 0);
}
END_TEST

/* Its tables lead into themselves and map nothing: 2^27 of them. RAM may seem to be large. */
START_TEST(endless_tables_end_with_an_error)
{
	g_autoptr(GString) lines = g_string_new("ram 0 64K low\nu64 0x4000 0\n");
	g_autoptr(VmifsPhysmem) mem = NULL;
	g_autoptr(GError) error = NULL;
	char byte;

	if (_i)
		g_string_append(lines, "ram 0x100000000 1T high\n");
	for (guint i = 0; i < 512 * 3; i++)
		g_string_append_printf(lines, "u64 %#x %#x\n", 0x1000 + i * 8,
				       0x2067 + i / 512 * 0x1000);
	mem = text_guest(lines->str);
	g_autoptr(VmifsAspace) aspace = aspace_over(mem, 0x1000, NULL);
	g_autoptr(VmifsPtmap) ptmap = vmifs_ptmap_new(aspace, G_MAXUINT64);

	ck_assert_uint_eq(vmifs_ptmap_read(ptmap, aspace, 0, &byte, 1, NULL, &error), 0);
	assert_error(error, VMIFS_ERROR_TIMEOUT, "too many page tables");
}
END_TEST

START_TEST(who_has_given_up_gets_nothing)
{
	g_autoptr(VmifsAspace) aspace = aspace_of_tables();
	g_autoptr(VmifsPtmap) ptmap = vmifs_ptmap_new(aspace, G_MAXUINT64);
	g_autoptr(GError) error = NULL;
	gint cancelled = 1;
	VmifsCall call = { .cancelled = &cancelled };
	char byte;

	ck_assert_uint_eq(vmifs_ptmap_read(ptmap, aspace, 0, &byte, 1, &call, &error), 0);
	ck_assert(g_error_matches(error, VMIFS_ERROR, VMIFS_ERROR_CANCELLED));
	ck_assert_uint_eq(vmifs_ptmap_read(ptmap, aspace, 0, &byte, 1, NULL, NULL), 1);
}
END_TEST

START_TEST(pagemap_has_the_frames_that_are_in_ram)
{
	g_autoptr(VmifsAspace) aspace = aspace_of_tables();
	guint64 frames[16];

	memset(frames, 0xff, sizeof frames);
	ck_assert(vmifs_aspace_pagemap(aspace, 0x1fd, 8, frames, NULL, NULL));
	ck_assert_uint_eq(frames[0], 0);
	for (guint i = 1; i <= 4; i++)
		ck_assert_uint_eq(frames[i], 0x800000000000020d + i);
	ck_assert_uint_eq(frames[5], 0x80000000000fee00);
	ck_assert_uint_eq(frames[6], 0x80000000000fee01);
	ck_assert_uint_eq(frames[7], 0);
	ck_assert_uint_eq(frames[8], G_MAXUINT64);
	ck_assert_uint_eq(vmifs_aspace_page_shift(aspace), 12);
}
END_TEST

START_TEST(pagemap_is_looked_through_by_what_is_mapped)
{
	g_autoptr(VmifsAspace) aspace = aspace_of_tables();
	guint64 page, end = (guint64) 1 << 35;

	ck_assert(vmifs_aspace_pagemap_seek(aspace, 0x1fd, end, TRUE, &page, NULL, NULL));
	ck_assert_uint_eq(page, 0x1fe);
	ck_assert(vmifs_aspace_pagemap_seek(aspace, 0x200, end, TRUE, &page, NULL, NULL));
	ck_assert_uint_eq(page, 0x200);
	ck_assert(vmifs_aspace_pagemap_seek(aspace, 0x1fe, end, FALSE, &page, NULL, NULL));
	ck_assert_uint_eq(page, 0x204);
	ck_assert(vmifs_aspace_pagemap_seek(aspace, 0x1fe, 0x200, FALSE, &page, NULL, NULL));
	ck_assert_uint_eq(page, 0x200);
	ck_assert(vmifs_aspace_pagemap_seek(aspace, end - 2, end, TRUE, &page, NULL, NULL));
	ck_assert_uint_eq(page, end);
}
END_TEST

static Suite *
make_suite(void)
{
	Suite *s = suite_create("ptmap");
	TCase *t = tcase_create("ptmap");
	tcase_add_test(t, each_run_of_pages_is_a_line);
	tcase_add_test(t, last_address_has_an_end);
	tcase_add_test(t, text_is_the_same_from_wherever_it_is_read);
	tcase_add_loop_test(t, endless_tables_end_with_an_error, 0, 2);
	tcase_add_test(t, who_has_given_up_gets_nothing);
	tcase_add_test(t, pagemap_has_the_frames_that_are_in_ram);
	tcase_add_test(t, pagemap_is_looked_through_by_what_is_mapped);
	suite_add_tcase(s, t);
	return s;
}

VMIFS_UNIT_MAIN(make_suite)
