/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* code: see the header. */
#include "code.h"

typedef struct {
	guint64 module;
	LinuxRange text;
} ModuleText;

static LinuxRange
range_of(const Linux *os, const char *first, const char *end)
{
	guint64 start, stop;

	if (!linux_symbol(os, first, &start, NULL) || !linux_symbol(os, end, &stop, NULL) ||
	    stop < start)
		return (LinuxRange){ 0 };
	return (LinuxRange){ start, stop - start };
}

static gboolean
is_in(LinuxRange range, guint64 address)
{
	return address - range.start < range.len;
}

void
linux_code_init(LinuxCode *code, const Linux *os, const VmifsCall *call)
{
	*code = (LinuxCode){
		.os = os,
		.call = call,
		.text = range_of(os, "_stext", "_etext"),
		.init_text = range_of(os, "_sinittext", "_einittext"),
		.sched = range_of(os, "__sched_text_start", "__sched_text_end"),
		.lock = range_of(os, "__lock_text_start", "__lock_text_end"),
		.image = range_of(os, "_stext", os->is_text_only ? "_einittext" : "_end"),
	};
}

void
linux_code_clear(LinuxCode *code)
{
	g_clear_pointer(&code->modules, g_array_unref);
}

gboolean
linux_code_is_core(const LinuxCode *code, guint64 address)
{
	return is_in(code->text, address) || is_in(code->init_text, address);
}

gboolean
linux_code_is_scheduler(const LinuxCode *code, guint64 address)
{
	return is_in(code->sched, address) || is_in(code->lock, address);
}

/* ---- modules ---- */

static GArray *
list_modules(const LinuxCode *code)
{
	g_autoptr(GArray) list = g_array_new(FALSE, FALSE, sizeof(ModuleText));
	g_autoptr(GArray) modules = linux_modules(code->os, code->call, NULL);

	/* Who gives up gets no text at all: it does not matter what the list lacks. */
	for (guint i = 0; modules && i < modules->len; i++) {
		if (i % 256 == 0 && !vmifs_call_check(code->call, NULL))
			break;
		ModuleText m = { .module = g_array_index(modules, guint64, i) };
		if (linux_module_text(code->os, m.module, &m.text.start, &m.text.len, NULL))
			g_array_append_val(list, m);
	}
	return g_steal_pointer(&list);
}

static const ModuleText *
find_module(LinuxCode *code, guint64 address)
{
	if (!code->modules)
		code->modules = list_modules(code);
	for (guint i = 0; i < code->modules->len; i++) {
		const ModuleText *m = &g_array_index(code->modules, ModuleText, i);
		if (is_in(m->text, address))
			return m;
	}
	return NULL;
}

gboolean
linux_code_module(LinuxCode *code, guint64 address, guint64 *ret)
{
	const ModuleText *m = find_module(code, address);

	if (!m)
		return FALSE;
	*ret = m->module;
	return TRUE;
}

gboolean
linux_code_is_text(LinuxCode *code, guint64 address)
{
	return linux_code_is_core(code, address) || find_module(code, address);
}

/* ---- names ---- */

static gboolean
core_function(const LinuxCode *code, guint64 address, GString *name, LinuxRange *ret)
{
	const VmifsSymbols *symbols = code->os->symbols;
	VmifsSymbol symbol;
	guint64 offset, next;

	if (!symbols || !is_in(code->image, address) ||
	    !vmifs_symbols_nearest(symbols, address, &symbol, &offset))
		return FALSE;
	if (!vmifs_symbols_next(symbols, address, &next))
		next = code->image.start + code->image.len;
	g_string_append(name, symbol.name);
	*ret = (LinuxRange){ symbol.address, next - symbol.address };
	return TRUE;
}

gboolean
linux_code_function(LinuxCode *code, guint64 address, GString *name, char *module, LinuxRange *ret)
{
	const ModuleText *m;

	module[0] = '\0';
	if (core_function(code, address, name, ret))
		return TRUE;
	m = find_module(code, address);
	return m && linux_module_name(code->os, m->module, module, NULL) &&
	       linux_module_function(code->os, m->module, m->text.start + m->text.len, address,
				     name, &ret->start, &ret->len, code->call);
}

void
linux_code_append(LinuxCode *code, guint64 address, gboolean after_call, GString *out)
{
	g_autoptr(GString) name = g_string_new(NULL);
	char module[LINUX_MODULE_NAME];
	LinuxRange function;

	if (!linux_code_function(code, address - (after_call ? 1 : 0), name, module, &function)) {
		g_string_append_printf(out, "0x%" G_GINT64_MODIFIER "x", address);
		return;
	}
	vmifs_text_append_octal(out, name->str, (gssize) name->len, " ");
	g_string_append_printf(out, "+%#" G_GINT64_MODIFIER "x/%#" G_GINT64_MODIFIER "x",
			       address - function.start, function.len);
	if (module[0]) {
		g_string_append(out, " [");
		vmifs_text_append_octal(out, module, -1, " ");
		g_string_append_c(out, ']');
	}
}
