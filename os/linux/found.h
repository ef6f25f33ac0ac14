/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * found: what discovery hands to attach: where a kernel lies, and how each part of that was found.
 */
#pragma once

#include "prove.h"
#include "vmcoreinfo.h"

#include <spi/os.h>

G_BEGIN_DECLS

/* Where an x86-64 kernel's image is linked, and where in it its text begins, without KASLR. */
#define LINUX_X86_64_IMAGE G_GUINT64_CONSTANT(0xffffffff80000000)
#define LINUX_X86_64_TEXT_OFFSET G_GUINT64_CONSTANT(0x1000000)

/* The architectures that kernels are looked for of, as their page tables are called. */
#define LINUX_ARCH_X86_64 "x86_64"
#define LINUX_ARCH_AARCH64 "aarch64"
#define LINUX_ARCH_RISCV64 "riscv64"
#define LINUX_ARCH_I386 "i386"
#define LINUX_ARCH_ARM "arm"

/* The lowest address that 32-bit kernels begin at. */
#define LINUX_LEAST_PAGE_OFFSET G_GUINT64_CONSTANT(0x40000000)

/* With page-table isolation, the user half of a pair of tables lies behind the kernel's. */
#define LINUX_CR3_USER_HALF G_GUINT64_CONSTANT(0x1000)

/* The address in CR3: the rest are flags, and the process-context id. Tables of PAE are small. */
static inline guint64
linux_root_of_cr3(const char *arch, guint64 cr3)
{
	return cr3 & (g_str_equal(arch, LINUX_ARCH_I386) ? 0xffffffe0ull : 0x000ffffffffff000ull);
}

/* Everything owned. Texts are bytes as the guest has them: escape before showing. */
typedef struct {
	guint64 image_delta;    /* VA - PA of the kernel image, modulo 2^64 */
	guint64 root;           /* physical address of the kernel's page table */
	guint64 ignore_mask;    /* bits of page-table entries that are no address (sme_mask) */
	gboolean has_slides;    /* the three below: an x86-64 kernel with _text or _stext known */
	guint64 phys_base;      /* physical address of VA 0xffffffff80000000, modulo 2^64 */
	guint64 virtual_slide;  /* KASLR: of _text from 0xffffffff81000000 */
	guint64 physical_slide; /* KASLR: of _text from 0x1000000 */
	char *banner;           /* (nullable) "Linux version ...", without its newline */
	char *release;          /* (nullable) "6.1.0-30-amd64" */
	char *build_id;         /* (nullable) lower-case hex */
	VmifsSymbols *symbols;  /* (nullable) of the core kernel */
	GBytes *source;         /* (nullable) of symbols, until they are kept: kept.h */
	VmifsSymbols *exports;  /* (nullable) that those lack: see exports.h */
	LinuxVmcoreinfo *vmcoreinfo; /* (nullable) */
	guint n_told; /* inferred members, in log, and one; 0 = nothing was; for all that attach it
		       */
	/* One line each for info: "kallsyms at 0x1c00000 ...": how it was found. (nullable) */
	char *symbols_how;
	char *root_how;
	char *slides_how;
} LinuxFound;

/* All but ignore_mask and the lines for info. */
LinuxFound *
linux_found_new(VmifsAspace *aspace, const LinuxClaim *claim, const LinuxVerdict *verdict);
void
linux_found_free(gpointer found);
/* The one among the image's ELF notes. (full) NULL = none. */
char *
linux_build_id(VmifsAspace *aspace, const LinuxClaim *claim);

/* The discovery part of the driver's VmifsOs. */
#define LINUX_N_PATTERNS 3
extern const VmifsPattern linux_patterns[LINUX_N_PATTERNS];
void
linux_begin(VmifsProbe *probe);
void
linux_hit(VmifsProbe *probe, const VmifsPattern *pattern, guint64 pa);
void
linux_conclude(VmifsProbe *probe, gboolean fast);

G_END_DECLS
