/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * find: the byte patterns, and what is kept of each hit until its pass has ended. Whoever has some
 * of the guest's memory may fill it with hits: each is looked at while the pass goes on, and those
 * that survive are bounded by the piece of memory, so that none but a kernel's own neighbours can
 * crowd it out.
 */
#include "narrow.h"

#define MAX_NOTES 1024
#define MAX_BANNER 1024

static void
clear_note(gpointer note)
{
	linux_vmcoreinfo_unref(((LinuxNote *) note)->info);
}

static void
free_find(gpointer data)
{
	LinuxFind *find = data;

	g_array_unref(find->notes);
	g_array_unref(find->digits);
	g_array_unref(find->banners);
	g_ptr_array_unref(find->images);
	g_ptr_array_unref(find->kernels);
	g_free(find);
}

LinuxFind *
linux_find_get(VmifsProbe *probe)
{
	LinuxFind *find = vmifs_probe_data(probe);

	if (find)
		return find;
	find = g_new0(LinuxFind, 1);
	find->probe = probe;
	find->notes = g_array_new(FALSE, FALSE, sizeof(LinuxNote));
	g_array_set_clear_func(find->notes, clear_note);
	find->digits = g_array_new(FALSE, FALSE, sizeof(guint64));
	find->banners = g_array_new(FALSE, FALSE, sizeof(guint64));
	find->images = g_ptr_array_new_with_free_func(linux_image_free);
	find->kernels = g_ptr_array_new_with_free_func(linux_kernel_free);
	vmifs_probe_set_data(probe, find, free_find);
	return find;
}

/* user is the probe: LinuxFind is for the thread that gets the hits. */
static gboolean
read_probe(gpointer user, guint64 pa, gpointer buf, gsize len)
{
	return vmifs_physmem_read(vmifs_probe_physmem(user), pa, buf, len, vmifs_probe_call(user),
				  NULL);
}

gboolean
linux_find_read(const LinuxFind *find, guint64 pa, gpointer buf, gsize len)
{
	return read_probe(find->probe, pa, buf, len);
}

gboolean
linux_find_read_phys(gpointer find, guint64 pa, gpointer buf, gsize len)
{
	return linux_find_read(find, pa, buf, len);
}

gboolean
linux_find_goes_on(const LinuxFind *find)
{
	return vmifs_call_check(vmifs_probe_call(find->probe), NULL);
}

/* ---- hits: what is worth keeping, and keeping it ---- */

static char *
read_banner(VmifsProbe *probe, guint64 pa)
{
	guint8 bytes[MAX_BANNER];

	/* RAM may end soon behind it. */
	for (gsize len = sizeof bytes; len >= 64; len /= 2)
		if (read_probe(probe, pa, bytes, len))
			return linux_banner_at(bytes, len);
	return NULL;
}

char *
linux_find_banner(const LinuxFind *find, guint64 pa)
{
	return read_banner(find->probe, pa);
}

static LinuxVmcoreinfo *
read_note(VmifsProbe *probe, guint64 pa)
{
	guint8 head[LINUX_VMCOREINFO_HEAD];
	g_autofree guint8 *bytes = NULL;
	gsize len;

	if (!read_probe(probe, pa, head, sizeof head))
		return NULL;
	len = linux_vmcoreinfo_size(head);
	if (!len)
		return NULL;
	bytes = g_malloc(len);
	return read_probe(probe, pa, bytes, len) ? linux_vmcoreinfo_new(bytes, len, NULL) : NULL;
}

char *
linux_note_name(const LinuxNote *note)
{
	if (note->told)
		return g_strdup("VMCOREINFO beside the memory");
	return g_strdup_printf("VMCOREINFO at 0x%" G_GINT64_MODIFIER "x", note->pa);
}

/* By which number each architecture tells that. */
typedef struct {
	const char *arch, *key, *how;
	gboolean has_base; /* its memory begins elsewhere than at 0 */
} Distance;

static const Distance *
distance_of(const LinuxNote *note)
{
	static const Distance distances[] = {
		{ LINUX_ARCH_X86_64, "NUMBER(phys_base)", "phys_base of VMCOREINFO", FALSE },
		{ LINUX_ARCH_AARCH64, "NUMBER(kimage_voffset)", "kimage_voffset of VMCOREINFO",
		  TRUE },
		{ LINUX_ARCH_RISCV64, "NUMBER(va_kernel_pa_offset)",
		  "va_kernel_pa_offset of VMCOREINFO", TRUE },
	};

	for (gsize i = 0; i < G_N_ELEMENTS(distances); i++) {
		if (linux_vmcoreinfo_text(note->info, distances[i].key))
			return &distances[i];
	}
	return NULL;
}

gboolean
linux_note_delta(const LinuxNote *note, guint64 *ret)
{
	const Distance *distance = distance_of(note);
	guint64 number;

	if (note->narrow.arch) {
		*ret = note->narrow.delta;
		return TRUE;
	}
	if (!distance || !linux_vmcoreinfo_number(note->info, distance->key, &number))
		return FALSE;
	*ret = g_str_equal(distance->arch, LINUX_ARCH_X86_64) ? LINUX_X86_64_IMAGE - number
							      : number;
	return TRUE;
}

const char *
linux_note_delta_key(const LinuxNote *note)
{
	const Distance *distance = distance_of(note);

	if (note->narrow.arch)
		return "swapper_pg_dir of VMCOREINFO, which maps the text";
	return distance ? distance->how : NULL;
}

const char *
linux_note_arch(const LinuxNote *note)
{
	const Distance *distance = distance_of(note);

	if (note->narrow.arch)
		return note->narrow.arch;
	return distance ? distance->arch : LINUX_ARCH_X86_64;
}

