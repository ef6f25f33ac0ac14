/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* backends/qemu/devices: registers out of device states, and descriptions that do not fit them. */
#include <unit.h>

#include <backends/qemu/devices.h>
#include <vmifs/error.h>

#include <string.h>

static GByteArray *states;

static void
setup(void)
{
	states = g_byte_array_new();
}

static void
teardown(void)
{
	g_byte_array_unref(states);
}

static void
put_number(guint64 value, gsize len)
{
	for (gsize i = len; i--;)
		g_byte_array_append(states, &(guint8){ (guint8) (value >> 8 * i) }, 1);
}

static void
put_text(const char *text)
{
	put_number(strlen(text), 1);
	g_byte_array_append(states, (const guint8 *) text, (guint) strlen(text));
}

static void
begin_device(guint32 id, const char *name)
{
	put_number(4, 1);
	put_number(id, 4);
	put_text(name);
	put_number(0, 4);
	put_number(12, 4);
}

static void
end_device(guint32 id)
{
	put_number(0x7e, 1);
	put_number(id, 4);
}

/* What QEMU writes behind all states. */
static void
describe(const char *devices)
{
	g_autofree char *text =
		g_strdup_printf("{\"page_size\": 4096, \"devices\": [%s]}", devices);
	put_number(0, 1);
	put_number(6, 1);
	put_number(strlen(text), 4);
	g_byte_array_append(states, (const guint8 *) text, (guint) strlen(text));
}

static GPtrArray *
find_regs(GError **error)
{
	g_autoptr(GBytes) bytes = g_bytes_new(states->data, states->len);
	return qemu_devices_regs(bytes, error);
}

static void
assert_corrupt(const char *text)
{
	g_autoptr(GError) error = NULL;
	ck_assert_ptr_null(find_regs(&error));
	ck_assert(g_error_matches(error, VMIFS_ERROR, VMIFS_ERROR_CORRUPT));
	ck_assert_msg(strstr(error->message, text), "%s", error->message);
}

static void
assert_regs(GPtrArray *vcpus, guint vcpu, const char *text)
{
	g_autoptr(GString) seen = g_string_new(NULL);
	ck_assert_uint_lt(vcpu, vcpus->len);
	vmifs_regs_text(g_ptr_array_index(vcpus, vcpu), vcpu, seen);
	ck_assert_str_eq(seen->str, text);
}

#define UINT(name, size) "{\"name\": \"" name "\", \"type\": \"uint\", \"size\": " #size "}"
#define CPU(fields)                                                                                \
	"{\"name\": \"cpu\", \"vmsd_name\": \"cpu\", \"version\": 12, \"fields\": [" fields "]}"

START_TEST(registers_come_by_the_names_of_fields)
{
	g_autoptr(GError) error = NULL;
	begin_device(3, "cpu");
	put_number(1, 8);
	put_number(2, 8);
	put_number(0xffffffff81000000, 8);
	put_number(0x1234, 4); /* a field that is no register */
	put_number(0x7210000, 8);
	end_device(3);
	describe(CPU(
		"{\"name\": \"env.regs\", \"array_len\": 2, \"type\": \"uint64\", \"size\": 8}, " UINT(
			"env.eip", 8) ", " UINT("env.hflags", 4) ", " UINT("env.cr[3]", 8)));
	g_autoptr(GPtrArray) vcpus = find_regs(&error);
	ck_assert_msg(vcpus != NULL, "%s", error ? error->message : "");
	ck_assert_uint_eq(vcpus->len, 1);
	assert_regs(vcpus, 0,
		    "vcpu0 rax 0x1\nvcpu0 rcx 0x2\nvcpu0 rip 0xffffffff81000000\n"
		    "vcpu0 cr3 0x7210000\n");
}
END_TEST

#define ARRAY(name, n, size)                                                                       \
	"{\"name\": \"" name "\", \"array_len\": " #n ", \"type\": \"uint\", \"size\": " #size "}"

/* Each has fields of the other mode. */
START_TEST(registers_of_arm_are_those_of_its_mode)
{
	g_autoptr(GError) error = NULL;
	begin_device(3, "cpu");
	put_number(7, 4);
	put_number(8, 4);
	put_number(1, 8);
	put_number(2, 8);
	put_number(0xffff800080010000, 8);
	put_number(_i ? 0x600001d3 : 0x600000c5, 4);
	end_device(3);
	describe(CPU(ARRAY("env.regs", 2, 4) ", " ARRAY("env.xregs", 2, 8) ", " UINT(
		"env.pc", 8) ", " UINT("cpsr", 4)));
	g_autoptr(GPtrArray) vcpus = find_regs(&error);
	ck_assert_msg(vcpus != NULL, "%s", error ? error->message : "");
	assert_regs(vcpus, 0,
		    _i ? "vcpu0 r0 0x7\nvcpu0 r1 0x8\nvcpu0 cpsr 0x600001d3\n"
		       : "vcpu0 x0 0x1\nvcpu0 x1 0x2\nvcpu0 pc 0xffff800080010000\n"
			 "vcpu0 cpsr 0x600000c5\n");
}
END_TEST

