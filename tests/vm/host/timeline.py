# SPDX-License-Identifier: GPL-2.0-only
"""Moments and transfers of one run, on one clock, for report and picture."""

from typing import Container, Dict, List, NamedTuple, Optional

from . import frames
from .judge import Evidence
from .runner import JUMP_LINE, Run
from .witness import INTRUDER_QUEUE, KEPT_QUEUE, Trace

# (mark, event of the wire); jump comes from the console
MARKS = (("ready", "ready"), ("marked", "marked"), ("preserved", "preserved"),
         ("freeze", "freeze"), ("jump", ""), ("init", "stage-2"), ("owner", "owner-2"),
         ("retrieve", "retrieved"), ("bind", "bound"), ("swap", "swapped"),
         ("finish", "finished"), ("unbind", "unbound"))

# (step, from, to)
STEPS = (("preserve", "marked", "preserved"), ("load", "preserved", "freeze"),
         ("shutdown", "freeze", "jump"), ("boot", "jump", "init"),
         ("start_owner", "init", "owner"), ("retrieve", "owner", "retrieve"),
         ("bind", "retrieve", "bind"), ("swap", "bind", "swap"),
         ("finish", "swap", "finish"), ("unbind", "finish", "unbind"))

# frames lost by the swap: those sent while it went on, and a bit after
SWAP_TAIL_NS = 100_000_000


# QEMU may complete several reads and then write their entries at once; when
# that fails, all of these have failed
BATCH_NS = 5_000_000


class Timeline(NamedTuple):
    marks: Dict[str, int]
    frames: List[int]           # when the kept NIC wrote a frame to memory
    reads: List[int]            # when the drive completed a read
    intruder: List[int]         # writes of the intruder that got through
    blocked: List[int]          # faults of the intruder
    end: int

    def blackout(self) -> Optional[tuple]:
        if "freeze" in self.marks and "init" in self.marks:
            return self.marks["freeze"], self.marks["init"]
        return None

    def between(self, moments: List[int], start: str, end: str) -> int:
        """How many fell between two marks."""
        if start not in self.marks or end not in self.marks:
            return 0
        low, high = self.marks[start], self.marks[end]
        return sum(1 for ns in moments if low <= ns < high)


def marks_of(run: Run) -> Dict[str, int]:
    found = {}
    for mark, event in MARKS:
        moment = run.said.moment(event) if event else None
        if moment is not None:
            found[mark] = moment
    if "freeze" in found:
        jump = run.console_moment(JUMP_LINE, found["freeze"])
        if jump is not None:
            found["jump"] = jump
    return found


def steps_ms(marks: Dict[str, int]) -> Dict[str, float]:
    found = {}
    for step, start, end in STEPS:
        if start in marks and end in marks and marks[end] >= marks[start]:
            found[step] = round((marks[end] - marks[start]) / 1e6, 2)
    return found


def frame_moments(tally: Optional[frames.Tally], marks: Dict[str, int]) -> List[int]:
    """A frame reaches memory when it is sent, unless it had to wait: one sent
    in the gap but not there at the first look came later, in the new kernel."""
    if tally is None:
        return []
    start, end = marks.get("freeze"), marks.get("owner")
    found = []
    for frame in tally.good.values():
        late = (start is not None and end is not None and start <= frame.send_ns < end
                and not frame.flags & frames.IN_FIRST_SCAN)
        found.append(end if late else frame.send_ns)
    return sorted(found)


def landed_reads(trace: Optional[Trace], queue: int, others: Container[int]) -> List[int]:
    """Completions of a queue whose entry reached memory. Once one could not be
    written, the controller is dead until it is started again. Failures of
    other drives, told by their source id, do not matter."""
    if trace is None:
        return []
    happened = ([(ns, 0) for ns in trace.completions.get(queue, [])] +
                [(f.ns, 1) for f in trace.failed_completions if f.concerns(queue, others)] +
                [(ns, 2) for ns in trace.nvme_starts])
    landed: List[int] = []
    dead = False
    for ns, what in sorted(happened):
        if what == 2:
            dead = False
        elif what == 1:
            while not dead and landed and landed[-1] > ns - BATCH_NS:
                landed.pop()
            dead = True
        elif not dead:
            landed.append(ns)
    return landed


def of_run(run: Run, evidence: Evidence) -> Timeline:
    marks = marks_of(run)
    kept, intruders = run.machine.kept_sources(), run.machine.intruder_sources()
    trace = evidence.trace
    blocked = [f.ns for f in trace.faults if f.source in intruders] if trace else []
    end = run.said.end.ns if run.said.end else run.ended
    return Timeline(
        marks, frame_moments(evidence.tallies.get(frames.KEPT), marks),
        landed_reads(trace, KEPT_QUEUE, intruders),
        sorted(frame_moments(evidence.tallies.get(frames.INTRUDER), {}) +
               landed_reads(trace, INTRUDER_QUEUE, kept)), blocked, end)
