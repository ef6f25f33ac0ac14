/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * prove: each proof is one small function over what is claimed; their weights add up so that a
 * kernel with complete symbols is certain without VMCOREINFO, and none of the content proofs can
 * be missing from a certain one.
 */
#include "prove.h"

#include "found.h"
#include "searched.h"

#include <spi/bytes.h>

#include <string.h>

#define BANNER "Linux version "
#define MAX_BANNER 1024
#define MAX_TASK 16384 /* sizeof(struct task_struct), at most */
#define MAX_COMM 16
/* Steps around the ring of tasks after which it counts as whole. */
#define MAX_RING 1024

static const struct {
	LinuxProof proof;
	int weight;
} weights[] = {
	{ LINUX_PROOF_PROBES, 20 }, { LINUX_PROOF_BANNER, 25 },    { LINUX_PROOF_RODATA, 10 },
	{ LINUX_PROOF_TABLES, 15 }, { LINUX_PROOF_INIT_TASK, 15 }, { LINUX_PROOF_TASKS, 20 },
	{ LINUX_PROOF_NOTE, 15 },   { LINUX_PROOF_CALLS, 5 },      { LINUX_PROOF_MEMORY, 5 },
	{ LINUX_PROOF_VECTORS, 5 },
};

void
linux_verdict_clear(LinuxVerdict *verdict)
{
	g_clear_pointer(&verdict->banner, g_free);
}

gboolean
linux_claim_symbol(const LinuxClaim *claim, const char *name, guint64 *ret_va)
{
	g_autofree char *key = NULL;

	if (claim->symbols && vmifs_symbols_lookup(claim->symbols, name, ret_va))
		return TRUE;
	if (claim->exports && vmifs_symbols_lookup(claim->exports, name, ret_va))
		return TRUE;
	if (!claim->note)
		return FALSE;
	key = g_strdup_printf("SYMBOL(%s)", name);
	return linux_vmcoreinfo_hex(claim->note, key, ret_va);
}

char *
linux_banner_at(const guint8 *bytes, gsize len)
{
	const gsize prefix = strlen(BANNER);
	const guint8 *end;

	if (len < prefix || memcmp(bytes, BANNER, prefix) != 0)
		return NULL;
	/* Fragments of a compressed image, and what printk kept, do not end like this. */
	end = memchr(bytes, '\0', MIN(len, MAX_BANNER));
	if (!end || end[-1] != '\n')
		return NULL;
	return g_strndup((const char *) bytes, end - 1 - bytes);
}

/* ---- the image ---- */

/* Symbols of text must be mapped to where the image says they are. FALSE = one is not. */
static gboolean
prove_probes(VmifsAspace *aspace, const LinuxClaim *claim, LinuxVerdict *verdict)
{
	static const char *const names[] = { "_stext", "schedule", "vfs_read", "do_exit",
					     "_etext" };

	for (guint i = 0; i < G_N_ELEMENTS(names); i++) {
		VmifsRange range;
		guint64 va;

		if (!linux_claim_symbol(claim, names[i], &va))
			continue;
		/* The page behind the text may be unmapped. */
		if (g_str_equal(names[i], "_etext"))
			va--;
		if (!vmifs_aspace_translate(aspace, va, &range, NULL) ||
		    range.pa != va - claim->delta)
			return FALSE;
		verdict->n_probes++;
	}
	if (verdict->n_probes)
		verdict->proofs |= LINUX_PROOF_PROBES;
	return TRUE;
}

static void
prove_banner(VmifsAspace *aspace, const LinuxClaim *claim, LinuxVerdict *verdict)
{
	guint8 bytes[MAX_BANNER];
	guint64 va;
	gsize len;

	if (!linux_claim_symbol(claim, "linux_banner", &va)) {
		if (!claim->has_banner)
			return;
		va = claim->banner_pa + claim->delta;
	}
	len = vmifs_aspace_read_some(aspace, va, bytes, sizeof bytes, NULL);
	verdict->banner = linux_banner_at(bytes, len);
	if (verdict->banner)
		verdict->proofs |= LINUX_PROOF_BANNER;
}

