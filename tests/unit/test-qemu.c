/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* qemu: a process and what its monitor once said, as a guest. */
#include <backends/qemu/qmp.h>
#include <backends/qemu/target.h>
#include <fake-qemu.h>
#include <fake-stub.h>
#include <qemu-fixture.h>
#include <unit.h>

#include <physmem.h>
#include <signal.h>
#include <spi/backend.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

START_TEST(the_monitor_tells_where_memory_lies)
{
	g_autoptr(GError) error = NULL;
	VmifsState state;
	Fixture f;

	fixture_init(&f, _i ? OTHER_MEMFD : OTHER_ANONYMOUS);
	set_monitor(&f, 0);
	open_guest(&f, FALSE, &error);
	ck_assert_msg(f.guest != NULL, "%s", error ? error->message : "");
	ck_assert_uint_eq(count_regions(&f), 2);
	other_process_fill(f.other, 0x123456, 1, 'x');
	guint8 byte = 0;
	VmifsIo io = { .block = 0, .offset = 0x123456, .buf = &byte, .len = 1 };
	ck_assert_uint_eq(vmifs_backend_qemu.read(f.guest, &io, 1, NULL), 1);
	ck_assert_uint_eq(byte, 'x');
	ck_assert(vmifs_backend_qemu.state(f.guest, &state, NULL, NULL));
	ck_assert_int_eq(state, VMIFS_STATE_PAUSED);
	g_autofree char *info = info_of(&f);
	ck_assert_ptr_nonnull(strstr(info, "layout: told by the monitor\n"));
	ck_assert_ptr_nonnull(strstr(info, _i ? "block pc.ram: 65536 kB, shared file, mapped\n"
					      : "block pc.ram: 65536 kB, memory of the process\n"));
	/* Nothing is written where that was not permitted. */
	ck_assert_uint_eq(vmifs_backend_qemu.write(f.guest, &io, 1, NULL), 0);
	fixture_clear(&f);
}
END_TEST

START_TEST(memory_is_written_where_it_may_be)
{
	Fixture f;
	guint8 bytes[] = "written";
	VmifsIo io = { .block = 0, .offset = 0x200000, .buf = bytes, .len = 7 };

	fixture_init(&f, OTHER_ANONYMOUS);
	set_monitor(&f, 0);
	open_guest(&f, TRUE, NULL);
	ck_assert_uint_eq(vmifs_backend_qemu.write(f.guest, &io, 1, NULL), 1);
	ck_assert_uint_eq(other_process_byte(f.other, 0x200006), 'n');
	fixture_clear(&f);
}
END_TEST

START_TEST(the_monitor_tells_registers)
{
	static const char more[] =
		"qmp query-cpus-fast\n\t[{\"cpu-index\": 0}, {\"cpu-index\": 1}]\n"
		"qmp query-kvm\n\t{\"enabled\": true, \"present\": true}\n"
		"hmp info registers -a\n\tCPU#0\n\tRIP=1\n\tCPU#1\n\tRIP=00007f0000000002\n";
	Fixture f;

	fixture_init(&f, OTHER_ANONYMOUS);
	g_autofree char *session = session_of(f.other, 0);
	g_autofree char *whole = g_strconcat(session, more, NULL);
	f.target.monitor = fake_monitor_new(whole);
	open_guest(&f, FALSE, NULL);
	ck_assert_ptr_nonnull(f.guest);
	ck_assert_uint_eq(count_vcpus(&f), 2);
	g_autoptr(VmifsRegs) regs = vmifs_regs_new();
	g_autoptr(GError) error = NULL;
	guint64 ip = 0;
	ck_assert(vmifs_backend_qemu.regs(f.guest, 1, regs, NULL, &error));
	ck_assert(vmifs_regs_get(regs, "rip", &ip));
	ck_assert_uint_eq(ip, 0x7f0000000002);
	ck_assert(!vmifs_backend_qemu.regs(f.guest, 2, regs, NULL, &error));
	ck_assert(g_error_matches(error, VMIFS_ERROR, VMIFS_ERROR_NOT_FOUND));
	g_autofree char *info = info_of(&f);
	ck_assert_ptr_nonnull(strstr(info, "accelerator: kvm\n"));
	fixture_clear(&f);
}
END_TEST

