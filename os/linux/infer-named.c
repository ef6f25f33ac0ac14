/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * infer-named: structures of which one object has a symbol: the names of the system, and the tree
 * of what addresses are used for.
 */
#include "infer.h"

#include <string.h>

#define UTS_WINDOW 1024
#define UTS_LEN 65
#define UTS_RELEASE 2
#define N_UTS 6
#define RESOURCE_WINDOW 64
#define MAX_RESOURCES 256
#define NAME_MOST 64

/* Six texts of the same length: what the kernel calls itself, and its release, are known. */
static void
find_uts(LinuxInfer *f)
{
	static const char *const names[] = { "name.sysname", "name.nodename", "name.release",
					     "name.version" };
	const char *release = f->os->found ? f->os->found->release : NULL;
	guint8 bytes[UTS_WINDOW];
	LinuxOnly uts = { 0 };
	guint64 va;

	if (!release || !linux_symbol(f->os, "init_uts_ns", &va, NULL))
		return;
	gsize len = vmifs_aspace_read_some(f->os->aspace, va, bytes, sizeof bytes, NULL);
	for (gsize off = 0; off + N_UTS * UTS_LEN <= len; off++) {
		if (!memcmp(bytes + off, "Linux", 6) &&
		    !strncmp((char *) bytes + off + UTS_RELEASE * UTS_LEN, release, UTS_LEN))
			linux_only_add(&uts, off);
	}
	if (!linux_infer_only(f, &uts, "uts_namespace.name"))
		return;
	for (gsize i = 0; i < G_N_ELEMENTS(names); i++)
		linux_inferred_put_array(f->table, "uts_namespace", names[i], uts.at + i * UTS_LEN,
					 1, UTS_LEN);
}

/* ---- resources: { start, end, name, flags, desc, parent, sibling, child } ---- */

typedef struct {
	gsize name, parent; /* sibling and child are behind parent */
} Resource;

static guint64
address_at(const LinuxInfer *f, const Resource *r, guint64 va)
{
	guint64 low = linux_infer_u32(f, va);

	return r->name == 8 ? low : low | (guint64) linux_infer_u32(f, va + 4) << 32;
}

/* Children in order of their addresses, within their parent's, and with a name. */
static gboolean
are_children(const LinuxInfer *f, const Resource *r, guint64 parent)
{
	gsize width = r->name / 2;
	guint64 next = address_at(f, r, parent), last = address_at(f, r, parent + width);
	guint64 child = linux_infer_ptr(f, parent + r->parent + 2 * f->ptr);
	guint n = 0;

	for (; child && n < MAX_RESOURCES; n++) {
		guint64 start = linux_infer_is_kernel(f, child) ? address_at(f, r, child) : 0;
		guint64 end = address_at(f, r, child + width);
		g_autofree char *name = vmifs_aspace_read_string(
			f->os->aspace, linux_infer_ptr(f, child + r->name), NAME_MOST, NULL);

		if (!linux_infer_is_kernel(f, child) || start < next || start > end || end > last ||
		    !name || !g_ascii_isprint(name[0]) ||
		    linux_infer_ptr(f, child + r->parent) != parent)
			return FALSE;
		next = end + 1;
		child = linux_infer_ptr(f, child + r->parent + f->ptr);
	}
	return n > 1;
}

/* Addresses are as long as physical ones, which the place of the name tells. */
static void
find_resources(LinuxInfer *f)
{
	LinuxOnly resource = { 0 };
	Resource r, found = { 0 };
	guint64 root;

	if (!linux_symbol(f->os, "iomem_resource", &root, NULL))
		return;
	for (gsize width = f->ptr; width <= 8; width += 4) {
		r.name = 2 * width;
		g_autofree char *name = vmifs_aspace_read_string(
			f->os->aspace, linux_infer_ptr(f, root + r.name), NAME_MOST, NULL);
		if (g_strcmp0(name, "PCI mem"))
			continue;
		for (r.parent = r.name + 2 * f->ptr; r.parent + 3 * f->ptr <= RESOURCE_WINDOW;
		     r.parent += f->ptr) {
			if (linux_infer_ptr(f, root + r.parent) ||
			    linux_infer_ptr(f, root + r.parent + f->ptr) ||
			    !are_children(f, &r, root))
				continue;
			linux_only_add(&resource, r.parent);
			found = r;
		}
	}
	if (!linux_infer_only(f, &resource, "resource"))
		return;
	linux_inferred_put(f->table, "resource", "start", 0, found.name / 2);
	linux_inferred_put(f->table, "resource", "end", found.name / 2, found.name / 2);
	linux_inferred_put(f->table, "resource", "name", found.name, f->ptr);
	linux_inferred_put(f->table, "resource", "sibling", found.parent + f->ptr, f->ptr);
	linux_inferred_put(f->table, "resource", "child", found.parent + 2 * f->ptr, f->ptr);
}

void
linux_infer_named(LinuxInfer *f)
{
	find_uts(f);
	find_resources(f);
}
