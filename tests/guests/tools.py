# SPDX-License-Identifier: LGPL-2.1-or-later
#
# vmifs-run on a real guest: tools of Debian, unmodified, show what the guest said of itself, nothing of this
# host is among it, and nothing of this host can be reached.  add_tests(guest) registers the tests; guest()
# gives the folder that make-guest left.

import collections
import contextlib
import glob
import ipaddress
import os
import pty
import re
import select
import signal
import subprocess
import time

from mountlib import *  # pylint: disable=wildcard-import,unused-wildcard-import

HOST_FOLDERS = ('/sys', '/run/systemd')
STATES = dict(enumerate('ESTAB SYN-SENT SYN-RECV FIN-WAIT-1 FIN-WAIT-2 TIME-WAIT UNCONN CLOSE-WAIT LAST-ACK LISTEN CLOSING'
                        .split(), 1))  # of a socket, as ss calls them
PASSING = {'TIME-WAIT', 'FIN-WAIT-2'}  # which end by themselves


class Truth:
    """What stayed the same between the two times that the guest told of itself."""

    def __init__(self, path):
        self.a, self.b = path + '/truth/a/', path + '/truth/b/'

    def text(self, name):
        try:
            return read(self.b + name).decode(errors='backslashreplace')
        except OSError:
            return None

    def pids(self):
        """Of programs that were there both times and still run."""
        both = set(os.listdir(self.a + 'procs')) & set(os.listdir(self.b + 'procs'))
        return sorted(int(pid) for pid in both if os.path.exists(f'{self.a}procs/{pid}/stat'))

    def settled(self):
        """Those that do nothing meanwhile: no kernel threads, and not who told."""
        return [pid for pid in self.pids() if self.text(f'procs/{pid}/maps') and
                not self.text(f'procs/{pid}/comm').startswith('collect')]

    def stat(self, pid, task=None):
        """The fields behind the name: [0] is the state, third of the file."""
        name = f'procs/{pid}/stat' if task is None else f'procs/{pid}/task/{task}/stat'
        return self.text(name).rpartition(')')[2].split()

    def status(self, pid):
        return dict(line.split(':\t', 1) for line in self.text(f'procs/{pid}/status').splitlines())

    def links(self, pid):
        """None: of a member of a crowd less was told."""
        folder = f'{self.b}procs/{pid}/fd/'
        return {name: read(folder + name).decode(errors='backslashreplace')
                for name in os.listdir(folder) if name.isdigit()} if os.path.isdir(folder) else None

    def holders(self):
        """Of the number of each socket who has it open."""
        found = {}
        for pid in self.settled():
            for fd, target in (self.links(pid) or {}).items():
                if target.startswith('socket:['):
                    one = self.text(f'procs/{pid}/comm').removesuffix('\n'), pid, int(fd)
                    found.setdefault(target[8:-1], set()).add(one)
        return found

    def steady(self, name):
        """Lines of the file, less its first, that were the same both times but for times and references."""
        cut = lambda text: {tuple(line.split()[1:5]) for line in text.splitlines()[1:]}
        before = cut(read(self.a + name).decode(errors='backslashreplace'))
        return [line for line in self.text(name).splitlines()[1:] if tuple(line.split()[1:5]) in before]

    def sums(self, pid, names):
        """Of smaps in kB, where that was told both times alike but for what was used meanwhile."""
        name = f'procs/{pid}/smaps'
        if not os.path.exists(self.a + name) or not os.path.exists(self.b + name):
            return None
        lines = [re.findall(r'(?m)^(\w+): +(\d+) kB$', read(base + name).decode(errors='backslashreplace'))
                 for base in (self.a, self.b)]
        sums = [tuple(sum(int(n) for key, n in part if key == one) for one in names) for part in lines]
        return sums[1] if sums[0] == sums[1] else None

    def threads(self, pid):
        folder = f'{self.b}procs/{pid}/task'
        return {int(name) for name in os.listdir(folder) if name.isdigit()} if os.path.isdir(folder) else None


def vmifs_run(mount, *command, **kw):
    return run(programs['vmifs-run'], mount.path + '/guest', *command, **kw)


