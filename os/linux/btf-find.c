/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * btf-find: headers are looked for between the end of the text and what only starts the kernel.
 * Every `struct btf` of a running kernel begins like one, but those are elsewhere, and nothing
 * follows them.
 */
#include "btf-find.h"

#include <spi/bytes.h>

#include <string.h>

#define SPAN (G_GUINT64_CONSTANT(64) << 20)
#define STEP (1u << 20)
/* Magic and version; then lengths: of the header, where the types and strings are behind it. */
#define MAGIC 0x0001eb9f
#define HEADER_LEN 24
#define MAX_HEADER 64
/* Those of a kernel have some megabytes, those of a module some kilobytes. */
#define MIN_TYPES (400u << 10)
#define MAX_TRIES 16

/* Bytes of the blob that a header says there are; 0: none of a kernel. */
static guint64
blob_len(const guint8 *header)
{
	guint64 head = vmifs_load_u32(header + 4);
	guint64 types_at = vmifs_load_u32(header + 8), types = vmifs_load_u32(header + 12);
	guint64 strings_at = vmifs_load_u32(header + 16), strings = vmifs_load_u32(header + 20);

	if (head < HEADER_LEN || head > MAX_HEADER || types < MIN_TYPES)
		return 0;
	return head + MAX(types_at + types, strings_at + strings);
}

/* Does the first task look as they say? Its ring of tasks goes on and comes back. */
static gboolean
fits_task(const Linux *os, const VmifsTypes *types, guint64 task)
{
	g_autoptr(LinuxLayout) layout = linux_layout_new(types);
	const VmifsMember *comm = linux_layout_member(layout, LINUX_FIELD_TASK_COMM);
	const VmifsMember *tasks = linux_layout_member(layout, LINUX_FIELD_TASK_TASKS);
	char name[] = "swapper";
	guint64 next, back;

	return comm && tasks &&
	       vmifs_aspace_read(os->aspace, task + comm->offset, name, strlen(name), NULL) &&
	       !strcmp(name, "swapper") &&
	       vmifs_aspace_read_u64(os->aspace, task + tasks->offset, &next, NULL) &&
	       vmifs_aspace_read_u64(os->aspace, next + 8, &back, NULL) &&
	       back == task + tasks->offset;
}

static VmifsTypes *
try_blob(const Linux *os, guint64 at, guint64 len, guint64 task)
{
	g_autofree guint8 *blob = g_malloc(len);

	if (!vmifs_aspace_read(os->aspace, at, blob, len, NULL))
		return NULL;
	g_autoptr(VmifsTypes) types = vmifs_types_new_btf(blob, len, NULL);
	return types && fits_task(os, types, task) ? g_steal_pointer(&types) : NULL;
}

VmifsTypes *
linux_btf_find(const Linux *os, GError **error)
{
	g_autofree guint8 *bytes = g_malloc(STEP + HEADER_LEN);
	guint64 from, end, task;
	guint tries = 0;

	if (!linux_symbol(os, "init_task", &task, error) ||
	    !linux_symbol(os, "_etext", &from, error) ||
	    !linux_symbol(os, "_sinittext", &end, error))
		return NULL;
	guint64 len = end > from ? MIN(end - from, SPAN) : 0;
	for (guint64 done = 0; done < len; done += STEP) {
		gsize n = vmifs_aspace_read_some(os->aspace, from + done, bytes, STEP + HEADER_LEN,
						 NULL);

		for (gsize at = 0; at + HEADER_LEN <= n; at += 4) {
			guint64 blob;

			if (vmifs_load_u32(bytes + at) != MAGIC)
				continue;
			blob = blob_len(bytes + at);
			if (!blob || blob > len - done || tries++ >= MAX_TRIES)
				continue;
			VmifsTypes *types = try_blob(os, from + done + at, blob, task);
			if (types)
				return types;
		}
	}
	g_set_error_literal(error, VMIFS_ERROR, VMIFS_ERROR_UNSUPPORTED,
			    "no BTF that agrees with init_task is in the kernel's read-only data");
	return NULL;
}
