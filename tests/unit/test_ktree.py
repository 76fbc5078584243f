# SPDX-License-Identifier: GPL-2.0-only
"""kernel/ktree: hooks, overlay, preparing and refreshing, against made-up trees."""

import os
import shutil
import subprocess
import time

from project import DEVICE_C, KTREE, Project, snapshot, write

BOX = "drivers/iommu/box.c"
KEEP = "\trc = 0;\n\tbox_keep(box);\n"


class Prepare(Project):
    def test_hook_and_overlay_land(self):
        self.overlay("drivers/iommu/lid.c", "int lid;\n")
        self.hook()
        self.works("prepare")
        self.assertIn(KEEP, (self.tree / BOX).read_text())
        self.assertEqual((self.tree / "drivers/iommu/lid.c").read_text(), "int lid;\n")
        self.assertEqual((self.source / BOX).read_text(), DEVICE_C)

    def test_offset_in_the_same_function_is_fine(self):
        self.hook()
        write(self.source / BOX, "/* grown */\n" * 40 + DEVICE_C)
        self.works("prepare")
        self.assertIn(KEEP, (self.tree / BOX).read_text())

    def test_missing_anchor(self):
        self.hook()
        write(self.source / BOX, DEVICE_C.replace("\trc = 0;\n", ""))
        self.fails("prepare", says="does not fit drivers/iommu/box.c")

    def test_fuzz(self):
        self.hook()
        write(self.source / BOX, DEVICE_C.replace("out:\n", "done:\n"))
        self.fails("prepare", says="does not fit")

    def test_wrong_function(self):
        """The hook's place is gone, its twin in the next function fits."""
        self.hook(old="\trc = box_check(box);\n", new="\trc = box_check(box);\n\tbox_keep(box);\n")
        write(self.source / BOX, DEVICE_C.replace("\trc = box_check(box);\n", "\trc = -1;\n", 1))
        self.fails("prepare", says=("meant for 'box_open'", "landed in 'box_close'"))

    def test_landing_not_stated(self):
        self.hook()
        text = self.hook_file(BOX).read_text()
        self.hook_file(BOX).write_text(text.replace("Lands-in: box_open\n", ""))
        self.fails("prepare", says="but 0 Lands-in lines")

    def test_source_has_the_hook_already(self):
        self.hook()
        shutil.copy(self.place / "edited" / BOX, self.source / BOX)
        self.fails("prepare", says=("box.c already", "not a clean one"))

    def test_hunk_twice_in_one_hook(self):
        self.hook()
        text = self.hook_file(BOX).read_text()
        head, diff = text.split("\n\n", 1)
        hunk = "@@" + diff.split("@@", 1)[1]
        self.hook_file(BOX).write_text(f"{head}\nLands-in: box_open\n\n{diff}{hunk}")
        self.fails("prepare", says="hunk 2 overlaps the one before")

    def test_hook_for_another_file(self):
        self.hook()
        shutil.move(self.hook_file(BOX), self.hook_file("drivers/iommu/Kconfig"))
        self.fails("prepare", says="must hold one diff, of drivers/iommu/Kconfig")

    def test_hook_for_a_file_that_is_not_there(self):
        self.hook()
        (self.source / BOX).unlink()
        self.fails("prepare", says="the kernel source has no file drivers/iommu/box.c")

    def test_overlay_target_exists(self):
        self.hook()
        self.overlay("drivers/iommu/Kconfig", "mine\n")
        self.fails("prepare", says="drivers/iommu/Kconfig exists in the kernel source already")

    def test_no_hooks(self):
        self.fails("prepare", says="no hooks found")

    def test_nothing_to_do_touches_nothing(self):
        self.overlay("drivers/iommu/lid.c", "int lid;\n")
        self.hook()
        self.works("prepare")
        before = {p: p.stat().st_mtime_ns for p in self.tree.rglob("*")}
        self.assertNotIn("written", self.works("prepare"))
        self.assertEqual(before, {p: p.stat().st_mtime_ns for p in self.tree.rglob("*")})

    def test_only_changed_files_get_a_new_time(self):
        self.overlay("drivers/iommu/lid.c", "int lid;\n")
        self.hook()
        self.works("prepare")
        hooked = (self.tree / BOX).stat().st_mtime_ns
        self.overlay("drivers/iommu/lid.c", "int lid = 1;\n")
        self.assertIn("1 files written", self.works("prepare"))
        self.assertEqual((self.tree / BOX).stat().st_mtime_ns, hooked)

    def test_what_is_taken_out_goes(self):
        self.overlay("drivers/lid/lid.c", "int lid;\n")
        self.hook("drivers/iommu/Kconfig", "config CRATE", "config LID\n\tbool\n\nconfig CRATE")
        self.hook()
        self.works("prepare")
        old = (self.tree / BOX).stat().st_mtime_ns
        self.hook_file(BOX).unlink()
        (self.top / "kernel/overlay/drivers/lid/lid.c").unlink()
        self.works("prepare")
        self.assertEqual((self.tree / BOX).read_text(), DEVICE_C)
        self.assertGreater((self.tree / BOX).stat().st_mtime_ns, old, "make would not see it")
        self.assertFalse((self.tree / "drivers/lid").exists())
        self.hook_file("drivers/iommu/Kconfig").unlink()
        self.fails("prepare", says="no hooks found")

    def test_a_failed_prepare_leaves_the_tree_alone(self):
        self.hook()
        self.works("prepare")
        good = snapshot(self.tree)
        self.overlay("drivers/iommu/lid.c", "int lid;\n")
        text = self.hook_file(BOX).read_text()
        self.hook_file(BOX).write_text(text.replace("Lands-in: box_open", "Lands-in: box_shut"))
        self.fails("prepare", says="meant for 'box_shut'")
        self.assertEqual(snapshot(self.tree), good)

    def test_an_edit_by_hand_is_not_overwritten(self):
        self.hook()
        self.works("prepare")
        self.edit(BOX, "box_keep", "box_hold", self.tree)
        text = self.hook_file(BOX).read_text()
        self.hook_file(BOX).write_text(text.replace("box_keep", "box_guard"))
        self.fails("prepare", says=("was edited by hand", "ktree refresh"))
        self.assertIn("box_hold", (self.tree / BOX).read_text())
        self.works("prepare", "--discard")
        self.assertIn("box_guard", (self.tree / BOX).read_text())

    def killed_at(self, step):
        """ktree prepare, killed at its n-th rename; False when it had no such."""
        count = self.place / "count"
        count.unlink(missing_ok=True)
        self.command("mv", f"""
            n=$(( $(cat {count} 2>/dev/null || echo 0) + 1 ))
            echo $n >{count}
            (( n == {step} )) && kill -9 0
            exec /usr/bin/mv "$@" """)
        status, said = self.ktree("prepare")
        (self.bin / "mv").unlink()
        self.assertIn(status, (0, -9), said)
        return status != 0

    def test_interrupted_at_any_step(self):
        self.overlay("drivers/iommu/lid.c", "int lid;\n")
        self.hook("drivers/iommu/Kconfig", "config CRATE", "config LID\n\tbool\n\nconfig CRATE")
        self.hook()
        self.works("prepare")
        good = snapshot(self.tree)
        for step in range(1, 40):
            shutil.rmtree(self.cache)
            killed = self.killed_at(step)
            self.works("prepare")
            self.assertEqual(snapshot(self.tree), good, f"killed at rename {step}")
            if not killed:
                break
        self.assertGreater(step, 8)
        self.assertFalse(killed)

    def test_interrupted_change_taken_back(self):
        """Half way from one state to the next, then back to the first."""
        self.overlay("drivers/iommu/hinge.c", "int hinge;\n")
        self.hook()
        self.works("prepare")
        good = snapshot(self.tree)
        first, second = self.top / "kernel", self.place / "second"
        shutil.copytree(first, second)
        for step in range(1, 40):
            self.overlay("drivers/iommu/lid.c", "int lid;\n")
            (first / "overlay/drivers/iommu/hinge.c").unlink()
            text = self.hook_file(BOX).read_text()
            self.hook_file(BOX).write_text(text.replace("box_keep", "box_hold"))
            killed = self.killed_at(step)
            shutil.rmtree(first)
            shutil.copytree(second, first)
            self.works("prepare")
            self.assertEqual(snapshot(self.tree), good, f"killed at rename {step}")
            if not killed:
                break
        self.assertGreater(step, 4)
        self.assertFalse(killed)


