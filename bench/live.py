# SPDX-License-Identifier: LGPL-2.1-or-later
#
# Running guests, under TCG: the programs of a guest that idles cost little, and how fast it computes plays
# no part in any figure.

import contextlib
import os
import shutil
import statistics
import time

import livelib
from files import SIZES, START, attach_once, compare, settled, span
from mountlib import MiB, Failed, check, in_work, info, mounted
from table import head, is_busy, median, plain, process_clock, shown

MEGABYTES = 1024
MANY = 20
# Nearly all of its memory has to be there: holes are not read, and read fast.
FILL = 'mkdir /filled && mount -t tmpfs -o size=95%% none /filled && dd if=/dev/zero of=/filled/x bs=1M count=%d'


@contextlib.contextmanager
def running(run, **options):
    guest = livelib.Guest(mem=MEGABYTES, **options)
    try:
        guest.run(FILL % (START // MiB + run.length // MiB + MEGABYTES // 2), seconds=600)
        yield guest
    finally:
        guest.end()


def live(run):
    with running(run, memory='memfd') as shared:
        head(f'A running guest of {MEGABYTES} MB in a memfd')
        attached(run, shared)
        registers(run, shared)
        memory(run, f'pid:{shared.pid}', memfd_of(shared), (('pmem', 0.95), ('ram/mem', 0.95)))
        snapshots(run, shared)
        with running(run) as private:
            head(f'A running guest of {MEGABYTES} MB in memory of its own')
            copied(run, private)
            snapshots(run, private)
            head('Two running guests that nobody looks at')
            idle(60 if run.rounds > 3 else 10)
    head(f'{MANY} running guests')
    listed(run)


def attached(run, guest):
    costs = [attach_once(run, f'pid:{guest.pid}') for _ in range(run.rounds)]
    cost = median(costs)
    busy = is_busy()
    seconds = cost.cpu if busy else cost.wall
    plain('from nothing to every process\'s name' + (', CPU' if busy else ''), shown(seconds), '<= 0.3 s',
          seconds <= 0.3)


def registers(run, guest):
    times, asked = [], []
    with settled(f'pid:{guest.pid}') as mount:
        for _ in range(10 * run.rounds):
            time.sleep(0.05)  # longer than they are remembered
            for found, ask in (times, lambda: read_once(mount.guest + '/regs')), \
                              (asked, lambda: guest.qmp.human('info registers -a')):
                begin = time.perf_counter()
                ask()
                found.append(time.perf_counter() - begin)
    middle = statistics.median(times)
    plain('regs', shown(middle), '<= 10 ms', middle <= 0.01)
    plain('... QEMU\'s own answer, by a monitor of ours', shown(statistics.median(asked)))


def read_once(path):
    with open(path, 'rb', buffering=0) as file:
        return file.read(MiB)


def memfd_of(guest):
    folder = f'/proc/{guest.pid}/fd'
    for name in os.listdir(folder):
        if os.readlink(f'{folder}/{name}').startswith('/memfd:'):
            return f'{folder}/{name}'
    raise Failed('the guest has no memfd')


def memory(run, source, bare, files):
    """files: (name, the least ratio at 1 MiB)."""
    with settled(source) as mount:
        for name, bar in files:
            for text, size in SIZES:
                ours, its = (span(START, run.length, size, 'seq', path) for path in (f'{mount.guest}/{name}', bare))
                compare(run, f'{name}, {text}', mount.server, ours, its, speed=True, bar=bar if size == MiB else None)


def copied(run, guest):
    """Beside a file in memory with the same bytes."""
    bare = in_work('bare')
    with settled(f'pid:{guest.pid}') as mount:
        shutil.copyfile(mount.guest + '/pmem', bare)
    memory(run, f'pid:{guest.pid}', bare, (('pmem', 0.45),))
    os.unlink(bare)


def snapshots(run, guest):
    """First of the guest as it idles: its counting word is started for the second."""
    with settled(f'pid:{guest.pid}') as mount:
        path = mount.guest + '/snapshots/idle'
        os.mkdir(path)
        stored = lambda: int(info(path)['stored'][0].split()[0])
        first = stored()
        time.sleep(1)
        with open(path + '/state', 'w', encoding='ascii') as file:
            file.write('refresh')
        ratio = stored() / first
        plain('refresh stores, of what the first did', f'{ratio:.4f}', '<= 0.1', 0 < ratio <= 0.1)
        os.rmdir(path)
        path = mount.guest + '/snapshots/quick'
        still = livelib.standstill(guest, lambda: os.mkdir(path), 60 if run.rounds > 3 else 10)
        extra = still.longest - still.usual
        plain('a snapshot: its word stands still longer by', f'{extra:.1f} ms', '<= 100 ms', extra <= 100)
        plain('... the longest without one', f'{still.before:.1f} ms')
        plain('... by QEMU, from STOP to RESUME', f'{still.stamps:.1f} ms', '<= 100 ms', still.stamps <= 100)
        os.rmdir(path)


def listed(run):
    """In a mount that was made a moment before."""
    with contextlib.ExitStack() as stack:
        for number in range(MANY):
            stack.enter_context(livelib.Guest(name=f'many{number}', firmware=True, mem=16))
        times = []
        for _ in range(run.rounds):
            with mounted('auto') as mount:
                begin = time.perf_counter()
                found = [one.stat() for one in os.scandir(mount.path) if one.name.startswith('many')]
                times.append(time.perf_counter() - begin)
                check(len(found) == MANY, f'{len(found)} guests are listed')
    middle = statistics.median(times)
    plain('the first ls -l', shown(middle), '<= 0.1 s', middle <= 0.1)


def idle(seconds):
    with settled('auto') as mount:
        time.sleep(2)
        before = process_clock(mount.server)
        time.sleep(seconds)
        share = (process_clock(mount.server) - before) / seconds
    plain(f'the server\'s CPU in {seconds} s', f'{100 * share:.2f} %', '<= 0.5 %', share <= 0.005)
