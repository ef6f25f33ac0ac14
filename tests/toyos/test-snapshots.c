/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * snapshots: one of a running guest is a guest that stays as it was, found as any image is; there
 * is one at a time, or none, whatever goes wrong.
 */
#include "live-test.h"

#include <unistd.h>

static VmifsGuest *
take(VmifsGuest *guest, const char *name)
{
	g_autoptr(GError) error = NULL;
	VmifsGuest *snapshot = vmifs_guest_take_snapshot(guest, name, NULL, &error);

	ck_assert_msg(snapshot != NULL, "%s", error ? error->message : "");
	return snapshot;
}

static guint8
byte_at(VmifsGuest *guest, guint64 pa)
{
	g_autoptr(VmifsPhysmem) mem = vmifs_guest_physmem(guest);
	guint8 byte = 0;

	ck_assert(vmifs_physmem_read(mem, pa, &byte, 1, NULL, NULL));
	return byte;
}

/* Files for snapshots that we have open. */
static guint
n_files(void)
{
	guint n = 0;
	g_autoptr(GDir) dir = g_dir_open("/proc/self/fd", 0, NULL);
	const char *name;

	while ((name = g_dir_read_name(dir))) {
		g_autofree char *path = g_strdup_printf("/proc/self/fd/%s", name);
		g_autofree char *target = g_file_read_link(path, NULL);
		n += target && strstr(target, "(deleted)") && !strstr(target, "memfd:");
	}
	return n;
}

START_TEST(a_snapshot_stays_as_it_was)
{
	g_auto(Running) it = prepare();
	boot(it.live, 0x6000, 7);
	it.live->ram[0x30000] = 'a';
	run(&it, NULL);
	g_autoptr(VmifsGuest) snapshot = take(it.guest, "S");

	it.live->ram[0x30000] = 'b';
	boot(it.live, 0x7000, 8);
	await(first_pid(it.guest) == 8);
	ck_assert_uint_eq(first_pid(snapshot), 7);
	ck_assert_uint_eq(byte_at(snapshot, 0x30000), 'a');
	ck_assert_uint_eq(byte_at(it.guest, 0x30000), 'b');
	ck_assert(vmifs_guest_is_frozen(snapshot));
	ck_assert_int_eq(vmifs_guest_state(snapshot, NULL), VMIFS_STATE_SNAPSHOT);
	ck_assert_int_eq(vmifs_guest_acquired(snapshot), 1000000);
	g_autoptr(GString) info = g_string_new(NULL);
	vmifs_guest_info(snapshot, info);
	ck_assert_ptr_nonnull(strstr(info->str, "name: S\nsource: snapshot of web, live:web\n"));
	ck_assert_ptr_nonnull(strstr(info->str, "taken: by copying it\nstood still: 2.0 ms\n"));
}
END_TEST

START_TEST(snapshots_are_listed_by_their_names)
{
	g_auto(Running) it = prepare();
	run(&it, NULL);
	g_autoptr(VmifsGuest) b = take(it.guest, "b");
	g_autoptr(VmifsGuest) a = take(it.guest, "a\n");
	g_autoptr(VmifsGuest) found = vmifs_guest_snapshot(it.guest, "a\n");
	g_autoptr(GPtrArray) all = vmifs_guest_snapshots(it.guest);
	g_autoptr(GString) info = g_string_new(NULL);

	ck_assert_uint_eq(all->len, 2);
	ck_assert(all->pdata[0] == b && all->pdata[1] == a && found == a);
	vmifs_guest_info(a, info);
	ck_assert(g_str_has_prefix(info->str, "name: a\\012\n"));
	ck_assert_ptr_null(vmifs_guest_snapshot(it.guest, "c"));
	ck_assert_ptr_null(vmifs_host_find(it.host, "b"));
}
END_TEST

