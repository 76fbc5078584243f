#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-only
"""docs/features.md against the tables of tests: neither says what the other does not."""

import fnmatch
import re
import sys
import unittest
from pathlib import Path

TOP = Path(__file__).resolve().parent.parent.parent
sys.path.insert(0, str(TOP / "tests/vm"))
sys.dont_write_bytecode = True

from host import cases  # noqa: E402

ROW = re.compile(r"^\| ([A-G]\d+) \|(.*)\|(.*)\|(.*)\|$", re.M)
NAME = re.compile(r"`([\w*./-]+)`")
STATES = ("works", "partly", "not yet")
NO_TEST = "no test yet"
# what is in no table and enough by itself: tests in other machines, and of words
APART = ("tests/host/run", "tests/elsewhere", "tests/unit/test_abi.py")


def read():
    """Per row: how far it is, and what its last cell names."""
    return {match[1]: (match[3].strip(), NAME.findall(match[4]))
            for match in ROW.finditer((TOP / "docs/features.md").read_text())}


class Features(unittest.TestCase):
    def setUp(self):
        self.features = read()
        self.rows = {name: set(filter(None, case.rows.split(",")))
                     for name, case in cases.load_both().items()}

    def test_table_is_read(self):
        text = (TOP / "docs/features.md").read_text()
        self.assertEqual(len(self.features), len(re.findall(r"^\| [A-Z]\d", text, re.M)))
        self.assertGreater(len(self.features), 50)

    def test_says_how_far_it_is(self):
        for row, (state, _) in self.features.items():
            self.assertRegex(state, f"^({'|'.join(STATES)})(:|$)", row)
            self.assertTrue(state == "works" or state == "not yet" or ": " in state, row)

    def test_what_works_has_a_test(self):
        for row, (state, names) in self.features.items():
            if state.startswith("works"):
                self.assertTrue([n for n in names if "/" not in n or n in APART], f"{row} names no test")
            elif state.startswith("partly"):
                self.assertTrue(names or NO_TEST in state, f"{row} neither names a test nor says '{NO_TEST}'")

    def test_what_does_not_work_has_none(self):
        for row, (state, names) in self.features.items():
            if state.startswith("not yet"):
                self.assertEqual(names, [], row)
                self.assertEqual([n for n, rows in self.rows.items() if row in rows], [], row)

    def test_named_tests_exist_and_agree(self):
        for row, (_, names) in self.features.items():
            for name in names:
                if "/" in name:
                    self.assertTrue((TOP / name).is_file(), f"{row}: {name}")
                    continue
                found = fnmatch.filter(self.rows, name)
                self.assertTrue(found, f"{row} names {name}, which no table has")
                for case in found:
                    self.assertIn(row, self.rows[case], f"{row} names {case}, whose row it is not")

    def test_rows_of_tests_exist(self):
        for name, rows in self.rows.items():
            with self.subTest(name):
                self.assertTrue(rows, "shows no row")
                self.assertEqual(sorted(rows - set(self.features)), [], "not in docs/features.md")


if __name__ == "__main__":
    unittest.main()
