# SPDX-License-Identifier: GPL-2.0-only
"""kernel/ktree: the series it exports, and what its check refuses."""

import subprocess
import tempfile
import unittest
from pathlib import Path

from project import ROOT, Project, write

BOX = "drivers/iommu/box.c"
CHECKPATCH = """#!/bin/sh
for file; do :; done
[ "$file" = - ] && text=$(cat) || text=$(cat "$file")
case $text in *ugly*) echo "$file:1: WARNING: ugly"; exit 1;; esac
"""


class Series(Project):
    def setUp(self):
        super().setUp()
        write(self.source / "scripts/checkpatch.pl", CHECKPATCH, 0o755)
        self.overlay("drivers/iommu/lid.c", "int lid;\n")
        self.overlay("drivers/pci/lid.c", "int lid;\n")
        self.overlay("lib/lid.c", "int lid;\n")
        self.hook()
        self.reason()
        self.message("1-pci", "drivers/pci/*", "PCI: Add a lid")
        self.message("2-iommu", "drivers/iommu/* include/*", "iommu: Keep the box")
        self.message("3-rest", "*", "treewide: Add the rest")
        self.out = self.place / "series"

    def message(self, name, files, subject):
        write(self.top / f"kernel/series/{name}.msg",
              f"SPDX-License-Identifier: GPL-2.0-only\nFiles: {files}\n\n{subject}\n\nA body.\n")

    def patches(self):
        return [*sorted((self.out / "mends").glob("*.patch")), *sorted(self.out.glob("*.patch"))]

    def apply(self):
        git = ["git", "-C", self.source, "-c", "user.name=n", "-c", "user.email=e@localhost"]
        subprocess.run([*git, "init", "-q"], check=True)
        subprocess.run([*git, "add", "-A"], check=True)
        subprocess.run([*git, "commit", "-q", "-m", "base"], check=True)
        subprocess.run([*git, "am", "-q", *self.patches()], check=True)

    def test_one_patch_per_area_in_order(self):
        self.works("export", str(self.out))
        names = [path.name for path in self.patches()]
        self.assertEqual(len(names), 3, names)
        self.assertTrue(names[0].startswith("0001-PCI"), names)
        self.assertTrue(names[1].startswith("0002-iommu"), names)

    def test_messages(self):
        self.works("export", str(self.out))
        text = self.patches()[1].read_text()
        self.assertIn("Subject: [PATCH] iommu: Keep the box\n\nA body.\n\ndrivers/iommu/box.c:\n"
                      "  The box is kept.\n---", text)
        self.assertNotIn("SPDX", text.split("\n---", 1)[0])

    def test_the_longest_pattern_takes_a_file(self):
        self.message("0-lid", "drivers/iommu/lid*", "iommu: Add a lid")
        self.works("export", str(self.out))
        self.assertIn("lid.c", self.patches()[0].read_text())
        self.assertNotIn("lid.c", self.patches()[2].read_text())

    def test_a_file_without_a_message(self):
        (self.top / "kernel/series/3-rest.msg").unlink()
        self.fails("export", str(self.out), says="no message in kernel/series is for lib/lid.c")

    def test_mends_are_a_series_of_their_own(self):
        self.mend("1-check", BOX, "\treturn 0;\n", "\trc = 1;\n\treturn 0;\n")
        self.works("export", str(self.out))
        self.assertEqual([path.parent.name for path in self.patches()], ["mends", *["series"] * 3])
        self.assertIn("Subject: [PATCH] box: Mend 1-check\n\nIt was broken.\n", self.patches()[0].read_text())
        self.apply()
        text = (self.source / BOX).read_text()
        self.assertIn("box_keep", text)
        self.assertIn("rc = 1", text)

    def test_check_wants_reasons(self):
        self.hook_file(BOX).unlink()
        self.hook()
        self.fails("check", says="these do not say why: hooks/drivers/iommu/box.c.patch")

    def test_check_wants_the_gain_of_a_mend(self):
        self.mend("1-check", BOX, "\treturn 0;\n", "\trc = 1;\n\treturn 0;\n")
        message = self.top / "kernel/mends/1-check/message"
        message.write_text(message.read_text().replace("Gain: it works.\n", ""))
        self.fails("check", says="mend 1-check has no message that tells its gain")

    def test_applies(self):
        self.works("export", str(self.out))
        self.apply()
        self.assertIn("box_keep", (self.source / BOX).read_text())
        self.assertEqual((self.source / "drivers/pci/lid.c").read_text(), "int lid;\n")

    def test_for_another_base(self):
        write(self.source / BOX, "/* grown */\n" * 40 + (self.source / BOX).read_text())
        self.works("export", str(self.out), "--base", str(self.source))
        self.apply()
        self.assertIn("box_keep", (self.source / BOX).read_text())

    def test_does_not_fit_the_other_base(self):
        write(self.source / BOX, "int nothing;\n")
        self.fails("export", str(self.out), "--base", str(self.source), says="does not fit")
        self.assertFalse(self.out.exists())

    def test_keeps_what_is_not_a_series(self):
        write(self.out / "diary", "dear\n")
        self.fails("export", str(self.out), says="something else than a series")
        self.assertTrue((self.out / "diary").exists())

    def test_again(self):
        self.works("export", str(self.out))
        self.works("export", str(self.out))
        self.assertEqual(len(self.patches()), 3)

    def test_check_sees_a_tree_that_is_not_the_project(self):
        self.works("prepare")
        self.edit(BOX, "box_keep", "box_hold", self.tree)
        self.fails("check", says="gives another drivers/iommu/box.c than prepare")

    def test_check_style_of_overlay(self):
        self.overlay("drivers/iommu/lid.c", "int ugly;\n")
        self.fails("check", says=("equal to the prepared tree", "lid.c:1: WARNING: ugly", "checkpatch --strict"))

    def test_check_style_of_hook(self):
        self.hook(old="box_keep", new="ugly")
        self.fails("check", says=("box.c.patch:1: WARNING: ugly", "checkpatch --strict"))

    def test_check_without_checkpatch(self):
        (self.source / "scripts/checkpatch.pl").unlink()
        self.fails("check", says="checkpatch --strict")


