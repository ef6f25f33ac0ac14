/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * fuzz-stub: any answers of a gdbstub to a session with points. Each line comes in one piece, when
 * the one before was looked at: packets between "|", of which the sums are right; after "!" bytes
 * as they stand. The first byte says how the session is.
 */
#include "fuzz.h"

#include <backends/qemu/stops.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

/* No more is said to the stub, which hears nothing, than a socket holds. */
#define MOST_INPUT 1024
#define MAX_TURNS 64
/* Before it hangs up. */
#define PATIENCE (20 * G_TIME_SPAN_MILLISECOND)

static const char x86[] =
	"<target><architecture>i386:x86-64</architecture><reg name=\"rip\" bitsize=\"64\"/>"
	"<reg name=\"eflags\" bitsize=\"32\"/><reg name=\"rsp\" bitsize=\"64\"/></target>";
static const char arm[] =
	"<target><architecture>aarch64</architecture><reg name=\"pc\" bitsize=\"64\"/>"
	"<reg name=\"VBAR_EL1\" bitsize=\"64\"/><reg name=\"ELR_EL1\" bitsize=\"64\"/></target>";
static const VmifsStopPoint points[] = {
	{ .kind = VMIFS_STOP_EXEC, .address = 0xffffffff81000000 },
	{ .kind = VMIFS_STOP_WRITE, .address = 0x2000, .len = 8 },
	{ .kind = VMIFS_STOP_EXEC, .address = 0x1000, .patch = TRUE },
	{ .kind = VMIFS_STOP_STEP, .vcpu = 1 },
};

static VmifsStopVerdict
stopped(gpointer user, const VmifsStop *stop)
{
	guint *n = user;

	if (stop->id == VMIFS_STOP_COMES)
		return VMIFS_STOP_KEEP;
	g_assert(stop->id < G_N_ELEMENTS(points) || stop->id == VMIFS_STOP_NOWHERE);
	g_assert(stop->vcpu < VMIFS_MAX_VCPUS && stop->regs);
	if (++*n % 8)
		return VMIFS_STOP_KEEP;
	return *n % 32 ? VMIFS_STOP_DISARM : VMIFS_STOP_DISARM_ALL;
}

static void
wrap(GByteArray *out, const guint8 *bytes, gsize len)
{
	g_autofree char *text = g_strndup((const char *) bytes, len);
	g_autoptr(GString) packet = g_string_new(NULL);

	qemu_gdb_wrap(packet, text);
	g_byte_array_append(out, (const guint8 *) packet->str, (guint) packet->len);
}

/* A message is one piece. */
static void
say(int fd, const guint8 *line, gsize len)
{
	g_autoptr(GByteArray) out = g_byte_array_new();
	const guint8 *end = line + len;
	gboolean is_raw = len && *line == '!';

	if (is_raw)
		g_byte_array_append(out, line + 1, (guint) len - 1);
	while (len && !is_raw && line <= end) {
		const guint8 *bar = line < end ? memchr(line, '|', (gsize) (end - line)) : NULL;
		wrap(out, line, (gsize) ((bar ? bar : end) - line));
		line = bar ? bar + 1 : end + 1;
	}
	if (out->len && send(fd, out->data, out->len, MSG_DONTWAIT | MSG_NOSIGNAL) < 0)
		return; /* it holds no more */
}

static void
say_all(int fd, const guint8 *data, gsize len)
{
	const guint8 *end = data + len, *line = data;

	while (line < end) {
		const guint8 *stop = memchr(line, '\n', (gsize) (end - line));
		say(fd, line, (gsize) ((stop ? stop : end) - line));
		line = stop ? stop + 1 : end;
	}
	shutdown(fd, SHUT_WR);
}

static void
begin(QemuStops *stops, guint8 how, int fd)
{
	g_autoptr(GPtrArray) includes = g_ptr_array_new_with_free_func(g_free);
	QemuSession *session = &stops->session;
	const char *described = how & 1 ? arm : x86;

	session->stub = (QemuStub){ .fd = fd, .guard = -1 };
	session->end = g_get_monotonic_time() + PATIENCE;
	session->steps = g_array_new(FALSE, FALSE, sizeof(guint));
	session->alone = 7;
	qemu_gdb_init(&session->gdb, fd, session->end, NULL);
	qemu_gdb_target_init(&session->target);
	if (how & 2 && !qemu_stub_learn(&session->gdb, &session->target, NULL))
		qemu_gdb_target_clear(&session->target), qemu_gdb_target_init(&session->target);
	if (!qemu_gdb_target_pc(&session->target))
		g_assert(qemu_gdb_describe(&session->target, described, strlen(described), includes,
					   NULL));
	for (guint64 i = 0; i < G_N_ELEMENTS(points); i++) {
		QemuPoint point = { .id = i, .point = points[i] };
		if (!(how >> 4 & 1u << i))
			continue;
		if (points[i].kind == VMIFS_STOP_STEP)
			g_array_append_val(session->steps, points[i].vcpu);
		g_array_append_val(stops->points, point);
	}
}

/* As the thread of debug.c has it. */
static gboolean
turn(QemuStops *stops)
{
	g_autoptr(GError) error = NULL;
	QemuGdbStop stop;

	while (qemu_stops_next(stops, &stop, &error))
		if (stop.signal != QEMU_GDB_TRAP) {
			stops->session.is_paused = stop.signal == QEMU_GDB_INT;
			stops->session.stands = TRUE;
		} else if (!qemu_stops_handle(stops, &stop, &error)) {
			return FALSE;
		} else {
			stops->session.stands = FALSE;
		}
	g_assert(stops->session.gdb.stops.length <= 64);
	return !error && qemu_stops_go(stops, NULL);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
	QemuStops stops;
	guint n = 0;
	int ends[2];

	if (!len || socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC | SOCK_NONBLOCK, 0, ends))
		return 0;
	qemu_stops_init(&stops, stopped, &n);
	say_all(ends[1], data + 1, MIN(len - 1, MOST_INPUT));
	begin(&stops, data[0], ends[0]);
	for (guint i = 0; i < MAX_TURNS && turn(&stops); i++)
		;
	if (qemu_session_halt(&stops.session, NULL) && qemu_stops_renew(&stops, 2, NULL))
		while (stops.points->len && qemu_stops_remove(&stops, 0, NULL))
			;
	g_assert(stops.points->len <= G_N_ELEMENTS(points));
	qemu_gdb_clear(&stops.session.gdb);
	qemu_gdb_target_clear(&stops.session.target);
	g_array_unref(stops.session.steps);
	qemu_stops_clear(&stops);
	close(ends[0]);
	close(ends[1]);
	return 0;
}
