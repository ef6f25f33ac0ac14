/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * find: from memory to the kernel that runs in it, by each way there is; and what else lies in
 * memory loses.
 */
#include <unit.h>

#include "discovered.h"

#include <kallsyms-image.h>
#include <linux-image.h>

#define MEMORY (40u << 20)
#define RELATIVE LINUX_KALLSYMS_RELATIVE
#define PC_RELATIVE LINUX_KALLSYMS_PC_RELATIVE

static const LinuxImagePlan usual = { .release = "6.1.0-test",
				      .text_pa = 0x1200000,
				      .slide = 0x2600000,
				      .encoding = RELATIVE,
				      .clock = 1700000000,
				      .note_pa = 0x7000 };

static guint8 *
make_memory(void)
{
	return g_malloc0(MEMORY);
}

/* The kernel of that plan was attached. */
static void
assert_found(const char *info, const LinuxImagePlan *plan)
{
	g_autofree char *delta = g_strdup_printf("found delta: 0x%" G_GINT64_MODIFIER "x\n",
						 linux_image_delta(plan));
	g_autofree char *root = g_strdup_printf("found root: 0x%" G_GINT64_MODIFIER "x by ",
						linux_image_root(plan));
	g_autofree char *slides = g_strdup_printf("found slides: 0x%" G_GINT64_MODIFIER
						  "x 0x%" G_GINT64_MODIFIER "x by ",
						  plan->slide, plan->text_pa - 0x1000000);
	g_autofree char *release = g_strdup_printf("found release: %s\n", plan->release);

	assert_says(info, delta);
	assert_says(info, root);
	assert_says(info, slides);
	assert_says(info, release);
}

/* What is said of a guest with that kernel alone, which is found. (full) */
static char *
find(const LinuxImagePlan *plan, const VmifsOptions *options)
{
	guint8 *memory = make_memory();

	linux_image_put(memory, MEMORY, plan);
	char *info = discover(memory, MEMORY, options);
	assert_found(info, plan);
	return info;
}

START_TEST(vmcoreinfo_leads_straight_to_the_kernel)
{
	guint8 *memory = make_memory();
	g_autofree char *info = NULL;

	linux_image_put(memory, MEMORY, &usual);
	info = discover(memory, MEMORY, NULL);
	assert_found(info, &usual);
	assert_says(info, "scanned: page heads\n");
	assert_says(info, "score 120: linux root 0x1600000: VMCOREINFO at 0x7000; 5 probes, "
			  "banner, symbol tables, init_task, list of tasks agree\n");
	assert_says(info, "by swapper_pg_dir of VMCOREINFO\n");
	assert_says(info, "by phys_base of VMCOREINFO\n");
	assert_says(info, "found symbols: 3000 by kallsyms, 3000 symbols, relative; tokens at ");
	assert_says(info, ", named by VMCOREINFO\n");
	assert_says(info, "found init_task: 0xffffffff83a04000\n");
	assert_says(info, "found banner: Linux version 6.1.0-test (test@test) #1 SMP\n");
	assert_says(info, "found build id: 0123abcd\n");
	assert_says(info, "found note: yes\n");
}
END_TEST

/* Notes of kernels before 6.1 do not name the tables. */
START_TEST(tables_that_the_note_does_not_name_are_found_in_the_image)
{
	LinuxImagePlan plan = usual;

	plan.no_keys = TRUE;
	g_autofree char *info = find(&plan, NULL);
	assert_says(info, "scanned: page heads\n");
	assert_says(info, "score 120");
	assert_says(info, "found by content\n");
}
END_TEST

START_TEST(kernel_is_found_without_vmcoreinfo)
{
	static const LinuxKallsymsEncoding encodings[] = { LINUX_KALLSYMS_RELATIVE,
							   LINUX_KALLSYMS_PERCPU,
							   LINUX_KALLSYMS_ABSOLUTE64,
							   LINUX_KALLSYMS_PC_RELATIVE };
	LinuxImagePlan plan = usual;

	plan.note_pa = 0;
	plan.encoding = encodings[_i / 2];
	plan.five = _i % 2;
	g_autofree char *info = find(&plan, NULL);
	assert_says(info, "score 105");
	assert_says(info, plan.five ? "5-level" : "4-level");
	assert_says(info, "by symbol init_top_pgt\n");
	assert_says(info, plan.encoding == PC_RELATIVE ? "by where the page table maps the image\n"
						       : "by banner near the symbol tables\n");
	assert_says(info, "found init_task: 0xffffffff83a04000\n");
	assert_says(info, "found note: no\n");
}
END_TEST

