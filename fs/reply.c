/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * reply: bytes leave in one writev from wherever they lie. Zeros come from one shared area that is
 * never written; a list too long for one writev is copied together first.
 */
#include "reply.h"

#include <errno.h>
#include <limits.h>
#include <linux/fuse.h>

/* What a reader is told by errno alone need not fill the log: a hole is an answer, not a mishap. So
 * is EINVAL for a text or folder of a process, procfs's word for one that has ended; who walks over
 * the tree gets it seven times of each. */
static gboolean
is_for_log(const VmifsNode *node, const GError *error)
{
	if (error->domain != VMIFS_ERROR)
		return TRUE;
	switch ((VmifsError) error->code) {
	case VMIFS_ERROR_NOT_FOUND:
	case VMIFS_ERROR_HOLE:
	case VMIFS_ERROR_ENDED:
	case VMIFS_ERROR_STALE:
	case VMIFS_ERROR_CANCELLED:
		return FALSE;
	case VMIFS_ERROR_INVALID:
		return !vmifs_node_task(node) || !(node->ops->render || node->ops->list);
	default:
		return TRUE;
	}
}

void
vmifs_reply_error(VmifsFs *fs, fuse_req_t req, const VmifsNode *node, const GError *error)
{
	int number = error ? vmifs_error_to_errno(error) : EIO;
	if (number != ENOENT)
		g_atomic_int_inc(&fs->stats.failed);
	if (error && node && is_for_log(node, error)) {
		g_autofree char *path = vmifs_node_path(node);
		if (node->guest)
			vmifs_guest_log(vmifs_node_guest(node), "%s: %s", path, error->message);
		else
			vmifs_host_log(fs->host, "%s: %s", path, error->message);
	}
	fuse_reply_err(req, number);
}

/* One iovec per segment, zeros in pieces of the shared area. */
static GArray *
fill_zeros(VmifsFs *fs, const GArray *segments)
{
	GArray *iov = g_array_sized_new(FALSE, FALSE, sizeof(struct iovec), segments->len + 1);
	for (guint i = 0; i < segments->len; i++) {
		struct iovec piece = g_array_index(segments, struct iovec, i);
		while (!piece.iov_base && piece.iov_len > VMIFS_ZEROS_LEN) {
			struct iovec zeros = { (void *) fs->zeros, VMIFS_ZEROS_LEN };
			g_array_append_val(iov, zeros);
			piece.iov_len -= VMIFS_ZEROS_LEN;
		}
		if (!piece.iov_base)
			piece.iov_base = (void *) fs->zeros;
		g_array_append_val(iov, piece);
	}
	return iov;
}

int
vmifs_reply_segments(VmifsFs *fs, fuse_req_t req, const VmifsSegments *segments)
{
	/* Most small reads lie in one piece. */
	const struct iovec *first = (const struct iovec *) (const void *) segments->iov->data;
	if (segments->iov->len == 1 && first->iov_base)
		return fuse_reply_buf(req, first->iov_base, first->iov_len);
	g_autoptr(GArray) iov = fill_zeros(fs, segments->iov);
	if (iov->len < IOV_MAX) /* one is libfuse's header */
		return fuse_reply_iov(req, (const struct iovec *) (const void *) iov->data,
				      (int) iov->len);
	g_autofree char *bytes = g_malloc(segments->len);
	vmifs_segments_copy(segments, bytes);
	return fuse_reply_buf(req, bytes, segments->len);
}

int
vmifs_reply_open_stream(fuse_req_t req, guint64 handle)
{
	struct fuse_open_out out = { .fh = handle, .open_flags = FOPEN_DIRECT_IO | FOPEN_STREAM };
	return fuse_reply_buf(req, (const char *) &out, sizeof out);
}
