/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* modules: the text of /proc/modules, and the symbols of modules behind the kernel's. */
#include <unit.h>

#include <linux-guest.h>
#include <modules-guest.h>
#include <os/linux/modules.h>
#include <time.h>

typedef struct {
	LinuxGuest g;
	GArray *nodes;
} Fixture;

static void
setup(Fixture *f, const char *types)
{
	*f = (Fixture){ .nodes = g_array_new(FALSE, FALSE, sizeof(guint64)) };
	linux_guest_init(&f->g, types);
	guint64 head = linux_guest_alloc(&f->g, 16);
	g_array_append_val(f->nodes, head);
	linux_guest_symbol(&f->g, "modules", head);
}

static void
teardown(Fixture *f)
{
	g_array_unref(f->nodes);
	linux_guest_clear(&f->g);
}

static guint64
add_module(Fixture *f, const char *name)
{
	guint64 module = linux_guest_new(&f->g, LINUX_STRUCT_MODULE);
	guint64 node = linux_guest_at(&f->g, module, LINUX_FIELD_MODULE_LIST);
	guint64 users = linux_guest_at(&f->g, module, LINUX_FIELD_MODULE_SOURCE_LIST);

	linux_guest_put_text(&f->g, module, LINUX_FIELD_MODULE_NAME, name);
	linux_guest_put(&f->g, module, LINUX_FIELD_MODULE_REFCNT, 1);
	linux_guest_ring(&f->g, &users, 1);
	g_array_append_val(f->nodes, node);
	return module;
}

static void
expect(Fixture *f, const char *text)
{
	g_autoptr(GString) out = g_string_new(NULL);
	g_autoptr(GError) error = NULL;

	linux_guest_ring(&f->g, (const guint64 *) (gpointer) f->nodes->data, f->nodes->len);
	ck_assert_msg(linux_render_modules(linux_guest_start(&f->g), NULL, NULL, out, NULL, &error),
		      "%s", error ? error->message : "");
	ck_assert_str_eq(out->str, text);
}

static void
put_memory(Fixture *f, guint64 module, guint64 base, guint64 size, guint64 more)
{
	if (linux_layout_has(f->g.layout, LINUX_FIELD_MODULE_MEM)) {
		guint64 mem = linux_guest_at(&f->g, module, LINUX_FIELD_MODULE_MEM);
		linux_guest_put(&f->g, mem, LINUX_FIELD_MODULE_MEMORY_BASE, base);
		linux_guest_put(&f->g, mem, LINUX_FIELD_MODULE_MEMORY_SIZE, size);
		linux_guest_put(&f->g, mem + 6 * 16, LINUX_FIELD_MODULE_MEMORY_SIZE, more);
	} else {
		linux_guest_put(&f->g, module, LINUX_FIELD_MODULE_CORE_BASE, base);
		linux_guest_put(&f->g, module, LINUX_FIELD_MODULE_CORE_SIZE, size);
		linux_guest_put(&f->g, module, LINUX_FIELD_MODULE_INIT_SIZE, more);
	}
}

START_TEST(lines_are_those_of_procfs)
{
	Fixture f;
	setup(&f, _i ? NEW_TYPES : OLD_TYPES);
	guint64 tun = add_module(&f, "tun");
	put_memory(&f, tun, 0xffffffffc04d6000, 0x8000, 0x7000);
	linux_guest_put(&f.g, tun, LINUX_FIELD_MODULE_REFCNT, 3);
	guint64 virtio = add_module(&f, "virtio");
	put_memory(&f, virtio, 0xffffffffc0100000, 4096, 0);
	linux_guest_put(&f.g, virtio, LINUX_FIELD_MODULE_TAINTS, 1 | 1 << 1 | 1 << 4 | 1 << 13);
	linux_guest_put(&f.g, virtio, LINUX_FIELD_MODULE_STATE, 2);
	linux_guest_put(&f.g, virtio, LINUX_FIELD_MODULE_INIT, 7);
	guint64 use = linux_guest_new(&f.g, LINUX_STRUCT_MODULE_USE);
	linux_guest_put(&f.g, use, LINUX_FIELD_MODULE_USE_SOURCE, tun);
	guint64 ring[] = { linux_guest_at(&f.g, virtio, LINUX_FIELD_MODULE_SOURCE_LIST),
			   linux_guest_at(&f.g, use, LINUX_FIELD_MODULE_USE_SOURCE_LIST) };
	linux_guest_ring(&f.g, ring, 2);
	expect(&f, "tun 61440 2 - Live 0xffffffffc04d6000\n"
		   "virtio 4096 0 tun,[permanent], Unloading 0xffffffffc0100000 (PFE-)\n");
	teardown(&f);
}
END_TEST

