/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * physmem, gather, regions: memory read through every kind of source: mapped, mapped for the CPU
 * only, mapped and sparse, not mapped. Then sources that shrink.
 */
#include <fake-backend.h>

#include <errno.h>
#include <string.h>
#include <sys/stat.h>

static const int kinds[] = { 0,      MAPPED,          MAPPED | CPU_ONLY,
			     SPARSE, MAPPED | SPARSE, MAPPED | CPU_ONLY | SPARSE };

static const struct {
	guint64 pa;
	gsize len;
} spans[] = {
	{ 0, 1 },
	{ 0, 4 * PAGE },
	{ 1, PAGE },
	{ 4 * PAGE - 1, 1 },
	{ 8 * PAGE, 5 * PAGE },
	{ 9 * PAGE + 5, 3 * PAGE + 10 },
	{ 12 * PAGE - 1, 2 },
	{ 13 * PAGE - 1, 1 },
	{ 1ULL << 40, 2 * PAGE },
	{ (1ULL << 40) + 2 * PAGE - 3, 3 },
	/* from here on they leave memory */
	{ 0, 5 * PAGE },
	{ 4 * PAGE, 1 },
	{ 4 * PAGE - 2, 4 },
	{ 7 * PAGE, 2 * PAGE },
	{ 13 * PAGE, 8 },
	{ (1ULL << 40) - 1, 4 },
	{ (1ULL << 40) + 2 * PAGE - 1, 2 },
	{ G_MAXUINT64 - 7, 8 },
	{ G_MAXUINT64, 100 },
};

START_TEST(read_gives_all_or_fails)
{
	Fake *fake = fake_new(kinds[_i]);
	g_autoptr(VmifsPhysmem) mem = fake_mem(fake);
	guint8 buf[5 * PAGE];

	for (gsize s = 0; s < G_N_ELEMENTS(spans); s++) {
		g_autoptr(GError) error = NULL;
		gboolean all = TRUE;
		for (gsize i = 0; i < spans[s].len; i++)
			all = all && expected(fake, spans[s].pa + i) >= 0;
		memset(buf, 0xee, sizeof buf);
		ck_assert_int_eq(
			vmifs_physmem_read(mem, spans[s].pa, buf, spans[s].len, NULL, &error), all);
		if (!all)
			ck_assert(g_error_matches(error, VMIFS_ERROR, VMIFS_ERROR_HOLE));
		if (all)
			assert_bytes(fake, spans[s].pa, buf, spans[s].len);
	}
	ck_assert(vmifs_physmem_read(mem, 5 * PAGE, buf, 0, NULL, NULL));
}
END_TEST

START_TEST(view_gives_bytes_of_one_region)
{
	Fake *fake = fake_new(kinds[_i]);
	g_autoptr(VmifsPhysmem) mem = fake_mem(fake);
	guint8 scratch[5 * PAGE];
	guint stamp;

	for (gsize s = 0; s < G_N_ELEMENTS(spans); s++) {
		gboolean one = FALSE;
		for (gsize r = 0; r < G_N_ELEMENTS(three_gaps); r++)
			one = one || (spans[s].pa - three_gaps[r].pa < three_gaps[r].len &&
				      spans[s].len <=
					      three_gaps[r].len - (spans[s].pa - three_gaps[r].pa));
		const guint8 *view =
			vmifs_physmem_view(mem, spans[s].pa, spans[s].len, scratch, &stamp);
		ck_assert_int_eq(view != NULL, one);
		if (view)
			assert_bytes(fake, spans[s].pa, view, spans[s].len);
		if (view && kinds[_i] == MAPPED)
			ck_assert_ptr_ne(view, scratch);
		if (view)
			ck_assert(vmifs_physmem_intact(mem, stamp, spans[s].pa, spans[s].len));
	}
	ck_assert_ptr_null(vmifs_physmem_view(mem, 0, G_MAXSIZE, scratch, &stamp));
}
END_TEST

