/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* fuzz-isf: any bytes as a profile; then a member of each kind by the names that the seeds have. */
#include "fuzz.h"

#include <given-text.h>

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
	GivenText text = { (const char *) data, len, 7 };
	VmifsGiven given = { 0 };
	g_autoptr(GError) error = NULL;
	gboolean is_read = vmifs_isf_read(given_text_read, &text, &given, NULL, &error);
	VmifsMember member;
	gint64 value;

	g_assert(is_read == !error && (!is_read || given.types));
	if (is_read) {
		vmifs_types_member(given.types, "a.b.c", &member);
		vmifs_types_member(given.types, "a.p", &member);
		vmifs_types_enumerator(given.types, "ONE", &value);
	}
	vmifs_given_clear(&given);
	return 0;
}
