/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* registers: those that QEMU prints, under the names that all sources use. */
#include <unit.h>

#include <backends/qemu/registers.h>

#include <fake-session.h>
#include <string.h>
#include <vmifs/error.h>

static guint64
value(const VmifsRegs *regs, const char *name)
{
	guint64 found = 0;
	ck_assert_msg(vmifs_regs_get(regs, name, &found), "no %s", name);
	return found;
}

static gboolean
has(const VmifsRegs *regs, const char *name)
{
	guint64 found;
	return vmifs_regs_get(regs, name, &found);
}

static GPtrArray *
parse(const char *text)
{
	g_autoptr(GError) error = NULL;
	GPtrArray *all = qemu_registers_parse(text, &error);
	ck_assert_msg(all != NULL, "%s", error ? error->message : "");
	return all;
}

/* Of a recorded session. */
static VmifsRegs *
get(const char *name, guint n_vcpus, guint vcpu)
{
	g_autofree char *session = fake_session(name);
	g_autoptr(QemuMonitor) monitor = fake_monitor_new(session);
	g_autoptr(QemuRegisters) registers = qemu_registers_new(monitor, n_vcpus);
	g_autoptr(GError) error = NULL;
	VmifsRegs *regs = vmifs_regs_new();
	ck_assert_msg(qemu_registers_get(registers, vcpu, regs, NULL, &error), "%s",
		      error ? error->message : "");
	return regs;
}

typedef struct {
	const char *name;
	guint64 value;
} Expected;

static void
check(const VmifsRegs *regs, const Expected *expected, gsize n)
{
	for (gsize i = 0; i < n; i++)
		ck_assert_msg(value(regs, expected[i].name) == expected[i].value, "%s is %#lx",
			      expected[i].name, (gulong) value(regs, expected[i].name));
}

START_TEST(long_mode_is_read_whole)
{
	static const Expected expected[] = {
		{ "rax", 0 },
		{ "rcx", 1 },
		{ "rdx", 0x4000000000000000 },
		{ "rsp", 0xffffffffa4803e50 },
		{ "r8", 0x3a2f4 },
		{ "r12", 0xffff9d1f00250000 },
		{ "rip", 0xffffffffa3a0d8ae },
		{ "eflags", 0x246 },
		{ "cs", 0x10 },
		{ "cs_base", 0 },
		{ "cs_limit", 0xffffffff },
		{ "cs_flags", 0xa09b00 },
		{ "gs_base", 0xffff9d2037c00000 },
		{ "tr", 0x40 },
		{ "tr_base", 0xfffffe000004a000 },
		{ "gdt_base", 0xfffffe0000048000 },
		{ "gdt_limit", 0x7f },
		{ "idt_base", 0xfffffe0000000000 },
		{ "cr0", 0x80050033 },
		{ "cr2", 0x7f2a5c1fd3a0 },
		{ "cr3", 0x103c0a000 },
		{ "cr4", 0x370ee0 },
		{ "dr6", 0xffff0ff0 },
		{ "efer", 0xd01 },
		{ "fctrl", 0x37f },
		{ "fstat", 0x3000 },
		{ "ftag", 0xc0 },
		{ "mxcsr", 0x1f80 },
		/* The stack's top is the sixth. */
		{ "st0_0", 0xc90fdaa22168c235 },
		{ "st0_1", 0x4000 },
		{ "st1_0", 0x8000000000000000 },
		{ "st1_1", 0x3fff },
		{ "ymm0_0", 0xffff0000 },
		{ "ymm0_1", 1 },
		{ "ymm0_3", 3 },
	};
	g_autoptr(VmifsRegs) regs = get("kvm", 2, 0);
	check(regs, expected, G_N_ELEMENTS(expected));
	ck_assert(!has(regs, "eip"));
	ck_assert(!has(regs, "k_gs_base"));
}
END_TEST

