/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * ram: a table of blocks, the regions made of them, and what was seen of their pages an instant
 * ago. A megabyte of a guest's memory can be hundreds of runs of data and holes, each of which the
 * engine asks for: so what one look has told of 512 pages serves for a millisecond. But what was
 * not in the process before the guest stopped is looked at again: it may have been written to
 * since.
 */
#include "ram.h"

#include <errno.h>
#include <string.h>

#define INSTANT G_TIME_SPAN_MILLISECOND
/* So long what is there is taken to be there: a page that goes meanwhile (a balloon takes it) is
 * made anew by who reads it, as it is by who read it just now. */
#define A_WHILE (20 * G_TIME_SPAN_MILLISECOND)
#define N_SEEN 256

typedef struct {
	guint32 block;
	guint64 first_page;
	gint64 since; /* when; 0 = nothing was seen */
	gint n_stops; /* that were before it */
	QemuWindow window;
} Seen;

struct QemuRam {
	QemuProcess *process;
	/* Only ever longer: who has a number needs no lock. */
	QemuBlock *blocks[QEMU_MAX_BLOCKS];
	gint n_blocks;   /* atomic */
	GMutex lock;     /* of regions, and of who makes blocks longer */
	GArray *regions; /* of VmifsRegion */
	GMutex seen_lock;
	Seen seen[N_SEEN]; /* under seen_lock; placed by block and page */
	gint n_writes;     /* atomic: what was seen before one is not to be believed */
	gint n_stops;      /* atomic: nor what was not in the process */
	QemuOwed *owed;    /* (nullable) */
	gint is_owed;      /* atomic: as last asked */
};

/* ---- life ---- */

QemuRam *
qemu_ram_new(QemuProcess *process)
{
	QemuRam *ram = g_new0(QemuRam, 1);

	ram->process = process;
	g_mutex_init(&ram->lock);
	g_mutex_init(&ram->seen_lock);
	ram->regions = g_array_new(FALSE, FALSE, sizeof(VmifsRegion));
	return ram;
}

void
qemu_ram_free(QemuRam *ram)
{
	if (!ram)
		return;
	for (gint i = 0; i < ram->n_blocks; i++)
		qemu_block_free(ram->blocks[i]);
	g_array_unref(ram->regions);
	g_mutex_clear(&ram->lock);
	g_mutex_clear(&ram->seen_lock);
	g_free(ram);
}

/* ---- layout ---- */

/* A block as the pieces tell of it. */
typedef struct {
	const char *name;
	guint64 address, len;
	guint32 number;
} Wanted;

static gboolean
refuse(const QemuPiece *piece, const char *why, GError **error)
{
	g_set_error(error, VMIFS_ERROR, VMIFS_ERROR_CORRUPT,
		    "memory at %#" G_GINT64_MODIFIER "x (%s): %s", piece->pa, piece->block, why);
	return FALSE;
}

static gboolean
check_piece(const QemuPiece *piece, const QemuPiece *before, GError **error)
{
	guint64 end;

	if (!piece->len || __builtin_add_overflow(piece->pa, piece->len, &end) ||
	    __builtin_add_overflow(piece->offset, piece->len, &end) ||
	    __builtin_add_overflow(piece->address, piece->len, &end) ||
	    piece->address < piece->offset)
		return refuse(piece, "its numbers make no sense", error);
	if (before && (piece->pa < before->pa || piece->pa - before->pa < before->len))
		return refuse(piece, "something else is there, too", error);
	return TRUE;
}

/* The block of that piece, which grows to hold it. */
static Wanted *
want(GArray *wanted, const QemuPiece *piece)
{
	guint64 address = piece->address - piece->offset;

	for (guint i = 0; i < wanted->len; i++) {
		Wanted *block = &g_array_index(wanted, Wanted, i);
		if (block->address != address || !g_str_equal(block->name, piece->block))
			continue;
		block->len = MAX(block->len, piece->offset + piece->len);
		return block;
	}
	Wanted block = { .name = piece->block,
			 .address = address,
			 .len = piece->offset + piece->len };
	g_array_append_val(wanted, block);
	return &g_array_index(wanted, Wanted, wanted->len - 1);
}

