/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * cpuinfo: /proc/cpuinfo of x86: what each processor said of itself when it was started. The
 * kernel's own tables name the bits: which there are, and how many words of them, differ between
 * any two kernels.
 */
#include "machine.h"
#include "times.h"

#define MAX_WORDS 64
#define WORD_BITS 32
#define MAX_ID 64
#define MAX_FLAG 64
#define MAX_TEXT (32 * 1024 * 1024) /* the kernel's is 2 kB for each of at most 8192 */
#define NS_PER_S G_GUINT64_CONSTANT(1000000000)
#define FEATURE_TSC 4
#define FEATURE_VMX (4 * WORD_BITS + 5)

typedef struct {
	const Linux *os;
	LinuxCursor c;
	GString *out;
	guint64 object;
	guint64 n_words; /* of features; the words behind them are bugs */
	guint64 hz;
	GHashTable *names; /* address of a pointer to it -> text; they are the same for all */
} Cpu;

/* ---- bits and their names ---- */

static guint64
word(Cpu *cpu, LinuxField field, guint64 index)
{
	guint64 at = linux_layout_element(cpu->os->layout, field, cpu->object, index), value;

	return !cpu->c.error && at && linux_load(cpu->os, at, 4, &value, &cpu->c.error) ? value : 0;
}

static gboolean
has_feature(Cpu *cpu, guint feature)
{
	return word(cpu, LINUX_FIELD_CPUINFO_CAPABILITY, feature / WORD_BITS) >>
		       feature % WORD_BITS &
	       1;
}

/* Of an array of pointers to texts. NULL: that one has none. (borrowed) */
static const char *
name_in(Cpu *cpu, guint64 table, guint64 index)
{
	guint64 at = table + index * linux_word(cpu->os), pointer;
	gpointer known;

	if (g_hash_table_lookup_extended(cpu->names, &at, NULL, &known))
		return known;
	char *name = linux_load_word(cpu->os, at, &pointer, NULL) && pointer
			     ? vmifs_aspace_read_string(cpu->os->aspace, pointer, MAX_FLAG, NULL)
			     : NULL;
	g_hash_table_insert(cpu->names, g_memdup2(&at, sizeof at), name);
	return name;
}

/* The names of the set bits of n words of field from `first` on. */
static void
append_flags(Cpu *cpu, const char *label, const char *table_name, LinuxField field, guint64 first,
	     guint64 n)
{
	guint64 table;

	if (cpu->c.error || !linux_symbol(cpu->os, table_name, &table, &cpu->c.error))
		return;
	g_string_append(cpu->out, label);
	for (guint64 i = 0; i < n; i++) {
		guint64 bits = word(cpu, field, first + i);
		for (guint bit = 0; bit < WORD_BITS && bits >> bit; bit++) {
			const char *name =
				bits >> bit & 1 ? name_in(cpu, table, i * WORD_BITS + bit) : NULL;
			if (!name)
				continue;
			g_string_append_c(cpu->out, ' ');
			vmifs_text_append_mangled(cpu->out, name, -1, LINUX_CONTROL_BYTES);
		}
	}
	g_string_append_c(cpu->out, '\n');
}

/* Kernels whose types do not count them have one word of bugs or two, and the tables of names of
 * both beside each other. */
gboolean
linux_feature_words(const Linux *os, guint64 *ret, GError **error)
{
	VmifsMember all;
	guint64 features, bugs;

	if (!linux_member(os, LINUX_FIELD_CPUINFO_CAPABILITY, &all, error))
		return FALSE;
	guint64 n = MIN(all.count, MAX_WORDS);
	if (linux_value(os, LINUX_VALUE_NR_CPUID_WORDS, &features, NULL)) {
		*ret = MIN(features, n);
		return TRUE;
	}
	if (!linux_symbol(os, "x86_cap_flags", &features, error) ||
	    !linux_symbol(os, "x86_bug_flags", &bugs, error))
		return FALSE;
	guint64 apart = (bugs > features ? bugs - features : features - bugs) / 8 / WORD_BITS;
	guint64 words = bugs > features ? apart : n - MIN(apart, n);
	if (n < 3 || (words != n - 1 && words != n - 2)) {
		g_set_error_literal(error, VMIFS_ERROR, VMIFS_ERROR_UNSUPPORTED,
				    "which words are features of the processor, and which are its "
				    "bugs, cannot be told");
		return FALSE;
	}
	*ret = words;
	return TRUE;
}

