/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* narrow: see the header. */
#include "narrow.h"

#include <spi/bytes.h>

/* Kconfig's choices of how a 32-bit address space is split. */
static const guint64 page_offsets[] = {
	0xc0000000, 0xb0000000, 0x80000000, 0x78000000, 0x40000000,
};
/* Pieces of memory that an ARM kernel may lie in the first of, and to what that is aligned. */
#define MAX_REGIONS 8
#define ARM_BASE_MASK (~(guint64) 0x1fffff)
/* ARM Architecture Reference Manual for ARMv7-A (DDI 0406), B3.5.1 and B3.6.1: entries of a root.
 */
#define TYPE_MASK 3
#define SECTION 2
#define SECTION_ADDRESS 0xfff00000u
#define LONG_TABLE 3
#define LONG_ADDRESS 0xfffffff000ull
#define TABLE_LEN 4096

/* Of the page table and the text. FALSE: it is not of a 32-bit kernel. */
static gboolean
addresses_of(const LinuxVmcoreinfo *info, guint64 *ret_root, guint64 *ret_text)
{
	return !linux_vmcoreinfo_text(info, "NUMBER(phys_base)") &&
	       !linux_vmcoreinfo_text(info, "NUMBER(kimage_voffset)") &&
	       linux_vmcoreinfo_hex(info, "SYMBOL(swapper_pg_dir)", ret_root) &&
	       linux_vmcoreinfo_hex(info, "SYMBOL(_stext)", ret_text) && *ret_root <= G_MAXUINT32 &&
	       *ret_text <= G_MAXUINT32;
}

gboolean
linux_narrow_is(const char *arch)
{
	return g_str_equal(arch, LINUX_ARCH_ARM) || g_str_equal(arch, LINUX_ARCH_I386);
}

void
linux_narrow_deltas(VmifsProbe *probe, const char *arch, GArray *ret)
{
	gboolean is_arm = g_str_equal(arch, LINUX_ARCH_ARM);
	gsize n;
	const VmifsRegion *regions = vmifs_physmem_regions(vmifs_probe_physmem(probe), &n);

	for (gsize i = 0; i < MIN(is_arm ? n : 1, MAX_REGIONS); i++) {
		guint64 base = is_arm ? regions[i].pa & ARM_BASE_MASK : 0;
		for (gsize k = 0; k < G_N_ELEMENTS(page_offsets); k++) {
			guint64 delta = page_offsets[k] - base;
			g_array_append_val(ret, delta);
		}
	}
}

static gboolean
fits(VmifsProbe *probe, const char *arch, guint64 root, guint64 text, LinuxNarrow *ret)
{
	g_autoptr(GArray) deltas = g_array_new(FALSE, FALSE, sizeof(guint64));

	linux_narrow_deltas(probe, arch, deltas);
	for (guint i = 0; i < deltas->len; i++) {
		guint64 delta = g_array_index(deltas, guint64, i);

		if (linux_find_root_fits(probe, arch, root - delta, 0, text, delta)) {
			*ret = (LinuxNarrow){ .arch = arch, .delta = delta };
			return TRUE;
		}
	}
	return FALSE;
}

/* Where the root's entry for the text puts memory's beginning, if that is where addresses begin. A
 * short one has the first address of its section; the long ones' tables follow the root. */
static gboolean
base_of_entry(const LinuxFind *find, gboolean is_long, guint64 root, guint64 text,
	      guint64 page_offset, guint64 *ret)
{
	guint8 bytes[8];

	if (is_long) {
		if (!linux_find_read(find, root + (text >> 30) * 8, bytes, 8))
			return FALSE;
		guint64 entry = vmifs_load_u64(bytes);
		*ret = (entry & LONG_ADDRESS) - root - TABLE_LEN * (1 + (text >> 30));
		return (entry & TYPE_MASK) == LONG_TABLE;
	}
	if (!linux_find_read(find, root + (text >> 20) * 4, bytes, 4))
		return FALSE;
	guint32 entry = vmifs_load_u32(bytes);
	*ret = (entry & SECTION_ADDRESS) - ((text - page_offset) & SECTION_ADDRESS);
	return (entry & TYPE_MASK) == SECTION;
}

void
linux_narrow_suggest_base(LinuxFind *find, guint64 root, guint64 text)
{
	for (gsize i = 0; i < 2 * G_N_ELEMENTS(page_offsets); i++) {
		guint64 page_offset = page_offsets[i / 2], base;

		if (root >= page_offset && text >= page_offset &&
		    base_of_entry(find, i % 2, root - page_offset, text, page_offset, &base) &&
		    base && base <= G_MAXUINT32 && !(base & ~ARM_BASE_MASK))
			vmifs_probe_suggest_base(find->probe, base);
	}
}

void
linux_narrow_suggest_base_of_note(LinuxFind *find, const LinuxVmcoreinfo *info)
{
	guint64 root, text;

	if (addresses_of(info, &root, &text))
		linux_narrow_suggest_base(find, root, text);
}

gboolean
linux_narrow_may_be_moved(VmifsProbe *probe, const LinuxVmcoreinfo *info)
{
	guint64 root, text;

	return vmifs_probe_is_base_assumed(probe) && addresses_of(info, &root, &text) &&
	       !linux_vmcoreinfo_text(info, "CONFIG_X86_PAE");
}

gboolean
linux_narrow_of_note(VmifsProbe *probe, const LinuxVmcoreinfo *info, LinuxNarrow *ret)
{
	guint64 root, text;

	*ret = (LinuxNarrow){ 0 };
	if (!addresses_of(info, &root, &text))
		return FALSE;
	/* Both have a word of their own for tables with long entries, none for the others. */
	if (!linux_vmcoreinfo_text(info, "CONFIG_ARM_LPAE") &&
	    fits(probe, LINUX_ARCH_I386, root, text, ret))
		return TRUE;
	return !linux_vmcoreinfo_text(info, "CONFIG_X86_PAE") &&
	       fits(probe, LINUX_ARCH_ARM, root, text, ret);
}
