/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* image: any bytes as an image of one format: what is in it, and a little of its memory. */
#pragma once

#include "fuzz.h"

#include <backend-call.h>
#include <physmem.h>
#include <sys/mman.h>
#include <unistd.h>

extern const VmifsBackend vmifs_backend_snapshot;

/* A file shorter than a page is refused whatever is in it. */
#define MIN_LEN 4096

static inline void
fuzz_memory(VmifsPhysmem *mem)
{
	g_autoptr(GString) text = g_string_new(NULL);
	gsize n;
	const VmifsRegion *regions = vmifs_physmem_regions(mem, &n);
	guint8 byte;
	guint64 at = 0;

	vmifs_physmem_info(mem, text);
	for (gsize i = 0; i < MIN(n, 64); i++) {
		g_assert(vmifs_physmem_read(mem, regions[i].pa, &byte, 1, NULL, NULL));
		g_assert(vmifs_physmem_read(mem, regions[i].pa + (regions[i].len - 1), &byte, 1,
					    NULL, NULL));
	}
	vmifs_physmem_seek(mem, at, TRUE, &at);
	for (guint i = 0; i < MIN(vmifs_physmem_n_vcpus(mem), 8); i++) {
		g_autoptr(VmifsRegs) regs = vmifs_physmem_regs(mem, i, NULL, NULL);
		g_assert(regs);
		vmifs_regs_text(regs, i, text);
	}
}

static inline void
fuzz_image(const uint8_t *data, size_t len, const char *format)
{
	VmifsOptions options = { .size = sizeof options, .format = format };
	int fd = memfd_create("image", MFD_CLOEXEC);

	g_assert(fd >= 0 && write(fd, data, len) == (ssize_t) len);
	g_assert(ftruncate(fd, (off_t) MAX(len, MIN_LEN)) == 0);
	VmifsSource src = { .spec = "fuzz",
			    .path = "fuzz",
			    .fd = fd,
			    .len = MAX(len, MIN_LEN),
			    .head = data,
			    .head_len = MIN(len, 65536),
			    .options = &options };
	g_autoptr(GError) error = NULL;
	gpointer instance = vmifs_backend_open(&vmifs_backend_snapshot, &src, NULL, &error);
	g_autoptr(VmifsPhysmem) mem =
		instance ? vmifs_physmem_new(&vmifs_backend_snapshot, instance, NULL, &error)
			 : NULL;
	/* Regions beyond the engine's bound are the only thing that it refuses of ours. */
	g_assert(mem || error);
	if (mem)
		fuzz_memory(mem);
	close(fd);
}
