/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * find: the byte patterns, and what is kept of each hit until its pass has ended. A guest may plant
 * as many hits as it likes: each kind has its bound.
 */
#include "find.h"

#define MAX_NOTES 1024
#define MAX_DIGITS 1024
#define MAX_BANNERS 65536
#define MAX_BANNER 1024

static void
clear_note(gpointer note)
{
	linux_vmcoreinfo_unref(((LinuxNote *) note)->info);
}

static void
free_find(gpointer data)
{
	LinuxFind *find = data;

	g_array_unref(find->notes);
	g_array_unref(find->digits);
	g_array_unref(find->banners);
	g_ptr_array_unref(find->images);
	g_ptr_array_unref(find->kernels);
	g_free(find);
}

static LinuxFind *
get_find(VmifsProbe *probe)
{
	LinuxFind *find = vmifs_probe_data(probe);

	if (find)
		return find;
	find = g_new0(LinuxFind, 1);
	find->probe = probe;
	find->notes = g_array_new(FALSE, FALSE, sizeof(LinuxNote));
	g_array_set_clear_func(find->notes, clear_note);
	find->digits = g_array_new(FALSE, FALSE, sizeof(guint64));
	find->banners = g_array_new(FALSE, FALSE, sizeof(guint64));
	find->images = g_ptr_array_new_with_free_func(linux_image_free);
	find->kernels = g_ptr_array_new_with_free_func(linux_kernel_free);
	vmifs_probe_set_data(probe, find, free_find);
	return find;
}

gboolean
linux_find_read(const LinuxFind *find, guint64 pa, gpointer buf, gsize len)
{
	return vmifs_physmem_read(vmifs_probe_physmem(find->probe), pa, buf, len,
				  vmifs_probe_call(find->probe), NULL);
}

gboolean
linux_find_read_phys(gpointer find, guint64 pa, gpointer buf, gsize len)
{
	return linux_find_read(find, pa, buf, len);
}

gboolean
linux_find_goes_on(const LinuxFind *find)
{
	return vmifs_call_check(vmifs_probe_call(find->probe), NULL);
}

/* ---- hits ---- */

char *
linux_find_banner(const LinuxFind *find, guint64 pa)
{
	guint8 bytes[MAX_BANNER];

	/* RAM may end soon behind it. */
	for (gsize len = sizeof bytes; len >= 64; len /= 2)
		if (linux_find_read(find, pa, bytes, len))
			return linux_banner_at(bytes, len);
	return NULL;
}

static void
hit_note(LinuxFind *find, guint64 pa)
{
	guint8 head[LINUX_VMCOREINFO_HEAD];
	g_autofree guint8 *bytes = NULL;
	LinuxNote note = { .pa = pa };
	gsize len;

	if (find->notes->len == MAX_NOTES || !linux_find_read(find, pa, head, sizeof head))
		return;
	len = linux_vmcoreinfo_size(head);
	if (!len)
		return;
	bytes = g_malloc(len);
	if (!linux_find_read(find, pa, bytes, len))
		return;
	note.info = linux_vmcoreinfo_new(bytes, len, NULL);
	if (note.info)
		g_array_append_val(find->notes, note);
}

static void
hit_digits(LinuxFind *find, guint64 pa)
{
	LinuxPhys phys = { linux_find_read_phys, find };

	if (find->digits->len < MAX_DIGITS && linux_kallsyms_has_tokens(&phys, pa))
		g_array_append_val(find->digits, pa);
}

static void
hit_banner(LinuxFind *find, guint64 pa)
{
	g_autofree char *banner = NULL;

	if (find->banners->len == MAX_BANNERS)
		return;
	banner = linux_find_banner(find, pa);
	if (banner)
		g_array_append_val(find->banners, pa);
}

enum { PATTERN_NOTE, PATTERN_DIGITS, PATTERN_BANNER };

const VmifsPattern linux_patterns[LINUX_N_PATTERNS] = {
	/* namesz 11; what follows differs from note to note. */
	[PATTERN_NOTE] = { "VMCOREINFO", (const guint8 *) "\013\0\0\0", 4, 4096, TRUE },
	[PATTERN_DIGITS] = { "kallsyms tokens", (const guint8 *) LINUX_KALLSYMS_DIGITS, 20, 1,
			     FALSE },
	[PATTERN_BANNER] = { "Linux banner", (const guint8 *) "Linux version ", 14, 1, FALSE },
};

void
linux_hit(VmifsProbe *probe, const VmifsPattern *pattern, guint64 pa)
{
	static void (*const hits[])(LinuxFind * find, guint64 pa) = {
		[PATTERN_NOTE] = hit_note,
		[PATTERN_DIGITS] = hit_digits,
		[PATTERN_BANNER] = hit_banner,
	};

	hits[pattern - linux_patterns](get_find(probe), pa);
}
