# SPDX-License-Identifier: GPL-2.0-only
"""Scans the console for what a healthy kernel does not say.

DENY and ALLOW are files of regular expressions beside this one. A line of
DENY is the expression alone; a line of ALLOW is

    SCENARIO  EXPRESSION  ## reason

where SCENARIO is a shell pattern for the tests it holds for, and a line
without a reason is an error. A scan that cannot be done is a failure.
"""

import fnmatch
import re
from pathlib import Path
from typing import List, NamedTuple

from .base import RigError

HERE = Path(__file__).resolve().parent


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


def scan_text(text: str, scenario: str, deny: List["re.Pattern[str]"],
              allow: List[Allowed]) -> List[str]:
    """The lines that should not be there."""
    allowed = [a.pattern for a in allow if fnmatch.fnmatch(scenario, a.scenario)]
    bad = []
    for line in text.splitlines():
        if any(p.search(line) for p in deny) and not any(p.search(line) for p in allowed):
            bad.append(line.strip())
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
