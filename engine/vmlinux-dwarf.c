/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * vmlinux-dwarf: the structures that are wanted, and what lies within them, out of a kernel's
 * DWARF. It has each type once in each of the thousands of units that use it. All of them are
 * passed over, as those that are wanted may be anywhere, but of most only the name is looked at:
 *
 *   unit     types at its top, by name  ---- wanted, and not yet told --> tell it, and what its
 *   unit     ...                                                          members are made of
 *   unit
 *
 * Names are the same bytes of .debug_str wherever they are used, so that each is compared once.
 * Attributes are taken from the entry itself alone: what libdw would gather for it from elsewhere
 * may be in a file that it opens.
 */
#include "vmlinux.h"

#include "vmlinux-entry.h"

#include <dwarf.h>
#include <elfutils/libdw.h>
#include <string.h>
#include <vmifs/error.h>

#define MAX_TOLD 0x40000        /* types; of a kernel of Debian it is 20,000 */
#define MAX_NAMES (1024 * 1024) /* that are remembered; more are compared each time */
#define MAX_DEFINITIONS 8       /* of one name: drivers have structures that are called alike */
#define MAX_DIMENSIONS 8
#define MAX_DEPTH 8 /* of structures in structures */
/* Bytes of entries: so often is the caller asked whether he still waits; and all together, of one
 * that is passed over. Within structures entries are looked at again, of a kernel once or twice. */
#define BYTES_PER_CHECK (1u << 20)
#define MAX_TIMES 32

/* A name that is wanted. */
typedef struct {
	guint n;
	struct {
		guint64 size, line;
	} told[MAX_DEFINITIONS];
} Wanted;

typedef struct {
	Dwarf_Die die;
	guint32 id;
} Task;

typedef struct {
	Dwarf *dwarf;
	VmifsEntryTexts texts;
	VmifsTypesBuilder *types;
	GHashTable *structs;  /* name -> Wanted */
	GHashTable *values;   /* names of enumerators that were not met yet */
	GHashTable *by_place; /* of a name that was compared -> Wanted, or NULL */
	GHashTable *enums;    /* set of: enum_key() of those that were looked at */
	GHashTable *ids;      /* where a type's entry is -> its id */
	GArray *tasks;        /* of Task: types that were named and are to be told */
	const VmifsCall *call;
	guint64 budget;      /* bytes of entries that may still be passed over */
	guint64 unchecked;   /* of those that were since the call was looked at */
	GError *ended;       /* (nullable) why the call is to end */
	const char *problem; /* (static) */
} Reader;

/* ---- entries ---- */

static gboolean
is_whole(Reader *reader, Dwarf_Die *die)
{
	if (vmifs_entry_is_whole(die))
		return TRUE;
	reader->problem = "an entry that is broken";
	return FALSE;
}

/* (borrowed) (nullable) */
static const char *
name_of(const Reader *reader, Dwarf_Die *die)
{
	return vmifs_entry_text(&reader->texts, die, DW_AT_name);
}

/* So far its unit goes on behind that entry. */
static guint64
rest_of_unit(Reader *reader, Dwarf_Die *die)
{
	Dwarf_Off at = dwarf_dieoffset(die), end;
	size_t head_len;
	int got = dwarf_nextcu(reader->dwarf, at - dwarf_cuoffset(die), &end, &head_len, NULL, NULL,
			       NULL);

	return got == 0 && end > at ? end - at : G_MAXUINT64;
}

/* Of an entry with all that lies within it, which references may lead to again and again. FALSE:
 * enough, and why. */
static gboolean
spend(Reader *reader, guint64 len)
{
	if (len > reader->budget) {
		reader->problem = "entries lie within each other as no compiler has them";
		return FALSE;
	}
	reader->budget -= len;
	reader->unchecked += len;
	if (reader->unchecked < BYTES_PER_CHECK)
		return TRUE;
	reader->unchecked = 0;
	return vmifs_call_check(reader->call, &reader->ended);
}

/* The entry behind it. Returns: 0, 1 where there is none, -1 = broken. */
static int
next(Reader *reader, Dwarf_Die *die)
{
	const guint8 *before = die->addr;
	Dwarf_Die found = { 0 };
	int got = dwarf_siblingof(die, &found);
	const guint8 *after = found.addr;

	/* How far that came nothing tells: it is not to be had again. */
	if (got < 0 || (after && after <= before))
		reader->problem = "an entry that is broken";
	if (reader->problem ||
	    !spend(reader, after ? (guint64) (after - before) : rest_of_unit(reader, die)))
		return -1;
	*die = found;
	return got;
}

