/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* symbols: order, look-up by name and address, modules, bounds. */
#include <unit.h>

#include <string.h>
#include <symbols.h>

static void
add(VmifsSymbolsBuilder *builder, guint64 address, char type, const char *name)
{
	ck_assert(vmifs_symbols_builder_add(builder, address, type, name, strlen(name)));
}

/* Two definitions of `init`, two symbols at 0x2000, a module below the kernel. */
static VmifsSymbols *
make_small(void)
{
	VmifsSymbolsBuilder *builder = vmifs_symbols_builder_new();

	add(builder, 0x1000, 'T', "_text");
	add(builder, 0x2000, 't', "init");
	add(builder, 0x2000, 'T', "init_alias");
	add(builder, 0x3000, 'D', "jiffies");
	vmifs_symbols_builder_module(builder, "dummy");
	add(builder, 0x800, 't', "init");
	add(builder, 0x900, 'd', "");
	vmifs_symbols_builder_module(builder, "tun");
	add(builder, 0x5000, 't', "tun_init");
	return vmifs_symbols_builder_end(builder);
}

/* Names that multiplication by an odd number cannot tell apart, whatever the key: the uppermost bit
 * of a word stays where it is, and what it changes in the next one is known. */
START_TEST(no_names_fall_together_by_design)
{
	enum { N_BLOCKS = 12, MOST = 32 };
	static const guint64 flip[2] = { 1ull << 63, 1ull << 63 | 1ull << 31 };
	VmifsSymbolsBuilder *builder = vmifs_symbols_builder_new();

	for (guint i = 0; i < 1u << N_BLOCKS; i++) {
		char name[16 * N_BLOCKS];

		memset(name, 'a', sizeof name);
		for (guint block = 0; block < N_BLOCKS; block++) {
			for (guint k = 0; k < 16 && i >> block & 1; k++)
				name[block * 16 + k] ^= (char) (flip[k / 8] >> k % 8 * 8);
		}
		ck_assert(vmifs_symbols_builder_add(builder, i, 't', name, sizeof name));
	}
	g_autoptr(VmifsSymbols) s = vmifs_symbols_builder_end(builder);
	const VmifsNameIndex *index = vmifs_symbols_by_name(s);
	for (gsize i = 0; i <= index->mask; i++) {
		guint n = 0;

		for (guint32 at = index->heads[i]; at != VMIFS_SYMBOLS_NONE; at = index->next[at])
			n++;
		ck_assert_uint_le(n, MOST);
	}
}
END_TEST

START_TEST(empty_table_answers_no)
{
	g_autoptr(VmifsSymbols) s = vmifs_symbols_builder_end(vmifs_symbols_builder_new());
	guint64 address, offset, cursor = 0;
	gsize index;
	VmifsSymbol symbol;

	ck_assert_uint_eq(vmifs_symbols_count(s), 0);
	ck_assert(!vmifs_symbols_lookup(s, "init", &address));
	ck_assert(!vmifs_symbols_each(s, "init", &cursor, &index));
	ck_assert(!vmifs_symbols_nearest(s, G_MAXUINT64, &symbol, &offset));
}
END_TEST

START_TEST(symbols_keep_kernel_order_and_module)
{
	static const struct {
		guint64 address;
		char type;
		const char *name, *module;
	} expected[] = {
		{ 0x1000, 'T', "_text", NULL },      { 0x2000, 't', "init", NULL },
		{ 0x2000, 'T', "init_alias", NULL }, { 0x3000, 'D', "jiffies", NULL },
		{ 0x800, 't', "init", "dummy" },     { 0x900, 'd', "", "dummy" },
		{ 0x5000, 't', "tun_init", "tun" },
	};
	g_autoptr(VmifsSymbols) s = make_small();

	ck_assert_uint_eq(vmifs_symbols_count(s), G_N_ELEMENTS(expected));
	for (gsize i = 0; i < G_N_ELEMENTS(expected); i++) {
		VmifsSymbol symbol;
		vmifs_symbols_get(s, i, &symbol);
		ck_assert_uint_eq(symbol.address, expected[i].address);
		ck_assert_int_eq(symbol.type, expected[i].type);
		ck_assert_str_eq(symbol.name, expected[i].name);
		ck_assert_pstr_eq(symbol.module, expected[i].module);
	}
}
END_TEST

