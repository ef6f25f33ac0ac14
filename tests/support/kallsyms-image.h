/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * kallsyms-image: memory that holds a made-up kernel symbol table, compressed and laid out as any
 * kernel since 4.0 might have done it, with noise around.
 */
#pragma once

#include <glib.h>
#include <os/linux/kallsyms.h>

/* A symbol of its own, at that offset from the start of the text. */
typedef struct {
	guint64 offset;
	char type;
	const char *name;
} KallsymsNamed;

typedef struct {
	LinuxKallsymsEncoding encoding;
	gboolean behind;   /* addresses behind the token index, as since 6.4; else before n */
	gboolean sequence; /* (not behind) sequence numbers between markers and tokens */
	gboolean bits32;
	guint align;        /* of every table: 8 or 4 */
	guint marker_width; /* 4 or 8 */
	guint32 n;
	/* The rest may be zero. */
	guint64 pa;   /* where the memory begins */
	guint64 text; /* address of _text; PC-relative: physical */
	/* Among the n, behind the others: sorted by offset, from 16 * n on. */
	const KallsymsNamed *named;
	guint32 n_named;
} KallsymsPlan;

/* One of each, and of what could make a difference: odd numbers, full groups. */
extern const KallsymsPlan kallsyms_plans[];
extern const gsize kallsyms_n_plans;

typedef struct {
	guint64 address; /* as decoded: physical when PC-relative */
	char type;
	char *name;
} KallsymsExpected;

typedef struct {
	GByteArray *bytes; /* memory from pa on */
	guint64 pa;
	GArray *expected; /* of KallsymsExpected */
	/* Indexes into bytes. */
	gsize n_at, names_at, markers_at, tokens_at, digits_at, index_at, offsets_at;
	LinuxPhys phys; /* reads bytes */
} KallsymsImage;

/* n symbols, with per-CPU ones first where the encoding has them, aliases (equal addresses), and
 * one name of 300 bytes that nothing compresses. */
void
kallsyms_image_make(KallsymsImage *image, const KallsymsPlan *plan);
void
kallsyms_image_clear(KallsymsImage *image);

/* Its tables, which are there. (full) */
LinuxKallsyms *
kallsyms_image_find(const KallsymsImage *image);
/* Are those its symbols, all of them, in their order? */
gboolean
kallsyms_image_has(const KallsymsImage *image, const VmifsSymbols *symbols);
