# SPDX-License-Identifier: GPL-2.0-only
"""luctl check, load and update on machines made up here: what stands against an update."""

import gzip
import os
import shutil
import struct
import subprocess

import luctl
from luctl import LINE, PCI

SESSION = "anon_inode:[luo_session] "
FILES = [("0x1", "memfd-v2", "preserved"), ("0x2", "iommufd-v1", "preserved"),
         ("0x100", "vfio-pci-v1", "preserved")]
STORE = 'case "$*" in *Id,*) printf "Id=vm1.service\\nNFileDescriptorStore=2\\n\\nId=b.service\\n' \
        'NFileDescriptorStore=0\\n" ;; *Preserve*vm1*) echo %s ;; esac'


class Next(luctl.Case):
    """The next kernel, and how it is loaded."""

    def test_nothing_in_the_way(self):
        found = self.answer("check", "--now", str(self.image))
        self.assertTrue(found["taken"])
        self.assertEqual(found["image"]["cmdline"], LINE)
        done = self.luctl("check", "--now", self.image)
        self.assertIn("taken over", done.out)
        self.assertEqual((done.code, done.err), (0, ""))

    def test_version(self):
        self.image.write_bytes(luctl.said(["kho-v4", "luo-v5", "iommu-v1-4k"]))
        self.check_says("refused", "version", subject="iommu-v2-4k")

    def test_kernel_without_it(self):
        self.gone("/sys/kernel/liveupdate/writes")
        self.check_says("refused", "no-liveupdate")

    def test_no_node(self):
        self.gone("/dev/liveupdate")
        self.check_says("refused", "no-node")

    def test_words(self):
        self.check_says("refused", "cmdline", "--append=quiet", subject="liveupdate")
        self.check_says("refused", "cmdline", "--reuse-cmdline", "--append=mem=1G", subject="mem")
        self.check_says("ok", "cmdline", "--reuse-cmdline", "--append=quiet")
        found = self.answer("check", "--now", "--reuse-cmdline", "--append=quiet", str(self.image))
        self.assertEqual(found["image"]["cmdline"], LINE + " quiet")

    def test_mode(self):
        self.file("/proc/cmdline", LINE + " intel_iommu=on,sm_on\n")
        self.check_says("refused", "iommu-mode", f"--append={LINE} intel_iommu=on,sm_off")
        self.check_says("note", "iommu-mode", f"--append={LINE}")
        self.check_says("ok", "cmdline")

    def test_scratch(self):
        self.check_says("refused", "kho-scratch", f"--append={LINE} kho_scratch=1M,2M")
        self.check_says("note", "kho-scratch", f"--append={LINE} kho_scratch=16M,512M,256M")
        self.check_says("note", "kho-scratch", f"--append={LINE} kho_scratch=200%")

    def test_room(self):
        self.file("/sys/kernel/debug/kho/out/scratch_len", "0x100\n0x1000\n")
        self.check_says("ok", "load")
        self.image.write_bytes(self.image.read_bytes() + b"\0" * 4096)
        self.check_says("refused", "no-room")

    def test_loading_is_off(self):
        self.file("/proc/sys/kernel/kexec_load_disabled", "1\n")
        self.check_says("refused", "load-disabled")
        self.file("/proc/sys/kernel/kexec_load_disabled", "0\n")
        self.file("/proc/sys/kernel/kexec_load_limit_reboot", "0\n")
        self.check_says("refused", "load-disabled")
        self.file("/proc/sys/kernel/kexec_load_limit_reboot", "-1\n")
        self.check_says("ok", "load")

    def test_ignored(self):
        self.gone("/dev/liveupdate")
        found = self.check_says("note", "no-node", "--ignore=cmdline", "--ignore=no-node", "--append=quiet")
        self.assertTrue(found["ignored"])

    def test_without_an_image(self):
        def codes(code):
            found = self.answer("check", "--now", code=code)
            return [f["code"] for f in found["findings"] if f["level"] in ("refused", "unknown")]
        self.assertEqual(codes(1), ["nothing-loaded"])
        self.file("/sys/kernel/kexec_loaded", "1\n")
        self.assertEqual(codes(2), ["unknown-loaded"])