START_TEST(each_vcpu_has_its_own)
{
	g_autoptr(VmifsRegs) regs = get("kvm", 2, 1);
	ck_assert_uint_eq(value(regs, "gs_base"), 0xffff9d2037c80000);
}
END_TEST

START_TEST(a_running_linux_under_tcg)
{
	g_autoptr(VmifsRegs) regs = get("linux", 2, 0);
	/* In the kernel's half, paging on, long mode. */
	ck_assert_uint_ge(value(regs, "idt_base"), 0xffff800000000000);
	ck_assert_uint_ne(value(regs, "cr0") & 0x80000000, 0);
	ck_assert_uint_ne(value(regs, "efer") & 0x400, 0);
	ck_assert_uint_ne(value(regs, "cr3"), 0);
	ck_assert(has(regs, "rip") && has(regs, "rsp") && has(regs, "xmm15_1"));
}
END_TEST

START_TEST(firmware_in_32_bits)
{
	static const Expected expected[] = {
		{ "ebx", 0x800 },
		{ "esp", 0xa1fbc },
		{ "eip", 0x12839 },
		{ "eflags", 0x246 },
		{ "cs", 8 },
		{ "cs_base", 0x1ff3d000 },
		{ "cs_flags", 0xcf9f00 },
		{ "fs_base", 0x1ff3d000 },
		{ "gdt_base", 0x9cd30 },
		{ "idt_limit", 0x7ff },
		{ "cr0", 0x11 },
		{ "efer", 0 },
		{ "xmm7_1", 0 },
	};
	g_autoptr(VmifsRegs) regs = get("pc", 2, 0);
	check(regs, expected, G_N_ELEMENTS(expected));
	ck_assert(!has(regs, "rip"));
}
END_TEST

#define REAL_MODE                                                                                  \
	"\r\nCPU#0\r\nEAX=0000aa55 EBX=00000000 ECX=00000000 EDX=00000663\r\n"                     \
	"EIP=0000fff0 EFL=00000002 [-------] CPL=0 II=0 A20=1 SMM=0 HLT=0\r\n"                     \
	"CS =f000 ffff0000 0000ffff 00009b00\r\nCR0=60000010 CR2=00000000\r\n"                     \
	"EFER=0000000000000000\r\n"

START_TEST(real_mode)
{
	static const Expected expected[] = {
		{ "eax", 0xaa55 },         { "eip", 0xfff0 },      { "cs", 0xf000 },
		{ "cs_base", 0xffff0000 }, { "cs_limit", 0xffff }, { "cr0", 0x60000010 },
	};
	g_autoptr(GPtrArray) all = parse(REAL_MODE);
	ck_assert_uint_eq(all->len, 1);
	check(g_ptr_array_index(all, 0), expected, G_N_ELEMENTS(expected));
}
END_TEST

START_TEST(thirty_two_bit_code_of_a_64_bit_system)
{
	g_autoptr(GPtrArray) all = parse(
		"CPU#0\nEAX=00000001 ESP=ffd0a000\nEIP=f7f3a549 EFL=00000246 [---Z-P-] CPL=3\n"
		"CS =0023 00000000 ffffffff 00cffb00 DPL=3 CS32 [-RA]\n"
		"GS =0063 f7d00040 ffffffff 00d0f300 DPL=3 DS   [-WA]\n"
		"TR =0040 0004a000 00004087 00008b00 DPL=0 TSS64-busy\n"
		"GDT=     fffffe0000048000 0000007f\nEFER=0000000000000d01\n");
	const VmifsRegs *regs = g_ptr_array_index(all, 0);
	ck_assert_uint_eq(value(regs, "rip"), 0xf7f3a549);
	ck_assert_uint_eq(value(regs, "rsp"), 0xffd0a000);
	ck_assert_uint_eq(value(regs, "gdt_base"), 0xfffffe0000048000);
	ck_assert_uint_eq(value(regs, "cs_base"), 0);
	/* Their upper halves were cut off. */
	ck_assert(!has(regs, "gs_base"));
	ck_assert(!has(regs, "tr_base"));
	ck_assert(has(regs, "gs") && has(regs, "tr"));
	ck_assert(!has(regs, "r8") && !has(regs, "eip"));
}
END_TEST

