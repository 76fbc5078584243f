# SPDX-License-Identifier: GPL-2.0-only
"""Runs one test: puts it together, starts it, feeds it, waits, collects."""

import queue
import re
import secrets
import shutil
import time
from pathlib import Path
from typing import Any, Callable, List, Mapping, NamedTuple, Optional

from . import frames, initrd, modules, qemu, sabotage, table, tools, tsc, wire
from .base import BUILD, LOCK, RigError, slowness
from .cases import Case
from .machine import Machine, load as load_machine
from .sending import Sending

RATE = 1200
# how long the guest may take to power off after its verdict, and as a share of what
# it has for all: where much is counted everything takes long
POWER_OFF_S, POWER_OFF_SHARE = 10, 0.1
# and the wire to fall silent once QEMU has ended
SILENCE_S = 2
# between the last frame and GO stop
SETTLE_S = 0.05
# What the old kernel says last. From freeze until a bit after it the rig turns
# the intruders' bus mastering on again and again, so that only the IOMMU holds
# them back. Not longer: the new kernel's PCI code is not to be disturbed.
JUMP_LINE = "Starting new kernel"
PUSH_NS, PUSH_AT_MOST_NS = 50_000_000, 1_000_000_000
PUSH_PAUSE_S = 0.002
# how much longer than usual kernels with KASAN and lockdep may take
DEBUG_SLOWNESS = 8
# What a machine waited for a processor that others had is given to it on top of
# its time, but no more than this many times that.
MOST_WAITING = 9
# What is sent over the wire to be looked at later
FILE = re.compile(r"[\w-]+\.(json|svg|txt)")
# How long it takes from the start of QEMU to the first word of the guest, at
# most, where all rates fit: a ring has to last as long as a kernel boots.
USUAL_BOOT_S = 6.0

# no_timer_check: while it boots, a kernel waits for five ticks of the timer, and
# for no more than 40,000,000,000 / HZ cycles of the TSC (timer_irq_works()); with
# interrupt remapping on, it panics when they do not come: "timer doesn't work
# through Interrupt-remapped IO-APIC". An emulated TSC is the host's, and counts
# on while the emulator waits for a processor; ticks that were due meanwhile come
# as one. So a stall of some 60 ms at that moment is enough, in any kernel, a
# stock one or at a first boot. Without the check the kernel goes on as after a
# check that passed. A timer that really did not work would stop the boot, and
# with it the test. KVM's guests leave the check out for the same reason.
# tsc=nowatchdog: Linux 7.3's clocksource watchdog holds its lock while it waits for
# another CPU to take an interrupt. That CPU may want the lock with interrupts off
# (clocksource_done_booting()), and the way out, a timeout, is measured in jiffies
# then, which stand still: now and then the boot hangs on a busy host.
WORDS = ("console=ttyS0", "loglevel=7", "panic=-1", "oops=panic", "no_timer_check",
         "tsc=nowatchdog", "liveupdate=on", "retain_initrd", "kunit.enable=0")


class Files(NamedTuple):
    """What a run is made of."""
    kernel: Path                # stage 1 boots this
    next_kernel: Path           # and jumps into this
    initrd: Path                # the guest side's archive
    debug: bool = False         # kernels that watch themselves
    more: Mapping[str, Path] = {}   # other kernels to jump into, by name
    stock: Optional[Path] = None    # without our options, for a judge that compares
    ends: Optional[float] = None    # when a run is to be given up, on the monotonic clock


def words_for(machine: Machine) -> List[str]:
    """The words of the kernel's command line that every run on it has."""
    words = [*WORDS, *tsc.words(machine), *machine.append]
    for role in ("kept", "intruder"):
        devices = ",".join("0000:" + d.bdf for d in machine.by_role(role))
        words.append(f"lu.{role}={devices}")
    words += [f"lu.vfs={count}@0000:{pf}"
              for pf, count in machine.virtual_functions().items()]
    return words


