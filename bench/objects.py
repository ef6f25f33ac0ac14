# SPDX-License-Identifier: LGPL-2.1-or-later
#
# Processes, against the host's own /proc with as many; and calls of the library, against what a program
# would do at least.

import contextlib
import os
import signal
import time

from files import io, settled
from mountlib import check, output, run as start
from table import Cost, children_clock, head, plain, process_clock, row


@contextlib.contextmanager
def children(count):
    """So many processes more that do nothing."""
    alive = os.pipe()
    pids = []
    for _ in range(count):
        pid = os.fork()
        if not pid:
            os.close(alive[1])
            os.read(alive[0], 1)
            os._exit(0)
        pids.append(pid)
    try:
        yield pids
    finally:
        os.close(alive[1])
        os.close(alive[0])
        for pid in pids:
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
            os.waitpid(pid, 0)


def numbers(path):
    return sorted(filter(str.isdigit, os.listdir(path)), key=int)


def timed(pid, *command):
    """A command; its own processor time and the server's."""
    server, children = process_clock(pid), children_clock()
    begin = time.perf_counter()
    done = start(*command)
    wall, cpu = time.perf_counter() - begin, children_clock() - children
    check(done.returncode == 0, lambda: f'{command}: {done.stderr!r}')
    return Cost(wall, cpu, process_clock(pid) - server), done.stdout


def processes(run):
    with settled(run.image) as mount:
        count = len(numbers(mount.guest + '/procs'))
    with children(max(count - len(numbers('/proc')), 1)) as pids:
        head(f'{count} processes, beside {len(numbers("/proc"))} of the host')
        texts(run, pids)
        listing(run)
        ps(run)


def texts(run, pids):
    first, again, bares = [], [], []
    host = [f'/proc/{pid}/stat' for pid in pids]
    for _ in range(run.rounds):
        with settled(run.image) as mount:
            procs, server = mount.guest + '/procs', mount.server
            ours = [f'{procs}/{pid}/stat' for pid in numbers(procs)]
            first.append(io(run, server, 'texts', *ours))
            bares.append(io(run, None, 'texts', *host))
            again.append(io(run, server, 'texts', *ours))
    row('open, read, close of stat, first time', first, bares)
    row('open, read, close of stat, again', again, bares, bar=3)


def listing(run):
    first, again, bares = [], [], []
    for _ in range(run.rounds):
        with settled(run.image) as mount:
            procs, server = mount.guest + '/procs', mount.server
            first.append(io(run, server, 'list', procs))
            bares.append(io(run, None, 'list', '/proc'))
            again.append(io(run, server, 'list', procs))
    row('list and stat each, first time', first, bares)
    row('list and stat each, again', again, bares)


def requests(mount):
    with open(mount.path + '/.vmifs/stats', encoding='ascii') as file:
        return int(file.readline().split()[1])


def ps(run):
    first, again, bares, asked = [], [], [], []
    for _ in range(run.rounds):
        with settled(run.image) as mount:
            guest, server = mount.guest, mount.server
            command = [run.vmifs_run, guest, 'ps', '-ef']
            asked.append(requests(mount))
            first.append(timed(server, *command)[0])
            asked.append(requests(mount))
            bares.append(timed(None, 'ps', '-ef')[0])
            cost, text = timed(server, *command)
            asked.append(requests(mount))
            again.append(cost)
            count = len(numbers(guest + '/procs'))
            check(len(text.splitlines()) > count, 'ps lists too little')
    row('vmifs-run ps -ef, first time', first, bares, bar=5)
    row('vmifs-run ps -ef, again', again, bares)
    for name, a, b, most in (('first time', -3, -2, 9.5), ('again', -2, -1, 4.5)):
        each = (asked[b] - asked[a]) / count
        plain(f'requests for each process, {name}', f'{each:.1f}', f'<= {most}', each <= most)


def engine(run):
    """Its costs are processor time already, the middle of its own turns."""
    lines = output(run.engine, run.image, str(run.rounds)).decode().splitlines()
    bars = {'translation, warm': 2, 'translation, cold': 12}
    shared = []
    head('Calls of the library, beside a probe in the same program')
    for line in lines:
        name, ours, probe, four = line.split('\t')
        ours, probe, four = (float(value) / 1e9 for value in (ours, probe, four))
        row(name, [Cost(ours, ours)], [Cost(probe, probe)], bar=bars.get(name))
        if four:
            shared.append((name, ours, four))
    head('The same from four threads at a time, beside one')
    for name, ours, four in shared:
        row(name, [Cost(four, four)], [Cost(ours, ours)])


def tables(run):
    """Of an image that has nothing else; processor time, the middle of its own turns."""
    head('Page tables of 2^20 small pages')
    for line in output(run.tables, str(run.rounds)).decode().splitlines():
        name, milliseconds, kilobytes = line.split('\t')
        limit = '<= 50 ms' if name.startswith('walk') else None
        plain(name, f'{milliseconds} ms', limit, float(milliseconds) <= 50)
        plain(f'{name}: memory', f'{kilobytes} KiB', '<= 1 MiB', float(kilobytes) <= 1024)
