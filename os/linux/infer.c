/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* infer: the steps in their order, and what all of them ask. */
#include "infer.h"

#include "machine.h"
#include "types.h"

/* In loads from copies, however often it is tried: what a guest of a thousand processes takes
 * thirty times. */
#define MAX_WORK 400000000
#define READ_WORK 16
/* Of a guest that runs on: what ends meanwhile fits nowhere. Of these the one is taken that lacks
 * the least: at once where it lacks nothing, or where so many lack as much. */
#define MAX_ATTEMPTS 6
#define AGREE 3

gboolean
linux_infer_is_kernel(const LinuxInfer *f, guint64 va)
{
	guint64 last = linux_wrap(f->os, G_MAXUINT64);

	return va >= MAX(f->kernel, linux_page_size(f->os)) && va % 4 == 0 &&
	       va < last - linux_page_size(f->os);
}

gboolean
linux_infer_goes_on(const LinuxInfer *f, guint64 work)
{
	if (*f->work < work || !vmifs_call_check(f->call, NULL)) {
		*f->work = 0;
		return FALSE;
	}
	*f->work -= work;
	return TRUE;
}

guint64
linux_infer_ptr(const LinuxInfer *f, guint64 va)
{
	guint64 value;

	return linux_infer_goes_on(f, READ_WORK) &&
			       vmifs_aspace_read_ptr(f->os->aspace, va, &value, NULL)
		       ? value
		       : 0;
}

guint32
linux_infer_u32(const LinuxInfer *f, guint64 va)
{
	guint32 value;

	return linux_infer_goes_on(f, READ_WORK) &&
			       vmifs_aspace_read_u32(f->os->aspace, va, &value, NULL)
		       ? value
		       : 0;
}

gboolean
linux_infer_lacks(const LinuxInfer *f, const char *what, const char *why)
{
	g_ptr_array_add(f->lacks, g_strdup_printf("%s: %s", what, why));
	return FALSE;
}

gboolean
linux_infer_only(const LinuxInfer *f, const LinuxOnly *only, const char *what)
{
	if (*f->work == 0)
		return linux_infer_lacks(f, what, "it takes too long");
	if (only->n == 1)
		return TRUE;
	return linux_infer_lacks(
		f, what, only->n ? "several places look like it" : "no place looks like it");
}

gboolean
linux_infer_put_only(const LinuxInfer *f, const LinuxOnly *only, const char *structure,
		     const char *member, guint64 size)
{
	g_autofree char *what = g_strconcat(structure, ".", member, NULL);

	if (!linux_infer_only(f, only, what))
		return FALSE;
	linux_inferred_put(f->table, structure, member, only->at, size);
	return TRUE;
}

static void
clear(LinuxInfer *f)
{
	LinuxSample *samples[] = { &f->tasks,    &f->mms,    &f->vmas,   &f->files,
				   &f->dentries, &f->inodes, &f->supers, &f->mounts };

	for (gsize i = 0; i < G_N_ELEMENTS(samples); i++)
		linux_sample_clear(samples[i]);
	g_clear_pointer(&f->threads, g_array_unref);
	g_clear_pointer(&f->mm_tasks, g_array_unref);
	g_clear_pointer(&f->vma_mms, g_array_unref);
	g_clear_pointer(&f->whole, g_array_unref);
	g_clear_pointer(&f->table, linux_inferred_free);
	g_clear_pointer(&f->lacks, g_ptr_array_unref);
	g_string_free(f->checked, TRUE);
	g_free(f->is_kernel);
}

static gboolean
run(LinuxInfer *f)
{
	if (!linux_infer_tasks(f))
		return FALSE;
	linux_infer_named(f);
	linux_infer_modules(f);
	linux_infer_threads(f);
	linux_infer_signals(f);
	linux_infer_task_members(f);
	linux_infer_sched(f);
	linux_infer_kthreads(f);
	linux_infer_creds(f);
	if (linux_infer_mms(f) && linux_infer_vmas(f) && linux_infer_files(f))
		linux_infer_mounts(f);
	linux_infer_clock(f);
	linux_infer_cpus(f);
	linux_infer_ttys(f);
	linux_infer_usage(f);
	return TRUE;
}

