# SPDX-License-Identifier: GPL-2.0-only
"""The demo's report: its numbers, its verdict, its text.

A number that could not be had is -1.
"""

from typing import Any, Dict, List, Optional

from . import frames, timeline
from .base import shown
from .judge import Evidence, reasons_to_fail
from .runner import Run

UNKNOWN = -1
# of a card that gets every frame, and of one that gets few of them
LEAST_FRAMES_IN_BLACKOUT, LEAST_FRAMES_OF_FEW = 200, 50
LEAST_READS_IN_BLACKOUT = 20
# after the kexec nothing may arrive in a control; this much is clock error
JUMP_GRACE_NS = 20_000_000
# The next kernel takes over IOMMUs two seconds after the kexec. Whoever is not
# cut off before that is so by half of it.
CUT_OFF_NS = 1_000_000_000

GUEST_NUMBERS = ("reads_submitted", "table_pages_kept", "pages_leaked")
MUST_BE_ZERO = {
    "intruder_writes_after_jump": "the intruder wrote {} times after the kexec",
    "data_errors": "{} data errors",
    "pages_leaked": "{} table pages leaked",
    "swap_frames_lost": "{} frames were lost in the swap",
}
# these are zero too, but the judge has looked at them already
MUST_BE_KNOWN = ("frames_lost", "faults_kept", "translation_off", *MUST_BE_ZERO)


def _number(run: Run, name: str) -> int:
    value = run.said.values.get(name, UNKNOWN)
    return value if isinstance(value, int) else UNKNOWN


def _sum(*numbers: int) -> int:
    known = [n for n in numbers if n != UNKNOWN]
    return sum(known) if known else UNKNOWN


def _swap_lost(run: Run, tally: Optional[frames.Tally], marks: Dict[str, int]) -> int:
    if tally is None or "swap" not in marks:
        return UNKNOWN
    start = marks.get("bind", marks.get("retrieve", marks["swap"]))
    counted = tally.lost_between(start, marks["swap"] + timeline.SWAP_TAIL_NS)
    return max(counted, _number(run, "swap_frames_lost"))


def _frames(run: Run, evidence: Evidence, marks: Dict[str, int]) -> Dict[str, int]:
    tally = evidence.tallies.get(frames.KEPT)
    sent = run.sent(frames.KEPT)
    if tally is None:
        return {"frames_sent": len(sent), "frames_received": UNKNOWN, "frames_lost": UNKNOWN,
                "frames_in_blackout": UNKNOWN, "frames_after_jump": UNKNOWN,
                "frames_damaged": UNKNOWN}
    gap: List[frames.Found] = []
    if "freeze" in marks and "owner" in marks:
        gap = [f for f in tally.received_between(marks["freeze"], marks["owner"])
               if f.flags & frames.IN_FIRST_SCAN]
    jumped = marks.get("jump", marks.get("init", 0)) + JUMP_GRACE_NS
    return {"frames_sent": tally.sent, "frames_received": tally.received,
            "frames_lost": len(tally.lost), "frames_in_blackout": len(gap),
            "frames_after_jump": sum(1 for f in gap if f.send_ns >= jumped),
            "frames_damaged": tally.bad}


def _reads(run: Run, times: timeline.Timeline) -> Dict[str, int]:
    """The guest counts what it finds at its first look, a bit after its owner
    started; QEMU's trace says which of these completed before that moment."""
    before, gap, after = (_number(run, "reads_completed_" + when)
                          for when in ("before", "blackout", "after"))
    seen = times.between(times.reads, "freeze", "owner")
    if gap > seen:
        after, gap = _sum(after, gap - seen), seen
    return {"reads_submitted": _number(run, "reads_submitted"),
            "reads_completed": _sum(before, gap, after),
            "reads_before": before, "reads_in_blackout": gap, "reads_after": after}


def _witnessed(evidence: Evidence) -> Dict[str, Any]:
    seen = evidence.testimony
    if seen is None:
        return {"faults_kept": UNKNOWN, "faults_intruder": UNKNOWN, "faults_other": UNKNOWN,
                "translation_off": UNKNOWN, "bus_master_lost": []}
    return {"faults_kept": seen.faults_kept, "faults_intruder": seen.faults_intruder,
            "faults_other": seen.faults_other, "translation_off": seen.translation_off,
            "bus_master_lost": seen.bus_master_off}


