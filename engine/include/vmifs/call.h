/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * call: how long a caller is willing to wait. Every operation that may block or loop over guest
 * data takes one; NULL means "no deadline, cannot be cancelled" (tests and start-up).
 */
#pragma once

#include <glib.h>

G_BEGIN_DECLS

typedef struct VmifsCall {
	gint64 deadline; /* g_get_monotonic_time() units (µs); 0 = none */
	const gint
		*cancelled; /* (borrowed) (nullable) becomes non-zero, atomically, when given up */
} VmifsCall;

/* TRUE while the caller still waits; otherwise FALSE with CANCELLED or TIMEOUT. Cheap enough for
 * every few hundred turns of a loop. */
gboolean
vmifs_call_check(const VmifsCall *call, GError **error);

G_END_DECLS
