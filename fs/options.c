/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * options: one table says every -o word: how its value is read, where it goes, and its line of
 * --help. Words without such a line are mount(8)'s own.
 *
 * How to add one: a member of VmifsFsOptions (options.h), or of VmifsOptions (vmifs/host.h) for
 * what the engine is to know; a line of `words`; docs/man/vmifs.1, completions/vmifs (a test
 * compares them with --help), tests/unit/test-options.c. A string is freed in
 * vmifs_fs_options_clear(); one for the engine is handed over at the end of
 * vmifs_fs_options_parse(), and engine/host.c copies it.
 */
#include "options.h"

#include <vmifs/error.h>

#include <string.h>

typedef enum {
	WORD_FLAG,    /* gboolean at offset becomes TRUE */
	WORD_NUMBER,  /* guint32, decimal, min..max */
	WORD_OCTAL,   /* the same, octal */
	WORD_ADDRESS, /* guint64, decimal or 0x */
	WORD_STRING,  /* char *, not empty */
	WORD_CHOICE,  /* guint or gboolean: which of "first|second|..." the value is, from 0 on */
	WORD_IGNORED, /* with or without a value */
	WORD_REFUSED, /* known from elsewhere; `values` says why not */
} WordKind;

#define NOWHERE G_MAXSIZE
#define AT(member) G_STRUCT_OFFSET(VmifsFsOptions, member)

typedef struct {
	const char *name;
	WordKind kind;
	gsize at;  /* of the value, or NOWHERE: checked only */
	gsize has; /* of a gboolean that says that it was given, or 0 */
	guint32 min, max;
	const char *values;
	const char *help; /* NULL = not in --help */
} Word;

#define FLAG(word, member, text)                                                                   \
	{                                                                                          \
		word, WORD_FLAG, AT(member), .help = text                                          \
	}
#define REFUSED(word, why)                                                                         \
	{                                                                                          \
		word, WORD_REFUSED, NOWHERE, .values = why                                         \
	}
#define IGNORED(word)                                                                              \
	{                                                                                          \
		word, WORD_IGNORED, NOWHERE                                                        \
	}

/* Ignored, they would be a promise about age that is not kept. */
#define OWN_CACHE "each file says for how long it is kept; cache_ms= is for running guests"

