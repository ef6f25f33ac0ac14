/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* mentions: functions of a few instructions, as compilers write them. */
#include <unit.h>

#include <os/linux/mentions.h>

#define VA G_GUINT64_CONSTANT(0xffff800010000000)
#define A (VA + 0x10000) /* what the first ADRP of each makes */
#define B (VA + 0x20000)
#define CALLED (VA - 0x1000)

static void
keep(const LinuxMention *mention, gpointer user)
{
	g_array_append_vals(user, mention, 1);
}

static GArray *
mentions_of(const guint32 *words, gsize n)
{
	GArray *found = g_array_new(FALSE, FALSE, sizeof(LinuxMention));
	g_autofree guint32 *code = g_new(guint32, n);

	for (gsize i = 0; i < n; i++)
		code[i] = GUINT32_TO_LE(words[i]);
	linux_mentions_aarch64((const guint8 *) code, n * 4, VA, keep, found);
	return found;
}
#define MENTIONS_OF(...)                                                                           \
	mentions_of((const guint32[]){ __VA_ARGS__ },                                              \
		    sizeof((const guint32[]){ __VA_ARGS__ }) / sizeof(guint32))

static void
assert_mention(const GArray *found, guint i, LinuxMentionKind kind, guint64 address, guint width)
{
	ck_assert_uint_lt(i, found->len);
	const LinuxMention *mention = &g_array_index(found, LinuxMention, i);
	ck_assert_int_eq(mention->kind, kind);
	ck_assert_uint_eq(mention->address, address);
	ck_assert_uint_eq(mention->width, width);
}

static void
assert_argument(const GArray *found, guint i, guint argument, LinuxOperandKind kind, guint64 value)
{
	const LinuxMention *mention = &g_array_index(found, LinuxMention, i);

	ck_assert_int_eq(mention->arguments[argument].kind, kind);
	ck_assert_uint_eq(mention->arguments[argument].value, value);
}

START_TEST(address_is_handed_to_a_function)
{
	/* adrp x0, A; add x0, x0, 0x123; mov x1, x0; bl CALLED; ret */
	g_autoptr(GArray) found =
		MENTIONS_OF(0x90000080, 0x91048c00, 0xaa0003e1, 0x97fffbfd, 0xd65f03c0);

	ck_assert_uint_eq(found->len, 1);
	assert_mention(found, 0, LINUX_MENTION_CALL, CALLED, 0);
	assert_argument(found, 0, 0, LINUX_OPERAND_KNOWN, A + 0x123);
	assert_argument(found, 0, 1, LINUX_OPERAND_KNOWN, A + 0x123);
	assert_argument(found, 0, 2, LINUX_OPERAND_UNKNOWN, 0);
}
END_TEST

START_TEST(loads_stores_and_jumps_are_told)
{
	/* adrp x19, A; ldr w0, [x19, 16]; ldr x1, [x19, 24]; ldr x2, [x19, x3, lsl 3];
	 * strb w0, [x19, 1]; b CALLED */
	g_autoptr(GArray) found =
		MENTIONS_OF(0x90000093, 0xb9401260, 0xf9400e61, 0xf8637a62, 0x39000660, 0x17fffbfb);

	ck_assert_uint_eq(found->len, 5);
	assert_mention(found, 0, LINUX_MENTION_LOAD, A + 16, 4);
	assert_mention(found, 1, LINUX_MENTION_LOAD, A + 24, 8);
	assert_mention(found, 2, LINUX_MENTION_INDEX, A, 8);
	assert_mention(found, 3, LINUX_MENTION_STORE, A + 1, 1);
	assert_mention(found, 4, LINUX_MENTION_CALL, CALLED, 0);
	assert_argument(found, 4, 1, LINUX_OPERAND_CONTENT, A + 24);
}
END_TEST

