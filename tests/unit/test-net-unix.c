/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* net-unix: /proc/net/unix, and what all sockets have in common. */
#include <unit.h>

#include <net-guest.h>

#define TYPES                                                                                      \
	"struct unix_sock 200 addr@192:8\n"                                                        \
	"struct unix_address 16 len@4:4 name@8:1x0\n"
#define OLD TYPES "struct net 256\n"
#define NEW                                                                                        \
	TYPES "struct unix_table 16 buckets@8:8\nstruct netns_unix 16 table@0=unix_table\n"        \
	      "struct net 256 unx@16=netns_unix\n"
#define HEADER "Num       RefCount Protocol Flags    Type St Inode Path\n"

typedef struct {
	NetGuest n;
	guint64 table;
} Fixture;

static void
setup(Fixture *f, gboolean old)
{
	net_guest_init(&f->n, old ? OLD : NEW);
	f->table = linux_guest_alloc(&f->n.g, 512 * 8);
	if (old)
		linux_guest_symbol(&f->n.g, "unix_socket_table", f->table);
	else
		linux_guest_put(&f->n.g, f->n.net, LINUX_FIELD_NET_UNIX_TABLE, f->table);
}

static guint64
add_socket(Fixture *f, guint64 net, guint chain, guint state, guint64 inode)
{
	guint64 sk = net_guest_socket(&f->n, LINUX_STRUCT_UNIX_SOCK, net, 1, f->table + chain * 8);

	linux_guest_put(&f->n.g, sk, LINUX_FIELD_SOCK_COMMON_STATE, state);
	linux_guest_put(&f->n.g, sk, LINUX_FIELD_SOCK_TYPE, 1);
	if (inode)
		net_guest_inode(&f->n, sk, 0, inode);
	return sk;
}

static void
put_name(Fixture *f, guint64 sk, const char *name, guint len)
{
	char bytes[200] = { 0 };
	guint64 address = linux_guest_alloc(&f->n.g, 256);

	/* Names that begin with NUL are not longer than their literals. */
	memcpy(bytes, name, name[0] ? strlen(name) : MIN(len, sizeof bytes));
	linux_guest_put(&f->n.g, address, LINUX_FIELD_UNIX_ADDRESS_LEN, len + 2);
	linux_guest_write(&f->n.g,
			  linux_guest_at(&f->n.g, address, LINUX_FIELD_UNIX_ADDRESS_NAME) + 2,
			  bytes, MIN(len, sizeof bytes));
	linux_guest_put(&f->n.g, sk, LINUX_FIELD_UNIX_SOCK_ADDR, address);
}

static char *
render(Fixture *f, const VmifsTask *task)
{
	return net_guest_render(&f->n, linux_render_net_unix, task);
}

/* 0: one table for all namespaces; 1: each has its own. */
START_TEST(sockets_are_shown_by_state_and_name)
{
	Fixture f;
	setup(&f, !_i);
	put_name(&f, add_socket(&f, f.n.net, 7, 10, 1318), "/run/listening.sock", 20);
	put_name(&f, add_socket(&f, f.n.net, 8, 1, 99999), "\0abs\0tract", 10);
	add_socket(&f, f.n.net, 511, 7, 5);
	add_socket(&f, f.n.net, 0, 1, 0);
	add_socket(&f, f.n.net, 1, 7, 0);
	g_autofree char *text = render(&f, NULL);
	ck_assert_str_eq(text, HEADER
			 "0000000000000000: 00000002 00000000 00000000 0001 02     0\n"
			 "0000000000000000: 00000002 00000000 00000000 0001 04     0\n"
			 "0000000000000000: 00000002 00000000 00010000 0001 01  1318 "
			 "/run/listening.sock\n"
			 "0000000000000000: 00000002 00000000 00000000 0001 03 99999 @abs@tract\n"
			 "0000000000000000: 00000002 00000000 00000000 0001 01     5\n");
	net_guest_clear(&f.n);
}
END_TEST

START_TEST(namespace_shows_its_own_sockets)
{
	Fixture f;
	setup(&f, TRUE);
	guint64 inner = linux_guest_alloc(&f.n.g, 64);
	VmifsTask task = net_guest_task(&f.n, inner);
	add_socket(&f, f.n.net, 3, 7, 5);
	add_socket(&f, inner, 4, 7, 6);
	g_autofree char *text = render(&f, &task);
	ck_assert_str_eq(text,
			 HEADER "0000000000000000: 00000002 00000000 00000000 0001 01     6\n");
	net_guest_clear(&f.n);
}
END_TEST

START_TEST(name_cannot_break_the_line)
{
	Fixture f;
	setup(&f, FALSE);
	put_name(&f, add_socket(&f, f.n.net, 7, 7, 1), "\0a\n\033[2J\\ ", 9);
	g_autofree char *text = render(&f, NULL);
	ck_assert_ptr_nonnull(strstr(text, " @a\\012\\033[2J\\ \n"));
	net_guest_clear(&f.n);
}
END_TEST

static const guint lengths[] = { (guint) -2, (guint) -1, 110, 0x7ffffff0, 0x80000000 };

START_TEST(socket_that_makes_no_sense_is_left_out_and_logged)
{
	Fixture f;
	setup(&f, FALSE);
	put_name(&f, add_socket(&f, f.n.net, 7, 7, 1), "x", lengths[_i]);
	add_socket(&f, f.n.net, 8, 7, 2);
	g_autofree char *text = render(&f, NULL);
	ck_assert_str_eq(text,
			 HEADER "0000000000000000: 00000002 00000000 00000000 0001 01     2\n");
	g_autofree char *log = linux_guest_log(&f.n.g);
	ck_assert_ptr_nonnull(strstr(log, "socket 0x"));
	net_guest_clear(&f.n);
}
END_TEST

START_TEST(task_that_has_ended_has_no_sockets)
{
	Fixture f;
	g_autoptr(GString) out = g_string_new(NULL);
	g_autoptr(GError) error = NULL;
	setup(&f, FALSE);
	linux_guest_put(&f.n.g, f.n.init.object, LINUX_FIELD_TASK_NSPROXY, 0);
	ck_assert(!linux_render_net_unix(linux_guest_start(&f.n.g), &f.n.init, NULL, out, NULL,
					 &error));
	ck_assert(g_error_matches(error, VMIFS_ERROR, VMIFS_ERROR_NOT_FOUND));
	net_guest_clear(&f.n);
}
END_TEST

static Suite *
make_suite(void)
{
	Suite *s = suite_create("net-unix");
	TCase *t = tcase_create("net-unix");

	tcase_add_loop_test(t, sockets_are_shown_by_state_and_name, 0, 2);
	tcase_add_test(t, namespace_shows_its_own_sockets);
	tcase_add_test(t, name_cannot_break_the_line);
	tcase_add_loop_test(t, socket_that_makes_no_sense_is_left_out_and_logged, 0,
			    G_N_ELEMENTS(lengths));
	tcase_add_test(t, task_that_has_ended_has_no_sockets);
	suite_add_tcase(s, t);
	return s;
}

VMIFS_UNIT_MAIN(make_suite)
