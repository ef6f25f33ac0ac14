/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* net-netlink: tables that grow, and tables that make no sense. */
#include <unit.h>

#include <net-guest.h>

#define TYPES                                                                                      \
	"struct net 256\n"                                                                         \
	"struct rhash_head 8 next@0:8\n"                                                           \
	"struct rhashtable 32 tbl@8:8\n"                                                           \
	"struct bucket_table 64 size@0:4 nest@4:4 future_tbl@8:8 buckets@64:8x0\n"                 \
	"struct netlink_table 64 hash@16=rhashtable\n"                                             \
	"struct netlink_sock 256 portid@192:4 groups@200:8 cb_running@208:1 node@216=rhash_head\n"
#define HEADER                                                                                     \
	"sk               Eth Pid        Groups   Rmem     Wmem     Dump  Locks    Drops    "      \
	"Inode\n"
#define HIDDEN "0000000000000000"
#define N_TABLES 32

typedef struct {
	NetGuest n;
	guint64 tables;
} Fixture;

static guint64
add_buckets(Fixture *f, guint64 size)
{
	guint64 table = linux_guest_alloc(&f->n.g, 64 + size * 8);

	linux_guest_put(&f->n.g, table, LINUX_FIELD_BUCKET_TABLE_SIZE, size);
	return table;
}

static void
setup(Fixture *f)
{
	net_guest_init(&f->n, TYPES);
	guint64 variable = linux_guest_alloc(&f->n.g, 8);
	f->tables = linux_guest_alloc(&f->n.g, N_TABLES * 64);
	linux_guest_u64(&f->n.g, variable, f->tables);
	linux_guest_symbol(&f->n.g, "nl_table", variable);
}

static void
put_buckets(Fixture *f, guint protocol, guint64 buckets)
{
	linux_guest_put(&f->n.g, f->tables + protocol * 64 + 16, LINUX_FIELD_RHASHTABLE_TBL,
			buckets);
}

static guint64
add_socket(Fixture *f, guint64 link, guint64 lock, guint protocol, guint64 port)
{
	LinuxGuest *g = &f->n.g;
	guint64 elsewhere = linux_guest_alloc(g, 8);
	guint64 sk = net_guest_socket(&f->n, LINUX_STRUCT_NETLINK_SOCK, f->n.net, 16, elsewhere);

	linux_guest_u64(g, link, linux_guest_at(g, sk, LINUX_FIELD_NETLINK_SOCK_NODE) | lock);
	linux_guest_put(g, sk, LINUX_FIELD_NETLINK_SOCK_NODE, 0x55); /* an end */
	linux_guest_put(g, sk, LINUX_FIELD_SOCK_PROTOCOL, protocol);
	linux_guest_put(g, sk, LINUX_FIELD_NETLINK_SOCK_PORTID, port);
	return sk;
}

START_TEST(sockets_come_by_protocol_also_out_of_a_locked_bucket)
{
	Fixture f;
	setup(&f);
	LinuxGuest *g = &f.n.g;
	guint64 first = add_buckets(&f, 64), second = add_buckets(&f, 4);
	put_buckets(&f, 0, first);
	put_buckets(&f, 31, second);
	guint64 sk = add_socket(&f, first + 64 + 63 * 8, 0, 0, 4294967295);
	guint64 groups = linux_guest_alloc(g, 8);
	linux_guest_u64(g, groups, 0xffff00000401);
	linux_guest_put(g, sk, LINUX_FIELD_NETLINK_SOCK_GROUPS, groups);
	linux_guest_put(g, sk, LINUX_FIELD_NETLINK_SOCK_CB_RUNNING, 1);
	linux_guest_put(g, sk, LINUX_FIELD_SOCK_RMEM, 5);
	linux_guest_put(g, sk, LINUX_FIELD_SOCK_DROPS, 6);
	add_socket(&f, second + 64, 1, 31, 7);
	g_autofree char *text = net_guest_render(&f.n, linux_render_net_netlink, NULL);
	ck_assert_str_eq(
		text, HEADER HIDDEN
		" 0   4294967295 00000401 5        0        1     2        6        0       "
		"\n" HIDDEN
		" 31  7          00000000 0        0        0     2        0        0       "
		"\n");
	net_guest_clear(&f.n);
}
END_TEST

START_TEST(count_that_is_the_least_number_wraps)
{
	Fixture f;
	setup(&f);
	guint64 table = add_buckets(&f, 2);
	put_buckets(&f, 0, table);
	guint64 sk = add_socket(&f, table + 64, 0, 0, 7);
	linux_guest_put(&f.n.g, sk, LINUX_FIELD_SOCK_WMEM, 1U << 31);
	g_autofree char *text = net_guest_render(&f.n, linux_render_net_netlink, NULL);
	ck_assert_ptr_nonnull(strstr(text, " 0   7          00000000 0        2147483647 0     2"));
	net_guest_clear(&f.n);
}
END_TEST

START_TEST(table_that_grows_is_shown_with_its_heir)
{
	Fixture f;
	setup(&f);
	guint64 old = add_buckets(&f, 2), heir = add_buckets(&f, 4);
	put_buckets(&f, 4, old);
	linux_guest_put(&f.n.g, old, LINUX_FIELD_BUCKET_TABLE_FUTURE, heir);
	linux_guest_put(&f.n.g, heir, LINUX_FIELD_BUCKET_TABLE_FUTURE, heir); /* for ever */
	add_socket(&f, old + 64, 0, 4, 1);
	add_socket(&f, heir + 64, 0, 4, 2);
	g_autofree char *text = net_guest_render(&f.n, linux_render_net_netlink, NULL);
	ck_assert_ptr_nonnull(strstr(text, " 4   1  "));
	ck_assert_ptr_nonnull(strstr(text, " 4   2  "));
	ck_assert_uint_lt(strlen(text), 1000);
	net_guest_clear(&f.n);
}
END_TEST

START_TEST(table_that_cannot_be_one_is_refused)
{
	static const VmifsError codes[] = { VMIFS_ERROR_UNSUPPORTED, VMIFS_ERROR_CORRUPT,
					    VMIFS_ERROR_HOLE };
	Fixture f;
	g_autoptr(GString) out = g_string_new(NULL);
	g_autoptr(GError) error = NULL;
	setup(&f);
	guint64 table = add_buckets(&f, 2);
	put_buckets(&f, 3, _i == 2 ? 0x1000 : table);
	linux_guest_put(&f.n.g, table, LINUX_FIELD_BUCKET_TABLE_NEST, _i == 0);
	if (_i == 1)
		linux_guest_put(&f.n.g, table, LINUX_FIELD_BUCKET_TABLE_SIZE, G_MAXUINT32);
	ck_assert(!linux_render_net_netlink(linux_guest_start(&f.n.g), NULL, NULL, out, NULL,
					    &error));
	ck_assert_msg(g_error_matches(error, VMIFS_ERROR, codes[_i]), "%s", error->message);
	net_guest_clear(&f.n);
}
END_TEST

static Suite *
make_suite(void)
{
	Suite *s = suite_create("net-netlink");
	TCase *t = tcase_create("net-netlink");

	tcase_add_test(t, sockets_come_by_protocol_also_out_of_a_locked_bucket);
	tcase_add_test(t, count_that_is_the_least_number_wraps);
	tcase_add_test(t, table_that_grows_is_shown_with_its_heir);
	tcase_add_loop_test(t, table_that_cannot_be_one_is_refused, 0, 3);
	suite_add_tcase(s, t);
	return s;
}

VMIFS_UNIT_MAIN(make_suite)