class Mends(Project):
    def setUp(self):
        super().setUp()
        self.mend("1-one", BOX, "\treturn 0;\n", "\trc = 1;\n\treturn 0;\n")
        self.mend("2-two", "include/linux/box.h", "int box_close(void);\n", "int box_close(int);\n")
        self.hook()

    def text(self, path=BOX):
        return (self.tree / path).read_text()

    def test_mends_and_hooks_land(self):
        self.works("prepare")
        self.assertIn("rc = 1", self.text())
        self.assertIn(KEEP, self.text())
        self.assertIn("box_close(int)", self.text("include/linux/box.h"))
        self.assertIn("mends:     2", self.works("status"))
        self.assertIn("(up to date)", self.works("status"))

    def test_a_control_has_none(self):
        self.works("build", "lu", "stock")
        self.assertIn("rc = 1", (self.top / "build/kernel-lu/bzImage").read_text())
        stock = (self.top / "build/kernel-stock/bzImage").read_text()
        self.assertNotIn("rc = 1", stock)
        self.assertIn(KEEP, stock)
        header = self.top / "build/kernel-stock/headers/include/linux/box.h"
        self.assertIn("box_close(void)", header.read_text())
        self.assertIn("rc = 1", self.text())
        self.assertIn("stock: up to date", self.works("build", "stock"))
        self.assertIn("lu: up to date", self.works("build", "lu"))

    def test_one_can_be_left_out(self):
        write(self.top / "kernel/config/bench.config", "CONFIG_BOX=y\n")
        self.works("build", "bench-without-1-one")
        self.assertNotIn("rc = 1", (self.top / "build/kernel-bench-without-1-one/bzImage").read_text())
        header = self.top / "build/kernel-bench-without-1-one/headers/include/linux/box.h"
        self.assertIn("box_close(int)", header.read_text())
        self.fails("build", "bench-without-three", says="there is no flavour")

    def test_a_hook_has_to_fit_without_them(self):
        self.works("prepare")
        self.edit(BOX, "\trc = 1;\n", "\trc = 1;\n\tbox_keep(box);\n", self.tree)
        self.works("refresh")
        self.fails("build", "stock", says="box.c.patch does not fit drivers/iommu/box.c")

    def test_refresh_takes_an_edit_as_a_hook(self):
        self.works("prepare")
        before = snapshot(self.top / "kernel/mends")
        self.edit(BOX, "box_keep", "box_hold", self.tree)
        self.works("refresh")
        self.assertEqual(snapshot(self.top / "kernel/mends"), before)
        self.assertNotIn("rc = 1", self.hook_file(BOX).read_text())
        self.assertNotIn("written", self.works("prepare"))

    def test_a_mend_that_does_not_fit(self):
        write(self.source / BOX, DEVICE_C.replace("\treturn 0;\n", ""))
        self.fails("prepare", says="mend 1-one/drivers/iommu/box.c.patch")


