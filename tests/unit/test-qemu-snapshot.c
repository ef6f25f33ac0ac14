/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * qemu/snapshot, qemu/migration, qemu/incoming, qemu/copy: a guest's memory of one moment, in each
 * way, from a QEMU of good and of ill will. Whatever happens, the guest runs on in the end.
 */
#include <fake-picture.h>
#include <unit.h>

#include <backends/qemu/piece.h>
#include <backends/qemu/qmp.h>
#include <backends/qemu/snapshot.h>
#include <fake-qemu.h>
#include <other-process.h>
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#define PAGE 4096
#define MIB ((gsize) 1 << 20)
#define LEN (8 * MIB)

/* What it says to questions that are always asked. */
#define FREE "qmp query-migrate\n\t{}\n"
#define RUNS "qmp query-status\n\t{\"status\": \"running\", \"running\": true}\n"
#define RESTS "qmp query-status\n\t{\"status\": \"paused\", \"running\": false}\n"
#define DONE                                                                                       \
	"qmp query-migrate\n\t{\"status\": \"completed\", \"downtime\": 7, \"setup-time\": 1}\n"
#define SWITCHES                                                                                   \
	"qmp query-migrate-capabilities\n"                                                         \
	"\t[{\"capability\": \"multifd\", \"state\": true}, "                                      \
	"{\"capability\": \"events\", \"state\": true}, "                                          \
	"{\"capability\": \"xbzrle\", \"state\": false}, "                                         \
	"{\"capability\": \"background-snapshot\", \"state\": false}]\n"                           \
	"qmp query-migrate-parameters\n\t{\"tls-creds\": \"\"}\n"
#define TAKES "qmp getfd\n\t{}\nqmp closefd\n\t{}\n"
#define SWITCHED "qmp migrate-set-capabilities\n\t{}\n"
#define OBEYS "qmp migrate\n\t{}\n"
#define REGS "hmp info registers -a\n\tRAX=0000000000000005 RBX=0000000000000000\n"
#define STOPS "qmp stop\n\t{}\nqmp cont\n\t{}\n" REGS
/* Still runs when asked at first, then stands. */
#define STANDS RUNS RUNS RESTS

#define ON "migrate-set-capabilities(multifd- background-snapshot+) "
#define OFF "migrate-set-capabilities(multifd+ background-snapshot-) "
#define PLAN "query-migrate query-status query-migrate-capabilities query-migrate-parameters "
#define STOPPED "query-status stop human-monitor-command query-status cont "

typedef struct {
	OtherProcess *other;
	FakeServer *server;
	QemuSubject subject;
	VmifsPictureWriter picture;
	GError *error;
} Guest;

static void
add_block(GArray *pieces, const char *name, guint64 pa, guint64 address)
{
	QemuPiece piece = { .pa = pa,
			    .len = LEN,
			    .block = g_strdup(name),
			    .address = address,
			    .kind = VMIFS_REGION_RAM };
	g_array_append_val(pieces, piece);
}

/* more: (nullable) the name of a second block, of anonymous memory. */
static void
setup(Guest *guest, OtherKind kind, const FakeQemu *how, const char *more)
{
	g_autoptr(GArray) pieces = qemu_pieces_new();
	QemuProcess *process;
	gboolean changed;

	signal(SIGPIPE, SIG_IGN);
	*guest = (Guest){ .other = other_process_new(kind, LEN) };
	add_block(pieces, "pc.ram", 0, other_process_address(guest->other));
	if (more)
		add_block(pieces, more, LEN, other_process_plug(guest->other, LEN));
	process = qemu_process_open(other_process_pid(guest->other), 0, FALSE, NULL);
	ck_assert_ptr_nonnull(process);
	guest->subject.process = process;
	guest->subject.ram = qemu_ram_new(process);
	guest->subject.n_vcpus = 1;
	g_autofree char *text = qemu_process_maps(process, NULL);
	g_autoptr(GArray) maps = qemu_maps_parse(text);
	ck_assert(qemu_ram_set_pieces(guest->subject.ram, pieces, maps, &changed, NULL));
	if (how) {
		guest->server = fake_qemu_start(how);
		guest->subject.monitor =
			qemu_qmp_new(fake_qemu_address(guest->server), FALSE, NULL);
		ck_assert_ptr_nonnull(guest->subject.monitor);
	}
	fake_picture_init(&guest->picture);
	fake_picture_add_block(&guest->picture, LEN);
	if (more)
		fake_picture_add_block(&guest->picture, LEN);
}

