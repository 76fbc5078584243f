# SPDX-License-Identifier: GPL-2.0-only
"""Draws runs: transfers per so many milliseconds against time, as SVG, from real data."""

import math
from typing import Any, Dict, List, NamedTuple, Optional, Sequence, Tuple
from xml.sax.saxutils import escape

from .timeline import Timeline

BIN_NS = 20_000_000
BEFORE_NS, AFTER_NS = 2_000_000_000, 1_000_000_000
# the throttle lets the very first reads through at once
WARM_UP_NS = 100_000_000
WIDTH, LEFT, RIGHT = 1200, 84, 36
HEAD = 84                       # room for the title; labels hang below it
ROW = 16
GAP = 46
LABEL_ROWS = 6

INK, SOFT, GRID = "#1f2933", "#616e7c", "#e4e7eb"
FRAMES, READS, THROUGH, BLOCKED = "#2563eb", "#0f8a5f", "#b45309", "#dc2626"

MARK_TEXT = {"freeze": "freeze", "jump": "jump", "init": "init", "retrieve": "retrieve",
             "swap": "swap", "finish": "finish"}
STYLE = """
text { font-family: 'DejaVu Sans', Verdana, sans-serif; font-size: 13px; fill: %s }
.title { font-size: 20px; font-weight: bold } .soft, .gap { fill: %s; font-size: 12px }
.tick { fill: %s; font-size: 11px } .mark { font-size: 12px; font-weight: bold }
.panel { font-weight: bold } .panel, .soft { stroke: #fff; stroke-width: 4px; paint-order: stroke }
""" % (INK, SOFT, SOFT)


class Series(NamedTuple):
    moments: Sequence[int]
    colour: str
    label: str


class Panel(NamedTuple):
    heading: str
    series: List[Series]
    height: int
    decades: bool = False       # logarithmic: a few beside thousands


class Gap(NamedTuple):
    """What is shaded, with what is said of it."""
    start: int
    end: int
    words: str


class Sheet(NamedTuple):
    """All but the panels."""
    title: str
    notes: List[str]            # two lines below it
    marks: Dict[str, int]       # what happened when
    gap: Optional[Gap]
    since: str                  # what happened at second 0


class Scale:
    """Time to x."""

    def __init__(self, start: int, end: int, origin: int, bin_ns: int = BIN_NS):
        self.start, self.end, self.origin = start, max(end, start + bin_ns), origin
        self.bin_ns = bin_ns

    def x(self, ns: int) -> float:
        share = (ns - self.start) / (self.end - self.start)
        return LEFT + share * (WIDTH - LEFT - RIGHT)

    def inside(self, ns: int) -> bool:
        return self.start <= ns <= self.end