START_TEST(the_monitor_stops_it)
{
	g_autoptr(GError) error = NULL;
	Fixture f;

	fixture_init(&f, OTHER_ANONYMOUS);
	g_autofree char *session = session_of(f.other, 0);
	g_autofree char *whole = g_strconcat(session, "qmp stop\n\t{}\n", NULL);
	f.target.monitor = fake_monitor_new(whole);
	open_guest(&f, TRUE, NULL);
	ck_assert_ptr_nonnull(f.guest);
	ck_assert(vmifs_backend_qemu.set_state(f.guest, VMIFS_STATE_PAUSED, NULL, &error));
	/* This monitor does not know the way back. */
	ck_assert(!vmifs_backend_qemu.set_state(f.guest, VMIFS_STATE_RUNNING, NULL, &error));
	ck_assert(g_error_matches(error, VMIFS_ERROR, VMIFS_ERROR_UNSUPPORTED));
	fixture_clear(&f);
}
END_TEST

static const struct {
	const char *said, *shown;
	guint n_vcpus; /* of which registers can be read */
} encryptions[] = {
	{ "qmp query-sev\n\t{\"enabled\": true, \"policy\": 1}\n", "SEV", 1 },
	{ "qmp query-sev\n\t{\"enabled\": true, \"policy\": 5}\n", "SEV-ES", 0 },
	{ "qmp qom-get /machine confidential-guest-support\n\t\"/objects/t\"\n"
	  "qmp qom-get /objects/t type\n\t\"tdx-guest\"\n",
	  "TDX", 0 },
};

START_TEST(encryption_is_told)
{
	Fixture f;

	fixture_init(&f, OTHER_ANONYMOUS);
	g_autofree char *session = session_of(f.other, 0);
	g_autofree char *whole = g_strconcat(session, encryptions[_i].said, NULL);
	f.target.monitor = fake_monitor_new(whole);
	open_guest(&f, FALSE, NULL);
	g_autofree char *info = info_of(&f);
	g_autofree char *line = g_strdup_printf("\nmemory encryption: %s\n", encryptions[_i].shown);
	ck_assert_msg(strstr(info, line) != NULL, "%s", info);
	ck_assert(is_encrypted(&f));
	ck_assert_uint_eq(count_vcpus(&f), encryptions[_i].n_vcpus);
	fixture_clear(&f);
}
END_TEST

START_TEST(what_its_arguments_say_makes_no_lines_of_info)
{
	Fixture f;

	fixture_init(&f, OTHER_MEMFD);
	set_monitor(&f, 0);
	f.target.args->secured = g_strdup("x\nos: linux\033[2J");
	open_guest(&f, FALSE, NULL);
	g_autofree char *info = info_of(&f);
	ck_assert_msg(strstr(info, "\nmemory encryption: x\\012os: linux\\033[2J\n") != NULL, "%s",
		      info);
	fixture_clear(&f);
}
END_TEST

/* It has a gdbstub. */
static const char may_be_watched[] =
	"qmp query-chardev\n\t[]\nqmp getfd\n\t{}\nqmp chardev-add\n\t{}\n"
	"hmp gdbserver chardev:*\n\tWaiting for gdb connection on device 'chardev:x'\n"
	"hmp gdbserver none\n\tDisabled gdbserver\n"
	"qmp query-kvm\n\t{\"enabled\": false, \"present\": false}\nqmp stop\n\t{}\n";

/* A monitor to which "stop" is said just after somebody, who comes to watch the guest, has seen
 * that it runs. */
typedef struct {
	QemuMonitor monitor, *real;
	const Fixture *f;
	GThread *watcher;
	gint has_begun, has_looked, is_stopped; /* atomic */
} Crossroads;

