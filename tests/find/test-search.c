/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * search: an AArch64 kernel of which nothing tells the root, only where memory begins: it is
 * found among all pages, and what looks like a root is not taken for one.
 */
#include <unit.h>

#include "discovered.h"

#include <aspace.h>
#include <kallsyms-image.h>
#include <os/linux/search.h>
#include <spi/arch.h>
#include <text-guest.h>

#define MEMORY (40u << 20)
#define BASE G_GUINT64_CONSTANT(0x40000000)
/* Where the image is in the file, and where in it its parts. */
#define IMAGE 0x200000
#define IMAGE_LEN 0x600000
#define IMAGE_VA G_GUINT64_CONSTANT(0xffff800010000000)
#define CALLS 0xc000
#define BANNER 0x20000
#define SYMBOLS 0x100000
#define TABLES 0x300000
#define FUNCTION 80 /* bytes: five names have one address */
#define N_FUNCTIONS 500
#define MOVE 0xaa0003e0u /* x0, x0 */
#define CALL 0x94000000u
#define CALL_DISTANCE 0x3ffffffu
/* Data that end in such a word, as a table of 64 KiB granules has it for the image. */
#define FALSE_ROOT 0x100000
#define FALSE_ROOT_LEN 0x2000
#define N_FALSE_ROOTS 64
#define FALSE_ENTRY (IMAGE_VA >> 42 & 1023)
#define BLOCK 0x701
#define NO_EXEC (G_GUINT64_CONSTANT(1) << 53)

static const KallsymsNamed named[] = {
	{ 0xc000, 'T', "schedule" }, { 0xc100, 'T', "vfs_read" },
	{ 0xc200, 'T', "do_exit" },  { 0xc300, 'T', "__arm64_sys_read" },
	{ 0x10000, 'T', "_etext" },
};

/* Every other instruction calls a function; those between keep it from looking like a table. */
static void
put_text(guint8 *text)
{
	for (guint32 at = 0; at < CALLS; at += 8) {
		guint32 to = at / 4 * 7 % N_FUNCTIONS * FUNCTION;
		guint32 words[] = { GUINT32_TO_LE(MOVE),
				    GUINT32_TO_LE(CALL | ((to - at - 4) / 4 & CALL_DISTANCE)) };
		memcpy(text + at, words, sizeof words);
	}
}

static void
put_symbols(guint8 *image)
{
	const KallsymsPlan plan = {
		.encoding = LINUX_KALLSYMS_RELATIVE,
		.align = 8,
		.marker_width = 4,
		.n = 3000,
		.pa = BASE + IMAGE + SYMBOLS,
		.text = IMAGE_VA,
		.named = named,
		.n_named = G_N_ELEMENTS(named),
	};
	KallsymsImage kallsyms;

	kallsyms_image_make(&kallsyms, &plan);
	g_assert(kallsyms.bytes->len < TABLES - SYMBOLS);
	/* Without the noise around them, in which there are false roots enough. */
	gsize from = kallsyms.offsets_at, end = kallsyms.index_at + 512;
	memcpy(image + SYMBOLS + from, kallsyms.bytes->data + from, end - from);
	kallsyms_image_clear(&kallsyms);
	strcpy((char *) image + BANNER, "Linux version 6.1.0-test (test@test) #1 SMP\n");
}

/* 4 KiB granules, 48 bits: the image by blocks of 2 MiB. */
static void
put_root(guint8 *image)
{
	guint8 *table = image + TABLES;
	guint64 pa = BASE + IMAGE + TABLES;

	put_u64(table + (IMAGE_VA >> 39 & 511) * 8, (pa + 0x1000) | 3);
	put_u64(table + 0x1000 + (IMAGE_VA >> 30 & 511) * 8, (pa + 0x2000) | 3);
	for (guint64 at = 0; at < IMAGE_LEN; at += 2 << 20)
		put_u64(table + 0x2000 + ((IMAGE_VA + at) >> 21 & 511) * 8,
			(BASE + IMAGE + at) | BLOCK);
}

/* All memory from the lowest address of the kernel's half on. */
static void
put_map_of_memory(guint8 *image)
{
	guint8 *table = image + TABLES;

	put_u64(table, (BASE + IMAGE + TABLES + 0x3000) | 3);
	put_u64(table + 0x3000, BASE | BLOCK | NO_EXEC);
}

static void
put_false_roots(guint8 *memory)
{
	for (guint i = 0; i < N_FALSE_ROOTS; i++)
		put_u64(memory + FALSE_ROOT + i * FALSE_ROOT_LEN + FALSE_ENTRY * 8, BLOCK);
}

