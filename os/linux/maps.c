/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * maps: the texts made of a process's mappings: maps, as procfs writes it to the byte, and modules,
 * which says where each executable and library lies.
 */
#include "machine.h"
#include "smaps.h"

#include <string.h>

/* Where names start, by the width of addresses; the kernel counts the blank before them. */
#define NAME_COLUMN(os) (25 + 6 * linux_word(os))
#define VSYSCALL_NONE 2
#define CONTEXT_HAS_VSYSCALL (1U << 1)

void
linux_maps_append_line(const Linux *os, GString *out, const VmifsVma *vma)
{
	gsize start = out->len;

	g_string_append_printf(
		out,
		"%08" G_GINT64_MODIFIER "x-%08" G_GINT64_MODIFIER "x %c%c%c%c %08" G_GINT64_MODIFIER
		"x %02x:%02x %" G_GUINT64_FORMAT " ",
		vma->start, vma->end, vma->perms & VMIFS_PERM_READ ? 'r' : '-',
		vma->perms & VMIFS_PERM_WRITE ? 'w' : '-', vma->perms & VMIFS_PERM_EXEC ? 'x' : '-',
		vma->shared ? 's' : 'p', vma->offset, vma->dev_major, vma->dev_minor, vma->inode);
	if (vma->path) {
		gsize width = out->len - start;
		if (width < NAME_COLUMN(os))
			g_string_append_printf(out, "%*s", (int) (NAME_COLUMN(os) - width), "");
		vmifs_text_append_mangled(out, vma->path, -1, "\n");
	}
	g_string_append_c(out, '\n');
}

/* The page that old programs jump into for time(): in no list, shown where it is on. */
gboolean
linux_gate_vma(const Linux *os, guint64 mm, VmifsVma *ret)
{
	guint64 mode, flags, vm_flags;
	VmifsVma vma = { .path = (char *) "[vsyscall]" };

	if (linux_machine(os)->gate_vma)
		return linux_machine(os)->gate_vma(os, ret);
	if (!linux_symbol(os, "gate_vma", &vma.object, NULL) ||
	    !linux_variable(os, "vsyscall_mode", 4, &mode, NULL) || mode == VSYSCALL_NONE)
		return FALSE;
	if (linux_get(os, mm, LINUX_FIELD_MM_CONTEXT_FLAGS, &flags, NULL) &&
	    !(flags & CONTEXT_HAS_VSYSCALL))
		return FALSE;
	if (!linux_get(os, vma.object, LINUX_FIELD_VMA_START, &vma.start, NULL) ||
	    !linux_get(os, vma.object, LINUX_FIELD_VMA_END, &vma.end, NULL) ||
	    !linux_get(os, vma.object, LINUX_FIELD_VMA_FLAGS, &vm_flags, NULL))
		return FALSE;
	vma.perms = linux_vma_perms(vm_flags);
	*ret = vma;
	return TRUE;
}

GArray *
linux_maps_read(const Linux *os, const VmifsTask *task, const VmifsCall *call, GError **error)
{
	g_autoptr(GArray) vmas = g_array_new(FALSE, FALSE, sizeof(VmifsVma));

	g_array_set_clear_func(vmas, (GDestroyNotify) vmifs_vma_clear);
	return linux_vmas((gpointer) os, task, vmas, call, error) ? g_steal_pointer(&vmas) : NULL;
}

LINUX_VIEW(linux_render_maps)
{
	g_autoptr(GArray) vmas = linux_maps_read(os, task, call, error);
	VmifsVma gate;

	if (!vmas)
		return FALSE;
	for (guint i = 0; i < vmas->len; i++)
		linux_maps_append_line(os, out, &g_array_index(vmas, VmifsVma, i));
	if (task->mm && linux_gate_vma(os, task->mm, &gate))
		linux_maps_append_line(os, out, &gate);
	return TRUE;
}

/* One file mapped in pieces: a program or library as its loader laid it out. */
typedef struct {
	guint64 start, end;
	const char *path; /* (borrowed) */
	gboolean has_code;
} Module;

static void
append_module(GString *out, Module *m)
{
	if (m->path && m->has_code) {
		g_string_append_printf(out, "%08" G_GINT64_MODIFIER "x-%08" G_GINT64_MODIFIER "x ",
				       m->start, m->end);
		vmifs_text_append_mangled(out, m->path, -1, LINUX_CONTROL_BYTES);
		g_string_append_c(out, '\n');
	}
	*m = (Module){ 0 };
}

LINUX_VIEW(linux_render_task_modules)
{
	g_autoptr(GArray) vmas = linux_maps_read(os, task, call, error);
	Module m = { 0 };

	if (!vmas)
		return FALSE;
	for (guint i = 0; i < vmas->len; i++) {
		const VmifsVma *vma = &g_array_index(vmas, VmifsVma, i);
		/* What lies between the pieces of one file does not end it. */
		if (!vma->inode || !vma->path)
			continue;
		if (!m.path || strcmp(m.path, vma->path)) {
			append_module(out, &m);
			m.start = vma->start;
			m.path = vma->path;
		}
		m.end = vma->end;
		m.has_code |= (vma->perms & VMIFS_PERM_EXEC) != 0;
	}
	append_module(out, &m);
	return TRUE;
}
