/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * hash: the kernel's hash tables: an array of heads, each the first of a chain that is linked
 * forward and ends with zero or, where an end is told from another chain's end, an odd number.
 */
#pragma once

#include "linux.h"

G_BEGIN_DECLS

typedef struct {
	guint64 heads;      /* address of the first */
	guint64 n;          /* chains */
	guint64 stride;     /* bytes from a head to the next */
	guint64 link_at;    /* where in an element its link lies */
	guint64 head_flags; /* bits of a head that are no address */
	const char *name;   /* for the log */
} LinuxHash;

/* Return FALSE to stop. */
typedef gboolean (*LinuxHashVisit)(guint64 element, guint64 chain, gpointer user);

/* Visits every element, chain by chain. FALSE with HOLE or CORRUPT when the array cannot be read or
 * is too large to be one, with the call's error when it was given up. A chain that breaks, comes
 * back to an element or is too long is logged, and left. */
gboolean
linux_hash_each(const Linux *os, const LinuxHash *hash, LinuxHashVisit visit, gpointer user,
		const VmifsCall *call, GError **error);

/* Every table of a struct rhashtable: besides the one in use, those that it grows into. */
gboolean
linux_rhashtable_each(const Linux *os, guint64 rhashtable, guint64 link_at, const char *name,
		      LinuxHashVisit visit, gpointer user, const VmifsCall *call, GError **error);

G_END_DECLS
