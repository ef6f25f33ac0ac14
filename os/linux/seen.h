/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * seen: the addresses that a walk over a guest's objects came through. A hostile guest leads it
 * round; what was seen before ends it.
 */
#pragma once

#include <glib.h>

G_BEGIN_DECLS

/* (full) */
static inline GHashTable *
linux_seen_new(void)
{
	return g_hash_table_new_full(g_int64_hash, g_int64_equal, g_free, NULL);
}

/* FALSE when it was in it. */
static inline gboolean
linux_seen_add(GHashTable *seen, guint64 address)
{
	return g_hash_table_add(seen, g_memdup2(&address, sizeof address));
}

G_END_DECLS
