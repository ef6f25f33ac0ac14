/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* backend-call: the wrappers. A backend that breaks its contract costs its guest, not the server.
 */
#include "backend-call.h"

#include "regions.h"

#include <errno.h>

/* ---- which backend ---- */

static gboolean
knows_format(const VmifsBackend *backend, const char *format)
{
	return backend->formats && g_strv_contains(backend->formats, format);
}

static gboolean
check_format(const char *format, GError **error)
{
	g_autoptr(GString) known = g_string_new(NULL);

	for (gsize i = 0; i < vmifs_n_backends; i++) {
		const VmifsBackend *backend = vmifs_backends[i];
		if (knows_format(backend, format))
			return TRUE;
		for (const char *const *f = backend->formats; f && *f; f++)
			g_string_append_printf(known, "%s%s", known->len ? ", " : "", *f);
	}
	g_set_error(error, VMIFS_ERROR, VMIFS_ERROR_INVALID,
		    "format=%s: no such format is read by this version; known are: %s", format,
		    known->str);
	return FALSE;
}

const VmifsBackend *
vmifs_backend_choose(const VmifsSource *src, GError **error)
{
	const char *format = src->options ? src->options->format : NULL;
	const VmifsBackend *best = NULL;
	int most = 0;

	if (format && !check_format(format, error))
		return NULL;
	for (gsize i = 0; i < vmifs_n_backends; i++) {
		const VmifsBackend *backend = vmifs_backends[i];
		/* The user is believed, not the content: a guest can plant a magic at address 0. */
		int sure = format ? knows_format(backend, format) : backend->probe(src);
		if (sure > most) {
			most = sure;
			best = backend;
		}
	}
	if (!best)
		g_set_error(error, VMIFS_ERROR, VMIFS_ERROR_SOURCE,
			    "%s: no backend of this version reads it", src->spec);
	return best;
}

/* ---- life ---- */

gpointer
vmifs_backend_open(const VmifsBackend *backend, const VmifsSource *src, const VmifsCall *call,
		   GError **error)
{
	GError *failure = NULL;
	gpointer instance = backend->open(src, call, &failure);

	if (!instance && !failure)
		g_set_error(&failure, VMIFS_ERROR, VMIFS_ERROR_SOURCE,
			    "%s: backend %s did not open it and does not say why", src->spec,
			    backend->name);
	if (instance) {
		g_clear_error(&failure);
		return instance;
	}
	g_propagate_error(error, failure);
	return NULL;
}

void
vmifs_backend_close(const VmifsBackend *backend, gpointer instance)
{
	backend->close(instance);
}

static void
block_clear(gpointer data)
{
	VmifsBlock *block = data;
	g_free((char *) block->name);
}

void
vmifs_layout_clear(VmifsLayout *layout)
{
	g_clear_pointer(&layout->regions, g_array_unref);
	g_clear_pointer(&layout->blocks, g_array_unref);
}

gboolean
vmifs_backend_layout(const VmifsBackend *backend, gpointer instance, VmifsLayout *ret,
		     const VmifsCall *call, GError **error)
{
	g_auto(VmifsLayout) layout = {
		.regions = g_array_new(FALSE, FALSE, sizeof(VmifsRegion)),
		.blocks = g_array_new(FALSE, FALSE, sizeof(VmifsBlock)),
	};

	g_array_set_clear_func(layout.blocks, block_clear);
	if (!backend->layout(instance, &layout, call, error) ||
	    !vmifs_regions_check(&layout, error))
		return FALSE;
	/* Without regs() its vCPUs are of no use to anybody. */
	ret->n_vcpus = backend->regs ? MIN(layout.n_vcpus, VMIFS_MAX_VCPUS) : 0;
	ret->regions = g_steal_pointer(&layout.regions);
	ret->blocks = g_steal_pointer(&layout.blocks);
	return TRUE;
}

/* ---- bytes ---- */

gboolean
vmifs_backend_read(const VmifsBackend *backend, gpointer instance, VmifsIo *io, gsize n,
		   const VmifsCall *call)
{
	/* An element that the backend forgets has failed. */
	for (gsize i = 0; i < n; i++)
		io[i].status = EIO;
	backend->read(instance, io, n, call);
	for (gsize i = 0; i < n; i++) {
		if (io[i].status)
			return FALSE;
	}
	return TRUE;
}

gboolean
vmifs_backend_map(const VmifsBackend *backend, gpointer instance, guint32 block, guint64 block_len,
		  VmifsDirect *ret, GError **error)
{
	VmifsDirect direct = { 0 };

	if (!backend->map || !backend->map(instance, block, &direct, error))
		return FALSE;
	gsize len = vmifs_mapping_len(direct.mapping);
	if (direct.offset > len || block_len > len - direct.offset) {
		vmifs_mapping_unref(direct.mapping);
		g_set_error(error, VMIFS_ERROR, VMIFS_ERROR_CORRUPT,
			    "backend %s mapped less than block %u has", backend->name, block);
		return FALSE;
	}
	*ret = direct;
	return TRUE;
}

guint64
vmifs_backend_extent(const VmifsBackend *backend, gpointer instance, guint32 block, guint64 offset,
		     guint64 len, gboolean *ret_data)
{
	gboolean data = TRUE;
	guint64 extent = 0;

	/* What nobody can tell is data: content must never be mistaken for a hole. */
	if (!backend->extent || !backend->extent(instance, block, offset, &data, &extent)) {
		*ret_data = TRUE;
		return len;
	}
	*ret_data = data;
	return CLAMP(extent, 1, len);
}

/* ---- about it ---- */

VmifsRegs *
vmifs_backend_regs(const VmifsBackend *backend, gpointer instance, guint vcpu,
		   const VmifsCall *call, GError **error)
{
	g_autoptr(VmifsRegs) regs = vmifs_regs_new();

	if (!backend->regs) {
		g_set_error(error, VMIFS_ERROR, VMIFS_ERROR_UNSUPPORTED,
			    "backend %s tells no registers", backend->name);
		return NULL;
	}
	if (!backend->regs(instance, vcpu, regs, call, error))
		return NULL;
	return g_steal_pointer(&regs);
}

GBytes *
vmifs_backend_note(const VmifsBackend *backend, gpointer instance, const char *owner)
{
	return backend->note ? backend->note(instance, owner) : NULL;
}

gint64
vmifs_backend_acquired(const VmifsBackend *backend, gpointer instance)
{
	return backend->acquired ? backend->acquired(instance) : 0;
}

void
vmifs_backend_info(const VmifsBackend *backend, gpointer instance, GString *out)
{
	if (backend->info)
		backend->info(instance, out);
}
