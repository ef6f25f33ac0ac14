/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* exports: tables among noise, as two kinds of them lie behind one another. */
#include <unit.h>

#include <os/linux/exports.h>
#include <spi/bytes.h>
#include <string.h>

#define PA G_GUINT64_CONSTANT(0x40200000)
#define DELTA G_GUINT64_CONSTANT(0xffff800007e00000)
#define LEN 0x10000
#define TABLE 0x1004
#define NAMES 0x8000
#define N_FUNCTIONS 64
#define N_ENTRIES (N_FUNCTIONS + 2)

typedef struct {
	guint8 bytes[LEN];
	gsize len;
	VmifsSymbols *symbols; /* of functions */
	gsize names_end;
} Memory;

static gboolean
read_memory(gpointer user, guint64 pa, gpointer buf, gsize len)
{
	const Memory *memory = user;

	if (pa < PA || !vmifs_in_bounds(pa - PA, len, memory->len))
		return FALSE;
	memcpy(buf, memory->bytes + (pa - PA), len);
	return TRUE;
}

static void
put_relative(Memory *memory, gsize at, gsize to)
{
	guint32 distance = GUINT32_TO_LE((guint32) (to - at));

	memcpy(memory->bytes + at, &distance, 4);
}

static gsize
put_name(Memory *memory, const char *name)
{
	gsize at = memory->names_end;

	strcpy((char *) memory->bytes + at, name);
	memory->names_end += strlen(name) + 1;
	return at;
}

static void
put_entry(Memory *memory, guint index, gsize value, gsize name)
{
	gsize at = TABLE + index * 12;

	put_relative(memory, at, value);
	put_relative(memory, at + 4, name);
	put_relative(memory, at + 8, NAMES);
}

static gsize
function_at(guint i)
{
	return 0x40 * i;
}

static char *
name_of(guint i)
{
	return g_strdup_printf("%c_function%u", i % 2 ? 'z' : 'a', i);
}

/* Those of the functions. (full) */
static VmifsSymbols *
symbols_of(guint64 delta)
{
	VmifsSymbolsBuilder *builder = vmifs_symbols_builder_new();

	for (guint i = 0; i < N_FUNCTIONS; i++) {
		g_autofree char *name = name_of(i);
		vmifs_symbols_builder_add(builder, PA + delta + function_at(i), 'T', name,
					  strlen(name));
	}
	vmifs_symbols_builder_add(builder, PA + delta + 0x2000, 'T', "_etext", 6);
	return vmifs_symbols_builder_end(builder);
}

/* Functions, half before and half behind init_task, and another variable. */
static Memory *
make_memory(void)
{
	Memory *memory = g_new(Memory, 1);

	memset(memory->bytes, 0xa5, LEN);
	memory->len = LEN;
	memory->bytes[NAMES] = 0;
	memory->names_end = NAMES + 1;
	for (guint i = 0; i < N_FUNCTIONS; i++) {
		g_autofree char *name = name_of(i);
		guint index = i < N_FUNCTIONS / 2 ? i : i + 1;
		put_entry(memory, index, function_at(i), put_name(memory, name));
	}
	/* It shares the end of a longer name. */
	put_entry(memory, N_FUNCTIONS / 2, 0xf000, put_name(memory, "do_init_task") + 3);
	put_entry(memory, N_FUNCTIONS + 1, 0xf800, put_name(memory, "jiffies_64"));
	memory->symbols = symbols_of(DELTA);
	return memory;
}

static void
free_memory(Memory *memory)
{
	vmifs_symbols_unref(memory->symbols);
	g_free(memory);
}
G_DEFINE_AUTOPTR_CLEANUP_FUNC(Memory, free_memory)

static gboolean
find(Memory *memory, LinuxExports *ret)
{
	const LinuxPhys phys = { read_memory, memory };

	return linux_exports_find(&phys, PA, LEN, memory->symbols, ret);
}

static guint64
address_of(const LinuxExports *exports, const char *name)
{
	guint64 address = 0;

	ck_assert(vmifs_symbols_lookup(exports->symbols, name, &address));
	return address;
}

#define NARROW_DELTA 0x80000000u