class Initrd(luctl.Case):
    def cpio(self, *names):
        place = self.place / "tree"
        shutil.rmtree(place, ignore_errors=True)
        for name in names:
            file = place / name
            file.parent.mkdir(parents=True, exist_ok=True)
            file.write_text("kernel/drivers/vfio/pci/vfio_pci.ko\n" if name.endswith("builtin") else "x" * 1001)
        done = subprocess.run("find . | cpio --quiet -o -H newc", shell=True, cwd=place, check=True,
                              stdout=subprocess.PIPE)
        return done.stdout

    def initrd(self, data):
        path = self.place / "initrd"
        path.write_bytes(data)
        return f"--initrd={path}"

    def test_content(self):
        early = self.cpio("kernel/x86/microcode/GenuineIntel.bin")
        good, bad = self.cpio("lib/modules/7.3/vfio-pci.ko.xz"), self.cpio("lib/modules/7.3/ext4.ko")
        built_in = self.cpio("lib/modules/7.3/modules.builtin")
        for data in (good, gzip.compress(good), early + gzip.compress(good), early + good,
                     early + b"\0" * 512 + gzip.compress(built_in)):
            self.check_says("ok", "initrd", self.initrd(data))
        for data in (bad, early + gzip.compress(bad)):
            self.check_says("note", "no-vfio-pci", self.initrd(data))

    def test_packers(self):
        for packer in ("xz -c", "zstd -cq", "lz4 -cq", "bzip2 -c", "xz -c --format=lzma"):
            if not shutil.which(packer.split()[0]):
                continue
            with self.subTest(packer):
                data = subprocess.run(packer.split(), input=self.cpio("vfio-pci.ko"), check=True,
                                      stdout=subprocess.PIPE).stdout
                self.check_says("ok", "initrd", self.initrd(data))

    def test_broken(self):
        whole = self.cpio("lib/vfio-pci.ko")
        for data in (b"", b"no archive", whole[:50], whole[:150], b"070701" + b"f" * 200,
                     gzip.compress(whole)[:40], gzip.compress(b"x" * 100)):
            self.check_says("note", "not-looked-at", self.initrd(data))
        self.command("zstd", "exit 1")
        self.check_says("note", "not-looked-at", self.initrd(b"\x28\xb5\x2f\xfd" + b"x" * 100))

    def test_missing(self):
        self.check_says("refused", "initrd-unreadable", f"--initrd={self.place}/none")

    def test_beside_the_image(self):
        self.image = self.place / "vmlinuz-7.3-lu"
        self.image.write_bytes(luctl.said(luctl.WRITES.split()))
        self.check_says("note", "no-initrd")
        (self.place / "initrd.img-7.3-lu").write_bytes(self.cpio("vfio-pci.ko"))
        self.check_says("ok", "initrd", subject=str(self.place / "initrd.img-7.3-lu"))
        self.check_says("note", "no-initrd", "--no-initrd")


