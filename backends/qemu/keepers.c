/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* keepers: see the header. Of one thread alone. */
#include "keepers.h"

#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define SYSTEM_URI "qemu:///system"
/* Of the daemon of the whole host. */
#define NOTES "/run/libvirt/qemu"

struct QemuKeepers {
	void (*changed)(gpointer user);
	gpointer user;
	QemuLibvirt *chosen; /* (borrowed) (nullable) */
	char *uri;           /* of it */
	GHashTable *all;     /* QemuLibvirt by URI */
};

QemuKeepers *
qemu_keepers_new(void (*changed)(gpointer user), gpointer user)
{
	QemuKeepers *self = g_new0(QemuKeepers, 1);

	self->changed = changed;
	self->user = user;
	self->all = g_hash_table_new_full(g_str_hash, g_str_equal, g_free,
					  (GDestroyNotify) qemu_libvirt_close);
	return self;
}

void
qemu_keepers_free(QemuKeepers *self)
{
	if (!self)
		return;
	g_hash_table_unref(self->all);
	g_free(self->uri);
	g_free(self);
}

/* (borrowed) */
static QemuLibvirt *
daemon_at(QemuKeepers *self, const char *uri, GError **error)
{
	QemuLibvirt *libvirt = g_hash_table_lookup(self->all, uri);

	if (!libvirt) {
		libvirt = qemu_libvirt_open(uri, self->changed, self->user, error);
		if (libvirt)
			g_hash_table_insert(self->all, g_strdup(uri), libvirt);
	}
	return libvirt;
}

gboolean
qemu_keepers_choose(QemuKeepers *self, const char *uri, GError **error)
{
	self->chosen = daemon_at(self, uri, error);
	self->uri = g_strdup(uri);
	return self->chosen != NULL;
}

QemuLibvirtState
qemu_keepers_wait(QemuKeepers *self, gint64 until, char **ret_why)
{
	return qemu_libvirt_wait(self->chosen, until, ret_why);
}

static gboolean
is_of_host(const char *uri)
{
	return strstr(uri, ":///system") != NULL;
}

/* (full) Anybody can start a QEMU with the name and UUID of somebody else's domain. The daemon of
 * the whole host notes whose process is whose, in files that only it can write, before that process
 * becomes a QEMU; they are there whether it answers or not. NULL: it is that process, or there is
 * no saying, as from within a container. */
static char *
fault_of(const char *name, pid_t pid)
{
	g_autofree char *file = g_strconcat(name, ".pid", NULL);
	g_autofree char *path = g_build_filename(NOTES, file, NULL);
	g_autofree char *text = NULL;
	g_autoptr(GError) error = NULL;

	if (access(NOTES, F_OK) < 0)
		return NULL;
	if (strchr(file, '/'))
		return g_strdup("libvirt has no process of that name");
	if (g_file_get_contents(path, &text, NULL, &error))
		return g_ascii_strtoll(text, NULL, 10) == pid
			       ? NULL
			       : g_strdup("libvirt has another process of that name");
	return g_error_matches(error, G_FILE_ERROR, G_FILE_ERROR_NOENT)
		       ? g_strdup("libvirt has no process of that name")
		       : NULL;
}

GPtrArray *
qemu_keepers_targets(QemuKeepers *self)
{
	if (!qemu_libvirt_is_elsewhere(self->chosen))
		return NULL;
	g_autoptr(GPtrArray) domains = qemu_libvirt_domains(self->chosen);
	GPtrArray *targets = g_ptr_array_new_with_free_func((GDestroyNotify) qemu_target_free);
	for (guint i = 0; i < domains->len; i++) {
		const QemuLibvirtDomain *domain = g_ptr_array_index(domains, i);
		g_autofree char *life =
			g_strdup_printf("%s %s:%d", self->uri, domain->uuid, domain->id);
		QemuTarget *target = qemu_target_new_elsewhere(
			life, domain->name, qemu_libvirt_monitor(self->chosen, domain->uuid));
		target->source = g_strdup_printf("%s domain %s", self->uri, domain->name);
		g_ptr_array_add(targets, target);
	}
	return targets;
}

gboolean
qemu_keepers_may_have(QemuKeepers *self, const char *uuid, const char *name, pid_t pid)
{
	if (!qemu_libvirt_may_have(self->chosen, uuid))
		return FALSE;
	g_autofree char *fault = is_of_host(self->uri) ? fault_of(name, pid) : NULL;
	return !fault;
}

/* (full) Where the daemon listens that keeps this guest: its user's own, or that of the host. */
static char *
uri_of(const QemuTarget *target)
{
	static const char *const sockets[] = { "virtqemud-sock", "libvirt-sock" };
	struct stat st;

	if (fstat(target->proc, &st) < 0)
		return g_strdup(SYSTEM_URI);
	for (gsize i = 0; i < G_N_ELEMENTS(sockets); i++) {
		g_autofree char *path =
			g_strdup_printf("/run/user/%u/libvirt/%s", (guint) st.st_uid, sockets[i]);
		if (access(path, F_OK) == 0)
			return g_strconcat("qemu+unix:///session?socket=", path, NULL);
	}
	return g_strdup(SYSTEM_URI);
}

gboolean
qemu_keepers_reach(QemuKeepers *self, QemuTarget *target)
{
	g_autofree char *uri = self->uri ? g_strdup(self->uri) : uri_of(target);

	if (is_of_host(uri))
		target->no_monitor = fault_of(target->name, target->pid);
	if (target->no_monitor)
		return TRUE;
	QemuLibvirt *libvirt = daemon_at(self, uri, NULL);
	if (!libvirt)
		return FALSE;
	target->monitor = qemu_libvirt_monitor(libvirt, target->args->uuid);
	g_free(target->source);
	target->source = g_strdup_printf("%s domain %s", uri, target->name);
	return TRUE;
}

char *
qemu_keepers_failure(QemuKeepers *self)
{
	GHashTableIter iter;
	gpointer uri, libvirt;

	g_hash_table_iter_init(&iter, self->all);
	while (g_hash_table_iter_next(&iter, &uri, &libvirt)) {
		g_autofree char *why = NULL;
		qemu_libvirt_wait(libvirt, 0, &why);
		if (why && self->chosen)
			return g_steal_pointer(&why);
		if (why)
			return g_strdup_printf("%s: %s", (const char *) uri, why);
	}
	return NULL;
}
