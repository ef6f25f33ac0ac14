/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * elf: memory as an ELF core: QEMU's dump-guest-memory, `virsh dump --memory-only`, /proc/vmcore.
 * Of ELF only the program headers matter, and of those four numbers each; they are read in pieces,
 * and nothing is allocated by what the file claims: it may be hostile, and hundreds of gigabytes of
 * holes. (libelf makes a table as long as the file says, before anybody can look at it.)
 *
 *   PT_LOAD  p_paddr, p_offset, p_filesz: memory. p_vaddr depends on who wrote it: 0, or where the
 *            guest had it mapped; then memory is there once for each mapping. What p_memsz has more
 *            is not in the file: a hole.
 *   PT_NOTE  registers, VMCOREINFO: notes.c
 */
#include "snapshot.h"

#include <elf.h>
#include <spi/bytes.h>

#define X64 "%#" G_GINT64_MODIFIER "x"
/* Program headers: 64 Mi pages mapped one by one would need as many. */
#define MAX_HEADERS (4u << 20)
#define HEADERS_AT_ONCE 1024
/* Of all notes: a vCPU's have a kilobyte. */
#define MAX_NOTES (16u << 20)
/* Firmware of PCs ends where 32 bits do. */
#define FIRMWARE_END ((guint64) 1 << 32)
#define FIRMWARE_MAX_LEN ((guint64) 16 << 20)

typedef struct {
	guint32 type;
	guint64 offset, va, pa, file_len, mem_len;
} Segment;

/* The two classes differ in where the numbers stand, and how wide they are. */
typedef struct {
	gsize head_len, segment_len;
	gboolean wide;
} Class;

static const Class class32 = { sizeof(Elf32_Ehdr), sizeof(Elf32_Phdr), FALSE };
static const Class class64 = { sizeof(Elf64_Ehdr), sizeof(Elf64_Phdr), TRUE };

typedef struct {
	VmifsSnapshot *self;
	const Class *class;
	guint16 machine;
	guint64 segments_at;
	guint32 n_segments;
	GByteArray *notes;
	guint n_loads;   /* PT_LOADs with memory */
	gboolean has_pa; /* one of them says where it lies */
	gboolean has_va; /* ... and where that is mapped */
} Elf;

static gboolean
elf_matches(const VmifsSource *src)
{
	return src->head_len >= SELFMAG && !memcmp(src->head, ELFMAG, SELFMAG);
}

/* ---- the header ---- */

/* The first section holds what has no room in the header. */
static gboolean
read_many(Elf *elf, guint64 section_at, GError **error)
{
	guint8 section[sizeof(Elf64_Shdr)];
	gsize len = elf->class->wide ? sizeof(Elf64_Shdr) : sizeof(Elf32_Shdr);
	gsize at = elf->class->wide ? offsetof(Elf64_Shdr, sh_info) : offsetof(Elf32_Shdr, sh_info);

	if (!section_at || vmifs_snapshot_read(elf->self, section_at, section, len))
		return vmifs_snapshot_bad(
			error,
			"it has more segments than its header can count, and no section "
			"at " X64 " that does",
			section_at);
	elf->n_segments = vmifs_load_u32(section + at);
	return TRUE;
}