static gboolean
want_all(GArray *wanted, const GArray *pieces, GError **error)
{
	for (guint i = 0; i < pieces->len; i++) {
		const QemuPiece *piece = &g_array_index(pieces, QemuPiece, i);
		if (!check_piece(piece, i ? piece - 1 : NULL, error))
			return FALSE;
		want(wanted, piece);
		if (wanted->len > QEMU_MAX_BLOCKS / 4 || pieces->len > QEMU_MAX_PIECES)
			return refuse(piece, "there are too many", error);
	}
	return TRUE;
}

/* Under lock. Gives it the number of the block that it is, or makes one. */
static gboolean
number_block(QemuRam *ram, Wanted *wanted, const GArray *maps)
{
	gint n = ram->n_blocks;

	for (gint i = 0; i < n; i++) {
		if (qemu_block_is_retired(ram->blocks[i]) ||
		    !qemu_block_is(ram->blocks[i], wanted->name, wanted->address, wanted->len,
				   maps))
			continue;
		wanted->number = (guint32) i;
		return TRUE;
	}
	if (n == QEMU_MAX_BLOCKS)
		return FALSE;
	ram->blocks[n] =
		qemu_block_new(ram->process, wanted->name, wanted->address, wanted->len, maps);
	g_atomic_int_set(&ram->n_blocks, n + 1);
	wanted->number = (guint32) n;
	return TRUE;
}

/* Under lock. */
static void
retire_others(QemuRam *ram, const GArray *wanted)
{
	g_autofree gboolean *is_wanted = g_new0(gboolean, (gsize) ram->n_blocks + 1);

	for (guint i = 0; i < wanted->len; i++)
		is_wanted[g_array_index(wanted, Wanted, i).number] = TRUE;
	for (gint i = 0; i < ram->n_blocks; i++) {
		if (!is_wanted[i] && !qemu_block_is_retired(ram->blocks[i]))
			qemu_block_retire(ram->blocks[i]);
	}
}

static gboolean
are_same(const GArray *a, const GArray *b)
{
	return a->len == b->len && !memcmp(a->data, b->data, a->len * sizeof(VmifsRegion));
}

gboolean
qemu_ram_set_pieces(QemuRam *ram, const GArray *pieces, const GArray *maps, gboolean *ret_changed,
		    GError **error)
{
	g_autoptr(GArray) wanted = g_array_new(FALSE, FALSE, sizeof(Wanted));
	g_autoptr(GArray) regions = g_array_new(FALSE, TRUE, sizeof(VmifsRegion));

	if (!pieces->len) {
		g_set_error_literal(error, VMIFS_ERROR, VMIFS_ERROR_CORRUPT, "it has no memory");
		return FALSE;
	}
	if (!want_all(wanted, pieces, error))
		return FALSE;
	g_autoptr(GMutexLocker) locker = g_mutex_locker_new(&ram->lock);
	for (guint i = 0; i < wanted->len; i++) {
		if (!number_block(ram, &g_array_index(wanted, Wanted, i), maps)) {
			g_set_error_literal(error, VMIFS_ERROR, VMIFS_ERROR_NO_SPACE,
					    "its memory was plugged and unplugged too often");
			return FALSE;
		}
	}
	for (guint i = 0; i < pieces->len; i++) {
		const QemuPiece *piece = &g_array_index(pieces, QemuPiece, i);
		g_array_set_size(regions, i + 1);
		VmifsRegion *region = &g_array_index(regions, VmifsRegion, i);
		region->pa = piece->pa;
		region->len = piece->len;
		region->block = want(wanted, piece)->number;
		region->offset = piece->offset;
		region->kind = piece->kind;
	}
	*ret_changed = !are_same(regions, ram->regions);
	g_array_unref(ram->regions);
	ram->regions = g_steal_pointer(&regions);
	retire_others(ram, wanted);
	return TRUE;
}

/* QEMU's names as names of files, each once: devices of one kind share theirs. taken: those of
 * before, and to which number each was counted up, for there may be thousands of one name. (full)
 */
