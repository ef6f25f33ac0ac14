/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * symbols: parallel arrays in kernel order over one arena of names. Most stores are made to be
 * listed or asked for a dozen names, so both indexes are built at their first use.
 *
 *   addresses[i]   names[i] -> arena: ... T s c h e d u l e \0 ...
 *                                         ^ type stands before the name
 *
 * Names are chosen by a guest: chains of equal names cost one step each to build, and the hash is
 * keyed, so that nobody can make the others long.
 */
#include "symbols.h"

#include <spi/siphash.h>
#include <string.h>

/* Symbols from `first` on belong to that module, up to the next run. */
typedef struct {
	gsize first;
	char *module; /* NULL = core kernel */
} Run;

struct VmifsSymbolsBuilder {
	VmifsSymbols *symbols;
	gsize n_room;
	gsize arena_len;
	gsize arena_room;
};

static void
clear_run(gpointer run)
{
	g_free(((Run *) run)->module);
}

VmifsSymbolsBuilder *
vmifs_symbols_builder_new(void)
{
	VmifsSymbolsBuilder *builder = g_new0(VmifsSymbolsBuilder, 1);

	builder->symbols = g_new0(VmifsSymbols, 1);
	builder->symbols->refs = 1;
	builder->symbols->runs = g_array_new(FALSE, FALSE, sizeof(Run));
	g_array_set_clear_func(builder->symbols->runs, clear_run);
	return builder;
}

void
vmifs_symbols_builder_free(VmifsSymbolsBuilder *builder)
{
	if (!builder)
		return;
	vmifs_symbols_unref(builder->symbols);
	g_free(builder);
}

/* Room for one more symbol with need bytes in the arena. */
static gboolean
reserve(VmifsSymbolsBuilder *builder, gsize need)
{
	VmifsSymbols *symbols = builder->symbols;

	if (symbols->n >= VMIFS_SYMBOLS_MOST ||
	    need > VMIFS_SYMBOLS_ARENA_MOST - builder->arena_len)
		return FALSE;
	if (symbols->n == builder->n_room) {
		builder->n_room = MAX(4096, 2 * builder->n_room);
		symbols->addresses = g_renew(guint64, symbols->addresses, builder->n_room);
		symbols->names = g_renew(guint32, symbols->names, builder->n_room);
	}
	if (need > builder->arena_room - builder->arena_len) {
		builder->arena_room = MAX(65536, 2 * builder->arena_room);
		builder->arena_room = MAX(builder->arena_room, builder->arena_len + need);
		symbols->arena = g_realloc(symbols->arena, builder->arena_room);
	}
	return TRUE;
}

gboolean
vmifs_symbols_builder_add(VmifsSymbolsBuilder *builder, guint64 address, char type,
			  const char *name, gsize name_len)
{
	VmifsSymbols *symbols = builder->symbols;
	char *to;

	if (name_len > VMIFS_SYMBOLS_ARENA_MOST || !reserve(builder, name_len + 2))
		return FALSE;
	to = symbols->arena + builder->arena_len;
	to[0] = vmifs_symbol_type(type);
	memcpy(to + 1, name, name_len);
	to[1 + name_len] = '\0';
	symbols->addresses[symbols->n] = address;
	symbols->names[symbols->n] = builder->arena_len + 1;
	symbols->n++;
	builder->arena_len += name_len + 2;
	return TRUE;
}

void
vmifs_symbols_builder_module(VmifsSymbolsBuilder *builder, const char *module)
{
	GArray *runs = builder->symbols->runs;
	Run run = { .first = builder->symbols->n, .module = g_strdup(module) };

	if (runs->len && g_array_index(runs, Run, runs->len - 1).first == run.first)
		g_array_set_size(runs, runs->len - 1);
	g_array_append_val(runs, run);
}

void
vmifs_symbols_builder_add_all(VmifsSymbolsBuilder *builder, const VmifsSymbols *base)
{
	gsize run = 0;

	vmifs_symbols_builder_module(builder, NULL);
	for (gsize i = 0; i < base->n; i++) {
		const char *name = base->arena + base->names[i];

		while (run < base->runs->len && g_array_index(base->runs, Run, run).first <= i)
			vmifs_symbols_builder_module(builder,
						     g_array_index(base->runs, Run, run++).module);
		if (!vmifs_symbols_builder_add(builder, base->addresses[i], name[-1], name,
					       strlen(name)))
			break;
	}
	vmifs_symbols_builder_module(builder, NULL);
}

