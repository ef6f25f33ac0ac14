/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* gdb: packets as stubs send them, well or badly. */
#include <unit.h>

#include <backends/qemu/gdb.h>

#include <string.h>
#include <sys/socket.h>
#include <unistd.h>
#include <vmifs/error.h>

static const struct {
	const char *in;
	const char *out; /* NULL: none yet */
	gsize left;      /* bytes that are to be seen again */
} packets[] = {
	{ "", NULL, 0 },
	{ "+", NULL, 0 },
	{ "$OK", NULL, 3 },
	{ "+$OK#", NULL, 4 },
	{ "+$OK#9a", "OK", 0 },
	{ "$OK#9a$E22#a9", "OK", 7 },
	{ "$#00", "", 0 },
	/* "}" and the byte itself with bit 5 turned. */
	{ "$}\x03#80", "#", 0 },
	{ "$T05thread:01;#07+$OK#9a", "T05thread:01;", 7 },
};

START_TEST(packets_are_found_in_what_comes)
{
	g_autoptr(GError) error = NULL;
	gsize len = strlen(packets[_i].in), used = G_MAXSIZE;
	g_autoptr(GByteArray) packet =
		qemu_gdb_packet((const guint8 *) packets[_i].in, len, &used, &error);

	ck_assert_ptr_null(error);
	ck_assert_str_eq(packet ? (const char *) packet->data : "none",
			 packets[_i].out ? packets[_i].out : "none");
	ck_assert_uint_eq(used, len - packets[_i].left);
}
END_TEST

START_TEST(broken_packets_are_refused)
{
	g_autoptr(GError) error = NULL;
	g_autofree char *endless = g_strnfill(100000, '$');
	const char *in = _i ? endless : "$OK#9b";
	gsize used;

	ck_assert_ptr_null(qemu_gdb_packet((const guint8 *) in, strlen(in), &used, &error));
	ck_assert(g_error_matches(error, VMIFS_ERROR, VMIFS_ERROR_CORRUPT));
}
END_TEST

START_TEST(who_does_not_answer_is_not_waited_for)
{
	g_autoptr(GError) error = NULL;
	g_auto(QemuGdb) gdb;
	int ends[2];

	ck_assert_int_eq(socketpair(AF_UNIX, SOCK_STREAM, 0, ends), 0);
	gint64 start = g_get_monotonic_time();
	qemu_gdb_init(&gdb, ends[0], start + 50 * G_TIME_SPAN_MILLISECOND, NULL);
	ck_assert_ptr_null(qemu_gdb_ask(&gdb, "p1", &error));
	ck_assert(g_error_matches(error, VMIFS_ERROR, VMIFS_ERROR_TIMEOUT));
	ck_assert_int_ge(g_get_monotonic_time() - start, 50 * G_TIME_SPAN_MILLISECOND);
	g_clear_error(&error);
	/* Who hangs up is known at once. */
	close(ends[1]);
	gdb.until = g_get_monotonic_time() + 60 * G_TIME_SPAN_SECOND;
	ck_assert_ptr_null(qemu_gdb_ask(&gdb, "p1", &error));
	ck_assert(g_error_matches(error, VMIFS_ERROR, VMIFS_ERROR_IO));
	close(ends[0]);
}
END_TEST

static Suite *
gdb_suite(void)
{
	Suite *suite = suite_create("qemu-gdb");
	TCase *tcase = tcase_create("qemu-gdb");

	tcase_add_loop_test(tcase, packets_are_found_in_what_comes, 0, G_N_ELEMENTS(packets));
	tcase_add_loop_test(tcase, broken_packets_are_refused, 0, 2);
	tcase_add_test(tcase, who_does_not_answer_is_not_waited_for);
	suite_add_tcase(suite, tcase);
	return suite;
}

VMIFS_UNIT_MAIN(gdb_suite)
