/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * modules: the list of loaded modules, and its text as /proc/modules has it:
 *
 *   name size users used-by,used-by, state 0xbase (taints)
 */
#include "list.h"
#include "modules.h"

/* The address range for modules holds no more. */
#define MAX_MODULES (256 * 1024)
#define LEAST_MODULE 4096 /* its text alone takes a page */
#define MAX_MEMORIES 16
/* Who uses whom, of all modules together: each is a name in the text. */
#define MAX_USERS (256 * 1024)

enum {
	STATE_LIVE = 0,
	STATE_COMING = 1,
	STATE_GOING = 2,
	STATE_UNFORMED = 3,
};

typedef struct {
	const Linux *os;
	guint64 list_at;
	GArray *modules; /* of guint64 */
} Walk;

static gboolean
visit_module(guint64 node, gpointer user)
{
	Walk *w = user;
	guint64 module = node - w->list_at, state;

	if (linux_get(w->os, module, LINUX_FIELD_MODULE_STATE, &state, NULL) &&
	    state != STATE_UNFORMED)
		g_array_append_val(w->modules, module);
	return TRUE;
}

static guint64
most_modules(const Linux *os)
{
	return MIN(MAX_MODULES, linux_room_for(os, LEAST_MODULE));
}

/* What is found of a list that breaks, which is *ret_broken, is in modules too. */
static gboolean
walk_modules(const Linux *os, GArray *modules, GError **ret_broken, const VmifsCall *call,
	     GError **error)
{
	Walk w = { .os = os, .modules = modules };
	guint64 head;

	if (!linux_symbol(os, "modules", &head, error) ||
	    !linux_offset(os, LINUX_FIELD_MODULE_LIST, &w.list_at, error))
		return FALSE;
	linux_list_each(os->aspace, head, most_modules(os), visit_module, &w, call, ret_broken);
	return TRUE;
}

GArray *
linux_modules(const Linux *os, const VmifsCall *call, GError **error)
{
	g_autoptr(GArray) modules = g_array_new(FALSE, FALSE, sizeof(guint64));
	gint64 start = g_get_monotonic_time();

	for (;;) {
		g_autoptr(GError) broken = NULL;
		if (!walk_modules(os, modules, &broken, call, error))
			return NULL;
		if (!broken)
			return g_steal_pointer(&modules);
		if (vmifs_guest_may_retry(os->guest, start, broken, call)) {
			g_array_set_size(modules, 0);
			continue;
		}
		if (!vmifs_call_check(call, error))
			return NULL;
		vmifs_guest_log(os->guest, "modules are partial: %s", broken->message);
		return g_steal_pointer(&modules);
	}
}

gboolean
linux_module_name(const Linux *os, guint64 module, char *name, GError **error)
{
	name[LINUX_MODULE_NAME - 1] = '\0';
	return linux_get_bytes(os, module, LINUX_FIELD_MODULE_NAME, name, LINUX_MODULE_NAME - 1,
			       error);
}

gboolean
linux_module_text(const Linux *os, guint64 module, guint64 *ret_base, guint64 *ret_len,
		  GError **error)
{
	guint64 mem;

	if (!linux_has(os, LINUX_FIELD_MODULE_MEM))
		return linux_get(os, module, LINUX_FIELD_MODULE_CORE_BASE, ret_base, error) &&
		       linux_get(os, module, LINUX_FIELD_MODULE_CORE_TEXT_SIZE, ret_len, error);
	/* The first of its areas is that of the text. */
	return linux_offset(os, LINUX_FIELD_MODULE_MEM, &mem, error) &&
	       linux_get(os, module + mem, LINUX_FIELD_MODULE_MEMORY_BASE, ret_base, error) &&
	       linux_get(os, module + mem, LINUX_FIELD_MODULE_MEMORY_SIZE, ret_len, error);
}

/* Base of the text, bytes of all parts. */
static gboolean
read_memory(const Linux *os, guint64 module, guint64 *ret_base, guint64 *ret_size, GError **error)
{
	static const LinuxField layouts[] = { LINUX_FIELD_MODULE_CORE_SIZE,
					      LINUX_FIELD_MODULE_INIT_SIZE };
	VmifsMember mem;
	guint64 base, size = 0, part;

	if (!linux_has(os, LINUX_FIELD_MODULE_MEM)) {
		if (!linux_get(os, module, LINUX_FIELD_MODULE_CORE_BASE, &base, error))
			return FALSE;
		for (gsize i = 0; i < G_N_ELEMENTS(layouts); i++) {
			if (!linux_has(os, layouts[i]))
				continue;
			if (!linux_get(os, module, layouts[i], &part, error))
				return FALSE;
			size += part;
		}
		*ret_base = base;
		*ret_size = size;
		return TRUE;
	}
	if (!linux_member(os, LINUX_FIELD_MODULE_MEM, &mem, error) ||
	    !linux_get(os, module + mem.offset, LINUX_FIELD_MODULE_MEMORY_BASE, &base, error))
		return FALSE;
	for (guint32 i = 0; i < MIN(mem.count, MAX_MEMORIES); i++) {
		if (!linux_get(os, module + mem.offset + i * mem.elem_size,
			       LINUX_FIELD_MODULE_MEMORY_SIZE, &part, error))
			return FALSE;
		size += part;
	}
	*ret_base = base;
	*ret_size = size;
	return TRUE;
}

