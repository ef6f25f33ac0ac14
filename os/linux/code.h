/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * code: which part of the kernel an address belongs to, and what the kernel calls it: for whoever
 * follows a stack. Modules are listed once, at the first address that is not of the core kernel.
 */
#pragma once

#include "modules.h"

G_BEGIN_DECLS

typedef struct {
	guint64 start, len;
} LinuxRange;

typedef struct {
	const Linux *os;
	const VmifsCall *call;
	LinuxRange text, init_text, sched, lock; /* of the core kernel; empty where not known */
	LinuxRange image;                        /* what its symbols are of */
	GArray *modules;                         /* (nullable) until it is asked for */
} LinuxCode;

void
linux_code_init(LinuxCode *code, const Linux *os, const VmifsCall *call);
void
linux_code_clear(LinuxCode *code);

gboolean
linux_code_is_core(const LinuxCode *code, guint64 address);
/* Of the core kernel or of a module. */
gboolean
linux_code_is_text(LinuxCode *code, guint64 address);
/* Is it of those functions that every sleeping task is in? */
gboolean
linux_code_is_scheduler(const LinuxCode *code, guint64 address);
/* The module whose text that is: address of its struct. */
gboolean
linux_code_module(LinuxCode *code, guint64 address, guint64 *ret);

/* The function that holds address. FALSE when none is known. Appends its name. module: holds
 * LINUX_MODULE_NAME bytes; empty for the core kernel. */
gboolean
linux_code_function(LinuxCode *code, guint64 address, GString *name, char *module, LinuxRange *ret);
/* As the kernel prints it in a stack: "name+0x1b/0x40 [module]", or the number. after_call: address
 * is where a call returns to, which may be behind the end of the function. */
void
linux_code_append(LinuxCode *code, guint64 address, gboolean after_call, GString *out);

G_DEFINE_AUTO_CLEANUP_CLEAR_FUNC(LinuxCode, linux_code_clear)

G_END_DECLS
