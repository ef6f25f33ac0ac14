/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* kept: entries of the same tables are believed, those of others and damaged ones are not. */
#include <unit.h>

#include <kallsyms-image.h>
#include <string.h>
#include <os/linux/kept.h>

/* One entry, in memory. */
typedef struct {
	VmifsCache ops;
	VmifsOptions options;
	char *name;
	GBytes *bytes;
} Fake;

static GBytes *
load(gpointer user, const char *name)
{
	const Fake *fake = user;

	return g_strcmp0(fake->name, name) ? NULL : g_bytes_ref(fake->bytes);
}

static void
save(gpointer user, const char *name, const GPtrArray *parts)
{
	GByteArray *bytes = g_byte_array_new();
	Fake *fake = user;

	for (guint i = 0; i < parts->len; i++) {
		gsize len;
		gconstpointer part = g_bytes_get_data(g_ptr_array_index(parts, i), &len);
		g_byte_array_append(bytes, part, (guint) len);
	}

	g_clear_pointer(&fake->bytes, g_bytes_unref);
	g_free(fake->name);
	fake->name = g_strdup(name);
	fake->bytes = g_byte_array_free_to_bytes(bytes);
}

static void
fake_init(Fake *fake)
{
	*fake = (Fake){ .ops = { load, save, fake } };
	fake->options = (VmifsOptions){ .size = sizeof fake->options, .cache = &fake->ops };
}

static void
fake_clear(Fake *fake)
{
	g_free(fake->name);
	g_clear_pointer(&fake->bytes, g_bytes_unref);
}

/* What was decoded of an image, kept. */
typedef struct {
	KallsymsImage image;
	Fake fake;
} Fixture;

static void
setup(Fixture *f, const KallsymsPlan *plan)
{
	fake_init(&f->fake);
	kallsyms_image_make(&f->image, plan);
	g_autoptr(LinuxKallsyms) tables = kallsyms_image_find(&f->image);
	g_autoptr(GBytes) source = linux_kept_source(&f->fake.options, tables);
	g_autoptr(VmifsSymbols) symbols = linux_kallsyms_decode(tables, NULL);

	ck_assert_ptr_null(linux_kept_load(&f->fake.options, tables));
	linux_kept_save(&f->fake.options, source, symbols);
}

static void
teardown(Fixture *f)
{
	kallsyms_image_clear(&f->image);
	fake_clear(&f->fake);
}

static VmifsSymbols *
load_of(const Fixture *f, const KallsymsImage *image)
{
	g_autoptr(LinuxKallsyms) tables = kallsyms_image_find(image);

	return linux_kept_load(&f->fake.options, tables);
}

static void
assert_expected(const KallsymsImage *image, const VmifsSymbols *symbols)
{
	ck_assert(kallsyms_image_has(image, symbols));
	for (guint i = 0; i < image->expected->len; i++) {
		const KallsymsExpected *want = &g_array_index(image->expected, KallsymsExpected, i);
		guint64 cursor = 0;
		gsize index;

		do
			ck_assert(vmifs_symbols_each(symbols, want->name, &cursor, &index));
		while (index != i);
	}
}

START_TEST(kept_symbols_are_those_that_were_decoded)
{
	Fixture f;
	setup(&f, &kallsyms_plans[_i]);
	g_autoptr(VmifsSymbols) symbols = load_of(&f, &f.image);
	assert_expected(&f.image, symbols);
	teardown(&f);
}
END_TEST

static const KallsymsPlan usual = { LINUX_KALLSYMS_PERCPU, TRUE, FALSE, FALSE, 8, 4, 3000 };

/* The same build, moved by KASLR. */
START_TEST(addresses_are_of_the_guest_that_asks)
{
	KallsymsPlan moved = usual;
	KallsymsImage other;
	Fixture f;

	moved.text = 0xffffffffa5000000;
	setup(&f, &usual);
	kallsyms_image_make(&other, &moved);
	g_autoptr(VmifsSymbols) symbols = load_of(&f, &other);
	assert_expected(&other, symbols);
	kallsyms_image_clear(&other);
	teardown(&f);
}
END_TEST

/* As a hostile guest of the same token table would leave it: its entry is in the place of ours. */
START_TEST(entry_of_other_names_is_not_taken)
{
	Fixture f;
	setup(&f, &usual);
	g_autoptr(LinuxKallsyms) tables = kallsyms_image_find(&f.image);
	gsize at = 0;
	gsize len = linux_kallsyms_entry(tables->names, tables->names_len, &at);
	ck_assert_uint_gt(len, 1);
	tables->names[at + len - 1] ^= 1;
	ck_assert_ptr_null(linux_kept_load(&f.fake.options, tables));
	teardown(&f);
}
END_TEST

