/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* mtree: what QEMU prints of its memory, of machines that were asked and of some that lie. */
#include <unit.h>

#include <backends/qemu/mtree.h>

#include <fake-session.h>
#include <string.h>
#include <vmifs/error.h>

#define HEAD "FlatView #0\r\n AS \"memory\", root: system\r\n Root memory region: system\r\n"
#define ROW(first, last, what) "  00000000" first "-00000000" last " (prio 0, " what "\r\n"

static const QemuPiece *
piece_at(const GArray *pieces, guint index)
{
	ck_assert_uint_lt(index, pieces->len);
	return &g_array_index(pieces, QemuPiece, index);
}

static GArray *
parse(const char *text)
{
	g_autoptr(GError) error = NULL;
	GArray *pieces = qemu_mtree_parse(text, &error);
	ck_assert_msg(pieces != NULL, "%s", error ? error->message : "");
	return pieces;
}

static GArray *
ask(const char *session)
{
	g_autoptr(QemuMonitor) monitor = fake_monitor_new(session);
	g_autoptr(GError) error = NULL;
	GArray *pieces = qemu_mtree_ask(monitor, NULL, &error);
	ck_assert_msg(pieces != NULL, "%s", error ? error->message : "");
	return pieces;
}

static void
ask_fails(const char *session)
{
	g_autoptr(QemuMonitor) monitor = fake_monitor_new(session);
	g_autoptr(GError) error = NULL;
	ck_assert_ptr_null(qemu_mtree_ask(monitor, NULL, &error));
	ck_assert_msg(g_error_matches(error, VMIFS_ERROR, VMIFS_ERROR_CORRUPT), "%s",
		      error->message);
}

typedef struct {
	const char *session;
	guint n_pieces;
	guint64 ram; /* bytes of blocks that are the machine's RAM */
	const char *blocks[3];
	guint64 last_pa; /* of the last piece of those */
} Machine;

static const Machine machines[] = {
	{ "pc", 9, 512 << 20, { "pc.ram" }, 0x100000 },
	{ "q35", 9, 1024 << 20, { "pc.ram" }, 0x100000 },
	{ "microvm", 4, 256 << 20, { "microvm.ram" }, 0x100000 },
	{ "numa", 10, 1024 << 20, { "node0", "node1" }, 0x20000000 },
	{ "dimm", 10, 768 << 20, { "pc.ram", "plugged" }, 0x100000000 },
	{ "big", 10, G_GUINT64_CONSTANT(5120) << 20, { "pc.ram" }, 0x100000000 },
	{ "kvm", 10, G_GUINT64_CONSTANT(8192) << 20, { "pc.ram" }, 0x100000000 },
};

START_TEST(machines_are_read_as_they_are)
{
	const Machine *machine = &machines[_i];
	g_autofree char *session = fake_session(machine->session);
	g_autoptr(GArray) pieces = ask(session);
	g_autoptr(GHashTable) bases = g_hash_table_new(g_str_hash, g_str_equal);
	guint64 ram = 0, last_pa = 0;
	for (guint i = 0; i < pieces->len; i++) {
		const QemuPiece *piece = piece_at(pieces, i);
		gsize base = piece->address - piece->offset;
		/* All of a block lies in one place of the process. */
		gsize known = GPOINTER_TO_SIZE(g_hash_table_lookup(bases, piece->block));
		ck_assert(!known || known == base);
		g_hash_table_insert(bases, piece->block, GSIZE_TO_POINTER(base));
		if (!g_strv_contains(machine->blocks, piece->block))
			continue;
		ram += piece->len;
		last_pa = piece->pa;
	}
	ck_assert_uint_eq(pieces->len, machine->n_pieces);
	ck_assert_uint_eq(last_pa, machine->last_pa);
	/* But for the window of the VGA. */
	ck_assert_uint_ge(ram, machine->ram - 0x20000);
	ck_assert_uint_le(ram, machine->ram);
}
END_TEST

START_TEST(rom_is_told_from_ram)
{
	g_autofree char *session = fake_session("pc");
	g_autoptr(GArray) pieces = ask(session);
	const QemuPiece *low = piece_at(pieces, 0), *shadow = piece_at(pieces, 1);
	const QemuPiece *bios = piece_at(pieces, pieces->len - 1);
	ck_assert_int_eq(low->kind, VMIFS_REGION_RAM);
	ck_assert_uint_eq(low->len, 0xa0000);
	ck_assert_int_eq(shadow->kind, VMIFS_REGION_ROM);
	ck_assert_uint_eq(shadow->pa, 0xc0000);
	ck_assert_uint_eq(shadow->offset, 0xc0000);
	ck_assert_uint_eq(shadow->address - low->address, 0xc0000);
	ck_assert_str_eq(bios->block, "pc.bios");
	ck_assert_uint_eq(bios->pa + bios->len, G_GUINT64_CONSTANT(1) << 32);
}
END_TEST

