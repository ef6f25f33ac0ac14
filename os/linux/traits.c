/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * traits: the files of a task that hold a single small thing which the kernel keeps as it is: a
 * number, a mask, the vector that its program was started with.
 */
#include "list.h"

#include "linux.h"

#define DUMP_FILTER_SHIFT 2
#define DUMP_FILTER_MASK 0x1ff
#define MAX_AUXV 4096

/* ---- numbers ---- */

LINUX_VIEW(linux_render_personality)
{
	guint64 number;

	if (!linux_get(os, task->object, LINUX_FIELD_TASK_PERSONALITY, &number, error))
		return FALSE;
	g_string_append_printf(out, "%08x\n", (guint32) number);
	return TRUE;
}

LINUX_VIEW(linux_render_timerslack_ns)
{
	guint64 number;

	if (!linux_get(os, task->object, LINUX_FIELD_TASK_TIMER_SLACK, &number, error))
		return FALSE;
	g_string_append_printf(out, "%" G_GUINT64_FORMAT "\n", number);
	return TRUE;
}

LINUX_VIEW(linux_render_patch_state)
{
	guint64 number;

	if (!linux_get(os, task->object, LINUX_FIELD_TASK_PATCH_STATE, &number, error))
		return FALSE;
	g_string_append_printf(out, "%d\n", (gint32) number);
	return TRUE;
}

/* These two do not end their line. */
LINUX_VIEW(linux_render_loginuid)
{
	guint64 number;

	if (!linux_get(os, task->object, LINUX_FIELD_TASK_LOGINUID, &number, error))
		return FALSE;
	g_string_append_printf(out, "%u", (guint32) number);
	return TRUE;
}

LINUX_VIEW(linux_render_sessionid)
{
	guint64 number;

	if (!linux_get(os, task->object, LINUX_FIELD_TASK_SESSIONID, &number, error))
		return FALSE;
	g_string_append_printf(out, "%u", (guint32) number);
	return TRUE;
}

LINUX_VIEW(linux_render_autogroup)
{
	LinuxCursor c = { .os = os };
	guint64 signal = linux_take(&c, task->object, LINUX_FIELD_TASK_SIGNAL);
	guint64 group = linux_take(&c, signal, LINUX_FIELD_SIGNAL_AUTOGROUP);
	guint64 tg = linux_take(&c, group, LINUX_FIELD_AUTOGROUP_TG);

	/* The group of those that are in none is none, and so is that of the dead. */
	if (!linux_take(&c, task->object, LINUX_FIELD_TASK_SIGHAND) ||
	    !linux_take(&c, tg, LINUX_FIELD_TASK_GROUP_AUTOGROUP))
		return linux_cursor_end(&c, error);
	guint64 id = linux_take(&c, group, LINUX_FIELD_AUTOGROUP_ID);
	guint64 nice = linux_take(&c, group, LINUX_FIELD_AUTOGROUP_NICE);
	if (!linux_cursor_end(&c, error))
		return FALSE;
	g_string_append_printf(out, "/autogroup-%" G_GINT64_FORMAT " nice %d\n", (gint64) id,
			       (gint32) nice);
	return TRUE;
}

/* ---- of its memory: kernel threads have nothing there ---- */

LINUX_VIEW(linux_render_coredump_filter)
{
	guint64 flags;

	if (!task->mm)
		return TRUE;
	if (!linux_get(os, task->mm, LINUX_FIELD_MM_FLAGS, &flags, error))
		return FALSE;
	g_string_append_printf(out, "%08" G_GINT64_MODIFIER "x\n",
			       flags >> DUMP_FILTER_SHIFT & DUMP_FILTER_MASK);
	return TRUE;
}

LINUX_VIEW(linux_render_auxv)
{
	guint8 words[MAX_AUXV];
	VmifsMember auxv;
	gsize len = 0;

	if (!task->mm)
		return TRUE;
	if (!linux_member(os, LINUX_FIELD_MM_SAVED_AUXV, &auxv, error) ||
	    !linux_get_bytes(os, task->mm, LINUX_FIELD_MM_SAVED_AUXV, words, sizeof words, error))
		return FALSE;
	/* Pairs, up to the one whose kind is 0, and that one. */
	gsize pair = 2 * linux_word(os), most = MIN(auxv.size, sizeof words) / pair * pair;
	while (len < most) {
		len += pair;
		if (!linux_word_at(os, words + len - pair, 0))
			break;
	}
	g_string_append_len(out, (const char *) words, (gssize) len);
	return TRUE;
}

/* ---- children ---- */

typedef struct {
	const Linux *os;
	GString *out;
	guint64 node_at;
	GError *error;
} Children;

static gboolean
visit_child(guint64 node, gpointer user)
{
	Children *c = user;
	guint64 pid;

	if (!linux_get(c->os, node - c->node_at, LINUX_FIELD_TASK_PID, &pid, &c->error))
		return FALSE;
	g_string_append_printf(c->out, "%u ", (guint32) pid);
	return TRUE;
}

LINUX_VIEW(linux_render_children)
{
	const Linux *self = os;
	g_autoptr(GString) text = g_string_new(NULL);
	Children c = { .os = os, .out = text };
	guint64 head_at;

	if (!linux_offset(self, LINUX_FIELD_TASK_CHILDREN, &head_at, error) ||
	    !linux_offset(self, LINUX_FIELD_TASK_SIBLING, &c.node_at, error) ||
	    !linux_list_each_sized(self->aspace, task->object + head_at, LINUX_MAX_TASKS,
				   LINUX_LEAST_TASK, visit_child, &c, call, error)) {
		g_clear_error(&c.error);
		return FALSE;
	}
	if (c.error) {
		g_propagate_error(error, c.error);
		return FALSE;
	}
	g_string_append_len(out, text->str, (gssize) text->len);
	return TRUE;
}
