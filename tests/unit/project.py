# SPDX-License-Identifier: GPL-2.0-only
"""A made-up project and a made-up kernel tree, for the tests of ktree."""

import os
import shutil
import subprocess
import tempfile
import unittest
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
KTREE = ROOT / "kernel" / "ktree"

DEVICE_C = """\
#include <linux/device.h>

struct box {
\tint size;
};

static int box_open(struct box *box)
{
\tint rc;

\trc = box_check(box);
\tif (rc)
\t\tgoto out;
\trc = 0;
out:
\treturn rc;
}

static int box_close(struct box *box)
{
\tint rc;

\trc = box_check(box);
\tif (rc)
\t\treturn rc;
\treturn 0;
}
"""

# Enough of kbuild to be configured and built: an option named LOST never
# survives, a source file with the word "broken" does not compile.
MAKEFILE = """\
VERSION = 7
PATCHLEVEL = 3
SUBLEVEL = 4

allnoconfig:
\t@grep -v '^#' $(KCONFIG_ALLCONFIG) | grep -v LOST >$(O)/.config

olddefconfig:
\t@grep -v '^#' $(O)/.config | grep -v LOST >$(O)/new && mv $(O)/new $(O)/.config

modules:
\t@echo '  CC [M]  crate.o'

modules_install:
\t@mkdir -p $(INSTALL_MOD_PATH)/lib/modules/7.3.4/kernel
\t@echo $(DEPMOD) >$(INSTALL_MOD_PATH)/lib/modules/7.3.4/kernel/crate.ko

bzImage: $(O)/box.o
\t@mkdir -p $(O)/arch/x86/boot && cp $(O)/box.o $(O)/arch/x86/boot/bzImage
\t@cp $(O)/box.o $(O)/vmlinux
\t@env >$(O)/environment

$(O)/box.o: drivers/iommu/box.c
\t@echo '  CC      box.o'; echo box >>$(O)/compiled
\t@! grep 'error: broken' $<
\t@cp $< $@

headers:
\t@mkdir -p $(O)/usr/include/linux && cp include/linux/box.h $(O)/usr/include/linux/
\t@touch $(O)/usr/include/.install
"""

TREE = {
    "Makefile": MAKEFILE,
    "Kbuild": "",
    "drivers/iommu/box.c": DEVICE_C,
    "drivers/iommu/Kconfig": "config BOX\n\tbool\n\nconfig CRATE\n\tbool\n",
    "drivers/iommu/Makefile": "obj-y += box.o\nobj-m += crate.o\n",
    "include/linux/box.h": "int box_open(void);\nint box_close(void);\n",
}

BASE = """\
series: 7.3
package: linux-source-7.3
suites: here there
version: 7.3.4-1
tarball: linux-source-7.3.tar.xz
sha256: 0
config-package: linux-config-7.3
config: config.xz
config-sha256: 0
"""


def write(path, text, mode=0o644):
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)
    path.chmod(mode)


def snapshot(folder):
    return {str(p.relative_to(folder)): p.read_bytes() for p in folder.rglob("*") if p.is_file()}


class Project(unittest.TestCase):
    """self.top is a project, self.source a pristine tree, self.cache the cache."""

    def setUp(self):
        self.place = Path(tempfile.mkdtemp(prefix="ktree-test-"))
        self.addCleanup(shutil.rmtree, self.place, ignore_errors=True)
        self.top, self.cache = self.place / "top", self.place / "cache"
        self.source, self.bin = self.place / "source", self.place / "bin"
        self.bin.mkdir()
        for path, text in TREE.items():
            write(self.source / path, text)
        write(self.top / "kernel/BASE", BASE)
        for name in "base", "x86_64", "kunit":
            write(self.top / f"kernel/config/{name}.config", "# nothing\n")
        write(self.top / "kernel/config/lu.config", "CONFIG_BOX=y\n")
        write(self.top / "kernel/config/user.config", "# nothing\n")
        write(self.top / "kernel/config/stock.config", "CONFIG_BOX=n\n")
        write(self.top / "kernel/config/modules.config", "CONFIG_CRATE=m\n")
        write(self.top / "kernel/config/distro.config", "CONFIG_CRATE=n\n")
        write(self.top / "kernel/config/distro-without", "# drivers\nBARREL\n")
        self.env = {"PATH": f"{self.bin}:{os.environ['PATH']}", "HOME": str(self.place),
                    "KTREE_TOP": str(self.top), "IOMMU_LU_CACHE": str(self.cache),
                    "KERNEL_SRC": str(self.source)}

    def ktree(self, *args, **env):
        done = subprocess.run([KTREE, *args], env=self.env | env, text=True, stdin=subprocess.DEVNULL,
                              stdout=subprocess.PIPE, stderr=subprocess.STDOUT, timeout=120, check=False,
                              start_new_session=True)
        return done.returncode, done.stdout

    def works(self, *args, **env):
        status, said = self.ktree(*args, **env)
        self.assertEqual(status, 0, said)
        return said

    def fails(self, *args, says, **env):
        status, said = self.ktree(*args, **env)
        self.assertNotEqual(status, 0, said)
        for words in says if isinstance(says, tuple) else (says,):
            self.assertIn(words, said)
        self.assertNotIn("stopped:", said)
        return said

    def command(self, name, text):
        """A command of that name that stands in for the real one."""
        write(self.bin / name, "#!/bin/bash\n" + text, 0o755)

    @property
    def tree(self):
        return next((self.cache / "trees").glob("*")) / "tree"

    def overlay(self, path, text):
        write(self.top / "kernel/overlay" / path, text)

    def hook_file(self, path):
        return self.top / "kernel/hooks" / (path + ".patch")

    def edit(self, path, old, new, tree=None):
        """A tree in which somebody put NEW in OLD's place; read back as hooks."""
        work = tree or self.place / "edited"
        if not work.exists():
            shutil.copytree(self.source, work)
        text = (work / path).read_text()
        self.assertIn(old, text)
        (work / path).write_text(text.replace(old, new, 1))
        return work

    def hook(self, path="drivers/iommu/box.c", old="\trc = 0;\n", new="\trc = 0;\n\tbox_keep(box);\n"):
        work = self.edit(path, old, new)
        kept = self.top / "kernel/overlay"
        if kept.exists():
            shutil.copytree(kept, work, dirs_exist_ok=True)
        return self.works("refresh", "--pristine", str(self.source), str(work))

    def reason(self, path="drivers/iommu/box.c", text="The box is kept."):
        """Makes a hook say why."""
        hook = self.hook_file(path)
        hook.write_text(hook.read_text().replace("Lands-in", f"{text}\nLands-in", 1))

    def mend(self, name, path, old, new):
        """A mend of that name, made from the source with NEW in OLD's place."""
        base, work = self.place / f"{name}-base", self.place / name
        shutil.copytree(self.source, base)
        shutil.copytree(self.source, work)
        self.edit(path, old, new, work)
        said = self.works("refresh", "--mend", name, "--pristine", str(base), str(work))
        write(self.top / f"kernel/mends/{name}/message",
              f"SPDX-License-Identifier: GPL-2.0-only\n\nbox: Mend {name}\n\nIt was broken.\n\nGain: it works.\n")
        return said
