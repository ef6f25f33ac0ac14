/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * kept: what was decoded of a kernel's symbol tables, for the next time. Expanding and hashing its
 * names is what attaching takes longest for, and depends on nothing but two tables, which neither
 * KASLR nor the running kernel changes. So an entry holds these tables beside what was made of
 * them:
 *
 *   Head | tokens | compressed names | packed symbols
 *
 * and counts for a guest that has the same tables, byte for byte. That says more than a build id,
 * which a guest may lie about. Addresses are not kept: they come from the guest each time; nor are
 * places in memory: all proofs of a kernel are made anew. The name of an entry is of the token
 * table, which is made out of all names of a build; the build id is found by these symbols.
 *
 * A hostile guest can have an entry stored for its own tables: who has the same ones would make the
 * same symbols of them. It can put its entry in the place of another guest's: that one's tables
 * differ, are decoded, and replace it.
 */
#pragma once

#include "kallsyms.h"

#include <spi/os.h>

G_BEGIN_DECLS

/* The symbols of these tables, which have their copies; NULL: they have to be decoded. (full) */
VmifsSymbols *
linux_kept_load(const VmifsOptions *options, const LinuxKallsyms *tables);
/* What an entry for these tables begins with. (full) (nullable) where nothing is kept, or they are
 * larger than a kernel's. */
GBytes *
linux_kept_source(const VmifsOptions *options, const LinuxKallsyms *tables);
/* symbols: decoded from source. */
void
linux_kept_save(const VmifsOptions *options, GBytes *source, const VmifsSymbols *symbols);
/* The symbols of an entry, which may be any bytes. For tests. (full) (nullable) */
VmifsSymbols *
linux_kept_open(GBytes *entry, const LinuxKallsyms *tables);

G_END_DECLS
