/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* guest: what is told of one before, and without, discovery. */
#include <unit.h>

#include <engine/guest.h>
#include <text-guest.h>

/* How many more threads there are to be had; -1 = any number. */
static int threads_left = -1;

/* Instead of GLib's. */
GThread *
g_thread_try_new(const char *name, GThreadFunc func, gpointer data, GError **error)
{
	if (!threads_left)
		return NULL;
	threads_left -= threads_left > 0;
	return g_thread_new(name, func, data);
}

static VmifsGuest *
make_guest(gint64 acquired)
{
	static const VmifsOptions options = { .size = sizeof options };

	return vmifs_guest_new("test", "a\nfile", &vmifs_backend_text, text_guest("ram 0 0x1000\n"),
			       acquired, &options);
}

static const struct {
	gint64 acquired;
	const char *line;
} times[] = {
	{ 0, "\nacquired: unknown\n" },
	{ G_GINT64_CONSTANT(1700000000) * G_USEC_PER_SEC, "\nacquired: 2023-11-14T22:13:20Z\n" },
};

START_TEST(info_tells_when_memory_was_taken)
{
	g_autoptr(VmifsGuest) guest = make_guest(times[_i].acquired);
	g_autoptr(GString) info = g_string_new(NULL);

	vmifs_guest_info(guest, info);
	ck_assert_msg(strstr(info->str, times[_i].line) != NULL, "%s", info->str);
	ck_assert_ptr_nonnull(strstr(info->str, "\nsource: a\\012file\n"));
}
END_TEST

START_TEST(waiting_for_discovery_ends_with_the_call)
{
	g_autoptr(VmifsGuest) guest = make_guest(0);
	VmifsCall call = { .deadline = g_get_monotonic_time() + 1000 };
	g_autoptr(GError) error = NULL;

	ck_assert(!vmifs_guest_wait(guest, &call, &error));
	ck_assert(g_error_matches(error, VMIFS_ERROR, VMIFS_ERROR_TIMEOUT));
}
END_TEST

/* Others on this host may have used them up: that must not be our end. */
START_TEST(without_a_thread_its_memory_is_there)
{
	g_autoptr(VmifsGuest) guest = make_guest(0);
	g_autoptr(GString) info = g_string_new(NULL);
	g_autoptr(GError) error = NULL;

	threads_left = _i;
	vmifs_guest_start(guest);
	ck_assert(!vmifs_guest_wait(guest, NULL, &error));
	ck_assert(g_error_matches(error, VMIFS_ERROR, VMIFS_ERROR_UNSUPPORTED));
	vmifs_guest_info(guest, info);
	ck_assert_int_eq(strstr(info->str, "\ndiscovery: none: ") != NULL, _i == 0);
	ck_assert_ptr_nonnull(strstr(info->str, "\nram: 4096 bytes"));
	vmifs_guest_stop(guest);
}
END_TEST

static Suite *
make_suite(void)
{
	Suite *s = suite_create("guest");
	TCase *t = tcase_create("guest");

	tcase_add_loop_test(t, info_tells_when_memory_was_taken, 0, G_N_ELEMENTS(times));
	tcase_add_test(t, waiting_for_discovery_ends_with_the_call);
	/* None at all, and none for the pass over its memory. */
	tcase_add_loop_test(t, without_a_thread_its_memory_is_there, 0, 2);
	suite_add_tcase(s, t);
	return s;
}

VMIFS_UNIT_MAIN(make_suite)
