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

static gboolean
enter(VmifsConnection *connection, GError **error)
{
	if (G_LIKELY(vmifs_connection_enter(connection)))
		return TRUE;
	vmifs_connection_set_gone(error);
	return FALSE;
}

static gboolean
unsupported(VmifsConnection *connection, const char *what, GError **error)
{
	g_set_error(error, VMIFS_ERROR, VMIFS_ERROR_UNSUPPORTED, "backend %s %s",
		    connection->backend->name, what);
	return FALSE;
}

gboolean
vmifs_backend_layout(VmifsConnection *connection, VmifsLayout *ret, const VmifsCall *call,
		     GError **error)
{
	const VmifsBackend *backend = connection->backend;
	g_auto(VmifsLayout) layout = {
		.regions = g_array_new(FALSE, FALSE, sizeof(VmifsRegion)),
		.blocks = g_array_new(FALSE, FALSE, sizeof(VmifsBlock)),
	};

	g_array_set_clear_func(layout.blocks, block_clear);
	if (!enter(connection, error))
		return FALSE;
	gboolean told = backend->layout(connection->instance, &layout, call, error);
	vmifs_connection_leave(connection);
	if (!told || !vmifs_regions_check(&layout, error))
		return FALSE;
	/* Without regs() its vCPUs are of no use to anybody. */
	ret->n_vcpus = backend->regs ? MIN(layout.n_vcpus, VMIFS_MAX_VCPUS) : 0;
	ret->is_silent = layout.is_silent;
	ret->is_encrypted = layout.is_encrypted;
	ret->is_base_assumed = layout.is_base_assumed && layout.regions->len == 1;
	ret->regions = g_steal_pointer(&layout.regions);
	ret->blocks = g_steal_pointer(&layout.blocks);
	return TRUE;
}

/* ---- bytes ---- */

typedef gsize (*Transfer)(gpointer self, VmifsIo *io, gsize n, const VmifsCall *call);

static gboolean
transfer(VmifsConnection *connection, Transfer op, VmifsIo *io, gsize n, const VmifsCall *call)
{
	/* An element that the backend forgets has failed. */
	for (gsize i = 0; i < n; i++)
		io[i].status = EIO;
	if (!vmifs_connection_enter(connection))
		return FALSE;
	op(connection->instance, io, n, call);
	vmifs_connection_leave(connection);
	for (gsize i = 0; i < n; i++) {
		if (io[i].status)
			return FALSE;
	}
	return TRUE;
}

gboolean
vmifs_backend_read(VmifsConnection *connection, VmifsIo *io, gsize n, const VmifsCall *call)
{
	return transfer(connection, connection->backend->read, io, n, call);
}

/* May the guest be changed? */
static gboolean
may_change(VmifsConnection *connection, gboolean can, const char *cannot, GError **error)
{
	if (connection->backend->frozen || !connection->guest_rw) {
		g_set_error_literal(error, VMIFS_ERROR, VMIFS_ERROR_DENIED,
				    connection->backend->frozen
					    ? "images are never written"
					    : "not without guest_rw among the mount's options");
		return FALSE;
	}
	return can || unsupported(connection, cannot, error);
}

gboolean
vmifs_backend_may_write(VmifsConnection *connection, GError **error)
{
	return may_change(connection, connection->backend->write != NULL, "writes no memory",
			  error);
}

gboolean
vmifs_backend_write(VmifsConnection *connection, VmifsIo *io, gsize n, const VmifsCall *call)
{
	return transfer(connection, connection->backend->write, io, n, call);
}

