/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * sleepy: an operating system that takes its time, to show that only its own readers wait for it;
 * and one of each kind of view, with names and errors that no decent guest gives.
 *
 *   header page:  "SLEEPY!\0"  u64 root  u64 root of the processes  u32 milliseconds until found
 *                 u32 boot  u32 number of tasks
 *   of each task, from 64 bytes on:  u32 pid  u32 tgid  u32 start  u32 memory
 *
 * Memory is the number of a root behind that of the processes, 0 = none. A header with 0 tasks has
 * the processes 1 and 7, the latter with a thread 8, and 2, a kernel thread.
 */
#include <spi/bytes.h>
#include <spi/os.h>

/* How long the deaf view sleeps, whatever it is told. */
#define DEAF_US (3 * G_TIME_SPAN_SECOND)
#define BIG_LEN (12 * 1024 * 1024)

#define MAPPING_START 0x10000
#define MAPPING_END 0x14000

#define MAX_TASKS 200
#define TASK_SIZE 16

typedef struct {
	VmifsKernel kernel;
	guint64 header;
	guint64 user_root;
	gint asked; /* atomic; for the file that fails at first */
} Sleepy;

/* ---- discovery ---- */

static gboolean
sleep_until(gint64 end, const VmifsCall *call, GError **error)
{
	while (!end || g_get_monotonic_time() < end) {
		if (!vmifs_call_check(call, error))
			return FALSE;
		g_usleep(1000);
	}
	return TRUE;
}

/* Whoever cannot know how long others take says when it has been enough: by this file. */
static gboolean
is_woken(void)
{
	const char *path = g_getenv("VMIFS_TOY_WAKE");
	return path && g_file_test(path, G_FILE_TEST_EXISTS);
}

static void
hit(VmifsProbe *probe, const VmifsPattern *pattern, guint64 pa)
{
	guint8 header[32];
	if (!vmifs_physmem_read(vmifs_probe_physmem(probe), pa, header, sizeof header, NULL, NULL))
		return;
	gint64 delay = (gint64) vmifs_load_u32(header + 24) * 1000;
	gint64 end = g_get_monotonic_time() + delay;
	for (gint64 now; (now = g_get_monotonic_time()) < end && !is_woken();) {
		if (!sleep_until(MIN(end, now + 20000), vmifs_probe_call(probe), NULL))
			return;
	}
	VmifsAspace *aspace = vmifs_probe_try_root(probe, 0, vmifs_load_u64(header + 8), 0);
	if (!aspace)
		return;
	Sleepy *sleepy = g_new0(Sleepy, 1);
	sleepy->user_root = vmifs_load_u64(header + 16);
	sleepy->header = pa;
	vmifs_probe_add(probe, aspace, VMIFS_SCORE_CERTAIN, g_strdup("a header"), sleepy, g_free);
}

static gpointer
attach(const VmifsKernel *kernel, const VmifsCall *call, GError **error)
{
	Sleepy *sleepy = g_memdup2(kernel->data, sizeof *sleepy);
	sleepy->kernel = *kernel;
	return sleepy;
}

/* ---- objects ---- */

/* FALSE: the header has none. */
static gboolean
add_tasks_of_header(Sleepy *sleepy, GArray *list)
{
	guint8 page[64 + MAX_TASKS * TASK_SIZE];
	if (!vmifs_physmem_read(sleepy->kernel.mem, sleepy->header, page, sizeof page, NULL, NULL))
		return FALSE;
	guint32 n = MIN(vmifs_load_u32(page + 32), MAX_TASKS);
	for (guint32 i = 0; i < n; i++) {
		const guint8 *at = page + 64 + i * TASK_SIZE;
		guint32 memory = vmifs_load_u32(at + 12);
		VmifsTask task = { .pid = vmifs_load_u32(at),
				   .tgid = vmifs_load_u32(at + 4),
				   .object = i + 1,
				   .start_time = vmifs_load_u32(at + 8),
				   .mm = memory ? sleepy->user_root + (memory - 1) * 4096 : 0 };
		g_snprintf(task.comm, sizeof task.comm, "task%u", task.pid);
		g_array_append_val(list, task);
	}
	return n > 0;
}

static VmifsTaskList *
tasks(gpointer self, const VmifsCall *call, GError **error)
{
	Sleepy *sleepy = self;
	static const guint32 ids[][2] = { { 1, 1 }, { 2, 2 }, { 7, 7 }, { 8, 7 } };
	g_autoptr(GArray) list = g_array_new(FALSE, TRUE, sizeof(VmifsTask));
	if (add_tasks_of_header(sleepy, list))
		return vmifs_task_list_new(g_steal_pointer(&list), TRUE);
	for (gsize i = 0; i < G_N_ELEMENTS(ids); i++) {
		VmifsTask task = { .pid = ids[i][0],
				   .tgid = ids[i][1],
				   .object = i + 1,
				   .mm = ids[i][0] == 2 ? 0 : sleepy->user_root };
		g_snprintf(task.comm, sizeof task.comm, "task%u", task.pid);
		g_array_append_val(list, task);
	}
	return vmifs_task_list_new(g_steal_pointer(&list), TRUE);
}

