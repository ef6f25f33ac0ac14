/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * narrow: i386 and ARM kernels, with tables of either form, wherever the kernel's addresses begin.
 * Their notes do not tell how far the image lies above physical memory, and their symbols not the
 * root, which init_mm names; nor do raw images of ARM guests tell where memory begins. What looks
 * like ARM's root is refused where the kernel does not bear it out.
 */
#include <unit.h>

#include "discovered.h"

#include <kallsyms-image.h>

#define MEMORY (40u << 20)
#define BASE G_GUINT64_CONSTANT(0x40000000) /* of ARM's */
#define NOTE 0x7000
/* Where the image is, and where in it its parts. */
#define IMAGE 0x1000000
#define BANNER 0x200100
#define TABLES 0x210000
#define UTS 0x300000
#define INIT_MM 0x310000
#define INIT_MM_PGD 28
#define INIT_MM_CODE 136
#define ETEXT 0x1ff010
/* Before i386's own root, the one it starts with. */
#define START_ROOT 0x400000
#define ROOT 0x404000
#define STEP 0x4000
/* Processes have a root each, below the image and with the whole kernel in it. */
#define PROCESSES 0x100000
#define N_PROCESSES 100
/* ARM's own is in front of the image, its tables between. */
#define ARM_ROOT (IMAGE - 0x4000)
#define ARM_ROOT_LPAE (IMAGE - 0x5000)
#define VECTOR_TABLE 0x9000
#define STUBS 0xa000
#define VECTOR_SWI 0x10300
#define RELEASE "6.1.0-narrow"

static const KallsymsNamed named[] = {
	{ 0x10000, 'T', "schedule" }, { 0x10100, 'T', "vfs_read" },
	{ 0x10200, 'T', "do_exit" },  { 0x10300, 'T', "entry_INT80_32" },
	{ ETEXT, 'T', "_etext" },
};

static const KallsymsNamed named_arm[] = {
	{ 0x10000, 'T', "schedule" }, { 0x10100, 'T', "vfs_read" },
	{ 0x10200, 'T', "do_exit" },  { VECTOR_SWI, 'T', "vector_swi" },
	{ ETEXT, 'T', "_etext" },
};

typedef struct {
	guint64 page_offset;
	gboolean pae;
	gboolean arm; /* pae: LPAE */
} Plan;

static const Plan plans[] = {
	{ 0xc0000000, FALSE }, { 0xc0000000, TRUE },  { 0xb0000000, FALSE },
	{ 0x80000000, TRUE },  { 0x40000000, FALSE },
};

static void
put_u32(guint8 *at, guint32 value)
{
	value = GUINT32_TO_LE(value);
	memcpy(at, &value, sizeof value);
}

static const Plan arms[] = {
	{ 0xc0000000, FALSE, TRUE },
	{ 0xc0000000, TRUE, TRUE },
	{ 0x80000000, FALSE, TRUE },
};

/* A root at pa that maps all memory at va, and its beginning at a program's address, too. Tables of
 * PAE are behind it; QEMU marks its entries as accessed. */
static void
put_root(guint8 *memory, const Plan *plan, guint64 pa, guint64 va, gboolean has_program)
{
	guint8 *root = memory + pa;

	if (!plan->pae) {
		for (guint64 at = 0; at < MEMORY; at += 4 << 20)
			put_u32(root + ((va + at) >> 22) * 4, at | 0xe3);
		if (has_program)
			put_u32(root, 0xe7);
		return;
	}
	put_u32(root + (va >> 30) * 8, (pa + 0x1000) | 0x21);
	for (guint64 at = 0; at < MEMORY; at += 2 << 20)
		put_u32(root + 0x1000 + ((va + at) >> 21 & 511) * 8, at | 0xe3);
	if (has_program) {
		put_u32(root, (pa + 0x2000) | 0x21);
		put_u32(root + 0x2000, 0xe7);
	}
}

static guint
root_of(const Plan *plan)
{
	return !plan->arm ? IMAGE + ROOT : plan->pae ? ARM_ROOT_LPAE : ARM_ROOT;
}

