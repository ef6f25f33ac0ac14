/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * test-qemu-keepers: who only says that libvirt keeps it. The notes of the host's daemon are those
 * of a mount namespace of the test's, which only root can have.
 */
#include "pretend-qemu.h"

#include <backends/qemu/keepers.h>
#include <glib/gstdio.h>
#include <sched.h>
#include <spi/finder.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#define NOTES "/run/libvirt/qemu"
#define UUID "c7a5fdbd-cdaf-9455-926a-d65c16db1809"

extern const VmifsFinder vmifs_finder_qemu;

static void
nobody_is_told(gpointer user)
{
}

/* No notes yet. */
static void
make_notes(void)
{
	ck_assert_int_eq(unshare(CLONE_NEWNS), 0);
	ck_assert_int_eq(mount("none", "/", NULL, MS_REC | MS_PRIVATE, NULL), 0);
	ck_assert_int_eq(mount("test", "/run", "tmpfs", 0, NULL), 0);
	ck_assert_int_eq(g_mkdir_with_parents(NOTES, 0755), 0);
}

/* Why the process has no monitor; note: (nullable) the number that the daemon noted for its name.
 * (full) */
static char *
refusal(const char *name, const char *uri, const char *note)
{
	g_autofree char *guest = g_strconcat("guest=", name, NULL);
	const char *const words[] = { "x", "-name", guest, NULL };
	g_autoptr(QemuKeepers) keepers = qemu_keepers_new(nobody_is_told, NULL);
	pid_t pid = pretend_start("qemu-system-x86_64", words, NULL);
	g_autoptr(QemuTarget) target = qemu_target_new(pid, NULL);
	g_autofree char *own = g_strdup_printf("%d\n", (int) pid);

	make_notes();
	if (note)
		ck_assert(g_file_set_contents(NOTES "/web.pid", *note ? note : own, -1, NULL));
	target->args->uuid = g_strdup(UUID);
	if (uri)
		qemu_keepers_choose(keepers, uri, NULL);
	qemu_keepers_reach(keepers, target);
	pretend_end(pid);
	return g_strdup(target->no_monitor);
}

static const struct {
	const char *name, *uri, *note, *why;
} cases[] = {
	{ "web", NULL, "", NULL },
	{ "web", NULL, "1", "libvirt has another process of that name" },
	{ "web", NULL, NULL, "libvirt has no process of that name" },
	{ "../qemu/web", NULL, "", "libvirt has no process of that name" },
	/* A user's own daemon has its notes elsewhere. */
	{ "web", "qemu:///session", "1", NULL },
	{ "web", "qemu:///system", "1", "libvirt has another process of that name" },
};

START_TEST(process_that_libvirt_does_not_have_gets_no_monitor_of_it)
{
	if (geteuid() != 0)
		return;
	g_autofree char *why = refusal(cases[_i].name, cases[_i].uri, cases[_i].note);
	ck_assert_pstr_eq(why, cases[_i].why);
}
END_TEST

/* ---- what is told ---- */

/* The numbers of those that were told, in order; in front of those that are gone a "-". */
typedef struct {
	GMutex lock;
	GCond moved;
	GString *text;
} Told;

static void
add(Told *told, const char *sign, const char *key)
{
	g_mutex_lock(&told->lock);
	g_string_append_printf(told->text, "%s%.*s ", sign, (int) strcspn(key, ":"), key);
	g_cond_signal(&told->moved);
	g_mutex_unlock(&told->lock);
}

static void
on_found(gpointer told, const VmifsFound *found)
{
	ck_assert_str_eq(found->name, "web");
	add(told, "", found->key);
	found->free_target(found->target);
}

static void
on_gone(gpointer told, const char *key)
{
	add(told, "-", key);
}

static void
on_failed(gpointer told, const char *why)
{
}

/* That it was told, and is gone perhaps, and nothing else. */
static void
assert_told(Told *told, int pid, gboolean gone)
{
	g_autofree char *wanted =
		gone ? g_strdup_printf("%d -%d ", pid, pid) : g_strdup_printf("%d ", pid);

	g_mutex_lock(&told->lock);
	while (told->text->len < strlen(wanted))
		g_cond_wait(&told->moved, &told->lock);
	ck_assert_str_eq(told->text->str, wanted);
	g_mutex_unlock(&told->lock);
}

