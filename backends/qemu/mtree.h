/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * mtree: where the guest's memory lies, as its QEMU tells: the rows of RAM and ROM in the flat view
 * of the system's address space ("info mtree -f"), and the address in the process of each
 * ("gpa2hva").
 */
#pragma once

#include "monitor.h"
#include "piece.h"

/* The pieces in a text of "info mtree -f", sorted, disjoint, merged where one continues another;
 * without their addresses. CORRUPT: it makes no sense, or has no such view. (full) of QemuPiece */
GArray *
qemu_mtree_parse(const char *text, GError **error);
/* The pieces and their addresses, asked for until both hang together: devices move their memory
 * while firmware runs. Errors as of QemuMonitorOps.ask; CORRUPT too when they never do. (full) of
 * QemuPiece */
GArray *
qemu_mtree_ask(QemuMonitor *monitor, const VmifsCall *call, GError **error);
