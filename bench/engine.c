/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * engine: calls of the library, each beside a probe of the same sort in the same program, in turns.
 * Prints a line for each: its name, nanoseconds of a call, of the probe, and of the same call when
 *four threads make it. Processor time, so that a machine that does other things as well disturbs
 *little; of all turns the one in the middle.
 *
 *	engine IMAGE [TURNS]
 */
#include <engine/guest.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>
#include <vmifs/vmifs.h>

/* Where a benchmark's guest has a process with small pages: actor.c's `touch`. */
#define TOUCHED 0x100000000000
#define PAGE 4096
/* Below and above are other things than plain memory; the direct map leaves some of them out. */
#define MARGIN (16u << 20)
#define MAX_TURNS 99
#define THREADS 4

typedef struct {
	VmifsGuest *guest;
	VmifsPhysmem *mem;
	VmifsAspace *kernel, *user;
	guint64 direct_map;   /* address of physical address 0 */
	guint64 touched_len;  /* bytes at TOUCHED */
	const guint8 *mapped; /* the image, by ourselves */
	guint64 len;          /* of the image */
	VmifsSymbols *symbols;
	GHashTable *by_name; /* the probe's: name -> address */
	GArray *by_address;  /* the probe's: sorted addresses */
} Bench;

/* Makes n calls; the result keeps the compiler from leaving them out. */
typedef guint64 (*Calls)(const Bench *bench, guint n, guint64 seed);

static guint64
next_random(guint64 *state)
{
	*state ^= *state << 13;
	*state ^= *state >> 7;
	*state ^= *state << 17;
	return *state;
}

static void G_GNUC_NORETURN
fail(const char *what, const GError *error)
{
	fprintf(stderr, "engine: %s: %s\n", what, error ? error->message : "failed");
	exit(1);
}

/* ---- memory ---- */

/* Each address depends on what the load before it gave. */
static guint64
load(const Bench *bench, guint n, guint64 seed)
{
	guint64 value = 0, sum = 0;

	for (guint i = 0; i < n; i++) {
		guint64 at = (next_random(&seed) + (value & 1)) % (bench->len / 8) * 8;
		memcpy(&value, bench->mapped + at, 8);
		sum += value;
	}
	return sum;
}

static guint64
read_physical(const Bench *bench, guint n, guint64 seed)
{
	guint64 value = 0, sum = 0;

	for (guint i = 0; i < n; i++) {
		guint64 at = (next_random(&seed) + (value & 1)) % (bench->len / 8) * 8;
		if (!vmifs_physmem_read(bench->mem, at, &value, 8, NULL, NULL))
			fail("physical read", NULL);
		sum += value;
	}
	return sum;
}

static guint64
copy_page(const Bench *bench, guint n, guint64 seed)
{
	guint8 page[PAGE];
	guint64 sum = 0;

	for (guint i = 0; i < n; i++) {
		guint64 at = next_random(&seed) % (bench->len / PAGE) * PAGE;
		memcpy(page, bench->mapped + at, PAGE);
		sum += page[i % PAGE];
	}
	return sum;
}

static guint64
read_page(const Bench *bench, guint n, guint64 seed)
{
	guint8 page[PAGE];
	guint64 sum = 0;

	for (guint i = 0; i < n; i++) {
		guint64 at = next_random(&seed) % (bench->len / PAGE) * PAGE;
		if (!vmifs_physmem_read(bench->mem, at, page, PAGE, NULL, NULL))
			fail("physical read", NULL);
		sum += page[i % PAGE];
	}
	return sum;
}

/* ---- translation ---- */

/* The direct map is made of 2 MiB pages: all of them fit in the cache. */
static guint64
translate_warm(const Bench *bench, guint n, guint64 seed)
{
	VmifsRange range = { 0 };
	guint64 sum = 0;

	for (guint i = 0; i < n; i++) {
		guint64 at = (next_random(&seed) + (range.pa & 1)) % (bench->len - 2 * MARGIN);
		if (!vmifs_aspace_translate(bench->kernel, bench->direct_map + MARGIN + at, &range,
					    NULL))
			fail("translation of the direct map", NULL);
		sum += range.pa;
	}
	return sum;
}

