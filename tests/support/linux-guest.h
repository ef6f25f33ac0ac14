/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * linux-guest: a made-up Linux guest for a decoder's test: the structures it needs, described in a
 * line each, two megabytes of kernel memory to put them into, and symbols.
 *
 *   struct path 16 mnt@0:8 dentry@8:8          name, size; member@offset:bytes
 *   struct fdtable 16 max_fds@0:4 fd@8:8
 *   struct signal_struct 64 pids@0:8x4         an array of four
 *   struct fs_struct 48 root@0=path pwd@16=path  members that are structures, declared before
 *   enum PIDTYPE_PID=0 PIDTYPE_TGID=1
 *
 * Members are then written by field of layout.def, wherever the test has put them. Memory that was
 * never written reads as zeros; outside of the two megabytes nothing is mapped.
 */
#pragma once

#include <os/linux/linux.h>
#include <spi/arch.h>

/* First address of the memory; it lies at physical address 0. */
#define LINUX_GUEST_BASE G_GUINT64_CONSTANT(0xffff888000000000)
#define LINUX_GUEST_LEN (2 * 1024 * 1024)

typedef struct {
	Linux os; /* valid after linux_guest_start() */
	GByteArray *bytes;
	VmifsSymbolsBuilder *symbols;
	LinuxLayout *layout;
	GString *regs;         /* lines of a text guest */
	guint64 next;          /* where the next object goes */
	const VmifsMode *mode; /* of its page tables */
	gboolean is_live;      /* set before the start: it may change, as far as anybody knows */
} LinuxGuest;

/* What such lines describe. (full) */
LinuxLayout *
linux_guest_layout(const char *types);
/* types: lines as above. */
void
linux_guest_init(LinuxGuest *g, const char *types);
void
linux_guest_clear(LinuxGuest *g);
/* Its kernel is one of AArch64 instead. */
void
linux_guest_use_aarch64(LinuxGuest *g);

/* Of riscv64, Sv48. */
void
linux_guest_use_riscv64(LinuxGuest *g);

/* Address of len bytes of their own, aligned to 256. */
guint64
linux_guest_alloc(LinuxGuest *g, gsize len);
/* Of an object of that structure. */
guint64
linux_guest_new(LinuxGuest *g, LinuxStruct structure);
/* A text with its NUL. */
guint64
linux_guest_string(LinuxGuest *g, const char *text);
void
linux_guest_write(LinuxGuest *g, guint64 va, gconstpointer bytes, gsize len);
void
linux_guest_u64(LinuxGuest *g, guint64 va, guint64 value);
/* The field of the object, in its size; of an array the element. */
void
linux_guest_put(LinuxGuest *g, guint64 object, LinuxField field, guint64 value);
void
linux_guest_put_element(LinuxGuest *g, guint64 object, LinuxField field, guint64 index,
			guint64 value);
void
linux_guest_put_text(LinuxGuest *g, guint64 object, LinuxField field, const char *text);
/* Address of a field. */
guint64
linux_guest_at(LinuxGuest *g, guint64 object, LinuxField field);
void
linux_guest_symbol(LinuxGuest *g, const char *name, guint64 va);
/* A dentry of that name; parent 0: the top of its file system. */
guint64
linux_guest_dentry(LinuxGuest *g, guint64 parent, const char *name);
/* Ties the list_heads at those addresses, the head first, into a ring. */
void
linux_guest_ring(LinuxGuest *g, const guint64 *nodes, gsize n);

/* A register of its first vCPU. */
void
linux_guest_reg(LinuxGuest *g, const char *name, guint64 value);

/* Nothing may be written afterwards. */
Linux *
linux_guest_start(LinuxGuest *g);
/* What was logged since the start. (full) */
char *
linux_guest_log(LinuxGuest *g);

G_DEFINE_AUTO_CLEANUP_CLEAR_FUNC(LinuxGuest, linux_guest_clear)
