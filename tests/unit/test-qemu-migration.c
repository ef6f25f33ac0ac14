/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * qemu/migration, qemu/incoming: a guest's memory of one moment in QEMU's background snapshot, from
 * a QEMU of good and of ill will.
 */
#include <qemu-subject.h>

#define DONE                                                                                       \
	"qmp query-migrate\n\t{\"status\": \"completed\", \"downtime\": 7, \"setup-time\": 1}\n"
#define TAKES "qmp getfd\n\t{}\nqmp closefd\n\t{}\n"
#define SWITCHED "qmp migrate-set-capabilities\n\t{}\n"
#define OBEYS "qmp migrate\n\t{}\n"
#define ON "migrate-set-capabilities(multifd- background-snapshot+) "
#define OFF "migrate-set-capabilities(multifd+ background-snapshot-) "
#define PLAN "query-migrate query-status query-migrate-capabilities query-migrate-parameters "
/* All goes well; and: all that goes wrong is in the stream, and the guest is stopped for a copy. */
#define WELL FREE DONE RUNS SWITCHES TAKES SWITCHED OBEYS
#define COPIED FREE DONE STANDS SWITCHES TAKES SWITCHED OBEYS STOPS

/* ---- streams ---- */

static void
put_number(GByteArray *stream, guint64 value, gsize len)
{
	for (gsize i = len; i--;)
		g_byte_array_append(stream, &(guint8){ (guint8) (value >> 8 * i) }, 1);
}

static void
put_name(GByteArray *stream, const char *name)
{
	put_number(stream, strlen(name), 1);
	g_byte_array_append(stream, (const guint8 *) name, (guint) strlen(name));
}

/* Blocks of LEN bytes each, names ended by NULL. */
static GByteArray *
stream_begin(const char *const *names)
{
	GByteArray *stream = g_byte_array_new();
	guint n = g_strv_length((char **) names);

	g_byte_array_append(stream, (const guint8 *) "QEVM\0\0\0\3", 8);
	put_number(stream, 1, 1);
	put_number(stream, 2, 4);
	put_name(stream, "ram");
	put_number(stream, 0, 4);
	put_number(stream, 4, 4);
	put_number(stream, n * LEN | 4, 8);
	for (guint i = 0; i < n; i++) {
		put_name(stream, names[i]);
		put_number(stream, LEN, 8);
	}
	put_number(stream, 0x10, 8);
	put_number(stream, 0x7e, 1);
	put_number(stream, 2, 4);
	put_number(stream, 2, 1);
	put_number(stream, 2, 4);
	return stream;
}

static void
put_page(GByteArray *stream, const char *block, gsize page, guint8 value)
{
	guint8 bytes[PAGE];

	memset(bytes, value, sizeof bytes);
	put_number(stream, page * PAGE | 8, 8);
	put_name(stream, block);
	g_byte_array_append(stream, bytes, sizeof bytes);
}

static GBytes *
stream_end(GByteArray *stream)
{
	put_number(stream, 0x10, 8);
	put_number(stream, 0x7e, 1);
	put_number(stream, 2, 4);
	put_number(stream, 0, 1);
	return g_byte_array_free_to_bytes(stream);
}

/* Pages 0, 1 and 5 of it. */
static GBytes *
some_stream(const char *block)
{
	const char *const names[] = { "0000:00:02.0/vga.vram", block, NULL };
	GByteArray *stream = stream_begin(names);

	put_page(stream, block, 0, 0x11);
	put_page(stream, block, 1, 0x22);
	put_page(stream, names[0], 2, 0x33);
	put_page(stream, block, 5, 0x44);
	return stream_end(stream);
}

/* ---- pictures of them ---- */

