/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * system: the short texts about the whole guest: version, cmdline, and the names that uname(2)
 * gives, which procfs has under sys/kernel/. Some can be set by whoever owns a user namespace: what
 * would steer a terminal is escaped.
 */
#include "linux.h"

#define MAX_CMDLINE (64 * 1024)
#define MAX_FORMAT 1024
#define MAX_UTS 65

static void
append_line(GString *out, const char *text, gsize len)
{
	vmifs_text_append_mangled(out, text, (gssize) len, LINUX_CONTROL_BYTES);
	g_string_append_c(out, '\n');
}

/* One of the texts of the initial uts namespace. */
static char *
read_uts(const Linux *os, LinuxField field, GError **error)
{
	guint64 ns;
	char text[MAX_UTS + 1] = { 0 };

	if (!linux_symbol(os, "init_uts_ns", &ns, error) ||
	    !linux_get_bytes(os, ns, field, text, MAX_UTS, error))
		return NULL;
	return g_strdup(text);
}

/* The kernel keeps the text of /proc/version as a format for its three names. */
LINUX_VIEW(linux_render_version)
{
	static const LinuxField names[] = { LINUX_FIELD_UTS_NAMESPACE_SYSNAME,
					    LINUX_FIELD_UTS_NAMESPACE_RELEASE,
					    LINUX_FIELD_UTS_NAMESPACE_VERSION };
	const Linux *self = os;
	g_autoptr(GString) text = g_string_new(NULL);
	guint64 address;
	gsize used = 0;

	address = self->texts.proc_banner;
	if (!linux_symbol(self, "linux_proc_banner", &address, address ? NULL : error) && !address)
		return FALSE;
	g_autofree char *format =
		vmifs_aspace_read_string(self->aspace, address, MAX_FORMAT, error);
	if (!format)
		return FALSE;
	for (const char *p = format; *p; p++) {
		if (p[0] != '%' || p[1] != 's' || used == G_N_ELEMENTS(names)) {
			g_string_append_c(text, *p);
			continue;
		}
		g_autofree char *name = read_uts(self, names[used++], error);
		if (!name)
			return FALSE;
		g_string_append(text, name);
		p++;
	}
	append_line(out, text->str, text->len - g_str_has_suffix(text->str, "\n"));
	return TRUE;
}

LINUX_VIEW(linux_render_kernel_cmdline)
{
	const Linux *self = os;
	guint64 address;

	if (!linux_word_variable(self, "saved_command_line", &address, error))
		return FALSE;
	g_autofree char *text = vmifs_aspace_read_string(self->aspace, address, MAX_CMDLINE, error);
	if (!text)
		return FALSE;
	append_line(out, text, strlen(text));
	return TRUE;
}

static gboolean
render_uts(const Linux *os, LinuxField field, GString *out, GError **error)
{
	g_autofree char *text = read_uts(os, field, error);

	if (!text)
		return FALSE;
	append_line(out, text, strlen(text));
	return TRUE;
}

LINUX_VIEW(linux_render_ostype)
{
	return render_uts(os, LINUX_FIELD_UTS_NAMESPACE_SYSNAME, out, error);
}

LINUX_VIEW(linux_render_osrelease)
{
	return render_uts(os, LINUX_FIELD_UTS_NAMESPACE_RELEASE, out, error);
}

LINUX_VIEW(linux_render_hostname)
{
	return render_uts(os, LINUX_FIELD_UTS_NAMESPACE_NODENAME, out, error);
}

LINUX_VIEW(linux_render_uts_version)
{
	return render_uts(os, LINUX_FIELD_UTS_NAMESPACE_VERSION, out, error);
}

/* Of the namespace since 6.14; a variable before. */
LINUX_VIEW(linux_render_pid_max)
{
	const Linux *self = os;
	guint64 ns, max;

	if (linux_has(self, LINUX_FIELD_PID_NAMESPACE_PID_MAX)) {
		if (!linux_symbol(self, "init_pid_ns", &ns, error) ||
		    !linux_get(self, ns, LINUX_FIELD_PID_NAMESPACE_PID_MAX, &max, error))
			return FALSE;
	} else if (!linux_variable(self, "pid_max", 4, &max, error)) {
		return FALSE;
	}
	g_string_append_printf(out, "%d\n", (gint32) max);
	return TRUE;
}