/* That of ARM, with memory at BASE. */
static void
put_arm_root(guint8 *memory, const Plan *plan, guint64 pa)
{
	guint64 va = plan->page_offset;
	guint64 table = pa + 0x1000 * (1 + (va >> 30));

	if (!plan->pae) {
		for (guint64 at = 0; at < MEMORY; at += 1 << 20)
			put_u32(memory + pa + ((va + at) >> 20) * 4, (BASE + at) | 0x40e);
		return;
	}
	put_u32(memory + pa + (va >> 30) * 8, (BASE + table) | 3);
	for (guint64 at = 0; at < MEMORY; at += 2 << 20)
		put_u32(memory + table + ((va + at) >> 21 & 511) * 8, (BASE + at) | 0x701);
}

/* The page at 0xffff1000. */
static void
put_vectors(guint8 *memory, const Plan *plan)
{
	put_u32(memory + STUBS, plan->page_offset + IMAGE + VECTOR_SWI);
	if (plan->pae) {
		put_u32(memory + ARM_ROOT_LPAE + 0x4000 + 511 * 8, (BASE + VECTOR_TABLE) | 3);
		put_u32(memory + VECTOR_TABLE + 0x1f1 * 8, (BASE + STUBS) | 0x703);
	} else {
		put_u32(memory + ARM_ROOT + 0xfff * 4, (BASE + VECTOR_TABLE) | 1);
		put_u32(memory + VECTOR_TABLE + 0xf1 * 4, (BASE + STUBS) | 0x12);
	}
}

/* Words that LPAE takes for a gigabyte, and short tables of processes that have ended. */
static void
put_false_arm_roots(guint8 *memory, const Plan *plan)
{
	for (guint i = 0; i < N_PROCESSES; i++) {
		guint64 pa = PROCESSES + i * STEP;

		if (i % 2)
			put_u32(memory + pa + (plan->page_offset >> 30) * 8, BASE | 0x701);
		else if (!plan->pae)
			put_arm_root(memory, plan, pa);
	}
}

static void
put_init_mm(guint8 *memory, const Plan *plan, guint root)
{
	guint8 *mm = memory + IMAGE + INIT_MM;

	put_u32(mm + INIT_MM_PGD, plan->page_offset + root);
	put_u32(mm + INIT_MM_CODE, plan->page_offset + IMAGE);
	put_u32(mm + INIT_MM_CODE + 4, plan->page_offset + IMAGE + ETEXT);
}

static void
put_symbols(guint8 *memory, const Plan *plan)
{
	const KallsymsPlan tables = {
		.encoding = LINUX_KALLSYMS_RELATIVE,
		.bits32 = TRUE,
		.align = 4,
		.marker_width = 4,
		.n = 3000,
		.pa = IMAGE + TABLES,
		.text = plan->page_offset + IMAGE,
		.named = plan->arm ? named_arm : named,
		.n_named = G_N_ELEMENTS(named),
	};
	KallsymsImage kallsyms;

	kallsyms_image_make(&kallsyms, &tables);
	memcpy(memory + IMAGE + TABLES, kallsyms.bytes->data, kallsyms.bytes->len);
	kallsyms_image_clear(&kallsyms);
	strcpy((char *) memory + IMAGE + BANNER, "Linux version " RELEASE " (test@test) #1 SMP\n");
}

static guint8 *
make_memory(const Plan *plan)
{
	guint8 *memory = g_malloc0(MEMORY);

	put_symbols(memory, plan);
	put_init_mm(memory, plan, root_of(plan));
	if (plan->arm) {
		put_false_arm_roots(memory, plan);
		put_arm_root(memory, plan, root_of(plan));
		put_vectors(memory, plan);
		return memory;
	}
	put_root(memory, plan, IMAGE + START_ROOT, plan->page_offset, TRUE);
	put_root(memory, plan, IMAGE + ROOT, plan->page_offset, FALSE);
	for (guint i = 0; i < N_PROCESSES; i++)
		put_root(memory, plan, PROCESSES + i * STEP, plan->page_offset, TRUE);
	return memory;
}

