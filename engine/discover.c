/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * discover: see discover.h. A candidate is an address space with a score and one line of evidence.
 * Nothing is believed because it was found first: all candidates of a pass are ranked, and the
 * best one must still attach.
 */
#include "discover.h"

#include "asked.h"
#include "aspace.h"
#include "physmem.h"
#include "scan.h"

#include <string.h>
#include <spi/arch.h>
#include <vmifs/text.h>

#define MAX_CANDIDATES 64
#define MAX_NOTES 64
#define MAX_BASES 4
/* Table visits spent on telling which mode a root given by the user has. */
#define ROOT_BUDGET 4096

typedef struct {
	const VmifsOs *os;
	VmifsAspace *aspace;
	int score;
	guint order; /* of being added: breaks ties */
	char *evidence;
	gpointer data;       /* of vmifs_instance_data() */
	const char *outcome; /* (static) */
	char *fault;         /* (nullable) why attaching failed */
} Candidate;

struct VmifsProbe {
	const VmifsOs *os;
	VmifsGuest *guest;
	VmifsPhysmem *mem;
	const VmifsCall *call;
	const GPtrArray *modes; /* of VmifsMode */
	GArray *candidates;     /* of Candidate; shared by the probes of all drivers */
	GMutex *lock;           /* shared; guards notes */
	VmifsAsked *asked;      /* shared too */
	GPtrArray *notes;       /* of char *; shared too */
	GArray *bases;          /* of guint64; shared too */
	gboolean bases_tried;   /* nothing was found there */
	gpointer data;
	GDestroyNotify free_data;
	VmifsScanPart part; /* that the driver wants to be looked at first; len 0 = none */
};

/* ---- what a driver may do (spi/os.h) ---- */

VmifsPhysmem *
vmifs_probe_physmem(VmifsProbe *probe)
{
	return probe->mem;
}

const VmifsCall *
vmifs_probe_call(VmifsProbe *probe)
{
	return probe->call;
}

const VmifsOptions *
vmifs_probe_options(VmifsProbe *probe)
{
	return vmifs_guest_options(probe->guest);
}

GBytes *
vmifs_probe_told(VmifsProbe *probe, const char *owner)
{
	return vmifs_physmem_note(probe->mem, owner);
}

guint
vmifs_probe_n_vcpus(VmifsProbe *probe)
{
	return vmifs_physmem_n_vcpus(probe->mem);
}

VmifsRegs *
vmifs_probe_regs(VmifsProbe *probe, guint vcpu)
{
	return vmifs_asked_regs(probe->asked, vcpu);
}

gboolean
vmifs_probe_vcpu_translate(VmifsProbe *probe, guint vcpu, guint64 va, guint64 *ret_pa)
{
	return vmifs_asked_translate(probe->asked, vcpu, va, ret_pa);
}

void
vmifs_probe_look_at(VmifsProbe *probe, guint64 pa, guint64 len)
{
	probe->part = (VmifsScanPart){ pa, MIN(len, VMIFS_PROBE_MAX_PART) };
}

gboolean
vmifs_probe_is_base_assumed(VmifsProbe *probe)
{
	return vmifs_physmem_is_base_assumed(probe->mem);
}

void
vmifs_probe_suggest_base(VmifsProbe *probe, guint64 base)
{
	for (guint i = 0; i < probe->bases->len; i++)
		if (g_array_index(probe->bases, guint64, i) == base)
			return;
	if (vmifs_probe_is_base_assumed(probe) && !probe->bases_tried &&
	    probe->bases->len < MAX_BASES)
		g_array_append_val(probe->bases, base);
}

void
vmifs_probe_modes_of(VmifsProbe *probe, const char *arch, gsize *ret_first, gsize *ret_end)
{
	gsize i = 0;

	while (i < probe->modes->len &&
	       strcmp(((VmifsMode *) g_ptr_array_index(probe->modes, i))->arch->name, arch) != 0)
		i++;
	*ret_first = i;
	while (i < probe->modes->len &&
	       strcmp(((VmifsMode *) g_ptr_array_index(probe->modes, i))->arch->name, arch) == 0)
		i++;
	*ret_end = i;
}

