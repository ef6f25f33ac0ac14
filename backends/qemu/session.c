/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * session: what is particular about QEMU's stub:
 *
 * - Any byte that comes while the guest runs stops it. So nothing is said meanwhile, not even that
 * a packet was got; and to stop it, a byte is said with a question after it: what stops came before
 *   is told before the answer, and whether one came says whether the guest ran.
 * - A breakpoint at which a vCPU stands hits again as it goes on: it is taken away, that vCPU makes
 *   one step, alone, and it is put there again. Packets that change nothing if an earlier one fails
 *   go in one piece: each wait for QEMU costs as much as the step itself.
 * - In such a step interrupts are masked and the guest's clock rests, or a stop that takes longer
 *   than the guest's timer would end in that timer's handler each time; one that does not end in
 *   time (at "hlt") is given up, and the vCPU goes on with the others.
 * - What a session leaves stays with QEMU: points, how steps are made, and of vCPUs that they make
 *   one: as the guest stops, QEMU forgets that of the one vCPU alone that it tells of, and another
 *   would stop the guest after its next instruction, with nobody there to let it run on.
 * - After a write that was watched the guest runs on by itself.
 */
#include "session.h"

#include <string.h>
#include <unistd.h>
#include <vmifs/error.h>

/* QEMU may be one of many on a busy host. */
#define PATIENCE (5 * G_TIME_SPAN_SECOND)
#define STEP_PATIENCE G_TIME_SPAN_SECOND
/* What is masked in a step: interrupts and timers, as far as the accelerator can (KVM: interrupts
 * at most); nothing when all that a vCPU does is looked at step by step, or it would never be
 * interrupted. */
#define FOR_GOOD 1
#define MAX_MASK 7
/* vCPUs that are chosen in one go. */
#define CHOSEN 32
/* After a stop that nobody has confirmed the stub hears nothing but "+" and packets, even if
 * somebody else has let the guest run on since. */
#define HALT "\x03+\x03+$qC#b4"

static gboolean
unsupported(const char *why, GError **error)
{
	g_set_error(error, VMIFS_ERROR, VMIFS_ERROR_UNSUPPORTED, "QEMU's gdbstub: %s", why);
	return FALSE;
}

static void
wait_for(QemuSession *session, gint64 patience)
{
	session->gdb.until = MIN(g_get_monotonic_time() + patience, session->end);
}

void
qemu_session_be_patient(QemuSession *session)
{
	wait_for(session, PATIENCE);
}

/* ---- orders that are answered with OK ---- */

gboolean
qemu_session_expect_ok(QemuSession *session, const char *what, GError **error)
{
	g_autoptr(GByteArray) answer = qemu_gdb_answer(&session->gdb, error);

	if (!answer)
		return FALSE;
	return g_str_equal((const char *) answer->data, "OK") || unsupported(what, error);
}

static gboolean
say_ok(QemuSession *session, const GString *text, const char *what, GError **error)
{
	qemu_session_be_patient(session);
	return qemu_gdb_send(&session->gdb, text->str, text->len, error) &&
	       qemu_session_expect_ok(session, what, error);
}

static gboolean
set_stepping(QemuSession *session, guint mask, GError **error)
{
	g_autofree char *how = g_strdup_printf("Qqemu.sstep=%x", mask);
	g_autoptr(GString) text = g_string_new(NULL);

	qemu_gdb_wrap(text, how);
	return say_ok(session, text, "it steps in its own way alone", error);
}

/* ---- coming and going ---- */

static void
clear(QemuSession *session)
{
	qemu_gdb_clear(&session->gdb);
	qemu_gdb_target_clear(&session->target);
	g_array_unref(session->steps);
	qemu_farewell_clear(&session->farewell);
}

gboolean
qemu_session_remove_all(QemuSession *session, guint n_vcpus, GError **error)
{
	QemuGdb *gdb = &session->gdb;

	for (guint i = 0; i < MAX(n_vcpus, 1); i += CHOSEN) {
		g_autoptr(GString) text = g_string_new(NULL);
		guint n = MIN(MAX(n_vcpus, 1) - i, CHOSEN);
		qemu_farewell_wrap_clear(text, i, n);
		qemu_gdb_wrap(text, "qC");
		qemu_session_be_patient(session);
		if (!qemu_gdb_send(gdb, text->str, text->len, error))
			return FALSE;
		for (guint j = 0; j < n + 1; j++) {
			g_autoptr(GByteArray) answer = qemu_gdb_answer(gdb, error);
			if (!answer)
				return FALSE;
		}
		/* That it stopped is no news. */
		g_queue_clear_full(&gdb->stops, (GDestroyNotify) g_byte_array_unref);
	}
	return TRUE;
}

