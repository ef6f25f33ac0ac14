/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * fake-session: what a monitor once said, to be said again. A recorded session is text; an answer's
 * lines begin with a tab, or are empty:
 *
 *   # comment
 *   qmp query-status
 *   	{"running": true, "status": "running"}
 *   hmp info mtree -f
 *   	FlatView #0
 *   qmp qom-get /machine type
 *   	"pc-i440fx-7.2-machine"
 *   qmp query-sev
 *   	!CommandNotFound the command query-sev has not been found
 *
 * Of several answers to one question each is given once, the last for ever. One to "WORDS:*" is
 * that to all that begin with "WORDS:".
 */
#pragma once

#include <backends/qemu/monitor.h>

/* Whether the guest runs. */
#define RUNS "qmp query-status\n\t{\"status\": \"running\", \"running\": true}\n"
#define RESTS STANDS_AS("paused")
#define STANDS_AS(word) "qmp query-status\n\t{\"status\": \"" word "\", \"running\": false}\n"

/* Of GQueue of texts, by "qmp NAME" and "hmp LINE". text: (nullable) */
GHashTable *
fake_session_parse(const char *text);
void
fake_session_free(GHashTable *answers);
/* Returns: (full) what stands after "return", or after "error". */
json_t *
fake_session_answer(GHashTable *answers, const char *command, const json_t *arguments,
		    gboolean *ret_good);

/* Text of tests/qemu/NAME.session. (full) */
char *
fake_session(const char *name);
/* A monitor without a socket that says it. (full) */
QemuMonitor *
fake_monitor_new(const char *session);
