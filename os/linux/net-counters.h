/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* net-counters: what the kinds of devices are made of: places where numbers lie. */
#pragma once

#include "net.h"

G_BEGIN_DECLS

typedef struct {
	LinuxNetCounter counter;
	LinuxField field;
} LinuxNetPart;

/* dev->stats. */
gboolean
linux_net_stats(const Linux *os, guint64 dev, guint64 ret[LINUX_NET_N_COUNTERS], GError **error);
/* These add every processor's own: of what was sent; of what was sent and received. */
gboolean
linux_net_add_lstats(const Linux *os, guint64 dev, guint64 ret[LINUX_NET_N_COUNTERS],
		     GError **error);
gboolean
linux_net_add_tstats(const Linux *os, guint64 dev, guint64 ret[LINUX_NET_N_COUNTERS],
		     GError **error);

/* ---- drivers with types of their own, which os must have: net-drivers.c ---- */

gboolean
linux_net_virtio(const Linux *os, guint64 dev, guint64 ret[LINUX_NET_N_COUNTERS], GError **error);
gboolean
linux_net_veth(const Linux *os, guint64 dev, guint64 ret[LINUX_NET_N_COUNTERS], GError **error);

G_END_DECLS
