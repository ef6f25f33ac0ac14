# SPDX-License-Identifier: LGPL-2.1-or-later
#
# A libvirt daemon of the test's own, at the place of the host's: its folders are empty ones of the
# test's mount namespace, so that neither knows of the other.  QEMU runs under the name of root, or, as
# distributions have it, as another user with a mount namespace of its own; with -sandbox in both cases.
#
#     with libvirtlib.Daemon() as daemon:
#         daemon.create('web', memory='memfd')       # runs; firmware only
#         daemon.create('db', linux=True, disk=32)   # with a kernel; its console: .console('db')
#         daemon.freeze() … daemon.thaw() … daemon.kill() … daemon.start()
#         daemon.destroy('web')

import contextlib
import os
import re
import shutil
import signal
import socket
import struct
import subprocess
import threading
import time

import livelib
import mountlib
from mountlib import output, run, wait_until

FOLDERS = ('/etc/libvirt', '/run', '/var/lib/libvirt', '/var/cache/libvirt', '/var/log/libvirt')
URI = 'qemu:///system'
PORT = 16599
FAR = f'qemu+tcp://localhost:{PORT}/system'
USER = 'libvirt-qemu'
ID = 64055  # what Debian gives to it
BACKING = {None: '', 'memfd': "<memoryBacking><source type='memfd'/><access mode='shared'/></memoryBacking>"}


def add_line(path, line, old):
    """In this namespace that file has one more."""
    copy = '/run/' + os.path.basename(path)
    with open(path, encoding='utf-8') as file:
        text = file.read()
    if line.split(':')[0] + ':' in text:
        return
    with open(copy, 'w', encoding='utf-8') as file:
        file.write(text + line + '\n')
    output('mount', '--bind', copy, path)
    old.append(path)


def bury():
    """A QEMU of libvirt becomes a child of process 1 of its pid namespace, which is the test; until somebody
    waits for one that has ended, libvirt does."""
    while True:
        for task in os.listdir('/proc/self/task'):
            with contextlib.suppress(OSError), open(f'/proc/self/task/{task}/children', encoding='ascii') as file:
                for pid in map(int, file.read().split()):
                    if b') Z ' in (stat := mountlib.read(f'/proc/{pid}/stat')) and b'(qemu' in stat:
                        os.waitpid(pid, 0)
        time.sleep(0.05)


def empty_qcow2(size):
    """Four clusters: the header, the table of reference counts, one block of them, the L1 table.
    Source: QEMU, docs/interop/qcow2.txt."""
    cluster = 1 << 16
    parts = [struct.pack('>4sIQIIQIIQQIIQ', b'QFI\xfb', 2, 0, 0, 16, size, 0, 1, 3 * cluster, cluster, 1, 0, 0),
             struct.pack('>Q', 2 * cluster), struct.pack('>4H', 1, 1, 1, 1), b'']
    return b''.join(part.ljust(cluster, b'\0') for part in parts)


