/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * fdinfo: what fdinfo/<n> says of an open file beyond what all have. Each function of the kernel
 * that adds lines is known by its symbol; what it has of its own hangs off the file.
 */
#pragma once

#include "linux.h"

G_BEGIN_DECLS

/* A slot of a task's table of files. */
typedef struct {
	guint64 files; /* struct files_struct */
	guint64 file;  /* struct file */
	gboolean close_on_exec;
} LinuxOpenFile;

/* NOT_FOUND for what is no decimal number or not open. files.c */
gboolean
linux_open_file(const Linux *os, const VmifsTask *task, const char *name, LinuxOpenFile *ret,
		GError **error);

/* Appends the lines of its kind, none for those that have none, or are not known. */
void
linux_fdinfo_kind(LinuxCursor *c, const LinuxOpenFile *open, GString *out, const VmifsCall *call);

G_END_DECLS
