/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* linux-image: each part is written where its symbol says. */
#include "linux-image.h"

#include <spi/bytes.h>
#include <string.h>

#define TEXT_VA G_GUINT64_CONSTANT(0xffffffff81000000)
#define IMAGE_VA G_GUINT64_CONSTANT(0xffffffff80000000)

enum {
	BANNER = 0x200100,
	TABLES = 0x210000,
	ROOT = 0x400000,
	INIT_TASK = 0x404000,
	TASK = 0x406000,
	CLOCK = 0x408000,
	UTS = 0x409000,
	/* in struct task_struct */
	TASKS = 0x8b0,
	PARENT = 0x9f0,
	COMM = 0xba0,
};

#define N_TEXT 4
static const KallsymsNamed named[] = {
	{ 0x10000, 'T', "schedule" },        { 0x10100, 'T', "vfs_read" },
	{ 0x10200, 'T', "do_exit" },         { 0x1ff010, 'T', "_etext" },
	{ 0x200000, 'R', "__start_rodata" }, { BANNER, 'R', "linux_banner" },
	{ 0x3ff000, 'R', "__end_rodata" },   { ROOT, 'D', "init_top_pgt" },
	{ INIT_TASK, 'D', "init_task" },     { CLOCK, 'd', "tk_core" },
	{ UTS, 'D', "init_uts_ns" },
};

typedef struct {
	guint8 *at; /* _text */
	const LinuxImagePlan *plan;
	guint64 va;
} Image;

static void
put(const Image *image, gsize offset, guint64 value)
{
	value = GUINT64_TO_LE(value);
	memcpy(image->at + offset, &value, 8);
}

guint64
linux_image_delta(const LinuxImagePlan *plan)
{
	return TEXT_VA + plan->slide - plan->text_pa;
}

guint64
linux_image_root(const LinuxImagePlan *plan)
{
	return plan->text_pa + ROOT;
}

/* The image by 2 MiB pages at its own address, and the first GiB of memory by one page in the
 * linear map, which is below. */
static void
put_page_tables(const Image *image, guint8 *memory)
{
	guint64 pa = image->plan->text_pa + ROOT;
	gsize top = ROOT;

	if (image->plan->five) {
		put(image, ROOT + 8 * 511, (pa + 0x3000) | 0x63);
		top = ROOT + 0x3000;
	}
	put(image, top + 8 * 273, (pa + 0xf000) | 0x63);
	put(image, top + 8 * 511, (pa + 0x1000) | 0x63);
	put(image, ROOT + 0xf000, 0xe3);
	put(image, ROOT + 0x1000 + 8 * 510, (pa + 0x2000) | 0x63);
	for (guint64 at = 0; at < LINUX_IMAGE_LEN; at += 2 << 20)
		put(image, ROOT + 0x2000 + 8 * ((image->va + at - IMAGE_VA) >> 21),
		    (image->plan->text_pa + at) | 0xe3);
	if (image->plan->process_pa)
		memcpy(memory + image->plan->process_pa, image->at + ROOT, 4096);
}

static void
put_tasks(const Image *image)
{
	static const struct {
		gsize at, other;
		const char *comm;
	} tasks[] = { { INIT_TASK, TASK, "swapper/0" }, { TASK, INIT_TASK, "odd\n\033" } };

	for (guint i = 0; i < G_N_ELEMENTS(tasks); i++) {
		put(image, tasks[i].at + TASKS, image->va + tasks[i].other + TASKS);
		put(image, tasks[i].at + TASKS + 8, image->va + tasks[i].other + TASKS);
		put(image, tasks[i].at + PARENT, image->va + INIT_TASK);
		put(image, tasks[i].at + PARENT + 8, image->va + INIT_TASK);
		memcpy(image->at + tasks[i].at + COMM, tasks[i].comm, strlen(tasks[i].comm));
	}
}

static void
put_note(const Image *image, guint8 *page, guint64 token_table)
{
	const LinuxImagePlan *plan = image->plan;
	g_autoptr(GString) text = g_string_new(NULL);
	guint32 head[] = { GUINT32_TO_LE(11), 0, 0 };

	g_string_printf(text,
			"OSRELEASE=%s\nBUILD-ID=0123abcd\nPAGESIZE=4096\n"
			"SYMBOL(init_uts_ns)=%" G_GINT64_MODIFIER "x\n"
			"SYMBOL(swapper_pg_dir)=%" G_GINT64_MODIFIER "x\n"
			"SYMBOL(_stext)=%" G_GINT64_MODIFIER "x\n"
			"NUMBER(phys_base)=%" G_GINT64_MODIFIER "d\n"
			"NUMBER(sme_mask)=0\nKERNELOFFSET=%" G_GINT64_MODIFIER "x\n",
			plan->release, image->va + UTS, image->va + ROOT, image->va,
			(gint64) (IMAGE_VA - linux_image_delta(plan)), plan->slide);
	if (!plan->no_keys)
		g_string_append_printf(text,
				       "SYMBOL(kallsyms_token_table)=%" G_GINT64_MODIFIER "x\n",
				       token_table);
	head[1] = GUINT32_TO_LE((guint32) text->len);
	memcpy(page, head, sizeof head);
	memcpy(page + sizeof head, "VMCOREINFO\0", 12);
	memcpy(page + sizeof head + 12, text->str, text->len);
}

void
linux_image_put(guint8 *memory, gsize len, const LinuxImagePlan *plan)
{
	Image image = { memory + plan->text_pa, plan, TEXT_VA + plan->slide };
	guint32 n_named = plan->text_only ? N_TEXT : G_N_ELEMENTS(named);
	KallsymsPlan tables = {
		.encoding = plan->encoding,
		.behind = TRUE,
		.align = 8,
		.marker_width = 4,
		.n = 3000,
		.pa = plan->text_pa + TABLES,
		.text = plan->encoding == LINUX_KALLSYMS_PC_RELATIVE ? plan->text_pa : image.va,
		.named = named,
		.n_named = n_named,
	};
	KallsymsImage kallsyms;

	g_assert(vmifs_in_bounds(plan->text_pa, LINUX_IMAGE_LEN, len));
	kallsyms_image_make(&kallsyms, &tables);
	g_assert(kallsyms.bytes->len < ROOT - TABLES);
	if (plan->no_tables)
		kallsyms.bytes->data[kallsyms.index_at]++;
	memcpy(image.at + TABLES, kallsyms.bytes->data, kallsyms.bytes->len);
	if (plan->note_pa)
		put_note(&image, memory + plan->note_pa, image.va + TABLES + kallsyms.tokens_at);
	kallsyms_image_clear(&kallsyms);
	g_snprintf((char *) image.at + BANNER, 200, "Linux version %s (test@test) #1 SMP\n",
		   plan->release);
	if (plan->asleep)
		return;
	put_page_tables(&image, memory);
	put_tasks(&image);
	g_strlcpy((char *) image.at + UTS + 4 + 130, plan->release, 65);
	put(&image, CLOCK + 120, plan->clock);
	put(&image, CLOCK + 128, 77);
}
