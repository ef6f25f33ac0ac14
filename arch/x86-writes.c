/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * x86-writes: instructions that write a control register or an MSR, from their bytes and the
 * registers before them (Intel SDM volume 2):
 *
 *   0f 22 /r   mov crN, r64     (r32) all of it; the upper bits of an address say how to flush
 *   0f 06      clts             CR0 without TS
 *   0f 01 /6   lmsw             the low four bits of CR0, of which PE is only ever set
 *   0f 30      wrmsr            the one that ecx names, from edx:eax
 *   0f 01 c6   wrmsrns
 */
#include "x86.h"

#include <string.h>

#define MAX_INSTRUCTION 15

#define CR0_TS (1u << 3)
#define CR0_PE 1u
#define CR0_LMSW 0xfu
/* Of what is moved to CR3: nothing is flushed. It is not kept. */
#define CR3_NOFLUSH (1ull << 63)

#define MSR_EFER 0xc0000080u
#define MSR_FS_BASE 0xc0000100u
#define MSR_KERNEL_GS_BASE 0xc0000102u

static const char *const general64[] = { "rax", "rcx", "rdx", "rbx", "rsp", "rbp", "rsi", "rdi",
					 "r8",  "r9",  "r10", "r11", "r12", "r13", "r14", "r15" };
static const char *const general32[] = { "eax", "ecx", "edx", "ebx", "esp", "ebp", "esi", "edi" };
enum { AX, CX, DX };

/* What stands in front of one. */
typedef struct {
	const VmifsRegs *regs;      /* (nullable) */
	const char *const *general; /* their names */
} Before;

static gboolean
get(const Before *before, guint general, guint64 *ret)
{
	return before->regs && vmifs_regs_get(before->regs, before->general[general], ret);
}

/* ---- where they may be ---- */

/* The two bytes behind 0f, of which the second may be missing. */
static gboolean
may_be(const char *reg, guint8 opcode, guint8 modrm)
{
	if (g_str_equal(reg, "msr"))
		return opcode == 0x30 || (opcode == 0x01 && modrm == 0xc6);
	guint number = modrm >> 3 & 7;
	if (g_str_equal(reg, "cr0"))
		return opcode == 0x06 || (opcode == 0x22 && number == 0) ||
		       (opcode == 0x01 && number == 6);
	return opcode == 0x22 && number == (g_str_equal(reg, "cr3") ? 3 : 4);
}

static gsize
find(const char *reg, const guint8 *code, gsize len, gsize at)
{
	while (at < len) {
		const guint8 *escape = memchr(code + at, 0x0f, len - at);
		if (!escape)
			break;
		at = (gsize) (escape - code);
		if (at + 1 < len && may_be(reg, code[at + 1], at + 2 < len ? code[at + 2] : 0))
			return at;
		at++;
	}
	return len;
}

/* ---- one of them ---- */

static gboolean
is_prefix(guint8 byte)
{
	static const guint8 prefixes[] = { 0x26, 0x2e, 0x36, 0x3e, 0x64,
					   0x65, 0x66, 0x67, 0xf2, 0xf3 };

	return memchr(prefixes, byte, sizeof prefixes) != NULL;
}

static void
set_value(VmifsArchWrite *write, gboolean is_known, guint64 value)
{
	write->has_value = is_known;
	write->value = is_known ? value : 0;
}

static void
take_msr(const Before *before, VmifsArchWrite *write)
{
	guint64 which, low = 0, high = 0;

	write->reg = "msr";
	if (!get(before, CX, &which))
		return;
	write->number = (guint32) which;
	if (write->number == MSR_EFER)
		write->name = "efer";
	gboolean is_known = get(before, AX, &low) && get(before, DX, &high);
	set_value(write, is_known, (guint32) low | high << 32);
}

