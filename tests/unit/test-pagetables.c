/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * pagetables: every architecture against page tables written as text: tests/pagetables/X.pt. The
 * lines of such a file, in which # begins a comment and all numbers may be hex:
 *
 *	mode NAME                        as in VmifsMode
 *	root PA                          of the root table; of modes with halves, of the lower one
 *	high-root PA                     of the upper one. Before these lines nothing is mapped
 *	bits LOW HIGH                    widths of the halves, where they are not the mode's
 *	flags MASK                       the arch's own
 *	ignore MASK                      entry bits that are no address
 *	pte PA = VALUE [* N [+ STEP]]    an entry; N of them, each STEP more than the one before.
 *	                                 The page around it becomes readable; no other page is
 *	pte32 ...                        the same with entries of 32 bits
 *	VA -> RESULT                     what is found at that address
 *	visit FIRST LAST [tables N]      the ranges, in order, of one walk with a budget of N table
 *	  VA LEN RESULT                  loads; ended by one of
 *	  done | exhausted
 *
 * RESULT: page PA PERMS SIZE | hole SIZE | not-present ENTRY SIZE | broken TABLE SIZE. PERMS is
 * rwxug, each letter or -; SIZE is that of one entry there: 4K, 2M ...
 */
#include <unit.h>

#include <spi/arch.h>
#include <spi/bytes.h>
#include <string.h>

#define TABLE_LEN 4096

typedef struct {
	const char *path;
	guint line;
	VmifsPaging paging;
	GHashTable *tables; /* pa -> TABLE_LEN bytes */
	guint n_checks;
	GHashTable *seen; /* names of modes */

	gboolean visiting;
	VmifsWalk walk;
} Run;

#define fail_at(run, ...)                                                                          \
	ck_abort_msg("%s:%u: %s", (run)->path, (run)->line, g_strdup_printf(__VA_ARGS__))

static const guint8 *
table_at(gpointer ctx, guint slot, guint64 pa, gsize len)
{
	Run *run = ctx;
	guint64 base = pa - pa % TABLE_LEN;
	const guint8 *page;

	ck_assert_uint_lt(slot, VMIFS_WALK_LEVELS);
	ck_assert_uint_le(len, TABLE_LEN);
	ck_assert_uint_le(pa % TABLE_LEN + len, TABLE_LEN);
	page = g_hash_table_lookup(run->tables, &base);
	return page ? page + pa % TABLE_LEN : NULL;
}

static void
start_walk(Run *run, VmifsWalk *walk, guint64 first, guint64 last, guint64 budget)
{
	*walk = (VmifsWalk){
		.va = first,
		.last = last,
		.table = table_at,
		.ctx = run,
		.budget = budget,
	};
}

static gboolean
next(const Run *run, VmifsWalk *walk, VmifsRange *ret)
{
	return run->paging.mode->arch->next(&run->paging, walk, ret);
}

/* ---- results as text ---- */

static char *
size_text(guint shift)
{
	return g_strdup_printf("%u%c", 1u << shift % 10, "BKMGTPE"[shift / 10]);
}

static char *
result_text(const VmifsRange *range)
{
	g_autofree char *size = size_text(range->page_shift);

	switch (range->kind) {
	case VMIFS_RANGE_PAGE:
		return g_strdup_printf("page 0x%" G_GINT64_MODIFIER "x %c%c%c%c%c %s", range->pa,
				       range->perms & VMIFS_PERM_READ ? 'r' : '-',
				       range->perms & VMIFS_PERM_WRITE ? 'w' : '-',
				       range->perms & VMIFS_PERM_EXEC ? 'x' : '-',
				       range->perms & VMIFS_PERM_USER ? 'u' : '-',
				       range->perms & VMIFS_PERM_GLOBAL ? 'g' : '-', size);
	case VMIFS_RANGE_HOLE:
		return g_strdup_printf("hole %s", size);
	case VMIFS_RANGE_NOT_PRESENT:
		return g_strdup_printf("not-present 0x%" G_GINT64_MODIFIER "x %s", range->entry,
				       size);
	case VMIFS_RANGE_BROKEN:
		return g_strdup_printf("broken 0x%" G_GINT64_MODIFIER "x %s", range->pa, size);
	}
	return g_strdup("?");
}

/* ---- lines ---- */

static guint64
number(const Run *run, const char *word)
{
	char *end = NULL;
	guint64 value = word ? g_ascii_strtoull(word, &end, 0) : 0;

	if (!word || end == word || *end)
		fail_at(run, "not a number: %s", word ? word : "(nothing)");
	return value;
}

