# SPDX-License-Identifier: LGPL-2.1-or-later
#
# What tests of running guests ask again and again.

import contextlib
import errno
import os
import re
import sys
import time

HERE = os.path.dirname(os.path.realpath(__file__))
sys.path[:0] = [HERE + '/../support', HERE + '/../guests']
from mountlib import *  # pylint: disable=wrong-import-position,wildcard-import,unused-wildcard-import
import livelib  # pylint: disable=wrong-import-position
import parts  # pylint: disable=wrong-import-position

SLOW = float(os.environ.get('VMIFS_TEST_SLOWNESS', '1'))  # what times are multiplied with


@contextlib.contextmanager
def shown(guest, **kw):
    """A mount of that guest alone: the path of its folder; the path has the mount as .mount."""
    with mounted(f'pid:{guest.pid}', **kw) as mount:
        names = [name for name in os.listdir(mount.path) if name != '.vmifs']
        equal(len(names), 1, f"guests in {names}")
        yield Shown(mount, f'{mount.path}/{names[0]}')


class Shown(str):
    """A guest's folder."""
    def __new__(cls, mount, path):
        self = super().__new__(cls, path)
        self.mount = mount
        return self

    def text(self, name):
        return read(f'{self}/{name}')

    def pids(self):
        return sorted(int(name) for name in os.listdir(self + '/procs') if name.isdigit())

    def log(self):
        return self.text('log').decode(errors='replace')


@contextlib.contextmanager
def stopped(guest):
    guest.qmp.call('stop')
    try:
        yield
    finally:
        guest.qmp.call('cont')


@contextlib.contextmanager
def within(seconds, what):
    start = time.monotonic()
    yield
    took = time.monotonic() - start
    print(f'# {what}: {took:.3f} s')
    check(took <= seconds * SLOW, f'{what}: {took:.2f} s, at most {seconds}')


@contextlib.contextmanager
def opened(path):
    """A descriptor; closed whatever happens, for a mount that is in use cannot be ended."""
    fd = os.open(path, os.O_RDONLY)
    try:
        yield fd
    finally:
        os.close(fd)


def fails(number, function, what):
    """The OSError of that errno comes of it."""
    try:
        got = function()
    except OSError as problem:
        equal(errno.errorcode[problem.errno], errno.errorcode[number], what)
        return
    raise Failed(f'{what}: no error, but {got!r:.100}')


def ram(guest):
    """[(start, length, block, offset in the block)] as QEMU has it in front of the processors."""
    tree = guest.qmp.human('info mtree -f')
    for view in tree.split('FlatView #')[1:]:
        if re.search(r'AS "memory"', view):
            return [(int(start, 16), int(end, 16) - int(start, 16) + 1, name.strip(), int(offset or '0', 16))
                    for start, end, name, offset in re.findall(
                        r'(?m)^\s+([0-9a-f]{16})-([0-9a-f]{16}) \(prio -?\d+, (?:ram|rom)\): ([^@\n]*?)'
                        r'(?: @([0-9a-f]+))?\r?(?: KVM)?$', view)]
    raise Failed(f'QEMU tells no memory map: {tree[:500]}')


def main_ram(guest):
    """The pieces that are the guest's own memory, not a device's or the firmware's."""
    return [piece for piece in ram(guest) if re.search(r'ram$|^mem|node\d|dimm\d', piece[2]) and 'vram' not in piece[2]]


def saved(guest, start, length):
    """The bytes there, by the monitor."""
    path = guest.folder + '/saved'
    guest.qmp.call('pmemsave', val=start, size=length, filename=path)
    try:
        with open(path, 'rb') as file:
            return file.read()
    finally:
        os.unlink(path)


def same_memory(guest, path, pieces):
    """What stands at the path is QEMU's memory, byte for byte. The guest stands still."""
    with opened(path) as fd:
        for start, length, name, _ in pieces:
            want = saved(guest, start, length)
            for at in range(0, length, MiB):
                got = os.pread(fd, min(MiB, length - at), start + at)
                check(got == want[at:at + MiB], lambda: f'{name}: differs in the MiB at {start + at:#x}')
