/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * background: memory of QEMU alone is always taken by QEMU: it costs nothing. Of files, first every
 * page comes into being, and stays. That is done where a copy would have the guest stand for long,
 * and where there is room in every limit, for beyond one the kernel kills QEMU; the guest comes to
 * use at most twice as much.
 */
#include "background.h"

#include "growth.h"
#include "sharers.h"

#include <vmifs/error.h>

/* What a copy compares in 25 ms or more. */
#define MUCH ((guint64) 256 << 20)
/* Of what is left. */
#define SHARE 4
#define CGROUPS "/sys/fs/cgroup"
#define NODES "/sys/devices/system/node"

static gboolean
say(GError **error, const char *what)
{
	g_set_error(error, VMIFS_ERROR, VMIFS_ERROR_UNSUPPORTED, "its memory lies in files, %s",
		    what);
	return FALSE;
}

gboolean
qemu_background_is_worth(const QemuWeight *weight, GError **error)
{
	if (weight->present < MUCH)
		return say(error, "and is little");
	if (weight->absent > weight->present)
		return say(error, "and most of it is not there, which would have to be made");
	if (weight->absent > weight->room / SHARE)
		return say(error, "and there is no room to make what of it is not there");
	return TRUE;
}

static void
weigh_block(const QemuBlock *block, QemuWeight *weight)
{
	guint64 page = qemu_block_page(block), n_pages = qemu_block_n_pages(block);
	guint64 there = qemu_block_n_present(block);

	weight->present += there * page;
	if (!qemu_block_is_shared_file(block))
		return;
	weight->absent += (n_pages - MIN(there, n_pages)) * page;
	weight->room = MIN(weight->room, qemu_growth_of_file(qemu_block_shared_fd(block)));
}

gboolean
qemu_background_suits(const QemuSubject *subject, const VmifsCall *call, GError **error)
{
	int dir = qemu_process_dir(subject->process);
	guint64 limit = MIN(qemu_growth_of_cgroup(dir, CGROUPS), qemu_growth_of_nodes(dir, NODES));
	QemuWeight weight = { .room = MIN(qemu_growth_available(), limit) };
	gboolean any = FALSE;

	for (guint i = 0; i < qemu_ram_n_blocks(subject->ram); i++) {
		const QemuBlock *block = qemu_ram_block(subject->ram, i);
		gboolean is_file = !qemu_block_is_anonymous(block);
		if (qemu_block_is_retired(block))
			continue;
		if (is_file && !qemu_block_is_shared_file(block))
			return say(error, "which are private, of huge pages, or of several kinds");
		any |= is_file;
	}
	if (!any)
		return TRUE;
	for (guint i = 0; i < qemu_ram_n_blocks(subject->ram); i++)
		if (!qemu_block_is_retired(qemu_ram_block(subject->ram, i)))
			weigh_block(qemu_ram_block(subject->ram, i), &weight);
	return qemu_background_is_worth(&weight, error) &&
	       qemu_sharers_none(subject->ram, subject->process, subject->monitor, call, error);
}
