#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-only
"""The rig's parts that need no virtual machine."""

import base64
import binascii
import contextlib
import io
import os
import select
import shutil
import socket
import struct
import subprocess
import sys
import tempfile
import threading
import time
import unittest
import unittest.mock
import xml.dom.minidom
from pathlib import Path
from types import SimpleNamespace

VM = Path(__file__).resolve().parent.parent / "vm"
sys.path.insert(0, str(VM))
sys.dont_write_bytecode = True

from host import (cases, frames, initrd, judge, machine, media, modules, parallel,  # noqa: E402
                 picture, qemu, report, runner, selftest, sender, splats, suite, table,
                 timeline, tools, tsc, twins, wire, witness)
from host.base import RigError  # noqa: E402

MS = 1_000_000
SECOND = 1_000_000_000
# Nobody waits so long but where something is wrong
LATE_S = 60


class Parallel(unittest.TestCase):
    def run_pool(self, jobs, machines, fail=None, beside=1):
        """The first that can run beside others wait for so many of them."""
        wanted = [cases.Case(f"c{i}", "s", name) for i, name in enumerate(machines)]
        self.busy, self.most = [], 0
        changed = threading.Condition()

        def work(case):
            with changed:
                self.busy.append(case.name)
                self.most = max(self.most, len(self.busy))
                self.seen.append((case.name, tuple(self.busy)))
                changed.notify_all()
                if case.machine == "q35-bare":
                    changed.wait_for(lambda: self.most >= beside, LATE_S)
                self.busy.remove(case.name)
            if case.name == fail:
                raise RigError("no")
            return case.name

        self.seen = []
        return sorted(parallel.Pool(jobs, work).run(wanted))

    def test_all_run_and_not_too_many_at_once(self):
        self.assertEqual(self.run_pool(2, ["q35-bare"] * 7, beside=2), [f"c{i}" for i in range(7)])
        self.assertEqual(self.most, 2)

    def test_one_job(self):
        self.run_pool(1, ["q35-bare", "q35-intel-two", "q35-bare"])
        self.assertEqual(self.most, 1)
        self.assertEqual([name for name, _ in self.seen], ["c0", "c1", "c2"])

    def test_a_machine_with_threads_of_its_own_runs_alone(self):
        self.run_pool(2, ["q35-bare", "q35-intel-two", "q35-bare", "q35-bare"], beside=2)
        self.assertIn(("c1", ("c1",)), self.seen)
        self.assertEqual(self.most, 2)

    def test_nothing_is_left_waiting_beside_another(self):
        self.run_pool(2, ["q35-bare", "q35-bare", "q35-bare", "q35-intel-two"])
        self.assertEqual(self.seen[0], ("c3", ("c3",)))

    def test_what_may_take_long_starts_early(self):
        wanted = [cases.Case(f"c{i}", "s", "q35-bare", seconds=s)
                  for i, s in enumerate((60, 60, 600))]
        started = []
        list(parallel.Pool(1, lambda case: started.append(case.name)).run(wanted))
        self.assertEqual(started, ["c2", "c0", "c1"])

    def test_an_error_comes_out(self):
        with self.assertRaises(RigError):
            self.run_pool(2, ["q35-bare"] * 3, fail="c1")


class Tsc(unittest.TestCase):
    def test_the_kernel_is_told(self):
        """By a machine that has the counter of this one, and by no other."""
        with unittest.mock.patch.object(tsc, "khz", lambda: 2596146):
            self.assertEqual(tsc.words(machine.load("q35-intel")), ["tsc_early_khz=2596146"])
            self.assertEqual(tsc.words(machine.load("q35-intel-count-bare")), [])
            self.assertIn("tsc_early_khz=2596146", runner.words_for(machine.load("q35-intel")))
        with unittest.mock.patch.object(tsc, "khz", lambda: 0):
            self.assertEqual(tsc.words(machine.load("q35-intel")), [])

    @unittest.skipUnless(tsc.khz(), "no counter that can be looked at")
    def test_measured_twice(self):
        tsc.khz.cache_clear()
        first = tsc.khz()
        tsc.khz.cache_clear()
        self.assertAlmostEqual(tsc.khz() / first, 1, delta=0.01)


class Cpio(unittest.TestCase):
    ENTRIES = [initrd.dir_entry("dir"), initrd.file_entry("dir/file", b"hello", 0o755),
               initrd.link_entry("link", "dir/file"), initrd.file_entry("empty", b"")]

    def archive(self):
        out = io.BytesIO()
        initrd.write_cpio(out, self.ENTRIES)
        return out.getvalue()

    def test_aligned_and_closed(self):
        data = self.archive()
        self.assertEqual(len(data) % initrd.BLOCK, 0)
        self.assertIn(b"TRAILER!!!\0", data)

    def walk(self, data):
        at, found = 0, {}
        while at + 110 <= len(data):
            if data[at:at + 6] != b"070701":
                at += 4
                continue
            field = [int(data[at + 6 + 8 * i:at + 14 + 8 * i], 16) for i in range(13)]
            name = data[at + 110:at + 110 + field[11] - 1].decode()
            body = at + (110 + field[11] + 3) // 4 * 4
            found[name] = (field[1], data[body:body + field[6]])
            at = (body + field[6] + 3) // 4 * 4
        return found

    def test_what_goes_in_comes_out(self):
        found = self.walk(self.archive())
        self.assertEqual(found["dir/file"], (0o100755, b"hello"))
        self.assertEqual(found["link"], (0o120777, b"dir/file"))
        self.assertEqual(found["empty"][1], b"")
        self.assertEqual(found["dir"][0], 0o040755)

    def test_second_archive_starts_at_a_block(self):
        with tempfile.TemporaryDirectory() as folder:
            base = Path(folder) / "base"
            base.write_bytes(self.archive() + b"\0\0\0")
            target = Path(folder) / "all"
            initrd.assemble(target, base, b"kernel")
            data = target.read_bytes()
            self.assertEqual(self.walk(data)["bzImage"][1], b"kernel")
            self.assertEqual(data.rfind(b"070701", 0, data.find(b"bzImage")) % initrd.BLOCK, 0)

    def test_missing_kernel_says_what_to_do(self):
        with self.assertRaisesRegex(RigError, "make kernel"):
            initrd.read_kernel(Path("/nonexistent"), "kernel")

    def test_not_a_kernel(self):
        with tempfile.NamedTemporaryFile() as file:
            file.write(b"x" * 1000)
            file.flush()
            with self.assertRaisesRegex(RigError, "not an x86 kernel"):
                initrd.read_kernel(Path(file.name), "kernel")


