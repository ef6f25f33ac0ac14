/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * passthrough: two numbers of the FUSE protocol that older headers and libraries lack.
 *
 *   INIT reply   flags2 |= PASSTHROUGH, max_stack_depth
 *   OPEN reply   open_flags |= FOPEN_PASSTHROUGH, backing id
 *
 * Only INIT is made inside libfuse; its reply is the first thing written to the device.
 */
#include "fs.h"

#include <errno.h>
#include <linux/fuse.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/uio.h>
#include <unistd.h>

/* linux/fuse.h of 7.40 and later */
#define INIT_PASSTHROUGH_FLAGS2 (1u << (37 - 32))
#define OPEN_PASSTHROUGH (1u << 7)
#define OPEN_NO_FLUSH (1u << 5)

struct backing_map {
	gint32 fd;
	guint32 flags;
	guint64 padding;
};

#define DEV_BACKING_OPEN _IOW(229, 1, struct backing_map)
#define DEV_BACKING_CLOSE _IOW(229, 2, guint32)

/* File systems that may lie below us on top of each other: an image on an overlayfs is one. The
 * kernel's limit is 2, ours included. */
#define STACK_DEPTH 2

typedef struct {
	gint32 id; /* 0 = the server reads */
	guint opens;
} Backing;

struct VmifsPassthrough {
	int device;       /* (borrowed from the session) -1 = none */
	gboolean offered; /* by the kernel; set before the first request is served */
	gint settled;     /* atomic; INIT was answered */
	const char *refused;
	GMutex lock;          /* guards what follows */
	GHashTable *backings; /* VmifsNode (full) -> Backing */
};

VmifsPassthrough *
vmifs_passthrough_new(const char *refused)
{
	VmifsPassthrough *passthrough = g_new0(VmifsPassthrough, 1);
	passthrough->device = -1;
	passthrough->refused = refused;
	g_mutex_init(&passthrough->lock);
	passthrough->backings =
		g_hash_table_new_full(NULL, NULL, (GDestroyNotify) vmifs_node_unref, g_free);
	return passthrough;
}

void
vmifs_passthrough_free(VmifsPassthrough *passthrough)
{
	if (!passthrough)
		return;
	g_hash_table_unref(passthrough->backings);
	g_mutex_clear(&passthrough->lock);
	g_free(passthrough);
}

/* ---- INIT ---- */

#if FUSE_VERSION < FUSE_MAKE_VERSION(3, 17)

static ssize_t
device_read(int fd, void *buf, size_t len, void *userdata)
{
	VmifsFs *fs = userdata;
	VmifsPassthrough *passthrough = fs->passthrough;
	vmifs_eager_look(&fs->eager, fd);
	ssize_t got = read(fd, buf, len);
	vmifs_eager_note(&fs->eager, buf, got);
	if (G_LIKELY(g_atomic_int_get(&passthrough->settled)) || got < 0)
		return got;
	const struct fuse_in_header *header = buf;
	const struct fuse_init_in *init = (const void *) (header + 1);
	if ((gsize) got >= sizeof *header + sizeof *init && header->opcode == FUSE_INIT)
		passthrough->offered =
			(init->flags & FUSE_INIT_EXT) && (init->flags2 & INIT_PASSTHROUGH_FLAGS2);
	return got;
}

static ssize_t
device_writev(int fd, struct iovec *iov, int count, void *userdata)
{
	VmifsPassthrough *passthrough = ((VmifsFs *) userdata)->passthrough;
	if (G_LIKELY(g_atomic_int_get(&passthrough->settled)))
		return writev(fd, iov, count);
	struct fuse_init_out init;
	if (count == 2 && iov[1].iov_len == sizeof init && passthrough->offered &&
	    !passthrough->refused) {
		guint32 depth = STACK_DEPTH;
		memcpy(&init, iov[1].iov_base, sizeof init);
		init.flags |= FUSE_INIT_EXT;
		init.flags2 |= INIT_PASSTHROUGH_FLAGS2;
		/* max_stack_depth; older headers have no name for it */
		memcpy((char *) &init + offsetof(struct fuse_init_out, flags2) + sizeof depth,
		       &depth, sizeof depth);
		iov[1].iov_base = &init;
	}
	g_atomic_int_set(&passthrough->settled, TRUE);
	return writev(fd, iov, count);
}

gboolean
vmifs_passthrough_attach(VmifsPassthrough *passthrough, struct fuse_session *session, int device,
			 GError **error)
{
	const struct fuse_custom_io io = { .read = device_read, .writev = device_writev };
	int status = fuse_session_custom_io(session, &io, device);
	if (status < 0) {
		g_set_error(error, VMIFS_ERROR, VMIFS_ERROR_IO,
			    "libfuse does not take the FUSE device: %s", g_strerror(-status));
		return FALSE;
	}
	passthrough->device = device;
	return TRUE;
}

void
vmifs_passthrough_init(VmifsPassthrough *passthrough, struct fuse_conn_info *conn)
{
}

