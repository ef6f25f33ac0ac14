/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* userns: maps of ids, short and long, and setgroups. */
#include <unit.h>

#include <linux-guest.h>

#define TYPES                                                                                      \
	"struct uid_gid_extent 12 first@0:4 lower_first@4:4 count@8:4\n"                           \
	"struct uid_gid_map 72 nr_extents@0:4 extent@4=uid_gid_extentx5 forward@8:8\n"             \
	"struct user_namespace 224 uid_map@0=uid_gid_map gid_map@72=uid_gid_map "                  \
	"projid_map@144=uid_gid_map flags@216:8\n"                                                 \
	"struct cred 8 user_ns@0:8\n"                                                              \
	"struct task_struct 8 real_cred@0:8\n"

typedef struct {
	LinuxGuest g;
	GString *out;
	GError *error;
	VmifsTask task;
	guint64 ns;
} Fixture;

static void
setup(Fixture *f)
{
	*f = (Fixture){ .out = g_string_new(NULL) };
	linux_guest_init(&f->g, TYPES);
	f->task.object = linux_guest_new(&f->g, LINUX_STRUCT_TASK);
	f->ns = linux_guest_new(&f->g, LINUX_STRUCT_USER_NS);
	guint64 cred = linux_guest_new(&f->g, LINUX_STRUCT_CRED);
	linux_guest_put(&f->g, f->task.object, LINUX_FIELD_TASK_REAL_CRED, cred);
	linux_guest_put(&f->g, cred, LINUX_FIELD_CRED_USER_NS, f->ns);
}

static void
teardown(Fixture *f)
{
	linux_guest_clear(&f->g);
	g_string_free(f->out, TRUE);
	g_clear_error(&f->error);
}

static void
put_extent(Fixture *f, guint64 at, guint32 first, guint32 lower, guint32 count)
{
	linux_guest_put(&f->g, at, LINUX_FIELD_UID_GID_EXTENT_FIRST, first);
	linux_guest_put(&f->g, at, LINUX_FIELD_UID_GID_EXTENT_LOWER_FIRST, lower);
	linux_guest_put(&f->g, at, LINUX_FIELD_UID_GID_EXTENT_COUNT, count);
}

START_TEST(map_has_a_line_for_each_extent)
{
	Fixture f;
	setup(&f);
	guint64 map = linux_guest_at(&f.g, f.ns, LINUX_FIELD_USER_NS_GID_MAP);
	guint64 extent = linux_guest_at(&f.g, map, LINUX_FIELD_UID_GID_MAP_EXTENT);
	linux_guest_put(&f.g, map, LINUX_FIELD_UID_GID_MAP_NR_EXTENTS, 2);
	put_extent(&f, extent, 0, 1000, 1);
	put_extent(&f, extent + 12, 1, 100000, 4294967294U);
	ck_assert(linux_render_gid_map(linux_guest_start(&f.g), &f.task, NULL, f.out, NULL,
				       &f.error));
	ck_assert_str_eq(f.out->str, "         0       1000          1\n"
				     "         1     100000 4294967294\n");
	teardown(&f);
}
END_TEST

START_TEST(long_map_is_elsewhere_and_bounded)
{
	static const guint32 counts[] = { 6, G_MAXUINT32 };
	Fixture f;
	setup(&f);
	guint64 map = linux_guest_at(&f.g, f.ns, LINUX_FIELD_USER_NS_UID_MAP);
	guint64 array = linux_guest_alloc(&f.g, 400 * 12);
	linux_guest_put(&f.g, map, LINUX_FIELD_UID_GID_MAP_NR_EXTENTS, counts[_i]);
	linux_guest_put(&f.g, map, LINUX_FIELD_UID_GID_MAP_FORWARD, array);
	put_extent(&f, array + 5 * 12, 5, 6, 7);
	ck_assert(linux_render_uid_map(linux_guest_start(&f.g), &f.task, NULL, f.out, NULL,
				       &f.error));
	g_auto(GStrv) lines = g_strsplit(f.out->str, "\n", -1);
	ck_assert_uint_eq(g_strv_length(lines) - 1, MIN(counts[_i], 340));
	ck_assert_str_eq(lines[5], "         5          6          7");
	teardown(&f);
}
END_TEST

START_TEST(namespace_without_a_map_has_no_line)
{
	Fixture f;
	setup(&f);
	ck_assert(linux_render_projid_map(linux_guest_start(&f.g), &f.task, NULL, f.out, NULL,
					  &f.error));
	ck_assert_str_eq(f.out->str, "");
	teardown(&f);
}
END_TEST

START_TEST(setgroups_is_allowed_or_denied)
{
	Fixture f;
	setup(&f);
	linux_guest_put(&f.g, f.ns, LINUX_FIELD_USER_NS_FLAGS, (guint64) _i | 2);
	ck_assert(linux_render_setgroups(linux_guest_start(&f.g), &f.task, NULL, f.out, NULL,
					 &f.error));
	ck_assert_str_eq(f.out->str, _i ? "allow\n" : "deny\n");
	teardown(&f);
}
END_TEST

static Suite *
make_suite(void)
{
	Suite *s = suite_create("userns");
	TCase *t = tcase_create("userns");

	tcase_add_test(t, map_has_a_line_for_each_extent);
	tcase_add_loop_test(t, long_map_is_elsewhere_and_bounded, 0, 2);
	tcase_add_test(t, namespace_without_a_map_has_no_line);
	tcase_add_loop_test(t, setgroups_is_allowed_or_denied, 0, 2);
	suite_add_tcase(s, t);
	return s;
}

VMIFS_UNIT_MAIN(make_suite)
