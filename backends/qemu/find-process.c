/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * find-process: the one guest that is meant by a number of a process, or by who listens at a
 * socket.
 */
#include "find.h"

#include "qmp.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>
#include <vmifs/error.h>

#define PAUSE_US (100 * G_TIME_SPAN_MILLISECOND)

/* What was wrong with the word, and where a right one is to be had. */
static void
advise(GError **error, const char *kind, const char *word, const char *advice)
{
	if (!error || !*error)
		return;
	g_autoptr(GError) said = g_steal_pointer(error);
	g_set_error(error, said->domain, said->code, "%s:%s: %s; %s", kind, word, said->message,
		    advice);
}

gboolean
qemu_finder_add_pid(QemuFinder *self, const char *word, GError **error)
{
	guint64 pid;

	if (!g_ascii_string_to_unsigned(word, 10, 1, G_MAXINT, &pid, NULL)) {
		g_set_error(error, VMIFS_ERROR, VMIFS_ERROR_SOURCE,
			    "pid:%s: that is no number of a process; give that of a QEMU (pgrep -a "
			    "qemu shows them)",
			    word);
		return FALSE;
	}
	g_autoptr(QemuTarget) target = qemu_target_new((pid_t) pid, error);
	if (!target) {
		advise(error, "pid", word, "pgrep -a qemu shows those that run here");
		return FALSE;
	}
	qemu_finder_reach(self, target);
	while (qemu_finder_may_still_start(target) && g_get_monotonic_time() < self->patience) {
		g_usleep(PAUSE_US);
		qemu_finder_reach(self, target);
	}
	if (!qemu_finder_may_read(target, error)) {
		g_prefix_error(error, "pid:%s: ", word);
		return FALSE;
	}
	if (!qemu_finder_tell(self, target, error))
		return FALSE;
	target = NULL; /* taken */
	return TRUE;
}

typedef struct {
	struct stat socket;
	QemuTarget *found; /* (full) (nullable) */
} Search;

static QemuCensusVerdict
match(gpointer user, QemuTarget *target)
{
	Search *search = user;

	if (search->found || !qemu_target_names(target, &search->socket))
		return QEMU_CENSUS_OTHER;
	search->found = target;
	return QEMU_CENSUS_TAKEN;
}

/* One that hangs may take no more connections: then it is known by its arguments alone. */
static QemuTarget *
find_by_name(const char *path, GError **error)
{
	g_autoptr(QemuCensus) census = qemu_census_new();
	Search search = { .found = NULL };

	if (stat(path, &search.socket) == 0)
		qemu_census_look(census, TRUE, match, &search);
	if (!search.found)
		g_set_error(
			error, VMIFS_ERROR, VMIFS_ERROR_SOURCE,
			"the process behind it cannot be told: nobody listens there, or it is "
			"out of sight of this pid namespace, and no QEMU has it in its arguments; "
			"give pid:PID");
	return search.found;
}

gboolean
qemu_finder_add_socket(QemuFinder *self, const char *word, GError **error)
{
	g_autoptr(QemuMonitor) monitor = qemu_qmp_new(word, self->use == VMIFS_MONITOR_HOLD, error);

	if (!monitor) {
		advise(error, "qmp", word,
		       "give the socket of a monitor (of -qmp unix:SOCKET; pgrep -a qemu shows "
		       "it), or pid:PID");
		return FALSE;
	}
	if (faccessat(AT_FDCWD, word, W_OK, AT_EACCESS) < 0) {
		g_set_error(error, VMIFS_ERROR, VMIFS_ERROR_SOURCE,
			    "qmp:%s: connecting to it: %s; run vmifs as root", word,
			    g_strerror(errno));
		return FALSE;
	}
	pid_t pid = qemu_qmp_peer(monitor, PAUSE_US);
	g_autoptr(QemuTarget) target =
		pid ? qemu_target_new(pid, error) : find_by_name(word, error);
	if (!target) {
		g_prefix_error(error, "qmp:%s: ", word);
		return FALSE;
	}
	g_free(target->source);
	target->source = g_strconcat("qmp:", word, NULL);
	if (self->use == VMIFS_MONITOR_NEVER)
		target->no_monitor = g_strdup("monitor=never");
	else
		target->monitor = g_steal_pointer(&monitor);
	if (!qemu_finder_may_read(target, error)) {
		g_prefix_error(error, "qmp:%s: ", word);
		return FALSE;
	}
	if (!qemu_finder_tell(self, target, error))
		return FALSE;
	target = NULL; /* taken */
	return TRUE;
}
