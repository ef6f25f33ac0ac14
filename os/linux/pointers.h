/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* pointers: addresses as this kernel shows them to root. */
#pragma once

#include "linux.h"

G_BEGIN_DECLS

/* Read once for a text of many pointers. */
typedef struct {
	enum {
		LINUX_POINTERS_HASHED,
		LINUX_POINTERS_NO_HASH_YET,
		LINUX_POINTERS_SHOWN,
		LINUX_POINTERS_HIDDEN,
	} mode;
	guint len;      /* of a pointer */
	guint64 key[2]; /* of HASHED */
} LinuxPointers;

gboolean
linux_pointers_read(const Linux *os, LinuxPointers *ret, GError **error);
void
linux_pointers_append(const LinuxPointers *pointers, guint64 address, GString *out);

G_END_DECLS