START_TEST(gather_stops_at_holes)
{
	Fake *fake = fake_new(kinds[_i]);
	g_autoptr(VmifsPhysmem) mem = fake_mem(fake);
	guint8 buf[5 * PAGE];

	for (gsize s = 0; s < G_N_ELEMENTS(spans); s++) {
		g_auto(VmifsSegments) segments = { 0 };
		g_autoptr(GError) error = NULL;
		gsize want = 0;
		while (want < spans[s].len && expected(fake, spans[s].pa + want) >= 0)
			want++;
		vmifs_segments_init(&segments);
		ck_assert_uint_eq(vmifs_physmem_gather(mem, spans[s].pa, spans[s].len,
						       VMIFS_GATHER_STOP_AT_HOLE, &segments, NULL,
						       &error),
				  want);
		ck_assert_uint_eq(segments.len, want);
		ck_assert_int_eq(error != NULL, want == 0);
		if (error)
			ck_assert(g_error_matches(error, VMIFS_ERROR, VMIFS_ERROR_HOLE));
		vmifs_segments_copy(&segments, buf);
		assert_bytes(fake, spans[s].pa, buf, want);
	}
}
END_TEST

START_TEST(gather_fills_holes_with_zeros)
{
	Fake *fake = fake_new(kinds[_i]);
	g_autoptr(VmifsPhysmem) mem = fake_mem(fake);
	g_auto(VmifsSegments) segments = { 0 };
	gsize len = 20 * PAGE;
	g_autofree guint8 *buf = g_malloc(len);

	vmifs_segments_init(&segments);
	ck_assert_uint_eq(
		vmifs_physmem_gather(mem, 0, len, VMIFS_GATHER_ZERO_HOLES, &segments, NULL, NULL),
		len);
	vmifs_segments_copy(&segments, buf);
	assert_bytes(fake, 0, buf, len);
}
END_TEST

START_TEST(what_is_mapped_is_known)
{
	Fake *fake = fake_new(kinds[_i]);
	g_autoptr(VmifsPhysmem) mem = fake_mem(fake);

	for (gsize s = 0; s < G_N_ELEMENTS(spans); s++) {
		gboolean touches = FALSE;
		for (gsize i = 0; i < spans[s].len && spans[s].pa + i >= spans[s].pa; i++)
			touches = touches || expected(fake, spans[s].pa + i) >= 0;
		ck_assert_int_eq(vmifs_physmem_is_mapped(mem, spans[s].pa, spans[s].len),
				 kinds[_i] & MAPPED || !touches);
	}
	ck_assert_int_eq(vmifs_physmem_is_block_mapped(mem, 1), (kinds[_i] & MAPPED) != 0);
}
END_TEST

START_TEST(gather_of_a_mapping_copies_nothing)
{
	Fake *fake = fake_new(MAPPED);
	VmifsPhysmem *mem = fake_mem(fake);
	VmifsSegments segments;
	gint closed = 0;

	fake->closed = &closed;
	vmifs_segments_init(&segments);
	ck_assert_uint_eq(vmifs_physmem_gather(mem, 8 * PAGE, 5 * PAGE, 0, &segments, NULL, NULL),
			  5 * PAGE);
	ck_assert_ptr_null(segments.owned);
	ck_assert_uint_eq(segments.iov->len, 2); /* two pieces of one block */
	ck_assert_uint_eq(segments.pins->len, 1);
	vmifs_physmem_unref(mem);
	/* The pin keeps all of it alive. */
	guint8 buf[5 * PAGE];
	vmifs_segments_copy(&segments, buf);
	ck_assert_uint_eq(buf[0], byte_of(1, 2 * PAGE));
	ck_assert_int_eq(closed, 0);
	vmifs_segments_clear(&segments);
	ck_assert_int_eq(closed, 1);
}
END_TEST

START_TEST(unmapped_pieces_are_one_vectored_read)
{
	Fake *fake = fake_new(0);
	g_autoptr(VmifsPhysmem) mem = fake_mem(fake);
	g_auto(VmifsSegments) segments = { 0 };
	guint8 buf[2 * PAGE];

	vmifs_segments_init(&segments);
	vmifs_physmem_gather(mem, 0, 13 * PAGE, VMIFS_GATHER_ZERO_HOLES, &segments, NULL, NULL);
	ck_assert_uint_eq(fake->n_reads, 1);
	ck_assert_uint_eq(fake->n_elements, 3);
	ck_assert(vmifs_physmem_read(mem, 11 * PAGE, buf, sizeof buf, NULL, NULL));
	ck_assert_uint_eq(fake->n_reads, 2);
	ck_assert_uint_eq(fake->n_elements, 5);
}
END_TEST

