# SPDX-License-Identifier: LGPL-2.1-or-later
#
# docs/tools.md, as it stands: programs that know nothing of vmifs find on a mount what is there.

import os
import re

from mountlib import *  # pylint: disable=wildcard-import,unused-wildcard-import
from recipelib import recipes


def every_recipe_for_tools_does_what_it_says(image, vmlinux):
    left, place = recipes('tools.md'), folder()
    with mounted('web=' + image) as mount:
        os.symlink(mount.path, place + '/M')

        def cooked(title):
            # Debian's own Python has Debian's modules.
            done = run('env', '-C', place, 'PATH=/usr/bin:' + os.environ['PATH'], 'vmlinux=' + vmlinux,
                       'bash', '-euc', left.pop(title), timeout=300)
            equal(done.returncode, 0, f'{title}: {done.stderr.decode(errors="replace")}')
            return done.stdout.decode(errors='replace')

        shown = mount.path + '/web'
        said = cooked('Which processes hold these bytes?')
        for wanted in (r'(?m)^path M/web/procs/1/map_files/[0-9a-f]+-[0-9a-f]+$', r'(?m)^path M/web/pmem$'):
            check(re.search(wanted, said), lambda: f'no {wanted!r} in {said}')
        said = cooked('What is the code of this function, as it is in memory?')
        address = re.search(r'(?m)^(\w+) T vfs_open$', output('cat', shown + '/kallsyms').decode())[1]
        check(re.search(rf'(?m)^\s*{address}:\s.*(nop|call|endbr64|push)', said), said)
        said = cooked("What do the kernel's structures hold?")
        named = {pid: output('cat', f'{shown}/procs/{pid}/comm').decode(errors='replace').removesuffix('\n')
                 for pid in os.listdir(shown + '/procs') if pid.isdigit()}
        told = dict(line.split(' ', 1) for line in said.split('\n') if re.match(r'\d+ ', line))
        equal(set(told), set(named), 'processes')
        # A kernel thread's is longer in procfs: the worker says what it works for.
        same = [pid for pid, name in named.items() if name.startswith(told[pid])]
        check(len(same) * 10 > len(named) * 9, f'{told} is not {named}')
    equal(list(left), [], 'recipes that are not tried')
