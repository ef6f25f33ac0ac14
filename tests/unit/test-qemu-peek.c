/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* peek: memory and registers of a guest through a monitor that tells memory, too. */
#include <unit.h>

#include <backends/qemu/monitor.h>
#include <backends/qemu/target.h>

#include <errno.h>
#include <fake-session.h>
#include <spi/backend.h>
#include <string.h>

extern const VmifsBackend qemu_peek;

#define LAID_OUT                                                                                   \
	"hmp info mtree -f\n"                                                                      \
	"\tFlatView #0\n"                                                                          \
	"\t AS \"memory\", root: system\n"                                                         \
	"\t Root memory region: system\n"                                                          \
	"\t  0000000000000000-000000000009ffff (prio 0, ram): pc.ram\n"                            \
	"\t  00000000000a0000-00000000000bffff (prio 1, i/o): vga\n"                               \
	"\t  0000000000100000-0000000003ffffff (prio 0, ram): pc.ram @0000000000100000\n"          \
	"hmp gpa2hva 0x0\n\tHost virtual address for 0x0 (pc.ram) is 0x7f0000000000\n"             \
	"hmp gpa2hva 0x9ffff\n\tHost virtual address for 0x9ffff (pc.ram) is 0x7f000009ffff\n"     \
	"hmp gpa2hva 0x100000\n\tHost virtual address for 0x100000 (pc.ram) is 0x7f0000100000\n"   \
	"hmp gpa2hva 0x3ffffff\n\tHost virtual address for 0x3ffffff (pc.ram) is 0x7f0003ffffff\n"
#define MORE                                                                                       \
	RUNS "qmp query-cpus-fast\n\t[{\"cpu-index\": 0}]\n"                                       \
	     "hmp info registers -a\n\tCPU#0\n\tRIP=00007f0000000002\n"

/* Each byte is the number of its mebibyte, and one more. */
typedef struct {
	QemuMonitor monitor;
	QemuMonitor *fake;
	guint n_peeks;
	gsize most;      /* of one */
	gint64 deadline; /* of the last question */
	gboolean fails;
} Peeker;

static gboolean
peeker_ask(QemuMonitor *monitor, QemuAsk *asks, gsize n, const VmifsCall *call, GError **error)
{
	Peeker *self = (Peeker *) monitor;

	self->deadline = call ? call->deadline : 0;
	for (gsize i = 0; i < n; i++) {
		if (asks[i].command) {
			if (!qemu_monitor_ask(self->fake, &asks[i], 1, call, error))
				return FALSE;
			continue;
		}
		if (self->fails) {
			g_set_error_literal(error, VMIFS_ERROR, VMIFS_ERROR_IO, "no");
			return FALSE;
		}
		for (gsize at = 0; at < asks[i].len; at++)
			asks[i].bytes[at] = (guint8) (((asks[i].pa + at) >> 20) + 1);
		self->n_peeks++;
		self->most = MAX(self->most, asks[i].len);
	}
	return TRUE;
}

static void
peeker_free(QemuMonitor *monitor)
{
	qemu_monitor_free(((Peeker *) monitor)->fake);
}

static const QemuMonitorOps ops = {
	.name = "peeker", .ask = peeker_ask, .peeks = TRUE, .free = peeker_free
};

typedef struct {
	Peeker peeker;
	QemuTarget target;
	gpointer guest;
} Fixture;

static void
setup(Fixture *f, const char *session)
{
	g_autoptr(GError) error = NULL;
	VmifsSource src = { .fd = -1, .target = &f->target };

	*f = (Fixture){ .peeker = { .monitor = { &ops }, .fake = fake_monitor_new(session) } };
	f->target.monitor = &f->peeker.monitor;
	f->guest = qemu_peek.open(&src, NULL, &error);
	ck_assert_msg(f->guest != NULL, "%s", error ? error->message : "");
}

static void
teardown(Fixture *f)
{
	qemu_peek.close(f->guest);
	qemu_monitor_free(f->target.monitor);
}

START_TEST(each_piece_of_memory_is_a_block)
{
	VmifsLayout layout = { .regions = g_array_new(FALSE, FALSE, sizeof(VmifsRegion)),
			       .blocks = g_array_new(FALSE, FALSE, sizeof(VmifsBlock)) };
	g_autoptr(GString) info = g_string_new(NULL);
	Fixture f;

	setup(&f, LAID_OUT MORE);
	ck_assert(qemu_peek.layout(f.guest, &layout, NULL, NULL));
	ck_assert_uint_eq(layout.regions->len, 2);
	ck_assert_uint_eq(layout.n_vcpus, 1);
	const VmifsRegion *region = &g_array_index(layout.regions, VmifsRegion, 1);
	ck_assert_uint_eq(region->pa, 0x100000);
	ck_assert_uint_eq(region->len, 0x3f00000);
	ck_assert_uint_eq(region->block, 1);
	ck_assert_uint_eq(region->offset, 0);
	for (guint i = 0; i < 2; i++) {
		const VmifsBlock *block = &g_array_index(layout.blocks, VmifsBlock, i);
		ck_assert_str_eq(block->name, i ? "pc.ram~2" : "pc.ram~1");
		g_free((char *) block->name);
	}
	g_array_unref(layout.regions);
	g_array_unref(layout.blocks);
	qemu_peek.info(f.guest, info);
	ck_assert_ptr_nonnull(strstr(info->str, "access: libvirt memory peek"));
	teardown(&f);
}
END_TEST

