/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* gdb-target: what targets describe. */
#include <unit.h>

#include <backends/qemu/gdb-target.h>

#include <string.h>
#include <vmifs/error.h>

static gboolean
describe(QemuGdbTarget *target, const char *xml, GPtrArray *includes, GError **error)
{
	return qemu_gdb_describe(target, xml, strlen(xml), includes, error);
}

START_TEST(a_target_describes_its_registers)
{
	g_autoptr(GError) error = NULL;
	g_autoptr(GPtrArray) includes = g_ptr_array_new_with_free_func(g_free);
	g_auto(QemuGdbTarget) target;

	qemu_gdb_target_init(&target);
	ck_assert(describe(&target,
			   "<?xml version=\"1.0\"?><!DOCTYPE target SYSTEM \"gdb-target.dtd\">"
			   "<target><architecture>i386:x86-64</architecture>"
			   "<xi:include href=\"core.xml\"/></target>",
			   includes, &error));
	ck_assert_str_eq(target.architecture, "i386:x86-64");
	ck_assert_uint_eq(includes->len, 1);
	ck_assert_str_eq(g_ptr_array_index(includes, 0), "core.xml");
	ck_assert(describe(&target,
			   "<!-- core --><feature name=\"c\"><flags id=\"f\" size=\"4\"/>"
			   "<reg name=\"rax\" bitsize=\"64\" type=\"int64\" regnum=\"0\"/>"
			   "<reg name=\"rbx\" bitsize=\"64\"/>"
			   "<reg name=\"cs\" bitsize=\"32\" regnum=\"18\"/>"
			   "<reg name=\"st0\" bitsize=\"80\"/></feature>",
			   includes, &error));
	ck_assert_uint_eq(target.regs->len, 4);
	ck_assert_uint_eq(qemu_gdb_target_find(&target, "rbx")->number, 1);
	ck_assert_uint_eq(qemu_gdb_target_find(&target, "cs")->bits, 32);
	ck_assert_uint_eq(qemu_gdb_target_find(&target, "st0")->number, 19);
	/* In 32-bit mode people know it by its half. */
	ck_assert_uint_eq(qemu_gdb_target_find(&target, "ebx")->number, 1);
	ck_assert_ptr_null(qemu_gdb_target_find(&target, "dr7"));
	ck_assert_ptr_null(qemu_gdb_target_find(&target, "e"));
	ck_assert_ptr_null(qemu_gdb_target_pc(&target));
	ck_assert(!qemu_gdb_target_stops_before(&target));
}
END_TEST

/* Of the system, in QEMU. */
START_TEST(names_are_lower_case_and_those_too_long_are_none)
{
	static const char xml[] =
		"<target><architecture>aarch64</architecture>"
		"<reg name=\"x0\" bitsize=\"64\"/><reg name=\"pc\" bitsize=\"64\"/>"
		"<reg name=\"TTBR1_EL1\" bitsize=\"64\" regnum=\"150\" group=\"cp_regs\"/>"
		"<reg name=\"ID_AA64PFR2_EL1_RESERVED\" bitsize=\"64\"/>"
		"<reg name=\"VBAR\" bitsize=\"64\"/></target>";
	g_autoptr(GPtrArray) includes = g_ptr_array_new_with_free_func(g_free);
	g_auto(QemuGdbTarget) target;

	qemu_gdb_target_init(&target);
	ck_assert(describe(&target, xml, includes, NULL));
	ck_assert_uint_eq(target.regs->len, 5);
	ck_assert_uint_eq(qemu_gdb_target_find(&target, "ttbr1_el1")->number, 150);
	ck_assert_uint_eq(qemu_gdb_target_find(&target, "vbar")->number, 152);
	ck_assert_ptr_null(qemu_gdb_target_find(&target, "id_aa64pfr2_el1_reserved"));
	ck_assert_ptr_null(qemu_gdb_target_find(&target, ""));
	ck_assert_uint_eq(qemu_gdb_target_pc(&target)->number, 1);
	ck_assert(qemu_gdb_target_stops_before(&target));
}
END_TEST

static const char *const bad[] = {
	"",
	"no xml",
	"<target>",
	"<reg name=\"rax\"/>",
	"<reg bitsize=\"64\"/>",
	"<reg name=\"rax\" bitsize=\"0\"/>",
	"<reg name=\"rax\" bitsize=\"99999\"/>",
	"<reg name=\"rax\" bitsize=\"64\" regnum=\"-1\"/>",
	("<f><reg name=\"rax\" bitsize=\"64\" regnum=\"2147483647\"/><reg name=\"rbx\" "
	 "bitsize=\"64\"/></f>"),
	"<xi:include href=\"a#b\"/>",
};

START_TEST(bad_descriptions_are_refused)
{
	g_autoptr(GError) error = NULL;
	g_autoptr(GPtrArray) includes = g_ptr_array_new_with_free_func(g_free);
	g_auto(QemuGdbTarget) target;

	qemu_gdb_target_init(&target);
	ck_assert_msg(!describe(&target, bad[_i], includes, &error), "%s", bad[_i]);
	ck_assert(g_error_matches(error, VMIFS_ERROR, VMIFS_ERROR_CORRUPT));
}
END_TEST

static Suite *
target_suite(void)
{
	Suite *suite = suite_create("qemu-gdb-target");
	TCase *tcase = tcase_create("qemu-gdb-target");

	tcase_add_test(tcase, a_target_describes_its_registers);
	tcase_add_test(tcase, names_are_lower_case_and_those_too_long_are_none);
	tcase_add_loop_test(tcase, bad_descriptions_are_refused, 0, G_N_ELEMENTS(bad));
	suite_add_tcase(suite, tcase);
	return suite;
}

VMIFS_UNIT_MAIN(target_suite)
