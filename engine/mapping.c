/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * mapping: foreign files in our memory, and the one SIGBUS handler.
 *
 * The registry is the one mutable global of the library, since a signal handler can be given no
 * argument. The handler may run at any load, so it takes no lock that a loading thread could hold:
 *
 *   slots[]  fixed array; each slot has a sequence number that is odd while the slot changes. The
 *            thread that faults holds a reference, hence *its* slot is stable; slots that change
 *            under the handler belong to others and are passed over.
 *   marks    a spin lock per mapping; who holds it makes system calls only and never loads from
 *            a mapping, so the handler may wait for it.
 *   stamp    counts the times that marked pages were mapped anew: another reader's question may
 *            take a mark away between our load of its zeros and our own question.
 */
#include <spi/mapping.h>

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdatomic.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/vfs.h>
#include <unistd.h>
#include <vmifs/error.h>

#define MAX_SLOTS 4096
#define MAX_MARKS 1024
#define NO_PAGE G_MAXSIZE
#define HUGETLBFS_MAGIC 0x958458f6

struct VmifsMapping {
	gatomicrefcount refs;
	guint8 *data;
	gsize len;
	gsize map_len; /* len in whole pages */
	gsize page;    /* bytes of a page of that file */
	int fd;
	guint64 offset;  /* of data[0] in the file */
	int prot, flags; /* of mmap(2) */
	guint slot;

	atomic_uint broken; /* something is marked; read without the lock */
	atomic_uint stamp;  /* changes before `broken` is taken back */
	atomic_flag lock;   /* of what follows */
	guint n_marks;
	gsize from; /* every page from this one on is marked; NO_PAGE = none */
	gsize marks[MAX_MARKS];
};

typedef struct {
	atomic_uint sequence; /* odd while the rest changes */
	_Atomic(guintptr) start;
	_Atomic(gsize) len; /* 0 = free */
	_Atomic(VmifsMapping *) mapping;
} Slot;

static Slot slots[MAX_SLOTS];
static atomic_uint n_slots;  /* slots at and above were never used */
static GMutex registry_lock; /* of writers to slots */
static struct sigaction previous_action;

static void
marks_lock(VmifsMapping *mapping)
{
	while (atomic_flag_test_and_set_explicit(&mapping->lock, memory_order_acquire))
		syscall(SYS_sched_yield);
}

static void
marks_unlock(VmifsMapping *mapping)
{
	atomic_flag_clear_explicit(&mapping->lock, memory_order_release);
}

/* ---- in the signal handler: system calls and atomics only ---- */

static VmifsMapping *
find_mapping(guintptr address)
{
	guint n = atomic_load_explicit(&n_slots, memory_order_acquire);

	for (guint i = 0; i < n; i++) {
		Slot *slot = &slots[i];
		guint sequence = atomic_load(&slot->sequence);
		guintptr start = atomic_load(&slot->start);
		gsize len = atomic_load(&slot->len);
		VmifsMapping *mapping = atomic_load(&slot->mapping);
		if (sequence % 2 == 0 && sequence == atomic_load(&slot->sequence) &&
		    address - start < len)
			return mapping;
	}
	return NULL;
}

static gboolean
map_zeros(VmifsMapping *mapping, gsize page, gsize len)
{
	return mmap(mapping->data + page * mapping->page, len, mapping->prot,
		    MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED | MAP_NORESERVE, -1, 0) != MAP_FAILED;
}

static gboolean
is_marked(const VmifsMapping *mapping, gsize page)
{
	if (page >= mapping->from)
		return TRUE;
	for (guint i = 0; i < mapping->n_marks; i++) {
		if (mapping->marks[i] == page)
			return TRUE;
	}
	return FALSE;
}

/* Zeros from the lowest marked page on: the list is full, or the kernel has no room for one more
 * piece of mapping. */
static gboolean
break_rest(VmifsMapping *mapping, gsize page)
{
	gsize lowest = MIN(page, mapping->from);

	for (guint i = 0; i < mapping->n_marks; i++)
		lowest = MIN(lowest, mapping->marks[i]);
	if (!map_zeros(mapping, lowest, mapping->map_len - lowest * mapping->page))
		return FALSE;
	mapping->from = lowest;
	mapping->n_marks = 0;
	return TRUE;
}

