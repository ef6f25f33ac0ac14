/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * hash: bounded by a count and by a set of what was seen, both over all chains together: elements
 * of a live guest move from one to another, and a hostile guest lets all of them end up in one.
 */
#include "hash.h"

#include "seen.h"

/* The kernel's largest have half a million, unless its command line says more. */
#define MAX_CHAINS (16 * 1024 * 1024)
/* A kernel makes one for each 128 KiB of memory at most. */
#define LEAST_CHAIN 4096
#define LEAST_ELEMENT 1024
/* Chains that end in a loop, or nowhere: a table with more of them is none. */
#define MAX_BROKEN 64
/* Each becomes a line of some hundred bytes. */
#define MAX_ELEMENTS (512 * 1024)
#define CHUNK (64 * 1024)
/* Of tables behind each other: two while one grows, three when it has to again. */
#define MAX_TABLES 8

typedef struct {
	const Linux *os;
	const LinuxHash *hash;
	LinuxHashVisit visit;
	gpointer user;
	const VmifsCall *call;
	GHashTable *seen;
	guint n_broken;
	gboolean stopped;
} Walk;

/* However little memory there is, tables have their least size. */
static guint64
most_of(const Linux *os, guint64 least_len)
{
	return MAX(64 * 1024, linux_room_for(os, least_len));
}

static gboolean
is_end(guint64 link)
{
	return !link || link & 1;
}

static void
leave(Walk *w, guint64 chain, const char *why)
{
	w->n_broken++;
	w->stopped |= w->n_broken == MAX_BROKEN;
	vmifs_guest_log(w->os->guest, "%s: chain %" G_GUINT64_FORMAT ": %s%s", w->hash->name, chain,
			why, w->stopped ? "; the rest is left out" : "");
}

/* FALSE with error only when the call was given up. */
static gboolean
walk_chain(Walk *w, guint64 chain, guint64 link, GError **error)
{
	g_autoptr(GError) broken = NULL;

	while (!is_end(link) && !w->stopped) {
		guint count = g_hash_table_size(w->seen);
		if (count % 256 == 0 && !vmifs_call_check(w->call, error))
			return FALSE;
		if (count >= MIN(MAX_ELEMENTS, most_of(w->os, LEAST_ELEMENT))) {
			w->stopped = TRUE;
			leave(w, chain, "too many elements");
			return TRUE;
		}
		if (!linux_seen_add(w->seen, link)) {
			leave(w, chain, "a loop");
			return TRUE;
		}
		w->stopped = !w->visit(link - w->hash->link_at, chain, w->user);
		if (!vmifs_aspace_read_ptr(w->os->aspace, link, &link, &broken)) {
			leave(w, chain, broken->message);
			return TRUE;
		}
	}
	return TRUE;
}

static gboolean
walk_chains(Walk *w, GError **error)
{
	const LinuxHash *hash = w->hash;
	g_autofree guint8 *chunk = g_malloc(CHUNK);
	guint64 per_chunk = CHUNK / hash->stride;

	for (guint64 chain = 0; chain < hash->n && !w->stopped; chain += per_chunk) {
		guint64 n = MIN(per_chunk, hash->n - chain);
		if (!vmifs_call_check(w->call, error) ||
		    !vmifs_aspace_read(w->os->aspace, hash->heads + chain * hash->stride, chunk,
				       (n - 1) * hash->stride + linux_word(w->os), error)) {
			g_prefix_error(error, "%s: ", hash->name);
			return FALSE;
		}
		for (guint64 i = 0; i < n && !w->stopped; i++) {
			guint64 head = linux_word_at(w->os, chunk + i * hash->stride, 0);
			if (!walk_chain(w, chain + i, head & ~hash->head_flags, error))
				return FALSE;
		}
	}
	return TRUE;
}

gboolean
linux_hash_each(const Linux *os, const LinuxHash *hash, LinuxHashVisit visit, gpointer user,
		const VmifsCall *call, GError **error)
{
	if (hash->stride < 8 || hash->stride > CHUNK || hash->n > MAX_CHAINS ||
	    hash->n > most_of(os, LEAST_CHAIN)) {
		g_set_error(error, VMIFS_ERROR, VMIFS_ERROR_CORRUPT,
			    "%s: a table of %" G_GUINT64_FORMAT " chains", hash->name, hash->n);
		return FALSE;
	}
	g_autoptr(GHashTable) seen = linux_seen_new();
	Walk w = { os, hash, visit, user, call, seen, 0, FALSE };
	return walk_chains(&w, error);
}

gboolean
linux_rhashtable_each(const Linux *os, guint64 rhashtable, guint64 link_at, const char *name,
		      LinuxHashVisit visit, gpointer user, const VmifsCall *call, GError **error)
{
	guint64 table, nest, buckets_at;

	if (!linux_get(os, rhashtable, LINUX_FIELD_RHASHTABLE_TBL, &table, error) ||
	    !linux_offset(os, LINUX_FIELD_BUCKET_TABLE_BUCKETS, &buckets_at, error))
		return FALSE;
	for (guint i = 0; table && i < MAX_TABLES; i++) {
		LinuxHash hash = { .heads = table + buckets_at,
				   .stride = 8,
				   .link_at = link_at,
				   .head_flags = 1, /* locked */
				   .name = name };
		if (!linux_get(os, table, LINUX_FIELD_BUCKET_TABLE_SIZE, &hash.n, error) ||
		    !linux_get(os, table, LINUX_FIELD_BUCKET_TABLE_NEST, &nest, error))
			return FALSE;
		/* Made of pieces, when there was no memory for one: until it is made anew. */
		if (nest) {
			g_set_error(error, VMIFS_ERROR, VMIFS_ERROR_UNSUPPORTED,
				    "%s: a table in pieces", name);
			return FALSE;
		}
		if (!linux_hash_each(os, &hash, visit, user, call, error) ||
		    !linux_get(os, table, LINUX_FIELD_BUCKET_TABLE_FUTURE, &table, error))
			return FALSE;
	}
	return TRUE;
}
