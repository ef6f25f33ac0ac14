/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * memo (private): texts that many tasks of a guest share, and failures to make them, kept for an
 * epoch. Whoever reads the same table through each process pays for it once; so does a hostile
 * guest's reader, who would else walk through the same ring of nonsense a thousand times.
 */
#pragma once

#include <vmifs/view.h>

typedef struct VmifsMemo VmifsMemo;

typedef struct {
	const VmifsView *view; /* (borrowed) */
	guint64 about[VMIFS_VIEW_WORDS];
} VmifsMemoKey;

/* Locked by itself. */
VmifsMemo *
vmifs_memo_new(void);
void
vmifs_memo_free(VmifsMemo *memo);

/* FALSE: nothing is known of that epoch. Otherwise *ret_made says whether there is such a text,
 * which is appended to out; if there is none, error is set. */
gboolean
vmifs_memo_find(VmifsMemo *memo, const VmifsMemoKey *key, guint epoch, GString *out,
		gboolean *ret_made, GError **error);
/* failure: (nullable) (borrowed) there is no text. Only one that lies in what the guest's memory
 * holds is kept: who asks again may have more time, or a source that answers. Bounded: the oldest
 * go, and what is too large does not come in. */
void
vmifs_memo_keep(VmifsMemo *memo, const VmifsMemoKey *key, guint epoch, const char *text, gsize len,
		const GError *failure);
