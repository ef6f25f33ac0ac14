/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * infer-vmas: vm_area_struct, checked against the tree that holds it, against the page tables,
 * which may permit no more than it does, and against sums that its mm_struct keeps.
 */
#include "infer.h"

#include "maple.h"

#include <string.h>

#define VMA_WINDOW 208
#define MAX_VISITS 65536
#define MAX_NODES (512 * 1024) /* of all trees together */
#define MAX_TABLES 32
#define OPS_WINDOW 256
#define TABLES_WORK 256
#define RANGE_WORK 4
#define NAME_MOST 64

#define VM_READ 1
#define VM_WRITE 2
#define VM_EXEC 4
#define VM_SHARED 8
#define VM_GROWSDOWN 0x100
#define VM_LOCKED 0x2000
/* vm_flags have been no more than this, but for VM_SEALED, which was the topmost bit from 6.10
 * to 6.16 (include/linux/mm.h). A page's protection reaches higher, too. */
#define VM_BITS 43
#define VM_SEALED (G_GUINT64_CONSTANT(1) << 63)

/* ---- taking them ---- */

typedef struct {
	LinuxInfer *f;
	guint mm;
	guint64 last_end;
	guint n, wrong;
} Visit;

static void
add_vma(Visit *v, guint64 vma, guint64 start, guint64 end)
{
	LinuxInfer *f = v->f;
	guint before = linux_sample_n(&f->vmas);

	v->n++;
	if (!linux_infer_goes_on(f, 1))
		return;
	if (linux_infer_ptr(f, vma) != start || linux_infer_ptr(f, vma + f->ptr) != end ||
	    start >= end || start < v->last_end)
		v->wrong++;
	v->last_end = end;
	if (linux_sample_add(&f->vmas, f->os->aspace, vma) && linux_sample_n(&f->vmas) > before)
		g_array_append_val(f->vma_mms, v->mm);
}

static gboolean
visit(guint64 first, guint64 last, guint64 entry, gpointer user)
{
	Visit *v = user;

	add_vma(v, entry, first, last + 1);
	return v->n < MAX_VISITS;
}

static void
visit_list(Visit *v, guint64 vma)
{
	LinuxInfer *f = v->f;

	while (vma && v->n < MAX_VISITS && !v->wrong) {
		add_vma(v, vma, linux_infer_ptr(f, vma), linux_infer_ptr(f, vma + f->ptr));
		vma = linux_infer_ptr(f, vma + 2 * f->ptr);
	}
}

/* By what was found so far, as decoders do. */
static gboolean
take_vmas(LinuxInfer *f)
{
	g_autoptr(VmifsTypes) types = linux_inferred_types(f->table, NULL);
	g_autoptr(LinuxLayout) layout = linux_layout_new(types);
	Linux os = *f->os;
	Visit v = { .f = f };
	guint64 tree, list, nodes = MAX_NODES;
	gboolean is_tree = linux_inferred_get(f->table, "mm_struct", "mm_mt", &tree);
	gboolean whole = TRUE;

	os.layout = layout;
	linux_sample_init(&f->vmas, f->ptr, VMA_WINDOW);
	f->vma_mms = g_array_new(FALSE, FALSE, sizeof(guint));
	f->whole = g_array_new(FALSE, FALSE, sizeof(gboolean));
	for (; v.mm < linux_sample_n(&f->mms); v.mm++) {
		guint64 mm = linux_sample_at(&f->mms, v.mm);
		guint seen = v.n, taken = f->vma_mms->len;

		v.last_end = 0;
		if (is_tree)
			whole &= linux_maple_each(&os, mm + tree, &nodes, visit, &v, f->call, NULL);
		else if (linux_inferred_get(f->table, "mm_struct", "mmap", &list))
			visit_list(&v, linux_sample_ptr(&f->mms, v.mm, list));
		gboolean is_whole = f->vma_mms->len - taken == v.n - seen;
		g_array_append_val(f->whole, is_whole);
	}
	g_string_append_printf(f->checked, ", %u mappings", v.n);
	if (!v.n || v.wrong || (!whole && vmifs_guest_is_frozen(f->os->guest)))
		return linux_infer_lacks(f, "vm_area_struct",
					 "mappings do not lie as their tree says");
	return TRUE;
}

/* ---- flags ---- */

typedef struct {
	const LinuxInfer *f;
	guint64 flags;
	gboolean contradicts, checks_exec;
	guint n;
} Agree;

