/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* types: the sources of layouts. What is surest comes first, but for what the user gives as a
 * profile: nobody makes one without a reason. */
#include "types.h"

#include "given.h"
#include "infer.h"
#include "module-types.h"

static VmifsTypes *
find_btf(const Linux *os, char **ret_origin, const VmifsCall *call, GError **error)
{
	VmifsTypes *types = linux_types(os, error);

	if (types)
		*ret_origin = g_strdup(os->is_text_only ? "the kernel's own BTF, found by content; "
							  "init_task agrees"
							: "the kernel's own BTF");
	return types;
}

static const LinuxTypesSource sources[] = {
	linux_types_profile,
	find_btf,
	linux_types_vmlinux,
	linux_infer,
};

static void
add_refused(GString *refused, const char *text)
{
	g_string_append_printf(refused, "%s%s", refused->len ? "; " : "", text);
}

/* A file that nobody needed may be of any kernel: who gave it shall not think that it was used. */
static void
tell_unread(const Linux *os, gboolean was_asked, GString *refused)
{
	gboolean symbols_asked = !os->symbols || os->is_text_only || os->symbols_origin;

	if (!os->options->vmlinux || was_asked || symbols_asked)
		return;
	g_autofree char *text = g_strdup_printf(
		"vmlinux=%s was not looked at: types and symbols of this kernel are known without it",
		os->options->vmlinux);
	add_refused(refused, text);
}

VmifsTypes *
linux_types_find(const Linux *os, char **ret_origin, char **ret_refused, gboolean *ret_partial,
		 const VmifsCall *call)
{
	g_autoptr(GString) refused = g_string_new(NULL);
	VmifsTypes *types = NULL;
	gboolean vmlinux_asked = FALSE;
	for (gsize i = 0; i < G_N_ELEMENTS(sources) && !types; i++) {
		g_autoptr(GError) error = NULL;

		vmlinux_asked |= sources[i] == linux_types_vmlinux;
		types = sources[i](os, ret_origin, call, &error);
		*ret_partial = types && sources[i] == linux_infer;
		if (types && vmifs_types_problem(types))
			vmifs_guest_log(os->guest, "kernel types: %s", vmifs_types_problem(types));
		if (types || !error)
			continue;
		vmifs_guest_log(os->guest, "kernel types: %s", error->message);
		add_refused(refused, error->message);
	}
	tell_unread(os, vmlinux_asked, refused);
	if (refused->len)
		*ret_refused = g_string_free(g_steal_pointer(&refused), FALSE);
	return types;
}
