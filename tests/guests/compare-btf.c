/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * compare-btf: our reading of BTF beside libbpf's, on the blob of a real kernel and those of its
 * modules: every type, every member of every structure, every enumerator.
 *
 *     compare-btf KERNEL [MODULE]...     prints TAP, one line per blob
 */
#include <bpf/btf.h>
#include <btf.h>
#include <stdio.h>
#include <stdlib.h>
#include <vmifs/types.h>

typedef struct {
	struct btf *theirs;
	VmifsBtf *ours;
	VmifsTypes *types;
	GHashTable *first; /* name -> id */
	GHashTable *seen;  /* names of enumerators */
	guint64 n_types, n_members, n_enumerators;
	guint n_wrong;
} Compare;

#define WRONG(c, ...) (++(c)->n_wrong <= 20 ? (void) printf("# " __VA_ARGS__) : (void) 0)

/* Ids by name, of what can be defined: the first of several is the one that names give. */
static GHashTable *
first_ids(const Compare *c)
{
	GHashTable *ids = g_hash_table_new(g_str_hash, g_str_equal);

	for (guint32 id = btf__type_cnt(c->theirs); id-- > vmifs_btf_first(c->ours);) {
		const struct btf_type *t = btf__type_by_id(c->theirs, id);
		const char *name = btf__name_by_offset(c->theirs, t->name_off);

		if (*name && btf__resolve_size(c->theirs, id) > 0 &&
		    (btf_is_composite(t) || btf_is_any_enum(t) || btf_is_typedef(t)))
			g_hash_table_insert(ids, (gpointer) name, GUINT_TO_POINTER(id));
	}
	return ids;
}

/* By name: the offset as a user of the public interface sees it. */
static void
compare_named_member(Compare *c, const char *structure, const char *name, guint64 bit_offset,
		     guint32 bit_len)
{
	g_autofree char *path = g_strdup_printf("%s.%s", structure, name);
	VmifsMember member;

	if (!vmifs_types_member(c->types, path, &member))
		WRONG(c, "%s: not found\n", path);
	else if (member.offset * 8 + member.bit_shift != bit_offset || member.bit_len != bit_len)
		WRONG(c, "%s: bit %" G_GUINT64_FORMAT " of %u, not %" G_GUINT64_FORMAT " of %u\n",
		      path, member.offset * 8 + member.bit_shift, member.bit_len, bit_offset,
		      bit_len);
}

/* The members of `id`, which lies at bit_offset of `outer`; anonymous ones are gone into. */
static void
compare_members(Compare *c, guint32 outer, const char *by_name, guint32 id, guint64 bit_offset)
{
	const struct btf_type *t = btf__type_by_id(c->theirs, id);
	const struct btf_member *m = btf_members(t);

	for (guint i = 0; i < btf_vlen(t); i++, m++) {
		const char *name = btf__name_by_offset(c->theirs, m->name_off);
		guint64 at = bit_offset + btf_member_bit_offset(t, i);
		guint32 bit_len = btf_member_bitfield_size(t, i);
		VmifsBtfShape shape;
		VmifsBtfField field;
		gint64 size;

		if (!*name) {
			int inner = btf__resolve_type(c->theirs, m->type);

			if (inner > 0 && btf_is_composite(btf__type_by_id(c->theirs, inner)))
				compare_members(c, outer, by_name, inner, at);
			continue;
		}
		c->n_members++;
		size = btf__resolve_size(c->theirs, m->type);
		if (!vmifs_btf_field(c->ours, outer, name, strlen(name), &field))
			WRONG(c, "type %u: %s: not found\n", outer, name);
		else if (field.id != m->type || field.bit_offset != at || field.bit_len != bit_len)
			WRONG(c, "type %u: %s: type %u at %" G_GUINT64_FORMAT "\n", outer, name,
			      field.id, field.bit_offset);
		else if (!vmifs_btf_shape(c->ours, m->type, &shape) || (gint64) shape.size != size)
			WRONG(c, "type %u: %s: size\n", outer, name);
		else if (by_name)
			compare_named_member(c, by_name, name, at, bit_len);
	}
}

static void
compare_enumerators(Compare *c, guint32 id)
{
	const struct btf_type *t = btf__type_by_id(c->theirs, id);

	for (guint i = 0; i < btf_vlen(t); i++) {
		const char *name;
		gint64 theirs, ours;

		if (btf_is_enum64(t)) {
			name = btf__name_by_offset(c->theirs, btf_enum64(t)[i].name_off);
			theirs = (gint64) btf_enum64_value(btf_enum64(t) + i);
		} else {
			name = btf__name_by_offset(c->theirs, btf_enum(t)[i].name_off);
			theirs = btf_enum(t)[i].val;
			if (!btf_kflag(t))
				theirs &= G_MAXUINT32;
		}
		c->n_enumerators++;
		if (!g_hash_table_add(c->seen, g_strdup(name)))
			continue;
		if (!vmifs_types_enumerator(c->types, name, &ours) || ours != theirs)
			WRONG(c, "%s: not %" G_GINT64_FORMAT "\n", name, theirs);
	}
}

