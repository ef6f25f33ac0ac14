/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* inode, handle, node: numbers that the kernel holds, and the life of what they stand for. */
#include <unit.h>

#include <fs/handle.h>
#include <fs/inode.h>

static guint n_cleared;

static void
count_clear(VmifsNode *node)
{
	n_cleared++;
}

static const VmifsNodeOps ops = { .type = S_IFDIR, .clear = count_clear };

static VmifsInodes *
make_table(void)
{
	n_cleared = 0;
	return vmifs_inodes_new(vmifs_node_new(&ops, NULL, "", 0));
}

START_TEST(root_is_number_one_and_stays)
{
	g_autoptr(VmifsInodes) inodes = make_table();
	vmifs_inodes_forget(inodes, 1, 1000);
	g_autoptr(VmifsNode) root = vmifs_inodes_get(inodes, 1);
	ck_assert_ptr_nonnull(root);
	ck_assert_uint_eq(root->id, 1);
	ck_assert_uint_ne(root->ino, 0);
}
END_TEST

START_TEST(unknown_numbers_are_nobody)
{
	static const guint64 ids[] = { 0, 2, G_MAXUINT32, G_MAXUINT64, 0x7f0000001000 };
	g_autoptr(VmifsInodes) inodes = make_table();
	for (gsize i = 0; i < G_N_ELEMENTS(ids); i++) {
		ck_assert_ptr_null(vmifs_inodes_get(inodes, ids[i]));
		vmifs_inodes_forget(inodes, ids[i], 1);
	}
	ck_assert_uint_eq(vmifs_inodes_count(inodes), 1);
}
END_TEST

static gboolean
is_named(const VmifsNode *node, gpointer user)
{
	return g_str_equal(node->name, user);
}

START_TEST(numbers_of_some_nodes_can_be_had)
{
	g_autoptr(VmifsInodes) inodes = make_table();
	g_autoptr(VmifsNode) root = vmifs_inodes_get(inodes, 1);
	g_autoptr(VmifsNode) a = vmifs_inodes_enter(inodes, vmifs_node_new(&ops, root, "a", 5));
	g_autoptr(VmifsNode) other = vmifs_inodes_enter(inodes, vmifs_node_new(&ops, root, "a", 6));
	g_autoptr(VmifsNode) b = vmifs_inodes_enter(inodes, vmifs_node_new(&ops, root, "b", 5));
	char name[] = "a";
	g_autoptr(GArray) ids = vmifs_inodes_select(inodes, is_named, name);
	ck_assert_uint_eq(ids->len, 2);
	for (guint i = 0; i < ids->len; i++)
		ck_assert_uint_ne(g_array_index(ids, guint64, i), b->id);
}
END_TEST

START_TEST(same_name_and_identity_is_the_same_node)
{
	g_autoptr(VmifsInodes) inodes = make_table();
	g_autoptr(VmifsNode) root = vmifs_inodes_get(inodes, 1);
	g_autoptr(VmifsNode) a = vmifs_inodes_enter(inodes, vmifs_node_new(&ops, root, "a", 5));
	g_autoptr(VmifsNode) again = vmifs_inodes_enter(inodes, vmifs_node_new(&ops, root, "a", 5));
	g_autoptr(VmifsNode) other = vmifs_inodes_enter(inodes, vmifs_node_new(&ops, root, "a", 6));
	g_autoptr(VmifsNode) b = vmifs_inodes_enter(inodes, vmifs_node_new(&ops, root, "b", 5));
	ck_assert_ptr_eq(a, again);
	ck_assert_uint_eq(a->lookups, 2);
	ck_assert_uint_ne(a->id, other->id);
	ck_assert_uint_ne(a->ino, other->ino);
	ck_assert_uint_ne(a->id, b->id);
	ck_assert_uint_eq(n_cleared, 1);
}
END_TEST

START_TEST(forgotten_nodes_come_back_with_their_inode_number_but_a_new_one_of_ours)
{
	g_autoptr(VmifsInodes) inodes = make_table();
	g_autoptr(VmifsNode) root = vmifs_inodes_get(inodes, 1);
	VmifsNode *node = vmifs_inodes_enter(inodes, vmifs_node_new(&ops, root, "a", 0));
	guint64 id = node->id;
	guint64 ino = node->ino;
	vmifs_node_unref(node);
	vmifs_inodes_forget(inodes, id, 1);
	ck_assert_uint_eq(n_cleared, 1);
	ck_assert_ptr_null(vmifs_inodes_get(inodes, id));
	node = vmifs_inodes_enter(inodes, vmifs_node_new(&ops, root, "a", 0));
	ck_assert_uint_eq(node->ino, ino);
	ck_assert_uint_ne(node->id, id);
	vmifs_node_unref(node);
}
END_TEST

