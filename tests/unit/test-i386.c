/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* arch/i386: what registers say of paging. What is walked then: tests/pagetables/i386*. */
#include <arch-check.h>

#define PG 0x80000001

static const struct {
	NamedValue regs[5];
	int code;
	const char *mode;
	guint64 root;
	guint32 flags;
} kinds[] = {
	{ { { "cr0", PG }, { "cr3", 0x12345018 }, { "cr4", 0x10 } },
	  CODE_NONE,
	  "i386 2-level",
	  0x12345000,
	  0 },
	{ { { "cr0", PG }, { "cr3", 0x12345000 }, { "cr4", 0 } },
	  CODE_NONE,
	  "i386 2-level",
	  0x12345000,
	  1 },
	{ { { "cr0", PG }, { "cr3", 0x1234567b }, { "cr4", 0x20 } },
	  CODE_NONE,
	  "i386 PAE",
	  0x12345660,
	  0 },
	{ { { "cr0", PG }, { "cr3", 0x12345660 }, { "cr4", 0x30 }, { "efer", 0x800 } },
	  CODE_NONE,
	  "i386 PAE",
	  0x12345660,
	  0 },
	{ { { "cr0", PG }, { "cr3", 0x1000 }, { "cr4", 0x20 }, { "efer", 0x500 } },
	  VMIFS_ERROR_UNSUPPORTED },
	{ { { "cr0", 1 }, { "cr3", 0x1000 }, { "cr4", 0x20 } }, VMIFS_ERROR_HOLE },
	{ { { "cr0", PG }, { "cr3", 0x1000 } }, VMIFS_ERROR_HOLE },
	{ { { "cr0", PG }, { "cr4", 0x1000 } }, VMIFS_ERROR_HOLE },
	{ { { "cr3", PG }, { "cr4", 0x1000 } }, VMIFS_ERROR_HOLE },
};

START_TEST(control_registers_tell_mode_and_root)
{
	VmifsPaging paging = paging_from("i386", kinds[_i].regs, kinds[_i].code);

	if (kinds[_i].code != CODE_NONE)
		return;
	ck_assert_str_eq(paging.mode->name, kinds[_i].mode);
	ck_assert_uint_eq(paging.root, kinds[_i].root);
	ck_assert_uint_eq(paging.flags, kinds[_i].flags);
}
END_TEST

static Suite *
make_suite(void)
{
	Suite *s = suite_create("i386");
	TCase *t = tcase_create("i386");
	tcase_add_loop_test(t, control_registers_tell_mode_and_root, 0, G_N_ELEMENTS(kinds));
	suite_add_tcase(s, t);
	return s;
}

VMIFS_UNIT_MAIN(make_suite)
