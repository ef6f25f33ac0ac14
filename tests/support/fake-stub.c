/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* fake-stub: see the header. */
#include "fake-stub.h"

#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#define MAX_POINTS 64
#define MAX_VCPUS 2
#define TRAP 5
#define INT 2
#define START 0x100
#define HANDLER 0x9000
#define IDLE 0x7000
#define NO_IRQ 2
#define INSTRUCTION 4

typedef struct {
	char kind; /* '0'..'4' */
	guint64 address;
	guint len;
	guint vcpus; /* a bit for each that has it */
} Point;

struct FakeStubServer {
	FakeServer *qemu;
	const FakeStub *how;
	GThread *thread;
	gint is_over; /* atomic */
	GMutex lock;
	/* lock */
	Point points[MAX_POINTS];
	guint n_points, next, n_hits, n_steps, n_runs, blunders;
	gboolean runs, is_waiting; /* for the end of a step */
	gboolean is_vain;          /* the last step was */
	gboolean is_unconfirmed;   /* what it said last */
	gboolean may_tell;         /* of a stop, where it is_new */
	gboolean is_detached;
	gboolean has_acted; /* what comes after the hits */
	gint64 due;         /* of the next hit */
	guint64 rip;
	guint64 accessed;    /* what the instruction is about to, there; 0 = nothing */
	guint64 interrupted; /* where its handler comes back to; 0 = none */
	guint mask;          /* of steps, in QEMU's numbers */
	guint chosen;        /* vCPU; that which stopped last, or for which it was let run */
	guint steps[MAX_VCPUS];
	GString *heard;
	/* the thread's */
	int fd;
	GString *in;
};

static void
say(FakeStubServer *self, const char *packet)
{
	guint8 sum = 0;

	for (const char *c = packet; *c; c++)
		sum += (guint8) *c;
	g_autofree char *text = g_strdup_printf("+$%s#%02x", packet, sum);
	self->is_unconfirmed = TRUE;
	if (send(self->fd, text, strlen(text), MSG_NOSIGNAL) < 0)
		g_atomic_int_set(&self->is_over, 1);
}

static guint
count_vcpus(const FakeStubServer *self)
{
	return MAX(self->how->n_vcpus, 1);
}

/* Of the vCPU that it tells of, and of no other, it forgets that it makes steps. */
static void
stop_guest(FakeStubServer *self, guint signal, const char *more)
{
	g_autofree char *why =
		g_strdup_printf("T%02xthread:%02x;%s", signal, self->chosen + 1, more);

	if (self->runs)
		fake_qemu_tell(self->qemu, "STOP");
	self->runs = self->is_waiting = FALSE;
	if (self->is_detached || (self->how->is_new && !self->may_tell))
		return;
	self->may_tell = FALSE;
	self->steps[self->chosen] = 0;
	say(self, why);
}

static void
let_run(FakeStubServer *self)
{
	if (!self->runs)
		fake_qemu_tell(self->qemu, "RESUME");
	self->runs = TRUE;
}

/* ---- points ---- */

static gboolean
is_code(const Point *point)
{
	return point->kind <= '1';
}

static gboolean
may_set(const FakeStubServer *self, const Point *point)
{
	guint n_slots = 0;

	for (guint i = 0; i < self->n_points; i++)
		n_slots += self->points[i].kind != '0';
	if (!self->how->kvm || point->kind == '0')
		return self->n_points < MAX_POINTS;
	if (!is_code(point) && (point->len > 8 || point->len & (point->len - 1) ||
				point->address % point->len || point->kind == '3'))
		return FALSE;
	return n_slots < 4;
}