/* What is read of memory that is not mapped is kept for an epoch, with what stands around it; at a
 * stop, when each has an epoch of its own, without. */
START_TEST(stop_reads_no_more_than_pages_that_are_asked_for)
{
	Fake *fake = fake_new(0);
	g_autoptr(VmifsPhysmem) mem = fake_mem(fake);
	VmifsEpoch *epoch = &vmifs_physmem_connection(mem)->epoch;
	guint8 buf[16];

	ck_assert(vmifs_physmem_load(mem, 2 * PAGE, buf, 8, NULL));
	assert_bytes(fake, 2 * PAGE, buf, 8);
	ck_assert_uint_eq(fake->n_bytes, 4 * PAGE);
	vmifs_epoch_move_briefly(epoch);
	ck_assert(vmifs_physmem_load(mem, 2 * PAGE, buf, 8, NULL));
	ck_assert_uint_eq(fake->n_bytes, 5 * PAGE);
	ck_assert(vmifs_physmem_load(mem, PAGE + 8, buf, 8, NULL));
	ck_assert(vmifs_physmem_load(mem, 2 * PAGE - 8, buf, 16, NULL));
	assert_bytes(fake, 2 * PAGE - 8, buf, 16);
	ck_assert_uint_eq(fake->n_bytes, 6 * PAGE);
	vmifs_epoch_move(epoch);
	ck_assert(vmifs_physmem_load(mem, 2 * PAGE, buf, 8, NULL));
	ck_assert_uint_eq(fake->n_bytes, 10 * PAGE);
}
END_TEST

/* What was read page by page at stops is read at the next in one go, and is of that stop. */
START_TEST(stop_reads_at_once_what_was_read_at_those_before)
{
	Fake *fake = fake_new(0);
	g_autoptr(VmifsPhysmem) mem = fake_mem(fake);
	VmifsEpoch *epoch = &vmifs_physmem_connection(mem)->epoch;
	guint8 buf[16];

	vmifs_physmem_read_again(mem);
	ck_assert_uint_eq(fake->n_bytes, 0);
	ck_assert(vmifs_physmem_load(mem, 8 * PAGE, buf, 8, NULL));
	vmifs_epoch_move_briefly(epoch);
	ck_assert(vmifs_physmem_load(mem, 2 * PAGE - 8, buf, 16, NULL));
	ck_assert(vmifs_physmem_load(mem, 3 * PAGE, buf, 8, NULL));
	vmifs_epoch_move_briefly(epoch);
	fake->n_bytes = 0;
	fake->n_reads = 0;
	vmifs_physmem_read_again(mem);
	ck_assert_uint_eq(fake->n_bytes, 3 * PAGE);
	ck_assert_uint_eq(fake->n_reads, 1);
	ck_assert(vmifs_physmem_load(mem, 2 * PAGE - 8, buf, 16, NULL));
	assert_bytes(fake, 2 * PAGE - 8, buf, 16);
	ck_assert(vmifs_physmem_load(mem, 3 * PAGE + 5, buf, 8, NULL));
	assert_bytes(fake, 3 * PAGE + 5, buf, 8);
	ck_assert_uint_eq(fake->n_bytes, 3 * PAGE);
	/* And is not of the one after that. */
	vmifs_epoch_move_briefly(epoch);
	ck_assert(vmifs_physmem_load(mem, 3 * PAGE, buf, 8, NULL));
	ck_assert_uint_eq(fake->n_bytes, 4 * PAGE);
}
END_TEST

