/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * guest (private): how a host makes a guest and how discovery tells it what was found. An attached
 * OS is an instance with references of its own, so that a later boot can replace it while readers
 * still use the old one.
 */
#pragma once

#include <vmifs/guest.h>
#include <spi/backend.h>
#include <spi/os.h>

/* An OS attached to a guest: immutable but for what its driver does inside `self`. */
typedef struct {
	gatomicrefcount refs;
	const VmifsOs *os;
	VmifsKernel kernel;
	VmifsPhysmem *mem;   /* keeps kernel.mem */
	VmifsAspace *aspace; /* keeps kernel.aspace */
	gpointer data;       /* keeps kernel.data */
	GDestroyNotify free_data;
	gpointer self; /* the driver's */
} VmifsInstance;

VmifsInstance *
vmifs_instance_ref(VmifsInstance *instance);
void
vmifs_instance_unref(VmifsInstance *instance);

/* name, source (what to call it in info), mem: copied, copied, (taken). */
VmifsGuest *
vmifs_guest_new(const char *name, const char *source, const VmifsBackend *backend,
		VmifsPhysmem *mem, gint64 acquired, const VmifsOptions *options);
/* Who is told, from threads of the guest or of its source, that it has gone or that something else
 * has changed; before start(). */
typedef void (*VmifsGuestTold)(VmifsGuest *guest, gboolean gone, gpointer user);
void
vmifs_guest_listen(VmifsGuest *guest, VmifsGuestTold told, gpointer user);
/* Lets go of its memory: from now on it answers STALE. */
void
vmifs_guest_drop(VmifsGuest *guest);
/* Starts discovery in a thread of its own. */
void
vmifs_guest_start(VmifsGuest *guest);
/* Ends discovery, if it still runs, and waits for its thread. Nobody may call start again. */
void
vmifs_guest_stop(VmifsGuest *guest);

const VmifsOptions *
vmifs_guest_options(const VmifsGuest *guest);
const guint *
vmifs_guest_epoch(const VmifsGuest *guest);
