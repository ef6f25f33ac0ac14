/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* live: see live.h. */
#include "live.h"

#include <errno.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#define PAGE 4096
#define MORE_AT ((guint64) 1 << 20)

/* ---- the guest ---- */

LiveGuest *
live_guest_new(const char *name, gint64 started)
{
	LiveGuest *guest = g_new0(LiveGuest, 1);

	guest->name = g_strdup(name);
	guest->key = g_strdup_printf("%s:%" G_GINT64_FORMAT, name, started);
	guest->started = started;
	guest->fd = memfd_create("vmifs-live", MFD_CLOEXEC);
	g_assert(guest->fd >= 0 && !ftruncate(guest->fd, LIVE_LEN));
	guest->ram = mmap(NULL, LIVE_LEN, PROT_READ | PROT_WRITE, MAP_SHARED, guest->fd, 0);
	g_assert(guest->ram != MAP_FAILED);
	guest->armed = g_array_new(FALSE, FALSE, sizeof(LivePoint));
	g_mutex_init(&guest->stops);
	g_cond_init(&guest->told);
	return guest;
}

void
live_guest_free(LiveGuest *guest)
{
	munmap(guest->ram, LIVE_LEN);
	close(guest->fd);
	g_array_unref(guest->armed);
	g_mutex_clear(&guest->stops);
	g_cond_clear(&guest->told);
	g_free(guest->name);
	g_free(guest->key);
	g_free(guest);
}

void
live_put(LiveGuest *guest, gsize at, guint64 value)
{
	value = GUINT64_TO_LE(value);
	memcpy(guest->ram + at, &value, sizeof value);
}

void
live_changed(LiveGuest *guest, guint what)
{
	guest->changed(guest->engine, what);
}

/* ---- the backend ---- */

static int
probe(const VmifsSource *src)
{
	return 0;
}

static gpointer
open_guest(const VmifsSource *src, const VmifsCall *call, GError **error)
{
	LiveGuest *guest = src->target;

	if (g_atomic_int_get(&guest->fails) > 0) {
		g_atomic_int_add(&guest->fails, -1);
		g_set_error(error, VMIFS_ERROR, VMIFS_ERROR_SOURCE, "not yet");
		return NULL;
	}
	guest->changed = src->changed;
	guest->stopped = src->stopped;
	guest->unarmed = src->unarmed;
	guest->engine = src->engine;
	g_atomic_int_inc(&guest->n_open);
	return guest;
}

static void
close_guest(gpointer self)
{
	LiveGuest *guest = self;

	g_mutex_lock(&guest->stops);
	g_array_set_size(guest->armed, 0);
	g_mutex_unlock(&guest->stops);
	g_atomic_int_add(&guest->n_open, -1);
}

static gboolean
layout(gpointer self, VmifsLayout *ret, const VmifsCall *call, GError **error)
{
	LiveGuest *guest = self;
	guint64 more = (guint64) g_atomic_int_get((gint *) &guest->more) * PAGE;
	VmifsBlock blocks[] = { { .name = g_strdup("ram"), .len = LIVE_LEN, .fd = guest->fd },
				{ .name = g_strdup("dimm"), .len = more, .fd = -1 } };
	VmifsRegion regions[] = { { .pa = 0, .len = LIVE_LEN, .block = 0 },
				  { .pa = MORE_AT, .len = more, .block = 1 } };

	ret->n_vcpus = guest->n_vcpus;
	ret->is_silent = guest->is_silent;
	ret->is_encrypted = guest->is_encrypted;
	g_array_append_vals(ret->blocks, blocks, more ? 2 : 1);
	g_array_append_vals(ret->regions, regions, more ? 2 : 1);
	if (!more)
		g_free((char *) blocks[1].name);
	return TRUE;
}

static gsize
read_guest(gpointer self, VmifsIo *io, gsize n, const VmifsCall *call)
{
	LiveGuest *guest = self;

	g_usleep(guest->slow_ms * 1000);
	for (gsize i = 0; i < n; i++) {
		io[i].status = 0;
		if (io[i].block)
			memset(io[i].buf, 0x5a, io[i].len);
		else
			memcpy(io[i].buf, guest->ram + io[i].offset, io[i].len);
		g_atomic_int_inc(&guest->n_read);
	}
	return n;
}

