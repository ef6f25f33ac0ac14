/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * operations: each is a run function over a request: it gathers everything that it needs for the
 * answer, claims the request, answers. What the answer gave the kernel (a lookup, an open) is taken
 * back when the kernel did not take it: its caller was killed in the meantime.
 */
#include "operations.h"

#include "nodes/nodes.h"
#include "reply.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <unistd.h>

/* Texts up to this size are given to the kernel when they are opened. */
#define FILL_LEN 65536

/* ---- names and attributes ---- */

/* A reader who looks up a text will want its size and its bytes next: both in one go. */
static gboolean
is_cheap(const VmifsNode *node)
{
	return node->flags & VMIFS_NODE_QUICK && vmifs_content_is_constant(node);
}

/* Tells the kernel of a node. found: (taken). *ret_taken: it has heard of it. */
static gboolean
reply_entry(VmifsRequest *request, VmifsNode *found, gboolean *ret_taken, VmifsNodeCall *call,
	    GError **error)
{
	VmifsFs *fs = request->fs;
	g_autoptr(VmifsNode) node = vmifs_inodes_enter(fs->inodes, found);
	struct fuse_entry_param entry = {
		.ino = node->id,
		.entry_timeout = vmifs_attr_entry_timeout(fs, node),
	};
	gboolean filled = vmifs_node_check(node, error) &&
			  vmifs_attr_fill(fs, node, is_cheap(node), &entry.attr,
					  &entry.attr_timeout, call, error);
	*ret_taken = filled && vmifs_request_claim(request) &&
		     fuse_reply_entry(request->req, &entry) == 0;
	if (!*ret_taken)
		vmifs_inodes_forget(fs->inodes, node->id, 1);
	return filled;
}

/* A name that is not there, and never will be: of what a frozen task may have, all is known. Tools
 * ask for what other kernels have, again and again. */
static gboolean
reply_never(VmifsRequest *request)
{
	const struct fuse_entry_param none = {
		.ino = 0,
		.entry_timeout = vmifs_attr_entry_timeout(request->fs, request->node),
	};
	if (vmifs_request_claim(request))
		fuse_reply_entry(request->req, &none);
	return TRUE;
}

gboolean
vmifs_run_lookup(VmifsRequest *request, VmifsNodeCall *call, GError **error)
{
	VmifsNode *dir = request->node;
	gboolean taken;
	VmifsNode *found = dir->ops->lookup(dir, request->name, call, error);
	if (found)
		return reply_entry(request, found, &taken, call, error);
	if (!(dir->flags & VMIFS_NODE_TASK) || !vmifs_node_is_frozen(dir) ||
	    !g_error_matches(*error, VMIFS_ERROR, VMIFS_ERROR_NOT_FOUND))
		return FALSE;
	g_clear_error(error);
	return reply_never(request);
}

static gboolean
may_make(const VmifsNode *dir, GError **error)
{
	if (!dir->ops->make)
		g_set_error_literal(error, VMIFS_ERROR, VMIFS_ERROR_DENIED,
				    "a change was refused: the tree is what the guest is");
	return dir->ops->make != NULL;
}

/* Who was interrupted, or killed, shall not find it there. */
gboolean
vmifs_run_mkdir(VmifsRequest *request, VmifsNodeCall *call, GError **error)
{
	VmifsNode *dir = request->node;
	gboolean taken;
	VmifsNode *made =
		may_make(dir, error) ? dir->ops->make(dir, request->name, call, error) : NULL;
	if (!made)
		return FALSE;
	gboolean filled = reply_entry(request, made, &taken, call, error);
	if (!taken)
		dir->ops->drop(dir, request->name, call, NULL);
	return filled;
}

gboolean
vmifs_run_rmdir(VmifsRequest *request, VmifsNodeCall *call, GError **error)
{
	VmifsNode *dir = request->node;
	if (!may_make(dir, error) || !dir->ops->drop(dir, request->name, call, error))
		return FALSE;
	if (vmifs_request_claim(request))
		fuse_reply_err(request->req, 0);
	return TRUE;
}

