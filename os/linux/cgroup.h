/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * cgroup: names of cgroups and the options of their file systems. Paths are those that the guest's
 * pid 1 would read: relative to the root of its cgroup namespace.
 */
#pragma once

#include "linux.h"

G_BEGIN_DECLS

/* Appends the path of a node of the hierarchy behind kf_root (struct kernfs_root), unescaped. */
gboolean
linux_cgroup_path(const Linux *os, guint64 kf_root, guint64 node, GString *out, GError **error);
/* Options of the unified hierarchy; of an older one. */
void
linux_cgroup_options(LinuxCursor *c, GString *out);
void
linux_cgroup1_options(LinuxCursor *c, guint64 kf_root, GString *out);

G_END_DECLS
