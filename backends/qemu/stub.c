/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * stub: see stub.h.
 *
 *   guardian armed -> getfd, chardev-add, "gdbserver chardev:ID"   the guest stands still
 *     -> which registers are there -> the register
 *     -> "gdbserver none", which drops the character device, too; cont -> guardian disarmed
 *
 * One that is open for a moment is not left by its own protocol ("detach"): that would let a paused
 * guest run.
 */
#include "stub.h"

#include "gdb-stop.h"
#include "status.h"

#include <string.h>
#include <sys/socket.h>
#include <unistd.h>
#include <vmifs/error.h>

#define PREFIX "vmifs-gdb-"
#define MAX_DESCRIPTION ((gsize) 256 << 10)
#define CHUNK 0x3c0 /* of the description, in one packet */

static gboolean
unsupported(const char *why, GError **error)
{
	g_set_error(error, VMIFS_ERROR, VMIFS_ERROR_UNSUPPORTED, "QEMU's gdbstub: %s", why);
	return FALSE;
}

/* ---- coming and going ---- */

/* It serves one. */
gboolean
qemu_stub_is_free(QemuMonitor *monitor, const VmifsCall *call, GError **error)
{
	json_auto_t *devices = qemu_monitor_qmp(monitor, "query-chardev", NULL, call, error);
	gsize i;
	json_t *each;

	if (!devices)
		return FALSE;
	json_array_foreach(devices, i, each)
	{
		const char *label = json_string_value(json_object_get(each, "label"));
		if (label && (g_str_equal(label, "gdb") || g_str_has_prefix(label, PREFIX)))
			return unsupported("somebody else uses it", error);
	}
	return TRUE;
}

static json_t *
human(const char *line, const char *id)
{
	return json_pack("{s:s+}", "command-line", line, id);
}

/* What ends it, whatever of it there is: people's commands are never refused. */
static json_t *
last_words(const QemuStub *stub)
{
	static const char command[] = "human-monitor-command";

	return json_pack("[{s:s, s:o}, {s:s, s:o}]", "execute", command, "arguments",
			 human("gdbserver none", ""), "execute", command, "arguments",
			 human("chardev-remove ", stub->id));
}

/* Of a guest that stands still anyway, the stub alone would be left over. */
static gboolean
arm(QemuStub *stub, GError **error)
{
	json_auto_t *words = last_words(stub);
	const QemuDuty duty = { .stream = -1,
				.farewell = stub->farewell,
				.words = words,
				.lets_run = stub->ran && !stub->farewell,
				.parting = stub->farewell ? words : NULL };
	g_autoptr(GError) problem = NULL;

	stub->guard = qemu_guard_arm(stub->monitor, &duty, &problem);
	if (stub->guard >= 0 || (!stub->ran && !stub->farewell &&
				 g_error_matches(problem, VMIFS_ERROR, VMIFS_ERROR_UNSUPPORTED)))
		return TRUE;
	g_propagate_error(error, g_steal_pointer(&problem));
	return FALSE;
}

gboolean
qemu_stub_guard_anew(QemuStub *stub, GError **error)
{
	int before = stub->guard;

	if (!arm(stub, error)) {
		stub->guard = before;
		return FALSE;
	}
	close(before);
	return TRUE;
}

static gboolean
take_answers(QemuAsk *asks, gsize n, GError **error)
{
	for (gsize i = 0; i < n; i++) {
		if (!asks[i].error)
			continue;
		g_propagate_error(error, g_steal_pointer(&asks[i].error));
		return FALSE;
	}
	const char *text = json_string_value(asks[2].answer);
	if (!text || !strstr(text, "Waiting for gdb connection")) {
		g_autofree char *shown = g_strescape(text ? text : "nothing", NULL);
		g_set_error(error, VMIFS_ERROR, VMIFS_ERROR_UNSUPPORTED,
			    "QEMU's gdbstub does not start: %.200s", shown);
		return FALSE;
	}
	if (!json_is_false(json_object_get(asks[3].answer, "running")))
		return unsupported("the guest runs on under it", error);
	return TRUE;
}

