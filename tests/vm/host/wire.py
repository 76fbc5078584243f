# SPDX-License-Identifier: GPL-2.0-only
"""The verdict's own wire: parses and stamps what the guest says on ttyS1.

    LU <nonce> event NAME [k=v ...]
    LU <nonce> value NAME NUMBER|TEXT
    LU <nonce> check NAME pass|fail|skip TEXT
    LU <nonce> blob NAME NBYTES  then  LU <nonce> b64 DATA ...  then
    LU <nonce> blob-end NAME crc32=HEX
    LU <nonce> end pass|fail TEXT
"""

import base64
import binascii
import os
import queue
import threading
import time
from typing import Dict, List, NamedTuple, Optional, Set, Union

Value = Union[int, float, str]


class Event(NamedTuple):
    ns: int
    name: str
    fields: Dict[str, str]


class Check(NamedTuple):
    name: str
    verdict: str
    text: str


class End(NamedTuple):
    ns: int
    verdict: str
    text: str


def number_or_text(text: str) -> Value:
    try:
        return int(text, 0)
    except ValueError:
        pass
    try:
        return float(text)
    except ValueError:
        return text


class Transcript:
    """Everything the guest said in one run, and what was wrong with it."""

    def __init__(self, nonce: str):
        self.nonce = nonce
        self.events: List[Event] = []
        self.values: Dict[str, Value] = {}
        self.checks: List[Check] = []
        self.blobs: Dict[str, bytes] = {}
        self.end: Optional[End] = None
        self.wrong_nonce = 0
        self.faults: List[str] = []
        self._names: Set[str] = set()
        self._blob_name = ""
        self._blob_size = 0
        self._blob: List[str] = []

    def moment(self, name: str) -> Optional[int]:
        """When event name was first seen."""
        return next((e.ns for e in self.events if e.name == name), None)

    def line(self, text: str, ns: int) -> Optional[NamedTuple]:
        """Take one line; returns the event or end it holds."""
        words = text.split(" ", 3)
        if len(words) < 3 or words[0] != "LU":
            return None
        if words[1] != self.nonce:
            self.wrong_nonce += 1
            return None
        verb, rest = words[2], words[3] if len(words) > 3 else ""
        take = getattr(self, "_take_" + verb.replace("-", "_"), None)
        if take is None:
            self.faults.append(f"unknown word '{verb}' on the wire")
            return None
        return take(rest.strip(), ns)

    def _take_event(self, rest: str, ns: int) -> Optional[Event]:
        name, *pairs = rest.split() or ["?"]
        fields = dict(pair.split("=", 1) for pair in pairs if "=" in pair)
        self.events.append(Event(ns, name, fields))
        return self.events[-1]

    def _take_value(self, rest: str, ns: int) -> None:
        name, _, text = rest.partition(" ")
        self.values[name] = number_or_text(text.strip())

    def _take_check(self, rest: str, ns: int) -> None:
        name, _, rest = rest.partition(" ")
        verdict, _, text = rest.partition(" ")
        if verdict not in ("pass", "fail", "skip"):
            self.faults.append(f"check '{name}' says '{verdict}'")
            verdict = "fail"
        if name in self._names:
            self.faults.append(f"check '{name}' came twice")
        self._names.add(name)
        self.checks.append(Check(name, verdict, text))

    def _take_blob(self, rest: str, ns: int) -> None:
        name, _, size = rest.partition(" ")
        self._blob_name, self._blob = name, []
        self._blob_size = int(size) if size.isdigit() else -1

    def _take_b64(self, rest: str, ns: int) -> None:
        self._blob.append(rest)

    def _take_blob_end(self, rest: str, ns: int) -> None:
        name, _, crc = rest.partition(" crc32=")
        lines, self._blob = self._blob, []
        try:
            data = b"".join(base64.b64decode(line, validate=True) for line in lines)
            wanted = int(crc, 16)
        except (binascii.Error, ValueError):
            self.faults.append(f"blob '{name}' is garbled")
            return
        if name != self._blob_name or len(data) != self._blob_size:
            self.faults.append(f"blob '{name}' is {len(data)} bytes, "
                               f"{self._blob_size} were announced")
        elif binascii.crc32(data) != wanted:
            self.faults.append(f"blob '{name}' has a wrong checksum")
        else:
            self.blobs[name] = data

    def _take_end(self, rest: str, ns: int) -> End:
        verdict, _, text = rest.partition(" ")
        if verdict not in ("pass", "fail"):
            self.faults.append(f"the guest ended with '{rest}'")
            verdict = "fail"
        self.end = End(ns, verdict, text)
        return self.end


class LineReader(threading.Thread):
    """Cuts what comes through a pipe into lines, each stamped at arrival."""

    def __init__(self, fd: int):
        super().__init__(daemon=True)
        self.fd = fd
        # (time, line); None when the other side has gone
        self.lines: "queue.Queue" = queue.Queue()

    def run(self) -> None:
        rest = b""
        while True:
            try:
                data = os.read(self.fd, 65536)
            except OSError:
                data = b""
            now = time.monotonic_ns()
            if not data:
                break
            *lines, rest = (rest + data).split(b"\n")
            for line in lines:
                self.lines.put((now, line.decode(errors="replace").rstrip("\r")))
        if rest:
            self.lines.put((time.monotonic_ns(), rest.decode(errors="replace")))
        self.lines.put(None)
        os.close(self.fd)

    def drain(self) -> List[tuple]:
        """All lines that have come so far."""
        got = []
        while not self.lines.empty():
            item = self.lines.get()
            if item is not None:
                got.append(item)
        return got


def say(fd: int, word: str) -> None:
    """The host's only words to the guest: GO NAME."""
    try:
        os.write(fd, f"GO {word}\n".encode())
    except OSError:
        pass