static gboolean
read_head(Elf *elf, GError **error)
{
	guint8 head[sizeof(Elf64_Ehdr)] = { 0 };
	gsize n = MIN(sizeof head, elf->self->len);
	guint64 section_at;
	guint16 segment_len;

	if (vmifs_snapshot_read(elf->self, 0, head, n) || memcmp(head, ELFMAG, SELFMAG) != 0)
		return vmifs_snapshot_bad(error, "it is no ELF file");
	if (head[EI_DATA] != ELFDATA2LSB)
		return vmifs_snapshot_bad(error, "it is of a big-endian machine, and those are "
						 "not read by this version");
	elf->class = head[EI_CLASS] == ELFCLASS64   ? &class64
		     : head[EI_CLASS] == ELFCLASS32 ? &class32
						    : NULL;
	if (!elf->class || n < elf->class->head_len)
		return vmifs_snapshot_bad(error, "its header makes no sense");
	if (vmifs_load_u16(head + offsetof(Elf64_Ehdr, e_type)) != ET_CORE)
		return vmifs_snapshot_bad(error,
					  "it is a program or library, not a core: give what "
					  "QEMU's dump-guest-memory or virsh dump has written");
	elf->machine = vmifs_load_u16(head + offsetof(Elf64_Ehdr, e_machine));
	if (elf->class->wide) {
		elf->segments_at = vmifs_load_u64(head + offsetof(Elf64_Ehdr, e_phoff));
		section_at = vmifs_load_u64(head + offsetof(Elf64_Ehdr, e_shoff));
		segment_len = vmifs_load_u16(head + offsetof(Elf64_Ehdr, e_phentsize));
		elf->n_segments = vmifs_load_u16(head + offsetof(Elf64_Ehdr, e_phnum));
	} else {
		elf->segments_at = vmifs_load_u32(head + offsetof(Elf32_Ehdr, e_phoff));
		section_at = vmifs_load_u32(head + offsetof(Elf32_Ehdr, e_shoff));
		segment_len = vmifs_load_u16(head + offsetof(Elf32_Ehdr, e_phentsize));
		elf->n_segments = vmifs_load_u16(head + offsetof(Elf32_Ehdr, e_phnum));
	}
	if (elf->n_segments == PN_XNUM && !read_many(elf, section_at, error))
		return FALSE;
	if (elf->n_segments > MAX_HEADERS)
		return vmifs_snapshot_bad(error, "%u segments are more than %u", elf->n_segments,
					  MAX_HEADERS);
	if (segment_len != elf->class->segment_len)
		return vmifs_snapshot_bad(error, "its segments have headers of %u bytes",
					  segment_len);
	return TRUE;
}

/* ---- segments ---- */

static Segment
load_segment(const Class *class, const guint8 *raw)
{
	if (class->wide)
		return (Segment){
			.type = vmifs_load_u32(raw + offsetof(Elf64_Phdr, p_type)),
			.offset = vmifs_load_u64(raw + offsetof(Elf64_Phdr, p_offset)),
			.va = vmifs_load_u64(raw + offsetof(Elf64_Phdr, p_vaddr)),
			.pa = vmifs_load_u64(raw + offsetof(Elf64_Phdr, p_paddr)),
			.file_len = vmifs_load_u64(raw + offsetof(Elf64_Phdr, p_filesz)),
			.mem_len = vmifs_load_u64(raw + offsetof(Elf64_Phdr, p_memsz)),
		};
	return (Segment){
		.type = vmifs_load_u32(raw + offsetof(Elf32_Phdr, p_type)),
		.offset = vmifs_load_u32(raw + offsetof(Elf32_Phdr, p_offset)),
		.va = vmifs_load_u32(raw + offsetof(Elf32_Phdr, p_vaddr)),
		.pa = vmifs_load_u32(raw + offsetof(Elf32_Phdr, p_paddr)),
		.file_len = vmifs_load_u32(raw + offsetof(Elf32_Phdr, p_filesz)),
		.mem_len = vmifs_load_u32(raw + offsetof(Elf32_Phdr, p_memsz)),
	};
}

/* Of notes that are cut short, those that are whole still count. */
static void
add_notes(Elf *elf, const Segment *segment)
{
	guint64 len = MIN(segment->file_len, MAX_NOTES - elf->notes->len);
	guint before = elf->notes->len;

	if (!len || segment->offset >= elf->self->len)
		return;
	len = MIN(len, elf->self->len - segment->offset);
	g_byte_array_set_size(elf->notes, before + (guint) len);
	if (vmifs_snapshot_read(elf->self, segment->offset, elf->notes->data + before, len))
		g_byte_array_set_size(elf->notes, before);
}

