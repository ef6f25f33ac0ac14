/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* net-protocols: how many sockets there are, by protocol and in sum. */
#include <unit.h>

#include <net-guest.h>

#define PROTO                                                                                      \
	"struct proto 320 node@0=list_head name@16:1x32 obj_size@48:4 inuse_idx@52:4 "             \
	"sockets_allocated@56:8 memory_allocated@64:8 memory_pressure@72:8 max_header@80:4 "       \
	"slab@88:8 owner@96:8 close@104:8 connect@112:8 disconnect@120:8 accept@128:8 "            \
	"ioctl@136:8 init@144:8 destroy@152:8 shutdown@160:8 setsockopt@168:8 getsockopt@176:8 "   \
	"sendmsg@184:8 recvmsg@192:8 bind@208:8 backlog_rcv@216:8 hash@224:8 unhash@232:8 "        \
	"get_port@240:8 enter_memory_pressure@248:8"
#define TYPES                                                                                      \
	"struct list_head 16 next@0:8 prev@8:8\n"                                                  \
	"struct module 64 name@0:1x56\n"                                                           \
	"struct percpu_counter 16 count@0:8\n"                                                     \
	"struct rhashtable 16 nelems@8:4\n"                                                        \
	"struct fqdir 32 rhashtable@0=rhashtable mem@16:8\n"
#define OLD                                                                                        \
	TYPES PROTO " sendpage@200:8\n"                                                            \
		    "struct prot_inuse 256 val@0:4x64\n"                                           \
		    "struct netns_core 16 sock_inuse@0:8 prot_inuse@8:8\n"                         \
		    "struct inet_timewait_death_row 8 tw_count@0:4\n"                              \
		    "struct netns_ipv4 32 fqdir@0:8 tcp_death_row@8=inet_timewait_death_row\n"     \
		    "struct netns_ipv6 8 fqdir@0:8\n"                                              \
		    "struct net 256 core@16=netns_core ipv4@32=netns_ipv4 ipv6@64=netns_ipv6\n"
#define NEW                                                                                        \
	TYPES PROTO "\n"                                                                           \
		    "struct prot_inuse 260 all@0:4 val@4:4x64\n"                                   \
		    "struct netns_core 8 prot_inuse@0:8\n"                                         \
		    "struct inet_timewait_death_row 8 tw_refcount@0:4\n"                           \
		    "struct netns_ipv4 32 fqdir@0:8 tcp_death_row@8=inet_timewait_death_row\n"     \
		    "struct netns_ipv6 8 fqdir@0:8\n"                                              \
		    "struct net 256 core@16=netns_core ipv4@32=netns_ipv4 ipv6@64=netns_ipv6\n"
#define START "protocol  size sockets  memory press maxhdr  slab module     "

typedef struct {
	NetGuest n;
	guint64 inuse, head, last;
} Fixture;

/* One processor, whose own variables are where they are. */
static void
setup(Fixture *f, const char *types)
{
	LinuxGuest *g = &f->n.g;

	net_guest_init(&f->n, types);
	f->inuse = linux_guest_alloc(g, 512);
	f->head = f->last = linux_guest_alloc(g, 16);
	linux_guest_put(g, f->n.net, LINUX_FIELD_NET_PROT_INUSE, f->inuse);
	linux_guest_symbol(g, "proto_list", f->head);
}

static void
put_inuse(Fixture *f, guint index, gint32 sockets)
{
	guint64 at = linux_guest_at(&f->n.g, f->inuse, LINUX_FIELD_PROT_INUSE_VAL);

	linux_guest_write(&f->n.g, at + index * 4, &sockets, 4);
}