const char *
vmifs_probe_mode_name(VmifsProbe *probe, gsize mode)
{
	const VmifsMode *m = g_ptr_array_index(probe->modes, mode);
	return m->name;
}

static VmifsAspace *
try_root(VmifsGuest *guest, VmifsPhysmem *mem, const VmifsMode *mode, guint64 root,
	 guint64 ignore_mask)
{
	guint64 entry;
	if (root % mode->root_align != 0 ||
	    !vmifs_physmem_read(mem, root, &entry, sizeof entry, NULL, NULL) ||
	    !vmifs_physmem_read(mem, root + mode->root_len - sizeof entry, &entry, sizeof entry,
				NULL, NULL))
		return NULL;
	VmifsPaging paging = vmifs_paging_of(mode, root);
	paging.ignore_mask = ignore_mask;
	return vmifs_aspace_new(mem, &paging, vmifs_guest_epoch(guest));
}

VmifsAspace *
vmifs_probe_try_root(VmifsProbe *probe, gsize mode, guint64 root, guint64 ignore_mask)
{
	return try_root(probe->guest, probe->mem, g_ptr_array_index(probe->modes, mode), root,
			ignore_mask);
}

void
vmifs_probe_add(VmifsProbe *probe, VmifsAspace *kernel, int score, char *evidence, gpointer data,
		GDestroyNotify free_data)
{
	Candidate candidate = { .os = probe->os,
				.aspace = kernel,
				.score = score,
				.order = probe->candidates->len,
				.evidence = evidence,
				.data = vmifs_instance_data(data, free_data),
				.outcome = "lost" };
	g_array_append_val(probe->candidates, candidate);
}

void
vmifs_probe_note(VmifsProbe *probe, const char *format, ...)
{
	g_autoptr(GMutexLocker) locker = g_mutex_locker_new(probe->lock);
	va_list args;

	if (probe->notes->len >= MAX_NOTES)
		return;
	va_start(args, format);
	g_autofree char *raw = g_strdup_vprintf(format, args);
	va_end(args);
	GString *note = g_string_new(NULL);
	vmifs_text_append_octal(note, raw, -1, NULL);
	g_ptr_array_add(probe->notes, g_string_free(note, FALSE));
}

gpointer
vmifs_probe_data(VmifsProbe *probe)
{
	return probe->data;
}

void
vmifs_probe_set_data(VmifsProbe *probe, gpointer data, GDestroyNotify free_data)
{
	if (probe->free_data)
		probe->free_data(probe->data);
	probe->data = data;
	probe->free_data = free_data;
}

/* ---- one discovery ---- */

static void
candidate_clear(gpointer data)
{
	Candidate *candidate = data;
	g_clear_pointer(&candidate->aspace, vmifs_aspace_unref);
	g_clear_pointer(&candidate->data, vmifs_instance_data_unref);
	g_free(candidate->evidence);
	g_free(candidate->fault);
}

static int
compare_candidates(gconstpointer a, gconstpointer b)
{
	const Candidate *x = a, *y = b;
	if (x->score != y->score)
		return x->score > y->score ? -1 : 1;
	return x->order < y->order ? -1 : x->order > y->order;
}

/* Every mode of this build that the user's arch= allows. */
static GPtrArray *
list_modes(const VmifsOptions *options)
{
	GPtrArray *modes = g_ptr_array_new();
	for (gsize i = 0; i < vmifs_n_archs; i++) {
		if (options->arch && g_strcmp0(options->arch, vmifs_archs[i]->name) != 0)
			continue;
		for (gsize j = 0; j < vmifs_archs[i]->n_modes; j++)
			g_ptr_array_add(modes, (gpointer) &vmifs_archs[i]->modes[j]);
	}
	return modes;
}

