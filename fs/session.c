/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * session: from libfuse's callbacks to requests over nodes. What changes something is refused here,
 * for all nodes alike.
 */
#include "session.h"

#include "operations.h"
#include "reply.h"
#include "waiting.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <poll.h>
#include <string.h>

/* ---- what libfuse calls ---- */

static void
start(fuse_req_t req, VmifsNode *node, VmifsRequest request)
{
	if (!node) {
		fuse_reply_err(req, ESTALE);
		return;
	}
	request.req = req;
	request.fs = fuse_req_userdata(req);
	request.node = node;
	request.caller = fuse_req_ctx(req)->pid;
	vmifs_request_start(request);
}

static VmifsNode *
get_node(fuse_req_t req, fuse_ino_t id)
{
	VmifsFs *fs = fuse_req_userdata(req);
	return vmifs_inodes_get(fs->inodes, id);
}

static VmifsHandle *
get_handle(fuse_req_t req, const struct fuse_file_info *info)
{
	VmifsFs *fs = fuse_req_userdata(req);
	return vmifs_handles_get(fs->handles, info->fh);
}

static void
start_on_handle(fuse_req_t req, const struct fuse_file_info *info, VmifsRequest request)
{
	VmifsHandle *handle = get_handle(req, info);
	if (!handle) {
		fuse_reply_err(req, EBADF);
		return;
	}
	request.handle = handle;
	start(req, vmifs_node_ref(handle->node), request);
}

static void
op_init(void *userdata, struct fuse_conn_info *conn)
{
	VmifsFs *fs = userdata;
	static const unsigned unwanted[] = {
		FUSE_CAP_READDIRPLUS_AUTO, /* always plus: see readdir.c */
		FUSE_CAP_AUTO_INVAL_DATA,  /* what is cached never changes */
		FUSE_CAP_SPLICE_READ,      /* measured: slower than plain reads and writes */
		FUSE_CAP_SPLICE_WRITE,     FUSE_CAP_SPLICE_MOVE,
	};
	for (gsize i = 0; i < G_N_ELEMENTS(unwanted); i++) {
#if FUSE_VERSION >= FUSE_MAKE_VERSION(3, 17)
		fuse_unset_feature_flag(conn, unwanted[i]);
#else
		conn->want &= ~unwanted[i];
#endif
	}
	if (fs->options->max_read)
		conn->max_read = fs->options->max_read;
	vmifs_passthrough_init(fs->passthrough, conn);
	if (fs->ready)
		fs->ready(fs->ready_user);
}

static void
op_lookup(fuse_req_t req, fuse_ino_t parent, const char *name)
{
	if (strlen(name) > NAME_MAX) /* FUSE itself would take longer ones */
		fuse_reply_err(req, ENAMETOOLONG);
	else
		start(req, get_node(req, parent),
		      (VmifsRequest){ .run = vmifs_run_lookup, .name = name });
}

static void
op_mkdir(fuse_req_t req, fuse_ino_t parent, const char *name, mode_t mode)
{
	if (strlen(name) > NAME_MAX)
		fuse_reply_err(req, ENAMETOOLONG);
	else
		start(req, get_node(req, parent),
		      (VmifsRequest){ .run = vmifs_run_mkdir, .name = name });
}

static void
op_rmdir(fuse_req_t req, fuse_ino_t parent, const char *name)
{
	start(req, get_node(req, parent), (VmifsRequest){ .run = vmifs_run_rmdir, .name = name });
}

static void
op_forget(fuse_req_t req, fuse_ino_t ino, uint64_t n)
{
	VmifsFs *fs = fuse_req_userdata(req);
	vmifs_inodes_forget(fs->inodes, ino, n);
	fuse_reply_none(req);
}

static void
op_forget_multi(fuse_req_t req, size_t count, struct fuse_forget_data *forgets)
{
	VmifsFs *fs = fuse_req_userdata(req);
	for (size_t i = 0; i < count; i++)
		vmifs_inodes_forget(fs->inodes, forgets[i].ino, forgets[i].nlookup);
	fuse_reply_none(req);
}

static void
op_getattr(fuse_req_t req, fuse_ino_t ino, struct fuse_file_info *info)
{
	start(req, get_node(req, ino), (VmifsRequest){ .run = vmifs_run_getattr });
}

