/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * kallsyms-image: writes the tables in the order in which the linker places them. The token table
 * has every character at its own code and common pieces of names at the codes between.
 */
#include "kallsyms-image.h"

#include <string.h>

#define NOISE (64 << 10)
#define PA 0x5300000
#define N_PERCPU 40

#define RELATIVE LINUX_KALLSYMS_RELATIVE
#define PERCPU LINUX_KALLSYMS_PERCPU
#define ABSOLUTE32 LINUX_KALLSYMS_ABSOLUTE32
#define ABSOLUTE64 LINUX_KALLSYMS_ABSOLUTE64
#define PC_RELATIVE LINUX_KALLSYMS_PC_RELATIVE

const KallsymsPlan kallsyms_plans[] = {
	{ RELATIVE, FALSE, FALSE, FALSE, 8, 4, 3000 },
	{ RELATIVE, FALSE, TRUE, FALSE, 8, 4, 3001 },
	{ RELATIVE, FALSE, FALSE, FALSE, 8, 8, 3001 },
	{ RELATIVE, FALSE, FALSE, TRUE, 4, 4, 3000 },
	{ RELATIVE, FALSE, TRUE, TRUE, 4, 4, 3001 },
	{ RELATIVE, TRUE, FALSE, FALSE, 8, 4, 3000 },
	{ RELATIVE, TRUE, FALSE, FALSE, 8, 4, 3001 },
	{ RELATIVE, TRUE, FALSE, TRUE, 4, 4, 3000 },
	{ PERCPU, FALSE, FALSE, FALSE, 8, 4, 3000 },
	{ PERCPU, FALSE, FALSE, FALSE, 8, 8, 3001 },
	{ PERCPU, FALSE, TRUE, FALSE, 8, 4, 3001 },
	{ PERCPU, FALSE, TRUE, FALSE, 8, 4, 40000 }, /* sequence beyond the first window */
	{ PERCPU, TRUE, FALSE, FALSE, 8, 4, 3000 },
	{ PERCPU, TRUE, FALSE, FALSE, 8, 4, 3001 },
	{ ABSOLUTE32, FALSE, FALSE, TRUE, 4, 4, 3000 },
	{ ABSOLUTE32, FALSE, FALSE, TRUE, 4, 4, 3001 },
	{ ABSOLUTE32, TRUE, FALSE, TRUE, 4, 4, 3001 },
	{ ABSOLUTE64, FALSE, FALSE, FALSE, 8, 8, 3000 },
	{ ABSOLUTE64, FALSE, FALSE, FALSE, 8, 4, 3001 },
	{ ABSOLUTE64, TRUE, FALSE, FALSE, 8, 4, 3001 },
	{ PC_RELATIVE, TRUE, FALSE, FALSE, 8, 4, 3000 },
	{ PC_RELATIVE, TRUE, FALSE, FALSE, 4, 4, 3000 },
	{ PC_RELATIVE, TRUE, FALSE, FALSE, 4, 4, 3001 },
	{ PC_RELATIVE, TRUE, FALSE, FALSE, 4, 4, 769 },  /* the fewest: four markers */
	{ PC_RELATIVE, TRUE, FALSE, FALSE, 4, 4, 1024 }, /* a full last group */
};

const gsize kallsyms_n_plans = G_N_ELEMENTS(kallsyms_plans);

static const char *const pieces[] = { "__",      "sys_",       "init",       "_get",
				      "percpu_", "tfunction_", "Tfunction_", "_with",
				      "a_long",  "e_",         "T_",         "D" };

static void
clear_expected(gpointer expected)
{
	g_free(((KallsymsExpected *) expected)->name);
}

static void
add_expected(KallsymsImage *image, guint64 address, char type, char *name)
{
	KallsymsExpected expected = { address, type, name };
	g_array_append_val(image->expected, expected);
}

static guint64
text_address(const KallsymsImage *image, const KallsymsPlan *plan)
{
	if (plan->text)
		return plan->text;
	if (plan->encoding == LINUX_KALLSYMS_PC_RELATIVE)
		return image->pa - (16 << 20);
	return plan->bits32 ? 0xc0100000 : G_GUINT64_CONSTANT(0xffffffff9a200000);
}