/* The same table as a 32-bit kernel has it. */
static void
make_absolute(Memory *memory)
{
	for (gsize at = TABLE; at < TABLE + N_ENTRIES * 12; at += 4) {
		guint32 number = vmifs_load_u32(memory->bytes + at);
		number = GUINT32_TO_LE((guint32) (PA + at + number + NARROW_DELTA));
		memcpy(memory->bytes + at, &number, 4);
	}
	vmifs_symbols_unref(memory->symbols);
	memory->symbols = symbols_of(NARROW_DELTA);
}

START_TEST(variables_are_where_the_table_says)
{
	g_autoptr(Memory) memory = make_memory();
	guint64 delta = _i ? NARROW_DELTA : DELTA;
	LinuxExports exports;

	if (_i)
		make_absolute(memory);
	ck_assert(find(memory, &exports));
	ck_assert_uint_eq(exports.pa, PA + TABLE);
	ck_assert_uint_eq(exports.n, N_ENTRIES);
	ck_assert_uint_eq(exports.delta, delta);
	ck_assert_uint_eq(vmifs_symbols_count(exports.symbols), 2);
	ck_assert_uint_eq(address_of(&exports, "init_task"), PA + delta + 0xf000);
	ck_assert_uint_eq(address_of(&exports, "jiffies_64"), PA + delta + 0xf800);
	vmifs_symbols_unref(exports.symbols);
}
END_TEST

START_TEST(table_ends_where_what_follows_has_no_name)
{
	g_autoptr(Memory) memory = make_memory();
	LinuxExports exports;

	memory->bytes[TABLE + 12 * (N_ENTRIES - 1) + 4 + 2] = 0x70;
	ck_assert(find(memory, &exports));
	ck_assert_uint_eq(exports.n, N_ENTRIES - 1);
	vmifs_symbols_unref(exports.symbols);
}
END_TEST

/* Of two functions of one name, kallsyms lists another first. */
START_TEST(one_function_elsewhere_is_no_contradiction)
{
	g_autoptr(Memory) memory = make_memory();
	LinuxExports exports;

	put_relative(memory, TABLE, function_at(7));
	ck_assert(find(memory, &exports));
	ck_assert_uint_eq(exports.delta, DELTA);
	vmifs_symbols_unref(exports.symbols);
}
END_TEST

START_TEST(table_that_contradicts_the_symbols_is_none)
{
	g_autoptr(Memory) memory = make_memory();
	LinuxExports exports = { 0 };

	for (guint i = 0; i < 4; i++)
		put_relative(memory, TABLE + 12 * i, 0x9000 + i);
	ck_assert(!find(memory, &exports));
	ck_assert_ptr_null(exports.symbols);
}
END_TEST

START_TEST(few_functions_prove_nothing)
{
	g_autoptr(Memory) memory = make_memory();
	LinuxExports exports;

	memset(memory->bytes + TABLE + 12 * 10, 0x70, 12);
	memset(memory->bytes + TABLE + 12 * (N_ENTRIES - 10), 0x70, 12);
	ck_assert(find(memory, &exports));
	vmifs_symbols_unref(exports.symbols);
	memset(memory->bytes + TABLE + 12 * (N_FUNCTIONS / 2 - 8), 0x70, 12);
	ck_assert(!find(memory, &exports));
}
END_TEST

START_TEST(names_behind_a_hole_are_not_read)
{
	g_autoptr(Memory) memory = make_memory();
	LinuxExports exports;

	memory->len = LEN - 0x1000;
	ck_assert(!find(memory, &exports));
}
END_TEST

START_TEST(addresses_that_contradict_the_symbols_are_none)
{
	g_autoptr(Memory) memory = make_memory();
	LinuxExports exports;

	make_absolute(memory);
	for (guint i = 0; i < 4; i++)
		memory->bytes[TABLE + 12 * i]++;
	ck_assert(!find(memory, &exports));
}
END_TEST

static Suite *
make_suite(void)
{
	Suite *s = suite_create("exports");
	TCase *t = tcase_create("exports");
	tcase_add_loop_test(t, variables_are_where_the_table_says, 0, 2);
	tcase_add_test(t, table_ends_where_what_follows_has_no_name);
	tcase_add_test(t, one_function_elsewhere_is_no_contradiction);
	tcase_add_test(t, table_that_contradicts_the_symbols_is_none);
	tcase_add_test(t, few_functions_prove_nothing);
	tcase_add_test(t, names_behind_a_hole_are_not_read);
	tcase_add_test(t, addresses_that_contradict_the_symbols_are_none);
	suite_add_tcase(s, t);
	return s;
}

VMIFS_UNIT_MAIN(make_suite)