static void
op_readlink(fuse_req_t req, fuse_ino_t ino)
{
	start(req, get_node(req, ino), (VmifsRequest){ .run = vmifs_run_readlink });
}

/* Names, owners and modes are nobody's to change. */
static void
refuse(fuse_req_t req, fuse_ino_t ino)
{
	VmifsFs *fs = fuse_req_userdata(req);
	g_autoptr(VmifsNode) node = get_node(req, ino);
	g_autoptr(GError) error =
		g_error_new_literal(VMIFS_ERROR, VMIFS_ERROR_DENIED,
				    "a change was refused: the tree is what the guest is");
	vmifs_reply_error(fs, req, node, error);
}

static void
op_open(fuse_req_t req, fuse_ino_t ino, struct fuse_file_info *info)
{
	start(req, get_node(req, ino),
	      (VmifsRequest){ .run = vmifs_run_open, .open_flags = info->flags });
}

static void
op_opendir(fuse_req_t req, fuse_ino_t ino, struct fuse_file_info *info)
{
	start(req, get_node(req, ino), (VmifsRequest){ .run = vmifs_run_opendir });
}

static void
op_read(fuse_req_t req, fuse_ino_t ino, size_t size, off_t off, struct fuse_file_info *info)
{
	start_on_handle(req, info,
			(VmifsRequest){ .run = vmifs_run_read,
					.off = (guint64) off,
					.size = size,
					.open_flags = info->flags });
}

/* What is no stream never lets anybody wait. */
static void
op_poll(fuse_req_t req, fuse_ino_t ino, struct fuse_file_info *info, struct fuse_pollhandle *poll)
{
	VmifsFs *fs = fuse_req_userdata(req);
	g_autoptr(VmifsHandle) handle = get_handle(req, info);
	g_atomic_int_inc(&fs->stats.requests);
	if (handle && handle->node->ops->ready) {
		fuse_reply_poll(req,
				vmifs_waiting_poll(handle->node->guest->waiting, handle, poll));
		return;
	}
	if (poll)
		fuse_pollhandle_destroy(poll);
	fuse_reply_poll(req, POLLIN | POLLRDNORM | POLLOUT | POLLWRNORM);
}

static void
op_write(fuse_req_t req, fuse_ino_t ino, const char *buf, size_t size, off_t off,
	 struct fuse_file_info *info)
{
	start_on_handle(
		req, info,
		(VmifsRequest){
			.run = vmifs_run_write, .off = (guint64) off, .size = size, .data = buf });
}

static void
op_lseek(fuse_req_t req, fuse_ino_t ino, off_t off, int whence, struct fuse_file_info *info)
{
	if (off < 0 || (whence != SEEK_DATA && whence != SEEK_HOLE))
		fuse_reply_err(req, EINVAL);
	else
		start_on_handle(req, info,
				(VmifsRequest){ .run = vmifs_run_lseek,
						.off = (guint64) off,
						.flag = whence == SEEK_DATA });
}

static void
op_readdir(fuse_req_t req, fuse_ino_t ino, size_t size, off_t off, struct fuse_file_info *info)
{
	start_on_handle(
		req, info,
		(VmifsRequest){ .run = vmifs_run_readdir, .off = (guint64) off, .size = size });
}

static void
op_readdirplus(fuse_req_t req, fuse_ino_t ino, size_t size, off_t off, struct fuse_file_info *info)
{
	start_on_handle(req, info,
			(VmifsRequest){ .run = vmifs_run_readdir,
					.off = (guint64) off,
					.size = size,
					.flag = TRUE });
}

static void
op_release(fuse_req_t req, fuse_ino_t ino, struct fuse_file_info *info)
{
	VmifsFs *fs = fuse_req_userdata(req);
	g_autoptr(VmifsHandle) handle = vmifs_handles_remove(fs->handles, info->fh);
	if (handle && handle->backed)
		vmifs_passthrough_close(fs->passthrough, handle->node);
	if (handle && handle->node->ops->ready)
		vmifs_waiting_forget(handle->node->guest->waiting, handle);
	fuse_reply_err(req, 0);
}

static guint64
guest_ram(VmifsGuest *guest)
{
	g_autoptr(VmifsPhysmem) mem = vmifs_guest_physmem(guest);
	return vmifs_physmem_ram(mem);
}

