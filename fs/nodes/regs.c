/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * regs: every register that the source tells, one a line: of all vCPUs under the guest, of one
 * under its own directory, in the same form. Writing such lines sets registers.
 */
#include "nodes.h"

#include <stdlib.h>
#include <string.h>

VmifsPresent
vmifs_present_with_regs(VmifsNode *dir)
{
	return vmifs_guest_n_reg_vcpus(vmifs_node_guest(dir)) ? VMIFS_PRESENT_YES
							      : VMIFS_PRESENT_NO;
}

static gboolean
append(VmifsNode *self, guint vcpu, GString *out, VmifsNodeCall *call, GError **error)
{
	g_autoptr(VmifsRegs) regs =
		vmifs_guest_all_regs(vmifs_node_guest(self), vcpu, &call->call, error);
	if (!regs)
		return FALSE;
	vmifs_regs_text(regs, vcpu, out);
	return TRUE;
}

/* An image has them at hand; a hypervisor has to be asked. */
static gboolean
may_ask(VmifsNode *self, VmifsNodeCall *call)
{
	return self->guest->frozen ? vmifs_node_needs_work(call) : vmifs_node_needs_monitor(call);
}

/* ---- writing ---- */

typedef struct {
	guint vcpu;
	guint64 value;
	char name[VMIFS_REG_NAME_LEN];
} Setting;

/* "vcpu0 rip 0xffffffff81000000"; only: the vCPU whose file it is, or NULL; n_vcpus: that there
 * are. Returns: why not, or NULL. */
static const char *
parse_line(const char *line, const guint *only, guint n_vcpus, Setting *ret)
{
	g_auto(GStrv) words = g_strsplit_set(line, " \t", -1);
	const char *given[4];
	guint n = 0;
	for (guint i = 0; words[i]; i++)
		if (*words[i] && n < G_N_ELEMENTS(given))
			given[n++] = words[i];
	guint64 vcpu;
	if (n != 3)
		return "a line is vcpuN, a register's name, and its value";
	if (!g_str_has_prefix(given[0], "vcpu") ||
	    !g_ascii_string_to_unsigned(given[0] + 4, 10, 0, VMIFS_MAX_VCPUS - 1, &vcpu, NULL))
		return "it does not begin with the number of a vCPU: vcpu0";
	if (only && vcpu != *only)
		return "it is of another vCPU than the file";
	if (vcpu >= n_vcpus)
		return "the guest has no such vCPU";
	if (strlen(given[1]) >= sizeof ret->name)
		return "no register has such a long name";
	gboolean hex = g_str_has_prefix(given[2], "0x");
	if (!g_ascii_string_to_unsigned(given[2] + (hex ? 2 : 0), hex ? 16 : 10, 0, G_MAXUINT64,
					&ret->value, NULL))
		return "the value is a number of 64 bits: 0x1f, or 31";
	ret->vcpu = (guint) vcpu;
	g_strlcpy(ret->name, given[1], sizeof ret->name);
	return NULL;
}

/* All lines are understood before the first has an effect. */
static GArray *
parse_lines(const char *text, const guint *only, guint n_vcpus, GError **error)
{
	g_autoptr(GArray) settings = g_array_new(FALSE, FALSE, sizeof(Setting));
	g_auto(GStrv) lines = g_strsplit(text, "\n", -1);
	for (guint i = 0; lines[i]; i++) {
		Setting setting;
		const char *why = parse_line(lines[i], only, n_vcpus, &setting);
		if (why) {
			vmifs_set_not_understood(lines[i], why, error);
			return NULL;
		}
		g_array_append_val(settings, setting);
	}
	return g_steal_pointer(&settings);
}

static gsize
write_lines(VmifsNode *self, const guint *only, gconstpointer data, gsize len, VmifsNodeCall *call,
	    GError **error)
{
	if (!may_ask(self, call))
		return 0;
	g_autofree char *text = vmifs_control_text(data, len);
	guint n_vcpus = vmifs_guest_n_reg_vcpus(vmifs_node_guest(self));
	g_autoptr(GArray) settings = parse_lines(text, only, n_vcpus, error);
	for (guint i = 0; settings && i < settings->len; i++) {
		const Setting *setting = &g_array_index(settings, Setting, i);
		if (!vmifs_guest_set_reg(vmifs_node_guest(self), setting->vcpu, setting->name,
					 setting->value, &call->call, error))
			return 0;
	}
	return settings ? len : 0;
}

/* ---- of all ---- */

static gboolean
render_all(VmifsNode *self, GString *out, VmifsNodeCall *call, GError **error)
{
	if (!may_ask(self, call))
		return FALSE;
	guint n = vmifs_guest_n_reg_vcpus(vmifs_node_guest(self));
	for (guint i = 0; i < n; i++)
		if (!append(self, i, out, call, error))
			return FALSE;
	return TRUE;
}

static gsize
write_all(VmifsNode *self, gpointer file, guint64 off, gconstpointer data, gsize len,
	  VmifsNodeCall *call, GError **error)
{
	return write_lines(self, NULL, data, len, call, error);
}

const VmifsNodeOps vmifs_node_regs = {
	.type = S_IFREG,
	.render = render_all,
	.write = write_all,
};

/* ---- of one ---- */

/* The directory's name is the canonical number of a vCPU. */
static guint
vcpu_of(const VmifsNode *self)
{
	return (guint) strtoul(self->parent->name, NULL, 10);
}

static gboolean
render_one(VmifsNode *self, GString *out, VmifsNodeCall *call, GError **error)
{
	return may_ask(self, call) && append(self, vcpu_of(self), out, call, error);
}

static gsize
write_one(VmifsNode *self, gpointer file, guint64 off, gconstpointer data, gsize len,
	  VmifsNodeCall *call, GError **error)
{
	guint vcpu = vcpu_of(self);
	return write_lines(self, &vcpu, data, len, call, error);
}

const VmifsNodeOps vmifs_node_vcpu_regs = {
	.type = S_IFREG,
	.render = render_one,
	.write = write_one,
};