gboolean
vmifs_backend_map(VmifsConnection *connection, guint32 block, guint64 block_len, VmifsDirect *ret,
		  GError **error)
{
	const VmifsBackend *backend = connection->backend;
	VmifsDirect direct = { 0 };

	if (!backend->map || !enter(connection, error))
		return FALSE;
	gboolean mapped = backend->map(connection->instance, block, &direct, error);
	vmifs_connection_leave(connection);
	if (!mapped)
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
vmifs_backend_extent(VmifsConnection *connection, guint32 block, guint64 offset, guint64 len,
		     gboolean *ret_data)
{
	const VmifsBackend *backend = connection->backend;
	gboolean data = TRUE, known = FALSE;
	guint64 extent = 0;

	/* What nobody can tell is data: content must never be mistaken for a hole. */
	if (backend->extent && vmifs_connection_enter(connection)) {
		known = backend->extent(connection->instance, block, offset, &data, &extent);
		vmifs_connection_leave(connection);
	}
	if (!known) {
		*ret_data = TRUE;
		return len;
	}
	*ret_data = data;
	return CLAMP(extent, 1, len);
}

gboolean
vmifs_backend_must_read(VmifsConnection *connection)
{
	const VmifsBackend *backend = connection->backend;
	gboolean must;

	if (!backend->must_read || !vmifs_connection_enter(connection))
		return FALSE;
	must = backend->must_read(connection->instance);
	vmifs_connection_leave(connection);
	return must;
}

/* ---- vCPUs and state ---- */

VmifsRegs *
vmifs_backend_regs(VmifsConnection *connection, guint vcpu, const VmifsCall *call, GError **error)
{
	const VmifsBackend *backend = connection->backend;
	g_autoptr(VmifsRegs) regs = vmifs_regs_new();

	if (!backend->regs) {
		unsupported(connection, "tells no registers", error);
		return NULL;
	}
	if (!enter(connection, error))
		return NULL;
	gboolean told = backend->regs(connection->instance, vcpu, regs, call, error);
	vmifs_connection_leave(connection);
	return told ? g_steal_pointer(&regs) : NULL;
}

gboolean
vmifs_backend_system_regs(VmifsConnection *connection, guint vcpu, VmifsRegs *regs,
			  const VmifsCall *call, GError **error)
{
	const VmifsBackend *backend = connection->backend;

	if (!backend->system_regs)
		return unsupported(connection, "tells no more registers", error);
	if (!enter(connection, error))
		return FALSE;
	gboolean told = backend->system_regs(connection->instance, vcpu, regs, call, error);
	vmifs_connection_leave(connection);
	return told;
}

gboolean
vmifs_backend_translate(VmifsConnection *connection, guint vcpu, guint64 va, guint64 *ret_pa,
			const VmifsCall *call, GError **error)
{
	const VmifsBackend *backend = connection->backend;

	if (!backend->translate)
		return unsupported(connection, "does not tell where a vCPU finds addresses", error);
	if (!enter(connection, error))
		return FALSE;
	gboolean told = backend->translate(connection->instance, vcpu, va, ret_pa, call, error);
	vmifs_connection_leave(connection);
	return told;
}

gboolean
vmifs_backend_set_reg(VmifsConnection *connection, guint vcpu, const char *name, guint64 value,
		      const VmifsCall *call, GError **error)
{
	const VmifsBackend *backend = connection->backend;

	if (!may_change(connection, backend->set_reg != NULL, "sets no registers", error) ||
	    !enter(connection, error))
		return FALSE;
	vmifs_connection_begin_hold(connection);
	gboolean set = backend->set_reg(connection->instance, vcpu, name, value, call, error);
	vmifs_connection_end_hold(connection);
	vmifs_connection_leave(connection);
	return set;
}

gboolean
vmifs_backend_state(VmifsConnection *connection, VmifsState *ret, const VmifsCall *call,
		    GError **error)
{
	const VmifsBackend *backend = connection->backend;

	if (backend->frozen || !backend->state) {
		*ret = backend->frozen ? VMIFS_STATE_SNAPSHOT : VMIFS_STATE_RUNNING;
		return TRUE;
	}
	if (!enter(connection, error))
		return FALSE;
	gboolean told = backend->state(connection->instance, ret, call, error);
	vmifs_connection_leave(connection);
	return told;
}

gboolean
vmifs_backend_set_state(VmifsConnection *connection, VmifsState wanted, const VmifsCall *call,
			GError **error)
{
	const VmifsBackend *backend = connection->backend;

	if (wanted != VMIFS_STATE_RUNNING && wanted != VMIFS_STATE_PAUSED) {
		g_set_error(error, VMIFS_ERROR, VMIFS_ERROR_INVALID, "no guest can be made %s",
			    vmifs_state_to_string(wanted));
		return FALSE;
	}
	if (!may_change(connection, backend->set_state != NULL, "cannot stop or resume a guest",
			error) ||
	    !enter(connection, error))
		return FALSE;
	gboolean set = backend->set_state(connection->instance, wanted, call, error);
	vmifs_connection_leave(connection);
	return set;
}

gboolean
vmifs_backend_take_snapshot(VmifsConnection *connection, VmifsPictureWriter *out,
			    const VmifsCall *call, GError **error)
{
	const VmifsBackend *backend = connection->backend;

	if (!backend->snapshot)
		return unsupported(connection, "takes no snapshots", error);
	if (!enter(connection, error))
		return FALSE;
	vmifs_connection_begin_hold(connection);
	gboolean taken = backend->snapshot(connection->instance, out, call, error);
	vmifs_connection_end_hold(connection);
	vmifs_connection_leave(connection);
	return taken;
}

/* ---- stops ---- */

static gboolean
may_stop(VmifsConnection *connection, GError **error)
{
	const VmifsBackend *backend = connection->backend;

	if (connection->passive) {
		g_set_error_literal(error, VMIFS_ERROR, VMIFS_ERROR_DENIED,
				    "not on a passive mount");
		return FALSE;
	}
	return (!backend->frozen && backend->arm) ||
	       unsupported(connection, "stops no guest at what happens in it", error);
}

gboolean
vmifs_backend_stop_caps(VmifsConnection *connection, VmifsStopCaps *ret, const VmifsCall *call,
			GError **error)
{
	VmifsStopCaps caps = { 0 };

	if (!may_stop(connection, error) || !enter(connection, error))
		return FALSE;
	gboolean told = connection->backend->stop_caps(connection->instance, &caps, call, error);
	vmifs_connection_leave(connection);
	if (told)
		*ret = caps;
	return told;
}

gboolean
vmifs_backend_arm(VmifsConnection *connection, guint64 id, const VmifsStopPoint *points, guint n,
		  guint *ret_failed, const VmifsCall *call, GError **error)
{
	*ret_failed = 0;
	if (!may_stop(connection, error))
		return FALSE;
	for (guint i = 0; i < n; i++) {
		*ret_failed = i;
		if (points[i].patch && !may_change(connection, TRUE, NULL, error))
			return FALSE;
	}
	*ret_failed = 0;
	if (!enter(connection, error))
		return FALSE;
	vmifs_connection_begin_hold(connection);
	gboolean armed = connection->backend->arm(connection->instance, id, points, n, ret_failed,
						  call, error);
	vmifs_connection_end_hold(connection);
	vmifs_connection_leave(connection);
	return armed;
}

void
vmifs_backend_disarm(VmifsConnection *connection, const guint64 *ids, guint n)
{
	if (!vmifs_connection_enter(connection))
		return;
	vmifs_connection_begin_hold(connection);
	connection->backend->disarm(connection->instance, ids, n);
	vmifs_connection_end_hold(connection);
	vmifs_connection_leave(connection);
}

/* ---- about it ---- */

GBytes *
vmifs_backend_note(VmifsConnection *connection, const char *owner)
{
	const VmifsBackend *backend = connection->backend;
	GBytes *note;

	if (!backend->note || !vmifs_connection_enter(connection))
		return NULL;
	note = backend->note(connection->instance, owner);
	vmifs_connection_leave(connection);
	return note;
}

gint64
vmifs_backend_acquired(VmifsConnection *connection)
{
	const VmifsBackend *backend = connection->backend;
	gint64 acquired;

	if (!backend->acquired || !vmifs_connection_enter(connection))
		return 0;
	acquired = backend->acquired(connection->instance);
	vmifs_connection_leave(connection);
	return acquired;
}

void
vmifs_backend_info(VmifsConnection *connection, GString *out)
{
	const VmifsBackend *backend = connection->backend;

	if (!backend->info || !vmifs_connection_enter(connection))
		return;
	backend->info(connection->instance, out);
	vmifs_connection_leave(connection);
}
