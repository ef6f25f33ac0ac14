/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* isf: profiles in whatever order they come, packed or not, and hostile ones. */
#include <types-check.h>

#include <errno.h>
#include <given-text.h>
#include <sys/mman.h>
#include <unistd.h>
#include <unpack.h>

#define USER_TYPES                                                                                     \
	"\"user_types\":{"                                                                             \
	"\"task\":{\"kind\":\"struct\",\"fields\":{"                                                   \
	"\"pid\":{\"type\":{\"kind\":\"base\",\"name\":\"int\"},\"offset\":4},"                        \
	"\"tasks\":{\"offset\":8,\"type\":{\"name\":\"list\",\"kind\":\"struct\"}},"                   \
	"\"comm\":{\"offset\":24,\"type\":{\"count\":16,\"kind\":\"array\",\"subtype\":"               \
	"{\"kind\":\"base\",\"name\":\"char\"}}},"                                                     \
	"\"mm\":{\"offset\":40,\"type\":{\"kind\":\"pointer\",\"subtype\":{\"kind\":\"struct\","       \
	"\"name\":\"never\"}}},"                                                                       \
	"\"flag\":{\"offset\":48,\"type\":{\"kind\":\"bitfield\",\"bit_position\":3,\"bit_length\":2," \
	"\"type\":{\"kind\":\"base\",\"name\":\"int\"}}},"                                             \
	"\"type\":{\"offset\":52,\"type\":{\"kind\":\"enum\",\"name\":\"kinds\"}},"                    \
	"\"u\":{\"offset\":56,\"anonymous\":true,\"type\":{\"kind\":\"union\",\"name\":\"x1\"}},"      \
	"\"fn\":{\"offset\":0,\"type\":{\"kind\":\"function\"}},"                                      \
	"\"far\":{\"offset\":18446744073709551615,\"type\":{\"kind\":\"base\",\"name\":\"int\"}}"      \
	"},\"size\":64},"                                                                              \
	"\"x1\":{\"size\":8,\"kind\":\"union\",\"fields\":{\"inner\":{\"offset\":4,\"type\":"          \
	"{\"kind\":\"base\",\"name\":\"int\"}}}},"                                                     \
	"\"list\":{\"size\":16,\"fields\":{\"next\":{\"offset\":0,\"type\":{\"kind\":\"pointer\","     \
	"\"subtype\":{\"kind\":\"struct\",\"name\":\"list\"}}}}}}"
#define BASE_TYPES                                                                                 \
	"\"base_types\":{\"int\":{\"size\":4,\"signed\":true},\"char\":{\"size\":1},"              \
	"\"void\":{\"size\":0},\"pointer\":{\"size\":8,\"endian\":\"little\"}}"
#define ENUMS                                                                                      \
	"\"enums\":{\"kinds\":{\"constants\":{\"ONE\":1,\"MINUS\":-1},\"base\":\"int\",\"size\":4}}"
/* "Linux version 6.1\n" */
#define SYMBOLS                                                                                       \
	"\"symbols\":{\"init_task\":{\"type\":{\"kind\":\"base\"},\"address\":18446744071587201024}," \
	"\"linux_banner\":{\"constant_data\":\"TGludXggdmVyc2lvbiA2LjEKAA==\",\"address\":7},"        \
	"\"declared\":{\"address\":0}}"

static gboolean
read_isf(const char *bytes, VmifsGiven *ret, GError **error)
{
	GivenText text = { bytes, strlen(bytes), 5 };

	return vmifs_isf_read(given_text_read, &text, ret, NULL, error);
}

static const char *const orders[] = {
	"{\"metadata\":{\"format\":\"6.2.0\"}," BASE_TYPES "," USER_TYPES "," ENUMS "," SYMBOLS "}",
	"{" SYMBOLS "," ENUMS "," USER_TYPES "," BASE_TYPES ",\"metadata\":[]}",
};

