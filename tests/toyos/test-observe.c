/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* observe: what is told of a running guest by looking at it, and when nobody looks. */
#include "live-test.h"

#include <engine/guest.h>

typedef struct {
	LiveGuest *live;
	VmifsHost *host;
	VmifsGuest *guest;
	VmifsEventReader *reader;
	GString *text; /* that was read */
} Fixture;

static void
setup(Fixture *f, guint32 cache_ms)
{
	VmifsOptions options = { .size = sizeof options, .cache_ms = cache_ms };

	*f = (Fixture){ .live = live_guest_new("web", 1), .text = g_string_new(NULL) };
	boot(f->live, 0x6000, 7);
	live_start(f->live);
	f->host = make_host(&options);
	f->guest = vmifs_host_find(f->host, "web");
	ck_assert(vmifs_guest_wait(f->guest, NULL, NULL));
}

static void
teardown(Fixture *f)
{
	vmifs_event_reader_free(f->reader);
	vmifs_guest_unref(f->guest);
	vmifs_host_free(f->host);
	live_guest_free(f->live);
	g_string_free(f->text, TRUE);
}

/* What happens from then on is told. */
static void
begin(Fixture *f)
{
	ck_assert(!vmifs_guest_events_are_seen(f->guest));
	f->reader = vmifs_guest_read_events(f->guest, NULL, NULL);
	ck_assert(vmifs_guest_events_settle(f->guest, NULL, NULL));
	ck_assert(vmifs_guest_events_are_seen(f->guest));
}

static gboolean
has(Fixture *f, const char *part)
{
	char buf[4096];
	gsize n = vmifs_event_reader_read(f->reader, buf, sizeof buf);

	g_string_append_len(f->text, buf, (gssize) n);
	return strstr(f->text->str, part) != NULL;
}

/* Another process is the only one. */
static void
replace_task(Fixture *f, guint32 pid)
{
	live_put(f->live, 0x6000, pid);
}

START_TEST(processes_are_compared)
{
	Fixture f;
	setup(&f, 10);
	begin(&f);
	replace_task(&f, 9);
	await(has(&f, "\"pid\":9,\"comm\":\"toy\",\"what\":\"start\""));
	ck_assert(has(&f, "\"pid\":7,\"comm\":\"toy\",\"what\":\"exit\""));
	teardown(&f);
}
END_TEST

START_TEST(a_change_of_state_is_told)
{
	Fixture f;
	setup(&f, 100);
	begin(&f);
	g_atomic_int_set(&f.live->state, VMIFS_STATE_PAUSED);
	live_changed(f.live, VMIFS_CHANGE_STATE);
	await(has(&f, "\"type\":\"state\",\"state\":\"paused\",\"boot\":1}"));
	g_atomic_int_set(&f.live->state, VMIFS_STATE_RUNNING);
	await(has(&f, "\"state\":\"running\",\"boot\":1}"));
	teardown(&f);
}
END_TEST

START_TEST(another_boot_is_told_and_its_processes_are_not)
{
	Fixture f;
	setup(&f, 10);
	begin(&f);
	halt(f.live);
	boot(f.live, 0x7000, 8);
	await(has(&f, "\"state\":\"running\",\"boot\":2}"));
	await(vmifs_guest_wait(f.guest, NULL, NULL));
	g_usleep(300000);
	ck_assert_msg(!has(&f, "\"task\""), "%s", f.text->str);
	teardown(&f);
}
END_TEST

START_TEST(the_end_is_the_last_line)
{
	Fixture f;
	setup(&f, 100);
	begin(&f);
	live_end(f.live);
	await(has(&f, "\"state\":\"gone\"}\n"));
	await(vmifs_event_reader_ready(f.reader) == VMIFS_EVENTS_END);
	teardown(&f);
}
END_TEST

