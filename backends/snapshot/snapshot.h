/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * snapshot (private): a file that holds memory. What the formats have in common is one file,
 * mapped, with or without holes; each format, in a file of its own, only says which pieces of it
 * lie where, and what else the file tells of its guest.
 */
#pragma once

#include <spi/backend.h>

#define VMIFS_SNAPSHOT_PAGE 4096

typedef struct VmifsExtents VmifsExtents;
typedef struct VmifsSnapshotFormat VmifsSnapshotFormat;

typedef struct {
	const VmifsSnapshotFormat *format;
	const char *word; /* of format= */
	int fd;
	gboolean is_regular;      /* a file; else a block device */
	gboolean is_base_assumed; /* see VmifsLayout */
	guint64 len;
	gint64 acquired;       /* µs since the epoch */
	VmifsExtents *extents; /* NULL = no holes */
	GArray *regions;       /* of VmifsRegion, all of block 0, which is the file */
	GPtrArray *vcpus;      /* of VmifsRegs */
	GBytes *vmcoreinfo;    /* (nullable) the note, from its header on */
	GString *remarks;      /* `key: value` lines for info */
	guint64 n_missing;     /* bytes of memory that the file is too short for */
	guint64 n_strange;     /* pieces that no physical address can have */
} VmifsSnapshot;

/* How to add one: a file with a const VmifsSnapshotFormat named vmifs_snapshot_WORD, that file in
 * meson.build, WORD in the list below before raw, which takes what nobody else does. Its row in
 * magic.c goes, and NOT_YET there names it. Beside it: WORD in fs/options.c (--help), completions/
 * and docs/man/vmifs.1; tests/unit/test-WORD.c; tests/fuzz/fuzz-WORD.c with seeds.
 *
 * That is for files in which each page of memory lies as it was. One whose pages are packed, or lie
 * in several files, has nothing to map: it is a backend of its own. */
struct VmifsSnapshotFormat {
	gboolean (*matches)(const VmifsSource *src);
	/* Fills self->regions and whatever follows it, or fails with SOURCE or INVALID. */
	gboolean (*find_regions)(VmifsSnapshot *self, const VmifsSource *src, const VmifsCall *call,
				 GError **error);
};

/* The words of format=, in the order in which formats are asked. */
#define VMIFS_SNAPSHOT_FORMATS(DO) DO(elf) DO(lime) DO(raw)

#define VMIFS_SNAPSHOT_DECLARE(word) extern const VmifsSnapshotFormat vmifs_snapshot_##word;
VMIFS_SNAPSHOT_FORMATS(VMIFS_SNAPSHOT_DECLARE)
#undef VMIFS_SNAPSHOT_DECLARE

/* SOURCE with that text, prefixed later with the source's name. Returns FALSE. */
gboolean
vmifs_snapshot_bad(GError **error, const char *format, ...) G_GNUC_PRINTF(2, 3);
/* Exactly len bytes of the file. Returns: 0, or an errno value; ENODATA behind its end. */
int
vmifs_snapshot_read(const VmifsSnapshot *self, guint64 offset, gpointer buf, gsize len);

/* ---- pieces.c ---- */

/* Memory at pa lies at offset of the file. Pieces may come in any order, overlap, and reach over
 * the end of the file: what it lacks is counted as missing. FALSE with SOURCE beyond a bound. */
gboolean
vmifs_snapshot_add_piece(VmifsSnapshot *self, guint64 pa, guint64 offset, guint64 len,
			 GError **error);
/* Makes regions of them, sorted and disjoint. FALSE with SOURCE when there are none. */
gboolean
vmifs_snapshot_settle(VmifsSnapshot *self, GError **error);

/* ---- notes.c ---- */

/* What the notes of an ELF core tell, all of them: registers, VMCOREINFO. Any bytes at all. */
void
vmifs_snapshot_add_notes(VmifsSnapshot *self, gconstpointer notes, gsize len);

/* What is known by its first bytes and cannot be read by this version. FALSE when src is none of
 * it; else TRUE with SOURCE and its name in error. */
gboolean
vmifs_snapshot_is_foreign(const VmifsSource *src, GError **error);

/* Which pages of a file have something allocated, found out when first asked. fd: (borrowed) must
 * stay open. Thread-safe. */
VmifsExtents *
vmifs_extents_new(int fd, guint64 len);
void
vmifs_extents_free(VmifsExtents *extents);
/* Is there data in the page at offset (< len)? Returns for how many bytes (>= 1) that goes on. */
guint64
vmifs_extents_at(VmifsExtents *extents, guint64 offset, gboolean *ret_data);