static void
wait_until(const gint *flag)
{
	while (!g_atomic_int_get(flag))
		g_usleep(1000);
}

static gpointer
come_to_watch(gpointer data)
{
	const VmifsStopPoint point = { .kind = VMIFS_STOP_EXEC, .address = 0x1000 };
	guint failed;

	ck_assert(vmifs_backend_qemu.arm(data, 0, &point, 1, &failed, NULL, NULL));
	return NULL;
}

static gboolean
ask_at_crossroads(QemuMonitor *monitor, QemuAsk *asks, gsize n, const VmifsCall *call,
		  GError **error)
{
	Crossroads *self = (Crossroads *) monitor;
	gboolean is_stop = g_str_equal(asks[0].command, "stop");

	if (is_stop && g_atomic_int_compare_and_exchange(&self->has_begun, 0, 1)) {
		self->watcher = g_thread_new("watcher", come_to_watch, self->f->guest);
		wait_until(&self->has_looked);
	}
	if (g_str_equal(asks[0].command, "getfd"))
		wait_until(&self->is_stopped);
	gboolean good = qemu_monitor_ask(self->real, asks, n, call, error);
	if (is_stop)
		g_atomic_int_set(&self->is_stopped, 1);
	if (g_atomic_int_get(&self->has_begun) && g_str_equal(asks[0].command, "query-status") &&
	    !g_atomic_int_get(&self->has_looked)) {
		json_object_set_new(asks[0].answer, "running", json_true());
		g_atomic_int_set(&self->has_looked, 1);
	}
	return good;
}

static int
guard_at_crossroads(QemuMonitor *monitor, const struct QemuDuty *duty, GError **error)
{
	QemuMonitor *real = ((Crossroads *) monitor)->real;

	return real->ops->guard(real, duty, error);
}

static void
free_crossroads(QemuMonitor *monitor)
{
	qemu_monitor_free(((Crossroads *) monitor)->real);
}

START_TEST(a_pause_is_not_lost_on_who_comes_to_watch)
{
	static const QemuMonitorOps ops = { .name = "crossroads",
					    .ask = ask_at_crossroads,
					    .guard = guard_at_crossroads,
					    .free = free_crossroads };
	const FakeStub idles = { 0 };
	const guint64 id = 0;
	g_autoptr(GError) error = NULL;
	Fixture f;

	fixture_init(&f, OTHER_ANONYMOUS);
	g_autofree char *session = session_of(f.other, 0);
	g_autofree char *whole = g_strconcat(session, may_be_watched, NULL);
	const FakeQemu how = { .session = whole };
	FakeServer *server = fake_qemu_start(&how);
	FakeStubServer *stub = fake_stub_start(server, &idles);
	Crossroads crossroads = { .monitor.ops = &ops, .f = &f };
	crossroads.real = qemu_qmp_new(fake_qemu_address(server), FALSE, NULL);
	f.target.monitor = &crossroads.monitor;
	open_guest(&f, TRUE, &error);
	ck_assert_msg(vmifs_backend_qemu.set_state(f.guest, VMIFS_STATE_PAUSED, NULL, &error), "%s",
		      error ? error->message : "");
	g_thread_join(crossroads.watcher);
	ck_assert_uint_eq(fake_stub_points(stub), 1);
	ck_assert(!fake_stub_runs(stub));
	vmifs_backend_qemu.disarm(f.guest, &id, 1);
	ck_assert(!fake_stub_runs(stub));
	fixture_clear(&f);
	fake_stub_stop(stub);
	fake_qemu_stop(server);
}
END_TEST

