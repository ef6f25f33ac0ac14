/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* options: what a command line means, and which word of it is blamed when it means nothing. */
#include <unit.h>

#include <fs/options.h>

#include <glib/gstdio.h>
#include <unistd.h>
#include <vmifs/error.h>

#define MAX_ARGS 8

typedef struct {
	const char *argv[MAX_ARGS];
	const char *message; /* a part of it */
} Refused;

static gboolean
parse(const char *const *args, VmifsFsOptions *ret, GError **error)
{
	char *argv[MAX_ARGS + 2] = { (char *) "vmifs" };
	int argc = 1;
	for (; args[argc - 1]; argc++)
		argv[argc] = (char *) args[argc - 1];
	return vmifs_fs_options_parse(argc, argv, ret, error);
}

/* Of a command line that is right but for the words of one -o. */
static VmifsFsOptions
parse_words(const char *words)
{
	const char *const args[] = { "image", "dir", "-o", words, NULL };
	VmifsFsOptions options;
	g_autoptr(GError) error = NULL;
	ck_assert_msg(parse(args, &options, &error), "%s", error ? error->message : "");
	return options;
}

START_TEST(last_argument_is_the_mount_point)
{
	const char *const args[] = { "a.raw", "-f", "b=b.raw", "/mnt", NULL };
	g_auto(VmifsFsOptions) options = { 0 };
	ck_assert(parse(args, &options, NULL));
	ck_assert_int_eq(options.action, VMIFS_ACTION_MOUNT);
	ck_assert_uint_eq(options.sources->len, 2);
	ck_assert_str_eq(g_ptr_array_index(options.sources, 1), "b=b.raw");
	ck_assert_str_eq(options.mountpoint, "/mnt");
	ck_assert(options.foreground);
	ck_assert(!options.debug);
}
END_TEST

START_TEST(after_two_dashes_all_is_plain)
{
	const char *const args[] = { "--", "-f", "--help", NULL };
	g_auto(VmifsFsOptions) options = { 0 };
	ck_assert(parse(args, &options, NULL));
	ck_assert_str_eq(g_ptr_array_index(options.sources, 0), "-f");
	ck_assert_str_eq(options.mountpoint, "--help");
	ck_assert(!options.foreground);
}
END_TEST

START_TEST(help_version_and_check_need_no_mount_point)
{
	static const struct {
		const char *args[4];
		VmifsAction action;
	} table[] = {
		{ { "-h" }, VMIFS_ACTION_HELP },
		{ { "--help" }, VMIFS_ACTION_HELP },
		{ { "-V" }, VMIFS_ACTION_VERSION },
		{ { "--version" }, VMIFS_ACTION_VERSION },
		{ { "--check", "image" }, VMIFS_ACTION_CHECK },
		{ { "image", "--check", "-oro" }, VMIFS_ACTION_CHECK },
	};
	for (gsize i = 0; i < G_N_ELEMENTS(table); i++) {
		g_auto(VmifsFsOptions) options = { 0 };
		ck_assert(parse(table[i].args, &options, NULL));
		ck_assert_int_eq(options.action, table[i].action);
	}
}
END_TEST

START_TEST(every_word_arrives)
{
	g_auto(VmifsFsOptions) options =
		parse_words("guest_rw,passive,ro,allow_other,uid=7,gid=8,umask=027,cache_ms=0,"
			    "format=raw,base=0x40000000,arch=x86_64,root=4096,"
			    "kaslr=0xffffffff80000000,holes=error,nopassthrough,max_read=65536,"
			    "fsname=a\\,b,profile=/x.json,vmlinux=/x");
	ck_assert(options.engine.guest_rw);
	ck_assert(options.engine.passive);
	ck_assert(options.read_only);
	ck_assert(options.allow_other);
	ck_assert(options.has_uid && options.has_gid && options.has_umask);
	ck_assert_uint_eq(options.uid, 7);
	ck_assert_uint_eq(options.gid, 8);
	ck_assert_uint_eq(options.umask, 027);
	ck_assert_uint_eq(options.engine.cache_ms, 0);
	ck_assert_str_eq(options.engine.format, "raw");
	ck_assert_str_eq(options.engine.arch, "x86_64");
	ck_assert(options.engine.has_base && options.engine.has_root && options.engine.has_kaslr);
	ck_assert_uint_eq(options.engine.base, 0x40000000);
	ck_assert_uint_eq(options.engine.root, 4096);
	ck_assert_uint_eq(options.engine.kaslr, 0xffffffff80000000);
	ck_assert(options.engine.holes_error);
	ck_assert(options.no_passthrough);
	ck_assert_uint_eq(options.max_read, 65536);
	ck_assert_str_eq(options.fsname, "a,b");
	ck_assert_str_eq(options.engine.profile, "/x.json");
	ck_assert_str_eq(options.engine.vmlinux, "/x");
}
END_TEST

