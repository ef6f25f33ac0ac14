/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* writes: see writes.h. */
#include "writes.h"

#include "aspace.h"

#include <vmifs/error.h>

/* A kernel has some 20 MiB of it, and its modules a few more. */
#define MOST_TEXT ((guint64) 256 << 20)
#define MOST_RANGES 65536
#define MOST_TABLES (1u << 20)
/* So much at a time, with what precedes it, where its function may begin, and follows it. */
#define PIECE ((gsize) 1 << 20)
#define BEFORE ((gsize) 64 << 10)
#define BEHIND 16
#define PAGE 4096

/* ---- bytes ---- */

static void
add(VmifsWrites *writes, guint64 address)
{
	if (writes->found->len < writes->most)
		g_array_append_val(writes->found, address);
	writes->n++;
}

static gboolean
writes_it(const VmifsWrites *writes, const guint8 *code, gsize len, VmifsArchWrite *ret)
{
	return writes->arch->decode(code, len, NULL, ret) && g_str_equal(ret->reg, writes->reg);
}

/* Begins with the opcode, or with the byte before it if that may be a prefix. */
static void
add_seeming(VmifsWrites *writes, const guint8 *code, gsize len, guint64 va, gsize opcode)
{
	VmifsArchWrite write;

	if (writes_it(writes, code + opcode, len - opcode, &write))
		add(writes, va + opcode);
	if (opcode && writes_it(writes, code + opcode - 1, len - opcode + 1, &write))
		add(writes, va + opcode - 1);
}

/* Where the function begins that has this opcode; FALSE: not known, or before those bytes. */
static gboolean
find_function(VmifsWrites *writes, guint64 va, gsize opcode)
{
	VmifsSymbol symbol;
	guint64 offset;

	if (!writes->symbols ||
	    !vmifs_symbols_nearest(writes->symbols, va + opcode, &symbol, &offset) ||
	    offset > opcode || offset > BEFORE)
		return FALSE;
	if (writes->function != symbol.address || writes->at < va) {
		writes->function = writes->at = symbol.address;
		writes->is_in_step = TRUE;
	}
	return writes->is_in_step;
}

/* FALSE: the instruction is not known. ret_is_it: it has that opcode, and writes the register. */
static gboolean
step(VmifsWrites *writes, const guint8 *code, gsize len, gsize opcode, gsize at,
     gboolean *ret_is_it)
{
	VmifsArchWrite write;
	gboolean writes_here = writes_it(writes, code + at, len - at, &write);
	gsize n = writes_here && write.len ? write.len
					   : vmifs_disasm_len(writes->disasm, code + at, len - at);

	if (!n || n > writes->budget)
		return FALSE;
	writes->budget -= n;
	writes->at += n;
	*ret_is_it = writes_here && opcode - at < n;
	return TRUE;
}

static void
look_at(VmifsWrites *writes, const guint8 *code, gsize len, guint64 va, gsize opcode)
{
	gboolean is_it = FALSE;

	if (!find_function(writes, va, opcode)) {
		add_seeming(writes, code, len, va, opcode);
		return;
	}
	while (writes->at - va <= opcode && !is_it) {
		guint64 at = writes->at;
		if (!step(writes, code, len, opcode, at - va, &is_it)) {
			writes->is_in_step = FALSE;
			add_seeming(writes, code, len, va, opcode);
			return;
		}
		if (is_it)
			add(writes, at);
	}
}

void
vmifs_writes_scan(VmifsWrites *writes, const guint8 *code, gsize len, guint64 va, gsize from,
		  gsize count)
{
	gsize at = from;

	while ((at = writes->arch->find(writes->reg, code, len, at)) - from < count && at < len) {
		look_at(writes, code, len, va, at);
		at++;
	}
}

/* ---- text ---- */

typedef struct {
	guint64 va, len;
} Range;

typedef struct {
	GArray *ranges; /* of Range */
	guint64 len;    /* of all */
} Text;