static VmifsSymbols *
open_changed(const Fixture *f, gsize at, guint8 bits, gsize len)
{
	g_autoptr(LinuxKallsyms) tables = kallsyms_image_find(&f->image);
	guint8 *bytes = g_memdup2(g_bytes_get_data(f->fake.bytes, NULL), len);

	if (at < len)
		bytes[at] ^= bits;
	g_autoptr(GBytes) entry = g_bytes_new_take(bytes, len);
	return linux_kept_open(entry, tables);
}

/* What is wrong in it is seen, or harms nobody: a name that is not found, or another one. */
START_TEST(changed_entry_does_no_harm)
{
	KallsymsPlan small = usual;
	guint n_taken = 0;
	Fixture f;

	small.n = 900;
	setup(&f, &small);
	gsize len = g_bytes_get_size(f.fake.bytes);
	for (gsize at = 0; at < len; at += 37) {
		g_autoptr(VmifsSymbols) symbols = open_changed(&f, at, 0x80, len);
		guint64 address, cursor = 0;
		gsize index;

		if (!symbols)
			continue;
		n_taken++;
		vmifs_symbols_lookup(symbols, "no such name", &address);
		while (vmifs_symbols_each(symbols, "_text", &cursor, &index))
			ck_assert_uint_lt(index, small.n);
	}
	ck_assert_uint_gt(n_taken, 0); /* of names that were not looked at */
	teardown(&f);
}
END_TEST

START_TEST(entry_that_is_cut_or_longer_is_not_taken)
{
	Fixture f;
	setup(&f, &usual);
	gsize len = g_bytes_get_size(f.fake.bytes);
	for (gsize cut = 0; cut < len; cut += cut < 64 ? 1 : len / 50)
		ck_assert_ptr_null(open_changed(&f, G_MAXSIZE, 0, cut));
	guint8 *bytes = g_malloc0(len + 8);
	memcpy(bytes, g_bytes_get_data(f.fake.bytes, NULL), len);
	g_bytes_unref(f.fake.bytes);
	f.fake.bytes = g_bytes_new_take(bytes, len + 8);
	ck_assert_ptr_null(load_of(&f, &f.image));
	teardown(&f);
}
END_TEST

/* One in so many names is compared with what the guest's table says. */
START_TEST(names_that_are_not_the_tables_are_seen)
{
	Fixture f;
	setup(&f, &usual);
	g_autoptr(LinuxKallsyms) tables = kallsyms_image_find(&f.image);
	g_autoptr(VmifsSymbols) symbols = linux_kallsyms_decode(tables, NULL);
	VmifsSymbolsBuilder *builder = vmifs_symbols_builder_new();
	for (gsize i = 0; i < tables->n; i++) {
		VmifsSymbol symbol;
		vmifs_symbols_get(symbols, i, &symbol);
		vmifs_symbols_builder_add(builder, symbol.address, symbol.type, "other", 5);
	}
	g_autoptr(VmifsSymbols) others = vmifs_symbols_builder_end(builder);
	ck_assert(linux_kallsyms_agrees(tables, symbols, 1));
	ck_assert(!linux_kallsyms_agrees(tables, others, 64));
	g_autoptr(GBytes) source = linux_kept_source(&f.fake.options, tables);
	linux_kept_save(&f.fake.options, source, others);
	ck_assert_ptr_null(linux_kept_load(&f.fake.options, tables));
	teardown(&f);
}
END_TEST

START_TEST(without_a_cache_there_is_nothing_to_keep)
{
	const VmifsOptions options = { .size = sizeof options };
	KallsymsImage image;

	kallsyms_image_make(&image, &usual);
	g_autoptr(LinuxKallsyms) tables = kallsyms_image_find(&image);
	ck_assert_ptr_null(linux_kept_source(&options, tables));
	ck_assert_ptr_null(linux_kept_load(&options, tables));
	kallsyms_image_clear(&image);
}
END_TEST

static Suite *
kept_suite(void)
{
	Suite *s = suite_create("kept");
	TCase *t = tcase_create("kept");
	tcase_add_loop_test(t, kept_symbols_are_those_that_were_decoded, 0, (int) kallsyms_n_plans);
	tcase_add_test(t, addresses_are_of_the_guest_that_asks);
	tcase_add_test(t, entry_of_other_names_is_not_taken);
	tcase_add_test(t, changed_entry_does_no_harm);
	tcase_add_test(t, entry_that_is_cut_or_longer_is_not_taken);
	tcase_add_test(t, names_that_are_not_the_tables_are_seen);
	tcase_add_test(t, without_a_cache_there_is_nothing_to_keep);
	suite_add_tcase(s, t);
	return s;
}

VMIFS_UNIT_MAIN(kept_suite)
