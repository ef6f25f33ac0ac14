/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * mitigations: the kernel keeps a mode for each weakness of the processor, which a task may narrow
 * for itself; whether the processor is weak at all is a bit behind the capability words of its
 * description. How many words there are differs by kernel.
 */
#include "mitigations.h"

#include <string.h>

/* Bits of task_struct.atomic_flags. */
#define SSB_DISABLE (1U << 3)
#define SSB_FORCE_DISABLE (1U << 4)
#define IB_DISABLE (1U << 5)
#define IB_FORCE_DISABLE (1U << 6)
#define SSB_NOEXEC (1U << 7)

/* Does the processor have the bug of that name, which is that bit of the first word? */
static gboolean
has_bug(const Linux *os, guint32 bit, const char *name, gboolean *ret, GError **error)
{
	const LinuxField capability = LINUX_FIELD_CPUINFO_CAPABILITY;
	guint64 table, cpu, text, n_words, word;

	if (!linux_symbol(os, "x86_bug_flags", &table, error) ||
	    !linux_symbol(os, "boot_cpu_data", &cpu, error) ||
	    !linux_feature_words(os, &n_words, error) ||
	    !linux_layout_require(os->layout, &capability, 1, error) ||
	    !linux_load_word(os, table + (guint64) bit * linux_word(os), &text, error))
		return FALSE;
	g_autofree char *found = vmifs_aspace_read_string(os->aspace, text, 64, error);
	if (!found)
		return FALSE;
	if (strcmp(found, name)) {
		g_set_error(error, VMIFS_ERROR, VMIFS_ERROR_UNSUPPORTED,
			    "bug %u of the processor is not %s", bit, name);
		return FALSE;
	}
	guint64 at = linux_layout_element(os->layout, capability, cpu, n_words);
	if (!linux_load(os, at, 4, &word, error))
		return FALSE;
	*ret = word >> bit & 1;
	return TRUE;
}

const char *
linux_store_bypass(const Linux *os, guint64 flags, GError **error)
{
	enum { NONE, DISABLE, PRCTL, SECCOMP };
	guint64 mode;
	gboolean weak;

	if (!linux_variable(os, "ssb_mode", 4, &mode, error))
		return NULL;
	switch (mode) {
	case NONE:
		if (!has_bug(os, 17, "spec_store_bypass", &weak, error))
			return NULL;
		return weak ? "vulnerable" : "not vulnerable";
	case DISABLE:
		return "globally mitigated";
	case PRCTL:
	case SECCOMP:
		if (flags & SSB_FORCE_DISABLE)
			return "thread force mitigated";
		if (flags & SSB_NOEXEC)
			return "vulnerable"; /* the kernel has no word for it */
		return flags & SSB_DISABLE ? "thread mitigated" : "thread vulnerable";
	default:
		g_set_error(error, VMIFS_ERROR, VMIFS_ERROR_CORRUPT, "ssb_mode is %u",
			    (guint) mode);
		return NULL;
	}
}

const char *
linux_indirect_branch(const Linux *os, guint64 flags, GError **error)
{
	enum { NONE, STRICT, STRICT_PREFERRED, PRCTL, SECCOMP };
	guint64 ibpb, stibp;
	gboolean weak;

	if (!has_bug(os, 16, "spectre_v2", &weak, error))
		return NULL;
	if (!weak)
		return "not affected";
	if (!linux_variable(os, "spectre_v2_user_ibpb", 4, &ibpb, error) ||
	    !linux_variable(os, "spectre_v2_user_stibp", 4, &stibp, error))
		return NULL;
	if (ibpb == NONE && stibp == NONE)
		return "always enabled";
	if (ibpb == PRCTL || ibpb == SECCOMP || stibp == PRCTL || stibp == SECCOMP) {
		if (flags & IB_FORCE_DISABLE)
			return "conditional force disabled";
		return flags & IB_DISABLE ? "conditional disabled" : "conditional enabled";
	}
	if (ibpb == STRICT || stibp == STRICT || stibp == STRICT_PREFERRED)
		return "always disabled";
	return "not affected";
}
