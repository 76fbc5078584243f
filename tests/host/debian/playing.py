# SPDX-License-Identifier: GPL-2.0-only
"""Runs the playbook of the fleet on hosts under the rig, by their forwarded ssh ports.

    with Playbook({"host1": host1, "host2": host2}, folder) as playbook:
        played = playbook.play("roll", liveupdate_image="/boot/vmlinuz-...")

What Ansible has said is in FOLDER/roll.log, the hosts it was given in FOLDER/hosts.json.
"""

import json
import os
import re
import subprocess
import tempfile
import threading
import time
from pathlib import Path
from typing import Any, Dict, List, NamedTuple, Optional, Tuple

from host import qemu
from host.base import ROOT, RigError, slowness

from .machine import DebianHost

ROLL = ROOT / "fleet/roll.yml"
# All hosts of a fleet, one after another
PLAY_S = 3600
# On these Ansible is a user who becomes root by sudo
BY_SUDO = ("host2",)
CONNECT_S, REACH_S, WATCH_S = 20, 600, 60
TASK = re.compile(r"^TASK \[(?:liveupdate : )?(.*?)\] \**$")
RESULT = re.compile(r"^(ok|changed|fatal|skipping): \[(\w+)\]")
RECAP = re.compile(r"^(\w+) +: (ok=.*)$")


class Result(NamedTuple):
    """One line of what Ansible says of a task, and when it was seen."""
    ns: int                     # of CLOCK_MONOTONIC
    task: str
    how: str
    host: str


class Played(NamedTuple):
    code: int
    lines: List[Tuple[int, str]]

    @property
    def text(self) -> str:
        """On one line, as words may be wrapped."""
        return " ".join(" ".join(line for _, line in self.lines).split())

    def results(self, host: str) -> List[Result]:
        task, found = "", []
        for ns, line in self.lines:
            named, told = TASK.match(line), RESULT.match(line)
            task = named[1] if named else task
            if told and told[2] == host:
                found.append(Result(ns, task, told[1], host))
        return found

    def recap(self, host: str) -> Dict[str, int]:
        """Its counts at the end; none for a host that was not begun."""
        told = [RECAP.match(line) for _, line in self.lines]
        return {name: int(count) for match in told if match and match[1] == host
                for name, count in re.findall(r"(\w+)=(\d+)", match[2])}

    def failure(self, host: str = "") -> str:
        """What it, or any, failed at last."""
        begins = tuple(f"{word}: [{host}" for word in ("fatal", "failed"))
        failed = [line for _, line in self.lines if line.startswith(begins)]
        return failed[-1] if failed else "Nothing has failed."


class Playbook:
    """Nothing of Ansible's own is read or left in the home of who runs this."""

    def __init__(self, hosts: Dict[str, DebianHost], folder: Path):
        self.folder = folder
        self.inventory = folder / "hosts.json"
        # The path of a socket there has to be short
        self.private = tempfile.TemporaryDirectory(prefix="fleet-")
        known = Path(self.private.name) / "known"
        said = {"all": {"vars": {
            "ansible_timeout": round(CONNECT_S * slowness()),
            "ansible_ssh_common_args": f"-F none -o StrictHostKeyChecking=no -o LogLevel=ERROR "
                                       f"-o UserKnownHostsFile={known}",
            "liveupdate_reach_seconds": round(REACH_S * slowness()),
            "liveupdate_watch_seconds": round(WATCH_S * slowness()),
        }, "hosts": {name: {"ansible_user": "admin" if name in BY_SUDO else "root",
                            "ansible_host": "127.0.0.1", "ansible_port": host.port,
                            "ansible_ssh_private_key_file": str(host.key)}
                     for name, host in hosts.items()}}}
        self.inventory.write_text(json.dumps(said, indent=1) + "\n")

    def __enter__(self) -> "Playbook":
        return self

    def __exit__(self, *unused: object) -> None:
        """The connections that it shares end by themselves, in a minute."""
        self.private.cleanup()

    def _environment(self) -> Dict[str, str]:
        kept = {name: text for name, text in os.environ.items() if not name.startswith("ANSIBLE_")}
        return kept | {"LC_ALL": "C.UTF-8", "HOME": self.private.name, "ANSIBLE_HOME": self.private.name,
                       "ANSIBLE_NOCOLOR": "1", "PYTHONUNBUFFERED": "1",
                       "ANSIBLE_SSH_CONTROL_PATH_DIR": f"{self.private.name}/cp"}

    def play(self, name: str, *words: str, **variables: Any) -> Played:
        argv = ["ansible-playbook", "-i", str(self.inventory), str(ROLL.relative_to(ROOT)),
                "-e", json.dumps(variables), *words]
        try:
            process = qemu.spawn(argv, cwd=ROOT, env=self._environment(), text=True,
                                 stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                                 stderr=subprocess.STDOUT)
        except FileNotFoundError:
            raise RigError("There is no ansible-playbook; scripts/setup fleet installs it.") from None
        late = threading.Timer(PLAY_S * slowness(), process.kill)
        late.start()
        lines: List[Tuple[int, str]] = []
        try:
            with (self.folder / f"{name}.log").open("w") as log:
                for line in process.stdout:
                    lines.append((time.monotonic_ns(), line.rstrip("\n")))
                    log.write(line)
                    log.flush()
            return Played(process.wait(), lines)
        finally:
            late.cancel()
            process.kill()
            process.wait()


def first(results: List[Result], task: str) -> Optional[Result]:
    return next((one for one in results if one.task == task), None)