class Sessions(luctl.Case):
    """Who keeps them, and what shutdown does to that one."""

    def setUp(self):
        super().setUp()
        self.session("vm1", files=FILES)

    def test_at_once_nobody_is_stopped(self):
        self.process(812, "qemu", SESSION + "vm1")
        self.check_says("ok", "kept", subject="vm1")

    def test_a_process(self):
        self.systemd(252)
        self.process(812, "qemu", SESSION + "vm1", unit="vm1.service")
        found = self.check_says("refused", "not-kept", now=False, subject="vm1")
        self.assertIn("pid 812 (qemu), which shutdown kills", found["text"])
        self.assertIn("1 of them device", found["text"])
        self.check_says("note", "not-kept", "--ignore=not-kept", now=False)

    def test_one_that_is_spared(self):
        self.systemd(252)
        self.process(812, "luod", SESSION + "vm1", cmdline="@luod")
        self.check_says("ok", "kept", now=False)
        self.process(812, "luod", SESSION + "vm1", cmdline="/usr/sbin/luod", unit="luod.service")
        self.check_says("refused", "not-kept", now=False)
        self.systemd(257, 'case "$*" in *SurviveFinalKillSignal*luod.service) echo yes ;; esac')
        self.check_says("ok", "kept", now=False)

    def test_the_best_of_several(self):
        self.systemd(252)
        self.process(640, "qemu", SESSION + "vm1")
        self.process(812, "luod", SESSION + "vm1", cmdline="@luod")
        self.assertIn("pid 812", self.check_says("ok", "kept", now=False)["text"])

    def test_stores_of_systemd(self):
        self.process(1, "systemd", SESSION + "vm1")
        self.systemd(252)
        self.check_says("refused", "not-kept", now=False)
        self.systemd(262, STORE % "yes")
        self.check_says("ok", "kept", now=False)
        self.systemd(262, STORE % "restart")
        self.check_says("unknown", "keeper-unknown", now=False)
        self.command("systemd-analyze", f'echo "vm1 anon {SESSION}vm1 rw"')
        found = self.check_says("refused", "not-kept", now=False)
        self.assertIn("FileDescriptorStorePreserve=yes in vm1.service", found["hint"])
        self.command("systemd-analyze", f'echo "vm1 anon {SESSION}vm11 rw"')
        self.check_says("unknown", "keeper-unknown", now=False)

    def test_nobody_is_seen(self):
        self.systemd(262)
        self.check_says("unknown", "keeper-unknown", now=False)

    def test_no_systemd(self):
        self.process(812, "luod", SESSION + "vm1", cmdline="@luod")
        self.check_says("refused", "no-systemd", now=False)

    def test_not_finished(self):
        self.session("old", "retrieved", FILES)
        self.check_says("refused", "not-finished", subject="old")

    def test_finished(self):
        self.session("old", "finished")
        self.check_says("ok", "kept")

    def test_names(self):
        self.systemd(252)
        self.session("a\\134b c\\012", files=FILES)
        self.process(812, "luod", SESSION + "vm1", SESSION + "a\\b c\n", cmdline="@luod")
        self.check_says("ok", "kept", now=False, subject="a\\134b c\\012")

    def test_kernel_without_a_list(self):
        self.systemd(252)
        self.gone("/sys/kernel/liveupdate/sessions")
        self.process(812, "qemu", SESSION + "vm1")
        self.check_says("refused", "not-kept", now=False, subject="vm1")
        self.check_says("note", "no-list")


class Node(luctl.Case):
    def test_who_has_it(self):
        self.process(640, "luo-agent", "/dev/liveupdate")
        self.check_says("note", "busy")
        self.systemd(252)
        self.check_says("note", "busy", now=False)
        self.systemd(262)
        self.assertIn("640 (luo-agent)", self.check_says("refused", "busy", now=False)["text"])


