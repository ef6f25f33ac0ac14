/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* module-types: a module's structures on top of the kernel's, and modules without types. */
#include <unit.h>

#include <btf-asm.h>
#include <btf.h>
#include <linux-guest.h>
#include <os/linux/module-types.h>

#define TYPES                                                                                      \
	"struct list_head 16 next@0:8 prev@8:8\n"                                                  \
	"struct module 72 name@8:1x56\n"                                                           \
	"struct btf 32 data@8:8 data_size@16:4\n"                                                  \
	"struct btf_module 48 list@8=list_head module@24:8 btf@32:8\n"

typedef struct {
	LinuxGuest g;
	GArray *nodes; /* of the list of modules with types */
} Fixture;

static guint64
add_module(Fixture *f, const char *name, gconstpointer blob, gsize len, guint64 claimed)
{
	guint64 module = linux_guest_new(&f->g, LINUX_STRUCT_MODULE);
	guint64 btf = linux_guest_new(&f->g, LINUX_STRUCT_BTF);
	guint64 entry = linux_guest_new(&f->g, LINUX_STRUCT_BTF_MODULE);
	guint64 data = linux_guest_alloc(&f->g, len);
	guint64 node = linux_guest_at(&f->g, entry, LINUX_FIELD_BTF_MODULE_LIST);

	linux_guest_put_text(&f->g, module, LINUX_FIELD_MODULE_NAME, name);
	linux_guest_write(&f->g, data, blob, len);
	linux_guest_put(&f->g, btf, LINUX_FIELD_BTF_DATA, data);
	linux_guest_put(&f->g, btf, LINUX_FIELD_BTF_DATA_SIZE, claimed);
	linux_guest_put(&f->g, entry, LINUX_FIELD_BTF_MODULE_MODULE, module);
	linux_guest_put(&f->g, entry, LINUX_FIELD_BTF_MODULE_BTF, btf);
	g_array_append_val(f->nodes, node);
	return btf;
}

/* A kernel that knows a number and a structure of it, and a module with a structure of that. */
static void
setup(Fixture *f)
{
	g_auto(BtfAsm) base, split;

	*f = (Fixture){ .nodes = g_array_new(FALSE, FALSE, sizeof(guint64)) };
	linux_guest_init(&f->g, TYPES);
	btf_asm_init(&base, NULL);
	guint32 number = btf_asm_int(&base, "unsigned int", 4);
	guint32 proto = btf_asm_type(&base, VMIFS_BTF_STRUCT, "prot_inuse", FALSE, 1, 8);
	btf_asm_member(&base, "all", number, 32);
	g_autoptr(GBytes) kernel = btf_asm_blob(&base);
	btf_asm_init(&split, &base);
	btf_asm_type(&split, VMIFS_BTF_STRUCT, "virtnet_info", FALSE, 2, 64);
	btf_asm_member(&split, "unlisted", proto, 0);
	btf_asm_member(&split, "max_queue_pairs", number, 64);
	g_autoptr(GBytes) module = btf_asm_blob(&split);

	gsize len;
	gconstpointer data = g_bytes_get_data(kernel, &len);
	guint64 start = linux_guest_alloc(&f->g, len), head = linux_guest_alloc(&f->g, 16);
	linux_guest_write(&f->g, start, data, len);
	linux_guest_symbol(&f->g, "__start_BTF", start);
	linux_guest_symbol(&f->g, "__stop_BTF", start + len);
	linux_guest_symbol(&f->g, "btf_modules", head);
	g_array_append_val(f->nodes, head);
	add_module(f, "first", "no types", 8, 8);
	data = g_bytes_get_data(module, &len);
	add_module(f, "virtio_net", data, len, len);
	add_module(f, "huge", data, len, G_MAXUINT32);
	add_module(f, "empty", data, len, 0);
	linux_guest_ring(&f->g, (const guint64 *) (gconstpointer) f->nodes->data, f->nodes->len);
}

static void
teardown(Fixture *f)
{
	g_array_unref(f->nodes);
	linux_guest_clear(&f->g);
}

START_TEST(a_modules_structures_come_on_top_of_the_kernels)
{
	Fixture f;
	Linux with;
	guint64 at;

	setup(&f);
	const Linux *os = linux_guest_start(&f.g);
	ck_assert(!linux_has(os, LINUX_FIELD_VIRTNET_MAX_PAIRS));
	ck_assert(linux_of_module(os, "virtio_net", &with, NULL, NULL));
	ck_assert(linux_offset(&with, LINUX_FIELD_VIRTNET_MAX_PAIRS, &at, NULL));
	ck_assert_uint_eq(at, 8);
	ck_assert(linux_offset(&with, LINUX_FIELD_PROT_INUSE_ALL, &at, NULL));
	ck_assert_uint_eq(at, 4);
	ck_assert(!linux_has(os, LINUX_FIELD_VIRTNET_MAX_PAIRS));
	ck_assert(with.aspace == os->aspace);
	teardown(&f);
}
END_TEST

START_TEST(a_layout_is_made_once)
{
	Fixture f;
	Linux with, again;

	setup(&f);
	const Linux *os = linux_guest_start(&f.g);
	ck_assert(linux_of_module(os, "virtio_net", &with, NULL, NULL));
	ck_assert(linux_of_module(os, "virtio_net", &again, NULL, NULL));
	ck_assert(with.layout == again.layout);
	teardown(&f);
}
END_TEST

static const struct {
	const char *module;
	VmifsError code;
} without[] = {
	{ "nosuch", VMIFS_ERROR_UNSUPPORTED },
	{ "first", VMIFS_ERROR_CORRUPT },
	{ "huge", VMIFS_ERROR_CORRUPT },
	{ "empty", VMIFS_ERROR_CORRUPT },
};

/* The second answer is what was remembered of the first. */
START_TEST(a_module_without_types_is_named)
{
	Fixture f;
	Linux with;
	g_autofree char *start = g_strdup_printf("types of %s: ", without[_i].module);

	setup(&f);
	const Linux *os = linux_guest_start(&f.g);
	for (guint i = 0; i < 2; i++) {
		g_autoptr(GError) error = NULL;
		ck_assert(!linux_of_module(os, without[_i].module, &with, NULL, &error));
		ck_assert_int_eq(error->code, without[_i].code);
		ck_assert_msg(g_str_has_prefix(error->message, start), "%s", error->message);
	}
	teardown(&f);
}
END_TEST

START_TEST(a_caller_who_gave_up_leaves_the_question_open)
{
	Fixture f;
	Linux with;
	VmifsCall late = { .deadline = 1 };
	g_autoptr(GError) error = NULL;

	setup(&f);
	const Linux *os = linux_guest_start(&f.g);
	ck_assert(!linux_of_module(os, "virtio_net", &with, &late, &error));
	ck_assert(linux_of_module(os, "virtio_net", &with, NULL, NULL));
	teardown(&f);
}
END_TEST

static Suite *
make_suite(void)
{
	Suite *s = suite_create("module-types");
	TCase *t = tcase_create("module-types");

	tcase_add_test(t, a_modules_structures_come_on_top_of_the_kernels);
	tcase_add_test(t, a_layout_is_made_once);
	tcase_add_loop_test(t, a_module_without_types_is_named, 0, G_N_ELEMENTS(without));
	tcase_add_test(t, a_caller_who_gave_up_leaves_the_question_open);
	suite_add_tcase(s, t);
	return s;
}

VMIFS_UNIT_MAIN(make_suite)
