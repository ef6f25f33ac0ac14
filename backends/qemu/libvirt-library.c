/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* libvirt-library: see the header. */
#include "libvirt-library.h"

#include <dlfcn.h>

/* The name of its interface, which has not changed since there are domains of QEMU. */
#define LIBRARY "libvirt-qemu.so.0"

static char *
explain(void)
{
	const char *text = dlerror();
	return g_strdup(text ? text : "it cannot be loaded");
}

/* libvirt.so itself comes with it. */
static gpointer
load(gpointer none)
{
	static const struct {
		const char *name;
		gsize at;
	} functions[] = {
#define ROW(name) { #name, G_STRUCT_OFFSET(QemuVirt, name) },
		QEMU_VIRT_FUNCTIONS(ROW)
#undef ROW
	};
	QemuVirt *library = g_new0(QemuVirt, 1);
	void *handle = dlopen(LIBRARY, RTLD_NOW | RTLD_LOCAL | RTLD_NODELETE);

	for (gsize i = 0; handle && i < G_N_ELEMENTS(functions) && !library->why; i++) {
		void *function = dlsym(handle, functions[i].name);
		G_STRUCT_MEMBER(void *, library, functions[i].at) = function;
		if (!function)
			library->why = explain();
	}
	if (!handle)
		library->why = explain();
	return library;
}

const QemuVirt *
qemu_virt(void)
{
	static GOnce once = G_ONCE_INIT;

	return g_once(&once, load, NULL);
}