class Devices(luctl.Case):
    def setUp(self):
        super().setUp()
        self.bdf = self.device()
        self.process(812, "qemu", "/dev/vfio/devices/vfio0")

    def test_fine(self):
        self.check_says("note", "device", subject=self.bdf)

    def test_preserved(self):
        self.gone("/proc/interrupts")
        self.file("/proc/interrupts", "IO-APIC\n")
        self.file("/sys/kernel/liveupdate/iommu", f"out device {self.bdf} preserved\n")
        self.check_says("ok", "preserved", subject=self.bdf)

    def test_not_in_use(self):
        self.process(812, "qemu", "/dev/vfio/devices/vfio1")
        (self.root / "proc/812/fd/3").unlink()
        self.file("/proc/interrupts", "IO-APIC\n")
        self.check_says("note", "no-intremap")

    def test_interrupts(self):
        self.file("/proc/interrupts", " 24: ITS-MSI eth0\n")
        self.check_says("note", "device")
        self.file("/proc/interrupts", " 0: IO-APIC 2-edge timer\n 24: PCI-MSI eth0\n")
        self.check_says("refused", "no-intremap")
        self.file("/sys/module/iommu_liveupdate/parameters/allow_unsafe_interrupts", "Y\n")
        self.check_says("note", "device")

    def test_group(self):
        self.file(f"{luctl.GROUPS}/5/devices/0000:00:05.1", "")
        self.check_says("refused", "shared-group")
        self.gone(f"{PCI}/{self.bdf}/iommu_group")
        self.check_says("refused", "no-iommu")

    def test_functions(self):
        self.file(f"{PCI}/{self.bdf}/sriov_numvfs", "2\n")
        self.check_says("refused", "has-vfs")
        self.file(f"{PCI}/{self.bdf}/sriov_numvfs", "0\n")
        self.file(f"{PCI}/{self.bdf}/physfn/x", "")
        self.link(f"{PCI}/{self.bdf}/physfn/driver", "../../../bus/pci/drivers/igb")
        self.check_says("refused", "pf-driver")
        self.link(f"{PCI}/{self.bdf}/physfn/driver", "../../../bus/pci/drivers/pci-pf-stub")
        self.check_says("note", "device")

    def test_conventional_bus(self):
        place = "/sys/devices/pci0000:00/0000:00:03.0/0000:01:04.0"
        self.link("/sys/bus/pci/drivers/vfio-pci/0000:01:04.0", "x")
        self.file(f"{place}/power_state", "D0\n")
        self.link(f"{place}/iommu_group", "../../../../kernel/iommu_groups/7")
        (self.root / place.lstrip("/") / "vfio-dev/vfio7").mkdir(parents=True)
        self.process(813, "qemu", "/dev/vfio/devices/vfio7")
        self.link(f"{PCI}/0000:01:04.0", self.root / place.lstrip("/"))
        self.check_says("refused", "conventional", subject="0000:01:04.0")
        self.file(f"{place}/current_link_speed", "8.0 GT/s PCIe\n")
        self.check_says("note", "device", subject="0000:01:04.0")

    def config(self, *caps):
        data = bytearray(4096)
        at = 256
        for n, cap in enumerate(caps):
            data[at:at + 4] = struct.pack("<I", cap | 1 << 16 | ((at + 16 if n + 1 < len(caps) else 0) << 20))
            at += 16
        return bytes(data)

    def test_ats_behind_amd(self):
        self.file(f"{PCI}/{self.bdf}/config", self.config(1, 0xf))
        self.check_says("note", "device")
        self.link(f"{PCI}/{self.bdf}/iommu", "../../virtual/iommu/ivhd0")
        self.check_says("refused", "ats")
        for data in (self.config(1, 0x19), self.config(1, 0xf)[:256], b"",
                     self.config(0)[:256] + struct.pack("<I", 1 | 1 << 16 | 0x100 << 20) + bytes(3836)):
            self.file(f"{PCI}/{self.bdf}/config", data)
            self.check_says("note", "device")

    def test_asleep(self):
        self.file(f"{PCI}/{self.bdf}/power_state", "D3hot\n")
        self.check_says("refused", "asleep")

    def test_no_cdev(self):
        self.device("0000:00:06.0", 6, cdev=None)
        self.check_says("note", "no-cdev", subject="0000:00:06.0")

    def test_by_group(self):
        self.process(812, "qemu", "/dev/vfio/vfio", "/dev/vfio/4")
        self.check_says("ok", "device")
        self.process(812, "qemu", "/dev/vfio/vfio", "/dev/vfio/5")
        self.check_says("refused", "by-group", subject=self.bdf)

    def test_other_driver(self):
        (self.root / "sys/bus/pci/drivers/vfio-pci" / self.bdf).unlink()
        self.link(f"/sys/bus/pci/drivers/mlx5-vfio-pci/{self.bdf}", f"../../{self.bdf}")
        self.check_says("refused", "other-driver", subject=self.bdf)


class Memory(luctl.Case):
    """256 MiB at 0, in blocks of 128 MiB."""

    def setUp(self):
        super().setUp()
        params = bytearray(4096)
        params[0x1e8] = 1
        params[0x2d0:0x2d0 + 20] = struct.pack("<QQI", 0, 256 << 20, 1)
        self.file("/sys/kernel/boot_params/data", bytes(params))
        self.file("/sys/devices/system/memory/block_size_bytes", "8000000\n")
        for n in range(2):
            self.block(n)

    def block(self, n, state="online", zones="Normal"):
        self.file(f"/sys/devices/system/memory/memory{n}/state", state + "\n")
        self.file(f"/sys/devices/system/memory/memory{n}/valid_zones", zones + "\n")

    def test_added(self):
        self.check_says("ok", "added")
        for state, zones in (("offline", "Normal Movable"), ("online", "Movable")):
            self.block(2, state, zones)
            self.check_says("ok", "added")
        self.block(2)
        self.assertIn("0x10000000", self.check_says("refused", "added")["text"])

    def test_more_than_boot_parameters_hold(self):
        params = bytearray(4096)
        params[0x1e8] = 128
        self.file("/sys/kernel/boot_params/data", bytes(params))
        self.check_says("note", "not-looked-at")


