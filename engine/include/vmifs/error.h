/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * error: one GError domain. A code names what the caller can do about it; the message says what
 * was tried, layer by layer ("vmem of pid 812: walk 0x7f..000: table page 0x1f3000: not RAM").
 * fs/reply.c is the only place that turns codes into errno.
 */
#pragma once

#include <glib.h>

G_BEGIN_DECLS

#define VMIFS_ERROR (vmifs_error_quark())

typedef enum {
	VMIFS_ERROR_NOT_FOUND,   /* ENOENT: no such name */
	VMIFS_ERROR_HOLE,        /* EIO: nothing is mapped there, or the bytes are not in RAM */
	VMIFS_ERROR_IO,          /* EIO: the backend failed; the guest's log says how */
	VMIFS_ERROR_ENDED,       /* ESRCH: that process has ended */
	VMIFS_ERROR_STALE,       /* ESTALE: that guest, or that boot of it, has gone */
	VMIFS_ERROR_READ_ONLY,   /* EROFS */
	VMIFS_ERROR_DENIED,      /* EPERM: not allowed by the mount's options */
	VMIFS_ERROR_UNSUPPORTED, /* EOPNOTSUPP: this guest or backend cannot do that */
	VMIFS_ERROR_TIMEOUT,     /* ETIMEDOUT */
	VMIFS_ERROR_INVALID,     /* EINVAL: what the user gave was not understood */
	VMIFS_ERROR_CORRUPT,     /* EUCLEAN: guest structures make no sense there */
	VMIFS_ERROR_NO_SPACE,    /* ENOSPC */
	VMIFS_ERROR_CANCELLED,   /* EINTR: the caller gave up */
	VMIFS_ERROR_SOURCE,      /* a source cannot be opened, or is no guest (exit status 2) */
	VMIFS_ERROR_EXISTS,      /* EEXIST */
} VmifsError;

GQuark
vmifs_error_quark(void);

/* As docs/man/vmifs.1 says under Errors; EIO for errors of other domains. */
int
vmifs_error_to_errno(const GError *error);

G_END_DECLS
