/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * prove: is this address space that of a running kernel, and of the one claimed? Addresses alone
 * prove little (a linear map makes them agree by itself), so most proofs are contents: the banner,
 * the symbol tables, the first task and the ring of all tasks, read through the page tables.
 */
#pragma once

#include "kallsyms.h"
#include "vmcoreinfo.h"

#include <vmifs/aspace.h>

G_BEGIN_DECLS

/* What is claimed of a kernel image. All borrowed. */
typedef struct {
	guint64 delta;               /* VA - PA of the image, modulo 2^64 */
	VmifsSymbols *symbols;       /* (nullable) virtual addresses */
	VmifsSymbols *exports;       /* (nullable) what those lack, likewise */
	const LinuxKallsyms *tables; /* (nullable) where symbols came from */
	LinuxVmcoreinfo *note;       /* (nullable) the note that is said to be its */
	gboolean has_banner;         /* banner_pa is where its banner stands, if no symbol says */
	guint64 banner_pa;
	gboolean is_searched; /* nothing told of the root */
} LinuxClaim;

typedef enum {
	LINUX_PROOF_PROBES = 1 << 0,    /* symbols of text are mapped to VA - delta */
	LINUX_PROOF_BANNER = 1 << 1,    /* the banner, or the release, is read where it should be */
	LINUX_PROOF_RODATA = 1 << 2,    /* the symbol tables lie in its read-only data */
	LINUX_PROOF_TABLES = 1 << 3,    /* and are read there through the page tables */
	LINUX_PROOF_INIT_TASK = 1 << 4, /* "swapper", its own parent */
	LINUX_PROOF_TASKS = 1 << 5,     /* the ring of all tasks is whole */
	LINUX_PROOF_NOTE = 1 << 6,      /* the release of VMCOREINFO is read there */
	LINUX_PROOF_CALLS = 1 << 7,     /* calls in the text go to where functions begin */
	LINUX_PROOF_MEMORY = 1 << 8,    /* most memory is mapped by one distance */
	LINUX_PROOF_VECTORS = 1 << 9,   /* ARM's vectors lead to where it takes system calls */
} LinuxProof;

typedef struct {
	guint32 proofs;    /* LinuxProof bits */
	guint n_probes;    /* text symbols that were mapped as claimed */
	int score;         /* of all proofs together; 0 = refuted */
	const char *fault; /* (static) what refuted it, else NULL */
	char *banner;      /* (full) (nullable) without its newline */
} LinuxVerdict;

void
linux_prove(VmifsAspace *aspace, const LinuxClaim *claim, LinuxVerdict *ret);
void
linux_verdict_clear(LinuxVerdict *verdict);

/* Virtual address of a symbol: of the tables, else of VMCOREINFO. */
gboolean
linux_claim_symbol(const LinuxClaim *claim, const char *name, guint64 *ret_va);
/* Seconds of the kernel's clock, 0 when it cannot be told: of two kernels that are both complete,
 * the one whose clock is later is the one that runs. */
guint64
linux_claim_clock(const LinuxClaim *claim, VmifsAspace *aspace);
/* Physical address -> (full) "Linux version ..." if a whole banner stands there, up to its newline;
 * NULL otherwise. */
char *
linux_banner_at(const guint8 *bytes, gsize len);

G_END_DECLS
