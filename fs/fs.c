/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* fs: the tables of one mount. */
#include "fs.h"

#include "hostproc.h"
#include "nodes/nodes.h"

#include <sys/mman.h>
#include <time.h>
#include <unistd.h>

/* How long cancelled calls are waited for before the mount is given up. */
#define QUIET_US (G_USEC_PER_SEC / 4)

/* ---- guests ---- */

static void
mark_gone(VmifsFsGuest *guest)
{
	g_atomic_int_set(&guest->gone, 1);
	vmifs_keeper_wake(guest->keeper);
}

static VmifsFsGuest *
find_guest(VmifsFs *fs, VmifsGuest *vmifs_guest)
{
	g_autoptr(GMutexLocker) locker = g_mutex_locker_new(&fs->lock);
	VmifsFsGuest *guest = g_hash_table_lookup(fs->guests, vmifs_guest);
	return guest ? vmifs_fs_guest_ref(guest) : NULL;
}

/* Called by the engine. What nobody has looked up the kernel does not know. */
static void
told(VmifsHostEvent event, VmifsGuest *vmifs_guest, gpointer user)
{
	g_autoptr(VmifsFsGuest) guest = find_guest(user, vmifs_guest);
	if (guest && event == VMIFS_HOST_GUEST_GONE)
		mark_gone(guest);
	else if (guest)
		vmifs_fs_guest_look(guest);
}

/* The end of the first discovery. */
static void
discovered(gpointer vmifs_guest, gpointer user)
{
	g_autoptr(VmifsFsGuest) guest = user;
	vmifs_fs_guest_look(guest);
}

gboolean
vmifs_fs_is_listed(VmifsFs *fs, const VmifsFsGuest *guest)
{
	const char *name = vmifs_guest_name(guest->guest);
	if (guest->origin && g_atomic_int_get(&guest->origin->gone))
		return FALSE;
	g_autoptr(VmifsGuest) found = guest->origin
					      ? vmifs_guest_snapshot(guest->origin->guest, name)
					      : vmifs_host_find(fs->host, name);
	return found == guest->guest;
}

VmifsFsGuest *
vmifs_fs_guest(VmifsFs *fs, VmifsGuest *vmifs_guest, VmifsFsGuest *origin)
{
	g_mutex_lock(&fs->lock);
	VmifsFsGuest *guest = g_hash_table_lookup(fs->guests, vmifs_guest);
	gboolean made = !guest;
	if (made) {
		guest = vmifs_fs_guest_new(vmifs_guest, origin, fs->keeper, ++fs->last_serial);
		g_hash_table_insert(fs->guests, vmifs_guest, guest);
	}
	vmifs_fs_guest_ref(guest);
	g_mutex_unlock(&fs->lock);
	if (made)
		vmifs_guest_when_discovered(vmifs_guest, discovered, vmifs_fs_guest_ref(guest));
	if (made && !vmifs_fs_is_listed(fs, guest)) {
		/* We were told too early. */
		if (origin)
			vmifs_keeper_wake(fs->keeper);
		else
			mark_gone(guest);
	}
	return guest;
}

GPtrArray *
vmifs_fs_guests(VmifsFs *fs)
{
	GPtrArray *guests = g_ptr_array_new_with_free_func((GDestroyNotify) vmifs_fs_guest_unref);
	g_autoptr(GMutexLocker) locker = g_mutex_locker_new(&fs->lock);
	GHashTableIter iter;
	gpointer guest;
	g_hash_table_iter_init(&iter, fs->guests);
	while (g_hash_table_iter_next(&iter, NULL, &guest))
		g_ptr_array_add(guests, vmifs_fs_guest_ref(guest));
	return guests;
}

void
vmifs_fs_drop_guest(VmifsFs *fs, VmifsFsGuest *guest)
{
	gpointer dropped = NULL;
	vmifs_fs_guest_stop(guest);
	g_mutex_lock(&fs->lock);
	g_hash_table_steal_extended(fs->guests, guest->guest, NULL, &dropped);
	g_mutex_unlock(&fs->lock);
	vmifs_fs_guest_unref(dropped);
}

gboolean
vmifs_fs_drop_unused(VmifsFs *fs, VmifsFsGuest *guest)
{
	gpointer dropped = NULL;
	g_mutex_lock(&fs->lock);
	/* The table's reference, and the caller's: others are taken under this lock, or by those
	 * who have one. */
	gboolean unused = g_atomic_ref_count_compare(&guest->refs, 2);
	if (unused)
		g_hash_table_steal_extended(fs->guests, guest->guest, NULL, &dropped);
	g_mutex_unlock(&fs->lock);
	if (unused)
		vmifs_fs_guest_stop(guest);
	vmifs_fs_guest_unref(dropped);
	return unused;
}