static void
put_note(guint8 *memory, const Plan *plan, guint64 page_offset, const char *more)
{
	g_autofree char *text = g_strdup_printf(
		"OSRELEASE=%s\nPAGESIZE=4096\nSYMBOL(init_uts_ns)=%x\nSYMBOL(swapper_pg_dir)=%x\n"
		"SYMBOL(_stext)=%x\n%s",
		RELEASE, (guint) page_offset + IMAGE + UTS, (guint) page_offset + root_of(plan),
		(guint) page_offset + IMAGE, more);

	put_u32(memory + NOTE, 11);
	put_u32(memory + NOTE + 4, strlen(text));
	memcpy(memory + NOTE + 12, "VMCOREINFO\0", 12);
	memcpy(memory + NOTE + 24, text, strlen(text));
	strcpy((char *) memory + IMAGE + UTS + 134, RELEASE);
}

static const VmifsOptions based = {
	.size = sizeof based, .format = "raw", .has_base = TRUE, .base = BASE
};

static void
assert_found(const Plan *plan, const char *info, const char *how)
{
	guint64 base = plan->arm ? BASE : 0;
	g_autofree char *delta =
		g_strdup_printf("found delta: 0x%x\n", (guint) (plan->page_offset - base));
	g_autofree char *root =
		g_strdup_printf("found root: 0x%x by %s\n", (guint) base + root_of(plan), how);

	if (plan->arm)
		assert_says(info, plan->pae ? "paging: arm LPAE\n" : "paging: arm short\n");
	else
		assert_says(info, plan->pae ? "paging: i386 PAE\n" : "paging: i386 2-level\n");
	assert_says(info, delta);
	assert_says(info, root);
	assert_says(info, "found release: " RELEASE "\n");
}

static void
assert_refused(const char *info, const char *why)
{
	assert_says(info, "none could be proved");
	assert_says(info, why);
	assert_hides(info, "found root:");
}

START_TEST(root_without_a_note_is_the_kernels_alone)
{
	const Plan *plan = &plans[_i];
	g_autofree char *info = discover(make_memory(plan), MEMORY, NULL);

	assert_found(plan, info, "init_mm, whose code is the text");
}
END_TEST

START_TEST(root_of_a_note_proves_where_addresses_begin)
{
	const Plan *plan = &plans[_i];
	guint8 *memory = make_memory(plan);
	put_note(memory, plan, plan->page_offset, "");
	g_autofree char *info = discover(memory, MEMORY, NULL);

	assert_found(plan, info, "swapper_pg_dir of VMCOREINFO");
	assert_says(info, "found note: yes\n");
}
END_TEST

START_TEST(note_whose_root_maps_the_text_elsewhere_is_not_believed)
{
	guint8 *memory = make_memory(&plans[0]);
	put_note(memory, &plans[0], 0x80000000, "");
	g_autofree char *info = discover(memory, MEMORY, NULL);

	assert_found(&plans[0], info, "init_mm, whose code is the text");
	assert_says(info, "found note: no\n");
}
END_TEST

START_TEST(root_of_a_note_tells_where_memory_of_ARM_begins)
{
	const Plan *plan = &arms[_i];
	guint8 *memory = make_memory(plan);
	put_note(memory, plan, plan->page_offset, plan->pae ? "CONFIG_ARM_LPAE=y\n" : "");
	g_autofree char *info = discover(memory, MEMORY, NULL);

	assert_says(info, "memory begins at: 0x40000000, as a kernel in it says\n");
	assert_found(plan, info, "swapper_pg_dir of VMCOREINFO");
}
END_TEST

START_TEST(root_of_ARM_is_what_init_mm_names)
{
	const Plan *plan = &arms[_i];
	g_autofree char *info = discover(make_memory(plan), MEMORY, &based);

	assert_found(plan, info, "init_mm, whose code is the text");
	assert_says(info, "5 probes, banner, symbol tables, vectors agree");
}
END_TEST

