/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* test-qemu-args: command lines as distributions, Proxmox and libvirt write them. */
#include "unit.h"

#include <backends/qemu/args.h>
#include <backends/qemu/argv.h>
#include <string.h>

/* Words one after the other, each ended by NUL, as the string literal gives them. */
#define PARSE(words) qemu_args_parse(words "\0", sizeof words)
#define LIKELY(exe, words) qemu_argv_likely(exe, words "\0", sizeof words)

static const char *
monitor(const QemuArgs *args, guint i)
{
	ck_assert_uint_lt(i, args->monitors->len);
	return g_ptr_array_index(args->monitors, i);
}

START_TEST(name_is_the_one_given)
{
	static const struct {
		const char *option, *name;
	} cases[] = {
		{ "web", "web" },
		{ "web,debug-threads=on", "web" },
		{ "guest=web,debug-threads=on", "web" },
		{ "debug-threads=on,guest=web", "web" },
		{ "a,,b", "a,b" },
		{ "guest=a,,,,b,process=x", "a,,b" },
		{ "web,process=qemu", "web" },
		{ "guest=first,guest=last", "last" },
		{ "", NULL },
	};
	for (gsize i = 0; i < G_N_ELEMENTS(cases); i++) {
		g_autoptr(GByteArray) bytes = g_byte_array_new();
		g_byte_array_append(bytes, (const guint8 *) "kvm\0-name", 10);
		g_byte_array_append(bytes, (const guint8 *) cases[i].option,
				    (guint) strlen(cases[i].option) + 1);
		g_autoptr(QemuArgs) args = qemu_args_parse((const char *) bytes->data, bytes->len);
		ck_assert_pstr_eq(args->name, cases[i].name);
	}
}
END_TEST

START_TEST(two_dashes_are_as_good_as_one)
{
	g_autoptr(QemuArgs) args = PARSE("qemu-system-x86_64\0--name\0x\0--qmp\0unix:/q,server=on");

	ck_assert_str_eq(args->name, "x");
	ck_assert_str_eq(monitor(args, 0), "/q");
}
END_TEST

START_TEST(each_form_of_a_monitor_is_found)
{
	g_autoptr(QemuArgs) args =
		PARSE("qemu-system-x86_64\0"
		      "-qmp\0unix:/run/a.sock,server=on,wait=off\0"
		      "-qmp-pretty\0unix:/run/b.sock,server,nowait\0"
		      "-mon\0chardev=late,mode=control\0"
		      "-chardev\0socket,id=late,path=/run/c,,d,server=on,wait=off\0"
		      "-mon\0late2,mode=control,pretty=on\0"
		      "-chardev\0socket,path=e,server=yes,id=late2\0"
		      "-chardev\0socket,path=/run/f,server=on,id=f\0"
		      "-qmp\0chardev:f\0");

	ck_assert_uint_eq(args->monitors->len, 5);
	ck_assert_str_eq(monitor(args, 0), "/run/a.sock");
	ck_assert_str_eq(monitor(args, 1), "/run/b.sock");
	ck_assert_str_eq(monitor(args, 2), "/run/c,d");
	ck_assert_str_eq(monitor(args, 3), "e");
	ck_assert_str_eq(monitor(args, 4), "/run/f");
	ck_assert_str_eq(args->unusable->str, "");
}
END_TEST

static const struct {
	const char *words;
	gsize len;
	const char *why;
} unusable[] = {
#define CASE(words, why)                                                                           \
	{                                                                                          \
		words "\0", sizeof words, why                                                      \
	}
	CASE("q\0-qmp\0stdio", "-qmp stdio: no unix socket\n"),
	CASE("q\0-qmp\0tcp:localhost:4444,server=on", "-qmp tcp:localhost:4444,server=on: no unix "
						      "socket\n"),
	CASE("q\0-qmp\0unix:/a", "-qmp unix:/a: it connects, and does not listen\n"),
	CASE("q\0-qmp\0unix:/a,server=off", "-qmp unix:/a,server=off: it connects, and does not "
					    "listen\n"),
	CASE("q\0-qmp\0unix:a,server,abstract=on", "-qmp unix:a,server,abstract=on: an abstract "
						   "socket\n"),
	CASE("q\0-mon\0chardev=m,mode=control\0-chardev\0socket,id=m,fd=26,server=on",
	     "-mon chardev=m: a descriptor that it was given\n"),
	CASE("q\0-mon\0chardev=m,mode=control", "-mon chardev=m: no such character device\n"),
	CASE("q\0-mon\0chardev=m,mode=control\0-chardev\0stdio,id=m", "-mon chardev=m: no "
								      "socket\n"),
	CASE("q\0-monitor\0unix:/hmp,server=on",
	     "-monitor unix:/hmp,server=on: for people, not for "
	     "programs\n"),
	CASE("q\0-monitor\0none", ""),
	CASE("q\0-mon\0chardev=m\0-chardev\0socket,id=m,path=/a,server=on", ""),
#undef CASE
};