START_TEST(names_are_used_once)
{
	g_auto(Running) it = prepare();
	run(&it, NULL);
	g_autoptr(VmifsGuest) snapshot = take(it.guest, "S");
	g_autoptr(GError) error = NULL;
	static const char *const wrong[] = { "", ".", "..", "a/b" };

	ck_assert_ptr_null(vmifs_guest_take_snapshot(it.guest, "S", NULL, &error));
	ck_assert(g_error_matches(error, VMIFS_ERROR, VMIFS_ERROR_EXISTS));
	for (gsize i = 0; i < G_N_ELEMENTS(wrong); i++) {
		g_clear_error(&error);
		ck_assert_ptr_null(vmifs_guest_take_snapshot(it.guest, wrong[i], NULL, &error));
		ck_assert(g_error_matches(error, VMIFS_ERROR, VMIFS_ERROR_INVALID));
	}
	ck_assert_int_eq(it.live->n_taken, 1);
	ck_assert(vmifs_guest_drop_snapshot(it.guest, "S", NULL));
	g_clear_error(&error);
	ck_assert(!vmifs_guest_drop_snapshot(it.guest, "S", &error));
	ck_assert(g_error_matches(error, VMIFS_ERROR, VMIFS_ERROR_NOT_FOUND));
	g_autoptr(VmifsGuest) again = take(it.guest, "S");
	ck_assert(again != snapshot);
}
END_TEST

START_TEST(a_snapshot_taken_anew_is_another)
{
	g_auto(Running) it = prepare();
	boot(it.live, 0x6000, 7);
	run(&it, NULL);
	g_autoptr(VmifsGuest) first = take(it.guest, "S");
	g_autoptr(GError) error = NULL;
	g_autoptr(GString) info = g_string_new(NULL);

	boot(it.live, 0x7000, 8);
	ck_assert(vmifs_guest_refresh_snapshot(it.guest, "S", NULL, NULL));
	g_autoptr(VmifsGuest) second = vmifs_guest_snapshot(it.guest, "S");
	ck_assert(second && second != first);
	ck_assert_uint_eq(first_pid(second), 8);
	ck_assert_uint_eq(byte_at(first, 0x6000), 7);
	/* The table, the header, and the tasks. */
	vmifs_guest_info(second, info);
	ck_assert_ptr_nonnull(strstr(info->str, "stored: 12288 bytes, 36864 more shared"));
	ck_assert(!vmifs_guest_refresh_snapshot(it.guest, "T", NULL, &error));
	ck_assert(g_error_matches(error, VMIFS_ERROR, VMIFS_ERROR_NOT_FOUND));
}
END_TEST

START_TEST(room_is_given_back_with_the_last_who_holds_it)
{
	g_auto(Running) it = prepare();
	it.live->ram[0] = 1;
	run(&it, NULL);
	guint before = n_files();
	VmifsGuest *held = take(it.guest, "S");

	ck_assert_uint_gt(n_files(), before);
	ck_assert(vmifs_guest_drop_snapshot(it.guest, "S", NULL));
	ck_assert_uint_eq(byte_at(held, 0), 1);
	vmifs_guest_unref(held);
	await(n_files() == before);
	/* And when its guest goes. */
	held = take(it.guest, "S");
	live_end(it.live);
	await(!is_listed(it.host, "web"));
	g_autoptr(GError) error = NULL;
	ck_assert_ptr_null(vmifs_guest_take_snapshot(it.guest, "T", NULL, &error));
	ck_assert(g_error_matches(error, VMIFS_ERROR, VMIFS_ERROR_STALE));
	ck_assert_uint_eq(byte_at(held, 0), 1);
	vmifs_guest_unref(held);
	await(n_files() == before);
}
END_TEST

/* ---- what goes wrong ---- */

START_TEST(what_is_not_permitted_is_refused)
{
	VmifsOptions passive = { .size = sizeof passive, .passive = TRUE };
	g_auto(Running) it = prepare();
	run(&it, &passive);
	g_autoptr(GError) error = NULL;

	ck_assert_ptr_null(vmifs_guest_take_snapshot(it.guest, "S", NULL, &error));
	ck_assert(g_error_matches(error, VMIFS_ERROR, VMIFS_ERROR_DENIED));
	g_clear_error(&error);
	ck_assert(!vmifs_guest_refresh_snapshot(it.guest, "S", NULL, &error));
	ck_assert(g_error_matches(error, VMIFS_ERROR, VMIFS_ERROR_DENIED));
	ck_assert_int_eq(it.live->n_taken, 0);
}
END_TEST