/* In the list behind the others. */
static guint64
add_protocol(Fixture *f, const char *name, guint index)
{
	LinuxGuest *g = &f->n.g;
	guint64 proto = linux_guest_new(g, LINUX_STRUCT_PROTO);

	linux_guest_put_text(g, proto, LINUX_FIELD_PROTO_NAME, name);
	linux_guest_put(g, proto, LINUX_FIELD_PROTO_OBJ_SIZE, 1000);
	linux_guest_put(g, proto, LINUX_FIELD_PROTO_INUSE_IDX, index);
	linux_guest_u64(g, f->last, proto);
	linux_guest_u64(g, proto + 8, f->last);
	linux_guest_u64(g, proto, f->head);
	linux_guest_u64(g, f->head + 8, proto);
	f->last = proto;
	return proto;
}

START_TEST(protocols_show_what_they_can)
{
	Fixture f;
	setup(&f, _i ? NEW : OLD);
	LinuxGuest *g = &f.n.g;
	guint64 numbers = linux_guest_alloc(g, 16),
		module = linux_guest_new(g, LINUX_STRUCT_MODULE);
	add_protocol(&f, "BARE", 0);
	guint64 rich = add_protocol(&f, "VERY-LONG-NAME", 63);
	linux_guest_u64(g, numbers, 512);
	linux_guest_u64(g, numbers + 8, 1);
	linux_guest_put_text(g, module, LINUX_FIELD_MODULE_NAME, "sctp");
	linux_guest_put(g, rich, LINUX_FIELD_PROTO_MEMORY_ALLOCATED, numbers);
	linux_guest_put(g, rich, LINUX_FIELD_PROTO_MEMORY_PRESSURE, numbers + 8);
	linux_guest_put(g, rich, LINUX_FIELD_PROTO_MAX_HEADER, 256);
	linux_guest_put(g, rich, LINUX_FIELD_PROTO_SLAB, numbers);
	linux_guest_put(g, rich, LINUX_FIELD_PROTO_OWNER, module);
	linux_guest_put(g, rich, LINUX_FIELD_PROTO_CLOSE, 1);
	linux_guest_put(g, rich, LINUX_FIELD_PROTO_ENTER_PRESSURE, 1);
	if (!_i)
		linux_guest_put(g, rich, LINUX_FIELD_PROTO_SENDPAGE, 1);
	put_inuse(&f, 0, -3);
	put_inuse(&f, 63, 12);
	g_autofree char *text = net_guest_render(&f.n, linux_render_net_protocols, NULL);
	g_autofree char *want = g_strdup_printf(
		START
		"cl co di ac io in de sh ss gs se re %sbi br ha uh gp em\n"
		"BARE      1000      0      -1   NI       0   no   kernel      n  n  n  n  n  "
		"n  n  n  n  n  n  n  %sn  n  n  n  n  n\n"
		"VERY-LONG-NAME 1000     12     512   yes    256   yes  sctp        y  n  n  "
		"n  n  n  n  n  n  n  n  n  %sn  n  n  n  n  y\n",
		_i ? "" : "sp ", _i ? "" : "n  ", _i ? "" : "y  ");
	ck_assert_str_eq(text, want);
	net_guest_clear(&f.n);
}
END_TEST

START_TEST(protocol_with_a_strange_number_is_left_out_and_logged)
{
	Fixture f;
	setup(&f, OLD);
	add_protocol(&f, "BAD", 64);
	add_protocol(&f, "GOOD", 1);
	g_autofree char *text = net_guest_render(&f.n, linux_render_net_protocols, NULL);
	ck_assert_ptr_null(strstr(text, "BAD"));
	ck_assert_ptr_nonnull(strstr(text, "\nGOOD "));
	g_autofree char *log = linux_guest_log(&f.n.g);
	ck_assert_ptr_nonnull(strstr(log, "protocol number 64"));
	net_guest_clear(&f.n);
}
END_TEST