static gboolean
is(const char *word, const char *what)
{
	return g_strcmp0(word, what) == 0;
}

static void
set_mode(Run *run, const char *name)
{
	run->paging.mode = NULL;
	for (gsize a = 0; a < vmifs_n_archs; a++) {
		for (gsize m = 0; m < vmifs_archs[a]->n_modes; m++) {
			if (is(vmifs_archs[a]->modes[m].name, name))
				run->paging.mode = &vmifs_archs[a]->modes[m];
		}
	}
	if (!run->paging.mode)
		fail_at(run, "no such mode: %s", name);
	run->paging = (VmifsPaging){
		.mode = run->paging.mode,
		.root = VMIFS_NO_ROOT,
		.high_root = VMIFS_NO_ROOT,
	};
	g_hash_table_remove_all(run->tables);
	g_hash_table_add(run->seen, g_strdup(name));
}

static void
set_entries(Run *run, char **words)
{
	guint64 pa = number(run, words[1]);
	guint64 value = number(run, words[3]);
	gsize len = is(words[0], "pte32") ? sizeof(guint32) : sizeof(guint64);
	guint64 n = 1, step = 0;

	if (is(words[4], "*")) {
		n = number(run, words[5]);
		if (is(words[6], "+"))
			step = number(run, words[7]);
	}
	for (guint64 i = 0; i < n; i++, pa += len, value += step) {
		guint64 page = pa - pa % TABLE_LEN;
		guint64 le = GUINT64_TO_LE(value);
		guint8 *table = g_hash_table_lookup(run->tables, &page);

		if (!table) {
			table = g_malloc0(TABLE_LEN);
			g_hash_table_insert(run->tables, g_memdup2(&page, sizeof page), table);
		}
		memcpy(table + pa % TABLE_LEN, &le, len);
	}
}

static void
check_address(Run *run, guint64 va, const char *expected)
{
	g_autofree char *got = NULL;
	VmifsWalk walk;
	VmifsRange range;

	start_walk(run, &walk, va, va, 64);
	ck_assert(next(run, &walk, &range));
	ck_assert_uint_eq(range.va, va);
	ck_assert_uint_eq(range.len, 1);
	ck_assert(walk.done);
	ck_assert(!next(run, &walk, &range));
	got = result_text(&range);
	if (!is(got, expected))
		fail_at(run, "expected %s, got %s", expected, got);
	run->n_checks++;
}

/* A range of a long walk says of each end what a walk to there alone says. */
static void
check_ends(Run *run, const VmifsRange *range)
{
	guint64 ends[] = { 0, range->len - 1 };

	for (gsize i = 0; i < G_N_ELEMENTS(ends); i++) {
		VmifsWalk walk;
		VmifsRange alone;
		start_walk(run, &walk, range->va + ends[i], range->va + ends[i], 64);
		ck_assert(next(run, &walk, &alone));
		ck_assert_int_eq(alone.kind, range->kind);
		ck_assert_uint_eq(alone.page_shift, range->page_shift);
		ck_assert_uint_eq(alone.level, range->level);
		ck_assert_uint_eq(alone.perms, range->perms);
		if (range->kind == VMIFS_RANGE_PAGE)
			ck_assert_uint_eq(alone.pa, range->pa + ends[i]);
		else
			ck_assert_uint_eq(alone.pa, range->pa);
	}
}

static void
check_visited(Run *run, char **words, const char *expected_result)
{
	guint64 cursor = run->walk.va;
	g_autofree char *got = NULL;
	g_autofree char *expected = NULL;
	g_autofree char *result = NULL;
	VmifsRange range;

	if (!next(run, &run->walk, &range)) {
		got = g_strdup(run->walk.done        ? "done"
			       : run->walk.exhausted ? "exhausted"
						     : "neither");
		expected = g_strdup(words[1] ? "a range" : words[0]);
		run->visiting = FALSE;
	} else {
		ck_assert_uint_eq(range.va, cursor);
		ck_assert_uint_gt(range.len, 0);
		ck_assert_uint_le(range.len - 1, run->walk.last - range.va);
		ck_assert(run->walk.done || run->walk.va == range.va + range.len);
		check_ends(run, &range);
		result = result_text(&range);
		got = g_strdup_printf("0x%" G_GINT64_MODIFIER "x 0x%" G_GINT64_MODIFIER "x %s",
				      range.va, range.len, result);
		expected =
			words[1] ? g_strdup_printf("%s %s %s", words[0], words[1], expected_result)
				 : g_strdup(words[0]);
	}
	if (!is(got, expected))
		fail_at(run, "expected %s, got %s", expected, got);
	run->n_checks++;
}

