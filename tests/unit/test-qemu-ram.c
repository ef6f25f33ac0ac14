/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* qemu/ram, qemu/block: a guest's memory in every backing, read without making any of it. */
#include <backends/qemu/ram.h>
#include <other-process.h>
#include <unit.h>

#include <errno.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>
#include <vmifs/error.h>

#define PAGE 4096
#define LEN ((gsize) 8 << 20)
#define MIB ((gsize) 1 << 20)

typedef struct {
	OtherProcess *other;
	QemuProcess *process;
	QemuRam *ram;
} Guest;

/* A line of a layout, in the other process's memory. */
typedef struct {
	guint64 pa, len;
	const char *block;
	guint64 offset;
	guint64 address; /* of the block; 0 = that memory */
} Line;

static gboolean
set_lines(const Guest *guest, const Line *lines, gsize n, gboolean *ret_changed, GError **error)
{
	g_autofree char *text = qemu_process_maps(guest->process, NULL);
	g_autoptr(GArray) maps = qemu_maps_parse(text), pieces = qemu_pieces_new();

	for (gsize i = 0; i < n; i++) {
		guint64 address =
			lines[i].address ? lines[i].address : other_process_address(guest->other);
		QemuPiece piece = { .pa = lines[i].pa,
				    .len = lines[i].len,
				    .block = g_strdup(lines[i].block),
				    .offset = lines[i].offset,
				    .address = address + lines[i].offset,
				    .kind = VMIFS_REGION_RAM };
		g_array_append_val(pieces, piece);
	}
	return qemu_ram_set_pieces(guest->ram, pieces, maps, ret_changed, error);
}

/* Two pieces with a gap, all of one block. FALSE: this machine has no such memory. */
static gboolean
guest_new(OtherKind kind, Guest *ret)
{
	static const Line lines[] = { { 0, LEN / 2, "pc.ram", 0, 0 },
				      { LEN, LEN / 2, "pc.ram", LEN / 2, 0 } };
	Guest guest = { .other = other_process_new(kind, LEN) };
	gboolean changed;

	if (!guest.other)
		return FALSE;
	guest.process = qemu_process_open(other_process_pid(guest.other), 0, TRUE, NULL);
	ck_assert_ptr_nonnull(guest.process);
	guest.ram = qemu_ram_new(guest.process);
	ck_assert(set_lines(&guest, lines, 2, &changed, NULL));
	ck_assert(changed);
	*ret = guest;
	return TRUE;
}

static void
guest_clear(Guest *guest)
{
	qemu_ram_free(guest->ram);
	qemu_process_close(guest->process);
	other_process_free(guest->other);
}

static VmifsLayout
layout_of(const Guest *guest)
{
	VmifsLayout layout = { .regions = g_array_new(FALSE, FALSE, sizeof(VmifsRegion)),
			       .blocks = g_array_new(FALSE, FALSE, sizeof(VmifsBlock)) };

	qemu_ram_layout(guest->ram, &layout);
	return layout;
}

static void
layout_clear(VmifsLayout *layout)
{
	for (guint i = 0; i < layout->blocks->len; i++)
		g_free((char *) g_array_index(layout->blocks, VmifsBlock, i).name);
	g_array_unref(layout->blocks);
	g_array_unref(layout->regions);
}

static guint8
byte_at(const Guest *guest, guint32 block, guint64 offset)
{
	guint8 byte = 0xee;
	VmifsIo io = { .block = block, .offset = offset, .buf = &byte, .len = 1 };

	ck_assert_uint_eq(qemu_ram_read(guest->ram, &io, 1), 1);
	ck_assert_int_eq(io.status, 0);
	return byte;
}

static gboolean
is_data(const Guest *guest, guint64 offset)
{
	gboolean data = TRUE;
	guint64 len;

	return !qemu_ram_extent(guest->ram, 0, offset, &data, &len) || data;
}

/* All of it as the engine does: extents first, holes not at all, the rest mapped or read. */
static void
read_all(const Guest *guest, guint8 *to)
{
	VmifsDirect direct = { 0 };
	gboolean is_mapped = qemu_ram_map(guest->ram, 0, &direct);

	for (guint64 at = 0, len; at < LEN; at += len) {
		gboolean data = TRUE;
		len = LEN - at;
		if (!qemu_ram_extent(guest->ram, 0, at, &data, &len))
			data = TRUE;
		len = MIN(len, LEN - at);
		ck_assert_uint_gt(len, 0);
		VmifsIo io = { .buf = to + at, .len = len, .offset = at };
		if (!data)
			memset(to + at, 0, len);
		else if (is_mapped)
			memcpy(to + at, vmifs_mapping_data(direct.mapping) + direct.offset + at,
			       len);
		else
			ck_assert_uint_eq(qemu_ram_read(guest->ram, &io, 1), 1);
	}
	vmifs_mapping_unref(direct.mapping);
}

