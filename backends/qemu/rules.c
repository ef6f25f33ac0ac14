/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * rules: every layout that may be, each tried until one is proved (acpi.h).
 *
 *    splits    where RAM below 4 GiB ends: of a type of machine, a few
 *    stripes   RAM as its backends follow each other, one for all or one for each NUMA node
 *    places    mappings that a stripe may be: as long, of that kind, with QEMU's guard page behind
 *
 * Two stripes that look the same are told apart by the proof; more of them are refused.
 */
#include "rules.h"

#include "acpi.h"

#include <string.h>

#define MIB ((guint64) 1 << 20)
#define GIB ((guint64) 1 << 30)
#define HIGH (4 * GIB)
#define DEFAULT_RAM (128 * MIB)
#define MAX_STRIPES 128
#define MAX_PLACES 8
#define MAX_TRIES 256
/* From here on AMD's machines have RAM elsewhere. */
#define MAX_RAM ((guint64) 0xfd00000000 - HIGH)

typedef struct {
	const char *prefix;      /* of the type of machine */
	const char *ram;         /* its RAM block, where no backend was given */
	gboolean has_vga_window; /* 0xa0000 to 0xc0000 is not RAM */
	/* Where RAM below 4 GiB may end when there is more, most likely first. From some size on it
	 * ends earlier, so that what is above begins at a whole gigabyte. */
	struct {
		guint64 end, from;
	} splits[3];
} Machine;

static const Machine machines[] = {
	{ "microvm", "microvm.ram", FALSE, { { 3 * GIB, 3 * GIB + 1 } } },
	{ "pc-q35", "pc.ram", TRUE, { { 0x80000000, 0xb0000000 } } },
	{ "q35", "pc.ram", TRUE, { { 0x80000000, 0xb0000000 } } },
	/* Types before 2.0 do not round. */
	{ "pc", "pc.ram", TRUE, { { 0xc0000000, 0xe0000000 }, { 0xe0000000, 0xe0000000 } } },
};

typedef struct {
	const char *name;
	guint64 len;
	gboolean is_anonymous; /* must be; else it may be a file */
	guint64 places[MAX_PLACES];
	guint n_places;
	guint at; /* the place that is tried */
} Stripe;

/* ---- stripes ---- */

static gboolean
refuse(GError **error, const char *format, ...) G_GNUC_PRINTF(2, 3);

static gboolean
refuse(GError **error, const char *format, ...)
{
	va_list args;

	va_start(args, format);
	if (error)
		*error = g_error_new_valist(VMIFS_ERROR, VMIFS_ERROR_SOURCE, format, args);
	va_end(args);
	return FALSE;
}

static gboolean
add_backend(GArray *stripes, const QemuArgs *args, const char *id, GError **error)
{
	const QemuArgsBackend *backend = qemu_args_backend(args, id);

	if (!backend || !backend->size)
		return refuse(error, "its arguments do not tell how large %s is", id);
	Stripe stripe = { .name = backend->id,
			  .len = backend->size,
			  .is_anonymous = g_str_equal(backend->type, "ram") && !backend->share };
	g_array_append_val(stripes, stripe);
	return TRUE;
}

static gint
compare_nodes(gconstpointer a, gconstpointer b)
{
	const QemuArgsNode *x = *(QemuArgsNode *const *) a, *y = *(QemuArgsNode *const *) b;

	return (x->node > y->node) - (x->node < y->node);
}

static gboolean
find_stripes(GArray *stripes, const Machine *machine, const QemuArgs *args, GError **error)
{
	g_autoptr(GPtrArray) nodes = g_ptr_array_new();

	for (guint i = 0; i < args->nodes->len; i++) {
		QemuArgsNode *node = &g_array_index(args->nodes, QemuArgsNode, i);
		if (node->memdev)
			g_ptr_array_add(nodes, node);
	}
	g_ptr_array_sort(nodes, compare_nodes);
	for (guint i = 0; i < MIN(nodes->len, MAX_STRIPES); i++) {
		const QemuArgsNode *node = g_ptr_array_index(nodes, i);
		if (!add_backend(stripes, args, node->memdev, error))
			return FALSE;
	}
	if (stripes->len)
		return TRUE;
	if (args->memdev)
		return add_backend(stripes, args, args->memdev, error);
	Stripe stripe = { .name = machine->ram,
			  .len = args->ram ? args->ram : DEFAULT_RAM,
			  .is_anonymous = !args->mem_path };
	g_array_append_val(stripes, stripe);
	return TRUE;
}

