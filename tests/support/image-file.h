/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * image-file: files in a folder of their own, and opening them as a host does: what each test of an
 * image format starts with.
 */
#pragma once

#include <unit.h>

#include <backend-call.h>
#include <fcntl.h>
#include <physmem.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#define PAGE 4096

extern const VmifsBackend vmifs_backend_snapshot;

static char *dir;
static char in_memory[32]; /* the path of an empty file in a tmpfs, whatever is mounted where */
static VmifsOptions options;

static inline void
setup(void)
{
	dir = g_dir_make_tmp("vmifs-test-XXXXXX", NULL);
	ck_assert_ptr_nonnull(dir);
	g_snprintf(in_memory, sizeof in_memory, "/proc/self/fd/%d",
		   memfd_create("image", MFD_CLOEXEC));
	ck_assert_int_eq(chdir(dir), 0);
	options = (VmifsOptions){ .size = sizeof options };
}

static inline void
teardown(void)
{
	g_autofree char *command = g_strdup_printf("rm -r %s", dir);
	ck_assert_int_eq(system(command), 0);
}

/* A file of len bytes that begins with head. */
static inline void
make_file(const char *name, const char *head, gsize head_len, guint64 len)
{
	int fd = open(name, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);

	ck_assert_int_ge(fd, 0);
	ck_assert_int_eq(write(fd, head, head_len), (gssize) head_len);
	ck_assert_int_eq(ftruncate(fd, (off_t) len), 0);
	close(fd);
}

static inline void
put(const char *name, guint64 at, const void *bytes, gsize len)
{
	int fd = open(name, O_WRONLY | O_CLOEXEC);

	ck_assert_int_eq(pwrite(fd, bytes, len, (off_t) at), (gssize) len);
	close(fd);
}

/* As a host does it. */
static inline VmifsPhysmem *
open_image(const char *name, GError **error)
{
	int fd = open(name, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
	static guint8 head[65536];
	struct stat st;

	ck_assert_int_ge(fd, 0);
	ck_assert_int_eq(fstat(fd, &st), 0);
	gssize n = S_ISREG(st.st_mode) ? pread(fd, head, sizeof head, 0) : 0;
	VmifsSource src = { .spec = name,
			    .path = name,
			    .fd = fd,
			    .len = (guint64) st.st_size,
			    .head = head,
			    .head_len = (gsize) n,
			    .options = &options };
	const VmifsBackend *backend = vmifs_backend_choose(&src, error);
	gpointer instance = backend ? vmifs_backend_open(backend, &src, NULL, error) : NULL;
	close(fd);
	return instance ? vmifs_physmem_new(backend, instance, NULL, error) : NULL;
}

static inline VmifsPhysmem *
good_image(const char *name)
{
	g_autoptr(GError) error = NULL;
	VmifsPhysmem *mem = open_image(name, &error);

	ck_assert_msg(mem != NULL, "%s", error ? error->message : "");
	return mem;
}

static inline void
assert_refused(const char *name, int code, const char *message)
{
	g_autoptr(GError) error = NULL;
	g_autoptr(VmifsPhysmem) mem = open_image(name, &error);

	ck_assert_ptr_null(mem);
	ck_assert(g_error_matches(error, VMIFS_ERROR, code));
	ck_assert_msg(strstr(error->message, message) != NULL, "%s", error->message);
}
