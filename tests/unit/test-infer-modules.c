/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* infer: two modules that agree with one another tell their layout; those that do not, nothing. */
#include <infer-guest.h>

#define KALLSYMS 400
#define LAYOUT 300
#define MODULE_LEN 1280

/* Two modules with a table of symbols each, that export nothing. */
static void
put_modules(Fixture *f, guint64 *modules)
{
	static const char *const names[] = { "ext4", "tun" };
	guint64 head = linux_guest_alloc(&f->g, 16), base = linux_guest_alloc(&f->g, 16384);
	guint64 table = linux_guest_alloc(&f->g, 256);
	guint64 letters = linux_guest_string(&f->g, "Utt");

	base = (base + 4095) / 4096 * 4096;
	for (guint i = 0; i < 2; i++) {
		guint64 module = base + i * 2048;

		modules[i] = module;
		linux_guest_write(&f->g, module + 24, names[i], strlen(names[i]));
		linux_guest_u64(&f->g, module + LAYOUT + 4, base);
		put_u32(f, module + LAYOUT + 12, 8192);
		put_u32(f, module + LAYOUT + 16, 4096);
		put_u32(f, module + LAYOUT + 20, 4096);
		put_u32(f, module + LAYOUT + 24, 8192);
		linux_guest_u64(&f->g, module + KALLSYMS, module + KALLSYMS + 8);
		linux_guest_u64(&f->g, module + KALLSYMS + 8, table);
		put_u32(f, module + KALLSYMS + 16, 3);
		linux_guest_u64(&f->g, module + KALLSYMS + 24, table + 128);
		linux_guest_u64(&f->g, module + KALLSYMS + 32, letters);
	}
	linux_guest_ring(&f->g, (guint64[]){ head, modules[0] + 8, modules[1] + 8 }, 3);
	linux_guest_symbol(&f->g, "modules", head);
}

START_TEST(modules_tell_where_their_symbols_are)
{
	Fixture f;
	guint64 modules[2];
	VmifsMember member;

	setup(&f);
	put_modules(&f, modules);
	infer(&f);
	ck_assert_ptr_nonnull(f.types);
	expect_place(&f, "module.name", 24);
	expect_place(&f, "module.kallsyms", KALLSYMS);
	expect_place(&f, "mod_kallsyms.typetab", 24);
	expect_place(&f, "module.core_layout.base", LAYOUT + 4);
	expect_place(&f, "module.core_layout.text_size", LAYOUT + 16);
	ck_assert(!vmifs_types_member(f.types, "module.gpl_syms", &member));
	ck_assert_ptr_nonnull(strstr(f.origin, ", 2 modules"));
	teardown(&f);
}
END_TEST

#define MEM 480
#define PIECE 72
#define SYMS 1104

/* Seven pieces of 6.14, of which those for its start are gone; a table for all exports (7.2). */
static void
put_pieces(Fixture *f, const guint64 *modules)
{
	guint64 table = linux_guest_alloc(&f->g, 64), flags = linux_guest_alloc(&f->g, 8);

	for (guint k = 0; k < 2; k++) {
		guint64 name = linux_guest_string(&f->g, k ? "tun_b" : "tun_a");
		put_u32(f, table + 12 * k + 4, (guint32) (name - (table + 12 * k + 4)));
	}
	for (guint i = 0; i < 2; i++) {
		guint64 base = modules[0];

		for (gsize off = LAYOUT + 4; off < LAYOUT + 28; off += 8)
			linux_guest_u64(&f->g, modules[i] + off, 0);
		for (guint k = 0; k < 7; k++) {
			guint64 piece = modules[i] + MEM + k * PIECE;

			linux_guest_u64(&f->g, piece, k < 4 ? base + 4096 * (k ^ 1) : 0);
			put_u32(f, piece + 8, k == 0);
			put_u32(f, piece + 12, k < 4 ? 4096 : 0);
			linux_guest_u64(&f->g, piece + 16, modules[i]);
		}
		linux_guest_u64(&f->g, modules[i] + MEM - 16, base + 4096);
	}
	linux_guest_u64(&f->g, modules[1] + SYMS, table);
	linux_guest_u64(&f->g, modules[1] + SYMS + 16, flags);
	put_u32(f, modules[1] + SYMS + 24, 2);
}

START_TEST(modules_in_pieces_tell_how_many)
{
	Fixture f;
	guint64 modules[2];
	VmifsMember member;

	setup(&f);
	put_modules(&f, modules);
	put_pieces(&f, modules);
	for (guint k = 0; k < 7 && _i == 1; k++) /* whose they are, one does not say */
		linux_guest_u64(&f.g, modules[1] + MEM + k * PIECE + 16, modules[0]);
	infer(&f);
	ck_assert_ptr_nonnull(f.types);
	expect_place(&f, "module.syms", SYMS);
	expect_place(&f, "module.num_syms", SYMS + 24);
	if (_i == 0) {
		expect_place(&f, "module_memory.size", 12);
		ck_assert(vmifs_types_member(f.types, "module.mem", &member));
		ck_assert_uint_eq(member.offset, MEM);
		ck_assert_uint_eq(member.count, 7);
		ck_assert_uint_eq(member.elem_size, PIECE);
		expect_place(&f, "module.init", MEM - 16);
	}
	ck_assert_int_eq(vmifs_types_member(f.types, "module.mem", &member), _i == 0);
	teardown(&f);
}
END_TEST

