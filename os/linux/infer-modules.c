/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * infer-modules: struct module, as far as symbols of modules need it. Its list is known by name;
 * its table of symbols is in it, and pointed to from in front of that:
 *
 *   state list name .. num_gpl_syms gpl_syms .. base size text_size .. kallsyms { symtab n strtab }
 */
#include "infer.h"

#include "list.h"

#include <spi/bytes.h>

#include <string.h>

#define MAX_MODULES 512
#define MODULE_WINDOW(f) (160 * (f)->ptr)
#define LEAST_MODULE(f) (64 * (f)->ptr)
#define NAME_AT(f) (3 * (f)->ptr)
#define NAME_LEN(f) (64 - (f)->ptr)
#define MAX_SYMBOLS (1024 * 1024)
#define MAX_EXPORTS 65536
#define MAX_SIZE (256 << 20)
#define SYMBOL_NAME 512
#define SYMBOL_LEN(f) ((f)->ptr == 8 ? 24u : 16u)
#define STATE_LIVE 0
#define STATE_UNFORMED 3
#define NODE_WORK 64
/* Of a module's memory: text, three kinds of data, and three for its start (6.4 to 7.2). */
#define LEAST_PIECES 4
#define MAX_PIECES 16
#define MAX_PIECE(f) (16 * (f)->ptr)

typedef struct {
	LinuxInfer *f;
	LinuxSample modules; /* those that live */
	guint strange;
} Walk;

/* { state, list, name }, in all kernels that there have been. */
static gboolean
visit(guint64 node, gpointer user)
{
	Walk *w = user;
	LinuxInfer *f = w->f;
	guint64 module = node - f->ptr;
	guint8 name[64] = { 0 };
	guint32 state = linux_infer_u32(f, module);

	if (!linux_infer_goes_on(f, NODE_WORK) || linux_sample_n(&w->modules) >= MAX_MODULES)
		return FALSE;
	if (state == STATE_UNFORMED)
		return TRUE;
	if (state > STATE_UNFORMED ||
	    !vmifs_aspace_read(f->os->aspace, module + NAME_AT(f), name, NAME_LEN(f), NULL) ||
	    !g_ascii_isalnum(name[0]) || !memchr(name, 0, NAME_LEN(f)))
		w->strange++;
	else if (state == STATE_LIVE)
		linux_sample_add_part(&w->modules, f->os->aspace, module, LEAST_MODULE(f));
	return TRUE;
}

/* ---- symbols ---- */

/* A live module's table is its own; the first symbol of ELF is nothing. */
static gboolean
has_table(const LinuxInfer *f, const LinuxSample *modules, guint i, gsize off)
{
	const guint8 nothing[24] = { 0 };
	guint8 symbol[24];
	guint64 symtab = linux_sample_ptr(modules, i, off + f->ptr);
	guint32 n = linux_sample_u32(modules, i, off + 2 * f->ptr);
	guint64 strtab = linux_sample_ptr(modules, i, off + 3 * f->ptr);

	return linux_sample_ptr(modules, i, off) == linux_sample_at(modules, i) + off + f->ptr &&
	       n > 0 && n <= MAX_SYMBOLS && linux_infer_is_kernel(f, symtab) &&
	       linux_infer_is_kernel(f, strtab & ~(guint64) 3) &&
	       vmifs_aspace_read(f->os->aspace, symtab, symbol, SYMBOL_LEN(f), NULL) &&
	       !memcmp(symbol, nothing, SYMBOL_LEN(f)) &&
	       vmifs_aspace_read(f->os->aspace, strtab, symbol, 1, NULL) && !symbol[0];
}

/* Behind the names, since 5.2: a letter for each symbol. */
static gboolean
has_letters(const LinuxInfer *f, const LinuxSample *modules, guint i, gsize off)
{
	guint64 letters = linux_sample_ptr(modules, i, off + 4 * f->ptr);
	guint32 n = MIN(linux_sample_u32(modules, i, off + 2 * f->ptr), 64);
	guint8 bytes[64];

	if (!linux_infer_is_kernel(f, letters & ~(guint64) 3) ||
	    !vmifs_aspace_read(f->os->aspace, letters, bytes, n, NULL))
		return FALSE;
	for (guint32 k = 0; k < n; k++) {
		if (!g_ascii_isalpha(bytes[k]) && bytes[k] != '?' && bytes[k] != '-')
			return FALSE;
	}
	return TRUE;
}