static const Word words[] = {
	FLAG("guest_rw", engine.guest_rw, "the guest may be changed (never an image)"),
	FLAG("passive", engine.passive, "refuse what touches a running guest"),
	FLAG("ro", read_only, "mount read-only: also no control files are written"),
	FLAG("allow_other", allow_other, "let other users in, as far as file modes allow"),
	FLAG("allow_root", allow_root, "of an ordinary user's mount: let root in"),
	{ "uid", WORD_NUMBER, AT(uid), AT(has_uid), 0, G_MAXUINT32 - 1, "N", "owner of all files" },
	{ "gid", WORD_NUMBER, AT(gid), AT(has_gid), 0, G_MAXUINT32 - 1, "N", "group of all files" },
	{ "umask", WORD_OCTAL, AT(umask), AT(has_umask), 0, 0777, "OCTAL",
	  "modes are 0444 and 0555 less this, instead of 0400 and 0500" },
	{ "cache_ms", WORD_NUMBER, AT(engine.cache_ms), 0, 0, 3600000, "N",
	  "how old a running guest's translations and lists may be; 0 = never kept [100]" },
	{ "cache", WORD_STRING, AT(cache), 0, 0, 0, "DIRECTORY|none",
	  "where what was decoded of kernels is kept [~/.cache/vmifs]" },
	{ "monitor", WORD_CHOICE, AT(engine.monitor), 0, 0, 0, "brief|hold|never",
	  "how a monitor that no libvirt owns is used [brief]" },
	{ "snapdir", WORD_STRING, AT(snapdir), 0, 0, 0, "DIRECTORY",
	  "where snapshots of running guests are stored [$TMPDIR or /var/tmp]" },
	{ "max_stops", WORD_NUMBER, AT(engine.max_stops), AT(engine.has_max_stops), 0, G_MAXUINT32,
	  "N", "how often in a second watches may stop a guest [200 under libvirt, else any]" },
	{ "format", WORD_STRING, AT(format), 0, 0, 0, "elf|lime|raw|text",
	  "what the image is, believed over its content" },
	{ "base", WORD_ADDRESS, AT(engine.base), AT(engine.has_base), 0, 0, "ADDRESS",
	  "physical address of a raw image's first byte" },
	{ "arch", WORD_STRING, AT(arch), 0, 0, 0, "NAME", "architecture of the guest" },
	{ "root", WORD_ADDRESS, AT(engine.root), AT(engine.has_root), 0, 0, "ADDRESS",
	  "physical address of the kernel's page table" },
	{ "kaslr", WORD_ADDRESS, AT(engine.kaslr), AT(engine.has_kaslr), 0, 0, "OFFSET",
	  "virtual slide of the kernel" },
	{ "profile", WORD_STRING, AT(profile), 0, 0, 0, "FILE",
	  "layouts of the guests' kernel, ISF JSON, also packed (.gz, .xz, .zst)" },
	{ "vmlinux", WORD_STRING, AT(vmlinux), 0, 0, 0, "FILE",
	  "the guests' kernel as it was linked (ELF): its debug information, symbols" },
	{ "holes", WORD_CHOICE, AT(engine.holes_error), 0, 0, 0, "zero|error",
	  "what absent memory in sized files reads as [zero]" },
	FLAG("nopassthrough", no_passthrough, "never let the kernel read the image by itself"),
	{ "max_read", WORD_NUMBER, AT(max_read), 0, 4096, 1024 * 1024, "BYTES",
	  "largest single request [1048576]" },
	{ "fsname", WORD_STRING, AT(fsname), 0, 0, 0, "TEXT", "what mount(8) shows as the source" },

	/* mount(8), fstab and FUSE. What would weaken nosuid,nodev,noexec has no effect. */
	IGNORED("rw"),
	IGNORED("defaults"),
	IGNORED("nofail"),
	IGNORED("_netdev"),
	IGNORED("auto"),
	IGNORED("noauto"),
	IGNORED("user"),
	IGNORED("nouser"),
	IGNORED("users"),
	IGNORED("nousers"),
	IGNORED("owner"),
	IGNORED("noowner"),
	IGNORED("group"),
	IGNORED("nogroup"),
	IGNORED("comment"),
	IGNORED("loop"), /* of which mount(8) has made a device by now */
	IGNORED("silent"),
	IGNORED("loud"),
	IGNORED("mand"),
	IGNORED("nomand"),
	IGNORED("iversion"),
	IGNORED("noiversion"),
	IGNORED("suid"),
	IGNORED("nosuid"),
	IGNORED("dev"),
	IGNORED("nodev"),
	IGNORED("exec"),
	IGNORED("noexec"),
	IGNORED("symfollow"),
	IGNORED("nosymfollow"),
	IGNORED("async"),
	IGNORED("sync"),
	IGNORED("dirsync"),
	IGNORED("atime"),
	IGNORED("noatime"),
	IGNORED("diratime"),
	IGNORED("nodiratime"),
	IGNORED("relatime"),
	IGNORED("norelatime"),
	IGNORED("strictatime"),
	IGNORED("nostrictatime"),
	IGNORED("lazytime"),
	IGNORED("nolazytime"),
	IGNORED("default_permissions"), /* always where others get in, never else */
	IGNORED("subtype"),
	IGNORED("nonempty"), /* always */
	/* Hints to libfuse and the kernel that change no byte of an answer. */
	IGNORED("kernel_cache"),
	IGNORED("auto_cache"),
	IGNORED("max_background"),
	IGNORED("congestion_threshold"),
	IGNORED("max_readahead"),
	IGNORED("max_write"),
	IGNORED("async_read"),
	IGNORED("sync_read"),
	IGNORED("big_writes"),
	IGNORED("clone_fd"),
	IGNORED("splice_read"),
	IGNORED("splice_write"),
	IGNORED("splice_move"),
	IGNORED("no_splice_read"),
	IGNORED("no_splice_write"),
	IGNORED("no_splice_move"),
	REFUSED("auto_unmount", "nothing outlives vmifs to unmount; where a server was killed, the "
				"next mount takes its place"),
	REFUSED("blkdev", "no device is mounted; a SOURCE may be one"),
	REFUSED("direct_io", OWN_CACHE),
	REFUSED("entry_timeout", OWN_CACHE),
	REFUSED("negative_timeout", OWN_CACHE),
	REFUSED("attr_timeout", OWN_CACHE),
	REFUSED("ac_attr_timeout", OWN_CACHE),
};

/* ---- what was not understood ---- */

static gboolean
bad(GError **error, const char *format, ...) G_GNUC_PRINTF(2, 3);

static gboolean
bad(GError **error, const char *format, ...)
{
	va_list args;
	va_start(args, format);
	if (error)
		*error = g_error_new_valist(VMIFS_ERROR, VMIFS_ERROR_INVALID, format, args);
	va_end(args);
	return FALSE;
}

