# SPDX-License-Identifier: LGPL-2.1-or-later
#
# What something costs, what its neighbour costs, and how that is printed.  Wall time says what a user
# waits for; processor time of reader and server together says what it costs a machine that has more to do,
# and is what can be trusted where the machine is not idle.

import os
import resource
import statistics
import time

# If others compute for more than this part of the time, wall times say nothing.
BUSY, PAUSE, LOOKS = 0.1, 0.3, 5

missed = []


class Cost:
    """Seconds: wall, processor time of whoever asked, and of the server."""

    def __init__(self, wall, cpu, server=0.0, calls=1):
        self.wall, self.cpu, self.server, self.calls = wall, cpu + server, server, max(calls, 1)

    def each(self):
        """Of one call."""
        return Cost(self.wall / self.calls, (self.cpu - self.server) / self.calls, self.server / self.calls)


def machine_clock():
    """Seconds that all processors together were not idle; from an unknown start."""
    with open('/proc/stat', encoding='ascii') as file:
        idle, waiting = map(int, file.readline().split()[4:6])
    return os.cpu_count() * time.monotonic() - (idle + waiting) / os.sysconf('SC_CLK_TCK')


def is_busy():
    """Looked at while nothing is measured: what is measured has others work for it, too, such as the kernel's threads,
    and some of that goes on behind it. Whoever is busy still is so a while later."""
    return all(computes() for _ in range(LOOKS))


def computes():
    before = machine_clock()
    time.sleep(PAUSE)
    return machine_clock() - before > BUSY * PAUSE


def children_clock():
    """Processor seconds of children that have ended."""
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime


def process_clock(pid):
    """Processor seconds of a process since its start, its ended threads too."""
    return time.clock_gettime((~pid << 3) | 2) if pid else 0.0


def median(costs):
    """The cost in the middle, each kind by itself; of one call."""
    each = [cost.each() for cost in costs]
    middle = Cost(statistics.median(cost.wall for cost in each), 0)
    middle.server = statistics.median(cost.server for cost in each)
    middle.cpu = statistics.median(cost.cpu for cost in each)
    return middle


def shown(seconds):
    for unit, scale in (('s ', 1), ('ms', 1e3), ('us', 1e6), ('ns', 1e9)):
        if seconds * scale >= 1 or unit == 'ns':
            return f'{seconds * scale:.4g}'[:6].rstrip('.') + ' ' + unit
    return ''


def head(title):
    print(f'\n{title:<42} {"wall":>9} {"CPU":>9}  {"beside it":>9} {"CPU":>9}  {"ratio":>6} {"CPU":>6}  goal',
          flush=True)


def verdict(name, good):
    if not good:
        missed.append(name)
    return 'ok' if good else 'MISSED'


def row(name, mine, bare, bar=None, speed=False):
    """mine, bare: costs of interleaved rounds.  Ratios are of times, less is better; with speed, of
    speeds, more is better.  bar: the most, or least, that the ratio may be."""
    def ratio(kind):
        pairs = [(getattr(a.each(), kind), getattr(b.each(), kind)) for a, b in zip(mine, bare)]
        return statistics.median((b / a if speed else a / b) if a and b else 0 for a, b in pairs)

    ours, its = median(mine), median(bare)
    wall, cpu = ratio('wall'), ratio('cpu')
    text = ''
    if bar is not None:
        busy = is_busy()
        judged = cpu if busy and cpu else wall
        good = judged >= bar if speed else judged <= bar
        text = f'{">=" if speed else "<="} {bar:g}  {verdict(name, good)}'
        if busy:
            text += ' (by CPU: the machine is busy)'
    print(f'{name:<42} {shown(ours.wall):>9} {shown(ours.cpu):>9}  {shown(its.wall):>9} {shown(its.cpu):>9}'
          f'  {wall:6.2f} {cpu:6.2f}  {text}', flush=True)


def plain(name, value, limit=None, good=True):
    """A figure without a neighbour."""
    text = f'{limit}  {verdict(name, good)}' if limit else ''
    print(f'{name:<42} {value:>9} {"":>49}{text}', flush=True)