static void
check_reading_makes_nothing(OtherKind kind)
{
	g_autofree guint8 *bytes = g_malloc(LEN), *expected = g_malloc(LEN);
	Guest guest;

	if (!guest_new(kind, &guest))
		return;
	gboolean has_content = kind == OTHER_FILE_PRIVATE; /* 0xf0 in even pages */
	gboolean is_huge = kind == OTHER_HUGE_SHARED || kind == OTHER_HUGE_PRIVATE;
	other_process_fill(guest.other, 5 * PAGE, 2 * PAGE, 1);
	other_process_fill(guest.other, 6 * MIB + 3, 1, 2);
	guint64 rss = other_process_status(guest.other, "VmRSS");
	guint64 pte = other_process_status(guest.other, "VmPTE");
	guint64 blocks = other_process_blocks(guest.other);
	for (gsize i = 0; i < LEN / PAGE; i++)
		memset(expected + i * PAGE, has_content && i % 2 == 0 ? 0xf0 : 0, PAGE);
	memset(expected + 5 * PAGE, 1, 2 * PAGE);
	expected[6 * MIB + 3] = 2;
	for (guint round = 0; round < 2; round++) {
		memset(bytes, 0xee, LEN);
		read_all(&guest, bytes);
		ck_assert_int_eq(memcmp(bytes, expected, LEN), 0);
		/* And by read() alone. */
		VmifsIo io = { .buf = bytes, .len = LEN };
		memset(bytes, 0xee, LEN);
		ck_assert_uint_eq(qemu_ram_read(guest.ram, &io, 1), 1);
		ck_assert_int_eq(memcmp(bytes, expected, LEN), 0);
	}
	ck_assert_uint_eq(other_process_status(guest.other, "VmRSS"), rss);
	ck_assert_uint_eq(other_process_status(guest.other, "VmPTE"), pte);
	ck_assert_uint_eq(other_process_blocks(guest.other), blocks);
	ck_assert(is_data(&guest, 5 * PAGE));
	ck_assert_int_eq(is_data(&guest, 8 * PAGE), has_content || is_huge);
	ck_assert_int_eq(is_data(&guest, 9 * PAGE), is_huge);
	guest_clear(&guest);
}

START_TEST(reading_all_makes_nothing)
{
	check_reading_makes_nothing((OtherKind) _i);
}
END_TEST

static const OtherKind kinds[] = { OTHER_ANONYMOUS,    OTHER_MEMFD,       OTHER_FILE_SHARED,
				   OTHER_FILE_PRIVATE, OTHER_HUGE_SHARED, OTHER_HUGE_PRIVATE };

START_TEST(what_the_guest_does_is_seen)
{
	Guest guest;

	if (!guest_new(kinds[_i], &guest))
		return;
	other_process_fill(guest.other, 0, LEN, 1);
	ck_assert_uint_eq(byte_at(&guest, 0, 6 * MIB), 1);
	other_process_fill(guest.other, 6 * MIB, 1, 2);
	ck_assert_uint_eq(byte_at(&guest, 0, 6 * MIB), 2);
	/* A balloon takes it away, and gives it back. */
	if (kinds[_i] != OTHER_HUGE_PRIVATE && kinds[_i] != OTHER_FILE_PRIVATE) {
		other_process_discard(guest.other, 6 * MIB, 2 * MIB);
		g_usleep(2000);
		ck_assert_uint_eq(byte_at(&guest, 0, 6 * MIB), 0);
		ck_assert_uint_eq(byte_at(&guest, 0, 6 * MIB - 1), 1);
		other_process_fill(guest.other, 6 * MIB, PAGE, 3);
		g_usleep(2000);
		ck_assert_uint_eq(byte_at(&guest, 0, 6 * MIB), 3);
	}
	guest_clear(&guest);
}
END_TEST

/* As between two looks at it of which a stop is the second. */
START_TEST(what_was_written_before_a_stop_is_seen_in_it)
{
	Guest guest;

	if (!guest_new(kinds[_i], &guest))
		return;
	for (guint64 at = PAGE; at < 64 * PAGE; at += 2 * PAGE) {
		ck_assert_uint_eq(byte_at(&guest, 0, at), 0);
		other_process_fill(guest.other, at, 1, 4);
		qemu_ram_stopped(guest.ram);
		ck_assert(is_data(&guest, at));
		ck_assert_uint_eq(byte_at(&guest, 0, at), 4);
	}
	guest_clear(&guest);
}
END_TEST

