/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * vmlinux: sections of an ELF file, by libelf: which kernel it is, where its symbols were linked
 * to, and where its types are. Sizes and counts are the file's word: libelf keeps sections within
 * the file, what they hold is checked here. Sections that are packed are unpacked by libdw, up to a
 * bound.
 */
#include "vmlinux.h"

#include <elfutils/libdwelf.h>
#include <gelf.h>
#include <string.h>
#include <vmifs/error.h>

/* Of a kernel with everything in it, unpacked, the debug information has 1.5 GB. */
#define MAX_UNPACKED (G_GUINT64_CONSTANT(4) << 30)
#define MAX_SYMBOL 512 /* KSYM_NAME_LEN */
#define MAX_BANNER 1024
#define MAX_BUILD_ID 64
#define SYMBOLS_PER_CHECK 0x10000

const gboolean vmifs_vmlinux_is_readable = TRUE;

typedef struct {
	Elf *elf;
	int class;
	size_t names; /* section of the sections' names */
	Elf_Scn *symtab, *btf;
	guint64 unpacked_len;
} Vmlinux;

static void
vmlinux_clear(Vmlinux *vmlinux)
{
	elf_end(vmlinux->elf);
}

G_DEFINE_AUTO_CLEANUP_CLEAR_FUNC(Vmlinux, vmlinux_clear)

static gboolean
refuse(GError **error, const char *why)
{
	g_set_error_literal(error, VMIFS_ERROR, VMIFS_ERROR_UNSUPPORTED, why);
	return FALSE;
}

/* ---- sections ---- */

/* Names of which libdw takes more than one for the same section. */
static gboolean
look_at_name(Vmlinux *vmlinux, Elf_Scn *scn, const char *name, GError **error)
{
	if (g_str_equal(name, ".BTF"))
		vmlinux->btf = scn;
	/* libdw would open whatever file that names. */
	if (strstr(name, "gnu_debugaltlink"))
		return refuse(error, "part of its debug information is in another file (dwz)");
	/* And unpack these to any size. */
	if (g_str_has_prefix(name, ".zdebug"))
		return refuse(error, "its debug information is packed as it was before 2015; "
				     "objcopy --decompress-debug-sections unpacks it");
	return TRUE;
}

static gboolean
look_at_section(Vmlinux *vmlinux, Elf_Scn *scn, GError **error)
{
	GElf_Shdr section;
	GElf_Chdr packed;
	const char *name;

	if (!gelf_getshdr(scn, &section) || section.sh_type == SHT_NOBITS)
		return TRUE;
	if (section.sh_flags & SHF_COMPRESSED && gelf_getchdr(scn, &packed))
		vmlinux->unpacked_len += MIN(packed.ch_size, MAX_UNPACKED + 1);
	if (vmlinux->unpacked_len > MAX_UNPACKED)
		return refuse(error, "more than 4 GiB come out of its sections");
	if (section.sh_type == SHT_SYMTAB)
		vmlinux->symtab = scn;
	name = elf_strptr(vmlinux->elf, vmlinux->names, section.sh_name);
	return !name || look_at_name(vmlinux, scn, name, error);
}

/* Of which no linker packs the names; they would be unpacked before anything is counted. */
static gboolean
has_sections(Vmlinux *vmlinux)
{
	GElf_Shdr section;

	return elf_getshdrstrndx(vmlinux->elf, &vmlinux->names) == 0 &&
	       gelf_getshdr(elf_getscn(vmlinux->elf, vmlinux->names), &section) &&
	       !(section.sh_flags & SHF_COMPRESSED);
}

