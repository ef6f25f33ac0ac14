/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * unpack: a file as its reader wants it, whether it is packed (.gz, .xz, .zst, told by its first
 * bytes) or not, a piece at a time. One thread.
 */
#pragma once

#include <glib.h>

G_BEGIN_DECLS

/* What a packed file may come to, and the memory that unpacking may take: no symbol file needs as
 * much, and a few kilobytes could unpack to anything. */
#define VMIFS_UNPACK_MAX (G_GUINT64_CONSTANT(1) << 30)
#define VMIFS_UNPACK_MEMORY (80 * 1024 * 1024)

/* One way of packing. */
typedef struct {
	const char *name;
	const char *magic;
	gsize magic_len;
	gpointer (*open)(void);
	void (*close)(gpointer self);
	/* Takes from *in and gives to *out, as much as it can; both move on. ret_whole: TRUE where
	 * the input may end. (static) error: why not, or NULL. */
	const char *(*step)(gpointer self, const guint8 **in, gsize *in_len, guint8 **out,
			    gsize *out_len, gboolean *ret_whole);
} VmifsPacking;

extern const VmifsPacking vmifs_packing_gz;
extern const VmifsPacking vmifs_packing_xz;
extern const VmifsPacking vmifs_packing_zst;

typedef struct VmifsUnpack VmifsUnpack;

/* fd: (borrowed), read from its first byte on by pread(). UNSUPPORTED for a way of packing that
 * this build cannot undo. */
VmifsUnpack *
vmifs_unpack_new(int fd, GError **error);
void
vmifs_unpack_free(VmifsUnpack *unpack);
/* At most len bytes, 0 at the end, -1 with error. */
gssize
vmifs_unpack_read(VmifsUnpack *unpack, gpointer buf, gsize len, GError **error);

G_DEFINE_AUTOPTR_CLEANUP_FUNC(VmifsUnpack, vmifs_unpack_free)

G_END_DECLS
