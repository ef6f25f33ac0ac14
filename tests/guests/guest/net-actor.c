/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The sockets of a test guest: every kind and state that /proc/net shows in its own way, in the
 * namespace of pid 1 (`net-actor outer`) and in one of its own (`net-actor inner`). What takes part
 * in them stands still once the file in /run/ready is there, but for connections whose timers run.
 */
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/if_packet.h>
#include <linux/netlink.h>
#include <linux/rtnetlink.h>
#include <net/if.h>
#include <net/if_arp.h>
#include <net/route.h>
#include <netinet/in.h>
#include <netinet/ip.h>
#include <netinet/tcp.h>
#include <sched.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/fsuid.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#define HERE "10.1.2.3"
#define GONE "10.1.2.9" /* nobody */

union address {
	struct sockaddr any;
	struct sockaddr_in v4;
	struct sockaddr_in6 v6;
	struct sockaddr_un unix_;
	struct sockaddr_ll ll;
	struct sockaddr_nl nl;
};

static const char *role;

static void
must(int ok, const char *what)
{
	if (ok)
		return;
	fprintf(stderr, "vmifs-guest: net-actor %s: %s: %s\n", role, what, strerror(errno));
	exit(1);
}

static int
open_socket(int family, int type, int protocol)
{
	int fd = socket(family, type, protocol);

	must(fd >= 0, "socket");
	return fd;
}

/* An Internet address, of either version. */
static union address
at(const char *text, int port)
{
	union address a;

	memset(&a, 0, sizeof a);
	if (strchr(text, ':')) {
		a.v6.sin6_family = AF_INET6;
		a.v6.sin6_port = htons(port);
		must(inet_pton(AF_INET6, text, &a.v6.sin6_addr), text);
	} else {
		a.v4.sin_family = AF_INET;
		a.v4.sin_port = htons(port);
		must(inet_pton(AF_INET, text, &a.v4.sin_addr), text);
	}
	return a;
}

static void
put_address(struct sockaddr *to, const char *text)
{
	union address a = at(text, 0);

	memcpy(to, &a.any, sizeof *to);
}

static int
bound(const char *text, int port, int type, int protocol)
{
	union address a = at(text, port);
	int fd = open_socket(a.any.sa_family, type, protocol), on = 1;

	setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
	must(!bind(fd, &a.any, sizeof a), text);
	return fd;
}

static int
listening(const char *text, int port)
{
	int fd = bound(text, port, SOCK_STREAM, 0);

	must(!listen(fd, 5), "listen");
	return fd;
}

static int
connected(const char *text, int port)
{
	union address a = at(text, port);
	int fd = open_socket(a.any.sa_family, SOCK_STREAM, 0);

	must(!connect(fd, &a.any, sizeof a), "connect");
	return fd;
}

static int
accepted(int listener)
{
	int fd = accept(listener, NULL, NULL);

	must(fd >= 0, "accept");
	return fd;
}

/* ---- TCP ---- */

static void
tcp_states(const char *text, int port)
{
	int listener = listening(text, port), here, there, on = 1;

	here = connected(text, port); /* established, data not read yet */
	there = accepted(listener);
	must(write(here, "not read", 8) == 8, "write");
	here = connected(text, port); /* keepalive: a timer of its own */
	accepted(listener);
	must(!setsockopt(here, SOL_SOCKET, SO_KEEPALIVE, &on, sizeof on), "keepalive");
	here = connected(text, port); /* FIN_WAIT2 and CLOSE_WAIT */
	accepted(listener);
	must(!shutdown(here, SHUT_WR), "shutdown");
	here = connected(text, port); /* TIME_WAIT */
	there = accepted(listener);
	close(here);
	usleep(50000);
	close(there);
	connected(text, port); /* waits in the backlog */
}

/* A window that is shut: the sender's queue is full, and it asks from time to time. */
static void
tcp_full(const char *text, int port)
{
	static char data[1 << 16];
	int listener, here, small = 4096;

	listener = listening(text, port);
	setsockopt(listener, SOL_SOCKET, SO_RCVBUF, &small, sizeof small);
	here = connected(text, port);
	accepted(listener);
	must(!fcntl(here, F_SETFL, O_NONBLOCK), "O_NONBLOCK");
	while (write(here, data, sizeof data) > 0)
		;
	must(errno == EAGAIN, "fill");
}

