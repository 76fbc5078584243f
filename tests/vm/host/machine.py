# SPDX-License-Identifier: GPL-2.0-only
"""Machine files: which devices are where, and who owns them.

One statement per line, '#' starts a comment:

    from NAME                      everything NAME says, then what follows
    qemu PROGRAM                   the emulator; 'newer' is one that is at least of the
                                   version that tests/vm/newer-qemu names: the system's, or
                                   else one that is fetched and unpacked beside it
    memory SIZE / cpus N           -m and -smp
    accel TEXT                     how the CPUs are emulated; the last one counts
    unit QEMU-SPEC                 the IOMMU, if there is one; the last one counts
    option TEXT...                 passed to QEMU as it stands
    append TEXT...                 added to the kernel command line
    port ID ADDR [QEMU-PROPERTIES] a PCIe root port on the root bus
    nic ROLE BDF [bus=ID] [stream=N|none]
    vnet ROLE BDF [bus=ID] [stream=N|none] [ats] [pf=BDF]
    nvme ROLE BDF [bus=ID] [iops=N] [writable]
    disk ROLE BDF [bus=ID]         a virtio disk, for its native driver
    device ROLE BDF QEMU-SPEC      anything else
    interrupts                     QEMU's trace says of each interrupt that a device
                                   raises, and the verdict depends on it
    iommu NAME                     text for reports

nic is an e1000e card, vnet a virtio one; both receive frames. With ats it asks
for translations ahead and keeps them: that takes a root port above it, as QEMU
makes a PCI Express device of it only there, and
"option -global intel-iommu.device-iotlb=on". With pf it is a virtual function of
the vnet there, which comes into being when the first kernel asks for it. What is nic or
nvme may be several functions of one slot, of which none can be found without the first.

ROLE is kept, intruder or other. BDF is where the guest sees the device; behind
a root port the bus number is the one the firmware hands out.

What is written to a writable nvme lasts as long as the run.

NAME+MODE is the machine NAME with what tests/vm/modes/MODE says after it: the
same devices behind an IOMMU of another kind.
"""

import re
import shlex
from collections import Counter
from pathlib import Path
from typing import Dict, List, NamedTuple, Optional

from .base import VM_DIR, RigError

MACHINES = VM_DIR / "machines"
MODES = VM_DIR / "modes"
ROLES = ("kept", "intruder", "other")
# What receives frames, and in which share of them. Slots have to last for a
# black-out, as nothing is written once they are full: the ring of an e1000e has
# 16,384, for 13 seconds at the usual rate, a queue of a virtio card only 1,024,
# for 10 seconds at a twelfth of it.
CARDS = {"nic": 1, "vnet": 12}
BDF = re.compile(r"^([0-9a-f]{2}):([0-9a-f]{2})\.([0-7])$")


class Device(NamedTuple):
    kind: str
    role: str
    bdf: str
    ident: str                  # the id QEMU knows it by
    bus: str
    stream: Optional[int] = None
    iops: int = 100
    spec: str = ""
    ats: bool = False
    pf: str = ""                # the physical function of a virtual one
    writable: bool = False

    @property
    def every(self) -> int:
        """It gets one in so many of the frames that are due."""
        return CARDS[self.kind]

    @property
    def addr(self) -> str:
        return self.bdf[3:]

    @property
    def source_id(self) -> int:
        return source_id(self.bdf)


class Port(NamedTuple):
    ident: str
    addr: str
    more: str = ""

    @property
    def source_id(self) -> int:
        return source_id("00:" + self.addr)


def source_id(bdf: str) -> int:
    match = BDF.match(bdf)
    if not match:
        raise RigError(f"'{bdf}' is not a PCI address like 00:04.0.")
    bus, dev, func = (int(part, 16) for part in match.groups())
    return bus << 8 | dev << 3 | func


