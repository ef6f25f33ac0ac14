/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * base: an image of which nothing says where its memory begins: the kernel in it does, and is found
 * there; what only seems to say so hides nothing.
 */
#include <unit.h>

#include "discovered.h"

#include <linux-image.h>

#define MEMORY (40u << 20)
#define BASE G_GUINT64_CONSTANT(0x40000000)
/* Where the kernel is in the file, and where it thinks that it is. */
#define IMAGE 0x200000
#define IMAGE_VA G_GUINT64_CONSTANT(0xffff800010000000)
#define DELTA (IMAGE_VA - BASE - IMAGE)
#define TABLES 0x100000
#define UTS 0x103000
#define NOTE 0x7000
#define RELEASE "6.1.0-arm64"

static void
put_note(guint8 *memory, const char *key)
{
	g_autofree char *text = g_strdup_printf(
		"OSRELEASE=" RELEASE "\nSYMBOL(init_uts_ns)=%" G_GINT64_MODIFIER
		"x\nOFFSET(uts_namespace.name)=4\nSYMBOL(swapper_pg_dir)=%" G_GINT64_MODIFIER
		"x\nSYMBOL(_stext)=%" G_GINT64_MODIFIER "x\nNUMBER(%s)=0x%" G_GINT64_MODIFIER "x\n",
		IMAGE_VA + UTS, IMAGE_VA + TABLES, IMAGE_VA + 0x10000, key, DELTA);
	const guint32 head[] = { GUINT32_TO_LE(11), GUINT32_TO_LE((guint32) strlen(text)), 0 };

	memcpy(memory + NOTE, head, sizeof head);
	memcpy(memory + NOTE + 12, "VMCOREINFO", 11);
	memcpy(memory + NOTE + 24, text, strlen(text));
}

static void
put_uts(guint8 *memory)
{
	memcpy(memory + IMAGE + UTS + 4, "Linux", 6);
	memcpy(memory + IMAGE + UTS + 4 + 2 * 65, RELEASE, sizeof RELEASE);
}

/* Tables of 4 KiB granules, 48 bits: one block of 2 MiB, which is the image. */
static void
put_tables(guint8 *memory)
{
	guint8 *table = memory + IMAGE + TABLES;
	guint64 pa = BASE + IMAGE + TABLES;

	put_u64(table + (IMAGE_VA >> 39 & 511) * 8, (pa + 0x1000) | 3);
	put_u64(table + 0x1000 + (IMAGE_VA >> 30 & 511) * 8, (pa + 0x2000) | 3);
	put_u64(table + 0x2000 + (IMAGE_VA >> 21 & 511) * 8, (BASE + IMAGE) | 0x701);
}

/* Sv48: the same. */
static void
put_riscv_tables(guint8 *memory)
{
	guint8 *table = memory + IMAGE + TABLES;
	guint64 pa = BASE + IMAGE + TABLES;

	put_u64(table + (IMAGE_VA >> 39 & 511) * 8, (pa + 0x1000) >> 2 | 1);
	put_u64(table + 0x1000 + (IMAGE_VA >> 30 & 511) * 8, (pa + 0x2000) >> 2 | 1);
	put_u64(table + 0x2000 + (IMAGE_VA >> 21 & 511) * 8, (BASE + IMAGE) >> 2 | 0xcf);
}

START_TEST(kernel_says_where_memory_begins)
{
	guint8 *memory = g_malloc0(MEMORY);
	put_note(memory, "kimage_voffset");
	put_uts(memory);
	put_tables(memory);
	g_autofree char *info = discover(memory, MEMORY, NULL);
	g_autofree char *delta = g_strdup_printf("found delta: 0x%" G_GINT64_MODIFIER "x\n", DELTA);

	assert_says(info, "memory begins at: 0x40000000");
	assert_says(info, delta);
	assert_says(info, "found root: 0x40300000 by swapper_pg_dir of VMCOREINFO");
	assert_says(info, "found release: " RELEASE "\n");
	assert_says(info, "first region: 0x40000000, known\n");
}
END_TEST

START_TEST(kernel_of_riscv_says_where_memory_begins)
{
	guint8 *memory = g_malloc0(MEMORY);
	put_note(memory, "va_kernel_pa_offset");
	put_uts(memory);
	put_riscv_tables(memory);
	g_autofree char *info = discover(memory, MEMORY, NULL);

	assert_says(info, "memory begins at: 0x40000000");
	assert_says(info, "paging: riscv64 Sv48\n");
	assert_says(info, "found root: 0x40300000 by swapper_pg_dir of VMCOREINFO");
	assert_says(info, "first region: 0x40000000, known\n");
}
END_TEST

START_TEST(what_the_user_says_of_it_is_not_doubted)
{
	const VmifsOptions given = {
		.size = sizeof given, .format = "raw", .has_base = TRUE, .base = 0x80000000
	};
	guint8 *memory = g_malloc0(MEMORY);
	put_note(memory, "kimage_voffset");
	put_uts(memory);
	put_tables(memory);
	g_autofree char *info = discover(memory, MEMORY, &given);

	assert_says(info, "none could be proved");
	assert_says(info, "first region: 0x80000000, known\n");
}
END_TEST

START_TEST(suggestion_that_proves_nothing_hides_no_other_kernel)
{
	static const LinuxImagePlan other = { .release = "6.1.0-test",
					      .text_pa = 0x1200000,
					      .slide = 0x2600000,
					      .encoding = LINUX_KALLSYMS_RELATIVE,
					      .clock = 1700000000 };
	guint8 *memory = g_malloc0(MEMORY);
	linux_image_put(memory, MEMORY, &other);
	put_note(memory, "kimage_voffset");
	put_uts(memory);
	g_autofree char *info = discover(memory, MEMORY, NULL);

	assert_says(info, "memory begins at: 0x40000000");
	assert_says(info, "found release: 6.1.0-test\n");
	assert_says(info, "first region: 0x0, assumed\n");
}
END_TEST

START_TEST(names_of_another_release_suggest_nothing)
{
	guint8 *memory = g_malloc0(MEMORY);
	put_note(memory, "kimage_voffset");
	put_uts(memory);
	put_tables(memory);
	memory[IMAGE + UTS + 4 + 2 * 65] = '5';
	g_autofree char *info = discover(memory, MEMORY, NULL);

	assert_says(info, "none could be proved");
	assert_says(info, "first region: 0x0, assumed\n");
}
END_TEST

static Suite *
make_suite(void)
{
	Suite *s = suite_create("base");
	TCase *t = tcase_create("base");

	tcase_add_test(t, kernel_says_where_memory_begins);
	tcase_add_test(t, kernel_of_riscv_says_where_memory_begins);
	tcase_add_test(t, what_the_user_says_of_it_is_not_doubted);
	tcase_add_test(t, suggestion_that_proves_nothing_hides_no_other_kernel);
	tcase_add_test(t, names_of_another_release_suggest_nothing);
	suite_add_tcase(s, t);
	return s;
}

VMIFS_UNIT_MAIN(make_suite)
