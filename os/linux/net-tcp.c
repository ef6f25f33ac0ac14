/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * net-tcp: /proc/net/tcp and tcp6: first those that listen, by their own table, then all others. A
 * connection that begins or that has ended is a smaller structure than a socket, in the same table:
 * its state says which one it is.
 */
#include "net.h"
#include "times.h"

#define WIDTH 149
#define NO_THRESHOLD 0x7fffffff

enum { /* inet_connection_sock.icsk_pending */
       PENDING_RETRANSMIT = 1,
       PENDING_PROBE = 3,
       PENDING_LOSS_PROBE = 5,
       PENDING_REORDERING = 6,
};

enum { /* what the column "tr" says */
       TIMER_NONE,
       TIMER_RETRANSMIT,
       TIMER_KEEPALIVE,
       TIMER_TIME_WAIT,
       TIMER_PROBE,
};

typedef struct {
	LinuxJiffies jiffies;
	guint64 pingpong; /* from which on a connection is interactive */
} Tcp;

/* What comes before the columns that only a whole socket has. */
static void
append_start(LinuxSockets *s, LinuxCursor *c, guint64 sk, guint64 sport)
{
	guint64 dport = linux_take(c, sk, LINUX_FIELD_SOCK_COMMON_DPORT);

	g_string_append_printf(s->out, "%4" G_GUINT64_FORMAT ": ", s->n_lines);
	linux_sock_append_addresses(s, c, sk, sport, linux_port(dport));
}

static void
append_time_wait(LinuxSockets *s, LinuxCursor *c, guint64 sk)
{
	const Tcp *tcp = s->user;
	guint64 sport = linux_take(c, sk, LINUX_FIELD_TIMEWAIT_SOCK_SPORT);
	guint64 expires = linux_take(c, sk, LINUX_FIELD_TIMEWAIT_SOCK_EXPIRES);

	append_start(s, c, sk, linux_port(sport));
	g_string_append_printf(s->out,
			       " %02X 00000000:00000000 %02X:%08" G_GINT64_MODIFIER
			       "X 00000000     0        0 0 %d ",
			       (guint) linux_take(c, sk, LINUX_FIELD_TIMEWAIT_SOCK_SUBSTATE),
			       TIMER_TIME_WAIT, linux_jiffies_until(&tcp->jiffies, expires),
			       (gint) linux_take(c, sk, LINUX_FIELD_SOCK_COMMON_REFCNT));
	linux_pointers_append(&s->pointers, sk, s->out);
}

/* Of somebody who has asked for a connection. */
static void
append_request(LinuxSockets *s, LinuxCursor *c, guint64 sk)
{
	const Tcp *tcp = s->user;
	guint64 listener = linux_take(c, sk, LINUX_FIELD_SOCK_COMMON_LISTENER);
	guint64 expires = linux_take(c, sk, LINUX_FIELD_REQUEST_SOCK_EXPIRES);

	append_start(s, c, sk, linux_take(c, sk, LINUX_FIELD_SOCK_COMMON_NUM));
	g_string_append_printf(
		s->out,
		" %02X 00000000:00000000 %02X:%08" G_GINT64_MODIFIER "X %08X %5u        0 0 0 ",
		LINUX_TCP_SYN_RECV, TIMER_RETRANSMIT, linux_jiffies_until(&tcp->jiffies, expires),
		(guint) linux_take(c, sk, LINUX_FIELD_REQUEST_SOCK_NUM_TIMEOUT),
		(guint) linux_sock_uid(c, listener));
	linux_pointers_append(&s->pointers, sk, s->out);
}

/* Timers have moved between the structures over time. */
static guint
take_timer(LinuxCursor *c, guint64 sk, guint64 *ret_expires)
{
	gboolean moved = linux_has(c->os, LINUX_FIELD_INET_CSK_KEEPALIVE_PPREV);
	guint64 pending = linux_take(c, sk, LINUX_FIELD_INET_CSK_PENDING);

	if (pending == PENDING_RETRANSMIT || pending == PENDING_LOSS_PROBE ||
	    pending == PENDING_REORDERING || pending == PENDING_PROBE) {
		*ret_expires = linux_take(c, sk,
					  linux_has(c->os, LINUX_FIELD_SOCK_RETRANSMIT_EXPIRES)
						  ? LINUX_FIELD_SOCK_RETRANSMIT_EXPIRES
						  : LINUX_FIELD_INET_CSK_TIMEOUT);
		return pending == PENDING_PROBE ? TIMER_PROBE : TIMER_RETRANSMIT;
	}
	if (linux_take(c, sk,
		       moved ? LINUX_FIELD_INET_CSK_KEEPALIVE_PPREV
			     : LINUX_FIELD_SOCK_TIMER_PPREV)) {
		*ret_expires = linux_take(c, sk,
					  moved ? LINUX_FIELD_INET_CSK_KEEPALIVE_EXPIRES
						: LINUX_FIELD_SOCK_TIMER_EXPIRES);
		return TIMER_KEEPALIVE;
	}
	*ret_expires = 0;
	return TIMER_NONE;
}

