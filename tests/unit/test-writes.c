/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* writes: instructions that write registers: what they are, and where they are found in text. */
#include <unit.h>

#include <arch/x86.h>
#include <engine/writes.h>

#include <string.h>

#define VA G_GUINT64_CONSTANT(0xffffffff81000000)
#define MAX_CODE 64

/* ---- one of them ---- */

/* With each register its own value: rax is 0x1000, rcx 0x1001, ... r15 0x100f; cr0 0x8005003b. */
static VmifsRegs *
make_regs(guint64 rcx)
{
	static const char *const names[] = {
		"rax", "rcx", "rdx", "rbx", "rsp", "rbp", "rsi", "rdi",
		"r8",  "r9",  "r10", "r11", "r12", "r13", "r14", "r15"
	};
	VmifsRegs *regs = vmifs_regs_new();

	for (guint i = 0; i < G_N_ELEMENTS(names); i++)
		vmifs_regs_set(regs, names[i], 0x1000 + i);
	vmifs_regs_set(regs, "rcx", rcx);
	vmifs_regs_set(regs, "cr0", 0x8005003b);
	return regs;
}

static const struct {
	guint8 code[MAX_CODE];
	guint given, len;
	const char *reg, *name;
	gboolean has_value;
	guint64 value;
} known[] = {
	{ { 0x0f, 0x22, 0xd8 }, 3, 3, "cr3", "cr3", TRUE, 0x1000 },
	{ { 0x0f, 0x22, 0xdf, 0x90 }, 4, 3, "cr3", "cr3", TRUE, 0x1007 },
	{ { 0x41, 0x0f, 0x22, 0xdf }, 4, 4, "cr3", "cr3", TRUE, 0x100f },
	/* What says how many registers there are is not looked at. */
	{ { 0x0f, 0x22, 0x18 }, 3, 3, "cr3", "cr3", TRUE, 0x1000 },
	{ { 0x66, 0x2e, 0x48, 0x0f, 0x22, 0xe2 }, 6, 6, "cr4", "cr4", TRUE, 0x1002 },
	{ { 0x0f, 0x22, 0xc4 }, 3, 3, "cr0", "cr0", TRUE, 0x1004 },
	{ { 0x0f, 0x06 }, 2, 2, "cr0", "cr0", TRUE, 0x80050033 },
	/* lmsw: PE stays. */
	{ { 0x0f, 0x01, 0xf2 }, 3, 3, "cr0", "cr0", TRUE, 0x80050033 },
	{ { 0x41, 0x0f, 0x01, 0xf6 }, 4, 4, "cr0", "cr0", TRUE, 0x8005003f },
	{ { 0x0f, 0x01, 0x30 }, 3, 0, "cr0", "cr0", FALSE, 0 },
	{ { 0x0f, 0x30 }, 2, 2, "msr", "efer", TRUE, 0x100200001000 },
	{ { 0x0f, 0x01, 0xc6 }, 3, 3, "msr", "efer", TRUE, 0x100200001000 },
};

START_TEST(a_write_is_known_with_its_value)
{
	g_autoptr(VmifsRegs) regs = make_regs(0xffffffffc0000080);
	VmifsArchWrite write;

	ck_assert(vmifs_x86_64_writes.decode(known[_i].code, known[_i].given, regs, &write));
	ck_assert_uint_eq(write.len, known[_i].len);
	ck_assert_str_eq(write.reg, known[_i].reg);
	ck_assert_str_eq(write.name, known[_i].name);
	ck_assert_uint_eq(write.has_value, known[_i].has_value);
	ck_assert_uint_eq(write.value, known[_i].value);
	ck_assert_uint_eq(write.number, g_str_equal(write.reg, "msr") ? 0xc0000080 : 0);
	/* As many bytes fewer as there can be: it is no other then, and nothing behind it is read.
	 */
	guint8 *copy = g_memdup2(known[_i].code, known[_i].given);
	for (guint len = 0; write.len && len < write.len; len++)
		ck_assert(!vmifs_x86_64_writes.decode(copy, len, regs, &write));
	g_free(copy);
	ck_assert(vmifs_x86_64_writes.decode(known[_i].code, known[_i].given, NULL, &write));
	ck_assert(!write.has_value);
}
END_TEST

