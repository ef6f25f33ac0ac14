/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * mentions: what a function speaks of, by its instructions: what addresses it loads from, indexes,
 * and hands to which other functions; which members it reads of what it is handed itself. Every
 * path through it is followed, and a register counts as known only where it is the same on all
 * paths, so that nothing is guessed: what a function of a few lines loads is what its source says.
 */
#pragma once

#include "linux.h"
#include "operand.h"

G_BEGIN_DECLS

typedef enum {
	LINUX_MENTION_LOAD,  /* from that address */
	LINUX_MENTION_INDEX, /* from that address and something else */
	LINUX_MENTION_STORE, /* to that address */
	LINUX_MENTION_CALL,  /* of that address, or a jump to it at the end */
	LINUX_MENTION_READ,  /* of a member of what it was handed, or of what that points to ... */
	LINUX_MENTION_WRITE, /* ... to one */
} LinuxMentionKind;

#define LINUX_MENTION_ARGUMENTS 4

typedef struct {
	LinuxMentionKind kind;
	guint64 address;
	LinuxOperand place;                              /* READ, WRITE: HANDED or MEMBER */
	guint width;                                     /* all but CALL: bytes */
	LinuxOperand arguments[LINUX_MENTION_ARGUMENTS]; /* CALL */
} LinuxMention;

typedef void (*LinuxMentionVisit)(const LinuxMention *mention, gpointer user);

/* A machine's: code of the function at va; at most LINUX_MENTIONS_MAX bytes of it. */
#define LINUX_MENTIONS_MAX 4096
typedef void (*LinuxMentions)(const guint8 *code, gsize len, guint64 va, LinuxMentionVisit visit,
			      gpointer user);
void
linux_mentions_aarch64(const guint8 *code, gsize len, guint64 va, LinuxMentionVisit visit,
		       gpointer user);
/* Nothing of a function that has an instruction which is not known. */
void
linux_mentions_x86_64(const guint8 *code, gsize len, guint64 va, LinuxMentionVisit visit,
		      gpointer user);

G_END_DECLS
