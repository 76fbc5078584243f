# SPDX-License-Identifier: GPL-2.0-only
"""A virtual machine in the host, by what it says on its console (tests/host/guest)."""

import re
import time
from typing import List, NamedTuple, Optional

from host.base import RigError, slowness

from .machine import DebianHost

NAME = "web1"
UNIT = f"lu-vm@{NAME}"
CONSOLE = f"/var/lib/lu-vm/{NAME}.console"
WAIT_S = 600
LINE = re.compile(r"guest: id (\w+) up (\d+) clock (\d+\.\d+) reads (\d+) bad (\d+) "
                  r"frames (\d+) gaps (\d+)")


class Seen(NamedTuple):
    """One line of it."""
    life: str                   # anew when it boots
    up: int                     # seconds, by its own clock
    clock: float                # the time of day there
    reads: int
    bad: int
    frames: int
    gaps: int


def parse(text: str) -> List[Seen]:
    return [Seen(m[1], int(m[2]), float(m[3]), *map(int, m.groups()[3:]))
            for m in LINE.finditer(text)]


def last(host: DebianHost) -> Optional[Seen]:
    seen = parse(host.ssh(f"tail -n 5 {CONSOLE}").stdout)
    return seen[-1] if seen else None


def until(host: DebianHost, after: Optional[Seen], reads: int = 50, frames: int = 5) -> Seen:
    """Wait until it has done so much more than when it was seen last."""
    ends = time.monotonic() + WAIT_S * slowness()
    while time.monotonic() < ends:
        now = last(host)
        if now and now.reads >= (after.reads if after else 0) + reads \
                and now.frames >= (after.frames if after else 0) + frames:
            return now
        time.sleep(1)
    raise RigError(f"The guest does not go on: {now or 'it says nothing'}. "
                   f"{said(host)}")


def said(host: DebianHost, boot: int = 0) -> str:
    """What its service has written in this boot, or one before."""
    return host.ssh(f"journalctl -b {boot} -q --no-pager -o cat -u {UNIT} | tail -n 20").stdout
