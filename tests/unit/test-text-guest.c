/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* backends/text: every line of the format, every way to get it wrong. */
#include <unit.h>

#include <text-guest.h>
#include <vmifs/error.h>

static void
assert_bytes(VmifsPhysmem *mem, guint64 pa, const char *bytes, gsize len)
{
	g_autofree char *buf = g_malloc(len);
	g_autoptr(GError) error = NULL;

	ck_assert_msg(vmifs_physmem_read(mem, pa, buf, len, NULL, &error), "%s",
		      error ? error->message : "");
	ck_assert_mem_eq(buf, bytes, len);
}

static const struct {
	const char *line;
	const char *bytes;
	gsize len;
} contents[] = {
	{ "u8 0x1000 1 0xff", "\1\377\0", 3 },
	{ "u16 0x1000 0x1234 7", "\x34\x12\7\0\0", 5 },
	{ "u32 0x1000 0x12345678", "\x78\x56\x34\x12\0", 5 },
	{ "u64 4K 0x123456789abcdef0 1", "\xf0\xde\xbc\x9a\x78\x56\x34\x12\1\0", 10 },
	{ "u64 0x1000 0xffffffffffffffff", "\377\377\377\377\377\377\377\377", 8 },
	{ "bytes 0x1000 dead BEEF  01 # four and one", "\xde\xad\xbe\xef\1\0", 6 },
	{ "string 0x1000 \"a  b\\n\\t\\\\\\\"\\0\\x7f#c\"", "a  b\n\t\\\"\0\x7f#c\0", 13 },
	{ "string 0x1000 \"\"", "\0", 1 },
	{ "\tfill 0x1000 3 0xaa", "\xaa\xaa\xaa\0", 4 },
	{ "# nothing", "\0", 1 },
	{ "u8 0x1000 1\nu8 0x1000 2", "\2\0", 2 },
	{ "u8 0x1000 1\r\n", "\1\0", 2 },
};

START_TEST(lines_become_bytes)
{
	g_autofree char *lines =
		g_strdup_printf("ram 0 64K\n%s%s", contents[_i].line, _i % 2 ? "\n" : "");
	g_autoptr(VmifsPhysmem) mem = text_guest(lines);

	assert_bytes(mem, 0x1000, contents[_i].bytes, contents[_i].len);
}
END_TEST

START_TEST(layout_is_as_written)
{
	gsize n, n_blocks;
	g_autoptr(VmifsPhysmem) mem = text_guest("rom 0xfffc0000 256K bios\n"
						 "ram 4G 1G pc.ram+0x80000000\n"
						 "ram 0 2G pc.ram\n"
						 "ram 0x200000000 4096\n");
	const VmifsRegion *r = vmifs_physmem_regions(mem, &n);
	const VmifsBlock *b = vmifs_physmem_blocks(mem, &n_blocks);

	ck_assert_uint_eq(n, 4);
	ck_assert_uint_eq(r[0].pa, 0);
	ck_assert_uint_eq(r[0].len, 2ULL << 30);
	ck_assert_uint_eq(r[0].offset, 0);
	ck_assert_int_eq(r[0].kind, VMIFS_REGION_RAM);
	ck_assert_uint_eq(r[1].pa, 0xfffc0000);
	ck_assert_int_eq(r[1].kind, VMIFS_REGION_ROM);
	ck_assert_uint_eq(r[2].pa, 4ULL << 30);
	ck_assert_uint_eq(r[2].offset, 2ULL << 30);
	ck_assert_uint_eq(r[2].block, r[0].block);
	ck_assert_uint_eq(n_blocks, 3);
	ck_assert_str_eq(b[r[0].block].name, "pc.ram");
	ck_assert_uint_eq(b[r[0].block].len, 3ULL << 30);
	ck_assert_str_eq(b[r[1].block].name, "bios");
	ck_assert_str_eq(b[r[3].block].name, "ram2");
	ck_assert_int_eq(b[0].fd, -1);
}
END_TEST

START_TEST(memory_without_a_name_is_a_block_of_its_own)
{
	gsize n;
	g_autoptr(VmifsPhysmem) mem = text_guest("ram 0 4K ram1\nram 4K 4K\nu8 0 1\n");

	vmifs_physmem_blocks(mem, &n);
	ck_assert_uint_eq(n, 2);
	assert_bytes(mem, 4096, "\0", 1);
}
END_TEST

