/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * toy: the smallest operating system that uses every seam of spi/os.h, so that the engine stays
 * honest about systems that are not Linux: a header at a page start, a task array in kernel memory,
 * two page-table roots per task (as Windows on KPTI has), and pages that are in RAM although their
 * entries say "not present" (as transition pages are).
 *
 *   header page:  "TOY-OS!\0"  u64 root  u64 tasks (virtual)  u32 n_tasks  u32 alive  u32 busy
 *                 u32 still  u32 known, when it is attached: 1 = no tasks yet, 0 = all
 *   at 0xff8 of the first page of tasks: where its one module is, 0 = nowhere
 *   task, 48 bytes: u32 pid  u32 ppid  u64 root  u64 shadow_root  char comm[16]  u64 start_time
 *   not-present entry whose bit 11 is set: the page is still at the entry's address
 */
#include <spi/bytes.h>
#include <spi/os.h>

#define TASK_LEN 48
#define MAX_TASKS 1000
#define TRANSITION (1ull << 11)
#define ADDRESS_MASK 0x000ffffffffff000ull

typedef struct {
	VmifsKernel kernel;
	guint64 header;
	guint64 tasks;
	guint32 n_tasks, known;
	guint n_asked; /* events; by the thread of stops */
} Toy;

static void
hit(VmifsProbe *probe, const VmifsPattern *pattern, guint64 pa)
{
	guint8 header[32];
	char magic[8] = "";
	if (!vmifs_physmem_read(vmifs_probe_physmem(probe), pa, header, sizeof header, NULL, NULL))
		return;
	guint64 root = vmifs_load_u64(header + 8), tasks = vmifs_load_u64(header + 16);
	gsize mode, end;
	for (vmifs_probe_modes_of(probe, "x86_64", &mode, &end); mode < end; mode++) {
		VmifsAspace *aspace = vmifs_probe_try_root(probe, mode, root, 0);
		if (!aspace)
			continue;
		gboolean proved = vmifs_aspace_read(aspace, tasks, magic, 1, NULL);
		Toy *toy = g_new0(Toy, 1);
		toy->header = pa;
		toy->tasks = tasks;
		toy->n_tasks = vmifs_load_u32(header + 24);
		int score = !proved ? 0 : vmifs_load_u32(header + 28) ? 100 : 50;
		vmifs_probe_add(probe, aspace, score,
				g_strdup_printf("header at 0x%" G_GINT64_MODIFIER "x in %s", pa,
						vmifs_probe_mode_name(probe, mode)),
				toy, g_free);
	}
	g_autoptr(VmifsRegs) regs = vmifs_probe_n_vcpus(probe) ? vmifs_probe_regs(probe, 0) : NULL;
	vmifs_probe_note(probe, "a header at 0x%" G_GINT64_MODIFIER "x%s", pa,
			 regs ? " and registers" : "");
}

static gpointer
attach(const VmifsKernel *kernel, const VmifsCall *call, GError **error)
{
	Toy *toy;

	if (((const Toy *) kernel->data)->n_tasks > MAX_TASKS) {
		g_set_error(error, VMIFS_ERROR, VMIFS_ERROR_CORRUPT, "too many tasks");
		return NULL;
	}
	toy = g_memdup2(kernel->data, sizeof *toy);
	toy->kernel = *kernel;
	vmifs_physmem_read(toy->kernel.mem, toy->header + 40, &toy->known, sizeof toy->known, call,
			   NULL);
	return toy;
}

static guint
known(gpointer self)
{
	const Toy *toy = self;

	return toy->known ? GUINT32_FROM_LE(toy->known) : G_MAXUINT;
}

/* Another boot has another array of tasks. */
static gboolean
alive(gpointer self, gboolean *ret_sure, const VmifsCall *call)
{
	const Toy *toy = self;
	guint8 header[40];

	if (!vmifs_physmem_read(toy->kernel.mem, toy->header, header, sizeof header, call, NULL))
		return FALSE;
	*ret_sure = !vmifs_load_u32(header + 36);
	return !memcmp(header, "TOY-OS!", 8) && vmifs_load_u64(header + 16) == toy->tasks;
}

static gboolean
read_task(const Toy *toy, guint32 index, guint8 *ret, GError **error)
{
	return vmifs_aspace_read(toy->kernel.aspace, toy->tasks + index * (guint64) TASK_LEN, ret,
				 TASK_LEN, error);
}

