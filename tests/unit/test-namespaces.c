/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* namespaces: which ones a task is in. */
#include <unit.h>

#include <linux-guest.h>

#define TYPES                                                                                      \
	"struct ns_common 16 ops@0:8 inum@8:4\n"                                                   \
	"struct upid 16 nr@0:4 ns@8:8\n"                                                           \
	"struct pid 64 level@0:4 numbers@16=upidx0\n"                                              \
	"struct pid_namespace 64 child_reaper@8:8 ns@16=ns_common\n"                               \
	"struct mnt_namespace 64 ns@32=ns_common\n"                                                \
	"struct net 64 ns@8=ns_common\n"                                                           \
	"struct nsproxy 64 mnt_ns@8:8 net_ns@16:8 pid_ns_for_children@24:8\n"                      \
	"struct user_namespace 64 ns@32=ns_common\n"                                               \
	"struct cred 16 user_ns@8:8\n"                                                             \
	"struct task_struct 32 nsproxy@0:8 real_cred@8:8 thread_pid@16:8\n"

typedef struct {
	LinuxGuest g;
	guint64 nsproxy, user_ns, children;
	VmifsTask task;
	GError *error;
} Fixture;

static guint64
add_ns(Fixture *f, LinuxStruct structure, LinuxField common, guint number)
{
	guint64 ns = linux_guest_new(&f->g, structure);

	linux_guest_put(&f->g, linux_guest_at(&f->g, ns, common), LINUX_FIELD_NS_COMMON_INUM,
			number);
	return ns;
}

static void
setup(Fixture *f)
{
	LinuxGuest *g = &f->g;
	static const char *const symbols[] = { "netns_get", "pidns_get", "pidns_for_children_get",
					       "userns_get", "mntns_get" };

	*f = (Fixture){ 0 };
	linux_guest_init(g, TYPES);
	for (guint i = 0; i < G_N_ELEMENTS(symbols); i++)
		linux_guest_symbol(g, symbols[i], LINUX_GUEST_BASE + i);
	f->task.object = linux_guest_new(g, LINUX_STRUCT_TASK);
	f->nsproxy = linux_guest_new(g, LINUX_STRUCT_NSPROXY);
	linux_guest_put(g, f->task.object, LINUX_FIELD_TASK_NSPROXY, f->nsproxy);
	linux_guest_put(
		g, f->nsproxy, LINUX_FIELD_NSPROXY_MNT,
		add_ns(f, LINUX_STRUCT_MNT_NAMESPACE, LINUX_FIELD_MNT_NAMESPACE_NS, 4026531840));
	linux_guest_put(g, f->nsproxy, LINUX_FIELD_NSPROXY_NET,
			add_ns(f, LINUX_STRUCT_NET, LINUX_FIELD_NET_NS, 4026531841));
	f->children = add_ns(f, LINUX_STRUCT_PID_NAMESPACE, LINUX_FIELD_PID_NAMESPACE_NS, 7);
	linux_guest_put(g, f->nsproxy, LINUX_FIELD_NSPROXY_PID, f->children);
	linux_guest_put(g, f->children, LINUX_FIELD_PID_NAMESPACE_CHILD_REAPER, 1);
	guint64 pid = linux_guest_new(g, LINUX_STRUCT_PID);
	linux_guest_put(g, pid, LINUX_FIELD_PID_LEVEL, 1);
	linux_guest_put(g, linux_guest_at(g, pid, LINUX_FIELD_PID_NUMBERS) + 16,
			LINUX_FIELD_UPID_NS,
			add_ns(f, LINUX_STRUCT_PID_NAMESPACE, LINUX_FIELD_PID_NAMESPACE_NS, 8));
	linux_guest_put(g, f->task.object, LINUX_FIELD_TASK_THREAD_PID, pid);
	guint64 cred = linux_guest_new(g, LINUX_STRUCT_CRED);
	f->user_ns = add_ns(f, LINUX_STRUCT_USER_NS, LINUX_FIELD_USER_NS_NS, 9);
	linux_guest_put(g, cred, LINUX_FIELD_CRED_USER_NS, f->user_ns);
	linux_guest_put(g, f->task.object, LINUX_FIELD_TASK_REAL_CRED, cred);
}

