/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* backends/snapshot/elf: memory of cores as QEMU and the kernel write them, and as nobody should.
 */
#include <core-image.h>

/* ---- memory ---- */

START_TEST(segments_are_memory_at_their_physical_addresses)
{
	gsize n;
	narrow = _i;
	add_memory(0, 0, MEMORY + 3, 2 * PAGE, 1); /* nothing is aligned in the file */
	add_memory(0, 0x80000000, MEMORY + 3 + 2 * PAGE, PAGE, 2);
	g_autoptr(VmifsPhysmem) mem = good_core();
	const VmifsRegion *r = vmifs_physmem_regions(mem, &n);

	ck_assert_uint_eq(n, 2);
	ck_assert_uint_eq(r[0].offset, MEMORY + 3);
	ck_assert_uint_eq(r[1].pa, 0x80000000);
	ck_assert_int_eq(r[1].kind, VMIFS_REGION_RAM);
	assert_byte(mem, 0, 1);
	assert_byte(mem, 2 * PAGE - 1, 1);
	assert_byte(mem, 0x80000000, 2);
	assert_info(mem, _i ? "elf: 32 bit, x86-64, 2 segments" : "elf: 64 bit, x86-64, 2 segm");
	assert_info(mem, "notes: registers of 0 vCPUs\n");
	ck_assert_uint_eq(vmifs_physmem_n_vcpus(mem), 0);
}
END_TEST

/* What QEMU writes with paging on: a segment for each place where memory is mapped, and some for
 * what is mapped but no RAM. */
START_TEST(memory_that_is_mapped_many_times_is_there_once)
{
	gsize n;
	add_memory(0xffff888000000000, 0, MEMORY, 8 * PAGE, 1);
	add_segment(PT_LOAD, 0xffffffff81000000, 2 * PAGE, MEMORY + 2 * PAGE, PAGE, PAGE);
	add_segment(PT_LOAD, 0xffffc90000000000, 0xfed00000, G_MAXUINT64, 0, PAGE);
	add_memory(0xffff888100000000, 0x100000000, MEMORY + 8 * PAGE, PAGE, 2);
	add_segment(PT_LOAD, 0xffffffff82000000, 7 * PAGE, MEMORY + 7 * PAGE, PAGE, PAGE);
	g_autoptr(VmifsPhysmem) mem = good_core();

	vmifs_physmem_regions(mem, &n);
	ck_assert_uint_eq(n, 2);
	ck_assert_uint_eq(vmifs_physmem_ram(mem), 9 * PAGE);
	assert_byte(mem, 0x100000000, 2);
}
END_TEST

START_TEST(unsorted_pieces_become_one_where_they_are_one_in_the_file)
{
	gsize n;
	add_memory(0, 2 * PAGE, MEMORY + 2 * PAGE, PAGE, 3);
	add_memory(0, 0, MEMORY, PAGE, 1);
	add_memory(0, PAGE, MEMORY + PAGE, PAGE, 2);
	add_memory(0, 3 * PAGE, MEMORY + 5 * PAGE, PAGE, 4); /* not where the last one ends */
	g_autoptr(VmifsPhysmem) mem = good_core();

	vmifs_physmem_regions(mem, &n);
	ck_assert_uint_eq(n, 2);
	for (int i = 0; i < 4; i++)
		assert_byte(mem, (guint64) i * PAGE, i + 1);
}
END_TEST

START_TEST(overlaps_are_cut_wherever_they_lie)
{
	guint8 seen[6];
	gsize n;
	add_memory(0, 1 * PAGE, MEMORY, 2 * PAGE, 1);
	add_memory(0, 2 * PAGE, MEMORY + 0x10000, 3 * PAGE, 2);
	add_memory(0, 3 * PAGE, MEMORY + 0x20000, PAGE, 3); /* within another */
	add_memory(0, 0, MEMORY + 0x30000, PAGE, 4);
	add_memory(0, 1 * PAGE, MEMORY + 0x40000, PAGE, 5); /* begins with another */
	g_autoptr(VmifsPhysmem) mem = good_core();

	vmifs_physmem_regions(mem, &n);
	ck_assert_uint_eq(n, 3);
	for (int i = 0; i < 5; i++)
		ck_assert(vmifs_physmem_read(mem, (guint64) i * PAGE, seen + i, 1, NULL, NULL));
	ck_assert_mem_eq(seen, "\4\1\1\2\2", 5);
}
END_TEST