/* Small pages by the ten thousand, in a process's small cache: hardly any is found there. */
static guint64
translate_cold(const Bench *bench, guint n, guint64 seed)
{
	VmifsRange range = { 0 };
	guint64 sum = 0;

	for (guint i = 0; i < n; i++) {
		guint64 at = (next_random(&seed) + (range.pa & 1)) % bench->touched_len;
		if (!vmifs_aspace_translate(bench->user, TOUCHED + at, &range, NULL))
			fail("translation of a process's page", NULL);
		sum += range.pa;
	}
	return sum;
}

static guint64
read_virtual(const Bench *bench, guint n, guint64 seed)
{
	guint64 value = 0, sum = 0;

	for (guint i = 0; i < n; i++) {
		guint64 at = (next_random(&seed) + (value & 1)) % (bench->len / 8 - MARGIN / 4) * 8;
		if (!vmifs_aspace_read_u64(bench->kernel, bench->direct_map + MARGIN + at, &value,
					   NULL))
			fail("read of the direct map", NULL);
		sum += value;
	}
	return sum;
}

/* 64 pages in one call: what a read of 256 KiB of vmem does. */
static guint64
gather_batch(const Bench *bench, guint n, guint64 seed)
{
	guint64 sum = 0;
	gsize len = 64 * PAGE;

	for (guint i = 0; i < n; i++) {
		guint64 at = next_random(&seed) % (bench->touched_len / len) * len;
		g_auto(VmifsSegments) segments;
		vmifs_segments_init(&segments);
		if (vmifs_aspace_gather(bench->user, TOUCHED + at, len, VMIFS_GATHER_STOP_AT_HOLE,
					&segments, NULL, NULL) != len)
			fail("gathering a process's pages", NULL);
		sum += segments.iov->len;
	}
	return sum;
}

static guint64
load_batch(const Bench *bench, guint n, guint64 seed)
{
	return load(bench, 64 * n, seed);
}

/* ---- symbols ---- */

static guint64
symbol_by_name(const Bench *bench, guint n, guint64 seed)
{
	guint64 address, sum = 0;

	for (guint i = 0; i < n; i++) {
		VmifsSymbol symbol;
		vmifs_symbols_get(bench->symbols,
				  next_random(&seed) % vmifs_symbols_count(bench->symbols),
				  &symbol);
		if (!vmifs_symbols_lookup(bench->symbols, symbol.name, &address))
			fail(symbol.name, NULL);
		sum += address;
	}
	return sum;
}

static guint64
hash_by_name(const Bench *bench, guint n, guint64 seed)
{
	guint64 sum = 0;

	for (guint i = 0; i < n; i++) {
		VmifsSymbol symbol;
		vmifs_symbols_get(bench->symbols,
				  next_random(&seed) % vmifs_symbols_count(bench->symbols),
				  &symbol);
		sum += (guintptr) g_hash_table_lookup(bench->by_name, symbol.name);
	}
	return sum;
}

static guint64
symbol_by_address(const Bench *bench, guint n, guint64 seed)
{
	const guint64 *sorted = (const guint64 *) (gpointer) bench->by_address->data;
	guint64 sum = 0;

	for (guint i = 0; i < n; i++) {
		VmifsSymbol symbol;
		guint64 offset;
		guint64 address = sorted[next_random(&seed) % bench->by_address->len] + 1;
		if (!vmifs_symbols_nearest(bench->symbols, address, &symbol, &offset))
			fail("symbol by address", NULL);
		sum += offset;
	}
	return sum;
}

static int
compare_addresses(gconstpointer a, gconstpointer b)
{
	guint64 x = *(const guint64 *) a, y = *(const guint64 *) b;
	return x < y ? -1 : x > y;
}

static guint64
search_address(const Bench *bench, guint n, guint64 seed)
{
	const guint64 *sorted = (const guint64 *) (gpointer) bench->by_address->data;
	guint64 sum = 0;

	for (guint i = 0; i < n; i++) {
		guint64 address = sorted[next_random(&seed) % bench->by_address->len];
		sum += (guintptr) bsearch(&address, sorted, bench->by_address->len, sizeof address,
					  compare_addresses);
	}
	return sum;
}

/* ---- processes ---- */

static guint64
tasks_warm(const Bench *bench, guint n, guint64 seed)
{
	guint64 sum = 0;

	for (guint i = 0; i < n; i++) {
		g_autoptr(VmifsTaskList) tasks = vmifs_guest_tasks(bench->guest, NULL, NULL);
		sum += vmifs_task_list_count(tasks);
	}
	return sum;
}

