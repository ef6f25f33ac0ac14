/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* kallsyms: made-up tables of every encoding and layout, then cut, lying and ambiguous ones. */
#include <unit.h>

#include <kallsyms-image.h>
#include <string.h>
#include <time.h>
#include <os/linux/kallsyms.h>
#include <vmifs/error.h>

/* Encoding, behind, sequence, bits32, align, marker width, n. */
static const KallsymsPlan usual = { LINUX_KALLSYMS_PERCPU, TRUE, FALSE, FALSE, 8, 4, 3000 };

static void
assert_refused(const KallsymsImage *image)
{
	g_autoptr(GError) error = NULL;

	ck_assert_ptr_null(linux_kallsyms_find(&image->phys, image->pa + image->digits_at, &error));
	ck_assert_int_eq(error->code, VMIFS_ERROR_CORRUPT);
}

START_TEST(every_symbol_of_every_layout_is_decoded)
{
	const KallsymsPlan *plan = &kallsyms_plans[_i];
	KallsymsImage image;
	g_autoptr(LinuxKallsyms) tables = NULL;
	g_autoptr(VmifsSymbols) symbols = NULL;

	kallsyms_image_make(&image, plan);
	tables = kallsyms_image_find(&image);
	ck_assert_int_eq(tables->encoding, plan->encoding);
	ck_assert_uint_eq(tables->n, plan->n);
	ck_assert_uint_eq(tables->tokens_pa, image.pa + image.tokens_at);
	ck_assert_uint_eq(tables->token_index_pa, image.pa + image.index_at);
	ck_assert_uint_eq(tables->markers_pa, image.pa + image.markers_at);
	ck_assert_uint_eq(tables->names_pa, image.pa + image.names_at);
	ck_assert_uint_eq(tables->offsets_pa, image.pa + image.offsets_at);
	symbols = linux_kallsyms_decode(tables, NULL);
	ck_assert(kallsyms_image_has(&image, symbols));
	kallsyms_image_clear(&image);
}
END_TEST

START_TEST(digits_elsewhere_are_refused)
{
	KallsymsImage image;

	kallsyms_image_make(&image, &usual);
	memcpy(image.bytes->data + 5000, LINUX_KALLSYMS_DIGITS, 20);
	image.digits_at = 5000;
	assert_refused(&image);
	kallsyms_image_clear(&image);
}
END_TEST

/* Data may run into the first token: only the index says where that begins. */
START_TEST(data_before_the_tokens_does_no_harm)
{
	KallsymsImage image;
	g_autoptr(LinuxKallsyms) tables = NULL;
	KallsymsPlan plan = usual;

	plan.n = 256 * 11 + 1; /* 12 markers: no padding before the tokens */
	kallsyms_image_make(&image, &plan);
	ck_assert_uint_eq(image.markers_at + 4 * 12, image.tokens_at);
	tables = kallsyms_image_find(&image);
	ck_assert_uint_eq(tables->tokens_pa, image.pa + image.tokens_at);
	kallsyms_image_clear(&image);
}
END_TEST

/* One wrong byte in any table is noticed, where it could shift what is behind it. */
START_TEST(tables_that_lie_are_refused)
{
	KallsymsImage image;
	gsize at;

	kallsyms_image_make(&image, &kallsyms_plans[_i]);
	switch (_i % 6) {
	case 0: /* more symbols than names */
		at = image.n_at + 3;
		break;
	case 1: /* one symbol more */
		at = image.n_at;
		break;
	case 2: /* a marker between two names */
		at = image.markers_at + 2 * kallsyms_plans[_i].marker_width;
		break;
	case 3: /* a name of another length */
		at = image.names_at;
		break;
	case 4: /* a token that begins elsewhere */
		at = image.index_at + 2 * 200;
		break;
	default: /* an address out of order */
		at = image.offsets_at +
		     kallsyms_plans[_i].n / 2 * linux_kallsyms_width(kallsyms_plans[_i].encoding) +
		     2;
		image.bytes->data[at] += 0x40;
		break;
	}
	image.bytes->data[at]++;
	assert_refused(&image);
	kallsyms_image_clear(&image);
}
END_TEST

