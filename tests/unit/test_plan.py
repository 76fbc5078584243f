# SPDX-License-Identifier: GPL-2.0-only
"""What continuous integration runs of 'make test-all', and in which order."""

import importlib.machinery
import importlib.util
import shutil
import sys
import tempfile
import time
import unittest
from pathlib import Path
from unittest import mock

from project import ROOT

sys.path.insert(0, str(ROOT / "tests/vm"))
from host import base, cases, old, plan  # noqa: E402

COSTS = plan.load_costs()
ROWS = plan.rows(COSTS)
BY_NAME = {row.name: row for row in ROWS}


def load_in_time():
    loader = importlib.machinery.SourceFileLoader("in_time", str(ROOT / "tests/in-time"))
    module = importlib.util.module_from_spec(importlib.util.spec_from_loader("in_time", loader))
    loader.exec_module(module)
    return module


class Rows(unittest.TestCase):
    def test_all_of_test_all(self):
        table = cases.load_both().values()
        want = {case.name for case in table if case.patient or case.runs("lu")}
        want |= {f"mutant/{path.stem}" for path in plan.MUTANTS.glob("*.patch")}
        self.assertEqual(set(BY_NAME), want)
        self.assertEqual(len(ROWS), len(want))

    def test_kernels(self):
        self.assertEqual(BY_NAME["demo"].needs, {"debug"})
        self.assertEqual(BY_NAME["again-100"].needs, frozenset())
        self.assertEqual(BY_NAME["kself-luo"].needs, {"selftest", "selftest-stock"})
        self.assertEqual(BY_NAME["mutated-base"].needs, frozenset())

    def test_costs_name_rows_and_kernels(self):
        table = cases.load_both()
        for name in COSTS:
            with self.subTest(name):
                head, _, rest = name.partition("/")
                self.assertTrue(name.removesuffix("@debug") in table or name in BY_NAME or
                                head == "kernel" and rest)

    def test_costs_are_written(self):
        place = Path(tempfile.mkdtemp(prefix="plan-test-"))
        self.addCleanup(shutil.rmtree, place)
        file = place / "costs"
        file.write_text("# head\na 5\nb 6\n")
        plan.save_costs({"b": 7.4, "c": 1}, file)
        self.assertEqual(plan.load_costs(file), {"a": 5, "b": 7, "c": 1})
        self.assertEqual(file.read_text().splitlines()[0], "# head")
        file.write_text("a much\n")
        self.assertRaises(base.RigError, plan.load_costs, file)


class Turns(unittest.TestCase):
    def setUp(self):
        self.turns = plan.turns(ROWS, COSTS)

    def test_any_five_in_a_row_have_run_every_row(self):
        for first in range(7):
            done = set()
            for number in range(first, first + plan.TURNS):
                done |= {name for name, turn in self.turns.items() if turn == number % plan.TURNS}
            self.assertEqual(done, set(BY_NAME))

    def test_none_takes_much_longer(self):
        def cost(turn):
            mine = [row for row in ROWS if self.turns[row.name] == turn]
            built = set().union(*(row.needs for row in mine))
            return (sum(row.cost for row in mine) +
                    sum(plan.build_cost(name, COSTS) for name in built))
        every = [cost(turn) for turn in range(plan.TURNS)]
        self.assertLess(max(every), 2 * min(every))

    def test_the_same_each_time(self):
        self.assertEqual(self.turns, plan.turns(list(reversed(ROWS)), COSTS))

    def test_order(self):
        first = [BY_NAME["fuzz"]]
        parts = plan.order(ROWS, first, 3, self.turns)
        self.assertEqual(parts[0], first)
        self.assertTrue(all(self.turns[row.name] == 3 for row in parts[1]))
        names = [row.name for part in parts for row in part]
        self.assertEqual(sorted(names), sorted(BY_NAME))


class Touched(unittest.TestCase):
    def names(self, *paths):
        return [row.name for row in plan.touched(list(paths), ROWS)]

    def test_areas_name_what_is_there(self):
        features = {row for case in cases.load_both().values() for row in case.rows.split(",")}
        for pattern, words in plan.load_areas():
            for word in words:
                with self.subTest(pattern, word=word):
                    self.assertTrue(word in features if plan.FEATURE.match(word) else
                                    any(plan.meant(word, row) for row in ROWS) or
                                    word in cases.load())

    def test_nothing(self):
        self.assertEqual(self.names(), [])
        self.assertEqual(self.names("docs/performance.md"), [])

    def test_its_own_tests_come_first(self):
        path = next(path for path in sorted((ROOT / plan.SCENARIOS).glob("*.c"))
                    if "unclaimed" in plan.scenarios_in(path))
        got = self.names("kernel/overlay/mm/memfd_luo_hold.c", str(path.relative_to(ROOT)))
        self.assertEqual(set(got[:2]), {"unclaimed", "unclaimed-all"})
        self.assertIn("memory", got)

    def test_several_scenarios_in_a_file(self):
        got = self.names("tests/vm/guest/scenarios/swap.c")
        self.assertTrue({"swap", "swap-kexec", "swap-kexec-vnet", "swap-first"} <= set(got))
        self.assertNotIn("demo", got)

    def test_mutant_and_machine(self):
        self.assertEqual(self.names("tests/mutants/no-reset.patch"), ["mutant/no-reset"])
        self.assertIn("unclaimed", self.names("tests/vm/machines/q35-intel-pair"))
        self.assertIn("unclaimed", self.names("tests/vm/machines/q35-bare"))

    def test_feature(self):
        got = self.names("kernel/overlay/drivers/vfio/pci/vfio_pci_liveupdate.c")
        self.assertTrue(all(BY_NAME[name].features & {"A6", "A9", "B9"} for name in got))
        self.assertIn("demo", got)


