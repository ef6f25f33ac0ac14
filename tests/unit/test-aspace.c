/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * aspace: one small guest, most of whose addresses go wrong in some way; then each way to read it.
 * What lies in its memory tells where that is: u64 at pa is pa itself, in the first and the last
 * bytes of each page.
 */
#include <aspace-check.h>

#include <spi/bytes.h>

/*
 * Physical: RAM 0..2M, 2M..2M+64K (another block), 4M..4M+64K, 6M..6M+0x1234; root at 0x1000.
 * Virtual, all with 4 KiB pages unless said otherwise:
 */
#define VA_FIRST 0x400000ull  /* 0x10000 */
#define VA_SECOND 0x401000ull /* 0x20000: does not continue it */
#define VA_HOLE 0x402000ull
#define VA_MMIO 0x403000ull           /* 0xfee00000: no RAM */
#define VA_SWAPPED 0x404000ull        /* entry SWAPPED */
#define VA_AFTER 0x405000ull          /* 0x21000, 0x22000 */
#define VA_END_OF_TABLE 0x5ff000ull   /* 0x30000; the next table goes on */
#define VA_NEXT_TABLE 0x600000ull     /* 0x31000, read-only from 0x32000 on */
#define VA_LARGE 0x800000ull          /* 2M page at 2M: RAM for its first 64K */
#define VA_ACROSS 0xa00000ull         /* 0x1ff000, 0x200000: two regions */
#define VA_ODD 0xa02000ull            /* 0x601000: RAM for its first 0x234 bytes */
#define VA_LOST 0xc00000ull           /* a table at 0x12345000: no RAM */
#define VA_BAD 0x40000000ull          /* a 1G page with reserved bits */
#define VA_LAST 0xfffffffffffff000ull /* 0x40000 */
#define SWAPPED 0x5a5a00ull

static const char guest_text[] =
	"ram 0 2M low\n"
	"ram 2M 64K more\n"
	"ram 4M 64K high\n"
	"ram 6M 0x1234 odd\n"
	"u64 0x1000 0x2067\n"
	"u64 0x1ff8 0x8067\n"
	"u64 0x2000 0x3067 0x4000e7\n"
	/* level 2: [2] first, [3] next table, [4] large, [5] across, [6] lost */
	"u64 0x3010 0x4067 0x5067 0x2000e7 0x6067 0x12345067\n"
	"u64 0x4000 0x10067 0x20067 0 0xfee00067 0x5a5a00 0x21067 0x22067\n"
	"u64 0x4ff8 0x30067\n"
	"u64 0x5000 0x31067 0x32065\n"
	"u64 0x6000 0x1ff067 0x200067 0x601067\n"
	/* the last page */
	"u64 0x8ff8 0x9067\n"
	"u64 0x9ff8 0xa067\n"
	"u64 0xaff8 0x40067\n";

static VmifsPhysmem *
make_memory(void)
{
	static const guint64 pages[] = { 0x10000, 0x20000, 0x21000,  0x22000,  0x30000, 0x31000,
					 0x32000, 0x40000, 0x1ff000, 0x200000, 0x20f000 };
	g_autoptr(GString) text = g_string_new(guest_text);

	for (gsize i = 0; i < G_N_ELEMENTS(pages); i++)
		g_string_append_printf(text, "u64 " X64 " " X64 "\nu64 " X64 " " X64 "\n", pages[i],
				       pages[i], pages[i] + 0xff8, pages[i] + 0xff8);
	return text_guest(text->str);
}

static VmifsAspace *
make_aspace(const guint *epoch)
{
	g_autoptr(VmifsPhysmem) mem = make_memory();

	return aspace_over(mem, 0x1000, epoch);
}

