/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * vmcoreinfo: the note in which a kernel tells its crash-dump tools where it lies and how some of
 * its structures are laid out: text lines KEY=VALUE behind an ELF note header at a page start.
 */
#pragma once

#include <glib.h>

G_BEGIN_DECLS

typedef struct LinuxVmcoreinfo LinuxVmcoreinfo;

/* Bytes of the note header: what linux_vmcoreinfo_size() looks at. */
#define LINUX_VMCOREINFO_HEAD 24

/* head: the first bytes of a page. Returns: the size of the whole note, bounded; 0 = no note. */
gsize
linux_vmcoreinfo_size(const guint8 head[LINUX_VMCOREINFO_HEAD]);
/* Immutable. note: (borrowed) len bytes from its header on, any bytes at all. CORRUPT with the
 * reason. */
LinuxVmcoreinfo *
linux_vmcoreinfo_new(gconstpointer note, gsize len, GError **error);
LinuxVmcoreinfo *
linux_vmcoreinfo_ref(LinuxVmcoreinfo *info);
void
linux_vmcoreinfo_unref(LinuxVmcoreinfo *info);

/* Keys are written as in the note: "OSRELEASE", "SYMBOL(_stext)", "OFFSET(list_head.next)". The
 * first of two equal ones counts. FALSE (NULL) when absent or malformed. */

/* (borrowed) bytes as the guest has them */
const char *
linux_vmcoreinfo_text(const LinuxVmcoreinfo *info, const char *key);
/* Values that the kernel prints in hex without 0x: SYMBOL(...), KERNELOFFSET. */
gboolean
linux_vmcoreinfo_hex(const LinuxVmcoreinfo *info, const char *key, guint64 *ret);
/* The others: decimal, negative (two's complement) or 0x... */
gboolean
linux_vmcoreinfo_number(const LinuxVmcoreinfo *info, const char *key, guint64 *ret);

G_DEFINE_AUTOPTR_CLEANUP_FUNC(LinuxVmcoreinfo, linux_vmcoreinfo_unref)

G_END_DECLS
