/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* qemu/growth: no limit is overlooked, and what cannot be told leaves no room. */
#include <unit.h>

#include <backends/qemu/growth.h>
#include <fcntl.h>
#include <glib/gstdio.h>
#include <sys/mman.h>
#include <unistd.h>

typedef struct {
	char *root, *proc;
	int dir;
} Host;

/* text: of /proc/PID/cgroup; files: "PATH=CONTENT", ended by NULL. */
static void
setup(Host *host, const char *text, const char *const *files)
{
	host->root = g_dir_make_tmp("vmifs-growth-XXXXXX", NULL);
	ck_assert_ptr_nonnull(host->root);
	host->proc = g_build_filename(host->root, "proc", NULL);
	ck_assert_int_eq(g_mkdir(host->proc, 0700), 0);
	host->dir = open(host->proc, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	g_autofree char *cgroup = g_build_filename(host->proc, "cgroup", NULL);
	if (text)
		ck_assert(g_file_set_contents(cgroup, text, -1, NULL));
	for (gsize i = 0; files[i]; i++) {
		g_auto(GStrv) words = g_strsplit(files[i], "=", 2);
		g_autofree char *path = g_build_filename(host->root, words[0], NULL);
		g_autofree char *folder = g_path_get_dirname(path);
		ck_assert_int_eq(g_mkdir_with_parents(folder, 0700), 0);
		ck_assert(g_file_set_contents(path, words[1], -1, NULL));
	}
}

static void
teardown(Host *host)
{
	const char *const words[] = { "rm", "-rf", host->root, NULL };

	ck_assert(g_spawn_sync(NULL, (char **) words, NULL, G_SPAWN_SEARCH_PATH, NULL, NULL, NULL,
			       NULL, NULL, NULL));
	close(host->dir);
	g_free(host->root);
	g_free(host->proc);
}

#define NO_LIMIT G_MAXUINT64

static const struct {
	const char *text;
	const char *files[6];
	guint64 left;
} cases[] = {
	/* The least of its own limit and of those above it. */
	{ "0::/a/b\n",
	  { "a/b/cgroup.procs=1", "a/b/memory.max=1000\n", "a/b/memory.current=400\n",
	    "a/memory.max=max\n" },
	  600 },
	{ "0::/a/b\n",
	  { "a/b/cgroup.procs=1", "a/b/memory.max=1000\n", "a/b/memory.current=400\n",
	    "a/memory.max=900\n", "a/memory.current=850\n" },
	  50 },
	{ "0::/a\n",
	  { "a/cgroup.procs=1", "a/memory.max=max\n", "a/memory.high=500\n",
	    "a/memory.current=600\n" },
	  0 },
	{ "0::/a\n",
	  { "a/cgroup.procs=1", "a/memory.max=max\n", "a/memory.current=600\n" },
	  NO_LIMIT },
	{ "0::/\n", { "cgroup.procs=1" }, NO_LIMIT },
	/* Where version 1 has the memory, version 2 has none, whichever is told first. */
	{ "0::/gone\n4:cpu,memory:/a\n",
	  { "memory/a/cgroup.procs=1", "memory/a/memory.limit_in_bytes=1000\n",
	    "memory/a/memory.usage_in_bytes=1\n" },
	  999 },
	{ "4:memory:/a\n1:name=systemd:/x\n0::/gone\n",
	  { "memory/a/cgroup.procs=1", "memory/a/memory.limit_in_bytes=1000\n",
	    "memory/a/memory.usage_in_bytes=1\n" },
	  999 },
	{ "1:name=systemd:/x\n", { "x=y" }, NO_LIMIT },
	/* What cannot be told. */
	{ "0::/gone\n", { "cgroup.procs=1" }, 0 },
	{ "0::/\n", { "x=not mounted" }, 0 },
	{ "0::/../a\n", { "a/cgroup.procs=1", "a/memory.max=max\n" }, 0 },
	{ "0::/a\n", { "a/cgroup.procs=1", "a/memory.max=1000\n" }, 0 },
	{ NULL, { "x=y" }, 0 },
};

START_TEST(least_limit_of_its_cgroups_counts)
{
	Host host;

	setup(&host, cases[_i].text, cases[_i].files);
	ck_assert_uint_eq(qemu_growth_of_cgroup(host.dir, host.root), cases[_i].left);
	teardown(&host);
}
END_TEST

#define ALLOWED(nodes) "Name:\tx\nMems_allowed_list:\t" nodes "\nvoluntary_ctxt_switches:\t1\n"

static const struct {
	const char *files[4];
	guint64 left;
} bound[] = {
	{ { "has_memory=0\n", "proc/cmdline=policy=bind" }, NO_LIMIT },
	{ { "x=y" }, NO_LIMIT },
	{ { "has_memory=0-1\n", "proc/status=" ALLOWED("0-1"), "proc/cmdline=qemu" }, NO_LIMIT },
	{ { "has_memory=0-1\n", "proc/status=" ALLOWED("0"), "proc/cmdline=qemu" }, 0 },
	{ { "has_memory=0,2\n", "proc/status=" ALLOWED("0,2"), "proc/cmdline=a,policy=bind,b" },
	  0 },
	{ { "has_memory=0,2\n", "proc/status=" ALLOWED("0,2"),
	    "proc/cmdline={\"policy\":\"bind\"}" },
	  0 },
	{ { "has_memory=0-1\n", "proc/status=" ALLOWED("0-1") }, 0 },
};

START_TEST(memory_of_some_nodes_may_be_used_up)
{
	Host host;

	setup(&host, NULL, bound[_i].files);
	ck_assert_uint_eq(qemu_growth_of_nodes(host.dir, host.root), bound[_i].left);
	teardown(&host);
}
END_TEST

START_TEST(memory_of_no_file_system_has_no_limit)
{
	int memory = memfd_create("x", MFD_CLOEXEC), file = open("/", O_RDONLY | O_CLOEXEC);

	ck_assert_uint_eq(qemu_growth_of_file(memory), NO_LIMIT);
	ck_assert_uint_lt(qemu_growth_of_file(file), NO_LIMIT);
	ck_assert_uint_eq(qemu_growth_of_file(-1), 0);
	close(memory);
	close(file);
}
END_TEST

START_TEST(this_host_tells_what_it_has)
{
	ck_assert_uint_gt(qemu_growth_available(), 1 << 20);
	ck_assert_uint_lt(qemu_growth_available(), (guint64) 1 << 50);
}
END_TEST

static Suite *
growth_suite(void)
{
	Suite *s = suite_create("qemu-growth");
	TCase *t = tcase_create("limits");
	tcase_add_loop_test(t, least_limit_of_its_cgroups_counts, 0, G_N_ELEMENTS(cases));
	tcase_add_loop_test(t, memory_of_some_nodes_may_be_used_up, 0, G_N_ELEMENTS(bound));
	tcase_add_test(t, memory_of_no_file_system_has_no_limit);
	tcase_add_test(t, this_host_tells_what_it_has);
	suite_add_tcase(s, t);
	return s;
}

VMIFS_UNIT_MAIN(growth_suite)