gboolean
vmifs_run_getattr(VmifsRequest *request, VmifsNodeCall *call, GError **error)
{
	struct stat attr;
	double timeout;
	if (vmifs_node_task(request->node) && !vmifs_task_check(request->node, call, error))
		return FALSE;
	if (!vmifs_attr_fill(request->fs, request->node, TRUE, &attr, &timeout, call, error))
		return FALSE;
	if (vmifs_request_claim(request))
		fuse_reply_attr(request->req, &attr, timeout);
	return TRUE;
}

gboolean
vmifs_run_readlink(VmifsRequest *request, VmifsNodeCall *call, GError **error)
{
	g_autoptr(VmifsContent) content =
		vmifs_contents_get(request->fs->contents, request->node, call, error);
	if (!content)
		return FALSE;
	gsize len;
	const char *data = vmifs_content_data(content, &len);
	g_autofree char *target = g_strndup(data, MIN(len, PATH_MAX));
	if (!vmifs_request_claim(request))
		return TRUE;
	if (len < PATH_MAX)
		fuse_reply_readlink(request->req, target);
	else /* as in procfs, where a link has a page and no more */
		fuse_reply_err(request->req, ENAMETOOLONG);
	return TRUE;
}

/* ---- opens ---- */

/* A guest that goes lets go of its files, and their numbers may come to mean others: a copy made
 * while it was listed is right. Once passthrough knows of it, the end of the guest finds it there,
 * unless that is over. */
static gboolean
open_backing(VmifsFs *fs, VmifsHandle *handle, gint32 *ret_id)
{
	VmifsNode *node = handle->node;
	const char *why;
	int fd = node->ops->backing(node, &why);
	int copy = fd < 0 ? -1 : fcntl(fd, F_DUPFD_CLOEXEC, 0);
	/* What is frozen never lets go of them. */
	gboolean there = vmifs_node_is_frozen(node) || vmifs_fs_is_listed(fs, node->guest);
	if (there) {
		handle->backed = TRUE;
		*ret_id = vmifs_passthrough_open(fs->passthrough, node, copy);
		there = vmifs_node_check(node, NULL);
	}
	if (copy >= 0)
		close(copy);
	return there;
}

/* Gives the handle its number and answers; takes both back when the kernel is gone. */
static void
reply_open(VmifsRequest *request, VmifsHandle *handle, struct fuse_file_info *info)
{
	VmifsFs *fs = request->fs;
	gint32 backing_id = 0;
	if (handle->node->ops->backing && !open_backing(fs, handle, &backing_id)) {
		if (handle->backed)
			vmifs_passthrough_close(fs->passthrough, handle->node);
		fuse_reply_err(request->req, ESTALE);
		return;
	}
	vmifs_handles_enter(fs->handles, vmifs_handle_ref(handle));
	info->fh = handle->id;
	/* Writes are made by us, for the engine has to know of them. */
	int status;
	if (handle->node->ops->ready)
		status = vmifs_reply_open_stream(request->req, handle->id);
	else if (backing_id)
		status = vmifs_passthrough_reply(request->req, handle->id, backing_id,
						 handle->writable);
	else
		status = fuse_reply_open(request->req, info);
	if (status == 0)
		return;
	vmifs_handle_unref(vmifs_handles_remove(fs->handles, handle->id));
	if (handle->backed)
		vmifs_passthrough_close(fs->passthrough, handle->node);
}

/* Puts a text that is at hand into the kernel's page cache, so that reading it asks nothing. The
 * kernel waits here for whoever reads that page, and he for one of our threads, perhaps this one:
 * so it is done at the first open, and every other open waits for its end before it is answered,
 * for nobody can read a file that no open of was answered. One with O_DIRECT is no exception: it
 * may map the file, and so read through the cache. */
static void
fill_cache(VmifsFs *fs, VmifsNode *node)
{
	if (g_atomic_int_get(&node->filled))
		return;
	g_autoptr(GMutexLocker) locker = g_mutex_locker_new(&fs->filling);
	if (g_atomic_int_get(&node->filled))
		return;
	g_autoptr(VmifsContent) content = vmifs_contents_find(fs->contents, node);
	gsize len = 0;
	const char *data = content ? vmifs_content_data(content, &len) : NULL;
	if (len && len <= FILL_LEN) {
		struct fuse_bufvec buffer = FUSE_BUFVEC_INIT(len);
		buffer.buf[0].mem = (gpointer) data;
		/* A kernel that does not take it reads, as it always does. */
		fuse_lowlevel_notify_store(vmifs_fs_session(fs), node->id, 0, &buffer, 0);
	}
	g_atomic_int_set(&node->filled, TRUE);
}

