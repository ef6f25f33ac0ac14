/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* scan: windows, seams, holes, bounds, threads; over sources that are mapped and that are not. */
#include <unit.h>

#include <scan.h>
#include <string.h>
#include <sys/stat.h>
#include <text-guest.h>

#define PAGE 4096
#define MIB ((guint64) 1 << 20)

extern const VmifsBackend vmifs_backend_snapshot;

static const VmifsPattern banner = {
	.name = "banner", .bytes = (const guint8 *) "Linux version ", .len = 14, .align = 1
};
static const VmifsPattern tail_of_zeros = {
	.name = "tail", .bytes = (const guint8 *) "\xee\xdd\0\0\0\0\0\0", .len = 8, .align = 1
};
static const VmifsPattern head_of_zeros = {
	.name = "head", .bytes = (const guint8 *) "\0\0\0\0\0\0\xcc\xbb", .len = 8, .align = 1
};
static const VmifsPattern note = { .name = "note",
				   .bytes = (const guint8 *) "VMCOREINFO\0",
				   .len = 11,
				   .align = PAGE,
				   .fast = TRUE };

static const VmifsPattern *const patterns[] = { &banner, &tail_of_zeros, &head_of_zeros };
static const VmifsPattern *const fast_patterns[] = { &note };

/* A sparse file in memory as an image. */
static int
make_file(guint64 len)
{
	int fd = memfd_create("image", MFD_CLOEXEC);

	ck_assert_int_ge(fd, 0);
	ck_assert_int_eq(ftruncate(fd, (off_t) len), 0);
	return fd;
}

static void
put(int fd, guint64 at, const VmifsPattern *p)
{
	ck_assert_int_eq(pwrite(fd, p->bytes, p->len, (off_t) at), p->len);
}

static VmifsPhysmem *
image(int fd)
{
	VmifsOptions options = { .size = sizeof options, .format = "raw" };
	VmifsSource src = { .spec = "test", .path = "test", .fd = fd, .options = &options };
	g_autoptr(GError) error = NULL;
	gpointer instance = vmifs_backend_snapshot.open(&src, NULL, &error);

	ck_assert_msg(instance != NULL, "%s", error ? error->message : "");
	return vmifs_physmem_new(&vmifs_backend_snapshot, instance, NULL, NULL);
}

static void
add(gsize pattern, guint64 pa, gpointer user)
{
	g_string_append_printf(user, "%zu@%" G_GINT64_MODIFIER "x ", pattern, pa);
}

static void
count(gsize pattern, guint64 pa, gpointer user)
{
	++*(gsize *) user;
}

static char *
scan(VmifsPhysmem *mem, VmifsScanReport *report)
{
	GString *out = g_string_new(NULL);
	gint progress = 0;

	ck_assert(vmifs_scan(mem, NULL, patterns, G_N_ELEMENTS(patterns), FALSE, NULL, add, out,
			     &progress, report, NULL, NULL));
	ck_assert_int_ge(progress, 90);
	return g_string_free(out, FALSE);
}

START_TEST(finds_across_windows_in_order_of_address)
{
	int fd = make_file(20 * MIB + 14);
	g_autofree char *filler = g_strnfill(MIB, 'x');
	VmifsScanReport report;

	for (guint64 at = 0; at < 20 * MIB; at += MIB)
		ck_assert_int_eq(pwrite(fd, filler, MIB, (off_t) at), MIB);
	put(fd, 20 * MIB, &banner); /* ends with memory */
	put(fd, 4 * MIB - 7, &banner);
	put(fd, 8 * MIB, &banner);
	put(fd, 8 * MIB - 14, &banner);
	put(fd, 0, &banner);
	put(fd, 16 * MIB - 1, &banner);
	put(fd, 12 * MIB - 13, &banner);
	g_autoptr(VmifsPhysmem) mem = image(fd);
	g_autofree char *got = scan(mem, &report);

	ck_assert_str_eq(got, "0@0 0@3ffff9 0@7ffff2 0@800000 0@bffff3 0@ffffff 0@1400000 ");
	ck_assert_uint_eq(report.scanned, 20 * MIB + 14);
	ck_assert_uint_eq(report.lost, 0);
	ck_assert_uint_eq(report.dropped, 0);
	close(fd);
}
END_TEST

