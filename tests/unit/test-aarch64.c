/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* arch/aarch64: what registers say of paging. What is walked then: tests/pagetables/aarch64-*. */
#include <unit.h>

#include <spi/arch.h>
#include <vmifs/error.h>

static const VmifsArch *
aarch64(void)
{
	for (gsize i = 0; i < vmifs_n_archs; i++) {
		if (g_str_equal(vmifs_archs[i]->name, "aarch64"))
			return vmifs_archs[i];
	}
	ck_abort_msg("no aarch64");
}

static VmifsRegs *
registers(guint64 tcr, guint64 ttbr0, guint64 ttbr1)
{
	VmifsRegs *regs = vmifs_regs_new();

	vmifs_regs_set(regs, "tcr_el1", tcr);
	vmifs_regs_set(regs, "ttbr0_el1", ttbr0);
	vmifs_regs_set(regs, "ttbr1_el1", ttbr1);
	return regs;
}

/* Fields of TCR_EL1. */
#define WIDTHS(low, high) ((64 - (guint64) (low)) | (64 - (guint64) (high)) << 16)
#define EPD0 (1ull << 7)
#define EPD1 (1ull << 23)
#define GRANULES_4K (0ull << 14 | 2ull << 30)
#define GRANULES_16K (2ull << 14 | 1ull << 30)
#define GRANULES_64K (1ull << 14 | 3ull << 30)
#define TG0_64K (1ull << 14)
#define IPS(n) ((guint64) (n) << 32)
#define TBI0 (1ull << 37)
#define TBI1 (1ull << 38)
#define HD (1ull << 40)
#define HPD0 (1ull << 41)
#define HPD1 (1ull << 42)
#define DS (1ull << 59)

/* An ASID, CnP, and in bits 5:2 those above 47 of an address, where there are such. */
#define TTBR0 0x123400004000003dull
#define TTBR1 0x0000000041000001ull
#define WIDE_ROOT 0xf000040000000ull

static const struct {
	guint64 tcr;
	const char *mode;
	guint8 low_bits, high_bits;
	guint32 flags;
	guint64 root;
} kinds[] = {
	{ WIDTHS(48, 48) | GRANULES_4K | IPS(5) | TBI0, "aarch64 4K 48-bit", 48, 48, 2,
	  0x40000000 },
	{ WIDTHS(39, 39) | GRANULES_4K | TBI0 | TBI1, "aarch64 4K 39-bit", 39, 39, 0, 0x40000000 },
	{ WIDTHS(36, 25) | GRANULES_4K | TBI1, "aarch64 4K 39-bit", 36, 25, 1, 0x40000000 },
	{ WIDTHS(39, 48) | GRANULES_4K, "aarch64 4K 48-bit", 39, 48, 3, 0x40000000 },
	{ WIDTHS(52, 52) | GRANULES_4K | IPS(6) | DS | TBI0, "aarch64 4K 52-bit", 52, 52, 2,
	  WIDE_ROOT },
	{ WIDTHS(48, 48) | GRANULES_4K | IPS(5) | DS | TBI0, "aarch64 4K 52-bit", 48, 48, 2,
	  WIDE_ROOT },
	{ WIDTHS(47, 47) | GRANULES_16K | TBI0 | HPD0 | HPD1, "aarch64 16K 47-bit", 47, 47, 0xe,
	  0x40000000 },
	{ WIDTHS(52, 52) | GRANULES_16K | DS | TBI0, "aarch64 16K 52-bit", 52, 52, 2, WIDE_ROOT },
	{ WIDTHS(48, 48) | GRANULES_64K | IPS(5) | TBI0 | HD, "aarch64 64K 48-bit", 48, 48, 0x12,
	  0x40000000 },
	{ WIDTHS(52, 52) | GRANULES_64K | IPS(6) | TBI0, "aarch64 64K 52-bit", 52, 52, 2,
	  WIDE_ROOT },
	/* What one half does not use does not matter. */
	{ WIDTHS(48, 48) | GRANULES_4K | EPD1, "aarch64 4K 48-bit", 48, 0, 3, 0x40000000 },
	{ WIDTHS(48, 64) | GRANULES_4K | EPD1, "aarch64 4K 48-bit", 48, 0, 3, 0x40000000 },
	{ WIDTHS(10, 48) | GRANULES_4K | TG0_64K | EPD0, "aarch64 4K 48-bit", 0, 48, 3,
	  VMIFS_NO_ROOT },
};