gboolean
vmifs_run_open(VmifsRequest *request, VmifsNodeCall *call, GError **error)
{
	VmifsNode *node = request->node;
	gboolean writes = (request->open_flags & O_ACCMODE) != O_RDONLY;
	if ((writes || request->open_flags & O_TRUNC) &&
	    !vmifs_node_check_writable(request->fs, node, error))
		return FALSE;
	if (request->open_flags & O_TRUNC && node->ops->truncate &&
	    !node->ops->truncate(node, call, error))
		return FALSE;
	g_autoptr(VmifsHandle) handle = vmifs_handle_new(node);
	handle->writable = writes;
	gboolean cached;
	if (node->ops->render) {
		cached = vmifs_content_is_constant(node);
		gboolean is_read = (request->open_flags & O_ACCMODE) != O_WRONLY;
		gint64 size = __atomic_load_n(&node->text_size, __ATOMIC_RELAXED);
		if (is_read && (!cached || size < 0)) {
			handle->content =
				vmifs_contents_get(request->fs->contents, node, call, error);
			if (!handle->content)
				return FALSE;
		}
	} else {
		cached = vmifs_node_is_cached_memory(node, call);
		handle->file = node->ops->open(node, call, error);
		if (!handle->file)
			return FALSE;
	}
	if (!vmifs_node_check(node, error))
		return FALSE;
	/* Whoever opens with O_DIRECT wants what vmifs answers, but others keep their cache. */
	handle->direct = !cached || request->open_flags & O_DIRECT;
	struct fuse_file_info info = { .noflush = 1 };
	info.keep_cache = cached ? 1 : 0;
	info.direct_io = handle->direct ? 1 : 0;
	if (!vmifs_request_claim(request))
		return TRUE;
	if (node->ops->render && cached)
		fill_cache(request->fs, node);
	reply_open(request, handle, &info);
	return TRUE;
}

gboolean
vmifs_run_opendir(VmifsRequest *request, VmifsNodeCall *call, GError **error)
{
	VmifsNode *node = request->node;
	g_autoptr(VmifsNodeList) list = vmifs_node_list_new();
	if (!node->ops->list(node, list, call, error) || !vmifs_node_check(node, error))
		return FALSE;
	g_autoptr(VmifsHandle) handle = vmifs_handle_new(node);
	handle->list = g_steal_pointer(&list);
	struct fuse_file_info info = { 0 };
	if (vmifs_node_is_frozen(node))
		info.cache_readdir = info.keep_cache = 1;
	if (vmifs_request_claim(request))
		reply_open(request, handle, &info);
	return TRUE;
}

/* ---- bytes ---- */

/* The text of an open that put its rendering off. */
static const char *
handle_text(VmifsRequest *request, gsize *ret_len, VmifsNodeCall *call, GError **error)
{
	VmifsHandle *handle = request->handle;
	g_mutex_lock(&handle->lock);
	VmifsContent *content = handle->content;
	g_mutex_unlock(&handle->lock);
	if (!content) {
		g_autoptr(VmifsContent) made =
			vmifs_contents_get(request->fs->contents, handle->node, call, error);
		if (!made)
			return NULL;
		g_mutex_lock(&handle->lock);
		if (!handle->content)
			handle->content = g_steal_pointer(&made);
		content = handle->content;
		g_mutex_unlock(&handle->lock);
	}
	return vmifs_content_data(content, ret_len);
}

static gboolean
read_text(VmifsRequest *request, VmifsNodeCall *call, GError **error)
{
	gsize len;
	const char *text = handle_text(request, &len, call, error);
	if (!text)
		return FALSE;
	gsize off = (gsize) MIN(request->off, len);
	if (vmifs_request_claim(request))
		fuse_reply_buf(request->req, text + off, MIN(request->size, len - off));
	return TRUE;
}