typedef struct {
	VmifsProbe *probe;
	const VmifsPattern *pattern;
} Wanted;

static gboolean
keep(gsize pattern, guint64 pa, gpointer user)
{
	const Wanted *wanted = &g_array_index((GArray *) user, Wanted, pattern);
	return !wanted->pattern->keep || wanted->pattern->keep(wanted->probe, pa);
}

static void
deliver(gsize pattern, guint64 pa, gpointer user)
{
	const Wanted *wanted = &g_array_index((GArray *) user, Wanted, pattern);
	wanted->probe->os->hit(wanted->probe, wanted->pattern, pa);
}

/* One pass for the patterns of all drivers, or, of a part of memory, for those of the driver that
 * wants it. FALSE when it was cut short. */
static gboolean
pass(VmifsGuest *guest, const GPtrArray *probes, const VmifsProbe *only, gboolean fast,
     VmifsPhysmem *mem, gint *progress, const VmifsCall *call, GError **error)
{
	g_autoptr(GArray) wanted = g_array_new(FALSE, FALSE, sizeof(Wanted));
	g_autoptr(GPtrArray) patterns = g_ptr_array_new();
	for (guint i = 0; i < probes->len; i++) {
		VmifsProbe *probe = g_ptr_array_index(probes, i);
		for (gsize j = 0; j < probe->os->n_patterns; j++) {
			const VmifsPattern *pattern = &probe->os->patterns[j];
			/* The fast pass has told all that its patterns can tell. */
			if (pattern->fast != fast || (only && only != probe))
				continue;
			g_array_append_val(wanted, ((Wanted){ probe, pattern }));
			g_ptr_array_add(patterns, (gpointer) pattern);
		}
	}
	VmifsScanReport report = { 0 };
	gboolean scanned = patterns->len == 0 ||
			   vmifs_scan(mem, only ? &only->part : NULL,
				      (const VmifsPattern *const *) patterns->pdata, patterns->len,
				      fast, keep, deliver, wanted, progress, &report, call, error);
	if (report.lost || report.dropped)
		vmifs_guest_log(guest,
				"scan: %" G_GUINT64_FORMAT
				" bytes could not be read, %" G_GUINT64_FORMAT
				" hits beyond the bound were dropped",
				report.lost, report.dropped);
	if (!scanned)
		return FALSE;
	for (guint i = 0; i < probes->len; i++) {
		VmifsProbe *probe = g_ptr_array_index(probes, i);
		if (probe->os->conclude && (!only || only == probe))
			probe->os->conclude(probe, fast);
	}
	return vmifs_call_check(call, error);
}

typedef struct {
	VmifsPhysmem *mem;
	gint64 sense; /* pages that begin in RAM, less ranges that lead nowhere */
} Mapped;

#define SMALLEST_PAGE 12

/* Under a wrong mode data is taken for tables, and most of what that "maps" is not there; or tables
 * for pages, of which there are few. */
static gboolean
judge_range(const VmifsRange *range, gpointer user)
{
	Mapped *mapped = user;
	guint8 scratch;
	guint stamp;
	if (range->kind == VMIFS_RANGE_BROKEN)
		mapped->sense--;
	else if (range->kind == VMIFS_RANGE_PAGE)
		mapped->sense +=
			vmifs_physmem_view(mapped->mem, range->pa, 1, &scratch, &stamp)
				? (gint64) (MIN(range->len, vmifs_physmem_ram(mapped->mem)) >>
					    SMALLEST_PAGE)
				: -1;
	return TRUE;
}