static void
find_tables(LinuxInfer *f, const LinuxSample *modules)
{
	guint n = linux_sample_n(modules), with = 0;
	LinuxOnly table = { 0 };

	for (gsize off = NAME_AT(f); off + 5 * f->ptr <= modules->len; off += f->ptr) {
		guint i = 0;

		while (i < n && linux_infer_goes_on(f, NODE_WORK) && has_table(f, modules, i, off))
			i++;
		if (n && i == n)
			linux_only_add(&table, off);
	}
	if (!linux_infer_only(f, &table, "module.kallsyms"))
		return;
	for (guint i = 0; i < n; i++)
		with += has_letters(f, modules, i, table.at);
	if (with && with < n) {
		linux_infer_lacks(f, "mod_kallsyms.typetab", "not all modules have it");
		return;
	}
	linux_inferred_put(f->table, "module", "kallsyms", table.at, f->ptr);
	linux_inferred_put(f->table, "mod_kallsyms", "symtab", 0, f->ptr);
	linux_inferred_put(f->table, "mod_kallsyms", "num_symtab", f->ptr, 4);
	linux_inferred_put(f->table, "mod_kallsyms", "strtab", 2 * f->ptr, f->ptr);
	if (with)
		linux_inferred_put(f->table, "mod_kallsyms", "typetab", 3 * f->ptr, f->ptr);
}

/* ---- exports ---- */

/* Value, name and name space: distances from where they stand, or pointers. */
typedef struct {
	gboolean is_relative;
	gsize len;
} Export;

static char *
export_name(const LinuxInfer *f, const Export *e, guint64 entry)
{
	guint64 at = entry + (e->is_relative ? 4 : f->ptr), name;

	if (e->is_relative)
		name = linux_wrap(f->os, at + (guint64) (gint64) (gint32) linux_infer_u32(f, at));
	else
		name = linux_infer_ptr(f, at);
	return linux_infer_is_kernel(f, name & ~(guint64) 3)
		       ? vmifs_aspace_read_string(f->os->aspace, name, SYMBOL_NAME, NULL)
		       : NULL;
}

/* A table of exports is in order of names. */
static gboolean
are_exports(const LinuxInfer *f, const Export *e, guint64 table, guint32 n)
{
	g_autofree char *last = NULL;

	if (!linux_infer_is_kernel(f, table) || n > MAX_EXPORTS)
		return FALSE;
	for (guint32 i = 0; i < n; i++) {
		g_autofree char *name = linux_infer_goes_on(f, SYMBOL_NAME)
						? export_name(f, e, table + i * (guint64) e->len)
						: NULL;
		if (!name || !(g_ascii_isalpha(name[0]) || name[0] == '_') ||
		    (last && strcmp(last, name) >= 0))
			return FALSE;
		for (const char *c = name; *c; c++) {
			if (!g_ascii_isalnum(*c) && *c != '_' && *c != '.')
				return FALSE;
		}
		g_free(last);
		last = g_steal_pointer(&name);
	}
	return TRUE;
}

/* FALSE: not all modules have such a table at off, and how many are in it at off + count.
 * *ret_with: so many have one. */
static gboolean
are_tables(const LinuxInfer *f, const LinuxSample *modules, const Export *e, gsize off,
	   gssize count, guint *ret_with)
{
	*ret_with = 0;
	for (guint i = 0; i < linux_sample_n(modules); i++) {
		guint32 n = linux_sample_u32(modules, i, off + count);
		guint64 table = linux_sample_ptr(modules, i, off);

		if (n ? !are_exports(f, e, table, n) : table != 0)
			return FALSE;
		*ret_with += n != 0;
	}
	return *ret_with;
}

/* A byte for each: is it for free software alone? */
static gboolean
are_flags(const LinuxInfer *f, const LinuxSample *modules, gsize off, gssize count)
{
	for (guint i = 0; i < linux_sample_n(modules); i++) {
		guint32 n = linux_sample_u32(modules, i, off + count);
		guint64 flags = linux_sample_ptr(modules, i, off);
		guint8 flag;

		for (guint32 k = 0; k < n; k++)
			if (!linux_infer_goes_on(f, 1) ||
			    !vmifs_aspace_read_u8(f->os->aspace, flags + k, &flag, NULL) ||
			    flag > 1)
				return FALSE;
	}
	return TRUE;
}

/* Those for free software alone, { num_gpl_syms, gpl_syms }; in 7.2 there is one table for all,
 * { syms, crcs, flagstab, num_syms }. */
