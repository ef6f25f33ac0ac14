/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* error: the error domain and its errno table (docs/man/vmifs.1, "Errors"). */
#include <vmifs/error.h>

#include <errno.h>

G_DEFINE_QUARK(vmifs - error, vmifs_error)

static const int errnos[] = {
	[VMIFS_ERROR_NOT_FOUND] = ENOENT,
	[VMIFS_ERROR_HOLE] = EIO,
	[VMIFS_ERROR_IO] = EIO,
	[VMIFS_ERROR_ENDED] = ESRCH,
	[VMIFS_ERROR_STALE] = ESTALE,
	[VMIFS_ERROR_READ_ONLY] = EROFS,
	[VMIFS_ERROR_DENIED] = EPERM,
	[VMIFS_ERROR_UNSUPPORTED] = EOPNOTSUPP,
	[VMIFS_ERROR_TIMEOUT] = ETIMEDOUT,
	[VMIFS_ERROR_INVALID] = EINVAL,
	[VMIFS_ERROR_CORRUPT] = EUCLEAN,
	[VMIFS_ERROR_NO_SPACE] = ENOSPC,
	[VMIFS_ERROR_EXISTS] = EEXIST,
	[VMIFS_ERROR_CANCELLED] = EINTR,
	[VMIFS_ERROR_SOURCE] = EIO,
};

int
vmifs_error_to_errno(const GError *error)
{
	if (!error || error->domain != VMIFS_ERROR || error->code < 0 ||
	    error->code >= (int) G_N_ELEMENTS(errnos))
		return EIO;
	return errnos[error->code];
}
