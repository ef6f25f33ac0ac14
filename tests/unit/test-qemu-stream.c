/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* backends/qemu/stream: RAM as a migration stream tells it, and streams that lie. */
#include <unit.h>

#include <backends/qemu/stream.h>
#include <vmifs/error.h>

#include <errno.h>
#include <string.h>

#define PAGE QEMU_STREAM_PAGE

typedef struct {
	GByteArray *bytes; /* the stream */
	gsize at, step;    /* how much one read gives */
	int broken;        /* an errno value for reads behind the end */
	GString *told;     /* what the sink heard, a line each */
	gboolean refuse;   /* the sink wants no page */
	GBytes *devices;
	GError *error;
} Fixture;

static Fixture f;

static void
setup(void)
{
	f = (Fixture){ .bytes = g_byte_array_new(), .step = G_MAXSIZE, .told = g_string_new(NULL) };
}

static void
teardown(void)
{
	g_byte_array_unref(f.bytes);
	g_string_free(f.told, TRUE);
	g_clear_pointer(&f.devices, g_bytes_unref);
	g_clear_error(&f.error);
}

/* ---- a stream ---- */

static void
put(gconstpointer bytes, gsize len)
{
	g_byte_array_append(f.bytes, bytes, (guint) len);
}

static void
put_number(guint64 value, gsize len)
{
	for (gsize i = len; i--;)
		put(&(guint8){ (guint8) (value >> 8 * i) }, 1);
}

static void
put_name(const char *name)
{
	put_number(strlen(name), 1);
	put(name, strlen(name));
}

static void
put_head(void)
{
	put("QEVM", 4);
	put_number(3, 4);
}

static void
put_footer(guint32 id)
{
	put_number(0x7e, 1);
	put_number(id, 4);
}

/* The start of a part; its number is 2. */
static void
put_start(const char *name, guint32 version)
{
	put_number(1, 1);
	put_number(2, 4);
	put_name(name);
	put_number(0, 4);
	put_number(version, 4);
}

/* RAM of one block. */
static void
put_ram(guint64 len)
{
	put_start("ram", 4);
	put_number(len | 0x04, 8);
	put_name("pc.ram");
	put_number(len, 8);
	put_number(0x10, 8);
	put_footer(2);
}

static void
put_part(guint8 type)
{
	put_number(type, 1);
	put_number(2, 4);
}

static void
end_part(void)
{
	put_number(0x10, 8);
	put_footer(2);
}

static void
put_page(guint64 offset, const char *block, int byte)
{
	guint8 page[PAGE];
	memset(page, byte, sizeof page);
	put_number(offset | 0x08 | (block ? 0 : 0x20), 8);
	if (block)
		put_name(block);
	put(page, sizeof page);
}

static void
put_zero(guint64 offset, const char *block, int byte)
{
	put_number(offset | 0x02 | (block ? 0 : 0x20), 8);
	if (block)
		put_name(block);
	put_number((guint64) byte, 1);
}

/* ---- reading it ---- */

static gssize
read_some(gpointer source, gpointer buf, gsize len)
{
	gsize n = MIN(MIN(len, f.step), f.bytes->len - f.at);
	if (!n && f.broken)
		return -f.broken;
	memcpy(buf, f.bytes->data + f.at, n);
	f.at += n;
	return (gssize) n;
}

static gboolean
block(gpointer user, const char *name, guint64 len, GError **error)
{
	g_string_append_printf(f.told, "%s %" G_GINT64_MODIFIER "x\n", name, len);
	return TRUE;
}

static gboolean
page(gpointer user, guint index, guint64 offset, const guint8 *bytes, GError **error)
{
	if (f.refuse) {
		g_set_error_literal(error, VMIFS_ERROR, VMIFS_ERROR_IO, "no room");
		return FALSE;
	}
	g_string_append_printf(f.told, "%u+%" G_GINT64_MODIFIER "x", index, offset);
	if (bytes) {
		ck_assert_mem_eq(bytes, bytes + 1, PAGE - 1);
		g_string_append_printf(f.told, "=%02x", bytes[0]);
	}
	g_string_append_c(f.told, '\n');
	return TRUE;
}

static gboolean
read_stream(const VmifsCall *call)
{
	static const QemuStreamSink sink = { block, page };
	return qemu_stream_read(read_some, NULL, &sink, NULL, &f.devices, call, &f.error);
}

