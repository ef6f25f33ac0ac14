/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* operations: what the requests of the kernel do, see VmifsRequestRun. */
#pragma once

#include "request.h"

G_BEGIN_DECLS

/* Uses name. */
gboolean
vmifs_run_lookup(VmifsRequest *request, VmifsNodeCall *call, GError **error);
gboolean
vmifs_run_mkdir(VmifsRequest *request, VmifsNodeCall *call, GError **error);
gboolean
vmifs_run_rmdir(VmifsRequest *request, VmifsNodeCall *call, GError **error);
gboolean
vmifs_run_getattr(VmifsRequest *request, VmifsNodeCall *call, GError **error);
gboolean
vmifs_run_readlink(VmifsRequest *request, VmifsNodeCall *call, GError **error);
/* Uses open_flags. */
gboolean
vmifs_run_open(VmifsRequest *request, VmifsNodeCall *call, GError **error);
gboolean
vmifs_run_opendir(VmifsRequest *request, VmifsNodeCall *call, GError **error);
/* Uses handle, off, size, flag: TRUE = with attributes. */
gboolean
vmifs_run_readdir(VmifsRequest *request, VmifsNodeCall *call, GError **error);
/* Uses handle, off, size, open_flags: as they are now. */
gboolean
vmifs_run_read(VmifsRequest *request, VmifsNodeCall *call, GError **error);
/* Uses handle, off, size, data. */
gboolean
vmifs_run_write(VmifsRequest *request, VmifsNodeCall *call, GError **error);
gboolean
vmifs_run_truncate(VmifsRequest *request, VmifsNodeCall *call, GError **error);
/* Uses handle, off, flag: TRUE = SEEK_DATA. */
gboolean
vmifs_run_lseek(VmifsRequest *request, VmifsNodeCall *call, GError **error);

G_END_DECLS