START_TEST(unformed_module_is_not_shown)
{
	Fixture f;
	setup(&f, OLD_TYPES);
	guint64 module = add_module(&f, "young");
	linux_guest_put(&f.g, module, LINUX_FIELD_MODULE_STATE, 3);
	expect(&f, "");
	teardown(&f);
}
END_TEST

START_TEST(least_count_of_users_does_not_overflow)
{
	Fixture f;
	setup(&f, OLD_TYPES);
	guint64 module = add_module(&f, "odd");
	linux_guest_put(&f.g, module, LINUX_FIELD_MODULE_REFCNT, 0x80000000);
	expect(&f, "odd 0 2147483647 - Live 0x0000000000000000\n");
	teardown(&f);
}
END_TEST

START_TEST(name_cannot_break_the_line)
{
	Fixture f;
	setup(&f, OLD_TYPES);
	add_module(&f, "a b\n");
	expect(&f, "a\\040b\\012 0 0 - Live 0x0000000000000000\n");
	teardown(&f);
}
END_TEST

START_TEST(torn_list_of_users_does_not_hide_the_module)
{
	Fixture f;
	setup(&f, OLD_TYPES);
	f.g.is_live = _i;
	gint64 start = g_get_monotonic_time();
	guint64 bad = add_module(&f, "bad");
	add_module(&f, "good");
	linux_guest_u64(&f.g, linux_guest_at(&f.g, bad, LINUX_FIELD_MODULE_SOURCE_LIST), 0x1000);
	expect(&f, "bad 0 0 - Live 0x0000000000000000\n"
		   "good 0 0 - Live 0x0000000000000000\n");
	ck_assert(!_i || g_get_monotonic_time() - start >= 50 * G_TIME_SPAN_MILLISECOND);
	g_autofree char *log = linux_guest_log(&f.g);
	ck_assert_ptr_nonnull(strstr(log, "modules are partial: users of module 0x"));
	ck_assert_ptr_null(strstr(log, "times)"));
	teardown(&f);
}
END_TEST

/* Names and addresses, as the engine has them; "torn" when the list is refused. */
static void
expect_listed(Fixture *f, const char *text)
{
	g_autoptr(GArray) list = g_array_new(FALSE, TRUE, sizeof(VmifsModule));
	g_autoptr(GString) out = g_string_new(NULL);
	g_autoptr(GError) error = NULL;

	if (!linux_list_modules(linux_guest_start(&f->g), list, NULL, &error)) {
		ck_assert_ptr_nonnull(error);
		g_string_append(out, "torn");
	}
	for (guint i = 0; i < list->len && !error; i++) {
		const VmifsModule *module = &g_array_index(list, VmifsModule, i);
		g_string_append_printf(out, "%s %" G_GINT64_MODIFIER "x\n", module->name,
				       module->base);
	}
	ck_assert_str_eq(out->str, text);
}

START_TEST(those_that_are_loaded_whole_are_listed)
{
	Fixture f;
	setup(&f, _i ? NEW_TYPES : OLD_TYPES);
	for (guint state = 0; state < 4; state++) {
		g_autofree char *name = g_strdup_printf("state%u", state);
		guint64 module = add_module(&f, name);
		put_memory(&f, module, 0x1000 * (state + 1), 4096, 0);
		linux_guest_put(&f.g, module, LINUX_FIELD_MODULE_STATE, state);
	}
	linux_guest_ring(&f.g, (const guint64 *) (gpointer) f.nodes->data, f.nodes->len);
	expect_listed(&f, "state0 1000\nstate2 3000\n");
	teardown(&f);
}
END_TEST

START_TEST(half_a_list_is_none)
{
	Fixture f;
	setup(&f, OLD_TYPES);
	f.g.is_live = _i;
	gint64 start = g_get_monotonic_time();
	add_module(&f, "good");
	guint64 bad = add_module(&f, "bad");
	linux_guest_ring(&f.g, (const guint64 *) (gpointer) f.nodes->data, f.nodes->len);
	linux_guest_u64(&f.g, linux_guest_at(&f.g, bad, LINUX_FIELD_MODULE_LIST), 0x1000);
	expect_listed(&f, "torn");
	ck_assert(!_i || g_get_monotonic_time() - start >= 50 * G_TIME_SPAN_MILLISECOND);
	teardown(&f);
}
END_TEST

/* ---- symbols ---- */

typedef struct {
	const char *name;
	guint64 value;
	char type;
} Symbol;