static gsize
write_guest(gpointer self, VmifsIo *io, gsize n, const VmifsCall *call)
{
	LiveGuest *guest = self;

	for (gsize i = 0; i < n; i++) {
		io[i].status = io[i].block ? EIO : 0;
		if (!io[i].block)
			memcpy(guest->ram + io[i].offset, io[i].buf, io[i].len);
	}
	return n;
}

static gboolean
map(gpointer self, guint32 block, VmifsDirect *ret, GError **error)
{
	LiveGuest *guest = self;

	if (block || guest->unmapped)
		return FALSE;
	ret->mapping = vmifs_mapping_new(guest->fd, 0, LIVE_LEN, error);
	ret->to_kernel = TRUE;
	return ret->mapping != NULL;
}

static gboolean
state(gpointer self, VmifsState *ret, const VmifsCall *call, GError **error)
{
	LiveGuest *guest = self;

	*ret = (VmifsState) g_atomic_int_get(&guest->state);
	return TRUE;
}

static gboolean
set_state(gpointer self, VmifsState wanted, const VmifsCall *call, GError **error)
{
	LiveGuest *guest = self;

	g_atomic_int_set(&guest->state, (gint) wanted);
	return TRUE;
}

static gboolean
regs_of(gpointer self, guint vcpu, VmifsRegs *regs, const VmifsCall *call, GError **error)
{
	LiveGuest *guest = self;

	g_atomic_int_inc(&guest->n_asked);
	vmifs_regs_set(regs, "cr3", 0x1000);
	if (guest->knows_rdi) {
		vmifs_regs_set(regs, "rip", 0);
		vmifs_regs_set(regs, "rdi", 0);
	}
	if (guest->gates) {
		vmifs_regs_set(regs, "rip", 0);
		vmifs_regs_set(regs, "idt_base", guest->gates + vcpu * guest->gates_apart);
		vmifs_regs_set(regs, "idt_limit", guest->gates_limit);
		vmifs_regs_set(regs, "cr4", guest->cr4);
	}
	return TRUE;
}

static gboolean
snapshot(gpointer self, VmifsPictureWriter *out, const VmifsCall *call, GError **error)
{
	LiveGuest *guest = self;
	VmifsPictureTaken taken = { .how = "by copying it", .moment = 1000000, .still_us = 2000 };
	gboolean whole = vmifs_picture_write(out, 0, 0, guest->ram, LIVE_LEN, error);

	g_atomic_int_inc(&guest->n_taken);
	g_atomic_int_inc(&guest->n_taking);
	while (whole && g_atomic_int_get(&guest->holds)) {
		whole = vmifs_call_check(call, error);
		g_usleep(1000);
	}
	vmifs_picture_set_taken(out, &taken);
	g_atomic_int_add(&guest->n_taking, -1);
	return whole;
}

/* ---- stops ---- */

static gboolean
stop_caps(gpointer self, VmifsStopCaps *ret, const VmifsCall *call, GError **error)
{
	LiveGuest *guest = self;
	void (*asking)(gpointer user) = g_steal_pointer(&guest->asking);

	if (asking)
		asking(guest->asking_user);
	*ret = guest->caps;
	return TRUE;
}

static gboolean
arm(gpointer self, guint64 id, const VmifsStopPoint *points, guint n, guint *ret_failed,
    const VmifsCall *call, GError **error)
{
	LiveGuest *guest = self;
	void (*arming)(gpointer user) = g_steal_pointer(&guest->arming);

	if (arming)
		arming(guest->arming_user);
	g_autoptr(GMutexLocker) locker = g_mutex_locker_new(&guest->stops);
	guest->n_orders++;
	for (*ret_failed = 0; *ret_failed < n; ++*ret_failed) {
		if (guest->fault &&
		    (!guest->fault_at || guest->fault_at == points[*ret_failed].address)) {
			g_set_error_literal(error, VMIFS_ERROR,
					    guest->is_late ? VMIFS_ERROR_TIMEOUT
							   : VMIFS_ERROR_UNSUPPORTED,
					    guest->fault);
			return FALSE;
		}
	}
	for (guint i = 0; i < n; i++) {
		LivePoint armed = { .id = id + i, .point = points[i] };
		g_array_append_val(guest->armed, armed);
	}
	guest->n_armed += n;
	return TRUE;
}