/* ---- lines ---- */

static void
append_number(Cpu *cpu, const char *label, LinuxField field)
{
	guint64 value = linux_take(&cpu->c, cpu->object, field);
	g_string_append_printf(cpu->out, "%s: %u\n", label, (guint) value);
}

static void
append_text(Cpu *cpu, const char *label, LinuxField field)
{
	char text[MAX_ID + 1] = { 0 };

	if (cpu->c.error ||
	    !linux_get_bytes(cpu->os, cpu->object, field, text, MAX_ID, &cpu->c.error))
		return;
	g_string_append_printf(cpu->out, "%s: ", label);
	vmifs_text_append_mangled(cpu->out, *text ? text : "unknown", -1, LINUX_CONTROL_BYTES);
	g_string_append_c(cpu->out, '\n');
}

/* What is known without asking the processor: the clock's rate as it was measured at boot. A driver
 * that changes it would have to be asked. */
static void
append_clock(Cpu *cpu)
{
	guint64 khz, driver = 0;

	linux_word_variable(cpu->os, "cpufreq_driver", &driver, NULL);
	if (has_feature(cpu, FEATURE_TSC) && !driver &&
	    linux_variable(cpu->os, "cpu_khz", 4, &khz, NULL))
		g_string_append_printf(cpu->out, "cpu MHz\t\t: %u.%03u\n", (guint) khz / 1000,
				       (guint) khz % 1000);
}

static void
append_identity(Cpu *cpu, guint32 number)
{
	gint32 level = (gint32) linux_take(&cpu->c, cpu->object, LINUX_FIELD_CPUINFO_LEVEL);
	guint64 stepping = linux_take(&cpu->c, cpu->object, LINUX_FIELD_CPUINFO_STEPPING);
	guint64 microcode = linux_take(&cpu->c, cpu->object, LINUX_FIELD_CPUINFO_MICROCODE);
	guint64 cache = linux_take(&cpu->c, cpu->object, LINUX_FIELD_CPUINFO_CACHE_SIZE);

	g_string_append_printf(cpu->out, "processor\t: %u\n", number);
	append_text(cpu, "vendor_id\t", LINUX_FIELD_CPUINFO_VENDOR_ID);
	append_number(cpu, "cpu family\t", LINUX_FIELD_CPUINFO_FAMILY);
	append_number(cpu, "model\t\t", LINUX_FIELD_CPUINFO_MODEL);
	append_text(cpu, "model name\t", LINUX_FIELD_CPUINFO_MODEL_ID);
	if (stepping || level >= 0)
		g_string_append_printf(cpu->out, "stepping\t: %u\n", (guint) stepping);
	else
		g_string_append(cpu->out, "stepping\t: unknown\n");
	if (microcode)
		g_string_append_printf(cpu->out, "microcode\t: 0x%x\n", (guint) microcode);
	append_clock(cpu);
	if (cache)
		g_string_append_printf(cpu->out, "cache size\t: %u KB\n", (guint) cache);
}