class Sources(Project):
    def tarball(self):
        path = self.place / "linux.tar.xz"
        subprocess.run(["tar", "-C", self.place, "-cJf", path, "source"], check=True)
        return path

    def test_tarball(self):
        self.hook()
        self.works("prepare", KERNEL_SRC=str(self.tarball()))
        self.assertIn(KEEP, (self.tree / BOX).read_text())

    def test_tarball_broken(self):
        self.hook()
        path = self.tarball()
        path.write_bytes(path.read_bytes()[:-400])
        self.fails("prepare", says="unpacking", KERNEL_SRC=str(path))
        self.works("prepare", KERNEL_SRC=str(self.tarball()))

    def test_wrong_version(self):
        makefile = self.source / "Makefile"
        makefile.write_text(makefile.read_text().replace("PATCHLEVEL = 3", "PATCHLEVEL = 2"))
        self.fails("prepare", says="is Linux 7.2.4; this project needs 7.3")
        self.fails("prepare", says="is Linux 7.2.4; this project needs 7.3", KERNEL_SRC=str(self.tarball()))

    def test_not_a_kernel(self):
        (self.source / "Kbuild").unlink()
        self.fails("prepare", says="is not a Linux source tree")
        self.fails("prepare", says="neither a folder nor a readable file", KERNEL_SRC="/nonexistent")

    def test_built_in_place(self):
        write(self.source / ".config", "")
        self.fails("prepare", says="make mrproper")

    def test_source_folder_changed(self):
        self.hook()
        self.works("prepare")
        write(self.source / "drivers/iommu/crate.c", "new\n")
        self.works("prepare")
        self.assertTrue((self.tree / "drivers/iommu/crate.c").exists())

    def test_disk_full(self):
        self.hook()
        self.command("df", "echo h; echo d 100 90 10 90% /")
        self.fails("prepare", says=("Free some space", "0 MiB are free"))
        (self.bin / "df").unlink()
        self.works("prepare")

    def test_cache_not_writable(self):
        write(self.place / "file", "")
        self.fails("prepare", says="cannot write to", IOMMU_LU_CACHE=str(self.place / "file/x"))

    def test_two_at_once(self):
        self.hook()
        runs = [subprocess.Popen([KTREE, "prepare"], env=self.env, stdout=subprocess.DEVNULL,
                                 stderr=subprocess.DEVNULL) for _ in range(3)]
        self.assertEqual([run.wait(timeout=120) for run in runs], [0, 0, 0])
        self.assertIn(KEEP, (self.tree / BOX).read_text())


