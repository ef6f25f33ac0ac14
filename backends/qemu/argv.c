/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* argv: see the header. */
#include "argv.h"

#include <string.h>

/* More than any QEMU has; a process may have a million, and there may be many of them. */
#define MAX_WORDS 16384

const char *
qemu_argv_option(const char *word)
{
	if (word[0] != '-' || !word[1])
		return NULL;
	return word[1] == '-' && word[2] ? word + 2 : word + 1;
}

GPtrArray *
qemu_argv_split(const char *bytes, gsize len)
{
	GPtrArray *words = g_ptr_array_new_with_free_func(g_free);

	while (len && words->len < MAX_WORDS) {
		const char *end = memchr(bytes, '\0', len);
		if (!end)
			break;
		gsize n = (gsize) (end - bytes);
		g_ptr_array_add(words, g_strndup(bytes, n));
		bytes += n + 1;
		len -= n + 1;
	}
	return words;
}

/* A program of that name: qemu-system-x86_64, .qemu-system-arm-wrapped, qemu-kvm, kvm. */
static gboolean
is_name_of_qemu(const char *path)
{
	g_autofree char *base = g_path_get_basename(path);

	if (g_str_has_suffix(base, " (deleted)")) /* replaced by an update while it runs */
		base[strlen(base) - strlen(" (deleted)")] = '\0';
	return strstr(base, "qemu-system-") || strstr(base, "qemu-kvm") || g_str_equal(base, "kvm");
}

/* Options that together nothing else has. */
static gboolean
is_typical(const char *option)
{
	static const char *const typical[] = {
		"machine", "M",       "accel", "enable-kvm", "m",       "smp",        "cpu",
		"device",  "drive",   "hda",   "blockdev",   "netdev",  "qmp",        "monitor",
		"mon",     "chardev", "vnc",   "nographic",  "display", "nodefaults",
	};

	for (gsize i = 0; i < G_N_ELEMENTS(typical); i++)
		if (g_str_equal(option, typical[i]))
			return TRUE;
	return FALSE;
}

QemuLikely
qemu_argv_likely(const char *exe, const char *bytes, gsize len)
{
	guint n_typical = 0;

	if (exe && is_name_of_qemu(exe))
		return QEMU_LIKELY_YES;
	g_autoptr(GPtrArray) words = qemu_argv_split(bytes, len);
	if (!words->len)
		return QEMU_LIKELY_NOT;
	if (!exe && is_name_of_qemu(g_ptr_array_index(words, 0)))
		return QEMU_LIKELY_YES;
	/* sudo, timeout, a shell: the name of a program comes before its options. */
	if (words->len < 2 || !qemu_argv_option(g_ptr_array_index(words, 1)))
		return QEMU_LIKELY_NOT;
	for (guint i = 1; i < words->len; i++) {
		const char *option = qemu_argv_option(g_ptr_array_index(words, i));
		if (!option && is_name_of_qemu(g_ptr_array_index(words, i)))
			return QEMU_LIKELY_NOT;
		n_typical += option && is_typical(option);
	}
	return n_typical >= 3 ? QEMU_LIKELY_MAYBE : QEMU_LIKELY_NOT;
}
