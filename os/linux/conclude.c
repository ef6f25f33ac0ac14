/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * conclude: which theories there are: an image with its symbols, a distance between addresses, a
 * root. prove.c accepts or refutes each, kernels.c keeps those accepted. None is taken because it
 * came first: memory also holds kernels that do not run, in page caches, left by kexec, in nested
 * guests.
 *
 *   VMCOREINFO -> distance, root, place of the symbol tables
 *   symbol tables -> address of the root;  a banner near them -> distance
 *   neither, 32 bits -> init_mm near the tables -> root
 *   neither, 64 bits -> every page around the tables is tried as a root
 */
#include "narrow.h"
#include "search.h"
#include "searched.h"
#include "theory.h"

/* Token tables that are followed, at most; each costs milliseconds where the rest is missing. */
#define MAX_TRIES 4096
#define PIECE (2u << 20)

/* ---- theories ---- */

static gboolean
root_of_note(const LinuxTheory *theory, const char *key, guint64 *ret)
{
	return theory->note && linux_vmcoreinfo_hex(theory->note->info, key, ret);
}

/* With what is known of the root: from the user, the note, the symbols. */
static gboolean
judge(LinuxFind *find, LinuxTheory *theory)
{
	const VmifsOptions *options = vmifs_probe_options(find->probe);
	const char *fault = "no page table of it is known";
	guint64 delta = theory->claim.delta;
	g_autoptr(VmifsSymbols) symbols = NULL;
	g_autoptr(VmifsSymbols) exports = NULL;
	gboolean proved = FALSE;
	guint64 va;

	if (theory->image) {
		symbols = linux_image_symbols(theory->image, delta);
		exports = linux_image_exports(theory->image, delta);
		theory->claim.symbols = symbols;
		theory->claim.exports = exports;
		theory->claim.tables = theory->image->tables;
	}
	if (theory->note)
		theory->claim.note = theory->note->info;
	if (options->has_root)
		proved |= linux_theory_try_root(find, theory, options->root,
						"given by root=", &fault);
	if (root_of_note(theory, "SYMBOL(swapper_pg_dir)", &va))
		proved |= linux_theory_try_root(find, theory, va - delta,
						"swapper_pg_dir of VMCOREINFO", &fault);
	else if (linux_claim_symbol(&theory->claim, "init_top_pgt", &va))
		proved |= linux_theory_try_root(find, theory, va - delta, "symbol init_top_pgt",
						&fault);
	else if (linux_claim_symbol(&theory->claim, "swapper_pg_dir", &va))
		proved |= linux_theory_try_root(find, theory, va - delta, "symbol swapper_pg_dir",
						&fault);
	if (theory->image) {
		theory->image->is_proved |= proved;
		theory->image->fault = fault;
	} else if (!proved) {
		g_autofree char *note = linux_note_name(theory->note);
		vmifs_probe_note(find->probe, "%s: %s", note, fault);
	}
	theory->claim.symbols = theory->claim.exports = NULL;
	return proved;
}

/* The note alone first: that is cheap, and notes are planted easily. */
static void
judge_note(LinuxFind *find, const LinuxNote *note)
{
	LinuxTheory theory = { .note = note,
			       .delta_how = linux_note_delta_key(note),
			       .arch = linux_note_arch(note) };

	if (!linux_note_delta(note, &theory.claim.delta))
		return;
	linux_vmcoreinfo_number(note->info, "NUMBER(sme_mask)", &theory.ignore_mask);
	if (!judge(find, &theory))
		return;
	theory.image = linux_image_of_note(find, note, theory.claim.delta);
	if (theory.image)
		judge(find, &theory);
}

/* Does the banner stand where that distance puts it? Cheap, and wrong distances are many. */
static gboolean
has_banner(const LinuxFind *find, const LinuxImage *image, guint64 delta)
{
	g_autofree char *banner = NULL;
	guint64 va;

	if (!linux_image_symbol(image, "linux_banner", delta, &va))
		return TRUE;
	banner = linux_find_banner(find, va - delta);
	return banner != NULL;
}

