/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* backends/snapshot/elf, notes: cores as QEMU and the kernel write them, and as nobody should. */
#include <image-file.h>

#include <elf.h>
#include <vmifs/error.h>

/* Where the tables of the cores made here lie; memory begins at MEMORY. */
#define SECTIONS 64
#define SEGMENTS 256
#define NOTES 0x8000
#define MEMORY 0x10000

static gboolean narrow; /* ELF of 32 bits */
static guint n_segments;

static void
setup_core(void)
{
	setup();
	narrow = FALSE;
	n_segments = 0;
	make_file("a", "", 0, MEMORY);
}

static void
add_segment(guint32 type, guint64 va, guint64 pa, guint64 offset, guint64 file_len, guint64 mem_len)
{
	Elf64_Phdr wide = { .p_type = GUINT32_TO_LE(type),
			    .p_vaddr = GUINT64_TO_LE(va),
			    .p_paddr = GUINT64_TO_LE(pa),
			    .p_offset = GUINT64_TO_LE(offset),
			    .p_filesz = GUINT64_TO_LE(file_len),
			    .p_memsz = GUINT64_TO_LE(mem_len) };
	Elf32_Phdr half = { .p_type = GUINT32_TO_LE(type),
			    .p_vaddr = GUINT32_TO_LE((guint32) va),
			    .p_paddr = GUINT32_TO_LE((guint32) pa),
			    .p_offset = GUINT32_TO_LE((guint32) offset),
			    .p_filesz = GUINT32_TO_LE((guint32) file_len),
			    .p_memsz = GUINT32_TO_LE((guint32) mem_len) };

	if (narrow)
		put("a", SEGMENTS + n_segments * sizeof half, &half, sizeof half);
	else
		put("a", SEGMENTS + n_segments * sizeof wide, &wide, sizeof wide);
	n_segments++;
}

/* Memory of one byte over and over, at that offset of the file. */
static void
add_memory(guint64 va, guint64 pa, guint64 offset, gsize len, int byte)
{
	g_autofree guint8 *bytes = g_malloc(len);

	memset(bytes, byte, len);
	put("a", offset, bytes, len);
	add_segment(PT_LOAD, va, pa, offset, len, len);
}

/* After the segments. */
static void
add_header(guint16 type, guint16 machine)
{
	Elf64_Ehdr wide = { .e_type = GUINT16_TO_LE(type),
			    .e_machine = GUINT16_TO_LE(machine),
			    .e_phoff = GUINT64_TO_LE(SEGMENTS),
			    .e_phentsize = GUINT16_TO_LE(sizeof(Elf64_Phdr)),
			    .e_phnum = GUINT16_TO_LE((guint16) n_segments) };
	Elf32_Ehdr half = { .e_type = GUINT16_TO_LE(type),
			    .e_machine = GUINT16_TO_LE(machine),
			    .e_phoff = GUINT32_TO_LE(SEGMENTS),
			    .e_phentsize = GUINT16_TO_LE(sizeof(Elf32_Phdr)),
			    .e_phnum = GUINT16_TO_LE((guint16) n_segments) };
	const guint8 ident[] = { 0x7f, 'E', 'L', 'F', narrow ? 1 : 2, 1, 1 };

	memcpy(wide.e_ident, ident, sizeof ident);
	memcpy(half.e_ident, ident, sizeof ident);
	if (narrow)
		put("a", 0, &half, sizeof half);
	else
		put("a", 0, &wide, sizeof wide);
}

static void
put_u16(guint64 at, guint16 value)
{
	value = GUINT16_TO_LE(value);
	put("a", at, &value, sizeof value);
}

static void
put_u32(guint64 at, guint32 value)
{
	value = GUINT32_TO_LE(value);
	put("a", at, &value, sizeof value);
}

static void
put_u64(guint64 at, guint64 value)
{
	value = GUINT64_TO_LE(value);
	put("a", at, &value, sizeof value);
}

static VmifsPhysmem *
good_core(void)
{
	add_header(ET_CORE, EM_X86_64);
	return good_image("a");
}

static void
assert_byte(VmifsPhysmem *mem, guint64 pa, int byte)
{
	guint8 seen = 0;

	ck_assert(vmifs_physmem_read(mem, pa, &seen, 1, NULL, NULL));
	ck_assert_int_eq(seen, byte);
}

