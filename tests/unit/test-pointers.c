/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* pointers: what root sees of an address, by what the administrator has said. */
#include <unit.h>

#include <linux-guest.h>
#include <os/linux/pointers.h>

/* Address and key of the eighth test vector of the SipHash paper: 0x93f5f5799a932462. */
#define ADDRESS G_GUINT64_CONSTANT(0x0706050403020100)
#define HASHED "000000009a932462"
#define PLAIN "0706050403020100"

static const struct {
	int kptr_restrict; /* -1: no such variable */
	int no_hash;       /* -1: no such variable */
	gboolean has_key;
	const char *text; /* NULL: cannot be told */
} cases[] = {
	{ 0, 0, TRUE, HASHED },
	{ 0, -1, TRUE, HASHED },
	{ 0, 0, FALSE, "(____ptrval____)" },
	{ 0, 1, TRUE, PLAIN },
	{ 1, 0, TRUE, PLAIN },
	{ 2, 0, TRUE, "0000000000000000" },
	{ 2, 1, TRUE, "0000000000000000" },
	{ -1, 0, TRUE, NULL },
};

START_TEST(pointers_are_shown_as_the_kernel_does)
{
	LinuxGuest g;
	LinuxPointers pointers;
	g_autoptr(GString) out = g_string_new(NULL);
	g_autoptr(GError) error = NULL;

	linux_guest_init(&g, "");
	guint64 restricted = linux_guest_alloc(&g, 8), no_hash = linux_guest_alloc(&g, 8),
		key = linux_guest_alloc(&g, 16);
	linux_guest_u64(&g, restricted, (guint64) cases[_i].kptr_restrict);
	linux_guest_u64(&g, no_hash, (guint64) cases[_i].no_hash);
	if (cases[_i].has_key)
		linux_guest_write(&g, key, "\0\1\2\3\4\5\6\7\10\11\12\13\14\15\16\17", 16);
	linux_guest_symbol(&g, "ptr_key", key);
	if (cases[_i].kptr_restrict >= 0)
		linux_guest_symbol(&g, "kptr_restrict", restricted);
	if (cases[_i].no_hash >= 0)
		linux_guest_symbol(&g, "no_hash_pointers", no_hash);
	if (linux_pointers_read(linux_guest_start(&g), &pointers, &error)) {
		linux_pointers_append(&pointers, ADDRESS, out);
		ck_assert_str_eq(out->str, cases[_i].text);
	} else {
		ck_assert_ptr_null(cases[_i].text);
		ck_assert(g_error_matches(error, VMIFS_ERROR, VMIFS_ERROR_UNSUPPORTED));
	}
	linux_guest_clear(&g);
}
END_TEST

static Suite *
make_suite(void)
{
	Suite *s = suite_create("pointers");
	TCase *t = tcase_create("pointers");

	tcase_add_loop_test(t, pointers_are_shown_as_the_kernel_does, 0, G_N_ELEMENTS(cases));
	suite_add_tcase(s, t);
	return s;
}

VMIFS_UNIT_MAIN(make_suite)
