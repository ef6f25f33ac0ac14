/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* fuzz-qmp: any bytes from who listens at a monitor's socket, greeting and all. */
#include "fuzz.h"

#include <backends/qemu/qmp.h>

#include <errno.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

typedef struct {
	int listener;
	GAsyncQueue *texts; /* of GBytes */
	QemuMonitor *monitor;
} Fuzz;

/* One client, all that it gets, whatever it asks. */
static gpointer
serve(gpointer data)
{
	Fuzz *fuzz = data;

	for (;;) {
		g_autoptr(GBytes) text = g_async_queue_pop(fuzz->texts);
		char heard[4096];
		gsize len;
		const char *bytes = g_bytes_get_data(text, &len);
		int client = accept(fuzz->listener, NULL, NULL);
		g_assert(client >= 0);
		while (len) {
			gssize n = send(client, bytes, len, MSG_NOSIGNAL);
			if (n <= 0)
				break;
			bytes += n;
			len -= (gsize) n;
		}
		shutdown(client, SHUT_WR);
		while (recv(client, heard, sizeof heard, 0) > 0)
			;
		close(client);
	}
	return NULL;
}

static Fuzz *
start(void)
{
	struct sockaddr_un name = { .sun_family = AF_UNIX };
	g_autofree char *folder = g_dir_make_tmp("vmifs-fuzz-XXXXXX", NULL);
	Fuzz *fuzz = g_new0(Fuzz, 1);

	g_snprintf(name.sun_path, sizeof name.sun_path, "%s/qmp", folder);
	fuzz->listener = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	if (bind(fuzz->listener, (struct sockaddr *) &name, sizeof name) ||
	    listen(fuzz->listener, 1))
		g_error("%s: %s", name.sun_path, g_strerror(errno));
	fuzz->monitor = qemu_qmp_new(name.sun_path, FALSE, NULL);
	/* It is pinned. */
	unlink(name.sun_path);
	rmdir(folder);
	fuzz->texts = g_async_queue_new();
	g_thread_unref(g_thread_new("fuzz-qmp", serve, fuzz));
	return fuzz;
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
	static Fuzz *fuzz;
	QemuAsk asks[] = { { "query-status" }, { "human-monitor-command" }, { "query-cpus-fast" } };

	if (!fuzz)
		fuzz = start();
	g_async_queue_push(fuzz->texts, g_bytes_new(data, len));
	gboolean good = qemu_monitor_ask(fuzz->monitor, asks, G_N_ELEMENTS(asks), NULL, NULL);
	for (gsize i = 0; i < G_N_ELEMENTS(asks); i++) {
		g_assert(!asks[i].answer || !asks[i].error);
		g_assert(!good || asks[i].answer || asks[i].error);
	}
	qemu_asks_clear(asks, G_N_ELEMENTS(asks));
	return 0;
}
