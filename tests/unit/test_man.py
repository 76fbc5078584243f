# SPDX-License-Identifier: GPL-2.0-only
"""The man pages of the library say what its header says, and are well formed."""

import re
import shutil
import subprocess
import tempfile
import unittest
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
LIB = ROOT / "lib"
HEADER = LIB / "include/liveupdate.h"
SOURCES = sorted((LIB / "man").glob("*.scd"))
# pages of other packages that ours may name
OTHERS = {"systemd.exec.5", "sd_notify.3"}


def shell(*words):
    return subprocess.run([str(word) for word in words], capture_output=True, text=True,
                          check=False)


def plain(text):
    """Without the marks of scdoc."""
    return re.sub(r"[*_\\]", "", text)


class Pages(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.tmp = tempfile.TemporaryDirectory()
        cls.out = Path(cls.tmp.name)
        cls.built = shell("make", "-s", "-C", LIB, f"OUT={cls.out}", "man")

    @classmethod
    def tearDownClass(cls):
        cls.tmp.cleanup()

    def setUp(self):
        self.assertEqual(self.built.returncode, 0, self.built.stderr)

    def declared(self):
        """Functions of the header, as one line each without the semicolon."""
        text = re.sub(r"/\*.*?\*/", "", HEADER.read_text(), flags=re.S)
        found = re.findall(r"^((?:[\w ]+?[ *]+)(lu_\w+)\([^;]*\));", text, re.M | re.S)
        return {name: re.sub(r"\s+", " ", line) for line, name in found}

    def names(self):
        out = shell(LIB / "man/aliases", *(page for page in SOURCES if page.name.endswith(".3.scd")))
        pairs = [line.split() for line in out.stdout.splitlines()]
        return {alias[:-2]: page[:-2] for alias, page in pairs}

    def test_are_well_formed(self):
        if not shutil.which("mandoc"):
            self.skipTest("no mandoc here")
        for source in SOURCES:
            page = self.out / "lib/man" / source.stem
            said = shell("mandoc", "-T", "lint", "-W", "warning", page).stdout
            self.assertEqual(said, "")

    def test_every_function_has_a_page(self):
        names = self.names()
        have = set(names) | {Path(source.stem).stem for source in SOURCES}
        self.assertEqual(set(self.declared()) - have, set())
        self.assertEqual(set(names) - set(self.declared()), set())

    def test_synopsis_is_what_the_header_declares(self):
        squeezed = re.compile(r"[\s_*\\]+")
        pages = squeezed.sub("", "\n".join(source.read_text() for source in SOURCES))
        for name, line in self.declared().items():
            # their own name for it is in the line, so that nothing else is needed
            self.assertTrue(squeezed.sub("", line) + ";" in pages, f"{name} is another one")

    def test_every_reason_is_explained(self):
        page = plain((LIB / "man/lu_error.3.scd").read_text())
        reasons = set(re.findall(r"\bLU_WHY_\w+", HEADER.read_text()))
        said = set(re.findall(r"\bLUWHY\w+", page))
        self.assertEqual({reason.replace("_", "") for reason in reasons}, said)

    def test_links_lead_somewhere(self):
        there = {source.stem for source in SOURCES} | OTHERS
        there |= {f"{name}.3" for name in self.names()}
        for folder in ("luctl", "luod"):
            there |= {path.stem for path in (ROOT / folder).rglob("*.scd")}
        for source in SOURCES:
            for name, section in re.findall(r"\*([\w.-]+)\*\((\d)\)", source.read_text()):
                self.assertIn(f"{name}.{section}", there, f"{source.name} leads to nothing")

    def test_examples_build_without_warnings(self):
        for source in sorted((LIB / "examples").glob("*.c")):
            done = shell("gcc", "-Wall", "-Wextra", "-Werror", f"-I{LIB}/include", "-c", source,
                         "-o", self.out / "example.o")
            self.assertEqual(done.returncode, 0, done.stderr)

    def test_examples_are_in_the_pages(self):
        page = (self.out / "lib/man/liveupdate.7").read_text().replace("\\-", "-")
        for source in sorted((LIB / "examples").glob("*.[ch]")):
            for line in source.read_text().splitlines():
                if re.fullmatch(r"\s*lu_\w+\([\w, ]+\);", line):
                    self.assertIn(line.strip(), page)
        self.assertNotIn("@INCLUDE", page)

    def test_half_of_a_machine_is_thirty_lines(self):
        for name in ("keep.c", "back.c"):
            body = (LIB / "examples" / name).read_text().split("\n{\n")[1]
            self.assertLessEqual(len(body.splitlines()), 30)


if __name__ == "__main__":
    unittest.main()
