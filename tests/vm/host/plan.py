# SPDX-License-Identifier: GPL-2.0-only
"""Which tests of 'make test-all' continuous integration runs, and in which order.

What a change touches comes first (tests/vm/areas), then the turn of the commit,
then the other turns. There are five turns, and the commit's number decides: any
five commits in a row have run every row. By the hash alone no rule can give this
for any five commits, as all of five hashes may fall into one turn; it is what is
left where a shallow clone has no numbers.

tests/vm/costs has what each row takes, in seconds, and what the kernels take to
build. Rows are named as the tests are; on a kernel that watches itself they end
in @debug. The rig writes it: tests/vm/run --learn.
"""

import fnmatch
import re
import subprocess
from pathlib import Path
from typing import Dict, FrozenSet, Iterable, List, NamedTuple, Optional, Set, Tuple

from . import cases, machine
from .base import ROOT, VM_DIR, RigError
from .cases import Case

TURNS = 5
AREAS = VM_DIR / "areas"
COSTS = VM_DIR / "costs"
MUTANTS = ROOT / "tests/mutants"
SCENARIOS = "tests/vm/guest/scenarios/"
# built for 'make test' already
THERE = frozenset(("lu", "stock", "mutate"))
MODULAR = frozenset(("modules", "distro"))
MUTANT_S, BUILD_S = 120.0, 600.0
# how long after the end what has been started may go on
GRACE_S = 120
FEATURE = re.compile(r"^[A-Z]\d+$")


class Row(NamedTuple):
    name: str                   # of a test, or mutant/NAME
    cost: float
    needs: FrozenSet[str]       # kernels that 'make test' has not built
    features: FrozenSet[str] = frozenset()
    case: Optional[Case] = None


def debugged(case: Case) -> bool:
    """Does 'make test-all' run it on the kernel that watches itself?"""
    return case.runs("lu") and case.verdict_by != "twin"


def needs(case: Case) -> FrozenSet[str]:
    """The kernels it takes in 'make test-all', as kernel/ktree names them."""
    if case.verdict_by == "twin":
        return frozenset(("selftest", "selftest-stock"))
    names = {"debug" if name == "lu" else "lu" if name == "plain" else name
             for name in (case.kernel, *case.next_kernels)}
    return frozenset(names) - THERE


def key(case: Case) -> str:
    return case.name + ("@debug" if debugged(case) else "")


# costs

def load_costs(path: Path = COSTS) -> Dict[str, float]:
    try:
        lines = path.read_text().splitlines()
        words = (line.split() for line in lines if line.strip() and line[0] != "#")
        return {name: float(seconds) for name, seconds in words}
    except (OSError, ValueError) as err:
        raise RigError(f"{path.name} cannot be read: {err}.") from None


def save_costs(found: Dict[str, float], path: Path = COSTS) -> None:
    """Writes what was measured over what was known; the head stays."""
    costs = {**load_costs(path), **found}
    head = [line for line in path.read_text().splitlines() if line.startswith("#")]
    lines = [f"{name:<28} {costs[name]:.0f}" for name in sorted(costs)]
    path.write_text("\n".join(head + lines) + "\n")


def cost_of(case: Case, name: str, costs: Dict[str, float]) -> float:
    """What is not known is taken for a third of what it may take."""
    slow = 3 if name.endswith("@debug") else 1
    return costs.get(name, case.seconds / 3 * slow)


# rows

def rows(costs: Dict[str, float]) -> List[Row]:
    """All of 'make test-all'."""
    found = [Row(case.name, cost_of(case, key(case), costs), needs(case),
                 frozenset(case.rows.split(",")), case)
             for case in cases.load_both().values() if case.patient or case.runs("lu")]
    for path in sorted(MUTANTS.glob("*.patch")):
        name = f"mutant/{path.stem}"
        found.append(Row(name, costs.get(name, MUTANT_S), needs_of_mutant(path)))
    return found


def needs_of_mutant(path: Path) -> FrozenSet[str]:
    """The kernel of the test that catches it, if that has modules."""
    caught_by = re.search(r"^Caught-by: ([^:\n]+)", path.read_text(), re.M)
    case = cases.load_both().get(caught_by[1]) if caught_by else None
    return frozenset({case.kernel} & MODULAR) if case else frozenset()