/* Edits (insert, delete, replace) between two words; G_MAXUINT for words too long to be ours. */
static guint
distance(const char *a, const char *b)
{
	enum { LONGEST = 32 };
	gsize len_a = strlen(a);
	gsize len_b = strlen(b);
	guint row[LONGEST + 1];
	if (len_a > LONGEST || len_b > LONGEST)
		return G_MAXUINT;
	for (guint j = 0; j <= len_b; j++)
		row[j] = j;
	for (guint i = 1; i <= len_a; i++) {
		guint diagonal = row[0];
		row[0] = i;
		for (guint j = 1; j <= len_b; j++) {
			guint above = row[j];
			guint replaced = diagonal + (a[i - 1] != b[j - 1]);
			row[j] = MIN(replaced, MIN(above, row[j - 1]) + 1);
			diagonal = above;
		}
	}
	return row[len_b];
}

static gboolean
bad_word(const char *name, GError **error)
{
	const Word *nearest = NULL;
	/* Of a short word nearly everything is two edits away. */
	guint least = strlen(name) < 4 ? 2 : 3;
	for (gsize i = 0; i < G_N_ELEMENTS(words); i++) {
		guint edits = distance(name, words[i].name);
		if (edits < least && words[i].help) {
			least = edits;
			nearest = &words[i];
		}
	}
	if (nearest)
		return bad(error, "-o %s: no such word; did you mean %s?", name, nearest->name);
	return bad(error, "-o %s: no such word; `vmifs --help` lists them", name);
}

/* ---- values ---- */

static gboolean
parse_digits(const char *text, guint base, guint64 *ret)
{
	guint64 value = 0;
	if (!*text)
		return FALSE;
	for (; *text; text++) {
		int digit = g_ascii_xdigit_value(*text);
		if (digit < 0 || (guint) digit >= base ||
		    !g_uint64_checked_mul(&value, value, base) ||
		    !g_uint64_checked_add(&value, value, (guint64) digit))
			return FALSE;
	}
	*ret = value;
	return TRUE;
}

static gboolean
parse_number(const Word *word, const char *value, guint32 *ret, GError **error)
{
	gboolean octal = word->kind == WORD_OCTAL;
	guint64 number;
	if (!parse_digits(value, octal ? 8 : 10, &number) || number < word->min ||
	    number > word->max)
		return octal ? bad(error, "-o %s=%s: not an octal number up to %o", word->name,
				   value, word->max)
			     : bad(error, "-o %s=%s: not a number from %u to %u", word->name, value,
				   word->min, word->max);
	*ret = (guint32) number;
	return TRUE;
}

static gboolean
parse_address(const Word *word, const char *value, guint64 *ret, GError **error)
{
	gboolean hex = g_ascii_strncasecmp(value, "0x", 2) == 0;
	guint64 number;
	if (!parse_digits(hex ? value + 2 : value, hex ? 16 : 10, &number))
		return bad(error, "-o %s=%s: not a number; give it decimal, or hexadecimal with 0x",
			   word->name, value);
	*ret = number;
	return TRUE;
}

/* Which of "a|b|c" the value is. */
static gboolean
parse_choice(const Word *word, const char *value, guint *ret, GError **error)
{
	g_auto(GStrv) choices = g_strsplit(word->values, "|", -1);
	for (guint i = 0; choices[i]; i++) {
		if (g_str_equal(choices[i], value)) {
			*ret = i;
			return TRUE;
		}
	}
	return bad(error, "-o %s=%s: the value is one of %s", word->name, value, word->values);
}

/* Numbers go to a scratch where the word is only checked. */
static gboolean
apply_value(VmifsFsOptions *options, const Word *word, const char *value, GError **error)
{
	guint64 scratch;
	gpointer to = word->at == NOWHERE ? &scratch : G_STRUCT_MEMBER_P(options, word->at);
	switch (word->kind) {
	case WORD_NUMBER:
	case WORD_OCTAL:
		return parse_number(word, value, to, error);
	case WORD_ADDRESS:
		return parse_address(word, value, to, error);
	case WORD_CHOICE:
		return parse_choice(word, value, to, error);
	case WORD_STRING:
		if (!*value)
			return bad(error, "-o %s=: the value is empty", word->name);
		if (word->at != NOWHERE) {
			g_free(*(char **) to);
			*(char **) to = g_strdup(value);
		}
		return TRUE;
	default:
		g_assert_not_reached();
	}
}

