/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * pages: what the kernel notes of each page of memory: struct page, one after the other in an array
 * that is mapped at a fixed place. A large page is many of them: the first, its head, speaks for
 * all but for how often each one is mapped.
 */
#pragma once

#include "linux.h"

G_BEGIN_DECLS

typedef struct LinuxPages LinuxPages;

/* One page, or the head of the large page that it is a part of. */
typedef struct {
	guint64 at;   /* struct page of the page itself */
	guint64 head; /* struct page of the head; the same for a page of its own */
	guint64 flags;
	guint64 mapping;
	guint32 refs;
} LinuxPage;

/* For one text; not for several threads. NULL where this kernel has no such array. */
LinuxPages *
linux_pages_new(const Linux *os, GError **error);
void
linux_pages_free(LinuxPages *pages);

/* FALSE for an address that has none: no memory. */
gboolean
linux_page(LinuxPages *pages, guint64 pa, LinuxPage *ret);
/* Users that have the i-th page from this one on in their page tables. is_hugetlb: it is a page of
 * hugetlbfs. */
guint32
linux_page_mapcount(LinuxPages *pages, const LinuxPage *page, guint i, gboolean is_hugetlb);
/* Is it the huge page of zeros that many share? */
gboolean
linux_page_is_huge_zero(const LinuxPages *pages, const LinuxPage *page);

gboolean
linux_page_is_anon(const LinuxPage *page);
gboolean
linux_page_is_ksm(const LinuxPage *page);
gboolean
linux_page_is_swap_backed(const LinuxPages *pages, const LinuxPage *page);
gboolean
linux_page_is_dirty(const LinuxPages *pages, const LinuxPage *page);
/* Marked as accessed since somebody looked. */
gboolean
linux_page_is_referenced(const LinuxPages *pages, const LinuxPage *page);

G_DEFINE_AUTOPTR_CLEANUP_FUNC(LinuxPages, linux_pages_free)

G_END_DECLS
