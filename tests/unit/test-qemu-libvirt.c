/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * test-qemu-libvirt: daemons that are not there, that hang, that hang up, and the driver of
 * libvirt's own tests; one with guests is for tests/live/libvirt.
 */
#include "unit.h"

#include <backends/qemu/libvirt.h>
#include <errno.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>
#include <vmifs/error.h>

#define MS G_TIME_SPAN_MILLISECOND
#define UUID "c7a5fdbd-cdaf-9455-926a-d65c16db1809"

static char *folder, *path, *uri;
static int listener;
static gint n_changes;

static void
enter(void)
{
	struct sockaddr_un name = { .sun_family = AF_UNIX };

	folder = g_dir_make_tmp("vmifs-test-XXXXXX", NULL);
	path = g_build_filename(folder, "socket", NULL);
	uri = g_strdup_printf("qemu+unix:///system?socket=%s", path);
	g_strlcpy(name.sun_path, path, sizeof name.sun_path);
	listener = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	ck_assert_int_eq(bind(listener, (struct sockaddr *) &name, sizeof name), 0);
}

static void
leave(void)
{
	close(listener);
	unlink(path);
	rmdir(folder);
	g_free(folder);
	g_free(path);
	g_free(uri);
}

static void
count(gpointer user)
{
	g_atomic_int_inc((gint *) user);
}

static QemuLibvirt *
open_uri(const char *which)
{
	g_autoptr(GError) error = NULL;
	QemuLibvirt *libvirt = qemu_libvirt_open(which, count, &n_changes, &error);

	ck_assert_msg(libvirt != NULL, "%s", error ? error->message : "");
	return libvirt;
}

static void
assert_state(QemuLibvirt *libvirt, gint64 patience, QemuLibvirtState state, const char *why)
{
	g_autofree char *seen = NULL;

	ck_assert_int_eq(qemu_libvirt_wait(libvirt, g_get_monotonic_time() + patience, &seen),
			 state);
	ck_assert_msg(why ? seen && strstr(seen, why) : !seen, "%s, not %s", seen, why);
}

/* How it failed. */
static VmifsError
ask(QemuMonitor *monitor, gint64 patience, gint64 *ret_took)
{
	gint64 start = g_get_monotonic_time();
	const VmifsCall call = { .deadline = start + patience };
	g_autoptr(GError) error = NULL;

	ck_assert_ptr_null(qemu_monitor_qmp(monitor, "query-status", NULL, &call, &error));
	ck_assert_ptr_nonnull(error);
	*ret_took = g_get_monotonic_time() - start;
	return (VmifsError) error->code;
}

START_TEST(guests_of_another_host_are_known_by_the_uri)
{
	static const struct {
		const char *uri;
		gboolean is_elsewhere;
	} uris[] = { { "qemu+tcp://localhost:1/system", TRUE },
		     { "qemu+tcp://user@localhost:1/system?x=/y", TRUE },
		     { "qemu:///system", FALSE },
		     { "qemu+unix:///system?socket=/nowhere", FALSE } };
	for (gsize i = 0; i < G_N_ELEMENTS(uris); i++) {
		QemuLibvirt *libvirt = open_uri(uris[i].uri);
		ck_assert_int_eq(qemu_libvirt_is_elsewhere(libvirt), uris[i].is_elsewhere);
		/* It has told nothing yet. */
		g_autoptr(GPtrArray) domains = qemu_libvirt_domains(libvirt);
		ck_assert_uint_eq(domains->len, 0);
		qemu_libvirt_close(libvirt);
	}
}
END_TEST

START_TEST(daemon_that_is_not_there_is_said_to_be_so)
{
	QemuLibvirt *libvirt = open_uri(uri);
	QemuMonitor *monitor = qemu_libvirt_monitor(libvirt, UUID);
	gint64 took;

	assert_state(libvirt, 20 * G_TIME_SPAN_SECOND, QEMU_LIBVIRT_FAILED,
		     "is the daemon running");
	while (!g_atomic_int_get(&n_changes)) /* told a moment later */
		g_usleep(1 * MS);
	ck_assert_int_eq(ask(monitor, 20 * G_TIME_SPAN_SECOND, &took), VMIFS_ERROR_IO);
	qemu_monitor_free(monitor);
	qemu_libvirt_close(libvirt);
}
END_TEST

START_TEST(nobody_waits_for_a_daemon_that_hangs)
{
	ck_assert_int_eq(listen(listener, 8), 0);
	QemuLibvirt *libvirt = open_uri(uri);
	QemuMonitor *monitor = qemu_libvirt_monitor(libvirt, UUID);
	gint64 took;

	assert_state(libvirt, 20 * MS, QEMU_LIBVIRT_WAITING, NULL);
	/* Any guest of libvirt may be one of it. */
	ck_assert(qemu_libvirt_may_have(libvirt, UUID));
	ck_assert_int_eq(ask(monitor, 100 * MS, &took), VMIFS_ERROR_TIMEOUT);
	ck_assert_int_ge(took, 100 * MS);
	ck_assert_int_lt(took, 10 * G_TIME_SPAN_SECOND);
	assert_state(libvirt, 600 * MS, QEMU_LIBVIRT_WAITING, "does not answer");
	/* In whatever order. */
	qemu_libvirt_close(libvirt);
	ck_assert_int_eq(ask(monitor, 20 * G_TIME_SPAN_SECOND, &took), VMIFS_ERROR_IO);
	qemu_monitor_free(monitor);
}
END_TEST

START_TEST(daemon_that_hangs_up_is_tried_again)
{
	ck_assert_int_eq(listen(listener, 8), 0);
	QemuLibvirt *libvirt = open_uri(uri);

	for (guint i = 0; i < 2; i++) {
		int client = accept(listener, NULL, NULL);
		ck_assert_int_ge(client, 0);
		close(client);
		assert_state(libvirt, 20 * G_TIME_SPAN_SECOND, QEMU_LIBVIRT_FAILED, "libvirt: ");
	}
	qemu_libvirt_close(libvirt);
}
END_TEST

START_TEST(nothing_is_told_once_it_is_closed)
{
	QemuLibvirt *libvirt = open_uri(uri);

	assert_state(libvirt, 20 * G_TIME_SPAN_SECOND, QEMU_LIBVIRT_FAILED, "libvirt: ");
	qemu_libvirt_close(libvirt);
	gint before = g_atomic_int_get(&n_changes);
	g_usleep(600 * MS); /* it would have tried again */
	ck_assert_int_eq(g_atomic_int_get(&n_changes), before);
}
END_TEST

static Suite *
make_suite(void)
{
	Suite *suite = suite_create("qemu-libvirt");
	TCase *tests = tcase_create("qemu-libvirt");

	tcase_add_checked_fixture(tests, enter, leave);
	tcase_add_test(tests, guests_of_another_host_are_known_by_the_uri);
	tcase_add_test(tests, daemon_that_is_not_there_is_said_to_be_so);
	tcase_add_test(tests, nobody_waits_for_a_daemon_that_hangs);
	tcase_add_test(tests, daemon_that_hangs_up_is_tried_again);
	tcase_add_test(tests, nothing_is_told_once_it_is_closed);
	suite_add_tcase(suite, tests);
	return suite;
}

VMIFS_UNIT_MAIN(make_suite)
