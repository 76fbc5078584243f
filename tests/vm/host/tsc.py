# SPDX-License-Identifier: GPL-2.0-only
"""How fast the time stamp counter of this machine counts, which is that of the machines
it emulates.

A kernel finds that out when it boots, by a timer that it looks at for some milliseconds.
Where the emulator has to wait for a processor at that moment it comes out wrong, and the
clock of that kernel then goes up to thirty times too fast: "tsc: PIT calibration deviates
from HPET". So the kernel is told. Later it compares what it was told with the HPET for a
second, and goes by what it finds if that is within one percent.
"""

import ctypes
import functools
import mmap
import platform
import time
from typing import Callable, List, Tuple

from .machine import Machine

# rdtsc; shl $32, %rdx; or %rdx, %rax; ret
CODE = bytes.fromhex("0f31 48c1e220 4809d0 c3")
APART_S = 0.1
TRIES = 20


def _counter() -> Callable[[], int]:
    page = mmap.mmap(-1, mmap.PAGESIZE, prot=mmap.PROT_READ | mmap.PROT_WRITE | mmap.PROT_EXEC)
    page.write(CODE)
    # that keeps the page, too
    start = ctypes.c_char.from_buffer(page)
    call = ctypes.CFUNCTYPE(ctypes.c_uint64)(ctypes.addressof(start))
    return lambda kept=start: call()


def _reading(counter: Callable[[], int]) -> Tuple[int, int]:
    """Counter and clock at the same time: the pair that was read without being interrupted."""
    found = []
    for _ in range(TRIES):
        before = time.clock_gettime_ns(time.CLOCK_MONOTONIC_RAW)
        ticks = counter()
        after = time.clock_gettime_ns(time.CLOCK_MONOTONIC_RAW)
        found.append((after - before, ticks, (before + after) // 2))
    _, ticks, ns = min(found)
    return ticks, ns


@functools.lru_cache(maxsize=None)
def khz() -> int:
    """In kHz, and 0 where there is no such counter or nobody may look at it."""
    if platform.machine() != "x86_64":
        return 0
    try:
        counter = _counter()
    except OSError:
        return 0
    ticks, ns = _reading(counter)
    time.sleep(APART_S)
    later_ticks, later_ns = _reading(counter)
    return round((later_ticks - ticks) * 1_000_000 / (later_ns - ns))


def words(machine: Machine) -> List[str]:
    """For the command line. Where the clock counts instructions the counter does, too."""
    if not khz() or any("icount" in option for option in machine.options):
        return []
    return [f"tsc_early_khz={khz()}"]
