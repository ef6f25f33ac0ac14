# SPDX-License-Identifier: LGPL-2.1-or-later
#
# The smallest real guest: what tests read again and again.

import os
import shutil

import mountlib

HERE = os.path.dirname(os.path.realpath(__file__))


def small_guest(given=None):
    """Path of its memory: given, or where the tests keep theirs (VMIFS_GUESTS), or made."""
    path = given or os.path.join(os.environ.get('VMIFS_GUESTS', ''), 'small', 'guest.raw')
    if not os.path.exists(path):
        where = os.path.join(mountlib.work, 'small')
        mountlib.output(HERE + '/../guests/make-guest', '--quiet', '--no-truth', '--mem', '128', '--touch-mb', '4',
                        where, timeout=900)
        path = where + '/guest.raw'
    return path


def forget_guest():
    """The next is made anew."""
    shutil.rmtree(os.path.join(mountlib.work, 'small'), ignore_errors=True)
