/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * backend: where the bytes come from. The engine calls these ops only through
 * engine/backend-call.c, which checks ranges before and statuses after. When a backend has told
 * that its guest is gone, close() is called as soon as the last op has returned, even if somebody
 * still holds the guest; it must release whatever keeps the guest's memory allocated.
 *
 * How to add one: a folder backends/X with X.c and a meson.build that adds X to `backends` and its
 * files to `core_sources`; the folder's name in backends/meson.build; a const VmifsBackend at the
 * bottom of X.c named vmifs_backend_X; a line in docs/architecture.md, tests/unit/test-X.c.
 * Required: name, probe, open, close, layout, read. backends/text is a small whole one.
 */
#pragma once

#include <vmifs/error.h>
#include <vmifs/guest.h>
#include <vmifs/host.h>
#include <vmifs/physmem.h>
#include <vmifs/regs.h>
#include <spi/mapping.h>
#include <spi/picture.h>
#include <spi/stops.h>

G_BEGIN_DECLS

/* What changes behind the engine's back, as bits. */
typedef enum {
	VMIFS_CHANGE_STATE = 1 << 0,   /* runs, paused, hangs */
	VMIFS_CHANGE_LAYOUT = 1 << 1,  /* layout() answers something else now */
	VMIFS_CHANGE_CONTENT = 1 << 2, /* memory is of another moment: loadvm, reset */
	VMIFS_CHANGE_GONE = 1 << 3,    /* the guest has ended */
} VmifsChange;

/* A SOURCE as the user wrote it, or a running guest as a finder has found it. */
typedef struct {
	const char *spec; /* the text without NAME= */
	const char *path; /* an existing file: its path; NULL otherwise */
	int fd;      /* that file, open read-only; -1 otherwise. (borrowed) duplicate to keep */
	guint64 len; /* its size in bytes */
	const guint8 *head; /* its first bytes, for magics */
	gsize head_len;     /* up to 64 KiB */
	const VmifsOptions *options;
	gpointer target; /* of a finder: NULL for files. (borrowed) until close() has returned */
	/* (nullable) For the backend to call, from any thread until close() has returned, when
	 * something changed. what: bits of VmifsChange. Returns at once. */
	void (*changed)(gpointer engine, guint what);
	/* (nullable) The same for what is armed. */
	VmifsStopped stopped;
	VmifsUnarmed unarmed;
	gpointer engine; /* of these three */
} VmifsSource;

/* One piece of a vectored read, or of a write. */
typedef struct {
	guint32 block;
	guint64 offset; /* in that block; in bounds, checked by the wrapper */
	gpointer buf;
	gsize len;
	gint status; /* out: 0, or an errno value */
} VmifsIo;

/* What a backend says of its memory; layout() appends to both arrays, which come empty. Regions
 * are sorted and disjoint, lie in their blocks, and do not wrap: the engine refuses others with
 * CORRUPT. */
typedef struct {
	GArray *regions; /* of VmifsRegion */
	GArray *blocks;  /* of VmifsBlock; names (full), freed by the engine */
	guint n_vcpus;   /* of which regs() can tell; 0 = of none. At most VMIFS_MAX_VCPUS */
	/* The monitor that tells registers does not answer: discovery does without. */
	gboolean is_silent;
	gboolean is_encrypted; /* memory is: discovery does not search it */
	/* Nothing says where memory begins: the one region is put at 0 until discovery, by what
	 * the kernel in it says, knows better. */
	gboolean is_base_assumed;
} VmifsLayout;

/* A block that is mapped. */
typedef struct {
	VmifsMapping *mapping; /* (full) */
	guint64 offset;        /* of the block's first byte in it */
	gboolean to_kernel; /* pointers may be handed to the kernel (files and memfds; not Xen) */
} VmifsDirect;

