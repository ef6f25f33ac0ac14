/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* mentions: functions of a few instructions, as compilers write them. */
#include <unit.h>

#include <os/linux/mentions.h>
#include <spi/insn.h>

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
	assert_argument(found, 0, 2, LINUX_OPERAND_HANDED, 0);
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

START_TEST(base_that_moves_is_followed)
{
	/* adrp x0, A; ldr x1, [x0, 160]!; ldr x2, [x0], 8; str x3, [x0, -16]!; ldr w4, [x0]; ret */
	g_autoptr(GArray) found =
		MENTIONS_OF(0x90000080, 0xf84a0c01, 0xf8408402, 0xf81f0c03, 0xb9400004, 0xd65f03c0);

	ck_assert_uint_eq(found->len, 4);
	assert_mention(found, 0, LINUX_MENTION_LOAD, A + 160, 8);
	assert_mention(found, 1, LINUX_MENTION_LOAD, A + 160, 8);
	assert_mention(found, 2, LINUX_MENTION_STORE, A + 152, 8);
	assert_mention(found, 3, LINUX_MENTION_LOAD, A + 152, 4);
}
END_TEST

/* ---- members of what is handed ---- */

/* via: 0 = of the argument itself. */
static void
assert_member(const GArray *found, guint i, LinuxMentionKind kind, guint argument, guint64 via,
	      guint64 at, guint width)
{
	ck_assert_uint_lt(i, found->len);
	const LinuxMention *mention = &g_array_index(found, LinuxMention, i);
	ck_assert_int_eq(mention->kind, kind);
	ck_assert_int_eq(mention->place.kind, via ? LINUX_OPERAND_MEMBER : LINUX_OPERAND_HANDED);
	ck_assert_uint_eq(mention->place.argument, argument);
	ck_assert_uint_eq(mention->place.via, via);
	ck_assert_uint_eq(mention->place.value, at);
	ck_assert_uint_eq(mention->width, width);
}

START_TEST(members_are_told)
{
	/* ldr x1, [x0, 24]; str w2, [x1, 8]; ldp x3, x4, [x0, 32]; casa w5, w6, [x0];
	 * ldrb w7, [x0, 1]; add x8, x0, 16; mov x0, x8; bl CALLED; ret */
	g_autoptr(GArray) found =
		MENTIONS_OF(0xf9400c01, 0xb9000822, 0xa9421003, 0x88e57c06, 0x39400407, 0x91004008,
			    0xaa0803e0, 0x97fffbf9, 0xd65f03c0);

	ck_assert_uint_eq(found->len, 6);
	assert_member(found, 0, LINUX_MENTION_READ, 0, 0, 24, 8);
	assert_member(found, 1, LINUX_MENTION_WRITE, 0, 24, 8, 4);
	assert_member(found, 2, LINUX_MENTION_READ, 0, 0, 32, 8);
	assert_member(found, 3, LINUX_MENTION_READ, 0, 0, 40, 8);
	assert_member(found, 4, LINUX_MENTION_READ, 0, 0, 1, 1);
	assert_mention(found, 5, LINUX_MENTION_CALL, CALLED, 0);
	assert_argument(found, 5, 0, LINUX_OPERAND_HANDED, 16);
}
END_TEST

/* ---- x86-64: members ---- */

static GArray *
members_of(const guint8 *code, gsize len)
{
	GArray *found = g_array_new(FALSE, FALSE, sizeof(LinuxMention));

	linux_mentions_x86_64(code, len, VA, keep, found);
	return found;
}
#define MEMBERS_OF(...)                                                                            \
	members_of((const guint8[]){ __VA_ARGS__ }, sizeof((const guint8[]){ __VA_ARGS__ }))

