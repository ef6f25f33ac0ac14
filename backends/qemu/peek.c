/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * peek: a guest whose QEMU may not be read from here, or is not here, through those who keep it:
 * libvirt's memory peek. That is slow (QEMU writes what is asked for to a file, which libvirt
 * sends), needs QEMU to answer, and cannot tell holes from zeros: reading may let QEMU allocate
 * what the guest never touched. It is laid out as it was when it was found.
 *
 * Each piece of memory is a block of its own, as what is asked for are physical addresses.
 */
#include "mtree.h"
#include "registers.h"
#include "status.h"
#include "target.h"

#include <errno.h>
#include <spi/backend.h>
#include <string.h>
#include <vmifs/text.h>

/* Elements of one read that are asked for at once. */
#define LOT 64
/* For what is asked when one is opened, however many answers that takes; it is tried again. */
#define OPEN_PATIENCE (10 * G_TIME_SPAN_SECOND)

typedef struct {
	const QemuTarget *target; /* (borrowed) until close */
	GArray *pieces;           /* of QemuPiece */
	QemuRegisters *registers;
	QemuAbout about;
} Peek;

extern const VmifsBackend qemu_peek;

static int
peek_probe(const VmifsSource *src)
{
	return 0; /* finders bring guests */
}

static void
peek_close(gpointer data)
{
	Peek *self = data;

	qemu_registers_free(self->registers);
	g_clear_pointer(&self->pieces, g_array_unref);
	qemu_about_clear(&self->about);
	g_free(self);
}

static gpointer
peek_open(const VmifsSource *src, const VmifsCall *call, GError **error)
{
	Peek *self = g_new0(Peek, 1);
	QemuMonitor *monitor = ((const QemuTarget *) src->target)->monitor;
	VmifsCall limited = { .deadline = g_get_monotonic_time() + OPEN_PATIENCE };

	if (call) {
		limited.cancelled = call->cancelled;
		if (call->deadline)
			limited.deadline = MIN(limited.deadline, call->deadline);
	}
	self->target = src->target;
	self->pieces = qemu_mtree_ask(monitor, &limited, error);
	if (!self->pieces || !qemu_about_ask(monitor, &self->about, &limited, error)) {
		g_prefix_error(error, "its process may not be read from here (root may, or its "
				      "user), or is on another host, and libvirt does not tell "
				      "either: ");
		peek_close(self);
		return NULL;
	}
	self->registers = qemu_registers_new(monitor, self->about.n_vcpus);
	return self;
}

/* (full) As a name of a file; each once. */
static char *
name_of(const Peek *self, guint piece)
{
	g_autofree char *name =
		qemu_piece_file_name(g_array_index(self->pieces, QemuPiece, piece).block);

	return g_strdup_printf("%s~%u", name, piece + 1);
}

static gboolean
peek_layout(gpointer data, VmifsLayout *ret, const VmifsCall *call, GError **error)
{
	const Peek *self = data;
	const char *encryption = self->about.encryption;

	for (guint i = 0; i < self->pieces->len; i++) {
		const QemuPiece *piece = &g_array_index(self->pieces, QemuPiece, i);
		VmifsRegion region = {
			.pa = piece->pa, .len = piece->len, .block = i, .kind = piece->kind
		};
		VmifsBlock block = { .name = name_of(self, i), .len = piece->len, .fd = -1 };
		g_array_append_val(ret->regions, region);
		g_array_append_val(ret->blocks, block);
	}
	ret->is_encrypted = encryption != NULL;
	if (qemu_about_has_registers(encryption))
		ret->n_vcpus = MAX(self->about.n_vcpus, 1);
	return TRUE;
}

/* FALSE: the next ones are asked for in vain, too. */
static gboolean
read_lot(const Peek *self, QemuAsk *asks, VmifsIo **owners, gsize n, const VmifsCall *call)
{
	gboolean good = qemu_monitor_ask(self->target->monitor, asks, n, call, NULL);

	for (gsize i = 0; i < n; i++)
		if (!good)
			owners[i]->status = EIO;
	qemu_asks_clear(asks, n);
	return good;
}

static gsize
peek_read(gpointer data, VmifsIo *io, gsize n, const VmifsCall *call)
{
	const Peek *self = data;
	QemuAsk asks[LOT];
	VmifsIo *owners[LOT];
	gboolean good = TRUE;
	gsize n_asks = 0, n_good = 0;

	for (gsize i = 0; i < n; i++) {
		const QemuPiece *piece = &g_array_index(self->pieces, QemuPiece, io[i].block);
		io[i].status = good ? 0 : EIO;
		for (gsize done = 0; done < io[i].len && good; done += QEMU_MAX_PEEK) {
			if (n_asks == LOT) {
				good = read_lot(self, asks, owners, n_asks, call);
				n_asks = 0;
			}
			owners[n_asks] = &io[i];
			asks[n_asks++] = (QemuAsk){ .pa = piece->pa + io[i].offset + done,
						    .bytes = (guint8 *) io[i].buf + done,
						    .len = MIN(QEMU_MAX_PEEK, io[i].len - done) };
		}
	}
	if (n_asks && !good)
		for (gsize i = 0; i < n_asks; i++)
			owners[i]->status = EIO;
	else if (n_asks)
		read_lot(self, asks, owners, n_asks, call);
	for (gsize i = 0; i < n; i++)
		n_good += !io[i].status;
	return n_good;
}

static gboolean
peek_regs(gpointer data, guint vcpu, VmifsRegs *regs, const VmifsCall *call, GError **error)
{
	return qemu_registers_get(((Peek *) data)->registers, vcpu, regs, call, error);
}

static gboolean
peek_state(gpointer data, VmifsState *ret, const VmifsCall *call, GError **error)
{
	return qemu_status_tell(((Peek *) data)->target->monitor, ret, NULL, call, error);
}

static gboolean
peek_set_state(gpointer data, VmifsState wanted, const VmifsCall *call, GError **error)
{
	return qemu_status_set(((Peek *) data)->target->monitor, wanted, call, error);
}

static void
peek_info(gpointer data, GString *out)
{
	const Peek *self = data;

	if (self->target->pid)
		g_string_append_printf(out, "pid: %d\n", (int) self->target->pid);
	g_string_append_printf(out, "monitor: %s\n", self->target->monitor->ops->name);
	if (self->about.driver)
		g_string_append_printf(out, "accelerator: %s\n", self->about.driver);
	if (self->about.encryption) {
		g_string_append(out, "memory encryption: ");
		vmifs_text_append_octal(out, self->about.encryption, -1, NULL);
		g_string_append_c(out, '\n');
	}
	g_string_append_printf(out,
			       "layout: told by the monitor when the guest was found\n"
			       "access: libvirt memory peek, as %s; holes are not known\n",
			       self->target->pid ? "its process may not be read from here"
						 : "it runs on another host");
}

const VmifsBackend qemu_peek = {
	.name = "qemu by libvirt",
	.probe = peek_probe,
	.open = peek_open,
	.close = peek_close,
	.layout = peek_layout,
	.read = peek_read,
	.info = peek_info,
	.state = peek_state,
	.regs = peek_regs,
	.set_state = peek_set_state,
};
