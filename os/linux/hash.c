/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * hash: bounded by a count and by a set of what was seen, both over all chains together: elements
 * of a live guest move from one to another, and a hostile guest lets all of them end up in one.
 */
#include "hash.h"

#include <spi/bytes.h>

/* The kernel's largest have half a million, unless its command line says more. */
#define MAX_CHAINS (16 * 1024 * 1024)
/* Each becomes a line of some hundred bytes. */
#define MAX_ELEMENTS (512 * 1024)
#define CHUNK (64 * 1024)

typedef struct {
	const Linux *os;
	const LinuxHash *hash;
	LinuxHashVisit visit;
	gpointer user;
	const VmifsCall *call;
	GHashTable *seen; /* of guint64 *, owned */
	gboolean stopped;
} Walk;

static gboolean
is_end(guint64 link)
{
	return !link || link & 1;
}

static gboolean
is_new(const Walk *w, guint64 link)
{
	guint64 *key = g_new(guint64, 1);
	*key = link;
	return g_hash_table_add(w->seen, key);
}

static void
leave(const Walk *w, guint64 chain, const char *why)
{
	vmifs_guest_log(w->os->guest, "%s: chain %" G_GUINT64_FORMAT ": %s", w->hash->name, chain,
			why);
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
		if (count >= MAX_ELEMENTS) {
			leave(w, chain, "too many elements, the rest is left out");
			w->stopped = TRUE;
			return TRUE;
		}
		if (!is_new(w, link)) {
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
				       (n - 1) * hash->stride + 8, error)) {
			g_prefix_error(error, "%s: ", hash->name);
			return FALSE;
		}
		for (guint64 i = 0; i < n && !w->stopped; i++) {
			if (!walk_chain(w, chain + i, vmifs_load_u64(chunk + i * hash->stride),
					error))
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
	    hash->n > linux_room_for(os, hash->stride)) {
		g_set_error(error, VMIFS_ERROR, VMIFS_ERROR_CORRUPT,
			    "%s: a table of %" G_GUINT64_FORMAT " chains", hash->name, hash->n);
		return FALSE;
	}
	g_autoptr(GHashTable) seen =
		g_hash_table_new_full(g_int64_hash, g_int64_equal, g_free, NULL);
	Walk w = { os, hash, visit, user, call, seen, FALSE };
	return walk_chains(&w, error);
}