typedef struct VmifsBackend {
	const char *name;
	/* 0 = not mine .. 100 = certain. Looks at src only; never blocks. A format that is
	 * recognised but cannot be read answers 100 too and explains itself in open(). */
	int (*probe)(const VmifsSource *src);
	/* Returns: (full) an instance, or NULL with SOURCE: what was tried, seen, what to do. */
	gpointer (*open)(const VmifsSource *src, const VmifsCall *call, GError **error);
	void (*close)(gpointer self);
	gboolean (*layout)(gpointer self, VmifsLayout *ret, const VmifsCall *call, GError **error);
	/* Reads every element; returns how many have status 0. Thread-safe. */
	gsize (*read)(gpointer self, VmifsIo *io, gsize n, const VmifsCall *call);

	/* Optional; NULL = feature absent. */

	/* TRUE for images: never changes. */
	gboolean frozen;
	/* The words of format= that choose this backend, ended by NULL. Such a word is believed
	 * over content: open() gets it in src->options and probe() is not asked. */
	const char *const *formats;
	/* µs since the epoch; 0 = unknown. */
	gint64 (*acquired)(gpointer self);
	/* FALSE without error: this block is not mapped. */
	gboolean (*map)(gpointer self, guint32 block, VmifsDirect *ret, GError **error);
	/* Of sparse blocks: whether the byte at offset is allocated, and for how many bytes at
	 * least that goes on (>= 1, clamped to the block). Touches nothing. Thread-safe. */
	gboolean (*extent)(gpointer self, guint32 block, guint64 offset, gboolean *ret_data,
			   guint64 *ret_len);
	/* TRUE: mappings of sparse blocks are not touched for now; their bytes come by read().
	 * Thread-safe. */
	gboolean (*must_read)(gpointer self);
	/* The registers of a vCPU that layout() counted; regs comes empty. Thread-safe. */
	gboolean (*regs)(gpointer self, guint vcpu, VmifsRegs *regs, const VmifsCall *call,
			 GError **error);
	/* (nullable) Adds those that regs() cannot tell, which takes what a debugger takes: for who
	 * reads them all, of a guest that stands still. UNSUPPORTED: there are none. Thread-safe.
	 */
	gboolean (*system_regs)(gpointer self, guint vcpu, VmifsRegs *regs, const VmifsCall *call,
				GError **error);
	/* Where a vCPU that layout() counted finds an address now, by its own tables and with its
	 * rights of the moment: of those whose registers do not tell the tables. HOLE: nowhere, as
	 * it may be in a program, which does not see all. Thread-safe. */
	gboolean (*translate)(gpointer self, guint vcpu, guint64 va, guint64 *ret_pa,
			      const VmifsCall *call, GError **error);
	/* An ELF note that the source has beside memory, by its owner ("VMCOREINFO"), from the
	 * note's header on. (full) NULL when there is none. */
	GBytes *(*note)(gpointer self, const char *owner);
	/* More `key: value` lines for info. */
	void (*info)(gpointer self, GString *out);

	/* Of running guests; may ask a monitor. Thread-safe. While one of its own stops (arm) holds
	 * the guest, what it was before. */
	gboolean (*state)(gpointer self, VmifsState *ret, const VmifsCall *call, GError **error);
	/* wanted: RUNNING or PAUSED; no error if that is its state already. This op and the two
	 * below are called only under guest_rw. */
	gboolean (*set_state)(gpointer self, VmifsState wanted, const VmifsCall *call,
			      GError **error);
	/* As read(): every element, which holds what is to be written. */
	gsize (*write)(gpointer self, VmifsIo *io, gsize n, const VmifsCall *call);
	gboolean (*set_reg)(gpointer self, guint vcpu, const char *name, guint64 value,
			    const VmifsCall *call, GError **error);
	/* Tells memory and registers of one moment; the guest runs on, or stays paused if it was.
	 * On failure, and when the call is cancelled, it is as it was before. May take minutes: the
	 * call has no deadline. One at a time for each guest; the other ops go on meanwhile. */
	gboolean (*snapshot)(gpointer self, VmifsPictureWriter *out, const VmifsCall *call,
			     GError **error);

	/* Stops, see spi/stops.h: all three or none. */

	/* ret comes all zero: nothing can be armed. May ask a monitor; leaves the guest alone. */
	gboolean (*stop_caps)(gpointer self, VmifsStopCaps *ret, const VmifsCall *call,
			      GError **error);
	/* From now on stopped() is told of these points, by id, id + 1, ..., which no other point
	 * has or had; all while the guest stands once. FALSE: none of them is armed, for the one at
	 * *ret_failed (which is always set): UNSUPPORTED with the reason when it does not fit
	 * beside those that are. */
	gboolean (*arm)(gpointer self, guint64 id, const VmifsStopPoint *points, guint n,
			guint *ret_failed, const VmifsCall *call, GError **error);
	/* When this has returned, neither stopped() nor unarmed() is called of these ids any more,
	 * nor does a call run. After the last one the guest is as it was before the first; close()
	 * does that for all that are left. Ids that are not armed (any more) are passed over. Not
	 * called from within stopped() or unarmed(). */
	void (*disarm)(gpointer self, const guint64 *ids, guint n);
} VmifsBackend;

/* Every backend of this build, generated by meson. */
extern const VmifsBackend *const vmifs_backends[];
extern const gsize vmifs_n_backends;

G_END_DECLS
