# SPDX-License-Identifier: GPL-2.0-only
"""tests/run: adding up the parts, and never calling a part that broke a pass."""

import os
import shutil
import subprocess
import tempfile
import unittest
from pathlib import Path

RUN = Path(__file__).resolve().parents[1] / "run"


class Run(unittest.TestCase):
    minutes = "76"

    def setUp(self):
        self.top = Path(tempfile.mkdtemp(prefix="run-test-"))
        self.addCleanup(shutil.rmtree, self.top, ignore_errors=True)
        (self.top / "tests").mkdir()
        shutil.copy(RUN, self.top / "tests/run")
        self.part("tests/unit/run", "3 0 0")
        self.part("tests/vm/run", "5 0 1")
        self.part("tests/vm/chaos", "1 0 0")
        self.part("tests/mutants/run", "2 0 0")
        self.part("packaging/check", "6 0 0")
        self.part("tests/elsewhere", "1 0 0")
        self.part("tests/in-time", "4 0 7")
        # Once for each of its stories
        self.part("tests/host/run", "7 0 0")
        for tool in ("kernel/ktree", "scripts/setup", "packaging/build"):
            self.part(tool, "")
        (self.top / "tests/vm/old-kernels").write_text("# none\nv1 0123abc\n")

    def part(self, path, counts, status=0):
        file = self.top / path
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text('#!/bin/bash\nwhile [[ $1 && $1 != --summary ]]; do shift; done\n'
                        f'[[ $2 && "{counts}" ]] && echo {counts} >"$2"\nexit {status}\n')
        file.chmod(0o755)

    def run_all(self, *words):
        env = {**os.environ, "IOMMU_LU_MINUTES": self.minutes}
        done = subprocess.run([self.top / "tests/run", *words], text=True, stdout=subprocess.PIPE,
                              stderr=subprocess.STDOUT, timeout=120, check=False, env=env)
        return done.returncode, done.stdout.splitlines()[-1]

    def test_sum(self):
        self.assertEqual(self.run_all(), (0, "8 passed, 0 failed, 1 skipped"))

    def test_patient_parts(self):
        self.assertEqual(self.run_all("patient"), (0, "64 passed, 0 failed, 1 skipped"))
        self.part("tests/mutants/run", "1 1 0", status=1)
        self.assertEqual(self.run_all("patient"), (1, "63 passed, 1 failed, 1 skipped"))

    def test_continuous_integration(self):
        self.assertEqual(self.run_all("ci"), (0, "12 passed, 0 failed, 8 skipped"))
        self.part("tests/in-time", "4 1 7", status=1)
        self.assertEqual(self.run_all("ci"), (1, "12 passed, 1 failed, 8 skipped"))

    def test_the_time_that_is_left_is_told(self):
        file = self.top / "tests/in-time"
        file.write_text('#!/bin/bash\n[[ $* == "--minutes 76 --summary "* ]] && echo 1 0 0 >"$4"\n')
        self.assertEqual(self.run_all("ci"), (0, "9 passed, 0 failed, 1 skipped"))

    def test_old_kernels_are_built(self):
        (self.top / "kernel/ktree").write_text("#!/bin/bash\n[[ $* != *--at* ]]\n")
        self.assertEqual(self.run_all("patient"), (1, "59 passed, 1 failed, 0 skipped"))

    def test_unknown_word(self):
        self.assertEqual(self.run_all("pateint")[0], 2)

    def test_failures(self):
        self.part("tests/vm/run", "5 2 0", status=1)
        self.assertEqual(self.run_all(), (1, "8 passed, 2 failed, 0 skipped"))

    def test_part_without_a_result(self):
        self.part("tests/vm/run", "")
        self.assertEqual(self.run_all(), (1, "3 passed, 1 failed, 0 skipped"))
        self.part("tests/vm/run", "many")
        self.assertEqual(self.run_all(), (1, "3 passed, 1 failed, 0 skipped"))

    def test_part_missing(self):
        (self.top / "tests/vm/run").unlink()
        self.assertEqual(self.run_all(), (1, "3 passed, 1 failed, 0 skipped"))

    def test_part_that_fails_but_counts_no_failure(self):
        self.part("tests/vm/run", "5 0 0", status=3)
        self.assertEqual(self.run_all(), (1, "8 passed, 1 failed, 0 skipped"))

    def test_kernels_not_built(self):
        self.part("kernel/ktree", "", status=1)
        self.assertEqual(self.run_all(), (1, "3 passed, 1 failed, 0 skipped"))

    def test_nothing_ran(self):
        self.part("tests/unit/run", "0 0 0")
        self.part("tests/vm/run", "0 0 0")
        self.assertEqual(self.run_all()[0], 1)