static void
teardown(Fixture *f)
{
	linux_guest_clear(&f->g);
	g_clear_error(&f->error);
}

START_TEST(kinds_that_the_kernel_has_are_listed)
{
	Fixture f;
	g_autoptr(GPtrArray) names = g_ptr_array_new_with_free_func(g_free);
	setup(&f);
	ck_assert(linux_list_ns(linux_guest_start(&f.g), &f.task, names, NULL, &f.error));
	g_ptr_array_add(names, NULL);
	g_autofree char *text = g_strjoinv(" ", (char **) names->pdata);
	ck_assert_str_eq(text, "net pid pid_for_children user mnt");
	teardown(&f);
}
END_TEST

static const struct {
	const char *entry, *link; /* NULL: no such file */
} links[] = {
	{ "net", "net:[4026531841]" },
	{ "mnt", "mnt:[4026531840]" },
	{ "pid", "pid:[8]" },
	{ "pid_for_children", "pid:[7]" },
	{ "user", "user:[9]" },
	{ "uts", NULL },
	{ "", NULL },
	{ "nets", NULL },
};

START_TEST(links_name_kind_and_number)
{
	Fixture f;
	g_autoptr(GString) out = g_string_new(NULL);
	setup(&f);
	gboolean ok = linux_render_ns(linux_guest_start(&f.g), &f.task, links[_i].entry, out, NULL,
				      &f.error);
	ck_assert_int_eq(ok, links[_i].link != NULL);
	ck_assert_str_eq(out->str, links[_i].link ? links[_i].link : "");
	if (!ok)
		ck_assert(g_error_matches(f.error, VMIFS_ERROR, VMIFS_ERROR_NOT_FOUND));
	teardown(&f);
}
END_TEST

START_TEST(task_that_has_ended_is_in_some_no_more)
{
	Fixture f;
	g_autoptr(GString) out = g_string_new(NULL);
	setup(&f);
	linux_guest_put(&f.g, f.task.object, LINUX_FIELD_TASK_NSPROXY, 0);
	Linux *os = linux_guest_start(&f.g);
	ck_assert(linux_render_ns(os, &f.task, "pid", out, NULL, NULL));
	ck_assert_str_eq(out->str, "pid:[8]");
	ck_assert(!linux_render_ns(os, &f.task, "net", out, NULL, &f.error));
	ck_assert(g_error_matches(f.error, VMIFS_ERROR, VMIFS_ERROR_NOT_FOUND));
	teardown(&f);
}
END_TEST

START_TEST(namespace_without_a_first_process_is_not_told)
{
	Fixture f;
	g_autoptr(GString) out = g_string_new(NULL);
	setup(&f);
	linux_guest_put(&f.g, f.children, LINUX_FIELD_PID_NAMESPACE_CHILD_REAPER, 0);
	ck_assert(!linux_render_ns(linux_guest_start(&f.g), &f.task, "pid_for_children", out, NULL,
				   &f.error));
	ck_assert(g_error_matches(f.error, VMIFS_ERROR, VMIFS_ERROR_NOT_FOUND));
	teardown(&f);
}
END_TEST

static Suite *
make_suite(void)
{
	Suite *s = suite_create("namespaces");
	TCase *t = tcase_create("namespaces");

	tcase_add_test(t, kinds_that_the_kernel_has_are_listed);
	tcase_add_loop_test(t, links_name_kind_and_number, 0, G_N_ELEMENTS(links));
	tcase_add_test(t, task_that_has_ended_is_in_some_no_more);
	tcase_add_test(t, namespace_without_a_first_process_is_not_told);
	suite_add_tcase(s, t);
	return s;
}

VMIFS_UNIT_MAIN(make_suite)
