# SPDX-License-Identifier: GPL-2.0-only
"""Kernels as they once were: tests/vm/old-kernels."""

import functools
from pathlib import Path
from typing import Dict

from .base import BUILD, VM_DIR, RigError

TABLE = VM_DIR / "old-kernels"
PREFIX = "old-"
# characters of the commit that kernel/ktree puts into the folder's name
SHORT = 12


@functools.lru_cache(maxsize=None)
def load(path: Path = TABLE) -> Dict[str, str]:
    """Commits by name, which begins with old-."""
    try:
        lines = [line.split("#")[0].split() for line in path.read_text().splitlines()]
        return {PREFIX + name: commit for name, commit in filter(None, lines)}
    except (OSError, ValueError) as err:
        raise RigError(f"{path.name} cannot be read: {err}.") from None


def is_old(kernel: str) -> bool:
    return kernel in load()


def commit(kernel: str) -> str:
    return load()[kernel]


def folder(kernel: str) -> Path:
    return BUILD / f"kernel-at-{commit(kernel)[:SHORT]}-lu"
