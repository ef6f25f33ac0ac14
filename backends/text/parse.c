/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * parse: the text, line by line: where memory lies, then what is in it. docs/text-guest.md
 * describes the lines. Each is one word that chooses a row of a table, and its arguments.
 */
#include "text.h"

#include <errno.h>
#include <string.h>
#include <vmifs/text.h>
#include <spi/bytes.h>

#define PAGE VMIFS_TEXT_PAGE
#define MAX_WORDS 4096
#define MAX_LEN ((guint64) 1 << 56)

typedef struct {
	VmifsTextGuest *guest;
	char **words; /* of the current line, after the first */
	guint n_words;
	const char *rest; /* of the current line, after the address, for quoted strings */
} Parser;

static gboolean
bad(GError **error, const char *format, ...) G_GNUC_PRINTF(2, 3);

static gboolean
bad(GError **error, const char *format, ...)
{
	va_list args;

	va_start(args, format);
	if (error && !*error)
		*error = g_error_new_valist(VMIFS_ERROR, VMIFS_ERROR_SOURCE, format, args);
	va_end(args);
	return FALSE;
}

/* ---- words ---- */

/* Decimal or 0x, with K, M, G, T for powers of 1024. */
static gboolean
parse_number(const char *word, guint64 *ret, GError **error)
{
	static const char units[] = "KMGT";
	char *end;
	guint64 value;
	const char *unit;

	if (!g_ascii_isdigit(*word))
		return bad(error, "'%s' is not a number", word);
	errno = 0;
	value = g_ascii_strtoull(word, &end, g_str_has_prefix(word, "0x") ? 16 : 10);
	if (errno)
		return bad(error, "'%s' does not fit into 64 bits", word);
	if (*end && (unit = strchr(units, *end))) {
		int shift = 10 * (int) (unit - units + 1);
		if (value << shift >> shift != value)
			return bad(error, "'%s' does not fit into 64 bits", word);
		value <<= shift;
		end++;
	}
	if (*end)
		return bad(error, "'%s' is not a number", word);
	*ret = value;
	return TRUE;
}

/* ---- memory ---- */

static void
block_free(gpointer data)
{
	VmifsTextBlock *block = data;

	g_free(block->name);
	g_hash_table_unref(block->pages);
	g_clear_pointer(&block->numbers, g_array_unref);
	g_free(block);
}

static gboolean
find_block(VmifsTextGuest *guest, const char *name, guint32 *ret)
{
	for (guint32 i = 0; i < guest->blocks->len; i++) {
		const VmifsTextBlock *block = g_ptr_array_index(guest->blocks, i);
		if (g_str_equal(block->name, name)) {
			*ret = i;
			return TRUE;
		}
	}
	return FALSE;
}

static guint32
add_block(VmifsTextGuest *guest, const char *name)
{
	VmifsTextBlock *block = g_new0(VmifsTextBlock, 1);

	block->name = g_strdup(name);
	block->pages = g_hash_table_new_full(g_int64_hash, g_int64_equal, g_free, g_free);
	g_ptr_array_add(guest->blocks, block);
	return guest->blocks->len - 1;
}

static char *
free_name(VmifsTextGuest *guest, const char *prefix)
{
	guint32 found;

	for (guint i = guest->blocks->len;; i++) {
		g_autofree char *name = g_strdup_printf("%s%u", prefix, i);
		if (!find_block(guest, name, &found))
			return g_steal_pointer(&name);
	}
}

/* [NAME[+OFFSET]]: a block of that name, known or new; without a name a new one. */
static gboolean
parse_place(Parser *p, VmifsRegion *region, GError **error)
{
	g_autofree char *name = NULL;

	region->offset = 0;
	if (p->n_words < 3) {
		name = free_name(p->guest, region->kind == VMIFS_REGION_ROM ? "rom" : "ram");
	} else {
		const char *plus = strchr(p->words[2], '+');
		name = g_strndup(p->words[2],
				 plus ? (gsize) (plus - p->words[2]) : strlen(p->words[2]));
		if (plus && !parse_number(plus + 1, &region->offset, error))
			return FALSE;
	}
	if (!vmifs_text_is_file_name(name))
		return bad(error, "'%s' cannot be the name of a file", name);
	if (!vmifs_in_bounds(region->offset, region->len, MAX_LEN))
		return bad(error, "a block has at most 2^56 bytes");
	if (!find_block(p->guest, name, &region->block))
		region->block = add_block(p->guest, name);
	VmifsTextBlock *block = g_ptr_array_index(p->guest->blocks, region->block);
	block->len = MAX(block->len, region->offset + region->len);
	return TRUE;
}

