/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* cpuinfo: what processors said of themselves, and the names of their bits. */
#include <view-test.h>

#define TYPES                                                                                      \
	"struct cpuinfo_x86 256 x86@0:1 x86_vendor_id@8:1x16 x86_model@24:1 "                      \
	"x86_model_id@32:1x64 x86_stepping@96:1 cpuid_level@100:4 "                                \
	"microcode@104:4 x86_cache_size@108:4 phys_proc_id@112:2 "                                 \
	"cpu_core_id@114:2 apicid@116:2 initial_apicid@118:2 booted_cores@120:2 "                  \
	"x86_capability@124:4x3 loops_per_jiffy@136:8 x86_tlbsize@144:4 "                          \
	"x86_clflush_size@148:2 x86_cache_alignment@152:4 x86_phys_bits@156:1 "                    \
	"x86_virt_bits@157:1 x86_power@160:4\n"                                                    \
	"struct clocksource 8 mult@0:4 shift@4:4\n"                                                \
	"enum NR_CPUID_WORDS=2\n"

/* A table of names, of which those at the given places are not NULL. */
static void
names(Fixture *f, const char *symbol, guint first, const char *one, guint second, const char *two)
{
	guint64 table = variable(f, symbol, 0);
	linux_guest_u64(&f->g, table + first * 8, linux_guest_string(&f->g, one));
	linux_guest_u64(&f->g, table + second * 8, linux_guest_string(&f->g, two));
}

static guint64
make_cpu(Fixture *f, gboolean with_names)
{
	guint64 cpu = linux_guest_new(&f->g, LINUX_STRUCT_CPUINFO);
	linux_guest_symbol(&f->g, "cpu_info", cpu);
	guint64 clock = linux_guest_new(&f->g, LINUX_STRUCT_CLOCKSOURCE);
	linux_guest_symbol(&f->g, "clocksource_jiffies", clock);
	linux_guest_put(&f->g, clock, LINUX_FIELD_CLOCKSOURCE_MULT, 4000250U << 8);
	linux_guest_put(&f->g, clock, LINUX_FIELD_CLOCKSOURCE_SHIFT, 8);
	variable(f, "jiffies_64", 0);
	variable(f, "cpu_khz", 2594039);
	if (with_names)
		names(f, "x86_cap_flags", 4, "tsc", 33, "e\033vil");
	names(f, "x86_bug_flags", 0, "f00f", 9, "spectre_v1");
	names(f, "x86_power_flags", 0, "ts", 8, "");
	linux_guest_put(&f->g, cpu, LINUX_FIELD_CPUINFO_FAMILY, 15);
	linux_guest_put(&f->g, cpu, LINUX_FIELD_CPUINFO_MODEL, 107);
	linux_guest_put_text(&f->g, cpu, LINUX_FIELD_CPUINFO_VENDOR_ID, "AuthenticAMD");
	linux_guest_put(&f->g, cpu, LINUX_FIELD_CPUINFO_STEPPING, 1);
	linux_guest_put(&f->g, cpu, LINUX_FIELD_CPUINFO_LEVEL, 13);
	linux_guest_put(&f->g, cpu, LINUX_FIELD_CPUINFO_CACHE_SIZE, 512);
	linux_guest_put(&f->g, cpu, LINUX_FIELD_CPUINFO_CORES, 1);
	linux_guest_put(&f->g, cpu, LINUX_FIELD_CPUINFO_LOOPS, 10376156);
	linux_guest_put(&f->g, cpu, LINUX_FIELD_CPUINFO_CLFLUSH_SIZE, 64);
	linux_guest_put(&f->g, cpu, LINUX_FIELD_CPUINFO_CACHE_ALIGNMENT, 64);
	linux_guest_put(&f->g, cpu, LINUX_FIELD_CPUINFO_PHYS_BITS, 40);
	linux_guest_put(&f->g, cpu, LINUX_FIELD_CPUINFO_VIRT_BITS, 48);
	return cpu;
}

