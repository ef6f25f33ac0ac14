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

/* How long adding a source waits for the guests that its finder has found at once. */
#define FIRST_WAIT_US G_USEC_PER_SEC
#define RETRY_FIRST_US (100 * G_TIME_SPAN_MILLISECOND)
#define RETRY_LAST_US (5 * G_USEC_PER_SEC)
/* Guests at a time: each has threads of its own. */
#define MAX_LIVES 4096

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
	GPtrArray *searches; /* that tell of it; (borrowed) */
	char *name;          /* NULL until it has one */
	gboolean settled;    /* opened once, or failed to */
	gboolean ended;      /* the guest has gone */
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

	life->name = vmifs_host_unique_name(host, life->wanted);
	if (host->n_threads < MAX_LIVES)
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

static void
on_found(gpointer engine, const VmifsFound *found)
{
	VmifsHostSearch *search = engine;
	VmifsHostSource *source = search->source;
	VmifsHost *host = source->host;
	g_autoptr(GMutexLocker) locker = g_mutex_locker_new(&host->lock);
	Life *life = g_hash_table_lookup(host->lives, found->key);

	if (host->ending || (life && life->searches->len)) {
		if (life && !g_ptr_array_find(life->searches, search, NULL))
			g_ptr_array_add(life->searches, search);
		if (found->free_target)
			found->free_target(found->target);
		return;
	}
	life = g_new0(Life, 1);
	life->host = host;
	life->key = g_strdup(found->key);
	life->wanted = vmifs_host_safe_name(source->name ? source->name : found->name);
	life->spec = g_strdup(found->source);
	life->started = found->started;
	life->backend = found->backend;
	life->target = found->target;
	life->free_target = found->free_target;
	life->searches = g_ptr_array_new();
	g_ptr_array_add(life->searches, search);
	g_hash_table_replace(host->lives, life->key, life);
	if (!source->opening)
		start_locked(life);
}

static void
on_gone(gpointer engine, const char *key)
{
	VmifsHostSearch *search = engine;
	VmifsHost *host = search->source->host;
	g_autoptr(GMutexLocker) locker = g_mutex_locker_new(&host->lock);
	Life *life = g_hash_table_lookup(host->lives, key);

	if (life && g_ptr_array_remove(life->searches, search) && !life->searches->len)
		end_locked(life);
}

static void
log_failure(const VmifsHostSearch *search, const char *why)
{
	vmifs_host_log(search->source->host, "source %s: %s: %s", search->source->spec,
		       search->finder->name, why);
}

static void
on_failed(gpointer engine, const char *why)
{
	VmifsHostSearch *search = engine;
	VmifsHost *host = search->source->host;

	g_mutex_lock(&host->lock);
	gboolean news = g_strcmp0(search->failure, why) != 0;
	g_free(search->failure);
	search->failure = g_strdup(why);
	g_mutex_unlock(&host->lock);
	if (news)
		log_failure(search, why ? why : "works again");
}

/* ---- sources ---- */

gboolean
vmifs_found_is_word(const char *spec)
{
	for (gsize i = 0; i < vmifs_n_finders; i++)
		if (vmifs_finders[i]->probe(spec) > 0)
			return TRUE;
	return FALSE;
}

char *
vmifs_found_words(void)
{
	GString *words = g_string_new(NULL);

	for (gsize i = 0; i < vmifs_n_finders; i++)
		g_string_append_printf(words, "%s%s", i ? ", " : "", vmifs_finders[i]->words);
	return g_string_free(words, words->len == 0);
}

/* Those that are most sure of its word: one as a rule, of `auto` all. */
static GPtrArray *
choose(VmifsHostSource *source)
{
	GPtrArray *searches = g_ptr_array_new_with_free_func(vmifs_found_search_free);
	int most = 1;

	for (gsize i = 0; i < vmifs_n_finders; i++) {
		int sure = vmifs_finders[i]->probe(source->word);
		if (sure < most)
			continue;
		if (sure > most)
			g_ptr_array_set_size(searches, 0);
		most = sure;
		VmifsHostSearch *search = g_new0(VmifsHostSearch, 1);
		search->source = source;
		search->finder = vmifs_finders[i];
		g_ptr_array_add(searches, search);
	}
	return searches;
}

void
vmifs_found_search_free(gpointer data)
{
	VmifsHostSearch *search = data;

	g_free(search->failure);
	g_free(search);
}

static int
compare_started(gconstpointer a, gconstpointer b)
{
	const Life *x = *(Life *const *) a, *y = *(Life *const *) b;

	if (x->started != y->started)
		return x->started < y->started ? -1 : 1;
	return strcmp(x->key, y->key);
}

/* Those that the finders found before they returned get their names in the order they were started.
 */