START_TEST(sums_are_of_the_namespace)
{
	Fixture f;
	setup(&f, _i ? NEW : OLD);
	LinuxGuest *g = &f.n.g;
	static const char *const symbols[] = { "tcp_prot",   "udp_prot",   "raw_prot",
					       "tcpv6_prot", "udpv6_prot", "rawv6_prot" };
	guint64 protos[G_N_ELEMENTS(symbols)], orphans = linux_guest_alloc(g, 16);
	for (guint i = 0; i < G_N_ELEMENTS(symbols); i++) {
		protos[i] = add_protocol(&f, symbols[i], i);
		linux_guest_symbol(g, symbols[i], protos[i]);
		put_inuse(&f, i, (gint32) i + 20);
	}
	guint64 pages = linux_guest_alloc(g, 8), allocated = linux_guest_alloc(g, 16);
	linux_guest_u64(g, pages, 7);
	linux_guest_u64(g, allocated, 41);
	linux_guest_put(g, protos[0], LINUX_FIELD_PROTO_MEMORY_ALLOCATED, pages);
	linux_guest_put(g, protos[1], LINUX_FIELD_PROTO_MEMORY_ALLOCATED, pages);
	linux_guest_put(g, protos[0], LINUX_FIELD_PROTO_SOCKETS_ALLOCATED, allocated);
	linux_guest_u64(g, orphans, _i ? 0x100000002 : 2); /* an int, or a counter */
	linux_guest_symbol(g, "tcp_orphan_count", orphans);
	if (_i) {
		linux_guest_symbol(g, "__per_cpu_start", orphans);
		linux_guest_symbol(g, "__per_cpu_end", orphans + 8);
		linux_guest_put(g, f.inuse, LINUX_FIELD_PROT_INUSE_ALL, 99);
		linux_guest_put(g, f.n.net, LINUX_FIELD_NET_TW_REFCOUNT, _i == 1 ? 4 : 1U << 31);
	} else {
		guint64 all = linux_guest_alloc(g, 8);
		linux_guest_u64(g, all, 99);
		linux_guest_put(g, f.n.net, LINUX_FIELD_NET_SOCK_INUSE, all);
		linux_guest_put(g, f.n.net, LINUX_FIELD_NET_TW_COUNT, 3);
		linux_guest_symbol(g, "udplite_prot", protos[5]);
	}
	guint64 fragments = linux_guest_new(g, LINUX_STRUCT_FQDIR);
	linux_guest_put(g, fragments, LINUX_FIELD_FQDIR_NELEMS, 5);
	linux_guest_put(g, fragments, LINUX_FIELD_FQDIR_MEM, 4096);
	linux_guest_put(g, f.n.net, LINUX_FIELD_NET_FRAGMENTS, fragments);
	linux_guest_put(g, f.n.net, LINUX_FIELD_NET_FRAGMENTS6, fragments);
	g_autofree char *text = net_guest_render(&f.n, linux_render_net_sockstat, NULL);
	g_autofree char *want =
		g_strdup_printf("sockets: used 99\n"
				"TCP: inuse 20 orphan 2 tw %d alloc 41 mem 7\n"
				"UDP: inuse 21 mem 7\n%s"
				"RAW: inuse 22\n"
				"FRAG: inuse 5 memory 4096\n",
				_i == 2 ? G_MAXINT32 : 3, _i ? "" : "UDPLITE: inuse 25\n");
	ck_assert_str_eq(text, want);
	g_autoptr(GString) text6 = g_string_new(NULL);
	ck_assert(linux_render_net_sockstat6(&f.n.g.os, NULL, NULL, text6, NULL, NULL));
	ck_assert_str_eq(text6->str, "TCP6: inuse 23\nUDP6: inuse 24\nRAW6: inuse 25\n"
				     "FRAG6: inuse 5 memory 4096\n");
	net_guest_clear(&f.n);
}
END_TEST

static Suite *
make_suite(void)
{
	Suite *s = suite_create("net-protocols");
	TCase *t = tcase_create("net-protocols");

	tcase_add_loop_test(t, protocols_show_what_they_can, 0, 2);
	tcase_add_test(t, protocol_with_a_strange_number_is_left_out_and_logged);
	tcase_add_loop_test(t, sums_are_of_the_namespace, 0, 3);
	suite_add_tcase(s, t);
	return s;
}

VMIFS_UNIT_MAIN(make_suite)