static void
set_point(FakeStubServer *self, const char *packet)
{
	Point point = { .kind = packet[1] };
	unsigned long long address;
	gboolean good = FALSE;

	if (sscanf(packet + 2, ",%llx,%x", &address, &point.len) != 2) {
		say(self, "E22");
		return;
	}
	point.address = address;
	point.vcpus = (1u << count_vcpus(self)) - 1;
	if (packet[0] == 'Z' && may_set(self, &point)) {
		self->points[self->n_points++] = point;
		good = TRUE;
	}
	for (guint i = 0; packet[0] == 'z' && !self->how->keeps && i < self->n_points && !good;
	     i++) {
		const Point *each = &self->points[i];
		good = each->kind == point.kind && each->address == address &&
		       each->len == point.len;
		if (good)
			self->points[i] = self->points[--self->n_points];
	}
	if (packet[0] == 'z')
		g_usleep(1000 * (gulong) self->how->lag_ms);
	say(self, good ? "OK" : "E22");
}

/* Of the vCPU that is chosen, alone. */
static void
forget_points(FakeStubServer *self)
{
	for (guint i = self->n_points; i-- > 0;) {
		self->points[i].vcpus &= ~(1u << self->chosen);
		if (!self->points[i].vcpus)
			self->points[i] = self->points[--self->n_points];
	}
}

static const Point *
code_at(const FakeStubServer *self, guint64 address)
{
	for (guint i = 0; i < self->n_points; i++)
		if (is_code(&self->points[i]) && self->points[i].address == address)
			return &self->points[i];
	return NULL;
}

static void
hit(FakeStubServer *self)
{
	static const char *const words[] = { [2] = "", [3] = "r", [4] = "a" };
	const Point *point = &self->points[self->next++ % self->n_points];

	self->n_hits++;
	self->chosen = count_vcpus(self) - 1;
	self->rip = is_code(point) ? point->address : FAKE_STUB_RIP_OF_DATA;
	if (self->how->is_arm && !is_code(point)) {
		self->rip -= INSTRUCTION;
		self->accessed = point->address;
	}
	if (is_code(point)) {
		stop_guest(self, TRAP, "");
		return;
	}
	g_autofree char *text = g_strdup_printf("%swatch:%llx;", words[point->kind - '0'],
						(unsigned long long) point->address);
	stop_guest(self, TRAP, text);
}

/* ---- packets ---- */

/* The access whose step did nothing. */
static gboolean
hits_again(FakeStubServer *self)
{
	if (!self->is_vain || !self->accessed)
		return FALSE;
	self->is_vain = FALSE;
	g_autofree char *text = g_strdup_printf("watch:%llx;", (unsigned long long) self->accessed);
	stop_guest(self, TRAP, text);
	return TRUE;
}

/* It does not get past an access that is still watched. */
static gboolean
stops_again(FakeStubServer *self)
{
	for (guint i = 0; self->accessed && i < self->n_points; i++) {
		if (is_code(&self->points[i]) || self->points[i].address != self->accessed)
			continue;
		self->blunders++;
		stop_guest(self, TRAP, "");
		return TRUE;
	}
	return FALSE;
}

static void
step(FakeStubServer *self)
{
	if (code_at(self, self->rip)) {
		self->blunders++;
		stop_guest(self, TRAP, "");
		return;
	}
	if (stops_again(self))
		return;
	self->is_vain = self->n_steps < self->how->n_vain_steps;
	if (self->is_vain) {
		self->n_steps++;
		stop_guest(self, TRAP, "");
		return;
	}
	self->is_waiting = self->n_steps++ < self->how->n_silent_steps;
	self->runs = self->is_waiting;
	if (self->runs)
		return;
	if (self->how->is_busy && !(self->mask & NO_IRQ)) {
		self->interrupted = self->rip;
		self->rip = HANDLER;
	} else {
		self->rip += self->accessed ? INSTRUCTION : 1;
		self->accessed = 0;
	}
	stop_guest(self, TRAP, "");
}

