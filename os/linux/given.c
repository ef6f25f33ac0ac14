/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * given: layouts and symbols out of a file that the user gave. Those of another kernel, be it the
 * same version built once more, would make every file of the tree a lie, so a file is compared with
 * the guest before it is believed: what both say of the kernel's build, and where its symbols lie.
 * Of a guest whose symbols are not known, that of its build is read where the file's symbols put
 * it.
 */
#include "given.h"

#include <string.h>

#define MAX_COMPARED 20000
/* So many must be there to be compared where nothing else can be; and of a hundred, so many may
 * differ: of several functions of one name, a file may know another one than the kernel's table. */
#define LEAST_COMPARED 100
#define MAX_PERCENT_WRONG 1
/* Of a name that more symbols of the guest have nothing is said. */
#define MAX_OF_A_NAME 1024
#define CHECK_EVERY 256
#define MAX_BANNER 1024

/* ---- symbols ---- */

typedef struct {
	guint64 first, len; /* of the image as it was linked: what was moved with it */
	guint64 slide;
	guint n_equal, n_wrong;
} Compare;

/* How far the guest's kernel is from where the file's was linked to. */
static gboolean
find_slide(const Linux *os, const VmifsSymbols *given, Compare *c)
{
	/* On RISC-V, text does not begin the image. */
	static const char *const starts[] = { "_stext", "_text", "_start" };
	const LinuxClaim guest = { .symbols = os->found->symbols, .note = os->found->vmcoreinfo };
	guint64 end, here, there;
	gboolean is_found = FALSE;

	if (!vmifs_symbols_lookup(given, "_end", &end))
		return FALSE;
	c->first = end;
	for (gsize i = 0; i < G_N_ELEMENTS(starts); i++) {
		if (!vmifs_symbols_lookup(given, starts[i], &here) || here > end)
			continue;
		c->first = MIN(c->first, here);
		if (!is_found && linux_claim_symbol(&guest, starts[i], &there)) {
			c->slide = there - here;
			is_found = TRUE;
		}
	}
	c->len = end - c->first;
	return is_found;
}

