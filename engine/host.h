/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * host (private): the list of guests and who may put something in it: files (host.c), which stay
 * for ever, and what finders tell of (found.c), which comes and goes.
 */
#pragma once

#include "log.h"

#include <spi/finder.h>
#include <vmifs/host.h>

/* A word of the command line. */
typedef struct {
	VmifsHost *host;
	char *spec;
	char *name;          /* (nullable) of NAME=SPEC */
	const char *word;    /* in spec: without NAME= */
	GPtrArray *searches; /* of VmifsHostSearch; none: a file */
	/* Under the host's lock: */
	char *outcome;    /* of a file, or why it failed for good */
	gboolean opening; /* what is found waits for a name until all is found */
} VmifsHostSource;

/* One finder at work for a word. */
typedef struct {
	VmifsHostSource *source; /* (borrowed) */
	const VmifsFinder *finder;
	gpointer self; /* the finder's; NULL = it could not be opened */
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

/* ---- found.c ---- */

/* Does any finder of this build take it? */
gboolean
vmifs_found_is_word(const char *spec);
/* For messages: the words that they take; NULL when there are none. (full) */
char *
vmifs_found_words(void);
/* Opens the finders of a source that is in the host's list, and waits for their first guests. FALSE
 * when none could be opened. */
gboolean
vmifs_found_open(VmifsHostSource *source, GError **error);
/* With the lock held: "qemu: guests a, b". */
void
vmifs_found_describe(const VmifsHostSearch *search, GString *out);
void
vmifs_found_search_free(gpointer search);
/* Has a running guest that name, listed or not? With the lock held. */
gboolean
vmifs_found_has_name(VmifsHost *host, const char *name);
/* Closes every finder, ends every running guest of the host and waits for their threads. */
void
vmifs_found_close(VmifsHost *host);