START_TEST(aspace_tells_what_it_is)
{
	g_autoptr(VmifsAspace) aspace = make_aspace(NULL);
	g_autoptr(VmifsAspace) other = vmifs_aspace_new_like(aspace, 0x7000, NULL, NULL);
	g_autoptr(VmifsAspace) same = vmifs_aspace_ref(aspace);

	ck_assert_ptr_eq(same, aspace);
	ck_assert_uint_eq(vmifs_aspace_root(aspace), 0x1000);
	ck_assert_str_eq(vmifs_aspace_mode(aspace), "x86_64 4-level");
	ck_assert_uint_eq(vmifs_aspace_user_end(aspace), 1ull << 47);
	ck_assert_uint_eq(vmifs_aspace_ptr_size(aspace), 8);
	ck_assert_uint_eq(vmifs_aspace_root(other), 0x7000);
	ck_assert_str_eq(vmifs_aspace_mode(other), vmifs_aspace_mode(aspace));
	ck_assert_ptr_eq(vmifs_aspace_physmem(other), vmifs_aspace_physmem(aspace));
}
END_TEST

/* ---- translation ---- */

static const struct {
	guint64 va, pa, len;
	guint shift;
	guint32 perms;
} found[] = {
	{ VA_FIRST, 0x10000, PAGE, 12, 0xf },
	{ VA_FIRST + 0xfff, 0x10fff, 1, 12, 0xf },
	{ VA_SECOND + 8, 0x20008, PAGE - 8, 12, 0xf },
	{ VA_NEXT_TABLE + PAGE, 0x32000, PAGE, 12, 0xd },
	{ VA_MMIO, 0xfee00000, PAGE, 12, 0xf },
	{ VA_LARGE + 0x12345, 0x212345, 0x1edcbb, 21, 0xf },
	{ G_MAXUINT64, 0x40fff, 1, 12, 0xf },
};

START_TEST(translation_says_where_and_how_far)
{
	g_autoptr(VmifsAspace) aspace = make_aspace(NULL);

	/* The second time from the cache. */
	for (guint i = 0; i < 2; i++) {
		g_autoptr(GError) error = NULL;
		VmifsRange range;

		ck_assert(vmifs_aspace_translate(aspace, found[_i].va, &range, &error));
		ck_assert_uint_eq(range.va, found[_i].va);
		ck_assert_uint_eq(range.pa, found[_i].pa);
		ck_assert_uint_eq(range.len, found[_i].len);
		ck_assert_uint_eq(range.page_shift, found[_i].shift);
		ck_assert_uint_eq(range.level, found[_i].shift == 12 ? 1 : 2);
		ck_assert_uint_eq(range.perms, found[_i].perms);
		ck_assert_int_eq(range.kind, VMIFS_RANGE_PAGE);
		ck_assert_ptr_null(error);
	}
}
END_TEST

static const struct {
	guint64 va;
	VmifsError code;
	const char *message;
} lost[] = {
	{ VA_HOLE, VMIFS_ERROR_HOLE, "walk 0x402000: level 1: no entry" },
	{ 0x800000000000, VMIFS_ERROR_HOLE, "walk 0x800000000000: no address of x86_64 4-level" },
	{ 0x8000000000, VMIFS_ERROR_HOLE, "walk 0x8000000000: level 4: no entry" },
	{ VA_SWAPPED + 1, VMIFS_ERROR_HOLE,
	  "walk 0x404001: level 1: not present (entry 0x5a5a00)" },
	{ VA_LOST + 5, VMIFS_ERROR_CORRUPT,
	  "walk 0xc00005: table page 0x12345000 (level 1): not RAM" },
	{ VA_BAD, VMIFS_ERROR_CORRUPT,
	  "walk 0x40000000: table page 0x2000: entry 0x4000e7 of level 3 makes no sense" },
};

START_TEST(translation_says_why_not)
{
	g_autoptr(VmifsAspace) aspace = make_aspace(NULL);
	VmifsRange range = { .pa = 77 };
	GError *error = NULL;
	guint8 byte = 77;

	for (guint i = 0; i < 2; i++) {
		ck_assert(!vmifs_aspace_translate(aspace, lost[_i].va, &range, &error));
		assert_error(error, lost[_i].code, lost[_i].message);
		ck_assert(!vmifs_aspace_read_u8(aspace, lost[_i].va, &byte, &error));
		assert_error(error, lost[_i].code, lost[_i].message);
	}
	ck_assert(!vmifs_aspace_translate(aspace, lost[_i].va, &range, NULL));
	ck_assert_uint_eq(range.pa, 77);
	ck_assert_uint_eq(byte, 77);
}
END_TEST

