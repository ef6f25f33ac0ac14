# SPDX-License-Identifier: LGPL-2.1-or-later
#
# Events of a running guest that reach a reader, each a moment after the stub's own single steps of that
# guest: both stop it, and how fast a guest stops and goes on is not ours.

import contextlib
import json
import os
import re
import select
import statistics
import time

import livelib
from files import settled
from mountlib import MiB, check, in_work, output
from table import Cost, head, plain, process_clock, row, shown

DISK = '-drive if=none,id=busy,format=raw,file={path} -device virtio-blk-pci,drive=busy'
DISK_MB = 64


def events(run):
    seconds = 1 if run.rounds <= 3 else 3
    with livelib.Guest() as guest, settled(f'pid:{guest.pid}') as mount:
        head('One reader of the events of a guest that does nothing')
        idle(mount, 10 if run.rounds <= 3 else 60)
        head('Events of a guest, beside single steps of it')
        subject = Subject(run, guest, mount, seconds)
        subject.writes()
        subject.calls()
        subject.system_calls()
    with livelib.Guest(smp=2, modules='virtio_pci virtio_blk', words=DISK.format(path=make_disk())) as guest, \
            settled(f'pid:{guest.pid}') as mount:
        head('The same while its disk is busy, by another vCPU')
        subject = Subject(run, guest, mount, seconds)
        guest.run(BUSY)
        subject.writes()
        subject.calls()
        disk(subject)


# The disk is in memory: it is as fast as the guest.
BUSY = ('setsid taskset 2 sh -c "while :; do dd if=/dev/vda of=/dev/null bs=64k iflag=direct; '
        f'dd if=/dev/zero of=/dev/vda bs=64k count={16 * DISK_MB} oflag=direct; done" >/dev/null 2>&1 &')


def make_disk():
    path = in_work('disk')
    with open(path, 'wb') as file:
        file.write(bytes(DISK_MB * MiB))
    return path


def idle(mount, seconds):
    with reader(mount):
        time.sleep(3)
        before = process_clock(mount.server)
        time.sleep(seconds)
        share = (process_clock(mount.server) - before) / seconds
    plain(f'the server\'s CPU in {seconds} s', f'{100 * share:.2f} %', '<= 1 %', share <= 0.01)


@contextlib.contextmanager
def reader(mount):
    number = os.open(mount.guest + '/events', os.O_RDONLY | os.O_NONBLOCK)
    try:
        yield number
    finally:
        os.close(number)


def read_for(number, seconds):
    """[(when it came, its bytes)]"""
    end, found = time.time_ns() + int(seconds * 1e9), []
    while (left := end - time.time_ns()) > 0:
        if select.select([number], [], [], left / 1e9)[0]:
            part = os.read(number, MiB)
            found.append((time.time_ns(), part))
    return found