START_TEST(a_snapshot_has_no_snapshots)
{
	g_auto(Running) it = prepare();
	run(&it, NULL);
	g_autoptr(VmifsGuest) snapshot = take(it.guest, "S");
	g_autoptr(GError) error = NULL;

	ck_assert_ptr_null(vmifs_guest_take_snapshot(snapshot, "T", NULL, &error));
	ck_assert(g_error_matches(error, VMIFS_ERROR, VMIFS_ERROR_UNSUPPORTED));
}
END_TEST

START_TEST(a_folder_that_cannot_be_used_is_an_error)
{
	g_autofree char *folder = g_dir_make_tmp("vmifs-XXXXXX", NULL);
	VmifsOptions options = { .size = sizeof options, .snapdir = folder };
	g_auto(Running) it = prepare();
	run(&it, &options);
	g_autoptr(GError) error = NULL;

	ck_assert_int_eq(rmdir(folder), 0);
	/* It was there when the guest was mounted; of one that was not nothing is mounted. */
	ck_assert_ptr_null(vmifs_host_new(&options, &error));
	ck_assert_msg(strstr(error->message, "snapdir=/") && strstr(error->message, folder), "%s",
		      error->message);
	g_clear_error(&error);

	ck_assert_ptr_null(vmifs_guest_take_snapshot(it.guest, "S", NULL, &error));
	ck_assert(g_error_matches(error, VMIFS_ERROR, VMIFS_ERROR_IO));
	ck_assert_int_eq(it.live->n_taken, 0);
}
END_TEST

typedef struct {
	VmifsGuest *guest;
	const char *name;
	gint cancelled;
	gboolean anew;
	GError *error;
	gboolean taken;
} Taker;

static gpointer
run_taker(gpointer data)
{
	Taker *taker = data;
	VmifsCall call = { .cancelled = &taker->cancelled };
	g_autoptr(VmifsGuest) taken = NULL;

	if (taker->anew) {
		taker->taken = vmifs_guest_refresh_snapshot(taker->guest, taker->name, &call,
							    &taker->error);
	} else {
		taken = vmifs_guest_take_snapshot(taker->guest, taker->name, &call, &taker->error);
		taker->taken = taken != NULL;
	}
	return NULL;
}

START_TEST(who_gives_up_leaves_nothing)
{
	g_auto(Running) it = prepare();
	it.live->ram[0] = 'a';
	run(&it, NULL);
	g_autoptr(VmifsGuest) old = take(it.guest, "old");
	guint before = n_files();

	g_atomic_int_set(&it.live->holds, 1);
	it.live->ram[0] = 'b';
	for (guint i = 0; i < 2; i++) {
		Taker first = { .guest = it.guest, .name = i ? "old" : "S", .anew = i == 1 };
		Taker waiting = { .guest = it.guest, .name = "T" };
		GThread *one = g_thread_new("taker", run_taker, &first);
		await(g_atomic_int_get(&it.live->n_taking) == 1);
		GThread *two = g_thread_new("taker", run_taker, &waiting);
		g_usleep(50000);
		/* One at a time; and who waits need not. */
		ck_assert_int_eq(g_atomic_int_get(&it.live->n_taking), 1);
		g_atomic_int_set(&waiting.cancelled, 1);
		g_thread_join(two);
		g_atomic_int_set(&first.cancelled, 1);
		g_thread_join(one);
		ck_assert(!first.taken && !waiting.taken);
		ck_assert(g_error_matches(first.error, VMIFS_ERROR, VMIFS_ERROR_CANCELLED));
		ck_assert(g_error_matches(waiting.error, VMIFS_ERROR, VMIFS_ERROR_CANCELLED));
		g_clear_error(&first.error);
		g_clear_error(&waiting.error);
	}
	await(n_files() == before);
	g_autoptr(GPtrArray) all = vmifs_guest_snapshots(it.guest);
	ck_assert(all->len == 1 && all->pdata[0] == old);
	ck_assert_uint_eq(byte_at(old, 0), 'a');
	g_atomic_int_set(&it.live->holds, 0);
	g_autoptr(VmifsGuest) now = take(it.guest, "S");
	ck_assert_uint_eq(byte_at(now, 0), 'b');
}
END_TEST