static void
compare_type(Compare *c, guint32 id)
{
	const struct btf_type *t = btf__type_by_id(c->theirs, id);
	const char *name = btf__name_by_offset(c->theirs, t->name_off);
	gboolean is_first = g_hash_table_lookup(c->first, name) == GUINT_TO_POINTER(id);
	gint64 size = btf__resolve_size(c->theirs, id);
	VmifsBtfShape shape;
	VmifsBtfType type;
	guint64 by_name;

	c->n_types++;
	if (!vmifs_btf_type(c->ours, id, &type) || type.kind != btf_kind(t) ||
	    type.vlen != btf_vlen(t) || strcmp(vmifs_btf_string(c->ours, type.name), name))
		WRONG(c, "type %u: %s\n", id, name);
	/* Variables, sections and tags have sizes for libbpf, and structures of no size none. */
	else if (size > 0 && !btf_is_var(t) && !btf_is_datasec(t) && !btf_is_decl_tag(t) &&
		 (!vmifs_btf_shape(c->ours, id, &shape) || (gint64) shape.size != size))
		WRONG(c, "type %u: size\n", id);
	if (is_first && size > 0 &&
	    (!vmifs_types_sizeof(c->types, name, &by_name) || (gint64) by_name != size))
		WRONG(c, "%s: size, by name\n", name);
	if (btf_is_composite(t))
		compare_members(c, id, is_first ? name : NULL, id, 0);
	else if (btf_is_any_enum(t))
		compare_enumerators(c, id);
}

static gboolean
open_blob(const char *path, const Compare *base, Compare *ret)
{
	g_autoptr(GError) error = NULL;
	g_autofree char *blob = NULL;
	gsize len;

	*ret = (Compare){ 0 };
	if (!g_file_get_contents(path, &blob, &len, &error)) {
		printf("# %s\n", error->message);
		return FALSE;
	}
	ret->theirs = btf__parse_raw_split(path, base ? base->theirs : NULL);
	ret->ours = vmifs_btf_new(base ? base->ours : NULL, blob, len, &error);
	ret->types = vmifs_types_new_btf_split(base ? base->types : NULL, blob, len, NULL);
	if (ret->theirs && ret->ours && ret->types && !vmifs_types_problem(ret->types))
		return TRUE;
	printf("# %s: %s\n", path, ret->theirs ? "read by libbpf only" : "not read by libbpf");
	return FALSE;
}

static void
close_blob(Compare *c)
{
	btf__free(c->theirs);
	vmifs_btf_free(c->ours);
	vmifs_types_unref(c->types);
	g_clear_pointer(&c->first, g_hash_table_unref);
	g_clear_pointer(&c->seen, g_hash_table_unref);
}

static gboolean
compare_blob(Compare *c)
{
	if (vmifs_btf_end(c->ours) != btf__type_cnt(c->theirs)) {
		WRONG(c, "%u types, not %u\n", vmifs_btf_end(c->ours), btf__type_cnt(c->theirs));
		return FALSE;
	}
	c->first = first_ids(c);
	c->seen = g_hash_table_new_full(g_str_hash, g_str_equal, g_free, NULL);
	for (guint32 id = vmifs_btf_first(c->ours); id < vmifs_btf_end(c->ours); id++)
		compare_type(c, id);
	return !c->n_wrong;
}

static void
report(int number, gboolean is_good, const char *path, const Compare *c)
{
	printf("%s %d - %s: %" G_GUINT64_FORMAT " types, %" G_GUINT64_FORMAT
	       " members, %" G_GUINT64_FORMAT " enumerators, %u different\n",
	       is_good ? "ok" : "not ok", number, path, c->n_types, c->n_members, c->n_enumerators,
	       c->n_wrong);
	fflush(stdout);
}

int
main(int argc, char **argv)
{
	gboolean is_good;
	Compare kernel;

	if (argc < 2) {
		fprintf(stderr, "usage: %s KERNEL [MODULE]...\n", argv[0]);
		return 2;
	}
	printf("1..%d\n", argc - 1);
	is_good = open_blob(argv[1], NULL, &kernel);
	if (!is_good) {
		printf("Bail out! %s\n", argv[1]);
		return 1;
	}
	is_good = compare_blob(&kernel);
	report(1, is_good, argv[1], &kernel);
	for (int i = 2; i < argc; i++) {
		Compare module;
		gboolean is_equal = open_blob(argv[i], &kernel, &module) && compare_blob(&module);

		report(i, is_equal, argv[i], &module);
		is_good &= is_equal;
		close_blob(&module);
	}
	close_blob(&kernel);
	return is_good ? EXIT_SUCCESS : EXIT_FAILURE;
}
