# SPDX-License-Identifier: GPL-2.0-only
"""Proves that the rig can fail: breaks runs on purpose, one way each.

A selftest passes when its run comes out with the reason the table gives.
"""

import re
from pathlib import Path
from typing import Iterator, List

from . import sabotage, suite
from .base import VM_DIR, RigError
from .cases import Case
from .judge import Result
from .runner import Files

HERE = VM_DIR / "selftest"
PASS = "pass"


def load(path: Path = HERE / "cases") -> List[Case]:
    try:
        lines = path.read_text().splitlines()
    except OSError as err:
        raise RigError(f"The table {path} cannot be read: {err.strerror}.") from None
    found = []
    for number, line in enumerate(lines, start=1):
        if not line.strip() or line.startswith("#"):
            continue
        words = line.split(None, 5)
        if len(words) != 6:
            raise RigError(f"selftest/cases line {number}: 6 columns are needed.")
        name, scenario, broken, machine, seconds, expect = words
        scenario, _, given = scenario.partition(":")
        if broken not in ("-", *sabotage.NAMES):
            raise RigError(f"selftest/cases line {number}: '{broken}' is no sabotage.")
        found.append(Case(name, scenario, machine, given.replace("=", ":"), judge="dma",
                          seconds=int(seconds), sabotage="" if broken == "-" else broken,
                          expect=expect.strip()))
    return found


def check(case: Case, got: Result) -> Result:
    """Was it the failure that was asked for?"""
    name = f"selftest/{case.name}"
    seen = "; ".join(got.reasons) or "it passed"
    if case.expect == PASS:
        wrong = "" if got.verdict == "pass" else f"should pass, but: {seen}"
    elif got.verdict == "pass":
        wrong = "the rig did not notice"
    else:
        wrong = "" if re.search(case.expect, seen) else f"failed for another reason: {seen}"
    verdict = "fail" if wrong else "pass"
    return Result(name, verdict, [wrong] if wrong else [], [], got.seconds, got.folder)


def run(kernel: Path, archive: Path, out: Path) -> Iterator[Result]:
    for case in load():
        image = Path("/nonexistent") if case.sabotage == "no-kernel" else kernel
        yield check(case, suite.run_case(case, Files(image, image, archive), out / case.name))
