/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * machine: what of Linux differs from one architecture to another, where page tables are not all:
 * a const for each, chosen by how the kernel's tables are walked. What one of them does not have is
 * NULL, and whoever asks says so.
 *
 * How to add one: a file with a const LinuxMachine at its bottom, its name in machine.c; its word
 * in found.h, and how its images are told from others in find.c and images.c.
 */
#pragma once

#include "mentions.h"
#include "unwind.h"

G_BEGIN_DECLS

struct LinuxMachine {
	const char *arch; /* as its page tables are called */

	/* ---- page tables of processes ---- */

	/* Pages that are in RAM though their entry says "not present"; user is the VmifsPhysmem. */
	VmifsResolve resolve;
	/* (nullable) (full) A process's address space, where that takes more. */
	VmifsAspace *(*task_aspace)(const Linux *os, guint64 root);
	/* Bits of a page's entry. */
	guint64 entry_accessed, entry_special;
	gboolean (*is_dirty)(guint64 entry);
	/* Where an entry that is not present says that its page was swapped out to. FALSE: it says
	 * nothing of that. */
	gboolean (*swapped)(guint64 entry, guint64 *ret_type, guint64 *ret_offset);
	/* See VmifsOs.task_roots; root: physical address of the process's PGD. NULL: that alone. */
	guint (*roots)(const Linux *os, guint64 root, guint64 *ret);
	/* Where the array of struct pages would begin for the page at physical address 0. */
	gboolean (*page_array)(const Linux *os, guint64 *ret, GError **error);

	/* Of 32-bit kernels: bytes of their own in front of where all of memory is mapped. */
	guint64 room_below;

	/* ---- stacks ---- */

	gboolean (*unwind_task)(LinuxCode *code, guint64 task, GArray *ret, GError **error);
	gboolean (*unwind_regs)(LinuxCode *code, const VmifsRegs *regs, GArray *ret,
				GError **error);
	/* Numbers of the system call that the program made, and its arguments, from the registers
	 * with which it came: "0 0x1 ...", six of them. -1 alone: it made none. */
	void (*append_call)(LinuxCursor *c, guint64 task, guint64 regs, GString *out);
	/* Of a vCPU's registers: where it is, and, FALSE, whether that is the kernel. */
	gboolean (*in_program)(const VmifsRegs *regs, guint64 *ret_ip);
	/* The task it runs, if its registers tell. */
	gboolean (*current)(const Linux *os, guint32 cpu, guint64 *ret, GError **error);

	const char *argument; /* (nullable) the register with a function's first one */

	/* ---- code ---- */

	LinuxMentions mentions; /* (nullable) */
	/* Where no table names variables, they are told by those: see followed.h. */
	gboolean has_followed;

	/* ---- texts ---- */

	guint64 untag_mask; /* what is left of a user's address without its tag */
	/* (nullable) See linux_gate_vma(), where that is not x86-64's. */
	gboolean (*gate_vma)(const Linux *os, VmifsVma *ret);
	guint node_bits; /* of a set of memory nodes; 0 = as many as its type has */
	int port_width;  /* digits of an address in ioports */
	const char *(*store_bypass)(const Linux *os, guint64 flags, GError **error);
	const char *(*indirect_branch)(const Linux *os, guint64 flags, GError **error);
	/* kB that the kernel sets aside to map what it likes. FALSE: nobody tells. */
	gboolean (*vmalloc_total)(const Linux *os, guint64 *ret);
	LINUX_VIEW((*cpuinfo));
};

extern const LinuxMachine linux_machine_x86_64;
extern const LinuxMachine linux_machine_aarch64;
extern const LinuxMachine linux_machine_arm;
extern const LinuxMachine linux_machine_i386;
extern const LinuxMachine linux_machine_riscv64;

/* That of the attached kernel; of another architecture than these, one that has nothing. */
const LinuxMachine *
linux_machine(const Linux *os);
/* FALSE with UNSUPPORTED: "WHAT of arm kernels are not known". */
gboolean
linux_machine_lacks(const Linux *os, const char *what, GError **error);

/* ---- of several: see the members ---- */

gboolean
linux_page_array(const Linux *os, guint64 *ret, GError **error);
gboolean
linux_current_of_queue(const Linux *os, guint32 cpu, guint64 *ret, GError **error);

/* ---- of x86-64, and of i386 where that is the same ---- */

gboolean
linux_pte_resolve(gpointer user, const VmifsRange *not_present, VmifsRange *ret);
gboolean
linux_unwind_task_x86(LinuxCode *code, guint64 task, GArray *ret, GError **error);
gboolean
linux_unwind_regs_x86(LinuxCode *code, const VmifsRegs *regs, GArray *ret, GError **error);
LINUX_VIEW(linux_render_cpuinfo_x86);
/* See LinuxMachine.current. */
gboolean
linux_current_task_x86(const Linux *os, guint32 cpu, guint64 *ret, GError **error);

G_END_DECLS
