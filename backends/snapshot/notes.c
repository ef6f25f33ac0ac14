/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * notes: what stands beside the memory in an ELF core. Registers come in two kinds of note, and a
 * vCPU's two are told to belong together by their order alone: the first of one kind and the first
 * of the other are the first vCPU's.
 *
 *   CORE, type 1   prstatus, as of a thread: general registers, selectors
 *   QEMU, type 0   the same and more: segments, descriptor tables, control registers
 *   VMCOREINFO     the kernel's own note, kept whole
 *
 * Which registers lie where is a table for each layout; that of a prstatus is known by its size.
 */
#include "snapshot.h"

#include <elf.h>
#include <spi/bytes.h>

typedef struct {
	const char *name;
	guint16 offset; /* in the note's content */
	guint8 len;     /* bytes */
} Field;

/* struct elf_prstatus: numbers of a thread, then its registers as ptrace(2) orders them. */
static const Field prstatus64[] = {
	{ "r15", 112, 8 },     { "r14", 120, 8 },     { "r13", 128, 8 }, { "r12", 136, 8 },
	{ "rbp", 144, 8 },     { "rbx", 152, 8 },     { "r11", 160, 8 }, { "r10", 168, 8 },
	{ "r9", 176, 8 },      { "r8", 184, 8 },      { "rax", 192, 8 }, { "rcx", 200, 8 },
	{ "rdx", 208, 8 },     { "rsi", 216, 8 },     { "rdi", 224, 8 }, { "rip", 240, 8 },
	{ "cs", 248, 8 },      { "eflags", 256, 8 },  { "rsp", 264, 8 }, { "ss", 272, 8 },
	{ "fs_base", 280, 8 }, { "gs_base", 288, 8 }, { "ds", 296, 8 },  { "es", 304, 8 },
	{ "fs", 312, 8 },      { "gs", 320, 8 },
};

static const Field prstatus32[] = {
	{ "ebx", 72, 4 }, { "ecx", 76, 4 },     { "edx", 80, 4 },  { "esi", 84, 4 },
	{ "edi", 88, 4 }, { "ebp", 92, 4 },     { "eax", 96, 4 },  { "ds", 100, 2 },
	{ "es", 104, 2 }, { "fs", 108, 2 },     { "gs", 112, 2 },  { "eip", 120, 4 },
	{ "cs", 124, 2 }, { "eflags", 128, 4 }, { "esp", 132, 4 }, { "ss", 136, 2 },
};

/* Of AArch64, where registers have numbers. */
static const Field prstatus_aarch64[] = {
	{ "x0", 112, 8 },  { "x1", 120, 8 },   { "x2", 128, 8 },  { "x3", 136, 8 },
	{ "x4", 144, 8 },  { "x5", 152, 8 },   { "x6", 160, 8 },  { "x7", 168, 8 },
	{ "x8", 176, 8 },  { "x9", 184, 8 },   { "x10", 192, 8 }, { "x11", 200, 8 },
	{ "x12", 208, 8 }, { "x13", 216, 8 },  { "x14", 224, 8 }, { "x15", 232, 8 },
	{ "x16", 240, 8 }, { "x17", 248, 8 },  { "x18", 256, 8 }, { "x19", 264, 8 },
	{ "x20", 272, 8 }, { "x21", 280, 8 },  { "x22", 288, 8 }, { "x23", 296, 8 },
	{ "x24", 304, 8 }, { "x25", 312, 8 },  { "x26", 320, 8 }, { "x27", 328, 8 },
	{ "x28", 336, 8 }, { "x29", 344, 8 },  { "x30", 352, 8 }, { "sp", 360, 8 },
	{ "pc", 368, 8 },  { "cpsr", 376, 8 },
};

/* Of 32-bit ARM, with gdb's names for the last ones (struct pt_regs,
 * arch/arm/include/uapi/asm/ptrace.h of Linux 6.12; struct arm_elf_prstatus, target/arm/arch_dump.c
 * of QEMU 9). */
static const Field prstatus_arm[] = {
	{ "r0", 72, 4 },    { "r1", 76, 4 },  { "r2", 80, 4 },   { "r3", 84, 4 },
	{ "r4", 88, 4 },    { "r5", 92, 4 },  { "r6", 96, 4 },   { "r7", 100, 4 },
	{ "r8", 104, 4 },   { "r9", 108, 4 }, { "r10", 112, 4 }, { "r11", 116, 4 },
	{ "r12", 120, 4 },  { "sp", 124, 4 }, { "lr", 128, 4 },  { "pc", 132, 4 },
	{ "cpsr", 136, 4 },
};

