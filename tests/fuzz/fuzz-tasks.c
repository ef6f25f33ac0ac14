/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* fuzz-tasks: lists of processes and threads, and the names of what they find. */
#include "kernel.h"

#define TYPES                                                                                      \
	"struct list_head 16 next@0:8 prev@8:8\n"                                                  \
	"struct kthread 16 full_name@0:8 data@8:8\n"                                               \
	"struct worker 64 pool@0:8 id@8:4 desc@12:1x32 current_work@48:8 rescue_wq@56:8\n"         \
	"struct worker_pool 16 cpu@0:4 id@4:4 attrs@8:8\n"                                         \
	"struct workqueue_attrs 8 nice@0:4\n"                                                      \
	"struct workqueue_struct 32 name@8:1x24\n"                                                 \
	"struct signal_struct 32 thread_head@0=list_head\n"                                        \
	"struct task_struct 192 pid@0:4 tgid@4:4 comm@8:1x16 flags@24:4 tasks@32=list_head "       \
	"thread_node@48=list_head signal@64:8 real_parent@72:8 mm@80:8 start_boottime@88:8 "       \
	"worker_private@96:8\n"

static const FuzzSymbol symbols[] = { { "init_task", FUZZ_PAGE } };

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
	FuzzKernel k;

	if (!fuzz_kernel_init(&k, TYPES, NULL, symbols, G_N_ELEMENTS(symbols), data, len))
		return 0;
	g_autoptr(GError) error = NULL;
	VmifsTaskList *tasks = linux_tasks(&k.os, NULL, &error);
	g_assert(!tasks == !!error);
	for (gsize i = 0; tasks && i < vmifs_task_list_count(tasks); i++) {
		const VmifsTask *task = vmifs_task_list_get(tasks, i);
		g_autoptr(GString) name = g_string_new(NULL);
		g_autoptr(GArray) threads = g_array_new(FALSE, FALSE, sizeof(guint64));
		g_assert(memchr(task->comm, 0, sizeof task->comm));
		linux_task_name(&k.os, task, name, NULL);
		linux_task_threads(&k.os, task, threads, NULL, NULL);
	}
	g_clear_pointer(&tasks, vmifs_task_list_unref);
	fuzz_kernel_clear(&k);
	return 0;
}