START_TEST(root_that_is_no_memory_is_said_to_be)
{
	g_autoptr(VmifsAspace) aspace = make_aspace(NULL);
	g_autoptr(VmifsAspace) other = vmifs_aspace_new_like(aspace, 0x300000, NULL, NULL);
	GError *error = NULL;
	guint64 n;

	ck_assert(!vmifs_aspace_read_u64(other, 0, &n, &error));
	assert_error(error, VMIFS_ERROR_CORRUPT, "table page 0x300000 (level 4): not RAM");
}
END_TEST

/* ---- bytes ---- */

static guint64
u64_at(const guint8 *bytes)
{
	return vmifs_load_u64(bytes);
}

START_TEST(read_joins_pages_that_lie_apart)
{
	g_autoptr(VmifsAspace) aspace = make_aspace(NULL);
	guint8 buf[2 * PAGE];

	/* Short, through the cache; long, by a walk. */
	ck_assert(vmifs_aspace_read(aspace, VA_FIRST + 0xff8, buf, 16, NULL));
	ck_assert_uint_eq(u64_at(buf), 0x10ff8);
	ck_assert_uint_eq(u64_at(buf + 8), 0x20000);
	ck_assert(vmifs_aspace_read(aspace, VA_FIRST, buf, sizeof buf, NULL));
	ck_assert_uint_eq(u64_at(buf), 0x10000);
	ck_assert_uint_eq(u64_at(buf + PAGE), 0x20000);
	ck_assert_uint_eq(u64_at(buf + 2 * PAGE - 8), 0x20ff8);
}
END_TEST

START_TEST(read_joins_tables_and_regions)
{
	g_autoptr(VmifsAspace) aspace = make_aspace(NULL);
	guint8 buf[3 * PAGE];

	ck_assert(vmifs_aspace_read(aspace, VA_END_OF_TABLE, buf, sizeof buf, NULL));
	ck_assert_uint_eq(u64_at(buf), 0x30000);
	ck_assert_uint_eq(u64_at(buf + PAGE), 0x31000);
	ck_assert_uint_eq(u64_at(buf + 3 * PAGE - 8), 0x32ff8);
	ck_assert(vmifs_aspace_read(aspace, VA_ACROSS, buf, 2 * PAGE, NULL));
	ck_assert_uint_eq(u64_at(buf), 0x1ff000);
	ck_assert_uint_eq(u64_at(buf + PAGE), 0x200000);
}
END_TEST

static const struct {
	guint64 va;
	gsize want, get; /* get 0 = not even the first byte */
	VmifsError code;
	const char *message;
} cut[] = {
	{ VA_FIRST, 0, 0, 0, NULL },
	{ VA_FIRST, 16, 16, 0, NULL },
	{ VA_SECOND + 0xff8, 8, 8, 0, NULL },
	{ VA_SECOND + 0xff8, 9, 8, VMIFS_ERROR_HOLE, "walk 0x402000: level 1" },
	{ VA_FIRST, 3 * PAGE, 2 * PAGE, VMIFS_ERROR_HOLE, "walk 0x402000: level 1" },
	{ VA_MMIO, 8, 0, VMIFS_ERROR_HOLE, "walk 0x403000: address 0xfee00000 is not RAM" },
	{ VA_MMIO, 2 * PAGE, 0, VMIFS_ERROR_HOLE, "walk 0x403000: address 0xfee00000" },
	{ VA_AFTER, 4 * PAGE, 2 * PAGE, VMIFS_ERROR_HOLE, "walk 0x407000: level 1" },
	{ VA_LARGE + 0xf000, 0x1000, 0x1000, 0, NULL },
	{ VA_LARGE + 0xf000, 0x3000, 0x1000, VMIFS_ERROR_HOLE, "walk 0x810000: address 0x210000" },
	{ VA_LARGE + 0xfff8, 16, 8, VMIFS_ERROR_HOLE, "walk 0x810000: address 0x210000" },
	{ VA_LARGE + 0x10000, 16, 0, VMIFS_ERROR_HOLE, "walk 0x810000: address 0x210000" },
	{ VA_ODD + 0x200, 0x40, 0x34, VMIFS_ERROR_HOLE, "walk 0xa02234: address 0x601234" },
	{ VA_LOST, 8, 0, VMIFS_ERROR_CORRUPT, "table page 0x12345000" },
	{ VA_LOST, 8 * PAGE, 0, VMIFS_ERROR_CORRUPT, "table page 0x12345000" },
	{ VA_LAST, PAGE, PAGE, 0, NULL },
	{ VA_LAST, 2 * PAGE, PAGE, VMIFS_ERROR_HOLE, "end at 2^64" },
	{ G_MAXUINT64, 2, 1, VMIFS_ERROR_HOLE, "end at 2^64" },
	{ G_MAXUINT64 - 7, 8, 8, 0, NULL },
};

