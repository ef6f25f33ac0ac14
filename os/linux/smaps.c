/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * smaps: how much of each mapping is in memory, and whose it is: by its page-table entries, which
 * tell of accesses, and the struct pages that they lead to, which tell how often a page is mapped.
 * smaps_rollup is the sum of all.
 */
#include "smaps.h"

#include "infer-code.h"
#include "machine.h"
#include "pages.h"

#define VM_LOCKED 0x2000
#define VM_WRITE 0x2
#define VM_SHARED 0x8
#define PKEY_SHIFT 32
#define PKEY_MASK 0xf
/* A process may map one page often, but not each page of memory a dozen times. */
#define MAX_SHARE 16
#define MIN_BUDGET (1024 * 1024)
/* A mapping takes a kilobyte of it, and the kernel's usual limit is 65,530 of them. */
#define MAX_TEXT (256 * 1024 * 1024)
/* Shares of a page are counted in 1/4096 of a byte. */
#define PSS_SHIFT 12

#define SWAP_COUNT_MASK 0x3f
/* Of a page's entry, on every machine. It is clear after mprotect(PROT_NONE), and where the next
 * access is waited for, for NUMA balancing. */
#define ENTRY_PRESENT 1

typedef enum { NOT_ASKED, NO, YES } Answer;

typedef struct {
	guint64 rss, pss, pss_dirty, pss_anon, pss_file, pss_shmem, pss_locked;
	guint64 shared_clean, shared_dirty, private_clean, private_dirty;
	guint64 referenced, anon, ksm, lazy_free;
	guint64 anon_huge, shmem_huge, file_huge, shared_hugetlb, private_hugetlb;
	guint64 swap, swap_pss;
} Sums;

typedef struct {
	const Linux *os;
	const LinuxMachine *machine;
	const VmifsCall *call;
	VmifsAspace *aspace; /* (full) the process's */
	LinuxPages *pages;   /* (full) */
	guint page_shift;
	guint64 budget; /* pages and tables still to be looked at */
	guint64 swap_info, n_swaps;
	gboolean is_unknown; /* an entry says something that is not understood */
	Answer leaves_out;   /* huge pages whose entries are not present */
	/* Of the mapping at hand. */
	const VmifsVma *vma;
	LinuxMapping mapping;
	Sums *sums;
} Smaps;

/* ---- one page ---- */

static void
add_share(Smaps *s, const LinuxPage *page, guint64 size, guint64 pss, gboolean dirty,
	  gboolean is_private)
{
	Sums *sums = s->sums;

	sums->pss += pss;
	if (linux_page_is_anon(page))
		sums->pss_anon += pss;
	else if (linux_page_is_swap_backed(s->pages, page))
		sums->pss_shmem += pss;
	else
		sums->pss_file += pss;
	if (s->mapping.flags & VM_LOCKED)
		sums->pss_locked += pss;
	if (dirty)
		sums->pss_dirty += pss;
	*(dirty        ? is_private ? &sums->private_dirty : &sums->shared_dirty
	  : is_private ? &sums->private_clean
		       : &sums->shared_clean) += size;
}

static void
add_page(Smaps *s, const LinuxPage *page, guint64 entry, guint64 size)
{
	guint64 page_size = 1ULL << s->page_shift;
	gboolean page_dirty = linux_page_is_dirty(s->pages, page);
	gboolean dirty = page_dirty || s->machine->is_dirty(entry);

	if (linux_page_is_anon(page)) {
		s->sums->anon += size;
		if (!dirty && !linux_page_is_swap_backed(s->pages, page))
			s->sums->lazy_free += size;
	}
	if (linux_page_is_ksm(page))
		s->sums->ksm += size;
	s->sums->rss += size;
	if (entry & s->machine->entry_accessed || linux_page_is_referenced(s->pages, page))
		s->sums->referenced += size;
	if (page->refs == 1) {
		add_share(s, page, size, size << PSS_SHIFT, dirty, TRUE);
		return;
	}
	for (guint i = 0; i < size >> s->page_shift; i++) {
		guint32 n = linux_page_mapcount(s->pages, page, i, FALSE);
		guint64 pss = page_size << PSS_SHIFT;
		add_share(s, page, page_size, n >= 2 ? pss / n : pss, dirty, n < 2);
	}
	s->budget -= MIN(s->budget, size >> s->page_shift);
}

