/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * aspace: an address space and its bytes. Two ways lead to them. Decoders chase pointers: short
 * reads, a page or less, ask the translation cache. Long reads walk the tables once, range by
 * range. Both end in vmifs_physmem_read(), which knows holes and failing sources.
 */
#include "aspace.h"

#include "physmem.h"

#include <string.h>
#include <spi/bytes.h>

#define X64 "%#" G_GINT64_MODIFIER "x"

/* The kernel's space is read all the time; there may be thousands of others, most of them read
 * once. */
#define TLB_ENTRIES_KERNEL 1024
#define TLB_ENTRIES_LIKE 64

/* Reads up to this long go through the cache. */
#define SHORT_READ 4096

#define PAGE 4096

/* ---- life ---- */

static VmifsAspace *
new_aspace(const VmifsTables *tables, const guint *epoch, guint tlb_entries)
{
	VmifsAspace *aspace = g_new0(VmifsAspace, 1);

	g_atomic_ref_count_init(&aspace->refs);
	aspace->tables = *tables;
	vmifs_physmem_ref(tables->mem);
	aspace->epoch = epoch;
	aspace->tlb_entries = tlb_entries;
	return aspace;
}

VmifsAspace *
vmifs_aspace_new(VmifsPhysmem *mem, const VmifsPaging *paging, const guint *epoch)
{
	VmifsTables tables = { .mem = mem, .paging = *paging };

	return new_aspace(&tables, epoch, TLB_ENTRIES_KERNEL);
}

VmifsAspace *
vmifs_aspace_new_like(VmifsAspace *kernel, guint64 root, VmifsResolve resolve, gpointer user)
{
	return vmifs_aspace_new_amended(kernel, root, NULL, resolve, user);
}

VmifsAspace *
vmifs_aspace_new_amended(VmifsAspace *kernel, guint64 root, VmifsAmend amend, VmifsResolve resolve,
			 gpointer user)
{
	VmifsTables tables = kernel->tables;

	tables.paging.root = root;
	tables.amend = amend;
	tables.resolve = resolve;
	tables.user = user;
	return new_aspace(&tables, kernel->epoch, TLB_ENTRIES_LIKE);
}

VmifsAspace *
vmifs_aspace_ref(VmifsAspace *aspace)
{
	g_atomic_ref_count_inc(&aspace->refs);
	return aspace;
}

void
vmifs_aspace_unref(VmifsAspace *aspace)
{
	if (!aspace || !g_atomic_ref_count_dec(&aspace->refs))
		return;
	vmifs_tlb_free(aspace->tlb);
	vmifs_physmem_unref(aspace->tables.mem);
	g_free(aspace);
}

guint64
vmifs_aspace_root(const VmifsAspace *aspace)
{
	const VmifsPaging *paging = &aspace->tables.paging;

	return paging->root == VMIFS_NO_ROOT ? paging->high_root : paging->root;
}

const char *
vmifs_aspace_mode(const VmifsAspace *aspace)
{
	return aspace->tables.paging.mode->name;
}

const char *
vmifs_aspace_arch(const VmifsAspace *aspace)
{
	return aspace->tables.paging.mode->arch->name;
}

guint64
vmifs_aspace_user_end(const VmifsAspace *aspace)
{
	const VmifsPaging *paging = &aspace->tables.paging;

	return paging->low_bits ? 1ull << paging->low_bits : paging->mode->user_end;
}

guint32
vmifs_aspace_ptr_size(const VmifsAspace *aspace)
{
	return aspace->tables.paging.mode->ptr_size;
}

VmifsPhysmem *
vmifs_aspace_physmem(const VmifsAspace *aspace)
{
	return aspace->tables.mem;
}

/* ---- errors ---- */

/* The table is asked once more: what its source says of it is the better half of the message. */
static void
set_broken(VmifsAspace *aspace, const VmifsRange *range, GError **error)
{
	g_autofree guint8 *scratch = g_malloc(VMIFS_WALK_TABLE_MAX);
	GError *failure = NULL;

	if (vmifs_physmem_read(aspace->tables.mem, range->pa, scratch, VMIFS_WALK_TABLE_MAX, NULL,
			       &failure)) {
		g_set_error(error, VMIFS_ERROR, VMIFS_ERROR_CORRUPT,
			    "walk " X64 ": table page " X64 ": entry " X64
			    " of level %u makes no sense",
			    range->va, range->pa, range->entry, range->level);
	} else if (g_error_matches(failure, VMIFS_ERROR, VMIFS_ERROR_HOLE)) {
		g_set_error(error, VMIFS_ERROR, VMIFS_ERROR_CORRUPT,
			    "walk " X64 ": table page " X64 " (level %u): not RAM", range->va,
			    range->pa, range->level - 1);
		g_error_free(failure);
	} else {
		g_propagate_prefixed_error(
			error, failure, "walk " X64 ": table page " X64 " (level %u): ", range->va,
			range->pa, range->level - 1);
	}
}

