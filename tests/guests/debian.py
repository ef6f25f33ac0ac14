# SPDX-License-Identifier: LGPL-2.1-or-later
#
# Debian's kernels for tests: fetched by apt with lists, cache and sources of its own below
# ${XDG_CACHE_HOME:-~/.cache}/vmifs-test, unpacked there, never installed.  Every failure is a `Failed` that
# says what to do; a missing tool names its package.

import contextlib
import fcntl
import gzip
import lzma
import os
import re
import shutil
import struct
import subprocess
import tempfile
import time

KEYRING = '/usr/share/keyrings/debian-archive-keyring.gpg'
MIRROR = 'http://deb.debian.org/debian'
# The packages that depend on the newest kernel, with the architecture's name in most.
FLAVOURS = {'cloud': 'linux-image-cloud-{}', 'generic': 'linux-image-{}', 'rt': 'linux-image-rt-{}',
            '16k': 'linux-image-{}-16k', '686': 'linux-image-686', '686-pae': 'linux-image-686-pae',
            'armmp': 'linux-image-armmp', 'armmp-lpae': 'linux-image-armmp-lpae'}
PACKAGES = {'qemu-system-x86_64': 'qemu-system-x86', 'gcc': 'gcc (and libc6-dev)', 'ldd': 'libc-bin',
            'apt-get': 'apt', 'apt-cache': 'apt', 'busybox': 'busybox-static', 'readelf': 'binutils',
            'qemu-system-aarch64': 'qemu-system-arm',
            'aarch64-linux-gnu-gcc': 'gcc-aarch64-linux-gnu (and libc6-dev-arm64-cross)',
            'qemu-system-riscv64': 'qemu-system-misc',
            'riscv64-linux-gnu-gcc': 'gcc-riscv64-linux-gnu (and libc6-dev-riscv64-cross)',
            'qemu-system-i386': 'qemu-system-x86', 'qemu-system-arm': 'qemu-system-arm',
            'i686-linux-gnu-gcc': 'gcc-i686-linux-gnu (and libc6-dev-i386-cross)',
            'arm-linux-gnueabihf-gcc': 'gcc-arm-linux-gnueabihf (and libc6-dev-armhf-cross)'}


class Failed(Exception):
    pass


class Missing(Failed):
    """Something that a Debian package would bring."""


def need(tool):
    path = shutil.which(tool)
    if not path:
        raise Missing(f'{tool} is not here: install the Debian package {PACKAGES.get(tool, tool)}')
    return path


def run(command, timeout=300, **kw):
    done = subprocess.run(command, stdin=kw.pop('stdin', subprocess.DEVNULL), stdout=subprocess.PIPE,
                          stderr=subprocess.STDOUT, timeout=timeout, check=False, **kw)
    if done.returncode:
        raise Failed(f'{command[0]}: exit status {done.returncode}: '
                     + done.stdout.decode(errors='replace')[-2000:])
    return done.stdout


def cache_dir():
    base = os.environ.get('XDG_CACHE_HOME') or os.path.expanduser('~/.cache')
    return os.path.join(base, 'vmifs-test')


@contextlib.contextmanager
def locked(path):
    """One at a time fetches or builds what others then find in the cache."""
    os.makedirs(os.path.dirname(path), exist_ok=True)
    with open(path + '.lock', 'w') as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield


def host_mirror():
    """The mirror that this host uses for Debian itself, or the public one."""
    texts = []
    for folder, _, names in os.walk('/etc/apt'):
        for name in names:
            if name.endswith(('.list', '.sources')):
                with contextlib.suppress(OSError), open(os.path.join(folder, name)) as file:
                    texts.append(file.read())
    for text in texts:
        text = re.sub(r'(?m)^\s*#.*', '', text)
        for uri in re.findall(r'(?:https?|file|mirror\+\S+?):/\S+?/debian/?(?=\s)', text + '\n'):
            return uri.rstrip('/')
    return MIRROR


