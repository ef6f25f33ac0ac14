/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * fake-backend: one layout of three regions with gaps, served from a file for each block as the
 * test likes: mapped, mapped for the CPU only, with holes, not mapped, failing.
 */
#pragma once

#include <unit.h>

#include <backend-call.h>
#include <physmem.h>
#include <sys/mman.h>
#include <unistd.h>

#define PAGE 4096

/*
 *   address   0       4 pages   8        12 pages 13    14    ...  1 TiB
 *             |--low--|  gap    |--main[2..6)--|--main[0]--|  gap  |--main[6..8)--|
 */
static const VmifsRegion three_gaps[] = {
	{ .pa = 0, .len = 4 * PAGE, .block = 0, .offset = 0 },
	{ .pa = 8 * PAGE, .len = 4 * PAGE, .block = 1, .offset = 2 * PAGE },
	{ .pa = 12 * PAGE, .len = PAGE, .block = 1, .offset = 0, .kind = VMIFS_REGION_ROM },
	{ .pa = 1ULL << 40, .len = 2 * PAGE, .block = 1, .offset = 6 * PAGE },
};

enum { MAPPED = 1, CPU_ONLY = 2, SPARSE = 4 };

/* A backend over one memfd for each block. */
typedef struct {
	int flags;
	int fd[2];
	const VmifsRegion *regions;
	gsize n_regions;
	VmifsBlock blocks[2];
	guint n_reads, n_elements; /* what the backend was asked */
	gsize n_bytes;
	gint *closed;
	gboolean fail_layout, fail_map, short_map, mute_read;
} Fake;

static inline int
fake_probe(const VmifsSource *src)
{
	return 0;
}

static inline gpointer
fake_open(const VmifsSource *src, const VmifsCall *call, GError **error)
{
	return NULL;
}

static inline void
fake_close(gpointer self)
{
	Fake *fake = self;

	for (int i = 0; i < 2; i++)
		close(fake->fd[i]);
	if (fake->closed)
		++*fake->closed;
	g_free(fake);
}

static inline gboolean
fake_layout(gpointer self, VmifsLayout *ret, const VmifsCall *call, GError **error)
{
	const Fake *fake = self;

	g_array_append_vals(ret->regions, fake->regions, (guint) fake->n_regions);
	for (int i = 0; i < 2; i++) {
		VmifsBlock block = fake->blocks[i];
		block.name = g_strdup(block.name);
		g_array_append_val(ret->blocks, block);
	}
	if (fake->fail_layout)
		g_set_error(error, VMIFS_ERROR, VMIFS_ERROR_TIMEOUT, "no answer");
	return !fake->fail_layout;
}

static inline gsize
fake_read(gpointer self, VmifsIo *io, gsize n, const VmifsCall *call)
{
	Fake *fake = self;
	gsize good = 0;

	if (fake->mute_read)
		return n;
	fake->n_reads++;
	fake->n_elements += (guint) n;
	for (gsize i = 0; i < n; i++) {
		gssize got =
			pread(fake->fd[io[i].block], io[i].buf, io[i].len, (off_t) io[i].offset);
		io[i].status = got == (gssize) io[i].len ? 0 : ENXIO;
		fake->n_bytes += io[i].len;
		good += !io[i].status;
	}
	return good;
}

static inline gboolean
fake_map(gpointer self, guint32 block, VmifsDirect *ret, GError **error)
{
	const Fake *fake = self;

	if (fake->fail_map)
		g_set_error(error, VMIFS_ERROR, VMIFS_ERROR_IO, "no map");
	if (fake->fail_map || !(fake->flags & MAPPED))
		return FALSE;
	ret->mapping = vmifs_mapping_new(
		fake->fd[block], 0, fake->blocks[block].len - (fake->short_map ? 1 : 0), error);
	ret->to_kernel = !(fake->flags & CPU_ONLY);
	return ret->mapping != NULL;
}

static inline gboolean
fake_extent(gpointer self, guint32 block, guint64 offset, gboolean *ret_data, guint64 *ret_len)
{
	const Fake *fake = self;
	off_t data = lseek(fake->fd[block], (off_t) offset, SEEK_DATA);
	guint64 len = fake->blocks[block].len;

	*ret_data = data == (off_t) offset;
	if (data < 0)
		*ret_len = len - offset;
	else if (*ret_data)
		*ret_len = (guint64) lseek(fake->fd[block], data, SEEK_HOLE) - offset;
	else
		*ret_len = (guint64) data - offset;
	return TRUE;
}

static const VmifsBackend fake_backend = {
	.name = "fake",
	.probe = fake_probe,
	.open = fake_open,
	.close = fake_close,
	.layout = fake_layout,
	.read = fake_read,
	.map = fake_map,
	.extent = fake_extent,
};

/* The byte that stands at offset of a block, of a file that is all data. */
static inline guint8
byte_of(guint32 block, guint64 offset)
{
	return (guint8) (block * 100 + offset / PAGE * 7 + offset % 251 + 1);
}

static inline Fake *
fake_new(int flags)
{
	Fake *fake = g_new0(Fake, 1);

	fake->flags = flags;
	fake->regions = three_gaps;
	fake->n_regions = G_N_ELEMENTS(three_gaps);
	fake->blocks[0] = (VmifsBlock){ .name = "low", .len = 4 * PAGE };
	fake->blocks[1] = (VmifsBlock){ .name = "main", .len = 8 * PAGE };
	for (guint32 b = 0; b < 2; b++) {
		fake->fd[b] = memfd_create("fake", MFD_CLOEXEC);
		ck_assert_int_ge(fake->fd[b], 0);
		fake->blocks[b].fd = -1;
		fake->blocks[b].sparse = (flags & SPARSE) != 0;
		ck_assert_int_eq(ftruncate(fake->fd[b], (off_t) fake->blocks[b].len), 0);
		for (guint64 i = 0; i < fake->blocks[b].len; i++) {
			guint8 byte = byte_of(b, i);
			/* Sparse: pages 1 and 2 of each block are holes. */
			if ((flags & SPARSE) && (i / PAGE == 1 || i / PAGE == 2))
				continue;
			ck_assert_int_eq(pwrite(fake->fd[b], &byte, 1, (off_t) i), 1);
		}
	}
	return fake;
}

static inline VmifsPhysmem *
fake_mem(Fake *fake)
{
	g_autoptr(GError) error = NULL;
	VmifsPhysmem *mem = vmifs_physmem_new(&fake_backend, fake, NULL, &error);

	ck_assert_msg(mem != NULL, "%s", error ? error->message : "");
	return mem;
}

/* What stands at pa; -1 in a gap. */
static inline int
expected(const Fake *fake, guint64 pa)
{
	for (gsize i = 0; i < G_N_ELEMENTS(three_gaps); i++) {
		const VmifsRegion *r = &three_gaps[i];
		if (pa - r->pa >= r->len)
			continue;
		guint64 offset = r->offset + (pa - r->pa);
		if ((fake->flags & SPARSE) && (offset / PAGE == 1 || offset / PAGE == 2))
			return 0;
		return byte_of(r->block, offset);
	}
	return -1;
}

/* The len bytes from pa on, gaps as zeros. One assertion for all of them: each one is a write. */
static inline void
assert_bytes(const Fake *fake, guint64 pa, const guint8 *bytes, gsize len)
{
	gsize same = 0;

	while (same < len && bytes[same] == MAX(expected(fake, pa + same), 0))
		same++;
	ck_assert_uint_eq(same, len);
}
