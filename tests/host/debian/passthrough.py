# SPDX-License-Identifier: GPL-2.0-only
"""The test of row E7: a guest of QEMU, with a drive and a card of its own, works on
across live updates of its host. And its control, on a host that hands over nothing."""

import signal
import time
from typing import Dict, List

from host.base import shown

from . import pause
from .guest import Guest, Seen
from .guests import Guests

# The guest sets its clock when it is off by half of this.
APART_S = 1.0
# What the guest has, see guest/web1.conf.
KEPT = ("0000:00:06.0", "0000:01:00.0")


class Passthrough(Guests):
    """One guest, whose console says how it does."""

    def undone(self, before: Seen) -> Seen:
        """Preserved, and let run on in this kernel."""
        host, guest = self.host, self.web1
        done = host.ssh(f"lu-qemu save {guest.name}")
        self.check("save", done.returncode == 0, done.stdout.strip() or done.stderr.strip())
        # What its service would do if it was started once more
        done = host.ssh(f"lu-qemu run {guest.name} -- true")
        self.check("no-second", done.returncode == 1 and "(outgoing) has a guest of that name" in done.stderr,
                   done.stderr.strip())
        done = host.ssh(f"lu-qemu resume {guest.name}")
        self.check("resume", done.returncode == 0, done.stdout.strip() or done.stderr.strip())
        after = guest.until(guest.last())
        self.went_on("resumed", before, after)
        blocked = host.run(f"awk '/^SigBlk/ {{ print $2 }}' "
                           f"/proc/$(systemctl show --value -p MainPID {guest.unit})/status")
        self.check("resumed-signals", not int(blocked, 16) & 1 << signal.SIGTERM - 1,
                   f"{blocked} are blocked")
        return after

    def update(self, nth: int, before: Seen) -> Seen:
        guest = self.web1
        self.jump(nth)
        # What it has said before it stood still is no sign of life.
        after = guest.until(guest.last())
        self.went_on(f"update-{nth}", before, after)
        if after.life != before.life:
            self.say(guest.said(boot=-1))
        self.healthy(nth, guest)
        self.finished(nth)
        self.marks.append(pause.marks(self.host, guest))
        self.chain = self.host.run(f"systemd-analyze critical-chain --no-pager {guest.unit}")
        start, there, end = guest.clock()
        self.check(f"clock-{nth}", after.steps > before.steps and start - APART_S < there < end + APART_S,
                   f"set {after.steps - before.steps} times, now {there - start:.1f} of {end - start:.1f} s")
        return after

    def story(self, times: int) -> None:
        self.marks: List[Dict[str, int]] = []
        seen = self.start(self.web1)
        done = self.host.ssh(f"lu-qemu check {self.web1.name}")
        self.check("can", done.returncode == 0, done.stdout.strip() or done.stderr.strip())
        seen = self.undone(seen)
        for nth in range(1, times + 1):
            seen = self.update(nth, seen)
        self.last = time.monotonic_ns()
        self.bad = self.web1.until(seen).bad

    def tell(self, times: int) -> None:
        super().tell(times)
        moved = self.answered(self.last)
        found = [pause.with_first_read(marks, moved.reads) for marks in self.marks]
        for nth, marks in enumerate(found, start=1):
            known = pause.parts(marks)
            self.check(f"pause-{nth}", len(known) == len(pause.PARTS), pause.text(marks))
            if "all back" in marks and pause.FIRST in marks:
                self.in_the_pause(f"pause-{nth}", marks, moved)
        self.seen_from_outside()
        self.report({"kernel": self.kernel, "pauses_s": [pause.parts(marks) for marks in found],
                     "services": self.chain.splitlines(),
                     **self.frames, "drive_completions": len(moved.reads)})
        if len(pause.parts(found[-1])) == len(pause.PARTS):
            picture = self.host.folder / "guest.svg"
            picture.write_text(pause.draw(found[-1], moved, [
                f"Linux {self.kernel}; {self.frames['frames_sent']:,} frames sent to it, "
                f"{self.frames['frames_lost']} not answered; "
                f"{len(moved.reads):,} reads and writes of its drive, {self.bad} wrong"]))
            self.say(f"picture: {shown(picture)}")


class WithIntx(Passthrough):
    """The same of a guest that knows no message signaled interrupts."""

    def start(self, guest: Guest) -> Seen:
        self.host.run(f"sed -i 's/ quiet / quiet pci=nomsi /' /etc/lu-vm/{guest.name}.conf")
        seen = super().start(guest)
        self.raise_intx("started")
        return seen

    def update(self, nth: int, before: Seen) -> Seen:
        after = super().update(nth, before)
        self.raise_intx(f"update-{nth}")
        return after

    def raise_intx(self, when: str) -> None:
        lines = self.host.run("grep vfio /proc/interrupts").splitlines()
        kept = sorted(line.split()[-1] for line in lines)
        self.check(f"intx-{when}", kept == [f"vfio-intx({bdf})" for bdf in KEPT], ", ".join(kept))


class Control(Guests):
    """The same host without live update: the guest is shut down, and another one boots."""

    WORDS = ("liveupdate=off",)

    def story(self, times: int) -> None:
        host, guest = self.host, self.web1
        before = self.start(guest)
        self.refuses("control-check", f"lu-qemu check {guest.name}", "cannot carry sessions over")
        self.refuses("control-update", f"luctl update {self.image}", "hands over nothing")
        self.load_by_hand()
        jump = host.jump("systemctl kexec")
        self.say(f"{jump.reached:.1f} s until ssh answers, {jump.up:.1f} s until all is up")
        after = guest.anew(before)
        self.check("control-another-guest", after.life != before.life, f"up {after.up} s")
        asked = guest.said(boot=-1)
        self.check("control-shut-down", "was not preserved" in asked, asked.replace("\n", "; "))
        self.report({"kernel": self.kernel, "kexec_s": round(jump.reached, 1),
                     "marks": pause.marks(host, guest)})