/* Of 64-bit RISC-V, by the names that its calling convention has for them. */
static const Field prstatus_riscv64[] = {
	{ "pc", 112, 8 }, { "ra", 120, 8 },  { "sp", 128, 8 },  { "gp", 136, 8 }, { "tp", 144, 8 },
	{ "t0", 152, 8 }, { "t1", 160, 8 },  { "t2", 168, 8 },  { "s0", 176, 8 }, { "s1", 184, 8 },
	{ "a0", 192, 8 }, { "a1", 200, 8 },  { "a2", 208, 8 },  { "a3", 216, 8 }, { "a4", 224, 8 },
	{ "a5", 232, 8 }, { "a6", 240, 8 },  { "a7", 248, 8 },  { "s2", 256, 8 }, { "s3", 264, 8 },
	{ "s4", 272, 8 }, { "s5", 280, 8 },  { "s6", 288, 8 },  { "s7", 296, 8 }, { "s8", 304, 8 },
	{ "s9", 312, 8 }, { "s10", 320, 8 }, { "s11", 328, 8 }, { "t3", 336, 8 }, { "t4", 344, 8 },
	{ "t5", 352, 8 }, { "t6", 360, 8 },
};

/* Selector, limit, attributes, padding, base. */
#define SEGMENT(name, offset)                                                                      \
	{ name, offset, 4 }, { name "_limit", (offset) + 4, 4 },                                   \
		{ name "_flags", (offset) + 8, 4 },                                                \
	{                                                                                          \
		name "_base", (offset) + 16, 8                                                     \
	}
#define TABLE(name, offset)                                                                        \
	{ name "_limit", (offset) + 4, 4 },                                                        \
	{                                                                                          \
		name "_base", (offset) + 16, 8                                                     \
	}

/* QEMUCPUState, version 1, of which later QEMUs have only made the end longer. Its general
 * registers are those of prstatus once more, by their 64-bit names whatever the guest's mode. */
static const Field qemu_general[] = {
	{ "rax", 8, 8 },   { "rbx", 16, 8 },     { "rcx", 24, 8 },  { "rdx", 32, 8 },
	{ "rsi", 40, 8 },  { "rdi", 48, 8 },     { "rsp", 56, 8 },  { "rbp", 64, 8 },
	{ "r8", 72, 8 },   { "r9", 80, 8 },      { "r10", 88, 8 },  { "r11", 96, 8 },
	{ "r12", 104, 8 }, { "r13", 112, 8 },    { "r14", 120, 8 }, { "r15", 128, 8 },
	{ "rip", 136, 8 }, { "eflags", 144, 8 },
};

static const Field qemu_system[] = {
	SEGMENT("cs", 152), SEGMENT("ds", 176), SEGMENT("es", 200),      SEGMENT("fs", 224),
	SEGMENT("gs", 248), SEGMENT("ss", 272), SEGMENT("ldt", 296),     SEGMENT("tr", 320),
	TABLE("gdt", 344),  TABLE("idt", 368),  { "cr0", 392, 8 },       { "cr2", 408, 8 },
	{ "cr3", 416, 8 },  { "cr4", 424, 8 },  { "k_gs_base", 432, 8 },
};

#define PRSTATUS64_LEN 336
#define PRSTATUS32_LEN 144
#define PRSTATUS_AARCH64_LEN 392
#define PRSTATUS_ARM_LEN 148
#define PRSTATUS_RISCV64_LEN 376
#define QEMU_MIN_LEN 432
#define QEMU_VERSION 1

typedef struct {
	const guint8 *head; /* of the note */
	const guint8 *owner, *desc;
	guint32 owner_len, desc_len, type;
} Note;

/* ---- registers ---- */

static guint64
load(const guint8 *at, guint8 len)
{
	return len == 2 ? vmifs_load_u16(at) : len == 4 ? vmifs_load_u32(at) : vmifs_load_u64(at);
}

static void
fill(VmifsRegs *regs, const Field *fields, gsize n_fields, const Note *note)
{
	for (gsize i = 0; i < n_fields; i++) {
		const Field *field = &fields[i];
		/* Older writers have fewer. */
		if (vmifs_in_bounds(field->offset, field->len, note->desc_len))
			vmifs_regs_set(regs, field->name,
				       load(note->desc + field->offset, field->len));
	}
}

