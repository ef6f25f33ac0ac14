/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * attr: what stat(2) shows. Nothing a frozen guest shows ever changes, so the kernel may keep it
 * for a day; a live guest's names and sizes hold for a second; what varies by itself is asked each
 * time.
 */
#include "reply.h"

#define FROZEN_TIMEOUT (24 * 3600.0)
#define LIVE_TIMEOUT 1.0

#define MEMORY_BLKSIZE (1024 * 1024)
#define TEXT_BLKSIZE 4096

double
vmifs_attr_entry_timeout(VmifsFs *fs, const VmifsNode *node)
{
	if (node->flags & VMIFS_NODE_FLEETING)
		return 0;
	if (vmifs_node_is_frozen(node))
		return FROZEN_TIMEOUT;
	return fs->options->engine.cache_ms ? LIVE_TIMEOUT : 0;
}

static struct timespec
node_time(VmifsFs *fs, const VmifsNode *node)
{
	if (!node->guest)
		return fs->mounted;
	if (!node->guest->frozen)
		return node->guest->seen;
	gint64 acquired = MAX(vmifs_guest_acquired(node->guest->guest), 0);
	return (struct timespec){ .tv_sec = acquired / G_USEC_PER_SEC,
				  .tv_nsec = acquired % G_USEC_PER_SEC * 1000 };
}

static mode_t
node_mode(VmifsFs *fs, const VmifsNode *node)
{
	mode_t type = node->ops->type;
	if (S_ISLNK(type))
		return type | 0777;
	if (S_ISDIR(type))
		return type | fs->dir_mode |
		       (node->ops->make && !fs->options->engine.passive ? fs->write_mode : 0);
	return type | fs->file_mode |
	       (vmifs_node_check_writable(fs, node, NULL) ? fs->write_mode : 0);
}

static gboolean
memory_size(VmifsNode *node, VmifsNodeSize *ret, VmifsNodeCall *call, GError **error)
{
	return node->ops->size(node, ret, call, error);
}

/* Content that cannot be had is no reason for stat to fail, unless it says that there is no such
 * file. A running guest's texts have size 0, as in procfs. */
static gboolean
text_size(VmifsNode *node, VmifsNodeSize *ret, VmifsNodeCall *call, GError **error)
{
	gint64 known = __atomic_load_n(&node->text_size, __ATOMIC_RELAXED);
	if (known < 0 && node->guest && !node->guest->frozen)
		known = 0;
	if (known < 0) {
		g_autoptr(GError) failure = NULL;
		g_autoptr(VmifsContent) content =
			vmifs_contents_get(call->fs->contents, node, call, &failure);
		if (call->defer != VMIFS_DEFER_NO)
			return FALSE;
		gsize len = 0;
		if (content)
			vmifs_content_data(content, &len);
		else if (g_error_matches(failure, VMIFS_ERROR, VMIFS_ERROR_CANCELLED) ||
			 (g_error_matches(failure, VMIFS_ERROR, VMIFS_ERROR_NOT_FOUND) &&
			  S_ISREG(node->ops->type))) {
			g_propagate_error(error, g_steal_pointer(&failure));
			return FALSE;
		}
		known = (gint64) len;
	}
	ret->size = ret->allocated = (guint64) known;
	return TRUE;
}

gboolean
vmifs_attr_fill(VmifsFs *fs, VmifsNode *node, gboolean must, struct stat *ret, double *ret_timeout,
		VmifsNodeCall *call, GError **error)
{
	VmifsNodeSize size = { 0 };
	gboolean is_memory = node->ops->size != NULL;
	gboolean is_text = node->ops->render != NULL;
	double timeout = node->flags & VMIFS_NODE_VARIES ? 0 : vmifs_attr_entry_timeout(fs, node);
	gboolean known = TRUE;

	if (is_memory)
		known = memory_size(node, &size, call, error);
	else if (is_text && (must || __atomic_load_n(&node->text_size, __ATOMIC_RELAXED) >= 0))
		known = text_size(node, &size, call, error);
	else if (is_text)
		timeout = 0;
	/* Of content that could not be had this time: with a size of 0 for long, it would be empty
	 * once it can be had. */
	if (is_text && vmifs_content_is_constant(node) &&
	    __atomic_load_n(&node->text_size, __ATOMIC_RELAXED) < 0)
		timeout = 0;
	/* It may turn out that memory begins elsewhere. */
	if (is_memory && node->guest && !g_atomic_int_get(&node->guest->discovered))
		timeout = 0;
	if (!known && (must || call->defer == VMIFS_DEFER_NO))
		return FALSE;
	if (!known) {
		call->defer = VMIFS_DEFER_NO;
		timeout = 0;
	}

	struct timespec time = node_time(fs, node);
	*ret = (struct stat){
		.st_ino = node->ino,
		.st_mode = node_mode(fs, node),
		.st_nlink = S_ISDIR(node->ops->type) ? 2 : 1,
		.st_uid = fs->uid,
		.st_gid = fs->gid,
		.st_size = (off_t) MIN(size.size, G_MAXINT64),
		.st_blocks = (blkcnt_t) (size.allocated / 512 + (size.allocated % 512 != 0)),
		.st_blksize = is_memory ? MEMORY_BLKSIZE : TEXT_BLKSIZE,
		.st_atim = time,
		.st_mtim = time,
		.st_ctim = time,
	};
	*ret_timeout = timeout;
	return TRUE;
}
