/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* linux-guest: see the header. Types become BTF, memory becomes a guest described by text. */
#include "linux-guest.h"

#include "btf-asm.h"
#include "text-guest.h"

#include <btf.h>
#include <aspace.h>
#include <guest.h>
#include <os/linux/module-types.h>
#include <spi/arch.h>
#include <spi/bytes.h>
#include <string.h>

/* The page table takes the first pages; objects come behind it. */
#define ROOT 0x1000
#define UPPER 0x2000
#define MIDDLE 0x3000
#define FIRST_OBJECT 0x4000
#define TABLE_ENTRY 0x063
#define LARGE_PAGE 0x0e3
#define RISCV_TABLE 1
#define RISCV_LARGE_PAGE 0xcf
#define AARCH64_BLOCK 0x701

/* ---- types ---- */

typedef struct {
	BtfAsm btf;
	GHashTable *structs; /* char * -> id */
	guint32 ints[9];     /* by size */
} Types;

static guint32
parse_type(Types *t, const char *spec)
{
	const char *times = strrchr(spec, 'x');
	gboolean is_array = times && g_ascii_isdigit(times[1]);
	g_autofree char *elem = g_strndup(spec + 1, is_array ? (gsize) (times - spec - 1) : 999);
	guint32 id;

	if (*spec == ':') {
		id = t->ints[atoi(elem)];
	} else {
		id = GPOINTER_TO_UINT(g_hash_table_lookup(t->structs, elem));
		if (!id)
			g_error("no structure %s", elem);
	}
	return is_array ? btf_asm_array(&t->btf, id, (guint32) atoi(times + 1)) : id;
}

static void
add_struct(Types *t, char **words)
{
	guint n = g_strv_length(words) - 3;
	g_autofree guint32 *types = g_new(guint32, n + 1);

	for (guint i = 0; i < n; i++)
		types[i] = parse_type(t, words[i + 3] + strcspn(words[i + 3], ":="));
	guint32 id = btf_asm_type(&t->btf, VMIFS_BTF_STRUCT, words[1], FALSE, n,
				  (guint32) atoi(words[2]));
	for (guint i = 0; i < n; i++) {
		g_auto(GStrv) parts = g_strsplit_set(words[i + 3], "@:=", -1);
		btf_asm_member(&t->btf, parts[0], types[i], (guint32) atoi(parts[1]) * 8);
	}
	g_hash_table_insert(t->structs, g_strdup(words[1]), GUINT_TO_POINTER(id));
}

static void
add_enum(Types *t, char **words)
{
	guint n = g_strv_length(words) - 1;

	btf_asm_type(&t->btf, VMIFS_BTF_ENUM, "", FALSE, n, 4);
	for (guint i = 1; i <= n; i++) {
		g_auto(GStrv) parts = g_strsplit(words[i], "=", 2);
		btf_asm_u32(&t->btf, btf_asm_string(&t->btf, parts[0]));
		btf_asm_u32(&t->btf, (guint32) atoi(parts[1]));
	}
}

LinuxLayout *
linux_guest_layout(const char *text)
{
	Types t = { .structs = g_hash_table_new_full(g_str_hash, g_str_equal, g_free, NULL) };
	g_auto(GStrv) lines = g_strsplit(text, "\n", -1);

	btf_asm_init(&t.btf, NULL);
	for (guint32 size = 1; size <= 8; size *= 2)
		t.ints[size] = btf_asm_int(&t.btf, "int", size);
	for (char **line = lines; *line; line++) {
		g_auto(GStrv) words = g_strsplit(g_strchomp(*line), " ", -1);
		if (words[0] && !strcmp(words[0], "struct"))
			add_struct(&t, words);
		else if (words[0] && !strcmp(words[0], "enum"))
			add_enum(&t, words);
	}
	g_autoptr(GBytes) blob = btf_asm_blob(&t.btf);
	gsize len;
	gconstpointer data = g_bytes_get_data(blob, &len);
	g_autoptr(GError) error = NULL;
	g_autoptr(VmifsTypes) types = vmifs_types_new_btf(data, len, &error);
	if (!types)
		g_error("%s", error->message);
	g_hash_table_unref(t.structs);
	btf_asm_clear(&t.btf);
	return linux_layout_new(types);
}

/* ---- memory ---- */

