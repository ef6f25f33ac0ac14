/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * known: see the header. What the monitor has told is better than the rules, and is not given up
 * for them again when it falls silent.
 */
#include "known.h"

#include "mtree.h"
#include "rules.h"

#include <vmifs/text.h>

/* For guesses, which a guest can make go wrong again and again. */
#define GUESS_PATIENCE (5 * G_TIME_SPAN_SECOND)

void
qemu_known_init(QemuKnown *self, const QemuTarget *target, const gint *given_up)
{
	*self = (QemuKnown){ .target = target, .given_up = given_up };
	g_mutex_init(&self->lock);
}

void
qemu_known_clear(QemuKnown *self)
{
	g_mutex_clear(&self->lock);
	g_free(self->how);
	qemu_about_clear(&self->about);
}

gboolean
qemu_known_may_ask(QemuKnown *self, GError **error)
{
	if (!self->target->monitor) {
		g_set_error(error, VMIFS_ERROR, VMIFS_ERROR_UNSUPPORTED, "no monitor%s%s",
			    self->target->no_monitor ? ": " : "",
			    self->target->no_monitor ? self->target->no_monitor : "");
		return FALSE;
	}
	if (qemu_process_is_stopped(self->process)) {
		g_set_error_literal(error, VMIFS_ERROR, VMIFS_ERROR_TIMEOUT,
				    "QEMU is stopped by a signal");
		return FALSE;
	}
	return TRUE;
}

static GArray *
ask_monitor(QemuKnown *self, gint64 patience, GError **error)
{
	VmifsCall call = { .deadline = g_get_monotonic_time() + patience,
			   .cancelled = self->given_up };

	return qemu_known_may_ask(self, error) ? qemu_mtree_ask(self->target->monitor, &call, error)
					       : NULL;
}

GArray *
qemu_known_maps(QemuKnown *self, GError **error)
{
	g_autofree char *text = qemu_process_maps(self->process, error);

	return text ? qemu_maps_parse(text) : NULL;
}

/* For a guest of which nothing better is known. silent: why the monitor is. how: (full) */
static GArray *
guess_pieces(QemuKnown *self, const GError *silent, char **ret_how, GError **error)
{
	VmifsCall call = { .deadline = g_get_monotonic_time() + GUESS_PATIENCE,
			   .cancelled = self->given_up };
	g_autoptr(GArray) maps = qemu_known_maps(self, error);
	g_autofree char *how = NULL;
	GArray *pieces;

	if (!maps)
		return NULL;
	if (!qemu_rules_find(self->target->args, self->process, maps, &pieces, &how, &call,
			     error)) {
		g_prefix_error(error, "where its memory lies is unknown: %s; without it: ",
			       silent->message);
		return NULL;
	}
	*ret_how = g_strdup_printf("%s (%s)", how, silent->message);
	return pieces;
}

static gboolean
use_pieces(QemuKnown *self, const GArray *pieces, const char *how, gboolean *ret_changed,
	   GError **error)
{
	/* Read afterwards: what was plugged meanwhile is to be in it. */
	g_autoptr(GArray) maps = qemu_known_maps(self, error);

	if (!maps || !qemu_ram_set_pieces(self->ram, pieces, maps, ret_changed, error))
		return FALSE;
	g_mutex_lock(&self->lock);
	g_free(self->how);
	self->how = g_strdup(how);
	g_mutex_unlock(&self->lock);
	return TRUE;
}

/* FALSE: it was before. */
static gboolean
note_told(QemuKnown *self)
{
	g_autoptr(GMutexLocker) locker = g_mutex_locker_new(&self->lock);
	gboolean is_first = !self->is_told;

	self->is_told = TRUE;
	return is_first;
}