class Landing(Project):
    """What refresh writes as Lands-in, for the kinds of places there are."""

    def stated(self, path, old, new):
        self.hook(path, old, new)
        return [line[10:] for line in self.hook_file(path).read_text().splitlines()
                if line.startswith("Lands-in: ")]

    def test_after_a_label(self):
        self.assertEqual(self.stated(BOX, "\treturn rc;\n}\n\nstatic", "\tbox_put();\n\treturn rc;\n}\n\nstatic"),
                         ["box_open"])

    def test_struct_member(self):
        self.assertEqual(self.stated(BOX, "\tint size;\n", "\tint size;\n\tvoid *keep;\n"), ["struct box"])

    def test_include(self):
        self.assertEqual(self.stated(BOX, "\nstruct", "#include <linux/lid.h>\n\nstruct"), ["top"])

    def test_between_functions(self):
        self.assertEqual(self.stated(BOX, "}\n\nstatic int box_close", "}\n\nint lid;\n\nstatic int box_close"),
                         ["after box_open"])

    def test_prototypes(self):
        self.assertEqual(self.stated("include/linux/box.h", "int box_close", "int box_lid(void);\nint box_close"),
                         ["after box_open"])

    def test_kconfig_and_makefile(self):
        self.assertEqual(self.stated("drivers/iommu/Kconfig", "\tbool\n\nconfig C", "\tbool\n\thelp\n\nconfig C"),
                         ["config BOX"])
        self.assertEqual(self.stated("drivers/iommu/Makefile", "obj-m", "obj-y += lid.o\nobj-m"),
                         ["obj-y += box.o"])

    def test_two_places(self):
        self.edit(BOX, "\treturn 0;\n", "\tbox_drop(box);\n\treturn 0;\n")
        self.assertEqual(self.stated(BOX, "\trc = 0;\n", KEEP), ["box_open", "box_close"])