static gboolean
add_region(Parser *p, VmifsRegionKind kind, GError **error)
{
	VmifsRegion region = { .kind = kind };
	GArray *regions = p->guest->regions;

	if (p->n_words < 2 || p->n_words > 3)
		return bad(error, "START LENGTH [NAME[+OFFSET]] is expected");
	if (!parse_number(p->words[0], &region.pa, error) ||
	    !parse_number(p->words[1], &region.len, error))
		return FALSE;
	if (!region.len || region.len > G_MAXUINT64 - region.pa)
		return bad(error, "memory of %s bytes at %s is not possible", p->words[1],
			   p->words[0]);
	if (regions->len >= VMIFS_TEXT_MAX_REGIONS)
		return bad(error, "more than %d pieces of memory", VMIFS_TEXT_MAX_REGIONS);
	for (guint i = 0; i < regions->len; i++) {
		const VmifsRegion *r = &g_array_index(regions, VmifsRegion, i);
		if (r->pa - region.pa < region.len || region.pa - r->pa < r->len)
			return bad(error, "memory overlaps other memory");
	}
	if (!parse_place(p, &region, error))
		return FALSE;
	g_array_append_val(regions, region);
	return TRUE;
}

static gboolean
add_ram(Parser *p, guint width, GError **error)
{
	return add_region(p, VMIFS_REGION_RAM, error);
}

static gboolean
add_rom(Parser *p, guint width, GError **error)
{
	return add_region(p, VMIFS_REGION_ROM, error);
}

/* ---- content ---- */

static guint8 *
page_for(VmifsTextGuest *guest, const VmifsRegion *region, guint64 pa, GError **error)
{
	VmifsTextBlock *block = g_ptr_array_index(guest->blocks, region->block);
	guint64 number = (region->offset + (pa - region->pa)) / PAGE;
	guint8 *page = g_hash_table_lookup(block->pages, &number);

	if (page)
		return page;
	if (guest->n_pages >= VMIFS_TEXT_MAX_PAGES) {
		bad(error, "more than %d pages of content", VMIFS_TEXT_MAX_PAGES);
		return NULL;
	}
	guest->n_pages++;
	page = g_malloc0(PAGE);
	g_hash_table_insert(block->pages, g_memdup2(&number, sizeof number), page);
	return page;
}

/* bytes: NULL = len times `byte`. */
static gboolean
store(VmifsTextGuest *guest, guint64 pa, const guint8 *bytes, guint8 byte, guint64 len,
      GError **error)
{
	while (len) {
		const VmifsRegion *region = NULL;
		for (guint i = 0; i < guest->regions->len && !region; i++) {
			const VmifsRegion *r = &g_array_index(guest->regions, VmifsRegion, i);
			if (pa >= r->pa && pa - r->pa < r->len)
				region = r;
		}
		if (!region)
			return bad(error, "no memory at %#" G_GINT64_MODIFIER "x", pa);
		guint64 at = region->offset + (pa - region->pa);
		gsize n = MIN(MIN(len, PAGE - at % PAGE), region->len - (pa - region->pa));
		guint8 *page = page_for(guest, region, pa, error);
		if (!page)
			return FALSE;
		if (bytes) {
			memcpy(page + at % PAGE, bytes, n);
			bytes += n;
		} else {
			memset(page + at % PAGE, byte, n);
		}
		pa += n;
		len -= n;
	}
	return TRUE;
}

/* ADDRESS VALUE... */
static gboolean
add_numbers(Parser *p, guint width, GError **error)
{
	guint64 pa, value;

	if (p->n_words < 2)
		return bad(error, "ADDRESS VALUE... is expected");
	if (!parse_number(p->words[0], &pa, error))
		return FALSE;
	for (guint i = 1; i < p->n_words; i++, pa += width) {
		if (!parse_number(p->words[i], &value, error))
			return FALSE;
		if (width < 8 && value >> (8 * width))
			return bad(error, "%s has more than %u bytes", p->words[i], width);
		value = GUINT64_TO_LE(value);
		if (!store(p->guest, pa, (const guint8 *) &value, 0, width, error))
			return FALSE;
	}
	return TRUE;
}

