/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* core-image: a core put together piece by piece, its header last. */
#pragma once

#include <image-file.h>

#include <elf.h>
#include <vmifs/error.h>

/* Where the tables of the cores made here lie; memory begins at MEMORY. */
#define SECTIONS 64
#define SEGMENTS 256
#define NOTES 0x8000
#define MEMORY 0x10000

static gboolean narrow; /* ELF of 32 bits */
static guint n_segments;

static inline void
setup_core(void)
{
	setup();
	narrow = FALSE;
	n_segments = 0;
	make_file("a", "", 0, MEMORY);
}

static inline void
add_segment(guint32 type, guint64 va, guint64 pa, guint64 offset, guint64 file_len, guint64 mem_len)
{
	Elf64_Phdr wide = { .p_type = GUINT32_TO_LE(type),
			    .p_vaddr = GUINT64_TO_LE(va),
			    .p_paddr = GUINT64_TO_LE(pa),
			    .p_offset = GUINT64_TO_LE(offset),
			    .p_filesz = GUINT64_TO_LE(file_len),
			    .p_memsz = GUINT64_TO_LE(mem_len) };
	Elf32_Phdr half = { .p_type = GUINT32_TO_LE(type),
			    .p_vaddr = GUINT32_TO_LE((guint32) va),
			    .p_paddr = GUINT32_TO_LE((guint32) pa),
			    .p_offset = GUINT32_TO_LE((guint32) offset),
			    .p_filesz = GUINT32_TO_LE((guint32) file_len),
			    .p_memsz = GUINT32_TO_LE((guint32) mem_len) };

	if (narrow)
		put("a", SEGMENTS + n_segments * sizeof half, &half, sizeof half);
	else
		put("a", SEGMENTS + n_segments * sizeof wide, &wide, sizeof wide);
	n_segments++;
}

/* Memory of one byte over and over, at that offset of the file. */
static inline void
add_memory(guint64 va, guint64 pa, guint64 offset, gsize len, int byte)
{
	g_autofree guint8 *bytes = g_malloc(len);

	memset(bytes, byte, len);
	put("a", offset, bytes, len);
	add_segment(PT_LOAD, va, pa, offset, len, len);
}

/* After the segments. */
static inline void
add_header(guint16 type, guint16 machine)
{
	Elf64_Ehdr wide = { .e_type = GUINT16_TO_LE(type),
			    .e_machine = GUINT16_TO_LE(machine),
			    .e_phoff = GUINT64_TO_LE(SEGMENTS),
			    .e_phentsize = GUINT16_TO_LE(sizeof(Elf64_Phdr)),
			    .e_phnum = GUINT16_TO_LE((guint16) n_segments) };
	Elf32_Ehdr half = { .e_type = GUINT16_TO_LE(type),
			    .e_machine = GUINT16_TO_LE(machine),
			    .e_phoff = GUINT32_TO_LE(SEGMENTS),
			    .e_phentsize = GUINT16_TO_LE(sizeof(Elf32_Phdr)),
			    .e_phnum = GUINT16_TO_LE((guint16) n_segments) };
	const guint8 ident[] = { 0x7f, 'E', 'L', 'F', narrow ? 1 : 2, 1, 1 };

	memcpy(wide.e_ident, ident, sizeof ident);
	memcpy(half.e_ident, ident, sizeof ident);
	if (narrow)
		put("a", 0, &half, sizeof half);
	else
		put("a", 0, &wide, sizeof wide);
}

static inline void
put_u16(guint64 at, guint16 value)
{
	value = GUINT16_TO_LE(value);
	put("a", at, &value, sizeof value);
}

static inline void
put_u32(guint64 at, guint32 value)
{
	value = GUINT32_TO_LE(value);
	put("a", at, &value, sizeof value);
}

static inline void
put_u64(guint64 at, guint64 value)
{
	value = GUINT64_TO_LE(value);
	put("a", at, &value, sizeof value);
}

static inline VmifsPhysmem *
good_core(void)
{
	add_header(ET_CORE, EM_X86_64);
	return good_image("a");
}

static inline void
assert_byte(VmifsPhysmem *mem, guint64 pa, int byte)
{
	guint8 seen = 0;

	ck_assert(vmifs_physmem_read(mem, pa, &seen, 1, NULL, NULL));
	ck_assert_int_eq(seen, byte);
}

static inline void
assert_info(VmifsPhysmem *mem, const char *line)
{
	g_autoptr(GString) info = g_string_new(NULL);

	vmifs_physmem_info(mem, info);
	ck_assert_msg(strstr(info->str, line) != NULL, "%s", info->str);
}
