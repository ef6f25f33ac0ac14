/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * contents: variables that no table names and no function tells of, known by what they hold. Of
 * kernels of 32 bits, of which nothing is read off functions; asked before types are, as layouts
 * are inferred from what they lead to.
 */
#pragma once

#include "linux.h"

G_BEGIN_DECLS

/* os has symbols, of functions and what is exported. (nullable) (full) */
VmifsSymbols *
linux_contents_find(const Linux *os, const VmifsCall *call);

G_END_DECLS
