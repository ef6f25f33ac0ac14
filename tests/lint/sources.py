# SPDX-License-Identifier: LGPL-2.1-or-later
#
# What the lint tests look at: the project's own files, found by walking rather than by asking git, so
# that a release archive is checked as well as a clone.  Problems are counted here, so that a test says
# all of them at once.

import os
import sys

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.realpath(__file__))))
FOLDERS = ('.ci', 'arch', 'backends', 'bench', 'completions', 'docs', 'engine', 'fs', 'os', 'tests', 'tools')
C = ('.c', '.h')


def walk(*folders, ends=()):
    """Paths below the project's root, sorted; of the root itself the plain files."""
    found = [] if folders else [name for name in os.listdir(ROOT) if os.path.isfile(os.path.join(ROOT, name))]
    for folder in folders or FOLDERS:
        for where, dirs, names in os.walk(os.path.join(ROOT, folder)):
            dirs[:] = [name for name in dirs if name != '__pycache__']
            found += [os.path.relpath(os.path.join(where, name), ROOT) for name in names]
    return sorted(path for path in found if not ends or path.endswith(tuple(ends)))


def read(path):
    with open(os.path.join(ROOT, path), encoding='utf-8', errors='surrogateescape') as file:
        return file.read()


problems = 0


def bad(text):
    global problems
    problems += 1
    print(text)


def finish(advice):
    if problems:
        print(f'{problems} found. {advice}')
    sys.exit(1 if problems else 0)
