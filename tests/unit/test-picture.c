/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * picture: what is told is what is read; zeros and what has not changed take no room; the files it
 * is spread over are bounded.
 */
#include <picture-folder.h>

#include <fcntl.h>

START_TEST(what_was_told_is_what_is_read)
{
	g_autoptr(VmifsPhysmem) mem = fake_mem(fake_new(0));
	g_autoptr(VmifsPicture) picture = picture_of(mem, NULL, "AB.C  DE");
	g_autoptr(VmifsPhysmem) frozen = open_picture(picture);
	guint8 bytes[2];

	assert_letters(picture, "AB.C..DE");
	/* Block 1 lies at page 8 from its page 2 on. */
	ck_assert(vmifs_physmem_read(frozen, 9 * PAGE - 1, bytes, 2, NULL, NULL));
	ck_assert(bytes[0] == 0 && bytes[1] == 'C');
	ck_assert(vmifs_physmem_read(frozen, 10 * PAGE - 1, bytes, 2, NULL, NULL));
	ck_assert(bytes[0] == 'C' && bytes[1] == 0);
	ck_assert(vmifs_physmem_read(frozen, 12 * PAGE, bytes, 1, NULL, NULL));
	ck_assert_uint_eq(bytes[0], 'A');
	ck_assert(!vmifs_physmem_read(frozen, 5 * PAGE, bytes, 1, NULL, NULL));
	ck_assert_uint_eq(picture->stored, 5 * PAGE);
	ck_assert_uint_eq(picture->shared, 0);
}
END_TEST

START_TEST(its_memory_is_where_that_of_the_guest_is)
{
	g_autoptr(VmifsPhysmem) mem = fake_mem(fake_new(0));
	g_autoptr(VmifsPicture) picture = picture_of(mem, NULL, "A");
	g_autoptr(VmifsPhysmem) frozen = open_picture(picture);
	gsize n, n_blocks;
	const VmifsRegion *regions = vmifs_physmem_regions(frozen, &n);
	const VmifsBlock *blocks = vmifs_physmem_blocks(frozen, &n_blocks);

	ck_assert_uint_eq(n, G_N_ELEMENTS(three_gaps));
	ck_assert(!memcmp(regions, three_gaps, sizeof three_gaps));
	ck_assert_uint_eq(n_blocks, 2);
	ck_assert_str_eq(blocks[1].name, "main");
	ck_assert_uint_eq(blocks[1].len, PAGES * PAGE);
	ck_assert_int_eq(blocks[1].fd, -1);
}
END_TEST

START_TEST(zeros_are_holes_and_take_no_room)
{
	g_autoptr(VmifsPhysmem) mem = fake_mem(fake_new(0));
	VmifsPictureWriter *writer = begin(mem, NULL);
	guint64 at;

	tell(writer, "........");
	ck_assert(vmifs_picture_write(writer, 0, 0, NULL, 4 * PAGE, NULL));
	g_autoptr(VmifsPicture) picture = finish(writer);
	ck_assert_uint_eq(picture->stored, 0);
	ck_assert_ptr_null(vmifs_picture_only_layer(picture));
	assert_letters(picture, "........");
	g_autoptr(VmifsPhysmem) frozen = open_picture(picture);
	ck_assert(!vmifs_physmem_seek(frozen, 0, TRUE, &at));
	ck_assert_uint_eq(vmifs_physmem_allocated(frozen), 0);
}
END_TEST

START_TEST(data_and_holes_are_told_apart)
{
	g_autoptr(VmifsPhysmem) mem = fake_mem(fake_new(0));
	g_autoptr(VmifsPicture) first = picture_of(mem, NULL, ".AA.B...");
	g_autoptr(VmifsPicture) second = picture_of(mem, first, ".AC.B...");
	VmifsPicture *pictures[] = { first, second };

	for (guint i = 0; i < 2; i++) {
		g_autoptr(VmifsPhysmem) frozen = open_picture(pictures[i]);
		guint64 at;
		ck_assert(vmifs_physmem_seek_block(frozen, 1, 0, TRUE, &at));
		ck_assert_uint_eq(at, PAGE);
		ck_assert(vmifs_physmem_seek_block(frozen, 1, at, FALSE, &at));
		ck_assert_uint_eq(at, 3 * PAGE);
		ck_assert(vmifs_physmem_seek_block(frozen, 1, at, TRUE, &at));
		ck_assert_uint_eq(at, 4 * PAGE);
		ck_assert(!vmifs_physmem_seek_block(frozen, 1, 5 * PAGE, TRUE, &at));
	}
}
END_TEST

