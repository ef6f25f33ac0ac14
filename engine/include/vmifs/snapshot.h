/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * snapshot: memory and registers of one moment of a running guest, as a guest of its own that is
 * frozen, while the one it was taken of runs on. They belong to that guest and go with it; whoever
 * holds a snapshot that was dropped, or taken anew, goes on reading what it was, and its room is
 * given back after the last of them. Any function may be called from any thread.
 */
#pragma once

#include <vmifs/guest.h>

G_BEGIN_DECLS

/* name: a valid file name. Takes seconds or minutes; one at a time is taken of each guest, others
 * wait for their turn. On failure nothing is left. EXISTS; DENIED under `passive`; UNSUPPORTED;
 * NO_SPACE; STALE; CANCELLED. (full) */
VmifsGuest *
vmifs_guest_take_snapshot(VmifsGuest *guest, const char *name, const VmifsCall *call,
			  GError **error);
/* Takes the one of that name anew, as another guest; only what differs is stored. On failure it
 * stays as it was. NOT_FOUND, and as above. */
gboolean
vmifs_guest_refresh_snapshot(VmifsGuest *guest, const char *name, const VmifsCall *call,
			     GError **error);
/* NOT_FOUND. */
gboolean
vmifs_guest_drop_snapshot(VmifsGuest *guest, const char *name, GError **error);

/* Of VmifsGuest, in the order they were first taken. (full) */
GPtrArray *
vmifs_guest_snapshots(VmifsGuest *guest);
/* (full) NULL when there is none of that name. */
VmifsGuest *
vmifs_guest_snapshot(VmifsGuest *guest, const char *name);

G_END_DECLS