#define TEXT(clock, flags, bugs, power)                                                             \
	"processor\t: 0\nvendor_id\t: AuthenticAMD\ncpu family\t: 15\nmodel\t\t: 107\n"             \
	"model name\t: unknown\nstepping\t: 1\n" clock "cache size\t: 512 KB\n"                     \
	"physical id\t: 0\nsiblings\t: 1\ncore id\t\t: 0\ncpu cores\t: 1\napicid\t\t: 0\n"          \
	"initial apicid\t: 0\nfpu\t\t: yes\nfpu_exception\t: yes\ncpuid level\t: 13\nwp\t\t: yes\n" \
	"flags\t\t:" flags "\nbugs\t\t:" bugs "\nbogomips\t: 5188.07\nclflush size\t: 64\n"         \
	"cache_alignment\t: 64\naddress sizes\t: 40 bits physical, 48 bits virtual\n"               \
	"power management:" power "\n\n"

START_TEST(features_and_bugs_have_the_kernels_names)
{
	Fixture f;
	setup(&f, TYPES);
	guint64 cpu = make_cpu(&f, TRUE);
	linux_guest_put_element(&f.g, cpu, LINUX_FIELD_CPUINFO_CAPABILITY, 0, 1 << 4 | 1 << 5);
	linux_guest_put_element(&f.g, cpu, LINUX_FIELD_CPUINFO_CAPABILITY, 1, 2);
	linux_guest_put_element(&f.g, cpu, LINUX_FIELD_CPUINFO_CAPABILITY, 2, 1 << 9 | 1 << 10);
	linux_guest_put(&f.g, cpu, LINUX_FIELD_CPUINFO_POWER, 1 << 0 | 1 << 8 | 1 << 20);
	shows(&f, linux_render_cpuinfo, NULL,
	      TEXT("cpu MHz\t\t: 2594.039\n", " tsc e\\033vil", " spectre_v1", " ts [20]"));
	teardown(&f);
}
END_TEST

START_TEST(clock_that_a_driver_changes_is_left_out)
{
	Fixture f;
	setup(&f, TYPES);
	guint64 cpu = make_cpu(&f, TRUE);
	linux_guest_put_element(&f.g, cpu, LINUX_FIELD_CPUINFO_CAPABILITY, 0, 1 << 4);
	variable(&f, "cpufreq_driver", 1);
	shows(&f, linux_render_cpuinfo, NULL, TEXT("", " tsc", "", ""));
	teardown(&f);
}
END_TEST

START_TEST(processor_that_cannot_be_read_is_an_error)
{
	Fixture f;
	setup(&f, TYPES);
	make_cpu(&f, TRUE);
	variable(&f, "nr_cpu_ids", 2);
	guint64 offsets = variable(&f, "__per_cpu_offset", 0);
	linux_guest_u64(&f.g, offsets + 8, 0x10000000);
	variable(&f, "__cpu_online_mask", 3);
	fails(&f, linux_render_cpuinfo, VMIFS_ERROR_HOLE);
	teardown(&f);
}
END_TEST

START_TEST(text_is_bounded)
{
	Fixture f;
	setup(&f, TYPES);
	guint64 cpu = make_cpu(&f, FALSE);
	g_autofree char *name = g_strnfill(60, 'x');
	guint64 text = linux_guest_string(&f.g, name);
	guint64 flags = linux_guest_alloc(&f.g, 64 * 8), mask = linux_guest_alloc(&f.g, 1024);
	for (guint i = 0; i < 64; i++)
		linux_guest_u64(&f.g, flags + i * 8, text);
	linux_guest_symbol(&f.g, "x86_cap_flags", flags);
	for (guint i = 0; i < 2; i++)
		linux_guest_put_element(&f.g, cpu, LINUX_FIELD_CPUINFO_CAPABILITY, i, G_MAXUINT32);
	variable(&f, "nr_cpu_ids", 8192);
	for (guint i = 0; i < 128; i++)
		linux_guest_u64(&f.g, mask + i * 8, G_MAXUINT64);
	linux_guest_symbol(&f.g, "__cpu_online_mask", mask);
	fails(&f, linux_render_cpuinfo, VMIFS_ERROR_CORRUPT);
	teardown(&f);
}
END_TEST

static Suite *
make_suite(void)
{
	Suite *s = suite_create("cpuinfo");
	TCase *t = tcase_create("cpuinfo");
	tcase_add_test(t, features_and_bugs_have_the_kernels_names);
	tcase_add_test(t, clock_that_a_driver_changes_is_left_out);
	tcase_add_test(t, processor_that_cannot_be_read_is_an_error);
	tcase_add_test(t, text_is_bounded);
	suite_add_tcase(s, t);
	return s;
}

VMIFS_UNIT_MAIN(make_suite)
