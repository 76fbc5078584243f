# SPDX-License-Identifier: GPL-2.0-only
"""Two guests on one host: both go along in an update; updates that are refused leave both
running; one that cannot start comes back when it can; and one that does not come back is
reaped beside the other. [E7]"""

import json

from .guest import Seen
from .guests import Guests

# Of web2
CARD = "02:00.0"
UNFIT = "/boot/vmlinuz-unfit"
# Its memory is QEMU's own
CANNOT = ("QEMU=qemu-system-x86_64 -name web3 -accel kvm -M q35 -m 64 -nodefaults "
          "-display none")
# Shared memory, no devices, and a service that has no store of files
ALONE = ("systemd-run --unit=alone lu-qemu run alone -- qemu-system-x86_64 -name alone -accel kvm "
         "-M q35,hpet=off,memory-backend=ram0,aux-ram-share=on -m 64 -nodefaults -display none "
         "-object memory-backend-memfd,id=ram0,size=64M,share=on")
QEMU = "/usr/bin/qemu-system-x86_64"
# Passes for a luod until it is asked something
DEAF = "socat UNIX-LISTEN:/run/deaf,socktype=5,fork,unlink-early PIPE"


class Two(Guests):
    """web1 has a drive and a card, web2 a card."""

    def both(self, tag: str, one: Seen, other: Seen) -> None:
        self.went_on(f"{tag}-web1", one, self.web1.until(self.web1.last()))
        self.went_on(f"{tag}-web2", other, self.web2.until(self.web2.last()))

    def refused(self, one: Seen, other: Seen) -> None:
        host = self.host
        # What it reads is in the image as text.
        host.run(f"sed s/iommu-v2-4k/iommu-v9-4k/g {self.image} >{UNFIT}")
        self.refuses("unfit-image", f"luctl update --no-initrd {UNFIT}", "iommu-v2-4k")
        self.both("unfit-image", one, other)
        host.run(f"echo '{CANNOT}' >/etc/lu-vm/web3.conf && systemctl start lu-vm@web3")
        host.until("test -S /run/lu-qemu/web3.qmp", 60)
        self.refuses("unfit-guest", f"luctl update {self.image}", "'web3' cannot go through a live update")
        self.refuses("unfit-guest-check", f"luctl check {self.image}", "'web3' cannot")
        self.both("unfit-guest", one, other)
        # It has no button that it would mind.
        host.run("systemctl stop lu-vm@web3 && rm /etc/lu-vm/web3.conf", 300)

    def kept_by_nobody(self) -> None:
        """That is seen before the guest is stopped; when it is lost after that, and all else
        was there, the guest is given back to QEMU."""
        host = self.host
        host.run("systemctl stop luod.socket luod.service")
        host.run(ALONE)
        host.until("test -S /run/lu-qemu/alone.qmp", 60)
        for verb in "check", "save":
            done = host.ssh(f"lu-qemu {verb} alone")
            self.check(f"no-keeper-{verb}", done.returncode == 1 and "luod does not run" in done.stderr,
                       done.stderr.strip())
        host.run(f"systemd-run --unit=deaf {DEAF}")
        host.until("test -S /run/deaf", 60)
        for nth in 1, 2:
            done = host.ssh("LUOD_SOCKET=/run/deaf lu-qemu save alone")
            self.check(f"no-keeper-{nth}", done.returncode == 1 and "not preserved, and runs on" in done.stderr
                       and "luod" in done.stderr, done.stderr.strip())
        host.run("systemctl stop alone deaf && systemctl start luod.socket")

    def without_qemu(self, other: Seen) -> None:
        """Nothing of web2 is taken as long as the QEMU that it wants is not there."""
        host, guest = self.host, self.web2
        host.run(f"mv {QEMU} {QEMU}-away")
        host.ssh(f"systemctl start {guest.unit}")
        host.until(f"systemctl is-failed {guest.unit}", 60)
        said = guest.said()
        self.check("no-qemu-refuses", "can be tried again" in said and "cannot be run" in said,
                   said.strip())
        host.run(f"mv {QEMU}-away {QEMU} && systemctl reset-failed {guest.unit}")
        host.run(f"systemctl enable --now {guest.unit}")
        self.went_on("no-qemu-web2", other, guest.until(guest.last()))

    def left(self, one: Seen) -> None:
        """web2 came over, and nobody starts it."""
        host, guest = self.host, self.web2
        said = host.ssh("luctl watch --timeout 0")
        self.check("left-is-named", said.returncode == 1 and guest.name in said.stdout, said.stdout.strip())
        self.check("left-not-started", guest.state() == "inactive", guest.state())
        sessions = [session["name"] for session in json.loads(host.run("luctl status --json"))["sessions"]]
        self.check("left-alone", len(sessions) == 1, " ".join(sessions))
        done = host.ssh(f"luctl reap {sessions[0]}")
        self.check("reap-says-who-has-it", done.returncode == 1 and "--what=fdstore" in done.stderr,
                   done.stderr.strip())
        host.run(f"systemctl clean --what=fdstore {guest.unit}")
        done = host.ssh(f"luctl reap {sessions[0]}")
        self.check("reaped", done.returncode == 0, (done.stdout + done.stderr).strip().replace("\n", "; "))
        self.went_on("reaped-web1", one, self.web1.until(self.web1.last()))

    def story(self, times: int) -> None:
        one, other = self.start(self.web1), self.start(self.web2)
        self.refused(one, other)
        self.kept_by_nobody()
        self.jump(1)
        self.both("update-1", one, other)
        self.healthy(1, self.web1, self.web2)
        self.finished(1)
        self.host.run(f"systemctl disable {self.web2.unit}")
        self.jump(2)
        self.without_qemu(other)
        self.healthy(2, self.web1, self.web2)
        self.finished(2)
        self.host.run(f"systemctl disable {self.web2.unit}")
        self.jump(3)
        self.left(one)
        self.finished(3)
        self.host.run(f"systemctl enable --now {self.web2.unit}")
        anew = self.web2.anew(other)
        self.check("web2-anew", anew.life != other.life, f"up {anew.up} s")
        self.healthy(3, self.web1, self.web2)
        self.seen_from_outside(reaped=[CARD])
