# SPDX-License-Identifier: GPL-2.0-only
"""Reads the tables of tests: tests/vm/cases is what everybody runs, tests/vm/cases-all
what takes patience, tests/vm/selftest/cases the rig's own.

Columns: name, scenario, machine, args, kernel, rows, judge, seconds. '-' is
nothing. args is a list k:v,k:v for the scenario; +word adds a word to the
kernel's command line, >word to that of the next kernels only, and >-word takes
one from there (all of word=..., too); tools:NAME+NAME takes programs for user
space along, see host/tools.py. kernel is what the machine starts with;
A>B is A that finds B to jump into, and A>B,C finds C as well, as /bzImage-C.
mutate is lu that can also break what it hands over, selftest is lu that can make
its own calls fail; modules is lu with iommufd and vfio-pci as modules, distro one
with a distribution's configuration; plain is lu even where the others run on a
kernel for debugging. old-NAME is lu as it once was, see the table old-kernels.
judge says what the verdict is made of besides the guest's own word:

    dma      all witnesses (the default for a run with devices)
    plain    the guest's word and the console only
    demo     dma, and the demo's own limits
    stops    a negative control: passes when the transfers stop
    loses    a negative control: passes when frames get lost
    twin     the guest's word must be the same on the kernel without our options,
             which is run first; what fails or is left out on both is counted as
             skipped

A judge may be followed by exceptions: dma-translation, dma-remapping (of
interrupts), dma-faults, dma-frames, dma-master leave that witness out. Where one of
the first two may go off, no device of the rig may be a bus master then.
"""

import re
from pathlib import Path
from typing import Dict, List, NamedTuple, Set, Tuple

from . import old
from .base import VM_DIR, RigError
from .machine import files_of

TABLE = VM_DIR / "cases"
PATIENT_TABLE = VM_DIR / "cases-all"
KERNELS = ("lu", "plain", "stock", "mutate", "selftest", "modules", "distro")
JUDGES = ("dma", "plain", "demo", "stops", "loses", "twin")
NO_WITNESSES = ("plain", "twin")
CONTROLS = ("stops", "loses")
WITNESSES = ("translation", "remapping", "faults", "frames", "master")
DEFAULT_MACHINE = "q35-intel"
DEFAULT_SECONDS = 120


class Case(NamedTuple):
    name: str
    scenario: str
    machine: str = DEFAULT_MACHINE
    args: str = ""
    kernel: str = "lu"
    rows: str = ""
    judge: str = "dma"
    seconds: int = DEFAULT_SECONDS
    sabotage: str = ""          # selftest only: what the rig breaks on purpose
    expect: str = ""            # selftest only: the reason it must give
    patient: bool = False       # from cases-all
    next_kernels: Tuple[str, ...] = ()  # none: the same kernel again

    @property
    def verdict_by(self) -> str:
        return self.judge.split("-")[0]

    @property
    def control(self) -> bool:
        return self.verdict_by in CONTROLS

    def runs(self, kernel: str) -> bool:
        return kernel in (self.kernel, *self.next_kernels)

    @property
    def witnessed(self) -> bool:
        return not self.control and self.verdict_by not in NO_WITNESSES

    def witnesses(self) -> Set[str]:
        return set(WITNESSES) - set(self.judge.split("-")[1:]) if self.witnessed else set()


def check_judge(judge: str) -> str:
    head, *less = judge.split("-")
    if head not in JUDGES or not set(less) <= set(WITNESSES):
        raise ValueError(f"unknown judge '{judge}'")
    return judge


def _row(words: List[str]) -> Case:
    if len(words) != 8:
        raise ValueError(f"8 columns are needed, there are {len(words)}")
    name, scenario, machine, args, kernel, rows, judge, seconds = (
        "" if word == "-" else word for word in words)
    kernel, more, after = kernel.partition(">")
    next_kernels = tuple(after.split(",")) if more else ()
    for one in (kernel, *next_kernels):
        if one not in KERNELS and not old.is_old(one):
            raise ValueError(f"the kernel '{one}' is none of "
                             f"{', '.join((*KERNELS, *old.load()))}")
    if not all(path.is_file() for path in files_of(machine or DEFAULT_MACHINE)):
        raise ValueError(f"there is no machine '{machine}'")
    return Case(name, scenario or name, machine or DEFAULT_MACHINE, args, kernel, rows,
                check_judge(judge or "dma"), int(seconds or DEFAULT_SECONDS),
                next_kernels=next_kernels)


def parse(text: str, where: str) -> Dict[str, Case]:
    table: Dict[str, Case] = {}
    for number, line in enumerate(text.splitlines(), start=1):
        words = line.split("#")[0].split()
        if not words:
            continue
        try:
            case = _row(words)
        except ValueError as err:
            raise RigError(f"{where} line {number}: {err}.") from None
        if case.name in table:
            raise RigError(f"{where} line {number}: '{case.name}' is there twice.")
        table[case.name] = case
    return table


def load(path: Path = TABLE) -> Dict[str, Case]:
    try:
        return parse(path.read_text(), path.name)
    except OSError as err:
        raise RigError(f"The table of tests {path} cannot be read: {err.strerror}.") from None


def load_both() -> Dict[str, Case]:
    table = load()
    for name, case in load(PATIENT_TABLE).items():
        if name in table:
            raise RigError(f"The test '{name}' is in both tables.")
        table[name] = case._replace(patient=True)
    return table


SPEC = re.compile(r"^(?P<scenario>[\w.-]+)(?:@(?P<machine>[\w.+-]+))?(?P<args>(?::[^:\s]+)*)$")


def _join(args: str, given: List[str]) -> str:
    """A key that is given takes the place of the table's."""
    keys = {word.split(":")[0] for word in given if not word.startswith("+")}
    return ",".join([word for word in args.split(",")
                     if word and word.split(":")[0] not in keys] + given)


def from_spec(spec: str, table: Dict[str, Case]) -> Case:
    """NAME of the table, or SCENARIO[@MACHINE][:k=v]... for something else. The
    keys judge and seconds stand for those columns."""
    if spec in table:
        return table[spec]
    match = SPEC.match(spec)
    if not match:
        raise RigError(f"'{spec}' is not SCENARIO[@MACHINE][:key=value]...")
    base = table.get(match["scenario"]) or Case(match["scenario"], match["scenario"])
    given = [word if word[0] in "+>" else word.replace("=", ":", 1)
             for word in match["args"].split(":") if word]
    columns = dict(word.split(":") for word in given
                   if re.match(r"judge:[\w-]+$|seconds:\d+$", word))
    given = [word for word in given if word.split(":")[0] not in columns]
    try:
        judge = check_judge(columns.get("judge", base.judge))
    except ValueError as err:
        raise RigError(f"'{spec}': {err}.") from None
    name = re.sub(r"[^\w.-]+", "-", spec)
    return base._replace(name=name, args=_join(base.args, given), judge=judge,
                         seconds=int(columns.get("seconds", base.seconds)),
                         machine=match["machine"] or base.machine)
