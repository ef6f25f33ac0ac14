/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* infer: the steps in their order, and what all of them ask. */
#include "infer.h"

#include "machine.h"
#include "types.h"

/* In loads from copies: what a guest of a thousand processes takes thirty times. */
#define MAX_WORK 400000000
#define READ_WORK 16

gboolean
linux_infer_is_kernel(const LinuxInfer *f, guint64 va)
{
	guint64 last = linux_wrap(f->os, G_MAXUINT64);

	return va >= MAX(f->kernel, LINUX_PAGE_SIZE) && va % 4 == 0 && va < last - LINUX_PAGE_SIZE;
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
	vmifs_guest_log(f->os->guest, "not inferred: %s: %s", what, why);
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

guint64
linux_kernel_start(const Linux *os, guint64 va)
{
	gsize n;
	const VmifsRegion *regions = vmifs_physmem_regions(os->mem, &n);

	if (linux_word(os) == 8)
		return va & G_GUINT64_CONSTANT(1) << 63;
	return linux_wrap(os, os->found->image_delta + (n ? regions[0].pa : 0) -
				      linux_machine(os)->room_below);
}

VmifsTypes *
linux_infer(const Linux *os, char **ret_origin, const VmifsCall *call, GError **error)
{
	LinuxInfer f = { .os = os, .call = call, .ptr = vmifs_aspace_ptr_size(os->aspace) };
	guint64 work = MAX_WORK;
	VmifsTypes *types = NULL;

	if (!linux_symbol(os, "init_task", &f.init, error))
		return NULL;
	f.kernel = linux_kernel_start(os, f.init);
	f.table = linux_inferred_new(f.ptr);
	f.checked = g_string_new(NULL);
	f.work = &work;
	if (run(&f))
		types = linux_inferred_types(f.table, error);
	else
		g_set_error_literal(error, VMIFS_ERROR, VMIFS_ERROR_UNSUPPORTED,
				    "nothing can be inferred from its first task");
	if (types && !vmifs_call_check(call, error))
		g_clear_pointer(&types, vmifs_types_unref);
	if (types) {
		linux_inferred_tell(f.table, os);
		*ret_origin = g_strdup_printf("inferred (%u members), checked against %s",
					      linux_inferred_count(f.table), f.checked->str);
	}
	clear(&f);
	return types;
}
