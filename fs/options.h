/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * options: the command line, understood once. Parsing looks at its arguments and touches nothing,
 * but for one question: is a lone argument a file, so that the right command can be shown.
 */
#pragma once

#include <vmifs/host.h>

#include <sys/types.h>

G_BEGIN_DECLS

typedef enum {
	VMIFS_ACTION_MOUNT,
	VMIFS_ACTION_CHECK,
	VMIFS_ACTION_HELP,
	VMIFS_ACTION_VERSION,
} VmifsAction;

typedef struct {
	VmifsAction action;
	GPtrArray *sources; /* of char *; MOUNT: at least one; CHECK: exactly one */
	char *mountpoint;   /* MOUNT: as written */
	gboolean foreground;
	gboolean debug;

	VmifsOptions engine; /* its strings point to what follows */
	char *format, *arch, *snapdir, *profile, *vmlinux;
	char *cache; /* a folder or "none"; NULL = the usual one */

	gboolean read_only; /* of the mount: the VFS refuses writes */
	gboolean allow_other, allow_root;
	gboolean no_passthrough;
	gboolean has_uid, has_gid, has_umask;
	guint32 uid, gid, umask;
	guint32 max_read; /* bytes of one FUSE request; 0 = as the kernel likes */
	char *fsname;     /* what mount(8) shows as the source; NULL = the sources */
} VmifsFsOptions;

/* argv: with the program's name first. INVALID with a message that names the word that was not
 * understood. ret: to be cleared by vmifs_fs_options_clear(), only after success. */
gboolean
vmifs_fs_options_parse(int argc, char *const *argv, VmifsFsOptions *ret, GError **error);
void
vmifs_fs_options_clear(VmifsFsOptions *options);

/* The text of --help. (full) */
char *
vmifs_fs_options_help(void);

/* Permission bits of files and directories under these options. */
mode_t
vmifs_fs_options_file_mode(const VmifsFsOptions *options);
/* What is added for those that may be written. */
mode_t
vmifs_fs_options_write_mode(const VmifsFsOptions *options);
mode_t
vmifs_fs_options_dir_mode(const VmifsFsOptions *options);

G_DEFINE_AUTO_CLEANUP_CLEAR_FUNC(VmifsFsOptions, vmifs_fs_options_clear)

G_END_DECLS
