/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * host (private): the list of guests and who may put something in it: files (host.c), which stay
 * for ever, and what finders (search.c) tell of, which comes and goes (found.c).
 */
#pragma once

#include "log.h"

#include <spi/finder.h>
#include <vmifs/host.h>

/* A word of the command line. */
typedef struct {
	VmifsHost *host;
	guint number; /* in the order in which they were given */
	char *spec;
	char *name;       /* (nullable) of NAME=SPEC */
	const char *word; /* in spec: without NAME=; NULL: a file */
	/* Under the host's lock: */
	GPtrArray *searches; /* (nullable) of VmifsHostSearch */
	char *outcome;       /* of a file, or why it failed for good */
	gboolean opening;    /* what is found waits for a name until all is found */
} VmifsHostSource;

/* One finder at work for a word. */
typedef struct {
	VmifsHostSource *source; /* (borrowed) */
	const VmifsFinder *finder;
	gpointer self; /* (host's lock) the finder's; NULL = it could not be opened */
	char *failure; /* (host's lock) (nullable) why it does not work, or not now */
} VmifsHostSearch;

struct VmifsHost {
	VmifsOptions options;
	char *format, *arch, *snapdir; /* what the options' strings point to */
	VmifsLog *log;
	GMutex lock; /* guards what follows */
	GCond changed;
	GPtrArray *guests;
	GPtrArray *sources; /* of VmifsHostSource */
	GHashTable *lives;  /* of running guests, by key; see found.c */
	guint n_threads;    /* of lives */
	guint max_threads;  /* beyond which guests are not shown */
	gint ending;        /* atomic too: the host is being freed */

	GMutex told_lock; /* guards what follows, and is held while it runs */
	VmifsHostTold told;
	gpointer told_user;
};

/* A name for a guest that nobody has. With the lock held. */
char *
vmifs_host_unique_name(VmifsHost *host, const char *wanted);
/* `/`, control characters and a leading dot become `_`; long names are cut, room left for ~N. */
char *
vmifs_host_safe_name(const char *raw);
/* Tells the listener. Without any lock. */
void
vmifs_host_tell(VmifsHost *host, VmifsHostEvent event, VmifsGuest *guest);

/* ---- search.c ---- */

/* Does any finder of this build take it? */
gboolean
vmifs_search_is_word(const char *spec);
/* For messages: the words that they take; NULL when there are none. (full) */
char *
vmifs_search_words(void);
/* Opens the finders of those VmifsHostSources, all at the same time. What they find waits for
 * vmifs_found_start(). */
void
vmifs_search_open(const GPtrArray *sources, const VmifsCall *call);
/* Of several that failed where others work, each is told of; where all did, that is the error. */
gboolean
vmifs_search_works(const VmifsHostSource *source, GError **error);
/* Closes all finders. */
void
vmifs_search_close(VmifsHost *host);

/* ---- found.c ---- */

/* What a finder tells. */
void
vmifs_found_tell(VmifsHostSearch *search, const VmifsFound *found);
void
vmifs_found_tell_gone(VmifsHostSearch *search, const char *key);
/* What the source's finders have found gets its names and is opened, as is from now on what else
 * they find. Returns: how many that are. */
guint
vmifs_found_start(VmifsHostSource *source);
/* Until every guest is listed, or could not be opened at first. */
void
vmifs_found_wait(VmifsHost *host, gint64 until);
/* With the lock held: "qemu: guests a, b; b is not shown: WHY". */
void
vmifs_found_describe(const VmifsHostSearch *search, GString *out);
/* Has a running guest that name, listed or not? With the lock held. */
gboolean
vmifs_found_has_name(VmifsHost *host, const char *name);
/* Closes every finder, ends every running guest of the host and waits for their threads. */
void
vmifs_found_close(VmifsHost *host);