/* "vCont;s:1;c": of each vCPU the first action that is its own, or everybody's. */
static void
note_steps(FakeStubServer *self, const char *packet)
{
	g_auto(GStrv) actions = g_strsplit(packet, ";", -1);
	gboolean has_one[MAX_VCPUS] = { 0 };

	for (guint i = 1; actions[0] && actions[i]; i++) {
		const char *colon = strchr(actions[i], ':');
		guint64 named = colon ? g_ascii_strtoull(colon + 1, NULL, 16) - 1 : 0;
		for (guint vcpu = 0; vcpu < count_vcpus(self); vcpu++) {
			if (has_one[vcpu] || (colon && vcpu != named))
				continue;
			has_one[vcpu] = TRUE;
			self->chosen = vcpu;
			if (*actions[i] == 's')
				self->steps[vcpu] = self->mask;
		}
	}
}

static void
go(FakeStubServer *self, const char *packet)
{
	note_steps(self, packet);
	if (g_str_equal(packet, "vCont;s") && !self->mask) {
		let_run(self);
		self->due = g_get_monotonic_time() + 500;
		return;
	}
	if (g_str_has_prefix(packet, "vCont;s:") && !strstr(packet, ";c")) {
		step(self);
		return;
	}
	if (hits_again(self) || stops_again(self))
		return;
	let_run(self);
	if (self->interrupted) {
		self->rip = self->interrupted;
		self->interrupted = 0;
		stop_guest(self, TRAP, "");
		return;
	}
	if (self->how->is_foreign && self->rip == START) {
		stop_guest(self, TRAP, "");
		return;
	}
	self->due = g_get_monotonic_time() + 500;
	if (strstr(packet, ";s:1") && count_vcpus(self) == 1) {
		self->rip++;
		stop_guest(self, TRAP, "");
	} else if (code_at(self, self->rip)) {
		self->blunders++;
		stop_guest(self, TRAP, "");
	}
}

static void
tell_registers(FakeStubServer *self, gboolean all)
{
	g_autoptr(GString) text = g_string_new(NULL);
	/* Of the other vCPU, which idles. */
	const guint64 values[] = { self->chosen + 1 == count_vcpus(self) ? self->rip : IDLE,
				   0x1234 };

	for (guint i = 0; i < (all ? G_N_ELEMENTS(values) : 1); i++)
		for (guint j = 0; j < 8; j++)
			g_string_append_printf(text, "%02x", (guint) (values[i] >> 8 * j & 0xff));
	say(self, text->str);
}

/* KVM masks no timers. */
static void
answer_stepping(FakeStubServer *self, const char *packet)
{
	guint may = self->how->kvm ? 3 : 7;

	if (*packet == 'q') {
		say(self, self->how->kvm ? "ENABLE=1,NOIRQ=2" : "ENABLE=1,NOIRQ=2,NOTIMER=4");
		return;
	}
	guint mask = (guint) g_ascii_strtoull(strchr(packet, '=') + 1, NULL, 16);
	if (!(mask & ~may))
		self->mask = mask;
	say(self, mask & ~may ? "E22" : "OK");
}

/* "Hc2" */
static void
choose(FakeStubServer *self, const char *packet)
{
	guint64 vcpu = g_ascii_strtoull(packet + 2, NULL, 16) - 1;
	gboolean good = vcpu < count_vcpus(self);

	if (good)
		self->chosen = (guint) vcpu;
	say(self, good ? "OK" : "E22");
}

/* "P10=0500008" */
static void
set_place(FakeStubServer *self, const char *packet)
{
	guint64 value = g_ascii_strtoull(strchr(packet, '=') + 1, NULL, 16);

	self->rip = GUINT64_SWAP_LE_BE(value);
	say(self, "OK");
}

/* What QEMU does not survive while no process is attached. */
static gboolean
may_say(const FakeStubServer *self, const char *packet)
{
	return !self->is_detached || *packet == 'Z' || g_str_equal(packet, "c") ||
	       g_str_equal(packet, "vAttach;1");
}