static void
find_exports(LinuxInfer *f, const LinuxSample *modules)
{
	const Export forms[] = { { TRUE, 12 }, { FALSE, 3 * f->ptr } };
	gssize behind = 3 * (gssize) f->ptr;
	LinuxOnly gpl = { 0 }, all = { 0 };
	Export form = { 0 };
	guint with;

	for (gsize off = NAME_AT(f) + NAME_LEN(f); off + 3 * f->ptr + 4 <= modules->len;
	     off += f->ptr) {
		for (gsize k = 0; k < G_N_ELEMENTS(forms); k++) {
			gboolean is_gpl = are_tables(f, modules, &forms[k], off, -4, &with);
			gboolean is_all = are_tables(f, modules, &forms[k], off, behind, &with) &&
					  are_flags(f, modules, off + 2 * f->ptr, (gssize) f->ptr);

			if (is_gpl)
				linux_only_add(&gpl, off);
			if (is_all)
				linux_only_add(&all, off);
			if (is_gpl || is_all)
				form = forms[k];
		}
	}
	if (all.n && !gpl.n) {
		if (!linux_infer_put_only(f, &all, "module", "syms", f->ptr))
			return;
		linux_inferred_put(f->table, "module", "num_syms", all.at + (gsize) behind, 4);
	} else {
		gpl.n += all.n;
		if (!linux_infer_put_only(f, &gpl, "module", "gpl_syms", f->ptr))
			return;
		linux_inferred_put(f->table, "module", "num_gpl_syms", gpl.at - 4, 4);
	}
	linux_inferred_put(f->table, "kernel_symbol", form.is_relative ? "value_offset" : "value",
			   0, form.len / 3);
	linux_inferred_put(f->table, "kernel_symbol", form.is_relative ? "name_offset" : "name",
			   form.len / 3, form.len / 3);
	linux_inferred_put_size(f->table, "kernel_symbol", form.len);
}

/* ---- memory ---- */

static gboolean
is_memory(const LinuxInfer *f, guint64 base, guint32 size)
{
	return linux_infer_is_kernel(f, base) && base % linux_page_size(f->os) == 0 && size &&
	       size <= MAX_SIZE;
}

/* Until 6.4: one piece, with the module itself in it, of which the first part is text. */
static gboolean
is_layout(const LinuxInfer *f, const LinuxSample *modules, guint i, gsize off)
{
	guint64 base = linux_sample_ptr(modules, i, off);
	guint32 size = linux_sample_u32(modules, i, off + f->ptr), last = 0;

	for (gsize k = 1; k <= 3; k++) {
		guint32 end = linux_sample_u32(modules, i, off + f->ptr + 4 * k);
		if (end % linux_page_size(f->os) || end < last || end > size)
			return FALSE;
		last = end;
	}
	return is_memory(f, base, size) && linux_sample_at(modules, i) - base < size;
}

/* Since then several, each of which says whose it is, behind its size:
 *
 *   base size mod ..  |  base is_rox size mod ..  |  base rw_copy is_rox size mod ..
 *
 * (6.4, 6.14 and 6.13; sizes are whole pages, so none is a bool) */
typedef struct {
	gsize at, size, owner, len; /* of the first in a module; in a piece; of a piece */
	guint n;
} Pieces;

static gboolean
is_piece(const LinuxInfer *f, const LinuxSample *modules, guint i, const Pieces *p, guint k)
{
	gsize off = p->at + k * p->len;
	guint64 base = linux_sample_ptr(modules, i, off);
	guint32 size = linux_sample_u32(modules, i, off + p->size);

	/* All have a text; what only starts it is gone afterwards. */
	return linux_sample_ptr(modules, i, off + p->owner) == linux_sample_at(modules, i) &&
	       ((!size && !base && k) ||
		(is_memory(f, base, size) && size % linux_page_size(f->os) == 0));
}

static gboolean
are_pieces(const LinuxInfer *f, const LinuxSample *modules, const Pieces *p, guint k)
{
	guint i = 0;

	if (p->at + k * p->len + p->owner + f->ptr > modules->len)
		return FALSE;
	while (i < linux_sample_n(modules) && is_piece(f, modules, i, p, k))
		i++;
	return i && i == linux_sample_n(modules);
}

/* The second is data, where the module itself is: so the first is its text. */
static gboolean
is_second(const LinuxSample *modules, const Pieces *p)
{
	gsize off = p->at + p->len;

	for (guint i = 0; i < linux_sample_n(modules); i++)
		if (linux_sample_at(modules, i) - linux_sample_ptr(modules, i, off) >=
		    linux_sample_u32(modules, i, off + p->size))
			return FALSE;
	return TRUE;
}

