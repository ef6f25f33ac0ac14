/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* vmifs: everything that a client of the library needs. */
#pragma once

#include <vmifs/aspace.h>
#include <vmifs/call.h>
#include <vmifs/error.h>
#include <vmifs/events.h>
#include <vmifs/guest.h>
#include <vmifs/host.h>
#include <vmifs/physmem.h>
#include <vmifs/process.h>
#include <vmifs/ptmap.h>
#include <vmifs/regs.h>
#include <vmifs/segments.h>
#include <vmifs/snapshot.h>
#include <vmifs/symbols.h>
#include <vmifs/text.h>
#include <vmifs/types.h>
#include <vmifs/view.h>
#include <vmifs/watch.h>
