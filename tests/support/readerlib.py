# SPDX-License-Identifier: LGPL-2.1-or-later
#
# Processes that read `events`: what they have read is looked at while they go on, by lines.

import contextlib
import json
import os
import subprocess
import time

from mountlib import in_work, read, wait_until

SLACK = 10 if 'SANITIZED' in os.environ else 1
SLOW = float(os.environ.get('VMIFS_TEST_SLOWNESS', '1'))


class Reader:
    """A process that reads a stream, into a file."""

    def __init__(self, source, size=65536):
        self.output = in_work(f'output-{time.monotonic_ns()}')
        with open(self.output, 'wb') as out:
            self.process = subprocess.Popen(['dd', f'bs={size}', 'status=none'], stdin=source, stdout=out)

    @property
    def text(self):
        return read(self.output)

    def lines(self):
        return [json.loads(line) for line in self.text.split(b'\n')[:-1]]

    def until(self, condition, what, seconds=10):
        """All lines, once they are as they shall be."""
        wait_until(lambda: condition(self.lines()), what, seconds=seconds * SLACK * SLOW)
        return self.lines()

    def close(self):
        self.process.kill()
        self.process.wait()
        os.unlink(self.output)


def reader_of(path, **how):
    fd = os.open(path + '/events', os.O_RDONLY)
    try:
        return Reader(fd, **how)
    finally:
        os.close(fd)


@contextlib.contextmanager
def reading(path, **how):
    reader = reader_of(path, **how)
    try:
        yield reader
    finally:
        reader.close()