START_TEST(registers_of_riscv_are_named_as_they_are_called)
{
	g_autoptr(GError) error = NULL;
	begin_device(3, "cpu");
	put_number(0, 8);
	put_number(0x1234, 8);
	put_number(0xffffffff80001000, 8);
	put_number(0xa00000000008100a, 8);
	end_device(3);
	describe(CPU(ARRAY("env.gpr", 2, 8) ", " UINT("env.pc", 8) ", " UINT("env.satp", 8)));
	g_autoptr(GPtrArray) vcpus = find_regs(&error);
	ck_assert_msg(vcpus != NULL, "%s", error ? error->message : "");
	assert_regs(vcpus, 0,
		    "vcpu0 zero 0x0\nvcpu0 ra 0x1234\nvcpu0 pc 0xffffffff80001000\n"
		    "vcpu0 satp 0xa00000000008100a\n");
}
END_TEST

START_TEST(registers_of_32_bits_have_their_own_names)
{
	begin_device(3, "cpu");
	put_number(0xc0000000, 4);
	put_number(0xc0100000, 4);
	end_device(3);
	describe(CPU(
		"{\"name\": \"env.regs\", \"index\": 4, \"type\": \"uint32\", \"size\": 4}, " UINT(
			"env.eip", 4)));
	g_autoptr(GPtrArray) vcpus = find_regs(NULL);
	ck_assert_ptr_nonnull(vcpus);
	assert_regs(vcpus, 0, "vcpu0 esp 0xc0000000\nvcpu0 eip 0xc0100000\n");
}
END_TEST

START_TEST(an_index_may_be_any_number)
{
	begin_device(3, "cpu");
	put_number(1, 8);
	put_number(2, 8);
	put_number(0x1234, 8);
	end_device(3);
	describe(CPU("{\"name\": \"env.regs\", \"index\": 9223372036854775807, \"array_len\": 2, "
		     "\"type\": \"uint64\", \"size\": 8}, " UINT("env.eip", 8)));
	g_autoptr(GPtrArray) vcpus = find_regs(NULL);
	ck_assert_ptr_nonnull(vcpus);
	assert_regs(vcpus, 0, "vcpu0 rip 0x1234\n");
}
END_TEST

#define SEGMENT                                                                                    \
	"\"type\": \"struct\", \"struct\": {\"fields\": [" UINT("selector", 4) ", " UINT(          \
		"base", 8) ", " UINT("limit", 4) ", " UINT("flags", 4) "]}}"

static void
put_segment(guint32 selector, guint64 base)
{
	put_number(selector, 4);
	put_number(base, 8);
	put_number(0xffff, 4);
	put_number(0x9300, 4);
}

START_TEST(segments_are_structs_in_an_array)
{
	begin_device(3, "cpu");
	put_segment(1, 0x10);
	put_segment(2, 0x20);
	put_segment(0, 0x30);
	end_device(3);
	describe(CPU("{\"name\": \"env.segs\", \"array_len\": 2, " SEGMENT
		     ", {\"name\": \"env.gdt\", " SEGMENT));
	g_autoptr(GPtrArray) vcpus = find_regs(NULL);
	ck_assert_ptr_nonnull(vcpus);
	assert_regs(
		vcpus, 0,
		"vcpu0 es 0x1\nvcpu0 es_base 0x10\nvcpu0 es_limit 0xffff\nvcpu0 es_flags 0x9300\n"
		"vcpu0 cs 0x2\nvcpu0 cs_base 0x20\nvcpu0 cs_limit 0xffff\nvcpu0 cs_flags 0x9300\n"
		"vcpu0 gdt_base 0x30\nvcpu0 gdt_limit 0xffff\n");
}
END_TEST

START_TEST(vcpus_are_found_behind_other_devices)
{
	/* Its bytes look like a vCPU: a guest may choose them. */
	begin_device(1, "timer");
	begin_device(3, "cpu");
	put_number(0xbad, 8);
	end_device(3);
	end_device(1);
	for (guint i = 0; i < 2; i++) {
		begin_device(3 + i, "cpu");
		put_number(0x1000 + i, 8);
		put_number(5, 1);
		put_text("cpu/more");
		put_number(1, 4);
		put_number(0x80 + i, 8);
		end_device(3 + i);
	}
#define WITH_MORE                                                                                     \
	"{\"name\": \"cpu\", \"vmsd_name\": \"cpu\", \"fields\": [" UINT(                             \
		"env.eip",                                                                            \
		8) "], \"subsections\": [{\"vmsd_name\": \"cpu/more\", \"fields\": [" UINT("env.tsc", \
											   8) "]}]}"
	describe("{\"name\": \"timer\", \"size\": 30}, " WITH_MORE ", " WITH_MORE);
	g_autoptr(GError) error = NULL;
	g_autoptr(GPtrArray) vcpus = find_regs(&error);
	ck_assert_msg(vcpus != NULL, "%s", error ? error->message : "");
	ck_assert_uint_eq(vcpus->len, 2);
	assert_regs(vcpus, 0, "vcpu0 rip 0x1000\nvcpu0 tsc 0x80\n");
	assert_regs(vcpus, 1, "vcpu1 rip 0x1001\nvcpu1 tsc 0x81\n");
}
END_TEST

