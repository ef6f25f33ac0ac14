# SPDX-License-Identifier: LGPL-2.1-or-later
#
# What a test of real mounts stands on.  As root a test lives in mount and pid namespaces of its own, so
# that whatever it does, nothing stays mounted or running.  Functions marked @test are sentences; main()
# runs them and prints TAP.  From the environment: VMIFS, the program; VMIFS_AS=user, then all that
# follows the preparations is done by an ordinary user; VMIFS_OPTIONS, -o words for every mount.

import contextlib
import os
import pwd
import random
import re
import shutil
import signal
import stat
import subprocess
import sys
import tempfile
import time
import traceback

programs = {
    'vmifs': os.environ.get('VMIFS', 'vmifs'),
    'vmifs-run': os.environ.get('VMIFS_RUN', 'vmifs-run'),
    'mount.vmifs': os.path.realpath(os.path.dirname(os.path.realpath(__file__)) + '/../../mount.vmifs'),
}
USER = 'nobody'  # the ordinary user, where a test needs one
os.environ.setdefault('VMIFS_CACHE_DIR', 'none')  # nothing is known from an earlier run
OPTIONS = [word for word in os.environ.get('VMIFS_OPTIONS', '').split(',') if word]
MiB = 1 << 20

tests = []
work = None  # a folder that is gone afterwards


class Failed(Exception):
    pass


class Skipped(Exception):
    """This machine cannot do that. tests/run counts it with those that failed."""


def test(function):
    tests.append(function)
    return function


def test_if(condition):
    """There is no such test where it has no meaning."""
    return test if condition else lambda function: function


def check(truth, text):
    if not truth:
        raise Failed(text() if callable(text) else text)


def equal(seen, wanted, what):
    check(seen == wanted, lambda: f'{what}: {seen!r}, not {wanted!r}')


def wait_until(condition, what, seconds=10):
    end = time.monotonic() + seconds
    while not condition():
        check(time.monotonic() < end, f'{what}: not within {seconds} s')
        time.sleep(0.01)


def until_it_waits(*processes, seconds=10):
    """Until each has been in one and the same system call for a tenth of a second."""
    calls = [(None, 0)] * len(processes)
    end = time.monotonic() + seconds
    while True:
        now = time.monotonic()
        for i, process in enumerate(processes):
            equal(process.poll(), None, f'{process.args} waits: its exit status')
            try:
                call = read(f'/proc/{process.pid}/syscall')
            except PermissionError:  # it has not quite begun its program: it is still the test, which changed its user
                call = b'running\n'
            if call != calls[i][0]:
                calls[i] = (call, now)
        if all(call != b'running\n' and now - since > 0.1 for call, since in calls):
            return
        check(now < end, f'they do not wait within {seconds} s')
        time.sleep(0.01)


# Commands -----------------------------------------------------------------------------------------

def is_root():
    return os.getuid() == 0


def run(*command, user=None, timeout=60, env=None, **kw):
    """Output and exit status. user: somebody else than who runs the test, who then is root."""
    kw.setdefault('stdin', subprocess.DEVNULL)
    kw.setdefault('stdout', subprocess.PIPE)
    kw.setdefault('stderr', subprocess.PIPE)
    prefix = ['setpriv', '--reuid', user, '--regid', 'nogroup', '--clear-groups'] if user else []
    return subprocess.run([*prefix, *command], timeout=timeout, check=False,
                          env={**os.environ, **(env or {})}, **kw)


def output(*command, **kw):
    done = run(*command, **kw)
    check(done.returncode == 0, lambda: f'{command}: exit status {done.returncode}: {done.stderr!r}')
    return done.stdout


def shell(text, **kw):
    return output('bash', '-c', text, **kw)


# Mounts -------------------------------------------------------------------------------------------

serial = 0


def reports():
    """What sanitizers wrote; where the program was built without them, nothing."""
    return sorted(name for name in os.listdir(work) if name.startswith('sanitizer.'))


def marked(mark):
    """Processes that have this word in their environment."""
    found = []
    for pid in filter(str.isdigit, os.listdir('/proc')):
        with contextlib.suppress(OSError):
            with open(f'/proc/{pid}/environ', 'rb') as file:
                if mark not in file.read().split(b'\0'):
                    continue
            with open(f'/proc/{pid}/stat', 'rb') as file:
                if file.read().rsplit(b')', 1)[1].split()[0] not in (b'Z', b'X'):
                    found.append(int(pid))
    return found


