/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * args: see the header. Options that have an argument are not all known here: what follows an
 * unknown one is its argument unless it looks like an option. Those known take theirs whatever it
 * looks like: what a tenant may choose (-append) must not be taken for an option of the host.
 */
#include "args.h"

#include "argv.h"
#include "words.h"

#include <string.h>

/* Of things with an id: each is looked up among all. No machine has as many. */
#define MAX_IDS 4096
/* Sockets to try: each may take its time to say nothing. */
#define MAX_MONITORS 8
#define MAX_UNUSABLE 1024 /* bytes of what is said of others */
#define MAX_CPUS 8192

typedef struct {
	QemuArgs *args;
	GHashTable *chardevs; /* QemuWords by id */
	GHashTable *objects;  /* type by id */
	GPtrArray *controls;  /* of char *: ids of character devices that are QMP monitors */
	char *secured;        /* id of that object */
	gboolean has_guest, has_master_key;
} Parse;

static void
replace(char **where, const char *value)
{
	if (!value)
		return;
	g_free(*where);
	*where = g_strdup(value);
}

/* ---- name and machine ---- */

static void
take_name(Parse *parse, const char *value)
{
	g_autoptr(QemuWords) words = qemu_words_new(value, "guest");

	replace(&parse->args->name, qemu_words_get(words, "guest"));
	parse->has_guest = g_str_has_prefix(value, "guest=");
}

static void
take_uuid(Parse *parse, const char *value)
{
	g_free(parse->args->uuid);
	parse->args->uuid = g_ascii_strdown(value, -1);
}

static void
take_machine(Parse *parse, const char *value)
{
	g_autoptr(QemuWords) words = qemu_words_new(value, "type");

	replace(&parse->args->machine, qemu_words_get(words, "type"));
	replace(&parse->args->memdev, qemu_words_get(words, "memory-backend"));
	replace(&parse->secured, qemu_words_get(words, "confidential-guest-support"));
	replace(&parse->secured, qemu_words_get(words, "memory-encryption"));
	qemu_words_size(words, "max-ram-below-4g", 0, &parse->args->max_ram_below_4g);
}

static void
take_incoming(Parse *parse, const char *value)
{
	parse->args->incoming = TRUE;
}

static void
take_gdb(Parse *parse, const char *value)
{
	parse->args->has_stub = !g_str_equal(value, "none");
}

static void
take_config(Parse *parse, const char *value)
{
	parse->args->has_config = TRUE;
}

/* ---- memory ---- */

static void
take_ram(Parse *parse, const char *value)
{
	g_autoptr(QemuWords) words = qemu_words_new(value, "size");

	qemu_words_size(words, "size", 20, &parse->args->ram);
	if (qemu_words_get(words, "maxmem") || qemu_words_get(words, "slots"))
		parse->args->may_grow = TRUE;
}

/* cpus=, or else all that its levels, of which older QEMUs know fewer, make. */
static void
take_smp(Parse *parse, const char *value)
{
	static const char *const levels[] = { "drawers", "books",    "sockets", "dies",
					      "modules", "clusters", "cores",   "threads" };
	g_autoptr(QemuWords) words = qemu_words_new(value, "cpus");
	guint64 n = 1, each;

	parse->args->n_cpus = 0;
	for (gsize i = 0; i < G_N_ELEMENTS(levels); i++)
		if (qemu_words_number(words, levels[i], &each) &&
		    __builtin_mul_overflow(n, each, &n))
			return;
	/* Without it, all that there may be. */
	gboolean is_limited = qemu_words_number(words, "maxcpus", &each);
	if (!qemu_words_number(words, "cpus", &n) && is_limited)
		n = each;
	parse->args->n_cpus = n <= MAX_CPUS ? (guint) n : 0;
	parse->args->max_cpus = is_limited && each <= MAX_CPUS ? (guint) each : 0;
}

static void
take_mem_path(Parse *parse, const char *value)
{
	replace(&parse->args->mem_path, value);
}

static void
take_object(Parse *parse, const char *value)
{
	g_autoptr(QemuWords) words = qemu_words_new(value, "qom-type");
	const char *type = qemu_words_get(words, "qom-type");
	const char *id = qemu_words_get(words, "id");

	if (!type || !id || g_hash_table_size(parse->objects) >= MAX_IDS)
		return;
	g_hash_table_replace(parse->objects, g_strdup(id), g_strdup(type));
	if (g_str_equal(type, "secret") && g_str_equal(id, "masterKey0"))
		parse->has_master_key = TRUE;
	if (!g_str_has_prefix(type, "memory-backend-"))
		return;
	QemuArgsBackend backend = {
		.id = g_strdup(id),
		.type = g_strdup(type + strlen("memory-backend-")),
		.path = g_strdup(qemu_words_get(words, "mem-path")),
		/* The one that is shared unless told otherwise. */
		.share = g_str_equal(type, "memory-backend-memfd") &&
			 !qemu_words_get(words, "share"),
	};
	backend.share = backend.share || qemu_words_is_on(words, "share");
	qemu_words_size(words, "size", 0, &backend.size);
	qemu_words_size(words, "offset", 0, &backend.offset);
	g_array_append_val(parse->args->backends, backend);
}

