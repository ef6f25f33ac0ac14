/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * discover: from a text guest to processes, with the toy system: candidates are ranked, liars
 * lose and are listed, nothing found is said so.
 */
#include <unit.h>

#include <errno.h>
#include <glib/gstdio.h>
#include <unistd.h>
#include <vmifs/vmifs.h>

/*
 * Kernel root at 0x1000 maps 0xffff800000000000 to 0x8000 (the task array); task 7's root at
 * 0x10000 maps 0x1000 to 0x20000 and, not present, 0x2000 to 0x21000; its shadow root at 0x14000
 * maps 0x1000 to 0x22000.
 */
static const char tables[] = "ram 0 0x40000\n"
			     "u64 0x1800 0x2003\n" /* PML4[256] */
			     "u64 0x2000 0x3003\n"
			     "u64 0x3000 0x4003\n"
			     "u64 0x4000 0x8003\n"
			     "u64 0x10000 0x11007\n"
			     "u64 0x11000 0x12007\n"
			     "u64 0x12000 0x13007\n"
			     "u64 0x13008 0x20007\n"
			     "u64 0x13010 0x21800\n"
			     "u64 0x14000 0x15007\n"
			     "u64 0x15000 0x16007\n"
			     "u64 0x16000 0x17007\n"
			     "u64 0x17008 0x22007\n"
			     "string 0x20000 \"own memory\"\n"
			     "string 0x21000 \"in transition\"\n"
			     "string 0x22000 \"shadow memory\"\n"
			     /* task 7 of parent 1, and 1, a kernel task */
			     "u32 0x8000 7\nu32 0x8004 1\nu64 0x8008 0x10000\nu64 0x8010 0x14000\n"
			     "string 0x8018 \"seven\"\nu64 0x8028 99\n"
			     "u32 0x8030 1\nstring 0x8048 \"init\"\n";

static const char true_header[] = "string 0x5000 \"TOY-OS!\"\nu64 0x5008 0x1000\n"
				  "u64 0x5010 0xffff800000000000\nu32 0x5018 2\nu32 0x501c 1\n";

/* An earlier boot: all right, but not alive; and a header that points nowhere. */
static const char stale_header[] = "string 0x3f000 \"TOY-OS!\"\nu64 0x3f008 0x1000\n"
				   "u64 0x3f010 0xffff800000000000\nu32 0x3f018 1\n";
static const char lying_header[] = "string 0x3e000 \"TOY-OS!\"\nu64 0x3e008 0x7777000\n";

static char path[] = "/tmp/vmifs-test-discover-XXXXXX";

static VmifsHost *
make_host(const char *a, const char *b, const char *c, VmifsOptions *options)
{
	VmifsOptions none = { .size = sizeof none };
	g_autoptr(GError) error = NULL;
	g_autofree char *text = g_strconcat("vmifs-text-guest 1\n", a, b, c, NULL);
	int fd = g_mkstemp(path);
	ck_assert_int_ge(fd, 0);
	ck_assert_int_eq(write(fd, text, strlen(text)), (gssize) strlen(text));
	close(fd);
	VmifsHost *host = vmifs_host_new(options ? options : &none, &error);
	g_autofree char *spec = g_strdup_printf("toy=%s", path);
	gboolean added = vmifs_host_add(host, spec, &error);
	g_unlink(path);
	ck_assert_msg(added, "%s", error ? error->message : "");
	return host;
}

static char *
info_of(VmifsGuest *guest)
{
	GString *out = g_string_new(NULL);
	vmifs_guest_wait(guest, NULL, NULL);
	vmifs_guest_info(guest, out);
	return g_string_free(out, FALSE);
}

START_TEST(processes_are_found_and_read)
{
	g_autoptr(VmifsHost) host = make_host(tables, true_header, "", NULL);
	g_autoptr(VmifsGuest) guest = vmifs_host_find(host, "toy");
	g_autoptr(GError) error = NULL;
	g_autoptr(VmifsTaskList) list = vmifs_guest_tasks(guest, NULL, &error);
	ck_assert_msg(list != NULL, "%s", error ? error->message : "");
	const VmifsTask *task = vmifs_task_list_find(list, 7);
	ck_assert_str_eq(task->comm, "seven");
	ck_assert_uint_eq(task->ppid, 1);

	g_autoptr(VmifsAspace) aspace = vmifs_guest_task_aspace(guest, task, NULL, &error);
	g_autofree char *own = vmifs_aspace_read_string(aspace, 0x1000, 64, NULL);
	g_autofree char *transition = vmifs_aspace_read_string(aspace, 0x2000, 64, NULL);
	ck_assert_str_eq(own, "own memory");
	ck_assert_str_eq(transition, "in transition");

	gsize n;
	const VmifsView *views = vmifs_guest_views(guest, &n);
	g_autoptr(GString) shadow = g_string_new(NULL);
	ck_assert_uint_eq(n, 2);
	ck_assert(vmifs_guest_render(guest, views, task, NULL, shadow, NULL, NULL));
	ck_assert_str_eq(shadow->str, "of 7: shadow memory");
}
END_TEST

