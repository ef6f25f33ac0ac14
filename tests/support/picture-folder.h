/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* picture-folder: pictures of guests, their pages letters, in a folder that stays empty. */
#pragma once

#include <fake-backend.h>

#include <picture.h>
#include <glib/gstdio.h>
#include <string.h>

/* Pages of the second block, which the tests use. */
#define PAGES 8

static char *folder;

static inline void
setup(void)
{
	folder = g_dir_make_tmp("vmifs-picture-XXXXXX", NULL);
	ck_assert_ptr_nonnull(folder);
}

static inline void
teardown(void)
{
	/* Nothing may be in it, ever. */
	ck_assert_int_eq(g_rmdir(folder), 0);
	g_free(folder);
}

static inline VmifsPictureWriter *
begin(VmifsPhysmem *mem, VmifsPicture *base)
{
	g_autoptr(GError) error = NULL;
	VmifsPictureWriter *writer = vmifs_picture_writer_new(mem, base, folder, &error);

	ck_assert_msg(writer != NULL, "%s", error ? error->message : "");
	return writer;
}

static inline VmifsPicture *
finish(VmifsPictureWriter *writer)
{
	g_autoptr(GError) error = NULL;
	VmifsPicture *picture = vmifs_picture_writer_end(writer, &error);

	ck_assert_msg(picture != NULL, "%s", error ? error->message : "");
	return picture;
}

/* A letter for each page of the second block: '.' is zeros, ' ' is not told. */
static inline void
tell(VmifsPictureWriter *writer, const char *letters)
{
	for (guint i = 0; letters[i]; i++) {
		guint8 page[PAGE];
		memset(page, letters[i] == '.' ? 0 : letters[i], PAGE);
		if (letters[i] != ' ')
			ck_assert(vmifs_picture_write(writer, 1, (guint64) i * PAGE, page, PAGE,
						      NULL));
	}
}

static inline VmifsPicture *
picture_of(VmifsPhysmem *mem, VmifsPicture *base, const char *letters)
{
	VmifsPictureWriter *writer = begin(mem, base);

	tell(writer, letters);
	return finish(writer);
}

static inline VmifsPhysmem *
open_picture(VmifsPicture *picture)
{
	g_autoptr(GError) error = NULL;
	VmifsSource src = { .spec = "picture", .fd = -1, .target = picture };
	g_autoptr(VmifsConnection) connection =
		vmifs_connection_open(&vmifs_picture_backend, &src, NULL, &error);
	VmifsPhysmem *mem = vmifs_physmem_of(connection, NULL, &error);

	ck_assert_msg(mem != NULL, "%s", error ? error->message : "");
	return mem;
}

static inline void
assert_letters(VmifsPicture *picture, const char *letters)
{
	g_autoptr(VmifsPhysmem) mem = open_picture(picture);
	g_auto(VmifsSegments) segments;
	g_autofree guint8 *bytes = g_malloc(PAGES * PAGE);
	g_autofree char *seen = g_strdup(letters);

	vmifs_segments_init(&segments);
	ck_assert_uint_eq(
		vmifs_physmem_gather_block(mem, 1, 0, PAGES * PAGE, &segments, NULL, NULL),
		PAGES * PAGE);
	vmifs_segments_copy(&segments, bytes);
	for (guint i = 0; letters[i]; i++) {
		const guint8 *page = bytes + i * PAGE;
		ck_assert(!memcmp(page, page + 1, PAGE - 1));
		seen[i] = page[0] ? (char) page[0] : '.';
	}
	ck_assert_str_eq(seen, letters);
}
