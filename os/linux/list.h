/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * list: the rings of struct list_head that tie the kernel's objects together. One walk for all of
 * them, because a hostile or torn ring is the same problem everywhere.
 */
#pragma once

#include <spi/os.h>

G_BEGIN_DECLS

/* node: address of the element's list_head. Return FALSE to stop. */
typedef gboolean (*LinuxListVisit)(guint64 node, gpointer user);

/* Visits every element of the ring but its head, in order; TRUE when it closed or visit stopped it.
 * Where the ring breaks (a pointer that leads nowhere, back pointers that do not match, a loop,
 * more than max elements), what is left is visited from the other end backwards, and the result is
 * FALSE with CORRUPT or HOLE; FALSE with the call's error when it was given up. */
gboolean
linux_list_each(VmifsAspace *kernel, guint64 head, guint64 max, LinuxListVisit visit, gpointer user,
		const VmifsCall *call, GError **error);

/* As linux_list_each(), of elements of which each takes least bytes or more: where two lie closer
 * together, the ring breaks. Otherwise links alone could make it as long as memory has room for
 * them, which costs more of ours than a file of it is worth. */
gboolean
linux_list_each_sized(VmifsAspace *kernel, guint64 head, guint64 max, guint least,
		      LinuxListVisit visit, gpointer user, const VmifsCall *call, GError **error);

G_END_DECLS