/* Bytes that wait to be read, or connections to be accepted. */
static guint32
take_rx_queue(LinuxCursor *c, guint64 sk, guint64 state)
{
	gint32 n;

	if (state == LINUX_TCP_LISTEN)
		return (guint32) linux_take(c, sk, LINUX_FIELD_SOCK_ACK_BACKLOG);
	n = (gint32) ((guint32) linux_take(c, sk, LINUX_FIELD_TCP_SOCK_RCV_NXT) -
		      (guint32) linux_take(c, sk, LINUX_FIELD_TCP_SOCK_COPIED_SEQ));
	return (guint32) MAX(n, 0);
}

/* The columns without a name in the header. */
static void
append_control(LinuxSockets *s, LinuxCursor *c, guint64 sk, guint64 state)
{
	const Tcp *tcp = s->user;
	guint64 quick = linux_take(c, sk, LINUX_FIELD_INET_CSK_QUICK);
	gboolean interactive = linux_take(c, sk, LINUX_FIELD_INET_CSK_PINGPONG) >= tcp->pingpong;
	guint64 rto = linux_take(c, sk, LINUX_FIELD_INET_CSK_RTO);
	guint64 ato = linux_take(c, sk, LINUX_FIELD_INET_CSK_ATO);
	guint64 last;

	if (state == LINUX_TCP_LISTEN) {
		last = linux_take(c, sk, LINUX_FIELD_INET_CSK_FASTOPEN_QLEN);
	} else {
		last = linux_take(c, sk, LINUX_FIELD_TCP_SOCK_SND_SSTHRESH);
		if (last >= NO_THRESHOLD)
			last = G_MAXUINT32;
	}
	g_string_append_printf(
		s->out, " %" G_GUINT64_FORMAT " %" G_GUINT64_FORMAT " %u %u %d",
		linux_jiffies_to_clock(&tcp->jiffies, rto),
		linux_jiffies_to_clock(&tcp->jiffies, ato), (guint) (quick << 1 | interactive),
		(guint) linux_take(c, sk, LINUX_FIELD_TCP_SOCK_SND_CWND), (gint) last);
}

static void
append_whole(LinuxSockets *s, LinuxCursor *c, guint64 sk, guint64 state)
{
	const Tcp *tcp = s->user;
	guint64 sport = linux_take(c, sk, LINUX_FIELD_INET_SOCK_SPORT), expires;
	guint timer = take_timer(c, sk, &expires);
	guint64 left = timer ? linux_jiffies_until(&tcp->jiffies, expires) : 0;
	guint32 tx_queue = (guint32) linux_take(c, sk, LINUX_FIELD_TCP_SOCK_WRITE_SEQ) -
			   (guint32) linux_take(c, sk, LINUX_FIELD_TCP_SOCK_SND_UNA);

	append_start(s, c, sk, linux_port(sport));
	g_string_append_printf(s->out,
			       " %02X %08X:%08X %02X:%08" G_GINT64_MODIFIER
			       "X %08X %5u %8d %" G_GUINT64_FORMAT " %d ",
			       (guint) state, tx_queue, take_rx_queue(c, sk, state), timer, left,
			       (guint) linux_take(c, sk, LINUX_FIELD_INET_CSK_RETRANSMITS),
			       (guint) linux_sock_uid(c, sk),
			       (gint) linux_take(c, sk, LINUX_FIELD_INET_CSK_PROBES_OUT),
			       linux_sock_inode(c, sk),
			       (gint) linux_take(c, sk, LINUX_FIELD_SOCK_COMMON_REFCNT));
	linux_pointers_append(&s->pointers, sk, s->out);
	append_control(s, c, sk, state);
}

