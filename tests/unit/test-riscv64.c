/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* arch/riscv64: what registers say of paging. What is walked then: tests/pagetables/riscv64*. */
#include <arch-check.h>

static const struct {
	NamedValue regs[2];
	int code;
	const char *mode;
	guint64 root;
} kinds[] = {
	{ { { "satp", 0x8000000000081234 } }, CODE_NONE, "riscv64 Sv39", 0x81234000 },
	{ { { "satp", 0x9abcd00000081234 } }, CODE_NONE, "riscv64 Sv48", 0x81234000 },
	{ { { "satp", 0xa0000fffffffffff } }, CODE_NONE, "riscv64 Sv57", 0xfffffffffff000 },
	{ { { "satp", 0x0000000000081234 } }, VMIFS_ERROR_HOLE },
	{ { { "satp", 0x1000000000081234 } }, VMIFS_ERROR_UNSUPPORTED },
	{ { { "satp", 0x7000000000081234 } }, VMIFS_ERROR_UNSUPPORTED },
	{ { { "satp", 0xb000000000081234 } }, VMIFS_ERROR_UNSUPPORTED },
	{ { { "satp", G_MAXUINT64 } }, VMIFS_ERROR_UNSUPPORTED },
	{ { { "pc", 0 } }, VMIFS_ERROR_HOLE },
};

START_TEST(satp_tells_mode_and_root)
{
	VmifsPaging paging = paging_from("riscv64", kinds[_i].regs, kinds[_i].code);

	if (kinds[_i].code != CODE_NONE)
		return;
	ck_assert_str_eq(paging.mode->name, kinds[_i].mode);
	ck_assert_uint_eq(paging.root, kinds[_i].root);
}
END_TEST

static Suite *
make_suite(void)
{
	Suite *s = suite_create("riscv64");
	TCase *t = tcase_create("riscv64");
	tcase_add_loop_test(t, satp_tells_mode_and_root, 0, G_N_ELEMENTS(kinds));
	suite_add_tcase(s, t);
	return s;
}

VMIFS_UNIT_MAIN(make_suite)
