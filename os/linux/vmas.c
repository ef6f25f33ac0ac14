/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * vmas: the mappings of a process, out of the maple tree of its memory map (since 6.1) or the list
 * that threads them before, each with what /proc/<pid>/maps calls it.
 */
#include "linux.h"
#include "maple.h"

/* More than any sysctl vm.max_map_count in the wild; paths are bounded on their own, for a few
 * mappings may share one enormous name. */
#define MAX_VMAS (1024 * 1024)
#define MAX_PATHS (64 * 1024 * 1024)

#define VM_READ 0x1
#define VM_WRITE 0x2
#define VM_EXEC 0x4
#define VM_MAYSHARE 0x80
/* file.f_mode: the file of a stacked file system behind the one that the user opened; bit 25 until
 * 6.14, when that bit came to mean something else. */
#define MAYBE_BACKING (3U << 24)
#define BACKING_WINDOW 512 /* more than there is of it */
#define ANON_NAME_MAX 80

typedef struct {
	const Linux *os;
	const VmifsCall *call;
	guint64 mm;
	guint64 brk, start_brk, start_stack;
	LinuxPath root;
	gboolean has_root;
	GHashTable
		*paths;  /* guint64 file -> char *, which mappings of it share; NULL: it has none */
	gsize paths_len; /* of those in the table and of their copies */
	GArray *ret;
	guint64 last_end;
	GError **problem; /* the first one */
} Walk;

/* ---- what maps shows after the numbers ---- */

static char *
read_file_path(Walk *w, guint64 path)
{
	g_autoptr(GString) text = g_string_new(NULL);
	g_autoptr(GError) error = NULL;
	LinuxPath place;

	if (!linux_path_read(w->os, path, &place, &error) ||
	    !linux_path_append(w->os, &place, w->has_root ? &w->root : NULL, text, &error)) {
		if (!*w->problem)
			*w->problem = g_steal_pointer(&error);
		return NULL;
	}
	return g_string_free(g_steal_pointer(&text), FALSE);
}

static char *
file_path(Walk *w, guint64 file, guint64 path)
{
	gpointer known;

	if (!g_hash_table_lookup_extended(w->paths, &file, NULL, &known)) {
		if (w->paths_len >= MAX_PATHS)
			return NULL;
		known = read_file_path(w, path);
		g_hash_table_insert(w->paths, g_memdup2(&file, sizeof file), known);
		w->paths_len += known ? strlen(known) : 0;
	}
	if (!known || w->paths_len >= MAX_PATHS)
		return NULL;
	w->paths_len += strlen(known);
	return g_strdup(known);
}

/* A place is one when both its halves are of one file system, which what lies behind files is not.
 */
static gboolean
read_place(const Linux *os, guint64 at, LinuxPath *ret)
{
	guint64 mnt_sb, dentry_sb;

	return linux_path_read(os, at, ret, NULL) &&
	       linux_get(os, ret->mnt, LINUX_FIELD_VFSMOUNT_SB, &mnt_sb, NULL) &&
	       linux_get(os, ret->dentry, LINUX_FIELD_DENTRY_SB, &dentry_sb, NULL) && mnt_sb &&
	       mnt_sb == dentry_sb;
}

/* The path by which the user opened a file, where that is not the file's own. */
static gboolean
read_user_path(const Linux *os, guint64 file, guint64 mode, guint64 *ret_at, LinuxPath *ret)
{
	guint64 at;

	if (!(mode & MAYBE_BACKING) ||
	    !linux_offset(os, LINUX_FIELD_BACKING_FILE_USER_PATH, &at, NULL) ||
	    !read_place(os, file + at, ret))
		return FALSE;
	*ret_at = file + at;
	return TRUE;
}

/* Of a kernel whose layouts were inferred: is there another place behind the file's own, wherever
 * that would be, but for those of other files that lie next to it? */
