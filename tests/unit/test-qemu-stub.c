/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* stub: registers are set by a gdbstub that is there for a moment only. */
#include <unit.h>

#include <backends/qemu/qmp.h>
#include <backends/qemu/stub.h>

#include <fake-qemu.h>
#include <signal.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>
#include <vmifs/error.h>

#define NOBODY "qmp query-chardev\n\t[{\"label\": \"compat_monitor0\"}]\n"
#define STARTS_ONLY                                                                                \
	"qmp getfd\n\t{}\nqmp chardev-add\n\t{}\n"                                                 \
	"hmp gdbserver chardev:*\n\tWaiting for gdb connection on device 'chardev:x'\n"            \
	"hmp gdbserver none\n\tDisabled gdbserver\n"
#define STARTS STARTS_ONLY "qmp cont\n\t{}\n"
#define HMP "human-monitor-command "
#define ATTACHED "query-chardev query-status getfd chardev-add " HMP "query-status "
#define DETACHED HMP HMP

typedef struct {
	FakeServer *server;
	QemuMonitor *monitor;
	QemuStop stop;
	GThread *thread;
	const char *const *talk; /* question, answer, question, answer, NULL */
	gint is_over;
} Guest;

/* Says one packet to whoever asks each of these; what it never heard of gets "". */
static gpointer
be_stub(gpointer data)
{
	Guest *guest = data;
	g_autoptr(GString) in = g_string_new(NULL);
	char byte;
	int fd;

	while ((fd = fake_qemu_fd(guest->server)) < 0) {
		if (g_atomic_int_get(&guest->is_over))
			return NULL;
		g_usleep(1000);
	}
	while (recv(fd, &byte, 1, 0) == 1) {
		g_string_append_c(in, byte);
		const char *start = strchr(in->str, '$'), *end = start ? strchr(start, '#') : NULL;
		if (!end || strlen(end) < 3)
			continue;
		g_autofree char *question = g_strndup(start + 1, (gsize) (end - start) - 1);
		const char *answer = "";
		guint8 sum = 0;
		for (guint i = 0; guest->talk[i]; i += 2)
			if (g_str_equal(guest->talk[i], question))
				answer = guest->talk[i + 1];
		for (const char *c = answer; *c; c++)
			sum += (guint8) *c;
		g_autofree char *packet = g_strdup_printf("+$%s#%02x", answer, sum);
		if (send(fd, packet, strlen(packet), MSG_NOSIGNAL) < 0)
			break;
		g_string_truncate(in, 0);
	}
	return NULL;
}

static void
setup_silent(Guest *guest, const FakeQemu *how)
{
	*guest = (Guest){ .server = fake_qemu_start(how) };
	guest->monitor = qemu_qmp_new(fake_qemu_address(guest->server), FALSE, NULL);
	ck_assert_ptr_nonnull(guest->monitor);
	qemu_stop_init(&guest->stop, guest->monitor);
}

static void
setup(Guest *guest, const FakeQemu *how, const char *const *talk)
{
	setup_silent(guest, how);
	guest->talk = talk;
	guest->thread = g_thread_new("stub", be_stub, guest);
}

static void
teardown(Guest *guest)
{
	g_atomic_int_set(&guest->is_over, 1);
	if (guest->thread)
		g_thread_join(guest->thread);
	qemu_stop_clear(&guest->stop);
	qemu_monitor_free(guest->monitor);
	fake_qemu_stop(guest->server);
}

#define DESCRIBED(architecture)                                                                    \
	"qSupported:xmlRegisters=i386", "PacketSize=1000;qXfer:features:read+",                    \
		"qXfer:features:read:target.xml:0,3c0",                                            \
		"m<target><architecture>" architecture "</architecture>",                          \
		"qXfer:features:read:target.xml:" /* as long as that is, less its "m" */

