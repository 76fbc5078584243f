# SPDX-License-Identifier: GPL-2.0-only
"""Runs cases one after another and keeps the score."""

import contextlib
import fcntl
import json
import os
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any, Callable, Dict, Iterator, List, Optional, Tuple

from . import initrd, judge, picture, report, timeline, twins, wire
from .base import BUILD, LOCK, VM_DIR, RigError, shown
from .cases import Case
from .judge import Result
from .runner import Files, Run
from .wire import Check

Watch = Callable[[wire.Event], None]


def build_initrd(kernel: Path, given: Optional[Path] = None) -> Path:
    """The guest's archive without a next kernel; its program is compiled, with
    the headers that came with the kernel, when it has to be."""
    if given:
        if not given.is_file():
            raise RigError(f"There is no initramfs at {given}.")
        return given
    out = BUILD / "initrd"
    command = ["make", "-s", "-C", str(VM_DIR / "guest/init"), f"OUT={out}"]
    headers = kernel / "headers" / "include"
    if headers.is_dir():
        command.append(f"HEADERS={headers.resolve()}")
    # two runs may start at the same time
    with locked(out, wait=True):
        make(command, "The guest's program")
        program = (out / "init").read_bytes()
        return initrd.write_base(out / "base.cpio", program)


def make(command: List[str], what: str) -> None:
    try:
        done = subprocess.run(command, stdout=sys.stderr, check=False)
    except FileNotFoundError:
        raise RigError("make is not installed; on Debian: apt-get install make.") from None
    if done.returncode:
        raise RigError(f"{what} could not be built; '{' '.join(command)}' says why.")


@contextlib.contextmanager
def locked(folder: Path, wait: bool = False) -> Iterator[None]:
    """Keeps two runs from writing into one folder."""
    try:
        folder.mkdir(parents=True, exist_ok=True)
        handle = os.open(folder / LOCK, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o644)
    except OSError as err:
        raise RigError(f"Cannot write to {folder}: {err.strerror}.") from None
    try:
        fcntl.flock(handle, fcntl.LOCK_EX | (0 if wait else fcntl.LOCK_NB))
    except BlockingIOError:
        os.close(handle)
        raise RigError(f"Another run writes to {shown(folder)} now; wait, or give --out.") from None
    try:
        yield
    finally:
        os.close(handle)


def end_on_signals() -> None:
    """SIGTERM and SIGHUP clean up like an interrupt from the keyboard."""
    def stop(number: int, frame: Any) -> None:
        raise KeyboardInterrupt
    for number in (signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, stop)


def measured(run: Run, evidence: judge.Evidence, title: Optional[str] = None
             ) -> Tuple[Dict[str, Any], timeline.Timeline]:
    """Report and picture of a run that has frames, written to its folder."""
    times = timeline.of_run(run, evidence)
    found = report.judge(run, evidence, times)
    (run.folder / "timeline.svg").write_text(picture.draw(times, found, title))
    write_json(run.folder / "report.json", found)
    return found, times


def write_json(path: Path, data: Any) -> None:
    """Never leaves half a file for another tool to read."""
    part = path.with_suffix(f".{os.getpid()}")
    part.write_text(json.dumps(data, indent=2) + "\n")
    os.replace(part, path)


def verdict_of(run: Run, evidence: judge.Evidence) -> Result:
    """The verdict by the case's own judge."""
    how = run.case.verdict_by
    if how in ("demo", "stops"):
        found, times = measured(run, evidence)
        if how == "demo":
            return judge.result(run, found["reasons"])
        # its checks fail on purpose: the control as a whole is one test
        reasons = report.control_reasons(run, found, times) + evidence.problems
        return judge.result(run, reasons)._replace(checks=[])
    if how == "loses":
        return judge.result(run, judge.reasons_not_to_lose(run, evidence))._replace(checks=[])
    return judge.result(run, judge.reasons_to_fail(run, evidence))


