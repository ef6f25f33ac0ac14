/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* net-unix: /proc/net/unix, and what all sockets have in common. */
#include <unit.h>

#include <linux-guest.h>

#define TYPES                                                                                      \
	"struct possible_net_t 8 net@0:8\n"                                                        \
	"struct sock_common 64 skc_family@0:2 skc_state@2:1 skc_net@8=possible_net_t "             \
	"skc_node@16:8 skc_refcnt@24:4\n"                                                          \
	"struct sock 128 sk_uid@64:4 sk_type@68:2 sk_socket@72:8\n"                                \
	"struct unix_sock 160 addr@128:8\n"                                                        \
	"struct unix_address 16 len@4:4 name@8:1x0\n"                                              \
	"struct socket 32\n"                                                                       \
	"struct inode 64 i_uid@0:4 i_ino@8:8\n"                                                    \
	"struct socket_alloc 128 socket@0=socket vfs_inode@64=inode\n"                             \
	"struct pid_namespace 16 child_reaper@8:8\n"                                               \
	"struct task_struct 32 nsproxy@0:8\n"                                                      \
	"struct nsproxy 32 net_ns@8:8\n"
#define OLD TYPES "struct net 64\n"
#define NEW                                                                                        \
	TYPES "struct unix_table 16 buckets@8:8\nstruct netns_unix 16 table@0=unix_table\n"        \
	      "struct net 64 unx@16=netns_unix\n"
#define HEADER "Num       RefCount Protocol Flags    Type St Inode Path\n"

typedef struct {
	LinuxGuest g;
	guint64 net, table;
	VmifsTask init;
} Fixture;

static guint64
add_task(Fixture *f, guint64 net)
{
	guint64 task = linux_guest_new(&f->g, LINUX_STRUCT_TASK);
	guint64 proxy = linux_guest_new(&f->g, LINUX_STRUCT_NSPROXY);

	linux_guest_put(&f->g, task, LINUX_FIELD_TASK_NSPROXY, proxy);
	linux_guest_put(&f->g, proxy, LINUX_FIELD_NSPROXY_NET, net);
	return task;
}

static void
setup(Fixture *f, gboolean old)
{
	LinuxGuest *g = &f->g;

	linux_guest_init(g, old ? OLD : NEW);
	guint64 ns = linux_guest_new(g, LINUX_STRUCT_PID_NAMESPACE);
	guint64 zero = linux_guest_alloc(g, 16);
	f->net = linux_guest_alloc(g, 64);
	f->table = linux_guest_alloc(g, 512 * 8);
	f->init = (VmifsTask){ .pid = 1, .tgid = 1, .object = add_task(f, f->net) };
	linux_guest_put(g, ns, LINUX_FIELD_PID_NAMESPACE_CHILD_REAPER, f->init.object);
	linux_guest_symbol(g, "init_pid_ns", ns);
	linux_guest_symbol(g, "kptr_restrict", zero);
	linux_guest_symbol(g, "ptr_key", zero);
	if (old)
		linux_guest_symbol(g, "unix_socket_table", f->table);
	else
		linux_guest_put(g, f->net, LINUX_FIELD_NET_UNIX_TABLE, f->table);
}

static guint64
add_socket(Fixture *f, guint64 net, guint chain, guint state, guint64 inode)
{
	LinuxGuest *g = &f->g;
	guint64 sk = linux_guest_new(g, LINUX_STRUCT_UNIX_SOCK);

	linux_guest_put(g, sk, LINUX_FIELD_SOCK_COMMON_FAMILY, 1);
	linux_guest_put(g, sk, LINUX_FIELD_SOCK_COMMON_STATE, state);
	linux_guest_put(g, sk, LINUX_FIELD_SOCK_COMMON_NET, net);
	linux_guest_put(g, sk, LINUX_FIELD_SOCK_COMMON_REFCNT, 2);
	linux_guest_put(g, sk, LINUX_FIELD_SOCK_TYPE, 1);
	linux_guest_u64(g, f->table + chain * 8,
			linux_guest_at(g, sk, LINUX_FIELD_SOCK_COMMON_NODE));
	if (inode) {
		guint64 alloc = linux_guest_new(g, LINUX_STRUCT_SOCKET_ALLOC);
		linux_guest_put(g, linux_guest_at(g, alloc, LINUX_FIELD_SOCKET_ALLOC_INODE),
				LINUX_FIELD_INODE_INO, inode);
		linux_guest_put(g, sk, LINUX_FIELD_SOCK_SOCKET, alloc);
	}
	return sk;
}