/* Returns: the struct mod_kallsyms. */
static guint64
add_symbols(Fixture *f, guint64 module, const Symbol *symbols, guint n)
{
	guint64 kallsyms = linux_guest_new(&f->g, LINUX_STRUCT_MOD_KALLSYMS);
	guint64 symtab = linux_guest_alloc(&f->g, n * 24 + 1);
	guint64 strtab = linux_guest_alloc(&f->g, n * 16 + 1);
	guint64 typetab = linux_guest_alloc(&f->g, n + 1);

	for (guint i = 0; i < n; i++) {
		linux_guest_u64(&f->g, symtab + i * 24, i * 16);
		linux_guest_u64(&f->g, symtab + i * 24 + 8, symbols[i].value);
		linux_guest_write(&f->g, strtab + i * 16, symbols[i].name,
				  strlen(symbols[i].name) + 1);
		linux_guest_write(&f->g, typetab + i, &symbols[i].type, 1);
	}
	linux_guest_put(&f->g, module, LINUX_FIELD_MODULE_KALLSYMS, kallsyms);
	linux_guest_put(&f->g, kallsyms, LINUX_FIELD_MOD_KALLSYMS_SYMTAB, symtab);
	linux_guest_put(&f->g, kallsyms, LINUX_FIELD_MOD_KALLSYMS_NUM_SYMTAB, n);
	linux_guest_put(&f->g, kallsyms, LINUX_FIELD_MOD_KALLSYMS_STRTAB, strtab);
	linux_guest_put(&f->g, kallsyms, LINUX_FIELD_MOD_KALLSYMS_TYPETAB, typetab);
	return kallsyms;
}

static void
add_export(Fixture *f, guint64 module, const char *name, guint64 value)
{
	guint64 entry = linux_guest_new(&f->g, LINUX_STRUCT_KERNEL_SYMBOL);
	guint64 text = linux_guest_string(&f->g, name);

	linux_guest_put(&f->g, module, LINUX_FIELD_MODULE_SYMS, entry);
	linux_guest_put(&f->g, module, LINUX_FIELD_MODULE_NUM_SYMS, 1);
	linux_guest_put(&f->g, entry, LINUX_FIELD_KERNEL_SYMBOL_VALUE_OFFSET, value - entry);
	linux_guest_put(&f->g, entry, LINUX_FIELD_KERNEL_SYMBOL_NAME_OFFSET, text - entry - 4);
}

static char *
symbols_of(Fixture *f)
{
	GString *out = g_string_new(NULL);
	g_autoptr(GError) error = NULL;

	linux_guest_ring(&f->g, (const guint64 *) (gpointer) f->nodes->data, f->nodes->len);
	g_autoptr(VmifsSymbols) symbols = linux_symbols(linux_guest_start(&f->g), NULL, &error);
	ck_assert_msg(symbols != NULL, "%s", error ? error->message : "");
	for (gsize i = 0; i < vmifs_symbols_count(symbols); i++) {
		VmifsSymbol s;
		vmifs_symbols_get(symbols, i, &s);
		if (strcmp(s.name, "modules"))
			g_string_append_printf(out, "%" G_GINT64_MODIFIER "x %c %s %s\n", s.address,
					       s.type, s.name, s.module ? s.module : "-");
	}
	return g_string_free(out, FALSE);
}

START_TEST(symbols_follow_in_the_order_of_the_modules)
{
	Fixture f;
	setup(&f, OLD_TYPES);
	linux_guest_symbol(&f.g, "schedule", 1);
	guint64 value = LINUX_GUEST_BASE + 0x100000;
	guint64 tun = add_module(&f, "tun");
	add_symbols(&f, tun,
		    (Symbol[]){ { "", 0, 'U' },
				{ "tun_get", value, 't' },
				{ "tun_put", value + 16, 't' },
				{ "odd", 3, 0 } },
		    4);
	add_export(&f, tun, "tun_put", value + 16);
	add_symbols(&f, add_module(&f, "dummy"), (Symbol[]){ { "x", 5, 'D' } }, 1);
	g_autofree char *text = symbols_of(&f);
	ck_assert_str_eq(text, "1 D schedule -\n"
			       "ffff888000100000 t tun_get tun\n"
			       "ffff888000100010 T tun_put tun\n"
			       "3 ? odd tun\n"
			       "5 d x dummy\n");
	teardown(&f);
}
END_TEST

