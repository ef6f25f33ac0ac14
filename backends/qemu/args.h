/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * args: what a QEMU was started with, from its NUL-separated arguments: its name, the monitor
 * sockets it listens on, and all that the layout of its memory depends on. Who started the process
 * chose every byte of it; nothing here opens anything.
 */
#pragma once

#include <glib.h>

G_BEGIN_DECLS

/* -object memory-backend-TYPE. */
typedef struct {
	char *id;
	char *type; /* "ram", "memfd", "file", "epc" */
	char *path; /* (nullable) mem-path */
	guint64 size;
	guint64 offset; /* in that file */
	gboolean share;
} QemuArgsBackend;

/* -numa node. */
typedef struct {
	char *memdev; /* (nullable) */
	guint64 size; /* mem=, bytes; 0 = not given */
	guint64 node;
	gboolean has_node;
} QemuArgsNode;

/* A -device that is memory: pc-dimm, nvdimm, virtio-mem-pci, ... */
typedef struct {
	char *driver;
	char *id;     /* (nullable) */
	char *memdev; /* (nullable) */
	guint64 addr; /* physical */
	gboolean has_addr;
} QemuArgsDimm;

typedef struct {
	char *name;     /* (nullable) -name */
	char *uuid;     /* (nullable) -uuid, lower case */
	char *machine;  /* (nullable) type as given: "pc", "q35", "pc-i440fx-7.2", "microvm" */
	char *memdev;   /* (nullable) memory-backend= of the machine */
	char *mem_path; /* (nullable) -mem-path */
	char *secured;  /* (nullable) type of the object of confidential-guest-support= */
	guint64 ram;    /* bytes; 0 = not given */
	guint64 max_ram_below_4g; /* 0 = not given */
	guint n_cpus;             /* it began with; 0 = its number is not understood */
	guint max_cpus;           /* it may come to have; 0 = not given */
	gboolean incoming;        /* waits for a migration */
	gboolean may_grow;        /* memory may be plugged in */
	gboolean libvirt;         /* started by libvirt */
	gboolean has_config;      /* -readconfig: more was told in a file */
	gboolean has_stub;        /* -gdb, -s: somebody wants its gdbstub */
	GArray *backends;         /* of QemuArgsBackend */
	GArray *nodes;            /* of QemuArgsNode */
	GArray *dimms;            /* of QemuArgsDimm */
	GPtrArray *monitors;      /* of char *: unix sockets on which it listens with QMP */
	GString *unusable; /* monitors that cannot be used and why, a line each; may be empty */
} QemuArgs;

/* Any bytes at all. Never NULL: what is not understood is not there. */
QemuArgs *
qemu_args_parse(const char *bytes, gsize len);
void
qemu_args_free(QemuArgs *args);

/* (borrowed) NULL when there is no backend of that id. */
const QemuArgsBackend *
qemu_args_backend(const QemuArgs *args, const char *id);

G_DEFINE_AUTOPTR_CLEANUP_FUNC(QemuArgs, qemu_args_free)

G_END_DECLS
