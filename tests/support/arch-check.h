/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* arch-check: registers by name, and what an architecture makes of them. */
#pragma once

#include <unit.h>

#include <spi/arch.h>
#include <vmifs/error.h>

typedef struct {
	const char *name; /* NULL ends a list */
	guint64 value;
} NamedValue;

#define CODE_NONE (-1)

static inline const VmifsArch *
arch_named(const char *name)
{
	for (gsize i = 0; i < vmifs_n_archs; i++) {
		if (g_str_equal(vmifs_archs[i]->name, name))
			return vmifs_archs[i];
	}
	ck_abort_msg("no architecture %s", name);
}

/* Checks that it fails with that code, or not at all. */
static inline VmifsPaging
paging_from(const char *arch, const NamedValue *values, int code)
{
	g_autoptr(VmifsRegs) regs = vmifs_regs_new();
	g_autoptr(GError) error = NULL;
	VmifsPaging paging = { .mode = NULL };

	for (; values->name; values++)
		ck_assert(vmifs_regs_set(regs, values->name, values->value));
	ck_assert_int_eq(arch_named(arch)->from_regs(regs, &paging, &error), code == CODE_NONE);
	if (code != CODE_NONE)
		ck_assert_int_eq(error->code, code);
	return paging;
}
