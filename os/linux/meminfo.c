/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * meminfo: /proc/meminfo. Most lines are counters that the kernel keeps for all nodes or all zones
 * together; some are sums of its own. A line that this kernel does not print, or whose counter it
 * does not have, is left out.
 */
#include "list.h"
#include "machine.h"

#define MAX_NODES 1024
#define MAX_ZONES 16
#define MAX_HSTATES 16
#define MAX_BLOCK_DEVICES (1024 * 1024)

typedef struct {
	const Linux *os;
	const VmifsCall *call;
	GString *out;
	GError *error; /* the first failure of the line */
} Info;

/* ---- where numbers come from ---- */

static guint64
variable(Info *i, const char *name, guint32 size)
{
	guint64 value;
	return !i->error && linux_variable(i->os, name, size, &value, &i->error) ? value : 0;
}

static guint64
word(Info *i, const char *name)
{
	return variable(i, name, linux_word(i->os));
}

/* A counter of all nodes or zones, never shown negative. */
static guint64
counter(Info *i, const char *array, LinuxValue item)
{
	guint64 base, index, value;

	if (i->error || !linux_symbol(i->os, array, &base, &i->error) ||
	    !linux_value(i->os, item, &index, &i->error) ||
	    !linux_load_word(i->os, base + index * linux_word(i->os), &value, &i->error))
		return 0;
	return linux_signed(i->os, value) < 0 ? 0 : value;
}

static guint64
node(Info *i, LinuxValue item)
{
	return counter(i, "vm_node_stat", item);
}

static guint64
zone(Info *i, LinuxValue item)
{
	return counter(i, "vm_zone_stat", item);
}

static guint64
slab(Info *i)
{
	return node(i, LINUX_VALUE_NR_SLAB_RECLAIMABLE_B);
}

/* ---- sums ---- */

typedef struct {
	Info *info;
	guint64 link_at;
	guint64 pages;
} Devices;

static gboolean
visit_device(guint64 link, gpointer user)
{
	Devices *d = user;
	guint64 mapping, pages;

	if (linux_get(d->info->os, link - d->link_at, LINUX_FIELD_INODE_MAPPING, &mapping, NULL) &&
	    linux_get(d->info->os, mapping, LINUX_FIELD_ADDRESS_SPACE_NRPAGES, &pages, NULL))
		d->pages += pages;
	return TRUE;
}

/* Pages of block devices themselves. */
static guint64
buffers(Info *i)
{
	Devices d = { .info = i };
	guint64 sb = word(i, "blockdev_superblock"), head_at;

	if (i->error || !linux_offset(i->os, LINUX_FIELD_SUPER_BLOCK_INODES, &head_at, &i->error) ||
	    !linux_offset(i->os, LINUX_FIELD_INODE_SB_LIST, &d.link_at, &i->error) ||
	    !linux_list_each(i->os->aspace, sb + head_at, MAX_BLOCK_DEVICES, visit_device, &d,
			     i->call, &i->error))
		return 0;
	return d.pages;
}

/* A counter only since 5.12; without swap there is nothing of it in memory. */
static guint64
swap_cached(Info *i)
{
	gint64 index;

	if (!linux_layout_value(i->os->layout, LINUX_VALUE_NR_SWAPCACHE, &index) &&
	    !word(i, "total_swap_pages"))
		return 0;
	return node(i, LINUX_VALUE_NR_SWAPCACHE);
}

static guint64
cached(Info *i)
{
	guint64 pages = node(i, LINUX_VALUE_NR_FILE_PAGES);
	guint64 others = buffers(i);

	others += swap_cached(i);
	return pages > others ? pages - others : 0;
}

/* Low watermarks of all zones of a node. */
static guint64
node_watermarks(Info *i, guint64 data)
{
	const LinuxLayout *layout = i->os->layout;
	const VmifsMember *zones = linux_layout_member(layout, LINUX_FIELD_NODE_ZONES);
	guint64 index, sum = 0, mark, boost;

	if (!zones) {
		LINUX_REQUIRE(layout, &i->error, LINUX_FIELD_NODE_ZONES);
		return 0;
	}
	if (!linux_value(i->os, LINUX_VALUE_WMARK_LOW, &index, &i->error))
		return 0;
	for (guint64 n = 0; n < MIN(zones->count, MAX_ZONES); n++) {
		guint64 at = data + zones->offset + n * zones->elem_size;
		if (!linux_load(i->os,
				linux_layout_element(layout, LINUX_FIELD_ZONE_WATERMARK, at, index),
				8, &mark, &i->error) ||
		    !linux_get(i->os, at, LINUX_FIELD_ZONE_BOOST, &boost, &i->error))
			return 0;
		sum += mark + boost;
	}
	return sum;
}

