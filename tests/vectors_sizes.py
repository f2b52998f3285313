#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
# SPDX-FileCopyrightText: 2026 The kalloscope authors
"""vectors_sizes.py VECTORS FOLDER: zone files for machines nobody recorded.

Computes what topic `zones` says of a machine from its size, lowmem border and CPUs alone. First
every recorded zones file in FOLDER must come out line by line; then files for machines of many
other sizes, borders and CPU counts are written and replayed by VECTORS, which must agree."""
import glob
import gzip
import os
import re
import subprocess
import sys
import tempfile
from math import isqrt

DMA_START, DMA_END, LOWMEM = 16, 4096, 227326
HOLE = 256 - 0x9F  # frames below 1 MiB that are no RAM
NAMES = ['DMA', 'Normal', 'HighMem', 'Movable']
GFP = [('KERNEL', 0xd0), ('HIGHUSER', 0x200d2), ('HIGHUSER_MOVABLE', 0x200da), ('ATOMIC', 0x20),
       ('KERNEL|DMA', 0xd1), ('KERNEL|RECLAIMABLE', 0x800d0), ('KERNEL|COLD', 0x1d0),
       ('HIGHUSER_MOVABLE|COLD', 0x201da), ('USER', 0x200d0), ('NOWAIT', 0),
       ('ATOMIC|NOMEMALLOC', 0x10020), ('NOFS|RECLAIMABLE', 0x80050), ('KERNEL|MOVABLE', 0xd8)]
DERIVE = [1, 256, 1000, 2048, 3951, 4096, 8192, 12160, 16384, 28544, 32768, 61040, 65536, 96000,
          131072, 200000, 221152, 223486, 229376, 262144, 294912, 524288, 556000, 700000, 1048576]
MIN_FREE = [128, 512, 1015, 2048, 3000, 4096, 8192, 16384, 65536, 100000]
RATIOS = [(256, 32, 32), (1, 1, 1), (128, 16, 16), (32, 32, 32), (1000, 100, 100), (256, 256, 1)]
FRACTIONS = [8, 10, 16, 50, 100, 1000, 10000]