/* Puts zeros over the page so that the load can go on. FALSE when even that fails. */
static gboolean
break_page(VmifsMapping *mapping, gsize page)
{
	gboolean ok = TRUE;

	marks_lock(mapping);
	if (!is_marked(mapping, page)) {
		/* First, so that nobody can load the zeros and then be told that all is well. */
		atomic_store(&mapping->broken, 1);
		if (mapping->n_marks < MAX_MARKS && map_zeros(mapping, page, mapping->page))
			mapping->marks[mapping->n_marks++] = page;
		else
			ok = break_rest(mapping, page);
	}
	marks_unlock(mapping);
	return ok;
}

static void
call_previous(int number, siginfo_t *info, void *context)
{
	gboolean from_kernel = info->si_code > 0;

	if (previous_action.sa_flags & SA_SIGINFO) {
		previous_action.sa_sigaction(number, info, context);
	} else if (previous_action.sa_handler == SIG_IGN && !from_kernel) {
		return;
	} else if (previous_action.sa_handler == SIG_DFL || previous_action.sa_handler == SIG_IGN) {
		/* Returning repeats the load, which now ends the process as it should. A signal
		 * that somebody sent is not repeated by itself. */
		sigaction(number, &previous_action, NULL);
		if (!from_kernel)
			raise(number);
	} else {
		previous_action.sa_handler(number);
	}
}

static void
on_sigbus(int number, siginfo_t *info, void *context)
{
	int saved = errno;
	guintptr address = (guintptr) info->si_addr;
	VmifsMapping *mapping = info->si_code > 0 ? find_mapping(address) : NULL;

	if (!mapping || !break_page(mapping, (address - (guintptr) mapping->data) / mapping->page))
		call_previous(number, info, context);
	errno = saved;
}

/* ---- registry ---- */

static void
install_handler(void)
{
	static gsize once;

	if (!g_once_init_enter(&once))
		return;
	struct sigaction action = { .sa_sigaction = on_sigbus,
				    .sa_flags = SA_SIGINFO | SA_ONSTACK };
	sigemptyset(&action.sa_mask);
	if (sigaction(SIGBUS, NULL, &previous_action) || sigaction(SIGBUS, &action, NULL))
		g_error("cannot install a SIGBUS handler: %s", g_strerror(errno));
	g_once_init_leave(&once, 1);
}

static void
slot_set(guint i, VmifsMapping *mapping)
{
	Slot *slot = &slots[i];

	atomic_fetch_add(&slot->sequence, 1);
	atomic_store(&slot->start, mapping ? (guintptr) mapping->data : 0);
	atomic_store(&slot->len, mapping ? mapping->map_len : 0);
	atomic_store(&slot->mapping, mapping);
	atomic_fetch_add(&slot->sequence, 1);
}

static gboolean
registry_add(VmifsMapping *mapping)
{
	g_autoptr(GMutexLocker) locker = g_mutex_locker_new(&registry_lock);

	for (guint i = 0; i < MAX_SLOTS; i++) {
		if (atomic_load(&slots[i].len))
			continue;
		mapping->slot = i;
		slot_set(i, mapping);
		if (i >= atomic_load(&n_slots))
			atomic_store(&n_slots, i + 1);
		return TRUE;
	}
	return FALSE;
}

static void
registry_remove(VmifsMapping *mapping)
{
	g_autoptr(GMutexLocker) locker = g_mutex_locker_new(&registry_lock);

	slot_set(mapping->slot, NULL);
}

/* ---- mappings ---- */

/* Files on hugetlbfs are mapped, zeroed and unmapped in their own pages. */
static gsize
page_size_of(int fd)
{
	struct statfs fs;

	if (!fstatfs(fd, &fs) && (guint32) fs.f_type == HUGETLBFS_MAGIC && fs.f_bsize > 0)
		return (gsize) fs.f_bsize;
	return (gsize) sysconf(_SC_PAGESIZE);
}

