/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * nop: "nop" and "nopl" of each length, and "endbr64". "pause" is none: whoever runs the guest may
 * do something then.
 */
#include "nop.h"

#include <string.h>

/* With what its operand, which is not looked at, is addressed by; 0: there is none. */
static guint
operand_len(const guint8 *at, gsize len)
{
	if (!len || (*at >> 3 & 7))
		return 0; /* reserved for others */
	guint mod = *at >> 6, rm = *at & 7;
	if (mod == 3)
		return 0;
	guint n = 1 + (rm == 4) + (mod == 1 ? 1 : mod == 2 ? 4 : 0);
	if (!mod && (rm == 5 || (rm == 4 && len > 1 && (at[1] & 7) == 5)))
		n += 4;
	return n;
}

guint
qemu_nop_len(const guint8 *code, gsize len)
{
	static const guint8 endbr64[] = { 0xf3, 0x0f, 0x1e, 0xfa };
	gsize at = 0;

	if (len >= sizeof endbr64 && !memcmp(code, endbr64, sizeof endbr64))
		return sizeof endbr64;
	while (at < len && (code[at] == 0x66 || code[at] == 0x2e))
		at++;
	if (at < len && code[at] == 0x90)
		return at < QEMU_MAX_NOP ? (guint) at + 1 : 0;
	if (at + 2 >= len || code[at] != 0x0f || code[at + 1] != 0x1f)
		return 0;
	guint operand = operand_len(code + at + 2, len - at - 2);
	gsize n = at + 2 + operand;
	return operand && n <= len && n <= QEMU_MAX_NOP ? (guint) n : 0;
}
