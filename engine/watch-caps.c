/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* watch-caps: what each kind of line can see in a guest, for who is about to write one. A line for
 * each kind: whether it is exact, what of it is not seen, how much of it there can be. */
#include "backend-call.h"
#include "disasm.h"
#include "guest.h"
#include "watch.h"

#include <vmifs/watch.h>

static void
append_places(const VmifsStopCaps *caps, GString *out)
{
	if (caps->slots)
		g_string_append_printf(out, ", at most %u of all lines together", caps->slots);
}

static void
append_memory(const VmifsStopCaps *caps, const char *access, gboolean is_there, GString *out)
{
	g_string_append_printf(out, "mem %s: ", access);
	if (!is_there) {
		g_string_append(out, "no\n");
		return;
	}
	g_string_append(out, "virtual-address-only");
	append_places(caps, out);
	if (caps->max_len)
		g_string_append_printf(out, ", of %u bytes", caps->max_len);
	if (caps->aligned)
		g_string_append(out, " (1, 2, 4 .. and aligned)");
	g_string_append_c(out, '\n');
}

static void
append_execution(const VmifsStopCaps *caps, const char *line, GString *out)
{
	g_string_append_printf(out, "%s: ", line);
	if (caps->exec) {
		g_string_append(out, "exact");
		append_places(caps, out);
	} else {
		g_string_append(out, caps->patch ? "with patch" : "no");
	}
	g_string_append_c(out, '\n');
}

/* Of lines that take what only some architectures have. */
static void
append_special(const VmifsStopCaps *caps, const char *line, const char *why_not, GString *out)
{
	if (why_not)
		g_string_append_printf(out, "%s: no: %s\n", line, why_not);
	else
		append_execution(caps, line, out);
}

static void
append_os(const VmifsStopCaps *caps, const VmifsInstance *instance, const char *line,
	  VmifsOsEvents which, GString *out)
{
	g_autoptr(GArray) addresses = g_array_new(FALSE, FALSE, sizeof(guint64));
	g_autoptr(GError) error = NULL;
	const char *why_not = NULL;

	if (!instance)
		why_not = "no kernel is known in this guest yet";
	else if (!instance->os->event_points)
		why_not = "where its kernel does that is not known";
	else if (!instance->os->event_points(instance->self, which, addresses, &error))
		why_not = error->message;
	append_special(caps, line, why_not, out);
}

static void
append_costs(VmifsGuest *guest, const VmifsStopCaps *caps, GString *out)
{
	const VmifsOptions *options = vmifs_guest_options(guest);
	guint max = options->has_max_stops ? options->max_stops : caps->max_rate;

	g_string_append_printf(out, "patch: %s\n",
			       !caps->patch        ? "no"
			       : options->guest_rw ? "exact, written into the guest"
						   : "no: the mount has no guest_rw");
	g_string_append(out, "cost: each event stops the guest for a moment\n");
	if (max)
		g_string_append_printf(out, "max_stops: %u a second\n", max);
	g_string_append(out, "not seen: accesses by devices (DMA), by the hypervisor, and through "
			     "another address of the same memory\n");
	if (vmifs_guest_n_reg_vcpus(guest) > 1)
		g_string_append(out, "not seen: of hits of mem by two vCPUs in the same moment, "
				     "one\n");
}

static void
append_caps(VmifsGuest *guest, const VmifsStopCaps *caps, GString *out)
{
	g_autoptr(VmifsAttached) attached = vmifs_guest_attached(guest);
	const VmifsAspace *kernel = attached ? attached->aspace : NULL;
	const VmifsArchRegs *names = kernel ? vmifs_watch_names_of(kernel) : NULL;

	if (caps->accel)
		g_string_append_printf(out, "accel: %s\n", caps->accel);
	append_memory(caps, "r", caps->data && caps->reads, out);
	append_memory(caps, "w", caps->data, out);
	append_memory(caps, "rw", caps->data, out);
	append_execution(caps, "mem x", out);
	append_execution(caps, "exec", out);
	append_special(caps, "reg",
		       kernel && !(names && names->writes)
			       ? "what writes registers is not known of this architecture"
		       : vmifs_disasm_is_there() ? NULL
						 : "this vmifs was built without capstone",
		       out);
	append_special(caps, "int",
		       kernel && !(names && names->gate)
			       ? "interrupts of this architecture have no handlers by number"
			       : NULL,
		       out);
	append_os(caps, attached ? attached->instance : NULL, "task", VMIFS_OS_TASKS, out);
	append_os(caps, attached ? attached->instance : NULL, "module", VMIFS_OS_MODULES, out);
	g_string_append_printf(out, "step: %s\n", caps->step ? "exact, one vCPU" : "no");
	append_costs(guest, caps, out);
}

gboolean
vmifs_guest_watch_caps(VmifsGuest *guest, GString *out, const VmifsCall *call, GError **error)
{
	g_autoptr(GError) failure = NULL;
	VmifsStopCaps caps = { 0 };

	/* What cannot be is an answer, too; a source that is gone or silent is none. */
	if (!vmifs_backend_stop_caps(guest->connection, &caps, call, &failure)) {
		if (!g_error_matches(failure, VMIFS_ERROR, VMIFS_ERROR_UNSUPPORTED) &&
		    !g_error_matches(failure, VMIFS_ERROR, VMIFS_ERROR_DENIED)) {
			g_propagate_error(error, g_steal_pointer(&failure));
			return FALSE;
		}
		g_string_append_printf(out, "nothing: %s\n", failure->message);
		return TRUE;
	}
	if (caps.why_not)
		g_string_append_printf(out, "nothing now: %s\n", caps.why_not);
	else
		append_caps(guest, &caps, out);
	return TRUE;
}