static gboolean
apply_word(VmifsFsOptions *options, const char *name, const char *value, GError **error)
{
	if (g_ascii_strncasecmp(name, "x-", 2) == 0)
		return TRUE; /* comments for mount(8) and systemd */
	const Word *word = NULL;
	for (gsize i = 0; i < G_N_ELEMENTS(words) && !word; i++)
		if (g_str_equal(words[i].name, name))
			word = &words[i];
	if (!word)
		return bad_word(name, error);
	if (word->kind == WORD_IGNORED)
		return TRUE;
	if (word->kind == WORD_REFUSED)
		return bad(error, "-o %s: not supported: %s", name, word->values);
	if (word->kind == WORD_FLAG) {
		if (value)
			return bad(error, "-o %s=%s: the word takes no value", name, value);
		G_STRUCT_MEMBER(gboolean, options, word->at) = TRUE;
		return TRUE;
	}
	if (!value)
		return bad(error, "-o %s: a value is missing: %s=%s", name, name,
			   word->values ? word->values : "VALUE");
	if (!apply_value(options, word, value, error))
		return FALSE;
	if (word->has)
		G_STRUCT_MEMBER(gboolean, options, word->has) = TRUE;
	return TRUE;
}

/* Words are separated by commas; a backslash takes the next character as it is. */
static gboolean
apply_words(VmifsFsOptions *options, const char *text, GError **error)
{
	while (*text) {
		g_autoptr(GString) word = g_string_new(NULL);
		for (; *text && *text != ','; text++) {
			if (*text == '\\' && text[1])
				text++;
			g_string_append_c(word, *text);
		}
		if (*text)
			text++;
		if (!word->len)
			continue;
		char *equals = strchr(word->str, '=');
		if (equals)
			*equals = '\0';
		if (!apply_word(options, word->str, equals ? equals + 1 : NULL, error))
			return FALSE;
	}
	return TRUE;
}

/* ---- the command line ---- */

static gboolean
parse_long(VmifsFsOptions *options, const char *name, GError **error)
{
	if (g_str_equal(name, "help"))
		options->action = VMIFS_ACTION_HELP;
	else if (g_str_equal(name, "version"))
		options->action = VMIFS_ACTION_VERSION;
	else if (g_str_equal(name, "check"))
		options->action = VMIFS_ACTION_CHECK;
	else
		return bad(error, "--%s: no such option; `vmifs --help` lists them", name);
	return TRUE;
}

/* One argument of short options; *index moves on when -o takes the next one. */
static gboolean
parse_short(VmifsFsOptions *options, int argc, char *const *argv, int *index, GError **error)
{
	for (const char *letter = argv[*index] + 1; *letter; letter++) {
		switch (*letter) {
		case 'f':
			options->foreground = TRUE;
			break;
		case 'd':
			options->debug = options->foreground = TRUE;
			break;
		case 'h':
			options->action = VMIFS_ACTION_HELP;
			break;
		case 'V':
			options->action = VMIFS_ACTION_VERSION;
			break;
		case 'o':
			if (letter[1])
				return apply_words(options, letter + 1, error);
			if (*index + 1 >= argc)
				return bad(error, "-o: the words are missing");
			return apply_words(options, argv[++*index], error);
		default:
			return bad(error, "-%c: no such option; `vmifs --help` lists them",
				   g_ascii_isprint(*letter) ? *letter : '?');
		}
	}
	return TRUE;
}

/* The sources, and the mount point if there is to be one. plain: of char * (borrowed) */
static gboolean
take_plain(VmifsFsOptions *options, GPtrArray *plain, GError **error)
{
	if (options->action == VMIFS_ACTION_HELP || options->action == VMIFS_ACTION_VERSION)
		return TRUE;
	for (guint i = 0; i < plain->len; i++)
		if (!*(const char *) g_ptr_array_index(plain, i))
			return bad(error, "an argument is empty");
	if (options->action == VMIFS_ACTION_CHECK && plain->len != 1)
		return bad(error, "--check takes one SOURCE: vmifs --check SOURCE");
	if (options->action == VMIFS_ACTION_MOUNT && plain->len < 2) {
		const char *lone = plain->len ? g_ptr_array_index(plain, 0) : NULL;
		if (lone && g_file_test(lone, G_FILE_TEST_IS_REGULAR))
			return bad(error,
				   "where shall it be mounted? Give an empty directory: vmifs %s "
				   "DIRECTORY. To only look at it: vmifs --check %s",
				   lone, lone);
		return bad(error,
			   "vmifs [OPTIONS] SOURCE... MOUNTPOINT: %s; `vmifs --help` says more",
			   lone ? "two arguments at least" : "arguments are missing");
	}
	guint n_sources = plain->len - (options->action == VMIFS_ACTION_MOUNT);
	for (guint i = 0; i < n_sources; i++)
		g_ptr_array_add(options->sources, g_strdup(g_ptr_array_index(plain, i)));
	if (options->action == VMIFS_ACTION_MOUNT)
		options->mountpoint = g_strdup(g_ptr_array_index(plain, n_sources));
	return TRUE;
}