START_TEST(vmcoreinfo_serves_pc_relative_symbols)
{
	LinuxImagePlan plan = usual;

	plan.encoding = PC_RELATIVE;
	g_autofree char *info = find(&plan, NULL);
	assert_says(info, "score 120");
	assert_says(info, "found init_task: 0xffffffff83a04000\n");
}
END_TEST

START_TEST(vmcoreinfo_alone_gives_a_candidate)
{
	LinuxImagePlan plan = usual;
	guint8 *memory = make_memory();
	g_autofree char *info = NULL;

	plan.no_tables = TRUE;
	linux_image_put(memory, MEMORY, &plan);
	info = discover(memory, MEMORY, NULL);
	assert_found(info, &plan);
	assert_says(info, "scanned: page heads, then all memory\n");
	assert_says(info, "score 60: linux root 0x1600000: VMCOREINFO at 0x7000; 1 probe, banner "
			  "agree\n");
	assert_says(info, "found symbols: 0 by ");
}
END_TEST

/* The kernel's root among the pages around, not a process's that maps the same. */
START_TEST(root_is_searched_when_no_symbol_tells_it)
{
	LinuxImagePlan plan = usual;

	plan.note_pa = 0;
	plan.text_only = TRUE;
	plan.process_pa = _i ? 0x800000 : 0x2000000;
	g_autofree char *info = find(&plan, NULL);
	assert_says(info,
		    "score 60: linux root 0x1600000: 5 probes, banner, symbol tables agree\n");
	assert_says(info, "by search for page tables around the image\n");
}
END_TEST

START_TEST(vmcoreinfo_tells_what_text_symbols_do_not)
{
	LinuxImagePlan plan = usual;

	plan.text_only = TRUE;
	g_autofree char *info = find(&plan, NULL);
	assert_says(info, "score 75: linux root 0x1600000: VMCOREINFO at 0x7000; 5 probes, "
			  "banner, symbol tables agree\n");
}
END_TEST

/* A file in the page cache, below or above the kernel, is whole but for what only runs. */
START_TEST(kernel_that_does_not_run_loses_and_is_named)
{
	LinuxImagePlan live = usual;
	LinuxImagePlan file = { .release = "6.12-file",
				.text_pa = _i ? 0x600000 : 0x2000000,
				.encoding = RELATIVE,
				.asleep = TRUE };
	guint8 *memory = make_memory();
	g_autofree char *info = NULL;

	live.note_pa = 0;
	linux_image_put(memory, MEMORY, &live);
	linux_image_put(memory, MEMORY, &file);
	info = discover(memory, MEMORY, NULL);
	assert_found(info, &live);
	assert_says(info, "seen: kernel image with 3000 symbols");
	assert_says(info, "(Linux version 6.12-file (test@test) #1 SMP): its page table maps its "
			  "text elsewhere or not at all\n");
}
END_TEST

/* Left by kexec: both are complete, with and without notes. */
START_TEST(of_two_complete_kernels_the_later_clock_runs)
{
	LinuxImagePlan live = usual;
	LinuxImagePlan stale = { .release = "5.10-stale",
				 .text_pa = _i % 2 ? 0x600000 : 0x2000000,
				 .slide = 0x200000,
				 .encoding = RELATIVE,
				 .clock = usual.clock - 1,
				 .note_pa = 0x5000 };
	guint8 *memory = make_memory();
	g_autofree char *info = NULL;

	if (_i / 2)
		live.note_pa = stale.note_pa = 0;
	linux_image_put(memory, MEMORY, &live);
	linux_image_put(memory, MEMORY, &stale);
	info = discover(memory, MEMORY, NULL);
	assert_found(info, &live);
	assert_says(info, "; of 2 complete kernels, its clock is the latest\n");
	assert_says(info, "lost, score 1");
}
END_TEST