START_TEST(states_without_a_description_are_refused)
{
	begin_device(3, "cpu");
	assert_corrupt("description is missing");
	put_number(0, 1);
	put_number(6, 1);
	put_number(2, 4);
	g_byte_array_append(states, (const guint8 *) "{]", 2);
	assert_corrupt("description is missing");
}
END_TEST

START_TEST(descriptions_that_do_not_fit_are_refused)
{
	static const struct {
		const char *devices, *why;
	} cases[] = {
		{ "{\"name\": \"timer\", \"size\": 8}", "not where it should be" },
		{ "{\"name\": \"cpu\", \"size\": 9}", "does not end where it should" },
		{ "{\"name\": \"cpu\", \"size\": 9000000}", "too early" },
		{ "{\"name\": \"cpu\", \"size\": -1}", "too early" },
		{ CPU(UINT("env.eip", 8)) ", {\"name\": \"more\", \"size\": 0}", "not where" },
		{ CPU("{\"type\": \"uint64\", \"size\": 8}"), "without a name" },
		{ CPU("{\"name\": \"a\", \"size\": -8}"), "without a name or size" },
		{ CPU("{\"name\": \"a\", \"array_len\": 4611686018427387904, \"size\": 8}"),
		  "too early" },
		{ "{\"name\": \"cpu\", \"vmsd_name\": \"cpu\", \"subsections\": [{\"vmsd_name\": \"x\"}]}",
		  "subsection" },
		{ "7", "not where it should be" },
	};
	begin_device(3, "cpu");
	put_number(0x1000, 8);
	end_device(3);
	describe(cases[_i].devices);
	assert_corrupt(cases[_i].why);
}
END_TEST

START_TEST(work_is_bounded)
{
	/* Each element has one byte and a field of none, a thousand million times. */
	begin_device(3, "cpu");
	g_byte_array_set_size(states, 20 << 20);
	end_device(3);
	describe(CPU(
		"{\"name\": \"a\", \"array_len\": 1000000000, \"type\": \"struct\", \"struct\": "
		"{\"fields\": [" UINT("b", 0) ", " UINT("c", 1) "]}}"));
	assert_corrupt("more fields than any machine has");
}
END_TEST

START_TEST(structs_are_not_followed_for_ever)
{
	g_autoptr(GString) text = g_string_new(NULL);
	for (guint i = 0; i < 18; i++)
		g_string_append(text, "{\"name\": \"a\", \"struct\": {\"fields\": [");
	g_string_append(text, UINT("b", 8));
	for (guint i = 0; i < 18; i++)
		g_string_append(text, "]}}");
	g_autofree char *device = g_strdup_printf(
		"{\"name\": \"cpu\", \"vmsd_name\": \"cpu\", \"fields\": [%s]}", text->str);
	begin_device(3, "cpu");
	put_number(0x1000, 8);
	end_device(3);
	describe(device);
	assert_corrupt("too deep");
}
END_TEST

static Suite *
make_suite(void)
{
	Suite *suite = suite_create("qemu-devices");
	TCase *tests = tcase_create("devices");
	tcase_add_checked_fixture(tests, setup, teardown);
	tcase_add_test(tests, registers_come_by_the_names_of_fields);
	tcase_add_loop_test(tests, registers_of_arm_are_those_of_its_mode, 0, 2);
	tcase_add_test(tests, registers_of_riscv_are_named_as_they_are_called);
	tcase_add_test(tests, registers_of_32_bits_have_their_own_names);
	tcase_add_test(tests, an_index_may_be_any_number);
	tcase_add_test(tests, segments_are_structs_in_an_array);
	tcase_add_test(tests, vcpus_are_found_behind_other_devices);
	tcase_add_test(tests, states_without_a_description_are_refused);
	tcase_add_loop_test(tests, descriptions_that_do_not_fit_are_refused, 0, 10);
	tcase_add_test(tests, work_is_bounded);
	tcase_add_test(tests, structs_are_not_followed_for_ever);
	suite_add_tcase(suite, tests);
	return suite;
}

VMIFS_UNIT_MAIN(make_suite)
