/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* vmlinux: a small program as each compiler and linker would have made a kernel. */
#include <types-check.h>

#include <elf.h>
#include <small-kernel.h>
#include <stddef.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <vmlinux.h>

static const char *const structs[] = {
	"small_task", "absent|small_list", "small_union", "small_token_t", "small_never", "none",
};
static const char *const values[] = { "SMALL_MINUS", "SMALL_LARGE", "SMALL_OTHER", "SMALL_NONE" };
static const VmifsWanted wanted = { structs, G_N_ELEMENTS(structs), values, G_N_ELEMENTS(values) };

typedef struct {
	char *bytes;
	gsize len;
	VmifsGiven given;
} Fixture;

static void
setup(Fixture *f, const char *name)
{
	g_autofree char *path =
		g_strdup_printf("%s/small-kernel-%s", g_getenv("VMIFS_KERNELS"), name);

	*f = (Fixture){ 0 };
	ck_assert(g_file_get_contents(path, &f->bytes, &f->len, NULL));
}

static void
read_it(Fixture *f)
{
	g_autoptr(GError) error = NULL;

	ck_assert_msg(vmifs_vmlinux_read(f->bytes, f->len, &wanted, &f->given, NULL, &error), "%s",
		      error ? error->message : "");
}

static void
assert_unread(Fixture *f, const char *why)
{
	g_autoptr(GError) error = NULL;

	ck_assert(!vmifs_vmlinux_read(f->bytes, f->len, &wanted, &f->given, NULL, &error));
	ck_assert_msg(strstr(error->message, why), "%s", error->message);
}

static void
teardown(Fixture *f)
{
	vmifs_given_clear(&f->given);
	g_free(f->bytes);
}

#define PLACE(types, member)                                                                       \
	assert_place(types, "small_task." #member, offsetof(struct small_task, member),            \
		     sizeof(((struct small_task *) 0)->member))

/* Where in the structure the bits are that v has; they are the only ones. */
static void
assert_bits_are(const VmifsTypes *types, const char *path, const struct small_task *v)
{
	const guint8 *bytes = (const guint8 *) v;
	guint first = 0, n = 0;
	VmifsMember m;

	for (guint i = 0; i < sizeof *v * 8; i++) {
		if (bytes[i / 8] >> i % 8 & 1) {
			first = n ? first : i;
			n++;
		}
	}
	ck_assert_msg(vmifs_types_member(types, path, &m), "%s", path);
	ck_assert_uint_eq(m.offset * 8 + m.bit_shift, first);
	ck_assert_uint_eq(m.bit_len, n);
}

static void
assert_types(const VmifsTypes *types)
{
	VmifsMember m;
	gint64 value;

	assert_size(types, "small_task", sizeof(struct small_task));
	assert_size(types, "small_list", sizeof(struct small_list));
	assert_size(types, "small_union", sizeof(union small_union));
	assert_size(types, "small_token_t", sizeof(small_token_t));
	assert_no_size(types, "small_never");
	PLACE(types, pid);
	PLACE(types, tasks.prev);
	PLACE(types, comm);
	PLACE(types, inner);
	PLACE(types, deepest);
	PLACE(types, named.deep);
	PLACE(types, kind);
	PLACE(types, token.bytes);
	PLACE(types, is);
	PLACE(types, mm);
	PLACE(types, function);
	PLACE(types, bare);
	assert_place(types, "small_union.text", 0, 11);
	ck_assert(vmifs_types_member(types, "small_task.mm", &m) && m.is_pointer);
	ck_assert(vmifs_types_member(types, "small_task.named.deep", &m) && m.count == 6);
	ck_assert(vmifs_types_member(types, "small_task.open", &m) && !m.count);
	ck_assert_uint_eq(m.elem_size, sizeof(struct small_list));
	assert_bits_are(types, "small_task.low", &(struct small_task){ .low = 7 });
	assert_bits_are(types, "small_task.mode", &(struct small_task){ .mode = 31 });
	assert_bits_are(types, "small_task.wide", &(struct small_task){ .wide = 0x1ffffffff });
	assert_no_member(types, "small_task.absent");
	ck_assert(vmifs_types_enumerator(types, "SMALL_MINUS", &value) && value == -3);
	ck_assert(vmifs_types_enumerator(types, "SMALL_LARGE", &value) && value == 0x7ffffff0);
	ck_assert(vmifs_types_enumerator(types, "SMALL_OTHER", &value) && value == 17);
	ck_assert(!vmifs_types_enumerator(types, "SMALL_FIRST", &value)); /* not wanted */
}