/* siblings: processors that are online in the same package. */
static void
append_place(Cpu *cpu, guint siblings)
{
	append_number(cpu, "physical id\t", LINUX_FIELD_CPUINFO_PACKAGE);
	g_string_append_printf(cpu->out, "siblings\t: %u\n", siblings);
	append_number(cpu, "core id\t\t", LINUX_FIELD_CPUINFO_CORE);
	append_number(cpu, "cpu cores\t", LINUX_FIELD_CPUINFO_CORES);
	append_number(cpu, "apicid\t\t", LINUX_FIELD_CPUINFO_APIC);
	append_number(cpu, "initial apicid\t", LINUX_FIELD_CPUINFO_FIRST_APIC);
}

static void
append_power(Cpu *cpu)
{
	guint64 power = linux_take(&cpu->c, cpu->object, LINUX_FIELD_CPUINFO_POWER), table;

	g_string_append(cpu->out, "power management:");
	if (!cpu->c.error && power &&
	    linux_symbol(cpu->os, "x86_power_flags", &table, &cpu->c.error))
		for (guint bit = 0; bit < WORD_BITS; bit++) {
			if (!(power >> bit & 1))
				continue;
			const char *name = name_in(cpu, table, bit);
			if (!name)
				g_string_append_printf(cpu->out, " [%u]", bit);
			else if (*name)
				g_string_append_c(cpu->out, ' ');
			vmifs_text_append_mangled(cpu->out, name ? name : "", -1,
						  LINUX_CONTROL_BYTES);
		}
	g_string_append(cpu->out, "\n\n");
}

static void
append_properties(Cpu *cpu)
{
	const VmifsMember *all =
		linux_layout_member(cpu->os->layout, LINUX_FIELD_CPUINFO_CAPABILITY);
	const VmifsMember *vmx =
		linux_layout_member(cpu->os->layout, LINUX_FIELD_CPUINFO_VMX_CAPABILITY);

	g_string_append(cpu->out, "fpu\t\t: yes\nfpu_exception\t: yes\n");
	append_number(cpu, "cpuid level\t", LINUX_FIELD_CPUINFO_LEVEL);
	g_string_append(cpu->out, "wp\t\t: yes\n");
	append_flags(cpu, "flags\t\t:", "x86_cap_flags", LINUX_FIELD_CPUINFO_CAPABILITY, 0,
		     cpu->n_words);
	if (vmx && has_feature(cpu, FEATURE_VMX) &&
	    word(cpu, LINUX_FIELD_CPUINFO_VMX_CAPABILITY, 0))
		append_flags(cpu, "vmx flags\t:", "x86_vmx_flags",
			     LINUX_FIELD_CPUINFO_VMX_CAPABILITY, 0, MIN(vmx->count, MAX_WORDS));
	append_flags(cpu, "bugs\t\t:", "x86_bug_flags", LINUX_FIELD_CPUINFO_CAPABILITY,
		     cpu->n_words, all ? MIN(all->count, MAX_WORDS) - cpu->n_words : 0);
	guint64 loops = linux_take(&cpu->c, cpu->object, LINUX_FIELD_CPUINFO_LOOPS);
	g_string_append_printf(cpu->out,
			       "bogomips\t: %" G_GUINT64_FORMAT ".%02" G_GUINT64_FORMAT "\n",
			       loops / (500000 / cpu->hz), loops / (5000 / cpu->hz) % 100);
	guint64 tlb = linux_take(&cpu->c, cpu->object, LINUX_FIELD_CPUINFO_TLB_SIZE);
	if ((gint32) tlb > 0)
		g_string_append_printf(cpu->out, "TLB size\t: %u 4K pages\n", (guint) tlb);
	append_number(cpu, "clflush size\t", LINUX_FIELD_CPUINFO_CLFLUSH_SIZE);
	append_number(cpu, "cache_alignment\t", LINUX_FIELD_CPUINFO_CACHE_ALIGNMENT);
	g_string_append_printf(
		cpu->out, "address sizes\t: %u bits physical, %u bits virtual\n",
		(guint) linux_take(&cpu->c, cpu->object, LINUX_FIELD_CPUINFO_PHYS_BITS),
		(guint) linux_take(&cpu->c, cpu->object, LINUX_FIELD_CPUINFO_VIRT_BITS));
	append_power(cpu);
}