static void
assert_fails(int code, const char *text)
{
	ck_assert(!read_stream(NULL));
	ck_assert_msg(g_error_matches(f.error, VMIFS_ERROR, code), "%s", f.error->message);
	ck_assert_msg(strstr(f.error->message, text), "%s", f.error->message);
	ck_assert_ptr_null(f.devices);
}

/* ---- what is in one ---- */

static void
put_snapshot(void)
{
	put_head();
	put_number(7, 1); /* the configuration: a name */
	put_number(2, 4);
	put("pc", 2);
	put_start("ram", 4);
	put_number(0x3000 | 0x04, 8);
	put_name("pc.ram");
	put_number(0x2000, 8);
	put_name("bios");
	put_number(0x1000, 8);
	put_number(0x10, 8);
	put_footer(2);
	put_part(2);
	put_page(0x1000, "pc.ram", 0xab);
	put_zero(0, NULL, 0);
	put_number(0x200, 8);
	put_zero(0, "bios", 0x5a);
	end_part();
	put("\4device states", 14);
}

START_TEST(pages_come_where_they_belong)
{
	static const gsize steps[] = { 1, 7, 4096, G_MAXSIZE };
	f.step = steps[_i];
	put_snapshot();
	ck_assert_msg(read_stream(NULL), "%s", f.error ? f.error->message : "");
	ck_assert_str_eq(f.told->str, "pc.ram 2000\nbios 1000\n0+1000=ab\n0+0\n1+0=5a\n");
	ck_assert_uint_eq(g_bytes_get_size(f.devices), 14);
	ck_assert_mem_eq(g_bytes_get_data(f.devices, NULL), "\4device states", 14);
}
END_TEST

START_TEST(unusual_configurations_are_passed)
{
	put_head();
	put_number(7, 1);
	put_number(0, 4);
	put_number(5, 1);
	put_name("configuration/capabilities");
	put_number(1, 4);
	put_number(2, 4);
	put_name("events");
	put_name("multifd");
	put_number(5, 1);
	put_name("configuration/uuid");
	put_number(1, 4);
	put("0123456789abcdef", 16);
	put_number(8, 1); /* a command of three bytes */
	put_number(1, 2);
	put_number(3, 2);
	put("abc", 3);
	put_ram(PAGE);
	put_part(3);
	end_part();
	put_number(0, 1);
	ck_assert_msg(read_stream(NULL), "%s", f.error ? f.error->message : "");
	ck_assert_str_eq(f.told->str, "pc.ram 1000\n");
	ck_assert_uint_eq(g_bytes_get_size(f.devices), 1);
}
END_TEST

/* ---- what is not one ---- */

START_TEST(a_stream_cut_anywhere_fails)
{
	put_snapshot();
	gsize whole = f.bytes->len - 14;
	for (gsize len = 0; len <= whole; len += len < 200 ? 1 : 333) {
		f.at = 0;
		f.bytes->len = (guint) len;
		assert_fails(VMIFS_ERROR_CORRUPT, "ends too early");
		g_clear_error(&f.error);
	}
}
END_TEST

START_TEST(other_bytes_are_no_stream)
{
	put("QEVM\0\0\0\4 and so on", 16);
	assert_fails(VMIFS_ERROR_CORRUPT, "does not begin as one");
}
END_TEST

START_TEST(parts_that_are_not_known_are_named)
{
	put_head();
	put_start("ram", 5);
	assert_fails(VMIFS_ERROR_UNSUPPORTED, "the part \"ram\", version 5");
	teardown();
	setup();
	put_head();
	put_start("vfio\033[2J", 1);
	assert_fails(VMIFS_ERROR_UNSUPPORTED, "vfio\\033[2J");
}
END_TEST

START_TEST(compressed_pages_are_refused)
{
	put_head();
	put_ram(PAGE);
	put_part(2);
	put_number(0x100, 8);
	assert_fails(VMIFS_ERROR_UNSUPPORTED, "not asked for");
}
END_TEST

START_TEST(pages_outside_are_refused)
{
	put_head();
	put_ram(PAGE);
	put_part(2);
	if (_i == 0)
		put_page(PAGE, "pc.ram", 1);
	else if (_i == 1)
		put_page(0, "other", 1);
	else
		put_page(0, NULL, 1);
	end_part();
	assert_fails(VMIFS_ERROR_CORRUPT, _i == 0   ? "outside its block"
					  : _i == 1 ? "has not told"
						    : "of no block");
}
END_TEST