static void
assert_info(VmifsPhysmem *mem, const char *line)
{
	g_autoptr(GString) info = g_string_new(NULL);

	vmifs_physmem_info(mem, info);
	ck_assert_msg(strstr(info->str, line) != NULL, "%s", info->str);
}

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

/* ---- notes ---- */

static guint64 notes_end;

static guint64
add_note(const char *owner, guint32 type, guint32 len)
{
	guint32 owner_len = (guint32) strlen(owner) + 1;
	const guint32 head[] = { GUINT32_TO_LE(owner_len), GUINT32_TO_LE(len),
				 GUINT32_TO_LE(type) };

	put("a", notes_end, head, sizeof head);
	put("a", notes_end + sizeof head, owner, owner_len);
	guint64 desc = notes_end + sizeof head + ((owner_len + 3) & ~3u);
	notes_end = desc + ((len + 3) & ~3u);
	return desc;
}

static void
start_notes(void)
{
	notes_end = NOTES;
	add_memory(0, 0, MEMORY, PAGE, 1);
}

static void
end_notes(void)
{
	add_segment(PT_NOTE, 0, 0, NOTES, notes_end - NOTES, notes_end - NOTES);
}

static guint64
reg(VmifsPhysmem *mem, guint vcpu, const char *name)
{
	guint64 value = 0xdead;
	g_autoptr(VmifsRegs) regs = vmifs_physmem_regs(mem, vcpu, NULL, NULL);

	ck_assert_ptr_nonnull(regs);
	ck_assert_msg(vmifs_regs_get(regs, name, &value), "there is no %s", name);
	return value;
}

static void
assert_no_reg(VmifsPhysmem *mem, guint vcpu, const char *name)
{
	guint64 value;
	g_autoptr(VmifsRegs) regs = vmifs_physmem_regs(mem, vcpu, NULL, NULL);

	ck_assert_msg(!vmifs_regs_get(regs, name, &value), "there is a %s", name);
}

/* Places in struct elf_prstatus and in QEMUCPUState. */
#define PRSTATUS_RIP (112 + 16 * 8)
#define QEMU_CS 152
#define QEMU_CR3 416

START_TEST(registers_of_a_vcpu_come_from_both_of_its_notes)
{
	start_notes();
	for (guint i = 0; i < 2; i++) {
		guint64 desc = add_note("CORE", NT_PRSTATUS, 336);
		put_u64(desc + 112, 0x15 + i); /* r15 */
		put_u64(desc + PRSTATUS_RIP, 0xffffffff81000000 + i);
	}
	for (guint i = 0; i < 2; i++) {
		guint64 desc = add_note("QEMU", 0, i ? 440 : 432); /* the end came with 2.12 */
		put_u32(desc, 1);
		put_u64(desc + 136, 0xffffffff81000000 + i);
		put_u32(desc + QEMU_CS, 0x10);
		put_u32(desc + QEMU_CS + 4, 0xffffffff);
		put_u32(desc + QEMU_CS + 8, 0xaf9b00);
		put_u64(desc + QEMU_CR3, 0x1600000 + i);
		if (i)
			put_u64(desc + 432, 0xffff888000000000);
	}
	end_notes();
	g_autoptr(VmifsPhysmem) mem = good_core();

	ck_assert_uint_eq(vmifs_physmem_n_vcpus(mem), 2);
	ck_assert_uint_eq(reg(mem, 0, "rip"), 0xffffffff81000000);
	ck_assert_uint_eq(reg(mem, 1, "rip"), 0xffffffff81000001);
	ck_assert_uint_eq(reg(mem, 1, "r15"), 0); /* QEMU's note, which is the later one */
	ck_assert_uint_eq(reg(mem, 0, "cr3"), 0x1600000);
	ck_assert_uint_eq(reg(mem, 1, "cr3"), 0x1600001);
	ck_assert_uint_eq(reg(mem, 1, "cs"), 0x10);
	ck_assert_uint_eq(reg(mem, 1, "cs_limit"), 0xffffffff);
	ck_assert_uint_eq(reg(mem, 1, "cs_flags"), 0xaf9b00);
	ck_assert_uint_eq(reg(mem, 1, "k_gs_base"), 0xffff888000000000);
	assert_no_reg(mem, 0, "k_gs_base");
	assert_info(mem, "notes: registers of 2 vCPUs\n");
}
END_TEST

