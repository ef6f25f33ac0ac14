/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * fs: one mount: what its options settled, the tables of what the kernel knows of it, and per guest
 * a bounded queue for whatever may take time, so that no guest can make another's files wait.
 */
#pragma once

#include "content.h"
#include "eager.h"
#include "handle.h"
#include "inode.h"
#include "node.h"
#include "options.h"
#include "passthrough.h"

G_BEGIN_DECLS

/* Threads that decode for one guest; more requests than that wait in its queue. */
#define VMIFS_QUEUE_THREADS 4
/* How long one request may take there, its turn included. Waiting for discovery is not counted:
 * that ends by itself or by Ctrl-C, and holds no thread. */
#define VMIFS_QUEUE_DEADLINE (10 * G_TIME_SPAN_SECOND)

typedef struct VmifsRequest VmifsRequest;

struct VmifsFsGuest {
	VmifsFs *fs;
	VmifsGuest *guest; /* (full) */
	gboolean frozen;
	guint64 serial;    /* tells guests of one name apart */
	gint discovered;   /* atomic */
	GThreadPool *pool; /* of VmifsRequest */

	GMutex lock; /* guards what follows */
	gboolean closing;
	GQueue parked;  /* of VmifsRequest: until discovery has ended */
	GQueue running; /* of VmifsRequest: in the pool's queue or on its threads */
};

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
	struct fuse_session *session; /* (borrowed) once there is one */
	void (*ready)(gpointer user); /* (nullable) the kernel's first request was answered */
	gpointer ready_user;
	GMutex filling; /* held while a text is given to the kernel; see fill_cache() */

	GMutex lock;        /* guards what follows */
	GHashTable *guests; /* VmifsGuest -> VmifsFsGuest */
	guint64 last_serial;
};

#define VMIFS_ZEROS_LEN (1024 * 1024)

/* host, options: (taken), (borrowed). */
VmifsFs *
vmifs_fs_new(VmifsHost *host, const VmifsFsOptions *options);
/* Cancels what still runs and gives it a moment to answer: to be called before /dev/fuse is closed,
 * so that no late answer is written to whatever has that descriptor next. */
void
vmifs_fs_quiet(VmifsFs *fs);
/* Ends what still runs, then drops everything. No request may come any more. */
void
vmifs_fs_free(VmifsFs *fs);

/* What the file system keeps for that guest, made when first wanted. (borrowed from fs) */
VmifsFsGuest *
vmifs_fs_guest(VmifsFs *fs, VmifsGuest *guest);

/* request: (taken) runs it on the guest's queue, at once or when discovery has ended. */
void
vmifs_fs_guest_queue(VmifsFsGuest *guest, VmifsRequest *request, VmifsDefer defer);

G_END_DECLS
