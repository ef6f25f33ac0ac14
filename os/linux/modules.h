/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* modules: the kernel's loaded modules, for those who list them or want their symbols. */
#pragma once

#include "linux.h"

G_BEGIN_DECLS

#define LINUX_MODULE_NAME 64

/* Addresses (guint64) of every struct module that is at least coming up, in the kernel's order:
 * newest first. What a torn list still gave is returned, the tear logged. */
GArray *
linux_modules(const Linux *os, const VmifsCall *call, GError **error);
/* The op of that name. */
gboolean
linux_list_modules(gpointer self, GArray *ret, const VmifsCall *call, GError **error);
/* name: holds LINUX_MODULE_NAME bytes. */
gboolean
linux_module_name(const Linux *os, guint64 module, char *name, GError **error);
/* Where its code lies, without what only its start needed. */
gboolean
linux_module_text(const Linux *os, guint64 module, guint64 *ret_base, guint64 *ret_len,
		  GError **error);
/* Which of its functions holds address: appends the name. text_end: where the last one ends. FALSE
 * when none does. */
gboolean
linux_module_function(const Linux *os, guint64 module, guint64 text_end, guint64 address,
		      GString *name, guint64 *ret_start, guint64 *ret_len, const VmifsCall *call);

G_END_DECLS
