/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * maps: lines of /proc/PID/maps. The kernel writes them, but the paths in them are whatever
 * somebody has called a file: they are not looked at. Two ways lead to a mapping's file:
 * map_files, which names the very mapping but wants a capability, and the descriptors of the
 * process, one of which QEMU keeps.
 */
#include "maps.h"

#include "below.h"

#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <unistd.h>

#define MAX_MAPPINGS 1000000
#define MAX_HEAD 128 /* of a line, before its path */
#define MAX_FDS 4096 /* of a process, that are looked at: QEMU opens its memory early */

/* ---- the text ---- */

/* Not of all that follows: sscanf(3) measures first what it is given. */
gboolean
qemu_maps_parse_line(const char *line, gsize len, QemuMapping *ret)
{
	guint64 start, end, offset, inode;
	guint dev_major, dev_minor;
	char head[MAX_HEAD], perms[5];

	len = MIN(len, sizeof head - 1);
	memcpy(head, line, len);
	head[len] = '\0';
	if (sscanf(head, "%" SCNx64 "-%" SCNx64 " %4s %" SCNx64 " %x:%x %" SCNu64, &start, &end,
		   perms, &offset, &dev_major, &dev_minor, &inode) != 7 ||
	    start >= end || strlen(perms) != 4)
		return FALSE;
	*ret = (QemuMapping){
		.start = start,
		.len = end - start,
		.offset = offset,
		.inode = inode,
		.dev_major = dev_major,
		.dev_minor = dev_minor,
		.is_readable = perms[0] == 'r',
		.is_writable = perms[1] == 'w',
		.is_shared = perms[3] == 's',
	};
	return TRUE;
}

GArray *
qemu_maps_parse(const char *text)
{
	GArray *maps = g_array_new(FALSE, FALSE, sizeof(QemuMapping));
	guint64 end = 0;

	while (*text && maps->len < MAX_MAPPINGS) {
		gsize len = strcspn(text, "\n");
		QemuMapping mapping;
		/* In order, or this is no text of the kernel's. */
		if (qemu_maps_parse_line(text, len, &mapping) && mapping.start >= end) {
			g_array_append_val(maps, mapping);
			end = mapping.start + mapping.len;
		}
		text += len + (text[len] == '\n');
	}
	return maps;
}

/* Index of the first mapping that ends behind that address; maps->len = none does. */
static guint
find_index(const GArray *maps, guint64 address)
{
	guint low = 0, high = maps->len;

	while (low < high) {
		guint middle = low + (high - low) / 2;
		const QemuMapping *m = &g_array_index(maps, QemuMapping, middle);
		if (m->start <= address && address - m->start >= m->len)
			low = middle + 1;
		else
			high = middle;
	}
	return low;
}

const QemuMapping *
qemu_maps_find(const GArray *maps, guint64 address)
{
	guint i = find_index(maps, address);
	const QemuMapping *mapping = i < maps->len ? &g_array_index(maps, QemuMapping, i) : NULL;

	return mapping && mapping->start <= address ? mapping : NULL;
}

/* ---- what stands behind ---- */

static gboolean
is_same_file(const QemuMapping *a, const QemuMapping *b)
{
	return a->inode == b->inode && a->dev_major == b->dev_major &&
	       a->dev_minor == b->dev_minor && a->is_shared == b->is_shared;
}

/* Does b go on where a ends, in the file, too? (madvise() and mbind() cut mappings to pieces.) */
static gboolean
goes_on(const QemuMapping *a, const QemuMapping *b)
{
	return b->start == a->start + a->len && b->is_readable && is_same_file(a, b) &&
	       (!a->inode || b->offset == a->offset + a->len);
}

gboolean
qemu_maps_backing(const GArray *maps, guint64 address, guint64 len, QemuBacking *ret)
{
	guint i = find_index(maps, address);
	const QemuMapping *first = qemu_maps_find(maps, address), *last = first;

	if (!first || !first->is_readable || !len)
		return FALSE;
	guint64 offset = first->offset + (address - first->start);
	while (len > last->len - (address - last->start)) {
		const QemuMapping *next =
			++i < maps->len ? &g_array_index(maps, QemuMapping, i) : NULL;
		if (!next || !goes_on(last, next))
			return FALSE;
		len -= last->len - (address - last->start);
		address = next->start;
		last = next;
	}
	*ret = (QemuBacking){
		.kind = !first->inode      ? QEMU_BACKING_ANONYMOUS
			: first->is_shared ? QEMU_BACKING_SHARED
					   : QEMU_BACKING_PRIVATE,
		.offset = first->inode ? offset : 0,
		.first = *first,
	};
	return TRUE;
}

static guint64
mix(guint64 hash, guint64 value)
{
	hash = (hash ^ value) * 0x9e3779b97f4a7c15;
	return hash ^ hash >> 32;
}

guint64
qemu_maps_signature(const GArray *maps, guint64 min_len)
{
	guint64 hash = 0;

	for (guint i = 0; i < maps->len; i++) {
		const QemuMapping *m = &g_array_index(maps, QemuMapping, i);
		if (m->len < min_len || !m->is_readable)
			continue;
		hash = mix(mix(hash, m->start), m->len);
		hash = mix(mix(hash, m->inode), m->is_shared);
	}
	return hash;
}

/* ---- the file ---- */

/* Which device a file is of is told differently by some file systems; its number is not. */
static gboolean
is_its_file(const QemuMapping *mapping, gboolean any_device, const struct stat *st)
{
	return S_ISREG(st->st_mode) && st->st_ino == mapping->inode &&
	       (any_device || (major(st->st_dev) == mapping->dev_major &&
			       minor(st->st_dev) == mapping->dev_minor));
}

/* What it is the process decides, and from one moment to the next: so it is held and looked at
 * before it is opened, which of a device would do something. */
static int
open_if_its(const QemuMapping *mapping, gboolean any_device, int dir, const char *name)
{
	int held = openat(dir, name, O_PATH | O_CLOEXEC), fd = -1;
	struct stat st;

	if (held < 0)
		return -1;
	if (fstat(held, &st) == 0 && is_its_file(mapping, any_device, &st)) {
		g_autofree char *path = g_strdup_printf("/proc/self/fd/%d", held);
		fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
	}
	close(held);
	return fd;
}

static int
open_map_file(const QemuMapping *mapping, int dir)
{
	g_autofree char *name = g_strdup_printf("map_files/%" PRIx64 "-%" PRIx64, mapping->start,
						mapping->start + mapping->len);

	return open_if_its(mapping, TRUE, dir, name);
}

static int
open_one_of_fds(const QemuMapping *mapping, int dir)
{
	DIR *fds = qemu_below_folder(dir, "fd");
	const struct dirent *entry;
	int found = -1;

	if (!fds)
		return -1;
	for (guint i = 0; i < MAX_FDS && found < 0 && (entry = readdir(fds)); i++) {
		if (entry->d_name[0] != '.')
			found = open_if_its(mapping, FALSE, dirfd(fds), entry->d_name);
	}
	closedir(fds);
	return found;
}

int
qemu_backing_open(const QemuBacking *backing, const QemuProcess *process)
{
	int dir = qemu_process_dir(process);
	int fd = open_map_file(&backing->first, dir);

	return fd >= 0 ? fd : open_one_of_fds(&backing->first, dir);
}