START_TEST(what_is_written_is_read_back_at_once)
{
	Guest guest;
	guint8 bytes[] = { 7, 8, 9 };

	if (!guest_new(kinds[_i], &guest))
		return;
	/* Into a hole that was just looked at. */
	ck_assert_uint_eq(byte_at(&guest, 0, 10 * PAGE + 1),
			  kinds[_i] == OTHER_FILE_PRIVATE ? 0xf0 : 0);
	VmifsIo io = { .offset = 10 * PAGE, .buf = bytes, .len = 3 };
	ck_assert_uint_eq(qemu_ram_write(guest.ram, &io, 1), 1);
	ck_assert_uint_eq(byte_at(&guest, 0, 10 * PAGE + 1), 8);
	ck_assert_uint_eq(other_process_byte(guest.other, 10 * PAGE + 2), 9);
	guest_clear(&guest);
}
END_TEST

START_TEST(merged_and_huge_pages_are_read)
{
	Guest guest;

	ck_assert(guest_new(OTHER_ANONYMOUS, &guest));
	other_process_advise(guest.other, 0, 4 * MIB, MADV_HUGEPAGE);
	other_process_advise(guest.other, 4 * MIB, 4 * MIB, MADV_MERGEABLE);
	other_process_fill(guest.other, 0, LEN, 5);
	/* That has cut the mapping in two; it is the same memory. */
	gboolean changed;
	const Line lines[] = { { 0, LEN / 2, "pc.ram", 0, 0 },
			       { LEN, LEN / 2, "pc.ram", LEN / 2, 0 } };
	ck_assert(set_lines(&guest, lines, 2, &changed, NULL));
	ck_assert(!changed);
	guint64 rss = other_process_status(guest.other, "VmRSS");
	g_autofree guint8 *bytes = g_malloc(LEN);
	read_all(&guest, bytes);
	ck_assert_uint_eq(bytes[0], 5);
	ck_assert_int_eq(memcmp(bytes, bytes + 1, LEN - 1), 0);
	ck_assert_uint_eq(other_process_status(guest.other, "VmRSS"), rss);
	guest_clear(&guest);
}
END_TEST

START_TEST(shared_files_are_mapped_and_given_to_the_kernel)
{
	Guest guest;
	VmifsDirect direct;

	ck_assert(guest_new(OTHER_MEMFD, &guest));
	VmifsLayout layout = layout_of(&guest);
	ck_assert_uint_eq(layout.regions->len, 2);
	ck_assert_uint_eq(layout.blocks->len, 1);
	const VmifsBlock *block = &g_array_index(layout.blocks, VmifsBlock, 0);
	ck_assert_str_eq(block->name, "pc.ram");
	ck_assert_uint_eq(block->len, LEN);
	ck_assert(block->sparse);
	ck_assert_int_ge(block->fd, 0);
	other_process_fill(guest.other, PAGE, 1, 'x');
	char byte = 0;
	ck_assert_int_eq(pread(block->fd, &byte, 1, PAGE), 1);
	ck_assert_int_eq(byte, 'x');
	ck_assert_int_lt(pwrite(block->fd, &byte, 1, PAGE), 0);
	ck_assert(qemu_ram_map(guest.ram, 0, &direct));
	ck_assert(direct.to_kernel);
	ck_assert_uint_eq(vmifs_mapping_data(direct.mapping)[PAGE], 'x');
	vmifs_mapping_unref(direct.mapping);
	layout_clear(&layout);
	guest_clear(&guest);
}
END_TEST

START_TEST(a_part_of_a_file_is_not_given_to_the_kernel)
{
	static const Line lines[] = { { 0, LEN / 2, "mem", 0, 0 } };
	gboolean changed;
	Guest guest;

	ck_assert(guest_new(OTHER_MEMFD, &guest));
	ck_assert(set_lines(&guest, lines, 1, &changed, NULL));
	ck_assert(changed);
	VmifsLayout layout = layout_of(&guest);
	ck_assert_int_eq(g_array_index(layout.blocks, VmifsBlock, 1).fd, -1);
	layout_clear(&layout);
	guest_clear(&guest);
}
END_TEST

