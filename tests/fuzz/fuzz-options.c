/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * fuzz-options: lines of the input as the arguments of a command line: it is refused with a
 * message, or it says what to do.
 */
#include "fuzz.h"

#include <fs/options.h>

#define MAX_ARGS 16

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	g_autofree char *text = g_strndup((const char *) data, size);
	g_auto(GStrv) lines = g_strsplit(text, "\n", MAX_ARGS);
	char *argv[MAX_ARGS + 2] = { (char *) "vmifs" };
	int argc = 1;
	for (; lines[argc - 1]; argc++)
		argv[argc] = lines[argc - 1];

	g_auto(VmifsFsOptions) options = { 0 };
	g_autoptr(GError) error = NULL;
	if (!vmifs_fs_options_parse(argc, argv, &options, &error)) {
		g_assert(error && *error->message);
		return 0;
	}
	g_assert(!error);
	g_assert((vmifs_fs_options_file_mode(&options) & ~0444) == 0);
	g_assert((vmifs_fs_options_dir_mode(&options) & ~0555) == 0);
	g_assert(options.action != VMIFS_ACTION_CHECK || options.sources->len == 1);
	g_assert(options.action != VMIFS_ACTION_MOUNT ||
		 (options.sources->len >= 1 && *options.mountpoint));
	g_assert(options.max_read == 0 || options.max_read >= 4096);
	return 0;
}