/* ADDRESS HEX...: any number of digits in each word, in pairs. */
static gboolean
add_bytes(Parser *p, guint width, GError **error)
{
	guint64 pa;

	if (p->n_words < 2)
		return bad(error, "ADDRESS HEX... is expected");
	if (!parse_number(p->words[0], &pa, error))
		return FALSE;
	for (guint i = 1; i < p->n_words; i++) {
		for (const char *c = p->words[i]; *c; c += 2, pa++) {
			int high = g_ascii_xdigit_value(c[0]);
			int low = high < 0 ? -1 : g_ascii_xdigit_value(c[1]);
			if (low < 0)
				return bad(error, "'%s' is not pairs of hex digits", p->words[i]);
			guint8 byte = (guint8) (high << 4 | low);
			if (!store(p->guest, pa, &byte, 0, 1, error))
				return FALSE;
		}
	}
	return TRUE;
}

/* ADDRESS "text", with C's \n \t \\ \" \0 and \xHH. */
static gboolean
add_string(Parser *p, guint width, GError **error)
{
	static const char names[] = "nt\\\"0", values[] = "\n\t\\\"";
	const char *c = p->rest;
	guint64 pa;

	if (p->n_words < 2 || *c++ != '"')
		return bad(error, "ADDRESS \"TEXT\" is expected");
	if (!parse_number(p->words[0], &pa, error))
		return FALSE;
	for (; *c && *c != '"'; c++, pa++) {
		guint8 byte = (guint8) *c;
		if (byte == '\\') {
			const char *name = *++c ? strchr(names, *c) : NULL;
			if (name) {
				byte = (guint8) values[name - names];
			} else if (*c == 'x' && g_ascii_isxdigit(c[1]) && g_ascii_isxdigit(c[2])) {
				byte = (guint8) (g_ascii_xdigit_value(c[1]) << 4 |
						 g_ascii_xdigit_value(c[2]));
				c += 2;
			} else {
				return bad(error,
					   "an escape is one of \\n \\t \\\\ \\\" \\0 \\xHH");
			}
		}
		if (!store(p->guest, pa, &byte, 0, 1, error))
			return FALSE;
	}
	return *c == '"' && !c[1] ? TRUE : bad(error, "the text does not end in a quote");
}

/* ADDRESS LENGTH BYTE */
static gboolean
add_fill(Parser *p, guint width, GError **error)
{
	guint64 pa, len, byte;

	if (p->n_words != 3)
		return bad(error, "ADDRESS LENGTH BYTE is expected");
	if (!parse_number(p->words[0], &pa, error) || !parse_number(p->words[1], &len, error) ||
	    !parse_number(p->words[2], &byte, error))
		return FALSE;
	if (byte > 0xff)
		return bad(error, "%s has more than 1 byte", p->words[2]);
	return store(p->guest, pa, NULL, (guint8) byte, len, error);
}

/* ---- registers ---- */

/* VCPU NAME VALUE; vCPUs before it that have no line have no registers. */
static gboolean
add_reg(Parser *p, guint width, GError **error)
{
	GPtrArray *vcpus = p->guest->vcpus;
	guint64 vcpu, value;

	if (p->n_words != 3)
		return bad(error, "VCPU NAME VALUE is expected");
	if (!parse_number(p->words[0], &vcpu, error) || !parse_number(p->words[2], &value, error))
		return FALSE;
	if (vcpu >= VMIFS_TEXT_MAX_VCPUS)
		return bad(error, "more than %d vCPUs", VMIFS_TEXT_MAX_VCPUS);
	while (vcpus->len <= vcpu)
		g_ptr_array_add(vcpus, vmifs_regs_new());
	if (!vmifs_regs_set(g_ptr_array_index(vcpus, vcpu), p->words[1], value))
		return bad(error,
			   "%s cannot be added: a register's name has 1 to %d of a-z, 0-9 and _, "
			   "and a vCPU at most %d of them",
			   p->words[1], VMIFS_REG_NAME_LEN - 1, VMIFS_MAX_REGS);
	return TRUE;
}

/* ---- lines ---- */

