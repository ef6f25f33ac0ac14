/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * node: one entry of the tree. A node is a name under a parent plus a const ops struct that says
 * what it is; everything else about serving it is written once, in session.c. Nodes are immutable
 * but for what the inode table and the size of a frozen text need, and are shared by count.
 *
 * How to add an entry: fs/nodes/X.c with a const VmifsNodeOps, its line in fs/nodes/nodes.h and
 * fs/meson.build, a line in the table of its directory (VmifsFixed). What an OS makes from memory
 * needs none of that: see VmifsView.
 *
 * An op is first called on the thread that took the request, where it must not wait or decode guest
 * structures. One that has to says so (vmifs_node_needs_work(), vmifs_node_needs_discovery()),
 * returns failure without an error, and is called again from the guest's queue: by one of its
 * threads, or by the same as before, if that can be spared.
 */
#pragma once

#include <vmifs/vmifs.h>

#include <sys/stat.h>
#include <sys/types.h>

G_BEGIN_DECLS

typedef struct VmifsFs VmifsFs;
typedef struct VmifsFsGuest VmifsFsGuest;
typedef struct VmifsNode VmifsNode;
typedef struct VmifsNodeOps VmifsNodeOps;

typedef enum {
	VMIFS_DEFER_NO,
	VMIFS_DEFER_WORK,      /* call again on the guest's queue */
	VMIFS_DEFER_MONITOR,   /* on its queue for what asks the hypervisor */
	VMIFS_DEFER_PATIENCE,  /* on its queue for what may take minutes */
	VMIFS_DEFER_DISCOVERY, /* on the first, once discovery has ended */
	VMIFS_DEFER_READY,     /* once there is something to read: of streams */
} VmifsDefer;

typedef struct {
	VmifsCall call; /* deadline and cancellation, for the engine */
	VmifsFs *fs;
	gboolean direct;    /* of a read: not for the kernel's page cache */
	gboolean may_block; /* on the guest's queue: nothing else waits for this thread */
	gboolean trying;    /* on the thread that took the request, with a moment to decode */
	VmifsDefer defer;   /* out */
	pid_t caller;       /* thread that made the system call; 0 = unknown */
} VmifsNodeCall;

/* TRUE when the op may decode guest structures now. Otherwise notes that it wants to. */
gboolean
vmifs_node_needs_work(VmifsNodeCall *call);
/* The same for what may have to ask the guest's hypervisor. */
gboolean
vmifs_node_needs_monitor(VmifsNodeCall *call);
/* The same for what may take minutes, until it is interrupted. */
gboolean
vmifs_node_needs_patience(VmifsNodeCall *call);
/* The same for what commonly takes less than the way through the queue would: on the thread that
 * took the request it may decode for a moment, if the guest is frozen and known. */
gboolean
vmifs_node_may_try(VmifsNode *node, VmifsNodeCall *call);
/* To be called with the result of what was tried: FALSE, without an error, when it came too late:
 * the call is to be made again on the guest's queue. What was given up there is no result either,
 * for whoever made it may have left out what he had no time for: FALSE, with an error. */
gboolean
vmifs_node_end_try(VmifsNodeCall *call, gboolean done, GError **error);
/* TRUE when discovery of the node's guest has ended and the op may decode. */
gboolean
vmifs_node_needs_discovery(VmifsNode *node, VmifsNodeCall *call);

/* ---- directories as lists ---- */

typedef struct {
	const char *name;
	mode_t type; /* S_IFDIR, S_IFREG, S_IFLNK */
	guint tag;   /* for the directory's own child() */
} VmifsNodeEntry;

/* Immutable once opendir has it; cookies are indexes in it. */
typedef struct {
	GArray *entries; /* of VmifsNodeEntry */
	GStringChunk *names;
	gpointer pin; /* what borrowed names and tags rest on */
	GDestroyNotify unpin;
} VmifsNodeList;

VmifsNodeList *
vmifs_node_list_new(void);
void
vmifs_node_list_free(VmifsNodeList *list);
/* Names that cannot be directory entries are left out: many come from a guest. */
void
vmifs_node_list_add(VmifsNodeList *list, const char *name, mode_t type, guint tag);
/* name: (borrowed) from what the list is pinned to. */
void
vmifs_node_list_add_borrowed(VmifsNodeList *list, const char *name, mode_t type, guint tag);
gboolean
vmifs_node_list_has(const VmifsNodeList *list, const char *name);