class Refresh(Project):
    def setUp(self):
        super().setUp()
        self.overlay("drivers/iommu/lid.c", "int lid;\n")
        self.hook()

    def project(self):
        return snapshot(self.top / "kernel")

    def test_again_writes_nothing(self):
        self.assertNotIn("wrote", self.hook(old="", new=""))

    def test_words_in_the_header_stay(self):
        text = self.hook_file(BOX).read_text()
        self.hook_file(BOX).write_text(text.replace("Lands-in", "Why: the box is kept.\nLands-in", 1))
        self.hook(old="box_keep", new="box_hold")
        self.assertIn("Why: the box is kept.\nLands-in: box_open\n", self.hook_file(BOX).read_text())
        self.works("prepare")

    def test_dry_run_writes_nothing(self):
        self.works("prepare")
        before = self.project()
        self.edit(BOX, "box_keep", "box_hold", self.tree)
        self.assertIn("+\tbox_hold", self.works("refresh", "--dry-run"))
        self.assertEqual(self.project(), before)

    def test_own_tree(self):
        self.works("prepare")
        self.edit(BOX, "box_keep", "box_hold", self.tree)
        self.edit("drivers/iommu/Makefile", "obj-m", "obj-y += lid.o\nobj-m", self.tree)
        write(self.tree / "drivers/iommu/hinge.c", "int hinge;\n")
        (self.tree / "drivers/iommu/lid.c").unlink()
        edited = snapshot(self.tree)
        self.works("refresh")
        self.assertFalse((self.top / "kernel/overlay/drivers/iommu/lid.c").exists())
        self.assertNotIn("written", self.works("prepare"))
        shutil.rmtree(self.cache)
        self.works("prepare")
        self.assertEqual(snapshot(self.tree), edited)

    def test_own_tree_is_behind_the_project(self):
        self.works("prepare")
        self.overlay("drivers/iommu/hinge.c", "int hinge;\n")
        self.fails("refresh", says="run 'kernel/ktree prepare' first")

    def test_deleted_file(self):
        self.works("prepare")
        (self.tree / "drivers/iommu/Kconfig").unlink()
        self.fails("refresh", says="hooks cannot delete files")

    def test_leftovers_of_editors(self):
        self.works("prepare")
        write(self.tree / "drivers/iommu/box.c.orig", "")
        write(self.tree / "drivers/iommu/box.c~", "")
        self.assertIn("1 hooks, 1 overlay files", self.works("refresh"))

    def test_status(self):
        self.hook("drivers/iommu/Kconfig", "config CRATE\n\tbool\n", "config CRATE\n\tdef_bool y\n")
        said = self.works("status")
        self.assertIn("2 files, 2 places, 2 lines added, 1 removed", said)
        self.assertIn("removing lines: drivers/iommu/Kconfig (1)", said)
        self.assertIn("1 files, 1 lines", said)
        self.assertIn("(not prepared)", said)
        self.works("prepare")
        self.assertIn("(up to date)", self.works("status"))


