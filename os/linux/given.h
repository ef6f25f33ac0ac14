/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* given: files of the user as sources of layouts (types.h). */
#pragma once

#include "linux.h"

G_BEGIN_DECLS

VmifsTypes *
linux_types_profile(const Linux *os, char **ret_origin, const VmifsCall *call, GError **error);

/* Is the file of this guest's kernel? (full) what was compared, for `info`. NULL with UNSUPPORTED
 * and what differs (texts as they are, as `info` and the log escape them), or that nothing could be
 * compared. */
char *
linux_given_check(const Linux *os, const VmifsGiven *given, const VmifsCall *call, GError **error);

G_END_DECLS