START_TEST(wide_vectors)
{
	g_autoptr(GPtrArray) all =
		parse("CPU#0\nRIP=0000000000000001 RFL=00000002\n"
		      "Opmask00=00000000000000ff Opmask01=0000000000000001 \n"
		      "ZMM31=0000000000000008 0000000000000007 0000000000000006 0000000000000005 "
		      "0000000000000004 0000000000000003 0000000000000002 0000000000000001\n");
	const VmifsRegs *regs = g_ptr_array_index(all, 0);
	ck_assert_uint_eq(value(regs, "k0"), 0xff);
	ck_assert_uint_eq(value(regs, "k1"), 1);
	ck_assert_uint_eq(value(regs, "zmm31_0"), 1);
	ck_assert_uint_eq(value(regs, "zmm31_7"), 8);
}
END_TEST

START_TEST(what_is_unknown_is_passed_over)
{
	g_autoptr(GPtrArray) all =
		parse("CPU#0\nCCS=0000000000000044 CCD=00000000000000ff CCO=EFLAGS\n"
		      "RAX=zz RBX=00000000000000011 RCX= RDX\nRIP=0000000000000001\n"
		      "CS =0010 0000000000000000\nGDT=0\nXMM00=1\nXMM999=1 2\nFPR9=1 2\nA20=1\n");
	const VmifsRegs *regs = g_ptr_array_index(all, 0);
	gsize n;
	vmifs_regs_all(regs, &n);
	ck_assert_uint_eq(n, 1);
	ck_assert_uint_eq(value(regs, "rip"), 1);
}
END_TEST

START_TEST(numbers_may_have_gaps)
{
	g_autoptr(GPtrArray) all = parse("CPU#0\nEIP=1\nCPU#3\nEIP=4\nCPU#99999999999\nEIP=5\n"
					 "CPU#8192\nEIP=5\nCPU#-1\nEIP=6\n");
	ck_assert_uint_eq(all->len, 4);
	ck_assert_ptr_null(g_ptr_array_index(all, 1));
	ck_assert_uint_eq(value(g_ptr_array_index(all, 3), "eip"), 4);
}
END_TEST

START_TEST(nonsense_is_refused)
{
	static const char *const texts[] = {
		"",     "unknown command: 'info registers'\r\n",     "CPU#0\r\n", "CPU#",
		"====", "CPU#0\r\nY00=0000000000000000 PC=ffff\r\n",
	};
	for (gsize i = 0; i < G_N_ELEMENTS(texts); i++) {
		g_autoptr(GError) error = NULL;
		ck_assert_ptr_null(qemu_registers_parse(texts[i], &error));
		ck_assert(g_error_matches(error, VMIFS_ERROR, VMIFS_ERROR_CORRUPT));
	}
}
END_TEST

START_TEST(huge_texts_are_refused)
{
	g_autofree char *text = g_strnfill(2 << 20, ' ');
	memcpy(text, "EIP=1", 5);
	ck_assert_ptr_null(qemu_registers_parse(text, NULL));
}
END_TEST

START_TEST(one_question_answers_for_all)
{
	static const char session[] = "hmp info registers -a\n\tCPU#0\n\tEIP=1\n\tCPU#1\n\tEIP=2\n"
				      "hmp info registers -a\n\tCPU#0\n\tEIP=3\n\tCPU#1\n\tEIP=4\n";
	g_autoptr(QemuMonitor) monitor = fake_monitor_new(session);
	g_autoptr(QemuRegisters) registers = qemu_registers_new(monitor, 2);
	g_autoptr(VmifsRegs) first = vmifs_regs_new();
	g_autoptr(VmifsRegs) second = vmifs_regs_new();
	g_autoptr(VmifsRegs) later = vmifs_regs_new();
	ck_assert(qemu_registers_get(registers, 0, first, NULL, NULL));
	ck_assert(qemu_registers_get(registers, 1, second, NULL, NULL));
	ck_assert_uint_eq(value(first, "eip"), 1);
	/* Or 4, when this thread slept in between. */
	ck_assert_uint_eq(value(second, "eip") & 1, 0);
	qemu_registers_forget(registers);
	ck_assert(qemu_registers_get(registers, 0, later, NULL, NULL));
	ck_assert_uint_eq(value(later, "eip"), 3);
}
END_TEST