VmifsSymbols *
vmifs_symbols_builder_end(VmifsSymbolsBuilder *builder)
{
	VmifsSymbols *symbols = builder->symbols;

	symbols->addresses = g_renew(guint64, symbols->addresses, symbols->n);
	symbols->names = g_renew(guint32, symbols->names, symbols->n);
	symbols->arena = g_realloc(symbols->arena, builder->arena_len);
	symbols->arena_len = builder->arena_len;
	g_free(builder);
	return symbols;
}

VmifsSymbols *
vmifs_symbols_ref(VmifsSymbols *symbols)
{
	g_atomic_int_inc(&symbols->refs);
	return symbols;
}

void
vmifs_symbols_unref(VmifsSymbols *symbols)
{
	VmifsNameIndex *by_name;

	if (!symbols || !g_atomic_int_dec_and_test(&symbols->refs))
		return;
	by_name = (VmifsNameIndex *) symbols->by_name;
	if (by_name && !symbols->packed) {
		g_free(by_name->heads);
		g_free(by_name->next);
	}
	g_free(by_name);
	g_free((guint32 *) symbols->by_address);
	g_array_unref(symbols->runs);
	g_free(symbols->addresses);
	if (symbols->packed) {
		g_bytes_unref(symbols->packed);
	} else {
		g_free(symbols->names);
		g_free(symbols->arena);
	}
	g_free(symbols);
}

gsize
vmifs_symbols_count(const VmifsSymbols *symbols)
{
	return symbols->n;
}

gsize
vmifs_symbols_size(const VmifsSymbols *symbols)
{
	return symbols->n * (sizeof *symbols->addresses + sizeof *symbols->names) +
	       symbols->arena_len;
}

static const char *
module_of(const VmifsSymbols *symbols, gsize index)
{
	gsize low = 0;
	gsize high = symbols->runs->len;

	/* Runs before low begin at or before index, those from high on after it. */
	while (low < high) {
		gsize middle = low + (high - low) / 2;
		if (g_array_index(symbols->runs, Run, middle).first <= index)
			low = middle + 1;
		else
			high = middle;
	}
	return low ? g_array_index(symbols->runs, Run, low - 1).module : NULL;
}

void
vmifs_symbols_get(const VmifsSymbols *symbols, gsize index, VmifsSymbol *ret)
{
	const char *name;

	g_assert(index < symbols->n);
	name = symbols->arena + symbols->names[index];
	*ret = (VmifsSymbol){
		.address = symbols->addresses[index],
		.name = name,
		.module = module_of(symbols, index),
		.type = name[-1],
	};
}

/* SipHash-1-3, less what makes its numbers those of others: of a hash that only multiplies names
 * can be made that fall together whatever the key. This runs over every name of the kernel. */
static gsize
hash_name(guint64 seed, const char *name, gsize len)
{
	guint64 v[4], word;

	vmifs_sip_start(v, seed, vmifs_sip_rotate(seed, 23));
	for (; len >= 8; name += 8, len -= 8) {
		memcpy(&word, name, 8);
		vmifs_sip_add(v, word, 1);
	}
	word = (guint64) len << 56;
	memcpy(&word, name, len);
	vmifs_sip_add(v, word, 1);
	return (gsize) vmifs_sip_end(v, 3);
}

static VmifsNameIndex *
build_by_name(const VmifsSymbols *symbols)
{
	VmifsNameIndex *index;
	gsize n_heads = 1;

	while (n_heads < symbols->n)
		n_heads *= 2;
	index = g_new(VmifsNameIndex, 1);
	index->heads = g_new(guint32, n_heads);
	index->seed = (guint64) g_random_int() << 32 | g_random_int();
	index->mask = n_heads - 1;
	index->next = g_new(guint32, symbols->n);
	memset(index->heads, 0xff, n_heads * sizeof index->heads[0]); /* VMIFS_SYMBOLS_NONE */
	/* Backwards, so that each chain is in kernel order. */
	for (gsize i = symbols->n; i-- > 0;) {
		const char *name = symbols->arena + symbols->names[i];
		guint32 *head =
			&index->heads[hash_name(index->seed, name, strlen(name)) & index->mask];
		index->next[i] = *head;
		*head = i;
	}
	return index;
}

