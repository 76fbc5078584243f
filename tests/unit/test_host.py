# SPDX-License-Identifier: GPL-2.0-only
"""tests/host: what a guest's pause is read from, and how frames are answered. [E7]"""

import socket
import sys
import unittest

from project import ROOT

sys.path[:0] = [str(ROOT / "tests/host"), str(ROOT / "tests/vm")]
sys.dont_write_bytecode = True

from debian import guest, pause, short  # noqa: E402
from host import frames, machine, sender  # noqa: E402

S = 1_000_000_000
CONSOLE = [(10 * S, "[    9.000000] old"), (20 * S + 5, "[   19.000000] kexec_core: Starting new kernel"),
           (25 * S, "[    0.000000] Linux version"), (27 * S, "[    4.000000] late by a second"),
           (28 * S, "[    6.000000] new")]


class Console(unittest.TestCase):
    def test_a_line_of_the_guest(self):
        seen, = guest.parse("guest: id 0a up 7 clock 12.500 set 1 reads 2 writes 3 bad 0 frames 4 gaps 5\nguest: x")
        self.assertEqual(seen, guest.Seen("0a", 7, 12.5, 1, 2, 3, 0, 4, 5))

    def test_a_processor_that_waits_for_itself(self):
        """With interrupts off, at one place; not one that works, or waits for an interrupt."""
        self.assertTrue(guest.is_deadlock("RIP=ffffffffa882eafc RFL=00000002 [--]\n== x\nRIP=ffffffffa882eafc RFL=00000002"))
        for first, then in ("RIP=a RFL=2", "RIP=b RFL=2"), ("RIP=a RFL=202", "RIP=a RFL=202"), ("RIP=a RFL=2", ""):
            self.assertFalse(guest.is_deadlock(f"{first}\n{then}\n"))

    def test_two_kernels(self):
        old, new = pause.kernels(CONSOLE)
        self.assertEqual((len(old), len(new)), (2, 3))
        self.assertEqual(pause.kernels(CONSOLE[:1]), (CONSOLE[:1], []))

    def test_how_far_clocks_are_apart(self):
        """A line that is late, or has no time yet, does not count."""
        old, new = pause.kernels(CONSOLE)
        self.assertEqual(pause.apart(old), 1 * S)
        self.assertEqual(pause.apart(new), 22 * S)
        self.assertIsNone(pause.apart([(S, "no time")]))


class Short(unittest.TestCase):
    def test_it_is_what_the_document_says(self):
        text = (ROOT / "docs/operators.md").read_text()
        self.assertIn("".join(f"    {line}\n" for line in short.EARLY.splitlines()), text)
        self.assertIn(short.QUIET, text)


class Pause(unittest.TestCase):
    MARKS = {"stands still": 0, "preserved": S, "jump": 2 * S, "init": 4 * S, "systemd": 5 * S, "service": 9 * S,
             "all back": 10 * S}

    def test_a_time_of_a_journal(self):
        entries = [{"MESSAGE": "lu-qemu: 'x' stands still.", "__MONOTONIC_TIMESTAMP": "5"},
                   {"MESSAGE": "Run /init", "__MONOTONIC_TIMESTAMP": "9", "_SOURCE_MONOTONIC_TIMESTAMP": "7"}]
        self.assertEqual(pause.when(entries, "stands still", 100), 5100)
        self.assertEqual(pause.when(entries, "Run /init", 100), 7100)
        self.assertIsNone(pause.when(entries, "has everything back", 100))
        self.assertIsNone(pause.when(entries, "Run /init", None))

    def test_parts(self):
        found = pause.with_first_read(self.MARKS, [3 * S, 11 * S, 12 * S])
        self.assertEqual(pause.parts(found), {"preserve": 1, "shutdown": 1, "kernel": 2, "initrd": 1, "services": 4,
                                              "restore": 1, "QEMU": 1})
        self.assertTrue(pause.text(found).startswith("11.0 s: preserve 1.0"))

    def test_what_is_not_known_is_no_part(self):
        found = {mark: ns for mark, ns in self.MARKS.items() if mark != "jump"}
        self.assertEqual(set(pause.parts(found)), {"preserve", "initrd", "services", "restore"})
        self.assertTrue(pause.text(found).startswith("? s: "))

    def test_picture(self):
        found = pause.with_first_read(self.MARKS, [11 * S])
        drawn = pause.draw(found, pause.Transfers([11 * S], [11 * S], [S]), ["a note"])
        for words in ("the guest stands still: 11.0 s", "a note", "all back 10.00", "answered by the guest"):
            self.assertIn(words, drawn)


class Answers(unittest.TestCase):
    def test_are_told_from_other_frames(self):
        frame = bytearray(frames.build(0, 77, 1))
        self.assertEqual(frames.answered(frame), 0)
        frame[12:14] = frames.ANSWER_TYPE.to_bytes(2, "big")
        self.assertEqual(frames.answered(frame), 77)
        self.assertEqual(frames.answered(frame[:30]), 0)
        frame[14] ^= 1
        self.assertEqual(frames.answered(frame), 0)

    def test_are_noted(self):
        ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_DGRAM)
        stream = sender.Stream(0, ours.detach(), 0)
        with theirs:
            theirs.send(b"something else")
            frame = bytearray(frames.build(0, 5, 1))
            frame[12:14] = frames.ANSWER_TYPE.to_bytes(2, "big")
            theirs.send(frame)
            stream.drain()
        stream.sock.close()
        self.assertEqual([a.seq for a in frames.unpack_sent(bytes(stream.answers))], [5])


class Writable(unittest.TestCase):
    def test_only_where_it_is_said(self):
        drives = {name: [d.writable for d in machine.load(name).devices if d.kind == "nvme"]
                  for name in ("q35-intel-guest", "q35-intel-host")}
        self.assertEqual(drives, {"q35-intel-guest": [True], "q35-intel-host": [False]})


if __name__ == "__main__":
    unittest.main()