static void
teardown(Guest *guest)
{
	qemu_monitor_free(guest->subject.monitor);
	if (guest->server)
		fake_qemu_stop(guest->server);
	qemu_ram_free(guest->subject.ram);
	qemu_process_close(guest->subject.process);
	other_process_free(guest->other);
	fake_picture_clear(&guest->picture);
	g_clear_error(&guest->error);
}

static gboolean
take(Guest *guest, const VmifsCall *call)
{
	g_clear_error(&guest->error);
	return qemu_snapshot_take(&guest->subject, &guest->picture, call, &guest->error);
}

/* It comes to have heard that, within some seconds, and nothing else then. */
static void
hears(const Guest *guest, const char *wanted)
{
	g_autofree char *heard = NULL;
	for (int i = 0; i < 600 && g_strcmp0(heard, wanted) != 0; i++) {
		g_usleep(20 * 1000);
		g_free(heard);
		heard = fake_qemu_heard(guest->server);
	}
	ck_assert_str_eq(heard, wanted);
}

static void
assert_page(const Guest *guest, guint block, gsize page, guint8 value)
{
	for (gsize i = 0; i < PAGE; i++)
		ck_assert_uint_eq(guest->picture.bytes[block][page * PAGE + i], value);
}

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

/* ---- in the background ---- */

START_TEST(memory_is_that_of_the_stream)
{
	static const char *const names[] = { "pc.ram", "/objects/pc.ram", "0000:00:02.0/pc.ram" };
	g_autoptr(GBytes) stream = some_stream(names[_i]);
	const FakeQemu how = { .session = FREE DONE RUNS SWITCHES TAKES SWITCHED OBEYS,
			       .stream = stream };
	Guest guest;
	setup(&guest, OTHER_ANONYMOUS, &how, NULL);
	ck_assert_msg(take(&guest, NULL), "%s", guest.error ? guest.error->message : "");
	assert_page(&guest, 0, 0, 0x11);
	assert_page(&guest, 0, 1, 0x22);
	assert_page(&guest, 0, 2, 0);
	assert_page(&guest, 0, 5, 0x44);
	ck_assert_str_eq(guest.picture.how, "QEMU's background snapshot");
	ck_assert_int_eq(guest.picture.taken.still_us, 7000);
	ck_assert_int_le(ABS(g_get_real_time() - guest.picture.taken.moment), 60 * G_USEC_PER_SEC);
	/* Switched as it was found, events aside, which harm nobody. */
	hears(&guest, PLAN "getfd " ON "migrate query-migrate " OFF);
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
	ck_assert_msg(take(&guest, NULL), "%s", guest.error ? guest.error->message : "");
	assert_page(&guest, 0, 2, 0);
	assert_page(&guest, 0, 3, 0x55);
	ck_assert_msg(strstr(guest.picture.how, cases[_i].why) != NULL, "%s", guest.picture.how);
	ck_assert_int_gt(guest.picture.taken.still_us, 0);
	hears(&guest, heard);
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
	const FakeQemu how = { .session = FREE DONE STANDS SWITCHES TAKES SWITCHED OBEYS STOPS,
			       .stream = stream };
	Guest guest;
	setup(&guest, OTHER_ANONYMOUS, &how, NULL);
	other_process_fill(guest.other, 0, PAGE, 0x77);
	ck_assert_msg(take(&guest, NULL), "%s", guest.error ? guest.error->message : "");
	assert_page(&guest, 0, 0, 0x77);
	ck_assert_ptr_nonnull(strstr(guest.picture.how, "block pc.ram"));
	teardown(&guest);
}
END_TEST

