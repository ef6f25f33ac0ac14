/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* status: what each QEMU tells of its guest, and that of those that tell less. */
#include <unit.h>

#include <backends/qemu/status.h>

#include <fake-session.h>
#include <vmifs/error.h>

#define SEV(enabled, policy, more)                                                                 \
	"qmp query-sev\n\t{\"enabled\": " enabled ", \"policy\": " policy more "}\n"
#define MACHINE "qmp qom-get /machine confidential-guest-support\n\t"

static void
about(const char *session, QemuAbout *ret)
{
	g_autoptr(QemuMonitor) monitor = fake_monitor_new(session);
	g_autoptr(GError) error = NULL;
	ck_assert_msg(qemu_about_ask(monitor, ret, NULL, &error), "%s",
		      error ? error->message : "");
}

static VmifsState
state(const char *session)
{
	g_autoptr(QemuMonitor) monitor = fake_monitor_new(session);
	g_autoptr(GError) error = NULL;
	VmifsState found = VMIFS_STATE_GONE;
	ck_assert_msg(qemu_status_ask(monitor, &found, NULL, NULL, &error), "%s",
		      error ? error->message : "");
	return found;
}

START_TEST(a_recorded_guest)
{
	g_autofree char *session = fake_session("pc");
	g_auto(QemuAbout) told = { 0 };
	about(session, &told);
	ck_assert_str_eq(told.driver, "tcg");
	ck_assert_uint_eq(told.n_vcpus, 2);
	ck_assert_ptr_null(told.encryption);
}
END_TEST

START_TEST(a_guest_of_kvm)
{
	g_autofree char *session = fake_session("kvm");
	g_auto(QemuAbout) told = { 0 };
	about(session, &told);
	ck_assert_str_eq(told.driver, "kvm");
	ck_assert_ptr_null(told.encryption);
}
END_TEST

START_TEST(who_tells_nothing_is_no_error)
{
	g_auto(QemuAbout) told = { 0 };
	about("", &told);
	ck_assert_ptr_null(told.driver);
	ck_assert_ptr_null(told.encryption);
	ck_assert_uint_eq(told.n_vcpus, 0);
}
END_TEST

START_TEST(encrypted_guests_are_known)
{
	static const struct {
		const char *session, *kind;
	} table[] = {
		{ SEV("true", "1", ""), "SEV" },
		{ SEV("true", "5", ", \"sev-type\": \"sev\""), "SEV-ES" },
		{ SEV("true", "196608", ", \"sev-type\": \"sev-snp\""), "SEV-SNP" },
		{ SEV("false", "5", ""), NULL },
		{ MACHINE "\"\"\n", NULL },
		{ MACHINE "\"/objects/lock\"\nqmp qom-get /objects/lock type\n\t\"tdx-guest\"\n",
		  "TDX" },
		{ MACHINE "\"/objects/lock\"\nqmp qom-get /objects/lock type\n\t\"pef-guest\"\n",
		  "pef-guest" },
		{ MACHINE "\"/objects/lock\"\n", "of an unknown kind" },
	};
	for (gsize i = 0; i < G_N_ELEMENTS(table); i++) {
		g_auto(QemuAbout) told = { 0 };
		about(table[i].session, &told);
		ck_assert_pstr_eq(told.encryption, table[i].kind);
	}
}
END_TEST

START_TEST(lies_do_no_harm)
{
	g_auto(QemuAbout) told = { 0 };
	about("qmp query-kvm\n\t\"yes\"\nqmp query-sev\n\t[1]\n" MACHINE "{}\n"
	      "qmp query-cpus-fast\n\t[{\"cpu-index\": 99999999}, {\"cpu-index\": -5}, 3, "
	      "{\"cpu-index\": 4}, {\"cpu-index\": \"6\"}]\n",
	      &told);
	ck_assert_ptr_null(told.encryption);
	ck_assert_uint_eq(told.n_vcpus, 5);
}
END_TEST

START_TEST(running_is_what_runs)
{
	g_autoptr(QemuMonitor) monitor =
		fake_monitor_new("qmp query-status\n\t{\"status\": \"what\"}\n");
	VmifsState found;
	g_autoptr(GError) error = NULL;
	ck_assert_int_eq(state(RUNS), VMIFS_STATE_RUNNING);
	ck_assert_int_eq(state(STANDS_AS("guest-panicked")), VMIFS_STATE_PAUSED);
	ck_assert(!qemu_status_ask(monitor, &found, NULL, NULL, &error));
	ck_assert(g_error_matches(error, VMIFS_ERROR, VMIFS_ERROR_CORRUPT));
}
END_TEST

START_TEST(set_says_whether_it_did)
{
	static const char good[] = "qmp stop\n\t{}\n" RESTS;
	static const char panicked[] = "qmp cont\n\t!GenericError a reset is required\n";
	static const char liar[] = "qmp cont\n\t{}\n" STANDS_AS("debug");
	g_autoptr(QemuMonitor) does = fake_monitor_new(good);
	g_autoptr(QemuMonitor) refuses = fake_monitor_new(panicked);
	g_autoptr(QemuMonitor) lies = fake_monitor_new(liar);
	ck_assert(qemu_status_set(does, VMIFS_STATE_PAUSED, NULL, NULL));
	ck_assert(!qemu_status_set(refuses, VMIFS_STATE_RUNNING, NULL, NULL));
	ck_assert(!qemu_status_set(lies, VMIFS_STATE_RUNNING, NULL, NULL));
}
END_TEST

static Suite *
status_suite(void)
{
	Suite *s = suite_create("qemu-status");
	TCase *tcase = tcase_create("status");
	tcase_add_test(tcase, a_recorded_guest);
	tcase_add_test(tcase, a_guest_of_kvm);
	tcase_add_test(tcase, who_tells_nothing_is_no_error);
	tcase_add_test(tcase, encrypted_guests_are_known);
	tcase_add_test(tcase, lies_do_no_harm);
	tcase_add_test(tcase, running_is_what_runs);
	tcase_add_test(tcase, set_says_whether_it_did);
	suite_add_tcase(s, tcase);
	return s;
}

VMIFS_UNIT_MAIN(status_suite)
