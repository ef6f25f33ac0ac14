/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * arch: how addresses map. Pure functions over a table-reading callback: no I/O, no allocation, no
 * state but the caller's walk.
 *
 * How to add one: arch/X.c with a const VmifsArch named vmifs_arch_X at its bottom, its name in
 * arch/meson.build, tests/pagetables/X-*.pt that name each mode and an -invalid twin of each, its
 * word in docs/man/vmifs.1 (arch=) and completions/vmifs.
 *
 * With it tables are walked, and no more. What else is of x86-64 alone, without a seam of its own:
 *
 *   os/linux/  how far its image lies above physical memory, and how it is told: find, images, base
 *   os/linux/  registers and CR3: told, alive, vcpus; events: stops
 *   os/linux/  all else that differs: a LinuxMachine of its own
 *   backends/  names of registers: snapshot/notes; qemu/registers, devices, stub
 *   backends/  where QEMU puts memory: qemu/rules
 *   tests/     the guests that are booted
 */
#pragma once

#include <vmifs/aspace.h>
#include <vmifs/regs.h>

G_BEGIN_DECLS

#define VMIFS_WALK_LEVELS 6

typedef struct VmifsArch VmifsArch;

/* One paging mode of an architecture. */
typedef struct {
	const char *name; /* "x86_64 4-level" */
	const VmifsArch *arch;
	guint8 levels;
	guint8 va_bits;    /* 48, 57 */
	guint8 page_shift; /* log2 of the smallest page */
	guint8 ptr_size;   /* of the code that runs in it */
	guint32 root_len;  /* bytes of the root table */
	guint64 root_align;
	guint64 user_end; /* one past the highest user address */
	/* The lower and the upper part of the space have a root each: a process's, the kernel's. */
	gboolean has_halves;
	guint32 format; /* the arch's own */
} VmifsMode;

/* No table: nothing is mapped. */
#define VMIFS_NO_ROOT G_MAXUINT64

typedef struct {
	const VmifsMode *mode;
	guint64 root;        /* physical address, flag bits removed; has_halves: of the lower one */
	guint64 ignore_mask; /* bits of an entry that are no address: the memory-encryption bit */
	/* Of modes with halves. */
	guint64 high_root;
	guint8 low_bits,
		high_bits; /* of an address, where the mode's va_bits are not it; 0 = are */
	guint32 flags;     /* the arch's own: what registers said; 0 = what is usual */
} VmifsPaging;

/* A table on the way from the root to the cursor. */
typedef struct {
	const guint8 *table; /* NULL = not loaded */
	guint64 pa;
	guint64 va;    /* first address that this table maps */
	guint32 perms; /* AND of the entries above it */
} VmifsWalkLevel;

typedef struct VmifsWalk VmifsWalk;
struct VmifsWalk {
	/* Set by the caller. */
	guint64 va;   /* the cursor; next() moves it past the range it returns */
	guint64 last; /* last address of interest, inclusive */
	/* len bytes of the table at pa, or NULL when that is not RAM. slot: 0 = root; a new call
	 * for a slot may overwrite what an earlier call for it returned. */
	const guint8 *(*table)(gpointer ctx, guint slot, guint64 pa, gsize len);
	gpointer ctx;
	guint64 budget;  /* table loads left; at 0 next() returns FALSE with `exhausted` set */
	gboolean single; /* pages are not merged, so that each one's entry is seen */
	/* Set by the arch. Zero at the start. */
	gboolean done;                           /* the cursor went past `last` */
	gboolean exhausted;                      /* the budget ended the walk before `last` */
	VmifsWalkLevel level[VMIFS_WALK_LEVELS]; /* [slot] */
};

/* An instruction that gives a register of the processor itself another value. */
typedef struct {
	gsize len;          /* bytes of it; 0 = not told */
	const char *reg;    /* "cr3"; "msr": one of those that have numbers. (static) */
	guint32 number;     /* of the latter, when registers were given */
	const char *name;   /* (nullable) (static) what sources call it, if they tell it */
	gboolean has_value; /* FALSE: registers alone do not say */
	guint64 value;      /* that it will have */
} VmifsArchWrite;

typedef struct {
	/* The next place in some bytes, from `at` on, where the opcode of an instruction that
	 * writes reg may be; its prefixes lie before it. len: there is none. */
	gsize (*find)(const char *reg, const guint8 *code, gsize len, gsize at);
	/* Are these the first bytes of one that writes any such register? regs: (nullable) what
	 * they are before it. */
	gboolean (*decode)(const guint8 *code, gsize len, const VmifsRegs *regs,
			   VmifsArchWrite *ret);
	/* (static) Why that register is written by others as well; NULL: it is not. */
	const char *(*unseen)(const char *reg, guint32 number);
} VmifsArchWrites;

/* Which registers say where a vCPU is and what it was called with, as sources name them. */
typedef struct {
	const char *pc;
	const char *sp;
	const char *link;    /* where a function begins, the address to return to; NULL: at sp */
	const char *args[6]; /* of a function, by the calling convention; NULL: on the stack, ... */
	guint stack_args;    /* ... the first of those so many words from sp on */
	const char *root;    /* (nullable) of the page tables, if a stop tells it ... */
	guint64 root_mask;   /* ... in these bits */

	/* (nullable) Interrupts: where the table of their gates is (0: there is none yet), and its
	 * last byte in it; of one gate its length and, FALSE: there is none, its handler. At the
	 * handler's beginning the stack has, where that vector's bit is set, an error code, and
	 * then the address that was interrupted. */
	const char *gates, *gates_limit;
	const char *no_gates;  /* a register in which ... */
	guint64 no_gates_flag; /* ... this says that they are not used */
	gsize gate_len;
	gboolean (*gate)(const guint8 *gate, guint64 *ret_handler);
	guint64 error_vectors;
	guint fault_vector; /* of a page fault ... */
	const char *fault;  /* ... at this address */

	const VmifsArchWrites *writes; /* (nullable) */
} VmifsArchRegs;

struct VmifsArch {
	const char *name;
	const VmifsMode *modes;
	gsize n_modes;
	/* The range at the cursor, clipped to [va, last]; moves the cursor past it. Entries of one
	 * table that continue each other (holes; pages with contiguous pa and equal perms, unless
	 * single) are one range; the caller merges over tables. FALSE when the walk is done or
	 * exhausted. */
	gboolean (*next)(const VmifsPaging *paging, VmifsWalk *walk, VmifsRange *ret);
	const VmifsArchRegs *regs; /* (nullable) */
	/* (nullable) What a vCPU's registers, by the names that sources give them, say of paging:
	 * what cannot be told from a root and a mode alone. FALSE with UNSUPPORTED or HOLE (paging
	 * is off, a register is missing). */
	gboolean (*from_regs)(const VmifsRegs *regs, VmifsPaging *ret, GError **error);
};

/* What a kernel's root alone gives in a mode. Of one with halves that is the upper one: the lower
 * one maps nothing before a process's root is put there. */
static inline VmifsPaging
vmifs_paging_of(const VmifsMode *mode, guint64 root)
{
	return (VmifsPaging){
		.mode = mode,
		.root = mode->has_halves ? VMIFS_NO_ROOT : root,
		.high_root = mode->has_halves ? root : 0,
	};
}

extern const VmifsArch *const vmifs_archs[];
extern const gsize vmifs_n_archs;

G_END_DECLS
