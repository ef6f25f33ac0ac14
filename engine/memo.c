/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* memo: one epoch's texts at a time; the first of a newer one drops all others. */
#include "memo.h"

#include <vmifs/error.h>

#include <string.h>

/* Of the memory of all texts, in which a small one counts for what else it takes. */
#define MOST ((gsize) 32 << 20)
#define LEAST 512

typedef struct {
	VmifsMemoKey key;
	GBytes *text;  /* (full) NULL: it failed */
	GError *error; /* (full) */
} Entry;

struct VmifsMemo {
	GMutex lock; /* guards what follows */
	guint epoch; /* of all */
	GHashTable *by_key;
	GQueue oldest; /* of Entry (borrowed), first the oldest */
	gsize len;
};

static guint
hash_key(gconstpointer key)
{
	const VmifsMemoKey *k = key;
	guint64 hash = GPOINTER_TO_SIZE(k->view);

	for (gsize i = 0; i < VMIFS_VIEW_WORDS; i++)
		hash = (hash ^ k->about[i]) * G_GUINT64_CONSTANT(0x9e3779b97f4a7c15);
	return (guint) (hash >> 32);
}

static gboolean
equal_keys(gconstpointer a, gconstpointer b)
{
	const VmifsMemoKey *x = a, *y = b;

	return x->view == y->view && !memcmp(x->about, y->about, sizeof x->about);
}

static gsize
size_of(const Entry *entry)
{
	return LEAST + (entry->text ? g_bytes_get_size(entry->text) : 0);
}

static void
entry_free(gpointer data)
{
	Entry *entry = data;

	g_clear_pointer(&entry->text, g_bytes_unref);
	g_clear_error(&entry->error);
	g_free(entry);
}

VmifsMemo *
vmifs_memo_new(void)
{
	VmifsMemo *memo = g_new0(VmifsMemo, 1);

	g_mutex_init(&memo->lock);
	g_queue_init(&memo->oldest);
	memo->by_key = g_hash_table_new_full(hash_key, equal_keys, NULL, entry_free);
	return memo;
}

void
vmifs_memo_free(VmifsMemo *memo)
{
	g_queue_clear(&memo->oldest);
	g_hash_table_unref(memo->by_key);
	g_mutex_clear(&memo->lock);
	g_free(memo);
}

gboolean
vmifs_memo_find(VmifsMemo *memo, const VmifsMemoKey *key, guint epoch, GString *out,
		gboolean *ret_made, GError **error)
{
	g_autoptr(GBytes) text = NULL;

	g_mutex_lock(&memo->lock);
	const Entry *entry = memo->epoch == epoch ? g_hash_table_lookup(memo->by_key, key) : NULL;
	if (entry && entry->text)
		text = g_bytes_ref(entry->text);
	else if (entry)
		g_propagate_error(error, g_error_copy(entry->error));
	g_mutex_unlock(&memo->lock);

	if (!entry)
		return FALSE;
	*ret_made = text != NULL;
	if (text)
		g_string_append_len(out, g_bytes_get_data(text, NULL),
				    (gssize) g_bytes_get_size(text));
	return TRUE;
}

static gboolean
lies_in_memory(const GError *failure)
{
	return g_error_matches(failure, VMIFS_ERROR, VMIFS_ERROR_CORRUPT) ||
	       g_error_matches(failure, VMIFS_ERROR, VMIFS_ERROR_HOLE);
}

static void
forget_locked(VmifsMemo *memo)
{
	g_queue_clear(&memo->oldest);
	g_hash_table_remove_all(memo->by_key);
	memo->len = 0;
}

static void
keep_locked(VmifsMemo *memo, Entry *entry)
{
	g_hash_table_insert(memo->by_key, &entry->key, entry);
	g_queue_push_tail(&memo->oldest, entry);
	memo->len += size_of(entry);
	while (memo->len > MOST) {
		Entry *oldest = g_queue_pop_head(&memo->oldest);
		memo->len -= size_of(oldest);
		g_hash_table_remove(memo->by_key, &oldest->key);
	}
}

void
vmifs_memo_keep(VmifsMemo *memo, const VmifsMemoKey *key, guint epoch, const char *text, gsize len,
		const GError *failure)
{
	if (failure ? !lies_in_memory(failure) : len > MOST - LEAST)
		return;
	Entry *entry = g_new0(Entry, 1);
	entry->key = *key;
	if (failure)
		entry->error = g_error_copy(failure);
	else
		entry->text = g_bytes_new(text, len);

	g_mutex_lock(&memo->lock);
	/* They wrap: what is less than half of them ahead is newer. */
	if ((gint) (epoch - memo->epoch) > 0) {
		forget_locked(memo);
		memo->epoch = epoch;
	}
	if (memo->epoch == epoch && !g_hash_table_contains(memo->by_key, key))
		keep_locked(memo, g_steal_pointer(&entry));
	g_mutex_unlock(&memo->lock);
	if (entry)
		entry_free(entry);
}