def says(mount, *command, **kw):
    done = vmifs_run(mount, *command, **kw)
    check(done.returncode == 0, lambda: f'{command}: exit status {done.returncode}: {done.stderr!r}')
    return done.stdout.decode(errors='backslashreplace')


def fails(status, words, *command, **kw):
    done = run(programs['vmifs-run'], *command, **kw)
    text = done.stderr.decode(errors='replace')
    equal(done.returncode, status, f'{command}: exit status ({text!r})')
    for word in words:
        check(word in text, lambda: f'{command}: no {word!r} in {text!r}')


def status_of(process):
    """Of one that ends by itself soon; leaving the block of a Popen would wait for ever."""
    try:
        return process.wait(20)
    except subprocess.TimeoutExpired:
        process.kill()
        raise


def children(pid):
    return [int(word) for word in read(f'/proc/{pid}/task/{pid}/children').split()]


def rows(text, n):
    """Lines of n words, the last with all that follows."""
    return [line.split(None, n - 1) for line in text.splitlines()]


@contextlib.contextmanager
def stranger():
    """A process that vmifs-run must not reach."""
    process = subprocess.Popen(['sleep', '1000'], env={**os.environ, 'STRANGER': 'yes'})
    try:
        yield process
    finally:
        process.kill()
        process.wait()


def as_lsof_writes(name):
    """Bytes of a name; of what is no file the kind alone, as nothing can be asked about it."""
    short = {10: '\\n', 9: '\\t', 13: '\\r', 92: '\\\\'}
    one = lambda byte: short.get(byte) or (f'^{chr(byte + 64)}' if byte < 32 else chr(byte) if byte < 127 else f'\\x{byte:02x}')
    return ''.join(map(one, name if name.startswith(b'/') else name.split(b':')[0]))


def place(text):
    """Of net/tcp and its like: 0100007F:1092."""
    host, port = text.split(':')
    words = bytes.fromhex(host)
    return ipaddress.ip_address(b''.join(words[i:i + 4][::-1] for i in range(0, len(words), 4))), int(port, 16)


def place_of_ss(text):
    host, _, port = text.rpartition(':')
    host = re.sub('%.*', '', host).strip('[]')
    return ipaddress.ip_address('::' if host == '*' else host), 0 if port == '*' else int(port)


def compare_inet(truth, text):
    """What ss -Hanp46 shows with net/tcp and its like."""
    found, holders, known, compared = {}, truth.holders(), set(), 0
    for row in text.splitlines():
        kind, state, received, sent, here, there, *users = row.split(None, 6)
        who = {(name, int(pid), int(fd)) for name, pid, fd in re.findall(r'\("(.*?)",pid=(\d+),fd=(\d+)\)', ''.join(users))}
        found.setdefault((kind, place_of_ss(here), place_of_ss(there)), []).append((state, int(received), int(sent), who))
    for kind, file in ((kind, f'proc/net/{kind}{suffix}') for kind in ('tcp', 'udp', 'raw') for suffix in ('', '6')):
        steady = truth.steady(file)
        for line in truth.text(file).splitlines()[1:]:
            words = line.split()
            key, state = (kind, place(words[1]), place(words[2])), STATES[int(words[3], 16)]
            known.add(key)
            if line not in steady or state in PASSING:
                continue
            sent, received = (int(number, 16) for number in words[4].split(':'))
            wanted = state, received, sent, holders.get(words[9], set())
            check(wanted in found.get(key, ()), lambda: f'{key}: {found.get(key)}, not {wanted}')  # pylint: disable=cell-var-from-loop
            compared += 1
    equal(set(found) - known, set(), 'sockets that the guest does not have')
    check(compared > 10, f'only {compared} sockets compared')


def compare_unix(truth, text):
    """What ss -Hxanp shows with net/unix. Of a guest that hides all its pointers alike it shows nothing but how many
    there are, as it does there."""
    holders, found = truth.holders(), [row.split() for row in text.splitlines()]
    lines = [line.split(None, 7) for line in truth.text('proc/net/unix').splitlines()[1:]]
    equal(len(found), len(lines), 'unix sockets')
    if lines[0][0] == '(____ptrval____):':
        return
    kinds = {'0001': 'u_str', '0002': 'u_dgr', '0005': 'u_seq'}
    wanted = [(kinds[line[4]], line[6], line[7].split(' ')[0] if line[7:] else '*', len(holders.get(line[6], ())))
              for line in lines]
    equal(sorted((row[0], row[5], row[4], ''.join(row[8:]).count('pid=')) for row in found), sorted(wanted), 'unix sockets')


