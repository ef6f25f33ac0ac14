# SPDX-License-Identifier: LGPL-2.1-or-later
#
# A copy of a guest's memory that is changed in place and put back, read through the guest's own page
# tables; and the little of BTF that says where the members of its structures lie.  This stands apart from
# how vmifs reads the same: it only has to be right on memory that nobody has touched.

import os
import re
import struct

PAGE = 4096
ADDRESS = 0x000ffffffffff000
PRESENT, LARGE = 1, 0x80


class Image:
    def __init__(self, base, path):
        self.base = os.open(base, os.O_RDONLY)
        self.path = path
        self.fd = os.open(path, os.O_RDWR | os.O_CREAT | os.O_TRUNC, 0o600)
        self.size = os.fstat(self.base).st_size
        self.touched = set()
        self.least = self.size  # bytes that it never had less of since the last undo()
        done = 0
        while done < self.size:
            done += os.sendfile(self.fd, self.base, done, self.size - done)
        self.root, self.levels = 0, 4

    def read(self, pa, length):
        # The file may have been cut short by what was done to it before: zeros stand for the rest.
        return os.pread(self.fd, length, pa).ljust(length, b'\0') if 0 <= pa < self.size else b''

    def poke(self, pa, data):
        if pa < 0 or pa + len(data) > self.size:
            return
        self.touched.update(range(pa // PAGE, (pa + len(data) - 1) // PAGE + 1))
        os.pwrite(self.fd, data, pa)

    def resize(self, size):
        self.least = min(self.least, size)
        os.ftruncate(self.fd, size)

    def undo(self):
        os.ftruncate(self.fd, self.size)
        if self.least < self.size:  # what was poked behind its end made it grow again
            self.touched.update(range(self.least // PAGE, self.size // PAGE))
        self.least = self.size
        for page in self.touched:
            os.pwrite(self.fd, os.pread(self.base, PAGE, page * PAGE), page * PAGE)
        self.touched.clear()

    def is_as_it_was(self):
        step = 1 << 20
        return os.fstat(self.fd).st_size == self.size and all(
            os.pread(self.fd, step, at) == os.pread(self.base, step, at) for at in range(0, self.size, step))

    def u64(self, pa):
        data = self.read(pa, 8)
        return struct.unpack('<Q', data)[0] if len(data) == 8 else 0

    def translate(self, va, root=None):
        """Physical address and the entries on the way to it; None where nothing is mapped."""
        table, entries = root or self.root, []
        for level in range(self.levels, 0, -1):
            shift = 12 + 9 * (level - 1)
            at = table + (va >> shift & 511) * 8
            entry = self.u64(at)
            entries.append(at)
            if not entry & PRESENT:
                return None, entries
            if level == 1 or level < 4 and entry & LARGE:
                base = entry & ADDRESS & ~((1 << shift) - 1)
                return base + (va & (1 << shift) - 1), entries
            table = entry & ADDRESS
        return None, entries

    def pa(self, va):
        return self.translate(va)[0]

    def load(self, va, length):
        """Kernel memory; what is not there reads as zeros."""
        out, done = [], 0
        while done < length:
            here = va + done
            step = min(length - done, PAGE - here % PAGE)
            pa = self.pa(here & (1 << 64) - 1)
            piece = self.read(pa, step) if pa is not None else b''
            out.append(piece.ljust(step, b'\0'))
            done += step
        return b''.join(out)

    def store(self, va, data):
        while data:
            step = min(len(data), PAGE - va % PAGE)
            pa = self.pa(va)
            if pa is not None:
                self.poke(pa, data[:step])
            va, data = va + step, data[step:]


class Btf:
    """Structures by name: {path of a member: (offset, size, the structure it points to)}."""

    WORDS = {1: 1, 3: 3, 14: 1, 17: 1}  # what follows a type, in words; by its kind
    PER = {4: 3, 5: 3, 6: 2, 13: 2, 15: 3, 19: 3}  # ... and for each of its members

    def __init__(self, blob):
        self.head, self.types_at, self.types_len, strings_at, strings_len = struct.unpack_from('<5I', blob, 4)
        self.strings = blob[self.head + strings_at:self.head + strings_at + strings_len]
        self.blob, self.at, self.named = blob, [0], {}
        at, end = self.head + self.types_at, self.head + self.types_at + self.types_len
        while at + 12 <= end:
            name, info = struct.unpack_from('<II', blob, at)
            kind = info >> 24 & 31
            if kind in (4, 5) and name:
                self.named.setdefault(self.string(name), len(self.at))
            self.at.append(at)
            at += 12 + 4 * (self.WORDS.get(kind, 0) + self.PER.get(kind, 0) * (info & 0xffff))

    def string(self, offset):
        return self.strings[offset:self.strings.index(b'\0', offset)].decode()

    def type(self, number):
        at = self.at[number]
        name, info, size = struct.unpack_from('<III', self.blob, at)
        return name, info, size, at

    def strip(self, number):
        while number:
            _, info, size, _ = self.type(number)
            if info >> 24 & 31 not in (8, 9, 10, 11, 18):  # typedef, volatile, const, restrict, tag
                break
            number = size
        return number

    def size(self, number):
        number = self.strip(number)
        _, info, size, at = self.type(number)
        kind = info >> 24 & 31
        if kind == 2:
            return 8
        if kind == 3:
            element, _, count = struct.unpack_from('<III', self.blob, at + 12)
            return self.size(element) * count
        return size if kind in (1, 4, 5, 6, 16, 19) else 0

    def members(self, number, deep=4):
        """(path, bit offset, type) of a structure's members, those inside of members too."""
        _, info, _, at = self.type(number)
        for i in range(info & 0xffff):
            name, kind_of, bits = struct.unpack_from('<III', self.blob, at + 12 + 12 * i)
            bits &= 0xffffff if info >> 31 else 0xffffffff
            inner = self.strip(kind_of)
            path = self.string(name)
            if path:
                yield path, bits, inner
            if inner and deep and self.type(inner)[1] >> 24 & 31 in (4, 5):
                for inside, more, found in self.members(inner, deep - 1):
                    yield path + '.' + inside if path else inside, bits + more, found

    def fields(self, name):
        found = {}
        for path, bits, number in self.members(self.named[name]) if name in self.named else ():
            target = None
            if number and self.type(number)[1] >> 24 & 31 == 2:
                pointed = self.strip(self.type(number)[2])
                if pointed and self.type(pointed)[1] >> 24 & 31 in (4, 5):
                    target = self.string(self.type(pointed)[0])
            found.setdefault(path, (bits // 8, max(1, min(self.size(number) if number else 8, 4096)), target))
        return found


def fields_read(path):
    """What vmifs reads of which structure, from the table of its layouts, which is in several files."""
    names, wanted, text = {}, {}, ''
    for part in sorted(os.listdir(os.path.dirname(path))):
        if part.endswith('.def'):
            with open(os.path.join(os.path.dirname(path), part), encoding='utf-8') as file:
                text += file.read()
    for pattern in (r'STRUCT', r'FIELD'):  # all structures first
        for line in text.splitlines():
            if not line.startswith(pattern):
                continue
            if found := re.match(r'STRUCT\((\w+), "([^"]+)"', line):
                names[found[1]] = found[2].split('|')
            elif found := re.match(r'FIELD\((\w+), \w+, "([^"]+)"', line):
                for name in names[found[1]]:
                    wanted.setdefault(name, set()).update(found[2].split('|'))
    return wanted
