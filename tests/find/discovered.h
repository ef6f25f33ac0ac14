/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* discovered: an image of that memory, and what is said of the guest in it once it was looked at.
 */
#pragma once

#include <string.h>
#include <sys/mman.h>
#include <unistd.h>
#include <vmifs/vmifs.h>

static inline void
put_u64(guint8 *at, guint64 value)
{
	value = GUINT64_TO_LE(value);
	memcpy(at, &value, sizeof value);
}

/* memory: (taken). Pages of zeros become holes: the tests are many. */
static inline void
write_memory(int fd, guint8 *memory, gsize len, off_t at)
{
	static const guint8 zeros[4096];

	ck_assert_int_eq(ftruncate(fd, at + (off_t) len), 0);
	for (gsize i = 0; i < len; i += sizeof zeros)
		if (memcmp(memory + i, zeros, sizeof zeros) != 0)
			ck_assert_int_eq(pwrite(fd, memory + i, sizeof zeros, at + (off_t) i),
					 sizeof zeros);
	g_free(memory);
}

/* fd: (taken). (full) what `info` says, and where memory begins. */
static inline char *
discover_file(int fd, const VmifsOptions *options)
{
	g_autofree char *spec = g_strdup_printf("guest=/proc/self/fd/%d", fd);
	g_autoptr(GError) error = NULL;
	GString *info = g_string_new(NULL);
	gsize n;

	g_autoptr(VmifsHost) host = vmifs_host_new(options, &error);
	ck_assert_msg(vmifs_host_add(host, spec, &error), "%s", error ? error->message : "");
	close(fd);
	g_autoptr(VmifsGuest) guest = vmifs_host_find(host, "guest");
	vmifs_guest_wait(guest, NULL, NULL);
	vmifs_guest_info(guest, info);
	g_autoptr(VmifsPhysmem) mem = vmifs_guest_physmem(guest);
	g_string_append_printf(info, "first region: 0x%" G_GINT64_MODIFIER "x, %s\n",
			       vmifs_physmem_regions(mem, &n)->pa,
			       vmifs_guest_is_base_assumed(guest) ? "assumed" : "known");
	return g_string_free(info, FALSE);
}

/* Of a raw image. memory: (taken). options: (nullable) */
static inline char *
discover(guint8 *memory, gsize len, const VmifsOptions *options)
{
	static const VmifsOptions none = { .size = sizeof none, .format = "raw" };
	int fd = memfd_create("image", MFD_CLOEXEC);

	write_memory(fd, memory, len, 0);
	return discover_file(fd, options ? options : &none);
}

static inline void
assert_says(const char *info, const char *what)
{
	ck_assert_msg(strstr(info, what) != NULL, "\"%s\" is not in:\n%s", what, info);
}

static inline void
assert_hides(const char *info, const char *what)
{
	ck_assert_msg(strstr(info, what) == NULL, "\"%s\" is in:\n%s", what, info);
}
