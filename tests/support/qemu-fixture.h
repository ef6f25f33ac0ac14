/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* qemu-fixture: the backend's own interface, of another process and what its monitor once said. */
#pragma once

#include <backends/qemu/qmp.h>
#include <backends/qemu/target.h>
#include <fake-session.h>
#include <other-process.h>
#include <unit.h>

#include <spi/backend.h>
#include <string.h>

#define LEN ((guint64) 64 << 20)
#define SOON (3 * G_TIME_SPAN_SECOND)

extern const VmifsBackend vmifs_backend_qemu;

typedef struct {
	OtherProcess *other;
	QemuTarget target;
	GMutex lock;
	GCond cond;
	guint changes; /* under lock: bits that were told */
	gpointer guest;
} Fixture;

static inline void
changed(gpointer data, guint what)
{
	Fixture *f = data;

	g_mutex_lock(&f->lock);
	f->changes |= what;
	g_cond_broadcast(&f->cond);
	g_mutex_unlock(&f->lock);
}

static inline gboolean
wait_for(Fixture *f, guint what)
{
	gint64 until = g_get_monotonic_time() + SOON;

	g_mutex_lock(&f->lock);
	while (!(f->changes & what) && g_cond_wait_until(&f->cond, &f->lock, until))
		;
	gboolean came = (f->changes & what) != 0;
	f->changes = 0;
	g_mutex_unlock(&f->lock);
	return came;
}

/* What the monitor of a pc with that RAM says: two pieces, and a DIMM if there is one. */
static inline char *
session_of(const OtherProcess *other, guint64 dimm)
{
	guint64 ram = other_process_address(other);
	GString *s = g_string_new("qmp query-status\n"
				  "\t{\"running\": false, \"status\": \"paused\"}\n"
				  "hmp info mtree -f\n"
				  "\tFlatView #0\n"
				  "\t AS \"memory\", root: system\n"
				  "\t Root memory region: system\n"
				  "\t  0000000000000000-000000000009ffff (prio 0, ram): pc.ram\n"
				  "\t  00000000000a0000-00000000000bffff (prio 1, i/o): vga\n"
				  "\t  0000000000100000-0000000003ffffff (prio 0, ram): pc.ram "
				  "@0000000000100000\n");
	const guint64 ends[][2] = {
		{ 0, 0 }, { 0x9ffff, 0x9ffff }, { 0x100000, 0x100000 }, { LEN - 1, LEN - 1 }
	};

	if (dimm)
		g_string_append(s, "\t  0000000100000000-0000000103ffffff (prio 0, ram): dimm\n");
	for (guint i = 0; i < 4; i++)
		g_string_append_printf(s,
				       "hmp gpa2hva 0x%" G_GINT64_MODIFIER
				       "x\n\tHost virtual address for 0x%" G_GINT64_MODIFIER
				       "x (pc.ram) is 0x%" G_GINT64_MODIFIER "x\n",
				       ends[i][0], ends[i][0], ram + ends[i][1]);
	for (guint i = 0; i < 2 && dimm; i++) {
		guint64 at = i ? LEN - 1 : 0, pa = ((guint64) 1 << 32) + at;
		g_string_append_printf(s,
				       "hmp gpa2hva 0x%" G_GINT64_MODIFIER
				       "x\n\tHost virtual address for 0x%" G_GINT64_MODIFIER
				       "x (dimm) is 0x%" G_GINT64_MODIFIER "x\n",
				       pa, pa, dimm + at);
	}
	return g_string_free(s, FALSE);
}

static inline void
set_monitor(Fixture *f, guint64 dimm)
{
	g_autofree char *session = session_of(f->other, dimm);

	qemu_monitor_free(f->target.monitor);
	f->target.monitor = fake_monitor_new(session);
}

static inline void
fixture_init(Fixture *f, OtherKind kind)
{
	static const char arguments[] = "qemu-system-x86_64\0-m\0"
					"64";

	memset(f, 0, sizeof *f);
	g_mutex_init(&f->lock);
	g_cond_init(&f->cond);
	f->other = other_process_new(kind, LEN);
	f->target.pid = other_process_pid(f->other);
	f->target.args = qemu_args_parse(arguments, sizeof arguments);
}

static inline void
open_guest(Fixture *f, gboolean guest_rw, GError **error)
{
	VmifsOptions options = { .size = sizeof options, .guest_rw = guest_rw };
	VmifsSource src = { .spec = "pid:1",
			    .fd = -1,
			    .options = &options,
			    .target = &f->target,
			    .changed = changed,
			    .engine = f };

	f->guest = vmifs_backend_qemu.open(&src, NULL, error);
}

static inline void
fixture_clear(Fixture *f)
{
	if (f->guest)
		vmifs_backend_qemu.close(f->guest);
	qemu_monitor_free(f->target.monitor);
	qemu_args_free(f->target.args);
	other_process_free(f->other);
	g_mutex_clear(&f->lock);
	g_cond_clear(&f->cond);
}

static inline void
clear_layout(VmifsLayout *layout)
{
	for (guint i = 0; i < layout->blocks->len; i++)
		g_free((char *) g_array_index(layout->blocks, VmifsBlock, i).name);
	g_array_unref(layout->blocks);
	g_array_unref(layout->regions);
}

static inline void
count(const Fixture *f, guint *ret_regions, guint *ret_vcpus)
{
	VmifsLayout layout = { .regions = g_array_new(FALSE, FALSE, sizeof(VmifsRegion)),
			       .blocks = g_array_new(FALSE, FALSE, sizeof(VmifsBlock)) };

	ck_assert(vmifs_backend_qemu.layout(f->guest, &layout, NULL, NULL));
	*ret_regions = layout.regions->len;
	*ret_vcpus = layout.n_vcpus;
	ck_assert(!layout.is_silent);
	clear_layout(&layout);
}

static inline gboolean
is_encrypted(const Fixture *f)
{
	VmifsLayout layout = { .regions = g_array_new(FALSE, FALSE, sizeof(VmifsRegion)),
			       .blocks = g_array_new(FALSE, FALSE, sizeof(VmifsBlock)) };

	ck_assert(vmifs_backend_qemu.layout(f->guest, &layout, NULL, NULL));
	clear_layout(&layout);
	return layout.is_encrypted;
}

static inline guint
count_regions(const Fixture *f)
{
	guint regions, vcpus;

	count(f, &regions, &vcpus);
	return regions;
}

static inline guint
count_vcpus(const Fixture *f)
{
	guint regions, vcpus;

	count(f, &regions, &vcpus);
	return vcpus;
}

static inline char *
info_of(const Fixture *f)
{
	GString *out = g_string_new(NULL);

	vmifs_backend_qemu.info(f->guest, out);
	return g_string_free(out, FALSE);
}
