/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * types: where the layouts of a kernel's structures come from. The sources are asked in order, and
 * the first that knows this kernel gives all of them: no layout is put together from two. Whatever
 * a source reads, it gives VmifsTypes (a builder makes them of anything), so that nothing behind
 * this can tell one source from another; only `info` says which it was.
 *
 * How to add one: a LinuxTypesSource, and its line in types.c.
 */
#pragma once

#include "linux.h"

G_BEGIN_DECLS

/* os has symbols and an address space, and neither layout nor texts as yet. ret_origin: (full) for
 * `info`, behind the number of types: what they are, where they were found and what they were
 * checked against; bytes as they are, for they are escaped there. NULL with error: that goes to
 * `info` and the guest's log; NULL without: there is nothing to say, as nobody asked for it. (full)
 */
typedef VmifsTypes *(*LinuxTypesSource)(const Linux *os, char **ret_origin, const VmifsCall *call,
					GError **error);

/* NULL when no source knows this kernel. (full) ret_refused: (full) why each that was asked before
 * did not, and what was given and not asked; untouched when there was none. ret_partial: were they
 * inferred? */
VmifsTypes *
linux_types_find(const Linux *os, char **ret_origin, char **ret_refused, gboolean *ret_partial,
		 const VmifsCall *call);

G_END_DECLS
