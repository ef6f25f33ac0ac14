/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* cgroup: lines of each hierarchy, paths between two places of one, options. */
#include <unit.h>

#include <linux-guest.h>
#include <os/linux/cgroup.h>

#define TYPES                                                                                      \
	"struct list_head 16 next@0:8 prev@8:8\n"                                                  \
	"struct task_struct 32 flags@0:4 cgroups@8:8 nsproxy@16:8\n"                               \
	"struct pid_namespace 16 child_reaper@8:8\n"                                               \
	"struct nsproxy 16 cgroup_ns@8:8\n"                                                        \
	"struct cgroup_namespace 16 root_cset@8:8\n"                                               \
	"struct css_set 64 subsys@0:8x4 dfl_cgrp@32:8 cgrp_links@40=list_head\n"                   \
	"struct cgrp_cset_link 32 cgrp@0:8 cgrp_link@8=list_head\n"                                \
	"struct cgroup_subsys_state 32 cgroup@0:8 flags@8:4\n"                                     \
	"struct cgroup 64 self@0=cgroup_subsys_state flags@32:8 kn@40:8 root@48:8\n"               \
	"struct kernfs_root 16 kn@0:8 syscall_ops@8:8\n"                                           \
	"struct kernfs_node 32 parent@0:8 name@8:8 priv@16:8\n"                                    \
	"struct cgroup_root 256 subsys_mask@8:4 hierarchy_id@12:4 root_list@16=list_head "         \
	"cgrp@32=cgroup flags@96:4 release_agent_path@100:1x64 name@164:1x32\n"                    \
	"struct cgroup_subsys 16 legacy_name@8:8\n"                                                \
	"enum CGROUP_SUBSYS_COUNT=3 CSS_ONLINE=2 cpuset_cgrp_id=1 CGRP_ROOT_NOPREFIX=2 "           \
	"CGRP_ROOT_NS_DELEGATE=8 CGRP_ROOT_FAVOR_DYNMODS=16 "                                      \
	"CGRP_ROOT_MEMORY_RECURSIVE_PROT=64 CGRP_CPUSET_CLONE_CHILDREN=1\n"

typedef struct {
	LinuxGuest g;
	guint64 dfl, old;               /* two hierarchies */
	guint64 dfl_kf, old_kf;         /* their kernfs_root */
	guint64 slice, unit, old_group; /* cgroups */
	guint64 init_set, set, ns, bytes;
	VmifsTask task;
	Linux *os;
	GError *error;
} Fixture;

static guint64
add_node(Fixture *f, guint64 parent, const char *name)
{
	guint64 node = linux_guest_new(&f->g, LINUX_STRUCT_KERNFS_NODE);

	linux_guest_put(&f->g, node, LINUX_FIELD_KERNFS_NODE_PARENT, parent);
	linux_guest_put(&f->g, node, LINUX_FIELD_KERNFS_NODE_NAME, linux_guest_string(&f->g, name));
	return node;
}

static guint64
node_of(Fixture *f, guint64 cgroup)
{
	guint64 at = cgroup + 40 - LINUX_GUEST_BASE, node;

	memcpy(&node, f->g.bytes->data + at, 8);
	return node;
}

static void
fill_cgroup(Fixture *f, guint64 cgroup, guint64 root, guint64 node)
{
	linux_guest_put(&f->g, cgroup, LINUX_FIELD_CGROUP_ROOT, root);
	linux_guest_put(&f->g, cgroup, LINUX_FIELD_CGROUP_KN, node);
	linux_guest_put(&f->g, cgroup, LINUX_FIELD_CSS_FLAGS, 2);
	linux_guest_put(&f->g, node, LINUX_FIELD_KERNFS_NODE_PRIV, cgroup);
}

static guint64
add_cgroup(Fixture *f, guint64 root, guint64 parent, const char *name)
{
	guint64 cgroup = linux_guest_new(&f->g, LINUX_STRUCT_CGROUP);

	fill_cgroup(f, cgroup, root, add_node(f, node_of(f, parent), name));
	return cgroup;
}

static guint64
top_of(Fixture *f, guint64 root)
{
	return linux_guest_at(&f->g, root, LINUX_FIELD_CGROUP_ROOT_CGRP);
}

static guint64
add_root(Fixture *f, guint id, guint64 *ret_kf)
{
	guint64 root = linux_guest_new(&f->g, LINUX_STRUCT_CGROUP_ROOT);
	guint64 node = add_node(f, 0, "");

	linux_guest_put(&f->g, root, LINUX_FIELD_CGROUP_ROOT_ID, id);
	fill_cgroup(f, top_of(f, root), root, node);
	*ret_kf = linux_guest_new(&f->g, LINUX_STRUCT_KERNFS_ROOT);
	linux_guest_put(&f->g, *ret_kf, LINUX_FIELD_KERNFS_ROOT_KN, node);
	return root;
}

