# SPDX-License-Identifier: LGPL-2.1-or-later
#
# Real guests that run, in QEMU without KVM, for tests of what vmifs shows of them.
#
#     from mountlib import *
#     import livelib
#     guest = livelib.guest(memory='memfd')      # one of these options that runs; booted where none does
#     guest.run('cat /proc/1/comm')              # bytes, from a shell in the guest; Failed if it fails
#     with mounted(f'pid:{guest.pid}') as mount: …
#     with livelib.Guest(firmware=True) as own:  # one that no other test shall see afterwards
#         own.kill()
#
# Options, with what they are if not given:
#     arch='amd64'      Debian's name of it, or what VMIFS_TEST_ARCH says; of another one (arches.py) the machine
#                       is the one that it has
#     machine='pc'      or 'q35', 'microvm' (no actors there: their disk needs PCI)
#     mem=256           MB
#     memory=None       or 'memfd', 'file', 'private-file', 'hugetlb' (within hugepages())
#     numa=False        two nodes, each with a half
#     dimms=0           slots; guest.plug(MB) fills one
#     vmcoreinfo=False  whether the kernel can tell QEMU where its VMCOREINFO is
#     smp=1, suite='bookworm', append=''
#     cpu=''            QEMU's model, if not the architecture's usual one
#     flavour=''        of kernel, likewise
#     monitor=True      a QMP socket that vmifs may use: guest.monitor
#     name=None         QEMU's -name
#     paused=False      not yet started: guest.qmp.call('cont')
#     incoming=False    nothing runs in it until another one is migrated here
#     firmware=False    no kernel: stays in the firmware
#     program=None      another name for QEMU, as distributions have them
#     words=''          more words for QEMU
#     modules=''        of the kernel, loaded by init
#     kexec=False       kernel and initrd lie in its /boot, and `kexec` boots them
#     apart=False       in pid and mount namespaces of its own, where alone its folder is to be seen
#     folder=None       a folder of the test's for its files
#     accel='tcg'       or 'auto': KVM where that boots it
#     actors=False      with make-guest's processes in odd states, and a disk for what they tell: guest.truth()
#
# guest.qmp is a monitor of the test's own (no path, so that nobody else can take it), guest.pid QEMU's
# process.  Everything lives in the test's folder and its namespaces; QEMU ends with the test, however that
# ends.  At most two guests of guest() run at a time: the one not asked for the longest makes room.

import atexit
import collections
import contextlib
import os
import random
import re
import signal
import socket
import subprocess
import sys
import tempfile
import threading
import time

HERE = os.path.dirname(os.path.realpath(__file__))
sys.path.append(os.path.join(HERE, '..', 'guests'))
import mountlib  # pylint: disable=wrong-import-position
from arches import ARCHES, programs  # pylint: disable=wrong-import-position
from debian import Apt, modules, need, vmlinuz  # pylint: disable=wrong-import-position
import parts  # pylint: disable=wrong-import-position

HOURS = 'hours' in os.environ.get('VMIFS_LIVE', '')  # everything, and more often
# On a machine that has much else to do.
BOOT_SECONDS = 180 * max(1, float(os.environ.get('VMIFS_TEST_SLOWNESS', '1')) / 3)
HUGE = '/sys/kernel/mm/hugepages/hugepages-2048kB/nr_hugepages'
SPARE = 'dummy'  # a module that lies in every guest, and is not loaded
Known = collections.namedtuple('Known', 'pid page name area divide')  # what guests/guest/known.c tells of itself
DEFAULTS = {'arch': os.environ.get('VMIFS_TEST_ARCH', 'amd64'), 'machine': 'pc', 'mem': 256, 'memory': None, 'numa': False, 'dimms': 0, 'vmcoreinfo': False,
            'smp': 1, 'cpu': '', 'flavour': '', 'suite': 'bookworm', 'append': '', 'monitor': True, 'name': None,
            'paused': False, 'accel': 'tcg', 'firmware': False, 'actors': False, 'program': None, 'words': '', 'modules': '', 'kexec': False, 'apart': False,
            'folder': None, 'incoming': False}


