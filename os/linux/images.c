/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* images: symbol tables that were recognised in memory, each looked at and decoded once. */
#include "find.h"

#include "kept.h"

#include <string.h>

#define MAX_IMAGES 64
/* Of all their symbols together: a guest can plant tables as easily as one. A kernel's take 4 MB to
 * 8 MB. Beyond either bound the smallest that was refuted goes: planting large ones takes memory.
 */
#define MAX_SYMBOLS_SIZE (192u << 20)
/* The first tokens; those of the digits are among them. */
#define TOKENS_HEAD 2048
#define DIGITS_LEN 20
#define SCAN_STEP (1u << 20)
/* Of memory that is searched for exports, of all images together. */
#define MAX_SEARCHED (G_GUINT64_CONSTANT(1) << 30)

void
linux_image_free(gpointer data)
{
	LinuxImage *image = data;

	linux_kallsyms_free(image->tables);
	vmifs_symbols_unref(image->symbols);
	g_clear_pointer(&image->source, g_bytes_unref);
	g_clear_pointer(&image->exports.symbols, vmifs_symbols_unref);
	g_free(image);
}

/* Images that were proved stay. */
static void
make_room(LinuxFind *find)
{
	for (;;) {
		gsize size = 0, least = G_MAXSIZE;
		guint smallest = 0;

		for (guint i = 0; i < find->images->len; i++) {
			const LinuxImage *image = g_ptr_array_index(find->images, i);
			gsize own = vmifs_symbols_size(image->symbols) +
				    (image->source ? g_bytes_get_size(image->source) : 0);

			size += own;
			if (!image->is_proved && own < least) {
				least = own;
				smallest = i;
			}
		}
		if (least == G_MAXSIZE ||
		    (find->images->len < MAX_IMAGES && size <= MAX_SYMBOLS_SIZE))
			return;
		g_ptr_array_remove_index(find->images, smallest);
	}
}

/* Both tables are in read-only data, between the text and what only starts the kernel; exports come
 * later. */
static void
find_exports(LinuxFind *find, const LinuxPhys *phys, LinuxImage *image)
{
	guint64 task, from, end, len = LINUX_IMAGE_SPAN;

	if (vmifs_symbols_lookup(image->symbols, "init_task", &task))
		return;
	if (vmifs_symbols_lookup(image->symbols, "_etext", &from) &&
	    vmifs_symbols_lookup(image->symbols, "_sinittext", &end) && end > from)
		len = MIN(len, end - from);
	if (find->n_searched >= MAX_SEARCHED)
		return;
	find->n_searched += len;
	linux_exports_find(phys, image->tables->tokens_pa, len, image->symbols, &image->exports);
}

/* Fills symbols, and source where they had to be decoded; FALSE: they cannot be. */
static gboolean
read_symbols(const VmifsOptions *options, LinuxImage *image)
{
	const LinuxKallsyms *tables = image->tables;

	image->symbols = linux_kept_load(options, tables);
	image->was_kept = image->symbols != NULL;
	if (image->was_kept)
		return TRUE;
	image->symbols = linux_kallsyms_decode(tables, NULL);
	if (image->symbols)
		image->source = linux_kept_source(options, tables);
	return image->symbols != NULL;
}

LinuxImage *
linux_image_at_digits(LinuxFind *find, guint64 pa)
{
	LinuxPhys phys = { linux_find_read_phys, find };
	LinuxImage *image;

	for (guint i = 0; i < find->images->len; i++) {
		image = g_ptr_array_index(find->images, i);
		if (pa - image->tables->tokens_pa <
		    image->tables->token_index_pa - image->tables->tokens_pa)
			return image;
	}
	make_room(find);
	image = g_new0(LinuxImage, 1);
	image->tables = linux_kallsyms_find(&phys, pa, NULL);
	if (!image->tables || !read_symbols(vmifs_probe_options(find->probe), image)) {
		linux_image_free(image);
		return NULL;
	}
	linux_kallsyms_drop_copies(image->tables);
	find_exports(find, &phys, image);
	g_ptr_array_add(find->images, image);
	return image;
}

gboolean
linux_image_is_relative(const LinuxImage *image)
{
	return image->tables->encoding == LINUX_KALLSYMS_PC_RELATIVE;
}