static VmifsTaskList *
tasks(gpointer self, const VmifsCall *call, GError **error)
{
	const Toy *toy = self;
	g_autoptr(GArray) list = g_array_new(FALSE, TRUE, sizeof(VmifsTask));
	for (guint32 i = 0; i < toy->n_tasks && known(self) > 1; i++) {
		guint8 raw[TASK_LEN];
		if (!read_task(toy, i, raw, error))
			return NULL;
		VmifsTask task = { .pid = vmifs_load_u32(raw),
				   .tgid = vmifs_load_u32(raw),
				   .ppid = vmifs_load_u32(raw + 4),
				   .object = i + 1,
				   .mm = vmifs_load_u64(raw + 8),
				   .start_time = vmifs_load_u64(raw + 40) };
		memcpy(task.comm, raw + 24, 15);
		g_array_append_val(list, task);
	}
	guint32 busy = 0;
	vmifs_physmem_read(toy->kernel.mem, toy->header + 32, &busy, sizeof busy, call, NULL);
	return vmifs_task_list_new(g_steal_pointer(&list), !busy);
}

/* Of each task one mapping; while the header says busy it does not hang together. */
static gboolean
vmas(gpointer self, const VmifsTask *task, GArray *ret, const VmifsCall *call, GError **error)
{
	const Toy *toy = self;
	VmifsVma vma = { .start = 0x1000, .end = 0x2000 };
	gint64 start = g_get_monotonic_time();
	guint32 busy = 0;
	guint n = 0;

	do {
		if (!vmifs_physmem_read(toy->kernel.mem, toy->header + 32, &busy, sizeof busy, call,
					error))
			return FALSE;
		n++;
	} while (busy && vmifs_guest_may_retry(toy->kernel.guest, start, NULL, call));
	if (busy)
		vmifs_guest_log(toy->kernel.guest, "mappings are partial, read %s",
				n > 1 ? "again and again" : "once");
	g_array_append_val(ret, vma);
	return TRUE;
}

static gboolean
resolve(gpointer user, const VmifsRange *not_present, VmifsRange *ret)
{
	if (not_present->level != 1 || !(not_present->entry & TRANSITION))
		return FALSE;
	*ret = *not_present;
	ret->kind = VMIFS_RANGE_PAGE;
	ret->perms = VMIFS_PERM_READ | VMIFS_PERM_USER;
	ret->pa = (not_present->entry & ADDRESS_MASK) | (not_present->va & 0xfff);
	return TRUE;
}

static VmifsAspace *
task_aspace(gpointer self, const VmifsTask *task, GError **error)
{
	Toy *toy = self;
	if (task->mm)
		return vmifs_aspace_new_like(toy->kernel.aspace, task->mm, resolve, toy);
	g_set_error(error, VMIFS_ERROR, VMIFS_ERROR_HOLE, "task %u has no memory", task->pid);
	return NULL;
}

static guint64
module_base(const Toy *toy)
{
	guint8 raw[8] = { 0 };

	vmifs_aspace_read(toy->kernel.aspace, toy->tasks + 0xff8, raw, sizeof raw, NULL);
	return vmifs_load_u64(raw);
}

static gboolean
modules(gpointer self, GArray *ret, const VmifsCall *call, GError **error)
{
	VmifsModule module = { .base = module_base(self), .name = "plug" };

	if (module.base)
		g_array_append_val(ret, module);
	return TRUE;
}

static VmifsSymbols *
symbols(gpointer self, const VmifsCall *call, GError **error)
{
	const Toy *toy = self;
	VmifsSymbolsBuilder *builder = vmifs_symbols_builder_new();
	guint64 module = module_base(toy);

	vmifs_symbols_builder_add(builder, toy->tasks, 'D', "tasks", 5);
	vmifs_symbols_builder_add(builder, toy->tasks + 0x400, 'T', "run", 3);
	vmifs_symbols_builder_add(builder, toy->tasks + 0x500, 't', "twin", 4);
	vmifs_symbols_builder_add(builder, toy->tasks + 0x600, 't', "twin", 4);
	if (module)
		vmifs_symbols_builder_add(builder, module, 't', "plugged", 7);
	return vmifs_symbols_builder_end(builder);
}

static guint
task_roots(gpointer self, const VmifsTask *task, guint64 *ret, GError **error)
{
	guint8 raw[TASK_LEN];

	if (!read_task(self, (guint32) task->object - 1, raw, error))
		return 0;
	ret[0] = vmifs_load_u64(raw + 8);
	ret[1] = vmifs_load_u64(raw + 16);
	return 2;
}

static gboolean
current(gpointer self, guint vcpu, const VmifsRegs *regs, VmifsTask *ret, GError **error)
{
	guint64 root, roots[2];
	g_autoptr(VmifsTaskList) list = tasks(self, NULL, NULL);

	for (gsize i = 0; list && i < vmifs_task_list_count(list); i++) {
		const VmifsTask *task = vmifs_task_list_get(list, i);
		if (vmifs_regs_get(regs, "cr3", &root) && task_roots(self, task, roots, NULL) &&
		    (root == roots[0] || root == roots[1])) {
			*ret = *task;
			return TRUE;
		}
	}
	return FALSE;
}