/* TRUE: another number of vCPUs than before, or how its memory is guarded. */
static gboolean
learn_about(QemuKnown *self, gint64 patience)
{
	VmifsCall call = { .deadline = g_get_monotonic_time() + patience,
			   .cancelled = self->given_up };
	g_auto(QemuAbout) about = { 0 };

	if (!qemu_about_ask(self->target->monitor, &about, &call, NULL))
		return FALSE;
	g_mutex_lock(&self->lock);
	QemuAbout before = self->about;
	self->about = about;
	g_mutex_unlock(&self->lock);
	gboolean is_other = before.n_vcpus != about.n_vcpus ||
			    g_strcmp0(before.encryption, about.encryption) != 0;
	about = before; /* to be cleared */
	return is_other;
}

gboolean
qemu_known_learn(QemuKnown *self, gint64 patience, gboolean *ret_changed, GError **error)
{
	g_autoptr(GError) silent = NULL;
	g_autoptr(GArray) pieces = ask_monitor(self, patience, &silent);
	g_autofree char *how = NULL;
	gboolean is_told = pieces != NULL;

	if (is_told)
		how = g_strdup("told by the monitor");
	else if (self->is_told)
		g_propagate_error(error, g_steal_pointer(&silent));
	else
		pieces = guess_pieces(self, silent, &how, error);
	if (!pieces || !use_pieces(self, pieces, how, ret_changed, error))
		return FALSE;
	if (is_told) {
		*ret_changed |= learn_about(self, patience);
		*ret_changed |= note_told(self);
	}
	return TRUE;
}

/* ---- what else ---- */

/* As the monitor told, or else as many as it was started with; where it has no monitor, none. */
static guint
count_vcpus(QemuKnown *self)
{
	guint n = self->about.n_vcpus ? self->about.n_vcpus : self->target->args->n_cpus;

	/* Of one at least: asking for its registers tells why they are not to be had. */
	return self->target->monitor ? MAX(n, 1) : 0;
}

guint
qemu_known_vcpus(QemuKnown *self)
{
	g_autoptr(GMutexLocker) locker = g_mutex_locker_new(&self->lock);

	return count_vcpus(self);
}

static const char *
encryption_of(QemuKnown *self)
{
	return self->about.encryption ? self->about.encryption : self->target->args->secured;
}

void
qemu_known_layout(QemuKnown *self, VmifsLayout *ret)
{
	g_autoptr(GMutexLocker) locker = g_mutex_locker_new(&self->lock);

	ret->is_silent = !self->is_told;
	ret->is_encrypted = encryption_of(self) != NULL;
	if (qemu_about_has_registers(encryption_of(self)))
		ret->n_vcpus = count_vcpus(self);
}

gboolean
qemu_known_is_encrypted(QemuKnown *self)
{
	g_autoptr(GMutexLocker) locker = g_mutex_locker_new(&self->lock);

	return encryption_of(self) != NULL;
}

const char *
qemu_known_accel(QemuKnown *self)
{
	g_autoptr(GMutexLocker) locker = g_mutex_locker_new(&self->lock);

	return self->about.driver;
}

guint
qemu_known_max_vcpus(QemuKnown *self)
{
	g_autoptr(GMutexLocker) locker = g_mutex_locker_new(&self->lock);

	return MAX(count_vcpus(self), self->target->args->max_cpus);
}

/* Who started the process, and whoever is its monitor, chose what they say. */
static void
tell(GString *out, const char *key, const char *value)
{
	g_string_append_printf(out, "%s: ", key);
	vmifs_text_append_octal(out, value, -1, NULL);
	g_string_append_c(out, '\n');
}

void
qemu_known_info(QemuKnown *self, GString *out)
{
	const QemuTarget *target = self->target;
	g_autofree char *none =
		g_strconcat("none", target->no_monitor ? ": " : NULL, target->no_monitor, NULL);

	g_string_append_printf(out, "pid: %d\n", (int) target->pid);
	tell(out, "monitor", target->monitor ? target->monitor->ops->name : none);
	g_autoptr(GMutexLocker) locker = g_mutex_locker_new(&self->lock);
	const char *encryption = encryption_of(self);
	if (self->about.driver)
		tell(out, "accelerator", self->about.driver);
	if (encryption)
		tell(out, "memory encryption", encryption);
	tell(out, "layout", self->how);
}
