/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * words: one value of a QEMU option as keys with values: "guest=web,debug-threads=on", where ",,"
 * is a comma, a first word without "=" has the key that the option implies, and later ones are
 * switches; or a JSON object, of which the members that are no lists and no objects count.
 */
#pragma once

#include <glib.h>

G_BEGIN_DECLS

typedef struct QemuWords QemuWords;

/* first: (nullable) the key of a first word without one. Never NULL. */
QemuWords *
qemu_words_new(const char *text, const char *first);
void
qemu_words_free(QemuWords *words);

/* (borrowed) (nullable) Of equal keys the last counts, as with QEMU. */
const char *
qemu_words_get(const QemuWords *words, const char *key);
/* Is it there and on? */
gboolean
qemu_words_is_on(const QemuWords *words, const char *key);
/* "512", "1.5G", "0x1000k": bytes; shift: of a number without a suffix (20 = MiB). FALSE when it is
 * not there or no such number. */
gboolean
qemu_words_size(const QemuWords *words, const char *key, guint shift, guint64 *ret);
/* The number alone: decimal, or hex with 0x. */
gboolean
qemu_words_number(const QemuWords *words, const char *key, guint64 *ret);

G_DEFINE_AUTOPTR_CLEANUP_FUNC(QemuWords, qemu_words_free)

G_END_DECLS