static void
judge_delta(LinuxFind *find, LinuxImage *image, guint64 delta, const char *how)
{
	LinuxTheory theory = { .claim.delta = delta,
			       .image = image,
			       .delta_how = how,
			       .arch = linux_image_arch(image) };

	if (!has_banner(find, image, delta)) {
		image->fault = "its banner is not where its symbols put it";
		return;
	}
	for (guint i = 0; i < find->notes->len; i++) {
		const LinuxNote *note = &g_array_index(find->notes, LinuxNote, i);
		guint64 by_note;

		if (linux_note_delta(note, &by_note) && by_note == delta) {
			theory.note = note;
			linux_vmcoreinfo_number(note->info, "NUMBER(sme_mask)",
						&theory.ignore_mask);
		}
	}
	judge(find, &theory);
}

/* The banners near the tables, which must be one image with them. */
static void
judge_banners(LinuxFind *find, LinuxImage *image)
{
	guint64 tokens = image->tables->tokens_pa;
	guint64 va;

	if (!linux_image_symbol(image, "linux_banner", 0, &va))
		return;
	for (guint i = 0; i < find->banners->len && linux_find_goes_on(find); i++) {
		guint64 pa = g_array_index(find->banners, guint64, i);

		if (pa - (tokens - LINUX_IMAGE_SPAN) < 2 * (guint64) LINUX_IMAGE_SPAN &&
		    (va - pa) % 4096 == 0)
			judge_delta(find, image, va - pa, "banner near the symbol tables");
	}
}

/* PC-relative tables tell physical addresses only: the root's own, and then where it maps them. */
static void
judge_relative(LinuxFind *find, LinuxImage *image)
{
	const VmifsOptions *options = vmifs_probe_options(find->probe);
	g_autoptr(GArray) deltas = g_array_new(FALSE, FALSE, sizeof(guint64));
	guint64 start, text, roots[2];
	guint n_roots = 0;

	if (!linux_image_symbol(image, "_stext", 0, &text))
		return;
	if (!linux_image_symbol(image, "_text", 0, &start))
		start = text;
	if (options->has_kaslr)
		judge_delta(find, image,
			    LINUX_X86_64_IMAGE + LINUX_X86_64_TEXT_OFFSET + options->kaslr - start,
			    "given by kaslr=");
	if (options->has_root)
		roots[n_roots++] = options->root;
	if (linux_image_symbol(image, "init_top_pgt", 0, &roots[n_roots]) ||
	    linux_image_symbol(image, "swapper_pg_dir", 0, &roots[n_roots]))
		n_roots++;
	for (guint i = 0; i < n_roots; i++) {
		gsize mode, end;
		vmifs_probe_modes_of(find->probe, linux_image_arch(image), &mode, &end);
		for (; mode < end; mode++) {
			g_autoptr(VmifsAspace) aspace =
				vmifs_probe_try_root(find->probe, mode, roots[i], 0);
			if (aspace)
				linux_search_deltas(aspace, text, vmifs_probe_call(find->probe),
						    deltas);
		}
	}
	for (guint i = 0; i < deltas->len && !image->is_proved; i++)
		judge_delta(find, image, g_array_index(deltas, guint64, i),
			    "where the page table maps the image");
}

/* Of the whole banners, the last one before the tables, which read-only data begins with. */
static gboolean
nearest_banner(const LinuxFind *find, const LinuxImage *image, guint64 *ret)
{
	gboolean has = FALSE;

	for (guint i = 0; i < find->banners->len; i++) {
		guint64 pa = g_array_index(find->banners, guint64, i);

		if (image->tables->tokens_pa - pa < LINUX_IMAGE_SPAN) {
			*ret = pa;
			has = TRUE;
		}
	}
	return has;
}

