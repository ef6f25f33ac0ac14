/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* gdb: packets as stubs send them, well or badly, and what targets describe. */
#include <unit.h>

#include <backends/qemu/gdb.h>

#include <string.h>
#include <sys/socket.h>
#include <unistd.h>
#include <vmifs/error.h>

static const struct {
	const char *in;
	const char *out; /* NULL: none yet */
	gsize left;      /* bytes that are to be seen again */
} packets[] = {
	{ "", NULL, 0 },
	{ "+", NULL, 0 },
	{ "$OK", NULL, 3 },
	{ "+$OK#", NULL, 4 },
	{ "+$OK#9a", "OK", 0 },
	{ "$OK#9a$E22#a9", "OK", 7 },
	{ "$#00", "", 0 },
	/* "}" and the byte itself with bit 5 turned. */
	{ "$}\x03#80", "#", 0 },
	{ "$T05thread:01;#07+$OK#9a", "T05thread:01;", 7 },
};

START_TEST(packets_are_found_in_what_comes)
{
	g_autoptr(GError) error = NULL;
	gsize len = strlen(packets[_i].in), used = G_MAXSIZE;
	g_autoptr(GByteArray) packet =
		qemu_gdb_packet((const guint8 *) packets[_i].in, len, &used, &error);

	ck_assert_ptr_null(error);
	ck_assert_str_eq(packet ? (const char *) packet->data : "none",
			 packets[_i].out ? packets[_i].out : "none");
	ck_assert_uint_eq(used, len - packets[_i].left);
}
END_TEST

START_TEST(broken_packets_are_refused)
{
	g_autoptr(GError) error = NULL;
	g_autofree char *endless = g_strnfill(100000, '$');
	const char *in = _i ? endless : "$OK#9b";
	gsize used;

	ck_assert_ptr_null(qemu_gdb_packet((const guint8 *) in, strlen(in), &used, &error));
	ck_assert(g_error_matches(error, VMIFS_ERROR, VMIFS_ERROR_CORRUPT));
}
END_TEST

START_TEST(who_does_not_answer_is_not_waited_for)
{
	g_autoptr(GError) error = NULL;
	g_auto(QemuGdb) gdb;
	int ends[2];

	ck_assert_int_eq(socketpair(AF_UNIX, SOCK_STREAM, 0, ends), 0);
	gint64 start = g_get_monotonic_time();
	qemu_gdb_init(&gdb, ends[0], start + 50 * G_TIME_SPAN_MILLISECOND, NULL);
	ck_assert_ptr_null(qemu_gdb_ask(&gdb, "p1", &error));
	ck_assert(g_error_matches(error, VMIFS_ERROR, VMIFS_ERROR_TIMEOUT));
	ck_assert_int_ge(g_get_monotonic_time() - start, 50 * G_TIME_SPAN_MILLISECOND);
	g_clear_error(&error);
	/* Who hangs up is known at once. */
	close(ends[1]);
	gdb.until = g_get_monotonic_time() + 60 * G_TIME_SPAN_SECOND;
	ck_assert_ptr_null(qemu_gdb_ask(&gdb, "p1", &error));
	ck_assert(g_error_matches(error, VMIFS_ERROR, VMIFS_ERROR_IO));
	close(ends[0]);
}
END_TEST

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
gdb_suite(void)
{
	Suite *suite = suite_create("qemu-gdb");
	TCase *tcase = tcase_create("qemu-gdb");

	tcase_add_loop_test(tcase, packets_are_found_in_what_comes, 0, G_N_ELEMENTS(packets));
	tcase_add_loop_test(tcase, broken_packets_are_refused, 0, 2);
	tcase_add_test(tcase, who_does_not_answer_is_not_waited_for);
	tcase_add_test(tcase, a_target_describes_its_registers);
	tcase_add_test(tcase, names_are_lower_case_and_those_too_long_are_none);
	tcase_add_loop_test(tcase, bad_descriptions_are_refused, 0, G_N_ELEMENTS(bad));
	suite_add_tcase(suite, tcase);
	return suite;
}

VMIFS_UNIT_MAIN(gdb_suite)