START_TEST(holes_are_neither_read_nor_in_the_way)
{
	int fd = make_file(1ULL << 40);
	struct stat before, after;
	VmifsScanReport report;

	put(fd, 3 * PAGE + 100, &banner);
	/* Parts of these are the zeros of a hole. */
	ck_assert_int_eq(pwrite(fd, "\xee\xdd", 2, 10 * PAGE - 2), 2);
	ck_assert_int_eq(pwrite(fd, "\xcc\xbb", 2, 20 * PAGE), 2);
	ck_assert_int_eq(pwrite(fd, "\xee\xdd", 2, 1LL << 39), 2);
	ck_assert_int_eq(fstat(fd, &before), 0);
	g_autoptr(VmifsPhysmem) mem = image(fd);
	g_autofree char *got = scan(mem, &report);

	ck_assert_str_eq(got, "0@3064 1@9ffe 2@13ffa 1@8000000000 ");
	ck_assert_uint_eq(report.scanned, 4 * PAGE);
	ck_assert_int_eq(fstat(fd, &after), 0);
	ck_assert_int_eq(after.st_blocks, before.st_blocks);
	close(fd);
}
END_TEST

START_TEST(unmapped_guests_in_pieces_are_scanned)
{
	g_autoptr(VmifsPhysmem) mem = text_guest("ram 0 64K low\n"
						 "ram 1M 8M a+0x123\n" /* pages lie askew in it */
						 "rom 0xfff00000 64K\n"
						 "ram 1T 1T\n"
						 "fill 1M 3M 0x11\n"
						 "string 0xfff2 \"Linux version \"\n"
						 "string 0x100000 \"Linux version \"\n"
						 "string 0x1ffffa \"Linux version \"\n"
						 "string 0xfff00000 \"Linux version \"\n"
						 "string 0x1ffffffffff \"L\"\n"
						 "string 0x10000000ff8 \"Linux version \"\n");
	VmifsScanReport report;
	g_autofree char *got = scan(mem, &report);

	ck_assert_str_eq(got, "0@fff2 0@100000 0@1ffffa 0@10000000ff8 ");
	ck_assert_uint_eq(report.lost, 0);
}
END_TEST

START_TEST(a_pattern_does_not_span_regions)
{
	g_autoptr(VmifsPhysmem) mem = text_guest("ram 0 4K a\nram 4K 4K b\n"
						 "string 0xffa \"Linux version \"\n");
	g_autofree char *got = scan(mem, NULL);

	ck_assert_str_eq(got, "");
}
END_TEST

START_TEST(heads_only_looks_at_heads)
{
	int fd = make_file(9 * MIB);
	g_autoptr(GString) out = g_string_new(NULL);

	put(fd, 0, &note);
	put(fd, 2 * PAGE + 64, &note);
	put(fd, 4 * MIB, &note);
	put(fd, 9 * MIB - PAGE, &note);
	g_autoptr(VmifsPhysmem) mem = image(fd);
	ck_assert(vmifs_scan(mem, NULL, fast_patterns, 1, TRUE, NULL, add, out, NULL, NULL, NULL,
			     NULL));
	ck_assert_str_eq(out->str, "0@0 0@400000 0@8ff000 ");
	close(fd);

	g_autoptr(VmifsPhysmem) text =
		text_guest("ram 0 1M a+0x10\nbytes 0x3000 564d434f5245494e464f00\n");
	g_string_truncate(out, 0);
	ck_assert(vmifs_scan(text, NULL, fast_patterns, 1, TRUE, NULL, add, out, NULL, NULL, NULL,
			     NULL));
	ck_assert_str_eq(out->str, "0@3000 ");
}
END_TEST