class Server:
    """One start of vmifs, whatever comes of it. Its processes are known by a word of their environment."""

    def __init__(self, *arguments, user=None, program=None, env=None):
        global serial
        serial += 1
        self.mark = f'VMIFS_TEST={os.getpid()}.{serial}'.encode()
        env = {'VMIFS_TEST': self.mark.split(b'=')[1].decode(), 'G_DEBUG': 'fatal-warnings', **(env or {})}
        for name in ('ASAN_OPTIONS', 'TSAN_OPTIONS', 'UBSAN_OPTIONS'):
            env[name] = f'{os.environ.get(name, "")}:log_path={work}/sanitizer'
        done = run(*(program or [programs['vmifs']]), *arguments, user=user, env=env)
        self.status = done.returncode
        self.message = done.stderr.decode(errors='replace')
        self.text = done.stdout.decode(errors='replace')

    def pids(self):
        return marked(self.mark)

    def pid(self):
        pids = self.pids()
        equal(len(pids), 1, 'servers')
        return pids[0]


def memory_beyond(pid, image):
    """Bytes of RAM that the process holds, but for its mapping of the image."""
    kilobytes, counted = 0, True
    with open(f'/proc/{pid}/smaps', encoding='utf-8', errors='surrogateescape') as file:
        for line in file:
            words = line.split()
            if '-' in words[0] and not words[0].endswith(':'):
                counted = words[5:] != [image]
            elif counted and words[0] in ('Rss:', 'Swap:'):
                kilobytes += int(words[1])
    return kilobytes << 10


def is_mounted(path):
    with open('/proc/self/mountinfo', encoding='utf-8', errors='surrogateescape') as file:
        return any(line.split()[4] == path for line in file)


def mount_flags(path):
    with open('/proc/self/mountinfo', encoding='utf-8', errors='surrogateescape') as file:
        for line in file:
            words = line.split()
            if words[4] == path:
                return words[5].split(','), words[words.index('-') + 1]
    raise Failed(f'{path} is not mounted')


def folder(user=None):
    """A new one, owned by who will mount there."""
    path = tempfile.mkdtemp(dir=work)
    if user:
        shutil.chown(path, user)
    return path


def unmount(path, user=None):
    tool = ['umount'] if is_root() and not user else ['fusermount3', '-u']
    for _ in range(50):  # a tool that was just killed may not have closed its file yet
        done = run(*tool, path, user=user)
        if done.returncode == 0:
            return
        time.sleep(0.1)
    raise Failed(f'{path} cannot be unmounted: {done.stderr!r}')


@contextlib.contextmanager
def mounted(*sources, options=(), user=None, path=None, env=None, words=(), program=None, may_say='$^'):
    """A mount; gone afterwards, its server too, and no sanitizer had anything to say, nor vmifs but for that."""
    path = path or folder(user=user)
    given = [*OPTIONS, *options]
    server = Server(*words, *(['-o', ','.join(given)] if given else []), *sources, path, user=user, env=env,
                    program=program)
    server.path = path
    equal((server.status, re.sub(may_say, '', server.message)), (0, ''), 'vmifs')
    try:
        check(is_mounted(path), 'vmifs returned, but nothing is mounted')
        yield server
    finally:
        if is_mounted(path):
            unmount(path, user=user)
        wait_until(lambda: not server.pids(), 'the server ends after its mount has gone')
    equal(reports(), [], 'reports of sanitizers')


def refused(status, *arguments, says=(), user=None, env=None, program=None):
    """That start fails so, says each of these, and leaves nothing."""
    before = output('cat', '/proc/self/mountinfo')
    server = Server(*arguments, user=user, env=env, program=program)
    equal(server.status, status, f'{arguments}: exit status (it said {server.message!r})')
    for word in says:
        check(re.search(word, server.message), lambda: f'{arguments}: no {word!r} in {server.message!r}')
    wait_until(lambda: not server.pids(), 'nothing stays running')
    equal(output('cat', '/proc/self/mountinfo'), before, 'what is mounted')
    equal(reports(), [], 'reports of sanitizers')
    return server


# Files --------------------------------------------------------------------------------------------

def in_work(name):
    return os.path.join(work, name)


def make(name, data=b'', size=None, mode=0o644):
    """A file; size makes the rest a hole."""
    path = in_work(name)
    os.makedirs(os.path.dirname(path), exist_ok=True)
    with open(path, 'wb') as file:
        file.write(data)
        if size is not None:
            file.truncate(size)
    os.chmod(path, mode)
    return path


def noise(size, seed=1):
    """The same bytes each time, without structure."""
    return random.Random(seed).randbytes(size)


def read(path):
    with open(path, 'rb', buffering=0) as file:
        pieces = []
        while True:
            piece = file.read(MiB)
            if not piece:
                return b''.join(pieces)
            pieces.append(piece)


def info(path):
    """`info` as {key: [values]}."""
    found = {}
    for line in output('cat', path + '/info').decode(errors='replace').splitlines():
        key, _, value = line.partition(': ')
        found.setdefault(key, []).append(value)
    return found


# The run ------------------------------------------------------------------------------------------

