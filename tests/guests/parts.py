# SPDX-License-Identifier: LGPL-2.1-or-later
#
# What both kinds of test guests are made of, those whose memory is taken (make-guest) and those that run
# on (tests/live): an initial root file system written without root, and a monitor to speak with.

import ctypes
import hashlib
import json
import os
import re
import shutil
import signal
import socket
import time

from arches import ARCHES, Programs
from debian import Failed, cache_dir, locked, need, read, run

HERE = os.path.dirname(os.path.realpath(__file__))
PAGE = 4096
KVM_SECONDS = 20  # to boot in, where it is only tried
# Loaded in this order, each after what it depends on; the disk first: the truth leaves over it.
MODULES = {'virtio_pci': '', 'virtio_blk': '', 'virtio_net': '', 'veth': '', 'dummy': '', 'tun': '',
           'nbd': 'nbds_max=2'}
ACTORS = ['actor', 'odd']
# Ordinary dynamically linked programs of the host, for maps with ld.so and libc in them.
PROGRAMS = ['bash', 'cat', 'sleep', 'env']
# Two network cards with a cable between them.
NETWORK = ['-netdev', 'hubport,id=left,hubid=0', '-netdev', 'hubport,id=right,hubid=0',
           '-device', 'virtio-net-pci,netdev=left,romfile=', '-device', 'virtio-net-pci,netdev=right,romfile=']


class Cpio:
    """An archive in the kernel's newc format, written here so that cpio and root are not needed."""

    def __init__(self, path):
        self.file = open(path, 'wb')
        self.inode = 0
        self.dirs = set()

    def put(self, name, mode, data=b'', rdev=(0, 0), align=4):
        self.inode += 1
        where = os.path.dirname(name)
        if where and where not in self.dirs:
            self.dir(where)
        if align > 4:  # a member that only fills the room up to where the data shall start
            head = lambda text: (110 + len(text) + 1 + 3) // 4 * 4
            room = -(self.file.tell() + head('.fill') + head(name)) % align
            self.put('.fill', 0o100600, bytes(room))
        self.file.write(b'070701' + b''.join(b'%08x' % n for n in (
            self.inode, mode, 0, 0, 1, 0, len(data), 0, 0, *rdev, len(name) + 1, 0)))
        self.file.write(name.encode() + b'\0')
        self.file.write(bytes(-self.file.tell() % 4))
        start = self.file.tell()
        self.file.write(data)
        self.file.write(bytes(-self.file.tell() % 4))
        return start

    def dir(self, name):
        if name and name not in self.dirs:
            self.dirs.add(name)
            self.put(name, 0o40755)

    def close(self):
        self.put('TRAILER!!!', 0)
        self.file.write(bytes(-self.file.tell() % PAGE))
        self.file.close()


# What a guest of this host's own architecture is made of.
OWN = Programs(ARCHES['amd64'])


def build(name, *flags, programs=OWN):
    """Compiles one of the guest's programs; the cache key is what its source says."""
    source = f'{HERE}/guest/{name}.c'
    key = hashlib.sha256(read(source) + read(f'{HERE}/guest/actor.h')).hexdigest()[:16]
    target = os.path.join(cache_dir(), 'bin', f'{name}-{key}')
    if programs is not OWN:
        target += '-' + programs.arch.debian
    with locked(os.path.join(cache_dir(), 'bin', name)):
        if not os.path.exists(target):
            # Addresses of 32 bits are all within a file that is as long as memory.
            run([programs.compiler(), '-O2', '-Wall', '-D_FILE_OFFSET_BITS=64', '-Wno-format-truncation', *flags,
                 '-o', target + '.part', source])
            os.rename(target + '.part', target)
    return target


def add_modules(cpio, found):
    """What debian.modules() found; init loads what the list says, in its order."""
    loads = b''
    for name, parameters, data in found:
        cpio.put(f'lib/modules/{name}.ko', 0o100644, data)
        loads += f'/lib/modules/{name}.ko {parameters}'.strip().encode() + b'\n'
    cpio.put('lib/modules/list', 0o100644, loads)