START_TEST(a_module_whose_table_is_elsewhere_proves_none)
{
	Fixture f;
	guint64 modules[2];
	VmifsMember member;

	setup(&f);
	put_modules(&f, modules);
	linux_guest_u64(&f.g, modules[1] + KALLSYMS, modules[0] + KALLSYMS + 8);
	infer(&f);
	ck_assert_ptr_nonnull(f.types);
	ck_assert(!vmifs_types_member(f.types, "module.kallsyms", &member));
	expect_place(&f, "module.name", 24);
	teardown(&f);
}
END_TEST

#define INIT 280
#define TAINTS 488
#define BUGS 504
#define USES 600

/* The second uses the first. */
static void
put_uses(Fixture *f, const guint64 *modules)
{
	guint64 bugs = linux_guest_alloc(&f->g, 16), use = linux_guest_alloc(&f->g, 48);

	linux_guest_ring(&f->g, (guint64[]){ bugs, modules[0] + BUGS, modules[1] + BUGS }, 3);
	linux_guest_ring(&f->g, (guint64[]){ modules[0] + USES, use }, 2);
	linux_guest_ring(&f->g, (guint64[]){ modules[0] + USES + 16 }, 1);
	linux_guest_ring(&f->g, (guint64[]){ modules[1] + USES }, 1);
	linux_guest_ring(&f->g, (guint64[]){ modules[1] + USES + 16, use + 16 }, 2);
	linux_guest_u64(&f->g, use + 32, modules[1]);
	linux_guest_u64(&f->g, use + 40, modules[0]);
	put_u32(f, modules[0] + USES + 40, 2);
	put_u32(f, modules[1] + USES + 40, 1);
	linux_guest_u64(&f->g, modules[0] + INIT, bugs + 65536);
}

START_TEST(modules_tell_who_uses_them)
{
	Fixture f;
	guint64 modules[2];

	setup(&f);
	put_modules(&f, modules);
	put_uses(&f, modules);
	infer(&f);
	ck_assert_ptr_nonnull(f.types);
	expect_place(&f, "module.source_list", USES);
	expect_place(&f, "module.exit", USES + 32);
	expect_place(&f, "module.refcnt", USES + 40);
	expect_place(&f, "module.taints", TAINTS);
	expect_place(&f, "module.init", INIT);
	expect_place(&f, "module_use.source", 32);
	teardown(&f);
}
END_TEST

/* Counts that do not agree; a use that is of others; a ring with a second stranger; something
 * between. */
START_TEST(uses_that_do_not_agree_are_none)
{
	static const char *const lost[] = { "module.refcnt", "module.source_list", "module.taints",
					    "module.init" };
	Fixture f;
	guint64 modules[2];
	VmifsMember member;

	setup(&f);
	put_modules(&f, modules);
	put_uses(&f, modules);
	guint64 other = linux_guest_alloc(&f.g, 16), nodes[] = { other, other + 65536, 0, 0 };
	nodes[2] = modules[0] + BUGS;
	nodes[3] = modules[1] + BUGS;
	if (_i == 0)
		put_u32(&f, modules[0] + USES + 40, 1);
	else if (_i == 1)
		linux_guest_ring(&f.g, (guint64[]){ modules[1] + USES + 16 }, 1);
	else if (_i == 2)
		linux_guest_ring(&f.g, nodes, 4);
	else
		put_u32(&f, modules[1] + INIT + 8, 3);
	infer(&f);
	ck_assert_ptr_nonnull(f.types);
	ck_assert(!vmifs_types_member(f.types, lost[_i], &member));
	expect_place(&f, "module.name", 24);
	teardown(&f);
}
END_TEST

static Suite *
make_suite(void)
{
	Suite *s = suite_create("infer-modules");
	TCase *t = tcase_create("infer-modules");

	tcase_add_test(t, modules_tell_where_their_symbols_are);
	tcase_add_loop_test(t, modules_in_pieces_tell_how_many, 0, 2);
	tcase_add_test(t, a_module_whose_table_is_elsewhere_proves_none);
	tcase_add_test(t, modules_tell_who_uses_them);
	tcase_add_loop_test(t, uses_that_do_not_agree_are_none, 0, 4);
	suite_add_tcase(s, t);
	return s;
}

VMIFS_UNIT_MAIN(make_suite)