typedef struct {
	LinuxInfer f;
	VmifsTypes *types; /* (full) (nullable) then error says why */
	GError *error;
} Attempt;

static void
clear_attempt(Attempt *a)
{
	clear(&a->f);
	g_clear_pointer(&a->types, vmifs_types_unref);
	g_clear_error(&a->error);
}

static Attempt
attempt(const Linux *os, guint64 init, guint64 *work, const VmifsCall *call)
{
	Attempt a = { .f = { .os = os,
			     .call = call,
			     .init = init,
			     .ptr = vmifs_aspace_ptr_size(os->aspace),
			     .kernel = linux_kernel_start(os, init),
			     .checked = g_string_new(NULL),
			     .lacks = g_ptr_array_new_with_free_func(g_free),
			     .work = work } };

	a.f.table = linux_inferred_new(a.f.ptr);
	if (run(&a.f))
		a.types = linux_inferred_types(a.f.table, &a.error);
	else
		g_set_error_literal(&a.error, VMIFS_ERROR, VMIFS_ERROR_UNSUPPORTED,
				    "nothing can be inferred from its first task");
	a.f.work = NULL;
	return a;
}

static gboolean
is_better(const Attempt *a, const Attempt *than)
{
	return a->types && (!than->types || a->f.lacks->len < than->f.lacks->len);
}

/* See MAX_ATTEMPTS. */
static Attempt
best_attempt(const Linux *os, guint64 init, const VmifsCall *call)
{
	guint n = vmifs_guest_is_frozen(os->guest) ? 1 : MAX_ATTEMPTS, n_agree = 1;
	guint64 work = MAX_WORK;
	Attempt best = attempt(os, init, &work, call);

	for (guint i = 1;
	     i < n && n_agree < AGREE && best.f.lacks->len && work && vmifs_call_check(call, NULL);
	     i++) {
		Attempt next = attempt(os, init, &work, call);

		if (is_better(&next, &best)) {
			Attempt worse = best;
			best = next;
			next = worse;
			n_agree = 1;
		} else if (!is_better(&best, &next)) {
			n_agree++;
		}
		clear_attempt(&next);
	}
	return best;
}

/* Another attempt that found no more would fill the log, which is bounded. */
static gboolean
is_worth_telling(const Linux *os, const Attempt *best)
{
	guint n = best->types ? linux_inferred_count(best->f.table) : 0;

	if (os->n_told && n < *os->n_told)
		return FALSE;
	if (os->n_told)
		*os->n_told = n + 1;
	return TRUE;
}

VmifsTypes *
linux_infer(const Linux *os, char **ret_origin, const VmifsCall *call, GError **error)
{
	VmifsTypes *types = NULL;
	guint64 init;

	if (!linux_symbol(os, "init_task", &init, error))
		return NULL;
	Attempt best = best_attempt(os, init, call);
	gboolean is_news = is_worth_telling(os, &best);
	for (guint i = 0; is_news && i < best.f.lacks->len; i++)
		vmifs_guest_log(os->guest, "not inferred: %s",
				(const char *) g_ptr_array_index(best.f.lacks, i));
	if (vmifs_call_check(call, error) && best.types) {
		types = g_steal_pointer(&best.types);
		if (is_news)
			linux_inferred_tell(best.f.table, os);
		*ret_origin =
			g_strdup_printf("inferred (%u members), checked against %s",
					linux_inferred_count(best.f.table), best.f.checked->str);
	} else if (best.error && (!error || !*error)) {
		g_propagate_error(error, g_steal_pointer(&best.error));
	}
	clear_attempt(&best);
	return types;
}