static guint64
add_subsystem(Fixture *f, const char *name)
{
	guint64 subsystem = linux_guest_new(&f->g, LINUX_STRUCT_CGROUP_SUBSYS);

	linux_guest_put(&f->g, subsystem, LINUX_FIELD_CGROUP_SUBSYS_LEGACY_NAME,
			linux_guest_string(&f->g, name));
	return subsystem;
}

static void
setup_task(Fixture *f)
{
	LinuxGuest *g = &f->g;
	guint64 pid_ns = linux_guest_new(g, LINUX_STRUCT_PID_NAMESPACE);
	guint64 nsproxy = linux_guest_new(g, LINUX_STRUCT_NSPROXY);
	guint64 init = linux_guest_new(g, LINUX_STRUCT_TASK);

	f->ns = linux_guest_new(g, LINUX_STRUCT_CGROUP_NAMESPACE);
	linux_guest_symbol(g, "init_pid_ns", pid_ns);
	linux_guest_put(g, pid_ns, LINUX_FIELD_PID_NAMESPACE_CHILD_REAPER, init);
	linux_guest_put(g, init, LINUX_FIELD_TASK_NSPROXY, nsproxy);
	linux_guest_put(g, nsproxy, LINUX_FIELD_NSPROXY_CGROUP, f->ns);
	linux_guest_put(g, f->ns, LINUX_FIELD_CGROUP_NAMESPACE_ROOT_CSET, f->init_set);
	f->task.object = linux_guest_new(g, LINUX_STRUCT_TASK);
	linux_guest_put(g, f->task.object, LINUX_FIELD_TASK_CGROUPS, f->set);
}

/* A task in /a/b of the unified hierarchy, and in /x of an older one with cpu and cpuset. */
static void
setup(Fixture *f)
{
	LinuxGuest *g = &f->g;

	*f = (Fixture){ 0 };
	linux_guest_init(g, TYPES);
	f->bytes = linux_guest_alloc(g, 256);
	f->dfl = add_root(f, 0, &f->dfl_kf);
	f->old = add_root(f, 3, &f->old_kf);
	linux_guest_symbol(g, "cgrp_dfl_root", f->dfl);
	linux_guest_symbol(g, "cgrp_dfl_visible", f->bytes);
	linux_guest_u64(g, f->bytes, 1);
	linux_guest_symbol(g, "cgroup_roots", f->bytes + 16);
	linux_guest_ring(g,
			 (guint64[]){ f->bytes + 16,
				      linux_guest_at(g, f->old, LINUX_FIELD_CGROUP_ROOT_LINK),
				      linux_guest_at(g, f->dfl, LINUX_FIELD_CGROUP_ROOT_LINK) },
			 3);
	linux_guest_symbol(g, "cgroup_subsys", f->bytes + 64);
	linux_guest_u64(g, f->bytes + 64, add_subsystem(f, "cpu"));
	linux_guest_u64(g, f->bytes + 72, add_subsystem(f, "cpuset"));
	linux_guest_u64(g, f->bytes + 80, add_subsystem(f, "memory"));
	linux_guest_put(g, f->old, LINUX_FIELD_CGROUP_ROOT_SUBSYS_MASK, 3);
	linux_guest_put(g, f->dfl, LINUX_FIELD_CGROUP_ROOT_SUBSYS_MASK, 4);
	f->slice = add_cgroup(f, f->dfl, top_of(f, f->dfl), "a");
	f->unit = add_cgroup(f, f->dfl, f->slice, "b");
	f->old_group = add_cgroup(f, f->old, top_of(f, f->old), "x");
	f->init_set = linux_guest_new(g, LINUX_STRUCT_CSS_SET);
	linux_guest_symbol(g, "init_css_set", f->init_set);
	f->set = linux_guest_new(g, LINUX_STRUCT_CSS_SET);
	guint64 link = linux_guest_new(g, LINUX_STRUCT_CSET_LINK);
	linux_guest_put(g, f->set, LINUX_FIELD_CSS_SET_DFL_CGRP, f->unit);
	linux_guest_put(g, link, LINUX_FIELD_CSET_LINK_CGRP, f->old_group);
	linux_guest_ring(g,
			 (guint64[]){ linux_guest_at(g, f->set, LINUX_FIELD_CSS_SET_LINKS),
				      linux_guest_at(g, link, LINUX_FIELD_CSET_LINK_LINK) },
			 2);
	setup_task(f);
}

