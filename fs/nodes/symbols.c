/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * symbols: a file per symbol name, `address type [module]`, one line per definition. A kernel has
 * 200,000 of them: a listing borrows the names, the kernel gets an inode only for what is looked
 * up, and a file knows its size from the start.
 */
#include "nodes.h"

typedef struct {
	VmifsNode node;
	VmifsSymbols *symbols; /* (full) atomic; of a frozen guest, once they were made */
} SymbolsNode;

/* Of a frozen guest the node keeps them: no lookup has to wait a second time. (full) */
static VmifsSymbols *
get_symbols(VmifsNode *dir, VmifsNodeCall *call, GError **error)
{
	SymbolsNode *self = (SymbolsNode *) dir;
	VmifsSymbols *kept = g_atomic_pointer_get(&self->symbols);
	if (kept)
		return vmifs_symbols_ref(kept);
	if (!vmifs_node_needs_work(call))
		return NULL;
	VmifsSymbols *symbols = vmifs_guest_symbols(vmifs_node_guest(dir), &call->call, error);
	if (symbols && dir->guest->frozen &&
	    g_atomic_pointer_compare_and_exchange(&self->symbols, NULL, symbols))
		vmifs_symbols_ref(symbols);
	return symbols;
}

static void
clear(VmifsNode *node)
{
	vmifs_symbols_unref(((SymbolsNode *) node)->symbols);
}

/* What no compiler would name so, the kallsyms file alone shows, escaped. */
static gboolean
is_plain(const char *name)
{
	for (const char *p = name; *p; p++) {
		if (g_ascii_iscntrl(*p))
			return FALSE;
	}
	return TRUE;
}

/* Names that a kernel gives twice are listed once: at their first definition. */
static gboolean
list(VmifsNode *self, VmifsNodeList *list, VmifsNodeCall *call, GError **error)
{
	VmifsSymbols *symbols = get_symbols(self, call, error);
	if (!symbols)
		return FALSE;
	list->pin = symbols;
	list->unpin = (GDestroyNotify) vmifs_symbols_unref;
	gsize count = vmifs_symbols_count(symbols);
	for (gsize i = 0; i < count; i++) {
		VmifsSymbol symbol;
		guint64 cursor = 0;
		gsize first;
		vmifs_symbols_get(symbols, i, &symbol);
		if (is_plain(symbol.name) &&
		    vmifs_symbols_each(symbols, symbol.name, &cursor, &first) && first == i)
			vmifs_node_list_add_borrowed(list, symbol.name, S_IFREG, 0);
	}
	return TRUE;
}

static gboolean
render_symbol(VmifsNode *self, GString *out, VmifsNodeCall *call, GError **error)
{
	g_autoptr(VmifsSymbols) symbols = get_symbols(self->parent, call, error);
	if (!symbols)
		return FALSE;
	g_autoptr(VmifsAspace) kernel =
		vmifs_guest_kernel_aspace(vmifs_node_guest(self->parent), &call->call, error);
	if (!kernel)
		return FALSE;
	int n_digits = 2 * (int) vmifs_aspace_ptr_size(kernel);
	guint64 cursor = 0;
	gsize index;
	while (vmifs_symbols_each(symbols, self->name, &cursor, &index)) {
		VmifsSymbol symbol;
		vmifs_symbols_get(symbols, index, &symbol);
		g_string_append_printf(out, "%0*" G_GINT64_MODIFIER "x %c", n_digits,
				       symbol.address, symbol.type);
		if (symbol.module) {
			g_string_append(out, " [");
			vmifs_text_append_octal(out, symbol.module, -1, NULL);
			g_string_append_c(out, ']');
		}
		g_string_append_c(out, '\n');
	}
	return TRUE;
}

static const VmifsNodeOps symbol_ops = {
	.type = S_IFREG,
	.render = render_symbol,
};

static VmifsNode *
lookup(VmifsNode *self, const char *name, VmifsNodeCall *call, GError **error)
{
	g_autoptr(VmifsSymbols) symbols = get_symbols(self, call, error);
	if (!symbols)
		return NULL;
	guint64 cursor = 0;
	gsize index;
	if (!is_plain(name) || !vmifs_symbols_each(symbols, name, &cursor, &index)) {
		g_set_error(error, VMIFS_ERROR, VMIFS_ERROR_NOT_FOUND, "there is no symbol %s",
			    name);
		return NULL;
	}
	VmifsNode *node = vmifs_node_new(&symbol_ops, self, name, 0);
	if (self->guest->frozen) {
		g_autoptr(GString) text = g_string_new(NULL);
		if (render_symbol(node, text, call, NULL))
			node->text_size = (gint64) text->len;
	}
	return node;
}

const VmifsNodeOps vmifs_node_symbols = {
	.type = S_IFDIR,
	.flags = VMIFS_NODE_CROWDED,
	.instance_size = sizeof(SymbolsNode),
	.clear = clear,
	.list = list,
	.lookup = lookup,
};
