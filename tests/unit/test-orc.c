/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* orc: look-ups in made-up tables, each way of finding a caller, and every end of the way. */
#include <unit.h>

#include <os/linux/orc.h>
#include <spi/bytes.h>

#include <string.h>

/* Code, tables and stack, each in its place; nothing else can be read. */
#define CODE G_GUINT64_CONSTANT(0xffffffff81000000)
#define IPS 0x1000
#define ENTRIES 0x2000
#define STACK 0x4000
#define STACK_LEN 0x1000
#define MEMORY 0x5000

enum { UNDEFINED, PREV_SP, DX, DI, BP, SP, R10, R13, BP_INDIRECT, SP_INDIRECT };
enum { TYPE_UNDEFINED, TYPE_END, TYPE_CALL, TYPE_REGS, TYPE_PARTIAL };

typedef struct {
	guint8 bytes[MEMORY];
	LinuxOrcTable table;
	LinuxOrc orc;
	LinuxOrcState s;
	gboolean is_old;
} Fixture;

static gboolean
read_memory(gpointer user, guint64 va, gpointer buf, gsize len)
{
	const Fixture *f = user;

	if (!vmifs_in_bounds(va, len, MEMORY))
		return FALSE;
	memcpy(buf, f->bytes + va, len);
	return TRUE;
}

static gboolean
find_table(gpointer user, guint64 ip, LinuxOrcTable *ret)
{
	const Fixture *f = user;

	*ret = f->table;
	return ip >= CODE;
}

static void
setup(Fixture *f, gboolean is_old)
{
	*f = (Fixture){
		.is_old = is_old,
		.table = { .ips = IPS, .entries = ENTRIES },
		.s = { .ip = CODE + 0x11, .sp = STACK + 0x100, .regs[LINUX_ORC_BP] = STACK + 0x200 },
		.orc = {
			.read = read_memory,
			.find = find_table,
			.format = {
				.size = 6,
				.sp_offset = { 0, 2, 0, 16 },
				.bp_offset = { 2, 2, 0, 16 },
				.sp_reg = { 4, 2, 0, 4 },
				.bp_reg = { 4, 2, 4, 4 },
				.type = { 4, 2, 8, 3 },
				.signal = { 4, 2, 11, 1 },
			},
			.pt_regs = {
				.size = 168,
				.regs = { [LINUX_ORC_R13] = 16, [LINUX_ORC_BP] = 32,
					  [LINUX_ORC_R10] = 56, [LINUX_ORC_DX] = 96,
					  [LINUX_ORC_DI] = 112 },
				.ip = 128,
				.cs = 136,
				.sp = 152,
			},
			.stack = STACK,
			.stack_len = STACK_LEN,
		},
	};
	f->orc.user = f;
	if (is_old) {
		f->orc.format.type.len = 2;
		f->orc.format.signal.size = 0;
		f->orc.format.end = (LinuxOrcBits){ 4, 2, 10, 1 };
	}
}

static void
put(Fixture *f, guint64 at, guint64 value, gsize size)
{
	value = GUINT64_TO_LE(value);
	memcpy(f->bytes + at, &value, size);
}

/* From CODE + from on. type: as the new kernels number them. */
static void
add(Fixture *f, guint64 from, guint sp_reg, gint16 sp_offset, guint bp_reg, gint16 bp_offset,
    guint type, gboolean signal)
{
	guint64 ip_at = IPS + f->table.n * 4, at = ENTRIES + f->table.n * 6;
	guint bits = type | (signal ? 8 : 0);

	if (f->is_old)
		bits = type == TYPE_END ? 4 : type == TYPE_UNDEFINED ? 0 : type - TYPE_CALL;
	put(f, ip_at, CODE + from - ip_at, 4);
	put(f, at, (guint16) sp_offset, 2);
	put(f, at + 2, (guint16) bp_offset, 2);
	put(f, at + 4, sp_reg | bp_reg << 4 | bits << 8, 2);
	f->table.n++;
}

static void
add_call(Fixture *f, guint64 from, gint16 sp_offset)
{
	add(f, from, SP, sp_offset, UNDEFINED, 0, TYPE_CALL, FALSE);
}

