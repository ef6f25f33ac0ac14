/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * registers: a text for people, of words "NAME=HEX..." whose order and number differ between
 * versions, modes of the processor and what it has:
 *
 *   CPU#0
 *   RAX=ffffffff8b03b6a0 RBX=...                       or EAX=..., in 32-bit code
 *   RIP=ffffffff8b03b9bb RFL=00000246 [---Z-P-] CPL=0 ...
 *   CS =0010 0000000000000000 ffffffff 00af9b00 DPL=0 CS64 [-RA]    selector base limit flags
 *   GDT=     fffffe0000001000 0000007f                              base limit
 *   FCW=037f FSW=0000 [ST=0] FTW=00 MXCSR=00001f80
 *   FPR0=c90fdaa22168c235 4000 FPR1=...                 by place, not by distance from the top
 *   XMM00=HIGH LOW ...  or YMM00= four, ZMM00= eight
 *
 * Each word is looked up in a table; what is not in it is passed over. Names come out as gdb has
 * them, as from any other source.
 */
#include "registers.h"

#include <string.h>
#include <vmifs/error.h>

#define MAX_WORDS 8 /* after one name */
/* A vCPU's have 8 KiB at most. */
#define MAX_TEXT ((gsize) 1 << 20)
#define LMA ((guint64) 1 << 10)
/* Of more vCPUs each is asked alone: all at once would keep the monitor too long. */
#define MAX_AT_ONCE 16
/* One reader's pass over all vCPUs. */
#define FRESH (20 * G_TIME_SPAN_MILLISECOND)

typedef struct {
	const char *name; /* (borrowed) in the text, not ended */
	gsize name_len;
	guint64 words[MAX_WORDS];
	gsize n_words;
} Entry;

typedef struct {
	const char *text, *name;
	/* The name of the whole register, in 32-bit code of a 64-bit system. */
	const char *wide;
} Simple;

static const Simple simple[] = {
	{ "RAX", "rax" },        { "RBX", "rbx" },        { "RCX", "rcx" },
	{ "RDX", "rdx" },        { "RSI", "rsi" },        { "RDI", "rdi" },
	{ "RBP", "rbp" },        { "RSP", "rsp" },        { "R8", "r8" },
	{ "R9", "r9" },          { "R10", "r10" },        { "R11", "r11" },
	{ "R12", "r12" },        { "R13", "r13" },        { "R14", "r14" },
	{ "R15", "r15" },        { "RIP", "rip" },        { "RFL", "eflags" },
	{ "EFL", "eflags" },     { "EAX", "eax", "rax" }, { "EBX", "ebx", "rbx" },
	{ "ECX", "ecx", "rcx" }, { "EDX", "edx", "rdx" }, { "ESI", "esi", "rsi" },
	{ "EDI", "edi", "rdi" }, { "EBP", "ebp", "rbp" }, { "ESP", "esp", "rsp" },
	{ "EIP", "eip", "rip" }, { "CR0", "cr0" },        { "CR2", "cr2" },
	{ "CR3", "cr3" },        { "CR4", "cr4" },        { "DR0", "dr0" },
	{ "DR1", "dr1" },        { "DR2", "dr2" },        { "DR3", "dr3" },
	{ "DR6", "dr6" },        { "DR7", "dr7" },        { "EFER", "efer" },
	{ "FCW", "fctrl" },      { "FSW", "fstat" },      { "FTW", "ftag" },
	{ "MXCSR", "mxcsr" },
};

static const char *const segments[] = { "ES", "CS", "SS", "DS", "FS", "GS", "LDT", "TR" };
static const char *const tables[] = { "GDT", "IDT" };

/* Registers of many bits: NAME and a number. */
static const struct {
	const char *text, *name;
	gsize n_words;
} vectors[] = {
	{ "XMM", "xmm", 2 },
	{ "YMM", "ymm", 4 },
	{ "ZMM", "zmm", 8 },
	{ "Opmask", "k", 1 },
};

/* What is known of a vCPU before its registers are named. */
typedef struct {
	VmifsRegs *regs;
	gboolean wide_code; /* its general registers were printed whole */
	guint64 efer, top;  /* of the stack of floating-point registers */
} Vcpu;

