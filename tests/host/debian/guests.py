# SPDX-License-Identifier: GPL-2.0-only
"""What the tests with guests on a host have in common. [E7]"""

import json
import shlex
from typing import Dict, List

from host import frames
from host.base import Progress, RigError
from host.sending import Sending
from host.witness import KEPT_QUEUE

from . import pause
from .guest import Guest, Seen
from .machine import DebianHost, release
from .story import Story

# Frames that are due in a second, of which a card gets one in twelve: while the guest
# stands still all have to wait in the ring of its card
RATE = 24
# KERNEL INITRD LINE
LOAD_C = """
#include <err.h>
#include <fcntl.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>
int main(int argc, char **argv)
{
	if (argc != 4 || syscall(SYS_kexec_file_load, open(argv[1], O_RDONLY),
				 open(argv[2], O_RDONLY), strlen(argv[3]) + 1, argv[3], 0))
		err(1, "kexec_file_load");
}
"""


class Guests(Story):
    """Two of them, that are started by who needs them; `story` is the test's own."""

    def __init__(self, host: DebianHost, say: Progress):
        super().__init__(host, say)
        self.web1 = Guest(host, "web1")
        self.web2 = Guest(host, "web2", has_drive=False)
        self.reported: Dict[str, object] = {}

    def story(self, times: int) -> None:
        raise NotImplementedError

    def tell(self, times: int) -> None:
        self.kernel = release(self.host)
        # Owners of other tests would have the host wait for their drive.
        self.host.run("systemctl disable --now lu-store lu-named lu-brokered")
        self.host.run("systemctl clean --what=fdstore lu-named && systemctl reset-failed")
        sending = Sending(self.host.vm, self.host.folder, RATE)
        sending.tell("start")
        try:
            self.story(times)
        finally:
            sending.stop()

    @property
    def image(self) -> str:
        return f"/boot/vmlinuz-{self.kernel}"

    def start(self, guest: Guest) -> Seen:
        self.host.run(f"systemctl enable --now {guest.unit}")
        seen = guest.until(None)
        self.check(f"{guest.name}-works", not seen.bad and not seen.gaps, seen)
        return seen

    def went_on(self, tag: str, before: Seen, after: Seen) -> None:
        self.check(f"{tag}-same-guest", after.life == before.life, f"up {after.up} s")
        if before.reads:
            self.check(f"{tag}-drive", after.reads > before.reads and after.writes > before.writes
                       and not after.bad, f"{after.reads - before.reads} more reads, "
                       f"{after.writes - before.writes} more writes, {after.bad} wrong")
        self.check(f"{tag}-frames", after.frames > before.frames and not after.gaps,
                   f"{after.frames - before.frames} more frames, {after.gaps} times some were lost")

    def jump(self, nth: int, options: str = "") -> None:
        jump = self.host.jump(f"luctl update {options} {self.image}")
        self.say(f"update {nth}: {jump.reached:.1f} s until ssh answers, {jump.up:.1f} s until all is up")
        count = self.host.run("systemctl show --value -p KExecCount")
        self.check(f"kexec-count-{nth}", count == str(nth), count)

    def healthy(self, nth: int, *guests: Guest) -> None:
        for guest in guests:
            self.check(f"{guest.name}-service-{nth}", guest.state() == "active", guest.state())
        failed = self.host.failed_units()
        self.check(f"units-{nth}", not failed, " ".join(failed) or "none has failed")

    def finished(self, nth: int) -> None:
        left = self.host.ssh("luctl watch --timeout 600", 630)
        self.check(f"all-finished-{nth}", left.returncode == 0, left.stdout.strip().replace("\n", "; "))

    def refuses(self, tag: str, command: str, why: str) -> None:
        """With exit code 1 and a reason, and nothing is changed by it."""
        done = self.host.ssh(command)
        said = (done.stdout + done.stderr).strip()
        self.check(f"{tag}-refuses", done.returncode == 1 and why in said,
                   f"exit code {done.returncode}: " + said.replace("\n", "; "))
        boot = self.host.run("cat /proc/sys/kernel/random/boot_id")
        state = self.host.run("systemctl is-system-running || true")
        self.check(f"{tag}-changes-nothing", boot == self.host.boot_id and state == "running"
                   and self.host.run("cat /sys/kernel/kexec_loaded") == "0", f"the host is {state}")

    def log(self, name: str) -> List[frames.Sent]:
        try:
            return frames.unpack_sent((self.host.folder / name).read_bytes())
        except OSError as err:
            raise RigError(f"What was sent is not known: {err}.") from None

    def answered(self, last: int) -> pause.Transfers:
        """Every frame from the first that was answered to the last before LAST."""
        sent, answers = self.log("sent-0.bin"), self.log("answers-0.bin")
        numbers = {a.seq for a in answers}
        due = [s.seq for s in sent if s.seq >= answers[0].seq and s.send_ns < last]
        lost = [seq for seq in due if seq not in numbers]
        self.frames = {"frames_sent": len(due), "frames_lost": len(lost)}
        self.check("answers", bool(due) and not lost and len(numbers) == len(answers),
                   f"{len(due)} frames sent, {len(lost)} not answered, "
                   f"{len(answers) - len(numbers)} twice")
        return pause.Transfers(self.host.trace().completions.get(KEPT_QUEUE, []),
                               [a.send_ns for a in answers], [s.send_ns for s in sent])

    def in_the_pause(self, tag: str, found: Dict[str, int], moved: pause.Transfers) -> None:
        """What was sent to it while it stood still is there when it can look."""
        start, end = found[pause.FIRST], found["all back"]
        kept = sum(start <= ns < end for ns in moved.sent)
        late = sum(start <= ns < end for ns in moved.answers)
        self.check(f"{tag}-kept", kept > 0, f"{kept} frames were sent to it meanwhile, {late} answered")

    @property
    def initrd(self) -> str:
        return self.image.replace("vmlinuz-", "initrd.img-")

    def load_by_hand(self, *more: str) -> None:
        """As kexec -s does: for a kernel that luctl rightly refuses."""
        line = " ".join([self.host.run("cat /proc/cmdline"), *more])
        self.host.run(f"echo {shlex.quote(LOAD_C)} | gcc -D_GNU_SOURCE -xc -o /tmp/load - && "
                      f"/tmp/load {self.image} {self.initrd} {shlex.quote(line)}")

    def report(self, what: Dict[str, object]) -> None:
        self.reported.update(what)
        (self.host.folder / "report.json").write_text(json.dumps(self.reported, indent=2) + "\n")
