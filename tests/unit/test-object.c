/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* object: members loaded out of one buffer. */
#include <unit.h>

#include <aspace.h>
#include <btf-asm.h>
#include <btf.h>
#include <os/linux/object.h>
#include <string.h>
#include <text-guest.h>

/* printk_info { u64 seq; u64 ts_nsec; u16 text_len; u8 facility; u8 flags:5, level:3; u32
 * caller_id; struct { char subsystem[4]; char device[4]; } dev_info; } and a pid with an
 * open-ended array. */
static LinuxLayout *
make_layout(void)
{
	g_auto(BtfAsm) a;
	g_autoptr(GBytes) blob = NULL;
	g_autoptr(VmifsTypes) types = NULL;
	gconstpointer data;
	gsize len;

	btf_asm_init(&a, NULL);
	guint32 u8 = btf_asm_int(&a, "unsigned char", 1);
	guint32 u16 = btf_asm_int(&a, "short unsigned int", 2);
	guint32 u32 = btf_asm_int(&a, "unsigned int", 4);
	guint32 u64 = btf_asm_int(&a, "long unsigned int", 8);
	guint32 text = btf_asm_array(&a, u8, 4);
	guint32 numbers = btf_asm_array(&a, u32, 0);
	guint32 dev_info = btf_asm_type(&a, VMIFS_BTF_STRUCT, "dev_printk_info", FALSE, 2, 8);
	btf_asm_member(&a, "subsystem", text, 0);
	btf_asm_member(&a, "device", text, 32);
	btf_asm_type(&a, VMIFS_BTF_STRUCT, "printk_info", TRUE, 8, 32);
	btf_asm_member(&a, "seq", u64, 0);
	btf_asm_member(&a, "ts_nsec", u64, 64);
	btf_asm_member(&a, "text_len", u16, 128);
	btf_asm_member(&a, "facility", u8, 144);
	btf_asm_member(&a, "flags", u8, 152 | 5u << 24);
	btf_asm_member(&a, "level", u8, 157 | 3u << 24);
	btf_asm_member(&a, "caller_id", u32, 160);
	btf_asm_member(&a, "dev_info", dev_info, 192);
	btf_asm_type(&a, VMIFS_BTF_STRUCT, "pid", FALSE, 2, 4);
	btf_asm_member(&a, "level", u32, 0);
	btf_asm_member(&a, "numbers", numbers, 32);
	btf_asm_type(&a, VMIFS_BTF_STRUCT, "rlimit", FALSE, 1, 16);
	btf_asm_member(&a, "rlim_cur", dev_info, 0);
	blob = btf_asm_blob(&a);
	data = g_bytes_get_data(blob, &len);
	types = vmifs_types_new_btf(data, len, NULL);
	ck_assert_ptr_nonnull(types);
	return linux_layout_new(types);
}

static const guint8 info[32] = { 1,    2,    3,    4,    5,    6,    7,    8,    0xff, 0xff, 0xff,
				 0xff, 0xff, 0xff, 0xff, 0xff, 0x34, 0x92, 0x80, 0xe3, 0xfe, 0xff,
				 0xff, 0xff, 'n',  'e',  't',  0,    'e',  't',  'h',  '0' };

START_TEST(numbers_have_their_size_and_sign)
{
	g_autoptr(LinuxLayout) layout = make_layout();
	g_auto(LinuxObject) o = LINUX_OBJECT_INIT(layout, NULL);

	linux_object_view(&o, LINUX_STRUCT_PRINTK_INFO, 0x1000, info, sizeof info);
	ck_assert_uint_eq(linux_object_u64(&o, LINUX_FIELD_PRINTK_INFO_SEQ), 0x0807060504030201);
	ck_assert_int_eq(linux_object_s64(&o, LINUX_FIELD_PRINTK_INFO_TIME), -1);
	ck_assert_uint_eq(linux_object_u64(&o, LINUX_FIELD_PRINTK_INFO_TEXT_LEN), 0x9234);
	ck_assert_int_eq(linux_object_s64(&o, LINUX_FIELD_PRINTK_INFO_TEXT_LEN), 0x9234 - 0x10000);
	ck_assert_int_eq(linux_object_s64(&o, LINUX_FIELD_PRINTK_INFO_FACILITY), -0x80);
	ck_assert_uint_eq(linux_object_u64(&o, LINUX_FIELD_PRINTK_INFO_CALLER_ID), 0xfffffffe);
	ck_assert_int_eq(linux_object_s64(&o, LINUX_FIELD_PRINTK_INFO_CALLER_ID), -2);
}
END_TEST

