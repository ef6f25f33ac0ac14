/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * watch-line (private): the language of `watch`, as text and as numbers. Pure: nothing of a guest
 * is asked here, so that any text can be tried on it. What is written back (vmifs_watch_line_text)
 * is understood again as the same line.
 *
 *   mem r|w|x|rw [PID:]ADDRESS[/LENGTH]    exec ADDRESS [if REG==VALUE]    int VECTOR
 *   reg cr0|cr3|cr4|msr:NUMBER             step vcpuN [count N]            task    module
 *       each with [NAME] [keep] [patch] at its end; -NAME removes a line; # begins a comment
 */
#pragma once

#include <spi/stops.h>

/* NULs included. */
#define VMIFS_WATCH_NAME_LEN 32
#define VMIFS_WATCH_SYMBOL_LEN 512
/* Lines of one guest, and bytes of what is written at once. */
#define VMIFS_WATCH_MAX_LINES 64
#define VMIFS_WATCH_MAX_TEXT ((gsize) 64 << 10)

typedef enum {
	VMIFS_WATCH_MEM,
	VMIFS_WATCH_EXEC,
	VMIFS_WATCH_REG,
	VMIFS_WATCH_INT,
	VMIFS_WATCH_STEP,
	VMIFS_WATCH_TASK,
	VMIFS_WATCH_MODULE,
} VmifsWatchKind;

typedef struct {
	gboolean is_removal; /* of the line called name; nothing else is set */
	VmifsWatchKind kind;
	VmifsStopKind access; /* MEM */
	guint32 pid;          /* MEM: only in that process's address space; 0 = in all */
	char symbol[VMIFS_WATCH_SYMBOL_LEN]; /* MEM, EXEC: empty = address is one */
	guint64 address;                     /* MEM, EXEC: or the offset from the symbol */
	guint32 len;                         /* MEM: bytes; 0 = not given */
	char reg[VMIFS_REG_NAME_LEN];        /* EXEC: of the condition, empty = none. REG: "cr3",
					      * "msr" */
	guint64 value;                       /* EXEC: of the condition */
	guint32 number;                      /* REG: of the MSR. INT: the vector. STEP: the vCPU */
	guint64 count;                       /* STEP: 0 = for ever */
	gboolean keep, patch;
	char name[VMIFS_WATCH_NAME_LEN]; /* empty = not given */
} VmifsWatchLine;

/* Every line of a text, of VmifsWatchLine, without those that are blank. INVALID: nothing was
 * understood then, the message quotes the line. (full) */
GArray *
vmifs_watch_lines_parse(const char *text, gsize len, GError **error);
/* Appends the line as it would be written, without a newline. */
void
vmifs_watch_line_text(const VmifsWatchLine *line, GString *out);
/* "mem", ... (static) */
const char *
vmifs_watch_kind_word(VmifsWatchKind kind);
