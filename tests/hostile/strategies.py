# SPDX-License-Identifier: LGPL-2.1-or-later
#
# The ways to spoil a guest's memory.  Each takes the targets and a source of chance, and pokes.

import struct

from image import PAGE

strategies = []
TEXTS = (b'a/b', b'..', b'.', b'', b'x\ny 1\n', b'\x1b[2J\x1b]0;x\x07', b'\xff\xfe\x80', b'%s%n', b'\\', b'A' * 255,
         b' ', b'-', b'a\tb', b'\r')
FLAGS = 0x067  # present, writable, user, accessed, dirty


def strategy(function):
    strategies.append(function)
    return function


def number(t, r):
    """What someone who wants trouble would write where a number or a pointer stands."""
    pool, size = t.pool, t.image.size
    return r.choice((
        lambda: 0, lambda: 1, lambda: (1 << 64) - 1, lambda: 1 << 63, lambda: (1 << 63) - 1, lambda: (1 << 32) - 1,
        lambda: 1 << 31, lambda: 0x7fffffff, lambda: 1 << 47, lambda: (1 << 47) - PAGE, lambda: (1 << 64) - PAGE,
        lambda: (1 << 64) - r.randrange(1, 64), lambda: 1 << r.randrange(64), lambda: r.getrandbits(64),
        lambda: r.choice(pool), lambda: r.choice(pool), lambda: r.choice(pool) + r.randrange(-64, 64),
        lambda: r.choice(pool) | PAGE - 1, lambda: r.randrange(size), lambda: 0xdead000000000100,
        lambda: 0x8000000000000000, lambda: r.randrange(1 << 16), lambda: r.choice(t.nodes or [0]) | r.randrange(256),
        lambda: 10 << 20, lambda: 0xffff888000000000 + r.randrange(2 * size),
    ))() & (1 << 64) - 1


def some_field(t, r):
    """(address, length, address of the structure) of a member that vmifs reads."""
    while True:
        name = r.choice(sorted(t.objects))
        paths = sorted(path for path in t.wanted[name] if path in t.fields[name])
        if paths:
            offset, length, _ = t.fields[name][r.choice(paths)]
            va = r.choice(t.objects[name])
            return va + offset, length, va


