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

MUTANTS = sorted((ROOT / "tests/mutants").glob("*.patch"))


def field(text, name):
    found = re.search(rf"^{name}: (.+)$", text, re.M)
    return found and found[1]


class Mutants(unittest.TestCase):
    def test_each_applies_as_it_is(self):
        for path in MUTANTS:
            with self.subTest(path.stem), tempfile.TemporaryDirectory() as place:
                copy = Path(place) / "overlay"
                shutil.copytree(ROOT / "kernel/overlay", copy)
                done = subprocess.run(["patch", "-s", "-p1", "-F0", "-d", copy, "-i", path],
                                      capture_output=True, text=True, check=False)
                self.assertEqual(done.returncode, 0, done.stdout)

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
