/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* backend-call: backends that fail and lie, passthrough, and which backend is chosen. */
#include <fake-backend.h>

#include <string.h>
#include <sys/stat.h>

/* ---- backends that fail or lie ---- */

START_TEST(cancelled_calls_end)
{
	gint cancelled = 1;
	VmifsCall call = { .cancelled = &cancelled };
	g_autoptr(VmifsPhysmem) mem = fake_mem(fake_new(0));
	g_auto(VmifsSegments) segments = { 0 };
	g_autoptr(GError) error = NULL;
	guint8 buf[8];

	ck_assert(!vmifs_physmem_read(mem, 0, buf, 8, &call, &error));
	ck_assert(g_error_matches(error, VMIFS_ERROR, VMIFS_ERROR_CANCELLED));
	g_clear_error(&error);
	vmifs_segments_init(&segments);
	ck_assert_uint_eq(vmifs_physmem_gather(mem, 0, 8, 0, &segments, &call, &error), 0);
	ck_assert(g_error_matches(error, VMIFS_ERROR, VMIFS_ERROR_CANCELLED));
	ck_assert_uint_eq(segments.len, 0);
}
END_TEST

START_TEST(forgotten_elements_have_failed)
{
	Fake *fake = fake_new(0);
	g_autoptr(VmifsPhysmem) mem = fake_mem(fake);
	g_autoptr(GError) error = NULL;
	guint8 buf[8];

	fake->mute_read = TRUE;
	ck_assert(!vmifs_physmem_read(mem, 0, buf, 8, NULL, &error));
	ck_assert(g_error_matches(error, VMIFS_ERROR, VMIFS_ERROR_IO));
}
END_TEST

START_TEST(instance_is_closed_once_whatever_happens)
{
	gint closed = 0;
	g_autoptr(GError) error = NULL;
	Fake *fake = fake_new(0);
	fake->closed = &closed;
	vmifs_physmem_unref(fake_mem(fake));
	ck_assert_int_eq(closed, 1);

	fake = fake_new(0);
	fake->closed = &closed;
	fake->fail_layout = TRUE;
	ck_assert_ptr_null(vmifs_physmem_new(&fake_backend, fake, NULL, &error));
	ck_assert(g_error_matches(error, VMIFS_ERROR, VMIFS_ERROR_TIMEOUT));
	ck_assert_int_eq(closed, 2);
	g_clear_error(&error);

	fake = fake_new(MAPPED);
	fake->closed = &closed;
	fake->fail_map = TRUE;
	ck_assert_ptr_null(vmifs_physmem_new(&fake_backend, fake, NULL, &error));
	ck_assert(g_error_matches(error, VMIFS_ERROR, VMIFS_ERROR_IO));
	ck_assert_int_eq(closed, 3);
	g_clear_error(&error);

	fake = fake_new(MAPPED);
	fake->closed = &closed;
	fake->short_map = TRUE;
	ck_assert_ptr_null(vmifs_physmem_new(&fake_backend, fake, NULL, &error));
	ck_assert(g_error_matches(error, VMIFS_ERROR, VMIFS_ERROR_CORRUPT));
	ck_assert_int_eq(closed, 4);
}
END_TEST

static const struct {
	VmifsRegion regions[2];
	gsize n;
	const char *name;
	guint64 block_len;
	const char *message;
} hostile[] = {
	{ { { 0 } }, 0, "a", PAGE, "there is none" },
	{ { { .pa = 0, .len = 0 } }, 1, "a", PAGE, "empty or wraps" },
	{ { { .pa = G_MAXUINT64 - 7, .len = 8 } }, 1, "a", PAGE, "empty or wraps" },
	{ { { .pa = 1, .len = G_MAXUINT64 } }, 1, "a", PAGE, "empty or wraps" },
	{ { { .pa = 0, .len = 1, .block = 2 } }, 1, "a", PAGE, "in no block" },
	{ { { .pa = 0, .len = PAGE + 1 } }, 1, "a", PAGE, "not within its block" },
	{ { { .pa = 0, .len = 2, .offset = PAGE - 1 } }, 1, "a", PAGE, "not within its block" },
	{ { { .pa = 0, .len = 2, .offset = G_MAXUINT64 } }, 1, "a", PAGE, "not within its block" },
	{ { { .pa = 0, .len = 2 }, { .pa = 1, .len = 2 } }, 2, "a", PAGE, "not behind the one" },
	{ { { .pa = 8, .len = 2 }, { .pa = 0, .len = 2 } }, 2, "a", PAGE, "not behind the one" },
	{ { { .pa = 0, .len = 1, .kind = 9 } }, 1, "a", PAGE, "no known kind" },
	{ { { .pa = 0, .len = 1 } }, 1, "main", PAGE, "two blocks are called main" },
	{ { { .pa = 0, .len = 1 } }, 1, "a/b", PAGE, "cannot be that of a file" },
	{ { { .pa = 0, .len = 1 } }, 1, "", PAGE, "cannot be that of a file" },
	{ { { .pa = 0, .len = 1 } }, 1, "..", PAGE, "cannot be that of a file" },
	{ { { .pa = 0, .len = 1 } }, 1, NULL, PAGE, "cannot be that of a file" },
	{ { { .pa = 0, .len = 1 } }, 1, "a", 0, "not within its block" },
	{ { { .pa = 0, .len = 1 } }, 1, "a", 1ULL << 63, "block a has 0x8000000000000000 bytes" },
};