START_TEST(blocks_of_one_name_are_copied)
{
	const char *const theirs[] = { "0000:00:02.0/pc.ram", "0000:00:03.0/pc.ram", NULL };
	g_autoptr(GBytes) stream = stream_end(stream_begin(theirs));
	const FakeQemu how = { .session = FREE DONE STANDS SWITCHES TAKES SWITCHED OBEYS STOPS,
			       .stream = stream };
	Guest guest;
	setup(&guest, OTHER_ANONYMOUS, &how, "pc.ram");
	ck_assert_msg(take(&guest, NULL), "%s", guest.error ? guest.error->message : "");
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
	const FakeQemu how = { .session = FREE DONE RUNS SWITCHES TAKES SWITCHED OBEYS,
			       .stream = stream };
	Guest guest;
	setup(&guest, OTHER_ANONYMOUS, &how, "dimm0");
	ck_assert_msg(take(&guest, NULL), "%s", guest.error ? guest.error->message : "");
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
	ck_assert(!take(&guest, NULL));
	ck_assert(g_error_matches(guest.error, VMIFS_ERROR, VMIFS_ERROR_IO));
	ck_assert_ptr_nonnull(strstr(guest.error->message, "another migration"));
	hears(&guest, "query-migrate ");
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
	ck_assert(!take(&guest, NULL));
	ck_assert(g_error_matches(guest.error, VMIFS_ERROR, VMIFS_ERROR_IO));
	ck_assert_ptr_null(guest.picture.how);
	/* The guardian has read the rest. */
	hears(&guest, PLAN "getfd " ON "migrate " OFF);
	teardown(&guest);
}
END_TEST

/* Cut in the midst; QEMU tells why, and has left the guest stopped, as it does then. */
START_TEST(qemu_explains_what_it_could_not_send)
{
	const char *const names[] = { "pc.ram", NULL };
	GByteArray *bytes = stream_begin(names);
	put_page(bytes, "pc.ram", 0, 0x11);
	put_page(bytes, "pc.ram", 9, 0x11);
	g_autoptr(GBytes) stream = g_byte_array_free_to_bytes(bytes);
	const FakeQemu how = { .session = FREE
			       "qmp query-migrate\n\t{\"status\": \"failed\", \"error-desc\": "
			       "\"no room\"}\n" RUNS RESTS RUNS SWITCHES TAKES SWITCHED OBEYS STOPS,
			       .stream = stream };
	Guest guest;
	setup(&guest, OTHER_ANONYMOUS, &how, NULL);
	ck_assert(!take(&guest, NULL));
	ck_assert_ptr_nonnull(strstr(guest.error->message, "no room"));
	ck_assert_ptr_null(guest.picture.how);
	hears(&guest, PLAN "getfd " ON "migrate query-migrate query-status cont query-status " OFF);
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
	ck_assert(!take(&guest, &call));
	ck_assert(g_error_matches(guest.error, VMIFS_ERROR, VMIFS_ERROR_TIMEOUT));
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
	const FakeQemu how = { .session = FREE DONE RUNS SWITCHES TAKES SWITCHED OBEYS,
			       .stream = stream };
	Guest guest;
	setup(&guest, OTHER_ANONYMOUS, &how, NULL);
	guest.picture.most_writes = 1;
	ck_assert(!take(&guest, NULL));
	ck_assert(g_error_matches(guest.error, VMIFS_ERROR, VMIFS_ERROR_NO_SPACE));
	all_is_read(&guest, stream);
	hears(&guest, PLAN "getfd " ON "migrate " OFF);
	teardown(&guest);
}
END_TEST

static void
give_up(gpointer user)
{
	g_atomic_int_set((gint *) user, 1);
}

START_TEST(who_gives_up_leaves_it_to_a_guardian)
{
	g_autoptr(GBytes) stream = long_stream();
	const FakeQemu how = { .session = FREE DONE RUNS SWITCHES TAKES SWITCHED OBEYS,
			       .stream = stream };
	gint cancelled = 0;
	const VmifsCall call = { .cancelled = &cancelled };
	Guest guest;
	setup(&guest, OTHER_ANONYMOUS, &how, NULL);
	guest.picture.written = give_up;
	guest.picture.user = &cancelled;
	ck_assert(!take(&guest, &call));
	ck_assert(g_error_matches(guest.error, VMIFS_ERROR, VMIFS_ERROR_CANCELLED));
	ck_assert_ptr_null(guest.picture.how);
	all_is_read(&guest, stream);
	hears(&guest, PLAN "getfd " ON "migrate " OFF);
	teardown(&guest);
}
END_TEST

static void
die(gpointer user)
{
	kill(getpid(), SIGKILL);
}

