/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * devices: the description is walked beside the bytes. Every device before a vCPU has to be
 * measured to find it, as its bytes may be chosen by the guest and look like anything. Fields are
 * known by QEMU's own names for them; which of them are registers is a table.
 *
 * Source: scripts/analyze-migration.py's reading of the same; target/i386/machine.c of 7.2.
 */
#include "devices.h"

#include "json.h"

#include <spi/bytes.h>
#include <string.h>
#include <vmifs/error.h>

#define SECTION_FULL 4
#define SECTION_SUBSECTION 5
#define SECTION_DESCRIPTION 6
#define SECTION_FOOTER 0x7e
/* Structs within structs; QEMU's are four deep. */
#define MAX_DEPTH 16
#define MAX_DEVICES 65536
/* Passed in all, those of arrays one by one; a large machine's states have 100,000. */
#define MAX_FIELDS (1 << 20)

typedef struct {
	VmifsBytes at;
	VmifsRegs *regs; /* (nullable) the fields that are passed are not a vCPU's */
	guint n_fields;  /* passed so far */
	const char *why; /* set when the two do not fit */
} Walk;

static guint64
take_number(VmifsBytes *bytes, gsize len)
{
	const guint8 *p = vmifs_bytes_take(bytes, len);
	guint64 value = 0;
	for (gsize i = 0; p && i < len; i++)
		value = value << 8 | p[i];
	return value;
}

/* ---- registers ---- */

static const char *const general64[] = { "rax", "rcx", "rdx", "rbx", "rsp", "rbp", "rsi", "rdi",
					 "r8",  "r9",  "r10", "r11", "r12", "r13", "r14", "r15" };
static const char *const general32[] = { "eax", "ecx", "edx", "ebx", "esp", "ebp", "esi", "edi" };
static const char *const segments[] = { "es", "cs", "ss", "ds", "fs", "gs" };
static const char *const debug[] = { "dr0", "dr1", "dr2", "dr3", "dr4", "dr5", "dr6", "dr7" };

static const struct {
	const char *field, *reg;
} singles[] = {
	{ "env.eflags", "eflags" },
	{ "env.cr[0]", "cr0" },
	{ "env.cr[2]", "cr2" },
	{ "env.cr[3]", "cr3" },
	{ "env.cr[4]", "cr4" },
	{ "env.efer", "efer" },
	{ "env.star", "star" },
	{ "env.lstar", "lstar" },
	{ "env.cstar", "cstar" },
	{ "env.fmask", "fmask" },
	{ "env.kernelgsbase", "k_gs_base" },
	{ "env.sysenter_cs", "sysenter_cs" },
	{ "env.sysenter_esp", "sysenter_esp" },
	{ "env.sysenter_eip", "sysenter_eip" },
	{ "env.pat", "pat" },
	{ "env.tsc", "tsc" },
	{ "env.tsc_aux", "tsc_aux" },
	{ "env.mxcsr", "mxcsr" },
};

/* Of a field outside every struct. NULL: it is none. */
static const char *
reg_of(const char *field, guint64 index, guint64 size)
{
	if (g_str_equal(field, "env.regs") && size == 8 && index < G_N_ELEMENTS(general64))
		return general64[index];
	if (g_str_equal(field, "env.regs") && size == 4 && index < G_N_ELEMENTS(general32))
		return general32[index];
	if (g_str_equal(field, "env.eip"))
		return size == 4 ? "eip" : "rip";
	if (g_str_equal(field, "env.dr") && index < G_N_ELEMENTS(debug))
		return debug[index];
	for (gsize i = 0; i < G_N_ELEMENTS(singles); i++)
		if (g_str_equal(field, singles[i].field))
			return singles[i].reg;
	return NULL;
}

/* Of a field of a segment or descriptor table. */
static char *
segment_reg_of(const char *parent, guint64 index, const char *field)
{
	static const char *const parts[][2] = { { "selector", "" },
						{ "base", "_base" },
						{ "limit", "_limit" },
						{ "flags", "_flags" } };
	const char *name = NULL;
	if (g_str_equal(parent, "env.segs") && index < G_N_ELEMENTS(segments))
		name = segments[index];
	else if (g_str_equal(parent, "env.ldt") || g_str_equal(parent, "env.tr") ||
		 g_str_equal(parent, "env.gdt") || g_str_equal(parent, "env.idt"))
		name = parent + strlen("env.");
	for (gsize i = 0; name && i < G_N_ELEMENTS(parts); i++) {
		gboolean is_table = *name == 'g' ? g_str_equal(name, "gdt") : *name == 'i';
		if (g_str_equal(field, parts[i][0]) && !(is_table && i != 1 && i != 2))
			return g_strconcat(name, parts[i][1], NULL);
	}
	return NULL;
}

static void
take_reg(Walk *walk, const char *parent, guint64 parent_index, const char *field, guint64 index,
	 guint64 size)
{
	g_autofree char *made = parent ? segment_reg_of(parent, parent_index, field) : NULL;
	const char *name = parent ? made : reg_of(field, index, size);
	if (!walk->regs || !name || (size != 2 && size != 4 && size != 8)) {
		vmifs_bytes_take(&walk->at, size);
		return;
	}
	guint64 value = take_number(&walk->at, size);
	if (!walk->at.failed)
		vmifs_regs_set(walk->regs, name, value);
}

/* ---- the description beside the bytes ---- */

static void
pass_struct(Walk *walk, const json_t *described, const char *parent, guint64 index, guint depth);

