/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * infer-code: members that nothing in memory tells apart, by small functions of the kernel that
 * read or write them of what they are handed. A place is taken where such a function speaks of it
 * as its source says, of no other place so, and all objects agree.
 */
#pragma once

#include "infer.h"
#include "mentions.h"

G_BEGIN_DECLS

/* What a function speaks of. */
typedef struct {
	GArray *mentions; /* of LinuxMention */
} LinuxFunction;

/* TRUE: there is one function of that name, and all of it was followed. */
gboolean
linux_function_look(const Linux *os, const char *name, LinuxFunction *ret);
void
linux_function_clear(LinuxFunction *function);

#define LINUX_MAX_PLACES 16
#define LINUX_OF_ARGUMENT G_MAXUINT64

typedef struct {
	guint n;
	guint64 at[LINUX_MAX_PLACES]; /* each once, ascending */
} LinuxPlaces;

void
linux_places_add(LinuxPlaces *places, guint64 at);
/* What it reads or writes of its first argument, or (via) of what that points to, so many bytes
 * from its beginning. */
LinuxPlaces
linux_function_places(const LinuxFunction *function, LinuxMentionKind kind, guint64 via,
		      guint width);
/* FALSE, logged, when there is none or more than one. */
gboolean
linux_function_only(const LinuxInfer *f, LinuxPlaces places, const char *what, guint64 *ret);
/* Whose addresses it hands to another function, as that argument. */
LinuxPlaces
linux_function_hands(const LinuxInfer *f, const LinuxFunction *function, const char *callee,
		     guint argument, guint64 via);
/* Does it call that other one? */
gboolean
linux_function_calls(const Linux *os, const LinuxFunction *function, const char *callee);

G_DEFINE_AUTO_CLEANUP_CLEAR_FUNC(LinuxFunction, linux_function_clear)

G_END_DECLS
