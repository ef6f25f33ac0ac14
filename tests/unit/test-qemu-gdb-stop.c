/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* gdb-stop: stops and registers as stubs tell them, well or badly. */
#include <unit.h>

#include <backends/qemu/gdb-stop.h>

#include <string.h>
#include <vmifs/error.h>

static const struct {
	const char *text;
	QemuGdbStop stop;
} stops[] = {
	{ "T05thread:01;", { .signal = 5 } },
	{ "T02thread:0a;", { .signal = 2, .vcpu = 9 } },
	{ "T05thread:p01.02;", { .signal = 5, .vcpu = 1 } },
	{ "S05", { .signal = 5 } },
	{ "T05thread:02;watch:ffffffff9cc079c0;",
	  { 5, 1, TRUE, VMIFS_STOP_WRITE, 0xffffffff9cc079c0 } },
	{ "T05thread:01;rwatch:1000;", { 5, 0, TRUE, VMIFS_STOP_READ, 0x1000 } },
	{ "T05awatch:0;thread:01", { 5, 0, TRUE, VMIFS_STOP_ACCESS, 0 } },
	/* What it says besides is its own affair. */
	{ "T05thread:01;swbreak:;06:0000;core:1;", { .signal = 5 } },
};

START_TEST(stops_are_read)
{
	g_autoptr(GError) error = NULL;
	const QemuGdbStop *want = &stops[_i].stop;
	QemuGdbStop got;

	ck_assert_msg(qemu_gdb_stop_parse(stops[_i].text, &got, &error), "%s",
		      error ? error->message : "");
	ck_assert_uint_eq(got.signal, want->signal);
	ck_assert_uint_eq(got.vcpu, want->vcpu);
	ck_assert_int_eq(got.is_memory, want->is_memory);
	ck_assert_int_eq(got.kind, want->kind);
	ck_assert_uint_eq(got.address, want->address);
}
END_TEST

static const char *const bad[] = {
	"",
	"T",
	"T5",
	"Tx5thread:01;",
	"OK",
	"T05thread:;",
	"T05thread:00;",
	"T05thread:p01;",
	"T05thread:ffffffffffffffff;",
	"T05watch:;",
	"T05watch:10000000000000000;",
	"T05watch:-1;",
};

START_TEST(bad_stops_are_refused)
{
	g_autoptr(GError) error = NULL;
	QemuGdbStop got = { .signal = 99 };

	ck_assert(!qemu_gdb_stop_parse(bad[_i], &got, &error));
	ck_assert(g_error_matches(error, VMIFS_ERROR, VMIFS_ERROR_CORRUPT));
	ck_assert_uint_eq(got.signal, 99);
}
END_TEST

static const char target_xml[] =
	"<target><reg name=\"rax\" bitsize=\"64\"/><reg name=\"rip\" bitsize=\"64\"/>"
	"<reg name=\"cs\" bitsize=\"32\"/><reg name=\"st0\" bitsize=\"80\"/>"
	"<reg name=\"cr3\" bitsize=\"64\"/><reg name=\"far\" bitsize=\"64\" regnum=\"40\"/></target>";

#define TOLD                                                                                       \
	"8877665544332211"                                                                         \
	"0010000081ffffff"                                                                         \
	"10000000"                                                                                 \
	"00000000000000000000"                                                                     \
	"00a0110000000000"

static VmifsRegs *
parse(const char *hex, gsize len, GError **error)
{
	g_autoptr(GPtrArray) includes = g_ptr_array_new_with_free_func(g_free);
	g_auto(QemuGdbTarget) target;

	qemu_gdb_target_init(&target);
	ck_assert(qemu_gdb_describe(&target, target_xml, strlen(target_xml), includes, NULL));
	return qemu_gdb_regs_parse(&target, hex, len, error);
}

START_TEST(registers_are_read_in_their_order)
{
	static const struct {
		const char *name;
		guint64 value;
	} wanted[] = {
		{ "rax", 0x1122334455667788 },
		{ "rip", 0xffffff8100001000 },
		{ "cs", 0x10 },
		{ "cr3", 0x11a000 },
	};
	g_autoptr(VmifsRegs) regs = parse(TOLD, strlen(TOLD), NULL);
	guint64 value;

	ck_assert_ptr_nonnull(regs);
	for (gsize i = 0; i < G_N_ELEMENTS(wanted); i++) {
		ck_assert_msg(vmifs_regs_get(regs, wanted[i].name, &value), "%s", wanted[i].name);
		ck_assert_uint_eq(value, wanted[i].value);
	}
	/* It has too many bits, and the other is not in its place. */
	ck_assert(!vmifs_regs_get(regs, "st0", &value));
	ck_assert(!vmifs_regs_get(regs, "far", &value));
}
END_TEST

START_TEST(registers_that_are_not_told_are_not_there)
{
	g_autoptr(VmifsRegs) regs = parse("xxxxxxxxxxxxxxxx" TOLD, 32, NULL);
	g_autoptr(GError) error = NULL;
	guint64 value;

	ck_assert_ptr_nonnull(regs);
	ck_assert(!vmifs_regs_get(regs, "rax", &value));
	ck_assert(!vmifs_regs_get(regs, "cs", &value));
	/* Without the one that says where it stands they are of no use. */
	ck_assert_ptr_null(parse(TOLD, 31, &error));
	ck_assert(g_error_matches(error, VMIFS_ERROR, VMIFS_ERROR_CORRUPT));
}
END_TEST

static Suite *
gdb_stop_suite(void)
{
	Suite *suite = suite_create("qemu-gdb-stop");
	TCase *tcase = tcase_create("qemu-gdb-stop");

	tcase_add_loop_test(tcase, stops_are_read, 0, G_N_ELEMENTS(stops));
	tcase_add_loop_test(tcase, bad_stops_are_refused, 0, G_N_ELEMENTS(bad));
	tcase_add_test(tcase, registers_are_read_in_their_order);
	tcase_add_test(tcase, registers_that_are_not_told_are_not_there);
	suite_add_tcase(suite, tcase);
	return suite;
}

VMIFS_UNIT_MAIN(gdb_stop_suite)