/* ---- ops ---- */

typedef enum {
	/* The text may differ from one open to the next though the guest is frozen (info, log). */
	VMIFS_NODE_VARIES = 1 << 0,
	/* An address space: never cached, short reads at holes. Other memory is sized. */
	VMIFS_NODE_ADDRESSES = 1 << 1,
	/* Its struct is a VmifsTaskNode. */
	VMIFS_NODE_TASK = 1 << 2,
	/* Found for one caller only: the kernel must ask again. */
	VMIFS_NODE_FLEETING = 1 << 3,
	/* Its text is cheap: a lookup makes it, so that its size is known from the start. */
	VMIFS_NODE_QUICK = 1 << 5,
	/* Too many children to give the kernel an inode for each when they are only listed. */
	VMIFS_NODE_CROWDED = 1 << 4,
	/* What is written to it changes no guest, only what we keep: that needs no guest_rw. */
	VMIFS_NODE_OURS = 1 << 6,
} VmifsNodeFlags;

typedef struct {
	guint64 size;
	guint64 allocated; /* bytes */
} VmifsNodeSize;

struct VmifsNodeOps {
	mode_t type;
	guint32 flags;                  /* VmifsNodeFlags */
	gsize instance_size;            /* 0 = sizeof(VmifsNode) */
	void (*clear)(VmifsNode *self); /* of what the instance owns; optional */

	/* Directories: both required. lookup answers (full) NULL with NOT_FOUND. */
	gboolean (*list)(VmifsNode *self, VmifsNodeList *list, VmifsNodeCall *call, GError **error);
	VmifsNode *(*lookup)(VmifsNode *self, const char *name, VmifsNodeCall *call,
			     GError **error);
	/* The node of a list's entry where that costs nothing; NULL = look it up. (full) Optional.
	 */
	VmifsNode *(*child)(VmifsNode *self, const VmifsNodeList *list, guint index);
	/* mkdir(2) and rmdir(2) in it; both or none. make: (full) */
	VmifsNode *(*make)(VmifsNode *self, const char *name, VmifsNodeCall *call, GError **error);
	gboolean (*drop)(VmifsNode *self, const char *name, VmifsNodeCall *call, GError **error);

	/* Texts and links: the whole content. */
	gboolean (*render)(VmifsNode *self, GString *out, VmifsNodeCall *call, GError **error);

	/* Memory. open gives (full) what size, read and seek work on. */
	gboolean (*size)(VmifsNode *self, VmifsNodeSize *ret, VmifsNodeCall *call, GError **error);
	gpointer (*open)(VmifsNode *self, VmifsNodeCall *call, GError **error);
	void (*close)(gpointer file);
	/* Appends up to len bytes from off, which lies below the size. Returns how many; 0 with
	 * error. */
	gsize (*read)(VmifsNode *self, gpointer file, guint64 off, gsize len,
		      VmifsSegments *segments, VmifsNodeCall *call, GError **error);
	/* Makes it a stream: read() gives what comes next, whatever off is, and what was read is
	 * gone. FALSE: there is nothing yet, and the guest's waiting is woken when there is
	 * (vmifs_waiting_wake()); TRUE with nothing to read is the end. With open, close and read;
	 * the latter two may not wait. */
	gboolean (*ready)(VmifsNode *self, gpointer file);
	/* Control files and memory that a mount with guest_rw may write: takes up to len bytes from
	 * off; file is NULL for texts. Returns how many; 0 with error. */
	gsize (*write)(VmifsNode *self, gpointer file, guint64 off, gconstpointer data, gsize len,
		       VmifsNodeCall *call, GError **error);
	/* Of control files: to be emptied, by open(2) with O_TRUNC or truncate(2). Optional. */
	gboolean (*truncate)(VmifsNode *self, VmifsNodeCall *call, GError **error);
	/* The first data (or hole) at or after off. *ret_found FALSE: there is none before the end.
	 */
	gboolean (*seek)(VmifsNode *self, gpointer file, guint64 off, gboolean want_data,
			 guint64 *ret_off, gboolean *ret_found, VmifsNodeCall *call,
			 GError **error);
	/* The file that holds these bytes 1:1, for passthrough; -1 and why not. Optional.
	 * (borrowed) */
	int (*backing)(VmifsNode *self, const char **ret_why);
};