START_TEST(a_later_picture_stores_what_differs)
{
	g_autoptr(VmifsPhysmem) mem = fake_mem(fake_new(0));
	g_autoptr(VmifsPicture) first = picture_of(mem, NULL, "ABC.EFGH");
	g_autoptr(VmifsPicture) second = picture_of(mem, first, "Ab.DE F.");

	assert_letters(first, "ABC.EFGH");
	assert_letters(second, "Ab.DE.F.");
	ck_assert_uint_eq(second->shared, 2 * PAGE);
	ck_assert_uint_eq(second->stored, 3 * PAGE);
	/* Whatever becomes of the first. */
	g_clear_pointer(&first, vmifs_picture_unref);
	assert_letters(second, "Ab.DE.F.");
}
END_TEST

START_TEST(what_is_told_twice_is_what_was_told_last)
{
	g_autoptr(VmifsPhysmem) mem = fake_mem(fake_new(0));
	g_autoptr(VmifsPicture) first = picture_of(mem, NULL, "ABCD");
	VmifsPictureWriter *writer = begin(mem, first);

	tell(writer, "AxC.EF");
	tell(writer, "yB.DE.");
	g_autoptr(VmifsPicture) second = finish(writer);
	assert_letters(second, "yB.DE...");
	ck_assert_uint_eq(second->shared, 2 * PAGE);
}
END_TEST

/* Some guest has all the mappings that there may be. */
START_TEST(what_cannot_be_mapped_is_read)
{
	g_autoptr(VmifsPhysmem) mem = fake_mem(fake_new(0));
	g_autoptr(VmifsPicture) picture = picture_of(mem, NULL, "AB.C  DE");
	g_autoptr(GPtrArray) taken =
		g_ptr_array_new_with_free_func((GDestroyNotify) vmifs_mapping_unref);
	VmifsMapping *mapping;
	int fd = g_open(folder, O_TMPFILE | O_RDWR, 0600);

	ck_assert_int_ge(fd, 0);
	while ((mapping = vmifs_mapping_new(fd, 0, PAGE, NULL)))
		g_ptr_array_add(taken, mapping);
	ck_assert_uint_ge(taken->len, 500);
	close(fd);
	assert_letters(picture, "AB.C..DE");
}
END_TEST

START_TEST(many_pages_are_told_at_once)
{
	Fake *fake = fake_new(0);
	const gsize n = 300;
	fake->blocks[1].len = n * PAGE; /* also more than is compared at a time */
	g_autoptr(VmifsPhysmem) mem = fake_mem(fake);
	g_autofree guint8 *bytes = g_malloc(n * PAGE), *read = g_malloc(n * PAGE);
	g_autoptr(VmifsPicture) base = NULL;

	for (guint round = 0; round < 3; round++) {
		for (gsize i = 0; i < n; i++)
			if (!round || i % (10 * round) == 0)
				memset(bytes + i * PAGE, (int) (i % 7 + round), PAGE);
		VmifsPictureWriter *writer = begin(mem, base);
		ck_assert(vmifs_picture_write(writer, 1, 0, bytes, n * PAGE, NULL));
		g_autoptr(VmifsPicture) picture = finish(writer);
		g_autoptr(VmifsPhysmem) frozen = open_picture(picture);
		g_auto(VmifsSegments) segments;
		vmifs_segments_init(&segments);
		ck_assert_uint_eq(
			vmifs_physmem_gather_block(frozen, 1, 0, n * PAGE, &segments, NULL, NULL),
			n * PAGE);
		vmifs_segments_copy(&segments, read);
		ck_assert(!memcmp(read, bytes, n * PAGE));
		ck_assert(round ? picture->stored <= n / 10 * PAGE && picture->shared
				: !picture->shared);
		vmifs_picture_unref(base);
		base = g_steal_pointer(&picture);
	}
}
END_TEST

static guint
count_layers(const VmifsPicture *picture)
{
	guint n = 0;

	for (guint i = 0; i < VMIFS_PICTURE_LAYERS; i++)
		n += picture->layers[i] != NULL;
	return n;
}

START_TEST(it_is_spread_over_few_files)
{
	g_autoptr(VmifsPhysmem) mem = fake_mem(fake_new(0));
	char letters[] = "ABCDEFGH";
	g_autoptr(VmifsPicture) base = picture_of(mem, NULL, letters);
	guint most = 0;

	for (guint i = 0; i < 30; i++) {
		letters[i % 2] = (char) ('a' + i % 26);
		VmifsPicture *next = picture_of(mem, base, letters);
		vmifs_picture_unref(base);
		base = next;
		assert_letters(base, letters);
		most = MAX(most, count_layers(base));
	}
	/* Of two pages that change in turn each needs one. */
	ck_assert_uint_eq(most, 3);
	for (guint i = 0; i < 30; i++) {
		letters[i % 8] = (char) ('a' + i % 26);
		VmifsPicture *next = picture_of(mem, base, letters);
		vmifs_picture_unref(base);
		base = next;
		assert_letters(base, letters);
		most = MAX(most, count_layers(base));
	}
	ck_assert_uint_ge(most, 4);
	ck_assert_uint_le(most, VMIFS_PICTURE_LAYERS);
}
END_TEST

