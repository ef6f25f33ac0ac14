/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* watch: see the header. */
#include "watch.h"

#include <dirent.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

/* Beyond so many new numbers a list of all processes is as cheap. */
#define MANY 2000
/* For reading programs, in one look; at least one is read. */
#define READING_US (100 * G_TIME_SPAN_MILLISECOND)

typedef struct {
	guint64 seen;   /* number of the list that had it last */
	guint64 due;    /* of the look that is to look into it */
	guint wait;     /* from that one to the next */
	gboolean taken; /* a guest */
} Process;

struct QemuWatch {
	GHashTable *processes; /* Process by pid */
	guint64 look;          /* number of the last one */
	guint64 list;          /* of the last list */
	guint newest;          /* number of the newest process as of then; 0 = not known */
};

QemuWatch *
qemu_watch_new(void)
{
	QemuWatch *watch = g_new0(QemuWatch, 1);

	watch->processes = g_hash_table_new_full(NULL, NULL, NULL, g_free);
	return watch;
}

void
qemu_watch_free(QemuWatch *watch)
{
	if (!watch)
		return;
	g_hash_table_unref(watch->processes);
	g_free(watch);
}

void
qemu_watch_forget(QemuWatch *watch, pid_t pid)
{
	g_hash_table_remove(watch->processes, GINT_TO_POINTER(pid));
}

typedef struct {
	QemuWatch *watch;
	gboolean all;
	QemuWatchTake take;
	gpointer user;
	GArray *maybes; /* of pid_t: whose programs are to be read, which takes its time */
} Look;

static Process *
process_of(QemuWatch *watch, pid_t pid)
{
	Process *process = g_hash_table_lookup(watch->processes, GINT_TO_POINTER(pid));

	if (!process) {
		process = g_new0(Process, 1);
		process->wait = 1;
		g_hash_table_insert(watch->processes, GINT_TO_POINTER(pid), process);
	}
	return process;
}

static void
ask(const Look *look, pid_t pid, Process *process)
{
	g_autoptr(QemuTarget) target = qemu_target_new(pid, NULL);
	QemuWatchVerdict verdict = target ? look->take(look->user, target) : QEMU_WATCH_OTHER;
	if (verdict == QEMU_WATCH_LATER)
		process->due = look->watch->look + 1;
	if (verdict != QEMU_WATCH_TAKEN)
		return;
	process->taken = TRUE;
	target = NULL;
}

static void
look_into(const Look *look, pid_t pid, Process *process)
{
	const QemuWatch *watch = look->watch;

	if (process->taken || (!look->all && process->due > watch->look))
		return;
	process->due = watch->look + process->wait;
	process->wait = MIN(process->wait * 2, QEMU_WATCH_RARELY);
	QemuLikely likely = qemu_target_likely(pid);
	if (likely == QEMU_LIKELY_MAYBE)
		g_array_append_val(look->maybes, pid);
	else if (likely == QEMU_LIKELY_YES)
		ask(look, pid, process);
}

static void
look_into_maybes(const Look *look)
{
	gint64 end = g_get_monotonic_time() + READING_US;

	for (guint i = 0; i < look->maybes->len; i++) {
		pid_t pid = g_array_index(look->maybes, pid_t, i);
		Process *process = process_of(look->watch, pid);
		if (i && g_get_monotonic_time() > end)
			process->due = look->watch->look + 1;
		else
			ask(look, pid, process);
	}
}

/* ---- all of them ---- */

static gboolean
was_not_listed(gpointer pid, gpointer data, gpointer user)
{
	const Process *process = data;
	const QemuWatch *watch = user;

	return process->seen != watch->list;
}

static void
list(const Look *look)
{
	QemuWatch *watch = look->watch;
	DIR *proc = opendir("/proc");
	const struct dirent *entry;

	if (!proc)
		return;
	watch->list++;
	while ((entry = readdir(proc))) {
		guint64 pid;
		if (!g_ascii_string_to_unsigned(entry->d_name, 10, 1, G_MAXINT, &pid, NULL))
			continue;
		Process *process = process_of(watch, (pid_t) pid);
		process->seen = watch->list;
		look_into(look, (pid_t) pid, process);
	}
	closedir(proc);
	g_hash_table_foreach_remove(watch->processes, was_not_listed, watch);
}

/* ---- new ones ---- */

/* The number that was given out last, to a process or a thread; 0 where that cannot be told: of a
 * /proc that is another pid namespace's. */
static guint
newest_pid(void)
{
	char text[128], *end;
	FILE *file = fopen("/proc/loadavg", "re");
	gssize n = readlink("/proc/self", text, sizeof text - 1);
	guint64 own = 0, newest = 0;

	if (n > 0) {
		text[n] = '\0';
		own = g_ascii_strtoull(text, NULL, 10);
	}
	if (file && own == (guint64) getpid() && fgets(text, sizeof text, file)) {
		end = strrchr(text, ' ');
		newest = end ? g_ascii_strtoull(end, NULL, 10) : 0;
	}
	if (file)
		fclose(file);
	return newest <= G_MAXINT ? (guint) newest : 0;
}

static void
look_at_new(const Look *look, guint newest)
{
	QemuWatch *watch = look->watch;
	GHashTableIter iter;
	gpointer pid, process;

	/* They may have been another's before. */
	for (guint i = watch->newest + 1; i <= newest; i++)
		qemu_watch_forget(watch, (pid_t) i);
	g_hash_table_iter_init(&iter, watch->processes);
	while (g_hash_table_iter_next(&iter, &pid, &process))
		look_into(look, GPOINTER_TO_INT(pid), process);
	for (guint i = watch->newest + 1; i <= newest; i++) {
		char path[32];
		g_snprintf(path, sizeof path, "/proc/%u", i);
		if (access(path, F_OK) == 0)
			look_into(look, (pid_t) i, process_of(watch, (pid_t) i));
	}
}

void
qemu_watch_look(QemuWatch *watch, gboolean all, QemuWatchTake take, gpointer user)
{
	g_autoptr(GArray) maybes = g_array_new(FALSE, FALSE, sizeof(pid_t));
	const Look look = {
		.watch = watch, .all = all, .take = take, .user = user, .maybes = maybes
	};
	guint newest = newest_pid();

	gboolean rare = watch->look++ % QEMU_WATCH_RARELY == 0;

	if (all || rare || !newest || newest < watch->newest || newest - watch->newest > MANY)
		list(&look);
	else
		look_at_new(&look, newest);
	look_into_maybes(&look);
	watch->newest = newest;
}
