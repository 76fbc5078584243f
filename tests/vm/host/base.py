# SPDX-License-Identifier: GPL-2.0-only
"""What every other part needs: places, errors told in one sentence, progress."""

import os
import sys
import time
from pathlib import Path

VM_DIR = Path(__file__).resolve().parent.parent
ROOT = VM_DIR.parent.parent
BUILD = ROOT / "build"

# in a folder that one run at a time may write to
LOCK = ".lock"

# exit codes of run and demo
EXIT_PASS, EXIT_FAIL, EXIT_CANNOT = 0, 1, 2


class RigError(Exception):
    """Something the user can mend; the message is a plain sentence."""


def slowness() -> float:
    """How much longer than usual everything may take (IOMMU_LU_SLOW=3)."""
    text = os.environ.get("IOMMU_LU_SLOW", "1")
    try:
        return max(1.0, float(text))
    except ValueError:
        raise RigError(f"IOMMU_LU_SLOW must be a number, not '{text}'.") from None


class Progress:
    """One line per step on stderr, with the seconds since the start."""

    def __init__(self) -> None:
        self.start = time.monotonic()

    def __call__(self, text: str) -> None:
        took = time.monotonic() - self.start
        print(f"[{took:6.1f} s] {text}", file=sys.stderr, flush=True)


def plural(count: int, noun: str) -> str:
    return f"{count:,} {noun}" if count == 1 else f"{count:,} {noun}s"


def shown(path: Path) -> str:
    """A path as a user of the clone would type it."""
    try:
        return str(Path(path).resolve().relative_to(Path.cwd()))
    except ValueError:
        return str(path)
