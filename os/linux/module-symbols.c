/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * module-symbols: the symbols of modules: of each the part of its ELF symbol table that the kernel
 * kept, behind those of the core kernel, as /proc/kallsyms lists them. A capital letter is a symbol
 * that is exported, which only a module's export table tells.
 */
#include "modules.h"

#include <spi/bytes.h>

#include <string.h>

/* Where the parts of an entry of ELF's symbol table are; its name comes first in all of them. */
typedef struct {
	gsize len, info, shndx, value;
} Entry;

static const Entry entry_64 = { 24, 4, 6, 8 };   /* Elf64_Sym */
static const Entry entry_32 = { 16, 12, 14, 4 }; /* Elf32_Sym */

#define MAX_SYMBOLS (1024 * 1024) /* of one module */
/* Of one whose functions are looked up, for each line of a stack anew: ten times the largest. */
#define MAX_FUNCTIONS (256 * 1024)
#define MAX_EXPORTS (64 * 1024)
#define MAX_NAME 512 /* KSYM_NAME_LEN with the NUL */
#define CHECK_EVERY 1024
#define ENTRY_PREFIX "__ksymtab_"

typedef struct {
	guint64 symtab, strtab, typetab; /* typetab 0: types stand in st_info */
	guint32 n;
	const Entry *entry;
} Table;

static gboolean
read_table(const Linux *os, guint64 module, Table *ret, GError **error)
{
	guint64 kallsyms, n;
	Table t = { .entry = linux_word(os) == 8 ? &entry_64 : &entry_32 };

	if (!linux_get(os, module, LINUX_FIELD_MODULE_KALLSYMS, &kallsyms, error) ||
	    !linux_get(os, kallsyms, LINUX_FIELD_MOD_KALLSYMS_SYMTAB, &t.symtab, error) ||
	    !linux_get(os, kallsyms, LINUX_FIELD_MOD_KALLSYMS_STRTAB, &t.strtab, error) ||
	    !linux_get(os, kallsyms, LINUX_FIELD_MOD_KALLSYMS_NUM_SYMTAB, &n, error))
		return FALSE;
	if (linux_has(os, LINUX_FIELD_MOD_KALLSYMS_TYPETAB) &&
	    !linux_get(os, kallsyms, LINUX_FIELD_MOD_KALLSYMS_TYPETAB, &t.typetab, error))
		return FALSE;
	if (n > MAX_SYMBOLS) {
		g_set_error(error, VMIFS_ERROR, VMIFS_ERROR_CORRUPT,
			    "%" G_GUINT64_FORMAT " symbols make no sense", n);
		return FALSE;
	}
	t.n = (guint32) n;
	*ret = t;
	return TRUE;
}

/* Name and address of an entry of an export table: pointers, or distances from where they stand. */
static gboolean
read_export(const Linux *os, guint64 entry, guint64 *ret_value, guint64 *ret_name)
{
	guint64 value_at, name_at, value, name;

	if (linux_offset(os, LINUX_FIELD_KERNEL_SYMBOL_VALUE_OFFSET, &value_at, NULL)) {
		if (!linux_offset(os, LINUX_FIELD_KERNEL_SYMBOL_NAME_OFFSET, &name_at, NULL) ||
		    !linux_get(os, entry, LINUX_FIELD_KERNEL_SYMBOL_VALUE_OFFSET, &value, NULL) ||
		    !linux_get(os, entry, LINUX_FIELD_KERNEL_SYMBOL_NAME_OFFSET, &name, NULL))
			return FALSE;
		*ret_value = linux_wrap(os, entry + value_at + (guint64) (gint64) (gint32) value);
		*ret_name = linux_wrap(os, entry + name_at + (guint64) (gint64) (gint32) name);
		return TRUE;
	}
	return linux_get(os, entry, LINUX_FIELD_KERNEL_SYMBOL_VALUE, ret_value, NULL) &&
	       linux_get(os, entry, LINUX_FIELD_KERNEL_SYMBOL_NAME, ret_name, NULL);
}

static gint
compare_names(gconstpointer a, gconstpointer b, gpointer unused)
{
	return strcmp(a, b);
}

/* char * -> guint64 *: what the module exports. What cannot be read is not in it. No table of
 * hashes, as a guest may choose names that collide. */
