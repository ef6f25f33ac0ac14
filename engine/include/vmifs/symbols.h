/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * symbols: an immutable table of kernel symbols, in the order the kernel lists them (core kernel,
 * then each module), findable by name and by address. Names live in one arena: 190,000 symbols
 * cost about 8 MB.
 */
#pragma once

#include <glib.h>

G_BEGIN_DECLS

typedef struct VmifsSymbols VmifsSymbols;
typedef struct VmifsSymbolsBuilder VmifsSymbolsBuilder;

typedef struct {
	guint64 address;
	const char *name;   /* (borrowed) bytes as the guest has them */
	const char *module; /* (borrowed) NULL for the core kernel */
	char type;          /* as in nm(1) and /proc/kallsyms */
} VmifsSymbol;

/* How a table keeps a letter that may be any byte. */
static inline char
vmifs_symbol_type(char letter)
{
	return g_ascii_isgraph(letter) ? letter : '?';
}

VmifsSymbolsBuilder *
vmifs_symbols_builder_new(void);
/* All symbols of base, first. */
void
vmifs_symbols_builder_add_all(VmifsSymbolsBuilder *builder, const VmifsSymbols *base);
/* Following symbols belong to that module. module NULL = core kernel. */
void
vmifs_symbols_builder_module(VmifsSymbolsBuilder *builder, const char *module);
/* FALSE when a bound is reached (2^22 symbols, 128 MiB of names: ten times what kernels have): the
 * symbol was not added. */
gboolean
vmifs_symbols_builder_add(VmifsSymbolsBuilder *builder, guint64 address, char type,
			  const char *name, gsize name_len);
/* builder: (taken). Returns: (full) */
VmifsSymbols *
vmifs_symbols_builder_end(VmifsSymbolsBuilder *builder);
/* Drops a builder that will not be ended. */
void
vmifs_symbols_builder_free(VmifsSymbolsBuilder *builder);

/* Appends what names and types there are, with the index of them, as parts (GBytes) that stand one
 * after the other, for this machine: neither addresses nor modules. They live as long as symbols.
 */
void
vmifs_symbols_pack(const VmifsSymbols *symbols, GPtrArray *ret);
/* The same symbols, of no module, at n addresses. packed: any bytes; CORRUPT when they do not hold
 * together. addresses: (taken), also on failure. */
VmifsSymbols *
vmifs_symbols_unpack(GBytes *packed, guint64 *addresses, gsize n, GError **error);

VmifsSymbols *
vmifs_symbols_ref(VmifsSymbols *symbols);
void
vmifs_symbols_unref(VmifsSymbols *symbols);

gsize
vmifs_symbols_count(const VmifsSymbols *symbols);
/* Bytes of memory that it takes, without its indexes. */
gsize
vmifs_symbols_size(const VmifsSymbols *symbols);
/* index < count; kernel order. */
void
vmifs_symbols_get(const VmifsSymbols *symbols, gsize index, VmifsSymbol *ret);

/* Address of the first definition of that name; core kernel before modules. */
gboolean
vmifs_symbols_lookup(const VmifsSymbols *symbols, const char *name, guint64 *ret_address);
/* Indexes of every definition of a name, in kernel order. Start with *cursor = 0; FALSE = no more.
 */
gboolean
vmifs_symbols_each(const VmifsSymbols *symbols, const char *name, guint64 *cursor,
		   gsize *ret_index);
/* Does the name mark a place in a function, or what kind of code begins there? Compilers make such
 * ones, and modules of some architectures keep them. */
static inline gboolean
vmifs_symbol_is_mark(const char *name)
{
	return name[0] == '$' || (name[0] == '.' && name[1] == 'L') ||
	       (name[0] == 'L' && name[1] == '0');
}
/* The last symbol at or before the address that is no mark (the first of several at one address, in
 * kernel order). FALSE when there is none. */
gboolean
vmifs_symbols_nearest(const VmifsSymbols *symbols, guint64 address, VmifsSymbol *ret,
		      guint64 *ret_offset);

/* The address of the first symbol after that address that is no mark. FALSE when there is none. */
gboolean
vmifs_symbols_next(const VmifsSymbols *symbols, guint64 address, guint64 *ret_address);

G_DEFINE_AUTOPTR_CLEANUP_FUNC(VmifsSymbols, vmifs_symbols_unref)
G_DEFINE_AUTOPTR_CLEANUP_FUNC(VmifsSymbolsBuilder, vmifs_symbols_builder_free)

G_END_DECLS
