"""Draws curves with pygal, and keeps of what it draws nothing but shapes and words.

pygal is pure Python, loads in 50 ms, draws a chart in 6 ms, and names its shapes by classes instead of
colouring them: so one style sheet of the page serves light, dark and print, and the page's content
security policy need not allow any style within a picture. Scripts, styles, ids and comments stay behind.
"""

from __future__ import annotations

import math
import sys
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, Final
from xml.etree import ElementTree as ET

import pygal
from pygal.style import Style

from replay.report.text import clean

if TYPE_CHECKING:
    from collections.abc import Callable

WIDE: Final = (760, 230)
NARROW: Final = (360, 230)
TICKS_MAX: Final = 4
_KEPT_TAGS: Final = frozenset({"svg", "g", "path", "rect", "circle", "text"})
_KEPT: Final = frozenset(
    {"viewBox", "class", "transform", "d", "x", "y", "width", "height", "rx", "ry", "cx", "cy", "r"}
)
_DROPPED: Final = frozenset(
    {"background", "plot overlay", "plot text-overlay", "plot tooltip-overlay", "titles"}
)
# pygal adds a finder of plug-ins to every import to come, in a form that Python 3.11 warns of.
sys.meta_path[:] = [finder for finder in sys.meta_path if type(finder).__module__ != pygal.__name__]

_STYLE: Final = Style(font_family="sans-serif", label_font_size=12, major_label_font_size=12)

Series = Sequence[tuple[str, Sequence[float | None]]]
"""Curves by the class that colours them."""


def areas(series: Series, labels: Sequence[str], size: tuple[int, int], form: Callable[[float], str]) -> str:
    """Curves one upon the other, filled."""
    return _drawn(pygal.StackedLine, series, labels, size, form, fill=True)


def lines(
    series: Series,
    labels: Sequence[str],
    size: tuple[int, int],
    form: Callable[[float], str],
    *,
    log: bool = False,
) -> str:
    """Curves side by side; broken where there is no value."""
    return _drawn(pygal.Line, series, labels, size, form, allow_interruptions=True, logarithmic=log)


def _drawn(
    kind: Any,
    series: Series,
    labels: Sequence[str],
    size: tuple[int, int],
    form: Callable[[float], str],
    **options: Any,
) -> str:
    if not options.get("logarithmic"):
        options["y_labels"] = _ticks(_highest(series, stacked=kind is pygal.StackedLine))
        options["range"] = (0, options["y_labels"][-1])
    chart = kind(
        style=_STYLE,
        css=[],
        js=[],
        width=size[0],
        height=size[1],
        margin=2,
        show_legend=False,
        show_dots=False,
        show_minor_x_labels=False,
        max_scale=5,
        min_scale=3,
        value_formatter=form,
        truncate_label=-1,
        x_labels=list(labels),
        x_labels_major=[label for label in labels if label],
        **options,
    )
    for name, values in series:
        chart.add(name, list(values))
    root = _kept(chart.render_tree(), [name for name, _ in series])
    return ET.tostring(root, encoding="unicode")


def _highest(series: Series, *, stacked: bool) -> float:
    points = zip(*(values for _, values in series), strict=True)
    join: Callable[[list[float]], float] = sum if stacked else max
    return max((join([value or 0.0 for value in at]) for at in points), default=0.0)


def _ticks(highest: float) -> list[float]:
    """Round numbers from nothing to a little above all curves."""
    magnitude = 10.0 ** math.floor(math.log10(max(highest, 1e-3) / TICKS_MAX))
    step = next(size * magnitude for size in (1, 2, 5, 10, 20) if size * magnitude * TICKS_MAX >= highest)
    return [step * number for number in range(math.ceil(max(highest, 1e-3) / step) + 1)]


def _kept(drawn: Any, names: Sequence[str]) -> ET.Element:
    """A copy of the drawing with what is known to be harmless, its series named by what they are."""
    kept = ET.Element(drawn.tag, {name: value for name, value in drawn.attrib.items() if name in _KEPT})
    if "series" in (words := kept.get("class", "").split()):
        number = next(int(word.removeprefix("serie-")) for word in words if word.startswith("serie-"))
        kept.set("class", f"series {names[number]}")
    kept.text = clean(drawn.text) if drawn.text else None
    for inner in drawn:
        if inner.tag in _KEPT_TAGS and inner.get("class") not in _DROPPED:
            kept.append(_kept(inner, names))
    return kept