static GTree *
read_exports(const Linux *os, guint64 module, const VmifsCall *call)
{
	g_autoptr(GTree) exports = g_tree_new_full(compare_names, NULL, g_free, g_free);
	guint64 syms, n, len, value, name_va;

	if (!linux_sizeof(os, LINUX_STRUCT_KERNEL_SYMBOL, &len, NULL) ||
	    !linux_get(os, module, LINUX_FIELD_MODULE_SYMS, &syms, NULL) ||
	    !linux_get(os, module, LINUX_FIELD_MODULE_NUM_SYMS, &n, NULL))
		return g_steal_pointer(&exports);
	for (guint64 i = 0; i < MIN(n, MAX_EXPORTS); i++) {
		if ((i % CHECK_EVERY == 0 && !vmifs_call_check(call, NULL)) ||
		    !read_export(os, syms + i * len, &value, &name_va))
			break;
		char *name = vmifs_aspace_read_string(os->aspace, name_va, MAX_NAME - 1, NULL);
		if (!name)
			break;
		g_tree_insert(exports, name, g_memdup2(&value, sizeof value));
	}
	return g_steal_pointer(&exports);
}

/* Of a kernel whose layouts were inferred, where that is not one table: symbols say where entries
 * are, and those that are not in the table for free software alone are in the other one, which few
 * modules have. */
static gboolean
find_exports(const Linux *os, guint64 module, const Table *t, const guint8 *symbols, GTree *exports,
	     const VmifsCall *call, GError **error)
{
	guint64 table, n, len, name_va;

	for (guint32 i = 0; i < t->n && g_tree_nnodes(exports) < MAX_EXPORTS; i++) {
		if (i % CHECK_EVERY == 0 && !vmifs_call_check(call, error))
			return FALSE;
		const guint8 *symbol = symbols + i * t->entry->len;
		guint64 entry = linux_word_at(os, symbol + t->entry->value, 0), value;
		g_autofree char *name = vmifs_aspace_read_string(
			os->aspace, t->strtab + vmifs_load_u32(symbol), MAX_NAME - 1, NULL);

		if (!name || !g_str_has_prefix(name, ENTRY_PREFIX))
			continue;
		if (!linux_sizeof(os, LINUX_STRUCT_KERNEL_SYMBOL, &len, error) ||
		    !linux_get(os, module, LINUX_FIELD_MODULE_GPL_SYMS, &table, error) ||
		    !linux_get(os, module, LINUX_FIELD_MODULE_NUM_GPL_SYMS, &n, error))
			return FALSE;
		if (entry - table >= n * len && read_export(os, entry, &value, &name_va))
			g_tree_insert(exports, g_strdup(name + strlen(ENTRY_PREFIX)),
				      g_memdup2(&value, sizeof value));
	}
	return TRUE;
}

static char
symbol_type(GTree *exports, const char *name, guint64 value, char type)
{
	const guint64 *exported = g_tree_lookup(exports, name);

	if (!g_ascii_isgraph(type))
		return '?';
	return exported && *exported == value ? g_ascii_toupper(type) : g_ascii_tolower(type);
}

static gboolean
add_module(const Linux *os, guint64 module, VmifsSymbolsBuilder *builder, const VmifsCall *call,
	   GError **error)
{
	char module_name[LINUX_MODULE_NAME];
	Table t;

	if (!linux_module_name(os, module, module_name, error) ||
	    !read_table(os, module, &t, error))
		return FALSE;
	g_autofree guint8 *symbols = g_malloc(t.n * t.entry->len + 1);
	g_autofree guint8 *types = t.typetab ? g_malloc(t.n + (gsize) 1) : NULL;
	if (!vmifs_aspace_read(os->aspace, t.symtab, symbols, t.n * t.entry->len, error) ||
	    (types && !vmifs_aspace_read(os->aspace, t.typetab, types, t.n, error)))
		return FALSE;

	g_autoptr(GTree) exports = read_exports(os, module, call);
	if (os->is_partial && !linux_has(os, LINUX_FIELD_MODULE_SYMS) &&
	    !find_exports(os, module, &t, symbols, exports, call, error))
		return FALSE;
	vmifs_symbols_builder_module(builder, module_name);
	for (guint32 i = 0; i < t.n; i++) {
		const guint8 *symbol = symbols + i * t.entry->len;
		guint64 value = linux_word_at(os, symbol + t.entry->value, 0);
		if (i % CHECK_EVERY == 0 && !vmifs_call_check(call, error))
			return FALSE;
		g_autofree char *name = vmifs_aspace_read_string(
			os->aspace, t.strtab + vmifs_load_u32(symbol), MAX_NAME - 1, NULL);
		/* The first symbol of an ELF table has no name, nor have those of sections. */
		if (!name || !*name)
			continue;
		char type = symbol_type(exports, name, value,
					(char) (types ? types[i] : symbol[t.entry->info]));
		if (!vmifs_symbols_builder_add(builder, value, type, name, strlen(name))) {
			g_set_error_literal(error, VMIFS_ERROR, VMIFS_ERROR_NO_SPACE,
					    "more than are kept, all others are left out");
			return FALSE;
		}
	}
	return TRUE;
}

