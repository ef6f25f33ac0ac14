/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* farewell: what is said to a gdbstub that holds the guest, by whoever comes after a vmifs that was
 * killed at any moment. */
#pragma once

#include "guard.h"

/* n_vcpus: as of qemu_session_open(); the descriptor is not set. */
void
qemu_farewell_init(QemuFarewell *farewell, guint n_vcpus);
void
qemu_farewell_clear(QemuFarewell *farewell);

/* Has it forget the points of each of these vCPUs, of which some may not be there; two packets for
 * each. */
void
qemu_farewell_wrap_clear(GString *out, guint from, guint n);