static void
teardown(Fixture *f)
{
	linux_guest_clear(&f->g);
	g_clear_error(&f->error);
}

static void
expect(Fixture *f, const char *text)
{
	g_autoptr(GString) out = g_string_new(NULL);
	Linux *os = linux_guest_start(&f->g);
	ck_assert_msg(linux_render_cgroup(os, &f->task, NULL, out, NULL, &f->error), "%s",
		      f->error ? f->error->message : "");
	ck_assert_str_eq(out->str, text);
	teardown(f);
}

START_TEST(each_hierarchy_has_its_line)
{
	Fixture f;
	setup(&f);
	expect(&f, "3:cpu,cpuset:/x\n0::/a/b\n");
}
END_TEST

START_TEST(named_hierarchy_has_its_name)
{
	Fixture f;
	setup(&f);
	linux_guest_put_text(&f.g, f.old, LINUX_FIELD_CGROUP_ROOT_NAME, "systemd");
	linux_guest_put(&f.g, f.old, LINUX_FIELD_CGROUP_ROOT_SUBSYS_MASK, 0);
	expect(&f, "3:name=systemd:/x\n0::/a/b\n");
}
END_TEST

START_TEST(unified_hierarchy_that_was_never_mounted_is_not_shown)
{
	Fixture f;
	setup(&f);
	linux_guest_u64(&f.g, f.bytes, 0);
	expect(&f, "3:cpu,cpuset:/x\n");
}
END_TEST

START_TEST(first_set_is_at_every_root)
{
	Fixture f;
	setup(&f);
	linux_guest_put(&f.g, f.task.object, LINUX_FIELD_TASK_CGROUPS, f.init_set);
	expect(&f, "3:cpu,cpuset:/\n0::/\n");
}
END_TEST

START_TEST(task_that_has_ended_is_at_the_root_of_old_hierarchies)
{
	Fixture f;
	setup(&f);
	linux_guest_put(&f.g, f.task.object, LINUX_FIELD_TASK_FLAGS, 4);
	expect(&f, "3:cpu,cpuset:/\n0::/a/b\n");
}
END_TEST

START_TEST(removed_cgroup_is_deleted)
{
	Fixture f;
	setup(&f);
	linux_guest_put(&f.g, f.unit, LINUX_FIELD_CSS_FLAGS, 0);
	expect(&f, "3:cpu,cpuset:/x\n0::/a/b (deleted)\n");
}
END_TEST

START_TEST(paths_are_seen_from_the_namespace_of_pid_1)
{
	Fixture f;
	setup(&f);
	guint64 set = linux_guest_new(&f.g, LINUX_STRUCT_CSS_SET);
	guint64 other = add_cgroup(&f, f.dfl, f.slice, "c");
	guint64 head = linux_guest_at(&f.g, set, LINUX_FIELD_CSS_SET_LINKS);
	guint64 link = linux_guest_new(&f.g, LINUX_STRUCT_CSET_LINK);
	linux_guest_put(&f.g, link, LINUX_FIELD_CSET_LINK_CGRP, f.old_group);
	linux_guest_ring(
		&f.g, (guint64[]){ head, linux_guest_at(&f.g, link, LINUX_FIELD_CSET_LINK_LINK) },
		2);
	linux_guest_put(&f.g, set, LINUX_FIELD_CSS_SET_DFL_CGRP, other);
	linux_guest_put(&f.g, f.ns, LINUX_FIELD_CGROUP_NAMESPACE_ROOT_CSET, set);
	expect(&f, "3:cpu,cpuset:/\n0::/../b\n");
}
END_TEST

START_TEST(cgroups_in_a_circle_end)
{
	Fixture f;
	g_autoptr(GString) out = g_string_new(NULL);
	setup(&f);
	linux_guest_put(&f.g, node_of(&f, f.slice), LINUX_FIELD_KERNFS_NODE_PARENT,
			node_of(&f, f.unit));
	Linux *os = linux_guest_start(&f.g);
	ck_assert(!linux_render_cgroup(os, &f.task, NULL, out, NULL, &f.error));
	ck_assert(g_error_matches(f.error, VMIFS_ERROR, VMIFS_ERROR_CORRUPT));
	ck_assert_uint_eq(out->len, 0);
	teardown(&f);
}
END_TEST

