# SPDX-License-Identifier: GPL-2.0-only
"""The Ansible role for fleets: its form, and what it decides. [E8]

The host below is this machine with programs that stand in for its own. tests/host/run --story fleet rolls real ones.
"""

import json
import os
import re
import shutil
import struct
import subprocess
import tempfile
import unittest
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
FLEET = ROOT / "fleet"
ROLE = FLEET / "roles/liveupdate"
BUILD = "#1 SMP PREEMPT_DYNAMIC Thu Jan  1 00:00:00 UTC 1970"

# Ansible wants it, and tests/run has every other program in C
UTF8 = {"LC_ALL": "C.UTF-8"}
# PLACE has what the host is like, a file for each; "calls" is what it was asked to do.
PROGRAMS = {
    "uname": '[ "$1" = -r ] && cat PLACE/running || echo "' + BUILD + '"',
    "cat": '[ "$1" != /proc/sys/kernel/random/boot_id ] || set -- PLACE/boot\nexec /bin/cat "$@"',
    "systemctl": 'case $* in\n*KExecCount*) cat PLACE/kexecs ;;\n*--failed*) cat PLACE/failed ;;\n'
                 '*is-system-running*) echo running ;;\nesac',
    "luctl": 'echo "luctl $*" >>PLACE/calls\ncase $1 in\ncheck) cat PLACE/answer; exit $(cat PLACE/code) ;;\n'
             'update) . PLACE/update ;;\nwatch) echo "1 session is left"; exit $(cat PLACE/left) ;;\nesac',
    "dpkg-query": "cat PLACE/packages",
    "apt-get": 'echo "apt-get $*" >>PLACE/calls\necho more >>PLACE/packages',
}
UPDATED = "echo second >PLACE/boot\necho 1 >PLACE/kexecs\n"


def image(release, build=BUILD):
    """As much of a bzImage as says which kernel it is."""
    head = bytearray(1024)
    head[514:518] = b"HdrS"
    struct.pack_into("<H", head, 526, 512)
    return bytes(head) + f"{release} (ktree@localhost) {build}".encode() + b"\0" * 600


def finding(level, code, text):
    return {"level": level, "area": "image", "code": code, "subject": None, "text": text, "hint": None, "ignored": False}


def answer(*findings):
    reasons = [f["text"] for f in findings if f["level"] == "refused"]
    return json.dumps({"schema": 1, "verb": "check", "image": None, "taken": not reasons, "reasons": reasons,
                       "findings": findings})


class Form(unittest.TestCase):
    def run_there(self, *words):
        with tempfile.TemporaryDirectory(prefix="fleet-test-") as home:
            done = subprocess.run(words, cwd=FLEET, text=True, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
                                  stdin=subprocess.DEVNULL, check=False,
                                  env=os.environ | UTF8 | {"HOME": home, "NO_COLOR": "1"})
        return done.returncode, done.stdout

    def test_lint(self):
        code, said = self.run_there("ansible-lint", "--offline", "--profile", "production")
        self.assertEqual(code, 0, said)
        # the control: it does look at the role
        self.assertRegex(said, r"0 failure\(s\).* on 1\d files")

    def test_lint_notices(self):
        with tempfile.TemporaryDirectory(prefix="fleet-test-") as place:
            copy = Path(place) / "fleet"
            shutil.copytree(FLEET, copy)
            file = copy / "roles/liveupdate/tasks/watch.yml"
            file.write_text(file.read_text().replace("  changed_when: false\n", ""))
            done = subprocess.run(["ansible-lint", "--offline"], cwd=copy, text=True, capture_output=True, check=False,
                                  env=os.environ | UTF8 | {"HOME": place})
        self.assertNotEqual(done.returncode, 0)
        self.assertIn("no-changed-when", done.stdout)

    def test_syntax(self):
        code, said = self.run_there("ansible-playbook", "-i", "localhost,", "--syntax-check", "roll.yml")
        self.assertEqual(code, 0, said)

    def test_one_after_another(self):
        text = (FLEET / "roll.yml").read_text()
        self.assertRegex(text, "(?m)^  serial: 1$")
        self.assertRegex(text, "(?m)^  max_fail_percentage: 0$")

    def test_defaults_are_documented(self):
        defaults = dict(re.findall(r"^(liveupdate_\w+): (.+)$", (ROLE / "defaults/main.yml").read_text(), re.M))
        options = dict(re.findall(r"^      (liveupdate_\w+):\n((?: {8}.+\n)+)",
                                  (ROLE / "meta/argument_specs.yml").read_text(), re.M))
        said = {name: re.search(r"^ {8}default: (.+)$", one, re.M) for name, one in options.items()}
        self.assertEqual({name: match[1] for name, match in said.items() if match}, defaults)
        self.assertEqual([name for name, one in options.items() if "required: true" in one], ["liveupdate_image"])
        self.assertEqual(set(options), {"liveupdate_image", *defaults})
        self.assertGreater(len(defaults), 5)
        text = (ROLE / "README.md").read_text()
        self.assertEqual(set(re.findall(r"^\| `(liveupdate_\w+)` \|", text, re.M)), set(options))

    def test_nothing_but_what_ansible_core_has(self):
        for file in FLEET.rglob("*.yml"):
            for name in re.findall(r"^ *(?:- )?([a-z_]+\.[a-z_]+\.[a-z_]+):", file.read_text(), re.M):
                self.assertTrue(name.startswith("ansible.builtin."), f"{file}: {name}")


