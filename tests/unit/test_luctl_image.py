# SPDX-License-Identifier: GPL-2.0-only
"""luctl check --offline on images made up here, and against the kernel's own header."""

import json
import re
import struct
import unittest

import luctl
from luctl import said

NAMES = ["kho-v4", "luo-v5", "iommu-v1", "iommu-v2"]


class Image(luctl.Case):
    def offline(self, data, *args):
        """Exit code, answer."""
        self.image.write_bytes(data)
        done = self.luctl("check", "--json", "--offline", *args, self.image)
        return done.code, json.loads(done.out)

    def reads(self, data):
        code, found = self.offline(data)
        self.assertEqual((code, found["taken"]), (0, True))
        return found["image"]["reads"]

    def refused(self, why, data, *args):
        code, found = self.offline(data, *args)
        self.assertEqual((code, found["taken"]), (1, False))
        self.assertIn(why, "; ".join(found["reasons"]))

    def nothing(self, data):
        self.refused("says nothing", data)

    def wanted(self, *names):
        path = self.place / "writes"
        path.write_text("".join(name + "\n" for name in names))
        return f"--for={path}"

    def test_what_is_said_is_found(self):
        for at in (0, 16, 4096):
            self.assertEqual(self.reads(b"\xff" * at + said(NAMES) + b"\xff" * 100), NAMES)

    def test_words(self):
        self.image.write_bytes(said(NAMES))
        done = self.luctl("check", "--offline", self.image)
        self.assertEqual((done.code, done.err), (0, ""))
        self.assertIn(" ".join(NAMES), done.out)

    def test_first_good_one_counts(self):
        bad = said(["older"], count=0)
        bad += b"\0" * (-len(bad) % 16)
        self.assertEqual(self.reads(bad + said(NAMES) + said(["x"])), NAMES)

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

    def test_names_that_are_no_text(self):
        data = said(["ab", "c\xe9\n"])
        self.assertEqual(self.reads(data), ["ab", "c\\303\\251\\012"])

    def test_taken_over(self):
        code, found = self.offline(said(NAMES), self.wanted("kho-v4", "iommu-v1"))
        self.assertEqual((code, found["reasons"]), (0, []))
        self.refused("does not read iommu-v3", said(NAMES), self.wanted("kho-v4", "iommu-v3"))
        self.refused("says nothing", b"", self.wanted("kho-v4"))

    def test_command_line(self):
        good = "console=ttyS0 liveupdate=on intel_iommu=on"
        for line in (good, good + " maxcpus=1 pci=realloc,assign-busses acpi=force",
                     good + " -- mem=1", good + ' dyndbg="file x mem=1"', "liveupdate=0 liveupdate=1"):
            self.assertEqual(self.offline(said(NAMES), f"--append={line}")[0], 0, line)
        for words, why in (("quiet", "liveupdate=on is missing"),
                           ("liveupdate=on liveupdate=off", "liveupdate=on is missing"),
                           (good + " kho=off", "kho is turned off"),
                           (good + " intel_iommu=off", "intel_iommu is turned off"),
                           (good + " intel-iommu=off", "intel_iommu is turned off"),
                           (good + " amd_iommu=off", "amd_iommu is turned off"),
                           (good + " iommu=off", "iommu is turned off"),
                           (good + " mem=900M", "mem: memory that was handed over"),
                           (good + " memmap=1G$1G", "memmap: memory that was"),
                           (good + " intremap=off", "interrupt remapping is turned off"),
                           (good + " nox2apic", "nox2apic: the format"),
                           (good + " noapic", "noapic: interrupt remapping"),
                           (good + " maxcpus=0", "interrupt remapping is turned off"),
                           (good + " acpi=off", "does not find the IOMMU"),
                           (good + " pci=realloc,noacpi", "where they were"),
                           (good + " kho_scratch=much", "kho_scratch=much is nothing")):
            self.refused(why, said(NAMES), f"--append={words}")

    def test_offset(self):
        _, found = self.offline(b"\0" * 32 + said(NAMES))
        self.assertEqual((found["image"]["reads"], found["image"]["offset"]), (NAMES, 32))
        _, found = self.offline(b"", self.wanted("kho-v4"))
        self.assertEqual(found["reasons"], ["the image says nothing of what it reads"])
        self.assertIsNone(found["image"]["offset"])

    def cannot(self, why, *args):
        done = self.luctl("check", "--json", "--offline", *args)
        self.assertEqual(done.code, 2)
        found = json.loads(done.out)
        self.assertIsNone(found["taken"])
        self.assertIn(why, "; ".join(found["reasons"]))

    def test_what_cannot_be_found_out(self):
        self.cannot("cannot be read: No such file", self.place / "none")
        self.image.write_bytes(said(NAMES))
        self.cannot("cannot be read", self.image, f"--for={self.place}/none")
        self.cannot("names nothing", self.image, self.wanted())
        self.cannot("not a list", self.image, self.wanted("a" * 48))
        done = self.luctl("check", "--offline")
        self.assertEqual(done.code, 2)
        self.assertIn("which image?", done.err)

    def test_constants_are_those_of_the_kernel(self):
        text = (luctl.ROOT / "luctl/image.h").read_text()
        known = {name: int(val, 0) for name, val in
                 re.findall(r"#define LU_IMAGE_(\w+) (0x[0-9a-f]+|\d+)(?:ULL)?", text)}
        self.assertEqual(known, {name: luctl.constants()[name] for name in known})
        self.assertEqual(set(known), {"MAGIC0", "MAGIC1", "ALIGN", "NAME_LEN", "MAX_NAMES"})


