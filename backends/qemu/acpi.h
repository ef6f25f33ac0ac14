/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * acpi (private): is memory laid out as somebody thinks? Firmware puts the tables of the machine at
 * the end of RAM below 4 GiB, or below 1 MiB, and there they stay, whatever runs later: the root
 * table holds addresses of others, all have checksums. Where they are found, addresses are right.
 */
#pragma once

#include <glib.h>

G_BEGIN_DECLS

/* Reads exactly len bytes of guest memory at pa, nothing that is not there, or FALSE. */
typedef gboolean (*QemuReadPa)(gpointer user, guint64 pa, gpointer buf, gsize len);

/* low: where RAM below 4 GiB ends. Returns: the address of the root table, which lies at the end of
 * that RAM or below 1 MiB, and leads to tables; 0 = there is none. */
guint64
qemu_acpi_find(QemuReadPa read, gpointer user, guint64 low);

G_END_DECLS
