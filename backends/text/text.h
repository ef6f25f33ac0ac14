/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * text (private): a guest that a text file describes. Only pages that the text writes to exist; the
 * rest of its memory is a hole, so that a few lines can describe a guest of any size.
 */
#pragma once

#include <spi/backend.h>

#define VMIFS_TEXT_MAGIC "vmifs-text-guest "
#define VMIFS_TEXT_PAGE 4096
/* Pages that a text may fill, and regions it may have. */
#define VMIFS_TEXT_MAX_PAGES 65536
#define VMIFS_TEXT_MAX_REGIONS 256
#define VMIFS_TEXT_MAX_VCPUS 64

typedef struct {
	char *name;
	guint64 len;
	GHashTable *pages; /* page number, as a guint64 -> its bytes */
	GArray *numbers;   /* of guint64: the keys of pages, sorted; made at the end */
} VmifsTextBlock;

typedef struct {
	GPtrArray *blocks; /* of VmifsTextBlock */
	GArray *regions;   /* of VmifsRegion; sorted at the end */
	GPtrArray *vcpus;  /* of VmifsRegs */
	guint n_pages;
} VmifsTextGuest;

/* text: (borrowed) any bytes. SOURCE with the line's number when it is not understood. */
VmifsTextGuest *
vmifs_text_guest_parse(const char *text, gsize len, GError **error);
void
vmifs_text_guest_free(VmifsTextGuest *guest);

G_DEFINE_AUTOPTR_CLEANUP_FUNC(VmifsTextGuest, vmifs_text_guest_free)
