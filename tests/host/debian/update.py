# SPDX-License-Identifier: GPL-2.0-only
"""The test of row E6: a Debian host is updated, three times, by luctl from its shell."""

import json
import re

from host import witness
from host.base import RigError

from .machine import release
from .owner import KEPT, UNKEPT, Owner
from .story import Story

TIMES = 3
OURS = ("luctl", "luod", "libliveupdate1", "libliveupdate-dev")
SYSTEMD = 262


class Update(Story):
    """Owners of each kind, and one that nobody keeps."""

    @property
    def image(self) -> str:
        return f"/boot/vmlinuz-{self.kernel}"

    def installed(self) -> None:
        """By apt, all of it, and nothing is broken."""
        host = self.host
        self.kernel = release(host)
        names = " ".join([*OURS, f"linux-image-{self.kernel}"])
        states = host.run(f"dpkg-query -W -f '${{db:Status-Abbrev}}\\n' {names}").split()
        self.check("packages", states == ["ii"] * (len(OURS) + 1), " ".join(states))
        version = int(re.search(r"systemd (\d+)", host.run("systemctl --version"))[1])
        self.check("systemd", version >= SYSTEMD, version)
        self.check("running", host.run("uname -r") == self.kernel, host.run("uname -r"))
        self.check("units", not host.failed_units(), " ".join(host.failed_units()) or "none has failed")

    def _nothing_done(self, name: str, command: str) -> None:
        """The command says no, with exit code 1, and the host is as before."""
        host = self.host
        done = host.ssh(command)
        said = (done.stdout + done.stderr).strip()
        self.check(f"{name}-code", done.returncode == 1, f"exit code {done.returncode}")
        self.check(f"{name}-names-it", UNKEPT.session in said and "not-kept" in said
                   or f"{UNKEPT.session}," in said, said.splitlines()[-1] if said else "nothing")
        loaded = host.run("cat /sys/kernel/kexec_loaded")
        self.check(f"{name}-not-loaded", loaded == "0", f"kexec_loaded {loaded}")
        boot = host.run("cat /proc/sys/kernel/random/boot_id")
        self.check(f"{name}-same-boot", boot == host.boot_id, boot)

    def refused(self) -> None:
        """The control: a session that nobody keeps."""
        host = self.host
        host.run(f"systemctl start {UNKEPT.unit}")
        UNKEPT.until(host, "kept", 0)
        UNKEPT.keep(host)
        self._nothing_done("check-refuses", f"luctl check {self.image}")
        self._nothing_done("update-refuses", f"luctl update {self.image}")
        jobs = host.run("systemctl is-system-running || true")
        self.check("update-refuses-running", jobs == "running", jobs)
        host.run(f"systemctl stop {UNKEPT.unit}")

    def undone(self, owner: Owner) -> None:
        """An owner takes back what it has preserved, and can preserve it again."""
        owner.keep(self.host)
        self.host.run(f"systemctl kill -s USR1 {owner.unit}")
        self.host.until(f"grep -qx 'kept 0' {owner.path}", 60)
        said = self.host.run("luctl status --json")
        held = [s["name"] for s in json.loads(said)["sessions"] if s.get("files")]
        self.check(f"undo-{owner.unit}", not held, " ".join(held) or "nothing is preserved")

    def back(self, owner: Owner, nth: int) -> None:
        host, tag = self.host, f"{owner.unit}-{nth}"
        try:
            owner.until(host, "kernels", nth)
        except RigError:
            self.check(f"{tag}-back", False, owner.said(host).replace("\n", "; "))
            return
        state = owner.state(host)
        self.check(f"{tag}-back", state["kernels"] == nth, f"{state['kernels']} kernels before this")
        if not owner.has_drive:
            return
        self.check(f"{tag}-went-on", state["found"] > state["waiting"],
                   f"{state['waiting']} reads had ended when it was preserved, {state['found']} had when it came back")
        reads, errors = owner.moves(host)
        self.check(f"{tag}-reads", reads > state["found"], f"{reads} reads")
        self.check(f"{tag}-whole", errors == 0, f"{errors} errors")

    def counted(self, nth: int) -> None:
        """What systemd says of it."""
        host = self.host
        count = host.run("systemctl show --value -p KExecCount")
        self.check(f"kexec-count-{nth}", count == str(nth), count)
        text = host.run("systemd-analyze time")
        self.check(f"analyze-{nth}", "Startup finished" in text, text.splitlines()[0])

    def update(self, nth: int) -> None:
        host = self.host
        for owner in KEPT:
            owner.keep(host)
        done = host.ssh(f"luctl check {self.image}")
        self.check(f"check-{nth}", done.returncode == 0, f"exit code {done.returncode}"
                   + ("" if not done.returncode else ": " + done.stdout.replace("\n", "; ")))
        if done.returncode:
            raise RigError("luctl refuses; nothing more can be seen.")
        jump = host.jump(f"luctl update {self.image}")
        self.say(f"update {nth}: {jump.reached:.1f} s until ssh answers, {jump.up:.1f} s until all is up")
        self.check(f"running-{nth}", host.run("uname -r") == self.kernel, self.kernel)
        for owner in KEPT:
            self.back(owner, nth)
        self.counted(nth)
        left = host.ssh("luctl watch --timeout 600", 630)
        self.check(f"all-finished-{nth}", left.returncode == 0, left.stdout.strip().replace("\n", "; "))
        failed = host.failed_units()
        self.check(f"units-{nth}", not failed, " ".join(failed) or "none has failed")

    def in_the_blackout(self, trace: witness.Trace) -> None:
        """Reads of the drive while there was no process that could have asked for one."""
        done = trace.completions.get(witness.KEPT_QUEUE, [])
        jumps = self.host.moments("Starting new kernel")
        roots = self.host.moments("Mounting root file system")
        for nth, jump in enumerate(jumps, start=1):
            until = min((ns for ns in roots if ns > jump), default=jump)
            count = sum(jump < ns < until for ns in done)
            self.check(f"blackout-{nth}", count > 0,
                       f"{count} reads in {(until - jump) / 1e9:.1f} s")

    def tell(self, times: int) -> None:
        self.installed()
        for owner in KEPT:
            owner.until(self.host, "kernels", 0)
        reads, errors = KEPT[0].moves(self.host)
        self.check("drive", reads > 0 and not errors, f"{reads} reads, {errors} errors")
        self.refused()
        self.undone(KEPT[0])
        for nth in range(1, times + 1):
            self.update(nth)
        self.in_the_blackout(self.host.trace())
        self.seen_from_outside()