static void
make_symbols(KallsymsImage *image, const KallsymsPlan *plan)
{
	guint64 text = text_address(image, plan);
	guint32 n_percpu = plan->encoding == LINUX_KALLSYMS_PERCPU ||
					   plan->encoding == LINUX_KALLSYMS_ABSOLUTE64
				   ? N_PERCPU
				   : 0;

	for (guint32 i = 0; i < n_percpu; i++)
		add_expected(image, 64 * i, 'A', g_strdup_printf("percpu_%u", i));
	add_expected(image, text, 'T', g_strdup("_text"));
	add_expected(image, text, 'T', g_strdup("_stext"));
	for (guint32 i = image->expected->len; i < plan->n - plan->n_named; i++) {
		guint64 address = text + 16 * (guint64) (i - i % 5);
		if (i == 300)
			add_expected(image, address, 'W', g_strnfill(300, 'q'));
		else
			add_expected(image, address, i % 2 ? 't' : 'T',
				     g_strdup_printf("function_%u_with%s", i,
						     i % 3 ? "_a_long__tail" : ""));
	}
	for (guint32 i = 0; i < plan->n_named; i++) {
		const KallsymsNamed *named = &plan->named[i];
		add_expected(image, text + named->offset, named->type, g_strdup(named->name));
	}
}

/* A character that names may hold is its own code. */
static gboolean
is_single(guint code)
{
	return g_ascii_isalnum(code) || code == '_' || code == '.' || code == '$';
}

typedef struct {
	char text[16];
	gsize len;
} Token;

/* What each code stands for; nothing for those that are left over. */
static void
make_tokens(Token tokens[256])
{
	guint piece = 0;

	for (guint code = 0; code < 256; code++) {
		Token *t = &tokens[code];
		*t = (Token){ "", 0 };
		if (is_single(code))
			t->text[0] = (char) code;
		else if (piece < G_N_ELEMENTS(pieces))
			g_strlcpy(t->text, pieces[piece++], sizeof t->text);
		t->len = strlen(t->text);
	}
}

static void
add_number(GByteArray *bytes, guint64 value, guint width)
{
	guint64 le = GUINT64_TO_LE(value);
	g_byte_array_append(bytes, (const guint8 *) &le, width);
}

static void
add_noise(GByteArray *bytes, gsize len, guint32 seed)
{
	gsize at = bytes->len;

	g_byte_array_set_size(bytes, at + len);
	for (; at < bytes->len; at++)
		bytes->data[at] = (seed = seed * 1103515245 + 12345) >> 16;
}

/* Memory begins at a page. */
static void
align(GByteArray *bytes, guint to)
{
	while (bytes->len % to)
		g_byte_array_append(bytes, &(guint8){ 0 }, 1);
}

/* Greedy: the longest token that fits. */
static void
add_name(GByteArray *bytes, const Token *tokens, const KallsymsExpected *symbol)
{
	g_autofree char *text = g_strdup_printf("%c%s", symbol->type, symbol->name);
	g_autoptr(GByteArray) codes = g_byte_array_new();

	for (const char *at = text; *at;) {
		gsize best_len = 0;
		guint8 best = 0;
		for (guint code = 0; code < 256; code++) {
			const Token *t = &tokens[code];
			if (t->len > best_len && t->text[0] == *at &&
			    strncmp(at, t->text, t->len) == 0) {
				best_len = t->len;
				best = code;
			}
		}
		g_assert(best_len);
		g_byte_array_append(codes, &best, 1);
		at += best_len;
	}
	if (codes->len < 0x80)
		add_number(bytes, codes->len, 1);
	else
		add_number(bytes, 0x80 | (codes->len & 0x7f) | codes->len >> 7 << 8, 2);
	g_byte_array_append(bytes, codes->data, codes->len);
}

static void
add_addresses(KallsymsImage *image, const KallsymsPlan *plan)
{
	GByteArray *bytes = image->bytes;
	guint64 base = 0;

	align(bytes, plan->align);
	image->offsets_at = bytes->len;
	for (guint32 i = 0; i < plan->n; i++) {
		guint64 address = g_array_index(image->expected, KallsymsExpected, i).address;
		switch (plan->encoding) {
		case LINUX_KALLSYMS_RELATIVE:
			base = base ? base : address;
			add_number(bytes, address - base, 4);
			break;
		case LINUX_KALLSYMS_PERCPU:
			if (!base && address >> 24)
				base = address;
			add_number(bytes, base ? base - 1 - address : address, 4);
			break;
		case LINUX_KALLSYMS_ABSOLUTE32:
			add_number(bytes, address, 4);
			break;
		case LINUX_KALLSYMS_ABSOLUTE64:
			add_number(bytes, address, 8);
			break;
		case LINUX_KALLSYMS_PC_RELATIVE:
			add_number(bytes, address - (image->pa + bytes->len), 4);
			break;
		}
	}
	align(bytes, plan->align);
	if (base)
		add_number(bytes, base, plan->bits32 ? 4 : 8);
}