static gboolean
may_be_backing(const Linux *os, guint64 file, guint64 path, guint64 mode)
{
	guint64 function, inode_at, own, inode;
	guint ptr = linux_word(os);
	LinuxPath place;

	if (!(mode & MAYBE_BACKING) ||
	    !linux_symbol(os, "backing_file_user_path", &function, NULL) ||
	    !linux_offset(os, LINUX_FIELD_FILE_INODE, &inode_at, NULL))
		return FALSE;
	for (guint64 at = path + 2 * ptr; at - file < BACKING_WINDOW; at += ptr) {
		if (!read_place(os, at, &place))
			continue;
		if (!vmifs_aspace_read_ptr(os->aspace, at - (path - file) + inode_at, &own, NULL) ||
		    !linux_get(os, place.dentry, LINUX_FIELD_DENTRY_INODE, &inode, NULL) ||
		    own != inode)
			return TRUE;
	}
	return FALSE;
}

static gboolean
fill_file(Walk *w, const LinuxObject *vma, guint64 file, VmifsVma *ret, GError **error)
{
	const Linux *os = w->os;
	guint64 mode, inode, sb, dev, at;

	if (!linux_offset(os, LINUX_FIELD_FILE_PATH, &at, error) ||
	    !linux_get(os, file, LINUX_FIELD_FILE_MODE, &mode, error))
		return FALSE;
	guint64 path = file + at;
	LinuxPath user;
	if (os->is_partial && may_be_backing(os, file, path, mode))
		return LINUX_REQUIRE(os->layout, error, LINUX_FIELD_BACKING_FILE_USER_PATH);
	if (read_user_path(os, file, mode, &path, &user)) {
		if (!linux_get(os, user.dentry, LINUX_FIELD_DENTRY_INODE, &inode, error))
			return FALSE;
	} else if (!linux_get(os, file, LINUX_FIELD_FILE_INODE, &inode, error)) {
		return FALSE;
	}
	if (!linux_get(os, inode, LINUX_FIELD_INODE_INO, &ret->inode, error) ||
	    !linux_get(os, inode, LINUX_FIELD_INODE_SB, &sb, error) ||
	    !linux_get(os, sb, LINUX_FIELD_SUPER_BLOCK_DEV, &dev, error))
		return FALSE;
	ret->offset = linux_object_u64(vma, LINUX_FIELD_VMA_PGOFF) << linux_page_shift(os);
	ret->dev_major = (guint32) dev >> LINUX_MINOR_BITS;
	ret->dev_minor = (guint32) dev & ((1U << LINUX_MINOR_BITS) - 1);
	if (!ret->path)
		ret->path = file_path(w, file, path);
	return TRUE;
}

/* A name that is a literal in the kernel, or hangs off the mapping's private data. */
static char *
special_name(const Linux *os, const LinuxObject *vma)
{
	guint64 ops = linux_object_u64(vma, LINUX_FIELD_VMA_OPS);
	guint64 mapping = linux_object_u64(vma, LINUX_FIELD_VMA_PRIVATE_DATA);
	guint64 name_fn, name;

	if (!ops || !linux_get(os, ops, LINUX_FIELD_VM_OPERATIONS_NAME, &name_fn, NULL) ||
	    !linux_is_symbol(os, name_fn, "special_mapping_name") ||
	    !linux_get(os, mapping, LINUX_FIELD_SPECIAL_MAPPING_NAME, &name, NULL) || !name)
		return NULL;
	return vmifs_aspace_read_string(os->aspace, name, ANON_NAME_MAX, NULL);
}

/* The heap's bounds were inclusive until the release that also renamed an inode's change time; the
 * change itself leaves no trace in types. It matters where a mapping touches an empty heap. */
static gboolean
is_heap(const Walk *w, const VmifsVma *vma)
{
	guint64 function;

	if (linux_has(w->os, LINUX_FIELD_INODE_CTIME_RENAMED) ||
	    (w->os->is_partial && linux_symbol(w->os, "inode_set_ctime_current", &function, NULL)))
		return vma->start < w->brk && vma->end > w->start_brk;
	return vma->start <= w->brk && vma->end >= w->start_brk;
}