/* ---- words ---- */

static gsize
n_hex(const char *at, const char *end)
{
	gsize n = 0;

	while (at + n < end && g_ascii_isxdigit(at[n]))
		n++;
	return n;
}

/* A word of a value, not the name of the next. */
static gboolean
take_word(const char **at, const char *end, guint64 *ret)
{
	const char *p = *at;
	gsize n = n_hex(p, end);
	guint64 value = 0;

	if (!n || n > 16)
		return FALSE;
	for (gsize i = 0; i < n; i++)
		value = value << 4 | (guint64) g_ascii_xdigit_value(p[i]);
	p += n;
	if (p < end && !strchr(" \t\r\n]", *p))
		return FALSE;
	*ret = value;
	*at = p;
	while (p < end && *p == ' ')
		p++;
	if (p < end && *p == '=')
		return FALSE;
	return TRUE;
}

/* The next NAME=HEX..., anywhere in the text. FALSE at its end. */
static gboolean
next_entry(const char **at, const char *end, Entry *ret)
{
	for (const char *p = *at; p < end;) {
		Entry entry = { .name = p };
		while (p < end && g_ascii_isalnum(*p))
			p++;
		entry.name_len = (gsize) (p - entry.name);
		while (entry.name_len && p < end && *p == ' ')
			p++;
		if (!entry.name_len || p >= end || *p != '=') {
			p += !entry.name_len;
			continue;
		}
		do {
			p++;
		} while (p < end && *p == ' ');
		while (entry.n_words < MAX_WORDS) {
			const char *after = p;
			if (!take_word(&after, end, &entry.words[entry.n_words]))
				break;
			entry.n_words++;
			for (p = after; p < end && *p == ' ';)
				p++;
		}
		*at = p;
		*ret = entry;
		return TRUE;
	}
	return FALSE;
}

static gboolean
is(const Entry *entry, const char *name)
{
	return strlen(name) == entry->name_len && !memcmp(entry->name, name, entry->name_len);
}

/* PREFIX and one or two digits. */
static gboolean
is_numbered(const Entry *entry, const char *prefix, guint *ret)
{
	gsize len = strlen(prefix);
	guint number = 0;

	if (entry->name_len <= len || entry->name_len > len + 2 ||
	    memcmp(entry->name, prefix, len) != 0)
		return FALSE;
	for (gsize i = len; i < entry->name_len; i++) {
		if (!g_ascii_isdigit(entry->name[i]))
			return FALSE;
		number = number * 10 + (guint) g_ascii_digit_value(entry->name[i]);
	}
	*ret = number;
	return TRUE;
}

/* ---- names ---- */

G_GNUC_PRINTF(3, 4)
static void
set(Vcpu *vcpu, guint64 value, const char *format, ...)
{
	char name[VMIFS_REG_NAME_LEN];
	va_list args;

	va_start(args, format);
	g_vsnprintf(name, sizeof name, format, args);
	va_end(args);
	vmifs_regs_set(vcpu->regs, name, value);
}

/* Bases of most are cut to 32 bits in 32-bit code; those of a 64-bit system have more. */
static void
add_segment(Vcpu *vcpu, const char *upper, const Entry *entry)
{
	g_autofree char *name = g_ascii_strdown(upper, -1);
	gboolean is_cut = !vcpu->wide_code && (vcpu->efer & LMA) && strcspn(name, "fglt") == 0;

	if (entry->n_words < 4)
		return;
	set(vcpu, entry->words[0], "%s", name);
	set(vcpu, entry->words[2], "%s_limit", name);
	set(vcpu, entry->words[3], "%s_flags", name);
	if (!is_cut)
		set(vcpu, entry->words[1], "%s_base", name);
}

static gboolean
add_vector(Vcpu *vcpu, const Entry *entry)
{
	guint number;

	for (gsize i = 0; i < G_N_ELEMENTS(vectors); i++) {
		if (!is_numbered(entry, vectors[i].text, &number) ||
		    entry->n_words != vectors[i].n_words)
			continue;
		if (entry->n_words == 1)
			set(vcpu, entry->words[0], "%s%u", vectors[i].name, number);
		else
			for (gsize j = 0; j < entry->n_words; j++)
				set(vcpu, entry->words[entry->n_words - 1 - j], "%s%u_%zu",
				    vectors[i].name, number, j);
		return TRUE;
	}
	return FALSE;
}