static const char *const with_dwarf[] = { "dwarf5", "dwarf4", "dwarf2", "packed", "debug" };

START_TEST(structures_are_where_the_compiler_has_them)
{
	Fixture f;

	setup(&f, with_dwarf[_i]);
	read_it(&f);
	ck_assert_str_eq(f.given.types_kind, "DWARF");
	assert_types(f.given.types);
	teardown(&f);
}
END_TEST

/* As a file that the user named: its own mapping, which libelf may write to where it unpacks. */
START_TEST(file_that_is_given_is_read_and_stays_as_it_is)
{
	g_autofree char *path =
		g_strdup_printf("%s/small-kernel-%s", g_getenv("VMIFS_KERNELS"), with_dwarf[_i]);
	const VmifsOptions files = { .vmlinux = path };
	g_autoptr(GError) error = NULL;
	VmifsOptions options = { .given = vmifs_given_files_new(&files, NULL) };
	g_autofree char *after = NULL;
	Fixture f;
	gsize len;

	setup(&f, with_dwarf[_i]);
	ck_assert_ptr_nonnull(options.given);
	const VmifsGiven *given = vmifs_given(&options, VMIFS_GIVEN_VMLINUX, &wanted, NULL, &error);
	ck_assert_msg(given && given->types, "%s", error ? error->message : "no types");
	assert_types(given->types);
	ck_assert(g_file_get_contents(path, &after, &len, NULL));
	ck_assert(len == f.len && memcmp(after, f.bytes, len) == 0);
	vmifs_given_files_free(options.given);
	teardown(&f);
}
END_TEST

START_TEST(it_says_which_kernel_it_is)
{
	static const char *const names[] = { "dwarf5", "debug", "bare" };
	Fixture f;
	guint64 address;
	VmifsSymbol symbol;
	guint64 cursor = 0;
	gsize index;

	setup(&f, names[_i]);
	read_it(&f);
	ck_assert_str_eq(f.given.build_id, SMALL_BUILD_ID);
	if (_i == 1)
		ck_assert_ptr_null(f.given.banner); /* of its bytes that file has none */
	else
		ck_assert_str_eq(f.given.banner, SMALL_BANNER);
	ck_assert(vmifs_symbols_lookup(f.given.symbols, "_end", &address));
	ck_assert(vmifs_symbols_each(f.given.symbols, "init_task", &cursor, &index));
	vmifs_symbols_get(f.given.symbols, index, &symbol);
	ck_assert_int_eq(symbol.type, _i == 1 ? 'B' : 'D');
	ck_assert_uint_lt(symbol.address, address);
	cursor = 0;
	ck_assert(vmifs_symbols_each(f.given.symbols, "_start", &cursor, &index));
	vmifs_symbols_get(f.given.symbols, index, &symbol);
	ck_assert_int_eq(symbol.type, 'T');
	ck_assert(!vmifs_symbols_lookup(f.given.symbols, "small-kernel.c", &address));
	teardown(&f);
}
END_TEST

START_TEST(without_debug_information_there_are_symbols)
{
	Fixture f;

	setup(&f, "bare");
	read_it(&f);
	ck_assert_ptr_null(f.given.types);
	ck_assert_ptr_nonnull(f.given.symbols);
	teardown(&f);
}
END_TEST