START_TEST(gather_block_reads_its_block)
{
	Fake *fake = fake_new(kinds[_i]);
	g_autoptr(VmifsPhysmem) mem = fake_mem(fake);
	g_auto(VmifsSegments) segments = { 0 };
	g_autoptr(GError) error = NULL;
	guint8 buf[8 * PAGE];

	vmifs_segments_init(&segments);
	ck_assert_uint_eq(
		vmifs_physmem_gather_block(mem, 1, PAGE / 2, G_MAXSIZE, &segments, NULL, NULL),
		8 * PAGE - PAGE / 2);
	vmifs_segments_copy(&segments, buf);
	ck_assert_uint_eq(buf[0], byte_of(1, PAGE / 2));
	ck_assert_uint_eq(buf[7 * PAGE], byte_of(1, 7 * PAGE + PAGE / 2));
	ck_assert_uint_eq(vmifs_physmem_gather_block(mem, 1, 8 * PAGE, 1, &segments, NULL, &error),
			  0);
	ck_assert(g_error_matches(error, VMIFS_ERROR, VMIFS_ERROR_HOLE));
	g_clear_error(&error);
	ck_assert_uint_eq(vmifs_physmem_gather_block(mem, 2, 0, 1, &segments, NULL, &error), 0);
	ck_assert(g_error_matches(error, VMIFS_ERROR, VMIFS_ERROR_HOLE));
}
END_TEST

START_TEST(reading_a_sparse_file_allocates_nothing)
{
	Fake *fake = fake_new(MAPPED | SPARSE | (_i ? CPU_ONLY : 0));
	g_autoptr(VmifsPhysmem) mem = fake_mem(fake);
	struct stat before[2], after;
	guint8 buf[PAGE];

	for (int b = 0; b < 2; b++)
		ck_assert_int_eq(fstat(fake->fd[b], &before[b]), 0);
	ck_assert_int_eq(before[1].st_blocks, 6 * PAGE / 512);
	for (gsize r = 0; r < G_N_ELEMENTS(three_gaps); r++) {
		g_auto(VmifsSegments) segments = { 0 };
		gsize len = three_gaps[r].len;
		g_autofree guint8 *all = g_malloc(len);
		vmifs_segments_init(&segments);
		ck_assert(vmifs_physmem_read(mem, three_gaps[r].pa, all, len, NULL, NULL));
		ck_assert_uint_eq(
			vmifs_physmem_gather(mem, three_gaps[r].pa, len, 0, &segments, NULL, NULL),
			len);
		vmifs_segments_copy(&segments, all);
		for (gsize at = 0; at + 64 <= len; at += 64) {
			guint stamp;
			const volatile guint8 *view =
				vmifs_physmem_view(mem, three_gaps[r].pa + at, 64, buf, &stamp);
			ck_assert_int_eq(view[0], expected(fake, three_gaps[r].pa + at));
			ck_assert_int_eq(view[63], expected(fake, three_gaps[r].pa + at + 63));
		}
	}
	for (int b = 0; b < 2; b++) {
		ck_assert_int_eq(fstat(fake->fd[b], &after), 0);
		ck_assert_int_eq(after.st_blocks, before[b].st_blocks);
	}
}
END_TEST