static const char *const talk[] = { DESCRIBED("i386:x86-64") "30,3c0",
				    "l<xi:include href=\"core.xml\"/></target>",
				    "qXfer:features:read:core.xml:0,3c0",
				    "l<feature><reg name=\"rax\" bitsize=\"64\"/>"
				    "<reg name=\"cs\" bitsize=\"32\" regnum=\"18\"/>"
				    "<reg name=\"st0\" bitsize=\"80\"/></feature>",
				    "Hg2",
				    "OK",
				    "P0=8877665544332211",
				    "OK",
				    "p0",
				    "8877665544332211",
				    "P12=08000000",
				    "OK",
				    "p12",
				    "10000000",
				    NULL };

/* A paused guest stays so. */
START_TEST(a_register_is_set_and_the_guest_is_as_before)
{
	const FakeQemu how = { .session = _i ? RESTS NOBODY STARTS : RUNS RESTS NOBODY STARTS };
	g_autoptr(GError) error = NULL;
	Guest guest;

	setup(&guest, &how, talk);
	gboolean set =
		qemu_stub_set_register(&guest.stop, 1, "rax", 0x1122334455667788, NULL, &error);
	ck_assert_msg(set, "%s", error ? error->message : "");
	fake_qemu_has_heard(guest.server, _i ? ATTACHED DETACHED : ATTACHED DETACHED LET_RUN);
	teardown(&guest);
}
END_TEST

START_TEST(a_system_register_is_set)
{
	static const char *const arm[] = { DESCRIBED("aarch64") "2c,3c0",
					   "l<reg name=\"x0\" bitsize=\"64\"/>"
					   "<reg name=\"TPIDR_EL0\" bitsize=\"64\" "
					   "regnum=\"198\"/></target>",
					   "Hg2",
					   "OK",
					   "Pc6=8877665544332211",
					   "OK",
					   "pc6",
					   "8877665544332211",
					   NULL };
	const FakeQemu how = { .session = RUNS RESTS NOBODY STARTS };
	g_autoptr(GError) error = NULL;
	Guest guest;

	setup(&guest, &how, arm);
	gboolean set = qemu_stub_set_register(&guest.stop, 1, "tpidr_el0", 0x1122334455667788, NULL,
					      &error);
	ck_assert_msg(set, "%s", error ? error->message : "");
	fake_qemu_has_heard(guest.server, ATTACHED DETACHED LET_RUN);
	teardown(&guest);
}
END_TEST

/* Of one that stands still, which goes on doing so. What the monitor has told is not told anew. */
START_TEST(registers_of_the_system_are_told_of_a_guest_that_stands_still)
{
	static const char *const arm[] = {
		DESCRIBED("aarch64") "2c,3c0",
		"l<feature name=\"org.gnu.gdb.aarch64.core\"><reg name=\"x0\" bitsize=\"64\"/></feature>"
		"<feature name=\"org.qemu.gdb.arm.sys.regs\">"
		"<reg name=\"TTBR1_EL1\" bitsize=\"64\" regnum=\"100\"/>"
		"<reg name=\"DACR\" bitsize=\"32\"/><reg name=\"CPSR\" bitsize=\"32\"/>"
		"<reg name=\"NONE\" bitsize=\"32\"/></feature></target>",
		"Hg2",
		"OK",
		"p64",
		"0020204000000000",
		"p65",
		"51000000",
		"p66",
		"01000000",
		"p67",
		"E14",
		NULL
	};
	const FakeQemu how = { .session = _i ? RUNS NOBODY STARTS : RESTS NOBODY STARTS };
	g_autoptr(VmifsRegs) regs = vmifs_regs_new();
	g_autoptr(GString) text = g_string_new(NULL);
	g_autoptr(GError) error = NULL;
	Guest guest;

	setup(&guest, &how, arm);
	vmifs_regs_set(regs, "cpsr", 0x3c5);
	gboolean told = qemu_stub_system_registers(&guest.stop, 1, regs, NULL, &error);
	ck_assert_msg(told == !_i, "%s", error ? error->message : "");
	vmifs_regs_text(regs, 1, text);
	ck_assert_str_eq(text->str, _i ? "vcpu1 cpsr 0x3c5\n"
				       : "vcpu1 cpsr 0x3c5\nvcpu1 ttbr1_el1 0x40202000\n"
					 "vcpu1 dacr 0x51\n");
	ck_assert(!_i || g_error_matches(error, VMIFS_ERROR, VMIFS_ERROR_UNSUPPORTED));
	fake_qemu_has_heard(guest.server, _i ? "query-status " : "query-status " ATTACHED DETACHED);
	teardown(&guest);
}
END_TEST