/* "[anon:NAME]", "[anon_shmem:NAME]" as prctl(PR_SET_VMA) gave it; NULL when it has none. */
static char *
anon_name(const Linux *os, const LinuxObject *vma, const char *kind)
{
	guint64 object = linux_object_u64(vma, LINUX_FIELD_VMA_ANON_NAME), at;

	if (!object || !linux_offset(os, LINUX_FIELD_ANON_VMA_NAME_NAME, &at, NULL))
		return NULL;
	g_autofree char *name =
		vmifs_aspace_read_string(os->aspace, object + at, ANON_NAME_MAX, NULL);
	return name ? g_strdup_printf("[%s:%s]", kind, name) : NULL;
}

static gboolean
fill_path(Walk *w, const LinuxObject *vma, VmifsVma *ret, GError **error)
{
	const Linux *os = w->os;
	guint64 file = linux_object_u64(vma, LINUX_FIELD_VMA_FILE), anon_at, shared_at;

	if (file) {
		/* Where it shares its place with the links of file mappings it is for others. */
		if (linux_offset(os, LINUX_FIELD_VMA_ANON_NAME, &anon_at, NULL) &&
		    linux_offset(os, LINUX_FIELD_VMA_SHARED, &shared_at, NULL) &&
		    anon_at != shared_at)
			ret->path = anon_name(os, vma, "anon_shmem");
		return fill_file(w, vma, file, ret, error);
	}
	ret->path = special_name(os, vma);
	if (ret->path)
		return TRUE;
	if (is_heap(w, ret))
		ret->path = g_strdup("[heap]");
	else if (ret->start <= w->start_stack && ret->end >= w->start_stack)
		ret->path = g_strdup("[stack]");
	else
		ret->path = anon_name(os, vma, "anon");
	return TRUE;
}

/* ---- finding them ---- */

guint32
linux_vma_perms(guint64 vm_flags)
{
	return (vm_flags & VM_READ ? VMIFS_PERM_READ : 0) |
	       (vm_flags & VM_WRITE ? VMIFS_PERM_WRITE : 0) |
	       (vm_flags & VM_EXEC ? VMIFS_PERM_EXEC : 0);
}

static gboolean
read_vma(Walk *w, guint64 object, VmifsVma *ret, GError **error)
{
	g_auto(LinuxObject) o = LINUX_OBJECT_INIT(w->os->layout, w->os->aspace);

	if (!linux_object_read(&o, LINUX_STRUCT_VMA, object, error))
		return FALSE;
	VmifsVma vma = {
		.object = object,
		.start = linux_object_u64(&o, LINUX_FIELD_VMA_START),
		.end = linux_object_u64(&o, LINUX_FIELD_VMA_END),
	};
	guint64 flags = linux_object_u64(&o, LINUX_FIELD_VMA_FLAGS);
	if (vma.start >= vma.end || vma.start < w->last_end) {
		g_set_error(error, VMIFS_ERROR, VMIFS_ERROR_CORRUPT,
			    "mapping %#" G_GINT64_MODIFIER "x-%#" G_GINT64_MODIFIER
			    "x after one that ends at %#" G_GINT64_MODIFIER "x",
			    vma.start, vma.end, w->last_end);
		return FALSE;
	}
	vma.perms = linux_vma_perms(flags);
	vma.shared = (flags & VM_MAYSHARE) != 0;
	if (!fill_path(w, &o, &vma, error)) {
		vmifs_vma_clear(&vma);
		return FALSE;
	}
	*ret = vma;
	return TRUE;
}

static void
note_problem(Walk *w, guint64 object, GError *error)
{
	if (*w->problem)
		return g_error_free(error);
	g_prefix_error(&error, "mapping at %#" G_GINT64_MODIFIER "x: ", object);
	*w->problem = error;
}

static gboolean
add_vma(Walk *w, guint64 object)
{
	GError *error = NULL;
	VmifsVma vma;

	/* Each may have a path of thousands of steps. */
	if (w->ret->len >= MAX_VMAS || !vmifs_call_check(w->call, NULL))
		return FALSE;
	if (!read_vma(w, object, &vma, &error)) {
		note_problem(w, object, error);
		return TRUE;
	}
	w->last_end = vma.end;
	g_array_append_val(w->ret, vma);
	return TRUE;
}

static gboolean
visit_entry(guint64 first, guint64 last, guint64 entry, gpointer user)
{
	return add_vma(user, entry);
}