START_TEST(what_the_file_does_not_hold_of_a_segment_is_a_hole)
{
	guint64 at;
	add_segment(PT_LOAD, 0, 0, MEMORY, PAGE, 3 * PAGE);
	add_segment(PT_LOAD, 0, 4 * PAGE, MEMORY + PAGE, 2 * PAGE, PAGE);
	put("a", MEMORY + PAGE, "x", 1);
	put("a", MEMORY + 3 * PAGE - 1, "", 1);
	g_autoptr(VmifsPhysmem) mem = good_core();

	ck_assert_uint_eq(vmifs_physmem_ram(mem), 2 * PAGE);
	ck_assert(vmifs_physmem_seek(mem, PAGE, TRUE, &at));
	ck_assert_uint_eq(at, 4 * PAGE);
	ck_assert_uint_eq(vmifs_physmem_end(mem), 5 * PAGE);
}
END_TEST

START_TEST(firmware_below_4_gib_is_rom)
{
	gsize n;
	add_memory(0, 0, MEMORY, PAGE, 1);
	add_memory(0, 0xfffff000, MEMORY + PAGE, PAGE, 2);
	g_autoptr(VmifsPhysmem) mem = good_core();

	ck_assert_int_eq(vmifs_physmem_regions(mem, &n)[0].kind, VMIFS_REGION_RAM);
	ck_assert_int_eq(vmifs_physmem_regions(mem, &n)[1].kind, VMIFS_REGION_ROM);
	ck_assert_uint_eq(vmifs_physmem_ram(mem), PAGE);
}
END_TEST

START_TEST(what_is_missing_of_a_core_cut_short_is_said)
{
	add_memory(0, 0, MEMORY, 4 * PAGE, 1);
	add_memory(0, 0x100000, MEMORY + 4 * PAGE, PAGE, 2);
	ck_assert_int_eq(truncate("a", MEMORY + 3 * PAGE + 1), 0);
	g_autoptr(VmifsPhysmem) mem = good_core();

	ck_assert_uint_eq(vmifs_physmem_ram(mem), 3 * PAGE + 1);
	assert_byte(mem, 3 * PAGE, 1);
	assert_info(mem, "\nmissing: 8191 bytes of memory: ");
	ck_assert_int_eq(truncate("a", MEMORY), 0);
	assert_refused("a", VMIFS_ERROR_SOURCE, "there is no memory in it: it was cut short");
	ck_assert_int_eq(truncate("a", PAGE), 0);
	put_u64(offsetof(Elf64_Ehdr, e_phoff), PAGE - sizeof(Elf64_Phdr));
	assert_refused("a", VMIFS_ERROR_SOURCE, "ends within its 2 segment headers");
}
END_TEST

START_TEST(addresses_that_no_machine_has_are_left_out)
{
	add_memory(0, 0, MEMORY, PAGE, 1);
	add_segment(PT_LOAD, 0, G_MAXUINT64, MEMORY, PAGE, PAGE); /* as /proc/kcore says unknown */
	add_segment(PT_LOAD, 0, (1ULL << 52) - PAGE, MEMORY, 2 * PAGE, 2 * PAGE);
	add_segment(PT_LOAD, 0, PAGE, 0, G_MAXUINT64, G_MAXUINT64);
	g_autoptr(VmifsPhysmem) mem = good_core();

	ck_assert_uint_eq(vmifs_physmem_ram(mem), PAGE);
	assert_info(mem, "ignored: 3 pieces at addresses");
}
END_TEST

