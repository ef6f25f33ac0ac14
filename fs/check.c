/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * check: opens the source, waits for discovery, prints what `info` would hold. Progress goes to
 * stderr, and only when that is a terminal: output in a pipe is the result alone.
 */
#include "check.h"

#include "cache.h"
#include "main.h"

#include <stdio.h>
#include <string.h>
#include <unistd.h>

#define PROGRESS_US (100 * G_TIME_SPAN_MILLISECOND)
#define STATE_US (2 * G_TIME_SPAN_SECOND)

/* The line of info that says how far discovery is. */
static void
show_progress(VmifsGuest *guest)
{
	g_autoptr(GString) info = g_string_new(NULL);
	vmifs_guest_info(guest, info);
	const char *line = strstr(info->str, "\ndiscovery: ");
	if (line)
		fprintf(stderr, "\r\033[K%s: %.*s", vmifs_guest_name(guest),
			(int) strcspn(line + 1, "\n"), line + 1);
}

static void
wait_for(VmifsGuest *guest)
{
	gboolean terminal = isatty(STDERR_FILENO);
	while (!vmifs_guest_is_discovered(guest)) {
		VmifsCall call = { .deadline = g_get_monotonic_time() + PROGRESS_US };
		vmifs_guest_wait(guest, &call, NULL);
		if (terminal)
			show_progress(guest);
	}
	if (terminal)
		fputs("\r\033[K", stderr);
}

int
vmifs_check(const VmifsFsOptions *options)
{
	g_autoptr(GError) error = NULL;
	g_auto(VmifsFsCache) cache = { 0 };
	VmifsOptions engine = options->engine;
	engine.cache = vmifs_fs_cache_open(&cache, options->cache);
	g_autoptr(VmifsHost) host = vmifs_host_new(&engine, &error);
	if (!host)
		return vmifs_complain(VMIFS_EXIT_USAGE, error);
	vmifs_fs_cache_tell(&cache, host);
	if (!vmifs_host_add(host, g_ptr_array_index(options->sources, 0), &error))
		return vmifs_complain(vmifs_source_status(error), error);
	g_autoptr(GPtrArray) guests = vmifs_host_guests(host);
	if (!guests->len)
		vmifs_complain_of_none(host, "what became of the source");
	g_autoptr(GString) text = g_string_new(NULL);
	for (guint i = 0; i < guests->len; i++) {
		VmifsGuest *guest = g_ptr_array_index(guests, i);
		wait_for(guest);
		VmifsCall asking = { .deadline = g_get_monotonic_time() + STATE_US };
		vmifs_guest_state(guest, &asking); /* info tells what was said last */
		vmifs_guest_info(guest, text);
	}
	if (fwrite(text->str, 1, text->len, stdout) < text->len || fflush(stdout) != 0) {
		perror("vmifs: standard output");
		return VMIFS_EXIT_USAGE;
	}
	return VMIFS_EXIT_OK;
}
