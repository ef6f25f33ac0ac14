/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * exports: symbols that the kernel offers to its modules, read from the tables that its loader of
 * modules searches. Where the kernel's own symbol table lists text alone (no KALLSYMS_ALL), they
 * tell where the most important variables are. They are recognised by content, too, and the
 * functions among them, which both tables have, prove them.
 *
 *   entry: value - here, name - here, name space - here    (s32 each, sorted by name)
 *          value, name, name space                         (addresses, on 32-bit ARM)
 */
#pragma once

#include "kallsyms.h"

G_BEGIN_DECLS

typedef struct {
	guint64 pa; /* of the first entry */
	guint32 n;
	guint64 delta;         /* of its addresses from physical ones, modulo 2^64 */
	VmifsSymbols *symbols; /* (full) those that kallsyms does not list, as it would, type '?' */
} LinuxExports;

/* In [pa, pa + len), up to the first hole. symbols: all of kallsyms. FALSE = none are there that
 * agree with it. */
gboolean
linux_exports_find(const LinuxPhys *phys, guint64 pa, gsize len, const VmifsSymbols *symbols,
		   LinuxExports *ret);

G_END_DECLS
