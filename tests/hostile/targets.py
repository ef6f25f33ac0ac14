# SPDX-License-Identifier: LGPL-2.1-or-later
#
# What in a guest's memory is worth hitting: the structures that vmifs reads, found by following pointers
# from the kernel's own symbols, and the tables that everything else is found by.

import os
import re
import struct

from image import ADDRESS, PAGE, PRESENT, LARGE, Btf, fields_read

# Lists that lead from one structure to the next of the same kind.
RINGS = {'task_struct': ('tasks',), 'module': ('list',)}
MOST = 400  # objects of a kind


class Targets:
    def __init__(self, image, mount, layout):
        """mount: where the untouched image is mounted; layout: path of the table of layouts."""
        self.image, self.symbols, self.info = image, {}, {}
        with open(mount + '/kallsyms', encoding='latin-1') as file:
            for line in file:
                address, _, name = line.split()[:3]
                self.symbols.setdefault(name, int(address, 16))
        with open(mount + '/info', encoding='latin-1') as file:
            for line in file:
                key, _, value = line.rstrip('\n').partition(': ')
                self.info.setdefault(key, value)
        image.root = int(self.info['root'], 16)
        image.levels = int(re.search(r'([45])-level', self.info['paging'])[1])
        self.find_btf()
        self.wanted = fields_read(layout)
        self.fields, self.objects, self.nodes, self.private, self.stacks = {}, {}, [], [], []
        for name in self.wanted:
            known = self.btf.fields(name)
            if known:
                self.fields[name] = known
        self.crawl()
        self.pool = [va for found in self.objects.values() for va in found]
        self.find_tables()
        self.find_gaps()
        self.find_kallsyms()
        self.find_ring()
        note = re.search(r'VMCOREINFO at (0x[0-9a-f]+)', ' '.join(self.info.values()))
        self.note = int(note[1], 16) if note else None

    def find_btf(self):
        start, stop = self.symbols['__start_BTF'], self.symbols['__stop_BTF']
        self.btf_at = start
        self.btf = Btf(self.image.load(start, stop - start))

    def pointer(self, va):
        return struct.unpack('<Q', self.image.load(va, 8))[0]

    def crawl(self):
        queue = [(name, self.symbols[symbol]) for name, symbol in (
            ('task_struct', 'init_task'), ('resource', 'iomem_resource'), ('pid_namespace', 'init_pid_ns'),
            ('uts_namespace', 'init_uts_ns'), ('mm_struct', 'init_mm'), ('net', 'init_net'),
            ('inet_hashinfo', 'tcp_hashinfo'), ('udp_table', 'udp_table'), ('cgroup_root', 'cgrp_dfl_root'))
                 if symbol in self.symbols and name in self.fields]
        if 'modules' in self.symbols:
            first = self.pointer(self.symbols['modules'])
            queue.append(('module', first - self.fields['module']['list'][0]))
        if 'prb' in self.symbols:
            queue.append(('printk_ringbuffer', self.pointer(self.symbols['prb'])))
        seen = set()
        if 'modules' in self.symbols:  # the ring's head is no module
            seen.add(('module', self.symbols['modules'] - self.fields['module']['list'][0]))
        while queue:
            name, va = queue.pop(0)
            if va < 1 << 63 or (name, va) in seen or len(self.objects.get(name, ())) >= MOST:
                continue
            if self.image.pa(va) is None:
                continue
            seen.add((name, va))
            self.objects.setdefault(name, []).append(va)
            fields = self.fields[name]
            for path, (offset, _, target) in fields.items():
                if target in self.fields:
                    queue.append((target, self.pointer(va + offset)))
            for ring in RINGS.get(name, ()):
                if ring in fields:
                    queue.append((name, self.pointer(va + fields[ring][0]) - fields[ring][0]))
            if name == 'fdtable':
                table = self.pointer(va + fields['fd'][0])
                queue += [('file', self.pointer(table + 8 * i)) for i in range(16)]
            if name == 'mm_struct' and 'mm_mt' in fields:
                queue += self.maple(self.pointer(va + fields['mm_mt.ma_root'][0]))
            if name == 'vfsmount' and 'mount' in self.fields:
                queue.append(('mount', va - self.fields['mount']['mnt'][0]))
            if name == 'file':
                queue += self.behind(va)
            if name == 'task_struct' and 'stack' in fields:
                self.stacks.append(self.pointer(va + fields['stack'][0]))

    def behind(self, file):
        """What a file's private data is: a socket, if that says so; else something of which only the place is
        known."""
        known = self.btf.fields('file')
        private = self.pointer(file + known['private_data'][0])
        if private < 1 << 63:
            return []
        socket = self.btf.fields('socket')
        if 'socket' not in self.fields or self.pointer(private + socket['file'][0]) != file:
            self.private.append(private)
            return []
        sock = self.pointer(private + socket['sk'][0])
        return [('socket', private)] + [(name, sock) for name in ('sock', 'sock_common', 'inet_sock', 'tcp_sock',
                                                                  'unix_sock') if name in self.fields]

    def maple(self, root):
        """The mappings that the nodes of a tree lead to; the nodes are kept."""
        found, stack = [], [root]
        while stack and len(self.nodes) < 4 * MOST:
            entry = stack.pop()
            if entry & 3 != 2 or entry < PAGE:
                continue
            node, kind = entry & ~0xff, entry >> 3 & 15
            slots = self.fields['maple_node']['ma64.slot' if kind == 3 else 'mr64.slot']
            self.nodes.append(node)
            for i in range(slots[1] // 8):
                slot = self.pointer(node + slots[0] + 8 * i)
                if kind == 1 and slot >> 47 == 0x1ffff:
                    found.append(('vm_area_struct', slot))
                elif kind in (2, 3):
                    stack.append(slot)
        return found

    def find_tables(self):
        """Physical addresses of page tables by their level, of the kernel and of processes."""
        self.tables = []
        pgd = self.fields['mm_struct']['pgd'][0]
        roots = [self.image.root]
        for mm in self.objects.get('mm_struct', ()):
            pa = self.image.pa(self.pointer(mm + pgd))
            if pa is not None:
                roots.append(pa & ~0xfff)
        self.roots = roots
        for root in roots[:8]:
            level, tables = self.image.levels, [root]
            while level and tables:
                self.tables += [(table, level) for table in tables]
                below = []
                for table in tables[:32]:
                    for entry in struct.unpack('<512Q', self.image.read(table, PAGE).ljust(PAGE, b'\0')):
                        if entry & PRESENT and (level == self.image.levels or not entry & LARGE):
                            pa = entry & ADDRESS
                            if pa + PAGE <= self.image.size:
                                below.append(pa)
                tables, level = below[:64] if level > 1 else [], level - 1

    def find_gaps(self):
        """(start, end) of physical memory above the first MiB, where no table lies and nothing that was found."""
        used = {table for table, _ in self.tables} | {self.image.pa(va) or 0 for va in self.pool}
        used |= {self.image.pa(va) or 0 for va in range(self.symbols['_text'], self.symbols['_end'], PAGE)}
        pages = sorted({at & ~0xfff for at in used if at >= 1 << 20} | {1 << 20, self.image.size & ~0xfff})
        self.gaps = [(start + PAGE, end) for start, end in zip(pages, pages[1:])]

    def find_kallsyms(self):
        """Where the tables of symbols lie: around the tokens; their count stands there as well."""
        tokens = re.search(r'tokens at (0x[0-9a-f]+)', self.info.get('symbols found by', ''))
        self.tokens = int(tokens[1], 16) if tokens else None
        self.counts = []
        if self.tokens:
            self.kallsyms = max(0, self.tokens - (3 << 20)), self.tokens + (2 << 20)
            count = re.match(r'.*?([0-9]+) symbols', self.info['symbols found by'])
            data = self.image.read(self.kallsyms[0], self.kallsyms[1] - self.kallsyms[0])
            word = struct.pack('<Q', int(count[1]))
            at = data.find(word)
            while at >= 0:
                self.counts.append(self.kallsyms[0] + at)
                at = data.find(word, at + 1)

    def find_ring(self):
        """(address, length) of the parts of the kernel's log."""
        self.ring = []
        for va in self.objects.get('printk_ringbuffer', ()):
            at = {path: va + self.fields['printk_ringbuffer'][path][0] for path in
                  ('desc_ring.count_bits', 'desc_ring.descs', 'desc_ring.infos',
                   'text_data_ring.size_bits', 'text_data_ring.data')}
            count = 1 << min(20, self.pointer(at['desc_ring.count_bits']) & 0xff)
            text = 1 << min(24, self.pointer(at['text_data_ring.size_bits']) & 0xff)
            self.ring += [(self.pointer(at['desc_ring.descs']), count * 24),
                          (self.pointer(at['desc_ring.infos']), count * 88),
                          (self.pointer(at['text_data_ring.data']), text)]

    def paths_that_end(self, words):
        """(structure, member) of those that were found and have such a member."""
        return sorted((name, path) for name in self.objects for path in self.fields[name]
                      if path.rpartition('.')[2] in words)

    def report(self):
        kinds = ', '.join(f'{len(found)} {name}' for name, found in sorted(self.objects.items()))
        return (f'{kinds}; {len(self.nodes)} maple nodes, {len(self.tables)} page tables, '
                f'{len(self.counts)} counts of symbols, note {self.note}')