class Build(Project):
    def setUp(self):
        super().setUp()
        self.hook()

    def out(self, flavour):
        return self.top / f"build/kernel-{flavour}"

    def objects(self, flavour):
        return next((self.cache / "build").glob(f"{flavour}-*"))

    def test_result(self):
        self.works("build", "lu")
        self.assertIn("box_keep", (self.out("lu") / "bzImage").read_text())
        self.assertEqual((self.out("lu") / "config").read_text(), "CONFIG_BOX=y\n")
        self.assertTrue((self.out("lu") / "headers/include/linux/box.h").exists())
        self.assertFalse((self.out("lu") / "headers/include/.install").exists())

    def test_nothing_to_do(self):
        self.works("build", "lu")
        self.command("make", "echo must not run; exit 1")
        self.assertIn("up to date", self.works("build", "lu"))

    def test_a_change_is_built(self):
        self.works("build", "lu")
        self.hook(old="box_keep", new="box_hold")
        self.works("build", "lu")
        self.assertIn("box_hold", (self.out("lu") / "bzImage").read_text())

    def test_option_that_did_not_survive(self):
        write(self.top / "kernel/config/kunit.config", "CONFIG_LOST_ONE=y\n# CONFIG_OTHER is not set\n")
        self.fails("build", "lu", says=("did not survive", "LOST_ONE=y (is n)"))
        self.assertFalse((self.out("lu") / "bzImage").exists())

    def test_option_that_came_uninvited(self):
        write(self.top / "kernel/config/base.config", "CONFIG_CRATE=y\n")
        write(self.top / "kernel/config/kunit.config", "CONFIG_CRATE=n\n")
        makefile = self.source / "Makefile"
        makefile.write_text(makefile.read_text().replace("grep -v LOST", "grep -v CRATE=n"))
        self.fails("build", "lu", says="CRATE=n (is y)")

    def test_compile_error(self):
        self.hook(old="box_keep", new="error: broken")
        said = self.fails("build", "lu", says=("error: broken", "the whole log is"))
        self.assertNotIn("built", said)
        self.hook(old="error: broken", new="box_keep")
        self.works("build", "lu")

    def test_control_starts_from_the_objects_of_the_other(self):
        self.works("build", "lu")
        tool = self.objects("lu") / "tools/.objtool.cmd"
        write(tool, f"cmd := gcc {self.objects('lu')}/tools\n")
        os.utime(tool, (1000, 1000))
        self.works("build", "stock")
        self.assertEqual((self.objects("stock") / "compiled").read_text(), "box\n")
        tool = self.objects("stock") / "tools/.objtool.cmd"
        self.assertEqual(tool.read_text(), f"cmd := gcc {self.objects('stock')}/tools\n")
        self.assertEqual(tool.stat().st_mtime, 1000)
        self.assertEqual((self.out("stock") / "config").read_text(), "CONFIG_BOX=n\n")

    def test_modules(self):
        self.works("build", "modules")
        self.assertTrue((self.out("modules") / "modules/7.3.4/kernel/crate.ko").exists())
        self.assertFalse((self.out("modules") / "modules.new").exists())
        write(self.top / "kernel/config/modules.config", "CONFIG_CRATE=y\n")
        self.works("build", "modules")
        self.assertFalse((self.out("modules") / "modules").exists())

    def distro(self, text):
        """A distribution's configuration, fetched already."""
        write(self.cache / "source/config-info", "7.3.4-1 0\n")
        packed = subprocess.run(["xz"], input=text.encode(), stdout=subprocess.PIPE, check=True)
        (self.cache / "source/config.xz").write_bytes(packed.stdout)

    def test_a_distributions_configuration(self):
        self.distro("CONFIG_BOX=n\nCONFIG_BARREL=m\nCONFIG_CASK=y\n")
        self.works("build", "distro")
        config = (self.out("distro") / "config").read_text()
        self.assertIn("CONFIG_CASK=y\n", config)
        self.assertTrue(config.endswith("CONFIG_BOX=y\nCONFIG_CRATE=n\n"), config)
        told = (self.objects("distro") / "fragments").read_text()
        self.assertIn("# CONFIG_BARREL is not set\nCONFIG_BOX=y\n", told)
        self.assertNotIn("drivers", told)

    def test_a_distribution_without_what_we_need(self):
        self.distro("CONFIG_CASK=y\n")
        write(self.top / "kernel/config/distro.config", "CONFIG_LOST_ONE=y\n")
        self.fails("build", "distro", says=("did not survive", "LOST_ONE=y (is n)"))

    def test_environment_does_not_leak(self):
        self.works("build", "lu", KCFLAGS="-DLEAK", MAKEFLAGS="-n", ARCH="mips", LC_ALL="de_DE.UTF-8",
                   LEAK="1", GREP_OPTIONS="-v", TAR_OPTIONS="--totals")
        env = (self.objects("lu") / "environment").read_text()
        for word in "LEAK", "mips", "de_DE":
            self.assertNotIn(word, env)

    def test_unknown_flavour(self):
        self.fails("build", "vanilla", says="there are: lu stock")

    def test_interrupted(self):
        makefile = self.source / "Makefile"
        slow = f"\t@sleep 30 & echo $$! >{self.place}/pid; wait\n\t@! grep"
        makefile.write_text(makefile.read_text().replace("\t@! grep", slow))
        run = subprocess.Popen([KTREE, "build", "lu"], env=self.env, stdout=subprocess.DEVNULL,
                               stderr=subprocess.DEVNULL)
        for _ in range(1200):
            if (self.place / "pid").exists():
                break
            time.sleep(0.05)
        run.terminate()
        self.assertEqual(run.wait(timeout=120), 143)
        self.assertFalse((self.out("lu") / "bzImage").exists())
        os.kill(int((self.place / "pid").read_text()), 15)
        write(makefile, makefile.read_text().replace("sleep 30", "sleep 0"))
        self.works("build", "lu")


