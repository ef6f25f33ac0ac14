/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * unit: what every unit test starts with. VMIFS_UNIT_MAIN(suite_function) runs one check suite and
 * prints TAP; each test runs in its own process, so that a crash is one failed test.
 */
#pragma once

#include <check.h>
#include <glib.h>
#include <stdlib.h>

#define VMIFS_UNIT_MAIN(make_suite)                                                                \
	int main(void)                                                                             \
	{                                                                                          \
		SRunner *runner = srunner_create(make_suite());                                    \
		srunner_set_tap(runner, "-");                                                      \
		srunner_run_all(runner, CK_SILENT);                                                \
		int failed = srunner_ntests_failed(runner);                                        \
		srunner_free(runner);                                                              \
		return failed ? EXIT_FAILURE : EXIT_SUCCESS;                                       \
	}