START_TEST(anonymous_memory_is_not_mapped)
{
	Guest guest;
	VmifsDirect direct;

	ck_assert(guest_new(OTHER_ANONYMOUS, &guest));
	VmifsLayout layout = layout_of(&guest);
	ck_assert_int_eq(g_array_index(layout.blocks, VmifsBlock, 0).fd, -1);
	ck_assert(g_array_index(layout.blocks, VmifsBlock, 0).sparse);
	ck_assert(!qemu_ram_map(guest.ram, 0, &direct));
	layout_clear(&layout);
	guest_clear(&guest);
}
END_TEST

START_TEST(memory_is_plugged_and_unplugged)
{
	gboolean changed;
	Guest guest;

	ck_assert(guest_new(OTHER_MEMFD, &guest));
	guint64 dimm = other_process_plug(guest.other, LEN);
	const Line lines[] = { { 0, LEN / 2, "pc.ram", 0, 0 },
			       { LEN, LEN / 2, "pc.ram", LEN / 2, 0 },
			       { 4 * LEN, LEN, "dimm", 0, dimm } };
	ck_assert(set_lines(&guest, lines, 3, &changed, NULL));
	ck_assert(changed);
	ck_assert(set_lines(&guest, lines, 3, &changed, NULL));
	ck_assert(!changed);
	VmifsLayout layout = layout_of(&guest);
	ck_assert_uint_eq(layout.blocks->len, 2);
	ck_assert_uint_eq(g_array_index(layout.regions, VmifsRegion, 2).block, 1);
	layout_clear(&layout);
	ck_assert_uint_eq(byte_at(&guest, 1, PAGE), 0);

	/* Whoever still reads by the layout before is told. */
	ck_assert(set_lines(&guest, lines, 2, &changed, NULL));
	ck_assert(changed);
	guint8 byte;
	VmifsIo io[] = { { .block = 1, .buf = &byte, .len = 1 },
			 { .block = 0, .buf = &byte, .len = 1 } };
	ck_assert_uint_eq(qemu_ram_read(guest.ram, io, 2), 1);
	ck_assert_int_eq(io[0].status, ESTALE);
	ck_assert_int_eq(io[1].status, 0);
	layout = layout_of(&guest);
	ck_assert_uint_eq(layout.blocks->len, 1);
	layout_clear(&layout);

	/* Plugged again, it is another one. */
	ck_assert(set_lines(&guest, lines, 3, &changed, NULL));
	layout = layout_of(&guest);
	ck_assert_uint_eq(layout.blocks->len, 3);
	ck_assert_uint_eq(g_array_index(layout.regions, VmifsRegion, 2).block, 2);
	ck_assert_str_eq(g_array_index(layout.blocks, VmifsBlock, 1).name, "dimm~gone");
	ck_assert_uint_eq(g_array_index(layout.blocks, VmifsBlock, 1).len, 0);
	ck_assert_str_eq(g_array_index(layout.blocks, VmifsBlock, 2).name, "dimm");
	layout_clear(&layout);
	guest_clear(&guest);
}
END_TEST

START_TEST(an_unplugged_file_is_let_go)
{
	gboolean changed;
	Guest guest;

	ck_assert(guest_new(OTHER_MEMFD, &guest));
	VmifsLayout layout = layout_of(&guest);
	int fd = g_array_index(layout.blocks, VmifsBlock, 0).fd;
	VmifsDirect direct;
	ck_assert(qemu_ram_map(guest.ram, 0, &direct));
	other_process_fill(guest.other, 0, 1, 'x');
	ck_assert_uint_eq(vmifs_mapping_data(direct.mapping)[0], 'x');
	guint64 other = other_process_plug(guest.other, LEN);
	const Line lines[] = { { 0, LEN, "other", 0, other } };
	ck_assert(set_lines(&guest, lines, 1, &changed, NULL));
	/* The number is valid, and leads to nothing. */
	char byte;
	ck_assert_int_eq(pread(fd, &byte, 1, 0), 0);
	/* Who still has it mapped keeps none of it, and is told. */
	guint stamp = vmifs_mapping_stamp(direct.mapping);
	ck_assert_uint_eq(vmifs_mapping_data(direct.mapping)[0], 0);
	ck_assert(!vmifs_mapping_intact(direct.mapping, stamp, 0, 1));
	vmifs_mapping_unref(direct.mapping);
	layout_clear(&layout);
	guest_clear(&guest);
}
END_TEST

