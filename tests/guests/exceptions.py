# SPDX-License-Identifier: LGPL-2.1-or-later
#
# Where a mounted guest may differ from what that guest said of itself, and why: the only such list.
# Everything else is compared byte for byte.  A row excuses one difference when all its patterns match in
# full; `compare --report` prints how often each row was needed, and a row that nothing needs shall go.
#
#   who    process class: collector, restless, kworker, kthread (a kworker is one too), user; '' for system files
#   file   name below the process's or the guest's folder, threads as task/TID/…
#   item   field, or line, within the file (see PARSERS in compare)
#   rule   how far it may differ (see RULES in compare)

ANY = r'(?s).*'
# Files in which nothing stays as it is: of them the guest's last word counts, even where it gave two.
RUNNING = 'uptime|procs/(uptime|loadavg|meminfo|stat|vmstat)'
STEADY = '(?!MemTotal|SwapTotal|Huge|CommitLimit|Percpu|VmallocTotal|DirectMap|HardwareCorrupted)'  # other lines
GAUGES = 'nr_(?!foll_pin|dirtied|written).*'

EXCEPTIONS = [
    # who, file, item, rule, why
    ('collector', ANY, ANY, 'all',
     'it was at work while it told of itself, and asleep when the memory was saved'),
    ('restless', ANY, ANY, 'all',
     'in guests that run on: processes that come and go, and count, all the time'),
    ('kworker', 'pids', ANY, 'any',
     'the kernel starts and ends workers as it pleases between the telling and the dump'),
    ('kworker', r'(task/\d+/)?(comm|stat|status)', r'comm|Name', 'worker-name',
     'procfs adds what the worker does or did last, after a "-" or "+"; that changes all the time'),
    ('kthread|kworker', r'(task/\d+/)?stat', 'state|utime|stime|processor|wchan', 'any',
     'kernel threads run between the telling and the dump'),
    ('kthread|kworker', r'(task/\d+/)?status', r'State|(non)?voluntary_ctxt_switches', 'any',
     'kernel threads run between the telling and the dump'),
    ('kthread|kworker', r'(task/\d+/)?(wchan|stack|syscall|schedstat|sched)', ANY, 'any',
     'kernel threads run between the telling and the dump'),
    ('user|kthread|kworker', r'(task/\d+/)?sched', r'clock-delta\s*|effective uclamp\.m(in|ax)\s*', 'any',
     'not of the task: how long two looks at the clock took, what all groups together allow'),
    ('kthread', r'task/\d+/children', ANY, 'any',
     'the kernel starts and ends workers as it pleases between the telling and the dump'),
    ('user', r'(task/\d+/)?oom_score', '1', ('within', 8),
     'made of figures that the kernel adds up lazily, per CPU; newer ones add them up first'),
    ('user', r'(task/\d+/)?stat', 'minflt|majflt|cminflt|cmajflt|utime|stime|cutime|cstime', ('within', 2),
     'counters of faults and time, which the telling itself moves'),
    ('user', r'(task/\d+/)?(status|stat|statm)', 'VmRSS|VmHWM|Rss\\w+|rss|resident|shared', 'rss',
     'the kernel adds these figures up lazily, per CPU, and shows a sum that may lag'),
    ('user', 'smaps(_rollup)?', r'(.* )?Referenced', 'rss',
     'set by the processor when a page is used, by any process that shares it'),
    ('user', r'(task/\d+/)?fdinfo/\d+', 'iff|prog_.*|memlock|run_.*|recursion_misses|verified_insns',
     'left-out', 'what bpf and drivers add to their descriptors is not made'),
    ('user|', r'(procs/)?net/sockstat', 'TCP', 'but-tw', 'a connection that has ended is forgotten in time'),
    ('user|', r'(procs/)?net/protocols', ANY, 'but-sockets', 'a connection that has ended is forgotten in time'),
    ('user|', r'(procs/)?net/tcp6?', ANY, 'time-wait', 'a connection that has ended is forgotten in time'),
    ('user|', r'(procs/)?net/tcp6?', ANY, 'fewer-users', 'a request to connect that nobody confirms is given up'),
    ('user|', r'(procs/)?net/packet', ANY, 'but-rmem', 'what waits for a reader grows until the dump'),
    ('user|', r'(procs/)?net/dev', ' *(lo|dummy0)', 'any', 'counters that run on until the dump'),
    ('user|', r'(procs/)?net/dev', ' *(tap0|eth[01]|veth[01])', 'left-out-untyped',
     'these drivers count in structures of their own, which kernels before 5.11 do not tell the types of'),
    ('', 'dmesg', r'\d+', 'added', 'the kernel may log more before the dump'),
    ('', 'kallsyms', r'.*\[(bpf|__builtin__ftrace|__builtin__kprobes)\]', 'any',
     'not tables of the kernel or of a module: code made at run time'),
    ('', 'kallsyms', r'.*\.L\d+(\x02|\\002)\d+\t\[\w+\]', 'any',
     'names of the assembler\'s own with a control character in them, which the mount escapes'),
    ('', 'procs/meminfo', 'VmallocTotal', 'left-out-arm64', 'on arm64 VMCOREINFO alone tells it'),
    ('', '(procs/)?uptime', ANY, ('seconds', 30), 'time goes on until the dump'),
    ('', 'procs/loadavg', 'field[123]', ('within', 1), 'processes run until the dump'),
    ('', 'procs/loadavg', 'field4', 'running', 'who told ran, and is counted; kernel threads come and go'),
    ('', 'procs/loadavg', 'field5', 'grown', 'the last pid that was given'),
    ('user|kthread|kworker', r'(task/\d+/)?status', 'SigQ', ('within', 3),
     'signals that wait in any process of the user, those about ended children among them'),
    ('', 'procs/meminfo', r'Mem(Free|Available)|.*Reclaimable|Slab|SUnreclaim', ('near', 2048),
     'what the kernel itself has is taken and given back until the dump (kB)'),
    ('', 'procs/meminfo', STEADY + '.*', ('near', 512), 'memory is taken and given back until the dump (kB)'),
    ('', 'procs/stat', 'intr', 'left-out', 'each interrupt is counted in structures of its driver'),
    ('', 'procs/stat', 'procs_(running|blocked)', ('within', 4), 'who told ran'),
    ('', 'procs/stat', r'cpu\d*|ctxt|processes|softirq', 'counted', 'counters that run on until the dump'),
    ('', 'procs/vmstat', 'nr_(free_pages|slab_.*)', ('near', 512), 'the same, in pages'),
    ('', 'procs/vmstat', GAUGES, ('near', 128), 'the same, in pages'),
    ('', 'procs/vmstat', f'(?!{GAUGES}).*', 'counted', 'counters that run on until the dump'),
]