static GPtrArray *
start_first_locked(VmifsHostSource *source)
{
	GPtrArray *first = g_ptr_array_new();
	GHashTableIter iter;
	gpointer value;

	g_hash_table_iter_init(&iter, source->host->lives);
	while (g_hash_table_iter_next(&iter, NULL, &value)) {
		Life *life = value;
		/* One thread adds sources: another's are all started. */
		if (!life->name && !life->settled)
			g_ptr_array_add(first, life);
	}
	g_ptr_array_sort(first, compare_started);
	for (guint i = 0; i < first->len; i++)
		start_locked(g_ptr_array_index(first, i));
	source->opening = FALSE;
	return first;
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

static gboolean
open_search(VmifsHostSearch *search, const VmifsCall *call)
{
	VmifsHostSource *source = search->source;
	g_autoptr(GError) error = NULL;
	VmifsFinderSink sink = {
		.found = on_found, .gone = on_gone, .failed = on_failed, .engine = search
	};

	search->self =
		search->finder->open(source->word, &source->host->options, &sink, call, &error);
	if (search->self)
		return TRUE;
	g_mutex_lock(&source->host->lock);
	g_free(search->failure);
	search->failure = g_strdup(error->message);
	g_mutex_unlock(&source->host->lock);
	return FALSE;
}

/* Of several that fail where others work, each is told of; where all do, that is the error. */
static gboolean
open_searches(VmifsHostSource *source, const VmifsCall *call, GError **error)
{
	g_autoptr(GPtrArray) failed = g_ptr_array_new();
	g_autoptr(GString) why = g_string_new(NULL);

	for (guint i = 0; i < source->searches->len; i++) {
		VmifsHostSearch *search = g_ptr_array_index(source->searches, i);
		if (open_search(search, call))
			continue;
		g_string_append_printf(why, "%s%s", why->len ? "; " : "", search->failure);
		g_ptr_array_add(failed, search);
	}
	if (failed->len == source->searches->len) {
		g_set_error_literal(error, VMIFS_ERROR, VMIFS_ERROR_SOURCE, why->str);
		return FALSE;
	}
	for (guint i = 0; i < failed->len; i++) {
		const VmifsHostSearch *search = g_ptr_array_index(failed, i);
		log_failure(search, search->failure);
	}
	return TRUE;
}

gboolean
vmifs_found_open(VmifsHostSource *source, GError **error)
{
	VmifsHost *host = source->host;
	gint64 deadline = g_get_monotonic_time() + FIRST_WAIT_US;
	VmifsCall call = { .deadline = deadline, .cancelled = &host->ending };

	source->opening = TRUE;
	source->searches = choose(source);
	gboolean open = open_searches(source, &call, error);
	g_mutex_lock(&host->lock);
	g_autoptr(GPtrArray) first = start_first_locked(source);
	while (first->len && any_opening_locked(host) &&
	       g_cond_wait_until(&host->changed, &host->lock, deadline))
		continue;
	g_mutex_unlock(&host->lock);
	return open;
}

static int
compare_names(gconstpointer a, gconstpointer b)
{
	return strcmp(*(const char *const *) a, *(const char *const *) b);
}

void
vmifs_found_describe(const VmifsHostSearch *search, GString *out)
{
	GHashTableIter iter;
	gpointer value;
	g_autoptr(GPtrArray) names = g_ptr_array_new();

	g_string_append_printf(out, "%s: ", search->finder->name);
	g_hash_table_iter_init(&iter, search->source->host->lives);
	while (g_hash_table_iter_next(&iter, NULL, &value)) {
		Life *life = value;
		if (life->name && g_ptr_array_find(life->searches, search, NULL))
			g_ptr_array_add(names, life->name);
	}
	g_ptr_array_sort(names, compare_names);
	g_ptr_array_add(names, NULL);
	g_autofree char *list = g_strjoinv(", ", (char **) names->pdata);
	if (search->self)
		g_string_append_printf(out, "%s%s%s",
				       names->len == 1   ? "no guests"
				       : names->len == 2 ? "guest "
							 : "guests ",
				       list, search->failure ? "; " : "");
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
	for (guint i = 0; i < host->sources->len; i++) {
		VmifsHostSource *source = g_ptr_array_index(host->sources, i);
		for (guint s = 0; source->searches && s < source->searches->len; s++) {
			VmifsHostSearch *search = g_ptr_array_index(source->searches, s);
			if (search->self)
				search->finder->close(search->self);
			search->self = NULL;
		}
	}
	g_mutex_lock(&host->lock);
	while (host->n_threads)
		g_cond_wait(&host->changed, &host->lock);
	g_mutex_unlock(&host->lock);
}