void
vmifs_aspace_set_error(VmifsAspace *aspace, const VmifsRange *range, GError **error)
{
	if (!error)
		return;
	/* Its tables may have become zeros while they were walked. */
	if (vmifs_connection_is_gone(vmifs_physmem_connection(aspace->tables.mem)))
		vmifs_connection_set_gone(error);
	else if (range->kind == VMIFS_RANGE_BROKEN)
		set_broken(aspace, range, error);
	else if (range->kind == VMIFS_RANGE_NOT_PRESENT)
		g_set_error(error, VMIFS_ERROR, VMIFS_ERROR_HOLE,
			    "walk " X64 ": level %u: not present (entry " X64 ")", range->va,
			    range->level, range->entry);
	else if (range->level > aspace->tables.paging.mode->levels)
		g_set_error(error, VMIFS_ERROR, VMIFS_ERROR_HOLE, "walk " X64 ": no address of %s",
			    range->va, vmifs_aspace_mode(aspace));
	else
		g_set_error(error, VMIFS_ERROR, VMIFS_ERROR_HOLE,
			    "walk " X64 ": level %u: no entry", range->va, range->level);
}

/* ---- translation ---- */

static void
keep(VmifsAspace *aspace, guint64 va, guint epoch, const VmifsRange *page)
{
	VmifsTlb *tlb = g_atomic_pointer_get(&aspace->tlb);

	if (!tlb) {
		tlb = vmifs_tlb_new(aspace->tlb_entries);
		if (!g_atomic_pointer_compare_and_exchange(&aspace->tlb, NULL, tlb)) {
			vmifs_tlb_free(tlb);
			tlb = g_atomic_pointer_get(&aspace->tlb);
		}
	}
	vmifs_tlb_insert(tlb, va, epoch, page);
}

/* A function of its own, since a walker is large on the stack. */
static G_NO_INLINE gboolean
translate_slowly(VmifsAspace *aspace, guint64 va, guint epoch, VmifsRange *ret, GError **error)
{
	VmifsWalker walker;
	VmifsRange range;
	gboolean found;

	vmifs_walker_init(&walker, &aspace->tables, va, va, VMIFS_WALK_LEVELS);
	found = vmifs_walker_next(&walker, &range);
	g_assert(found); /* a path is no longer than the budget */
	if (range.kind != VMIFS_RANGE_PAGE) {
		vmifs_aspace_set_error(aspace, &range, error);
		return FALSE;
	}
	range = vmifs_range_entry(&range);
	keep(aspace, va, epoch, &range);
	*ret = vmifs_range_from(&range, va);
	return TRUE;
}

gboolean
vmifs_aspace_translate(VmifsAspace *aspace, guint64 va, VmifsRange *ret, GError **error)
{
	guint epoch = aspace->epoch ? (guint) g_atomic_int_get((const gint *) aspace->epoch) : 0;
	const VmifsTlb *tlb = g_atomic_pointer_get(&aspace->tlb);
	VmifsRange page;

	if (!tlb || !vmifs_tlb_lookup(tlb, va, epoch, &page))
		return translate_slowly(aspace, va, epoch, ret, error);
	*ret = vmifs_range_from(&page, va);
	return TRUE;
}

/* ---- bytes ---- */

/* Part of a page range. Returns how many could be read; fewer than len with an error. */
static gsize
read_part(VmifsAspace *aspace, guint64 va, guint64 pa, guint8 *buf, gsize len, GError **error)
{
	VmifsPhysmem *mem = aspace->tables.mem;
	GError *failure = NULL;
	gsize done = 0;

	if (G_LIKELY(vmifs_physmem_load(mem, pa, buf, len, &failure)))
		return len;
	/* Up to where? A large page may reach out of RAM, a file may have lost its end. */
	for (gsize step = PAGE; step && done < len;) {
		gsize n = MIN(len - done, step);
		g_clear_error(&failure);
		if (vmifs_physmem_read(mem, pa + done, buf + done, n, NULL, &failure))
			done += n;
		else
			step /= 2;
	}
	if (failure)
		g_propagate_prefixed_error(error, failure, "walk " X64 ": ", va + done);
	return done;
}

