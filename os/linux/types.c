/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* types: the sources of layouts, the surest first. */
#include "types.h"

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
	find_btf,
	linux_infer,
};

VmifsTypes *
linux_types_find(const Linux *os, char **ret_origin, gboolean *ret_partial, const VmifsCall *call)
{
	for (gsize i = 0; i < G_N_ELEMENTS(sources); i++) {
		g_autoptr(GError) error = NULL;
		VmifsTypes *types = sources[i](os, ret_origin, call, &error);

		*ret_partial = types && sources[i] == linux_infer;
		if (types && vmifs_types_problem(types))
			vmifs_guest_log(os->guest, "kernel types: %s", vmifs_types_problem(types));
		if (types)
			return types;
		if (error)
			vmifs_guest_log(os->guest, "kernel types: %s", error->message);
	}
	return NULL;
}