/* ---- as the engine has them ---- */

static gboolean
read_list(const Linux *os, GArray *ret, const VmifsCall *call, GError **error)
{
	g_autoptr(GArray) modules = g_array_new(FALSE, FALSE, sizeof(guint64));
	GError *broken = NULL;
	guint64 state, size;

	if (!walk_modules(os, modules, &broken, call, error))
		return FALSE;
	for (guint i = 0; i < modules->len && !broken; i++) {
		guint64 object = g_array_index(modules, guint64, i);
		VmifsModule module = { 0 };
		G_STATIC_ASSERT(sizeof module.name >= LINUX_MODULE_NAME);

		if (linux_get(os, object, LINUX_FIELD_MODULE_STATE, &state, &broken) &&
		    linux_module_name(os, object, module.name, &broken) &&
		    read_memory(os, object, &module.base, &size, &broken) &&
		    (state == STATE_LIVE || state == STATE_GOING))
			g_array_append_val(ret, module);
	}
	if (broken)
		g_propagate_error(error, broken);
	return !broken;
}

gboolean
linux_list_modules(gpointer self, GArray *ret, const VmifsCall *call, GError **error)
{
	const Linux *os = self;
	gint64 start = g_get_monotonic_time();
	guint before = ret->len;

	for (;;) {
		g_autoptr(GError) broken = NULL;
		if (read_list(os, ret, call, &broken))
			return TRUE;
		g_array_set_size(ret, before);
		if (!vmifs_guest_may_retry(os->guest, start, broken, call)) {
			g_propagate_error(error, g_steal_pointer(&broken));
			return FALSE;
		}
	}
}

/* ---- /proc/modules ---- */

typedef struct {
	const Linux *os;
	guint64 node_at;
	GString *out;
	gboolean printed;
	guint64 budget; /* of users, over all modules */
	GError *torn;   /* (full) (nullable) the first thing that does not hang together */
} Users;

/* problem: (taken) */
static void
note_torn(Users *u, const char *what, guint64 module, GError *problem)
{
	if (u->torn)
		return g_error_free(problem);
	g_prefix_error(&problem, "%s 0x%" G_GINT64_MODIFIER "x: ", what, module);
	u->torn = problem;
}

static gboolean
visit_user(guint64 node, gpointer user)
{
	Users *u = user;
	guint64 source;
	char name[LINUX_MODULE_NAME];

	u->budget--;
	if (linux_get(u->os, node - u->node_at, LINUX_FIELD_MODULE_USE_SOURCE, &source, NULL) &&
	    linux_module_name(u->os, source, name, NULL)) {
		vmifs_text_append_octal(u->out, name, -1, " ");
		g_string_append_c(u->out, ',');
		u->printed = TRUE;
	}
	return TRUE;
}

static gboolean
append_users(Users *u, guint64 module, const VmifsCall *call, GError **error)
{
	const Linux *os = u->os;
	GString *out = u->out;
	guint64 count, head_at, init, exit;

	if (!linux_has(os, LINUX_FIELD_MODULE_REFCNT)) {
		g_string_append(out, " - -");
		return TRUE;
	}
	if (!linux_get(os, module, LINUX_FIELD_MODULE_REFCNT, &count, error) ||
	    !linux_get(os, module, LINUX_FIELD_MODULE_INIT, &init, error) ||
	    !linux_get(os, module, LINUX_FIELD_MODULE_EXIT, &exit, error) ||
	    !linux_offset(os, LINUX_FIELD_MODULE_SOURCE_LIST, &head_at, error) ||
	    !linux_offset(os, LINUX_FIELD_MODULE_USE_SOURCE_LIST, &u->node_at, error))
		return FALSE;
	/* The kernel itself holds one for as long as the module is loaded. */
	g_string_append_printf(out, " %d ", (gint32) ((guint32) count - 1));
	/* A torn list must not hide the module. */
	g_autoptr(GError) torn = NULL;
	u->printed = FALSE;
	if (!linux_list_each(os->aspace, module + head_at, u->budget, visit_user, u, call, &torn)) {
		if (!vmifs_call_check(call, error))
			return FALSE;
		note_torn(u, "users of module", module, g_steal_pointer(&torn));
	}
	if (init && !exit) {
		g_string_append(out, "[permanent],");
		u->printed = TRUE;
	}
	if (!u->printed)
		g_string_append_c(out, '-');
	return TRUE;
}