/* ---- places ---- */

/* QEMU leaves a page that nobody may touch behind each RAM block: a mapping of that length
 * elsewhere is something else. */
static void
find_places(Stripe *stripe, const GArray *maps)
{
	for (guint i = 1; i < maps->len && stripe->n_places < MAX_PLACES; i++) {
		const QemuMapping *guard = &g_array_index(maps, QemuMapping, i);
		guint64 address = guard->start - stripe->len;
		QemuBacking backing;
		if (guard->is_readable || guard->inode || guard->start < stripe->len ||
		    !qemu_maps_backing(maps, address, stripe->len, &backing) ||
		    backing.first.start != address)
			continue;
		if (!stripe->is_anonymous || backing.kind == QEMU_BACKING_ANONYMOUS)
			stripe->places[stripe->n_places++] = address;
	}
}

static gboolean
find_all_places(GArray *stripes, const GArray *maps, GError **error)
{
	for (guint i = 0; i < stripes->len; i++) {
		Stripe *stripe = &g_array_index(stripes, Stripe, i);
		guint n_alike = 0;
		find_places(stripe, maps);
		if (!stripe->n_places)
			return refuse(error,
				      "no mapping of the process is its %s of %" G_GUINT64_FORMAT
				      " MiB",
				      stripe->name, stripe->len / MIB);
		for (guint j = 0; j < stripes->len; j++)
			n_alike += g_array_index(stripes, Stripe, j).len == stripe->len;
		if (n_alike > 2)
			return refuse(error, "%u pieces of its memory look the same", n_alike);
	}
	return TRUE;
}

/* The next choice of places, counted like digits. FALSE: that was the last one. */
static gboolean
next_choice(GArray *stripes)
{
	for (guint i = 0; i < stripes->len; i++) {
		Stripe *stripe = &g_array_index(stripes, Stripe, i);
		if (++stripe->at < stripe->n_places)
			return TRUE;
		stripe->at = 0;
	}
	return FALSE;
}

static gboolean
is_possible(const GArray *stripes)
{
	for (guint i = 0; i < stripes->len; i++) {
		for (guint j = 0; j < i; j++) {
			const Stripe *a = &g_array_index(stripes, Stripe, i);
			const Stripe *b = &g_array_index(stripes, Stripe, j);
			if (a->places[a->at] == b->places[b->at])
				return FALSE;
		}
	}
	return TRUE;
}

/* ---- a layout ---- */

/* RAM from `from` on, in the order of stripes, lies at pa. */
static void
add_range(GArray *pieces, const GArray *stripes, guint64 pa, guint64 from, guint64 len)
{
	for (guint i = 0; i < stripes->len && len; i++) {
		const Stripe *stripe = &g_array_index(stripes, Stripe, i);
		if (from >= stripe->len) {
			from -= stripe->len;
			continue;
		}
		guint64 n = MIN(len, stripe->len - from);
		QemuPiece piece = { .pa = pa,
				    .len = n,
				    .block = g_strdup(stripe->name),
				    .offset = from,
				    .address = stripe->places[stripe->at] + from,
				    .kind = VMIFS_REGION_RAM };
		g_array_append_val(pieces, piece);
		pa += n;
		len -= n;
		from = 0;
	}
}

static GArray *
make_pieces(const Machine *machine, const GArray *stripes, guint64 ram, guint64 low)
{
	GArray *pieces = qemu_pieces_new();

	if (machine->has_vga_window && low > MIB) {
		add_range(pieces, stripes, 0, 0, 0xa0000);
		add_range(pieces, stripes, 0xc0000, 0xc0000, low - 0xc0000);
	} else {
		add_range(pieces, stripes, 0, 0, low);
	}
	if (ram > low)
		add_range(pieces, stripes, HIGH, low, ram - low);
	return pieces;
}