static gboolean
append_socket(LinuxSockets *s, guint64 sk, guint64 chain, GError **error)
{
	LinuxCursor c = { .os = s->os };
	gsize start = s->out->len;
	guint64 state = linux_take(&c, sk, LINUX_FIELD_SOCK_COMMON_STATE);

	if (state == LINUX_TCP_TIME_WAIT)
		append_time_wait(s, &c, sk);
	else if (state == LINUX_TCP_NEW_SYN_RECV)
		append_request(s, &c, sk);
	else
		append_whole(s, &c, sk, state);
	linux_pad(s->out, start, s->family == LINUX_AF_INET ? WIDTH : 0);
	return linux_cursor_end(&c, error);
}

/* ---- tables ---- */

static gboolean
find_listening(const Linux *os, guint64 info, LinuxHash *ret, GError **error)
{
	guint64 buckets, mask, head_at, size;
	VmifsMember member;

	if (!linux_offset(os, LINUX_FIELD_LISTEN_BUCKET_HEAD, &head_at, error) ||
	    !linux_sizeof(os, LINUX_STRUCT_LISTEN_BUCKET, &size, error))
		return FALSE;
	if (linux_member(os, LINUX_FIELD_INET_HASH_LISTENING, &member, NULL)) {
		buckets = info + member.offset;
		mask = member.count - 1;
	} else if (!linux_get(os, info, LINUX_FIELD_INET_HASH_LHASH2, &buckets, error) ||
		   !linux_get(os, info, LINUX_FIELD_INET_HASH_LHASH2_MASK, &mask, error)) {
		return FALSE;
	}
	ret->heads = buckets + head_at;
	ret->n = mask + 1;
	ret->stride = size;
	return TRUE;
}

static gboolean
find_others(const Linux *os, guint64 info, LinuxHash *ret, GError **error)
{
	guint64 buckets, mask, head_at, size;

	if (!linux_offset(os, LINUX_FIELD_EHASH_BUCKET_CHAIN, &head_at, error) ||
	    !linux_sizeof(os, LINUX_STRUCT_EHASH_BUCKET, &size, error) ||
	    !linux_get(os, info, LINUX_FIELD_INET_HASH_EHASH, &buckets, error) ||
	    !linux_get(os, info, LINUX_FIELD_INET_HASH_EHASH_MASK, &mask, error))
		return FALSE;
	ret->heads = buckets + head_at;
	ret->n = mask + 1;
	ret->stride = size;
	return TRUE;
}

/* Before this could be set it was one. */
static gboolean
read_pingpong(const Linux *os, guint64 net, guint64 *ret, GError **error)
{
	*ret = 1;
	return !linux_has(os, LINUX_FIELD_NET_TCP_PINGPONG) ||
	       linux_get(os, net, LINUX_FIELD_NET_TCP_PINGPONG, ret, error);
}

static gboolean
render(const Linux *os, const VmifsTask *task, guint64 family, const char *name, GString *out,
       const VmifsCall *call, GError **error)
{
	LinuxHash listening = { .name = name }, others = { .name = name };
	guint64 info, link_at;
	LinuxSockets s;
	Tcp tcp;

	if (!linux_sockets_init(&s, os, task, out, error) ||
	    !linux_jiffies(os, &tcp.jiffies, error) ||
	    !read_pingpong(os, s.net, &tcp.pingpong, error) ||
	    !linux_get(os, s.net, LINUX_FIELD_NET_TCP_HASH, &info, error) ||
	    !linux_offset(os, LINUX_FIELD_SOCK_COMMON_NODE, &link_at, error) ||
	    !find_listening(os, info, &listening, error) || !find_others(os, info, &others, error))
		return FALSE;
	listening.link_at = others.link_at = link_at;
	s.family = family;
	s.append = append_socket;
	s.user = &tcp;
	if (family == LINUX_AF_INET)
		g_string_append_printf(out, "%-*s\n", WIDTH,
				       "  sl  local_address rem_address   st tx_queue rx_queue tr "
				       "tm->when retrnsmt   uid  timeout inode");
	else
		g_string_append(out,
				"  sl  local_address                         "
				"remote_address                        st tx_queue rx_queue tr "
				"tm->when retrnsmt   uid  timeout inode\n");
	return linux_sockets_append(&s, &listening, call, error) &&
	       linux_sockets_append(&s, &others, call, error);
}

LINUX_VIEW(linux_render_net_tcp)
{
	return render(os, task, LINUX_AF_INET, "net/tcp", out, call, error);
}

LINUX_VIEW(linux_render_net_tcp6)
{
	return render(os, task, LINUX_AF_INET6, "net/tcp6", out, call, error);
}
