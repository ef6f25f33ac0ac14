/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * migration: what the owner has switched on for migrations would make another stream of it
 * (multifd, xbzrle), leave memory out (x-ignore-shared), or have QEMU refuse: everything is off
 * while ours runs. How fast it may go does not concern a background snapshot. QEMU takes no switch
 * back while a migration is under way, so that its end is waited for.
 *
 * Source: QEMU, migration/migration.c and migration/options.c, of 7.2 to 10.0.
 */
#include "migration.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <string.h>
#include <unistd.h>
#include <vmifs/error.h>

#define CAPABILITY "background-snapshot"
#define PIPE_LEN (1024 * 1024)
/* Between its last byte and its end. */
#define LAST_WAIT (10 * G_TIME_SPAN_SECOND)

struct QemuMigration {
	QemuStop *stop;
	QemuMonitor *monitor;      /* of that */
	json_t *before;            /* what is said to put the switches back */
	gint64 since;              /* when it was begun: µs since the epoch */
	int guard;                 /* -1 = none yet */
	gboolean is_set, is_begun; /* the switches; the migration: or may be */
	gboolean runs;             /* the guest, as pages have come */
};

typedef enum { FREE, ON, DONE, FAILED } Stage;

static Stage
stage_of(const json_t *answer)
{
	const char *status = json_string_value(json_object_get(answer, "status"));

	if (!status || g_str_equal(status, "none"))
		return FREE;
	if (g_str_equal(status, "completed"))
		return DONE;
	return g_str_equal(status, "failed") || g_str_equal(status, "cancelled") ? FAILED : ON;
}

static gboolean
refuse(GError **error, VmifsError code, const char *what, const json_t *answer)
{
	const char *why = json_string_value(json_object_get(answer, "error-desc"));
	g_autofree char *shown = g_strescape(why ? why : "", NULL);

	g_set_error(error, VMIFS_ERROR, code, "%s%s%.200s", what, why ? ": " : "", shown);
	return FALSE;
}

gboolean
qemu_migration_is_free(QemuMonitor *monitor, const VmifsCall *call, GError **error)
{
	json_auto_t *answer = qemu_monitor_qmp(monitor, "query-migrate", NULL, call, error);

	if (!answer)
		return FALSE;
	return stage_of(answer) != ON ||
	       refuse(error, VMIFS_ERROR_IO, "QEMU is busy with another migration of it", NULL);
}

/* ---- switches ---- */

static void
add_switch(json_t *list, const char *name, gboolean on)
{
	json_array_append_new(list, json_pack("{s:s, s:b}", "capability", name, "state", on));
}

/* What makes them ours, and what makes them its owner's again, as arguments. */
static gboolean
plan_switches(const json_t *found, json_t **ret_ours, json_t **ret_before, GError **error)
{
	json_t *ours = json_array(), *before = json_array();
	gboolean is_known = FALSE;
	const json_t *each;
	gsize i;

	json_array_foreach(found, i, each)
	{
		const char *name = json_string_value(json_object_get(each, "capability"));
		gboolean is_on = json_is_true(json_object_get(each, "state"));
		gboolean is_it = name && g_str_equal(name, CAPABILITY);
		is_known |= is_it;
		/* That one only has QEMU tell of it. */
		if (!name || is_on == is_it || g_str_equal(name, "events"))
			continue;
		add_switch(ours, name, !is_on);
		add_switch(before, name, is_on);
	}
	*ret_ours = json_pack("{s:o}", "capabilities", ours);
	*ret_before = json_pack("{s:o}", "capabilities", before);
	if (is_known)
		return TRUE;
	g_clear_pointer(ret_ours, json_decref);
	g_clear_pointer(ret_before, json_decref);
	return refuse(error, VMIFS_ERROR_UNSUPPORTED, "this QEMU knows no background snapshots",
		      NULL);
}

static gboolean
set_switches(QemuMonitor *monitor, json_t *wanted, const VmifsCall *call, GError **error)
{
	json_auto_t *answer = qemu_monitor_qmp(monitor, "migrate-set-capabilities",
					       json_incref(wanted), call, error);

	return answer != NULL;
}

