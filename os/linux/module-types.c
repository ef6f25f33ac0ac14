/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * module-types: BTF, read out of the guest's memory: the kernel's between two of its symbols, a
 * module's from the list that the kernel keeps of those. A layout with a module's types is made
 * when it is first asked for, by whoever asks; of two who do so at once, the later finds it made.
 */
#include "module-types.h"

#include "btf-find.h"
#include "list.h"
#include "modules.h"

#define MAX_BTF (64 * 1024 * 1024)        /* of the kernel; Debian's are 4 to 6 MB */
#define MAX_MODULE_BTF (16 * 1024 * 1024) /* the largest of Debian's has 2 MB */
#define MAX_MODULES (64 * 1024)
#define LEAST_MODULE 4096

struct LinuxModuleLayouts {
	GMutex lock;
	GHashTable *made; /* char * -> Made *; entries are never taken out */
};

typedef struct {
	LinuxLayout *layout; /* NULL: why there is none stands in error */
	GError *error;
} Made;

static void
free_made(gpointer data)
{
	Made *made = data;

	g_clear_pointer(&made->layout, linux_layout_free);
	g_clear_error(&made->error);
	g_free(made);
}

LinuxModuleLayouts *
linux_module_layouts_new(void)
{
	LinuxModuleLayouts *layouts = g_new0(LinuxModuleLayouts, 1);

	g_mutex_init(&layouts->lock);
	layouts->made = g_hash_table_new_full(g_str_hash, g_str_equal, g_free, free_made);
	return layouts;
}

void
linux_module_layouts_free(LinuxModuleLayouts *layouts)
{
	g_hash_table_unref(layouts->made);
	g_mutex_clear(&layouts->lock);
	g_free(layouts);
}

/* ---- blobs ---- */

/* (full) */
static guint8 *
read_blob(const Linux *os, guint64 start, guint64 len, guint64 most, GError **error)
{
	g_autofree guint8 *blob = NULL;

	if (!len || len > most) {
		g_set_error(error, VMIFS_ERROR, VMIFS_ERROR_CORRUPT,
			    "%#" G_GINT64_MODIFIER "x bytes of types make no sense", len);
		return NULL;
	}
	blob = g_malloc(len);
	return vmifs_aspace_read(os->aspace, start, blob, len, error) ? g_steal_pointer(&blob)
								      : NULL;
}

VmifsTypes *
linux_types(const Linux *os, GError **error)
{
	guint64 start, stop;

	if (os->is_text_only)
		return linux_btf_find(os, error);
	if (!linux_symbol(os, "__start_BTF", &start, error) ||
	    !linux_symbol(os, "__stop_BTF", &stop, error))
		return NULL;
	g_autofree guint8 *blob = read_blob(os, start, stop - start, MAX_BTF, error);
	return blob ? vmifs_types_new_btf(blob, stop - start, error) : NULL;
}

/* ---- of a module ---- */

typedef struct {
	const Linux *os;
	const char *name;
	guint64 list_at;
	guint64 btf; /* struct btf; 0: not found */
} Search;

static gboolean
visit_btf(guint64 node, gpointer user)
{
	Search *s = user;
	guint64 entry = node - s->list_at, module;
	char name[LINUX_MODULE_NAME];

	return !linux_get(s->os, entry, LINUX_FIELD_BTF_MODULE_MODULE, &module, NULL) ||
	       !linux_module_name(s->os, module, name, NULL) || !g_str_equal(name, s->name) ||
	       !linux_get(s->os, entry, LINUX_FIELD_BTF_MODULE_BTF, &s->btf, NULL);
}

static gboolean
find_btf(const Linux *os, const char *module, guint64 *ret, const VmifsCall *call, GError **error)
{
	Search s = { .os = os, .name = module };
	guint64 head;

	if (!linux_symbol(os, "btf_modules", &head, error) ||
	    !linux_offset(os, LINUX_FIELD_BTF_MODULE_LIST, &s.list_at, error) ||
	    !linux_list_each(os->aspace, head, MIN(MAX_MODULES, linux_room_for(os, LEAST_MODULE)),
			     visit_btf, &s, call, error))
		return FALSE;
	if (!s.btf) {
		g_set_error_literal(error, VMIFS_ERROR, VMIFS_ERROR_UNSUPPORTED, "there are none");
		return FALSE;
	}
	*ret = s.btf;
	return TRUE;
}

/* (full) */
static LinuxLayout *
make_layout(const Linux *os, const char *module, const VmifsCall *call, GError **error)
{
	guint64 btf, data, len;

	if (!find_btf(os, module, &btf, call, error) ||
	    !linux_get(os, btf, LINUX_FIELD_BTF_DATA, &data, error) ||
	    !linux_get(os, btf, LINUX_FIELD_BTF_DATA_SIZE, &len, error))
		return NULL;
	g_autofree guint8 *blob = read_blob(os, data, len, MAX_MODULE_BTF, error);
	if (!blob || !vmifs_call_check(call, error))
		return NULL;
	g_autoptr(VmifsTypes) base = linux_types(os, error);
	if (!base)
		return NULL;
	g_autoptr(VmifsTypes) types = vmifs_types_new_btf_split(base, blob, len, error);
	if (!types)
		return NULL;
	if (vmifs_types_problem(types))
		vmifs_guest_log(os->guest, "types of %s: %s", module, vmifs_types_problem(types));
	return linux_layout_new(types);
}

static Made *
look_up(const Linux *os, const char *module)
{
	g_autoptr(GMutexLocker) locker = g_mutex_locker_new(&os->module_layouts->lock);

	return g_hash_table_lookup(os->module_layouts->made, module);
}

/* What now stands there for the module: made, or what another has made meanwhile. made: (taken) */
static Made *
keep(const Linux *os, const char *module, Made *made)
{
	g_autoptr(GMutexLocker) locker = g_mutex_locker_new(&os->module_layouts->lock);
	Made *there = g_hash_table_lookup(os->module_layouts->made, module);

	if (there) {
		free_made(made);
		return there;
	}
	g_hash_table_insert(os->module_layouts->made, g_strdup(module), made);
	return made;
}

gboolean
linux_of_module(const Linux *os, const char *module, Linux *ret, const VmifsCall *call,
		GError **error)
{
	const Made *made = look_up(os, module);

	if (!made) {
		Made *mine = g_new0(Made, 1);
		mine->layout = make_layout(os, module, call, &mine->error);
		/* That this caller gave up says nothing of the module. */
		if (!mine->layout && !vmifs_call_check(call, error)) {
			free_made(mine);
			return FALSE;
		}
		g_prefix_error(&mine->error, "types of %s: ", module);
		/* A running guest may load it later. */
		if (!mine->layout && !vmifs_guest_is_frozen(os->guest)) {
			g_propagate_error(error, g_steal_pointer(&mine->error));
			free_made(mine);
			return FALSE;
		}
		made = keep(os, module, mine);
	}
	if (!made->layout) {
		g_propagate_error(error, g_error_copy(made->error));
		return FALSE;
	}
	*ret = *os;
	ret->layout = made->layout;
	return TRUE;
}
