/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * replay: what stands in for libFuzzer in a plain build: runs a target over each file of a folder,
 * then over simple mutations of it (cut short; single bytes changed), and prints TAP. Inputs live
 * in exact allocations, so that a sanitizer sees the first byte read too much. A crash ends the
 * program: the missing TAP lines are the failure, the last "# " line names the input.
 */
#include "fuzz.h"

#include <glib.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* At most about this many mutations of each kind for one file: the test must end soon. */
#define MUTATIONS 2000

static void
run(const char *data, gsize len)
{
	g_autofree uint8_t *exact = malloc(len ? len : 1);

	if (len)
		memcpy(exact, data, len);
	LLVMFuzzerTestOneInput(exact, len);
}

static void
run_mutations(char *data, gsize len)
{
	static const guint8 flips[] = { 0x01, 0x80, 0xff };
	gsize step = len / MUTATIONS + 1;

	for (gsize cut = 0; cut < len; cut += step)
		run(data, cut);
	for (gsize at = 0; at < len; at += step) {
		for (gsize i = 0; i < G_N_ELEMENTS(flips); i++) {
			data[at] ^= flips[i];
			run(data, len);
			data[at] ^= flips[i];
		}
	}
}

static int
compare_names(gconstpointer a, gconstpointer b)
{
	return strcmp(*(const char *const *) a, *(const char *const *) b);
}

int
main(int argc, char **argv)
{
	g_autoptr(GError) error = NULL;
	g_autoptr(GDir) dir = argc == 2 ? g_dir_open(argv[1], 0, &error) : NULL;
	g_autoptr(GPtrArray) names = g_ptr_array_new_with_free_func(g_free);
	const char *name;

	if (!dir) {
		fprintf(stderr, "usage: %s FOLDER: %s\n", argv[0], error ? error->message : "");
		return 2;
	}
	while ((name = g_dir_read_name(dir)))
		g_ptr_array_add(names, g_strdup(name));
	g_ptr_array_sort(names, compare_names);
	printf("1..%u\n", names->len);
	for (guint i = 0; i < names->len; i++) {
		name = g_ptr_array_index(names, i);
		g_autofree char *path = g_build_filename(argv[1], name, NULL);
		g_autofree char *data = NULL;
		gsize len;

		if (!g_file_get_contents(path, &data, &len, &error)) {
			printf("Bail out! %s\n", error->message);
			return 2;
		}
		printf("# %s: %zu bytes\n", name, len);
		fflush(stdout);
		run(data, len);
		run_mutations(data, len);
		printf("ok %u - %s\n", i + 1, name);
		fflush(stdout);
	}
	return names->len ? EXIT_SUCCESS : EXIT_FAILURE;
}