START_TEST(size_grows_with_symbols_and_names)
{
	g_autoptr(VmifsSymbols) none = vmifs_symbols_builder_end(vmifs_symbols_builder_new());
	g_autoptr(VmifsSymbols) small = make_small();

	ck_assert_uint_lt(vmifs_symbols_size(none), 16);
	/* Seven addresses and 44 bytes of names at least. */
	ck_assert_uint_ge(vmifs_symbols_size(small), 7 * 8 + 44);
}
END_TEST

START_TEST(lookup_gives_the_core_definition)
{
	g_autoptr(VmifsSymbols) s = make_small();
	guint64 address = 0;

	ck_assert(vmifs_symbols_lookup(s, "init", &address));
	ck_assert_uint_eq(address, 0x2000);
	ck_assert(vmifs_symbols_lookup(s, "", &address));
	ck_assert_uint_eq(address, 0x900);
	ck_assert(!vmifs_symbols_lookup(s, "ini", &address));
	ck_assert(!vmifs_symbols_lookup(s, "init_", &address));
	ck_assert_uint_eq(address, 0x900);
}
END_TEST

START_TEST(each_gives_every_definition_in_order)
{
	g_autoptr(VmifsSymbols) s = make_small();
	guint64 cursor = 0;
	gsize index = 99;

	ck_assert(vmifs_symbols_each(s, "init", &cursor, &index));
	ck_assert_uint_eq(index, 1);
	ck_assert(vmifs_symbols_each(s, "init", &cursor, &index));
	ck_assert_uint_eq(index, 4);
	ck_assert(!vmifs_symbols_each(s, "init", &cursor, &index));
	ck_assert_uint_eq(index, 4);
}
END_TEST

START_TEST(nearest_is_the_first_at_the_highest_address_below)
{
	static const struct {
		guint64 address, offset;
		const char *name;
	} table[] = {
		{ 0x800, 0, "init" },      { 0x8ff, 0xff, "init" },
		{ 0x1000, 0, "_text" },    { 0x2000, 0, "init" },
		{ 0x2fff, 0xfff, "init" }, { 0x3001, 1, "jiffies" },
		{ 0x5000, 0, "tun_init" }, { G_MAXUINT64, G_MAXUINT64 - 0x5000, "tun_init" },
	};
	g_autoptr(VmifsSymbols) s = make_small();
	VmifsSymbol symbol;
	guint64 offset;

	ck_assert(!vmifs_symbols_nearest(s, 0x7ff, &symbol, &offset));
	for (gsize i = 0; i < G_N_ELEMENTS(table); i++) {
		ck_assert(vmifs_symbols_nearest(s, table[i].address, &symbol, &offset));
		ck_assert_str_eq(symbol.name, table[i].name);
		ck_assert_uint_eq(offset, table[i].offset);
	}
	/* Of the two at 0x2000, the one that the kernel lists first; modules say whose. */
	vmifs_symbols_nearest(s, 0x2000, &symbol, &offset);
	ck_assert_ptr_null(symbol.module);
	vmifs_symbols_nearest(s, 0x800, &symbol, &offset);
	ck_assert_str_eq(symbol.module, "dummy");
}
END_TEST

START_TEST(mark_in_a_function_is_not_near)
{
	static const char *const names[] = { "$x", "function", ".L12", "L0\002" };
	g_autoptr(VmifsSymbolsBuilder) builder = vmifs_symbols_builder_new();

	for (guint64 i = 0; i < G_N_ELEMENTS(names); i++)
		vmifs_symbols_builder_add(builder, 0x1000 + i / 2 * 16, 't', names[i],
					  strlen(names[i]));
	vmifs_symbols_builder_add(builder, 0x1100, 't', "L", 1);
	g_autoptr(VmifsSymbols) s = vmifs_symbols_builder_end(g_steal_pointer(&builder));
	VmifsSymbol symbol;
	guint64 offset, next;

	ck_assert(vmifs_symbols_nearest(s, 0x1020, &symbol, &offset));
	ck_assert_str_eq(symbol.name, "function");
	ck_assert_uint_eq(offset, 0x20);
	ck_assert(vmifs_symbols_next(s, 0x1000, &next));
	ck_assert_uint_eq(next, 0x1100);
	ck_assert_uint_eq(vmifs_symbols_count(s), 5);
}
END_TEST