def private():
    """Goes on in namespaces of its own; what is left in them at the end vanishes with them."""
    if is_root() and 'VMIFS_PRIVATE' not in os.environ:
        os.environ['VMIFS_PRIVATE'] = '1'
        command = ['unshare', '--mount', '--propagation', 'private', '--pid', '--fork', '--kill-child', '--mount-proc']
        tried = subprocess.run([*command, 'true'], capture_output=True, text=True, check=False)
        if tried.returncode:
            sys.exit(f'{tried.stderr.strip()}: what is tested is mounted in namespaces of its own, which takes '
                     'CAP_SYS_ADMIN (in a container: a privileged one), /proc, and a root directory that is a mount '
                     'point (for chroot: mount --bind DIRECTORY DIRECTORY first)')
        os.execvp('unshare', [*command, sys.executable, *sys.argv])


def extend(path, entries):
    """In this namespace that folder has more entries: links to what was there, and those given."""
    path = os.path.realpath(path)
    if not is_mounted('/mnt'):
        output('mount', '-t', 'tmpfs', 'test', '/mnt')
    old, new = tempfile.mkdtemp(dir='/mnt'), tempfile.mkdtemp(dir='/mnt')
    os.chmod(new, 0o755)
    output('mount', '--bind', path, old)
    for name in set(os.listdir(path)) - set(entries):
        os.symlink(f'{old}/{name}', f'{new}/{name}')
    for name, target in entries.items():
        os.symlink(target, f'{new}/{name}')
    output('mount', '--bind', new, path)


def prepare():
    """Makes up for what a build machine without udev and systemd lacks."""
    if is_root() and os.stat('/dev/fuse').st_mode & 0o666 != 0o666:
        where = tempfile.mkdtemp()
        output('mount', '-t', 'tmpfs', 'dev', where)
        os.mknod(where + '/fuse', stat.S_IFCHR | 0o666, os.stat('/dev/fuse').st_rdev)
        os.chmod(where + '/fuse', 0o666)
        output('mount', '--bind', where + '/fuse', '/dev/fuse')
        output('umount', '-l', where)
        os.rmdir(where)
    if is_root() and not os.path.exists('/etc/mtab'):  # fusermount3 -u looks there
        extend('/etc', {'mtab': '/proc/self/mounts'})


def become_user():
    """Takes the programs along: the build may lie where only root gets in."""
    entry = pwd.getpwnam(USER)
    for name, path in programs.items():
        programs[name] = shutil.copy(path, work)
    for path in (work, *programs.values()):
        os.chown(path, entry.pw_uid, entry.pw_gid)
    os.setgroups([])
    os.setresgid(entry.pw_gid, entry.pw_gid, entry.pw_gid)
    os.setresuid(entry.pw_uid, entry.pw_uid, entry.pw_uid)


def finish():
    for number in range(100):  # from the innermost
        with open('/proc/self/mountinfo', encoding='utf-8', errors='surrogateescape') as file:
            left = [line.split()[4] for line in file if line.split()[4].startswith(work)]
        if not left or number == 99:
            return
        run(*(['umount', '-l'] if is_root() else ['fusermount3', '-uz']), left[-1])


def told(problem):
    """And what it came after: where a check fails, what clears up behind it may fail, too."""
    while problem:
        yield str(problem) if isinstance(problem, Failed) else \
            ''.join(traceback.format_exception(problem, limit=-3, chain=False)).rstrip()
        problem = problem.__cause__ or problem.__context__


def main(chosen=None):
    """Runs the tests: those given, or named on the command line, or all."""
    global work
    private()
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(1))
    signal.signal(signal.SIGINT, signal.default_int_handler)  # what a shell starts with & has it ignored
    failed = 0
    prepare()
    with tempfile.TemporaryDirectory(prefix='vmifs-test-', ignore_cleanup_errors=True) as made:
        work = os.path.realpath(made)
        os.chmod(work, 0o1777)  # what another user starts writes its reports here
        if os.environ.get('VMIFS_AS') == 'user' and is_root():
            become_user()
        if chosen is None:
            chosen = [one for one in tests if not sys.argv[1:] or one.__name__ in sys.argv[1:]]
        print(f'1..{len(chosen)}')
        for number, function in enumerate(chosen, 1):
            began = time.monotonic()
            try:
                function()
                print(f'ok {number} - {function.__name__}\n# {time.monotonic() - began:.1f} s', flush=True)
            except Skipped as why:
                print(f'ok {number} - {function.__name__} # SKIP {why}', flush=True)
            except Exception as problem:  # pylint: disable=broad-except
                failed += 1
                print(f'not ok {number} - {function.__name__}')
                text = '\nafter '.join(told(problem))
                for name in reports():
                    text += '\n' + read(os.path.join(work, name)).decode(errors='replace')
                    os.unlink(os.path.join(work, name))
                print(f'{function.__name__}: {text}', file=sys.stderr, flush=True)
        finish()
    sys.exit(1 if failed else 0)
