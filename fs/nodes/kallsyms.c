/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * kallsyms: every symbol, one a line, in the form of /proc/kallsyms. 200,000 lines: digits are put
 * by hand, printf would take half of the time.
 */
#include "nodes.h"

static void
append_hex(GString *out, guint64 value, guint n_digits)
{
	static const char digits[] = "0123456789abcdef";
	gsize end = out->len + n_digits;
	g_string_set_size(out, end);
	for (guint i = 1; i <= n_digits; i++, value >>= 4)
		out->str[end - i] = digits[value & 15];
}

static void
append_symbol(GString *out, const VmifsSymbol *symbol, guint n_digits)
{
	append_hex(out, symbol->address, n_digits);
	g_string_append_c(out, ' ');
	g_string_append_c(out, symbol->type);
	g_string_append_c(out, ' ');
	vmifs_text_append_octal(out, symbol->name, -1, NULL);
	if (symbol->module) {
		g_string_append(out, "\t[");
		vmifs_text_append_octal(out, symbol->module, -1, NULL);
		g_string_append_c(out, ']');
	}
	g_string_append_c(out, '\n');
}

static gboolean
render(VmifsNode *self, GString *out, VmifsNodeCall *call, GError **error)
{
	if (!vmifs_node_needs_work(call))
		return FALSE;
	VmifsGuest *guest = vmifs_node_guest(self);
	g_autoptr(VmifsAspace) kernel = vmifs_guest_kernel_aspace(guest, &call->call, error);
	if (!kernel)
		return FALSE;
	g_autoptr(VmifsSymbols) symbols = vmifs_guest_symbols(guest, &call->call, error);
	if (!symbols)
		return FALSE;
	guint n_digits = vmifs_aspace_ptr_size(kernel) * 2;
	gsize count = vmifs_symbols_count(symbols);
	for (gsize i = 0; i < count; i++) {
		VmifsSymbol symbol;
		vmifs_symbols_get(symbols, i, &symbol);
		append_symbol(out, &symbol, n_digits);
		if (i % 4096 == 0 && !vmifs_call_check(&call->call, error))
			return FALSE;
	}
	return TRUE;
}

const VmifsNodeOps vmifs_node_kallsyms = {
	.type = S_IFREG,
	.render = render,
};