static gboolean
find_locked(LiveGuest *guest, guint64 id, guint *ret)
{
	for (*ret = 0; *ret < guest->armed->len; ++*ret)
		if (g_array_index(guest->armed, LivePoint, *ret).id == id)
			return TRUE;
	return FALSE;
}

static void
remove_locked(LiveGuest *guest, guint64 id)
{
	guint index;

	if (find_locked(guest, id, &index))
		g_array_remove_index(guest->armed, index);
}

static void
disarm(gpointer self, const guint64 *ids, guint n)
{
	LiveGuest *guest = self;
	g_autoptr(GMutexLocker) locker = g_mutex_locker_new(&guest->stops);

	guest->n_orders++;
	for (guint i = 0; i < n; i++) {
		while (guest->telling == ids[i])
			g_cond_wait(&guest->told, &guest->stops);
		remove_locked(guest, ids[i]);
	}
}

guint
live_n_armed(LiveGuest *guest)
{
	g_autoptr(GMutexLocker) locker = g_mutex_locker_new(&guest->stops);

	return guest->armed->len;
}

static gboolean
is_at(const VmifsStopPoint *point, VmifsStopKind kind, guint64 address, guint vcpu)
{
	gboolean is_kind =
		point->kind == kind || (point->kind == VMIFS_STOP_ACCESS &&
					(kind == VMIFS_STOP_READ || kind == VMIFS_STOP_WRITE));

	return is_kind && (kind == VMIFS_STOP_STEP ? point->vcpu == vcpu
						   : address - point->address < MAX(point->len, 1));
}

guint
live_stop(LiveGuest *guest, VmifsStopKind kind, guint64 address, guint vcpu, const VmifsRegs *regs)
{
	g_autoptr(GMutexLocker) locker = g_mutex_locker_new(&guest->stops);
	g_autoptr(GArray) now = g_array_copy(guest->armed);
	VmifsStopVerdict verdict = VMIFS_STOP_KEEP;
	guint n = 0, index;

	for (guint i = 0; i < now->len && verdict != VMIFS_STOP_DISARM_ALL; i++) {
		const LivePoint *armed = &g_array_index(now, LivePoint, i);
		VmifsStop stop = { .id = armed->id,
				   .vcpu = vcpu,
				   .address = address,
				   .time_ns = g_get_real_time() * 1000,
				   .regs = regs,
				   .n_stops = n ? 0 : MAX(guest->n_stops, 1) };
		if (!is_at(&armed->point, kind, address, vcpu) ||
		    !find_locked(guest, armed->id, &index))
			continue;
		guest->telling = armed->id;
		gboolean comes = !n && guest->n_told++ % 2;
		g_mutex_unlock(&guest->stops);
		if (comes)
			guest->stopped(guest->engine, &(VmifsStop){ .id = VMIFS_STOP_COMES });
		verdict = guest->stopped(guest->engine, &stop);
		g_mutex_lock(&guest->stops);
		guest->telling = 0;
		g_cond_broadcast(&guest->told);
		if (verdict == VMIFS_STOP_DISARM)
			remove_locked(guest, armed->id);
		else if (verdict == VMIFS_STOP_DISARM_ALL)
			g_array_set_size(guest->armed, 0);
		n++;
	}
	return n;
}

void
live_unarm(LiveGuest *guest, const char *why)
{
	g_mutex_lock(&guest->stops);
	g_autoptr(GArray) gone = g_array_copy(guest->armed);
	g_array_set_size(guest->armed, 0);
	g_mutex_unlock(&guest->stops);
	for (guint i = 0; i < gone->len; i++)
		guest->unarmed(guest->engine, g_array_index(gone, LivePoint, i).id, why);
}