static gboolean
take_control(guint number, guint source, const Before *before, VmifsArchWrite *write)
{
	static const char *const names[] = { "cr0", NULL, NULL, "cr3", "cr4" };
	guint64 value = 0;

	if (number >= G_N_ELEMENTS(names) || !names[number])
		return FALSE;
	write->reg = write->name = names[number];
	gboolean is_known = get(before, source, &value);
	set_value(write, is_known, number == 3 ? value & ~CR3_NOFLUSH : value);
	return TRUE;
}

static void
take_cr0(guint64 keeps, guint64 sets, const VmifsRegs *regs, VmifsArchWrite *write)
{
	guint64 old = 0;

	write->reg = write->name = "cr0";
	gboolean is_known = regs && vmifs_regs_get(regs, "cr0", &old);
	set_value(write, is_known, (old & keeps) | sets);
}

/* What is in memory is not looked at. */
static void
take_lmsw(guint modrm, guint source, const Before *before, VmifsArchWrite *write)
{
	guint64 value = 0;
	gboolean is_known = modrm >> 6 == 3 && get(before, source, &value);

	take_cr0(~(guint64) (CR0_LMSW & ~CR0_PE), value & CR0_LMSW, is_known ? before->regs : NULL,
		 write);
	write->len = modrm >> 6 == 3 ? write->len : 0;
}

/* rex: its byte, of those before the opcode; 0: none. */
static gboolean
decode_behind(const guint8 *code, gsize len, gsize at, guint rex, const Before *before,
	      VmifsArchWrite *ret)
{
	VmifsArchWrite write = { 0 };

	if (len - at < 2 || code[at] != 0x0f)
		return FALSE;
	guint opcode = code[at + 1], modrm = len - at > 2 ? code[at + 2] : 0;
	guint source = (modrm & 7) | (rex & 1) << 3;
	write.len = at + (opcode == 0x30 || opcode == 0x06 ? 2 : 3);
	if (write.len > len)
		return FALSE;
	if (opcode == 0x30 || (opcode == 0x01 && modrm == 0xc6))
		take_msr(before, &write);
	else if (opcode == 0x06)
		take_cr0(~(guint64) CR0_TS, 0, before->regs, &write);
	else if (opcode == 0x01 && (modrm >> 3 & 7) == 6)
		take_lmsw(modrm, source, before, &write);
	else if (opcode != 0x22 ||
		 !take_control((modrm >> 3 & 7) | (rex & 4) << 1, source, before, &write))
		return FALSE;
	*ret = write;
	return TRUE;
}

static gsize
skip_prefixes(const guint8 *code, gsize len)
{
	gsize at = 0;

	while (at < len && is_prefix(code[at]))
		at++;
	return at;
}

static gboolean
decode64(const guint8 *code, gsize len, const VmifsRegs *regs, VmifsArchWrite *ret)
{
	const Before before = { regs, general64 };
	gsize at = skip_prefixes(code, len = MIN(len, MAX_INSTRUCTION));
	guint rex = at < len && (code[at] & 0xf0) == 0x40 ? code[at++] : 0;

	return decode_behind(code, len, at, rex, &before, ret);
}

static gboolean
decode32(const guint8 *code, gsize len, const VmifsRegs *regs, VmifsArchWrite *ret)
{
	const Before before = { regs, general32 };
	gsize at = skip_prefixes(code, len = MIN(len, MAX_INSTRUCTION));

	return decode_behind(code, len, at, 0, &before, ret);
}

static const char *
unseen(const char *reg, guint32 number)
{
	if (g_str_equal(reg, "msr") && number >= MSR_FS_BASE && number <= MSR_KERNEL_GS_BASE)
		return "programs write it, too, and the processor by itself (wrfsbase, swapgs, "
		       "segments)";
	return NULL;
}

const VmifsArchWrites vmifs_x86_64_writes = {
	.find = find,
	.decode = decode64,
	.unseen = unseen,
};

const VmifsArchWrites vmifs_i386_writes = {
	.find = find,
	.decode = decode32,
	.unseen = unseen,
};