/* The switches as they are; and whether what QEMU sends would be encrypted, which is not for us. */
static json_t *
ask_switches(QemuMonitor *monitor, const VmifsCall *call, GError **error)
{
	QemuAsk asks[] = { { "query-migrate-capabilities" }, { "query-migrate-parameters" } };
	json_t *found = NULL;

	if (qemu_monitor_ask(monitor, asks, 2, call, error)) {
		const char *tls = json_string_value(json_object_get(asks[1].answer, "tls-creds"));
		if (!json_is_array(asks[0].answer))
			refuse(error, VMIFS_ERROR_UNSUPPORTED, "QEMU tells no capabilities", NULL);
		else if (tls && *tls)
			refuse(error, VMIFS_ERROR_UNSUPPORTED, "its migrations are encrypted",
			       NULL);
		else
			found = json_incref(asks[0].answer);
	}
	qemu_asks_clear(asks, 2);
	return found;
}

/* ---- beginning ---- */

/* UNSUPPORTED: QEMU has refused it, whatever it says against it, and nothing has changed. */
static gboolean
ask(QemuMonitor *monitor, const char *command, json_t *arguments, const int *fd,
    const VmifsCall *call, GError **error)
{
	json_auto_t *own = arguments;
	QemuAsk ask = { .command = command, .arguments = own, .fd = fd };
	GError *failure = NULL;

	if (qemu_monitor_ask(monitor, &ask, 1, call, &failure) && ask.error) {
		failure = g_steal_pointer(&ask.error);
		failure->code = VMIFS_ERROR_UNSUPPORTED;
	}
	qemu_asks_clear(&ask, 1);
	if (!failure)
		return TRUE;
	g_propagate_error(error, failure);
	return FALSE;
}

/* As ask(). Returns: may QEMU have done it? */
static gboolean
attempt(QemuMigration *migration, const char *command, json_t *arguments, const VmifsCall *call,
	GError **error)
{
	GError *failure = NULL;
	gboolean done = ask(migration->monitor, command, arguments, NULL, call, &failure) ||
			failure->code != VMIFS_ERROR_UNSUPPORTED;

	if (failure)
		g_propagate_error(error, failure);
	return done;
}

static void
migration_free(QemuMigration *migration)
{
	json_decref(migration->before);
	g_free(migration);
}

/* It is over: puts the switches back; a guardian goes on trying what we could not. */
static void
finish(QemuMigration *migration)
{
	if (migration->is_set && !set_switches(migration->monitor, migration->before, NULL, NULL))
		qemu_guard_leave(migration->monitor, migration->guard);
	else
		qemu_guard_disarm(migration->guard, NULL);
	migration_free(migration);
}

void
qemu_migration_leave(QemuMigration *migration)
{
	qemu_guard_leave(migration->monitor, migration->guard);
	migration_free(migration);
}

static json_t *
word(const char *command, const json_t *arguments)
{
	return json_pack("{s:s, s:O}", "execute", command, "arguments", arguments);
}

/* The end of the pipe that is QEMU's is called name there. */
static gboolean
arm(QemuMigration *migration, int stream, const json_t *name, GError **error)
{
	json_auto_t *silent = json_pack("[o]", word("closefd", name));
	json_auto_t *words = json_pack("[o]", word("migrate-set-capabilities", migration->before));
	const QemuDuty duty = { .stream = stream, .silent = silent, .words = words };

	migration->guard = qemu_guard_arm(migration->monitor, &duty, error);
	return migration->guard >= 0;
}

static gboolean
start(QemuMigration *migration, const json_t *name, json_t *ours, int end, const VmifsCall *call,
      GError **error)
{
	QemuMonitor *monitor = migration->monitor;
	g_autofree char *uri =
		g_strconcat("fd:", json_string_value(json_object_get(name, "fdname")), NULL);
	GError *failure = NULL;
	gboolean good = ask(monitor, "getfd", json_incref((json_t *) name), &end, call, &failure);

	close(end);
	if (good)
		migration->is_set = attempt(migration, "migrate-set-capabilities",
					    json_incref(ours), call, &failure);
	migration->since = g_get_real_time();
	if (!failure)
		migration->is_begun = attempt(migration, "migrate", json_pack("{s:s}", "uri", uri),
					      call, &failure);
	if (!failure)
		return TRUE;
	g_propagate_error(error, failure);
	return FALSE;
}