class Machine:
    def __init__(self, name: str):
        self.name = name
        self.qemu = "qemu-system-x86_64"
        self.memory = "2G"
        self.accel = "tcg"
        self.cpus = 2
        self.iommu = "none"
        self.interrupts = False
        self.unit = ""
        self.options: List[str] = []
        self.append: List[str] = []
        self.ports: List[Port] = []
        self.devices: List[Device] = []

    def by_role(self, role: str) -> List[Device]:
        return [d for d in self.devices if d.role == role]

    def streams(self) -> Dict[int, Device]:
        return {d.stream: d for d in self.devices if d.stream is not None}

    def kept_sources(self) -> Dict[int, str]:
        return {d.source_id: d.bdf for d in self.by_role("kept")}

    def intruder_sources(self) -> Dict[int, str]:
        return {d.source_id: d.bdf for d in self.by_role("intruder")}

    def virtual_functions(self) -> Dict[str, int]:
        """How many each physical function is to have."""
        return Counter(d.pf for d in self.devices if d.pf)

    def guarded_sources(self) -> Dict[int, str]:
        """Kept devices and the bridges above them: bus mastering must stay on."""
        found = self.kept_sources()
        bridges = {p.ident: ("00:" + p.addr, "") for p in self.ports}
        bridges.update({d.ident: (d.bdf, d.bus) for d in self.devices})
        for device in self.by_role("kept"):
            bus = device.bus
            while bus in bridges:
                bdf, bus = bridges[bus]
                found[source_id(bdf)] = bdf
        return found

    def _next_stream(self, role: str) -> int:
        taken = set(self.streams())
        if role == "intruder":
            return 1
        return next(n for n in range(len(taken) + 3) if n != 1 and n not in taken)

    def add_device(self, kind: str, words: List[str]) -> None:
        if len(words) < 2:
            raise ValueError("a role and an address are needed")
        role, bdf, rest = words[0], words[1], words[2:]
        if role not in ROLES:
            raise ValueError(f"the role '{role}' is none of {', '.join(ROLES)}")
        source_id(bdf)
        ident = f"{kind}{sum(d.kind == kind for d in self.devices)}"
        if kind == "device":
            spec = " ".join(rest)
            bus = next((word[4:] for word in spec.split(",") if word.startswith("bus=")), "pcie.0")
            self.devices.append(Device(kind, role, bdf, ident, bus, spec=spec))
            return
        flags = {"vnet": "ats", "nvme": "writable"}
        flag = flags.get(kind) in rest
        if flag:
            rest.remove(flags[kind])
        given = dict(word.split("=", 1) for word in rest)
        stream = None
        if kind in CARDS and given.get("stream") != "none":
            stream = int(given["stream"]) if "stream" in given else self._next_stream(role)
        self.devices.append(Device(kind, role, bdf, ident, given.get("bus", "pcie.0"),
                                   stream, int(given.get("iops", "100")),
                                   ats=flag and kind == "vnet", pf=given.get("pf", ""),
                                   writable=flag and kind == "nvme"))

    def for_debug(self) -> None:
        """Room for KASAN's shadow. What the kernel reserves for the next one by
        itself follows what it uses at boot, and is more than there is. Reads
        have to last as long as the blackout."""
        self.memory = f"{int(self.memory.rstrip('G')) + 1}G"
        self.append.append("kho_scratch=16M,640M,16M")
        # While identify_cpu() of 7.3 counts features anew there are four levels
        # for KASAN: it calls what an interrupt then touches wild.
        self.append.append("no5lvl")
        self.devices = [d._replace(iops=max(10, d.iops // 4)) for d in self.devices]

    def statement(self, verb: str, words: List[str]) -> None:
        if verb in ("qemu", "memory", "accel", "iommu", "unit"):
            setattr(self, verb, " ".join(words))
        elif verb == "cpus":
            self.cpus = int(words[0])
        elif verb == "interrupts":
            self.interrupts = True
        elif verb == "option":
            self.options += words
        elif verb == "append":
            self.append += words
        elif verb == "port":
            self.ports.append(Port(words[0], words[1], "".join("," + w for w in words[2:])))
        elif verb in (*CARDS, "nvme", "disk", "device"):
            self.add_device(verb, words)
        elif verb == "from":
            self.read(MACHINES / words[0])
        else:
            raise ValueError(f"unknown word '{verb}'")

    def read(self, path: Path) -> None:
        try:
            lines = path.read_text().splitlines()
        except OSError:
            names = ", ".join(sorted(p.name for p in path.parent.iterdir()))
            raise RigError(f"There is no {path.parent.name[:-1]} '{path.name}'; "
                           f"there are: {names}.") from None
        for number, line in enumerate(lines, start=1):
            words = shlex.split(line, comments=True)
            if not words:
                continue
            try:
                self.statement(words[0], words[1:])
            except (ValueError, IndexError) as err:
                raise RigError(f"{path.parent.name}/{path.name} line {number}: "
                               f"{err}.") from None


def files_of(name: str) -> List[Path]:
    base, *modes = name.split("+")
    return [MACHINES / base, *(MODES / mode for mode in modes)]


def load(name: str) -> Machine:
    machine = Machine(name)
    for path in files_of(name):
        machine.read(path)
    return machine
