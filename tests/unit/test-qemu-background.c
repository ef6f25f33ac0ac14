/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * qemu/background, qemu/sharers: QEMU's way is taken where it is better than a copy, and where
 * nobody writes to memory behind QEMU's back.
 */
#include <qemu-subject.h>

#include <backends/qemu/background.h>
#include <backends/qemu/sharers.h>
#include <fcntl.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>

#define GIB ((guint64) 1 << 30)
#define DEVICES(qtree, network) "hmp info qtree\n\t" qtree "\nhmp info network\n\t" network "\n"

/* ---- what it costs ---- */

START_TEST(way_is_chosen_by_what_either_costs)
{
	static const struct {
		QemuWeight weight;
		const char *why; /* NULL: in the background */
	} cases[] = {
		{ { GIB, 0, 0 }, NULL },
		{ { GIB, GIB / 8, GIB }, NULL },
		{ { GIB, GIB, G_MAXUINT64 }, NULL },
		{ { 255 * MIB, 0, GIB }, "is little" },
		{ { 256 * MIB, 0, GIB }, NULL },
		{ { GIB, GIB + 1, G_MAXUINT64 }, "most of it is not there" },
		{ { GIB, GIB / 8, GIB / 2 - 4 }, "no room" },
		{ { GIB, 1, 0 }, "no room" },
	};
	g_autoptr(GError) error = NULL;

	ck_assert_int_eq(qemu_background_is_worth(&cases[_i].weight, &error), !cases[_i].why);
	if (!cases[_i].why)
		return;
	ck_assert_uint_eq((guint) error->code, VMIFS_ERROR_UNSUPPORTED);
	ck_assert_ptr_nonnull(strstr(error->message, cases[_i].why));
}
END_TEST

START_TEST(memory_of_the_process_is_always_taken_in_the_background)
{
	Guest guest;

	setup(&guest, OTHER_ANONYMOUS, NULL, NULL);
	ck_assert(qemu_background_suits(&guest.subject, NULL, NULL));
	teardown(&guest);
}
END_TEST

START_TEST(private_files_and_little_memory_are_copied)
{
	static const struct {
		OtherKind kind;
		const char *why;
	} cases[] = { { OTHER_FILE_PRIVATE, "private" }, { OTHER_MEMFD, "is little" } };
	g_autoptr(GError) error = NULL;
	Guest guest;

	setup(&guest, cases[_i].kind, NULL, NULL);
	ck_assert(!qemu_background_suits(&guest.subject, NULL, &error));
	ck_assert_uint_eq((guint) error->code, VMIFS_ERROR_UNSUPPORTED);
	ck_assert_ptr_nonnull(strstr(error->message, cases[_i].why));
	teardown(&guest);
}
END_TEST

/* ---- who else has it ---- */

typedef enum {
	NOBODY,
	HAS_IT_OPEN,
	HAS_IT_MAPPED,
	READS_IT,
	MAPS_IT_PRIVATELY,
	N_OTHERS,
} Other;

/* A third process. Returns once it is what it is to be. */
static pid_t
begin(const Guest *guest, Other kind)
{
	g_autofree char *path = g_strdup_printf(
		"/proc/%d/map_files/%" G_GINT64_MODIFIER "x-%" G_GINT64_MODIFIER "x",
		(int) other_process_pid(guest->other), other_process_address(guest->other),
		other_process_address(guest->other) + LEN);
	int ends[2];
	char byte;

	ck_assert_int_eq(pipe(ends), 0);
	pid_t pid = fork();
	ck_assert_int_ge(pid, 0);
	if (pid) {
		close(ends[1]);
		ck_assert_int_eq(read(ends[0], &byte, 1), 1);
		close(ends[0]);
		return pid;
	}
	prctl(PR_SET_PDEATHSIG, SIGKILL);
	int fd = kind == NOBODY ? -1 : open(path, kind == READS_IT ? O_RDONLY : O_RDWR);
	int prot = PROT_READ | (kind == READS_IT ? 0 : PROT_WRITE);
	if (kind == HAS_IT_MAPPED || kind == READS_IT || kind == MAPS_IT_PRIVATELY)
		mmap(NULL, MIB, prot, kind == MAPS_IT_PRIVATELY ? MAP_PRIVATE : MAP_SHARED, fd, 0);
	if (kind == HAS_IT_MAPPED || kind == MAPS_IT_PRIVATELY)
		close(fd);
	if (kind != NOBODY && fd < 0)
		_exit(1);
	if (write(ends[1], "", 1) == 1)
		pause();
	_exit(1);
}