static void
answer(FakeStubServer *self, const char *packet)
{
	self->blunders += !may_say(self, packet);
	if (strchr("zZvDQc", *packet) && *packet)
		g_string_append_printf(self->heard, "%s ", packet);
	self->n_runs += *packet == 'c' || g_str_has_prefix(packet, "vCont;");
	if (self->heard->len > 400)
		g_string_erase(self->heard, 0, (gssize) self->heard->len - 400);
	if (*packet == 'z' || *packet == 'Z') {
		set_point(self, packet);
	} else if (g_str_has_prefix(packet, "vCont;")) {
		self->may_tell = TRUE;
		go(self, packet);
	} else if (*packet == 'c') {
		self->may_tell = TRUE;
		if (packet[1])
			self->rip = g_ascii_strtoull(packet + 1, NULL, 16);
		go(self, packet);
	} else if (*packet == 'g' || *packet == 'p') {
		if (self->how->floods)
			say(self, "T05thread:01;watch:2000;");
		tell_registers(self, *packet == 'g');
	} else if (*packet == 'm') {
		if (g_str_has_suffix(packet, ",f"))
			say(self, self->how->is_nop ? "0f1f440000554889e5415741564155"
						    : "000000000000000000000000000000");
		else
			say(self, "00000000000000000000000000000000");
	} else if (*packet == 'D') {
		self->is_detached = TRUE;
		self->n_points = 0;
		let_run(self);
		say(self, "OK");
	} else if (g_str_equal(packet, "vAttach;1")) {
		self->is_detached = FALSE;
		if (!self->how->is_new)
			say(self, "T05thread:01;");
	} else if (*packet == 'P') {
		set_place(self, packet);
	} else if (*packet == '?') {
		forget_points(self);
		say(self, "T05thread:01;");
	} else if (g_str_has_prefix(packet, "qSupported")) {
		say(self, "PacketSize=1000;qXfer:features:read+");
	} else if (g_str_has_prefix(packet, "qXfer")) {
		say(self, self->how->is_arm ? "l<target><architecture>aarch64</architecture>"
					      "<reg name=\"pc\" bitsize=\"64\"/><reg name=\"x0\" "
					      "bitsize=\"64\"/></target>"
					    : "l<target><architecture>i386:x86-64</architecture>"
					      "<reg name=\"rip\" bitsize=\"64\"/><reg name=\"rax\" "
					      "bitsize=\"64\"/></target>");
	} else if (*packet == 'H') {
		choose(self, packet);
	} else if (g_str_equal(packet, "qqemu.sstepbits") ||
		   g_str_has_prefix(packet, "Qqemu.sstep=")) {
		answer_stepping(self, packet);
	} else if (g_str_equal(packet, "qC")) {
		say(self, "QC01");
	} else if (g_str_equal(packet, "qAttached")) {
		say(self, "1");
	} else {
		say(self, "");
	}
}

/* One byte, as QEMU takes it. */
static void
take(FakeStubServer *self, char byte)
{
	self->may_tell = FALSE;
	if (self->is_unconfirmed) {
		self->is_unconfirmed = byte != '+' && byte != '$';
		if (byte != '$')
			return;
	}
	if (self->runs) {
		self->may_tell = byte == '\x03';
		/* In a dash it is the first byte of what comes next. */
		self->n_runs += self->is_detached;
		self->blunders += byte != '\x03' && !self->is_detached;
		stop_guest(self, INT, "");
		return;
	}
	if (!self->in->len && byte != '$')
		return;
	g_string_append_c(self->in, byte);
	const char *end = strchr(self->in->str, '#');
	if (!end || strlen(end) < 3)
		return;
	g_autofree char *packet = g_strndup(self->in->str + 1, (gsize) (end - self->in->str) - 1);
	g_string_truncate(self->in, 0);
	answer(self, packet);
}

static void
act(FakeStubServer *self)
{
	self->has_acted = TRUE;
	if (self->how->pauses)
		stop_guest(self, INT, "");
	if (self->how->blinks) {
		fake_qemu_tell(self->qemu, "STOP");
		fake_qemu_tell(self->qemu, "RESUME");
	}
	if (self->how->says && send(self->fd, self->how->says, strlen(self->how->says), 0) < 0)
		g_atomic_int_set(&self->is_over, 1);
	if (self->how->hangs_up || self->how->is_ended)
		shutdown(self->fd, SHUT_RDWR);
	if (self->how->hangs_up)
		g_atomic_int_set(&self->is_over, 1);
}

