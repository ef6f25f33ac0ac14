# SPDX-License-Identifier: LGPL-2.1-or-later
#
# What tests of running guests ask again and again.

import contextlib
import errno
import os
import re
import sys
import time

HERE = os.path.dirname(os.path.realpath(__file__))
sys.path[:0] = [HERE + '/../support', HERE + '/../guests']
from mountlib import *  # pylint: disable=wrong-import-position,wildcard-import,unused-wildcard-import
import livelib  # pylint: disable=wrong-import-position
import mountlib  # pylint: disable=wrong-import-position
from livelib import HOURS, asking, dice  # pylint: disable=wrong-import-position,unused-import
import parts  # pylint: disable=wrong-import-position

SLOW = float(os.environ.get('VMIFS_TEST_SLOWNESS', '1'))  # what times are multiplied with
LOOSE = max(SLOW, 3)  # the same, of times that promise nothing


def wait_until(condition, what, seconds=10):
    mountlib.wait_until(condition, what, seconds * SLOW)


@contextlib.contextmanager
def shown(guest, **kw):
    """A mount of that guest alone: the path of its folder; the path has the mount as .mount."""
    with mounted(f'pid:{guest.pid}', may_say='vmifs: no guest .*, or none that answers yet: .*\n', **kw) as mount:
        names = lambda: [name for name in os.listdir(mount.path) if name != '.vmifs']
        wait_until(names, 'it is listed', 1)
        equal(len(names()), 1, f'guests in {names()}')
        yield Shown(mount, f'{mount.path}/{names()[0]}')


class Shown(str):
    """A guest's folder."""
    def __new__(cls, mount, path):
        self = super().__new__(cls, path)
        self.mount = mount
        return self

    def text(self, name):
        return read(f'{self}/{name}')

    def pids(self):
        return sorted(int(name) for name in os.listdir(self + '/procs') if name.isdigit())

    def log(self):
        return self.text('log').decode(errors='replace')


@contextlib.contextmanager
def stopped(guest):
    guest.qmp.call('stop')
    try:
        yield
    finally:
        guest.qmp.call('cont')


@contextlib.contextmanager
def within(seconds, what, slow=SLOW):
    """slow: 1 where it is promised whatever else the machine has to do."""
    start = time.monotonic()
    yield
    took = time.monotonic() - start
    print(f'# {what}: {took:.3f} s')
    check(took <= seconds * slow, f'{what}: {took:.2f} s, at most {seconds}')


@contextlib.contextmanager
def opened(path):
    """A descriptor; closed whatever happens, for a mount that is in use cannot be ended."""
    fd = os.open(path, os.O_RDONLY)
    try:
        yield fd
    finally:
        os.close(fd)


def fails(number, function, what):
    """The OSError of that errno, or of one of those, comes of it."""
    numbers = number if isinstance(number, tuple) else (number,)
    try:
        got = function()
    except OSError as problem:
        check(problem.errno in numbers, f'{what}: {problem}, not {[errno.errorcode[one] for one in numbers]}')
        return
    raise Failed(f'{what}: no error, but {got!r:.100}')


def has(path):
    try:
        return bool(read(path))
    except OSError:
        return False


def another_kernel(guest, boot):
    """After boot() what was held open of the old one is stale, and the mount shows the new one."""
    with shown(guest) as seen:
        first = re.search(rb'(?m)^(\w+) \w _stext$', seen.text('kallsyms'))[1]
        address = int(first, 16) & ~(1 << 63)
        with opened(f'{seen}/procs/1') as place, opened(seen + '/kmem') as kernel:
            os.pread(kernel, 16, address)
            boot()
            guest.wait_console()
            text = guest.run('grep -m 1 " _stext$" /proc/kallsyms').split()[0]
            wait_until(lambda: has(seen + '/kallsyms') and text in seen.text('kallsyms'), 'the new boot is seen', 15)
            fails(errno.ESTALE, lambda: os.open('status', os.O_RDONLY, dir_fd=place), 'a folder of the old boot')
            fails(errno.ESTALE, lambda: os.pread(kernel, 16, address), 'kernel memory of the old boot')
        wait_until(lambda: has(seen + '/procs/self/comm'), 'what was not understood at first is', 30)
        equal(seen.text('procs/self/comm'), b'init\n', 'pid 1')
        wait_until(lambda: has(seen + '/dmesg') and seen.text('dmesg'), 'it has a dmesg', 30)