START_TEST(of_a_guest_that_is_watched_no_snapshot_is_taken)
{
	const VmifsStopPoint point = { .kind = VMIFS_STOP_EXEC, .address = 0x1000 };
	const FakeStub stands = { 0 };
	const guint64 id = 0;
	g_autoptr(GError) error = NULL;
	guint failed;
	Fixture f;

	fixture_init(&f, OTHER_ANONYMOUS);
	g_autofree char *session = session_of(f.other, 0);
	g_autofree char *whole = g_strconcat(session, may_be_watched, NULL);
	const FakeQemu how = { .session = whole };
	FakeServer *server = fake_qemu_start(&how);
	FakeStubServer *stub = fake_stub_start(server, &stands);
	f.target.monitor = qemu_qmp_new(fake_qemu_address(server), FALSE, NULL);
	open_guest(&f, FALSE, &error);
	ck_assert_msg(vmifs_backend_qemu.arm(f.guest, id, &point, 1, &failed, NULL, &error), "%s",
		      error ? error->message : "");
	ck_assert(!vmifs_backend_qemu.snapshot(f.guest, NULL, NULL, &error));
	ck_assert(g_error_matches(error, VMIFS_ERROR, VMIFS_ERROR_UNSUPPORTED));
	ck_assert_ptr_nonnull(strstr(error->message, "is being watched"));
	vmifs_backend_qemu.disarm(f.guest, &id, 1);
	fixture_clear(&f);
	fake_stub_stop(stub);
	fake_qemu_stop(server);
}
END_TEST

/* As s390x has it. The kernel may then read all of it without us. */
START_TEST(memory_that_is_its_file_is_told_as_that)
{
	Fixture f;
	fixture_init(&f, OTHER_MEMFD);
	g_autofree char *session = g_strdup_printf(
		"qmp query-status\n\t{\"running\": true, \"status\": \"running\"}\n"
		"hmp info mtree -f\n\tFlatView #0\n\t AS \"memory\", root: system\n"
		"\t  0000000000000000-0000000003ffffff (prio 0, ram): mem\n"
		"hmp gpa2hva 0x0\n\tHost virtual address for 0x0 (mem) is %#" G_GINT64_MODIFIER
		"x\nhmp gpa2hva 0x3ffffff\n"
		"\tHost virtual address for 0x3ffffff (mem) is %#" G_GINT64_MODIFIER "x\n",
		other_process_address(f.other), other_process_address(f.other) + LEN - 1);
	f.target.monitor = fake_monitor_new(session);
	open_guest(&f, FALSE, NULL);
	const char *why = NULL;
	struct stat st = { 0 };
	g_autoptr(VmifsPhysmem) mem =
		vmifs_physmem_new(&vmifs_backend_qemu, g_steal_pointer(&f.guest), NULL, NULL);
	int fd = vmifs_physmem_passthrough_fd(mem, &why);
	ck_assert_msg(fd >= 0 && !fstat(fd, &st), "%s", why);
	ck_assert_uint_eq((guint64) st.st_size, LEN);
	other_process_fill(f.other, 5, 1, 0x77);
	char byte;
	ck_assert_int_eq(pread(fd, &byte, 1, 5), 1);
	ck_assert_int_eq(byte, 0x77);
	g_clear_pointer(&mem, vmifs_physmem_unref);
	/* Of a PC there are several pieces. */
	set_monitor(&f, 0);
	open_guest(&f, FALSE, NULL);
	mem = vmifs_physmem_new(&vmifs_backend_qemu, g_steal_pointer(&f.guest), NULL, NULL);
	ck_assert_int_lt(vmifs_physmem_passthrough_fd(mem, &why), 0);
	ck_assert_str_eq(why, "memory is in several pieces");
	g_clear_pointer(&mem, vmifs_physmem_unref);
	fixture_clear(&f);
}
END_TEST

