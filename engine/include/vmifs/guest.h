/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * guest: one virtual machine: its physical memory, and, once discovery has ended, the operating
 * system in it. Discovery runs behind the back of whoever opened the guest; what needs its result
 * waits for it.
 */
#pragma once

#include <vmifs/process.h>
#include <vmifs/regs.h>
#include <vmifs/symbols.h>
#include <vmifs/view.h>

G_BEGIN_DECLS

typedef struct VmifsGuest VmifsGuest;

typedef enum {
	VMIFS_STATE_RUNNING,
	VMIFS_STATE_PAUSED,
	VMIFS_STATE_UNRESPONSIVE,
	VMIFS_STATE_SNAPSHOT,
	VMIFS_STATE_GONE,
} VmifsState;

VmifsGuest *
vmifs_guest_ref(VmifsGuest *guest);
void
vmifs_guest_unref(VmifsGuest *guest);

const char *
vmifs_guest_name(const VmifsGuest *guest);
/* As it was cache_ms ago at most; a source that does not answer is UNRESPONSIVE. May wait for the
 * source, 2 s at most. */
VmifsState
vmifs_guest_state(VmifsGuest *guest, const VmifsCall *call);
/* Makes it run or stand still (RUNNING, PAUSED); a pause outlives us. DENIED without guest_rw and
 * for what is frozen, UNSUPPORTED where the source cannot. */
gboolean
vmifs_guest_set_state(VmifsGuest *guest, VmifsState wanted, const VmifsCall *call, GError **error);
/* Counts the kernels that have ended: a reboot, kexec or loadvm moves it, and so does the end of
 * the guest. What was made under an earlier one (tasks, views' texts, address spaces) answers STALE
 * when it is used with this guest; physical memory and registers live on. Cheap. */
guint
vmifs_guest_generation(VmifsGuest *guest);
/* "running", ...: the text of `state`. */
const char *
vmifs_state_to_string(VmifsState state);
/* TRUE for images and snapshots: nothing ever changes, everything may be cached. */
gboolean
vmifs_guest_is_frozen(const VmifsGuest *guest);
/* When its memory was taken, as far as the source tells (µs since the epoch; an image: its
 * modification time): the times of its files. */
gint64
vmifs_guest_acquired(const VmifsGuest *guest);
VmifsPhysmem * /* (full) */
vmifs_guest_physmem(VmifsGuest *guest);
/* TRUE while nothing says where its memory begins, an image without a header, and no kernel was
 * found that does: it is put at 0. */
gboolean
vmifs_guest_is_base_assumed(VmifsGuest *guest);

/* TRUE once discovery has ended, whatever its result: nothing below will wait any more. */
gboolean
vmifs_guest_is_discovered(VmifsGuest *guest);
/* Calls done(user) once, from another thread, when discovery has ended; at once when it has. */
void
vmifs_guest_when_discovered(VmifsGuest *guest, GFunc done, gpointer user);
/* Waits for it. TRUE when an OS is attached; FALSE with UNSUPPORTED ("no known OS was found: see
 * info"), CANCELLED or TIMEOUT. Everything below that says "waits" calls it first. */
gboolean
vmifs_guest_wait(VmifsGuest *guest, const VmifsCall *call, GError **error);

/* `info`, as far as is known now; never waits. */
void
vmifs_guest_info(VmifsGuest *guest, GString *out);
/* `log`: newest last, bounded. */
void
vmifs_guest_log_text(VmifsGuest *guest, GString *out);
void
vmifs_guest_log(VmifsGuest *guest, const char *format, ...) G_GNUC_PRINTF(2, 3);

/* The kernel's address space: of the OS, or of a root given by the user. Waits. (full) */
VmifsAspace *
vmifs_guest_kernel_aspace(VmifsGuest *guest, const VmifsCall *call, GError **error);
/* All symbols, modules included. Waits. Made once per epoch and shared. (full) */
VmifsSymbols *
vmifs_guest_symbols(VmifsGuest *guest, const VmifsCall *call, GError **error);
/* Immutable list, made once per epoch and shared. Waits. (full) */
VmifsTaskList *
vmifs_guest_tasks(VmifsGuest *guest, const VmifsCall *call, GError **error);
/* A task's user address space; HOLE for kernel threads. Waits. (full) */
VmifsAspace *
vmifs_guest_task_aspace(VmifsGuest *guest, const VmifsTask *task, const VmifsCall *call,
			GError **error);
/* Mappings of a process in address order, of VmifsVma, cleared by the array. Empty for kernel
 * threads. Waits. (full) */
GArray *
vmifs_guest_task_vmas(VmifsGuest *guest, const VmifsTask *task, const VmifsCall *call,
		      GError **error);

/* vCPUs of which the source tells registers, numbered from 0; 0 = of none. Never waits. */
guint
vmifs_guest_n_reg_vcpus(VmifsGuest *guest);
/* The registers of one of them. UNSUPPORTED when the source tells none, NOT_FOUND for a vCPU that
 * is not there. Does not wait for discovery. (full) */
VmifsRegs *
vmifs_guest_regs(VmifsGuest *guest, guint vcpu, const VmifsCall *call, GError **error);
/* The same, and what takes more than a look: registers of the system of an ARM guest that stands
 * still, by the debugger's way. For users who ask. */
VmifsRegs *
vmifs_guest_all_regs(VmifsGuest *guest, guint vcpu, const VmifsCall *call, GError **error);
/* Where one of them finds an address now, with the rights that it has: HOLE if nowhere. The same.
 */
gboolean
vmifs_guest_vcpu_translate(VmifsGuest *guest, guint vcpu, guint64 va, guint64 *ret_pa,
			   const VmifsCall *call, GError **error);
/* Gives a register another value. DENIED without guest_rw, UNSUPPORTED, NOT_FOUND. */
gboolean
vmifs_guest_set_reg(VmifsGuest *guest, guint vcpu, const char *name, guint64 value,
		    const VmifsCall *call, GError **error);
/* How many vCPUs it has: from the source, else what the OS says; 0 when nobody knows. Waits where
 * the OS has to be asked. */
guint
vmifs_guest_n_vcpus(VmifsGuest *guest, const VmifsCall *call);

/* Views of the attached OS; *ret_n is 0 while none is. Never waits. (borrowed, static) */
const VmifsView *
vmifs_guest_views(VmifsGuest *guest, gsize *ret_n);
/* Has the guest that one of them? Never waits. */
gboolean
vmifs_guest_has_view(VmifsGuest *guest, const VmifsView *view);
/* view->render and view->list with the guest's instance. Wait. */
gboolean
vmifs_guest_render(VmifsGuest *guest, const VmifsView *view, const VmifsTask *task,
		   const char *entry, GString *out, const VmifsCall *call, GError **error);
gboolean
vmifs_guest_list(VmifsGuest *guest, const VmifsView *view, const VmifsTask *task, GPtrArray *names,
		 const VmifsCall *call, GError **error);

G_DEFINE_AUTOPTR_CLEANUP_FUNC(VmifsGuest, vmifs_guest_unref)

G_END_DECLS
