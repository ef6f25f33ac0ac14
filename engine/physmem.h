/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* physmem (private): how a host makes one of a backend's instance. */
#pragma once

#include "connection.h"

/* Asks for the layout and maps what can be mapped. connection: (borrowed), a reference is taken.
 * CORRUPT when the layout makes no sense, or what the backend reports. */
VmifsPhysmem *
vmifs_physmem_of(VmifsConnection *connection, const VmifsCall *call, GError **error);
/* The same memory as one of which nothing says where it begins, put at base. INVALID. */
VmifsPhysmem *
vmifs_physmem_at(const VmifsPhysmem *mem, guint64 base, const VmifsCall *call, GError **error);
/* Is that so of it? */
gboolean
vmifs_physmem_is_base_assumed(const VmifsPhysmem *mem);
/* The same over a connection of its own. instance: (taken) closed with the last reference, and on
 * failure at once. */
VmifsPhysmem *
vmifs_physmem_new(const VmifsBackend *backend, gpointer instance, const VmifsCall *call,
		  GError **error);
VmifsConnection * /* (borrowed) */
vmifs_physmem_connection(const VmifsPhysmem *mem);
/* Before the first look at what may be cached of it; see epoch.h. */
void
vmifs_physmem_touch(VmifsPhysmem *mem);

/* The guest has gone: its mappings and files are let go of, whoever still holds mem; see
 * vmifs_mapping_drop(). */
void
vmifs_physmem_drop(VmifsPhysmem *mem);
/* Do both have the same regions of the same blocks? */
gboolean
vmifs_physmem_is_like(const VmifsPhysmem *mem, const VmifsPhysmem *other);

/* What the backend adds to `info`. */
void
vmifs_physmem_info(VmifsPhysmem *mem, GString *out);

/* vCPUs of which the backend tells registers; 0 = of none. */
guint
vmifs_physmem_n_vcpus(const VmifsPhysmem *mem);
/* See VmifsLayout. */
gboolean
vmifs_physmem_is_silent(const VmifsPhysmem *mem);
gboolean
vmifs_physmem_is_encrypted(const VmifsPhysmem *mem);
/* (full) UNSUPPORTED when it tells none, NOT_FOUND for a vCPU that is not there. */
VmifsRegs *
vmifs_physmem_regs(VmifsPhysmem *mem, guint vcpu, const VmifsCall *call, GError **error);
/* Adds to them, before they are shared: see VmifsBackend. */
gboolean
vmifs_physmem_system_regs(VmifsPhysmem *mem, guint vcpu, VmifsRegs *regs, const VmifsCall *call,
			  GError **error);

/* Where it finds that address, see spi/backend.h. The same, and HOLE. */
gboolean
vmifs_physmem_vcpu_translate(VmifsPhysmem *mem, guint vcpu, guint64 va, guint64 *ret_pa,
			     const VmifsCall *call, GError **error);

/* DENIED, UNSUPPORTED, NOT_FOUND. */
gboolean
vmifs_physmem_set_reg(VmifsPhysmem *mem, guint vcpu, const char *name, guint64 value,
		      const VmifsCall *call, GError **error);

/* What the backend has beside memory; see spi/backend.h. (full) (nullable) */
GBytes *
vmifs_physmem_note(VmifsPhysmem *mem, const char *owner);

/* As vmifs_physmem_read(), but what is not mapped may be as old as the epoch: for walks and
 * decoders, which look at a few pages again and again. Of long reads nothing is kept. */
gboolean
vmifs_physmem_load(VmifsPhysmem *mem, guint64 pa, gpointer buf, gsize len, GError **error);

/* At a stop, in an epoch of its own: reads in one go what was read page by page at those before, as
 * it will be wanted again. */
void
vmifs_physmem_read_again(VmifsPhysmem *mem);

/* A run of memory that is of one sort, for those who pass over all of it. */
typedef struct {
	const guint8 *data; /* mapped bytes; NULL = to be read with vmifs_physmem_read() */
	guint64 len;        /* bytes, at least 1 */
	gboolean hole;      /* nothing allocated there: zeros */
	gboolean to_kernel; /* data may be handed to the kernel */
} VmifsRun;

/* The run at offset of a block, at most len (> 0, in bounds) bytes. Touches no page. */
void
vmifs_physmem_run(VmifsPhysmem *mem, guint32 block, guint64 offset, guint64 len, VmifsRun *ret);
/* vmifs_mapping_prefetch() and _release() for a part of a block, if that is mapped. */
void
vmifs_physmem_prefetch(VmifsPhysmem *mem, guint32 block, guint64 offset, gsize len);
void
vmifs_physmem_release(VmifsPhysmem *mem, guint32 block, guint64 offset, gsize len);

/* For loads of a run's data: vmifs_mapping_stamp() and _intact(). */
guint
vmifs_physmem_block_stamp(VmifsPhysmem *mem, guint32 block);
gboolean
vmifs_physmem_block_intact(VmifsPhysmem *mem, guint stamp, guint32 block, guint64 offset,
			   gsize len);
/* Before a load: what is marked may be there again, and is mapped anew by asking. */
gboolean
vmifs_physmem_block_usable(VmifsPhysmem *mem, guint32 block, guint64 offset, gsize len);
/* Copies a run's data. FALSE when some of it is lost. */
gboolean
vmifs_physmem_copy_run(VmifsPhysmem *mem, guint32 block, guint64 offset, const VmifsRun *run,
		       gpointer buf, gsize len);

/* One vectored read of elements (VmifsIo) that lie in their blocks. On failure with IO the first
 * element whose status is not 0 is where it failed; set them to EIO before. */
gboolean
vmifs_physmem_read_io(VmifsPhysmem *mem, GArray *io, const VmifsCall *call, GError **error);

/* The errors of reads: IO; status is an errno value or 0 for a page that was not intact. HOLE. */
void
vmifs_physmem_set_lost(const VmifsPhysmem *mem, guint32 block, guint64 offset, int status,
		       GError **error);
/* After a transfer of these, of which not all were: why. FALSE always. */
gboolean
vmifs_physmem_fail_io(const VmifsPhysmem *mem, const VmifsIo *io, const VmifsCall *call,
		      GError **error);
void
vmifs_physmem_set_hole(guint64 pa, GError **error);

/* vmifs_physmem_gather() for memory in many pieces, as an address space has it: what a backend has
 * to read is read at the end, all of it with one call. Zeros may be added to the list between two
 * pieces. */
typedef struct {
	VmifsPhysmem *mem;
	VmifsSegments *segments;
	gsize before; /* bytes that were in the list already */
	GArray *io;   /* what the backend has to read; NULL = nothing */
	GArray *at;   /* for each of io: bytes in the list before it */
	gsize owned;  /* bytes of io */
	gboolean pinned;
	gboolean ended; /* nothing can follow: a hole, lost bytes, or enough for one call */
} VmifsGather;

/* mem, segments: (borrowed) until the end. */
void
vmifs_gather_init(VmifsGather *gather, VmifsPhysmem *mem, VmifsSegments *segments);
/* FALSE when nothing more can be added; with error when that is before the first byte. */
gboolean
vmifs_gather_add(VmifsGather *gather, guint64 pa, gsize len, VmifsGatherFlags flags,
		 GError **error);
/* Must be called once, whatever add() said. Returns how many bytes came into the list; error as
 * above, for reading. */
gsize
vmifs_gather_end(VmifsGather *gather, const VmifsCall *call, GError **error);
