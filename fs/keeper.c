/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * keeper: a loop over the guests, turned as long as one of them has something under way. Telling
 * the kernel may wait for the lock of the root directory, which a look-up holds there while it is
 * answered: those never wait for a guest.
 */
#include "keeper.h"

#include "fs.h"

#include <fuse_lowlevel.h>
#include <string.h>

/* How much later than its deadline a request may be answered for. */
#define TURN_US (100 * G_TIME_SPAN_MILLISECOND)
/* How often the kernel is told again of names that it shall forget. */
#define NAME_TURNS 10

struct VmifsKeeper {
	VmifsFs *fs;
	GThread *thread;
	gint watching; /* atomic; it will look at requests within a turn */
	GMutex lock;   /* guards what follows */
	GCond woken;
	gboolean awake; /* it shall look now */
	gboolean ended;
};

/* ---- the end of a guest ---- */

static gboolean
is_of_guest(const VmifsNode *node, gpointer user)
{
	return node->guest == user;
}

/* What the kernel remembers: the name, and attributes. */
static void
tell_kernel(VmifsFs *fs, VmifsFsGuest *guest)
{
	const char *name = vmifs_guest_name(guest->guest);
	g_autoptr(GArray) ids = vmifs_inodes_select(fs->inodes, is_of_guest, guest);
	struct fuse_session *session = vmifs_fs_session(fs);
	fuse_lowlevel_notify_inval_entry(session, FUSE_ROOT_ID, name, strlen(name));
	for (guint i = 0; i < ids->len; i++)
		fuse_lowlevel_notify_inval_inode(session, g_array_index(ids, guint64, i), -1, 0);
}

static void
bury(VmifsFs *fs, VmifsFsGuest *guest)
{
	vmifs_fs_guest_cancel(guest);
	vmifs_fs_guest_abandon(guest);
	g_autoptr(GPtrArray) held = vmifs_passthrough_drop(fs->passthrough, guest);
	for (guint i = 0; i < held->len; i++)
		vmifs_host_log(
			fs->host,
			"%s: the guest has gone, but somebody has this file open, and so the "
			"kernel keeps its memory until it is closed",
			(const char *) g_ptr_array_index(held, i));
	if (vmifs_fs_session(fs))
		tell_kernel(fs, guest);
	guest->buried = TRUE;
}

/* What was open of a snapshot when its folder went stays known to the kernel by its name, and so do
 * all folders above it, until there is no memory for that: unless it forgets the name now. Of the
 * snapshot itself it has, or will when somebody asks, unless its guest went first. (The folder of
 * snapshots is locked as long as one is taken.) */
static void
take_names_away(VmifsFs *fs, VmifsFsGuest *snapshot)
{
	VmifsFsGuest *origin = snapshot->origin;
	gboolean own_too = g_atomic_int_get(&origin->gone) && vmifs_fs_guest_is_idle(origin);
	g_autoptr(GArray) ids = vmifs_inodes_select(fs->inodes, is_of_guest, snapshot);
	for (guint i = 0; i < ids->len; i++) {
		g_autoptr(VmifsNode) node =
			vmifs_inodes_get(fs->inodes, g_array_index(ids, guint64, i));
		if (node && (own_too || node->parent->guest == snapshot))
			fuse_lowlevel_notify_inval_entry(vmifs_fs_session(fs), node->parent->id,
							 node->name, strlen(node->name));
	}
}

/* A snapshot that was dropped, or taken anew, stays what it is for those who have something of it
 * open; then its room is wanted back. */
static gboolean
is_held(VmifsFs *fs, VmifsFsGuest *snapshot)
{
	vmifs_contents_forget(fs->contents, snapshot);
	if (vmifs_fs_drop_unused(fs, snapshot))
		return FALSE;
	if (vmifs_fs_session(fs) && snapshot->n_turns++ % NAME_TURNS == 0)
		take_names_away(fs, snapshot);
	return TRUE;
}

/* TRUE when there will be something to do soon. */
static gboolean
attend(VmifsFs *fs, VmifsFsGuest *guest)
{
	gboolean busy = vmifs_fs_guest_expire(guest, g_get_monotonic_time());
	if (guest->origin && !vmifs_fs_is_listed(fs, guest))
		return is_held(fs, guest);
	if (!g_atomic_int_get(&guest->gone))
		return busy;
	if (!guest->buried)
		bury(fs, guest);
	if (busy)
		return TRUE;
	vmifs_fs_drop_guest(fs, guest);
	return FALSE;
}

/* ---- the thread ---- */

static gboolean
attend_all(VmifsFs *fs)
{
	gboolean busy = FALSE;
	g_autoptr(GPtrArray) guests = vmifs_fs_guests(fs);
	/* Who waits for the end of the session waits for those of its threads that were lent, too.
	 */
	struct fuse_session *session = vmifs_fs_session(fs);
	if (session && fuse_session_exited(session))
		vmifs_fs_cancel(fs);
	for (guint i = 0; i < guests->len; i++)
		busy = attend(fs, g_ptr_array_index(guests, i)) || busy;
	return busy;
}

/* Requests come by the thousand, and almost all end at once: the first of them makes it look, but
 * only a turn later, and until then none does. */
static gpointer
run(gpointer data)
{
	VmifsKeeper *keeper = data;
	for (;;) {
		g_atomic_int_set(&keeper->watching, 0);
		gboolean busy = attend_all(keeper->fs);
		g_autoptr(GMutexLocker) locker = g_mutex_locker_new(&keeper->lock);
		while (!busy && !keeper->awake && !g_atomic_int_get(&keeper->watching))
			g_cond_wait(&keeper->woken, &keeper->lock);
		gint64 end = g_get_monotonic_time() + TURN_US;
		while (!keeper->awake && g_cond_wait_until(&keeper->woken, &keeper->lock, end))
			continue;
		keeper->awake = FALSE;
		if (keeper->ended)
			return NULL;
	}
}

VmifsKeeper *
vmifs_keeper_new(VmifsFs *fs, GError **error)
{
	g_autoptr(VmifsKeeper) keeper = g_new0(VmifsKeeper, 1);
	keeper->fs = fs;
	g_mutex_init(&keeper->lock);
	g_cond_init(&keeper->woken);
	keeper->thread = g_thread_try_new("keeper", run, keeper, NULL);
	if (keeper->thread)
		return g_steal_pointer(&keeper);
	g_set_error_literal(error, VMIFS_ERROR, VMIFS_ERROR_IO,
			    "a mount needs threads, and there is none to be had: too many run "
			    "already (ulimit -u, TasksMax= of a unit)");
	return NULL;
}

static void
wake(VmifsKeeper *keeper, gboolean ended)
{
	g_autoptr(GMutexLocker) locker = g_mutex_locker_new(&keeper->lock);
	keeper->awake = TRUE;
	keeper->ended = ended;
	g_cond_signal(&keeper->woken);
}

void
vmifs_keeper_wake(VmifsKeeper *keeper)
{
	wake(keeper, FALSE);
}

void
vmifs_keeper_watch(VmifsKeeper *keeper)
{
	if (!g_atomic_int_compare_and_exchange(&keeper->watching, 0, 1))
		return;
	g_autoptr(GMutexLocker) locker = g_mutex_locker_new(&keeper->lock);
	g_cond_signal(&keeper->woken);
}

void
vmifs_keeper_free(VmifsKeeper *keeper)
{
	if (!keeper)
		return;
	if (keeper->thread) {
		wake(keeper, TRUE);
		g_thread_join(keeper->thread);
	}
	g_mutex_clear(&keeper->lock);
	g_cond_clear(&keeper->woken);
	g_free(keeper);
}
