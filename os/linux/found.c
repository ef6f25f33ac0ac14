/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* found: from a proved claim to what attach needs and info shows. */
#include "found.h"

#include <spi/bytes.h>

#include <string.h>

#define MAX_NOTES (64u << 10)
#define NT_GNU_BUILD_ID 3

void
linux_found_free(gpointer data)
{
	LinuxFound *found = data;

	if (!found)
		return;
	g_free(found->banner);
	g_free(found->release);
	g_free(found->build_id);
	g_clear_pointer(&found->symbols, vmifs_symbols_unref);
	g_clear_pointer(&found->source, g_bytes_unref);
	g_clear_pointer(&found->exports, vmifs_symbols_unref);
	g_clear_pointer(&found->vmcoreinfo, linux_vmcoreinfo_unref);
	g_free(found->symbols_how);
	g_free(found->root_how);
	g_free(found->slides_how);
	g_free(found);
}

static char *
hex(const guint8 *bytes, gsize len)
{
	GString *text = g_string_new(NULL);

	for (gsize i = 0; i < len; i++)
		g_string_append_printf(text, "%02x", bytes[i]);
	return g_string_free(text, FALSE);
}

char *
linux_build_id(VmifsAspace *aspace, const LinuxClaim *claim)
{
	g_autofree guint8 *notes = NULL;
	guint64 start, end;
	VmifsBytes at;

	if (!linux_claim_symbol(claim, "__start_notes", &start) ||
	    !linux_claim_symbol(claim, "__stop_notes", &end) || end - start > MAX_NOTES)
		return NULL;
	notes = g_malloc(end - start);
	if (!vmifs_aspace_read(aspace, start, notes, end - start, NULL))
		return NULL;
	at = vmifs_bytes(notes, end - start);
	while (!at.failed && at.at < at.len) {
		guint32 name_len = vmifs_bytes_u32(&at);
		guint32 desc_len = vmifs_bytes_u32(&at);
		guint32 type = vmifs_bytes_u32(&at);
		const guint8 *name = vmifs_bytes_take(&at, (name_len + 3ull) & ~3ull);
		const guint8 *desc = vmifs_bytes_take(&at, (desc_len + 3ull) & ~3ull);

		if (desc && type == NT_GNU_BUILD_ID && name_len == 4 && desc_len <= 64 &&
		    memcmp(name, "GNU", 4) == 0)
			return hex(desc, desc_len);
	}
	return NULL;
}

static void
fill_slides(LinuxFound *found, VmifsAspace *aspace, const LinuxClaim *claim)
{
	guint64 text;

	if (!g_str_equal(vmifs_aspace_arch(aspace), LINUX_ARCH_X86_64))
		return;
	if (!linux_claim_symbol(claim, "_text", &text) &&
	    !linux_claim_symbol(claim, "_stext", &text))
		return;
	if (text < LINUX_X86_64_IMAGE)
		return;
	found->has_slides = TRUE;
	found->phys_base = LINUX_X86_64_IMAGE - claim->delta;
	found->virtual_slide = text - (LINUX_X86_64_IMAGE + LINUX_X86_64_TEXT_OFFSET);
	found->physical_slide = text - claim->delta - LINUX_X86_64_TEXT_OFFSET;
}

LinuxFound *
linux_found_new(VmifsAspace *aspace, const LinuxClaim *claim, const LinuxVerdict *verdict)
{
	LinuxFound *found = g_new0(LinuxFound, 1);
	const char *build_id = NULL;

	found->image_delta = claim->delta;
	found->root = vmifs_aspace_root(aspace);
	found->banner = g_strdup(verdict->banner);
	if (claim->symbols)
		found->symbols = vmifs_symbols_ref(claim->symbols);
	if (claim->exports)
		found->exports = vmifs_symbols_ref(claim->exports);
	/* A note that is not of this kernel says nothing about it. */
	if (verdict->proofs & LINUX_PROOF_NOTE) {
		found->vmcoreinfo = linux_vmcoreinfo_ref(claim->note);
		found->release = g_strdup(linux_vmcoreinfo_text(claim->note, "OSRELEASE"));
		build_id = linux_vmcoreinfo_text(claim->note, "BUILD-ID");
	} else if (found->banner) {
		const char *release = found->banner + strlen("Linux version ");
		found->release = g_strndup(release, strcspn(release, " "));
	}
	found->build_id = build_id ? g_strdup(build_id) : linux_build_id(aspace, claim);
	fill_slides(found, aspace, claim);
	return found;
}
