# SPDX-License-Identifier: GPL-2.0-only
"""Random machines, and what happens to them: a seed makes one story, always the
same. guest/scenarios/chaos.c says what the words mean."""

import random
from pathlib import Path
from typing import List, NamedTuple, Tuple

from .cases import Case

PORTS = ("02", "03", "06")
ROOM_ON_ROOT = ("04", "05", "08", "09")
VMS = 3
# Whose IOMMU, and how it translates; '' is VT-d in legacy mode.
MODES = ("", "", "+scalable", "+first-stage", "+amd")
# What is done to a device, with how often beside the others.
EVENTS = "meedrRHDtwwbBuonzischs"
# What becomes of a VM that came over: taken back, given new page tables, finished;
# or its owner dies, and somebody else takes apart what is left.
FATES = ("", "T", "TS", "TS", "TS", "TAS", "TSK", "TK", "TKT", "TAKT", "TAKT")
JUDGE = "dma-translation-remapping-faults-frames-master"
SECONDS = 300
# Of the first kernel, and of the next ones.
WORDS = ("+iommu=pt", "+iommu.strict=1", "+pcie_ports=compat", "+nokaslr",
         ">pci=assign-busses", ">pci=hpbussize=2", ">pci=hpbussize=4", ">pci=realloc",
         ">pci=hpmemsize=64M", ">pci=noari", ">pci=disable_acs_redir=pci:1b36:000c",
         ">iommu=pt", ">iommu.strict=1", ">pcie_ports=compat", ">maxcpus=1", ">no5lvl",
         ">pcie_aspm=off", ">nokaslr", ">pci=pcie_bus_safe", ">pci=noaer")


class Place(NamedTuple):
    """Where a device can be."""
    bdf: str
    bus: str = ""
    shares: bool = False    # its IOMMU group

    def line(self, kind: str, role: str) -> str:
        words = [kind, role, self.bdf]
        words += [f"bus={self.bus}"] if self.bus else []
        # its frames would be counted, and nobody is to take them
        words += ["stream=none"] if kind == "nic" and role == "other" else []
        return " ".join(words)


class Machine(NamedTuple):
    lines: List[str]
    owners: List[int]   # of each device that is somebody's
    shared: List[int]   # whose devices share a group
    nobodys: List[str]

    @property
    def vms(self) -> int:
        return max(self.owners) + 1


class Story(NamedTuple):
    seed: int
    made: Machine
    mode: str
    old: List[str]
    new: List[str]
    words: List[str]

    @property
    def machine(self) -> List[str]:
        return self.made.lines

    @property
    def vms(self) -> int:
        return self.made.vms

    def length(self) -> int:
        return len(self.old) + len(self.new) + len(self.words)

    def without(self, index: int) -> "Story":
        """One word less."""
        parts = [list(self.old), list(self.new), list(self.words)]
        for part in parts:
            if index < len(part):
                del part[index]
                break
            index -= len(part)
        return self._replace(old=parts[0], new=parts[1], words=parts[2])

    def args(self) -> str:
        lists = {"owners": self.made.owners, "shared": self.made.shared,
                 "nobodys": self.made.nobodys, "old": self.old, "new": self.new}
        given = [f"{key}:" + "+".join(map(str, words)) for key, words in lists.items() if words]
        return ",".join(given + self.words)

    def write_machine(self, path: Path) -> None:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text("\n".join(self.machine) + "\n")

    def case(self, name: str, machine: str) -> Case:
        return Case(name, "chaos", machine + self.mode, self.args(), "plain", "B9,B10,B15,B16", JUDGE, SECONDS)

    def as_row(self, machine: str) -> str:
        case = self.case(f"chaos-{self.seed}", machine)
        return "  ".join((case.name, case.scenario, case.machine, case.args, case.kernel, case.rows,
                          case.judge, str(case.seconds)))


