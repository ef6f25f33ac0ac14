/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* infer-guest: a guest of five tasks without types, and what is inferred of it. */
#pragma once

#include <unit.h>

#include <linux-guest.h>
#include <os/linux/infer.h>
#include <spi/insn.h>

#include <string.h>

#define N 5
#define TASKS 256
#define MM 272
#define PID 304
#define REAL_PARENT 312
#define CHILDREN 328
#define SIBLING 344
#define THREAD_PID 368
#define THREAD_NODE 376
#define COMM 400
#define SIGNAL 600
#define TASK_LEN 2048
/* Of what tasks point to. */
#define OBJECT_LEN 1024
#define THREAD_HEAD 16
#define PIDS 64
#define NUMBERS 96
#define REAPER 160

typedef struct {
	LinuxGuest g;
	guint64 tasks[N];
	VmifsTypes *types;
	char *origin;
	GError *error;
} Fixture;

static inline void
put_u32(Fixture *f, guint64 va, guint32 value)
{
	value = GUINT32_TO_LE(value);
	linux_guest_write(&f->g, va, &value, sizeof value);
}

static inline void
put_ring(Fixture *f, gsize head_at, guint head, gsize node_at, guint n, const guint *of)
{
	guint64 nodes[N] = { f->tasks[head] + head_at };

	for (guint i = 0; i < n; i++)
		nodes[i + 1] = f->tasks[of[i]] + node_at;
	linux_guest_ring(&f->g, nodes, n + 1);
}

/* 0 -> { 1 -> 4, 2 -> 3 } */
static inline void
setup(Fixture *f)
{
	static const char *const names[N] = { "swapper/0", "init", "kthreadd", "kworker/0:0",
					      "sh" };
	static const guint parents[N] = { 0, 0, 0, 2, 1 };

	*f = (Fixture){ 0 };
	linux_guest_init(&f->g, "");
	for (guint i = 0; i < N; i++)
		f->tasks[i] = linux_guest_alloc(&f->g, TASK_LEN);
	for (guint i = 0; i < N; i++) {
		guint64 task = f->tasks[i], mm = i == 1 || i == 4 ? f->tasks[0] + 65536 * i : 0;

		linux_guest_u64(&f->g, task + MM, mm);
		linux_guest_u64(&f->g, task + MM + 8, mm);
		put_u32(f, task + PID, i);
		put_u32(f, task + PID + 4, i);
		linux_guest_u64(&f->g, task + REAL_PARENT, f->tasks[parents[i]]);
		linux_guest_u64(&f->g, task + REAL_PARENT + 8, f->tasks[parents[i]]);
		linux_guest_write(&f->g, task + COMM, names[i], strlen(names[i]));
	}
	put_ring(f, TASKS, 0, TASKS, 4, (guint[]){ 1, 2, 3, 4 });
	put_ring(f, CHILDREN, 0, SIBLING, 2, (guint[]){ 1, 2 });
	put_ring(f, CHILDREN, 1, SIBLING, 1, (guint[]){ 4 });
	put_ring(f, CHILDREN, 2, SIBLING, 1, (guint[]){ 3 });
	put_ring(f, CHILDREN, 3, SIBLING, 0, NULL);
	put_ring(f, CHILDREN, 4, SIBLING, 0, NULL);
	linux_guest_symbol(&f->g, "init_task", f->tasks[0]);
}

static inline void
teardown(Fixture *f)
{
	g_clear_pointer(&f->types, vmifs_types_unref);
	g_free(f->origin);
	g_clear_error(&f->error);
	linux_guest_clear(&f->g);
}

static inline void
infer(Fixture *f)
{
	f->types = linux_infer(linux_guest_start(&f->g), &f->origin, NULL, &f->error);
}

static inline void
expect_place(const Fixture *f, const char *path, guint64 offset)
{
	VmifsMember member;

	ck_assert_msg(vmifs_types_member(f->types, path, &member), "no %s", path);
	ck_assert_uint_eq(member.offset, offset);
}
