/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* engine/regs: names, values, their text, and what a backend tells of them. */
#include <unit.h>

#include <text-guest.h>
#include <vmifs/error.h>
#include <vmifs/regs.h>

START_TEST(a_later_value_replaces_an_earlier_one_in_its_place)
{
	g_autoptr(VmifsRegs) regs = vmifs_regs_new();
	g_autoptr(GString) text = g_string_new(NULL);
	guint64 value = 7;
	gsize n;

	ck_assert(!vmifs_regs_get(regs, "rip", &value));
	ck_assert_uint_eq(value, 7);
	ck_assert(vmifs_regs_set(regs, "rip", 1));
	ck_assert(vmifs_regs_set(regs, "cr3", 0x1000));
	ck_assert(vmifs_regs_set(regs, "rip", G_MAXUINT64));
	ck_assert(vmifs_regs_get(regs, "rip", &value));
	ck_assert_uint_eq(value, G_MAXUINT64);
	vmifs_regs_all(regs, &n);
	ck_assert_uint_eq(n, 2);
	vmifs_regs_text(regs, 3, text);
	ck_assert_str_eq(text->str, "vcpu3 rip 0xffffffffffffffff\nvcpu3 cr3 0x1000\n");
}
END_TEST

static const char *const bad_names[] = { "",      "RIP", "r ip",
					 "rip\n", "a/b", "a23456789012345678901234" };

START_TEST(names_that_are_no_words_are_refused)
{
	g_autoptr(VmifsRegs) regs = vmifs_regs_new();
	gsize n;

	ck_assert(!vmifs_regs_set(regs, bad_names[_i], 1));
	vmifs_regs_all(regs, &n);
	ck_assert_uint_eq(n, 0);
}
END_TEST

START_TEST(their_number_is_bounded)
{
	g_autoptr(VmifsRegs) regs = vmifs_regs_new();
	char name[VMIFS_REG_NAME_LEN];

	for (guint i = 0; i < VMIFS_MAX_REGS; i++) {
		g_snprintf(name, sizeof name, "r%u", i);
		ck_assert(vmifs_regs_set(regs, name, i));
	}
	ck_assert(!vmifs_regs_set(regs, "one_more", 1));
	ck_assert(vmifs_regs_set(regs, "r5", 1));
}
END_TEST

START_TEST(a_backend_tells_those_of_each_vcpu)
{
	g_autoptr(VmifsPhysmem) mem =
		text_guest("ram 0 4K\nreg 2 cr3 4K\nreg 0 rip 0xffffffff81000000\n");
	g_autoptr(GError) error = NULL;
	guint64 value;
	gsize n;

	ck_assert_uint_eq(vmifs_physmem_n_vcpus(mem), 3);
	g_autoptr(VmifsRegs) first = vmifs_physmem_regs(mem, 0, NULL, NULL);
	ck_assert(vmifs_regs_get(first, "rip", &value));
	ck_assert_uint_eq(value, 0xffffffff81000000);
	g_autoptr(VmifsRegs) second = vmifs_physmem_regs(mem, 1, NULL, NULL);
	vmifs_regs_all(second, &n);
	ck_assert_uint_eq(n, 0);
	g_autoptr(VmifsRegs) third = vmifs_physmem_regs(mem, 2, NULL, NULL);
	ck_assert(vmifs_regs_get(third, "cr3", &value));
	ck_assert_uint_eq(value, 4096);
	ck_assert_ptr_null(vmifs_physmem_regs(mem, 3, NULL, &error));
	ck_assert(g_error_matches(error, VMIFS_ERROR, VMIFS_ERROR_NOT_FOUND));
}
END_TEST

static gboolean
forget(gpointer self, VmifsLayout *ret, const VmifsCall *call, GError **error)
{
	gboolean done = vmifs_backend_text.layout(self, ret, call, error);
	ret->n_vcpus = G_MAXUINT;
	return done;
}

/* Whatever it counts: without the op there are none; with it no more than can be. */
START_TEST(a_backend_without_the_op_has_none)
{
	VmifsBackend backend = vmifs_backend_text;
	VmifsOptions options = { .size = sizeof options };
	static const char text[] = "vmifs-text-guest 1\nram 0 4K\n";
	g_autoptr(GError) error = NULL;

	backend.layout = forget;
	for (int has_op = 0; has_op < 2; has_op++) {
		int fd = memfd_create("text-guest", MFD_CLOEXEC);
		VmifsSource src = {
			.spec = "test", .fd = fd, .len = sizeof text - 1, .options = &options
		};
		backend.regs = has_op ? vmifs_backend_text.regs : NULL;
		ck_assert_int_eq(write(fd, text, sizeof text - 1), sizeof text - 1);
		g_autoptr(VmifsPhysmem) mem =
			vmifs_physmem_new(&backend, backend.open(&src, NULL, NULL), NULL, NULL);
		close(fd);
		ck_assert_uint_eq(vmifs_physmem_n_vcpus(mem), has_op ? VMIFS_MAX_VCPUS : 0);
		if (has_op)
			continue;
		ck_assert_ptr_null(vmifs_physmem_regs(mem, 0, NULL, &error));
		ck_assert(g_error_matches(error, VMIFS_ERROR, VMIFS_ERROR_UNSUPPORTED));
	}
}
END_TEST

START_TEST(a_source_without_vcpus_is_not_asked)
{
	g_autoptr(GError) error = NULL;
	g_autoptr(VmifsPhysmem) mem = text_guest("ram 0 4K\n");

	ck_assert_ptr_null(vmifs_physmem_regs(mem, 0, NULL, &error));
	ck_assert(g_error_matches(error, VMIFS_ERROR, VMIFS_ERROR_UNSUPPORTED));
}
END_TEST

static Suite *
make_suite(void)
{
	Suite *s = suite_create("regs");
	TCase *t = tcase_create("regs");
	tcase_add_test(t, a_later_value_replaces_an_earlier_one_in_its_place);
	tcase_add_loop_test(t, names_that_are_no_words_are_refused, 0, G_N_ELEMENTS(bad_names));
	tcase_add_test(t, their_number_is_bounded);
	tcase_add_test(t, a_backend_tells_those_of_each_vcpu);
	tcase_add_test(t, a_backend_without_the_op_has_none);
	tcase_add_test(t, a_source_without_vcpus_is_not_asked);
	suite_add_tcase(s, t);
	return s;
}

VMIFS_UNIT_MAIN(make_suite)
