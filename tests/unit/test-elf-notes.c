/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* backends/snapshot/notes: what the notes of a core tell of vCPUs and of a kernel that crashed. */
#include <core-image.h>

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

/* struct elf_prstatus of others: some places, and what they are called. */
static const struct {
	guint16 machine;
	const char *name;
	guint32 len;
	struct {
		guint32 at;
		const char *name;
	} regs[5];
} others[] = {
	{ EM_AARCH64,
	  "AArch64",
	  392,
	  { { 112, "x0" },
	    { 112 + 8 * 30, "x30" },
	    { 360, "sp" },
	    { 368, "pc" },
	    { 376, "cpsr" } } },
	{ EM_ARM,
	  "ARM",
	  148,
	  { { 72, "r0" },
	    { 72 + 4 * 12, "r12" },
	    { 72 + 4 * 13, "sp" },
	    { 72 + 4 * 15, "pc" },
	    { 72 + 4 * 16, "cpsr" } } },
	{ EM_RISCV,
	  "RISC-V",
	  376,
	  { { 112, "pc" }, { 112 + 8 * 2, "sp" }, { 112 + 8 * 8, "s0" }, { 112 + 8 * 31, "t6" } } },
};

START_TEST(registers_of_other_machines_are_told_by_their_names)
{
	narrow = others[_i].machine == EM_ARM;
	start_notes();
	guint64 note = add_note("CORE", NT_PRSTATUS, others[_i].len);
	for (guint i = 0; i < G_N_ELEMENTS(others->regs) && others[_i].regs[i].name; i++)
		put_u32(note + others[_i].regs[i].at, 0x80200000 + i);
	end_notes();
	add_header(ET_CORE, others[_i].machine);
	g_autoptr(VmifsPhysmem) mem = good_image("a");
	g_autofree char *told =
		g_strdup_printf("elf: %u bit, %s,", narrow ? 32 : 64, others[_i].name);
	assert_info(mem, told);

	ck_assert_uint_eq(vmifs_physmem_n_vcpus(mem), 1);
	for (guint i = 0; i < G_N_ELEMENTS(others->regs) && others[_i].regs[i].name; i++)
		ck_assert_uint_eq(reg(mem, 0, others[_i].regs[i].name), 0x80200000 + i);
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
	Suite *s = suite_create("elf-notes");
	TCase *t = tcase_create("elf-notes");
	tcase_add_checked_fixture(t, setup_core, teardown);
	tcase_add_test(t, registers_of_a_vcpu_come_from_both_of_its_notes);
	tcase_add_loop_test(t, registers_of_a_32_bit_guest_have_its_names, 0, 2);
	tcase_add_test(t, notes_of_others_and_of_other_shapes_are_passed_over);
	tcase_add_loop_test(t, registers_of_other_machines_are_told_by_their_names, 0,
			    G_N_ELEMENTS(others));
	tcase_add_test(t, note_of_a_crashed_kernel_is_kept_whole);
	tcase_add_loop_test(t, notes_that_are_cut_short_end_the_list, 0, 3);
	tcase_add_test(t, number_of_vcpus_is_bounded);
	suite_add_tcase(s, t);
	return s;
}

VMIFS_UNIT_MAIN(make_suite)