/* From 6.1 to 6.4 smaps_pmd_entry() (fs/proc/task_mmu.c), which is part of smaps_pte_range(), asks
 * follow_trans_huge_pmd() for a huge page, and gets none where an access would be a fault for NUMA
 * balancing; PROT_NONE looks the same. Before (commit 474098edac26, with which maple trees came)
 * only callers with FOLL_NUMA were refused, and since (8b9c1cc0418a) another function is asked. */
static gboolean
leaves_out_protnone(const Linux *os)
{
	g_auto(LinuxFunction) function = { 0 };
	guint64 balancing;

	return linux_has(os, LINUX_FIELD_MM_MT) &&
	       linux_symbol(os, "task_numa_fault", &balancing, NULL) &&
	       linux_function_look(os, "smaps_pte_range", &function) &&
	       linux_function_calls(os, &function, "follow_trans_huge_pmd");
}

static gboolean
is_left_out(Smaps *s, guint64 entry)
{
	if (entry & ENTRY_PRESENT)
		return FALSE;
	if (s->leaves_out == NOT_ASKED)
		s->leaves_out = leaves_out_protnone(s->os) ? YES : NO;
	return s->leaves_out == YES;
}

static void
add_huge(Smaps *s, const VmifsRange *range, const LinuxPage *page)
{
	if (linux_page_is_huge_zero(s->pages, page) || is_left_out(s, range->entry))
		return;
	if (linux_page_is_anon(page))
		s->sums->anon_huge += range->len;
	else if (linux_page_is_swap_backed(s->pages, page))
		s->sums->shmem_huge += range->len;
	else
		s->sums->file_huge += range->len;
	add_page(s, page, range->entry, range->len);
}

static void
add_hugetlb(Smaps *s, const VmifsRange *range, const LinuxPage *page)
{
	if (linux_page_mapcount(s->pages, page, 0, TRUE) >= 2)
		s->sums->shared_hugetlb += range->len;
	else
		s->sums->private_hugetlb += range->len;
}

/* How many have the page that was swapped out there; 1 where nobody tells. */
static guint
swap_users(Smaps *s, guint64 type, guint64 offset)
{
	guint64 info, map, max;
	guint8 count;

	if (!vmifs_aspace_read_ptr(s->os->aspace, s->swap_info + type * linux_word(s->os), &info,
				   NULL) ||
	    !linux_get(s->os, info, LINUX_FIELD_SWAP_INFO_MAP, &map, NULL) ||
	    !linux_get(s->os, info, LINUX_FIELD_SWAP_INFO_MAX, &max, NULL) || offset >= max ||
	    !vmifs_aspace_read_u8(s->os->aspace, map + offset, &count, NULL))
		return 1;
	return MAX(count & SWAP_COUNT_MASK, 1);
}

static void
add_swapped(Smaps *s, guint64 entry)
{
	guint64 type, offset;

	if (!s->machine->swapped) {
		s->is_unknown = TRUE;
		return;
	}
	/* Higher types are no swap: notes of pages on their way, or of poisoned ones. */
	if (!s->machine->swapped(entry, &type, &offset) || type >= s->n_swaps)
		return;
	s->sums->swap += 1ULL << s->page_shift;
	s->sums->swap_pss += (1ULL << s->page_shift << PSS_SHIFT) / swap_users(s, type, offset);
}

static gboolean
visit_range(const VmifsRange *range, gpointer user)
{
	Smaps *s = user;
	LinuxPage page;

	if (!s->budget)
		return FALSE;
	s->budget--;
	if (range->kind == VMIFS_RANGE_NOT_PRESENT && range->level == 1)
		add_swapped(s, range->entry);
	if (range->kind != VMIFS_RANGE_PAGE || !linux_page(s->pages, range->pa, &page))
		return TRUE;
	if (s->mapping.is_hugetlb)
		add_hugetlb(s, range, &page);
	else if (range->page_shift == s->page_shift + linux_huge_order(s->os))
		add_huge(s, range, &page);
	else if (range->page_shift == s->page_shift && !(range->entry & s->machine->entry_special))
		add_page(s, &page, range->entry, range->len);
	return TRUE;
}

