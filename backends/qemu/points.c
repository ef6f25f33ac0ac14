/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * points: equal ones are set once. QEMU tells of one point alone that holds a byte, so that those
 * that share some bytes and are not equal are refused. KVM has the four slots of the processor for
 * all of them; what QEMU emulates itself knows no limit, but each page with a point is slow.
 */
#include "points.h"

#include <vmifs/error.h>

#define MAX_POINTS 1024
#define KVM_SLOTS 4
#define KVM_MAX_LEN 8

QemuPoints *
qemu_points_new(void)
{
	return g_array_new(FALSE, FALSE, sizeof(QemuPoint));
}

static gboolean
is_tcg(const char *accel)
{
	return g_strcmp0(accel, "tcg") == 0;
}

static gboolean
is_same(const VmifsStopPoint *one, const VmifsStopPoint *other)
{
	if (one->kind != other->kind)
		return FALSE;
	return one->kind == VMIFS_STOP_STEP
		       ? one->vcpu == other->vcpu
		       : one->address == other->address && one->len == other->len &&
				 one->patch == other->patch;
}

static gboolean
is_memory(const VmifsStopPoint *point)
{
	return point->kind != VMIFS_STOP_EXEC && point->kind != VMIFS_STOP_STEP;
}

gboolean
qemu_points_have(const QemuPoints *points, const VmifsStopPoint *point)
{
	for (guint i = 0; i < points->len; i++)
		if (is_same(&qemu_points_at(points, i)->point, point))
			return TRUE;
	return FALSE;
}

gboolean
qemu_points_have_id(const QemuPoints *points, guint64 id)
{
	for (guint i = 0; i < points->len; i++)
		if (qemu_points_at(points, i)->id == id)
			return TRUE;
	return FALSE;
}

static gboolean
unsupported(const char *why, GError **error)
{
	g_set_error_literal(error, VMIFS_ERROR, VMIFS_ERROR_UNSUPPORTED, why);
	return FALSE;
}

/* Of those that take a slot, each once. */
static guint
count_slots(const QemuPoints *points)
{
	guint n = 0;

	for (guint i = 0; i < points->len; i++) {
		const VmifsStopPoint *point = &qemu_points_at(points, i)->point;
		gboolean is_first = TRUE;
		for (guint j = 0; j < i; j++)
			is_first &= !is_same(point, &qemu_points_at(points, j)->point);
		n += is_first && point->kind != VMIFS_STOP_STEP && !point->patch;
	}
	return n;
}

static gboolean
fits_kvm(const QemuPoints *points, const VmifsStopPoint *point, GError **error)
{
	if (point->kind == VMIFS_STOP_STEP || point->patch)
		return TRUE;
	if (point->kind == VMIFS_STOP_READ)
		return unsupported("KVM has no points for reads alone, but for either", error);
	if (is_memory(point) && (point->len > KVM_MAX_LEN || point->len & (point->len - 1) ||
				 point->address & (point->len - 1)))
		return unsupported("KVM takes 1, 2, 4 or 8 bytes at an address that they divide",
				   error);
	return count_slots(points) < KVM_SLOTS ||
	       unsupported("KVM has four slots for points of all kinds, and they are taken", error);
}

gboolean
qemu_points_fit(const QemuPoints *points, const char *accel, const VmifsStopPoint *point,
		GError **error)
{
	if (points->len >= MAX_POINTS)
		return unsupported("there are 1,024 points", error);
	if (qemu_points_have(points, point))
		return TRUE;
	for (guint i = 0; i < points->len && is_memory(point); i++) {
		const VmifsStopPoint *other = &qemu_points_at(points, i)->point;
		if (is_memory(other) && (other->address - point->address < point->len ||
					 point->address - other->address < other->len))
			return unsupported("another point has some of these bytes", error);
	}
	return is_tcg(accel) || fits_kvm(points, point, error);
}

gboolean
qemu_point_is_hit(const VmifsStopPoint *point, const QemuGdbStop *stop, guint64 pc)
{
	if (point->kind == VMIFS_STOP_STEP)
		return !stop->is_memory && point->vcpu == stop->vcpu;
	if (point->kind == VMIFS_STOP_EXEC)
		return !stop->is_memory && point->address == pc;
	return stop->is_memory && point->kind == stop->kind && point->address == stop->address;
}

void
qemu_points_caps(const char *accel, VmifsStopCaps *ret)
{
	gboolean is_free = is_tcg(accel);

	*ret = (VmifsStopCaps){
		.exec = TRUE,
		.patch = !is_free,
		.data = TRUE,
		.reads = is_free,
		.step = TRUE,
		.slots = is_free ? 0 : KVM_SLOTS,
		.max_len = is_free ? 0 : KVM_MAX_LEN,
		.apart = TRUE,
		.aligned = !is_free,
		.accel = accel,
	};
}
