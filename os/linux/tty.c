/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * tty: /proc/tty/drivers: which terminals a device number may mean. Tools turn the numbers in stat
 * into names with it.
 */
#include "list.h"
#include "linux.h"

#define MAX_DRIVERS 65536
#define MAX_NAME 256
#define MAX_NUM (1 << 20)
#define MINOR_BITS 20
#define MINORS (G_GUINT64_CONSTANT(1) << MINOR_BITS)

typedef struct {
	const Linux *os;
	guint64 link_at;
	GString *out;
	LinuxCursor c;
} Drivers;

/* What the kernel calls a type and its subtype. Types were counted from 1 on, later from 0. */
static void
append_kind(Drivers *d, guint number, guint subtype)
{
	static const struct {
		guint type, subtype; /* 0: any */
		const char *text;
	} kinds[] = {
		{ 1, 1, "system:/dev/tty" }, { 1, 2, "system:vtmaster" },
		{ 1, 3, "system:console" },  { 1, 0, "system" },
		{ 2, 0, "console" },         { 3, 2, "serial:callout" },
		{ 3, 0, "serial" },          { 4, 1, "pty:master" },
		{ 4, 2, "pty:slave" },       { 4, 0, "pty" },
	};
	gint64 system = 1;

	linux_layout_value(d->os->layout, LINUX_VALUE_TTY_DRIVER_TYPE_SYSTEM, &system);
	guint type = number + 1 - (guint) system;
	for (gsize i = 0; i < G_N_ELEMENTS(kinds); i++)
		if (kinds[i].type == type && (!kinds[i].subtype || kinds[i].subtype == subtype)) {
			g_string_append(d->out, kinds[i].text);
			return;
		}
	g_string_append_printf(d->out, "type:%u.%u", number, subtype);
}

static char *
name_at(Drivers *d, guint64 driver, LinuxField field, const char *missing)
{
	guint64 pointer = linux_take(&d->c, driver, field);
	g_autoptr(GString) text = g_string_new(NULL);
	g_autofree char *name =
		pointer ? vmifs_aspace_read_string(d->os->aspace, pointer, MAX_NAME, NULL) : NULL;

	vmifs_text_append_mangled(text, name ? name : missing, -1, LINUX_CONTROL_BYTES);
	return g_string_free(g_steal_pointer(&text), FALSE);
}

/* Devices of one major number. */
static void
append_range(Drivers *d, guint64 driver, guint64 from, guint64 num)
{
	g_autofree char *driver_name =
		name_at(d, driver, LINUX_FIELD_TTY_DRIVER_DRIVER_NAME, "unknown");
	g_autofree char *name = name_at(d, driver, LINUX_FIELD_TTY_DRIVER_NAME, "");
	guint major = (guint) (from >> MINOR_BITS), minor = (guint) (from & (MINORS - 1));

	g_string_append_printf(d->out, "%-20s /dev/%-8s ", driver_name, name);
	if (linux_take(&d->c, driver, LINUX_FIELD_TTY_DRIVER_NUM) > 1)
		g_string_append_printf(d->out, "%3u %u-%u ", major, minor, minor + (guint) num - 1);
	else
		g_string_append_printf(d->out, "%3u %7u ", major, minor);
	append_kind(d, (guint) linux_take(&d->c, driver, LINUX_FIELD_TTY_DRIVER_TYPE),
		    (guint) linux_take(&d->c, driver, LINUX_FIELD_TTY_DRIVER_SUBTYPE));
	g_string_append_c(d->out, '\n');
}

static gboolean
visit_driver(guint64 link, gpointer user)
{
	Drivers *d = user;
	guint64 driver = link - d->link_at;
	guint64 from = (linux_take(&d->c, driver, LINUX_FIELD_TTY_DRIVER_MAJOR) << MINOR_BITS) +
		       linux_take(&d->c, driver, LINUX_FIELD_TTY_DRIVER_MINOR_START);
	guint64 num = MIN(linux_take(&d->c, driver, LINUX_FIELD_TTY_DRIVER_NUM), MAX_NUM);
	guint64 to = from + num;

	if (d->c.error)
		return FALSE;
	while (from >> MINOR_BITS < to >> MINOR_BITS) {
		guint64 next = ((from >> MINOR_BITS) + 1) << MINOR_BITS;
		append_range(d, driver, from, next - from);
		from = next;
	}
	if (from != to)
		append_range(d, driver, from, to - from);
	return !d->c.error;
}

/* Terminals that no driver stands for. */
static void
append_pseudo(const Linux *os, GString *out)
{
	guint64 address;

	g_string_append(out, "/dev/tty             /dev/tty        5       0 system:/dev/tty\n"
			     "/dev/console         /dev/console    5       1 system:console\n");
	if (linux_symbol(os, "ptmx_open", &address, NULL))
		g_string_append(out, "/dev/ptmx            /dev/ptmx       5       2 system\n");
	if (linux_symbol(os, "con_install", &address, NULL))
		g_string_append(out,
				"/dev/vc/0            /dev/vc/0       4       0 system:vtmaster\n");
}

LINUX_VIEW(linux_render_tty_drivers)
{
	const Linux *self = os;
	Drivers d = { .os = os, .out = out, .c = { .os = os } };
	guint64 head;

	if (!linux_symbol(self, "tty_drivers", &head, error) ||
	    !linux_offset(self, LINUX_FIELD_TTY_DRIVER_LIST, &d.link_at, error))
		return FALSE;
	append_pseudo(self, out);
	if (linux_list_each(self->aspace, head, MAX_DRIVERS, visit_driver, &d, call, error) &&
	    linux_cursor_end(&d.c, error))
		return TRUE;
	g_clear_error(&d.c.error);
	return FALSE;
}