/* A blob that says of small_list what is not so, to be told from DWARF. */
START_TEST(types_of_its_own_go_before_debug_information)
{
	g_auto(BtfAsm) a;
	Fixture f;
	gsize len;

	btf_asm_init(&a, NULL);
	btf_asm_type(&a, VMIFS_BTF_STRUCT, "small_list", FALSE, 0, 77);
	if (_i)
		btf_asm_type(&a, VMIFS_BTF_N_KINDS, "new", FALSE, 0, 0);
	g_autoptr(GBytes) blob = btf_asm_blob(&a);
	gconstpointer bytes = g_bytes_get_data(blob, &len);
	setup(&f, "btf");
	char *room = memmem(f.bytes, f.len, SMALL_BTF_MARK, strlen(SMALL_BTF_MARK));
	ck_assert(room && len < SMALL_BTF_ROOM);
	memcpy(room, bytes, len);
	read_it(&f);
	/* One that cannot be read to its end does not. */
	ck_assert_str_eq(f.given.types_kind, _i ? "DWARF" : "BTF");
	assert_size(f.given.types, "small_list", _i ? sizeof(struct small_list) : 77);
	teardown(&f);
}
END_TEST

START_TEST(what_is_no_linked_kernel_is_refused)
{
	Fixture f;

	setup(&f, "dwarf5");
	f.bytes[0]++;
	assert_unread(&f, "vmlinuz");
	f.bytes[0]--;
	f.bytes[5] = 2; /* EI_DATA */
	assert_unread(&f, "");
	f.bytes[5] = 1;
	f.bytes[16] = 1; /* e_type: ET_REL */
	assert_unread(&f, "not linked");
	f.bytes[16] = 2;
	f.len = 3;
	assert_unread(&f, "not an ELF");
	teardown(&f);
}
END_TEST

/* They are as libdw takes them for its own, too: it would open a file, or unpack to any size. */
START_TEST(sections_that_libdw_must_not_see_are_refused)
{
	static const struct {
		const char *was, *is, *why;
	} names[] = {
		{ ".note.gnu.build-id", ".zgnu_debugaltlink", "another file" },
		{ ".debug_line_str", ".zdebug_ranges\0", "objcopy" },
	};
	Fixture f;

	setup(&f, "dwarf5");
	gsize len = strlen(names[_i].was);
	char *name = memmem(f.bytes, f.len, names[_i].was, len + 1);
	ck_assert_ptr_nonnull(name);
	memcpy(name, names[_i].is, len);
	assert_unread(&f, names[_i].why);
	teardown(&f);
}
END_TEST

/* Before the sections were looked at to see how much comes out of them. */
START_TEST(names_of_sections_are_not_unpacked)
{
	Fixture f;

	setup(&f, "dwarf5");
	const Elf64_Ehdr *header = (const Elf64_Ehdr *) f.bytes;
	Elf64_Shdr *sections = (Elf64_Shdr *) (f.bytes + header->e_shoff);
	sections[header->e_shstrndx].sh_flags |= SHF_COMPRESSED;
	assert_unread(&f, "without sections");
	teardown(&f);
}
END_TEST

/* ---- debug information that no compiler makes ---- */

/* DWARF 4. Codes of entries and what they have: 1 the unit, 2 a structure { name, size }, 3 one
 * { size }, 4 a member { type }; all but the last have entries within. */
static const guint8 abbreviations[] = {
	1, 0x11, 1, 0,    0,                      /* compile_unit */
	2, 0x13, 1, 0x03, 0x08, 0x0b, 0x0b, 0, 0, /* structure_type: string, data1 */
	3, 0x13, 1, 0x0b, 0x0b, 0,    0,          /* the same: data1 */
	4, 0x0d, 0, 0x49, 0x13, 0,    0,          /* member: ref4 */
	0,
};

static void
append_u32(GByteArray *to, guint32 number)
{
	number = GUINT32_TO_LE(number);
	g_byte_array_append(to, (const guint8 *) &number, sizeof number);
}

