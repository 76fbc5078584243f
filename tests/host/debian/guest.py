# SPDX-License-Identifier: GPL-2.0-only
"""A virtual machine in the host, by what it says on its console (tests/host/guest)."""

import re
import time
from typing import Callable, List, NamedTuple, Optional, Tuple

from host.base import RigError, shown, slowness

from .machine import DebianHost

WAIT_S = 600
LINE = re.compile(r"guest: id (\w+) up (\d+) clock (\d+\.\d+) set (\d+) reads (\d+) writes (\d+) "
                  r"bad (\d+) frames (\d+) gaps (\d+)")

# What of a guest that hangs can be seen: its threads, its CPUs twice, its interrupts
LOOK = r"""
for pid in $(pgrep -f -- "-name {name} "); do
	grep -H . /proc/$pid/task/*/stat /proc/$pid/task/*/wchan
done
for what in "info status" "info registers -a" "info registers -a" "info lapic" "info pic" "info kvm"; do
	echo "== $what"
	printf '%s' '{{"execute": "qmp_capabilities"}}' '{{"execute": "human-monitor-command",
		"arguments": {{"command-line": "'"$what"'"}}}}' | socat -t 5 - UNIX:/run/lu-qemu/{name}.qmp
done
grep -E 'vfio|LOC' /proc/interrupts
"""

REGISTERS = re.compile(r"RIP=(\w+) RFL=(\w+)")
IF = 1 << 9


class Deadlock(RigError):
    """The guest's only processor waits with interrupts off, at one place: for a lock that
    what it has interrupted had taken, with interrupts off as well. So the emulated processor
    has interrupted where it must not. Nothing of the host's can do that."""


def is_deadlock(look: str) -> bool:
    """By what LOOK has found of its registers, twice."""
    found = REGISTERS.findall(look)
    return len(found) > 1 and len(set(found)) == 1 and not int(found[0][1], 16) & IF


class Seen(NamedTuple):
    """One line of it."""
    life: str                   # anew when it boots
    up: int                     # seconds, by its own clock
    clock: float                # the time of day there
    steps: int                  # how often it had to set that
    reads: int
    writes: int
    bad: int
    frames: int
    gaps: int


NOTHING = Seen("", 0, 0.0, 0, 0, 0, 0, 0, 0)


def parse(text: str) -> List[Seen]:
    return [Seen(m[1], int(m[2]), float(m[3]), *map(int, m.groups()[3:]))
            for m in LINE.finditer(text)]


class Guest:
    """`last` is what it has said last, `until` waits for it to go on."""

    def __init__(self, host: DebianHost, name: str, has_drive: bool = True):
        self.host = host
        self.name = name
        self.has_drive = has_drive

    @property
    def unit(self) -> str:
        return f"lu-vm@{self.name}.service"

    def last(self) -> Optional[Seen]:
        seen = parse(self.host.ssh(f"tail -n 5 /var/lib/lu-vm/{self.name}.console").stdout)
        return seen[-1] if seen else None

    def until(self, after: Optional[Seen], reads: int = 50, frames: int = 5, lines: int = 0) -> Seen:
        """Wait until it has done and said so much more than when it was seen last."""
        reads = reads if self.has_drive else 0
        was = after or NOTHING
        return self._wait(lambda now: (now.reads >= was.reads + reads
                                       and now.frames >= was.frames + frames
                                       and now.up >= was.up + lines))

    def anew(self, before: Seen) -> Seen:
        """Wait until another one speaks there, if it does: this one may have gone on."""
        last = self.last()
        return self._wait(lambda now: now.life != before.life or (
            last is not None and now.up > last.up and now.frames > last.frames))

    def _wait(self, enough: Callable[[Seen], bool]) -> Seen:
        ends = time.monotonic() + WAIT_S * slowness()
        now = None
        while time.monotonic() < ends:
            now = self.last()
            if now and enough(now):
                return now
            time.sleep(1)
        where = self.host.folder / f"{self.name}-hung.txt"
        look = self.host.ssh(LOOK.format(name=self.name)).stdout
        where.write_text(look)
        kind = Deadlock if is_deadlock(look) else RigError
        raise kind(f"The guest {self.name} does not go on: {now or 'it says nothing'}. "
                   f"{self.said()} See {shown(where)}.")

    def said(self, boot: int = 0) -> str:
        """What its service has written in this boot, or one before."""
        return self.host.ssh(f"journalctl -b {boot} -q --no-pager -o cat -u {self.unit} "
                             "| tail -n 20").stdout

    def state(self) -> str:
        """Of its service."""
        return self.host.ssh(f"systemctl is-active {self.unit}").stdout.strip()

    def clock(self) -> Tuple[float, float, float]:
        """The host's time of day, the guest's, and the host's again."""
        start = self._host_clock()
        seen = self.last()
        now = self.until(seen, reads=0, frames=0, lines=1)
        return start, now.clock, self._host_clock()

    def _host_clock(self) -> float:
        return float(self.host.run("date +%s.%N"))