START_TEST(read_is_all_or_nothing)
{
	g_autoptr(VmifsAspace) aspace = make_aspace(NULL);
	g_autofree guint8 *buf = g_malloc(cut[_i].want + 1);
	GError *error = NULL;

	if (cut[_i].get == cut[_i].want) {
		ck_assert(vmifs_aspace_read(aspace, cut[_i].va, buf, cut[_i].want, &error));
		ck_assert_ptr_null(error);
		return;
	}
	ck_assert(!vmifs_aspace_read(aspace, cut[_i].va, buf, cut[_i].want, &error));
	assert_error(error, cut[_i].code, cut[_i].message);
	ck_assert(!vmifs_aspace_read(aspace, cut[_i].va, buf, cut[_i].want, NULL));
}
END_TEST

START_TEST(read_some_stops_at_a_hole)
{
	g_autoptr(VmifsAspace) aspace = make_aspace(NULL);
	g_autofree guint8 *buf = g_malloc(cut[_i].want + 1);
	GError *error = NULL;

	ck_assert_uint_eq(vmifs_aspace_read_some(aspace, cut[_i].va, buf, cut[_i].want, &error),
			  cut[_i].get);
	if (cut[_i].get || !cut[_i].want)
		ck_assert_ptr_null(error);
	else
		assert_error(error, cut[_i].code, cut[_i].message);
	ck_assert_uint_eq(vmifs_aspace_read_some(aspace, cut[_i].va, buf, cut[_i].want, NULL),
			  cut[_i].get);
}
END_TEST

/* Bytes of the list in one piece. */
static guint8 *
copy_of(const VmifsSegments *segments)
{
	guint8 *bytes = g_malloc(segments->len + 1);

	vmifs_segments_copy(segments, bytes);
	return bytes;
}

START_TEST(gather_stops_at_a_hole)
{
	g_autoptr(VmifsAspace) aspace = make_aspace(NULL);
	g_auto(VmifsSegments) segments;
	g_autofree guint8 *got = NULL;
	g_autofree guint8 *wanted = g_malloc(cut[_i].want + 1);
	GError *error = NULL;

	vmifs_segments_init(&segments);
	vmifs_segments_add_zeros(&segments, 3); /* what stands there already does not count */
	ck_assert_uint_eq(vmifs_aspace_gather(aspace, cut[_i].va, cut[_i].want,
					      VMIFS_GATHER_STOP_AT_HOLE, &segments, NULL, &error),
			  cut[_i].get);
	ck_assert_uint_eq(segments.len, 3 + cut[_i].get);
	if (cut[_i].get || !cut[_i].want)
		ck_assert_ptr_null(error);
	else
		assert_error(error, cut[_i].code, cut[_i].message);
	got = copy_of(&segments);
	vmifs_aspace_read_some(aspace, cut[_i].va, wanted, cut[_i].get, NULL);
	ck_assert_mem_eq(got + 3, wanted, cut[_i].get);
}
END_TEST