/* The user named a root and no OS was found: the mode under which it makes most sense wins. */
static VmifsAspace *
named_root(VmifsGuest *guest, VmifsPhysmem *mem, const GPtrArray *modes, GString *report)
{
	const VmifsOptions *options = vmifs_guest_options(guest);
	g_autoptr(VmifsAspace) best = NULL;
	gint64 most = 0;
	for (guint i = 0; options->has_root && i < modes->len; i++) {
		const VmifsMode *mode = g_ptr_array_index(modes, i);
		/* Of all there are, some would take nearly anything for a table. */
		if (!options->arch && mode->arch != vmifs_archs[0])
			continue;
		g_autoptr(VmifsAspace) aspace = try_root(guest, mem, mode, options->root, 0);
		Mapped mapped = { .mem = mem };
		if (!aspace)
			continue;
		vmifs_aspace_visit(aspace, 0, G_MAXUINT64, ROOT_BUDGET, judge_range, &mapped, NULL,
				   NULL);
		g_string_append_printf(report,
				       "tried: root=0x%" G_GINT64_MODIFIER
				       "x as %s: %" G_GINT64_FORMAT
				       " more pages lie in RAM than ranges do not\n",
				       options->root, mode->name, mapped.sense);
		if (mapped.sense > most) {
			most = mapped.sense;
			g_clear_pointer(&best, vmifs_aspace_unref);
			best = g_steal_pointer(&aspace);
		}
	}
	return g_steal_pointer(&best);
}

/* The user's word binds: who named a root is not shown what another one leads to. */
static gboolean
is_refused(VmifsGuest *guest, Candidate *candidate)
{
	const VmifsOptions *options = vmifs_guest_options(guest);
	if (!options->has_root || vmifs_aspace_root(candidate->aspace) == options->root)
		return FALSE;
	candidate->outcome = "refused";
	candidate->fault =
		g_strdup_printf("root=0x%" G_GINT64_MODIFIER "x was given", options->root);
	return TRUE;
}

/* Attaches the best candidate that can be, of those with that score at least; NULL = none can. One
 * that failed is not tried again. */
static VmifsInstance *
choose(VmifsGuest *guest, VmifsPhysmem *mem, GArray *candidates, int least, const VmifsCall *call)
{
	g_array_sort(candidates, compare_candidates);
	for (guint i = 0; i < MIN(candidates->len, MAX_CANDIDATES); i++) {
		Candidate *candidate = &g_array_index(candidates, Candidate, i);
		g_autoptr(GError) error = NULL;
		if (candidate->fault || candidate->score < least || is_refused(guest, candidate))
			continue;
		VmifsInstance *instance =
			vmifs_instance_new(candidate->os, guest, mem, candidate->aspace,
					   candidate->data, call, &error);
		candidate->outcome = instance ? "attached" : "failed";
		if (instance)
			return instance;
		candidate->fault = g_strdup(error->message);
		vmifs_guest_log(guest, "attaching %s failed: %s", candidate->os->name,
				error->message);
	}
	return NULL;
}

static void
report_candidates(const GArray *candidates, GString *report)
{
	for (guint i = 0; i < MIN(candidates->len, MAX_CANDIDATES); i++) {
		const Candidate *candidate = &g_array_index(candidates, Candidate, i);
		g_string_append_printf(
			report, "candidate: %s, score %d: %s root 0x%" G_GINT64_MODIFIER "x: ",
			candidate->outcome, candidate->score, candidate->os->name,
			vmifs_aspace_root(candidate->aspace));
		vmifs_text_append_octal(report, candidate->evidence, -1, NULL);
		if (candidate->fault) {
			g_string_append(report, ": ");
			vmifs_text_append_octal(report, candidate->fault, -1, NULL);
		}
		g_string_append_c(report, '\n');
	}
	if (candidates->len > MAX_CANDIDATES)
		g_string_append_printf(report, "candidate: and %u more\n",
				       candidates->len - MAX_CANDIDATES);
}

static void
probe_free(gpointer data)
{
	VmifsProbe *probe = data;
	vmifs_probe_set_data(probe, NULL, NULL);
	g_free(probe);
}

