/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * os: what the bytes mean. A driver registers byte patterns; the engine passes over memory once
 * for all of them and hands the hits, in address order, to the driver, which proves or drops them
 * and adds candidates. The best candidate is attached: an instance that answers for that boot.
 *
 * How to add one: a folder os/X with a const VmifsOs named vmifs_os_X and a meson.build that adds X
 * to `oses` and its files to `core_sources`; the folder's name in os/meson.build; tests. Required:
 * name, hit, attach, detach. tests/toyos/toy.c is a whole one of 200 lines.
 */
#pragma once

#include <vmifs/aspace.h>
#include <vmifs/error.h>
#include <vmifs/guest.h>
#include <vmifs/host.h>
#include <vmifs/physmem.h>
#include <vmifs/process.h>
#include <vmifs/ptmap.h>
#include <vmifs/regs.h>
#include <vmifs/symbols.h>
#include <vmifs/text.h>
#include <vmifs/types.h>
#include <vmifs/view.h>

G_BEGIN_DECLS

typedef struct VmifsOs VmifsOs;
typedef struct VmifsProbe VmifsProbe;

/* ---- discovery ---- */

typedef struct {
	const char *name; /* for info and debugging: "vmcoreinfo", "kallsyms tokens" */
	const guint8 *bytes;
	guint8 len;    /* 4..32 */
	guint32 align; /* a hit's address is a multiple of this; 1, 2, 4 .. 4096 */
	/* Looked for first, alone, in a pass over page heads only. When a candidate found that way
	 * is certain, the full pass is not made. Needs align 4096. */
	gboolean fast;
	/* Optional. FALSE: nothing that hit() would want is there. Of what is left only so many are
	 * kept in each piece of memory: an owner of some memory must not be able to fill that with
	 * hits that are cheap to make. Called during the pass, from any of its threads, in any
	 * order: it may read and try roots, and leave notes. */
	gboolean (*keep)(VmifsProbe *probe, guint64 pa);
} VmifsPattern;

/* Physical memory, the call and options of this discovery. */
VmifsPhysmem * /* (borrowed) */
vmifs_probe_physmem(VmifsProbe *probe);
const VmifsCall *
vmifs_probe_call(VmifsProbe *probe);
const VmifsOptions *
vmifs_probe_options(VmifsProbe *probe);

/* What the guest's kernel left for who reads its dumps, as the source has it beside memory: the
 * note of that owner ("VMCOREINFO"), from its header on. (full) NULL when there is none. */
GBytes *
vmifs_probe_told(VmifsProbe *probe, const char *owner);
/* vCPUs of which the source tells registers, and those of one. (full) NULL when it fails. */
guint
vmifs_probe_n_vcpus(VmifsProbe *probe);
VmifsRegs *
vmifs_probe_regs(VmifsProbe *probe, guint vcpu);
/* Where one of them finds an address now, if the source tells: FALSE says nothing. */
gboolean
vmifs_probe_vcpu_translate(VmifsProbe *probe, guint vcpu, guint64 va, guint64 *ret_pa);

/* Called from begin(): that part of memory is worth a pass for all patterns that are not fast,
 * before any other; conclude() follows. At most VMIFS_PROBE_MAX_PART bytes; the last call counts.
 */
#define VMIFS_PROBE_MAX_PART (G_GUINT64_CONSTANT(256) << 20)
void
vmifs_probe_look_at(VmifsProbe *probe, guint64 pa, guint64 len);

/* Does nothing say where memory begins? Then it is put at 0, and conclude() may suggest where else;
 * of those suggestions, some are tried: everything is looked at again, with a probe anew. */
gboolean
vmifs_probe_is_base_assumed(VmifsProbe *probe);
void
vmifs_probe_suggest_base(VmifsProbe *probe, guint64 base);

/* Paging modes of that architecture: numbers from *ret_first on, before *ret_end. None, if it is
 * not the one that the user named. */
void
vmifs_probe_modes_of(VmifsProbe *probe, const char *arch, gsize *ret_first, gsize *ret_end);
const char *
vmifs_probe_mode_name(VmifsProbe *probe, gsize mode);
/* The address space that a root would give in that mode. ignore_mask: entry bits that are no
 * address (memory encryption). NULL when root cannot be a root there (alignment, not RAM). (full)
 */
VmifsAspace *
vmifs_probe_try_root(VmifsProbe *probe, gsize mode, guint64 root, guint64 ignore_mask);

/* Scores are sums of proofs; from this on a candidate is certain. */
#define VMIFS_SCORE_CERTAIN 100