/* "ENABLE=1,NOIRQ=2,NOTIMER=4", or as many of them as there are. */
static guint
parse_mask(const char *text)
{
	guint mask = FOR_GOOD;

	while ((text = strchr(text, '=')))
		mask |= (guint) g_ascii_strtoull(++text, NULL, 16) & MAX_MASK;
	return mask;
}

static gboolean
learn_steps(QemuSession *session, GError **error)
{
	g_autoptr(GByteArray) answer = qemu_gdb_ask(&session->gdb, "qqemu.sstepbits", error);

	if (!answer)
		return FALSE;
	session->alone = parse_mask((const char *) answer->data);
	return set_stepping(session, session->alone, error);
}

gboolean
qemu_session_open(QemuSession *session, QemuMonitor *monitor, guint n_vcpus, const VmifsCall *call,
		  GError **error)
{
	*session = (QemuSession){ .stub = { .monitor = monitor, .farewell = &session->farewell },
				  .end = g_get_monotonic_time() + QEMU_SESSION_PATIENCE };
	qemu_farewell_init(&session->farewell, n_vcpus);
	if (!qemu_stub_open(&session->stub, call, error)) {
		qemu_farewell_clear(&session->farewell);
		return FALSE;
	}
	session->steps = g_array_new(FALSE, FALSE, sizeof(guint));
	qemu_gdb_init(&session->gdb, session->stub.fd, 0, NULL);
	qemu_gdb_target_init(&session->target);
	qemu_session_be_patient(session);
	qemu_session_note(session, !session->stub.ran);
	session->is_at_point = session->stub.was_at_point;
	/* At the points of a debugger that has vanished the guest would stop, and never get past.
	 */
	if (qemu_stub_learn(&session->gdb, &session->target, error) &&
	    learn_steps(session, error) && qemu_session_remove_all(session, n_vcpus, error))
		return TRUE;
	qemu_session_close(session, NULL);
	return FALSE;
}

void
qemu_session_abandon(QemuSession *session)
{
	qemu_stub_abandon(&session->stub);
	clear(session);
}

void
qemu_session_forget(QemuSession *session)
{
	qemu_stub_forget(&session->stub);
	clear(session);
}

void
qemu_session_note(QemuSession *session, gboolean stands)
{
	if (session->stands != stands)
		qemu_guard_tell(session->stub.guard, stands);
	session->stands = stands;
}

gboolean
qemu_session_guard_anew(QemuSession *session, GError **error)
{
	if (!qemu_stub_guard_anew(&session->stub, error))
		return FALSE;
	if (session->stands)
		qemu_guard_tell(session->stub.guard, TRUE);
	return TRUE;
}

/* ---- stopping and running ---- */

static gboolean
take_stop(GByteArray *packet, QemuGdbStop *ret, GError **error)
{
	g_autoptr(GByteArray) own = packet;

	return qemu_gdb_stop_parse((const char *) own->data, ret, error);
}

gboolean
qemu_session_stop(QemuSession *session, QemuGdbStop *ret, GError **error)
{
	GByteArray *packet = qemu_gdb_stop(&session->gdb, error);

	return packet && take_stop(packet, ret, error);
}

/* After what is said first. Of the stops that are told before the answer the last is that of the
 * byte, if the guest ran; it is ours, and no news. */
static gboolean
halt(QemuSession *session, GString *text, gboolean *ret_ran, GError **error)
{
	QemuGdb *gdb = &session->gdb;
	QemuGdbStop stop;

	/* After a dash that failed. */
	if (session->is_detached && !qemu_session_attach(session, error))
		return FALSE;
	g_string_append(text, HALT);
	qemu_session_be_patient(session);
	*ret_ran = FALSE;
	guint n_before = gdb->stops.length;
	if (!qemu_gdb_send(gdb, text->str, text->len, error))
		return FALSE;
	g_autoptr(GByteArray) answer = qemu_gdb_answer(gdb, error);
	if (!answer)
		return FALSE;
	const GByteArray *last =
		gdb->stops.length > n_before ? g_queue_peek_tail(&gdb->stops) : NULL;
	if (!last)
		return TRUE;
	if (!qemu_gdb_stop_parse((const char *) last->data, &stop, error))
		return FALSE;
	if (stop.signal == QEMU_GDB_TRAP)
		return TRUE;
	g_byte_array_unref(g_queue_pop_tail(&gdb->stops));
	*ret_ran = TRUE;
	return TRUE;
}