# What the mount lacks, with the reason.  A name that ends in a slash is a folder with all that is in it.
#   file   as above, those of the whole system below procs/; what a thread lacks its process may have
ABSENT = [
    (r'(task/\d+/)?(arch_status|cpu_resctrl_groups|ksm_(merging_pages|stat)|latency)',
     'of features that few kernels have in use, and no tool reads'),
    (r'(task/\d+/)?attr/', 'labels, which each security module keeps in structures of its own'),
    (r'numa_maps', 'the memory node of each page'),
    (r'timens_offsets', 'not made yet'),
    (r'(procs/)?net/(anycast6|connector|dev_snmp6/|fib_trie(stat)?|igmp6?|ip6_flowlabel|ip6?_mr_(cache|vif)|'
     r'mcfilter6?|netfilter/|netstat|psched|ptype|rt6_stats|rt_acct|rt_cache|snmp6?|softnet_stat|stat/|wireless|'
     r'xfrm_stat)',
     'counters of protocols, and lists for those who work on the network code'),
    (r'procs/(acpi|bus|driver|dynamic_debug|fs|irq|net|pressure|scsi|sysvipc|tty/(driver|ldisc))/|procs/tty/ldiscs',
     'of drivers and subsystems, each in structures of its own'),
    (r'procs/(allocinfo|buddyinfo|cgroups|consoles|crypto|diskstats|dma|execdomains|fb|interrupts|key-users|keys|'
     r'kpagecgroup|locks|mdstat|mtrr|pagetypeinfo|partitions|sched_debug|schedstat|slabinfo|softirqs|timer_list|'
     r'vmallocinfo|zoneinfo)',
     'none of the tools that show processes, memory or sockets reads it'),
    (r'procs/device-tree', 'what the firmware tells of an ARM machine'),
    (r'procs/sys/(?!(kernel|vm|fs)/).+', 'settings that no tool that shows a system reads'),
    (r'procs/sys/(?!(?:kernel|vm|fs)/$|kernel/(cap_last_cap|hostname|ngroups_max|osrelease|ostype|pid_max|'
     r'threads-max|version|random/|random/boot_id)$|vm/(dirty_(background_)?ratio|max_map_count|'
     r'min_free_kbytes|overcommit_\w+|page-cluster|panic_on_oom|swappiness)$|fs/(nr_open|pipe-max-size|'
     r'protected_(hard|sym)links|suid_dumpable)$).*',
     'settings that no tool that shows a system reads'),
]