void
linux_guest_init(LinuxGuest *g, const char *types)
{
	*g = (LinuxGuest){ .bytes = g_byte_array_new(),
			   .symbols = vmifs_symbols_builder_new(),
			   .layout = linux_guest_layout(types),
			   .regs = g_string_new(NULL),
			   .next = LINUX_GUEST_BASE + FIRST_OBJECT,
			   .mode = &vmifs_archs[0]->modes[0] };
	g_byte_array_set_size(g->bytes, LINUX_GUEST_LEN);
	memset(g->bytes->data, 0, LINUX_GUEST_LEN);
	linux_guest_u64(g, LINUX_GUEST_BASE + ROOT + (LINUX_GUEST_BASE >> 39 & 511) * 8,
			UPPER | TABLE_ENTRY);
	linux_guest_u64(g, LINUX_GUEST_BASE + UPPER, MIDDLE | TABLE_ENTRY);
	linux_guest_u64(g, LINUX_GUEST_BASE + MIDDLE, LARGE_PAGE);
}

static void
use_mode(LinuxGuest *g, const char *arch, gsize mode)
{
	for (gsize i = 0; i < vmifs_n_archs; i++)
		if (!strcmp(vmifs_archs[i]->name, arch))
			g->mode = &vmifs_archs[i]->modes[mode];
}

void
linux_guest_use_riscv64(LinuxGuest *g)
{
	use_mode(g, LINUX_ARCH_RISCV64, 1);
	linux_guest_u64(g, LINUX_GUEST_BASE + ROOT + (LINUX_GUEST_BASE >> 39 & 511) * 8,
			UPPER >> 2 | RISCV_TABLE);
	linux_guest_u64(g, LINUX_GUEST_BASE + UPPER, MIDDLE >> 2 | RISCV_TABLE);
	linux_guest_u64(g, LINUX_GUEST_BASE + MIDDLE, RISCV_LARGE_PAGE);
}

/* Entries that lead to tables are as good there. */
void
linux_guest_use_aarch64(LinuxGuest *g)
{
	use_mode(g, LINUX_ARCH_AARCH64, 0);
	linux_guest_u64(g, LINUX_GUEST_BASE + MIDDLE, AARCH64_BLOCK);
}

guint64
linux_guest_alloc(LinuxGuest *g, gsize len)
{
	guint64 va = g->next;

	g->next += (len + 255) & ~(gsize) 255;
	ck_assert_uint_le(g->next - LINUX_GUEST_BASE, LINUX_GUEST_LEN);
	return va;
}

guint64
linux_guest_new(LinuxGuest *g, LinuxStruct structure)
{
	guint64 size = linux_layout_sizeof(g->layout, structure);

	ck_assert_msg(size, "no %s", linux_struct_name(structure));
	return linux_guest_alloc(g, size);
}

void
linux_guest_write(LinuxGuest *g, guint64 va, gconstpointer bytes, gsize len)
{
	ck_assert(vmifs_in_bounds(va - LINUX_GUEST_BASE, len, LINUX_GUEST_LEN));
	memcpy(g->bytes->data + (va - LINUX_GUEST_BASE), bytes, len);
}

void
linux_guest_u64(LinuxGuest *g, guint64 va, guint64 value)
{
	value = GUINT64_TO_LE(value);
	linux_guest_write(g, va, &value, sizeof value);
}

guint64
linux_guest_string(LinuxGuest *g, const char *text)
{
	guint64 va = linux_guest_alloc(g, strlen(text) + 1);
	linux_guest_write(g, va, text, strlen(text) + 1);
	return va;
}

static const VmifsMember *
member(LinuxGuest *g, LinuxField field)
{
	const VmifsMember *m = linux_layout_member(g->layout, field);
	g_autofree char *name = linux_field_name(field);

	ck_assert_msg(m != NULL, "no %s", name);
	return m;
}

guint64
linux_guest_at(LinuxGuest *g, guint64 object, LinuxField field)
{
	return object + member(g, field)->offset;
}

void
linux_guest_put_element(LinuxGuest *g, guint64 object, LinuxField field, guint64 index,
			guint64 value)
{
	const VmifsMember *m = member(g, field);

	ck_assert_uint_le(m->elem_size, 8);
	value = GUINT64_TO_LE(value);
	linux_guest_write(g, object + m->offset + index * m->elem_size, &value, m->elem_size);
}

void
linux_guest_put(LinuxGuest *g, guint64 object, LinuxField field, guint64 value)
{
	linux_guest_put_element(g, object, field, 0, value);
}

