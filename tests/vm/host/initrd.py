# SPDX-License-Identifier: GPL-2.0-only
"""Writes cpio archives (newc) and puts the initrd of one run together.

The kernel unpacks concatenated archives one after another, so the one with
pid 1 stays as it is and a second brings /bzImage, the kernel to jump into, and
whatever else this run needs.
"""

import os
import shutil
import stat
from pathlib import Path
from typing import BinaryIO, Iterable, NamedTuple, Optional

from .base import RigError

ALIGN = 4
# the kernel looks for the next archive's magic at a 4 byte boundary; a whole
# block keeps other tools (cpio -t) happy too
BLOCK = 512


class Entry(NamedTuple):
    name: str
    mode: int
    data: bytes = b""


def file_entry(name: str, data: bytes, perm: int = 0o644) -> Entry:
    return Entry(name, stat.S_IFREG | perm, data)


def dir_entry(name: str) -> Entry:
    return Entry(name, stat.S_IFDIR | 0o755)


def link_entry(name: str, target: str) -> Entry:
    return Entry(name, stat.S_IFLNK | 0o777, target.encode())


def _padding(length: int, align: int) -> bytes:
    return b"\0" * (-length % align)


def _record(ino: int, entry: Entry) -> bytes:
    name = entry.name.lstrip("/").encode() + b"\0"
    links = 2 if stat.S_ISDIR(entry.mode) else 1
    fields = (ino, entry.mode, 0, 0, links, 0, len(entry.data), 0, 0, 0, 0, len(name), 0)
    head = b"070701" + b"".join(b"%08x" % field for field in fields) + name
    head += _padding(len(head), ALIGN)
    return head + entry.data + _padding(len(entry.data), ALIGN)


def write_cpio(out: BinaryIO, entries: Iterable[Entry]) -> None:
    """Append one complete archive to out."""
    size = 0
    for ino, entry in enumerate([*entries, Entry("TRAILER!!!", 0)], start=1):
        record = _record(ino, entry)
        out.write(record)
        size += len(record)
    out.write(_padding(size, BLOCK))


def read_kernel(path: Path, what: str) -> bytes:
    """The bytes of a bzImage, or a sentence why there is none."""
    image = path / "bzImage" if path.is_dir() else path
    try:
        data = image.read_bytes()
    except FileNotFoundError:
        raise RigError(f"There is no {what} at {image}: run 'make kernel' first.") from None
    except OSError as err:
        raise RigError(f"The {what} at {image} cannot be read: {err.strerror}.") from None
    if data[0x202:0x206] != b"HdrS":
        raise RigError(f"{image} is not an x86 kernel image (bzImage).")
    return data


def write_base(target: Path, program: bytes) -> Path:
    """The archive that holds pid 1 and the folders it mounts things on."""
    folders = [dir_entry(name) for name in ("bin", "dev", "proc", "sys", "tmp")]
    part = target.with_suffix(f".{os.getpid()}")
    with open(part, "wb") as out:
        write_cpio(out, [*folders, file_entry("init", program, 0o755)])
    os.replace(part, target)
    return target


def assemble(target: Path, base: Path, next_kernel: Optional[bytes],
             extra: Iterable[Entry] = ()) -> None:
    """target = base archive + an archive with /bzImage and the extra entries."""
    entries = list(extra)
    if next_kernel is not None:
        entries.append(file_entry("bzImage", next_kernel))
    try:
        with open(target, "wb") as out:
            with open(base, "rb") as src:
                shutil.copyfileobj(src, out)
            out.write(_padding(out.tell(), BLOCK))
            write_cpio(out, entries)
    except FileNotFoundError as err:
        raise RigError(f"The initramfs {err.filename} is missing.") from None
    except OSError as err:
        raise RigError(f"Cannot write {target}: {err.strerror}.") from None