const VmifsNameIndex *
vmifs_symbols_by_name(const VmifsSymbols *symbols)
{
	gsize *slot = (gsize *) &symbols->by_name;

	if (g_once_init_enter(slot))
		g_once_init_leave(slot, (gsize) build_by_name(symbols));
	return (const VmifsNameIndex *) *slot;
}

gboolean
vmifs_symbols_each(const VmifsSymbols *symbols, const char *name, guint64 *cursor, gsize *ret_index)
{
	const VmifsNameIndex *index = vmifs_symbols_by_name(symbols);
	guint32 i;

	/* A cursor is the index that was returned last, plus 1. */
	g_assert(*cursor <= symbols->n);
	i = *cursor ? index->next[*cursor - 1]
		    : index->heads[hash_name(index->seed, name, strlen(name)) & index->mask];
	while (i != VMIFS_SYMBOLS_NONE && !g_str_equal(symbols->arena + symbols->names[i], name))
		i = index->next[i];
	if (i == VMIFS_SYMBOLS_NONE)
		return FALSE;
	*cursor = (guint64) i + 1;
	*ret_index = i;
	return TRUE;
}

gboolean
vmifs_symbols_lookup(const VmifsSymbols *symbols, const char *name, guint64 *ret_address)
{
	guint64 cursor = 0;
	gsize index;

	if (!vmifs_symbols_each(symbols, name, &cursor, &index))
		return FALSE;
	*ret_address = symbols->addresses[index];
	return TRUE;
}

static int
compare_addresses(gconstpointer a, gconstpointer b, gpointer user)
{
	const guint64 *addresses = user;
	guint32 i = *(const guint32 *) a;
	guint32 j = *(const guint32 *) b;

	if (addresses[i] != addresses[j])
		return addresses[i] < addresses[j] ? -1 : 1;
	return i < j ? -1 : i > j;
}

static const guint32 *
get_by_address(const VmifsSymbols *symbols)
{
	gsize *slot = (gsize *) &symbols->by_address;

	if (g_once_init_enter(slot)) {
		guint32 *sorted = g_new(guint32, symbols->n + 1);
		gsize n = 0;

		for (gsize i = 0; i < symbols->n; i++) {
			if (!vmifs_symbol_is_mark(symbols->arena + symbols->names[i]))
				sorted[n++] = i;
		}
		g_qsort_with_data(sorted, n, sizeof sorted[0], compare_addresses,
				  symbols->addresses);
		((VmifsSymbols *) symbols)->n_sorted = n;
		g_once_init_leave(slot, (gsize) sorted);
	}
	return (const guint32 *) *slot;
}

/* How many symbols, in address order, stand before the first one that is above (or, with
 * or_equal, at) the address. */
static gsize
count_below(const VmifsSymbols *symbols, const guint32 *sorted, guint64 address, gboolean or_equal)
{
	gsize low = 0;
	gsize high = symbols->n_sorted;

	while (low < high) {
		gsize middle = low + (high - low) / 2;
		guint64 at = symbols->addresses[sorted[middle]];
		if (or_equal ? at < address : at <= address)
			low = middle + 1;
		else
			high = middle;
	}
	return low;
}

gboolean
vmifs_symbols_nearest(const VmifsSymbols *symbols, guint64 address, VmifsSymbol *ret,
		      guint64 *ret_offset)
{
	const guint32 *sorted = get_by_address(symbols);
	gsize n = count_below(symbols, sorted, address, FALSE);
	guint64 at;

	if (!n)
		return FALSE;
	at = symbols->addresses[sorted[n - 1]];
	vmifs_symbols_get(symbols, sorted[count_below(symbols, sorted, at, TRUE)], ret);
	*ret_offset = address - at;
	return TRUE;
}

gboolean
vmifs_symbols_next(const VmifsSymbols *symbols, guint64 address, guint64 *ret_address)
{
	const guint32 *sorted = get_by_address(symbols);
	gsize n = count_below(symbols, sorted, address, FALSE);

	if (n == symbols->n_sorted)
		return FALSE;
	*ret_address = symbols->addresses[sorted[n]];
	return TRUE;
}