static void
append_taints(GString *out, guint64 taints, guint64 state)
{
	/* By bit; blank where a bit is of the kernel, not of a module. */
	static const char letters[] = "PF        C OE K XTN";

	if (!taints)
		return;
	g_string_append(out, " (");
	for (gsize i = 0; i < sizeof letters - 1; i++) {
		if (letters[i] != ' ' && taints >> i & 1)
			g_string_append_c(out, letters[i]);
	}
	if (state == STATE_GOING)
		g_string_append_c(out, '-');
	if (state == STATE_COMING)
		g_string_append_c(out, '+');
	g_string_append_c(out, ')');
}

static gboolean
append_module(Users *u, guint64 module, const VmifsCall *call, GError **error)
{
	const Linux *os = u->os;
	GString *out = u->out;
	char name[LINUX_MODULE_NAME];
	guint64 base, size, state, taints;

	if (!linux_module_name(os, module, name, error) ||
	    !read_memory(os, module, &base, &size, error) ||
	    !linux_get(os, module, LINUX_FIELD_MODULE_STATE, &state, error) ||
	    !linux_get(os, module, LINUX_FIELD_MODULE_TAINTS, &taints, error))
		return FALSE;
	if (os->is_partial && state == STATE_COMING && !linux_has(os, LINUX_FIELD_MODULE_MEM)) {
		g_set_error_literal(error, VMIFS_ERROR, VMIFS_ERROR_UNSUPPORTED,
				    "how much of it only its start needs is not inferred");
		return FALSE;
	}
	vmifs_text_append_octal(out, name, -1, " ");
	g_string_append_printf(out, " %u", (guint32) size);
	if (!append_users(u, module, call, error))
		return FALSE;
	g_string_append_printf(out, " %s 0x%0*" G_GINT64_MODIFIER "x",
			       state == STATE_GOING    ? "Unloading"
			       : state == STATE_COMING ? "Loading"
						       : "Live",
			       linux_digits(os), base);
	append_taints(out, taints, state);
	g_string_append_c(out, '\n');
	return TRUE;
}

/* *ret_torn: the first thing that does not hang together. */
static gboolean
append_modules(const Linux *os, GString *out, GError **ret_torn, const VmifsCall *call,
	       GError **error)
{
	g_autoptr(GArray) modules = g_array_new(FALSE, FALSE, sizeof(guint64));
	Users u = { .os = os, .out = out, .budget = MAX_USERS };
	gboolean goes_on =
		walk_modules(os, modules, &u.torn, call, error) && vmifs_call_check(call, error);

	for (guint i = 0; i < modules->len && goes_on; i++) {
		guint64 module = g_array_index(modules, guint64, i);
		GError *failed = NULL;
		gsize start = out->len;

		if (append_module(&u, module, call, &failed))
			continue;
		g_string_truncate(out, start);
		note_torn(&u, "module", module, failed);
		goes_on = vmifs_call_check(call, error);
	}
	*ret_torn = u.torn;
	return goes_on;
}

LINUX_VIEW(linux_render_modules)
{
	const Linux *self = os;
	gint64 begin = g_get_monotonic_time();
	gsize before = out->len;

	if (self->is_partial &&
	    (!LINUX_REQUIRE(self->layout, error, LINUX_FIELD_MODULE_TAINTS,
			    LINUX_FIELD_MODULE_REFCNT, LINUX_FIELD_MODULE_INIT) ||
	     (!linux_has(self, LINUX_FIELD_MODULE_MEM) &&
	      !LINUX_REQUIRE(self->layout, error, LINUX_FIELD_MODULE_CORE_SIZE))))
		return FALSE;
	for (;;) {
		g_autoptr(GError) torn = NULL;
		if (!append_modules(self, out, &torn, call, error))
			return FALSE;
		if (!torn)
			return TRUE;
		if (!vmifs_guest_may_retry(self->guest, begin, torn, call)) {
			vmifs_guest_log(self->guest, "modules are partial: %s", torn->message);
			return TRUE;
		}
		g_string_truncate(out, before);
	}
}
