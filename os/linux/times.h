/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* times: the guest's clocks, as they stood at its last tick; nanoseconds. */
#pragma once

#include "linux.h"

G_BEGIN_DECLS

typedef struct {
	guint64 since_boot; /* with the time it was suspended */
	guint64 boot;       /* when it was booted, since the epoch */
	guint64 monotonic;  /* since it was booted, without the time it was suspended */
} LinuxClock;

gboolean
linux_clock(const Linux *os, LinuxClock *ret, GError **error);
/* Time that a processor has been idle, and idle while something waited for a device. */
gboolean
linux_idle_time(const Linux *os, guint32 cpu, guint64 *ret_idle, guint64 *ret_iowait,
		GError **error);
/* Time by kind: LINUX_VALUE_CPUTIME_... */
gboolean
linux_cpu_time(const Linux *os, guint32 cpu, LinuxValue kind, guint64 *ret, GError **error);

/* The tick that timers count in. */
typedef struct {
	guint64 now;
	guint64 length; /* nanoseconds */
} LinuxJiffies;

gboolean
linux_jiffies(const Linux *os, LinuxJiffies *ret, GError **error);
/* In the hundredths of a second that procfs counts in. */
guint64
linux_jiffies_to_clock(const LinuxJiffies *jiffies, guint64 n);
/* How long until then, in the same; 0 when that is over. */
guint64
linux_jiffies_until(const LinuxJiffies *jiffies, guint64 then);

G_END_DECLS