START_TEST(a_stream_without_end_ends)
{
	put_head();
	put_ram(PAGE);
	put_part(2);
	put_zero(0, "pc.ram", 0);
	put_zero(0, "pc.ram", 0);
	assert_fails(VMIFS_ERROR_CORRUPT, "more pages than there are");
	ck_assert_str_eq(f.told->str, "pc.ram 1000\n0+0\n");
}
END_TEST

START_TEST(sizes_that_make_no_sense_are_refused)
{
	static const guint64 sizes[] = { 0, 1, 0x2000, G_MAXUINT64 & ~0xfffull };
	put_head();
	put_start("ram", 4);
	put_number(0x1000 | 0x04, 8);
	put_name("pc.ram");
	put_number(sizes[_i], 8);
	assert_fails(VMIFS_ERROR_CORRUPT, "a block of");
}
END_TEST

START_TEST(blocks_are_told_once)
{
	put_head();
	put_start("ram", 4);
	put_number(0x2000 | 0x04, 8);
	for (guint i = 0; i < 2; i++) {
		put_name("pc.ram");
		put_number(0x1000, 8);
	}
	assert_fails(VMIFS_ERROR_CORRUPT, "two blocks of one name");
	teardown();
	setup();
	put_head();
	put_start("ram", 4);
	put_number((guint64) PAGE * 2000 | 0x04, 8);
	for (guint i = 0; i < 2000; i++) {
		g_autofree char *name = g_strdup_printf("dimm%u", i);
		put_name(name);
		put_number(PAGE, 8);
	}
	assert_fails(VMIFS_ERROR_CORRUPT, "more than 1024 blocks");
}
END_TEST

START_TEST(sections_end_where_they_should)
{
	put_head();
	put_ram(PAGE);
	put_part(2);
	put_number(0x10, 8);
	put_footer(3);
	assert_fails(VMIFS_ERROR_CORRUPT, "does not end where it should");
}
END_TEST

START_TEST(devices_without_ram_are_refused)
{
	put_head();
	put_number(4, 1);
	assert_fails(VMIFS_ERROR_CORRUPT, "there is no RAM");
}
END_TEST

START_TEST(endless_devices_are_refused)
{
	put_head();
	put_ram(PAGE);
	g_byte_array_set_size(f.bytes, f.bytes->len + QEMU_STREAM_MAX_DEVICES + 2);
	memset(f.bytes->data + f.bytes->len - QEMU_STREAM_MAX_DEVICES - 2, 4,
	       QEMU_STREAM_MAX_DEVICES + 2);
	assert_fails(VMIFS_ERROR_CORRUPT, "endless device states");
}
END_TEST

START_TEST(failures_of_others_are_passed_on)
{
	gint cancelled = 1;
	VmifsCall call = { .cancelled = &cancelled };
	put_snapshot();
	f.refuse = TRUE;
	assert_fails(VMIFS_ERROR_IO, "no room");
	g_clear_error(&f.error);
	f.refuse = FALSE;
	f.at = 0;
	f.bytes->len -= 20;
	f.broken = EPIPE;
	assert_fails(VMIFS_ERROR_IO, g_strerror(EPIPE));
	g_clear_error(&f.error);
	f.at = 0;
	ck_assert(!read_stream(&call));
	ck_assert(g_error_matches(f.error, VMIFS_ERROR, VMIFS_ERROR_CANCELLED));
}
END_TEST

static Suite *
make_suite(void)
{
	Suite *suite = suite_create("qemu-stream");
	TCase *tests = tcase_create("stream");
	tcase_add_checked_fixture(tests, setup, teardown);
	tcase_add_loop_test(tests, pages_come_where_they_belong, 0, 4);
	tcase_add_test(tests, unusual_configurations_are_passed);
	tcase_add_test(tests, a_stream_cut_anywhere_fails);
	tcase_add_test(tests, other_bytes_are_no_stream);
	tcase_add_test(tests, parts_that_are_not_known_are_named);
	tcase_add_test(tests, compressed_pages_are_refused);
	tcase_add_loop_test(tests, pages_outside_are_refused, 0, 3);
	tcase_add_test(tests, a_stream_without_end_ends);
	tcase_add_loop_test(tests, sizes_that_make_no_sense_are_refused, 0, 4);
	tcase_add_test(tests, blocks_are_told_once);
	tcase_add_test(tests, sections_end_where_they_should);
	tcase_add_test(tests, devices_without_ram_are_refused);
	tcase_add_test(tests, endless_devices_are_refused);
	tcase_add_test(tests, failures_of_others_are_passed_on);
	suite_add_tcase(suite, tests);
	return suite;
}

VMIFS_UNIT_MAIN(make_suite)