static void
prove_tables(VmifsAspace *aspace, const LinuxClaim *claim, LinuxVerdict *verdict)
{
	guint8 there[512];
	guint8 here[512];
	guint64 va, start, end;

	if (!claim->tables)
		return;
	va = claim->tables->token_index_pa + claim->delta;
	if (linux_claim_symbol(claim, "__start_rodata", &start) &&
	    linux_claim_symbol(claim, "__end_rodata", &end) && va - start < end - start)
		verdict->proofs |= LINUX_PROOF_RODATA;
	if (vmifs_aspace_read(aspace, va, there, sizeof there, NULL) &&
	    vmifs_physmem_read(vmifs_aspace_physmem(aspace), claim->tables->token_index_pa, here,
			       sizeof here, NULL, NULL) &&
	    memcmp(there, here, sizeof here) == 0)
		verdict->proofs |= LINUX_PROOF_TABLES;
}

/* The release in init_uts_ns is as good as a banner, which text symbols alone do not tell. */
static void
prove_note(VmifsAspace *aspace, const LinuxClaim *claim, LinuxVerdict *verdict)
{
	guint8 uts[1024];
	const char *release;
	guint64 va;
	gsize len;

	if (!claim->note)
		return;
	release = linux_vmcoreinfo_text(claim->note, "OSRELEASE");
	if (!*release || !linux_claim_symbol(claim, "init_uts_ns", &va))
		return;
	len = vmifs_aspace_read_some(aspace, va, uts, sizeof uts, NULL);
	if (memmem(uts, len, release, strlen(release) + 1))
		verdict->proofs |= LINUX_PROOF_BANNER | LINUX_PROOF_NOTE;
}

/* Of a root that was come upon: FALSE = contents and shape do not bear it out. */
static gboolean
prove_searched(VmifsAspace *aspace, const LinuxClaim *claim, LinuxVerdict *verdict)
{
	const char *arch = vmifs_aspace_arch(aspace);
	guint64 text;

	if (claim->is_searched && g_str_equal(arch, LINUX_ARCH_ARM)) {
		if (!linux_searched_has_vectors(aspace, claim->symbols)) {
			verdict->fault = "the vectors that its page table maps are not its own";
			return FALSE;
		}
		verdict->proofs |= LINUX_PROOF_VECTORS;
		return TRUE;
	}
	if (!claim->is_searched || !linux_searched_is_doubtful(arch))
		return TRUE;
	if (!linux_searched_has_text(aspace, claim->symbols)) {
		verdict->fault = "the text that its page table maps is not its own";
		return FALSE;
	}
	if (!linux_claim_symbol(claim, "_stext", &text) ||
	    !linux_searched_has_memory(aspace, text - claim->delta, claim->delta)) {
		verdict->fault = "the page table that maps its text does not map most of memory";
		return FALSE;
	}
	verdict->proofs |= LINUX_PROOF_CALLS | LINUX_PROOF_MEMORY;
	return TRUE;
}

/* ---- the tasks ---- */

typedef struct {
	VmifsAspace *aspace;
	guint64 va; /* init_task */
	guint8 bytes[MAX_TASK];
	gsize len;
	guint ptr; /* bytes of a pointer */
	gsize comm;
} Task;

static guint64
task_ptr(const Task *task, gsize at)
{
	return task->ptr == 8 ? vmifs_load_u64(task->bytes + at) : vmifs_load_u32(task->bytes + at);
}

/* A task chooses any bytes for its name; the kernel ends them. */
static gboolean
is_comm(VmifsAspace *aspace, guint64 va)
{
	char comm[MAX_COMM];

	return vmifs_aspace_read(aspace, va, comm, sizeof comm, NULL) &&
	       memchr(comm, '\0', sizeof comm);
}

/* Follows the ring through the list head at that offset; every element must point back and carry
 * a name where the first one does. */