/* ---- look-ups ---- */

START_TEST(entry_holds_from_its_address_on)
{
	static const struct {
		guint64 ip;
		gint16 want;
	} rows[] = {
		{ 0x05, 8 },  { 0x10, 8 },  { 0x11, 16 },   { 0x20, 16 },
		{ 0x21, 32 }, { 0x31, 40 }, { 0xffff, 40 },
	};
	Fixture f;
	setup(&f, FALSE);
	add_call(&f, 0x00, 8);
	add_call(&f, 0x10, 16);
	add_call(&f, 0x20, 24); /* weak: the one behind it has the same address */
	add_call(&f, 0x20, 32);
	add_call(&f, 0x30, 40);
	f.s.ip = CODE + rows[_i].ip;
	ck_assert(linux_orc_next(&f.orc, &f.s));
	ck_assert_uint_eq(f.s.sp, STACK + 0x100 + rows[_i].want);
}
END_TEST

START_TEST(address_before_the_first_takes_the_first)
{
	Fixture f;
	setup(&f, FALSE);
	add_call(&f, 0x1000, 24);
	ck_assert(linux_orc_next(&f.orc, &f.s));
	ck_assert_uint_eq(f.s.sp, STACK + 0x118);
}
END_TEST

START_TEST(address_of_an_interrupted_instruction_is_itself)
{
	Fixture f;
	setup(&f, FALSE);
	add_call(&f, 0x00, 8);
	add_call(&f, 0x11, 16);
	f.s.exact = TRUE;
	ck_assert(linux_orc_next(&f.orc, &f.s));
	ck_assert_uint_eq(f.s.sp, STACK + 0x110);
	ck_assert(!f.s.exact);
}
END_TEST

START_TEST(table_of_a_giant_count_is_searched_in_bounds)
{
	Fixture f;
	setup(&f, FALSE);
	add_call(&f, 0x00, 8);
	f.table.n = _i ? G_MAXUINT64 : 1000000;
	ck_assert(!linux_orc_next(&f.orc, &f.s));
	ck_assert_uint_ne(f.s.unread, 0);
}
END_TEST

START_TEST(numbers_of_registers_are_learnt_from_a_function)
{
	static const struct {
		guint sp_reg;
		gint16 offset;
		gboolean known;
		LinuxOrcNumbers numbers;
	} rows[] = {
		{ 5, 8, TRUE, LINUX_ORC_FIRST_NUMBERS },
		{ 3, 8, TRUE, LINUX_ORC_SECOND_NUMBERS },
		{ 4, 8, FALSE, 0 },
		{ 5, 16, FALSE, 0 },
	};
	Fixture f;
	setup(&f, FALSE);
	add_call(&f, 0, 24);
	add(&f, 0x10, rows[_i].sp_reg, rows[_i].offset, UNDEFINED, 0, TYPE_CALL, FALSE);
	ck_assert(linux_orc_learn(&f.orc, CODE + 0x10) == rows[_i].known);
	if (rows[_i].known)
		ck_assert_uint_eq(f.orc.format.numbers, rows[_i].numbers);
}
END_TEST

START_TEST(second_numbers_mean_other_registers)
{
	Fixture f;
	setup(&f, FALSE);
	f.orc.format.numbers = LINUX_ORC_SECOND_NUMBERS;
	add(&f, 0, 3, 16, 8, -16, TYPE_CALL, FALSE);    /* SP, PREV_SP */
	add(&f, 0x100, 10, -8, 4, 0, TYPE_CALL, FALSE); /* BP_INDIRECT, BP */
	put(&f, STACK + 0x100, STACK + 0x200, 8);
	put(&f, STACK + 0x108, CODE + 0x110, 8);
	put(&f, STACK + 0x1f8, STACK + 0x300, 8);
	put(&f, STACK + 0x200, 0x4444, 8);
	put(&f, STACK + 0x2f8, CODE + 0x22, 8);
	f.s.regs[LINUX_ORC_BP] = 0;
	ck_assert(linux_orc_next(&f.orc, &f.s));
	ck_assert_uint_eq(f.s.regs[LINUX_ORC_BP], STACK + 0x200);
	ck_assert(linux_orc_next(&f.orc, &f.s));
	ck_assert_uint_eq(f.s.ip, CODE + 0x22);
	ck_assert_uint_eq(f.s.sp, STACK + 0x300);
	ck_assert_uint_eq(f.s.regs[LINUX_ORC_BP], 0x4444);
}
END_TEST