class Console:
    """The guest's serial port, at whose other end a shell runs what it is sent (guests/guest/console.c)."""

    def __init__(self, sock):
        self.sock = sock
        self.seen = b''  # not yet used
        self.tail = b''  # of all that came, for messages

    def until(self, pattern, seconds):
        """What came before the pattern, and the match."""
        end = time.monotonic() + seconds
        while not (found := re.search(pattern, self.seen)):
            self.more(end, f'nothing like {pattern!r} within {seconds} s')
        before, self.seen = self.seen[:found.start()], self.seen[found.end():]
        return before, found

    def more(self, end, what):
        left = end - time.monotonic()
        data = b''
        if left > 0:
            self.sock.settimeout(left)
            with contextlib.suppress(TimeoutError, ConnectionError):
                data = self.sock.recv(1 << 16)
        mountlib.check(data, lambda: f'console: {what}; last: {self.tail[-1500:].decode(errors="replace")}')
        self.seen += data
        self.tail = (self.tail + data)[-4000:]

    def send(self, script):
        data = script.encode() + b'\n'
        self.sock.sendall(b'%d\n%b' % (len(data), data))

    def run(self, script, seconds):
        """(exit status, output)"""
        self.sock.settimeout(seconds)
        self.send(script)
        end = time.monotonic() + seconds
        _, found = self.until(rb'\n=(\d+) (\d+)\n', seconds)
        status, length = int(found[1]), int(found[2])
        while len(self.seen) < length:
            self.more(end, f'{len(self.seen)} of {length} bytes within {seconds} s')
        answer, self.seen = self.seen[:length], self.seen[length:]
        return status, answer