def bins(moments: Sequence[int], scale: Scale) -> List[int]:
    counts = [0] * max(1, -(-(scale.end - scale.start) // scale.bin_ns))
    for ns in moments:
        if scale.start <= ns < scale.end:
            counts[(ns - scale.start) // scale.bin_ns] += 1
    return counts


def nice_ceiling(value: int) -> int:
    """The next round number that makes a good end of an axis."""
    power = 1
    while True:
        for step in (1, 2, 3, 4, 5, 6, 8, 10):
            if step * power >= value:
                return step * power
        power *= 10


class Axis:
    """Counts to pixels over the base line."""

    def __init__(self, most: int, height: int, decades: bool):
        self.decades = decades
        self.height = height
        self.top = 10 ** len(str(most)) if decades else nice_ceiling(most)

    def ticks(self) -> List[int]:
        if not self.decades:
            return sorted({0, self.top // 2, self.top})
        return [0] + [10 ** n for n in range(1, len(str(self.top)))]

    def up(self, count: int) -> float:
        if self.decades:
            return self.height * math.log10(1 + count) / math.log10(1 + self.top)
        return self.height * count / self.top


def window(times: Timeline) -> Scale:
    marks = times.marks
    known = sorted(marks.values()) or [times.end]
    origin = marks.get("freeze", known[0])
    start = max(min(known[0] + WARM_UP_NS, origin), origin - BEFORE_NS)
    last = max([marks[m] for m in MARK_TEXT if m in marks] + [origin])
    # a run that stops early is shown for as long as one that does not
    end = min(times.end, max(last + AFTER_NS, origin + 2 * BEFORE_NS))
    return Scale(start, end, origin)


def _text(x: float, y: float, words: str, kind: str = "", anchor: str = "start",
          fill: str = "") -> str:
    extra = f' fill="{fill}" style="fill:{fill}"' if fill else ""
    return (f'<text x="{x:.1f}" y="{y:.1f}" class="{kind}" '
            f'text-anchor="{anchor}"{extra}>{escape(words)}</text>')


def _line(x1: float, y1: float, x2: float, y2: float, colour: str, more: str = "") -> str:
    return (f'<line x1="{x1:.1f}" y1="{y1:.1f}" x2="{x2:.1f}" y2="{y2:.1f}" '
            f'stroke="{colour}" {more}/>')


def _area(counts: List[int], scale: Scale, base: float, axis: Axis, colour: str) -> str:
    points = [f"M{LEFT:.1f},{base:.1f}"]
    for index, count in enumerate(counts):
        y = base - axis.up(count)
        left = scale.x(scale.start + index * scale.bin_ns)
        right = min(scale.x(scale.start + (index + 1) * scale.bin_ns), WIDTH - RIGHT)
        points.append(f"L{left:.1f},{y:.1f}L{right:.1f},{y:.1f}")
    points.append(f"L{WIDTH - RIGHT:.1f},{base:.1f}Z")
    return f'<path d="{"".join(points)}" fill="{colour}" fill-opacity="0.75"/>'


def _legend(series: List[Series], y: float) -> str:
    """Right-aligned, over its panel."""
    parts, x = [], WIDTH - RIGHT
    for one in reversed(series):
        x -= 7.3 * len(one.label)
        parts.append(_text(x, y, one.label, "soft"))
        parts.append(f'<rect x="{x - 17:.1f}" y="{y - 9:.1f}" width="11" height="10" '
                     f'fill="{one.colour}" fill-opacity="0.75"/>')
        x -= 36
    return "".join(parts)


def _panel(panel: Panel, scale: Scale, y: float) -> str:
    base = y + panel.height
    counted = [bins(one.moments, scale) for one in panel.series]
    axis = Axis(max([1] + [max(c) for c in counted]), panel.height, panel.decades)
    parts = []
    for value in axis.ticks():
        level = base - axis.up(value)
        parts.append(_line(LEFT, level, WIDTH - RIGHT, level, GRID))
        parts.append(_text(LEFT - 8, level + 4, f"{value:,}", "tick", "end"))
    for counts, one in zip(counted, panel.series):
        parts.append(_area(counts, scale, base, axis, one.colour))
    parts.append(_line(LEFT, base, WIDTH - RIGHT, base, SOFT))
    return "".join(parts)


def _time_axis(scale: Scale, y: float, since: str) -> str:
    span = (scale.end - scale.start) / 1e9
    step = next((s for s in (0.1, 0.2, 0.5, 1, 2, 5, 10) if span / s <= 14), 30)
    parts = []
    tick = -int((scale.origin - scale.start) / 1e9 / step)
    while scale.origin + tick * step * 1e9 <= scale.end:
        x = scale.x(int(scale.origin + tick * step * 1e9))
        parts.append(_line(x, y, x, y + 5, SOFT))
        parts.append(_text(x, y + 19, f"{tick * step:g}", "tick", "middle"))
        tick += 1
    parts.append(_text((LEFT + WIDTH - RIGHT) / 2, y + 38, f"seconds since {since}", "soft",
                       "middle"))
    return "".join(parts)


def place_labels(wanted: List[Tuple[float, str]]) -> List[Tuple[float, int, str]]:
    """A label hangs like a flag at the right of its line, in the lowest row
    where it touches no label and no line of those further right."""
    free = [float("inf")] * LABEL_ROWS
    placed = []
    for x, words in sorted(wanted, reverse=True):
        end = x + 8.2 * len(words) + 10
        row = next((r for r in range(LABEL_ROWS) if end < min(free[r:])), LABEL_ROWS - 1)
        free[row] = x
        placed.append((x, row, words))
    return placed


def labels(marks: Dict[str, int], scale: Scale) -> List[Tuple[float, int, str]]:
    return place_labels([(scale.x(ns), f"{words} {(ns - scale.origin) / 1e9:.2f}")
                         for words, ns in marks.items() if scale.inside(ns)])


def _marks(placed: List[Tuple[float, int, str]], top: float, bottom: float) -> str:
    parts = []
    for x, row, words in placed:
        y = top - 40 - ROW * row
        parts.append(_line(x, y - 11, x, bottom, INK, 'stroke-width="1" stroke-dasharray="4 3"'))
        parts.append(_text(x + 4, y, words, "mark"))
    return "".join(parts)


def _gap(gap: Optional[Gap], scale: Scale, top: float, bottom: float) -> str:
    if not gap:
        return ""
    left, right = scale.x(gap.start), scale.x(min(gap.end, scale.end))
    return (f'<rect x="{left:.1f}" y="{top - 34:.1f}" width="{right - left:.1f}" '
            f'height="{bottom - top + 34:.1f}" fill="#1f2933" fill-opacity="0.10"/>' +
            _text(right - 6, top - 12, gap.words, "gap", "end"))


def _panels(times: Timeline) -> List[Panel]:
    return [
        Panel("NIC: frames written to guest memory, per 20 ms",
              [Series(times.frames, FRAMES, "frames")], 160),
        Panel("NVMe drive: reads completed, per 20 ms",
              [Series(times.reads, READS, "reads")], 100),
        Panel("Intruders, not preserved, per 20 ms (logarithmic)",
              [Series(times.blocked, BLOCKED, "blocked by the IOMMU"),
               Series(times.intruder, THROUGH, "frames and reads written")], 100, decades=True),
    ]


def _subtitle(report: Dict[str, Any]) -> str:
    words = [f"blackout {report['blackout_ms']:,.0f} ms (shaded)"]
    for key, name in (("frames_in_blackout", "frames in it"), ("reads_in_blackout", "reads in it"),
                      ("frames_lost", "frames lost"), ("faults_kept", "faults of kept devices")):
        value = report[key]
        words.append(f"{'unknown' if value == -1 else format(value, ',')} {name}")
    return " \u00b7 ".join(words)


def _kernels(report: Dict[str, Any]) -> str:
    old, new = report["kernel_old"], report["kernel_new"]
    return f"{old}, before and after" if old == new else f"{old} \u2192 {new}"


def draw_sheet(sheet: Sheet, scale: Scale, panels: List[Panel]) -> str:
    placed = labels(sheet.marks, scale)
    top = HEAD + 40.0 + ROW * (1 + max([row for _, row, _ in placed], default=0))
    body, heads, y = [], [], top
    for panel in panels:
        body.append(_panel(panel, scale, y))
        heads.append(_text(LEFT, y - 10, panel.heading, "panel") + _legend(panel.series, y - 10))
        y += panel.height + GAP
    bottom = y - GAP
    height = bottom + 56
    notes = [_text(LEFT, 50 + 16 * n, words[:150], "soft") for n, words in enumerate(sheet.notes)]
    parts = [f'<svg xmlns="http://www.w3.org/2000/svg" width="{WIDTH}" height="{height:.0f}" '
             f'viewBox="0 0 {WIDTH} {height:.0f}" role="img">',
             f"<title>{escape(sheet.title)}</title><style>{STYLE}</style>",
             f'<rect width="{WIDTH}" height="{height:.0f}" fill="#ffffff"/>',
             _text(LEFT, 30, sheet.title, "title"), *notes,
             _gap(sheet.gap, scale, top, bottom), *body, _marks(placed, top, bottom),
             *heads, _time_axis(scale, bottom, sheet.since), "</svg>\n"]
    return "\n".join(parts)


def draw(times: Timeline, report: Dict[str, Any], title: Optional[str] = None) -> str:
    """The demo's."""
    gap = times.blackout()
    marks = {words: times.marks[mark] for mark, words in MARK_TEXT.items() if mark in times.marks}
    sheet = Sheet(title or "DMA through a kexec",
                  [_subtitle(report), f"{report['iommu']}; {_kernels(report)}"], marks,
                  Gap(*gap, f"blackout {(gap[1] - gap[0]) / 1e6:,.0f} ms") if gap else None,
                  "freeze")
    return draw_sheet(sheet, window(times), _panels(times))