/* SYN_SENT: nobody answers. */
static void
tcp_syn_sent(void)
{
	union address a = at(GONE, 80);
	int fd = open_socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0);

	must(connect(fd, &a.any, sizeof a) < 0 && errno == EINPROGRESS, "SYN");
}

static unsigned
add_up(const void *data, size_t len, unsigned sum)
{
	const unsigned char *p = data;

	for (size_t i = 0; i + 1 < len; i += 2)
		sum += p[i] << 8 | p[i + 1];
	return sum;
}

/* SYN_RECV: somebody asks, and is not there for the answer. */
static void
tcp_syn_recv(int port)
{
	struct {
		struct iphdr ip;
		struct tcphdr tcp;
	} packet;
	union address a = at(HERE, 0);
	int fd = open_socket(AF_INET, SOCK_RAW, IPPROTO_RAW);
	unsigned sum;

	listening(HERE, port);
	memset(&packet, 0, sizeof packet);
	packet.ip.version = 4;
	packet.ip.ihl = 5;
	packet.ip.tot_len = htons(sizeof packet);
	packet.ip.ttl = 64;
	packet.ip.protocol = IPPROTO_TCP;
	packet.ip.saddr = at(GONE, 0).v4.sin_addr.s_addr;
	packet.ip.daddr = a.v4.sin_addr.s_addr;
	packet.tcp.source = htons(3333);
	packet.tcp.dest = htons(port);
	packet.tcp.seq = htonl(1);
	packet.tcp.doff = 5;
	packet.tcp.syn = 1;
	packet.tcp.window = htons(1000);
	sum = add_up(&packet.ip.saddr, 8, IPPROTO_TCP + sizeof packet.tcp);
	sum = add_up(&packet.tcp, sizeof packet.tcp, sum);
	sum = (sum >> 16) + (sum & 0xffff);
	packet.tcp.check = htons(~(sum + (sum >> 16)));
	must(sendto(fd, &packet, sizeof packet, 0, &a.any, sizeof a) == sizeof packet, "SYN");
}

/* ---- sockets without connections ---- */

static void
datagrams(const char *text, int port, int protocol)
{
	union address a = at(text, port);
	int fd = socket(a.any.sa_family, SOCK_DGRAM, protocol), small = 1, sender;

	if (fd < 0) /* UDP-Lite is no more */
		return;
	must(!bind(fd, &a.any, sizeof a), text);
	setsockopt(fd, SOL_SOCKET, SO_RCVBUF, &small, sizeof small);
	sender = open_socket(a.any.sa_family, SOCK_DGRAM, protocol);
	must(!connect(sender, &a.any, sizeof a), "connect");
	for (int i = 0; i < 20; i++) /* some wait, some are dropped */
		send(sender, "datagram", 8, 0);
}

static void
raws(void)
{
	FILE *range = fopen("/proc/sys/net/ipv4/ping_group_range", "we");
	int fd;

	must(range && fputs("0 65535", range) >= 0 && !fclose(range), "ping_group_range");
	open_socket(AF_INET, SOCK_RAW, IPPROTO_ICMP);
	bound("127.0.0.1", 0, SOCK_RAW, 255);
	open_socket(AF_INET6, SOCK_RAW, IPPROTO_ICMPV6);
	bound("::1", 0, SOCK_RAW, 89);
	bound("127.0.0.1", 77, SOCK_DGRAM, IPPROTO_ICMP);
	fd = socket(AF_INET6, SOCK_DGRAM, IPPROTO_ICMPV6);
	if (fd >= 0) {
		union address a = at("::1", 78);
		must(!bind(fd, &a.any, sizeof a), "ping6");
	}
}

static void
packets(void)
{
	union address a;
	int fd = open_socket(AF_PACKET, SOCK_RAW, 0);

	memset(&a, 0, sizeof a);
	a.ll.sll_family = AF_PACKET;
	a.ll.sll_protocol = htons(0x0003);
	a.ll.sll_ifindex = if_nametoindex("lo");
	must(!bind(fd, &a.any, sizeof a.ll), "packet");
	open_socket(AF_PACKET, SOCK_DGRAM, htons(0x88cc));
	open_socket(AF_PACKET, SOCK_RAW, 0); /* does not run */
}