START_TEST(gather_fills_holes_with_zeros)
{
	g_autoptr(VmifsAspace) aspace = make_aspace(NULL);
	g_auto(VmifsSegments) segments;
	g_autofree guint8 *got = NULL;
	g_autoptr(GError) error = NULL;
	static const guint8 zeros[3 * PAGE];

	vmifs_segments_init(&segments);
	ck_assert_uint_eq(vmifs_aspace_gather(aspace, VA_FIRST, VA_LOST - VA_FIRST,
					      VMIFS_GATHER_ZERO_HOLES, &segments, NULL, &error),
			  VA_LOST - VA_FIRST);
	ck_assert_ptr_null(error);
	got = copy_of(&segments);
	ck_assert_uint_eq(u64_at(got), 0x10000);
	/* A hole, a page that is no RAM, a page that is not present. */
	ck_assert_mem_eq(got + (VA_HOLE - VA_FIRST), zeros, sizeof zeros);
	ck_assert_uint_eq(u64_at(got + (VA_AFTER - VA_FIRST)), 0x21000);
	ck_assert_uint_eq(u64_at(got + (VA_LARGE - VA_FIRST)), 0x200000);
	ck_assert_uint_eq(u64_at(got + (VA_LARGE + 0xfff8 - VA_FIRST)), 0x20fff8);
	ck_assert_mem_eq(got + (VA_LARGE + 0x10000 - VA_FIRST), zeros, sizeof zeros);
	ck_assert_uint_eq(u64_at(got + (VA_ACROSS + PAGE - VA_FIRST)), 0x200000);
}
END_TEST

START_TEST(damage_is_no_hole_to_be_filled)
{
	g_autoptr(VmifsAspace) aspace = make_aspace(NULL);
	g_auto(VmifsSegments) segments;
	GError *error = NULL;

	vmifs_segments_init(&segments);
	ck_assert_uint_eq(vmifs_aspace_gather(aspace, VA_LOST - PAGE, 2 * PAGE,
					      VMIFS_GATHER_ZERO_HOLES, &segments, NULL, &error),
			  PAGE);
	ck_assert_ptr_null(error);
	ck_assert_uint_eq(vmifs_aspace_gather(aspace, VA_LOST, PAGE, VMIFS_GATHER_ZERO_HOLES,
					      &segments, NULL, &error),
			  0);
	assert_error(error, VMIFS_ERROR_CORRUPT, "walk 0xc00000: table page 0x12345000");
}
END_TEST

START_TEST(gather_goes_over_the_end_of_no_address)
{
	g_autoptr(VmifsAspace) aspace = make_aspace(NULL);
	g_auto(VmifsSegments) segments;

	vmifs_segments_init(&segments);
	ck_assert_uint_eq(vmifs_aspace_gather(aspace, 0 - 3 * PAGE, G_MAXSIZE,
					      VMIFS_GATHER_ZERO_HOLES, &segments, NULL, NULL),
			  3 * PAGE);
}
END_TEST

START_TEST(gather_asks_whether_anybody_waits)
{
	g_autoptr(VmifsAspace) aspace = make_aspace(NULL);
	g_auto(VmifsSegments) segments;
	const gint cancelled = 1;
	VmifsCall call = { .cancelled = &cancelled };
	GError *error = NULL;

	vmifs_segments_init(&segments);
	ck_assert_uint_eq(vmifs_aspace_gather(aspace, VA_FIRST, 16, 0, &segments, &call, &error),
			  0);
	assert_error(error, VMIFS_ERROR_CANCELLED, "given up");
	ck_assert_uint_eq(segments.len, 0);
}
END_TEST

/* ---- numbers and strings ---- */