static guint8 *
make_memory(void)
{
	guint8 *memory = g_malloc0(MEMORY);

	put_text(memory + IMAGE);
	put_symbols(memory + IMAGE);
	return memory;
}

static const VmifsOptions based = {
	.size = sizeof based, .format = "raw", .has_base = TRUE, .base = BASE
};

static void
assert_finds_nothing(const char *info)
{
	assert_says(info, "none could be proved");
	assert_hides(info, "found root:");
}

START_TEST(root_is_found_among_what_looks_like_one)
{
	guint8 *memory = make_memory();
	put_root(memory + IMAGE);
	put_map_of_memory(memory + IMAGE);
	put_false_roots(memory);
	g_autofree char *info = discover(memory, MEMORY, &based);

	assert_says(info, "found root: 0x40500000 by search for page tables around the image\n");
	assert_says(info,
		    "5 probes, banner, symbol tables, calls in the text, map of memory agree");
}
END_TEST

START_TEST(data_that_look_like_a_root_are_none)
{
	guint8 *memory = make_memory();
	put_false_roots(memory);
	g_autofree char *info = discover(memory, MEMORY, &based);

	assert_finds_nothing(info);
	assert_says(info, "(test@test) #1 SMP): no page table maps its text\n");
}
END_TEST

/* Nothing is where the tables say then. */
START_TEST(no_root_is_taken_where_memory_may_begin_anywhere)
{
	guint8 *memory = make_memory();
	put_root(memory + IMAGE);
	put_map_of_memory(memory + IMAGE);
	put_false_roots(memory);
	g_autofree char *info = discover(memory, MEMORY, NULL);

	assert_finds_nothing(info);
	assert_says(info, "where memory begins is not known: give base=\n");
}
END_TEST

START_TEST(root_that_maps_the_image_alone_is_none)
{
	guint8 *memory = make_memory();
	put_root(memory + IMAGE);
	g_autofree char *info = discover(memory, MEMORY, &based);

	assert_finds_nothing(info);
	assert_says(info, "does not map most of memory\n");
}
END_TEST

START_TEST(text_whose_calls_go_astray_is_not_the_kernels)
{
	guint8 *memory = make_memory();
	put_root(memory + IMAGE);
	put_map_of_memory(memory + IMAGE);
	memmove(memory + IMAGE + 8, memory + IMAGE, CALLS);
	g_autofree char *info = discover(memory, MEMORY, &based);

	assert_finds_nothing(info);
}
END_TEST

/* All memory from the lowest address on, and the same where it may be run. */
static const char mapped_twice[] = "ram 0 64K low\n"
				   "u64 0x1000 0x2003\n"
				   "u64 0x1800 0x3003\n"
				   "u64 0x2000 0x60000000000701\n"
				   "u64 0x3000 0x4003\n"
				   "u64 0x4400 0x40000000000701\n";

START_TEST(where_it_runs_comes_before_where_all_memory_is)
{
	VmifsPaging paging = { .root = VMIFS_NO_ROOT, .high_root = 0x1000 };
	g_autoptr(GArray) deltas = g_array_new(FALSE, FALSE, sizeof(guint64));

	for (gsize i = 0; i < vmifs_n_archs; i++)
		if (!strcmp(vmifs_archs[i]->name, "aarch64"))
			paging.mode = &vmifs_archs[i]->modes[0];
	VmifsPhysmem *mem = text_guest(mapped_twice);
	g_autoptr(VmifsAspace) aspace = vmifs_aspace_new(mem, &paging, NULL);
	linux_search_deltas(aspace, 0x5000, NULL, deltas);
	ck_assert_uint_eq(deltas->len, 2);
	ck_assert_uint_eq(g_array_index(deltas, guint64, 0), IMAGE_VA);
	ck_assert_uint_eq(g_array_index(deltas, guint64, 1), 0xffff000000000000);
	vmifs_physmem_unref(mem);
}
END_TEST

static Suite *
make_suite(void)
{
	Suite *s = suite_create("search");
	TCase *t = tcase_create("search");

	tcase_add_test(t, root_is_found_among_what_looks_like_one);
	tcase_add_test(t, data_that_look_like_a_root_are_none);
	tcase_add_test(t, no_root_is_taken_where_memory_may_begin_anywhere);
	tcase_add_test(t, root_that_maps_the_image_alone_is_none);
	tcase_add_test(t, text_whose_calls_go_astray_is_not_the_kernels);
	tcase_add_test(t, where_it_runs_comes_before_where_all_memory_is);
	suite_add_tcase(s, t);
	return s;
}

VMIFS_UNIT_MAIN(make_suite)