static gboolean
visit_range(const VmifsRange *range, gpointer user)
{
	Agree *a = user;

	if (!linux_infer_goes_on(a->f, RANGE_WORK))
		return FALSE;
	if (range->kind != VMIFS_RANGE_PAGE)
		return TRUE;
	a->n++;
	if ((range->perms & VMIFS_PERM_WRITE && !(a->flags & VM_WRITE)) ||
	    (a->checks_exec && range->perms & VMIFS_PERM_EXEC && !(a->flags & VM_EXEC)))
		a->contradicts = TRUE;
	return !a->contradicts;
}

/* Do page tables permit no more than the flags at that offset do? */
static gboolean
tables_agree(const LinuxInfer *f, gsize off)
{
	gboolean checks_exec = vmifs_aspace_ptr_size(f->os->aspace) == 8;
	g_autoptr(VmifsAspace) user = NULL;
	guint of = G_MAXUINT, pages = 0;

	for (guint i = 0; i < linux_sample_n(&f->vmas); i++) {
		guint mm = g_array_index(f->vma_mms, guint, i);
		Agree a = { f, linux_sample_ptr(&f->vmas, i, off), FALSE, checks_exec, 0 };

		if (mm != of) {
			g_clear_pointer(&user, vmifs_aspace_unref);
			user = linux_infer_user(f, mm);
			of = mm;
		}
		if (!user)
			return FALSE;
		vmifs_aspace_visit(user, linux_sample_ptr(&f->vmas, i, 0),
				   linux_sample_ptr(&f->vmas, i, f->ptr) - 1, MAX_TABLES,
				   visit_range, &a, f->call, NULL);
		if (a.contradicts)
			return FALSE;
		pages += a.n;
	}
	return pages > 0;
}

static gboolean
are_flags(const LinuxInfer *f, gsize off)
{
	guint seen = 0, mayshare = 0;

	for (guint i = 0; i < linux_sample_n(&f->vmas); i++) {
		guint64 flags = linux_sample_ptr(&f->vmas, i, off);

		if ((flags & ~VM_SEALED) >> VM_BITS || flags & 7 & ~(flags >> 4) ||
		    (flags & VM_SHARED && !(flags & VM_SHARED << 4)))
			return FALSE;
		seen |= 1 << (flags & 7);
		mayshare += (flags & VM_SHARED << 4) != 0;
	}
	/* Something is read only, something written, something executed. */
	return seen & 1 << VM_READ && seen & 1 << (VM_READ | VM_WRITE) &&
	       seen & 1 << (VM_READ | VM_EXEC) && mayshare < linux_sample_n(&f->vmas) &&
	       tables_agree(f, off);
}

static gboolean
find_flags(LinuxInfer *f, gsize *ret)
{
	LinuxOnly flags = { 0 };

	for (gsize off = 2 * f->ptr; off + f->ptr <= VMA_WINDOW; off += f->ptr) {
		if (linux_infer_goes_on(f, TABLES_WORK * linux_sample_n(&f->vmas)) &&
		    are_flags(f, off))
			linux_only_add(&flags, off);
	}
	if (!linux_infer_put_only(f, &flags, "vm_area_struct", "vm_flags", f->ptr))
		return FALSE;
	*ret = flags.at;
	return TRUE;
}

/* ---- files ---- */

/* vm_ops, vm_pgoff, vm_file, vm_private_data: of what has neither operations nor a file, vm_pgoff
 * is the number of its first page as it was mapped at first; stacks are moved when they are young.
 */
static gboolean
are_places(const LinuxInfer *f, gsize off, gsize flags)
{
	guint anonymous = 0, right = 0, with_file = 0;

	for (guint i = 0; i < linux_sample_n(&f->vmas); i++) {
		guint64 ops = linux_sample_ptr(&f->vmas, i, off);
		guint64 pgoff = linux_sample_ptr(&f->vmas, i, off + f->ptr);
		guint64 file = linux_sample_ptr(&f->vmas, i, off + 2 * f->ptr);

		if ((ops && !linux_infer_is_kernel(f, ops)) ||
		    (file && (!linux_infer_is_kernel(f, file) || !ops)) || (file && pgoff >> 52))
			return FALSE;
		with_file += file != 0;
		if (!ops && !(linux_sample_ptr(&f->vmas, i, flags) & VM_GROWSDOWN)) {
			anonymous++;
			right += pgoff ==
				 linux_sample_ptr(&f->vmas, i, 0) >> linux_page_shift(f->os);
		}
	}
	return with_file && anonymous && right * 10 >= anonymous * 9;
}

