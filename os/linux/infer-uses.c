/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * infer-uses: of struct module what its line in /proc/modules tells beside its name: who uses it,
 * which leads from module to module, and how it taints the kernel.
 *
 *   .. init | core_layout ..    taints num_bugs bug_list bug_table    source_list target_list exit
 * refcnt
 *
 * (include/linux/module.h, 3.19 to 7.2; since 6.4 it is mem in place of core_layout)
 */
#include "infer.h"

#include "list.h"

#define NODE_WORK 64
#define MAX_USES 4096
#define MAX_BUGS 65536
#define MAX_REFS (1 << 24)
#define BEHIND_NAME(f) (2 * (f)->ptr + 64)
/* Where the layout begins is aligned to a cache line. */
#define LINE 64

/* ---- who uses whom: { source_list, target_list, source, target } ---- */

typedef struct {
	LinuxInfer *f;
	const LinuxSample *modules;
	guint64 module;
	gboolean is_source; /* the list of those that use it; or of those that it uses */
	guint n, strange;
} Uses;

static gboolean
visit_use(guint64 node, gpointer user)
{
	Uses *u = user;
	guint ptr = u->f->ptr;
	guint64 use = u->is_source ? node : node - 2 * ptr;
	guint64 source = linux_infer_ptr(u->f, use + 4 * ptr);
	guint64 target = linux_infer_ptr(u->f, use + 5 * ptr);

	if (!linux_infer_goes_on(u->f, NODE_WORK) || ++u->n > MAX_USES)
		return FALSE;
	if ((u->is_source ? target : source) != u->module ||
	    !linux_sample_has(u->modules, u->is_source ? source : target, NULL))
		u->strange++;
	return !u->strange;
}

/* FALSE: it is no such list. */
static gboolean
count_uses(LinuxInfer *f, const LinuxSample *modules, guint i, gsize off, gboolean is_source,
	   guint *ret)
{
	guint64 module = linux_sample_at(modules, i);
	Uses u = { f, modules, module, is_source, 0, 0 };

	if (!linux_infer_is_kernel(f, linux_sample_ptr(modules, i, off)) ||
	    !linux_list_each(f->os->aspace, module + off, MAX_USES, visit_use, &u, f->call, NULL))
		return FALSE;
	*ret = u.n;
	return !u.strange;
}

/* Each use is in two lists, and counted; whoever lives has one more of himself. */
static gboolean
are_uses(LinuxInfer *f, const LinuxSample *modules, gsize off)
{
	guint users, used, n_users = 0, n_used = 0;

	for (guint i = 0; i < linux_sample_n(modules); i++) {
		guint64 exit = linux_sample_ptr(modules, i, off + 4 * f->ptr);
		guint32 refs = linux_sample_u32(modules, i, off + 5 * f->ptr);

		if ((exit && !linux_infer_is_kernel(f, exit & ~(guint64) 3)) || refs > MAX_REFS ||
		    !count_uses(f, modules, i, off, TRUE, &users) ||
		    !count_uses(f, modules, i, off + 2 * f->ptr, FALSE, &used) || refs < users + 1)
			return FALSE;
		n_users += users;
		n_used += used;
	}
	return n_users && n_users == n_used;
}

static void
find_uses(LinuxInfer *f, const LinuxSample *modules)
{
	LinuxOnly uses = { 0 };

	for (gsize off = BEHIND_NAME(f); off + 5 * f->ptr + 4 <= modules->len; off += f->ptr) {
		if (linux_infer_goes_on(f, NODE_WORK) && are_uses(f, modules, off))
			linux_only_add(&uses, off);
	}
	if (!linux_infer_put_only(f, &uses, "module", "source_list", 2 * f->ptr))
		return;
	linux_inferred_put(f->table, "module", "exit", uses.at + 4 * f->ptr, f->ptr);
	linux_inferred_put(f->table, "module", "refcnt", uses.at + 5 * f->ptr, 4);
	linux_inferred_put(f->table, "module_use", "source_list", 0, 2 * f->ptr);
	linux_inferred_put(f->table, "module_use", "source", 4 * f->ptr, f->ptr);
}

/* ---- taints ---- */

typedef struct {
	LinuxInfer *f;
	const LinuxSample *modules;
	gsize off;
	guint n, strangers;
} Bugs;

static gboolean
visit_bugs(guint64 node, gpointer user)
{
	Bugs *b = user;

	b->n++;
	if (!linux_sample_has(b->modules, node - b->off, NULL))
		b->strangers++;
	return b->strangers <= 1 && linux_infer_goes_on(b->f, NODE_WORK);
}

