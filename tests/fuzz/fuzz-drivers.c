/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * fuzz-drivers: what only a network device's driver knows: its counters, and the types that its
 * module brings, from a list of modules with types. Behind the first page lie what to do, variables
 * and the device; the kernel's own types have a place of their own.
 */
#include "kernel.h"

#include <os/linux/net-counters.h>

#define WHAT FUZZ_PAGE
#define VARIABLES (FUZZ_PAGE + 8)
#define DEVICE (FUZZ_PAGE + 64)
#define KERNEL_TYPES (FUZZ_PAGE + 1024)
#define KERNEL_TYPES_LEN 48

#define TYPES                                                                                      \
	"struct net_device_stats 184\n"                                                            \
	"struct pcpu_lstats 16 packets@0:8 bytes@8:8\n"                                            \
	"struct pcpu_sw_netstats 40 rx_packets@0:8 rx_bytes@8:8 tx_packets@16:8 tx_bytes@24:8\n"   \
	"struct net_device 256 stats@0=net_device_stats lstats@184:8 tstats@184:8 "                \
	"num_rx_queues@192:4 pcpu_stat_type@196:1\n"                                               \
	"enum NETDEV_PCPU_STAT_LSTATS=1 NETDEV_PCPU_STAT_TSTATS=2\n"                               \
	"struct rq_stats 32 packets@8:8 bytes@16:8 drops@24:8\n"                                   \
	"struct sq_stats 32 packets@0:8 bytes@8:8 timeouts@24:8\n"                                 \
	"struct receive_queue 64 stats@32=rq_stats\n"                                              \
	"struct send_queue 64 stats@32=sq_stats\n"                                                 \
	"struct virtnet_info 32 max_queue_pairs@0:2 rq@8:8 sq@16:8\n"                              \
	"struct veth_stats 40 rx_drops@0:8 xdp_packets@8:8 xdp_bytes@16:8 xdp_tx_err@24:8 "        \
	"peer_tq_xdp_xmit_err@32:8\n"                                                              \
	"struct veth_rq_stats 40 vs@0=veth_stats\n"                                                \
	"struct veth_rq 64 stats@8=veth_rq_stats\n"                                                \
	"struct veth_priv 32 peer@0:8 dropped@8:8 rq@16:8\n"                                       \
	"struct list_head 16 next@0:8 prev@8:8\n"                                                  \
	"struct module 64 name@8:1x56\n"                                                           \
	"struct btf 16 data@0:8 data_size@8:4\n"                                                   \
	"struct btf_module 32 list@0=list_head module@16:8 btf@24:8\n"

static const FuzzSymbol symbols[] = {
	{ "nr_cpu_ids", VARIABLES },
	{ "__cpu_possible_mask", VARIABLES + 8 },
	{ "__per_cpu_offset", VARIABLES + 16 },
	{ "btf_modules", VARIABLES + 24 },
	{ "__start_BTF", KERNEL_TYPES },
	{ "__stop_BTF", KERNEL_TYPES + KERNEL_TYPES_LEN },
};

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
	guint64 counters[LINUX_NET_N_COUNTERS] = { 0 };
	Linux driver;
	FuzzKernel k;

	if (len <= WHAT ||
	    !fuzz_kernel_init(&k, TYPES, NULL, symbols, G_N_ELEMENTS(symbols), data, len))
		return 0;
	switch (data[WHAT] % 3) {
	case 0:
		linux_net_virtio(&k.os, DEVICE, counters, NULL);
		break;
	case 1:
		linux_net_veth(&k.os, DEVICE, counters, NULL);
		break;
	case 2:
		if (linux_of_module(&k.os, "virtio_net", &driver, NULL, NULL))
			linux_net_virtio(&driver, DEVICE, counters, NULL);
		break;
	}
	fuzz_kernel_clear(&k);
	return 0;
}