START_TEST(content_may_cross_pages_and_regions)
{
	g_autoptr(VmifsPhysmem) mem = text_guest("ram 0 0x1800 a\n"
						 "ram 0x1800 0x1000 b\n"
						 "fill 0xfff 0x802 0x11\n");
	guint8 buf[0x804];

	ck_assert(vmifs_physmem_read(mem, 0xffe, buf, sizeof buf, NULL, NULL));
	ck_assert_uint_eq(buf[0], 0);
	for (gsize i = 1; i < 0x803; i++)
		ck_assert_uint_eq(buf[i], 0x11);
	ck_assert_uint_eq(buf[0x803], 0);
}
END_TEST

START_TEST(two_places_may_show_the_same_bytes)
{
	g_autoptr(VmifsPhysmem) mem =
		text_guest("ram 0 64K x\nram 1M 64K x\nu32 0x100010 0x1234\n");

	assert_bytes(mem, 0x10, "\x34\x12", 2);
}
END_TEST

START_TEST(only_written_pages_exist)
{
	g_autoptr(VmifsPhysmem) mem = text_guest("ram 0 1T\nu8 0x3000 1\nu8 0x4fff 1\nu8 1G 1\n");
	guint64 at;

	ck_assert_uint_eq(vmifs_physmem_allocated(mem), 3 * 4096);
	ck_assert(vmifs_physmem_seek(mem, 0, TRUE, &at));
	ck_assert_uint_eq(at, 0x3000);
	ck_assert(vmifs_physmem_seek(mem, 0x3000, FALSE, &at));
	ck_assert_uint_eq(at, 0x5000);
	ck_assert(vmifs_physmem_seek(mem, 0x5001, TRUE, &at));
	ck_assert_uint_eq(at, 1 << 30);
	ck_assert(!vmifs_physmem_seek(mem, (1 << 30) + 4096, TRUE, &at));
	ck_assert(vmifs_physmem_seek(mem, 0x3001, TRUE, &at));
	ck_assert_uint_eq(at, 0x3001);
}
END_TEST

static const struct {
	const char *lines;
	const char *message;
} mistakes[] = {
	{ "", "describes no memory" },
	{ "ram 0 1M\nfoo 1 2", "line 3: 'foo' is not known" },
	{ "ram 0", "line 2: START LENGTH" },
	{ "ram 0 1 2 3", "line 2: START LENGTH" },
	{ "ram 0 0", "not possible" },
	{ "ram x 1", "'x' is not a number" },
	{ "ram 0x 1", "'0x' is not a number" },
	{ "ram -1 1", "'-1' is not a number" },
	{ "ram 0 1Kb", "'1Kb' is not a number" },
	{ "ram 0 0x10000000000000000", "does not fit into 64 bits" },
	{ "ram 0 99999999T", "does not fit into 64 bits" },
	{ "ram 0xffffffffffffffff 2", "not possible" },
	{ "ram 0 1M\nram 0xfffff 1M", "line 3: memory overlaps" },
	{ "ram 1M 1M\nram 0xfffff 2", "line 3: memory overlaps" },
	{ "ram 1M 1M\nram 0 4M", "line 3: memory overlaps" },
	{ "ram 0 1M a/b", "cannot be the name of a file" },
	{ "ram 0 1M ..", "cannot be the name of a file" },
	{ "ram 0 1M a+0xffffffffffffffff", "at most 2^56" },
	{ "ram 0 0x100000000000001", "at most 2^56" },
	{ "u8 0 1", "line 2: no memory at 0" },
	{ "ram 0 4K\nu64 0xffc 1", "no memory at 0x1000" },
	{ "ram 0 4K\nu8 0 0x100", "has more than 1 byte" },
	{ "ram 0 4K\nu32 0 0x100000000", "has more than 4 bytes" },
	{ "ram 0 4K\nu8 0", "ADDRESS VALUE" },
	{ "ram 0 4K\nbytes 0 abc", "pairs of hex" },
	{ "ram 0 4K\nbytes 0 zz", "pairs of hex" },
	{ "ram 0 4K\nbytes 0", "ADDRESS HEX" },
	{ "ram 0 4K\nstring 0 abc", "ADDRESS \"TEXT\"" },
	{ "ram 0 4K\nstring 0", "ADDRESS \"TEXT\"" },
	{ "ram 0 4K\nstring 0 \"abc", "does not end in a quote" },
	{ "ram 0 4K\nstring 0 \"abc\" d", "does not end in a quote" },
	{ "ram 0 4K\nstring 0 \"\\q\"", "an escape is one of" },
	{ "ram 0 4K\nstring 0 \"\\x1\"", "an escape is one of" },
	{ "ram 0 4K\nstring 0 \"\\", "an escape is one of" },
	{ "ram 0 4K\nfill 0 1", "ADDRESS LENGTH BYTE" },
	{ "ram 0 4K\nfill 0 1 256", "has more than 1 byte" },
	{ "ram 0 1T\nfill 0 1T 1", "more than 65536 pages" },
	{ "ram 0 4K\nreg 0 rip", "VCPU NAME VALUE" },
	{ "ram 0 4K\nreg 64 rip 0", "more than 64 vCPUs" },
	{ "ram 0 4K\nreg 0 RIP 0", "line 3: RIP cannot be added" },
	{ "ram 0 4K\nreg 0 rip -1", "'-1' is not a number" },
};