def truth(guest_run):
    """What complete() asks for, as the guest itself has it."""
    guest_run('echo vmifs was here >/dev/kmsg')
    kthreads = guest_run('for p in /proc/[0-9]*; do case $(cat $p/comm) in kworker*|sh|console) ;; *) '
                         'echo ${p#/proc/};; esac; done; true')
    now = set(map(int, guest_run('cd /proc; echo [0-9]*').split()))
    return {'pids': set(map(int, kthreads.split())) & now, 'line': b'vmifs was here',
            'version': guest_run('cat /proc/version')}


def complete(seen, told):
    """What needs no monitor."""
    with within(0.1, 'ls'):
        names = os.listdir(seen)
    for name in ('pmem', 'kmem', 'procs', 'dmesg', 'memmap', 'state', 'info'):
        check(name in names, f'{name} is not there')
    missing = told['pids'] - set(seen.pids())
    check(not missing, lambda: f'not listed: {missing}; {seen.log()}')
    check(told['line'] in seen.text('dmesg'), 'dmesg lacks its line')
    stack = seen.text('procs/1/stack')
    check(re.match(rb'\[<0>\] \w+\+0x', stack), lambda: f'stack of pid 1: {stack}')
    equal(seen.text('version'), told['version'], 'version')


def without_monitor(seen, why):
    """What needs it; `log` says why that fails."""
    with within(2, 'regs'):
        fails(errno.ETIMEDOUT, lambda: seen.text('regs'), 'regs')
    check(re.search(rf'(?m)\bregs: .*{why}', seen.log()), lambda: f'log does not say why: {seen.log()}')
    with within(2, 'state'):
        equal(seen.text('state'), b'unresponsive\n', 'state')


def mounted_while(trouble, told, show, why, also=lambda seen: None):
    """show(): a mount, with the path of the guest that is in trouble."""
    with trouble:
        with within(1, 'mount'):
            mount = show()
            seen = mount.__enter__()
        try:
            complete(seen, told)
            without_monitor(seen, why)
            also(seen)
        finally:
            mount.__exit__(None, None, None)


def while_mounted(trouble, told, show, why, also=lambda seen: None):
    with show() as seen:
        seen.text('version')
        with trouble:
            time.sleep(0.3)
            complete(seen, told)
            without_monitor(seen, why)
            also(seen)
        wait_until(lambda: seen.text('state') == b'running\n', 'state is running again', 5)
        check(seen.text('regs'), 'no registers')


def ram(guest):
    """[(start, length, block, offset in the block)] as QEMU has it in front of the processors."""
    tree = guest.qmp.human('info mtree -f')
    for view in tree.split('FlatView #')[1:]:
        if re.search(r'AS "memory"', view):
            return [(int(start, 16), int(end, 16) - int(start, 16) + 1, name.strip(), int(offset or '0', 16))
                    for start, end, name, offset in re.findall(
                        r'(?m)^\s+([0-9a-f]{16})-([0-9a-f]{16}) \(prio -?\d+, (?:ram|rom)\): ([^@\n]*?)'
                        r'(?: @([0-9a-f]+))?\r?(?: KVM)?$', view)]
    raise Failed(f'QEMU tells no memory map: {tree[:500]}')


def main_ram(guest):
    """The pieces that are the guest's own memory, not a device's or the firmware's."""
    return [piece for piece in ram(guest) if re.search(r'ram$|^mem|node\d|dimm\d', piece[2]) and 'vram' not in piece[2]]


def saved(guest, start, length):
    """The bytes there, by the monitor."""
    path = guest.folder + '/saved'
    guest.qmp.call('pmemsave', val=start, size=length, filename=path)
    try:
        with open(path, 'rb') as file:
            return file.read()
    finally:
        os.unlink(path)