/* ---- the proof ---- */

static gboolean
read_pa(gpointer user, guint64 pa, gpointer buf, gsize len)
{
	return qemu_ram_read_pa(user, pa, buf, len);
}

static gboolean
prove(QemuProcess *process, const GArray *maps, const GArray *pieces, guint64 low,
      guint64 *ret_proof)
{
	g_autoptr(QemuRam) ram = qemu_ram_new(process);
	gboolean changed;

	if (!qemu_ram_set_pieces(ram, pieces, maps, &changed, NULL))
		return FALSE;
	*ret_proof = qemu_acpi_find(read_pa, ram, low);
	return *ret_proof != 0;
}

/* Ends of RAM below 4 GiB that are possible. Returns: how many. */
static guint
find_splits(const Machine *machine, guint64 ram, guint64 limit, guint64 *ret)
{
	guint n = 0;

	for (guint i = 0; i < G_N_ELEMENTS(machine->splits) && machine->splits[i].end; i++) {
		guint64 low = ram >= machine->splits[i].from ? machine->splits[i].end : ram;
		if (limit)
			low = MIN(low, limit);
		if (!n || ret[n - 1] != low)
			ret[n++] = low;
	}
	return n;
}

static const Machine *
find_machine(const QemuArgs *args)
{
	/* Of x86; another processor's default is no pc, and proves nothing. */
	const char *type = args->machine ? args->machine : "pc";

	for (guint i = 0; i < G_N_ELEMENTS(machines); i++) {
		if (g_str_has_prefix(type, machines[i].prefix))
			return &machines[i];
	}
	return NULL;
}

/* Every split with every choice of places. */
static gboolean
try_all(const Machine *machine, GArray *stripes, guint64 ram, guint64 limit, QemuProcess *process,
	const GArray *maps, GArray **ret_pieces, guint64 *ret_proof, const VmifsCall *call)
{
	guint64 splits[G_N_ELEMENTS(machine->splits)];
	guint n_splits = find_splits(machine, ram, limit, splits), n_tries = 0;

	do {
		for (guint i = 0; i < n_splits && is_possible(stripes); i++) {
			g_autoptr(GArray) pieces = make_pieces(machine, stripes, ram, splits[i]);
			if (prove(process, maps, pieces, splits[i], ret_proof)) {
				*ret_pieces = g_steal_pointer(&pieces);
				return TRUE;
			}
		}
	} while (++n_tries < MAX_TRIES && vmifs_call_check(call, NULL) && next_choice(stripes));
	return FALSE;
}

gboolean
qemu_rules_find(const QemuArgs *args, QemuProcess *process, const GArray *maps, GArray **ret_pieces,
		char **ret_how, const VmifsCall *call, GError **error)
{
	const Machine *machine = find_machine(args);
	g_autoptr(GArray) stripes = g_array_new(FALSE, FALSE, sizeof(Stripe));
	guint64 ram = 0, proof;

	if (args->has_config)
		return refuse(error, "its arguments are in a file (-readconfig)");
	if (!machine)
		return refuse(error, "no rules are known of machine %s", args->machine);
	if (!find_stripes(stripes, machine, args, error) || !find_all_places(stripes, maps, error))
		return FALSE;
	for (guint i = 0; i < stripes->len; i++) {
		guint64 len = g_array_index(stripes, Stripe, i).len;
		if (__builtin_add_overflow(ram, len, &ram) || ram > MAX_RAM)
			return refuse(error, "no rules are known of so much memory");
	}
	if (!try_all(machine, stripes, ram, args->max_ram_below_4g, process, maps, ret_pieces,
		     &proof, call))
		return refuse(error,
			      "no layout of its %" G_GUINT64_FORMAT
			      " MiB agrees with the firmware's tables (ACPI) in it",
			      ram / MIB);
	*ret_how = g_strdup_printf(
		"rules of machine %s, proved by ACPI tables at %#" G_GINT64_MODIFIER "x%s",
		args->machine ? args->machine : "pc", proof,
		args->dimms->len ? "; memory devices are left out" : "");
	return TRUE;
}