class Commit(unittest.TestCase):
    def turn(self, **answers):
        def git(*words):
            return answers.get(words[0] + words[1].replace("-", "_"), "")
        with mock.patch.object(plan, "git", git):
            return plan.turn_of_commit()

    def test_by_number(self):
        self.assertEqual(self.turn(rev_parseHEAD="", **{"rev-parseHEAD": "ab",
                         "rev-parse__is_shallow_repository": "false",
                         "rev-list__count": "108"}), (3, "commit number 108"))

    def test_by_hash_in_a_shallow_clone(self):
        turn, why = self.turn(**{"rev-parseHEAD": "0d", "rev-parse__is_shallow_repository": "true"})
        self.assertEqual(turn, 13 % plan.TURNS)
        self.assertIn("hash", why)

    def test_without_git(self):
        self.assertEqual(self.turn()[0], 0)

    def test_asked_for(self):
        self.assertEqual(plan.turn_of_commit("7")[0], 2)


class Old(unittest.TestCase):
    def test_commits_are_whole(self):
        for name, commit in old.load().items():
            with self.subTest(name):
                self.assertRegex(commit, "^[0-9a-f]{40}$")
                self.assertEqual(old.folder(name).name, f"kernel-at-{commit[:12]}-lu")

    def test_cases_can_name_one(self):
        line = "x demo q35-intel - old-v1>plain C2 dma 90"
        case = cases.parse(line, "t")["x"]
        self.assertEqual(plan.needs(case), {"old-v1"})
        self.assertRaises(base.RigError, cases.parse, line.replace("v1", "v0"), "t")


class InTime(unittest.TestCase):
    """tests/in-time with builds and runs of its own imagination."""

    def setUp(self):
        self.module = load_in_time()
        self.rest = self.module.Rest(100)
        self.rest.builds, self.rest.pace = plan.Pace(), plan.Pace()
        self.did = []
        self.rest.build = self.build
        self.rest.run_tests = lambda rows: self.did.append([row.name for row in rows])
        self.code = 0
        output = mock.patch.object(sys, "stdout", open("/dev/null", "w"))
        output.start()
        self.addCleanup(output.stop)

    def build(self, kernels):
        self.did.append(sorted(kernels))
        if not self.code:
            self.rest.built |= kernels
        return self.code

    def row(self, name, cost, *needs):
        return plan.Row(name, cost, frozenset(needs), case=cases.Case(name, name))

    def test_a_kernel_is_built_once(self):
        self.rest.run([[self.row("a", 10, "debug"), self.row("b", 10)], [self.row("c", 1, "debug")]])
        self.assertEqual(self.did, [[], ["b"], ["debug"], ["a"], [], ["c"]])

    def test_no_kernel_without_time_for_a_test(self):
        self.rest.ends = time.monotonic() + plan.build_cost("debug", self.rest.costs) + 5
        self.rest.run([[self.row("a", 10, "debug"), self.row("b", 1)]])
        self.assertEqual(self.did, [[], ["b"]])
        self.assertEqual(([row.name for row in self.rest.left_out], self.rest.skipped), (["a"], 1))

    def test_a_slow_machine(self):
        self.rest.ends = time.monotonic() + 2 * plan.build_cost("debug", self.rest.costs)
        self.rest.builds = plan.Pace(3)
        self.rest.run([[self.row("a", 10, "debug")]])
        self.assertEqual(self.did, [])

    def test_builds_that_fail(self):
        self.code = self.module.NO_HISTORY
        self.rest.run([[self.row("a", 1, "old-v1")]])
        self.assertEqual((self.rest.failed, self.rest.skipped), (0, 1))
        self.code = self.module.OUT_OF_TIME
        self.rest.run([[self.row("x", 1, "debug")]])
        self.assertEqual((self.rest.failed, self.rest.skipped), (0, 2))
        self.code = 1
        self.rest.run([[self.row("b", 1, "old-v1")]])
        self.assertEqual((self.rest.failed, self.rest.skipped), (1, 3))

    def test_mutants_that_fit(self):
        rows = [plan.Row(f"mutant/{n}", 100, frozenset()) for n in range(5)]
        self.rest.ends = time.monotonic() + 250
        ran = []
        with mock.patch.object(self.module.subprocess, "run",
                               lambda words, **_: ran.extend(words[3:]) or mock.Mock(returncode=0)):
            self.rest.run_mutants(rows)
        self.assertEqual(ran, ["0", "1"])
        self.assertEqual(self.rest.skipped, 3)


class Pace(unittest.TestCase):
    def test_what_was_seen_counts(self):
        pace = plan.Pace()
        self.assertTrue(pace.fits(50, 60))
        pace.saw(100, 300)
        pace.saw(100, 300)
        self.assertFalse(pace.fits(50, 60))
        self.assertAlmostEqual(pace.factor, (120 + 600) / 320)