static gboolean
add_segment(Elf *elf, const Segment *segment, GError **error)
{
	guint64 len = MIN(segment->file_len, segment->mem_len);

	if (segment->type == PT_NOTE)
		add_notes(elf, segment);
	if (segment->type != PT_LOAD || !len)
		return TRUE;
	elf->n_loads++;
	elf->has_pa |= segment->pa != 0;
	elf->has_va |= segment->va != 0;
	return vmifs_snapshot_add_piece(elf->self, segment->pa, segment->offset, len, error);
}

static gboolean
read_segments(Elf *elf, const VmifsCall *call, GError **error)
{
	gsize len = elf->class->segment_len;
	g_autofree guint8 *raw = g_malloc(HEADERS_AT_ONCE * len);

	for (guint32 i = 0; i < elf->n_segments;) {
		guint32 n = MIN(HEADERS_AT_ONCE, elf->n_segments - i);
		guint64 at;
		if (!vmifs_call_check(call, error))
			return FALSE;
		if (!g_uint64_checked_add(&at, elf->segments_at, (guint64) i * len) ||
		    !vmifs_in_bounds(at, n * len, elf->self->len) ||
		    vmifs_snapshot_read(elf->self, at, raw, n * len))
			return vmifs_snapshot_bad(error,
						  "the file ends within its %u segment "
						  "headers: it was cut short",
						  elf->n_segments);
		for (guint32 j = 0; j < n; j++) {
			Segment segment = load_segment(elf->class, raw + j * len);
			if (!add_segment(elf, &segment, error))
				return FALSE;
		}
		i += n;
	}
	return TRUE;
}

/* ---- the whole ---- */

/* A dump does not say which memory is what. That of a PC's firmware is known by its place. */
static void
mark_firmware(Elf *elf)
{
	GArray *regions = elf->self->regions;

	if (elf->machine != EM_X86_64 && elf->machine != EM_386)
		return;
	for (guint i = 0; i < regions->len; i++) {
		VmifsRegion *region = &g_array_index(regions, VmifsRegion, i);
		if (region->pa && region->len <= FIRMWARE_MAX_LEN &&
		    region->pa + region->len == FIRMWARE_END)
			region->kind = VMIFS_REGION_ROM;
	}
}

static const char *
name_of(guint16 machine)
{
	switch (machine) {
	case EM_X86_64:
		return "x86-64";
	case EM_386:
		return "i386";
	case EM_AARCH64:
		return "AArch64";
	case EM_ARM:
		return "ARM";
	case EM_RISCV:
		return "RISC-V";
	default:
		return "another machine";
	}
}

static gboolean
elf_find_regions(VmifsSnapshot *self, const VmifsSource *src, const VmifsCall *call, GError **error)
{
	g_autoptr(GByteArray) notes = g_byte_array_new();
	Elf elf = { .self = self, .notes = notes };

	if (!read_head(&elf, error) || !read_segments(&elf, call, error))
		return FALSE;
	if (elf.n_loads > 1 && elf.has_va && !elf.has_pa)
		return vmifs_snapshot_bad(error,
					  "its segments have no physical addresses: it is the core "
					  "of a process, not of a machine");
	if (!vmifs_snapshot_settle(self, error))
		return FALSE;
	mark_firmware(&elf);
	vmifs_snapshot_add_notes(self, notes->data, notes->len);
	g_string_append_printf(self->remarks, "elf: %d bit, %s, %u segments of memory\n",
			       elf.class->wide ? 64 : 32, name_of(elf.machine), elf.n_loads);
	g_string_append_printf(self->remarks, "notes: registers of %u vCPUs%s\n", self->vcpus->len,
			       self->vmcoreinfo ? ", VMCOREINFO" : "");
	return TRUE;
}

const VmifsSnapshotFormat vmifs_snapshot_elf = {
	.matches = elf_matches,
	.find_regions = elf_find_regions,
};