START_TEST(lookups_are_counted_and_never_below_zero)
{
	g_autoptr(VmifsInodes) inodes = make_table();
	g_autoptr(VmifsNode) root = vmifs_inodes_get(inodes, 1);
	guint64 id = 0;
	for (guint i = 0; i < 3; i++) {
		g_autoptr(VmifsNode) node =
			vmifs_inodes_enter(inodes, vmifs_node_new(&ops, root, "a", 0));
		id = node->id;
	}
	vmifs_inodes_forget(inodes, id, 2);
	g_autoptr(VmifsNode) still = vmifs_inodes_get(inodes, id);
	ck_assert_ptr_nonnull(still);
	vmifs_inodes_forget(inodes, id, G_MAXUINT64);
	ck_assert_ptr_null(vmifs_inodes_get(inodes, id));
}
END_TEST

START_TEST(parents_live_as_long_as_their_children)
{
	g_autoptr(VmifsInodes) inodes = make_table();
	g_autoptr(VmifsNode) root = vmifs_inodes_get(inodes, 1);
	VmifsNode *dir = vmifs_inodes_enter(inodes, vmifs_node_new(&ops, root, "dir", 0));
	VmifsNode *file = vmifs_inodes_enter(inodes, vmifs_node_new(&ops, dir, "file", 0));
	g_autofree char *path = vmifs_node_path(file);
	ck_assert_str_eq(path, "dir/file");
	vmifs_inodes_forget(inodes, dir->id, 1);
	vmifs_node_unref(dir);
	ck_assert_uint_eq(n_cleared, 0);
	ck_assert_str_eq(file->parent->name, "dir");
	vmifs_inodes_forget(inodes, file->id, 1);
	vmifs_node_unref(file);
	ck_assert_uint_eq(n_cleared, 2);
}
END_TEST

START_TEST(very_deep_nodes_are_freed_without_recursion)
{
	VmifsNode *node = vmifs_node_new(&ops, NULL, "", 0);
	n_cleared = 0;
	for (guint i = 0; i < 1000000; i++) {
		VmifsNode *child = vmifs_node_new(&ops, node, "x", 0);
		vmifs_node_unref(node);
		node = child;
	}
	vmifs_node_unref(node);
	ck_assert_uint_eq(n_cleared, 1000001);
}
END_TEST

START_TEST(listings_leave_out_what_is_no_file_name)
{
	g_autoptr(VmifsNodeList) list = vmifs_node_list_new();
	static const char *const names[] = { "", ".", "..", "a/b", "/", "fine", "also\nfine" };
	for (gsize i = 0; i < G_N_ELEMENTS(names); i++)
		vmifs_node_list_add(list, names[i], S_IFREG, 0);
	g_autofree char *name_256 = g_strnfill(256, 'x');
	vmifs_node_list_add(list, name_256, S_IFREG, 0);
	ck_assert_uint_eq(list->entries->len, 2);
	ck_assert(vmifs_node_list_has(list, "also\nfine"));
	ck_assert(!vmifs_node_list_has(list, ".."));
}
END_TEST

START_TEST(handles_are_found_until_removed)
{
	g_autoptr(VmifsNode) node = vmifs_node_new(&ops, NULL, "", 0);
	g_autoptr(VmifsHandles) handles = vmifs_handles_new();
	VmifsHandle *handle = vmifs_handle_new(node);
	vmifs_handles_enter(handles, handle);
	guint64 id = handle->id;
	g_autoptr(VmifsHandle) found = vmifs_handles_get(handles, id);
	ck_assert_ptr_eq(found, handle);
	ck_assert_ptr_null(vmifs_handles_get(handles, id + 1));
	ck_assert_uint_eq(vmifs_handles_count(handles), 1);
	g_autoptr(VmifsHandle) removed = vmifs_handles_remove(handles, id);
	ck_assert_ptr_eq(removed, handle);
	ck_assert_ptr_null(vmifs_handles_remove(handles, id));
	ck_assert_ptr_null(vmifs_handles_get(handles, id));
}
END_TEST

static Suite *
make_suite(void)
{
	Suite *s = suite_create("inode");
	TCase *t = tcase_create("inode");
	tcase_add_test(t, root_is_number_one_and_stays);
	tcase_add_test(t, unknown_numbers_are_nobody);
	tcase_add_test(t, numbers_of_some_nodes_can_be_had);
	tcase_add_test(t, same_name_and_identity_is_the_same_node);
	tcase_add_test(t, forgotten_nodes_come_back_with_their_inode_number_but_a_new_one_of_ours);
	tcase_add_test(t, lookups_are_counted_and_never_below_zero);
	tcase_add_test(t, parents_live_as_long_as_their_children);
	tcase_add_test(t, very_deep_nodes_are_freed_without_recursion);
	tcase_add_test(t, listings_leave_out_what_is_no_file_name);
	tcase_add_test(t, handles_are_found_until_removed);
	suite_add_tcase(s, t);
	return s;
}

VMIFS_UNIT_MAIN(make_suite)
