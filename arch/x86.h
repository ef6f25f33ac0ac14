/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* x86_64 (private): what its files have of each other. */
#pragma once

#include <spi/arch.h>

G_BEGIN_DECLS

/* x86_64-writes.c */
extern const VmifsArchWrites vmifs_x86_64_writes;

G_END_DECLS