static const struct {
	const char *word;
	gboolean (*add)(Parser *p, guint width, GError **error);
	guint width;
} verbs[] = {
	{ "ram", add_ram, 0 },     { "rom", add_rom, 0 },       { "u8", add_numbers, 1 },
	{ "u16", add_numbers, 2 }, { "u32", add_numbers, 4 },   { "u64", add_numbers, 8 },
	{ "bytes", add_bytes, 0 }, { "string", add_string, 0 }, { "fill", add_fill, 0 },
	{ "reg", add_reg, 0 },
};

static gboolean
parse_line(VmifsTextGuest *guest, char *line, GError **error)
{
	char *words[MAX_WORDS];
	Parser p = { .guest = guest, .words = words + 1, .rest = "" };
	guint n = 0;

	g_autofree char *copy = g_strdup(line);
	for (char *save, *word = strtok_r(copy, " \t", &save); word;
	     word = strtok_r(NULL, " \t", &save)) {
		if (*word == '#' && !(n && g_str_equal(words[0], "string")))
			break;
		if (n == MAX_WORDS)
			return bad(error, "more than %d words in one line", MAX_WORDS);
		if (n == 2)
			p.rest = line + (word - copy);
		words[n++] = word;
	}
	if (!n)
		return TRUE;
	p.n_words = n - 1;
	for (gsize i = 0; i < G_N_ELEMENTS(verbs); i++) {
		if (g_str_equal(words[0], verbs[i].word))
			return verbs[i].add(&p, verbs[i].width, error);
	}
	return bad(error,
		   "'%s' is not known; lines begin with ram, rom, u8, u16, u32, u64, bytes, "
		   "string, fill, reg or #",
		   words[0]);
}

static int
compare_regions(gconstpointer a, gconstpointer b)
{
	guint64 x = ((const VmifsRegion *) a)->pa, y = ((const VmifsRegion *) b)->pa;

	return (x > y) - (x < y);
}

static int
compare_numbers(gconstpointer a, gconstpointer b)
{
	guint64 x = *(const guint64 *) a, y = *(const guint64 *) b;

	return (x > y) - (x < y);
}

static void
finish(VmifsTextGuest *guest)
{
	g_array_sort(guest->regions, compare_regions);
	for (guint i = 0; i < guest->blocks->len; i++) {
		VmifsTextBlock *block = g_ptr_array_index(guest->blocks, i);
		GHashTableIter iter;
		gpointer number;
		block->numbers = g_array_new(FALSE, FALSE, sizeof(guint64));
		g_hash_table_iter_init(&iter, block->pages);
		while (g_hash_table_iter_next(&iter, &number, NULL))
			g_array_append_vals(block->numbers, number, 1);
		g_array_sort(block->numbers, compare_numbers);
	}
}

void
vmifs_text_guest_free(VmifsTextGuest *guest)
{
	g_ptr_array_unref(guest->blocks);
	g_array_unref(guest->regions);
	g_ptr_array_unref(guest->vcpus);
	g_free(guest);
}

VmifsTextGuest *
vmifs_text_guest_parse(const char *text, gsize len, GError **error)
{
	g_autoptr(VmifsTextGuest) guest = g_new0(VmifsTextGuest, 1);
	const char *at = text, *end = text + len;

	guest->blocks = g_ptr_array_new_with_free_func(block_free);
	guest->regions = g_array_new(FALSE, FALSE, sizeof(VmifsRegion));
	guest->vcpus = g_ptr_array_new_with_free_func((GDestroyNotify) vmifs_regs_unref);
	for (guint number = 1; at < end; number++) {
		const char *newline = memchr(at, '\n', (gsize) (end - at));
		gsize n = (gsize) ((newline ? newline : end) - at);
		g_autofree char *line = g_strndup(at, n);
		GError *failure = NULL;
		gboolean ok;
		g_strchomp(line);
		if (memchr(at, '\0', n))
			ok = bad(&failure, "a zero byte in it");
		else if (number == 1)
			ok = g_str_equal(line, VMIFS_TEXT_MAGIC "1") ||
			     bad(&failure, "the first line must be '" VMIFS_TEXT_MAGIC "1'");
		else
			ok = parse_line(guest, line, &failure);
		if (!ok) {
			g_propagate_prefixed_error(error, failure, "line %u: ", number);
			return NULL;
		}
		at += n + 1;
	}
	if (!guest->regions->len) {
		bad(error, "it describes no memory; add a line like 'ram 0 1M'");
		return NULL;
	}
	finish(guest);
	return g_steal_pointer(&guest);
}
