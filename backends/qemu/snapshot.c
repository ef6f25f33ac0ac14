/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * snapshot: three ways to memory that holds still.
 *
 *   it runs, and nobody but QEMU writes to its memory       background snapshot, it runs on
 *   it runs                                                 stopped, copied, let run
 *   it is paused, or QEMU itself is stopped by a signal     copied
 *
 * A background snapshot has the host tell QEMU of each write, as far as QEMU makes it: device
 * models in other processes write to shared memory behind its back (sharers.c). It also has every
 * page come into being first, which for a file is all of the guest's size: there a copy is taken
 * unless it would last (background.c). Where QEMU or the host refuses, a copy is taken, too.
 */
#include "snapshot.h"

#include "background.h"
#include "copy.h"
#include "devices.h"
#include "incoming.h"
#include "migration.h"
#include "process.h"
#include "registers.h"
#include "status.h"

#include <unistd.h>

/* For the threads of a QEMU that is stopped by a signal. */
#define REST_PATIENCE G_TIME_SPAN_SECOND
#define REST_PAUSE (5 * G_TIME_SPAN_MILLISECOND)

/* ---- in the background ---- */

/* Those that the stream has; a machine that is none of ours tells none. */
static gboolean
add_told_regs(const QemuSubject *subject, VmifsPictureWriter *out, GBytes *devices, GError **error)
{
	g_autoptr(GPtrArray) vcpus = qemu_devices_regs(devices, NULL);

	for (guint i = 0; vcpus && i < MIN(vcpus->len, subject->n_vcpus); i++) {
		const VmifsRegs *regs = g_ptr_array_index(vcpus, i);
		gsize n;
		vmifs_regs_all(regs, &n);
		if (n && !vmifs_picture_add_regs(out, i, regs, error))
			return FALSE;
	}
	return TRUE;
}

/* From the pipe into the picture. */
static gboolean
take_in(const QemuSubject *subject, int fd, QemuMigration *migration, VmifsPictureWriter *out,
	QemuIncoming *in, VmifsPictureTaken *taken, const VmifsCall *call, GError **error)
{
	GError *failure = NULL, *last = NULL;
	gboolean good = qemu_incoming_read(fd, migration, subject->ram, out, in, call, &failure);

	close(fd);
	if (!in->is_ended)
		qemu_migration_leave(migration);
	else if (!qemu_migration_end(migration, &taken->moment, &taken->still_us, call, &last))
		good = FALSE;
	/* Why it ended too early QEMU knows better. */
	if (last) {
		g_clear_error(&failure);
		failure = last;
	}
	if (!failure && in->devices)
		good = good && add_told_regs(subject, out, in->devices, &failure);
	if (failure)
		g_propagate_error(error, failure);
	return good;
}

/* With UNSUPPORTED nothing is in the picture, and another way may be tried. */
static gboolean
take_in_background(const QemuSubject *subject, VmifsPictureWriter *out, const VmifsCall *call,
		   GError **error)
{
	VmifsPictureTaken taken = { .how = "QEMU's background snapshot" };
	QemuIncoming in = { 0 };
	GError *failure = NULL;
	int fd;
	QemuMigration *migration = qemu_migration_begin(subject->stop, &fd, call, error);

	if (!migration)
		return FALSE;
	gboolean good = take_in(subject, fd, migration, out, &in, &taken, call, &failure);
	g_clear_pointer(&in.devices, g_bytes_unref);
	if (good) {
		vmifs_picture_set_taken(out, &taken);
		return TRUE;
	}
	gboolean is_its_fault = g_error_matches(failure, VMIFS_ERROR, VMIFS_ERROR_CORRUPT) ||
				g_error_matches(failure, VMIFS_ERROR, VMIFS_ERROR_UNSUPPORTED) ||
				g_error_matches(failure, VMIFS_ERROR, VMIFS_ERROR_IO);
	if (is_its_fault)
		failure->code = in.is_begun ? VMIFS_ERROR_IO : VMIFS_ERROR_UNSUPPORTED;
	g_propagate_error(error, failure);
	return FALSE;
}

/* ---- standing still ---- */

/* What cannot be known of a vCPU is absent. */
static gboolean
ask_regs(const QemuSubject *subject, VmifsPictureWriter *out, const VmifsCall *call, GError **error)
{
	/* Of its own: what was asked before the guest stood still is of no use. */
	g_autoptr(QemuRegisters) registers = qemu_registers_new(subject->monitor, subject->n_vcpus);

	for (guint i = 0; i < subject->n_vcpus; i++) {
		g_autoptr(VmifsRegs) regs = vmifs_regs_new();
		GError *failure = NULL;
		if (qemu_registers_get(registers, i, regs, call, &failure)) {
			if (!vmifs_picture_add_regs(out, i, regs, error))
				return FALSE;
			continue;
		}
		if (g_error_matches(failure, VMIFS_ERROR, VMIFS_ERROR_TIMEOUT) ||
		    g_error_matches(failure, VMIFS_ERROR, VMIFS_ERROR_CANCELLED)) {
			g_propagate_error(error, failure);
			return FALSE;
		}
		g_error_free(failure);
	}
	return TRUE;
}