static void
report_failure(VmifsGuest *guest, const GPtrArray *probes, guint n_candidates, GString *report)
{
	for (guint i = 0; i < probes->len; i++) {
		const VmifsProbe *probe = g_ptr_array_index(probes, i);
		g_string_append_printf(report, "tried: %s: %u candidates; none could be proved\n",
				       probe->os->name, n_candidates);
	}
	const VmifsOptions *options = vmifs_guest_options(guest);
	if (options->has_root) {
		g_string_append(report, "hint: no kernel was found by the root= that was given; "
					"without it each candidate is tried with its own root\n");
		vmifs_guest_log(guest, "root=0x%" G_GINT64_MODIFIER "x leads to no kernel",
				options->root);
	} else if (options->arch || options->has_base) {
		g_string_append_printf(
			report,
			"hint: no kernel was found with the %s that was given; leave "
			"that out, or give -o root=ADDRESS (page table) with it\n",
			options->arch ? "arch=" : "base=");
	} else {
		g_string_append(report, "hint: give what you know: -o root=ADDRESS (page table), "
					"base=ADDRESS (of a raw image's first byte), arch=NAME\n");
	}
}

/* One for each driver. */
static GPtrArray *
make_probes(const VmifsProbe *common)
{
	GPtrArray *probes = g_ptr_array_new_with_free_func(probe_free);

	for (gsize i = 0; i < vmifs_n_oses; i++) {
		VmifsProbe *probe = g_memdup2(common, sizeof *common);
		probe->os = vmifs_oses[i];
		g_ptr_array_add(probes, probe);
	}
	return probes;
}

static gboolean
has_bases(const GPtrArray *probes)
{
	const VmifsProbe *first = probes->len ? g_ptr_array_index(probes, 0) : NULL;

	return first && !first->bases_tried && first->bases->len;
}

/* The passes that are needed and wanted, and what of it can be attached. */
static VmifsInstance *
look(VmifsGuest *guest, const GPtrArray *probes, VmifsPhysmem *mem, VmifsDiscoverDepth depth,
     gint *progress, const VmifsCall *call, GArray *candidates, GString *report)
{
	g_autoptr(GError) error = NULL;
	const char *passes = "nothing: what the source tells is enough";

	for (guint i = 0; i < probes->len; i++) {
		VmifsProbe *probe = g_ptr_array_index(probes, i);
		if (probe->os->begin)
			probe->os->begin(probe);
	}
	VmifsInstance *instance = choose(guest, mem, candidates, VMIFS_SCORE_CERTAIN, call);
	for (guint i = 0; i < probes->len && !instance && !error; i++) {
		const VmifsProbe *probe = g_ptr_array_index(probes, i);
		if (!probe->part.len)
			continue;
		passes = "where the source's registers point";
		if (pass(guest, probes, probe, FALSE, mem, progress, call, &error))
			instance = choose(guest, mem, candidates, VMIFS_SCORE_CERTAIN, call);
	}
	if (!instance && depth == VMIFS_DISCOVER_ALL && !error) {
		passes = "page heads";
		if (pass(guest, probes, NULL, TRUE, mem, progress, call, &error))
			instance = choose(guest, mem, candidates, VMIFS_SCORE_CERTAIN, call);
	}
	/* What stands elsewhere makes no sense here. */
	if (!instance && depth == VMIFS_DISCOVER_ALL && !error && !has_bases(probes)) {
		passes = "page heads, then all memory";
		pass(guest, probes, NULL, FALSE, mem, progress, call, &error);
	}
	g_string_append_printf(report, "scanned: %s\n", passes);
	if (error) {
		g_string_append_printf(report, "discovery: cut short: %s\n", error->message);
		vmifs_guest_log(guest, "discovery was cut short: %s", error->message);
	}
	if (instance)
		return instance;
	/* In a running guest the next look may be certain, and what was left by an earlier boot is
	 * not what runs now. */
	return choose(guest, mem, candidates,
		      vmifs_guest_is_frozen(guest) ? 1 : VMIFS_SCORE_CERTAIN, call);
}

