/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* aspace-check: address spaces over described memory, and what is seen of them written down. */
#pragma once

#include <unit.h>

#include <aspace.h>
#include <string.h>
#include <text-guest.h>

#define PAGE ((guint64) 0x1000)
#define LOWER_END 0x800000000000ull
#define X64 "%#" G_GINT64_MODIFIER "x"

static inline VmifsAspace *
aspace_over(VmifsPhysmem *mem, guint64 root, const guint *epoch)
{
	VmifsPaging paging = { .mode = &vmifs_archs[0]->modes[0], .root = root };

	ck_assert_str_eq(paging.mode->name, "x86_64 4-level");
	return vmifs_aspace_new(mem, &paging, epoch);
}

/*
 * Two leaf tables, 0x4000 and 0x5000, whose pages continue each other; then a 2M page that
 * continues the second one. Of that page RAM ends in the middle, of the last one it begins there.
 */
static inline VmifsAspace *
aspace_of_tables(void)
{
	g_autoptr(GString) text = g_string_new(
		"ram 0 1M low\nram 1M 2M main\nram 5M 64K high\n"
		"u64 0x1000 0x2067\nu64 0x2000 0x3067\n"
		"u64 0x3000 0x4067 0x5067 0x2000e7 0x99067 0 0x12345067 0x12345067 0x23456067\n"
		"u64 0x3040 0x5a5a00 0x5a5b00 0xe7 0x4000e7\n"
		"u64 0x5010 0xfee00067 0xfee01067 0 0x100067 0x5a5a00\nu64 0x5ff8 0x1ff067\n"
		"u64 0x100000 0x1111\nu64 0x101000 0x2222 0x3333\nu64 0x102000 0x4444\n");
	g_autoptr(VmifsPhysmem) mem = NULL;

	for (guint i = 510; i < 514; i++)
		g_string_append_printf(text, "u64 " X64 " " X64 "\n", 0x4000 + i * (guint64) 8,
				       0x10067 + i * PAGE);
	mem = text_guest(text->str);
	return aspace_over(mem, 0x1000, NULL);
}

#define assert_error(error, wanted, part)                                                          \
	do {                                                                                       \
		ck_assert_ptr_nonnull(error);                                                      \
		ck_assert_msg(g_error_matches(error, VMIFS_ERROR, (gint) (wanted)), "code %d: %s", \
			      (error)->code, (error)->message);                                    \
		ck_assert_msg(strstr((error)->message, part) != NULL, "%s", (error)->message);     \
		g_clear_error(&(error));                                                           \
	} while (0)

typedef struct {
	GString *text;
	guint n, stop_after;
} Visited;

static inline gboolean
write_down(const VmifsRange *range, gpointer user)
{
	static const char *const kinds[] = { "page", "hole", "not-present", "broken" };
	Visited *visited = user;

	if (visited->n < 100)
		g_string_append_printf(visited->text, X64 "+" X64 " %s " X64 "\n", range->va,
				       range->len, kinds[range->kind],
				       range->kind == VMIFS_RANGE_NOT_PRESENT ? range->entry
									      : range->pa);
	return ++visited->n != visited->stop_after;
}

#define assert_visited(visited, expected)                                                          \
	do {                                                                                       \
		ck_assert_str_eq((visited).text->str, expected);                                   \
		g_string_free((visited).text, TRUE);                                               \
	} while (0)