/* All that it says of itself is what a domain's says. */
static pid_t
start_domain(void)
{
	static const char charmonitor[] = "socket,id=charmonitor,path=/none,server=on,wait=off";
	const char *const words[] = { "x",  "-name",    "guest=web", "-uuid",
				      UUID, "-chardev", charmonitor, NULL };

	return pretend_start("qemu-system-x86_64", words, NULL);
}

static void
note(pid_t pid)
{
	g_autofree char *text = g_strdup_printf("%d", (int) pid);

	ck_assert(g_file_set_contents(NOTES "/web.pid", text, -1, NULL));
}

/* It takes connections and says nothing. */
static int
start_daemon(char **ret_uri)
{
	struct sockaddr_un name = { .sun_family = AF_UNIX };
	g_autofree char *path = pretend_path("daemon");
	int listener = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);

	g_strlcpy(name.sun_path, path, sizeof name.sun_path);
	ck_assert_int_eq(bind(listener, (struct sockaddr *) &name, sizeof name), 0);
	ck_assert_int_eq(listen(listener, 8), 0);
	*ret_uri = g_strdup_printf("qemu+unix:///system?socket=%s", path);
	return listener;
}

/* NULL in a build without libvirt. */
static gpointer
open_finder(const char *uri, VmifsMonitorUse use, Told *told)
{
	const VmifsOptions options = { .size = sizeof options, .monitor = use };
	const VmifsFinderSink sink = { on_found, on_gone, on_failed, told };

	told->text = g_string_new(NULL);
	return vmifs_finder_qemu.open(uri, &options, &sink, NULL, NULL);
}

START_TEST(while_the_daemon_hangs_the_process_that_it_noted_is_its_guest)
{
	g_autofree char *uri = NULL;
	Told told = { 0 };
	if (geteuid() != 0)
		return;
	int listener = start_daemon(&uri);
	pid_t older = start_domain(), noted = start_domain();
	make_notes();
	note(noted);
	gpointer finder = open_finder(uri, _i ? VMIFS_MONITOR_NEVER : VMIFS_MONITOR_BRIEF, &told);
	if (finder) {
		assert_told(&told, noted, FALSE);
		vmifs_finder_qemu.close(finder);
	}
	pretend_end(older);
	pretend_end(noted);
	g_string_free(told.text, TRUE);
	close(listener);
}
END_TEST

START_TEST(who_was_there_before_any_note_goes_when_there_is_one)
{
	g_autofree char *uri = NULL;
	Told told = { 0 };
	if (geteuid() != 0)
		return;
	int listener = start_daemon(&uri);
	pid_t pid = start_domain();
	make_notes();
	ck_assert_int_eq(g_rmdir(NOTES), 0);
	gpointer finder = open_finder(uri, VMIFS_MONITOR_BRIEF, &told);
	if (finder) {
		assert_told(&told, pid, FALSE);
		ck_assert_int_eq(g_mkdir(NOTES, 0755), 0);
		note(1);
		/* Something changes: it hangs up. */
		close(accept(listener, NULL, NULL));
		assert_told(&told, pid, TRUE);
		vmifs_finder_qemu.close(finder);
	}
	pretend_end(pid);
	g_string_free(told.text, TRUE);
	close(listener);
}
END_TEST

static Suite *
make_suite(void)
{
	Suite *suite = suite_create("qemu-keepers");
	TCase *tests = tcase_create("qemu-keepers");

	tcase_add_checked_fixture(tests, pretend_enter, pretend_leave);
	tcase_add_loop_test(tests, process_that_libvirt_does_not_have_gets_no_monitor_of_it, 0,
			    G_N_ELEMENTS(cases));
	tcase_add_loop_test(tests, while_the_daemon_hangs_the_process_that_it_noted_is_its_guest, 0,
			    2);
	tcase_add_test(tests, who_was_there_before_any_note_goes_when_there_is_one);
	suite_add_tcase(suite, tests);
	return suite;
}

VMIFS_PRETEND_MAIN(make_suite)