START_TEST(what_no_picture_needs_any_more_is_given_back)
{
	g_autoptr(VmifsPhysmem) mem = fake_mem(fake_new(0));
	g_autoptr(VmifsPicture) first = picture_of(mem, NULL, "ABCDEFGH");
	g_autoptr(VmifsPicture) other = picture_of(mem, first, "abcdefgh");
	g_autoptr(VmifsPicture) little = picture_of(mem, first, "A.......");
	/* What is left of the first file is an eighth: it is not worth keeping. */
	g_autoptr(VmifsPicture) next = picture_of(mem, little, "A.......");

	ck_assert_uint_eq(count_layers(other), 1);
	ck_assert_uint_eq(little->shared, PAGE);
	ck_assert_uint_eq(next->shared, 0);
	assert_letters(next, "A.......");
}
END_TEST

START_TEST(memory_of_another_shape_is_stored_anew)
{
	g_autoptr(VmifsPhysmem) mem = fake_mem(fake_new(0));
	g_autoptr(VmifsPicture) first = picture_of(mem, NULL, "AB");
	Fake *fake = fake_new(0);
	fake->blocks[0].len = 5 * PAGE;
	g_autoptr(VmifsPhysmem) grown = fake_mem(fake);
	g_autoptr(VmifsPicture) second = picture_of(grown, first, "AB");

	ck_assert_uint_eq(second->shared, 0);
	assert_letters(second, "AB......");
}
END_TEST

START_TEST(what_does_not_fit_is_refused)
{
	static const struct {
		guint32 block;
		guint64 offset;
		gsize len;
	} wrong[] = {
		{ 2, 0, PAGE },
		{ G_MAXUINT32, 0, PAGE },
		{ 1, PAGES * PAGE, PAGE },
		{ 1, 0, (PAGES + 1) * PAGE },
		{ 1, G_MAXUINT64 - PAGE + 1, PAGE },
		{ 1, 0x1000, G_MAXSIZE & ~(gsize) (PAGE - 1) },
		{ 1, 8, PAGE },
		{ 1, 0, 8 },
	};
	g_autoptr(VmifsPhysmem) mem = fake_mem(fake_new(0));
	VmifsPictureWriter *writer = begin(mem, NULL);
	guint8 page[PAGE] = "x";

	for (gsize i = 0; i < G_N_ELEMENTS(wrong); i++) {
		g_autoptr(GError) error = NULL;
		ck_assert(!vmifs_picture_write(writer, wrong[i].block, wrong[i].offset,
					       i % 2 ? page : NULL, wrong[i].len, &error));
		ck_assert(g_error_matches(error, VMIFS_ERROR, VMIFS_ERROR_STALE));
	}
	g_autoptr(VmifsPicture) picture = finish(writer);
	ck_assert_uint_eq(picture->stored, 0);
}
END_TEST

START_TEST(the_last_page_of_a_block_may_be_short)
{
	Fake *fake = fake_new(0);
	fake->blocks[1].len = PAGES * PAGE + 100;
	g_autoptr(VmifsPhysmem) mem = fake_mem(fake);
	g_autoptr(VmifsPicture) base = NULL;

	for (guint round = 0; round < 2; round++) {
		VmifsPictureWriter *writer = begin(mem, base);
		guint8 bytes[PAGE + 100], read[PAGE + 100];
		memset(bytes, 'x', sizeof bytes);
		ck_assert(!vmifs_picture_write(writer, 1, PAGES * PAGE, bytes, 101, NULL));
		ck_assert(vmifs_picture_write(writer, 1, (PAGES - 1) * PAGE, bytes, sizeof bytes,
					      NULL));
		g_autoptr(VmifsPicture) picture = finish(writer);
		ck_assert_uint_eq(picture->stored + picture->shared, sizeof bytes);
		ck_assert_uint_eq(picture->stored, round ? 0 : sizeof bytes);
		g_autoptr(VmifsPhysmem) frozen = open_picture(picture);
		g_auto(VmifsSegments) segments;
		vmifs_segments_init(&segments);
		vmifs_physmem_gather_block(frozen, 1, (PAGES - 1) * PAGE, 2 * PAGE, &segments, NULL,
					   NULL);
		ck_assert_uint_eq(segments.len, sizeof bytes);
		vmifs_segments_copy(&segments, read);
		ck_assert(!memcmp(bytes, read, sizeof bytes));
		vmifs_picture_unref(base);
		base = g_steal_pointer(&picture);
	}
}
END_TEST

