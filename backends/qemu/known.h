/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * known: what is known of a running QEMU: where its guest's memory lies, by its monitor or, as long
 * as that has not told anything, by rules; how many vCPUs it has; whether its memory is encrypted.
 */
#pragma once

#include "process.h"
#include "ram.h"
#include "registers.h"
#include "status.h"
#include "target.h"

G_BEGIN_DECLS

typedef struct {
	const QemuTarget *target; /* (borrowed) as the others */
	QemuProcess *process;     /* set before anything is asked, as is ram */
	QemuRam *ram;
	const gint *given_up; /* (nullable) atomic; what is asked for is of no use any more */
	GMutex lock;
	char *how;        /* (lock) the layout was learned */
	QemuAbout about;  /* (lock) as the monitor told last; before it did, nothing */
	gboolean is_told; /* (lock) by the monitor; the rules know less */
} QemuKnown;

void
qemu_known_init(QemuKnown *known, const QemuTarget *target, const gint *given_up);
void
qemu_known_clear(QemuKnown *known);

/* UNSUPPORTED, TIMEOUT: its monitor would be waited for in vain. */
gboolean
qemu_known_may_ask(QemuKnown *known, GError **error);
/* By the monitor, else, while it has not told anything yet, by the rules; with both reasons when
 * neither can tell. ret_changed: is it another layout than before? */
gboolean
qemu_known_learn(QemuKnown *known, gint64 patience, gboolean *ret_changed, GError **error);
/* (full): its mappings. */
GArray *
qemu_known_maps(QemuKnown *known, GError **error);

/* As the monitor told, or else as many as it was started with; where it has no monitor, none. And
 * those included that may be plugged. */
guint
qemu_known_vcpus(QemuKnown *known);
guint
qemu_known_max_vcpus(QemuKnown *known);
/* (static) (nullable) */
const char *
qemu_known_accel(QemuKnown *known);
gboolean
qemu_known_is_encrypted(QemuKnown *known);
/* Of a layout what is not memory. */
void
qemu_known_layout(QemuKnown *known, VmifsLayout *ret);
void
qemu_known_info(QemuKnown *known, GString *out);

G_END_DECLS