static char *
file_name(GHashTable *taken, const QemuBlock *block)
{
	g_autofree char *own = qemu_piece_file_name(qemu_block_name(block));
	char *base = g_strconcat(own, qemu_block_is_retired(block) ? "~gone" : "", NULL);
	guint n = GPOINTER_TO_UINT(g_hash_table_lookup(taken, base));
	char *name = *base && !n ? g_strdup(base) : NULL;
	n = MAX(n, 1);
	while (!name || (n > 1 && g_hash_table_contains(taken, name))) {
		g_free(name);
		name = g_strdup_printf("%s~%u", base, ++n);
	}
	g_hash_table_replace(taken, base, GUINT_TO_POINTER(n));
	if (n > 1)
		g_hash_table_replace(taken, g_strdup(name), GUINT_TO_POINTER(1));
	return name;
}

void
qemu_ram_layout(QemuRam *ram, VmifsLayout *ret)
{
	g_autoptr(GHashTable) taken = g_hash_table_new_full(g_str_hash, g_str_equal, g_free, NULL);
	/* Nobody would be told by the file itself that something is missing. */
	gboolean is_owed = qemu_ram_is_owed(ram);
	g_autoptr(GMutexLocker) locker = g_mutex_locker_new(&ram->lock);
	gint n = ram->n_blocks;

	/* The last ones that are gone need not be told. */
	while (n > 0 && qemu_block_is_retired(ram->blocks[n - 1]))
		n--;
	for (gint i = 0; i < n; i++) {
		const QemuBlock *block = ram->blocks[i];
		gboolean is_gone = qemu_block_is_retired(block);
		VmifsBlock told = { .name = file_name(taken, block),
				    .len = is_gone ? 0 : qemu_block_len(block),
				    .sparse = !is_gone && qemu_block_is_sparse(block),
				    .fd = is_gone || is_owed ? -1 : qemu_block_fd(block) };
		g_array_append_val(ret->blocks, told);
	}
	g_array_append_vals(ret->regions, ram->regions->data, ram->regions->len);
}

guint
qemu_ram_n_blocks(const QemuRam *ram)
{
	return (guint) g_atomic_int_get(&ram->n_blocks);
}

const QemuBlock *
qemu_ram_block(const QemuRam *ram, guint32 number)
{
	return ram->blocks[number];
}

gboolean
qemu_ram_map(QemuRam *ram, guint32 number, VmifsDirect *ret)
{
	QemuBlock *block = ram->blocks[number];
	VmifsMapping *mapping = qemu_block_is_retired(block) ? NULL : qemu_block_mapping(block);

	if (!mapping)
		return FALSE;
	*ret = (VmifsDirect){ .mapping = vmifs_mapping_ref(mapping), .to_kernel = TRUE };
	return TRUE;
}

void
qemu_ram_info(QemuRam *ram, GString *out)
{
	for (gint i = 0; i < g_atomic_int_get(&ram->n_blocks); i++) {
		const QemuBlock *block = ram->blocks[i];
		g_autofree char *name = g_strescape(qemu_block_name(block), NULL);
		if (!qemu_block_is_retired(block))
			g_string_append_printf(out, "block %s: %" G_GUINT64_FORMAT " kB, %s\n",
					       name, qemu_block_len(block) / 1024,
					       qemu_block_describe(block));
	}
}

/* ---- which pages are there ---- */

typedef enum { HOLE, PROCESS, A_FILE, OWED } Place;

static Place
place_of(const QemuWindow *window, gsize page)
{
	if (qemu_window_is_set(window->in_process, page))
		return PROCESS;
	return qemu_window_is_set(window->in_file, page) ? A_FILE : HOLE;
}

