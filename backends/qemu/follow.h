/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * follow (private): a thread that waits for the end of a process, and looks after it about once a
 * second. Everything that a guest does by itself, and of which nobody tells, is seen here.
 */
#pragma once

#include <glib.h>

G_BEGIN_DECLS

typedef struct QemuFollow QemuFollow;

typedef struct {
	/* Every interval_us. */
	void (*look)(gpointer user);
	/* Once, when it has ended; nothing is called afterwards. */
	void (*ended)(gpointer user);
	gpointer user;
	gint64 interval_us;
} QemuFollower;

/* pidfd: (borrowed) until it is freed. *ret: (full) set before anything is called, for the end may
 * come at once, and who hears of it may free it. FALSE with IO. */
gboolean
qemu_follow_start(int pidfd, const QemuFollower *follower, QemuFollow **ret, GError **error);
/* Neither is called any more when this returns; unless one of them has called it, of course. */
void
qemu_follow_free(QemuFollow *follow);

G_DEFINE_AUTOPTR_CLEANUP_FUNC(QemuFollow, qemu_follow_free)

G_END_DECLS
