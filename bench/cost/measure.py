# SPDX-License-Identifier: GPL-2.0-only
"""Runs points in virtual machines and collects what they say."""

import re
from pathlib import Path
from typing import Any, Callable, Dict, List

from host import cases, judge, parallel, suite
from host.base import RigError, shown
from host.cases import Case
from host.runner import Files, Run

from .points import Point

# What the old kernel's share of the blackout was, on its console
OLD_STEP = re.compile(r"iommu: liveupdate: step (\w+) (\d+) \d+$")


def old_steps(console: List[str]) -> Dict[str, int]:
    """Of both kernels only the old one says this, and the last time counts."""
    found = (OLD_STEP.search(line.rstrip()) for line in console)
    return {match[1]: int(match[2]) for match in found if match}


def collect(run: Run) -> Dict[str, Any]:
    values = {name: value for name, value in run.said.values.items() if isinstance(value, int)}
    steps = old_steps([line for _, line in run.console])
    for name in ("freeze", "shutdown"):
        if name in steps:
            values[f"old_{name}"] = steps[name]
    return values


class Bench:
    """All points, each in a folder of its own."""

    def __init__(self, out: Path, kernels: Dict[str, Path], jobs: int,
                 tell: Callable[[str], None]):
        self.out = out
        self.kernels = kernels
        self.jobs = jobs
        self.tell = tell
        self.initrd = suite.build_initrd(kernels["bench"])
        self.values: Dict[str, Dict[str, Any]] = {}
        self.kernel_text = ""

    def one(self, case: Case) -> judge.Result:
        point = self.points[case.name]
        kernel = self.kernels[point.kernel]
        run = Run(case, Files(kernel, kernel, self.initrd), self.out / case.name)
        run.go()
        verdict = suite.verdict_of(run, judge.collect(run))
        self.values[point.name] = collect(run)
        self.kernel_text = str(run.said.values.get("kernel_new", ""))
        if verdict.verdict == "pass":
            run.clean()
        return verdict

    def run(self, points: List[Point]) -> Dict[str, Dict[str, Any]]:
        """What each of them says; a point that fails ends it all."""
        self.points = {point.name: point for point in points}
        wanted = [cases.from_spec(point.spec(), {})._replace(name=point.name)
                  for point in points]
        for result in parallel.Pool(self.jobs, self.one).run(wanted):
            if result.verdict != "pass":
                raise RigError(f"{result.name} failed: {result.reason}; "
                               f"see {shown(result.folder)}/.")
            self.tell(f"{result.name} ({result.seconds:.0f} s)")
        return self.values