/* The first page behind this one that is at no such place, or the window's end. */
static gsize
end_of(const QemuWindow *window, gsize page, Place place)
{
	gsize word = page / 64;
	guint64 after = ~(guint64) 0 << page % 64;

	for (; word < G_N_ELEMENTS(window->in_process); word++, after = ~(guint64) 0) {
		guint64 process = window->in_process[word], file = window->in_file[word];
		guint64 other = place == PROCESS  ? ~process
				: place == A_FILE ? process | ~file
						  : process | file;
		if (other & after)
			return word * 64 + (gsize) __builtin_ctzll(other & after);
	}
	return QEMU_PRESENCE_PAGES;
}

/* Of the 512 pages among which this one is. */
static void
look(QemuRam *ram, guint32 number, guint64 page, QemuWindow *ret)
{
	guint64 first_page = page - page % QEMU_PRESENCE_PAGES;
	Seen *seen = &ram->seen[(number * 7 + first_page / QEMU_PRESENCE_PAGES) % N_SEEN];
	gint64 now = g_get_monotonic_time();
	gint n_writes = g_atomic_int_get(&ram->n_writes);
	gint n_stops = g_atomic_int_get(&ram->n_stops);

	g_mutex_lock(&ram->seen_lock);
	gboolean is_there = place_of(&seen->window, page % QEMU_PRESENCE_PAGES) == PROCESS;
	gboolean is_known = seen->since && seen->block == number && seen->first_page == first_page;
	is_known &= is_there ? now - seen->since < A_WHILE
			     : now - seen->since < INSTANT && seen->n_stops == n_stops;
	if (is_known)
		*ret = seen->window;
	g_mutex_unlock(&ram->seen_lock);
	if (is_known)
		return;

	qemu_block_look(ram->blocks[number], first_page, ret);
	g_mutex_lock(&ram->seen_lock);
	if (n_writes == g_atomic_int_get(&ram->n_writes))
		*seen = (Seen){ .block = number,
				.first_page = first_page,
				.since = now,
				.n_stops = n_stops,
				.window = *ret };
	g_mutex_unlock(&ram->seen_lock);
}

static void
forget(QemuRam *ram)
{
	g_mutex_lock(&ram->seen_lock);
	g_atomic_int_inc(&ram->n_writes);
	for (guint i = 0; i < N_SEEN; i++)
		ram->seen[i].since = 0;
	g_mutex_unlock(&ram->seen_lock);
}

void
qemu_ram_stopped(QemuRam *ram)
{
	g_atomic_int_inc(&ram->n_stops);
}

void
qemu_ram_expect(QemuRam *ram, QemuOwed *owed)
{
	ram->owed = owed;
}

gboolean
qemu_ram_is_owed(QemuRam *ram)
{
	gboolean is_owed = ram->owed && qemu_owed_any(ram->owed);

	/* The last have come: what was seen before is no hole. */
	if (ram->owed && g_atomic_int_exchange(&ram->is_owed, is_owed) > is_owed)
		forget(ram);
	return is_owed;
}

/* Where the byte at offset is, and for how many bytes that goes on, at most to the end of what was
 * looked at. */
static Place
place_at(QemuRam *ram, guint32 number, guint64 offset, guint64 *ret_len)
{
	guint64 size = qemu_block_page(ram->blocks[number]), page = offset / size;
	QemuWindow window;
	gsize i = page % QEMU_PRESENCE_PAGES;
	/* Before that is looked at: what comes in between is no hole. */
	gboolean is_owed = qemu_ram_is_owed(ram);

	look(ram, number, page, &window);
	Place place = place_of(&window, i);
	*ret_len = (page - i + end_of(&window, i, place)) * size - offset;
	return place == HOLE && is_owed ? OWED : place;
}

gboolean
qemu_ram_extent(QemuRam *ram, guint32 number, guint64 offset, gboolean *ret_data, guint64 *ret_len)
{
	const QemuBlock *block = ram->blocks[number];

	if (qemu_block_is_retired(block) || !qemu_block_is_sparse(block))
		return FALSE;
	*ret_data = place_at(ram, number, offset, ret_len) != HOLE;
	return TRUE;
}

/* ---- bytes ---- */