START_TEST(seek_tells_data_from_holes)
{
	g_autoptr(VmifsPhysmem) sparse = fake_mem(fake_new(MAPPED | SPARSE));
	g_autoptr(VmifsPhysmem) dense = fake_mem(fake_new(MAPPED));
	guint64 at;
	const struct {
		VmifsPhysmem *mem;
		guint64 from;
		gint64 data, hole; /* -1 = none */
	} table[] = {
		{ dense, 0, 0, 4 * PAGE },
		{ dense, 5, 5, 4 * PAGE },
		{ dense, 4 * PAGE, 8 * PAGE, 4 * PAGE },
		{ dense, 5 * PAGE, 8 * PAGE, 5 * PAGE },
		{ dense, 9 * PAGE, 9 * PAGE, 13 * PAGE }, /* over a seam without a gap */
		{ dense, 13 * PAGE, 1LL << 40, 13 * PAGE },
		{ dense, 1LL << 40, 1LL << 40, (1LL << 40) + 2 * PAGE },
		{ dense, (1LL << 40) + 2 * PAGE, -1, (1LL << 40) + 2 * PAGE },
		{ dense, 1LL << 60, -1, 1LL << 60 },
		{ sparse, 0, 0, PAGE },
		{ sparse, PAGE, 3 * PAGE, PAGE },
		{ sparse, PAGE + 1, 3 * PAGE, PAGE + 1 },
		{ sparse, 3 * PAGE + 9, 3 * PAGE + 9, 4 * PAGE },
		{ sparse, 4 * PAGE, 9 * PAGE, 4 * PAGE },
		{ sparse, 8 * PAGE, 9 * PAGE, 8 * PAGE },
		{ sparse, 9 * PAGE, 9 * PAGE, 13 * PAGE },
	};

	for (gsize i = 0; i < G_N_ELEMENTS(table); i++) {
		gboolean found = vmifs_physmem_seek(table[i].mem, table[i].from, TRUE, &at);
		ck_assert_int_eq(found, table[i].data >= 0);
		if (found)
			ck_assert_uint_eq(at, (guint64) table[i].data);
		ck_assert(vmifs_physmem_seek(table[i].mem, table[i].from, FALSE, &at));
		ck_assert_uint_eq(at, (guint64) table[i].hole);
	}
	ck_assert(vmifs_physmem_seek_block(sparse, 1, PAGE, TRUE, &at));
	ck_assert_uint_eq(at, 3 * PAGE);
	ck_assert(vmifs_physmem_seek_block(sparse, 1, 3 * PAGE, FALSE, &at));
	ck_assert_uint_eq(at, 8 * PAGE);
	ck_assert(!vmifs_physmem_seek_block(sparse, 1, 8 * PAGE, TRUE, &at));
	ck_assert(!vmifs_physmem_seek_block(sparse, 7, 0, TRUE, &at));
}
END_TEST

/* Every other page of a gigabyte is a hole. */
static gboolean
striped_layout(gpointer self, VmifsLayout *ret, const VmifsCall *call, GError **error)
{
	const VmifsRegion region = { .len = 1 << 30 };
	VmifsBlock block = {
		.name = g_strdup("striped"), .len = 1 << 30, .sparse = TRUE, .fd = -1
	};

	g_array_append_val(ret->regions, region);
	g_array_append_val(ret->blocks, block);
	return TRUE;
}

static gboolean
striped_extent(gpointer self, guint32 block, guint64 offset, gboolean *ret_data, guint64 *ret_len)
{
	*ret_data = offset / PAGE % 2;
	*ret_len = PAGE - offset % PAGE;
	return TRUE;
}

static void
striped_close(gpointer self)
{
}

START_TEST(of_very_many_pieces_the_last_count_in_full)
{
	static const VmifsBackend striped = {
		.name = "striped",
		.close = striped_close,
		.layout = striped_layout,
		.extent = striped_extent,
	};
	g_autoptr(VmifsPhysmem) mem = vmifs_physmem_new(&striped, &(int){ 0 }, NULL, NULL);

	ck_assert_uint_eq(vmifs_physmem_allocated(mem), 3 * ((1 << 30) / 4));
}
END_TEST

START_TEST(sizes_add_up)
{
	g_autoptr(VmifsPhysmem) sparse = fake_mem(fake_new(SPARSE));
	g_autoptr(VmifsPhysmem) dense = fake_mem(fake_new(MAPPED));

	ck_assert_uint_eq(vmifs_physmem_end(dense), (1ULL << 40) + 2 * PAGE);
	ck_assert_uint_eq(vmifs_physmem_ram(dense), 10 * PAGE); /* the ROM does not count */
	ck_assert_uint_eq(vmifs_physmem_allocated(dense), 11 * PAGE);
	ck_assert_uint_eq(vmifs_physmem_allocated(sparse), 8 * PAGE);
}
END_TEST

/* ---- files that shrink ---- */

