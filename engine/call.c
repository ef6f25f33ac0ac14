/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* call: deadlines and cancellation. */
#include <vmifs/call.h>
#include <vmifs/error.h>

gboolean
vmifs_call_check(const VmifsCall *call, GError **error)
{
	if (!call)
		return TRUE;
	if (call->cancelled && g_atomic_int_get(call->cancelled)) {
		g_set_error_literal(error, VMIFS_ERROR, VMIFS_ERROR_CANCELLED,
				    "given up by the caller");
		return FALSE;
	}
	if (call->deadline && g_get_monotonic_time() >= call->deadline) {
		g_set_error_literal(error, VMIFS_ERROR, VMIFS_ERROR_TIMEOUT, "did not end in time");
		return FALSE;
	}
	return TRUE;
}