def same_memory(guest, path, pieces):
    """What stands at the path is QEMU's memory, byte for byte; of a large piece both ends. The guest stands still."""
    with opened(path) as fd:
        for first, whole, name, _ in pieces:
            length = whole if whole <= 512 * MiB else 64 * MiB
            for start in {first, first + whole - length}:
                same_bytes(fd, start, saved(guest, start, length), name)


def same_bytes(fd, start, want, name):
    for at in range(0, len(want), MiB):
        got = os.pread(fd, min(MiB, len(want) - at), start + at)
        check(got == want[at:at + MiB], lambda: f'{name}: differs in the MiB at {start + at:#x}')


def fill(guest, megabytes):
    """Pages of the guest's that had been nothing are something."""
    guest.run('mkdir -p /filled && mount -t tmpfs -o size=100% filled /filled && '
              f'dd if=/dev/zero bs=1M count={megabytes} 2>/dev/null | tr "\\000" x >/filled/it', 60 * LOOSE)


def unfill(guest):
    """The guest has given them back."""
    guest.run('umount /filled')


def cpu_seconds(pid):
    with open(f'/proc/{pid}/stat', encoding='utf-8', errors='replace') as file:
        words = file.read().rsplit(')', 1)[1].split()
    return (int(words[11]) + int(words[12])) / os.sysconf('SC_CLK_TCK')


def holds(pid):
    """What reading must leave as it was: RAM and page tables of the process, blocks of what backs the guest."""
    with open(f'/proc/{pid}/status', encoding='ascii', errors='replace') as file:
        found = {key: int(size) for key, size in re.findall(r'(?m)^(VmPTE|HugetlbPages):\s+(\d+)', file.read())}
    # Counted page by page: each processor keeps up to 128 kB of VmRSS to itself.
    with open(f'/proc/{pid}/smaps_rollup', encoding='ascii') as file:
        found['VmRSS'] = int(re.search(r'(?m)^Rss:\s+(\d+)', file.read())[1])
    for name in os.listdir(f'/proc/{pid}/fd'):
        with contextlib.suppress(OSError):
            path = f'/proc/{pid}/fd/{name}'
            entry = os.stat(path)
            if stat.S_ISREG(entry.st_mode) and entry.st_size >= 16 * MiB:
                with opened(path) as fd:
                    os.fsync(fd)  # a file system may count blocks of its own when it writes to disk
                    found['blocks of ' + name] = os.fstat(fd).st_blocks
    return found


def held_by(pid):
    """Names of what a process has mapped, or open."""
    with open(f'/proc/{pid}/maps', encoding='utf-8', errors='replace') as file:
        names = file.read()
    for one in os.listdir(f'/proc/{pid}/fd'):
        with contextlib.suppress(OSError):
            names += os.readlink(f'/proc/{pid}/fd/{one}') + '\n'
    return names


def leaves_as_it_is(guest, seen, names):
    """Reading all of these changes nothing of what holds the guest, which stands still."""
    before = holds(guest.pid)
    for name in names:
        size = os.stat(f'{seen}/{name}').st_size
        with within(20, f'{name}, {size >> 20} MB'):
            output('dd', f'if={seen}/{name}', 'of=/dev/null', 'bs=1M')
    for what, size in holds(guest.pid).items():
        # QEMU's own, when its monitor is asked
        check(abs(size - before[what]) <= (64 if what == 'VmRSS' else 0), f'{what}: {before[what]}, now {size}')


def kill_taking(source, seconds):
    """The server, so many seconds after it was told to take a snapshot of that guest."""
    path = folder()
    server = subprocess.Popen([programs['vmifs'], '-f', source, path], stdin=subprocess.DEVNULL)
    names = lambda: [name for name in os.listdir(path) if name != '.vmifs'] if is_mounted(path) else []
    wait_until(names, 'a guest is there', 10)
    taker = subprocess.Popen(['mkdir', f'{path}/{names()[0]}/snapshots/vain'], stderr=subprocess.DEVNULL)
    time.sleep(seconds)
    for one in (server, taker):
        one.kill()
        one.wait()
    if is_mounted(path):
        run('umount', '-l', path)
