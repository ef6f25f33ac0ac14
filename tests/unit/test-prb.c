/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* prb: rings of eight records over 256 bytes of text. */
#include <unit.h>

#include <os/linux/prb.h>
#include <spi/bytes.h>
#include <string.h>
#include <vmifs/error.h>

#define DESC_BITS 3
#define TEXT_BITS 8
#define N_DESCS (1 << DESC_BITS)
#define TEXT_LEN (1 << TEXT_BITS)

enum { RESERVED, COMMITTED, FINALIZED, REUSABLE };

typedef struct {
	guint64 state, begin, next;
} Desc;

typedef struct {
	guint64 seq, time;
	guint16 text_len;
	guint8 rest[6];
} Info;

typedef struct {
	Desc descs[N_DESCS];
	Info infos[N_DESCS];
	guint8 text[TEXT_LEN];
	LinuxPrb prb;
	guint64 head; /* position of the next text */
} Ring;

static gboolean
read_ring(gpointer user, guint64 addr, gpointer buf, gsize len)
{
	Ring *r = user;
	if (!vmifs_in_bounds(addr, len, G_STRUCT_OFFSET(Ring, prb)))
		return FALSE;
	memcpy(buf, (const guint8 *) r + addr, len);
	return TRUE;
}

static Ring *
make_ring(void)
{
	Ring *r = g_new0(Ring, 1);
	r->prb = (LinuxPrb){
		.read = read_ring,
		.user = r,
		.descs = G_STRUCT_OFFSET(Ring, descs),
		.infos = G_STRUCT_OFFSET(Ring, infos),
		.text = G_STRUCT_OFFSET(Ring, text),
		.desc_bits = DESC_BITS,
		.text_bits = TEXT_BITS,
		.tail_id = 0x1000,
		.head_id = 0xfff,
		.desc_size = sizeof(Desc),
		.desc_state = G_STRUCT_OFFSET(Desc, state),
		.desc_begin = G_STRUCT_OFFSET(Desc, begin),
		.desc_next = G_STRUCT_OFFSET(Desc, next),
		.info_size = sizeof(Info),
		.info_time = G_STRUCT_OFFSET(Info, time),
		.info_text_len = G_STRUCT_OFFSET(Info, text_len),
		.word = 8,
	};
	return r;
}

/* A record behind the last one, its text where the kernel would put it. */
static Desc *
add(Ring *r, guint state, const char *text)
{
	gsize len = strlen(text), block = (8 + len + 7) & ~(gsize) 7;
	guint64 id = ++r->prb.head_id;
	Desc *d = &r->descs[id % N_DESCS];
	guint64 at = r->head % TEXT_LEN;

	d->begin = r->head;
	if (at + block > TEXT_LEN) {
		r->head += TEXT_LEN - at;
		at = 0;
	}
	r->head += block;
	d->next = r->head;
	d->state = id | (guint64) state << 62;
	memcpy(r->text + at + 8, text, len);
	r->infos[id % N_DESCS] =
		(Info){ .time = (id - 0xfff) * 1001000000, .text_len = (guint16) len };
	return d;
}

static char *
format(Ring *r, guint64 *ret_skipped)
{
	GString *out = g_string_new(NULL);
	g_autoptr(GError) error = NULL;
	guint64 skipped = 99;

	ck_assert(linux_prb_format(&r->prb, out, &skipped, NULL, &error));
	ck_assert_ptr_null(error);
	if (ret_skipped)
		*ret_skipped = skipped;
	else
		ck_assert_uint_eq(skipped, 0);
	return g_string_free(out, FALSE);
}

START_TEST(records_are_lines)
{
	g_autofree Ring *r = make_ring();
	add(r, FINALIZED, "Linux version 7");
	add(r, COMMITTED, "second");
	g_autofree char *text = format(r, NULL);
	ck_assert_str_eq(text, "[    1.001000] Linux version 7\n[    2.002000] second\n");
}
END_TEST

START_TEST(text_that_did_not_fit_at_the_end_is_at_the_start)
{
	g_autofree Ring *r = make_ring();
	g_autofree char *filler = g_strnfill(200, '.');
	add(r, FINALIZED, filler);
	add(r, FINALIZED, "at the start of the ring, for it did not fit at its end");
	g_autofree char *text = format(r, NULL);
	ck_assert(g_str_has_suffix(text,
				   "\n[    2.002000] at the start of the ring, for it did not "
				   "fit at its end\n"));
}
END_TEST

START_TEST(ids_and_positions_wrap)
{
	g_autofree Ring *r = make_ring();
	r->head = -(guint64) 64;
	r->prb.tail_id = G_MAXUINT64 >> 2;
	r->prb.head_id = (G_MAXUINT64 >> 2) - 1;
	add(r, FINALIZED, "before, and long enough to reach the end");
	r->prb.head_id = (guint64) -1;
	add(r, FINALIZED, "after");
	g_autofree char *text = format(r, NULL);
	ck_assert_ptr_nonnull(strstr(text, "before"));
	ck_assert_ptr_nonnull(strstr(text, "after"));
}
END_TEST

START_TEST(empty_lines_are_lines_too)
{
	g_autofree Ring *r = make_ring();
	Desc *d = add(r, FINALIZED, "");
	d->begin = d->next = 3;
	g_autofree char *text = format(r, NULL);
	ck_assert_str_eq(text, "[    1.001000] \n");
}
END_TEST