static gboolean
open_elf(Vmlinux *vmlinux, gpointer bytes, gsize len, GError **error)
{
	Elf_Scn *scn = NULL;
	GElf_Ehdr header;

	elf_version(EV_CURRENT);
	vmlinux->elf = elf_memory(bytes, len);
	if (!vmlinux->elf || elf_kind(vmlinux->elf) != ELF_K_ELF ||
	    !gelf_getehdr(vmlinux->elf, &header))
		return refuse(error, "not an ELF file; the kernel that was packed for booting "
				     "(vmlinuz) is none");
	vmlinux->class = gelf_getclass(vmlinux->elf);
	if (header.e_ident[EI_DATA] != ELFDATA2LSB)
		return refuse(error, "an ELF file of a big-endian machine");
	if (header.e_type != ET_EXEC && header.e_type != ET_DYN)
		return refuse(error, "an ELF file that was not linked (a module?)");
	if (!has_sections(vmlinux))
		return refuse(error, "an ELF file without sections");
	while ((scn = elf_nextscn(vmlinux->elf, scn)))
		if (!look_at_section(vmlinux, scn, error))
			return FALSE;
	return TRUE;
}

/* ---- symbols ---- */

/* As nm(1) has it. */
static char
letter_of(const Vmlinux *vmlinux, const GElf_Sym *symbol)
{
	guint type = GELF_ST_TYPE(symbol->st_info);
	GElf_Shdr section;
	char letter;

	if (GELF_ST_BIND(symbol->st_info) == STB_WEAK)
		return type == STT_OBJECT ? 'V' : 'W';
	if (symbol->st_shndx == SHN_ABS)
		letter = 'a';
	else if (!gelf_getshdr(elf_getscn(vmlinux->elf, symbol->st_shndx), &section))
		return '?';
	else if (section.sh_flags & SHF_EXECINSTR)
		letter = 't';
	else if (section.sh_type == SHT_NOBITS)
		letter = 'b';
	else
		letter = section.sh_flags & SHF_WRITE ? 'd' : 'r';
	return GELF_ST_BIND(symbol->st_info) == STB_LOCAL ? letter : g_ascii_toupper(letter);
}

/* NULL when it is none that a kernel lists. */
static const char *
name_of(const Elf_Data *strings, const GElf_Sym *symbol, gsize *ret_len)
{
	guint type = GELF_ST_TYPE(symbol->st_info);

	if (symbol->st_shndx == SHN_UNDEF || symbol->st_name >= strings->d_size ||
	    (type != STT_NOTYPE && type != STT_OBJECT && type != STT_FUNC && type != STT_GNU_IFUNC))
		return NULL;
	const char *name = (const char *) strings->d_buf + symbol->st_name;
	const char *end = memchr(name, '\0', MIN(strings->d_size - symbol->st_name, MAX_SYMBOL));
	if (!end || end == name || vmifs_symbol_is_mark(name))
		return NULL;
	*ret_len = (gsize) (end - name);
	return name;
}

static gboolean
read_symbols(const Vmlinux *vmlinux, VmifsSymbols **ret, const VmifsCall *call, GError **error)
{
	g_autoptr(VmifsSymbolsBuilder) builder = vmifs_symbols_builder_new();
	GElf_Shdr section;
	GElf_Sym symbol;
	gsize len;

	if (!vmlinux->symtab || !gelf_getshdr(vmlinux->symtab, &section))
		return TRUE;
	Elf_Data *entries = elf_getdata(vmlinux->symtab, NULL);
	Elf_Data *strings = elf_getdata(elf_getscn(vmlinux->elf, section.sh_link), NULL);
	if (!entries || !strings || !strings->d_buf)
		return TRUE;
	for (int i = 0; gelf_getsym(entries, i, &symbol); i++) {
		const char *name = name_of(strings, &symbol, &len);
		if (i % SYMBOLS_PER_CHECK == 0 && !vmifs_call_check(call, error))
			return FALSE;
		if (name && !vmifs_symbols_builder_add(builder, symbol.st_value,
						       letter_of(vmlinux, &symbol), name, len))
			return refuse(error, "more symbols than any kernel has");
	}
	*ret = vmifs_symbols_builder_end(g_steal_pointer(&builder));
	return TRUE;
}

