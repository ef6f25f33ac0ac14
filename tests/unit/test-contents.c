/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* contents: of all lists in the kernel's image the one of modules is told from the others. */
#include <unit.h>

#include <linux-guest.h>
#include <os/linux/contents.h>

#include <string.h>

#define TEXT_LEN 4096
#define DATA_LEN 8192
#define MODULE_LEN 2048
#define NAME_AT 24
#define NODE_AT 8
#define TABLE_AT 400
#define HEAD_AT 512

typedef struct {
	LinuxGuest g;
	guint64 data, modules[2];
	VmifsSymbols *found;
} Fixture;

static void
put_module(Fixture *f, guint64 module, const char *name)
{
	linux_guest_write(&f->g, module + NAME_AT, name, strlen(name));
	linux_guest_u64(&f->g, module + TABLE_AT, module + TABLE_AT + 8);
}

static void
put_list(Fixture *f, guint64 head, const char *first, const char *second)
{
	guint64 modules[] = { linux_guest_alloc(&f->g, MODULE_LEN),
			      linux_guest_alloc(&f->g, MODULE_LEN) };
	guint64 nodes[] = { head, modules[0] + NODE_AT, modules[1] + NODE_AT };

	put_module(f, modules[0], first);
	put_module(f, modules[1], second);
	linux_guest_ring(&f->g, nodes, G_N_ELEMENTS(nodes));
	memcpy(f->modules, modules, sizeof modules);
}

/* Text, then data up to the last symbol, then what modules are in. */
static void
setup(Fixture *f)
{
	*f = (Fixture){ 0 };
	linux_guest_init(&f->g, "");
	linux_guest_symbol(&f->g, "_stext", linux_guest_alloc(&f->g, 2 * TEXT_LEN));
	f->data = (linux_guest_alloc(&f->g, 2 * DATA_LEN) + 4095) / 4096 * 4096;
	linux_guest_symbol(&f->g, "_etext", f->data);
	linux_guest_symbol(&f->g, "last", f->data + DATA_LEN);
	put_list(f, f->data + HEAD_AT, "tun", "crc32c_generic");
}

static void
teardown(Fixture *f)
{
	g_clear_pointer(&f->found, vmifs_symbols_unref);
	linux_guest_clear(&f->g);
}

static void
expect_head(Fixture *f, guint64 head)
{
	guint64 address;

	f->found = linux_contents_find(linux_guest_start(&f->g), NULL);
	ck_assert_ptr_nonnull(f->found);
	ck_assert(vmifs_symbols_lookup(f->found, "modules", &address));
	ck_assert_uint_eq(address, head);
	teardown(f);
}

static void
expect_nothing(Fixture *f)
{
	f->found = linux_contents_find(linux_guest_start(&f->g), NULL);
	ck_assert_ptr_null(f->found);
	teardown(f);
}

START_TEST(list_of_modules_is_found)
{
	Fixture f;

	setup(&f);
	expect_head(&f, f.data + HEAD_AT);
}
END_TEST

START_TEST(other_lists_are_none)
{
	Fixture f;

	setup(&f);
	for (guint i = 0; i < 8; i++) {
		guint64 nodes[] = { f.data + 64 * i, linux_guest_alloc(&f.g, 256),
				    linux_guest_alloc(&f.g, 256) };
		linux_guest_ring(&f.g, nodes, G_N_ELEMENTS(nodes));
	}
	expect_head(&f, f.data + HEAD_AT);
}
END_TEST

START_TEST(module_that_comes_up_may_have_no_name_yet)
{
	Fixture f;

	setup(&f);
	linux_guest_u64(&f.g, f.modules[0], 3);
	linux_guest_write(&f.g, f.modules[0] + NAME_AT, "\x01\x02\x03", 3);
	linux_guest_u64(&f.g, f.modules[0] + TABLE_AT, 0);
	expect_head(&f, f.data + HEAD_AT);
}
END_TEST

START_TEST(two_lists_are_as_good_as_none)
{
	Fixture f;

	setup(&f);
	put_list(&f, f.data + DATA_LEN - 64, "dummy", "nbd");
	expect_nothing(&f);
}
END_TEST

START_TEST(modules_without_tables_prove_nothing)
{
	Fixture f;

	setup(&f);
	linux_guest_u64(&f.g, f.modules[1] + TABLE_AT, f.modules[0] + TABLE_AT + 8);
	expect_nothing(&f);
}
END_TEST

START_TEST(names_are_those_of_modules)
{
	Fixture f;

	setup(&f);
	linux_guest_write(&f.g, f.modules[1] + NAME_AT, "a b", 3);
	expect_nothing(&f);
}
END_TEST

START_TEST(bytes_behind_a_name_are_none_of_a_module)
{
	Fixture f;

	setup(&f);
	linux_guest_write(&f.g, f.modules[1] + NAME_AT + 32, "x", 1);
	expect_nothing(&f);
}
END_TEST

START_TEST(torn_list_is_none)
{
	Fixture f;

	setup(&f);
	linux_guest_u64(&f.g, f.modules[1] + NODE_AT + 8, f.data);
	expect_nothing(&f);
}
END_TEST

START_TEST(list_outside_of_the_image_is_not_the_kernel_s)
{
	Fixture f;

	setup(&f);
	linux_guest_u64(&f.g, f.data + HEAD_AT, 0);
	put_list(&f, linux_guest_alloc(&f.g, 64), "tun", "crc32c_generic");
	expect_nothing(&f);
}
END_TEST

/* What is read at once is 256 KiB. */
START_TEST(list_across_two_pieces_is_seen_once)
{
	const gsize piece = 256 * 1024;
	Fixture f;

	setup(&f);
	guint64 more = linux_guest_alloc(&f.g, 2 * piece);
	linux_guest_symbol(&f.g, "further", more + 2 * piece);
	linux_guest_u64(&f.g, f.data + HEAD_AT, 0);
	/* Modules that lay there are in the image by now. */
	guint64 head = f.data + piece - 8 * (guint64) _i;
	put_list(&f, head, "tun", "crc32c_generic");
	expect_head(&f, head);
}
END_TEST

static Suite *
make_suite(void)
{
	Suite *s = suite_create("contents");
	TCase *t = tcase_create("contents");

	tcase_add_test(t, list_of_modules_is_found);
	tcase_add_test(t, other_lists_are_none);
	tcase_add_test(t, module_that_comes_up_may_have_no_name_yet);
	tcase_add_test(t, two_lists_are_as_good_as_none);
	tcase_add_test(t, modules_without_tables_prove_nothing);
	tcase_add_test(t, names_are_those_of_modules);
	tcase_add_test(t, bytes_behind_a_name_are_none_of_a_module);
	tcase_add_test(t, torn_list_is_none);
	tcase_add_test(t, list_outside_of_the_image_is_not_the_kernel_s);
	tcase_add_loop_test(t, list_across_two_pieces_is_seen_once, 0, 4);
	suite_add_tcase(s, t);
	return s;
}

VMIFS_UNIT_MAIN(make_suite)
