/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * infer-mms: mm_struct: its page table, which maps the kernel; its borders, eleven words in a row,
 * with the vector that the program was started with behind them; where its mappings hang.
 *
 *   .. pgd .. start_code end_code start_data end_data start_brk brk start_stack
 *      arg_start arg_end env_start env_end { AT_.., value, .. }
 */
#include "infer.h"

#define MM_WINDOW 2048
#define SLAB_ALIGN 64 /* of objects that begin cache lines */
#define N_BORDERS 11
#define MAX_AUXV 64
#define AT_PAGESZ 6
#define AT_MOST 64
#define MAPLE_NODE 256
#define MAX_LIST 64
#define TABLE_WORK 64

enum {
	START_CODE,
	END_CODE,
	START_DATA,
	END_DATA,
	START_BRK,
	BRK,
	START_STACK,
	ARG_START,
	ARG_END,
	ENV_START,
	ENV_END
};

static void
take_mms(LinuxInfer *f)
{
	linux_sample_init(&f->mms, f->ptr, MM_WINDOW);
	f->mm_tasks = g_array_new(FALSE, FALSE, sizeof(guint));
	for (guint i = 0; i < linux_sample_n(&f->tasks); i++) {
		guint64 mm = linux_sample_ptr(&f->tasks, i, f->mm);

		if (!mm || f->is_kernel[i] || linux_sample_has(&f->mms, mm, NULL) ||
		    !linux_sample_add(&f->mms, f->os->aspace, mm))
			continue;
		g_array_append_val(f->mm_tasks, i);
	}
	g_string_append_printf(f->checked, ", %u address spaces", linux_sample_n(&f->mms));
}

/* ---- borders ---- */

static gboolean
is_auxv(const LinuxInfer *f, guint i, gsize off)
{
	gboolean has_page_size = FALSE;

	for (guint k = 0; k < MAX_AUXV && off + 2 * f->ptr <= MM_WINDOW; k++, off += 2 * f->ptr) {
		guint64 key = linux_sample_ptr(&f->mms, i, off);

		if (!key || key > AT_MOST)
			return !key && has_page_size;
		has_page_size |= key == AT_PAGESZ && linux_sample_ptr(&f->mms, i, off + f->ptr) ==
							     linux_page_size(f->os);
	}
	return FALSE;
}

static gboolean
are_borders(const LinuxInfer *f, guint i, gsize off)
{
	guint64 end = vmifs_aspace_user_end(f->os->aspace), b[N_BORDERS];

	for (gsize k = 0; k < N_BORDERS; k++) {
		b[k] = linux_sample_ptr(&f->mms, i, off + k * f->ptr);
		if (b[k] < linux_page_size(f->os) || b[k] >= end)
			return FALSE;
	}
	return b[START_CODE] < b[END_CODE] && b[START_DATA] <= b[END_DATA] &&
	       b[START_BRK] <= b[BRK] && b[ARG_START] <= b[ARG_END] && b[ENV_START] <= b[ENV_END] &&
	       is_auxv(f, i, off + N_BORDERS * f->ptr);
}

/* A program may move its borders anywhere, to nowhere too; few do. */
static gboolean
find_borders(LinuxInfer *f)
{
	static const char *const names[N_BORDERS] = {
		"start_code",  "end_code",  "start_data", "end_data",  "start_brk", "brk",
		"start_stack", "arg_start", "arg_end",    "env_start", "env_end",
	};
	guint n = linux_sample_n(&f->mms);
	LinuxOnly borders = { 0 };

	for (gsize off = 0; off + N_BORDERS * f->ptr <= MM_WINDOW; off += f->ptr) {
		guint fits = 0;

		for (guint i = 0; i < n; i++)
			fits += are_borders(f, i, off);
		/* The next one of the slab may be in view, too. */
		if (fits * 10 >= n * 9 && (!borders.n || (off - borders.at) % SLAB_ALIGN))
			linux_only_add(&borders, off);
	}
	if (!linux_infer_only(f, &borders, "mm_struct.start_code"))
		return FALSE;
	f->borders = borders.at;
	for (gsize k = 0; k < N_BORDERS; k++)
		linux_inferred_put(f->table, "mm_struct", names[k], borders.at + k * f->ptr,
				   f->ptr);
	return TRUE;
}

/* ---- page tables ---- */

/* It maps the kernel's text, where it is one for both halves; has_own: and what that program was
 * called with. */
static gboolean
is_pgd(const LinuxInfer *f, guint i, gsize off, guint64 text, guint64 text_pa, gboolean *has_own)
{
	guint64 arguments = linux_sample_ptr(&f->mms, i, f->borders + ARG_START * f->ptr);
	guint64 pgd = linux_sample_ptr(&f->mms, i, off);
	VmifsRange range;

	if (!linux_infer_is_kernel(f, pgd) || pgd % vmifs_aspace_root_align(f->os->aspace) ||
	    !linux_infer_goes_on(f, TABLE_WORK) ||
	    !vmifs_aspace_translate(f->os->aspace, pgd, &range, NULL))
		return FALSE;
	g_autoptr(VmifsAspace) aspace = vmifs_aspace_new_like(f->os->aspace, range.pa, NULL, NULL);
	if (!vmifs_aspace_translate(aspace, text, &range, NULL) || range.pa != text_pa)
		return FALSE;
	*has_own = vmifs_aspace_translate(aspace, arguments, &range, NULL);
	return TRUE;
}

