/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * backend-call (private): the only caller of backend ops. Each wrapper answers for an op that is
 * absent, checks what goes in, and does not believe what comes out.
 */
#pragma once

#include <spi/backend.h>

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
vmifs_backend_layout(const VmifsBackend *backend, gpointer instance, VmifsLayout *ret,
		     const VmifsCall *call, GError **error);
void
vmifs_layout_clear(VmifsLayout *layout);

/* The elements lie within their blocks. TRUE when all have status 0. */
gboolean
vmifs_backend_read(const VmifsBackend *backend, gpointer instance, VmifsIo *io, gsize n,
		   const VmifsCall *call);

/* FALSE without error: not mapped. ret->mapping covers the block, whose length is block_len. */
gboolean
vmifs_backend_map(const VmifsBackend *backend, gpointer instance, guint32 block, guint64 block_len,
		  VmifsDirect *ret, GError **error);

/* Is the byte at offset of a sparse block allocated? Returns for how many bytes, at most len (> 0),
 * that goes on. */
guint64
vmifs_backend_extent(const VmifsBackend *backend, gpointer instance, guint32 block, guint64 offset,
		     guint64 len, gboolean *ret_data);

/* (full) UNSUPPORTED when the backend knows none. vcpu: one that its layout counts. */
VmifsRegs *
vmifs_backend_regs(const VmifsBackend *backend, gpointer instance, guint vcpu,
		   const VmifsCall *call, GError **error);

/* (full) NULL: there is none. */
GBytes *
vmifs_backend_note(const VmifsBackend *backend, gpointer instance, const char *owner);

/* µs since the epoch; 0 = unknown. */
gint64
vmifs_backend_acquired(const VmifsBackend *backend, gpointer instance);
void
vmifs_backend_info(const VmifsBackend *backend, gpointer instance, GString *out);

G_DEFINE_AUTO_CLEANUP_CLEAR_FUNC(VmifsLayout, vmifs_layout_clear)
