/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * found: running guests as finders tell of them. A guest between found and gone is a life, with a
 * thread that opens it, lists it, waits for its end and lets go of it:
 *
 *   found -> [open, again and again] -> listed -> (backend or all finders: gone) -> unlisted
 *         -> its memory let go of -> (all finders: gone) -> forgotten
 *
 * A life whose backend knows that it has ended stays known until its finders say so too: who is a
 * little late must not bring it back.
 */
#include "host.h"

#include "connection.h"
#include "guest.h"
#include "physmem.h"

#include <vmifs/text.h>

#define RETRY_FIRST_US (100 * G_TIME_SPAN_MILLISECOND)
#define RETRY_LAST_US (5 * G_USEC_PER_SEC)

typedef struct {
	VmifsHost *host;
	char *key;
	char *wanted; /* safe, but perhaps not unique */
	char *spec;
	gint64 started;
	const VmifsBackend *backend;
	gpointer target;
	GDestroyNotify free_target;
	gint cancelled; /* atomic; ends opening */
	/* Under the host's lock: */
	VmifsHostSource *source; /* whose word counts: the first that was given; (borrowed) */
	gboolean is_waiting;     /* for its name, and to be opened, until its source is done */
	GPtrArray *searches;     /* that tell of it; (borrowed) */
	char *name;              /* NULL until it has one */
	gboolean settled;        /* opened once, or failed to */
	char *failure;           /* (nullable) why it could not be opened so far */
	gboolean ended;          /* the guest has gone */
} Life;

/* ---- one life ---- */

static void
life_free(Life *life)
{
	if (life->free_target)
		life->free_target(life->target);
	g_ptr_array_unref(life->searches);
	g_free(life->key);
	g_free(life->wanted);
	g_free(life->name);
	g_free(life->spec);
	g_free(life->failure);
	g_free(life);
}

static void
end_locked(Life *life)
{
	life->ended = TRUE;
	g_atomic_int_set(&life->cancelled, 1);
	g_cond_broadcast(&life->host->changed);
}

/* From the guest, whose source tells that it has ended; or something else of it has changed. */
static void
guest_told(VmifsGuest *guest, gboolean gone, gpointer user)
{
	Life *life = user;

	if (gone) {
		g_autoptr(GMutexLocker) locker = g_mutex_locker_new(&life->host->lock);
		end_locked(life);
	} else {
		vmifs_host_tell(life->host, VMIFS_HOST_GUEST_CHANGED, guest);
	}
}

static VmifsGuest *
open_guest(Life *life, GError **error)
{
	VmifsCall call = { .cancelled = &life->cancelled };
	VmifsSource src = { .spec = life->spec,
			    .fd = -1,
			    .options = &life->host->options,
			    .target = life->target };
	g_autoptr(VmifsConnection) connection =
		vmifs_connection_open(life->backend, &src, &call, error);
	if (!connection)
		return NULL;
	VmifsPhysmem *mem = vmifs_physmem_of(connection, &call, error);
	if (!mem)
		return NULL;
	return vmifs_guest_new(life->name, life->spec, life->backend, mem, 0, &life->host->options);
}

/* Until it can be opened, has gone, or the host ends. A guest that is just being started may have
 * no memory, or no monitor, yet. */
static VmifsGuest *
keep_opening(Life *life)
{
	VmifsHost *host = life->host;
	gint64 wait = RETRY_FIRST_US;

	for (;;) {
		g_autoptr(GError) error = NULL;
		VmifsGuest *guest = open_guest(life, &error);
		if (guest)
			return guest;
		g_mutex_lock(&host->lock);
		gboolean first = !life->settled;
		life->settled = TRUE;
		g_free(life->failure);
		life->failure = g_strdup(error->message);
		g_cond_broadcast(&host->changed);
		gint64 until = g_get_monotonic_time() + wait;
		while (!life->ended && g_cond_wait_until(&host->changed, &host->lock, until))
			continue;
		gboolean ended = life->ended;
		g_mutex_unlock(&host->lock);
		if (first)
			vmifs_host_log(host, "guest %s (%s): %s", life->name, life->spec,
				       error->message);
		if (ended)
			return NULL;
		wait = MIN(2 * wait, RETRY_LAST_US);
	}
}

static void
list_guest(Life *life, VmifsGuest *guest)
{
	VmifsHost *host = life->host;

	g_mutex_lock(&host->lock);
	g_ptr_array_add(host->guests, vmifs_guest_ref(guest));
	g_clear_pointer(&life->failure, g_free);
	g_mutex_unlock(&host->lock);
	/* Before anything else is told of it. */
	vmifs_host_tell(host, VMIFS_HOST_GUEST_ADDED, guest);
	vmifs_guest_listen(guest, guest_told, life);
	vmifs_guest_start(guest);
	g_mutex_lock(&host->lock);
	life->settled = TRUE;
	g_cond_broadcast(&host->changed);
	g_mutex_unlock(&host->lock);
}

