/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * btf-asm: makes BTF blobs a few words at a time, right ones and wrong ones: every number is put
 * where it belongs, none is checked. A record is btf_asm_type() followed by what its kind needs.
 */
#pragma once

#include <glib.h>

typedef struct {
	GByteArray *types;
	GByteArray *strings;
	GByteArray *layout; /* (nullable) lengths of the kinds: makes the longer header of 7.2 */
	guint32 first_string;
	guint32 next_id;
} BtfAsm;

/* base: the assembler of the base blob, NULL for none. */
void
btf_asm_init(BtfAsm *a, const BtfAsm *base);
void
btf_asm_clear(BtfAsm *a);
/* The blob; more may be added after it. (full) */
GBytes *
btf_asm_blob(const BtfAsm *a);

guint32
btf_asm_string(BtfAsm *a, const char *string);
void
btf_asm_u32(BtfAsm *a, guint32 word);
/* Returns: its id. name "" for none. */
guint32
btf_asm_type(BtfAsm *a, guint32 kind, const char *name, gboolean flag, guint32 vlen, guint32 size);
guint32
btf_asm_int(BtfAsm *a, const char *name, guint32 size);
guint32
btf_asm_array(BtfAsm *a, guint32 elem, guint32 n);
/* A member: place is its bit offset, with the length of a bitfield in the upper 8 bits. */
void
btf_asm_member(BtfAsm *a, const char *name, guint32 type, guint32 place);

G_DEFINE_AUTO_CLEANUP_CLEAR_FUNC(BtfAsm, btf_asm_clear)