static VmifsAspace *
task_aspace(gpointer self, const VmifsTask *task, GError **error)
{
	Sleepy *sleepy = self;
	if (task->mm)
		return vmifs_aspace_new_like(sleepy->kernel.aspace, task->mm, NULL, NULL);
	g_set_error(error, VMIFS_ERROR, VMIFS_ERROR_HOLE, "task %u has no memory", task->pid);
	return NULL;
}

/* One that is right, and others that no file can stand for. */
static gboolean
vmas(gpointer self, const VmifsTask *task, GArray *ret, const VmifsCall *call, GError **error)
{
	static const guint64 ranges[][2] = { { MAPPING_START, MAPPING_END },
					     { 0x20000, 0x20000 },
					     { 0x40000, 0x30000 },
					     { 0x12000, 0x50000 },
					     { 0x7ffffffff000, G_MAXUINT64 } };
	for (gsize i = 0; task->mm && i < G_N_ELEMENTS(ranges); i++) {
		VmifsVma vma = { .start = ranges[i][0], .end = ranges[i][1] };
		g_array_append_val(ret, vma);
	}
	return TRUE;
}

/* ---- views ---- */

static gboolean
render_slow(gpointer self, const VmifsTask *task, const char *entry, GString *out,
	    const VmifsCall *call, GError **error)
{
	return sleep_until(0, call, error);
}

static gboolean
render_deaf(gpointer self, const VmifsTask *task, const char *entry, GString *out,
	    const VmifsCall *call, GError **error)
{
	g_usleep(DEAF_US);
	g_string_append(out, "at last\n");
	return TRUE;
}

/* Half a text, when its caller has no time. */
static gboolean
render_late(gpointer self, const VmifsTask *task, const char *entry, GString *out,
	    const VmifsCall *call, GError **error)
{
	g_string_append(out, "first\n");
	for (guint i = 0; i < 1000; i++) {
		g_usleep(1000);
		if (!vmifs_call_check(call, NULL))
			return TRUE;
	}
	g_string_append(out, "last\n");
	return TRUE;
}

static gboolean
render_big(gpointer self, const VmifsTask *task, const char *entry, GString *out,
	   const VmifsCall *call, GError **error)
{
	for (guint i = 0; out->len < BIG_LEN; i++)
		g_string_append_printf(out, "line %u of many\n", i);
	return TRUE;
}

/* What comes too late the first time. */
static gboolean
render_shy(gpointer self, const VmifsTask *task, const char *entry, GString *out,
	   const VmifsCall *call, GError **error)
{
	Sleepy *sleepy = self;
	if (g_atomic_int_add(&sleepy->asked, 1) == 0) {
		g_set_error(error, VMIFS_ERROR, VMIFS_ERROR_TIMEOUT, "not now");
		return FALSE;
	}
	return render_big(self, task, entry, out, call, error);
}

static gboolean
render_word(gpointer self, const VmifsTask *task, const char *entry, GString *out,
	    const VmifsCall *call, GError **error)
{
	g_string_append(out, "sleepy\n");
	return TRUE;
}

static gboolean
render_comm(gpointer self, const VmifsTask *task, const char *entry, GString *out,
	    const VmifsCall *call, GError **error)
{
	g_string_append_printf(out, "%s\n", task->comm);
	return TRUE;
}

static gboolean
render_hole(gpointer self, const VmifsTask *task, const char *entry, GString *out,
	    const VmifsCall *call, GError **error)
{
	g_set_error(error, VMIFS_ERROR, VMIFS_ERROR_HOLE, "its bytes are not in RAM");
	return FALSE;
}

/* As procfs says of a mount table, of a process that has none any more. */
static gboolean
render_ended(gpointer self, const VmifsTask *task, const char *entry, GString *out,
	     const VmifsCall *call, GError **error)
{
	g_set_error(error, VMIFS_ERROR, VMIFS_ERROR_INVALID, "it has ended");
	return FALSE;
}

static gboolean
render_corrupt(gpointer self, const VmifsTask *task, const char *entry, GString *out,
	       const VmifsCall *call, GError **error)
{
	g_set_error(error, VMIFS_ERROR, VMIFS_ERROR_CORRUPT, "a list that makes no sense");
	return FALSE;
}

static gboolean
render_exe(gpointer self, const VmifsTask *task, const char *entry, GString *out,
	   const VmifsCall *call, GError **error)
{
	if (!task->mm) {
		g_set_error(error, VMIFS_ERROR, VMIFS_ERROR_NOT_FOUND, "a kernel thread has none");
		return FALSE;
	}
	g_string_append(out, "/etc/passwd");
	return TRUE;
}

static const char *const link_names[] = { "0", "1", "..", ".", "", "a/b", "new\nline" };