START_TEST(profiles_are_read_in_any_order)
{
	VmifsGiven given = { 0 };
	g_autoptr(GError) error = NULL;
	guint64 address;
	gint64 value;
	VmifsMember m;

	ck_assert_msg(read_isf(orders[_i], &given, &error), "%s", error ? error->message : "");
	assert_size(given.types, "task", 64);
	assert_place(given.types, "task.pid", 4, 4);
	assert_place(given.types, "task.tasks.next", 8, 8);
	assert_place(given.types, "task.comm", 24, 16);
	assert_bits(given.types, "task.flag", 48, 4, 3, 2);
	assert_place(given.types, "task.type", 52, 4);
	assert_place(given.types, "task.inner", 60, 4);
	assert_no_member(given.types, "task.fn");
	assert_no_member(given.types, "task.far");
	ck_assert(vmifs_types_member(given.types, "task.mm", &m));
	ck_assert(m.is_pointer);
	ck_assert_uint_eq(m.size, 8);
	ck_assert(vmifs_types_member(given.types, "task.comm", &m));
	ck_assert_uint_eq(m.count, 16);
	ck_assert(vmifs_types_enumerator(given.types, "MINUS", &value));
	ck_assert_int_eq(value, -1);
	ck_assert(vmifs_symbols_lookup(given.symbols, "init_task", &address));
	ck_assert_uint_eq(address, 18446744071587201024ull);
	ck_assert(!vmifs_symbols_lookup(given.symbols, "declared", &address));
	ck_assert_str_eq(given.banner, "Linux version 6.1");
	vmifs_given_clear(&given);
}
END_TEST

START_TEST(pointers_of_32_bits_are_told_late)
{
	VmifsGiven given = { 0 };

	ck_assert(read_isf(
		"{\"user_types\":{\"a\":{\"size\":8,\"fields\":{\"p\":{\"offset\":4,\"type\":"
		"{\"kind\":\"pointer\"}}}}},\"base_types\":{\"pointer\":{\"size\":4}}}",
		&given, NULL));
	assert_place(given.types, "a.p", 4, 4);
	vmifs_given_clear(&given);
}
END_TEST

#define ARRAY "{\"kind\":\"array\",\"count\":2,\"subtype\":"
#define ARRAYS_8 ARRAY ARRAY ARRAY ARRAY ARRAY ARRAY ARRAY ARRAY

static const struct {
	const char *bytes, *why;
} broken[] = {
	{ "{}", "not ISF" },
	{ "{\"user_types\":{}}", "not ISF" },
	{ "[]", "another kind" },
	{ "{\"user_types\":{\"a\":{\"size\":8}", "too soon" },
	{ "{\"user_types\":{\"a\":{\"size\":\"8\"}}}", "another kind" },
	{ "{\"user_types\":{\"a\":{\"fields\":{\"m\":{\"type\":" ARRAYS_8 ARRAYS_8 ARRAYS_8 ARRAYS_8
	  "{",
	  "types within each other" },
};

START_TEST(what_is_no_profile_is_refused)
{
	VmifsGiven given = { 0 };
	g_autoptr(GError) error = NULL;

	ck_assert(!read_isf(broken[_i].bytes, &given, &error));
	ck_assert(g_error_matches(error, VMIFS_ERROR, VMIFS_ERROR_CORRUPT));
	ck_assert_msg(strstr(error->message, broken[_i].why), "%s", error->message);
	vmifs_given_clear(&given);
}
END_TEST

#define LONG_NAME (1024 * 1024 - 8)

/* Of structures, and of the members of one: each as long as a text may be. */
START_TEST(names_without_end_are_refused)
{
	g_autofree char *name = g_strnfill(LONG_NAME, 'x');
	GString *text = g_string_new("{\"user_types\":{");
	VmifsGiven given = { 0 };
	g_autoptr(GError) error = NULL;

	if (_i)
		g_string_append(text, "\"a\":{\"fields\":{");
	for (guint i = 0; i < 32; i++)
		g_string_append_printf(text, "%s\"%02u%s\":{}", i ? "," : "", i, name);
	g_string_append(text, _i ? "}}}}" : "}}");
	ck_assert(!read_isf(text->str, &given, &error));
	ck_assert_msg(strstr(error->message, "than any kernel has"), "%s", error->message);
	g_string_free(text, TRUE);
}
END_TEST

START_TEST(a_structure_within_itself_has_an_end)
{
	VmifsGiven given = { 0 };

	ck_assert(
		read_isf("{\"user_types\":{\"a\":{\"size\":8,\"fields\":{\"u\":{\"anonymous\":true,"
			 "\"offset\":0,\"type\":{\"kind\":\"struct\",\"name\":\"a\"}}}}}}",
			 &given, NULL));
	assert_size(given.types, "a", 8);
	assert_no_member(given.types, "a.b");
	vmifs_given_clear(&given);
}
END_TEST

