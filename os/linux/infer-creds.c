/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * infer-creds: who a task acts for. The last two equal pointers before its name lead to struct
 * cred, where the rights of the kernel's own tasks are a pattern that stands there only once:
 *
 *   usage | uid gid suid sgid euid egid fsuid fsgid securebits | none all all all none | ...
 */
#include "infer.h"

#define CRED_WINDOW 256
#define N_CAPS 5
#define N_IDS 8
#define MAX_GROUPS 65536
#define SLAB_ALIGN 64 /* of objects that begin cache lines */

static gboolean
are_creds(const LinuxInfer *f, gsize off)
{
	guint same = 0, n = linux_sample_n(&f->tasks);

	for (guint i = 0; i < n; i++) {
		guint64 real = linux_sample_ptr(&f->tasks, i, off);
		guint64 cred = linux_sample_ptr(&f->tasks, i, off + f->ptr);

		if (!linux_infer_is_kernel(f, real) || !linux_infer_is_kernel(f, cred))
			return FALSE;
		same += real == cred;
	}
	return same * 100 >= n * 95;
}

/* All rights that there are: as many ones as capabilities, and nothing above. */
static gboolean
is_full(guint64 caps)
{
	return caps > G_MAXUINT32 && caps < G_MAXINT64 && !(caps & (caps + 1));
}

static gboolean
is_pattern(const LinuxSample *creds, guint i, gsize off)
{
	guint64 full = linux_sample_u64(creds, i, off + 8);

	return !linux_sample_u64(creds, i, off) && is_full(full) &&
	       linux_sample_u64(creds, i, off + 16) == full &&
	       linux_sample_u64(creds, i, off + 24) == full &&
	       !linux_sample_u64(creds, i, off + 32);
}

/* What is in force is permitted, and nothing is beyond all rights. */
static gboolean
are_caps(const LinuxSample *creds, gsize off, guint64 full)
{
	for (guint i = 0; i < linux_sample_n(creds); i++) {
		guint64 permitted = linux_sample_u64(creds, i, off + 8);

		for (guint k = 0; k < N_CAPS; k++) {
			if (linux_sample_u64(creds, i, off + k * 8) & ~full)
				return FALSE;
		}
		if (linux_sample_u64(creds, i, off + 16) & ~permitted)
			return FALSE;
	}
	return TRUE;
}

static void
put_ids(LinuxInfer *f, gsize off)
{
	static const char *const ids[N_IDS] = { "uid",  "gid",  "suid",  "sgid",
						"euid", "egid", "fsuid", "fsgid" };

	for (gsize i = 0; i < N_IDS; i++)
		linux_inferred_put(f->table, "cred", ids[i], off + 4 * i, 4);
}

/* The first pointer that may stand behind the rights. */
static gsize
behind_caps(const LinuxInfer *f, gsize caps)
{
	return (caps + N_CAPS * 8 + f->ptr - 1) / f->ptr * f->ptr;
}

/* uid of the user that cred points to, behind the rights: equal in all, and not 0 in all. */
static gboolean
is_user(const LinuxInfer *f, const LinuxSample *creds, gsize uid, gsize at, gsize in_user)
{
	for (guint i = 0; i < linux_sample_n(creds); i++) {
		guint64 user = linux_sample_ptr(creds, i, at);

		if (!linux_infer_is_kernel(f, user) ||
		    linux_infer_u32(f, user + in_user) != linux_sample_u32(creds, i, uid))
			return FALSE;
	}
	return TRUE;
}

/* Are there users whose own number agrees with what would be the uid? */
static gboolean
has_users(const LinuxInfer *f, const LinuxSample *creds, gsize uid, gsize caps)
{
	gboolean differ = FALSE;

	for (guint i = 0; i < linux_sample_n(creds); i++)
		differ |= linux_sample_u32(creds, i, uid) != 0;
	if (!differ)
		return TRUE;
	for (gsize at = behind_caps(f, caps); at + f->ptr <= CRED_WINDOW; at += f->ptr) {
		for (gsize in_user = 0; in_user < 256; in_user += 4) {
			if (is_user(f, creds, uid, at, in_user))
				return TRUE;
		}
	}
	return FALSE;
}

