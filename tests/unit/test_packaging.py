# SPDX-License-Identifier: GPL-2.0-only
"""The Debian packages agree with what they are made of. packaging/check builds and tries them."""

import os
import re
import subprocess
import tempfile
import unittest
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
DEBIAN = ROOT / "packaging/debian"
HOOK = DEBIAN / "zz-luctl"


class Files(unittest.TestCase):
    def test_version(self):
        version = (ROOT / "VERSION").read_text().strip()
        self.assertTrue((DEBIAN / "changelog").read_text().startswith(f"liveupdate ({version}) "))

    def test_symbols_are_those_of_the_library(self):
        exported = re.findall(r"^\s*(lu_\w+);", (ROOT / "lib/liveupdate.map").read_text(), re.M)
        packaged = re.findall(r"^ (lu_\w+)@LIVEUPDATE_1 \S+$", (DEBIAN / "libliveupdate1.symbols").read_text(), re.M)
        self.assertEqual(sorted(packaged), sorted(exported))

    def test_every_package_has_files(self):
        for package in re.findall(r"^Package: (\S+)", (DEBIAN / "control").read_text(), re.M):
            self.assertTrue((DEBIAN / f"{package}.install").exists(), package)

    def test_no_mirror_is_named(self):
        for file in (ROOT / "packaging").rglob("*"):
            if file.is_file():
                self.assertNotRegex(file.read_text(), r"(https?|ftp)://", str(file))


class KernelHook(unittest.TestCase):
    """What runs when a kernel is installed: it warns, and never fails."""

    def setUp(self):
        place = tempfile.TemporaryDirectory(prefix="hook-test-")
        self.addCleanup(place.cleanup)
        self.place = Path(place.name)
        self.image = self.place / "vmlinuz-7.3"
        self.image.touch()
        self.writes = self.place / "writes"
        self.writes.touch()
        self.script = self.place / "hook"
        self.script.write_text(HOOK.read_text().replace("/sys/kernel/liveupdate/writes", str(self.writes)))

    def luctl(self, status):
        file = self.place / "luctl"
        file.write_text(f'#!/bin/sh\necho "$*"; exit {status}\n')
        file.chmod(0o755)

    def hook(self):
        done = subprocess.run(["sh", self.script, "7.3", self.image], text=True, stdout=subprocess.PIPE,
                              stderr=subprocess.STDOUT, check=False,
                              env={"PATH": f"{self.place}:{os.environ['PATH']}"})
        self.assertEqual(done.returncode, 0, done.stdout)
        return done.stdout

    def test_says_nothing_of_a_good_one(self):
        self.luctl(0)
        self.assertEqual(self.hook(), "")

    def test_warns(self):
        self.luctl(1)
        self.assertEqual(self.hook(), "luctl: a live update into 7.3 would be refused:\n"
                                      f"check --for {self.writes} {self.image}\n")
        self.luctl(2)
        self.assertIn("may be refused", self.hook())

    def test_says_nothing_where_it_cannot_know(self):
        self.assertEqual(self.hook(), "")
        self.luctl(1)
        self.writes.unlink()
        self.assertEqual(self.hook(), "")
        self.writes.touch()
        self.image.unlink()
        self.assertEqual(self.hook(), "")
