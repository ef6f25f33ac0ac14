/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * stops: the stops of a guest that are told in so many seconds, or until the standard input ends,
 *by the backend alone: without a mount.
 *
 *	stops MONITOR ACCEL SECONDS|- POINT...
 *
 * A POINT is exec:ADDRESS, read:, write: or access:ADDRESS:LENGTH, step:VCPU, in hex. Prints
 * "armed"; in the end a line for each: stops, stops a second, and the most time between two of them
 * in µs; and how long arming and disarming took, in µs. Without a POINT: single steps a second of
 * the first vCPU alone, as the stub makes them, which is what rates are compared with.
 */
#include <backends/qemu/debug.h>
#include <backends/qemu/qmp.h>
#include <backends/qemu/session.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define MAX_POINTS 16

typedef struct {
	guint64 n[MAX_POINTS];
	gint64 last[MAX_POINTS], most[MAX_POINTS];
} Count;

static VmifsStopVerdict
stopped(gpointer user, const VmifsStop *stop)
{
	Count *count = user;

	if (stop->id == VMIFS_STOP_NOWHERE || stop->id == VMIFS_STOP_COMES)
		return VMIFS_STOP_KEEP;
	gint64 between = stop->time_ns - count->last[stop->id];

	if (count->n[stop->id]++)
		count->most[stop->id] = MAX(count->most[stop->id], between);
	count->last[stop->id] = stop->time_ns;
	return VMIFS_STOP_KEEP;
}

static void
unarmed(gpointer user, guint64 id, const char *why)
{
	fprintf(stderr, "stops: lost: %s\n", why);
	exit(1);
}

static gboolean
parse(const char *word, VmifsStopPoint *ret)
{
	static const char *const kinds[] = { "exec:", "read:", "write:", "access:", "step:" };
	char *end;

	*ret = (VmifsStopPoint){ 0 };
	for (guint i = 0; i < G_N_ELEMENTS(kinds); i++) {
		if (!g_str_has_prefix(word, kinds[i]))
			continue;
		ret->kind = (VmifsStopKind) i;
		ret->address = g_ascii_strtoull(word + strlen(kinds[i]), &end, 16);
		if (ret->kind == VMIFS_STOP_STEP)
			ret->vcpu = (guint) ret->address;
		else if (ret->kind != VMIFS_STOP_EXEC)
			ret->len = (guint32) (*end == ':' ? strtoul(end + 1, NULL, 16) : 1);
		return TRUE;
	}
	return FALSE;
}

/* The least that there is: the word to step, and that it stopped. */
static gboolean
step_once(QemuSession *session, const GString *step, GError **error)
{
	session->gdb.until = g_get_monotonic_time() + G_USEC_PER_SEC;
	if (!qemu_gdb_send(&session->gdb, step->str, step->len, error))
		return FALSE;
	g_autoptr(GByteArray) stop = qemu_gdb_wait_stop(&session->gdb, error);
	return stop != NULL;
}

static int
step_alone(QemuMonitor *monitor, double seconds)
{
	g_autoptr(GError) error = NULL;
	g_autoptr(GString) step = g_string_new(NULL);
	QemuSession session;
	guint n = 0;

	if (!qemu_session_open(&session, monitor, 1, NULL, &error)) {
		fprintf(stderr, "stops: %s\n", error->message);
		return 1;
	}
	session.end = G_MAXINT64;
	qemu_gdb_wrap(step, "vCont;s:1");
	gint64 start = g_get_monotonic_time();
	gint64 end = start + (gint64) (seconds * G_USEC_PER_SEC);
	gboolean good = TRUE;
	for (; good && g_get_monotonic_time() < end; n++)
		good = step_once(&session, step, &error);
	printf("alone %u %.0f\n", n,
	       n * (double) G_USEC_PER_SEC / (double) (g_get_monotonic_time() - start));
	if (good)
		good = qemu_session_close(&session, &error);
	if (!good)
		fprintf(stderr, "stops: %s\n", error->message);
	return !good;
}

int
main(int argc, char **argv)
{
	g_autoptr(GError) error = NULL;
	Count count = { 0 };

	if (argc < 4 || argc - 4 > MAX_POINTS) {
		fprintf(stderr, "usage: stops MONITOR ACCEL SECONDS|- POINT...\n");
		return 2;
	}
	g_autoptr(QemuMonitor) monitor = qemu_qmp_new(argv[1], FALSE, &error);
	if (!monitor) {
		fprintf(stderr, "stops: %s\n", error->message);
		return 1;
	}
	if (argc == 4)
		return step_alone(monitor, g_ascii_strtod(argv[3], NULL));
	const QemuDebugUser user = { .user = &count, .stopped = stopped, .unarmed = unarmed };
	const QemuDebugGuest guest = { .accel = argv[2], .n_vcpus = 2 };
	g_autoptr(QemuDebug) debug = qemu_debug_new(monitor, &user);
	gint64 start = g_get_monotonic_time();
	for (int i = 4; i < argc; i++) {
		VmifsStopPoint point;
		guint failed;
		if (parse(argv[i], &point) && qemu_debug_arm(debug, &guest, (guint64) i - 4, &point,
							     1, &failed, NULL, &error))
			continue;
		fprintf(stderr, "stops: %s: %s\n", argv[i], error ? error->message : "no point");
		return 1;
	}
	gint64 armed = g_get_monotonic_time();
	printf("armed\n");
	fflush(stdout);
	if (strcmp(argv[3], "-") != 0)
		g_usleep((gulong) (g_ascii_strtod(argv[3], NULL) * G_USEC_PER_SEC));
	else
		while (getchar() != EOF)
			;
	gint64 end = g_get_monotonic_time();
	for (int i = 4; i < argc; i++) {
		guint64 id = (guint64) i - 4;
		qemu_debug_disarm(debug, &id, 1);
	}
	gint64 disarmed = g_get_monotonic_time();
	for (int i = 0; i < argc - 4; i++)
		printf("%s %" G_GUINT64_FORMAT " %.0f %" G_GINT64_FORMAT "\n", argv[i + 4],
		       count.n[i], (double) count.n[i] * G_USEC_PER_SEC / (double) (end - armed),
		       count.most[i] / 1000);
	printf("arm %" G_GINT64_FORMAT " disarm %" G_GINT64_FORMAT "\n", armed - start,
	       disarmed - end);
	return 0;
}