/* ---- one function ---- */

/* Those without a name are of sections, and mark nothing; those that a compiler makes mark places
 * in functions. */
static gboolean
is_named(const Linux *os, const Table *t, const guint8 *symbol)
{
	guint64 name = t->strtab + vmifs_load_u32(symbol);
	guint8 start[3] = { 0 };

	if (vmifs_load_u16(symbol + t->entry->shndx) == 0 ||
	    !vmifs_aspace_read_u8(os->aspace, name, &start[0], NULL) || !start[0])
		return FALSE;
	if (start[0] == '.' || start[0] == 'L')
		vmifs_aspace_read_u8(os->aspace, name + 1, &start[1], NULL);
	return !vmifs_symbol_is_mark((const char *) start);
}

gboolean
linux_module_function(const Linux *os, guint64 module, guint64 text_end, guint64 address,
		      GString *name, guint64 *ret_start, guint64 *ret_len, const VmifsCall *call)
{
	guint64 start = 0, end = text_end;
	const guint8 *best = NULL;
	Table t;

	if (!read_table(os, module, &t, NULL) || t.n > MAX_FUNCTIONS ||
	    !vmifs_call_check(call, NULL))
		return FALSE;
	g_autofree guint8 *symbols = g_malloc(t.n * t.entry->len + 1);
	if (!vmifs_aspace_read(os->aspace, t.symtab, symbols, t.n * t.entry->len, NULL))
		return FALSE;
	for (guint32 i = 1; i < t.n; i++) {
		const guint8 *symbol = symbols + i * t.entry->len;
		guint64 value = linux_word_at(os, symbol + t.entry->value, 0);

		if (i % CHECK_EVERY == 0 && !vmifs_call_check(call, NULL))
			return FALSE;
		/* Only what would change the answer is worth a look at its name. */
		if ((value <= address ? value <= start : value >= end) || !is_named(os, &t, symbol))
			continue;
		if (value <= address) {
			start = value;
			best = symbol;
		} else {
			end = value;
		}
	}
	g_autofree char *text =
		best ? vmifs_aspace_read_string(os->aspace, t.strtab + vmifs_load_u32(best),
						MAX_NAME - 1, NULL)
		     : NULL;
	if (!text)
		return FALSE;
	g_string_append(name, text);
	*ret_start = start;
	*ret_len = end - start;
	return TRUE;
}

/* ---- all of them ---- */

VmifsSymbols *
linux_symbols(gpointer self, const VmifsCall *call, GError **error)
{
	const Linux *os = self;
	g_autoptr(VmifsSymbolsBuilder) builder = vmifs_symbols_builder_new();
	g_autoptr(GError) no_modules = NULL;

	/* Modules are found by the kernel's own symbols. */
	if (!os->symbols) {
		g_set_error_literal(error, VMIFS_ERROR, VMIFS_ERROR_UNSUPPORTED,
				    "the kernel's symbol tables were not found");
		return NULL;
	}
	vmifs_symbols_builder_add_all(builder, os->symbols);
	g_autoptr(GArray) modules = linux_modules(os, call, &no_modules);
	if (!modules)
		vmifs_guest_log(os->guest, "symbols of modules: %s", no_modules->message);
	for (guint i = 0; modules && i < modules->len; i++) {
		guint64 module = g_array_index(modules, guint64, i);
		g_autoptr(GError) failed = NULL;

		if (!vmifs_call_check(call, error))
			return NULL;
		if (add_module(os, module, builder, call, &failed))
			continue;
		vmifs_guest_log(os->guest, "symbols of module %#" G_GINT64_MODIFIER "x: %s", module,
				failed->message);
		if (g_error_matches(failed, VMIFS_ERROR, VMIFS_ERROR_NO_SPACE))
			break;
	}
	if (!vmifs_call_check(call, error))
		return NULL;
	return vmifs_symbols_builder_end(g_steal_pointer(&builder));
}