/* The same with memory where drivers suggest that it begins. (full) mem in *ret_mem. */
static VmifsInstance *
look_elsewhere(VmifsGuest *guest, const VmifsProbe *common, VmifsDiscoverDepth depth,
	       gint *progress, GString *report, VmifsPhysmem **ret_mem)
{
	for (guint i = 0; i < common->bases->len; i++) {
		guint64 base = g_array_index(common->bases, guint64, i);
		g_autoptr(GError) error = NULL;
		g_autoptr(VmifsPhysmem) mem =
			vmifs_physmem_at(common->mem, base, common->call, &error);
		if (!mem) {
			vmifs_guest_log(guest, "memory from 0x%" G_GINT64_MODIFIER "x on: %s", base,
					error->message);
			continue;
		}
		g_string_append_printf(report, "memory begins at: 0x%" G_GINT64_MODIFIER "x%s\n",
				       base, ", as a kernel in it says");
		VmifsProbe there = *common;
		there.mem = mem;
		there.bases = g_array_new(FALSE, FALSE, sizeof(guint64));
		g_autoptr(GArray) none = there.bases;
		g_autoptr(GPtrArray) probes = make_probes(&there);
		VmifsInstance *instance = look(guest, probes, mem, depth, progress, common->call,
					       common->candidates, report);
		if (instance) {
			*ret_mem = g_steal_pointer(&mem);
			return instance;
		}
	}
	return NULL;
}

void
vmifs_discover(VmifsGuest *guest, VmifsPhysmem *mem, VmifsDiscoverDepth depth, gint *progress,
	       const VmifsCall *call, VmifsDiscovery *ret)
{
	g_autoptr(GPtrArray) modes = list_modes(vmifs_guest_options(guest));
	g_autoptr(GArray) candidates = g_array_new(FALSE, FALSE, sizeof(Candidate));
	g_array_set_clear_func(candidates, candidate_clear);
	g_autoptr(GPtrArray) notes = g_ptr_array_new_with_free_func(g_free);
	g_autoptr(GString) report = g_string_new(NULL);
	g_autoptr(VmifsAsked) asked = vmifs_asked_new(mem, call);
	g_autoptr(GArray) bases = g_array_new(FALSE, FALSE, sizeof(guint64));
	GMutex lock;
	VmifsProbe common = { .guest = guest,
			      .mem = mem,
			      .call = call,
			      .modes = modes,
			      .candidates = candidates,
			      .lock = &lock,
			      .asked = asked,
			      .notes = notes,
			      .bases = bases };
	g_autoptr(GPtrArray) probes = make_probes(&common);

	if (vmifs_physmem_is_encrypted(mem)) {
		ret->report = g_strdup("discovery: none: the guest's memory is encrypted\n");
		return;
	}
	g_mutex_init(&lock);
	ret->instance = look(guest, probes, mem, depth, progress, call, candidates, report);
	if (!ret->instance)
		ret->instance = look_elsewhere(guest, &common, depth, progress, report, &ret->mem);
	/* Whoever fills some memory could suggest anything. */
	if (!ret->instance && bases->len) {
		common.bases_tried = TRUE;
		g_autoptr(GPtrArray) again = make_probes(&common);
		ret->instance = look(guest, again, mem, depth, progress, call, candidates, report);
	}
	report_candidates(candidates, report);
	if (!ret->instance && depth == VMIFS_DISCOVER_ALL)
		ret->aspace = named_root(guest, mem, modes, report);
	for (guint i = 0; i < notes->len; i++)
		g_string_append_printf(report, "seen: %s\n", (char *) g_ptr_array_index(notes, i));
	if (!ret->instance && depth == VMIFS_DISCOVER_ALL)
		report_failure(guest, probes, candidates->len, report);
	g_mutex_clear(&lock);
	ret->report = g_string_free(g_steal_pointer(&report), FALSE);
}
