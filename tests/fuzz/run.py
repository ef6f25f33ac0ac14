#!/usr/bin/env python3
# SPDX-License-Identifier: LGPL-2.1-or-later
"""run: gives a fuzz target its seeds.

    run.py replay EXE SEEDS   a plain build: each seed, and simple mutations of it (TAP)
    run.py seeds EXE SEEDS    a libFuzzer build: each seed once
    run.py fuzz EXE SEEDS     a libFuzzer build: $VMIFS_FUZZ_SECONDS (4) of fuzzing from the seeds

Seeds are written anew into a temporary folder each time, so that the text is the only copy.
"""
import os
import pathlib
import subprocess
import sys
import tempfile

import seeds


def unpack(source, target):
    names = sorted(path for path in source.iterdir() if path.is_file())
    if not names:
        sys.exit(f'{source}: no seeds')
    for path in names:
        data = path.read_bytes()
        if path.suffix == '.seed':
            try:
                data = seeds.compile_seed(data.decode())
            except ValueError as error:
                sys.exit(f'{path}: {error}')
        (target / path.name.removesuffix('.seed')).write_bytes(data)


def main():
    mode, exe, source = sys.argv[1], sys.argv[2], pathlib.Path(sys.argv[3])
    with tempfile.TemporaryDirectory(prefix='vmifs-fuzz-') as folder:
        inputs = pathlib.Path(folder, 'seeds')
        crashes = pathlib.Path(folder, 'crashes')
        inputs.mkdir()
        crashes.mkdir()
        unpack(source, inputs)
        command = [exe, str(inputs)]
        if mode != 'replay':
            limit = os.environ.get('VMIFS_FUZZ_SECONDS', '4')
            stop = '-runs=0' if mode == 'seeds' else f'-max_total_time={limit}'
            command = [exe, stop, '-timeout=5', '-rss_limit_mb=1024', '-print_final_stats=1',
                       f'-artifact_prefix={crashes}/', str(inputs)]
        status = subprocess.run(command, check=False).returncode
        for crash in sorted(crashes.iterdir()):
            print(f'keep this as {source}/SOME-NAME.seed:')
            print(seeds.keep(crash.read_bytes()))
    sys.exit(1 if status else 0)


if __name__ == '__main__':
    main()