START_TEST(root_of_init_mm_tells_where_memory_of_ARM_begins)
{
	const Plan *plan = &arms[_i];
	g_autofree char *info = discover(make_memory(plan), MEMORY, NULL);

	assert_says(info, "memory begins at: 0x40000000, as a kernel in it says\n");
	assert_found(plan, info, "init_mm, whose code is the text");
}
END_TEST

START_TEST(root_of_ARM_that_nothing_names_is_refused)
{
	guint8 *memory = make_memory(&arms[_i]);
	memset(memory + IMAGE + INIT_MM, 0, 1024);
	g_autofree char *info = discover(memory, MEMORY, &based);

	assert_refused(info, "its init_mm, which names its page table, is not there\n");
}
END_TEST

START_TEST(root_of_ARM_that_nothing_names_may_be_given)
{
	const Plan *plan = &arms[_i];
	VmifsOptions options = based;
	guint8 *memory = make_memory(plan);
	memset(memory + IMAGE + INIT_MM, 0, 1024);
	options.has_root = TRUE;
	options.root = BASE + root_of(plan);
	g_autofree char *info = discover(memory, MEMORY, &options);

	assert_found(plan, info, "given by root=");
}
END_TEST

START_TEST(root_of_ARM_whose_vectors_are_not_the_kernels_is_refused)
{
	const Plan *plan = &arms[_i];
	guint8 *memory = make_memory(plan);
	put_init_mm(memory, plan, PROCESSES + STEP);
	g_autofree char *info = discover(memory, MEMORY, &based);

	assert_refused(info, "the vectors that its page table maps are not its own\n");
}
END_TEST

START_TEST(root_of_ARM_that_does_not_map_the_text_is_refused)
{
	const Plan *plan = &arms[_i];
	guint8 *memory = make_memory(plan);
	put_init_mm(memory, plan, UTS);
	g_autofree char *info = discover(memory, MEMORY, &based);

	assert_refused(info, "the page table that its init_mm names does not map its text\n");
}
END_TEST

START_TEST(where_memory_of_ARM_begins_must_be_known)
{
	guint8 *memory = make_memory(&arms[_i]);
	memset(memory + IMAGE + INIT_MM, 0, 1024);
	g_autofree char *info = discover(memory, MEMORY, NULL);

	assert_refused(info, "where memory begins is not known: give base=\n");
}
END_TEST

static Suite *
make_suite(void)
{
	Suite *s = suite_create("narrow");
	TCase *t = tcase_create("narrow");

	tcase_add_loop_test(t, root_without_a_note_is_the_kernels_alone, 0, G_N_ELEMENTS(plans));
	tcase_add_loop_test(t, root_of_a_note_proves_where_addresses_begin, 0, G_N_ELEMENTS(plans));
	tcase_add_test(t, note_whose_root_maps_the_text_elsewhere_is_not_believed);
	tcase_add_loop_test(t, root_of_a_note_tells_where_memory_of_ARM_begins, 0,
			    G_N_ELEMENTS(arms));
	tcase_add_loop_test(t, root_of_ARM_is_what_init_mm_names, 0, G_N_ELEMENTS(arms));
	tcase_add_loop_test(t, root_of_init_mm_tells_where_memory_of_ARM_begins, 0,
			    G_N_ELEMENTS(arms));
	tcase_add_loop_test(t, root_of_ARM_that_nothing_names_is_refused, 0, G_N_ELEMENTS(arms));
	tcase_add_loop_test(t, root_of_ARM_that_nothing_names_may_be_given, 0, G_N_ELEMENTS(arms));
	tcase_add_loop_test(t, root_of_ARM_whose_vectors_are_not_the_kernels_is_refused, 0,
			    G_N_ELEMENTS(arms));
	tcase_add_loop_test(t, root_of_ARM_that_does_not_map_the_text_is_refused, 0,
			    G_N_ELEMENTS(arms));
	tcase_add_loop_test(t, where_memory_of_ARM_begins_must_be_known, 0, G_N_ELEMENTS(arms));
	suite_add_tcase(s, t);
	return s;
}

VMIFS_UNIT_MAIN(make_suite)
