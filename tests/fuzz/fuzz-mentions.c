/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* fuzz-mentions: the input is the code of a function, of each machine that has one followed. */
#include "fuzz.h"

#include <os/linux/mentions.h>

static void
check(const LinuxMention *mention, gpointer user)
{
	for (guint i = 0; i < LINUX_MENTION_ARGUMENTS; i++)
		g_assert(mention->arguments[i].kind != LINUX_OPERAND_NONE);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
	linux_mentions_aarch64(data, len, G_GUINT64_CONSTANT(0xffff800010000000), check, NULL);
	linux_mentions_x86_64(data, len, G_GUINT64_CONSTANT(0xffffffff81000000), check, NULL);
	return 0;
}
