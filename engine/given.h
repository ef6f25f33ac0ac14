/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * given: the files with which the user tells vmifs what a kernel does not: profile= and vmlinux=.
 * They are opened with the host, which is when a name that was misspelled is noticed, and read when
 * the first guest asks, once for all guests.
 */
#pragma once

#include "json.h"

#include <spi/os.h>

G_BEGIN_DECLS

typedef struct VmifsGivenFiles VmifsGivenFiles;

/* NULL with INVALID when one of them cannot be opened. */
VmifsGivenFiles *
vmifs_given_files_new(const VmifsOptions *options, GError **error);
void
vmifs_given_files_free(VmifsGivenFiles *files);

G_DEFINE_AUTOPTR_CLEANUP_FUNC(VmifsGivenFiles, vmifs_given_files_free)

/* ---- readers: each fills what its kind of file tells; on failure whatever they filled is freed by
 * the caller. ---- */

gboolean
vmifs_isf_read(VmifsJsonRead read, gpointer user, VmifsGiven *ret, const VmifsCall *call,
	       GError **error);
/* Frees what a reader filled. */
void
vmifs_given_clear(VmifsGiven *given);

G_END_DECLS
