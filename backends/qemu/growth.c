/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * growth: the limits that stand between a page that is touched and one that is there. Those of a
 * cgroup are its own and those of each above it; where the memory of version 1 is mounted, version
 * 2 has none.
 */
#include "growth.h"

#include "below.h"

#include <fcntl.h>
#include <string.h>
#include <sys/vfs.h>
#include <unistd.h>

#define MAX_TEXT 16384
#define MAX_ARGUMENTS (1 << 20)
#define MAX_DEPTH 64

/* Names of limits, and of what is used of them. */
typedef struct {
	const char *limits[2], *usage;
} Version;

static const Version versions[] = {
	{ { "memory.limit_in_bytes" }, "memory.usage_in_bytes" },
	{ { "memory.max", "memory.high" }, "memory.current" },
};

guint64
qemu_growth_available(void)
{
	g_autofree char *text = NULL;
	const char *line;

	if (!g_file_get_contents("/proc/meminfo", &text, NULL, NULL))
		return 0;
	line = strstr(text, "MemAvailable:");
	return line ? g_ascii_strtoull(line + strlen("MemAvailable:"), NULL, 10) * 1024 : 0;
}

guint64
qemu_growth_of_file(int fd)
{
	struct statfs fs;
	guint64 left;

	if (fstatfs(fd, &fs))
		return 0;
	if (!fs.f_blocks)
		return G_MAXUINT64;
	return __builtin_mul_overflow((guint64) fs.f_bavail, (guint64) fs.f_bsize, &left)
		       ? G_MAXUINT64
		       : left;
}

/* ---- nodes ---- */

/* As an option of its memory, in either form. */
static gboolean
is_bound(int dir)
{
	static const char *const words[] = { "policy=bind", "\"policy\":\"bind\"",
					     "\"policy\": \"bind\"" };
	gsize len;
	g_autofree char *arguments = qemu_below_all(dir, "cmdline", MAX_ARGUMENTS, &len);

	for (gsize i = 0; arguments && i < G_N_ELEMENTS(words); i++)
		if (memmem(arguments, len, words[i], strlen(words[i])))
			return TRUE;
	return !arguments || !len;
}

guint64
qemu_growth_of_nodes(int dir, const char *nodes)
{
	g_autofree char *path = g_build_filename(nodes, "has_memory", NULL);
	g_autofree char *all = NULL, *status = NULL;
	gsize len;

	if (!g_file_get_contents(path, &all, NULL, NULL) || !strpbrk(g_strchomp(all), ",-"))
		return G_MAXUINT64;
	status = qemu_below_all(dir, "status", MAX_TEXT, &len);
	g_autofree char *line = g_strdup_printf("\nMems_allowed_list:\t%s\n", all);
	return status && strstr(status, line) && !is_bound(dir) ? G_MAXUINT64 : 0;
}

/* ---- cgroups ---- */

/* FALSE: there is no such file, or "max" in it. */
static gboolean
read_number(const char *folder, const char *name, guint64 *ret)
{
	g_autofree char *path = g_build_filename(folder, name, NULL);
	gsize len;
	g_autofree char *text = qemu_below_all(AT_FDCWD, path, MAX_TEXT, &len);

	return text && g_ascii_string_to_unsigned(g_strchomp(text), 10, 0, G_MAXUINT64, ret, NULL);
}

static guint64
left_in(const char *folder, const Version *version)
{
	guint64 left = G_MAXUINT64, limit, used;

	for (gsize i = 0; i < G_N_ELEMENTS(version->limits) && version->limits[i]; i++) {
		if (!read_number(folder, version->limits[i], &limit))
			continue;
		if (!read_number(folder, version->usage, &used))
			return 0;
		left = MIN(left, limit - MIN(limit, used));
	}
	return left;
}

/* The folder of the cgroup that a line "ID:CONTROLLERS:PATH" is of. (full) NULL: it is no such
 * line. */
static char *
folder_of(const char *line, const char *root, const Version **ret)
{
	g_auto(GStrv) words = g_strsplit(line, ":", 3);

	if (g_strv_length(words) != 3)
		return NULL;
	g_auto(GStrv) controllers = g_strsplit(words[1], ",", -1);
	if (g_strv_contains((const char *const *) controllers, "memory")) {
		*ret = &versions[0];
		return g_build_filename(root, "memory", words[2], NULL);
	}
	if (*ret || *words[1] || !g_str_equal(words[0], "0"))
		return NULL;
	*ret = &versions[1];
	return g_build_filename(root, words[2], NULL);
}

guint64
qemu_growth_of_cgroup(int dir, const char *root)
{
	gsize len;
	g_autofree char *text = qemu_below_all(dir, "cgroup", MAX_TEXT, &len), *folder = NULL;
	guint64 left = G_MAXUINT64;
	const Version *version = NULL;

	if (!text || !len)
		return 0;
	g_auto(GStrv) lines = g_strsplit(text, "\n", -1);
	for (guint i = 0; lines[i]; i++) {
		char *found = folder_of(lines[i], root, &version);
		if (!found)
			continue;
		g_free(folder);
		folder = found;
	}
	if (!folder)
		return G_MAXUINT64;
	/* One that is out of sight from here, or not mounted. */
	g_autofree char *any = g_build_filename(folder, "cgroup.procs", NULL);
	if (strstr(folder, "/..") || access(any, F_OK))
		return 0;
	for (guint i = 0; i < MAX_DEPTH && strlen(folder) >= strlen(root); i++) {
		left = MIN(left, left_in(folder, version));
		char *above = g_path_get_dirname(folder);
		g_free(folder);
		folder = above;
	}
	return left;
}