static gboolean
find_places(LinuxInfer *f, gsize flags, gsize *ret)
{
	LinuxOnly places = { 0 };

	for (gsize off = 2 * f->ptr; off + 4 * f->ptr <= VMA_WINDOW; off += f->ptr) {
		if (linux_infer_goes_on(f, linux_sample_n(&f->vmas)) && are_places(f, off, flags))
			linux_only_add(&places, off);
	}
	if (!linux_infer_only(f, &places, "vm_area_struct.vm_file"))
		return FALSE;
	linux_inferred_put(f->table, "vm_area_struct", "vm_ops", places.at, f->ptr);
	linux_inferred_put(f->table, "vm_area_struct", "vm_pgoff", places.at + f->ptr, f->ptr);
	linux_inferred_put(f->table, "vm_area_struct", "vm_file", places.at + 2 * f->ptr, f->ptr);
	linux_inferred_put(f->table, "vm_area_struct", "vm_private_data", places.at + 3 * f->ptr,
			   f->ptr);
	*ret = places.at;
	return TRUE;
}

/* Mappings of the kernel's own have operations that tell their name, one that hangs off their
 * private data: "[vdso]". */
static void
find_names(LinuxInfer *f, gsize places)
{
	LinuxOnly name = { 0 };
	guint n = 0;
	guint64 fn;

	if (!linux_symbol(f->os, "special_mapping_name", &fn, NULL))
		return;
	for (gsize off = 0; off < OPS_WINDOW; off += f->ptr) {
		gboolean found = FALSE;

		for (guint i = 0; !found && i < linux_sample_n(&f->vmas); i++)
			found = !linux_sample_ptr(&f->vmas, i, places + 2 * f->ptr) &&
				linux_sample_ptr(&f->vmas, i, places) &&
				linux_infer_ptr(f, linux_sample_ptr(&f->vmas, i, places) + off) ==
					fn;
		if (found)
			linux_only_add(&name, off);
	}
	if (!linux_infer_only(f, &name, "vm_operations_struct.name"))
		return;
	for (guint i = 0; i < linux_sample_n(&f->vmas); i++) {
		guint64 ops = linux_sample_ptr(&f->vmas, i, places);
		guint64 data = linux_sample_ptr(&f->vmas, i, places + 3 * f->ptr);

		if (!ops || linux_infer_ptr(f, ops + name.at) != fn)
			continue;
		g_autofree char *text = vmifs_aspace_read_string(
			f->os->aspace, linux_infer_ptr(f, data), NAME_MOST, NULL);
		if (!text || text[0] != '[' || !g_str_has_suffix(text, "]")) {
			linux_infer_lacks(f, "vm_special_mapping.name", "it is no name");
			return;
		}
		n++;
	}
	if (!n)
		return;
	linux_inferred_put(f->table, "vm_operations_struct", "name", name.at, f->ptr);
	linux_inferred_put(f->table, "vm_special_mapping", "name", 0, f->ptr);
}

/* exe_file: the file that is mapped where the program's code begins. */
static void
find_exe(LinuxInfer *f, gsize places)
{
	guint n = linux_sample_n(&f->mms);
	g_autofree guint64 *files = g_new0(guint64, n + 1);
	LinuxOnly exe = { 0 };

	for (guint i = 0; i < linux_sample_n(&f->vmas); i++) {
		guint mm = g_array_index(f->vma_mms, guint, i);
		guint64 code = linux_sample_ptr(&f->mms, mm, f->borders);
		guint64 start = linux_sample_ptr(&f->vmas, i, 0);

		if (code - start < linux_sample_ptr(&f->vmas, i, f->ptr) - start)
			files[mm] = linux_sample_ptr(&f->vmas, i, places + 2 * f->ptr);
	}
	for (gsize off = 0; off + f->ptr <= f->mms.len; off += f->ptr) {
		guint same = 0, known = 0;

		for (guint i = 0; i < n; i++) {
			known += files[i] != 0;
			same += files[i] && linux_sample_ptr(&f->mms, i, off) == files[i];
		}
		if (known && same * 10 >= known * 9)
			linux_only_add(&exe, off);
	}
	linux_infer_put_only(f, &exe, "mm_struct", "exe_file", f->ptr);
}

/* ---- sums ---- */

static gboolean
is_whole(const LinuxInfer *f, guint mm)
{
	return g_array_index(f->whole, gboolean, mm);
}