START_TEST(kernel_task_has_no_memory)
{
	g_autoptr(VmifsHost) host = make_host(tables, true_header, "", NULL);
	g_autoptr(VmifsGuest) guest = vmifs_host_find(host, "toy");
	g_autoptr(VmifsTaskList) list = vmifs_guest_tasks(guest, NULL, NULL);
	g_autoptr(GError) error = NULL;
	ck_assert_ptr_null(
		vmifs_guest_task_aspace(guest, vmifs_task_list_find(list, 1), NULL, &error));
	ck_assert_int_eq(vmifs_error_to_errno(error), EIO);
}
END_TEST

START_TEST(list_of_an_image_is_read_once)
{
	g_autoptr(VmifsHost) host = make_host(tables, true_header, "u32 0x5020 1\n", NULL);
	g_autoptr(VmifsGuest) guest = vmifs_host_find(host, "toy");
	g_autoptr(VmifsTaskList) list = vmifs_guest_tasks(guest, NULL, NULL);
	g_autoptr(GArray) vmas =
		vmifs_guest_task_vmas(guest, vmifs_task_list_find(list, 7), NULL, NULL);
	g_autoptr(GString) log = g_string_new(NULL);
	ck_assert_uint_eq(vmas->len, 1);
	vmifs_guest_log_text(guest, log);
	ck_assert_ptr_nonnull(strstr(log->str, "partial, read once"));
}
END_TEST

START_TEST(view_that_fails_adds_nothing)
{
	g_autoptr(VmifsHost) host = make_host(tables, true_header, "", NULL);
	g_autoptr(VmifsGuest) guest = vmifs_host_find(host, "toy");
	g_autoptr(VmifsTaskList) list = vmifs_guest_tasks(guest, NULL, NULL);
	g_autoptr(GString) text = g_string_new("before");
	g_autoptr(GError) error = NULL;
	gsize n;
	const VmifsView *views = vmifs_guest_views(guest, &n);
	ck_assert(!vmifs_guest_render(guest, views, vmifs_task_list_find(list, 1), NULL, text, NULL,
				      &error));
	ck_assert_ptr_nonnull(error);
	ck_assert_str_eq(text->str, "before");
}
END_TEST

/* 7: with memory, 1: without, for which there is no such text. */
START_TEST(slow_text_that_tasks_share_is_made_once)
{
	g_autoptr(VmifsHost) host = make_host(tables, true_header, "", NULL);
	g_autoptr(VmifsGuest) guest = vmifs_host_find(host, "toy");
	g_autoptr(VmifsTaskList) list = vmifs_guest_tasks(guest, NULL, NULL);
	g_autofree char *first = NULL;
	guint32 pid = _i ? 1 : 7;
	VmifsTask task = *vmifs_task_list_find(list, pid);
	gsize n;
	const VmifsView *views = vmifs_guest_views(guest, &n);
	for (guint i = 0; i < 3; i++) {
		g_autoptr(GString) text = g_string_new(NULL);
		g_autoptr(GError) error = NULL;
		task.pid += 1;
		gboolean made =
			vmifs_guest_render(guest, &views[1], &task, NULL, text, NULL, &error);
		ck_assert_int_eq(made, task.mm != 0);
		const char *said = made ? text->str : error->message;
		if (first)
			ck_assert_str_eq(said, first);
		else
			first = g_strdup(said);
	}
}
END_TEST

