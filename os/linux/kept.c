/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* kept: entries, and what is asked of one before it is believed. */
#include "kept.h"

#include <string.h>

#define MAGIC G_GUINT64_CONSTANT(0x32534d59534b4d56) /* "VMKSYMS2": the format, and its hash */
/* Kernels have 3 MB. */
#define MAX_SOURCE (16u << 20)
#define ALIGN 8 /* of packed symbols */
/* Hexadecimal digits of the digest in a name. */
#define NAME_DIGITS 32
/* Of so many names one is expanded and compared. */
#define SAMPLE 64

typedef struct {
	guint64 magic;
	guint32 n, tokens_len, names_len, zero;
} Head;

static Head
head_of(const LinuxKallsyms *tables)
{
	return (Head){ MAGIC, tables->n,
		       (guint32) tables->token_at[255] + tables->token_len[255] + 1,
		       (guint32) tables->names_len, 0 };
}

/* Of all that stands before the packed symbols. */
static gsize
source_len(const Head *head)
{
	gsize len = sizeof *head + head->tokens_len + (gsize) head->names_len;

	return len + (-len % ALIGN);
}

GBytes *
linux_kept_source(const VmifsOptions *options, const LinuxKallsyms *tables)
{
	Head head = head_of(tables);
	guint8 *bytes;

	if (!options->cache || tables->names_len > MAX_SOURCE)
		return NULL;
	bytes = g_malloc0(source_len(&head));
	memcpy(bytes, &head, sizeof head);
	memcpy(bytes + sizeof head, tables->tokens, head.tokens_len);
	memcpy(bytes + sizeof head + head.tokens_len, tables->names, head.names_len);
	return g_bytes_new_take(bytes, source_len(&head));
}

/* (full) */
static char *
name_of(const char *tokens, gsize len)
{
	g_autofree char *digest =
		g_compute_checksum_for_data(G_CHECKSUM_SHA256, (const guchar *) tokens, len);

	return g_strdup_printf("kallsyms-%.*s", NAME_DIGITS, digest);
}

VmifsSymbols *
linux_kept_open(GBytes *entry, const LinuxKallsyms *tables)
{
	Head head = head_of(tables);
	gsize len, at = source_len(&head);
	const guint8 *bytes = g_bytes_get_data(entry, &len);

	if (len < at || memcmp(bytes, &head, sizeof head) != 0 ||
	    memcmp(bytes + sizeof head, tables->tokens, head.tokens_len) != 0 ||
	    memcmp(bytes + sizeof head + head.tokens_len, tables->names, head.names_len) != 0)
		return NULL;
	g_autoptr(GBytes) packed = g_bytes_new_from_bytes(entry, at, len - at);
	guint64 *addresses = g_new(guint64, tables->n);
	for (guint32 i = 0; i < tables->n; i++)
		addresses[i] = linux_kallsyms_address(tables, i);
	g_autoptr(VmifsSymbols) symbols = vmifs_symbols_unpack(packed, addresses, tables->n, NULL);
	if (!symbols || !linux_kallsyms_agrees(tables, symbols, SAMPLE))
		return NULL;
	return g_steal_pointer(&symbols);
}

VmifsSymbols *
linux_kept_load(const VmifsOptions *options, const LinuxKallsyms *tables)
{
	Head head = head_of(tables);

	if (!options->cache)
		return NULL;
	g_autofree char *name = name_of(tables->tokens, head.tokens_len);
	g_autoptr(GBytes) entry = options->cache->load(options->cache->user, name);
	return entry ? linux_kept_open(entry, tables) : NULL;
}

void
linux_kept_save(const VmifsOptions *options, GBytes *source, const VmifsSymbols *symbols)
{
	g_autoptr(GPtrArray) parts = g_ptr_array_new_with_free_func((GDestroyNotify) g_bytes_unref);
	const Head *head = g_bytes_get_data(source, NULL);
	g_autofree char *name = name_of((const char *) (head + 1), head->tokens_len);

	g_ptr_array_add(parts, g_bytes_ref(source));
	vmifs_symbols_pack(symbols, parts);
	options->cache->save(options->cache->user, name, parts);
}