static void
unlist_guest(Life *life, VmifsGuest *guest)
{
	VmifsHost *host = life->host;

	g_mutex_lock(&host->lock);
	g_ptr_array_remove(host->guests, guest);
	g_clear_pointer(&life->name, g_free);
	g_mutex_unlock(&host->lock);
	/* First what others wait for: memory. */
	vmifs_guest_drop(guest);
	vmifs_host_tell(host, VMIFS_HOST_GUEST_GONE, guest);
	vmifs_guest_stop(guest);
}

static gpointer
life_thread(gpointer data)
{
	Life *life = data;
	VmifsHost *host = life->host;
	g_autoptr(VmifsGuest) guest = keep_opening(life);

	if (guest) {
		list_guest(life, guest);
		g_mutex_lock(&host->lock);
		while (!life->ended)
			g_cond_wait(&host->changed, &host->lock);
		g_mutex_unlock(&host->lock);
		unlist_guest(life, guest);
	}
	g_mutex_lock(&host->lock);
	life->settled = TRUE;
	while (life->searches->len && !host->ending)
		g_cond_wait(&host->changed, &host->lock);
	if (g_hash_table_lookup(host->lives, life->key) == life)
		g_hash_table_remove(host->lives, life->key);
	g_mutex_unlock(&host->lock);
	life_free(life);

	g_mutex_lock(&host->lock);
	host->n_threads--;
	g_cond_broadcast(&host->changed);
	g_mutex_unlock(&host->lock);
	return NULL;
}

/* Whoever may start processes may start any number that look like guests. */
static void
start_locked(Life *life)
{
	VmifsHost *host = life->host;
	GThread *thread = NULL;

	life->is_waiting = FALSE;
	life->name = vmifs_host_unique_name(host, life->wanted);
	if (host->n_threads < host->max_threads)
		thread = g_thread_try_new("guest", life_thread, life, NULL);
	if (thread) {
		host->n_threads++;
		g_thread_unref(thread);
		return;
	}
	vmifs_host_log(host, "guest %s (%s): it is not shown: there are too many", life->wanted,
		       life->spec);
	g_hash_table_remove(host->lives, life->key);
	life_free(life);
}

gboolean
vmifs_found_has_name(VmifsHost *host, const char *name)
{
	GHashTableIter iter;
	gpointer value;

	g_hash_table_iter_init(&iter, host->lives);
	while (g_hash_table_iter_next(&iter, NULL, &value)) {
		if (g_strcmp0(((Life *) value)->name, name) == 0)
			return TRUE;
	}
	return FALSE;
}

/* ---- what a finder tells ---- */

/* What it is, as that source has it. */
static void
fill_locked(Life *life, const VmifsHostSearch *search, const VmifsFound *found)
{
	VmifsHostSource *source = search->source;

	if (life->free_target)
		life->free_target(life->target);
	g_free(life->wanted);
	g_free(life->spec);
	life->source = source;
	life->wanted = vmifs_host_safe_name(source->name ? source->name : found->name);
	life->spec = g_strdup(found->source);
	life->started = found->started;
	life->backend = found->backend;
	life->target = found->target;
	life->free_target = found->free_target;
}

static Life *
life_new_locked(const VmifsHostSearch *search, const VmifsFound *found)
{
	VmifsHost *host = search->source->host;
	Life *life = g_new0(Life, 1);

	life->host = host;
	life->key = g_strdup(found->key);
	life->searches = g_ptr_array_new();
	life->is_waiting = TRUE;
	fill_locked(life, search, found);
	g_hash_table_replace(host->lives, life->key, life);
	return life;
}

void
vmifs_found_tell(VmifsHostSearch *search, const VmifsFound *found)
{
	VmifsHostSource *source = search->source;
	VmifsHost *host = source->host;
	g_autoptr(GMutexLocker) locker = g_mutex_locker_new(&host->lock);
	Life *life = g_hash_table_lookup(host->lives, found->key);
	gboolean is_new = !life || (!life->is_waiting && !life->searches->len);

	if (host->ending ||
	    (!is_new && (!life->is_waiting || life->source->number <= source->number))) {
		if (found->free_target)
			found->free_target(found->target);
	} else if (is_new) {
		life = life_new_locked(search, found);
	} else {
		fill_locked(life, search, found);
	}
	if (host->ending)
		return;
	if (!g_ptr_array_find(life->searches, search, NULL))
		g_ptr_array_add(life->searches, search);
	if (!source->opening && life->source == source && life->is_waiting)
		start_locked(life);
}

