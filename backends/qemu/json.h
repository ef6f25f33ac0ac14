/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * json: texts of a monitor as values. Behind a monitor is a process that the guest may have taken
 * over: depth and number of values are bounded before anything is made of them, as 16 MiB of "[],"
 * would become half a gigabyte.
 */
#pragma once

#include <glib.h>
#include <jansson.h>

#define QEMU_JSON_DEPTH 64
#define QEMU_JSON_VALUES (256 * 1024)

/* Of all answers to one asker that keeps them: bytes of text, and so many for each value, as which
 * it takes up more. */
#define QEMU_JSON_ROOM ((gsize) 64 << 20)
#define QEMU_JSON_VALUE_ROOM 64

/* room: what is left for this one and others; what it takes is taken off. NULL with CORRUPT.
 * (full) */
json_t *
qemu_json_parse(const char *text, gsize len, gsize *room, GError **error);
