# SPDX-License-Identifier: GPL-2.0-only
"""Each program of the project that a person starts says what it is for, and takes no
word for another one."""

import subprocess
import unittest
from pathlib import Path

TOP = Path(__file__).resolve().parents[2]
PROGRAMS = """bench/run kernel/ktree packaging/build packaging/check scripts/setup
    tests/elsewhere tests/host/image/make tests/host/run tests/in-time
    tests/mutants/run tests/run tests/unit/run tests/vm/chaos tests/vm/demo
    tests/vm/newer-qemu tests/vm/run tests/vm/shell""".split()


class Programs(unittest.TestCase):
    def start(self, *words):
        return subprocess.run(words, cwd="/", stdin=subprocess.DEVNULL, text=True,
                              capture_output=True, timeout=120, check=False)

    def test_help(self):
        for program in PROGRAMS:
            with self.subTest(program):
                got = self.start(TOP / program, "--help")
                self.assertEqual((got.returncode, got.stderr), (0, ""))
                name = program.rsplit("/", 1)[-1]
                self.assertIn(name, got.stdout)

    def test_unknown_option(self):
        for program in PROGRAMS:
            with self.subTest(program):
                got = self.start(TOP / program, "--frobnicate")
                self.assertEqual((got.returncode, got.stdout), (2, ""))
                self.assertTrue(got.stderr)

    def test_ktree_takes_no_word_for_nothing(self):
        for command in ("check", "deb", "fetch", "status"):
            with self.subTest(command):
                got = self.start(TOP / "kernel/ktree", command, "lu")
                self.assertEqual(got.returncode, 2)
                self.assertIn(f"{command} takes no argument", got.stderr)
        self.assertIn("ktree check", self.start(TOP / "kernel/ktree", "check", "--help").stdout)

    def test_setup_knows_its_words(self):
        got = self.start(TOP / "scripts/setup", "hots")
        self.assertEqual(got.returncode, 2)
        self.assertIn("setup host", got.stderr)
