/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* net-tcp: connections in every state, from kernels whose timers and tables lie elsewhere. */
#include <unit.h>

#include <net-guest.h>

#define TYPES                                                                                      \
	"struct inet_sock 200 inet_sport@192:2\n"                                                  \
	"struct icsk_ack 16 ato@0:4 quick@4:1 pingpong@5:1\n"                                      \
	"struct fastopen_queue 8 max_qlen@4:4\n"                                                   \
	"struct request_sock_queue 16 fastopenq@8=fastopen_queue\n"                                \
	"struct tcp_sock 384 write_seq@320:4 snd_una@324:4 rcv_nxt@328:4 copied_seq@332:4 "        \
	"snd_cwnd@336:4 snd_ssthresh@340:4\n"                                                      \
	"struct inet_timewait_sock 160 tw_substate@96:1 tw_sport@98:2 tw_timer@104=timer_list\n"   \
	"struct request_sock 160 num_timeout@96:1 rsk_timer@104=timer_list\n"                      \
	"struct inet_ehash_bucket 8 chain@0:8\n"                                                   \
	"struct inet_listen_hashbucket 16 nulls_head@8:8\n"                                        \
	"struct inet_timewait_death_row 16 hashinfo@8:8\n"
#define CSK                                                                                        \
	"struct inet_connection_sock 320 icsk_accept_queue@200=request_sock_queue "                \
	"icsk_pending@216:1 icsk_retransmits@217:1 icsk_probes_out@218:1 icsk_rto@220:4 "          \
	"icsk_ack@224=icsk_ack "
#define OLD                                                                                        \
	TYPES CSK "icsk_timeout@248:8\n"                                                           \
		  "struct inet_hashinfo 160 ehash@0:8 ehash_mask@8:4 lhash2_mask@12:4 "            \
		  "lhash2@16:8 listening_hash@24=inet_listen_hashbucketx4\n"                       \
		  "struct netns_ipv4 32 tcp_death_row@8=inet_timewait_death_row\n"                 \
		  "struct net 256 ipv4@16=netns_ipv4\n"
#define NEW                                                                                        \
	TYPES CSK "icsk_keepalive_timer@248=timer_list\n"                                          \
		  "struct inet_hashinfo 160 ehash@0:8 ehash_mask@8:4 lhash2_mask@12:4 "            \
		  "lhash2@16:8\n"                                                                  \
		  "struct netns_ipv4 32 tcp_death_row@8=inet_timewait_death_row "                  \
		  "sysctl_tcp_pingpong_thresh@24:1\n"                                              \
		  "struct net 256 ipv4@16=netns_ipv4\n"                                            \
		  "struct sock 192 sk_uid@100:4 sk_ino@104:8 sk_ack_backlog@136:4 "                \
		  "tcp_retransmit_timer@144=timer_list sk_wmem_alloc@112:4 sk_socket@168:8\n"

#define HEADER                                                                                     \
	"  sl  local_address rem_address   st tx_queue rx_queue tr tm->when retrnsmt   uid  "      \
	"timeout inode"
#define HEADER6                                                                                    \
	"  sl  local_address                         remote_address                        st "    \
	"tx_queue rx_queue tr tm->when retrnsmt   uid  timeout inode\n"
#define HIDDEN "0000000000000000"
#define NOW 4295000000U

typedef struct {
	NetGuest n;
	guint64 listening, others; /* heads */
} Fixture;

