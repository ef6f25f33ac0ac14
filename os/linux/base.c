/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * base: where memory begins of which nothing says it: a raw image's first byte. On machines whose
 * RAM does not begin at 0 nothing can be translated before that is known. What is known of the
 * kernel's image without page tables: where in the file parts of it stand, which virtual addresses
 * they have, and, from the kernel itself, how far those are from physical ones:
 *
 *   base = VA - (VA - PA of the image) - place in the file
 *
 * These are suggestions: all proofs follow, with memory at its place.
 */
#include "find.h"

#include <spi/bytes.h>

#include <string.h>

/* RAM begins at a multiple of this, wherever there is firmware. */
#define STEP (G_GUINT64_CONSTANT(64) << 10)
#define MAX_BASE (G_GUINT64_CONSTANT(1) << 52)
#define CHECK_EVERY 4096
/* struct new_utsname */
#define UTS_FIELD 65
#define UTS_RELEASE (2 * UTS_FIELD)
#define KERNEL_HALF (G_GUINT64_CONSTANT(1) << 63)
#define MAX_TASK 16384
#define KERNEL_MAP_WORDS 12
#define PAGE_SIZE 4096

static void
suggest(LinuxFind *find, guint64 base)
{
	if (base && base < MAX_BASE && base % STEP == 0)
		vmifs_probe_suggest_base(find->probe, base);
}

/* Are the kernel's names of itself there? */
static gboolean
is_uts(const LinuxFind *find, guint64 pa, const char *release)
{
	char name[2 * UTS_FIELD + UTS_FIELD];

	return linux_find_read(find, pa, name, sizeof "Linux") && !memcmp(name, "Linux", 6) &&
	       linux_find_read(find, pa, name, sizeof name) &&
	       !strncmp(name + UTS_RELEASE, release, UTS_FIELD);
}

void
linux_base_of_note(LinuxFind *find, const LinuxNote *note)
{
	const char *release = linux_vmcoreinfo_text(note->info, "OSRELEASE");
	guint64 end = vmifs_physmem_end(vmifs_probe_physmem(find->probe));
	guint64 uts, delta, at = 0;
	guint n = 0;

	if (g_str_equal(linux_note_arch(note), LINUX_ARCH_X86_64) || !release ||
	    !linux_note_delta(note, &delta) ||
	    !linux_vmcoreinfo_hex(note->info, "SYMBOL(init_uts_ns)", &uts))
		return;
	linux_vmcoreinfo_number(note->info, "OFFSET(uts_namespace.name)", &at);
	guint64 real = uts + at - delta;
	for (guint64 pa = real % STEP; pa < end; pa += STEP) {
		if (++n % CHECK_EVERY == 0 && !linux_find_goes_on(find))
			return;
		if (is_uts(find, pa, release))
			suggest(find, real - pa);
	}
}

/* Where the image lies in the file, as far below its virtual addresses. init_task points to itself
 * at least three times. */
static gboolean
distance_by_task(const LinuxFind *find, guint64 pa, guint64 *ret)
{
	g_autofree guint8 *task = g_malloc(MAX_TASK);
	gsize len = MAX_TASK;

	while (!linux_find_read(find, pa, task, len))
		if ((len /= 2) < 1024)
			return FALSE;
	for (gsize at = 0; at + 16 <= len; at += 8) {
		guint64 word = vmifs_load_u64(task + at);
		/* real_parent, parent */
		if (word >= KERNEL_HALF && word % STEP == pa % STEP &&
		    vmifs_load_u64(task + at + 8) == word) {
			*ret = word - pa;
			return TRUE;
		}
	}
	return FALSE;
}

/* AArch64 keeps how far its image is from physical addresses. delta: between addresses as the
 * tables tell them and places in the file. */
static gboolean
is_moved_by(const LinuxFind *find, const LinuxImage *image, guint64 delta, guint64 *ret)
{
	guint64 variable;
	guint8 bytes[8];

	if (!linux_image_symbol(image, "kimage_voffset", 0, &variable) ||
	    !linux_find_read(find, variable - delta, bytes, sizeof bytes))
		return FALSE;
	*ret = vmifs_load_u64(bytes);
	return TRUE;
}

/* RISC-V keeps in a structure the image's virtual address, its physical one, and the difference.
 * distance: between virtual addresses and places in the file. */
static gboolean
is_mapped_by(const LinuxFind *find, const LinuxImage *image, guint64 delta, guint64 distance,
	     guint64 *ret)
{
	guint64 map, start, words[KERNEL_MAP_WORDS];

	if (!linux_image_symbol(image, "kernel_map", 0, &map) ||
	    !linux_image_symbol(image, "_start", 0, &start) ||
	    !linux_find_read(find, map - delta, words, sizeof words))
		return FALSE;
	start += distance - delta;
	for (gsize i = 0; i < KERNEL_MAP_WORDS; i++) {
		guint64 pa = vmifs_load_u64((const guint8 *) &words[i]);

		if (!pa || pa >= MAX_BASE || pa % PAGE_SIZE)
			continue;
		for (gsize j = 0; j < KERNEL_MAP_WORDS; j++) {
			if (vmifs_load_u64((const guint8 *) &words[j]) == start - pa) {
				*ret = start - pa;
				return TRUE;
			}
		}
	}
	return FALSE;
}

/* delta: as above. */
static void
suggest_by_variable(LinuxFind *find, const LinuxImage *image, guint64 delta)
{
	guint64 task, real, distance = delta;

	if (linux_image_is_relative(image) && (!linux_image_symbol(image, "init_task", 0, &task) ||
					       !distance_by_task(find, task, &distance)))
		return;
	if (is_moved_by(find, image, delta, &real) ||
	    is_mapped_by(find, image, delta, distance, &real))
		suggest(find, distance - real);
}

void
linux_base_of_image(LinuxFind *find, const LinuxImage *image)
{
	guint64 tokens = image->tables->tokens_pa;
	guint64 va;

	if (linux_image_is_relative(image) || image->exports.symbols) {
		suggest_by_variable(find, image, image->exports.delta);
		return;
	}
	if (!linux_image_symbol(image, "linux_banner", 0, &va))
		return;
	for (guint i = 0; i < find->banners->len; i++) {
		guint64 pa = g_array_index(find->banners, guint64, i);

		if (pa - (tokens - LINUX_IMAGE_SPAN) < 2 * (guint64) LINUX_IMAGE_SPAN &&
		    (va - pa) % 4096 == 0)
			suggest_by_variable(find, image, va - pa);
	}
}
