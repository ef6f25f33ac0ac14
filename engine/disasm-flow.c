/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* disasm-flow: what capstone tells of instructions, as <spi/insn.h> has it. */
#include <spi/insn.h>

#include <capstone.h>

static const struct {
	const char *name;
	cs_mode mode;
	guint ptr;
} archs[] = {
	{ "x86_64", CS_MODE_64, 8 },
};

/* Intel SDM volume 2, "Registers": by number, whole and parts. */
static guint8
number_of(x86_reg reg)
{
	static const x86_reg numbers[VMIFS_INSN_REGISTERS][5] = {
		{ X86_REG_RAX, X86_REG_EAX, X86_REG_AX, X86_REG_AL, X86_REG_AH },
		{ X86_REG_RCX, X86_REG_ECX, X86_REG_CX, X86_REG_CL, X86_REG_CH },
		{ X86_REG_RDX, X86_REG_EDX, X86_REG_DX, X86_REG_DL, X86_REG_DH },
		{ X86_REG_RBX, X86_REG_EBX, X86_REG_BX, X86_REG_BL, X86_REG_BH },
		{ X86_REG_RSP, X86_REG_ESP, X86_REG_SP, X86_REG_SPL },
		{ X86_REG_RBP, X86_REG_EBP, X86_REG_BP, X86_REG_BPL },
		{ X86_REG_RSI, X86_REG_ESI, X86_REG_SI, X86_REG_SIL },
		{ X86_REG_RDI, X86_REG_EDI, X86_REG_DI, X86_REG_DIL },
		{ X86_REG_R8, X86_REG_R8D, X86_REG_R8W, X86_REG_R8B },
		{ X86_REG_R9, X86_REG_R9D, X86_REG_R9W, X86_REG_R9B },
		{ X86_REG_R10, X86_REG_R10D, X86_REG_R10W, X86_REG_R10B },
		{ X86_REG_R11, X86_REG_R11D, X86_REG_R11W, X86_REG_R11B },
		{ X86_REG_R12, X86_REG_R12D, X86_REG_R12W, X86_REG_R12B },
		{ X86_REG_R13, X86_REG_R13D, X86_REG_R13W, X86_REG_R13B },
		{ X86_REG_R14, X86_REG_R14D, X86_REG_R14W, X86_REG_R14B },
		{ X86_REG_R15, X86_REG_R15D, X86_REG_R15W, X86_REG_R15B },
	};

	for (guint8 i = 0; i < VMIFS_INSN_REGISTERS; i++)
		for (gsize k = 0; reg && k < G_N_ELEMENTS(numbers[i]); k++)
			if (numbers[i][k] == reg)
				return i;
	return VMIFS_INSN_NO_REGISTER;
}

static gboolean
take_writes(csh handle, const cs_insn *insn, VmifsInsn *ret)
{
	cs_regs reads, writes;
	uint8_t n_reads, n_writes;

	if (cs_regs_access(handle, insn, reads, &n_reads, writes, &n_writes) != CS_ERR_OK)
		return FALSE;
	for (guint i = 0; i < n_writes; i++) {
		guint8 reg = number_of(writes[i]);
		if (reg != VMIFS_INSN_NO_REGISTER)
			ret->writes |= 1u << reg;
	}
	return TRUE;
}

/* next: the address of the instruction behind it. */
static void
take_memory(const cs_x86_op *op, guint64 next, VmifsInsn *ret)
{
	gboolean has_index = op->mem.index != X86_REG_INVALID;

	ret->base = number_of(op->mem.base);
	ret->index =
		has_index && op->mem.scale == 1 ? number_of(op->mem.index) : VMIFS_INSN_NO_REGISTER;
	ret->number = op->mem.disp;
	if (op->mem.base == X86_REG_RIP)
		ret->number += (gint64) next;
	ret->adds = (has_index && ret->index == VMIFS_INSN_NO_REGISTER) ||
		    op->mem.segment != X86_REG_INVALID;
	ret->width = op->size;
	ret->reads_memory = (op->access & CS_AC_READ) != 0;
	ret->writes_memory = (op->access & CS_AC_WRITE) != 0;
}

static void
take_jump(const cs_insn *insn, const cs_x86 *x86, VmifsInsn *ret)
{
	ret->kind = insn->id == X86_INS_CALL  ? VMIFS_INSN_CALL
		    : insn->id == X86_INS_JMP ? VMIFS_INSN_JUMP
					      : VMIFS_INSN_BRANCH;
	if (x86->op_count && x86->operands[0].type == X86_OP_IMM)
		ret->target = (guint64) x86->operands[0].imm;
}

static gboolean
is_in(const cs_insn *insn, guint8 group)
{
	for (guint i = 0; i < insn->detail->groups_count; i++)
		if (insn->detail->groups[i] == group)
			return TRUE;
	return FALSE;
}

