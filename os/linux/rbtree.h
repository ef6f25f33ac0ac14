/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * rbtree: the kernel's sorted trees of struct rb_node. One walk for all of them, because a hostile
 * tree is the same problem everywhere.
 */
#pragma once

#include "linux.h"

G_BEGIN_DECLS

/* node: address of the element's rb_node. Return FALSE to stop. */
typedef gboolean (*LinuxTreeVisit)(guint64 node, gpointer user);

/* Visits every node below the one at address root (0: none), in the tree's order; TRUE when all
 * were visited or visit stopped it. CORRUPT or HOLE where the tree breaks: a node met twice, more
 * than max nodes, deeper than a balanced tree can be; the call's error when it was given up. */
gboolean
linux_tree_each(const Linux *os, guint64 root, guint64 max, LinuxTreeVisit visit, gpointer user,
		const VmifsCall *call, GError **error);

G_END_DECLS
