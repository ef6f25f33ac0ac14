/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* os-found: an operating system that is found as Linux is, and only tells what was found. */
#include <os/linux/found.h>

static gpointer
attach(const VmifsKernel *kernel, const VmifsCall *call, GError **error)
{
	return kernel->data;
}

static void
detach(gpointer self)
{
}

static void
info(gpointer self, GString *out)
{
	const LinuxFound *found = self;
	guint64 task = 0;

	if (found->symbols)
		vmifs_symbols_lookup(found->symbols, "init_task", &task);
	g_string_append_printf(
		out,
		"found delta: 0x%" G_GINT64_MODIFIER "x\nfound root: 0x%" G_GINT64_MODIFIER
		"x by %s\nfound slides: 0x%" G_GINT64_MODIFIER "x 0x%" G_GINT64_MODIFIER
		"x by %s\nfound symbols: %u by %s\nfound init_task: 0x%" G_GINT64_MODIFIER
		"x\nfound banner: %s\nfound release: %s\nfound build id: %s\nfound note: %s\n",
		found->image_delta, found->root, found->root_how, found->virtual_slide,
		found->physical_slide, found->slides_how,
		found->symbols ? (guint) vmifs_symbols_count(found->symbols) : 0,
		found->symbols_how, task, found->banner, found->release, found->build_id,
		found->vmcoreinfo ? "yes" : "no");
}

extern const VmifsOs vmifs_os_found;
const VmifsOs vmifs_os_found = {
	.name = "linux",
	.patterns = linux_patterns,
	.n_patterns = LINUX_N_PATTERNS,
	.begin = linux_begin,
	.hit = linux_hit,
	.conclude = linux_conclude,
	.attach = attach,
	.detach = detach,
	.info = info,
};