class Modules(unittest.TestCase):
    def setUp(self):
        self.kernel = Path(tempfile.mkdtemp())
        self.addCleanup(shutil.rmtree, self.kernel)
        self.home = self.kernel / "modules/7.3.4-x/kernel"

    def module(self, name, depends):
        path = self.home / f"drivers/{name}.ko"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(b"\x7fELF\0license=GPL\0depends=" + depends.encode() + b"\0name=x\0")

    def names(self):
        return [entry.name for entry in modules.entries([self.kernel])]

    def test_each_after_what_it_needs(self):
        self.module("vfio-pci", "vfio-pci-core,vfio")
        self.module("vfio-pci-core", "vfio,irqbypass")
        self.module("vfio", "iommufd")
        self.module("irqbypass", "")
        self.module("iommufd", "")
        self.module("unwanted", "")
        there = "modules/7.3.4-x"
        entries = modules.entries([self.kernel])
        order = next(entry for entry in entries if entry.name == f"{there}/order")
        self.assertEqual(order.data.decode().split(),
                         ["iommufd", "vfio", "irqbypass", "vfio_pci_core", "vfio_pci"])
        self.assertEqual([entry.name for entry in entries[:2]], ["modules", there])
        self.assertIn(f"{there}/vfio_pci.ko", self.names())
        self.assertNotIn(f"{there}/unwanted.ko", self.names())

    def test_only_what_is_asked_for(self):
        self.module("nvme", "nvme-core")
        self.module("nvme-core", "")
        self.module("e1000e", "")
        self.assertEqual(self.names(), [])
        names = [entry.name for entry in modules.entries([self.kernel], ["nvme"])]
        self.assertEqual([name.rpartition("/")[2] for name in names],
                         ["modules", "7.3.4-x", "order", "nvme_core.ko", "nvme.ko"])

    def test_a_kernel_without(self):
        self.assertEqual(self.names(), [])
        self.assertEqual(modules.entries([self.kernel / "bzImage"]), [])

    def test_one_that_is_missing(self):
        self.module("vfio-pci", "vfio")
        with self.assertRaisesRegex(RigError, "vfio_pci needs vfio"):
            self.names()


class Wire(unittest.TestCase):
    def setUp(self):
        self.said = wire.Transcript("abcd")

    def feed(self, *lines, nonce="abcd"):
        for ns, line in enumerate(lines, start=1):
            self.said.line(f"LU {nonce} {line}", ns)

    def test_everything_at_once(self):
        self.feed("event stage-1", "event ready slot=4 x=a=b", "value n 12", "value h 0x10",
                  "value t some text", "check a-b pass all is well", "check c skip", "end pass ok")
        self.assertEqual(self.said.moment("ready"), 2)
        self.assertEqual(self.said.events[1].fields, {"slot": "4", "x": "a=b"})
        self.assertEqual(self.said.values, {"n": 12, "h": 16, "t": "some text"})
        self.assertEqual(self.said.checks[0], wire.Check("a-b", "pass", "all is well"))
        self.assertEqual(self.said.checks[1].verdict, "skip")
        self.assertEqual(self.said.end.verdict, "pass")
        self.assertEqual(self.said.faults, [])

    def test_wrong_nonce_is_counted_not_believed(self):
        self.feed("end pass", nonce="eeee")
        self.assertIsNone(self.said.end)
        self.assertEqual(self.said.wrong_nonce, 1)

    def test_noise_is_ignored(self):
        for line in ("", "LU", "LU abcd", "\0\0garbage", "Linux version 7"):
            self.said.line(line, 1)
        self.assertEqual(self.said.faults, [])

    def test_unknown_words_and_verdicts_are_faults(self):
        self.feed("sing a song", "check x maybe", "check x pass", "end perhaps")
        self.assertEqual(len(self.said.faults), 4)
        self.assertEqual(self.said.end.verdict, "fail")

    def blob(self, data, crc=None, size=None):
        crc = binascii.crc32(data) if crc is None else crc
        text = base64.b64encode(data).decode()
        self.feed(f"blob b {len(data) if size is None else size}", f"b64 {text[:8]}",
                  "event between", f"b64 {text[8:]}", f"blob-end b crc32={crc:08x}")

    def test_blob(self):
        self.blob(bytes(range(100)))
        self.assertEqual(self.said.blobs["b"], bytes(range(100)))

    def test_blob_with_wrong_checksum_or_size(self):
        self.blob(b"hello world", crc=1)
        self.blob(b"hello world", size=12)
        self.assertEqual(self.said.blobs, {})
        self.assertEqual(len(self.said.faults), 2)

    def test_reader_stamps_lines(self):
        ours, theirs = os.pipe()
        reader = wire.LineReader(ours)
        reader.start()
        os.write(theirs, b"one\r\ntw")
        first = [reader.lines.get(timeout=LATE_S)]
        between = time.monotonic_ns()
        os.write(theirs, b"o\nrest")
        os.close(theirs)
        reader.join(LATE_S)
        lines = first + reader.drain()
        self.assertEqual([line for _, line in lines], ["one", "two", "rest"])
        self.assertLess(lines[0][0], between)
        self.assertGreater(lines[1][0], between)


class Frames(unittest.TestCase):
    def test_layout(self):
        frame = frames.build(1, 7, 99)
        self.assertEqual(len(frame), frames.FRAME_SIZE)
        self.assertEqual(frame[12:14], b"\x88\xb5")
        self.assertEqual(struct.unpack_from("<IIQQ", frame, 14), (0x4C55464D, 1, 7, 99))
        self.assertEqual(frame[38:], frames.payload(7))

    def test_payload_is_xorshift(self):
        state = 1 ^ 1 << 25
        state ^= state >> 27
        first = state * 0x2545F4914F6CDD1D % 2 ** 64
        self.assertEqual(frames.payload(1)[:8], first.to_bytes(8, "little"))
        self.assertNotEqual(frames.payload(1), frames.payload(2))

    def found(self, seq, ns=None, flags=frames.PAYLOAD_OK):
        return frames.Found(seq, seq * 10 if ns is None else ns, 0, flags)

    def sent(self, *seqs):
        return [frames.Sent(seq, seq * 10) for seq in seqs]

    def test_all_there(self):
        tally = frames.tally(self.sent(1, 2, 3), [self.found(n) for n in (1, 2, 3)])
        self.assertEqual((tally.sent, tally.received, tally.lost, tally.bad), (3, 3, [], 0))

    def test_lost_damaged_invented_twice_and_late(self):
        log = [self.found(2), self.found(2), self.found(1), self.found(3, flags=0),
               self.found(9), self.found(4, ns=41)]
        tally = frames.tally(self.sent(1, 2, 3, 4, 5), log)
        self.assertEqual(tally.received, 2)
        self.assertEqual([s.seq for s in tally.lost], [3, 4, 5])
        self.assertEqual((tally.duplicates, tally.unordered, tally.bad), (1, 1, 3))
        self.assertEqual(tally.lost_between(40, 50), 1)

    def test_log_of_odd_length(self):
        with self.assertRaises(ValueError):
            frames.unpack_found(b"x" * 25)

    def test_media(self):
        block = media.block(3)
        self.assertEqual(len(block), 512)
        self.assertEqual(struct.unpack_from("<QQ", block), (0x300, 0x301))