START_TEST(impossible_layouts_are_refused)
{
	Fake *fake = fake_new(0);
	g_autoptr(GError) error = NULL;

	fake->regions = hostile[_i].regions;
	fake->n_regions = hostile[_i].n;
	fake->blocks[0].name = hostile[_i].name;
	fake->blocks[0].len = hostile[_i].block_len;
	ck_assert_ptr_null(vmifs_physmem_new(&fake_backend, fake, NULL, &error));
	ck_assert(g_error_matches(error, VMIFS_ERROR, VMIFS_ERROR_CORRUPT));
	ck_assert_msg(strstr(error->message, hostile[_i].message) != NULL, "%s", error->message);
}
END_TEST

START_TEST(a_block_that_is_gone_leaves_its_number)
{
	Fake *fake = fake_new(0);
	VmifsRegion only = { .pa = 0, .len = 8, .block = 1 };
	guint8 buf[8];

	fake->regions = &only;
	fake->n_regions = 1;
	fake->blocks[0].len = 0;
	g_autoptr(VmifsPhysmem) mem = fake_mem(fake);
	ck_assert(vmifs_physmem_read(mem, 0, buf, sizeof buf, NULL, NULL));
}
END_TEST

/* ---- passthrough, choice of a backend ---- */

static gboolean
is_same_file(int a, int b)
{
	struct stat x, y;
	return !fstat(a, &x) && !fstat(b, &y) && x.st_ino == y.st_ino && x.st_dev == y.st_dev;
}

START_TEST(passthrough_is_for_one_piece_at_zero)
{
	static const struct {
		VmifsRegion region;
		gboolean has_file;
		const char *why;
	} table[] = {
		{ { .pa = 0, .len = 4 * PAGE }, TRUE, NULL },
		{ { .pa = 0, .len = 4 * PAGE }, FALSE, "no file" },
		{ { .pa = PAGE, .len = 4 * PAGE }, TRUE, "address 0" },
		{ { .pa = 0, .len = 3 * PAGE }, TRUE, "only a part" },
		{ { .pa = 0, .len = 3 * PAGE, .offset = PAGE }, TRUE, "only a part" },
	};
	const char *why = NULL;

	for (gsize i = 0; i < G_N_ELEMENTS(table); i++) {
		Fake *fake = fake_new(0);
		int fd = fake->fd[0];
		fake->regions = &table[i].region;
		fake->n_regions = 1;
		fake->blocks[0].fd = table[i].has_file ? fd : -1;
		g_autoptr(VmifsPhysmem) mem = fake_mem(fake);
		int given = vmifs_physmem_passthrough_fd(mem, &why);
		ck_assert_int_eq(given >= 0, table[i].why == NULL);
		ck_assert(given < 0 || is_same_file(given, fd));
		if (table[i].why)
			ck_assert_msg(strstr(why, table[i].why) != NULL, "%s", why);
	}
	g_autoptr(VmifsPhysmem) mem = fake_mem(fake_new(0));
	ck_assert_int_eq(vmifs_physmem_passthrough_fd(mem, &why), -1);
	ck_assert_ptr_nonnull(strstr(why, "several pieces"));
}
END_TEST

START_TEST(backend_is_chosen_by_content_or_word)
{
	VmifsOptions options = { .size = sizeof options };
	VmifsSource src = { .spec = "x",
			    .fd = -1,
			    .head = (const guint8 *) "vmifs-text-guest 1",
			    .head_len = 18,
			    .options = &options };
	g_autoptr(GError) error = NULL;

	ck_assert_str_eq(vmifs_backend_choose(&src, &error)->name, "text");
	options.format = "text";
	src.head_len = 0;
	ck_assert_str_eq(vmifs_backend_choose(&src, &error)->name, "text");
	options.format = "floppy";
	ck_assert_ptr_null(vmifs_backend_choose(&src, &error));
	ck_assert(g_error_matches(error, VMIFS_ERROR, VMIFS_ERROR_INVALID));
	ck_assert_ptr_nonnull(strstr(error->message, "text"));
}
END_TEST

