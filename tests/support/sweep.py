# SPDX-License-Identifier: LGPL-2.1-or-later
#
# Touches everything a mount shows: the first MiB of every file, the target of every link, every listing,
# and of address spaces the first MiB of each range that SEEK_DATA gives; of 100,000 files of symbols, which one
# function makes, some thousands.  Each call must answer or fail within a second, of a program with a sanitizer
# eight; time in which others had the processors does not count.
# What fails is counted by kind of file, so that a reader sees where bytes are missing.

import collections
import contextlib
import errno
import os
import re
import stat
import time
import zlib

MiB = 1 << 20
LIMIT = 8.0 if 'SANITIZED' in os.environ else 1.0
RANGES = 1000
SPACES = ('vmem', 'kmem')
ALIKE = {'symbols': 4000}  # at most so many of such a folder
# Bytes that are not in RAM, and nothing else, may fail; and as in procfs a kernel thread has no exe, a
# process that is ending no root, no namespaces, no net/ to list and no mounts, without memory no smaps_rollup;
# nor has a link more than a page.  A stream (events of a running guest) has no positions.
ALLOWED = {(name, errno.EIO) for name in ('open', 'read', 'readlink', 'list')} | {
    ('readlink', errno.ENOENT), ('readlink', errno.ENAMETOOLONG), ('open', errno.EINVAL), ('open', errno.ESRCH),
    ('list', errno.EINVAL), ('read', errno.ESPIPE)}


def waited(*pids):
    """Seconds that threads of these wanted to run, and others did."""
    total = 0
    for pid in pids:
        with contextlib.suppress(OSError):
            for task in os.listdir(f'/proc/{pid}/task'):
                with open(f'/proc/{pid}/task/{task}/schedstat', 'rb') as file:
                    total += int(file.read().split()[1])
    return total / 1e9


class Sweep:
    """limit: seconds a call may take; ranges: of each address space; most: entries of each folder, the rest
    is left out; turn: another number takes others, and of each folder it takes others: an odd one must not
    see the same half everywhere; server: its pid. Who wants to see more overrides saw() and listed()."""

    # So many times the limit: a listing is many calls, and the first waits for discovery, whose threads take with
    # them how long they waited.
    listing = 4

    def __init__(self, root, limit=LIMIT, ranges=RANGES, most=None, allowed=None, turn=0, server=None):
        self.root, self.limit, self.ranges, self.most = root, limit, ranges, most
        self.turn = turn
        self.allowed = ALLOWED if allowed is None else allowed
        self.calls = collections.Counter()
        self.failures = collections.Counter()  # (kind of file, call, errno)
        self.examples = {}
        self.problems = []
        self.slowest = (0.0, '')
        self.pids = ['self'] + ([server] if server else [])
        self.waited = waited(*self.pids)
        self.bytes = 0
        self.walk(root)

    def kind(self, path):
        """A path without the guest's own numbers and names."""
        parts = os.path.relpath(path, self.root).split('/')[1:]
        named = parts[:1] and parts[0] in ('symbols', 'ram')
        parts = [re.sub(r'^([0-9]+|[0-9a-f]+-[0-9a-f]+|self)$', 'N', part) for part in parts]
        return '/'.join(parts[:1] + ['*'] if named and len(parts) > 1 else parts)

    def call(self, name, path, function, *arguments):
        """The call's result, or None when it failed."""
        self.calls[name] += 1
        start = time.monotonic()
        try:
            return function(*arguments)
        except OSError as problem:
            if name == 'lseek' and problem.errno == errno.ENXIO:
                return None  # no more data
            key = (self.kind(path), name, errno.errorcode.get(problem.errno, problem.errno))
            self.failures[key] += 1
            self.examples.setdefault(key, path)
            if not self.may(name, path, problem.errno):
                self.problem(f'{name} {path}: {problem.strerror}')
            return None
        finally:
            took = time.monotonic() - start
            self.slowest = max(self.slowest, (took, f'{name} {path}'))
            limit = self.limit * (self.listing if name == 'list' else 1)
            if took > limit / 4 and self.itself(took) > limit:
                self.problem(f'{name} {path} took {took:.2f} s')

    def may(self, name, path, error):  # pylint: disable=unused-argument
        """Whether a call may end so."""
        return (name, error) in self.allowed

    def itself(self, took):
        """What of that time was not spent waiting for others: for the processors of a busy machine."""
        before, self.waited = self.waited, waited(*self.pids)
        return took - max(0, self.waited - before)

    def problem(self, text):
        if len(self.problems) < 50:
            self.problems.append(text)

    def saw(self, path, data):
        """What the first read of a range gave."""

    def listed(self, folder, names):
        """All of them."""

    def walk(self, folder):
        names = sorted(self.call('list', folder, os.listdir, folder) or [])
        self.listed(folder, names)
        most = min(self.most or len(names), ALIKE.get(os.path.basename(folder), len(names)))
        step = -(-len(names) // most) if names else 1
        first = zlib.crc32(f'{self.turn}{folder[len(self.root):]}'.encode(errors='surrogateescape')) % step
        for name in names[first::step]:
            path = f'{folder}/{name}'
            about = self.call('stat', path, os.lstat, path)
            if not about:
                continue
            if stat.S_ISDIR(about.st_mode):
                self.walk(path)
            elif stat.S_ISLNK(about.st_mode):
                self.call('readlink', path, os.readlink, path)
            else:
                self.file(path, name in SPACES)

    def file(self, path, is_space):
        file = self.call('open', path, os.open, path, os.O_RDONLY)
        if file is None:
            return
        try:
            if is_space:
                self.space(file, path)
            else:
                self.read(file, path, 0, MiB)
        finally:
            os.close(file)

    def read(self, file, path, offset, length):
        """Up to length bytes, in as many reads as it takes; how many came."""
        done = 0
        while done < length:
            data = self.call('read', path, os.pread, file, length - done, offset + done)
            if not data:
                break
            if not done:
                self.saw(path, data)
            done += len(data)
        self.bytes += done
        return done

    def space(self, file, path):
        offset = 0
        for _ in range(self.ranges):
            start = self.call('lseek', path, os.lseek, file, offset, os.SEEK_DATA)
            if start is None:
                return
            if start < offset:
                return self.problem(f'SEEK_DATA of {path} went from {offset:#x} back to {start:#x}')
            end = self.call('lseek', path, os.lseek, file, start, os.SEEK_HOLE)
            if end is None or end <= start:
                return self.problem(f'SEEK_HOLE of {path} finds no end of the data at {start:#x}: {end}')
            wanted = min(end - start, MiB)
            got = self.read(file, path, start, wanted)
            if got != wanted:
                self.problem(f'{path}: of {wanted} bytes of data at {start:#x} {got} could be read')
            offset = end
        return None

    def report(self):
        lines = [' '.join(f'{count} {name}' for name, count in sorted(self.calls.items())) +
                 f', {self.bytes / MiB:.0f} MiB; slowest {self.slowest[0] * 1000:.0f} ms: {self.slowest[1]}']
        for (kind, name, error), count in sorted(self.failures.items()):
            example = self.examples[(kind, name, error)]
            lines.append(f'{count:7} {error:10} {name} {kind} (first: {os.path.relpath(example, self.root)})')
        return '\n'.join(lines)