def fields(t, r, count):
    for _ in range(count):
        at, length, _ = some_field(t, r)
        if length > 8 and r.random() < .5:
            t.image.store(at, r.choice(TEXTS).ljust(length, r.choice((b'\0', b'A', b'\x1b')))[:length])
        else:
            t.image.store(at, struct.pack('<Q', number(t, r))[:length] * (1 if length <= 8 else length // 8))


@strategy
def one_member(t, r):
    fields(t, r, 1)


@strategy
def some_members(t, r):
    fields(t, r, 20)


@strategy
def many_members(t, r):
    fields(t, r, 400)


@strategy
def one_member_of_all_of_a_kind(t, r):
    name = r.choice(sorted(t.objects))
    paths = sorted(path for path in t.wanted[name] if path in t.fields[name])
    if not paths:
        return
    offset, length, _ = t.fields[name][r.choice(paths)]
    value = number(t, r)
    for va in t.objects[name]:
        t.image.store(va + offset, struct.pack('<Q', value if r.random() < .7 else number(t, r))[:length])


@strategy
def pointers_cross(t, r):
    """Each to another object of the right kind, so that what is reached still makes sense."""
    for _ in range(r.choice((1, 10, 200))):
        name = r.choice(sorted(t.objects))
        links = sorted((path, target) for path, (_, _, target) in t.fields[name].items() if target in t.objects)
        if links:
            path, target = r.choice(links)
            va = r.choice(t.objects[name])
            t.image.store(va + t.fields[name][path][0], struct.pack('<Q', r.choice(t.objects[target])))


@strategy
def lists_bite_their_tail(t, r):
    """A head of a list that is its own next, or the next of another, with back pointers that agree."""
    for _ in range(r.choice((1, 5, 50))):
        name, path = r.choice(t.paths_that_end(('next', 'first')))
        offset = t.fields[name][path][0]
        a, b = r.choice(t.objects[name]) + offset, r.choice(t.objects[name]) + offset
        t.image.store(a, struct.pack('<Q', b))
        if r.random() < .7:
            t.image.store(b + 8, struct.pack('<Q', a))


@strategy
def trees_that_cycle(t, r):
    """Red-black trees of mounts, of what is polled, of whatever comes: children that are their parents."""
    found = t.paths_that_end(('rb_left', 'rb_right', 'rb_node', 'rb_leftmost'))
    for _ in range(r.choice((1, 5, 50)) if found else 0):
        name, path = r.choice(found)
        at = r.choice(t.objects[name]) + t.fields[name][path][0]
        other, there = r.choice(found)
        target = r.choice(t.objects[other]) + t.fields[other][there][0]
        t.image.store(at, struct.pack('<Q', r.choice((target, target - 8, target - 16, at, number(t, r)))))


@strategy
def sockets(t, r):
    """Chains of the tables of connections that lead round, or to what is no socket; tables of any size."""
    socks = t.objects.get('sock_common', [])
    for name in ('inet_hashinfo', 'udp_table'):
        for va in t.objects.get(name, ()):
            known = t.btf.fields(name)
            path = 'ehash' if name == 'inet_hashinfo' else 'hash'
            table = t.pointer(va + known[path][0])
            for _ in range(r.choice((1, 30, 400))):
                target = r.choice(socks or [0]) + r.choice((0, 8, 104, 112))
                t.image.store(table + 8 * r.randrange(2048), struct.pack('<Q', r.choice((target, target | 1, 1, table))))
            if r.random() < .3:
                mask = r.choice([path for path in known if path.endswith('mask')])
                t.image.store(va + known[mask][0], struct.pack('<I', r.choice((0xffffffff, 1 << 30, 0, 1 << 20))))
    for va in socks:
        for at in (0, 8, 104, 112):
            if r.random() < .3:
                t.image.store(va + at, struct.pack('<Q', r.choice(socks) + r.choice((0, 8, 104, 112))))


@strategy
def stacks(t, r):
    for base in t.stacks if r.random() < .5 else r.sample(t.stacks, min(3, len(t.stacks))):
        for _ in range(r.choice((1, 50, 500))):
            value = r.choice((number(t, r), base + r.randrange(1 << 14), t.symbols['schedule'] + r.randrange(1 << 20)))
            t.image.store(base + 8 * r.randrange(2048), struct.pack('<Q', value & (1 << 64) - 1))


@strategy
def tables_of_frames(t, r):
    """ORC: what tells how large each frame is."""
    for start, end in (('__start_orc_unwind', '__stop_orc_unwind'), ('__start_orc_unwind_ip', '__stop_orc_unwind_ip'),
                       ('orc_lookup', 'orc_lookup_end')):
        length = t.symbols.get(end, 0) - t.symbols.get(start, 0)
        for _ in range(r.choice((0, 100, 3000)) if length > 8 else 0):
            t.image.store(t.symbols[start] + r.randrange(length - 8), r.choice((r.randbytes(4), bytes(4), b'\xff' * 4)))


@strategy
def private_data(t, r):
    """What is behind files that are no sockets: timers, pollers, watches."""
    for _ in range(r.choice((10, 300))):
        t.image.store(r.choice(t.private) + 8 * r.randrange(64), struct.pack('<Q', number(t, r)))


@strategy
def descriptions_of_pages(t, r):
    """struct page: what smaps counts by."""
    base = t.pointer(t.symbols['vmemmap_base']) if 'vmemmap_base' in t.symbols else 0
    for _ in range(r.choice((10, 3000)) if base else 0):
        at = base + 64 * r.randrange(t.image.size // PAGE) + 8 * r.randrange(8)
        t.image.store(at, struct.pack('<Q', r.choice((number(t, r), base | 1, at | 1))))


@strategy
def maple_nodes(t, r):
    for _ in range(r.choice((1, 10, 100))):
        node, other = r.choice(t.nodes or [0]), r.choice(t.nodes or [0])
        value = r.choice((node | 0x1e, other | 0x1e, other | 0x0e, other | 0x16, node | 0x0e, other, number(t, r)))
        t.image.store(node + 8 * r.randrange(32), struct.pack('<Q', value))


@strategy
def dentries_in_circles(t, r):
    all_of = t.objects.get('dentry', [])
    offset = t.fields['dentry']['d_parent'][0]
    for va in all_of if r.random() < .5 else r.sample(all_of, min(5, len(all_of))):
        t.image.store(va + offset, struct.pack('<Q', r.choice(all_of)))


@strategy
def texts(t, r):
    """Names: of tasks, files, modules, resources, file systems."""
    for _ in range(r.choice((5, 50, 300))):
        name = r.choice([name for name in ('task_struct', 'dentry', 'module', 'resource', 'file_system_type', 'mount',
                                           'uts_namespace', 'printk_info') if name in t.objects])
        va, text = r.choice(t.objects[name]), r.choice(TEXTS) + b'\0' * r.randrange(2)
        known = t.fields[name]
        if name in ('task_struct', 'module'):
            offset, length, _ = known['comm' if name == 'task_struct' else 'name']
            t.image.store(va + offset, text.ljust(length, b'A') if r.random() < .5 else text[:length])
        elif name == 'uts_namespace':
            path = r.choice([path for path in known if path.startswith('name.')])
            t.image.store(va + known[path][0], text)
        else:
            for path in ('d_name.name', 'name', 'mnt_devname'):
                if path in known:
                    t.image.store(t.pointer(va + known[path][0]), text)
        if name == 'dentry':
            length = r.choice((len(text), 0, 4096, 4095, 0xffffffff))
            t.image.store(va + known['d_name.len'][0], struct.pack('<I', length))


@strategy
def arguments(t, r):
    known = t.fields['mm_struct']
    for va in t.objects['mm_struct']:
        for start, end in (('arg_start', 'arg_end'), ('env_start', 'env_end')):
            at = t.pointer(va + known[start][0])
            at += r.choice((10 << 20, -10, -1 << 40, 1 << 46))
            t.image.store(va + known[end][0], struct.pack('<Q', at & (1 << 64) - 1))
            if r.random() < .2:
                t.image.store(va + known[start][0], struct.pack('<Q', number(t, r)))


@strategy
def entries_of_tables(t, r):
    for _ in range(r.choice((1, 20, 500))):
        table, level = r.choice(t.tables)
        other = r.choice(t.tables)[0]
        entry = r.choice((table | FLAGS, t.image.root | FLAGS, other | FLAGS, other | FLAGS | 0x80, r.getrandbits(64),
                          r.getrandbits(64) | 1, 0, (1 << 52) - PAGE | FLAGS, t.image.size - PAGE | FLAGS | 1 << 63))
        t.image.poke(table + 8 * r.randrange(512), struct.pack('<Q', entry))


@strategy
def everything_mapped_by_four_tables(t, r):
    """A process with 128 TiB, or the kernel's half, every entry to the same table below."""
    root = r.choice(t.roots)
    tables = r.sample([table for table, level in t.tables if level == 1], t.image.levels - 1)
    half = 256 if root == t.image.root or r.random() < .3 else 0
    leaf = r.choice((FLAGS, 0, 0x8000000000000000 | FLAGS))
    t.image.poke(root + 8 * half, struct.pack('<Q', tables[0] | FLAGS) * (255 if half else 256))
    for above, below in zip(tables, tables[1:]):
        t.image.poke(above, struct.pack('<Q', below | FLAGS) * 512)
    if r.random() < .7:  # holes and pages in turn are what costs most to list
        t.image.poke(tables[-1], (struct.pack('<Q', 0x100000 | leaf) + bytes(8)) * 256)


@strategy
def tables_that_are_their_own(t, r):
    for root in t.roots if r.random() < .3 else [r.choice(t.roots)]:
        start = 0 if root != t.image.root else 256
        for i in range(start, 512 if r.random() < .2 else start + 200):
            if t.image.u64(root + 8 * i) == 0 or r.random() < .1:
                t.image.poke(root + 8 * i, struct.pack('<Q', root | FLAGS))


@strategy
def tables_of_symbols(t, r):
    if not t.tokens:
        return
    low, high = t.kallsyms
    for _ in range(r.choice((1, 20, 1000))):
        at = r.choice((t.tokens + r.randrange(-256, 2048), t.tokens + r.randrange(2048), r.randrange(low, high)))
        t.image.poke(at, r.choice((b'\xff', b'\0', b'/', b'\n', b'\x1b', b'\x80', r.randbytes(1), r.randbytes(8))))


@strategy
def counts_of_symbols(t, r):
    for at in t.counts:
        t.image.poke(at, struct.pack('<Q', r.choice((1, 0, 0x7fffffff, 0xffffffff, 1 << 22, number(t, r),
                                                     struct.unpack('<Q', t.image.read(at, 8))[0] + r.randrange(-9, 9)))
                                     & (1 << 64) - 1))


@strategy
def names_of_symbols(t, r):
    """Tokens that spell what no name should have."""
    if t.tokens:
        data = t.image.read(t.tokens, 1200)
        for _ in range(r.choice((1, 3, 30))):
            at = r.randrange(1200)
            if data[at]:
                t.image.poke(t.tokens + at, r.choice((b'/', b'\n', b'\x1b', b'.', b' ', b'\xff')))


@strategy
def types(t, r):
    head = t.btf
    for _ in range(r.choice((1, 10, 200, 3000))):
        at = r.choice(head.at[1:])
        own = r.randrange(1, len(head.at))
        what, where = r.choice((
            (struct.pack('<I', own), r.choice((0, 8, 12, 16, 20))),
            (struct.pack('<I', r.getrandbits(5) << 24 | 0xffff), 4),
            (struct.pack('<I', 0xffffffff), r.choice((0, 8, 12, 16, 20))), (r.randbytes(4), 4), (r.randbytes(12), 0),
            (struct.pack('<I', r.getrandbits(30)), 8)))
        t.image.store(t.btf_at + at + where, what)


@strategy
def types_that_are_their_own(t, r):
    """Typedefs, pointers, arrays and structures that lead to themselves or to each other."""
    chosen = r.sample(range(1, len(t.btf.at)), r.choice((50, 5000)))
    for number_of in chosen:
        _, info, _, at = t.btf.type(number_of)
        kind = info >> 24 & 31
        target = r.choice((number_of, chosen[0], r.choice(chosen)))
        if kind in (2, 8, 9, 10, 11, 18):
            t.image.store(t.btf_at + at + 8, struct.pack('<I', target))
        elif kind == 3:
            t.image.store(t.btf_at + at + 12, struct.pack('<III', target, target, r.choice((1, 0xffffffff, 512))))
        elif kind in (4, 5) and info & 0xffff:
            t.image.store(t.btf_at + at + 12 + 4, struct.pack('<I', target))


@strategy
def structures_to_misread(t, r):
    """Members that vmifs knows, moved."""
    for _ in range(r.choice((1, 5, 40))):
        number_of = t.btf.named.get(r.choice(sorted(t.fields)))
        if number_of:
            _, info, _, at = t.btf.type(number_of)
            member = r.randrange(max(1, info & 0xffff))
            offset = r.choice((0, 0xffffff, 0xffffffff, r.getrandbits(14)))
            where, value = r.choice(((8, offset), (4, r.randrange(len(t.btf.at)))))
            t.image.store(t.btf_at + at + 12 + 12 * member + where, struct.pack('<I', value))
            if r.random() < .2:
                t.image.store(t.btf_at + at + 8, struct.pack('<I', number(t, r) & 0xffffffff))


@strategy
def head_of_types(t, r):
    t.image.store(t.btf_at + r.randrange(24), struct.pack('<Q', number(t, r))[:r.choice((1, 4))])


@strategy
def note(t, r):
    if t.note is None:
        return
    data = bytearray(t.image.read(t.note, PAGE))
    for _ in range(r.choice((1, 5, 50))):
        line = data.find(b'\n', r.randrange(24, 3000))
        at = r.choice((r.randrange(24), r.randrange(3000), line, line - 1, line - 2))
        what = r.choice((b'\n', b'=', b'f', b'0', b'-', b'ffffffffffffffff', r.randbytes(1), b'\0', b'\x1b'))
        data[at:at + len(what)] = what
    t.image.poke(t.note, bytes(data[:PAGE]))


@strategy
def ring(t, r):
    for _ in range(r.choice((1, 30, 1000))):
        va, length = r.choice(t.ring) if t.ring else (0, 1)
        what = r.choice((r.randbytes(8), b'\xff' * 8, b'\x1b[31m\n<0', bytes(8)))
        t.image.store(va + (r.randrange(length) & ~7), what)


@strategy
def resources(t, r):
    known = t.fields['resource']
    for _ in range(r.choice((1, 10))):
        va = r.choice(t.objects['resource'])
        path = r.choice(('child', 'sibling', 'parent', 'name', 'start', 'end'))
        value = r.choice((va, r.choice(t.objects['resource']), number(t, r)))
        t.image.store(va + known[path][0], struct.pack('<Q', value))


@strategy
def bytes_of_objects(t, r):
    for _ in range(r.choice((1, 100, 5000))):
        t.image.store(r.choice(t.pool) + r.randrange(1024), r.randbytes(r.choice((1, 8))))


@strategy
def pages(t, r):
    """Lost, filled, swapped, doubled."""
    count = t.image.size // PAGE
    for _ in range(r.choice((5, 500, 3000))):
        at = r.choice((r.randrange(count), (t.image.pa(r.choice(t.pool)) or 0) // PAGE)) * PAGE
        t.image.poke(at, r.choice((bytes(PAGE), b'\xff' * PAGE, t.image.read(r.randrange(count) * PAGE, PAGE))))


@strategy
def image_cut_short(t, r):
    size = t.image.size
    t.image.resize(r.choice((r.randrange(size), size - PAGE, size - 1, PAGE, r.randrange(PAGE, 1 << 22))))


@strategy
def image_grown(t, r):
    t.image.resize(r.choice((t.image.size + 1, t.image.size + PAGE, t.image.size * 8, 1 << 42)))


def spare(t, r, length):
    """(kernel address, physical address) of memory to lay something out in, where nothing lies that leads
    there."""
    rooms = [(start, end - length) for start, end in t.gaps if end - length > start]
    if not rooms:
        return None, None
    pa = r.randrange(*r.choice(rooms)) & ~(PAGE - 1)
    va = t.pointer(t.symbols['page_offset_base']) + pa
    return (va, pa) if t.image.pa(va) == pa else (None, None)


@strategy
def crowd_of_tasks(t, r):
    """A ring of more tasks than there can be: nothing but links, one behind the other."""
    length = r.choice((1 << 20, 8 << 20))
    va, pa = spare(t, r, length)
    if va is None:
        return
    count = length // 16
    links = bytearray()
    for i in range(count):
        links += struct.pack('<QQ', va + (i + 1) % count * 16, va + (i - 1) % count * 16)
    offset = t.fields['task_struct']['tasks'][0]
    name, which = r.choice((('task_struct', 'tasks'), ('signal_struct', 'thread_head')))
    head = t.symbols['init_task'] + offset if which == 'tasks' else \
        r.choice(t.objects[name]) + t.fields[name][which][0]
    links[8:16] = struct.pack('<Q', head)
    links[-16:-8] = struct.pack('<Q', head)
    t.image.poke(pa, bytes(links))
    t.image.store(head, struct.pack('<QQ', va, va + (count - 1) * 16))


@strategy
def crowds_in_rings(t, r):
    """A list of any kind with more elements than there can be, and all that have such a list share it."""
    length = r.choice((1 << 20, 8 << 20))
    va, pa = spare(t, r, length)
    heads = [(name, path) for name, path in t.paths_that_end(('next', 'first')) if path.rpartition('.')[0] in t.wanted[name]]
    if va is None or not heads:
        return
    name, path = r.choice(heads)
    heads = [at + t.fields[name][path][0] for at in t.objects[name]]
    nodes = list(range(va, va + length, 16))
    step = len(nodes) // len(heads)
    for i, head in enumerate(heads):
        nodes.insert(i * (step + 1), head)
    links = bytearray(length)
    for before, node, after in zip(nodes[-1:] + nodes, nodes, nodes[1:] + nodes[:1]):
        if va <= node < va + length:
            struct.pack_into('<QQ', links, node - va, after, before)
        else:
            t.image.store(node, struct.pack('<QQ', after, before))
    t.image.poke(pa, bytes(links))


@strategy
def crowd_of_files(t, r):
    """A table of very many open files, all the same one or all different."""
    count = r.choice((1 << 16, 1 << 18))
    va, pa = spare(t, r, 8 * count)
    if va is None:
        return
    files = t.objects['file']
    if r.random() < .5:
        t.image.poke(pa, struct.pack('<Q', r.choice(files)) * count)
    else:
        t.image.poke(pa, b''.join(struct.pack('<Q', va + 8 * i) for i in range(count)))
    for table in r.sample(t.objects['fdtable'][1:], 3):  # the first is that of all threads of the kernel
        t.image.store(table + t.fields['fdtable']['fd'][0], struct.pack('<Q', va))
        t.image.store(table + t.fields['fdtable']['max_fds'][0], struct.pack('<I', r.choice((count, 1 << 24, 1 << 31))))


@strategy
def path_without_end(t, r):
    """Thousands of dentries, one the parent of the other, behind files that are open or mapped."""
    known = t.fields['dentry']
    step, count = 256, 1 << 14
    va, pa = spare(t, r, step * (count + 1))
    if va is None:
        return
    pattern = t.image.load(r.choice(t.objects['dentry']), step)
    last = r.choice((va, r.choice(t.objects['dentry'])))
    out = bytearray()
    for i in range(count):
        one = bytearray(pattern)
        struct.pack_into('<Q', one, known['d_parent'][0], va + step * (i + 1) if i + 1 < count else last)
        struct.pack_into('<Q', one, known['d_name.name'][0], va + step * count)
        struct.pack_into('<I', one, known['d_name.len'][0], r.choice((1, 200)))
        out += one
    t.image.poke(pa, bytes(out) + b'n' * step)
    for file in t.objects['file']:
        t.image.store(file + t.fields['file']['f_path.dentry'][0], struct.pack('<Q', va + step * r.randrange(count)))


@strategy
def crowd_of_records(t, r):
    """A printk ring as large as can be, every record a line."""
    bits = r.choice((12, 16))
    descs, pa = spare(t, r, 24 << bits)
    infos, pa_infos = spare(t, r, 88 << bits)
    if descs is None or infos is None or abs(pa - pa_infos) < 88 << bits:
        return
    known = t.fields['printk_ringbuffer']
    lost = r.random() < .5
    t.image.poke(pa, b''.join(struct.pack('<QQQ', 2 << 62 | i, 1 if lost else i * 8, 1 if lost else i * 8 + 0x8000)
                              for i in range(1 << bits)))
    t.image.poke(pa_infos, struct.pack('<QQHBBI', 1, 1, 0x7000, 0, 0, 0).ljust(88, b'x') * (1 << bits))
    for ring_at in t.objects['printk_ringbuffer']:
        for path, value, length in (('desc_ring.count_bits', bits, 4), ('desc_ring.descs', descs, 8),
                                    ('desc_ring.infos', infos, 8), ('desc_ring.head_id', (1 << bits) - 1, 8),
                                    ('desc_ring.tail_id', 0, 8), ('text_data_ring.size_bits', 28, 4),
                                    ('text_data_ring.data', descs, 8)):
            t.image.store(ring_at + known[path][0], struct.pack('<Q', value)[:length])


@strategy
def crowd_of_mappings(t, r):
    """A maple tree of all the mappings that fit, each of its own file."""
    known, nodes = t.fields['vm_area_struct'], t.fields['maple_node']
    size, leaves = 192, r.choice((1 << 10, 1 << 12))
    vmas, pa = spare(t, r, leaves * 15 * size)
    tree, pa_tree = spare(t, r, leaves * 256 * 2)
    if vmas is None or tree is None or not (pa + leaves * 15 * size <= pa_tree or pa_tree + leaves * 512 <= pa):
        return
    pivots, slots = nodes['mr64.pivot'][0], nodes['mr64.slot'][0]
    file = r.choice(t.objects['file'])
    out, number_of, level = bytearray(), 0, []
    body = bytearray()
    for leaf in range(leaves):
        node = bytearray(256)
        for i in range(15):
            start = 0x10000 + number_of * 0x2000
            struct.pack_into('<Q', node, pivots + 8 * i, start + 0x1fff)
            struct.pack_into('<Q', node, slots + 8 * i, vmas + number_of * size)
            vma = bytearray(size)
            struct.pack_into('<Q', vma, known['vm_start'][0], start)
            struct.pack_into('<Q', vma, known['vm_end'][0], start + 0x1000)
            struct.pack_into('<Q', vma, known['vm_file'][0], file + 8 * (number_of % 512))
            body += vma
            number_of += 1
        level.append((tree + 256 * leaf | 0x0c, 0x10000 + number_of * 0x2000 - 1))
        out += node
    t.image.poke(pa, bytes(body))
    at = leaves
    while len(level) > 1:
        above = []
        for first in range(0, len(level), 15):
            node = bytearray(256)
            for i, (entry, last) in enumerate(level[first:first + 15]):
                struct.pack_into('<Q', node, pivots + 8 * i, last)
                struct.pack_into('<Q', node, slots + 8 * i, entry)
            out += node
            above.append((tree + 256 * at | 0x14, level[first:first + 15][-1][1]))
            at += 1
        level = above
    t.image.poke(pa_tree, bytes(out))
    for mm in r.sample(t.objects['mm_struct'], r.choice((2, 6))):
        t.image.store(mm + t.fields['mm_struct']['mm_mt.ma_root'][0], struct.pack('<Q', level[0][0] | 2))
