/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* net-guest: see the header. */
#include "net-guest.h"

#include <check.h>

VmifsTask
net_guest_task(NetGuest *n, guint64 net)
{
	guint64 task = linux_guest_new(&n->g, LINUX_STRUCT_TASK);
	guint64 proxy = linux_guest_new(&n->g, LINUX_STRUCT_NSPROXY);

	linux_guest_put(&n->g, task, LINUX_FIELD_TASK_NSPROXY, proxy);
	linux_guest_put(&n->g, proxy, LINUX_FIELD_NSPROXY_NET, net);
	return (VmifsTask){ .pid = 1, .tgid = 1, .object = task };
}

void
net_guest_init(NetGuest *n, const char *types)
{
	g_autofree char *all = g_strconcat(NET_GUEST_TYPES, types, NULL);
	LinuxGuest *g = &n->g;

	*n = (NetGuest){ 0 };
	linux_guest_init(g, all);
	guint64 ns = linux_guest_new(g, LINUX_STRUCT_PID_NAMESPACE);
	guint64 hidden = linux_guest_alloc(g, 8);
	n->net = linux_guest_alloc(g, NET_GUEST_NET_LEN);
	n->init = net_guest_task(n, n->net);
	linux_guest_put(g, ns, LINUX_FIELD_PID_NAMESPACE_CHILD_REAPER, n->init.object);
	linux_guest_u64(g, hidden, 2);
	linux_guest_symbol(g, "init_pid_ns", ns);
	linux_guest_symbol(g, "kptr_restrict", hidden);
}

void
net_guest_clear(NetGuest *n)
{
	linux_guest_clear(&n->g);
}

void
net_guest_old_owners(NetGuest *n)
{
	linux_guest_symbol(&n->g, "sock_i_uid", LINUX_GUEST_BASE);
}

void
net_guest_jiffies(NetGuest *n, guint64 now)
{
	guint64 jiffies = linux_guest_alloc(&n->g, 8);
	guint64 clock = linux_guest_new(&n->g, LINUX_STRUCT_CLOCKSOURCE);

	linux_guest_u64(&n->g, jiffies, now);
	linux_guest_put(&n->g, clock, LINUX_FIELD_CLOCKSOURCE_MULT, 4000000U << 8);
	linux_guest_put(&n->g, clock, LINUX_FIELD_CLOCKSOURCE_SHIFT, 8);
	linux_guest_symbol(&n->g, "jiffies_64", jiffies);
	linux_guest_symbol(&n->g, "clocksource_jiffies", clock);
}

guint64
net_guest_socket(NetGuest *n, LinuxStruct kind, guint64 net, guint family, guint64 link)
{
	guint64 sk = linux_guest_new(&n->g, kind);

	linux_guest_put(&n->g, sk, LINUX_FIELD_SOCK_COMMON_FAMILY, family);
	linux_guest_put(&n->g, sk, LINUX_FIELD_SOCK_COMMON_NET, net);
	linux_guest_put(&n->g, sk, LINUX_FIELD_SOCK_COMMON_REFCNT, 2);
	linux_guest_put(&n->g, sk, LINUX_FIELD_SOCK_WMEM, 1);
	linux_guest_u64(&n->g, link, linux_guest_at(&n->g, sk, LINUX_FIELD_SOCK_COMMON_NODE));
	return sk;
}

void
net_guest_inode(NetGuest *n, guint64 sk, guint64 uid, guint64 ino)
{
	guint64 both = linux_guest_new(&n->g, LINUX_STRUCT_SOCKET_ALLOC);
	guint64 inode = linux_guest_at(&n->g, both, LINUX_FIELD_SOCKET_ALLOC_INODE);

	linux_guest_put(&n->g, inode, LINUX_FIELD_INODE_UID, uid);
	linux_guest_put(&n->g, inode, LINUX_FIELD_INODE_INO, ino);
	linux_guest_put(&n->g, sk, LINUX_FIELD_SOCK_SOCKET, both);
}

char *
net_guest_render(NetGuest *n, NetGuestView view, const VmifsTask *task)
{
	GString *out = g_string_new(NULL);
	g_autoptr(GError) error = NULL;

	ck_assert_msg(view(linux_guest_start(&n->g), task, NULL, out, NULL, &error), "%s",
		      error ? error->message : "");
	return g_string_free(out, FALSE);
}