START_TEST(only_the_registers_that_are_told_have_names)
{
	static const guint8 wrmsr[] = { 0x0f, 0x30 };
	g_autoptr(VmifsRegs) regs = make_regs(0x48);
	VmifsArchWrite write;

	ck_assert(vmifs_x86_64_writes.decode(wrmsr, sizeof wrmsr, regs, &write));
	ck_assert_uint_eq(write.number, 0x48);
	ck_assert_ptr_null(write.name);
}
END_TEST

/* CR3 does not keep what says that nothing is to be flushed. */
START_TEST(a_root_comes_without_how_to_flush)
{
	static const guint8 code[] = { 0x0f, 0x22, 0xd8 };
	g_autoptr(VmifsRegs) regs = make_regs(0);
	VmifsArchWrite write;

	vmifs_regs_set(regs, "rax", 0x8000000123456801);
	ck_assert(vmifs_x86_64_writes.decode(code, sizeof code, regs, &write));
	ck_assert_uint_eq(write.value, 0x0000000123456801);
}
END_TEST

/* Of 32 bits: registers have other names, and 0x41 is an instruction of its own. */
START_TEST(a_write_of_32_bits_is_known_with_its_value)
{
	static const guint8 root[] = { 0x0f, 0x22, 0xdf }, wrmsr[] = { 0x0f, 0x30 };
	static const guint8 two[] = { 0x41, 0x0f, 0x22, 0xdf };
	g_autoptr(VmifsRegs) regs = vmifs_regs_new();
	VmifsArchWrite write;

	vmifs_regs_set(regs, "eax", 0x11);
	vmifs_regs_set(regs, "ecx", 0x174);
	vmifs_regs_set(regs, "edx", 0x22);
	vmifs_regs_set(regs, "edi", 0x3344);
	vmifs_regs_set(regs, "rdi", 0x5566);
	ck_assert(vmifs_i386_writes.decode(root, sizeof root, regs, &write));
	ck_assert_str_eq(write.reg, "cr3");
	ck_assert(write.has_value);
	ck_assert_uint_eq(write.value, 0x3344);
	ck_assert(vmifs_i386_writes.decode(wrmsr, sizeof wrmsr, regs, &write));
	ck_assert_uint_eq(write.number, 0x174);
	ck_assert_uint_eq(write.value, G_GUINT64_CONSTANT(0x2200000011));
	ck_assert(!vmifs_i386_writes.decode(two, sizeof two, regs, &write));
}
END_TEST

static const struct {
	guint8 code[MAX_CODE];
	guint len;
} others[] = {
	/* cr2, cr8, a read of cr3, rdmsr, xsetbv, swapgs, an address; prefixes alone. */
	{ { 0x0f, 0x22, 0xd0 }, 3 },
	{ { 0x44, 0x0f, 0x22, 0xc0 }, 4 },
	{ { 0x0f, 0x20, 0xd8 }, 3 },
	{ { 0x0f, 0x32 }, 2 },
	{ { 0x0f, 0x01, 0xd1 }, 3 },
	{ { 0x0f, 0x01, 0xf8 }, 3 },
	{ { 0x48, 0x66, 0x0f, 0x22, 0xd8 }, 5 },
	{ { 0x66, 0x66, 0x66, 0x66, 0x66, 0x66, 0x66, 0x66, 0x66, 0x66, 0x66, 0x66, 0x66, 0x0f,
	    0x22, 0xd8 },
	  16 },
	{ { 0x66, 0x66 }, 2 },
	{ { 0x41 }, 1 },
	{ { 0 }, 0 },
};

START_TEST(what_writes_none_is_none)
{
	VmifsArchWrite write;

	ck_assert(!vmifs_x86_64_writes.decode(others[_i].code, others[_i].len, NULL, &write));
}
END_TEST

START_TEST(what_programs_write_is_said)
{
	ck_assert_ptr_nonnull(vmifs_x86_64_writes.unseen("msr", 0xc0000101));
	ck_assert_ptr_null(vmifs_x86_64_writes.unseen("msr", 0xc0000080));
	ck_assert_ptr_null(vmifs_x86_64_writes.unseen("cr3", 0));
}
END_TEST

/* ---- text ---- */

/* A text of functions: the first one at its beginning, the second one at that offset (0 = none). */
typedef struct {
	VmifsSymbols *symbols;
	VmifsDisasm *disasm;
	GArray *found;
	VmifsWrites writes;
} Scene;

