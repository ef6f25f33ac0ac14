/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * kallsyms: the kernel's own symbol table, recognised by its content in physical memory (the image
 * is contiguous there), whatever version laid it out. Names are compressed: each byte of a name
 * stands for one of 256 tokens.
 *
 *   before 6.4:  offsets base n names markers [sequence] tokens token_index
 *   since 6.4:   n names markers tokens token_index offsets [base] sequence
 */
#pragma once

#include <vmifs/symbols.h>

G_BEGIN_DECLS

/* Exactly len bytes of physical memory, or FALSE. */
typedef struct {
	gboolean (*read)(gpointer user, guint64 pa, gpointer buf, gsize len);
	gpointer user;
} LinuxPhys;

/* Most tokens are not longer: they are copied by one move of this size. */
#define LINUX_KALLSYMS_SLACK 16

typedef enum {
	LINUX_KALLSYMS_RELATIVE,    /* base + u32 */
	LINUX_KALLSYMS_PERCPU,      /* s32: per-CPU offsets >= 0 themselves; < 0: base - 1 - s32 */
	LINUX_KALLSYMS_ABSOLUTE32,  /* u32 */
	LINUX_KALLSYMS_ABSOLUTE64,  /* u64; per-CPU offsets below the kernel's addresses */
	LINUX_KALLSYMS_PC_RELATIVE, /* address of the element itself + s32 */
} LinuxKallsymsEncoding;

/* Where the tables are (physical addresses), and copies of them: a live guest may change its own
 * while we read. */
typedef struct {
	guint64 tokens_pa, token_index_pa, markers_pa, names_pa, offsets_pa;
	guint32 n;
	LinuxKallsymsEncoding encoding;
	guint64 base; /* of RELATIVE and PERCPU */
	guint8 *names;
	gsize names_len;
	guint8 *offsets; /* n elements */
	char *tokens;    /* 256 strings and LINUX_KALLSYMS_SLACK bytes behind them */
	guint16 token_at[256];
	guint16 token_len[256];
} LinuxKallsyms;

/* The tokens of the digits, as in every token table. */
#define LINUX_KALLSYMS_DIGITS "0\0001\0002\0003\0004\0005\0006\0007\0008\0009"
/* digits_pa: where LINUX_KALLSYMS_DIGITS stands. */

/* Quickly: is there a whole token table with its index? Digits are planted easily. */
gboolean
linux_kallsyms_has_tokens(const LinuxPhys *phys, guint64 digits_pa);
/* NULL with CORRUPT, saying which table is missing, when there is no valid set of tables. */
LinuxKallsyms *
linux_kallsyms_find(const LinuxPhys *phys, guint64 digits_pa, GError **error);
void
linux_kallsyms_free(LinuxKallsyms *tables);

/* Forgets the copies: what is left says where the tables are. */
void
linux_kallsyms_drop_copies(LinuxKallsyms *tables);

const char *
linux_kallsyms_encoding_name(LinuxKallsymsEncoding encoding);
/* All symbols in table order. Addresses are virtual, but of PC_RELATIVE tables, which give
 * physical ones. CORRUPT when a name is malformed or too long. (full) */
VmifsSymbols *
linux_kallsyms_decode(const LinuxKallsyms *tables, GError **error);
/* Are those the symbols of these tables? So far as that is seen by expanding one name of so many,
 * none of which can be told beforehand. */
gboolean
linux_kallsyms_agrees(const LinuxKallsyms *tables, const VmifsSymbols *symbols, guint32 step);
/* Bytes of one element of offsets. */
gsize
linux_kallsyms_width(LinuxKallsymsEncoding encoding);
guint64
linux_kallsyms_address(const LinuxKallsyms *tables, guint32 index);
/* Length of the name entry at *at of names, which moves to its first token; 0 = malformed or
 * beyond len. */
gsize
linux_kallsyms_entry(const guint8 *names, gsize len, gsize *at);

G_DEFINE_AUTOPTR_CLEANUP_FUNC(LinuxKallsyms, linux_kallsyms_free)

G_END_DECLS
