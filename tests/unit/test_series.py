# SPDX-License-Identifier: GPL-2.0-only
"""kernel/ktree: the series it exports, and what its check refuses."""

import subprocess

from project import Project, write

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
        self.out = self.place / "series"

    def patches(self):
        return sorted(self.out.glob("*.patch"))

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