START_TEST(nothing_is_on_by_default)
{
	g_auto(VmifsFsOptions) options = parse_words("rw,defaults,,holes=zero");
	g_auto(VmifsFsOptions) root = parse_words("allow_root");
	ck_assert(root.allow_root && !root.allow_other);
	ck_assert(!options.allow_root);
	ck_assert(!options.engine.guest_rw);
	ck_assert(!options.engine.passive);
	ck_assert(!options.engine.holes_error);
	ck_assert(!options.engine.has_base && !options.engine.has_root);
	ck_assert(!options.read_only);
	ck_assert(!options.allow_other);
	ck_assert_uint_eq(options.engine.cache_ms, 100);
	ck_assert_uint_eq(options.engine.size, sizeof(VmifsOptions));
	ck_assert_ptr_null(options.engine.format);
}
END_TEST

START_TEST(words_of_mount_and_of_running_guests_are_accepted)
{
	g_auto(VmifsFsOptions) options =
		parse_words("rw,suid,dev,exec,nofail,_netdev,noauto,user,x-systemd.automount,"
			    "X-mount.mkdir=0755,comment=a,relatime,default_permissions,subtype=x");
	ck_assert(!options.read_only);
	g_auto(VmifsFsOptions) others =
		parse_words("silent,loud,mand,nomand,iversion,noiversion,nousers,noowner,nogroup,"
			    "loop,loop=/dev/loop1,nonempty,kernel_cache,auto_cache,"
			    "max_background=20,splice_read,clone_fd");
	ck_assert(!others.allow_other && !others.allow_root);
}
END_TEST

START_TEST(words_of_running_guests_reach_the_engine)
{
	g_auto(VmifsFsOptions) options =
		parse_words("guest_rw,passive,cache_ms=0,monitor=brief,monitor=never,snapdir=/tmp,"
			    "cache=none");
	ck_assert(options.engine.guest_rw && options.engine.passive);
	ck_assert_uint_eq(options.engine.cache_ms, 0);
	ck_assert_int_eq(options.engine.monitor, VMIFS_MONITOR_NEVER);
	ck_assert_str_eq(options.engine.snapdir, "/tmp");
	ck_assert_str_eq(options.cache, "none");
	g_auto(VmifsFsOptions) others = parse_words("monitor=hold");
	ck_assert_int_eq(others.engine.monitor, VMIFS_MONITOR_HOLD);
	ck_assert_ptr_null(others.engine.snapdir);
	ck_assert_ptr_null(others.cache);
	ck_assert(!others.engine.has_max_stops);
	g_auto(VmifsFsOptions) stops = parse_words("max_stops=0");
	ck_assert(stops.engine.has_max_stops);
	ck_assert_uint_eq(stops.engine.max_stops, 0);
	g_auto(VmifsFsOptions) none = parse_words("ro");
	ck_assert_int_eq(none.engine.monitor, VMIFS_MONITOR_BRIEF);
}
END_TEST

START_TEST(several_o_add_up_and_the_last_value_wins)
{
	const char *const args[] = { "-o", "uid=1", "image", "-ouid=2,ro", "dir", NULL };
	g_auto(VmifsFsOptions) options = { 0 };
	ck_assert(parse(args, &options, NULL));
	ck_assert_uint_eq(options.uid, 2);
	ck_assert(options.read_only);
}
END_TEST

static const Refused refused[] = {
	{ { NULL }, "arguments are missing" },
	{ { "only-one" }, "two arguments at least" },
	{ { "image", "" }, "empty" },
	{ { "--check" }, "one SOURCE" },
	{ { "--check", "a", "b" }, "one SOURCE" },
	{ { "--frobnicate", "a", "b" }, "--frobnicate" },
	{ { "-x", "a", "b" }, "-x" },
	{ { "-fdz", "a", "b" }, "-z" },
	{ { "-\001", "a", "b" }, "-?" },
	{ { "a", "b", "-o" }, "-o" },
	{ { "a", "b", "-o", "frobnicate" }, "-o frobnicate: no such word; `vmifs --help`" },
	{ { "a", "b", "-o", "foo" }, "-o foo: no such word; `vmifs --help`" },
	{ { "a", "b", "-o", "nopasthrough" }, "did you mean nopassthrough?" },
	{ { "a", "b", "-o", "alow_other" }, "did you mean allow_other?" },
	{ { "a", "b", "-o", "ro=1" }, "takes no value" },
	{ { "a", "b", "-o", "uid" }, "a value is missing: uid=N" },
	{ { "a", "b", "-o", "uid=" }, "-o uid=: not a number" },
	{ { "a", "b", "-o", "uid=-1" }, "-o uid=-1" },
	{ { "a", "b", "-o", "uid=4294967295" }, "0 to 4294967294" },
	{ { "a", "b", "-o", "uid=99999999999999999999999" }, "uid" },
	{ { "a", "b", "-o", "uid= 1" }, "uid" },
	{ { "a", "b", "-o", "umask=8" }, "octal" },
	{ { "a", "b", "-o", "umask=1000" }, "octal number up to 777" },
	{ { "a", "b", "-o", "base=0x" }, "base" },
	{ { "a", "b", "-o", "base=12g" }, "base" },
	{ { "a", "b", "-o", "base=0x10000000000000000" }, "base" },
	{ { "a", "b", "-o", "root=ff" }, "0x" },
	{ { "a", "b", "-o", "holes=" }, "zero|error" },
	{ { "a", "b", "-o", "holes=zeros" }, "zero|error" },
	{ { "a", "b", "-o", "monitor=always" }, "brief|hold|never" },
	{ { "a", "b", "-o", "max_stops=many" }, "max_stops" },
	{ { "a", "b", "-o", "snapdir=" }, "snapdir" },
	{ { "a", "b", "-o", "cache=" }, "cache" },
	{ { "a", "b", "-o", "format=" }, "format" },
	{ { "a", "b", "-o", "max_read=1" }, "4096" },
	{ { "a", "b", "-o", "profile=" }, "empty" },
	{ { "a", "b", "-o", "vmlinux" }, "missing" },
	{ { "a", "b", "-o", "auto_unmount" }, "-o auto_unmount: not supported: nothing outlives" },
	{ { "a", "b", "-o", "attr_timeout=1" }, "cache_ms=" },
	{ { "a", "b", "-o", "blkdev" }, "not supported" },
	{ { "a", "b", "-o", "allow_root,ro,allow_other" }, "one of them" },
};

