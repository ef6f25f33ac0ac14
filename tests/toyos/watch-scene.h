/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* watch-scene: what the tests of `watch` share: a guest that stops at what it is told, who writes
 * lines for it, and who reads what comes of them. */
#pragma once

#include "live-test.h"

#define TASKS_AT 0x6000
#define KERNEL_ROOT 0x1000
#define TASK_ROOT 0x10000
#define SHADOW_ROOT 0x14000
/* Of the one task's page: what is watched, a function, the top of a stack. */
#define WATCHED (TASKS + TASKS_AT + 0x28)
#define RUN (TASKS + TASKS_AT + 0x400)
#define STACK (TASKS + TASKS_AT + 0x800)

static const VmifsStopCaps all_caps = {
	.exec = TRUE, .patch = TRUE, .data = TRUE, .reads = TRUE, .step = TRUE
};

/* KVM: four slots of 1, 2, 4 or 8 aligned bytes. */
static const VmifsStopCaps G_GNUC_UNUSED narrow_caps = {
	.exec = TRUE, .data = TRUE, .slots = 4, .max_len = 8, .aligned = TRUE
};

/* A guest that runs, and who looks at it. */
typedef struct {
	LiveGuest *live;
	VmifsHost *host;
	VmifsGuest *guest;
	VmifsEventReader *reader; /* NULL = nobody reads */
	VmifsRegs *regs;
	GString *lines; /* that were read */
} Scene;

static inline void
scene_read(Scene *scene)
{
	scene->reader = vmifs_guest_read_events(scene->guest, NULL, NULL);
	ck_assert(vmifs_guest_watch_settle(scene->guest, NULL, NULL));
}

static inline void
scene_leave(Scene *scene)
{
	g_clear_pointer(&scene->reader, vmifs_event_reader_free);
	ck_assert(vmifs_guest_watch_settle(scene->guest, NULL, NULL));
}

static inline Scene
scene_new(const VmifsStopCaps *caps, VmifsOptions *options)
{
	VmifsOptions none = { .size = sizeof none };
	Scene scene = { .live = live_guest_new("watched", 1),
			.regs = vmifs_regs_new(),
			.lines = g_string_new(NULL) };

	scene.live->caps = *caps;
	scene.live->n_vcpus = 2;
	boot(scene.live, TASKS_AT, 7);
	live_put(scene.live, TASKS_AT + 16, SHADOW_ROOT);
	live_put(scene.live, TASKS_AT + 0x800, RUN + 5);
	live_start(scene.live);
	scene.host = make_host(options ? options : &none);
	await(is_listed(scene.host, "watched"));
	scene.guest = vmifs_host_find(scene.host, "watched");
	ck_assert(vmifs_guest_wait(scene.guest, NULL, NULL));
	vmifs_regs_set(scene.regs, "rip", RUN);
	vmifs_regs_set(scene.regs, "rsp", STACK);
	vmifs_regs_set(scene.regs, "cr3", KERNEL_ROOT);
	vmifs_regs_set(scene.regs, "rdi", 3);
	return scene;
}

static inline void
scene_clear(Scene *scene)
{
	g_clear_pointer(&scene->reader, vmifs_event_reader_free);
	vmifs_guest_unref(scene->guest);
	vmifs_host_free(scene->host);
	live_end(scene->live);
	ck_assert_uint_eq(live_n_armed(scene->live), 0);
	live_guest_free(scene->live);
	vmifs_regs_unref(scene->regs);
	g_string_free(scene->lines, TRUE);
}

G_DEFINE_AUTO_CLEANUP_CLEAR_FUNC(Scene, scene_clear)

/* ---- what is written and read ---- */

static inline void
assert_written(Scene *scene, const char *text)
{
	g_autoptr(GError) error = NULL;
	gboolean written = vmifs_guest_watch(scene->guest, text, strlen(text), NULL, &error);
	ck_assert_msg(written, "%s: %s", text, error ? error->message : "");
}

static inline void
assert_refused(Scene *scene, const char *text, VmifsError code, const char *why)
{
	g_autoptr(GError) error = NULL;
	ck_assert_msg(!vmifs_guest_watch(scene->guest, text, strlen(text), NULL, &error), "%s",
		      text);
	ck_assert_msg(error->code == (int) code && strstr(error->message, why), "%s: %s", text,
		      error->message);
}

static inline void
assert_text(Scene *scene, const char *expected)
{
	g_autoptr(GString) text = g_string_new(NULL);
	vmifs_guest_watch_text(scene->guest, text);
	ck_assert_str_eq(text->str, expected);
}

static inline gboolean
has_text(Scene *scene, const char *part)
{
	g_autoptr(GString) text = g_string_new(NULL);
	vmifs_guest_watch_text(scene->guest, text);
	return strstr(text->str, part) != NULL;
}

/* Those of one type that were not read yet; NULL = all. */
static inline const char *
read_lines(Scene *scene, const char *type)
{
	g_autofree char *wanted = g_strdup_printf("\"type\":\"%s\"", type ? type : "");
	char buf[65536];
	gsize n;

	g_string_truncate(scene->lines, 0);
	while ((n = vmifs_event_reader_read(scene->reader, buf, sizeof buf)))
		g_string_append_len(scene->lines, buf, (gssize) n);
	g_auto(GStrv) lines = g_strsplit(scene->lines->str, "\n", -1);
	g_string_truncate(scene->lines, 0);
	for (gsize i = 0; lines[i]; i++)
		if (!type || strstr(lines[i], wanted))
			g_string_append_printf(scene->lines, "%s\n", lines[i]);
	return scene->lines->str;
}

static inline guint
count_lines(Scene *scene, const char *type)
{
	guint n = 0;
	for (const char *at = read_lines(scene, type); *at; at++)
		n += *at == '\n';
	return n;
}

static inline void
assert_has(const char *text, const char *part)
{
	ck_assert_msg(strstr(text, part) != NULL, "%s is not in %s", part, text);
}

static inline void
await_line(Scene *scene, const char *type, const char *part)
{
	gint64 end = g_get_monotonic_time() + PATIENCE_US;
	while (!strstr(read_lines(scene, type), part)) {
		ck_assert_msg(g_get_monotonic_time() < end, "in vain: %s", part);
		g_usleep(2000);
	}
}