static Scene
scene_new(const char *reg, guint second)
{
	VmifsSymbolsBuilder *builder = vmifs_symbols_builder_new();
	Scene scene = { .found = g_array_new(FALSE, FALSE, sizeof(guint64)) };

	vmifs_symbols_builder_add(builder, VA, 'T', "one", 3);
	if (second)
		vmifs_symbols_builder_add(builder, VA + second, 'T', "two", 3);
	scene.symbols = vmifs_symbols_builder_end(builder);
	scene.disasm = vmifs_disasm_new("x86_64", NULL);
	scene.writes = (VmifsWrites){ .arch = &vmifs_x86_64_writes,
				      .reg = reg,
				      .disasm = scene.disasm,
				      .symbols = scene.symbols,
				      .found = scene.found,
				      .most = 4,
				      .budget = 1000 };
	return scene;
}

static void
scene_clear(Scene *scene)
{
	vmifs_symbols_unref(scene->symbols);
	vmifs_disasm_free(scene->disasm);
	g_array_unref(scene->found);
}

G_DEFINE_AUTO_CLEANUP_CLEAR_FUNC(Scene, scene_clear)

/* offsets: those where there is one, in order, ended by -1. */
static void
assert_found(const Scene *scene, const gint *offsets)
{
	guint n = 0;

	for (; offsets[n] >= 0; n++) {
		ck_assert_uint_gt(scene->found->len, n);
		ck_assert_uint_eq(g_array_index(scene->found, guint64, n), VA + (guint) offsets[n]);
	}
	ck_assert_uint_eq(scene->found->len, n);
}

static const struct {
	const char *reg;
	guint8 code[MAX_CODE];
	guint len, second;
	gint offsets[5];
} texts[] = {
	/* mov rax,cr3; or al,1; mov cr3,rax; ret */
	{ "cr3", { 0x0f, 0x20, 0xd8, 0x0c, 0x01, 0x0f, 0x22, 0xd8, 0xc3 }, 9, 0, { 5, -1 } },
	{ "cr4", { 0x0f, 0x20, 0xd8, 0x0c, 0x01, 0x0f, 0x22, 0xd8, 0xc3 }, 9, 0, { -1 } },
	/* mov eax,0x..d8220f; mov cr3,r15: the first is a number. */
	{ "cr3", { 0xb8, 0x0f, 0x22, 0xd8, 0x00, 0x41, 0x0f, 0x22, 0xdf, 0xc3 }, 10, 0, { 5, -1 } },
	/* nop [..]; wrmsr; a displacement 0x300f; wrmsr */
	{ "msr",
	  { 0x0f, 0x1f, 0x44, 0x00, 0x00, 0x0f, 0x30, 0x48, 0x8b, 0x80, 0x0f, 0x30, 0x00, 0x00,
	    0x0f, 0x30 },
	  16,
	  0,
	  { 5, 14, -1 } },
	/* The second function begins within what the first one's last byte seems to be. */
	{ "cr0", { 0xc3, 0x48, 0xb8, 0x0f, 0x22, 0xc0 }, 6, 3, { 3, -1 } },
	/* clts; mov cr0,rax */
	{ "cr0", { 0x0f, 0x06, 0x0f, 0x22, 0xc0 }, 5, 0, { 0, 2, -1 } },
	/* wrmsrns is newer than what disassembles it; mov eax,0x0000300f */
	{ "msr",
	  { 0x0f, 0x01, 0xc6, 0xb8, 0x0f, 0x30, 0x00, 0x00, 0x0f, 0x30 },
	  10,
	  0,
	  { 0, 8, -1 } },
	/* movdir64b is not known: what follows is taken for what it seems, with a prefix, too. */
	{ "cr3", { 0x66, 0x0f, 0x38, 0xf8, 0x06, 0x41, 0x0f, 0x22, 0xd8 }, 9, 0, { 6, 5, -1 } },
	/* ... until the next function. */
	{ "msr",
	  { 0x0f, 0xff, 0xc0, 0x0f, 0x30, 0xb8, 0x0f, 0x30, 0, 0, 0x0f, 0x30 },
	  12,
	  5,
	  { 3, 10, -1 } },
	/* Cut off. */
	{ "cr3", { 0x90, 0x0f, 0x22 }, 3, 0, { -1 } },
	{ "cr3", { 0x90, 0x0f }, 2, 0, { -1 } },
};

