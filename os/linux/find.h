/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * find (private to discovery): what one discovery has collected.
 *
 *   hits (find.c) -> images with symbols (images.c) -> theories (conclude.c), proved or not
 *   (theory.c) -> kernels (kernels.c)
 */
#pragma once

#include "exports.h"
#include "found.h"

G_BEGIN_DECLS

/* How far apart parts of one kernel image may lie. */
#define LINUX_IMAGE_SPAN (64u << 20)

/* What is found out of a note of a 32-bit kernel, which does not tell it: narrow.h */
typedef struct {
	const char *arch; /* (static) NULL: nothing was */
	guint64 delta;
} LinuxNarrow;

typedef struct {
	guint64 pa;
	LinuxVmcoreinfo *info;
	gboolean told; /* it lies nowhere: the source has it beside the memory */
	LinuxNarrow narrow;
} LinuxNote;

/* Symbol tables that were recognised. */
typedef struct {
	LinuxKallsyms *tables; /* where they are; without their copies */
	VmifsSymbols *symbols; /* as decoded */
	/* Where they are of text alone: .symbols NULL = not found. As those. */
	LinuxExports exports;
	GBytes *source;     /* (nullable) of symbols, to be kept: kept.h */
	gboolean was_kept;  /* they were not decoded */
	gboolean is_named;  /* a note told where they are */
	gboolean is_proved; /* a kernel with them was accepted */
	const char *fault;  /* (static) (nullable) why the last theory about it failed */
} LinuxImage;

/* What the user said weighs more than all proofs of something else together. */
#define LINUX_SCORE_TOLD 200

/* A kernel that was proved. */
typedef struct {
	VmifsAspace *aspace;
	LinuxFound *found;
	int score;
	GString *evidence;
} LinuxKernel;

typedef struct {
	VmifsProbe *probe;
	GArray *notes;      /* of LinuxNote */
	GArray *digits;     /* of guint64: those of whole token tables, sorted */
	GArray *banners;    /* of guint64: whole ones, sorted */
	GPtrArray *images;  /* of LinuxImage */
	guint64 n_searched; /* bytes that were searched for tables of exports */
	GPtrArray *kernels; /* of LinuxKernel, the best first */
} LinuxFind;

/* Exactly len bytes of physical memory. */
gboolean
linux_find_read(const LinuxFind *find, guint64 pa, gpointer buf, gsize len);
/* The same, for a LinuxPhys; user is the LinuxFind. */
gboolean
linux_find_read_phys(gpointer find, guint64 pa, gpointer buf, gsize len);
/* What was collected so far, made when first asked for. */
LinuxFind *
linux_find_get(VmifsProbe *probe);
/* Does a root map the text to where it is, if the image lies delta above physical addresses? */
gboolean
linux_find_root_fits(VmifsProbe *probe, const char *arch, guint64 root, guint64 ignore_mask,
		     guint64 text, guint64 delta);
/* note->info: (taken) */
void
linux_find_add_note(LinuxFind *find, LinuxNote *note);
/* (full) "VMCOREINFO at 0x7000": how messages call it. */
char *
linux_note_name(const LinuxNote *note);
/* How far above physical addresses the image lies, as its architecture's notes tell it. */
gboolean
linux_note_delta(const LinuxNote *note, guint64 *ret);
/* (static) What of a note tells that; the architecture of a kernel whose notes do. */
const char *
linux_note_delta_key(const LinuxNote *note);
const char *
linux_note_arch(const LinuxNote *note);
/* FALSE when the caller has given up. */
gboolean
linux_find_goes_on(const LinuxFind *find);
/* (full) the whole banner at pa; NULL = none. */
char *
linux_find_banner(const LinuxFind *find, guint64 pa);

/* ---- images.c. Each is decoded once; (borrowed) ---- */

/* The one whose token table holds the digits at pa, or NULL. */
LinuxImage *
linux_image_at_digits(LinuxFind *find, guint64 pa);
/* The one that a note speaks of, if its addresses are delta above physical ones; or NULL. */
LinuxImage *
linux_image_of_note(LinuxFind *find, const LinuxNote *note, guint64 delta);
/* Address of a symbol with the image at that distance; physical with delta 0 if PC-relative. */
gboolean
linux_image_symbol(const LinuxImage *image, const char *name, guint64 delta, guint64 *ret);
/* Are its addresses known only relative to where it lies? */
gboolean
linux_image_is_relative(const LinuxImage *image);
/* (static) Its architecture. */
const char *
linux_image_arch(const LinuxImage *image);
/* (full) all symbols, at virtual addresses; (nullable) those that are only exported. */
VmifsSymbols *
linux_image_symbols(const LinuxImage *image, guint64 delta);
VmifsSymbols *
linux_image_exports(const LinuxImage *image, guint64 delta);
void
linux_image_free(gpointer image);

/* ---- base.c: where memory begins that nothing says it of. Of machines where
 * that is not at 0 ---- */

/* By where the note says that the kernel's names of itself are, and where they stand. */
void
linux_base_of_note(LinuxFind *find, const LinuxNote *note);
/* By what the kernel keeps of how far its image was moved. */
void
linux_base_of_image(LinuxFind *find, const LinuxImage *image);

/* ---- told.c ---- */

/* How much the vCPUs say for the kernel that is claimed, or against it; adds why to the evidence.
 */
int
linux_told_score(const LinuxFind *find, const LinuxClaim *claim, const char *arch,
		 guint64 ignore_mask, GString *evidence);

/* ---- conclude.c ---- */

/* The notes that are there before the first pass. */
void
linux_conclude_told(LinuxFind *find);

/* ---- kernels.c ---- */

void
linux_kernel_free(gpointer kernel);
/* kernel: (taken) kept if it is among the best. */
void
linux_kernels_keep(LinuxFind *find, LinuxKernel *kernel);
gboolean
linux_kernels_are_certain(const LinuxFind *find);
/* Gives all of them to the engine as candidates. */
void
linux_kernels_offer(LinuxFind *find);

G_END_DECLS
