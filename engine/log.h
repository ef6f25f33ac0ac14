/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * log: the last things that went wrong, kept in memory for a `log` file. Bounded in lines and in
 * bytes, because a hostile guest can make anything go wrong for ever; a line repeated at once is
 * counted instead of stored. Control bytes are escaped: lines may quote guest bytes.
 */
#pragma once

#include <glib.h>

typedef struct VmifsLog VmifsLog;

VmifsLog *
vmifs_log_new(void);
void
vmifs_log_free(VmifsLog *log);
/* Any thread. */
void
vmifs_log_add(VmifsLog *log, const char *format, va_list args) G_GNUC_PRINTF(2, 0);
/* Oldest first, `TIME text` lines. */
void
vmifs_log_text(VmifsLog *log, GString *out);

G_DEFINE_AUTOPTR_CLEANUP_FUNC(VmifsLog, vmifs_log_free)