class Sender(unittest.TestCase):
    def dropped(self, watched):
        """Frames thrown away when nobody reads them for a while."""
        theirs, ours = qemu._datagram_pair()
        theirs.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 1 << 16)
        peer = f":1:{theirs.fileno()}" if watched else ""
        with tempfile.TemporaryDirectory() as folder:
            sender = subprocess.Popen(
                [sys.executable, "-m", "host.sender", "--rate", "4000", "--log", folder,
                 f"0:{ours.fileno()}{peer}"], cwd=VM, bufsize=0,
                pass_fds=[ours.fileno(), theirs.fileno()],
                stdin=subprocess.PIPE, stdout=subprocess.PIPE)
            sender.stdin.write(b"start\n")
            sender.stdout.readline()
            # What fits takes some 40 ms at that rate
            until = time.monotonic() + (0.8 if watched else LATE_S)
            while time.monotonic() < until and not self.drops(theirs):
                time.sleep(0.05)
            sender.communicate(b"stop\n")
        found = self.drops(theirs)
        ours.close()
        theirs.close()
        return found

    @staticmethod
    def drops(end):
        info = end.getsockopt(socket.SOL_SOCKET, qemu.SO_MEMINFO, 36)
        return struct.unpack("9I", info)[qemu.MEMINFO_DROPS]

    def test_waits_for_room_at_the_other_end(self):
        self.assertEqual(self.dropped(watched=True), 0)
        self.assertGreater(self.dropped(watched=False), 0)

    def test_pace_log_and_stop(self):
        ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        ours.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 1 << 22)
        with tempfile.TemporaryDirectory() as folder:
            sender = subprocess.Popen(
                [sys.executable, "-m", "host.sender", "--rate", "500", "--log", folder,
                 f"0:{ours.fileno()}"], cwd=VM, pass_fds=[ours.fileno()], bufsize=0,
                stdin=subprocess.PIPE, stdout=subprocess.PIPE)
            began, got = time.monotonic_ns(), []
            sender.stdin.write(b"start\n")
            self.assertEqual(sender.stdout.readline(), b"started\n")
            while len(got) < 400 and select.select([theirs], [], [], LATE_S)[0]:
                got.append(theirs.recv(512))
            sender.stdin.write(b"stop\n")
            self.assertEqual(sender.stdout.readline(), b"stopped\n")
            sender.wait()
            sender.stdin.close()
            sender.stdout.close()
            log = frames.unpack_sent((Path(folder) / "sent-0.bin").read_bytes())
        ours.close()
        theirs.close()
        self.assertEqual(len(got), 400)
        self.assertEqual([s.seq for s in log], list(range(1, len(log) + 1)))
        # None before it is due; how late is the machine's business
        self.assertEqual([s.seq for s in log if s.send_ns < began + (s.seq - 1) * SECOND // 500], [])
        self.assertEqual(got[0], frames.build(0, 1, log[0].send_ns))


    def test_a_stream_that_gets_one_frame_in_four(self):
        pairs = [socket.socketpair(socket.AF_UNIX, socket.SOCK_DGRAM) for _ in range(2)]
        streams = [sender.Stream(n, pair[0].detach(), 0, every)
                   for n, (pair, every) in enumerate(zip(pairs, (4, 1)))]
        some = sender.Sender(streams, 1000, Path("/nonexistent"))
        for _ in range(9):
            some.send_turn()
        self.assertEqual([s.seq for s in streams], [3, 9])
        first = frames.unpack_sent(bytes(streams[0].log))[0]
        self.assertEqual(pairs[0][1].recv(512), frames.build(0, 1, first.send_ns))
        for stream, pair in zip(streams, pairs):
            stream.sock.close()
            pair[1].close()


TRACE = """\
77@100.000000:vtd_reg_write_gcmd status 0x0 value 0x40000000
77@100.100000:vtd_reg_write_gcmd status 0x40000000 value 0x80000000
77@100.100001:vtd_dmar_enable enable 1
77@100.200000:pci_cfg_write e1000e 00:04.0 @0x4 <- 0x6
77@101.000000:pci_nvme_enqueue_req_completion cid 4 cqid 1 dw0 0x0 dw1 0x0 status 0x0
77@101.000001:pci_nvme_enqueue_req_completion cid 5 cqid 0 dw0 0x0 dw1 0x0 status 0x0
77@101.200000:pci_cfg_write nvme 00:05.0 @0x4 <- 0x2
77@101.300000:pci_cfg_write e1000e 00:06.0 @0x4 <- 0x2
77@101.400000:vtd_dmar_fault sid 0x30 fault 1 addr 0x1000 write 1
77@101.500000:vtd_dmar_fault sid 0x20 fault 5 addr 0x2000 write 0
77@101.600000:vtd_reg_write_gcmd status 0x80000000 value 0x0
77@101.600001:vtd_dmar_enable enable 0
77@101.700000:vtd_dmar_enable enable 1
something else
77@108.900000:pci_cfg_write mch 00:00.0 @0xdc <- 0xf0f3
77@109.000000:vtd_dmar_enable enable 0
"""


class Witness(unittest.TestCase):
    def setUp(self):
        self.trace = witness.parse(iter(TRACE.splitlines()), -100 * SECOND)
        self.machine = machine.load("q35-intel")

    def saw(self, **moments):
        given = {"ready": 0, "gaps": [(SECOND, 3 * SECOND)], "end": 8 * SECOND, **moments}
        return witness.testify(self.trace, self.machine, witness.Span(**given))

    def test_counts(self):
        seen = self.saw()
        self.assertTrue(seen.translation_seen)
        self.assertEqual(seen.translation_off, 1)
        self.assertEqual((seen.faults_kept, seen.faults_intruder, seen.faults_other), (1, 1, 0))
        self.assertEqual(seen.first_fault, "00:04.0 read at 0x2000, reason 5")

    def test_lines_of_newer_qemus(self):
        """They write a date where the others write a process and seconds."""
        lines = ["2026-11-21T05:44:11.820877Z vtd_dmar_enable enable 1",
                 "2026-11-21T05:44:12.000001Z vtd_dmar_fault sid 0x30 fault 1 addr 0x1000 write 1",
                 "2026-11-21T05:44:13.000000Z e1000e_core_ctrl_sw_reset Doing SW reset",
                 "2026-11-21T05:44 vtd_dmar_enable enable 0"]
        trace = witness.parse(iter(lines), -1795239851 * SECOND)
        self.assertEqual(trace.lines, 3)
        self.assertEqual(trace.translation, [(820_877_000, True)])
        self.assertEqual(trace.faults, [witness.Fault(SECOND + 1000, 0x30, 1, 0x1000, True)])
        self.assertEqual(trace.nic_resets, [2 * SECOND])

    def test_amd(self):
        """What was refused led to no address; the rest is not counted."""
        lines = [f"2026-11-21T05:44:{second:02}.000000Z amdvi_{what}" for second, what in (
            (11, "control_status MMIO_STATUS state 0x482"),
            (12, "control_status MMIO_STATUS state 0x31483"),
            (13, "translation_result devid: 00:04.0 gpa 0x141525000 hpa 0x3fc2000"),
            (14, "translation_result devid: 00:05.0 gpa 0x141525010 hpa 0x0"),
            (15, "control_status MMIO_STATUS state 0x31482"))]
        seen = witness.parse(iter(lines))
        self.assertEqual([on for _, on in seen.translation], [True, False])
        self.assertEqual([(f.source, f.addr) for f in seen.faults], [(0x28, 0x141525010)])

    def test_bus_master_of_kept_devices_only(self):
        self.assertEqual(self.saw().bus_master_off, ["00:05.0"])
        self.assertEqual(self.saw(gaps=[(1_250 * MS, None)]).bus_master_off, [])

    def test_ats_of_kept_devices_only(self):
        with_ats = machine.load("q35-intel-ats")
        gap = witness.Span(gaps=[(0, 2 * SECOND)])
        for name, value, want in (("01:00.0", "0x0", ["01:00.0"]), ("01:00.0", "0x8000", []),
                                  ("00:06.0", "0x0", [])):
            trace = witness.parse(iter([f"9@1.000000:pci_cfg_write x {name} @0x106 <- {value}"]), 0)
            self.assertEqual(witness.testify(trace, with_ats, gap).ats_off, want)

    def test_interrupts(self):
        """Of two kept devices, frozen at 1.8 s, a new kernel at 2.8 s, and somebody to hear
        them at 4 s."""
        lines = ["1@1.800000:pci_cfg_write mch 00:00.0 @0xdc <- 0xf0f1",
                 "1@2.800000:pci_cfg_write mch 00:00.0 @0x10 <- 0xffffffff",
                 "1@4.000000:pci_cfg_write mch 00:00.0 @0xdc <- 0xf0f2",
                 "1@1.000000:pci_cfg_write e1000e 00:04.0 @0x4 <- 0x103",
                 "1@1.100000:pci_cfg_write nvme 00:05.0 @0x4 <- 0x507",
                 "1@1.500000:e1000e_irq_msix_notify_vec MSI-X notify vector 0",
                 "1@1.500001:vtd_ir_irte_get index 17 low 0x40020 high 0x10000220009",
                 "1@1.600000:pci_nvme_irq_msix raising MSI-X IRQ vector 0",
                 "1@2.500000:vtd_ir_irte_get index 2 low 0x4ff00 high 0x210009",
                 "1@4.500000:e1000e_irq_msi_notify MSI notify 0x1"]

        def saw(*more, heard=None):
            trace = witness.parse(iter([*lines, *more]))
            return witness.interrupts(trace, {0x20: "00:04.0", 0x28: "00:05.0"}, heard)

        self.assertEqual(saw(), (2, 0, 0, 1, 0, ["00:04.0"]))
        self.assertEqual(saw("1@1.900000:pci_cfg_write e1000e 00:04.0 @0x4 <- 0x507").intx, [])
        self.assertEqual(saw("1@3.0:x", "1@3.000000:pci_nvme_irq_msix raising").raised, 1)
        self.assertIsNone(witness.interrupts(witness.parse(iter(lines[:2])), {0x20: "00:04.0"}, None))
        # They are off at the last write of the old kernel.
        off = "1@2.020000:pci_cfg_write e1000e 00:04.0 @0x4 <- 0x507"
        self.assertEqual(saw("1@2.010000:pci_nvme_irq_msix raising", off).raised, 0)
        self.assertEqual(saw(off, "1@2.030000:pci_nvme_irq_msix raising").raised, 1)
        self.assertEqual(saw(off, "1@3.000000:pci_cfg_write e1000e 00:04.0 @0x4 <- 0x506").raised, 0)
        self.assertEqual(saw("1@3.000000:vtd_ir_irte_get index 17 low 0x40028 high 0x220009").passed, 1)
        blocked = "1@2.400000:vtd_ir_irte_get index 17 low 0x0 high 0x0"
        self.assertEqual(saw(blocked).blocked, 1)
        early = "1@2.600000:vtd_ir_irte_get index 17 low 0x40028 high 0x220009"
        self.assertEqual(saw(early).passed, 0)
        # The new kernel has its own table long before it looks for devices.
        self.assertEqual(saw(early, heard=2_550 * MS).passed, 1)
        self.assertEqual(saw(blocked, early).passed, 1)

    def test_masters_when_translation_went_off(self):
        self.assertEqual(self.saw().untranslated, ["00:04.0"])
        stopped = TRACE.replace("101.300000:pci_cfg_write e1000e 00:06.0 @0x4 <- 0x2",
                                "101.300000:pci_cfg_write e1000e 00:04.0 @0x4 <- 0x503")
        self.trace = witness.parse(iter(stopped.splitlines()), -100 * SECOND)
        self.assertEqual(self.saw().untranslated, [])

    def test_no_jump_no_gap(self):
        seen = self.saw(gaps=[])
        self.assertEqual((seen.bus_master_off, seen.faults_intruder), ([], 0))

    def test_completions_without_the_admin_queue(self):
        self.assertEqual(self.trace.completions, {1: [SECOND]})

    def test_unreadable_and_empty(self):
        with self.assertRaisesRegex(RigError, "cannot be read"):
            witness.read(Path("/nonexistent"), 0)
        with self.assertRaisesRegex(RigError, "empty"):
            witness.read(Path("/dev/null"), 0)

    def test_reads_after_a_failed_entry_do_not_count(self):
        failed = [witness.Failure(40 * MS, 0, None, 1), witness.Failure(50 * MS, 0, 0x28, 2)]
        trace = SimpleNamespace(completions={1: [10 * MS, 20 * MS, 39 * MS, 90 * MS]},
                                nvme_starts=[0, 80 * MS], failed_completions=failed)
        self.assertEqual(timeline.landed_reads(trace, 1, [0x38]), [10 * MS, 20 * MS, 90 * MS])
        self.assertEqual(timeline.landed_reads(trace, 2, [0x38]), [])

    def test_failures_of_another_drive_do_not_matter(self):
        done = "pci_nvme_enqueue_req_completion cid 1 cqid 1 dw0 0x0 dw1 0x0 status 0x0"
        lines = [f"1@1.000000:{done}",
                 "1@2.000000:vtd_dmar_fault sid 0x38 fault 2 addr 0x500c write 1",
                 "1@2.000001:pci_nvme_err_addr_write addr 0x5000",
                 f"1@3.000000:{done}"]
        trace = witness.parse(iter(lines))
        self.assertEqual(timeline.landed_reads(trace, 1, [0x38]), [SECOND, 3 * SECOND])
        self.assertEqual(timeline.landed_reads(trace, 1, []), [SECOND])
        self.assertTrue(witness.Failure(1, 0, None, 2).concerns(2, []))
        self.assertFalse(witness.Failure(1, 0, None, 2).concerns(1, []))

    def test_failures_without_a_fault_are_named_by_their_neighbours(self):
        lines = ["1@1.000000:pci_nvme_err_addr_write addr 0x5000",
                 "1@2.000000:vtd_dmar_fault sid 0x38 fault 2 addr 0x5010 write 1",
                 "1@2.000001:pci_nvme_err_addr_write addr 0x5010",
                 "1@3.000001:pci_nvme_err_addr_write addr 0x9000"]
        found = witness.parse(iter(lines)).failed_completions
        self.assertEqual([f.source for f in found], [0x38, 0x38, None])

    def test_power_off_is_no_fault(self):
        self.assertEqual(self.saw().translation_off, 1)
        for mark, offs in (("108.900000:pci_cfg_write mch 00:00.0 @0xdc <- 0xf0f3", 1),
                           ("109.100000:pci_cfg_write mch 00:00.0 @0xdc <- 0xf0f3", 2),
                           ("108.900000:pci_cfg_write mch 00:00.0 @0xdc <- 0xf0f1", 2)):
            lines = [line for line in TRACE.splitlines() if "0xf0f3" not in line]
            self.trace = witness.parse(iter([*lines, f"77@{mark}"]), -100 * SECOND)
            self.assertEqual(self.saw().translation_off, offs)


class HandsTest(unittest.TestCase):
    def test_a_machine_that_does_not_answer_is_asked_once(self):
        ours, its = socket.socketpair()
        with ours, its:
            hands = qemu.Hands(ours)
            ours.settimeout(0.01)
            self.assertIsNone(hands.quad(0x1000))
            self.assertTrue(hands.lost)
            self.assertIsNone(hands.quad(0x2000))
            self.assertEqual(its.recv(100), b"readq 0x1000\n")

    def test_one_that_is_gone_is_not_lost(self):
        ours, its = socket.socketpair()
        with ours:
            hands = qemu.Hands(ours)
            its.close()
            self.assertIsNone(hands.quad(0x1000))
            self.assertFalse(hands.lost)


class DeviceTable(unittest.TestCase):
    """With hands that read what the test says."""

    def setUp(self):
        self.memory = {0xFED80018: 0x1483, 0xFED80000: 0x7E001FF}
        found = machine.load("q35-intel+amd")
        for source in (*found.kept_sources(), *found.intruder_sources()):
            self.memory[0x7E00000 + 32 * source] = 0x1
        hands = unittest.mock.Mock()
        hands.quad, hands.lost = self.memory.get, False
        self.hands = hands
        self.table = table.Table(found, hands)
        self.table.event("freeze")

    def test_nothing_to_say(self):
        self.table.look()
        self.table.look()
        self.assertEqual((self.table.invalid_said(), self.table.changed_said()), ([], []))

    def test_an_entry_that_lets_everything_pass(self):
        self.memory[0x7E00000 + 32 * 0x30] = 0
        self.table.look()
        self.assertEqual(self.table.invalid_said(),
                         ["the device table entry of 00:06.0 was not valid in 1 look of 1: "
                          "everything passes"])

    def test_an_entry_that_changes(self):
        self.table.look()
        for source in (0x20, 0x30):
            self.memory[0x7E00000 + 32 * source] = 0x3
        self.table.look()
        self.assertEqual(self.table.changed_said(),
                         ["the device table entry of 00:04.0 was changed in the gap"])

    def test_one_that_cannot_be_read_any_more(self):
        self.table.look()
        self.hands.lost = True
        self.assertEqual(self.table.invalid_said(),
                         ["the device table could not be read any more"])

    def test_from_freeze_to_the_next_owner(self):
        self.table.event("owner-ready")
        self.assertFalse(self.table.watching)
        other = table.Table(machine.load("q35-intel"), None)
        other.event("freeze")
        self.assertFalse(other.watching)


class Machines(unittest.TestCase):
    def test_all_files_are_good(self):
        for path in machine.MACHINES.iterdir():
            machine.load(path.name)

    def test_root_port_is_guarded(self):
        found = machine.load("q35-intel-rootport").guarded_sources()
        self.assertIn(machine.source_id("01:00.0"), found)
        self.assertIn(machine.source_id("00:02.0"), found)
        self.assertNotIn(machine.source_id("00:03.0"), found)

    def test_streams(self):
        found = machine.load("q35-intel-six").streams()
        self.assertEqual({n: d.role for n, d in found.items()},
                         {0: "kept", 1: "intruder", 2: "kept", 3: "kept"})

    def test_a_virtio_card_is_a_card_that_gets_few_frames(self):
        plain, ats = machine.load("q35-intel-vnet"), machine.load("q35-intel-ats")
        self.assertEqual({n: (d.kind, d.every, d.ats) for n, d in plain.streams().items()},
                         {0: ("vnet", 12, False), 1: ("nic", 1, False)})
        card = ats.streams()[0]
        self.assertEqual((card.ident, card.bus, card.ats), ("vnet0", "rp1", True))
        self.assertIn("intel-iommu.device-iotlb=on", ats.options)

    def test_options_of_a_virtio_card(self):
        for name, ats in (("q35-intel-vnet", "off"), ("q35-intel-ats", "on")):
            with tempfile.TemporaryDirectory() as folder:
                vm = qemu.Qemu(machine.load(name), Path(folder))
                card = vm.machine.by_role("kept")[0]
                argv = vm._vnet(card)
                vm.stop()
            self.assertIn(f"bus={card.bus},addr={card.addr},", argv[3])
            self.assertIn(f"disable-legacy=on,iommu_platform=on,ats={ats},", argv[3])

    def test_interrupts_are_traced_where_they_are_judged(self):
        for name, traced in (("q35-intel-interrupts+scalable", True), ("q35-intel", False)):
            with tempfile.TemporaryDirectory() as folder:
                vm = qemu.Qemu(machine.load(name), Path(folder))
                argv = vm.command(Path("k"), Path("i"), [])
                vm.stop()
            self.assertEqual("pci_nvme_irq_msix" in argv, traced)

    def test_inherited(self):
        self.assertEqual(machine.load("q35-intel-1cpu").cpus, 1)

    def test_devices_of_any_kind_behind_ports(self):
        full = machine.load("q35-intel-full")
        self.assertEqual(len(full.by_role("kept")), 49)
        self.assertEqual(full.ports[0].more, ",hotplug=off,multifunction=on")
        # each port above a kept device is guarded, too
        self.assertEqual(len(full.guarded_sources()), 49 + 24)
        disk = machine.load("q35-intel-hotplug").by_role("other")[0]
        self.assertEqual((disk.kind, disk.bus), ("disk", "pcie.0"))

    def test_mode_comes_after_the_machine(self):
        for path in machine.MODES.iterdir():
            machine.load(f"q35-intel+{path.name}")
        amd = machine.load("q35-intel+amd")
        self.assertEqual(amd.unit, "amd-iommu,intremap=on,dma-remap=on")
        self.assertEqual([d.bdf for d in amd.by_role("other")], ["00:14.0"])
        base, other = machine.load("q35-intel"), machine.load("q35-intel+scalable")
        self.assertEqual(base.devices, other.devices)
        self.assertEqual(other.options, [*base.options, "-global",
                                         "intel-iommu.scalable-mode=on"])
        with self.assertRaisesRegex(RigError, "no mode 'fast'; there are: .*scalable"):
            machine.load("q35-intel+fast")

    def test_unknown_machine_names_the_others(self):
        with self.assertRaisesRegex(RigError, "there are: .*q35-intel"):
            machine.load("vax")

    def test_mistakes_name_the_line(self):
        for line in ("nic kept 4", "nic owner 00:04.0", "wheels 4", "cpus",
                     "nic kept 00:04.0 ats", "vnet kept 00:04.0 atse"):
            with tempfile.NamedTemporaryFile("w") as file:
                file.write("\n" + line)
                file.flush()
                with self.assertRaisesRegex(RigError, "line 2|PCI address"):
                    machine.Machine("x").read(Path(file.name))


class Splats(unittest.TestCase):
    LOG = "[0.0] Linux version 7.3\n[1.0] WARNING: CPU: 1 PID: 2 at x.c\n[2.0] fine\n"

    def scan(self, text, allow=""):
        with tempfile.NamedTemporaryFile("w") as file:
            file.write(allow)
            file.flush()
            return splats.scan_text(text, "demo", splats.deny_list(),
                                    splats.allow_list(Path(file.name)))

    def test_found(self):
        self.assertEqual(self.scan(self.LOG), ["[1.0] WARNING: CPU: 1 PID: 2 at x.c"])

    def test_allowed_for_one_scenario(self):
        self.assertEqual(self.scan(self.LOG, "demo WARNING: ## known"), [])
        self.assertEqual(len(self.scan(self.LOG, "other WARNING: ## known")), 1)

    def test_locks_are_one_thing(self):
        """What lockdep has found is told by its locks, which are lines of their own."""
        log = ("[1.0] WARNING: possible circular locking dependency detected\n[1.1] task/1 is trying"
               " to acquire lock:\n[1.2] (a){+}\n[1.3] Call Trace:\n[1.4]  </TASK>\n")
        self.assertEqual(len(self.scan(log)), 2)
        self.assertEqual(self.scan(log, r"demo acquire lock: \(a\) ## known"), [])
        self.assertEqual(len(self.scan(log, r"demo acquire lock: \(b\) ## known")), 2)
        self.assertEqual(self.scan(log + "[2.0] Oops\n", r"demo lock: \(a\) ## known"), ["[2.0] Oops"])
        beside = log.replace("[1.3]", "[1.2] BUG: KASAN\n[1.3]")
        self.assertEqual(self.scan(beside, r"demo lock: \(a\) ## known"), ["[1.2] BUG: KASAN"])
        cut = log.replace("</TASK>", "")
        self.assertEqual(len(self.scan(cut, r"demo lock: \(a\) ## known")), 2)

    def test_no_reason_no_entry(self):
        for line in ("demo WARNING:", "demo WARNING: ##", "demo ## why"):
            with self.assertRaisesRegex(RigError, "lacks"):
                self.scan(self.LOG, line)

    def test_log_missing_or_not_a_console(self):
        with self.assertRaisesRegex(RigError, "cannot be read"):
            splats.scan(Path("/nonexistent"), "demo")
        with self.assertRaisesRegex(RigError, "no kernel"):
            splats.scan(Path("/dev/null"), "demo")

    def test_list_missing(self):
        with self.assertRaises(RigError):
            splats.deny_list(Path("/nonexistent"))


class Cases(unittest.TestCase):
    def test_the_tables_are_good(self):
        self.assertIn("demo", cases.load())
        self.assertTrue(cases.load()["demo-stock"].control)
        self.assertTrue(all(case.expect for case in selftest.load()))

    def test_spelt_out(self):
        table = {"demo": cases.Case("demo", "demo", args="a:1", rows="A1")}
        case = cases.from_spec("demo@q35-intel-1cpu:b=2:+c=3", table)
        self.assertEqual((case.machine, case.args, case.rows),
                         ("q35-intel-1cpu", "a:1,b:2,+c=3", "A1"))
        self.assertNotIn(":", case.name)
        self.assertIs(cases.from_spec("demo", table), table["demo"])
        case = cases.from_spec("demo:a=9:judge=dma-frames:seconds=7", table)
        self.assertEqual((case.args, case.judge, case.seconds), ("a:9", "dma-frames", 7))
        with self.assertRaisesRegex(RigError, "unknown judge 'mild'"):
            cases.from_spec("demo:judge=mild", table)

    def test_mistakes(self):
        for row in ("a b c", "a a vax - lu - - -", "a a - - bsd - - -", "a a - - lu - maybe -",
                    "a a - - lu>bsd - - -", "a a - - lu> - - -"):
            with self.assertRaisesRegex(RigError, "line 1"):
                cases.parse(row, "cases")
        with self.assertRaisesRegex(RigError, "twice"):
            cases.parse("a a - - lu - - -\n" * 2, "cases")

    def test_next_kernels(self):
        table = cases.parse("a a - - lu - - -\nb b - - lu>stock - - -\n"
                            "c c - - stock>lu,stock - - -", "cases")
        self.assertEqual([(c.kernel, c.next_kernels) for c in table.values()],
                         [("lu", ()), ("lu", ("stock",)), ("stock", ("lu", "stock"))])

    def test_words_for_this_kernel_and_the_next(self):
        case = cases.Case("x", "x", args="a:1,+b=2,>c=3,b:4,>-d")
        words = runner.Run(case, runner.Files(Path(), Path(), Path()), Path()).words()
        self.assertEqual(words[-3:], ["lu.args=a:1,b:4", "lu.next=c=3,-d", "b=2"])

    def test_witnesses(self):
        case = cases.Case("x", "x")
        self.assertEqual(case.witnesses(), set(cases.WITNESSES))
        self.assertNotIn("faults", case._replace(judge="dma-faults").witnesses())
        self.assertEqual(case._replace(judge="plain").witnesses(), set())


MARKS = (("ready", 0), ("marked", 100), ("preserved", 200), ("freeze", 1000), ("stage-2", 2000),
         ("owner-2", 2050), ("retrieved", 2100), ("bound", 2200), ("swapped", 2300),
         ("finished", 2400), ("unbound", 3000))
VALUES = {"reads_submitted": 1024, "reads_completed_before": 100, "reads_completed_blackout": 100,
          "reads_completed_after": 100, "data_errors": 0, "table_pages_kept": 9,
          "pages_leaked": 0, "kernel_old": "7.3 old",
          "kernel_new": "7.3 new"}


class Twins(unittest.TestCase):
    @staticmethod
    def told(*checks, reasons=()):
        return judge.Result("case", "pass", list(reasons),
                            [wire.Check(*check.split("="), "") for check in checks], 1.0)

    def verdicts(self, stock, ours):
        got = twins.compare("case", stock, ours)
        return got.verdict, {check.name: check.verdict for check in got.checks}

    def test_same(self):
        self.assertEqual(self.verdicts(self.told("a=pass", "b=fail", "c=skip"),
                                       self.told("a=pass", "b=fail", "c=skip")),
                         ("pass", {"a": "pass", "b": "skip", "c": "skip"}))

    def test_worse_or_better_differs(self):
        for pair in (("a=pass", "a=fail"), ("a=fail", "a=pass"), ("a=pass", "a=skip")):
            stock, ours = (self.told("z=pass", each) for each in pair)
            self.assertEqual(self.verdicts(stock, ours),
                             ("fail", {"z": "pass", "a": "fail"}), pair)

    def test_missing_differs(self):
        self.assertEqual(self.verdicts(self.told("a=pass", "b=pass"), self.told("a=pass"))[0],
                         "fail")
        self.assertEqual(self.verdicts(self.told("a=pass"), self.told("a=pass", "a=pass"))[0],
                         "fail")

    def test_nothing_passed(self):
        self.assertEqual(self.verdicts(self.told("a=skip"), self.told("a=skip"))[0], "fail")

    def test_other_reasons_count(self):
        splat = "the kernel complained: BUG"
        said = "check b failed: x"
        for stock, ours, want in (([splat], [], "fail"), ([], [splat], "fail"),
                                  ([said], [said], "pass")):
            self.assertEqual(self.verdicts(self.told("a=pass", reasons=stock),
                                           self.told("a=pass", reasons=ours))[0], want)


class FallsOver(unittest.TestCase):
    """A QEMU that ends itself over a race of its own."""

    def machines(self, place, *complaints):
        for n, said in enumerate(complaints):
            vm = qemu.Qemu.__new__(qemu.Qemu)
            vm.folder = Path(place) / str(n)
            vm.folder.mkdir()
            (vm.folder / "qemu.log").write_text(said)
            yield vm

    def runs(self, *complaints):
        patch, mock = unittest.mock.patch.object, unittest.mock.Mock
        with tempfile.TemporaryDirectory() as place, contextlib.redirect_stderr(io.StringIO()) as said:
            left = list(self.machines(place, *complaints))
            with patch(suite, "Run", lambda *args: mock(vm=left.pop(0), out_of_time=False, said=mock(end=None))), \
                 patch(suite.judge, "collect"), patch(suite, "verdict_of", lambda *args: mock(verdict="fail")):
                suite.run_case(cases.Case("x", "x"), runner.Files(Path(), Path(), Path()), Path(place))
            return len(complaints) - len(left), said.getvalue()

    def test_it_gets_another_and_no_third(self):
        fell = "qemu: physmem.c:1: iotlb_to_section: Assertion `x' failed.\n"
        count, said = self.runs(fell, fell, fell)
        self.assertEqual(count, 2)
        self.assertIn("again x: QEMU says qemu: physmem.c", said)

    def test_any_other_end_is_a_failure(self):
        self.assertEqual(self.runs("qemu: memory.c:1: f: Assertion `x' failed.\n", ""), (1, ""))


class FakeRun:
    """A run that went well; tests break it."""

    def __init__(self, folder, lose=(), blackout=True):
        self.case = cases.Case("demo", "demo", judge="demo")
        self.machine = machine.load("q35-intel")
        self.folder = folder
        self.began, self.ended, self.seconds, self.drops = 0, 4 * SECOND, 4.0, 0
        self.stopped_because = ""
        self.table = None
        self.said = wire.Transcript("n")
        for name, ms in MARKS:
            self.said.line(f"LU n event {name}", ms * MS)
        for name, value in VALUES.items():
            self.said.line(f"LU n value {name} {value}", 1)
        self.said.line("LU n check all pass fine", 1)
        self.said.line("LU n end pass demo", 3100 * MS)
        self.all = [frames.Sent(n, n * MS) for n in range(1, 2900)]
        kept = [s for s in self.all if s.seq not in lose and
                (blackout or not 1010 <= s.seq < 2050)]
        self.said.blobs["frames"] = b"".join(
            frames.FOUND_RECORD.pack(s.seq, s.send_ns, 0, 3 if s.seq < 2060 else 2) for s in kept)
        self.said.blobs["intruder"] = b"".join(
            frames.FOUND_RECORD.pack(s.seq, s.send_ns, 0, 3) for s in self.all if s.seq < 1004)
        log = folder / "console.log"
        log.write_text("Linux version 7.3\n")
        trace = folder / "trace.log"
        lines = ["1@0.010000:vtd_dmar_enable enable 1"]
        lines += [f"1@{ms // 1000}.{ms % 1000:03d}000:vtd_dmar_fault "
                  "sid 0x30 fault 1 addr 0x0 write 1" for ms in range(1100, 1900, 10)]
        lines += [f"1@{ms // 1000}.{ms % 1000:03d}000:pci_nvme_enqueue_req_completion "
                  "cid 1 cqid 1 dw0 0x0 dw1 0x0 status 0x0" for ms in range(500, 2500 if blackout else 1000, 10)]
        trace.write_text("\n".join(lines) + "\n")
        self.vm = SimpleNamespace(trace=trace, console_log=log, complaint=lambda: "")

    def clock_offset(self):
        return 0

    def sent(self, stream):
        return self.all

    def console_moment(self, text, after=0):
        return 1005 * MS


class Measured:
    """Makes a report of a run that never was."""

    def setUp(self):
        self.temp = tempfile.TemporaryDirectory()
        self.addCleanup(self.temp.cleanup)

    def report(self, change=lambda run: None, **how):
        run = FakeRun(Path(self.temp.name), **how)
        change(run)
        self.run_ = run
        evidence = judge.collect(run)
        self.times = timeline.of_run(run, evidence)
        return report.judge(run, evidence, self.times)


class Report(Measured, unittest.TestCase):
    KEYS = """verdict frames_sent frames_received frames_lost frames_in_blackout reads_submitted
        reads_completed reads_in_blackout data_errors faults_kept faults_intruder
        intruder_writes_after_jump translation_off blackout_ms table_pages_kept pages_leaked
        swap_frames_lost iommu kernel_old kernel_new""".split()

    def test_good(self):
        found = self.report()
        self.assertEqual(found["reasons"], [])
        self.assertEqual(found["verdict"], "pass")
        self.assertEqual(found["frames_in_blackout"], 1050)
        self.assertEqual(found["blackout_ms"], 1000)
        self.assertEqual(found["reads_completed"], 300)
        self.assertEqual(found["reads_in_blackout"], 100)
        self.assertEqual(found["faults_intruder_in_blackout"], 80)
        self.assertEqual(found["faults_intruder"], 80)
        self.assertEqual(found["steps_ms"]["swap"], 100)
        for key in self.KEYS:
            self.assertIn(key, found)

    def failing(self, pattern, change=lambda run: None, **how):
        found = self.report(change, **how)
        self.assertEqual(found["verdict"], "fail")
        self.assertRegex("; ".join(found["reasons"]), pattern)
        return found

    def test_lost_frame(self):
        self.assertEqual(self.failing("1 frame of .* lost", lose={500})["swap_frames_lost"], 0)

    def test_lost_in_the_swap(self):
        self.assertEqual(self.failing("lost in the swap", lose={2250})["swap_frames_lost"], 1)

    def test_every_value_counts(self):
        for name in ("pages_leaked", "data_errors"):
            self.failing("leaked|errors", lambda run: run.said.values.update({name: 3}))
            self.failing("not known", lambda run: run.said.values.pop(name))

    def test_few_reads(self):
        self.failing("only 3 reads",
                     lambda run: run.said.values.update(reads_completed_blackout=3))
        self.failing("after the blackout",
                     lambda run: run.said.values.update(reads_completed_after=0))

    def test_guest_cannot_claim_more_reads_than_qemu_saw(self):
        found = self.report(lambda run: run.said.values.update(reads_completed_blackout=130))
        self.assertEqual((found["reads_in_blackout"], found["reads_after"]), (105, 125))

    def test_frames_found_only_later_do_not_count(self):
        def late(run):
            log = run.said.blobs["frames"]
            run.said.blobs["frames"] = b"".join(
                frames.FOUND_RECORD.pack(f.seq, f.send_ns, 0, 2) for f in frames.unpack_found(log))
        self.failing("only 0 frames", late)

    def test_intruder_wrote(self):
        def late(run):
            run.said.blobs["intruder"] += frames.FOUND_RECORD.pack(1500, 1500 * MS, 0, 3)
        self.assertEqual(self.failing("wrote 1 times", late)["intruder_writes_after_jump"], 1)
        self.failing("not known", lambda run: run.said.blobs.pop("intruder"))

    def test_intruder_never_blocked(self):
        self.failing("never blocked", lambda run: run.vm.trace.write_text(
            "1@0.010000:vtd_dmar_enable enable 1\n"))

    def test_translation_off(self):
        def off(run):
            run.vm.trace.write_text(run.vm.trace.read_text() +
                                    "1@1.500000:vtd_dmar_enable enable 0\n")
        self.assertEqual(self.failing("translation", off)["translation_off"], 1)

    def test_interrupt_remapping_off(self):
        def off(run):
            run.case = run.case._replace(judge="dma")
            run.vm.trace.write_text(run.vm.trace.read_text() +
                                    "1@0.020000:vtd_ir_enable enable 1\n"
                                    "1@0.030000:pci_cfg_write e1000e 00:04.0 @0x4 <- 0x507\n"
                                    "1@1.500000:vtd_ir_enable enable 0\n")
        self.report(off)
        self.assertIn("QEMU saw interrupt remapping go off 1 time",
                      judge.reasons_to_fail(self.run_, judge.collect(self.run_)))
        self.run_.case = self.run_.case._replace(judge="dma-remapping")
        self.assertIn("remapping went off while these were bus masters: 00:04.0",
                      judge.reasons_to_fail(self.run_, judge.collect(self.run_)))

    def test_interrupts_in_between(self):
        def raised(*when):
            def change(run):
                run.case = run.case._replace(judge="dma")
                run.machine.interrupts = True
                run.vm.trace.write_text(run.vm.trace.read_text() + "".join(
                    f"1@{ms // 1000}.{ms % 1000:03d}000:{what}\n" for ms, what in when))
            self.report(change)
            return judge.reasons_to_fail(self.run_, judge.collect(self.run_))

        msix = "pci_nvme_irq_msix raising MSI-X IRQ vector 0"
        whole = [(1, "pci_cfg_write x 00:04.0 @0x4 <- 0x507"),
                 (950, "pci_cfg_write mch 00:00.0 @0xdc <- 0xf0f1"),
                 (2500, "pci_cfg_write mch 00:00.0 @0xdc <- 0xf0f2"),
                 (1, "pci_cfg_write x 00:05.0 @0x4 <- 0x507"), (900, msix), (2600, msix)]
        self.assertEqual(raised(*whole), [])
        self.assertEqual(raised(*whole, (1100, msix)),
                         ["1 interrupt of kept devices raised between the jump and their new owner"])
        self.assertEqual(raised(*whole[1:]), ["INTx could be raised at the jump by 00:04.0"])
        self.assertEqual(raised(*whole[:5]),
                         ["QEMU saw 1 interrupt before the jump and 0 after it"])
        blocked = (1100, "vtd_ir_irte_get index 1 low 0x0 high 0x0")
        self.assertEqual(raised(*whole, blocked), ["the IOMMU had no entry for 1 interrupt"])

        def unruly(*when):
            raised(*whole, *when)
            self.run_.said.values["unruly"] = 1
            return judge.reasons_to_fail(self.run_, judge.collect(self.run_))

        self.assertEqual(unruly((1100, msix), blocked), [])
        self.assertEqual(unruly((1100, msix), blocked, (1200, "vtd_ir_irte_get index 17 "
                                                       "low 0x40020 high 0x220009")),
                         ["1 interrupt of kept devices went through the IOMMU between the jump "
                          "and their new owner"])
        self.assertEqual(unruly(), ["the rig made no device raise an interrupt in between"])

    def test_translation_off_is_only_allowed_with_masters_off(self):
        def off(run):
            run.case = run.case._replace(judge="dma-translation-faults-frames")
            run.vm.trace.write_text(run.vm.trace.read_text() +
                                    "1@0.020000:pci_cfg_write e1000e 00:04.0 @0x4 <- 0x6\n"
                                    "1@1.500000:vtd_dmar_enable enable 0\n"
                                    "1@1.600000:vtd_dmar_enable enable 1\n")
        self.report(off)
        found = judge.reasons_to_fail(self.run_, judge.collect(self.run_))
        self.assertEqual(found, ["translation went off while these were bus masters: 00:04.0"])

    def test_evidence_missing(self):
        self.failing("trace cannot be read", lambda run: run.vm.trace.unlink())
        self.failing("console log cannot be read", lambda run: run.vm.console_log.unlink())

    def test_end_pass_does_not_help_a_failed_check(self):
        self.failing("check b failed: no", lambda run: run.said.line("LU n check b fail no", 1))

    def test_every_kept_stream_is_judged(self):
        def second(run):
            log = frames.unpack_found(run.said.blobs["frames"])[1:]
            run.machine = machine.load("q35-intel-six")
            run.said.blobs["frames-0000:01:00.0"] = b"".join(frames.FOUND_RECORD.pack(*f) for f in log)
            run.sent = lambda stream: run.all
        self.failing("1 frame of 2,899 lost, the first is number 1", second)

    def test_no_log_of_frames(self):
        self.failing("no log of frames", lambda run: run.said.blobs.clear())

    def test_dropped_on_the_host(self):
        self.failing("host itself dropped 7", lambda run: setattr(run, "drops", 7))

    def test_control(self):
        found = self.report(blackout=False)
        self.assertEqual(found["verdict"], "fail")
        self.assertEqual(report.control_reasons(self.run_, found, self.times), [])
        found = self.report()
        self.assertTrue(report.control_reasons(self.run_, found, self.times))

    def test_control_that_has_to_lose(self):
        for lose, wanted in (({5}, []), ((), ["no frame was lost"])):
            run = FakeRun(Path(self.temp.name), lose=lose)
            self.assertEqual(judge.reasons_not_to_lose(run, judge.collect(run)), wanted)

    def test_text_fits_a_screen(self):
        text = report.text(self.report(), "timeline.svg")
        self.assertLess(len(text.splitlines()), 30)
        self.assertLess(max(map(len, text.splitlines())), 100)
        self.assertIn("PASS", text)


class Picture(Measured, unittest.TestCase):
    def test_is_well_formed(self):
        for blackout in (True, False):
            found = self.report(blackout=blackout)
            drawn = picture.draw(self.times, found)
            xml.dom.minidom.parseString(drawn)
            for word in ("freeze", "jump", "init", "retrieve", "swap", "finish"):
                self.assertIn(f">{word} ", drawn)

    def test_labels_do_not_touch(self):
        placed = picture.place_labels([(100.0, "freeze"), (110.0, "jump"), (120.0, "init")])
        self.assertEqual([(row, words) for _, row, words in placed],
                         [(0, "init"), (1, "jump"), (2, "freeze")])

    def test_bins(self):
        self.assertEqual(picture.bins([0, 19 * MS, 20 * MS, 99 * MS], picture.Scale(0, 60 * MS, 0)), [2, 1, 0])


def main():
    """Like unittest's, with the last line that all our tests have."""
    result = unittest.main(exit=False, verbosity=0).result
    bad = len(result.failures) + len(result.errors)
    skipped = len(result.skipped)
    print(f"{result.testsRun - bad - skipped} passed, {bad} failed, {skipped} skipped")
    return 1 if bad else 0


if __name__ == "__main__":
    sys.exit(main())


class Tools(unittest.TestCase):
    """Programs for user space that a run takes along."""

    def setUp(self):
        self.place = Path(tempfile.mkdtemp(prefix="tools-test-"))
        self.addCleanup(shutil.rmtree, self.place, ignore_errors=True)
        for name, value in (("ROOT", self.place), ("OUT", self.place / "out")):
            kept = getattr(tools, name)
            setattr(tools, name, value)
            self.addCleanup(setattr, tools, name, kept)

    def makefile(self, recipe):
        (self.place / "thing").mkdir(exist_ok=True)
        (self.place / "thing/Makefile").write_text(f"$(OUT)/static/thing:\n\tmkdir -p $(@D)\n\t{recipe}\n")

    def test_built_when_it_is_wanted(self):
        self.makefile("echo program >$@")
        [entry] = tools.entries(["thing"])
        self.assertEqual((entry.name, entry.data), ("bin/thing", b"program\n"))
        self.assertEqual(entry.mode & 0o777, 0o755)
        self.assertEqual(tools.entries([]), [])

    def test_what_is_not_there(self):
        with self.assertRaisesRegex(RigError, "no program thing"):
            tools.entries(["thing"])
        self.makefile("false")
        with self.assertRaisesRegex(RigError, "could not be built"):
            tools.entries(["thing"])
