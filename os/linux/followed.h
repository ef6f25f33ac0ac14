/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * followed: variables that no table names, told by functions that are named: a table says of which
 * function's text each is a part, and how it is spoken of there.
 */
#pragma once

#include "linux.h"

G_BEGIN_DECLS

/* os has symbols and a layout. (nullable) (full) */
VmifsSymbols *
linux_followed_find(const Linux *os);

G_END_DECLS