/* With the unit's entry. */
static GByteArray *
begin_unit(void)
{
	const guint8 version[] = { 4, 0 }, rest[] = { 8, 1 };
	GByteArray *unit = g_byte_array_new();

	append_u32(unit, 0);
	g_byte_array_append(unit, version, sizeof version);
	append_u32(unit, 0);
	g_byte_array_append(unit, rest, sizeof rest);
	return unit;
}

static GByteArray *
end_unit(GByteArray *unit)
{
	const guint32 len = GUINT32_TO_LE(unit->len - 4);

	memcpy(unit->data, &len, sizeof len);
	return unit;
}

/* Puts the rest of a file around them, which ends with their last byte. */
static GByteArray *
wrap_units(GByteArray *unit)
{
	static const char names[] = "\0.debug_abbrev\0.debug_info\0.shstrtab";
	struct {
		Elf64_Ehdr header;
		Elf64_Shdr sections[4];
		char names[sizeof names];
		guint8 abbreviations[sizeof abbreviations];
	} file = {
		.header = { .e_ident = ELFMAG,
			    .e_type = ET_EXEC,
			    .e_machine = EM_X86_64,
			    .e_version = EV_CURRENT,
			    .e_shoff = sizeof file.header,
			    .e_ehsize = sizeof file.header,
			    .e_shentsize = sizeof file.sections[0],
			    .e_shnum = 4,
			    .e_shstrndx = 3 },
		.sections = { [1] = { .sh_name = 1,
				      .sh_type = SHT_PROGBITS,
				      .sh_offset = (gsize) file.abbreviations - (gsize) &file,
				      .sh_size = sizeof abbreviations },
			      [2] = { .sh_name = 15,
				      .sh_type = SHT_PROGBITS,
				      .sh_offset = sizeof file,
				      .sh_size = unit->len },
			      [3] = { .sh_name = 27,
				      .sh_type = SHT_STRTAB,
				      .sh_offset = (gsize) file.names - (gsize) &file,
				      .sh_size = sizeof names } },
	};

	file.header.e_ident[EI_CLASS] = ELFCLASS64;
	file.header.e_ident[EI_DATA] = ELFDATA2LSB;
	file.header.e_ident[EI_VERSION] = EV_CURRENT;
	memcpy(file.names, names, sizeof names);
	memcpy(file.abbreviations, abbreviations, sizeof abbreviations);
	g_byte_array_prepend(unit, (const guint8 *) &file, sizeof file);
	return unit;
}

/* small_task { S0, S1, S2 ... }, S0 { S1 { S2 ... } }: to tell any is to pass over the rest. */
START_TEST(structures_within_each_other_do_not_take_for_ever)
{
	enum { N = 100000, MEMBER_LEN = 5 };
	static const guint8 task[] = "\2small_task\0\10", member = 4, nested[] = { 3, 8 }, end = 0;
	GByteArray *unit = begin_unit();
	const guint32 first = unit->len + sizeof task - 1 + N * MEMBER_LEN + 1;
	Fixture f = { 0 };

	g_byte_array_append(unit, task, sizeof task - 1);
	for (guint32 i = 0; i < N; i++) {
		g_byte_array_append(unit, &member, 1);
		append_u32(unit, first + i * sizeof nested);
	}
	g_byte_array_append(unit, &end, 1);
	ck_assert_uint_eq(unit->len, first);
	for (guint32 i = 0; i < N; i++)
		g_byte_array_append(unit, nested, sizeof nested);
	for (guint32 i = 0; i <= N; i++)
		g_byte_array_append(unit, &end, 1);
	f.bytes = (char *) g_byte_array_steal(wrap_units(end_unit(unit)), &f.len);
	assert_unread(&f, "within each other");
	g_byte_array_unref(unit);
	teardown(&f);
}
END_TEST