static void
add_names(KallsymsImage *image, const KallsymsPlan *plan, const Token *tokens)
{
	GByteArray *bytes = image->bytes;
	g_autoptr(GArray) markers = g_array_new(FALSE, FALSE, sizeof(guint64));

	align(bytes, plan->align);
	image->n_at = bytes->len;
	add_number(bytes, plan->n, 4);
	align(bytes, plan->align);
	image->names_at = bytes->len;
	for (guint32 i = 0; i < plan->n; i++) {
		guint64 at = bytes->len - image->names_at;
		if (i % 256 == 0)
			g_array_append_val(markers, at);
		add_name(bytes, tokens, &g_array_index(image->expected, KallsymsExpected, i));
	}
	align(bytes, plan->align);
	image->markers_at = bytes->len;
	for (guint i = 0; i < markers->len; i++)
		add_number(bytes, g_array_index(markers, guint64, i), plan->marker_width);
}

static void
add_tokens(KallsymsImage *image, const KallsymsPlan *plan, const Token *tokens)
{
	GByteArray *bytes = image->bytes;
	guint16 starts[256];

	align(bytes, plan->align);
	image->tokens_at = bytes->len;
	for (guint code = 0; code < 256; code++) {
		if (code == '0')
			image->digits_at = bytes->len;
		starts[code] = bytes->len - image->tokens_at;
		g_byte_array_append(bytes, (const guint8 *) tokens[code].text,
				    tokens[code].len + 1);
	}
	align(bytes, plan->align);
	image->index_at = bytes->len;
	for (guint code = 0; code < 256; code++)
		add_number(bytes, starts[code], 2);
}

static gboolean
read_image(gpointer user, guint64 pa, gpointer buf, gsize len)
{
	const KallsymsImage *image = user;

	if (pa < image->pa || pa - image->pa > image->bytes->len ||
	    len > image->bytes->len - (pa - image->pa))
		return FALSE;
	memcpy(buf, image->bytes->data + (pa - image->pa), len);
	return TRUE;
}

void
kallsyms_image_make(KallsymsImage *image, const KallsymsPlan *plan)
{
	Token tokens[256];

	*image = (KallsymsImage){
		.bytes = g_byte_array_new(),
		.pa = plan->pa ? plan->pa : PA,
		.expected = g_array_new(FALSE, FALSE, sizeof(KallsymsExpected)),
		.phys = { read_image, image },
	};
	g_array_set_clear_func(image->expected, clear_expected);
	make_tokens(tokens);
	make_symbols(image, plan);
	add_noise(image->bytes, NOISE, 1);
	if (!plan->behind)
		add_addresses(image, plan);
	add_names(image, plan, tokens);
	if (plan->sequence && !plan->behind)
		add_noise(image->bytes, 3 * (gsize) plan->n, 2);
	add_tokens(image, plan, tokens);
	if (plan->behind)
		add_addresses(image, plan);
	add_noise(image->bytes, NOISE, 3);
}

void
kallsyms_image_clear(KallsymsImage *image)
{
	g_byte_array_unref(image->bytes);
	g_array_unref(image->expected);
}

LinuxKallsyms *
kallsyms_image_find(const KallsymsImage *image)
{
	g_autoptr(GError) error = NULL;
	LinuxKallsyms *tables =
		linux_kallsyms_find(&image->phys, image->pa + image->digits_at, &error);

	if (!tables)
		g_error("no tables: %s", error->message);
	return tables;
}

gboolean
kallsyms_image_has(const KallsymsImage *image, const VmifsSymbols *symbols)
{
	if (!symbols || vmifs_symbols_count(symbols) != image->expected->len)
		return FALSE;
	for (guint i = 0; i < image->expected->len; i++) {
		const KallsymsExpected *want = &g_array_index(image->expected, KallsymsExpected, i);
		VmifsSymbol symbol;

		vmifs_symbols_get(symbols, i, &symbol);
		if (symbol.address != want->address || symbol.type != want->type ||
		    !g_str_equal(symbol.name, want->name) || symbol.module)
			return FALSE;
	}
	return TRUE;
}