/* ---- one mapping ---- */

static gboolean
gather(Smaps *s, const VmifsVma *vma, Sums *sums, GError **error)
{
	s->vma = vma;
	s->sums = sums;
	if (!linux_mapping_read(s->os, vma->object, &s->mapping, error))
		return FALSE;
	/* What a process writes for itself alone is swapped out by itself. */
	if (s->mapping.flags & VM_SHARED || !(s->mapping.flags & VM_WRITE))
		sums->swap += linux_mapping_shmem_swap(s->os, vma, &s->mapping) << s->page_shift;
	if (!vmifs_aspace_visit_pages(s->aspace, vma->start, vma->end - 1, s->budget, visit_range,
				      s, s->call, error))
		return FALSE;
	if (s->is_unknown) {
		g_set_error_literal(error, VMIFS_ERROR, VMIFS_ERROR_UNSUPPORTED,
				    "some of it was swapped out, and of this architecture where to "
				    "is not known");
		return FALSE;
	}
	if (!s->budget) {
		g_set_error_literal(error, VMIFS_ERROR, VMIFS_ERROR_CORRUPT,
				    "page tables map far more than there is memory");
		return FALSE;
	}
	return TRUE;
}

static void
line_kb(GString *out, const char *name, guint64 bytes)
{
	g_string_append_printf(out, "%-15s %8" G_GUINT64_FORMAT " kB\n", name, bytes >> 10);
}

static void
append_sums(const Linux *os, const Sums *s, gboolean all, GString *out)
{
	line_kb(out, "Rss:", s->rss);
	line_kb(out, "Pss:", s->pss >> PSS_SHIFT);
	if (linux_has_text(os, LINUX_TEXT_PSS_DIRTY))
		line_kb(out, "Pss_Dirty:", s->pss_dirty >> PSS_SHIFT);
	if (all) {
		line_kb(out, "Pss_Anon:", s->pss_anon >> PSS_SHIFT);
		line_kb(out, "Pss_File:", s->pss_file >> PSS_SHIFT);
		line_kb(out, "Pss_Shmem:", s->pss_shmem >> PSS_SHIFT);
	}
	line_kb(out, "Shared_Clean:", s->shared_clean);
	line_kb(out, "Shared_Dirty:", s->shared_dirty);
	line_kb(out, "Private_Clean:", s->private_clean);
	line_kb(out, "Private_Dirty:", s->private_dirty);
	line_kb(out, "Referenced:", s->referenced);
	line_kb(out, "Anonymous:", s->anon);
	if (linux_has_text(os, LINUX_TEXT_KSM))
		line_kb(out, "KSM:", s->ksm);
	line_kb(out, "LazyFree:", s->lazy_free);
	line_kb(out, "AnonHugePages:", s->anon_huge);
	line_kb(out, "ShmemPmdMapped:", s->shmem_huge);
	line_kb(out, "FilePmdMapped:", s->file_huge);
	line_kb(out, "Shared_Hugetlb:", s->shared_hugetlb);
	g_string_append_printf(out, "Private_Hugetlb: %7" G_GUINT64_FORMAT " kB\n",
			       s->private_hugetlb >> 10);
	line_kb(out, "Swap:", s->swap);
	line_kb(out, "SwapPss:", s->swap_pss >> PSS_SHIFT);
	line_kb(out, "Locked:", s->pss_locked >> PSS_SHIFT);
}

static void
append_mapping(Smaps *s, const VmifsVma *vma, const Sums *sums, gboolean eligible, gboolean keys,
	       GString *out)
{
	const LinuxMapping *m = &s->mapping;

	linux_maps_append_line(s->os, out, vma);
	line_kb(out, "Size:", vma->end - vma->start);
	line_kb(out, "KernelPageSize:", m->page_size);
	line_kb(out, "MMUPageSize:", m->page_size);
	append_sums(s->os, sums, FALSE, out);
	g_string_append_printf(out,
			       linux_has_text(s->os, LINUX_TEXT_THP_WIDE) ? "THPeligible:    %8u\n"
									  : "THPeligible:    %u\n",
			       eligible);
	if (keys)
		g_string_append_printf(out, "ProtectionKey:  %8u\n",
				       (guint) (m->flags >> PKEY_SHIFT & PKEY_MASK));
	linux_mapping_append_flags(s->os, m->flags, out);
}

