/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * search: the kernel's root lies in its image, so that only the pages around it are tried, each
 * rejected by its first entry as a rule. Early page tables of the same image map it too, at an
 * address from before its relocation: hence the vote.
 */
#include "search.h"

#include "find.h"
#include "searched.h"

#define SPAN ((guint64) LINUX_IMAGE_SPAN)
#define MAX_ROOTS 4096
#define MAX_MEASURED 64
#define MAX_DELTAS 16
#define MIN_PROBES 3
/* Table visits that measuring one root, and looking through one, may cost. */
#define MEASURE_BUDGET 1024
#define VISIT_BUDGET 65536
#define KERNEL_HALF (G_GUINT64_CONSTANT(1) << 63)

typedef struct {
	guint64 pa;
	gsize mode;
	guint64 delta;
	guint64 mapped; /* bytes of the kernel's half */
} Root;

static gboolean
maps_text(VmifsAspace *aspace, const VmifsSymbols *symbols, guint64 *ret_delta)
{
	static const char *const names[] = { "_stext", "schedule", "vfs_read", "do_exit" };
	guint n = 0;

	for (guint i = 0; i < G_N_ELEMENTS(names); i++) {
		VmifsRange range;
		guint64 va;

		if (!vmifs_symbols_lookup(symbols, names[i], &va))
			continue;
		if (!vmifs_aspace_translate(aspace, va, &range, NULL) ||
		    (n && va - range.pa != *ret_delta))
			return FALSE;
		*ret_delta = va - range.pa;
		n++;
	}
	return n >= MIN_PROBES;
}

static gboolean
add_mapped(const VmifsRange *range, gpointer user)
{
	guint64 *mapped = user;

	if (range->kind == VMIFS_RANGE_PAGE)
		*mapped += MIN(range->len, G_MAXUINT64 - *mapped);
	return TRUE;
}

static guint
count_votes(const GArray *roots, guint64 delta)
{
	guint votes = 0;

	for (guint i = 0; i < roots->len; i++)
		votes += g_array_index(roots, Root, i).delta == delta;
	return votes;
}

/* The delta that most roots have. roots is not empty. */
static guint64
elect(const GArray *roots)
{
	guint64 best = g_array_index(roots, Root, 0).delta;
	guint most = count_votes(roots, best);

	for (guint i = 1; i < roots->len; i++) {
		guint64 delta = g_array_index(roots, Root, i).delta;
		guint votes;

		if (delta == best)
			continue;
		votes = count_votes(roots, delta);
		if (votes > most) {
			most = votes;
			best = delta;
		}
	}
	return best;
}

static void
collect(VmifsProbe *probe, const char *arch, const VmifsSymbols *symbols, guint64 around,
	guint64 ignore_mask, GArray *ret)
{
	const VmifsCall *call = vmifs_probe_call(probe);
	guint64 end = vmifs_physmem_end(vmifs_probe_physmem(probe));
	guint64 from = (MAX(around, SPAN) - SPAN) & ~(guint64) 4095;
	gboolean may_mislead = linux_searched_is_doubtful(arch);
	gsize first, last;

	vmifs_probe_modes_of(probe, arch, &first, &last);

	for (guint64 pa = from; pa < MIN(around + SPAN, end) && ret->len < MAX_ROOTS; pa += 4096) {
		if (pa % (1 << 20) == 0 && !vmifs_call_check(call, NULL))
			return;
		for (gsize mode = first; mode < last; mode++) {
			g_autoptr(VmifsAspace) aspace =
				vmifs_probe_try_root(probe, mode, pa, ignore_mask);
			Root root = { .pa = pa, .mode = mode };

			if (aspace && maps_text(aspace, symbols, &root.delta) &&
			    (!may_mislead || linux_searched_has_text(aspace, symbols)))
				g_array_append_val(ret, root);
		}
	}
}

/* Leaves only the roots of that delta, at most MAX_MEASURED, and measures them. */
static guint64
measure(VmifsProbe *probe, GArray *roots, guint64 delta, guint64 ignore_mask)
{
	guint64 most = 0;
	guint n = 0;

	for (guint i = 0; i < roots->len && n < MAX_MEASURED; i++) {
		Root root = g_array_index(roots, Root, i);
		g_autoptr(VmifsAspace) aspace = NULL;

		if (root.delta != delta)
			continue;
		aspace = vmifs_probe_try_root(probe, root.mode, root.pa, ignore_mask);
		if (!aspace)
			continue;
		vmifs_aspace_visit(aspace, KERNEL_HALF, G_MAXUINT64, MEASURE_BUDGET, add_mapped,
				   &root.mapped, vmifs_probe_call(probe), NULL);
		most = MAX(most, root.mapped);
		g_array_index(roots, Root, n++) = root;
	}
	g_array_set_size(roots, n);
	return most;
}

gboolean
linux_search_root(VmifsProbe *probe, const char *arch, const VmifsSymbols *symbols, guint64 around,
		  guint64 ignore_mask, guint64 *ret_root, guint64 *ret_delta)
{
	g_autoptr(GArray) roots = g_array_new(FALSE, FALSE, sizeof(Root));
	const Root *best = NULL;
	guint64 delta, most;

	collect(probe, arch, symbols, around, ignore_mask, roots);
	if (!roots->len || !vmifs_call_check(vmifs_probe_call(probe), NULL))
		return FALSE;
	delta = elect(roots);
	most = measure(probe, roots, delta, ignore_mask);
	/* Processes have the same kernel half, more or less. What is below comes last. */
	for (guint i = 0; i < roots->len; i++) {
		const Root *root = &g_array_index(roots, Root, i);

		if (root->mapped >= most / 2 && (!best || root->pa - around < best->pa - around))
			best = root;
	}
	if (!best)
		return FALSE;
	*ret_root = best->pa;
	*ret_delta = delta;
	return TRUE;
}

typedef struct {
	guint64 pa;
	GArray *deltas;
	guint n_run; /* of them, those first */
} Wanted;

static gboolean
add_delta(const VmifsRange *range, gpointer user)
{
	Wanted *wanted = user;

	if (range->kind == VMIFS_RANGE_PAGE && wanted->pa - range->pa < range->len) {
		guint64 delta = range->va - range->pa;
		gboolean runs = (range->perms & VMIFS_PERM_EXEC) != 0;
		g_array_insert_val(wanted->deltas, runs ? wanted->n_run++ : wanted->deltas->len,
				   delta);
	}
	return wanted->deltas->len < MAX_DELTAS;
}

void
linux_search_deltas(VmifsAspace *aspace, guint64 pa, const VmifsCall *call, GArray *ret)
{
	Wanted wanted = { pa, ret };

	if (vmifs_aspace_ptr_size(aspace) == 4) {
		vmifs_aspace_visit(aspace, LINUX_LEAST_PAGE_OFFSET, G_MAXUINT32, VISIT_BUDGET,
				   add_delta, &wanted, call, NULL);
		return;
	}
	/* x86-64 has its image above everything else; the linear map has it, too. */
	vmifs_aspace_visit(aspace, LINUX_X86_64_IMAGE, G_MAXUINT64, VISIT_BUDGET, add_delta,
			   &wanted, call, NULL);
	vmifs_aspace_visit(aspace, KERNEL_HALF, LINUX_X86_64_IMAGE - 1, VISIT_BUDGET, add_delta,
			   &wanted, call, NULL);
}