static const VmifsBackend live_backend = {
	.name = "live",
	.probe = probe,
	.open = open_guest,
	.close = close_guest,
	.layout = layout,
	.read = read_guest,
	.write = write_guest,
	.map = map,
	.state = state,
	.set_state = set_state,
	.regs = regs_of,
	.snapshot = snapshot,
	.stop_caps = stop_caps,
	.arm = arm,
	.disarm = disarm,
};

/* ---- the finder ---- */

typedef struct {
	VmifsFinderSink sink;
} Finder;

static GMutex lock;
static GPtrArray *guests, *open_finders;

static int
probe_word(const char *spec)
{
	return g_str_has_prefix(spec, "live:") ? 100 : 0;
}

static void
tell(Finder *finder, LiveGuest *guest)
{
	g_autofree char *source = g_strdup_printf("live:%s", guest->name);
	VmifsFound found = { .key = guest->key,
			     .name = guest->name,
			     .source = source,
			     .started = guest->started,
			     .backend = &live_backend,
			     .target = guest };

	finder->sink.found(finder->sink.engine, &found);
}

static gpointer
open_finder(const char *spec, const VmifsOptions *options, const VmifsFinderSink *sink,
	    const VmifsCall *call, GError **error)
{
	const char *slow = strstr(spec, "slow");

	if (slow)
		g_usleep((gulong) g_ascii_strtoull(slow + strlen("slow"), NULL, 10) * 1000);
	g_autoptr(GMutexLocker) locker = g_mutex_locker_new(&lock);
	if (g_str_has_suffix(spec, "nothing")) {
		g_set_error(error, VMIFS_ERROR, VMIFS_ERROR_SOURCE, "%s: nobody answers", spec);
		return NULL;
	}
	Finder *finder = g_new0(Finder, 1);
	finder->sink = *sink;
	if (!open_finders)
		open_finders = g_ptr_array_new();
	g_ptr_array_add(open_finders, finder);
	for (guint i = 0; guests && i < guests->len; i++)
		tell(finder, g_ptr_array_index(guests, i));
	return finder;
}

static int
probe_second(const char *spec)
{
	return g_str_has_prefix(spec, "live:two") ? 100 : g_str_has_prefix(spec, "live:") ? 50 : 0;
}

static gpointer
open_second(const char *spec, const VmifsOptions *options, const VmifsFinderSink *sink,
	    const VmifsCall *call, GError **error)
{
	if (g_str_equal(spec, "live:two"))
		return open_finder(spec, options, sink, call, error);
	g_set_error(error, VMIFS_ERROR, VMIFS_ERROR_SOURCE, "%s: nor does anybody here", spec);
	return NULL;
}

static void
close_finder(gpointer self)
{
	g_autoptr(GMutexLocker) locker = g_mutex_locker_new(&lock);

	g_ptr_array_remove(open_finders, self);
	g_free(self);
}

void
live_start(LiveGuest *guest)
{
	g_autoptr(GMutexLocker) locker = g_mutex_locker_new(&lock);

	if (!guests)
		guests = g_ptr_array_new();
	g_ptr_array_add(guests, guest);
	for (guint i = 0; open_finders && i < open_finders->len; i++)
		tell(g_ptr_array_index(open_finders, i), guest);
}

void
live_end(LiveGuest *guest)
{
	g_autoptr(GMutexLocker) locker = g_mutex_locker_new(&lock);

	g_ptr_array_remove(guests, guest);
	for (guint i = 0; open_finders && i < open_finders->len; i++) {
		Finder *finder = g_ptr_array_index(open_finders, i);
		finder->sink.gone(finder->sink.engine, guest->key);
	}
}

extern const VmifsFinder vmifs_finder_test;
const VmifsFinder vmifs_finder_test = {
	.name = "test",
	.words = "live:ANYTHING",
	.probe = probe_word,
	.open = open_finder,
	.close = close_finder,
};

extern const VmifsFinder vmifs_finder_second;
const VmifsFinder vmifs_finder_second = {
	.name = "second",
	.words = "live:two",
	.probe = probe_second,
	.open = open_second,
	.close = close_finder,
};