/* In a new epoch nothing that was read before counts. */
static guint64
tasks_cold(const Bench *bench, guint n, guint64 seed)
{
	guint64 sum = 0;

	for (guint i = 0; i < n; i++) {
		g_atomic_int_inc((gint *) vmifs_guest_epoch(bench->guest));
		sum += tasks_warm(bench, 1, seed);
	}
	return sum;
}

/* As many loads as there are tasks: a list of them is a chain. */
static guint64
load_chain(const Bench *bench, guint n, guint64 seed)
{
	g_autoptr(VmifsTaskList) tasks = vmifs_guest_tasks(bench->guest, NULL, NULL);

	return load(bench, n * (guint) vmifs_task_list_count(tasks), seed);
}

static const struct {
	const char *name;
	Calls calls, probe;
	guint n;
	gboolean shared; /* may be called from several threads */
} rows[] = {
	{ "physical read of 8 bytes", read_physical, load, 200000, TRUE },
	{ "physical read of 4 KiB", read_page, copy_page, 20000, TRUE },
	{ "translation, warm", translate_warm, load, 200000, TRUE },
	{ "translation, cold", translate_cold, load, 50000, TRUE },
	{ "virtual read of 8 bytes, warm", read_virtual, load, 200000, TRUE },
	{ "batch of 64 pages", gather_batch, load_batch, 500, TRUE },
	{ "symbol by name", symbol_by_name, hash_by_name, 50000, TRUE },
	{ "symbol by address", symbol_by_address, search_address, 50000, TRUE },
	{ "process list, warm", tasks_warm, load, 50000, TRUE },
	{ "process list, cold", tasks_cold, load_chain, 10, FALSE },
};

/* ---- time ---- */

static double
clock_ns(clockid_t clock)
{
	struct timespec time;

	clock_gettime(clock, &time);
	return (double) time.tv_sec * 1e9 + (double) time.tv_nsec;
}

typedef struct {
	const Bench *bench;
	Calls calls;
	guint n;
	guint64 seed;
	volatile guint64 result;
} Turn;

static gpointer
run_turn(gpointer data)
{
	Turn *turn = data;

	turn->result = turn->calls(turn->bench, turn->n, turn->seed);
	return NULL;
}

/* Processor nanoseconds of one call, made by that many threads at a time. */
static double
cost(const Bench *bench, Calls calls, guint n, guint64 seed, guint n_threads)
{
	Turn turns[THREADS];
	GThread *threads[THREADS];
	double start = clock_ns(CLOCK_PROCESS_CPUTIME_ID);

	for (guint i = 0; i < n_threads; i++) {
		turns[i] = (Turn){ bench, calls, n, seed * (i + 1), 0 };
		threads[i] = n_threads > 1 ? g_thread_new("turn", run_turn, &turns[i])
					   : run_turn(&turns[i]);
	}
	for (guint i = 0; n_threads > 1 && i < n_threads; i++)
		g_thread_join(threads[i]);
	return (clock_ns(CLOCK_PROCESS_CPUTIME_ID) - start) / n / n_threads;
}

static int
compare_doubles(gconstpointer a, gconstpointer b)
{
	double x = *(const double *) a, y = *(const double *) b;
	return x < y ? -1 : x > y;
}

static double
median(double *values, guint n)
{
	qsort(values, n, sizeof *values, compare_doubles);
	return values[n / 2];
}

static void
measure(const Bench *bench, guint n_turns)
{
	for (gsize row = 0; row < G_N_ELEMENTS(rows); row++) {
		double ours[MAX_TURNS], probe[MAX_TURNS], shared[MAX_TURNS] = { 0 };
		for (guint turn = 0; turn < n_turns; turn++) {
			guint64 seed = 0x9e3779b97f4a7c15 * (turn + 1);
			probe[turn] = cost(bench, rows[row].probe, rows[row].n, seed, 1);
			ours[turn] = cost(bench, rows[row].calls, rows[row].n, seed, 1);
			if (rows[row].shared)
				shared[turn] =
					cost(bench, rows[row].calls, rows[row].n, seed, THREADS);
		}
		printf("%s\t%.1f\t%.1f\t%.1f\n", rows[row].name, median(ours, n_turns),
		       median(probe, n_turns), median(shared, n_turns));
	}
}

