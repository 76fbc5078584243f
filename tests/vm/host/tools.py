# SPDX-License-Identifier: GPL-2.0-only
"""The programs for user space that a run takes along.

A case that says tools:NAME+NAME in its args has them in the guest's /bin. Each is
a static program that the Makefile of the folder NAME puts into build/user/static.
"""

import subprocess
import sys
import threading
from typing import List

from . import initrd
from .base import BUILD, ROOT, RigError

OUT = BUILD / "user"

# machines that start at the same time would build it twice
_building = threading.Lock()


def build(name: str) -> bytes:
    """The program, built if it has to be."""
    folder, program = ROOT / name, OUT / "static" / name
    if not (folder / "Makefile").is_file():
        raise RigError(f"There is no program {name}: no folder of that name has a Makefile.")
    command = ["make", "-s", "-C", str(folder), f"OUT={OUT}", str(program)]
    with _building:
        if subprocess.run(command, stdout=sys.stderr, check=False).returncode:
            raise RigError(f"{name} could not be built; '{' '.join(command)}' says why.")
        return program.read_bytes()


def entries(names: List[str]) -> List[initrd.Entry]:
    return [initrd.file_entry(f"bin/{name}", build(name), 0o755) for name in names]
