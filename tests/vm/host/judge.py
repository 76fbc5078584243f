# SPDX-License-Identifier: GPL-2.0-only
"""Turns the evidence of one run into a verdict with a reason.

A pass needs all of it: the guest's own 'end pass' with the right nonce, at
least one check, none failed, a console without splats, and witnesses that
saw nothing wrong. Evidence that cannot be read is a failure.
"""

import re
from pathlib import Path
from typing import Dict, List, NamedTuple, Optional, Tuple

from . import frames, splats, witness
from .base import RigError, plural
from .runner import JUMP_LINE, Run
from .wire import Check

# the guest's logs of frames by name; those of further kept NICs are frames-BDF
BLOB = re.compile(r"^(frames|intruder)(?:-0000:(\S+))?$")


class Evidence(NamedTuple):
    """Everything known about a finished run; None where there is none."""
    trace: Optional[witness.Trace]
    testimony: Optional[witness.Testimony]
    tallies: Dict[int, frames.Tally]
    problems: List[str]         # evidence that could not be had


class Result(NamedTuple):
    name: str
    verdict: str                # pass, fail or skip
    reasons: List[str]
    checks: List[Check]
    seconds: float
    folder: Optional[Path] = None

    @property
    def reason(self) -> str:
        """One line; what is left out is in the run's folder."""
        return "; ".join(self.reasons[:3])


def gaps_of(run: Run) -> List[Tuple[int, Optional[int]]]:
    """Each freeze with the first sign of an owner after it."""
    gaps = []
    for freeze in (e.ns for e in run.said.events if e.name == "freeze"):
        owner = next((e.ns for e in run.said.events
                      if e.ns > freeze and e.name.startswith("owner-")), None)
        gaps.append((freeze, owner))
    return gaps


def span_of(run: Run) -> witness.Span:
    end = run.said.end.ns if run.said.end else None
    return witness.Span(run.said.moment("ready"), gaps_of(run), run.said.moment("unbound"), end)


def _tallies(run: Run, problems: List[str]) -> Dict[int, frames.Tally]:
    found = {}
    for name, data in run.said.blobs.items():
        match = BLOB.match(name)
        if not match:
            continue
        stream = frames.INTRUDER if match[1] == "intruder" else frames.KEPT
        if match[2]:
            stream = next((n for n, d in run.machine.streams().items() if d.bdf == match[2]), -1)
        try:
            found[stream] = frames.tally(run.sent(stream), frames.unpack_found(data))
        except ValueError as err:
            problems.append(str(err))
    return found


def collect(run: Run) -> Evidence:
    problems: List[str] = []
    trace = testimony = None
    try:
        trace = witness.read(run.vm.trace, run.clock_offset())
        testimony = witness.testify(trace, run.machine, span_of(run))
    except RigError as err:
        problems.append(str(err))
    return Evidence(trace, testimony, _tallies(run, problems), problems)


def _console(run: Run) -> List[str]:
    """Splats, or why they could not be looked for."""
    try:
        bad = splats.scan(run.vm.console_log, run.case.name)
    except RigError as err:
        return [str(err).rstrip(".")]
    panic = next((line for line in bad if "Kernel panic" in line), "")
    if panic:
        return [f"the kernel panicked: {panic}"]
    return [f"the kernel complained: {bad[0]}" +
            (f" (and {len(bad) - 1} more lines)" if len(bad) > 1 else "")] if bad else []


def _ending(run: Run) -> List[str]:
    said = run.said
    reasons = []
    if said.end is None:
        reason = run.stopped_because or "there is no verdict"
        if said.wrong_nonce:
            reason += f" ({plural(said.wrong_nonce, 'line')} with a wrong nonce)"
        if not run.vm.trace.exists() or not said.events:
            complaint = run.vm.complaint()
            reason += f"; QEMU says: {complaint}" if complaint else ""
        return [reason]
    failed = [c for c in said.checks if c.verdict == "fail"]
    if failed:
        reasons.append(f"check {failed[0].name} failed: {failed[0].text}" +
                       (f" (and {len(failed) - 1} more)" if len(failed) > 1 else ""))
    if said.end.verdict != "pass":
        reasons.append(f"the guest says: {said.end.text or 'fail'}")
    if not any(c.verdict != "skip" for c in said.checks):
        reasons.append("it ended without a single check")
    if run.stopped_because:
        reasons.append(run.stopped_because)
    return reasons + said.faults