/* (borrowed) NULL beyond any number that makes sense. */
static VmifsRegs *
regs_of(VmifsSnapshot *self, guint vcpu)
{
	if (vcpu >= VMIFS_MAX_VCPUS)
		return NULL;
	while (self->vcpus->len <= vcpu)
		g_ptr_array_add(self->vcpus, vmifs_regs_new());
	return g_ptr_array_index(self->vcpus, vcpu);
}

/* Those of other machines have other sizes. */
static const struct {
	guint32 len;
	const Field *fields;
	gsize n_fields;
} prstatuses[] = {
	{ PRSTATUS64_LEN, prstatus64, G_N_ELEMENTS(prstatus64) },
	{ PRSTATUS32_LEN, prstatus32, G_N_ELEMENTS(prstatus32) },
	{ PRSTATUS_AARCH64_LEN, prstatus_aarch64, G_N_ELEMENTS(prstatus_aarch64) },
	{ PRSTATUS_ARM_LEN, prstatus_arm, G_N_ELEMENTS(prstatus_arm) },
	{ PRSTATUS_RISCV64_LEN, prstatus_riscv64, G_N_ELEMENTS(prstatus_riscv64) },
};

/* FALSE: it is of an unknown machine. */
static gboolean
add_prstatus(VmifsSnapshot *self, guint vcpu, const Note *note)
{
	for (gsize i = 0; i < G_N_ELEMENTS(prstatuses); i++) {
		VmifsRegs *regs;
		if (note->desc_len != prstatuses[i].len)
			continue;
		regs = regs_of(self, vcpu);
		if (regs)
			fill(regs, prstatuses[i].fields, prstatuses[i].n_fields, note);
		return TRUE;
	}
	return FALSE;
}

static void
add_qemu(VmifsSnapshot *self, guint vcpu, const Note *note)
{
	VmifsRegs *regs = regs_of(self, vcpu);
	guint64 eip;

	if (!regs)
		return;
	if (!vmifs_regs_get(regs, "eip", &eip))
		fill(regs, qemu_general, G_N_ELEMENTS(qemu_general), note);
	fill(regs, qemu_system, G_N_ELEMENTS(qemu_system), note);
}

/* ---- the list ---- */

/* FALSE where no whole note follows. */
static gboolean
next_note(VmifsBytes *bytes, Note *ret)
{
	Note note = { .head = bytes->data + bytes->at };

	note.owner_len = vmifs_bytes_u32(bytes);
	note.desc_len = vmifs_bytes_u32(bytes);
	note.type = vmifs_bytes_u32(bytes);
	note.owner = vmifs_bytes_take(bytes, ((gsize) note.owner_len + 3) & ~(gsize) 3);
	note.desc = vmifs_bytes_take(bytes, note.desc_len);
	if (bytes->failed)
		return FALSE;
	/* The last one's padding may be missing. */
	vmifs_bytes_take(bytes, MIN(-(gsize) note.desc_len & 3, bytes->len - bytes->at));
	*ret = note;
	return TRUE;
}

/* Some writers count the final NUL, some do not. */
static gboolean
is_of(const Note *note, const char *owner, guint32 type)
{
	gsize len = strlen(owner);

	return note->type == type && (note->owner_len == len || note->owner_len == len + 1) &&
	       !memcmp(note->owner, owner, len);
}

void
vmifs_snapshot_add_notes(VmifsSnapshot *self, gconstpointer notes, gsize len)
{
	VmifsBytes bytes = vmifs_bytes(notes, len);
	guint n_prstatus = 0, n_qemu = 0;
	Note note;

	while (bytes.at < len && next_note(&bytes, &note)) {
		if (is_of(&note, "CORE", NT_PRSTATUS) && add_prstatus(self, n_prstatus, &note))
			n_prstatus++;
		else if (is_of(&note, "QEMU", 0) && note.desc_len >= QEMU_MIN_LEN &&
			 vmifs_load_u32(note.desc) == QEMU_VERSION)
			add_qemu(self, n_qemu++, &note);
		else if (is_of(&note, "VMCOREINFO", 0) && !self->vmcoreinfo)
			self->vmcoreinfo = g_bytes_new(note.head, (gsize) (note.desc - note.head) +
									  note.desc_len);
	}
}