static gboolean
read_memory(VmifsRequest *request, VmifsNodeCall *call, GError **error)
{
	VmifsNode *node = request->handle->node;
	GError *failure = NULL;
	g_auto(VmifsSegments) segments;
	vmifs_segments_init(&segments);
	call->direct = request->handle->direct;
	node->ops->read(node, request->handle->file, request->off, request->size, &segments, call,
			&failure);
	if (call->defer != VMIFS_DEFER_NO)
		return FALSE;
	if (failure) {
		g_propagate_error(error, failure);
		return FALSE;
	}
	if (!vmifs_node_check(node, error))
		return FALSE;
	if (vmifs_request_claim(request))
		vmifs_reply_segments(request->fs, request->req, &segments);
	return TRUE;
}

/* What is read is gone: nothing is taken before it is certain whose answer it will be. */
static gboolean
read_stream(VmifsRequest *request, VmifsNodeCall *call, GError **error)
{
	VmifsHandle *handle = request->handle;
	const VmifsNodeOps *ops = handle->node->ops;
	g_autoptr(GMutexLocker) locker = g_mutex_locker_new(&handle->lock);
	gboolean ready = ops->ready(handle->node, handle->file);
	if (!ready && !(request->open_flags & O_NONBLOCK)) {
		call->defer = VMIFS_DEFER_READY;
		return FALSE;
	}
	if (!vmifs_request_claim(request))
		return TRUE;
	if (!ready) {
		fuse_reply_err(request->req, EAGAIN);
		return TRUE;
	}
	g_auto(VmifsSegments) segments;
	vmifs_segments_init(&segments);
	ops->read(handle->node, handle->file, 0, request->size, &segments, call, NULL);
	vmifs_reply_segments(request->fs, request->req, &segments);
	return TRUE;
}

gboolean
vmifs_run_read(VmifsRequest *request, VmifsNodeCall *call, GError **error)
{
	const VmifsNodeOps *ops = request->handle->node->ops;
	if (ops->ready)
		return read_stream(request, call, error);
	return ops->render ? read_text(request, call, error) : read_memory(request, call, error);
}

gboolean
vmifs_run_write(VmifsRequest *request, VmifsNodeCall *call, GError **error)
{
	VmifsHandle *handle = request->handle;
	VmifsNode *node = handle->node;
	if (!handle->writable || !vmifs_node_check_writable(request->fs, node, error))
		return FALSE;
	gsize written = node->ops->write(node, handle->file, request->off, request->data,
					 request->size, call, error);
	if (!written)
		return FALSE;
	if (vmifs_request_claim(request))
		fuse_reply_write(request->req, written);
	return TRUE;
}

/* What is written has no size that could be set: as in procfs, `>` and dd(1) are let to. Files that
 * are lists are emptied by the size 0, which is off. */
gboolean
vmifs_run_truncate(VmifsRequest *request, VmifsNodeCall *call, GError **error)
{
	const VmifsNodeOps *ops = request->node->ops;
	return vmifs_node_check_writable(request->fs, request->node, error) &&
	       (!ops->truncate || request->off || ops->truncate(request->node, call, error)) &&
	       vmifs_run_getattr(request, call, error);
}

/* Texts are data all over. */
static gboolean
seek_text(VmifsRequest *request, guint64 *ret_off, gboolean *ret_found, VmifsNodeCall *call,
	  GError **error)
{
	gsize len;
	if (!handle_text(request, &len, call, error))
		return FALSE;
	*ret_found = request->off < len;
	*ret_off = request->flag ? request->off : len;
	return TRUE;
}

gboolean
vmifs_run_lseek(VmifsRequest *request, VmifsNodeCall *call, GError **error)
{
	VmifsNode *node = request->handle->node;
	guint64 off = 0;
	gboolean found = FALSE;
	if (node->ops->ready) { /* of a kernel that does not know such files */
		if (vmifs_request_claim(request))
			fuse_reply_err(request->req, ESPIPE);
		return TRUE;
	}
	gboolean known = node->ops->render
				 ? seek_text(request, &off, &found, call, error)
				 : node->ops->seek(node, request->handle->file, request->off,
						   request->flag, &off, &found, call, error);
	if (!known)
		return FALSE;
	if (!vmifs_request_claim(request))
		return TRUE;
	if (found)
		fuse_reply_lseek(request->req, (off_t) off);
	else
		fuse_reply_err(request->req, ENXIO);
	return TRUE;
}
