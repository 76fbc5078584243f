# SPDX-License-Identifier: GPL-2.0-only
"""What is measured: each point is one live update of one virtual machine.

The scenario is tests/vm/guest/scenarios/cost.c, which says what its arguments are.
"""

from typing import Dict, List, NamedTuple, Tuple

ONE = "q35-intel-count"

# MiB mapped by a domain with one device, the smallest first
SIZES = (64, 1024, 8192, 65536)
# the same with table pages that are never side by side
TORN = (64, 1024, 8192)
# the same in 2 MiB pages
HUGE = (1024, 65536)
DOMAINS = (1, 16, 64, 256)
DOMAIN_MIB = 16
DEVICES = (1, 8, 24, 64)
# MiB of a memfd that is kept, in pages of 4 KiB, without a device
MEMORY = (4, 64)
# What the other modes of the unit are called, and what a machine calls them; the
# last is another unit
MODES = {"scalable": "scalable", "first": "first-stage", "amd": "amd"}
MODE_SIZES = (64, 8192)
MODE_DEVICES = (1, 64)
# One slot less is free
AMD_DEVICES = (1, 63)
# The new kernel is not to do other work in the middle of a step: neither print, nor
# unpack its initramfs, nor look up what trace events call their numbers, which both
# take the CPU where a step is long enough.
QUIET = ">loglevel=1:>initramfs_async=0:>initcall_blacklist=trace_eval_init"
# measured twice
REPEATED = 1024


class Point(NamedTuple):
    name: str
    kernel: str                 # bench or bench-stock
    machine: str
    args: Dict[str, int]

    def spec(self) -> str:
        """As tests/vm/run takes it."""
        given = ":".join(f"{key}={value}" for key, value in self.args.items())
        return f"cost@{self.machine}:{given}:{QUIET}:judge=plain:seconds=900"


def ours(name: str, machine: str = ONE, **args: int) -> Point:
    return Point(name, "bench", machine, args)


def many(devices: int) -> str:
    """The machine that has so many."""
    return f"q35-intel-count-{devices}"


def controls() -> List[Point]:
    """The kexec without ours: on the stock kernel, and with ours idle."""
    found = []
    for suffix, machine in (("", ONE), ("-64", many(DEVICES[-1]))):
        found.append(Point(f"stock{suffix}", "bench-stock", machine, {"stock": 1}))
        found.append(ours(f"idle{suffix}", machine, stock=1))
    return found + [ours(f"memory-{mib}", stock=1, mib=mib) for mib in MEMORY]


def mode_devices(mode: str) -> Tuple[int, int]:
    return AMD_DEVICES if mode == "amd" else MODE_DEVICES


def modes() -> List[Point]:
    """The same in the other modes, fewer of them."""
    found = []
    for name, mode in MODES.items():
        found += [ours(f"{name}-size-{mib}", f"{ONE}+{mode}", mib=mib)
                  for mib in reversed(MODE_SIZES)]
        found += [ours(f"{name}-devices-{n}", f"{many(mode_devices(name)[-1])}+{mode}", devices=n)
                  for n in reversed(mode_devices(name))]
    return found


def everything() -> List[Point]:
    # the long ones first, so that none of them is left over at the end
    points = [ours(f"size-{mib}", mib=mib) for mib in reversed(SIZES)]
    points += [ours(f"torn-{mib}", mib=mib, torn=1) for mib in reversed(TORN)]
    points += [ours(f"huge-{mib}", mib=mib, huge=1) for mib in reversed(HUGE)]
    points += [ours(f"devices-{n}", many(DEVICES[-1]), devices=n) for n in reversed(DEVICES)]
    points += [ours(f"domains-{n}", domains=n, mib=DOMAIN_MIB) for n in reversed(DOMAINS)]
    return points + modes() + controls() + [ours("again", mib=REPEATED)]