# The same, and of the former table, for kernels whose kallsyms lists functions alone (no KALLSYMS_ALL): what
# lies in variables that neither the export tables nor any function was found to tell of.  A file of these may
# also be there and refuse to be read.
UNTOLD = [
    (r'(procs/)?net/(icmp6?|sockstat)', 'the table of ping sockets, and which counters each CPU has of its own'),
    (r'procs/vmstat', 'the counters of NUMA'),
    (r'procs/sys/(kernel/(cap_last_cap|ngroups_max|pid_max|threads-max|random/boot_id)|vm/.+|fs/.+)',
     'settings, each in a variable'),
]
UNTOLD_LINES = [
    ('user|', r'(procs/)?net/sockstat6', r'UDP6|UDPLITE6|RAW6', 'left-out', 'protocols that are not exported'),
    ('', 'procs/meminfo', r'CommitLimit|Percpu|HardwareCorrupted|CmaTotal|Huge(Pages_\w+|pagesize|tlb)|MemAvailable',
     'left-out', 'what lies in variables that are nobody\'s but the memory manager\'s'),
    ('', 'procs/stat', r'cpu\d*', 'any', 'idle time is what the scheduler counted: that of the tick is nobody\'s but its own'),
]

# The same, where processes come and go while the guest is compared.
BUSY_LINES = [
    ('user', 'smaps(_rollup)?', r'(.* )?(Pss(_\w+)?|Shared_\w+|Private_\w+)', ('within', 64),
     'a page\'s share is what all who have it mapped leave, and those that come map some pages, too'),
]

# The same, where the guest runs on: for as long as other tests before this one, or this machine, make it wait.
LIVE_LINES = [
    ('', 'procs/loadavg', 'field[1-4]', 'any', 'processes have run since'),
    ('', 'procs/meminfo', '(?!MemTotal|SwapTotal|Huge|CommitLimit|VmallocTotal).*', ('near', 16384),
     'memory was taken and given back since (kB)'),
    ('', 'procs/stat', r'cpu\d*|ctxt|processes|softirq', 'ran-on', 'counters'),
    ('', 'procs/stat', 'procs_(running|blocked)', ('within', 1000), 'others run now'),
    ('', 'procs/vmstat', GAUGES, ('near', 4096), 'memory was taken and given back since (pages)'),
    ('', 'procs/vmstat', f'(?!{GAUGES}).*', 'ran-on', 'counters'),
]