START_TEST(mistakes_are_named_with_their_line)
{
	g_autoptr(GError) error = NULL;

	ck_assert_ptr_null(text_guest_try(mistakes[_i].lines, &error));
	ck_assert(g_error_matches(error, VMIFS_ERROR, VMIFS_ERROR_SOURCE));
	ck_assert_msg(strstr(error->message, mistakes[_i].message) != NULL, "%s", error->message);
	ck_assert(g_str_has_prefix(error->message, "test: text guest: "));
}
END_TEST

START_TEST(number_of_regions_is_bounded)
{
	g_autoptr(GString) lines = g_string_new(NULL);
	g_autoptr(GError) error = NULL;

	for (int i = 0; i < 257; i++)
		g_string_append_printf(lines, "ram %d 1\n", i);
	ck_assert_ptr_null(text_guest_try(lines->str, &error));
	ck_assert_ptr_nonnull(strstr(error->message, "line 258: more than 256"));
}
END_TEST

/* A guest can write that line to its first page. */
START_TEST(image_that_begins_like_one_is_refused_with_advice)
{
	static const char head[] = "vmifs-text-guest 1\n";
	VmifsSource src = { .spec = "big",
			    .fd = -1,
			    .len = (64 << 20) + 1,
			    .head = (const guint8 *) head,
			    .head_len = strlen(head) };
	g_autoptr(GError) error = NULL;

	ck_assert_int_eq(vmifs_backend_text.probe(&src), 100);
	ck_assert_ptr_null(vmifs_backend_text.open(&src, NULL, &error));
	ck_assert(g_error_matches(error, VMIFS_ERROR, VMIFS_ERROR_SOURCE));
	ck_assert_ptr_nonnull(strstr(error->message, "-o format=raw"));
}
END_TEST

START_TEST(other_files_are_not_taken)
{
	VmifsSource src = { .spec = "x", .fd = -1, .head = (const guint8 *) "vmifs-text" };

	for (src.head_len = 0; src.head_len < 10; src.head_len++)
		ck_assert_int_eq(vmifs_backend_text.probe(&src), 0);
}
END_TEST

static Suite *
make_suite(void)
{
	Suite *s = suite_create("text-guest");
	TCase *t = tcase_create("text-guest");
	tcase_add_loop_test(t, lines_become_bytes, 0, G_N_ELEMENTS(contents));
	tcase_add_test(t, layout_is_as_written);
	tcase_add_test(t, memory_without_a_name_is_a_block_of_its_own);
	tcase_add_test(t, content_may_cross_pages_and_regions);
	tcase_add_test(t, two_places_may_show_the_same_bytes);
	tcase_add_test(t, only_written_pages_exist);
	tcase_add_loop_test(t, mistakes_are_named_with_their_line, 0, G_N_ELEMENTS(mistakes));
	tcase_add_test(t, number_of_regions_is_bounded);
	tcase_add_test(t, image_that_begins_like_one_is_refused_with_advice);
	tcase_add_test(t, other_files_are_not_taken);
	suite_add_tcase(s, t);
	return s;
}

VMIFS_UNIT_MAIN(make_suite)
