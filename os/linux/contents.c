/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * contents: the list of modules is the one pair of pointers in the kernel's image from which a ring
 * goes through modules and back:
 *
 *   head { next prev } --> module { state list name[] .. kallsyms --. { symtab .. } }
 *                                                right behind itself ^
 *
 * state, list and name stand first in all kernels that there have been (include/linux/module.h);
 * each module that lives has its table of symbols behind a pointer to it, all at the same place.
 * Where two lists look so, or none, nothing is said.
 */
#include "contents.h"

#include "infer.h"
#include "list.h"
#include "machine.h"

#include <spi/bytes.h>

#include <string.h>

/* Of an image behind its text; Debian's have some 16 MB. */
#define MAX_SPAN (64u << 20)
#define CHUNK (256u * 1024)
#define MAX_MODULES 512
#define NAME_AT(s) (3 * (s)->ptr)
#define NAME_LEN(s) (64 - (s)->ptr)
#define MOST_BEGINNING (3 * 8 + 64)
#define WINDOW(s) (160 * (s)->ptr)
#define LEAST_MODULE(s) (64 * (s)->ptr)
#define STATE_LIVE 0
#define STATE_UNFORMED 3
/* Pairs that may be heads, those whose first element points back, elements of their rings. A guest
 * may have any number. */
#define MAX_PAIRS (1024 * 1024)
#define MAX_RINGS 65536
#define MAX_NODES 262144
/* A running guest may load a module just then. */
#define TRIES 3

typedef struct {
	const Linux *os;
	const VmifsCall *call;
	guint ptr;
	guint64 text, start, end; /* the image; from start on it is searched */
	guint64 lowest;           /* of the kernel's addresses */
	guint n_pairs, n_rings, n_nodes;
	LinuxOnly head;
	LinuxSample modules; /* of the ring that is looked at: those that live */
	gboolean is_strange;
} Search;

/* As its file is called; zeros up to the end. */
static gboolean
is_name(const guint8 *name, gsize max)
{
	gsize len = strnlen((const char *) name, max);

	for (gsize i = 0; i < max; i++) {
		if (i < len ? !g_ascii_isalnum(name[i]) && name[i] != '_' && name[i] != '-'
			    : name[i] != 0)
			return FALSE;
	}
	return len && len < max;
}

static gboolean
is_module(Search *s, guint64 module)
{
	guint8 bytes[MOST_BEGINNING];

	if (!vmifs_aspace_read(s->os->aspace, module, bytes, NAME_AT(s) + NAME_LEN(s), NULL))
		return FALSE;
	guint32 state = vmifs_load_u32(bytes);
	if (state == STATE_UNFORMED)
		return TRUE;
	return state < STATE_UNFORMED && is_name(bytes + NAME_AT(s), NAME_LEN(s)) &&
	       (state != STATE_LIVE ||
		linux_sample_add_part(&s->modules, s->os->aspace, module, LEAST_MODULE(s)));
}

static gboolean
visit(guint64 node, gpointer user)
{
	Search *s = user;

	s->is_strange = ++s->n_nodes > MAX_NODES || !is_module(s, node - s->ptr);
	return !s->is_strange;
}

/* Is there a place at which each of them points to what follows? */
static gboolean
have_tables(const LinuxSample *modules)
{
	guint n = linux_sample_n(modules), ptr = modules->ptr;

	for (gsize off = 3 * ptr; off + 2 * ptr <= modules->len; off += ptr) {
		guint i = 0;

		while (i < n &&
		       linux_sample_ptr(modules, i, off) == linux_sample_at(modules, i) + off + ptr)
			i++;
		if (n && i == n)
			return TRUE;
	}
	return FALSE;
}

static gboolean
is_head(Search *s, guint64 head)
{
	s->is_strange = FALSE;
	linux_sample_init(&s->modules, s->ptr, WINDOW(s));
	gboolean fits =
		linux_list_each(s->os->aspace, head, MAX_MODULES, visit, s, s->call, NULL) &&
		!s->is_strange && have_tables(&s->modules);
	linux_sample_clear(&s->modules);
	return fits;
}

