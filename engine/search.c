/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * search: finders at work. Those of all words of a command line are opened at the same time, for
 * each may have to wait for somebody who hangs; what they have found gets its names afterwards, in
 * the order of the words.
 */
#include "host.h"

#include <vmifs/text.h>

/* That open finders: more words than that are not typed. */
#define MAX_THREADS 16

static void
log_failure(const VmifsHostSearch *search, const char *why)
{
	vmifs_host_log(search->source->host, "source %s: %s: %s", search->source->spec,
		       search->finder->name, why);
}

/* ---- words ---- */

gboolean
vmifs_search_is_word(const char *spec)
{
	for (gsize i = 0; i < vmifs_n_finders; i++)
		if (vmifs_finders[i]->probe(spec) > 0)
			return TRUE;
	return FALSE;
}

char *
vmifs_search_words(void)
{
	GString *words = g_string_new(NULL);

	for (gsize i = 0; i < vmifs_n_finders; i++)
		g_string_append_printf(words, "%s%s", i ? ", " : "", vmifs_finders[i]->words);
	return g_string_free(words, words->len == 0);
}

/* ---- what a finder tells ---- */

static void
on_found(gpointer engine, const VmifsFound *found)
{
	vmifs_found_tell(engine, found);
}

static void
on_gone(gpointer engine, const char *key)
{
	vmifs_found_tell_gone(engine, key);
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

/* ---- opening them ---- */

static void
search_free(gpointer data)
{
	VmifsHostSearch *search = data;

	g_free(search->failure);
	g_free(search);
}

/* Those that are most sure of its word: one as a rule, of `auto` all. */
static GPtrArray *
choose(VmifsHostSource *source)
{
	GPtrArray *searches = g_ptr_array_new_with_free_func(search_free);
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

static void
open_search(VmifsHostSearch *search, const VmifsCall *call)
{
	VmifsHost *host = search->source->host;
	g_autoptr(GError) error = NULL;
	VmifsFinderSink sink = {
		.found = on_found, .gone = on_gone, .failed = on_failed, .engine = search
	};
	gpointer self =
		search->finder->open(search->source->word, &host->options, &sink, call, &error);
	g_autoptr(GMutexLocker) locker = g_mutex_locker_new(&host->lock);

	search->self = self;
	if (self)
		return;
	g_free(search->failure);
	search->failure = g_strdup(error->message);
}

typedef struct {
	GPtrArray *searches; /* (borrowed) of VmifsHostSearch */
	gint next;           /* atomic */
	const VmifsCall *call;
} Opening;

static gpointer
open_some(gpointer data)
{
	Opening *opening = data;
	guint i;

	while ((i = (guint) g_atomic_int_add(&opening->next, 1)) < opening->searches->len)
		open_search(g_ptr_array_index(opening->searches, i), opening->call);
	return NULL;
}

void
vmifs_search_open(const GPtrArray *sources, const VmifsCall *call)
{
	g_autoptr(GPtrArray) searches = g_ptr_array_new();
	GThread *others[MAX_THREADS] = { NULL };

	for (guint i = 0; i < sources->len; i++) {
		VmifsHostSource *source = g_ptr_array_index(sources, i);
		GPtrArray *own = choose(source);
		g_mutex_lock(&source->host->lock);
		source->opening = TRUE;
		source->searches = own;
		g_mutex_unlock(&source->host->lock);
		for (guint s = 0; s < own->len; s++)
			g_ptr_array_add(searches, g_ptr_array_index(own, s));
	}
	Opening opening = { .searches = searches, .call = call };
	for (guint i = 1; i < MIN(searches->len, MAX_THREADS); i++)
		others[i] = g_thread_try_new("open finder", open_some, &opening, NULL);
	open_some(&opening);
	for (guint i = 1; i < MAX_THREADS; i++)
		if (others[i])
			g_thread_join(others[i]);
}

gboolean
vmifs_search_works(const VmifsHostSource *source, GError **error)
{
	g_autoptr(GPtrArray) failed = g_ptr_array_new();
	g_autoptr(GString) why = g_string_new(NULL);

	for (guint i = 0; i < source->searches->len; i++) {
		VmifsHostSearch *search = g_ptr_array_index(source->searches, i);
		if (search->self)
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

void
vmifs_search_close(VmifsHost *host)
{
	for (guint i = 0; i < host->sources->len; i++) {
		VmifsHostSource *source = g_ptr_array_index(host->sources, i);
		for (guint s = 0; source->searches && s < source->searches->len; s++) {
			VmifsHostSearch *search = g_ptr_array_index(source->searches, s);
			if (search->self)
				search->finder->close(search->self);
			search->self = NULL;
		}
	}
}