class Apt:
    """apt with lists, cache and sources of its own; only the host's proxy settings are shared. for_host: what
    it fetches is run by this host, not by guests alone, and has to be signed."""

    def __init__(self, suite, max_age, say, arch='amd64', for_host=False):
        self.suite = suite
        self.arch = arch
        self.for_host = for_host
        self.max_age = max_age  # days that package lists stay good
        self.say = say
        self.dir = os.path.join(cache_dir(), f'apt-{suite}' + ('' if arch == 'amd64' else f'-{arch}'))
        for sub in ('lists/partial', 'cache/archives/partial'):
            os.makedirs(os.path.join(self.dir, sub), exist_ok=True)
        if not os.path.exists(KEYRING):
            raise Missing(f'{KEYRING} is not here: install the Debian package debian-archive-keyring')
        self.archives = ()  # that the lists are of: update() says which
        self.write('status', '')
        self.write('conf', f'''
            #clear DPkg; #clear APT::Update; #clear APT::Default-Release;
            Dir::State::lists "{self.dir}/lists"; Dir::State::status "{self.dir}/status";
            Dir::Cache "{self.dir}/cache"; Dir::Etc::sourcelist "{self.dir}/sources.list";
            Dir::Etc::sourceparts "/dev/null"; Dir::Etc::preferences "/dev/null";
            Dir::Etc::preferencesparts "/dev/null"; APT::Architecture "{arch}";
            APT::Architectures {{ "{arch}"; }}; APT::Sandbox::User "root";
            Acquire::Languages "none"; Acquire::Retries "3";
            '''.replace('; #', ';\n#').replace('; ', ';\n'))

    def write(self, name, text):
        with open(os.path.join(self.dir, name), 'w') as file:
            file.write(text)

    def use(self, *archives):
        mirror = host_mirror()
        signed = f'deb [signed-by={KEYRING}] {mirror}'
        lines = {'release': f'{signed} {self.suite} main',
                 'security': f'{signed}-security {self.suite}-security main',
                 # The release's index of packages, whether or not it is the one that was signed.
                 'index': f'deb [trusted=yes] {mirror} dists/{self.suite}/main/binary-{self.arch}/'}
        self.archives = archives
        self.write('sources.list', ''.join(lines[archive] + '\n' for archive in archives))

    def call(self, tool, *words, **kw):
        if 'index' in self.archives:
            words = ['-o', 'APT::Get::AllowUnauthenticated=true', *words]
        return run([need(tool), '-c', self.dir + '/conf', *words], **kw).decode()

    def update(self):
        """A mirror that is just being renewed answers with an index that does not fit: try again. Of some
        architectures it may stay like that for days; guests of tests do without the security archive, and
        without a signature: what is fetched is still what the index says, and runs in a guest."""
        stamp = os.path.join(self.dir, 'updated')
        with locked(stamp):
            with contextlib.suppress(OSError):
                archives = read(stamp).decode().split()
                if time.time() - os.stat(stamp).st_mtime < self.max_age * 86400 and archives and \
                        not (self.for_host and 'index' in archives):
                    self.archives = archives
                    return
            self.renew('release', *([] if self.suite in ('sid', 'unstable', 'experimental') else ['security']))

    def renew(self, *archives):
        self.use(*archives)
        self.say(f'apt-get update for {self.suite}')
        for attempt in range(5):
            try:
                # Error-Mode: without it apt is content with old lists and says nothing.
                self.call('apt-get', '-o', 'APT::Update::Error-Mode=any', 'update')
                self.write('updated', ' '.join(self.archives))
                return
            except Failed as error:
                if attempt == 4 or 'does not have a Release file' in str(error):
                    raise
                if attempt:
                    self.do_without(re.findall(r'(?m)^E: Failed to fetch (\S+)', str(error)))
                self.say(f'again: {error}')
                time.sleep(5 * (attempt + 1))

    def do_without(self, unfit):
        if not all('-security/' in uri for uri in unfit) and not self.for_host:
            self.use('index')
        elif unfit:
            self.use('release')

    def depends(self, package):
        text = self.call('apt-cache', 'show', '--no-all-versions', package)
        found = re.search(r'(?m)^Depends: (.*)', text)
        return [re.split(r'[ (|]', word.strip())[0] for word in found[1].split(',')] if found else []

    def kernel(self, flavour):
        """Unpacks the newest kernel; returns (folder, release). The security archive may list one that it has not:
        then the one of the release itself."""
        try:
            return self.newest(flavour)
        except Failed as error:
            if not re.search(r'-security/\S+\s+404 ', str(error)):
                raise
            self.say(f'without the security archive: {error}')
            self.renew('release')
            return self.newest(flavour)

    def newest(self, flavour):
        """Newer suites split it into packages."""
        known = os.path.join(self.dir, 'newest-' + flavour)  # of lists as old: apt takes seconds to say it again
        with locked(os.path.join(self.dir, 'kernel')):
            self.update()
            with contextlib.suppress(OSError):
                folder, release = read(known).decode().split('\n')
                if os.stat(known).st_mtime >= os.stat(self.dir + '/updated').st_mtime and os.path.exists(folder):
                    return folder, release
            meta = FLAVOURS[flavour].format(self.arch)
            image = [name for name in self.depends(meta) if re.match(r'linux-image-\d', name)]
            if not image:
                raise Failed(f'{self.suite}: {meta} depends on no linux-image package')
            release = image[0][len('linux-image-'):].removesuffix('-unsigned')
            version = re.search(r'(?m)^Version: (.*)', self.call('apt-cache', 'show', '--no-all-versions',
                                                                 image[0]))[1]
            folder = os.path.join(cache_dir(), 'kernels', f'{release}_{version}'.replace(':', '_'))
            if not os.path.exists(folder):
                wanted = image + [name for name in self.depends(image[0])
                                  if re.match(r'linux-(modules|binary|base)-\d', name)]
                self.say(f'fetching {" ".join(wanted)} {version}')
                os.makedirs(os.path.dirname(folder), exist_ok=True)
                with tempfile.TemporaryDirectory(dir=os.path.dirname(folder)) as part:
                    self.unpack(wanted, part)
                    os.rename(part + '/tree', folder)
            self.write('newest-' + flavour, f'{folder}\n{release}')
        return folder, release

    def debug(self, release):
        """That kernel as it was linked, out of its package of debug information, which is 300 MB and more; without
        .BTF, so that what is read is DWARF."""
        path = os.path.join(cache_dir(), 'debug', f'vmlinux-{release}')
        with locked(path):
            if not os.path.exists(path):
                self.update()
                self.say(f'fetching debug information of {release}')
                with tempfile.TemporaryDirectory(dir=os.path.dirname(path)) as part:
                    self.call('apt-get', 'download', f'linux-image-{release}-dbg', cwd=part, timeout=1800)
                    deb, = os.listdir(part)
                    run(['sh', '-c', 'dpkg --fsys-tarfile "$0" | tar -x --wildcards "./usr/lib/debug/boot/vmlinux-*"',
                         deb], cwd=part, timeout=900)
                    found = find_file(part, r'usr/lib/debug/boot/vmlinux-.*')
                    hide_section(found, b'.BTF')
                    os.rename(found, path)
        return path

    def unpack(self, wanted, folder):
        """Those packages into folder/tree."""
        os.makedirs(folder + '/deb')
        self.call('apt-get', 'download', *wanted, cwd=folder + '/deb', timeout=900)
        for deb in os.listdir(folder + '/deb'):
            run([need('dpkg'), '-x', f'{folder}/deb/{deb}', folder + '/tree'])