/* ---- which kernel ---- */

/* Those from address on, to the end of their section; NULL: none, or the file leaves them out. */
static const char *
bytes_at(const Vmlinux *vmlinux, guint64 address, gsize *ret_len)
{
	Elf_Scn *scn = NULL;
	GElf_Shdr section;

	while ((scn = elf_nextscn(vmlinux->elf, scn))) {
		if (!gelf_getshdr(scn, &section) || !(section.sh_flags & SHF_ALLOC) ||
		    section.sh_type == SHT_NOBITS || address - section.sh_addr >= section.sh_size)
			continue;
		Elf_Data *data = elf_rawdata(scn, NULL);
		guint64 at = address - section.sh_addr;
		if (!data || !data->d_buf || at >= data->d_size)
			return NULL;
		*ret_len = data->d_size - at;
		return (const char *) data->d_buf + at;
	}
	return NULL;
}

/* (full) (nullable) */
static char *
read_banner(const Vmlinux *vmlinux, const VmifsSymbols *symbols)
{
	guint64 address;
	gsize len;

	if (!symbols || !vmifs_symbols_lookup(symbols, "linux_banner", &address))
		return NULL;
	const char *text = bytes_at(vmlinux, address, &len);
	const char *end = text ? memchr(text, '\n', MIN(len, MAX_BANNER)) : NULL;
	return end ? g_strndup(text, (gsize) (end - text)) : NULL;
}

/* (full) (nullable) */
static char *
read_build_id(const Vmlinux *vmlinux)
{
	const void *found;
	ssize_t len = dwelf_elf_gnu_build_id(vmlinux->elf, &found);

	if (len <= 0 || len > MAX_BUILD_ID)
		return NULL;
	GString *text = g_string_new(NULL);
	for (ssize_t i = 0; i < len; i++)
		g_string_append_printf(text, "%02x", ((const guint8 *) found)[i]);
	return g_string_free(text, FALSE);
}

/* ---- types ---- */

/* The kernel's own, which are all: made of the same DWARF when it was built. (full) (nullable) */
static VmifsTypes *
read_btf(const Vmlinux *vmlinux)
{
	Elf_Data *data = vmlinux->btf ? elf_rawdata(vmlinux->btf, NULL) : NULL;

	return data && data->d_buf ? vmifs_types_new_btf(data->d_buf, data->d_size, NULL) : NULL;
}

static gboolean
read_types(const Vmlinux *vmlinux, const VmifsWanted *wanted, VmifsGiven *ret,
	   const VmifsCall *call, GError **error)
{
	g_autoptr(VmifsTypes) btf = read_btf(vmlinux);
	g_autoptr(GError) failed = NULL;

	if (!btf || vmifs_types_problem(btf)) {
		ret->types = vmifs_vmlinux_dwarf(vmlinux->elf, vmlinux->class == ELFCLASS32 ? 4 : 8,
						 wanted, call, &failed);
		ret->types_kind = "DWARF";
	}
	if (!ret->types) {
		ret->types = g_steal_pointer(&btf);
		ret->types_kind = "BTF";
	}
	/* Then its symbols are good all the same. */
	if (ret->types || !failed)
		return TRUE;
	g_propagate_error(error, g_steal_pointer(&failed));
	return FALSE;
}

gboolean
vmifs_vmlinux_read(gpointer bytes, gsize len, const VmifsWanted *wanted, VmifsGiven *ret,
		   const VmifsCall *call, GError **error)
{
	g_auto(Vmlinux) vmlinux = { 0 };

	if (!open_elf(&vmlinux, bytes, len, error) ||
	    !read_symbols(&vmlinux, &ret->symbols, call, error))
		return FALSE;
	ret->banner = read_banner(&vmlinux, ret->symbols);
	ret->build_id = read_build_id(&vmlinux);
	return read_types(&vmlinux, wanted, ret, call, error);
}
