/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * maple: the maple tree (since 6.1): ranges of addresses, each with a pointer. An inner or leaf
 * node is 256 bytes, its type in the low bits of the pointer to it:
 *
 *   node: parent | pivot[0] .. pivot[n-2] | slot[0] .. slot[n-1]     slot i covers
 *         pivot[i-1]+1 .. pivot[i]; the first starts at the node's own low end, the last that is
 *         in use ends at the node's own high end
 */
#pragma once

#include "linux.h"

G_BEGIN_DECLS

/* entry: what the tree stores for [first, last]. Return FALSE to stop. */
typedef gboolean (*LinuxMapleVisit)(guint64 first, guint64 last, guint64 entry, gpointer user);

/* Visits the entries of the struct maple_tree at address in order. *nodes: how
 * many may be read, counted down. FALSE with HOLE or CORRUPT where a subtree makes no sense: the
 * rest of the tree was visited all the same; FALSE with the call's error when it was given up. */
gboolean
linux_maple_each(const Linux *os, guint64 address, guint64 *nodes, LinuxMapleVisit visit,
		 gpointer user, const VmifsCall *call, GError **error);

G_END_DECLS