static void
add_entry(Vcpu *vcpu, const Entry *entry)
{
	guint number;

	if (!entry->n_words)
		return;
	for (gsize i = 0; i < G_N_ELEMENTS(simple); i++) {
		gboolean wide = simple[i].wide && (vcpu->efer & LMA);
		if (!is(entry, simple[i].text))
			continue;
		set(vcpu, entry->words[0], "%s", wide ? simple[i].wide : simple[i].name);
		return;
	}
	for (gsize i = 0; i < G_N_ELEMENTS(segments); i++) {
		if (is(entry, segments[i]))
			add_segment(vcpu, segments[i], entry);
	}
	for (gsize i = 0; i < G_N_ELEMENTS(tables); i++) {
		g_autofree char *name = g_ascii_strdown(tables[i], -1);
		if (!is(entry, tables[i]) || entry->n_words != 2)
			continue;
		set(vcpu, entry->words[0], "%s_base", name);
		set(vcpu, entry->words[1], "%s_limit", name);
	}
	if (is_numbered(entry, "FPR", &number) && number < 8 && entry->n_words == 2) {
		number = (number - (guint) vcpu->top) & 7;
		set(vcpu, entry->words[0], "st%u_0", number);
		set(vcpu, entry->words[1], "st%u_1", number);
		return;
	}
	add_vector(vcpu, entry);
}

static void
parse_x86(const char *text, const char *end, VmifsRegs *regs)
{
	Vcpu vcpu = { .regs = regs };
	const char *at = text;
	Entry entry;

	if (qemu_registers_are_arm32(text, end))
		return;
	while (next_entry(&at, end, &entry)) {
		if (is(&entry, "RIP"))
			vcpu.wide_code = TRUE;
		else if (is(&entry, "EFER") && entry.n_words)
			vcpu.efer = entry.words[0];
		else if (is(&entry, "ST") && entry.n_words)
			vcpu.top = entry.words[0] & 7;
	}
	for (at = text; next_entry(&at, end, &entry);)
		add_entry(&vcpu, &entry);
}

/* (full) NULL when nothing in it is known. */
static VmifsRegs *
parse_vcpu(const char *text, const char *end)
{
	static void (*const parsers[])(const char *, const char *,
				       VmifsRegs *) = { parse_x86, qemu_registers_parse_riscv,
							qemu_registers_parse_arm };
	g_autoptr(VmifsRegs) regs = vmifs_regs_new();
	gsize n = 0;

	for (gsize i = 0; i < G_N_ELEMENTS(parsers) && !n; i++) {
		parsers[i](text, end, regs);
		vmifs_regs_all(regs, &n);
	}
	return n ? g_steal_pointer(&regs) : NULL;
}

/* ---- the whole text ---- */

static const char *
find_vcpu(const char *text, guint64 *ret_number)
{
	const char *head = strstr(text, "CPU#");
	char *end;

	if (!head)
		return NULL;
	*ret_number = g_ascii_strtoull(head + strlen("CPU#"), &end, 10);
	return end;
}

static void
put(GPtrArray *all, guint64 number, VmifsRegs *regs)
{
	if (!regs)
		return;
	if (number >= VMIFS_MAX_VCPUS) {
		vmifs_regs_unref(regs);
		return;
	}
	if (number >= all->len)
		g_ptr_array_set_size(all, (gint) number + 1);
	g_clear_pointer((VmifsRegs **) &all->pdata[number], vmifs_regs_unref);
	all->pdata[number] = regs;
}