/* group_info: { usage, ngroups, gid[] }, sorted. That of the kernel is a variable: where nobody
 * tells which, somebody must have groups. */
static gboolean
are_groups(const LinuxInfer *f, const LinuxSample *creds, gsize off)
{
	gboolean proved = FALSE;
	guint64 known;

	if (linux_symbol(f->os, "init_groups", &known, NULL)) {
		proved = TRUE;
		if (linux_sample_ptr(creds, 0, off) != known)
			return FALSE;
	}
	for (guint i = 0; i < linux_sample_n(creds); i++) {
		guint64 info = linux_sample_ptr(creds, i, off);
		guint32 n, last = 0;

		if (!linux_infer_is_kernel(f, info) || !linux_infer_u32(f, info))
			return FALSE;
		n = linux_infer_u32(f, info + 4);
		if (n > MAX_GROUPS || (i == 0 && n))
			return FALSE;
		for (guint32 k = 0; k < n; k++) {
			guint32 gid = linux_infer_u32(f, info + 8 + 4 * (guint64) k);
			if (gid < last)
				return FALSE;
			last = gid;
		}
		proved |= n > 0;
	}
	return proved;
}

/* The next one of the slab may be in view, too. */
static void
find_groups(LinuxInfer *f, const LinuxSample *creds, gsize caps)
{
	LinuxOnly groups = { 0 };

	for (gsize at = behind_caps(f, caps); at + f->ptr <= CRED_WINDOW; at += f->ptr) {
		if (are_groups(f, creds, at) && (!groups.n || (at - groups.at) % SLAB_ALIGN))
			linux_only_add(&groups, at);
	}
	if (!linux_infer_put_only(f, &groups, "cred", "group_info", f->ptr))
		return;
	linux_inferred_put(f->table, "group_info", "ngroups", 4, 4);
	linux_inferred_put_array(f->table, "group_info", "gid", 8, 4, 0);
}

static void
find_members(LinuxInfer *f, const LinuxSample *creds)
{
	static const char *const names[N_CAPS] = { "cap_inheritable", "cap_permitted",
						   "cap_effective", "cap_bset", "cap_ambient" };
	LinuxOnly caps = { 0 };

	for (gsize off = 0; off + N_CAPS * 8 <= CRED_WINDOW; off += 4) {
		if (is_pattern(creds, 0, off))
			linux_only_add(&caps, off);
	}
	if (!linux_infer_only(f, &caps, "cred.cap_permitted"))
		return;
	/* A count of 4 bytes, 8 since 6.8; then 8 ids and securebits of 4 bytes each. */
	gsize uid = caps.at == 40 ? 4 : caps.at == 44 || caps.at == 48 ? 8 : 0;
	if (!uid || !are_caps(creds, caps.at, linux_sample_u64(creds, 0, caps.at + 8)) ||
	    !has_users(f, creds, uid, caps.at)) {
		linux_infer_lacks(f, "cred.uid", "credentials do not agree with one another");
		return;
	}
	put_ids(f, uid);
	for (gsize i = 0; i < N_CAPS; i++)
		linux_inferred_put(f->table, "cred", names[i], caps.at + 8 * i, 8);
	find_groups(f, creds, caps.at);
}

void
linux_infer_creds(LinuxInfer *f)
{
	LinuxSample creds;
	gsize off = f->comm;

	do
		off -= f->ptr;
	while (off > f->pid && !are_creds(f, off));
	if (off <= f->pid) {
		linux_infer_lacks(f, "task_struct.real_cred", "no place looks like it");
		return;
	}
	linux_inferred_put(f->table, "task_struct", "real_cred", off, f->ptr);
	linux_sample_init(&creds, f->ptr, CRED_WINDOW);
	for (guint i = 0; i < linux_sample_n(&f->tasks); i++)
		linux_sample_add(&creds, f->os->aspace, linux_sample_ptr(&f->tasks, i, off));
	g_string_append_printf(f->checked, ", %u credentials", linux_sample_n(&creds));
	if (linux_sample_n(&creds))
		find_members(f, &creds);
	linux_sample_clear(&creds);
}
