/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* about: tasks that see the same have the same words, and others do not. */
#include <unit.h>

#include <linux-guest.h>

#define TYPES                                                                                      \
	"struct path 16 mnt@0:8 dentry@8:8\n"                                                      \
	"struct fs_struct 16 root@0=path\n"                                                        \
	"struct nsproxy 32 net_ns@8:8 mnt_ns@16:8\n"                                               \
	"struct task_struct 64 nsproxy@0:8 fs@8:8 cgroups@16:8 flags@24:4\n"

typedef struct {
	LinuxGuest g;
	VmifsTask tasks[2];
	guint64 proxies[2], fs[2];
} Fixture;

/* Two tasks of the same namespaces, with the same root, each with structures of its own. */
static void
setup(Fixture *f)
{
	LinuxGuest *g = &f->g;

	*f = (Fixture){ 0 };
	linux_guest_init(g, TYPES);
	for (gsize i = 0; i < 2; i++) {
		guint64 task = linux_guest_new(g, LINUX_STRUCT_TASK);
		f->tasks[i] = (VmifsTask){ .pid = 1, .tgid = 1, .object = task, .mm = 0x5000 };
		f->proxies[i] = linux_guest_new(g, LINUX_STRUCT_NSPROXY);
		f->fs[i] = linux_guest_new(g, LINUX_STRUCT_FS);
		linux_guest_put(g, f->proxies[i], LINUX_FIELD_NSPROXY_NET, 0x4000);
		linux_guest_put(g, f->proxies[i], LINUX_FIELD_NSPROXY_MNT, 0x6000);
		linux_guest_u64(g, f->fs[i], 0x7000);
		linux_guest_u64(g, f->fs[i] + 8, 0x8000);
		linux_guest_put(g, task, LINUX_FIELD_TASK_NSPROXY, f->proxies[i]);
		linux_guest_put(g, task, LINUX_FIELD_TASK_FS, f->fs[i]);
		linux_guest_put(g, task, LINUX_FIELD_TASK_CGROUPS, 0x9000);
	}
}

typedef LINUX_ABOUT((*About));

static gboolean
are_alike(Fixture *f, About about)
{
	guint64 words[2][VMIFS_VIEW_WORDS] = { 0 };
	Linux *os = linux_guest_start(&f->g);

	for (gsize i = 0; i < 2; i++)
		ck_assert(about(os, &f->tasks[i], NULL, words[i]));
	ck_assert_uint_ne(words[0][0], 0);
	return !memcmp(words[0], words[1], sizeof words[0]);
}

static const About abouts[] = { linux_about_net, linux_about_memory, linux_about_mounts,
				linux_about_cgroup };

START_TEST(tasks_that_see_the_same_have_the_same_words)
{
	Fixture f;
	setup(&f);
	ck_assert(are_alike(&f, abouts[_i]));
	linux_guest_clear(&f.g);
}
END_TEST

START_TEST(another_network_is_told_apart)
{
	Fixture f;
	setup(&f);
	linux_guest_put(&f.g, f.proxies[1], LINUX_FIELD_NSPROXY_NET, 0xa000);
	ck_assert(!are_alike(&f, linux_about_net));
	linux_guest_clear(&f.g);
}
END_TEST

START_TEST(other_memory_is_told_apart)
{
	Fixture f;
	setup(&f);
	f.tasks[1].mm = 0xa000;
	ck_assert(!are_alike(&f, linux_about_memory));
	linux_guest_clear(&f.g);
}
END_TEST

/* 0: another namespace; 1 and 2: another root, on its mount or on another. */
START_TEST(other_mounts_are_told_apart)
{
	Fixture f;
	setup(&f);
	if (_i == 0)
		linux_guest_put(&f.g, f.proxies[1], LINUX_FIELD_NSPROXY_MNT, 0xa000);
	else
		linux_guest_u64(&f.g, f.fs[1] + (_i == 1 ? 0 : 8), 0xa000);
	ck_assert(!are_alike(&f, linux_about_mounts));
	linux_guest_clear(&f.g);
}
END_TEST

/* 1: one that is ending shows nothing of the older hierarchies. */
START_TEST(other_cgroups_are_told_apart)
{
	Fixture f;
	setup(&f);
	if (_i == 0)
		linux_guest_put(&f.g, f.tasks[1].object, LINUX_FIELD_TASK_CGROUPS, 0xa000);
	else
		linux_guest_put(&f.g, f.tasks[1].object, LINUX_FIELD_TASK_FLAGS, 4);
	ck_assert(!are_alike(&f, linux_about_cgroup));
	linux_guest_clear(&f.g);
}
END_TEST

START_TEST(task_without_it_shares_nothing)
{
	Fixture f;
	guint64 words[VMIFS_VIEW_WORDS] = { 0 };
	setup(&f);
	f.tasks[0].mm = 0;
	linux_guest_put(&f.g, f.tasks[0].object, LINUX_FIELD_TASK_NSPROXY, 0);
	linux_guest_put(&f.g, f.tasks[1].object, LINUX_FIELD_TASK_FS, 0);
	Linux *os = linux_guest_start(&f.g);
	ck_assert(!linux_about_net(os, &f.tasks[0], NULL, words));
	ck_assert(!linux_about_memory(os, &f.tasks[0], NULL, words));
	ck_assert(!linux_about_mounts(os, &f.tasks[0], NULL, words));
	ck_assert(!linux_about_mounts(os, &f.tasks[1], NULL, words));
	linux_guest_clear(&f.g);
}
END_TEST

static Suite *
make_suite(void)
{
	Suite *s = suite_create("about");
	TCase *t = tcase_create("about");
	tcase_add_loop_test(t, tasks_that_see_the_same_have_the_same_words, 0, 4);
	tcase_add_test(t, another_network_is_told_apart);
	tcase_add_test(t, other_memory_is_told_apart);
	tcase_add_loop_test(t, other_mounts_are_told_apart, 0, 3);
	tcase_add_loop_test(t, other_cgroups_are_told_apart, 0, 2);
	tcase_add_test(t, task_without_it_shares_nothing);
	suite_add_tcase(s, t);
	return s;
}

VMIFS_UNIT_MAIN(make_suite)