/* ---- frames ---- */

START_TEST(each_register_leads_to_its_frame)
{
	static const struct {
		guint sp_reg;
		gint16 offset;
		guint64 want;
	} rows[] = {
		{ SP, 16, STACK + 0x110 },          { BP, 16, STACK + 0x210 },
		{ BP, -8, STACK + 0x1f8 },          { SP_INDIRECT, 8, STACK + 0x308 },
		{ BP_INDIRECT, -8, STACK + 0x400 }, { R10, 0, STACK + 0x510 },
		{ R13, 0, STACK + 0x513 },          { DI, 0, STACK + 0x501 },
		{ DX, 0, STACK + 0x502 },
	};
	Fixture f;
	setup(&f, _i / (int) G_N_ELEMENTS(rows));
	_i %= (int) G_N_ELEMENTS(rows);
	add(&f, 0, rows[_i].sp_reg, rows[_i].offset, UNDEFINED, 0, TYPE_CALL, FALSE);
	put(&f, STACK + 0x100, STACK + 0x300, 8);
	put(&f, STACK + 0x1f8, STACK + 0x400, 8);
	f.s.has_regs = TRUE;
	f.s.regs[LINUX_ORC_R10] = STACK + 0x510;
	f.s.regs[LINUX_ORC_R13] = STACK + 0x513;
	f.s.regs[LINUX_ORC_DI] = STACK + 0x501;
	f.s.regs[LINUX_ORC_DX] = STACK + 0x502;
	put(&f, rows[_i].want - 8, CODE + 0x77, 8);
	ck_assert(linux_orc_next(&f.orc, &f.s));
	ck_assert_uint_eq(f.s.sp, rows[_i].want);
	ck_assert_uint_eq(f.s.ip, CODE + 0x77);
	ck_assert(!f.s.has_regs);
}
END_TEST

START_TEST(frame_pointer_is_found_where_the_entry_says)
{
	static const struct {
		guint bp_reg;
		gint16 offset;
		guint64 want;
	} rows[] = {
		{ UNDEFINED, 0, STACK + 0x200 },
		{ PREV_SP, -16, 0x1111 },
		{ BP, 8, 0x2222 },
	};
	Fixture f;
	setup(&f, FALSE);
	add(&f, 0, SP, 32, rows[_i].bp_reg, rows[_i].offset, TYPE_CALL, FALSE);
	put(&f, STACK + 0x110, 0x1111, 8);
	put(&f, STACK + 0x208, 0x2222, 8);
	ck_assert(linux_orc_next(&f.orc, &f.s));
	ck_assert_uint_eq(f.s.regs[LINUX_ORC_BP], rows[_i].want);
}
END_TEST

static void
put_saved(Fixture *f, guint64 at, guint64 ip, guint64 sp, guint64 cs)
{
	put(f, at + 16, 0x1313, 8);
	put(f, at + 32, STACK + 0x666, 8);
	put(f, at + 128, ip, 8);
	put(f, at + 136, cs, 8);
	put(f, at + 152, sp, 8);
}

START_TEST(saved_registers_are_taken_up)
{
	Fixture f;
	setup(&f, _i);
	add(&f, 0, SP, 0, UNDEFINED, 0, TYPE_REGS, TRUE);
	put_saved(&f, STACK + 0x100, CODE + 0x55, STACK + 0x300, 0x10);
	ck_assert(linux_orc_next(&f.orc, &f.s));
	ck_assert_uint_eq(f.s.ip, CODE + 0x55);
	ck_assert_uint_eq(f.s.sp, STACK + 0x300);
	ck_assert_uint_eq(f.s.regs[LINUX_ORC_BP], STACK + 0x666);
	ck_assert_uint_eq(f.s.regs[LINUX_ORC_R13], 0x1313);
	ck_assert(f.s.has_regs && f.s.exact && !f.s.is_user);
}
END_TEST

