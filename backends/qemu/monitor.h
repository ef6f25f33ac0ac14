/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * monitor: what QEMU's monitor answers, whichever way it is reached: its own socket (qmp.h),
 * libvirt's passthrough, a recorded session in tests. Everything is asked as QMP commands; lines of
 * the human monitor go through human-monitor-command. Questions come in lots, as each visit to a
 * monitor keeps others away from it, and one visit can answer many.
 */
#pragma once

#include <glib.h>
#include <jansson.h>
#include <vmifs/call.h>

/* Of one answer, as text. */
#define QEMU_MAX_REPLY ((gsize) 16 << 20)
#define QEMU_MAX_PEEK ((gsize) 1 << 20)
/* How long any question may take where the call allows more. */
#define QEMU_PATIENCE (2 * G_TIME_SPAN_SECOND)

typedef struct QemuMonitor QemuMonitor;
struct QemuDuty;

/* One question. All zero but for the command is fine. */
typedef struct {
	const char *command; /* (borrowed) NULL, where the way can peek: for memory */
	json_t *arguments;   /* (borrowed) (nullable) */
	const int *fd;       /* (borrowed) (nullable) a descriptor that goes along: getfd, add-fd */
	guint64 pa;          /* of a peek: guest memory, QEMU_MAX_PEEK bytes of it at most */
	guint8 *bytes;       /* (borrowed) ... and where it goes; it has no other answer */
	gsize len;
	/* out: one of the two. */
	json_t *answer; /* (full) */
	GError *error;  /* (full) UNSUPPORTED: it knows no such command; IO: it refused */
} QemuAsk;

typedef struct {
	const char *name; /* for messages: "qmp", "libvirt" */
	/* Asks all n, in their order, in as few visits as manners allow, and each at most once.
	 * TRUE when each has an answer or an error of its own. FALSE when the monitor itself fails:
	 * TIMEOUT (it is busy with somebody else, or QEMU hangs), IO (nobody is there, it went
	 * away), CORRUPT (what it said makes no sense, or is too much in all), CANCELLED; which
	 * questions it has heard is then unknown, and those with answers keep them. Thread-safe. */
	gboolean (*ask)(QemuMonitor *self, QemuAsk *asks, gsize n, const VmifsCall *call,
			GError **error);
	gboolean peeks; /* it tells memory, too */
	/* Optional, all four or none: a visit for what QEMU tells of itself. Until leave() the
	 * monitor is the caller's alone, so that is to be soon. until: monotonic, by when it has to
	 * greet. *ret_version: 702 is 7.2; 0: it did not say. Returns: (borrowed) a descriptor that
	 * can be read when there is more to hear; -1 with error, as of ask(). */
	int (*stay)(QemuMonitor *self, gint64 until, guint *ret_version, GError **error);
	/* The next event that has come: (full) its name; NULL without error: none. */
	char *(*hear)(QemuMonitor *self, GError **error);
	/* The visit is over; who comes again in a moment finds the door open until let_in(), and
	 * others find it closed. */
	void (*leave)(QemuMonitor *self);
	void (*let_in)(QemuMonitor *self);
	/* Optional: see qemu_guard_start(). */
	int (*guard)(QemuMonitor *self, const struct QemuDuty *duty, GError **error);
	/* Optional: a guardian has to get in; it is not kept out from now on. */
	void (*give_way)(QemuMonitor *self);
	void (*free)(QemuMonitor *self);
} QemuMonitorOps;

/* The head of every implementation's own. */
struct QemuMonitor {
	const QemuMonitorOps *ops;
};

static inline void
qemu_monitor_free(QemuMonitor *monitor)
{
	if (monitor)
		monitor->ops->free(monitor);
}

G_DEFINE_AUTOPTR_CLEANUP_FUNC(QemuMonitor, qemu_monitor_free)

gboolean
qemu_monitor_ask(QemuMonitor *monitor, QemuAsk *asks, gsize n, const VmifsCall *call,
		 GError **error);
/* For who implements it: what "error" in a reply to that command says. (full) */
GError *
qemu_monitor_refusal(const json_t *problem, const char *command);
/* Drops answers and errors. */
void
qemu_asks_clear(QemuAsk *asks, gsize n);

/* One command. arguments: (taken) (nullable). Returns: (full) what it returned; NULL with error,
 * those of QemuAsk among them. */
json_t *
qemu_monitor_qmp(QemuMonitor *monitor, const char *command, json_t *arguments,
		 const VmifsCall *call, GError **error);
/* One line of the human monitor: what it printed, complaints too. (full) */
char *
qemu_monitor_hmp(QemuMonitor *monitor, const char *line, const VmifsCall *call, GError **error);
/* Many of them: lines ended by NULL. Returns: (full) as many texts, ended by NULL. */
char **
qemu_monitor_hmp_all(QemuMonitor *monitor, const char *const *lines, const VmifsCall *call,
		     GError **error);
