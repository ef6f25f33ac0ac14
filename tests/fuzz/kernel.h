/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * kernel: any bytes as a kernel's memory, for decoders of its objects. An address is an offset in
 * the input, so that seeds can point by marks; behind its end nothing is mapped. The first page is
 * not for objects: many a decoder takes small addresses for no pointer.
 */
#pragma once

#include "fuzz.h"

#include <aspace.h>
#include <guest.h>
#include <linux-guest.h>
#include <os/linux/module-types.h>
#include <physmem.h>
#include <spi/backend.h>
#include <spi/bytes.h>
#include <string.h>

#define FUZZ_PAGE 4096
/* Physical addresses: the page tables, each a page; the input. */
#define FUZZ_TABLES 3
#define FUZZ_INPUT 0x200000
#define FUZZ_MOST 0x100000

extern const VmifsBackend vmifs_backend_text;

typedef struct {
	guint8 tables[FUZZ_TABLES * FUZZ_PAGE];
	const guint8 *bytes;
	gsize len;
} FuzzMemory;

typedef struct {
	Linux os;
	FuzzMemory memory;
} FuzzKernel;

static inline gboolean
fuzz_layout(gpointer self, VmifsLayout *ret, const VmifsCall *call, GError **error)
{
	const FuzzMemory *m = self;
	VmifsBlock blocks[] = { { .name = g_strdup("tables"), .len = sizeof m->tables, .fd = -1 },
				{ .name = g_strdup("input"), .len = m->len, .fd = -1 } };
	VmifsRegion regions[] = { { .len = sizeof m->tables },
				  { .pa = FUZZ_INPUT, .len = m->len, .block = 1 } };

	g_array_append_vals(ret->blocks, blocks, 2);
	g_array_append_vals(ret->regions, regions, 2);
	return TRUE;
}

static inline gsize
fuzz_read(gpointer self, VmifsIo *io, gsize n, const VmifsCall *call)
{
	const FuzzMemory *m = self;

	for (gsize i = 0; i < n; i++) {
		const guint8 *from = io[i].block ? m->bytes : m->tables;
		g_assert(vmifs_in_bounds(io[i].offset, io[i].len,
					 io[i].block ? m->len : sizeof m->tables));
		memcpy(io[i].buf, from + io[i].offset, io[i].len);
		io[i].status = 0;
	}
	return n;
}

static inline void
fuzz_nothing_to_close(gpointer self)
{
}

typedef struct {
	const char *name;
	guint64 address;
} FuzzSymbol;

/* Made once for a target, for that takes longer than what is tested. */
static inline LinuxLayout *
fuzz_kernel_layout(const char *types, const char *odd, const uint8_t *data)
{
	static LinuxLayout *layouts[2];
	guint i = odd && data[0] & 1;

	if (!layouts[i])
		layouts[i] = linux_guest_layout(i ? odd : types);
	return layouts[i];
}

/* types: its structures, as linux_guest_init() has them; odd: (nullable) instead of these where the
 * first byte is odd. FALSE when there is too little input, or too much. */
static inline gboolean
fuzz_kernel_init(FuzzKernel *k, const char *types, const char *odd, const FuzzSymbol *symbols,
		 gsize n_symbols, const uint8_t *data, size_t len)
{
	static const VmifsBackend backend = {
		.name = "fuzz",
		.close = fuzz_nothing_to_close,
		.layout = fuzz_layout,
		.read = fuzz_read,
	};
	static const VmifsOptions options = { .size = sizeof options };
	static const guint64 entries[] = { FUZZ_PAGE | 3, 2 * FUZZ_PAGE | 3, FUZZ_INPUT | 0x83 };
	VmifsPaging paging = { .mode = &vmifs_archs[0]->modes[0] };
	VmifsSymbolsBuilder *builder;

	if (len <= FUZZ_PAGE || len > FUZZ_MOST)
		return FALSE;
	*k = (FuzzKernel){ .memory = { .bytes = data, .len = len } };
	for (guint i = 0; i < G_N_ELEMENTS(entries); i++) {
		guint64 entry = GUINT64_TO_LE(entries[i]);
		memcpy(k->memory.tables + i * FUZZ_PAGE, &entry, sizeof entry);
	}
	builder = vmifs_symbols_builder_new();
	for (gsize i = 0; i < n_symbols; i++)
		vmifs_symbols_builder_add(builder, symbols[i].address, 'D', symbols[i].name,
					  strlen(symbols[i].name));
	VmifsPhysmem *mem = vmifs_physmem_new(&backend, &k->memory, NULL, NULL);
	g_assert(mem);
	k->os = (Linux){
		.guest = vmifs_guest_new("fuzz", "fuzz", &vmifs_backend_text,
					 vmifs_physmem_ref(mem), 0, &options),
		.mem = mem,
		.aspace = vmifs_aspace_new(mem, &paging, NULL),
		.symbols = vmifs_symbols_builder_end(builder),
		.layout = fuzz_kernel_layout(types, odd, data),
		.module_layouts = linux_module_layouts_new(),
	};
	return TRUE;
}

static inline void
fuzz_kernel_clear(FuzzKernel *k)
{
	vmifs_symbols_unref(k->os.symbols);
	vmifs_aspace_unref(k->os.aspace);
	vmifs_guest_unref(k->os.guest);
	vmifs_physmem_unref(k->os.mem);
	linux_module_layouts_free(k->os.module_layouts);
}
