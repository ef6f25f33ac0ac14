/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * registers-arm: of AArch64 and of 32-bit ARM each word has its value behind it; those of 128 bits
 * are two, the upper half first. Registers of the system are not among them.
 *
 *    PC=ffffcbb56f3a4c44 X00=ffffcbb56f3a4c20 X01=...
 *   ... X29=ffffcbb570b2bd50 X30=ffffcbb56f3a4cd4  SP=ffffcbb570b2bd50
 *   PSTATE=604000c5 -ZC- EL1h     FPCR=00000000 FPSR=00000010
 *   Q00=0000000000000000:0000000000000000 Q01=...        or Z00=..., or "FPU disabled"
 *
 *   R00=00000005 R01=00000000 ...                        of a vCPU in 32-bit mode
 *   R12=1d81b000 R13=c1401f68 R14=c03099d8 R15=c031fc88
 *   PSR=60000093 -ZC- A svc32
 *   s00=00000000 s01=23000000 d00=2300000000000000
 */
#include "registers.h"

#include <string.h>

#define MAX_NAME 8
#define N_GENERAL 31
#define N_VECTORS 32
#define N_GENERAL32 16

static const struct {
	const char *text, *name;
} others[] = {
	{ "PC", "pc" },     { "SP", "sp" },     { "PSTATE", "cpsr" },
	{ "FPCR", "fpcr" }, { "FPSR", "fpsr" }, { "PSR", "cpsr" },
	{ "R13", "sp" },    { "R14", "lr" },    { "R15", "pc" },
};

/* 8 digits, or 16. */
static gboolean
take_hex(const char **at, const char *end, guint64 *ret)
{
	const char *start = *at;
	guint64 value = 0;

	for (; *at < end && g_ascii_isxdigit(**at); (*at)++)
		value = value << 4 | (guint64) g_ascii_xdigit_value(**at);
	*ret = value;
	return *at - start == 8 || *at - start == 16;
}

/* LETTER and two digits. */
static gboolean
is_numbered(const char *word, char letter, guint n, guint *ret)
{
	if (word[0] != letter || !g_ascii_isdigit(word[1]) || !g_ascii_isdigit(word[2]) || word[3])
		return FALSE;
	*ret = (guint) (g_ascii_digit_value(word[1]) * 10 + g_ascii_digit_value(word[2]));
	return *ret < n;
}

/* low: (nullable) of one of two halves. */
static void
add(VmifsRegs *regs, const char *word, guint64 value, const guint64 *low)
{
	char name[VMIFS_REG_NAME_LEN];
	guint number;

	if (low && (is_numbered(word, 'Q', N_VECTORS, &number) ||
		    is_numbered(word, 'Z', N_VECTORS, &number))) {
		g_snprintf(name, sizeof name, "v%u_0", number);
		vmifs_regs_set(regs, name, *low);
		g_snprintf(name, sizeof name, "v%u_1", number);
		vmifs_regs_set(regs, name, value);
	}
	if (low)
		return;
	if (is_numbered(word, 'X', N_GENERAL, &number) ||
	    is_numbered(word, 'R', N_GENERAL32 - 3, &number) ||
	    is_numbered(word, 'd', N_VECTORS, &number)) {
		g_snprintf(name, sizeof name, "%c%u", g_ascii_tolower(*word), number);
		vmifs_regs_set(regs, name, value);
	}
	for (gsize i = 0; i < G_N_ELEMENTS(others); i++)
		if (g_str_equal(word, others[i].text))
			vmifs_regs_set(regs, others[i].name, value);
}

gboolean
qemu_registers_are_arm32(const char *text, const char *end)
{
	return memmem(text, (gsize) (end - text), "R00=", strlen("R00=")) != NULL;
}

void
qemu_registers_parse_arm(const char *text, const char *end, VmifsRegs *regs)
{
	const char *equals;

	while (text < end && (equals = memchr(text, '=', (gsize) (end - text)))) {
		const char *start = equals;
		char word[MAX_NAME] = "";
		guint64 value, low;

		while (start > text && g_ascii_isalnum(start[-1]))
			start--;
		text = equals + 1;
		gsize len = (gsize) (equals - start);
		if (!len || len >= sizeof word || !take_hex(&text, end, &value))
			continue;
		memcpy(word, start, len);
		gboolean is_wide = text < end && *text == ':';
		if (is_wide) {
			text++;
			if (!take_hex(&text, end, &low))
				continue;
		}
		if (text == end || g_ascii_isspace(*text))
			add(regs, word, value, is_wide ? &low : NULL);
	}
}
