/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * fs: one mount: what its options settled, the tables of what the kernel knows of it, and what it
 * keeps of each guest.
 */
#pragma once

#include "content.h"
#include "eager.h"
#include "guest.h"
#include "handle.h"
#include "inode.h"
#include "keeper.h"
#include "node.h"
#include "options.h"
#include "passthrough.h"

G_BEGIN_DECLS

/* Counted for .vmifs/stats; atomic. */
typedef struct {
	guint requests; /* that came from the kernel */
	guint queued;   /* of these, on a guest's queue */
	guint failed;   /* answered with an error other than ENOENT */
	guint interrupted;
} VmifsFsStats;

struct VmifsFs {
	VmifsHost *host;               /* (full) */
	const VmifsFsOptions *options; /* (borrowed) */
	mode_t file_mode, dir_mode;    /* permission bits */
	mode_t write_mode;             /* more of them, for files that may be written */
	uid_t uid;
	gid_t gid;
	int proc;                /* (full) hostproc.h; -1 = there is none */
	struct timespec mounted; /* times of what belongs to no guest */
	gboolean links_prefixed; /* the mount follows links: their texts must not resolve */
	const guint8 *zeros;     /* VMIFS_ZEROS_LEN bytes that are never written */
	VmifsInodes *inodes;
	VmifsHandles *handles;
	VmifsContents *contents;
	VmifsPassthrough *passthrough;
	VmifsEager eager;
	VmifsFsStats stats;
	struct fuse_session *session; /* (borrowed) vmifs_fs_session(), until it runs */
	void (*ready)(gpointer user); /* (nullable) the kernel's first request was answered */
	gpointer ready_user;
	gint n_workers; /* threads that take requests */
	gint lent;      /* atomic; of these, how many run what may wait */
	GMutex filling; /* held while a text is given to the kernel; see fill_cache() */

	VmifsKeeper *keeper; /* (full) */

	GMutex lock;        /* guards what follows */
	GHashTable *guests; /* VmifsGuest -> VmifsFsGuest (full) */
	guint64 last_serial;
};

#define VMIFS_ZEROS_LEN (1024 * 1024)

/* (borrowed) NULL until the mount is there: the keeper is, before. */
static inline struct fuse_session *
vmifs_fs_session(VmifsFs *fs)
{
	return g_atomic_pointer_get(&fs->session);
}

/* TRUE when this thread, which takes requests, may run what might wait: as many as it leaves take
 * them all the same. To be given back. */
gboolean
vmifs_fs_lend_worker(VmifsFs *fs);
void
vmifs_fs_have_worker_back(VmifsFs *fs);

/* host, options: (taken), (borrowed). (full) NULL with IO. */
VmifsFs *
vmifs_fs_new(VmifsHost *host, const VmifsFsOptions *options, GError **error);
/* Cancels what runs. Nothing is begun any more. */
void
vmifs_fs_cancel(VmifsFs *fs);
/* The same, and gives it a moment to answer: to be called before /dev/fuse is closed,
 * so that no late answer is written to whatever has that descriptor next. */
void
vmifs_fs_quiet(VmifsFs *fs);
/* Ends what still runs, then drops everything. No request may come any more. */
void
vmifs_fs_free(VmifsFs *fs);

/* What the file system keeps for that guest, made when first wanted. origin: (borrowed) (nullable)
 * of a snapshot: the guest that it was taken of. (full) */
VmifsFsGuest *
vmifs_fs_guest(VmifsFs *fs, VmifsGuest *guest, VmifsFsGuest *origin);
/* Is the guest still there? It is not listed any more before anything is taken from it. */
gboolean
vmifs_fs_is_listed(VmifsFs *fs, const VmifsFsGuest *guest);
/* Of all guests. (full) */
GPtrArray *
vmifs_fs_guests(VmifsFs *fs);
/* Forgets a guest that has gone and runs nothing any more. */
void
vmifs_fs_drop_guest(VmifsFs *fs, VmifsFsGuest *guest);
/* Forgets a guest of which there is no node any more; to be called with one reference to it. FALSE
 * when there still is one. */
gboolean
vmifs_fs_drop_unused(VmifsFs *fs, VmifsFsGuest *guest);

G_END_DECLS
