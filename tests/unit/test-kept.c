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

static LinuxKallsyms *
find(const KallsymsImage *image)
{
	LinuxKallsyms *tables =
		linux_kallsyms_find(&image->phys, image->pa + image->digits_at, NULL);

	ck_assert_ptr_nonnull(tables);
	return tables;
}

/* Decodes, and keeps that. */
static void
fill(Fake *fake, const KallsymsImage *image)
{
	g_autoptr(LinuxKallsyms) tables = find(image);
	g_autoptr(GBytes) source = linux_kept_source(&fake->options, tables);
	g_autoptr(VmifsSymbols) symbols = linux_kallsyms_decode(tables, NULL);

	ck_assert_ptr_null(linux_kept_load(&fake->options, tables));
	linux_kept_save(&fake->options, source, symbols);
}

static VmifsSymbols *
load_of(const Fake *fake, const KallsymsImage *image)
{
	g_autoptr(LinuxKallsyms) tables = find(image);

	return linux_kept_load(&fake->options, tables);
}

static void
assert_expected(const KallsymsImage *image, const VmifsSymbols *symbols)
{
	ck_assert_ptr_nonnull(symbols);
	ck_assert_uint_eq(vmifs_symbols_count(symbols), image->expected->len);
	for (guint i = 0; i < image->expected->len; i++) {
		const KallsymsExpected *want = &g_array_index(image->expected, KallsymsExpected, i);
		VmifsSymbol symbol;
		guint64 cursor = 0;
		gsize index;

		vmifs_symbols_get(symbols, i, &symbol);
		ck_assert_uint_eq(symbol.address, want->address);
		ck_assert_int_eq(symbol.type, want->type);
		ck_assert_str_eq(symbol.name, want->name);
		ck_assert_ptr_null(symbol.module);
		do
			ck_assert(vmifs_symbols_each(symbols, want->name, &cursor, &index));
		while (index != i);
	}
}

START_TEST(kept_symbols_are_those_that_were_decoded)
{
	KallsymsImage image;
	Fake fake;

	fake_init(&fake);
	kallsyms_image_make(&image, &kallsyms_plans[_i]);
	fill(&fake, &image);
	g_autoptr(VmifsSymbols) symbols = load_of(&fake, &image);
	assert_expected(&image, symbols);
	kallsyms_image_clear(&image);
	fake_clear(&fake);
}
END_TEST

static const KallsymsPlan usual = { LINUX_KALLSYMS_PERCPU, TRUE, FALSE, FALSE, 8, 4, 3000 };

/* The same build, moved by KASLR. */
START_TEST(addresses_are_of_the_guest_that_asks)
{
	KallsymsPlan moved = usual;
	KallsymsImage image, other;
	Fake fake;

	moved.text = 0xffffffffa5000000;
	fake_init(&fake);
	kallsyms_image_make(&image, &usual);
	kallsyms_image_make(&other, &moved);
	fill(&fake, &image);
	g_autoptr(VmifsSymbols) symbols = load_of(&fake, &other);
	assert_expected(&other, symbols);
	kallsyms_image_clear(&image);
	kallsyms_image_clear(&other);
	fake_clear(&fake);
}
END_TEST

/* As a hostile guest of the same token table would leave it: its entry is in the place of ours. */
START_TEST(entry_of_other_names_is_not_taken)
{
	KallsymsImage image;
	Fake fake;

	fake_init(&fake);
	kallsyms_image_make(&image, &usual);
	fill(&fake, &image);
	g_autoptr(LinuxKallsyms) tables = find(&image);
	gsize at = 0;
	gsize len = linux_kallsyms_entry(tables->names, tables->names_len, &at);
	ck_assert_uint_gt(len, 1);
	tables->names[at + len - 1] ^= 1;
	ck_assert_ptr_null(linux_kept_load(&fake.options, tables));
	kallsyms_image_clear(&image);
	fake_clear(&fake);
}
END_TEST

static VmifsSymbols *
open_changed(const Fake *fake, const KallsymsImage *image, gsize at, guint8 bits, gsize len)
{
	g_autoptr(LinuxKallsyms) tables = find(image);
	guint8 *bytes = g_memdup2(g_bytes_get_data(fake->bytes, NULL), len);

	if (at < len)
		bytes[at] ^= bits;
	g_autoptr(GBytes) entry = g_bytes_new_take(bytes, len);
	return linux_kept_open(entry, tables);
}

/* What is wrong in it is seen, or harms nobody: a name that is not found, or another one. */
START_TEST(changed_entry_does_no_harm)
{
	KallsymsPlan small = usual;
	KallsymsImage image;
	guint n_taken = 0;
	Fake fake;

	small.n = 900;
	fake_init(&fake);
	kallsyms_image_make(&image, &small);
	fill(&fake, &image);
	gsize len = g_bytes_get_size(fake.bytes);
	for (gsize at = 0; at < len; at += 37) {
		g_autoptr(VmifsSymbols) symbols = open_changed(&fake, &image, at, 0x80, len);
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
	kallsyms_image_clear(&image);
	fake_clear(&fake);
}
END_TEST

START_TEST(entry_that_is_cut_or_longer_is_not_taken)
{
	KallsymsImage image;
	Fake fake;

	fake_init(&fake);
	kallsyms_image_make(&image, &usual);
	fill(&fake, &image);
	gsize len = g_bytes_get_size(fake.bytes);
	for (gsize cut = 0; cut < len; cut += cut < 64 ? 1 : len / 50)
		ck_assert_ptr_null(open_changed(&fake, &image, G_MAXSIZE, 0, cut));
	guint8 *bytes = g_malloc0(len + 8);
	memcpy(bytes, g_bytes_get_data(fake.bytes, NULL), len);
	g_bytes_unref(fake.bytes);
	fake.bytes = g_bytes_new_take(bytes, len + 8);
	ck_assert_ptr_null(load_of(&fake, &image));
	kallsyms_image_clear(&image);
	fake_clear(&fake);
}
END_TEST

/* One in so many names is compared with what the guest's table says. */
START_TEST(names_that_are_not_the_tables_are_seen)
{
	KallsymsImage image;
	Fake fake;

	fake_init(&fake);
	kallsyms_image_make(&image, &usual);
	fill(&fake, &image);
	g_autoptr(LinuxKallsyms) tables = find(&image);
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
	g_autoptr(GBytes) source = linux_kept_source(&fake.options, tables);
	linux_kept_save(&fake.options, source, others);
	ck_assert_ptr_null(linux_kept_load(&fake.options, tables));
	kallsyms_image_clear(&image);
	fake_clear(&fake);
}
END_TEST

START_TEST(without_a_cache_there_is_nothing_to_keep)
{
	const VmifsOptions options = { .size = sizeof options };
	KallsymsImage image;

	kallsyms_image_make(&image, &usual);
	g_autoptr(LinuxKallsyms) tables = find(&image);
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
