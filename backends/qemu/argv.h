/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * argv: the NUL-separated arguments of a process, as /proc/PID/cmdline has them, and whether they
 * are those of a QEMU. What they say is for args.h.
 */
#pragma once

#include <glib.h>

G_BEGIN_DECLS

/* Whole arguments only: the last one of a list cut short would be another. Of a great many the
 * first ones. (full) of char * */
GPtrArray *
qemu_argv_split(const char *bytes, gsize len);
/* "-name" or "--name" without its dashes; NULL when word is no option. (borrowed from word) */
const char *
qemu_argv_option(const char *word);

typedef enum {
	QEMU_LIKELY_NOT,
	QEMU_LIKELY_MAYBE, /* the arguments are such, the name is not: look into the program */
	QEMU_LIKELY_YES,
} QemuLikely;

/* Is that a QEMU? exe: (nullable) what /proc/PID/exe links to. */
QemuLikely
qemu_argv_likely(const char *exe, const char *bytes, gsize len);

G_END_DECLS
