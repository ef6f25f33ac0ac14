/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * block: what lies behind a RAM block is found out once, when it appears. A page of a shared file
 * that the process has in its tables is there; only of the others the file is asked. lseek(2) alone
 * would look at each page of it, which takes longer than to read them.
 */
#include "block.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/vfs.h>
#include <unistd.h>

#define HUGETLBFS_MAGIC 0x958458f6

struct QemuBlock {
	gint is_retired; /* atomic */
	QemuProcess *process;
	char *name;
	guint64 address, len, page;
	gboolean is_known; /* one backing holds all of it */
	QemuBacking backing;
	int fd;                /* of the file; -1 = none */
	gboolean is_huge;      /* that file is of huge pages */
	gboolean is_whole;     /* that file is the block and nothing else */
	VmifsMapping *mapping; /* (nullable) of a shared file */
};

/* ---- life ---- */

static void
find_file(QemuBlock *block)
{
	struct statfs fs;
	struct stat st;

	if (block->backing.kind == QEMU_BACKING_ANONYMOUS)
		return;
	block->fd = qemu_backing_open(&block->backing, block->process);
	if (block->fd < 0 || fstat(block->fd, &st))
		return;
	block->is_huge = !fstatfs(block->fd, &fs) && (guint32) fs.f_type == HUGETLBFS_MAGIC;
	if (block->backing.kind != QEMU_BACKING_SHARED || block->is_huge)
		return;
	block->is_whole =
		!block->backing.offset && st.st_size >= 0 && (guint64) st.st_size == block->len;
	/* What cannot be mapped is read. */
	block->mapping = vmifs_mapping_new(block->fd, block->backing.offset, block->len, NULL);
}

QemuBlock *
qemu_block_new(QemuProcess *process, const char *name, guint64 address, guint64 len,
	       const GArray *maps)
{
	QemuBlock *block = g_new0(QemuBlock, 1);

	block->process = process;
	block->name = g_strdup(name);
	block->address = address;
	block->len = len;
	block->page = (guint64) sysconf(_SC_PAGESIZE);
	block->fd = -1;
	block->is_known = address % block->page == 0 &&
			  qemu_maps_backing(maps, address, len, &block->backing);
	if (block->is_known)
		find_file(block);
	return block;
}

void
qemu_block_free(QemuBlock *block)
{
	if (!block)
		return;
	vmifs_mapping_unref(block->mapping);
	if (block->fd >= 0)
		close(block->fd);
	g_free(block->name);
	g_free(block);
}

void
qemu_block_retire(QemuBlock *block)
{
	int nothing = open("/dev/null", O_RDONLY | O_CLOEXEC);

	g_atomic_int_set(&block->is_retired, 1);
	if (block->mapping)
		vmifs_mapping_drop(block->mapping);
	/* Others may be about to use the number, which must not become that of another file. */
	if (block->fd >= 0 && nothing >= 0)
		dup3(nothing, block->fd, O_CLOEXEC);
	if (nothing >= 0)
		close(nothing);
}

gboolean
qemu_block_is_retired(const QemuBlock *block)
{
	return g_atomic_int_get(&block->is_retired);
}

gboolean
qemu_block_is(const QemuBlock *block, const char *name, guint64 address, guint64 len,
	      const GArray *maps)
{
	QemuBacking backing;

	if (!g_str_equal(block->name, name) || block->address != address || block->len != len ||
	    block->is_known !=
		    (address % block->page == 0 && qemu_maps_backing(maps, address, len, &backing)))
		return FALSE;
	return !block->is_known ||
	       (backing.kind == block->backing.kind && backing.offset == block->backing.offset &&
		backing.first.inode == block->backing.first.inode &&
		backing.first.dev_major == block->backing.first.dev_major &&
		backing.first.dev_minor == block->backing.first.dev_minor);
}

/* ---- what it is ---- */

const char *
qemu_block_name(const QemuBlock *block)
{
	return block->name;
}

guint64
qemu_block_address(const QemuBlock *block)
{
	return block->address;
}

guint64
qemu_block_len(const QemuBlock *block)
{
	return block->len;
}

guint64
qemu_block_page(const QemuBlock *block)
{
	return block->page;
}

guint64
qemu_block_n_pages(const QemuBlock *block)
{
	return block->len / block->page + (block->len % block->page != 0);
}

guint64
qemu_block_n_present(const QemuBlock *block)
{
	guint64 n = 0;

	for (guint64 first = 0; first < qemu_block_n_pages(block); first += QEMU_PRESENCE_PAGES) {
		QemuWindow window;
		qemu_block_look(block, first, &window);
		for (gsize i = 0; i < G_N_ELEMENTS(window.in_file); i++)
			n += (guint) __builtin_popcountll(window.in_process[i] | window.in_file[i]);
	}
	return n;
}