START_TEST(writes_are_found_in_text)
{
	g_auto(Scene) scene = scene_new(texts[_i].reg, texts[_i].second);
	guint8 *code = g_memdup2(texts[_i].code, texts[_i].len);

	if (vmifs_disasm_is_there()) {
		vmifs_writes_scan(&scene.writes, code, texts[_i].len, VA, 0, texts[_i].len);
		assert_found(&scene, texts[_i].offsets);
	}
	g_free(code);
}
END_TEST

/* Bytes of 0x300f0f0f..: none of them is passed over without symbols. */
START_TEST(without_symbols_everything_counts_that_seems_one)
{
	static const guint8 code[] = { 0xb8, 0x0f, 0x30, 0x00, 0x00, 0x0f, 0x30, 0xc3 };
	static const gint offsets[] = { 1, 5, -1 };
	g_auto(Scene) scene = scene_new("msr", 0);

	scene.writes.symbols = NULL;
	vmifs_writes_scan(&scene.writes, code, sizeof code, VA, 0, sizeof code);
	assert_found(&scene, offsets);
}
END_TEST

START_TEST(what_is_too_much_is_counted_only)
{
	g_auto(Scene) scene = scene_new("msr", 0);
	guint8 code[40];

	for (guint i = 0; i < sizeof code; i += 2)
		memcpy(code + i, "\x0f\x30", 2);
	vmifs_writes_scan(&scene.writes, code, sizeof code, VA, 0, sizeof code);
	ck_assert_uint_eq(scene.found->len, 4);
	ck_assert_uint_eq(scene.writes.n, sizeof code / 2);
}
END_TEST

/* Then no more is disassembled, and the number 0x300f counts. */
START_TEST(disassembling_has_a_limit)
{
	static const guint8 code[] = { 0x90, 0x90, 0xb8, 0x0f, 0x30, 0x00, 0x00 };
	static const gint offsets[] = { 3, -1 };
	g_auto(Scene) scene = scene_new("msr", 0);

	scene.writes.budget = 2;
	vmifs_writes_scan(&scene.writes, code, sizeof code, VA, 0, sizeof code);
	assert_found(&scene, offsets);
}
END_TEST

START_TEST(a_text_in_pieces_is_one)
{
	/* mov eax,0x300f | wrmsr across two of them | mov eax,0x300f */
	static const guint8 code[] = { 0xb8, 0x0f, 0x30, 0x00, 0x00, 0x0f, 0x30,
				       0xb8, 0x0f, 0x30, 0x00, 0x00, 0xc3 };
	static const gint offsets[] = { 5, -1 };

	if (!vmifs_disasm_is_there())
		return;
	for (gsize cut = 1; cut < sizeof code; cut++) {
		g_auto(Scene) scene = scene_new("msr", 0);
		vmifs_writes_scan(&scene.writes, code, sizeof code, VA, 0, cut);
		vmifs_writes_scan(&scene.writes, code, sizeof code, VA, cut, sizeof code - cut);
		assert_found(&scene, offsets);
	}
}
END_TEST

static Suite *
writes_suite(void)
{
	Suite *suite = suite_create("writes");
	TCase *tcase = tcase_create("writes");

	tcase_add_loop_test(tcase, a_write_is_known_with_its_value, 0, G_N_ELEMENTS(known));
	tcase_add_test(tcase, only_the_registers_that_are_told_have_names);
	tcase_add_test(tcase, a_write_of_32_bits_is_known_with_its_value);
	tcase_add_test(tcase, a_root_comes_without_how_to_flush);
	tcase_add_loop_test(tcase, what_writes_none_is_none, 0, G_N_ELEMENTS(others));
	tcase_add_test(tcase, what_programs_write_is_said);
	tcase_add_loop_test(tcase, writes_are_found_in_text, 0, G_N_ELEMENTS(texts));
	tcase_add_test(tcase, without_symbols_everything_counts_that_seems_one);
	tcase_add_test(tcase, what_is_too_much_is_counted_only);
	tcase_add_test(tcase, disassembling_has_a_limit);
	tcase_add_test(tcase, a_text_in_pieces_is_one);
	suite_add_tcase(suite, tcase);
	return suite;
}

VMIFS_UNIT_MAIN(writes_suite)