/* kernel: (taken) address space. score: how much was proved, 0..; below 1 it is only listed as a
 * loser. evidence: (taken) one line for `info`: what it rests on. data: (taken) (nullable) for
 * attach(), freed with free_data. */
void
vmifs_probe_add(VmifsProbe *probe, VmifsAspace *kernel, int score, char *evidence, gpointer data,
		GDestroyNotify free_data);
/* A line for `info`: what was seen and came to nothing, and why. Bounded. From any thread. */
void
vmifs_probe_note(VmifsProbe *probe, const char *format, ...) G_GNUC_PRINTF(2, 3);
/* A place for the driver to keep what hits taught it until conclude(). (borrowed) */
gpointer
vmifs_probe_data(VmifsProbe *probe);
void
vmifs_probe_set_data(VmifsProbe *probe, gpointer data, GDestroyNotify free_data);

/* ---- what the user gave ---- */

typedef enum {
	VMIFS_GIVEN_PROFILE, /* profile=: ISF JSON */
	VMIFS_GIVEN_VMLINUX, /* vmlinux=: the kernel's ELF file */
	VMIFS_N_GIVEN,
} VmifsGivenKind;

/* What such a file tells of a kernel, which may be another one than the guest's. Immutable. */
typedef struct {
	const char *name;  /* "profile=/some/file": for messages */
	VmifsTypes *types; /* (nullable) */
	const char
		*types_kind; /* (static) what they were told in: "DWARF"; NULL: as its name says */
	VmifsSymbols *symbols; /* (nullable) where they were linked to */
	char *banner;          /* (nullable) "Linux version ...", without its newline */
	char *build_id;        /* (nullable) lower-case hex */
} VmifsGiven;

/* What an OS can use of the types in such a file, which may be a small part of them. */
typedef struct {
	const char *const *structs; /* or unions, typedefs: names, alternatives divided by | */
	gsize n_structs;
	const char *const *values; /* enumerators */
	gsize n_values;
} VmifsWanted;

/* Read when it is first asked for: seconds. wanted: (borrowed) of the first who asks. NULL without
 * error: the user gave none. (borrowed) as long as the guest lives. */
const VmifsGiven *
vmifs_given(const VmifsOptions *options, VmifsGivenKind kind, const VmifsWanted *wanted,
	    const VmifsCall *call, GError **error);

/* ---- attached ---- */

/* What an instance works on; owned by the engine, outlives the instance. */
typedef struct {
	VmifsGuest *guest;   /* (borrowed) for vmifs_guest_log() */
	VmifsPhysmem *mem;   /* (borrowed) */
	VmifsAspace *aspace; /* (borrowed) the kernel's */
	const VmifsOptions *options;
	gpointer data; /* (borrowed) what the candidate was added with */
} VmifsKernel;

/* Another root of the same geometry as the kernel's: a process's. resolve, if not NULL, is asked
 * for not-present entries, each as a whole whatever part of it is read: *ret comes as a copy of
 * *not_present, gets pa, perms and kind PAGE, and TRUE is returned, when the page is in RAM all the
 * same. The answer is kept for an epoch. user: (borrowed), must outlive the address space. (full)
 */
typedef gboolean (*VmifsResolve)(gpointer user, const VmifsRange *not_present, VmifsRange *ret);
VmifsAspace *
vmifs_aspace_new_like(VmifsAspace *kernel, guint64 root, VmifsResolve resolve, gpointer user);

/* The same where the OS keeps beside a table what its entries have no room for: called with a copy
 * of each table, or piece of one, that lies at pa, to write not-present entries into it that
 * resolve understands. slot: as of VmifsWalk, 0 = the root. */
typedef void (*VmifsAmend)(VmifsPhysmem *mem, guint slot, guint64 pa, guint8 *table, gsize len);
VmifsAspace *
vmifs_aspace_new_amended(VmifsAspace *kernel, guint64 root, VmifsAmend amend, VmifsResolve resolve,
			 gpointer user);

#define VMIFS_TASK_ROOTS 2

/* What a kernel can be seen doing where it does it. */
typedef enum {
	VMIFS_OS_TASKS,   /* processes start, exec, exit */
	VMIFS_OS_MODULES, /* are loaded and unloaded */
} VmifsOsEvents;

typedef struct {
	const char *what;   /* "start", "exec", "exit"; "load", "unload": static */
	VmifsTask task;     /* TASKS: whom it is about */
	char *path;         /* (full) (nullable) exec: of its program */
	GString *arguments; /* (full) (nullable) exec: each ended by a NUL */
	char name[64];      /* MODULES: raw bytes, NUL-terminated */
} VmifsOsEvent;