/* Modules lie outside of the image. */
static gboolean
is_outside(const Search *s, guint64 va)
{
	return !(va & (s->ptr - 1)) && va >= s->lowest && va - s->text >= s->end - s->text;
}

static guint64
pointer_at(const Search *s, const guint8 *bytes)
{
	return s->ptr == 8 ? vmifs_load_u64(bytes) : vmifs_load_u32(bytes);
}

/* FALSE: it is too much. */
static gboolean
look(Search *s, const guint8 *bytes, gsize len, guint64 va)
{
	guint64 back;

	for (gsize at = 0; at + 2 * s->ptr <= len; at += s->ptr) {
		guint64 next = pointer_at(s, bytes + at);

		if (!is_outside(s, next) || !is_outside(s, pointer_at(s, bytes + at + s->ptr)))
			continue;
		if (++s->n_pairs > MAX_PAIRS)
			return FALSE;
		if (!vmifs_aspace_read_ptr(s->os->aspace, next + s->ptr, &back, NULL) ||
		    back != va + at)
			continue;
		if (is_head(s, va + at))
			linux_only_add(&s->head, va + at);
		if (++s->n_rings > MAX_RINGS || s->n_nodes > MAX_NODES)
			return FALSE;
	}
	return TRUE;
}

/* FALSE: it was given up, or is too much. */
static gboolean
pass(Search *s)
{
	g_autofree guint8 *chunk = g_malloc(CHUNK);

	for (guint64 va = s->start; va < s->end;) {
		gsize len = MIN(CHUNK, s->end - va);

		if (!vmifs_call_check(s->call, NULL))
			return FALSE;
		gsize got = vmifs_aspace_read_some(s->os->aspace, va, chunk, len, NULL);
		if (!look(s, chunk, got, va))
			return FALSE;
		/* Pieces overlap by a pointer: no pair is cut, and none seen twice. What the kernel
		 * has freed of its image may be a hole. */
		if (got < len)
			va = ((va + got) | (linux_page_size(s->os) - 1)) + 1;
		else
			va += len < CHUNK ? len : len - s->ptr;
	}
	return TRUE;
}

/* Behind variables that are set from the start lie those that are not; some of these are exported,
 * too. */
static void
extend(Search *s, const VmifsSymbols *symbols)
{
	VmifsSymbol symbol;

	for (gsize i = 0; symbols && i < vmifs_symbols_count(symbols); i++) {
		vmifs_symbols_get(symbols, i, &symbol);
		if (symbol.address > s->end && symbol.address - s->start <= MAX_SPAN)
			s->end = symbol.address;
	}
}

static gboolean
find_image(Search *s)
{
	const Linux *os = s->os;

	if (!linux_symbol(os, "_stext", &s->text, NULL) ||
	    !linux_symbol(os, "_etext", &s->start, NULL))
		return FALSE;
	s->start &= ~(linux_page_size(os) - 1);
	s->end = s->start;
	extend(s, os->symbols);
	extend(s, os->found ? os->found->exports : NULL);
	s->lowest = MAX(linux_kernel_start(os, s->text), linux_page_size(os));
	return s->text < s->start && s->start < s->end;
}

VmifsSymbols *
linux_contents_find(const Linux *os, const VmifsCall *call)
{
	Search s = { .os = os, .call = call, .ptr = linux_word(os) };
	gboolean is_whole = FALSE, is_done = FALSE;

	if (linux_machine(os)->has_followed || !find_image(&s))
		return NULL;
	for (guint i = 0; i < TRIES && !is_done; i++) {
		s.n_pairs = s.n_rings = s.n_nodes = 0;
		s.head = (LinuxOnly){ 0 };
		is_whole = pass(&s);
		is_done = !is_whole || s.head.n || vmifs_guest_is_frozen(os->guest);
	}
	if (!is_whole || s.head.n != 1) {
		vmifs_guest_log(os->guest, "the list of modules was not found: %s",
				!is_whole  ? "it takes too long"
				: s.head.n ? "several look like it"
					   : "none looks like it");
		return NULL;
	}
	VmifsSymbolsBuilder *builder = vmifs_symbols_builder_new();
	vmifs_symbols_builder_add(builder, s.head.at, '?', "modules", strlen("modules"));
	return vmifs_symbols_builder_end(builder);
}