static guint64
watermarks(Info *i)
{
	guint64 table, data, sum = 0;

	if (i->error || !linux_symbol(i->os, "node_data", &table, &i->error))
		return 0;
	guint64 n_nodes = MIN(variable(i, "nr_node_ids", 4), MAX_NODES);
	for (guint64 n = 0; n < n_nodes && !i->error; n++) {
		if (linux_load_word(i->os, table + n * linux_word(i->os), &data, &i->error) && data)
			sum += node_watermarks(i, data);
	}
	return sum;
}

/* What programs could have: free, and what would be given up for them. */
static guint64
available(Info *i)
{
	guint64 low = watermarks(i);
	guint64 pages = node(i, LINUX_VALUE_NR_ACTIVE_FILE) + node(i, LINUX_VALUE_NR_INACTIVE_FILE);
	guint64 kernel = slab(i) + node(i, LINUX_VALUE_NR_KERNEL_MISC_RECLAIMABLE);
	guint64 sum = zone(i, LINUX_VALUE_NR_FREE_PAGES) - word(i, "totalreserve_pages");

	sum += pages - MIN(pages / 2, low) + kernel - MIN(kernel / 2, low);
	return (guint64) MAX((gint64) sum, 0);
}

/* ---- huge pages ---- */

/* Sets *ret_default to the address of the default size's state, 0 where it cannot be told; returns
 * bytes in huge pages. */
static guint64
huge_bytes(Info *i, guint64 *ret_default)
{
	guint64 table, size, order, n_pages, state = 0, sum = 0;
	guint64 n = MIN(variable(i, "hugetlb_max_hstate", 4), MAX_HSTATES);
	guint64 index = variable(i, "default_hstate_idx", 4);

	*ret_default = 0;
	if (i->error || !linux_symbol(i->os, "hstates", &table, &i->error) ||
	    !linux_sizeof(i->os, LINUX_STRUCT_HSTATE, &size, &i->error))
		return 0;
	for (guint64 k = 0; k < n; k++) {
		guint64 at = table + k * size;
		if (!linux_get(i->os, at, LINUX_FIELD_HSTATE_ORDER, &order, &i->error) ||
		    !linux_get(i->os, at, LINUX_FIELD_HSTATE_NR, &n_pages, &i->error))
			return 0;
		sum += n_pages << (order & 31) << linux_page_shift(i->os);
		if (k == index)
			state = at;
	}
	*ret_default = state;
	return sum;
}

static guint64
commit_limit(Info *i)
{
	guint64 kbytes = word(i, "sysctl_overcommit_kbytes"), state;
	guint64 allowed = kbytes / linux_pages_kb(i->os, 1);

	if (!kbytes)
		allowed = (word(i, "_totalram_pages") -
			   huge_bytes(i, &state) / linux_page_size(i->os)) *
			  variable(i, "sysctl_overcommit_ratio", 4) / 100;
	return allowed + word(i, "total_swap_pages");
}

static guint64
committed(Info *i)
{
	guint64 address;
	gint64 sum;

	if (i->error || !linux_symbol(i->os, "vm_committed_as", &address, &i->error) ||
	    !linux_percpu_counter(i->os, address, &sum, i->call, &i->error))
		return 0;
	return (guint64) MAX(sum, 0);
}

/* ---- lines ---- */

/* label: with its blanks. Ends the line that was begun by computing kb. */
static void
line(Info *i, const char *label, guint64 kb)
{
	if (!i->error)
		g_string_append_printf(i->out, "%s%8" G_GUINT64_FORMAT " kB\n", label, kb);
	g_clear_error(&i->error);
}

static void
pages(Info *i, const char *label, guint64 n)
{
	line(i, label, linux_pages_kb(i->os, n));
}

/* Swapped pages that are kept compressed in memory. What they take has been told by their
 * allocator alone since 6.9; where there are none, it is nothing. */
static void
append_zswap(Info *i)
{
	guint64 address, bytes = 0;

	if (!linux_symbol(i->os, "zswap_stored_pages", &address, NULL))
		return;
	guint64 stored = variable(i, "zswap_stored_pages", 4);
	if (linux_variable(i->os, "zswap_pool_total_size", 8, &bytes, NULL) || !stored)
		line(i, "Zswap:          ", bytes >> 10);
	pages(i, "Zswapped:       ", stored);
}