/* Pages of what has all bits of `has` and none of `lacks`, of each mm whose mappings are known. */
static gboolean
find_sum(LinuxInfer *f, gsize flags_at, guint64 has, guint64 lacks, const char *name)
{
	guint n = linux_sample_n(&f->mms);
	g_autofree guint64 *sums = g_new0(guint64, n);
	gboolean any = FALSE;
	LinuxOnly sum = { 0 };

	for (guint i = 0; i < linux_sample_n(&f->vmas); i++) {
		guint64 flags = linux_sample_ptr(&f->vmas, i, flags_at);
		guint64 len =
			linux_sample_ptr(&f->vmas, i, f->ptr) - linux_sample_ptr(&f->vmas, i, 0);

		guint mm = g_array_index(f->vma_mms, guint, i);

		if ((flags & has) == has && !(flags & lacks))
			sums[mm] += len >> linux_page_shift(f->os);
		any |= is_whole(f, mm) && sums[mm];
	}
	for (gsize off = 0; off + f->ptr <= f->mms.len; off += f->ptr) {
		guint i = 0;

		while (i < n && (!is_whole(f, i) || linux_sample_ptr(&f->mms, i, off) == sums[i]))
			i++;
		if (i == n)
			linux_only_add(&sum, off);
	}
	return any && linux_infer_put_only(f, &sum, "mm_struct", name, f->ptr);
}

/* hiwater_rss and hiwater_vm stand before total_vm, pinned_vm between locked_vm and data_vm: nobody
 * ever had more in RAM than he had. */
static void
find_marks(LinuxInfer *f)
{
	guint64 total, locked, data;

	if (f->ptr != 8 || !linux_inferred_get(f->table, "mm_struct", "total_vm", &total) ||
	    total < 16)
		return;
	for (guint i = 0; i < linux_sample_n(&f->mms); i++) {
		guint64 rss = linux_sample_u64(&f->mms, i, total - 16);
		guint64 vm = linux_sample_u64(&f->mms, i, total - 8);

		if (rss > MAX(vm, linux_sample_u64(&f->mms, i, total))) {
			linux_infer_lacks(f, "mm_struct.hiwater_rss", "some are too high");
			return;
		}
	}
	linux_inferred_put(f->table, "mm_struct", "hiwater_rss", total - 16, 8);
	linux_inferred_put(f->table, "mm_struct", "hiwater_vm", total - 8, 8);
	if (linux_inferred_get(f->table, "mm_struct", "locked_vm", &locked) &&
	    linux_inferred_get(f->table, "mm_struct", "data_vm", &data) && data == locked + 16)
		linux_inferred_put(f->table, "mm_struct", "pinned_vm", locked + 8, 8);
}

/* pgtables_bytes stands before map_count, the number of mappings. */
static void
find_tables(LinuxInfer *f)
{
	guint n = linux_sample_n(&f->mms);
	g_autofree guint32 *counts = g_new0(guint32, n + 1);
	LinuxOnly tables = { 0 };

	for (guint i = 0; i < linux_sample_n(&f->vmas); i++)
		counts[g_array_index(f->vma_mms, guint, i)]++;
	for (gsize off = 0; off + f->ptr + 4 <= f->mms.len; off += f->ptr) {
		guint i = 0;

		while (i < n && (!is_whole(f, i) ||
				 (linux_sample_u32(&f->mms, i, off + f->ptr) == counts[i] &&
				  linux_sample_ptr(&f->mms, i, off) &&
				  linux_sample_ptr(&f->mms, i, off) % linux_page_size(f->os) == 0)))
			i++;
		if (i == n)
			linux_only_add(&tables, off);
	}
	linux_infer_put_only(f, &tables, "mm_struct", "pgtables_bytes", f->ptr);
}

gboolean
linux_infer_vmas(LinuxInfer *f)
{
	gsize flags, places;

	if (!take_vmas(f) || !find_flags(f, &flags) || !find_places(f, flags, &places))
		return FALSE;
	f->vma_file = places + 2 * f->ptr;
	find_names(f, places);
	find_exe(f, places);
	find_sum(f, flags, 0, 0, "total_vm");
	find_sum(f, flags, VM_EXEC, VM_WRITE | VM_GROWSDOWN, "exec_vm");
	find_sum(f, flags, VM_GROWSDOWN, 0, "stack_vm");
	find_sum(f, flags, VM_WRITE, VM_SHARED | VM_GROWSDOWN, "data_vm");
	find_sum(f, flags, VM_LOCKED, 0, "locked_vm");
	find_marks(f);
	find_tables(f);
	return TRUE;
}