class Host(unittest.TestCase):
    """What runs on it are stand-ins; who decides is the role."""

    def setUp(self):
        self.place = Path(tempfile.mkdtemp(prefix="fleet-test-"))
        self.addCleanup(shutil.rmtree, self.place, ignore_errors=True)
        (self.place / "bin").mkdir()
        for name, text in PROGRAMS.items():
            file = self.place / "bin" / name
            file.write_text("#!/bin/sh\n" + text.replace("PLACE", str(self.place)) + "\n")
            file.chmod(0o755)
        self.set(running="7.3.4-lu", boot="first", kexecs="0", failed="", code="0", left="0", packages="",
                 answer=answer(finding("ok", "version", "reads kho-v4")), update=UPDATED)
        self.image = self.place / "vmlinuz"
        # its file is newer than this machine's boot: another build
        self.image.write_bytes(image("7.3.4-lu"))

    def set(self, **files):
        for name, text in files.items():
            (self.place / name).write_text(text.replace("PLACE", str(self.place)) + "\n")

    def roll(self, *words, **more):
        more = {"liveupdate_image": str(self.image), "ansible_connection": "local", "ansible_become": False,
                "liveupdate_reach_seconds": 20} | more
        done = subprocess.run(["ansible-playbook", "-i", "host1,", "-e", json.dumps(more), *words, "roll.yml"],
                              cwd=FLEET, text=True, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, check=False,
                              stdin=subprocess.DEVNULL, env=os.environ | UTF8 | {
                                  "PATH": f"{self.place}/bin:{os.environ['PATH']}", "HOME": str(self.place),
                                  "ANSIBLE_NOCOLOR": "1"})
        calls = self.place / "calls"
        self.calls = calls.read_text().splitlines() if calls.exists() else []
        return done.returncode, done.stdout

    def works(self, *words, **more):
        code, said = self.roll(*words, **more)
        self.assertEqual(code, 0, said)
        return said

    def fails(self, why, **more):
        code, said = self.roll(**more)
        self.assertEqual(code, 2, said)
        self.assertIn(why, re.sub(r"\s+", " ", said))
        return said

    def asked(self, verb):
        return [call for call in self.calls if call.startswith(f"luctl {verb}")]

    def test_updates(self):
        said = self.works(liveupdate_options=["--ignore=ats"])
        self.assertEqual(self.calls, [f"luctl check --json --ignore=ats {self.image}",
                                      f"luctl update --ignore=ats {self.image}", "luctl watch --timeout 60"])
        self.assertIn("image: reads kho-v4 (ok)", said)

    def test_leaves_who_is_refused(self):
        self.set(code="1", answer="noise\n" + answer(finding("ok", "load", "can be loaded"),
                                                      finding("refused", "version", "the image does not read iommu-v9")))
        said = self.fails("host1 is left as it is: the image does not read iommu-v9")
        self.assertIn("image: the image does not read iommu-v9 (refused, version)", said)
        self.assertIn("image: can be loaded (ok)", said)
        self.assertEqual(len(self.calls), 1)

    def test_leaves_whom_it_cannot_ask(self):
        self.set(code="127", answer="luctl: not found")
        self.fails("luctl check says nothing that can be read: luctl: not found")
        self.assertEqual(len(self.calls), 1)

    def test_leaves_who_refuses_late(self):
        self.set(update="echo the kernel has refused; exit 1")
        self.fails("host1 is left as it is: the kernel has refused")
        self.assertEqual(self.asked("watch"), [])

    def test_image_that_says_no_release(self):
        self.image.write_bytes(b"MZ" + b"\0" * 2000)
        self.fails("no bzImage with a version in it")
        self.assertEqual(self.asked("update"), [])

    def test_same_boot(self):
        self.set(update="")
        self.fails("host1 has not been seen in another boot in 20 s")

    def test_boot_from_firmware(self):
        self.set(update=UPDATED + "echo 0 >PLACE/kexecs\n")
        self.fails("host1 has booted anew")

    def test_another_kernel(self):
        self.set(update=UPDATED + "echo 7.3.3 >PLACE/running\n")
        self.fails("host1 runs 7.3.3, not 7.3.4-lu")

    def test_units_that_fail(self):
        self.set(failed="old.service loaded failed failed", update=UPDATED)
        self.works()
        self.set(boot="first", kexecs="0", update=UPDATED + "echo new.service loaded failed failed >>PLACE/failed\n")
        self.fails("host1 has units that failed in the update: new.service")

    def test_systemd_that_does_not_count(self):
        self.set(kexecs="", update="echo second >PLACE/boot\n")
        self.works()

    def test_something_is_left(self):
        self.set(left="1")
        self.fails("host1 is not finished: 1 session is left")

    def test_running_already(self):
        """What is older than the boot, and says the same of itself, is what runs."""
        old = self.place / "bin/stat"
        old.write_text("#!/bin/sh\necho 1\n")
        old.chmod(0o755)
        said = self.works()
        self.assertIn("already, the same release and build", re.sub(r"\s+", " ", said))
        self.assertRegex(said, r"changed=0 ")
        self.assertEqual(self.calls, ["luctl watch --timeout 60"])
        # NAME=VALUE is text
        self.works("-e", "liveupdate_force=false liveupdate_reach_seconds=20")
        self.assertEqual(self.asked("update"), [])
        self.works("-e", "liveupdate_force=true liveupdate_reach_seconds=20")
        self.assertEqual(len(self.asked("update")), 1)
        for other in (image("7.3.5-lu"), image("7.3.4-lu", BUILD.replace("#1", "#2"))):
            self.image.write_bytes(other)
            self.set(boot="first", kexecs="0", update=UPDATED + "echo 7.3.5-lu >PLACE/running\n")
            self.roll()
            self.assertEqual(len(self.asked("update")), 2)
            self.set(running="7.3.4-lu")
            (self.place / "calls").write_text("luctl update\n")

    def test_check_mode_changes_nothing(self):
        said = self.works("--check", liveupdate_prepare="touch PLACE/prepared".replace("PLACE", str(self.place)))
        self.assertEqual(self.calls, [f"luctl check --json {self.image}"])
        self.assertIn("would be taken from 7.3.4-lu", said)
        self.assertRegex(said, r"changed=1 ")
        self.assertFalse((self.place / "prepared").exists())
        self.set(code="1", answer=answer(finding("refused", "no-list", "the image says nothing")))
        code, said = self.roll("--check")
        self.assertEqual(code, 2, said)

    def test_check_mode_before_packages(self):
        self.image.unlink()
        said = self.works("--check", liveupdate_packages=["linux-image-7.3.4-lu"])
        self.assertIn("apt would install linux-image-7.3.4-lu", said)
        self.assertIn("so nobody knows yet whether it would be refused", re.sub(r"\s+", " ", said))
        self.assertEqual(self.calls, [])

    def test_owners_preserve_before(self):
        self.works(liveupdate_prepare=f"echo prepare >>{self.place}/calls")
        self.assertEqual([call.split()[0] for call in self.calls], ["luctl", "prepare", "luctl", "luctl"])


if __name__ == "__main__":
    unittest.main()