static void
die_taking(Guest *guest)
{
	pid_t vmifs = fork();
	int status;

	if (!vmifs) {
		guest->picture.written = die;
		take(guest, NULL);
		_exit(0);
	}
	ck_assert_int_eq(waitpid(vmifs, &status, 0), vmifs);
	ck_assert(WIFSIGNALED(status));
}

START_TEST(killed_vmifs_leaves_it_to_a_guardian)
{
	g_autoptr(GBytes) stream = long_stream();
	const FakeQemu how = { .session = FREE DONE RUNS SWITCHES TAKES SWITCHED OBEYS,
			       .stream = stream };
	Guest guest;
	setup(&guest, OTHER_ANONYMOUS, &how, NULL);
	die_taking(&guest);
	all_is_read(&guest, stream);
	hears(&guest, PLAN "getfd " ON "migrate " OFF);
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
	ck_assert_msg(take(&guest, NULL), "%s", guest.error ? guest.error->message : "");
	ck_assert_ptr_nonnull(strstr(guest.picture.how, "it was not to be"));
	/* The guardian has QEMU close it. */
	hears(&guest, PLAN "getfd " ON "migrate query-migrate " STOPPED "closefd " OFF);
	teardown(&guest);
}
END_TEST

/* ---- standing still ---- */

static const OtherKind kinds[] = { OTHER_MEMFD, OTHER_FILE_SHARED, OTHER_FILE_PRIVATE,
				   OTHER_SHARED_ANON };

START_TEST(shared_memory_is_copied_while_the_guest_stands)
{
	const FakeQemu how = { .session = FREE STANDS STOPS };
	Guest guest;
	guint64 rax;
	setup(&guest, kinds[_i], &how, NULL);
	other_process_fill(guest.other, 2 * PAGE, 2 * PAGE, 0x21);
	other_process_fill(guest.other, 5 * MIB + PAGE, PAGE, 0x22);
	guint64 blocks = other_process_blocks(guest.other);
	guint64 rss = other_process_status(guest.other, "VmRSS");
	ck_assert_msg(take(&guest, NULL), "%s", guest.error ? guest.error->message : "");
	assert_page(&guest, 0, 2, 0x21);
	assert_page(&guest, 0, 3, 0x21);
	assert_page(&guest, 0, 5 * MIB / PAGE + 1, 0x22);
	assert_page(&guest, 0, 8, kinds[_i] == OTHER_FILE_PRIVATE ? 0xf0 : 0);
	/* Nothing has come into being. */
	ck_assert_uint_eq(other_process_blocks(guest.other), blocks);
	ck_assert_uint_le(other_process_status(guest.other, "VmRSS"), rss + 64);
	ck_assert_uint_eq(guest.picture.regs->len, 1);
	ck_assert(vmifs_regs_get(g_ptr_array_index(guest.picture.regs, 0), "rax", &rax));
	ck_assert_uint_eq(rax, 5);
	hears(&guest, "query-migrate query-status " STOPPED);
	teardown(&guest);
}
END_TEST

static void
live_on(gpointer user)
{
	const Guest *guest = user;
	g_autofree char *heard = fake_qemu_heard(guest->server);
	/* What comes now is of the moment that the picture is of. */
	ck_assert(strstr(heard, "stop ") && !strstr(heard, "cont "));
	other_process_fill(guest->other, 0, PAGE, 0x51);
	other_process_fill(guest->other, 3 * MIB, MIB, 0x52);
	other_process_fill(guest->other, 6 * MIB + 7 * PAGE + 100, 1, 0x53);
	other_process_discard(guest->other, MIB, PAGE);
}

START_TEST(what_changes_until_the_guest_stands_is_in_the_copy)
{
	static const OtherKind all[] = { OTHER_MEMFD, OTHER_FILE_SHARED, OTHER_ANONYMOUS };
	/* By which there is no other way. */
	const FakeQemu how = { .session = FREE STANDS SWITCHES STOPS, .tcp = TRUE };
	Guest guest;
	setup(&guest, all[_i], &how, NULL);
	other_process_fill(guest.other, 0, 2 * MIB, 0x41);
	other_process_fill(guest.other, 6 * MIB, MIB, 0x42);
	guest.picture.added_regs = live_on;
	guest.picture.user = &guest;
	ck_assert_msg(take(&guest, NULL), "%s", guest.error ? guest.error->message : "");
	const guint8 *bytes = guest.picture.bytes[0];
	for (gsize i = 0; i < LEN; i++) {
		guint8 wanted = i < PAGE                                      ? 0x51
				: i < MIB || (i >= MIB + PAGE && i < 2 * MIB) ? 0x41
				: i >= 3 * MIB && i < 4 * MIB                 ? 0x52
				: i == 6 * MIB + 7 * PAGE + 100               ? 0x53
				: i >= 6 * MIB && i < 7 * MIB                 ? 0x42
									      : 0;
		if (bytes[i] != wanted)
			ck_abort_msg("%#zx: %#x, not %#x", i, bytes[i], wanted);
	}
	teardown(&guest);
}
END_TEST