START_TEST(names_become_names_of_files)
{
	gboolean changed;
	Guest guest;

	ck_assert(guest_new(OTHER_ANONYMOUS, &guest));
	guint64 start = other_process_address(guest.other);
	const Line lines[] = { { 0, PAGE, "/rom@etc/acpi/tables", 0, 0 },
			       { PAGE, PAGE, "vga.vram", 0, start + PAGE },
			       { 2 * PAGE, PAGE, "vga.vram", 0, start + 2 * PAGE },
			       { 3 * PAGE, PAGE, "..", 0, 0 },
			       { 4 * PAGE, PAGE, "", 0, 0 },
			       { 5 * PAGE, PAGE, "a\nb", 0, 0 } };
	static const char *const names[] = {
		"_rom@etc_acpi_tables", "vga.vram", "vga.vram~2", "_.", "~2", "a_b"
	};
	ck_assert(set_lines(&guest, lines, 6, &changed, NULL));
	VmifsLayout layout = layout_of(&guest);
	for (guint i = 0; i < 6; i++)
		ck_assert_str_eq(g_array_index(layout.blocks, VmifsBlock, 1 + i).name, names[i]);
	layout_clear(&layout);
	guest_clear(&guest);
}
END_TEST

START_TEST(layouts_that_cannot_be_are_refused)
{
	static const Line bad[][2] = {
		{ { 0, 0, "empty", 0, 0 } },
		{ { G_MAXUINT64 - 10, 4096, "wraps", 0, 0 } },
		{ { 0, 4096, "wraps", G_MAXUINT64 - 10, 0 } },
		{ { 0, 4096, "overlap", 0, 0 }, { 4095, 4096, "overlap", 4096, 0 } },
		{ { 8192, 4096, "order", 0, 0 }, { 0, 4096, "order", 4096, 0 } },
	};
	gboolean changed = 5;
	Guest guest;

	ck_assert(guest_new(OTHER_ANONYMOUS, &guest));
	for (guint i = 0; i < G_N_ELEMENTS(bad); i++) {
		g_autoptr(GError) error = NULL;
		ck_assert(!set_lines(&guest, bad[i], bad[i][1].block ? 2 : 1, &changed, &error));
		ck_assert(g_error_matches(error, VMIFS_ERROR, VMIFS_ERROR_CORRUPT));
	}
	g_autoptr(GError) error = NULL;
	ck_assert(!set_lines(&guest, NULL, 0, &changed, &error));
	ck_assert(g_error_matches(error, VMIFS_ERROR, VMIFS_ERROR_CORRUPT));
	ck_assert_int_eq(changed, 5);
	/* What was known before is still so. */
	ck_assert_uint_eq(byte_at(&guest, 0, 0), 0);
	guest_clear(&guest);
}
END_TEST

START_TEST(memory_of_an_ended_process_is_gone)
{
	Guest guest;
	guint8 byte;
	VmifsIo io = { .buf = &byte, .len = 1 };

	ck_assert(guest_new(OTHER_ANONYMOUS, &guest));
	other_process_fill(guest.other, 0, 1, 1);
	ck_assert_uint_eq(byte_at(&guest, 0, 0), 1);
	other_process_free(g_steal_pointer(&guest.other));
	g_usleep(2000);
	ck_assert_uint_eq(qemu_ram_read(guest.ram, &io, 1), 0);
	ck_assert_int_eq(io.status, ESRCH);
	guest_clear(&guest);
}
END_TEST

static Suite *
ram_suite(void)
{
	Suite *suite = suite_create("qemu-ram");
	TCase *tcase = tcase_create("ram");

	tcase_add_loop_test(tcase, reading_all_makes_nothing, 0, OTHER_HUGE_PRIVATE + 1);
	tcase_add_loop_test(tcase, what_the_guest_does_is_seen, 0, G_N_ELEMENTS(kinds));
	tcase_add_loop_test(tcase, what_was_written_before_a_stop_is_seen_in_it, 0,
			    G_N_ELEMENTS(kinds));
	tcase_add_loop_test(tcase, what_is_written_is_read_back_at_once, 0, G_N_ELEMENTS(kinds));
	tcase_add_test(tcase, merged_and_huge_pages_are_read);
	tcase_add_test(tcase, shared_files_are_mapped_and_given_to_the_kernel);
	tcase_add_test(tcase, a_part_of_a_file_is_not_given_to_the_kernel);
	tcase_add_test(tcase, anonymous_memory_is_not_mapped);
	tcase_add_test(tcase, memory_is_plugged_and_unplugged);
	tcase_add_test(tcase, an_unplugged_file_is_let_go);
	tcase_add_test(tcase, names_become_names_of_files);
	tcase_add_test(tcase, layouts_that_cannot_be_are_refused);
	tcase_add_test(tcase, memory_of_an_ended_process_is_gone);
	suite_add_tcase(suite, tcase);
	return suite;
}

VMIFS_UNIT_MAIN(ram_suite)