START_TEST(users_root_is_believed_first)
{
	LinuxImagePlan one = usual;
	LinuxImagePlan other = { .release = "5.10-other",
				 .text_pa = 0x600000,
				 .slide = 0x200000,
				 .encoding = RELATIVE,
				 .clock = 1 };
	VmifsOptions options = { .size = sizeof options, .format = "raw", .has_root = TRUE };
	guint8 *memory = make_memory();
	g_autofree char *info = NULL;

	one.note_pa = 0;
	options.root = linux_image_root(&other);
	linux_image_put(memory, MEMORY, &one);
	linux_image_put(memory, MEMORY, &other);
	info = discover(memory, MEMORY, &options);
	assert_found(info, &other);
	assert_says(info, "by given by root=\n");
}
END_TEST

START_TEST(users_slide_is_believed_first)
{
	LinuxImagePlan one = usual;
	LinuxImagePlan other = { .release = "7.2-other",
				 .text_pa = 0x600000,
				 .slide = 0x200000,
				 .encoding = PC_RELATIVE,
				 .clock = 1 };
	VmifsOptions options = {
		.size = sizeof options, .format = "raw", .has_kaslr = TRUE, .kaslr = other.slide
	};
	guint8 *memory = make_memory();
	g_autofree char *info = NULL;

	one.note_pa = 0;
	linux_image_put(memory, MEMORY, &one);
	linux_image_put(memory, MEMORY, &other);
	info = discover(memory, MEMORY, &options);
	assert_found(info, &other);
	assert_says(info, "by given by kaslr=\n");
}
END_TEST

START_TEST(note_that_lies_hides_nothing)
{
	LinuxImagePlan plan = usual;
	guint8 *memory = make_memory();
	g_autofree char *info = NULL;
	char *phys_base;

	linux_image_put(memory, MEMORY, &plan);
	phys_base = memmem(memory + plan.note_pa, 4096, "NUMBER(phys_base)=", 18);
	memcpy(phys_base + 18, "9", 1);
	info = discover(memory, MEMORY, NULL);
	assert_found(info, &plan);
	assert_says(info, "score 105");
	assert_says(info, "found note: no\n");
	assert_says(info, "seen: VMCOREINFO at 0x7000: ");
}
END_TEST

START_TEST(image_that_ends_before_the_kernel_it_tells_of_was_cut_short)
{
	guint8 *memory = make_memory();
	g_autofree char *info = NULL;

	linux_image_put(memory, MEMORY, &usual);
	info = discover(memory, linux_image_root(&usual), NULL);
	assert_says(info, "os: unknown");
	assert_says(info, "seen: VMCOREINFO at 0x7000: its page table is at 0x1600000, memory ends "
			  "at 0x1600000: it was cut short, or is not of the whole memory\n");
}
END_TEST

/* What a process can plant: banners, digits, notes, thousands of each. */
START_TEST(planted_fragments_are_passed_over)
{
	static const char banner[] = "Linux version 9.9 (a@b) #1\n";
	LinuxImagePlan plan = usual;
	guint8 *memory = make_memory();
	g_autofree char *info = NULL;

	plan.note_pa = 0;
	linux_image_put(memory, MEMORY, &plan);
	for (gsize at = 0x100000; at < 0x900000; at += 128) {
		if (at % 256)
			memcpy(memory + at, banner, sizeof banner);
		else
			memcpy(memory + at, LINUX_KALLSYMS_DIGITS, 20);
	}
	for (gsize at = 0x10000; at < 0x100000; at += 4096)
		memcpy(memory + at, "\013\0\0\0\020\0\0\0\0\0\0\0VMCOREINFO\0\0OSRELEASE=9.9\n\n\n",
		       40);
	info = discover(memory, MEMORY, NULL);
	assert_found(info, &plan);
	assert_says(info, "score 105");
}
END_TEST

/* All memory below the kernel is full of what is looked for: digits; token tables; whole symbol
 * tables; notes that lie. */