def hide_section(path, name):
    """Of an ELF file of 64 bits: as if that section had no bytes in it (objcopy does not do that where relocations
    speak of it)."""
    with open(path, 'r+b') as elf:
        head = elf.read(64)
        start, = struct.unpack_from('<Q', head, 40)
        size, count, names = struct.unpack_from('<HHH', head, 58)
        elf.seek(start)
        table = elf.read(size * count)
        strings, = struct.unpack_from('<Q', table, names * size + 24)
        for i in range(count):
            elf.seek(strings + struct.unpack_from('<I', table, i * size)[0])
            if elf.read(len(name) + 1) == name + b'\0':
                elf.seek(start + i * size + 4)
                elf.write(struct.pack('<I', 8))  # SHT_NOBITS


def find_file(folder, pattern):
    for where, dirs, names in os.walk(folder):
        dirs.sort()
        for name in sorted(names):
            if re.fullmatch(pattern, os.path.relpath(os.path.join(where, name), folder)):
                return os.path.join(where, name)
    raise Failed(f'{folder} has no file {pattern}')


def read(path):
    with open(path, 'rb') as file:
        return file.read()


def unpack(data, what):
    """Whatever Debian compresses kernels and modules with."""
    if data[:6] == b'\xfd7zXZ\0':
        return lzma.LZMADecompressor(lzma.FORMAT_XZ).decompress(data)
    if data[:2] == b'\x1f\x8b':
        return gzip.decompress(data)
    tool = {b'\x28\xb5\x2f\xfd': 'zstd', b'\x02\x21\x4c\x18': 'lz4'}.get(data[:4])
    if tool:
        done = subprocess.run([need(tool), '-dc'], input=data, capture_output=True, check=False,
                              timeout=120)
        if done.stdout:  # bytes may follow the stream: the tool then complains after its work
            return done.stdout
    raise Failed(f'{what}: compressed with something unknown ({data[:6].hex()})')


def vmlinuz(folder):
    """Old packages have it in /boot, new ones beside the modules; some do not compress it."""
    return find_file(folder, r'boot/vmlinu[xz]-.*|(usr/)?lib/modules/[^/]+/vmlinuz')


def vmlinux(folder):
    """The kernel proper out of a bzImage, by the header's own words about where it lies."""
    path = vmlinuz(folder)
    image = read(path)
    if image[0x202:0x206] != b'HdrS':
        raise Failed(f'{path} is no bzImage')
    offset, length = struct.unpack_from('<II', image, 0x248)
    start = (image[0x1f1] + 1) * 512 + offset
    # The last four bytes are the unpacked size, which xz would take for garbage.
    return unpack(image[start:start + length], path)


def modules(folder, release, wanted):
    """[(name, parameters, ELF)] in loading order; what the kernel has built in is left out."""
    base = os.path.dirname(find_file(folder, rf'(usr/)?lib/modules/{re.escape(release)}/modules\.builtin'))
    builtin = {os.path.basename(line).split('.')[0].replace('-', '_')
               for line in read(base + '/modules.builtin').decode().split()}
    paths = {}
    for where, _, names in os.walk(base):
        for name in names:
            if '.ko' in name:
                paths[name.split('.ko')[0].replace('-', '_')] = os.path.join(where, name)
    done = []

    def add(name, parameters):
        if name in builtin or name in [item[0] for item in done]:
            return
        if name not in paths:
            raise Failed(f'the kernel {release} has no module {name}')
        data = read(paths[name])
        if data[:4] != b'\x7fELF':
            data = unpack(data, paths[name])
        for other in re.search(rb'\0depends=([^\0]*)\0', data)[1].decode().split(','):
            if other:
                add(other.replace('-', '_'), '')
        done.append((name, parameters, data))

    for name, parameters in wanted.items():
        add(name, parameters)
    return done