START_TEST(text_of_other_memory_is_not_taken_for_it)
{
	g_autoptr(VmifsHost) host = make_host(tables, true_header, "", NULL);
	g_autoptr(VmifsGuest) guest = vmifs_host_find(host, "toy");
	g_autoptr(VmifsTaskList) list = vmifs_guest_tasks(guest, NULL, NULL);
	g_autoptr(GString) one = g_string_new(NULL), other = g_string_new(NULL);
	VmifsTask task = *vmifs_task_list_find(list, 7);
	gsize n;
	const VmifsView *views = vmifs_guest_views(guest, &n);
	ck_assert(vmifs_guest_render(guest, &views[1], &task, NULL, one, NULL, NULL));
	task.mm += 4096;
	ck_assert(vmifs_guest_render(guest, &views[1], &task, NULL, other, NULL, NULL));
	ck_assert_str_ne(one->str, other->str);
}
END_TEST

START_TEST(stale_and_lying_candidates_lose_and_are_listed)
{
	g_autofree char *liars = g_strconcat(stale_header, lying_header, NULL);
	g_autoptr(VmifsHost) host = make_host(tables, liars, true_header, NULL);
	g_autoptr(VmifsGuest) guest = vmifs_host_find(host, "toy");
	g_autofree char *info = info_of(guest);
	ck_assert_msg(strstr(info, "attached, score 100") && strstr(info, "header at 0x5000 in"),
		      "%s", info);
	ck_assert_msg(strstr(info, "lost, score 50") && strstr(info, "header at 0x3f000 in"), "%s",
		      info);
	ck_assert_msg(strstr(info, "seen: a header at 0x3e000"), "%s", info);
	g_autoptr(VmifsTaskList) list = vmifs_guest_tasks(guest, NULL, NULL);
	ck_assert_uint_eq(vmifs_task_list_count(list), 2);
}
END_TEST

START_TEST(certain_candidate_that_does_not_attach_leaves_the_full_pass_to_find_another)
{
	static const char refused[] = "string 0x5000 \"TOY-OS!\"\nu64 0x5008 0x1000\n"
				      "u64 0x5010 0xffff800000000000\nu32 0x5018 100000000\n"
				      "u32 0x501c 1\n";
	static const char other[] = "string 0x6010 \"TOY-OS?\"\nu64 0x6018 0x1000\n"
				    "u64 0x6020 0xffff800000000000\nu32 0x6028 2\n";
	g_autoptr(VmifsHost) host = make_host(tables, refused, other, NULL);
	g_autoptr(VmifsGuest) guest = vmifs_host_find(host, "toy");
	g_autofree char *info = info_of(guest);
	ck_assert_msg(strstr(info, "attached, score 50") && strstr(info, "header at 0x6010 in"),
		      "%s", info);
	ck_assert_msg(strstr(info, "failed, score 100") && strstr(info, "too many tasks"), "%s",
		      info);
	g_autoptr(VmifsTaskList) list = vmifs_guest_tasks(guest, NULL, NULL);
	ck_assert_uint_eq(vmifs_task_list_count(list), 2);
}
END_TEST

/* Each header gives a candidate for each of two modes. */
START_TEST(list_of_candidates_is_bounded)
{
	g_autoptr(GString) headers = g_string_new("ram 0x1000000 0xa00000\n");
	for (guint i = 0; i < 33; i++) {
		guint at = 0x1000000 + i / 8 * 0x200000 + i % 8 * 0x1000;
		g_string_append_printf(headers,
				       "string %#x \"TOY-OS!\"\nu64 %#x 0x1000\n"
				       "u64 %#x 0xffff800000000000\n",
				       at, at + 8, at + 16);
	}
	g_autoptr(VmifsHost) host = make_host(tables, headers->str, "", NULL);
	g_autoptr(VmifsGuest) guest = vmifs_host_find(host, "toy");
	g_autofree char *info = info_of(guest);
	guint n = 0;
	for (const char *line = info; (line = strstr(line, "candidate: ")); line++)
		n++;
	ck_assert_uint_eq(n, 65);
	ck_assert_msg(strstr(info, "\ncandidate: and 2 more\n"), "%s", info);
}
END_TEST

START_TEST(unknown_guest_says_what_was_tried)
{
	g_autoptr(VmifsHost) host = make_host(tables, "", "", NULL);
	g_autoptr(VmifsGuest) guest = vmifs_host_find(host, "toy");
	g_autoptr(GError) error = NULL;
	g_autofree char *info = info_of(guest);
	ck_assert_msg(strstr(info, "os: unknown") && strstr(info, "tried: toy"), "%s", info);
	ck_assert(!vmifs_guest_wait(guest, NULL, &error));
	ck_assert_int_eq(vmifs_error_to_errno(error), EOPNOTSUPP);
	g_clear_error(&error);
	ck_assert_ptr_null(vmifs_guest_kernel_aspace(guest, NULL, &error));
	ck_assert_int_eq(vmifs_error_to_errno(error), EOPNOTSUPP);
}
END_TEST

