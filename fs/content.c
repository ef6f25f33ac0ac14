/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * content: a table of the texts that are in use now, without references of its own: a text takes
 * itself out when its last user drops it; the list of recent ones is such a user. One that is being
 * made stands in the table already, empty; whoever else wants it waits on the table's condition. If
 * its maker fails or gives up, one of those who wait takes over.
 */
#include "content.h"

/* How long a waiter may overlook that its caller gave up. */
#define POLL_US (20 * G_TIME_SPAN_MILLISECOND)

struct VmifsContent {
	guint refs;              /* guarded by the table's lock; 1 where not shared */
	VmifsContents *contents; /* (borrowed) NULL = not shared */
	VmifsNode *node;         /* (full) where shared: its key */
	gboolean made;
	GString *text; /* NULL until made */
};

/* Texts that nobody has open are kept for a moment, up to so many bytes, in which a file of a few
 * bytes counts for what it takes in memory. */
#define RECENT_LEN ((gsize) 2 << 20)
#define RECENT_MIN 256

struct VmifsContents {
	GMutex lock; /* guards what follows, and shared contents */
	GCond changed;
	guint n_waiting;     /* on changed */
	GHashTable *by_node; /* VmifsNode -> VmifsContent, both (borrowed) */
	GQueue recent;       /* of VmifsContent (full), newest last: see keep_locked() */
	gsize recent_len;    /* bytes that they take */
};

gboolean
vmifs_content_is_constant(const VmifsNode *node)
{
	return vmifs_node_is_frozen(node) && !(node->flags & VMIFS_NODE_VARIES);
}

/* GString grows by doubling; what is kept for long gives the rest back. */
static void
trim(GString *text)
{
	if (text->allocated_len - text->len > 64 * 1024) {
		text->allocated_len = text->len + 1;
		text->str = g_realloc(text->str, text->allocated_len);
	}
}

static GString *
render(VmifsNode *node, VmifsNodeCall *call, GError **error)
{
	GString *text = g_string_new(NULL);
	if (!node->ops->render(node, text, call, error)) {
		g_string_free(text, TRUE);
		return NULL;
	}
	trim(text);
	return text;
}

static VmifsContent *
make_private(VmifsNode *node, VmifsNodeCall *call, GError **error)
{
	GString *text = render(node, call, error);
	if (!text)
		return NULL;
	VmifsContent *content = g_new0(VmifsContent, 1);
	content->refs = 1;
	content->text = text;
	return content;
}

/* Takes the content out of the table once nobody has it. */
static void
drop_locked(VmifsContent *content)
{
	if (--content->refs > 0)
		return;
	g_hash_table_remove(content->contents->by_node, content->node);
	if (content->text)
		g_string_free(content->text, TRUE);
	vmifs_node_unref(content->node);
	g_free(content);
}

static gsize
recent_size(const VmifsContent *content)
{
	return RECENT_MIN + content->text->allocated_len;
}

/* Whoever asks for a size wants to open next, whoever has opened, to read: three requests, one
 * text.
 */
static void
keep_locked(VmifsContents *contents, VmifsContent *content)
{
	if (recent_size(content) > RECENT_LEN)
		return;
	content->refs++;
	g_queue_push_tail(&contents->recent, content);
	contents->recent_len += recent_size(content);
	while (contents->recent_len > RECENT_LEN) {
		VmifsContent *oldest = g_queue_pop_head(&contents->recent);
		contents->recent_len -= recent_size(oldest);
		drop_locked(oldest);
	}
}

/* Those of one guest, or all. */
static void
forget_locked(VmifsContents *contents, const VmifsFsGuest *guest)
{
	for (GList *link = contents->recent.head, *next; link; link = next) {
		VmifsContent *content = link->data;
		next = link->next;
		if (guest && content->node->guest != guest)
			continue;
		g_queue_delete_link(&contents->recent, link);
		contents->recent_len -= recent_size(content);
		drop_locked(content);
	}
}