START_TEST(partly_saved_registers_tell_where_and_no_more)
{
	Fixture f;
	setup(&f, _i);
	add(&f, 0, SP, 0, UNDEFINED, 0, TYPE_PARTIAL, TRUE);
	put_saved(&f, STACK + 0x100 - 128, CODE + 0x55, STACK + 0x300, 0x10);
	/* The entry's frame is that of the whole set, of which only the end is there. */
	put_saved(&f, STACK + 0x100, CODE + 0x56, STACK + 0x308, 0x10);
	ck_assert(linux_orc_next(&f.orc, &f.s));
	ck_assert_uint_eq(f.s.ip, CODE + 0x55);
	ck_assert_uint_eq(f.s.sp, STACK + 0x300);
	ck_assert_uint_eq(f.s.regs[LINUX_ORC_BP], STACK + 0x200);
	ck_assert(f.s.exact && !f.s.has_regs);
}
END_TEST

START_TEST(code_without_a_table_keeps_a_frame_pointer)
{
	Fixture f;
	setup(&f, FALSE);
	f.s.ip = 0x7000;
	put(&f, STACK + 0x200, 0x3333, 8);
	put(&f, STACK + 0x208, CODE + 0x99, 8);
	ck_assert(linux_orc_next(&f.orc, &f.s));
	ck_assert_uint_eq(f.s.ip, CODE + 0x99);
	ck_assert_uint_eq(f.s.sp, STACK + 0x210);
	ck_assert_uint_eq(f.s.regs[LINUX_ORC_BP], 0x3333);
}
END_TEST

START_TEST(call_of_null_has_pushed_where_it_came_from)
{
	Fixture f;
	setup(&f, FALSE);
	f.s.ip = 0;
	f.s.exact = TRUE;
	put(&f, STACK + 0x100, CODE + 0x99, 8);
	ck_assert(linux_orc_next(&f.orc, &f.s));
	ck_assert_uint_eq(f.s.ip, CODE + 0x99);
	ck_assert_uint_eq(f.s.sp, STACK + 0x108);
}
END_TEST

/* ---- ends ---- */

START_TEST(program_below_the_kernel_is_the_end)
{
	Fixture f;
	setup(&f, _i);
	add(&f, 0, SP, 0, UNDEFINED, 0, TYPE_REGS, TRUE);
	put_saved(&f, STACK + 0x100, 0x401000, 0x7ffe0000, 0x33);
	ck_assert(linux_orc_next(&f.orc, &f.s));
	ck_assert(f.s.is_user);
	ck_assert_uint_eq(f.s.ip, 0x401000);
	ck_assert(!linux_orc_next(&f.orc, &f.s));
	ck_assert_uint_eq(f.s.unread, 0);
}
END_TEST

START_TEST(entry_can_say_that_this_is_the_end)
{
	Fixture f;
	setup(&f, _i / 2);
	add(&f, 0, UNDEFINED, 0, UNDEFINED, 0, _i % 2 ? TYPE_END : TYPE_UNDEFINED, FALSE);
	ck_assert(!linux_orc_next(&f.orc, &f.s));
	ck_assert_uint_eq(f.s.unread, 0);
}
END_TEST

START_TEST(way_that_leads_off_the_stack_is_the_end)
{
	static const struct {
		guint sp_reg;
		gint16 sp_offset;
		guint bp_reg;
		gint16 bp_offset;
		guint type;
	} rows[] = {
		{ SP, 0x7000, UNDEFINED, 0, TYPE_CALL },
		{ SP, -0x200, UNDEFINED, 0, TYPE_CALL },
		{ SP, 0xeb0, UNDEFINED, 0, TYPE_REGS },
		{ SP, 0xf00, UNDEFINED, 0, TYPE_PARTIAL },
		{ SP, 16, PREV_SP, 0x7000, TYPE_CALL },
		{ SP, 16, BP, -0x300, TYPE_CALL },
		{ BP_INDIRECT, 0x7000, UNDEFINED, 0, TYPE_CALL },
	};
	Fixture f;
	setup(&f, FALSE);
	add(&f, 0, rows[_i].sp_reg, rows[_i].sp_offset, rows[_i].bp_reg, rows[_i].bp_offset,
	    rows[_i].type, FALSE);
	ck_assert(!linux_orc_next(&f.orc, &f.s));
	ck_assert_uint_eq(f.s.unread, 0);
}
END_TEST