START_TEST(numbers_are_little_endian)
{
	g_autoptr(VmifsPhysmem) mem = text_guest("ram 0 64K\nu64 0x1000 0x2067\nu64 0x2000 0x3067\n"
						 "u64 0x3000 0x4067\nu64 0x4000 0x5067 0x8067\n"
						 "bytes 0x5000 01 82 03 84 05 86 07 88\n"
						 "bytes 0x5ffc 01 02 03 04\n"
						 "bytes 0x8000 05 06 07 88\n");
	VmifsMode narrow = vmifs_archs[0]->modes[0];
	VmifsPaging paging = { .mode = &vmifs_archs[0]->modes[0], .root = 0x1000 };
	g_autoptr(VmifsAspace) aspace = vmifs_aspace_new(mem, &paging, NULL);
	g_autoptr(VmifsAspace) aspace32 = NULL;
	guint8 n8;
	guint16 n16;
	guint32 n32;
	guint64 n64;

	ck_assert(vmifs_aspace_read_u8(aspace, 1, &n8, NULL));
	ck_assert_uint_eq(n8, 0x82);
	ck_assert(vmifs_aspace_read_u16(aspace, 0, &n16, NULL));
	ck_assert_uint_eq(n16, 0x8201);
	ck_assert(vmifs_aspace_read_u32(aspace, 0, &n32, NULL));
	ck_assert_uint_eq(n32, 0x84038201);
	ck_assert(vmifs_aspace_read_u64(aspace, 0, &n64, NULL));
	ck_assert_uint_eq(n64, 0x8807860584038201);
	ck_assert(vmifs_aspace_read_u64(aspace, 0xffc, &n64, NULL));
	ck_assert_uint_eq(n64, 0x8807060504030201);
	ck_assert(vmifs_aspace_read_ptr(aspace, 0xffc, &n64, NULL));
	ck_assert_uint_eq(n64, 0x8807060504030201);

	narrow.ptr_size = 4;
	paging.mode = &narrow;
	aspace32 = vmifs_aspace_new(mem, &paging, NULL);
	ck_assert(vmifs_aspace_read_ptr(aspace32, 0, &n64, NULL));
	ck_assert_uint_eq(n64, 0x84038201);
}
END_TEST

START_TEST(failed_numbers_leave_their_place_alone)
{
	g_autoptr(VmifsAspace) aspace = make_aspace(NULL);
	VmifsMode narrow = vmifs_archs[0]->modes[0];
	VmifsPaging paging = { .mode = &narrow, .root = 0x1000 };
	g_autoptr(VmifsAspace) aspace32 = NULL;
	guint8 n8 = 77;
	guint16 n16 = 77;
	guint32 n32 = 77;
	guint64 n64 = 77;

	narrow.ptr_size = 4;
	aspace32 = vmifs_aspace_new(vmifs_aspace_physmem(aspace), &paging, NULL);
	ck_assert(!vmifs_aspace_read_u8(aspace, VA_HOLE, &n8, NULL));
	ck_assert(!vmifs_aspace_read_u16(aspace, VA_HOLE - 1, &n16, NULL));
	ck_assert(!vmifs_aspace_read_u32(aspace, VA_HOLE - 1, &n32, NULL));
	ck_assert(!vmifs_aspace_read_u64(aspace, VA_HOLE - 1, &n64, NULL));
	ck_assert(!vmifs_aspace_read_ptr(aspace, VA_HOLE - 1, &n64, NULL));
	ck_assert(!vmifs_aspace_read_ptr(aspace32, VA_HOLE - 1, &n64, NULL));
	ck_assert_uint_eq(n8, 77);
	ck_assert_uint_eq(n16, 77);
	ck_assert_uint_eq(n32, 77);
	ck_assert_uint_eq(n64, 77);
}
END_TEST

/* At 0 a short string; at 0x1f00 one that runs over several pieces into the next page; at 0x2ffc
 * one that a hole ends; at the end of all addresses one without an end. */
