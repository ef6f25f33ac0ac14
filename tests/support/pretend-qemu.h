/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * pretend-qemu: processes that stand in for a QEMU: this test's own program, copied under the name
 * of one into a folder of the test, and told to wait. The test's main() is VMIFS_PRETEND_MAIN().
 */
#pragma once

#include "unit.h"

#include <sys/types.h>

/* (full) */
char *
pretend_path(const char *name);

/* For a checked fixture: the folder. */
void
pretend_enter(void);
void
pretend_leave(void);

/* A process of that program name and those arguments, in that folder, or in a root folder of its
 * own. It listens where an argument says unix:PATH,server... Returns when it waits. */
pid_t
pretend_start(const char *name, const char *const *arguments, const char *root);
/* Kills it, and waits for its end. */
void
pretend_end(pid_t pid);
/* What such a process does; returns in any other. */
void
pretend_wait(char **arguments);

#define VMIFS_PRETEND_MAIN(make_suite)                                                             \
	int main(int argc, char **argv)                                                            \
	{                                                                                          \
		pretend_wait(argv);                                                                \
		SRunner *runner = srunner_create(make_suite());                                    \
		srunner_set_tap(runner, "-");                                                      \
		srunner_run_all(runner, CK_SILENT);                                                \
		int failed = srunner_ntests_failed(runner);                                        \
		srunner_free(runner);                                                              \
		return failed ? EXIT_FAILURE : EXIT_SUCCESS;                                       \
	}