def batch(present):
    """Pages of one refill: one less than a power of two near a 4096th of the zone."""
    b = min(present // 1024, 128) // 4 or 1
    return (1 << ((b + b // 2).bit_length() - 1)) - 1


def wait_table(pages):
    """One queue for 256 pages, a power of two from 4 to 4096."""
    size = 4
    while size < pages // 256 and size < 4096:
        size *= 2
    return size


def inactive_ratio(present):
    gib = present >> 18
    return isqrt(10 * gib) if gib else 1


class Machine:
    def __init__(self, max_pfn, max_low, cpus, smp):
        self.max_pfn, self.max_low, self.cpus, self.smp = max_pfn, max_low, cpus, smp
        spans = [(DMA_START, min(DMA_END, max_low)), (DMA_END, max_low), (max_low, max_pfn), (0, 0)]
        self.start, self.spanned, self.present = [], [], []
        for i, (start, end) in enumerate(spans):
            spanned = max(end - start, 0)
            ram = spanned - (HOLE if i == 0 else 0)
            self.start.append(start if spanned else 0)
            self.spanned.append(spanned)
            self.present.append(ram - -(-spanned * 32 // 4096) if spanned else 0)
        self.populated = [i for i in range(4) if self.present[i]]

    def watermarks(self, kbytes):
        lowmem = self.present[0] + self.present[1]
        marks = []
        for i, present in enumerate(self.present):
            share = (kbytes // 4) * present // lowmem
            low = max(32, min(128, present // 1024)) if i == 2 else share
            marks.append((low, low + share // 4, low + share // 2))
        return marks

    def reserves(self, ratio):
        return [[sum(self.present[i + 1:j + 1]) // ratio[i] if j > i else 0 for j in range(4)]
                for i in range(4)]

    def dirty(self, marks, reserves):
        return [min(max(reserves[i]) + marks[i][2], self.present[i]) for i in range(4)]

    def min_free(self):
        return isqrt((self.present[0] + self.present[1]) * 4 * 16)

    def header(self):
        return ('=== topic=zones config=%s seed=1 kernel=3.4.113 cpus_possible=%d cpus_online=%d '
                'nr_cpu_ids=%d totalram_pages=0 totalhigh_pages=0 max_low_pfn=%d highend_pfn=%d '
                'mem_map=0 page_struct=32 cache_line=64'
                % ('SMP' if self.smp else 'UP', self.cpus, self.cpus, self.cpus, self.max_low,
                   self.max_pfn))

    def order(self, highest):
        return ' '.join(NAMES[i] for i in range(highest, -1, -1) if self.present[i])

    def gfp_lines(self):
        for name, gfp in GFP:
            zone = 0 if gfp & 1 else 3 if gfp & 10 == 10 else 2 if gfp & 2 else 1
            mt = 2 if gfp & 8 else 1 if gfp & 0x80000 else 0
            yield 'gfp %s=%x gfp_zone=%d migratetype=%d order: %s' % (name, gfp, zone, mt,
                                                                     self.order(zone))

    def zone_lines(self):
        marks, reserves = self.watermarks(self.min_free()), self.reserves((256, 32, 32))
        dirty = self.dirty(marks, reserves)
        yield ('node start_pfn=16 spanned=%d present=%d min_free_kbytes=%d totalreserve_pages=%d '
               'dirty_balance_reserve=%d page_group_by_mobility_disabled=%d vm_total_pages=%d'
               % (self.max_pfn - 16, self.max_pfn - 16 - HOLE, self.min_free(), sum(dirty),
                  sum(dirty), sum(self.present) < 5 * 1024, sum(self.present)))
        yield 'zonelist order: ' + ' '.join('%s(idx=%d)' % (NAMES[i], i)
                                            for i in reversed(self.populated))
        yield from self.gfp_lines()
        for i in range(4):
            wait = wait_table(self.spanned[i]) if self.spanned[i] else 0
            yield ('zoneinfo idx=%d name=%s populated=%d start=%d spanned=%d present=%d min=%d '
                   'low=%d high=%d reserve=%s dirty_reserve=%d inactive_ratio=%d '
                   'wait_table_hash_nr_entries=%d wait_table_bits=%d'
                   % ((i, NAMES[i], i in self.populated, self.start[i], self.spanned[i],
                       self.present[i]) + marks[i] +
                      (','.join(map(str, reserves[i])), dirty[i], inactive_ratio(self.present[i]),
                       wait, wait.bit_length() - 1 if wait else 0)))

    def derive_lines(self):
        normal_marks = self.watermarks(self.min_free())[1]
        low_min = normal_marks[1] - normal_marks[0]
        for present in DERIVE:
            normal = min(125, 2 * self.cpus.bit_length() * (1 + (present >> 15).bit_length()))
            pressure = max(1, min(125, low_min // self.cpus))
            yield ('derive present=%d batch=%d normal_threshold=%d '
                   'pressure_threshold(low-min=%d)=%d inactive_ratio=%d wait_table_entries=%d'
                   % (present, batch(present), normal if self.smp else 0, low_min,
                      pressure if self.smp else 0, inactive_ratio(present), wait_table(present)))

    def sysctl_lines(self):
        each = lambda text: ' '.join('%s=%s' % (NAMES[i], text(i)) for i in self.populated)
        for f in FRACTIONS if self.smp else []:
            high = [present // f for present in self.present]
            yield 'setfraction percpu_pagelist_fraction=%d: ' % f + each(
                lambda i: 'high:%d,batch:%d' % (high[i], max(1, min(96, high[i] // 4))))
        for i in self.populated if self.smp else []:
            b = batch(self.present[i])
            yield 'pcpdefault zone=%s high=%d batch=%d' % (NAMES[i], 6 * b, b or 1)
        # In less, which blocks can be reserves depends on what else the kernel has taken.
        for kbytes in MIN_FREE if self.max_low >= 64 * 256 - 32 else []:
            marks = self.watermarks(kbytes)
            dirty = self.dirty(marks, self.reserves((256, 32, 32)))
            yield 'setmin min_free_kbytes=%d totalreserve=%d: ' % (kbytes, sum(dirty)) + each(
                lambda i: '%d/%d/%d/reserveblocks=%d/dirty=%d'
                % (marks[i] + (min(2, -(-marks[i][0] // 1024)), dirty[i])))
        for ratio in RATIOS:
            reserves = self.reserves(ratio)
            dirty = self.dirty(self.watermarks(self.min_free()), reserves)
            yield 'setratio %d,%d,%d totalreserve=%d: ' % (ratio + (sum(dirty),)) + each(
                lambda i: ','.join(map(str, reserves[i])))

    def lines(self):
        yield from self.zone_lines()
        yield from self.derive_lines()
        yield from self.sysctl_lines()


def recorded(path):
    """The machine of a recorded file, and its lines without headers, ends and watermark tests."""
    lines = gzip.open(path, 'rt').read().splitlines()
    number = lambda key: int(re.search(r' %s=(\d+)' % key, lines[0]).group(1))
    machine = Machine(number('highend_pfn'), number('max_low_pfn'), number('cpus_possible'),
                      'config=SMP' in lines[0])
    return machine, [l for l in lines if not l.startswith(('===', 'wmok', '#'))]


def machines():
    """RAM from 24 MiB to 4 GiB, with and without a moved border, UP and 1 to 8 CPUs."""
    for mib in [24, 32, 40, 48] + list(range(64, 1024, 61)) + [880, 887, 888, 889, 892, 1024, 1536, 2048, 3072, 3584]:
        max_pfn = mib * 256 - 32
        cpus = mib % 8 + 1
        yield Machine(max_pfn, min(max_pfn, LOWMEM), cpus, True)
        yield Machine(max_pfn, min(max_pfn, LOWMEM), 1, False)
        if max_pfn > LOWMEM:  # vmalloc=
            yield Machine(max_pfn, LOWMEM - mib % 5 * 0x8000, cpus, True)
        elif max_pfn > 131072:  # highmem=
            yield Machine(max_pfn, max_pfn - 65536, cpus, True)


def main():
    vectors, folder = sys.argv[1:]
    tests = []
    for path in sorted(glob.glob(folder + '/zones-*.gz')):
        machine, want = recorded(path)
        wrong = [a for a, b in zip(list(machine.lines()) + [''] * 99, want + [''] * 99) if a != b]
        tests.append(('computed: ' + os.path.basename(path), not wrong, wrong[:2]))
    with tempfile.TemporaryDirectory() as tmp:
        files = []
        for n, machine in enumerate(machines()):
            files.append('%s/%d-%d-%d.txt' % (tmp, n, machine.max_pfn, machine.max_low))
            with open(files[-1], 'w') as f:
                f.write('\n'.join([machine.header()] + list(machine.lines()) + [
                    '=== events zones allocstall=0 pageoutrun=1 compactstall=0\n']))
        run = subprocess.run([vectors] + files, capture_output=True, text=True)
        agree = run.stdout.count(' mismatches=0\n')
        tests.append(('%d of %d other machines agree' % (agree, len(files)),
                      agree == len(files) and run.returncode == 0, run.stderr.splitlines()[:6]))
    print('1..%d' % len(tests))
    for n, (name, ok, detail) in enumerate(tests, 1):
        print('%s %d - %s' % ('ok' if ok else 'not ok', n, name))
        for line in [] if ok else detail:
            print('# ' + line)


main()
