/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * symbols-pack: a table as one piece of bytes, which is used as it lies there: to copy 200,000
 * names and hash each of them is what takes the time when a table is made.
 *
 *   Head | names[n] | heads[n_heads] | next[n] | arena
 *
 * The bytes may be anything. What is asked of them is what every look-up relies on: each name ends
 * in the arena, each index is of a symbol, and chains ascend, so that they end.
 */
#include "symbols.h"

#include <string.h>
#include <vmifs/error.h>

/* Of words as this machine has them; a multiple of what guint64 is aligned to. */
typedef struct {
	guint64 seed;
	guint32 n, n_heads, arena_len, zero;
} Head;

void
vmifs_symbols_pack(const VmifsSymbols *symbols, GPtrArray *ret)
{
	const VmifsNameIndex *index = vmifs_symbols_by_name(symbols);
	Head head = { index->seed, (guint32) symbols->n, (guint32) index->mask + 1,
		      (guint32) symbols->arena_len, 0 };

	g_ptr_array_add(ret, g_bytes_new(&head, sizeof head));
	g_ptr_array_add(ret, g_bytes_new_static(symbols->names, symbols->n * 4));
	g_ptr_array_add(ret, g_bytes_new_static(index->heads, head.n_heads * 4ul));
	g_ptr_array_add(ret, g_bytes_new_static(index->next, symbols->n * 4));
	g_ptr_array_add(ret, g_bytes_new_static(symbols->arena, symbols->arena_len));
}

/* Do the parts, which are as long as the head says, make a table? */
static gboolean
holds_together(const Head *head, const VmifsSymbols *symbols, const VmifsNameIndex *index)
{
	if (head->n && symbols->arena[head->arena_len - 1])
		return FALSE;
	for (guint32 i = 0; i < head->n; i++) {
		/* Its type stands before it. */
		if (symbols->names[i] < 1 || symbols->names[i] >= head->arena_len ||
		    (index->next[i] != VMIFS_SYMBOLS_NONE &&
		     (index->next[i] <= i || index->next[i] >= head->n)))
			return FALSE;
	}
	for (guint32 i = 0; i < head->n_heads; i++)
		if (index->heads[i] != VMIFS_SYMBOLS_NONE && index->heads[i] >= head->n)
			return FALSE;
	return TRUE;
}

/* FALSE unless it is of n symbols and its parts fill the bytes. */
static gboolean
fits(const Head *head, gsize n, gsize len)
{
	return head->n == n && n <= VMIFS_SYMBOLS_MOST && head->n_heads >= 1 &&
	       head->n_heads <= 2 * VMIFS_SYMBOLS_MOST && !(head->n_heads & (head->n_heads - 1)) &&
	       head->arena_len <= VMIFS_SYMBOLS_ARENA_MOST && (!n || head->arena_len) &&
	       len == sizeof *head + (2 * (guint64) n + head->n_heads) * 4 + head->arena_len;
}

VmifsSymbols *
vmifs_symbols_unpack(GBytes *packed, guint64 *addresses, gsize n, GError **error)
{
	g_autoptr(VmifsSymbols) symbols = vmifs_symbols_builder_end(vmifs_symbols_builder_new());
	VmifsNameIndex *index = g_new0(VmifsNameIndex, 1);
	gsize len;
	const Head *head = g_bytes_get_data(packed, &len);

	g_free(symbols->addresses);
	symbols->addresses = addresses;
	symbols->packed = g_bytes_ref(packed);
	symbols->by_name = (gsize) index;
	if (len >= sizeof *head && (gsize) head % sizeof(guint64) == 0 && fits(head, n, len)) {
		symbols->n = n;
		symbols->names = (guint32 *) (head + 1);
		index->seed = head->seed;
		index->mask = head->n_heads - 1;
		index->heads = symbols->names + n;
		index->next = index->heads + head->n_heads;
		symbols->arena = (char *) (index->next + n);
		symbols->arena_len = head->arena_len;
		if (holds_together(head, symbols, index))
			return g_steal_pointer(&symbols);
	}
	g_set_error_literal(error, VMIFS_ERROR, VMIFS_ERROR_CORRUPT,
			    "packed symbols do not hold together");
	return NULL;
}