/* A ring of all of them and nothing but its head, and a table of what num_bugs counts. */
static gboolean
are_bugs(LinuxInfer *f, const LinuxSample *modules, gsize off)
{
	guint n = linux_sample_n(modules);
	Bugs b = { f, modules, off, 0, 0 };

	for (guint i = 0; i < n; i++) {
		guint32 bugs = linux_sample_u32(modules, i, off - f->ptr);
		guint64 table = linux_sample_ptr(modules, i, off + 2 * f->ptr);

		if (bugs > MAX_BUGS ||
		    linux_sample_ptr(modules, i, off - 2 * f->ptr) > G_MAXINT32 ||
		    (bugs && !linux_infer_is_kernel(f, table)) ||
		    !linux_infer_is_kernel(f, linux_sample_ptr(modules, i, off)))
			return FALSE;
	}
	return linux_list_each(f->os->aspace, linux_sample_at(modules, 0) + off, LINUX_SAMPLE_MOST,
			       visit_bugs, &b, f->call, NULL) &&
	       b.n == n && b.strangers == 1;
}

static void
find_taints(LinuxInfer *f, const LinuxSample *modules)
{
	LinuxOnly bugs = { 0 };

	for (gsize off = BEHIND_NAME(f) + 2 * f->ptr; off + 3 * f->ptr <= modules->len;
	     off += f->ptr) {
		if (linux_infer_goes_on(f, NODE_WORK) && are_bugs(f, modules, off))
			linux_only_add(&bugs, off);
	}
	if (linux_infer_only(f, &bugs, "module.bug_list"))
		linux_inferred_put(f->table, "module", "taints", bugs.at - 2 * f->ptr, f->ptr);
}

/* ---- init ---- */

/* Where the data of a module is. */
typedef struct {
	gsize at; /* of its first memory */
	gsize piece,
		len; /* of several, since 6.4: their size in them, their length; 0: it is one */
	guint n;
} Memory;

static gboolean
is_data(const LinuxInfer *f, const LinuxSample *modules, guint i, const Memory *m, guint64 va)
{
	if (!m->len) {
		guint64 at = va - linux_sample_ptr(modules, i, m->at);
		guint32 size = linux_sample_u32(modules, i, m->at + f->ptr);
		guint32 text = linux_sample_u32(modules, i, m->at + f->ptr + 4);

		return at >= text && at < size;
	}
	for (guint k = 1; k < m->n; k++) {
		gsize off = m->at + k * m->len;

		if (va - linux_sample_ptr(modules, i, off) <
		    linux_sample_u32(modules, i, off + m->piece))
			return TRUE;
	}
	return FALSE;
}

/* What started it is none of its data, and mostly no part of it any more. Between that and its
 * memory nothing is. */
static gboolean
is_init(const LinuxInfer *f, const LinuxSample *modules, gsize off, const Memory *m)
{
	guint n_with = 0;

	for (guint i = 0; i < linux_sample_n(modules); i++) {
		guint64 init = linux_sample_ptr(modules, i, off);

		if (init && (!linux_infer_is_kernel(f, init & ~(guint64) 3) ||
			     is_data(f, modules, i, m, init)))
			return FALSE;
		for (gsize gap = off + f->ptr; gap < m->at; gap += f->ptr)
			if (linux_sample_ptr(modules, i, gap))
				return FALSE;
		n_with += init != 0;
	}
	return n_with;
}

static void
find_init(LinuxInfer *f, const LinuxSample *modules, const Memory *m)
{
	LinuxOnly init = { 0 };

	for (gsize off = m->at - MIN(m->at, LINE); off < m->at; off += f->ptr)
		if (is_init(f, modules, off, m))
			linux_only_add(&init, off);
	linux_infer_put_only(f, &init, "module", "init", f->ptr);
}

void
linux_infer_uses(LinuxInfer *f, const LinuxSample *modules)
{
	guint64 at, size, elem_size, count;
	Memory m = { 0 };

	find_uses(f, modules);
	find_taints(f, modules);
	if (linux_inferred_get_array(f->table, "module", "mem", &at, &elem_size, &count) &&
	    linux_inferred_get(f->table, "module_memory", "size", &size))
		m = (Memory){ at, size, elem_size, (guint) count };
	else if (linux_inferred_get(f->table, "module", "core_layout.base", &at))
		m.at = at;
	if (m.at)
		find_init(f, modules, &m);
}