/* ---- stops ---- */

/* A source whose instance is itself: it remembers what it was opened with and what is armed. */
typedef struct {
	VmifsSource source;
	guint64 armed; /* an id; 0 = none */
	VmifsStopPoint point;
	GThread *closer; /* (borrowed) who closed it */
	VmifsConnection *connection;
	gint is_reading; /* atomic */
	guint n_held;    /* calls that were known to make the guest stand still */
} Stopper;

static void
note_hold(Stopper *stopper)
{
	gint holds;
	stopper->n_held += !vmifs_connection_is_left_alone(stopper->source.engine, &holds);
}

static gpointer
stopper_open(const VmifsSource *src, const VmifsCall *call, GError **error)
{
	Stopper *self = src->target;
	self->source = *src;
	return self;
}

static void
stopper_close(gpointer self)
{
	((Stopper *) self)->closer = g_thread_self();
}

static gboolean
stopper_caps(gpointer self, VmifsStopCaps *ret, const VmifsCall *call, GError **error)
{
	ret->slots = 1;
	return TRUE;
}

static gboolean
stopper_arm(gpointer self, guint64 id, const VmifsStopPoint *points, guint n, guint *ret_failed,
	    const VmifsCall *call, GError **error)
{
	Stopper *stopper = self;
	note_hold(stopper);
	if (stopper->armed) {
		g_set_error(error, VMIFS_ERROR, VMIFS_ERROR_UNSUPPORTED, "one is armed");
		return FALSE;
	}
	stopper->armed = id;
	stopper->point = points[0];
	return TRUE;
}

static void
stopper_disarm(gpointer self, const guint64 *ids, guint n)
{
	Stopper *stopper = self;
	note_hold(stopper);
	if (stopper->armed == ids[0])
		stopper->armed = 0;
}

static VmifsConnection *
open_stopper(VmifsBackend *backend, Stopper *stopper, const VmifsOptions *options)
{
	VmifsSource src = { .spec = "x", .fd = -1, .target = stopper, .options = options };
	*backend = fake_backend;
	backend->open = stopper_open;
	backend->close = stopper_close;
	backend->stop_caps = stopper_caps;
	backend->arm = stopper_arm;
	backend->disarm = stopper_disarm;
	return vmifs_connection_open(backend, &src, NULL, NULL);
}

static VmifsStopVerdict
note_stop(gpointer user, const VmifsStop *stop)
{
	guint64 *last = user;
	*last = stop->id;
	return stop->id == 7 ? VMIFS_STOP_KEEP : VMIFS_STOP_DISARM;
}

static void
note_unarmed(gpointer user, guint64 id, const char *why)
{
	guint64 *last = user;
	*last = id + 100;
}

START_TEST(stops_reach_who_listens)
{
	VmifsOptions options = { .size = sizeof options };
	VmifsBackend backend;
	Stopper stopper = { 0 };
	guint64 last = 0;
	VmifsStopPoint point = { .kind = VMIFS_STOP_WRITE, .address = 0x1000, .len = 8 };
	VmifsStopCaps caps;
	VmifsStop stop = { .id = 7 };
	guint failed;
	g_autoptr(GError) error = NULL;
	g_autoptr(VmifsConnection) connection = open_stopper(&backend, &stopper, &options);

	ck_assert(vmifs_backend_stop_caps(connection, &caps, NULL, NULL));
	ck_assert_uint_eq(caps.slots, 1);
	ck_assert(vmifs_backend_arm(connection, 7, &point, 1, &failed, NULL, NULL));
	ck_assert_uint_eq(stopper.armed, 7);
	ck_assert_uint_eq(stopper.point.address, 0x1000);
	ck_assert(!vmifs_backend_arm(connection, 8, &point, 1, &failed, NULL, &error));
	ck_assert(g_error_matches(error, VMIFS_ERROR, VMIFS_ERROR_UNSUPPORTED));

	/* Nobody listens: it is to be disarmed. */
	ck_assert(!stopper.source.stopped(stopper.source.engine, &stop));
	stopper.source.unarmed(stopper.source.engine, 7, "lost");
	vmifs_connection_listen_stops(connection, note_stop, note_unarmed, &last);
	ck_assert(stopper.source.stopped(stopper.source.engine, &stop));
	ck_assert_uint_eq(last, 7);
	stop.id = 8;
	ck_assert(!stopper.source.stopped(stopper.source.engine, &stop));
	stopper.source.unarmed(stopper.source.engine, 7, "lost");
	ck_assert_uint_eq(last, 107);
	vmifs_connection_listen_stops(connection, NULL, NULL, NULL);
	ck_assert(!stopper.source.stopped(stopper.source.engine, &stop));
	ck_assert_uint_eq(last, 107);

	stop.id = 7;
	vmifs_backend_disarm(connection, &stop.id, 1);
	ck_assert_uint_eq(stopper.armed, 0);
	ck_assert_uint_eq(stopper.n_held, 3);
	vmifs_connection_drop(connection);
	ck_assert(!vmifs_backend_arm(connection, 9, &point, 1, &failed, NULL, NULL));
	ck_assert_uint_eq(stopper.armed, 0);
	vmifs_backend_disarm(connection, &stop.id, 1);
}
END_TEST

