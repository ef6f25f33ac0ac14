/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* dmesg: where the printk ring buffer lies and how its structures are laid out; prb.c reads it. */
#include "linux.h"
#include "prb.h"

static gboolean
read_kernel(gpointer user, guint64 addr, gpointer buf, gsize len)
{
	const Linux *os = user;

	return vmifs_aspace_read(os->aspace, addr, buf, len, NULL);
}

static gboolean
fill_layout(const Linux *os, LinuxPrb *prb, GError **error)
{
	const struct {
		LinuxField field;
		guint32 *at;
	} fields[] = {
		{ LINUX_FIELD_PRINTK_DESC_STATE, &prb->desc_state },
		{ LINUX_FIELD_PRINTK_DESC_BEGIN, &prb->desc_begin },
		{ LINUX_FIELD_PRINTK_DESC_NEXT, &prb->desc_next },
		{ LINUX_FIELD_PRINTK_INFO_TIME, &prb->info_time },
		{ LINUX_FIELD_PRINTK_INFO_TEXT_LEN, &prb->info_text_len },
	};
	guint64 at, desc_size, info_size;

	for (gsize i = 0; i < G_N_ELEMENTS(fields); i++) {
		if (!linux_offset(os, fields[i].field, &at, error))
			return FALSE;
		*fields[i].at = (guint32) at;
	}
	if (!linux_sizeof(os, LINUX_STRUCT_PRINTK_DESC, &desc_size, error) ||
	    !linux_sizeof(os, LINUX_STRUCT_PRINTK_INFO, &info_size, error))
		return FALSE;
	prb->desc_size = (guint32) desc_size;
	prb->info_size = (guint32) info_size;
	prb->word = vmifs_aspace_ptr_size(os->aspace);
	return TRUE;
}

LINUX_VIEW(linux_render_dmesg)
{
	const Linux *self = os;
	LinuxPrb prb = { .read = read_kernel, .user = os };
	guint64 ring, desc_bits, text_bits, skipped;

	if (!linux_variable(self, "prb", 8, &ring, error) || !fill_layout(self, &prb, error) ||
	    !linux_get(self, ring, LINUX_FIELD_PRINTK_RING_COUNT_BITS, &desc_bits, error) ||
	    !linux_get(self, ring, LINUX_FIELD_PRINTK_RING_TEXT_SIZE_BITS, &text_bits, error) ||
	    !linux_get(self, ring, LINUX_FIELD_PRINTK_RING_DESCS, &prb.descs, error) ||
	    !linux_get(self, ring, LINUX_FIELD_PRINTK_RING_INFOS, &prb.infos, error) ||
	    !linux_get(self, ring, LINUX_FIELD_PRINTK_RING_TEXT, &prb.text, error) ||
	    !linux_get(self, ring, LINUX_FIELD_PRINTK_RING_HEAD_ID, &prb.head_id, error) ||
	    !linux_get(self, ring, LINUX_FIELD_PRINTK_RING_TAIL_ID, &prb.tail_id, error))
		return FALSE;
	prb.desc_bits = (guint32) MIN(desc_bits, G_MAXUINT32);
	prb.text_bits = (guint32) MIN(text_bits, G_MAXUINT32);
	if (!linux_prb_format(&prb, out, &skipped, call, error))
		return FALSE;
	if (skipped)
		vmifs_guest_log(self->guest,
				"dmesg: %" G_GUINT64_FORMAT " records could not be read", skipped);
	return TRUE;
}