def compare_top(truth, text):
    found = {int(row[0]): row for row in rows(text.split('COMMAND', 1)[1].strip('\n'), 12)}
    for pid in truth.settled():
        fields, row = truth.stat(pid), found[pid]
        equal((row[7], row[3]), (fields[0], fields[16]), f'state and niceness of {pid}')
        equal(row[2], 'rt' if int(fields[15]) < -99 else fields[15], f'priority of {pid}')
        for shown, wanted, slack in ((row[4], int(fields[20]) >> 10, 0), (row[5], int(fields[21]) * 4, 512)):
            if shown.isdigit():  # larger ones are rounded
                check(abs(int(shown) - wanted) <= slack + wanted // 12 * (slack > 0), f'memory of {pid}: {row}, not {wanted}')
        minutes, seconds = row[10].split(':')
        used = (int(fields[11]) + int(fields[12])) / 100
        check(abs(int(minutes) * 60 + float(seconds) - used) <= 2, f'time of {pid}: {row}, not {used}')
        name = truth.text(f'procs/{pid}/comm').removesuffix('\n')
        if re.fullmatch('[ -~]+', name) and name == name.strip():
            equal(row[11].strip(), name, f'name of {pid}')


def tests_of_tools(guest):
    @test
    def ps_shows_every_process_with_its_numbers():
        truth = Truth(guest())
        with mounted(f'guest={guest()}/guest.raw') as mount:
            found = {int(row[0]): row[1:] for row in rows(says(
                mount, 'ps', '-ewwo', 'pid=,ppid=,pgid=,sid=,nlwp=,ni=,uid=,ruid=,vsz=,cputimes=,rss=,stat=,comm='), 13)}
        for pid in truth.settled():
            fields, status = truth.stat(pid), truth.status(pid)
            uid = status['Uid'].split()
            check(pid in found, f'ps has no {pid}')
            wanted = [fields[1], fields[2], fields[3], fields[17], fields[16], uid[1], uid[0], str(int(fields[20]) >> 10)]
            if found[pid][4] == '-':  # a real-time process has no such number for ps
                wanted[4] = '-'
            equal(found[pid][:8], wanted, f'ppid, pgid, sid, nlwp, ni, uid, ruid, vsz of {pid}')
            check(abs(int(found[pid][8]) - (int(fields[11]) + int(fields[12])) / 100) <= 2, f'time of {pid}: {found[pid]}')
            check(abs(int(found[pid][9]) - int(fields[21]) * 4) <= 512 + int(fields[21]) // 12, f'rss of {pid}: {found[pid]}')
            equal(found[pid][10][0], fields[0], f'state of {pid}')
            name = truth.text(f'procs/{pid}/comm').removesuffix('\n')
            if re.fullmatch('[ -~]+', name):
                equal(found[pid][11].removesuffix(' <defunct>'), name, f'name of {pid}')
        missing = [pid for pid in truth.pids() if pid not in found and truth.status(pid)['PPid'] != '2']
        equal(missing, [], 'processes that ps does not have')

    @test
    def ps_shows_every_thread():
        truth = Truth(guest())
        with mounted(f'guest={guest()}/guest.raw') as mount:
            found = {(int(pid), int(tid)) for pid, tid in rows(says(mount, 'ps', '-eLo', 'pid=,lwp='), 2)}
            check('UID' in says(mount, 'ps', '-eLf').splitlines()[0], 'ps -eLf')
        for pid in truth.settled():
            threads = truth.threads(pid)
            if threads is not None:
                equal({tid for one, tid in found if one == pid}, threads, f'threads of {pid}')

    @test
    def ps_shows_arguments_and_when_they_were_started():
        truth = Truth(guest())
        with mounted(f'guest={guest()}/guest.raw') as mount:
            args = {int(row[0]): row[1] for row in rows(says(mount, 'ps', '-ewwo', 'pid=,args='), 2)}
            begun = {int(row[0]): row[1] for row in rows(says(
                mount, 'ps', '-eo', 'pid=,lstart=', env={'TZ': 'UTC', 'LC_ALL': 'C'}), 2)}
            check('USER' in says(mount, 'ps', 'auxf'), 'ps auxf')
        boot = int(re.search(r'(?m)^btime (\d+)', truth.text('proc/stat'))[1])
        for pid in truth.settled():
            line = (truth.text(f'procs/{pid}/cmdline') or '').removesuffix('\0').replace('\0', ' ')
            if re.fullmatch(r'[ -~]+', line) and '  ' not in line and line == line.strip():
                equal(args[pid], line, f'arguments of {pid}')
            start = time.mktime(time.strptime(begun[pid])) - time.timezone
            check(abs(start - boot - int(truth.stat(pid)[19]) / 100) < 3, f'{pid} began {begun[pid]}, boot was {boot}')

    @test
    def pgrep_pidof_and_pstree_find_processes():
        truth = Truth(guest())
        with mounted(f'guest={guest()}/guest.raw') as mount:
            found = {int(row[0]) for row in rows(says(mount, 'pgrep', '-a', '.'), 2)}
            tree = says(mount, 'pstree', '-ap', env={'LC_ALL': 'C'})
            equal(says(mount, 'pidof', 'kthreadd').split(), ['2'], 'pidof')
        drawn = {int(pid) for pid in re.findall(r',(\d+)\b', tree)}
        for pid in truth.settled():
            if truth.text(f'procs/{pid}/comm') != '\n':
                check(pid in found, f'pgrep has no {pid}')
            check(pid in drawn, lambda: f'pstree has no {pid}: {tree}')

    @test
    def lsof_names_open_files():
        truth = Truth(guest())
        with mounted(f'guest={guest()}/guest.raw') as mount:
            text = vmifs_run(mount, 'lsof', '-n', '-F', 'pcfn', timeout=120).stdout.decode(errors='backslashreplace')
        found, pid, fd = {}, 0, ''
        for line in text.splitlines():
            kind, value = line[:1], line[1:]
            if kind == 'p':
                pid = int(value)
                found[pid] = {}
            elif kind == 'f':
                fd = value
            elif kind == 'n':
                found[pid][fd] = value
            elif kind == 'c':
                found[pid]['c'] = value
        compared = collections.Counter()
        for pid in truth.settled():
            if '\n' in truth.text(f'procs/{pid}/comm')[:-1]:
                continue  # lsof reads a line of stat, there as on any host
            check(pid in found, f'lsof has no {pid}')
            equal(found[pid]['c'], as_lsof_writes(b'/' + read(f'{truth.b}procs/{pid}/comm')[:-1])[1:], f'command of {pid}')
            links = truth.links(pid)
            if links is None:
                continue
            folder = os.listdir(f'{truth.b}procs/{pid}/fd')  # with those whose link could not be read
            equal({fd for fd in found[pid] if fd.isdigit()}, {name.removesuffix('.error') for name in folder},
                  f'files of {pid}')
            for fd in links:
                name = as_lsof_writes(read(f'{truth.b}procs/{pid}/fd/{fd}'))
                equal(found[pid][fd].split(' (stat: ')[0], name, f'file {fd} of {pid}')
                compared[name if name[:1] != '/' else '/'] += 1
        check(compared['/'] > 10 and compared['socket'] and compared['pipe'] and compared['anon_inode'],
              f'only {compared} names compared')

    @test
    def top_free_uptime_and_vmstat_sum_up_the_guest():
        truth = Truth(guest())
        with mounted(f'guest={guest()}/guest.raw') as mount:
            top = says(mount, 'top', '-b', '-n1', '-w', '512', env={'TERM': 'dumb', 'LC_ALL': 'C'})
            free = says(mount, 'free', env={'LC_ALL': 'C'})
            up = says(mount, 'uptime', env={'LC_ALL': 'C'})
            uptime, asked = float(read(mount.path + '/guest/uptime').split()[0]), time.time()
            since = says(mount, 'uptime', '-s', env={'TZ': 'UTC'}).strip()
            vmstat = says(mount, 'vmstat', '-s')
            log = says(mount, 'dmesg')
            n_pids = len([name for name in os.listdir(mount.path + '/guest/procs') if name.isdigit()])
        equal(len(top.split('COMMAND', 1)[1].strip().splitlines()), n_pids, 'lines of top')
        compare_top(truth, top)
        total = re.search(r'MemTotal:\s*(\d+)', truth.text('proc/meminfo'))[1]
        equal(free.splitlines()[1].split()[1], total, 'total of free')
        equal(re.search(r'(\d+) K total memory', vmstat)[1], total, 'total of vmstat')
        load = [float(word) for word in truth.text('proc/loadavg').split()[:3]]
        shown = [float(word) for word in re.search(r'load average: (.*)', up)[1].split(', ')]
        check(all(abs(a - b) < 2 for a, b in zip(load, shown)), f'load: {shown}, guest said {load}')
        check(' 0 user' in up, f'users of the host? {up}')
        equal(log, '', 'the log of the host')
        # Counted back from this host's clock, whatever the guest's says.
        start = time.mktime(time.strptime(since, '%Y-%m-%d %H:%M:%S')) - time.timezone
        check(abs(start - (asked - uptime)) < 3, f'up since {since}, for {uptime} s at {asked}')

    @test
    def findmnt_shows_the_guests_mounts():
        text = Truth(guest()).text('procs/1/mountinfo')
        with mounted(f'guest={guest()}/guest.raw') as mount:
            found = says(mount, 'findmnt', '-rno', 'TARGET,FSTYPE').splitlines()
            shown = says(mount, 'mount').splitlines()
        wanted = [f'{line.split()[4]} {line.split(" - ")[1].split()[0]}' for line in text.splitlines()]
        octal = lambda line: re.sub(r'\\x([0-9a-f]{2})', lambda byte: f'\\{int(byte[1], 16):03o}', line)
        equal(sorted(map(octal, found)), sorted(wanted), 'mounts')
        newlines = sum(line.count('\\012') for line in wanted)  # which mount writes as they are
        equal(len(shown), len(wanted) + newlines, 'lines of mount')

    @test
    def ss_shows_state_ends_queues_and_holders_of_sockets():
        truth = Truth(guest())
        with mounted(f'guest={guest()}/guest.raw') as mount:
            inet, unix = says(mount, 'ss', '-Hanp46'), says(mount, 'ss', '-Hxanp')
        compare_inet(truth, inet)
        compare_unix(truth, unix)

    @test
    def netstat_shows_who_listens_and_routes():
        quad = lambda text: '.'.join(str(byte) for byte in bytes.fromhex(text)[::-1])
        truth = Truth(guest())
        ports = sorted(int(line.split()[1].split(':')[1], 16) for line in truth.text('proc/net/tcp').splitlines()[1:]
                       if line.split()[3] == '0A')
        routes = [line.split() for line in truth.text('proc/net/route').splitlines()[1:]]
        with mounted(f'guest={guest()}/guest.raw') as mount:
            listeners = says(mount, 'netstat', '-tln4').splitlines()[2:]
            found = [row.split() for row in says(mount, 'netstat', '-rn').splitlines()[2:]]
        check(ports, 'the guest listens nowhere')
        equal(sorted(int(row.split()[3].split(':')[1]) for row in listeners), ports, 'ports')
        refused = lambda line: int(line[3], 16) & 0x200
        equal([(row[0], row[1], row[2], row[-1]) for row in found],
              [(quad(line[1]), '-' if refused(line) else quad(line[2]), quad(line[7]), '-' if refused(line) else line[0])
               for line in routes], 'routes')

    @test
    def pmap_shows_mappings():
        truth = Truth(guest())
        last = truth.settled()[-1]
        wanted = {pid: truth.sums(pid, ('Size', 'Rss', 'Shared_Dirty', 'Private_Dirty')) for pid in truth.settled()}
        with mounted(f'guest={guest()}/guest.raw') as mount:
            text = says(mount, 'pmap', '-X', str(last))
            check(len(text.splitlines()) > len(truth.text(f'procs/{last}/maps').splitlines()), f'pmap -X: {text}')
            pids = [pid for pid, sums in wanted.items() if sums]
            text = says(mount, 'pmap', '-x', *map(str, pids))
        found = [tuple(map(int, numbers)) for numbers in re.findall(r'(?m)^total kB +(\d+) +(\d+) +(\d+)$', text)]
        equal([int(pid) for pid in re.findall(r'(?m)^(\d+):   ', text)], pids, 'processes of pmap')
        for pid, shown in zip(pids, found):
            size, rss, *dirty = wanted[pid]
            equal(shown, (size, rss, sum(dirty)), f'totals of {pid}')
        check(len(found) == len(pids) > 10, f'{len(found)} totals of {len(pids)} processes')


def tests_of_the_walls(guest):
    @test
    def no_signal_reaches_a_process_of_the_host():
        with mounted(f'guest={guest()}/guest.raw') as mount, stranger() as process:
            for pid in (process.pid, *mount.pids()):
                # The number may happen to be that of bash itself in there: the host's start again at 300, too.
                done = vmifs_run(mount, 'bash', '-c', f'[ $$ = {pid} ] || {{ kill -9 {pid}; [ $? = 1 ]; }}')
                check(done.returncode == 0 and (not done.stderr or b'No such process' in done.stderr),
                      lambda: f'kill {pid}: {done}')
            equal(says(mount, 'bash', '-c', 'kill -9 -1 2>/dev/null; echo lives'), 'lives\n', 'kill -9 -1')
            check(process.poll() is None and mount.pids(), 'the host has lost a process')
            done = vmifs_run(mount, 'sh', '-c', 'cat /proc/[0-9]*/environ')
            check(b'STRANGER=yes' not in done.stdout, 'a process of the host is seen')

    @test
    def no_number_of_the_guest_is_given_to_what_runs():
        with mounted(f'guest={guest()}/guest.raw') as mount:
            listed = {int(name) for name in os.listdir(mount.path + '/guest/procs') if name.isdigit()}
            threads = {int(path.rsplit('/', 1)[1]) for path in glob.glob(mount.path + '/guest/procs/*/task/*')}
            text = says(mount, 'bash', '-c', 'echo $$; for i in {1..200}; do ps -o pid= -p 1 & echo $!; wait $!; done; '
                        'for i in 1 2 3; do ps -eo pid= & echo $!; wait $!; done', timeout=300)
        seen = [int(word) for word in text.split()]
        own = set(seen) - listed
        equal(len(own), 204, 'numbers of what runs')
        check(not threads & own, 'the number of a thread was given out')
        equal([pid for pid in listed if seen.count(pid) != (203 if pid == 1 else 3)], [], 'not shown each time')
        check(all(seen.count(pid) == 1 for pid in own), 'ps shows what runs here')

    @test
    def nothing_of_the_host_is_to_be_seen():
        with mounted(f'guest={guest()}/guest.raw') as mount:
            text = says(mount, 'sh', '-c', f'ls -A {" ".join(HOST_FOLDERS)} 2>/dev/null | grep -v : ; cat /run/utmp 2>/dev/null; true')
            equal(text.strip(), '', 'the host')
            equal(says(mount, 'printenv', 'PROC_ROOT'), '/proc\n', 'PROC_ROOT')
            equal(says(mount, 'getconf', '_NPROCESSORS_ONLN'), f'{len(re.findall("(?m)^cpu[0-9]", Truth(guest()).text("proc/stat")))}\n', 'processors')
            equal(says(mount, 'sh', '-c', 'cd /proc/self && pwd && cat comm'),
                  '/proc/self\n' + read(mount.path + '/guest/procs/1/comm').decode(), 'self')
            folder_in_proc = says(mount, 'pwd', cwd='/proc/self')
            equal(folder_in_proc, '/\n', 'the working folder where that was in /proc')

    @test
    def links_of_the_guest_lead_nowhere():
        with mounted(f'guest={guest()}/guest.raw') as mount:
            for name in ('exe', 'root/etc/passwd', 'cwd/.', 'fd/0'):
                done = vmifs_run(mount, 'cat', f'/proc/1/{name}')
                check(done.returncode == 1 and not done.stdout, lambda: f'{name}: {done}')

    @test
    def status_and_streams_are_the_commands_own():
        with mounted(f'guest={guest()}/guest.raw') as mount:
            for command, status in ((['true'], 0), (['sh', '-c', 'exit 57'], 57), (['/nonesuch'], 127), (['/etc'], 126),
                                    (['sh', '-c', 'kill -TERM $$'], -signal.SIGTERM), (['sh', '-c', 'kill -KILL $$'], -signal.SIGKILL)):
                equal(vmifs_run(mount, *command).returncode, status, f'{command}')
            equal(vmifs_run(mount, 'cat', stdin=None, input=b'\0in').stdout, b'\0in', 'standard input')
            done = vmifs_run(mount, 'sh', '-c', 'echo out; echo err >&2')
            equal((done.stdout, done.stderr), (b'out\n', b'err\n'), 'output')
            # What still runs when the command ends is ended.
            start = time.monotonic()
            vmifs_run(mount, 'sh', '-c', 'sleep 60 >/dev/null 2>&1 &')
            check(time.monotonic() - start < 20, 'waits for what runs behind')

    @test
    def orphans_are_buried():
        with mounted(f'guest={guest()}/guest.raw') as mount:
            with subprocess.Popen([programs['vmifs-run'], mount.path + '/guest', 'bash', '-c',
                                   '(sleep 0.1 & sleep 1000 &); echo ready; read line'],
                                  stdin=subprocess.PIPE, stdout=subprocess.PIPE) as process:
                equal(process.stdout.readline(), b'ready\n', 'the command')
                inside, = children(process.pid)
                wait_until(lambda: len(children(inside)) == 2, 'the command and one orphan are left')

    @test
    def signals_are_passed_on_and_stops_are_told():
        with mounted(f'guest={guest()}/guest.raw') as mount:
            # A signal that is ignored from the start, as under nohup(1), cannot be trapped.
            command = ['env', '--default-signal', programs['vmifs-run'], mount.path + '/guest']
            for number, wanted in ((signal.SIGTERM, 43), (signal.SIGINT, 44), (signal.SIGHUP, 45)):
                with subprocess.Popen([*command, 'bash', '-c', 'trap "exit 43" TERM; trap "exit 44" INT; trap "exit 45" HUP; '
                                       'echo ready; while :; do sleep 0.05; done'], stdout=subprocess.PIPE) as process:
                    equal(process.stdout.readline(), b'ready\n', 'the command')
                    process.send_signal(number)
                    equal(status_of(process), wanted, f'status after {number}')
            with subprocess.Popen([*command, 'bash', '-c', 'echo ready; kill -STOP $$; echo on'], stdout=subprocess.PIPE) as process:
                equal(process.stdout.readline(), b'ready\n', 'the command')
                _, status = os.waitpid(process.pid, os.WUNTRACED)
                check(os.WIFSTOPPED(status), f'not stopped: {status}')
                process.send_signal(signal.SIGCONT)
                equal(process.stdout.readline(), b'on\n', 'after it was continued')
                equal(status_of(process), 0, 'status')
            with subprocess.Popen([*command, 'sh', '-c', 'echo ready; exec sleep 1000'], stdout=subprocess.PIPE) as process:
                equal(process.stdout.readline(), b'ready\n', 'the command')
                process.kill()
                equal(process.stdout.read(), b'', 'who was killed leaves nobody')

    @test
    def terminal_is_the_commands_own():
        with mounted(f'guest={guest()}/guest.raw') as mount:
            pid, fd = pty.fork()
            if pid == 0:
                os.execv(programs['vmifs-run'], ['vmifs-run', mount.path + '/guest', 'bash', '-c',
                                                 'test -t 0 && test -t 1 && echo terminal; trap "echo int; exit 9" INT; '
                                                 'while :; do sleep 0.05; done'])
            text, end = b'', time.monotonic() + 20
            while b'int\r\n' not in text and time.monotonic() < end:
                if select.select([fd], [], [], 1)[0]:
                    text += os.read(fd, 1000)
                if text == b'terminal\r\n':
                    time.sleep(0.2)
                    os.write(fd, b'\x03')
            equal(os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]), 9, f'status after Ctrl-C ({text!r})')
            os.close(fd)

    @test
    def several_run_at_once():
        with mounted(f'guest={guest()}/guest.raw') as mount:
            command = [programs['vmifs-run'], mount.path + '/guest', 'ps', '-ef']
            running = [subprocess.Popen(command, stdout=subprocess.PIPE) for _ in range(6)]
            texts = {process.communicate(timeout=120)[0] for process in running}
            equal(len(texts), 1, 'different answers')
            equal({process.returncode for process in running}, {0}, 'status')

    @test
    def ordinary_user_runs_it_on_his_own_mount():
        image = guest() + '/guest.raw'
        with mounted('guest=' + image, user=USER) as mount:
            done = vmifs_run(mount, 'sh', '-c', 'ps -ef && id -un && kill -9 -1', user=USER)
            text = done.stdout.decode(errors='replace')
            check('kthreadd' in text and USER in text.splitlines()[-1], lambda: f'{done}')
            # Not even root gets into a user's mount; in a user namespace of his own he is told so, too.
            fails(125, ['Permission denied', 'only who mounted it'], mount.path + '/guest', 'true')

    @test
    def others_are_told_why_they_cannot_get_in():
        with mounted(f'guest={guest()}/guest.raw') as mount:
            fails(125, ['Permission denied', 'allow_other'], mount.path + '/guest', 'true', user=USER)
        with mounted(f'guest={guest()}/guest.raw', options=['allow_other', 'umask=022']) as mount:
            check('kthreadd' in says(mount, 'ps', '-e', user=USER), 'ps of another user')

    @test
    def host_without_namespaces_is_named():
        with mounted(f'guest={guest()}/guest.raw') as mount:
            for limit in ('max_pid_namespaces', 'max_net_namespaces', 'max_mnt_namespaces'):
                done = run('unshare', '-Ur', 'sh', '-c', 'echo 0 >/proc/sys/user/$1; exec "$2" "$3" true', '-', limit,
                           programs['vmifs-run'], mount.path + '/guest')
                equal(done.returncode, 125, f'status without {limit} ({done.stderr!r})')
                check(b'run as root, or raise the limit' in done.stderr, lambda: f'{limit}: {done.stderr!r}')

    @test
    def a_chroot_whose_root_is_no_mount_is_named():
        make('root/vmifs-run', b'', mode=0o755)
        root = in_work('root')
        for name in ('bin', 'lib', 'lib64'):
            os.symlink('usr/' + name, f'{root}/{name}')
        for name in ('usr', 'proc', 'm'):
            os.mkdir(f'{root}/{name}')
        with mounted(f'guest={guest()}/guest.raw') as mount:
            script = ('cd "$1"; mount --bind /usr usr; mount --bind "$2" m; mount --bind "$3" vmifs-run; '
                      'mount -t proc none proc; exec chroot . ./vmifs-run m/guest true')
            done = run('unshare', '--mount', 'sh', '-ec', script, '-', root, mount.path, programs['vmifs-run'])
        equal(done.returncode, 125, f'status ({done.stderr!r})')
        check(b'mount --bind DIR DIR' in done.stderr, lambda: f'{done.stderr!r}')

    @test
    def what_is_no_guest_is_named():
        unknown = make('unknown.raw', noise(MiB))
        with mounted(f'guest={guest()}/guest.raw', unknown) as mount:
            top = mount.path
            fails(125, ['give one guest', top + '/guest'], top, 'true')
            fails(125, [top + '/guest/procs/..'], top + '/guest/procs', 'true')
            fails(125, ['no operating system', top + '/unknown/info'], top + '/unknown', 'true')
            fails(125, ['mount the image first'], unknown, 'true')
            fails(125, ['is not a guest'], folder(), 'true')
            fails(125, ['No such file'], top + '/nonesuch', 'true')
            fails(125, ['vmifs-run DIR COMMAND'], top + '/guest')
            fails(125, ['--help'], '--nonesuch')
            fails(127, ['nonesuch'], top + '/guest', 'nonesuch')
            for pid in mount.pids():
                os.kill(pid, signal.SIGKILL)
            wait_until(lambda: not mount.pids(), 'the server is killed')
            fails(125, ['server of that mount has died'], top + '/guest', 'true')


def add_tests(guest):
    tests_of_tools(guest)
    tests_of_the_walls(guest)