START_TEST(kinds_of_rows)
{
	g_autoptr(GArray) pieces =
		parse(HEAD ROW("00000000", "00000fff", "ram): a") ROW(
			"00001000", "00001fff", "rom): b") ROW("00002000", "00002fff", "romd): c")
			      ROW("00003000", "00003fff", "nv-ram): d") ROW("00004000", "00004fff",
									    "nv-rom): e")
				      ROW("00005000", "00005fff", "ramd): f")
					      ROW("00006000", "00006fff", "i/o): g")
						      ROW("00007000", "00007fff", "container): h"));
	static const VmifsRegionKind kinds[] = { VMIFS_REGION_RAM, VMIFS_REGION_ROM,
						 VMIFS_REGION_ROM, VMIFS_REGION_RAM,
						 VMIFS_REGION_ROM };
	ck_assert_uint_eq(pieces->len, G_N_ELEMENTS(kinds));
	for (guint i = 0; i < pieces->len; i++)
		ck_assert_int_eq(piece_at(pieces, i)->kind, kinds[i]);
}
END_TEST

START_TEST(negative_priorities_are_no_reason)
{
	g_autoptr(GArray) pieces =
		parse(HEAD "  0000000000000000-0000000000000fff (prio -1000, ram): a\r\n");
	ck_assert_uint_eq(pieces->len, 1);
}
END_TEST

START_TEST(neighbours_are_one)
{
	g_autoptr(GArray) pieces = parse(
		HEAD ROW("00000000", "00000fff", "ram): a")
			ROW("00001000", "00001fff", "ram): a @0000000000001000")
				ROW("00002000", "00002fff", "ram): a @0000000000008000")
					ROW("00003000", "00003fff", "ram): b @0000000000009000"));
	ck_assert_uint_eq(pieces->len, 3);
	ck_assert_uint_eq(piece_at(pieces, 0)->len, 0x2000);
	ck_assert_uint_eq(piece_at(pieces, 1)->offset, 0x8000);
	ck_assert_str_eq(piece_at(pieces, 2)->block, "b");
}
END_TEST

START_TEST(only_the_systems_view_counts)
{
	g_autoptr(GArray) pieces = parse(
		"FlatView #0\n AS \"cpu-smm-0\", root: memory\n Root memory region: memory\n" ROW(
			"00000000", "0000ffff",
			"ram): smm") "FlatView #1\n AS \"cpu-memory-0\", root: system\n AS \"memory\", root: system\n"
				     " Root memory region: system\n" ROW("00000000", "00000fff", "ram): a") "FlatView #2\n AS \"dma\", root: bus master container\n" ROW(
					     "00000000", "0000ffff", "ram): dma"));
	ck_assert_uint_eq(pieces->len, 1);
	ck_assert_str_eq(piece_at(pieces, 0)->block, "a");
}
END_TEST

START_TEST(names_may_hold_anything)
{
	static const char session[] =
		"hmp info mtree -f\n"
		"\tFlatView #0\n"
		"\t AS \"memory\", root: system\n"
		"\t  0000000000000000-0000000000000fff (prio 0, ram): my ram (1) KVM KVM\n"
		"\t  0000000000001000-0000000000001fff (prio 0, ram): at @home @0000000000004000 KVM\n"
		"hmp gpa2hva 0x0\n\tHost virtual address for 0x0 (my ram (1) KVM) is 0x10000\n"
		"hmp gpa2hva 0xfff\n\tHost virtual address for 0xfff (my ram (1) KVM) is 0x10fff\n"
		"hmp gpa2hva 0x1000\n\tHost virtual address for 0x1000 (at @home) is 0x24000\n"
		"hmp gpa2hva 0x1fff\n\tHost virtual address for 0x1fff (at @home) is 0x24fff\n";
	g_autoptr(GArray) pieces = ask(session);
	ck_assert_uint_eq(pieces->len, 2);
	ck_assert_str_eq(piece_at(pieces, 0)->block, "my ram (1) KVM");
	ck_assert_uint_eq(piece_at(pieces, 0)->address, 0x10000);
	ck_assert_str_eq(piece_at(pieces, 1)->block, "at @home");
	ck_assert_uint_eq(piece_at(pieces, 1)->offset, 0x4000);
	ck_assert_uint_eq(piece_at(pieces, 1)->address, 0x24000);
}
END_TEST

START_TEST(nonsense_is_refused)
{
	static const char *const texts[] = {
		"",
		"unknown command: 'info mtree -f'\r\n",
		"FlatView #0\n AS \"I/O\", root: io\n" ROW("00000000", "00000fff", "ram): a"),
		HEAD,
		HEAD ROW("00001000", "00000fff", "ram): a"),
		HEAD "  0000000000000000-ffffffffffffffff (prio 0, ram): a\n",
		HEAD "  fffffffffffff000-ffffffffffffffff (prio 0, ram): a\n",
		HEAD ROW("00000000", "00000fff", "ram): a") ROW("00000fff", "00001fff", "ram): b"),
		HEAD ROW("00002000", "00002fff", "ram): a") ROW("00000000", "00000fff", "ram): b"),
		HEAD ROW("00000000", "00000fff", "ram): a @fffffffffffff800"),
		HEAD ROW("00000000", "00000fff", "ram): "),
		HEAD ROW("00000000", "00000fff", "ram): \xff @0000000000000000 KVM KVM @x\x1b[")
			ROW("00000000", "00000fff", "ram): a"),
	};
	for (gsize i = 0; i < G_N_ELEMENTS(texts); i++) {
		g_autoptr(GError) error = NULL;
		ck_assert_ptr_null(qemu_mtree_parse(texts[i], &error));
		ck_assert(g_error_matches(error, VMIFS_ERROR, VMIFS_ERROR_CORRUPT));
		ck_assert_ptr_null(strchr(error->message, 0x1b));
	}
}
END_TEST