/* ---- nodes ---- */

struct VmifsNode {
	gatomicrefcount refs;
	guint32 flags; /* of its ops, and its own */
	const VmifsNodeOps *ops;
	VmifsNode *parent;   /* (full) NULL = the root */
	VmifsFsGuest *guest; /* (borrowed from its guest's directory) NULL above guests */
	const char *name;    /* follows the struct */
	guint64 boot;        /* of what belongs to an OS: see vmifs_node_new_of_boot(); else 0 */
	guint64 ino;         /* in one mount the same for the same parent, name, identity */
	gint64 text_size;    /* atomic; of a frozen text, once it was rendered; -1 = not yet */
	guint64 id;          /* (inode table) what the kernel calls it; 0 = not in the table */
	guint64 lookups;     /* (inode table) references that the kernel holds */
	gint filled;         /* atomic; done with giving its text to the kernel's page cache */
};

/* A process or thread, bound to its identity: not to its pid, which may live on as another. */
typedef struct {
	VmifsNode node;
	VmifsTask task;
} VmifsTaskNode;

/* parent: (borrowed) NULL for the root. identity: tells apart what may follow each other under one
 * name; 0 where nothing can. Instance members after VmifsNode are zero. */
gpointer
vmifs_node_new(const VmifsNodeOps *ops, VmifsNode *parent, const char *name, guint64 identity);
/* The same for a child of a guest's directory, or of a folder there, that shows what its OS has: it
 * and all below end with that boot. */
gpointer
vmifs_node_new_of_boot(const VmifsNodeOps *ops, VmifsNode *parent, const char *name);
VmifsNode *
vmifs_node_ref(VmifsNode *node);
void
vmifs_node_unref(VmifsNode *node);
/* The inode number that a child of that name and identity has or would have. */
guint64
vmifs_node_child_ino(const VmifsNode *parent, const char *name, guint64 identity);

/* The task whose directory the node lies in; NULL at guest scopes. (borrowed from the node) */
const VmifsTask *
vmifs_node_task(const VmifsNode *node);
VmifsGuest * /* (borrowed) */
vmifs_node_guest(const VmifsNode *node);
gboolean
vmifs_node_is_frozen(const VmifsNode *node);
/* FALSE with STALE when the guest has gone, or the boot that the node belongs to. */
gboolean
vmifs_node_check(const VmifsNode *node, GError **error);
/* FALSE with DENIED when this mount does not let that file be written. */
gboolean
vmifs_node_check_writable(VmifsFs *fs, const VmifsNode *node, GError **error);
/* Memory that the kernel may keep in its page cache: where no answer is ever short. */
gboolean
vmifs_node_is_cached_memory(const VmifsNode *node, const VmifsNodeCall *call);
/* The path below the mount, for messages. (full) */
char *
vmifs_node_path(const VmifsNode *node);

void
vmifs_node_set_not_found(GError **error, const char *name);

/* ---- directories that are tables ---- */

typedef enum {
	VMIFS_PRESENT_NO,
	VMIFS_PRESENT_YES,
	VMIFS_PRESENT_UNKNOWN, /* until discovery has ended */
} VmifsPresent;

typedef struct {
	const char *name;
	const VmifsNodeOps *ops;
	VmifsPresent (*present)(VmifsNode *dir); /* NULL = always */
	gboolean of_boot;                        /* what the OS has, not the machine */
} VmifsFixed;

/* list, lookup and child over such a table. lookup returns NULL without an error when the table
 * does not know the name, or when the call was deferred. */
void
vmifs_fixed_list(VmifsNode *dir, const VmifsFixed *table, gsize n, VmifsNodeList *list);
VmifsNode *
vmifs_fixed_lookup(VmifsNode *dir, const VmifsFixed *table, gsize n, const char *name,
		   VmifsNodeCall *call);

G_DEFINE_AUTOPTR_CLEANUP_FUNC(VmifsNode, vmifs_node_unref)
G_DEFINE_AUTOPTR_CLEANUP_FUNC(VmifsNodeList, vmifs_node_list_free)

G_END_DECLS
