/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * pages: the array is read a page at a time, into a small cache: pages of a process mostly come in
 * runs, and a head is asked for as often as its parts.
 */
#include "pages.h"
#include "machine.h"

#include <spi/bytes.h>

#define CHUNK 4096
#define N_CHUNKS 16
#define MAX_PAGE 256 /* sizeof(struct page), with every option on */
#define MAPPING_ANON 1
#define MAPPING_KSM 3
/* In this part of the address space there is no array: a number there is a mask. */
#define FIRST_MASK G_GUINT64_CONSTANT(0xfffffff000000000)

typedef struct {
	guint64 va;
	gboolean known; /* FALSE: cannot be read */
	guint8 bytes[CHUNK];
} Chunk;

struct LinuxPages {
	const Linux *os;
	guint64 base, size;
	guint64 flags_at, mapping_at, compound_at, mapcount_at, refcount_at;
	guint64 whole_at; /* count of mappings as a whole, from the head on; 0 = none */
	guint64 swap_backed, dirty, referenced, young, double_map; /* masks; 0 = none */
	guint64 huge_zero;
	Chunk chunks[N_CHUNKS];
};

static guint64
flag_mask(const Linux *os, LinuxValue value)
{
	guint64 bit;

	return linux_value(os, value, &bit, NULL) ? 1ULL << (bit & 63) : 0;
}

static void
find_huge_zero(LinuxPages *p)
{
	guint64 pfn;

	if (linux_word_variable(p->os, "huge_zero_folio", &p->huge_zero, NULL) ||
	    linux_word_variable(p->os, "huge_zero_page", &p->huge_zero, NULL))
		return;
	if (linux_word_variable(p->os, "huge_zero_pfn", &pfn, NULL) &&
	    pfn != linux_wrap(p->os, G_MAXUINT64))
		p->huge_zero = p->base + pfn * p->size;
}

static gboolean
find_members(LinuxPages *p, GError **error)
{
	const Linux *os = p->os;
	guint64 at;

	if (!linux_machine(os)->page_array)
		return linux_machine_lacks(os, "pages", error);
	if (!linux_machine(os)->page_array(os, &p->base, error) ||
	    !linux_sizeof(os, LINUX_STRUCT_PAGE, &p->size, error) ||
	    !linux_offset(os, LINUX_FIELD_PAGE_FLAGS, &p->flags_at, error) ||
	    !linux_offset(os, LINUX_FIELD_PAGE_MAPPING, &p->mapping_at, error) ||
	    !linux_offset(os, LINUX_FIELD_PAGE_COMPOUND, &p->compound_at, error) ||
	    !linux_offset(os, LINUX_FIELD_PAGE_MAPCOUNT, &p->mapcount_at, error) ||
	    !linux_offset(os, LINUX_FIELD_PAGE_REFCOUNT, &p->refcount_at, error))
		return FALSE;
	if (linux_offset(os, LINUX_FIELD_FOLIO_ENTIRE_MAPCOUNT, &at, NULL))
		p->whole_at = at;
	else if (linux_offset(os, LINUX_FIELD_PAGE_COMPOUND_MAPCOUNT, &at, NULL))
		p->whole_at = p->size + at;
	if (p->size > MAX_PAGE || p->size % linux_word(os)) {
		g_set_error(error, VMIFS_ERROR, VMIFS_ERROR_CORRUPT,
			    "a struct page of %" G_GUINT64_FORMAT " bytes", p->size);
		return FALSE;
	}
	return TRUE;
}

LinuxPages *
linux_pages_new(const Linux *os, GError **error)
{
	g_autoptr(LinuxPages) p = g_new0(LinuxPages, 1);

	p->os = os;
	if (!find_members(p, error))
		return NULL;
	p->swap_backed = flag_mask(os, LINUX_VALUE_PG_swapbacked);
	p->dirty = flag_mask(os, LINUX_VALUE_PG_dirty);
	p->referenced = flag_mask(os, LINUX_VALUE_PG_referenced);
	p->young = flag_mask(os, LINUX_VALUE_PG_young);
	p->double_map = flag_mask(os, LINUX_VALUE_PG_double_map);
	find_huge_zero(p);
	return g_steal_pointer(&p);
}