static void
mapping_free(VmifsMapping *mapping)
{
	if (mapping->data)
		munmap(mapping->data, mapping->map_len);
	if (mapping->fd >= 0)
		close(mapping->fd);
	g_free(mapping);
}

/* What a guest's memory is not to go into: a core file, when we crash; and a child, which may live
 * on when the guest has gone. To be said anew of what is mapped anew. */
static void
keep_to_ourselves(gpointer data, gsize len)
{
	madvise(data, len, MADV_DONTDUMP);
	madvise(data, len, MADV_DONTFORK);
}

static VmifsMapping *
map_file(int fd, guint64 offset, gsize len, int prot, int flags, GError **error)
{
	gsize page = page_size_of(fd), map_len;

	if (!len || offset % page || offset > G_MAXINT64 ||
	    !g_size_checked_add(&map_len, len, page - 1)) {
		g_set_error(error, VMIFS_ERROR, VMIFS_ERROR_INVALID,
			    "cannot map %#zx bytes from %#" G_GINT64_MODIFIER "x", len, offset);
		return NULL;
	}
	install_handler();

	VmifsMapping *mapping = g_new0(VmifsMapping, 1);
	g_atomic_ref_count_init(&mapping->refs);
	mapping->len = len;
	mapping->map_len = map_len - map_len % page;
	mapping->page = page;
	mapping->offset = offset;
	mapping->prot = prot;
	mapping->flags = flags;
	mapping->from = NO_PAGE;
	mapping->fd = fcntl(fd, F_DUPFD_CLOEXEC, 0);
	if (mapping->fd >= 0) {
		gpointer data = mmap(NULL, mapping->map_len, prot, flags | MAP_NORESERVE,
				     mapping->fd, (off_t) offset);
		mapping->data = data == MAP_FAILED ? NULL : data;
	}
	if (!mapping->data) {
		g_set_error(error, VMIFS_ERROR, VMIFS_ERROR_IO, "cannot map %#zx bytes: %s", len,
			    g_strerror(errno));
		mapping_free(mapping);
		return NULL;
	}
	keep_to_ourselves(mapping->data, mapping->map_len);
	if (!registry_add(mapping)) {
		g_set_error(error, VMIFS_ERROR, VMIFS_ERROR_NO_SPACE,
			    "more than %d mappings at a time", MAX_SLOTS);
		mapping_free(mapping);
		return NULL;
	}
	return mapping;
}

VmifsMapping *
vmifs_mapping_new(int fd, guint64 offset, gsize len, GError **error)
{
	return map_file(fd, offset, len, PROT_READ, MAP_SHARED, error);
}

VmifsMapping *
vmifs_mapping_new_private(int fd, gsize len, GError **error)
{
	return map_file(fd, 0, len, PROT_READ | PROT_WRITE, MAP_PRIVATE, error);
}

VmifsMapping *
vmifs_mapping_ref(VmifsMapping *mapping)
{
	g_atomic_ref_count_inc(&mapping->refs);
	return mapping;
}

void
vmifs_mapping_unref(VmifsMapping *mapping)
{
	if (!mapping || !g_atomic_ref_count_dec(&mapping->refs))
		return;
	registry_remove(mapping);
	mapping_free(mapping);
}

const guint8 *
vmifs_mapping_data(const VmifsMapping *mapping)
{
	return mapping->data;
}

gsize
vmifs_mapping_len(const VmifsMapping *mapping)
{
	return mapping->len;
}

/* Pages that the file holds now, counted from the mapping's start. */
static gsize
pages_held(const VmifsMapping *mapping)
{
	struct stat st;
	guint64 size;

	if (mapping->fd < 0 || fstat(mapping->fd, &st) || st.st_size < 0)
		return 0;
	/* Block devices have no size of that kind; they do not shrink either. */
	if (!S_ISREG(st.st_mode))
		return mapping->map_len / mapping->page;
	size = (guint64) st.st_size;
	if (size <= mapping->offset)
		return 0;
	size -= mapping->offset;
	return MIN(size / mapping->page + (size % mapping->page != 0),
		   mapping->map_len / mapping->page);
}