/* More segments than 16 bits count: as many as QEMU has for a guest with much in vmalloc. */
START_TEST(segments_beyond_65535_are_counted_in_a_section)
{
	guint many = 70000;
	guint64 memory = SEGMENTS + many * sizeof(Elf64_Phdr);
	g_autofree Elf64_Phdr *segments = g_new0(Elf64_Phdr, many);

	for (guint i = 0; i < many; i++)
		segments[i] = (Elf64_Phdr){ .p_type = GUINT32_TO_LE(PT_LOAD),
					    .p_vaddr = GUINT64_TO_LE(0xffffc90000000000 + i),
					    .p_paddr = GUINT64_TO_LE((guint64) (i % 7) * PAGE),
					    .p_offset = GUINT64_TO_LE(memory + (i % 7) * PAGE),
					    .p_filesz = GUINT64_TO_LE(PAGE),
					    .p_memsz = GUINT64_TO_LE(PAGE) };
	segments[many - 1].p_paddr = GUINT64_TO_LE(7 * PAGE);
	segments[many - 1].p_offset = GUINT64_TO_LE(memory + 7 * PAGE);
	put("a", SEGMENTS, segments, many * sizeof *segments);
	put("a", memory + 8 * PAGE - 1, "z", 1);
	n_segments = PN_XNUM;
	add_header(ET_CORE, EM_X86_64);
	assert_refused("a", VMIFS_ERROR_SOURCE, "more segments than its header can count");
	put_u64(offsetof(Elf64_Ehdr, e_shoff), SECTIONS);
	put_u32(SECTIONS + offsetof(Elf64_Shdr, sh_info), many);
	g_autoptr(VmifsPhysmem) mem = good_image("a");
	ck_assert_uint_eq(vmifs_physmem_ram(mem), 8 * PAGE);
	assert_byte(mem, 8 * PAGE - 1, 'z');
	put_u32(SECTIONS + offsetof(Elf64_Shdr, sh_info), G_MAXUINT32);
	assert_refused("a", VMIFS_ERROR_SOURCE, "4294967295 segments are more than 4194304");
	put_u64(offsetof(Elf64_Ehdr, e_shoff), G_MAXUINT64 - 3);
	assert_refused("a", VMIFS_ERROR_SOURCE, "more segments than its header can count");
}
END_TEST

/* ---- what is refused ---- */

START_TEST(what_is_no_core_of_a_machine_is_refused)
{
	add_memory(0, 0, MEMORY, PAGE, 1);
	add_header(ET_EXEC, EM_X86_64);
	assert_refused("a", VMIFS_ERROR_SOURCE, "a: elf: it is a program or library, not a core");
	assert_refused("a", VMIFS_ERROR_SOURCE,
		       "(if it is a raw image all the same: -o format=raw)");
	add_header(ET_CORE, EM_X86_64);
	put("a", EI_DATA, "\2", 1);
	assert_refused("a", VMIFS_ERROR_SOURCE, "big-endian");
	add_header(ET_CORE, EM_X86_64);
	put("a", EI_CLASS, "\3", 1);
	assert_refused("a", VMIFS_ERROR_SOURCE, "its header makes no sense");
	add_header(ET_CORE, EM_X86_64);
	put_u16(offsetof(Elf64_Ehdr, e_phentsize), 32);
	assert_refused("a", VMIFS_ERROR_SOURCE, "headers of 32 bytes");
	add_header(ET_CORE, EM_X86_64);
	put_u64(offsetof(Elf64_Ehdr, e_phoff), G_MAXUINT64 - 7);
	assert_refused("a", VMIFS_ERROR_SOURCE, "ends within its 1 segment headers");
	n_segments = 0;
	add_header(ET_CORE, EM_X86_64);
	assert_refused("a", VMIFS_ERROR_SOURCE, "there is no memory in it");
	make_file("a", "x", 1, PAGE);
	options.format = "elf";
	assert_refused("a", VMIFS_ERROR_SOURCE, "it is no ELF file");
}
END_TEST

START_TEST(core_of_a_process_is_refused)
{
	add_memory(0x400000, 0, MEMORY, PAGE, 1);
	add_memory(0x7fff00000000, 0, MEMORY + PAGE, PAGE, 2);
	add_header(ET_CORE, EM_X86_64);
	assert_refused("a", VMIFS_ERROR_SOURCE, "it is the core of a process");
}
END_TEST

static Suite *
make_suite(void)
{
	Suite *s = suite_create("elf");
	TCase *t = tcase_create("elf");
	tcase_add_checked_fixture(t, setup_core, teardown);
	tcase_add_loop_test(t, segments_are_memory_at_their_physical_addresses, 0, 2);
	tcase_add_test(t, memory_that_is_mapped_many_times_is_there_once);
	tcase_add_test(t, unsorted_pieces_become_one_where_they_are_one_in_the_file);
	tcase_add_test(t, overlaps_are_cut_wherever_they_lie);
	tcase_add_test(t, what_the_file_does_not_hold_of_a_segment_is_a_hole);
	tcase_add_test(t, firmware_below_4_gib_is_rom);
	tcase_add_test(t, what_is_missing_of_a_core_cut_short_is_said);
	tcase_add_test(t, addresses_that_no_machine_has_are_left_out);
	tcase_add_test(t, segments_beyond_65535_are_counted_in_a_section);
	tcase_add_test(t, what_is_no_core_of_a_machine_is_refused);
	tcase_add_test(t, core_of_a_process_is_refused);
	suite_add_tcase(s, t);
	return s;
}

VMIFS_UNIT_MAIN(make_suite)
