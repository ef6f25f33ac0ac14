/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* asleep: a sleeping task of a kernel of three functions, one of them of the scheduler. */
#pragma once

#include <unit.h>

#include <linux-guest.h>
#include <os/linux/machine.h>

/* Of every machine; thread_struct and pt_regs are each one's own, and come before. */
#define TASK_TYPES                                                                                 \
	"struct list_head 16 next@0:8 prev@8:8\n"                                                  \
	"struct vm_struct 16 nr_pages@8:4\n"                                                       \
	"struct task_struct 160 __state@0:4 on_cpu@4:4 on_rq@8:4 stack@16:8 stack_vm_area@24:8 "   \
	"thread@32=thread_struct\n"                                                                \
	"struct module 64 list@8=list_head\n"

#define STACK_LEN 0x2000

typedef struct {
	LinuxGuest g;
	GString *out;
	GError *error;
	VmifsTask task;
	guint64 code, stack, regs;
} Fixture;

typedef gboolean (*Render)(gpointer os, const VmifsTask *task, const char *entry, GString *out,
			   const VmifsCall *call, GError **error);

/* entry: the third function, through which programs come. regs_len: of what it leaves on a stack.
 */
static inline void
setup_asleep(Fixture *f, const char *types, void (*use)(LinuxGuest *g), const char *entry,
	     gsize regs_len)
{
	*f = (Fixture){ .out = g_string_new(NULL) };
	LinuxGuest *g = &f->g;
	linux_guest_init(g, types);
	use(g);
	f->code = linux_guest_alloc(g, 0x1000);
	f->stack = linux_guest_alloc(g, STACK_LEN);
	f->regs = f->stack + STACK_LEN - regs_len;
	f->task.object = linux_guest_new(g, LINUX_STRUCT_TASK);
	guint64 area = linux_guest_new(g, LINUX_STRUCT_VM_STRUCT);
	linux_guest_put(g, area, LINUX_FIELD_VM_STRUCT_NR_PAGES, STACK_LEN / 4096);
	linux_guest_put(g, f->task.object, LINUX_FIELD_TASK_STATE, 1);
	linux_guest_put(g, f->task.object, LINUX_FIELD_TASK_STACK, f->stack);
	linux_guest_put(g, f->task.object, LINUX_FIELD_TASK_STACK_AREA, area);
	linux_guest_symbol(g, "schedule", f->code);
	linux_guest_symbol(g, "wait_here", f->code + 0x100);
	linux_guest_symbol(g, entry, f->code + 0x200);
	linux_guest_symbol(g, "_stext", f->code);
	linux_guest_symbol(g, "_etext", f->code + 0x300);
	linux_guest_symbol(g, "_end", f->code + 0x300);
	linux_guest_symbol(g, "__sched_text_start", f->code);
	linux_guest_symbol(g, "__sched_text_end", f->code + 0x100);
}

static inline void
teardown(Fixture *f)
{
	linux_guest_clear(&f->g);
	g_string_free(f->out, TRUE);
	g_clear_error(&f->error);
}

/* [ caller's frame, return address ] */
static inline void
frame(Fixture *f, guint64 at, guint64 next, guint64 link)
{
	linux_guest_u64(&f->g, at, next);
	linux_guest_u64(&f->g, at + 8, link);
}

static inline const char *
render(Fixture *f, Render function)
{
	ck_assert_msg(function(linux_guest_start(&f->g), &f->task, NULL, f->out, NULL, &f->error),
		      "%s", f->error ? f->error->message : "");
	return f->out->str;
}

/* An entry that is not present, of a table of that level. */
typedef struct {
	guint64 entry;
	guint level;
	gboolean in_ram;
} AbsentEntry;

/* Is it a page all the same? */
static inline void
assert_resolved(Fixture *f, const LinuxMachine *machine, const AbsentEntry *e)
{
	const Linux *os = linux_guest_start(&f->g);
	VmifsRange range = { .kind = VMIFS_RANGE_NOT_PRESENT,
			     .va = 0x1234,
			     .entry = e->entry,
			     .level = (guint8) e->level,
			     .page_shift = e->level == 1 ? 12 : 21 };
	VmifsRange page;

	ck_assert_ptr_eq(linux_machine(os), machine);
	ck_assert_int_eq(machine->resolve(os->mem, &range, &page), e->in_ram);
	if (e->in_ram) {
		ck_assert_int_eq(page.kind, VMIFS_RANGE_PAGE);
		ck_assert_uint_eq(page.pa, e->level == 1 ? 0x10234 : 0x1234);
	}
}
