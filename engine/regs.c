/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * regs: a short array, searched from its start: a vCPU has some dozens of registers, and they are
 * asked for by name a few times in the life of a guest.
 */
#include <vmifs/regs.h>

#include <string.h>

struct VmifsRegs {
	gatomicrefcount refs;
	GArray *regs; /* of VmifsReg */
};

VmifsRegs *
vmifs_regs_new(void)
{
	VmifsRegs *regs = g_new0(VmifsRegs, 1);

	g_atomic_ref_count_init(&regs->refs);
	regs->regs = g_array_new(FALSE, FALSE, sizeof(VmifsReg));
	return regs;
}

VmifsRegs *
vmifs_regs_ref(VmifsRegs *regs)
{
	g_atomic_ref_count_inc(&regs->refs);
	return regs;
}

void
vmifs_regs_unref(VmifsRegs *regs)
{
	if (!regs || !g_atomic_ref_count_dec(&regs->refs))
		return;
	g_array_unref(regs->regs);
	g_free(regs);
}

static VmifsReg *
find(const VmifsRegs *regs, const char *name)
{
	for (guint i = 0; i < regs->regs->len; i++) {
		VmifsReg *reg = &g_array_index(regs->regs, VmifsReg, i);
		if (reg->name[0] == name[0] && strcmp(reg->name, name) == 0)
			return reg;
	}
	return NULL;
}

/* Names become words of a text, later lines that are written. */
static gboolean
is_name(const char *name)
{
	gsize len = strlen(name);

	return len && len < VMIFS_REG_NAME_LEN &&
	       strspn(name, "abcdefghijklmnopqrstuvwxyz0123456789_") == len;
}

gboolean
vmifs_regs_set(VmifsRegs *regs, const char *name, guint64 value)
{
	VmifsReg *known = find(regs, name);
	VmifsReg reg = { .value = value };

	if (known) {
		known->value = value;
		return TRUE;
	}
	if (!is_name(name) || regs->regs->len >= VMIFS_MAX_REGS)
		return FALSE;
	g_strlcpy(reg.name, name, sizeof reg.name);
	g_array_append_val(regs->regs, reg);
	return TRUE;
}

gboolean
vmifs_regs_get(const VmifsRegs *regs, const char *name, guint64 *ret)
{
	const VmifsReg *reg = find(regs, name);

	if (!reg)
		return FALSE;
	*ret = reg->value;
	return TRUE;
}

const VmifsReg *
vmifs_regs_all(const VmifsRegs *regs, gsize *ret_n)
{
	*ret_n = regs->regs->len;
	return (const VmifsReg *) (gpointer) regs->regs->data;
}

void
vmifs_regs_text(const VmifsRegs *regs, guint vcpu, GString *out)
{
	for (guint i = 0; i < regs->regs->len; i++) {
		const VmifsReg *reg = &g_array_index(regs->regs, VmifsReg, i);
		g_string_append_printf(out, "vcpu%u %s 0x%" G_GINT64_MODIFIER "x\n", vcpu,
				       reg->name, reg->value);
	}
}
