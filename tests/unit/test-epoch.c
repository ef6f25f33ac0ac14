/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* epoch: who touches it when it is too old has a new one, whoever else does so at that moment. */
#include <unit.h>

#include <epoch.h>

#define N_TURNS 300000

/* Returns how often it was given what had been there before it came. */
static gpointer
toucher(gpointer data)
{
	VmifsEpoch *epoch = data;
	guint n_stale = 0;

	for (guint i = 0; i < N_TURNS; i++) {
		guint before = vmifs_epoch_now(epoch);
		vmifs_epoch_touch(epoch);
		n_stale += vmifs_epoch_now(epoch) == before;
	}
	return GUINT_TO_POINTER(n_stale);
}

START_TEST(of_many_that_come_too_late_none_gets_the_old_one)
{
	VmifsEpoch epoch = { .is_live = TRUE };
	GThread *threads[3];

	for (guint i = 0; i < G_N_ELEMENTS(threads); i++)
		threads[i] = g_thread_new("toucher", toucher, &epoch);
	for (guint i = 0; i < G_N_ELEMENTS(threads); i++)
		ck_assert_uint_eq(GPOINTER_TO_UINT(g_thread_join(threads[i])), 0);
}
END_TEST

START_TEST(it_moves_when_it_is_too_old)
{
	VmifsEpoch epoch = { .is_live = TRUE, .max_age_us = 60 * G_USEC_PER_SEC };

	vmifs_epoch_move(&epoch);
	guint before = vmifs_epoch_now(&epoch);
	vmifs_epoch_touch(&epoch);
	ck_assert_uint_eq(vmifs_epoch_now(&epoch), before);
	epoch.moved -= 61 * G_USEC_PER_SEC;
	vmifs_epoch_touch(&epoch);
	ck_assert_uint_eq(vmifs_epoch_now(&epoch), before + 1);
	vmifs_epoch_touch(&epoch);
	ck_assert_uint_eq(vmifs_epoch_now(&epoch), before + 1);
}
END_TEST

START_TEST(of_what_does_not_run_there_is_one)
{
	VmifsEpoch epoch = { .is_live = FALSE };

	vmifs_epoch_touch(&epoch);
	ck_assert_uint_eq(vmifs_epoch_now(&epoch), 0);
}
END_TEST

static Suite *
make_suite(void)
{
	Suite *s = suite_create("epoch");
	TCase *t = tcase_create("epoch");
	tcase_add_test(t, of_many_that_come_too_late_none_gets_the_old_one);
	tcase_add_test(t, it_moves_when_it_is_too_old);
	tcase_add_test(t, of_what_does_not_run_there_is_one);
	suite_add_tcase(s, t);
	return s;
}

VMIFS_UNIT_MAIN(make_suite)
