# SPDX-License-Identifier: LGPL-2.1-or-later
#
# A profile (ISF JSON, as Volatility 3 reads it) of a kernel, made of its BTF, a list of its symbols and its banner:
# what dwarf2json would make of its DWARF, with the same turns: typedefs and qualifiers are gone into, what has no
# name is called after its number, members without a name are `anonymous`.

import base64
import json
import struct

INT, PTR, ARRAY, STRUCT, UNION, ENUM, FWD, TYPEDEF, VOLATILE, CONST, RESTRICT = range(1, 12)
FUNC_PROTO, VAR, DATASEC, FLOAT, DECL_TAG, TYPE_TAG, ENUM64 = range(13, 20)
SKIPPED = {TYPEDEF, VOLATILE, CONST, RESTRICT, TYPE_TAG}
TAIL = {INT: (4, 0), ARRAY: (12, 0), STRUCT: (0, 12), UNION: (0, 12), ENUM: (0, 8), FUNC_PROTO: (0, 8), VAR: (4, 0),
        DATASEC: (0, 12), DECL_TAG: (4, 0), ENUM64: (0, 12)}


class Btf:
    def __init__(self, blob):
        self.blob = blob
        head, types, types_len, strings = struct.unpack_from('<4xIIII', blob)
        self.strings = head + strings
        self.types = [(0, 0, 0, 0, 0, 0)]
        at, end = head + types, head + types + types_len
        while at < end:
            name, info, size = struct.unpack_from('<III', blob, at)
            kind, vlen, flag = info >> 24 & 0x1f, info & 0xffff, info >> 31
            self.types.append((name, kind, vlen, flag, size, at + 12))
            fixed, each = TAIL.get(kind, (0, 0))
            at += 12 + fixed + each * vlen

    def string(self, at):
        start = self.strings + at
        return self.blob[start:self.blob.index(b'\0', start)].decode()

    def plain(self, number):
        while self.types[number][1] in SKIPPED:
            number = self.types[number][4]
        return number

    def name(self, number):
        name = self.types[number][0]
        return self.string(name) if name else f'unnamed_{number:x}'

    def type(self, number):
        number = self.plain(number)
        _, kind, _, _, size, tail = self.types[number]
        if not number:
            return {'kind': 'base', 'name': 'void'}
        if kind in (INT, FLOAT):
            return {'kind': 'base', 'name': self.name(number)}
        if kind == PTR:
            return {'kind': 'pointer', 'subtype': self.type_behind(size)}
        if kind == ARRAY:
            elem, _, count = struct.unpack_from('<III', self.blob, tail)
            return {'count': count, 'kind': 'array', 'subtype': self.type(elem)}
        if kind in (STRUCT, UNION, FWD):
            return {'kind': 'union' if kind == UNION else 'struct', 'name': self.name(number)}
        if kind in (ENUM, ENUM64):
            return {'kind': 'enum', 'name': self.name(number)}
        return {'kind': 'function'}

    def type_behind(self, number):
        """Of a pointer: pointers to pointers end somewhere, those in a structure to itself by its name."""
        return self.type(number)

    def fields(self, number):
        _, _, vlen, flag, _, tail = self.types[number]
        fields = {}
        for i in range(vlen):
            name, kind, place = struct.unpack_from('<III', self.blob, tail + 12 * i)
            bits, place = (place >> 24, place & 0xffffff) if flag else (0, place)
            field = {'type': self.type(kind), 'offset': place // 8}
            if bits:
                unit = max(self.types[self.plain(kind)][4], 1)
                field['offset'] = place // 8 // unit * unit
                field['type'] = {'bit_length': bits, 'bit_position': place - field['offset'] * 8, 'kind': 'bitfield',
                                 'type': field['type']}
            if not name:
                field['anonymous'] = True
            fields[self.string(name) if name else f'unnamed_field_{i:x}'] = field
        return fields

    def constants(self, number):
        _, kind, vlen, flag, _, tail = self.types[number]
        values = {}
        for i in range(vlen):
            if kind == ENUM:
                name, value = struct.unpack_from('<Ii' if flag else '<II', self.blob, tail + 8 * i)
            else:
                name, value = struct.unpack_from('<Iq' if flag else '<IQ', self.blob, tail + 12 * i)
            values[self.string(name)] = value
        return values


def make(blob, symbols, banner, out, indent=None):
    """symbols: (name, address) as they were linked; out: a file open for text."""
    btf = Btf(blob)
    base = {'void': {'size': 0, 'signed': False, 'kind': 'void', 'endian': 'little'},
            'pointer': {'size': 8, 'signed': False, 'kind': 'int', 'endian': 'little'}}
    user, enums = {}, {}
    for number, (_, kind, _, _, size, _) in enumerate(btf.types):
        name = btf.name(number)
        if kind in (INT, FLOAT):
            base[name] = {'size': size, 'signed': True, 'kind': 'int', 'endian': 'little'}
        elif kind in (STRUCT, UNION) and name not in user:
            user[name] = {'size': size, 'fields': btf.fields(number), 'kind': 'struct' if kind == STRUCT else 'union'}
        elif kind in (ENUM, ENUM64) and name not in enums:
            enums[name] = {'size': size, 'base': 'unsigned int', 'constants': btf.constants(number)}
    table = {name: {'type': {'kind': 'base', 'name': 'void'}, 'address': address} for name, address in symbols}
    table['linux_banner']['constant_data'] = base64.b64encode(banner.encode() + b'\n\0').decode()
    out.write(json.dumps({'metadata': {'format': '6.2.0', 'producer': {'name': 'vmifs tests', 'version': '1'}}, 'base_types': base,
               'user_types': user, 'enums': enums, 'symbols': table}, indent=indent))