/* When neither symbols nor notes tell the root. */
static LinuxTheory
searched(const LinuxFind *find, LinuxImage *image, const char *how)
{
	LinuxTheory theory = {
		.image = image,
		.delta_how = how,
		.arch = linux_image_arch(image),
		.claim = { .symbols = image->symbols,
			   .exports = image->exports.symbols,
			   .tables = image->tables,
			   .is_searched = TRUE },
	};

	theory.claim.has_banner = nearest_banner(find, image, &theory.claim.banner_pa);
	return theory;
}

static void
judge_by_search(LinuxFind *find, LinuxImage *image)
{
	LinuxTheory theory = searched(find, image, "search for page tables around the image");
	const char *fault = "no page table maps its text";
	guint64 root;

	if (linux_search_root(find->probe, theory.arch, image->symbols, image->tables->tokens_pa, 0,
			      &root, &theory.claim.delta))
		image->is_proved =
			linux_theory_try_root(find, &theory, root, theory.delta_how, &fault);
	else if (vmifs_probe_is_base_assumed(find->probe) &&
		 linux_searched_is_doubtful(theory.arch))
		fault = "no page table maps its text; where memory begins is not known: give base=";
	image->fault = fault;
}

/* Where a root maps the text to where that distance puts it. */
static void
judge_narrow_root(LinuxFind *find, LinuxTheory *theory, guint64 root, const char *how)
{
	LinuxImage *image = theory->image;
	guint64 text;

	if (linux_image_symbol(image, "_stext", 0, &text) &&
	    linux_find_root_fits(find->probe, theory->arch, root, 0, text, theory->claim.delta) &&
	    linux_theory_try_root(find, theory, root, how, &image->fault))
		image->is_proved = TRUE;
}

static void
suggest_base(LinuxFind *find, LinuxImage *image, const GArray *roots)
{
	guint64 text;

	image->fault = "where memory begins is not known: give base=";
	for (guint i = 0; i < roots->len && linux_image_symbol(image, "_stext", 0, &text); i++)
		linux_narrow_suggest_base(find, g_array_index(roots, guint64, i), text);
}

/* Kernels of 32 bits lie at one of few distances; what they say of themselves, or the user, must be
 * right with one. */
static void
judge_narrow(LinuxFind *find, LinuxImage *image)
{
	const VmifsOptions *options = vmifs_probe_options(find->probe);
	g_autoptr(GArray) roots = g_array_new(FALSE, FALSE, sizeof(guint64));
	g_autoptr(GArray) deltas = g_array_new(FALSE, FALSE, sizeof(guint64));
	LinuxTheory theory = searched(find, image, "where the page table maps the text");

	linux_init_mm_roots(find, image, roots);
	linux_narrow_deltas(find->probe, theory.arch, deltas);
	image->fault = roots->len ? "the page table that its init_mm names does not map its text"
				  : "its init_mm, which names its page table, is not there";
	for (guint i = 0; i < deltas->len && linux_find_goes_on(find); i++) {
		guint64 delta = g_array_index(deltas, guint64, i);

		theory.claim.delta = delta;
		if (options->has_root)
			judge_narrow_root(find, &theory, options->root, "given by root=");
		for (guint j = 0; j < roots->len; j++)
			judge_narrow_root(find, &theory, g_array_index(roots, guint64, j) - delta,
					  "init_mm, whose code is the text");
	}
	if (!image->is_proved && vmifs_probe_is_base_assumed(find->probe) &&
	    g_str_equal(theory.arch, LINUX_ARCH_ARM))
		suggest_base(find, image, roots);
}

/* Token tables, those that are alone in their piece of memory first: so a kernel's own one is. */
static GArray * /* of guint64 */
order_digits(const LinuxFind *find)
{
	GArray *ordered = g_array_new(FALSE, FALSE, sizeof(guint64));
	guint crowd = 1;

	while (ordered->len < MIN(find->digits->len, MAX_TRIES)) {
		for (guint i = 0, n; i < find->digits->len; i += n) {
			const guint64 *pa = &g_array_index(find->digits, guint64, i);

			for (n = 1; i + n < find->digits->len && pa[n] - pa[0] < PIECE; n++)
				;
			if (n == crowd)
				g_array_append_vals(ordered, pa, n);
		}
		crowd++;
	}
	return ordered;
}