def _intruder(run: Run, evidence: Evidence, times: timeline.Timeline) -> Dict[str, int]:
    """What it tried after the kexec. The last moments before the kexec, when it
    is still free to write, do not count: the old kernel stops its processors
    after its last line, and cuts off the intruder after that."""
    jump = times.marks.get("jump", times.marks.get("init"))
    if jump is not None:
        jump = min([ns for ns in times.blocked if ns >= jump] + [jump + CUT_OFF_NS])
    if jump is None or evidence.trace is None or frames.INTRUDER not in evidence.tallies:
        return {"intruder_writes_after_jump": UNKNOWN, "faults_intruder_in_blackout": UNKNOWN}
    return {"intruder_writes_after_jump": sum(1 for ns in times.intruder if ns >= jump),
            "faults_intruder_in_blackout": times.between(times.blocked, "freeze", "owner")}


def numbers(run: Run, evidence: Evidence, times: timeline.Timeline) -> Dict[str, Any]:
    """Everything measured, no judgement."""
    marks = times.marks
    gap = times.blackout()
    found: Dict[str, Any] = {}
    found.update(_frames(run, evidence, marks))
    found.update(_reads(run, times))
    found.update(_witnessed(evidence))
    found.update(_intruder(run, evidence, times))
    for name in GUEST_NUMBERS:
        found[name] = _number(run, name)
    if run.case.control:
        # what the guest counted; nothing of it is kept
        found["table_pages_kept"] = 0
    errors = _number(run, "data_errors")
    found["data_errors"] = (UNKNOWN if errors == UNKNOWN else
                            errors + max(0, found["frames_damaged"]))
    found["swap_frames_lost"] = _swap_lost(run, evidence.tallies.get(frames.KEPT), marks)
    found["blackout_ms"] = round((gap[1] - gap[0]) / 1e6, 1) if gap else UNKNOWN
    found["steps_ms"] = timeline.steps_ms(marks)
    origin = marks.get("freeze", run.began)
    found["marks_ms"] = {name: round((ns - origin) / 1e6, 2) for name, ns in marks.items()}
    found["iommu"] = str(run.said.values.get("iommu", run.machine.iommu))
    for name in ("kernel_old", "kernel_new"):
        found[name] = str(run.said.values.get(name, "unknown"))
    found["machine"] = run.machine.name
    found["seconds"] = round(run.seconds, 1)
    return found


def least_frames(run: Run) -> int:
    """How many must arrive in the blackout: see machine.CARDS."""
    card = run.machine.streams().get(frames.KEPT)
    few = card is not None and card.every > 1
    return LEAST_FRAMES_OF_FEW if few else LEAST_FRAMES_IN_BLACKOUT


def _limits(report: Dict[str, Any], least: int) -> List[str]:
    """What the demo promises, beyond what every test must hold."""
    unknown = [key for key in MUST_BE_KNOWN if report[key] == UNKNOWN]
    reasons = [f"not known: {', '.join(unknown)}"] if unknown else []
    for key, words in MUST_BE_ZERO.items():
        if report[key] not in (0, UNKNOWN):
            reasons.append(words.format(f"{report[key]:,}"))
    if report["frames_in_blackout"] < least:
        reasons.append(f"only {max(0, report['frames_in_blackout'])} frames arrived in the "
                       f"blackout, {least} are wanted")
    if report["reads_in_blackout"] < LEAST_READS_IN_BLACKOUT:
        reasons.append(f"only {max(0, report['reads_in_blackout'])} reads completed in the "
                       f"blackout, {LEAST_READS_IN_BLACKOUT} are wanted")
    if report["reads_after"] <= 0:
        reasons.append("no read completed after the blackout")
    if report["faults_intruder_in_blackout"] <= 0:
        reasons.append("the intruder was never blocked in the blackout: it did not try, "
                       "or was let through")
    return reasons


def judge(run: Run, evidence: Evidence, times: timeline.Timeline) -> Dict[str, Any]:
    """The whole report."""
    report = numbers(run, evidence, times)
    reasons = reasons_to_fail(run, evidence)
    reasons += _limits(report, least_frames(run))
    report["verdict"] = "fail" if reasons else "pass"
    report["reasons"] = reasons
    return report


