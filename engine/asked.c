/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* asked: see asked.h. */
#include "asked.h"

#define PATIENCE_US (300 * G_TIME_SPAN_MILLISECOND)
/* A vCPU may change its page table at any time: what is older is not compared with anything. */
#define FRESH_US (100 * G_TIME_SPAN_MILLISECOND)

typedef struct {
	gint64 until;
	VmifsRegs *regs;
} Answer;

struct VmifsAsked {
	VmifsPhysmem *mem;
	const VmifsCall *call;
	gint is_silent; /* atomic */
	GMutex lock;
	GArray *answers; /* (lock) of Answer, by vCPU */
};

static void
answer_clear(gpointer data)
{
	g_clear_pointer(&((Answer *) data)->regs, vmifs_regs_unref);
}

VmifsAsked *
vmifs_asked_new(VmifsPhysmem *mem, const VmifsCall *call)
{
	VmifsAsked *asked = g_new0(VmifsAsked, 1);

	asked->mem = mem;
	asked->call = call;
	asked->is_silent = vmifs_physmem_is_silent(mem);
	g_mutex_init(&asked->lock);
	asked->answers = g_array_new(FALSE, TRUE, sizeof(Answer));
	g_array_set_clear_func(asked->answers, answer_clear);
	return asked;
}

void
vmifs_asked_free(VmifsAsked *asked)
{
	g_array_unref(asked->answers);
	g_mutex_clear(&asked->lock);
	g_free(asked);
}

static VmifsRegs *
known(VmifsAsked *asked, guint vcpu)
{
	g_autoptr(GMutexLocker) locker = g_mutex_locker_new(&asked->lock);

	if (vcpu >= asked->answers->len)
		return NULL;
	const Answer *answer = &g_array_index(asked->answers, Answer, vcpu);
	return answer->regs && g_get_monotonic_time() < answer->until ? vmifs_regs_ref(answer->regs)
								      : NULL;
}

static void
keep(VmifsAsked *asked, guint vcpu, VmifsRegs *regs)
{
	g_autoptr(GMutexLocker) locker = g_mutex_locker_new(&asked->lock);

	if (vcpu >= asked->answers->len)
		g_array_set_size(asked->answers, vcpu + 1);
	Answer *answer = &g_array_index(asked->answers, Answer, vcpu);
	answer_clear(answer);
	*answer = (Answer){ g_get_monotonic_time() + FRESH_US, vmifs_regs_ref(regs) };
}

/* What is left of the discovery's own patience bounds it, too. */
static VmifsCall
short_call(const VmifsAsked *asked)
{
	VmifsCall call = { .deadline = g_get_monotonic_time() + PATIENCE_US };

	if (asked->call) {
		call.cancelled = asked->call->cancelled;
		if (asked->call->deadline)
			call.deadline = MIN(call.deadline, asked->call->deadline);
	}
	return call;
}

static void
note_failure(VmifsAsked *asked, const GError *error)
{
	if (g_error_matches(error, VMIFS_ERROR, VMIFS_ERROR_TIMEOUT))
		g_atomic_int_set(&asked->is_silent, TRUE);
}

VmifsRegs *
vmifs_asked_regs(VmifsAsked *asked, guint vcpu)
{
	VmifsRegs *regs = known(asked, vcpu);
	g_autoptr(GError) error = NULL;

	if (regs || g_atomic_int_get(&asked->is_silent))
		return regs;
	const VmifsCall call = short_call(asked);
	regs = vmifs_physmem_regs(asked->mem, vcpu, &call, &error);
	if (regs)
		keep(asked, vcpu, regs);
	else
		note_failure(asked, error);
	return regs;
}

gboolean
vmifs_asked_translate(VmifsAsked *asked, guint vcpu, guint64 va, guint64 *ret_pa)
{
	g_autoptr(GError) error = NULL;

	if (g_atomic_int_get(&asked->is_silent))
		return FALSE;
	const VmifsCall call = short_call(asked);
	gboolean told = vmifs_physmem_vcpu_translate(asked->mem, vcpu, va, ret_pa, &call, &error);
	if (!told)
		note_failure(asked, error);
	return told;
}
