/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * vmcoreinfo: the note is copied once and cut into keys and values in place; whoever asks for a
 * key gives its format, as the kernel prints the same number in three ways.
 *
 *   u32 11 | u32 desc size | u32 0 | "VMCOREINFO" + 2 NULs | "OSRELEASE=6.1.0\nBUILD-ID=..."
 */
#include "vmcoreinfo.h"

#include <spi/bytes.h>
#include <vmifs/error.h>

#include <string.h>

/* The kernel gives the text one page, of at most 64 KiB. */
#define MAX_DESC (64u << 10)

struct LinuxVmcoreinfo {
	gint refs;
	char *text;         /* with NULs for '=' and '\n' */
	GHashTable *values; /* key -> value, both in text */
};

gsize
linux_vmcoreinfo_size(const guint8 head[LINUX_VMCOREINFO_HEAD])
{
	guint32 desc = vmifs_load_u32(head + 4);

	if (vmifs_load_u32(head) != 11 || vmifs_load_u32(head + 8) != 0 ||
	    memcmp(head + 12, "VMCOREINFO\0", 12) != 0)
		return 0;
	return desc && desc <= MAX_DESC ? LINUX_VMCOREINFO_HEAD + desc : 0;
}

LinuxVmcoreinfo *
linux_vmcoreinfo_new(gconstpointer note, gsize len, GError **error)
{
	g_autoptr(LinuxVmcoreinfo) info = NULL;
	gsize size = len < LINUX_VMCOREINFO_HEAD ? 0 : linux_vmcoreinfo_size(note);
	const char *desc = (const char *) note + LINUX_VMCOREINFO_HEAD;

	if (!size || size > len) {
		g_set_error_literal(error, VMIFS_ERROR, VMIFS_ERROR_CORRUPT,
				    "no VMCOREINFO note, or one that is cut short");
		return NULL;
	}
	if (size < LINUX_VMCOREINFO_HEAD + 10 || memcmp(desc, "OSRELEASE=", 10) != 0) {
		g_set_error_literal(error, VMIFS_ERROR, VMIFS_ERROR_CORRUPT,
				    "a VMCOREINFO note that does not begin with OSRELEASE");
		return NULL;
	}
	info = g_new0(LinuxVmcoreinfo, 1);
	info->refs = 1;
	info->text = g_strndup(desc, size - LINUX_VMCOREINFO_HEAD); /* up to a NUL */
	info->values = g_hash_table_new(g_str_hash, g_str_equal);
	for (char *line = info->text; line;) {
		char *next = strchr(line, '\n');
		char *value;

		if (next)
			*next++ = '\0';
		value = strchr(line, '=');
		if (value) {
			*value++ = '\0';
			if (!g_hash_table_contains(info->values, line))
				g_hash_table_insert(info->values, line, value);
		}
		line = next;
	}
	return g_steal_pointer(&info);
}

LinuxVmcoreinfo *
linux_vmcoreinfo_ref(LinuxVmcoreinfo *info)
{
	g_atomic_int_inc(&info->refs);
	return info;
}

void
linux_vmcoreinfo_unref(LinuxVmcoreinfo *info)
{
	if (!info || !g_atomic_int_dec_and_test(&info->refs))
		return;
	g_hash_table_unref(info->values);
	g_free(info->text);
	g_free(info);
}

const char *
linux_vmcoreinfo_text(const LinuxVmcoreinfo *info, const char *key)
{
	return g_hash_table_lookup(info->values, key);
}

/* Digits only, all of them, no overflow: unlike strtoull(). */
static gboolean
parse(const char *digits, guint base, guint64 *ret)
{
	guint64 value = 0;

	if (!*digits)
		return FALSE;
	for (; *digits; digits++) {
		int digit = g_ascii_xdigit_value(*digits);
		if (digit < 0 || digit >= (int) base ||
		    !g_uint64_checked_mul(&value, value, base) ||
		    !g_uint64_checked_add(&value, value, (guint64) digit))
			return FALSE;
	}
	*ret = value;
	return TRUE;
}

gboolean
linux_vmcoreinfo_hex(const LinuxVmcoreinfo *info, const char *key, guint64 *ret)
{
	const char *text = linux_vmcoreinfo_text(info, key);

	return text && parse(text, 16, ret);
}

gboolean
linux_vmcoreinfo_number(const LinuxVmcoreinfo *info, const char *key, guint64 *ret)
{
	const char *text = linux_vmcoreinfo_text(info, key);

	if (!text)
		return FALSE;
	if (g_str_has_prefix(text, "0x"))
		return parse(text + 2, 16, ret);
	if (text[0] != '-')
		return parse(text, 10, ret);
	if (!parse(text + 1, 10, ret))
		return FALSE;
	*ret = 0 - *ret;
	return TRUE;
}