static void
netlinks(void)
{
	union address a;
	int fd = open_socket(AF_NETLINK, SOCK_RAW, NETLINK_KOBJECT_UEVENT);

	memset(&a, 0, sizeof a);
	a.nl.nl_family = AF_NETLINK;
	a.nl.nl_groups = 1;
	must(!bind(fd, &a.any, sizeof a.nl), "uevent");
	for (int i = 0; i < 3; i++) {
		fd = open_socket(AF_NETLINK, SOCK_DGRAM, NETLINK_ROUTE);
		a.nl.nl_groups = i ? RTMGRP_LINK | RTMGRP_IPV6_ROUTE : 0;
		a.nl.nl_pid = i == 2 ? 123456 : 0;
		must(!bind(fd, &a.any, sizeof a.nl), "route");
	}
	open_socket(AF_NETLINK, SOCK_RAW, NETLINK_GENERIC);
}

static void
unix_sockets(void)
{
	union address a = { .unix_ = { .sun_family = AF_UNIX } };
	int listener = open_socket(AF_UNIX, SOCK_SEQPACKET, 0), fd, pair[2];

	strcpy(a.unix_.sun_path, "/run/seq packet.sock");
	must(!bind(listener, &a.any, sizeof a.unix_) && !listen(listener, 3), "seqpacket");
	fd = open_socket(AF_UNIX, SOCK_SEQPACKET, 0);
	must(!connect(fd, &a.any, sizeof a.unix_), "connect");
	accepted(listener);
	fd = open_socket(AF_UNIX, SOCK_SEQPACKET, 0); /* waits in the backlog */
	must(!connect(fd, &a.any, sizeof a.unix_), "connect");
	fd = open_socket(AF_UNIX, SOCK_DGRAM, 0);
	memset(a.unix_.sun_path, 'x', sizeof a.unix_.sun_path); /* 108, no NUL */
	a.unix_.sun_path[0] = '/';
	must(!chdir("/tmp") && !bind(fd, &a.any, sizeof a.unix_), "long path");
	fd = open_socket(AF_UNIX, SOCK_STREAM, 0);
	memcpy(a.unix_.sun_path, "\0with\0NULs\0", 11);
	must(!bind(fd, &a.any, offsetof(struct sockaddr_un, sun_path) + 11), "abstract");
	fd = open_socket(AF_UNIX, SOCK_DGRAM, 0); /* a name that the kernel chooses */
	must(!bind(fd, &a.any, sizeof(sa_family_t)), "autobind");
	must(!socketpair(AF_UNIX, SOCK_STREAM, 0, pair) && !close(pair[1]), "half a pair");
}

/* ---- addresses, routes, neighbours ---- */

static void
set_address(int fd, struct ifreq *request, unsigned long what, const char *text)
{
	put_address(&request->ifr_addr, text);
	must(!ioctl(fd, what, request), text);
}

static void
add_route(int fd, const char *to, const char *mask, const char *by, int flags, int metric)
{
	static char device[] = "dummy0";
	struct rtentry route;

	memset(&route, 0, sizeof route);
	put_address(&route.rt_dst, to);
	put_address(&route.rt_genmask, mask);
	if (by)
		put_address(&route.rt_gateway, by);
	else if (!(flags & RTF_REJECT))
		route.rt_dev = device;
	route.rt_flags = RTF_UP | flags | (by ? RTF_GATEWAY : 0) |
			 (metric == 7 ? RTF_MTU | RTF_WINDOW | RTF_IRTT : 0);
	route.rt_metric = metric;
	route.rt_mtu = 1200;
	route.rt_window = 3000;
	route.rt_irtt = 50;
	must(!ioctl(fd, SIOCADDRT, &route), to);
}

static void
add_route6(int fd, const char *to, int len, const char *by, int metric)
{
	struct in6_rtmsg route;

	memset(&route, 0, sizeof route);
	route.rtmsg_dst = at(to, 0).v6.sin6_addr;
	route.rtmsg_dst_len = len;
	route.rtmsg_flags = RTF_UP;
	route.rtmsg_metric = metric;
	route.rtmsg_ifindex = if_nametoindex("dummy0");
	if (by) {
		route.rtmsg_gateway = at(by, 0).v6.sin6_addr;
		route.rtmsg_flags |= RTF_GATEWAY;
	}
	must(!ioctl(fd, SIOCADDRT, &route), to);
}