static void
setup(Fixture *f, const char *types)
{
	LinuxGuest *g = &f->n.g;

	net_guest_init(&f->n, types);
	net_guest_jiffies(&f->n, NOW);
	guint64 info = linux_guest_new(g, LINUX_STRUCT_INET_HASH);
	linux_guest_put(g, f->n.net, LINUX_FIELD_NET_TCP_HASH, info);
	f->others = linux_guest_alloc(g, 16 * 8);
	linux_guest_put(g, info, LINUX_FIELD_INET_HASH_EHASH, f->others);
	linux_guest_put(g, info, LINUX_FIELD_INET_HASH_EHASH_MASK, 15);
	for (guint i = 0; i < 16; i++)
		linux_guest_u64(g, f->others + i * 8, i << 1 | 1);
	if (linux_layout_has(g->layout, LINUX_FIELD_INET_HASH_LISTENING)) {
		f->listening = linux_guest_at(g, info, LINUX_FIELD_INET_HASH_LISTENING) + 8;
		return;
	}
	guint64 buckets = linux_guest_alloc(g, 4 * 16);
	linux_guest_put(g, info, LINUX_FIELD_INET_HASH_LHASH2, buckets);
	linux_guest_put(g, info, LINUX_FIELD_INET_HASH_LHASH2_MASK, 3);
	f->listening = buckets + 8;
}

static guint64
add(Fixture *f, LinuxStruct kind, guint family, guint state, guint64 link)
{
	LinuxGuest *g = &f->n.g;
	guint64 sk = net_guest_socket(&f->n, kind, f->n.net, family, link);

	linux_guest_put(g, sk, LINUX_FIELD_SOCK_COMMON_STATE, state);
	linux_guest_put(g, sk, LINUX_FIELD_SOCK_COMMON_RCV_SADDR, 0x0302010a);
	linux_guest_put(g, sk, LINUX_FIELD_SOCK_COMMON_NUM, 4242);
	if (state != LINUX_TCP_LISTEN) {
		linux_guest_put(g, sk, LINUX_FIELD_SOCK_COMMON_DADDR, 0x0902010a);
		linux_guest_put(g, sk, LINUX_FIELD_SOCK_COMMON_DPORT, 0x5000);
	}
	return sk;
}

static guint64
add_whole(Fixture *f, guint family, guint state, guint64 link)
{
	LinuxGuest *g = &f->n.g;
	guint64 sk = add(f, LINUX_STRUCT_TCP_SOCK, family, state, link);

	linux_guest_put(g, sk, LINUX_FIELD_INET_SOCK_SPORT, 0x9210);
	linux_guest_put(g, sk, LINUX_FIELD_INET_CSK_RTO, 50);
	linux_guest_put(g, sk, LINUX_FIELD_TCP_SOCK_SND_CWND, 10);
	linux_guest_put(g, sk, LINUX_FIELD_TCP_SOCK_SND_SSTHRESH, 0x7fffffff);
	return sk;
}

/* The lines, each with exactly the blanks behind it that fill it up to 149 characters. */
static void
check_lines(char *text, const char *const *lines)
{
	g_auto(GStrv) got = g_strsplit(text, "\n", -1);
	guint i;

	for (i = 0; lines[i]; i++) {
		ck_assert_ptr_nonnull(got[i]);
		ck_assert_uint_eq(strlen(got[i]), 149);
		ck_assert_str_eq(g_strchomp(got[i]), lines[i]);
	}
	ck_assert_str_eq(got[i], "");
}