class Daemon:
    def __init__(self, production=False, listens=False):
        livelib.need('libvirtd')
        livelib.need('virsh')
        self.production = production
        self.words = ['--listen'] if listens else []
        self.covered = []
        self.process = self.initrd = None
        self.consoles = {}
        for path in FOLDERS:
            if not os.path.isdir(path):
                os.makedirs(path)
            output('mount', '-t', 'tmpfs', '-o', 'mode=755', 'libvirt', path)
            self.covered.append(path)
        add_line('/etc/passwd', f'{USER}:x:{ID}:{ID}::/var/lib/libvirt:/usr/sbin/nologin', self.covered)
        add_line('/etc/group', f'{USER}:x:{ID}:', self.covered)
        add_line('/etc/group', 'kvm:x:64056:', self.covered)
        user = USER if production else 'root'
        namespaces = '"mount"' if production else ''
        with open('/etc/libvirt/qemu.conf', 'w', encoding='ascii') as file:
            file.write(f'user = "{user}"\ngroup = "{user}"\nsecurity_driver = "none"\ncgroup_controllers = [ ]\n'
                       f'namespaces = [ {namespaces} ]\nstdio_handler = "file"\n')
        with open('/etc/libvirt/libvirtd.conf', 'w', encoding='ascii') as file:
            file.write('auth_unix_ro = "none"\nauth_unix_rw = "none"\n')
            if listens:
                file.write(f'listen_tls = 0\nlisten_tcp = 1\nauth_tcp = "none"\nlisten_addr = "127.0.0.1"\n'
                           f'tcp_port = "{PORT}"\n')
        threading.Thread(target=bury, daemon=True).start()
        self.start()

    def start(self):
        with open(mountlib.in_work('libvirtd.log'), 'ab') as log:
            self.process = subprocess.Popen(['libvirtd', *self.words], stdin=subprocess.DEVNULL, stdout=log, stderr=log)
        wait_until(lambda: run('virsh', '-c', URI, 'version').returncode == 0, 'libvirtd answers', 30)

    def virsh(self, *words, **kw):
        return output('virsh', '-q', '-c', URI, *words, **kw).decode()

    def linux(self):
        """What to boot, made once, where any user may read it, and libvirt make it somebody else's: (kernel, initrd)"""
        if not self.initrd:
            kernel, release = livelib.Apt('bookworm', 1, lambda text: None).kernel('cloud')
            maker = livelib.Guest.__new__(livelib.Guest)
            maker.arch = livelib.ARCHES['amd64']
            maker.options = {**livelib.DEFAULTS, 'modules': 'virtio_pci virtio_blk'}
            maker.folder = '/var/lib/libvirt'
            maker.make_initrd(kernel, release)
            self.initrd = shutil.copy(livelib.vmlinuz(kernel), maker.folder + '/vmlinuz'), maker.folder + '/initrd'
            for path in self.initrd:
                os.chmod(path, 0o644)
        return self.initrd

    def create(self, name, memory=None, mem=64, linux=False, disk=0, uuid=None, form='raw'):
        """disk: MB; with form='qcow2' it has room for snapshots."""
        system = devices = ''
        if linux:
            kernel, initrd = self.linux()
            mem = max(mem, 256)
            system = (f'<kernel>{kernel}</kernel><initrd>{initrd}</initrd>'
                      '<cmdline>console=ttyS0 quiet panic=-1 no_timer_check</cmdline>')
            devices = f"<serial type='unix'><source mode='bind' path='/var/lib/libvirt/qemu/{name}.console'/></serial>"
        if disk:
            with open(f'/var/lib/libvirt/{name}.img', 'wb') as file:
                if form == 'qcow2':
                    file.write(empty_qcow2(disk << 20))
                else:
                    file.truncate(disk << 20)
            devices += (f"<disk type='file' device='disk'><driver name='qemu' type='{form}'/>"
                        f"<source file='/var/lib/libvirt/{name}.img'/><target dev='vda' bus='virtio'/></disk>")
        named = f'<name>{name}</name>' + (f'<uuid>{uuid}</uuid>' if uuid else '')
        path = mountlib.in_work(name + '.xml')
        with open(path, 'w', encoding='utf-8') as file:
            file.write(f"<domain type='qemu'>{named}<memory unit='MiB'>{mem}</memory><vcpu>1</vcpu>"
                       f"{BACKING[memory]}<os><type arch='x86_64' machine='pc'>hvm</type>{system}</os><features><acpi/><apic/></features>"
                       f"<devices><emulator>{livelib.need('qemu-system-x86_64')}</emulator>{devices}</devices></domain>")
        self.virsh('create', path)

    def console(self, name):
        """A shell in it, once it has booted."""
        if name not in self.consoles:
            sock = socket.socket(socket.AF_UNIX)
            sock.connect(f'/var/lib/libvirt/qemu/{name}.console')
            console = self.consoles[name] = livelib.Console(sock)
            sock.sendall(b'\n')
            console.until(rb'vmifs-guest: console\r?\n', livelib.BOOT_SECONDS)
        return self.consoles[name]

    def destroy(self, name):
        self.virsh('destroy', name)

    def pid(self, name):
        return int(mountlib.read(f'/run/libvirt/qemu/{name}.pid'))

    def freeze(self):
        os.kill(self.process.pid, signal.SIGSTOP)

    def thaw(self):
        os.kill(self.process.pid, signal.SIGCONT)

    def kill(self):
        """The daemon; its guests live on."""
        self.process.kill()
        self.process.wait()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        """Also what is of no use any more: guests of a daemon that cannot be asked."""
        self.kill()
        for name in os.listdir('/run/libvirt/qemu') if os.path.isdir('/run/libvirt/qemu') else []:
            if found := re.fullmatch(r'(.*)\.pid', name):
                try:
                    os.kill(self.pid(found[1]), signal.SIGKILL)
                except (OSError, ValueError):
                    pass
        time.sleep(0.1)
        for path in reversed(self.covered):
            output('umount', '-l', path)