static void
add_neighbour(int fd, const char *ip, int flags)
{
	struct arpreq entry;

	memset(&entry, 0, sizeof entry);
	put_address(&entry.arp_pa, ip);
	entry.arp_ha.sa_family = ARPHRD_ETHER;
	memcpy(entry.arp_ha.sa_data, "\2\253\315\357\0\1", 6);
	entry.arp_flags = flags;
	strcpy(entry.arp_dev, "dummy0");
	must(!ioctl(fd, SIOCSARP, &entry), ip);
}

static void
addresses(void)
{
	int fd = open_socket(AF_INET, SOCK_DGRAM, 0), fd6 = open_socket(AF_INET6, SOCK_DGRAM, 0);
	struct ifreq request;
	struct {
		struct in6_addr address;
		unsigned len;
		int index;
	} address6 = { at("2001:db8::3", 0).v6.sin6_addr, 64, if_nametoindex("dummy0") };

	memset(&request, 0, sizeof request);
	strcpy(request.ifr_name, "dummy0");
	set_address(fd, &request, SIOCSIFADDR, HERE);
	set_address(fd, &request, SIOCSIFNETMASK, "255.255.255.0");
	must(!ioctl(fd6, SIOCSIFADDR, &address6), "address");
	add_route(fd, "0.0.0.0", "0.0.0.0", "10.1.2.1", 0, 0);
	add_route(fd, "192.168.7.0", "255.255.255.128", "10.1.2.1", 0, 7);
	add_route(fd, "192.168.7.0", "255.255.255.128", "10.1.2.2", 0, 9);
	add_route(fd, "192.168.0.0", "255.255.0.0", NULL, 0, 1);
	add_route(fd, "172.16.5.5", "255.255.255.255", NULL, RTF_HOST, 1);
	add_route(fd, "172.16.0.0", "255.240.0.0", NULL, RTF_REJECT, 1);
	add_route6(fd6, "2001:db8:1::", 48, "2001:db8::1", 5);
	add_route6(fd6, "2001:db8:1:2::", 64, NULL, 6);
	add_route6(fd6, "::", 0, "2001:db8::1", 1);
	add_neighbour(fd, "10.1.2.1", ATF_COM | ATF_PERM);
	add_neighbour(fd, "10.1.2.77", ATF_PERM | ATF_PUBL);
	add_neighbour(fd, "10.1.2.2", ATF_COM);
	close(fd);
	close(fd6);
}

/* ---- roles ---- */

static void
outer(void)
{
	addresses();
	tcp_states("127.0.0.1", 5001);
	tcp_states("::1", 5002);
	tcp_full("127.0.0.1", 5003);
	listening("::", 5004);
	connected("127.0.0.1", 5004); /* a socket of IPv6 with addresses of IPv4 */
	tcp_syn_sent();
	tcp_syn_recv(5005);
	datagrams("127.0.0.1", 5006, 0);
	datagrams("::1", 5007, 0);
	datagrams("127.0.0.1", 5008, IPPROTO_UDPLITE);
	datagrams("::1", 5009, IPPROTO_UDPLITE);
	raws();
	packets();
	netlinks();
	unix_sockets();
	setfsuid(2001); /* whose sockets are of somebody else */
	listening("0.0.0.0", 5010);
	bound("::", 5011, SOCK_DGRAM, 0);
	open_socket(AF_PACKET, SOCK_RAW, htons(0x0806));
	setfsuid(0);
}

static void
inner(void)
{
	int fd = open_socket(AF_INET, SOCK_DGRAM, 0);
	struct ifreq request;

	close(fd);
	must(!unshare(CLONE_NEWNET), "unshare");
	fd = open_socket(AF_INET, SOCK_DGRAM, 0);
	memset(&request, 0, sizeof request);
	strcpy(request.ifr_name, "lo");
	request.ifr_flags = IFF_UP;
	must(!ioctl(fd, SIOCSIFFLAGS, &request), "lo");
	tcp_states("127.0.0.1", 5001);
	listening("::1", 5012);
	datagrams("127.0.0.1", 5006, 0);
	open_socket(AF_PACKET, SOCK_RAW, htons(0x0003));
	netlinks();
}

int
main(int argc, char **argv)
{
	char path[128];
	int fd;

	if (argc != 2)
		return 2;
	role = argv[1];
	if (!strcmp(role, "inner"))
		inner();
	else
		outer();
	snprintf(path, sizeof path, "/run/ready/net-%s", role);
	fd = open(path, O_CREAT | O_WRONLY | O_CLOEXEC, 0644);
	must(fd >= 0, path);
	close(fd);
	for (;;)
		pause();
}
