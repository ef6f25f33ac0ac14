/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* fuzz-mtree: any text as the flat view and the addresses of a guest's memory. */
#include "fuzz.h"

#include <backends/qemu/mtree.h>

/* The text up to the first blank line is the flat view; the lines after it answer what is asked, in
 * turn. */
typedef struct {
	QemuMonitor monitor;
	char **answers;
	gsize next, n;
	const char *view;
} Fuzz;

static gboolean
fuzz_ask(QemuMonitor *monitor, QemuAsk *asks, gsize n, const VmifsCall *call, GError **error)
{
	Fuzz *fuzz = (Fuzz *) monitor;

	for (gsize i = 0; i < n; i++) {
		const char *line =
			json_string_value(json_object_get(asks[i].arguments, "command-line"));
		const char *text = fuzz->n ? fuzz->answers[fuzz->next++ % fuzz->n] : "";
		asks[i].answer = json_string(g_str_has_prefix(line, "info") ? fuzz->view : text);
	}
	return TRUE;
}

static void
fuzz_free(QemuMonitor *monitor)
{
}

static const QemuMonitorOps fuzz_ops = { .name = "fuzz", .ask = fuzz_ask, .free = fuzz_free };

static void
check(const GArray *pieces)
{
	guint64 end = 0;

	g_assert(pieces->len && pieces->len <= QEMU_MAX_PIECES);
	for (guint i = 0; i < pieces->len; i++) {
		const QemuPiece *piece = &g_array_index(pieces, QemuPiece, i);
		g_assert(piece->len && *piece->block && piece->pa >= end);
		g_assert(piece->len <= G_MAXUINT64 - piece->pa);
		g_assert(piece->len <= G_MAXUINT64 - piece->offset);
		g_assert(piece->len <= G_MAXUINT64 - piece->address);
		end = piece->pa + piece->len;
	}
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
	Fuzz fuzz = { .monitor.ops = &fuzz_ops };
	/* Nothing else comes out of JSON. */
	g_autofree char *text = g_utf8_make_valid((const char *) data, (gssize) len);
	g_auto(GStrv) halves = g_strsplit(text, "\n\n", 2);
	g_auto(GStrv) lines = g_strsplit(halves[0] && halves[1] ? halves[1] : "", "\n", -1);

	fuzz.view = halves[0] ? halves[0] : "";
	fuzz.answers = lines;
	fuzz.n = g_strv_length(lines);
	g_autoptr(GArray) pieces = qemu_mtree_parse(fuzz.view, NULL);
	if (pieces)
		check(pieces);
	g_autoptr(GArray) placed = qemu_mtree_ask(&fuzz.monitor, NULL, NULL);
	if (placed)
		check(placed);
	return 0;
}