static void
run_line(Run *run, char **words)
{
	guint n = g_strv_length(words);
	g_autofree char *rest = n > 2 ? g_strjoinv(" ", words + 2) : NULL;

	if (run->visiting) {
		check_visited(run, words, rest);
	} else if (is(words[0], "mode")) {
		g_autofree char *name = g_strjoinv(" ", words + 1);
		set_mode(run, name);
	} else if (is(words[0], "root")) {
		run->paging.root = number(run, words[1]);
	} else if (is(words[0], "high-root")) {
		run->paging.high_root = number(run, words[1]);
	} else if (is(words[0], "bits")) {
		run->paging.low_bits = number(run, words[1]);
		run->paging.high_bits = number(run, words[2]);
	} else if (is(words[0], "flags")) {
		run->paging.flags = number(run, words[1]);
	} else if (is(words[0], "ignore")) {
		run->paging.ignore_mask = number(run, words[1]);
	} else if (g_str_has_prefix(words[0], "pte") && n >= 4 && is(words[2], "=")) {
		set_entries(run, words);
	} else if (is(words[0], "visit") && n >= 3) {
		start_walk(run, &run->walk, number(run, words[1]), number(run, words[2]),
			   is(words[3], "tables") ? number(run, words[4]) : 4096);
		run->visiting = TRUE;
	} else if (n > 2 && is(words[1], "->")) {
		check_address(run, number(run, words[0]), rest);
	} else {
		fail_at(run, "not understood");
	}
}

static void
run_file(const char *path, GHashTable *seen)
{
	g_autofree char *text = NULL;
	g_auto(GStrv) lines = NULL;
	Run run = { .path = path, .seen = seen };

	ck_assert(g_file_get_contents(path, &text, NULL, NULL));
	run.tables = g_hash_table_new_full(g_int64_hash, g_int64_equal, g_free, g_free);
	lines = g_strsplit(text, "\n", -1);
	for (run.line = 1; lines[run.line - 1]; run.line++) {
		char *line = lines[run.line - 1];
		g_autoptr(GPtrArray) words = g_ptr_array_new();
		g_auto(GStrv) parts = NULL;

		line[strcspn(line, "#")] = '\0';
		parts = g_strsplit_set(line, " \t", -1);
		for (char **part = parts; *part; part++) {
			if (**part)
				g_ptr_array_add(words, *part);
		}
		if (!words->len)
			continue;
		g_ptr_array_add(words, NULL);
		run_line(&run, (char **) words->pdata);
	}
	if (run.visiting)
		fail_at(&run, "the file ends in a visit");
	ck_assert_uint_gt(run.n_checks, 0);
	g_hash_table_unref(run.tables);
}

/* Each mode of each architecture is named by a file, and by one of the -invalid twins. */
static const char *const twins[] = { "", "-invalid" };

START_TEST(mode_maps_as_its_text_says)
{
	const char *folder = g_getenv("VMIFS_PAGETABLES");
	g_autoptr(GHashTable) seen = g_hash_table_new_full(g_str_hash, g_str_equal, g_free, NULL);
	const char *name;
	GDir *dir;

	ck_assert_ptr_nonnull(folder);
	dir = g_dir_open(folder, 0, NULL);
	ck_assert_ptr_nonnull(dir);
	while ((name = g_dir_read_name(dir))) {
		g_autofree char *path = g_build_filename(folder, name, NULL);
		ck_assert(g_str_has_suffix(name, ".pt"));
		if (g_str_has_suffix(name, "-invalid.pt") == (twins[_i][0] != '\0'))
			run_file(path, seen);
	}
	g_dir_close(dir);
	for (gsize a = 0; a < vmifs_n_archs; a++) {
		for (gsize m = 0; m < vmifs_archs[a]->n_modes; m++) {
			name = vmifs_archs[a]->modes[m].name;
			if (!g_hash_table_contains(seen, name))
				ck_abort_msg("no %s.pt names %s", twins[_i], name);
		}
	}
}
END_TEST

static Suite *
make_suite(void)
{
	Suite *s = suite_create("pagetables");
	TCase *t = tcase_create("pagetables");
	tcase_add_loop_test(t, mode_maps_as_its_text_says, 0, G_N_ELEMENTS(twins));
	suite_add_tcase(s, t);
	return s;
}

VMIFS_UNIT_MAIN(make_suite)