START_TEST(registers_tell_mode_and_widths_and_roots)
{
	g_autoptr(VmifsRegs) regs = registers(kinds[_i].tcr, TTBR0, TTBR1);
	VmifsPaging paging;

	ck_assert(aarch64()->from_regs(regs, &paging, NULL));
	ck_assert_str_eq(paging.mode->name, kinds[_i].mode);
	ck_assert_uint_eq(paging.low_bits, kinds[_i].low_bits);
	ck_assert_uint_eq(paging.high_bits, kinds[_i].high_bits);
	ck_assert_uint_eq(paging.flags, kinds[_i].flags);
	ck_assert_uint_eq(paging.root, kinds[_i].root);
	ck_assert_uint_eq(paging.high_root, kinds[_i].high_bits ? 0x41000000 : VMIFS_NO_ROOT);
	ck_assert_uint_eq(paging.ignore_mask, 0);
}
END_TEST

static const guint64 no_kinds[] = {
	WIDTHS(52, 52) | GRANULES_4K,           /* without LPA2 */
	WIDTHS(48, 48) | 3ull << 14,            /* reserved granules */
	WIDTHS(48, 48) | GRANULES_4K | TG0_64K, /* two at once */
	WIDTHS(12, 48) | GRANULES_4K,
	WIDTHS(48, 16) | GRANULES_64K,
	WIDTHS(1, 1) | GRANULES_4K,
	0,
	G_MAXUINT64,
};

START_TEST(paging_that_cannot_be_is_refused)
{
	g_autoptr(VmifsRegs) regs = registers(no_kinds[_i], TTBR0, TTBR1);
	g_autoptr(GError) error = NULL;
	VmifsPaging paging;

	ck_assert(!aarch64()->from_regs(regs, &paging, &error));
	ck_assert(g_error_matches(error, VMIFS_ERROR, VMIFS_ERROR_UNSUPPORTED));
}
END_TEST

static const struct {
	const char *name;
	guint64 value;
	gint code; /* -1: none */
	guint32 flags;
} controls[] = {
	{ "sctlr_el1", 0x1, -1, 0x3 },
	{ "sctlr", 0x80001, -1, 0x23 },
	{ "sctlr_el1", 0x80000, VMIFS_ERROR_HOLE, 0 },
	{ "sctlr", 0, VMIFS_ERROR_HOLE, 0 },
	{ "sctlr_el1", 0x2000001, VMIFS_ERROR_UNSUPPORTED, 0 },
};

START_TEST(control_register_tells_whether_there_is_paging)
{
	g_autoptr(VmifsRegs) regs = registers(WIDTHS(48, 48) | GRANULES_4K, TTBR0, TTBR1);
	g_autoptr(GError) error = NULL;
	VmifsPaging paging;

	vmifs_regs_set(regs, controls[_i].name, controls[_i].value);
	ck_assert_int_eq(aarch64()->from_regs(regs, &paging, &error), controls[_i].code == -1);
	if (error)
		ck_assert_int_eq(error->code, controls[_i].code);
	else
		ck_assert_uint_eq(paging.flags, controls[_i].flags);
}
END_TEST

START_TEST(registers_that_are_missing_are_named)
{
	g_autoptr(VmifsRegs) regs = vmifs_regs_new();
	g_autoptr(GError) error = NULL;
	VmifsPaging paging;

	vmifs_regs_set(regs, "tcr_el1", WIDTHS(48, 48) | GRANULES_4K);
	ck_assert(!aarch64()->from_regs(regs, &paging, &error));
	ck_assert(g_error_matches(error, VMIFS_ERROR, VMIFS_ERROR_HOLE));
	ck_assert_ptr_nonnull(strstr(error->message, "TTBR1_EL1"));
}
END_TEST

static Suite *
make_suite(void)
{
	Suite *s = suite_create("aarch64");
	TCase *t = tcase_create("aarch64");
	tcase_add_loop_test(t, registers_tell_mode_and_widths_and_roots, 0, G_N_ELEMENTS(kinds));
	tcase_add_loop_test(t, paging_that_cannot_be_is_refused, 0, G_N_ELEMENTS(no_kinds));
	tcase_add_loop_test(t, control_register_tells_whether_there_is_paging, 0,
			    G_N_ELEMENTS(controls));
	tcase_add_test(t, registers_that_are_missing_are_named);
	suite_add_tcase(s, t);
	return s;
}

VMIFS_UNIT_MAIN(make_suite)
