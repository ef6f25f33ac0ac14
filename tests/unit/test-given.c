/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* given: a file of the user is believed only where it is of the guest's kernel. */
#include <unit.h>

#include <linux-guest.h>
#include <os/linux/given.h>

#define LINKED G_GUINT64_CONSTANT(0xffffffff81000000)
#define SLIDE G_GUINT64_CONSTANT(0x1c00000)
#define N_MANY 1024

typedef struct {
	LinuxGuest g;
	LinuxFound found;
	VmifsGiven given;
} Fixture;

/* n symbols of both; n_moved of them lie elsewhere in the guest. */
static void
setup(Fixture *f, guint n, guint n_moved)
{
	VmifsSymbolsBuilder *builder = vmifs_symbols_builder_new();

	*f = (Fixture){ .given = { .name = "profile=/x" } };
	linux_guest_init(&f->g, "struct path 16 mnt@0:8\n");
	vmifs_symbols_builder_add(builder, LINKED, 'T', "_stext", 6);
	vmifs_symbols_builder_add(builder, LINKED + 0x100000, 'B', "_end", 4);
	vmifs_symbols_builder_add(builder, 0x1000, 'A', "of_each_cpu", 11);
	vmifs_symbols_builder_add(builder, LINKED + 0x200000, 'B', "scratch", 7);
	linux_guest_symbol(&f->g, "_stext", LINKED + SLIDE);
	linux_guest_symbol(&f->g, "_end", LINKED + SLIDE + 0x100000);
	linux_guest_symbol(&f->g, "of_each_cpu", 0x1008);
	for (guint i = 0; i < n; i++) {
		g_autofree char *name = g_strdup_printf("f%u", i);
		guint64 at = LINKED + 16 * (i + 1);
		vmifs_symbols_builder_add(builder, at, 'T', name, strlen(name));
		linux_guest_symbol(&f->g, name, at + SLIDE + (i < n_moved ? 8 : 0));
	}
	/* Of that name there are two, and the first is another one. */
	vmifs_symbols_builder_add(builder, LINKED + 8, 't', "init", 4);
	linux_guest_symbol(&f->g, "init", LINKED + SLIDE + 0x8000);
	linux_guest_symbol(&f->g, "init", LINKED + SLIDE + 8);
	/* Of that name there are so many that nobody looks for the one. */
	vmifs_symbols_builder_add(builder, LINKED + 8, 't', "many", 4);
	for (guint i = 0; i < N_MANY; i++)
		linux_guest_symbol(&f->g, "many", LINKED + SLIDE + 0x9000 + 16 * i);
	f->given.symbols = vmifs_symbols_builder_end(builder);
	linux_guest_start(&f->g);
	f->found.symbols = f->g.os.symbols;
	f->g.os.found = &f->found;
}

static void
teardown(Fixture *f)
{
	vmifs_symbols_unref(f->given.symbols);
	linux_guest_clear(&f->g);
}

static void
assert_symbol(const VmifsSymbols *symbols, const char *name, guint64 address)
{
	guint64 found;

	ck_assert_msg(vmifs_symbols_lookup(symbols, name, &found), "%s", name);
	ck_assert_uint_eq(found, address);
}

static LinuxVmcoreinfo *
make_note(const char *text)
{
	guint32 head[] = { 11, (guint32) strlen(text), 0 };
	g_autofree guint8 *note = g_malloc0(LINUX_VMCOREINFO_HEAD + head[1]);

	memcpy(note, head, sizeof head);
	memcpy(note + 12, "VMCOREINFO", 11);
	memcpy(note + LINUX_VMCOREINFO_HEAD, text, head[1]);
	return linux_vmcoreinfo_new(note, LINUX_VMCOREINFO_HEAD + head[1], NULL);
}

static const struct {
	guint n, n_moved;
	const char *build_ids[2], *banners[2]; /* of the file, of the guest */
	const char *said, *refused;
} cases[] = {
	{ 200,
	  0,
	  { NULL },
	  { "Linux version 6", "Linux version 6" },
	  "banner equal, 202 of 202",
	  NULL },
	{ 200, 0, { NULL }, { NULL, "Linux version 6" }, "202 of 202 symbols", NULL },
	{ 200, 1, { NULL }, { "Linux version 6", NULL }, "201 of 202 symbols", NULL },
	{ 5, 0, { "0a", "0a" }, { NULL }, "build id equal, 7 of 7", NULL },
	{ 200,
	  0,
	  { NULL },
	  { "Linux version 6", "Linux version 5" },
	  NULL,
	  "profile=/x is of another kernel: its banner is Linux version 6, the guest's Linux version 5" },
	/* As they are: who shows them escapes them. */
	{ 200, 0, { NULL }, { "Linux\n6", "\\" }, NULL, "its banner is Linux\n6, the guest's \\" },
	{ 200, 0, { "0a", "0b" }, { NULL }, NULL, "its build id is 0a, the guest's 0b" },
	{ 200, 20, { "0a", "0a" }, { NULL }, NULL, "of 202 symbols 20 lie elsewhere" },
	{ 5, 0, { NULL }, { NULL }, NULL, "neither build id nor banner, and 7 symbols" },
};