START_TEST(links_in_a_circle_end)
{
	Fixture f;
	g_autoptr(GString) out = g_string_new(NULL);
	setup(&f);
	guint64 link = linux_guest_new(&f.g, LINUX_STRUCT_CSET_LINK);
	linux_guest_put(&f.g, link, LINUX_FIELD_CSET_LINK_CGRP, f.unit);
	guint64 node = linux_guest_at(&f.g, link, LINUX_FIELD_CSET_LINK_LINK);
	linux_guest_u64(&f.g, node, node);
	linux_guest_u64(&f.g, node + 8, node);
	linux_guest_u64(&f.g, linux_guest_at(&f.g, f.set, LINUX_FIELD_CSS_SET_LINKS), node);
	Linux *os = linux_guest_start(&f.g);
	ck_assert(!linux_render_cgroup(os, &f.task, NULL, out, NULL, &f.error));
	ck_assert(g_error_matches(f.error, VMIFS_ERROR, VMIFS_ERROR_CORRUPT));
	teardown(&f);
}
END_TEST

START_TEST(cpuset_is_a_path)
{
	Fixture f;
	g_autoptr(GString) out = g_string_new(NULL);
	setup(&f);
	guint64 css = linux_guest_new(&f.g, LINUX_STRUCT_CSS);
	linux_guest_put(&f.g, css, LINUX_FIELD_CSS_CGROUP, f.old_group);
	linux_guest_put_element(&f.g, f.set, LINUX_FIELD_CSS_SET_SUBSYS, 1, css);
	Linux *os = linux_guest_start(&f.g);
	ck_assert(linux_render_cpuset(os, &f.task, NULL, out, NULL, &f.error));
	ck_assert_str_eq(out->str, "/x\n");
	teardown(&f);
}
END_TEST

START_TEST(mounted_part_is_a_path)
{
	Fixture f;
	g_autoptr(GString) out = g_string_new(NULL);
	setup(&f);
	Linux *os = linux_guest_start(&f.g);
	ck_assert(linux_cgroup_path(os, f.dfl_kf, node_of(&f, f.unit), out, &f.error));
	ck_assert_str_eq(out->str, "/a/b");
	teardown(&f);
}
END_TEST

START_TEST(options_are_those_of_the_hierarchy)
{
	Fixture f;
	g_autoptr(GString) out = g_string_new(NULL);
	setup(&f);
	linux_guest_put(&f.g, f.dfl, LINUX_FIELD_CGROUP_ROOT_FLAGS, 8 | 64);
	linux_guest_put(&f.g, f.old, LINUX_FIELD_CGROUP_ROOT_FLAGS, 2 | 16);
	linux_guest_put_text(&f.g, f.old, LINUX_FIELD_CGROUP_ROOT_NAME, "n m");
	linux_guest_put_text(&f.g, f.old, LINUX_FIELD_CGROUP_ROOT_RELEASE_AGENT, "/bin/a,b");
	linux_guest_put(&f.g, top_of(&f, f.old), LINUX_FIELD_CGROUP_FLAGS, 2);
	LinuxCursor c = { .os = linux_guest_start(&f.g) };
	linux_cgroup_options(&c, out);
	g_string_append_c(out, ' ');
	linux_cgroup1_options(&c, f.old_kf, out);
	ck_assert(linux_cursor_end(&c, &f.error));
	ck_assert_str_eq(out->str,
			 ",nsdelegate,memory_recursiveprot ,cpu,cpuset,noprefix,favordynmods,"
			 "release_agent=/bin/a\\054b,clone_children,name=n\\040m");
	teardown(&f);
}
END_TEST

static Suite *
make_suite(void)
{
	Suite *s = suite_create("cgroup");
	TCase *t = tcase_create("cgroup");

	tcase_add_test(t, each_hierarchy_has_its_line);
	tcase_add_test(t, named_hierarchy_has_its_name);
	tcase_add_test(t, unified_hierarchy_that_was_never_mounted_is_not_shown);
	tcase_add_test(t, first_set_is_at_every_root);
	tcase_add_test(t, task_that_has_ended_is_at_the_root_of_old_hierarchies);
	tcase_add_test(t, removed_cgroup_is_deleted);
	tcase_add_test(t, paths_are_seen_from_the_namespace_of_pid_1);
	tcase_add_test(t, cgroups_in_a_circle_end);
	tcase_add_test(t, links_in_a_circle_end);
	tcase_add_test(t, cpuset_is_a_path);
	tcase_add_test(t, mounted_part_is_a_path);
	tcase_add_test(t, options_are_those_of_the_hierarchy);
	suite_add_tcase(s, t);
	return s;
}

VMIFS_UNIT_MAIN(make_suite)
