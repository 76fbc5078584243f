# SPDX-License-Identifier: GPL-2.0-only
"""The test of row E8: three Debian hosts are rolled by the playbook of the fleet; one that
would be refused stays as it is, and so do those after it."""

import contextlib
import json
import re
import subprocess
from pathlib import Path
from typing import Dict, Iterator, List, Tuple

from host import witness
from host.base import BUILD, Progress, RigError

from .image import Image
from .machine import BOOT_ID, DebianHost, release
from .owner import KEPT
from .playing import Playbook, Played, first
from .update import Update

HOSTS = ("host1", "host2", "host3")
# What the role has a host do last, and what it does before services are stopped
LAST, UPDATE = "Stop when something of the old kernel is left", "Update"
# Where the names are in the list that an image has (luctl/image.c)
LIST_HEADER, LIST_NAME = 24, 48
PROBE = "lu-fleet-probe"
CONTROL = f"""Package: {PROBE}
Version: 1:2.0-1
Architecture: all
Maintainer: nobody <nobody@localhost>
Description: Shows that the fleet installs packages
"""
VERSION, NEWER = re.compile(r"^Version: (\S+)", re.M), "+again"
# The owners of this test preserve when they are told to, not when they are stopped.
PREPARE = ("systemctl reload {units} && timeout 300 sh -c 'for file in {files}; do "
           "until grep -qx \"kept 1\" $file; do sleep 0.2; done; done'").format(
               units=" ".join(owner.unit for owner in KEPT),
               files=" ".join(owner.path for owner in KEPT))


class Member(Update):
    """One host of it, with checks by its name in the list that all share."""

    def __init__(self, host: DebianHost, say: Progress, name: str,
                 checks: List[Tuple[str, bool, str]]):
        super().__init__(host, say)
        self.name = name
        self.checks = checks
        self.kexecs = 0

    def check(self, name: str, right: bool, text: object) -> bool:
        return super().check(f"{self.name}-{name}", right, text)

    def begin(self) -> None:
        host = self.host
        self.kernel = release(host)
        self.check("units", not host.failed_units(), " ".join(host.failed_units()) or "none has failed")
        for owner in KEPT:
            owner.until(host, "kernels", 0)
        self.works("begin")

    def works(self, tag: str) -> None:
        """Its owner's drive, now."""
        reads, errors = KEPT[0].moves(self.host)
        self.check(f"{tag}-drive", reads > 0 and not errors, f"{reads} reads, {errors} errors")

    def updated(self) -> None:
        """Once more than before."""
        self.kexecs += 1
        self.host.again()
        self.check(f"running-{self.kexecs}", self.host.run("uname -r") == self.kernel, self.kernel)
        for owner in KEPT:
            self.back(owner, self.kexecs)
        self.counted(self.kexecs)
        failed = self.host.failed_units()
        self.check(f"units-{self.kexecs}", not failed, " ".join(failed) or "none has failed")

    def installed_is(self, package: str, version: str) -> None:
        done = self.host.ssh(f"dpkg-query -W -f '${{db:Status-Abbrev}}${{Version}}' {package}")
        self.check(f"{package}-installed", done.stdout == f"ii {version}", done.stdout or done.stderr.strip())

    def untouched(self, tag: str) -> None:
        """The same boot, nothing loaded, as many jumps as before, owners at work."""
        host = self.host
        boot = host.run(BOOT_ID)
        self.check(f"{tag}-same-boot", boot == host.boot_id, boot)
        loaded = host.run("cat /sys/kernel/kexec_loaded")
        self.check(f"{tag}-not-loaded", loaded == "0", f"kexec_loaded {loaded}")
        count = host.run("systemctl show --value -p KExecCount")
        self.check(f"{tag}-kexec-count", count == str(self.kexecs), count)
        kept = [owner.unit for owner in KEPT if owner.state(host)["kept"]]
        self.check(f"{tag}-not-preserved", not kept, " ".join(kept) or "no owner was asked to preserve")
        self.works(tag)

    def reads_seen(self, tag: str, played: Played) -> None:
        """By QEMU, while Ansible was at work."""
        done = self.host.trace().completions.get(witness.KEPT_QUEUE, [])
        begin, end = played.lines[0][0], played.lines[-1][0]
        count = sum(begin < ns < end for ns in done)
        self.check(f"{tag}-device", count > 0, f"{count} reads in {(end - begin) / 1e9:.1f} s")

    def another_image(self) -> None:
        """What an upgrade of the package does to a build of the same release."""
        self.host.run(f"cp {self.image} {self.image}.new && mv {self.image}.new {self.image}")

    def unfit_image(self) -> str:
        """At the same path, one that does not read a thing which this kernel writes."""
        host = self.host
        said = json.loads(host.run(f"luctl check --offline --json {self.image}"))["image"]
        name = host.run("tail -n 1 /sys/kernel/liveupdate/writes").split()[-1]
        at = said["offset"] + LIST_HEADER + LIST_NAME * said["reads"].index(name)
        host.run(f"cp {self.image} {self.image}.good")
        self.another_image()
        host.run(f"printf X | dd of={self.image} bs=1 seek={at} conv=notrunc status=none")
        return name

    def mend(self) -> None:
        self.host.run(f"mv {self.image}.good {self.image}")

    def at_the_end(self) -> None:
        self.in_the_blackout(self.host.trace())
        self.seen_from_outside()