START_TEST(nobody_looks_while_nobody_reads)
{
	Fixture f;
	setup(&f, 10);
	f.live->unmapped = TRUE;
	begin(&f);
	replace_task(&f, 9);
	await(has(&f, "\"pid\":9"));
	vmifs_event_reader_free(g_steal_pointer(&f.reader));
	g_usleep(200000);
	replace_task(&f, 10);
	g_usleep(300000);
	/* Nor is what has changed meanwhile told to the next. */
	begin(&f);
	replace_task(&f, 11);
	await(has(&f, "\"pid\":11"));
	ck_assert(has(&f, "\"pid\":10,\"comm\":\"toy\",\"what\":\"exit\""));
	ck_assert_msg(!has(&f, "\"pid\":10,\"comm\":\"toy\",\"what\":\"start\""), "%s",
		      f.text->str);
	teardown(&f);
}
END_TEST

START_TEST(own_stops_are_not_told)
{
	Fixture f;
	setup(&f, 10);
	begin(&f);
	vmifs_connection_begin_hold(f.guest->connection);
	g_atomic_int_set(&f.live->state, VMIFS_STATE_PAUSED);
	live_changed(f.live, VMIFS_CHANGE_STATE);
	g_usleep(300000);
	g_atomic_int_set(&f.live->state, VMIFS_STATE_RUNNING);
	vmifs_connection_end_hold(f.guest->connection);
	live_changed(f.live, VMIFS_CHANGE_STATE);
	g_usleep(300000);
	ck_assert_msg(!has(&f, "state"), "%s", f.text->str);
	teardown(&f);
}
END_TEST

/* Lines are armed as somebody comes to read: that one is not told of the pause before. */
START_TEST(what_it_was_is_learned_once_we_leave_it_alone)
{
	Fixture f;
	setup(&f, 10);
	g_atomic_int_set(&f.live->state, VMIFS_STATE_PAUSED);
	vmifs_connection_begin_hold(f.guest->connection);
	f.reader = vmifs_guest_read_events(f.guest, NULL, NULL);
	VmifsCall call = { .deadline = g_get_monotonic_time() + 300000 };
	ck_assert(!vmifs_guest_events_settle(f.guest, &call, NULL));
	vmifs_connection_end_hold(f.guest->connection);
	ck_assert(vmifs_guest_events_settle(f.guest, NULL, NULL));
	live_changed(f.live, VMIFS_CHANGE_STATE);
	g_usleep(300000);
	ck_assert_msg(!has(&f, "\"state\""), "%s", f.text->str);
	g_atomic_int_set(&f.live->state, VMIFS_STATE_RUNNING);
	live_changed(f.live, VMIFS_CHANGE_STATE);
	await(has(&f, "\"state\":\"running\",\"boot\":1}"));
	teardown(&f);
}
END_TEST

START_TEST(a_guest_that_ends_is_not_waited_for)
{
	Fixture f;
	setup(&f, 10);
	vmifs_connection_begin_hold(f.guest->connection);
	f.reader = vmifs_guest_read_events(f.guest, NULL, NULL);
	live_end(f.live);
	ck_assert(vmifs_guest_events_settle(f.guest, NULL, NULL));
	teardown(&f);
}
END_TEST

START_TEST(guests_that_were_read_come_and_go)
{
	for (int i = 0; i < 20; i++) {
		Fixture f;
		setup(&f, 0);
		f.reader = vmifs_guest_read_events(f.guest, NULL, NULL);
		g_usleep(i * 1000);
		if (i % 2)
			vmifs_event_reader_free(g_steal_pointer(&f.reader));
		live_end(f.live);
		teardown(&f);
	}
}
END_TEST

static Suite *
make_suite(void)
{
	Suite *s = suite_create("observe");
	TCase *t = tcase_create("observe");
	tcase_set_timeout(t, 60);
	tcase_add_test(t, processes_are_compared);
	tcase_add_test(t, a_change_of_state_is_told);
	tcase_add_test(t, another_boot_is_told_and_its_processes_are_not);
	tcase_add_test(t, the_end_is_the_last_line);
	tcase_add_test(t, nobody_looks_while_nobody_reads);
	tcase_add_test(t, own_stops_are_not_told);
	tcase_add_test(t, what_it_was_is_learned_once_we_leave_it_alone);
	tcase_add_test(t, a_guest_that_ends_is_not_waited_for);
	tcase_add_test(t, guests_that_were_read_come_and_go);
	suite_add_tcase(s, t);
	return s;
}

VMIFS_UNIT_MAIN(make_suite)