/* Memory ends in the middle of each table, and within the noise that stands around them. */
START_TEST(tables_cut_short_are_refused)
{
	KallsymsImage image;
	gsize ends[8], n = 0;

	kallsyms_image_make(&image, &kallsyms_plans[_i]);
	ends[n++] = image.index_at + 511;
	ends[n++] = image.index_at;
	ends[n++] = image.digits_at + 19;
	ends[n++] = image.digits_at;
	ends[n++] = image.tokens_at;
	if (kallsyms_plans[_i].behind) {
		ends[n++] = image.offsets_at + 4 * (gsize) kallsyms_plans[_i].n - 1;
		ends[n++] = image.offsets_at;
	}
	for (gsize i = 0; i < n; i++) {
		image.bytes->len = ends[i];
		assert_refused(&image);
	}
	kallsyms_image_clear(&image);
}
END_TEST

START_TEST(names_longer_than_any_kernel_allows_are_refused)
{
	KallsymsImage image;
	g_autoptr(LinuxKallsyms) tables = NULL;
	g_autoptr(GError) error = NULL;

	kallsyms_image_make(&image, &usual);
	tables = kallsyms_image_find(&image);
	for (guint code = 0; code < 256; code++)
		tables->token_len[code] = 600;
	tables->tokens = g_realloc(tables->tokens, 65536 + 600 + LINUX_KALLSYMS_SLACK);
	ck_assert_ptr_null(linux_kallsyms_decode(tables, &error));
	ck_assert_int_eq(error->code, VMIFS_ERROR_CORRUPT);
	kallsyms_image_clear(&image);
}
END_TEST

/* The place that is further by four bytes gives each symbol its neighbour's address. */
START_TEST(of_two_ascending_places_the_nearer_is_taken)
{
	KallsymsImage image;
	g_autoptr(LinuxKallsyms) tables = NULL;
	KallsymsPlan plan = { LINUX_KALLSYMS_PC_RELATIVE, TRUE, FALSE, FALSE, 4, 4, 2900 };
	guint32 next;
	gsize end;

	/* The number of names decides whether the index ends 8-aligned. */
	for (kallsyms_image_make(&image, &plan); (image.pa + image.offsets_at) % 8 == 0;
	     kallsyms_image_make(&image, &plan)) {
		kallsyms_image_clear(&image);
		plan.n++;
	}
	/* One more element, so that the further place ascends to its end. */
	end = image.offsets_at + 4 * (gsize) plan.n;
	next = GUINT32_TO_LE((guint32) (-0x1000 - (gint32) (4 * plan.n)));
	memcpy(image.bytes->data + end, &next, 4);
	tables = kallsyms_image_find(&image);
	ck_assert_uint_eq(tables->offsets_pa, image.pa + image.offsets_at);
	kallsyms_image_clear(&image);
}
END_TEST

/* Thousands of runs that could be markers, each asking for megabytes of names. */
START_TEST(work_is_bounded)
{
	KallsymsImage image;
	clock_t start;
	guint8 *at;

	kallsyms_image_make(&image, &kallsyms_plans[10]);
	image.bytes->data[image.markers_at + 8]++; /* none is right */
	g_byte_array_set_size(image.bytes, image.bytes->len + (16 << 20));
	memmove(image.bytes->data + (16 << 20), image.bytes->data, image.bytes->len - (16 << 20));
	image.digits_at += 16 << 20;
	image.tokens_at += 16 << 20;
	at = image.bytes->data + image.tokens_at - (6 << 20);
	for (guint32 i = 0; i < 1 << 20; i++) {
		guint32 value = GUINT32_TO_LE(i % 1024 * 8192);
		memcpy(at + 4 * (gsize) i, &value, 4);
	}
	start = clock();
	assert_refused(&image);
	ck_assert_int_lt(clock() - start, 5 * CLOCKS_PER_SEC);
	kallsyms_image_clear(&image);
}
END_TEST

static Suite *
make_suite(void)
{
	Suite *s = suite_create("kallsyms");
	TCase *t = tcase_create("kallsyms");
	tcase_add_loop_test(t, every_symbol_of_every_layout_is_decoded, 0, (int) kallsyms_n_plans);
	tcase_add_test(t, digits_elsewhere_are_refused);
	tcase_add_test(t, data_before_the_tokens_does_no_harm);
	tcase_add_loop_test(t, tables_that_lie_are_refused, 0, (int) kallsyms_n_plans);
	tcase_add_loop_test(t, tables_cut_short_are_refused, 0, (int) kallsyms_n_plans);
	tcase_add_test(t, names_longer_than_any_kernel_allows_are_refused);
	tcase_add_test(t, of_two_ascending_places_the_nearer_is_taken);
	tcase_add_test(t, work_is_bounded);
	suite_add_tcase(s, t);
	return s;
}

VMIFS_UNIT_MAIN(make_suite)