static void
live(FakeStubServer *self)
{
	if (!self->runs || self->is_waiting || g_get_monotonic_time() < self->due)
		return;
	if (self->n_points && self->n_hits < self->how->hits)
		hit(self);
	else if (self->n_points && !self->has_acted)
		act(self);
}

static gpointer
run(gpointer data)
{
	FakeStubServer *self = data;

	while (!g_atomic_int_get(&self->is_over)) {
		int fd = fake_qemu_fd(self->qemu);
		char bytes[256];
		if (fd >= 0 && fd != self->fd) {
			self->fd = fd;
			self->runs = FALSE;
			self->chosen = 0;
			self->is_detached = self->is_unconfirmed = FALSE;
			g_string_truncate(self->in, 0);
		}
		if (self->fd < 0 || (self->how->is_deaf && self->has_acted)) {
			g_usleep(500);
			continue;
		}
		gssize n = recv(self->fd, bytes, sizeof bytes, MSG_DONTWAIT);
		g_mutex_lock(&self->lock);
		for (gssize i = 0; i < n; i++)
			take(self, bytes[i]);
		live(self);
		g_mutex_unlock(&self->lock);
		if (n <= 0)
			g_usleep(200);
	}
	return NULL;
}

/* ---- from outside ---- */

FakeStubServer *
fake_stub_start(FakeServer *qemu, const FakeStub *how)
{
	FakeStubServer *self = g_new0(FakeStubServer, 1);

	self->qemu = qemu;
	self->how = how;
	self->fd = -1;
	self->rip = START;
	/* As one that was killed may have left it. */
	self->mask = 1;
	if (how->is_left)
		self->points[self->n_points++] =
			(Point){ .kind = '1', .address = START, .len = 1, .vcpus = 1 };
	self->in = g_string_new(NULL);
	self->heard = g_string_new(NULL);
	g_mutex_init(&self->lock);
	self->thread = g_thread_new("stub", run, self);
	return self;
}

void
fake_stub_stop(FakeStubServer *self)
{
	g_atomic_int_set(&self->is_over, 1);
	g_thread_join(self->thread);
	g_mutex_clear(&self->lock);
	g_string_free(self->in, TRUE);
	g_string_free(self->heard, TRUE);
	g_free(self);
}

guint
fake_stub_points(FakeStubServer *self)
{
	g_autoptr(GMutexLocker) locker = g_mutex_locker_new(&self->lock);

	return self->n_points;
}

guint
fake_stub_stops(FakeStubServer *self)
{
	g_autoptr(GMutexLocker) locker = g_mutex_locker_new(&self->lock);

	return self->n_runs + 1;
}

gboolean
fake_stub_runs(FakeStubServer *self)
{
	g_autoptr(GMutexLocker) locker = g_mutex_locker_new(&self->lock);

	return self->runs;
}

guint
fake_stub_steps(FakeStubServer *self)
{
	g_autoptr(GMutexLocker) locker = g_mutex_locker_new(&self->lock);
	guint n = 0;

	for (guint i = 0; i < MAX_VCPUS; i++)
		n += self->steps[i] != 0;
	return n;
}

guint
fake_stub_mask(FakeStubServer *self)
{
	g_autoptr(GMutexLocker) locker = g_mutex_locker_new(&self->lock);

	return self->mask;
}

guint
fake_stub_blunders(FakeStubServer *self)
{
	g_autoptr(GMutexLocker) locker = g_mutex_locker_new(&self->lock);

	return self->blunders;
}

char *
fake_stub_heard(FakeStubServer *self)
{
	g_autoptr(GMutexLocker) locker = g_mutex_locker_new(&self->lock);

	return g_strdup(self->heard->str);
}

void
fake_stub_resume(FakeStubServer *self)
{
	g_autoptr(GMutexLocker) locker = g_mutex_locker_new(&self->lock);

	self->runs = TRUE;
}
