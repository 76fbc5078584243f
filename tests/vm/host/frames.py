# SPDX-License-Identifier: GPL-2.0-only
"""Frames: how they look on the wire, in the guest's log, and what is missing."""

import struct
from typing import Dict, Iterable, List, NamedTuple, Sequence

MAGIC = 0x4C55464D
# of a frame, and of the same when it is sent back as an answer
ETHERTYPE, ANSWER_TYPE = 0x88B5, 0x88B6
FRAME_SIZE = 256
KEPT, INTRUDER = 0, 1

HEAD = struct.Struct("<IIQQ")
HEAD_AT = 14
PAYLOAD_AT = HEAD_AT + HEAD.size
PAYLOAD_SIZE = FRAME_SIZE - PAYLOAD_AT

MASK = (1 << 64) - 1
MULTIPLIER = 0x2545F4914F6CDD1D

# what the guest says about a frame it found
IN_FIRST_SCAN = 1
PAYLOAD_OK = 2


def answered(frame: bytes) -> int:
    """The number of the frame that this is an answer to; 0 if it is none."""
    if len(frame) < PAYLOAD_AT or frame[12:14] != ANSWER_TYPE.to_bytes(2, "big"):
        return 0
    magic, _, seq, _ = HEAD.unpack_from(frame, HEAD_AT)
    return seq if magic == MAGIC else 0


def payload(seq: int) -> bytes:
    """xorshift64* seeded by seq, little endian, cut to the size of a frame."""
    state = seq & MASK
    words = []
    for _ in range((PAYLOAD_SIZE + 7) // 8):
        state ^= state >> 12
        state = (state ^ (state << 25)) & MASK
        state ^= state >> 27
        words.append((state * MULTIPLIER) & MASK)
    return struct.pack(f"<{len(words)}Q", *words)[:PAYLOAD_SIZE]


def ethernet_head(stream: int) -> bytes:
    source = bytes((0x52, 0x54, 0x00, 0x4C, 0x55, stream & 0xFF))
    return b"\xff" * 6 + source + ETHERTYPE.to_bytes(2, "big")


def build(stream: int, seq: int, send_ns: int, body: bytes = b"") -> bytes:
    head = HEAD.pack(MAGIC, stream, seq, send_ns)
    return ethernet_head(stream) + head + (body or payload(seq))


class Sent(NamedTuple):
    seq: int
    send_ns: int


class Found(NamedTuple):
    """One record of the guest's frame log."""
    seq: int
    send_ns: int
    slot: int
    flags: int


SENT_RECORD = struct.Struct("<QQ")
FOUND_RECORD = struct.Struct("<QQII")


def unpack_sent(data: bytes) -> List[Sent]:
    return [Sent(*fields) for fields in SENT_RECORD.iter_unpack(data)]


def unpack_found(data: bytes) -> List[Found]:
    if len(data) % FOUND_RECORD.size:
        raise ValueError(f"the frame log is {len(data)} bytes, no multiple of {FOUND_RECORD.size}")
    return [Found(*fields) for fields in FOUND_RECORD.iter_unpack(data)]


class Tally(NamedTuple):
    """What became of one stream of frames."""
    sent: int
    received: int         # distinct frames, sent by us, found in memory
    lost: List[Sent]
    duplicates: int
    unordered: int        # arrived after a frame with a higher number
    bad: int              # payload wrong, never sent, or another time stamp
    good: Dict[int, Found]

    def received_between(self, start: int, end: int) -> List[Found]:
        return [f for f in self.good.values() if start <= f.send_ns < end]

    def lost_between(self, start: int, end: int) -> int:
        return sum(1 for s in self.lost if start <= s.send_ns < end)


def tally(sent: Sequence[Sent], found: Iterable[Found]) -> Tally:
    """Compare what was sent with what the guest found, in ring order."""
    stamps = {s.seq: s.send_ns for s in sent}
    good: Dict[int, Found] = {}
    duplicates = unordered = bad = last = 0
    for frame in found:
        if stamps.get(frame.seq) != frame.send_ns or not frame.flags & PAYLOAD_OK:
            bad += 1
            continue
        if frame.seq in good:
            duplicates += 1
            continue
        if frame.seq < last:
            unordered += 1
        last = max(last, frame.seq)
        good[frame.seq] = frame
    lost = [s for s in sent if s.seq not in good]
    return Tally(len(sent), len(good), lost, duplicates, unordered, bad, good)