/* By what each calls its system calls, since 4.17, 4.19 and 6.6, or the way to them. */
const char *
linux_image_arch(const LinuxImage *image)
{
	static const struct {
		const char *symbol, *arch;
	} signs[] = {
		{ "__arm64_sys_read", LINUX_ARCH_AARCH64 },
		{ "__riscv_sys_read", LINUX_ARCH_RISCV64 },
		{ "entry_INT80_32", LINUX_ARCH_I386 },
		{ "vector_swi", LINUX_ARCH_ARM },
	};
	guint64 address;

	for (gsize i = 0; i < G_N_ELEMENTS(signs); i++)
		if (vmifs_symbols_lookup(image->symbols, signs[i].symbol, &address))
			return signs[i].arch;
	return LINUX_ARCH_X86_64;
}

gboolean
linux_image_symbol(const LinuxImage *image, const char *name, guint64 delta, guint64 *ret)
{
	if (!vmifs_symbols_lookup(image->symbols, name, ret) &&
	    !(image->exports.symbols && vmifs_symbols_lookup(image->exports.symbols, name, ret)))
		return FALSE;
	if (linux_image_is_relative(image))
		*ret += delta;
	return TRUE;
}

static VmifsSymbols *
move(const LinuxImage *image, VmifsSymbols *symbols, guint64 delta)
{
	VmifsSymbolsBuilder *builder;

	if (!linux_image_is_relative(image))
		return vmifs_symbols_ref(symbols);
	builder = vmifs_symbols_builder_new();
	for (gsize i = 0; i < vmifs_symbols_count(symbols); i++) {
		VmifsSymbol symbol;
		vmifs_symbols_get(symbols, i, &symbol);
		vmifs_symbols_builder_add(builder, symbol.address + delta, symbol.type, symbol.name,
					  strlen(symbol.name));
	}
	return vmifs_symbols_builder_end(builder);
}

VmifsSymbols *
linux_image_symbols(const LinuxImage *image, guint64 delta)
{
	return move(image, image->symbols, delta);
}

VmifsSymbols *
linux_image_exports(const LinuxImage *image, guint64 delta)
{
	return image->exports.symbols ? move(image, image->exports.symbols, delta) : NULL;
}

/* The first image in [pa, pa + len), up to the first hole. */
static LinuxImage *
scan(LinuxFind *find, guint64 pa, guint64 len)
{
	g_autofree guint8 *bytes = g_malloc(SCAN_STEP + DIGITS_LEN);

	for (; len >= SCAN_STEP && linux_find_goes_on(find); pa += SCAN_STEP, len -= SCAN_STEP) {
		/* Digits may lie across two steps. */
		gsize n = SCAN_STEP + DIGITS_LEN;
		const guint8 *at = bytes;

		if (!linux_find_read(find, pa, bytes, n)) {
			n = SCAN_STEP;
			if (!linux_find_read(find, pa, bytes, n))
				return NULL;
		}
		while ((at = memmem(at, bytes + n - at, LINUX_KALLSYMS_DIGITS, DIGITS_LEN))) {
			LinuxImage *image = linux_image_at_digits(find, pa + (at - bytes));
			if (image)
				return image;
			at++;
		}
	}
	return NULL;
}

/* Since 6.1 notes name the tables; before that, they lie behind the text. */
LinuxImage *
linux_image_of_note(LinuxFind *find, const LinuxNote *note, guint64 delta)
{
	guint8 tokens[TOKENS_HEAD];
	const guint8 *digits = NULL;
	LinuxImage *image;
	guint64 va, text;

	if (!linux_vmcoreinfo_hex(note->info, "SYMBOL(_stext)", &text))
		return NULL;
	if (linux_vmcoreinfo_hex(note->info, "SYMBOL(kallsyms_token_table)", &va) &&
	    linux_find_read(find, va - delta, tokens, sizeof tokens))
		digits = memmem(tokens, sizeof tokens, LINUX_KALLSYMS_DIGITS, DIGITS_LEN);
	image = digits ? linux_image_at_digits(find, va - delta + (digits - tokens)) : NULL;
	if (image)
		image->is_named = TRUE;
	else
		image = scan(find, text - delta, LINUX_IMAGE_SPAN);
	/* Another kernel's are no help. */
	if (image && (!linux_image_symbol(image, "_stext", delta, &va) || va != text))
		return NULL;
	return image;
}