/* ---- telling ---- */

/* Of the type of that entry, which will be told. */
static guint32
id_of(Reader *reader, Dwarf_Die *die)
{
	gpointer known = g_hash_table_lookup(reader->ids, die->addr);
	Task task = { .die = *die };

	if (known)
		return GPOINTER_TO_UINT(known);
	if (g_hash_table_size(reader->ids) == MAX_TOLD) {
		reader->problem = "more types than any kernel has";
		return 0;
	}
	task.id = vmifs_types_builder_reserve(reader->types);
	g_hash_table_insert(reader->ids, die->addr, GUINT_TO_POINTER(task.id));
	g_array_append_val(reader->tasks, task);
	return task.id;
}

/* Of what that entry is made of; 0 = void. */
static guint32
inner_id(Reader *reader, Dwarf_Die *die)
{
	Dwarf_Die inner;

	return vmifs_entry_type(die, &inner) ? id_of(reader, &inner) : 0;
}

static void
tell_member(Reader *reader, Dwarf_Die *die)
{
	const char *name = name_of(reader, die);
	guint64 place, bits, len = 0;

	if (!vmifs_entry_place(die, &place) || place > G_MAXUINT32)
		return;
	bits = place * 8;
	if (vmifs_entry_number(die, DW_AT_bit_size, &len) &&
	    (!name || !len || len > 64 || !vmifs_entry_bits(die, place, len, &bits)))
		return;
	vmifs_types_builder_member(reader->types, name, inner_id(reader, die), bits, (guint8) len);
}

static void
tell_struct(Reader *reader, Dwarf_Die *die, guint32 id)
{
	guint64 size;
	Dwarf_Die member;

	/* One that was declared only. */
	if (!vmifs_entry_number(die, DW_AT_byte_size, &size) || size > G_MAXUINT32)
		return;
	vmifs_types_builder_struct(reader->types, id, name_of(reader, die), (guint32) size);
	for (int got = dwarf_child(die, &member); got == 0; got = next(reader, &member))
		if (is_whole(reader, &member) && dwarf_tag(&member) == DW_TAG_member)
			tell_member(reader, &member);
}

/* An array of arrays for each dimension, the last one within. */
static void
tell_array(Reader *reader, Dwarf_Die *die, guint32 id)
{
	guint32 counts[MAX_DIMENSIONS], elem = inner_id(reader, die);
	guint n = 0;
	Dwarf_Die range;

	for (int got = dwarf_child(die, &range); got == 0 && n < MAX_DIMENSIONS;
	     got = next(reader, &range))
		if (is_whole(reader, &range) && dwarf_tag(&range) == DW_TAG_subrange_type)
			counts[n++] = vmifs_entry_count(&range);
	while (n-- > 1)
		elem = vmifs_types_builder_array(reader->types, 0, elem, counts[n]);
	if (n == 0)
		vmifs_types_builder_array(reader->types, id, elem, counts[0]);
}

/* A number: its size is all that matters. */
static void
tell_number(Reader *reader, Dwarf_Die *die, guint32 id)
{
	guint64 size;

	if (vmifs_entry_number(die, DW_AT_byte_size, &size) && size && size <= 16)
		vmifs_types_builder_typedef(reader->types, id, NULL,
					    vmifs_types_builder_int(reader->types, (guint32) size));
}

static void
tell(Reader *reader, Dwarf_Die *die, guint32 id)
{
	switch (is_whole(reader, die) ? dwarf_tag(die) : 0) {
	case DW_TAG_base_type:
	case DW_TAG_enumeration_type:
		tell_number(reader, die, id);
		break;
	case DW_TAG_pointer_type:
		vmifs_types_builder_pointer(reader->types, id, 0);
		break;
	case DW_TAG_structure_type:
	case DW_TAG_union_type:
		tell_struct(reader, die, id);
		break;
	case DW_TAG_array_type:
		tell_array(reader, die, id);
		break;
	case DW_TAG_typedef:
	case DW_TAG_const_type:
	case DW_TAG_volatile_type:
	case DW_TAG_restrict_type:
	case DW_TAG_atomic_type:
		vmifs_types_builder_typedef(reader->types, id,
					    dwarf_tag(die) == DW_TAG_typedef ? name_of(reader, die)
									     : NULL,
					    inner_id(reader, die));
		break;
	default:
		break; /* functions, and what C lacks: without a size */
	}
}