/* Has the guest that symbol, and one of that name where it should be? */
static void
compare_symbol(const Linux *os, const VmifsSymbol *symbol, Compare *c)
{
	guint64 cursor = 0;
	gsize index;
	guint n = 0;

	while (n < MAX_OF_A_NAME &&
	       vmifs_symbols_each(os->found->symbols, symbol->name, &cursor, &index)) {
		VmifsSymbol there;

		vmifs_symbols_get(os->found->symbols, index, &there);
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
	if (!os->found->symbols)
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

static int
compare_addresses(gconstpointer a, gconstpointer b)
{
	guint64 x = ((const VmifsSymbol *) a)->address, y = ((const VmifsSymbol *) b)->address;

	return (x > y) - (x < y);
}

/* Was it moved with the image? Some sections lie behind its end. */
static gboolean
is_moved(const VmifsSymbol *symbol, const Compare *c)
{
	return symbol->address - c->first <= c->len ||
	       (symbol->address > c->first && g_ascii_isalpha(symbol->type) &&
		g_ascii_toupper(symbol->type) != 'A');
}

/* Where the guest has them, in the order in which a kernel lists its own, and says that those are
 * absolute that are not moved (per-CPU ones of x86-64). (full) */
static VmifsSymbols *
move_symbols(const VmifsSymbols *given, const Compare *c)
{
	gsize n = vmifs_symbols_count(given);
	g_autoptr(GArray) moved = g_array_sized_new(FALSE, FALSE, sizeof(VmifsSymbol), (guint) n);
	VmifsSymbolsBuilder *builder = vmifs_symbols_builder_new();

	for (gsize i = 0; i < n; i++) {
		VmifsSymbol symbol;

		vmifs_symbols_get(given, i, &symbol);
		if (is_moved(&symbol, c))
			symbol.address += c->slide;
		else
			symbol.type = 'A';
		g_array_append_val(moved, symbol);
	}
	g_array_sort(moved, compare_addresses);
	for (guint i = 0; i < moved->len; i++) {
		const VmifsSymbol *symbol = &g_array_index(moved, VmifsSymbol, i);
		vmifs_symbols_builder_add(builder, symbol->address, symbol->type, symbol->name,
					  strlen(symbol->name));
	}
	return vmifs_symbols_builder_end(builder);
}

/* ---- the build ---- */

/* What the guest says of it. (full) (nullable) each */
typedef struct {
	char *build_id, *banner;
} Build;

static void
build_clear(Build *build)
{
	g_free(build->build_id);
	g_free(build->banner);
}

G_DEFINE_AUTO_CLEANUP_CLEAR_FUNC(Build, build_clear)

/* symbols: (nullable) where they would be. */
static void
find_build(const Linux *os, VmifsSymbols *symbols, Build *ret)
{
	const LinuxClaim claim = { .symbols = symbols };
	guint8 bytes[MAX_BANNER];
	guint64 va;

	ret->build_id = g_strdup(os->found->build_id);
	ret->banner = g_strdup(os->found->banner);
	if (!ret->build_id)
		ret->build_id = linux_build_id(os->aspace, &claim);
	if (!ret->banner && linux_claim_symbol(&claim, "linux_banner", &va))
		ret->banner = linux_banner_at(
			bytes, vmifs_aspace_read_some(os->aspace, va, bytes, sizeof bytes, NULL));
}

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

/* ---- the whole ---- */

char *
linux_given_check(const Linux *os, const VmifsGiven *given, VmifsSymbols **ret_symbols,
		  const VmifsCall *call, GError **error)
{
	g_autoptr(GString) checked = g_string_new(NULL);
	g_autoptr(VmifsSymbols) symbols = NULL;
	g_auto(Build) build = { 0 };
	Compare c = { 0 };

	if (given->symbols && find_slide(os, given->symbols, &c)) {
		if (!compare_symbols(os, given->symbols, &c, call, error))
			return NULL;
		if (ret_symbols || !os->found->symbols)
			symbols = move_symbols(given->symbols, &c);
	}
	find_build(os, symbols, &build);
	if (!compare_text(given, "build id", given->build_id, build.build_id, checked, error) ||
	    !compare_text(given, "banner", given->banner, build.banner, checked, error))
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
	if (ret_symbols)
		*ret_symbols = g_steal_pointer(&symbols);
	return g_string_free(g_steal_pointer(&checked), FALSE);
}

static VmifsTypes *
find_types(const Linux *os, VmifsGivenKind kind, char **ret_origin, const VmifsCall *call,
	   GError **error)
{
	const VmifsGiven *given = vmifs_given(os->options, kind, &linux_wanted, call, error);

	if (!given)
		return NULL;
	if (!given->types) {
		g_set_error(error, VMIFS_ERROR, VMIFS_ERROR_UNSUPPORTED,
			    "%s: there are no types in it, neither DWARF nor BTF", given->name);
		return NULL;
	}
	g_autofree char *checked = linux_given_check(os, given, NULL, call, error);
	if (!checked)
		return NULL;
	*ret_origin = g_strdup_printf("%s%s%s: %s", given->name, given->types_kind ? ", " : "",
				      given->types_kind ? given->types_kind : "", checked);
	return vmifs_types_ref(given->types);
}

VmifsTypes *
linux_types_profile(const Linux *os, char **ret_origin, const VmifsCall *call, GError **error)
{
	return find_types(os, VMIFS_GIVEN_PROFILE, ret_origin, call, error);
}

VmifsTypes *
linux_types_vmlinux(const Linux *os, char **ret_origin, const VmifsCall *call, GError **error)
{
	return find_types(os, VMIFS_GIVEN_VMLINUX, ret_origin, call, error);
}

/* What kind each symbol is of only an ELF file tells. */
static const VmifsGivenKind by_symbols[] = { VMIFS_GIVEN_VMLINUX, VMIFS_GIVEN_PROFILE };

/* (full) NULL with error; without, where no such file was given. */
static VmifsSymbols *
find_symbols(const Linux *os, VmifsGivenKind kind, char **ret_origin, const VmifsCall *call,
	     GError **error)
{
	const VmifsGiven *given = vmifs_given(os->options, kind, &linux_wanted, call, error);
	g_autoptr(VmifsSymbols) symbols = NULL;
	guint64 task;

	if (!given)
		return NULL;
	g_autofree char *checked = linux_given_check(os, given, &symbols, call, error);
	if (!checked)
		return NULL;
	if (!symbols || !vmifs_symbols_lookup(symbols, "init_task", &task)) {
		g_set_error(error, VMIFS_ERROR, VMIFS_ERROR_UNSUPPORTED,
			    "%s: the kernel's symbols are not in it", given->name);
		return NULL;
	}
	*ret_origin = g_strdup_printf("%s: %s", given->name, checked);
	return g_steal_pointer(&symbols);
}

VmifsSymbols *
linux_given_symbols(const Linux *os, char **ret_origin, GString *refused, const VmifsCall *call)
{
	for (gsize i = 0; i < G_N_ELEMENTS(by_symbols); i++) {
		g_autoptr(GError) error = NULL;
		VmifsSymbols *symbols = find_symbols(os, by_symbols[i], ret_origin, call, &error);

		if (symbols)
			return symbols;
		if (!error)
			continue;
		vmifs_guest_log(os->guest, "kernel symbols: %s", error->message);
		g_string_append_printf(refused, "%s%s", refused->len ? "; " : "", error->message);
	}
	return NULL;
}