static const char *const why[N_OTHERS] = {
	[HAS_IT_OPEN] = "has them open",
	[HAS_IT_MAPPED] = "has it mapped",
};

START_TEST(who_else_can_write_to_it_is_found)
{
	static const OtherKind kinds[] = { OTHER_MEMFD, OTHER_SHARED_ANON };
	const FakeQemu how = { .session = DEVICES("bus: main-system-bus", "hub 0") };
	Other other = _i % N_OTHERS;
	g_autoptr(GError) error = NULL;
	Guest guest;

	setup(&guest, kinds[_i / N_OTHERS], &how, NULL);
	pid_t pid = geteuid() == 0 ? begin(&guest, other) : 0;
	gboolean none = qemu_sharers_none(guest.subject.ram, guest.subject.process,
					  guest.subject.monitor, NULL, &error);
	if (pid) {
		kill(pid, SIGKILL);
		waitpid(pid, NULL, 0);
	}
	/* Some may be out of sight, to root too: then nothing is taken for granted. */
	if (!pid || (error && strstr(error->message, "cannot be looked at"))) {
		ck_assert(!none);
	} else if (why[other]) {
		ck_assert(!none);
		ck_assert_msg(strstr(error->message, why[other]) != NULL, "%s", error->message);
	} else {
		ck_assert_msg(none, "%s", error ? error->message : "");
	}
	teardown(&guest);
}
END_TEST

START_TEST(device_models_elsewhere_are_told_by_the_monitor)
{
	static const char *const sessions[] = {
		DEVICES("dev: vhost-user-blk-pci, id \"\"", "hub 0"),
		DEVICES("bus: pci.0", "net0: index=0,type=vhost-user"),
		DEVICES("dev: ivshmem-plain, id \"\"", ""),
		/* One that does not tell. */
		"hmp info qtree\n\t!GenericError no\nhmp info network\n\t!GenericError no\n",
	};
	const FakeQemu how = { .session = sessions[_i] };
	g_autoptr(GError) error = NULL;
	Guest guest;

	setup(&guest, OTHER_MEMFD, &how, NULL);
	ck_assert(!qemu_sharers_none(guest.subject.ram, guest.subject.process,
				     guest.subject.monitor, NULL, &error));
	ck_assert_uint_eq((guint) error->code, VMIFS_ERROR_UNSUPPORTED);
	teardown(&guest);
}
END_TEST

static Suite *
background_suite(void)
{
	Suite *s = suite_create("qemu-background");
	TCase *t = tcase_create("costs");
	tcase_add_loop_test(t, way_is_chosen_by_what_either_costs, 0, 8);
	tcase_add_test(t, memory_of_the_process_is_always_taken_in_the_background);
	tcase_add_loop_test(t, private_files_and_little_memory_are_copied, 0, 2);
	suite_add_tcase(s, t);
	t = tcase_create("sharers");
	tcase_set_timeout(t, 60);
	tcase_add_loop_test(t, who_else_can_write_to_it_is_found, 0, 2 * N_OTHERS);
	tcase_add_loop_test(t, device_models_elsewhere_are_told_by_the_monitor, 0, 4);
	suite_add_tcase(s, t);
	return s;
}

VMIFS_UNIT_MAIN(background_suite)
