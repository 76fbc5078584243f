# SPDX-License-Identifier: GPL-2.0-only
"""scripts/setup on machines where something is missing; apt is a stand-in."""

import os
import shutil
import subprocess
import tempfile
import unittest
from pathlib import Path

SETUP = Path(__file__).resolve().parents[2] / "scripts/setup"
# What setup itself needs from a bare machine.
BARE = "bash cat grep head id mktemp rm sed sort tail"

APT = """#!/bin/bash
echo "$*" >>PLACE/calls
[[ $* == *update* && -n $OFFLINE ]] && { echo "E: Failed to fetch x  Could not resolve 'x'"; exit 100; }
[[ $* == *install* && -n $FULL ]] && { echo "E: You don't have enough free space: not have enough free space"; exit 100; }
if [[ $* == *install* ]]; then
	[[ -n $STALE && ! -e PLACE/updated ]] && { echo "E: Unable to locate package ccache"; exit 100; }
	printf '#!/bin/sh\\n' >PLACE/bin/ccache; /bin/chmod +x PLACE/bin/ccache
fi
[[ $* == *update* ]] && : >PLACE/updated
exit 0
"""


class Machine(unittest.TestCase):
    """One that has everything but ccache."""

    def setUp(self):
        self.place = Path(tempfile.mkdtemp(prefix="setup-test-"))
        self.addCleanup(shutil.rmtree, self.place, ignore_errors=True)
        self.bin = self.place / "bin"
        self.bin.mkdir()
        for name in BARE.split():
            (self.bin / name).symlink_to(shutil.which(name))
        for line in SETUP.read_text().split("<<'END'\n")[1].split("\nEND")[0].splitlines():
            probe = line.split()[0]
            if not probe.startswith("/") and probe != "ccache" and not (self.bin / probe).exists():
                self.command(probe, "#!/bin/sh\n")
        self.command("qemu-system-x86_64", "#!/bin/sh\necho 'QEMU emulator version 7.2.9 (Debian)'\n")
        self.command("dpkg", "#!/bin/sh\n")
        self.command("apt-get", APT.replace("PLACE", str(self.place)))

    def command(self, name, text):
        (self.bin / name).unlink(missing_ok=True)
        (self.bin / name).write_text(text)
        (self.bin / name).chmod(0o755)

    script = SETUP

    def setup(self, *args, **env):
        done = subprocess.run([shutil.which("bash"), self.script, *args], env={"PATH": str(self.bin)} | env, text=True, check=False,
                              stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, timeout=120)
        return done.returncode, done.stdout

    def fails(self, *words, **env):
        status, said = self.setup(**env)
        self.assertNotEqual(status, 0, said)
        for word in words:
            self.assertIn(word, said)

    def not_root(self):
        self.command("id", "#!/bin/sh\necho 1000\n")


class Setup(Machine):
    def test_installs_what_is_missing(self):
        self.command("id", "#!/bin/sh\necho 0\n")
        self.assertEqual(self.setup(), (0, "setup: installing ccache\n"))
        self.assertIn("--no-install-recommends ccache", (self.place / "calls").read_text())

    def test_nothing_missing_needs_no_root(self):
        self.command("ccache", "#!/bin/sh\n")
        self.not_root()
        self.assertEqual(self.setup(), (0, ""))

    def test_stale_package_lists(self):
        self.command("id", "#!/bin/sh\necho 0\n")
        status, said = self.setup(STALE="1")
        self.assertEqual(status, 0, said)

    def test_firmware_of_debian_12_and_13(self):
        """The two releases have the network card's firmware in different places."""
        self.command("id", "#!/bin/sh\necho 0\n")
        text = SETUP.read_text()
        places = ["/usr/lib/ipxe/qemu/efi-e1000e.rom", "/usr/share/qemu/efi-e1000e.rom"]
        for place in places:
            self.assertIn(place, text)
            text = text.replace(place, f"{self.place}{place}")
        self.script = self.place / "setup"
        self.script.write_text(text)
        self.fails("installing ccache ipxe-qemu", "still missing after installing: ipxe-qemu")
        for place in places:
            file = Path(f"{self.place}{place}")
            file.parent.mkdir(parents=True)
            file.write_text("")
            self.assertEqual(self.setup(), (0, ""))
            file.unlink()

    def test_sudo(self):
        self.not_root()
        self.command("true", "#!/bin/sh\n")
        (self.bin / "env").symlink_to(shutil.which("env"))
        self.command("sudo", '#!/bin/sh\n[ "$1" = -n ] && shift && exec "$@"\n')
        self.assertEqual(self.setup()[0], 0)

    def test_neither_root_nor_sudo(self):
        self.not_root()
        self.fails("neither root nor able to use sudo", "apt-get install ccache")
        self.assertFalse((self.place / "calls").exists())

    def test_sudo_that_asks(self):
        self.not_root()
        self.command("sudo", "#!/bin/sh\nexit 1\n")
        self.fails("apt-get install ccache")

    def test_no_network(self):
        self.command("id", "#!/bin/sh\necho 0\n")
        self.fails("cannot be reached", "Check the network", OFFLINE="1", STALE="1")

    def test_disk_full(self):
        self.command("id", "#!/bin/sh\necho 0\n")
        self.fails("the disk is full", FULL="1")

    def test_no_apt(self):
        (self.bin / "apt-get").unlink()
        self.fails("There is no apt here", "ccache")

    def test_old_qemu(self):
        self.command("ccache", "#!/bin/sh\n")
        self.command("qemu-system-x86_64", "#!/bin/sh\necho 'QEMU emulator version 6.2.0'\n")
        self.fails("QEMU 6.2.0 is too old", "7.2 or newer")


