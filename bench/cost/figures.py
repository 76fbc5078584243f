# SPDX-License-Identifier: GPL-2.0-only
"""From what the points say to the figures of the report."""

import re
from pathlib import Path
from typing import Any, Dict, List, Optional

from . import points

Values = Dict[str, int]
Measured = Dict[str, Values]

PAGE = 4096
MIB = 1 << 20
# entries of a table
FAN_OUT = 512
# before the owner's first instruction in the new kernel, and right after it
BLACKOUT_STEPS = {"freeze": "old", "shutdown": "old", "adopt": "new", "probe": "new",
                  "retrieve": "new"}
# One bit of a page of them for each page that is kept
KHO_BYTES_PER_PAGE = 1 / 8

# name: what it may be at most
GOALS = {
    "flat_ratio": 1.05,
    "flat_ratio_scalable": 1.05,
    "flat_ratio_first": 1.05,
    "flat_ratio_amd": 1.05,
    "insns_per_device": 13_000,
    # A directory and a table of PASIDs for each
    "insns_per_device_scalable": 28_000,
    "insns_per_device_first": 28_000,
    "insns_per_device_amd": 10_000,
    "share_of_stock_kexec": 0.01,
    # It is written down whose each page is
    "preserve_over_floor": 1.5,
    "proof_insns_per_entry": 20,
    "repeat_difference": 0.01,
}

SIZE_OF = re.compile(r"static_assert\(sizeof\(struct (\w+)\) == (\d+)\)")


def steps(values: Values) -> Dict[str, int]:
    """Our share of the blackout, by step."""
    return {name: values[f"{kernel}_{name}"] for name, kernel in BLACKOUT_STEPS.items()}


def ours(values: Values) -> int:
    return sum(steps(values).values())


def first_last(measured: Measured, name: str, amounts: tuple) -> tuple:
    return measured[f"{name}-{amounts[0]}"], measured[f"{name}-{amounts[-1]}"]


def slope(measured: Measured, name: str, amounts: tuple, of: Any) -> float:
    """How much each one more costs, from the fewest to the most."""
    few, many = first_last(measured, name, amounts)
    return (of(many) - of(few)) / (amounts[-1] - amounts[0])


def kho_per_page(small: Values, large: Values) -> float:
    """What the next kernel pays for one more table page; our share is the same."""
    more = large["blackout"] - small["blackout"]
    return more / (large["kept_pages_after"] - small["kept_pages_after"])


def floor_ratio(values: Values) -> float:
    """Per page: page tables against so many pages with KHO alone."""
    kept = values["kept_pages_after"] - values["kept_pages_before"]
    return values["old_tables"] / kept / (values["floor_preserve"] / values["table_pages"])


def restore(values: Values) -> int:
    return values["retrieve_iommufd"] + values["retrieve_devices"]


def difference(one: Values, other: Values) -> float:
    """The largest, relative, of all that was counted in both."""
    worst = 0.0
    for name, value in one.items():
        if name in other and max(abs(value), abs(other[name])) > 0:
            worst = max(worst, abs(value - other[name]) / max(abs(value), abs(other[name])))
    return worst


def blackout(found: Measured) -> Dict[str, float]:
    small, large = first_last(found, "size", points.SIZES)
    stock = found["stock"]["blackout"]
    return {
        "flat_ratio": large["blackout"] / small["blackout"],
        "flat_ratio_torn": found[f"torn-{points.TORN[-1]}"]["blackout"] /
        found[f"torn-{points.TORN[0]}"]["blackout"],
        "insns_per_device": slope(found, "devices", points.DEVICES, ours),
        "insns_per_device_in_all": slope(found, "devices", points.DEVICES,
                                         lambda v: v["blackout"]),
        "insns_per_domain": slope(found, "domains", points.DOMAINS, ours),
        "insns_for_one_device": ours(small),
        "share_of_stock_kexec": ours(small) / stock,
        "share_of_stock_kexec_in_all": (small["blackout"] - stock) / stock,
        "share_of_stock_kexec_64_devices":
            ours(found[f"devices-{points.DEVICES[-1]}"]) /
            found["stock-64"]["blackout"],
        "kho_insns_per_memory_page": slope(found, "memory", points.MEMORY,
                                           lambda v: v["blackout"]) * PAGE / MIB,
        "kho_insns_per_table_page": kho_per_page(small, large),
        "kho_insns_per_torn_table_page": kho_per_page(
            *first_last(found, "torn", points.TORN)),
    }