START_TEST(stack_that_does_not_rise_is_the_end)
{
	Fixture f;
	setup(&f, FALSE);
	add_call(&f, 0, _i ? 0 : -8);
	ck_assert(!linux_orc_next(&f.orc, &f.s));
	f.s.sp = STACK + 0x100;
	f.s.ip = CODE + 0x11;
	f.orc.may_switch = TRUE;
	ck_assert(linux_orc_next(&f.orc, &f.s));
}
END_TEST

START_TEST(registers_that_are_not_known_are_the_end)
{
	static const guint regs[] = { R10, R13, DI, DX, PREV_SP, 15 };
	Fixture f;
	setup(&f, FALSE);
	add(&f, 0, regs[_i], 0, UNDEFINED, 0, TYPE_CALL, FALSE);
	ck_assert(!linux_orc_next(&f.orc, &f.s));
}
END_TEST

START_TEST(entry_of_an_unknown_kind_is_the_end)
{
	Fixture f;
	setup(&f, FALSE);
	add(&f, 0, SP, 16, _i ? UNDEFINED : 9, 0, _i ? 7 : TYPE_CALL, FALSE);
	ck_assert(!linux_orc_next(&f.orc, &f.s));
}
END_TEST

START_TEST(stack_that_is_not_in_memory_is_told_from_its_end)
{
	Fixture f;
	setup(&f, FALSE);
	add_call(&f, 0, 16);
	f.orc.stack_len = 0x100000;
	f.s.sp = MEMORY;
	ck_assert(!linux_orc_next(&f.orc, &f.s));
	ck_assert_uint_eq(f.s.unread, MEMORY + 8);
}
END_TEST

static Suite *
make_suite(void)
{
	Suite *s = suite_create("orc");
	TCase *t = tcase_create("look-ups");

	tcase_add_loop_test(t, entry_holds_from_its_address_on, 0, 7);
	tcase_add_test(t, address_before_the_first_takes_the_first);
	tcase_add_test(t, address_of_an_interrupted_instruction_is_itself);
	tcase_add_loop_test(t, numbers_of_registers_are_learnt_from_a_function, 0, 4);
	tcase_add_test(t, second_numbers_mean_other_registers);
	tcase_add_loop_test(t, table_of_a_giant_count_is_searched_in_bounds, 0, 2);
	suite_add_tcase(s, t);
	t = tcase_create("frames");
	tcase_add_loop_test(t, each_register_leads_to_its_frame, 0, 18);
	tcase_add_loop_test(t, frame_pointer_is_found_where_the_entry_says, 0, 3);
	tcase_add_loop_test(t, saved_registers_are_taken_up, 0, 2);
	tcase_add_loop_test(t, partly_saved_registers_tell_where_and_no_more, 0, 2);
	tcase_add_test(t, code_without_a_table_keeps_a_frame_pointer);
	tcase_add_test(t, call_of_null_has_pushed_where_it_came_from);
	suite_add_tcase(s, t);
	t = tcase_create("ends");
	tcase_add_loop_test(t, program_below_the_kernel_is_the_end, 0, 2);
	tcase_add_loop_test(t, entry_can_say_that_this_is_the_end, 0, 4);
	tcase_add_loop_test(t, way_that_leads_off_the_stack_is_the_end, 0, 7);
	tcase_add_loop_test(t, stack_that_does_not_rise_is_the_end, 0, 2);
	tcase_add_loop_test(t, registers_that_are_not_known_are_the_end, 0, 6);
	tcase_add_loop_test(t, entry_of_an_unknown_kind_is_the_end, 0, 2);
	tcase_add_test(t, stack_that_is_not_in_memory_is_told_from_its_end);
	suite_add_tcase(s, t);
	return s;
}

VMIFS_UNIT_MAIN(make_suite)