static void
read_element(QemuRam *ram, VmifsIo *io, gsize index, GArray *transfers, GArray *owners)
{
	const QemuBlock *block = ram->blocks[io->block];
	guint64 len;

	io->status = qemu_block_is_retired(block) ? ESTALE : 0;
	for (gsize done = 0, n; done < io->len && !io->status; done += n) {
		guint64 offset = io->offset + done;
		guint8 *buf = (guint8 *) io->buf + done;
		Place place = place_at(ram, io->block, offset, &len);
		n = (gsize) MIN(len, io->len - done);
		if (place == OWED) {
			io->status = EIO;
		} else if (place == HOLE) {
			memset(buf, 0, n);
		} else if (place == A_FILE) {
			io->status = qemu_block_read_file(block, offset, buf, n);
		} else {
			QemuTransfer transfer = { .address = qemu_block_address(block) + offset,
						  .buf = buf,
						  .len = n };
			g_array_append_val(transfers, transfer);
			g_array_append_val(owners, index);
		}
	}
}

static gsize
count_good(VmifsIo *io, gsize n, const GArray *transfers, const GArray *owners)
{
	gsize good = 0;

	for (guint i = 0; i < transfers->len; i++) {
		int status = g_array_index(transfers, QemuTransfer, i).status;
		if (status)
			io[g_array_index(owners, gsize, i)].status = status;
	}
	for (gsize i = 0; i < n; i++)
		good += !io[i].status;
	return good;
}

gsize
qemu_ram_read(QemuRam *ram, VmifsIo *io, gsize n)
{
	g_autoptr(GArray) transfers = g_array_new(FALSE, FALSE, sizeof(QemuTransfer));
	g_autoptr(GArray) owners = g_array_new(FALSE, FALSE, sizeof(gsize));

	for (gsize i = 0; i < n; i++)
		read_element(ram, &io[i], i, transfers, owners);
	qemu_process_read(ram->process, (QemuTransfer *) (gpointer) transfers->data,
			  transfers->len);
	return count_good(io, n, transfers, owners);
}

gboolean
qemu_ram_read_pa(QemuRam *ram, guint64 pa, gpointer buf, gsize len)
{
	g_autoptr(GMutexLocker) locker = g_mutex_locker_new(&ram->lock);

	for (guint i = 0; i < ram->regions->len; i++) {
		const VmifsRegion *region = &g_array_index(ram->regions, VmifsRegion, i);
		if (pa - region->pa >= region->len)
			continue;
		VmifsIo io = { .block = region->block,
			       .offset = region->offset + (pa - region->pa),
			       .buf = buf,
			       .len = len };
		return len <= region->len - (pa - region->pa) && qemu_ram_read(ram, &io, 1);
	}
	return FALSE;
}

/* Who writes to what has not come waits for it. */
static int
check_writable(QemuRam *ram, const VmifsIo *io)
{
	guint64 len;

	if (qemu_block_is_retired(ram->blocks[io->block]))
		return ESTALE;
	if (!qemu_ram_is_owed(ram))
		return 0;
	for (gsize done = 0; done < io->len; done += MIN(len, io->len - done))
		if (place_at(ram, io->block, io->offset + done, &len) == OWED)
			return EIO;
	return 0;
}

/* By the process, whatever the backing: pages appear as if the guest had written them. */
gsize
qemu_ram_write(QemuRam *ram, VmifsIo *io, gsize n)
{
	g_autoptr(GArray) transfers = g_array_new(FALSE, FALSE, sizeof(QemuTransfer));
	g_autoptr(GArray) owners = g_array_new(FALSE, FALSE, sizeof(gsize));

	for (gsize i = 0; i < n; i++) {
		const QemuBlock *block = ram->blocks[io[i].block];
		QemuTransfer transfer = { .address = qemu_block_address(block) + io[i].offset,
					  .buf = io[i].buf,
					  .len = io[i].len };
		io[i].status = check_writable(ram, &io[i]);
		if (io[i].status)
			continue;
		g_array_append_val(transfers, transfer);
		g_array_append_val(owners, i);
	}
	qemu_process_write(ram->process, (QemuTransfer *) (gpointer) transfers->data,
			   transfers->len);
	forget(ram);
	return count_good(io, n, transfers, owners);
}
