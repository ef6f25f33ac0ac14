/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * mapping: what the kernel knows of a mapping as a whole: its flags, the size of its pages, and
 * whether huge pages may come into it, which hangs on many switches.
 */
#include "smaps.h"

#include <string.h>

#define VM_IO 0x4000
#define VM_PFNMAP 0x400
#define VM_DONTEXPAND 0x40000
#define VM_HUGETLB 0x400000
#define VM_MIXEDMAP 0x10000000
#define VM_HUGEPAGE 0x20000000
#define VM_NOHUGEPAGE 0x40000000
#define VM_NO_KHUGEPAGED (VM_IO | VM_DONTEXPAND | VM_PFNMAP | VM_MIXEDMAP | VM_HUGETLB)
#define VM_SHARED 0x8
#define VM_WRITE 0x2
#define MMF_DISABLE_THP 24

#define CPUID_7_ECX 16 /* the word of capabilities */
#define OSPKE (1 << 4)

enum { SHMEM_NEVER, SHMEM_ALWAYS, SHMEM_WITHIN_SIZE, SHMEM_ADVISE };

static gboolean
has_operations(LinuxCursor *c, guint64 inode, const char *symbol)
{
	guint64 sb = linux_take(c, inode, LINUX_FIELD_INODE_SB);

	return linux_is_symbol(c->os, linux_take(c, sb, LINUX_FIELD_SUPER_BLOCK_OP), symbol);
}

static guint64
huge_page_size(LinuxCursor *c, guint64 inode)
{
	guint64 sb = linux_take(c, inode, LINUX_FIELD_INODE_SB);
	guint64 info = linux_take(c, sb, LINUX_FIELD_SUPER_BLOCK_FS_INFO);
	guint64 hstate = linux_take(c, info, LINUX_FIELD_HUGETLBFS_HSTATE);

	return linux_page_size(c->os) << (linux_take(c, hstate, LINUX_FIELD_HSTATE_ORDER) & 31);
}

gboolean
linux_mapping_read(const Linux *os, guint64 vma, LinuxMapping *ret, GError **error)
{
	LinuxCursor c = { .os = os };
	LinuxMapping m = { .flags = linux_take(&c, vma, LINUX_FIELD_VMA_FLAGS),
			   .ops = linux_take(&c, vma, LINUX_FIELD_VMA_OPS),
			   .file = linux_take(&c, vma, LINUX_FIELD_VMA_FILE),
			   .pgoff = linux_take(&c, vma, LINUX_FIELD_VMA_PGOFF),
			   .page_size = linux_page_size(os) };

	if (m.file) {
		m.inode = linux_take(&c, m.file, LINUX_FIELD_FILE_INODE);
		m.is_shmem = has_operations(&c, m.inode, "shmem_ops");
	}
	m.is_hugetlb = m.file && m.flags & VM_HUGETLB;
	if (m.is_hugetlb)
		m.page_size = huge_page_size(&c, m.inode);
	if (!linux_cursor_end(&c, error))
		return FALSE;
	*ret = m;
	return TRUE;
}

guint64
linux_mapping_shmem_swap(const Linux *os, const VmifsVma *vma, const LinuxMapping *m)
{
	guint64 at, swapped;

	if (!m->is_shmem || !linux_offset(os, LINUX_FIELD_SHMEM_INODE_INODE, &at, NULL) ||
	    !linux_get(os, m->inode - at, LINUX_FIELD_SHMEM_INODE_SWAPPED, &swapped, NULL))
		return 0;
	return MIN(swapped, (vma->end - vma->start) >> linux_page_shift(os));
}

/* ---- huge pages ---- */

typedef struct {
	gboolean always, madvise;
	guint64 orders; /* sizes of pages for memory without a file, a bit each */
} Switches;

static guint64
variable(const Linux *os, const char *name, guint64 otherwise)
{
	guint64 value;

	return linux_word_variable(os, name, &value, NULL) ? value : otherwise;
}