START_TEST(members_are_told_and_members_of_what_they_point_to)
{
	/* mov 0x10(%rdi),%rdx; mov 0x2c(%rdx),%eax; shl $20,%eax; or 0x30(%rdx),%eax;
	 * add 0x20(%rdi),%eax; ret; int3 */
	g_autoptr(GArray) found = MEMBERS_OF(0x48, 0x8b, 0x57, 0x10, 0x8b, 0x42, 0x2c, 0xc1, 0xe0,
					     0x14, 0x0b, 0x42, 0x30, 0x03, 0x47, 0x20, 0xc3, 0xcc);

	ck_assert_uint_eq(found->len, 4);
	assert_member(found, 0, LINUX_MENTION_READ, 0, 0, 0x10, 8);
	assert_member(found, 1, LINUX_MENTION_READ, 0, 0x10, 0x2c, 4);
	assert_member(found, 2, LINUX_MENTION_READ, 0, 0x10, 0x30, 4);
	assert_member(found, 3, LINUX_MENTION_READ, 0, 0, 0x20, 4);
}
END_TEST

START_TEST(writes_and_what_calls_leave_are_told)
{
	/* push %rbx; mov %rdi,%rbx; mov 0xb18(%rdi),%rdi; call CALLED; mov 0xb10(%rbx),%rax;
	 * movq $0,0x190(%rax); mov (%rsi),%rax; pop %rbx; jmp CALLED */
	g_autoptr(GArray) found = MEMBERS_OF(
		0x53, 0x48, 0x89, 0xfb, 0x48, 0x8b, 0xbf, 0x18, 0x0b, 0, 0, 0xe8, 0xf0, 0xef, 0xff,
		0xff, 0x48, 0x8b, 0x83, 0x10, 0x0b, 0, 0, 0x48, 0xc7, 0x80, 0x90, 0x01, 0, 0, 0, 0,
		0, 0, 0x48, 0x8b, 0x06, 0x5b, 0xe9, 0xd5, 0xef, 0xff, 0xff);

	ck_assert_uint_eq(found->len, 5);
	assert_member(found, 0, LINUX_MENTION_READ, 0, 0, 0xb18, 8);
	assert_mention(found, 1, LINUX_MENTION_CALL, CALLED, 0);
	assert_argument(found, 1, 0, LINUX_OPERAND_MEMBER, 0);
	assert_member(found, 2, LINUX_MENTION_READ, 0, 0, 0xb10, 8);
	assert_member(found, 3, LINUX_MENTION_WRITE, 0, 0xb10, 0x190, 8);
	assert_mention(found, 4, LINUX_MENTION_CALL, CALLED, 0);
}
END_TEST

START_TEST(paths_indexes_and_segments_leave_nothing_known)
{
	/* test %esi,%esi; je 1f; add $8,%rdi; 1: mov (%rdi),%rax; mov 4(%rdi,%rsi,8),%eax;
	 * mov %gs:0x10(%rdi),%eax; cmp %rax,0x20(%rsi); ret */
	g_autoptr(GArray) found =
		MEMBERS_OF(0x85, 0xf6, 0x74, 0x04, 0x48, 0x83, 0xc7, 0x08, 0x48, 0x8b, 0x07, 0x8b,
			   0x44, 0xf7, 0x04, 0x65, 0x8b, 0x47, 0x10, 0x48, 0x39, 0x46, 0x20, 0xc3);

	ck_assert_uint_eq(found->len, 1);
	assert_member(found, 0, LINUX_MENTION_READ, 1, 0, 0x20, 8);
}
END_TEST