START_TEST(bitfields_are_cut_out)
{
	g_autoptr(LinuxLayout) layout = make_layout();
	g_auto(LinuxObject) o = LINUX_OBJECT_INIT(layout, NULL);

	linux_object_view(&o, LINUX_STRUCT_PRINTK_INFO, 0x1000, info, sizeof info);
	ck_assert_uint_eq(linux_object_u64(&o, LINUX_FIELD_PRINTK_INFO_FLAGS), 3);
	ck_assert_uint_eq(linux_object_u64(&o, LINUX_FIELD_PRINTK_INFO_LEVEL), 7);
	ck_assert_int_eq(linux_object_s64(&o, LINUX_FIELD_PRINTK_INFO_LEVEL), -1);
}
END_TEST

START_TEST(texts_end_at_nul_or_with_their_array)
{
	g_autoptr(LinuxLayout) layout = make_layout();
	g_auto(LinuxObject) o = LINUX_OBJECT_INIT(layout, NULL);
	gsize len;

	linux_object_view(&o, LINUX_STRUCT_PRINTK_INFO, 0x1000, info, sizeof info);
	g_autofree char *subsystem = linux_object_string(&o, LINUX_FIELD_PRINTK_INFO_SUBSYSTEM);
	g_autofree char *device = linux_object_string(&o, LINUX_FIELD_PRINTK_INFO_DEVICE);
	ck_assert_str_eq(subsystem, "net");
	ck_assert_str_eq(device, "eth0");
	ck_assert_ptr_eq(linux_object_bytes(&o, LINUX_FIELD_PRINTK_INFO_DEVICE, &len), info + 28);
	ck_assert_uint_eq(len, 4);
	ck_assert_uint_eq(linux_object_element(&o, LINUX_FIELD_PRINTK_INFO_DEVICE, 3), '0');
	ck_assert_uint_eq(linux_object_element(&o, LINUX_FIELD_PRINTK_INFO_DEVICE, 4), 0);
	ck_assert_uint_eq(linux_object_address(&o, LINUX_FIELD_PRINTK_INFO_DEVICE), 0x101c);
}
END_TEST

START_TEST(what_is_absent_or_outside_is_nothing)
{
	g_autoptr(LinuxLayout) layout = make_layout();
	g_auto(LinuxObject) o = LINUX_OBJECT_INIT(layout, NULL);
	gsize len = 1;

	/* Empty. */
	ck_assert_uint_eq(linux_object_u64(&o, LINUX_FIELD_PRINTK_INFO_SEQ), 0);
	ck_assert_ptr_null(linux_object_bytes(&o, LINUX_FIELD_PRINTK_INFO_SEQ, &len));
	ck_assert_uint_eq(len, 0);
	/* Cut short. */
	linux_object_view(&o, LINUX_STRUCT_PRINTK_INFO, 0x1000, info, 12);
	ck_assert_uint_ne(linux_object_u64(&o, LINUX_FIELD_PRINTK_INFO_SEQ), 0);
	ck_assert_uint_eq(linux_object_u64(&o, LINUX_FIELD_PRINTK_INFO_TIME), 0);
	g_autofree char *device = linux_object_string(&o, LINUX_FIELD_PRINTK_INFO_DEVICE);
	ck_assert_str_eq(device, "");
	/* Not in these types. */
	linux_object_view(&o, LINUX_STRUCT_RLIMIT, 0x1000, info, sizeof info);
	ck_assert_uint_eq(linux_object_u64(&o, LINUX_FIELD_RLIMIT_MAX), 0);
	ck_assert_int_eq(linux_object_s64(&o, LINUX_FIELD_RLIMIT_MAX), 0);
	ck_assert_uint_eq(linux_object_address(&o, LINUX_FIELD_RLIMIT_MAX), 0);
}
END_TEST

START_TEST(open_ended_arrays_have_an_address_only)
{
	g_autoptr(LinuxLayout) layout = make_layout();
	g_auto(LinuxObject) o = LINUX_OBJECT_INIT(layout, NULL);

	linux_object_view(&o, LINUX_STRUCT_PID, 0x1000, info, sizeof info);
	ck_assert_uint_eq(linux_object_u64(&o, LINUX_FIELD_PID_NUMBERS), 0);
	ck_assert_uint_eq(linux_object_address(&o, LINUX_FIELD_PID_NUMBERS), 0x1004);
	ck_assert_uint_eq(linux_layout_element(layout, LINUX_FIELD_PID_NUMBERS, 0x1000, 2), 0x100c);
}
END_TEST

/* 0x400000 is a page with a printk_info at its start and half of one at its end; no page follows.
 */