START_TEST(memory_is_that_of_the_stream)
{
	static const char *const names[] = { "pc.ram", "/objects/pc.ram", "0000:00:02.0/pc.ram" };
	g_autoptr(GBytes) stream = some_stream(names[_i]);
	const FakeQemu how = { .session = WELL, .stream = stream };
	Guest guest;
	setup(&guest, OTHER_ANONYMOUS, &how, NULL);
	takes(&guest);
	assert_page(&guest, 0, 0, 0x11);
	assert_page(&guest, 0, 1, 0x22);
	assert_page(&guest, 0, 2, 0);
	assert_page(&guest, 0, 5, 0x44);
	ck_assert_str_eq(guest.picture.how, "QEMU's background snapshot");
	ck_assert_int_eq(guest.picture.taken.still_us, 7000);
	ck_assert_int_le(ABS(g_get_real_time() - guest.picture.taken.moment), 60 * G_USEC_PER_SEC);
	/* Switched as it was found, events aside, which harm nobody. */
	fake_qemu_hears(guest.server, PLAN "getfd " ON "migrate query-migrate " OFF);
	teardown(&guest);
}
END_TEST

/* The reason is told, and nothing is changed. */
START_TEST(what_qemu_cannot_is_done_by_a_stop)
{
	static const struct {
		const char *session, *heard, *why;
	} cases[] = {
		{ FREE STANDS "qmp query-migrate-capabilities\n\t[]\n"
			      "qmp query-migrate-parameters\n\t{}\n" STOPS,
		  PLAN, "knows no background" },
		{ FREE STANDS STOPS, PLAN, "no capabilities" },
		{ FREE STANDS "qmp query-migrate-capabilities\n\t[{\"capability\": "
			      "\"background-snapshot\", \"state\": false}]\n"
			      "qmp query-migrate-parameters\n\t{\"tls-creds\": \"x\"}\n" STOPS,
		  PLAN, "encrypted" },
		{ FREE STANDS SWITCHES "qmp getfd\n\t!GenericError none came\nqmp "
				       "closefd\n\t!GenericError x\n" STOPS,
		  PLAN "getfd closefd ", "none came" },
		{ FREE STANDS SWITCHES TAKES "qmp migrate-set-capabilities\n\t!GenericError "
					     "not with this host\n" STOPS,
		  PLAN "getfd " ON "closefd ", "not with this host" },
		{ FREE STANDS SWITCHES TAKES SWITCHED
		  "qmp migrate\n\t!GenericError vfio forbids it\n" STOPS,
		  PLAN "getfd " ON "migrate closefd " OFF, "vfio forbids it" },
	};
	const FakeQemu how = { .session = cases[_i].session };
	g_autofree char *heard = g_strconcat(cases[_i].heard, STOPPED, NULL);
	Guest guest;
	setup(&guest, OTHER_ANONYMOUS, &how, NULL);
	other_process_fill(guest.other, 3 * PAGE, PAGE, 0x55);
	takes(&guest);
	assert_page(&guest, 0, 2, 0);
	assert_page(&guest, 0, 3, 0x55);
	ck_assert_msg(strstr(guest.picture.how, cases[_i].why) != NULL, "%s", guest.picture.how);
	ck_assert_int_gt(guest.picture.taken.still_us, 0);
	fake_qemu_hears(guest.server, heard);
	teardown(&guest);
}
END_TEST

START_TEST(blocks_that_cannot_be_told_apart_are_copied)
{
	static const char *const theirs[][4] = {
		{ "other.ram", NULL },
		{ "xpc.ram", NULL },
		{ "pc.ram", "0000:00:02.0/pc.ram", NULL },
	};
	GByteArray *bytes = stream_begin(theirs[_i]);
	put_page(bytes, theirs[_i][0], 0, 0x66);
	g_autoptr(GBytes) stream = stream_end(bytes);
	const FakeQemu how = { .session = COPIED, .stream = stream };
	Guest guest;
	setup(&guest, OTHER_ANONYMOUS, &how, NULL);
	other_process_fill(guest.other, 0, PAGE, 0x77);
	takes(&guest);
	assert_page(&guest, 0, 0, 0x77);
	ck_assert_ptr_nonnull(strstr(guest.picture.how, "block pc.ram"));
	teardown(&guest);
}
END_TEST

START_TEST(blocks_of_one_name_are_copied)
{
	const char *const theirs[] = { "0000:00:02.0/pc.ram", "0000:00:03.0/pc.ram", NULL };
	g_autoptr(GBytes) stream = stream_end(stream_begin(theirs));
	const FakeQemu how = { .session = COPIED, .stream = stream };
	Guest guest;
	setup(&guest, OTHER_ANONYMOUS, &how, "pc.ram");
	takes(&guest);
	ck_assert_ptr_nonnull(strstr(guest.picture.how, "may be several"));
	teardown(&guest);
}
END_TEST

