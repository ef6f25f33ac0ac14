#!/usr/bin/env python3
# SPDX-License-Identifier: LGPL-2.1-or-later
"""seeds: fuzzing inputs as text that a person can read and a diff can show.

    seeds.py SEED.seed > INPUT       text to bytes
    seeds.py --keep INPUT > S.seed   bytes (a crash that libFuzzer left) to text

Files of a seed folder that end in .seed are in this format; all others are inputs as they stand
(parsers of text). A line of a .seed file is any number of these words:

    # comment       to the end of the line
    9f eb 0100      bytes in hex
    "text\\0"        bytes as they are; C escapes
    u8:N u16:N u32:N u64:N   little-endian numbers: decimal, 0x.., negative
    b16:N b32:N b64:N        the same, big-endian
    @name           marks this place
    u32:name        the offset of a mark in the input
    u32:b-a         the distance between two marks
    zero:N          N zero bytes
    fill:N:BB       N bytes of that value (hex)
    align:N         zero bytes up to a multiple of N
"""
import ast
import re
import sys

WORD = re.compile(r'\s*(#.*|"(?:[^"\\]|\\.)*"|[^\s"]+)')
NUMBER = re.compile(r'-?(0x[0-9a-fA-F]+|\d+)$')


def words(text):
    for number, line in enumerate(text.splitlines(), 1):
        at = 0
        while line[at:].strip():
            match = WORD.match(line, at)
            if not match:
                raise ValueError(f'line {number}: not understood: {line[at:]!r}')
            at = match.end()
            if not match[1].startswith('#'):
                yield number, match[1]


def value(text, marks):
    if NUMBER.match(text):
        return int(text, 0)
    end, minus, start = text.partition('-')
    return marks[end] - (marks[start] if minus else 0)


def compile_seed(text):
    out = bytearray()
    marks = {}
    later = []
    for line, word in words(text):
        try:
            kind, colon, rest = word.partition(':')
            if word[0] == '"':
                out += ast.literal_eval('b' + word)
            elif word[0] == '@':
                marks[word[1:]] = len(out)
            elif not colon:
                out += bytes.fromhex(word)
            elif kind in ('u8', 'u16', 'u32', 'u64', 'b16', 'b32', 'b64'):
                size = int(kind[1:]) // 8
                later.append((line, len(out), size, 'little' if kind[0] == 'u' else 'big', rest))
                out += bytes(size)
            elif kind == 'zero':
                out += bytes(int(rest, 0))
            elif kind == 'fill':
                count, _, byte = rest.partition(':')
                out += bytes([int(byte, 16)]) * int(count, 0)
            elif kind == 'align':
                out += bytes(-len(out) % int(rest, 0))
            else:
                raise ValueError('unknown word')
        except (ValueError, SyntaxError) as error:
            raise ValueError(f'line {line}: {word}: {error}') from error
    for line, at, size, order, text_value in later:
        try:
            number = value(text_value, marks)
        except KeyError as error:
            raise ValueError(f'line {line}: no mark {error}') from error
        out[at:at + size] = (number % (1 << 8 * size)).to_bytes(size, order)
    return bytes(out)


def keep(data):
    lines = []
    for at in range(0, len(data), 16):
        row = data[at:at + 16]
        shown = ''.join(chr(b) if 0x20 < b < 0x7f else '.' for b in row)
        lines.append(f'{row.hex(" "):<47}  # {at:#06x} {shown}')
    return '\n'.join(lines) + '\n'


def main():
    if len(sys.argv) == 3 and sys.argv[1] == '--keep':
        with open(sys.argv[2], 'rb') as file:
            sys.stdout.write(keep(file.read()))
    elif len(sys.argv) == 2 and not sys.argv[1].startswith('-'):
        with open(sys.argv[1], encoding='utf-8') as file:
            sys.stdout.buffer.write(compile_seed(file.read()))
    else:
        sys.exit(__doc__)


if __name__ == '__main__':
    main()