START_TEST(named_root_gives_kernel_memory_of_unknown_guest)
{
	VmifsOptions options = { .size = sizeof options, .has_root = TRUE, .root = 0x1000 };
	g_autoptr(VmifsHost) host = make_host(tables, "", "", &options);
	g_autoptr(VmifsGuest) guest = vmifs_host_find(host, "toy");
	g_autoptr(VmifsAspace) aspace = vmifs_guest_kernel_aspace(guest, NULL, NULL);
	guint32 pid;
	ck_assert_ptr_nonnull(aspace);
	ck_assert_str_eq(vmifs_aspace_mode(aspace), "x86_64 4-level");
	ck_assert(vmifs_aspace_read_u32(aspace, 0xffff800000000000, &pid, NULL));
	ck_assert_uint_eq(pid, 7);
}
END_TEST

START_TEST(unknown_guest_with_an_arch_that_was_given_says_to_leave_it_out)
{
	VmifsOptions options = { .size = sizeof options, .arch = "aarch64" };
	g_autoptr(VmifsHost) host = make_host(tables, true_header, "", &options);
	g_autoptr(VmifsGuest) guest = vmifs_host_find(host, "toy");
	g_autofree char *info = info_of(guest);
	ck_assert_msg(strstr(info, "os: unknown\n"), "%s", info);
	ck_assert_msg(strstr(info, "\nhint: no kernel was found with the arch= that was given"),
		      "%s", info);
}
END_TEST

START_TEST(kernel_with_another_root_than_the_named_one_is_refused)
{
	VmifsOptions options = { .size = sizeof options, .has_root = TRUE, .root = 0x14000 };
	g_autoptr(VmifsHost) host = make_host(tables, true_header, "", &options);
	g_autoptr(VmifsGuest) guest = vmifs_host_find(host, "toy");
	g_autofree char *info = info_of(guest);
	ck_assert_msg(strstr(info, "os: unknown\n"), "%s", info);
	ck_assert_msg(strstr(info, "candidate: refused, ") &&
			      strstr(info, ": root=0x14000 was given\n"),
		      "%s", info);
	ck_assert_msg(strstr(info, "\nhint: no kernel was found by the root= that was given"), "%s",
		      info);
}
END_TEST

START_TEST(unknown_arch_is_refused_by_name)
{
	VmifsOptions options = { .size = sizeof options, .arch = "vax" };
	g_autoptr(GError) error = NULL;
	ck_assert_ptr_null(vmifs_host_new(&options, &error));
	ck_assert_msg(strstr(error->message, "arch=vax") && strstr(error->message, "x86_64"), "%s",
		      error->message);
}
END_TEST

static Suite *
make_suite(void)
{
	Suite *s = suite_create("discover");
	TCase *t = tcase_create("discover");
	tcase_add_test(t, processes_are_found_and_read);
	tcase_add_test(t, kernel_task_has_no_memory);
	tcase_add_test(t, list_of_an_image_is_read_once);
	tcase_add_test(t, view_that_fails_adds_nothing);
	tcase_add_loop_test(t, slow_text_that_tasks_share_is_made_once, 0, 2);
	tcase_add_test(t, text_of_other_memory_is_not_taken_for_it);
	tcase_add_test(t, stale_and_lying_candidates_lose_and_are_listed);
	tcase_add_test(t,
		       certain_candidate_that_does_not_attach_leaves_the_full_pass_to_find_another);
	tcase_add_test(t, list_of_candidates_is_bounded);
	tcase_add_test(t, unknown_guest_says_what_was_tried);
	tcase_add_test(t, named_root_gives_kernel_memory_of_unknown_guest);
	tcase_add_test(t, unknown_guest_with_an_arch_that_was_given_says_to_leave_it_out);
	tcase_add_test(t, kernel_with_another_root_than_the_named_one_is_refused);
	tcase_add_test(t, unknown_arch_is_refused_by_name);
	suite_add_tcase(s, t);
	return s;
}

VMIFS_UNIT_MAIN(make_suite)
