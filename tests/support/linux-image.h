/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * linux-image: the skeleton of an x86-64 Linux kernel in memory: what discovery looks at, and
 * nothing else. Offsets from the start of the text:
 *
 *   0x000000 text        0x200000 rodata: banner, symbol tables
 *   0x400000 page tables 0x404000 init_task, and one more task    0x408000 clock    0x409000 uts
 */
#pragma once

#include <kallsyms-image.h>

#define LINUX_IMAGE_LEN 0x600000

typedef struct {
	const char *release;
	guint64 text_pa; /* where it lies; a multiple of 2 MiB */
	guint64 slide;   /* virtual KASLR slide, the same */
	LinuxKallsymsEncoding encoding;
	guint64 clock;      /* seconds since the epoch; 0 = none is shown */
	gboolean five;      /* five levels of page tables */
	gboolean text_only; /* its symbols are those of text (no KALLSYMS_ALL) */
	gboolean no_tables; /* its symbol tables are damaged */
	gboolean asleep;    /* a file, not a kernel that runs: no page tables, no tasks */
	guint64 note_pa;    /* of its VMCOREINFO; 0 = none */
	gboolean no_keys;   /* that does not name the symbol tables (before 6.1) */
	guint64 process_pa; /* a process's root, with the same kernel half; 0 = none */
} LinuxImagePlan;

/* memory: of guest physical addresses from 0 on, all of it there. */
void
linux_image_put(guint8 *memory, gsize len, const LinuxImagePlan *plan);
/* Physical address of its page table; VA - PA of the image. */
guint64
linux_image_root(const LinuxImagePlan *plan);
guint64
linux_image_delta(const LinuxImagePlan *plan);