static void
judge_images(LinuxFind *find)
{
	g_autoptr(GArray) digits = order_digits(find);

	for (guint i = 0; i < MIN(digits->len, MAX_TRIES) && linux_find_goes_on(find); i++) {
		LinuxImage *image = linux_image_at_digits(find, g_array_index(digits, guint64, i));

		if (!image || image->is_proved)
			continue;
		if (linux_image_is_relative(image))
			judge_relative(find, image);
		else
			judge_banners(find, image);
	}
	if (find->kernels->len)
		return;
	for (guint i = 0; i < find->images->len && linux_find_goes_on(find); i++) {
		LinuxImage *image = g_ptr_array_index(find->images, i);

		if (vmifs_probe_is_base_assumed(find->probe))
			linux_base_of_image(find, image);
		if (linux_image_is_relative(image))
			continue;
		if (linux_narrow_is(linux_image_arch(image)))
			judge_narrow(find, image);
		else
			judge_by_search(find, image);
	}
}

/* ---- results ---- */

static void
note_losers(LinuxFind *find)
{
	for (guint i = 0; i < find->images->len; i++) {
		const LinuxImage *image = g_ptr_array_index(find->images, i);
		g_autofree char *banner = NULL;
		guint64 pa;

		if (image->is_proved)
			continue;
		if (nearest_banner(find, image, &pa))
			banner = linux_find_banner(find, pa);
		vmifs_probe_note(find->probe,
				 "kernel image with %" G_GSIZE_FORMAT
				 " symbols, tokens at 0x%" G_GINT64_MODIFIER "x (%.100s): %s",
				 vmifs_symbols_count(image->symbols), image->tables->tokens_pa,
				 banner ? banner : "no banner near",
				 image->fault ? image->fault
					      : "nothing says where its page table is");
	}
}

/* If it is not certain, the next pass goes on with what these taught. */
static void
judge_notes(LinuxFind *find, gboolean told)
{
	for (guint i = 0; i < find->notes->len && linux_find_goes_on(find); i++) {
		const LinuxNote *note = &g_array_index(find->notes, LinuxNote, i);
		if (note->told == told)
			judge_note(find, note);
		if (vmifs_probe_is_base_assumed(find->probe) && !find->kernels->len) {
			linux_base_of_note(find, note);
			linux_narrow_suggest_base_of_note(find, note->info);
		}
	}
	if (linux_kernels_are_certain(find))
		linux_kernels_offer(find);
}

void
linux_conclude_told(LinuxFind *find)
{
	judge_notes(find, TRUE);
}

static int
compare_addresses(gconstpointer a, gconstpointer b)
{
	guint64 x = *(const guint64 *) a, y = *(const guint64 *) b;

	return (x > y) - (x < y);
}

/* A pass over a part of memory may have come before. */
static void
sort_hits(GArray *addresses)
{
	guint n = 0;

	g_array_sort(addresses, compare_addresses);
	for (guint i = 0; i < addresses->len; i++) {
		guint64 address = g_array_index(addresses, guint64, i);
		if (!n || g_array_index(addresses, guint64, n - 1) != address)
			g_array_index(addresses, guint64, n++) = address;
	}
	g_array_set_size(addresses, n);
}

void
linux_conclude(VmifsProbe *probe, gboolean fast)
{
	LinuxFind *find = vmifs_probe_data(probe);

	if (!find)
		return;
	if (fast) {
		judge_notes(find, FALSE);
		return;
	}
	sort_hits(find->digits);
	sort_hits(find->banners);
	judge_images(find);
	linux_kernels_offer(find);
	note_losers(find);
}
