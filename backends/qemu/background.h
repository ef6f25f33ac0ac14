/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * background (private): is QEMU's background snapshot the way for this guest?
 */
#pragma once

#include "snapshot.h"

G_BEGIN_DECLS

/* Bytes of a guest's shared files, and of all else of it. */
typedef struct {
	guint64 present; /* all that is there */
	guint64 absent;  /* of files: all of that comes into being */
	guint64 room;    /* for that */
} QemuWeight;

/* FALSE with UNSUPPORTED: a copy is better. */
gboolean
qemu_background_is_worth(const QemuWeight *weight, GError **error);
/* FALSE with error: it is not, or the monitor does not answer. */
gboolean
qemu_background_suits(const QemuSubject *subject, const VmifsCall *call, GError **error);

G_END_DECLS
