# SPDX-License-Identifier: GPL-2.0-only
"""The process that sends frames into a machine (host/sender.py), and what it is told."""

import select
import subprocess
import sys
from pathlib import Path
from typing import Optional, Sequence

from . import qemu
from .base import VM_DIR


class Sending:
    """Nothing is started for a machine without a card."""

    def __init__(self, vm: qemu.Qemu, folder: Path, rate: int, more: Sequence[str] = ()):
        self.process: Optional[subprocess.Popen] = None
        pairs = {n: pair for n, pair in vm.networks.items() if n >= 0}
        if not pairs:
            return
        kept = {device.stream for device in vm.machine.by_role("kept")}
        argv = [sys.executable, "-m", "host.sender", "--rate", str(rate),
                "--log", str(folder.resolve()), *more]
        streams = vm.machine.streams()
        for n, (theirs, ours) in sorted(pairs.items()):
            peer = f":{theirs.fileno()}" if n in kept else ""
            argv.append(f"{n}:{ours.fileno()}:{streams[n].every}{peer}")
        self.process = qemu.spawn(argv, cwd=VM_DIR, stdin=subprocess.PIPE,
                                  stdout=subprocess.PIPE, bufsize=0,
                                  pass_fds=[sock.fileno() for pair in pairs.values()
                                            for sock in pair])

    def tell(self, command: str, seconds: float = 20) -> str:
        """Its answer, or nothing when it has none."""
        if not self.process or self.process.poll() is not None:
            return ""
        try:
            self.process.stdin.write(command.encode() + b"\n")
        except OSError:
            return ""
        if not select.select([self.process.stdout], [], [], seconds)[0]:
            return ""
        return self.process.stdout.readline().decode().strip()

    def stop(self) -> None:
        if not self.process:
            return
        self.tell("stop")
        try:
            self.process.wait(5)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()
        for pipe in (self.process.stdin, self.process.stdout):
            pipe.close()
        self.process = None
