# SPDX-License-Identifier: LGPL-2.1-or-later
#
# The same memory in formats that hold it in pieces: none of them can be handed to the kernel, so every
# byte comes from the server.

import os
import re
import shutil
import struct

MiB = 1 << 20
PIECES = [(0x1000, 0x9e000), (MiB, None)]  # what a PC's firmware leaves: below 640 KiB, and from 1 MiB on


def pieces(raw):
    size = os.path.getsize(raw)
    return [(start, (size - start) if length is None else length) for start, length in PIECES]


def copy(raw, start, length, out):
    with open(raw, 'rb') as source:
        source.seek(start)
        while length:
            data = source.read(min(length, MiB))
            out.write(data)
            length -= len(data)


def write_lime(raw, target):
    """Each piece behind a header of 32 bytes."""
    with open(target, 'wb') as out:
        for start, length in pieces(raw):
            out.write(struct.pack('<IIQQ8x', 0x4c694d45, 1, start, start + length - 1))
            copy(raw, start, length, out)


def write_elf(raw, target):
    """An ELF core of 64 bits: a PT_LOAD for each piece, p_vaddr 0 as QEMU writes it."""
    found = pieces(raw)
    at = (64 + 56 * len(found) + 4095) // 4096 * 4096
    with open(target, 'wb') as out:
        out.write(b'\x7fELF\2\1\1' + bytes(9))
        out.write(struct.pack('<HHIQQQIHHHHHH', 4, 62, 1, 0, 64, 0, 0, 64, 56, len(found), 0, 0, 0))
        for start, length in found:
            out.write(struct.pack('<IIQQQQQQ', 1, 7, at, 0, start, length, length, 0))
            at += length
        out.write(bytes(-out.tell() % 4096))
        for start, length in found:
            copy(raw, start, length, out)


def write_without_types(raw, target, symbols, info):
    """The same image in which the kernel's BTF is zeros. symbols: addresses by name; info: the guest's, as text."""
    virtual, physical = (int(re.search(kind + r' slide: (\w+)', info)[1], 16) for kind in ('virtual', 'physical'))
    start, stop = symbols['__start_BTF'], symbols['__stop_BTF']
    shutil.copyfile(raw, target)
    with open(target, 'r+b') as image:
        image.seek(start - 0xffffffff80000000 - virtual + physical)
        blob = image.read(stop - start)
        image.seek(-len(blob), os.SEEK_CUR)
        image.write(bytes(len(blob)))
    return blob
