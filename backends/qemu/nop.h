/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * nop: instructions of x86-64 that do nothing, as they stand at the beginning of functions, so that
 * others can be put there: a vCPU gets past one of them without making a step.
 */
#pragma once

#include <glib.h>

G_BEGIN_DECLS

/* As many bytes as one may have. */
#define QEMU_MAX_NOP 15

/* Of what is there; 0: something else, or not all of it. */
guint
qemu_nop_len(const guint8 *code, gsize len);

G_END_DECLS