START_TEST(monitor_of_no_use_is_said_to_be_so)
{
	g_autoptr(QemuArgs) args = qemu_args_parse(unusable[_i].words, unusable[_i].len);

	ck_assert_uint_eq(args->monitors->len, 0);
	ck_assert_str_eq(args->unusable->str, unusable[_i].why);
}
END_TEST

START_TEST(argument_of_an_option_is_no_option)
{
	g_autoptr(QemuArgs) args = PARSE("qemu-system-x86_64\0-append\0-name\0-initrd\0-qmp\0"
					 "-nographic\0-unheard-of\0-m\0"
					 "256\0-unheard-of\0value\0-name\0real\0disk.img\0-name");

	ck_assert_str_eq(args->name, "real");
	ck_assert_uint_eq(args->ram, 256 << 20);
	ck_assert(!args->may_grow);
	ck_assert_uint_eq(args->monitors->len, 0);
}
END_TEST

START_TEST(sizes_are_as_qemu_takes_them)
{
	static const struct {
		const char *option;
		guint64 ram;
	} cases[] = {
		{ "512", 512ULL << 20 },
		{ "2G", 2ULL << 30 },
		{ "1.5g", 3ULL << 29 },
		{ "0x200", 512ULL << 20 },
		{ "size=1048576k,slots=16,maxmem=8G", 1ULL << 30 },
		{ "slots=2,size=300", 300ULL << 20 },
		{ "1T", 1ULL << 40 },
		{ "1048576b", 1 << 20 },
		{ "0.5", 1 << 19 },
		{ "1Q", 0 },
		{ "1GB", 0 },
		{ "-1", 0 },
		{ "99999999999999999999", 0 },
		{ "18446744073709551615G", 0 },
		{ "", 0 },
		{ ".", 0 },
		{ "size=", 0 },
	};
	for (gsize i = 0; i < G_N_ELEMENTS(cases); i++) {
		g_autofree char *line = g_strdup_printf("q%c-m%c%s", 1, 1, cases[i].option);
		gsize len = strlen(line) + 1;
		g_strdelimit(line, "\1", '\0');
		g_autoptr(QemuArgs) args = qemu_args_parse(line, len);
		ck_assert_msg(args->ram == cases[i].ram, "-m %s: %" G_GUINT64_FORMAT,
			      cases[i].option, args->ram);
	}
}
END_TEST