/* To whoever has walked a list since then that did not hang together: TRUE = walk it again, for the
 * guest runs and may have changed it, and nothing is cached of that moment any more. FALSE = what
 * was found is partial, and `log` is to say so: the guest is an image, or 50 ms were in vain, or
 * the caller waits no longer. why: (nullable) with what other codes than CORRUPT and HOLE say,
 * another walk fails, too. */
gboolean
vmifs_guest_may_retry(VmifsGuest *guest, gint64 since, const GError *why, const VmifsCall *call);

/* A part that was loaded into the kernel while that ran. */
typedef struct {
	guint64 base;  /* where its text is */
	char name[64]; /* raw bytes, NUL-terminated */
} VmifsModule;

struct VmifsOs {
	const char *name;
	const VmifsPattern *patterns;
	gsize n_patterns;
	void (*hit)(VmifsProbe *probe, const VmifsPattern *pattern, guint64 pa);
	gpointer (*attach)(const VmifsKernel *kernel, const VmifsCall *call, GError **error);
	void (*detach)(gpointer self);

	/* Optional. Called from any thread. */

	/* Before any pass: what the source tells beside memory. When a candidate is certain after
	 * that, no pass is made. */
	void (*begin)(VmifsProbe *probe);
	/* After the last hit of each pass (fast = of the first): what needs all of them. */
	void (*conclude)(VmifsProbe *probe, gboolean fast);
	/* More `key: value` lines for info: OS, release, slides, how each was found. */
	void (*info)(gpointer self, GString *out);
	/* All (full). */
	VmifsSymbols *(*symbols)(gpointer self, const VmifsCall *call, GError **error);
	VmifsTaskList *(*tasks)(gpointer self, const VmifsCall *call, GError **error);
	/* Appends VmifsModule, of those that are loaded whole. FALSE with error when the list was
	 * changing all the time: half of it is none. */
	gboolean (*modules)(gpointer self, GArray *ret, const VmifsCall *call, GError **error);
	VmifsAspace *(*task_aspace)(gpointer self, const VmifsTask *task, GError **error);
	/* Appends VmifsVma in address order. */
	gboolean (*vmas)(gpointer self, const VmifsTask *task, GArray *ret, const VmifsCall *call,
			 GError **error);
	/* Of a running guest, about once a second: does that boot still run, as far as can be told?
	 * Cheap. What cannot be read for the moment is no reason to say no. ret_sure comes TRUE;
	 * FALSE = it lies there as it should, but nothing in it moves and nobody could be asked: it
	 * may be what an earlier boot has left. One thread at a time. */
	gboolean (*alive)(gpointer self, gboolean *ret_sure, const VmifsCall *call);
	/* (nullable) How much of it is understood, from 0 on; G_MAXUINT: all, or all that ever will
	 * be. With less, it is attached once more after a while, as there is more in it then. */
	guint (*known)(gpointer self);
	/* How many processors it says it has; 0 = it does not. Asked once, when it is attached. */
	guint (*n_vcpus)(gpointer self, const VmifsCall *call);
	/* (nullable) The lowest address that is its own in every address space, where that is not
	 * the architecture's to say. */
	guint64 (*kernel_start)(gpointer self);
	/* For events. The task that the vCPU runs whose registers these are, as the source numbers
	 * it: from memory alone, in some dozens of microseconds. FALSE: that cannot be told. */
	gboolean (*current)(gpointer self, guint vcpu, const VmifsRegs *regs, VmifsTask *ret,
			    GError **error);
	/* Roots of the task's address space, as page-table registers have them; returns how many,
	 * VMIFS_TASK_ROOTS at most; 0 with error. Without it, that of task_aspace() is the one. */
	guint (*task_roots)(gpointer self, const VmifsTask *task, guint64 *ret, GError **error);
	/* Appends addresses (guint64) whose execution means that such a thing happens: few, a
	 * machine has four places. FALSE with error when there is one that is not known. */
	gboolean (*event_points)(gpointer self, VmifsOsEvents which, GArray *ret, GError **error);
	/* What happens when a vCPU with those registers stands at such an address; as quick as
	 * current(). ret comes all zero, its members are freed by the engine. FALSE: nothing. */
	gboolean (*event_at)(gpointer self, VmifsOsEvents which, guint64 address, guint vcpu,
			     const VmifsRegs *regs, VmifsOsEvent *ret, const VmifsCall *call);
	const VmifsView *views;
	gsize n_views;
};

extern const VmifsOs *const vmifs_oses[];
extern const gsize vmifs_n_oses;

G_END_DECLS