START_TEST(next_is_the_lowest_address_above)
{
	static const guint64 table[][2] = {
		{ 0, 0x800 },       { 0x800, 0x900 },   { 0x900, 0x1000 },
		{ 0x1000, 0x2000 }, { 0x2000, 0x3000 }, { 0x2fff, 0x3000 },
	};
	g_autoptr(VmifsSymbols) s = make_small();
	guint64 next;

	for (gsize i = 0; i < G_N_ELEMENTS(table); i++) {
		ck_assert(vmifs_symbols_next(s, table[i][0], &next));
		ck_assert_uint_eq(next, table[i][1]);
	}
	ck_assert(!vmifs_symbols_next(s, 0x5000, &next));
	ck_assert(!vmifs_symbols_next(s, G_MAXUINT64, &next));
}
END_TEST

START_TEST(builder_continues_another_table)
{
	g_autoptr(VmifsSymbols) base = make_small();
	VmifsSymbolsBuilder *builder = vmifs_symbols_builder_new();
	g_autoptr(VmifsSymbols) s = NULL;
	VmifsSymbol symbol;

	vmifs_symbols_builder_add_all(builder, base);
	add(builder, 0x6000, 'T', "late_core");
	vmifs_symbols_builder_module(builder, "nbd");
	add(builder, 0x7000, 't', "nbd_init");
	s = vmifs_symbols_builder_end(builder);
	ck_assert_uint_eq(vmifs_symbols_count(s), 9);
	vmifs_symbols_get(s, 4, &symbol);
	ck_assert_str_eq(symbol.module, "dummy");
	vmifs_symbols_get(s, 6, &symbol);
	ck_assert_str_eq(symbol.module, "tun");
	vmifs_symbols_get(s, 7, &symbol);
	ck_assert_ptr_null(symbol.module);
	vmifs_symbols_get(s, 8, &symbol);
	ck_assert_str_eq(symbol.module, "nbd");
}
END_TEST

START_TEST(every_name_of_a_big_table_is_found)
{
	VmifsSymbolsBuilder *builder = vmifs_symbols_builder_new();
	g_autoptr(VmifsSymbols) s = NULL;
	const gsize n = 10000;

	for (gsize i = 0; i < n; i++) {
		char name[32];
		g_snprintf(name, sizeof name, "symbol_%zu%s", i, i % 3 ? "_with_a_tail" : "");
		add(builder, (i * 7919 % n) << 4, 't', name);
	}
	s = vmifs_symbols_builder_end(builder);
	for (gsize i = 0; i < n; i++) {
		VmifsSymbol symbol, near;
		guint64 address, offset;
		vmifs_symbols_get(s, i, &symbol);
		ck_assert(vmifs_symbols_lookup(s, symbol.name, &address));
		ck_assert_uint_eq(address, symbol.address);
		ck_assert(vmifs_symbols_nearest(s, address + 15, &near, &offset));
		ck_assert_str_eq(near.name, symbol.name);
		ck_assert_uint_eq(offset, 15);
	}
}
END_TEST

/* A guest may give every symbol one name; neither building nor finding may become quadratic. */
START_TEST(equal_names_stay_cheap)
{
	VmifsSymbolsBuilder *builder = vmifs_symbols_builder_new();
	g_autoptr(VmifsSymbols) s = NULL;
	guint64 cursor = 0, address;
	gsize index, n = 0;

	for (gsize i = 0; i < 500000; i++)
		vmifs_symbols_builder_add(builder, i, 't', "same", 4);
	s = vmifs_symbols_builder_end(builder);
	ck_assert(vmifs_symbols_lookup(s, "same", &address));
	while (vmifs_symbols_each(s, "same", &cursor, &index) && index == n)
		n++;
	ck_assert_uint_eq(n, 500000);
}
END_TEST