/* theirs: (taken) the other end. */
static gboolean
attach(QemuStub *stub, int theirs, const VmifsCall *call, GError **error)
{
	json_auto_t *name = json_pack("{s:s}", "fdname", stub->id);
	json_auto_t *device = json_pack("{s:s, s:{s:s, s:{s:{s:s, s:{s:s}}, s:b}}}", "id", stub->id,
					"backend", "type", "socket", "data", "addr", "type", "fd",
					"data", "str", stub->id, "server", 0);
	json_auto_t *line = human("gdbserver chardev:", stub->id);
	QemuAsk asks[] = {
		{ "getfd", name, &theirs },
		{ "chardev-add", device },
		{ "human-monitor-command", line },
		{ "query-status" },
	};
	gboolean good = qemu_monitor_ask(stub->monitor, asks, G_N_ELEMENTS(asks), call, error) &&
			take_answers(asks, G_N_ELEMENTS(asks), error);

	qemu_asks_clear(asks, G_N_ELEMENTS(asks));
	close(theirs);
	return good;
}

/* Whoever gives up: this is not. */
static gboolean
say_last_words(QemuStub *stub, GError **error)
{
	VmifsCall call = { .deadline = g_get_monotonic_time() + QEMU_PATIENCE };
	json_auto_t *words = last_words(stub);
	QemuAsk asks[2] = { 0 };
	gboolean good;

	for (gsize i = 0; i < G_N_ELEMENTS(asks); i++) {
		const json_t *word = json_array_get(words, i);
		asks[i].command = json_string_value(json_object_get(word, "execute"));
		asks[i].arguments = json_object_get(word, "arguments");
	}
	good = qemu_monitor_ask(stub->monitor, asks, G_N_ELEMENTS(asks), &call, error);
	qemu_asks_clear(asks, G_N_ELEMENTS(asks));
	if (!good || !stub->ran || stub->farewell)
		return good;
	return qemu_status_let_run(stub->monitor, &call, error);
}

static void
clear(QemuStub *stub)
{
	close(stub->fd);
	g_clear_pointer(&stub->id, g_free);
}

gboolean
qemu_stub_close(QemuStub *stub, GError **error)
{
	gboolean good = say_last_words(stub, error);

	if (stub->guard >= 0 && good)
		good = qemu_guard_disarm(stub->guard, error);
	else if (stub->guard >= 0 && stub->stop)
		qemu_stop_leave_to(stub->stop, stub->guard);
	else if (stub->guard >= 0)
		qemu_guard_leave(stub->monitor, stub->guard);
	clear(stub);
	return good;
}

void
qemu_stub_abandon(QemuStub *stub)
{
	qemu_guard_leave(stub->monitor, stub->guard);
	clear(stub);
}

void
qemu_stub_forget(QemuStub *stub)
{
	qemu_guard_disarm(stub->guard, NULL);
	clear(stub);
}

gboolean
qemu_stub_open(QemuStub *stub, const VmifsCall *call, GError **error)
{
	g_autofree char *word = NULL;
	VmifsState state;
	int ends[2];

	if (!qemu_stub_is_free(stub->monitor, call, error) ||
	    !qemu_status_ask(stub->monitor, &state, &word, call, error))
		return FALSE;
	stub->ran = state == VMIFS_STATE_RUNNING;
	stub->was_at_point = g_str_equal(word, "debug");
	if (stub->ran && stub->stop)
		qemu_stop_call_off(stub->stop);
	if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends)) {
		g_set_error_literal(error, VMIFS_ERROR, VMIFS_ERROR_IO, "socketpair fails");
		return FALSE;
	}
	stub->fd = ends[0];
	stub->id = g_strdup_printf(PREFIX "%d-%08x", (int) getpid(), g_random_int());
	if (stub->farewell)
		stub->farewell->fd = stub->fd;
	if (!arm(stub, error)) {
		close(ends[1]);
		clear(stub);
		return FALSE;
	}
	/* Before it is there it answers nobody, and nothing is set by it: the monitor lets the
	 * guest run on. */
	if (stub->farewell)
		qemu_guard_tell_leaving(stub->guard, !stub->ran);
	gboolean good = attach(stub, ends[1], call, error);
	if (good && stub->farewell)
		qemu_guard_tell(stub->guard, FALSE);
	if (good)
		return TRUE;
	stub->farewell = NULL;
	qemu_stub_close(stub, NULL);
	return FALSE;
}

/* ---- what is said to it ---- */

