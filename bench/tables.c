/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * tables: a full walk of an address space with a million small pages, none of which follows the
 * one before it, and the same as ptmap's text. Prints for each, separated by tabs, its name,
 * milliseconds of processor time (the middle of all turns) and KiB of memory that it allocated at
 * the same time.
 *
 *	tables [TURNS]
 */
#include <engine/aspace.h>
#include <fcntl.h>
#include <malloc.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <time.h>
#include <unistd.h>
#include <vmifs/ptmap.h>
#include <vmifs/vmifs.h>

#define N_PAGES (1u << 20)
#define TABLE 4096u
#define ROOT TABLE
#define LEAVES (7 * TABLE)
#define LEN (LEAVES + N_PAGES * 8)
#define MAX_TURNS 99

static void G_GNUC_NORETURN
fail(const char *what, const GError *error)
{
	fprintf(stderr, "tables: %s: %s\n", what, error ? error->message : "failed");
	exit(1);
}

/* An image of tables alone: root, one table of level 3, four of level 2, the leaves. */
static void
make_image(const char *path)
{
	int fd = open(path, O_RDWR | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
	guint64 *words;

	if (fd < 0 || ftruncate(fd, LEN) < 0)
		fail(path, NULL);
	words = mmap(NULL, LEN, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	if (words == MAP_FAILED)
		fail(path, NULL);
	words[ROOT / 8] = GUINT64_TO_LE(2 * TABLE | 0x67);
	for (guint i = 0; i < 4; i++)
		words[2 * TABLE / 8 + i] = GUINT64_TO_LE(((2 + i) * TABLE + TABLE) | 0x67);
	for (guint i = 0; i < N_PAGES / 512; i++)
		words[3 * TABLE / 8 + i] = GUINT64_TO_LE((LEAVES + i * TABLE) | 0x67);
	for (guint i = 0; i < N_PAGES; i++)
		words[LEAVES / 8 + i] =
			GUINT64_TO_LE((guint64) (i ^ 1) % (LEN / TABLE) * TABLE | 0x67);
	munmap(words, LEN);
	close(fd);
}

static gsize
allocated(void)
{
	struct mallinfo2 info = mallinfo2();

	return info.uordblks + info.hblkhd;
}

typedef struct {
	guint64 ns;
	gsize bytes; /* the most that was allocated during it, its buffer left out */
} Cost;

static guint64
now(void)
{
	struct timespec t;

	clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &t);
	return (guint64) t.tv_sec * 1000000000 + (guint64) t.tv_nsec;
}

typedef struct {
	guint64 pages;
	gsize most;
} Seen;

static gboolean
count(const VmifsRange *range, gpointer user)
{
	Seen *seen = user;

	if (range->kind == VMIFS_RANGE_PAGE)
		seen->pages += range->len / TABLE;
	if (seen->pages % 65536 == 0)
		seen->most = MAX(seen->most, allocated());
	return TRUE;
}

static Cost
walk(VmifsAspace *aspace)
{
	gsize before = allocated();
	guint64 start = now();
	Seen seen = { .most = before };

	if (!vmifs_aspace_visit(aspace, 0, (1ull << 47) - 1, G_MAXUINT64, count, &seen, NULL,
				NULL) ||
	    seen.pages != N_PAGES)
		fail("walk", NULL);
	return (Cost){ now() - start, seen.most - before };
}

static Cost
text(VmifsAspace *aspace)
{
	static char buf[128 << 10];
	gsize before = allocated(), most = before, n;
	guint64 start = now(), off = 0, lines = 0;
	VmifsPtmap *ptmap = vmifs_ptmap_new(aspace, (1ull << 47) - 1);

	while ((n = vmifs_ptmap_read(ptmap, aspace, off, buf, sizeof buf, NULL, NULL))) {
		off += n;
		most = MAX(most, allocated());
		for (const char *at = buf; (at = memchr(at, '\n', (gsize) (buf + n - at))); at++)
			lines++;
	}
	vmifs_ptmap_free(ptmap);
	if (lines != N_PAGES)
		fail("ptmap", NULL);
	return (Cost){ now() - start, most - before };
}

static int
compare(gconstpointer a, gconstpointer b)
{
	const Cost *x = a, *y = b;

	return x->ns < y->ns ? -1 : x->ns > y->ns;
}

static void
measure(const char *name, Cost (*run)(VmifsAspace *), VmifsAspace *aspace, guint turns)
{
	Cost costs[MAX_TURNS];

	for (guint i = 0; i < turns; i++)
		costs[i] = run(aspace);
	qsort(costs, turns, sizeof *costs, compare);
	printf("%s\t%.2f\t%.0f\n", name, (double) costs[turns / 2].ns / 1e6,
	       (double) costs[turns / 2].bytes / 1024);
}

int
main(int argc, char **argv)
{
	guint turns = argc > 1 ? (guint) atoi(argv[1]) : 7;
	VmifsOptions options = { .size = sizeof options };
	g_autoptr(GError) error = NULL;
	g_autoptr(VmifsHost) host = vmifs_host_new(&options, &error);
	g_autofree char *path = g_strdup_printf("%s/tables.%d", g_get_tmp_dir(), getpid());
	gboolean added;

	if (turns < 1 || turns > MAX_TURNS) {
		fprintf(stderr, "usage: tables [TURNS]\n");
		return 2;
	}
	make_image(path);
	added = host && vmifs_host_add(host, path, &error);
	unlink(path);
	if (!added)
		fail(path, error);
	g_autoptr(GPtrArray) guests = vmifs_host_guests(host);
	g_autoptr(VmifsPhysmem) mem = vmifs_guest_physmem(g_ptr_array_index(guests, 0));
	VmifsPaging paging = { .mode = &vmifs_archs[0]->modes[0], .root = ROOT };
	g_autoptr(VmifsAspace) aspace = vmifs_aspace_new(mem, &paging, NULL);

	measure("walk of 2^20 pages", walk, aspace, turns);
	measure("ptmap of 2^20 pages", text, aspace, turns);
	return 0;
}
