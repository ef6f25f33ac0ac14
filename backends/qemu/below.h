/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * below (private): what is read below an open folder, as /proc/PID is: of that process and no
 * later one of its number.
 */
#pragma once

#include <dirent.h>
#include <glib.h>

G_BEGIN_DECLS

/* What one read of that file gives, up to size - 1 bytes, and a zero. Returns: how many; 0 with
 * errno where it cannot be read. */
gsize
qemu_below_text(int dir, const char *name, char *buf, gsize size);
/* All of it, or its first max bytes, and a zero. (full) NULL with errno. */
char *
qemu_below_all(int dir, const char *name, gsize max, gsize *ret_len);
/* A folder there. (full) closedir(). NULL with errno. */
DIR *
qemu_below_folder(int dir, const char *name);

G_END_DECLS
