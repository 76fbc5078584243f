# SPDX-License-Identifier: GPL-2.0-only
"""What the measured costs would add up to on hosts that are not here."""

from typing import Any, Dict, List

from .figures import FAN_OUT, MIB, PAGE

TIB = 1 << 40
HOSTS = (1, 12)
DEVICES = 512
ENTRIES = {"4 KiB": PAGE, "2 MiB": 2 * MIB, "1 GiB": 1024 * MIB}


def tables(entries: int) -> List[int]:
    """How many tables there are on each level, the lowest first."""
    found = [-(-entries // FAN_OUT)]
    while found[-1] > 1:
        found.append(-(-found[-1] // FAN_OUT))
    return found


def proof(figures: Dict[str, Any], size: int, memory: int) -> float:
    """A folio is 2 MiB at most: a larger entry is as many of them."""
    if size == PAGE:
        return memory // PAGE * figures["proof_insns_per_entry"]
    return memory // (2 * MIB) * figures["proof_insns_per_huge_entry"]


def row(figures: Dict[str, Any], tib: int, name: str) -> Dict[str, Any]:
    memory, size = tib * TIB, ENTRIES[name]
    entries = memory // size
    levels = tables(entries)
    pages = sum(levels)
    per_table = figures["insns_per_table_page"]
    brown = proof(figures, size, memory) + pages * per_table
    kho = pages * figures["kho_insns_per_table_page"]
    folios = memory // min(size, 2 * MIB)
    guest = folios * figures["kho_insns_per_memory_page"]
    devices = DEVICES * figures["insns_per_device"]
    return {
        "host": f"{tib} TiB", "entries": name, "nr_entries": entries, "table_pages": pages,
        "table_mib": pages * PAGE / MIB,
        "kept_kib": (DEVICES * figures["bytes_per_device"] + pages / 8) / 1024,
        "brownout_insns": brown, "kho_insns": kho, "devices_insns": devices,
        "blackout_insns": kho + devices, "guest_memory_insns": guest,
        "arithmetic": [
            f"{memory:,} / {size:,} = {entries:,} entries",
            " + ".join(f"{n:,}" for n in levels) + f" = {pages:,} table pages",
            f"proof {proof(figures, size, memory):,.0f} + {pages:,} x {per_table:.0f} "
            f"= {brown:,.0f} before freeze",
            f"{pages:,} x {figures['kho_insns_per_table_page']:.0f} + {DEVICES} x "
            f"{figures['insns_per_device']:,.0f} = {kho + devices:,.0f} in the blackout",
            f"beside it, for the memory itself: {folios:,} folios x "
            f"{figures['kho_insns_per_memory_page']:.0f} = {guest:,.0f} of KHO's",
        ],
    }


def paper(figures: Dict[str, Any]) -> List[Dict[str, Any]]:
    return [row(figures, tib, name) for tib in HOSTS for name in ENTRIES]
