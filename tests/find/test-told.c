/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * told: what a core's notes say of the kernel leads to it without a pass over memory, and is not
 * believed where memory says otherwise.
 */
#include <unit.h>

#include "discovered.h"

#include <elf.h>
#include <linux-image.h>

#define MEMORY (40u << 20)
#define NOTES 0x1000
#define NOTES_LEN 0x2000
#define MEMORY_AT 0x10000
#define CR3_AT 416 /* in QEMUCPUState */
#define IDT_AT 384 /* its base */
#define CPU_LEN 432
#define IDT_OFFSET 0x3ff000 /* in the image */

static const LinuxImagePlan usual = { .release = "6.1.0-test",
				      .text_pa = 0x1200000,
				      .slide = 0x2600000,
				      .encoding = LINUX_KALLSYMS_RELATIVE,
				      .clock = 1700000000,
				      .note_pa = 0x7000 };

/* An earlier kernel, as whole as the one that runs, whose clock is even later. */
static const LinuxImagePlan stale = { .release = "5.10-stale",
				      .text_pa = 0x600000,
				      .slide = 0x200000,
				      .encoding = LINUX_KALLSYMS_RELATIVE,
				      .clock = 1700000001,
				      .note_pa = 0x5000 };

/* The note of VMCOREINFO as it stands in memory, taken out of there. */
static void
move_note(guint8 *notes, gsize *at, guint8 *page)
{
	guint32 len = GUINT32_FROM_LE(((guint32 *) (gpointer) page)[1]);

	memcpy(notes + *at, page, 24 + len);
	memset(page, 0, 4096);
	*at += 24 + ((len + 3) & ~3u);
}

static void
add_vcpu_with(guint8 *notes, gsize *at, guint64 cr3, guint64 idt)
{
	const guint32 head[] = { GUINT32_TO_LE(5), GUINT32_TO_LE(CPU_LEN), 0 };
	const guint32 version = GUINT32_TO_LE(1);

	memcpy(notes + *at, head, sizeof head);
	memcpy(notes + *at + 12, "QEMU", 5);
	memcpy(notes + *at + 20, &version, sizeof version);
	cr3 = GUINT64_TO_LE(cr3);
	memcpy(notes + *at + 20 + CR3_AT, &cr3, sizeof cr3);
	idt = GUINT64_TO_LE(idt);
	memcpy(notes + *at + 20 + IDT_AT, &idt, sizeof idt);
	*at += 20 + CPU_LEN;
}

static void
add_vcpu(guint8 *notes, gsize *at, guint64 cr3)
{
	add_vcpu_with(notes, at, cr3, 0);
}

/* memory: (taken). (full) what `info` says. */
static char *
discover_core(guint8 *memory, const guint8 *notes, gsize notes_len)
{
	VmifsOptions options = { .size = sizeof options };
	Elf64_Ehdr head = { .e_ident = { 0x7f, 'E', 'L', 'F', ELFCLASS64, ELFDATA2LSB, 1 },
			    .e_type = GUINT16_TO_LE(ET_CORE),
			    .e_machine = GUINT16_TO_LE(EM_X86_64),
			    .e_phoff = GUINT64_TO_LE(sizeof head),
			    .e_phentsize = GUINT16_TO_LE(sizeof(Elf64_Phdr)),
			    .e_phnum = GUINT16_TO_LE(2) };
	Elf64_Phdr segments[] = { { .p_type = GUINT32_TO_LE(PT_NOTE),
				    .p_offset = GUINT64_TO_LE(NOTES),
				    .p_filesz = GUINT64_TO_LE(notes_len) },
				  { .p_type = GUINT32_TO_LE(PT_LOAD),
				    .p_offset = GUINT64_TO_LE(MEMORY_AT),
				    .p_filesz = GUINT64_TO_LE(MEMORY),
				    .p_memsz = GUINT64_TO_LE(MEMORY) } };
	int fd = memfd_create("core", MFD_CLOEXEC);

	ck_assert_int_eq(write(fd, &head, sizeof head), sizeof head);
	ck_assert_int_eq(write(fd, segments, sizeof segments), sizeof segments);
	ck_assert_int_eq(pwrite(fd, notes, notes_len, NOTES), (gssize) notes_len);
	write_memory(fd, memory, MEMORY, MEMORY_AT);
	return discover_file(fd, &options);
}

START_TEST(note_beside_the_memory_needs_no_pass)
{
	guint8 *memory = g_malloc0(MEMORY), notes[NOTES_LEN] = { 0 };
	gsize len = 0;
	linux_image_put(memory, MEMORY, &usual);
	move_note(notes, &len, memory + usual.note_pa);
	g_autofree char *info = discover_core(memory, notes, len);

	assert_says(info, "found release: 6.1.0-test\n");
	assert_says(info, "scanned: nothing: what the source tells is enough\n");
	assert_says(info,
		    "score 120: linux root 0x1600000: VMCOREINFO beside the memory; 5 probes");
	assert_says(info, "list of tasks agree\n");
}
END_TEST

START_TEST(page_table_of_a_vcpu_confirms_it)
{
	/* The kernel's, its user half, with a process-context id; another vCPU is elsewhere. */
	static const guint64 flags[] = { 0, 0x1000, 0x1801, 1ULL << 63 };
	guint8 *memory = g_malloc0(MEMORY), notes[NOTES_LEN] = { 0 };
	gsize len = 0;
	linux_image_put(memory, MEMORY, &usual);
	add_vcpu(notes, &len, 0x2000);
	add_vcpu(notes, &len, linux_image_root(&usual) | flags[_i]);
	move_note(notes, &len, memory + usual.note_pa);
	g_autofree char *info = discover_core(memory, notes, len);

	assert_says(info, "scanned: nothing: what the source tells is enough\n");
	assert_says(info, "score 150: linux root 0x1600000: ");
	assert_says(info, "agree; CR3 of vCPU 1 agrees\n");
}
END_TEST