class Owners(luctl.Case):
    """What programs in check.d have against it."""

    def program(self, where, name, text, mode=0o755):
        self.file(f"{where}/luctl/check.d/{name}", f"#!/bin/sh\n{text}\n").chmod(mode)

    def test_nothing(self):
        self.check_says("ok", "owners")
        self.program("/usr/lib", "vm", "echo 'nobody wants to know'")
        self.check_says("ok", "owners")

    def test_each_line_is_a_reason(self):
        self.program("/usr/lib", "vm", "echo 'guest a cannot.'; echo 'guest b cannot'; exit 1")
        found = self.answer("check", "--now", str(self.image), code=1)
        worst = [(f["code"], f["subject"], f["text"]) for f in found["findings"] if f["level"] == "refused"]
        self.assertEqual(worst, [("owner", "vm", "guest a cannot"), ("owner", "vm", "guest b cannot")])
        self.answer("check", "--now", "--ignore", "owner", str(self.image))

    def test_no_reason_is_one(self):
        self.program("/usr/lib", "vm", "exit 3")
        self.check_says("refused", "owner", subject="vm")

    def test_how_it_is_done(self):
        self.program("/usr/lib", "vm", '[ "$*" != --now ] || { echo "it runs"; exit 1; }')
        self.check_says("refused", "owner")
        self.systemd()
        self.check_says("ok", "owners", now=False)

    def test_one_that_cannot_be_asked(self):
        self.program("/usr/lib", "vm", "kill -9 $$")
        self.check_says("unknown", "owner-unknown", subject="vm")
        self.file("/usr/lib/luctl/check.d/vm", b"\x7fELF")
        self.check_says("unknown", "owner-unknown", subject="vm")

    def test_one_that_does_not_end(self):
        """Nor does what it has started, which has the same output."""
        for text in ("sleep 60 & echo 'guest a cannot'; wait", "exec >&-; sleep 60"):
            self.program("/usr/lib", "vm", text)
            found = self.answer("check", "--now", "--timeout", "0.1", str(self.image), code=2)
            unknown = [f["text"] for f in found["findings"] if f["code"] == "owner-unknown"]
            self.assertEqual(unknown, ["/usr/lib/luctl/check.d/vm does not answer; --timeout gives it longer"])

    def test_the_administrators_comes_first(self):
        self.program("/usr/lib", "vm", "exit 1")
        self.program("/etc", "vm", "exit 0")
        self.check_says("ok", "owners")
        self.program("/etc", "vm", "exit 1", mode=0o644)
        self.check_says("ok", "owners")

    def test_what_was_installed_by_hand(self):
        self.program("/usr/local/lib", "vm", "exit 1")
        self.check_says("refused", "owner", subject="vm")
        self.program("/usr/local/lib", "vm", "exit 0")
        self.program("/usr/lib", "vm", "exit 1")
        self.check_says("ok", "owners")

    def test_update_asks_before_anything_is_done(self):
        self.program("/usr/lib", "vm", "echo 'guest a cannot'; exit 1")
        done = self.luctl("update", "--now", self.image)
        self.assertEqual(done.code, 1)
        self.assertIn("guest a cannot", done.err)
        self.assertEqual(self.logged(), [])


