# SPDX-License-Identifier: GPL-2.0-only
"""The report as text."""

from typing import Any, Dict, List

from . import points
from .figures import ours, steps

UNITS = {"insns": "instructions", "bytes": "bytes", "pages": "pages"}


def number(value: float) -> str:
    if isinstance(value, int) or abs(value) >= 1000:
        return f"{value:,.0f}"
    return f"{value:.4g}"


def columns(rows: List[List[str]]) -> List[str]:
    """The first to the left, the rest to the right."""
    widths = [max(len(row[i]) for row in rows) for i in range(len(rows[0]))]
    return ["  ".join(cell.ljust(width) if not i else cell.rjust(width)
                      for i, (cell, width) in enumerate(zip(row, widths))).rstrip()
            for row in rows]


def goals(report: Dict[str, Any]) -> List[str]:
    rows = [["goal", "measured", "at most", ""]]
    for goal in report["goals"]:
        rows.append([goal["name"], number(goal["value"]), number(goal["limit"]),
                     "met" if goal["met"] else "NOT MET"])
    return columns(rows)


def figures(report: Dict[str, Any]) -> List[str]:
    names = [name for name, value in report.items() if isinstance(value, (int, float))]
    return columns([["figure", ""]] + [[name, number(report[name])] for name in names])


def blackout(report: Dict[str, Any]) -> List[str]:
    rows = [["point", "table pages", "blackout", "ours", "freeze", "shutdown", "adopt",
             "probe", "retrieve"]]
    for point in points.everything():
        values = report["points"][point.name]
        row = [point.name, str(values.get("table_pages", 0)), number(values["blackout"])]
        if "stock" in point.args:
            row += ["-"] * 6
        else:
            row += [number(ours(values))] + [number(n) for n in steps(values).values()]
        rows.append(row)
    return columns(rows)


def scale(report: Dict[str, Any]) -> List[str]:
    lines = []
    for row in report["scale"]:
        lines.append(f"{row['host']} in entries of {row['entries']}, 512 VFs:")
        lines += ["    " + line for line in row["arithmetic"]]
    return lines


def text(report: Dict[str, Any]) -> str:
    parts = [("What was to be reached", goals(report)), ("All figures", figures(report)),
             ("The blackout, in instructions", blackout(report)),
             ("On paper", scale(report))]
    return "\n".join("\n".join([title, "-" * len(title), *lines, ""]) for title, lines in parts)
