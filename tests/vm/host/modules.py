# SPDX-License-Identifier: GPL-2.0-only
"""The modules of a kernel that the guest needs, in the order of loading.

A kernel that has vfio-pci as a module needs those the rig uses. Any other has
them built in; what it has as modules beside them is brought only to a test that
asks for it, with modules:NAME+NAME among its args.

A kernel's folder may hold modules/RELEASE, as 'ktree build' leaves it. What a
module depends on is read in itself, so nothing of depmod is needed.
"""

from pathlib import Path
from typing import Dict, Iterable, List

from . import initrd
from .base import RigError

# What the rig uses, where it is a module: drivers of its devices first, because
# those are there before anybody asks for vfio-pci.
WANTED = ("virtio_pci", "virtio_blk", "virtio_net", "nvme", "pvpanic_pci", "pci_stub",
          "iommufd", "vfio_pci")


def name_of(path: Path) -> str:
    return path.stem.replace("-", "_")


def depends(data: bytes) -> List[str]:
    """The names after "depends=" in the module's information."""
    start = data.find(b"\0depends=")
    if start < 0:
        return []
    text = data[start + 9:data.index(b"\0", start + 9)].decode()
    return [name.replace("-", "_") for name in text.split(",") if name]


def in_order(found: Dict[str, bytes], wanted: Iterable[str]) -> List[str]:
    """Each after what it depends on; what is not there is built in."""
    order: List[str] = []

    def take(name: str) -> None:
        if name not in found or name in order:
            return
        for other in depends(found[name]):
            if other not in found:
                raise RigError(f"The module {name} needs {other}, which is not there.")
            take(other)
        order.append(name)

    for name in wanted:
        take(name)
    return order


class Modules(dict):
    """Name to contents, read when it is asked for."""

    def __init__(self, folder: Path):
        super().__init__()
        self.paths = {name_of(path): path for path in folder.rglob("*.ko")}

    def __contains__(self, name: object) -> bool:
        return name in self.paths

    def __missing__(self, name: str) -> bytes:
        self[name] = self.paths[name].read_bytes()
        return self[name]


def entries(kernels: Iterable[Path], asked: Iterable[str] = ()) -> List[initrd.Entry]:
    """/modules/RELEASE with "order" and the modules, for each kernel that has any."""
    out: List[initrd.Entry] = []
    for kernel in kernels:
        home = (kernel if kernel.is_dir() else kernel.parent) / "modules"
        for folder in sorted(home.iterdir()) if home.is_dir() else []:
            there = f"modules/{folder.name}"
            found = Modules(folder)
            wanted = WANTED if "vfio_pci" in found else ()
            order = in_order(found, (*wanted, *asked))
            if not order:
                continue
            out += [] if out else [initrd.dir_entry("modules")]
            out.append(initrd.dir_entry(there))
            names = "".join(name + "\n" for name in order)
            out.append(initrd.file_entry(f"{there}/order", names.encode()))
            out += [initrd.file_entry(f"{there}/{n}.ko", found[n]) for n in order]
    return out
