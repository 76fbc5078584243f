# SPDX-License-Identifier: GPL-2.0-only
"""Keeps processors busy beside the tests, to see that no test minds.

The processes end with the rig, whatever happens to it.
"""

import contextlib
import os
import subprocess
import sys
from typing import Iterator

from . import qemu
from .base import RigError

VARIABLE = "IOMMU_LU_LOAD"
MOST = 64


def wanted(given: int) -> int:
    """How many: what was given, or else what the environment says."""
    text = os.environ.get(VARIABLE, "0") if given < 0 else str(given)
    if not text.isdigit() or int(text) > MOST:
        raise RigError(f"{VARIABLE} must be a number up to {MOST}, not '{text}'.")
    return int(text)


@contextlib.contextmanager
def busy(count: int) -> Iterator[None]:
    """So many processes that do nothing but take time."""
    spinning = [qemu.spawn([sys.executable, "-c", "while True: pass"],
                           stdin=subprocess.DEVNULL) for _ in range(count)]
    try:
        yield
    finally:
        for process in spinning:
            process.kill()
        for process in spinning:
            process.wait()
