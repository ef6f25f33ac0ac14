/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* nop: those of a kernel, and what is none. */
#include <unit.h>

#include <backends/qemu/nop.h>

static const struct {
	guint8 code[QEMU_MAX_NOP];
	guint len, wanted;
} cases[] = {
	{ { 0x90 }, 1, 1 },
	{ { 0x66, 0x90 }, 2, 2 },
	{ { 0xf3, 0x0f, 0x1e, 0xfa }, 4, 4 },
	{ { 0x0f, 0x1f, 0x00 }, 3, 3 },
	{ { 0x0f, 0x1f, 0x40, 0x00 }, 4, 4 },
	{ { 0x0f, 0x1f, 0x44, 0x00, 0x00, 0x55 }, 6, 5 },
	{ { 0x66, 0x0f, 0x1f, 0x44, 0x00, 0x00 }, 6, 6 },
	{ { 0x0f, 0x1f, 0x80, 0, 0, 0, 0 }, 7, 7 },
	{ { 0x0f, 0x1f, 0x84, 0, 0, 0, 0, 0 }, 8, 8 },
	{ { 0x66, 0x2e, 0x0f, 0x1f, 0x84, 0, 0, 0, 0, 0 }, 10, 10 },
	{ { 0x0f, 0x1f, 0x05, 0, 0, 0, 0 }, 7, 7 },
	{ { 0x0f, 0x1f, 0x04, 0x25, 0, 0, 0, 0 }, 8, 8 },
	/* Cut short. */
	{ { 0 }, 0, 0 },
	{ { 0x66 }, 1, 0 },
	{ { 0x0f, 0x1f }, 2, 0 },
	{ { 0x0f, 0x1f, 0x04 }, 3, 0 },
	{ { 0x0f, 0x1f, 0x44, 0x00 }, 4, 0 },
	{ { 0xf3, 0x0f, 0x1e }, 3, 0 },
	/* "pause", "call", "push", "ud2", and what is no memory's or of another group. */
	{ { 0xf3, 0x90 }, 2, 0 },
	{ { 0xe8, 0, 0, 0, 0 }, 5, 0 },
	{ { 0x55 }, 1, 0 },
	{ { 0x0f, 0x0b, 0x00 }, 3, 0 },
	{ { 0x0f, 0x1f, 0xc0 }, 3, 0 },
	{ { 0x0f, 0x1f, 0x48, 0x00 }, 4, 0 },
	/* Longer than there can be. */
	{ { 0x66, 0x66, 0x66, 0x66, 0x66, 0x66, 0x66, 0x66, 0x66, 0x66, 0x66, 0x66, 0x66, 0x66,
	    0x66 },
	  15,
	  0 },
};

START_TEST(what_does_nothing_is_known_by_its_length)
{
	ck_assert_uint_eq(qemu_nop_len(cases[_i].code, cases[_i].len), cases[_i].wanted);
}
END_TEST

static Suite *
nop_suite(void)
{
	Suite *suite = suite_create("qemu-nop");
	TCase *tcase = tcase_create("qemu-nop");

	tcase_add_loop_test(tcase, what_does_nothing_is_known_by_its_length, 0,
			    G_N_ELEMENTS(cases));
	suite_add_tcase(suite, tcase);
	return suite;
}

VMIFS_UNIT_MAIN(nop_suite)