/* reg = reg + a number, or a register, or what is in memory */
static void
take_sum(const cs_insn *insn, const cs_x86_op *to, const cs_x86_op *from, VmifsInsn *ret)
{
	guint8 reg = number_of(to->reg);

	if (from->type == X86_OP_MEM) {
		ret->kind = insn->id == X86_INS_ADD ? VMIFS_INSN_SUM : VMIFS_INSN_OTHER;
	} else if (from->type == X86_OP_IMM) {
		ret->kind = VMIFS_INSN_ADDRESS;
		ret->base = reg;
		ret->number = insn->id == X86_INS_ADD ? from->imm : -from->imm;
	} else if (insn->id == X86_INS_ADD && number_of(from->reg) != VMIFS_INSN_NO_REGISTER) {
		ret->kind = VMIFS_INSN_ADDRESS;
		ret->base = reg;
		ret->index = number_of(from->reg);
	}
}

/* Those that make an address of another, a whole one. */
static void
take_address(const cs_insn *insn, const cs_x86 *x86, guint ptr, VmifsInsn *ret)
{
	const cs_x86_op *to = &x86->operands[0], *from = &x86->operands[1];

	if (x86->op_count != 2 || to->type != X86_OP_REG || to->size != ptr ||
	    number_of(to->reg) == VMIFS_INSN_NO_REGISTER)
		return;
	if ((insn->id == X86_INS_MOV || insn->id == X86_INS_MOVABS) && from->type == X86_OP_IMM) {
		ret->kind = VMIFS_INSN_ADDRESS;
		ret->number = from->imm;
	} else if (insn->id == X86_INS_MOV && from->type == X86_OP_REG &&
		   number_of(from->reg) != VMIFS_INSN_NO_REGISTER) {
		ret->kind = VMIFS_INSN_MOVE;
		ret->base = number_of(from->reg);
	} else if (insn->id == X86_INS_MOV && from->type == X86_OP_MEM) {
		ret->kind = VMIFS_INSN_LOAD;
	} else if (insn->id == X86_INS_LEA) {
		ret->kind = VMIFS_INSN_ADDRESS;
	} else if (insn->id == X86_INS_ADD || insn->id == X86_INS_SUB) {
		take_sum(insn, to, from, ret);
	}
	if (ret->kind != VMIFS_INSN_OTHER)
		ret->reg = number_of(to->reg);
}

static gboolean
take(csh handle, const cs_insn *insn, guint ptr, VmifsInsn *ret)
{
	const cs_x86 *x86 = &insn->detail->x86;

	*ret = (VmifsInsn){ .len = insn->size,
			    .reg = VMIFS_INSN_NO_REGISTER,
			    .base = VMIFS_INSN_NO_REGISTER,
			    .index = VMIFS_INSN_NO_REGISTER };
	if (insn->id == X86_INS_NOP)
		return TRUE;
	/* Version 4 takes these for shorter than processors do. */
	if (insn->id == X86_INS_UD0 || insn->id == X86_INS_UD2B || !take_writes(handle, insn, ret))
		return FALSE;
	for (guint i = 0; i < x86->op_count; i++)
		if (x86->operands[i].type == X86_OP_MEM)
			take_memory(&x86->operands[i], insn->address + insn->size, ret);
	if (insn->id == X86_INS_LEA)
		ret->reads_memory = FALSE;
	/* Version 4 says that some of these write what they look at. */
	if (insn->id == X86_INS_CMP || insn->id == X86_INS_TEST)
		ret->writes = 0;
	if (insn->id == X86_INS_CMP || insn->id == X86_INS_TEST || insn->id == X86_INS_LEA)
		ret->writes_memory = FALSE;
	if (insn->id == X86_INS_CALL || is_in(insn, X86_GRP_JUMP))
		take_jump(insn, x86, ret);
	else if (is_in(insn, X86_GRP_RET) || insn->id == X86_INS_INT3)
		ret->kind = VMIFS_INSN_END;
	else
		take_address(insn, x86, ptr, ret);
	return TRUE;
}

GArray *
vmifs_insns(const char *arch, const guint8 *code, gsize len, guint64 va, gsize most)
{
	g_autoptr(GArray) list = g_array_new(FALSE, FALSE, sizeof(VmifsInsn));
	gsize which = 0;
	uint64_t at = va;
	csh handle;

	while (which < G_N_ELEMENTS(archs) && !g_str_equal(archs[which].name, arch))
		which++;
	if (which == G_N_ELEMENTS(archs) ||
	    cs_open(CS_ARCH_X86, archs[which].mode, &handle) != CS_ERR_OK)
		return NULL;
	cs_option(handle, CS_OPT_DETAIL, CS_OPT_ON);
	cs_insn *insn = cs_malloc(handle);
	gboolean known = TRUE;
	while (len && known) {
		VmifsInsn next;

		known = list->len < most && cs_disasm_iter(handle, &code, &len, &at, insn) &&
			take(handle, insn, archs[which].ptr, &next);
		if (known)
			g_array_append_val(list, next);
	}
	cs_free(insn, 1);
	cs_close(&handle);
	return known ? g_steal_pointer(&list) : NULL;
}
