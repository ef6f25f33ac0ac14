/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* lazy: made once per epoch, by one of many; a failure is not kept. */
#include <unit.h>

#include <lazy.h>
#include <vmifs/error.h>

static gint builds;

static gpointer
build(gpointer user, guint *epoch, const VmifsCall *call, GError **error)
{
	g_usleep(20000);
	g_atomic_int_inc(&builds);
	return g_atomic_rc_box_dup(sizeof(int), user);
}

static gpointer
build_nothing(gpointer user, guint *epoch, const VmifsCall *call, GError **error)
{
	g_set_error_literal(error, VMIFS_ERROR, VMIFS_ERROR_CORRUPT, "no");
	return NULL;
}

static gpointer
acquire(gpointer value)
{
	return g_atomic_rc_box_acquire(value);
}

static gpointer
reader(gpointer data)
{
	int seven = 7;
	gpointer value = vmifs_lazy_get(data, 0, build, &seven, NULL, NULL);
	int ret = *(int *) value;
	g_atomic_rc_box_release(value);
	return GINT_TO_POINTER(ret);
}

START_TEST(many_readers_build_once)
{
	VmifsLazy lazy;
	GThread *threads[8];
	vmifs_lazy_init(&lazy, acquire, g_atomic_rc_box_release);
	for (int i = 0; i < 8; i++)
		threads[i] = g_thread_new("reader", reader, &lazy);
	for (int i = 0; i < 8; i++)
		ck_assert_int_eq(GPOINTER_TO_INT(g_thread_join(threads[i])), 7);
	ck_assert_int_eq(builds, 1);
	vmifs_lazy_clear(&lazy);
}
END_TEST

START_TEST(moved_epoch_builds_anew)
{
	VmifsLazy lazy;
	int value = 1;
	vmifs_lazy_init(&lazy, acquire, g_atomic_rc_box_release);
	g_atomic_rc_box_release(vmifs_lazy_get(&lazy, 0, build, &value, NULL, NULL));
	value = 2;
	int *same = vmifs_lazy_get(&lazy, 0, build, &value, NULL, NULL);
	int *next = vmifs_lazy_get(&lazy, 1, build, &value, NULL, NULL);
	ck_assert_int_eq(*same, 1);
	ck_assert_int_eq(*next, 2);
	g_atomic_rc_box_release(same);
	g_atomic_rc_box_release(next);
	vmifs_lazy_clear(&lazy);
}
END_TEST

START_TEST(failure_is_not_kept)
{
	VmifsLazy lazy;
	int value = 3;
	g_autoptr(GError) error = NULL;
	vmifs_lazy_init(&lazy, acquire, g_atomic_rc_box_release);
	ck_assert_ptr_null(vmifs_lazy_get(&lazy, 0, build_nothing, NULL, NULL, &error));
	ck_assert_int_eq(error->code, VMIFS_ERROR_CORRUPT);
	int *made = vmifs_lazy_get(&lazy, 0, build, &value, NULL, NULL);
	ck_assert_int_eq(*made, 3);
	g_atomic_rc_box_release(made);
	vmifs_lazy_clear(&lazy);
}
END_TEST

static gint building, go_on;

static gpointer
build_when_told(gpointer user, guint *epoch, const VmifsCall *call, GError **error)
{
	g_atomic_int_set(&building, 1);
	while (!g_atomic_int_get(&go_on))
		g_usleep(1000);
	return g_atomic_rc_box_dup(sizeof(int), user);
}

static gpointer
slow_reader(gpointer data)
{
	int five = 5;
	return vmifs_lazy_get(data, 0, build_when_told, &five, NULL, NULL);
}

START_TEST(waiter_gives_up_by_its_own_call)
{
	VmifsLazy lazy;
	VmifsCall late = { .deadline = 1 };
	g_autoptr(GError) error = NULL;
	int value = 4;
	vmifs_lazy_init(&lazy, acquire, g_atomic_rc_box_release);
	GThread *builder = g_thread_new("builder", slow_reader, &lazy);
	while (!g_atomic_int_get(&building))
		g_usleep(1000);
	ck_assert_ptr_null(vmifs_lazy_get(&lazy, 0, build, &value, &late, &error));
	ck_assert_int_eq(error->code, VMIFS_ERROR_TIMEOUT);
	g_atomic_int_set(&go_on, 1);
	g_atomic_rc_box_release(g_thread_join(builder));
	vmifs_lazy_clear(&lazy);
}
END_TEST

static Suite *
make_suite(void)
{
	Suite *s = suite_create("lazy");
	TCase *t = tcase_create("lazy");
	tcase_add_test(t, many_readers_build_once);
	tcase_add_test(t, moved_epoch_builds_anew);
	tcase_add_test(t, failure_is_not_kept);
	tcase_add_test(t, waiter_gives_up_by_its_own_call);
	suite_add_tcase(s, t);
	return s;
}

VMIFS_UNIT_MAIN(make_suite)
