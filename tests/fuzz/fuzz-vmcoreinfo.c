/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* fuzz-vmcoreinfo: any bytes as a note; then keys of every number format. */
#include "fuzz.h"

#include <os/linux/vmcoreinfo.h>

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
	g_autoptr(LinuxVmcoreinfo) info = linux_vmcoreinfo_new(data, len, NULL);
	guint64 value;

	if (!info)
		return 0;
	linux_vmcoreinfo_text(info, "OSRELEASE");
	linux_vmcoreinfo_hex(info, "SYMBOL(_stext)", &value);
	linux_vmcoreinfo_number(info, "NUMBER(phys_base)", &value);
	return 0;
}
