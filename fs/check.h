/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* check: `vmifs --check SOURCE`: what a source is, and how each thing was found; mounts nothing. */
#pragma once

#include "options.h"

G_BEGIN_DECLS

/* Returns: the exit status. */
int
vmifs_check(const VmifsFsOptions *options);

G_END_DECLS