static const struct {
	const char *name;
	guint64 value;
	VmifsError code;
} refused[] = {
	{ "cs", 8, VMIFS_ERROR_IO }, /* it becomes another */
	{ "cs", 1ULL << 32, VMIFS_ERROR_INVALID },
	{ "st0", 0, VMIFS_ERROR_UNSUPPORTED },
	{ "dr7", 0, VMIFS_ERROR_UNSUPPORTED },
	{ "rax", 1, VMIFS_ERROR_UNSUPPORTED },
};

START_TEST(what_cannot_be_set_is_refused_and_the_guest_runs_on)
{
	const FakeQemu how = { .session = RUNS RESTS NOBODY STARTS };
	g_autoptr(GError) error = NULL;
	Guest guest;

	setup(&guest, &how, talk);
	ck_assert(!qemu_stub_set_register(&guest.stop, 1, refused[_i].name, refused[_i].value, NULL,
					  &error));
	ck_assert_msg(g_error_matches(error, VMIFS_ERROR, (gint) refused[_i].code), "%s",
		      error->message);
	fake_qemu_has_heard(guest.server, ATTACHED DETACHED LET_RUN);
	teardown(&guest);
}
END_TEST

START_TEST(another_architecture_is_refused)
{
	static const char *const s390[] = { DESCRIBED("s390:64-bit") "30,3c0", "l</target>", NULL };
	const FakeQemu how = { .session = RUNS RESTS NOBODY STARTS };
	g_autoptr(GError) error = NULL;
	Guest guest;

	setup(&guest, &how, s390);
	ck_assert(!qemu_stub_set_register(&guest.stop, 1, "r0", 1, NULL, &error));
	ck_assert_ptr_nonnull(strstr(error->message, "another architecture"));
	teardown(&guest);
}
END_TEST

static const struct {
	const char *session, *heard;
} hindered[] = {
	/* Somebody has the stub. */
	{ RUNS "qmp query-chardev\n\t[{\"label\": \"gdb\"}]\n", "query-chardev " },
	/* It is not in this QEMU. */
	{ RUNS NOBODY "qmp getfd\n\t{}\nqmp chardev-add\n\t{}\nqmp cont\n\t{}\n",
	  ATTACHED DETACHED "query-status " },
	/* It does not stop the guest. */
	{ RUNS NOBODY STARTS, ATTACHED DETACHED "query-status " },
	/* No descriptor can be passed. */
	{ RUNS RESTS NOBODY "qmp cont\n\t{}\n", ATTACHED DETACHED LET_RUN },
};

START_TEST(a_stub_that_is_not_to_be_had_is_unsupported)
{
	const FakeQemu how = { .session = hindered[_i].session };
	g_autoptr(GError) error = NULL;
	Guest guest;

	setup(&guest, &how, talk);
	ck_assert(!qemu_stub_set_register(&guest.stop, 1, "rax", 1, NULL, &error));
	ck_assert_msg(g_error_matches(error, VMIFS_ERROR, VMIFS_ERROR_UNSUPPORTED), "%s",
		      error->message);
	fake_qemu_has_heard(guest.server, hindered[_i].heard);
	teardown(&guest);
}
END_TEST

