# SPDX-License-Identifier: GPL-2.0-only
"""A Debian host under the rig: boot it, run commands in it, have it jump.

    with DebianHost(image.image(), folder) as host:
        host.boot()
        host.run("luctl status")                  # CalledProcessError unless it is 0
        host.until("test -e /run/there", 60)      # polls, in the host
        host.jump("luctl update /boot/vmlinuz-...")   # back when systemd has started all

All waits are for something that is seen, and give up IOMMU_LU_SLOW times later. The
console is in FOLDER/console.log, QEMU's trace in FOLDER/trace.log.
"""

import re
import shlex
import shutil
import subprocess
import tempfile
import time
from pathlib import Path
from typing import List, NamedTuple, Optional, Sequence, Tuple

from host import qemu, tsc, witness, wire
from host.base import RigError, slowness
from host.machine import load as load_machine

from .image import Image

MACHINE = "q35-intel-host"
# A clock in an emulated machine is not to be trusted by others: see tests/vm/host/runner.py
WORDS = ("root=LABEL=root", "ro", "console=ttyS0", "loglevel=6", "panic=-1", "no_timer_check",
         "tsc=nowatchdog", "liveupdate=on", "kho=on", "systemd.show_status=false")
PORT = re.compile(r"TCP\[HOST_FORWARD\]\s+\d+\s+\S+\s+(\d+)")
BOOT_S, COMMAND_S, LOOK_S = 600, 120, 1.0
BOOT_ID = "cat /proc/sys/kernel/random/boot_id"


class Jump(NamedTuple):
    """What one live update took, in seconds, as seen from here."""
    reached: float              # until its ssh answered
    up: float                   # until systemd had started everything
    said: str                   # of the command


class Vm(qemu.Qemu):
    """The machine with the host's own disk and card, which nobody passes through."""

    def __init__(self, image: Image, folder: Path, machine: str):
        super().__init__(load_machine(machine), folder)
        self.image = image

    def command(self, kernel: Path, initrd: Path, words: Sequence[str],
                interactive: bool = False) -> List[str]:
        # Nothing that a run writes is left. Without ioeventfd no reset of the host's own
        # disk has QEMU do all that other drives have to do, at once, before a jump.
        disk = str(self.image.disk).replace(",", ",,")
        mine = ["-drive", f"file={disk},format=raw,if=none,id=root,snapshot=on",
                "-device", "virtio-blk-pci,drive=root,addr=10,disable-legacy=on,iommu_platform=on,"
                "ioeventfd=off",
                "-netdev", "user,id=net,restrict=on,hostfwd=tcp:127.0.0.1:0-10.0.2.15:22",
                "-device", "virtio-net-pci,netdev=net,addr=11,disable-legacy=on,"
                "iommu_platform=on,romfile=",
                "-device", "virtio-rng-pci,addr=12,disable-legacy=on,iommu_platform=on"]
        return super().command(kernel, initrd, words, interactive) + mine

    def port(self) -> int:
        """Where its ssh is on this machine; QEMU has taken one that was free."""
        text = self.monitor.execute("human-monitor-command", **{"command-line": "info usernet"})
        match = PORT.search(text)
        if not match:
            raise RigError(f"QEMU does not say where the host's ssh is: {text.strip()}")
        return int(match[1])


