/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * insn: what one instruction does, as far as addresses flow through it: for whoever follows the
 * text of a guest's function. Bytes are told apart by capstone; a build without it knows none.
 */
#pragma once

#include <glib.h>

G_BEGIN_DECLS

typedef enum {
	VMIFS_INSN_OTHER,
	VMIFS_INSN_MOVE,    /* reg = base */
	VMIFS_INSN_ADDRESS, /* reg = base + index + number */
	VMIFS_INSN_SUM,     /* reg += what is in that memory */
	VMIFS_INSN_LOAD,    /* reg = a pointer at base + index + number */
	VMIFS_INSN_CALL,    /* target */
	VMIFS_INSN_JUMP,    /* target */
	VMIFS_INSN_BRANCH,  /* target, or the next one */
	VMIFS_INSN_END,     /* nothing follows */
} VmifsInsnKind;

/* Registers by the numbers that they have in instructions. */
#define VMIFS_INSN_REGISTERS 16
#define VMIFS_INSN_NO_REGISTER 0xff

typedef struct {
	gsize len;
	VmifsInsnKind kind;
	guint8 reg, base, index; /* VMIFS_INSN_NO_REGISTER: none */
	gint64 number;
	gboolean adds;  /* to base, index and number what is not told: a multiple, a segment */
	guint64 target; /* 0 = not told */
	guint32 writes; /* a bit for each register that it may change */
	/* Memory at base + index + number. */
	gboolean reads_memory, writes_memory;
	guint width; /* bytes of that */
} VmifsInsn;

/* All of these bytes, at the address va; arch as its page tables are called: "x86_64". NULL: one of
 * them is not known for certain, or there are more than `most`. (full) of VmifsInsn */
GArray *
vmifs_insns(const char *arch, const guint8 *code, gsize len, guint64 va, gsize most);

G_END_DECLS