static void
take_numa(Parse *parse, const char *value)
{
	g_autoptr(QemuWords) words = qemu_words_new(value, "type");
	QemuArgsNode node = { 0 };

	if (g_strcmp0(qemu_words_get(words, "type"), "node") != 0)
		return;
	node.memdev = g_strdup(qemu_words_get(words, "memdev"));
	qemu_words_size(words, "mem", 20, &node.size);
	node.has_node = qemu_words_number(words, "nodeid", &node.node);
	g_array_append_val(parse->args->nodes, node);
}

static void
take_device(Parse *parse, const char *value)
{
	static const char *const drivers[] = { "pc-dimm", "nvdimm", "virtio-mem", "virtio-pmem" };
	g_autoptr(QemuWords) words = qemu_words_new(value, "driver");
	const char *driver = qemu_words_get(words, "driver");
	gboolean memory = FALSE;

	for (gsize i = 0; driver && i < G_N_ELEMENTS(drivers); i++)
		memory = memory || g_str_has_prefix(driver, drivers[i]);
	if (!memory)
		return;
	QemuArgsDimm dimm = {
		.driver = g_strdup(driver),
		.id = g_strdup(qemu_words_get(words, "id")),
		.memdev = g_strdup(qemu_words_get(words, "memdev")),
	};
	dimm.has_addr = qemu_words_number(words, "addr", &dimm.addr) ||
			qemu_words_number(words, "memaddr", &dimm.addr);
	g_array_append_val(parse->args->dimms, dimm);
}

/* ---- monitors ---- */

/* Why nobody else can connect to that device; NULL when one can, at *ret_path. */
static const char *
refuse_socket(const QemuWords *words, const char **ret_path)
{
	const char *path = qemu_words_get(words, "path");

	if (g_strcmp0(qemu_words_get(words, "backend"), "socket") != 0)
		return "no socket";
	if (qemu_words_get(words, "fd"))
		return "a descriptor that it was given";
	if (!path)
		return "no unix socket";
	if (qemu_words_is_on(words, "abstract"))
		return "an abstract socket";
	if (!qemu_words_is_on(words, "server"))
		return "it connects, and does not listen";
	*ret_path = path;
	return NULL;
}

static void
add_unusable(Parse *parse, const char *what, const char *why)
{
	if (parse->args->unusable->len < MAX_UNUSABLE)
		g_string_append_printf(parse->args->unusable, "%.200s: %s\n", what, why);
}

static void
add_monitor(Parse *parse, const char *what, const QemuWords *words)
{
	const char *path = NULL;
	const char *why = words ? refuse_socket(words, &path) : "no such character device";

	if (why)
		add_unusable(parse, what, why);
	else if (parse->args->monitors->len < MAX_MONITORS)
		g_ptr_array_add(parse->args->monitors, g_strdup(path));
}

static void
take_chardev(Parse *parse, const char *value)
{
	QemuWords *words = qemu_words_new(value, "backend");
	const char *id = qemu_words_get(words, "id");

	if (id && g_hash_table_size(parse->chardevs) < MAX_IDS)
		g_hash_table_replace(parse->chardevs, g_strdup(id), words);
	else
		qemu_words_free(words);
}

static void
take_mon(Parse *parse, const char *value)
{
	g_autoptr(QemuWords) words = qemu_words_new(value, "chardev");
	const char *id = qemu_words_get(words, "chardev");

	if (id && g_strcmp0(qemu_words_get(words, "mode"), "control") == 0)
		g_ptr_array_add(parse->controls, g_strdup(id));
}

/* unix:PATH,server=on,wait=off, or any other short form of a character device. */
static void
take_qmp(Parse *parse, const char *value)
{
	if (g_str_has_prefix(value, "chardev:")) {
		g_ptr_array_add(parse->controls, g_strdup(value + strlen("chardev:")));
		return;
	}
	g_autofree char *what = g_strconcat("-qmp ", value, NULL);
	if (!g_str_has_prefix(value, "unix:")) {
		add_unusable(parse, what, "no unix socket");
		return;
	}
	g_autofree char *text = g_strconcat("socket,path=", value + strlen("unix:"), NULL);
	g_autoptr(QemuWords) words = qemu_words_new(text, "backend");
	add_monitor(parse, what, words);
}

static void
take_monitor(Parse *parse, const char *value)
{
	g_autofree char *what = g_strconcat("-monitor ", value, NULL);

	if (!g_str_equal(value, "none"))
		add_unusable(parse, what, "for people, not for programs");
}

static void
resolve_monitors(Parse *parse)
{
	for (guint i = 0; i < parse->controls->len; i++) {
		const char *id = g_ptr_array_index(parse->controls, i);
		g_autofree char *what = g_strdup_printf("-mon chardev=%s", id);

		add_monitor(parse, what, g_hash_table_lookup(parse->chardevs, id));
	}
}

/* ---- the list of options ---- */

static void
skip(Parse *parse, const char *value)
{
}

