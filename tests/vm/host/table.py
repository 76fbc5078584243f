# SPDX-License-Identifier: GPL-2.0-only
"""Looks at AMD-Vi's device table from outside while no owner is there.

From freeze to the next owner, now and then, the rig reads with its own hands where
the unit says that the table is, and in it the entries of the devices it knows. An
entry that is not valid lets everything pass, which QEMU's trace does not show.
"""

from typing import Dict, List

from .base import plural
from .machine import Machine
from .qemu import Hands

REGISTERS, CONTROL = 0xFED80000, 0x18
ENTRY_SIZE, ADDRESS = 32, 0xFFFFFFFFFF000
VALID, TRANSLATED = 1 << 0, 1 << 1
PAUSE_S = 0.05


class Table:
    """What was seen of it in one run."""

    def __init__(self, machine: Machine, hands: Hands):
        self.there = machine.unit.startswith("amd-iommu")
        self.hands = hands
        self.kept = machine.kept_sources()
        self.names = {**self.kept, **machine.intruder_sources()}
        self.watching = False
        self.looks = 0
        self.invalid: Dict[str, int] = {}
        self.changed: Dict[str, int] = {}
        self._first: Dict[int, int] = {}

    def event(self, name: str) -> None:
        """Of the guest: when to begin and when to end."""
        if name == "freeze" and self.there:
            self.watching, self._first = True, {}
        elif name.startswith("owner-"):
            self.watching = False

    def look(self) -> None:
        control = self.hands.quad(REGISTERS + CONTROL)
        base = self.hands.quad(REGISTERS)
        if control is None or not control & 1 or not base:
            return
        self.looks += 1
        for source, name in self.names.items():
            entry = self.hands.quad((base & ADDRESS) + ENTRY_SIZE * source)
            if entry is None:
                continue
            if not entry & VALID:
                self.invalid[name] = self.invalid.get(name, 0) + 1
            if source in self.kept and entry != self._first.setdefault(source, entry):
                self.changed[name] = self.changed.get(name, 0) + 1

    def invalid_said(self) -> List[str]:
        unread = ["the device table could not be read any more"] if (
            self.there and self.hands.lost) else []
        return unread + [
            f"the device table entry of {name} was not valid in {plural(n, 'look')} of "
            f"{self.looks}: everything passes" for name, n in sorted(self.invalid.items())]

    def changed_said(self) -> List[str]:
        return [f"the device table entry of {name} was changed in the gap"
                for name in sorted(self.changed)]