GPtrArray *
qemu_registers_parse(const char *text, GError **error)
{
	g_autoptr(GPtrArray) all =
		g_ptr_array_new_with_free_func((GDestroyNotify) vmifs_regs_unref);
	guint64 number = 0;
	const char *at = strlen(text) > MAX_TEXT ? NULL : text;
	const char *first = at ? find_vcpu(text, &number) : NULL;

	/* Of one alone, older ones do not say which it is. */
	at = first ? first : at;
	while (at) {
		guint64 next_number = 0;
		const char *next = find_vcpu(at, &next_number);
		const char *end = next ? strstr(at, "CPU#") : at + strlen(at);
		put(all, number, parse_vcpu(at, end));
		number = next_number;
		at = next;
	}
	if (all->len)
		return g_steal_pointer(&all);
	g_set_error_literal(error, VMIFS_ERROR, VMIFS_ERROR_CORRUPT,
			    "info registers: not one register in it");
	return NULL;
}

/* ---- asking ---- */

struct QemuRegisters {
	QemuMonitor *monitor;
	guint n_vcpus;
	GMutex lock;
	GPtrArray *all;  /* (lock) */
	gint64 fresh;    /* (lock) until then `all` is good */
	guint n_changes; /* (lock) */
};

QemuRegisters *
qemu_registers_new(QemuMonitor *monitor, guint n_vcpus)
{
	QemuRegisters *self = g_new0(QemuRegisters, 1);

	self->monitor = monitor;
	self->n_vcpus = n_vcpus;
	g_mutex_init(&self->lock);
	return self;
}

void
qemu_registers_free(QemuRegisters *self)
{
	if (!self)
		return;
	g_clear_pointer(&self->all, g_ptr_array_unref);
	g_mutex_clear(&self->lock);
	g_free(self);
}

void
qemu_registers_forget(QemuRegisters *self)
{
	g_mutex_lock(&self->lock);
	self->fresh = 0;
	self->n_changes++;
	g_mutex_unlock(&self->lock);
}

/* (full) NULL with error. */
static GPtrArray *
ask(QemuRegisters *self, guint vcpu, const VmifsCall *call, GError **error)
{
	gboolean at_once = self->n_vcpus <= MAX_AT_ONCE;
	json_t *arguments = at_once ? json_pack("{s:s}", "command-line", "info registers -a")
				    : json_pack("{s:s, s:i}", "command-line", "info registers",
						"cpu-index", (int) vcpu);
	json_auto_t *answer =
		qemu_monitor_qmp(self->monitor, "human-monitor-command", arguments, call, error);
	const char *text = json_string_value(answer);

	if (!answer)
		return NULL;
	return qemu_registers_parse(text ? text : "", error);
}

static GPtrArray *
known(QemuRegisters *self, guint *ret_n_changes)
{
	GPtrArray *all = NULL;

	g_mutex_lock(&self->lock);
	if (g_get_monotonic_time() < self->fresh)
		all = g_ptr_array_ref(self->all);
	*ret_n_changes = self->n_changes;
	g_mutex_unlock(&self->lock);
	return all;
}

static void
keep(QemuRegisters *self, GPtrArray *all, guint n_changes)
{
	if (self->n_vcpus > MAX_AT_ONCE)
		return;
	g_mutex_lock(&self->lock);
	if (n_changes == self->n_changes) {
		g_clear_pointer(&self->all, g_ptr_array_unref);
		self->all = g_ptr_array_ref(all);
		self->fresh = g_get_monotonic_time() + FRESH;
	}
	g_mutex_unlock(&self->lock);
}

gboolean
qemu_registers_get(QemuRegisters *self, guint vcpu, VmifsRegs *regs, const VmifsCall *call,
		   GError **error)
{
	guint n_changes;
	g_autoptr(GPtrArray) all = known(self, &n_changes);
	const VmifsRegs *found;
	gsize n;

	if (!all) {
		all = ask(self, vcpu, call, error);
		if (!all)
			return FALSE;
		keep(self, all, n_changes);
	}
	found = vcpu < all->len ? g_ptr_array_index(all, vcpu) : NULL;
	if (!found) {
		g_set_error(error, VMIFS_ERROR, VMIFS_ERROR_NOT_FOUND,
			    "the monitor tells of no vCPU %u", vcpu);
		return FALSE;
	}
	const VmifsReg *each = vmifs_regs_all(found, &n);
	for (gsize i = 0; i < n; i++)
		vmifs_regs_set(regs, each[i].name, each[i].value);
	return TRUE;
}