/* ---- what is wanted ---- */

/* Is it a definition that was not told yet, by its size and line? One of each unit. */
static gboolean
is_new(Wanted *wanted, Dwarf_Die *die)
{
	guint64 size = 0, line = 0;

	/* Declared only. */
	if (!vmifs_entry_number(die, DW_AT_byte_size, &size) && dwarf_tag(die) != DW_TAG_typedef)
		return FALSE;
	vmifs_entry_number(die, DW_AT_decl_line, &line);
	for (guint i = 0; i < wanted->n; i++)
		if (wanted->told[i].size == size && wanted->told[i].line == line)
			return FALSE;
	if (wanted->n == MAX_DEFINITIONS)
		return FALSE;
	wanted->told[wanted->n].size = size;
	wanted->told[wanted->n++].line = line;
	return TRUE;
}

static void
look_at_struct(Reader *reader, Dwarf_Die *die)
{
	const char *name = is_whole(reader, die) ? name_of(reader, die) : NULL;
	gpointer wanted;

	if (!name)
		return;
	if (!g_hash_table_lookup_extended(reader->by_place, name, NULL, &wanted)) {
		wanted = g_hash_table_lookup(reader->structs, name);
		if (g_hash_table_size(reader->by_place) < MAX_NAMES)
			g_hash_table_insert(reader->by_place, (gpointer) name, wanted);
	}
	if (!wanted || !is_new(wanted, die))
		return;
	id_of(reader, die);
	while (reader->tasks->len && !reader->problem && !reader->ended) {
		Task task = g_array_index(reader->tasks, Task, reader->tasks->len - 1);
		g_array_set_size(reader->tasks, reader->tasks->len - 1);
		tell(reader, &task.die, task.id);
	}
}

/* Most have no name: what tells one is where its first value's is, and its line. */
static gpointer
enum_key(Dwarf_Die *die, const char *first)
{
	guint64 line = 0;

	vmifs_entry_number(die, DW_AT_decl_line, &line);
	return (gpointer) ((gsize) first + ((gsize) line << 32 | line << 20));
}

/* Of those that are wanted, the first of each name. */
static void
look_at_enum(Reader *reader, Dwarf_Die *die)
{
	Dwarf_Die value;
	gboolean is_first = TRUE;
	Dwarf_Attribute attr;
	Dwarf_Sword number;

	if (!is_whole(reader, die))
		return;
	for (int got = dwarf_child(die, &value); got == 0; got = next(reader, &value)) {
		const char *name = is_whole(reader, &value) ? name_of(reader, &value) : NULL;
		if (!name)
			continue;
		if (is_first && g_hash_table_contains(reader->enums, enum_key(die, name)))
			return;
		if (is_first && g_hash_table_size(reader->enums) < MAX_NAMES)
			g_hash_table_add(reader->enums, enum_key(die, name));
		is_first = FALSE;
		if (!g_hash_table_contains(reader->values, name) ||
		    !dwarf_attr(&value, DW_AT_const_value, &attr) ||
		    dwarf_formsdata(&attr, &number) != 0)
			continue;
		vmifs_types_builder_enum(reader->types, 0, NULL, 8);
		vmifs_types_builder_enumerator(reader->types, name, number);
		g_hash_table_remove(reader->values, name);
	}
}

/* ---- units ---- */

/* What clang finds declared within a structure it tells there; gcc tells all types of C at the top.
 */
static gboolean
has_types_within(Reader *reader, Dwarf_Die *unit)
{
	const char *producer = is_whole(reader, unit)
				       ? vmifs_entry_text(&reader->texts, unit, DW_AT_producer)
				       : NULL;

	return producer && strstr(producer, "clang");
}

/* The types right within an entry, and for depth times within those. Returns: as next(). */
static int
look_within(Reader *reader, Dwarf_Die *entry, guint depth)
{
	Dwarf_Die die;
	int got = dwarf_child(entry, &die);

	for (; got == 0 && !reader->problem && !reader->ended; got = next(reader, &die)) {
		int tag = dwarf_tag(&die);
		gboolean is_struct = tag == DW_TAG_structure_type || tag == DW_TAG_union_type;

		if (is_struct || tag == DW_TAG_typedef)
			look_at_struct(reader, &die);
		else if (tag == DW_TAG_enumeration_type)
			look_at_enum(reader, &die);
		if (is_struct && depth && look_within(reader, &die, depth - 1) < 0)
			return -1;
	}
	return got;
}