/* Without knowing where memory begins, nothing more can be said of it. */
static gboolean
is_to_be_moved(VmifsProbe *probe, const LinuxNote *note)
{
	const Distance *distance = distance_of(note);

	return vmifs_probe_is_base_assumed(probe) && distance && distance->has_base;
}

gboolean
linux_find_root_fits(VmifsProbe *probe, const char *arch, guint64 root, guint64 ignore_mask,
		     guint64 text, guint64 delta)
{
	gsize mode, end;

	for (vmifs_probe_modes_of(probe, arch, &mode, &end); mode < end; mode++) {
		g_autoptr(VmifsAspace) aspace =
			vmifs_probe_try_root(probe, mode, root, ignore_mask);
		VmifsRange range;

		if (aspace && vmifs_aspace_translate(aspace, text, &range, NULL) &&
		    range.pa == text - delta)
			return TRUE;
	}
	return FALSE;
}

/* An image that was cut short may end before what its note tells of, and says itself no more of it
 * than that. (full) */
static char *
fault_of_root(VmifsProbe *probe, guint64 root)
{
	guint64 end = vmifs_physmem_end(vmifs_probe_physmem(probe));

	if (root < end)
		return g_strdup("its page table maps its text elsewhere or not at all");
	return g_strdup_printf("its page table is at %#" G_GINT64_MODIFIER
			       "x, memory ends at %#" G_GINT64_MODIFIER
			       "x: it was cut short, or is not of the whole memory",
			       root, end);
}

/* (full) (nullable) what speaks against a note at first sight. */
static char *
fault_of_note(VmifsProbe *probe, const LinuxNote *note)
{
	const VmifsOptions *options = vmifs_probe_options(probe);
	const char *arch = linux_note_arch(note);
	guint64 delta, text, root, ignore_mask = 0;
	LinuxNarrow narrow;

	if (is_to_be_moved(probe, note))
		return NULL;
	if (linux_narrow_of_note(probe, note->info, &narrow) ||
	    linux_narrow_may_be_moved(probe, note->info))
		return NULL;
	if (!linux_note_delta(note, &delta))
		return g_strdup("it does not tell how far its image lies from physical addresses");
	if (!linux_vmcoreinfo_hex(note->info, "SYMBOL(_stext)", &text))
		return g_strdup("it has no _stext");
	linux_vmcoreinfo_number(note->info, "NUMBER(sme_mask)", &ignore_mask);
	if (options->has_root &&
	    linux_find_root_fits(probe, arch, options->root, ignore_mask, text, delta))
		return NULL;
	if (!linux_vmcoreinfo_hex(note->info, "SYMBOL(swapper_pg_dir)", &root))
		return g_strdup("no page table of it is known");
	if (!linux_find_root_fits(probe, arch, root - delta, ignore_mask, text, delta))
		return fault_of_root(probe, root - delta);
	return NULL;
}

static gboolean
keep_note(VmifsProbe *probe, guint64 pa)
{
	g_autoptr(LinuxVmcoreinfo) info = read_note(probe, pa);
	LinuxNote note = { .pa = pa, .info = info };
	g_autofree char *fault = info ? fault_of_note(probe, &note) : NULL;

	if (fault)
		vmifs_probe_note(probe, "VMCOREINFO at 0x%" G_GINT64_MODIFIER "x: %s", pa, fault);
	return info && !fault;
}

void
linux_find_add_note(LinuxFind *find, LinuxNote *note)
{
	linux_narrow_of_note(find->probe, note->info, &note->narrow);
	g_array_append_val(find->notes, *note);
}

static void
hit_note(LinuxFind *find, guint64 pa)
{
	LinuxNote note = { .pa = pa };

	if (find->notes->len < MAX_NOTES)
		note.info = read_note(find->probe, pa);
	if (note.info)
		linux_find_add_note(find, &note);
}

static gboolean
keep_digits(VmifsProbe *probe, guint64 pa)
{
	LinuxPhys phys = { read_probe, probe };

	return linux_kallsyms_has_tokens(&phys, pa);
}

static void
hit_digits(LinuxFind *find, guint64 pa)
{
	g_array_append_val(find->digits, pa);
}

static gboolean
keep_banner(VmifsProbe *probe, guint64 pa)
{
	g_autofree char *banner = read_banner(probe, pa);

	return banner != NULL;
}

static void
hit_banner(LinuxFind *find, guint64 pa)
{
	g_array_append_val(find->banners, pa);
}

enum { PATTERN_NOTE, PATTERN_DIGITS, PATTERN_BANNER };

const VmifsPattern linux_patterns[LINUX_N_PATTERNS] = {
	/* namesz 11; what follows differs from note to note. */
	[PATTERN_NOTE] = { "VMCOREINFO", (const guint8 *) "\013\0\0\0", 4, 4096, TRUE, keep_note },
	[PATTERN_DIGITS] = { "kallsyms tokens", (const guint8 *) LINUX_KALLSYMS_DIGITS, 20, 1,
			     FALSE, keep_digits },
	[PATTERN_BANNER] = { "Linux banner", (const guint8 *) "Linux version ", 14, 1, FALSE,
			     keep_banner },
};

void
linux_hit(VmifsProbe *probe, const VmifsPattern *pattern, guint64 pa)
{
	static void (*const hits[])(LinuxFind * find, guint64 pa) = {
		[PATTERN_NOTE] = hit_note,
		[PATTERN_DIGITS] = hit_digits,
		[PATTERN_BANNER] = hit_banner,
	};

	hits[pattern - linux_patterns](linux_find_get(probe), pa);
}