/* ---- threads that take requests ---- */

gboolean
vmifs_fs_lend_worker(VmifsFs *fs)
{
	gint lent = g_atomic_int_add(&fs->lent, 1);
	if (lent < fs->n_workers / 2)
		return TRUE;
	vmifs_fs_have_worker_back(fs);
	return FALSE;
}

void
vmifs_fs_have_worker_back(VmifsFs *fs)
{
	g_atomic_int_add(&fs->lent, -1);
}

/* ---- the mount ---- */

static const char *
refused_passthrough(const VmifsFsOptions *options)
{
	if (options->no_passthrough)
		return "-o nopassthrough";
	if (options->engine.holes_error)
		return "-o holes=error";
	return NULL;
}

VmifsFs *
vmifs_fs_new(VmifsHost *host, const VmifsFsOptions *options, GError **error)
{
	VmifsFs *fs = g_new0(VmifsFs, 1);
	fs->host = host;
	fs->proc = vmifs_hostproc_open();
	fs->options = options;
	fs->file_mode = vmifs_fs_options_file_mode(options);
	fs->write_mode = vmifs_fs_options_write_mode(options);
	fs->dir_mode = vmifs_fs_options_dir_mode(options);
	fs->uid = options->has_uid ? options->uid : getuid();
	fs->gid = options->has_gid ? options->gid : getgid();
	clock_gettime(CLOCK_REALTIME, &fs->mounted);
	gpointer zeros = mmap(NULL, VMIFS_ZEROS_LEN, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	g_assert(zeros != MAP_FAILED);
	fs->zeros = zeros;
	fs->inodes = vmifs_inodes_new(vmifs_node_new(&vmifs_node_root, NULL, "", 0));
	fs->handles = vmifs_handles_new();
	fs->contents = vmifs_contents_new();
	fs->passthrough = vmifs_passthrough_new(refused_passthrough(options));
	/* As many as processors, all kept: more only hand requests to sleeping threads, which costs
	 * a third of the throughput of small reads. */
	fs->n_workers = (gint) g_get_num_processors();
	g_mutex_init(&fs->filling);
	g_mutex_init(&fs->lock);
	fs->guests = g_hash_table_new_full(NULL, NULL, NULL, (GDestroyNotify) vmifs_fs_guest_unref);
	fs->keeper = vmifs_keeper_new(fs, error);
	if (!fs->keeper) {
		vmifs_fs_free(fs);
		return NULL;
	}
	vmifs_host_listen(host, told, fs);
	return fs;
}

void
vmifs_fs_cancel(VmifsFs *fs)
{
	g_autoptr(GPtrArray) guests = vmifs_fs_guests(fs);
	for (guint i = 0; i < guests->len; i++) {
		vmifs_fs_guest_cancel(g_ptr_array_index(guests, i));
		vmifs_fs_guest_abandon(g_ptr_array_index(guests, i));
	}
}

void
vmifs_fs_quiet(VmifsFs *fs)
{
	gint64 end = g_get_monotonic_time() + QUIET_US;
	vmifs_fs_cancel(fs);
	g_autoptr(GPtrArray) guests = vmifs_fs_guests(fs);
	for (guint i = 0; i < guests->len; i++)
		while (!vmifs_fs_guest_is_idle(g_ptr_array_index(guests, i)) &&
		       g_get_monotonic_time() < end)
			g_usleep(1000);
}

void
vmifs_fs_free(VmifsFs *fs)
{
	vmifs_host_listen(fs->host, NULL, NULL);
	vmifs_fs_cancel(fs);
	vmifs_keeper_free(fs->keeper);
	g_autoptr(GPtrArray) guests = vmifs_fs_guests(fs);
	for (guint i = 0; i < guests->len; i++)
		vmifs_fs_guest_stop(g_ptr_array_index(guests, i));
	vmifs_host_free(fs->host);
	vmifs_handles_free(fs->handles);
	vmifs_passthrough_free(fs->passthrough);
	vmifs_inodes_free(fs->inodes);
	vmifs_contents_free(fs->contents);
	g_hash_table_unref(fs->guests);
	if (fs->proc >= 0)
		close(fs->proc);
	munmap((void *) fs->zeros, VMIFS_ZEROS_LEN);
	g_mutex_clear(&fs->lock);
	g_mutex_clear(&fs->filling);
	g_free(fs);
}