/* Without registers the later clock would win. */
START_TEST(kernel_that_a_vcpu_runs_wins_over_the_note_of_another)
{
	guint8 *memory = g_malloc0(MEMORY), notes[NOTES_LEN] = { 0 };
	gsize len = 0;
	linux_image_put(memory, MEMORY, &usual);
	linux_image_put(memory, MEMORY, &stale);
	add_vcpu(notes, &len, linux_image_root(&usual));
	move_note(notes, &len, memory + stale.note_pa);
	g_autofree char *info = discover_core(memory, notes, len);

	assert_says(info, "found release: 6.1.0-test\n");
	assert_says(info, "scanned: page heads\n");
	assert_says(info, "attached, score 150: ");
}
END_TEST

START_TEST(kernel_that_no_vcpu_runs_is_taken_when_there_is_no_other)
{
	guint8 *memory = g_malloc0(MEMORY), notes[NOTES_LEN] = { 0 };
	gsize len = 0;
	linux_image_put(memory, MEMORY, &usual);
	add_vcpu(notes, &len, 0x2000);
	g_autofree char *info = discover_core(memory, notes, len);

	assert_says(info, "found release: 6.1.0-test\n");
	assert_says(info, "scanned: page heads, then all memory\n");
	assert_says(info, "attached, score 60: ");
	assert_says(info, "; no vCPU's CR3 agrees\n");
}
END_TEST

/* Page faults of a vCPU go to the text; the table of them stands in the image. */
static void
put_gate(guint8 *memory, guint64 handler)
{
	guint8 *gate = memory + usual.text_pa + IDT_OFFSET + 14 * 16;
	const guint8 bytes[] = {
		(guint8) handler,         (guint8) (handler >> 8),  0x10, 0, 0, 0x8e,
		(guint8) (handler >> 16), (guint8) (handler >> 24),
	};
	guint32 high = GUINT32_TO_LE((guint32) (handler >> 32));
	memcpy(gate, bytes, sizeof bytes);
	memcpy(gate + 8, &high, sizeof high);
}

START_TEST(interrupts_of_a_vcpu_lead_to_the_kernel)
{
	guint64 delta = linux_image_delta(&usual), text = usual.text_pa + delta;
	guint8 *memory = g_malloc0(MEMORY), notes[NOTES_LEN] = { 0 };
	gsize len = 0;
	linux_image_put(memory, MEMORY, &usual);
	memset(memory + usual.note_pa, 0, 4096);
	put_gate(memory, text + 0x1234);
	add_vcpu(notes, &len, 0x2000);
	add_vcpu_with(notes, &len, linux_image_root(&usual), text + IDT_OFFSET);
	g_autofree char *info = discover_core(memory, notes, len);

	assert_says(info, "found release: 6.1.0-test\n");
	assert_says(info, "scanned: where the source's registers point\n");
	assert_says(info, "agree; CR3 of vCPU 1 agrees\n");
}
END_TEST

START_TEST(interrupts_that_go_elsewhere_are_passed_over)
{
	/* Firmware's, and to where nothing is mapped. */
	static const guint64 handlers[] = { 0x100000, 0xfffffffffffff000 };
	guint8 *memory = g_malloc0(MEMORY), notes[NOTES_LEN] = { 0 };
	gsize len = 0;
	linux_image_put(memory, MEMORY, &usual);
	put_gate(memory, handlers[_i]);
	add_vcpu_with(notes, &len, linux_image_root(&usual),
		      usual.text_pa + linux_image_delta(&usual) + IDT_OFFSET);
	g_autofree char *info = discover_core(memory, notes, len);

	assert_says(info, "found release: 6.1.0-test\n");
	assert_says(info, "scanned: page heads\n");
}
END_TEST

START_TEST(note_that_makes_no_sense_is_said_and_passed_over)
{
	guint8 *memory = g_malloc0(MEMORY), notes[NOTES_LEN] = { 11, 0, 0, 0, 8 };
	linux_image_put(memory, MEMORY, &usual);
	memcpy(notes + 12, "VMCOREINFO\0\0NONSENSE", 20);
	g_autofree char *info = discover_core(memory, notes, 32);

	assert_says(info, "found release: 6.1.0-test\n");
	assert_says(info, "scanned: page heads\n");
	assert_says(info, "seen: VMCOREINFO beside the memory: a VMCOREINFO note that does not");
}
END_TEST

static Suite *
make_suite(void)
{
	Suite *s = suite_create("told");
	TCase *t = tcase_create("told");
	tcase_set_timeout(t, 30);
	tcase_add_test(t, note_beside_the_memory_needs_no_pass);
	tcase_add_loop_test(t, page_table_of_a_vcpu_confirms_it, 0, 4);
	tcase_add_test(t, kernel_that_a_vcpu_runs_wins_over_the_note_of_another);
	tcase_add_test(t, kernel_that_no_vcpu_runs_is_taken_when_there_is_no_other);
	tcase_add_test(t, interrupts_of_a_vcpu_lead_to_the_kernel);
	tcase_add_loop_test(t, interrupts_that_go_elsewhere_are_passed_over, 0, 2);
	tcase_add_test(t, note_that_makes_no_sense_is_said_and_passed_over);
	suite_add_tcase(s, t);
	return s;
}

VMIFS_UNIT_MAIN(make_suite)