/* As one that reads the guest's memory, while it goes. */
static VmifsStopVerdict
read_at_stop(gpointer user, const VmifsStop *stop)
{
	Stopper *stopper = user;

	ck_assert(vmifs_connection_enter(stopper->connection));
	g_atomic_int_set(&stopper->is_reading, 1);
	g_usleep(100 * 1000);
	vmifs_connection_leave(stopper->connection);
	return VMIFS_STOP_KEEP;
}

static gpointer
stop_once(gpointer data)
{
	Stopper *stopper = data;
	VmifsStop stop = { .id = 7 };

	stopper->source.stopped(stopper->source.engine, &stop);
	return NULL;
}

START_TEST(who_tells_of_a_stop_does_not_close_itself)
{
	VmifsOptions options = { .size = sizeof options };
	VmifsBackend backend;
	Stopper stopper = { 0 };
	g_autoptr(VmifsConnection) connection = open_stopper(&backend, &stopper, &options);

	stopper.connection = connection;
	vmifs_connection_listen_stops(connection, read_at_stop, note_unarmed, &stopper);
	GThread *thread = g_thread_new("stops", stop_once, &stopper);
	while (!g_atomic_int_get(&stopper.is_reading))
		g_usleep(1000);
	vmifs_connection_drop(connection);
	g_thread_join(thread);
	ck_assert_ptr_eq(stopper.closer, g_thread_self());
}
END_TEST

static const struct {
	gboolean passive, guest_rw, no_ops, frozen, patch;
	VmifsError code;
} refused[] = {
	{ .passive = TRUE, .code = VMIFS_ERROR_DENIED },
	{ .patch = TRUE, .code = VMIFS_ERROR_DENIED },
	{ .no_ops = TRUE, .guest_rw = TRUE, .code = VMIFS_ERROR_UNSUPPORTED },
	{ .frozen = TRUE, .guest_rw = TRUE, .code = VMIFS_ERROR_UNSUPPORTED },
};

START_TEST(what_may_not_stop_is_not_armed)
{
	VmifsOptions options = { .size = sizeof options,
				 .passive = refused[_i].passive,
				 .guest_rw = refused[_i].guest_rw };
	VmifsBackend backend;
	Stopper stopper = { 0 };
	VmifsStopPoint point = { .address = 0x1000, .patch = refused[_i].patch };
	VmifsStopCaps caps = { 0 };
	guint failed;
	g_autoptr(GError) error = NULL;
	g_autoptr(VmifsConnection) connection = open_stopper(&backend, &stopper, &options);

	backend.frozen = refused[_i].frozen;
	if (refused[_i].no_ops)
		backend.arm = NULL;
	ck_assert(!vmifs_backend_arm(connection, 1, &point, 1, &failed, NULL, &error));
	ck_assert_int_eq(error->code, (int) refused[_i].code);
	ck_assert_uint_eq(stopper.armed, 0);
	ck_assert_int_eq(vmifs_backend_stop_caps(connection, &caps, NULL, NULL), refused[_i].patch);
	backend.frozen = FALSE;
}
END_TEST

static Suite *
make_suite(void)
{
	Suite *s = suite_create("backend-call");
	TCase *t = tcase_create("backend-call");
	tcase_add_test(t, cancelled_calls_end);
	tcase_add_test(t, forgotten_elements_have_failed);
	tcase_add_test(t, instance_is_closed_once_whatever_happens);
	tcase_add_loop_test(t, impossible_layouts_are_refused, 0, G_N_ELEMENTS(hostile));
	tcase_add_test(t, a_block_that_is_gone_leaves_its_number);
	tcase_add_test(t, passthrough_is_for_one_piece_at_zero);
	tcase_add_test(t, backend_is_chosen_by_content_or_word);
	tcase_add_test(t, stops_reach_who_listens);
	tcase_add_test(t, who_tells_of_a_stop_does_not_close_itself);
	tcase_add_loop_test(t, what_may_not_stop_is_not_armed, 0, G_N_ELEMENTS(refused));
	suite_add_tcase(s, t);
	return s;
}

VMIFS_UNIT_MAIN(make_suite)