/* At the end of the file and of what may be read: a name, a size. */
START_TEST(entries_that_do_not_end_are_not_read_beyond)
{
	static const guint8 entry[] = "\2small_task";
	const gsize page = 65536;
	char *pages =
		mmap(NULL, 2 * page, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	GByteArray *unit = begin_unit();
	Fixture f = { 0 };

	g_byte_array_append(unit, entry, sizeof entry - !_i);
	wrap_units(end_unit(unit));
	ck_assert(pages != MAP_FAILED && mprotect(pages + page, page, PROT_NONE) == 0);
	f.len = unit->len;
	f.bytes = memcpy(pages + page - f.len, unit->data, f.len);
	assert_unread(&f, "broken");
	g_byte_array_unref(unit);
	munmap(pages, 2 * page);
}
END_TEST

/* Of which libdw would make each its own: of 300 KB, GBs. The table is behind the units. */
START_TEST(table_that_many_units_share_is_refused)
{
	enum { N_UNITS = 1024, N_MORE = 60000 };
	static const guint8 head[] = { 4, 0 }, end[] = { 8 }, more[] = { 1, 0x11, 0, 0, 0 };
	GByteArray *units = g_byte_array_new();
	Fixture f = { 0 };

	for (guint i = 0; i < N_UNITS; i++) {
		append_u32(units, sizeof head + 4 + sizeof end);
		g_byte_array_append(units, head, sizeof head);
		append_u32(units, N_UNITS * (4 + sizeof head + 4 + sizeof end));
		g_byte_array_append(units, end, sizeof end);
	}
	for (guint i = 0; i < N_MORE; i++)
		g_byte_array_append(units, more, sizeof more);
	wrap_units(units);
	f.bytes = (char *) g_byte_array_steal(units, &f.len);
	Elf64_Shdr *sections = (Elf64_Shdr *) (f.bytes + sizeof(Elf64_Ehdr));
	const Elf64_Word name = sections[1].sh_name;
	sections[1] = sections[2];
	sections[1].sh_name = name;
	assert_unread(&f, "more abbreviations");
	g_byte_array_unref(units);
	teardown(&f);
}
END_TEST

START_TEST(who_gave_up_gets_nothing)
{
	gint cancelled = 1;
	VmifsCall call = { .cancelled = &cancelled };
	g_autoptr(GError) error = NULL;
	Fixture f;

	setup(&f, "dwarf5");
	ck_assert(!vmifs_vmlinux_read(f.bytes, f.len, &wanted, &f.given, &call, &error));
	ck_assert(g_error_matches(error, VMIFS_ERROR, VMIFS_ERROR_CANCELLED));
	teardown(&f);
}
END_TEST

static Suite *
make_suite(void)
{
	Suite *s = suite_create("vmlinux");
	TCase *t = tcase_create("vmlinux");

	tcase_add_loop_test(t, structures_are_where_the_compiler_has_them, 0,
			    G_N_ELEMENTS(with_dwarf));
	tcase_add_loop_test(t, file_that_is_given_is_read_and_stays_as_it_is, 0,
			    G_N_ELEMENTS(with_dwarf));
	tcase_add_loop_test(t, it_says_which_kernel_it_is, 0, 3);
	tcase_add_test(t, without_debug_information_there_are_symbols);
	tcase_add_loop_test(t, types_of_its_own_go_before_debug_information, 0, 2);
	tcase_add_test(t, what_is_no_linked_kernel_is_refused);
	tcase_add_loop_test(t, sections_that_libdw_must_not_see_are_refused, 0, 2);
	tcase_add_test(t, names_of_sections_are_not_unpacked);
	tcase_add_test(t, structures_within_each_other_do_not_take_for_ever);
	tcase_add_loop_test(t, entries_that_do_not_end_are_not_read_beyond, 0, 2);
	tcase_add_test(t, table_that_many_units_share_is_refused);
	tcase_add_test(t, who_gave_up_gets_nothing);
	suite_add_tcase(s, t);
	return s;
}

VMIFS_UNIT_MAIN(make_suite)