/* Its tasks start at one place, named by a register, with as many further arguments as another one
 * says; nothing is known of modules. */
static gboolean
event_points(gpointer self, VmifsOsEvents which, GArray *ret, GError **error)
{
	guint64 address = ((const Toy *) self)->tasks + 0x700;

	if (which == VMIFS_OS_TASKS)
		g_array_append_val(ret, address);
	else
		g_set_error(error, VMIFS_ERROR, VMIFS_ERROR_UNSUPPORTED, "it loads nothing");
	return which == VMIFS_OS_TASKS;
}

static gboolean
event_at(gpointer self, VmifsOsEvents which, guint64 address, guint vcpu, const VmifsRegs *regs,
	 VmifsOsEvent *ret, const VmifsCall *call)
{
	Toy *toy = self;
	guint64 which_task, n_more = 0, tells_count = 0;

	toy->n_asked++;
	if (!vmifs_regs_get(regs, "rdi", &which_task) || which_task != 7)
		return FALSE;
	*ret = (VmifsOsEvent){ .what = "exec",
			       .task = { .pid = 7, .tgid = 7, .ppid = 1, .comm = "toy" },
			       .path = g_strdup("/bin/toy"),
			       .arguments = g_string_new_len("toy\0-x\0\xff\0", 9) };
	if (vmifs_regs_get(regs, "rdx", &tells_count) && tells_count) {
		g_free(ret->path);
		ret->path = g_strdup_printf("/asked/%u", toy->n_asked);
	}
	vmifs_regs_get(regs, "rsi", &n_more);
	for (guint64 i = 0; i < n_more; i++)
		g_string_append_len(ret->arguments, "x", 2);
	return TRUE;
}

/* `shadow`: the task's other root, to show that a view can have an address space of its own. */
static gboolean
render_shadow(gpointer self, const VmifsTask *task, const char *entry, GString *out,
	      const VmifsCall *call, GError **error)
{
	const Toy *toy = self;
	guint8 raw[TASK_LEN];
	g_string_append_printf(out, "of %u: ", task->pid);
	if (!read_task(toy, (guint32) task->object - 1, raw, error))
		return FALSE;
	g_autoptr(VmifsAspace) aspace =
		vmifs_aspace_new_like(toy->kernel.aspace, vmifs_load_u64(raw + 16), NULL, NULL);
	g_autofree char *text = vmifs_aspace_read_string(aspace, 0x1000, 64, error);
	if (!text)
		return FALSE;
	g_string_append(out, text);
	return TRUE;
}

/* `tables`: of what tasks with the same memory have in common, made slowly: how often it was made.
 */
static gint n_made;

static gboolean
render_tables(gpointer self, const VmifsTask *task, const char *entry, GString *out,
	      const VmifsCall *call, GError **error)
{
	g_usleep(5000);
	g_string_append_printf(out, "%d", g_atomic_int_add(&n_made, 1) + 1);
	if (task->mm)
		return TRUE;
	g_set_error(error, VMIFS_ERROR, VMIFS_ERROR_CORRUPT, "failure %s", out->str);
	return FALSE;
}

static gboolean
about_tables(gpointer self, const VmifsTask *task, const char *entry, guint64 ret[VMIFS_VIEW_WORDS])
{
	ret[0] = task->mm;
	return TRUE;
}

static const guint8 magic_bytes[] = "TOY-OS!";
static const guint8 slow_magic_bytes[] = "TOY-OS?";

static const VmifsPattern patterns[] = {
	{ .name = "toy header",
	  .bytes = magic_bytes,
	  .len = sizeof magic_bytes,
	  .align = 4096,
	  .fast = TRUE },
	{ .name = "toy header anywhere",
	  .bytes = slow_magic_bytes,
	  .len = sizeof slow_magic_bytes,
	  .align = 8 },
};

static const VmifsView views[] = {
	{ .name = "shadow",
	  .scopes = VMIFS_SCOPE_PROCESS,
	  .kind = VMIFS_VIEW_TEXT,
	  .render = render_shadow },
	{ .name = "tables",
	  .scopes = VMIFS_SCOPE_PROCESS,
	  .kind = VMIFS_VIEW_TEXT,
	  .render = render_tables,
	  .about = about_tables },
};

extern const VmifsOs vmifs_os_toy;

const VmifsOs vmifs_os_toy = {
	.name = "toy",
	.patterns = patterns,
	.n_patterns = G_N_ELEMENTS(patterns),
	.hit = hit,
	.attach = attach,
	.detach = g_free,
	.symbols = symbols,
	.tasks = tasks,
	.modules = modules,
	.task_aspace = task_aspace,
	.vmas = vmas,
	.current = current,
	.task_roots = task_roots,
	.event_points = event_points,
	.event_at = event_at,
	.alive = alive,
	.known = known,
	.views = views,
	.n_views = G_N_ELEMENTS(views),
};