START_TEST(too_many_rows_are_refused)
{
	g_autoptr(GString) text = g_string_new(HEAD);
	for (guint i = 0; i <= QEMU_MAX_PIECES; i++)
		g_string_append_printf(text, "  %08x-%08x (prio 0, ram): a\n", 2 * i, 2 * i);
	ck_assert_ptr_null(qemu_mtree_parse(text->str, NULL));
}
END_TEST

#define ONE_ROW                                                                                    \
	"hmp info mtree -f\n\tFlatView #0\n\t AS \"memory\", root: system\n"                       \
	"\t  0000000000000000-0000000000000fff (prio 0, ram): a\n"
#define ENDS(first, last) ONE_ROW "hmp gpa2hva 0x0\n\t" first "\nhmp gpa2hva 0xfff\n\t" last "\n"
#define FOR(pa, block, address) "Host virtual address for " pa " (" block ") is " address

START_TEST(addresses_that_do_not_fit_are_refused)
{
	static const char *const sessions[] = {
		ONE_ROW,
		ENDS("Memory at address 0x0 is not RAM", FOR("0xfff", "a", "0x1fff")),
		ENDS(FOR("0x0", "a", "0x1000"), FOR("0xfff", "a", "0x2fff")),
		ENDS(FOR("0x0", "a", "0x1000"), FOR("0xfff", "b", "0x1fff")),
		ENDS(FOR("0x0", "b", "0x1000"), FOR("0xfff", "b", "0x1fff")),
		ENDS(FOR("0x8", "a", "0x1000"), FOR("0xfff", "a", "0x1fff")),
		ENDS(FOR("0x0", "a", "0x0"), FOR("0xfff", "a", "0xfff")),
		ENDS(FOR("0x0", "a", "0xfffffffffffff800"), FOR("0xfff", "a", "0x7ff")),
		ENDS(FOR("0x0", "a", "(nil)"), FOR("0xfff", "a", "(nil)")),
		ENDS("", ""),
	};
	g_autoptr(GArray) pieces =
		ask(ENDS(FOR("0x0", "a", "0x1000"), FOR("0xfff", "a", "0x1fff")));
	ck_assert_uint_eq(pieces->len, 1);
	for (gsize i = 0; i < G_N_ELEMENTS(sessions); i++)
		ask_fails(sessions[i]);
}
END_TEST

START_TEST(memory_that_moves_is_asked_for_again)
{
	/* The row has moved when its address is asked for. */
	static const char session[] =
		"hmp info mtree -f\n\tFlatView #0\n\t AS \"memory\", root: system\n"
		"\t  0000000000008000-0000000000008fff (prio 0, ram): a\n"
		"hmp gpa2hva 0x8000\n\tNo memory is mapped at address 0x8000\n"
		"hmp gpa2hva 0x8fff\n\tNo memory is mapped at address 0x8fff\n" ENDS(
			FOR("0x0", "a", "0x1000"), FOR("0xfff", "a", "0x1fff"));
	g_autoptr(GArray) pieces = ask(session);
	ck_assert_uint_eq(pieces->len, 1);
	ck_assert_uint_eq(piece_at(pieces, 0)->pa, 0);
}
END_TEST

static Suite *
mtree_suite(void)
{
	Suite *s = suite_create("qemu-mtree");
	TCase *real = tcase_create("recorded");
	tcase_add_loop_test(real, machines_are_read_as_they_are, 0, (int) G_N_ELEMENTS(machines));
	tcase_add_test(real, rom_is_told_from_ram);
	suite_add_tcase(s, real);
	TCase *text = tcase_create("text");
	tcase_add_test(text, kinds_of_rows);
	tcase_add_test(text, negative_priorities_are_no_reason);
	tcase_add_test(text, neighbours_are_one);
	tcase_add_test(text, only_the_systems_view_counts);
	tcase_add_test(text, names_may_hold_anything);
	suite_add_tcase(s, text);
	TCase *bad = tcase_create("bad ones");
	tcase_add_test(bad, nonsense_is_refused);
	tcase_add_test(bad, too_many_rows_are_refused);
	tcase_add_test(bad, addresses_that_do_not_fit_are_refused);
	tcase_add_test(bad, memory_that_moves_is_asked_for_again);
	suite_add_tcase(s, bad);
	return s;
}

VMIFS_UNIT_MAIN(mtree_suite)
