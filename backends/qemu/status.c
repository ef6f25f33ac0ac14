/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * status: a lot of small questions in one visit. Each may be unknown to an older QEMU, or to one
 * that is built with less: then that is not told, and the others are.
 */
#include "status.h"

#include <string.h>
#include <vmifs/error.h>

/* Of a SEV guest's policy. */
#define POLICY_ES 4

static const char *
text_of(const json_t *object, const char *key)
{
	return json_string_value(json_object_get(object, key));
}

/* ---- state ---- */

gboolean
qemu_status_ask(QemuMonitor *monitor, VmifsState *ret, char **ret_word, const VmifsCall *call,
		GError **error)
{
	json_auto_t *answer = qemu_monitor_qmp(monitor, "query-status", NULL, call, error);
	const json_t *running = json_object_get(answer, "running");
	const char *word = text_of(answer, "status");

	if (!answer)
		return FALSE;
	if (!json_is_boolean(running) || !word) {
		g_set_error_literal(error, VMIFS_ERROR, VMIFS_ERROR_CORRUPT,
				    "query-status: no status in it");
		return FALSE;
	}
	*ret = json_is_true(running) ? VMIFS_STATE_RUNNING : VMIFS_STATE_PAUSED;
	if (ret_word)
		*ret_word = g_strdup(word);
	return TRUE;
}

gboolean
qemu_status_tell(QemuMonitor *monitor, VmifsState *ret, char **ret_word, const VmifsCall *call,
		 GError **error)
{
	GError *failure = NULL;

	if (qemu_status_ask(monitor, ret, ret_word, call, &failure))
		return TRUE;
	if (!g_error_matches(failure, VMIFS_ERROR, VMIFS_ERROR_TIMEOUT)) {
		g_propagate_error(error, failure);
		return FALSE;
	}
	g_error_free(failure);
	*ret = VMIFS_STATE_UNRESPONSIVE;
	return TRUE;
}

gboolean
qemu_status_set(QemuMonitor *monitor, VmifsState wanted, const VmifsCall *call, GError **error)
{
	const char *command = wanted == VMIFS_STATE_RUNNING ? "cont" : "stop";
	json_auto_t *answer = qemu_monitor_qmp(monitor, command, NULL, call, error);
	g_autofree char *word = NULL;
	VmifsState state;

	if (!answer || !qemu_status_ask(monitor, &state, &word, call, error))
		return FALSE;
	if (state == wanted)
		return TRUE;
	g_set_error(error, VMIFS_ERROR, VMIFS_ERROR_IO, "%s: QEMU says yes, and is %.40s still",
		    command, word);
	return FALSE;
}

gboolean
qemu_status_let_run(QemuMonitor *monitor, const VmifsCall *call, GError **error)
{
	g_autofree char *word = NULL;
	VmifsState state;

	if (!qemu_status_ask(monitor, &state, &word, call, error))
		return FALSE;
	if (!g_str_equal(word, "paused"))
		return TRUE;
	json_auto_t *answer = qemu_monitor_qmp(monitor, "cont", NULL, call, error);
	return answer != NULL;
}

/* ---- about ---- */

gboolean
qemu_about_has_registers(const char *encryption)
{
	return !encryption || g_str_equal(encryption, "SEV");
}

static guint
count_vcpus(const json_t *list)
{
	json_int_t most = -1;
	gsize i;
	json_t *each;

	json_array_foreach(list, i, each)
	{
		const json_t *number = json_object_get(each, "cpu-index");
		json_int_t index = json_is_integer(number) ? json_integer_value(number) : -1;
		if (index < VMIFS_MAX_VCPUS)
			most = MAX(most, index);
	}
	return (guint) (most + 1);
}

/* As told by query-sev, of older ones too. */
static char *
sev_kind(const json_t *sev)
{
	const char *kind = text_of(sev, "sev-type");

	if (!json_is_true(json_object_get(sev, "enabled")))
		return NULL;
	if (g_strcmp0(kind, "sev-snp") == 0)
		return g_strdup("SEV-SNP");
	return g_strdup(json_integer_value(json_object_get(sev, "policy")) & POLICY_ES ? "SEV-ES"
										       : "SEV");
}

/* The machine names an object of a type that guards its memory, or none. */
static char *
ask_guardian(QemuMonitor *monitor, const char *path, const VmifsCall *call)
{
	json_t *arguments = json_pack("{s:s, s:s}", "path", path, "property", "type");
	json_auto_t *type = qemu_monitor_qmp(monitor, "qom-get", arguments, call, NULL);
	const char *word = json_string_value(type);

	if (!word)
		return g_strdup("of an unknown kind");
	if (g_str_equal(word, "tdx-guest"))
		return g_strdup("TDX");
	if (g_str_equal(word, "sev-snp-guest"))
		return g_strdup("SEV-SNP");
	return g_str_equal(word, "sev-guest") ? g_strdup("SEV") : g_strndup(word, 40);
}

enum { KVM, CPUS, SEV, GUARDIAN, N_ASKS };

gboolean
qemu_about_ask(QemuMonitor *monitor, QemuAbout *ret, const VmifsCall *call, GError **error)
{
	json_auto_t *guardian = json_pack("{s:s, s:s}", "path", "/machine", "property",
					  "confidential-guest-support");
	QemuAsk asks[N_ASKS] = {
		[KVM] = { "query-kvm" },
		[CPUS] = { "query-cpus-fast" },
		[SEV] = { "query-sev" },
		[GUARDIAN] = { "qom-get", guardian },
	};
	const char *path;

	if (!qemu_monitor_ask(monitor, asks, N_ASKS, call, error)) {
		qemu_asks_clear(asks, N_ASKS);
		return FALSE;
	}
	*ret = (QemuAbout){
		.encryption = sev_kind(asks[SEV].answer),
		.n_vcpus = count_vcpus(asks[CPUS].answer),
	};
	if (asks[KVM].answer)
		ret->driver =
			json_is_true(json_object_get(asks[KVM].answer, "enabled")) ? "kvm" : "tcg";
	path = json_string_value(asks[GUARDIAN].answer);
	if (!ret->encryption && path && *path)
		ret->encryption = ask_guardian(monitor, path, call);
	qemu_asks_clear(asks, N_ASKS);
	return TRUE;
}

void
qemu_about_clear(QemuAbout *about)
{
	g_free(about->encryption);
	*about = (QemuAbout){ 0 };
}