static void
append_ram(Info *i)
{
	guint64 active_anon = node(i, LINUX_VALUE_NR_ACTIVE_ANON);
	guint64 active_file = node(i, LINUX_VALUE_NR_ACTIVE_FILE);
	guint64 inactive_anon = node(i, LINUX_VALUE_NR_INACTIVE_ANON);
	guint64 inactive_file = node(i, LINUX_VALUE_NR_INACTIVE_FILE);
	gboolean lru = !i->error;

	g_clear_error(&i->error);
	pages(i, "MemTotal:       ", word(i, "_totalram_pages"));
	pages(i, "MemFree:        ", zone(i, LINUX_VALUE_NR_FREE_PAGES));
	pages(i, "MemAvailable:   ", available(i));
	pages(i, "Buffers:        ", buffers(i));
	pages(i, "Cached:         ", cached(i));
	pages(i, "SwapCached:     ", swap_cached(i));
	if (lru) {
		pages(i, "Active:         ", active_anon + active_file);
		pages(i, "Inactive:       ", inactive_anon + inactive_file);
		pages(i, "Active(anon):   ", active_anon);
		pages(i, "Inactive(anon): ", inactive_anon);
		pages(i, "Active(file):   ", active_file);
		pages(i, "Inactive(file): ", inactive_file);
	}
	pages(i, "Unevictable:    ", node(i, LINUX_VALUE_NR_UNEVICTABLE));
	pages(i, "Mlocked:        ", zone(i, LINUX_VALUE_NR_MLOCK));
	pages(i, "SwapTotal:      ", word(i, "total_swap_pages"));
	pages(i, "SwapFree:       ", word(i, "nr_swap_pages"));
	append_zswap(i);
}

/* A counter that is gone while its line stayed: the kernel prints 0. */
static guint64
node_or_zero(Info *i, LinuxValue item)
{
	gint64 index;
	return linux_layout_value(i->os->layout, item, &index) ? node(i, item) : 0;
}

/* A counter of the zones before 5.11. One of the nodes has a larger number than zones have counters
 * (include/linux/mmzone.h). */
static guint64
page_tables(Info *i)
{
	gint64 item, n_zone_items;

	if (linux_layout_value(i->os->layout, LINUX_VALUE_NR_PAGETABLE, &item) &&
	    linux_layout_value(i->os->layout, LINUX_VALUE_NR_VM_ZONE_STAT_ITEMS, &n_zone_items) &&
	    item < n_zone_items)
		return zone(i, LINUX_VALUE_NR_PAGETABLE);
	return node(i, LINUX_VALUE_NR_PAGETABLE);
}

static void
append_use(Info *i)
{
	guint64 free_slab = slab(i);
	guint64 used_slab = node(i, LINUX_VALUE_NR_SLAB_UNRECLAIMABLE_B);
	guint64 other = node(i, LINUX_VALUE_NR_KERNEL_MISC_RECLAIMABLE);
	gboolean slabs = !i->error;
	gint64 index;

	g_clear_error(&i->error);
	pages(i, "Dirty:          ", node(i, LINUX_VALUE_NR_FILE_DIRTY));
	pages(i, "Writeback:      ", node(i, LINUX_VALUE_NR_WRITEBACK));
	pages(i, "AnonPages:      ", node(i, LINUX_VALUE_NR_ANON_MAPPED));
	pages(i, "Mapped:         ", node(i, LINUX_VALUE_NR_FILE_MAPPED));
	pages(i, "Shmem:          ", node(i, LINUX_VALUE_NR_SHMEM));
	if (slabs) {
		pages(i, "KReclaimable:   ", free_slab + other);
		pages(i, "Slab:           ", free_slab + used_slab);
		pages(i, "SReclaimable:   ", free_slab);
		pages(i, "SUnreclaim:     ", used_slab);
	}
	line(i, "KernelStack:    ", node(i, LINUX_VALUE_NR_KERNEL_STACK_KB));
	pages(i, "PageTables:     ", page_tables(i));
	pages(i, "SecPageTables:  ", node(i, LINUX_VALUE_NR_SECONDARY_PAGETABLE));
	if (linux_has_text(i->os, LINUX_TEXT_NFS_UNSTABLE))
		pages(i, "NFS_Unstable:   ", 0);
	if (linux_has_text(i->os, LINUX_TEXT_BOUNCE))
		pages(i, "Bounce:         ",
		      linux_layout_value(i->os->layout, LINUX_VALUE_NR_BOUNCE, &index)
			      ? zone(i, LINUX_VALUE_NR_BOUNCE)
			      : 0);
	if (linux_has_text(i->os, LINUX_TEXT_WRITEBACK_TMP))
		pages(i, "WritebackTmp:   ", node_or_zero(i, LINUX_VALUE_NR_WRITEBACK_TEMP));
	pages(i, "CommitLimit:    ", commit_limit(i));
	pages(i, "Committed_AS:   ", committed(i));
}

