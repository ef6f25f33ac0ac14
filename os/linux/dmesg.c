/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * dmesg: where the printk ring buffer lies and how its structures are laid out; prb.c reads it.
 * Kernels that tell nothing of their types tell that much in VMCOREINFO.
 */
#include "linux.h"
#include "prb.h"

static gboolean
read_kernel(gpointer user, guint64 addr, gpointer buf, gsize len)
{
	const Linux *os = user;

	return vmifs_aspace_read(os->aspace, addr, buf, len, NULL);
}

LinuxVmcoreinfo *
linux_note_of(const Linux *os)
{
	guint8 head[LINUX_VMCOREINFO_HEAD];
	guint64 at;

	if (os->found->vmcoreinfo)
		return linux_vmcoreinfo_ref(os->found->vmcoreinfo);
	if (!linux_word_variable(os, "vmcoreinfo_note", &at, NULL) ||
	    !vmifs_aspace_read(os->aspace, at, head, sizeof head, NULL))
		return NULL;
	gsize len = linux_vmcoreinfo_size(head);
	g_autofree guint8 *bytes = g_malloc(len);
	if (!len || !vmifs_aspace_read(os->aspace, at, bytes, len, NULL))
		return NULL;
	return linux_vmcoreinfo_new(bytes, len, NULL);
}

/* A member, and what VMCOREINFO calls the way to it. */
typedef struct {
	LinuxField field;
	const char *outer, *inner; /* inner: (nullable) */
} Place;

static gboolean
noted(const Linux *os, const char *kind, const char *name, guint64 *ret)
{
	g_autofree char *key = g_strdup_printf("%s(%s)", kind, name);

	return os->note && linux_vmcoreinfo_number(os->note, key, ret) && *ret <= G_MAXUINT16;
}

static gboolean
offset_of(const Linux *os, const Place *place, guint64 *ret, GError **error)
{
	guint64 outer, inner = 0;

	if (linux_has(os, place->field) || !noted(os, "OFFSET", place->outer, &outer) ||
	    (place->inner && !noted(os, "OFFSET", place->inner, &inner)))
		return linux_offset(os, place->field, ret, error);
	*ret = outer + inner;
	return TRUE;
}

static gboolean
size_of(const Linux *os, LinuxStruct structure, const char *name, guint32 *ret, GError **error)
{
	guint64 size = linux_layout_sizeof(os->layout, structure);

	if (!size && !noted(os, "SIZE", name, &size))
		return linux_sizeof(os, structure, &size, error);
	*ret = (guint32) size;
	return TRUE;
}

static gboolean
fill_layout(const Linux *os, LinuxPrb *prb, GError **error)
{
	const struct {
		Place place;
		guint32 *at;
	} fields[] = {
		{ { LINUX_FIELD_PRINTK_DESC_STATE, "prb_desc.state_var", "atomic_long_t.counter" },
		  &prb->desc_state },
		{ { LINUX_FIELD_PRINTK_DESC_BEGIN, "prb_desc.text_blk_lpos",
		    "prb_data_blk_lpos.begin" },
		  &prb->desc_begin },
		{ { LINUX_FIELD_PRINTK_DESC_NEXT, "prb_desc.text_blk_lpos",
		    "prb_data_blk_lpos.next" },
		  &prb->desc_next },
		{ { LINUX_FIELD_PRINTK_INFO_TIME, "printk_info.ts_nsec", NULL }, &prb->info_time },
		{ { LINUX_FIELD_PRINTK_INFO_TEXT_LEN, "printk_info.text_len", NULL },
		  &prb->info_text_len },
	};
	guint64 at;

	for (gsize i = 0; i < G_N_ELEMENTS(fields); i++) {
		if (!offset_of(os, &fields[i].place, &at, error))
			return FALSE;
		*fields[i].at = (guint32) at;
	}
	prb->word = linux_word(os);
	return size_of(os, LINUX_STRUCT_PRINTK_DESC, "prb_desc", &prb->desc_size, error) &&
	       size_of(os, LINUX_STRUCT_PRINTK_INFO, "printk_info", &prb->info_size, error);
}

static gboolean
fill_ring(const Linux *os, guint64 ring, LinuxPrb *prb, GError **error)
{
	static const char desc_ring[] = "printk_ringbuffer.desc_ring";
	static const char text_ring[] = "printk_ringbuffer.text_data_ring";
	const guint32 word = linux_word(os);
	guint64 desc_bits = 0, text_bits = 0;
	const struct {
		Place place;
		guint32 size;
		guint64 *value;
	} members[] = {
		{ { LINUX_FIELD_PRINTK_RING_COUNT_BITS, desc_ring, "prb_desc_ring.count_bits" },
		  4,
		  &desc_bits },
		{ { LINUX_FIELD_PRINTK_RING_TEXT_SIZE_BITS, text_ring, "prb_data_ring.size_bits" },
		  4,
		  &text_bits },
		{ { LINUX_FIELD_PRINTK_RING_DESCS, desc_ring, "prb_desc_ring.descs" },
		  word,
		  &prb->descs },
		{ { LINUX_FIELD_PRINTK_RING_INFOS, desc_ring, "prb_desc_ring.infos" },
		  word,
		  &prb->infos },
		{ { LINUX_FIELD_PRINTK_RING_TEXT, text_ring, "prb_data_ring.data" },
		  word,
		  &prb->text },
		{ { LINUX_FIELD_PRINTK_RING_HEAD_ID, desc_ring, "prb_desc_ring.head_id" },
		  word,
		  &prb->head_id },
		{ { LINUX_FIELD_PRINTK_RING_TAIL_ID, desc_ring, "prb_desc_ring.tail_id" },
		  word,
		  &prb->tail_id },
	};
	guint64 at;

	for (gsize i = 0; i < G_N_ELEMENTS(members); i++)
		if (!offset_of(os, &members[i].place, &at, error) ||
		    !linux_load(os, ring + at, members[i].size, members[i].value, error))
			return FALSE;
	prb->desc_bits = (guint32) desc_bits;
	prb->text_bits = (guint32) text_bits;
	return TRUE;
}

LINUX_VIEW(linux_render_dmesg)
{
	const Linux *self = os;
	LinuxPrb prb = { .read = read_kernel, .user = os };
	guint64 ring, skipped;

	if (!linux_word_variable(self, "prb", &ring, error) || !fill_layout(self, &prb, error) ||
	    !fill_ring(self, ring, &prb, error) ||
	    !linux_prb_format(&prb, out, &skipped, call, error))
		return FALSE;
	if (skipped)
		vmifs_guest_log(self->guest,
				"dmesg: %" G_GUINT64_FORMAT " records could not be read", skipped);
	return TRUE;
}
