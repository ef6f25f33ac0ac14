/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * content: the whole text of a file, made once per open. The text of a frozen guest never changes,
 * so all who have it open share one (kallsyms is 12 MB), made by the first while the others wait;
 * a large one goes with its last user, small ones are kept until others have taken their place.
 *
 * How big is such a file? Only rendering tells, and `ls -l` wants to know. So the first lookup (of
 * what is cheap), getattr or open renders, whatever comes first, and the node remembers the size,
 * not the text; readdir answers "size not known yet" (an attribute timeout of 0), so that `ls` and
 * `find` render nothing. An open of a file whose size is known renders at its first read: most find
 * the kernel's page cache filled, or the text still kept.
 */
#pragma once

#include "node.h"

G_BEGIN_DECLS

typedef struct VmifsContent VmifsContent;
typedef struct VmifsContents VmifsContents;

VmifsContents *
vmifs_contents_new(void);
void
vmifs_contents_free(VmifsContents *contents);

/* What node's render op gives, shared where the node is frozen. Sets the node's text_size then.
 * Returns: (full) NULL with error, or NULL without one when the call was deferred. */
VmifsContent *
vmifs_contents_get(VmifsContents *contents, VmifsNode *node, VmifsNodeCall *call, GError **error);

/* Drops what is kept of that guest (NULL: of all) though nobody has it open. */
void
vmifs_contents_forget(VmifsContents *contents, const VmifsFsGuest *guest);

/* The same if it is at hand, else NULL. (full) */
VmifsContent *
vmifs_contents_find(VmifsContents *contents, const VmifsNode *node);

/* TRUE when the text of that node is the same for ever. */
gboolean
vmifs_content_is_constant(const VmifsNode *node);

const char *
vmifs_content_data(const VmifsContent *content, gsize *ret_len);
void
vmifs_content_unref(VmifsContent *content);

G_DEFINE_AUTOPTR_CLEANUP_FUNC(VmifsContent, vmifs_content_unref)
G_DEFINE_AUTOPTR_CLEANUP_FUNC(VmifsContents, vmifs_contents_free)

G_END_DECLS