class Anybody(luctl.Case):
    def test_not_root(self):
        """What others have open cannot be seen."""
        program, needs = luctl.built()
        self.place.chmod(0o755)
        (self.root / "proc/1/fd").chmod(0)
        for file in (program, luctl.OUT / "lib/libliveupdate.so.1"):
            shutil.copy(file, self.place)
        me = {"user": 65534, "group": 65534, "extra_groups": []} if os.geteuid() == 0 else {}
        done = subprocess.run([self.place / "luctl", "check", "--now", "--root", self.root, self.image], **me,
                              env=needs | {"LD_LIBRARY_PATH": str(self.place)}, text=True, check=False,
                              stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
        self.assertEqual(done.returncode, 2, done.stdout)
        self.assertIn("[not-root] run luctl as root", done.stdout)
        self.assertIn("cannot tell: 1 thing is not known", done.stdout)


class Load(luctl.Case):
    def note(self):
        return self.root / "run/luctl/loaded"

    def test_load_and_update_of_it(self):
        (self.place / "initrd").write_bytes(b"x")
        self.assertEqual(self.luctl("load", "--initrd", self.place / "initrd", self.image).code, 0)
        call = f"load {self.image} {self.place}/initrd {LINE}"
        self.assertEqual(self.logged(), [call])
        self.assertEqual(self.answer("status")["loaded"]["image"], str(self.image))
        self.assertTrue(self.answer("check", "--now")["taken"])
        # It does not jump here, so it is dropped again.
        done = self.luctl("update", "--now", env={"STANDIN_REBOOT": "22"})
        self.assertEqual(self.logged()[1:], [call, "sync", "reboot 0x45584543", "unload"])
        self.assertEqual(done.code, 1)
        self.assertIsNone(self.answer("status")["loaded"])

    def test_what_is_unfit_is_not_loaded(self):
        done = self.luctl("load", "--append=quiet", self.image)
        self.assertEqual((done.code, self.logged()), (1, []))
        self.assertIn("liveupdate=on is missing", done.err)
        self.assertEqual(self.luctl("load", "--append=quiet", "--ignore=cmdline", self.image).code, 0)

    def test_kernel_says_no(self):
        done = self.luctl("load", self.image, env={"STANDIN_LOAD": "129"})
        self.assertEqual(done.code, 1)
        self.assertIn("does not trust its signature", done.err)
        self.assertFalse(self.note().exists())

    def test_unload(self):
        self.luctl("load", self.image)
        self.assertEqual(self.luctl("load", "--unload").code, 0)
        self.assertEqual(self.logged()[1:], ["unload"])
        self.assertFalse(self.note().exists())
        self.assertEqual(self.luctl("load", "--unload", env={"STANDIN_UNLOAD": "1"}).code, 1)
        self.assertEqual(self.luctl("load").code, 2)
        self.assertEqual(self.luctl("load", "--unload", self.image).code, 2)

    def test_a_note_of_another_boot(self):
        self.luctl("load", self.image)
        self.file("/proc/sys/kernel/random/boot_id", "next-boot\n")
        self.assertFalse(self.answer("status")["loaded"]["known"])
        for text in ("", "[]", "{", '{"boot_id": "next-boot", "image": 3}'):
            self.note().write_text(text)
            self.assertFalse(self.answer("status")["loaded"]["known"])


class Update(luctl.Case):
    """On any refusal everything goes on, and nothing is left loaded."""

    def test_at_once(self):
        done = self.luctl("update", "--now", self.image)
        self.assertEqual(self.logged(), [f"load {self.image} - {LINE}", "sync", "reboot 0x45584543", "unload"])
        self.assertEqual(done.code, 1)

    def test_by_systemctl(self):
        self.systemd(262)
        done = self.luctl("update", self.image)
        self.assertEqual((done.code, done.err), (0, ""))
        self.assertEqual(self.logged(), [f"load {self.image} - {LINE}", "systemctl kexec"])

    def test_systemctl_fails(self):
        self.systemd(262)
        done = self.luctl("update", self.image, env={"KEXEC_CODE": "1"})
        self.assertEqual(done.code, 1)
        self.assertEqual(self.logged()[1:], ["systemctl kexec", "unload"])
        self.assertIn("Everything goes on", done.err)

    def test_refused_before_anything_is_done(self):
        self.systemd(252)
        self.session("vm1", files=FILES)
        self.process(812, "qemu", SESSION + "vm1")
        done = self.luctl("update", self.image)
        self.assertEqual((done.code, self.logged()), (1, []))
        self.assertIn("nothing was changed", done.err)

    def test_not_known_is_not_done(self):
        self.systemd(262)
        self.session("vm1", files=FILES)
        self.assertEqual((self.luctl("update", self.image).code, self.logged()), (2, []))

    def test_it_cannot_be_loaded(self):
        done = self.luctl("update", "--now", self.image, env={"STANDIN_LOAD": "99"})
        self.assertEqual(done.code, 1)
        self.assertEqual(self.logged(), [f"load {self.image} - {LINE}"])

    def test_the_kernel_refuses(self):
        for code, why in (("93", "does not read what this one writes"), ("16", "being changed")):
            done = self.luctl("update", "--now", self.image, env={"STANDIN_REBOOT": code})
            self.assertEqual(done.code, 1)
            self.assertIn(why, done.err)
            self.assertIn("Everything goes on", done.err)
            self.assertEqual(self.logged()[-1], "unload")

    def test_what_is_loaded_is_not_known(self):
        self.file("/sys/kernel/kexec_loaded", "1\n")
        self.assertEqual(self.luctl("update", "--now").code, 2)
        done = self.luctl("update", "--now", "--ignore=unknown-loaded")
        self.assertEqual((done.code, self.logged()), (2, []))
        self.assertIn("which image?", done.err)