static void
pass_field(Walk *walk, const json_t *field, const char *parent, guint64 parent_index, guint depth)
{
	const json_t *within = json_object_get(field, "struct");
	const char *name = json_string_value(json_object_get(field, "name"));
	json_int_t count = 1, first = json_integer_value(json_object_get(field, "index"));
	json_int_t size = json_integer_value(json_object_get(field, "size"));

	if (json_object_get(field, "array_len"))
		count = json_integer_value(json_object_get(field, "array_len"));
	if (!within && json_object_get(field, "fields"))
		within = field;
	if (!name || count < 0 || first < 0 || (!within && size < 0)) {
		walk->why = "a field without a name or size";
		return;
	}
	for (json_int_t i = 0; i < count && !walk->why && !walk->at.failed; i++) {
		gsize before = walk->at.at;
		if (walk->n_fields++ >= MAX_FIELDS)
			walk->why = "more fields than any machine has";
		if (within)
			pass_struct(walk, within, parent ? "" : name, (guint64) first + (guint64) i,
				    depth + 1);
		else
			take_reg(walk, parent, parent_index, name, (guint64) first + (guint64) i,
				 (guint64) size);
		if (walk->at.at == before)
			break; /* no bytes: a thousand million of it are none either */
	}
}

static void
pass_struct(Walk *walk, const json_t *described, const char *parent, guint64 index, guint depth)
{
	const json_t *entry;
	gsize i;

	if (depth > MAX_DEPTH) {
		walk->why = "structs too deep within each other";
		return;
	}
	json_array_foreach(json_object_get(described, "fields"), i, entry)
	{
		if (walk->why || walk->at.failed)
			return;
		pass_field(walk, entry, parent, index, depth);
	}
	json_array_foreach(json_object_get(described, "subsections"), i, entry)
	{
		const char *name = json_string_value(json_object_get(entry, "vmsd_name"));
		if (walk->why || walk->at.failed)
			return;
		if (!name || take_number(&walk->at, 1) != SECTION_SUBSECTION ||
		    take_number(&walk->at, 1) != strlen(name) ||
		    !vmifs_bytes_take(&walk->at, strlen(name) + 4)) {
			walk->why = "a subsection is not where it should be";
			return;
		}
		pass_struct(walk, entry, parent, index, depth + 1);
	}
}

/* One device: its head, its fields, its footer. */
static void
pass_device(Walk *walk, const json_t *device, GPtrArray *vcpus)
{
	const char *name = json_string_value(json_object_get(device, "name"));
	guint64 type = take_number(&walk->at, 1), id = take_number(&walk->at, 4);
	guint64 len = take_number(&walk->at, 1);
	const guint8 *written = vmifs_bytes_take(&walk->at, len);

	vmifs_bytes_take(&walk->at, 8); /* instance and version */
	if (!name || walk->at.failed || type != SECTION_FULL || len != strlen(name) ||
	    memcmp(written, name, len) != 0) {
		walk->why = "a device is not where it should be";
		return;
	}
	if (g_str_equal(name, "cpu") && vcpus->len < VMIFS_MAX_VCPUS) {
		walk->regs = vmifs_regs_new();
		g_ptr_array_add(vcpus, walk->regs);
	}
	/* One that QEMU writes by itself has only its size told. */
	if (!json_object_get(device, "vmsd_name")) {
		json_int_t size = json_integer_value(json_object_get(device, "size"));
		vmifs_bytes_take(&walk->at, size < 0 ? G_MAXSIZE : (gsize) size);
	} else {
		pass_struct(walk, device, NULL, 0, 0);
	}
	walk->regs = NULL;
	if (!walk->why && !walk->at.failed &&
	    (take_number(&walk->at, 1) != SECTION_FOOTER || take_number(&walk->at, 4) != id))
		walk->why = "a device does not end where it should";
}

/* The description is the last thing of all, its length before it. */
static json_t *
find_description(const guint8 *data, gsize len, gsize *ret_start)
{
	for (gsize at = len; at-- > 6;) {
		gsize start = at - 6;
		if (data[at] != '{' || data[start + 1] != SECTION_DESCRIPTION || data[start])
			continue;
		VmifsBytes head = vmifs_bytes(data + start + 2, 4);
		if (take_number(&head, 4) != len - at)
			continue;
		*ret_start = start;
		return qemu_json_parse((const char *) data + at, len - at, NULL);
	}
	return NULL;
}

static gboolean
corrupt(GError **error, const char *why)
{
	g_set_error(error, VMIFS_ERROR, VMIFS_ERROR_CORRUPT,
		    "device states of QEMU's migration stream: %s", why);
	return FALSE;
}

GPtrArray *
qemu_devices_regs(GBytes *bytes, GError **error)
{
	g_autoptr(GPtrArray) vcpus =
		g_ptr_array_new_with_free_func((GDestroyNotify) vmifs_regs_unref);
	gsize len, states_len = 0, i;
	const guint8 *data = g_bytes_get_data(bytes, &len);
	json_t *description = find_description(data, len, &states_len);
	const json_t *devices = json_object_get(description, "devices"), *device;

	if (!json_is_array(devices) || json_array_size(devices) > MAX_DEVICES) {
		json_decref(description);
		corrupt(error, "their description is missing");
		return NULL;
	}
	Walk walk = { .at = vmifs_bytes(data, states_len) };
	json_array_foreach(devices, i, device)
	{
		pass_device(&walk, device, vcpus);
		if (walk.why || walk.at.failed)
			break;
	}
	json_decref(description);
	if (walk.why || walk.at.failed) {
		corrupt(error, walk.why ? walk.why : "they end too early");
		return NULL;
	}
	return g_steal_pointer(&vcpus);
}