def brownout(found: Measured) -> Dict[str, float]:
    large = found[f"size-{points.SIZES[-1]}"]
    huge = found[f"huge-{points.HUGE[-1]}"]
    torn = found[f"torn-{points.TORN[-1]}"]
    kept = large["kept_pages_after"] - large["kept_pages_before"]
    return {
        "preserve_over_floor": floor_ratio(large),
        "insns_per_table_page": large["old_tables"] / kept,
        "floor_insns_per_page": large["floor_preserve"] / large["table_pages"],
        "proof_insns_per_entry": large["old_prove"] / (points.SIZES[-1] * MIB // PAGE),
        "proof_insns_per_entry_torn": torn["old_prove"] / (points.TORN[-1] * MIB // PAGE),
        "proof_insns_per_huge_entry": huge["old_prove"] /
        (points.HUGE[-1] * MIB // (FAN_OUT * PAGE)),
    }


def replaced(found: Measured) -> Dict[str, float]:
    large = found[f"size-{points.SIZES[-1]}"]
    huge = found[f"huge-{points.HUGE[-1]}"]
    return {
        "restore_over_rebuild": restore(large) / large["rebuild"],
        "restore_over_rebuild_small":
            restore(found[f"size-{points.SIZES[0]}"]) /
            found[f"size-{points.SIZES[0]}"]["rebuild"],
        "restore_over_rebuild_huge": restore(huge) / huge["rebuild"],
        "rebuild_insns_per_entry": large["rebuild"] / (points.SIZES[-1] * MIB // PAGE),
        "swap_insns": large["swap"],
    }


def modes(found: Measured) -> Dict[str, float]:
    """A line for each mode; the first figure is over that of legacy mode."""
    legacy = ours(found[f"size-{points.SIZES[0]}"])
    figures = {}
    for mode in points.MODES:
        small, large = first_last(found, f"{mode}-size", points.MODE_SIZES)
        figures.update({
            f"over_legacy_{mode}": ours(small) / legacy,
            f"insns_for_one_device_{mode}": ours(small),
            f"insns_per_device_{mode}": slope(found, f"{mode}-devices",
                                               points.mode_devices(mode), ours),
            f"flat_ratio_{mode}": large["blackout"] / small["blackout"],
            f"swap_insns_{mode}": small["swap"],
        })
    return figures


def record_sizes(abi: Path) -> Dict[str, int]:
    """The sizes that the headers of what is handed over promise."""
    return {match[1]: int(match[2]) for header in sorted(abi.glob("*.h"))
            for match in SIZE_OF.finditer(header.read_text())}


def memory(found: Measured, sizes: Dict[str, int]) -> Dict[str, float]:
    one, many = first_last(found, "devices", points.DEVICES)
    kept = slope(found, "devices", points.DEVICES,
                 lambda v: v["kept_pages_after"] - v["kept_pages_before"])
    # without what its page tables are: the domains of these points are equal
    fixed = one["kept_pages_after"] - one["kept_pages_before"] - one["table_pages"]
    return {
        "bytes_per_device": kept * PAGE,
        "bytes_per_device_record": sizes["iommu_lu_device_ser"] +
        sizes["iommu_lu_attachment_ser"],
        "bytes_per_domain": sizes["iommu_lu_domain_ser"] + sizes["iommufd_lu_hwpt_ser"],
        # its record and the list of its tables
        "bytes_per_unit": sizes["iommu_lu_unit_ser"] + PAGE,
        # what it has anyway: root table, interrupt remapping table
        "bytes_per_unit_of_its_own": PAGE + MIB,
        "bytes_per_table_page": KHO_BYTES_PER_PAGE,
        "pages_for_the_first_device": fixed,
        "pages_for_all_devices": many["kept_pages_after"] - many["kept_pages_before"] -
        many["table_pages"],
    }


def goals(figures: Dict[str, float]) -> List[Dict[str, Any]]:
    return [{"name": name, "value": figures[name], "limit": limit,
             "met": figures[name] <= limit} for name, limit in GOALS.items()]


def missing(found: Measured) -> Optional[str]:
    """A point without what all of its kind have to say."""
    for point in points.everything():
        want = {"blackout"} if "stock" in point.args else {
            "blackout", "old_prove", "old_tables", "old_freeze", "old_shutdown", "new_adopt",
            "new_probe", "new_retrieve", "floor_preserve", "table_pages", "rebuild",
            "kept_pages_before", "kept_pages_after"}
        lacks = want - set(found.get(point.name, {}))
        if lacks:
            return f"{point.name} does not say {', '.join(sorted(lacks))}"
    return None


def report(found: Measured, sizes: Dict[str, int]) -> Dict[str, Any]:
    figures: Dict[str, Any] = {}
    for part in (blackout(found), brownout(found), replaced(found), modes(found),
                 memory(found, sizes)):
        figures.update(part)
    figures["repeat_difference"] = difference(found["again"],
                                              found[f"size-{points.REPEATED}"])
    figures["goals"] = goals(figures)
    figures["points"] = {name: dict(values) for name, values in sorted(found.items())}
    return figures