class Code(unittest.TestCase):
    """What 'ktree check' compares of a kernel without our options and of the source."""

    ONE = "int one(int a)\n{\n\treturn a * 3;\n}\n"
    TWO = 'int puts(const char *);\nint two(void)\n{\n\treturn puts("two");\n}\n'
    HOOK = """--- a/box.c
+++ b/box.c
@@ -1,3 +1,3 @@
 /* the box */
-static int lid(void)
+int lid(void)
 {
@@ -9,2 +9,3 @@
 {
+\tkeep();
 \treturn;
@@ -20,2 +21,1 @@
 /* early */
-static void late(int a);
"""

    def call(self, function, path):
        done = subprocess.run(["bash", "-c", f'. {ROOT}/kernel/lib/series.sh && {function} "$1"', "-", path],
                              capture_output=True, text=True, check=True)
        return done.stdout

    def code(self, text):
        with tempfile.TemporaryDirectory() as place:
            source = Path(place) / "a.c"
            source.write_text(text)
            subprocess.run(["cc", "-O2", "-c", "-o", f"{place}/a.o", source], check=True)
            return self.call("code_of", f"{place}/a.o")

    def test_what_counts(self):
        whole = self.code(self.ONE + self.TWO)
        self.assertEqual(whole, self.code(self.TWO + "\n" + self.ONE))
        self.assertNotEqual(whole, self.code(self.ONE.replace("3", "5") + self.TWO))
        self.assertNotEqual(whole, self.code(self.ONE + self.TWO.replace('"two"', '"too"')))
        self.assertNotEqual(whole, self.code(self.ONE))

    def test_what_only_makes_a_name_visible(self):
        with tempfile.TemporaryDirectory() as place:
            hook = Path(place) / "hook"
            hook.write_text(self.HOOK)
            kept = self.call("linkage_hunks", hook)
        self.assertIn("+int lid(void)", kept)
        self.assertNotIn("keep", kept)
        self.assertIn("@@ -21,1 +21,1 @@\n-static void late(int a);\n+void late(int a);", kept)
