/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* qemu/rules, qemu/acpi: where RAM is when no monitor tells, and no guess without a proof. */
#include <backends/qemu/acpi.h>
#include <backends/qemu/rules.h>
#include <other-process.h>
#include <unit.h>

#include <string.h>
#include <vmifs/error.h>

#define MIB ((guint64) 1 << 20)
#define GIB ((guint64) 1 << 30)

typedef struct {
	OtherProcess *other;
	QemuProcess *process;
	QemuArgs *args;
} Guest;

/* arguments: separated by blanks. */
static Guest
guest_new(guint64 len, const char *arguments)
{
	g_autofree char *bytes = g_strconcat("qemu-system-x86_64 ", arguments, NULL);
	gsize n = strlen(bytes) + 1;
	Guest guest = { .other = other_process_new(OTHER_ANONYMOUS, len) };

	g_strdelimit(bytes, " ", '\0');
	guest.args = qemu_args_parse(bytes, n);
	guest.process = qemu_process_open(other_process_pid(guest.other), 0, TRUE, NULL);
	ck_assert_ptr_nonnull(guest.process);
	return guest;
}

static void
guest_clear(Guest *guest)
{
	qemu_process_close(guest->process);
	qemu_args_free(guest->args);
	other_process_free(guest->other);
}

static void
put(const Guest *guest, guint64 address, gconstpointer bytes, gsize len)
{
	QemuTransfer io = { address, (gpointer) bytes, len, 0 };

	ck_assert_uint_eq(qemu_process_write(guest->process, &io, 1), 1);
}

static void
sum_up(guint8 *bytes, gsize len, gsize at)
{
	guint8 sum = 0;

	bytes[at] = 0;
	for (gsize i = 0; i < len; i++)
		sum = (guint8) (sum + bytes[i]);
	bytes[at] = (guint8) -sum;
}

/* Two tables and the root at that offset of RAM, which is the address they have there. */
static void
put_tables(const Guest *guest, guint64 memory, guint64 offset, gboolean is_wide)
{
	guint8 root[52] = "RSDT", table[40] = "FACP";
	gsize size = is_wide ? 8 : 4, len = 36 + 2 * size;

	root[0] = is_wide ? 'X' : 'R';
	root[4] = (guint8) len;
	table[4] = sizeof table;
	sum_up(table, sizeof table, 9);
	for (guint i = 0; i < 2; i++) {
		guint64 at = GUINT64_TO_LE(offset + 0x1000 + i * 64);
		memcpy(root + 36 + i * size, &at, size);
		put(guest, memory + offset + 0x1000 + i * 64, table, sizeof table);
	}
	sum_up(root, len, 9);
	put(guest, memory + offset, root, len);
}

/* What SeaBIOS leaves below 1 MiB. */
static void
put_pointer(const Guest *guest, guint64 memory, guint64 pa)
{
	guint8 rsdp[20] = "RSD PTR ";
	guint32 at = GUINT32_TO_LE((guint32) pa);

	memcpy(rsdp + 16, &at, 4);
	sum_up(rsdp, sizeof rsdp, 8);
	put(guest, memory + 0xf5a20, rsdp, sizeof rsdp);
}

static GArray *
find(const Guest *guest, GError **error)
{
	g_autofree char *text = qemu_process_maps(guest->process, NULL), *how = NULL;
	g_autoptr(GArray) maps = qemu_maps_parse(text);
	GArray *pieces = NULL;

	if (!qemu_rules_find(guest->args, guest->process, maps, &pieces, &how, NULL, error))
		return NULL;
	ck_assert_ptr_nonnull(strstr(how, "ACPI"));
	return pieces;
}

static void
check_piece(const GArray *pieces, guint i, guint64 pa, guint64 len, guint64 offset, guint64 address)
{
	const QemuPiece *piece = &g_array_index(pieces, QemuPiece, i);

	ck_assert_uint_eq(piece->pa, pa);
	ck_assert_uint_eq(piece->len, len);
	ck_assert_uint_eq(piece->offset, offset);
	ck_assert_uint_eq(piece->address, address);
	ck_assert_int_eq(piece->kind, VMIFS_REGION_RAM);
}

