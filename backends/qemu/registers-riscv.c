/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * registers-riscv: of RISC-V the text has names and numbers without anything between them; general
 * registers have two names, of which the second is the calling convention's:
 *
 *    pc       ffffffff80a6944c
 *    satp     a00bb000000860b5
 *    x0/zero  0000000000000000 x1/ra    ffffffff80a6b0e0 ...
 */
#include "registers.h"

#include <string.h>

#define HEX_LEN 16

/* Those that are told as they are. */
static const char *const others[] = {
	"pc",    "mhartid", "mstatus", "satp",   "stvec", "sscratch", "sepc",    "scause",
	"stval", "mtvec",   "mepc",    "mcause", "mtval", "medeleg",  "mideleg", "mscratch",
};

static const char *
skip(const char *at, const char *end, gboolean spaces)
{
	while (at < end && (g_ascii_isspace(*at) != 0) == spaces)
		at++;
	return at;
}

/* (static or of the text) Its name here; NULL: it has none. */
static const char *
name_of(const char *word, gsize len, gsize *ret_len)
{
	const char *slash = memchr(word, '/', len);

	for (gsize i = 0; i < G_N_ELEMENTS(others); i++) {
		if (strlen(others[i]) == len && !memcmp(word, others[i], len)) {
			*ret_len = len;
			return others[i];
		}
	}
	if (!slash || (*word != 'x' && *word != 'f') || len < 2 || !g_ascii_isdigit(word[1]))
		return NULL;
	*ret_len = len - (gsize) (slash + 1 - word);
	return slash + 1;
}

void
qemu_registers_parse_riscv(const char *text, const char *end, VmifsRegs *regs)
{
	while ((text = skip(text, end, TRUE)) < end) {
		const char *word = text;
		char name[VMIFS_REG_NAME_LEN];
		guint64 value = 0;
		gsize len;

		text = skip(text, end, FALSE);
		const char *found = name_of(word, (gsize) (text - word), &len);
		const char *digits = skip(text, end, TRUE);
		const char *behind = skip(digits, end, FALSE);
		if (!found || !len || len >= sizeof name || behind - digits != HEX_LEN)
			continue;
		for (const char *p = digits; p < behind; p++) {
			if (!g_ascii_isxdigit(*p))
				return;
			value = value << 4 | (guint64) g_ascii_xdigit_value(*p);
		}
		memcpy(name, found, len);
		name[len] = '\0';
		vmifs_regs_set(regs, name, value);
		text = behind;
	}
}
