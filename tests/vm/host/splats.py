# SPDX-License-Identifier: GPL-2.0-only
"""Scans the console for what a healthy kernel does not say.

DENY and ALLOW are files of regular expressions beside this one. A line of
DENY is the expression alone; a line of ALLOW is

    SCENARIO  EXPRESSION  ## reason

where SCENARIO is a shell pattern for the tests it holds for, and a line
without a reason is an error. What lockdep says of two locks is looked at as a
whole, as one line of it names none. A scan that cannot be done is a failure.
"""

import fnmatch
import re
from pathlib import Path
from typing import Iterator, List, NamedTuple

from .base import RigError

HERE = Path(__file__).resolve().parent
STAMP = re.compile(r"^\[ *\d+\.\d+\] ?")
REPORT_BEGINS, REPORT_ENDS = "possible circular locking dependency detected", "</TASK>"
# What lockdep itself says in it. Another CPU may say something of its own meanwhile.
REPORT_LINES = (REPORT_BEGINS, "Call Trace:")


class Allowed(NamedTuple):
    scenario: str
    pattern: "re.Pattern[str]"
    reason: str


def _lines(path: Path) -> List[str]:
    try:
        text = path.read_text()
    except OSError as err:
        raise RigError(f"The splat list {path} cannot be read: {err.strerror}.") from None
    return [line.strip() for line in text.splitlines()
            if line.strip() and not line.startswith("#")]


def _compile(text: str, path: Path) -> "re.Pattern[str]":
    try:
        return re.compile(text)
    except re.error as err:
        raise RigError(f"{path}: '{text}' is not a regular expression: {err}.") from None


def deny_list(path: Path = HERE / "DENY") -> List["re.Pattern[str]"]:
    patterns = [_compile(line, path) for line in _lines(path)]
    if not patterns:
        raise RigError(f"The splat list {path} is empty.")
    return patterns


def allow_list(path: Path = HERE / "ALLOW") -> List[Allowed]:
    found = []
    for line in _lines(path):
        body, mark, reason = line.partition("##")
        words = body.split(None, 1)
        if not mark or not reason.strip() or len(words) != 2:
            raise RigError(f"{path}: '{line}' lacks a scenario, an expression or a reason.")
        found.append(Allowed(words[0], _compile(words[1].strip(), path), reason.strip()))
    return found


def _pieces(lines: List[str]) -> Iterator[List[str]]:
    """Each line on its own, but one of lockdep's reports as one piece."""
    at = 0
    while at < len(lines):
        end = at + 1
        if REPORT_BEGINS in lines[at]:
            end = next((n + 1 for n in range(at, len(lines)) if REPORT_ENDS in lines[n]), end)
        yield lines[at:end]
        at = end


def scan_text(text: str, scenario: str, deny: List["re.Pattern[str]"],
              allow: List[Allowed]) -> List[str]:
    """The lines that should not be there."""
    allowed = [a.pattern for a in allow if fnmatch.fnmatch(scenario, a.scenario)]
    bad = []
    for piece in _pieces(text.splitlines()):
        denied = [line.strip() for line in piece if any(p.search(line) for p in deny)]
        whole = " ".join(STAMP.sub("", line) for line in piece)
        if denied and any(p.search(whole) for p in allowed):
            denied = [line for line in denied if len(piece) > 1 and
                      not any(text in line for text in REPORT_LINES)]
        bad += denied
    return bad


def scan(log: Path, scenario: str) -> List[str]:
    """The same for a console log; raises RigError when it cannot be read."""
    deny, allow = deny_list(), allow_list()
    try:
        text = log.read_text(errors="replace")
    except OSError as err:
        raise RigError(f"the console log cannot be read: {err.strerror}") from None
    if "Linux version" not in text:
        raise RigError("the console log holds no kernel's messages")
    return scan_text(text, scenario, deny, allow)
