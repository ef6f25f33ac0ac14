/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * texts: what this kernel prints, asked of its own read-only data. A line of status or meminfo
 * whose value always exists was still not always printed; its text stands in the kernel that does.
 */
#pragma once

#include <glib.h>

G_BEGIN_DECLS

typedef enum {
	LINUX_TEXT_KTHREAD,
	LINUX_TEXT_CORE_DUMPING,
	LINUX_TEXT_THP_ENABLED,
	LINUX_TEXT_UNTAG_MASK,
	LINUX_TEXT_STORE_BYPASS,
	LINUX_TEXT_INDIRECT_BRANCH,
	LINUX_TEXT_NFS_UNSTABLE,
	LINUX_TEXT_BOUNCE,
	LINUX_TEXT_WRITEBACK_TMP,
	LINUX_TEXT_CMA,
	LINUX_TEXT_MANDLOCK,
	LINUX_TEXT_ESCAPE_HASH,
	LINUX_TEXT_FDINFO_INO,
	LINUX_TEXT_FDINFO_LONG_INO,
	LINUX_TEXT_PSS_DIRTY,
	LINUX_TEXT_KSM,
	LINUX_TEXT_THP_WIDE,
	LINUX_TEXT_EVENTFD_SEMAPHORE,
	LINUX_TEXT_PACKET_NARROW,
	LINUX_N_TEXTS,
} LinuxText;

typedef struct {
	guint32 bits;       /* 1 << LinuxText of those that were found */
	guint flag_width;   /* of a name in the table; 0 = no table */
	guint64 flag_names; /* address of the table */
	/* Address of the format of /proc/version, where no symbol has it; 0 = unknown. */
	guint64 proc_banner;
} LinuxTexts;

G_END_DECLS
