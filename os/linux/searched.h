/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * searched: what a root of AArch64, RISC-V or ARM must show that nothing told of, but that was come
 * upon. Some kinds of tables are tried there, and one entry of some of them maps terabytes to
 * themselves, more or less (of ARM's a gigabyte, which is all that the kernel has): where data
 * happen to look like that, every address agrees with every other. So contents and the shape of the
 * whole must prove it.
 */
#pragma once

#include <spi/os.h>

G_BEGIN_DECLS

/* Is it AArch64 or RISC-V? The next two are of these. */
gboolean
linux_searched_is_doubtful(const char *arch);
/* Is the kernel's text read through the root, and executable? Its calls must go to where functions
 * begin, which bytes that stand anywhere else do not. */
gboolean
linux_searched_has_text(VmifsAspace *aspace, const VmifsSymbols *symbols);
/* Does the root map the page at pa, of the text, a second time, with most of all memory at the same
 * distance? So does the kernel's; what maps but its image was made to start it. */
gboolean
linux_searched_has_memory(VmifsAspace *aspace, guint64 pa, guint64 delta);
/* Of ARM: does the root map the vectors, which are far from all memory, and do they lead to where
 * the kernel takes system calls? */
gboolean
linux_searched_has_vectors(VmifsAspace *aspace, const VmifsSymbols *symbols);

G_END_DECLS