START_TEST(of_many_each_is_asked_alone)
{
	static const char session[] = "hmp info registers\n\tCPU#40\n\tEIP=7\n";
	g_autoptr(QemuMonitor) monitor = fake_monitor_new(session);
	g_autoptr(QemuRegisters) registers = qemu_registers_new(monitor, 64);
	g_autoptr(VmifsRegs) regs = vmifs_regs_new();
	g_autoptr(GError) error = NULL;
	ck_assert(qemu_registers_get(registers, 40, regs, NULL, NULL));
	ck_assert_uint_eq(value(regs, "eip"), 7);
	ck_assert(!qemu_registers_get(registers, 41, regs, NULL, &error));
	ck_assert(g_error_matches(error, VMIFS_ERROR, VMIFS_ERROR_NOT_FOUND));
}
END_TEST

START_TEST(riscv_has_two_names_for_most)
{
	static const Expected first[] = {
		{ "pc", 0xffffffff80a6944c },
		{ "mhartid", 0 },
		{ "satp", 0xa00bb000000860b5 },
		{ "ra", 0xffffffff80a6b0e0 },
		{ "s0", 0xffffffff81c03df0 },
		{ "a0", 0x2cdac },
		{ "ft0", 7 },
		{ "zero", 0 },
	};
	g_autoptr(GPtrArray) all =
		parse("\r\nCPU#0\r\n V      =   0\r\n pc       ffffffff80a6944c\r\n"
		      " mhartid  0000000000000000\r\n mie      000000000000022a\r\n"
		      " satp     a00bb000000860b5\r\n"
		      " x0/zero  0000000000000000 x1/ra    ffffffff80a6b0e0\r\n"
		      " x8/s0    ffffffff81c03df0 x10/a0   000000000002cdac\r\n"
		      " f0/ft0   0000000000000007\r\n\r\nCPU#1\r\n V      =   0\r\n"
		      " pc       0000000080001234\r\n mhartid  0000000000000001\r\n");

	ck_assert_uint_eq(all->len, 2);
	check(g_ptr_array_index(all, 0), first, G_N_ELEMENTS(first));
	ck_assert_uint_eq(value(g_ptr_array_index(all, 1), "pc"), 0x80001234);
	ck_assert(!has(g_ptr_array_index(all, 1), "satp"));
	ck_assert(!has(g_ptr_array_index(all, 0), "mie"));
}
END_TEST

START_TEST(riscv_cut_short_or_malformed_tells_what_came_before)
{
	static const char *const texts[] = {
		"CPU#0\n pc 0000000000000001\n satp",
		"CPU#0\n pc 0000000000000001\n satp a00bb",
		"CPU#0\n pc 0000000000000001\n x1/ a00bb000000860b5",
		"CPU#0\n pc 0000000000000001\n satp a00bb0000008zzzz",
		("CPU#0\n pc 0000000000000001\n x1/"
		 "a_name_that_is_longer_than_any_register_has_ever_had_until_now_or_will 0000000000000001"),
	};
	g_autoptr(GPtrArray) all = parse(texts[_i]);
	gsize n;

	ck_assert_uint_eq(value(g_ptr_array_index(all, 0), "pc"), 1);
	vmifs_regs_all(g_ptr_array_index(all, 0), &n);
	ck_assert_uint_eq(n, 1);
}
END_TEST