static VmifsAspace *
make_aspace(void)
{
	g_autoptr(VmifsPhysmem) mem = text_guest("ram 0 64K\n"
						 "u64 0x1000 0x2067\n"
						 "u64 0x2000 0x3067\n"
						 "u64 0x3010 0x4067\n"
						 "u64 0x4000 0x5067\n"
						 "u64 0x5000 0x1122334455667788 7 0x8000\n"
						 "u64 0x5ff0 1 2\n");
	VmifsPaging paging = { .mode = &vmifs_archs[0]->modes[0], .root = 0x1000 };

	return vmifs_aspace_new(mem, &paging, NULL);
}

START_TEST(structure_is_read_whole_or_not_at_all)
{
	g_autoptr(LinuxLayout) layout = make_layout();
	g_autoptr(VmifsAspace) aspace = make_aspace();
	g_auto(LinuxObject) o = LINUX_OBJECT_INIT(layout, aspace);
	g_autoptr(GError) error = NULL;

	ck_assert(linux_object_read(&o, LINUX_STRUCT_PRINTK_INFO, 0x400000, &error));
	ck_assert_uint_eq(o.va, 0x400000);
	ck_assert_uint_eq(linux_object_u64(&o, LINUX_FIELD_PRINTK_INFO_SEQ), 0x1122334455667788);
	ck_assert_uint_eq(linux_object_u64(&o, LINUX_FIELD_PRINTK_INFO_TIME), 7);
	/* Again, into the same buffer; a smaller one. */
	ck_assert(linux_object_read(&o, LINUX_STRUCT_PID, 0x400010, &error));
	ck_assert_uint_eq(linux_object_u64(&o, LINUX_FIELD_PID_LEVEL), 0x8000);

	ck_assert(!linux_object_read(&o, LINUX_STRUCT_PRINTK_INFO, 0x400ff0, &error));
	ck_assert(g_error_matches(error, VMIFS_ERROR, VMIFS_ERROR_HOLE));
	ck_assert_msg(g_str_has_prefix(error->message, "printk_info at 0x400ff0: "), "%s",
		      error->message);
	ck_assert_uint_eq(linux_object_u64(&o, LINUX_FIELD_PRINTK_INFO_SEQ), 0);
}
END_TEST

START_TEST(structure_of_other_kernels_is_named)
{
	g_autoptr(LinuxLayout) layout = make_layout();
	g_autoptr(VmifsAspace) aspace = make_aspace();
	g_auto(LinuxObject) o = LINUX_OBJECT_INIT(layout, aspace);
	g_autoptr(GError) error = NULL;

	ck_assert(!linux_object_read(&o, LINUX_STRUCT_TASK, 0x400000, &error));
	ck_assert(g_error_matches(error, VMIFS_ERROR, VMIFS_ERROR_UNSUPPORTED));
	ck_assert_str_eq(error->message, "the kernel's types lack task_struct");
}
END_TEST

START_TEST(single_field_is_read_alone)
{
	g_autoptr(LinuxLayout) layout = make_layout();
	g_autoptr(VmifsAspace) aspace = make_aspace();
	g_autoptr(GError) error = NULL;
	guint64 number = 5;

	ck_assert(linux_read_field(aspace, layout, LINUX_FIELD_PRINTK_INFO_SEQ, 0x400ff0, &number,
				   &error));
	ck_assert_uint_eq(number, 1);
	ck_assert(!linux_read_field(aspace, layout, LINUX_FIELD_PRINTK_INFO_TEXT_LEN, 0x400ff0,
				    &number, &error));
	ck_assert(g_error_matches(error, VMIFS_ERROR, VMIFS_ERROR_HOLE));
	ck_assert_msg(g_str_has_prefix(error->message, "printk_info.text_len of 0x400ff0: "), "%s",
		      error->message);
	g_clear_error(&error);
	ck_assert(
		!linux_read_field(aspace, layout, LINUX_FIELD_TASK_PID, 0x400000, &number, &error));
	ck_assert(g_error_matches(error, VMIFS_ERROR, VMIFS_ERROR_UNSUPPORTED));
	ck_assert_uint_eq(number, 1);
}
END_TEST

static Suite *
make_suite(void)
{
	Suite *s = suite_create("object");
	TCase *t = tcase_create("object");

	tcase_add_test(t, numbers_have_their_size_and_sign);
	tcase_add_test(t, bitfields_are_cut_out);
	tcase_add_test(t, texts_end_at_nul_or_with_their_array);
	tcase_add_test(t, what_is_absent_or_outside_is_nothing);
	tcase_add_test(t, open_ended_arrays_have_an_address_only);
	tcase_add_test(t, structure_is_read_whole_or_not_at_all);
	tcase_add_test(t, structure_of_other_kernels_is_named);
	tcase_add_test(t, single_field_is_read_alone);
	suite_add_tcase(s, t);
	return s;
}

VMIFS_UNIT_MAIN(make_suite)