START_TEST(each_block_gets_its_own)
{
	const char *const theirs[] = { "dimm0", "pc.ram", NULL };
	GByteArray *bytes = stream_begin(theirs);
	put_page(bytes, "dimm0", 1, 0x1d);
	put_page(bytes, "pc.ram", 2, 0x2c);
	g_autoptr(GBytes) stream = stream_end(bytes);
	const FakeQemu how = { .session = WELL, .stream = stream };
	Guest guest;
	setup(&guest, OTHER_ANONYMOUS, &how, "dimm0");
	takes(&guest);
	assert_page(&guest, 0, 2, 0x2c);
	assert_page(&guest, 1, 1, 0x1d);
	teardown(&guest);
}
END_TEST

/* A migration of others is not disturbed. */
START_TEST(guest_that_is_migrated_is_left_alone)
{
	const FakeQemu how = { .session = "qmp query-migrate\n\t{\"status\": \"active\"}\n" RUNS };
	Guest guest;
	setup(&guest, OTHER_ANONYMOUS, &how, NULL);
	fails(&guest, NULL, VMIFS_ERROR_IO);
	ck_assert_ptr_nonnull(strstr(guest.error->message, "another migration"));
	fake_qemu_hears(guest.server, "query-migrate ");
	teardown(&guest);
}
END_TEST

START_TEST(broken_stream_makes_no_picture)
{
	const char *const names[] = { "pc.ram", NULL };
	GByteArray *bytes = stream_begin(names);
	put_page(bytes, "pc.ram", 0, 0x11);
	put_page(bytes, "pc.ram", 9, 0x11);
	put_number(bytes, G_MAXUINT64, 8);
	g_autoptr(GBytes) stream = stream_end(bytes);
	const FakeQemu how = { .session = FREE DONE RUNS SWITCHES TAKES SWITCHED OBEYS STOPS,
			       .stream = stream };
	Guest guest;
	setup(&guest, OTHER_ANONYMOUS, &how, NULL);
	fails(&guest, NULL, VMIFS_ERROR_IO);
	/* The guardian has read the rest. */
	fake_qemu_hears(guest.server, PLAN "getfd " ON "migrate " OFF);
	teardown(&guest);
}
END_TEST

#define FAILED "qmp query-migrate\n\t{\"status\": \"failed\", \"error-desc\": \"no room\"}\n"

/* Cut in the midst; QEMU tells why. Who has paused the guest since it ran again was not QEMU. */
START_TEST(qemu_explains_what_it_could_not_send)
{
	const char *const names[] = { "pc.ram", NULL };
	GByteArray *bytes = stream_begin(names);
	put_page(bytes, "pc.ram", 0, 0x11);
	put_page(bytes, "pc.ram", 9, 0x11);
	g_autoptr(GBytes) stream = g_byte_array_free_to_bytes(bytes);
	const FakeQemu how = { .session =
				       FREE FAILED RUNS RESTS SWITCHES TAKES SWITCHED OBEYS STOPS,
			       .stream = stream };
	Guest guest;
	setup(&guest, OTHER_ANONYMOUS, &how, NULL);
	ck_assert(!take(&guest, NULL));
	ck_assert_ptr_nonnull(strstr(guest.error->message, "no room"));
	ck_assert_ptr_null(guest.picture.how);
	fake_qemu_hears(guest.server, PLAN "getfd " ON "migrate query-migrate " OFF);
	teardown(&guest);
}
END_TEST

/* It has stopped the guest, and sent nothing yet. */
static GBytes *
short_stream(void)
{
	const char *const names[] = { "pc.ram", NULL };

	return g_byte_array_free_to_bytes(stream_begin(names));
}

