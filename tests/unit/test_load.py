# SPDX-License-Identifier: GPL-2.0-only
"""A busy machine: the rig's own load, and what it does about somebody else's."""

import os
import shutil
import sys
import tempfile
import time
import unittest
from pathlib import Path
from unittest import mock

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "vm"))
from host import base, cases, load, qemu, runner, wire  # noqa: E402


def children():
    return Path(f"/proc/self/task/{os.getpid()}/children").read_text().split()


class Load(unittest.TestCase):
    def test_ends_with_the_rig(self):
        before = children()
        with self.assertRaises(KeyboardInterrupt), load.busy(2):
            self.assertEqual(len(children()), len(before) + 2)
            raise KeyboardInterrupt
        self.assertEqual(children(), before)

    def test_how_many(self):
        with mock.patch.dict(os.environ, {load.VARIABLE: "3"}):
            self.assertEqual((load.wanted(-1), load.wanted(0), load.wanted(5)), (3, 0, 5))
        with mock.patch.dict(os.environ, {load.VARIABLE: "many"}):
            self.assertRaises(base.RigError, load.wanted, -1)
        self.assertEqual(load.wanted(-1), 0)


class Machine:
    """A QEMU that was kept waiting."""

    def __init__(self, waited):
        self.seconds = waited

    def waited(self):
        return self.seconds


class Late(unittest.TestCase):
    def run_of(self, waited=0.0, booted=2.0, debug=False):
        files = runner.Files(Path(), Path(), Path(), debug=debug)
        run = runner.Run(cases.Case("x", "x"), files, Path("/nonexistent"))
        run.vm = Machine(waited)
        run.said.events.append(wire.Event(run.began + int(booted * 1e9), "stage-1", {}))
        return run

    def test_waiting_does_not_count(self):
        began = time.monotonic() - 100
        self.assertAlmostEqual(self.run_of().time_left(began, 60), -40, 1)
        self.assertAlmostEqual(self.run_of(waited=50).time_left(began, 60), 10, 1)
        self.assertAlmostEqual(self.run_of(waited=50).time_left(began, 60, 30), -20, 1)

    def test_but_not_for_ever(self):
        began = time.monotonic() - 1000
        self.assertLess(self.run_of(waited=5000).time_left(began, 60), 0)

    def test_a_machine_that_boots_slowly_gets_fewer_frames(self):
        self.assertEqual(self.run_of().rate(1200), "1200")
        slow = runner.USUAL_BOOT_S * 3
        self.assertEqual(self.run_of(booted=slow).rate(1200), "400")
        self.assertEqual(self.run_of(booted=slow, debug=True).rate(1200), "150")
        self.assertEqual(self.run_of(booted=slow * 1000).rate(1), "1")

    def test_given_up_when_there_is_no_time_left(self):
        run = self.run_of()
        run.files = run.files._replace(ends=time.monotonic() - 1)
        run.folder = Path(tempfile.mkdtemp(prefix="load-test-"))
        self.addCleanup(shutil.rmtree, run.folder)
        run.follow(mock.Mock())
        self.assertTrue(run.out_of_time)

    def test_no_word_from_the_guest(self):
        run = self.run_of()
        run.said.events.clear()
        self.assertEqual(run.rate(1200), "1200")

    def test_waiting_is_read(self):
        machine = qemu.Qemu.__new__(qemu.Qemu)
        machine.process = mock.Mock(pid=os.getpid())
        self.assertGreaterEqual(machine.waited(), 0)


class Words(unittest.TestCase):
    def test_a_late_timer_is_no_panic(self):
        self.assertIn("no_timer_check", runner.WORDS)


if __name__ == "__main__":
    unittest.main()