/* Of the lowest piece far too many, of the others a few. */
START_TEST(hits_are_bounded_in_each_piece_of_memory)
{
	enum { HITS = 10000 };
	int fd = make_file(4 * VMIFS_SCAN_PIECE);
	g_autofree char *all = g_malloc0(HITS * 32);
	gsize n = 0;
	VmifsScanReport report;
	g_autoptr(GString) out = g_string_new(NULL);

	for (gsize i = 0; i < HITS; i++)
		memcpy(all + 32 * i, "Linux version ", 14);
	ck_assert_int_eq(pwrite(fd, all, HITS * 32, 0), HITS * 32);
	put(fd, VMIFS_SCAN_PIECE, &banner);
	put(fd, 3 * VMIFS_SCAN_PIECE + 5, &banner);
	g_autoptr(VmifsPhysmem) mem = image(fd);
	ck_assert(vmifs_scan(mem, NULL, patterns, 1, FALSE, NULL, count, &n, NULL, &report, NULL,
			     NULL));
	ck_assert_uint_eq(n, VMIFS_SCAN_MAX_HITS + 2);
	ck_assert_uint_eq(report.dropped, HITS - VMIFS_SCAN_MAX_HITS);
	ck_assert(
		vmifs_scan(mem, NULL, patterns, 1, FALSE, NULL, add, out, NULL, NULL, NULL, NULL));
	ck_assert_msg(g_str_has_suffix(out->str, "0@e0 0@200000 0@600005 "), "%s", out->str);
	close(fd);
}
END_TEST

static gboolean
keep_odd(gsize pattern, guint64 pa, gpointer user)
{
	return pa % 2;
}

START_TEST(hits_that_are_not_wanted_do_not_count)
{
	enum { HITS = 1000 };
	int fd = make_file(MIB);
	gsize n = 0;

	for (gsize i = 0; i < HITS; i++)
		put(fd, 32 * i, &banner);
	put(fd, 32 * HITS + 1, &banner);
	g_autoptr(VmifsPhysmem) mem = image(fd);
	ck_assert(vmifs_scan(mem, NULL, patterns, 1, FALSE, keep_odd, count, &n, NULL, NULL, NULL,
			     NULL));
	ck_assert_uint_eq(n, 1);
	close(fd);
}
END_TEST

START_TEST(cancelled_scan_ends_and_delivers_nothing)
{
	gint cancelled = 1;
	VmifsCall call = { .cancelled = &cancelled };
	g_autoptr(GError) error = NULL;
	int fd = make_file(MIB);
	gsize n = 0;

	put(fd, 0, &banner);
	g_autoptr(VmifsPhysmem) mem = image(fd);
	ck_assert(!vmifs_scan(mem, NULL, patterns, 1, FALSE, NULL, count, &n, NULL, NULL, &call,
			      &error));
	ck_assert(g_error_matches(error, VMIFS_ERROR, VMIFS_ERROR_CANCELLED));
	ck_assert_uint_eq(n, 0);
	close(fd);
}
END_TEST

START_TEST(lost_parts_are_counted_and_the_rest_is_scanned)
{
	int fd = make_file(12 * MIB);
	g_autofree char *filler = g_strnfill(MIB, 'x');
	VmifsScanReport report;

	for (guint64 at = 0; at < 12 * MIB; at += MIB)
		ck_assert_int_eq(pwrite(fd, filler, MIB, (off_t) at), MIB);
	put(fd, 5 * MIB, &banner);
	put(fd, 11 * MIB, &banner);
	g_autoptr(VmifsPhysmem) mem = image(fd);
	ck_assert_int_eq(ftruncate(fd, 6 * MIB), 0);
	g_autofree char *got = scan(mem, &report);
	ck_assert_str_eq(got, "0@500000 ");
	ck_assert_uint_ge(report.lost, 6 * MIB);
	ck_assert_uint_lt(report.lost, 12 * MIB);
	close(fd);
}
END_TEST

static Suite *
make_suite(void)
{
	Suite *s = suite_create("scan");
	TCase *t = tcase_create("scan");
	tcase_set_timeout(t, 60);
	tcase_add_test(t, finds_across_windows_in_order_of_address);
	tcase_add_test(t, holes_are_neither_read_nor_in_the_way);
	tcase_add_test(t, unmapped_guests_in_pieces_are_scanned);
	tcase_add_test(t, a_pattern_does_not_span_regions);
	tcase_add_test(t, heads_only_looks_at_heads);
	tcase_add_test(t, hits_are_bounded_in_each_piece_of_memory);
	tcase_add_test(t, hits_that_are_not_wanted_do_not_count);
	tcase_add_test(t, cancelled_scan_ends_and_delivers_nothing);
	tcase_add_test(t, lost_parts_are_counted_and_the_rest_is_scanned);
	suite_add_tcase(s, t);
	return s;
}

VMIFS_UNIT_MAIN(make_suite)
