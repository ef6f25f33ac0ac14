/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * pointers: what "%pK" prints. Unless an administrator has said otherwise, that is the lower half
 * of the address's SipHash under a key that the kernel drew by lot: the key lies in memory, so that
 * the text can be the guest's own. Before there was enough chance for a key it is a word.
 */
#include "pointers.h"

#include <spi/bytes.h>
#include <spi/siphash.h>

/* SipHash-2-4 of a pointer. */
static guint64
siphash(const guint64 key[2], guint64 word, guint len)
{
	guint64 v[4];

	vmifs_sip_start(v, key[0], key[1]);
	if (len == 8)
		vmifs_sip_add(v, word, 2);
	/* The last piece of eight bytes: what is left, and how much it was in all. */
	vmifs_sip_add(v, (guint64) len << 56 | (len < 8 ? word : 0), 2);
	return vmifs_sip_end(v, 4);
}

gboolean
linux_pointers_read(const Linux *os, LinuxPointers *ret, GError **error)
{
	guint64 restricted, shown, at;
	guint8 key[16];

	if (!linux_variable(os, "kptr_restrict", 4, &restricted, error))
		return FALSE;
	guint len = linux_word(os);
	if (restricted) {
		ret->len = len;
		/* 1 is for those without rights. */
		ret->mode = restricted == 1 ? LINUX_POINTERS_SHOWN : LINUX_POINTERS_HIDDEN;
		return TRUE;
	}
	if (linux_variable(os, "no_hash_pointers", 1, &shown, NULL) && shown) {
		ret->len = len;
		ret->mode = LINUX_POINTERS_SHOWN;
		return TRUE;
	}
	if (!linux_symbol(os, "ptr_key", &at, error) ||
	    !vmifs_aspace_read(os->aspace, at, key, sizeof key, error))
		return FALSE;
	ret->len = len;
	ret->key[0] = vmifs_load_u64(key);
	ret->key[1] = vmifs_load_u64(key + 8);
	ret->mode = ret->key[0] || ret->key[1] ? LINUX_POINTERS_HASHED : LINUX_POINTERS_NO_HASH_YET;
	return TRUE;
}

void
linux_pointers_append(const LinuxPointers *pointers, guint64 address, GString *out)
{
	switch (pointers->mode) {
	case LINUX_POINTERS_HASHED:
		address = siphash(pointers->key, address, pointers->len) & 0xffffffff;
		break;
	case LINUX_POINTERS_NO_HASH_YET:
		g_string_append(out, "(____ptrval____)");
		return;
	case LINUX_POINTERS_SHOWN:
		break;
	case LINUX_POINTERS_HIDDEN:
		address = 0;
		break;
	}
	g_string_append_printf(out, "%0*" G_GINT64_MODIFIER "x", 2 * (int) pointers->len, address);
}