def run_twins(case: Case, files: Files, folder: Path, keep: bool) -> Result:
    """The test on the kernel without our options, then on ours."""
    plain = case._replace(judge="plain")
    control = files._replace(kernel=files.stock, next_kernel=files.stock)
    stock = run_case(plain, control, folder / "stock", keep)
    ours = run_case(plain, files, folder / "ours", keep)
    if "skip" in (stock.verdict, ours.verdict):
        return Result(case.name, "skip", stock.reasons or ours.reasons, [], 0.0, folder)
    return twins.compare(case.name, stock, ours)._replace(folder=folder)


def run_case(case: Case, files: Files, folder: Path, keep: bool = False,
             watch: Watch = lambda event: None, again: bool = False) -> Result:
    """One test from start to verdict; what cannot be run fails. A QEMU that falls over
    says nothing about the kernel, so that it gets another one; a second does."""
    if case.verdict_by == "twin":
        return run_twins(case, files, folder, keep)
    run = Run(case, files, folder, watch)
    try:
        run.go()
    except RigError as err:
        return Result(case.name, "fail", [f"could not be run: {err}"], [], 0.0, folder)
    if run.said.end is None and run.vm.fell() and not again:
        print(f"again {case.name}: QEMU says {run.vm.complaint()}", file=sys.stderr)
        return run_case(case, files, folder, keep, watch, again=True)
    if run.out_of_time and not any(check.verdict == "fail" for check in run.said.checks):
        return Result(case.name, "skip", [run.stopped_because], [], run.seconds, folder)
    outcome = verdict_of(run, judge.collect(run))
    if outcome.verdict == "pass" and not keep:
        run.clean()
    return outcome


class Score:
    """Counts tests: each run is one, and so is each check in it."""

    def __init__(self, summary: Optional[Path], quiet: bool):
        self.results: List[Result] = []
        self.quiet = quiet
        self.summary = summary
        if summary:
            summary.parent.mkdir(parents=True, exist_ok=True)
            summary.write_text("")

    def add(self, result: Result) -> None:
        self.results.append(result)
        if self.summary:
            n = self.counts()
            self.summary.write_text(f"{n['pass']} {n['fail']} {n['skip']}\n")
        if not self.quiet:
            self._print(result)

    @staticmethod
    def _lines(result: Result) -> List[Tuple[str, str, str]]:
        lines = [(result.verdict, result.name, result.reason)]
        return lines + [(c.verdict, f"{result.name}/{c.name}", c.text) for c in result.checks]

    @staticmethod
    def _print(result: Result) -> None:
        note = f"{len(result.checks)} checks, {result.seconds:.1f} s"
        if result.verdict == "pass":
            print(f"pass  {result.name} ({note})", flush=True)
            return
        print(f"{result.verdict.upper()}  {result.name} ({note})", flush=True)
        print(f"      {result.reason}", flush=True)
        if result.folder:
            print(f"      see {shown(result.folder)}/", flush=True)

    def counts(self) -> Dict[str, int]:
        every = [verdict for result in self.results for verdict, _, _ in self._lines(result)]
        return {v: every.count(v) for v in ("pass", "fail", "skip")}

    def last_line(self) -> str:
        n = self.counts()
        return f"{n['pass']} passed, {n['fail']} failed, {n['skip']} skipped"

    def as_json(self) -> str:
        def one(result: Result) -> Dict[str, Any]:
            return {"name": result.name, "verdict": result.verdict, "reasons": result.reasons,
                    "seconds": round(result.seconds, 1),
                    "checks": [Check._asdict(c) for c in result.checks]}
        n = self.counts()
        return json.dumps({"passed": n["pass"], "failed": n["fail"], "skipped": n["skip"],
                           "tests": [one(r) for r in self.results]}, indent=2)

    def ok(self) -> bool:
        return bool(self.results) and not self.counts()["fail"]