QemuMigration *
qemu_migration_begin(QemuStop *stop, int *ret_fd, const VmifsCall *call, GError **error)
{
	QemuMonitor *monitor = stop->monitor;
	json_auto_t *found = ask_switches(monitor, call, error);
	json_auto_t *ours = NULL, *before = NULL;
	g_autofree char *unique = g_strdup_printf("vmifs-%08x", g_random_int());
	json_auto_t *name = json_pack("{s:s}", "fdname", unique);
	int ends[2];

	if (!found || !plan_switches(found, &ours, &before, error))
		return NULL;
	if (pipe2(ends, O_CLOEXEC)) {
		g_set_error(error, VMIFS_ERROR, VMIFS_ERROR_IO, "pipe: %s", g_strerror(errno));
		return NULL;
	}
	fcntl(ends[1], F_SETPIPE_SZ, PIPE_LEN);
	QemuMigration *migration = g_new0(QemuMigration, 1);
	migration->stop = stop;
	migration->monitor = monitor;
	migration->before = json_incref(before);
	if (!arm(migration, ends[0], name, error)) {
		close(ends[0]);
		close(ends[1]);
		migration_free(migration);
		return NULL;
	}
	if (start(migration, name, ours, ends[1], call, error)) {
		*ret_fd = ends[0];
		return migration;
	}
	close(ends[0]);
	json_decref(qemu_monitor_qmp(monitor, "closefd", json_incref(name), NULL, NULL));
	if (migration->is_begun)
		qemu_migration_leave(migration);
	else
		finish(migration);
	return NULL;
}

/* ---- ending ---- */

void
qemu_migration_runs(QemuMigration *migration)
{
	migration->runs = TRUE;
	/* That it answers says that it has carried out what it had decided before. */
	qemu_stop_renew(migration->stop);
}

gboolean
qemu_migration_is_on(QemuMigration *migration, const VmifsCall *call, GError **error)
{
	json_auto_t *answer =
		qemu_monitor_qmp(migration->monitor, "query-migrate", NULL, call, error);

	if (!answer)
		return FALSE;
	return stage_of(answer) == ON ||
	       refuse(error, VMIFS_ERROR_IO, "QEMU's background snapshot has ended", answer);
}

/* What it was that has ended. (full) NULL with error. */
static json_t *
wait_for_end(QemuMigration *migration, const VmifsCall *call, GError **error)
{
	gint64 end = g_get_monotonic_time() + LAST_WAIT;

	for (int pause = 5;; pause = MIN(2 * pause, 200)) {
		json_t *answer =
			qemu_monitor_qmp(migration->monitor, "query-migrate", NULL, call, error);
		if (!answer || stage_of(answer) != ON)
			return answer;
		json_decref(answer);
		if (g_get_monotonic_time() >= end) {
			refuse(error, VMIFS_ERROR_TIMEOUT,
			       "QEMU's background snapshot does not end", NULL);
			return NULL;
		}
		if (!vmifs_call_check(call, error))
			return NULL;
		poll(NULL, 0, pause);
	}
}

/* Milliseconds as told, in µs; -1 = not told. */
static gint64
time_in(const json_t *answer, const char *key)
{
	const json_t *told = json_object_get(answer, key);
	json_int_t ms = json_is_integer(told) ? json_integer_value(told) : -1;

	return ms < 0 || ms > G_MAXINT32 ? -1 : ms * G_TIME_SPAN_MILLISECOND;
}

gboolean
qemu_migration_end(QemuMigration *migration, gint64 *ret_moment, gint64 *ret_still_us,
		   const VmifsCall *call, GError **error)
{
	json_auto_t *answer = wait_for_end(migration, call, error);

	if (!answer) {
		qemu_migration_leave(migration);
		return FALSE;
	}
	if (stage_of(answer) != DONE) {
		refuse(error, VMIFS_ERROR_IO, "QEMU's background snapshot has failed", answer);
		/* One that fails early leaves the guest stopped: it is QEMU that has forgotten it.
		 */
		if (!migration->runs)
			qemu_stop_make_up(migration->stop);
		finish(migration);
		return FALSE;
	}
	*ret_moment = migration->since + MAX(time_in(answer, "setup-time"), 0);
	*ret_still_us = time_in(answer, "downtime");
	finish(migration);
	return TRUE;
}