#else

gboolean
vmifs_passthrough_attach(VmifsPassthrough *passthrough, struct fuse_session *session, int device,
			 GError **error)
{
	g_autofree char *name = g_strdup_printf("/dev/fd/%d", device);
	if (fuse_session_mount(session, name) < 0) {
		g_set_error(error, VMIFS_ERROR, VMIFS_ERROR_IO,
			    "libfuse does not take the FUSE device");
		return FALSE;
	}
	passthrough->device = device;
	return TRUE;
}

void
vmifs_passthrough_init(VmifsPassthrough *passthrough, struct fuse_conn_info *conn)
{
	if (passthrough->device < 0 || passthrough->refused)
		return;
	passthrough->offered = fuse_set_feature_flag(conn, FUSE_CAP_PASSTHROUGH);
	conn->max_backing_stack_depth = STACK_DEPTH - 1; /* libfuse adds one */
}

#endif

/* ---- backing files ---- */

static gint32
backing_open(VmifsPassthrough *passthrough, int fd)
{
	struct backing_map map = { .fd = fd };
	int id = ioctl(passthrough->device, DEV_BACKING_OPEN, &map);
	return id > 0 ? id : 0;
}

static void
backing_close(VmifsPassthrough *passthrough, gint32 id)
{
	guint32 number = (guint32) id;
	ioctl(passthrough->device, DEV_BACKING_CLOSE, &number);
}

static const char *
why_never(VmifsPassthrough *passthrough)
{
	if (passthrough->refused)
		return passthrough->refused;
	if (passthrough->device < 0)
		return "the mount was not made by root";
	if (!passthrough->offered)
		return "the kernel does not offer it (Linux 6.9 and later do)";
	return NULL;
}

char *
vmifs_passthrough_why_not(VmifsPassthrough *passthrough, int fd)
{
	const char *never = why_never(passthrough);
	if (never)
		return g_strdup(never);
	gint32 id = backing_open(passthrough, fd);
	int saved = errno;
	if (id > 0) {
		backing_close(passthrough, id);
		return NULL;
	}
	switch (saved) {
	case EPERM:
		return g_strdup("the kernel wants CAP_SYS_ADMIN for it");
	case ELOOP:
		return g_strdup("its file lies on a file system that the kernel does not stack on");
	default:
		return g_strdup_printf("the kernel refuses the file: %s", g_strerror(saved));
	}
}

gint32
vmifs_passthrough_open(VmifsPassthrough *passthrough, VmifsNode *node, int fd)
{
	g_autoptr(GMutexLocker) locker = g_mutex_locker_new(&passthrough->lock);
	Backing *backing = g_hash_table_lookup(passthrough->backings, node);
	if (!backing) {
		backing = g_new0(Backing, 1);
		if (fd >= 0 && !why_never(passthrough))
			backing->id = backing_open(passthrough, fd);
		g_hash_table_insert(passthrough->backings, vmifs_node_ref(node), backing);
	}
	backing->opens++;
	return backing->id;
}

void
vmifs_passthrough_close(VmifsPassthrough *passthrough, VmifsNode *node)
{
	g_autoptr(GMutexLocker) locker = g_mutex_locker_new(&passthrough->lock);
	Backing *backing = g_hash_table_lookup(passthrough->backings, node);
	g_assert(backing);
	if (--backing->opens > 0)
		return;
	if (backing->id > 0)
		backing_close(passthrough, backing->id);
	g_hash_table_remove(passthrough->backings, node);
}

GPtrArray *
vmifs_passthrough_drop(VmifsPassthrough *passthrough, const VmifsFsGuest *guest)
{
	GPtrArray *held = g_ptr_array_new_with_free_func(g_free);
	g_autoptr(GMutexLocker) locker = g_mutex_locker_new(&passthrough->lock);
	GHashTableIter iter;
	gpointer node, value;
	g_hash_table_iter_init(&iter, passthrough->backings);
	while (g_hash_table_iter_next(&iter, &node, &value)) {
		Backing *backing = value;
		if (((VmifsNode *) node)->guest != guest || backing->id <= 0)
			continue;
		g_ptr_array_add(held, vmifs_node_path(node));
		backing_close(passthrough, backing->id);
		backing->id = 0;
	}
	return held;
}

/* As fuse_reply_open(), which knows of backing ids only from libfuse 3.17 on. */
int
vmifs_passthrough_reply(fuse_req_t req, guint64 handle, gint32 backing_id, gboolean served)
{
	struct fuse_open_out out = { .fh = handle };
	guint32 id = (guint32) backing_id;
	out.open_flags = OPEN_PASSTHROUGH | OPEN_NO_FLUSH | (served ? FOPEN_DIRECT_IO : 0);
	memcpy((char *) &out + sizeof out - sizeof id, &id, sizeof id);
	return fuse_reply_buf(req, (const char *) &out, sizeof out);
}
