/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * devices: the registers of each vCPU, out of the states that end a migration stream. They have no
 * lengths and no names of their own; a description in JSON behind them says, for each device, which
 * fields of which size were written. So nothing here depends on QEMU's version.
 *
 *   04 | id | "cpu" | instance | version | fields ... | 7e | id     and so on
 *   00 | 06 | length | {"page_size": 4096, "devices": [{"name": "cpu", "fields": [...]}, ...]}
 */
#pragma once

#include <vmifs/regs.h>

/* bytes: as qemu_stream_read() gave them. Returns: (full) of VmifsRegs, in the order of the vCPUs;
 * empty where none is told. NULL with CORRUPT. */
GPtrArray *
qemu_devices_regs(GBytes *bytes, GError **error);
