/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* areas: a short list of those that nobody has. */
#include "areas.h"

#include <stdint.h>
#include <sys/mman.h>

/* As many readers at a time cost nothing; more have areas of their own, for a moment. */
#define MOST_KEPT 4

static GMutex lock;
static gpointer kept[MOST_KEPT]; /* (lock) */
static guint n_kept;             /* (lock) */

/* Aligned, or no huge page fits in. */
static gpointer
make(void)
{
	gsize len = 2 * VMIFS_AREA_LEN;
	guint8 *all = mmap(NULL, len, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	if (all == MAP_FAILED)
		return NULL;
	gsize before = -(uintptr_t) all % VMIFS_AREA_LEN;
	if (before)
		munmap(all, before);
	munmap(all + before + VMIFS_AREA_LEN, VMIFS_AREA_LEN - before);
	madvise(all + before, VMIFS_AREA_LEN, MADV_HUGEPAGE);
	return all + before;
}

gpointer
vmifs_area_take(void)
{
	gpointer area = NULL;

	g_mutex_lock(&lock);
	if (n_kept)
		area = kept[--n_kept];
	g_mutex_unlock(&lock);
	return area ? area : make();
}

void
vmifs_area_give_back(gpointer area)
{
	g_mutex_lock(&lock);
	gboolean keeps = n_kept < MOST_KEPT;
	if (keeps)
		kept[n_kept++] = area;
	g_mutex_unlock(&lock);
	if (!keeps)
		munmap(area, VMIFS_AREA_LEN);
}
