/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* rate: with a clock that the test makes. */
#include <unit.h>

#include <rate.h>

#define MS 1000
#define SECOND G_USEC_PER_SEC

/* As many of n as are borne, one each apart, from *now on. */
static guint
count(VmifsRate *rate, guint most, guint n, gint64 apart, gint64 *now)
{
	guint borne = 0;

	for (guint i = 0; i < n; i++, *now += apart)
		borne += vmifs_rate_count(rate, 1, most, *now) != VMIFS_RATE_TOO_MANY;
	return borne;
}

START_TEST(the_last_one_that_is_borne_begins_a_pause)
{
	VmifsRate rate = { 0 };
	gint64 now = 1234567 * MS;

	for (guint i = 0; i < 4; i++)
		ck_assert_int_eq(vmifs_rate_count(&rate, 1, 6, now), VMIFS_RATE_BORNE);
	ck_assert(!vmifs_rate_is_paused(&rate, now));
	ck_assert_int_eq(vmifs_rate_count(&rate, 1, 6, now), VMIFS_RATE_LAST);
	ck_assert_int_eq(vmifs_rate_count(&rate, 1, 6, now), VMIFS_RATE_TOO_MANY);
	ck_assert(vmifs_rate_is_paused(&rate, now + 999 * MS));
	ck_assert(!vmifs_rate_is_paused(&rate, now + SECOND + SECOND / VMIFS_RATE_PARTS));
}
END_TEST

START_TEST(without_a_bound_all_are_borne)
{
	VmifsRate rate = { 0 };
	gint64 now = 0;

	ck_assert_uint_eq(count(&rate, 0, 100000, 1, &now), 100000);
	ck_assert(!vmifs_rate_is_paused(&rate, now));
}
END_TEST

static const struct {
	guint most;
	gint64 apart;
	gboolean has_steps;
} floods[] = {
	{ 2, 10 * MS },  { 2, 10 * MS, TRUE }, { 3, 10 * MS, TRUE }, { 7, 3 * MS },
	{ 200, 100 },    { 200, 100, TRUE },   { 200, 4900 },        { 200, 4900, TRUE },
	{ 200, 5 * MS }, { 200, 20 * SECOND }, { 1000, 333, TRUE },
};

/* As a guest does that stops as often as it can, and whose points go while it pauses: once to arm
 * them, at each hit, and where it does not pause then to get past it. Returns how many are told. */
static guint
flood(GArray *stops, guint which, guint *ret_pauses)
{
	VmifsRate rate = { 0 };
	gint64 now = 777 * MS, ends = now + 20 * SECOND;
	guint n_told = 0, n = 1;
	gboolean is_armed = FALSE;

	*ret_pauses = 0;
	for (; now < ends; now += floods[which].apart) {
		if (vmifs_rate_is_paused(&rate, now))
			continue;
		if (!is_armed) {
			vmifs_rate_add(&rate, 1, now);
			g_array_append_val(stops, now);
		}
		is_armed = TRUE;
		g_array_append_val(stops, now);
		n_told++;
		if (vmifs_rate_count(&rate, n, floods[which].most, now) == VMIFS_RATE_BORNE) {
			n = 1 + floods[which].has_steps;
			if (floods[which].has_steps)
				g_array_append_val(stops, now);
		} else {
			is_armed = FALSE;
			n = 1;
			++*ret_pauses;
		}
	}
	return n_told;
}

/* Whenever a second begins: in particular not twice as many across the bound of two. */
START_TEST(no_second_has_more_than_the_bound)
{
	g_autoptr(GArray) stops = g_array_new(FALSE, FALSE, sizeof(gint64));
	guint most = floods[_i].most, pauses;

	ck_assert_uint_gt(flood(stops, (guint) _i, &pauses), 0);
	for (guint i = most; i < stops->len; i++)
		ck_assert_int_ge(g_array_index(stops, gint64, i) -
					 g_array_index(stops, gint64, i - most),
				 SECOND);
}
END_TEST

START_TEST(a_flood_gets_most_of_what_is_permitted)
{
	g_autoptr(GArray) stops = g_array_new(FALSE, FALSE, sizeof(gint64));
	guint pauses, n = flood(stops, _i ? 5 : 4, &pauses);

	ck_assert_uint_ge(n, 20 * 200 * 9 / 10 / (_i ? 2 : 1));
	ck_assert_uint_le(stops->len, 21 * 200);
	ck_assert_uint_le(pauses, 45);
}
END_TEST

START_TEST(at_a_rate_below_the_bound_nothing_pauses)
{
	VmifsRate rate = { 0 };
	gint64 now = 777 * MS;

	ck_assert_uint_eq(count(&rate, 200, 10000, 5500, &now), 10000);
	ck_assert(!vmifs_rate_is_paused(&rate, now));
}
END_TEST

START_TEST(a_clock_that_jumps_forgets)
{
	VmifsRate rate = { 0 };

	ck_assert_int_eq(vmifs_rate_count(&rate, 1, 3, 100 * SECOND), VMIFS_RATE_BORNE);
	ck_assert_int_eq(vmifs_rate_count(&rate, 1, 3, 5), VMIFS_RATE_BORNE);
	ck_assert_int_eq(vmifs_rate_count(&rate, 1, 3, G_MAXINT64), VMIFS_RATE_BORNE);
}
END_TEST

static Suite *
make_suite(void)
{
	Suite *s = suite_create("rate");
	TCase *t = tcase_create("rate");
	tcase_add_test(t, the_last_one_that_is_borne_begins_a_pause);
	tcase_add_test(t, without_a_bound_all_are_borne);
	tcase_add_loop_test(t, no_second_has_more_than_the_bound, 0, G_N_ELEMENTS(floods));
	tcase_add_loop_test(t, a_flood_gets_most_of_what_is_permitted, 0, 2);
	tcase_add_test(t, at_a_rate_below_the_bound_nothing_pauses);
	tcase_add_test(t, a_clock_that_jumps_forgets);
	suite_add_tcase(s, t);
	return s;
}

VMIFS_UNIT_MAIN(make_suite)
