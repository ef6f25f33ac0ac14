/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * kallsyms: from recognised tables to symbols. Everything works on the copies that
 * kallsyms-find.c made, so that it is the same for a guest, a test and a fuzzer.
 */
#include "kallsyms.h"

#include <spi/bytes.h>
#include <vmifs/error.h>

#include <string.h>

/* The kernel's KSYM_NAME_LEN is 512. */
#define MAX_NAME 1024
/* All names together: sixteen times what kernels have. */
#define MAX_OUTPUT (40u << 20)

void
linux_kallsyms_drop_copies(LinuxKallsyms *tables)
{
	g_clear_pointer(&tables->names, g_free);
	g_clear_pointer(&tables->offsets, g_free);
	g_clear_pointer(&tables->tokens, g_free);
}

void
linux_kallsyms_free(LinuxKallsyms *tables)
{
	if (!tables)
		return;
	linux_kallsyms_drop_copies(tables);
	g_free(tables);
}

const char *
linux_kallsyms_encoding_name(LinuxKallsymsEncoding encoding)
{
	static const char *const names[] = {
		[LINUX_KALLSYMS_RELATIVE] = "relative",
		[LINUX_KALLSYMS_PERCPU] = "relative, per-CPU absolute",
		[LINUX_KALLSYMS_ABSOLUTE32] = "absolute, 32 bits",
		[LINUX_KALLSYMS_ABSOLUTE64] = "absolute, 64 bits",
		[LINUX_KALLSYMS_PC_RELATIVE] = "PC-relative",
	};

	return names[encoding];
}

gsize
linux_kallsyms_width(LinuxKallsymsEncoding encoding)
{
	return encoding == LINUX_KALLSYMS_ABSOLUTE64 ? 8 : 4;
}

guint64
linux_kallsyms_address(const LinuxKallsyms *tables, guint32 index)
{
	const guint8 *at = tables->offsets + (gsize) index * linux_kallsyms_width(tables->encoding);
	gint32 value;

	if (tables->encoding == LINUX_KALLSYMS_ABSOLUTE64)
		return vmifs_load_u64(at);
	value = (gint32) vmifs_load_u32(at);
	switch (tables->encoding) {
	case LINUX_KALLSYMS_RELATIVE:
		return tables->base + (guint32) value;
	case LINUX_KALLSYMS_PERCPU:
		return value >= 0 ? (guint64) value : tables->base - 1 - (guint64) (gint64) value;
	case LINUX_KALLSYMS_PC_RELATIVE:
		return tables->offsets_pa + 4 * (guint64) index + (guint64) (gint64) value;
	default:
		return (guint32) value;
	}
}

gsize
linux_kallsyms_entry(const guint8 *names, gsize len, gsize *at)
{
	gsize entry;
	gsize head = 1;

	if (*at >= len)
		return 0;
	entry = names[*at];
	/* Since 6.1 a set bit 7 means that seven more bits follow; before, no name was that long.
	 */
	if (entry & 0x80) {
		if (len - *at < 2)
			return 0;
		entry = (entry & 0x7f) | (gsize) names[*at + 1] << 7;
		head = 2;
	}
	if (!entry || entry > len - *at - head)
		return 0;
	*at += head;
	return entry;
}

/* Expands the name at *at, which moves behind it, into out, not terminated. Returns its length,
 * the type letter included; 0 = malformed. */
static gsize
expand(const LinuxKallsyms *tables, gsize *at, char out[MAX_NAME + LINUX_KALLSYMS_SLACK])
{
	gsize entry = linux_kallsyms_entry(tables->names, tables->names_len, at);
	const guint8 *code = tables->names + *at;
	gsize len = 0;

	for (const guint8 *end = code + entry; code < end; code++) {
		const char *token = tables->tokens + tables->token_at[*code];
		gsize token_len = tables->token_len[*code];

		if (token_len > MAX_NAME - len)
			return 0;
		if (token_len <= LINUX_KALLSYMS_SLACK)
			memcpy(out + len, token, LINUX_KALLSYMS_SLACK);
		else
			memcpy(out + len, token, token_len);
		len += token_len;
	}
	*at += entry;
	return len;
}

VmifsSymbols *
linux_kallsyms_decode(const LinuxKallsyms *tables, GError **error)
{
	g_autoptr(VmifsSymbolsBuilder) builder = vmifs_symbols_builder_new();
	char name[MAX_NAME + LINUX_KALLSYMS_SLACK];
	gsize at = 0;
	gsize output = 0;

	for (guint32 i = 0; i < tables->n; i++) {
		gsize len = expand(tables, &at, name);

		output += len;
		if (!len || output > MAX_OUTPUT ||
		    !vmifs_symbols_builder_add(builder, linux_kallsyms_address(tables, i), name[0],
					       name + 1, len - 1)) {
			g_set_error(error, VMIFS_ERROR, VMIFS_ERROR_CORRUPT,
				    "kallsyms at 0x%" G_GINT64_MODIFIER
				    "x: name %u is malformed or too long",
				    tables->names_pa, i);
			return NULL;
		}
	}
	return vmifs_symbols_builder_end(g_steal_pointer(&builder));
}

gboolean
linux_kallsyms_agrees(const LinuxKallsyms *tables, const VmifsSymbols *symbols, guint32 step)
{
	guint32 next = (guint32) g_random_int_range(0, (gint32) step);
	char name[MAX_NAME + LINUX_KALLSYMS_SLACK];
	gsize at = 0;

	for (guint32 i = 0; i < tables->n; i++) {
		VmifsSymbol symbol;
		gsize len;

		if (i != next) {
			len = linux_kallsyms_entry(tables->names, tables->names_len, &at);
			at += len;
			if (!len)
				return FALSE;
			continue;
		}
		next = i + 1 + (guint32) g_random_int_range(0, 2 * (gint32) step);
		len = expand(tables, &at, name);
		vmifs_symbols_get(symbols, i, &symbol);
		if (!len || strncmp(symbol.name, name + 1, len - 1) != 0 || symbol.name[len - 1] ||
		    symbol.type != vmifs_symbol_type(name[0]))
			return FALSE;
	}
	return TRUE;
}