static void
append_kernel(Info *i)
{
	guint64 address, total;
	gint64 index;

	const LinuxMachine *machine = linux_machine(i->os);

	if (machine->vmalloc_total && machine->vmalloc_total(i->os, &total))
		line(i, "VmallocTotal:   ", total);
	/* A counter of the nodes since 7.0. */
	pages(i, "VmallocUsed:    ",
	      linux_layout_value(i->os->layout, LINUX_VALUE_NR_VMALLOC, &index)
		      ? node(i, LINUX_VALUE_NR_VMALLOC)
		      : word(i, "nr_vmalloc_pages"));
	pages(i, "VmallocChunk:   ", 0);
	pages(i, "Percpu:         ",
	      variable(i, "pcpu_nr_populated", 4) * variable(i, "pcpu_nr_units", 4));
	if (linux_symbol(i->os, "num_poisoned_pages", &address, NULL)) {
		guint64 n = word(i, "num_poisoned_pages");
		g_string_append_printf(i->out, "HardwareCorrupted: %5" G_GUINT64_FORMAT " kB\n",
				       linux_pages_kb(i->os, n));
	}
	g_clear_error(&i->error);
}

static void
append_transparent(Info *i)
{
	guint64 address;

	if (!linux_symbol(i->os, "transparent_hugepage_flags", &address, NULL))
		return;
	pages(i, "AnonHugePages:  ", node(i, LINUX_VALUE_NR_ANON_THPS));
	pages(i, "ShmemHugePages: ", node(i, LINUX_VALUE_NR_SHMEM_THPS));
	pages(i, "ShmemPmdMapped: ", node(i, LINUX_VALUE_NR_SHMEM_PMDMAPPED));
	pages(i, "FileHugePages:  ", node(i, LINUX_VALUE_NR_FILE_THPS));
	pages(i, "FilePmdMapped:  ", node(i, LINUX_VALUE_NR_FILE_PMDMAPPED));
}

static void
append_rare(Info *i)
{
	if (linux_has_text(i->os, LINUX_TEXT_CMA)) {
		pages(i, "CmaTotal:       ", word(i, "totalcma_pages"));
		pages(i, "CmaFree:        ", zone(i, LINUX_VALUE_NR_FREE_CMA_PAGES));
	}
	pages(i, "Unaccepted:     ", zone(i, LINUX_VALUE_NR_UNACCEPTED));
	pages(i, "Balloon:        ", node(i, LINUX_VALUE_NR_BALLOON_PAGES));
	pages(i, "GPUActive:      ", node(i, LINUX_VALUE_NR_GPU_ACTIVE));
	pages(i, "GPUReclaim:     ", node(i, LINUX_VALUE_NR_GPU_RECLAIM));
}

static void
append_huge(Info *i)
{
	static const struct {
		const char *label;
		LinuxField field;
	} lines[] = {
		{ "HugePages_Total:   ", LINUX_FIELD_HSTATE_NR },
		{ "HugePages_Free:    ", LINUX_FIELD_HSTATE_FREE },
		{ "HugePages_Rsvd:    ", LINUX_FIELD_HSTATE_RESERVED },
		{ "HugePages_Surp:    ", LINUX_FIELD_HSTATE_SURPLUS },
	};
	guint64 state, n, order, bytes = huge_bytes(i, &state);

	for (gsize k = 0; k < G_N_ELEMENTS(lines) && state; k++) {
		if (!linux_get(i->os, state, lines[k].field, &n, &i->error))
			break;
		g_string_append_printf(i->out, "%s%5" G_GUINT64_FORMAT "\n", lines[k].label, n);
	}
	if (state && !i->error &&
	    linux_get(i->os, state, LINUX_FIELD_HSTATE_ORDER, &order, &i->error))
		line(i, "Hugepagesize:   ", linux_pages_kb(i->os, 1) << (order & 31));
	if (state || i->error)
		line(i, "Hugetlb:        ", bytes >> 10);
}

static void
append_direct(Info *i)
{
	static const struct {
		const char *label;
		guint index, kb_shift;
	} lines[] = {
		{ "DirectMap4k:    ", 1, 2 },
		{ "DirectMap2M:    ", 2, 11 },
		{ "DirectMap1G:    ", 3, 20 },
	};
	guint64 base, n, gbpages = 0;

	if (!linux_symbol(i->os, "direct_pages_count", &base, NULL))
		return;
	linux_variable(i->os, "direct_gbpages", 4, &gbpages, NULL);
	for (gsize k = 0; k < (gbpages ? 3 : 2); k++) {
		if (linux_load_word(i->os, base + lines[k].index * linux_word(i->os), &n, NULL))
			line(i, lines[k].label, n << lines[k].kb_shift);
	}
}

LINUX_VIEW(linux_render_meminfo)
{
	Info i = { .os = os, .call = call, .out = out };

	append_ram(&i);
	append_use(&i);
	append_kernel(&i);
	append_transparent(&i);
	append_rare(&i);
	append_huge(&i);
	append_direct(&i);
	return vmifs_call_check(call, error);
}