/* All of one hash, as GLib makes it of texts: "Ez" is as good as "FY". */
START_TEST(names_of_exports_that_collide_take_no_longer)
{
	enum { N_PAIRS = 15, N = 1 << N_PAIRS, LEN = 2 * N_PAIRS + 1, EXPORT_LEN = 12 };
	guint64 value = LINUX_GUEST_BASE + 0x100000;
	g_autoptr(GError) error = NULL;
	Fixture f;

	setup(&f, OLD_TYPES);
	guint64 tun = add_module(&f, "tun");
	add_symbols(&f, tun, (Symbol[]){ { "tun_get", value, 't' } }, 1);
	add_export(&f, tun, "tun_put", value);
	guint64 entries = linux_guest_alloc(&f.g, N * EXPORT_LEN);
	guint64 texts = linux_guest_alloc(&f.g, N * LEN);
	for (guint i = 0; i < N; i++) {
		guint64 text = texts + i * LEN, entry = entries + i * EXPORT_LEN;
		char name[LEN] = "";

		for (guint k = 0; k < N_PAIRS; k++)
			strcat(name, i >> k & 1 ? "Ez" : "FY");
		linux_guest_write(&f.g, text, name, LEN);
		linux_guest_put(&f.g, entry, LINUX_FIELD_KERNEL_SYMBOL_VALUE_OFFSET, 0);
		linux_guest_put(&f.g, entry, LINUX_FIELD_KERNEL_SYMBOL_NAME_OFFSET,
				text - entry - 4);
	}
	linux_guest_put(&f.g, tun, LINUX_FIELD_MODULE_SYMS, entries);
	linux_guest_put(&f.g, tun, LINUX_FIELD_MODULE_NUM_SYMS, N);
	linux_guest_ring(&f.g, (const guint64 *) (gpointer) f.nodes->data, f.nodes->len);
	/* Of this process: others may be busy. */
	clock_t start = clock();
	g_autoptr(VmifsSymbols) symbols = linux_symbols(linux_guest_start(&f.g), NULL, &error);
	ck_assert_msg(symbols != NULL, "%s", error ? error->message : "");
	ck_assert_int_lt((clock() - start) / CLOCKS_PER_SEC, 10);
	teardown(&f);
}
END_TEST

START_TEST(kernel_without_symbol_tables_has_no_symbols)
{
	Fixture f;
	g_autoptr(GError) error = NULL;
	setup(&f, OLD_TYPES);
	g_clear_pointer(&linux_guest_start(&f.g)->symbols, vmifs_symbols_unref);

	ck_assert_ptr_null(linux_symbols(&f.g.os, NULL, &error));
	ck_assert(g_error_matches(error, VMIFS_ERROR, VMIFS_ERROR_UNSUPPORTED));
	teardown(&f);
}
END_TEST

START_TEST(module_whose_table_lies_does_not_hide_the_next)
{
	Fixture f;
	setup(&f, OLD_TYPES);
	guint64 bad = add_module(&f, "bad");
	guint64 kallsyms = add_symbols(&f, bad, (Symbol[]){ { "y", 5, 't' } }, 1);
	if (_i)
		linux_guest_put(&f.g, kallsyms, LINUX_FIELD_MOD_KALLSYMS_NUM_SYMTAB, G_MAXUINT32);
	else
		linux_guest_put(&f.g, kallsyms, LINUX_FIELD_MOD_KALLSYMS_SYMTAB, 0x1000);
	add_symbols(&f, add_module(&f, "good"), (Symbol[]){ { "x", 5, 't' } }, 1);
	g_autofree char *text = symbols_of(&f);
	ck_assert_str_eq(text, "5 t x good\n");
	g_autofree char *log = linux_guest_log(&f.g);
	ck_assert_ptr_nonnull(strstr(log, "symbols of module 0x"));
	teardown(&f);
}
END_TEST

START_TEST(kernel_without_modules_still_has_symbols)
{
	Fixture f;
	setup(&f, "");
	linux_guest_symbol(&f.g, "schedule", 1);
	g_autofree char *text = symbols_of(&f);
	ck_assert_str_eq(text, "1 D schedule -\n");
	teardown(&f);
}
END_TEST

static Suite *
make_suite(void)
{
	Suite *s = suite_create("modules");
	TCase *t = tcase_create("modules");

	tcase_add_loop_test(t, lines_are_those_of_procfs, 0, 2);
	tcase_add_test(t, unformed_module_is_not_shown);
	tcase_add_test(t, least_count_of_users_does_not_overflow);
	tcase_add_test(t, name_cannot_break_the_line);
	tcase_add_loop_test(t, torn_list_of_users_does_not_hide_the_module, 0, 2);
	tcase_add_loop_test(t, those_that_are_loaded_whole_are_listed, 0, 2);
	tcase_add_loop_test(t, half_a_list_is_none, 0, 2);
	suite_add_tcase(s, t);
	t = tcase_create("symbols");
	tcase_add_test(t, symbols_follow_in_the_order_of_the_modules);
	tcase_add_loop_test(t, module_whose_table_lies_does_not_hide_the_next, 0, 2);
	tcase_add_test(t, kernel_without_modules_still_has_symbols);
	tcase_add_test(t, names_of_exports_that_collide_take_no_longer);
	tcase_add_test(t, kernel_without_symbol_tables_has_no_symbols);
	suite_add_tcase(s, t);
	return s;
}

VMIFS_UNIT_MAIN(make_suite)