def turns(every: Iterable[Row], costs: Dict[str, float]) -> Dict[str, int]:
    """The turn of each row. All take about as long, with the kernels that have to
    be built for them: what needs the same ones stays together."""
    load = [0.0] * TURNS
    built: List[Set[str]] = [set() for _ in load]
    found = {}

    def after(turn: int, row: Row) -> float:
        new = row.needs - built[turn]
        return load[turn] + row.cost + sum(build_cost(name, costs) for name in new)

    for row in sorted(every, key=lambda row: (-len(row.needs), sorted(row.needs), -row.cost,
                                              row.name)):
        turn = min(range(TURNS), key=lambda turn: (after(turn, row), turn))
        load[turn] = after(turn, row)
        built[turn] |= row.needs
        found[row.name] = turn
    return found


def build_cost(kernel: str, costs: Dict[str, float]) -> float:
    return costs.get(f"kernel/{kernel}", BUILD_S)


# what a change touches

def load_areas(path: Path = AREAS) -> List[Tuple[str, List[str]]]:
    lines = (line.split("#")[0].split() for line in path.read_text().splitlines())
    return [(words[0], words[1:]) for words in lines if words]


def scenarios_in(path: Path) -> Set[str]:
    """The names of the scenarios that a file has."""
    try:
        return set(re.findall(r'\.name = "([\w.-]+)"', path.read_text()))
    except OSError:
        return set()


def machines_from(name: str) -> Set[str]:
    """A machine and those that are built on it."""
    found = {name}
    for path in machine.MACHINES.iterdir():
        if re.search(rf"^from\s+{re.escape(name)}$", path.read_text(), re.M):
            found |= machines_from(path.name)
    return found


def itself(path: str, row: Row) -> bool:
    """Is the row about this very file?"""
    name = Path(path).name
    if path.startswith("tests/mutants/") and path.endswith(".patch"):
        return row.name == f"mutant/{Path(path).stem}"
    if row.case and path.startswith(SCENARIOS):
        return row.case.scenario in scenarios_in(ROOT / path)
    if row.case and path.startswith("tests/vm/machines/"):
        return row.case.machine.split("+")[0] in machines_from(name)
    if row.case and path.startswith("tests/vm/modes/"):
        return name in row.case.machine.split("+")[1:]
    return False


def meant(word: str, row: Row) -> bool:
    if FEATURE.match(word):
        return word in row.features
    return fnmatch.fnmatchcase(row.name, word)


def touched(paths: List[str], every: List[Row]) -> List[Row]:
    """The tests of the very files first, then those of their areas."""
    first = [row for row in every if any(itself(path, row) for path in paths)]
    words = {word for pattern, words in load_areas() for word in words
             if any(fnmatch.fnmatchcase(path, pattern) for path in paths)}
    return first + [row for row in every
                    if row not in first and any(meant(word, row) for word in words)]


# the commit

def git(*words: str) -> str:
    done = subprocess.run(["git", "-C", str(ROOT), *words], text=True, check=False,
                          stdout=subprocess.PIPE, stderr=subprocess.DEVNULL)
    return done.stdout.strip() if done.returncode == 0 else ""


def changed(since: str = "") -> Tuple[str, List[str]]:
    """The commit that this one is compared to, and the paths that differ: where the
    branch left main, or the commit before."""
    head = git("rev-parse", "HEAD")
    base = since or git("merge-base", "HEAD", "origin/main")
    if not since and base in ("", head):
        base = git("rev-parse", "--verify", "-q", "HEAD~1")
    paths = git("diff", "--name-only", base).splitlines() if base else []
    return base, paths


def turn_of_commit(given: str = "") -> Tuple[int, str]:
    if given:
        return int(given) % TURNS, "as it was asked for"
    head = git("rev-parse", "HEAD")
    if head and git("rev-parse", "--is-shallow-repository") == "false":
        number = int(git("rev-list", "--count", "HEAD"))
        return number % TURNS, f"commit number {number}"
    if head:
        return int(head, 16) % TURNS, "by the hash, the history is not here"
    return 0, "there is no commit"


def order(every: List[Row], first: List[Row], turn: int, of: Dict[str, int]) -> List[List[Row]]:
    """Parts to be run one after another."""
    rest = [row for row in every if row not in first]
    parts = [first] + [[row for row in rest if of[row.name] == (turn + i) % TURNS]
                       for i in range(TURNS)]
    return [part for part in parts if part]


class Pace:
    """How much longer than expected everything takes on this machine, so far."""

    # what is believed before anything was seen, in seconds of tests
    BELIEF = 120.0

    def __init__(self, pace: float = 1.0):
        self.expected, self.took = self.BELIEF, self.BELIEF * pace

    def saw(self, expected: float, took: float) -> None:
        self.expected += expected
        self.took += took

    @property
    def factor(self) -> float:
        return self.took / self.expected

    def fits(self, cost: float, left: float) -> bool:
        return cost * self.factor <= left
