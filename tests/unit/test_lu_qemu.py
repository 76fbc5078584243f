# SPDX-License-Identifier: GPL-2.0-only
"""lu-qemu with a real QEMU, whose guest runs on whatever is refused. [E7]

There is no kernel with live update below: that it ends well is shown in machines. Here it never gets that far.
"""

import contextlib
import json
import os
import re
import shutil
import socket
import subprocess
import sys
import tempfile
import unittest
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / "tests/vm"))
sys.dont_write_bytecode = True

from host import emulator  # noqa: E402

OUT = ROOT / "build/user"
MEMORY = ["-object", "memory-backend-memfd,id=ram0,size=32M,share=on"]
MACHINE = ["-accel", "tcg", "-nodefaults", "-display", "none", "-m", "32", "-S"]


def make(*words):
    subprocess.run(["make", "-s", *map(str, words)], check=True)


class State(unittest.TestCase):
    """The reader of QEMU's state, with ASan: of QEMU 11.1 as it was seen, and broken."""

    def read(self, data):
        make("-C", ROOT / "tests/unit/user", OUT / "test/cpr")
        with tempfile.NamedTemporaryFile() as file:
            file.write(data)
            file.flush()
            done = subprocess.run([OUT / "test/cpr", file.name], capture_output=True, text=True, check=False)
        self.assertEqual((done.returncode, done.stderr), (0, ""))
        return done.stdout.splitlines()

    @staticmethod
    def number(value):
        return value.to_bytes(4, "big", signed=value < 0)

    def name(self, text):
        return self.number(len(text) + 1) + text.encode() + b"\0"

    def state(self, version=1, section="CprState/vfio devices"):
        files = [("ram0", 0, 11), ("iommufd0", 0, 12), ("0000:00:05.0", 0, 13), ("0000:00:05.0_kvm_interrupt", 3, 14)]
        data = b"QCPR" + self.number(version)
        for name, number, fd in files:
            data += b"\1" + self.name(name) + self.number(number) + self.number(fd)
        data += b"\0\5" + bytes([len(section)]) + section.encode() + self.number(1)
        data += b"\1" + self.name("0000:00:05.0") + self.number(1) + self.number(2) + self.number(3)
        return data + b"\0"

    def test_is_read_and_written_again(self):
        said = self.read(self.state())
        self.assertIn("file 0000:00:05.0_kvm_interrupt 3 14", said)
        self.assertIn("device 0000:00:05.0 1 2 3", said)
        self.assertEqual(said[-3:], ["same 1", "cut 1", "changed 1"])

    def test_another_version_is_refused(self):
        self.assertEqual(self.read(self.state(version=2)), ["refused 95"])

    def test_anything_else_is_refused(self):
        for data in (b"", b"QEVM" + bytes(64), self.state() + b"x", self.state(section="CprState/vfio gadgets")):
            self.assertEqual(self.read(data), ["refused 74"])


class Manual(unittest.TestCase):
    """The page says what the program can, and is well formed."""

    @classmethod
    def setUpClass(cls):
        make("-C", ROOT / "vmm", OUT / "vmm/lu-qemu", OUT / "vmm/lu-qemu.1")

    def test_has_what_the_help_has(self):
        said = subprocess.run([OUT / "vmm/lu-qemu", "--help"], capture_output=True, text=True, check=True).stdout
        page = (ROOT / "vmm/man/lu-qemu.1.scd").read_text()
        verbs = re.findall(r"^  (\w+) +\w", said.split("Options:")[0], re.M)
        options = set(re.findall(r"^  (--\w+)", said, re.M)) - {"--help", "--version"}
        self.assertEqual(len(verbs), 5)
        for verb in verbs:
            self.assertIn(f"\n*{verb}* _NAME_", page)
        for option in options:
            self.assertIn(f"\n*{option}*", page)

    @unittest.skipUnless(shutil.which("mandoc"), "no mandoc here")
    def test_is_well_formed(self):
        said = subprocess.run(["mandoc", "-T", "lint", "-W", "warning", OUT / "vmm/lu-qemu.1"],
                              capture_output=True, text=True, check=False).stdout
        self.assertEqual(said, "")