def _switch(port: str, bus: int) -> List[str]:
    """Behind a port, with two ports of its own. Nothing else there is a 'device', which
    are numbered."""
    down = "xio3130-downstream,bus=device0"
    return [f"device other {bus:02x}:00.0 x3130-upstream,bus={port}",
            f"device other {bus + 1:02x}:00.0 {down},chassis=11,slot=11",
            f"device other {bus + 1:02x}:01.0 {down},chassis=12,slot=12"]


def _places(rng: random.Random) -> Tuple[List[str], List[List[Place]]]:
    """Ports and a switch, and where there is room for devices; those in one list share
    an IOMMU group, and go to one VM."""
    ports = list(PORTS[:rng.randrange(len(PORTS) + 1)])
    lines = [f"port rp{n} {addr}.0" for n, addr in enumerate(ports, start=1)]
    room = [[Place(f"{n:02x}:00.0", f"rp{n}")] for n in range(1, len(ports) + 1)]
    room += [[Place(f"00:{addr}.0")] for addr in ROOM_ON_ROOT]
    if ports and rng.random() < 0.15:
        last = len(ports)
        lines += _switch(f"rp{last}", last)
        room[last - 1] = [Place(f"{last + n + 1:02x}:00.0", f"device{n}", True) for n in (1, 2)]
    if rng.random() < 0.15:
        room[-1] = [Place(f"00:{ROOM_ON_ROOT[-1]}.{n}", "", True) for n in (0, 1)]
    rng.shuffle(room)
    return lines, room


def _machine(rng: random.Random) -> Machine:
    lines, room = _places(rng)
    groups = [room.pop() for _ in range(rng.randint(1, 4))]
    vms = rng.randint(1, min(VMS, len(groups)))
    kinds = ("nic", "nvme")
    given = [(number % vms, place) for number, group in enumerate(groups) for place in group]
    lines += [place.line(rng.choice(kinds), "kept") for _, place in given]
    # an empty slot with a second function would not be found
    left = [group[0] for group in room if len(group) == 1]
    nobodys = [place for place in left if rng.random() < 0.25]
    lines += [place.line(rng.choice(kinds), "other") for place in nobodys]
    head = ["# SPDX-License-Identifier: GPL-2.0-only", "from q35-bare",
            "option -global ICH9-LPC.acpi-pci-hotplug-with-bridge-support=off",
            f"cpus {rng.choice((1, 2, 2))}"]
    return Machine(head + lines, [vm for vm, _ in given],
                   sorted({vm for vm, place in given if place.shares}),
                   [place.bdf for place in nobodys])


def _insert(rng: random.Random, words: List[str], *ordered: str) -> None:
    """Somewhere, but one after the other."""
    at = 0
    for word in ordered:
        at = rng.randint(at, len(words))
        words.insert(at, word)
        at += 1


def _events(rng: random.Random, devices: int, most: int) -> List[str]:
    return [rng.choice(EVENTS) + str(rng.randrange(devices)) for _ in range(rng.randrange(most))]


def roll(seed: int) -> Story:
    rng = random.Random(seed)
    machine = _machine(rng)
    devices = len(machine.owners) + len(machine.nobodys)
    old, new = _events(rng, devices, 10), _events(rng, devices, 14)
    for vm in range(machine.vms):
        if rng.random() < 0.9:
            _insert(rng, old, f"P{vm}")
        if rng.random() < 0.2:
            _insert(rng, old, f"P{vm}", f"C{vm}", f"P{vm}")
        if rng.random() < 0.1:
            _insert(rng, old, f"K{vm}")
        _insert(rng, new, *[f"{letter}{vm}" for letter in rng.choice(FATES)])
    for words in (old, new):
        if rng.random() < 0.25:
            _insert(rng, words, f"Y{rng.randrange(len(machine.owners))}")
    some = rng.sample(WORDS, rng.randrange(4))
    return Story(seed, machine, rng.choice(MODES), old, new, some)
