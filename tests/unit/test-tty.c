/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* tty: the drivers of terminals and their numbers. */
#include <view-test.h>

#define TYPES                                                                                      \
	"struct list_head 16 next@0:8 prev@8:8\n"                                                  \
	"struct tty_driver 64 driver_name@0:8 name@8:8 major@16:4 minor_start@20:4 num@24:4 type@28:2 subtype@30:2 tty_drivers@32=list_head\n"

static guint64
driver(Fixture *f, const char *name, guint64 major, guint64 minor, guint64 num, guint64 type,
       guint64 subtype)
{
	guint64 at = linux_guest_new(&f->g, LINUX_STRUCT_TTY_DRIVER);
	if (*name)
		linux_guest_put(&f->g, at, LINUX_FIELD_TTY_DRIVER_DRIVER_NAME,
				linux_guest_string(&f->g, name));
	linux_guest_put(&f->g, at, LINUX_FIELD_TTY_DRIVER_NAME, linux_guest_string(&f->g, "ttyX"));
	linux_guest_put(&f->g, at, LINUX_FIELD_TTY_DRIVER_MAJOR, major);
	linux_guest_put(&f->g, at, LINUX_FIELD_TTY_DRIVER_MINOR_START, minor);
	linux_guest_put(&f->g, at, LINUX_FIELD_TTY_DRIVER_NUM, num);
	linux_guest_put(&f->g, at, LINUX_FIELD_TTY_DRIVER_TYPE, type);
	linux_guest_put(&f->g, at, LINUX_FIELD_TTY_DRIVER_SUBTYPE, subtype);
	return linux_guest_at(&f->g, at, LINUX_FIELD_TTY_DRIVER_LIST);
}

#define FIRST                                                                                      \
	"/dev/tty             /dev/tty        5       0 system:/dev/tty\n"                         \
	"/dev/console         /dev/console    5       1 system:console\n"

START_TEST(each_kind_has_its_name)
{
	Fixture f;
	setup(&f, TYPES);
	guint64 nodes[] = { variable(&f, "tty_drivers", 0), driver(&f, "serial", 4, 64, 32, 3, 1),
			    driver(&f, "", 4, 1, 63, 2, 0), driver(&f, "pts", 136, 0, 1, 4, 2),
			    driver(&f, "odd", 9, 0, 2, 77, 5) };
	linux_guest_ring(&f.g, nodes, G_N_ELEMENTS(nodes));
	variable(&f, "ptmx_open", 0);
	shows(&f, linux_render_tty_drivers, NULL,
	      FIRST "/dev/ptmx            /dev/ptmx       5       2 system\n"
		    "serial               /dev/ttyX       4 64-95 serial\n"
		    "unknown              /dev/ttyX       4 1-63 console\n"
		    "pts                  /dev/ttyX     136       0 pty:slave\n"
		    "odd                  /dev/ttyX       9 0-1 type:77.5\n");
	teardown(&f);
}
END_TEST

START_TEST(types_are_counted_as_the_kernel_says)
{
	Fixture f;
	setup(&f, TYPES "enum TTY_DRIVER_TYPE_SYSTEM=0 TTY_DRIVER_TYPE_CONSOLE=1\n");
	guint64 nodes[] = { variable(&f, "tty_drivers", 0), driver(&f, "serial", 4, 64, 32, 2, 1),
			    driver(&f, "unknown", 4, 1, 63, 1, 0),
			    driver(&f, "odd", 9, 0, 2, 77, 5) };
	linux_guest_ring(&f.g, nodes, G_N_ELEMENTS(nodes));
	shows(&f, linux_render_tty_drivers, NULL,
	      FIRST "serial               /dev/ttyX       4 64-95 serial\n"
		    "unknown              /dev/ttyX       4 1-63 console\n"
		    "odd                  /dev/ttyX       9 0-1 type:77.5\n");
	teardown(&f);
}
END_TEST

START_TEST(range_over_two_majors_is_two_lines)
{
	Fixture f;
	setup(&f, TYPES);
	guint64 nodes[] = { variable(&f, "tty_drivers", 0),
			    driver(&f, "wide", 4, 0xfffff, 2, 3, 1) };
	linux_guest_ring(&f.g, nodes, 2);
	variable(&f, "con_install", 0);
	shows(&f, linux_render_tty_drivers, NULL,
	      FIRST "/dev/vc/0            /dev/vc/0       4       0 system:vtmaster\n"
		    "wide                 /dev/ttyX       4 1048575-1048575 serial\n"
		    "wide                 /dev/ttyX       5 0-0 serial\n");
	teardown(&f);
}
END_TEST

START_TEST(count_of_devices_is_bounded)
{
	Fixture f;
	setup(&f, TYPES);
	guint64 nodes[] = { variable(&f, "tty_drivers", 0),
			    driver(&f, "many", 0xfffffffe, 0, 0xffffffff, 3, 1) };
	linux_guest_ring(&f.g, nodes, 2);
	ck_assert(linux_render_tty_drivers(linux_guest_start(&f.g), NULL, NULL, f.out, NULL,
					   &f.error));
	ck_assert_uint_lt(f.out->len, 1024);
	teardown(&f);
}
END_TEST

START_TEST(broken_ring_fails)
{
	Fixture f;
	setup(&f, TYPES);
	guint64 head = variable(&f, "tty_drivers", 0x1000);
	linux_guest_u64(&f.g, head + 8, 0x1000);
	fails(&f, linux_render_tty_drivers, VMIFS_ERROR_HOLE);
	teardown(&f);
}
END_TEST

static Suite *
make_suite(void)
{
	Suite *s = suite_create("tty");
	TCase *t = tcase_create("tty");
	tcase_add_test(t, each_kind_has_its_name);
	tcase_add_test(t, types_are_counted_as_the_kernel_says);
	tcase_add_test(t, range_over_two_majors_is_two_lines);
	tcase_add_test(t, count_of_devices_is_bounded);
	tcase_add_test(t, broken_ring_fails);
	suite_add_tcase(s, t);
	return s;
}

VMIFS_UNIT_MAIN(make_suite)
