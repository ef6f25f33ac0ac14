/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * kexec: boots /boot/vmlinuz with /boot/initrd and this kernel's command line, without the
 * firmware in between.  Busybox has no such program.
 */
#define _GNU_SOURCE
#include <fcntl.h>
#include <linux/reboot.h>
#include <stdio.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

int
main(void)
{
	char words[4096] = "";
	int kernel = open("/boot/vmlinuz", O_RDONLY), initrd = open("/boot/initrd", O_RDONLY);
	FILE *file = fopen("/proc/cmdline", "r");

	if (!file || !fgets(words, sizeof words, file))
		return 1;
	words[strcspn(words, "\n")] = '\0';
	if (syscall(SYS_kexec_file_load, kernel, initrd, strlen(words) + 1, words, 0UL)) {
		perror("kexec_file_load");
		return 1;
	}
	syscall(SYS_reboot, LINUX_REBOOT_MAGIC1, LINUX_REBOOT_MAGIC2, LINUX_REBOOT_CMD_KEXEC, NULL);
	perror("reboot");
	return 1;
}