START_TEST(memory_of_all_kinds_is_listed)
{
	g_autoptr(QemuArgs) args = PARSE(
		"qemu-system-x86_64\0-machine\0q35,memory-backend=m0\0-M\0max-ram-below-4g=2G\0"
		"-m\0"
		"1G,slots=2,maxmem=4G\0"
		"-object\0memory-backend-memfd,id=m0,size=512M\0"
		"-object\0memory-backend-file,id=m1,size=536870912,mem-path=/dev/hugepages/"
		"x,share=on,offset=4k\0"
		"-object\0{\"qom-type\":\"memory-backend-ram\",\"id\":\"m2\",\"size\":268435456,"
		"\"host-nodes\":[0],\"share\":true}\0"
		"-numa\0node,nodeid=1,memdev=m1\0-numa\0node,mem=512\0-numa\0cpu,node-id=0\0"
		"-device\0pc-dimm,id=d0,memdev=m2,addr=0x140000000\0"
		"-device\0{\"driver\":\"virtio-mem-pci\",\"memdev\":\"m3\",\"id\":\"v\"}\0"
		"-device\0virtio-net-pci,id=n\0");
	const QemuArgsBackend *backend = qemu_args_backend(args, "m1");
	const QemuArgsNode *nodes = (const QemuArgsNode *) (gpointer) args->nodes->data;
	const QemuArgsDimm *dimms = (const QemuArgsDimm *) (gpointer) args->dimms->data;

	ck_assert_str_eq(args->machine, "q35");
	ck_assert_str_eq(args->memdev, "m0");
	ck_assert_uint_eq(args->max_ram_below_4g, 2ULL << 30);
	ck_assert_uint_eq(args->ram, 1 << 30);
	ck_assert(args->may_grow);
	ck_assert_uint_eq(args->backends->len, 3);
	ck_assert_str_eq(backend->type, "file");
	ck_assert_str_eq(backend->path, "/dev/hugepages/x");
	ck_assert_uint_eq(backend->size, 512 << 20);
	ck_assert_uint_eq(backend->offset, 4096);
	ck_assert(backend->share);
	ck_assert(qemu_args_backend(args, "m0")->share);
	ck_assert(qemu_args_backend(args, "m2")->share);
	ck_assert_uint_eq(qemu_args_backend(args, "m2")->size, 256 << 20);
	ck_assert_ptr_null(qemu_args_backend(args, "m9"));
	ck_assert_uint_eq(args->nodes->len, 2);
	ck_assert(nodes[0].has_node);
	ck_assert_uint_eq(nodes[0].node, 1);
	ck_assert_str_eq(nodes[0].memdev, "m1");
	ck_assert_uint_eq(nodes[1].size, 512 << 20);
	ck_assert_uint_eq(args->dimms->len, 2);
	ck_assert_uint_eq(dimms[0].addr, 0x140000000);
	ck_assert(!dimms[1].has_addr);
	ck_assert_str_eq(dimms[1].memdev, "m3");
}
END_TEST

START_TEST(guest_of_proxmox_is_understood)
{
	g_autoptr(QemuArgs) args = PARSE(
		"/usr/bin/kvm\0-id\0"
		"100\0-name\0web,debug-threads=on\0-no-shutdown\0"
		"-chardev\0socket,id=qmp,path=/var/run/qemu-server/100.qmp,server=on,wait=off\0"
		"-mon\0chardev=qmp,mode=control\0"
		"-chardev\0socket,id=qmp-event,path=/var/run/qmeventd.sock,reconnect=5\0"
		"-mon\0chardev=qmp-event,mode=control\0-pidfile\0/run/100.pid\0-daemonize\0"
		"-smbios\0type=1,uuid=1b2c\0-m\0"
		"2048\0-machine\0type=pc+pve0");

	ck_assert_str_eq(args->name, "web");
	ck_assert_uint_eq(args->monitors->len, 1);
	ck_assert_str_eq(monitor(args, 0), "/var/run/qemu-server/100.qmp");
	ck_assert_str_eq(args->machine, "pc+pve0");
	ck_assert_uint_eq(args->ram, 2ULL << 30);
	ck_assert(!args->libvirt);
}
END_TEST

#define LIBVIRT_NAME "/usr/bin/qemu-system-x86_64\0-name\0guest=web,debug-threads=on\0-S\0"
#define LIBVIRT_KEY                                                                                \
	"-object\0{\"qom-type\":\"secret\",\"id\":\"masterKey0\",\"format\":\"raw\",\"file\":"     \
	"\"/var/lib/libvirt/qemu/domain-1-web/master-key.aes\"}\0"
#define LIBVIRT_MONITOR                                                                            \
	"-chardev\0socket,id=charmonitor,fd=26,server=on,wait=off\0"                               \
	"-mon\0chardev=charmonitor,id=monitor,mode=control\0"
#define LIBVIRT_UUID "-uuid\0C7A5FDBD-CDAF-9455-926A-D65C16DB1809\0"

