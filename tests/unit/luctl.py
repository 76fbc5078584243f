# SPDX-License-Identifier: GPL-2.0-only
"""luctl with sanitizers, and machines made up for it.

What would load or start a kernel is a stand-in (user/kexec.c), linked in.
"""

import functools
import json
import os
import shutil
import struct
import subprocess
import tempfile
import unittest
from pathlib import Path

import schema

ROOT = Path(__file__).resolve().parents[2]
HEADER = ROOT / "kernel/overlay/include/linux/kho/abi/image.h"
OUT = ROOT / "build/user-test"
STANDIN = ROOT / "tests/unit/user/kexec.c"
SANITIZE = "-O1 -g -fsanitize=address,undefined -fno-sanitize-recover=all"
WRAPPED = "-Wl,--wrap=syscall,--wrap=reboot,--wrap=sync"

WRITES = "kho-v4\nluo-v5\niommu-v2-4k\n"
LINE = "console=ttyS0 liveupdate=on"
GROUPS = "/sys/kernel/iommu_groups"
PCI = "/sys/bus/pci/devices"


def make(*args):
    done = subprocess.run(["make", "-s", *args], cwd=ROOT, text=True, check=False,
                          stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
    if done.returncode:
        raise AssertionError(f"make {' '.join(args)}:\n{done.stdout}")


@functools.cache
def built():
    """The program, and what it needs of the environment."""
    OUT.mkdir(parents=True, exist_ok=True)
    standin = OUT / "kexec.o"
    subprocess.run(["cc", "-Wall", "-Wextra", "-Werror", "-D_GNU_SOURCE", "-c", "-o", standin, STANDIN],
                   check=True)
    make("-C", "luctl", f"OUT={OUT}", f"CFLAGS={SANITIZE} -Werror", f"LDFLAGS={WRAPPED} {standin}",
         f"{OUT}/luctl/luctl")
    return OUT / "luctl/luctl", {"LD_LIBRARY_PATH": str(OUT / "lib")}


@functools.cache
def constants():
    import re
    text = HEADER.read_text()
    return {name: int(val, 0) for name, val in
            re.findall(r"#define LU_IMAGE_(\w+)\s+(0x[0-9a-fA-F]+|\d+)(?:ULL)?", text)}


def said(names, count=None, length=None):
    """What an image says that reads these."""
    known = constants()
    body = b"".join(name.encode().ljust(known["NAME_LEN"], b"\0") for name in names)
    return struct.pack("<QQII", known["MAGIC0"], known["MAGIC1"],
                       24 + len(body) if length is None else length,
                       len(names) if count is None else count) + body


class Done:
    def __init__(self, done):
        self.code, self.out, self.err = done.returncode, done.stdout, done.stderr


class Case(unittest.TestCase):
    """A machine where nothing stands against a live update, below self.root."""

    def setUp(self):
        self.place = Path(tempfile.mkdtemp(prefix="luctl-test-"))
        self.addCleanup(shutil.rmtree, self.place, ignore_errors=True)
        self.root = self.place / "root"
        self.bin = self.place / "bin"
        self.bin.mkdir()
        self.log = self.place / "log"
        self.image = self.place / "bzImage"
        self.image.write_bytes(b"\0" * 32 + said(WRITES.split()))
        self.file("/proc/1/comm", "init\n")
        (self.root / "proc/1/fd").mkdir()
        self.file("/proc/cmdline", f"BOOT_IMAGE=/vmlinuz {LINE} initrd=/x\n")
        self.file("/proc/interrupts", " 24: 0 IR-PCI-MSI 0-edge eth0\n")
        self.file("/proc/sys/kernel/random/boot_id", "this-boot\n")
        self.file("/sys/kernel/liveupdate/writes", WRITES)
        self.file("/sys/kernel/liveupdate/reads", WRITES)
        self.file("/sys/kernel/liveupdate/sessions", "")
        self.file("/sys/kernel/liveupdate/iommu", "")
        self.file("/sys/kernel/kexec_loaded", "0\n")
        self.file("/dev/liveupdate", "")

    # what there is

    def file(self, path, text):
        place = self.root / path.lstrip("/")
        place.parent.mkdir(parents=True, exist_ok=True)
        if isinstance(text, bytes):
            place.write_bytes(text)
        else:
            place.write_text(text)
        return place

    def gone(self, path):
        (self.root / path.lstrip("/")).unlink()

    def link(self, path, target):
        place = self.root / path.lstrip("/")
        place.parent.mkdir(parents=True, exist_ok=True)
        place.unlink(missing_ok=True)
        place.symlink_to(target)

    def process(self, pid, comm, *fds, cmdline=None, unit=None):
        self.file(f"/proc/{pid}/comm", f"{comm}\n")
        self.file(f"/proc/{pid}/cmdline", (cmdline or comm) + "\0")
        if unit:
            self.file(f"/proc/{pid}/cgroup", f"0::/system.slice/{unit}\n")
        (self.root / f"proc/{pid}/fd").mkdir(exist_ok=True)
        for n, target in enumerate(fds, start=3):
            self.link(f"/proc/{pid}/fd/{n}", target)

    def session(self, name, state="outgoing", files=()):
        place = self.root / "sys/kernel/liveupdate/sessions"
        text = "".join(f"file {token} {kind} {file}\n" for token, kind, file in files)
        place.write_text(place.read_text() + f"session {state} {len(files)} {name}\n{text}")

    def device(self, bdf="0000:00:05.0", group=5, cdev="vfio0"):
        self.link(f"/sys/bus/pci/drivers/vfio-pci/{bdf}", f"../../{bdf}")
        self.link(f"{PCI}/{bdf}/iommu_group", f"../../../kernel/iommu_groups/{group}")
        self.file(f"{PCI}/{bdf}/power_state", "D0\n")
        self.file(f"{GROUPS}/{group}/devices/{bdf}", "")
        if cdev:
            (self.root / f"sys/bus/pci/devices/{bdf}/vfio-dev/{cdev}").mkdir(parents=True)
        return bdf

    def command(self, name, text):
        place = self.bin / name
        place.write_text(f"#!/bin/sh\n{text}\n")
        place.chmod(0o755)

    def systemd(self, version=262, text=""):
        """systemctl knows its version, and says TEXT for the rest."""
        self.file("/run/systemd/system/x", "")
        self.command("systemctl", f'[ "$1" = --version ] && {{ echo "systemd {version} (x)"; exit; }}\n'
                     f'[ "$1" = kexec ] && {{ echo "systemctl kexec" >>{self.log}; exit ${{KEXEC_CODE-0}}; }}\n{text}')

    # what luctl says about it

    def luctl(self, verb, *args, env=None):
        program, needs = built()
        done = subprocess.run(
            [program, verb, "--root", self.root, *args], text=True, check=False, timeout=120,
            stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
            env=needs | {"PATH": f"{self.bin}:{os.environ['PATH']}", "STANDIN_LOG": str(self.log),
                         "STANDIN_LOADED": str(self.root / "sys/kernel/kexec_loaded")} | (env or {}))
        self.assertIn(done.returncode, (0, 1, 2), done.stderr)
        self.assertNotIn("Sanitizer", done.stderr)
        return Done(done)

    def answer(self, verb, *args, code=0, **more):
        """The JSON of a verb, which has to be as its schema says."""
        done = self.luctl(verb, "--json", *args, **more)
        self.assertEqual(done.code, code, done.out + done.err)
        found = json.loads(done.out)
        schema.check(found, json.loads((ROOT / f"luctl/schema/{verb}.json").read_text()))
        return found

    def check_says(self, level, code, *args, subject=None, now=True, env=None):
        """The check ends as LEVEL says, and this is the only finding of it."""
        found = self.answer("check", *(["--now"] if now else []), *args, str(self.image), env=env,
                            code={"refused": 1, "unknown": 2}.get(level, 0))
        worst = [f for f in found["findings"] if f["level"] in ("refused", "unknown")]
        if level in ("refused", "unknown"):
            self.assertEqual([f["code"] for f in worst], [code], worst)
            self.assertEqual(worst[0]["level"], level)
        hits = [f for f in found["findings"] if (f["code"], f["level"]) == (code, level)]
        self.assertTrue(hits, found["findings"])
        if subject:
            self.assertIn(subject, [f["subject"] for f in hits])
        return hits[0]

    def logged(self):
        return self.log.read_text().splitlines() if self.log.exists() else []
