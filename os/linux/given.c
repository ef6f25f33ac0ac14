/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * given: layouts out of a file that the user gave. Those of another kernel, be it the same version
 * built once more, would make every file of the tree a lie, so a file is compared with the guest
 * before it is believed: what both say of the kernel's build, and where its symbols lie.
 */
#include "given.h"

#define MAX_COMPARED 20000
/* So many must be there to be compared where nothing else can be; and of a hundred, so many may
 * differ: of several functions of one name, a file may know another one than the kernel's table. */
#define LEAST_COMPARED 100
#define MAX_PERCENT_WRONG 1
/* Of a name that more symbols of the guest have nothing is said. */
#define MAX_OF_A_NAME 1024
#define CHECK_EVERY 256

/* ---- symbols ---- */

typedef struct {
	guint64 first, len; /* of the image as it was linked: what was moved with it */
	guint64 slide;
	guint n_equal, n_wrong;
} Compare;

static gboolean
find_slide(const Linux *os, const VmifsSymbols *given, Compare *c)
{
	static const char *const starts[] = { "_stext", "_text" };
	guint64 end, there;

	if (!os->symbols || !vmifs_symbols_lookup(given, "_end", &end))
		return FALSE;
	for (gsize i = 0; i < G_N_ELEMENTS(starts); i++) {
		if (vmifs_symbols_lookup(given, starts[i], &c->first) &&
		    vmifs_symbols_lookup(os->symbols, starts[i], &there)) {
			c->len = end - c->first;
			c->slide = there - c->first;
			return TRUE;
		}
	}
	return FALSE;
}

/* Has the guest that symbol, and one of that name where it should be? */
static void
compare_symbol(const Linux *os, const VmifsSymbol *symbol, Compare *c)
{
	guint64 cursor = 0;
	gsize index;
	guint n = 0;

	while (n < MAX_OF_A_NAME &&
	       vmifs_symbols_each(os->symbols, symbol->name, &cursor, &index)) {
		VmifsSymbol there;

		vmifs_symbols_get(os->symbols, index, &there);
		if (there.address == symbol->address + c->slide) {
			c->n_equal++;
			return;
		}
		n++;
	}
	c->n_wrong += n && n < MAX_OF_A_NAME;
}

static gboolean
compare_symbols(const Linux *os, const VmifsSymbols *given, Compare *c, const VmifsCall *call,
		GError **error)
{
	if (!given || !find_slide(os, given, c))
		return TRUE;
	gsize n = vmifs_symbols_count(given);
	gsize step = n / MAX_COMPARED + 1;
	for (gsize i = 0; i < n; i += step) {
		VmifsSymbol symbol;

		if (i / step % CHECK_EVERY == 0 && !vmifs_call_check(call, error))
			return FALSE;
		vmifs_symbols_get(given, i, &symbol);
		if (symbol.address - c->first < c->len)
			compare_symbol(os, &symbol, c);
	}
	return TRUE;
}

/* ---- the whole ---- */

static gboolean
refuse(GError **error, const VmifsGiven *given, const char *what, const char *its, const char *ours)
{
	g_set_error(error, VMIFS_ERROR, VMIFS_ERROR_UNSUPPORTED,
		    "%s is of another kernel: its %s is %s, the guest's %s", given->name, what, its,
		    ours);
	return FALSE;
}

/* Of a text of both: is it equal? One that either lacks says nothing. */
static gboolean
compare_text(const VmifsGiven *given, const char *what, const char *its, const char *ours,
	     GString *checked, GError **error)
{
	if (!its || !ours)
		return TRUE;
	if (!g_str_equal(its, ours))
		return refuse(error, given, what, its, ours);
	g_string_append_printf(checked, "%s%s equal", checked->len ? ", " : "", what);
	return TRUE;
}

char *
linux_given_check(const Linux *os, const VmifsGiven *given, const VmifsCall *call, GError **error)
{
	g_autoptr(GString) checked = g_string_new(NULL);
	Compare c = { 0 };

	if (!compare_text(given, "build id", given->build_id, os->found->build_id, checked,
			  error) ||
	    !compare_text(given, "banner", given->banner, os->found->banner, checked, error) ||
	    !compare_symbols(os, given->symbols, &c, call, error))
		return NULL;
	guint n = c.n_equal + c.n_wrong;
	if (c.n_wrong * 100 > n * MAX_PERCENT_WRONG) {
		g_set_error(error, VMIFS_ERROR, VMIFS_ERROR_UNSUPPORTED,
			    "%s is of another kernel: of %u symbols %u lie elsewhere", given->name,
			    n, c.n_wrong);
		return NULL;
	}
	if (!checked->len && n < LEAST_COMPARED) {
		g_set_error(error, VMIFS_ERROR, VMIFS_ERROR_UNSUPPORTED,
			    "%s: nothing in it tells whether it is of the guest's kernel: neither "
			    "build id nor banner, and %u symbols to compare",
			    given->name, n);
		return NULL;
	}
	if (n)
		g_string_append_printf(checked, "%s%u of %u symbols where it says",
				       checked->len ? ", " : "", c.n_equal, n);
	return g_string_free(g_steal_pointer(&checked), FALSE);
}

static VmifsTypes *
find_given(const Linux *os, VmifsGivenKind kind, char **ret_origin, const VmifsCall *call,
	   GError **error)
{
	const VmifsGiven *given = vmifs_given(os->options, kind, call, error);

	if (!given)
		return NULL;
	g_autofree char *checked = linux_given_check(os, given, call, error);
	if (!checked)
		return NULL;
	*ret_origin = g_strdup_printf("%s: %s", given->name, checked);
	return vmifs_types_ref(given->types);
}

VmifsTypes *
linux_types_profile(const Linux *os, char **ret_origin, const VmifsCall *call, GError **error)
{
	return find_given(os, VMIFS_GIVEN_PROFILE, ret_origin, call, error);
}