START_TEST(a_stub_that_is_silent_is_left_in_time)
{
	const FakeQemu how = { .session = RUNS RESTS NOBODY STARTS };
	g_autoptr(GError) error = NULL;
	gint64 start = g_get_monotonic_time();
	VmifsCall call = { .deadline = start + 300 * G_TIME_SPAN_MILLISECOND };
	Guest guest;

	setup_silent(&guest, &how);
	ck_assert(!qemu_stub_set_register(&guest.stop, 1, "rax", 1, &call, &error));
	ck_assert(g_error_matches(error, VMIFS_ERROR, VMIFS_ERROR_TIMEOUT));
	fake_qemu_has_heard(guest.server, ATTACHED DETACHED LET_RUN);
	teardown(&guest);
}
END_TEST

/* Whatever vmifs was about. */
START_TEST(killed_in_the_middle_it_leaves_no_stub_and_a_guest_that_runs)
{
	const FakeQemu how = { .session = RUNS RESTS NOBODY STARTS };
	Guest guest;
	int status;

	setup_silent(&guest, &how);
	pid_t vmifs = fork();
	if (!vmifs) {
		qemu_stub_set_register(&guest.stop, 1, "rax", 1, NULL, NULL);
		_exit(0);
	}
	while (fake_qemu_fd(guest.server) < 0)
		g_usleep(1000);
	g_usleep(50 * 1000);
	kill(vmifs, SIGKILL);
	ck_assert_int_eq(waitpid(vmifs, &status, 0), vmifs);
	ck_assert(WIFSIGNALED(status));
	fake_qemu_hears(guest.server, ATTACHED DETACHED LET_RUN);
	teardown(&guest);
}
END_TEST

#define REFUSES RUNS RESTS NOBODY STARTS_ONLY "qmp stop\n\t{}\nqmp cont\n\t!GenericError no\n"

/* The guardian, which would let it run for as long as QEMU refuses, hears of it. */
START_TEST(what_a_user_pauses_after_it_could_not_be_let_run_stays_so)
{
	const FakeQemu how = { .session = REFUSES };
	Guest guest;

	setup(&guest, &how, talk);
	ck_assert(!qemu_stub_set_register(&guest.stop, 1, "rax", 0x1122334455667788, NULL, NULL));
	fake_qemu_hears_of(guest.server, LET_RUN DETACHED LET_RUN);
	ck_assert(qemu_stop_set_state(&guest.stop, VMIFS_STATE_PAUSED, NULL, NULL));
	g_autofree char *before = fake_qemu_heard(guest.server);
	g_usleep(500 * 1000);
	g_autofree char *heard = fake_qemu_heard(guest.server);
	ck_assert_msg(!strstr(heard + strlen(before), "cont"), "%s", heard + strlen(before));
	teardown(&guest);
}
END_TEST

static Suite *
stub_suite(void)
{
	Suite *suite = suite_create("qemu-stub");
	TCase *tcase = tcase_create("qemu-stub");

	tcase_set_timeout(tcase, 30);
	tcase_add_loop_test(tcase, a_register_is_set_and_the_guest_is_as_before, 0, 2);
	tcase_add_loop_test(tcase, what_cannot_be_set_is_refused_and_the_guest_runs_on, 0,
			    G_N_ELEMENTS(refused));
	tcase_add_test(tcase, another_architecture_is_refused);
	tcase_add_test(tcase, a_system_register_is_set);
	tcase_add_loop_test(tcase, registers_of_the_system_are_told_of_a_guest_that_stands_still, 0,
			    2);
	tcase_add_loop_test(tcase, a_stub_that_is_not_to_be_had_is_unsupported, 0,
			    G_N_ELEMENTS(hindered));
	tcase_add_test(tcase, a_stub_that_is_silent_is_left_in_time);
	tcase_add_test(tcase, killed_in_the_middle_it_leaves_no_stub_and_a_guest_that_runs);
	tcase_add_test(tcase, what_a_user_pauses_after_it_could_not_be_let_run_stays_so);
	suite_add_tcase(suite, tcase);
	return suite;
}

VMIFS_UNIT_MAIN(stub_suite)
