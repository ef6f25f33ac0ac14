/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* object: members of one structure, read in one go. */
#include <unit.h>

#include <aspace.h>
#include <btf-asm.h>
#include <btf.h>
#include <os/linux/object.h>
#include <text-guest.h>

/* vm_area_struct { u64 vm_start; u32 vm_end; u16 vm_flags; u8 vm_pgoff; u8 vm_file:5, vm_ops:3; u8
 * vm_private_data[4]; }, without vm_next, and a pid with an open-ended array. */
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
	guint32 some = btf_asm_array(&a, u8, 4);
	guint32 open_ended = btf_asm_array(&a, u32, 0);
	btf_asm_type(&a, VMIFS_BTF_STRUCT, "vm_area_struct", TRUE, 7, 24);
	btf_asm_member(&a, "vm_start", u64, 0);
	btf_asm_member(&a, "vm_end", u32, 64);
	btf_asm_member(&a, "vm_flags", u16, 96);
	btf_asm_member(&a, "vm_pgoff", u8, 112);
	btf_asm_member(&a, "vm_file", u8, 120 | 5u << 24);
	btf_asm_member(&a, "vm_ops", u8, 125 | 3u << 24);
	btf_asm_member(&a, "vm_private_data", some, 128);
	btf_asm_type(&a, VMIFS_BTF_STRUCT, "pid", FALSE, 2, 4);
	btf_asm_member(&a, "level", u32, 0);
	btf_asm_member(&a, "numbers", open_ended, 32);
	blob = btf_asm_blob(&a);
	data = g_bytes_get_data(blob, &len);
	types = vmifs_types_new_btf(data, len, NULL);
	ck_assert_ptr_nonnull(types);
	return linux_layout_new(types);
}

/* 0x400000 is a page with a vm_area_struct at its start and half of one at its end; no page
 * follows. */
static VmifsAspace *
make_aspace(void)
{
	g_autoptr(VmifsPhysmem) mem =
		text_guest("ram 0 64K\n"
			   "u64 0x1000 0x2067\n"
			   "u64 0x2000 0x3067\n"
			   "u64 0x3010 0x4067\n"
			   "u64 0x4000 0x5067\n"
			   "u64 0x5000 0x1122334455667788 0xe3809234fffffffe 0x8041\n"
			   "u64 0x5ff0 1 2\n");
	VmifsPaging paging = { .mode = &vmifs_archs[0]->modes[0], .root = 0x1000 };

	return vmifs_aspace_new(mem, &paging, NULL);
}

START_TEST(numbers_have_their_size)
{
	g_autoptr(LinuxLayout) layout = make_layout();
	g_autoptr(VmifsAspace) aspace = make_aspace();
	g_auto(LinuxObject) o = LINUX_OBJECT_INIT(layout, aspace);

	ck_assert(linux_object_read(&o, LINUX_STRUCT_VMA, 0x400000, NULL));
	ck_assert_uint_eq(linux_object_u64(&o, LINUX_FIELD_VMA_START), 0x1122334455667788);
	ck_assert_uint_eq(linux_object_u64(&o, LINUX_FIELD_VMA_END), 0xfffffffe);
	ck_assert_uint_eq(linux_object_u64(&o, LINUX_FIELD_VMA_FLAGS), 0x9234);
	ck_assert_uint_eq(linux_object_u64(&o, LINUX_FIELD_VMA_PGOFF), 0x80);
	/* Bitfields are cut out; an array gives its first element. */
	ck_assert_uint_eq(linux_object_u64(&o, LINUX_FIELD_VMA_FILE), 3);
	ck_assert_uint_eq(linux_object_u64(&o, LINUX_FIELD_VMA_OPS), 7);
	ck_assert_uint_eq(linux_object_u64(&o, LINUX_FIELD_VMA_PRIVATE_DATA), 0x41);
	/* Not in these types. */
	ck_assert_uint_eq(linux_object_u64(&o, LINUX_FIELD_VMA_NEXT), 0);
}
END_TEST

START_TEST(open_ended_arrays_have_an_address_only)
{
	g_autoptr(LinuxLayout) layout = make_layout();
	g_autoptr(VmifsAspace) aspace = make_aspace();
	g_auto(LinuxObject) o = LINUX_OBJECT_INIT(layout, aspace);

	ck_assert(linux_object_read(&o, LINUX_STRUCT_PID, 0x400000, NULL));
	ck_assert_uint_eq(linux_object_u64(&o, LINUX_FIELD_PID_NUMBERS), 0);
	ck_assert_uint_eq(linux_layout_element(layout, LINUX_FIELD_PID_NUMBERS, 0x1000, 2), 0x100c);
}
END_TEST

START_TEST(structure_is_read_whole_or_not_at_all)
{
	g_autoptr(LinuxLayout) layout = make_layout();
	g_autoptr(VmifsAspace) aspace = make_aspace();
	g_auto(LinuxObject) o = LINUX_OBJECT_INIT(layout, aspace);
	g_autoptr(GError) error = NULL;

	ck_assert(linux_object_read(&o, LINUX_STRUCT_VMA, 0x400000, &error));
	/* Again, into the same buffer; a smaller one. */
	ck_assert(linux_object_read(&o, LINUX_STRUCT_PID, 0x400010, &error));
	ck_assert_uint_eq(linux_object_u64(&o, LINUX_FIELD_PID_LEVEL), 0x8041);

	ck_assert(!linux_object_read(&o, LINUX_STRUCT_VMA, 0x400ff0, &error));
	ck_assert(g_error_matches(error, VMIFS_ERROR, VMIFS_ERROR_HOLE));
	ck_assert_msg(g_str_has_prefix(error->message, "vm_area_struct at 0x400ff0: "), "%s",
		      error->message);
	ck_assert_uint_eq(linux_object_u64(&o, LINUX_FIELD_VMA_START), 0);
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
	ck_assert_uint_eq(linux_object_u64(&o, LINUX_FIELD_TASK_PID), 0);
}
END_TEST

START_TEST(single_field_is_read_alone)
{
	g_autoptr(LinuxLayout) layout = make_layout();
	g_autoptr(VmifsAspace) aspace = make_aspace();
	g_autoptr(GError) error = NULL;
	guint64 number = 5;

	ck_assert(
		linux_read_field(aspace, layout, LINUX_FIELD_VMA_START, 0x400ff0, &number, &error));
	ck_assert_uint_eq(number, 1);
	ck_assert(!linux_read_field(aspace, layout, LINUX_FIELD_VMA_PRIVATE_DATA, 0x400ff0, &number,
				    &error));
	ck_assert(g_error_matches(error, VMIFS_ERROR, VMIFS_ERROR_HOLE));
	ck_assert_msg(
		g_str_has_prefix(error->message, "vm_area_struct.vm_private_data of 0x400ff0: "),
		"%s", error->message);
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

	tcase_add_test(t, numbers_have_their_size);
	tcase_add_test(t, open_ended_arrays_have_an_address_only);
	tcase_add_test(t, structure_is_read_whole_or_not_at_all);
	tcase_add_test(t, structure_of_other_kernels_is_named);
	tcase_add_test(t, single_field_is_read_alone);
	suite_add_tcase(s, t);
	return s;
}

VMIFS_UNIT_MAIN(make_suite)
