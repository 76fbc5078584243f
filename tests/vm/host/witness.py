# SPDX-License-Identifier: GPL-2.0-only
"""What QEMU itself saw: reads its trace and counts what must not happen.

Lines look like '1234@1795239851.820877:vtd_dmar_enable enable 1', those of newer
QEMUs like '2026-11-21T05:44:11.820877Z vtd_dmar_enable enable 1'; the wall clock
in them is turned into CLOCK_MONOTONIC, the clock of the wire's stamps.
"""

import functools
import re
from datetime import datetime
from pathlib import Path
from typing import Callable, Container, Dict, Iterator, List, NamedTuple, Optional, Tuple

from .base import RigError
from .machine import Machine

LINE = re.compile(r"^(?:\d+@)?(\d+|\d{4}-\d\d-\d\dT[\d:]{8})\.(\d{6})(?::|Z )(\w+) ?(.*)$")
FAULT = re.compile(r"sid 0x([0-9a-f]+) fault (\d+) addr 0x([0-9a-f]+) write (\d)")
CONFIG = re.compile(r"^\S+ ([0-9a-f]{2}):([0-9a-f]{2})\.([0-7]) @0x([0-9a-f]+) <- 0x([0-9a-f]+)")
# QEMU has the two words the other way round than it says
IRTE = re.compile(r"low 0x([0-9a-f]+) high 0x([0-9a-f]+)")
GCMD = re.compile(r"status 0x([0-9a-f]+) value 0x([0-9a-f]+)")
COMPLETION = re.compile(r"cid (\d+) cqid (\d+) .*status 0x([0-9a-f]+)")
# by agreement with the guest; QEMU's trace names the queue, not the drive
KEPT_QUEUE, INTRUDER_QUEUE = 1, 2
ENTRY_SIZE, PAGE = 16, 4096
IRTE_PRESENT = 1

# of AMD-Vi: its control register, and what became of one access
CONTROL = re.compile(r"state 0x([0-9a-f]+)")
REFUSED = re.compile(r"devid: ([0-9a-f]{2}):([0-9a-f]{2})\.([0-7]) gpa 0x([0-9a-f]+) hpa 0x0$")

GCMD_TRANSLATION = 1 << 31
COMMAND, COMMAND_MASTER, COMMAND_INTX_OFF = 4, 1 << 2, 1 << 10
CONTROL_TRANSLATION = 1 << 0
# the event says neither why nor whether something was to be written
REASON_UNKNOWN = 0
# what a guest leaves in the trace, see guest/lib/pci.h; a register of the host bridge
SCRATCHPAD, MARK_FREEZE, MARK_ARM, MARK_POWER_OFF = 0xdc, 0xf0f1, 0xf0f2, 0xf0f3
BAR0, SIZE_OF_BAR = 0x10, 0xffffffff
# QEMU's virtio cards have the ATS capability at 0x100
ATS_CONTROL, ATS_ENABLE = 0x106, 1 << 15


class Fault(NamedTuple):
    ns: int
    source: int
    reason: int
    addr: int
    write: bool


class Failure(NamedTuple):
    """A completion that did not reach memory."""
    ns: int
    addr: int
    source: Optional[int]       # whose, when the IOMMU blocked it
    queue: int                  # of the last completion before

    def concerns(self, queue: int, others: Container[int]) -> bool:
        """Is it one of this queue's, not of those other devices?"""
        return self.queue == queue if self.source is None else self.source not in others


