/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* picture-room: where a picture is kept, and what there is no room for; its files have no names. */
#include <picture-folder.h>

#include <errno.h>
#include <fcntl.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/syscall.h>

/* Than this disk has, and than any machine. */
static const struct {
	guint64 len;
	const char *says;
} too_much[] = {
	/* What is noted of its pages is gigabytes, too: more than a 32-bit host has addresses. */
	{ (guint64) 15 << 40, sizeof(gpointer) == 8 ? "snapdir=" : "there is no memory" },
	{ (guint64) 1 << 60, "there is no memory" },
};

START_TEST(more_than_there_is_room_for_is_refused_at_first)
{
	Fake *fake = fake_new(0);
	VmifsRegion region = { .len = too_much[_i].len, .block = 1 };
	fake->blocks[1].len = region.len;
	fake->regions = &region;
	fake->n_regions = 1;
	g_autoptr(VmifsPhysmem) mem = fake_mem(fake);
	g_autoptr(GError) error = NULL;

	ck_assert_ptr_null(vmifs_picture_writer_new(mem, NULL, folder, &error));
	ck_assert(g_error_matches(error, VMIFS_ERROR, VMIFS_ERROR_NO_SPACE));
	ck_assert_msg(strstr(error->message, too_much[_i].says) != NULL, "%s", error->message);
}
END_TEST

START_TEST(a_folder_that_cannot_be_used_is_named)
{
	g_autoptr(VmifsPhysmem) mem = fake_mem(fake_new(0));
	g_autoptr(GError) error = NULL;

	ck_assert_ptr_null(vmifs_picture_writer_new(mem, NULL, "/nowhere/at/all", &error));
	ck_assert(g_error_matches(error, VMIFS_ERROR, VMIFS_ERROR_IO));
	ck_assert_ptr_nonnull(strstr(error->message, "/nowhere/at/all"));
}
END_TEST

/* From now on no file can be opened without a name, as on file systems that cannot. */
static gboolean
forbid_nameless(void)
{
	struct sock_filter code[] = {
		BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr)),
		BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, __NR_openat, 0, 3),
		BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, args[2])),
		BPF_JUMP(BPF_JMP | BPF_JSET | BPF_K, O_TMPFILE & ~O_DIRECTORY, 0, 1),
		BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ERRNO | EOPNOTSUPP),
		BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
	};
	struct sock_fprog program = { G_N_ELEMENTS(code), code };

	return !prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) &&
	       !prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &program);
}

START_TEST(a_file_with_a_name_loses_it_at_once)
{
	g_autoptr(VmifsPhysmem) mem = fake_mem(fake_new(0));
	g_autoptr(GDir) dir = NULL;

	ck_assert(forbid_nameless());
	ck_assert_int_lt(open(folder, O_TMPFILE | O_RDWR, 0600), 0);
	VmifsPictureWriter *writer = begin(mem, NULL);
	dir = g_dir_open(folder, 0, NULL);
	ck_assert_ptr_null(g_dir_read_name(dir));
	tell(writer, "ab.cdefg");
	g_autoptr(VmifsPicture) picture = finish(writer);
	assert_letters(picture, "ab.cdefg");
}
END_TEST

/* While it stands nothing may be asserted: what the test says of itself goes to a file, too. */
static void
set_limit(rlim_t len)
{
	struct rlimit limit = { len, RLIM_INFINITY };

	setrlimit(RLIMIT_FSIZE, &limit);
}

START_TEST(the_limit_for_files_is_no_end_of_us)
{
	g_autoptr(VmifsPhysmem) mem = fake_mem(fake_new(0));
	g_autoptr(GError) error = NULL;

	set_limit(5 * PAGE);
	g_autoptr(VmifsPictureWriter) writer = vmifs_picture_writer_new(mem, NULL, folder, &error);
	set_limit(RLIM_INFINITY);
	ck_assert_ptr_null(writer);
	ck_assert(g_error_matches(error, VMIFS_ERROR, VMIFS_ERROR_NO_SPACE));
}
END_TEST

START_TEST(room_that_ends_meanwhile_ends_the_picture)
{
	g_autoptr(VmifsPhysmem) mem = fake_mem(fake_new(0));
	g_autoptr(GError) error = NULL;
	guint8 page[PAGE];

	memset(page, 'x', PAGE);
	signal(SIGXFSZ, SIG_IGN);
	VmifsPictureWriter *writer = begin(mem, NULL);
	set_limit(5 * PAGE);
	gboolean written = vmifs_picture_write(writer, 1, 3 * PAGE, page, PAGE, &error);
	set_limit(RLIM_INFINITY);
	ck_assert(!written);
	ck_assert(g_error_matches(error, VMIFS_ERROR, VMIFS_ERROR_NO_SPACE));
	g_clear_error(&error);
	/* Whatever its backend thinks of it. */
	ck_assert(vmifs_picture_write(writer, 1, 3 * PAGE, page, PAGE, NULL));
	ck_assert_ptr_null(vmifs_picture_writer_end(writer, &error));
	ck_assert(g_error_matches(error, VMIFS_ERROR, VMIFS_ERROR_NO_SPACE));
}
END_TEST

static Suite *
make_suite(void)
{
	Suite *suite = suite_create("picture-room");
	TCase *tests = tcase_create("all");

	tcase_add_checked_fixture(tests, setup, teardown);
	tcase_add_loop_test(tests, more_than_there_is_room_for_is_refused_at_first, 0,
			    G_N_ELEMENTS(too_much));
	tcase_add_test(tests, a_folder_that_cannot_be_used_is_named);
	tcase_add_test(tests, a_file_with_a_name_loses_it_at_once);
	tcase_add_test(tests, the_limit_for_files_is_no_end_of_us);
	tcase_add_test(tests, room_that_ends_meanwhile_ends_the_picture);
	suite_add_tcase(suite, tests);
	return suite;
}

VMIFS_UNIT_MAIN(make_suite)
