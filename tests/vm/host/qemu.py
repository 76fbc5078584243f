# SPDX-License-Identifier: GPL-2.0-only
"""Starts and stops one QEMU.

All its sockets and pipes are made here and handed down as open files, so no
port or path can be taken by another run, and none is left behind.
"""

import ctypes
import fcntl
import json
import os
import re
import signal
import socket
import struct
import subprocess
import time
from pathlib import Path
from typing import Any, Dict, List, Optional, Sequence, Tuple

from . import emulator, media
from .base import RigError, slowness
from .machine import Device, Machine

# Frames wait here while the device cannot take them; large enough that the
# host never drops one (counted, see drops()).
RECEIVE_BUFFER = 8 << 20
SO_RCVBUFFORCE = 33
SO_MEMINFO = 55
MEMINFO_QUEUED, MEMINFO_DROPS = 0, 8
PR_SET_PDEATHSIG = 1
# how long a slot may take to lose its power
UNPLUG_S = 20
# Looks in a row at which no drive may have finished anything. A drive with work
# to do finishes some ten reads from one look to the next; who answers is the
# thread that would finish them, so that a busy host makes both late.
HOME_LOOKS, HOME_LOOK_S = 10, 0.2
HOME_S = 60

# q35's memory mapped configuration space, where its firmware puts it
ECAM = 0xB0000000
PCI_COMMAND, PCI_COMMAND_MASTER = 4, 1 << 2
PCI_CAPABILITIES, PCI_MSIX, PCI_MSIX_CONTROL, PCI_MSIX_ENABLE = 0x34, 0x11, 2, 1 << 15


def _die_with_parent() -> None:
    ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGKILL)


def spawn(argv: Sequence[str], **more: Any) -> subprocess.Popen:
    """A child that cannot outlive the rig, whatever happens to the rig, and
    that leaves an interrupt from the keyboard to the rig."""
    def prepare() -> None:
        _die_with_parent()
        signal.signal(signal.SIGINT, signal.SIG_IGN)
    return subprocess.Popen(argv, preexec_fn=prepare, **more)


def _datagram_pair() -> List[socket.socket]:
    """Two UDP sockets on the loopback that talk only to each other."""
    pair = [socket.socket(socket.AF_INET, socket.SOCK_DGRAM) for _ in range(2)]
    for sock in pair:
        sock.bind(("127.0.0.1", 0))
    pair[0].connect(pair[1].getsockname())
    pair[1].connect(pair[0].getsockname())
    try:
        pair[0].setsockopt(socket.SOL_SOCKET, SO_RCVBUFFORCE, RECEIVE_BUFFER)
    except PermissionError:
        pair[0].setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, RECEIVE_BUFFER)
    return pair


def _pipe() -> Tuple[int, int]:
    """For a serial port. A pipe, because a UART writes byte by byte: a socket
    is full after a few hundred such writes, and QEMU's UART then garbles."""
    ends = os.pipe()
    try:
        fcntl.fcntl(ends[1], fcntl.F_SETPIPE_SZ, 1 << 20)
    except OSError:
        pass
    return ends


class Monitor:
    """QMP: one command, one answer; events are skipped."""

    def __init__(self, sock: socket.socket):
        sock.settimeout(10)
        self.file = sock.makefile("rw")
        self.greeted = False

    def _answer(self) -> Dict[str, Any]:
        while True:
            line = self.file.readline()
            if not line:
                raise RigError("QEMU closed its monitor.")
            message = json.loads(line)
            if "return" in message or "error" in message:
                return message

    def _send(self, message: Dict[str, Any]) -> Dict[str, Any]:
        self.file.write(json.dumps(message) + "\n")
        self.file.flush()
        return self._answer()

    def execute(self, command: str, **arguments: Any) -> Any:
        if not self.greeted:
            self._send({"execute": "qmp_capabilities"})
            self.greeted = True
        message = self._send({"execute": command, "arguments": arguments})
        if "error" in message:
            raise RigError(f"QEMU refused {command}: {message['error'].get('desc')}.")
        return message["return"]