START_TEST(listening_sockets_come_first)
{
	static const char *const lines[] = {
		HEADER,
		"   0: 0302010A:1092 00000000:0000 0A 00000000:00000003 00:00000000 00000000     0 "
		"       0 0 2 " HIDDEN " 20 0 0 10 7",
		"   1: 0302010A:1092 0902010A:0050 01 00000005:00000008 00:00000000 00000000     0 "
		"       0 0 2 " HIDDEN " 20 16 31 10 -1",
		NULL,
	};
	Fixture f;
	setup(&f, _i ? NEW : OLD);
	LinuxGuest *g = &f.n.g;
	guint64 other = add_whole(&f, LINUX_AF_INET, LINUX_TCP_ESTABLISHED, f.others);
	guint64 listener = add_whole(&f, LINUX_AF_INET, LINUX_TCP_LISTEN, f.listening + 2 * 16);
	linux_guest_put(g, listener, LINUX_FIELD_SOCK_ACK_BACKLOG, 3);
	linux_guest_put(g, listener, LINUX_FIELD_INET_CSK_FASTOPEN_QLEN, 7);
	linux_guest_put(g, other, LINUX_FIELD_TCP_SOCK_WRITE_SEQ, 2);
	linux_guest_put(g, other, LINUX_FIELD_TCP_SOCK_SND_UNA, 0xfffffffd);
	linux_guest_put(g, other, LINUX_FIELD_TCP_SOCK_RCV_NXT, 1008);
	linux_guest_put(g, other, LINUX_FIELD_TCP_SOCK_COPIED_SEQ, 1000);
	linux_guest_put(g, other, LINUX_FIELD_INET_CSK_ATO, 40);
	linux_guest_put(g, other, LINUX_FIELD_INET_CSK_QUICK, 15);
	linux_guest_put(g, other, LINUX_FIELD_INET_CSK_PINGPONG, _i ? 3 : 1);
	if (_i) {
		linux_guest_put(g, f.n.net, LINUX_FIELD_NET_TCP_PINGPONG, 3);
		linux_guest_put(g, listener, LINUX_FIELD_INET_CSK_PINGPONG, 2);
	}
	g_autofree char *text = net_guest_render(&f.n, linux_render_net_tcp, NULL);
	check_lines(text, lines);
	net_guest_clear(&f.n);
}
END_TEST

START_TEST(connection_that_begins_or_ended_is_a_smaller_structure)
{
	static const char *const lines[] = {
		HEADER,
		"   0: 0302010A:1092 0902010A:0050 06 00000000:00000000 03:00001770 00000000     0 "
		"       0 0 2 " HIDDEN,
		"   1: 0302010A:1092 0902010A:0050 03 00000000:00000000 01:00000064 00000002  2001 "
		"       0 0 0 " HIDDEN,
		NULL,
	};
	Fixture f;
	setup(&f, OLD);
	LinuxGuest *g = &f.n.g;
	guint64 ended =
		add(&f, LINUX_STRUCT_TIMEWAIT_SOCK, LINUX_AF_INET, LINUX_TCP_TIME_WAIT, f.others);
	guint64 request = add(&f, LINUX_STRUCT_REQUEST_SOCK, LINUX_AF_INET, LINUX_TCP_NEW_SYN_RECV,
			      f.others + 8);
	guint64 listener = linux_guest_new(g, LINUX_STRUCT_TCP_SOCK);
	linux_guest_put(g, ended, LINUX_FIELD_TIMEWAIT_SOCK_SUBSTATE, LINUX_TCP_TIME_WAIT);
	linux_guest_put(g, ended, LINUX_FIELD_TIMEWAIT_SOCK_SPORT, 0x9210);
	linux_guest_put(g, ended, LINUX_FIELD_TIMEWAIT_SOCK_EXPIRES, NOW + 15000);
	linux_guest_put(g, request, LINUX_FIELD_REQUEST_SOCK_EXPIRES, NOW + 250);
	linux_guest_put(g, request, LINUX_FIELD_REQUEST_SOCK_NUM_TIMEOUT, 2);
	linux_guest_put(g, request, LINUX_FIELD_SOCK_COMMON_LISTENER, listener);
	linux_guest_put(g, listener, LINUX_FIELD_SOCK_UID, 2001);
	g_autofree char *text = net_guest_render(&f.n, linux_render_net_tcp, NULL);
	check_lines(text, lines);
	net_guest_clear(&f.n);
}
END_TEST

static const struct {
	guint pending;
	gint64 in;
	gboolean keepalive;
	const char *columns;
} timers[] = {
	{ 0, 0, FALSE, " 00:00000000 " },   { 1, 250, FALSE, " 01:00000064 " },
	{ 5, 1, FALSE, " 01:00000000 " },   { 6, 3, TRUE, " 01:00000001 " },
	{ 3, 500, FALSE, " 04:000000C8 " }, { 1, -5, FALSE, " 01:00000000 " },
	{ 0, 250, TRUE, " 02:00000064 " },  { 2, 250, FALSE, " 00:00000000 " },
};

