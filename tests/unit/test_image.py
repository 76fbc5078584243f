# SPDX-License-Identifier: GPL-2.0-only
"""scripts/lu-image on images made up here, and against the kernel's own header."""

import json
import re
import struct
import subprocess
import sys
import tempfile
import unittest
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
TOOL = ROOT / "scripts/lu-image"
HEADER = ROOT / "kernel/overlay/include/linux/kho/abi/image.h"
NAMES = ["kho-v4", "luo-v5", "iommu-v1", "iommu-v2"]


def constants():
    text = HEADER.read_text()
    return {name: int(val, 0) for name, val in
            re.findall(r"#define LU_IMAGE_(\w+)\s+(0x[0-9a-fA-F]+|\d+)(?:ULL)?", text)}


def said(names, count=None, length=None):
    known = constants()
    body = b"".join(name.encode().ljust(known["NAME_LEN"], b"\0") for name in names)
    return struct.pack("<QQII", known["MAGIC0"], known["MAGIC1"],
                       24 + len(body) if length is None else length,
                       len(names) if count is None else count) + body


class Image(unittest.TestCase):
    def setUp(self):
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.place = Path(folder.name)
        self.image = self.place / "bzImage"

    def run_on(self, data, *args):
        self.image.write_bytes(data)
        done = subprocess.run([sys.executable, TOOL, *args, self.image], text=True, check=False,
                              capture_output=True, timeout=30)
        return done.returncode, done.stdout, done.stderr

    def nothing(self, data):
        status, out, err = self.run_on(data)
        self.assertEqual((status, out), (1, ""))
        self.assertIn("says nothing", err)

    def wanted(self, *names):
        path = self.place / "writes"
        path.write_text("".join(name + "\n" for name in names))
        return f"--for={path}"

    def test_what_is_said_is_found(self):
        for at in (0, 16, 4096):
            status, out, err = self.run_on(b"\xff" * at + said(NAMES) + b"\xff" * 100)
            self.assertEqual((status, out.split(), err), (0, NAMES, ""))

    def test_first_good_one_counts(self):
        bad = said(["older"], count=0)
        bad += b"\0" * (-len(bad) % 16)
        status, out, _ = self.run_on(bad + said(NAMES) + said(["x"]))
        self.assertEqual((status, out.split()), (0, NAMES))

    def test_nothing_there(self):
        self.nothing(b"")
        self.nothing(b"\0" * 5000)
        self.nothing(b"\0" * 8 + said(NAMES))

    def test_cut_anywhere(self):
        whole = said(NAMES)
        for length in range(0, len(whole), 7):
            self.nothing(whole[:length])

    def test_lengths_and_counts_are_not_trusted(self):
        for count in (0, 3, 5, 65, 1 << 31, (1 << 32) - 1):
            self.nothing(said(NAMES, count=count) + b"\0" * 10000)
        for length in (0, 24, 215, 217, (1 << 32) - 1):
            self.nothing(said(NAMES, length=length) + b"\0" * 10000)

    def test_bad_names(self):
        self.nothing(said(["a", ""]))
        self.nothing(said(["a" * 48]))

    def test_taken_over(self):
        status, _, err = self.run_on(said(NAMES), self.wanted("kho-v4", "iommu-v1"))
        self.assertEqual((status, err), (0, ""))
        status, _, err = self.run_on(said(NAMES), self.wanted("kho-v4", "iommu-v3"))
        self.assertEqual(status, 1)
        self.assertIn("does not read iommu-v3", err)
        status, _, err = self.run_on(b"", self.wanted("kho-v4"))
        self.assertEqual(status, 1)
        self.assertIn("says nothing", err)

    def test_command_line(self):
        good = "console=ttyS0 liveupdate=on intel_iommu=on"
        self.assertEqual(self.run_on(said(NAMES), f"--append={good}")[0], 0)
        harmless = good + " maxcpus=1 pci=realloc,assign-busses acpi=force"
        self.assertEqual(self.run_on(said(NAMES), f"--append={harmless}")[0], 0)
        for words, why in (("quiet", "liveupdate=on is missing"),
                           (good + " kho=off", "kho is turned off"),
                           (good + " intel_iommu=off", "intel_iommu is turned off"),
                           (good + " iommu=off", "iommu is turned off"),
                           (good + " mem=900M", "mem: memory that was handed over"),
                           (good + " memmap=1G$1G", "memmap: memory that was"),
                           (good + " intremap=off", "interrupt remapping is turned off"),
                           (good + " nox2apic", "nox2apic: the format"),
                           (good + " noapic", "noapic: interrupt remapping"),
                           (good + " maxcpus=0", "interrupt remapping is turned off"),
                           (good + " acpi=off", "does not find the IOMMU"),
                           (good + " pci=realloc,noacpi", "where they were")):
            status, _, err = self.run_on(said(NAMES), f"--append={words}")
            self.assertEqual(status, 1)
            self.assertIn(why, err)

    def test_json(self):
        status, out, err = self.run_on(b"\0" * 32 + said(NAMES), "--json")
        self.assertEqual((status, err), (0, ""))
        found = json.loads(out)
        self.assertEqual((found["reads"], found["offset"], found["taken"]), (NAMES, 32, True))
        status, out, _ = self.run_on(b"", "--json", self.wanted("kho-v4"))
        self.assertEqual(status, 1)
        self.assertEqual(json.loads(out)["reasons"], ["the image says nothing of what it reads"])

    def test_what_cannot_be_found_out(self):
        done = subprocess.run([sys.executable, TOOL, self.place / "none"], text=True, check=False,
                              capture_output=True, timeout=30)
        self.assertEqual(done.returncode, 2)
        self.assertIn("cannot be read: No such file", done.stderr)
        status, _, err = self.run_on(said(NAMES), f"--for={self.place}/none")
        self.assertEqual(status, 2)
        status, _, err = self.run_on(said(NAMES), self.wanted())
        self.assertEqual(status, 2)
        self.assertIn("names nothing", err)

    def test_constants_are_those_of_the_kernel(self):
        text = TOOL.read_text()
        known = constants()
        for name in ("MAGIC0", "MAGIC1"):
            self.assertIn(f"{known[name]:x}", text.lower())
        self.assertIn(f"\nALIGN = {known['ALIGN']}\n", text)
        self.assertIn(f"\nNAME_LEN = {known['NAME_LEN']}\n", text)
        self.assertIn(f"\nMAX_NAMES = {known['MAX_NAMES']}\n", text)
