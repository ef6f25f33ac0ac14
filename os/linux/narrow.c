/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* narrow: see the header. */
#include "narrow.h"

/* Kconfig's choices of how a 32-bit address space is split. */
static const guint64 page_offsets[] = {
	0xc0000000, 0xb0000000, 0x80000000, 0x78000000, 0x40000000,
};
/* Pieces of memory that an ARM kernel may lie in the first of, and to what that is aligned. */
#define MAX_REGIONS 8
#define ARM_BASE_MASK (~(guint64) 0x1fffff)

static gboolean
fits(VmifsProbe *probe, LinuxNarrow *narrow, const char *arch, guint64 root, guint64 text,
     guint64 delta)
{
	if (!linux_find_root_fits(probe, arch, root - delta, 0, text, delta))
		return FALSE;
	*narrow = (LinuxNarrow){ .arch = arch, .delta = delta };
	return TRUE;
}

static gboolean
fits_i386(VmifsProbe *probe, LinuxNarrow *narrow, guint64 root, guint64 text)
{
	for (gsize i = 0; i < G_N_ELEMENTS(page_offsets); i++)
		if (fits(probe, narrow, LINUX_ARCH_I386, root, text, page_offsets[i]))
			return TRUE;
	return FALSE;
}

static gboolean
fits_arm(VmifsProbe *probe, LinuxNarrow *narrow, guint64 root, guint64 text)
{
	gsize n;
	const VmifsRegion *regions = vmifs_physmem_regions(vmifs_probe_physmem(probe), &n);

	for (gsize i = 0; i < MIN(n, MAX_REGIONS); i++) {
		guint64 base = regions[i].pa & ARM_BASE_MASK;
		for (gsize k = 0; k < G_N_ELEMENTS(page_offsets); k++)
			if (fits(probe, narrow, LINUX_ARCH_ARM, root, text, page_offsets[k] - base))
				return TRUE;
	}
	return FALSE;
}

gboolean
linux_narrow_of_note(VmifsProbe *probe, const LinuxVmcoreinfo *info, LinuxNarrow *ret)
{
	guint64 root, text;

	*ret = (LinuxNarrow){ 0 };
	if (linux_vmcoreinfo_text(info, "NUMBER(phys_base)") ||
	    linux_vmcoreinfo_text(info, "NUMBER(kimage_voffset)"))
		return FALSE;
	if (!linux_vmcoreinfo_hex(info, "SYMBOL(swapper_pg_dir)", &root) ||
	    !linux_vmcoreinfo_hex(info, "SYMBOL(_stext)", &text) || root > G_MAXUINT32 ||
	    text > G_MAXUINT32)
		return FALSE;
	/* Both have a word of their own for tables with long entries, none for the others. */
	if (!linux_vmcoreinfo_text(info, "CONFIG_ARM_LPAE") && fits_i386(probe, ret, root, text))
		return TRUE;
	return !linux_vmcoreinfo_text(info, "CONFIG_X86_PAE") && fits_arm(probe, ret, root, text);
}
