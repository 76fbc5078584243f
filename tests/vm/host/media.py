# SPDX-License-Identifier: GPL-2.0-only
"""The NVMe drive's content: every block says where it is.

512 byte blocks of 64 little endian u64; word i of block LBA is LBA << 8 | i.
"""

import array
import os
import shutil
import sys
from pathlib import Path

from .base import BUILD, RigError

BLOCK_SIZE = 512
WORDS = BLOCK_SIZE // 8
BLOCKS = 32768
NAME = "nvme-lba.img"


def block(lba: int) -> bytes:
    words = array.array("Q", (lba << 8 | i for i in range(WORDS)))
    if sys.byteorder == "big":
        words.byteswap()
    return words.tobytes()


def image() -> Path:
    """The image, written once and shared by all runs: no run can write to it."""
    path = BUILD / "media" / NAME
    if path.exists() and path.stat().st_size == BLOCKS * BLOCK_SIZE:
        return path
    part = path.with_suffix(f".{os.getpid()}")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with open(part, "wb") as out:
            for lba in range(BLOCKS):
                out.write(block(lba))
        os.replace(part, path)
    except OSError as err:
        part.unlink(missing_ok=True)
        raise RigError(f"Cannot write {path}: {err.strerror}.") from None
    return path


def copy(path: Path) -> Path:
    """One that a run can write to."""
    try:
        shutil.copyfile(image(), path)
    except OSError as err:
        raise RigError(f"Cannot write {path}: {err.strerror}.") from None
    return path
