/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* fuzz-vmlinux: any bytes as a kernel's file; then a member of each kind by the names of seeds. */
#include "fuzz.h"

#include <vmlinux.h>

static const char *const structs[] = { "a", "b|absent", "t" };
static const char *const values[] = { "ONE" };
static const VmifsWanted wanted = { structs, G_N_ELEMENTS(structs), values, G_N_ELEMENTS(values) };

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
	VmifsGiven given = { 0 };
	g_autoptr(GError) error = NULL;
	g_autofree guint8 *file = g_memdup2(data, len);
	gboolean is_read = vmifs_vmlinux_read(file, len, &wanted, &given, NULL, &error);
	VmifsMember member;
	gint64 value;

	g_assert(is_read == !error);
	if (is_read && given.types) {
		vmifs_types_member(given.types, "a.b.c", &member);
		vmifs_types_member(given.types, "a.bits", &member);
		vmifs_types_member(given.types, "a.arrays", &member);
		vmifs_types_enumerator(given.types, "ONE", &value);
	}
	vmifs_given_clear(&given);
	return 0;
}
