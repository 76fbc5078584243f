# SPDX-License-Identifier: GPL-2.0-only
"""How long a guest stands still in an update, and what that is made of.

All moments are nanoseconds of CLOCK_MONOTONIC of this machine. What the host says of
itself is by a clock of its own, one for each kernel; lines of its kernel's log, which
have that clock's time and come here at once, say how far the two are apart.
"""

import json
import re
from typing import Dict, List, NamedTuple, Optional, Tuple

from host import picture

from .guest import Guest
from .machine import DebianHost

JUMP = "Starting new kernel"
STAMP = re.compile(r"^\[\s*(\d+\.\d{6})\]")

# (part, from, to); the marks come in this order
PARTS = (("preserve", "stands still", "preserved"), ("shutdown", "preserved", "jump"),
         ("kernel", "jump", "init"), ("initrd", "init", "systemd"),
         ("services", "systemd", "service"), ("restore", "service", "all back"),
         ("QEMU", "all back", "first read"))
FIRST, LAST = PARTS[0][1], PARTS[-1][2]
# What the guest's service writes
WORDS = {"stands still": "stands still", "preserved": "is preserved, and waits",
         "all back": "has everything back"}

BIN_NS = 250_000_000
BEFORE_NS, AFTER_NS = 10_000_000_000, 8_000_000_000
READS, ANSWERS = "#0f8a5f", "#2563eb"


class Transfers(NamedTuple):
    """When they were seen, from outside."""
    reads: List[int]            # completed by the drive
    answers: List[int]          # of the guest, to frames
    sent: List[int]             # these


def apart(lines: List[Tuple[int, str]]) -> Optional[int]:
    """What to add to a time of that kernel. The line that was here soonest says it."""
    found = [ns - int(float(match[1]) * 1e9) for ns, line in lines
             if (match := STAMP.match(line)) and float(match[1])]
    return min(found, default=None)


def kernels(lines: List[Tuple[int, str]]) -> Tuple[List[Tuple[int, str]], List[Tuple[int, str]]]:
    """The lines of the last but one kernel, which end with the jump, and of the last."""
    jumps = [n for n, (_, line) in enumerate(lines) if JUMP in line]
    if not jumps:
        return lines, []
    start = jumps[-2] + 1 if len(jumps) > 1 else 0
    return lines[start:jumps[-1] + 1], lines[jumps[-1] + 1:]


def entries(host: DebianHost, what: str) -> List[Dict[str, str]]:
    text = host.ssh(f"journalctl -q --no-pager -o json {what}").stdout
    return [json.loads(line) for line in text.splitlines() if line.startswith("{")]


def when(journal: List[Dict[str, str]], words: str, offset: Optional[int]) -> Optional[int]:
    """The last time that this was said. A kernel's line has its own time."""
    found = [int(e.get("_SOURCE_MONOTONIC_TIMESTAMP", e["__MONOTONIC_TIMESTAMP"]))
             for e in journal if words in str(e.get("MESSAGE", ""))]
    return found[-1] * 1000 + offset if found and offset is not None else None


def marks(host: DebianHost, guest: Guest) -> Dict[str, int]:
    """Of the last update, as far as they are known."""
    old, new = kernels(host.lines())
    before, after = apart(old), apart(new)
    past = entries(host, f"-b -1 -u {guest.unit}")
    now = entries(host, f"-b 0 -u {guest.unit}")
    boot = entries(host, "-b 0 -k")
    said = host.run("systemctl show --value -p UserspaceTimestampMonotonic").splitlines()
    began = host.run(f"systemctl show --value -p ExecMainStartTimestampMonotonic {guest.unit}")
    found = {"stands still": when(past, WORDS["stands still"], before),
             "preserved": when(past, WORDS["preserved"], before),
             "jump": old[-1][0] if new else None,
             "init": when(boot, "Run /init", after),
             "systemd": int(said[0]) * 1000 + after if after is not None else None,
             "service": int(began) * 1000 + after if after is not None and int(began) else None,
             "all back": when(now, WORDS["all back"], after)}
    return {mark: ns for mark, ns in found.items() if ns is not None}


def with_first_read(found: Dict[str, int], reads: List[int]) -> Dict[str, int]:
    """What was under way when it was preserved ends before everything is back."""
    first = min((ns for ns in reads if ns > found.get("all back", 1 << 63)), default=None)
    return found if first is None else {**found, LAST: first}


def parts(found: Dict[str, int]) -> Dict[str, float]:
    """Seconds of each part that is known."""
    return {part: round((found[end] - found[start]) / 1e9, 3) for part, start, end in PARTS
            if start in found and end in found}


def text(found: Dict[str, int]) -> str:
    known = parts(found)
    total = f"{(found[LAST] - found[FIRST]) / 1e9:.1f}" if {FIRST, LAST} <= found.keys() else "?"
    return f"{total} s: " + ", ".join(f"{part} {seconds:.1f}" for part, seconds in known.items())


def draw(found: Dict[str, int], moved: Transfers, notes: List[str]) -> str:
    start, end = found[FIRST], found[LAST]
    scale = picture.Scale(start - BEFORE_NS, end + AFTER_NS, start, BIN_NS)
    gap = picture.Gap(start, end, f"the guest stands still: {(end - start) / 1e9:.1f} s")
    sheet = picture.Sheet("A guest of QEMU goes through a live update of its host",
                          [*notes, "; ".join(f"{part} {seconds:.1f} s"
                                             for part, seconds in parts(found).items())],
                          found, gap, "the guest stands still")
    return picture.draw_sheet(sheet, scale, [
        picture.Panel("NVMe drive of the guest: reads and writes completed, per 250 ms",
                      [picture.Series(moved.reads, READS, "completed")], 130),
        picture.Panel("Card of the guest: numbered frames, per 250 ms",
                      [picture.Series(moved.answers, ANSWERS, "answered by the guest"),
                       picture.Series(moved.sent, picture.THROUGH, "sent to it")], 130,
                      decades=True)])
