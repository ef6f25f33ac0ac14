/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* content: one text for all who have a frozen file open, and what happens when its maker fails. */
#include <unit.h>

#include <fs/content.h>
#include <fs/fs.h>

typedef struct {
	VmifsNode node;
	gint n_started;  /* atomic */
	gint n_rendered; /* atomic */
	gint n_failures; /* atomic; how many of the next renderings fail */
	gint delay_ms;
	gsize len; /* of the text, at least */
} TestNode;

static gboolean
render(VmifsNode *node, GString *out, VmifsNodeCall *call, GError **error)
{
	TestNode *self = (TestNode *) node;
	if (!vmifs_node_needs_work(call))
		return FALSE;
	g_atomic_int_inc(&self->n_started);
	g_usleep((gulong) self->delay_ms * 1000);
	g_atomic_int_inc(&self->n_rendered);
	if (g_atomic_int_add(&self->n_failures, -1) > 0) {
		g_set_error(error, VMIFS_ERROR, VMIFS_ERROR_CANCELLED, "given up");
		return FALSE;
	}
	g_string_append(out, "text\n");
	while (out->len < self->len)
		g_string_append_c(out, '.');
	return vmifs_node_end_try(call, TRUE, error);
}

static const VmifsNodeOps ops = {
	.type = S_IFREG,
	.instance_size = sizeof(TestNode),
	.render = render,
};

typedef struct {
	VmifsFsGuest guest;
	TestNode *node;
	VmifsContents *contents;
} Fixture;

static void
fixture_init(Fixture *f, gboolean frozen)
{
	*f = (Fixture){ .guest = { .frozen = frozen } };
	f->node = vmifs_node_new(&ops, NULL, "", 0);
	f->node->node.guest = &f->guest;
	f->contents = vmifs_contents_new();
}

static void
fixture_clear(Fixture *f)
{
	vmifs_node_unref(&f->node->node);
	vmifs_contents_free(f->contents);
}

static VmifsContent *
get(Fixture *f, GError **error)
{
	VmifsNodeCall call = { .may_block = TRUE };
	return vmifs_contents_get(f->contents, &f->node->node, &call, error);
}

START_TEST(frozen_text_is_made_once_for_all_opens)
{
	Fixture f;
	fixture_init(&f, TRUE);
	VmifsContent *a = get(&f, NULL);
	VmifsContent *b = get(&f, NULL);
	ck_assert_ptr_eq(a, b);
	gsize len;
	ck_assert_str_eq(vmifs_content_data(a, &len), "text\n");
	ck_assert_uint_eq(len, 5);
	ck_assert_int_eq(f.node->n_rendered, 1);
	ck_assert_int_eq(f.node->node.text_size, 5);
	vmifs_content_unref(a);
	vmifs_content_unref(b);
	fixture_clear(&f);
}
END_TEST

START_TEST(small_text_is_kept_until_others_take_its_place)
{
	Fixture f;
	fixture_init(&f, TRUE);
	vmifs_content_unref(get(&f, NULL));
	vmifs_content_unref(get(&f, NULL));
	ck_assert_int_eq(f.node->n_rendered, 1);
	for (int i = 0; i < 8192; i++) {
		VmifsNodeCall call = { .may_block = TRUE };
		g_autoptr(VmifsNode) other = vmifs_node_new(&ops, NULL, "", 0);
		other->guest = &f.guest;
		vmifs_content_unref(vmifs_contents_get(f.contents, other, &call, NULL));
	}
	vmifs_content_unref(get(&f, NULL));
	ck_assert_int_eq(f.node->n_rendered, 2);
	fixture_clear(&f);
}
END_TEST

START_TEST(large_text_goes_with_its_last_user)
{
	Fixture f;
	fixture_init(&f, TRUE);
	f.node->len = 3 << 20;
	vmifs_content_unref(get(&f, NULL));
	vmifs_content_unref(get(&f, NULL));
	ck_assert_int_eq(f.node->n_rendered, 2);
	fixture_clear(&f);
}
END_TEST

START_TEST(live_text_is_made_for_each_open)
{
	Fixture f;
	fixture_init(&f, FALSE);
	VmifsContent *a = get(&f, NULL);
	VmifsContent *b = get(&f, NULL);
	ck_assert_ptr_ne(a, b);
	ck_assert_int_eq(f.node->n_rendered, 2);
	ck_assert_int_eq(f.node->node.text_size, -1);
	vmifs_content_unref(a);
	vmifs_content_unref(b);
	fixture_clear(&f);
}
END_TEST

START_TEST(varying_text_of_a_frozen_guest_is_made_for_each_open)
{
	Fixture f;
	fixture_init(&f, TRUE);
	f.node->node.flags |= VMIFS_NODE_VARIES;
	vmifs_content_unref(get(&f, NULL));
	ck_assert_int_eq(f.node->node.text_size, -1);
	fixture_clear(&f);
}
END_TEST

START_TEST(failure_is_not_kept)
{
	Fixture f;
	g_autoptr(GError) error = NULL;
	fixture_init(&f, TRUE);
	f.node->n_failures = 1;
	ck_assert_ptr_null(get(&f, &error));
	ck_assert_int_eq(error->code, VMIFS_ERROR_CANCELLED);
	vmifs_content_unref(get(&f, NULL));
	fixture_clear(&f);
}
END_TEST

