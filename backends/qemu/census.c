/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* census: see the header. */
#include "census.h"

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

struct QemuCensus {
	GHashTable *processes; /* Process by pid */
	guint64 look;          /* number of the last one */
	guint64 list;          /* of the last list */
	guint newest;          /* number of the newest process as of then; 0 = not known */
};

QemuCensus *
qemu_census_new(void)
{
	QemuCensus *census = g_new0(QemuCensus, 1);

	census->processes = g_hash_table_new_full(NULL, NULL, NULL, g_free);
	return census;
}

void
qemu_census_free(QemuCensus *census)
{
	if (!census)
		return;
	g_hash_table_unref(census->processes);
	g_free(census);
}

void
qemu_census_forget(QemuCensus *census, pid_t pid)
{
	g_hash_table_remove(census->processes, GINT_TO_POINTER(pid));
}

typedef struct {
	QemuCensus *census;
	gboolean all;
	QemuCensusTake take;
	gpointer user;
	GArray *maybes; /* of pid_t: whose programs are to be read, which takes its time */
} Look;

static Process *
process_of(QemuCensus *census, pid_t pid)
{
	Process *process = g_hash_table_lookup(census->processes, GINT_TO_POINTER(pid));

	if (!process) {
		process = g_new0(Process, 1);
		process->wait = 1;
		g_hash_table_insert(census->processes, GINT_TO_POINTER(pid), process);
	}
	return process;
}

static void
ask(const Look *look, pid_t pid, Process *process)
{
	g_autoptr(QemuTarget) target = qemu_target_new(pid, NULL);
	QemuCensusVerdict verdict = target ? look->take(look->user, target) : QEMU_CENSUS_OTHER;
	if (verdict == QEMU_CENSUS_LATER)
		process->due = look->census->look + 1;
	if (verdict != QEMU_CENSUS_TAKEN)
		return;
	process->taken = TRUE;
	target = NULL;
}

static void
look_into(const Look *look, pid_t pid, Process *process)
{
	const QemuCensus *census = look->census;

	if (process->taken || (!look->all && process->due > census->look))
		return;
	process->due = census->look + process->wait;
	process->wait = MIN(process->wait * 2, QEMU_CENSUS_RARELY);
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
		Process *process = process_of(look->census, pid);
		if (i && g_get_monotonic_time() > end)
			process->due = look->census->look + 1;
		else
			ask(look, pid, process);
	}
}

/* ---- all of them ---- */

static gboolean
was_not_listed(gpointer pid, gpointer data, gpointer user)
{
	const Process *process = data;
	const QemuCensus *census = user;

	return process->seen != census->list;
}

static void
list(const Look *look)
{
	QemuCensus *census = look->census;
	DIR *proc = opendir("/proc");
	const struct dirent *entry;

	if (!proc)
		return;
	census->list++;
	while ((entry = readdir(proc))) {
		guint64 pid;
		if (!g_ascii_string_to_unsigned(entry->d_name, 10, 1, G_MAXINT, &pid, NULL))
			continue;
		Process *process = process_of(census, (pid_t) pid);
		process->seen = census->list;
		look_into(look, (pid_t) pid, process);
	}
	closedir(proc);
	g_hash_table_foreach_remove(census->processes, was_not_listed, census);
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
	QemuCensus *census = look->census;
	GHashTableIter iter;
	gpointer pid, process;

	/* They may have been another's before. */
	for (guint i = census->newest + 1; i <= newest; i++)
		qemu_census_forget(census, (pid_t) i);
	g_hash_table_iter_init(&iter, census->processes);
	while (g_hash_table_iter_next(&iter, &pid, &process))
		look_into(look, GPOINTER_TO_INT(pid), process);
	for (guint i = census->newest + 1; i <= newest; i++) {
		char path[32];
		g_snprintf(path, sizeof path, "/proc/%u", i);
		if (access(path, F_OK) == 0)
			look_into(look, (pid_t) i, process_of(census, (pid_t) i));
	}
}

void
qemu_census_look(QemuCensus *census, gboolean all, QemuCensusTake take, gpointer user)
{
	g_autoptr(GArray) maybes = g_array_new(FALSE, FALSE, sizeof(pid_t));
	const Look look = {
		.census = census, .all = all, .take = take, .user = user, .maybes = maybes
	};
	guint newest = newest_pid();

	gboolean rare = census->look++ % QEMU_CENSUS_RARELY == 0;

	if (all || rare || !newest || newest < census->newest || newest - census->newest > MANY)
		list(&look);
	else
		look_at_new(&look, newest);
	look_into_maybes(&look);
	census->newest = newest;
}