class Run:
    """One test, from nothing to all its evidence collected."""

    def __init__(self, case: Case, files: Files, folder: Path,
                 watch: Callable[[wire.Event], None] = lambda event: None):
        self.case = case
        self.files = files
        self.folder = folder
        self.watch = watch
        self.machine: Machine = load_machine(case.machine)
        if files.debug:
            self.machine.for_debug()
        self.nonce = secrets.token_hex(8)
        self.said = wire.Transcript(self.nonce)
        self.console: List[tuple] = []
        self.console_reader: Optional[wire.LineReader] = None
        self.frozen = 0
        self.stopped_because = ""
        self.offsets: List[int] = []
        self.drops = 0
        self.asked_rate = RATE
        self.out_of_time = False
        self.began = self.ended = 0
        self.vm: Optional[qemu.Qemu] = None
        self.table: Optional[table.Table] = None
        self.sender: Optional[Sending] = None

    # putting it together

    def prepare(self) -> Path:
        try:
            self.folder.mkdir(parents=True, exist_ok=True)
            for old in self.folder.iterdir():
                if old.is_dir():
                    shutil.rmtree(old)
                elif old.name != LOCK:
                    old.unlink()
        except OSError as err:
            raise RigError(f"Cannot make {self.folder}: {err.strerror}.") from None
        image = self.folder / "initrd.img"
        next_kernel = initrd.read_kernel(self.files.next_kernel, "next kernel")
        others = [initrd.file_entry(f"bzImage-{name}", initrd.read_kernel(path, f"{name} kernel"))
                  for name, path in self.files.more.items()]
        initrd.assemble(image, self.files.initrd, next_kernel,
                        others + self.programs() + self.modules() +
                        tools.entries(self.names("tools")))
        return image

    def modules(self) -> List[initrd.Entry]:
        """Those of all kernels that this run may boot. Of two kernels with one
        release those of the later one are there."""
        kernels = [self.files.kernel, self.files.next_kernel, *self.files.more.values()]
        return modules.entries(dict.fromkeys(kernels), self.names("modules"))

    @property
    def unruly(self) -> bool:
        """Are kept devices to raise interrupts after the jump, too?"""
        return self.case.sabotage == "arm-interrupts" or bool(self.names("unruly"))

    def names(self, key: str) -> List[str]:
        """What args say as KEY:NAME+NAME."""
        told = next((word[len(key) + 1:] for word in self.case.args.split(",")
                     if word.startswith(key + ":")), "")
        return told.split("+") if told else []

    def programs(self) -> List[initrd.Entry]:
        """The programs of the kernel's selftests that args name, if they do."""
        names = self.names("run")
        found = [initrd.dir_entry("selftests")] if names else []
        for name in names:
            try:
                data = (BUILD / "selftests" / name).read_bytes()
            except OSError:
                raise RigError(f"There is no program build/selftests/{name}: run "
                               "'kernel/ktree selftests' first.") from None
            found.append(initrd.file_entry(f"selftests/{name}", data, 0o755))
        return found

    def words(self) -> List[str]:
        """The command line of stage 1."""
        case, machine = self.case, self.machine
        words = [*words_for(machine), f"lu.scenario={case.scenario}", "lu.stage=1",
                 f"lu.nonce={self.nonce}"]
        given = [word for word in case.args.split(",") if word]
        told = [word for word in given if word[0] not in "+>"]
        later = [word[1:] for word in given if word[0] == ">"]
        if told:
            words.append(f"lu.args={','.join(told)}")
        if later:
            words.append(f"lu.next={','.join(later)}")
        words += [word[1:] for word in given if word[0] == "+"]
        return sabotage.words(case.sabotage, words)

    # the sender

    def start_sender(self) -> None:
        more = ["--lose", "100"] if self.case.sabotage == "lose-frames" else []
        self.sender = Sending(self.vm, self.folder, RATE, more)

    def sent(self, stream: int) -> List[frames.Sent]:
        try:
            return frames.unpack_sent((self.folder / f"sent-{stream}.bin").read_bytes())
        except OSError:
            return []

    # while it runs

    def slowness(self) -> float:
        return slowness() * (DEBUG_SLOWNESS if self.files.debug else 1)

    def late(self) -> float:
        """How much longer than it may this machine took to boot: 1.0 or more."""
        if not self.said.events:
            return 1.0
        took = (self.said.events[0].ns - self.began) / 1e9
        return max(1.0, took / USUAL_BOOT_S / (DEBUG_SLOWNESS if self.files.debug else 1))

    def rate(self, asked: int) -> str:
        """Frames per second: a ring has to last as long as the black-out, which
        takes as long as this machine boots at this time."""
        debug = DEBUG_SLOWNESS if self.files.debug else 1
        return str(max(1, int(asked / debug / self.late())))

    def on_event(self, event: wire.Event) -> None:
        self.table.event(event.name)
        if event.name == "ready":
            self.sender.tell(f"rate {self.rate(self.asked_rate)}")
            self.sender.tell("start")
        elif event.name == "stop-sending":
            self.sender.stop()
            time.sleep(SETTLE_S)
            wire.say(self.vm.wire_back, "stop")
        elif event.name == "freeze" and (self.case.verdict_by in ("demo", "stops") or self.unruly):
            self.frozen = event.ns
        elif event.name == "rate":
            self.asked_rate = int(event.fields.get("n", str(RATE)))
            self.sender.tell(f"rate {self.rate(self.asked_rate)}")
            wire.say(self.vm.wire_back, f"rate-{self.asked_rate}")
        elif event.name in ("plug", "unplug", "gone"):
            self.move_disk(event.name, event.fields.get("port", ""))
        elif event.name == "plug-memory":
            self.plug_memory()
        elif event.name == "reads-home":
            self.await_reads()
        self.watch(event)

    def move_disk(self, what: str, port: str) -> None:
        try:
            {"plug": self.vm.plug, "unplug": self.vm.unplug, "gone": self.vm.gone}[what](port)
        except (KeyError, RigError) as err:
            self.stopped_because = self.stopped_because or f"{what} at '{port}': {err}"
        wire.say(self.vm.wire_back, f"{what}-{port}")

    def plug_memory(self) -> None:
        try:
            self.vm.plug_memory()
        except RigError as err:
            self.stopped_because = self.stopped_because or str(err)
        wire.say(self.vm.wire_back, "plug-memory")

    def await_reads(self) -> None:
        try:
            self.vm.reads_home()
        except RigError as err:
            self.stopped_because = self.stopped_because or str(err)
        wire.say(self.vm.wire_back, "reads-home")

    def push_intruders(self) -> None:
        """Once the old kernel is going down: see PUSH_NS."""
        self.console += self.console_reader.drain()
        jump = self.console_moment(JUMP_LINE, self.frozen)
        end = jump + PUSH_NS if jump else self.frozen + PUSH_AT_MOST_NS
        if time.monotonic_ns() > end:
            self.frozen = 0
            return
        for source in self.machine.intruder_sources():
            self.vm.hands.set_bus_master(source)
        if self.unruly:
            for source in self.machine.kept_sources():
                self.vm.hands.set_msix(source)

    def time_left(self, began: float, patience: float, waited: float = 0) -> float:
        """Of patience since a moment, up to which the machine had WAITED for a
        processor: that does not count, as it could not get on."""
        left = began + patience - time.monotonic()
        if left > 0:
            return left
        return left + min(self.vm.waited() - waited, MOST_WAITING * patience)

    def follow(self, reader: wire.LineReader) -> None:
        """Read the wire until the verdict, the end of QEMU or of patience."""
        patience = self.case.seconds * self.slowness()
        began = time.monotonic()
        transcript = open(self.folder / "wire.log", "w")
        with transcript:
            while not self.said.end:
                left = self.time_left(began, patience)
                if self.files.ends is not None and time.monotonic() > self.files.ends:
                    self.out_of_time = True
                    self.stopped_because = "there is no time left for it"
                    return
                if left <= 0:
                    last = self.said.events[-1].name if self.said.events else "nothing at all"
                    self.stopped_because = (f"no verdict within {patience:.0f} s; "
                                            f"the last thing it said was {last}")
                    return
                if self.table.watching:
                    self.table.look()
                try:
                    item = reader.lines.get(timeout=min(left, self.pause()))
                except queue.Empty:
                    if self.frozen:
                        self.push_intruders()
                    continue
                if item is None:
                    self.stopped_because = "the machine stopped without a verdict"
                    return
                self.take(item, transcript)

    def pause(self) -> float:
        """How long it may be silent on the wire until there is something to do."""
        if self.frozen:
            return PUSH_PAUSE_S
        return table.PAUSE_S if self.table.watching else 1.0

    def take(self, item: tuple, transcript: Any) -> None:
        ns, line = item
        transcript.write(f"{(ns - self.began) / 1e9:10.6f} {line}\n")
        got = self.said.line(sabotage.line(self.case.sabotage, line), ns)
        if isinstance(got, wire.Event):
            self.on_event(got)

    def power_off_seconds(self) -> float:
        most = max(POWER_OFF_S, self.case.seconds * POWER_OFF_SHARE)
        return min(most, self.case.seconds) * self.slowness()

    def power_off(self) -> None:
        """Let it go down by itself, so that the console is complete."""
        began, waited = time.monotonic(), self.vm.waited()
        while self.said.end and not self.vm.wait(0.5):
            if self.time_left(began, self.power_off_seconds(), waited) <= 0:
                self.stopped_because = self.stopped_because or "it did not power off"
                return

    def go(self) -> None:
        """Everything from nothing to the evidence; raises RigError when the
        test could not even be started."""
        image = self.prepare()
        self.vm = qemu.Qemu(self.machine, self.folder)
        self.table = table.Table(self.machine, self.vm.hands)
        kernel = self.files.kernel
        kernel = kernel / "bzImage" if kernel.is_dir() else kernel
        argv = self.vm.command(kernel, image, self.words())
        argv = sabotage.argv(self.case.sabotage, argv)
        reader = wire.LineReader(self.vm.wire)
        console = self.console_reader = wire.LineReader(self.vm.console)
        try:
            self.offsets.append(qemu.wall_to_monotonic())
            self.began = time.monotonic_ns()
            self.start_sender()
            self.vm.start(argv)
            reader.start()
            console.start()
            self.follow(reader)
            self.power_off()
        finally:
            if self.sender:
                self.sender.stop()
            self.drops = self.vm.drops()
            self.vm.stop()
            self.ended = time.monotonic_ns()
            self.offsets.append(qemu.wall_to_monotonic())
        for thread in (reader, console):
            thread.join(SILENCE_S)
        self.console += console.drain()
        self.keep_files()
        sabotage.files(self.case.sabotage, self.vm.console_log, self.vm.trace)

    def keep_files(self) -> None:
        """What the guest has sent as a file stays as one."""
        for name, data in self.said.blobs.items():
            if FILE.fullmatch(name):
                (self.folder / name).write_bytes(data)

    def clean(self) -> None:
        """Drop what only costs room."""
        for name in ("initrd.img", "trace.log", "wire.in", "wire.out"):
            (self.folder / name).unlink(missing_ok=True)

    # what the evidence says

    def clock_offset(self) -> int:
        return sum(self.offsets) // len(self.offsets)

    def console_moment(self, text: str, after: int = 0) -> Optional[int]:
        return next((ns for ns, line in self.console if ns >= after and text in line), None)

    @property
    def seconds(self) -> float:
        return (self.ended - self.began) / 1e9
