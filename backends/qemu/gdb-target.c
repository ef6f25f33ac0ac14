/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* gdb-target: see the header. Of a description registers and what it includes count. */
#include "gdb-target.h"

#include "gdb.h"

#include <string.h>
#include <vmifs/error.h>

#define MAX_REGS 1024
#define MAX_INCLUDES 16

typedef struct {
	QemuGdbTarget *target;
	GPtrArray *includes;
	gboolean in_architecture, in_system;
} Parse;

#define SYSTEM_FEATURE "org.qemu.gdb.arm.sys.regs"

static const char *
attribute(const char **names, const char **values, const char *wanted)
{
	for (gsize i = 0; names[i]; i++)
		if (g_str_equal(names[i], wanted))
			return values[i];
	return NULL;
}

/* As they are told elsewhere: lower case. What is too long for a register's name has none; its
 * number counts. */
static void
take_name(const char *name, QemuGdbReg *ret)
{
	if (strlen(name) >= sizeof ret->name)
		return;
	for (gsize i = 0; name[i]; i++)
		ret->name[i] = g_ascii_tolower(name[i]);
}

/* Numbers go on from the register before where none is given. */
static gboolean
add_reg(const Parse *parse, const char **names, const char **values, GError **error)
{
	QemuGdbTarget *target = parse->target;
	const char *name = attribute(names, values, "name");
	const char *bits = attribute(names, values, "bitsize");
	const char *number = attribute(names, values, "regnum");
	const QemuGdbReg *before =
		target->regs->len ? &g_array_index(target->regs, QemuGdbReg, target->regs->len - 1)
				  : NULL;
	QemuGdbReg reg = { .is_system = parse->in_system };
	guint64 n_bits, at = before ? before->number + 1 : 0;

	if (!name || !*name || !bits ||
	    !g_ascii_string_to_unsigned(bits, 10, 1, 4096, &n_bits, NULL) ||
	    (number && !g_ascii_string_to_unsigned(number, 10, 0, G_MAXINT, &at, NULL)))
		return qemu_gdb_corrupt("a register that is described badly", error);
	if (target->regs->len >= MAX_REGS || at >= G_MAXINT)
		return qemu_gdb_corrupt("too many registers", error);
	take_name(name, &reg);
	reg.bits = (guint) n_bits;
	reg.number = (guint) at;
	g_array_append_val(target->regs, reg);
	return TRUE;
}

static void
start_element(GMarkupParseContext *context, const char *element, const char **names,
	      const char **values, gpointer user, GError **error)
{
	Parse *parse = user;
	const char *href = attribute(names, values, "href");

	parse->in_architecture = g_str_equal(element, "architecture");
	if (g_str_equal(element, "feature"))
		parse->in_system = !g_strcmp0(attribute(names, values, "name"), SYSTEM_FEATURE);
	if (g_str_equal(element, "reg"))
		add_reg(parse, names, values, error);
	if (!g_str_equal(element, "xi:include") || !href)
		return;
	/* It is a word of the next packet. */
	if (parse->includes->len >= MAX_INCLUDES || strpbrk(href, "#$}*:"))
		qemu_gdb_corrupt("parts of its description that are not followed", error);
	else
		g_ptr_array_add(parse->includes, g_strdup(href));
}

static void
text_of(GMarkupParseContext *context, const char *text, gsize len, gpointer user, GError **error)
{
	Parse *parse = user;

	if (!parse->in_architecture || parse->target->architecture)
		return;
	parse->target->architecture = g_strndup(text, MIN(len, 64));
	g_strstrip(parse->target->architecture);
}

gboolean
qemu_gdb_describe(QemuGdbTarget *target, const char *xml, gsize len, GPtrArray *includes,
		  GError **error)
{
	static const GMarkupParser parser = { .start_element = start_element, .text = text_of };
	Parse parse = { .target = target, .includes = includes };
	g_autoptr(GMarkupParseContext) context =
		g_markup_parse_context_new(&parser, 0, &parse, NULL);
	g_autoptr(GError) problem = NULL;

	/* There may be no bytes at all. */
	if (!len)
		return qemu_gdb_corrupt("an empty description", error);
	if (g_markup_parse_context_parse(context, xml, (gssize) len, &problem) &&
	    g_markup_parse_context_end_parse(context, &problem))
		return TRUE;
	if (problem->domain == VMIFS_ERROR)
		g_propagate_error(error, g_steal_pointer(&problem));
	else
		qemu_gdb_corrupt("its description is no XML", error);
	return FALSE;
}

void
qemu_gdb_target_init(QemuGdbTarget *target)
{
	*target = (QemuGdbTarget){ .regs = g_array_new(FALSE, FALSE, sizeof(QemuGdbReg)) };
}

void
qemu_gdb_target_clear(QemuGdbTarget *target)
{
	g_array_unref(target->regs);
	g_free(target->architecture);
}

static const QemuGdbReg *
find(const QemuGdbTarget *target, const char *name)
{
	for (guint i = 0; i < target->regs->len; i++) {
		const QemuGdbReg *reg = &g_array_index(target->regs, QemuGdbReg, i);
		if (g_str_equal(reg->name, name))
			return reg;
	}
	return NULL;
}

const QemuGdbReg *
qemu_gdb_target_find(const QemuGdbTarget *target, const char *name)
{
	const QemuGdbReg *reg = *name ? find(target, name) : NULL;

	if (reg || name[0] != 'e' || strlen(name) != 3)
		return reg;
	const char whole[] = { 'r', name[1], name[2], '\0' };
	return find(target, whole);
}

const QemuGdbReg *
qemu_gdb_target_pc(const QemuGdbTarget *target)
{
	static const char *const names[] = { "rip", "eip", "pc" };
	const QemuGdbReg *pc = NULL;

	for (gsize i = 0; i < G_N_ELEMENTS(names) && !pc; i++)
		pc = find(target, names[i]);
	return pc;
}

/* QEMU's "gdb_stop_before_watchpoint", which of those that are known here x86 alone has not. */
gboolean
qemu_gdb_target_stops_before(const QemuGdbTarget *target)
{
	return target->architecture && !g_str_has_prefix(target->architecture, "i386");
}
