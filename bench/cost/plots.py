# SPDX-License-Identifier: GPL-2.0-only
"""Plots of the report, by gnuplot, with the data beside them."""

import subprocess
from pathlib import Path
from typing import Any, Dict, List, Sequence

from host.base import RigError

from . import points
from .figures import BLACKOUT_STEPS, steps

HEAD = """\
set terminal svg size 720,400 font "sans,12" background "white"
set output "{svg}"
set title "{title}"
set xlabel "{xlabel}"
set ylabel "{ylabel}"
set key {key}
set grid ytics lc rgb "#dddddd"
set yrange [0:*]
"""


def write_data(path: Path, rows: Sequence[Sequence[Any]]) -> None:
    path.write_text("".join(" ".join(str(cell) for cell in row) + "\n" for row in rows))


def draw(folder: Path, name: str, text: str) -> Path:
    script = folder / f"{name}.gnuplot"
    script.write_text("# SPDX-License-Identifier: GPL-2.0-only\n" + text)
    try:
        done = subprocess.run(["gnuplot", script.name], cwd=folder, capture_output=True,
                              text=True, timeout=60, check=False)
    except OSError:
        raise RigError("gnuplot is not installed: run 'scripts/setup bench'.") from None
    if done.returncode:
        raise RigError(f"gnuplot says: {done.stderr.strip()}")
    return folder / f"{name}.svg"


def sizes(report: Dict[str, Any], folder: Path) -> Path:
    def rows(name: str, amounts: tuple) -> List[tuple]:
        return [(mib / 1024, report["points"][f"{name}-{mib}"]["blackout"] / 1e6)
                for mib in amounts]

    stock = report["points"]["stock"]["blackout"] / 1e6
    write_data(folder / "sizes.dat", rows("size", points.SIZES))
    write_data(folder / "sizes-torn.dat", rows("torn", points.TORN))
    return draw(folder, "sizes", HEAD.format(
        svg="sizes.svg", title="Blackout by mapped size",
        xlabel="GiB mapped in entries of 4 KiB", ylabel="millions of instructions",
        key="bottom right") + f"""\
set logscale x 2
plot "sizes.dat" with linespoints lw 2 title "a kept device", \\
     "sizes-torn.dat" with linespoints lw 2 title "no two table pages side by side", \\
     {stock} with lines dt 2 lc rgb "black" title "the stock kernel, nothing kept"
""")


def stacked(report: Dict[str, Any], folder: Path, name: str, amounts: tuple,
            words: Dict[str, str]) -> Path:
    """Our share, step upon step."""
    rows = []
    for amount in amounts:
        parts = steps(report["points"][f"{name}-{amount}"])
        rows.append((amount, *(parts[step] / 1e3 for step in BLACKOUT_STEPS)))
    write_data(folder / f"{name}.dat", rows)
    sums, curves = [], []
    for column, step in enumerate(BLACKOUT_STEPS, start=2):
        sums.append(f"${column}")
        curves.append((step, "+".join(sums)))
    plot = ", \\\n     ".join(
        f'"{name}.dat" using 1:({total}) with filledcurves x1 title "{step}"'
        for step, total in reversed(curves))
    return draw(folder, name, HEAD.format(svg=f"{name}.svg", key="top left",
                                          ylabel="thousands of instructions", **words) +
                f"plot {plot}\n")


def all_plots(report: Dict[str, Any], folder: Path) -> List[Path]:
    folder.mkdir(parents=True, exist_ok=True)
    return [
        sizes(report, folder),
        stacked(report, folder, "devices", points.DEVICES,
                {"title": "Our share of the blackout by kept devices",
                 "xlabel": "devices, all on one domain"}),
        stacked(report, folder, "domains", points.DOMAINS,
                {"title": "Our share of the blackout by domains",
                 "xlabel": "domains, one device"}),
    ]