void
linux_guest_put_text(LinuxGuest *g, guint64 object, LinuxField field, const char *text)
{
	const VmifsMember *m = member(g, field);
	linux_guest_write(g, object + m->offset, text, MIN(m->size, strlen(text) + 1));
}

void
linux_guest_symbol(LinuxGuest *g, const char *name, guint64 va)
{
	ck_assert(vmifs_symbols_builder_add(g->symbols, va, 'D', name, strlen(name)));
}

guint64
linux_guest_dentry(LinuxGuest *g, guint64 parent, const char *name)
{
	guint64 dentry = linux_guest_new(g, LINUX_STRUCT_DENTRY);
	/* Names of the kernel are not ended where their length says. */
	g_autofree char *longer = g_strconcat(name, "garbage", NULL);

	linux_guest_put(g, dentry, LINUX_FIELD_DENTRY_PARENT, parent ? parent : dentry);
	linux_guest_put(g, dentry, LINUX_FIELD_DENTRY_HASH_PPREV, 1);
	linux_guest_put(g, dentry, LINUX_FIELD_DENTRY_NAME, linux_guest_string(g, longer));
	linux_guest_put(g, dentry, LINUX_FIELD_DENTRY_NAME_LEN, strlen(name));
	return dentry;
}

void
linux_guest_ring(LinuxGuest *g, const guint64 *nodes, gsize n)
{
	for (gsize i = 0; i < n; i++) {
		linux_guest_u64(g, nodes[i], nodes[(i + 1) % n]);
		linux_guest_u64(g, nodes[i] + 8, nodes[(i + n - 1) % n]);
	}
}

void
linux_guest_reg(LinuxGuest *g, const char *name, guint64 value)
{
	g_string_append_printf(g->regs, "reg 0 %s 0x%" G_GINT64_MODIFIER "x\n", name, value);
}

/* ---- the instance ---- */

static char *
describe(const LinuxGuest *g)
{
	GString *lines = g_string_new("ram 0 2M\n");

	for (gsize at = 0; at < LINUX_GUEST_LEN; at += 32) {
		static const guint8 zeros[32];
		if (!memcmp(g->bytes->data + at, zeros, sizeof zeros))
			continue;
		g_string_append_printf(lines, "bytes 0x%" G_GSIZE_MODIFIER "x ", at);
		for (gsize i = 0; i < sizeof zeros; i++)
			g_string_append_printf(lines, "%02x", g->bytes->data[at + i]);
		g_string_append_c(lines, '\n');
	}
	g_string_append(lines, g->regs->str);
	return g_string_free(lines, FALSE);
}

Linux *
linux_guest_start(LinuxGuest *g)
{
	static const VmifsOptions options = { .size = sizeof options };
	static VmifsBackend live;
	g_autofree char *lines = describe(g);
	VmifsPhysmem *mem = text_guest(lines);
	VmifsPaging paging = vmifs_paging_of(g->mode, ROOT);

	live = vmifs_backend_text;
	live.frozen = FALSE;
	g->os = (Linux){
		.guest = vmifs_guest_new("test", "test", g->is_live ? &live : &vmifs_backend_text,
					 vmifs_physmem_ref(mem), 0, &options),
		.mem = mem,
		.aspace = vmifs_aspace_new(mem, &paging, NULL),
		.symbols = vmifs_symbols_builder_end(g_steal_pointer(&g->symbols)),
		.layout = g->layout,
		.module_layouts = linux_module_layouts_new(),
	};
	linux_texts_find(&g->os, &g->os.texts, NULL, NULL);
	return &g->os;
}

char *
linux_guest_log(LinuxGuest *g)
{
	GString *text = g_string_new(NULL);
	vmifs_guest_log_text(g->os.guest, text);
	return g_string_free(text, FALSE);
}

void
linux_guest_clear(LinuxGuest *g)
{
	g_byte_array_unref(g->bytes);
	g_string_free(g->regs, TRUE);
	g_clear_pointer(&g->symbols, vmifs_symbols_builder_free);
	g_clear_pointer(&g->layout, linux_layout_free);
	g_clear_pointer(&g->os.symbols, vmifs_symbols_unref);
	g_clear_pointer(&g->os.aspace, vmifs_aspace_unref);
	g_clear_pointer(&g->os.mem, vmifs_physmem_unref);
	g_clear_pointer(&g->os.guest, vmifs_guest_unref);
	g_clear_pointer(&g->os.module_layouts, linux_module_layouts_free);
}