class Guest(unittest.TestCase):
    """A machine that stands before its first instruction is one as good as any."""

    @classmethod
    def setUpClass(cls):
        make("-C", ROOT / "vmm", OUT / "vmm/lu-qemu")
        cls.qemu = emulator.program(emulator.NEWER)

    def setUp(self):
        stack = contextlib.ExitStack()
        self.addCleanup(stack.close)
        self.dir = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="lu-")))
        # Who asks whether there is a keeper finds one; the guest's own process does not.
        self.luod = stack.enter_context(socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET))
        self.luod.bind(str(self.dir / "luod"))
        self.luod.listen(8)

    def lu_qemu(self, verb, *words, name="vm1", **env):
        return subprocess.run([OUT / "vmm/lu-qemu", verb, "--dir", self.dir, *words, name], capture_output=True,
                              text=True, check=False,
                              env={**os.environ, "LUOD_SOCKET": str(self.dir / "luod"), **env})

    def start(self, *words, **env):
        """As a service would: one process from here to the end."""
        self.process = subprocess.Popen([OUT / "vmm/lu-qemu", "run", "--dir", self.dir, "vm1", "--", self.qemu,
                                         *MACHINE, *words], stderr=subprocess.PIPE, text=True, env={**os.environ, **env})
        self.addCleanup(self.end)
        self.wait_for("prelaunch")

    def wait_for(self, status):
        """It is QEMU, or becomes it again, and ends when it cannot."""
        while self.process.poll() is None:
            with contextlib.suppress(OSError, ValueError):
                if self.ask("query-status")["status"] == status:
                    return
        self.fail(self.process.stderr.read())

    def end(self):
        self.process.kill()
        self.process.communicate()

    def ask(self, command, **arguments):
        with socket.socket(socket.AF_UNIX) as sock:
            sock.connect(str(self.dir / "vm1.qmp"))
            with sock.makefile("rw") as file:
                file.readline()
                for one in ({"execute": "qmp_capabilities"}, {"execute": command, "arguments": arguments}):
                    file.write(json.dumps(one))
                    file.flush()
                    while "event" in (said := json.loads(file.readline())):
                        pass
        return said["return"]

    def words(self):
        return Path(f"/proc/{self.process.pid}/cmdline").read_text().split("\0")

    def good(self, *words, **env):
        self.start("-M", "q35,memory-backend=ram0,aux-ram-share=on", *MEMORY, *words, **env)

    def refused(self, text, **env):
        done = self.lu_qemu("save", **env)
        self.assertEqual(done.returncode, 1, done.stderr)
        self.assertIn(text, done.stderr)
        self.wait_for("running")

    def test_a_guest_runs_on_where_the_kernel_refuses(self):
        self.good()
        self.ask("cont")
        before = self.words()
        for _ in range(3):
            self.refused("/dev/liveupdate")
            again = [word for word in before[:-1] if word != "-S"]
            self.assertEqual(self.words(), again + ["-incoming", f"file:{self.dir}/vm1.stream", ""])

    def test_one_that_nobody_would_keep_is_refused_while_it_runs(self):
        self.good()
        self.ask("cont")
        self.luod.close()
        self.refused("luod does not run")
        self.assertNotIn("-incoming", self.words())

    def test_a_store_is_one_where_it_outlives_the_kexec(self):
        self.good(FDSTORE="16")
        self.ask("cont")
        self.luod.close()
        for version, why in (260, "luod does not run"), (261, "/dev/liveupdate"):
            self.systemctl(f"systemd {version} ({version}-1)")
            self.refused(why, PATH=f"{self.dir}:{os.environ['PATH']}")

    def test_one_whose_qemu_is_not_there_any_more_is_lost(self):
        """And that is said: what held it had let it go."""
        real, self.qemu = Path(self.qemu), self.dir / "qemu"
        shutil.copy(real, self.qemu)
        (self.dir / "root").symlink_to(real.parent / "root")
        self.good()
        self.ask("cont")
        (self.dir / "root").unlink()
        done = self.lu_qemu("save")
        self.assertEqual(done.returncode, 3, done.stderr)
        self.assertIn("'vm1' is lost", done.stderr)

    def test_what_qemu_refuses_leaves_its_next_migration_as_it_was(self):
        self.good()
        self.ask("cont")
        before = self.ask("query-migrate-parameters")["mode"]
        (self.dir / "vm1.stream").mkdir()
        self.refused("'vm1' runs on")
        self.assertNotIn("-incoming", self.words())
        self.assertEqual(self.ask("query-migrate-parameters")["mode"], before)

    def systemctl(self, text):
        """One of ours, that says this."""
        file = self.dir / "systemctl"
        file.write_text(f"#!/bin/sh\necho '{text}'\n")
        file.chmod(0o755)

    def test_one_that_stands_still_stays_so(self):
        self.good()
        self.ask("cont")
        self.ask("stop")
        self.assertEqual(self.lu_qemu("save").returncode, 1)
        self.wait_for("paused")

    def test_it_is_one_process(self):
        self.good()
        self.ask("cont")
        self.refused("/dev/liveupdate")
        self.assertIsNone(self.process.poll())

    def test_memory_of_qemus_own_is_refused_while_it_runs(self):
        self.start("-M", "q35,aux-ram-share=on")
        self.ask("cont")
        self.refused("memory-backend-memfd")
        self.assertNotIn("-incoming", self.words())

    def test_private_memory_is_refused_while_it_runs(self):
        self.start("-M", "q35,memory-backend=ram0,aux-ram-share=on", "-object",
                   "memory-backend-memfd,id=ram0,size=32M,share=off")
        self.ask("cont")
        self.refused("share=on")
        self.assertNotIn("-incoming", self.words())

    def test_memory_of_its_devices_is_refused_while_it_runs(self):
        self.start("-M", "q35,memory-backend=ram0", *MEMORY)
        self.ask("cont")
        self.refused("aux-ram-share")
        self.assertNotIn("-incoming", self.words())

    def test_signals_reach_it_as_before(self):
        self.good()
        self.ask("cont")
        before = self.blocked()
        self.refused("/dev/liveupdate")
        self.assertEqual(self.blocked(), before)

    def blocked(self):
        return re.search(r"SigBlk:\s*(\w+)", Path(f"/proc/{self.process.pid}/status").read_text())[1]

    def test_one_that_minds_no_button_is_ended(self):
        self.good()
        self.ask("cont")
        done = self.lu_qemu("stop", "--timeout", "5")
        self.assertEqual(done.returncode, 0, done.stderr)
        self.process.wait(60)

    def test_one_that_is_not_preserved_is_shut_down(self):
        """The host is about to kexec, says a systemctl of ours."""
        self.systemctl(17)
        self.good()
        self.ask("cont")
        done = self.lu_qemu("stop", "--timeout", "5", PATH=f"{self.dir}:{os.environ['PATH']}")
        self.assertEqual(done.returncode, 0, done.stderr)
        self.assertIn("'vm1' was not preserved, and runs on", done.stderr)
        self.assertIn("'vm1' is shut down", done.stderr)
        self.process.wait()

    def test_one_that_has_ended_is_stopped(self):
        self.assertEqual(self.lu_qemu("stop", name="vm2").returncode, 0)

    def test_nothing_to_resume(self):
        self.good()
        done = self.lu_qemu("resume")
        self.assertEqual(done.returncode, 1)
        self.assertIn("not preserved", done.stderr)

    def test_no_guest(self):
        done = self.lu_qemu("save", name="vm2")
        self.assertEqual(done.returncode, 1)
        self.assertIn("cannot be reached", done.stderr)

    def test_all_that_run(self):
        """What luctl asks; one that has ended has left its monitor's socket."""
        self.assertEqual(self.all_of(), (0, ""))
        self.good()
        code, said = self.all_of()
        self.assertEqual(code, 1)
        self.assertRegex(said, r"^lu-qemu: 'vm1': [^\n]+\.\n$")
        code, said = self.all_of("--now")
        self.assertEqual(code, 1)
        self.assertIn("'lu-qemu save vm1' preserves it", said)
        self.process.kill()
        self.process.wait()
        self.assertTrue((self.dir / "vm1.qmp").exists())
        self.assertEqual(self.all_of("--now"), (0, ""))

    def all_of(self, *words):
        """As luctl runs it, but for where guests are."""
        make("-C", ROOT / "vmm", f"OUT={self.dir}", f"BINDIR={OUT}/vmm", self.dir / "vmm/luctl-check")
        done = subprocess.run(["sh", self.dir / "vmm/luctl-check", "--dir", self.dir, *words], capture_output=True, text=True,
                              check=False)
        self.assertEqual(done.stderr, "")
        return done.returncode, done.stdout

    def test_what_is_meant(self):
        for words in (["save"], ["save", "a/b"], ["run", "vm1"], ["leave", "vm1"], ["save", "vm1", "vm2"],
                      ["save", "--timeout", "x", "vm1"]):
            done = subprocess.run([OUT / "vmm/lu-qemu", *words], capture_output=True, text=True, check=False)
            self.assertEqual(done.returncode, 2, words)
            self.assertTrue(done.stderr)


if __name__ == "__main__":
    unittest.main()
