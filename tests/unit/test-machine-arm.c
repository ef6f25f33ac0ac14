/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* machine-arm: what Linux knows of pages, and the processor does not. */
#include <unit.h>

#include <aspace.h>
#include <os/linux/machine.h>
#include <spi/arch.h>
#include <string.h>
#include <text-guest.h>

/* Two levels: the root at 0x4000, of which an entry leads to the processor's table at 0x8800; that
 * of Linux is at 0x8000. Pages: one that both have, one that was never touched, one that nobody may
 * touch, one that was swapped out, and one outside of memory. */
static const char guest[] = "ram 0 64K low\n"
			    "u32 0x4000 0x8801\n"
			    "u32 0x8800 0xa83e 0 0 0 0\n"
			    "u32 0x8000 0xa1df 0xb18d 0xc9df 0x1084 0x9000018d\n"
			    "u64 0xb000 0x1122334455667788\n";

typedef struct {
	VmifsPhysmem *mem;
	VmifsAspace *kernel, *user;
} Fixture;

static void
setup(Fixture *f)
{
	VmifsPaging paging = { .root = 0x4000 };

	for (gsize i = 0; i < vmifs_n_archs; i++)
		if (!strcmp(vmifs_archs[i]->name, "arm"))
			paging.mode = &vmifs_archs[i]->modes[0];
	f->mem = text_guest(guest);
	f->kernel = vmifs_aspace_new(f->mem, &paging, NULL);
	Linux os = { .mem = f->mem, .aspace = f->kernel };
	ck_assert_ptr_eq(linux_machine(&os), &linux_machine_arm);
	f->user = linux_machine_arm.task_aspace(&os, 0x4000);
}

static void
teardown(Fixture *f)
{
	vmifs_aspace_unref(f->user);
	vmifs_aspace_unref(f->kernel);
	vmifs_physmem_unref(f->mem);
}

START_TEST(pages_that_only_linux_knows_are_there)
{
	static const struct {
		guint64 pa; /* 0: it is not there */
		gboolean can_write;
	} pages[] = { { 0xa000, FALSE }, { 0xb000, FALSE }, { 0xc000, FALSE }, { 0, 0 }, { 0, 0 } };
	Fixture f;
	VmifsRange range;
	guint64 word;

	setup(&f);
	for (gsize i = 0; i < G_N_ELEMENTS(pages); i++) {
		gboolean is_there = vmifs_aspace_translate(f.user, i << 12, &range, NULL);
		ck_assert_int_eq(is_there, pages[i].pa != 0);
		if (is_there)
			ck_assert_uint_eq(range.pa, pages[i].pa);
		ck_assert_int_eq(vmifs_aspace_translate(f.kernel, i << 12, &range, NULL), i == 0);
	}
	ck_assert(vmifs_aspace_read_u64(f.user, 0x1000, &word, NULL));
	ck_assert_uint_eq(word, 0x1122334455667788);
	teardown(&f);
}
END_TEST

static const struct {
	guint64 entry;
	gboolean in_ram;
} entries[] = {
	{ 0x0200000000003002, TRUE },  /* nobody may touch it */
	{ 0x0000000000003002, FALSE }, /* nobody says so */
	{ 0x0200000000003003, FALSE }, /* it is there */
	{ 0x0200000090003002, FALSE }, /* outside of memory */
};

START_TEST(long_entry_without_its_valid_bit_may_still_be_a_page)
{
	Fixture f;
	VmifsRange in = { .va = 0x234,
			  .len = 16,
			  .entry = entries[_i].entry,
			  .level = 1,
			  .page_shift = 12,
			  .kind = VMIFS_RANGE_NOT_PRESENT };
	VmifsRange page;

	setup(&f);
	ck_assert_int_eq(linux_machine_arm.resolve(f.mem, &in, &page), entries[_i].in_ram);
	if (entries[_i].in_ram)
		ck_assert_uint_eq(page.pa, 0x3234);
	teardown(&f);
}
END_TEST

static Suite *
make_suite(void)
{
	Suite *s = suite_create("machine-arm");
	TCase *t = tcase_create("machine-arm");

	tcase_add_test(t, pages_that_only_linux_knows_are_there);
	tcase_add_loop_test(t, long_entry_without_its_valid_bit_may_still_be_a_page, 0,
			    G_N_ELEMENTS(entries));
	suite_add_tcase(s, t);
	return s;
}

VMIFS_UNIT_MAIN(make_suite)