/* Those that count, and those whose argument may look like an option. */
static const struct {
	const char *name;
	void (*take)(Parse *parse, const char *value);
} options[] = {
	{ "name", take_name },
	{ "uuid", take_uuid },
	{ "machine", take_machine },
	{ "M", take_machine },
	{ "incoming", take_incoming },
	{ "readconfig", take_config },
	{ "gdb", take_gdb },
	{ "m", take_ram },
	{ "smp", take_smp },
	{ "mem-path", take_mem_path },
	{ "object", take_object },
	{ "numa", take_numa },
	{ "device", take_device },
	{ "chardev", take_chardev },
	{ "mon", take_mon },
	{ "qmp", take_qmp },
	{ "qmp-pretty", take_qmp },
	{ "monitor", take_monitor },
	{ "append", skip },
	{ "kernel", skip },
	{ "initrd", skip },
	{ "dtb", skip },
	{ "bios", skip },
	{ "smbios", skip },
	{ "fw_cfg", skip },
	{ "drive", skip },
	{ "pidfile", skip },
	{ "D", skip },
	{ "set", skip },
};

/* Returns: the index of the option's argument, or i when it has none. */
static guint
take_option(Parse *parse, const GPtrArray *words, guint i)
{
	const char *option = qemu_argv_option(g_ptr_array_index(words, i));
	const char *value = i + 1 < words->len ? g_ptr_array_index(words, i + 1) : NULL;

	if (g_strcmp0(option, "s") == 0) {
		take_gdb(parse, "tcp::1234");
		return i;
	}
	if (!option || !value)
		return i;
	for (gsize k = 0; k < G_N_ELEMENTS(options); k++) {
		if (!g_str_equal(option, options[k].name))
			continue;
		options[k].take(parse, value);
		return i + 1;
	}
	return qemu_argv_option(value) ? i : i + 1;
}

static void
backend_clear(gpointer data)
{
	QemuArgsBackend *backend = data;

	g_free(backend->id);
	g_free(backend->type);
	g_free(backend->path);
}

static void
node_clear(gpointer data)
{
	g_free(((QemuArgsNode *) data)->memdev);
}

static void
dimm_clear(gpointer data)
{
	QemuArgsDimm *dimm = data;

	g_free(dimm->driver);
	g_free(dimm->id);
	g_free(dimm->memdev);
}

static GArray *
array_of(gsize size, GDestroyNotify clear)
{
	GArray *array = g_array_new(FALSE, FALSE, (guint) size);

	g_array_set_clear_func(array, clear);
	return array;
}

static QemuArgs *
args_new(void)
{
	QemuArgs *args = g_new0(QemuArgs, 1);

	args->n_cpus = 1;
	args->backends = array_of(sizeof(QemuArgsBackend), backend_clear);
	args->nodes = array_of(sizeof(QemuArgsNode), node_clear);
	args->dimms = array_of(sizeof(QemuArgsDimm), dimm_clear);
	args->monitors = g_ptr_array_new_with_free_func(g_free);
	args->unusable = g_string_new(NULL);
	return args;
}

QemuArgs *
qemu_args_parse(const char *bytes, gsize len)
{
	g_autoptr(GPtrArray) words = qemu_argv_split(bytes, len);
	g_autoptr(GHashTable) chardevs = g_hash_table_new_full(g_str_hash, g_str_equal, g_free,
							       (GDestroyNotify) qemu_words_free);
	g_autoptr(GHashTable) objects =
		g_hash_table_new_full(g_str_hash, g_str_equal, g_free, g_free);
	g_autoptr(GPtrArray) controls = g_ptr_array_new_with_free_func(g_free);
	Parse parse = {
		.args = args_new(),
		.chardevs = chardevs,
		.objects = objects,
		.controls = controls,
	};

	for (guint i = 1; i < words->len; i++)
		i = take_option(&parse, words, i);
	resolve_monitors(&parse);
	if (parse.secured) {
		const char *type = g_hash_table_lookup(objects, parse.secured);
		parse.args->secured = g_strdup(type ? type : parse.secured);
	}
	parse.args->libvirt =
		parse.has_guest && parse.args->uuid &&
		(parse.has_master_key || g_hash_table_contains(chardevs, "charmonitor"));
	g_free(parse.secured);
	return parse.args;
}

void
qemu_args_free(QemuArgs *args)
{
	if (!args)
		return;
	g_free(args->name);
	g_free(args->uuid);
	g_free(args->machine);
	g_free(args->memdev);
	g_free(args->mem_path);
	g_free(args->secured);
	g_array_unref(args->backends);
	g_array_unref(args->nodes);
	g_array_unref(args->dimms);
	g_ptr_array_unref(args->monitors);
	g_string_free(args->unusable, TRUE);
	g_free(args);
}

const QemuArgsBackend *
qemu_args_backend(const QemuArgs *args, const char *id)
{
	for (guint i = 0; id && i < args->backends->len; i++) {
		const QemuArgsBackend *backend = &g_array_index(args->backends, QemuArgsBackend, i);
		if (g_str_equal(backend->id, id))
			return backend;
	}
	return NULL;
}
