/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * orders: what is wished of the thread that has QEMU's gdbstub. Who gives one waits until it is
 * carried out, or until his time is over: then it goes on without him, and what was armed for
 * nobody is disarmed. The thread is there for as long as there is something to do.
 */
#pragma once

#include "points.h"

#include <spi/backend.h>

G_BEGIN_DECLS

typedef enum {
	QEMU_ORDER_ARM,
	QEMU_ORDER_DISARM,
	QEMU_ORDER_DISARM_ALL,
	QEMU_ORDER_SET_STATE,
	QEMU_ORDER_RENEW,
} QemuDeed;

typedef struct {
	gatomicrefcount refs;
	QemuDeed deed;
	const char *accel; /* (static) (nullable) as of QemuDebugGuest */
	guint n_vcpus;
	QemuPoints *points; /* to be armed, or by their ids disarmed */
	guint failed;       /* of those to be armed: the one that is not, nor are the others */
	VmifsState wanted;
	gboolean is_idle; /* there was no session */
	GError *error;    /* it has failed */
	/* Of orders.c, under its lock. */
	gboolean is_done;
	gboolean is_left; /* nobody waits for it any more */
} QemuOrder;

typedef struct {
	int bell; /* an eventfd, which can be read while there are orders; -1: there is none */
	GThreadFunc run;
	gpointer user;
	GMutex lock;
	GCond moved;
	GQueue queue;      /* (lock) of QemuOrder */
	GThread *thread;   /* (lock) */
	gboolean is_alive; /* (lock) it takes orders */
} QemuOrders;

/* run: the thread, with user. */
void
qemu_orders_init(QemuOrders *orders, GThreadFunc run, gpointer user);
/* Waits for the thread, which has nothing to do any more. */
void
qemu_orders_clear(QemuOrders *orders);

QemuOrder *
qemu_order_new(QemuDeed deed);
void
qemu_order_unref(QemuOrder *order);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(QemuOrder, qemu_order_unref)

/* Until it is done. FALSE with its error, that of the call, or IO: there is no thread to be had, or
 * nothing to wake it by. Only a wish for points starts one. */
gboolean
qemu_orders_give(QemuOrders *orders, QemuOrder *order, const VmifsCall *call, GError **error);

/* The thread's. FALSE: there are none, nothing holds it (is_busy), and it takes none any more. */
gboolean
qemu_orders_take(QemuOrders *orders, gboolean is_busy, GQueue *ret);
void
qemu_orders_done(QemuOrders *orders, GQueue *taken);
/* After the bell was heard. */
void
qemu_orders_hear(const QemuOrders *orders);

G_END_DECLS