/* ---- a process ---- */

static void
clear_smaps(Smaps *s)
{
	g_clear_pointer(&s->aspace, vmifs_aspace_unref);
	g_clear_pointer(&s->pages, linux_pages_free);
}

G_DEFINE_AUTO_CLEANUP_CLEAR_FUNC(Smaps, clear_smaps)

static gboolean
init_smaps(Smaps *s, const Linux *os, const VmifsTask *task, const VmifsCall *call, GError **error)
{
	guint64 n_swaps;

	*s = (Smaps){ .os = os, .machine = linux_machine(os), .call = call };
	s->aspace = linux_task_aspace((gpointer) os, task, error);
	s->pages = s->aspace ? linux_pages_new(os, error) : NULL;
	if (!s->pages)
		return FALSE;
	s->page_shift = linux_page_shift(os);
	s->budget = MAX((vmifs_physmem_ram(os->mem) >> s->page_shift) * MAX_SHARE, MIN_BUDGET);
	if (linux_symbol(os, "swap_info", &s->swap_info, NULL) &&
	    linux_variable(os, "nr_swapfiles", 4, &n_swaps, NULL))
		s->n_swaps = MIN(n_swaps, 32);
	return TRUE;
}

static gboolean
append_mappings(Smaps *s, const GArray *vmas, guint64 mm, GString *out, GError **error)
{
	gboolean keys = linux_has_protection_keys(s->os);
	gsize before = out->len;
	VmifsVma gate;

	for (guint i = 0; i < vmas->len; i++) {
		const VmifsVma *vma = &g_array_index(vmas, VmifsVma, i);
		Sums sums = { 0 };
		if (!gather(s, vma, &sums, error))
			return FALSE;
		if (out->len - before > MAX_TEXT) {
			g_set_error_literal(error, VMIFS_ERROR, VMIFS_ERROR_CORRUPT,
					    "more mappings than make sense; maps has them all");
			return FALSE;
		}
		append_mapping(s, vma, &sums,
			       linux_mapping_is_thp_eligible(s->os, mm, vma, &s->mapping), keys,
			       out);
	}
	if (linux_gate_vma(s->os, mm, &gate) &&
	    linux_mapping_read(s->os, gate.object, &s->mapping, NULL))
		append_mapping(s, &gate, &(Sums){ 0 }, FALSE, keys, out);
	return TRUE;
}

LINUX_VIEW(linux_render_smaps)
{
	const Linux *self = os;
	g_auto(Smaps) s = { 0 };

	if (!task->mm)
		return TRUE;
	g_autoptr(GArray) vmas = linux_maps_read(self, task, call, error);
	if (!vmas || !init_smaps(&s, self, task, call, error))
		return FALSE;
	return append_mappings(&s, vmas, task->mm, out, error);
}

LINUX_VIEW(linux_render_smaps_rollup)
{
	const Linux *self = os;
	g_auto(Smaps) s = { 0 };
	VmifsVma whole = { .path = (char *) "[rollup]" };
	Sums sums = { 0 };

	if (!task->mm) {
		g_set_error_literal(error, VMIFS_ERROR, VMIFS_ERROR_ENDED, "it has no memory");
		return FALSE;
	}
	g_autoptr(GArray) vmas = linux_maps_read(self, task, call, error);
	if (!vmas || !init_smaps(&s, self, task, call, error))
		return FALSE;
	for (guint i = 0; i < vmas->len; i++) {
		const VmifsVma *vma = &g_array_index(vmas, VmifsVma, i);
		if (!gather(&s, vma, &sums, error))
			return FALSE;
		whole.start = i ? whole.start : vma->start;
		whole.end = vma->end;
	}
	linux_maps_append_line(s.os, out, &whole);
	append_sums(self, &sums, TRUE, out);
	return TRUE;
}