def control_reasons(run: Run, report: Dict[str, Any], times: timeline.Timeline) -> List[str]:
    """Why this run is no proof that transfers stop without our kernel code."""
    reasons = []
    if run.said.end is None:
        reasons.append(run.stopped_because or "there is no verdict")
    if "init" not in times.marks or "owner" not in times.marks:
        return reasons + ["the new kernel's owner never ran"]
    if report["frames_received"] <= 0:
        reasons.append("no frame arrived even before the kexec")
    if report["frames_lost"] <= 0:
        reasons.append("no frame was lost")
    if report["frames_after_jump"]:
        reasons.append(f"{report['frames_after_jump']} frames arrived between the kexec and "
                       "the new owner")
    if report["reads_before"] <= 0:
        reasons.append("no read completed even before the kexec")
    # What was under way comes home, sooner or later; then there must be nothing
    jump, owner = times.marks.get("jump", times.marks["init"]), times.marks["owner"]
    late = sum(1 for ns in times.reads if (jump + owner) // 2 <= ns < owner)
    if late:
        reasons.append(f"{late} reads completed between the kexec and the new owner")
    if report["verdict"] == "pass":
        reasons.append("the run passed")
    return reasons


# text

def _shown(value: Any) -> str:
    if value == UNKNOWN:
        return "unknown"
    return f"{value:,}" if isinstance(value, (int, float)) else str(value)


def _steps(steps: Dict[str, float]) -> str:
    parts = [f"{name.replace('_', ' ')} {ms:,.0f}" for name, ms in steps.items()]
    return " | ".join(parts) + " ms" if parts else "unknown"


def _wrap(label: str, text: str, width: int = 78) -> List[str]:
    """label and text in columns; text is cut at ' | '."""
    lines, line = [], f"  {label:<12}"
    for number, part in enumerate(text.split(" | ")):
        piece = part if number == 0 else " | " + part
        if len(line) + len(piece) > width:
            lines.append(line)
            line, piece = " " * 14, part
        line += piece
    return lines + [line]


def _verdict_lines(report: Dict[str, Any], control: Optional[List[str]]) -> List[str]:
    if control is None:
        lines = [f"  verdict     {report['verdict'].upper()}"]
        return lines + [f"                - {reason}" for reason in report["reasons"][:6]]
    lines = ["  verdict     FAIL, as it has to be: this is the control, without our kernel code"]
    if control:
        lines = ["  verdict     the control did NOT behave as a control should:"]
        return lines + [f"                - {reason}" for reason in control]
    return lines + ["              the same run lost its transfers at the kexec"]


def text(report: Dict[str, Any], picture: Any, control: Optional[List[str]] = None) -> str:
    """One screen for people. control: None, or what control_reasons() said."""
    s = {key: _shown(value) for key, value in report.items()}
    s["blackout_ms"] = _shown(round(report["blackout_ms"]))
    title = ("A live update of the host kernel under running DMA" if control is None else
             "The same kexec without our kernel code (negative control)")
    lines = ["", title, "",
             f"  old kernel  {s['kernel_old']}",
             f"  new kernel  {s['kernel_new']}",
             f"  IOMMU       {s['iommu']}", "",
             f"  blackout    {s['blackout_ms']} ms from freeze to the first line of user code",
             *_wrap("steps", _steps(report["steps_ms"])), "",
             f"  frames      {s['frames_sent']} sent, {s['frames_received']} received, "
             f"{s['frames_lost']} lost; {s['frames_in_blackout']} arrived in the blackout",
             f"  reads       {s['reads_submitted']} in flight; completed "
             f"{s['reads_before']} before, {s['reads_in_blackout']} in, "
             f"{s['reads_after']} after the blackout",
             f"  data        {s['data_errors']} errors, every byte compared",
             f"  swap        {s['swap_frames_lost']} frames lost while page tables were exchanged",
             "",
             f"  faults      {s['faults_kept']} by kept devices",
             f"  intruder    {s['intruder_writes_after_jump']} writes after the kexec; blocked "
             f"{s['faults_intruder']} times, {s['faults_intruder_in_blackout']} in the blackout",
             f"  translation off {s['translation_off']} times, as QEMU saw it",
             f"  tables      {s['table_pages_kept']} pages kept, {s['pages_leaked']} leaked", "",
             *_verdict_lines(report, control),
             f"  picture     {shown(picture)}", ""]
    return "\n".join(lines)