/* As many as follow one another at the same distance. */
static gboolean
count_pieces(LinuxInfer *f, const LinuxSample *modules, Pieces *p)
{
	if (!linux_infer_goes_on(f, linux_sample_n(modules)) || !are_pieces(f, modules, p, 0))
		return FALSE;
	for (p->len = p->owner + f->ptr; p->len <= MAX_PIECE(f); p->len += f->ptr) {
		for (p->n = 1; p->n < MAX_PIECES && are_pieces(f, modules, p, p->n); p->n++)
			;
		if (p->n >= LEAST_PIECES)
			return is_second(modules, p);
	}
	return FALSE;
}

static gboolean
find_pieces(LinuxInfer *f, const LinuxSample *modules)
{
	LinuxOnly place = { 0 };
	Pieces found = { 0 };

	for (gsize off = NAME_AT(f) + NAME_LEN(f); off < modules->len; off += f->ptr) {
		const Pieces forms[] = {
			{ .at = off, .size = f->ptr, .owner = 2 * f->ptr },
			{ .at = off, .size = f->ptr + 4, .owner = f->ptr == 8 ? 16 : 12 },
			{ .at = off, .size = 2 * f->ptr + 4, .owner = f->ptr == 8 ? 24 : 16 },
		};
		for (gsize k = 0; k < G_N_ELEMENTS(forms); k++) {
			Pieces p = forms[k];

			if (!count_pieces(f, modules, &p))
				continue;
			/* Those behind the first begin like it. */
			if (!place.n || off - found.at >= found.n * found.len)
				linux_only_add(&place, off);
			if (place.n == 1 && !found.n)
				found = p;
		}
	}
	if (!place.n || !linux_infer_only(f, &place, "module.mem"))
		return FALSE;
	linux_inferred_put_array(f->table, "module", "mem", found.at, found.len, found.n);
	linux_inferred_put(f->table, "module_memory", "base", 0, f->ptr);
	linux_inferred_put(f->table, "module_memory", "size", found.size, 4);
	return TRUE;
}

static gboolean
fits_all(LinuxInfer *f, const LinuxSample *modules, gsize off)
{
	guint i = 0;

	while (i < linux_sample_n(modules) && is_layout(f, modules, i, off))
		i++;
	return i && i == linux_sample_n(modules);
}

static void
find_memory(LinuxInfer *f, const LinuxSample *modules)
{
	LinuxOnly layout = { 0 };

	if (find_pieces(f, modules))
		return;
	for (gsize off = NAME_AT(f) + NAME_LEN(f); off + 2 * f->ptr + 12 <= modules->len;
	     off += f->ptr)
		if (fits_all(f, modules, off))
			linux_only_add(&layout, off);
	if (!linux_infer_only(f, &layout, "module.core_layout"))
		return;
	linux_inferred_put(f->table, "module", "core_layout.base", layout.at, f->ptr);
	linux_inferred_put(f->table, "module", "core_layout.size", layout.at + f->ptr, 4);
	linux_inferred_put(f->table, "module", "core_layout.text_size", layout.at + f->ptr + 4, 4);
}

void
linux_infer_modules(LinuxInfer *f)
{
	Walk w = { .f = f };
	guint64 head;

	if (!linux_symbol(f->os, "modules", &head, NULL))
		return;
	linux_sample_init(&w.modules, f->ptr, MODULE_WINDOW(f));
	linux_list_each(f->os->aspace, head, MAX_MODULES, visit, &w, f->call, NULL);
	if (w.strange || !linux_sample_n(&w.modules)) {
		linux_infer_lacks(f, "module",
				  w.strange ? "what its list holds has no names"
					    : "none is loaded");
	} else {
		g_string_append_printf(f->checked, ", %u modules", linux_sample_n(&w.modules));
		linux_inferred_put(f->table, "module", "state", 0, 4);
		linux_inferred_put(f->table, "module", "list", f->ptr, 2 * f->ptr);
		linux_inferred_put_array(f->table, "module", "name", NAME_AT(f), 1, NAME_LEN(f));
		find_tables(f, &w.modules);
		find_exports(f, &w.modules);
		find_memory(f, &w.modules);
		linux_infer_uses(f, &w.modules);
	}
	linux_sample_clear(&w.modules);
}
