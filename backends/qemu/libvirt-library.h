/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * libvirt-library (private): libvirt's functions that are called here, looked up when a guest of it
 * is first wanted. It brings some fifty other libraries with it, which take longer to load than a
 * memory image takes to mount.
 */
#pragma once

#include <glib.h>
#include <libvirt/libvirt-qemu.h>
#include <libvirt/libvirt.h>
#include <libvirt/virterror.h>

G_BEGIN_DECLS

#define QEMU_VIRT_FUNCTIONS(X)                                                                     \
	X(virConnectClose)                                                                         \
	X(virConnectDomainEventDeregisterAny)                                                      \
	X(virConnectDomainEventRegisterAny)                                                        \
	X(virConnectListAllDomains)                                                                \
	X(virConnectOpen)                                                                          \
	X(virConnectRef)                                                                           \
	X(virConnectRegisterCloseCallback)                                                         \
	X(virConnectSetKeepAlive)                                                                  \
	X(virConnectUnregisterCloseCallback)                                                       \
	X(virDomainFree)                                                                           \
	X(virDomainGetID)                                                                          \
	X(virDomainGetName)                                                                        \
	X(virDomainGetUUIDString)                                                                  \
	X(virDomainLookupByUUIDString)                                                             \
	X(virDomainMemoryPeek)                                                                     \
	X(virDomainQemuMonitorCommandWithFiles)                                                    \
	X(virEventRegisterDefaultImpl)                                                             \
	X(virEventRunDefaultImpl)                                                                  \
	X(virGetLastError)                                                                         \
	X(virInitialize)                                                                           \
	X(virSetErrorFunc)

typedef struct {
#define MEMBER(name) __typeof__(&name) name;
	QEMU_VIRT_FUNCTIONS(MEMBER)
#undef MEMBER
	char *why; /* (nullable) it cannot be used */
} QemuVirt;

/* Of the whole process; never unloaded, as its threads never end. */
const QemuVirt *
qemu_virt(void);

G_END_DECLS
