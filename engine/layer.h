/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * layer (private): one file that pages of pictures lie in, each at its own place, the rest of it
 * holes. It has no name, so that nothing of it is left however we end. Pictures share layers: a
 * refreshed one takes from those of the one before what has not changed.
 */
#pragma once

#include <glib.h>

G_BEGIN_DECLS

typedef struct {
	gatomicrefcount refs;
	int fd;
	guint64 stored; /* bytes that were put into it; set once, before it is shared */
} VmifsLayer;

/* Can files be made there? IO, NO_SPACE. */
gboolean
vmifs_layer_check_folder(const char *folder, GError **error);
/* An empty file for len bytes in that folder, of which so many will be stored. NO_SPACE when there
 * is no room for them; IO. */
VmifsLayer *
vmifs_layer_new(const char *folder, guint64 len, guint64 needed, GError **error);
VmifsLayer *
vmifs_layer_ref(VmifsLayer *layer);
/* Its room is given back soon after the last one. */
void
vmifs_layer_unref(VmifsLayer *layer);

/* All of it or FALSE. From any thread. NO_SPACE, IO. */
gboolean
vmifs_layer_write(VmifsLayer *layer, guint64 at, gconstpointer bytes, gsize len, GError **error);
/* 0, or an errno value. */
int
vmifs_layer_read(const VmifsLayer *layer, guint64 at, gpointer buf, gsize len);

G_DEFINE_AUTOPTR_CLEANUP_FUNC(VmifsLayer, vmifs_layer_unref)

G_END_DECLS