static void
op_statfs(fuse_req_t req, fuse_ino_t ino)
{
	VmifsFs *fs = fuse_req_userdata(req);
	g_autoptr(VmifsNode) node = get_node(req, ino);
	guint64 ram = 0;
	if (node && node->guest) {
		ram = guest_ram(vmifs_node_guest(node));
	} else {
		g_autoptr(GPtrArray) guests = vmifs_host_guests(fs->host);
		for (guint i = 0; i < guests->len; i++)
			ram += guest_ram(g_ptr_array_index(guests, i));
	}
	struct statvfs st = {
		.f_bsize = 4096,
		.f_frsize = 4096,
		.f_blocks = ram / 4096,
		.f_namemax = NAME_MAX,
	};
	fuse_reply_statfs(req, &st);
}

/* ---- what is refused ---- */

static void
op_setattr(fuse_req_t req, fuse_ino_t ino, struct stat *attr, int to_set,
	   struct fuse_file_info *info)
{
	const int times = FUSE_SET_ATTR_MTIME | FUSE_SET_ATTR_MTIME_NOW | FUSE_SET_ATTR_CTIME;
	if (to_set & FUSE_SET_ATTR_SIZE && !(to_set & ~(FUSE_SET_ATTR_SIZE | times)))
		start(req, get_node(req, ino),
		      (VmifsRequest){ .run = vmifs_run_truncate, .off = (guint64) attr->st_size });
	else
		refuse(req, ino);
}

static void
op_mknod(fuse_req_t req, fuse_ino_t parent, const char *name, mode_t mode, dev_t rdev)
{
	refuse(req, parent);
}

static void
op_unlink(fuse_req_t req, fuse_ino_t parent, const char *name)
{
	refuse(req, parent);
}

static void
op_symlink(fuse_req_t req, const char *target, fuse_ino_t parent, const char *name)
{
	refuse(req, parent);
}

static void
op_rename(fuse_req_t req, fuse_ino_t parent, const char *name, fuse_ino_t new_parent,
	  const char *new_name, unsigned flags)
{
	refuse(req, parent);
}

static void
op_link(fuse_req_t req, fuse_ino_t ino, fuse_ino_t new_parent, const char *new_name)
{
	refuse(req, ino);
}

static void
op_create(fuse_req_t req, fuse_ino_t parent, const char *name, mode_t mode,
	  struct fuse_file_info *info)
{
	refuse(req, parent);
}

static const struct fuse_lowlevel_ops session_ops = {
	.init = op_init,
	.lookup = op_lookup,
	.forget = op_forget,
	.forget_multi = op_forget_multi,
	.getattr = op_getattr,
	.readlink = op_readlink,
	.open = op_open,
	.read = op_read,
	.write = op_write,
	.poll = op_poll,
	.lseek = op_lseek,
	.release = op_release,
	.opendir = op_opendir,
	.readdir = op_readdir,
	.readdirplus = op_readdirplus,
	.releasedir = op_release,
	.statfs = op_statfs,
	.setattr = op_setattr,
	.mknod = op_mknod,
	.mkdir = op_mkdir,
	.unlink = op_unlink,
	.rmdir = op_rmdir,
	.symlink = op_symlink,
	.rename = op_rename,
	.link = op_link,
	.create = op_create,
};

struct fuse_session *
vmifs_session_new(VmifsFs *fs, struct fuse_args *args)
{
	return fuse_session_new(args, &session_ops, sizeof session_ops, fs);
}

gboolean
vmifs_session_run(VmifsFs *fs, GError **error)
{
	struct fuse_loop_config *config = fuse_loop_cfg_create();
	fuse_loop_cfg_set_max_threads(config, (unsigned) fs->n_workers);
	fuse_loop_cfg_set_idle_threads(config, (unsigned) fs->n_workers);
	int status = fuse_session_loop_mt(vmifs_fs_session(fs), config);
	fuse_loop_cfg_destroy(config);
	if (status >= 0)
		return TRUE;
	g_set_error(error, VMIFS_ERROR, VMIFS_ERROR_IO, "serving requests ended: %s",
		    g_strerror(-status));
	return FALSE;
}