START_TEST(who_gave_up_gets_nothing)
{
	gint cancelled = 1;
	VmifsCall call = { .cancelled = &cancelled };
	GivenText text = { orders[0], strlen(orders[0]), 0 };
	VmifsGiven given = { 0 };
	g_autoptr(GError) error = NULL;

	ck_assert(!vmifs_isf_read(given_text_read, &text, &given, &call, &error));
	ck_assert(g_error_matches(error, VMIFS_ERROR, VMIFS_ERROR_CANCELLED));
}
END_TEST

/* ---- files ---- */

static int
file_of(const guint8 *bytes, gsize len)
{
	int fd = memfd_create("profile", MFD_CLOEXEC);

	ck_assert_int_ge(fd, 0);
	ck_assert_int_eq(write(fd, bytes, len), (gssize) len);
	return fd;
}

/* "packed\n", twice, the second in a stream of its own. */
static const guint8 gz[] = { 31,  139, 8,   0, 0,  0,   0,   0,  2,  3,  43, 72, 76,  206,
			     78,  77,  225, 2, 0,  67,  224, 65, 47, 7,  0,  0,  0,   31,
			     139, 8,   0,   0, 0,  0,   0,   2,  3,  43, 72, 76, 206, 78,
			     77,  225, 2,   0, 67, 224, 65,  47, 7,  0,  0,  0 };

START_TEST(packed_files_are_unpacked)
{
	char bytes[64];
	int fd = file_of(gz, sizeof gz);
	g_autoptr(GError) error = NULL;
	g_autoptr(VmifsUnpack) unpack = vmifs_unpack_new(fd, &error);
	gsize len = 0;
	gssize n;

	if (g_error_matches(error, VMIFS_ERROR, VMIFS_ERROR_UNSUPPORTED))
		return; /* a build without zlib */
	ck_assert_ptr_nonnull(unpack);
	while ((n = vmifs_unpack_read(unpack, bytes + len, 3, &error)) > 0)
		len += (gsize) n;
	ck_assert_msg(!error, "%s", error ? error->message : "");
	ck_assert_uint_eq(len, 14);
	ck_assert_mem_eq(bytes, "packed\npacked\n", 14);
	close(fd);
}
END_TEST

START_TEST(packed_files_that_were_cut_are_refused)
{
	static const char *const heads[] = { "\037\213\010", "\3757zXZ", "\050\265\057\375" };
	char bytes[64];
	gsize len = _i ? 6 : sizeof gz - 3;
	const guint8 *head = _i == 0 ? gz : (const guint8 *) heads[_i];
	int fd = file_of(head, _i == 2 ? 4 : len);
	g_autoptr(GError) error = NULL;
	g_autoptr(VmifsUnpack) unpack = vmifs_unpack_new(fd, &error);
	gssize n = 1;

	while (unpack && n > 0)
		n = vmifs_unpack_read(unpack, bytes, sizeof bytes, &error);
	ck_assert_ptr_nonnull(error);
	ck_assert(unpack ? error->code == VMIFS_ERROR_CORRUPT
			 : error->code == VMIFS_ERROR_UNSUPPORTED);
	close(fd);
}
END_TEST

static Suite *
make_suite(void)
{
	Suite *s = suite_create("isf");
	TCase *t = tcase_create("isf");

	tcase_add_loop_test(t, profiles_are_read_in_any_order, 0, G_N_ELEMENTS(orders));
	tcase_add_test(t, pointers_of_32_bits_are_told_late);
	tcase_add_loop_test(t, what_is_no_profile_is_refused, 0, G_N_ELEMENTS(broken));
	tcase_add_loop_test(t, names_without_end_are_refused, 0, 2);
	tcase_add_test(t, a_structure_within_itself_has_an_end);
	tcase_add_test(t, who_gave_up_gets_nothing);
	tcase_add_test(t, packed_files_are_unpacked);
	tcase_add_loop_test(t, packed_files_that_were_cut_are_refused, 0, 3);
	suite_add_tcase(s, t);
	return s;
}

VMIFS_UNIT_MAIN(make_suite)