static void
plant(guint8 *memory, guint kind)
{
	KallsymsPlan plan = { .encoding = RELATIVE,
			      .behind = TRUE,
			      .align = 8,
			      .marker_width = 4,
			      .n = 1100,
			      .text = 0xffffffff81000000 };
	KallsymsImage tables;
	const guint8 *piece = (const guint8 *) LINUX_KALLSYMS_DIGITS;
	gsize len = 20, from = 0;
	LinuxImagePlan liar = usual;

	kallsyms_image_make(&tables, &plan);
	if (kind == 1) {
		from = tables.tokens_at;
		len = tables.index_at + 512 - from;
	} else if (kind == 2) {
		len = (tables.bytes->len + 7) / 8 * 8;
	}
	if (kind)
		piece = tables.bytes->data + from;
	liar.text_pa = 0x2000000;
	if (kind == 3) {
		linux_image_put(memory, MEMORY, &liar);
		memset(memory + liar.text_pa, 0, LINUX_IMAGE_LEN);
		piece = g_memdup2(memory + liar.note_pa, 4096);
		len = 4096;
	}
	for (gsize at = 0x10000; at + len <= usual.text_pa; at += len)
		memcpy(memory + at, piece, kind == 2 ? tables.bytes->len : len);
	if (kind == 3)
		g_free((gpointer) piece);
	kallsyms_image_clear(&tables);
}

START_TEST(memory_full_of_fakes_hides_nothing)
{
	LinuxImagePlan plan = usual;
	guint8 *memory = make_memory();
	g_autofree char *info = NULL;

	plan.note_pa = _i == 3 ? 0x1900000 : 0;
	plant(memory, (guint) _i);
	memset(memory + usual.note_pa, 0, 4096);
	linux_image_put(memory, MEMORY, &plan);
	info = discover(memory, MEMORY, NULL);
	assert_found(info, &plan);
	assert_says(info, _i == 3 ? "score 120" : "score 105");
}
END_TEST

START_TEST(noise_is_an_unknown_guest)
{
	guint8 *memory = make_memory();
	g_autofree char *info = NULL;
	guint32 seed = 1;

	for (gsize at = 0; at < 4 << 20; at++)
		memory[at] = (seed = seed * 1103515245 + 12345) >> 16;
	info = discover(memory, MEMORY, NULL);
	assert_says(info, "os: unknown");
	assert_hides(info, "candidate:");
}
END_TEST

static Suite *
make_suite(void)
{
	Suite *s = suite_create("find");
	TCase *t = tcase_create("find");
	tcase_set_timeout(t, 100); /* also under the thread sanitizer */
	tcase_add_test(t, vmcoreinfo_leads_straight_to_the_kernel);
	tcase_add_test(t, tables_that_the_note_does_not_name_are_found_in_the_image);
	tcase_add_loop_test(t, kernel_is_found_without_vmcoreinfo, 0, 8);
	tcase_add_test(t, vmcoreinfo_serves_pc_relative_symbols);
	tcase_add_test(t, vmcoreinfo_alone_gives_a_candidate);
	tcase_add_loop_test(t, root_is_searched_when_no_symbol_tells_it, 0, 2);
	tcase_add_test(t, vmcoreinfo_tells_what_text_symbols_do_not);
	tcase_add_loop_test(t, kernel_that_does_not_run_loses_and_is_named, 0, 2);
	tcase_add_loop_test(t, of_two_complete_kernels_the_later_clock_runs, 0, 4);
	tcase_add_test(t, users_root_is_believed_first);
	tcase_add_test(t, users_slide_is_believed_first);
	tcase_add_test(t, note_that_lies_hides_nothing);
	tcase_add_test(t, image_that_ends_before_the_kernel_it_tells_of_was_cut_short);
	tcase_add_test(t, planted_fragments_are_passed_over);
	/* The time limit of the case bounds what fakes cost. */
	tcase_add_loop_test(t, memory_full_of_fakes_hides_nothing, 0, 4);
	tcase_add_test(t, noise_is_an_unknown_guest);
	suite_add_tcase(s, t);
	return s;
}

VMIFS_UNIT_MAIN(make_suite)