START_TEST(paused_guest_is_copied_and_stays_so)
{
	const FakeQemu how = { .session = FREE RESTS STOPS };
	Guest guest;
	setup(&guest, OTHER_ANONYMOUS, &how, NULL);
	other_process_fill(guest.other, 0, LEN, 0x31);
	ck_assert(take(&guest, NULL));
	assert_page(&guest, 0, LEN / PAGE - 1, 0x31);
	ck_assert_str_eq(guest.picture.how, "copied while paused");
	ck_assert_int_eq(guest.picture.taken.still_us, 0);
	hears(&guest,
	      "query-migrate query-status query-status human-monitor-command query-status ");
	teardown(&guest);
}
END_TEST

START_TEST(guest_that_is_let_run_meanwhile_makes_no_picture)
{
	const FakeQemu how = { .session = FREE RUNS RUNS RUNS STOPS };
	Guest guest;
	setup(&guest, OTHER_MEMFD, &how, NULL);
	ck_assert(!take(&guest, NULL));
	ck_assert(g_error_matches(guest.error, VMIFS_ERROR, VMIFS_ERROR_IO));
	ck_assert_ptr_null(guest.picture.how);
	hears(&guest, "query-migrate query-status " STOPPED);
	teardown(&guest);
}
END_TEST

START_TEST(guest_runs_on_after_a_copy_that_was_given_up)
{
	const FakeQemu how = { .session = FREE STANDS STOPS };
	gint cancelled = 0;
	const VmifsCall call = { .cancelled = &cancelled };
	Guest guest;
	setup(&guest, OTHER_MEMFD, &how, NULL);
	guest.picture.added_regs = give_up;
	guest.picture.user = &cancelled;
	ck_assert(!take(&guest, &call));
	ck_assert(g_error_matches(guest.error, VMIFS_ERROR, VMIFS_ERROR_CANCELLED));
	hears(&guest, "query-migrate query-status query-status stop human-monitor-command cont ");
	teardown(&guest);
}
END_TEST

static void
expect_run(gpointer user)
{
	g_autofree char *heard = fake_qemu_heard(user);
	ck_assert(g_str_has_suffix(heard, "cont "));
}

/* How long that takes is not its concern. */
START_TEST(guest_runs_on_before_the_picture_is_written)
{
	const FakeQemu how = { .session = FREE STANDS STOPS };
	Guest guest;
	setup(&guest, kinds[_i], &how, NULL);
	other_process_fill(guest.other, 0, LEN, 0x31);
	guest.picture.written = expect_run;
	guest.picture.user = guest.server;
	ck_assert_msg(take(&guest, NULL), "%s", guest.error ? guest.error->message : "");
	for (gsize page = 0; page < LEN / PAGE; page += 255)
		assert_page(&guest, 0, page, 0x31);
	teardown(&guest);
}
END_TEST

START_TEST(without_room_there_is_no_picture_of_a_copy)
{
	const FakeQemu how = { .session = FREE STANDS STOPS };
	Guest guest;
	setup(&guest, OTHER_MEMFD, &how, NULL);
	other_process_fill(guest.other, 0, MIB, 0x31);
	other_process_fill(guest.other, 2 * MIB, MIB, 0x31);
	guest.picture.most_writes = 1;
	ck_assert(!take(&guest, NULL));
	ck_assert(g_error_matches(guest.error, VMIFS_ERROR, VMIFS_ERROR_NO_SPACE));
	hears(&guest, "query-migrate query-status " STOPPED);
	teardown(&guest);
}
END_TEST

