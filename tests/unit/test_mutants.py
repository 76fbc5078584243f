# SPDX-License-Identifier: GPL-2.0-only
"""tests/mutants: each one still fits the code it breaks, and names a test."""

import re
import shutil
import subprocess
import sys
import tempfile
import unittest
from pathlib import Path

from project import ROOT

sys.path.insert(0, str(ROOT / "tests/vm"))
from host import cases  # noqa: E402

LEAVE_OUT = ROOT / "tests/mutants/leave-out"
HOOKS = ROOT / "kernel/hooks"
WITHOUT = ROOT / "tests/mutants/without"
DECLARES = re.compile(r"^(top|after .*|struct .*)$|_ops$|_(init|exit|cleanup)$")
MUTANTS = sorted((ROOT / "tests/mutants").glob("*.patch"))


def places():
    """Where hooks change what a function does."""
    found = set()
    for path in HOOKS.rglob("*.c.patch"):
        file = str(path.relative_to(HOOKS)).removesuffix(".patch")
        found |= {(file, where) for where in re.findall(r"^Lands-in: (.+)$", path.read_text(), re.M)
                  if not DECLARES.search(where)}
    return found


def field(text, name):
    found = re.search(rf"^{name}: (.+)$", text, re.M)
    return found and found[1]


class Mutants(unittest.TestCase):
    def test_each_applies_as_it_is(self):
        for path in MUTANTS:
            text = path.read_text()
            with self.subTest(path.stem), tempfile.TemporaryDirectory() as place:
                copy = Path(place) / "kernel"
                shutil.copytree(ROOT / "kernel/overlay", copy / "overlay")
                shutil.copytree(ROOT / "kernel/hooks", copy / "hooks")
                left = re.findall(r"^Leaves-out: (\S+) (.+)$", text, re.M)
                self.assertTrue(left or "\n@@ " in text)
                for file in {file for file, _ in left}:
                    self.done(LEAVE_OUT, copy / f"hooks/{file}.patch", *(where for name, where in left if name == file))
                if "\n@@ " in text:
                    self.done("patch", "-s", "-p1", "-F0", "-d", copy / "overlay", "-i", path)

    def done(self, *command):
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        self.assertEqual(done.returncode, 0, done.stdout + done.stderr)

    def test_a_hook_is_left_out(self):
        """What is left is a hook; one of which nothing is left is none."""
        with tempfile.TemporaryDirectory() as place:
            hook = Path(place) / "hook"
            shutil.copy(ROOT / "kernel/hooks/drivers/pci/remove.c.patch", hook)
            before = hook.read_text()
            self.done(LEAVE_OUT, hook, "pci_destroy_dev")
            after = hook.read_text()
            self.assertNotIn("pci_liveupdate_gone", after)
            self.assertIn("pci_liveupdate_put_off_removal", after)
            self.assertEqual(after.count("Lands-in: "), after.count("\n@@ "))
            self.assertEqual(before.count("\n@@ "), after.count("\n@@ ") + 1)
            # Those behind it land as many lines earlier.
            self.assertIn("@@ -128,2 +130,4 @@", before)
            self.assertIn("@@ -128,2 +129,4 @@", after)
            self.done(LEAVE_OUT, hook, "top", "pci_stop_and_remove_bus_device")
            self.assertFalse(hook.exists())

    def test_each_hook_has_one(self):
        """By file and function; what only declares, exports or registers takes no rule out."""
        left = set()
        for path in MUTANTS:
            left |= set(re.findall(r"^Leaves-out: (\S+) (.+)$", path.read_text(), re.M))
        lines = [line.split("|") for line in WITHOUT.read_text().splitlines() if line and line[0] != "#"]
        excused = {tuple(where.split()): why.strip() for where, why in lines}
        self.assertTrue(all(excused.values()))
        self.assertEqual(sorted(places() - left - set(excused)), [], "no mutant")
        self.assertEqual(sorted(set(excused) & left), [], "it has one now")
        self.assertEqual(sorted(set(excused) - places()), [], "there is no such hook")

    def test_each_names_a_rule_and_a_test(self):
        table = cases.load_both()
        self.assertTrue(MUTANTS)
        for path in MUTANTS:
            text = path.read_text()
            test = field(text, "Safe-in") or field(text, "Caught-by") or ""
            with self.subTest(path.stem):
                self.assertTrue(field(text, "Rule"))
                self.assertTrue(test.split(":")[0] in table, test)
                self.assertTrue(field(text, "Safe-in") or field(text, "Shows"))
