# SPDX-License-Identifier: GPL-2.0-only
"""Sends numbered, time-stamped frames into the machine at a steady pace.

A process of its own, so that nothing else in the rig can disturb its pace:

    python3 -m host.sender --rate N --log DIR STREAM:FD[:EVERY[:PEER]]...

A stream gets a frame each time one is due, or one time in EVERY.

PEER is the socket at the other end. As long as that has hardly any room left
nothing is sent: a frame that the host throws away would look like one that the
device has lost.

Commands come on stdin, one per line: start, rate N, stop. Each is answered
on stdout with 'started', 'rate N' or 'stopped' once it has taken effect; the
log of a stream (seq, time) is on disk before 'stopped' is said, and so is that of
the answers to it, if there were any. End of input means stop.
"""

import argparse
import os
import select
import socket
import struct
import sys
import time
from pathlib import Path
from typing import List, Optional

from . import frames

TICK = 0.0008
# Frames per wake-up and stream: after a stall the backlog goes out at no more
# than about 16 frames a millisecond, far below the size of a ring.
BURST = 16
# A longer stall than this is not caught up with; nothing is lost by that, the
# frames simply have not been sent.
MAX_BACKLOG_S = 0.5
PREPARED = 12000
# A device that takes nothing for so long does not hold up the others.
HOLD_S = 2.0
SO_MEMINFO = 55


class Stream:
    """One socket, one sequence."""

    def __init__(self, number: int, fd: int, lose: int, every: int = 1,
                 peer: Optional[int] = None):
        self.number = number
        self.every = every
        self.peer = None if peer is None else socket.socket(fileno=peer)
        self.sock = socket.socket(fileno=fd)
        self.sock.setblocking(False)
        self.lose = lose
        self.log = bytearray()
        self.answers = bytearray()
        self.seq = 0

    def send_one(self, bodies: List[bytes]) -> bool:
        seq = self.seq + 1
        body = bodies[seq - 1] if seq <= len(bodies) else frames.payload(seq)
        now = time.monotonic_ns()
        # --lose makes the rig's own test: said to be sent, but is not
        if not (self.lose and seq % self.lose == 0):
            try:
                self.sock.send(frames.build(self.number, seq, now, body))
            except (BlockingIOError, ConnectionRefusedError):
                return False
        self.seq = seq
        self.log += frames.SENT_RECORD.pack(seq, now)
        return True

    def crowded(self) -> bool:
        """Is half of the room at the other end taken?"""
        if not self.peer:
            return False
        info = self.peer.getsockopt(socket.SOL_SOCKET, SO_MEMINFO, 36)
        queued, limit = struct.unpack("9I", info)[:2]
        return queued > limit // 2

    def drain(self) -> None:
        """Take what the guest sends, so that it never fills up, and keep note of answers."""
        try:
            while True:
                seq = frames.answered(self.sock.recv(2048))
                if seq:
                    self.answers += frames.SENT_RECORD.pack(seq, time.monotonic_ns())
        except OSError:
            pass


class Sender:
    def __init__(self, streams: List[Stream], rate: int, log: Path):
        self.streams = streams
        # computed ahead: the same sequence number has the same payload in all streams
        self.bodies = [frames.payload(seq) for seq in range(1, PREPARED + 1)]
        self.rate = rate
        self.log = log
        self.began: Optional[float] = None
        self.base = self.turn = 0
        self.held_since: Optional[float] = None
        self.pending = b""

    def restart_clock(self) -> None:
        self.began = time.monotonic()
        self.base = self.turn

    def send_turn(self) -> None:
        for stream in self.streams:
            if self.turn % stream.every == 0:
                stream.send_one(self.bodies)
        self.turn += 1

    def held(self) -> bool:
        if not any(stream.crowded() for stream in self.streams):
            self.held_since = None
            return False
        now = time.monotonic()
        if self.held_since is None:
            self.held_since = now
        return now - self.held_since < HOLD_S

    def pump(self) -> None:
        """Send what is due by now, in step on all streams."""
        if self.began is None or not self.streams:
            return
        if self.held():
            self.restart_clock()
            return
        due = self.base + int((time.monotonic() - self.began) * self.rate)
        backlog = due - self.turn
        if backlog > self.rate * MAX_BACKLOG_S:
            self.restart_clock()
            backlog = 1
        for _ in range(min(backlog, BURST)):
            self.send_turn()

    def command(self, line: str) -> bool:
        """False when it was the last one."""
        verb, _, rest = line.partition(" ")
        if verb == "start":
            self.restart_clock()
            answer("started")
        elif verb == "rate":
            self.rate = max(1, min(int(rest), 20000))
            if self.began is not None:
                self.restart_clock()
            answer(f"rate {self.rate}")
        elif verb == "stop":
            return False
        return True

    def read_commands(self) -> bool:
        data = os.read(0, 4096)
        if not data:
            return False
        self.pending += data
        while b"\n" in self.pending:
            line, _, self.pending = self.pending.partition(b"\n")
            if not self.command(line.decode().strip()):
                return False
        return True

    def run(self) -> None:
        last_drain = 0.0
        while True:
            wait = TICK if self.began is not None else 0.2
            if select.select([0], [], [], wait)[0] and not self.read_commands():
                break
            self.pump()
            now = time.monotonic()
            if now - last_drain > 0.1:
                last_drain = now
                for stream in self.streams:
                    stream.drain()
        self.write_logs()

    def write_logs(self) -> None:
        for stream in self.streams:
            (self.log / f"sent-{stream.number}.bin").write_bytes(bytes(stream.log))
            if stream.answers:
                (self.log / f"answers-{stream.number}.bin").write_bytes(bytes(stream.answers))


def answer(text: str) -> None:
    print(text, flush=True)


def main(argv: List[str]) -> int:
    parser = argparse.ArgumentParser(prog="sender")
    parser.add_argument("--rate", type=int, required=True)
    parser.add_argument("--log", type=Path, required=True)
    parser.add_argument("--lose", type=int, default=0)
    parser.add_argument("streams", nargs="*")
    args = parser.parse_args(argv)
    streams = []
    for item in args.streams:
        number, fd, *more = (int(part) for part in item.split(":"))
        streams.append(Stream(number, fd, args.lose, *more))
    try:
        os.nice(-10)
    except OSError:
        pass
    Sender(streams, args.rate, args.log).run()
    answer("stopped")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