static gboolean
find_pgd(LinuxInfer *f)
{
	guint n = linux_sample_n(&f->mms);
	LinuxOnly pgd = { 0 };
	VmifsRange range;
	guint64 text;

	if (!linux_symbol(f->os, "_stext", &text, NULL) ||
	    !vmifs_aspace_translate(f->os->aspace, text, &range, NULL))
		return linux_infer_lacks(f, "mm_struct.pgd", "there is no text to find by it");
	guint64 text_pa = range.pa;
	for (gsize off = 0; off + f->ptr <= MM_WINDOW; off += f->ptr) {
		guint i = 0, n_own = 0;
		gboolean has_own;

		while (i < n && is_pgd(f, i, off, text, text_pa, &has_own)) {
			n_own += has_own;
			i++;
		}
		/* Some may be swapped out. */
		if (n && i == n && n_own * 2 >= n)
			linux_only_add(&pgd, off);
	}
	if (!linux_infer_put_only(f, &pgd, "mm_struct", "pgd", f->ptr))
		return FALSE;
	f->pgd = pgd.at;
	return TRUE;
}

VmifsAspace *
linux_infer_user(const LinuxInfer *f, guint mm)
{
	VmifsRange range;

	return vmifs_aspace_translate(f->os->aspace, linux_sample_ptr(&f->mms, mm, f->pgd), &range,
				      NULL)
		       ? vmifs_aspace_new_like(f->os->aspace, range.pa, NULL, NULL)
		       : NULL;
}

/* ---- where the mappings hang ---- */

/* The root of a maple tree is a node, which points back to the tree; 0 = none is there. */
static gboolean
is_tree(const LinuxInfer *f, guint i, gsize off, gsize *ret_tree)
{
	guint64 root = linux_sample_ptr(&f->mms, i, off), parent;

	if ((root & 3) != 2 || root < MAPLE_NODE)
		return FALSE;
	parent = linux_infer_ptr(f, root & ~(guint64) (MAPLE_NODE - 1));
	*ret_tree = (parent & ~(guint64) 1) - linux_sample_at(&f->mms, i);
	return parent & 1 && *ret_tree <= off;
}

static void
put_maple(LinuxInfer *f, gsize tree, gsize root)
{
	guint slots = f->ptr == 8 ? 16 : 32, aslots = f->ptr == 8 ? 10 : 21;
	gsize pivots = f->ptr, slot_at = f->ptr + (slots - 1) * f->ptr;

	linux_inferred_put(f->table, "mm_struct", "mm_mt", tree, root - tree + f->ptr);
	linux_inferred_put(f->table, "maple_tree", "ma_root", root - tree, f->ptr);
	linux_inferred_put_size(f->table, "maple_node", MAPLE_NODE);
	linux_inferred_put_array(f->table, "maple_node", "mr64.pivot", pivots, f->ptr, slots - 1);
	linux_inferred_put_array(f->table, "maple_node", "mr64.slot", slot_at, f->ptr, slots);
	linux_inferred_put_array(f->table, "maple_node", "ma64.pivot", pivots, f->ptr, aslots - 1);
	linux_inferred_put_array(f->table, "maple_node", "ma64.slot",
				 f->ptr + (aslots - 1) * f->ptr, f->ptr, aslots);
}

static gboolean
find_tree(LinuxInfer *f)
{
	guint n = linux_sample_n(&f->mms);
	gsize tree = 0, own;
	LinuxOnly root = { 0 };

	for (gsize off = 0; off + f->ptr <= MM_WINDOW; off += f->ptr) {
		guint i = 0;

		while (i < n && is_tree(f, i, off, &own) && (i == 0 || own == tree)) {
			tree = own;
			i++;
		}
		if (n && i == n)
			linux_only_add(&root, off);
	}
	if (root.n != 1 || !is_tree(f, 0, root.at, &tree))
		return FALSE;
	put_maple(f, tree, root.at);
	return TRUE;
}

/* The first mapping of a list: { start, end, next, prev }, addresses ascending. */
static gboolean
is_list(const LinuxInfer *f, guint i, gsize off)
{
	guint64 vma = linux_sample_ptr(&f->mms, i, off), before = 0, last = 0;

	for (guint k = 0; k < MAX_LIST; k++) {
		guint64 start = linux_infer_ptr(f, vma), end = linux_infer_ptr(f, vma + f->ptr);

		if (!linux_infer_is_kernel(f, vma) || start >= end || start < last ||
		    start % linux_page_size(f->os) || end % linux_page_size(f->os) ||
		    linux_infer_ptr(f, vma + 3 * f->ptr) != before)
			return FALSE;
		before = vma;
		last = end;
		vma = linux_infer_ptr(f, vma + 2 * f->ptr);
		if (!vma)
			break;
	}
	return TRUE;
}

static gboolean
find_list(LinuxInfer *f)
{
	guint n = linux_sample_n(&f->mms);
	LinuxOnly list = { 0 };

	for (gsize off = 0; off + f->ptr <= MM_WINDOW; off += f->ptr) {
		guint i = 0;

		while (i < n && is_list(f, i, off))
			i++;
		if (n && i == n)
			linux_only_add(&list, off);
	}
	if (list.n != 1)
		return FALSE;
	linux_inferred_put(f->table, "mm_struct", "mmap", list.at, f->ptr);
	linux_inferred_put(f->table, "vm_area_struct", "vm_next", 2 * f->ptr, f->ptr);
	return TRUE;
}

gboolean
linux_infer_mms(LinuxInfer *f)
{
	take_mms(f);
	if (!find_borders(f) || !find_pgd(f))
		return FALSE;
	if (!find_tree(f) && !find_list(f))
		return linux_infer_lacks(f, "mm_struct.mm_mt",
					 "neither a tree nor a list is there");
	linux_inferred_put(f->table, "vm_area_struct", "vm_start", 0, f->ptr);
	linux_inferred_put(f->table, "vm_area_struct", "vm_end", f->ptr, f->ptr);
	return TRUE;
}
