/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * host: the sources that a mount was given and the guests they give. One per mount; a guest
 * reaches nothing of another.
 */
#pragma once

#include <vmifs/guest.h>

G_BEGIN_DECLS

typedef struct VmifsHost VmifsHost;

/* How a monitor that serves one client at a time is used. */
typedef enum {
	VMIFS_MONITOR_BRIEF, /* connect, ask, disconnect */
	VMIFS_MONITOR_HOLD,  /* stay connected */
	VMIFS_MONITOR_NEVER,
} VmifsMonitorUse;

/* Where the library keeps what took long to find, to have it sooner another time. The client opens
 * and guards the place; of what comes back the library believes nothing that it has not compared
 * with the guest. Names are of [a-z0-9-]. Called from any thread. */
typedef struct {
	GBytes *(*load)(gpointer user, const char *name); /* (full) NULL: there is none */
	/* parts: of GBytes, one after the other */
	void (*save)(gpointer user, const char *name, const GPtrArray *parts);
	gpointer user;
} VmifsCache;

/* What the user asked for; all zero is the default. Strings are borrowed until host_new returns. */
typedef struct {
	gsize size;           /* sizeof(VmifsOptions) */
	gboolean guest_rw;    /* the guest may be changed */
	gboolean passive;     /* refuse what touches a running guest; guest_rw is void then */
	gboolean holes_error; /* holes of sized memory are EIO instead of zeros */
	VmifsMonitorUse monitor;
	const char *snapdir; /* where snapshots are stored; NULL = $TMPDIR, or /var/tmp */
	guint32 cache_ms;    /* how old translations and lists of a live guest may be */
	gboolean has_max_stops;
	guint32 max_stops;  /* a second of each guest, for `watch`; 0 = any number */
	const char *format; /* believed over content; NULL = by content */
	const char *arch;   /* NULL = any */
	gboolean has_base, has_root, has_kaslr;
	guint64 base;                  /* physical address of a raw image's first byte */
	guint64 root;                  /* physical address of the kernel's page table */
	guint64 kaslr;                 /* virtual slide */
	const char *profile;           /* ISF JSON of the guests' kernel; NULL = none */
	const char *vmlinux;           /* its ELF file; NULL = none */
	const VmifsCache *cache;       /* (borrowed) (nullable) outlives the host */
	struct VmifsGivenFiles *given; /* for the library itself: leave it NULL */
} VmifsOptions;

VmifsHost *
vmifs_host_new(const VmifsOptions *options, GError **error);
/* Stops discovery, drops every guest. */
void
vmifs_host_free(VmifsHost *host);

/* Is SOURCE a word for running guests (qemu:///system, auto), and no file of that name there? Of
 * such sources some may fail where others do not. */
gboolean
vmifs_host_is_word(const char *spec);
/* Opens SOURCE as written on the command line: FILE, or a word for running guests, either with
 * NAME= before it; and starts discovery of its guests. Those that run are listed as soon as their
 * memory is known: for the ones that are there already it waits, 1 s at most, and 0.8 s for what
 * runs in them; others come and go later. On failure SOURCE with what was tried, seen and can be
 * done; INVALID when an option is to blame. */
gboolean
vmifs_host_add(VmifsHost *host, const char *spec, GError **error);
/* The same of several: guests get their names in the order of the n specs, but no source waits for
 * another one; all of them together wait 1 s at most. ret_errors: n, NULL before, and after it
 * where that source works. */
void
vmifs_host_add_all(VmifsHost *host, const char *const *specs, gsize n, GError **ret_errors);
typedef enum {
	VMIFS_HOST_GUEST_ADDED,
	VMIFS_HOST_GUEST_CHANGED, /* its generation, its layout, or an OS was attached */
	VMIFS_HOST_GUEST_GONE, /* it is not listed any more; its memory is let go of afterwards */
} VmifsHostEvent;
/* Called from threads of the engine, one call at a time; it may call anything of this library but
 * vmifs_host_listen() and vmifs_host_free(). */
typedef void (*VmifsHostTold)(VmifsHostEvent event, VmifsGuest *guest, gpointer user);
/* From now on; what is listed already is not told. told: NULL ends it, and no call runs when this
 * returns. */
void
vmifs_host_listen(VmifsHost *host, VmifsHostTold told, gpointer user);

/* Of VmifsGuest, in the order they appeared. (full) */
GPtrArray *
vmifs_host_guests(VmifsHost *host);
/* (full) NULL when there is no guest of that name. */
VmifsGuest *
vmifs_host_find(VmifsHost *host, const char *name);
/* `.vmifs/sources`: a line per source, or per finder of it: its text, how it was understood,
 * guests, why one of them is not shown, or why it failed. */
void
vmifs_host_sources(VmifsHost *host, GString *out);
/* `.vmifs/log`: what concerns vmifs rather than one guest. */
void
vmifs_host_log(VmifsHost *host, const char *format, ...) G_GNUC_PRINTF(2, 3);
void
vmifs_host_log_text(VmifsHost *host, GString *out);

G_DEFINE_AUTOPTR_CLEANUP_FUNC(VmifsHost, vmifs_host_free)

G_END_DECLS