START_TEST(numbers_and_processors_own_are_told)
{
	/* mov $0x26ec0,%rdx; cmpq $0,0x100(%rip); movslq %edi,%rax; add -0x1000(,%rax,8),%rdx;
	 * mov 0x90(%rdx),%rcx; lea (%rdx,%rax),%rsi; mov $CALLED,%rdi; jmp CALLED */
	g_autoptr(GArray) found =
		MEMBERS_OF(0x48, 0xc7, 0xc2, 0xc0, 0x6e, 0x02, 0, 0x48, 0x83, 0x3d, 0, 0x01, 0, 0,
			   0, 0x48, 0x63, 0xc7, 0x48, 0x03, 0x14, 0xc5, 0, 0xf0, 0xff, 0xff, 0x48,
			   0x8b, 0x8a, 0x90, 0, 0, 0, 0x48, 0x8d, 0x34, 0x02, 0x48, 0xbf, 0, 0xf0,
			   0xff, 0x0f, 0, 0x80, 0xff, 0xff, 0xe9, 0xcc, 0xef, 0xff, 0xff);

	ck_assert_uint_eq(found->len, 4);
	assert_mention(found, 0, LINUX_MENTION_LOAD, VA + 15 + 0x100, 8);
	assert_mention(found, 1, LINUX_MENTION_INDEX, G_GUINT64_CONSTANT(0xfffffffffffff000), 8);
	assert_mention(found, 2, LINUX_MENTION_INDEX, 0x26ec0 + 0x90, 8);
	assert_mention(found, 3, LINUX_MENTION_CALL, CALLED, 0);
	assert_argument(found, 3, 0, LINUX_OPERAND_KNOWN, CALLED);
	assert_argument(found, 3, 1, LINUX_OPERAND_SUM, 0x26ec0);
}
END_TEST

START_TEST(what_a_loop_changes_is_no_member)
{
	/* lea 0x1d8(%rdi),%rbx; 1: mov 8(%rbx),%rax; mov 0x40(%rbx),%rbx; test %rax,%rax; jne 1b;
	 * ret */
	g_autoptr(GArray) found =
		MEMBERS_OF(0x48, 0x8d, 0x9f, 0xd8, 0x01, 0, 0, 0x48, 0x8b, 0x43, 0x08, 0x48, 0x8b,
			   0x5b, 0x40, 0x48, 0x85, 0xc0, 0x75, 0xf3, 0xc3);

	ck_assert_uint_eq(found->len, 0);
}
END_TEST

START_TEST(nothing_is_told_of_what_is_not_wholly_known)
{
	/* mov 0x10(%rdi),%rdx; ret; an opcode that 64 bits do not have */
	g_autoptr(GArray) found = MEMBERS_OF(0x48, 0x8b, 0x57, 0x10, 0xc3, 0x06);

	ck_assert_uint_eq(found->len, 0);
}
END_TEST

static gboolean
are_instructions_known(void)
{
	const guint8 ret = 0xc3;
	g_autoptr(GArray) insns = vmifs_insns("x86_64", &ret, 1, 0, 1);

	return insns != NULL;
}

static Suite *
make_suite(void)
{
	Suite *s = suite_create("mentions");
	TCase *t = tcase_create("aarch64");
	tcase_add_test(t, address_is_handed_to_a_function);
	tcase_add_test(t, base_that_moves_is_followed);
	tcase_add_test(t, members_are_told);
	tcase_add_test(t, loads_stores_and_jumps_are_told);
	tcase_add_test(t, what_differs_from_path_to_path_is_not_known);
	tcase_add_test(t, what_a_loop_changes_is_not_known);
	tcase_add_test(t, call_leaves_some_registers_alone_and_nothing_follows_a_return);
	tcase_add_test(t, processors_own_is_told_by_where_all_of_them_begin);
	tcase_add_test(t, registers_that_are_saved_stay_known);
	suite_add_tcase(s, t);
	t = tcase_create("x86_64");
	tcase_add_test(t, nothing_is_told_of_what_is_not_wholly_known);
	if (are_instructions_known()) {
		tcase_add_test(t, members_are_told_and_members_of_what_they_point_to);
		tcase_add_test(t, writes_and_what_calls_leave_are_told);
		tcase_add_test(t, paths_indexes_and_segments_leave_nothing_known);
		tcase_add_test(t, numbers_and_processors_own_are_told);
		tcase_add_test(t, what_a_loop_changes_is_no_member);
	}
	suite_add_tcase(s, t);
	return s;
}

VMIFS_UNIT_MAIN(make_suite)
