# SPDX-License-Identifier: GPL-2.0-only
"""Random machines, and what happens to them: a seed makes one story, always the
same. guest/scenarios/chaos.c says what the words mean."""

import random
from pathlib import Path
from typing import List, NamedTuple

from .cases import Case

PORTS = ("02", "03", "06")
ROOM_ON_ROOT = ("04", "05", "08", "09")
VMS = 3
# Whose IOMMU, and how it translates; '' is VT-d in legacy mode.
MODES = ("", "", "+scalable", "+first-stage", "+amd")
# What is done to a device, with how often beside the others.
EVENTS = "meedrRHDtwwbBuonzischs"
JUDGE = "dma-translation-remapping-faults-frames-master"
SECONDS = 300
# Of the first kernel, and of the next ones.
WORDS = ("+iommu=pt", "+iommu.strict=1", "+pcie_ports=compat", "+nokaslr",
         ">pci=assign-busses", ">pci=hpbussize=2", ">pci=hpbussize=4", ">pci=realloc",
         ">pci=hpmemsize=64M", ">pci=noari", ">pci=disable_acs_redir=pci:1b36:000c",
         ">iommu=pt", ">iommu.strict=1", ">pcie_ports=compat", ">maxcpus=1", ">no5lvl",
         ">pcie_aspm=off", ">nokaslr", ">pci=pcie_bus_safe", ">pci=noaer")


class Story(NamedTuple):
    seed: int
    machine: List[str]
    mode: str
    vms: int
    old: List[str]
    new: List[str]
    words: List[str]

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
        given = [f"vms:{self.vms}"]
        given += ["old:" + "+".join(self.old)] if self.old else []
        given += ["new:" + "+".join(self.new)] if self.new else []
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


def _machine(rng: random.Random) -> List[str]:
    lines = ["# SPDX-License-Identifier: GPL-2.0-only", "from    q35-bare",
             "option  -global ICH9-LPC.acpi-pci-hotplug-with-bridge-support=off",
             f"cpus    {rng.choice((1, 2, 2))}"]
    ports = list(PORTS[:rng.randrange(len(PORTS) + 1)])
    lines += [f"port    rp{n} {addr}.0" for n, addr in enumerate(ports, start=1)]
    places = [(f"{n:02x}:00.0", f" bus=rp{n}") for n in range(1, len(ports) + 1)]
    places += [(f"00:{addr}.0", "") for addr in ROOM_ON_ROOT]
    rng.shuffle(places)
    for place, bus in places[:rng.randint(1, 4)]:
        lines.append(f"{rng.choice(('nic', 'nvme'))}  kept  {place}{bus}")
    return lines


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
    devices = sum("  kept  " in line for line in machine)
    vms = rng.randint(1, min(VMS, devices))
    old, new = _events(rng, devices, 10), _events(rng, devices, 14)
    for vm in range(vms):
        if rng.random() < 0.9:
            _insert(rng, old, f"P{vm}")
        if rng.random() < 0.2:
            _insert(rng, old, f"P{vm}", f"C{vm}", f"P{vm}")
        if rng.random() < 0.85:
            _insert(rng, new, *[f"T{vm}", f"S{vm}"][:rng.choice((1, 2, 2, 2))])
    for words in (old, new):
        if rng.random() < 0.25:
            _insert(rng, words, f"Y{rng.randrange(devices)}")
    some = rng.sample(WORDS, rng.randrange(4))
    return Story(seed, machine, rng.choice(MODES), vms, old, new, some)
