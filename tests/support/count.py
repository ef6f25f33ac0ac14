#!/usr/bin/env python3
# SPDX-License-Identifier: LGPL-2.1-or-later
#
# count.py BUILD STATUS: what became of the tests that meson just ran there, at the end, where it is read:
# what did not pass, each with the last thing that it said, and then one line that counts.  Counted from
# meson's own report, which knows every line that a test printed as TAP.  What could not run has failed.

import json
import re
import sys
import xml.etree.ElementTree as tree

MOST_LINES = 12
LAST_LINES = 8  # of them: what a traceback ends with is why
MOST_LETTERS = 240


def said(name, others, out, err):
    """What a test said of that case: our scripts say NAME: WHY; otherwise the end of what there is."""
    lines = err.splitlines()
    starts = [n for n, line in enumerate(lines) if line.startswith(name + ':')]
    if starts:
        after = [n for n, line in enumerate(lines) if n > starts[0] and line.split(':')[0] in others]
        own = lines[starts[0]:after[0] if after else len(lines)]
        return own if len(own) <= MOST_LINES else own[:MOST_LINES - LAST_LINES] + own[-LAST_LINES:]
    return [line for line in (out + '\n' + err).splitlines() if not re.match(r'ok |1\.\.\d', line)][-MOST_LINES:]


def complain(suite, name, why):
    print('not passed:', suite, name)
    for line in why:
        if line.strip():
            print('  |', line[:MOST_LETTERS])


def plain(case):
    """Its name without TAP's number."""
    return re.sub(r'^\d+ - ', '', case.get('name'))


def text(element, kind):
    return element.findtext(kind) or ''


def cases(suites):
    """(passed, failed, names of the tests of which a case failed)"""
    passed, failed, named = 0, 0, set()
    for suite in suites:
        names = {plain(case) for case in suite.findall('testcase')}
        for case in suite.findall('testcase'):
            if all(case.find(kind) is None for kind in ('failure', 'error', 'skipped')):
                passed += 1
                continue
            failed += 1
            own = case if case.find('system-err') is not None or suite.find('system-err') is None else suite
            named |= {case.get('name'), suite.get('name').split('.', 1)[-1]}
            complain(suite.get('name'), plain(case),
                     said(plain(case), names, text(own, 'system-out') or text(suite, 'system-out'),
                          text(own, 'system-err')))
    return passed, failed, named


def whole(path, named):
    """Programs that went wrong though each case of theirs that ended had passed."""
    failed = 0
    with open(path, encoding='utf-8', errors='replace') as file:
        for test in map(json.loads, file):
            name = test['name'].rsplit(' / ', 1)[-1]
            if test['result'] in ('OK', 'EXPECTEDFAIL', 'SKIP') or name in named:
                continue
            failed += 1
            complain(name, f'{test["result"]} after {test["duration"]:.0f} s',
                     said('', (), test.get('stdout') or '', test.get('stderr') or ''))
    return failed


def main(build, status):
    passed = failed = 0
    try:
        passed, failed, named = cases(tree.parse(build + '/meson-logs/testlog.junit.xml').iter('testsuite'))
        failed += whole(build + '/meson-logs/testlog.json', named)
    except (OSError, ValueError, tree.ParseError) as problem:
        print(f'no report of the tests: {problem}')
    if status and not failed or not passed:
        failed += 1
    print(f'{passed} passed, {failed} failed')
    sys.exit(1 if failed else 0)


main(sys.argv[1], int(sys.argv[2]))