static GByteArray *
read_document(QemuGdb *gdb, const char *name, GError **error)
{
	g_autoptr(GByteArray) whole = g_byte_array_new();

	for (;;) {
		g_autofree char *packet =
			g_strdup_printf("qXfer:features:read:%s:%x,%x", name, whole->len, CHUNK);
		g_autoptr(GByteArray) part = qemu_gdb_ask(gdb, packet, error);
		if (!part)
			return NULL;
		gboolean is_last = part->len && part->data[0] == 'l';
		if ((part->len < 2 || part->data[0] != 'm') && !is_last) {
			unsupported("it describes no registers", error);
			return NULL;
		}
		if (whole->len + part->len > MAX_DESCRIPTION) {
			unsupported("its description has no end", error);
			return NULL;
		}
		g_byte_array_append(whole, part->data + 1, part->len - 1);
		if (is_last)
			return g_steal_pointer(&whole);
	}
}

/* Of others the bytes of values may come the other way round. */
static gboolean
is_known(const char *architecture)
{
	static const char *const known[] = { "i386", "aarch64", "arm", "riscv" };

	for (gsize i = 0; architecture && i < G_N_ELEMENTS(known); i++)
		if (g_str_has_prefix(architecture, known[i]))
			return TRUE;
	return FALSE;
}

gboolean
qemu_stub_learn(QemuGdb *gdb, QemuGdbTarget *target, GError **error)
{
	g_autoptr(GByteArray) features = qemu_gdb_ask(gdb, "qSupported:xmlRegisters=i386", error);
	g_autoptr(GPtrArray) names = g_ptr_array_new_with_free_func(g_free);

	if (!features)
		return FALSE;
	if (!strstr((const char *) features->data, "qXfer:features:read+"))
		return unsupported("it describes no registers", error);
	g_ptr_array_add(names, g_strdup("target.xml"));
	for (guint i = 0; i < names->len; i++) {
		g_autoptr(GByteArray) xml = read_document(gdb, g_ptr_array_index(names, i), error);
		if (!xml ||
		    !qemu_gdb_describe(target, (const char *) xml->data, xml->len, names, error))
			return FALSE;
	}
	if (!is_known(target->architecture))
		return unsupported("registers of another architecture than x86, ARM, RISC-V",
				   error);
	return TRUE;
}

static gboolean
expect_ok(QemuGdb *gdb, const char *packet, const char *what, GError **error)
{
	g_autoptr(GByteArray) answer = qemu_gdb_ask(gdb, packet, error);

	if (!answer)
		return FALSE;
	return g_str_equal((const char *) answer->data, "OK") || unsupported(what, error);
}

static gboolean
choose_vcpu(QemuGdb *gdb, guint vcpu, GError **error)
{
	g_autofree char *thread = g_strdup_printf("Hg%x", vcpu + 1);

	return expect_ok(gdb, thread, "it knows no such vCPU", error);
}

static gboolean
set_register(QemuGdb *gdb, guint vcpu, const QemuGdbReg *reg, guint64 value, GError **error)
{
	g_autofree char *ask = g_strdup_printf("p%x", reg->number);
	g_autoptr(GString) set = g_string_new(NULL);
	guint64 now;

	g_string_printf(set, "P%x=", reg->number);
	for (guint i = 0; i < reg->bits / 8; i++)
		g_string_append_printf(set, "%02x", (guint) (value >> 8 * i & 0xff));
	if (!choose_vcpu(gdb, vcpu, error) ||
	    !expect_ok(gdb, set->str, "it does not set that register", error))
		return FALSE;
	g_autoptr(GByteArray) answer = qemu_gdb_ask(gdb, ask, error);
	if (!answer)
		return FALSE;
	if (qemu_gdb_value_parse((const char *) answer->data, answer->len, reg->bits, &now) &&
	    now == value)
		return TRUE;
	g_set_error(error, VMIFS_ERROR, VMIFS_ERROR_IO,
		    "%s: QEMU did not take the value as it is: bits that are fixed in it, or that "
		    "the mode of the vCPU has not",
		    reg->name);
	return FALSE;
}

/* What is said by a stub that is there for a moment. */
typedef gboolean (*Talk)(QemuGdb *gdb, const QemuGdbTarget *target, gpointer user, GError **error);

static gboolean
talk(const QemuStub *stub, Talk say, gpointer user, const VmifsCall *call, GError **error)
{
	gint64 until = g_get_monotonic_time() + QEMU_PATIENCE;
	g_auto(QemuGdb) gdb;
	g_auto(QemuGdbTarget) target;

	qemu_gdb_init(&gdb, stub->fd, call && call->deadline ? MIN(until, call->deadline) : until,
		      call);
	qemu_gdb_target_init(&target);
	return qemu_stub_learn(&gdb, &target, error) && say(&gdb, &target, user, error);
}

