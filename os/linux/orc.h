/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * orc: how the kernel says, for every instruction of its own, where the caller's frame lies: two
 * tables side by side, of the addresses from which on an entry holds, sorted, and of the entries.
 * An entry names a register and a distance, which give the stack as it was before the call; from
 * there the return address is read, or a whole set of saved registers. Nothing is copied: a look-up
 * reads some twenty addresses. Everything is read through a function, so that it is the same for a
 * guest, a test and a fuzzer.
 */
#pragma once

#include <glib.h>

G_BEGIN_DECLS

/* Bits of a little-endian number within an entry. */
typedef struct {
	guint8 offset; /* bytes into the entry */
	guint8 size;   /* of the number; 0 = this kernel's entries have no such thing */
	guint8 shift, len;
} LinuxOrcBits;

#define LINUX_ORC_MAX_ENTRY 16

/* How registers are numbered. */
typedef enum {
	LINUX_ORC_FIRST_NUMBERS,
	LINUX_ORC_SECOND_NUMBERS, /* seen in 7.2 */
	LINUX_ORC_N_NUMBERS,
} LinuxOrcNumbers;

typedef struct {
	guint8 size; /* of an entry, at most LINUX_ORC_MAX_ENTRY */
	LinuxOrcBits sp_offset, bp_offset, sp_reg, bp_reg, type;
	LinuxOrcBits signal; /* since 6.3 */
	/* Until 6.4; since then what it says is a type, and types count from there. */
	LinuxOrcBits end;
	LinuxOrcNumbers numbers;
} LinuxOrcFormat;

/* Registers that an entry can name, besides the stack's. */
typedef enum {
	LINUX_ORC_BP,
	LINUX_ORC_DI,
	LINUX_ORC_DX,
	LINUX_ORC_R10,
	LINUX_ORC_R13,
	LINUX_ORC_N_REGS,
} LinuxOrcReg;

/* Of struct pt_regs: its size, and offsets into it. */
typedef struct {
	guint16 size; /* at most LINUX_ORC_MAX_REGS */
	guint16 regs[LINUX_ORC_N_REGS];
	guint16 ip, cs, sp;
} LinuxOrcPtRegs;

#define LINUX_ORC_MAX_REGS 512

typedef struct {
	guint64 ips;     /* address of n s32: distances from themselves */
	guint64 entries; /* address of n entries */
	guint64 n;
} LinuxOrcTable;

typedef struct {
	gboolean (*read)(gpointer user, guint64 va, gpointer buf, gsize len);
	/* The table for the code at ip; FALSE where there is none. */
	gboolean (*find)(gpointer user, guint64 ip, LinuxOrcTable *ret);
	gpointer user;
	LinuxOrcFormat format;
	LinuxOrcPtRegs pt_regs;
	guint64 stack, stack_len; /* nothing outside of it is read as stack */
	gboolean may_switch;      /* from one stack to another: who asks bounds the frames */
} LinuxOrc;

typedef struct {
	guint64 ip, sp;
	guint64 regs[LINUX_ORC_N_REGS]; /* of these BP is always known ... */
	gboolean has_regs;              /* ... the others where registers were saved */
	gboolean exact;                 /* ip has not run yet; otherwise it is behind a call */
	gboolean is_user;               /* ip is of a program: the kernel was entered from there */
	guint64 unread; /* why linux_orc_next() ended: an address that could not be read; or 0 */
} LinuxOrcState;

/* Finds out how registers are numbered, from a function's first instruction: what its caller left
 * lies 8 bytes above the stack pointer. FALSE: in no way that is known. */
gboolean
linux_orc_learn(LinuxOrc *orc, guint64 function);

/* Goes on to the caller. FALSE at the end of the stack, and where its tables do not lead on. Unless
 * stacks may switch, the stack pointer rises with every TRUE. */
gboolean
linux_orc_next(const LinuxOrc *orc, LinuxOrcState *state);

G_END_DECLS
