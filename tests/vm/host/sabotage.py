# SPDX-License-Identifier: GPL-2.0-only
"""What the selftest breaks in a run, by the name in selftest/cases."""

import os
from pathlib import Path
from typing import List

NAMES = ("wrong-nonce", "no-wire", "no-check", "no-console", "no-trace", "empty-trace",
         "no-power-off", "bad-option", "no-iommu", "no-kernel", "lose-frames",
         "arm-interrupts")


def words(how: str, given: List[str]) -> List[str]:
    """The kernel's command line."""
    return given + ["intel_iommu=off"] if how == "no-iommu" else given


def argv(how: str, given: List[str]) -> List[str]:
    """QEMU's."""
    if how == "bad-option":
        return given + ["-no-such-option"]
    if how == "no-power-off":
        return given + ["-no-shutdown"]
    if how == "no-wire":
        return ["null" if word == "chardev:wire" else word for word in given]
    return given


def line(how: str, text: str) -> str:
    """A line of the wire."""
    if how == "wrong-nonce":
        return text.replace("LU ", "LU 0", 1)
    if how == "no-check" and " check " in text:
        return ""
    return text


def files(how: str, console: Path, trace: Path) -> None:
    """The evidence, once the machine is off."""
    if how == "no-console":
        os.unlink(console)
    elif how == "no-trace":
        os.unlink(trace)
    elif how == "empty-trace":
        os.truncate(trace, 0)