class Fleet(Machine):
    """What several hosts are rolled with, and the tests of that."""

    def test_ansible_for_fleet_and_tests(self):
        self.command("id", "#!/bin/sh\necho 0\n")
        for use in "fleet", "tests":
            status, said = self.setup(use)
            self.assertNotEqual(status, 0, said)
            self.assertRegex(said, r"installing .*ansible-core ansible-lint")

    def test_a_fleet_is_of_hosts(self):
        self.not_root()
        wants = {}
        for use in "host", "fleet":
            said = self.setup(use)[1]
            wants[use] = set(said.partition("apt-get install ")[2].split())
        self.assertIn("mmdebstrap", wants["host"])
        self.assertEqual(wants["fleet"] - wants["host"], {"ansible-core", "ansible-lint"})
        self.assertEqual(wants["host"] - wants["fleet"], set())

    def test_others_do_without(self):
        self.command("ccache", "#!/bin/sh\n")
        self.not_root()
        self.assertEqual(self.setup(), (0, ""))


class Tests(Machine):
    """The same, and what the tests need; with a machine that wants a newer QEMU."""

    def setUp(self):
        super().setUp()
        for name in "ccache", "ansible-playbook", "ansible-lint":
            self.command(name, "#!/bin/sh\n")
        for folder in "scripts", "tests/vm/machines", "tests/vm/modes":
            (self.place / folder).mkdir(parents=True)
        self.script = self.place / "scripts/setup"
        self.script.write_text(SETUP.read_text())
        self.machine = self.place / "tests/vm/machines/q35-new"
        self.machine.write_text("from    q35-bare\nqemu    newer\n")
        self.fetch("echo program")

    def fetch(self, text):
        file = self.place / "tests/vm/newer-qemu"
        file.write_text(f"#!/bin/bash\n: >{self.place}/fetched\n{text}\n")
        file.chmod(0o755)

    def test_a_newer_qemu_is_fetched_for_the_tests(self):
        self.assertEqual(self.setup(), (0, ""))
        self.assertFalse((self.place / "fetched").exists())
        self.assertEqual(self.setup("tests"), (0, ""))
        self.assertTrue((self.place / "fetched").exists())

    def test_no_machine_wants_one(self):
        self.machine.write_text("# newer than others\nqemu    qemu-system-x86_64\n")
        self.assertEqual(self.setup("tests"), (0, ""))
        self.assertFalse((self.place / "fetched").exists())

    def test_a_mode_wants_one(self):
        self.machine.unlink()
        (self.place / "tests/vm/modes/fast").write_text("qemu    newer\n")
        self.assertEqual(self.setup("tests"), (0, ""))
        self.assertTrue((self.place / "fetched").exists())

    def test_other_tests_run_without_it(self):
        self.fetch("echo 'newer-qemu: no.' >&2; exit 1")
        self.assertEqual(self.setup("tests"),
                         (0, "newer-qemu: no.\nsetup: tests that need a newer QEMU will fail.\n"))