START_TEST(registers_of_a_32_bit_guest_have_its_names)
{
	guint64 desc;
	narrow = _i; /* a guest with much memory has ELF of 64 bits all the same */
	start_notes();
	desc = add_note("CORE", NT_PRSTATUS, 144);
	put_u32(desc + 72, 0xb);
	put_u32(desc + 120, 0xc0001000);
	put_u16(desc + 124, 0x60);
	put_u16(desc + 126, 0xffff);
	desc = add_note("QEMU", 0, 440);
	put_u32(desc, 1);
	put_u64(desc + 136, 0xc0001000);
	put_u64(desc + QEMU_CR3, 0x5000);
	end_notes();
	add_header(ET_CORE, EM_386);
	g_autoptr(VmifsPhysmem) mem = good_image("a");

	ck_assert_uint_eq(reg(mem, 0, "ebx"), 0xb);
	ck_assert_uint_eq(reg(mem, 0, "eip"), 0xc0001000);
	ck_assert_uint_eq(reg(mem, 0, "cr3"), 0x5000);
	assert_no_reg(mem, 0, "rip");
	assert_info(mem, _i ? "elf: 32 bit, i386" : "elf: 64 bit, i386");
}
END_TEST

START_TEST(notes_of_others_and_of_other_shapes_are_passed_over)
{
	start_notes();
	add_note("CORE", NT_PRSTATUS, 400); /* of a machine that we do not know */
	add_note("LINUX", NT_PRSTATUS, 336);
	add_note("CORE", NT_PRPSINFO, 136);
	add_note("QEMU", 0, 431);
	put_u32(add_note("QEMU", 0, 440), 2);
	add_note("", 7, 0);
	put_u64(add_note("CORE", NT_PRSTATUS, 336) + PRSTATUS_RIP, 7);
	end_notes();
	g_autoptr(VmifsPhysmem) mem = good_core();

	ck_assert_uint_eq(vmifs_physmem_n_vcpus(mem), 1);
	ck_assert_uint_eq(reg(mem, 0, "rip"), 7);
}
END_TEST

START_TEST(registers_of_aarch64_are_told_by_their_names)
{
	start_notes();
	guint64 note = add_note("CORE", NT_PRSTATUS, 392);
	put_u64(note + 112, 1);
	put_u64(note + 112 + 8 * 30, 30);
	put_u64(note + 360, 31);
	put_u64(note + 368, 32);
	put_u64(note + 376, 0x3c5);
	end_notes();
	g_autoptr(VmifsPhysmem) mem = good_core();

	ck_assert_uint_eq(vmifs_physmem_n_vcpus(mem), 1);
	ck_assert_uint_eq(reg(mem, 0, "x0"), 1);
	ck_assert_uint_eq(reg(mem, 0, "x30"), 30);
	ck_assert_uint_eq(reg(mem, 0, "sp"), 31);
	ck_assert_uint_eq(reg(mem, 0, "pc"), 32);
	ck_assert_uint_eq(reg(mem, 0, "cpsr"), 0x3c5);
}
END_TEST

START_TEST(registers_of_riscv64_are_told_by_their_names)
{
	start_notes();
	guint64 note = add_note("CORE", NT_PRSTATUS, 376);
	put_u64(note + 112, 0x80200000);
	put_u64(note + 112 + 8 * 2, 2);
	put_u64(note + 112 + 8 * 8, 8);
	put_u64(note + 112 + 8 * 31, 31);
	end_notes();
	g_autoptr(VmifsPhysmem) mem = good_core();

	ck_assert_uint_eq(vmifs_physmem_n_vcpus(mem), 1);
	ck_assert_uint_eq(reg(mem, 0, "pc"), 0x80200000);
	ck_assert_uint_eq(reg(mem, 0, "sp"), 2);
	ck_assert_uint_eq(reg(mem, 0, "s0"), 8);
	ck_assert_uint_eq(reg(mem, 0, "t6"), 31);
}
END_TEST