static VmifsAspace *
make_strings(void)
{
	g_autoptr(GString) text = g_string_new(
		"ram 0 64K\nu64 0x1000 0x2067\nu64 0x1ff8 0x2067\nu64 0x2000 0x3067\nu64 0x2ff8 0x3067\n"
		"u64 0x3000 0x4067\nu64 0x3ff8 0x4067\nu64 0x4000 0x5067 0x6067 0x7067\n"
		"u64 0x4ff8 0x8067\nstring 0x5000 \"swapper/0\\0junk\"\n"
		"fill 0x6f00 0x100 0x61\nfill 0x7000 0x180 0x62\nstring 0x7180 \"c\\0\"\n"
		"string 0x7ffc \"cut!\"\nfill 0x8f00 0x100 0x64\n");
	g_autoptr(VmifsPhysmem) mem = text_guest(text->str);
	VmifsPaging paging = { .mode = &vmifs_archs[0]->modes[0], .root = 0x1000 };

	return vmifs_aspace_new(mem, &paging, NULL);
}

static const struct {
	guint64 va;
	gsize max, len;
	const char *start;
} strings[] = {
	{ 0, 100, 9, "swapper/0" },
	{ 0, 9, 9, "swapper/0" },
	{ 0, 8, 8, "swapper/" },
	{ 0, 0, 0, "" },
	{ 9, 100, 0, "" },
	{ 3, G_MAXSIZE, 6, "pper/0" },
	{ 0x1f00, 4096, 0x281, "aaaa" },
	{ 0x1f00, 0x280, 0x280, "aaaa" },
	{ 0x1f00, 0x101, 0x101, "aaaa" },
	{ 0x2ffc, 4096, 4, "cut!" },
	{ 0 - 0x100ull, 4096, 0x100, "dddd" },
	{ G_MAXUINT64, 4096, 1, "d" },
};

START_TEST(string_ends_at_nul_max_hole_or_the_last_address)
{
	g_autoptr(VmifsAspace) aspace = make_strings();
	g_autoptr(GError) error = NULL;
	g_autofree char *got =
		vmifs_aspace_read_string(aspace, strings[_i].va, strings[_i].max, &error);

	ck_assert_ptr_null(error);
	ck_assert_ptr_nonnull(got);
	ck_assert_uint_eq(strlen(got), strings[_i].len);
	ck_assert(g_str_has_prefix(got, strings[_i].start));
}
END_TEST

START_TEST(string_needs_its_first_byte)
{
	g_autoptr(VmifsAspace) aspace = make_strings();
	GError *error = NULL;

	ck_assert_ptr_null(vmifs_aspace_read_string(aspace, 0x3000, 10, &error));
	assert_error(error, VMIFS_ERROR_HOLE, "walk 0x3000: level 1: no entry");
}
END_TEST

static Suite *
make_suite(void)
{
	Suite *s = suite_create("aspace");
	TCase *t = tcase_create("aspace");
	tcase_add_test(t, aspace_tells_what_it_is);
	tcase_add_loop_test(t, translation_says_where_and_how_far, 0, G_N_ELEMENTS(found));
	tcase_add_loop_test(t, translation_says_why_not, 0, G_N_ELEMENTS(lost));
	tcase_add_test(t, root_that_is_no_memory_is_said_to_be);
	tcase_add_test(t, read_joins_pages_that_lie_apart);
	tcase_add_test(t, read_joins_tables_and_regions);
	tcase_add_loop_test(t, read_is_all_or_nothing, 0, G_N_ELEMENTS(cut));
	tcase_add_loop_test(t, read_some_stops_at_a_hole, 0, G_N_ELEMENTS(cut));
	tcase_add_loop_test(t, gather_stops_at_a_hole, 0, G_N_ELEMENTS(cut));
	tcase_add_test(t, gather_fills_holes_with_zeros);
	tcase_add_test(t, damage_is_no_hole_to_be_filled);
	tcase_add_test(t, gather_goes_over_the_end_of_no_address);
	tcase_add_test(t, gather_asks_whether_anybody_waits);
	tcase_add_test(t, numbers_are_little_endian);
	tcase_add_test(t, failed_numbers_leave_their_place_alone);
	tcase_add_loop_test(t, string_ends_at_nul_max_hole_or_the_last_address, 0,
			    G_N_ELEMENTS(strings));
	tcase_add_test(t, string_needs_its_first_byte);
	suite_add_tcase(s, t);
	return s;
}

VMIFS_UNIT_MAIN(make_suite)