static const struct {
	const char *arguments;
	guint64 ram, low;
	gboolean is_microvm;
} layouts[] = {
	{ "-M pc -m 64", 64 * MIB, 64 * MIB, FALSE },
	{ "-m 3G", 3 * GIB, 3 * GIB, FALSE },
	{ "-M pc-i440fx-7.2 -m 4G", 4 * GIB, 0xc0000000, FALSE },
	{ "-M pc-i440fx-1.7 -m 4G", 4 * GIB, 0xe0000000, FALSE },
	{ "-M pc,max-ram-below-4g=1G -m 4G", 4 * GIB, 1 * GIB, FALSE },
	{ "-M q35 -m 1G", 1 * GIB, 1 * GIB, FALSE },
	{ "-M q35 -m 3G", 3 * GIB, 0x80000000, FALSE },
	{ "-M pc-q35-7.2 -m 2G", 2 * GIB, 2 * GIB, FALSE },
	{ "-M microvm -m 256", 256 * MIB, 256 * MIB, TRUE },
	{ "-M microvm -m 4G", 4 * GIB, 3 * GIB, TRUE },
};

START_TEST(memory_lies_where_the_rules_say)
{
	guint64 ram = layouts[_i].ram, low = layouts[_i].low;
	/* No process of a host with 32 bits has as much. */
	if (ram > G_MAXSIZE / 4)
		return;
	Guest guest = guest_new(ram, layouts[_i].arguments);
	guint64 memory = other_process_address(guest.other);
	g_autoptr(GError) error = NULL;

	/* Below the end of low RAM, as SeaBIOS has it; or as UEFI has it. */
	put_tables(&guest, memory, low - 0x1ee40, _i % 2);
	if (_i % 3)
		put_pointer(&guest, memory, low - 0x1ee40);
	g_autoptr(GArray) pieces = find(&guest, &error);
	ck_assert_msg(pieces != NULL, "%s: %s", layouts[_i].arguments, error ? error->message : "");
	guint n = 0;
	if (layouts[_i].is_microvm) {
		check_piece(pieces, n++, 0, low, 0, memory);
	} else {
		check_piece(pieces, n++, 0, 0xa0000, 0, memory);
		check_piece(pieces, n++, 0xc0000, low - 0xc0000, 0xc0000, memory + 0xc0000);
	}
	if (ram > low)
		check_piece(pieces, n++, 4 * GIB, ram - low, low, memory + low);
	ck_assert_uint_eq(pieces->len, n);
	guest_clear(&guest);
}
END_TEST

START_TEST(nodes_that_look_the_same_are_told_apart)
{
	Guest guest = guest_new(GIB, "-M q35 -m 2G -object memory-backend-ram,id=m0,size=1G "
				     "-object memory-backend-ram,id=m1,size=1G "
				     "-numa node,nodeid=1,memdev=m1 -numa node,nodeid=0,memdev=m0");
	guint64 one = other_process_address(guest.other);
	guint64 other = other_process_plug(guest.other, GIB);
	/* Whichever of them is the second. */
	guint64 first = _i ? one : other, second = _i ? other : one;
	g_autoptr(GError) error = NULL;

	put_tables(&guest, second - GIB, 2 * GIB - 0x20000, FALSE);
	put_pointer(&guest, first, 2 * GIB - 0x20000);
	g_autoptr(GArray) pieces = find(&guest, &error);
	ck_assert_msg(pieces != NULL, "%s", error ? error->message : "");
	ck_assert_uint_eq(pieces->len, 3);
	check_piece(pieces, 0, 0, 0xa0000, 0, first);
	check_piece(pieces, 1, 0xc0000, GIB - 0xc0000, 0xc0000, first + 0xc0000);
	check_piece(pieces, 2, GIB, GIB, 0, second);
	ck_assert_str_eq(g_array_index(pieces, QemuPiece, 0).block, "m0");
	ck_assert_str_eq(g_array_index(pieces, QemuPiece, 2).block, "m1");
	guest_clear(&guest);
}
END_TEST

static void
check_refused(const Guest *guest, const char *why)
{
	g_autoptr(GError) error = NULL;

	ck_assert_ptr_null(find(guest, &error));
	ck_assert(g_error_matches(error, VMIFS_ERROR, VMIFS_ERROR_SOURCE));
	ck_assert_msg(strstr(error->message, why) != NULL, "%s", error->message);
}

START_TEST(nothing_is_believed_without_a_proof)
{
	Guest guest = guest_new(64 * MIB, "-M pc -m 64");
	guint64 memory = other_process_address(guest.other), tables = 64 * MIB - 0x20000;

	check_refused(&guest, "agrees");
	put_pointer(&guest, memory, tables);
	check_refused(&guest, "agrees");
	put_tables(&guest, memory, tables, FALSE);
	g_array_unref(find(&guest, NULL));
	/* A checksum that is wrong: of the root, then of a table. */
	put(&guest, memory + tables + 30, "x", 1);
	check_refused(&guest, "agrees");
	put_tables(&guest, memory, tables, FALSE);
	put(&guest, memory + tables + 30, "\0", 1);
	put(&guest, memory + tables + 0x1000 + 30, "x", 1);
	check_refused(&guest, "agrees");
	guest_clear(&guest);
}
END_TEST