START_TEST(lost_part_is_an_error_and_the_rest_is_read)
{
	Fake *fake = fake_new(kinds[_i]);
	int fd = fake->fd[1];
	g_autoptr(VmifsPhysmem) mem = fake_mem(fake);
	guint8 buf[4 * PAGE], scratch[PAGE];
	guint stamp;
	g_autoptr(GError) error = NULL;

	/* Of 8..12 pages (block offset 2..6) the last two go, and all that lies at 1 TiB. */
	ck_assert_int_eq(ftruncate(fd, 4 * PAGE), 0);
	if (!(kinds[_i] & SPARSE)) { /* there a hole of the file is a hole of the guest */
		ck_assert(!vmifs_physmem_read(mem, 8 * PAGE, buf, 4 * PAGE, NULL, &error));
		ck_assert(g_error_matches(error, VMIFS_ERROR, VMIFS_ERROR_IO));
		ck_assert_ptr_nonnull(strstr(error->message, "block main at 0x"));
		const volatile guint8 *view =
			vmifs_physmem_view(mem, 11 * PAGE, PAGE, scratch, &stamp);
		if (view) {
			ck_assert_uint_eq(view[0], 0);
			ck_assert(!vmifs_physmem_intact(mem, stamp, 11 * PAGE, PAGE));
		}
		ck_assert_ptr_null(vmifs_physmem_view(mem, 11 * PAGE, PAGE, scratch, &stamp));
		g_auto(VmifsSegments) segments = { 0 };
		vmifs_segments_init(&segments);
		ck_assert_uint_eq(vmifs_physmem_gather(mem, 8 * PAGE + 10, 4 * PAGE, 0, &segments,
						       NULL, NULL),
				  2 * PAGE - 10);
		g_clear_error(&error);
		ck_assert_uint_eq(
			vmifs_physmem_gather(mem, 10 * PAGE, PAGE, 0, &segments, NULL, &error), 0);
		ck_assert(g_error_matches(error, VMIFS_ERROR, VMIFS_ERROR_IO));
	}
	ck_assert(vmifs_physmem_read(mem, 9 * PAGE, buf, PAGE, NULL, NULL));
	ck_assert_int_eq(buf[0], expected(fake, 9 * PAGE));
	ck_assert(vmifs_physmem_read(mem, 0, buf, PAGE, NULL, NULL));
	ck_assert_int_eq(buf[0], expected(fake, 0));

	/* Grown again. */
	ck_assert_int_eq(ftruncate(fd, 8 * PAGE), 0);
	ck_assert_int_eq(pwrite(fd, "again", 5, 5 * PAGE), 5);
	ck_assert(vmifs_physmem_read(mem, 11 * PAGE, buf, 5, NULL, NULL));
	ck_assert_mem_eq(buf, "again", 5);
	ck_assert_ptr_nonnull(vmifs_physmem_view(mem, 11 * PAGE, PAGE, scratch, &stamp));
	ck_assert(vmifs_physmem_intact(mem, stamp, 11 * PAGE, PAGE));
}
END_TEST

static Suite *
make_suite(void)
{
	Suite *s = suite_create("physmem");
	TCase *t = tcase_create("physmem");
	int n_kinds = G_N_ELEMENTS(kinds);
	tcase_add_loop_test(t, read_gives_all_or_fails, 0, n_kinds);
	tcase_add_loop_test(t, view_gives_bytes_of_one_region, 0, n_kinds);
	tcase_add_loop_test(t, gather_stops_at_holes, 0, n_kinds);
	tcase_add_loop_test(t, gather_fills_holes_with_zeros, 0, n_kinds);
	tcase_add_loop_test(t, what_is_mapped_is_known, 0, n_kinds);
	tcase_add_test(t, gather_of_a_mapping_copies_nothing);
	tcase_add_test(t, unmapped_pieces_are_one_vectored_read);
	tcase_add_test(t, stop_reads_no_more_than_pages_that_are_asked_for);
	tcase_add_test(t, stop_reads_at_once_what_was_read_at_those_before);
	tcase_add_loop_test(t, gather_block_reads_its_block, 0, n_kinds);
	tcase_add_loop_test(t, reading_a_sparse_file_allocates_nothing, 0, 2);
	tcase_add_test(t, seek_tells_data_from_holes);
	tcase_add_test(t, sizes_add_up);
	tcase_add_test(t, of_very_many_pieces_the_last_count_in_full);
	tcase_add_loop_test(t, lost_part_is_an_error_and_the_rest_is_read, 0, n_kinds);
	suite_add_tcase(s, t);
	return s;
}

VMIFS_UNIT_MAIN(make_suite)
