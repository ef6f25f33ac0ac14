/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* fuzz-args: any bytes as the arguments of a process. */
#include "fuzz.h"

#include <backends/qemu/args.h>
#include <backends/qemu/argv.h>

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
	g_autoptr(QemuArgs) args = qemu_args_parse((const char *) data, len);

	qemu_argv_likely("/opt/vm", (const char *) data, len);
	for (guint i = 0; i < args->dimms->len; i++)
		qemu_args_backend(args, g_array_index(args->dimms, QemuArgsDimm, i).memdev);
	return 0;
}