START_TEST(guest_of_libvirt_is_known_as_such)
{
	g_autoptr(QemuArgs) args =
		PARSE(LIBVIRT_NAME LIBVIRT_KEY LIBVIRT_UUID LIBVIRT_MONITOR "-incoming\0defer");
	g_autoptr(QemuArgs) old = PARSE(LIBVIRT_NAME LIBVIRT_UUID LIBVIRT_MONITOR);
	g_autoptr(QemuArgs) other = PARSE(LIBVIRT_NAME LIBVIRT_UUID "-m\0"
								    "1G");

	ck_assert(args->libvirt);
	ck_assert(args->incoming);
	ck_assert_str_eq(args->name, "web");
	ck_assert_str_eq(args->uuid, "c7a5fdbd-cdaf-9455-926a-d65c16db1809");
	ck_assert_uint_eq(args->monitors->len, 0);
	ck_assert(old->libvirt);
	ck_assert(!other->libvirt);
}
END_TEST

START_TEST(guest_whose_memory_is_encrypted_says_with_what)
{
	g_autoptr(QemuArgs) args = PARSE("q\0-machine\0q35,confidential-guest-support=lsec0\0"
					 "-object\0{\"qom-type\":\"sev-guest\",\"id\":\"lsec0\"}");

	ck_assert_str_eq(args->secured, "sev-guest");
}
END_TEST

static const struct {
	const char *words;
	gsize len;
	guint n, max;
} processors[] = {
#define SMP(text, n, max)                                                                          \
	{                                                                                          \
		"q\0-smp\0" text, sizeof "q\0-smp\0" text, n, max                                  \
	}
	{ "q", 2, 1, 0 },
	SMP("4", 4, 0),
	SMP("2,sockets=2,maxcpus=8", 2, 8),
	SMP("cpus=3,maxcpus=4", 3, 4),
	SMP("sockets=2,cores=3,threads=2", 12, 0),
	SMP("sockets=2,cores=3,maxcpus=6", 6, 6),
	SMP("sockets=18446744073709551615,cores=2", 0, 0),
	SMP("4294967297", 0, 0),
	SMP("1,maxcpus=4294967297", 1, 0),
};

START_TEST(processors_are_counted)
{
	g_autoptr(QemuArgs) args = qemu_args_parse(processors[_i].words, processors[_i].len);

	ck_assert_uint_eq(args->n_cpus, processors[_i].n);
	ck_assert_uint_eq(args->max_cpus, processors[_i].max);
}
END_TEST

START_TEST(a_gdbstub_that_somebody_wants_is_known)
{
	g_autoptr(QemuArgs) none = PARSE("q\0-gdb\0none\0-m\0"
					 "1G");
	g_autoptr(QemuArgs) given = PARSE("q\0-gdb\0unix:/x\0-m\0"
					  "1G");
	g_autoptr(QemuArgs) usual = PARSE("q\0-s\0-m\0"
					  "1G");

	ck_assert(!none->has_stub && given->has_stub && usual->has_stub);
	ck_assert_uint_eq(usual->ram, 1ULL << 30);
}
END_TEST

START_TEST(arguments_cut_short_are_taken_as_far_as_they_go)
{
	static const char words[] = "q\0-name\0web\0-name\0wrong";
	g_autoptr(QemuArgs) cut = qemu_args_parse(words, sizeof words - 3);
	g_autoptr(QemuArgs) none = qemu_args_parse("", 0);

	ck_assert_str_eq(cut->name, "web");
	ck_assert_ptr_null(none->name);
}
END_TEST

/* Whoever wrote them may want us to be busy with them. */
START_TEST(of_arguments_without_end_some_are_taken)
{
	g_autoptr(GString) bytes = g_string_new("q");
	g_autoptr(GString) keys = g_string_new("q35");

	g_string_append_c(bytes, '\0');
	for (guint i = 0; i < 1000; i++) {
		g_string_append_printf(keys, ",key%u=x", i);
		g_string_append_printf(bytes, "-qmp%cunix:/run/%u,server=on%c", 0, i, 0);
		g_string_append_printf(bytes, "-qmp%ctcp:localhost:%u,server=on%c", 0, i, 0);
	}
	g_string_append_printf(bytes, "-machine%c%s,memory-backend=late%c", 0, keys->str, 0);
	for (guint i = 0; i < 20000; i++)
		g_string_append_c(bytes, '\0');
	g_string_append_printf(bytes, "-name%clate%c", 0, 0);
	g_autoptr(QemuArgs) args = qemu_args_parse(bytes->str, bytes->len);
	ck_assert_ptr_null(args->name);
	ck_assert_uint_eq(args->monitors->len, 8);
	ck_assert_str_eq(monitor(args, 7), "/run/7");
	ck_assert_uint_lt(args->unusable->len, 2048);
	ck_assert_str_eq(args->machine, "q35");
	ck_assert_ptr_null(args->memdev);
}
END_TEST