class Hands:
    """Touches the machine's physical addresses from outside, by QEMU's own
    test protocol. Each access is one answer line. One that has not come is the
    last one: QEMU stands still as soon as there is no room for those that
    nobody reads."""

    def __init__(self, sock: socket.socket):
        sock.settimeout(30)
        self.file = sock.makefile("rw")
        self.lost = False

    def _ask(self, text: str) -> str:
        if self.lost:
            return ""
        try:
            self.file.write(text + "\n")
            self.file.flush()
            line = self.file.readline()
            # IRQ lines come unasked
            while line.startswith("IRQ"):
                line = self.file.readline()
        except TimeoutError:
            self.lost = True
            return ""
        except OSError:
            return ""
        return line.strip()

    def quad(self, at: int) -> Optional[int]:
        """Eight bytes of memory or of a register."""
        answer = self._ask(f"readq {at:#x}").split()
        return int(answer[1], 16) if len(answer) == 2 else None

    def _config(self, source: int, register: int) -> int:
        """Two bytes; of nothing, all ones."""
        answer = self._ask(f"readw {ECAM + (source << 12) + register:#x}").split()
        return int(answer[1], 16) if len(answer) == 2 else 0xffff

    def _set(self, source: int, register: int, bit: int) -> None:
        now = self._config(source, register)
        if not now & bit:
            self._ask(f"writew {ECAM + (source << 12) + register:#x} {now | bit:#x}")

    def set_bus_master(self, source: int) -> None:
        """What a device could do that does not keep to the rules: turn its own
        bus mastering on, whatever the kernel thinks."""
        self._set(source, PCI_COMMAND, PCI_COMMAND_MASTER)

    def set_msix(self, source: int) -> None:
        """The same for its interrupts, if it has any."""
        at = self._config(source, PCI_CAPABILITIES) & 0xfc
        while 0 < at < 0xfc:
            head = self._config(source, at)
            if head & 0xff == PCI_MSIX:
                self._set(source, at + PCI_MSIX_CONTROL, PCI_MSIX_ENABLE)
                return
            at = head >> 8 & 0xfc


# Seen in 10.0.13: what a CPU accesses is mapped elsewhere while it is on the way there
OWN_BUGS = ("iotlb_to_section: Assertion",)