static gsize
read_short(VmifsAspace *aspace, guint64 va, guint8 *buf, gsize len, GError **error)
{
	gsize done = 0;

	while (done < len) {
		VmifsRange page;
		gsize n, got;
		if (!vmifs_aspace_translate(aspace, va + done, &page, error))
			break;
		n = MIN(len - done, page.len);
		got = read_part(aspace, va + done, page.pa, buf + done, n, error);
		done += got;
		if (got < n)
			break;
	}
	return done;
}

static gsize
read_long(VmifsAspace *aspace, guint64 va, guint8 *buf, gsize len, GError **error)
{
	VmifsWalker walker;
	VmifsRange range;
	gsize done = 0;

	vmifs_walker_init(&walker, &aspace->tables, va, va + (len - 1), G_MAXUINT64);
	while (vmifs_walker_next(&walker, &range)) {
		gsize got;
		if (range.kind != VMIFS_RANGE_PAGE) {
			vmifs_aspace_set_error(aspace, &range, error);
			break;
		}
		got = read_part(aspace, range.va, range.pa, buf + done, range.len, error);
		done += got;
		if (got < range.len)
			break;
	}
	return done;
}

/* Returns how many bytes came before the first that cannot be had; fewer than len with an error. */
static gsize
read_up_to(VmifsAspace *aspace, guint64 va, gpointer buf, gsize len, GError **error)
{
	gsize below_end = vmifs_aspace_clip(va, len);
	gsize done = below_end <= SHORT_READ ? read_short(aspace, va, buf, below_end, error)
					     : read_long(aspace, va, buf, below_end, error);

	if (done == below_end && done < len)
		g_set_error(error, VMIFS_ERROR, VMIFS_ERROR_HOLE,
			    "walk " X64 ": addresses end at 2^64", va);
	return done;
}

gboolean
vmifs_aspace_read(VmifsAspace *aspace, guint64 va, gpointer buf, gsize len, GError **error)
{
	return read_up_to(aspace, va, buf, len, error) == len;
}

gsize
vmifs_aspace_read_some(VmifsAspace *aspace, guint64 va, gpointer buf, gsize len, GError **error)
{
	GError *failure = NULL;
	gsize done = read_up_to(aspace, va, buf, len, &failure);

	if (done)
		g_clear_error(&failure);
	else if (failure)
		g_propagate_error(error, failure);
	return done;
}

/* ---- numbers and strings ---- */

gboolean
vmifs_aspace_read_u8(VmifsAspace *aspace, guint64 va, guint8 *ret, GError **error)
{
	guint8 byte;

	if (!vmifs_aspace_read(aspace, va, &byte, sizeof byte, error))
		return FALSE;
	*ret = byte;
	return TRUE;
}

#define READ_NUMBER(name, type, load)                                                              \
	gboolean name(VmifsAspace *aspace, guint64 va, type *ret, GError **error)                  \
	{                                                                                          \
		guint8 bytes[sizeof *ret];                                                         \
                                                                                                   \
		if (!vmifs_aspace_read(aspace, va, bytes, sizeof bytes, error))                    \
			return FALSE;                                                              \
		*ret = load(bytes);                                                                \
		return TRUE;                                                                       \
	}
READ_NUMBER(vmifs_aspace_read_u16, guint16, vmifs_load_u16)
READ_NUMBER(vmifs_aspace_read_u32, guint32, vmifs_load_u32)
READ_NUMBER(vmifs_aspace_read_u64, guint64, vmifs_load_u64)

gboolean
vmifs_aspace_read_ptr(VmifsAspace *aspace, guint64 va, guint64 *ret, GError **error)
{
	guint32 half;

	if (vmifs_aspace_ptr_size(aspace) == 8)
		return vmifs_aspace_read_u64(aspace, va, ret, error);
	if (!vmifs_aspace_read_u32(aspace, va, &half, error))
		return FALSE;
	*ret = half;
	return TRUE;
}

char *
vmifs_aspace_read_string(VmifsAspace *aspace, guint64 va, gsize max, GError **error)
{
	g_autoptr(GString) string = g_string_new(NULL);

	while (string->len < max) {
		char piece[256];
		GError *failure = NULL;
		/* Most strings are short: no page is touched that may hold none of it. */
		gsize n = MIN(sizeof piece - va % sizeof piece, max - string->len);
		gsize got = read_up_to(aspace, va, piece, n, &failure);
		gsize len = strnlen(piece, got);

		if (!got && !string->len) {
			g_propagate_error(error, failure);
			return NULL;
		}
		g_clear_error(&failure);
		g_string_append_len(string, piece, len);
		if (len < n || va > G_MAXUINT64 - n)
			break;
		va += n;
	}
	return g_string_free(g_steal_pointer(&string), FALSE);
}
