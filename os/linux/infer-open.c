/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * infer-open: what a process has open. Most tables of files are still the small one that their
 * files_struct brings along, and it points to its own arrays, at the same distance in each:
 *
 *   task.files -> { .., fdt, .. { max_fds, fd, .. } .. fd_array }
 *                       '-------->'         '------->'
 */
#include "infer.h"

#define FILES_WINDOW 512
#define FDT_AT_MOST 64
#define SMALL_TABLE(f) (8 * (f)->ptr)
#define MAX_FDS (1 << 26)
#define MAX_FILES_OF_TASK 64

typedef struct {
	guint64 fdt, fds; /* from files */
	guint small;
} Distances;

/* Is the word at off of the files_struct a pointer to a table? */
static gboolean
is_table(const LinuxInfer *f, guint64 files, gsize off, Distances *d)
{
	guint64 fdt = linux_infer_ptr(f, files + off), fds;
	guint32 n;

	if (!linux_infer_is_kernel(f, fdt))
		return FALSE;
	n = linux_infer_u32(f, fdt);
	fds = linux_infer_ptr(f, fdt + f->ptr);
	if (!linux_infer_is_kernel(f, fds) || n < SMALL_TABLE(f) || n > MAX_FDS ||
	    n % SMALL_TABLE(f))
		return FALSE;
	if (n != SMALL_TABLE(f))
		return TRUE;
	if (fdt - files >= FILES_WINDOW || fds - files >= 2 * FILES_WINDOW ||
	    (d->small && (fdt - files != d->fdt || fds - files != d->fds)))
		return FALSE;
	*d = (Distances){ fdt - files, fds - files, d->small + 1 };
	return TRUE;
}

static gboolean
are_files(const LinuxInfer *f, gsize at, gsize off)
{
	Distances d = { 0 };
	guint with = 0;

	for (guint i = 0; i < linux_sample_n(&f->tasks); i++) {
		guint64 files = linux_sample_ptr(&f->tasks, i, at);
		gboolean lives = linux_sample_ptr(&f->tasks, i, f->mm) != 0;

		/* Who has ended has none. */
		if (!files && !lives && !f->is_kernel[i])
			continue;
		if (!linux_infer_is_kernel(f, files) || !is_table(f, files, off, &d))
			return FALSE;
		with++;
	}
	return with > 1 && d.small * 2 > with;
}

/* Files that are open: of each process some. */
static void
take_open(LinuxInfer *f, gsize at, gsize off)
{
	for (guint i = 0; i < linux_sample_n(&f->tasks); i++) {
		guint64 files = linux_sample_ptr(&f->tasks, i, at);
		guint64 fdt = files ? linux_infer_ptr(f, files + off) : 0;
		guint64 fds = fdt ? linux_infer_ptr(f, fdt + f->ptr) : 0;
		guint n = fdt ? MIN(linux_infer_u32(f, fdt), MAX_FILES_OF_TASK) : 0;

		for (guint k = 0; k < n; k++) {
			guint64 file = linux_infer_ptr(f, fds + (guint64) k * f->ptr);
			if (linux_infer_is_kernel(f, file))
				linux_sample_add(&f->files, f->os->aspace, file);
		}
	}
}

void
linux_infer_open(LinuxInfer *f)
{
	LinuxOnly files = { 0 };
	gsize fdt = 0;

	for (gsize at = f->comm; at + f->ptr <= f->tasks.len; at += f->ptr) {
		for (gsize off = 0; off < FDT_AT_MOST; off += f->ptr) {
			if (!are_files(f, at, off))
				continue;
			linux_only_add(&files, at);
			fdt = off;
		}
	}
	if (!linux_infer_put_only(f, &files, "task_struct", "files", f->ptr))
		return;
	linux_inferred_put(f->table, "files_struct", "fdt", fdt, f->ptr);
	linux_inferred_put(f->table, "fdtable", "max_fds", 0, 4);
	linux_inferred_put(f->table, "fdtable", "fd", f->ptr, f->ptr);
	take_open(f, files.at, fdt);
}
