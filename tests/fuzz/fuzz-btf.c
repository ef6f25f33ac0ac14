/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * fuzz-btf: any bytes as a kernel's BTF and as a module's on top of it; then asks for every type,
 * member and enumerator by the names that the blob itself gives.
 */
#include "fuzz.h"

#include <btf.h>
#include <spi/bytes.h>
#include <vmifs/types.h>

/* Names asked for in one run: the lookups, not the blob, take the time. */
#define MAX_NAMES 256

static void
ask_members(const VmifsTypes *types, const VmifsBtf *btf, const VmifsBtfType *type, guint *left)
{
	for (guint32 i = 0; i < type->vlen && *left; i++, --*left) {
		guint32 name = vmifs_load_u32(type->tail + (gsize) i * 12);
		g_autofree char *path = g_strdup_printf("%s.%s", vmifs_btf_string(btf, type->name),
							vmifs_btf_string(btf, name));
		VmifsMember member;
		guint64 size;

		if (!vmifs_types_member(types, path, &member))
			continue;
		g_assert(member.bit_shift + member.bit_len <= 64);
		*strchr(path, '.') = '\0';
		g_assert(vmifs_types_sizeof(types, path, &size));
	}
}

static void
ask(const VmifsTypes *types, const VmifsBtf *btf)
{
	guint left = MAX_NAMES;

	for (guint32 id = vmifs_btf_first(btf); id < vmifs_btf_end(btf) && left; id++, left--) {
		VmifsBtfType type;
		VmifsBtfShape shape;
		guint64 size;
		gint64 value;

		g_assert(vmifs_btf_type(btf, id, &type));
		vmifs_btf_shape(btf, id, &shape);
		vmifs_types_sizeof(types, vmifs_btf_string(btf, type.name), &size);
		vmifs_types_enumerator(types, vmifs_btf_string(btf, type.name), &value);
		if (type.kind == VMIFS_BTF_STRUCT || type.kind == VMIFS_BTF_UNION)
			ask_members(types, btf, &type, &left);
	}
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
	g_autoptr(VmifsTypes) base = vmifs_types_new_btf(data, len, NULL);
	g_autoptr(VmifsBtf) btf = vmifs_btf_new(NULL, data, len, NULL);
	g_autoptr(GError) error = NULL;

	g_assert(!base == !btf);
	if (!base)
		return 0;
	ask(base, btf);
	g_autoptr(VmifsTypes) module = vmifs_types_new_btf_split(base, data, len, &error);
	g_autoptr(VmifsBtf) split = vmifs_btf_new(btf, data, len, NULL);
	g_assert(!module == !split && !module == !!error);
	if (module)
		ask(module, split);
	return 0;
}