START_TEST(unused_records_are_silent_and_reused_ones_counted)
{
	g_autofree Ring *r = make_ring();
	guint64 skipped;
	add(r, REUSABLE, "x");
	add(r, RESERVED, "x");
	add(r, FINALIZED, "x")->state += 8;
	add(r, FINALIZED, "last");
	g_autofree char *text = format(r, &skipped);
	ck_assert_str_eq(text, "[    4.004000] last\n");
	ck_assert_uint_eq(skipped, 1);
}
END_TEST

static const struct {
	guint64 begin, next;
	guint16 text_len;
} lies[] = {
	{ 0, 16, 9 },           /* longer than its block */
	{ 4, 16, 1 },           /* not aligned */
	{ 16, 0, 1 },           /* ends before it begins */
	{ 0, 3 * TEXT_LEN, 1 }, /* two rings further */
	{ 0, 0, 0 },            /* no room for the id */
	{ G_MAXUINT64 - 7, 8, 200 },
};

START_TEST(block_that_lies_is_lost)
{
	g_autofree Ring *r = make_ring();
	guint64 skipped;
	Desc *d = add(r, FINALIZED, "x");
	d->begin = lies[_i].begin;
	d->next = lies[_i].next;
	r->infos[0].text_len = lies[_i].text_len;
	add(r, FINALIZED, "fine");
	g_autofree char *text = format(r, &skipped);
	ck_assert_str_eq(text, "[    2.002000] fine\n");
	ck_assert_uint_eq(skipped, 1);
}
END_TEST

START_TEST(same_text_is_not_told_for_ever)
{
	g_autofree Ring *r = make_ring();
	g_autofree char *filler = g_strnfill(120, '.');
	guint64 skipped;
	for (guint i = 0; i < N_DESCS; i++) {
		Desc *d = add(r, FINALIZED, filler);
		d->begin = 0;
		d->next = 128;
	}
	g_autofree char *text = format(r, &skipped);
	ck_assert_uint_eq(skipped, N_DESCS - 2);
}
END_TEST

START_TEST(ring_that_makes_no_sense_is_refused)
{
	g_autofree Ring *r = make_ring();
	g_autoptr(GString) out = g_string_new(NULL);
	g_autoptr(GError) error = NULL;
	guint64 skipped = 5;
	add(r, FINALIZED, "x");
	switch (_i) {
	case 0:
		r->prb.desc_bits = 40;
		break;
	case 1:
		r->prb.text_bits = 64;
		break;
	case 2:
		r->prb.head_id = r->prb.tail_id + N_DESCS;
		break;
	case 3:
		r->prb.head_id = r->prb.tail_id - 2;
		break;
	case 4:
		r->prb.desc_next = sizeof(Desc) - 4;
		break;
	case 5:
		r->prb.info_size = 4096;
		break;
	case 6:
		r->prb.word = 2;
		break;
	}
	ck_assert(!linux_prb_format(&r->prb, out, &skipped, NULL, &error));
	ck_assert(g_error_matches(error, VMIFS_ERROR, VMIFS_ERROR_CORRUPT));
	ck_assert_uint_eq(skipped, 5);
	ck_assert_uint_eq(out->len, 0);
}
END_TEST

static const struct {
	const char *text;
	gsize len;
	const char *shown;
} texts[] = {
	{ "two\nlines", 9, "[    0.000000] two\n[    0.000000] lines\n" },
	{ "ends\n", 5, "[    0.000000] ends\n[    0.000000] \n" },
	{ "\tx\\", 3, "[    0.000000] \tx\\\n" },
	{ "\033[2J", 4, "[    0.000000] \\x1b[2J\n" },
	{ "a\0b", 3, "[    0.000000] a\\x00b\n" },
	{ "\303\244 \302\233", 5, "[    0.000000] \303\244 \\xc2\\x9b\n" },
	{ "\303", 1, "[    0.000000] \\xc3\n" },
	{ "\xff\x7f", 2, "[    0.000000] \\xff\\x7f\n" },
};

START_TEST(text_is_made_fit_for_a_terminal)
{
	g_autoptr(GString) out = g_string_new(NULL);
	linux_prb_format_record(out, 0, texts[_i].text, texts[_i].len);
	ck_assert_str_eq(out->str, texts[_i].shown);
}
END_TEST

START_TEST(time_has_five_digits_and_more)
{
	g_autoptr(GString) out = g_string_new(NULL);
	linux_prb_format_record(out, 123456789012345678, "x", 1);
	ck_assert_str_eq(out->str, "[123456789.012345] x\n");
}
END_TEST

static Suite *
make_suite(void)
{
	Suite *s = suite_create("prb");
	TCase *t = tcase_create("prb");

	tcase_add_test(t, records_are_lines);
	tcase_add_test(t, text_that_did_not_fit_at_the_end_is_at_the_start);
	tcase_add_test(t, ids_and_positions_wrap);
	tcase_add_test(t, empty_lines_are_lines_too);
	tcase_add_test(t, unused_records_are_silent_and_reused_ones_counted);
	tcase_add_loop_test(t, block_that_lies_is_lost, 0, G_N_ELEMENTS(lies));
	tcase_add_test(t, same_text_is_not_told_for_ever);
	tcase_add_loop_test(t, ring_that_makes_no_sense_is_refused, 0, 7);
	tcase_add_loop_test(t, text_is_made_fit_for_a_terminal, 0, G_N_ELEMENTS(texts));
	tcase_add_test(t, time_has_five_digits_and_more);
	suite_add_tcase(s, t);
	return s;
}

VMIFS_UNIT_MAIN(make_suite)
