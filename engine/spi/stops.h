/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * stops: how a source makes a running guest stop for a moment where something is to be seen. The
 * engine arms points; the backend tells of each stop with the registers as they were then, and lets
 * the guest run on by itself: nobody is waited for. What a line of `watch` means is known to the
 * engine alone.
 */
#pragma once

#include <vmifs/regs.h>

G_BEGIN_DECLS

typedef enum {
	VMIFS_STOP_EXEC,   /* before the instruction at the address */
	VMIFS_STOP_READ,   /* memory is read; not when it is written */
	VMIFS_STOP_WRITE,  /* after it was written */
	VMIFS_STOP_ACCESS, /* either */
	VMIFS_STOP_STEP,   /* after each instruction of one vCPU */
} VmifsStopKind;

typedef struct {
	VmifsStopKind kind;
	guint64 address; /* virtual, in whatever address space is current; not of STEP */
	guint32 len;     /* of memory: bytes, >= 1; else 0. address + len does not wrap */
	guint vcpu;      /* of STEP: one that layout() counts */
	gboolean patch;  /* of EXEC: it may be written into the guest's memory */
} VmifsStopPoint;

/* What a source can do; strings are static. */
typedef struct {
	gboolean exec;       /* EXEC, without writing to the guest */
	gboolean patch;      /* EXEC by writing to the guest */
	gboolean data;       /* WRITE and ACCESS */
	gboolean reads;      /* READ as well */
	gboolean step;       /* STEP */
	guint slots;         /* points at a time, of EXEC and memory together; 0 = no limit known */
	guint max_len;       /* bytes of a point in memory; 0 = no limit known */
	gboolean apart;      /* no two of them that are not equal share a byte */
	gboolean aligned;    /* such a point has 1, 2, 4 .. bytes and an address that they divide */
	guint max_rate;      /* stops a second that who else follows the guest can bear; 0 = any */
	const char *accel;   /* "tcg", "kvm": what it depends on; NULL = not known */
	const char *why_not; /* nothing can be armed now, and why: "another debugger is attached" */
} VmifsStopCaps;

/* One stop. Everything is the backend's, until the call that tells of it returns. */
typedef struct {
	guint64 id; /* that the point was armed with */
	guint vcpu;
	guint64 address; /* of memory: what was accessed, else the point's own */
	gint64 time_ns;  /* of the host's clock, since the epoch */
	const VmifsRegs *regs;
	/* So often has the guest stood since the last one that was told, this time included: to get
	 * past an instruction it stands once more. Not counted is to arm and disarm, which takes
	 * once for each call. 0: it is the same time still. */
	guint n_stops;
} VmifsStop;

/* In place of the id: at no point of those that are armed, but the guest stood. */
#define VMIFS_STOP_NOWHERE G_MAXUINT64
/* The same, in a stop of which all else is 0: the guest stands, and what for is being asked and
 * told next. What is read meanwhile costs no time; the verdict counts for nothing. Nobody has to
 * say so.
 */
#define VMIFS_STOP_COMES (G_MAXUINT64 - 1)

typedef enum {
	VMIFS_STOP_DISARM,     /* that point is to be disarmed */
	VMIFS_STOP_KEEP,       /* it stays */
	VMIFS_STOP_DISARM_ALL, /* no point is to be left when the guest runs on */
} VmifsStopVerdict;

/* Both from a thread of the backend, under none of its locks, one call at a time; they may read the
 * guest's memory, but call no other op. They return at once. */

/* The guest stands still. */
typedef VmifsStopVerdict (*VmifsStopped)(gpointer engine, const VmifsStop *stop);
/* That point is armed no more, by nobody's wish: the guest has another debugger, or its stub is
 * lost. No disarm() follows. */
typedef void (*VmifsUnarmed)(gpointer engine, guint64 id, const char *why);

G_END_DECLS
