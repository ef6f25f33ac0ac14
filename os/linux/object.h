/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * object: one structure of the guest's kernel, read in one go and taken apart without further
 * reads, so that its members belong together as far as they can.
 *
 *   g_auto(LinuxObject) task = LINUX_OBJECT_INIT(layout, aspace);
 *
 *   if (!LINUX_REQUIRE(layout, error, LINUX_FIELD_TASK_PID, LINUX_FIELD_TASK_COMM) ||
 *       !linux_object_read(&task, LINUX_STRUCT_TASK, va, error))
 *           return FALSE;
 *   pid = linux_object_u64(&task, LINUX_FIELD_TASK_PID);
 *
 * Members are loaded as little-endian numbers of their size. A field that this kernel lacks reads
 * as 0: require it, or ask linux_layout_has().
 */
#pragma once

#include "layout.h"

#include <vmifs/aspace.h>

G_BEGIN_DECLS

typedef struct {
	const LinuxLayout *layout; /* (borrowed) */
	VmifsAspace *aspace;       /* (borrowed) */
	LinuxStruct structure;
	guint64 va;
	const guint8 *data; /* len bytes from va on; NULL while empty */
	gsize len;
	guint8 *own; /* (nullable) room bytes */
	gsize room;
} LinuxObject;

#define LINUX_OBJECT_INIT(layout_, aspace_) ((LinuxObject){ .layout = layout_, .aspace = aspace_ })
void
linux_object_clear(LinuxObject *object);

/* Reads the listed part of the structure at va; the buffer is used again. UNSUPPORTED when this
 * kernel lacks the structure, else the errors of vmifs_aspace_read(); the object is empty then. */
gboolean
linux_object_read(LinuxObject *object, LinuxStruct structure, guint64 va, GError **error);
/* The structure that lies at `data` already: a piece of something larger, which must outlive the
 * view. */
void
linux_object_view(LinuxObject *object, LinuxStruct structure, guint64 va, gconstpointer data,
		  gsize len);

/* The number in a field; u64 extends with zeros, s64 with the sign. 0 for what is not a number of
 * 1, 2, 4 or 8 bytes (an array gives its first element), is absent, or lies outside the object. */
guint64
linux_object_u64(const LinuxObject *object, LinuxField field);
gint64
linux_object_s64(const LinuxObject *object, LinuxField field);
/* Element `index` of an array; 0 beyond its end. */
guint64
linux_object_element(const LinuxObject *object, LinuxField field, guint64 index);
/* The bytes of a field, *ret_len of them; NULL (and 0) when absent. (borrowed, until the next
 * read) */
const guint8 *
linux_object_bytes(const LinuxObject *object, LinuxField field, gsize *ret_len);
/* The text in a char array, up to its NUL or its end; "" when absent. (full) */
char *
linux_object_string(const LinuxObject *object, LinuxField field);
/* Guest address of a field; 0 when absent. */
guint64
linux_object_address(const LinuxObject *object, LinuxField field);

/* A single field of the structure at va, where the rest of it is of no interest. */
gboolean
linux_read_field(VmifsAspace *aspace, const LinuxLayout *layout, LinuxField field, guint64 va,
		 guint64 *ret, GError **error);

G_DEFINE_AUTO_CLEANUP_CLEAR_FUNC(LinuxObject, linux_object_clear)

G_END_DECLS
