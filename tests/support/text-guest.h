/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * text-guest: a guest for a unit test, from lines as docs/text-guest.md describes them (the first
 * one is added here). It is the text backend itself, so that its paths are tested wherever it is
 * used.
 */
#pragma once

#include <check.h>
#include <physmem.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

extern const VmifsBackend vmifs_backend_text;

/* Returns: (full) NULL with error when a line is wrong. */
static inline VmifsPhysmem *
text_guest_try(const char *lines, GError **error)
{
	g_autofree char *text = g_strconcat("vmifs-text-guest 1\n", lines, NULL);
	int fd = memfd_create("text-guest", MFD_CLOEXEC);
	VmifsOptions options = { .size = sizeof options };
	VmifsSource src = { .spec = "test",
			    .fd = fd,
			    .len = strlen(text),
			    .head = (const guint8 *) text,
			    .head_len = MIN(strlen(text), 65536),
			    .options = &options };

	ck_assert_int_ge(fd, 0);
	ck_assert_int_eq(write(fd, text, src.len), (gssize) src.len);
	ck_assert_int_eq(vmifs_backend_text.probe(&src), 100);
	gpointer instance = vmifs_backend_text.open(&src, NULL, error);
	close(fd);
	return instance ? vmifs_physmem_new(&vmifs_backend_text, instance, NULL, error) : NULL;
}

static inline VmifsPhysmem *
text_guest(const char *lines)
{
	g_autoptr(GError) error = NULL;
	VmifsPhysmem *mem = text_guest_try(lines, &error);

	ck_assert_msg(mem != NULL, "%s", error ? error->message : "no reason given");
	return mem;
}
