/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* symbols (private): how a table lies in memory, for what makes one of bytes (symbols-pack.c). */
#pragma once

#include <vmifs/symbols.h>

G_BEGIN_DECLS

#define VMIFS_SYMBOLS_MOST (1u << 22)
#define VMIFS_SYMBOLS_ARENA_MOST (128u << 20)
#define VMIFS_SYMBOLS_NONE G_MAXUINT32

/* The symbols of one hash value are a chain, in kernel order. */
typedef struct {
	guint64 seed;
	gsize mask;
	guint32 *heads; /* [hash]: the first symbol */
	guint32 *next;  /* [symbol]: the one after it */
} VmifsNameIndex;

struct VmifsSymbols {
	gint refs;
	gsize n;
	guint64 *addresses;
	guint32 *names; /* offsets into arena */
	char *arena;
	gsize arena_len; /* once it has ended */
	GArray *runs;
	gsize by_name;    /* VmifsNameIndex *, made once */
	gsize by_address; /* guint32 *: indexes sorted by (address, index), less marks, made once */
	gsize n_sorted;   /* of them */
	GBytes *packed;   /* (nullable) owns names, arena, and what by_name points to */
};

const VmifsNameIndex *
vmifs_symbols_by_name(const VmifsSymbols *symbols);

G_END_DECLS
