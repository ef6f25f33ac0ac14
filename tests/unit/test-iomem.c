/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* iomem: the tree of resources, and trees that are none. */
#include <unit.h>

#include <linux-guest.h>

#define TYPES "struct resource 64 start@0:8 end@8:8 name@16:8 sibling@24:8 child@32:8\n"

typedef struct {
	LinuxGuest g;
	guint64 root;
} Fixture;

static guint64
add(Fixture *f, guint64 start, guint64 end, const char *name)
{
	guint64 r = linux_guest_new(&f->g, LINUX_STRUCT_RESOURCE);

	linux_guest_put(&f->g, r, LINUX_FIELD_RESOURCE_START, start);
	linux_guest_put(&f->g, r, LINUX_FIELD_RESOURCE_END, end);
	if (name)
		linux_guest_put(&f->g, r, LINUX_FIELD_RESOURCE_NAME,
				linux_guest_string(&f->g, name));
	return r;
}

static void
setup(Fixture *f)
{
	linux_guest_init(&f->g, TYPES);
	f->root = add(f, 0, G_MAXUINT64, "PCI mem");
	linux_guest_symbol(&f->g, "iomem_resource", f->root);
}

static char *
render(Fixture *f)
{
	GString *out = g_string_new(NULL);
	g_autoptr(GError) error = NULL;

	ck_assert_msg(linux_render_iomem(linux_guest_start(&f->g), NULL, NULL, out, NULL, &error),
		      "%s", error ? error->message : "");
	return g_string_free(out, FALSE);
}

START_TEST(tree_is_indented)
{
	Fixture f;
	setup(&f);
	guint64 low = add(&f, 0, 0xfff, "Reserved"),
		ram = add(&f, 0x1000, 0x1fffffff, "System RAM");
	guint64 code = add(&f, 0x1000000, 0x1ffffff, "Kernel code");
	guint64 high = add(&f, 0x100000000, 0x1ffffffff, NULL);
	linux_guest_put(&f.g, f.root, LINUX_FIELD_RESOURCE_CHILD, low);
	linux_guest_put(&f.g, low, LINUX_FIELD_RESOURCE_SIBLING, ram);
	linux_guest_put(&f.g, ram, LINUX_FIELD_RESOURCE_CHILD, code);
	linux_guest_put(&f.g, ram, LINUX_FIELD_RESOURCE_SIBLING, high);
	g_autofree char *text = render(&f);
	ck_assert_str_eq(text, "00000000-00000fff : Reserved\n"
			       "00001000-1fffffff : System RAM\n"
			       "  01000000-01ffffff : Kernel code\n"
			       "100000000-1ffffffff : <BAD>\n");
	linux_guest_clear(&f.g);
}
END_TEST

START_TEST(deep_tree_is_indented_five_times_and_walked_to_a_limit)
{
	Fixture f;
	setup(&f);
	guint64 above = f.root;
	for (guint i = 0; i < 100; i++) {
		guint64 r = add(&f, i, i, "x");
		linux_guest_put(&f.g, above, LINUX_FIELD_RESOURCE_CHILD, r);
		above = r;
	}
	g_autofree char *text = render(&f);
	ck_assert_ptr_nonnull(strstr(text, "\n          00000005-00000005 : x\n"));
	ck_assert_ptr_nonnull(strstr(text, "\n          00000006-00000006 : x\n"));
	ck_assert_ptr_null(strstr(text, "00000050-00000050"));
	linux_guest_clear(&f.g);
}
END_TEST

START_TEST(loop_ends_and_is_logged)
{
	Fixture f;
	setup(&f);
	guint64 a = add(&f, 1, 1, "a"), b = add(&f, 2, 2, "b");
	linux_guest_put(&f.g, f.root, LINUX_FIELD_RESOURCE_CHILD, a);
	linux_guest_put(&f.g, a, LINUX_FIELD_RESOURCE_SIBLING, b);
	linux_guest_put(&f.g, b, _i ? LINUX_FIELD_RESOURCE_CHILD : LINUX_FIELD_RESOURCE_SIBLING, a);
	g_autofree char *text = render(&f);
	ck_assert_str_eq(text, "00000001-00000001 : a\n00000002-00000002 : b\n");
	g_autofree char *log = linux_guest_log(&f.g);
	ck_assert_ptr_nonnull(strstr(log, "iomem"));
	linux_guest_clear(&f.g);
}
END_TEST

START_TEST(name_cannot_break_the_line)
{
	Fixture f;
	setup(&f);
	linux_guest_put(&f.g, f.root, LINUX_FIELD_RESOURCE_CHILD, add(&f, 1, 1, "a\n\033[2J\\"));
	g_autofree char *text = render(&f);
	ck_assert_str_eq(text, "00000001-00000001 : a\\012\\033[2J\\\n");
	linux_guest_clear(&f.g);
}
END_TEST

static Suite *
make_suite(void)
{
	Suite *s = suite_create("iomem");
	TCase *t = tcase_create("iomem");

	tcase_add_test(t, tree_is_indented);
	tcase_add_test(t, deep_tree_is_indented_five_times_and_walked_to_a_limit);
	tcase_add_loop_test(t, loop_ends_and_is_logged, 0, 2);
	tcase_add_test(t, name_cannot_break_the_line);
	suite_add_tcase(s, t);
	return s;
}

VMIFS_UNIT_MAIN(make_suite)
