/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * acpi: the pointer to the root table (RSDP) lies below 1 MiB under SeaBIOS. Others keep it
 * elsewhere: there the root table itself is looked for. ACPI 6.4, 5.2.5 to 5.2.8.
 */
#include "acpi.h"

#include <string.h>
#include <spi/bytes.h>

#define LOW_FROM ((guint64) 0xe0000)
#define LOW_TO ((guint64) 0x100000)
#define HEADER 36
#define MAX_ROOT 4096                 /* of RSDT and XSDT: 500 tables */
#define MAX_TABLE ((guint32) 1 << 20) /* a DSDT with many devices has 100 kB */
#define MAX_ENTRIES 64                /* that are looked at */
#define MAX_LOOK ((gsize) 64 << 20)   /* bytes of all tables, and what looks like one */
#define NEAR_END ((guint64) 128 << 20)
#define PART ((gsize) 64 << 10)

typedef struct {
	QemuReadPa read;
	gpointer user;
	gsize left; /* bytes of tables that may still be read: a guest can make up millions */
} Memory;

static gboolean
sums_to_zero(const guint8 *bytes, gsize len)
{
	guint8 sum = 0;

	for (gsize i = 0; i < len; i++)
		sum = (guint8) (sum + bytes[i]);
	return sum == 0;
}

/* A whole table of at most max bytes. Returns: (full) NULL when there is none. */
static guint8 *
read_table(Memory *memory, guint64 pa, guint32 max, guint32 *ret_len)
{
	guint8 header[HEADER];

	if (memory->left < HEADER || !memory->read(memory->user, pa, header, sizeof header))
		return NULL;
	memory->left -= HEADER;
	for (guint i = 0; i < 4; i++) {
		if (!g_ascii_isupper(header[i]) && !g_ascii_isdigit(header[i]))
			return NULL;
	}
	guint32 len = vmifs_load_u32(header + 4);
	if (len < HEADER || len > max || len > memory->left)
		return NULL;
	memory->left -= len;
	g_autofree guint8 *table = g_malloc(len);
	if (!memory->read(memory->user, pa, table, len) || !sums_to_zero(table, len))
		return NULL;
	*ret_len = len;
	return g_steal_pointer(&table);
}

/* Is there a root table that leads to two others at least? */
static gboolean
is_root(Memory *memory, guint64 pa)
{
	guint32 len, other_len;
	g_autofree guint8 *root = read_table(memory, pa, MAX_ROOT, &len);
	guint n_good = 0;

	if (!root || (memcmp(root, "RSDT", 4) && memcmp(root, "XSDT", 4)))
		return FALSE;
	guint size = root[0] == 'X' ? 8 : 4;
	for (guint i = 0; i < MAX_ENTRIES && HEADER + (i + 1) * size <= len && n_good < 2; i++) {
		const guint8 *entry = root + HEADER + i * size;
		guint64 at = size == 8 ? vmifs_load_u64(entry) : vmifs_load_u32(entry);
		g_autofree guint8 *table = read_table(memory, at, MAX_TABLE, &other_len);
		n_good += table != NULL;
	}
	return n_good == 2;
}

static gboolean
is_where_it_should_be(guint64 pa, guint64 low)
{
	return pa < LOW_TO || (pa < low && low - pa <= NEAR_END);
}

/* The root table that an RSDP leads to. */
static guint64
follow_pointer(Memory *memory, guint64 low)
{
	guint8 area[LOW_TO - LOW_FROM];

	for (gsize at = 0; at < sizeof area; at += 4096) {
		if (!memory->read(memory->user, LOW_FROM + at, area + at, 4096))
			memset(area + at, 0, 4096);
	}
	for (gsize at = 0; at + HEADER <= sizeof area; at += 16) {
		const guint8 *rsdp = area + at;
		if (memcmp(rsdp, "RSD PTR ", 8) || !sums_to_zero(rsdp, 20))
			continue;
		guint64 pa = rsdp[15] >= 2 ? vmifs_load_u64(rsdp + 24) : 0;
		if (!pa)
			pa = vmifs_load_u32(rsdp + 16);
		if (is_where_it_should_be(pa, low) && is_root(memory, pa))
			return pa;
	}
	return 0;
}

/* A root table that begins in the part at pa. */
static guint64
search_part(Memory *memory, guint64 pa, guint8 *part)
{
	const guint8 *end = part + PART, *name = part;

	if (!memory->read(memory->user, pa, part, PART))
		return 0;
	/* They follow each other at any address. */
	while ((name = memmem(name, (gsize) (end - name), "SDT", 3))) {
		guint64 at = pa + (guint64) (name - part) - 1;
		if (name > part && (name[-1] == 'X' || name[-1] == 'R') && is_root(memory, at))
			return at;
		name += 3;
	}
	return 0;
}

/* The root table itself, by its name: below 1 MiB, then at the end of that RAM. */
static guint64
search(Memory *memory, guint64 low)
{
	g_autofree guint8 *part = g_malloc(PART);
	guint64 to = low / PART * PART, from = to > NEAR_END ? to - NEAR_END : 0, found = 0;

	for (guint64 at = LOW_FROM; at < LOW_TO && !found; at += PART)
		found = search_part(memory, at, part);
	for (guint64 at = to; at > MAX(from, LOW_TO) && !found; at -= PART)
		found = search_part(memory, at - PART, part);
	return found;
}

guint64
qemu_acpi_find(QemuReadPa read, gpointer user, guint64 low)
{
	Memory memory = { read, user, MAX_LOOK };
	guint64 pa = follow_pointer(&memory, low);

	return pa ? pa : search(&memory, low);
}