gboolean
vmifs_fs_options_parse(int argc, char *const *argv, VmifsFsOptions *ret, GError **error)
{
	g_auto(VmifsFsOptions) options = {
		.sources = g_ptr_array_new_with_free_func(g_free),
		.engine = { .size = sizeof(VmifsOptions), .cache_ms = 100 },
	};
	g_autoptr(GPtrArray) plain = g_ptr_array_new();
	gboolean only_plain = FALSE;
	for (int i = 1; i < argc; i++) {
		const char *arg = argv[i];
		if (only_plain || arg[0] != '-' || !arg[1])
			g_ptr_array_add(plain, argv[i]);
		else if (g_str_equal(arg, "--"))
			only_plain = TRUE;
		else if (arg[1] == '-' ? !parse_long(&options, arg + 2, error)
				       : !parse_short(&options, argc, argv, &i, error))
			return FALSE;
	}
	if (!take_plain(&options, plain, error))
		return FALSE;
	if (options.allow_other && options.allow_root)
		return bad(error, "-o allow_other,allow_root: one of them: all others, or root");
	options.engine.format = options.format;
	options.engine.snapdir = options.snapdir;
	options.engine.arch = options.arch;
	options.engine.profile = options.profile;
	options.engine.vmlinux = options.vmlinux;
	*ret = options;
	memset(&options, 0, sizeof options);
	return TRUE;
}

void
vmifs_fs_options_clear(VmifsFsOptions *options)
{
	g_clear_pointer(&options->sources, g_ptr_array_unref);
	g_clear_pointer(&options->mountpoint, g_free);
	g_clear_pointer(&options->format, g_free);
	g_clear_pointer(&options->arch, g_free);
	g_clear_pointer(&options->snapdir, g_free);
	g_clear_pointer(&options->profile, g_free);
	g_clear_pointer(&options->vmlinux, g_free);
	g_clear_pointer(&options->cache, g_free);
	g_clear_pointer(&options->fsname, g_free);
}

char *
vmifs_fs_options_help(void)
{
	GString *out = g_string_new(
		"Usage: vmifs [OPTIONS] SOURCE... MOUNTPOINT\n"
		"       vmifs --check SOURCE\n"
		"\n"
		"Mounts the memory of virtual machines as directories of files, one per guest. A "
		"SOURCE is\n"
		"\n"
		"  FILE           a memory image; NAME=FILE gives it another name\n"
		"  qemu:///system any libvirt URI: its domains of QEMU, as they come and go\n"
		"  qmp:SOCKET     the QEMU behind that monitor\n"
		"  pid:PID        that QEMU process\n"
		"\n"
		"or the word auto: every guest of QEMU that runs on this host. Running guests take "
		"root,\n"
		"or QEMU's own user where ptrace(2) is permitted to him.\n"
		"\n"
		"  -f             stay in the foreground\n"
		"  -d             the same, and print every request\n"
		"  -o WORD,...    words as below; those of mount(8) are accepted\n"
		"  --check        say what SOURCE is and how each thing was found; mount nothing\n"
		"  -h, --help     this text\n"
		"  -V, --version  the version\n"
		"\n"
		"Words of -o:\n");
	for (gsize i = 0; i < G_N_ELEMENTS(words); i++) {
		if (!words[i].help)
			continue;
		g_autofree char *word =
			words[i].values ? g_strdup_printf("%s=%s", words[i].name, words[i].values)
					: g_strdup(words[i].name);
		g_string_append_printf(out, "  %-18s %s\n", word, words[i].help);
	}
	g_string_append(out,
			"\n"
			"Unmount: umount MOUNTPOINT, or fusermount3 -u MOUNTPOINT.\n"
			"Exit status: 0 mounted, 1 wrong use, 2 source not found or not readable, "
			"3 mount failed.\n");
	return g_string_free(out, FALSE);
}

mode_t
vmifs_fs_options_file_mode(const VmifsFsOptions *options)
{
	return options->has_umask ? 0444 & ~options->umask : 0400;
}

mode_t
vmifs_fs_options_write_mode(const VmifsFsOptions *options)
{
	return options->has_umask ? 0200 & ~options->umask : 0200;
}

mode_t
vmifs_fs_options_dir_mode(const VmifsFsOptions *options)
{
	return options->has_umask ? 0555 & ~options->umask : 0500;
}