class Help(Project):
    def test_help(self):
        self.assertIn("ktree prepare", self.works("help"))

    def test_unknown_command(self):
        self.fails("frobnicate", says="there is no command 'frobnicate'")


class At(Project):
    """Kernels of earlier commits. Their ktree is a stand-in that says what it was."""

    OLD = """#!/bin/bash
mkdir -p "$KTREE_TOP/build/kernel-$2"
cat "$KTREE_TOP/kernel/overlay/word" >"$KTREE_TOP/build/kernel-$2/bzImage"
echo "old ktree: $*"
"""

    def setUp(self):
        super().setUp()
        self.hook()
        self.overlay("word", "old\n")
        write(self.top / "kernel/ktree", self.OLD, 0o755)
        self.git("init", "-q", "-b", "main")
        self.git("add", ".")
        self.git("commit", "-q", "-m", "old")
        self.old = self.git("rev-parse", "HEAD")
        self.overlay("word", "new\n")
        (self.top / "kernel/ktree").unlink()
        self.git("commit", "-qa", "-m", "new")

    def git(self, *words):
        return subprocess.run(["git", "-c", "user.name=x", "-c", "user.email=x@example.org", *words],
                              cwd=self.top, check=True, capture_output=True, text=True).stdout.strip()

    @property
    def kernel(self):
        return self.top / f"build/kernel-at-{self.old[:12]}-lu"

    def test_built_from_what_it_was(self):
        said = self.works("build", "--at", self.old[:8], "lu")
        self.assertIn("old ktree: build lu", said)
        self.assertEqual((self.kernel / "bzImage").read_text(), "old\n")

    def test_the_tree_is_put_back(self):
        self.works("build", "--at", "HEAD~1", "lu")
        self.assertEqual((self.tree / "word").read_text(), "new\n")

    def test_once_is_enough(self):
        self.works("build", "--at", self.old, "lu")
        said = self.works("build", "--at", self.old, "lu")
        self.assertIn("up to date", said)
        self.assertNotIn("old ktree", said)

    def test_that_does_not_build(self):
        write(self.top / "kernel/ktree", "#!/bin/bash\nexit 1\n", 0o755)
        self.git("add", ".")
        self.git("commit", "-q", "-m", "broken")
        self.fails("build", "--at", "HEAD", "lu", says="could not be built")
        self.assertEqual((self.tree / "word").read_text(), "new\n")

    def test_unknown_commit(self):
        status, said = self.ktree("build", "--at", "0123456789abcdef", "lu")
        self.assertEqual(status, 3)
        self.assertIn("is not in this clone", said)

    def test_shallow_clone(self):
        other = self.place / "shallow"
        subprocess.run(["git", "clone", "-q", "--depth", "1", f"file://{self.top}", other], check=True)
        status, said = self.ktree("build", "--at", self.old, "lu", KTREE_TOP=str(other))
        self.assertEqual(status, 3)
        self.assertIn("git fetch --unshallow", said)
