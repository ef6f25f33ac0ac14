/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* btf-asm: see the header. */
#include "btf-asm.h"

#include <string.h>

static void
append_u32(GByteArray *array, guint32 word)
{
	word = GUINT32_TO_LE(word);
	g_byte_array_append(array, (const guint8 *) &word, sizeof word);
}

void
btf_asm_init(BtfAsm *a, const BtfAsm *base)
{
	*a = (BtfAsm){
		.types = g_byte_array_new(),
		.strings = g_byte_array_new(),
		.first_string = base ? base->first_string + base->strings->len : 0,
		.next_id = base ? base->next_id : 1,
	};
	if (!base)
		g_byte_array_append(a->strings, (const guint8 *) "", 1);
}

void
btf_asm_clear(BtfAsm *a)
{
	g_byte_array_unref(a->types);
	g_byte_array_unref(a->strings);
	if (a->layout)
		g_byte_array_unref(a->layout);
}

GBytes *
btf_asm_blob(const BtfAsm *a)
{
	GByteArray *blob = g_byte_array_new();
	guint32 types_len = a->types->len;
	guint32 layout_len = a->layout ? a->layout->len : 0;

	g_byte_array_append(blob, (const guint8 *) "\x9f\xeb\x01\x00", 4);
	append_u32(blob, a->layout ? 32 : 24);
	append_u32(blob, 0);
	append_u32(blob, types_len);
	append_u32(blob, types_len + layout_len);
	append_u32(blob, a->strings->len);
	if (a->layout) {
		append_u32(blob, types_len);
		append_u32(blob, layout_len);
	}
	g_byte_array_append(blob, a->types->data, types_len);
	if (a->layout)
		g_byte_array_append(blob, a->layout->data, layout_len);
	g_byte_array_append(blob, a->strings->data, a->strings->len);
	return g_byte_array_free_to_bytes(blob);
}

guint32
btf_asm_string(BtfAsm *a, const char *string)
{
	guint32 at = a->first_string + a->strings->len;

	if (!*string)
		return 0;
	g_byte_array_append(a->strings, (const guint8 *) string, strlen(string) + 1);
	return at;
}

void
btf_asm_u32(BtfAsm *a, guint32 word)
{
	append_u32(a->types, word);
}

guint32
btf_asm_type(BtfAsm *a, guint32 kind, const char *name, gboolean flag, guint32 vlen, guint32 size)
{
	btf_asm_u32(a, btf_asm_string(a, name));
	btf_asm_u32(a, (guint32) flag << 31 | kind << 24 | vlen);
	btf_asm_u32(a, size);
	return a->next_id++;
}

guint32
btf_asm_int(BtfAsm *a, const char *name, guint32 size)
{
	guint32 id = btf_asm_type(a, 1, name, FALSE, 0, size);

	btf_asm_u32(a, size * 8);
	return id;
}

guint32
btf_asm_array(BtfAsm *a, guint32 elem, guint32 n)
{
	guint32 id = btf_asm_type(a, 3, "", FALSE, 0, 0);

	btf_asm_u32(a, elem);
	btf_asm_u32(a, elem);
	btf_asm_u32(a, n);
	return id;
}

void
btf_asm_member(BtfAsm *a, const char *name, guint32 type, guint32 place)
{
	btf_asm_u32(a, btf_asm_string(a, name));
	btf_asm_u32(a, type);
	btf_asm_u32(a, place);
}