/* What reads it on the way may have left out whatever there was no time for. */
START_TEST(what_was_given_up_is_not_kept_however_it_ended)
{
	Fixture f;
	g_autoptr(GError) error = NULL;
	gint cancelled = 1;
	VmifsNodeCall call = { .may_block = TRUE, .call.cancelled = &cancelled };
	fixture_init(&f, TRUE);
	ck_assert_ptr_null(vmifs_contents_get(f.contents, &f.node->node, &call, &error));
	ck_assert(g_error_matches(error, VMIFS_ERROR, VMIFS_ERROR_CANCELLED));
	ck_assert_int_eq(call.defer, VMIFS_DEFER_NO);
	ck_assert_int_eq(f.node->node.text_size, -1);
	vmifs_content_unref(get(&f, NULL));
	ck_assert_int_eq(f.node->n_rendered, 2);
	fixture_clear(&f);
}
END_TEST

START_TEST(what_was_tried_too_long_is_deferred_without_an_error)
{
	g_autoptr(GError) error = NULL;
	VmifsNodeCall call = { .trying = TRUE, .call.deadline = 1 };
	ck_assert(!vmifs_node_end_try(&call, TRUE, &error));
	ck_assert_ptr_null(error);
	ck_assert_int_eq(call.defer, VMIFS_DEFER_WORK);
}
END_TEST

START_TEST(what_has_to_wait_is_deferred_without_an_error)
{
	Fixture f;
	g_autoptr(GError) error = NULL;
	fixture_init(&f, TRUE);
	VmifsNodeCall call = { 0 };
	ck_assert_ptr_null(vmifs_contents_get(f.contents, &f.node->node, &call, &error));
	ck_assert_ptr_null(error);
	ck_assert_int_eq(call.defer, VMIFS_DEFER_WORK);
	fixture_clear(&f);
}
END_TEST

static gpointer
get_in_thread(gpointer data)
{
	return get(data, NULL);
}

START_TEST(those_who_come_meanwhile_wait_for_the_first_and_take_over_when_it_fails)
{
	Fixture f;
	fixture_init(&f, TRUE);
	f.node->delay_ms = 20;
	f.node->n_failures = 1;
	GThread *threads[8];
	guint n_got = 0;
	for (gsize i = 0; i < G_N_ELEMENTS(threads); i++)
		threads[i] = g_thread_new("get", get_in_thread, &f);
	VmifsContent *got[G_N_ELEMENTS(threads)];
	for (gsize i = 0; i < G_N_ELEMENTS(threads); i++) {
		got[i] = g_thread_join(threads[i]);
		n_got += got[i] != NULL;
	}
	for (gsize i = 0; i < G_N_ELEMENTS(threads); i++)
		vmifs_content_unref(got[i]);
	ck_assert_uint_eq(n_got, 7);
	ck_assert_int_eq(f.node->n_rendered, 2);
	fixture_clear(&f);
}
END_TEST

START_TEST(who_waits_for_another_may_give_up)
{
	Fixture f;
	g_autoptr(GError) error = NULL;
	VmifsNodeCall call = { .may_block = TRUE,
			       .call.deadline = g_get_monotonic_time() + 50 * 1000 };
	fixture_init(&f, TRUE);
	f.node->delay_ms = 1000;
	GThread *maker = g_thread_new("get", get_in_thread, &f);
	while (!g_atomic_int_get(&f.node->n_started))
		g_usleep(1000);
	ck_assert_ptr_null(vmifs_contents_get(f.contents, &f.node->node, &call, &error));
	ck_assert(g_error_matches(error, VMIFS_ERROR, VMIFS_ERROR_TIMEOUT));
	ck_assert_int_eq(g_atomic_int_get(&f.node->n_rendered), 0); /* it is still at it */
	vmifs_content_unref(g_thread_join(maker));
	fixture_clear(&f);
}
END_TEST

static Suite *
make_suite(void)
{
	Suite *s = suite_create("content");
	TCase *t = tcase_create("content");
	tcase_add_test(t, frozen_text_is_made_once_for_all_opens);
	tcase_add_test(t, small_text_is_kept_until_others_take_its_place);
	tcase_add_test(t, large_text_goes_with_its_last_user);
	tcase_add_test(t, live_text_is_made_for_each_open);
	tcase_add_test(t, varying_text_of_a_frozen_guest_is_made_for_each_open);
	tcase_add_test(t, failure_is_not_kept);
	tcase_add_test(t, what_was_given_up_is_not_kept_however_it_ended);
	tcase_add_test(t, what_was_tried_too_long_is_deferred_without_an_error);
	tcase_add_test(t, what_has_to_wait_is_deferred_without_an_error);
	tcase_add_test(t, those_who_come_meanwhile_wait_for_the_first_and_take_over_when_it_fails);
	tcase_add_test(t, who_waits_for_another_may_give_up);
	suite_add_tcase(s, t);
	return s;
}

VMIFS_UNIT_MAIN(make_suite)