/* A Cortex-A57 and Linux 6.12, in QEMU 7.2. */
static const char aarch64[] =
	"\r\nCPU#0\r\n"
	" PC=ffffc986e7fdabc8 X00=0000000000000005 X01=ffff057cdfed7550\r\n"
	"X02=0000000000001641 X03=0000000000000000 X04=ffff3bf5f72b8000\r\n"
	"X29=ffffc986e8cc3d80 X30=ffffc986e7fdabe0  SP=ffffc986e8cc3d80\r\n"
	"PSTATE=400000c5 -Z-- EL1h     FPCR=00000000 FPSR=00000010\r\n"
	"Q00=2525252525252525:3636363636363636 Q01=6c2f7573632f2e2e:000000000000000a\r\n"
	"Q31=0000000000000001:0000000000000002\r\n"
	"\r\nCPU#1\r\n PC=00000000004ffebc X00=0000000011315900\r\n"
	"PSTATE=80000000 N--- EL0t    FPU disabled\r\n";

START_TEST(aarch64_is_told_by_the_names_of_gdb)
{
	static const Expected first[] = {
		{ "pc", 0xffffc986e7fdabc8 },
		{ "x0", 5 },
		{ "x1", 0xffff057cdfed7550 },
		{ "x29", 0xffffc986e8cc3d80 },
		{ "x30", 0xffffc986e7fdabe0 },
		{ "sp", 0xffffc986e8cc3d80 },
		{ "cpsr", 0x400000c5 },
		{ "fpsr", 0x10 },
		{ "v0_0", 0x3636363636363636 },
		{ "v0_1", 0x2525252525252525 },
		{ "v1_0", 0xa },
		{ "v31_1", 1 },
	};
	static const Expected second[] = {
		{ "pc", 0x4ffebc },
		{ "x0", 0x11315900 },
		{ "cpsr", 0x80000000 },
	};
	g_autoptr(GPtrArray) all = parse(aarch64);
	gsize n;

	ck_assert_uint_eq(all->len, 2);
	check(g_ptr_array_index(all, 0), first, G_N_ELEMENTS(first));
	check(g_ptr_array_index(all, 1), second, G_N_ELEMENTS(second));
	vmifs_regs_all(g_ptr_array_index(all, 1), &n);
	ck_assert_uint_eq(n, G_N_ELEMENTS(second));
}
END_TEST

/* A Cortex-A15 and Linux 6.1, in QEMU 7.2. */
static const char arm[] = "\r\nCPU#0\r\n"
			  "R00=00000005 R01=00000000 R02=01683c39 R03=c031fc80\r\n"
			  "R08=00000001 R09=00000000 R10=c863aff0 R11=00000000\r\n"
			  "R12=1d81b000 R13=c1401f68 R14=c03099d8 R15=c031fc88\r\n"
			  "PSR=60000093 -ZC- A svc32\r\n"
			  "s00=00000000 s01=23000000 d00=2300000000000000\r\n"
			  "s62=00000000 s63=00000000 d31=0000000000000001\r\n"
			  "FPSCR: 00000000\r\n";

/* Some are called as x86 calls its own. */
START_TEST(arm_is_told_by_the_names_of_gdb)
{
	static const Expected expected[] = {
		{ "r0", 5 },
		{ "r1", 0 },
		{ "r2", 0x1683c39 },
		{ "r3", 0xc031fc80 },
		{ "r8", 1 },
		{ "r9", 0 },
		{ "r10", 0xc863aff0 },
		{ "r11", 0 },
		{ "r12", 0x1d81b000 },
		{ "sp", 0xc1401f68 },
		{ "lr", 0xc03099d8 },
		{ "pc", 0xc031fc88 },
		{ "cpsr", 0x60000093 },
		{ "d0", 0x2300000000000000 },
		{ "d31", 1 },
	};
	g_autoptr(GPtrArray) all = parse(arm);
	gsize n;

	ck_assert_uint_eq(all->len, 1);
	check(g_ptr_array_index(all, 0), expected, G_N_ELEMENTS(expected));
	vmifs_regs_all(g_ptr_array_index(all, 0), &n);
	ck_assert_uint_eq(n, G_N_ELEMENTS(expected));
}
END_TEST

