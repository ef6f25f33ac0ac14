/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * magic: files that are often mistaken for raw images. A raw image has no magic of its own, so
 * anything would pass for one, and an unread header would shift every address without a word.
 */
#include "snapshot.h"

#include <string.h>

#define BYTES(s) s, sizeof s - 1

#define NOT_YET "this version reads raw images, ELF cores and LiME: take one of those"
#define UNPACK "unpack it first"
#define DISK "that is a disk; take an image of the guest's memory"

static const struct {
	const char *bytes;
	gsize len;
	gsize at;
	const char *name;
	const char *advice;
} foreign[] = {
	/* memory in other clothes */
	{ BYTES("AVML"), 0, "a compressed AVML image",
	  "turn it into a raw one with 'avml-convert'" },
	{ BYTES("KDUMP   "), 0, "a kdump image", NOT_YET },
	{ BYTES("DISKDUMP"), 0, "a diskdump image", NOT_YET },
	{ BYTES("makedumpfile\0\0\0\0"), 0, "a flattened makedumpfile image", NOT_YET },
	{ BYTES("PAGEDUMP"), 0, "a Windows crash dump", NOT_YET },
	{ BYTES("PAGEDU64"), 0, "a Windows crash dump", NOT_YET },
	{ BYTES("HIBR"), 0, "a Windows hibernation file", NOT_YET },
	{ BYTES("hibr"), 0, "a Windows hibernation file", NOT_YET },
	{ BYTES("WAKE"), 0, "a Windows hibernation file", NOT_YET },
	{ BYTES("wake"), 0, "a Windows hibernation file", NOT_YET },
	{ BYTES("RSTR"), 0, "a Windows hibernation file", NOT_YET },
	{ BYTES("S1SUSPEND"), 4086, "a Linux hibernation image", NOT_YET },
	{ BYTES("\xd0\xbe\xd2\xbe"), 0, "a VMware state file", "give the .vmem file beside it" },
	{ BYTES("\xd1\xba\xd1\xba"), 0, "a VMware state file", "give the .vmem file beside it" },
	{ BYTES("\xd2\xbe\xd2\xbe"), 0, "a VMware state file", "give the .vmem file beside it" },
	{ BYTES("\xd3\xbe\xd3\xbe"), 0, "a VMware state file", "give the .vmem file beside it" },
	{ BYTES("\177VirtualBox SavedState"), 0, "a VirtualBox saved state", NOT_YET },
	{ BYTES("QEVM"), 0, "a QEMU migration stream", NOT_YET },
	{ BYTES("LibvirtQemudSave"), 0, "an image of 'virsh save'", NOT_YET },
	{ BYTES("LibvirtQemudPart"), 0, "an unfinished image of 'virsh save'", NOT_YET },
	{ BYTES("Xen saved domain"), 0, "an image of 'xl save'", NOT_YET },
	/* disks */
	{ BYTES("QFI\xfb"), 0, "a qcow2 image", DISK },
	{ BYTES("KDMV"), 0, "a VMDK image", DISK },
	{ BYTES("vhdxfile"), 0, "a VHDX image", DISK },
	{ BYTES("conectix"), 0, "a VHD image", DISK },
	{ BYTES("\x7f\x10\xda\xbe"), 64, "a VDI image", DISK },
	{ BYTES("EFI PART"), 512, "an image of a whole disk", DISK },
	/* packed */
	{ BYTES("\x1f\x8b\x08"), 0, "compressed with gzip", UNPACK },
	{ BYTES("\xfd"
		"7zXZ\0"),
	  0, "compressed with xz", UNPACK },
	{ BYTES("\x28\xb5\x2f\xfd"), 0, "compressed with zstd", UNPACK },
	{ BYTES("BZh"), 0, "compressed with bzip2", UNPACK },
	{ BYTES("\x04\x22\x4d\x18"), 0, "compressed with lz4", UNPACK },
	{ BYTES("\x02\x21\x4c\x18"), 0, "compressed with lz4", UNPACK },
	{ BYTES("\x89LZO\0\r\n\x1a\n"), 0, "compressed with lzop", UNPACK },
	{ BYTES("\xff\x06\0\0sNaPpY"), 0, "compressed with snappy", UNPACK },
	{ BYTES("PK\3\4"), 0, "a ZIP archive", UNPACK },
	{ BYTES("7z\xbc\xaf\x27\x1c"), 0, "a 7z archive", UNPACK },
	{ BYTES("ustar"), 257, "a tar archive", UNPACK },
};

gboolean
vmifs_snapshot_is_foreign(const VmifsSource *src, GError **error)
{
	for (gsize i = 0; i < G_N_ELEMENTS(foreign); i++) {
		if (src->head_len < foreign[i].at + foreign[i].len ||
		    memcmp(src->head + foreign[i].at, foreign[i].bytes, foreign[i].len))
			continue;
		g_set_error(
			error, VMIFS_ERROR, VMIFS_ERROR_SOURCE,
			"%s: looks like %s, which is not read; %s (if it is a raw image all the "
			"same: -o format=raw)",
			src->spec, foreign[i].name, foreign[i].advice);
		return TRUE;
	}
	return FALSE;
}