/* Since 6.8 each size of page has switches of its own, which may follow the common one. */
static void
read_switches(const Linux *os, guint64 vm_flags, Switches *ret)
{
	guint64 flags = variable(os, "transparent_hugepage_flags", 0), always, madvise, orders;

	if (!linux_value(os, LINUX_VALUE_TRANSPARENT_HUGEPAGE_FLAG, &always, NULL) ||
	    !linux_value(os, LINUX_VALUE_TRANSPARENT_HUGEPAGE_REQ_MADV_FLAG, &madvise, NULL))
		return;
	/* Bit 0: the processor has none. */
	if (flags & 1)
		return;
	ret->always = flags >> (always & 63) & 1;
	ret->madvise = flags >> (madvise & 63) & 1;
	gboolean wanted = (vm_flags & VM_HUGEPAGE) != 0;
	gboolean common = ret->always || (wanted && ret->madvise);
	if (!linux_word_variable(os, "huge_anon_orders_inherit", &orders, NULL)) {
		ret->orders = common ? 1ULL << linux_huge_order(os) : 0;
		return;
	}
	ret->orders = variable(os, "huge_anon_orders_always", 0) | (common ? orders : 0);
	if (wanted)
		ret->orders |= variable(os, "huge_anon_orders_madvise", 0);
}

/* Does a page of that size fit, in the mapping and, where there is one, in the file? */
static gboolean
fits(const Linux *os, const VmifsVma *vma, const LinuxMapping *m, guint order)
{
	guint64 size = linux_page_size(os) << order;

	if (m->ops && ((vma->start >> linux_page_shift(os)) - m->pgoff) & ((1ULL << order) - 1))
		return FALSE;
	if (vma->end < size)
		return FALSE;
	guint64 start = (vma->end - size) & ~(size - 1);
	return start >= vma->start && start <= vma->end - size;
}

static gboolean
is_shmem_eligible(const Linux *os, const LinuxMapping *m)
{
	guint64 sb, info, huge, all;

	if (linux_variable(os, "shmem_huge", 1, &all, NULL)) {
		if ((gint8) all == -1)
			return FALSE;
		if ((gint8) all == -2)
			return TRUE;
	}
	if (!linux_get(os, m->inode, LINUX_FIELD_INODE_SB, &sb, NULL) ||
	    !linux_get(os, sb, LINUX_FIELD_SUPER_BLOCK_FS_INFO, &info, NULL) ||
	    !linux_get(os, info, LINUX_FIELD_SHMEM_HUGE, &huge, NULL))
		return FALSE;
	return huge == SHMEM_ALWAYS || huge == SHMEM_WITHIN_SIZE ||
	       (huge == SHMEM_ADVISE && m->flags & VM_HUGEPAGE);
}

gboolean
linux_mapping_is_thp_eligible(const Linux *os, guint64 mm, const VmifsVma *vma,
			      const LinuxMapping *m)
{
	Switches switches = { 0 };
	guint64 mm_flags;

	if (m->flags & (VM_NOHUGEPAGE | VM_NO_KHUGEPAGED) ||
	    !linux_get(os, mm, LINUX_FIELD_MM_FLAGS, &mm_flags, NULL) ||
	    mm_flags >> MMF_DISABLE_THP & 1)
		return FALSE;
	if (m->is_shmem)
		return fits(os, vma, m, linux_huge_order(os)) && is_shmem_eligible(os, m);
	/* Of other files only programs, where the kernel is made for it, which distributions'
	 * kernels are not. */
	if (m->ops)
		return FALSE;
	read_switches(os, m->flags, &switches);
	for (guint order = 2; order <= linux_huge_order(os); order++) {
		if (switches.orders >> order & 1 && fits(os, vma, m, order))
			return TRUE;
	}
	return FALSE;
}

/* ---- flags ---- */

/* The kernel's own table where it was found: letters come and go with the years. */
void
linux_mapping_append_flags(const Linux *os, guint64 vm_flags, GString *out)
{
	static const char known[] =
		"rdwrexshmrmwmemsgdumpfdwuwloiosrrrdcdelfacnrhtsfarwfddsdmmhgnhmg";
	char table[64 * 3];
	guint width = linux_flag_names(os, table, sizeof table);

	g_string_append(out, "VmFlags: ");
	for (guint i = 0; i < 64; i++) {
		const char *name = width        ? table + i * width
				   : i < 32     ? known + i * 2
				   : i < 32 + 4 ? ""
						: "??";
		if (!(vm_flags >> i & 1) || !name[0])
			continue;
		g_string_append_len(out, name, 2);
		g_string_append_c(out, ' ');
	}
	g_string_append_c(out, '\n');
}

gboolean
linux_has_protection_keys(const Linux *os)
{
	guint64 cpu, word;

	if (!linux_has(os, LINUX_FIELD_CPUINFO_CAPABILITY) ||
	    !linux_symbol(os, "boot_cpu_data", &cpu, NULL))
		return FALSE;
	guint64 at =
		linux_layout_element(os->layout, LINUX_FIELD_CPUINFO_CAPABILITY, cpu, CPUID_7_ECX);
	return linux_load(os, at, 4, &word, NULL) && word & OSPKE;
}
