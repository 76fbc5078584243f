#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-only
"""bench/: from what the machines say to the report."""

import sys
import unittest
from pathlib import Path

TOP = Path(__file__).resolve().parents[2]
sys.path[:0] = [str(TOP / "bench"), str(TOP / "tests" / "vm")]
sys.dont_write_bytecode = True

from cost import figures, measure, points, scale, table  # noqa: E402
from host import cases, machine  # noqa: E402

SIZES = {"iommu_lu_attachment_ser": 64, "iommu_lu_device_ser": 64, "iommu_lu_domain_ser": 96,
         "iommu_lu_unit_ser": 80, "iommufd_lu_hwpt_ser": 24}
KEXEC = 1_000_000


def values(point):
    """A kernel with simple prices: 2 for an entry, 10 for a table page before
    the jump and 3 after it, 100 for a device in each step, 1,000 at first."""
    if "stock" in point.args:
        return {"blackout": KEXEC + 5 * 256 * (point.args.get("mib", 64) - 64)}
    mib, devices = point.args.get("mib", 64), point.args.get("devices", 1)
    tables = max(1, mib // 2)
    steps = {"old_freeze": 100, "old_shutdown": 100, "new_adopt": 100, "new_probe": 100,
             "new_retrieve": 100}
    found = {name: 1000 + cost * devices for name, cost in steps.items()}
    found.update({
        "blackout": KEXEC + sum(found.values()) + 3 * tables, "old_prove": 2 * mib * 256,
        "old_tables": 10 * tables, "floor_preserve": 8 * tables, "table_pages": tables,
        "kept_pages_before": 16, "kept_pages_after": 16 + tables + 10 + 2 * devices,
        "rebuild": 100 * mib * 256, "retrieve_iommufd": 30, "retrieve_devices": 10 * devices,
        "swap": 7})
    return found


def measured():
    return {point.name: values(point) for point in points.everything()}


class Figures(unittest.TestCase):
    def setUp(self):
        self.found = measured()
        self.report = figures.report(self.found, SIZES)

    def goal(self, name):
        return next(goal for goal in self.report["goals"] if goal["name"] == name)

    def test_prices_are_found_again(self):
        report = self.report
        self.assertAlmostEqual(report["insns_per_device"], 500)
        self.assertAlmostEqual(report["insns_per_domain"], 0)
        self.assertAlmostEqual(report["kho_insns_per_table_page"], 3)
        self.assertAlmostEqual(report["kho_insns_per_memory_page"], 5)
        self.assertAlmostEqual(report["proof_insns_per_entry"], 2)
        self.assertAlmostEqual(report["bytes_per_device"], 2 * 4096)
        self.assertAlmostEqual(report["share_of_stock_kexec"], 5500 / KEXEC)
        self.assertEqual(report["repeat_difference"], 0)
        for mode in points.MODES:
            self.assertAlmostEqual(report[f"insns_per_device_{mode}"], 500)
            self.assertAlmostEqual(report[f"over_legacy_{mode}"], 1)

    def test_the_floor_is_per_page(self):
        large = self.found[f"size-{points.SIZES[-1]}"]
        kept = large["kept_pages_after"] - large["kept_pages_before"]
        want = large["old_tables"] / kept / 8
        self.assertAlmostEqual(self.report["preserve_over_floor"], want)

    def test_goals(self):
        self.assertTrue(self.goal("insns_per_device")["met"])
        self.assertFalse(self.goal("flat_ratio")["met"])
        self.assertEqual(self.goal("flat_ratio")["value"], self.report["flat_ratio"])

    def test_every_figure_that_was_promised(self):
        for name in ("flat_ratio", "insns_per_device", "share_of_stock_kexec",
                     "preserve_over_floor", "proof_insns_per_entry", "restore_over_rebuild",
                     "bytes_per_device", "bytes_per_table_page"):
            self.assertIsInstance(self.report[name], (int, float), name)

    def test_what_is_missing_is_named(self):
        self.assertIsNone(figures.missing(self.found))
        del self.found["torn-64"]["old_freeze"]
        self.assertIn("torn-64 does not say old_freeze", figures.missing(self.found))
        del self.found["stock"]
        self.assertIn("old_freeze", figures.missing(self.found))

    def test_difference(self):
        self.assertEqual(figures.difference({"a": 100, "b": 0}, {"a": 99, "b": 0}), 0.01)

    def test_sizes_come_from_the_headers(self):
        sizes = figures.record_sizes(TOP / "kernel/overlay/include/linux/kho/abi")
        for name in SIZES:
            self.assertIn(name, sizes)


class Scale(unittest.TestCase):
    def test_tables(self):
        self.assertEqual(scale.tables(1), [1])
        self.assertEqual(scale.tables(512 * 512), [512, 1])
        self.assertEqual(scale.tables(512 * 512 + 1), [513, 2, 1])

    def test_arithmetic(self):
        report = figures.report(measured(), SIZES)
        row = scale.row(report, 1, "4 KiB")
        self.assertEqual(row["nr_entries"], 1 << 28)
        self.assertEqual(row["table_pages"], (1 << 19) + (1 << 10) + 2 + 1)
        self.assertAlmostEqual(row["blackout_insns"], row["kho_insns"] + 512 * 500)
        self.assertEqual(len(scale.paper(report)), 6)


class Points(unittest.TestCase):
    def test_each_is_a_test_of_the_rig(self):
        seen = set()
        for point in points.everything():
            case = cases.from_spec(point.spec(), {})
            self.assertEqual((case.scenario, case.machine, case.judge),
                             ("cost", point.machine, "plain"))
            self.assertIn(point.kernel, ("bench", "bench-stock"))
            seen.add(point.name)
        self.assertEqual(len(seen), len(points.everything()))

    def test_the_machines_count(self):
        modes = ["", *(f"+{mode}" for mode in points.MODES.values())]
        for name in (one + mode for one in (points.ONE, points.many(63), points.many(64)) for mode in modes):
            found = machine.load(name)
            self.assertIn("-icount", found.options)
            self.assertEqual((found.cpus, found.accel), (1, "tcg,thread=single"))
        self.assertGreaterEqual(len(machine.load(points.many(points.DEVICES[-1])).by_role("kept")),
                                max(points.DEVICES))

    def test_what_the_old_kernel_says(self):
        lines = ["[1.0] iommu: liveupdate: step freeze 117 2",
                 "[1.0] iommu: liveupdate: step shutdown 5 1\r",
                 "[1.1] iommu: liveupdate: step shutdown 9 2", "step adopt 1 1 and more"]
        self.assertEqual(measure.old_steps(lines), {"freeze": 117, "shutdown": 9})


class Text(unittest.TestCase):
    def test_all_of_it(self):
        report = figures.report(measured(), SIZES)
        report["scale"] = scale.paper(report)
        text = table.text(report)
        self.assertIn("NOT MET", text)
        self.assertIn("insns_per_device", text)
        self.assertIn("268,435,456 entries", text)
        for point in points.everything():
            self.assertIn(point.name, text)


if __name__ == "__main__":
    unittest.main()