class DebianHost:
    """One running host; `run` and the others raise RigError once it has gone."""

    def __init__(self, image: Image, folder: Path, machine: str = MACHINE):
        shutil.rmtree(folder, ignore_errors=True)
        folder.mkdir(parents=True)
        self.image = image
        self.folder = folder
        self.vm = Vm(image, folder, machine)
        self.offset = qemu.wall_to_monotonic()
        self.console_reader: Optional[wire.LineReader] = None
        self.console: List[Tuple[int, str]] = []
        self.port = 0
        self.boot_id = ""
        # The path of a socket there has to be short
        self.private = tempfile.TemporaryDirectory(prefix="host-")
        # Somebody may make another image meanwhile, and remove this one
        self.key = Path(self.private.name) / "key"
        shutil.copy(image.key, self.key)

    def __enter__(self) -> "DebianHost":
        return self

    def __exit__(self, *unused: object) -> None:
        self.stop()

    def stop(self) -> None:
        """Without asking it; `off` is the other way."""
        self._hang_up()
        self.vm.stop()
        self.private.cleanup()

    def off(self) -> None:
        """Have it shut itself down, as power would."""
        self.ssh("systemctl poweroff")
        if not self.vm.wait(BOOT_S * slowness()):
            raise RigError("The host does not shut down; see its console.")

    def power(self, *more: str) -> None:
        """Start it; `again` waits for it."""
        machine = self.vm.machine
        words = [*WORDS, *tsc.words(machine), *machine.append, *more]
        self.vm.start(self.vm.command(self.image.kernel, self.image.initrd, words))
        self.console_reader = wire.LineReader(self.vm.console)
        self.console_reader.start()
        self.port = self.vm.port()

    def boot(self, *more: str) -> None:
        """Start it, and wait until systemd has started everything."""
        self.power(*more)
        self.again()

    def _ssh(self, *words: str) -> List[str]:
        return ["ssh", "-F", "none", "-i", str(self.key), "-p", str(self.port),
                "-o", "BatchMode=yes", "-o", "StrictHostKeyChecking=no", "-o", "LogLevel=ERROR",
                "-o", f"UserKnownHostsFile={self.private.name}/known", "-o", "ConnectTimeout=20",
                "-o", "ServerAliveInterval=15", "-o", "ServerAliveCountMax=8",
                "-o", "ControlMaster=auto", "-o", f"ControlPath={self.private.name}/ssh",
                "-o", "ControlPersist=yes", *words, "root@127.0.0.1"]

    def _hang_up(self) -> None:
        if self.port:
            subprocess.run(self._ssh("-O", "exit"), check=False, stdout=subprocess.DEVNULL,
                           stderr=subprocess.DEVNULL, stdin=subprocess.DEVNULL)

    def _alive(self) -> None:
        if not self.vm.running():
            raise RigError(f"The host is gone ({self.vm.complaint() or 'it was powered off'}); "
                           f"see {self.vm.console_log}.")

    def ssh(self, command: str, seconds: float = COMMAND_S) -> "subprocess.CompletedProcess[str]":
        """Run it by the host's shell, whatever it says; 255 is ssh's own exit code."""
        self._alive()
        try:
            return subprocess.run([*self._ssh(), "--", command], text=True, check=False,
                                  stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                                  stderr=subprocess.PIPE, timeout=seconds * slowness())
        except subprocess.TimeoutExpired:
            raise RigError(f"The host has not done '{command}' in {seconds:.0f} s.") from None

    def shell(self) -> List[str]:
        """A command that gives its shell to who runs it."""
        return ["ssh", "-t", *self._ssh()[1:]]

    def run(self, command: str, seconds: float = COMMAND_S) -> str:
        """The same, for what must succeed; what it printed."""
        done = self.ssh(command, seconds)
        if done.returncode:
            said = (done.stderr.strip() or done.stdout.strip()).splitlines()
            raise RigError(f"'{command}' ended with {done.returncode}: "
                           f"{said[-1] if said else 'it said nothing'}")
        return done.stdout.strip()

    def until(self, command: str, seconds: float) -> None:
        """Wait until the command succeeds in the host."""
        loop = f"until {command}; do sleep 0.2; done"
        done = self.ssh(f"timeout {seconds * slowness():.0f} sh -c {shlex.quote(loop)}", seconds + 30)
        if done.returncode:
            raise RigError(f"'{command}' was not so in {seconds:.0f} s. {done.stderr.strip()}")

    def _reach(self, before: str, until: float) -> str:
        """Another boot than that one answers."""
        while time.monotonic() < until:
            self._alive()
            done = self.ssh(BOOT_ID)
            boot = done.stdout.strip()
            if not done.returncode and boot and boot != before:
                return boot
            self._hang_up()
            time.sleep(LOOK_S)
        raise RigError(f"The host has not come up; see {self.vm.console_log}.")

    def again(self) -> float:
        """Wait until systemd has started everything in another boot than the last that was
        seen; when its ssh answered."""
        self._hang_up()
        self.boot_id = self._reach(self.boot_id, time.monotonic() + BOOT_S * slowness())
        reached = time.monotonic()
        # 'degraded' is for who looks at the units that have failed
        self.ssh("systemctl is-system-running --wait", BOOT_S)
        return reached

    def jump(self, command: str) -> Jump:
        """Runs a command that ends this kernel, and is back when the next is up. One that
        refuses, or a machine that boots anew, is a RigError."""
        began = time.monotonic()
        done = self.ssh(command, BOOT_S)
        if done.returncode not in (0, 255):
            raise RigError(f"'{command}' ended with {done.returncode}: {done.stderr.strip()}")
        reached = self.again()
        return Jump(reached - began, time.monotonic() - began, done.stderr + done.stdout)

    def failed_units(self) -> List[str]:
        """'degraded' means there are some."""
        return self.run("systemctl list-units --failed --plain --no-legend --no-pager "
                        "| cut -d' ' -f1").split()

    def lines(self) -> List[Tuple[int, str]]:
        """The console so far, with when each line came, in nanoseconds of CLOCK_MONOTONIC."""
        if self.console_reader:
            self.console += self.console_reader.drain()
        return self.console

    def moments(self, text: str) -> List[int]:
        """When the console had that, each time."""
        return [ns for ns, line in self.lines() if text in line]

    def trace(self) -> witness.Trace:
        """What QEMU has seen so far."""
        return witness.read(self.vm.trace, self.offset)


def started(image: Image, folder: Path, machine: str = MACHINE, *words: str) -> DebianHost:
    """A host that is up; who gets it stops it."""
    host = DebianHost(image, folder, machine)
    try:
        host.boot(*words)
    except BaseException:
        host.stop()
        raise
    return host


def release(host: DebianHost) -> str:
    """Its own newest kernel, as /boot has it."""
    names = host.run("ls -1 /boot/vmlinuz-*").splitlines()
    return names[-1].partition("vmlinuz-")[2]


