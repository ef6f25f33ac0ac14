/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* small-kernel: see small-kernel.h. Never run: linked, and looked at. */
#include "small-kernel.h"

extern const char linux_banner[];
extern struct small_task init_task;
extern union small_union unions;

const char linux_banner[] = SMALL_BANNER "\n";
struct small_task init_task = { .other = SMALL_OTHER, .kind = SMALL_MINUS };
union small_union unions;

#ifdef WITH_BTF
extern const char btf[];
__attribute__((section(".BTF"))) const char btf[SMALL_BTF_ROOM] = SMALL_BTF_MARK;
#endif

/* In another scope something else has a name that is wanted. */
int
_start(void);

int
_start(void)
{
	struct small_union {
		char other[3];
	} local = { { 1 } };
	static struct {
		int own;
	} anonymous;

	return local.other[0] + anonymous.own;
}
