/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * devices: the description is walked beside the bytes. Every device before a vCPU has to be
 * measured to find it, as its bytes may be chosen by the guest and look like anything. Fields are
 * known by QEMU's own names for them; which of them are registers is a table.
 *
 * Source: scripts/analyze-migration.py's reading of the same; target/{i386,arm,riscv}/machine.c of
 * 7.2.
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
#define PSTATE_AARCH32 (1 << 4)

typedef struct {
	const char *field, *reg;
} Single;

/* Registers of an architecture, outside every struct. */
typedef struct {
	const char *general; /* the field that has its general registers, of 64 bits */
	const char *const *names;
	gsize n_names;
	const Single *singles;
	gsize n_singles;
} Kind;

typedef struct {
	VmifsBytes at;
	VmifsRegs *regs;   /* (nullable) the fields that are passed are not a vCPU's */
	VmifsRegs *narrow; /* beside them: what it has in 32-bit mode, if that is told apart */
	const Kind *kind;
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

static const Single singles[] = {
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

static const char *const general_aarch64[] = {
	"x0",  "x1",  "x2",  "x3",  "x4",  "x5",  "x6",  "x7",  "x8",  "x9",  "x10",
	"x11", "x12", "x13", "x14", "x15", "x16", "x17", "x18", "x19", "x20", "x21",
	"x22", "x23", "x24", "x25", "x26", "x27", "x28", "x29", "x30", "sp",
};
static const char *const general_arm[] = { "r0", "r1", "r2",  "r3",  "r4",  "r5", "r6", "r7",
					   "r8", "r9", "r10", "r11", "r12", "sp", "lr", "pc" };
static const Single singles_aarch64[] = { { "env.pc", "pc" }, { "cpsr", "cpsr" } };
static const char *const general_riscv[] = {
	"zero", "ra", "sp", "gp", "tp",  "t0",  "t1", "t2", "s0", "s1", "a0",
	"a1",   "a2", "a3", "a4", "a5",  "a6",  "a7", "s2", "s3", "s4", "s5",
	"s6",   "s7", "s8", "s9", "s10", "s11", "t3", "t4", "t5", "t6",
};
static const Single singles_riscv[] = {
	{ "env.pc", "pc" },           { "env.mhartid", "mhartid" },
	{ "env.mstatus", "mstatus" }, { "env.satp", "satp" },
	{ "env.stvec", "stvec" },     { "env.sscratch", "sscratch" },
	{ "env.sepc", "sepc" },       { "env.scause", "scause" },
	{ "env.stval", "stval" },     { "env.mtvec", "mtvec" },
	{ "env.mepc", "mepc" },       { "env.mcause", "mcause" },
	{ "env.mtval", "mtval" },     { "env.medeleg", "medeleg" },
	{ "env.mideleg", "mideleg" }, { "env.mscratch", "mscratch" },
};

static const Kind x86 = { "env.regs", general64, G_N_ELEMENTS(general64), singles,
			  G_N_ELEMENTS(singles) };
/* Told by that field, which the others have not. */
static const Kind others[] = {
	{ "env.xregs", general_aarch64, G_N_ELEMENTS(general_aarch64), singles_aarch64,
	  G_N_ELEMENTS(singles_aarch64) },
	{ "env.gpr", general_riscv, G_N_ELEMENTS(general_riscv), singles_riscv,
	  G_N_ELEMENTS(singles_riscv) },
};

static const Kind *
kind_of(const json_t *device)
{
	const json_t *field;
	gsize i;

	json_array_foreach(json_object_get(device, "fields"), i, field)
	{
		const char *name = json_string_value(json_object_get(field, "name"));
		for (gsize j = 0; name && j < G_N_ELEMENTS(others); j++)
			if (g_str_equal(name, others[j].general))
				return &others[j];
	}
	return &x86;
}

/* Of a field outside every struct. NULL: it is none. */
static const char *
reg_of(const Kind *kind, const char *field, guint64 index, guint64 size)
{
	if (g_str_equal(field, kind->general) && size == 8 && index < kind->n_names)
		return kind->names[index];
	for (gsize i = 0; i < kind->n_singles; i++)
		if (g_str_equal(field, kind->singles[i].field))
			return kind->singles[i].reg;
	if (kind != &x86)
		return NULL;
	if (g_str_equal(field, "env.regs") && size == 4 && index < G_N_ELEMENTS(general32))
		return general32[index];
	if (g_str_equal(field, "env.eip"))
		return size == 4 ? "eip" : "rip";
	return g_str_equal(field, "env.dr") && index < G_N_ELEMENTS(debug) ? debug[index] : NULL;
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

/* ARM's, in 32-bit mode; in the other one it has these, too, and they mean nothing. */
static gboolean
is_narrow(const Kind *kind, const char *field, guint64 index, guint64 size)
{
	return kind->names == general_aarch64 && g_str_equal(field, "env.regs") && size == 4 &&
	       index < G_N_ELEMENTS(general_arm);
}

static void
take_reg(Walk *walk, const char *parent, guint64 parent_index, const char *field, guint64 index,
	 guint64 size)
{
	g_autofree char *made = parent ? segment_reg_of(parent, parent_index, field) : NULL;
	VmifsRegs *regs = walk->regs;
	const char *name = parent       ? made
			   : walk->regs ? reg_of(walk->kind, field, index, size)
					: NULL;
	if (regs && !parent && is_narrow(walk->kind, field, index, size)) {
		regs = walk->narrow;
		name = general_arm[index];
	}
	if (!regs || !name || (size != 2 && size != 4 && size != 8)) {
		vmifs_bytes_take(&walk->at, size);
		return;
	}
	guint64 value = take_number(&walk->at, size);
	if (!walk->at.failed)
		vmifs_regs_set(regs, name, value);
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

/* Returns: (full) of the mode that it is in. */
static VmifsRegs *
take_vcpu(Walk *walk)
{
	VmifsRegs *regs = g_steal_pointer(&walk->regs), *narrow = g_steal_pointer(&walk->narrow);
	guint64 pstate;

	if (walk->kind->names == general_aarch64 && vmifs_regs_get(regs, "cpsr", &pstate) &&
	    pstate & PSTATE_AARCH32) {
		vmifs_regs_set(narrow, "cpsr", pstate);
		vmifs_regs_unref(regs);
		return narrow;
	}
	vmifs_regs_unref(narrow);
	return regs;
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
		walk->narrow = vmifs_regs_new();
		walk->kind = kind_of(device);
	}
	/* One that QEMU writes by itself has only its size told. */
	if (!json_object_get(device, "vmsd_name")) {
		json_int_t size = json_integer_value(json_object_get(device, "size"));
		vmifs_bytes_take(&walk->at, size < 0 ? G_MAXSIZE : (gsize) size);
	} else {
		pass_struct(walk, device, NULL, 0, 0);
	}
	if (walk->regs)
		g_ptr_array_add(vcpus, take_vcpu(walk));
	if (!walk->why && !walk->at.failed &&
	    (take_number(&walk->at, 1) != SECTION_FOOTER || take_number(&walk->at, 4) != id))
		walk->why = "a device does not end where it should";
}

/* The description is the last thing of all, its length before it. */
static json_t *
find_description(const guint8 *data, gsize len, gsize *ret_start)
{
	gsize room = QEMU_JSON_ROOM;

	for (gsize at = len; at-- > 6;) {
		gsize start = at - 6;
		if (data[at] != '{' || data[start + 1] != SECTION_DESCRIPTION || data[start])
			continue;
		VmifsBytes head = vmifs_bytes(data + start + 2, 4);
		if (take_number(&head, 4) != len - at)
			continue;
		*ret_start = start;
		return qemu_json_parse((const char *) data + at, len - at, &room, NULL);
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