def _witnesses(run: Run, evidence: Evidence) -> List[str]:
    wanted = run.case.witnesses()
    seen = evidence.testimony
    reasons = list(evidence.problems)
    if seen is None or not run.case.witnessed:
        return reasons
    if "translation" in wanted and run.machine.iommu != "none":
        if not seen.translation_seen:
            reasons.append("QEMU never saw translation switched on")
        elif seen.translation_off:
            reasons.append(f"QEMU saw translation go off {plural(seen.translation_off, 'time')}")
        if seen.remapping_off and "remapping" in wanted:
            reasons.append("QEMU saw interrupt remapping go off "
                           f"{plural(seen.remapping_off, 'time')}")
    # one that was pulled out was never told to stop
    pulled = {e.fields.get("bdf") for e in run.said.events if e.name == "pulled"}
    for what, masters in (("translation", seen.untranslated),
                          ("remapping", seen.unremapped)):
        running = [name for name in masters if name not in pulled]
        if what not in wanted and running:
            reasons.append(f"{what} went off while these were bus masters: " +
                           ", ".join(running))
    if "master" in wanted and seen.bus_master_off:
        reasons.append("bus mastering was taken from " + ", ".join(seen.bus_master_off) +
                       " between freeze and the new owner")
    if "master" in wanted and seen.ats_off:
        reasons.append("ATS was switched off in " + ", ".join(seen.ats_off) +
                       " between freeze and the new owner")
    if run.table is not None and "translation" in wanted:
        reasons += run.table.invalid_said()
    # where freeze may fail there is no gap, and bus mastering is not looked at either
    if run.table is not None and {"faults", "master"} <= wanted:
        reasons += run.table.changed_said()
    if "faults" in wanted and seen.faults_kept:
        reasons.append(f"kept devices caused {plural(seen.faults_kept, 'IOMMU fault')}, "
                       f"the first: {seen.first_fault}")
    if "frames" in wanted:
        reasons += _frames(run, evidence.tallies)
    if run.machine.interrupts:
        reasons += _interrupts(run, evidence.trace)
    return reasons


def _interrupts(run: Run, trace: witness.Trace) -> List[str]:
    """Raised before the jump and once they are armed again, and in between not one."""
    heard = run.console_moment("Linux version", run.console_moment(JUMP_LINE) or 0)
    seen = witness.interrupts(trace, run.machine.kept_sources(), heard)
    if seen is None:
        return ["nobody armed interrupts in a new kernel"]
    reasons = []
    if seen.passed:
        reasons.append(f"{plural(seen.passed, 'interrupt')} of kept devices went through the IOMMU "
                       "between the jump and their new owner")
    if run.said.values.get("unruly"):
        if not (seen.raised and seen.blocked):
            reasons.append("the rig made no device raise an interrupt in between")
        return reasons
    if seen.raised:
        reasons.append(f"{plural(seen.raised, 'interrupt')} of kept devices raised between the "
                       "jump and their new owner")
    if seen.blocked:
        reasons.append(f"the IOMMU had no entry for {plural(seen.blocked, 'interrupt')}")
    if seen.intx:
        reasons.append("INTx could be raised at the jump by " + ", ".join(seen.intx))
    # that of INTx is a pin of the IO-APIC: its card is served, or stands still
    if run.said.values.get("irq") != "intx" and not (seen.before and seen.after):
        reasons.append(f"QEMU saw {plural(seen.before, 'interrupt')} before the jump and "
                       f"{seen.after:,} after it")
    return reasons


def _frames(run: Run, tallies: Dict[int, frames.Tally]) -> List[str]:
    reasons = []
    if run.drops:
        reasons.append(f"the host itself dropped {plural(run.drops, 'frame')}: "
                       "the machine is too slow for this rate")
    if frames.KEPT not in tallies and run.said.moment("ready") is not None:
        reasons.append("the guest sent no log of frames")
    for stream, tally in sorted(tallies.items()):
        if stream != frames.INTRUDER:
            reasons += _stream(tally)
    return reasons


def _stream(tally: frames.Tally) -> List[str]:
    reasons = []
    if tally.lost:
        reasons.append(f"{plural(len(tally.lost), 'frame')} of {tally.sent:,} lost, "
                       f"the first is number {tally.lost[0].seq}")
    if tally.bad:
        reasons.append(f"{plural(tally.bad, 'frame')} damaged")
    if tally.duplicates or tally.unordered:
        reasons.append(f"{plural(tally.duplicates, 'frame')} came twice and "
                       f"{tally.unordered:,} out of order")
    if not tally.sent:
        reasons.append("not one frame was sent")
    return reasons


def reasons_to_fail(run: Run, evidence: Evidence) -> List[str]:
    return _console(run) + _ending(run) + _witnesses(run, evidence)


def reasons_not_to_lose(run: Run, evidence: Evidence) -> List[str]:
    """Why this run is no proof that frames get lost without our kernel code."""
    tally = evidence.tallies.get(frames.KEPT)
    reasons = list(evidence.problems)
    if run.said.end is None:
        reasons.append(run.stopped_because or "there is no verdict")
    if tally is None or not tally.received:
        reasons.append("not one frame arrived")
    elif not tally.lost:
        reasons.append("no frame was lost")
    return reasons


def result(run: Run, reasons: List[str]) -> Result:
    verdict = "fail" if reasons else "pass"
    return Result(run.case.name, verdict, reasons, run.said.checks, run.seconds, run.folder)