START_TEST(what_differs_from_path_to_path_is_not_known)
{
	/* adrp x0, A; cbz x5, 1f; adrp x0, B; 1: ldr x1, [x0];
	 * adrp x2, A; cbz x5, 2f; adrp x2, A; 2: ldr x3, [x2]; ret */
	g_autoptr(GArray) found =
		MENTIONS_OF(0x90000080, 0xb4000045, 0x90000100, 0xf9400001, 0x90000082, 0xb4000045,
			    0x90000082, 0xf9400043, 0xd65f03c0);

	ck_assert_uint_eq(found->len, 1);
	assert_mention(found, 0, LINUX_MENTION_LOAD, A, 8);
}
END_TEST

START_TEST(what_a_loop_changes_is_not_known)
{
	/* adrp x0, A; adrp x1, B; 1: ldr x2, [x0]; ldr x3, [x1]; add x0, x0, 8; cbnz x3, 1b; ret */
	g_autoptr(GArray) found = MENTIONS_OF(0x90000080, 0x90000101, 0xf9400002, 0xf9400023,
					      0x91002000, 0xb5ffffa3, 0xd65f03c0);

	ck_assert_uint_eq(found->len, 1);
	assert_mention(found, 0, LINUX_MENTION_LOAD, B, 8);
}
END_TEST

START_TEST(call_leaves_some_registers_alone_and_nothing_follows_a_return)
{
	/* adrp x0, A; adrp x19, B; bl; ldr x1, [x0]; ldr x2, [x19]; ret; adrp x3; ldr x4, [x3] */
	g_autoptr(GArray) found = MENTIONS_OF(0x90000080, 0x90000113, 0x97fffbfe, 0xf9400001,
					      0xf9400262, 0xd65f03c0, 0x90000183, 0xf9400064);

	ck_assert_uint_eq(found->len, 2);
	assert_mention(found, 0, LINUX_MENTION_CALL, CALLED, 0);
	assert_mention(found, 1, LINUX_MENTION_LOAD, B, 8);
}
END_TEST

START_TEST(processors_own_is_told_by_where_all_of_them_begin)
{
	/* adrp x1, A; ldr x0, [x2, w0, sxtw 3]; add x1, x1, x0; ldr w0, [x1, 8];
	 * ldp x1, x2, [sp], 16; ldr x3, [x1]; ret */
	g_autoptr(GArray) found = MENTIONS_OF(0x90000081, 0xf860d840, 0x8b000021, 0xb9400820,
					      0xa8c10be1, 0xf9400023, 0xd65f03c0);

	ck_assert_uint_eq(found->len, 1);
	assert_mention(found, 0, LINUX_MENTION_INDEX, A + 8, 4);
}
END_TEST

START_TEST(registers_that_are_saved_stay_known)
{
	/* adrp x1, A; stp x19, x20, [sp, 16]; ldur x0, [x1, -192]; ldp x1, x2, [sp, 16];
	 * ldr x3, [x1]; ret */
	g_autoptr(GArray) found =
		MENTIONS_OF(0x90000081, 0xa90153f3, 0xf8540020, 0xa9410be1, 0xf9400023, 0xd65f03c0);

	ck_assert_uint_eq(found->len, 1);
	assert_mention(found, 0, LINUX_MENTION_LOAD, A - 192, 8);
}
END_TEST

static Suite *
make_suite(void)
{
	Suite *s = suite_create("mentions");
	TCase *t = tcase_create("aarch64");
	tcase_add_test(t, address_is_handed_to_a_function);
	tcase_add_test(t, loads_stores_and_jumps_are_told);
	tcase_add_test(t, what_differs_from_path_to_path_is_not_known);
	tcase_add_test(t, what_a_loop_changes_is_not_known);
	tcase_add_test(t, call_leaves_some_registers_alone_and_nothing_follows_a_return);
	tcase_add_test(t, processors_own_is_told_by_where_all_of_them_begin);
	tcase_add_test(t, registers_that_are_saved_stay_known);
	suite_add_tcase(s, t);
	return s;
}

VMIFS_UNIT_MAIN(make_suite)
