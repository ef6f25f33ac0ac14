/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* texts: one pass over the kernel's read-only data for all of them, piece by piece. */
#include "linux.h"

#include <string.h>

/* Of a kernel with everything built in it is some 20 MB. */
#define MAX_RODATA (128 * 1024 * 1024)
#define CHUNK (256 * 1024)
#define MAX_TEXT 64

static const char *const texts[LINUX_N_TEXTS] = {
	[LINUX_TEXT_KTHREAD] = "Kthread:\t%c\n",
	[LINUX_TEXT_CORE_DUMPING] = "CoreDumping:\t",
	[LINUX_TEXT_THP_ENABLED] = "THP_enabled:\t%d\n",
	[LINUX_TEXT_UNTAG_MASK] = "untag_mask:\t%#lx\n",
	[LINUX_TEXT_STORE_BYPASS] = "\nSpeculation_Store_Bypass:\t",
	[LINUX_TEXT_INDIRECT_BRANCH] = "\nSpeculationIndirectBranch:\t",
	[LINUX_TEXT_NFS_UNSTABLE] = "NFS_Unstable:   ",
	[LINUX_TEXT_BOUNCE] = "Bounce:         ",
	[LINUX_TEXT_WRITEBACK_TMP] = "WritebackTmp:   ",
	[LINUX_TEXT_CMA] = "CmaTotal:       ",
	[LINUX_TEXT_MANDLOCK] = ",mand",
	[LINUX_TEXT_PSS_DIRTY] = "Pss_Dirty:      ",
	[LINUX_TEXT_KSM] = "KSM:            ",
	[LINUX_TEXT_THP_WIDE] = "THPeligible:    %8u\n",
	[LINUX_TEXT_FDINFO_INO] = "\nino:\t%lu\n",
	[LINUX_TEXT_FDINFO_LONG_INO] = "\nino:\t%llu\n",
	[LINUX_TEXT_EVENTFD_SEMAPHORE] = "eventfd-semaphore: %d\n",
	[LINUX_TEXT_ESCAPE_HASH] = " \t\n\\#",
	[LINUX_TEXT_PACKET_NARROW] = "sk       RefCnt Type Proto  Iface R Rmem   User   Inode\n",
};

/* Bytes that few texts have are worth a look wherever one is, and found faster than a text. */
static gboolean
has_text(const guint8 *bytes, gsize len, const char *text, gsize whole)
{
	const char *rare = strpbrk(text, ",\\");
	gsize before = rare ? (gsize) (rare - text) : 0;
	if (!rare || len < whole)
		return memmem(bytes, len, text, whole) != NULL;
	const guint8 *at = bytes + before, *end = bytes + len - whole + before + 1;
	for (; (at = memchr(at, *rare, (gsize) (end - at))); at++)
		if (at[1] == (guint8) rare[1] && !memcmp(at - before, text, whole))
			return TRUE;
	return FALSE;
}

static guint32
search(const guint8 *bytes, gsize len, guint32 found)
{
	const guint8 *end = bytes + len, *colon = bytes;
	gsize befores[LINUX_N_TEXTS], wholes[LINUX_N_TEXTS];

	for (guint i = 0; i < LINUX_N_TEXTS; i++) {
		const char *at = strchr(texts[i], ':');
		befores[i] = at ? (gsize) (at - texts[i]) : G_MAXSIZE;
		wholes[i] = strlen(texts[i]) + 1;
	}
	/* Most have a colon and a blank, a pair that is rare enough to look closer wherever it is;
	 * the letter before it is compared first, for a guest may have nothing but colons. */
	for (; (colon = memchr(colon, ':', (gsize) (end - colon))); colon++) {
		if (end - colon < 2 || (colon[1] != '\t' && colon[1] != ' '))
			continue;
		for (guint i = 0; i < LINUX_N_TEXTS; i++) {
			gsize before = befores[i];
			if ((gsize) (colon - bytes) >= before &&
			    colon[-1] == (guint8) texts[i][before - 1] &&
			    (gsize) (end - colon) >= wholes[i] - before &&
			    !memcmp(colon - before, texts[i], wholes[i]))
				found |= 1U << i;
		}
	}
	for (guint i = 0; i < LINUX_N_TEXTS; i++) {
		if (befores[i] == G_MAXSIZE && !(found >> i & 1) &&
		    has_text(bytes, len, texts[i], wholes[i]))
			found |= 1U << i;
	}
	return found;
}

/* How the table of names for vm_flags begins: two letters each, since GCC 15 with a NUL. */
static void
search_flag_names(LinuxTexts *found, const guint8 *bytes, gsize len, guint64 va)
{
	static const struct {
		const char *bytes;
		gsize len;
		guint width;
	} shapes[] = { { "rdwrexshmrmwmemsgd", 18, 2 }, { "rd\0wr\0ex\0sh\0mr\0mw", 18, 3 } };

	for (gsize i = 0; i < G_N_ELEMENTS(shapes) && !found->flag_names; i++) {
		const guint8 *at = memmem(bytes, len, shapes[i].bytes, shapes[i].len);
		if (at) {
			found->flag_names = va + (guint64) (at - bytes);
			found->flag_width = shapes[i].width;
		}
	}
}

/* The format of /proc/version, where no symbol tells of it. */
static void
search_banner(LinuxTexts *found, const guint8 *bytes, gsize len, guint64 va)
{
	static const char start[] = "%s version %s (";
	const guint8 *at = memmem(bytes, len, start, sizeof start - 1);

	if (at && !found->proc_banner)
		found->proc_banner = va + (guint64) (at - bytes);
}

gboolean
linux_texts_find(const Linux *os, LinuxTexts *ret, const VmifsCall *call, GError **error)
{
	const guint32 all = (1U << LINUX_N_TEXTS) - 1;
	g_autofree guint8 *chunk = NULL;
	guint64 start, end;
	LinuxTexts found = { 0 };

	/* It lies between two kinds of text. */
	const char *first = os->is_text_only ? "_etext" : "__start_rodata";
	const char *last = os->is_text_only ? "_sinittext" : "__end_rodata";
	if (linux_symbol(os, first, &start, NULL) && linux_symbol(os, last, &end, NULL) &&
	    end - start <= MAX_RODATA)
		chunk = g_malloc(CHUNK);
	/* Pieces overlap by more than a text, so that none is cut. */
	for (guint64 done = 0;
	     chunk && done < end - start &&
	     (found.bits != all || !found.flag_names || (os->is_text_only && !found.proc_banner));
	     done += CHUNK - MAX_TEXT) {
		if (!vmifs_call_check(call, error))
			return FALSE;
		gsize got = vmifs_aspace_read_some(os->aspace, start + done, chunk,
						   MIN(CHUNK, end - start - done), NULL);
		found.bits = search(chunk, got, found.bits);
		search_flag_names(&found, chunk, got, start + done);
		if (os->is_text_only)
			search_banner(&found, chunk, got, start + done);
	}
	*ret = found;
	return TRUE;
}

guint
linux_flag_names(const Linux *os, char *ret, gsize len)
{
	guint width = os->texts.flag_width;
	if (!width || !vmifs_aspace_read(os->aspace, os->texts.flag_names, ret,
					 MIN(len, (gsize) width * 64), NULL))
		return 0;
	return width;
}

gboolean
linux_has_text(const Linux *os, LinuxText text)
{
	return os->texts.bits >> text & 1;
}