void
vmifs_contents_forget(VmifsContents *contents, const VmifsFsGuest *guest)
{
	g_autoptr(GMutexLocker) locker = g_mutex_locker_new(&contents->lock);
	forget_locked(contents, guest);
}

VmifsContents *
vmifs_contents_new(void)
{
	VmifsContents *contents = g_new0(VmifsContents, 1);
	g_mutex_init(&contents->lock);
	g_cond_init(&contents->changed);
	contents->by_node = g_hash_table_new(NULL, NULL);
	return contents;
}

void
vmifs_contents_free(VmifsContents *contents)
{
	if (!contents)
		return;
	vmifs_contents_forget(contents, NULL);
	g_assert(g_hash_table_size(contents->by_node) == 0);
	g_hash_table_unref(contents->by_node);
	g_mutex_clear(&contents->lock);
	g_cond_clear(&contents->changed);
	g_free(contents);
}

/* An empty content that this caller has to make. */
static VmifsContent *
reserve_locked(VmifsContents *contents, VmifsNode *node)
{
	VmifsContent *content = g_new0(VmifsContent, 1);
	content->refs = 1;
	content->contents = contents;
	content->node = vmifs_node_ref(node);
	g_hash_table_insert(contents->by_node, node, content);
	return content;
}

/* Waits for another's rendering of the node. *ret NULL: there is none, or it failed: make one.
 * FALSE when the caller gave up first. */
static gboolean
join_locked(VmifsContents *contents, VmifsNode *node, const VmifsCall *call, VmifsContent **ret,
	    GError **error)
{
	for (;;) {
		VmifsContent *content = g_hash_table_lookup(contents->by_node, node);
		if (!content || content->made) {
			if (content)
				content->refs++;
			*ret = content;
			return TRUE;
		}
		contents->n_waiting++;
		g_cond_wait_until(&contents->changed, &contents->lock,
				  g_get_monotonic_time() + POLL_US);
		contents->n_waiting--;
		if (!vmifs_call_check(call, error))
			return FALSE;
	}
}

VmifsContent *
vmifs_contents_get(VmifsContents *contents, VmifsNode *node, VmifsNodeCall *call, GError **error)
{
	if (!vmifs_content_is_constant(node))
		return make_private(node, call, error);

	g_mutex_lock(&contents->lock);
	VmifsContent *content = g_hash_table_lookup(contents->by_node, node);
	if (content && !content->made && !vmifs_node_needs_work(call)) {
		g_mutex_unlock(&contents->lock);
		return NULL;
	}
	content = NULL;
	if (!join_locked(contents, node, &call->call, &content, error) || content) {
		g_mutex_unlock(&contents->lock);
		return content;
	}
	content = reserve_locked(contents, node);
	g_mutex_unlock(&contents->lock);

	GString *text = render(node, call, error);

	g_mutex_lock(&contents->lock);
	if (text) {
		content->text = text;
		content->made = TRUE;
		keep_locked(contents, content);
		__atomic_store_n(&node->text_size, (gint64) text->len, __ATOMIC_RELAXED);
	} else {
		drop_locked(content);
		content = NULL;
	}
	if (contents->n_waiting)
		g_cond_broadcast(&contents->changed);
	g_mutex_unlock(&contents->lock);
	return content;
}

VmifsContent *
vmifs_contents_find(VmifsContents *contents, const VmifsNode *node)
{
	g_autoptr(GMutexLocker) locker = g_mutex_locker_new(&contents->lock);
	VmifsContent *content = g_hash_table_lookup(contents->by_node, node);
	if (!content || !content->made)
		return NULL;
	content->refs++;
	return content;
}

const char *
vmifs_content_data(const VmifsContent *content, gsize *ret_len)
{
	*ret_len = content->text->len;
	return content->text->str;
}

void
vmifs_content_unref(VmifsContent *content)
{
	if (!content)
		return;
	VmifsContents *contents = content->contents;
	if (contents) {
		g_mutex_lock(&contents->lock);
		drop_locked(content);
		g_mutex_unlock(&contents->lock);
	} else {
		g_string_free(content->text, TRUE);
		g_free(content);
	}
}