START_TEST(a_stopped_qemu_is_unresponsive)
{
	VmifsState state;
	Fixture f;
	int status;

	fixture_init(&f, OTHER_ANONYMOUS);
	set_monitor(&f, 0);
	open_guest(&f, FALSE, NULL);
	kill(f.target.pid, SIGSTOP);
	waitpid(f.target.pid, &status, WUNTRACED);
	ck_assert(vmifs_backend_qemu.state(f.guest, &state, NULL, NULL));
	ck_assert_int_eq(state, VMIFS_STATE_UNRESPONSIVE);
	/* The reason comes at once. */
	g_autoptr(VmifsRegs) regs = vmifs_regs_new();
	g_autoptr(GError) error = NULL;
	ck_assert(!vmifs_backend_qemu.regs(f.guest, 0, regs, NULL, &error));
	ck_assert(g_error_matches(error, VMIFS_ERROR, VMIFS_ERROR_TIMEOUT));
	/* Its memory is there all the same. */
	guint8 byte = 1;
	VmifsIo io = { .block = 0, .offset = 0, .buf = &byte, .len = 1 };
	ck_assert_uint_eq(vmifs_backend_qemu.read(f.guest, &io, 1, NULL), 1);
	ck_assert_uint_eq(byte, 0);
	fixture_clear(&f);
}
END_TEST

START_TEST(without_monitor_and_proof_both_reasons_are_told)
{
	g_autoptr(GError) error = NULL;
	Fixture f;
	int status;

	fixture_init(&f, OTHER_ANONYMOUS);
	f.target.no_monitor = "no socket in its arguments";
	open_guest(&f, FALSE, &error);
	ck_assert_ptr_null(f.guest);
	ck_assert(g_error_matches(error, VMIFS_ERROR, VMIFS_ERROR_SOURCE));
	ck_assert_ptr_nonnull(strstr(error->message, "no socket in its arguments"));
	ck_assert_ptr_nonnull(strstr(error->message, "ACPI"));
	g_clear_error(&error);

	set_monitor(&f, 0);
	kill(f.target.pid, SIGSTOP);
	waitpid(f.target.pid, &status, WUNTRACED);
	/* Nobody waits for an answer that cannot come. A machine with other work may be slow, but
	 * not each time. */
	gint64 took = G_MAXINT64;
	for (int i = 0; i < 5 && took >= G_TIME_SPAN_SECOND; i++) {
		g_clear_error(&error);
		gint64 start = g_get_monotonic_time();
		open_guest(&f, FALSE, &error);
		took = g_get_monotonic_time() - start;
		ck_assert_ptr_null(f.guest);
		ck_assert_ptr_nonnull(strstr(error->message, "stopped by a signal"));
	}
	ck_assert_int_lt(took, G_TIME_SPAN_SECOND);
	fixture_clear(&f);
}
END_TEST

START_TEST(another_process_of_that_number_is_not_it)
{
	g_autoptr(GError) error = NULL;
	Fixture f;

	fixture_init(&f, OTHER_ANONYMOUS);
	set_monitor(&f, 0);
	f.target.start_time = 1;
	open_guest(&f, FALSE, &error);
	ck_assert_ptr_null(f.guest);
	ck_assert_ptr_nonnull(strstr(error->message, "has ended"));
	fixture_clear(&f);
}
END_TEST

static Suite *
qemu_suite(void)
{
	Suite *suite = suite_create("qemu");
	TCase *tcase = tcase_create("qemu");
	tcase_set_timeout(tcase, 30);

	tcase_add_loop_test(tcase, the_monitor_tells_where_memory_lies, 0, 2);
	tcase_add_test(tcase, memory_is_written_where_it_may_be);
	tcase_add_test(tcase, the_monitor_tells_registers);
	tcase_add_test(tcase, the_monitor_stops_it);
	tcase_add_loop_test(tcase, encryption_is_told, 0, G_N_ELEMENTS(encryptions));
	tcase_add_test(tcase, what_its_arguments_say_makes_no_lines_of_info);
	tcase_add_test(tcase, a_pause_is_not_lost_on_who_comes_to_watch);
	tcase_add_test(tcase, of_a_guest_that_is_watched_no_snapshot_is_taken);
	tcase_add_test(tcase, memory_that_is_its_file_is_told_as_that);
	tcase_add_test(tcase, a_stopped_qemu_is_unresponsive);
	tcase_add_test(tcase, without_monitor_and_proof_both_reasons_are_told);
	tcase_add_test(tcase, another_process_of_that_number_is_not_it);
	suite_add_tcase(suite, tcase);
	return suite;
}

VMIFS_UNIT_MAIN(qemu_suite)
