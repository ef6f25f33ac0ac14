/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * json: reads JSON of any length token by token, in memory that does not grow with it. Who reads
 * asks for the next token and skips what he does not know. The first thing that is wrong ends it:
 * every further token is VMIFS_JSON_FAILED. One thread.
 */
#pragma once

#include <glib.h>

G_BEGIN_DECLS

typedef enum {
	VMIFS_JSON_END, /* of the one value that a text holds */
	VMIFS_JSON_FAILED,
	VMIFS_JSON_OBJECT,
	VMIFS_JSON_OBJECT_END,
	VMIFS_JSON_ARRAY,
	VMIFS_JSON_ARRAY_END,
	VMIFS_JSON_KEY,
	VMIFS_JSON_STRING,
	VMIFS_JSON_NUMBER,
	VMIFS_JSON_WORD, /* true, false, null */
} VmifsJsonToken;

/* At most len bytes, 0 at the end, -1 with error. */
typedef gssize (*VmifsJsonRead)(gpointer user, gpointer buf, gsize len, GError **error);

typedef struct VmifsJson VmifsJson;

VmifsJson *
vmifs_json_new(VmifsJsonRead read, gpointer user);
void
vmifs_json_free(VmifsJson *json);

VmifsJsonToken
vmifs_json_next(VmifsJson *json);
/* Of a KEY, STRING, WORD or NUMBER: as long as no other is asked for. It holds no NUL. (borrowed)
 */
const char *
vmifs_json_text(const VmifsJson *json);
/* Of a NUMBER that is whole and fits: -2^63 to 2^63 - 1. */
gboolean
vmifs_json_i64(const VmifsJson *json, gint64 *ret);

/* Whatever value comes next, as a whole. */
void
vmifs_json_skip(VmifsJson *json);
/* The next token if it is the one expected; fails otherwise. */
gboolean
vmifs_json_expect(VmifsJson *json, VmifsJsonToken token);
/* Within an object: TRUE with the next key, FALSE at its end, or when it fails. */
gboolean
vmifs_json_key(VmifsJson *json);
/* A number as the next value; fails otherwise. One that is negative, broken or too large is
 * G_MAXUINT64. */
guint64
vmifs_json_take_u64(VmifsJson *json);
/* It makes no sense to who reads it: CORRUPT. */
void
vmifs_json_fail(VmifsJson *json, const char *why);
/* FALSE with the first failure. */
gboolean
vmifs_json_check(const VmifsJson *json, GError **error);

G_DEFINE_AUTOPTR_CLEANUP_FUNC(VmifsJson, vmifs_json_free)

G_END_DECLS