static gboolean
read_unit(Reader *reader, Dwarf_Die *unit, GError **error)
{
	int got = look_within(reader, unit, has_types_within(reader, unit) ? MAX_DEPTH : 0);

	if (reader->ended) {
		g_propagate_error(error, g_steal_pointer(&reader->ended));
		return FALSE;
	}
	if (got >= 0 && !reader->problem)
		return TRUE;
	g_set_error(error, VMIFS_ERROR, VMIFS_ERROR_CORRUPT,
		    "DWARF of the unit at %#" G_GINT64_MODIFIER "x: %s",
		    (guint64) dwarf_dieoffset(unit),
		    reader->problem ? reader->problem : dwarf_errmsg(-1));
	return FALSE;
}

static gboolean
read_units(Reader *reader, GError **error)
{
	Dwarf_Off at = 0, end;
	size_t head_len;
	Dwarf_Die unit;
	int got;

	while ((got = dwarf_nextcu(reader->dwarf, at, &end, &head_len, NULL, NULL, NULL)) == 0 &&
	       end > at) {
		if (!dwarf_offdie(reader->dwarf, at + head_len, &unit)) {
			got = -1;
			break;
		}
		if (!vmifs_call_check(reader->call, error) || !read_unit(reader, &unit, error))
			return FALSE;
		at = end;
	}
	if (got >= 0)
		return TRUE;
	g_set_error(error, VMIFS_ERROR, VMIFS_ERROR_CORRUPT,
		    "DWARF at %#" G_GINT64_MODIFIER "x: %s", (guint64) at, dwarf_errmsg(-1));
	return FALSE;
}

/* ---- life ---- */

/* names: alternatives are divided by |. */
static void
want(Reader *reader, const VmifsWanted *wanted)
{
	for (gsize i = 0; i < wanted->n_structs; i++) {
		g_auto(GStrv) names = g_strsplit(wanted->structs[i], "|", -1);
		for (char **name = names; *name; name++)
			g_hash_table_insert(reader->structs, g_strdup(*name), g_new0(Wanted, 1));
	}
	for (gsize i = 0; i < wanted->n_values; i++)
		g_hash_table_add(reader->values, (gpointer) wanted->values[i]);
}

static void
reader_clear(Reader *reader)
{
	dwarf_end(reader->dwarf);
	vmifs_types_builder_free(reader->types);
	g_hash_table_unref(reader->structs);
	g_hash_table_unref(reader->values);
	g_hash_table_unref(reader->by_place);
	g_hash_table_unref(reader->enums);
	g_hash_table_unref(reader->ids);
	g_array_unref(reader->tasks);
	g_clear_error(&reader->ended);
}

G_DEFINE_AUTO_CLEANUP_CLEAR_FUNC(Reader, reader_clear)

VmifsTypes *
vmifs_vmlinux_dwarf(struct Elf *elf, guint pointer_len, const VmifsWanted *wanted,
		    const VmifsCall *call, GError **error)
{
	Dwarf *dwarf = dwarf_begin_elf(elf, DWARF_C_READ, NULL);

	if (!dwarf)
		return NULL;
	g_auto(Reader) reader = {
		.dwarf = dwarf,
		.types = vmifs_types_builder_new(pointer_len),
		.structs = g_hash_table_new_full(g_str_hash, g_str_equal, g_free, g_free),
		.values = g_hash_table_new(g_str_hash, g_str_equal),
		.by_place = g_hash_table_new(NULL, NULL),
		.enums = g_hash_table_new(NULL, NULL),
		.ids = g_hash_table_new(NULL, NULL),
		.tasks = g_array_new(FALSE, FALSE, sizeof(Task)),
		.call = call,
	};
	if (!vmifs_entry_measure(elf, dwarf, &reader.budget)) {
		g_set_error_literal(error, VMIFS_ERROR, VMIFS_ERROR_CORRUPT,
				    "DWARF: more abbreviations than any kernel has");
		return NULL;
	}
	reader.budget *= MAX_TIMES;
	vmifs_entry_texts_find(elf, &reader.texts);
	want(&reader, wanted);
	if (!read_units(&reader, error) || !g_hash_table_size(reader.ids))
		return NULL;
	return vmifs_types_builder_end(g_steal_pointer(&reader.types), error);
}