START_TEST(what_qemu_leaves_stopped_is_let_run)
{
	g_autoptr(GBytes) stream = short_stream();
	const FakeQemu how = {
		.session = FREE FAILED RUNS RESTS RUNS RESTS SWITCHES TAKES SWITCHED OBEYS STOPS,
		.stream = stream
	};
	Guest guest;
	setup(&guest, OTHER_ANONYMOUS, &how, NULL);
	takes(&guest);
	ck_assert_ptr_nonnull(strstr(guest.picture.how, "no room"));
	fake_qemu_hears(guest.server,
			PLAN "getfd " ON "migrate query-migrate " LET_RUN OFF STOPPED);
	teardown(&guest);
}
END_TEST

/* As soon as QEMU is told to begin. */
static gpointer
pause_in_between(gpointer data)
{
	Guest *guest = data;

	fake_qemu_hears_of(guest->server, " migrate ");
	ck_assert(qemu_stop_set_state(&guest->stop, VMIFS_STATE_PAUSED, NULL, NULL));
	return NULL;
}

START_TEST(what_a_user_has_paused_is_not_taken_for_what_qemu_left)
{
	g_autoptr(GBytes) stream = short_stream();
	const FakeQemu how = { .session =
				       FREE FAILED RUNS RESTS SWITCHES TAKES SWITCHED OBEYS STOPS,
			       .stream = stream,
			       .stream_ms = 500 };
	Guest guest;
	setup(&guest, OTHER_ANONYMOUS, &how, NULL);
	GThread *user = g_thread_new("user", pause_in_between, &guest);
	take(&guest, NULL);
	g_thread_join(user);
	g_autofree char *heard = fake_qemu_heard(guest.server);
	ck_assert_ptr_null(strstr(heard, "cont "));
	teardown(&guest);
}
END_TEST

/* QEMU lets the guest run once it has looked at all of it, whoever has paused it meanwhile. */
START_TEST(what_a_user_pauses_while_qemu_begins_is_paused_again)
{
	g_autoptr(GBytes) stream = some_stream("pc.ram");
	const FakeQemu how = { .session = FREE DONE RUNS RESTS SWITCHES TAKES SWITCHED OBEYS STOPS,
			       .stream = stream,
			       .stream_ms = 500 };
	Guest guest;
	setup(&guest, OTHER_ANONYMOUS, &how, NULL);
	GThread *user = g_thread_new("user", pause_in_between, &guest);
	takes(&guest);
	g_thread_join(user);
	fake_qemu_hears(guest.server,
			PLAN "getfd " ON
			     "migrate stop query-status stop query-status query-migrate " OFF);
	teardown(&guest);
}
END_TEST

START_TEST(status_that_never_ends_is_not_waited_for)
{
	g_autoptr(GBytes) stream = some_stream("pc.ram");
	const FakeQemu how = { .session = FREE
			       "qmp query-migrate\n\t{\"status\": \"active\"}\n" RUNS SWITCHES TAKES
				       SWITCHED OBEYS,
			       .stream = stream };
	const VmifsCall call = { .deadline = g_get_monotonic_time() + G_USEC_PER_SEC };
	Guest guest;
	setup(&guest, OTHER_ANONYMOUS, &how, NULL);
	fails(&guest, &call, VMIFS_ERROR_TIMEOUT);
	teardown(&guest);
}
END_TEST

/* Much more than a pipe holds: QEMU is never left with a broken one. */
static GBytes *
long_stream(void)
{
	const char *const names[] = { "pc.ram", NULL };
	GByteArray *stream = stream_begin(names);

	for (gsize page = 0; page < LEN / PAGE; page += 2)
		put_page(stream, "pc.ram", page, 0x11);
	return stream_end(stream);
}

static void
all_is_read(const Guest *guest, GBytes *stream)
{
	for (int i = 0; i < 600; i++) {
		if (fake_qemu_written(guest->server) == (gssize) g_bytes_get_size(stream))
			return;
		g_usleep(20 * 1000);
	}
	ck_abort_msg("%zd of %zu", fake_qemu_written(guest->server), g_bytes_get_size(stream));
}