class Unified(luctl.Case):
    """A unified kernel image: a PE file, of which the kernel is one section."""

    def uki(self, sections, count=None, kind=0x20b):
        table, body = b"", b""
        start = 64 + 24 + 240 + 40 * len(sections)
        start += -start % 512
        for name, data in sections:
            raw = data + b"\0" * (-len(data) % 512)
            table += struct.pack("<8sIIIIIIHHI", name, len(data), 0x1000, len(raw), start + len(body),
                                 0, 0, 0, 0, 0x40000040)
            body += raw
        head = b"MZ".ljust(60, b"\0") + struct.pack("<I", 64) + b"PE\0\0"
        head += struct.pack("<HHIIIHH", 0x8664, len(sections) if count is None else count, 0, 0, 0, 240, 0)
        head += struct.pack("<H", kind).ljust(240, b"\0") + table
        return head.ljust(start, b"\0") + body

    def reads(self, data):
        self.image.write_bytes(data)
        done = self.luctl("check", "--json", "--offline", self.image)
        return json.loads(done.out)["image"]

    def test_the_kernel_in_it_counts(self):
        """Not another kernel that some initrd carries along."""
        data = self.uki([(b".text", b"x" * 3000), (b".initrd", said(["older"])), (b".linux", b"\0" * 32 + said(NAMES))])
        found = self.reads(data)
        self.assertEqual((found["reads"], found["offset"]), (NAMES, data.index(said(NAMES))))

    def test_padding_is_not_the_kernel(self):
        data = bytearray(self.uki([(b".linux", b"\0" * 64)]))
        data[-512 + 64:] = said(NAMES).ljust(512 - 64, b"\0")
        self.assertEqual(self.reads(bytes(data))["reads"], [])

    def test_what_makes_no_sense_is_any_image(self):
        whole = self.uki([(b".initrd", said(["older"])), (b".linux", said(NAMES))])
        for data in (self.uki([(b".initrd", said(["older"])), (b".linux", said(NAMES))], kind=0x10b),
                     self.uki([(b".initrd", said(["older"])), (b".linux", said(NAMES))], count=1),
                     whole[:-600]):
            self.assertEqual(self.reads(data)["reads"], ["older"])
        for length in range(0, 580, 7):
            self.assertEqual(self.reads(whole[:length])["reads"], [])
        self.assertEqual(self.reads(self.uki([(b".text", said(["older"]))], count=0xffff))["reads"], ["older"])

    def test_it_cannot_be_loaded(self):
        self.image.write_bytes(self.uki([(b".linux", said(luctl.WRITES.split()))]))
        self.check_says("refused", "unified")


class Signature(luctl.Case):
    """Where the kernel is locked down an image needs one."""

    def pe(self, signatures):
        head = b"MZ".ljust(60, b"\0") + struct.pack("<I", 64) + b"PE\0\0" + b"\0" * 20
        optional = struct.pack("<H", 0x20b).ljust(144, b"\0") + struct.pack("<II", 0x1000, signatures)
        data = head + optional
        return data + b"\0" * (-len(data) % 16)

    def test_lockdown(self):
        self.file("/sys/kernel/security/lockdown", "none [integrity] confidentiality\n")
        self.check_says("refused", "unsigned")
        for data in (b"MZ", self.pe(0), self.pe(9)[:80], b"MZ" + b"\xff" * 62):
            self.image.write_bytes(data + b"\0" * (-len(data) % 16) + said(luctl.WRITES.split()))
            self.check_says("refused", "unsigned")
        self.image.write_bytes(self.pe(9) + said(luctl.WRITES.split()))
        self.check_says("note", "signature")
        self.file("/sys/kernel/security/lockdown", "[none] integrity confidentiality\n")
        self.image.write_bytes(said(luctl.WRITES.split()))
        self.check_says("ok", "load")


