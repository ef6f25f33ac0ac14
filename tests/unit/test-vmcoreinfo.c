/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* vmcoreinfo: note header, keys, the three number formats, cut and lying notes; what `info` makes
 * of it. */
#include <unit.h>

#include <linux-guest.h>
#include <string.h>
#include <os/linux/vmcoreinfo.h>
#include <spi/bytes.h>
#include <vmifs/error.h>

static const char sample[] = "OSRELEASE=6.1.0-56-cloud-amd64\n"
			     "BUILD-ID=0123456789abcdef0123456789abcdef01234567\n"
			     "PAGESIZE=4096\n"
			     "SYMBOL(_stext)=ffffffff9c200000\n"
			     "OFFSET(list_head.next)=0\n"
			     "SIZE(page)=64\n"
			     "NUMBER(phys_base)=-171966464\n"
			     "NUMBER(kimage_voffset)=0xffff7fffc0000000\n"
			     "NUMBER(pgtable_l5_enabled)=1\n"
			     "NUMBER(pgtable_l5_enabled)=0\n"
			     "KERNELOFFSET=1b200000\n"
			     "a line without a value\n"
			     "EMPTY=\n"
			     "HUGE=18446744073709551616\n"
			     "SIGN=-\n"
			     "JUNK=12x\n"
			     "LAST=7";

/* (full) a note around desc that says it is desc_len long. */
static guint8 *
make_note(const char *desc, guint32 desc_len)
{
	guint8 *note = g_malloc0(LINUX_VMCOREINFO_HEAD + strlen(desc) + 1);
	guint32 namesz = GUINT32_TO_LE(11), descsz = GUINT32_TO_LE(desc_len);

	memcpy(note, &namesz, 4);
	memcpy(note + 4, &descsz, 4);
	memcpy(note + 12, "VMCOREINFO", 11);
	memcpy(note + LINUX_VMCOREINFO_HEAD, desc, strlen(desc));
	return note;
}

static LinuxVmcoreinfo *
parse(const char *desc)
{
	g_autofree guint8 *note = make_note(desc, strlen(desc));
	g_autoptr(GError) error = NULL;
	LinuxVmcoreinfo *info =
		linux_vmcoreinfo_new(note, LINUX_VMCOREINFO_HEAD + strlen(desc), &error);

	ck_assert_msg(info, "%s", error ? error->message : "no error");
	return info;
}

START_TEST(texts_are_found_by_key)
{
	g_autoptr(LinuxVmcoreinfo) info = parse(sample);

	ck_assert_str_eq(linux_vmcoreinfo_text(info, "OSRELEASE"), "6.1.0-56-cloud-amd64");
	ck_assert_str_eq(linux_vmcoreinfo_text(info, "EMPTY"), "");
	ck_assert_str_eq(linux_vmcoreinfo_text(info, "LAST"), "7");
	ck_assert_ptr_null(linux_vmcoreinfo_text(info, "OSREL"));
	ck_assert_ptr_null(linux_vmcoreinfo_text(info, "a line without a value"));
}
END_TEST

START_TEST(numbers_are_read_in_their_format)
{
	static const struct {
		const char *key;
		gboolean hex;
		guint64 value;
	} table[] = {
		{ "SYMBOL(_stext)", TRUE, G_GUINT64_CONSTANT(0xffffffff9c200000) },
		{ "KERNELOFFSET", TRUE, 0x1b200000 },
		{ "PAGESIZE", FALSE, 4096 },
		{ "OFFSET(list_head.next)", FALSE, 0 },
		{ "NUMBER(phys_base)", FALSE, (guint64) -171966464 },
		{ "NUMBER(kimage_voffset)", FALSE, G_GUINT64_CONSTANT(0xffff7fffc0000000) },
		{ "NUMBER(pgtable_l5_enabled)", FALSE, 1 },
	};
	g_autoptr(LinuxVmcoreinfo) info = parse(sample);

	for (gsize i = 0; i < G_N_ELEMENTS(table); i++) {
		guint64 value = 99;
		ck_assert(table[i].hex ? linux_vmcoreinfo_hex(info, table[i].key, &value)
				       : linux_vmcoreinfo_number(info, table[i].key, &value));
		ck_assert_uint_eq(value, table[i].value);
	}
}
END_TEST

START_TEST(malformed_numbers_are_refused)
{
	static const char *const keys[] = {
		"EMPTY", "HUGE", "SIGN", "JUNK", "OSRELEASE", "absent"
	};
	g_autoptr(LinuxVmcoreinfo) info = parse(sample);
	guint64 value = 99;

	for (gsize i = 0; i < G_N_ELEMENTS(keys); i++) {
		ck_assert(!linux_vmcoreinfo_number(info, keys[i], &value));
		ck_assert(!linux_vmcoreinfo_hex(info, keys[i], &value) || i == 1);
	}
	ck_assert(!linux_vmcoreinfo_hex(info, "NUMBER(kimage_voffset)", &value));
	ck_assert_uint_eq(value, 99);
}
END_TEST

START_TEST(size_is_that_of_the_note)
{
	g_autofree guint8 *note = make_note(sample, strlen(sample));

	ck_assert_uint_eq(linux_vmcoreinfo_size(note), 24 + strlen(sample));
	note[0] = 10;
	ck_assert_uint_eq(linux_vmcoreinfo_size(note), 0);
	note[0] = 11;
	note[8] = 1;
	ck_assert_uint_eq(linux_vmcoreinfo_size(note), 0);
	note[8] = 0;
	note[22] = 'x';
	ck_assert_uint_eq(linux_vmcoreinfo_size(note), 0);
	note[22] = 0;
	note[7] = 0x80;
	ck_assert_uint_eq(linux_vmcoreinfo_size(note), 0);
	memset(note + 4, 0, 4);
	ck_assert_uint_eq(linux_vmcoreinfo_size(note), 0);
}
END_TEST