/* The process alone has it, or the file does, and says where. */
gboolean
qemu_block_is_sparse(const QemuBlock *block)
{
	if (!block->is_known)
		return FALSE;
	if (block->backing.kind == QEMU_BACKING_ANONYMOUS)
		return TRUE;
	return block->fd >= 0 && !block->is_huge;
}

gboolean
qemu_block_is_anonymous(const QemuBlock *block)
{
	return block->is_known && block->backing.kind == QEMU_BACKING_ANONYMOUS;
}

gboolean
qemu_block_is_shared_file(const QemuBlock *block)
{
	return block->is_known && block->backing.kind == QEMU_BACKING_SHARED && block->fd >= 0 &&
	       !block->is_huge;
}

gboolean
qemu_block_has_mapping(const QemuBlock *block, const QemuMapping *mapping)
{
	const QemuMapping *first = &block->backing.first;

	return mapping->inode == first->inode && mapping->dev_major == first->dev_major &&
	       mapping->dev_minor == first->dev_minor;
}

int
qemu_block_shared_fd(const QemuBlock *block)
{
	return block->fd;
}

int
qemu_block_fd(const QemuBlock *block)
{
	return block->is_whole ? block->fd : -1;
}

VmifsMapping *
qemu_block_mapping(const QemuBlock *block)
{
	return block->mapping;
}

const char *
qemu_block_describe(const QemuBlock *block)
{
	if (!block->is_known)
		return "memory of the process, of several kinds";
	if (block->backing.kind == QEMU_BACKING_ANONYMOUS)
		return "memory of the process";
	if (block->fd < 0)
		return "memory of the process: the file behind it cannot be opened";
	if (block->backing.kind == QEMU_BACKING_PRIVATE)
		return block->is_huge ? "private file of huge pages"
				      : "private file, and memory of the process";
	if (block->is_huge)
		return "shared file of huge pages, read";
	return block->mapping ? "shared file, mapped" : "shared file, read";
}

/* ---- which pages are there ---- */

static void
set_all(guint64 *bits, gsize n)
{
	for (gsize i = 0; i < n; i += 64)
		bits[i / 64] = n - i >= 64 ? G_MAXUINT64 : ((guint64) 1 << (n - i)) - 1;
}

/* Those of the n pages that are not set and that the file has data for (swapped out, on disk). */
static void
look_in_file(const QemuBlock *block, guint64 first, gsize n, guint64 *bits)
{
	guint64 start = block->backing.offset + first * block->page;
	off_t data = -1; /* where data is next */

	for (gsize i = 0; i < n; i++) {
		off_t at = (off_t) (start + i * block->page);
		if (qemu_window_is_set(bits, i))
			continue;
		if (data < at)
			data = lseek(block->fd, at, SEEK_DATA);
		if (data < 0 && errno == ENXIO)
			return; /* nothing more, up to its end */
		/* What cannot be told is data. */
		if (data < at + (off_t) block->page)
			bits[i / 64] |= (guint64) 1 << i % 64;
	}
}

void
qemu_block_look(const QemuBlock *block, guint64 first_page, QemuWindow *ret)
{
	guint64 pages = qemu_block_n_pages(block);
	gsize n = (gsize) MIN(pages - MIN(first_page, pages), QEMU_PRESENCE_PAGES);
	QemuWindow window = { 0 };

	if (!block->is_known || (block->backing.kind != QEMU_BACKING_ANONYMOUS && block->fd < 0)) {
		set_all(window.in_process, n);
	} else if (block->backing.kind == QEMU_BACKING_SHARED && block->is_huge) {
		set_all(window.in_file, n);
	} else if (block->backing.kind == QEMU_BACKING_SHARED) {
		qemu_process_presence(block->process, block->address + first_page * block->page, n,
				      window.in_file);
		look_in_file(block, first_page, n, window.in_file);
	} else if (!qemu_process_presence(block->process, block->address + first_page * block->page,
					  n, window.in_process)) {
		set_all(window.in_process, n);
	} else if (block->is_huge) {
		set_all(window.in_file, n);
	} else if (block->fd >= 0) {
		look_in_file(block, first_page, n, window.in_file);
	}
	*ret = window;
}

int
qemu_block_read_file(const QemuBlock *block, guint64 offset, gpointer buf, gsize len)
{
	offset += block->backing.offset;
	while (len) {
		gssize n = pread(block->fd, buf, len, (off_t) offset);
		if (n < 0 && errno == EINTR)
			continue;
		if (n <= 0)
			return n < 0 ? errno : ENODATA; /* it has become shorter */
		buf = (guint8 *) buf + n;
		offset += (gsize) n;
		len -= (gsize) n;
	}
	return 0;
}