static gboolean
talk_once(QemuStop *stop, Talk say, gpointer user, const VmifsCall *call, GError **error)
{
	QemuStub stub = { .monitor = stop->monitor, .stop = stop };
	g_autoptr(GError) late = NULL;

	if (!qemu_stub_open(&stub, call, error))
		return FALSE;
	gboolean good = talk(&stub, say, user, call, error);
	if (!qemu_stub_close(&stub, &late) && good) {
		g_propagate_error(error, g_steal_pointer(&late));
		good = FALSE;
	}
	return good;
}

/* ---- a register is set ---- */

typedef struct {
	guint vcpu;
	const char *name;
	guint64 value;
} Setting;

static gboolean
say_setting(QemuGdb *gdb, const QemuGdbTarget *target, gpointer user, GError **error)
{
	const Setting *setting = user;
	const QemuGdbReg *reg = qemu_gdb_target_find(target, setting->name);

	if (!reg || reg->bits > 64 || reg->bits % 8) {
		g_set_error(error, VMIFS_ERROR, VMIFS_ERROR_UNSUPPORTED,
			    "%s: QEMU's gdbstub, by which registers are set, has none of that name "
			    "and at most 64 bits",
			    setting->name);
		return FALSE;
	}
	if (reg->bits < 64 && setting->value >> reg->bits) {
		g_set_error(error, VMIFS_ERROR, VMIFS_ERROR_INVALID, "%s has %u bits",
			    setting->name, reg->bits);
		return FALSE;
	}
	return set_register(gdb, setting->vcpu, reg, setting->value, error);
}

gboolean
qemu_stub_set_register(QemuStop *stop, guint vcpu, const char *name, guint64 value,
		       const VmifsCall *call, GError **error)
{
	Setting setting = { vcpu, name, value };

	if (!qemu_stop_enter(stop, call, error))
		return FALSE;
	gboolean set = talk_once(stop, say_setting, &setting, call, error);
	qemu_stop_leave(stop);
	return set;
}

/* ---- registers of the system are read ---- */

typedef struct {
	guint vcpu;
	VmifsRegs *regs;
} Reading;

static gboolean
read_register(QemuGdb *gdb, const QemuGdbReg *reg, VmifsRegs *regs, GError **error)
{
	g_autofree char *ask = g_strdup_printf("p%x", reg->number);
	g_autoptr(GByteArray) answer = qemu_gdb_ask(gdb, ask, error);
	guint64 value, known;

	if (!answer)
		return FALSE;
	/* What it does not tell is not there; what is told elsewhere stays as it is. */
	if (qemu_gdb_value_parse((const char *) answer->data, answer->len, reg->bits, &value) &&
	    !vmifs_regs_get(regs, reg->name, &known))
		vmifs_regs_set(regs, reg->name, value);
	return TRUE;
}

static gboolean
say_reading(QemuGdb *gdb, const QemuGdbTarget *target, gpointer user, GError **error)
{
	const Reading *reading = user;
	gboolean good = choose_vcpu(gdb, reading->vcpu, error);

	for (guint i = 0; good && i < target->regs->len; i++) {
		const QemuGdbReg *reg = &g_array_index(target->regs, QemuGdbReg, i);
		if (reg->is_system && *reg->name)
			good = read_register(gdb, reg, reading->regs, error);
	}
	return good;
}

static gboolean
stands_still(QemuMonitor *monitor, const VmifsCall *call, GError **error)
{
	VmifsState state;

	return qemu_status_ask(monitor, &state, NULL, call, error) &&
	       (state == VMIFS_STATE_PAUSED ||
		unsupported("the guest does not stand still", error));
}

gboolean
qemu_stub_system_registers(QemuStop *stop, guint vcpu, VmifsRegs *regs, const VmifsCall *call,
			   GError **error)
{
	Reading reading = { vcpu, regs };

	if (!qemu_stop_enter(stop, call, error))
		return FALSE;
	gboolean told = stands_still(stop->monitor, call, error) &&
			talk_once(stop, say_reading, &reading, call, error);
	qemu_stop_leave(stop);
	return told;
}
