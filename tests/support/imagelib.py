# SPDX-License-Identifier: LGPL-2.1-or-later
#
# Images of formats with headers, whose memory lies in two pieces, as with more RAM than fits below the hole
# that PCI has under 4 GiB.

import struct

from mountlib import MiB, make, noise

LOW, HIGH = 20 * MiB + 4096, 12 * MiB  # bytes of RAM below and above the PCI hole
ABOVE = 1 << 32


def pieces():
    return noise(LOW), noise(HIGH, 2)


def lime(name='a.lime'):
    low, high = pieces()
    head = lambda first, data: struct.pack('<IIQQ8x', 0x4c694d45, 1, first, first + len(data) - 1)
    return make(name, head(0, low) + low + head(ABOVE, high) + high)


def elf_head(segments, registers=b''):
    """An ELF core; segments of (physical address, offset, bytes in the file)."""
    notes = struct.pack('<III', 5, 432, 0) + b'QEMU\0\0\0\0' + registers if registers else b''
    table = [struct.pack('<IIQQQQQQ', 4, 0, 0xf00, 0, 0, len(notes), len(notes), 0)]
    table += [struct.pack('<IIQQQQQQ', 1, 0, at, 0, pa, length, length, 0) for pa, at, length in segments]
    head = b'\x7fELF\x02\x01\x01' + bytes(9) + struct.pack('<HHIQQQIHHHHHH', 4, 62, 1, 0, 64, 0, 0, 64, 56,
                                                           len(table), 0, 0, 0)
    return (head + b''.join(table)).ljust(0xf00, b'\0') + notes


def elf(name='a.elf'):
    """Its memory begins within a page of the file, as QEMU's does."""
    low, high = pieces()
    state = struct.pack('<II', 1, 432) + bytes(128) + struct.pack('<Q', 0xffffffff81000000) + bytes(288)
    head = elf_head([(0, 0x14a0, LOW), (ABOVE, 0x14a0 + LOW, HIGH)], state).ljust(0x14a0, b'\0')
    return make(name, head + low + high)