START_TEST(what_is_not_understood_is_named)
{
	VmifsFsOptions options;
	g_autoptr(GError) error = NULL;
	ck_assert(!parse(refused[_i].argv, &options, &error));
	ck_assert(g_error_matches(error, VMIFS_ERROR, VMIFS_ERROR_INVALID));
	ck_assert_msg(strstr(error->message, refused[_i].message) != NULL, "%s", error->message);
}
END_TEST

START_TEST(a_lone_file_shows_the_right_command)
{
	char path[] = "/tmp/vmifs-test-options-XXXXXX";
	int fd = g_mkstemp(path);
	ck_assert_int_ge(fd, 0);
	close(fd);
	const char *const args[] = { path, NULL };
	VmifsFsOptions options;
	g_autoptr(GError) error = NULL;
	gboolean parsed = parse(args, &options, &error);
	g_unlink(path);
	ck_assert(!parsed);
	g_autofree char *command = g_strdup_printf("vmifs %s DIRECTORY", path);
	ck_assert_msg(strstr(error->message, command) != NULL, "%s", error->message);
}
END_TEST

START_TEST(modes_follow_umask_and_never_grant_writing)
{
	static const struct {
		const char *words;
		mode_t file, dir;
	} table[] = {
		{ "rw", 0400, 0500 },        { "umask=0", 0444, 0555 }, { "umask=022", 0444, 0555 },
		{ "umask=027", 0440, 0550 }, { "umask=777", 0, 0 },     { "umask=077", 0400, 0500 },
		{ "guest_rw", 0400, 0500 },
	};
	for (gsize i = 0; i < G_N_ELEMENTS(table); i++) {
		g_auto(VmifsFsOptions) options = parse_words(table[i].words);
		ck_assert_uint_eq(vmifs_fs_options_file_mode(&options), table[i].file);
		ck_assert_uint_eq(vmifs_fs_options_dir_mode(&options), table[i].dir);
		ck_assert_uint_eq(vmifs_fs_options_write_mode(&options) & ~0200u, 0);
	}
}
END_TEST

START_TEST(help_names_every_option_that_it_parses)
{
	static const char *const names[] = {
		"-f ",      "-d ",     "-h,",         "-V,",         "--check",   "guest_rw ",
		"passive ", "ro ",     "uid=",        "umask=",      "format=",   "base=",
		"arch=",    "root=",   "kaslr=",      "holes=",      "cache_ms=", "nopassthrough",
		"max_read", "fsname=", "allow_other", "Exit status",
	};
	g_autofree char *help = vmifs_fs_options_help();
	for (gsize i = 0; i < G_N_ELEMENTS(names); i++)
		ck_assert_msg(strstr(help, names[i]) != NULL, "%s", names[i]);
}
END_TEST

static Suite *
make_suite(void)
{
	Suite *s = suite_create("options");
	TCase *t = tcase_create("options");
	tcase_add_test(t, last_argument_is_the_mount_point);
	tcase_add_test(t, after_two_dashes_all_is_plain);
	tcase_add_test(t, help_version_and_check_need_no_mount_point);
	tcase_add_test(t, every_word_arrives);
	tcase_add_test(t, nothing_is_on_by_default);
	tcase_add_test(t, words_of_mount_and_of_running_guests_are_accepted);
	tcase_add_test(t, words_of_running_guests_reach_the_engine);
	tcase_add_test(t, several_o_add_up_and_the_last_value_wins);
	tcase_add_loop_test(t, what_is_not_understood_is_named, 0, G_N_ELEMENTS(refused));
	tcase_add_test(t, a_lone_file_shows_the_right_command);
	tcase_add_test(t, modes_follow_umask_and_never_grant_writing);
	tcase_add_test(t, help_names_every_option_that_it_parses);
	suite_add_tcase(s, t);
	return s;
}

VMIFS_UNIT_MAIN(make_suite)