/* As in /proc/vmcore: the kernel's text is there a second time, by its own addresses. */
START_TEST(note_of_a_crashed_kernel_is_kept_whole)
{
	static const char text[] = "OSRELEASE=6.1.0\n", other[] = "OSRELEASE=5.10\n";
	start_notes();
	put_u64(add_note("CORE", NT_PRSTATUS, 336) + PRSTATUS_RIP, 7);
	guint64 head = notes_end;
	put("a", add_note("VMCOREINFO", 0, sizeof text - 1), text, sizeof text - 1);
	put("a", add_note("VMCOREINFO", 0, sizeof other - 1), other, sizeof other - 1);
	end_notes();
	add_memory(0xffff888001000000, 0x1000000, MEMORY + PAGE, PAGE, 2);
	add_segment(PT_LOAD, 0xffffffff81000000, 0x1000000, MEMORY + PAGE, PAGE, PAGE);
	g_autoptr(VmifsPhysmem) mem = good_core();
	g_autoptr(GBytes) note = vmifs_physmem_note(mem, "VMCOREINFO");
	char expected[24 + sizeof text - 1];
	int fd = open("a", O_RDONLY | O_CLOEXEC);

	ck_assert_int_eq(pread(fd, expected, sizeof expected, (off_t) head), sizeof expected);
	close(fd);
	ck_assert_ptr_nonnull(note);
	ck_assert_uint_eq(g_bytes_get_size(note), sizeof expected);
	ck_assert_mem_eq(g_bytes_get_data(note, NULL), expected, sizeof expected);
	ck_assert_ptr_null(vmifs_physmem_note(mem, "XEN"));
	ck_assert_uint_eq(vmifs_physmem_ram(mem), 2 * PAGE);
	assert_info(mem, "notes: registers of 1 vCPUs, VMCOREINFO\n");
}
END_TEST

START_TEST(notes_that_are_cut_short_end_the_list)
{
	static const guint32 lies[][2] = { { 5, 0xffffffff }, { 0xffffffff, 0 }, { 5, 400 } };
	start_notes();
	put_u64(add_note("CORE", NT_PRSTATUS, 336) + PRSTATUS_RIP, 7);
	put_u32(notes_end, lies[_i][0]);
	put_u32(notes_end + 4, lies[_i][1]);
	put_u32(notes_end + 8, NT_PRSTATUS);
	put("a", notes_end + 12, "CORE", 5);
	notes_end += 12 + 8 + 336;
	end_notes();
	g_autoptr(VmifsPhysmem) mem = good_core();

	ck_assert_uint_eq(vmifs_physmem_n_vcpus(mem), 1);
	ck_assert_uint_eq(reg(mem, 0, "rip"), 7);
}
END_TEST

START_TEST(number_of_vcpus_is_bounded)
{
	guint64 memory = 0x1000000;
	static const guint8 head[20] = {
		5, 0, 0, 0, 0x50, 1, 0, 0, 1, 0, 0, 0, 'C', 'O', 'R', 'E'
	};
	gsize len = 9000 * (sizeof head + 336);
	g_autofree guint8 *notes = g_malloc0(len);

	for (gsize at = 0; at < len; at += sizeof head + 336)
		memcpy(notes + at, head, sizeof head);
	put("a", 0x100000, notes, len);
	add_segment(PT_NOTE, 0, 0, 0x100000, len, len);
	add_segment(PT_NOTE, 0, 0, 0x100000, G_MAXUINT64, 0);
	add_memory(0, 0, memory, PAGE, 1);
	g_autoptr(VmifsPhysmem) mem = good_core();

	ck_assert_uint_eq(vmifs_physmem_n_vcpus(mem), VMIFS_MAX_VCPUS);
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
	tcase_add_test(t, registers_of_a_vcpu_come_from_both_of_its_notes);
	tcase_add_loop_test(t, registers_of_a_32_bit_guest_have_its_names, 0, 2);
	tcase_add_test(t, notes_of_others_and_of_other_shapes_are_passed_over);
	tcase_add_test(t, registers_of_aarch64_are_told_by_their_names);
	tcase_add_test(t, registers_of_riscv64_are_told_by_their_names);
	tcase_add_test(t, note_of_a_crashed_kernel_is_kept_whole);
	tcase_add_loop_test(t, notes_that_are_cut_short_end_the_list, 0, 3);
	tcase_add_test(t, number_of_vcpus_is_bounded);
	suite_add_tcase(s, t);
	return s;
}

VMIFS_UNIT_MAIN(make_suite)