START_TEST(type_is_a_printable_character)
{
	VmifsSymbolsBuilder *builder = vmifs_symbols_builder_new();
	VmifsSymbol symbol;

	add(builder, 1, '\x1b', "x");
	g_autoptr(VmifsSymbols) s = vmifs_symbols_builder_end(builder);
	vmifs_symbols_get(s, 0, &symbol);
	ck_assert_int_eq(symbol.type, '?');
}
END_TEST

START_TEST(names_beyond_the_arena_are_refused)
{
	VmifsSymbolsBuilder *builder = vmifs_symbols_builder_new();
	g_autoptr(VmifsSymbols) s = NULL;
	const gsize arena = 128 << 20;

	/* Refused by their length alone: nothing is read. */
	ck_assert(!vmifs_symbols_builder_add(builder, 1, 't', "x", G_MAXSIZE));
	ck_assert(!vmifs_symbols_builder_add(builder, 1, 't', "x", arena - 1));
	add(builder, 2, 't', "x");
	ck_assert(!vmifs_symbols_builder_add(builder, 1, 't', "x", arena - 4));
	s = vmifs_symbols_builder_end(builder);
	ck_assert_uint_eq(vmifs_symbols_count(s), 1);
}
END_TEST

START_TEST(symbols_beyond_the_bound_are_refused)
{
	VmifsSymbolsBuilder *builder = vmifs_symbols_builder_new();
	g_autoptr(VmifsSymbols) s = NULL;
	gsize n = 0;

	while (n <= 1 << 22 && vmifs_symbols_builder_add(builder, n, 't', "", 0))
		n++;
	s = vmifs_symbols_builder_end(builder);
	ck_assert_uint_eq(n, 1 << 22);
	ck_assert_uint_eq(vmifs_symbols_count(s), n);
}
END_TEST

static gpointer
look_up(gpointer symbols)
{
	guint64 address = 0;
	VmifsSymbol symbol;
	guint64 offset;

	if (!vmifs_symbols_lookup(symbols, "s4999", &address) ||
	    !vmifs_symbols_nearest(symbols, 4999, &symbol, &offset) || offset)
		return NULL;
	return GSIZE_TO_POINTER(address);
}

START_TEST(threads_share_the_indexes)
{
	VmifsSymbolsBuilder *builder = vmifs_symbols_builder_new();
	g_autoptr(VmifsSymbols) s = NULL;
	GThread *threads[8];

	for (gsize i = 0; i < 5000; i++) {
		char name[32];
		g_snprintf(name, sizeof name, "s%zu", i);
		add(builder, i, 't', name);
	}
	s = vmifs_symbols_builder_end(builder);
	for (gsize i = 0; i < G_N_ELEMENTS(threads); i++)
		threads[i] = g_thread_new("look-up", look_up, s);
	for (gsize i = 0; i < G_N_ELEMENTS(threads); i++)
		ck_assert_uint_eq(GPOINTER_TO_SIZE(g_thread_join(threads[i])), 4999);
}
END_TEST

static Suite *
make_suite(void)
{
	Suite *s = suite_create("symbols");
	TCase *t = tcase_create("symbols");
	tcase_add_test(t, no_names_fall_together_by_design);
	tcase_add_test(t, empty_table_answers_no);
	tcase_add_test(t, symbols_keep_kernel_order_and_module);
	tcase_add_test(t, size_grows_with_symbols_and_names);
	tcase_add_test(t, lookup_gives_the_core_definition);
	tcase_add_test(t, each_gives_every_definition_in_order);
	tcase_add_test(t, nearest_is_the_first_at_the_highest_address_below);
	tcase_add_test(t, mark_in_a_function_is_not_near);
	tcase_add_test(t, next_is_the_lowest_address_above);
	tcase_add_test(t, builder_continues_another_table);
	tcase_add_test(t, every_name_of_a_big_table_is_found);
	tcase_add_test(t, equal_names_stay_cheap);
	tcase_add_test(t, type_is_a_printable_character);
	tcase_add_test(t, names_beyond_the_arena_are_refused);
	tcase_add_test(t, symbols_beyond_the_bound_are_refused);
	tcase_add_test(t, threads_share_the_indexes);
	suite_add_tcase(s, t);
	return s;
}

VMIFS_UNIT_MAIN(make_suite)