START_TEST(without_room_the_rest_is_read_all_the_same)
{
	g_autoptr(GBytes) stream = long_stream();
	const FakeQemu how = { .session = WELL, .stream = stream };
	Guest guest;
	setup(&guest, OTHER_ANONYMOUS, &how, NULL);
	guest.picture.most_writes = 1;
	fails(&guest, NULL, VMIFS_ERROR_NO_SPACE);
	all_is_read(&guest, stream);
	fake_qemu_hears(guest.server, PLAN "getfd " ON "migrate " OFF);
	teardown(&guest);
}
END_TEST

START_TEST(who_gives_up_leaves_it_to_a_guardian)
{
	g_autoptr(GBytes) stream = long_stream();
	const FakeQemu how = { .session = WELL, .stream = stream };
	gint cancelled = 0;
	const VmifsCall call = { .cancelled = &cancelled };
	Guest guest;
	setup(&guest, OTHER_ANONYMOUS, &how, NULL);
	guest.picture.written = give_up;
	guest.picture.user = &cancelled;
	fails(&guest, &call, VMIFS_ERROR_CANCELLED);
	all_is_read(&guest, stream);
	fake_qemu_hears(guest.server, PLAN "getfd " ON "migrate " OFF);
	teardown(&guest);
}
END_TEST

START_TEST(killed_vmifs_leaves_it_to_a_guardian)
{
	g_autoptr(GBytes) stream = long_stream();
	const FakeQemu how = { .session = WELL, .stream = stream };
	Guest guest;
	setup(&guest, OTHER_ANONYMOUS, &how, NULL);
	die_taking(&guest);
	all_is_read(&guest, stream);
	fake_qemu_hears(guest.server, PLAN "getfd " ON "migrate " OFF);
	teardown(&guest);
}
END_TEST

/* Nothing comes, and its state says so. */
START_TEST(stream_that_never_comes_is_asked_after)
{
	g_autoptr(GBytes) stream = g_bytes_new_static("", 0);
	const FakeQemu how = { .session = FREE
			       "qmp query-migrate\n\t{\"status\": \"failed\", "
			       "\"error-desc\": \"it was not to be\"}\n" STANDS SWITCHES TAKES
				       SWITCHED OBEYS STOPS,
			       .stream = stream,
			       .stream_open = TRUE };
	Guest guest;
	setup(&guest, OTHER_ANONYMOUS, &how, NULL);
	takes(&guest);
	ck_assert_ptr_nonnull(strstr(guest.picture.how, "it was not to be"));
	/* The guardian has QEMU close it. */
	fake_qemu_hears(guest.server,
			PLAN "getfd " ON "migrate query-migrate " STOPPED "closefd " OFF);
	teardown(&guest);
}
END_TEST

static Suite *
migration_suite(void)
{
	Suite *s = suite_create("qemu-migration");
	TCase *t = tcase_create("background");
	tcase_set_timeout(t, 60);
	tcase_add_loop_test(t, memory_is_that_of_the_stream, 0, 3);
	tcase_add_loop_test(t, what_qemu_cannot_is_done_by_a_stop, 0, 6);
	tcase_add_loop_test(t, blocks_that_cannot_be_told_apart_are_copied, 0, 3);
	tcase_add_test(t, blocks_of_one_name_are_copied);
	tcase_add_test(t, each_block_gets_its_own);
	tcase_add_test(t, guest_that_is_migrated_is_left_alone);
	tcase_add_test(t, broken_stream_makes_no_picture);
	tcase_add_test(t, qemu_explains_what_it_could_not_send);
	tcase_add_test(t, what_qemu_leaves_stopped_is_let_run);
	tcase_add_test(t, what_a_user_has_paused_is_not_taken_for_what_qemu_left);
	tcase_add_test(t, what_a_user_pauses_while_qemu_begins_is_paused_again);
	tcase_add_test(t, status_that_never_ends_is_not_waited_for);
	tcase_add_test(t, without_room_the_rest_is_read_all_the_same);
	tcase_add_test(t, who_gives_up_leaves_it_to_a_guardian);
	tcase_add_test(t, killed_vmifs_leaves_it_to_a_guardian);
	tcase_add_test(t, stream_that_never_comes_is_asked_after);
	suite_add_tcase(s, t);
	return s;
}

VMIFS_UNIT_MAIN(migration_suite)
