/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* regions: the one place where a layout is believed or not. */
#include "regions.h"

#include <vmifs/text.h>
#include <spi/bytes.h>

#define X64 "%#" G_GINT64_MODIFIER "x"

static gboolean
corrupt(GError **error, const char *format, ...) G_GNUC_PRINTF(2, 3);

static gboolean
corrupt(GError **error, const char *format, ...)
{
	va_list args;

	va_start(args, format);
	g_autofree char *why = g_strdup_vprintf(format, args);
	va_end(args);
	g_set_error(error, VMIFS_ERROR, VMIFS_ERROR_CORRUPT, "layout of memory: %s", why);
	return FALSE;
}

static gboolean
check_blocks(const GArray *blocks, GError **error)
{
	g_autoptr(GHashTable) seen = g_hash_table_new(g_str_hash, g_str_equal);

	if (blocks->len > VMIFS_MAX_BLOCKS)
		return corrupt(error, "%u blocks are more than %d", blocks->len, VMIFS_MAX_BLOCKS);
	for (guint i = 0; i < blocks->len; i++) {
		const VmifsBlock *block = &g_array_index(blocks, VmifsBlock, i);
		if (!vmifs_text_is_file_name(block->name))
			return corrupt(error, "the name of block %u cannot be that of a file", i);
		if (!g_hash_table_add(seen, (gpointer) block->name))
			return corrupt(error, "two blocks are called %s", block->name);
		if (block->len > G_MAXINT64)
			return corrupt(error, "block %s has " X64 " bytes", block->name,
				       block->len);
	}
	return TRUE;
}

gboolean
vmifs_regions_check(const VmifsLayout *layout, GError **error)
{
	const GArray *regions = layout->regions;
	guint64 free_from = 0; /* end of the region before */

	if (!check_blocks(layout->blocks, error))
		return FALSE;
	if (!regions->len)
		return corrupt(error, "there is none");
	if (regions->len > VMIFS_MAX_REGIONS)
		return corrupt(error, "%u regions are more than %d", regions->len,
			       VMIFS_MAX_REGIONS);
	for (guint i = 0; i < regions->len; i++) {
		const VmifsRegion *r = &g_array_index(regions, VmifsRegion, i);
		if (!r->len || r->len > G_MAXUINT64 - r->pa)
			return corrupt(error, "region " X64 "+" X64 " is empty or wraps", r->pa,
				       r->len);
		if (r->pa < free_from)
			return corrupt(error,
				       "region " X64 "+" X64 " is not behind the one before it",
				       r->pa, r->len);
		if (r->block >= layout->blocks->len)
			return corrupt(error, "region " X64 " lies in no block", r->pa);
		if (!vmifs_in_bounds(r->offset, r->len,
				     g_array_index(layout->blocks, VmifsBlock, r->block).len))
			return corrupt(error, "region " X64 "+" X64 " is not within its block",
				       r->pa, r->len);
		if (r->kind != VMIFS_REGION_RAM && r->kind != VMIFS_REGION_ROM)
			return corrupt(error, "region " X64 " is of no known kind", r->pa);
		free_from = r->pa + r->len;
	}
	return TRUE;
}