START_TEST(other_bytes_are_refused)
{
	static const struct {
		const char *desc;
		guint32 claimed, given;
	} table[] = {
		{ sample, sizeof sample, 24 + sizeof sample - 2 }, /* cut short */
		{ sample, sizeof sample - 1, 23 },                 /* not even a header */
		{ "CRASHTIME=1\nOSRELEASE=6.1\n", 26, 50 },        /* another text */
		{ "OSREL", 5, 29 },                                /* too short to tell */
	};

	for (gsize i = 0; i < G_N_ELEMENTS(table); i++) {
		g_autofree guint8 *note = make_note(table[i].desc, table[i].claimed);
		g_autoptr(GError) error = NULL;
		ck_assert_ptr_null(linux_vmcoreinfo_new(note, table[i].given, &error));
		ck_assert_int_eq(error->code, VMIFS_ERROR_CORRUPT);
	}
}
END_TEST

START_TEST(text_ends_at_a_nul)
{
	g_autofree guint8 *note = make_note(sample, strlen(sample));
	g_autoptr(LinuxVmcoreinfo) info = NULL;

	note[LINUX_VMCOREINFO_HEAD + 14] = '\0';
	info = linux_vmcoreinfo_new(note, LINUX_VMCOREINFO_HEAD + strlen(sample), NULL);
	ck_assert_ptr_nonnull(info);
	ck_assert_str_eq(linux_vmcoreinfo_text(info, "OSRELEASE"), "6.1.");
	ck_assert_ptr_null(linux_vmcoreinfo_text(info, "PAGESIZE"));
}
END_TEST

static const VmifsOs *
os_named(const char *name)
{
	for (gsize i = 0; i < vmifs_n_oses; i++)
		if (g_str_equal(vmifs_oses[i]->name, name))
			return vmifs_oses[i];
	ck_abort_msg("no %s", name);
}

/* Only x86-64 has a word for it. */
START_TEST(encryption_is_told_where_there_is_a_word_for_it)
{
	const char *desc = _i ? "OSRELEASE=6\nNUMBER(sme_mask)=0\n" : "OSRELEASE=6\n";
	g_autofree guint8 *note = make_note(desc, strlen(desc));
	g_autoptr(LinuxVmcoreinfo) info =
		linux_vmcoreinfo_new(note, LINUX_VMCOREINFO_HEAD + strlen(desc), NULL);
	const LinuxFound found = { .vmcoreinfo = info };
	const VmifsOptions options = { 0 };
	g_autoptr(GString) out = g_string_new(NULL);
	LinuxGuest g;

	linux_guest_init(&g, "");
	linux_guest_start(&g)->found = &found;
	g.os.options = &options;
	os_named("linux")->info(&g.os, out);
	ck_assert_int_eq(strstr(out->str, "memory encryption: none, says VMCOREINFO\n") != NULL,
			 _i);
	linux_guest_clear(&g);
}
END_TEST

/* Where nothing but its own variable leads to a kernel's note; and none of a guest that lies. */
START_TEST(symbol_leads_to_the_note)
{
	static const struct {
		gint64 moved;     /* of the pointer */
		guint8 size_byte; /* of the length that the note tells, the third */
		gboolean is_note;
	} table[] = {
		{ 0, 0, TRUE },
		{ 4, 0, FALSE },         /* no note begins there */
		{ 1LL << 40, 0, FALSE }, /* nothing is there */
		{ 0, 2, FALSE },         /* longer than any */
	};
	static const char desc[] = "OSRELEASE=6.1\nSIZE(prb_desc)=24\n";
	g_autofree guint8 *note = make_note(desc, strlen(desc));
	const LinuxFound found = { 0 };
	LinuxGuest g;
	guint64 size;

	linux_guest_init(&g, "");
	guint64 variable = linux_guest_alloc(&g, 8), at = linux_guest_alloc(&g, 4096);
	note[6] = table[_i].size_byte;
	linux_guest_symbol(&g, "vmcoreinfo_note", variable);
	linux_guest_write(&g, at, note, LINUX_VMCOREINFO_HEAD + strlen(desc));
	linux_guest_u64(&g, variable, at + (guint64) table[_i].moved);
	linux_guest_start(&g)->found = &found;
	g_autoptr(LinuxVmcoreinfo) info = linux_note_of(&g.os);
	ck_assert_int_eq(info != NULL, table[_i].is_note);
	if (info) {
		ck_assert(linux_vmcoreinfo_number(info, "SIZE(prb_desc)", &size));
		ck_assert_uint_eq(size, 24);
	}
	linux_guest_clear(&g);
}
END_TEST

static Suite *
make_suite(void)
{
	Suite *s = suite_create("vmcoreinfo");
	TCase *t = tcase_create("vmcoreinfo");
	tcase_add_test(t, texts_are_found_by_key);
	tcase_add_test(t, numbers_are_read_in_their_format);
	tcase_add_test(t, malformed_numbers_are_refused);
	tcase_add_test(t, size_is_that_of_the_note);
	tcase_add_test(t, other_bytes_are_refused);
	tcase_add_test(t, text_ends_at_a_nul);
	tcase_add_loop_test(t, encryption_is_told_where_there_is_a_word_for_it, 0, 2);
	tcase_add_loop_test(t, symbol_leads_to_the_note, 0, 4);
	suite_add_tcase(s, t);
	return s;
}

VMIFS_UNIT_MAIN(make_suite)