static gboolean
is_ring(const Task *task, gsize offset)
{
	guint64 head = task->va + offset;
	guint64 at = head;

	for (guint step = 0; step < MAX_RING; step++) {
		guint64 next, back;

		if (!vmifs_aspace_read_ptr(task->aspace, at, &next, NULL) ||
		    !vmifs_aspace_read_ptr(task->aspace, next + task->ptr, &back, NULL) ||
		    back != at)
			return FALSE;
		if (next == head)
			return step > 0;
		if (!is_comm(task->aspace, next - offset + task->comm))
			return FALSE;
		at = next;
	}
	return TRUE;
}

static gboolean
has_ring(const Task *task)
{
	for (gsize at = 0; at + 2 * task->ptr <= task->comm; at += task->ptr) {
		guint64 next = task_ptr(task, at);
		guint64 back;

		/* Most words are rejected by what is at hand; the rest by one read. */
		if (!next || next % task->ptr || next == task->va + at ||
		    !task_ptr(task, at + task->ptr) ||
		    !vmifs_aspace_read_ptr(task->aspace, next + task->ptr, &back, NULL) ||
		    back != task->va + at)
			continue;
		if (is_ring(task, at))
			return TRUE;
	}
	return FALSE;
}

static void
prove_tasks(VmifsAspace *aspace, const LinuxClaim *claim, LinuxVerdict *verdict)
{
	g_autofree Task *task = g_new0(Task, 1);
	const guint8 *comm;
	guint self = 0;

	if (!linux_claim_symbol(claim, "init_task", &task->va))
		return;
	task->aspace = aspace;
	task->ptr = vmifs_aspace_ptr_size(aspace);
	task->len = vmifs_aspace_read_some(aspace, task->va, task->bytes, MAX_TASK, NULL);
	comm = memmem(task->bytes, task->len, "swapper", 7);
	if (!comm)
		return;
	task->comm = comm - task->bytes;
	for (gsize at = 0; at + task->ptr <= task->comm; at += task->ptr)
		self += task_ptr(task, at) == task->va;
	/* real_parent, parent, group_leader */
	if (self < 2)
		return;
	verdict->proofs |= LINUX_PROOF_INIT_TASK;
	if (has_ring(task))
		verdict->proofs |= LINUX_PROOF_TASKS;
}

void
linux_prove(VmifsAspace *aspace, const LinuxClaim *claim, LinuxVerdict *ret)
{
	*ret = (LinuxVerdict){ 0 };
	if (!prove_probes(aspace, claim, ret)) {
		ret->fault = "its page table maps its text elsewhere or not at all";
		return;
	}
	prove_banner(aspace, claim, ret);
	prove_note(aspace, claim, ret);
	if (!(ret->proofs & LINUX_PROOF_BANNER)) {
		ret->fault = "no banner is read through its page table";
		return;
	}
	if (!prove_searched(aspace, claim, ret))
		return;
	prove_tables(aspace, claim, ret);
	prove_tasks(aspace, claim, ret);
	for (guint i = 0; i < G_N_ELEMENTS(weights); i++)
		if (ret->proofs & weights[i].proof)
			ret->score += weights[i].weight;
}

/* ---- which of two runs ---- */

/* In struct timekeeper, whatever stands before them: seconds since the epoch, then seconds since
 * boot. */
guint64
linux_claim_clock(const LinuxClaim *claim, VmifsAspace *aspace)
{
	static const char *const names[] = { "tk_core", "timekeeper_data" };
	guint8 bytes[512];

	for (guint i = 0; i < G_N_ELEMENTS(names); i++) {
		guint64 va;
		gsize len;

		if (!linux_claim_symbol(claim, names[i], &va))
			continue;
		len = vmifs_aspace_read_some(aspace, va, bytes, sizeof bytes, NULL);
		for (gsize at = 0; at + 16 <= len; at += 8) {
			guint64 now = vmifs_load_u64(bytes + at);
			guint64 up = vmifs_load_u64(bytes + at + 8);
			if (now > G_GUINT64_CONSTANT(1000000000) && now <= G_MAXUINT32 * 2ull &&
			    up && up < now && up < G_MAXINT32)
				return now;
		}
	}
	return 0;
}