class Qemu:
    """One running machine, its sockets and its files in a run's folder."""

    def __init__(self, machine: Machine, folder: Path):
        self.machine = machine
        self.program = emulator.program(machine.qemu)
        self.folder = folder
        self.trace = folder / "trace.log"
        self.console_log = folder / "console.log"
        self.process: Optional[subprocess.Popen] = None
        self.networks: Dict[int, List[socket.socket]] = {}
        self.console, self._console_out = _pipe()
        self.wire, self._wire_out = _pipe()
        self._wire_in, self.wire_back = _pipe()
        self.plugged: Dict[str, str] = {}
        self.plugs = 0
        ours, self._qmp = socket.socketpair()
        self.monitor = Monitor(ours)
        ours, self._qtest = socket.socketpair()
        self.hands = Hands(ours)

    def _handed(self) -> List[int]:
        """The ends that are QEMU's."""
        return [self._console_out, self._wire_out, self._wire_in, self._qmp.fileno(),
                self._qtest.fileno()]

    def _network(self, device: Device) -> List[str]:
        pair = _datagram_pair()
        key = device.stream if device.stream is not None else -1 - len(self.networks)
        self.networks[key] = pair
        local = f"local.type=fd,local.str={pair[0].fileno()}"
        return ["-netdev", f"dgram,id=net-{device.ident},{local}"]

    def _beside(self, device: Device) -> str:
        """A slot with several functions says so."""
        several = any(d is not device and d.bdf[:5] == device.bdf[:5]
                      for d in self.machine.devices)
        return ",multifunction=on" if several else ""

    def _nic(self, device: Device) -> List[str]:
        return self._network(device) + [
            "-device", f"e1000e,id={device.ident},netdev=net-{device.ident},"
            f"bus={device.bus},addr={device.addr}{self._beside(device)}"]

    def _vnet(self, device: Device) -> List[str]:
        """Its DMA goes through the IOMMU, and its queue is the longest there is."""
        pf = next((d.ident for d in self.machine.devices if d.bdf == device.pf), "")
        return self._network(device) + [
            "-device", f"virtio-net-pci,id={device.ident},netdev=net-{device.ident},"
            f"bus={device.bus},addr={device.addr},disable-legacy=on,iommu_platform=on,"
            f"ats={'on' if device.ats else 'off'},rx_queue_size=1024,romfile="
            + (f",sriov-pf={pf}" if pf else "")]

    def _nvme(self, device: Device) -> List[str]:
        name = device.ident
        image = media.copy(self.folder / f"{name}.img") if device.writable else media.image()
        only = "off" if device.writable else "on"
        return ["-object", f"throttle-group,id=tg-{name},x-iops-total={device.iops}",
                "-blockdev", f"driver=file,node-name=file-{name},read-only={only},"
                f"filename={image}",
                "-blockdev", f"driver=raw,node-name=raw-{name},read-only={only},file=file-{name}",
                "-blockdev", f"driver=throttle,node-name=thr-{name},read-only={only},"
                f"throttle-group=tg-{name},file=raw-{name}",
                "-device", f"nvme,id={name},serial={name},bus={device.bus},addr={device.addr}"
                f"{self._beside(device)}",
                "-device", f"nvme-ns,drive=thr-{name},bus={name},nsid=1"]

    @staticmethod
    def _drive(name: str) -> Dict[str, Any]:
        """The image, for a disk without a limit."""
        return {"driver": "file", "node-name": f"file-{name}", "read-only": True,
                "filename": str(media.image())}

    @staticmethod
    def _disk(name: str, bus: str, addr: str) -> Dict[str, Any]:
        """One whose DMA goes through the IOMMU, as that of hardware does."""
        return {"driver": "virtio-blk-pci", "id": name, "drive": f"file-{name}", "bus": bus,
                "addr": addr, "iommu_platform": True, "disable-legacy": "on"}

    def _virtio(self, device: Device) -> List[str]:
        return ["-blockdev", json.dumps(self._drive(device.ident)),
                "-device", json.dumps(self._disk(device.ident, device.bus, device.addr))]

    def _wait_gone(self, name: str) -> None:
        """The guest forgets a device a while before its slot is off."""
        until = time.monotonic() + UNPLUG_S * slowness()
        while any(item["name"] == name for item in
                  self.monitor.execute("qom-list", path="/machine/peripheral")):
            if time.monotonic() > until:
                raise RigError(f"{name} is still in its slot")
            time.sleep(0.05)

    def gone(self, port: str) -> None:
        """Wait until the slot's disk, which the guest has let go of, is out."""
        self._wait_gone(self.plugged[port])

    def plug(self, port: str) -> None:
        """Put a disk behind a root port, as a hand would."""
        self.plugs += 1
        self.plugged[port] = name = f"plug{self.plugs}"
        self.monitor.execute("blockdev-add", **self._drive(name))
        self.monitor.execute("device_add", **self._disk(name, port, "00.0"))

    def unplug(self, port: str) -> None:
        """Press the button; the guest lets go of the card when it is ready, or not."""
        name = self.plugged.get(port) or next(
            (d.ident for d in self.machine.devices if d.bus == port), "")
        self.monitor.execute("device_del", id=name)

    def plug_memory(self) -> None:
        """Half a gigabyte more, as a hand would."""
        self.monitor.execute("object-add", **{"qom-type": "memory-backend-ram",
                                              "id": "added", "size": 512 << 20})
        self.monitor.execute("device_add", driver="pc-dimm", id="dimm", memdev="added")

    def _reads(self) -> int:
        return sum(drive["stats"]["rd_operations"]
                   for drive in self.monitor.execute("query-blockstats"))

    def reads_home(self) -> None:
        """Wait until no drive has anything left to do."""
        until = time.monotonic() + HOME_S * slowness()
        looks, last = 0, self._reads()
        while looks < HOME_LOOKS:
            if time.monotonic() > until:
                raise RigError("the drives are still at work")
            time.sleep(HOME_LOOK_S)
            now = self._reads()
            looks, last = (looks + 1 if now == last else 0), now

    def _devices(self) -> List[str]:
        """The IOMMU first: it is to know of all the others."""
        argv = ["-device", self.machine.unit] if self.machine.unit else []
        for number, port in enumerate(self.machine.ports, start=1):
            argv += ["-device", f"pcie-root-port,id={port.ident},bus=pcie.0,addr={port.addr},"
                     f"chassis={number},slot={number}{port.more}"]
        makers = {"nic": self._nic, "vnet": self._vnet, "nvme": self._nvme,
                  "disk": self._virtio}
        # QEMU wants to know of virtual functions before it makes their physical one
        for device in sorted(self.machine.devices, key=lambda d: not d.pf):
            if device.kind == "device":
                argv += ["-device", f"{device.spec},id={device.ident},addr={device.addr}"]
            else:
                argv += makers[device.kind](device)
        return argv

    def _wire_path(self) -> Path:
        """QEMU takes a two-way pipe only by name, as PATH.in and PATH.out."""
        path = self.folder / "wire"
        for suffix, fd in ((".in", self._wire_in), (".out", self._wire_out)):
            link = path.with_suffix(suffix)
            link.unlink(missing_ok=True)
            link.symlink_to(f"/proc/self/fd/{fd}")
        return path

    def _serials(self, interactive: bool) -> List[str]:
        console = ("stdio,id=console,signal=off" if interactive else
                   f"file,id=console,path=/dev/fd/{self._console_out}")
        return ["-chardev", f"{console},logfile={self.console_log}", "-serial", "chardev:console",
                "-chardev", f"pipe,id=wire,path={self._wire_path()}", "-serial", "chardev:wire",
                "-chardev", f"socket,id=monitor,fd={self._qmp.fileno()}",
                "-mon", "chardev=monitor,mode=control",
                "-chardev", f"socket,id=qtest,fd={self._qtest.fileno()}",
                "-qtest", "chardev:qtest", "-qtest-log", "none"]

    def command(self, kernel: Path, initrd: Path, words: Sequence[str],
                interactive: bool = False) -> List[str]:
        machine = self.machine
        argv = [self.program, *machine.options, "-accel", machine.accel,
                "-m", machine.memory, "-smp", str(machine.cpus),
                "-nodefaults", "-display", "none", "-no-reboot"]
        argv += self._serials(interactive) + self._devices()
        argv += ["-msg", "timestamp=on", "-D", str(self.trace)]
        for event in emulator.TRACE_EVENTS + (emulator.INTERRUPT_EVENTS
                                              if machine.interrupts else ()):
            argv += ["-trace", event]
        return argv + ["-kernel", str(kernel), "-initrd", str(initrd), "-append", " ".join(words)]

    def start(self, argv: Sequence[str], interactive: bool = False) -> None:
        """Start it; from here on QEMU alone holds its ends of the channels."""
        fds = self._handed() + [pair[0].fileno() for pair in self.networks.values()]
        (self.folder / "command").write_text("\n".join(argv) + "\n")
        files: Dict[str, Any] = {}
        if not interactive:
            files = {"stdin": subprocess.DEVNULL,
                     "stdout": open(self.folder / "qemu.log", "wb"),
                     "stderr": subprocess.STDOUT}
        self.process = spawn(argv, pass_fds=fds, **files)
        for fd in (self._console_out, self._wire_out, self._wire_in):
            os.close(fd)
        self._qmp.close()
        self._qtest.close()
        if not interactive:
            files["stdout"].close()

    def complaint(self) -> str:
        """What QEMU itself printed, in one line."""
        try:
            lines = (self.folder / "qemu.log").read_text(errors="replace").split("\n")
        except OSError:
            return ""
        told = [line for line in lines if line.strip()]
        return re.sub(r"^\S+Z ", "", told[-1]) if told else ""

    def fell(self) -> bool:
        """Did it end itself, over a race of its own?"""
        return any(bug in self.complaint() for bug in OWN_BUGS)

    def running(self) -> bool:
        return self.process is not None and self.process.poll() is None

    def waited(self) -> float:
        """Seconds for which threads of it were ready to run, and others ran."""
        total = 0
        for path in Path(f"/proc/{self.process.pid}/task").glob("*/schedstat"):
            try:
                total += int(path.read_text().split()[1])
            except (OSError, ValueError, IndexError):
                pass
        return total / 1e9

    def wait(self, seconds: float) -> bool:
        """True when it ended by itself in time."""
        try:
            self.process.wait(seconds)
        except subprocess.TimeoutExpired:
            return False
        return True

    def drops(self) -> int:
        """Frames for kept devices that the host threw away because a receive
        buffer was full."""
        total = 0
        for device in self.machine.by_role("kept"):
            if device.stream is None:
                continue
            info = self.networks[device.stream][0].getsockopt(socket.SOL_SOCKET, SO_MEMINFO, 36)
            total += struct.unpack("9I", info)[MEMINFO_DROPS]
        return total

    def stop(self) -> None:
        if self.running():
            try:
                self.monitor.execute("quit")
            except (OSError, ValueError, RigError):
                pass
            if not self.wait(3):
                self.process.kill()
                self.process.wait()
        for pair in self.networks.values():
            for sock in pair:
                sock.close()


def wall_to_monotonic() -> int:
    """What to add to wall clock nanoseconds to get CLOCK_MONOTONIC."""
    return time.monotonic_ns() - time.time_ns()
