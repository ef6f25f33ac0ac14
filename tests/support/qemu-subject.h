/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * qemu-subject: a guest to take snapshots of: another process's memory, a monitor that is not
 * QEMU's, a picture that the test can look at. Whatever happens, it is to run on in the end.
 */
#pragma once

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
#define SWITCHES                                                                                   \
	"qmp query-migrate-capabilities\n"                                                         \
	"\t[{\"capability\": \"multifd\", \"state\": true}, "                                      \
	"{\"capability\": \"events\", \"state\": true}, "                                          \
	"{\"capability\": \"xbzrle\", \"state\": false}, "                                         \
	"{\"capability\": \"background-snapshot\", \"state\": false}]\n"                           \
	"qmp query-migrate-parameters\n\t{\"tls-creds\": \"\"}\n"
#define REGS "hmp info registers -a\n\tRAX=0000000000000005 RBX=0000000000000000\n"
#define STOPS "qmp stop\n\t{}\nqmp cont\n\t{}\n" REGS
/* Still runs when asked at first, then stands. */
#define STANDS RUNS RUNS RESTS

#define STOPPED "query-status stop human-monitor-command query-status " LET_RUN

typedef struct {
	OtherProcess *other;
	FakeServer *server;
	QemuSubject subject;
	QemuStop stop;
	VmifsPictureWriter picture;
	GError *error;
} Guest;

static inline void
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
static inline void
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
	qemu_stop_init(&guest->stop, guest->subject.monitor);
	guest->subject.stop = &guest->stop;
	fake_picture_init(&guest->picture);
	fake_picture_add_block(&guest->picture, LEN);
	if (more)
		fake_picture_add_block(&guest->picture, LEN);
}

static inline void
teardown(Guest *guest)
{
	qemu_stop_clear(&guest->stop);
	qemu_monitor_free(guest->subject.monitor);
	if (guest->server)
		fake_qemu_stop(guest->server);
	qemu_ram_free(guest->subject.ram);
	qemu_process_close(guest->subject.process);
	other_process_free(guest->other);
	fake_picture_clear(&guest->picture);
	g_clear_error(&guest->error);
}

static inline gboolean
take(Guest *guest, const VmifsCall *call)
{
	g_clear_error(&guest->error);
	return qemu_snapshot_take(&guest->subject, &guest->picture, call, &guest->error);
}

/* A picture is made of it. */
static inline void
takes(Guest *guest)
{
	ck_assert_msg(take(guest, NULL), "%s", guest->error ? guest->error->message : "");
}

/* None is, with that error. */
static inline void
fails(Guest *guest, const VmifsCall *call, VmifsError code)
{
	ck_assert(!take(guest, call));
	ck_assert_msg(g_error_matches(guest->error, VMIFS_ERROR, (gint) code), "%s",
		      guest->error->message);
	ck_assert_ptr_null(guest->picture.how);
}

static inline void
assert_page(const Guest *guest, guint block, gsize page, guint8 value)
{
	for (gsize i = 0; i < PAGE; i++)
		ck_assert_uint_eq(guest->picture.bytes[block][page * PAGE + i], value);
}

static inline void
give_up(gpointer user)
{
	g_atomic_int_set((gint *) user, 1);
}

static inline void
die(gpointer user)
{
	kill(getpid(), SIGKILL);
}

static inline void
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