/* ---- the guest ---- */

static void
map_image(Bench *bench, const char *path)
{
	struct stat st;
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	gpointer data = MAP_FAILED;

	if (fd >= 0 && !fstat(fd, &st))
		data = mmap(NULL, (gsize) st.st_size, PROT_READ, MAP_SHARED | MAP_POPULATE, fd, 0);
	if (data == MAP_FAILED)
		fail(path, NULL);
	close(fd);
	bench->mapped = data;
	bench->len = (guint64) st.st_size;
}

/* The process that has small pages at TOUCHED, and how many. */
static gboolean
is_toucher(Bench *bench, const VmifsTask *task)
{
	g_autoptr(GArray) vmas = vmifs_guest_task_vmas(bench->guest, task, NULL, NULL);

	for (guint i = 0; vmas && i < vmas->len; i++) {
		const VmifsVma *vma = &g_array_index(vmas, VmifsVma, i);
		if (vma->start == TOUCHED)
			bench->touched_len = vma->end - vma->start;
	}
	return bench->touched_len > 0;
}

static void
find_toucher(Bench *bench)
{
	g_autoptr(GError) error = NULL;
	g_autoptr(VmifsTaskList) tasks = vmifs_guest_tasks(bench->guest, NULL, &error);

	if (!tasks)
		fail("processes", error);
	for (gsize i = 0; i < vmifs_task_list_count(tasks) && !bench->user; i++) {
		const VmifsTask *task = vmifs_task_list_get(tasks, i);
		if (task->mm && is_toucher(bench, task))
			bench->user = vmifs_guest_task_aspace(bench->guest, task, NULL, &error);
	}
	if (!bench->user)
		fail("a process with small pages: make the guest with --touch-mb 128", error);
}

static void
index_symbols(Bench *bench)
{
	bench->by_name = g_hash_table_new(g_str_hash, g_str_equal);
	bench->by_address = g_array_new(FALSE, FALSE, sizeof(guint64));
	for (gsize i = 0; i < vmifs_symbols_count(bench->symbols); i++) {
		VmifsSymbol symbol;
		vmifs_symbols_get(bench->symbols, i, &symbol);
		g_hash_table_insert(bench->by_name, (gpointer) symbol.name,
				    (gpointer) (guintptr) symbol.address);
		g_array_append_val(bench->by_address, symbol.address);
	}
	g_array_sort(bench->by_address, compare_addresses);
}

int
main(int argc, char **argv)
{
	guint n_turns = argc > 2 ? (guint) atoi(argv[2]) : 7;
	VmifsOptions options = { .size = sizeof options };
	g_autoptr(GError) error = NULL;
	g_autoptr(VmifsHost) host = vmifs_host_new(&options, &error);
	Bench bench = { 0 };

	if (argc < 2 || n_turns < 1 || n_turns > MAX_TURNS) {
		fprintf(stderr, "usage: engine IMAGE [TURNS]\n");
		return 2;
	}
	if (!host || !vmifs_host_add(host, argv[1], &error))
		fail(argv[1], error);
	g_autoptr(GPtrArray) guests = vmifs_host_guests(host);
	bench.guest = g_ptr_array_index(guests, 0);
	if (!vmifs_guest_wait(bench.guest, NULL, &error))
		fail("discovery", error);
	bench.mem = vmifs_guest_physmem(bench.guest);
	bench.kernel = vmifs_guest_kernel_aspace(bench.guest, NULL, &error);
	bench.symbols = vmifs_guest_symbols(bench.guest, NULL, &error);
	guint64 pointer;
	if (!bench.kernel || !bench.symbols ||
	    !vmifs_symbols_lookup(bench.symbols, "page_offset_base", &pointer) ||
	    !vmifs_aspace_read_u64(bench.kernel, pointer, &bench.direct_map, &error))
		fail("the kernel's direct map", error);
	map_image(&bench, argv[1]);
	find_toucher(&bench);
	index_symbols(&bench);
	measure(&bench, n_turns);
	g_hash_table_unref(bench.by_name);
	g_array_unref(bench.by_address);
	munmap((gpointer) bench.mapped, bench.len);
	vmifs_symbols_unref(bench.symbols);
	vmifs_aspace_unref(bench.user);
	vmifs_aspace_unref(bench.kernel);
	vmifs_physmem_unref(bench.mem);
	return 0;
}
