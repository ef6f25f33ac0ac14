/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* given: each file is read under its lock, by whoever comes first; the others wait for that. */
#include "given.h"

#include "unpack.h"
#include "vmlinux.h"

#include <errno.h>
#include <fcntl.h>
#include <spi/mapping.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>
#include <vmifs/error.h>

typedef struct {
	char *name; /* "profile=/x.json"; NULL: none was given */
	int fd;
	GMutex lock; /* guards what follows */
	gboolean is_read;
	VmifsGiven given;
	GError *error; /* (nullable) what is wrong with it for good */
} File;

struct VmifsGivenFiles {
	File files[VMIFS_N_GIVEN];
};

static gssize
read_packed(gpointer unpack, gpointer buf, gsize len, GError **error)
{
	return vmifs_unpack_read(unpack, buf, len, error);
}

static gboolean
read_profile(int fd, const VmifsWanted *wanted, VmifsGiven *ret, const VmifsCall *call,
	     GError **error)
{
	g_autoptr(VmifsUnpack) file = vmifs_unpack_new(fd, error);

	return file && vmifs_isf_read(read_packed, file, ret, call, error);
}

/* Mapped, as most of it is never looked at. */
static gboolean
read_vmlinux(int fd, const VmifsWanted *wanted, VmifsGiven *ret, const VmifsCall *call,
	     GError **error)
{
	struct stat st;

	if (fstat(fd, &st) < 0 || !st.st_size || (guint64) st.st_size > G_MAXSSIZE) {
		g_set_error_literal(error, VMIFS_ERROR, VMIFS_ERROR_UNSUPPORTED,
				    "it is empty, or too large");
		return FALSE;
	}
	gsize len = (gsize) st.st_size;
	g_autoptr(VmifsMapping) mapping = vmifs_mapping_new_private(fd, len, error);
	if (!mapping)
		return FALSE;
	guint stamp = vmifs_mapping_stamp(mapping);
	gboolean is_read = vmifs_vmlinux_read((gpointer) vmifs_mapping_data(mapping), len, wanted,
					      ret, call, error);
	if (vmifs_mapping_intact(mapping, stamp, 0, len))
		return is_read;
	g_clear_error(error);
	g_set_error_literal(error, VMIFS_ERROR, VMIFS_ERROR_SOURCE,
			    "it was cut, or failed, while it was read");
	return FALSE;
}

static const struct {
	const char *word;
	gboolean (*read)(int fd, const VmifsWanted *wanted, VmifsGiven *ret, const VmifsCall *call,
			 GError **error);
	const gboolean *is_readable; /* by this build; NULL: by any */
} kinds[VMIFS_N_GIVEN] = {
	[VMIFS_GIVEN_PROFILE] = { "profile", read_profile },
	[VMIFS_GIVEN_VMLINUX] = { "vmlinux", read_vmlinux, &vmifs_vmlinux_is_readable },
};

/* ---- life ---- */

void
vmifs_given_clear(VmifsGiven *given)
{
	g_clear_pointer(&given->types, vmifs_types_unref);
	g_clear_pointer(&given->symbols, vmifs_symbols_unref);
	g_clear_pointer(&given->banner, g_free);
	g_clear_pointer(&given->build_id, g_free);
}

static gboolean
open_file(File *file, guint kind, const char *path, GError **error)
{
	struct stat st;
	int why = 0;

	file->name = g_strdup_printf("%s=%s", kinds[kind].word, path);
	if (kinds[kind].is_readable && !*kinds[kind].is_readable) {
		g_set_error(error, VMIFS_ERROR, VMIFS_ERROR_INVALID,
			    "-o %s: this build lacks the library that reads it", file->name);
		return FALSE;
	}
	file->fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
	if (file->fd < 0 || fstat(file->fd, &st) < 0)
		why = errno;
	if (!why && S_ISREG(st.st_mode))
		return TRUE;
	g_set_error(error, VMIFS_ERROR, VMIFS_ERROR_INVALID, "-o %s: %s", file->name,
		    why ? g_strerror(why) : "not a regular file");
	return FALSE;
}

VmifsGivenFiles *
vmifs_given_files_new(const VmifsOptions *options, GError **error)
{
	const char *paths[VMIFS_N_GIVEN] = {
		[VMIFS_GIVEN_PROFILE] = options->profile,
		[VMIFS_GIVEN_VMLINUX] = options->vmlinux,
	};
	VmifsGivenFiles *files = g_new0(VmifsGivenFiles, 1);
	gboolean good = TRUE;

	for (guint i = 0; i < VMIFS_N_GIVEN; i++) {
		g_mutex_init(&files->files[i].lock);
		files->files[i].fd = -1;
	}
	for (guint i = 0; i < VMIFS_N_GIVEN && good; i++)
		good = !paths[i] || open_file(&files->files[i], i, paths[i], error);
	if (!good)
		g_clear_pointer(&files, vmifs_given_files_free);
	return files;
}

void
vmifs_given_files_free(VmifsGivenFiles *files)
{
	if (!files)
		return;
	for (guint i = 0; i < VMIFS_N_GIVEN; i++) {
		File *file = &files->files[i];
		if (file->fd >= 0)
			close(file->fd);
		g_free(file->name);
		vmifs_given_clear(&file->given);
		g_clear_error(&file->error);
		g_mutex_clear(&file->lock);
	}
	g_free(files);
}

/* ---- reading ---- */

/* With the lock held. That a caller gave up says nothing of the file. */
static void
read_file(File *file, guint kind, const VmifsWanted *wanted, const VmifsCall *call)
{
	VmifsGiven given = { 0 };

	g_clear_error(&file->error);
	file->is_read = kinds[kind].read(file->fd, wanted, &given, call, &file->error);
	if (file->is_read) {
		file->given = given;
		file->given.name = file->name;
		return;
	}
	vmifs_given_clear(&given);
	file->is_read = vmifs_call_check(call, NULL);
	g_prefix_error(&file->error, "%s: ", file->name);
}

const VmifsGiven *
vmifs_given(const VmifsOptions *options, VmifsGivenKind kind, const VmifsWanted *wanted,
	    const VmifsCall *call, GError **error)
{
	File *file = options->given ? &options->given->files[kind] : NULL;

	if (!file || !file->name)
		return NULL;
	g_autoptr(GMutexLocker) locker = g_mutex_locker_new(&file->lock);
	if (!file->is_read)
		read_file(file, kind, wanted, call);
	if (!file->error)
		return &file->given;
	g_propagate_error(error, g_error_copy(file->error));
	return NULL;
}
