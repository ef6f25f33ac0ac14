/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* unpack: the file's bytes go through the library that its first ones ask for. */
#include "unpack.h"

#include <errno.h>
#include <string.h>
#include <unistd.h>
#include <vmifs/error.h>

#define CHUNK (64 * 1024)

struct VmifsUnpack {
	int fd;
	guint64 offset;
	const VmifsPacking *packing; /* NULL: not packed */
	gpointer self;
	gboolean at_end; /* of the file */
	gboolean is_whole;
	guint64 given;
	const guint8 *in; /* in chunk */
	gsize in_len;
	guint8 chunk[CHUNK];
};

/* Those that this build lacks have a name and a magic only. */
static const VmifsPacking *const packings[] = {
	&vmifs_packing_gz,
	&vmifs_packing_xz,
	&vmifs_packing_zst,
};

static gboolean
fill(VmifsUnpack *unpack, GError **error)
{
	gssize n;

	do {
		n = pread(unpack->fd, unpack->chunk, CHUNK, (off_t) unpack->offset);
	} while (n < 0 && errno == EINTR);
	if (n < 0) {
		g_set_error(error, VMIFS_ERROR, VMIFS_ERROR_SOURCE, "cannot be read: %s",
			    g_strerror(errno));
		return FALSE;
	}
	unpack->at_end = !n;
	unpack->offset += (guint64) n;
	unpack->in = unpack->chunk;
	unpack->in_len = (gsize) n;
	return TRUE;
}

VmifsUnpack *
vmifs_unpack_new(int fd, GError **error)
{
	g_autoptr(VmifsUnpack) unpack = g_new(VmifsUnpack, 1);

	memset(unpack, 0, G_STRUCT_OFFSET(VmifsUnpack, chunk));
	unpack->fd = fd;
	if (!fill(unpack, error))
		return NULL;
	for (gsize i = 0; i < G_N_ELEMENTS(packings) && !unpack->packing; i++)
		if (unpack->in_len >= packings[i]->magic_len &&
		    !memcmp(unpack->in, packings[i]->magic, packings[i]->magic_len))
			unpack->packing = packings[i];
	if (unpack->packing && !unpack->packing->open) {
		g_set_error(error, VMIFS_ERROR, VMIFS_ERROR_UNSUPPORTED,
			    "packed as %s, which this build cannot undo: unpack it first",
			    unpack->packing->name);
		return NULL;
	}
	if (unpack->packing)
		unpack->self = unpack->packing->open();
	if (unpack->packing && !unpack->self) {
		g_set_error(error, VMIFS_ERROR, VMIFS_ERROR_UNSUPPORTED,
			    "packed as %s: no memory to unpack it", unpack->packing->name);
		return NULL;
	}
	return g_steal_pointer(&unpack);
}

void
vmifs_unpack_free(VmifsUnpack *unpack)
{
	if (!unpack)
		return;
	if (unpack->self)
		unpack->packing->close(unpack->self);
	g_free(unpack);
}

static gssize
corrupt(const VmifsUnpack *unpack, const char *why, GError **error)
{
	g_set_error(error, VMIFS_ERROR, VMIFS_ERROR_CORRUPT, "packed as %s: %s",
		    unpack->packing->name, why);
	return -1;
}

static gssize
read_plain(VmifsUnpack *unpack, gpointer buf, gsize len, GError **error)
{
	if (!unpack->in_len && !fill(unpack, error))
		return -1;
	len = MIN(len, unpack->in_len);
	memcpy(buf, unpack->in, len);
	unpack->in += len;
	unpack->in_len -= len;
	return (gssize) len;
}

gssize
vmifs_unpack_read(VmifsUnpack *unpack, gpointer buf, gsize len, GError **error)
{
	guint8 *out = buf;
	gsize room = len;

	len = MIN(len, G_MAXSSIZE);
	if (!unpack->packing)
		return read_plain(unpack, buf, len, error);
	while (room == len) {
		gsize in_len = unpack->in_len;
		if (!in_len && !unpack->at_end && !fill(unpack, error))
			return -1;
		if (unpack->at_end && unpack->is_whole)
			return 0;
		const char *why = unpack->packing->step(unpack->self, &unpack->in, &unpack->in_len,
							&out, &room, &unpack->is_whole);
		if (why)
			return corrupt(unpack, why, error);
		if (room == len && unpack->at_end && !unpack->is_whole)
			return corrupt(unpack, "it ends too soon", error);
	}
	unpack->given += len - room;
	if (unpack->given > VMIFS_UNPACK_MAX)
		return corrupt(unpack, "more than 1 GiB comes out of it", error);
	return (gssize) (len - room);
}
