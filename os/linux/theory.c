/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* theory: one that prove.c accepts becomes a kernel, with what info says of how it was found. */
#include "theory.h"

/* From this score on a kernel is offered for attaching: addresses and a banner, at least. */
#define MIN_SCORE 40

static GString *
describe(const LinuxTheory *theory, const LinuxVerdict *verdict)
{
	static const struct {
		LinuxProof proof;
		const char *text;
	} words[] = {
		{ LINUX_PROOF_BANNER, "banner" },           { LINUX_PROOF_TABLES, "symbol tables" },
		{ LINUX_PROOF_INIT_TASK, "init_task" },     { LINUX_PROOF_TASKS, "list of tasks" },
		{ LINUX_PROOF_CALLS, "calls in the text" }, { LINUX_PROOF_MEMORY, "map of memory" },
		{ LINUX_PROOF_VECTORS, "vectors" },
	};
	GString *text = g_string_new(NULL);

	g_autofree char *note = theory->note ? linux_note_name(theory->note) : NULL;
	if (note)
		g_string_append_printf(text, "%s; ", note);
	g_string_append_printf(text, "%u probe%s", verdict->n_probes,
			       verdict->n_probes == 1 ? "" : "s");
	for (guint i = 0; i < G_N_ELEMENTS(words); i++)
		if (verdict->proofs & words[i].proof)
			g_string_append_printf(text, ", %s", words[i].text);
	g_string_append(text, " agree");
	return text;
}

static char *
describe_symbols(const LinuxImage *image)
{
	GString *text = g_string_new(NULL);

	g_string_printf(text,
			"kallsyms, %" G_GSIZE_FORMAT " symbols, %s; tokens at 0x%" G_GINT64_MODIFIER
			"x, %s",
			vmifs_symbols_count(image->symbols),
			linux_kallsyms_encoding_name(image->tables->encoding),
			image->tables->tokens_pa,
			image->is_named ? "named by VMCOREINFO" : "found by content");
	if (image->was_kept)
		g_string_append(text, "; names as kept in the cache, which are of the same tables");
	if (image->exports.symbols)
		g_string_append_printf(text,
				       "; %" G_GSIZE_FORMAT
				       " more of the export tables at 0x%" G_GINT64_MODIFIER "x",
				       vmifs_symbols_count(image->exports.symbols),
				       image->exports.pa);
	return g_string_free(text, FALSE);
}

static void
tell_how(LinuxFound *found, const LinuxTheory *theory, const char *root_how)
{
	const LinuxImage *image = theory->image;

	if (image)
		found->symbols_how = describe_symbols(image);
	if (image && image->source)
		found->source = g_bytes_ref(image->source);
	found->root_how = g_strdup(root_how);
	found->slides_how = g_strdup(theory->delta_how);
}

/* What the user said of the root or the slide, and is so. */
static int
score_told(const LinuxFind *find, const LinuxFound *found)
{
	const VmifsOptions *options = vmifs_probe_options(find->probe);
	int score = 0;

	if (options->has_root && options->root == found->root)
		score += LINUX_SCORE_TOLD;
	if (options->has_kaslr && found->has_slides && options->kaslr == found->virtual_slide)
		score += LINUX_SCORE_TOLD;
	return score;
}

gboolean
linux_theory_try_root(LinuxFind *find, LinuxTheory *theory, guint64 root, const char *root_how,
		      const char **ret_fault)
{
	gboolean proved = FALSE;
	guint most = 0;
	gsize mode, end;

	for (vmifs_probe_modes_of(find->probe, theory->arch, &mode, &end); mode < end; mode++) {
		g_autoptr(VmifsAspace) aspace =
			vmifs_probe_try_root(find->probe, mode, root, theory->ignore_mask);
		LinuxVerdict verdict;

		if (!aspace)
			continue;
		linux_prove(aspace, &theory->claim, &verdict);
		if (verdict.score >= MIN_SCORE) {
			LinuxKernel *kernel = g_new0(LinuxKernel, 1);
			kernel->found = linux_found_new(aspace, &theory->claim, &verdict);
			kernel->found->ignore_mask = theory->ignore_mask;
			kernel->aspace = g_steal_pointer(&aspace);
			kernel->score = verdict.score + score_told(find, kernel->found);
			kernel->evidence = describe(theory, &verdict);
			kernel->score += linux_told_score(find, &theory->claim, theory->arch,
							  theory->ignore_mask, kernel->evidence);
			tell_how(kernel->found, theory, root_how);
			linux_kernels_keep(find, kernel);
			proved = TRUE;
		}
		/* Of the modes, the one that agreed in most. */
		if (verdict.n_probes >= most) {
			most = verdict.n_probes;
			*ret_fault =
				verdict.fault ? verdict.fault : "too little of it could be proved";
		}
		linux_verdict_clear(&verdict);
	}
	return proved;
}