/* mm.mmap -> vm_next -> ...; ascending addresses are what ends a loop. */
static gboolean
walk_list(Walk *w, GError **error)
{
	guint64 vma;

	if (!linux_get(w->os, w->mm, LINUX_FIELD_MM_MMAP, &vma, error))
		return FALSE;
	while (vma) {
		guint before = w->ret->len;
		if (!add_vma(w, vma))
			return TRUE;
		if (w->ret->len == before)
			return TRUE;
		if (!linux_get(w->os, vma, LINUX_FIELD_VMA_NEXT, &vma, error))
			return FALSE;
	}
	return TRUE;
}

static gboolean
walk_vmas(Walk *w, GError **error)
{
	guint64 tree_at, nodes = MAX_VMAS;

	if (linux_offset(w->os, LINUX_FIELD_MM_MT, &tree_at, NULL))
		return linux_maple_each(w->os, w->mm + tree_at, &nodes, visit_entry, w, w->call,
					error);
	return walk_list(w, error);
}

/* *ret_torn: what does not hang together; what was found is in ret all the same. FALSE with error
 * when that is nothing. */
static gboolean
read_vmas(const Linux *os, const VmifsTask *task, GArray *ret, GError **ret_torn,
	  const VmifsCall *call, GError **error)
{
	g_autoptr(GHashTable) paths =
		g_hash_table_new_full(g_int64_hash, g_int64_equal, g_free, g_free);
	g_autoptr(GError) problem = NULL, broken = NULL;
	guint before = ret->len;
	Walk w = { .os = os,
		   .call = call,
		   .mm = task->mm,
		   .paths = paths,
		   .ret = ret,
		   .problem = &problem };
	if (!linux_get(os, task->mm, LINUX_FIELD_MM_BRK, &w.brk, error) ||
	    !linux_get(os, task->mm, LINUX_FIELD_MM_START_BRK, &w.start_brk, error) ||
	    !linux_get(os, task->mm, LINUX_FIELD_MM_START_STACK, &w.start_stack, error))
		return FALSE;
	w.has_root = linux_path_root(os, &w.root, NULL);
	walk_vmas(&w, &broken);
	/* What was found stays useful, but not a list that was merely given up. */
	if (!vmifs_call_check(call, error))
		return FALSE;
	if (broken && ret->len == before) {
		g_propagate_error(error, g_steal_pointer(&broken));
		return FALSE;
	}
	*ret_torn = broken ? g_steal_pointer(&broken) : g_steal_pointer(&problem);
	return TRUE;
}

gboolean
linux_vmas(gpointer self, const VmifsTask *task, GArray *ret, const VmifsCall *call, GError **error)
{
	const Linux *os = self;
	gint64 start = g_get_monotonic_time();
	guint before = ret->len;
	guint64 function;

	if (!task->mm)
		return TRUE;
	if (!LINUX_REQUIRE(os->layout, error, LINUX_FIELD_VMA_START, LINUX_FIELD_VMA_END,
			   LINUX_FIELD_VMA_FLAGS, LINUX_FIELD_VMA_FILE, LINUX_FIELD_VMA_PGOFF,
			   LINUX_FIELD_VMA_OPS, LINUX_FIELD_VMA_PRIVATE_DATA))
		return FALSE;
	/* Memory may have a name that nobody knows the place of. */
	if (os->is_partial && linux_symbol(os, "anon_vma_name_alloc", &function, NULL) &&
	    !LINUX_REQUIRE(os->layout, error, LINUX_FIELD_VMA_ANON_NAME))
		return FALSE;
	for (;;) {
		g_autoptr(GError) torn = NULL, failed = NULL;
		gboolean found = read_vmas(os, task, ret, &torn, call, &failed);
		if (found && !torn)
			return TRUE;
		if (vmifs_guest_may_retry(os->guest, start, found ? torn : failed, call)) {
			g_array_set_size(ret, before);
			continue;
		}
		if (found)
			vmifs_guest_log(os->guest, "mappings of task %u are partial: %s", task->pid,
					torn->message);
		else
			g_propagate_error(error, g_steal_pointer(&failed));
		return found;
	}
}
