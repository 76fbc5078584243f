# SPDX-License-Identifier: GPL-2.0-only
"""Which QEMU a machine gets, and whether that will do."""

import functools
import re
import shutil
import subprocess
import sys
import threading
from typing import Iterable

from .base import VM_DIR, RigError

OLDEST = (7, 2)
# in a machine's file: what this program prints, which fetches it when it has to
NEWER = "newer"
FETCH = VM_DIR / "newer-qemu"

# None of these comes once per frame, except faults of a blocked device, and
# amdvi_translation_result: what AMD-Vi refuses has no event of its own that says whose.
TRACE_EVENTS = (
    "amdvi_control_status", "amdvi_translation_result",
    "vtd_reg_write_gcmd", "vtd_dmar_enable", "vtd_dmar_fault",
    "vtd_reg_dmar_root", "vtd_ir_enable", "pci_cfg_write",
    "e1000e_core_ctrl_sw_reset",
    "pci_nvme_enqueue_req_completion", "pci_nvme_err_addr_write",
    "pci_nvme_err_cfs", "pci_nvme_mmio_start_success", "pci_nvme_mmio_stopped",
)
# These come once per interrupt: a device raises one, and the IOMMU looks up its entry.
INTERRUPT_EVENTS = (
    "e1000e_irq_msi_notify", "e1000e_irq_msix_notify_vec", "pci_nvme_irq_msix",
    "vtd_ir_irte_get",
)

_fetching = threading.Lock()


@functools.lru_cache(maxsize=None)
def _fetch() -> str:
    """The program, or nothing. What does not come is not asked for again: other
    tests would only wait for it, too."""
    try:
        done = subprocess.run([str(FETCH)], stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                              text=True, check=False)
    except OSError as err:
        print(f"{FETCH.name}: {err.strerror}", file=sys.stderr, flush=True)
        return ""
    return "" if done.returncode else done.stdout.strip()


def program(wanted: str) -> str:
    """What to start for a machine that wants this."""
    if wanted != NEWER:
        return wanted
    with _fetching:
        found = _fetch()
    if not found:
        raise RigError("A newer QEMU than the system's is needed and there is none; "
                       "tests/vm/newer-qemu says why.")
    return found


def _output(name: str, *args: str) -> str:
    try:
        done = subprocess.run([name, *args], capture_output=True, text=True,
                              timeout=60, check=True)
    except (OSError, subprocess.SubprocessError) as err:
        raise RigError(f"'{name} {' '.join(args)}' does not run: {err}.") from None
    return done.stdout


@functools.lru_cache(maxsize=None)
def check(wanted: str) -> str:
    """The emulator's version, or a sentence why it cannot be used."""
    name = program(wanted)
    if not shutil.which(name):
        raise RigError(f"{name} is not installed; on Debian: apt-get install qemu-system-x86.")
    text = _output(name, "--version")
    match = re.search(r"version (\d+)\.(\d+)(\S*)", text)
    if not match:
        raise RigError(f"{name} does not say its version.")
    if (int(match[1]), int(match[2])) < OLDEST:
        oldest = ".".join(map(str, OLDEST))
        raise RigError(f"{name} is version {match[1]}.{match[2]}; {oldest} or newer is needed.")
    known = set(_output(name, "-trace", "help").split())
    missing = [event for event in TRACE_EVENTS if event not in known]
    if missing:
        raise RigError(f"{name} {match[1]}.{match[2]} has no trace event "
                       f"{', '.join(missing)}: the rig would be blind.")
    return f"{match[1]}.{match[2]}{match[3]}"


def prepare(wanted: Iterable[str]) -> None:
    """Have them there before the first test, whose time this is not to take. What
    the system lacks ends it all; without a newer QEMU only the tests that need it
    fail, each with the reason."""
    for one in sorted(set(wanted)):
        try:
            check(one)
        except RigError as err:
            if one != NEWER:
                raise
            print(f"run: {err}", file=sys.stderr, flush=True)
