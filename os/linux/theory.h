/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* theory (private to discovery): what may be a kernel: everything claimed of it but its root. */
#pragma once

#include "find.h"

G_BEGIN_DECLS

typedef struct {
	LinuxClaim claim;
	LinuxImage *image;     /* (nullable) */
	const LinuxNote *note; /* (nullable) */
	guint64 ignore_mask;
	const char *delta_how;
	const char *arch;
} LinuxTheory;

/* TRUE when a kernel was proved with that root, and kept. root_how: (static) for info. *ret_fault:
 * (static) what spoke against it otherwise; untouched where no mode has such a root. */
gboolean
linux_theory_try_root(LinuxFind *find, LinuxTheory *theory, guint64 root, const char *root_how,
		      const char **ret_fault);

G_END_DECLS
