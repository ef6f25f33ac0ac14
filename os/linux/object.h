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
 * Members are loaded as little-endian numbers of their size, extended with zeros. A field that this
 * kernel lacks reads as 0: require it, or ask linux_layout_has().
 */
#pragma once

#include "layout.h"

#include <vmifs/aspace.h>

G_BEGIN_DECLS

typedef struct {
	const LinuxLayout *layout; /* (borrowed) */
	VmifsAspace *aspace;       /* (borrowed) */
	LinuxStruct structure;
	guint8 *data; /* (full) (nullable) room bytes */
	gsize len;    /* that were read; 0 = empty */
	gsize room;
} LinuxObject;

#define LINUX_OBJECT_INIT(layout_, aspace_) ((LinuxObject){ .layout = layout_, .aspace = aspace_ })
void
linux_object_clear(LinuxObject *object);

/* Reads the listed part of the structure at va; the buffer is used again. UNSUPPORTED when this
 * kernel lacks the structure, else the errors of vmifs_aspace_read(); the object is empty then. */
gboolean
linux_object_read(LinuxObject *object, LinuxStruct structure, guint64 va, GError **error);

/* The number in a field. 0 for what is not a number of 1, 2, 4 or 8 bytes (an array gives its first
 * element) or is absent, and while the object is empty. */
guint64
linux_object_u64(const LinuxObject *object, LinuxField field);

/* A single field of the structure at va, where the rest of it is of no interest. */
gboolean
linux_read_field(VmifsAspace *aspace, const LinuxLayout *layout, LinuxField field, guint64 va,
		 guint64 *ret, GError **error);

G_DEFINE_AUTO_CLEANUP_CLEAR_FUNC(LinuxObject, linux_object_clear)

G_END_DECLS