void
vmifs_found_tell_gone(VmifsHostSearch *search, const char *key)
{
	VmifsHost *host = search->source->host;
	g_autoptr(GMutexLocker) locker = g_mutex_locker_new(&host->lock);
	Life *life = g_hash_table_lookup(host->lives, key);

	if (life && g_ptr_array_remove(life->searches, search) && !life->searches->len)
		end_locked(life);
}

/* ---- the first ---- */

static int
compare_started(gconstpointer a, gconstpointer b)
{
	const Life *x = *(Life *const *) a, *y = *(Life *const *) b;

	if (x->started != y->started)
		return x->started < y->started ? -1 : 1;
	return strcmp(x->key, y->key);
}

/* Those that its finders found before they returned get their names in the order they were started.
 */
static guint
start_first_locked(VmifsHostSource *source)
{
	g_autoptr(GPtrArray) first = g_ptr_array_new();
	GHashTableIter iter;
	gpointer value;

	g_hash_table_iter_init(&iter, source->host->lives);
	while (g_hash_table_iter_next(&iter, NULL, &value)) {
		Life *life = value;
		if (life->is_waiting && life->source == source)
			g_ptr_array_add(first, life);
	}
	g_ptr_array_sort(first, compare_started);
	for (guint i = 0; i < first->len; i++)
		start_locked(g_ptr_array_index(first, i));
	source->opening = FALSE;
	return first->len;
}

guint
vmifs_found_start(VmifsHostSource *source)
{
	g_autoptr(GMutexLocker) locker = g_mutex_locker_new(&source->host->lock);

	return start_first_locked(source);
}

static gboolean
any_opening_locked(VmifsHost *host)
{
	GHashTableIter iter;
	gpointer value;

	g_hash_table_iter_init(&iter, host->lives);
	while (g_hash_table_iter_next(&iter, NULL, &value)) {
		if (!((Life *) value)->settled)
			return TRUE;
	}
	return FALSE;
}

void
vmifs_found_wait(VmifsHost *host, gint64 until)
{
	g_autoptr(GMutexLocker) locker = g_mutex_locker_new(&host->lock);

	while (any_opening_locked(host) && g_cond_wait_until(&host->changed, &host->lock, until))
		continue;
}

/* ---- what is told of them ---- */

static int
compare_names(gconstpointer a, gconstpointer b)
{
	return strcmp((*(const Life *const *) a)->name, (*(const Life *const *) b)->name);
}

/* Of Life, by name. (full) */
static GPtrArray *
named_locked(const VmifsHostSearch *search)
{
	GPtrArray *lives = g_ptr_array_new();
	GHashTableIter iter;
	gpointer value;

	g_hash_table_iter_init(&iter, search->source->host->lives);
	while (g_hash_table_iter_next(&iter, NULL, &value)) {
		Life *life = value;
		if (life->name && g_ptr_array_find(life->searches, search, NULL))
			g_ptr_array_add(lives, life);
	}
	g_ptr_array_sort(lives, compare_names);
	return lives;
}

static void
append_guests(const GPtrArray *lives, GString *out)
{
	g_string_append(out, !lives->len ? "no guests" : lives->len == 1 ? "guest " : "guests ");
	for (guint i = 0; i < lives->len; i++) {
		const Life *life = g_ptr_array_index(lives, i);
		g_string_append_printf(out, "%s%s", i ? ", " : "", life->name);
	}
	for (guint i = 0; i < lives->len; i++) {
		const Life *life = g_ptr_array_index(lives, i);
		if (!life->failure)
			continue;
		g_string_append_printf(out, "; %s is not shown: ", life->name);
		vmifs_text_append_octal(out, life->failure, -1, NULL);
	}
}

void
vmifs_found_describe(const VmifsHostSearch *search, GString *out)
{
	g_autoptr(GPtrArray) lives = named_locked(search);

	g_string_append_printf(out, "%s: ", search->finder->name);
	if (search->self)
		append_guests(lives, out);
	if (search->self && search->failure)
		g_string_append(out, "; ");
	if (search->failure)
		vmifs_text_append_octal(out, search->failure, -1, NULL);
}

void
vmifs_found_close(VmifsHost *host)
{
	GHashTableIter iter;
	gpointer value;

	g_mutex_lock(&host->lock);
	g_atomic_int_set(&host->ending, 1);
	g_hash_table_iter_init(&iter, host->lives);
	while (g_hash_table_iter_next(&iter, NULL, &value))
		end_locked(value);
	g_mutex_unlock(&host->lock);
	vmifs_search_close(host);
	g_mutex_lock(&host->lock);
	while (host->n_threads)
		g_cond_wait(&host->changed, &host->lock);
	g_mutex_unlock(&host->lock);
}
