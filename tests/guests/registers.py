# SPDX-License-Identifier: LGPL-2.1-or-later
#
# QEMU's own word about registers beside that of a mount.

import re

# Bits that QEMU's own two answers do not agree about: results of the last operation, which its translator
# keeps elsewhere, and bits of descriptors that are no attributes.
OWN_BITS = {'eflags': 0xcd5, '_flags': ~0xffff00}


def from_qemu(text):
    """{(vCPU, register): value} of QEMU's `info registers -a`, by our names."""
    found = {}
    for number, cpu in enumerate(re.split(r'(?m)^CPU#\d+', text)[1:]):
        for name, value in re.findall(r'\b(X\d\d|SP|PC|PSTATE)=([0-9a-f]+)', cpu):  # AArch64
            name = {'PSTATE': 'cpsr'}.get(name, name.lower().replace('x0', 'x'))
            found[number, name] = int(value, 16)
        if 'R00=' in cpu:  # ARM of 32 bits, whose last registers are called as some of x86
            for name, value in re.findall(r'\b(R\d\d|PSR|d\d\d)=([0-9a-f]+)', cpu):
                name = re.sub('(?<=[rd])0', '', name.lower())
                found[number, {'r13': 'sp', 'r14': 'lr', 'r15': 'pc', 'psr': 'cpsr'}.get(name, name)] = int(value, 16)
            continue
        for name, value in re.findall(r'(?:\bx\d+/|^ )(?!zero)([a-z]\w{1,2}) +([0-9a-f]{16})', cpu, re.M):  # RISC-V
            if name not in ('mip', 'mie'):
                found[number, name] = int(value, 16)
        for name, value in re.findall(r'\b(R[A-Z0-9]{1,2}|E[A-DSI][XIP]|E[SB]P|EFL|CR[0234]|RIP|RFL)\s*=\s*([0-9a-f]+)', cpu):
            found[number, {'RFL': 'eflags', 'EFL': 'eflags'}.get(name, name.lower())] = int(value, 16)
        for name, *values in re.findall(r'(?m)^([A-Z]{2}|LDT)\s*=(\w{4}) (\w{16}|\w{8}) (\w{8}) (\w{8})', cpu):
            for suffix, value in zip(('', '_base', '_limit', '_flags'), values):
                found[number, name.lower() + suffix] = int(value, 16)
        for name, base, limit in re.findall(r'(?m)^([GI]DT)=\s+(\w{16}|\w{8}) (\w{8})', cpu):
            found[number, name.lower() + '_base'] = int(base, 16)
            found[number, name.lower() + '_limit'] = int(limit, 16)
    return found


def from_mount(text):
    """{(vCPU, register): value} of the mount's `regs`."""
    found = {}
    for line in text.splitlines():
        vcpu, name, value = line.split()
        found[int(vcpu.removeprefix('vcpu')), name] = int(value, 16)
    return found


def differing(told, got):
    """What QEMU says and the mount says not."""
    found = [] if len(told) > 30 else ['QEMU tells no registers']
    for (vcpu, name), value in told.items():
        mask = next((~bits for end, bits in OWN_BITS.items() if name.endswith(end)), -1)
        seen = got.get((vcpu, name))
        if seen is None or seen & mask != value & mask:
            found.append(f'vcpu{vcpu} {name}: QEMU says {value:#x}, mount says {seen if seen is None else hex(seen)}')
    return found
