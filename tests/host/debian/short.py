# SPDX-License-Identifier: GPL-2.0-only
"""What docs/operators.md says that makes the pause shorter, done: a guest goes through an
update of its host as that is installed, and through others after it. Then the same host
starts that kernel without live update, which is what the pause is compared with. [E7]"""

import shlex

from host import splats
from host.base import RigError

from . import pause
from .guest import Seen
from .passthrough import Passthrough

# As docs/operators.md has it
EARLY = """[Unit]
DefaultDependencies=no
RequiresMountsFor=/var/lib/lu-vm
After=systemd-remount-fs.service
Conflicts=shutdown.target
Before=shutdown.target
"""
QUIET = "--append quiet --reuse-cmdline"
LATE = {"local-fs.target", "sysinit.target", "basic.target"}
# The parts of a pause that any boot of that host has
OF_A_BOOT = ("kernel", "initrd", "services")


class Short(Passthrough):
    """The first update as the host came, all others shortened."""

    def shorten(self) -> None:
        host, guest = self.host, self.web1
        folder = f"/etc/systemd/system/{guest.unit}.d"
        host.run(f"mkdir -p {folder} && printf %s {shlex.quote(EARLY)} >{folder}/early.conf && "
                 "systemctl daemon-reload")
        after = set(host.run(f"systemctl show --value -p After {guest.unit} luod.socket").split())
        self.check("early", not after & LATE, f"the guest and luod wait for {' '.join(sorted(after))}")

    def update(self, nth: int, before: Seen) -> Seen:
        if nth == 2:
            self.shorten()
        return super().update(nth, before)

    def jump(self, nth: int, options: str = "") -> None:
        super().jump(nth, QUIET if nth > 1 else options)
        self.heard(nth)

    def heard(self, nth: int) -> None:
        """A quiet kernel says nothing that has the time; what it kept to itself is looked at."""
        log = self.host.folder / f"kernel-{nth}.log"
        log.write_text(self.host.run("dmesg -n 7; echo 'This line has the time' >/dev/kmsg; "
                                     "journalctl -q --no-pager -b 0 -k -o short-monotonic --no-hostname"))
        bad = splats.scan(log, "host")
        self.check(f"kernel-{nth}", not bad, bad[0] if bad else "nothing that a healthy kernel does not say")

    def without(self, nth: int) -> None:
        """The guest is shut down, and in the next kernel another one boots."""
        guest = self.web1
        before = guest.until(None)
        self.host.run(f"systemctl stop {guest.unit}", 300)
        self.load_by_hand("liveupdate=off")
        self.host.jump("systemctl kexec")
        self.heard(nth)
        after = guest.anew(before)
        self.check("without-another-guest", after.life != before.life, f"up {after.up} s")

    def tell(self, times: int) -> None:
        super().tell(times)
        self.without(times + 1)
        stock = pause.parts(pause.marks(self.host, self.web1))
        known = [*self.reported["pauses_s"], stock]
        if not all(set(OF_A_BOOT) <= parts.keys() for parts in known):
            raise RigError("Not all parts of each boot are known.")
        seconds = [sum(parts[part] for part in OF_A_BOOT) for parts in known]
        self.report({"stock_s": stock, "boots_s": seconds,
                     "over_stock": [boot / seconds[-1] for boot in seconds[:-1]]})
        self.say("kernel, initrd and services: " + ", ".join(f"{boot:.1f}" for boot in seconds[:-1])
                 + f" s, and {seconds[-1]:.1f} s without live update")
