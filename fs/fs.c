/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * fs: the tables of one mount, and the queues of its guests. Requests that wait for discovery hold
 * no thread: they are parked in a list that the end of discovery empties into the guest's pool.
 *
 *   request -> parked --(discovery has ended)--> pool (VMIFS_QUEUE_THREADS) -> answered
 *                 `------ Ctrl-C: answered at once, dropped when its turn comes
 */
#include "fs.h"

#include "hostproc.h"
#include "nodes/nodes.h"
#include "request.h"

#include <sys/mman.h>
#include <time.h>
#include <unistd.h>

/* How long cancelled calls are waited for before the mount is given up. */
#define QUIET_US (G_USEC_PER_SEC / 4)

/* ---- queues ---- */

static void
work(gpointer data, gpointer user)
{
	VmifsRequest *request = data;
	VmifsFsGuest *guest = user;
	vmifs_request_work(request);
	g_mutex_lock(&guest->lock);
	g_queue_unlink(&guest->running, &request->link);
	g_mutex_unlock(&guest->lock);
	vmifs_request_free(request);
}

static void
run_locked(VmifsFsGuest *guest, VmifsRequest *request)
{
	request->deadline = g_get_monotonic_time() + VMIFS_QUEUE_DEADLINE;
	g_queue_push_tail_link(&guest->running, &request->link);
	g_thread_pool_push(guest->pool, request, NULL);
}

static void
discovered(gpointer data, gpointer user)
{
	VmifsFsGuest *guest = user;
	g_autoptr(GMutexLocker) locker = g_mutex_locker_new(&guest->lock);
	g_atomic_int_set(&guest->discovered, 1);
	GList *link;
	while (!guest->closing && (link = g_queue_pop_head_link(&guest->parked)))
		run_locked(guest, link->data);
}

void
vmifs_fs_guest_queue(VmifsFsGuest *guest, VmifsRequest *request, VmifsDefer defer)
{
	g_autoptr(GMutexLocker) locker = g_mutex_locker_new(&guest->lock);
	if (guest->closing ||
	    (defer == VMIFS_DEFER_DISCOVERY && !g_atomic_int_get(&guest->discovered)))
		g_queue_push_tail_link(&guest->parked, &request->link);
	else
		run_locked(guest, request);
}

static void
guest_cancel(VmifsFsGuest *guest)
{
	g_autoptr(GMutexLocker) locker = g_mutex_locker_new(&guest->lock);
	guest->closing = TRUE;
	for (GList *link = guest->running.head; link; link = link->next)
		vmifs_request_cancel(link->data);
}

static gboolean
guest_is_idle(VmifsFsGuest *guest)
{
	g_autoptr(GMutexLocker) locker = g_mutex_locker_new(&guest->lock);
	return !guest->running.head;
}

static void
guest_stop(VmifsFsGuest *guest)
{
	guest_cancel(guest);
	g_thread_pool_free(guest->pool, FALSE, TRUE);
	GList *link;
	while ((link = g_queue_pop_head_link(&guest->parked))) {
		vmifs_request_abandon(link->data);
		vmifs_request_free(link->data);
	}
}

/* ---- guests ---- */

static VmifsFsGuest *
guest_new(VmifsFs *fs, VmifsGuest *vmifs_guest, guint64 serial)
{
	VmifsFsGuest *guest = g_new0(VmifsFsGuest, 1);
	guest->fs = fs;
	guest->guest = vmifs_guest_ref(vmifs_guest);
	guest->frozen = vmifs_guest_is_frozen(vmifs_guest);
	guest->serial = serial;
	g_mutex_init(&guest->lock);
	g_queue_init(&guest->parked);
	g_queue_init(&guest->running);
	guest->pool = g_thread_pool_new(work, guest, VMIFS_QUEUE_THREADS, FALSE, NULL);
	return guest;
}

static void
guest_free(gpointer data)
{
	VmifsFsGuest *guest = data;
	vmifs_guest_unref(guest->guest);
	g_mutex_clear(&guest->lock);
	g_free(guest);
}

VmifsFsGuest *
vmifs_fs_guest(VmifsFs *fs, VmifsGuest *vmifs_guest)
{
	g_mutex_lock(&fs->lock);
	VmifsFsGuest *guest = g_hash_table_lookup(fs->guests, vmifs_guest);
	gboolean made = !guest;
	if (made) {
		guest = guest_new(fs, vmifs_guest, ++fs->last_serial);
		g_hash_table_insert(fs->guests, vmifs_guest, guest);
	}
	g_mutex_unlock(&fs->lock);
	if (made)
		vmifs_guest_when_discovered(vmifs_guest, discovered, guest);
	return guest;
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
vmifs_fs_new(VmifsHost *host, const VmifsFsOptions *options)
{
	VmifsFs *fs = g_new0(VmifsFs, 1);
	fs->host = host;
	fs->proc = vmifs_hostproc_open();
	fs->options = options;
	fs->file_mode = vmifs_fs_options_file_mode(options);
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
	g_mutex_init(&fs->filling);
	g_mutex_init(&fs->lock);
	fs->guests = g_hash_table_new_full(NULL, NULL, NULL, guest_free);
	return fs;
}

void
vmifs_fs_quiet(VmifsFs *fs)
{
	gint64 end = g_get_monotonic_time() + QUIET_US;
	GHashTableIter iter;
	gpointer guest;
	g_hash_table_iter_init(&iter, fs->guests);
	while (g_hash_table_iter_next(&iter, NULL, &guest))
		guest_cancel(guest);
	g_hash_table_iter_init(&iter, fs->guests);
	while (g_hash_table_iter_next(&iter, NULL, &guest))
		while (!guest_is_idle(guest) && g_get_monotonic_time() < end)
			g_usleep(1000);
}

void
vmifs_fs_free(VmifsFs *fs)
{
	GHashTableIter iter;
	gpointer guest;
	g_hash_table_iter_init(&iter, fs->guests);
	while (g_hash_table_iter_next(&iter, NULL, &guest))
		guest_stop(guest);
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
