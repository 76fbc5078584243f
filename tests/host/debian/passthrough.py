# SPDX-License-Identifier: GPL-2.0-only
"""The test of row E7: a guest of QEMU, with a drive and a card of its own, works on
across a live update of its host."""

import signal

from host.sending import Sending

from . import guest
from .machine import release
from .story import Story

# Frames a second: while the guest stands still all have to wait in the ring of its card
RATE = 5


class Passthrough(Story):
    """One guest, whose console says how it does."""

    def started(self) -> guest.Seen:
        host = self.host
        # Owners of other tests would have the host wait for their drive.
        host.run("systemctl disable --now lu-store lu-named lu-brokered")
        host.run("systemctl clean --what=fdstore lu-named")
        host.run(f"systemctl enable --now {guest.UNIT}")
        seen = guest.until(host, None)
        self.check("guest-works", not seen.bad and not seen.gaps, seen)
        done = host.ssh(f"lu-qemu check {guest.NAME}")
        self.check("guest-can", done.returncode == 0, done.stdout.strip() or done.stderr.strip())
        return seen

    def undone(self, before: guest.Seen) -> guest.Seen:
        """Preserved, and let run on in this kernel."""
        host = self.host
        done = host.ssh(f"lu-qemu save {guest.NAME}")
        self.check("save", done.returncode == 0, done.stdout.strip() or done.stderr.strip())
        done = host.ssh(f"lu-qemu resume {guest.NAME}")
        self.check("resume", done.returncode == 0, done.stdout.strip() or done.stderr.strip())
        after = guest.until(host, guest.last(host))
        self.went_on("resumed", before, after)
        blocked = host.run(f"awk '/^SigBlk/ {{ print $2 }}' "
                           f"/proc/$(systemctl show --value -p MainPID {guest.UNIT})/status")
        self.check("resumed-signals", not int(blocked, 16) & 1 << signal.SIGTERM - 1,
                   f"{blocked} are blocked")
        return after

    def went_on(self, tag: str, before: guest.Seen, after: guest.Seen) -> None:
        self.check(f"{tag}-same-guest", after.life == before.life, f"up {after.up} s")
        self.check(f"{tag}-reads", after.reads > before.reads and not after.bad,
                   f"{after.reads - before.reads} more reads, {after.bad} wrong")
        self.check(f"{tag}-frames", after.frames > before.frames and not after.gaps,
                   f"{after.frames - before.frames} more frames, {after.gaps} times some were lost")

    def update(self, nth: int, before: guest.Seen) -> guest.Seen:
        host = self.host
        jump = host.jump(f"luctl update /boot/vmlinuz-{self.kernel}")
        self.say(f"update {nth}: {jump.reached:.1f} s until ssh answers, {jump.up:.1f} s until all is up")
        count = host.run("systemctl show --value -p KExecCount")
        self.check(f"kexec-count-{nth}", count == str(nth), count)
        # What it has said before it stood still is no sign of life.
        after = guest.until(host, guest.last(host))
        self.went_on(f"update-{nth}", before, after)
        if after.life != before.life:
            self.say(guest.said(host, boot=-1))
        state = host.ssh(f"systemctl is-active {guest.UNIT}").stdout.strip()
        self.check(f"service-{nth}", state == "active", state)
        failed = host.failed_units()
        self.check(f"units-{nth}", not failed, " ".join(failed) or "none has failed")
        left = host.ssh("luctl watch --timeout 60")
        self.check(f"all-finished-{nth}", left.returncode == 0, left.stdout.strip().replace("\n", "; "))
        return after

    def tell(self, times: int) -> None:
        self.kernel = release(self.host)
        sending = Sending(self.host.vm, self.host.folder, RATE)
        sending.tell("start")
        try:
            self.story(times)
        finally:
            sending.stop()

    def story(self, times: int) -> None:
        seen = self.undone(self.started())
        for nth in range(1, times + 1):
            seen = self.update(nth, seen)
        self.seen_from_outside()