START_TEST(qemu_is_told_by_its_program_and_arguments)
{
#define OPTIONS                                                                                    \
	"-machine\0q35\0-m\0"                                                                      \
	"1G\0-accel\0tcg\0"
	ck_assert_int_eq(LIKELY("/usr/bin/qemu-system-x86_64", "x"), QEMU_LIKELY_YES);
	ck_assert_int_eq(LIKELY("/usr/bin/qemu-system-arm (deleted)", "x"), QEMU_LIKELY_YES);
	ck_assert_int_eq(LIKELY("/usr/libexec/qemu-kvm", "x"), QEMU_LIKELY_YES);
	ck_assert_int_eq(LIKELY("/usr/bin/kvm (deleted)", "x"), QEMU_LIKELY_YES);
	ck_assert_int_eq(LIKELY("/nix/store/x/bin/.qemu-system-x86_64-wrapped", "x"),
			 QEMU_LIKELY_YES);
	ck_assert_int_eq(LIKELY(NULL, "/usr/bin/qemu-system-x86_64\0-m"), QEMU_LIKELY_YES);
	ck_assert_int_eq(LIKELY("/opt/vm", "vm\0" OPTIONS), QEMU_LIKELY_MAYBE);
	/* What starts one, or only calls itself so, is none. */
	ck_assert_int_eq(LIKELY("/usr/bin/sleep", "qemu-system-x86_64\0"
						  "60"),
			 QEMU_LIKELY_NOT);
	ck_assert_int_eq(LIKELY("/usr/bin/sudo", "sudo\0qemu-system-x86_64\0" OPTIONS),
			 QEMU_LIKELY_NOT);
	ck_assert_int_eq(LIKELY("/usr/bin/sudo", "sudo\0-n\0qemu-system-x86_64\0" OPTIONS),
			 QEMU_LIKELY_NOT);
	ck_assert_int_eq(LIKELY("/usr/bin/bash", "bash\0-c\0qemu-system-x86_64 -m 1G"),
			 QEMU_LIKELY_NOT);
	ck_assert_int_eq(LIKELY("/usr/bin/qemu-x86_64", "qemu-x86_64\0./a.out"), QEMU_LIKELY_NOT);
	ck_assert_int_eq(LIKELY("/usr/bin/qemu-img", "qemu-img\0convert"), QEMU_LIKELY_NOT);
	ck_assert_int_eq(qemu_argv_likely(NULL, "", 0), QEMU_LIKELY_NOT);
}
END_TEST

static Suite *
make_suite(void)
{
	Suite *suite = suite_create("qemu-args");
	TCase *tests = tcase_create("qemu-args");

	tcase_add_test(tests, name_is_the_one_given);
	tcase_add_test(tests, two_dashes_are_as_good_as_one);
	tcase_add_test(tests, each_form_of_a_monitor_is_found);
	tcase_add_loop_test(tests, monitor_of_no_use_is_said_to_be_so, 0, G_N_ELEMENTS(unusable));
	tcase_add_test(tests, argument_of_an_option_is_no_option);
	tcase_add_test(tests, sizes_are_as_qemu_takes_them);
	tcase_add_test(tests, memory_of_all_kinds_is_listed);
	tcase_add_test(tests, guest_of_proxmox_is_understood);
	tcase_add_test(tests, guest_of_libvirt_is_known_as_such);
	tcase_add_test(tests, guest_whose_memory_is_encrypted_says_with_what);
	tcase_add_loop_test(tests, processors_are_counted, 0, G_N_ELEMENTS(processors));
	tcase_add_test(tests, a_gdbstub_that_somebody_wants_is_known);
	tcase_add_test(tests, arguments_cut_short_are_taken_as_far_as_they_go);
	tcase_add_test(tests, of_arguments_without_end_some_are_taken);
	tcase_add_test(tests, qemu_is_told_by_its_program_and_arguments);
	suite_add_tcase(suite, tests);
	return suite;
}

VMIFS_UNIT_MAIN(make_suite)