/* ---- the text ---- */

static gboolean
find_cpu(const Linux *os, guint32 number, guint64 *ret, GError **error)
{
	guint64 symbol;

	/* A kernel for one processor has but what it found at boot. */
	if (!linux_symbol(os, "cpu_info", &symbol, NULL))
		return linux_symbol(os, "boot_cpu_data", ret, error);
	return linux_percpu(os, symbol, number, ret, error);
}

/* The package of each processor, of guint64; of one that cannot be read none. */
static GArray *
read_packages(const Linux *os, const GArray *cpus)
{
	GArray *packages = g_array_new(FALSE, FALSE, sizeof(guint64));

	for (guint i = 0; i < cpus->len; i++) {
		guint64 at, package = G_MAXUINT64;
		if (find_cpu(os, g_array_index(cpus, guint32, i), &at, NULL))
			linux_get(os, at, LINUX_FIELD_CPUINFO_PACKAGE, &package, NULL);
		g_array_append_val(packages, package);
	}
	return packages;
}

static guint
count_siblings(const GArray *packages, guint cpu)
{
	guint64 own = g_array_index(packages, guint64, cpu);
	guint n = 0;

	for (guint i = 0; i < packages->len; i++)
		n += g_array_index(packages, guint64, i) == own;
	return n;
}

gboolean
linux_hz(const Linux *os, guint64 *ret, GError **error)
{
	LinuxJiffies jiffies;

	if (!linux_jiffies(os, &jiffies, error))
		return FALSE;
	guint64 tick = jiffies.length;
	*ret = tick ? CLAMP((NS_PER_S + tick / 2) / tick, 1, 5000) : 1;
	return TRUE;
}

static void
append_all(Cpu *cpu, const GArray *cpus, const VmifsCall *call)
{
	g_autoptr(GArray) packages = read_packages(cpu->os, cpus);
	gsize start = cpu->out->len;

	for (guint i = 0; i < cpus->len && !cpu->c.error; i++) {
		guint32 number = g_array_index(cpus, guint32, i);
		if (!vmifs_call_check(call, &cpu->c.error) ||
		    !find_cpu(cpu->os, number, &cpu->object, &cpu->c.error))
			return;
		append_identity(cpu, number);
		if (linux_has(cpu->os, LINUX_FIELD_CPUINFO_CORES))
			append_place(cpu, count_siblings(packages, i));
		append_properties(cpu);
		if (cpu->out->len - start > MAX_TEXT && !cpu->c.error)
			g_set_error_literal(&cpu->c.error, VMIFS_ERROR, VMIFS_ERROR_CORRUPT,
					    "processors: more text than there can be");
	}
}

/* Which ones there are: of a kernel whose layouts were inferred no more is known. */
static void
append_numbers(const GArray *cpus, GString *out)
{
	for (guint i = 0; i < cpus->len; i++)
		g_string_append_printf(out, "processor\t: %u\n\n", g_array_index(cpus, guint32, i));
}

LINUX_VIEW(linux_render_cpuinfo_x86)
{
	const Linux *self = os;
	g_autoptr(GArray) cpus = linux_cpus(self, "__cpu_online_mask", error);
	g_autoptr(GHashTable) names =
		g_hash_table_new_full(g_int64_hash, g_int64_equal, g_free, g_free);
	Cpu cpu = { .os = self, .c = { .os = self }, .out = out, .names = names };

	if (cpus && self->is_partial) {
		append_numbers(cpus, out);
		return TRUE;
	}
	if (!cpus || !linux_hz(self, &cpu.hz, error) ||
	    !linux_feature_words(self, &cpu.n_words, error))
		return FALSE;
	append_all(&cpu, cpus, call);
	return linux_cursor_end(&cpu.c, error);
}
