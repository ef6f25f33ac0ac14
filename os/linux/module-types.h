/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * module-types: what the kernel tells of its own types, and of its modules'. A module's types come
 * on top of the kernel's. Only layouts are kept: the types take megabytes, a layout some kilobytes.
 */
#pragma once

#include "linux.h"

G_BEGIN_DECLS

/* The kernel's own. (full) */
VmifsTypes *
linux_types(const Linux *os, GError **error);

/* os with a layout that has the structures of that module, too; as long as os lives. What was
 * found, or that there was nothing, is remembered for good, so module is a name that the caller
 * knows of, never just any that a guest has. UNSUPPORTED where the module has no types of its own.
 */
gboolean
linux_of_module(const Linux *os, const char *module, Linux *ret, const VmifsCall *call,
		GError **error);

LinuxModuleLayouts *
linux_module_layouts_new(void);
void
linux_module_layouts_free(LinuxModuleLayouts *layouts);

G_DEFINE_AUTOPTR_CLEANUP_FUNC(LinuxModuleLayouts, linux_module_layouts_free)

G_END_DECLS
