/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* kallsyms-find: what the search for one table after the other shares. */
#pragma once

#include "kallsyms.h"

G_BEGIN_DECLS

typedef struct {
	const LinuxPhys *phys;
	LinuxKallsyms *tables;
	guint64 n_pa;  /* where the number of symbols stands */
	gint64 budget; /* bytes that may still be read or looked at */
} LinuxKallsymsFinder;

gboolean
linux_kallsyms_read(LinuxKallsymsFinder *finder, guint64 pa, gpointer buf, gsize len);

/* Once all other tables are known: the addresses. */
gboolean
linux_kallsyms_find_offsets(LinuxKallsymsFinder *finder);

G_END_DECLS