static gboolean
still_stands(const QemuSubject *subject, const VmifsCall *call, GError **error)
{
	VmifsState state;

	if (!qemu_status_ask(subject->monitor, &state, NULL, call, error))
		return FALSE;
	if (state != VMIFS_STATE_RUNNING && !qemu_stop_was_let_run(subject->stop))
		return TRUE;
	g_set_error_literal(error, VMIFS_ERROR, VMIFS_ERROR_IO,
			    "somebody let the guest run while it was copied");
	return FALSE;
}

/* A guest that is paused stays so. why: not in the background; NULL: it does not run. */
static gboolean
take_standing(const QemuSubject *subject, const char *why, VmifsPictureWriter *out,
	      const VmifsCall *call, GError **error)
{
	g_autofree char *how = why ? g_strdup_printf("stopped for a copy: %s", why)
				   : g_strdup("copied while paused");
	VmifsPictureTaken taken = { .how = how };
	GError *failure = NULL;
	g_autoptr(QemuCopy) copy = qemu_copy_new(subject->ram, subject->process, out);

	if ((why && !qemu_copy_ahead(copy, call, error)) ||
	    !qemu_stop_begin(subject->stop, call, error))
		return FALSE;
	taken.moment = g_get_real_time();
	gboolean good = ask_regs(subject, out, call, &failure) &&
			qemu_copy_ram(copy, call, &failure) &&
			still_stands(subject, call, &failure);
	/* Even for a caller who has given up. */
	if (!qemu_stop_end(subject->stop, &taken.still_us, NULL, failure ? NULL : &failure))
		good = FALSE;
	good = good && qemu_copy_tell(copy, call, &failure);
	if (good)
		vmifs_picture_set_taken(out, &taken);
	else
		g_propagate_error(error, failure);
	return good;
}

/* Until the last of its threads has heard of the signal. */
static gboolean
await_rest(const QemuSubject *subject, guint64 *ret_switches, const VmifsCall *call, GError **error)
{
	gint64 end = g_get_monotonic_time() + REST_PATIENCE;

	while (!qemu_process_rests(subject->process, ret_switches)) {
		if (!vmifs_call_check(call, error))
			return FALSE;
		if (g_get_monotonic_time() >= end) {
			g_set_error_literal(error, VMIFS_ERROR, VMIFS_ERROR_IO,
					    "QEMU is stopped by a signal, and not all of it rests");
			return FALSE;
		}
		g_usleep(REST_PAUSE);
	}
	return TRUE;
}

/* Whoever stopped it, and for whatever reason: nobody answers, and nothing moves. */
static gboolean
take_hung(const QemuSubject *subject, VmifsPictureWriter *out, const VmifsCall *call,
	  GError **error)
{
	VmifsPictureTaken taken = { .how = "copied while QEMU was stopped by a signal" };
	g_autoptr(QemuCopy) copy = qemu_copy_new(subject->ram, subject->process, out);
	guint64 before, after;

	if (!await_rest(subject, &before, call, error))
		return FALSE;
	taken.moment = g_get_real_time();
	if (!qemu_copy_ram(copy, call, error))
		return FALSE;
	/* Even if it is stopped again. */
	if (!qemu_process_is_stopped(subject->process) ||
	    !qemu_process_rests(subject->process, &after) || after != before) {
		g_set_error_literal(error, VMIFS_ERROR, VMIFS_ERROR_IO,
				    "QEMU ran while it was copied");
		return FALSE;
	}
	vmifs_picture_set_taken(out, &taken);
	return TRUE;
}

gboolean
qemu_snapshot_take(const QemuSubject *subject, VmifsPictureWriter *out, const VmifsCall *call,
		   GError **error)
{
	g_autoptr(GError) failure = NULL;
	VmifsState state;

	if (qemu_process_is_stopped(subject->process))
		return take_hung(subject, out, call, error);
	if (!subject->monitor) {
		g_set_error_literal(error, VMIFS_ERROR, VMIFS_ERROR_UNSUPPORTED,
				    "without a monitor the guest cannot be made to stand still");
		return FALSE;
	}
	qemu_stop_watch(subject->stop);
	if (!qemu_migration_is_free(subject->monitor, call, error) ||
	    !qemu_status_ask(subject->monitor, &state, NULL, call, error))
		return FALSE;
	if (state != VMIFS_STATE_RUNNING)
		return take_standing(subject, NULL, out, call, error);
	if (qemu_background_suits(subject, call, &failure) &&
	    take_in_background(subject, out, call, &failure))
		return TRUE;
	if (!g_error_matches(failure, VMIFS_ERROR, VMIFS_ERROR_UNSUPPORTED)) {
		g_propagate_error(error, g_steal_pointer(&failure));
		return FALSE;
	}
	return take_standing(subject, failure->message, out, call, error);
}
