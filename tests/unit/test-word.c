/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* word: pointers and longs of a 32-bit kernel, read on whatever host this is. */
#include <arch-check.h>
#include <aspace.h>
#include <linux-guest.h>
#include <text-guest.h>

#include <os/linux/machine.h>
#include <os/linux/pointers.h>

#define VA G_GUINT64_CONSTANT(0xc0000000)
#define TABLE (VA + 0x3000)
#define MM (VA + 0x4000)

typedef struct {
	VmifsPhysmem *mem;
	VmifsAspace *aspace;
	VmifsSymbols *symbols;
	LinuxFound found;
	Linux os;
} Fixture;

/* The first 4 MiB at VA, and in it words that are no half of anything. */
static void
setup_of(Fixture *f, const char *name)
{
	const VmifsArch *arch = arch_named(name);
	const VmifsMode *mode = &arch->modes[arch->n_modes - 1];
	VmifsSymbolsBuilder *builder = vmifs_symbols_builder_new();

	*f = (Fixture){ .mem = text_guest("ram 0 1M\nu64 0x1c00 0xe3\n"
					  "u64 0x3000 0xfffff000c0001234 0x80000000\n"
					  "u64 0x4000 0x700000006 0x900000000 0xb0000000a\n") };
	VmifsPaging paging = vmifs_paging_of(mode, 0x1000);
	f->aspace = vmifs_aspace_new(f->mem, &paging, NULL);
	vmifs_symbols_builder_add(builder, TABLE, 'D', "__per_cpu_offset", 16);
	f->symbols = vmifs_symbols_builder_end(builder);
	f->os = (Linux){
		.mem = f->mem, .aspace = f->aspace, .symbols = f->symbols, .found = &f->found
	};
}

static void
setup(Fixture *f)
{
	setup_of(f, "i386");
	ck_assert_int_eq(vmifs_aspace_ptr_size(f->aspace), 4);
}

static void
teardown(Fixture *f)
{
	vmifs_symbols_unref(f->symbols);
	vmifs_aspace_unref(f->aspace);
	vmifs_physmem_unref(f->mem);
}

START_TEST(words_are_loaded_by_their_width)
{
	Fixture f;
	guint64 word;
	guint8 words[12];
	setup(&f);

	ck_assert_uint_eq(linux_word(&f.os), 4);
	ck_assert_int_eq(linux_digits(&f.os), 8);
	ck_assert(linux_load_word(&f.os, TABLE, &word, NULL));
	ck_assert_uint_eq(word, 0xc0001234);
	ck_assert(linux_word_variable(&f.os, "__per_cpu_offset", &word, NULL));
	ck_assert_uint_eq(word, 0xc0001234);
	ck_assert(vmifs_aspace_read(f.aspace, TABLE, words, sizeof words, NULL));
	ck_assert_uint_eq(linux_word_at(&f.os, words, 1), 0xfffff000);
	ck_assert_uint_eq(linux_word_at(&f.os, words, 2), 0x80000000);
	ck_assert_int_eq(linux_signed(&f.os, 0xfffffffe), -2);
	ck_assert_uint_eq(linux_wrap(&f.os, G_MAXUINT64), G_MAXUINT32);
	teardown(&f);
}
END_TEST

/* Offsets of processors may be negative. */
START_TEST(addresses_of_processors_wrap_at_four_gigabytes)
{
	Fixture f;
	guint64 own;
	setup(&f);

	ck_assert(linux_percpu(&f.os, 0xc0005000, 1, &own, NULL));
	ck_assert_uint_eq(own, 0xc0004000);
	teardown(&f);
}
END_TEST

/* Two pairs, and then what is no longer of it. */
START_TEST(vector_of_a_program_ends_with_a_word_of_0)
{
	static const guint8 expected[] = { 6, 0, 0, 0, 7, 0, 0, 0, 0, 0, 0, 0, 9, 0, 0, 0 };
	const VmifsTask task = { .mm = MM };
	g_autoptr(GString) out = g_string_new(NULL);
	Fixture f;
	setup(&f);

	f.os.layout = linux_guest_layout("struct mm_struct 32 saved_auxv@0:4x8\n");
	ck_assert(linux_render_auxv(&f.os, &task, NULL, out, NULL, NULL));
	ck_assert_uint_eq(out->len, sizeof expected);
	ck_assert_mem_eq(out->str, expected, sizeof expected);
	linux_layout_free(f.os.layout);
	teardown(&f);
}
END_TEST

/* Not x86-64's processors, and not its stacks. */
START_TEST(what_is_not_known_of_a_machine_is_refused)
{
	g_autoptr(GError) error = NULL;
	g_autoptr(GString) out = g_string_new(NULL);
	Fixture f;
	setup_of(&f, "arm");

	ck_assert_ptr_eq(linux_machine(&f.os), &linux_machine_arm);
	ck_assert_ptr_null(linux_machine(&f.os)->unwind_task);
	ck_assert(!linux_render_cpuinfo(&f.os, NULL, NULL, out, NULL, &error));
	ck_assert(g_error_matches(error, VMIFS_ERROR, VMIFS_ERROR_UNSUPPORTED));
	ck_assert_str_eq(error->message, "processors of arm kernels are not known");
	teardown(&f);
}
END_TEST

/* The fourth test vector of the SipHash paper's code: four bytes. */
START_TEST(addresses_are_hashed_as_the_four_bytes_they_are)
{
	const LinuxPointers pointers = {
		.mode = LINUX_POINTERS_HASHED,
		.len = 4,
		.key = { G_GUINT64_CONSTANT(0x0706050403020100),
			 G_GUINT64_CONSTANT(0x0f0e0d0c0b0a0908) },
	};
	g_autoptr(GString) out = g_string_new(NULL);

	linux_pointers_append(&pointers, 0x03020100, out);
	ck_assert_str_eq(out->str, "277187b7");
}
END_TEST

static Suite *
make_suite(void)
{
	Suite *s = suite_create("word");
	TCase *t = tcase_create("word");

	tcase_add_test(t, words_are_loaded_by_their_width);
	tcase_add_test(t, addresses_of_processors_wrap_at_four_gigabytes);
	tcase_add_test(t, vector_of_a_program_ends_with_a_word_of_0);
	tcase_add_test(t, what_is_not_known_of_a_machine_is_refused);
	tcase_add_test(t, addresses_are_hashed_as_the_four_bytes_they_are);
	suite_add_tcase(s, t);
	return s;
}

VMIFS_UNIT_MAIN(make_suite)