START_TEST(a_snapshot_that_is_dropped_meanwhile_does_not_come_back)
{
	g_auto(Running) it = prepare();
	it.live->ram[0] = 'a';
	run(&it, NULL);
	guint before = n_files();
	vmifs_guest_unref(take(it.guest, "S"));

	g_atomic_int_set(&it.live->holds, 1);
	Taker taker = { .guest = it.guest, .name = "S", .anew = TRUE };
	GThread *thread = g_thread_new("taker", run_taker, &taker);
	await(g_atomic_int_get(&it.live->n_taking) == 1);
	ck_assert(vmifs_guest_drop_snapshot(it.guest, "S", NULL));
	g_atomic_int_set(&it.live->holds, 0);
	g_thread_join(thread);
	ck_assert(!taker.taken);
	ck_assert(g_error_matches(taker.error, VMIFS_ERROR, VMIFS_ERROR_NOT_FOUND));
	g_clear_error(&taker.error);
	ck_assert_ptr_null(vmifs_guest_snapshot(it.guest, "S"));
	await(n_files() == before);
}
END_TEST

START_TEST(memory_that_becomes_more_meanwhile_fits_no_snapshot)
{
	g_auto(Running) it = prepare();
	run(&it, NULL);
	Taker taker = { .guest = it.guest, .name = "S" };

	g_atomic_int_set(&it.live->holds, 1);
	GThread *thread = g_thread_new("taker", run_taker, &taker);
	await(g_atomic_int_get(&it.live->n_taking) == 1);
	g_atomic_int_set((gint *) &it.live->more, 2);
	live_changed(it.live, VMIFS_CHANGE_LAYOUT);
	gsize n = 0;
	for (guint i = 0; i < 5000 && n < 2; i++) {
		g_autoptr(VmifsPhysmem) mem = vmifs_guest_physmem(it.guest);
		vmifs_physmem_regions(mem, &n);
		g_usleep(2000);
	}
	ck_assert_uint_eq(n, 2);
	g_atomic_int_set(&it.live->holds, 0);
	g_thread_join(thread);
	ck_assert(g_error_matches(taker.error, VMIFS_ERROR, VMIFS_ERROR_STALE));
	g_clear_error(&taker.error);
}
END_TEST

START_TEST(a_guest_that_goes_meanwhile_leaves_nothing)
{
	g_auto(Running) it = prepare();
	it.live->ram[0] = 'a';
	run(&it, NULL);
	guint before = n_files();
	Taker taker = { .guest = it.guest, .name = "S" };

	g_atomic_int_set(&it.live->holds, 1);
	GThread *thread = g_thread_new("taker", run_taker, &taker);
	await(g_atomic_int_get(&it.live->n_taking) == 1);
	live_end(it.live);
	await(!is_listed(it.host, "web"));
	g_atomic_int_set(&it.live->holds, 0);
	g_thread_join(thread);
	/* The guest ends a moment after it is gone from the list. */
	ck_assert(taker.taken || g_error_matches(taker.error, VMIFS_ERROR, VMIFS_ERROR_STALE));
	g_clear_error(&taker.error);
	await(n_files() == before && !g_atomic_int_get(&it.live->n_open));
}
END_TEST

static Suite *
make_suite(void)
{
	Suite *suite = suite_create("snapshots");
	TCase *tests = tcase_create("all");

	tcase_set_timeout(tests, 60);
	tcase_add_test(tests, a_snapshot_stays_as_it_was);
	tcase_add_test(tests, snapshots_are_listed_by_their_names);
	tcase_add_test(tests, names_are_used_once);
	tcase_add_test(tests, a_snapshot_taken_anew_is_another);
	tcase_add_test(tests, room_is_given_back_with_the_last_who_holds_it);
	tcase_add_test(tests, what_is_not_permitted_is_refused);
	tcase_add_test(tests, a_snapshot_has_no_snapshots);
	tcase_add_test(tests, a_folder_that_cannot_be_used_is_an_error);
	tcase_add_test(tests, who_gives_up_leaves_nothing);
	tcase_add_test(tests, a_snapshot_that_is_dropped_meanwhile_does_not_come_back);
	tcase_add_test(tests, memory_that_becomes_more_meanwhile_fits_no_snapshot);
	tcase_add_test(tests, a_guest_that_goes_meanwhile_leaves_nothing);
	suite_add_tcase(suite, tests);
	return suite;
}

VMIFS_UNIT_MAIN(make_suite)