static void
check_timer(const char *types, guint i)
{
	Fixture f;
	setup(&f, types);
	LinuxGuest *g = &f.n.g;
	gboolean old = !linux_layout_has(g->layout, LINUX_FIELD_INET_CSK_KEEPALIVE_PPREV);
	guint64 sk = add_whole(&f, LINUX_AF_INET, LINUX_TCP_ESTABLISHED, f.others);
	guint64 expires = NOW + (guint64) timers[i].in;
	linux_guest_put(g, sk, LINUX_FIELD_INET_CSK_PENDING, timers[i].pending);
	if (timers[i].pending)
		linux_guest_put(g, sk,
				old ? LINUX_FIELD_INET_CSK_TIMEOUT
				    : LINUX_FIELD_SOCK_RETRANSMIT_EXPIRES,
				expires);
	if (timers[i].keepalive) {
		linux_guest_put(g, sk,
				old ? LINUX_FIELD_SOCK_TIMER_PPREV
				    : LINUX_FIELD_INET_CSK_KEEPALIVE_PPREV,
				LINUX_GUEST_BASE);
		linux_guest_put(g, sk,
				old ? LINUX_FIELD_SOCK_TIMER_EXPIRES
				    : LINUX_FIELD_INET_CSK_KEEPALIVE_EXPIRES,
				expires);
	}
	g_autofree char *text = net_guest_render(&f.n, linux_render_net_tcp, NULL);
	ck_assert_msg(strstr(text, timers[i].columns) != NULL, "%s", text);
	net_guest_clear(&f.n);
}

START_TEST(timers_are_found_where_they_lie)
{
	check_timer(OLD, (guint) _i);
	check_timer(NEW, (guint) _i);
}
END_TEST

START_TEST(tcp6_shows_the_other_version)
{
	Fixture f;
	setup(&f, OLD);
	add_whole(&f, LINUX_AF_INET, LINUX_TCP_LISTEN, f.listening);
	guint64 sk = add_whole(&f, LINUX_AF_INET6, LINUX_TCP_LISTEN, f.listening + 16);
	linux_guest_write(&f.n.g, linux_guest_at(&f.n.g, sk, LINUX_FIELD_SOCK_COMMON_V6_RCV_SADDR),
			  "\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\1", 16);
	g_autofree char *text = net_guest_render(&f.n, linux_render_net_tcp6, NULL);
	ck_assert_str_eq(text, HEADER6 "   0: 00000000000000000000000001000000:1092 "
				       "00000000000000000000000000000000:0000 0A 00000000:00000000 "
				       "00:00000000 00000000     0        0 0 2 " HIDDEN
				       " 20 0 0 10 0\n");
	net_guest_clear(&f.n);
}
END_TEST

START_TEST(socket_that_leads_nowhere_does_not_hide_the_others)
{
	Fixture f;
	setup(&f, OLD);
	linux_guest_u64(&f.n.g, f.others, 0x1000);
	add_whole(&f, LINUX_AF_INET, LINUX_TCP_ESTABLISHED, f.others + 8);
	g_autofree char *text = net_guest_render(&f.n, linux_render_net_tcp, NULL);
	ck_assert_ptr_nonnull(strstr(text, "\n   0: 0302010A:1092 0902010A:0050 01 "));
	g_autofree char *log = linux_guest_log(&f.n.g);
	ck_assert_ptr_nonnull(strstr(log, "socket "));
	net_guest_clear(&f.n);
}
END_TEST

static Suite *
make_suite(void)
{
	Suite *s = suite_create("net-tcp");
	TCase *t = tcase_create("net-tcp");

	tcase_add_loop_test(t, listening_sockets_come_first, 0, 2);
	tcase_add_test(t, connection_that_begins_or_ended_is_a_smaller_structure);
	tcase_add_loop_test(t, timers_are_found_where_they_lie, 0, G_N_ELEMENTS(timers));
	tcase_add_test(t, tcp6_shows_the_other_version);
	tcase_add_test(t, socket_that_leads_nowhere_does_not_hide_the_others);
	suite_add_tcase(s, t);
	return s;
}

VMIFS_UNIT_MAIN(make_suite)
