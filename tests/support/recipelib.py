# SPDX-License-Identifier: LGPL-2.1-or-later
#
# The commands on a page of docs/, for tests that run them as they stand there.

import os
import re

from mountlib import check

DOCS = os.path.join(os.path.dirname(os.path.realpath(__file__)), '..', '..', 'docs')


def recipes(name):
    """{title: its commands} of those parts that have any, one block each."""
    with open(os.path.join(DOCS, name), encoding='utf-8') as file:
        parts_of_page = re.split(r'(?m)^## (.*)\n', file.read())[1:]
    found = {}
    for title, text in zip(parts_of_page[::2], parts_of_page[1::2]):
        blocks = re.findall(r'(?:^    .*\n)(?:(?:    .*)?\n)*', text, re.MULTILINE)
        check(len(blocks) < 2, f'{len(blocks)} blocks of commands below {title!r}')
        if blocks:
            found[title] = re.sub(r'(?m)^    ', '', blocks[0])
    return found