START_TEST(a_file_is_compared_with_the_guest)
{
	Fixture f;
	g_autoptr(GError) error = NULL;

	setup(&f, cases[_i].n, cases[_i].n_moved);
	f.given.build_id = (char *) cases[_i].build_ids[0];
	f.found.build_id = (char *) cases[_i].build_ids[1];
	f.given.banner = (char *) cases[_i].banners[0];
	f.found.banner = (char *) cases[_i].banners[1];
	g_autofree char *said = linux_given_check(&f.g.os, &f.given, NULL, NULL, &error);
	if (cases[_i].said) {
		ck_assert_msg(said, "%s", error ? error->message : "");
		ck_assert_msg(g_str_has_prefix(said, cases[_i].said), "%s", said);
	} else {
		ck_assert_ptr_null(said);
		ck_assert(g_error_matches(error, VMIFS_ERROR, VMIFS_ERROR_UNSUPPORTED));
		ck_assert_msg(strstr(error->message, cases[_i].refused), "%s", error->message);
	}
	teardown(&f);
}
END_TEST

START_TEST(its_symbols_are_moved_to_where_the_guest_has_them)
{
	Fixture f;
	g_autoptr(VmifsSymbols) moved = NULL;
	g_autoptr(GError) error = NULL;
	guint64 before = 0;
	VmifsSymbol symbol;

	setup(&f, 200, 0);
	g_autofree char *said = linux_given_check(&f.g.os, &f.given, &moved, NULL, &error);
	ck_assert_msg(said, "%s", error ? error->message : "");
	ck_assert_uint_eq(vmifs_symbols_count(moved), vmifs_symbols_count(f.given.symbols));
	assert_symbol(moved, "_stext", LINKED + SLIDE);
	assert_symbol(moved, "_end", LINKED + SLIDE + 0x100000);
	assert_symbol(moved, "of_each_cpu", 0x1000); /* which is no address of the image */
	assert_symbol(moved, "scratch", LINKED + SLIDE + 0x200000);
	for (gsize i = 0; i < vmifs_symbols_count(moved); i++) {
		vmifs_symbols_get(moved, i, &symbol);
		ck_assert_uint_ge(symbol.address, before);
		before = symbol.address;
	}
	teardown(&f);
}
END_TEST

#define NOTE "OSRELEASE=6\nSYMBOL(_stext)=ffff888000000000\n"

/* A guest of which only its note is known: what it says of its build stands in its memory. */
START_TEST(without_symbols_the_build_is_read_where_the_file_says)
{
	static const guint8 build_id[] = { 4, 0, 0,   0,   2,   0, 0,    0,    3, 0,
					   0, 0, 'G', 'N', 'U', 0, 0xab, 0xcd, 0, 0 };
	static const struct {
		const char *name;
		guint64 at;
	} known[] = { { "_stext", 0 },
		      { "__start_notes", 0x100 },
		      { "__stop_notes", 0x114 },
		      { "linux_banner", 0x200 },
		      { "_end", 0x1000 } };
	Fixture f = { .given = { .name = "vmlinux=/x" } };
	VmifsSymbolsBuilder *builder = vmifs_symbols_builder_new();
	g_autoptr(VmifsSymbols) moved = NULL;
	g_autoptr(GError) error = NULL;

	for (gsize i = 0; i < G_N_ELEMENTS(known); i++)
		vmifs_symbols_builder_add(builder, LINKED + known[i].at, 'T', known[i].name,
					  strlen(known[i].name));
	f.given.symbols = vmifs_symbols_builder_end(builder);
	linux_guest_init(&f.g, "struct path 16 mnt@0:8\n");
	linux_guest_alloc(&f.g, 0x1000);
	linux_guest_write(&f.g, LINUX_GUEST_BASE + 0x100, build_id, sizeof build_id);
	linux_guest_write(&f.g, LINUX_GUEST_BASE + 0x200, "Linux version 6\n", 17);
	linux_guest_start(&f.g);
	f.g.os.found = &f.found;
	f.found.vmcoreinfo = make_note(NOTE);
	f.given.build_id = (char *) "abcd";
	f.given.banner = (char *) (_i ? "Linux version 7" : "Linux version 6");
	g_autofree char *said = linux_given_check(&f.g.os, &f.given, &moved, NULL, &error);
	if (_i) {
		ck_assert(!said && strstr(error->message, "the guest's Linux version 6"));
	} else {
		ck_assert_msg(said, "%s", error ? error->message : "");
		ck_assert_str_eq(said, "build id equal, banner equal");
		assert_symbol(moved, "linux_banner", LINUX_GUEST_BASE + 0x200);
	}
	linux_vmcoreinfo_unref(f.found.vmcoreinfo);
	teardown(&f);
}
END_TEST

static Suite *
make_suite(void)
{
	Suite *s = suite_create("given");
	TCase *t = tcase_create("given");

	tcase_add_loop_test(t, a_file_is_compared_with_the_guest, 0, G_N_ELEMENTS(cases));
	tcase_add_test(t, its_symbols_are_moved_to_where_the_guest_has_them);
	tcase_add_loop_test(t, without_symbols_the_build_is_read_where_the_file_says, 0, 2);
	suite_add_tcase(s, t);
	return s;
}

VMIFS_UNIT_MAIN(make_suite)