START_TEST(aarch64_vectors_of_sve_have_their_lower_part)
{
	static const Expected expected[] = { { "v3_1", 3 }, { "v3_0", 4 } };
	g_autoptr(GPtrArray) all = parse(
		"CPU#0\r\n PC=0000000000000001 FPCR=00000000 FPSR=00000000\r\n"
		"P00=00ff P01=0000\r\nZ03=0000000000000003:0000000000000004 Z04[3]=1:2:3:4\r\n");

	check(g_ptr_array_index(all, 0), expected, G_N_ELEMENTS(expected));
	ck_assert(!has(g_ptr_array_index(all, 0), "v4_0"));
}
END_TEST

START_TEST(aarch64_cut_short_or_malformed_tells_what_came_before)
{
	static const char *const texts[] = {
		"CPU#0\n PC=0000000000000001 X00",
		"CPU#0\n PC=0000000000000001 X00=",
		"CPU#0\n PC=0000000000000001 X00=00000000000001",
		"CPU#0\n PC=0000000000000001 X00=00000000000000010",
		"CPU#0\n PC=0000000000000001 X00=0000000000000001z",
		"CPU#0\n PC=0000000000000001 X31=0000000000000001",
		"CPU#0\n PC=0000000000000001 X1=0000000000000001 X001=0000000000000001",
		"CPU#0\n PC=0000000000000001 Q00=0000000000000001:",
		"CPU#0\n PC=0000000000000001 Q00=0000000000000001:0001",
		"CPU#0\n PC=0000000000000001 Q32=0000000000000001:0000000000000001",
		"CPU#0\n PC=0000000000000001 X00=0000000000000001:0000000000000001",
		"CPU#0\n PC=0000000000000001 =0000000000000001 AVERYLONGNAME=0000000000000001",
	};
	g_autoptr(GPtrArray) all = parse(texts[_i]);
	gsize n;

	ck_assert_uint_eq(value(g_ptr_array_index(all, 0), "pc"), 1);
	vmifs_regs_all(g_ptr_array_index(all, 0), &n);
	ck_assert_uint_eq(n, 1);
}
END_TEST

static Suite *
registers_suite(void)
{
	Suite *s = suite_create("qemu-registers");
	TCase *good = tcase_create("forms");
	tcase_add_test(good, long_mode_is_read_whole);
	tcase_add_test(good, each_vcpu_has_its_own);
	tcase_add_test(good, a_running_linux_under_tcg);
	tcase_add_test(good, firmware_in_32_bits);
	tcase_add_test(good, real_mode);
	tcase_add_test(good, thirty_two_bit_code_of_a_64_bit_system);
	tcase_add_test(good, wide_vectors);
	tcase_add_test(good, numbers_may_have_gaps);
	tcase_add_test(good, riscv_has_two_names_for_most);
	tcase_add_test(good, aarch64_is_told_by_the_names_of_gdb);
	tcase_add_test(good, arm_is_told_by_the_names_of_gdb);
	tcase_add_test(good, aarch64_vectors_of_sve_have_their_lower_part);
	suite_add_tcase(s, good);
	TCase *bad = tcase_create("bad ones");
	tcase_add_test(bad, what_is_unknown_is_passed_over);
	tcase_add_loop_test(bad, riscv_cut_short_or_malformed_tells_what_came_before, 0, 5);
	tcase_add_loop_test(bad, aarch64_cut_short_or_malformed_tells_what_came_before, 0, 12);
	tcase_add_test(bad, nonsense_is_refused);
	tcase_add_test(bad, huge_texts_are_refused);
	suite_add_tcase(s, bad);
	TCase *asking = tcase_create("asking");
	tcase_add_test(asking, one_question_answers_for_all);
	tcase_add_test(asking, of_many_each_is_asked_alone);
	suite_add_tcase(s, asking);
	return s;
}

VMIFS_UNIT_MAIN(registers_suite)
