/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* qemu: what the engine is told of a guest that ends, or gets more memory. */
#include <qemu-fixture.h>
#include <unit.h>

#include <signal.h>

START_TEST(its_end_is_told)
{
	Fixture f;

	fixture_init(&f, OTHER_MEMFD);
	set_monitor(&f, 0);
	open_guest(&f, FALSE, NULL);
	ck_assert_ptr_nonnull(f.guest);
	kill(f.target.pid, SIGKILL);
	ck_assert(wait_for(&f, VMIFS_CHANGE_GONE));
	fixture_clear(&f);
}
END_TEST

/* Held until the test knows what it has opened, as the engine's own is. */
static GMutex opening;

/* As the engine does when no call runs. */
static void
close_when_gone(gpointer data, guint what)
{
	Fixture *f = data;

	if (what & VMIFS_CHANGE_GONE) {
		g_mutex_lock(&opening);
		g_mutex_unlock(&opening);
		vmifs_backend_qemu.close(f->guest);
		changed(f, what);
	}
}

START_TEST(it_may_be_closed_when_its_end_is_told)
{
	VmifsSource src = { .fd = -1, .changed = close_when_gone };
	Fixture f;

	fixture_init(&f, OTHER_ANONYMOUS);
	set_monitor(&f, 0);
	src.target = &f.target;
	src.engine = &f;
	g_mutex_lock(&opening);
	f.guest = vmifs_backend_qemu.open(&src, NULL, NULL);
	g_mutex_unlock(&opening);
	ck_assert_ptr_nonnull(f.guest);
	kill(f.target.pid, SIGKILL);
	ck_assert(wait_for(&f, VMIFS_CHANGE_GONE));
	f.guest = NULL;
	fixture_clear(&f);
}
END_TEST

START_TEST(plugged_memory_is_found)
{
	Fixture f;

	fixture_init(&f, OTHER_ANONYMOUS);
	set_monitor(&f, 0);
	/* Two sessions in one: the monitor tells of it from the second time on, which the first
	 * look, after a second, brings. */
	guint64 dimm = other_process_plug(f.other, LEN);
	g_autofree char *before = session_of(f.other, 0), *after = session_of(f.other, dimm);
	g_autofree char *both = g_strconcat(before, after, NULL);
	qemu_monitor_free(f.target.monitor);
	f.target.monitor = fake_monitor_new(both);
	open_guest(&f, FALSE, NULL);
	ck_assert_uint_eq(count_regions(&f), 2);
	ck_assert(wait_for(&f, VMIFS_CHANGE_LAYOUT));
	ck_assert_uint_eq(count_regions(&f), 3);
	fixture_clear(&f);
}
END_TEST

/* It was mapped long before it was made a device of the guest's: nothing else tells of that. A
 * guest that cannot have more would be asked for the fifth time after 16 seconds. */
START_TEST(a_guest_that_may_have_more_memory_is_asked_again_and_again)
{
	static const char arguments[] = "qemu-system-x86_64\0-m\0"
					"64,slots=1,maxmem=1G";
	g_autoptr(GString) all = g_string_new(NULL);
	Fixture f;

	fixture_init(&f, OTHER_ANONYMOUS);
	qemu_args_free(f.target.args);
	f.target.args = qemu_args_parse(arguments, sizeof arguments);
	guint64 dimm = other_process_plug(f.other, LEN);
	g_autofree char *before = session_of(f.other, 0), *after = session_of(f.other, dimm);
	for (int i = 0; i < 5; i++)
		g_string_append(all, before);
	g_string_append(all, after);
	f.target.monitor = fake_monitor_new(all->str);
	open_guest(&f, FALSE, NULL);
	ck_assert_uint_eq(count_regions(&f), 2);
	for (int i = 0; i < 4 && count_regions(&f) == 2; i++)
		wait_for(&f, VMIFS_CHANGE_LAYOUT);
	ck_assert_uint_eq(count_regions(&f), 3);
	fixture_clear(&f);
}
END_TEST

static Suite *
qemu_changes_suite(void)
{
	Suite *suite = suite_create("qemu-changes");
	TCase *tcase = tcase_create("qemu-changes");
	tcase_set_timeout(tcase, 30);

	tcase_add_test(tcase, its_end_is_told);
	tcase_add_test(tcase, it_may_be_closed_when_its_end_is_told);
	tcase_add_test(tcase, plugged_memory_is_found);
	tcase_add_test(tcase, a_guest_that_may_have_more_memory_is_asked_again_and_again);
	suite_add_tcase(suite, tcase);
	return suite;
}

VMIFS_UNIT_MAIN(qemu_changes_suite)
