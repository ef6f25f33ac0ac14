/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * find-uri: the guests that one daemon of libvirt has: processes of this host that are its, as long
 * as it can be asked, and seem to be while it cannot; of another host what it tells of.
 */
#include "find.h"

#include <string.h>
#include <vmifs/error.h>

/* Of what open() may take those that a daemon may take; without its answer its guests are shown all
 * the same. */
#define LIBVIRT_PATIENCE (200 * G_TIME_SPAN_MILLISECOND)

gboolean
qemu_finder_is_kept(const QemuFinder *self, const QemuTarget *target)
{
	return target->args->libvirt &&
	       qemu_keepers_may_have(self->keepers, target->args->uuid, target->name, target->pid);
}

void
qemu_finder_drop_strangers(QemuFinder *self)
{
	for (guint i = self->guests->len; self->is_libvirts && i-- > 0;) {
		const QemuFound *guest = &g_array_index(self->guests, QemuFound, i);
		if (!qemu_keepers_may_have(self->keepers, guest->uuid, guest->name, guest->pid))
			qemu_finder_tell_gone(self, i);
	}
}

static gboolean
steal_target(GPtrArray *targets, const char *key, QemuTarget **ret)
{
	for (guint i = 0; i < targets->len; i++) {
		g_autofree char *own = qemu_target_key(g_ptr_array_index(targets, i));
		if (!g_str_equal(own, key))
			continue;
		*ret = g_ptr_array_steal_index_fast(targets, i);
		return TRUE;
	}
	return FALSE;
}

void
qemu_finder_look_elsewhere(QemuFinder *self)
{
	g_autoptr(GPtrArray) targets = qemu_keepers_targets(self->keepers);

	for (guint i = self->guests->len; i-- > 0;) {
		QemuTarget *known;
		if (steal_target(targets, g_array_index(self->guests, QemuFound, i).key, &known))
			qemu_target_free(known);
		else
			qemu_finder_tell_gone(self, i);
	}
	while (targets->len)
		qemu_finder_tell(self, g_ptr_array_steal_index_fast(targets, targets->len - 1),
				 NULL);
}

typedef struct {
	const QemuFinder *finder;
	gboolean found;
} Any;

/* Are there guests of its daemon here, as far as can be told without it? */
static QemuCensusVerdict
note_any(gpointer user, QemuTarget *target)
{
	Any *any = user;

	any->found = any->found || qemu_finder_is_kept(any->finder, target);
	return QEMU_CENSUS_OTHER;
}

/* libvirt has drivers for other hypervisors, too, and each would fail in words of its own: who has
 * Xen is told so before anything is tried. */
static gboolean
check_driver(const char *uri, GError **error)
{
	gsize len = strcspn(uri, "+:");

	if (len == strlen("qemu") && g_str_has_prefix(uri, "qemu"))
		return TRUE;
	g_set_error(error, VMIFS_ERROR, VMIFS_ERROR_SOURCE,
		    "%s: libvirt's driver '%.*s' has no guests whose memory can be read; running "
		    "guests are those of QEMU and KVM: qemu:///system, qemu:///session, or "
		    "qemu+ssh://HOST/system. Of others, give a memory image (ELF core, LiME, raw)",
		    uri, (int) len, uri);
	return FALSE;
}

gboolean
qemu_finder_add_uri(QemuFinder *self, const char *uri, GError **error)
{
	g_autofree char *why = NULL;
	Any any = { .finder = self };

	if (!check_driver(uri, error))
		return FALSE;
	self->is_libvirts = TRUE;
	if (!qemu_keepers_choose(self->keepers, uri, error))
		return FALSE;
	QemuLibvirtState state =
		qemu_keepers_wait(self->keepers, g_get_monotonic_time() + LIBVIRT_PATIENCE, &why);
	g_autoptr(GPtrArray) elsewhere = qemu_keepers_targets(self->keepers);
	self->is_elsewhere = elsewhere != NULL;
	if (self->is_elsewhere && self->use == VMIFS_MONITOR_NEVER) {
		g_set_error(
			error, VMIFS_ERROR, VMIFS_ERROR_SOURCE,
			"%s: its guests run on another host: with monitor=never there is no way "
			"to them; run vmifs there",
			uri);
		return FALSE;
	}
	if (!self->is_elsewhere)
		self->census = qemu_census_new();
	if (state != QEMU_LIBVIRT_FAILED)
		return TRUE;
	/* Its guests live on without it. */
	if (self->census)
		qemu_census_look(self->census, TRUE, note_any, &any);
	if (any.found)
		return TRUE;
	g_set_error(error, VMIFS_ERROR, VMIFS_ERROR_SOURCE, "%s: %s%s", uri, why,
		    self->is_elsewhere ? "; vmifs run on that host needs no way to it" : "");
	return FALSE;
}
