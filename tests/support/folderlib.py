# SPDX-License-Identifier: LGPL-2.1-or-later
#
# Running guests that are files of a folder (tests/toyos/folder.c), with a system that is made for it
# (tests/toyos/sleepy.c), and mounts of them.

import contextlib
import os
import struct
import time

from mountlib import *  # pylint: disable=wildcard-import,unused-wildcard-import

programs['vmifs'] = os.environ['VMIFS_TOY']
SLACK = 10 if 'SANITIZED' in os.environ else 1
HEADER, SIZE = 0x6000, 0x40000


def elapsed(function, *arguments):
    start = time.monotonic()
    function(*arguments)
    return time.monotonic() - start


def errno_of(function, *arguments):
    try:
        function(*arguments)
    except OSError as problem:
        return problem.errno
    raise Failed(f'{arguments} works')


def errno_of_or_none(function, *arguments):
    try:
        function(*arguments)
    except OSError as problem:
        return problem.errno
    return None


def read_at(path, at, size):
    with open(path, 'rb', buffering=0) as file:
        return os.pread(file.fileno(), size, at)


class Guest:
    """The kernel's root at 0x1000 maps 0xffff800000000000 to 0x6000. Process roots lie from 0x2000 on:
    the first maps 0x10000 to 0x20000, the second to 0x21000."""

    def __init__(self, where, name, delay=0, regs=None, system=True, slow=None):
        self.path = f'{where}/{name}'
        memory = bytearray(SIZE)

        def put(pa, *values):
            struct.pack_into(f'<{len(values)}Q', memory, pa, *values)

        if system:
            memory[HEADER:HEADER + 8] = b'SLEEPY!\0'
            put(HEADER + 8, 0x1000, 0x2000)
            struct.pack_into('<I', memory, HEADER + 24, delay)
        put(0x1800, 0x7003)
        put(0x7000, 0x8003)
        put(0x8000, 0x9003)
        put(0x9000, 0x6003)
        for number in range(2):
            tables = 0xa000 + number * 0x3000
            put(0x2000 + number * 0x1000, tables | 7)
            put(tables, tables + 0x1000 | 7)
            put(tables + 0x1000, tables + 0x2000 | 7)
            put(tables + 0x2080, 0x20007 + number * 0x1000)
        memory[0x20000:0x21000] = b'a' * 0x1000
        memory[0x21000:0x22000] = b'b' * 0x1000
        if regs:
            self.put('regs', regs)
        if slow is not None:
            self.put('slow', str(slow))
        with open(self.path + '.tmp', 'wb') as file:
            file.write(memory)
        os.rename(self.path + '.tmp', self.path + '.ram')

    def put(self, what, text):
        with open(f'{self.path}.{what}-', 'w', encoding='utf-8') as file:
            file.write(text + '\n')
        os.rename(f'{self.path}.{what}-', f'{self.path}.{what}')

    def get(self, what):
        with open(f'{self.path}.{what}', encoding='utf-8') as file:
            return file.read().strip()

    def write(self, pa, data):
        with open(self.path + '.ram', 'r+b', buffering=0) as file:
            os.pwrite(file.fileno(), data, pa)

    def read(self, pa, size):
        with open(self.path + '.ram', 'rb', buffering=0) as file:
            return os.pread(file.fileno(), size, pa)

    def run_tasks(self, *tasks):
        """Of (pid, tgid, start, memory); memory counts from 1."""
        data = b''.join(struct.pack('<4I', *task) for task in tasks)
        self.write(HEADER + 32, struct.pack('<I', 0))
        self.write(HEADER + 64, data)
        self.write(HEADER + 32, struct.pack('<I', len(tasks)))

    def end(self):
        os.unlink(self.path + '.ram')


@contextlib.contextmanager
def opened(where, *names):
    files = [os.open(f'{where}/{name}', os.O_RDONLY) for name in names]
    try:
        yield files
    finally:
        for file in files:
            os.close(file)


@contextlib.contextmanager
def live(*names, options=(), **how):
    """A mount of those guests."""
    where = folder()
    guests = [Guest(where, name, **how) for name in names]
    with mounted('folder:' + where, options=options) as mount:
        mount.folder = where
        for name in names:  # mounting waits for a guest, but not for long
            wait_until(lambda: os.path.exists(f'{mount.path}/{name}/info'), name)  # pylint: disable=cell-var-from-loop
        yield (mount, *guests)