#define THREADS 4
#define THREAD_PAGES 64

typedef struct {
	VmifsPictureWriter *writer;
	guint number;
} Teller;

static gpointer
tell_every_fourth(gpointer data)
{
	const Teller *teller = data;
	guint8 page[PAGE];

	for (guint i = teller->number; i < THREADS * THREAD_PAGES; i += THREADS) {
		memset(page, (int) (i % 250 + 1), PAGE);
		g_assert(vmifs_picture_write(teller->writer, 1, (guint64) i * PAGE, page, PAGE,
					     NULL));
	}
	return NULL;
}

START_TEST(several_threads_may_tell_it)
{
	Fake *fake = fake_new(0);
	fake->blocks[1].len = THREADS * THREAD_PAGES * PAGE;
	g_autoptr(VmifsPhysmem) mem = fake_mem(fake);
	g_autoptr(VmifsPicture) base = NULL;

	for (guint round = 0; round < 2; round++) {
		Teller tellers[THREADS];
		GThread *threads[THREADS];
		VmifsPictureWriter *writer = begin(mem, base);
		for (guint i = 0; i < THREADS; i++) {
			tellers[i] = (Teller){ writer, i };
			threads[i] = g_thread_new("tell", tell_every_fourth, &tellers[i]);
		}
		for (guint i = 0; i < THREADS; i++)
			g_thread_join(threads[i]);
		vmifs_picture_unref(base);
		base = finish(writer);
		ck_assert_uint_eq(round ? base->shared : base->stored,
				  THREADS * THREAD_PAGES * PAGE);
	}
}
END_TEST

START_TEST(what_was_said_of_it_is_shown)
{
	g_autoptr(VmifsPhysmem) mem = fake_mem(fake_new(0));
	VmifsPictureWriter *writer = begin(mem, NULL);
	VmifsPictureTaken taken = { .how = "by\nhand", .moment = 5, .still_us = 1500 };
	g_autoptr(GString) info = g_string_new(NULL);

	tell(writer, "AB");
	vmifs_picture_set_taken(writer, &taken);
	g_autoptr(VmifsPicture) picture = finish(writer);
	g_autoptr(VmifsPhysmem) frozen = open_picture(picture);
	vmifs_physmem_info(frozen, info);
	ck_assert_str_eq(info->str,
			 "taken: by\\012hand\nstood still: 1.5 ms\nstored: 8192 bytes, 0 "
			 "more shared with the snapshot before\n");
	ck_assert_int_eq(vmifs_backend_acquired(vmifs_physmem_connection(frozen)), 5);
	/* The fake one counts no vCPUs. */
	g_autoptr(VmifsRegs) regs = vmifs_regs_new();
	writer = begin(mem, NULL);
	ck_assert(!vmifs_picture_add_regs(writer, 0, regs, NULL));
	vmifs_picture_writer_free(writer);
	ck_assert_uint_eq(vmifs_physmem_n_vcpus(frozen), 0);
}
END_TEST

static Suite *
make_suite(void)
{
	Suite *suite = suite_create("picture");
	TCase *tests = tcase_create("all");

	tcase_add_checked_fixture(tests, setup, teardown);
	tcase_add_test(tests, what_was_told_is_what_is_read);
	tcase_add_test(tests, its_memory_is_where_that_of_the_guest_is);
	tcase_add_test(tests, zeros_are_holes_and_take_no_room);
	tcase_add_test(tests, data_and_holes_are_told_apart);
	tcase_add_test(tests, a_later_picture_stores_what_differs);
	tcase_add_test(tests, what_is_told_twice_is_what_was_told_last);
	tcase_add_test(tests, what_cannot_be_mapped_is_read);
	tcase_add_test(tests, many_pages_are_told_at_once);
	tcase_add_test(tests, it_is_spread_over_few_files);
	tcase_add_test(tests, what_no_picture_needs_any_more_is_given_back);
	tcase_add_test(tests, memory_of_another_shape_is_stored_anew);
	tcase_add_test(tests, what_does_not_fit_is_refused);
	tcase_add_test(tests, the_last_page_of_a_block_may_be_short);
	tcase_add_test(tests, several_threads_may_tell_it);
	tcase_add_test(tests, what_was_said_of_it_is_shown);
	suite_add_tcase(suite, tests);
	return suite;
}

VMIFS_UNIT_MAIN(make_suite)
