/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * watch: lines that say what is to be told of a running guest beyond what its memory shows by
 * itself: accesses, executions, instructions. What happens then is told as events. Lines belong to
 * the guest and outlive its boots: symbols are looked up anew in each. A line is armed while events
 * are read, or always if it says so.
 */
#pragma once

#include <vmifs/guest.h>

G_BEGIN_DECLS

/* Adds and removes lines, a text as docs/man/vmifs.1 says. INVALID: nothing was done. NOT_FOUND,
 * EXISTS: of a name. UNSUPPORTED: that line is kept, and the text below tells why; those beside it
 * count all the same. DENIED under `passive`, and for `patch` without guest_rw. */
gboolean
vmifs_guest_watch(VmifsGuest *guest, const char *text, gsize len, const VmifsCall *call,
		  GError **error);
/* Removes all lines. When this has returned, none of them is armed. CANCELLED, TIMEOUT: they will
 * be removed. */
gboolean
vmifs_guest_watch_clear(VmifsGuest *guest, const VmifsCall *call, GError **error);
/* Are there lines? Never waits. */
gboolean
vmifs_guest_is_watched(VmifsGuest *guest);
/* Waits until what is to be armed now is. */
gboolean
vmifs_guest_watch_settle(VmifsGuest *guest, const VmifsCall *call, GError **error);
/* Every line with what has become of it, behind a # */
void
vmifs_guest_watch_text(VmifsGuest *guest, GString *out);
/* What each kind of line can see in this guest, and what it costs. */
gboolean
vmifs_guest_watch_caps(VmifsGuest *guest, GString *out, const VmifsCall *call, GError **error);

G_END_DECLS