class Guest:
    def __init__(self, **options):
        unknown = set(options) - set(DEFAULTS)
        mountlib.check(not unknown, f'no such options of a guest: {unknown}')
        self.options = {**DEFAULTS, **options}
        self.arch = ARCHES[self.options['arch']]
        self.folder = self.options['folder'] or mountlib.folder()
        self.slots = 0
        self.inner = self.folder
        if self.options['apart']:
            self.inner += '/inner'
            os.mkdir(self.inner)
        self.monitor = f'{self.inner}/qmp' if self.options['monitor'] else None
        self.disk = f'{self.folder}/truth.tar' if self.options['actors'] else None
        tried = parts.accels(self.options['accel'])
        for accel in tried:
            self.options['accel'] = accel
            try:
                self.start_qemu(BOOT_SECONDS if accel == tried[-1] else parts.KVM_SECONDS)
                break
            except mountlib.Failed:
                if accel == tried[-1]:
                    raise

    def start_qemu(self, seconds):
        program = need(self.arch.qemu)
        if self.options['program']:
            os.symlink(program, f'{self.folder}/{self.options["program"]}')
            program = f'{self.folder}/{self.options["program"]}'
        self.command = [program, *self.arguments()]
        if self.options['apart']:
            self.command = ['unshare', '--mount', '--pid', '--fork', '--kill-child', 'sh', '-c',
                            'mount -t tmpfs inner "$1" && shift && exec "$@"', 'sh', self.inner, *self.command]
        console, console_end = socket.socketpair()
        own, own_end = socket.socketpair()
        for option, chardev, end in (('-serial', 'console', console_end), ('-mon', 'own', own_end)):
            self.command += ['-chardev', f'socket,id={chardev},fd={end.fileno()}', option,
                             f'chardev:{chardev}' if option == '-serial' else f'chardev={chardev},mode=control']
        with open(self.folder + '/qemu.log', 'wb') as log:
            self.process = subprocess.Popen(self.command, stdin=subprocess.DEVNULL, stdout=log, stderr=log,
                                            pass_fds=(console_end.fileno(), own_end.fileno()),
                                            preexec_fn=parts.die_with_parent)
        console_end.close()
        own_end.close()
        self.pid = self.process.pid
        self.console = Console(console)
        if self.options['apart']:
            self.pid = only_child(self.pid)
        try:
            self.qmp = parts.Qmp(own)
            if not any(self.options[word] for word in ('firmware', 'paused', 'incoming')):
                self.wait_console(seconds)
        except BaseException as problem:
            self.end()
            with open(self.folder + '/qemu.log', encoding='utf-8', errors='replace') as log:
                raise mountlib.Failed(f'{" ".join(self.command)}: {problem}\n{log.read()}') from problem

    # What it consists of ---------------------------------------------------------------------------

    def backing(self, name, size):
        """-object of so many MB."""
        kind = {None: 'ram', 'memfd': 'memfd,share=on', 'hugetlb': 'memfd,share=on,hugetlb=on,hugetlbsize=2M',
                'file': f'file,share=on,mem-path={self.folder}/{name}',
                'private-file': f'file,share=off,mem-path={self.folder}/{name}'}[self.options['memory']]
        return f'memory-backend-{kind},id={name},size={size}M'

    def arguments(self):
        of = self.options
        machine, mem = of['machine'], of['mem']
        if self.arch.machine:
            machine = self.arch.machine[1]
        words = ['-accel', of['accel'], '-cpu', of['cpu'] or self.arch.cpu, '-smp', str(of['smp']), '-nodefaults', '-no-user-config',
                 '-display', 'none', '-m', f'{mem}M' + (f',slots={of["dimms"]},maxmem={mem + 4096}M'
                                                        if of['dimms'] else '')]
        if of['name'] is not None:
            words += ['-name', of['name']]
        if of['numa']:
            for node in range(2):
                words += ['-object', self.backing(f'node{node}', mem // 2), '-numa', f'node,memdev=node{node}']
        elif of['memory']:
            words += ['-object', self.backing('mem', mem)]
            machine += ',memory-backend=mem'
        if machine.startswith('microvm'):
            machine += ',acpi=off'  # without it Debian's kernels find no timer
        words += ['-machine', machine]
        if of['vmcoreinfo']:
            words += ['-device', 'vmcoreinfo']
        if of['paused']:
            words += ['-S']
        if of['incoming']:
            words += ['-incoming', 'defer']
        if self.monitor:
            words += ['-qmp', f'unix:{self.monitor},server=on,wait=off']
        words += of['words'].split()
        if self.disk:
            with open(self.disk, 'wb') as disk:
                disk.truncate(4 << 30)
            words += ['-drive', f'file={self.disk},if=none,id=truth,format=raw,cache=unsafe',
                      '-device', 'virtio-blk-pci,drive=truth', *parts.NETWORK]
        if not of['firmware']:
            apt = Apt(of['suite'], 1, lambda text: None, self.arch.debian)
            kernel, release = apt.kernel(of['flavour'] or self.arch.flavour)
            self.make_initrd(kernel, release)
            words += ['-kernel', vmlinuz(kernel), '-initrd', self.folder + '/initrd', '-append',
                      f'console={self.arch.console} quiet panic=-1 {self.arch.append} {of["append"]}'.strip()]
        return words

    def make_initrd(self, kernel, release, within=None):
        cpio = parts.Cpio(self.folder + '/initrd')
        actors = self.options['actors']
        own = programs(self.arch, lambda text: None)
        if within:
            for name, data in within.items():
                cpio.put(name, 0o100755, data)
        parts.add_base(cpio, 'init' if actors else 'init-live', own)
        if actors:
            parts.add_actors(cpio, own, touch_mb=4, crowd=0, odd_memory=0, live=1)
        words = self.options['modules'] + (' qemu_fw_cfg' if self.options['vmcoreinfo'] else '')
        wanted = {**(parts.MODULES if actors else {}), **dict.fromkeys(words.split(), '')}
        parts.add_modules(cpio, modules(kernel, release, wanted))
        if SPARE not in wanted:
            cpio.put(f'lib/modules/{SPARE}.ko', 0o100644, modules(kernel, release, {SPARE: ''})[-1][2])
        cpio.close()
        if self.options['kexec'] and not within:
            self.make_initrd(kernel, release, {'boot/vmlinuz': parts.read(vmlinuz(kernel)),
                                               'boot/initrd': parts.read(self.folder + '/initrd'),
                                               'usr/bin/kexec': parts.read(parts.build('kexec', '-static'))})

    # What it does ----------------------------------------------------------------------------------

    def wait_console(self, seconds=BOOT_SECONDS):
        """Its first, or after a reboot the next."""
        self.console.until(rb'vmifs-guest: console\r?\n', seconds)

    def run(self, script, seconds=60):
        status, answer = self.console.run(script, seconds)
        mountlib.check(status == 0, lambda: f'in the guest: {script}: exit status {status}: {answer!r}')
        return answer

    def start(self, command):
        """In the background; its pid in the guest."""
        return int(self.run(f'setsid {command} >/dev/null 2>&1 & echo $!'))

    def counting(self, name):
        """Starts that one of guests/guest/restless.c if none runs: what it tells."""
        told = self.run(f'kill -0 $(cut -d" " -f1 /run/{name} 2>/dev/null) 2>/dev/null || {{ rm -f /run/{name}; setsid restless {name} & }} \n'
                        f'until cat /run/{name} 2>/dev/null; do sleep 0.05; done')
        return tuple(int(word, 0) for word in told.split())

    def tick(self):
        """The counting word: (pid, virtual address, physical address)."""
        return self.counting('tick')

    def known(self, number, *what):
        """A process of guests/guest/known.c that waits to do that."""
        told = self.run(f'rm -f /run/known*; mkfifo /run/known.done; setsid known {number} {" ".join(what)} >/dev/null 2>&1 & \n'
                        'until [ -e /run/known ]; do sleep 0.05; done; cat /run/known')
        return Known(*(int(word, 0) for word in told.split()))

    def let(self, known, seconds=60):
        """It does it, and nothing else is done meanwhile."""
        self.run(f'kill -USR1 {known.pid}; read done </run/known.done', seconds)

    def reboot(self):
        """The word at `console` comes anew: call wait_console()."""
        self.console.send('reboot -f')

    def plug(self, size, after=0):
        """A module of so many MB into the next free slot, so many seconds after its memory has come."""
        name = f'dimm{self.slots}'
        self.slots += 1
        kind, *settings = self.backing(name, size).split(',')
        given = dict(word.split('=') for word in settings if not word.startswith(('id', 'size')))
        given = {key: {'on': True, 'off': False, '2M': 2 << 20}.get(value, value) for key, value in given.items()}
        self.qmp.call('object-add', **{'qom-type': kind, 'id': name, 'size': size << 20, **given})
        time.sleep(after)
        self.qmp.call('device_add', driver='pc-dimm', id='plugged' + name, memdev=name)

    def unplug(self, number):
        self.qmp.call('device_del', id=f'pluggeddimm{number}')

    def truth(self, target):
        """Lets the guest tell of itself (twice) into that folder, as make-guest has it."""
        self.console.send(f'setsid collect /dev/vda >/dev/{self.arch.console} 2>&1 &')
        self.console.until(rb'vmifs-guest: ready', 2 * BOOT_SECONDS)
        parts.save_truth(self.disk, target + '/truth')

    def status(self):
        return self.qmp.call('query-status')['status']

    def freeze(self):
        """A hung QEMU: SIGSTOP."""
        os.kill(self.pid, signal.SIGSTOP)

    def thaw(self):
        os.kill(self.pid, signal.SIGCONT)

    def alive(self):
        return self.process.poll() is None

    def kill(self):
        self.process.kill()
        self.process.wait()

    end = kill

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.end()


def only_child(pid):
    """Once it has one that runs something else."""
    def found():
        with open(f'/proc/{pid}/task/{pid}/children', encoding='ascii') as file:
            children = file.read().split()
        with contextlib.suppress(OSError):
            return children and 'qemu' in os.readlink(f'/proc/{children[0]}/exe') and int(children[0])
        return None
    mountlib.wait_until(found, 'QEMU runs', 20)
    return found()


# How long a guest stands still --------------------------------------------------------------------

# In ms: without a count while it is done, of that before p99 and the longest, and between QEMU's STOP and RESUME.
Standstill = collections.namedtuple('Standstill', 'longest usual before stamps')


def gaps(memory, address, going):
    """For how long the word there stood still, each time, while going(): sorted seconds."""
    found, last, since = [], None, time.monotonic()
    while going():
        word, now = os.pread(memory, 8, address), time.monotonic()
        if word != last:
            found.append(now - since)
            last, since = word, now
    return sorted(found[1:])


def standstill(guest, do, seconds):
    """Of its counting word as the host sees it, so many seconds before do() and while it is done."""
    pid, _, place = guest.tick()
    address = int(re.search(r'is (0x[0-9a-f]+)', guest.qmp.human(f'gpa2hva {place:#x}'))[1], 16) + 16
    memory = os.open(f'/proc/{guest.pid}/mem', os.O_RDONLY)
    try:
        end = time.monotonic() + seconds
        before = gaps(memory, address, lambda: time.monotonic() < end)
        guest.qmp.call('query-status')
        guest.qmp.events.clear()
        doer = threading.Thread(target=do)
        doer.start()
        during = gaps(memory, address, doer.is_alive)
        doer.join()
    finally:
        os.close(memory)
        guest.run(f'kill {pid}')  # what is measured next shall have an idle guest
    guest.qmp.call('query-status')
    stamps = [one['timestamp']['seconds'] * 1000 + one['timestamp']['microseconds'] / 1000
              for one in guest.qmp.events if one['event'] in ('STOP', 'RESUME')]
    mountlib.equal(len(stamps), 2, 'STOP and RESUME')
    return Standstill(during[-1] * 1000, before[len(before) * 99 // 100] * 1000, before[-1] * 1000, stamps[1] - stamps[0])


# Those that tests share ---------------------------------------------------------------------------

running = {}  # options: guest, the last used at the end


def guest(**options):
    key = tuple(sorted(options.items()))
    found = running.pop(key, None)
    if found and not found.alive():
        found = None
    if not found:
        while len(running) >= 2:
            running.pop(next(iter(running))).end()
        found = Guest(**options)
    running[key] = found
    return found


def end_all():
    while running:
        running.popitem()[1].end()


atexit.register(end_all)


@contextlib.contextmanager
def hugepages(megabytes):
    """So much is there; what had to be reserved is given back."""
    before = wanted = 0
    try:
        with open(HUGE, encoding='ascii') as file:
            before = int(file.read())
        wanted = before + megabytes // 2
        with open(HUGE, 'w', encoding='ascii') as file:
            file.write(f'{wanted}\n')
        with open(HUGE, encoding='ascii') as file:
            enough = int(file.read()) >= wanted
    except OSError:
        enough = False
    try:
        if not enough:
            raise mountlib.Skipped(f'this machine has no {megabytes} MB for huge pages')
        yield
    finally:
        if wanted:
            with contextlib.suppress(OSError), open(HUGE, 'w', encoding='ascii') as file:
                file.write(f'{before}\n')


def dice():
    """For moments nobody chose."""
    return random.Random(os.environ.get('VMIFS_SEED', str(os.getpid())))


@contextlib.contextmanager
def asking(script):
    """That script runs again and again, whatever becomes of what it asks."""
    one = subprocess.Popen(['sh', '-c', f'while :; do {script}; done >/dev/null 2>&1'], start_new_session=True)
    try:
        yield
    finally:
        os.killpg(one.pid, signal.SIGKILL)
        one.wait()


@contextlib.contextmanager
def alone():
    """For programs that are no tests: a folder for what guests need."""
    with tempfile.TemporaryDirectory(prefix='vmifs-live-') as path:
        mountlib.work = path
        try:
            yield
        finally:
            end_all()