void
linux_pages_free(LinuxPages *pages)
{
	g_free(pages);
}

/* len bytes of the array, 4 or 8 and aligned to that, never over the end of a chunk. */
static const guint8 *
view(LinuxPages *p, guint64 va)
{
	guint64 start = va & ~(guint64) (CHUNK - 1);
	Chunk *c = &p->chunks[start / CHUNK % N_CHUNKS];

	if (c->va != start) {
		c->va = start;
		c->known = vmifs_aspace_read(p->os->aspace, start, c->bytes, CHUNK, NULL);
	}
	return c->known ? c->bytes + (va - start) : NULL;
}

static guint64
load_word(LinuxPages *p, guint64 va)
{
	const guint8 *bytes = view(p, va & ~(guint64) (linux_word(p->os) - 1));

	return bytes ? linux_word_at(p->os, bytes, 0) : 0;
}

static guint32
load_u32(LinuxPages *p, guint64 va)
{
	const guint8 *bytes = view(p, va & ~3ULL);

	return bytes ? vmifs_load_u32(bytes) : 0;
}

/* A part says where its head is: by its address, or by what to keep of its own. */
static guint64
head_of(LinuxPages *p, guint64 at)
{
	guint64 info = load_word(p, at + p->compound_at);

	if (!(info & 1))
		return at;
	return info >= FIRST_MASK ? at & info : info - 1;
}

gboolean
linux_page(LinuxPages *p, guint64 pa, LinuxPage *ret)
{
	LinuxPage page = { .at = p->base + (pa >> linux_page_shift(p->os)) * p->size };

	if (!view(p, page.at & ~7ULL))
		return FALSE;
	page.head = head_of(p, page.at);
	if (!view(p, page.head & ~7ULL))
		return FALSE;
	page.flags = load_word(p, page.head + p->flags_at);
	page.mapping = load_word(p, page.head + p->mapping_at);
	page.refs = load_u32(p, page.head + p->refcount_at);
	*ret = page;
	return TRUE;
}

/* Is it a large page? A head that is not a part itself is known by the part behind it. */
static gboolean
is_large(LinuxPages *p, const LinuxPage *page)
{
	return page->at != page->head || head_of(p, page->head + p->size) == page->head;
}

guint32
linux_page_mapcount(LinuxPages *p, const LinuxPage *page, guint i, gboolean is_hugetlb)
{
	/* Kept one lower than it is. What is no count there is the type of an unmapped page. */
	gint64 count = (gint32) load_u32(p, page->at + i * p->size + p->mapcount_at) + 1LL;

	count = MAX(count, 0);
	if (!p->whole_at || !is_large(p, page))
		return (guint32) count;
	/* Until 6.2 the parts of a file's page counted the mappings of the whole, too, and those of
	 * memory did while it was mapped both ways. */
	if (p->double_map && !linux_page_is_anon(page) && !is_hugetlb)
		return (guint32) count;
	count += (gint32) load_u32(p, page->head + p->whole_at) + 1LL;
	if (load_word(p, page->head + p->size + p->flags_at) & p->double_map)
		count--;
	return (guint32) CLAMP(count, 0, G_MAXINT32);
}

gboolean
linux_page_is_huge_zero(const LinuxPages *p, const LinuxPage *page)
{
	return p->huge_zero && page->head == p->huge_zero;
}

gboolean
linux_page_is_anon(const LinuxPage *page)
{
	return page->mapping & MAPPING_ANON;
}

gboolean
linux_page_is_ksm(const LinuxPage *page)
{
	return (page->mapping & MAPPING_KSM) == MAPPING_KSM;
}

gboolean
linux_page_is_swap_backed(const LinuxPages *p, const LinuxPage *page)
{
	return (page->flags & p->swap_backed) != 0;
}

gboolean
linux_page_is_dirty(const LinuxPages *p, const LinuxPage *page)
{
	return (page->flags & p->dirty) != 0;
}

gboolean
linux_page_is_referenced(const LinuxPages *p, const LinuxPage *page)
{
	return (page->flags & (p->referenced | p->young)) != 0;
}
