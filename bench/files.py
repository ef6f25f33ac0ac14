# SPDX-License-Identifier: LGPL-2.1-or-later
#
# Reads of memory files, each against the bare image file read the same way a moment before.

import contextlib
import os
import statistics
import struct
import subprocess
import time

import isf
import table
from images import write_elf, write_lime, write_without_types
from mountlib import Failed, MiB, folder, in_work, info, memory_beyond, mounted, output, unmount, wait_until
from table import Cost, children_clock, head, plain, process_clock, row

TOUCHED = 0x100000000000  # where the guest's process has its small pages
START = 16 * MiB  # of what is read of memory: plain RAM in every guest
SIZES = (('4 KiB', 4096), ('128 KiB', MiB // 8), ('1 MiB', MiB))


def io(run, pid, *words):
    """One run of bench-io; with the server's processor time."""
    before = process_clock(pid)
    text = output(run.io, *map(str, words))
    wall, cpu, calls, _ = map(int, text.split())
    return Cost(wall / 1e9, cpu / 1e9, process_clock(pid) - before, calls)


@contextlib.contextmanager
def settled(source, **how):
    """A mount whose guests are known: what goes on behind it has ended. mount.guest: the first of them."""
    with mounted(source, **how) as mount:
        guests = [f'{mount.path}/{name}' for name in sorted(os.listdir(mount.path)) if name != '.vmifs']
        mount.guest = guests[0]
        for guest in guests:
            wait_until(lambda path=guest: 'ended' in info(path)['discovery'][0], 'discovery ends', seconds=60)
        mount.server = mount.pid()
        yield mount


def pairs(run, pid, mine, bare):
    """Interleaved rounds of two lists of words for bench-io."""
    costs, bares = [], []
    for _ in range(run.rounds):
        bares.append(io(run, None, *bare))
        costs.append(io(run, pid, *mine))
    return costs, bares


def compare(run, name, pid, mine, bare, **how):
    row(name, *pairs(run, pid, mine, bare), **how)


@contextlib.contextmanager
def empty(run):
    """A FUSE server that has the image's bytes in memory and does nothing but answer."""
    path = folder()
    server = subprocess.Popen([run.empty, run.image, path])
    try:
        wait_until(lambda: os.path.exists(path + '/pmem'), 'the empty server answers')
        yield path + '/pmem', server.pid
    finally:
        unmount(path)
        server.wait(10)


@contextlib.contextmanager
def one_processor(pid):
    """Readers and server on one processor, so that no call waits for another to wake from its sleep."""
    mine, threads = os.sched_getaffinity(0), [int(name) for name in os.listdir(f'/proc/{pid}/task')]
    theirs = os.sched_getaffinity(pid)
    for one in [0, *threads]:
        os.sched_setaffinity(one, [min(mine)])
    try:
        yield
    finally:
        os.sched_setaffinity(0, mine)
        for thread in threads:
            os.sched_setaffinity(thread, theirs)


# Attach -------------------------------------------------------------------------------------------

def attach_once(run, image, *options, cache='none'):
    """From nothing, but for what is kept there, to the name of every process."""
    path = folder()
    comm = os.path.join(path, '*', 'procs', '*', 'comm')
    start, before = time.perf_counter(), children_clock()
    output('sh', '-c', f'{run.vmifs} -o {",".join([f"cache={cache}", *options])} {image} {path} && cat {comm} >/dev/null')
    wall, cpu = time.perf_counter() - start, children_clock() - before
    pids = [int(pid) for pid in filter(str.isdigit, os.listdir('/proc')) if exe(pid) == run.vmifs]
    cost = Cost(wall, cpu, sum(process_clock(pid) for pid in pids))
    unmount(path)
    wait_until(lambda: not any(exe(pid) == run.vmifs for pid in os.listdir('/proc') if pid.isdigit()), 'it ends')
    return cost


def exe(pid):
    try:
        return os.readlink(f'/proc/{pid}/exe')
    except OSError:
        return None


def attach(run):
    head('From nothing to every process\'s name')
    for name, image, seconds, times in (('with VMCOREINFO', run.image, 0.15, 2), ('by scan', run.scrubbed, 0.30, 4)):
        if not image:
            continue
        costs, bares = [], []
        size = os.path.getsize(image)
        for _ in range(run.rounds):
            bares.append(io(run, None, '-s', MiB // 8, '-l', size // MiB * MiB, 'seq', image))
            bares[-1].calls = 1
            costs.append(attach_once(run, image))
        middle, busy = table.median(costs), table.is_busy()
        seconds_taken = middle.cpu if busy else middle.wall
        row(f'{name}, beside cat image', costs, bares, bar=times)
        plain(f'{name}, all of it' + (', CPU' if busy else ''), table.shown(seconds_taken), f'<= {seconds} s',
              seconds_taken <= seconds)
    attach_again(run)
    attach_without_types(run)


def attach_without_types(run):
    """Layouts are inferred, or told by a profile of 35 MB, which costs the server no more than a second and 100 MB."""
    bare, profile = in_work('no-types.raw'), in_work('profile.json')
    with settled(run.image) as mount:
        lines = [line.split() for line in output('cat', mount.guest + '/kallsyms').decode().splitlines()]
        symbols = {line[2]: int(line[0], 16) for line in lines if len(line) == 3}
        about, banner = (output('cat', f'{mount.guest}/{name}').decode() for name in ('info', 'version'))
    blob = write_without_types(run.image, bare, symbols, about)
    with open(profile, 'w', encoding='utf-8') as out:
        isf.make(blob, symbols.items(), banner.strip(), out, indent=2)
    costs, bares, told, sizes = [], [], [], []
    size = os.path.getsize(bare)
    for _ in range(run.rounds):
        bares.append(io(run, None, '-s', MiB // 8, '-l', size // MiB * MiB, 'seq', bare))
        bares[-1].calls = 1
        costs.append(attach_once(run, bare))
        told.append(attach_once(run, bare, f'profile={profile}').cpu - costs[-1].cpu)
        sizes.append(size_of_check(run, bare, '-o', f'profile={profile}') - size_of_check(run, bare))
    row('without BTF, beside cat image', costs, bares, bar=6)
    name = f'with a profile of {os.path.getsize(profile) // MiB} MiB'
    plain(f'{name}, more CPU', table.shown(statistics.median(told)), '<= 1 s', statistics.median(told) <= 1)
    plain(f'{name}, more memory', f'{statistics.median(sizes) // 1024} MB', '<= 100 MB',
          statistics.median(sizes) <= 100 * 1024)
    os.unlink(bare)
    os.unlink(profile)


def size_of_check(run, image, *words):
    """KiB that it had in memory at most."""
    child = subprocess.Popen([run.vmifs, '--check', *words, image], stdout=subprocess.DEVNULL)
    return os.wait4(child.pid, 0)[2].ru_maxrss


def attach_again(run):
    """What is kept is worth its while: it costs little the first time, and less is to be done the next."""
    rows = {'keeping names, beside not': [], 'with kept names, beside without': []}
    bares = []
    for _ in range(run.rounds):
        cache = folder()
        bares.append(attach_once(run, run.image))
        for costs in rows.values():
            costs.append(attach_once(run, run.image, cache=cache))
    for name, costs in rows.items():
        row(name, costs, bares)


# Memory -------------------------------------------------------------------------------------------

def direct_map(guest):
    address = int(output('cat', f'{guest}/symbols/page_offset_base').split()[0], 16)
    with open(guest + '/kmem', 'rb', buffering=0) as file:
        return struct.unpack('<Q', os.pread(file.fileno(), 8, address & ~(1 << 63)))[0]


def toucher(guest, length):
    for pid in filter(str.isdigit, os.listdir(guest + '/procs')):
        with open(f'{guest}/procs/{pid}/maps', encoding='utf-8', errors='replace') as file:
            for text in file:
                start, end = (int(word, 16) for word in text.split()[0].split('-'))
                if start <= TOUCHED and TOUCHED + length <= end:
                    return pid
    raise Failed(f'no process has {length} bytes at {TOUCHED:#x}: make the guest with --touch-mb 128')


def span(start, length, size, *more):
    return '-o', start, '-l', length, '-s', size, *more


def random_of(run):
    """4 KiB at random places of the whole image file."""
    return span(START, os.path.getsize(run.image) - 2 * START, 4096, '-n', run.calls, 'random', run.image)


def passthrough(run):
    """pmem of a raw image: the kernel reads the file by itself, where it can."""
    with settled(run.image) as mount:
        guest, pid = mount.guest, mount.server
        head('pmem of a raw image: ' + ', '.join(info(guest).get('pmem', ['?'])))
        for text, size in SIZES:
            compare(run, f'reads of {text}', pid, span(START, run.length, size, 'seq', guest + '/pmem'),
                    span(START, run.length, size, 'seq', run.image), speed=True, bar=0.95 if size > 4096 else None)
        compare(run, 'random reads of 4 KiB', pid, span(START, os.path.getsize(run.image) - 2 * START, 4096, '-n', run.calls, 'random', guest + '/pmem'),
                random_of(run))
        compare(run, 'mapped', pid, span(START, run.length, MiB, 'map', guest + '/pmem'),
                span(START, run.length, MiB, 'map', run.image), speed=True, bar=0.95)


def small(run, pid, name, words):
    """Reads of 4 KiB that a server answers. Where threads wake up is the kernel's choice, and most of what one
    costs: so an empty server stands beside it, and who would know the rest looks at one processor."""
    compare(run, name, pid, words, random_of(run))
    with empty(run) as (path, other):
        costs, bares = [], []
        theirs = span(START, os.path.getsize(run.image) - 2 * START, 4096, '-n', run.calls, '-d', 'random', path)
        for _ in range(run.rounds):
            bares.append(io(run, other, *theirs))
            costs.append(io(run, pid, *words))
        row('... beside an empty FUSE server', costs, bares, bar=1.25)
    with one_processor(pid):
        compare(run, '... on one processor', pid, words, random_of(run), bar=8)


def served(run, title, image):
    """pmem of an image in pieces: O_DIRECT takes the server's way, everything else the page cache."""
    head(f'pmem of {title}')
    bare = {size: span(START, run.length, size, 'seq', run.image) for _, size in SIZES}
    first, again, bares = [], [], []
    for _ in range(run.rounds):
        with settled(image) as mount:
            path, pid = mount.guest + '/pmem', mount.server
            words = span(START, run.length, MiB, '-d', 'seq', path)
            first.append(io(run, pid, *words))
            bares.append(io(run, None, *bare[MiB]))
            again.append(io(run, pid, *words))
    row('O_DIRECT, 1 MiB, first pass', first, bares, speed=True)
    row('O_DIRECT, 1 MiB, second pass', again, bares, speed=True, bar=0.65)
    with settled(image) as mount:
        path, pid = mount.guest + '/pmem', mount.server
        io(run, pid, *span(START, run.length, MiB, '-d', 'seq', path))
        for text, size in SIZES[:2]:
            compare(run, f'O_DIRECT, {text}', pid, span(START, run.length, size, '-d', 'seq', path), bare[size],
                    speed=True)
        whole = os.path.getsize(run.image) - 2 * START
        io(run, pid, *span(START, whole, MiB, '-d', 'seq', path))
        small(run, pid, 'O_DIRECT, random 4 KiB', span(START, whole, 4096, '-n', run.calls, '-d', 'random', path))
    cached(run, image)


def cached(run, image):
    first, bares, mapped = [], [], []
    for _ in range(run.rounds):
        with settled(image) as mount:
            path, pid = mount.guest + '/pmem', mount.server
            bares.append(io(run, None, *span(START, run.length, MiB, 'seq', run.image)))
            first.append(io(run, pid, *span(START, run.length, MiB, 'seq', path)))
    row('cached, 1 MiB, cold', first, bares, speed=True)
    with settled(image) as mount:
        path, pid = mount.guest + '/pmem', mount.server
        io(run, pid, *span(START, run.length, MiB, 'seq', path))
        for text, size in SIZES:
            compare(run, f'cached, {text}, warm', pid, span(START, run.length, size, 'seq', path),
                    span(START, run.length, size, 'seq', run.image), speed=True, bar=0.9 if size == MiB else None)
        compare(run, 'cached, random 4 KiB, warm', pid, span(START, run.length, 4096, '-n', run.calls, 'random', path),
                random_of(run))
        compare(run, 'cached, mapped, warm', pid, span(START, run.length, MiB, 'map', path),
                span(START, run.length, MiB, 'map', run.image), speed=True)


def pieces(run):
    for title, name, write in (('an ELF core', 'guest.elf', write_elf), ('a LiME image', 'guest.lime', write_lime)):
        target = in_work(name)
        write(run.image, target)
        served(run, title, target)
        os.unlink(target)


def spaces(run):
    """vmem and kmem: through page tables."""
    bare = {size: span(START, run.length, size, 'seq', run.image) for _, size in SIZES}
    for name in ('vmem', 'kmem'):
        head(f'{name}: {run.length // MiB} MiB of ' + ('a process' if name == 'vmem' else 'the kernel\'s direct map'))
        first, again, bares = [], [], []
        for _ in range(run.rounds):
            with settled(run.image) as mount:
                path, start, pid = where(run, mount, name)
                first.append(io(run, pid, *span(start, run.length, MiB, 'seq', path)))
                bares.append(io(run, None, *bare[MiB]))
                again.append(io(run, pid, *span(start, run.length, MiB, 'seq', path)))
        row('1 MiB, first pass', first, bares, speed=True)
        row('1 MiB, second pass', again, bares, speed=True, bar=0.60)
        with settled(run.image) as mount:
            path, start, pid = where(run, mount, name)
            io(run, pid, *span(start, run.length, MiB, 'seq', path))
            for text, size in SIZES[:2]:
                compare(run, text, pid, span(start, run.length, size, 'seq', path), bare[size], speed=True)
            small(run, pid, 'random 4 KiB', span(start, run.length, 4096, '-n', run.calls, 'random', path))


def where(run, mount, name):
    """Path, offset of the first byte, the server."""
    if name == 'vmem':
        return f'{mount.guest}/procs/{toucher(mount.guest, run.length)}/vmem', TOUCHED, mount.server
    return f'{mount.guest}/kmem', (direct_map(mount.guest) + START) & ~(1 << 63), mount.server


# The server ---------------------------------------------------------------------------------------

def server(run):
    """What it holds, and what a request costs it when more readers come."""
    head('The server: its CPU for each request, with four readers and with one')
    with settled(run.image, options=['nopassthrough']) as mount:
        guest, pid = mount.guest, mount.server
        vmem = f'{guest}/procs/{toucher(guest, run.length)}/vmem'
        few = max(run.calls // 500, 20)
        for name, words, calls in (
                ('O_DIRECT reads of 4 KiB', span(START, run.length, 4096, '-d', 'random', guest + '/pmem'), run.calls),
                ('vmem reads of 4 KiB (translations)', span(TOUCHED, run.length, 4096, 'random', vmem), run.calls),
                ('lists of processes', ('list', guest + '/procs'), few)):
            growth(run, name, pid, words, calls)
    with settled(run.image) as mount:
        files = [open(mount.guest + '/kallsyms', 'rb') for _ in range(4)]
        for file in files:
            while file.read(MiB):
                pass
        own = memory_beyond(mount.server, run.image)
        for file in files:
            file.close()
    plain('memory beyond the image, 4 x kallsyms open', f'{own / 1e6:.1f} MB', '<= 40 MB', own <= 40e6)


def growth(run, name, pid, words, calls):
    one, four = [], []
    for _ in range(run.rounds):
        one.append(io(run, pid, '-n', calls, *words))
        four.append(io(run, pid, '-n', calls // 4, '-r', 4, *words))
    for cost in one + four:
        cost.wall = cost.cpu = cost.server
    row(name, four, one, bar=1.2)
