/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* owed: see owed.h. Nobody is asked: a monitor may be busy, and this is wanted often. */
#include "owed.h"

#include "below.h"

#include <string.h>
#include <unistd.h>

#define FRESH (20 * G_TIME_SPAN_MILLISECOND)
#define MAX_FDS 65536
/* linux/userfaultfd.h: the first bit of its features. */
#define FEATURE_WRITES 1

struct QemuOwed {
	int proc;
	GMutex lock;
	gint64 until;  /* (lock) when owes is to be looked up again */
	gboolean owes; /* (lock) */
};

QemuOwed *
qemu_owed_new(int proc)
{
	QemuOwed *self = g_new0(QemuOwed, 1);

	self->proc = proc;
	g_mutex_init(&self->lock);
	return self;
}

void
qemu_owed_free(QemuOwed *self)
{
	if (!self)
		return;
	g_mutex_clear(&self->lock);
	g_free(self);
}

/* "API:\taa:FEATURES:..." */
gboolean
qemu_owed_parse(const char *fdinfo)
{
	const char *api = strstr(fdinfo, "API:\t");
	const char *features = api ? strchr(api + strlen("API:\t"), ':') : NULL;

	return features && !(g_ascii_strtoull(features + 1, NULL, 16) & FEATURE_WRITES);
}

static gboolean
waits_for_pages(const QemuOwed *self, const char *number)
{
	g_autofree char *path = g_strconcat("fdinfo/", number, NULL);
	char text[512];

	qemu_below_text(self->proc, path, text, sizeof text);
	return qemu_owed_parse(text);
}

static gboolean
look(const QemuOwed *self)
{
	static const char wanted[] = "anon_inode:[userfaultfd]";
	DIR *dir = qemu_below_folder(self->proc, "fd");
	gboolean owes = FALSE;
	const struct dirent *entry;

	if (!dir)
		return FALSE;
	for (guint i = 0; i < MAX_FDS && !owes && (entry = readdir(dir)); i++) {
		char link[sizeof wanted];
		gssize n = readlinkat(dirfd(dir), entry->d_name, link, sizeof link);
		owes = n == sizeof wanted - 1 && !memcmp(link, wanted, sizeof wanted - 1) &&
		       waits_for_pages(self, entry->d_name);
	}
	closedir(dir);
	return owes;
}

gboolean
qemu_owed_any(QemuOwed *self)
{
	g_autoptr(GMutexLocker) locker = g_mutex_locker_new(&self->lock);

	if (g_get_monotonic_time() >= self->until) {
		self->owes = look(self);
		self->until = g_get_monotonic_time() + FRESH;
	}
	return self->owes;
}
