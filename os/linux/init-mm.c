/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * init-mm: the kernel's own struct mm_struct, which names its page table. Kernels of 32 bits list
 * functions alone, so that nothing tells where it is, and ARM's page table lies in front of the
 * image. But as it starts, a kernel writes there where its own code begins and ends
 * (setup_initial_init_mm() of include/linux/mm.h, 5.15, before that setup_arch() of each):
 *
 *   | ... pgd ... | start_code = _text | end_code = _etext | ...
 *
 * Data may look like that, too: these are guesses.
 */
#include "narrow.h"

#include <spi/bytes.h>

#define PAGE_SIZE 4096
#define MAX_ROOTS 16
/* Where the end of the text is told of, at most; more is no kernel's data. */
#define MAX_PLACES 4096
/* From pgd to end_code, at most: there are counters, locks and lists between. */
#define MAX_BETWEEN 1024
/* Before _stext is what starts the kernel. */
#define MAX_HEAD (16u << 20)
#define CHECK_EVERY 256

typedef struct {
	const LinuxFind *find;
	guint64 start, end; /* of the text */
	GArray *roots;
	guint n_places;
} Finder;

static void
add_root(GArray *roots, guint64 va)
{
	for (guint i = 0; i < roots->len; i++)
		if (g_array_index(roots, guint64, i) == va)
			return;
	if (roots->len < MAX_ROOTS)
		g_array_append_val(roots, va);
}

/* pa: of what may be end_code. */
static void
look_before(const Finder *f, guint64 pa)
{
	guint8 bytes[MAX_BETWEEN];
	const gsize start_at = sizeof bytes - 4;

	if (pa < sizeof bytes || !linux_find_read(f->find, pa - sizeof bytes, bytes, sizeof bytes))
		return;
	guint64 start = vmifs_load_u32(bytes + start_at);
	if (start < LINUX_LEAST_PAGE_OFFSET || f->start - start >= MAX_HEAD)
		return;
	for (gsize at = 0; at < start_at; at += 4) {
		guint64 va = vmifs_load_u32(bytes + at);
		if (va >= LINUX_LEAST_PAGE_OFFSET && va % PAGE_SIZE == 0)
			add_root(f->roots, va);
	}
}

static void
look_at_page(Finder *f, guint64 pa)
{
	guint8 page[PAGE_SIZE];

	if (!linux_find_read(f->find, pa, page, sizeof page))
		return;
	for (gsize at = 0; at < sizeof page && f->n_places < MAX_PLACES; at += 4) {
		if (vmifs_load_u32(page + at) != f->end)
			continue;
		look_before(f, pa + at);
		f->n_places++;
	}
}

void
linux_init_mm_roots(const LinuxFind *find, const LinuxImage *image, GArray *ret)
{
	guint64 mem_end = vmifs_physmem_end(vmifs_probe_physmem(find->probe));
	guint64 from = image->tables->tokens_pa & ~(guint64) (PAGE_SIZE - 1);
	Finder f = { .find = find, .roots = ret };
	guint n = 0;

	if (!linux_image_symbol(image, "_stext", 0, &f.start) ||
	    !linux_image_symbol(image, "_etext", 0, &f.end))
		return;
	/* The tables are read-only data, which all others follow. */
	for (guint64 pa = from; pa < mem_end && pa - from < LINUX_IMAGE_SPAN; pa += PAGE_SIZE) {
		if (n++ % CHECK_EVERY == 0 && !linux_find_goes_on(find))
			return;
		look_at_page(&f, pa);
	}
}
