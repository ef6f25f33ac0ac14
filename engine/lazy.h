/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * lazy: a shared immutable value that is made when first wanted, once per epoch, however many want
 * it at the same time: one caller builds, without any lock held, the others wait for it or give up
 * by their own call. A failed build is not kept: the next caller tries again.
 */
#pragma once

#include <vmifs/call.h>

/* Returns: (full). epoch: that wanted; a later one if what it returns was only begun in that. */
typedef gpointer (*VmifsLazyBuild)(gpointer user, guint *epoch, const VmifsCall *call,
				   GError **error);

typedef struct {
	GMutex lock; /* guards what follows */
	GCond built;
	gboolean building;
	gpointer value; /* holds one reference */
	guint epoch;    /* that it was made in */
	gpointer (*ref)(gpointer value);
	GDestroyNotify unref;
} VmifsLazy;

void
vmifs_lazy_init(VmifsLazy *lazy, gpointer (*ref)(gpointer), GDestroyNotify unref);
void
vmifs_lazy_clear(VmifsLazy *lazy);
/* Returns: (full) the value of this epoch, or of a later one. */
gpointer
vmifs_lazy_get(VmifsLazy *lazy, guint epoch, VmifsLazyBuild build, gpointer user,
	       const VmifsCall *call, GError **error);