class Subject:
    """A guest whose first vCPU does one thing as fast as it can."""

    def __init__(self, run, guest, mount, seconds):
        self.run, self.guest, self.mount, self.seconds = run, guest, mount, seconds

    @contextlib.contextmanager
    def doing(self, command):
        self.guest.run(f'setsid taskset 1 {command} >/dev/null 2>&1 &')
        try:
            yield
        finally:
            self.guest.run(f'killall -9 {command.split()[0]}')

    @contextlib.contextmanager
    def known(self):
        """Writes a word, and makes a system call, in turn: (pid, address of the word)."""
        self.guest.run('rm -f /run/known')
        with self.doing(f'known {10 ** 15} write call'):
            pid, page, *_ = (int(word, 0) for word in self.guest.run(
                'until [ -e /run/known ]; do sleep 0.05; done; cat /run/known').split())
            self.guest.run(f'kill -USR1 {pid}')
            yield pid, page + 16

    def turn(self, pid, word):
        """Seconds in which the program does that once, as it counts in the word itself, while nobody watches."""
        def done():
            return time.monotonic(), int.from_bytes(os.pread(number, 8, word), 'little')
        number = os.open(f'{self.mount.guest}/procs/{pid}/vmem', os.O_RDONLY)
        try:
            start, before = done()
            time.sleep(self.seconds / 2)
            end, after = done()
        finally:
            os.close(number)
        check(after > before, 'the program does nothing')
        return (end - start) / (after - before)

    def writes(self, name='writes to memory'):
        with self.known() as (pid, word):
            self.compare(name, f'mem w {pid}:{word:#x}/8', 0.6, lambda: self.turn(pid, word))

    def calls(self, name='calls of a function, in a loop'):
        with self.doing('restless polls'):
            self.compare(name, 'exec eventfd_poll', 0.3)

    def system_calls(self, name='calls of a program, to the kernel'):
        with self.known() as (pid, word):
            self.compare(name, 'exec __x64_sys_sched_get_priority_max', None, lambda: self.turn(pid, word))

    def cost(self, work, server=None):
        """Of what that does so often: with QEMU's processor time."""
        # Nobody else reads what the monitor tells of stops.
        self.guest.qmp.call('query-status')
        self.guest.qmp.events.clear()
        before = time.monotonic(), clocks(self.guest.pid), process_clock(server)
        calls, wall = work()
        return Cost(wall or time.monotonic() - before[0], clocks(self.guest.pid) - before[1],
                    process_clock(server) - before[2], calls)

    def step(self):
        def steps():
            words = output(self.run.stops, self.guest.monitor, 'tcg', str(self.seconds)).split()
            return int(words[1]), int(words[1]) / float(words[2])
        return self.cost(steps)

    def watch(self, line, delays):
        found, kind = [], line.split()[0]

        def read():
            found.extend(read_for(number, self.seconds))
            return sum(part.count(b'"type":"%b"' % kind.encode()) for _, part in found), None
        with reader(self.mount) as number:
            self.write(line)
            read_for(number, 0.2)
            cost = self.cost(read, self.mount.server)
            self.write('-w1')
        for came, part in found:
            for told in map(json.loads, part.splitlines()):
                check(told['type'] not in ('lost', 'watch'), told)
                if told['type'] == kind:
                    delays.append((came - nanoseconds(told['time'])) / 1e9)
        return cost

    def write(self, line):
        with open(self.mount.guest + '/watch', 'ab', buffering=0) as file:
            file.write(line.encode() + b'\n')

    def compare(self, name, line, bar, turn=None):
        steps, told, delays, turns = [], [], [], []
        for _ in range(self.run.rounds):
            steps.append(self.step())
            if turn:
                turns.append(turn())
            told.append(self.watch(line, delays))
        row(name, told, steps, bar=bar, speed=True)
        rates = [statistics.median(cost.calls / cost.wall for cost in costs) for costs in (told, steps)]
        plain('... events, and steps, a second', '{:.0f}, {:.0f}'.format(*rates))
        if turn:
            slower = statistics.median(cost.wall / cost.calls - free for cost, free in zip(told, turns))
            plain('... by which the guest is slower for each', shown(slower))
            plain('... who takes, if nobody watches', shown(statistics.median(turns)))
        plain('... of the server\'s CPU', shown(statistics.median(cost.server / cost.calls for cost in told)))
        delay = statistics.median(delays)
        plain('... from the stop to the line', shown(delay), '<= 5 ms', delay <= 0.005)


def disk(subject):
    """What is left of it: at each stop QEMU waits for what is on its way, and has it written."""
    def rate():
        def done():
            stats = subject.guest.qmp.call('query-blockstats')[0]['stats']
            return stats['rd_bytes'] + stats['wr_bytes']
        before, start = done(), time.monotonic()
        time.sleep(subject.seconds)
        return (done() - before) / (time.monotonic() - start)

    rounds = []
    with subject.known() as (pid, word):
        for _ in range(subject.run.rounds):
            free = rate()
            with reader(subject.mount):
                subject.write(f'mem w {pid}:{word:#x}/8')
                rounds.append((free, rate()))
                subject.write('-w1')
    plain('the disk, while writes are watched', f'{statistics.median(b / a for a, b in rounds):.2f}')
    plain('... MB a second else', f'{statistics.median(a for a, _ in rounds) / 1e6:.1f}')


def clocks(pid):
    """Of QEMU, and of all that this program ran and is."""
    own = os.times()
    return process_clock(pid) + sum(own[:4])


def nanoseconds(text):
    whole, part = re.fullmatch(r'(.*)\.(\d{9})Z', text).groups()
    return int(time.mktime(time.strptime(whole, '%Y-%m-%dT%H:%M:%S')) - time.timezone) * 10 ** 9 + int(part)
