/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * kernels: those that were proved. Of what is one kernel the best proof is kept, and of all some;
 * of several that are complete one runs, and the others did.
 */
#include "find.h"

#define MAX_KERNELS 8

void
linux_kernel_free(gpointer data)
{
	LinuxKernel *kernel = data;

	vmifs_aspace_unref(kernel->aspace);
	linux_found_free(kernel->found);
	if (kernel->evidence)
		g_string_free(kernel->evidence, TRUE);
	g_free(kernel);
}

static gint
compare_kernels(gconstpointer a, gconstpointer b)
{
	const LinuxKernel *x = *(const LinuxKernel *const *) a;
	const LinuxKernel *y = *(const LinuxKernel *const *) b;

	return (x->score < y->score) - (x->score > y->score);
}

void
linux_kernels_keep(LinuxFind *find, LinuxKernel *kernel)
{
	for (guint i = 0; i < find->kernels->len; i++) {
		const LinuxKernel *other = g_ptr_array_index(find->kernels, i);

		if (other->found->image_delta != kernel->found->image_delta ||
		    other->found->root != kernel->found->root ||
		    vmifs_aspace_mode(other->aspace) != vmifs_aspace_mode(kernel->aspace))
			continue;
		if (other->score >= kernel->score) {
			linux_kernel_free(kernel);
			return;
		}
		g_ptr_array_remove_index(find->kernels, i);
		break;
	}
	g_ptr_array_add(find->kernels, kernel);
	g_ptr_array_sort(find->kernels, compare_kernels);
	if (find->kernels->len > MAX_KERNELS)
		g_ptr_array_set_size(find->kernels, MAX_KERNELS);
}

gboolean
linux_kernels_are_certain(const LinuxFind *find)
{
	const LinuxKernel *best = find->kernels->len ? g_ptr_array_index(find->kernels, 0) : NULL;

	return best && best->score >= VMIFS_SCORE_CERTAIN;
}

/* Of several that are complete, one runs and the others did: its clock is later. */
static void
prefer_running(LinuxFind *find)
{
	LinuxKernel *running = NULL;
	guint64 latest = 0;
	guint n = 0;
	int best = 0;

	for (guint i = 0; i < find->kernels->len; i++) {
		LinuxKernel *kernel = g_ptr_array_index(find->kernels, i);
		LinuxClaim claim = { .symbols = kernel->found->symbols };
		guint64 clock;

		if (kernel->score < VMIFS_SCORE_CERTAIN || !claim.symbols)
			continue;
		best = MAX(best, kernel->score);
		n++;
		clock = linux_claim_clock(&claim, kernel->aspace);
		if (clock == latest)
			running = NULL;
		if (clock > latest) {
			latest = clock;
			running = kernel;
		}
	}
	if (n < 2 || !running || best >= LINUX_SCORE_TOLD)
		return;
	running->score = best + 1;
	g_string_append_printf(running->evidence,
			       "; of %u complete kernels, its clock is the latest", n);
}

void
linux_kernels_offer(LinuxFind *find)
{
	prefer_running(find);
	while (find->kernels->len) {
		LinuxKernel *kernel = g_ptr_array_steal_index(find->kernels, 0);

		vmifs_probe_add(find->probe, g_steal_pointer(&kernel->aspace), kernel->score,
				g_string_free(g_steal_pointer(&kernel->evidence), FALSE),
				g_steal_pointer(&kernel->found), linux_found_free);
		linux_kernel_free(kernel);
	}
}