class Fleet:
    """All of them, and what Ansible says of them."""

    def __init__(self, hosts: Dict[str, DebianHost], playbook: Playbook, say: Progress):
        self.playbook = playbook
        self.say = say
        self.checks: List[Tuple[str, bool, str]] = []
        self.members = [Member(host, say, name, self.checks) for name, host in hosts.items()]

    def check(self, name: str, right: bool, text: object) -> bool:
        self.checks.append((name, right, str(text)))
        self.say(f"{name}: {'ok' if right else 'FAIL'} ({text})")
        return right

    def play(self, name: str, code: int, *words: str, **variables: object) -> Played:
        self.say(f"ansible-playbook {' '.join(words)} {variables or ''}: {name}.log")
        played = self.playbook.play(name, *words, liveupdate_image=self.members[0].image,
                                    liveupdate_prepare=PREPARE, **variables)
        if not self.check(f"{name}-code", played.code == code, f"exit code {played.code}"):
            raise RigError(f"Ansible has ended otherwise than it should. {played.failure()}")
        return played

    def probe(self) -> Path:
        """A package that no host has."""
        tree = self.playbook.folder / "probe/DEBIAN"
        tree.mkdir(parents=True, exist_ok=True)
        (tree / "control").write_text(CONTROL)
        file = self.playbook.folder / f"{PROBE}_2.0-1_all.deb"
        subprocess.run(["dpkg-deb", "--root-owner-group", "-b", tree.parent, file], check=True,
                       stdout=subprocess.DEVNULL)
        return file

    def kernel(self) -> Path:
        """The package of the kernel that they run, as a newer one."""
        name = f"linux-image-{self.members[0].kernel}"
        tree = self.playbook.folder / "kernel"
        subprocess.run(["dpkg-deb", "-R", *(BUILD / "kernel-deb").glob(f"{name}_*.deb"), tree], check=True)
        control = tree / "DEBIAN/control"
        text = VERSION.sub(rf"\g<0>{NEWER}", control.read_text())
        control.write_text(text)
        file = self.playbook.folder / f"{name}_{VERSION.search(text)[1]}_amd64.deb"
        subprocess.run(["dpkg-deb", "--root-owner-group", "-Zgzip", "-z1", "-b", tree, file],
                       check=True, stdout=subprocess.DEVNULL)
        return file

    def nothing_to_do(self) -> None:
        """All run that image already; and what would be done is only said."""
        played = self.play("again", 0)
        for member in self.members:
            changed = played.recap(member.name).get("changed")
            member.check("again-changed", changed == 0, f"changed={changed}")
            text = f"{member.name} runs {member.image} ({member.kernel}) already"
            member.check("again-says-so", text in played.text, text)
        played = self.play("would", 0, "--check", liveupdate_force=True)
        for member in self.members:
            text = f"{member.name} would be taken from {member.kernel} to {member.image}"
            member.check("would-says-so", text in played.text, text)
            member.untouched("would")

    def _order(self, name: str, played: Played, members: List[Member]) -> None:
        """None jumps before the one before it is verified, and its owners have finished."""
        for before, after in zip(members, members[1:]):
            last = first(played.results(before.name), LAST)
            jumps = after.host.moments("Starting new kernel")
            late = (jumps[-1] - last.ns) / 1e9 if jumps and last else -1.0
            after.check(f"{name}-order", late > 0,
                        f"its kernel ended {late:.1f} s after {before.name} was done with")

    def all_good(self) -> None:
        """A package that is new there, and a newer one of the kernel, which they then run."""
        files = [self.probe(), self.kernel()]
        played = self.play("roll", 0, liveupdate_force=True,
                           liveupdate_debs=[str(file.resolve()) for file in files])
        for member in self.members:
            member.updated()
            member.installed_is(PROBE, "1:2.0-1")
            member.installed_is(*files[1].name.split("_")[:2])
            failed = played.recap(member.name).get("failed")
            member.check("recap", failed == 0, played.recap(member.name) or "nothing is said of it")
        self._order("roll", played, self.members)

    def one_unfit(self) -> None:
        """The second of three is refused: before it, updated; after it, untouched."""
        good, unfit, later = self.members
        name = unfit.unfit_image()
        for member in good, later:
            member.another_image()
        played = self.play("refused", 2)
        good.updated()
        why = f"{unfit.name} is left as it is: the image does not read {name}"
        unfit.check("says-why", why in played.failure(unfit.name), played.failure(unfit.name))
        done = first(played.results(unfit.name), UPDATE)
        unfit.check("not-begun", done is None, done or "no task of an update was run")
        unfit.untouched("refused")
        unfit.reads_seen("refused", played)
        told = played.results(later.name)
        later.check("not-begun", not told and not played.recap(later.name),
                    told[0] if told else "Ansible says nothing of it")
        later.untouched("later")
        later.reads_seen("later", played)

    def mended(self) -> None:
        """The same command goes on where it stopped."""
        good, *rest = self.members
        rest[0].mend()
        played = self.play("mended", 0)
        good.check("mended-changed", played.recap(good.name).get("changed") == 0,
                   played.recap(good.name) or "nothing is said of it")
        good.untouched("mended")
        for member in rest:
            member.updated()
        self._order("mended", played, rest)

    def tell(self) -> None:
        for member in self.members:
            member.begin()
        self.nothing_to_do()
        self.all_good()
        self.one_unfit()
        self.mended()
        for member in self.members:
            member.at_the_end()


@contextlib.contextmanager
def started(image: Image, folder: Path) -> Iterator[Dict[str, DebianHost]]:
    """All of them, which start beside each other."""
    with contextlib.ExitStack() as stack:
        hosts = {name: stack.enter_context(DebianHost(image, folder / name)) for name in HOSTS}
        for host in hosts.values():
            host.power()
        for host in hosts.values():
            host.again()
        yield hosts


def checks(image: Image, folder: Path, say: Progress) -> List[Tuple[str, bool, str]]:
    """All of it; what could not be done is a check that failed."""
    with started(image, folder) as hosts, Playbook(hosts, folder) as playbook:
        fleet = Fleet(hosts, playbook, say)
        try:
            fleet.tell()
        except RigError as err:
            fleet.check("to-the-end", False, err)
        return fleet.checks