START_TEST(what_there_is_no_rule_for_is_said)
{
	static const struct {
		const char *arguments, *why;
	} bad[] = {
		{ "-M virt -m 64", "machine virt" },
		{ "-M pc -m 65", "no mapping" },
		{ "-M pc -readconfig vm.cfg", "readconfig" },
		{ "-M pc,memory-backend=mem", "how large mem" },
	};

	for (guint i = 0; i < G_N_ELEMENTS(bad); i++) {
		Guest guest = guest_new(64 * MIB, bad[i].arguments);
		check_refused(&guest, bad[i].why);
		guest_clear(&guest);
	}
	Guest guest = guest_new(64 * MIB, "-m 192 -object memory-backend-ram,id=a,size=64M "
					  "-object memory-backend-ram,id=b,size=64M "
					  "-object memory-backend-ram,id=c,size=64M "
					  "-numa node,memdev=a -numa node,memdev=b "
					  "-numa node,memdev=c");
	check_refused(&guest, "look the same");
	guest_clear(&guest);
}
END_TEST

/* ---- tables that a guest has made up ---- */

typedef struct {
	guint8 *bytes;
	gsize len;
	guint n_reads;
	gsize n_bytes;
} Memory;

static gboolean
read_memory(gpointer user, guint64 pa, gpointer buf, gsize len)
{
	Memory *memory = user;

	memory->n_reads++;
	memory->n_bytes += len;
	if (pa > memory->len || len > memory->len - pa)
		return FALSE;
	memcpy(buf, memory->bytes + pa, len);
	return TRUE;
}

START_TEST(made_up_tables_cost_little)
{
	Memory memory = { .bytes = g_malloc0(4 * MIB), .len = 4 * MIB };

	/* A root everywhere, as long as may be, all entries of which lead to itself. */
	for (gsize at = 0; at + 4096 <= memory.len; at += 4096) {
		guint8 *root = memory.bytes + at;
		memcpy(root, "RSDT\0\x10\0\0", 8);
		for (gsize i = 36; i + 4 <= 4096; i += 4)
			memcpy(root + i, &(guint32){ (guint32) at + 1 }, 4);
		sum_up(root, 4096, 9);
	}
	ck_assert_uint_eq(qemu_acpi_find(read_memory, &memory, memory.len), 0);
	ck_assert_uint_lt(memory.n_reads, 100 * memory.len / 4096);
	/* The longest table that may be, which is none, everywhere; a root of such each page. */
	memory.n_bytes = 0;
	for (gsize at = 0; at + 4096 <= memory.len; at += 4096) {
		guint8 *root = memory.bytes + at;
		for (gsize i = 36; i + 4 <= 4096; i += 4)
			memcpy(root + i, &(guint32){ 2048 }, 4);
		memcpy(root + 2048, "FAKE\xfd\xff\x0f\0", 8);
		sum_up(root, 4096, 9);
	}
	ck_assert_uint_eq(qemu_acpi_find(read_memory, &memory, memory.len), 0);
	ck_assert_uint_gt(memory.n_bytes, 32 * MIB);
	ck_assert_uint_lt(memory.n_bytes, 160 * MIB);
	/* Lengths that go beyond everything. */
	memset(memory.bytes, 0xff, memory.len);
	for (gsize at = 0; at < memory.len; at += 8)
		memcpy(memory.bytes + at, "XSDT", 4);
	ck_assert_uint_eq(qemu_acpi_find(read_memory, &memory, memory.len), 0);
	ck_assert_uint_eq(qemu_acpi_find(read_memory, &memory, G_MAXUINT64), 0);
	ck_assert_uint_eq(qemu_acpi_find(read_memory, &memory, 0), 0);
	g_free(memory.bytes);
}
END_TEST

static Suite *
rules_suite(void)
{
	Suite *suite = suite_create("qemu-rules");
	TCase *tcase = tcase_create("rules");

	tcase_add_loop_test(tcase, memory_lies_where_the_rules_say, 0, G_N_ELEMENTS(layouts));
	tcase_add_loop_test(tcase, nodes_that_look_the_same_are_told_apart, 0, 2);
	tcase_add_test(tcase, nothing_is_believed_without_a_proof);
	tcase_add_test(tcase, what_there_is_no_rule_for_is_said);
	tcase_add_test(tcase, made_up_tables_cost_little);
	suite_add_tcase(suite, tcase);
	return suite;
}

VMIFS_UNIT_MAIN(rules_suite)
