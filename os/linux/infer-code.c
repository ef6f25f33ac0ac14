/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* infer-code: see the header. */
#include "infer-code.h"

#include "machine.h"

#include <string.h>

#define MAX_MENTIONS 512

static void
keep(const LinuxMention *mention, gpointer user)
{
	LinuxFunction *function = user;

	if (function->mentions->len < MAX_MENTIONS)
		g_array_append_vals(function->mentions, mention, 1);
}

void
linux_function_clear(LinuxFunction *function)
{
	g_clear_pointer(&function->mentions, g_array_unref);
}

gboolean
linux_function_look(const Linux *os, const char *name, LinuxFunction *ret)
{
	const VmifsSymbols *symbols = os->symbols;
	guint8 code[LINUX_MENTIONS_MAX];
	guint64 cursor = 0, next;
	VmifsSymbol symbol;
	gsize index, other;

	if (!symbols || !linux_machine(os)->mentions ||
	    !vmifs_symbols_each(symbols, name, &cursor, &index) ||
	    vmifs_symbols_each(symbols, name, &cursor, &other))
		return FALSE;
	vmifs_symbols_get(symbols, index, &symbol);
	if (!vmifs_symbols_next(symbols, symbol.address, &next) ||
	    next - symbol.address > sizeof code ||
	    !vmifs_aspace_read(os->aspace, symbol.address, code, next - symbol.address, NULL))
		return FALSE;
	ret->mentions = g_array_new(FALSE, FALSE, sizeof(LinuxMention));
	linux_machine(os)->mentions(code, next - symbol.address, symbol.address, keep, ret);
	return ret->mentions->len && ret->mentions->len < MAX_MENTIONS;
}

void
linux_places_add(LinuxPlaces *places, guint64 at)
{
	guint i = 0;

	while (i < places->n && places->at[i] < at)
		i++;
	if ((i < places->n && places->at[i] == at) || places->n == LINUX_MAX_PLACES)
		return;
	memmove(&places->at[i + 1], &places->at[i], (places->n - i) * sizeof places->at[0]);
	places->at[i] = at;
	places->n++;
}

/* Is it behind the function's first argument, or behind what that points to there? */
static gboolean
is_of(const LinuxOperand *x, guint64 via)
{
	return x->argument == 0 &&
	       (via == LINUX_OF_ARGUMENT ? x->kind == LINUX_OPERAND_HANDED
					 : x->kind == LINUX_OPERAND_MEMBER && x->via == via);
}

LinuxPlaces
linux_function_places(const LinuxFunction *function, LinuxMentionKind kind, guint64 via,
		      guint width)
{
	LinuxPlaces found = { 0 };

	for (guint i = 0; i < function->mentions->len; i++) {
		const LinuxMention *m = &g_array_index(function->mentions, LinuxMention, i);

		if (m->kind == kind && m->width == width && is_of(&m->place, via))
			linux_places_add(&found, m->place.value);
	}
	return found;
}

gboolean
linux_function_only(const LinuxInfer *f, LinuxPlaces places, const char *what, guint64 *ret)
{
	LinuxOnly one = { places.n, places.at[0] };

	*ret = places.at[0];
	return linux_infer_only(f, &one, what);
}

LinuxPlaces
linux_function_hands(const LinuxInfer *f, const LinuxFunction *function, const char *callee,
		     guint argument, guint64 via)
{
	LinuxPlaces found = { 0 };
	guint64 address;

	if (!vmifs_symbols_lookup(f->os->symbols, callee, &address))
		return found;
	for (guint i = 0; i < function->mentions->len; i++) {
		const LinuxMention *m = &g_array_index(function->mentions, LinuxMention, i);

		if (m->kind == LINUX_MENTION_CALL && m->address == address &&
		    is_of(&m->arguments[argument], via))
			linux_places_add(&found, m->arguments[argument].value);
	}
	return found;
}

gboolean
linux_function_calls(const Linux *os, const LinuxFunction *function, const char *callee)
{
	guint64 address;

	if (!linux_symbol(os, callee, &address, NULL))
		return FALSE;
	for (guint i = 0; i < function->mentions->len; i++) {
		const LinuxMention *m = &g_array_index(function->mentions, LinuxMention, i);

		if (m->kind == LINUX_MENTION_CALL && m->address == address)
			return TRUE;
	}
	return FALSE;
}
