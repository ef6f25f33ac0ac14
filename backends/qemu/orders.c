/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * orders: see the header. They are counted, as who gave one may leave before the thread takes it
 * up.
 */
#include "orders.h"

#include <errno.h>
#include <sys/eventfd.h>
#include <unistd.h>
#include <vmifs/error.h>

/* Between two looks at whether who waits has been told to stop. */
#define LOOK_INTERVAL (20 * G_TIME_SPAN_MILLISECOND)

void
qemu_orders_init(QemuOrders *self, GThreadFunc run, gpointer user)
{
	*self = (QemuOrders){ .bell = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK),
			      .run = run,
			      .user = user };
	g_mutex_init(&self->lock);
	g_cond_init(&self->moved);
	g_queue_init(&self->queue);
}

void
qemu_orders_clear(QemuOrders *self)
{
	g_clear_pointer(&self->thread, g_thread_join);
	if (self->bell >= 0)
		close(self->bell);
	g_mutex_clear(&self->lock);
	g_cond_clear(&self->moved);
}

QemuOrder *
qemu_order_new(QemuDeed deed)
{
	QemuOrder *order = g_new0(QemuOrder, 1);

	g_atomic_ref_count_init(&order->refs);
	order->deed = deed;
	order->points = qemu_points_new();
	return order;
}

void
qemu_order_unref(QemuOrder *order)
{
	if (!g_atomic_ref_count_dec(&order->refs))
		return;
	g_clear_error(&order->error);
	g_array_unref(order->points);
	g_free(order);
}

static void
ring(const QemuOrders *self)
{
	guint64 one = 1;

	while (write(self->bell, &one, sizeof one) < 0 && errno == EINTR)
		;
}

void
qemu_orders_hear(const QemuOrders *self)
{
	guint64 count;

	if (read(self->bell, &count, sizeof count) < 0)
		return; /* somebody has cleared it */
}

static gboolean
queue(QemuOrders *self, QemuOrder *order, GError **error)
{
	g_autoptr(GMutexLocker) locker = g_mutex_locker_new(&self->lock);

	if (!self->is_alive && order->deed != QEMU_ORDER_ARM) {
		order->is_done = order->is_idle = TRUE;
		return TRUE;
	}
	if (self->bell < 0) {
		g_set_error_literal(error, VMIFS_ERROR, VMIFS_ERROR_IO, "eventfd fails");
		return FALSE;
	}
	if (!self->is_alive) {
		/* The one before takes no lock any more. */
		g_clear_pointer(&self->thread, g_thread_join);
		self->thread = g_thread_try_new("qemu-debug", self->run, self->user, error);
		self->is_alive = self->thread != NULL;
	}
	if (!self->is_alive)
		return FALSE;
	g_atomic_ref_count_inc(&order->refs);
	g_queue_push_tail(&self->queue, order);
	ring(self);
	return TRUE;
}

static gboolean
wait_for(QemuOrders *self, QemuOrder *order, const VmifsCall *call, GError **error)
{
	g_autoptr(GMutexLocker) locker = g_mutex_locker_new(&self->lock);

	while (!order->is_done) {
		if (!vmifs_call_check(call, error)) {
			order->is_left = TRUE;
			return FALSE;
		}
		g_cond_wait_until(&self->moved, &self->lock,
				  g_get_monotonic_time() + LOOK_INTERVAL);
	}
	if (!order->error)
		return TRUE;
	g_propagate_error(error, g_error_copy(order->error));
	return FALSE;
}

gboolean
qemu_orders_give(QemuOrders *self, QemuOrder *order, const VmifsCall *call, GError **error)
{
	return queue(self, order, error) && wait_for(self, order, call, error);
}

gboolean
qemu_orders_take(QemuOrders *self, gboolean is_busy, GQueue *ret)
{
	g_autoptr(GMutexLocker) locker = g_mutex_locker_new(&self->lock);

	*ret = self->queue;
	g_queue_init(&self->queue);
	self->is_alive = ret->length || is_busy;
	return self->is_alive;
}

void
qemu_orders_done(QemuOrders *self, GQueue *taken)
{
	g_autoptr(GMutexLocker) locker = g_mutex_locker_new(&self->lock);
	gboolean are_some = taken->length > 0; /* after most stops there are none */
	QemuOrder *order;

	while ((order = g_queue_pop_head(taken))) {
		order->is_done = TRUE;
		/* It was armed for nobody. */
		if (order->is_left && order->deed == QEMU_ORDER_ARM && !order->error) {
			order->deed = QEMU_ORDER_DISARM;
			g_queue_push_tail(&self->queue, order);
			ring(self);
		} else {
			qemu_order_unref(order);
		}
	}
	if (are_some)
		g_cond_broadcast(&self->moved);
}
