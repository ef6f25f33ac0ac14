# SPDX-License-Identifier: LGPL-2.1-or-later
#
# The architectures of test guests: how each is booted in QEMU, and what runs in it.  Programs of this host's
# own architecture are this host's, and its compiler's; those of others are Debian's, unpacked and never
# installed, and a cross compiler's.

import os
import re
import tempfile
from typing import NamedTuple

from debian import Apt, Failed, Missing, cache_dir, locked, need, read, run


class Arch(NamedTuple):
    debian: str  # Debian's name for it
    qemu: str
    machine: list  # words for QEMU
    cpu: str  # unless another one is asked for
    console: str
    append: str  # words for the kernel
    ram: str  # QEMU's name of the machine's memory
    base: int  # where that begins in a raw image
    compiler: str
    noted: bool  # QEMU has a device there by which the guest tells it of VMCOREINFO
    programs: str  # the suite whose packages they come from; '': this host has them
    flavour: str  # of its kernels, unless another one is asked for


ARCHES = {
    # A guest whose processors get too little time panics when it checks its timer.
    'amd64': Arch('amd64', 'qemu-system-x86_64', [], 'qemu64', 'ttyS0', 'no_timer_check', r'pc\.ram', 0, 'gcc',
                  True, '', 'cloud'),
    'arm64': Arch('arm64', 'qemu-system-aarch64', ['-machine', 'virt,gic-version=3'], 'cortex-a57', 'ttyAMA0', '',
                  r'mach-virt\.ram', 0x40000000, 'aarch64-linux-gnu-gcc', True, 'bookworm', 'cloud'),
    'riscv64': Arch('riscv64', 'qemu-system-riscv64', ['-machine', 'virt'], 'rv64', 'ttyS0', '',
                    r'riscv_virt_board\.ram', 0x80000000, 'riscv64-linux-gnu-gcc', False, 'trixie', 'generic'),
    'i386': Arch('i386', 'qemu-system-i386', [], 'qemu32', 'ttyS0', 'no_timer_check', r'pc\.ram', 0,
                 'i686-linux-gnu-gcc', True, 'bookworm', '686'),
    # Kernels without LPAE do not reach what lies above 4 GiB.
    'armhf': Arch('armhf', 'qemu-system-arm', ['-machine', 'virt,highmem=off'], 'cortex-a15', 'ttyAMA0', '',
                  r'mach-virt\.ram', 0x40000000, 'arm-linux-gnueabihf-gcc', False, 'bookworm', 'armmp'),
}
# What programs() below are found in, with the libraries that they need: no older than the compiler's.
FOREIGN_PACKAGES = ['busybox-static', 'bash', 'coreutils', 'libc6', 'libtinfo6']


class Programs:
    """Of this host."""

    def __init__(self, arch):
        self.arch = arch

    def busybox(self):
        path = self.find('busybox')
        if b'\x7fELF' != read(path)[:4] or b'/ld-linux' in read(path)[:4096]:
            raise Missing(f'{path} is dynamically linked: install the Debian package busybox-static')
        return path

    def find(self, name):
        return need(name)

    def libraries(self, path):
        """[(where the guest has it, where it is)]"""
        return [(name, name) for name in re.findall(r'(/\S+) \(0x', run([need('ldd'), path]).decode())]

    def compiler(self):
        return need(self.arch.compiler)


class ForeignPrograms(Programs):
    """Of another architecture, out of Debian's packages."""

    def __init__(self, arch, say):
        super().__init__(arch)
        self.root = os.path.join(cache_dir(), 'root-' + arch.debian)
        with locked(self.root):
            if not os.path.exists(self.root):
                apt = Apt(arch.programs, 1, say, arch.debian)
                apt.update()
                say(f'fetching {" ".join(FOREIGN_PACKAGES)} for {arch.debian}')
                with tempfile.TemporaryDirectory(dir=cache_dir()) as part:
                    apt.unpack(FOREIGN_PACKAGES, part)
                    # Newer suites' packages rely on this link, under which programs name their interpreter.
                    if not os.path.exists(part + '/tree/lib'):
                        os.symlink('usr/lib', part + '/tree/lib')
                    os.rename(part + '/tree', self.root)

    def find(self, name):
        for folder in ('bin', 'usr/bin'):
            path = os.path.join(self.root, folder, name)
            if os.path.exists(path):
                return path
        raise Failed(f'{self.root} has no program {name}')

    def library(self, name):
        """One that a program names, by its path or to be looked for."""
        if name.startswith('/'):
            return name
        for where, _, names in os.walk(self.root):
            if name in names:
                return os.path.join(where, name)[len(self.root):]
        raise Failed(f'{self.root} has no library {name}')

    def libraries(self, path):
        found, pending = {}, [path]
        while pending:
            told = run([need('readelf'), '-Wdl', pending.pop()]).decode()
            for name in re.findall(r'\(NEEDED\)\s+Shared library: \[(.*?)\]', told) + \
                    re.findall(r'program interpreter: (.*?)\]', told):
                inside = self.library(name)
                if inside not in found:
                    found[inside] = os.path.realpath(self.root + inside)
                    pending.append(found[inside])
        return list(found.items())


def programs(arch, say):
    return ForeignPrograms(arch, say) if arch.programs else Programs(arch)