class Trace:
    """One run's trace, as lists of (time, what)."""

    def __init__(self) -> None:
        self.lines = 0
        self.translation: List[Tuple[int, bool]] = []
        self.remapping: List[Tuple[int, bool]] = []    # of interrupts
        self.faults: List[Fault] = []
        # (time, source id, bus master on); only COMMAND writes
        self.commands: List[Tuple[int, int, bool]] = []
        # the same of INTx: may it be raised?
        self.intx: List[Tuple[int, int, bool]] = []
        # interrupts: MSIs as a device raises them, entries as the IOMMU looks them
        # up, (time, source id), and when it found none
        self.raised: List[int] = []
        self.remapped: List[Tuple[int, int]] = []
        self.unmapped: List[int] = []
        # what a guest has marked, (time, which), and when it asks how large a BAR is,
        # which a kernel does when it boots
        self.marks: List[Tuple[int, int]] = []
        self.sized: List[int] = []
        # (time, source id, ATS on)
        self.ats: List[Tuple[int, int, bool]] = []
        # of drives, by the id of their queue: kept ones use KEPT_QUEUE
        self.completions: Dict[int, List[int]] = {}
        self.failed_completions: List[Failure] = []
        self.nvme_starts: List[int] = []
        self.nvme_stops: List[int] = []
        self.nic_resets: List[int] = []
        self._on = False
        self._queue = 0

    def _translation(self, ns: int, on: bool) -> None:
        if on != self._on:
            self._on = on
            self.translation.append((ns, on))

    def vtd_reg_write_gcmd(self, ns: int, text: str) -> None:
        match = GCMD.search(text)
        if match:
            self._translation(ns, bool(int(match[2], 16) & GCMD_TRANSLATION))

    def vtd_dmar_enable(self, ns: int, text: str) -> None:
        self._translation(ns, text.rstrip().endswith("1"))

    def vtd_ir_enable(self, ns: int, text: str) -> None:
        self.remapping.append((ns, text.rstrip().endswith("1")))

    def vtd_dmar_fault(self, ns: int, text: str) -> None:
        match = FAULT.search(text)
        if match:
            self.faults.append(Fault(ns, int(match[1], 16), int(match[2]),
                                     int(match[3], 16), match[4] == "1"))

    def amdvi_control_status(self, ns: int, text: str) -> None:
        match = CONTROL.search(text)
        if match:
            self._translation(ns, bool(int(match[1], 16) & CONTROL_TRANSLATION))

    def amdvi_translation_result(self, ns: int, text: str) -> None:
        match = REFUSED.search(text.rstrip())
        if match:
            bus, dev, func, addr = (int(match[i], 16) for i in range(1, 5))
            self.faults.append(Fault(ns, bus << 8 | dev << 3 | func, REASON_UNKNOWN,
                                     addr, False))

    def pci_cfg_write(self, ns: int, text: str) -> None:
        match = CONFIG.match(text)
        if not match:
            return
        bus, dev, func, register, value = (int(match[i], 16) for i in range(1, 6))
        source = bus << 8 | dev << 3 | func
        if register == COMMAND:
            self.commands.append((ns, source, bool(value & COMMAND_MASTER)))
            self.intx.append((ns, source, not value & COMMAND_INTX_OFF))
        elif register == ATS_CONTROL:
            self.ats.append((ns, source, bool(value & ATS_ENABLE)))
        elif register == SCRATCHPAD and not source:
            self.marks.append((ns, value))
        elif register == BAR0 and value == SIZE_OF_BAR:
            self.sized.append(ns)

    def e1000e_irq_msi_notify(self, ns: int, text: str) -> None:
        self.raised.append(ns)

    e1000e_irq_msix_notify_vec = pci_nvme_irq_msix = e1000e_irq_msi_notify

    def vtd_ir_irte_get(self, ns: int, text: str) -> None:
        match = IRTE.search(text)
        if not match:
            return
        if int(match[2], 16) & IRTE_PRESENT:
            self.remapped.append((ns, int(match[1], 16) & 0xffff))
        else:
            self.unmapped.append(ns)

    def pci_nvme_enqueue_req_completion(self, ns: int, text: str) -> None:
        match = COMPLETION.search(text)
        # queue 0 is the admin queue
        if match and int(match[2]) and not int(match[3], 16):
            self._queue = int(match[2])
            self.completions.setdefault(self._queue, []).append(ns)

    def pci_nvme_err_addr_write(self, ns: int, text: str) -> None:
        """The entry could not be written. The event does not name the drive,
        the IOMMU's fault just before does, if that was the reason."""
        addr = int(text.rpartition("0x")[2], 16)
        last = self.faults[-1] if self.faults else None
        # an entry is written piece by piece, each of which faults
        blocked = last and 0 <= last.addr - addr < ENTRY_SIZE
        self.failed_completions.append(
            Failure(ns, addr, last.source if blocked else None, self._queue))

    def name_failures(self) -> None:
        """Failures without a fault (bus mastering was off) are those of the
        drive that also had one with a fault nearby, in the same queue."""
        known = {f.addr // PAGE: f.source for f in self.failed_completions
                 if f.source is not None}
        self.failed_completions = [
            f._replace(source=known.get(f.addr // PAGE, f.source))
            for f in self.failed_completions]

    def pci_nvme_mmio_start_success(self, ns: int, text: str) -> None:
        self.nvme_starts.append(ns)

    def pci_nvme_mmio_stopped(self, ns: int, text: str) -> None:
        self.nvme_stops.append(ns)

    def e1000e_core_ctrl_sw_reset(self, ns: int, text: str) -> None:
        self.nic_resets.append(ns)


def _handlers(trace: Trace) -> Dict[str, Callable[[int, str], None]]:
    names = [n for n in dir(trace) if n.split("_")[0] in ("vtd", "amdvi", "pci", "e1000e")]
    return {name: getattr(trace, name) for name in names}


@functools.lru_cache
def _seconds(text: str) -> int:
    """Since 1970, of a number or a date. There are many lines to a second."""
    return int(text) if text.isdigit() else int(datetime.fromisoformat(text + "+00:00").timestamp())


def parse(lines: Iterator[str], offset_ns: int = 0) -> Trace:
    trace = Trace()
    handlers = _handlers(trace)
    for line in lines:
        match = LINE.match(line)
        if not match:
            continue
        trace.lines += 1
        handler = handlers.get(match[3])
        if handler:
            wall = _seconds(match[1]) * 1_000_000_000 + int(match[2]) * 1000
            handler(wall + offset_ns, match[4])
    trace.name_failures()
    return trace


def read(path: Path, offset_ns: int) -> Trace:
    try:
        with open(path, errors="replace") as lines:
            trace = parse(lines, offset_ns)
    except OSError as err:
        raise RigError(f"QEMU's trace cannot be read: {err.strerror}") from None
    if not trace.lines:
        raise RigError("QEMU's trace is empty")
    return trace


class Testimony(NamedTuple):
    """The counts a verdict is made of."""
    translation_seen: bool
    translation_off: int        # times it went off after first being on
    faults_kept: int
    faults_intruder: int        # from freeze on
    faults_other: int
    first_fault: str
    bus_master_off: List[str]   # devices and bridges that lost it in the gap
    ats_off: List[str]          # devices that lost it then
    untranslated: List[str]     # were bus masters when translation went off
    remapping_off: int          # times interrupt remapping went off
    unremapped: List[str]       # were bus masters then


def _name(source: int) -> str:
    return f"{source >> 8:02x}:{source >> 3 & 31:02x}.{source & 7}"


class Span(NamedTuple):
    """The moments a testimony is about; None where a run never got there."""
    ready: Optional[int] = None
    gaps: List[Tuple[int, Optional[int]]] = []  # each freeze and the next owner
    unbound: Optional[int] = None
    end: Optional[int] = None


def _lost(switched: List[Tuple[int, int, bool]], guarded: Dict[int, str],
          span: Span) -> List[str]:
    return sorted({guarded[source] for ns, source, on in switched
                   if source in guarded and not on
                   and any(start <= ns and (end is None or ns < end)
                           for start, end in span.gaps)})


def _marked(trace: Trace, mark: int) -> Optional[int]:
    return next((ns for ns, value in trace.marks if value == mark), None)


def _translation_offs(trace: Trace) -> List[int]:
    """When it went off. Powering off does that too, so the last time is left out when it
    comes after the guest has marked that and for good. What the guest says on the wire
    would be too coarse: its stamp is as late as the host is slow."""
    offs = [ns for ns, on in trace.translation if not on]
    for_good = trace.translation and not trace.translation[-1][1]
    end = _marked(trace, MARK_POWER_OFF)
    if for_good and end is not None and offs[-1] > end:
        offs.pop()
    return offs


def _masters_at(trace: Trace, machine: Machine, offs: List[int]) -> List[str]:
    found = set()
    for moment in offs:
        masters = {source: on for ns, source, on in trace.commands if ns < moment}
        found.update(name for source, name in {**machine.kept_sources(),
                                               **machine.intruder_sources()}.items()
                     if masters.get(source))
    return sorted(found)


class Interrupts(NamedTuple):
    before: int                 # messages of devices up to the jump
    raised: int                 # and from there until somebody has armed them again
    passed: int                 # those of them that the IOMMU let through
    after: int
    blocked: int                # requests of which the IOMMU knew nothing
    intx: List[str]             # devices that could raise INTx at the jump


def interrupts(trace: Trace, kept: Dict[int, str], heard: Optional[int]) -> Optional[Interrupts]:
    """Of a machine that traces them; None if nobody has armed any in a new kernel. All
    moments but one are the trace's own, as what the host hears by other ways comes late.
    Devices have been shut down when the old kernel has written for the last time to what
    they obey. The IOMMU lets none through only when that has but one CPU left: it is
    over at the first it blocks, or at the latest when the new kernel is HEARD."""
    freeze, armed = _marked(trace, MARK_FREEZE), _marked(trace, MARK_ARM)
    if freeze is None or armed is None:
        return None
    boot = min((ns for ns in trace.sized if freeze <= ns), default=armed)
    jump = max((ns for ns, source, _ in trace.commands if source in kept and freeze <= ns < boot),
               default=freeze)
    closed = min([ns for ns in trace.unmapped if ns >= jump] + [boot if heard is None else heard])
    off = {source: not on for ns, source, on in trace.intx if ns <= jump}
    passed = [ns for ns, source in trace.remapped if source in kept and closed <= ns < armed]
    return Interrupts(sum(ns < jump for ns in trace.raised),
                      sum(jump <= ns < armed for ns in trace.raised), len(passed),
                      sum(ns >= armed for ns in trace.raised), len(trace.unmapped),
                      sorted(name for source, name in kept.items() if not off.get(source)))


def testify(trace: Trace, machine: Machine, span: Span) -> Testimony:
    kept, intruders = machine.kept_sources(), machine.intruder_sources()
    end = span.unbound or span.end or 1 << 63
    bad = [f for f in trace.faults
           if f.source in kept and (span.ready or 0) <= f.ns < end]
    blocked = [f for f in trace.faults
               if f.source in intruders and span.gaps and f.ns >= span.gaps[0][0]]
    other = [f for f in trace.faults if f.source not in kept and f.source not in intruders]
    told = ""
    if bad:
        told = (f"{_name(bad[0].source)} {'write' if bad[0].write else 'read'} at "
                f"0x{bad[0].addr:x}, reason {bad[0].reason}")
    offs = _translation_offs(trace)
    unremapped = [ns for ns, on in trace.remapping if not on]
    return Testimony(any(on for _, on in trace.translation), len(offs),
                     len(bad), len(blocked), len(other), told,
                     _lost(trace.commands, machine.guarded_sources(), span),
                     _lost(trace.ats, {d.source_id: d.bdf for d in machine.by_role("kept")
                                       if d.ats}, span),
                     _masters_at(trace, machine, offs), len(unremapped),
                     _masters_at(trace, machine, unremapped))
