/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * backend-call (private): the only caller of backend ops. Each wrapper answers for an op that is
 * absent and for a guest that has gone (STALE), checks what goes in, and does not believe what
 * comes out.
 */
#pragma once

#include "connection.h"

/* The backend that is most sure of src; SOURCE when none wants it, INVALID when format= is a word
 * that none knows. (static) */
const VmifsBackend *
vmifs_backend_choose(const VmifsSource *src, GError **error);

/* Returns: (full) an instance, for vmifs_backend_close(). */
gpointer
vmifs_backend_open(const VmifsBackend *backend, const VmifsSource *src, const VmifsCall *call,
		   GError **error);
void
vmifs_backend_close(const VmifsBackend *backend, gpointer instance);

/* ret: (full) a layout that vmifs_regions_check() has passed; cleared with vmifs_layout_clear(). */
gboolean
vmifs_backend_layout(VmifsConnection *connection, VmifsLayout *ret, const VmifsCall *call,
		     GError **error);
void
vmifs_layout_clear(VmifsLayout *layout);

/* The elements lie within their blocks. TRUE when all have status 0. */
gboolean
vmifs_backend_read(VmifsConnection *connection, VmifsIo *io, gsize n, const VmifsCall *call);
/* May this guest be written to at all? DENIED, UNSUPPORTED. */
gboolean
vmifs_backend_may_write(VmifsConnection *connection, GError **error);
/* As vmifs_backend_read(); only after may_write(). */
gboolean
vmifs_backend_write(VmifsConnection *connection, VmifsIo *io, gsize n, const VmifsCall *call);

/* FALSE without error: not mapped. ret->mapping covers the block, whose length is block_len. */
gboolean
vmifs_backend_map(VmifsConnection *connection, guint32 block, guint64 block_len, VmifsDirect *ret,
		  GError **error);

/* Is the byte at offset of a sparse block allocated? Returns for how many bytes, at most len (> 0),
 * that goes on. */
guint64
vmifs_backend_extent(VmifsConnection *connection, guint32 block, guint64 offset, guint64 len,
		     gboolean *ret_data);

/* See VmifsBackend. */
gboolean
vmifs_backend_must_read(VmifsConnection *connection);

/* (full) UNSUPPORTED when the backend knows none. vcpu: one that its layout counts. */
VmifsRegs *
vmifs_backend_regs(VmifsConnection *connection, guint vcpu, const VmifsCall *call, GError **error);
/* See VmifsBackend. */
gboolean
vmifs_backend_system_regs(VmifsConnection *connection, guint vcpu, VmifsRegs *regs,
			  const VmifsCall *call, GError **error);
/* HOLE, UNSUPPORTED. The same. */
gboolean
vmifs_backend_translate(VmifsConnection *connection, guint vcpu, guint64 va, guint64 *ret_pa,
			const VmifsCall *call, GError **error);
/* DENIED, UNSUPPORTED. */
gboolean
vmifs_backend_set_reg(VmifsConnection *connection, guint vcpu, const char *name, guint64 value,
		      const VmifsCall *call, GError **error);

/* Without that op: RUNNING, or SNAPSHOT of what is frozen. */
gboolean
vmifs_backend_state(VmifsConnection *connection, VmifsState *ret, const VmifsCall *call,
		    GError **error);
/* INVALID, DENIED, UNSUPPORTED. */
gboolean
vmifs_backend_set_state(VmifsConnection *connection, VmifsState wanted, const VmifsCall *call,
			GError **error);

/* Without that op: UNSUPPORTED. */
gboolean
vmifs_backend_take_snapshot(VmifsConnection *connection, VmifsPictureWriter *out,
			    const VmifsCall *call, GError **error);

/* DENIED under `passive`; without those ops UNSUPPORTED. */
gboolean
vmifs_backend_stop_caps(VmifsConnection *connection, VmifsStopCaps *ret, const VmifsCall *call,
			GError **error);
/* The same, and DENIED when one is to patch without guest_rw. n >= 1. */
gboolean
vmifs_backend_arm(VmifsConnection *connection, guint64 id, const VmifsStopPoint *points, guint n,
		  guint *ret_failed, const VmifsCall *call, GError **error);
/* Of ids that were armed. */
void
vmifs_backend_disarm(VmifsConnection *connection, const guint64 *ids, guint n);

/* (full) NULL: there is none. */
GBytes *
vmifs_backend_note(VmifsConnection *connection, const char *owner);

/* µs since the epoch; 0 = unknown. */
gint64
vmifs_backend_acquired(VmifsConnection *connection);
void
vmifs_backend_info(VmifsConnection *connection, GString *out);

G_DEFINE_AUTO_CLEANUP_CLEAR_FUNC(VmifsLayout, vmifs_layout_clear)
