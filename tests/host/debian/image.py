# SPDX-License-Identifier: GPL-2.0-only
"""The host's image, which tests/host/image/make makes."""

import subprocess
from pathlib import Path
from typing import NamedTuple

from host.base import ROOT, RigError

MAKE = ROOT / "tests/host/image/make"


class Image(NamedTuple):
    folder: Path

    @property
    def disk(self) -> Path:
        return self.folder / "root.img"

    @property
    def kernel(self) -> Path:
        """What it is started with; it jumps into that of its own /boot."""
        return self.folder / "vmlinuz"

    @property
    def initrd(self) -> Path:
        return self.folder / "initrd"

    @property
    def key(self) -> Path:
        return self.folder / "key"


def image() -> Image:
    """The one of the packages that are there; made if there is none."""
    done = subprocess.run([str(MAKE)], stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                          text=True, check=False)
    if done.returncode:
        raise RigError("There is no image of a host; tests/host/image/make says why.")
    return Image(Path(done.stdout.strip().splitlines()[-1]))