START_TEST(guest_runs_on_when_vmifs_is_killed_while_it_stands)
{
	const FakeQemu how = { .session = FREE STANDS STOPS };
	Guest guest;
	setup(&guest, OTHER_MEMFD, &how, NULL);
	guest.picture.added_regs = die;
	die_taking(&guest);
	hears(&guest, "query-migrate query-status query-status stop human-monitor-command cont ");
	teardown(&guest);
}
END_TEST

START_TEST(by_tcp_it_is_copied)
{
	const FakeQemu how = { .session = FREE STANDS SWITCHES STOPS, .tcp = TRUE };
	Guest guest;
	setup(&guest, OTHER_ANONYMOUS, &how, NULL);
	ck_assert_msg(take(&guest, NULL), "%s", guest.error ? guest.error->message : "");
	ck_assert_ptr_nonnull(strstr(guest.picture.how, "by way of TCP"));
	teardown(&guest);
}
END_TEST

START_TEST(guest_without_a_monitor_is_not_stopped)
{
	Guest guest;
	setup(&guest, OTHER_ANONYMOUS, NULL, NULL);
	ck_assert(!take(&guest, NULL));
	ck_assert(g_error_matches(guest.error, VMIFS_ERROR, VMIFS_ERROR_UNSUPPORTED));
	/* But one whose QEMU hangs is as it is. */
	other_process_fill(guest.other, 0, PAGE, 0x41);
	kill(other_process_pid(guest.other), SIGSTOP);
	for (int i = 0; i < 250 && !qemu_process_is_stopped(guest.subject.process); i++)
		g_usleep(20 * 1000);
	ck_assert_msg(take(&guest, NULL), "%s", guest.error ? guest.error->message : "");
	assert_page(&guest, 0, 0, 0x41);
	ck_assert_uint_eq(guest.picture.regs->len, 0);
	kill(other_process_pid(guest.other), SIGCONT);
	teardown(&guest);
}
END_TEST

static Suite *
snapshot_suite(void)
{
	Suite *s = suite_create("qemu-snapshot");
	TCase *background = tcase_create("background"), *standing = tcase_create("standing");
	tcase_set_timeout(background, 60);
	tcase_set_timeout(standing, 60);
	tcase_add_loop_test(background, memory_is_that_of_the_stream, 0, 3);
	tcase_add_loop_test(background, what_qemu_cannot_is_done_by_a_stop, 0, 6);
	tcase_add_loop_test(background, blocks_that_cannot_be_told_apart_are_copied, 0, 3);
	tcase_add_test(background, blocks_of_one_name_are_copied);
	tcase_add_test(background, each_block_gets_its_own);
	tcase_add_test(background, guest_that_is_migrated_is_left_alone);
	tcase_add_test(background, broken_stream_makes_no_picture);
	tcase_add_test(background, qemu_explains_what_it_could_not_send);
	tcase_add_test(background, status_that_never_ends_is_not_waited_for);
	tcase_add_test(background, without_room_the_rest_is_read_all_the_same);
	tcase_add_test(background, who_gives_up_leaves_it_to_a_guardian);
	tcase_add_test(background, killed_vmifs_leaves_it_to_a_guardian);
	tcase_add_test(background, stream_that_never_comes_is_asked_after);
	tcase_add_loop_test(standing, shared_memory_is_copied_while_the_guest_stands, 0,
			    G_N_ELEMENTS(kinds));
	tcase_add_loop_test(standing, what_changes_until_the_guest_stands_is_in_the_copy, 0, 3);
	tcase_add_test(standing, paused_guest_is_copied_and_stays_so);
	tcase_add_test(standing, guest_that_is_let_run_meanwhile_makes_no_picture);
	tcase_add_test(standing, guest_runs_on_after_a_copy_that_was_given_up);
	tcase_add_loop_test(standing, guest_runs_on_before_the_picture_is_written, 0,
			    G_N_ELEMENTS(kinds));
	tcase_add_test(standing, without_room_there_is_no_picture_of_a_copy);
	tcase_add_test(standing, guest_runs_on_when_vmifs_is_killed_while_it_stands);
	tcase_add_test(standing, by_tcp_it_is_copied);
	tcase_add_test(standing, guest_without_a_monitor_is_not_stopped);
	suite_add_tcase(s, background);
	suite_add_tcase(s, standing);
	return s;
}

VMIFS_UNIT_MAIN(snapshot_suite)