gboolean
qemu_session_halt(QemuSession *session, GError **error)
{
	g_autoptr(GString) text = g_string_new(NULL);
	gboolean ran;

	if (!halt(session, text, &ran, error))
		return FALSE;
	/* Somebody had let it run. */
	if (ran)
		qemu_session_note(session, FALSE);
	return TRUE;
}

/* A step of all that enables none; what comes with it stops the guest before any instruction. It
 * may be another vCPU's registers that are told afterwards. */
static gboolean
forget_steps(QemuSession *session, GError **error)
{
	g_autoptr(GString) text = g_string_new(NULL);
	guint n_before = session->gdb.stops.length;
	gboolean ran;

	if (!session->has_stepped)
		return TRUE;
	qemu_gdb_wrap(text, "vCont;s");
	if (!set_stepping(session, 0, error) || !halt(session, text, &ran, error) ||
	    !set_stepping(session, session->steps->len ? FOR_GOOD : session->alone, error))
		return FALSE;
	session->has_stepped = FALSE;
	/* Should it have run nevertheless: what it stopped at, it stops at again. */
	while (session->gdb.stops.length > n_before)
		g_byte_array_unref(g_queue_pop_tail(&session->gdb.stops));
	return TRUE;
}

gboolean
qemu_session_go(QemuSession *session, GError **error)
{
	g_autoptr(GString) packet = g_string_new("vCont");
	g_autoptr(GString) text = g_string_new(NULL);

	/* Who lets it run later may have no stub. */
	if ((session->stands ? session->is_paused : !session->steps->len) &&
	    !forget_steps(session, error))
		return FALSE;
	if (session->stands)
		return TRUE;
	for (guint i = 0; i < session->steps->len; i++)
		g_string_append_printf(packet, ";s:%x",
				       g_array_index(session->steps, guint, i) + 1);
	g_string_append(packet, ";c");
	session->has_stepped |= session->steps->len > 0;
	qemu_gdb_wrap(text, packet->str);
	session->n_stops++;
	qemu_session_be_patient(session);
	return qemu_gdb_send(&session->gdb, text->str, text->len, error);
}

void
qemu_session_wrap_point(GString *out, char letter, const VmifsStopPoint *point)
{
	static const char types[] = {
		[VMIFS_STOP_EXEC] = '1',
		[VMIFS_STOP_WRITE] = '2',
		[VMIFS_STOP_READ] = '3',
		[VMIFS_STOP_ACCESS] = '4',
	};
	g_autofree char *packet = g_strdup_printf(
		"%c%c,%" G_GINT64_MODIFIER "x,%x", letter, point->patch ? '0' : types[point->kind],
		point->address, point->kind == VMIFS_STOP_EXEC ? 1 : point->len);

	qemu_gdb_wrap(out, packet);
}

/* "c" is of the vCPU that "Hc" chooses: another may have stopped meanwhile, if somebody else let
 * them run. */
gboolean
qemu_session_go_from(QemuSession *session, guint vcpu, guint64 pc, GError **error)
{
	g_autofree char *choose = g_strdup_printf("Hc%x", vcpu + 1);
	g_autofree char *go = g_strdup_printf("c%" G_GINT64_MODIFIER "x", pc);
	g_autoptr(GString) text = g_string_new(NULL);

	if (!forget_steps(session, error))
		return FALSE;
	qemu_gdb_wrap(text, choose);
	qemu_gdb_wrap(text, go);
	session->n_stops++;
	return say_ok(session, text, "it knows no such vCPU", error);
}

/* The step itself, and what it stopped for. */
static gboolean
hear_step(QemuSession *session, QemuGdbStop *ret, GError **error)
{
	g_autoptr(GError) late = NULL;
	GByteArray *packet;

	wait_for(session, STEP_PATIENCE);
	packet = qemu_gdb_wait_stop(&session->gdb, &late);
	if (packet)
		return take_stop(packet, ret, error);
	if (!g_error_matches(late, VMIFS_ERROR, VMIFS_ERROR_TIMEOUT)) {
		g_propagate_error(error, g_steal_pointer(&late));
		return FALSE;
	}
	if (!qemu_session_halt(session, error))
		return FALSE;
	/* It may have ended just now. */
	packet = g_queue_pop_head(&session->gdb.stops);
	if (packet)
		return take_stop(packet, ret, error);
	*ret = (QemuGdbStop){ .signal = 0 };
	return TRUE;
}

static gboolean
hear_place(QemuSession *session, guint64 *ret, GError **error)
{
	const QemuGdbReg *pc = qemu_gdb_target_pc(&session->target);
	g_autoptr(GByteArray) answer = qemu_gdb_answer(&session->gdb, error);

	if (!answer)
		return FALSE;
	if (pc && qemu_gdb_value_parse((const char *) answer->data, answer->len, pc->bits, ret))
		return TRUE;
	g_set_error_literal(error, VMIFS_ERROR, VMIFS_ERROR_CORRUPT,
			    "gdbstub: it does not tell where a vCPU stands");
	return FALSE;
}

