/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* arch/arm: what registers say of paging. What is walked then: tests/pagetables/arm*. */
#include <arch-check.h>

#define EAE 0x80000000
#define TTBR0                                                                                      \
	{                                                                                          \
		"ttbr0", 0x4000487b                                                                \
	}
#define TTBR1                                                                                      \
	{                                                                                          \
		"ttbr1", 0x4100a06a                                                                \
	}
#define LONG0                                                                                      \
	{                                                                                          \
		"ttbr0_el1", 0x0012004000003838                                                    \
	}
#define LONG1                                                                                      \
	{                                                                                          \
		"ttbr1_el1", 0x0000004000007028                                                    \
	}

static const struct {
	NamedValue regs[6];
	int code;
	const char *mode;
	guint8 low_bits, high_bits;
	guint64 root, high_root;
	guint32 flags;
} kinds[] = {
	{ { { "ttbcr", 0 }, TTBR0, TTBR1 }, CODE_NONE, "arm short", 0, 0, 0x40004000, 0x41008000 },
	{ { { "ttbcr", 3 }, TTBR0, TTBR1 }, CODE_NONE, "arm short", 29, 0, 0x40004800, 0x41008000 },
	{ { { "ttbcr", 0x11 }, TTBR0, TTBR1 },
	  CODE_NONE,
	  "arm short",
	  31,
	  0,
	  VMIFS_NO_ROOT,
	  0x41008000 },
	{ { { "ttbcr", 0x21 }, TTBR0, TTBR1 },
	  CODE_NONE,
	  "arm short",
	  31,
	  0,
	  0x40004000,
	  VMIFS_NO_ROOT },
	/* Domains 0 and 15 have managers, 1 a client, 2 is shut, 3 is reserved. */
	{ { { "ttbcr", 0 }, TTBR0, TTBR1, { "sctlr", 0x20080001 }, { "dacr", 0xc0000087 } },
	  CODE_NONE,
	  "arm short",
	  0,
	  0,
	  0x40004000,
	  0x41008000,
	  0x38001 },
	{ { { "ttbcr", EAE }, LONG0, LONG1 },
	  CODE_NONE,
	  "arm LPAE",
	  0,
	  0,
	  0x4000003820,
	  0x4000007020 },
	{ { { "ttbcr", EAE | 1 | 2 << 16 }, LONG0, LONG1, { "sctlr", 1 }, { "dacr", 3 } },
	  CODE_NONE,
	  "arm LPAE",
	  31,
	  30,
	  0x4000003830,
	  0x4000007000 },
	{ { { "ttbcr", EAE | 1 << 7 | 1 << 23 }, LONG0, LONG1 },
	  CODE_NONE,
	  "arm LPAE",
	  0,
	  0,
	  VMIFS_NO_ROOT,
	  VMIFS_NO_ROOT },
	{ { { "ttbcr", 0 }, TTBR0, TTBR1, { "sctlr", 0 } }, VMIFS_ERROR_HOLE },
	{ { { "ttbcr", 0 }, TTBR0, TTBR1, { "sctlr", 0x2000001 } }, VMIFS_ERROR_UNSUPPORTED },
	{ { { "ttbcr", 0 }, TTBR0 }, VMIFS_ERROR_HOLE },
	{ { TTBR0, TTBR1 }, VMIFS_ERROR_HOLE },
};

START_TEST(system_registers_tell_mode_and_roots)
{
	VmifsPaging paging = paging_from("arm", kinds[_i].regs, kinds[_i].code);

	if (kinds[_i].code != CODE_NONE)
		return;
	ck_assert_str_eq(paging.mode->name, kinds[_i].mode);
	ck_assert_uint_eq(paging.low_bits, kinds[_i].low_bits);
	ck_assert_uint_eq(paging.high_bits, kinds[_i].high_bits);
	ck_assert_uint_eq(paging.root, kinds[_i].root);
	ck_assert_uint_eq(paging.high_root, kinds[_i].high_root);
	ck_assert_uint_eq(paging.flags, kinds[_i].flags);
}
END_TEST

static Suite *
make_suite(void)
{
	Suite *s = suite_create("arm");
	TCase *t = tcase_create("arm");
	tcase_add_loop_test(t, system_registers_tell_mode_and_roots, 0, G_N_ELEMENTS(kinds));
	suite_add_tcase(s, t);
	return s;
}

VMIFS_UNIT_MAIN(make_suite)
