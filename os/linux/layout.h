/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * layout: where the members of the kernel's structures lie in this guest. layout.def lists what
 * decoders use; each name is resolved once, through its alternatives, against the kernel's own
 * types. No version is ever asked for: what this kernel does not have is absent, and a decoder
 * either requires it, and fails naming it, or asks whether it is there.
 */
#pragma once

#include <spi/os.h>

G_BEGIN_DECLS

typedef enum {
#define STRUCT(name, names) LINUX_STRUCT_##name,
#include "layout.def"
	LINUX_N_STRUCTS,
} LinuxStruct;

typedef enum {
#define FIELD(structure, name, paths) LINUX_FIELD_##structure##_##name,
#include "layout.def"
	LINUX_N_FIELDS,
} LinuxField;

typedef enum {
#define VALUE(name) LINUX_VALUE_##name,
#include "layout.def"
	LINUX_N_VALUES,
} LinuxValue;

/* The largest of interest hold an element for each of a thousand nodes; what claims to be larger is
 * absent. */
#define LINUX_STRUCT_MAX (1024 * 1024)

/* All of layout.def. */
extern const VmifsWanted linux_wanted;

/* Immutable; any thread. */
typedef struct LinuxLayout LinuxLayout;

/* types: (nullable) with none, everything is absent. */
LinuxLayout *
linux_layout_new(const VmifsTypes *types);
void
linux_layout_free(LinuxLayout *layout);

gboolean
linux_layout_has(const LinuxLayout *layout, LinuxField field);
/* TRUE when all of the fields are there, else FALSE with UNSUPPORTED, naming those that are not. */
gboolean
linux_layout_require(const LinuxLayout *layout, const LinuxField *fields, gsize n, GError **error);
#define LINUX_REQUIRE(layout, error, ...)                                                          \
	linux_layout_require(layout, (const LinuxField[]){ __VA_ARGS__ },                          \
			     sizeof((const LinuxField[]){ __VA_ARGS__ }) / sizeof(LinuxField),     \
			     error)

/* NULL when absent. (borrowed) */
const VmifsMember *
linux_layout_member(const LinuxLayout *layout, LinuxField field);
/* sizeof; 0 when absent. */
guint64
linux_layout_sizeof(const LinuxLayout *layout, LinuxStruct structure);
/* Bytes from the structure's start to the end of its last field that is listed in layout.def: what
 * a decoder has to read of it. 0 when absent. */
gsize
linux_layout_span(const LinuxLayout *layout, LinuxStruct structure);
/* The enumerator's value; FALSE when absent. */
gboolean
linux_layout_value(const LinuxLayout *layout, LinuxValue value, gint64 *ret);

/* Address of element `index` of a field that is an array, of the structure at va. 0 when the field
 * is absent. Addresses wrap at 2^64. */
guint64
linux_layout_element(const LinuxLayout *layout, LinuxField field, guint64 va, guint64 index);

LinuxStruct
linux_field_struct(LinuxField field);
/* "task_struct" and "task_struct.__state|state", as in layout.def: for messages. */
const char *
linux_struct_name(LinuxStruct structure);
char * /* (full) */
linux_field_name(LinuxField field);
const char *
linux_value_name(LinuxValue value);

G_DEFINE_AUTOPTR_CLEANUP_FUNC(LinuxLayout, linux_layout_free)

G_END_DECLS