static gboolean
take_range(const VmifsRange *range, gpointer user)
{
	Text *text = user;
	Range *last = text->ranges->len ? &g_array_index(text->ranges, Range, text->ranges->len - 1)
					: NULL;

	if (range->kind != VMIFS_RANGE_PAGE || !(range->perms & VMIFS_PERM_EXEC) ||
	    range->perms & VMIFS_PERM_USER)
		return TRUE;
	if (range->len > MOST_TEXT - text->len || text->ranges->len >= MOST_RANGES) {
		text->len = G_MAXUINT64;
		return FALSE;
	}
	text->len += range->len;
	if (last && range->va - last->va == last->len) {
		last->len += range->len;
	} else {
		Range own = { range->va, range->len };
		g_array_append_val(text->ranges, own);
	}
	return TRUE;
}

/* At most len bytes; 0: nothing is there. */
static gsize
read_code(VmifsAspace *kernel, guint64 va, guint8 *buf, gsize len, const VmifsCall *call)
{
	g_auto(VmifsSegments) segments = { 0 };

	vmifs_segments_init(&segments);
	gsize got = vmifs_aspace_gather(kernel, va, len, 0, &segments, call, NULL);
	if (got)
		vmifs_segments_copy(&segments, buf);
	return got;
}

static gboolean
scan_range(VmifsWrites *writes, VmifsAspace *kernel, const Range *range, guint8 *buf,
	   const VmifsCall *call, GError **error)
{
	for (guint64 off = 0; off < range->len;) {
		gsize before = MIN(off, BEFORE);
		gsize len = MIN(range->len - off + before, before + PIECE + BEHIND);
		if (!vmifs_call_check(call, error))
			return FALSE;
		gsize got = read_code(kernel, range->va + off - before, buf, len, call);
		/* What precedes it is not there. */
		if (got <= before && before) {
			len -= before;
			before = 0;
			got = read_code(kernel, range->va + off, buf, len, call);
		}
		if (got > before)
			vmifs_writes_scan(writes, buf, got, range->va + off - before, before,
					  PIECE);
		/* A page that went meanwhile is passed over. */
		off += got == len ? PIECE : (got > before ? got - before : 0) / PAGE * PAGE + PAGE;
	}
	return TRUE;
}

/* Without a bit for it (x86 of two levels) all of memory can be executed: then the text is what the
 * kernel says is its own. */
static gboolean
find_text(const VmifsWrites *writes, VmifsAspace *kernel, Text *text, const VmifsCall *call,
	  GError **error)
{
	guint64 start = 0, end = 0;

	if (!vmifs_aspace_visit(kernel, writes->kernel_start, G_MAXUINT64, MOST_TABLES, take_range,
				text, call, error))
		return FALSE;
	if (text->len <= MOST_TEXT || !writes->symbols ||
	    !vmifs_symbols_lookup(writes->symbols, "_stext", &start) ||
	    !vmifs_symbols_lookup(writes->symbols, "_etext", &end) || end <= start)
		return TRUE;
	g_array_set_size(text->ranges, 0);
	text->len = 0;
	return vmifs_aspace_visit(kernel, start, end - 1, MOST_TABLES, take_range, text, call,
				  error);
}

gboolean
vmifs_writes_find(VmifsWrites *writes, VmifsAspace *kernel, const VmifsCall *call, GError **error)
{
	g_autoptr(GArray) ranges = g_array_new(FALSE, FALSE, sizeof(Range));
	g_autofree guint8 *buf = g_malloc(BEFORE + PIECE + BEHIND);
	Text text = { .ranges = ranges };

	if (!find_text(writes, kernel, &text, call, error))
		return FALSE;
	if (!text.len || text.len > MOST_TEXT) {
		g_set_error(error, VMIFS_ERROR, VMIFS_ERROR_CORRUPT,
			    "%s memory of the kernel can be executed",
			    text.len ? "implausibly much" : "no");
		return FALSE;
	}
	for (guint i = 0; i < ranges->len; i++)
		if (!scan_range(writes, kernel, &g_array_index(ranges, Range, i), buf, call, error))
			return FALSE;
	return TRUE;
}
