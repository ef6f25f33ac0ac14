/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* given: files of the user as sources of layouts (types.h) and symbols. */
#pragma once

#include "linux.h"

G_BEGIN_DECLS

VmifsTypes *
linux_types_profile(const Linux *os, char **ret_origin, const VmifsCall *call, GError **error);

VmifsTypes *
linux_types_vmlinux(const Linux *os, char **ret_origin, const VmifsCall *call, GError **error);

/* Of a guest whose own cannot be read, or are of functions alone: those of a file that is of its
 * kernel. ret_origin: (full) for `info`. (full) NULL: there is none. refused: gets what is wrong
 * with each file, which is in the guest's log, too. */
VmifsSymbols *
linux_given_symbols(const Linux *os, char **ret_origin, GString *refused, const VmifsCall *call);

/* Is the file of this guest's kernel? (full) what was compared, for `info`. NULL with UNSUPPORTED
 * and what differs (texts as they are, as `info` and the log escape them), or that nothing could be
 * compared. ret_symbols: (nullable) (full) its symbols where the guest has them; NULL when that
 * cannot be told. */
char *
linux_given_check(const Linux *os, const VmifsGiven *given, VmifsSymbols **ret_symbols,
		  const VmifsCall *call, GError **error);

G_END_DECLS