/* A monitor that answers slowly, and often. */
START_TEST(opening_ends_in_time)
{
	gint64 soon = g_get_monotonic_time() + G_USEC_PER_SEC;
	const VmifsCall call = { .deadline = soon };
	VmifsSource src = { .fd = -1 };
	Fixture f;

	setup(&f, LAID_OUT MORE);
	ck_assert_int_gt(f.peeker.deadline, soon);
	ck_assert_int_lt(f.peeker.deadline, soon + 60 * G_USEC_PER_SEC);
	src.target = &f.target;
	gpointer other = qemu_peek.open(&src, &call, NULL);
	ck_assert_int_eq(f.peeker.deadline, soon);
	qemu_peek.close(other);
	teardown(&f);
}
END_TEST

START_TEST(bytes_come_from_where_the_piece_lies)
{
	g_autofree guint8 *buf = g_malloc(5 << 20);
	guint8 byte = 0;
	VmifsIo io[] = { { .block = 0, .offset = 0x1000, .buf = &byte, .len = 1 },
			 { .block = 1, .offset = 0x80000, .buf = buf, .len = 5 << 20 } };
	Fixture f;

	setup(&f, LAID_OUT MORE);
	ck_assert_uint_eq(qemu_peek.read(f.guest, io, 2, NULL), 2);
	ck_assert_uint_eq(byte, 1);
	for (gsize i = 0; i < 5 << 20; i += 4096)
		ck_assert_uint_eq(buf[i], ((0x180000 + i) >> 20) + 1);
	ck_assert_uint_eq(f.peeker.most, QEMU_MAX_PEEK);
	ck_assert_uint_eq(f.peeker.n_peeks, 6);
	f.peeker.fails = TRUE;
	ck_assert_uint_eq(qemu_peek.read(f.guest, io, 2, NULL), 0);
	ck_assert_int_eq(io[0].status, EIO);
	ck_assert_int_eq(io[1].status, EIO);
	teardown(&f);
}
END_TEST

START_TEST(many_pieces_are_read_in_lots)
{
	guint8 bytes[200] = { 0 };
	VmifsIo io[G_N_ELEMENTS(bytes)];
	Fixture f;

	setup(&f, LAID_OUT MORE);
	for (guint i = 0; i < G_N_ELEMENTS(io); i++)
		io[i] = (VmifsIo){ .block = i % 2, .offset = i, .buf = &bytes[i], .len = 1 };
	ck_assert_uint_eq(qemu_peek.read(f.guest, io, G_N_ELEMENTS(io), NULL), G_N_ELEMENTS(io));
	for (guint i = 0; i < G_N_ELEMENTS(io); i++)
		ck_assert_uint_eq(bytes[i], i % 2 + 1);
	teardown(&f);
}
END_TEST

START_TEST(registers_and_state_come_from_the_monitor)
{
	g_autoptr(VmifsRegs) regs = vmifs_regs_new();
	VmifsState state;
	guint64 ip;
	Fixture f;

	setup(&f, LAID_OUT MORE);
	ck_assert(qemu_peek.regs(f.guest, 0, regs, NULL, NULL));
	ck_assert(vmifs_regs_get(regs, "rip", &ip));
	ck_assert_uint_eq(ip, 0x7f0000000002);
	ck_assert(qemu_peek.state(f.guest, &state, NULL, NULL));
	ck_assert_int_eq(state, VMIFS_STATE_RUNNING);
	teardown(&f);
}
END_TEST

START_TEST(what_libvirt_cannot_tell_either_is_said)
{
	Peeker peeker = { .monitor = { &ops }, .fake = fake_monitor_new("") };
	QemuTarget target = { .monitor = &peeker.monitor };
	VmifsSource src = { .fd = -1, .target = &target };
	g_autoptr(GError) error = NULL;

	ck_assert_ptr_null(qemu_peek.open(&src, NULL, &error));
	ck_assert_ptr_nonnull(strstr(error->message, "libvirt does not tell either"));
	qemu_monitor_free(target.monitor);
}
END_TEST

static Suite *
peek_suite(void)
{
	Suite *suite = suite_create("qemu-peek");
	TCase *tcase = tcase_create("qemu-peek");

	tcase_add_test(tcase, each_piece_of_memory_is_a_block);
	tcase_add_test(tcase, opening_ends_in_time);
	tcase_add_test(tcase, bytes_come_from_where_the_piece_lies);
	tcase_add_test(tcase, many_pieces_are_read_in_lots);
	tcase_add_test(tcase, registers_and_state_come_from_the_monitor);
	tcase_add_test(tcase, what_libvirt_cannot_tell_either_is_said);
	suite_add_tcase(suite, tcase);
	return suite;
}

VMIFS_UNIT_MAIN(peek_suite)
