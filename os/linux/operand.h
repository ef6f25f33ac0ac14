/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * operand (private): what is known of a register within a function, and what becomes of it where
 * paths meet, where numbers are added, and where memory is loaded: the same on every machine.
 */
#pragma once

#include <glib.h>

G_BEGIN_DECLS

typedef enum {
	LINUX_OPERAND_NONE,    /* no path comes here */
	LINUX_OPERAND_KNOWN,   /* that number */
	LINUX_OPERAND_SUM,     /* that number and something else: an element, a processor's own */
	LINUX_OPERAND_CONTENT, /* what is stored at that address */
	LINUX_OPERAND_HANDED,  /* what the function was handed, and that number */
	LINUX_OPERAND_MEMBER, /* the pointer that is stored `via` bytes behind that, and that number
			       */
	LINUX_OPERAND_UNKNOWN,
} LinuxOperandKind;

typedef struct {
	LinuxOperandKind kind;
	guint64 value;
	guint argument; /* HANDED, MEMBER: from 0 on */
	guint64 via;    /* MEMBER */
} LinuxOperand;

static inline LinuxOperand
linux_operand_unknown(void)
{
	return (LinuxOperand){ .kind = LINUX_OPERAND_UNKNOWN };
}

static inline gboolean
linux_operand_is_number(LinuxOperand x)
{
	return x.kind == LINUX_OPERAND_KNOWN || x.kind == LINUX_OPERAND_SUM;
}

static inline gboolean
linux_operand_is_of_argument(LinuxOperand x)
{
	return x.kind == LINUX_OPERAND_HANDED || x.kind == LINUX_OPERAND_MEMBER;
}

/* A path comes with from to where others have come with to. FALSE: that changes nothing. */
static inline gboolean
linux_operand_join(LinuxOperand *to, const LinuxOperand *from)
{
	gboolean is_same = to->kind == from->kind && to->value == from->value &&
			   to->argument == from->argument && to->via == from->via;

	if (to->kind == LINUX_OPERAND_UNKNOWN || is_same)
		return FALSE;
	*to = to->kind == LINUX_OPERAND_NONE ? *from : linux_operand_unknown();
	return TRUE;
}

static inline LinuxOperand
linux_operand_add(LinuxOperand a, LinuxOperand b)
{
	gboolean is_a = linux_operand_is_number(a);

	if (is_a == linux_operand_is_number(b))
		return linux_operand_unknown();
	return (LinuxOperand){ .kind = LINUX_OPERAND_SUM, .value = is_a ? a.value : b.value };
}

static inline LinuxOperand
linux_operand_add_number(LinuxOperand a, guint64 number)
{
	if (!linux_operand_is_number(a) && !linux_operand_is_of_argument(a))
		return linux_operand_unknown();
	a.value += number;
	return a;
}

/* Of a word that was loaded from there. */
static inline LinuxOperand
linux_operand_content(LinuxOperand at)
{
	if (at.kind == LINUX_OPERAND_KNOWN)
		return (LinuxOperand){ .kind = LINUX_OPERAND_CONTENT, .value = at.value };
	if (at.kind == LINUX_OPERAND_HANDED)
		return (LinuxOperand){ .kind = LINUX_OPERAND_MEMBER,
				       .argument = at.argument,
				       .via = at.value };
	return linux_operand_unknown();
}

G_END_DECLS