def add_base(cpio, init, programs=OWN):
    """What every guest has: devices, folders, pid 1 and its tools."""
    cpio.dir('dev')
    cpio.put('dev/console', 0o20600, rdev=(5, 1))
    for name in ('proc', 'sys', 'tmp', 'usr/bin', 'lib/modules'):
        cpio.dir(name)
    cpio.put('init', 0o100755, read(f'{HERE}/guest/{init}'))
    cpio.put('bin/busybox', 0o100755, read(programs.busybox()))
    for name in ['collect', 'console', 'known', 'restless']:
        cpio.put('usr/bin/' + name, 0o100755, read(build(name, '-static', programs=programs)))
    cpio.put('etc/passwd', 0o100644, b'root:x:0:0:root:/:/bin/sh\n')


def add_actors(cpio, programs=OWN, **settings):
    """The processes in odd states that guest/init starts, and what it is told."""
    needed = {}
    for name in ACTORS:
        program = build(name, '-pthread', programs=programs)
        cpio.put('usr/bin/' + name, 0o100755, read(program))
        needed.update(programs.libraries(program))
    cpio.put('usr/bin/net-actor', 0o100755, read(build('net-actor', '-static', programs=programs)))
    for name in PROGRAMS:
        cpio.put('usr/bin/' + name, 0o100755, read(programs.find(name)))
        needed.update(programs.libraries(programs.find(name)))
    for name, path in sorted(needed.items()):
        cpio.put(name.lstrip('/'), 0o100755, read(path))
    cpio.put('etc/guest', 0o100644, ''.join(f'{key}={value:d}\n' for key, value in settings.items()).encode())


# QEMU ---------------------------------------------------------------------------------------------

def accels(wanted):
    """Those to try, in this order. Some hosts have a KVM that boots nothing."""
    if wanted != 'auto':
        return [wanted]
    return ['kvm', 'tcg'] if os.access('/dev/kvm', os.R_OK | os.W_OK) else ['tcg']


def connect(path, deadline):
    """To a socket that QEMU will soon have."""
    while True:
        sock = socket.socket(socket.AF_UNIX)
        try:
            sock.connect(path)
            return sock
        except OSError:
            sock.close()
            if time.monotonic() > deadline:
                raise Failed('QEMU opened no monitor') from None
            time.sleep(0.02)


class Qmp:
    def __init__(self, sock):
        self.sock = sock
        self.sock.settimeout(120)
        self.lines = self.sock.makefile('r')
        self.events = []  # those that came while something was asked
        self.lines.readline()
        self.call('qmp_capabilities')

    def call(self, command, **arguments):
        self.sock.sendall(json.dumps({'execute': command, 'arguments': arguments}).encode())
        for line in self.lines:
            answer = json.loads(line)
            if 'error' in answer:
                raise Failed(f'QEMU: {command}: {answer["error"]["desc"]}')
            if 'return' in answer:
                return answer['return']
            self.events.append(answer)
        raise Failed(f'QEMU went away during {command}')

    def human(self, line):
        return self.call('human-monitor-command', **{'command-line': line})


def die_with_parent():
    """Even a SIGKILL of this script leaves no QEMU behind."""
    ctypes.CDLL(None).prctl(1, signal.SIGKILL)  # PR_SET_PDEATHSIG


def ram_pieces(qmp, ram=ARCHES['amd64'].ram):
    """[(address, length)] of RAM as the guest's processors see it, ROM shadows of it included."""
    tree = qmp.human('info mtree -f')
    for view in tree.split('FlatView #')[1:]:
        if not re.search(r'AS "memory"', view):
            continue
        pieces = []
        for start, end, kind in re.findall(r'(?m)^\s+([0-9a-f]{16})-([0-9a-f]{16}) \(prio -?\d+, (\w+)\):'
                                           rf' {ram}', view):
            start, length = int(start, 16), int(end, 16) - int(start, 16) + 1
            if kind not in ('ram', 'rom'):
                continue
            if pieces and start <= pieces[-1][0] + pieces[-1][1]:
                pieces[-1] = (pieces[-1][0], start + length - pieces[-1][0])
            else:
                pieces.append((start, length))
        return pieces
    raise Failed('QEMU tells no memory map')


def save_truth(tar_path, target):
    """Its files and folders, without what it says of owners, times and modes. tar takes a twentieth of the time
    of Python's tarfile, and writes nothing outside of the target."""
    shutil.rmtree(target, ignore_errors=True)
    os.makedirs(target, exist_ok=True)
    told = run([need('tar'), '-xmvf', tar_path, '--no-same-owner', '--no-same-permissions', '-C', target])
    return sum(not name.endswith(b'/') for name in told.splitlines())
