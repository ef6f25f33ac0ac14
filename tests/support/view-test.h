/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * view-test: tests of views: variables of a made-up guest go in, and perhaps a task; a text comes
 * out.
 */
#pragma once

#include <unit.h>

#include "linux-guest.h"

typedef struct {
	LinuxGuest g;
	GString *out;
	GError *error;
	VmifsTask task; /* what of it the test needs */
	guint64 signal; /* of that */
} Fixture;

typedef LINUX_VIEW((*Render));

static inline void
setup(Fixture *f, const char *types)
{
	*f = (Fixture){ .out = g_string_new(NULL) };
	linux_guest_init(&f->g, types);
}

static inline void
teardown(Fixture *f)
{
	linux_guest_clear(&f->g);
	g_string_free(f->out, TRUE);
	g_clear_error(&f->error);
}

/* A variable of a new symbol, with room. Returns its address. */
static inline guint64
variable(Fixture *f, const char *name, guint64 value)
{
	guint64 va = linux_guest_alloc(&f->g, 8192);
	linux_guest_u64(&f->g, va, value);
	linux_guest_symbol(&f->g, name, va);
	return va;
}

static inline void
shows(Fixture *f, Render render, const char *entry, const char *text)
{
	ck_assert_msg(render(linux_guest_start(&f->g), NULL, entry, f->out, NULL, &f->error), "%s",
		      f->error ? f->error->message : "");
	ck_assert_str_eq(f->out->str, text);
}

static inline void
fails(Fixture *f, Render render, VmifsError code)
{
	ck_assert(!render(linux_guest_start(&f->g), NULL, NULL, f->out, NULL, &f->error));
	ck_assert_msg(g_error_matches(f->error, VMIFS_ERROR, code), "%s", f->error->message);
}