static void
put_name(Fixture *f, guint64 sk, const char *name, guint len)
{
	guint64 address = linux_guest_alloc(&f->g, 256);

	linux_guest_put(&f->g, address, LINUX_FIELD_UNIX_ADDRESS_LEN, len + 2);
	linux_guest_write(&f->g, linux_guest_at(&f->g, address, LINUX_FIELD_UNIX_ADDRESS_NAME) + 2,
			  name, MIN(len, 200));
	linux_guest_put(&f->g, sk, LINUX_FIELD_UNIX_SOCK_ADDR, address);
}

static char *
render(Fixture *f, const VmifsTask *task)
{
	GString *out = g_string_new(NULL);
	g_autoptr(GError) error = NULL;

	ck_assert_msg(
		linux_render_net_unix(linux_guest_start(&f->g), task, NULL, out, NULL, &error),
		"%s", error ? error->message : "");
	return g_string_free(out, FALSE);
}

/* 0: one table for all namespaces; 1: each has its own. */
START_TEST(sockets_are_shown_by_state_and_name)
{
	Fixture f;
	setup(&f, !_i);
	put_name(&f, add_socket(&f, f.net, 7, 10, 1318), "/run/listening.sock", 20);
	put_name(&f, add_socket(&f, f.net, 8, 1, 99999), "\0abs\0tract", 10);
	add_socket(&f, f.net, 511, 7, 5);
	add_socket(&f, f.net, 0, 1, 0);
	add_socket(&f, f.net, 1, 7, 0);
	g_autofree char *text = render(&f, NULL);
	ck_assert_str_eq(text, HEADER
			 "(____ptrval____): 00000002 00000000 00000000 0001 02     0\n"
			 "(____ptrval____): 00000002 00000000 00000000 0001 04     0\n"
			 "(____ptrval____): 00000002 00000000 00010000 0001 01  1318 "
			 "/run/listening.sock\n"
			 "(____ptrval____): 00000002 00000000 00000000 0001 03 99999 @abs@tract\n"
			 "(____ptrval____): 00000002 00000000 00000000 0001 01     5\n");
	linux_guest_clear(&f.g);
}
END_TEST

START_TEST(namespace_shows_its_own_sockets)
{
	Fixture f;
	setup(&f, TRUE);
	guint64 inner = linux_guest_alloc(&f.g, 64);
	VmifsTask task = { .pid = 2, .tgid = 2, .object = add_task(&f, inner) };
	add_socket(&f, f.net, 3, 7, 5);
	add_socket(&f, inner, 4, 7, 6);
	g_autofree char *text = render(&f, &task);
	ck_assert_str_eq(text,
			 HEADER "(____ptrval____): 00000002 00000000 00000000 0001 01     6\n");
	linux_guest_clear(&f.g);
}
END_TEST

START_TEST(name_cannot_break_the_line)
{
	Fixture f;
	setup(&f, FALSE);
	put_name(&f, add_socket(&f, f.net, 7, 7, 1), "\0a\n\033[2J\\ ", 9);
	g_autofree char *text = render(&f, NULL);
	ck_assert_ptr_nonnull(strstr(text, " @a\\012\\033[2J\\ \n"));
	linux_guest_clear(&f.g);
}
END_TEST

static const guint lengths[] = { (guint) -2, (guint) -1, 110, 0x7ffffff0, 0x80000000 };

START_TEST(socket_that_makes_no_sense_is_left_out_and_logged)
{
	Fixture f;
	setup(&f, FALSE);
	put_name(&f, add_socket(&f, f.net, 7, 7, 1), "x", lengths[_i]);
	add_socket(&f, f.net, 8, 7, 2);
	g_autofree char *text = render(&f, NULL);
	ck_assert_str_eq(text,
			 HEADER "(____ptrval____): 00000002 00000000 00000000 0001 01     2\n");
	g_autofree char *log = linux_guest_log(&f.g);
	ck_assert_ptr_nonnull(strstr(log, "socket 0x"));
	linux_guest_clear(&f.g);
}
END_TEST

START_TEST(task_that_has_ended_has_no_sockets)
{
	Fixture f;
	g_autoptr(GString) out = g_string_new(NULL);
	g_autoptr(GError) error = NULL;
	setup(&f, FALSE);
	linux_guest_put(&f.g, f.init.object, LINUX_FIELD_TASK_NSPROXY, 0);
	ck_assert(
		!linux_render_net_unix(linux_guest_start(&f.g), &f.init, NULL, out, NULL, &error));
	ck_assert(g_error_matches(error, VMIFS_ERROR, VMIFS_ERROR_NOT_FOUND));
	linux_guest_clear(&f.g);
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