static gboolean
map_again(VmifsMapping *mapping, gsize page, gsize n_pages)
{
	gsize at = page * mapping->page, len = n_pages * mapping->page;

	if (mmap(mapping->data + at, len, mapping->prot, mapping->flags | MAP_FIXED | MAP_NORESERVE,
		 mapping->fd, (off_t) (mapping->offset + at)) == MAP_FAILED)
		return FALSE;
	keep_to_ourselves(mapping->data + at, len);
	return TRUE;
}

/* Maps anew whatever is marked and is held by the file again. */
static void
repair(VmifsMapping *mapping)
{
	gsize held = pages_held(mapping);
	gboolean changed = FALSE;

	for (guint i = 0; i < mapping->n_marks;) {
		if (mapping->marks[i] < held && map_again(mapping, mapping->marks[i], 1)) {
			mapping->marks[i] = mapping->marks[--mapping->n_marks];
			changed = TRUE;
		} else {
			i++;
		}
	}
	if (mapping->from < held && map_again(mapping, mapping->from, held - mapping->from)) {
		mapping->from = held;
		changed = TRUE;
	}
	if (changed)
		atomic_fetch_add(&mapping->stamp, 1);
	if (mapping->from >= mapping->map_len / mapping->page)
		mapping->from = NO_PAGE;
	if (!mapping->n_marks && mapping->from == NO_PAGE)
		atomic_store(&mapping->broken, 0);
}

static gboolean
is_any_marked(VmifsMapping *mapping, gsize first, gsize last)
{
	if (last >= mapping->from)
		return TRUE;
	for (guint i = 0; i < mapping->n_marks; i++) {
		if (mapping->marks[i] >= first && mapping->marks[i] <= last)
			return TRUE;
	}
	return FALSE;
}

guint
vmifs_mapping_stamp(VmifsMapping *mapping)
{
	return atomic_load(&mapping->stamp);
}

gboolean
vmifs_mapping_intact(VmifsMapping *mapping, guint stamp, guint64 offset, gsize len)
{
	gboolean marked, changed;

	if (!len)
		return TRUE;
	if (G_LIKELY(!atomic_load_explicit(&mapping->broken, memory_order_acquire)))
		return atomic_load(&mapping->stamp) == stamp;
	marks_lock(mapping);
	changed = atomic_load(&mapping->stamp) != stamp;
	marked = is_any_marked(mapping, offset / mapping->page, (offset + len - 1) / mapping->page);
	if (marked)
		repair(mapping);
	marks_unlock(mapping);
	return !marked && !changed;
}

void
vmifs_mapping_drop(VmifsMapping *mapping)
{
	marks_lock(mapping);
	/* First, as in the handler. */
	atomic_store(&mapping->broken, 1);
	map_zeros(mapping, 0, mapping->map_len);
	mapping->from = 0;
	mapping->n_marks = 0;
	if (mapping->fd >= 0)
		close(mapping->fd);
	mapping->fd = -1; /* nothing is ever mapped anew */
	marks_unlock(mapping);
}

void
vmifs_mapping_prefetch(VmifsMapping *mapping, guint64 offset, gsize len)
{
	guint64 start = offset - offset % mapping->page;

#ifdef MADV_POPULATE_READ
	/* Whatever this cannot do (a lost page, a kernel before 5.14) the loads find out. */
	madvise(mapping->data + start, offset + len - start, MADV_POPULATE_READ);
#endif
}

void
vmifs_mapping_release(VmifsMapping *mapping, guint64 offset, gsize len)
{
	/* Whole pages within the range: its neighbours may belong to another thread's pass. */
	guint64 start = (offset + mapping->page - 1) / mapping->page * mapping->page;
	guint64 end = offset + len >= mapping->len ? mapping->map_len
						   : (offset + len) / mapping->page * mapping->page;

	if (start < end)
		madvise(mapping->data + start, end - start, MADV_DONTNEED);
}