static gboolean
render_fd(gpointer self, const VmifsTask *task, const char *entry, GString *out,
	  const VmifsCall *call, GError **error)
{
	for (gsize i = 0; i < G_N_ELEMENTS(link_names); i++) {
		if (!g_str_equal(link_names[i], entry))
			continue;
		g_string_append_printf(out, "/dev/pts/%s", entry);
		return TRUE;
	}
	g_set_error(error, VMIFS_ERROR, VMIFS_ERROR_NOT_FOUND, "no descriptor %s", entry);
	return FALSE;
}

static gboolean
list_fd(gpointer self, const VmifsTask *task, GPtrArray *names, const VmifsCall *call,
	GError **error)
{
	for (gsize i = 0; i < G_N_ELEMENTS(link_names); i++)
		g_ptr_array_add(names, g_strdup(link_names[i]));
	/* It is closed by the time it is looked up. */
	g_ptr_array_add(names, g_strdup("7"));
	return TRUE;
}

/* A name for each kind, and no namespace any more. */
static gboolean
render_ns(gpointer self, const VmifsTask *task, const char *entry, GString *out,
	  const VmifsCall *call, GError **error)
{
	g_set_error(error, VMIFS_ERROR, VMIFS_ERROR_NOT_FOUND, "no namespace");
	return FALSE;
}

static gboolean
list_ns(gpointer self, const VmifsTask *task, GPtrArray *names, const VmifsCall *call,
	GError **error)
{
	g_ptr_array_add(names, g_strdup("net"));
	return TRUE;
}

#define TEXT(path, where, how)                                                                     \
	{                                                                                          \
		.name = path, .scopes = where, .kind = VMIFS_VIEW_TEXT, .render = how              \
	}

/* The vCPU that the file is of. */
static gboolean
render_vcpu(gpointer self, const VmifsTask *task, const char *entry, GString *out,
	    const VmifsCall *call, GError **error)
{
	g_assert(!task);
	g_string_append_printf(out, "vCPU %s\n", entry);
	return TRUE;
}

static guint
n_vcpus(gpointer self, const VmifsCall *call)
{
	return 2;
}

static const VmifsView views[] = {
	TEXT("slow", VMIFS_SCOPE_GUEST, render_slow),
	TEXT("deaf", VMIFS_SCOPE_GUEST, render_deaf),
	{ .name = "late",
	  .scopes = VMIFS_SCOPE_GUEST,
	  .kind = VMIFS_VIEW_TEXT,
	  .render = render_late,
	  .quick = TRUE },
	TEXT("shy", VMIFS_SCOPE_GUEST, render_shy),
	TEXT("unhurried", VMIFS_SCOPE_GUEST, render_late),
	TEXT("big", VMIFS_SCOPE_GUEST, render_big),
	TEXT("version", VMIFS_SCOPE_GUEST | VMIFS_SCOPE_PROCS, render_word),
	TEXT("sys/kernel/ostype", VMIFS_SCOPE_PROCS, render_word),
	TEXT("sys/kernel/random/uuid", VMIFS_SCOPE_PROCS, render_word),
	TEXT("sys/vm/swappiness", VMIFS_SCOPE_PROCS, render_word),
	TEXT("current", VMIFS_SCOPE_VCPU, render_vcpu),
	{ .name = "comm",
	  .scopes = VMIFS_SCOPE_PROCESS | VMIFS_SCOPE_THREAD,
	  .kind = VMIFS_VIEW_TEXT,
	  .render = render_comm,
	  .quick = TRUE },
	TEXT("hole", VMIFS_SCOPE_PROCESS, render_hole),
	TEXT("ended", VMIFS_SCOPE_PROCESS, render_ended),
	TEXT("corrupt", VMIFS_SCOPE_PROCESS, render_corrupt),
	{ .name = "exe",
	  .scopes = VMIFS_SCOPE_PROCESS,
	  .kind = VMIFS_VIEW_LINK,
	  .render = render_exe },
	{ .name = "fd",
	  .scopes = VMIFS_SCOPE_PROCESS,
	  .kind = VMIFS_VIEW_LIST,
	  .entries = VMIFS_VIEW_LINK,
	  .render = render_fd,
	  .list = list_fd },
	{ .name = "ns",
	  .scopes = VMIFS_SCOPE_PROCESS,
	  .kind = VMIFS_VIEW_LIST,
	  .entries = VMIFS_VIEW_LINK,
	  .render = render_ns,
	  .list = list_ns,
	  .leads_nowhere = TRUE },
};

static const guint8 magic_bytes[] = "SLEEPY!";

static const VmifsPattern patterns[] = {
	{ .name = "sleepy header",
	  .bytes = magic_bytes,
	  .len = sizeof magic_bytes,
	  .align = 4096,
	  .fast = TRUE },
};

extern const VmifsOs vmifs_os_sleepy;

const VmifsOs vmifs_os_sleepy = {
	.name = "sleepy",
	.patterns = patterns,
	.n_patterns = G_N_ELEMENTS(patterns),
	.hit = hit,
	.attach = attach,
	.detach = g_free,
	.tasks = tasks,
	.task_aspace = task_aspace,
	.vmas = vmas,
	.n_vcpus = n_vcpus,
	.views = views,
	.n_views = G_N_ELEMENTS(views),
};