gboolean
qemu_session_step_over(QemuSession *session, guint vcpu, const VmifsStopPoint *const *points,
		       guint n, QemuGdbStop *ret, guint64 *ret_from, guint64 *ret_pc,
		       GError **error)
{
	const QemuGdbReg *pc = qemu_gdb_target_pc(&session->target);
	g_autofree char *ask = g_strdup_printf("p%x", pc ? pc->number : 0);
	g_autoptr(GString) text = g_string_new(NULL);
	g_autofree char *step = g_strdup_printf("vCont;s:%x", vcpu + 1);
	QemuGdbStop stop;

	if (session->steps->len && !set_stepping(session, session->alone, error))
		return FALSE;
	if (ret_from)
		qemu_gdb_wrap(text, ask);
	for (guint i = 0; i < n; i++)
		qemu_session_wrap_point(text, 'z', points[i]);
	qemu_gdb_wrap(text, step);
	session->n_stops++;
	qemu_session_be_patient(session);
	if (!qemu_gdb_send(&session->gdb, text->str, text->len, error) ||
	    (ret_from && !hear_place(session, ret_from, error)))
		return FALSE;
	for (guint i = 0; i < n; i++)
		if (!qemu_session_expect_ok(session, "it does not take a point away", error))
			return FALSE;
	if (!hear_step(session, &stop, error))
		return FALSE;
	g_string_truncate(text, 0);
	qemu_gdb_wrap(text, ask);
	for (guint i = 0; i < n; i++)
		qemu_session_wrap_point(text, 'Z', points[i]);
	qemu_session_be_patient(session);
	if (!qemu_gdb_send(&session->gdb, text->str, text->len, error) ||
	    !hear_place(session, ret_pc, error))
		return FALSE;
	for (guint i = 0; i < n; i++)
		if (!qemu_session_expect_ok(session, "it does not set a point again", error))
			return FALSE;
	if (session->steps->len && !set_stepping(session, FOR_GOOD, error))
		return FALSE;
	*ret = stop;
	return TRUE;
}

/* ---- going ---- */

/* Of a guest that stands nothing is left either: its points were taken away. */
static gboolean
let_go(QemuSession *session, GError **error)
{
	static const char words[] = "$D#44";

	if (!qemu_session_halt(session, error))
		return FALSE;
	if ((!session->stands || session->is_paused) && !forget_steps(session, error))
		return FALSE;
	if (session->stands)
		return TRUE;
	qemu_guard_tell_leaving(session->stub.guard, FALSE);
	if (!qemu_gdb_send(&session->gdb, words, strlen(words), error))
		return FALSE;
	g_autoptr(GByteArray) answer = qemu_gdb_answer(&session->gdb, error);
	if (answer)
		qemu_guard_tell_leaving(session->stub.guard, TRUE);
	return answer != NULL;
}

gboolean
qemu_session_close(QemuSession *session, GError **error)
{
	gboolean good = let_go(session, error);

	if (good)
		good = qemu_stub_close(&session->stub, error);
	else
		qemu_stub_abandon(&session->stub);
	clear(session);
	return good;
}

/* ---- points ---- */

static gint
find_step(const QemuSession *session, guint vcpu)
{
	for (guint i = 0; i < session->steps->len; i++)
		if (g_array_index(session->steps, guint, i) == vcpu)
			return (gint) i;
	return -1;
}

gboolean
qemu_session_insert(QemuSession *session, const VmifsStopPoint *point, GError **error)
{
	g_autoptr(GString) text = g_string_new(NULL);

	if (point->kind != VMIFS_STOP_STEP) {
		qemu_session_wrap_point(text, 'Z', point);
		return say_ok(session, text, "it sets no point there", error);
	}
	if (!set_stepping(session, FOR_GOOD, error))
		return FALSE;
	g_array_append_val(session->steps, point->vcpu);
	return TRUE;
}

gboolean
qemu_session_remove(QemuSession *session, const VmifsStopPoint *point, GError **error)
{
	g_autoptr(GString) text = g_string_new(NULL);

	if (point->kind != VMIFS_STOP_STEP) {
		qemu_session_wrap_point(text, 'z', point);
		return say_ok(session, text, "it takes no point away", error);
	}
	g_array_remove_index_fast(session->steps, (guint) find_step(session, point->vcpu));
	return session->steps->len || set_stepping(session, session->alone, error);
}
